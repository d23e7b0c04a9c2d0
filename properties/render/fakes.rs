//! Reports that nobody computed, but that look like what a check of a real step gives.

use openloop::graph::{Digest, PytreePath};
use openloop::verdict::*;

use super::amounts;

pub const SOURCE: &str = include_str!("train_step.py");

/// The lines of `train/step.py`.
pub struct Lines;

impl openloop::render::SourceLines for Lines {
    fn line(&self, file: &str, line: u32) -> Option<String> {
        (file == "train/step.py").then(|| SOURCE.lines().nth(line as usize - 1).map(str::to_owned)).flatten()
    }
}

pub fn path(text: &str) -> PytreePath {
    PytreePath::parse(text)
}

/// An operation: hop, name without dialect, line of `train/step.py` (0: none), scope path, function, type.
pub fn op(hop: Hop, name: &str, line: u32, scope: &str, function: &str, r#type: &str) -> WitnessStep {
    let value = name.bytes().fold(line.wrapping_mul(31), |sum, byte| sum.wrapping_mul(33).wrapping_add(byte.into()));
    WitnessStep {
        hop,
        op: format!("stablehlo.{name}"),
        place: (line > 0).then(|| format!("train/step.py:{line}")),
        innermost: None,
        function: (!function.is_empty()).then(|| function.into()),
        scope: (!scope.is_empty()).then(|| scope.into()),
        r#type: r#type.into(),
        line: 200 + line,
        graph: 0,
        value: value % 10_000,
    }
}

/// An input or output.
pub fn port(hop: Hop, name: &str, r#type: &str) -> WitnessStep {
    WitnessStep {
        hop,
        op: name.into(),
        place: None,
        innermost: None,
        function: None,
        scope: None,
        r#type: r#type.into(),
        line: 0,
        graph: 0,
        value: 7,
    }
}

pub fn invariant(name: &str, within: Within, verdict: Verdict) -> InvariantReport {
    InvariantReport {
        name: name.into(),
        within,
        from: vec!["scope:probe_reward".into()],
        to: vec!["output:**.beliefs.**".into()],
        verdict,
        assumptions: Vec::new(),
        sources: 23,
        sinks_reached: 0,
        sinks: 72,
        witness: Vec::new(),
        witnesses: Vec::new(),
        environment: Vec::new(),
        opaque: Vec::new(),
        reasons: Vec::new(),
        warnings: Vec::new(),
        channel: Channel::None,
        bits_per_step: None,
        bounds: Bounds::default(),
        refined: false,
        only_if_not_finite: false,
        repair: None,
        confirmed: Confirmed::Untested,
        waived: None,
        certificate: None,
    }
}

fn witness(group: &str, sink: &str, reached: usize, of: usize, route: Route, path_: &[WitnessStep]) -> Witness {
    let mut steps = path_.to_vec();
    if let Some(last) = steps.last_mut() {
        last.op = sink.into();
    }
    Witness {
        group: path(group),
        sink: path(sink),
        sinks_reached: reached,
        sinks: of,
        route,
        channel: Channel::Content,
        channel_reason: String::new(),
        bits_per_step: None,
        cut: Vec::new(),
        rule: String::new(),
        path: steps,
    }
}

pub fn graph(name: &str, file: &str) -> GraphReport {
    let carried = |output: &str, input: &str, leaves, unused_inputs| CarriedReport {
        output: path(output),
        input: path(input),
        leaves,
        unused_inputs,
        found_by: "structure".into(),
    };
    GraphReport {
        name: name.into(),
        file: file.into(),
        digest: Digest::parse(&"5e".repeat(32)).expect("64 digits"),
        operations: 1042,
        functions: 9,
        inputs: 87,
        outputs: 83,
        carried: vec![carried("result.0", "params", 26, 0), carried("result.1", "opt_state", 53, 1)],
    }
}

pub fn run(invariants: Vec<InvariantReport>) -> RunReport {
    RunReport {
        version: REPORT_VERSION,
        tool: "0.1.0".into(),
        graph: graph("jit_train_step", "step.mlir"),
        more_graphs: Vec::new(),
        invariants,
        requires: Vec::new(),
        waivers: Vec::new(),
        substrate: vec![SubstrateReport {
            from: vec!["scope:probe_reward".into()],
            reads: vec![
                SubstrateRead {
                    input: path("params.beliefs"),
                    leaves: 24,
                    updated_value: false,
                    moves: true,
                    moved_by_scopes: vec!["prediction_loss".into()],
                    moved_by_inputs: vec![path("batch"), path("params.beliefs"), path("opt_state.1")],
                },
                SubstrateRead {
                    input: path("probe"),
                    leaves: 2,
                    updated_value: false,
                    moves: false,
                    moved_by_scopes: Vec::new(),
                    moved_by_inputs: Vec::new(),
                },
            ],
        }],
        not_shown: vec![
            "That the probe stays faithful: any loss may move what it reads.".into(),
            "What leaks through selection: which data, plan or checkpoint is used outside the step.".into(),
        ],
    }
}

const VEC: &str = "tensor<8x12xf32>";
const ONE: &str = "tensor<f32>";

/// One norm over both groups of gradients.
pub fn shared_clip() -> RunReport {
    let probe = "jit(train_step)/probe_reward/";
    let steps = vec![
        op(Hop::Source, "dot_general", 24, &format!("{probe}dot_general"), "probe_score", VEC),
        op(Hop::Data, "add", 24, &format!("{probe}add"), "probe_score", VEC),
        op(Hop::Data, "logistic", 25, &format!("{probe}logistic"), "probe_score", VEC),
        op(Hop::Data, "multiply", 47, &format!("{probe}mul"), "train_step", VEC),
        op(Hop::Data, "add", 48, "jit(train_step)/add", "train_step", VEC),
        op(Hop::Data, "subtract", 34, "jit(train_step)/jvp(td_loss)/sub", "td_loss", VEC),
        op(Hop::Data, "multiply", 35, "jit(train_step)/transpose(jvp(td_loss))/mul", "td_loss", VEC),
        op(
            Hop::Data,
            "dot_general",
            33,
            "jit(train_step)/transpose(jvp(td_loss))/dot_general",
            "td_loss",
            "tensor<32xf32>",
        ),
        op(Hop::Data, "multiply", 53, "jit(train_step)/integer_pow", "train_step", "tensor<32xf32>"),
        op(Hop::Data, "reduce", 53, "jit(train_step)/reduce_sum", "train_step", ONE),
        op(Hop::Data, "add", 53, "jit(train_step)/add", "train_step", ONE),
        WitnessStep {
            innermost: Some("lib/python3.11/site-packages/optax/_src/linear_algebra.py:41:9".into()),
            ..op(Hop::Data, "sqrt", 53, "jit(train_step)/sqrt", "train_step", ONE)
        },
        op(Hop::Data, "maximum", 54, "jit(train_step)/max", "train_step", ONE),
        op(Hop::Data, "divide", 54, "jit(train_step)/div", "train_step", "tensor<61x32xf32>"),
        op(Hop::Data, "multiply", 55, "jit(train_step)/mul", "train_step", "tensor<61x32xf32>"),
        op(Hop::Data, "add", 55, "jit(train_step)/add", "train_step", "tensor<61x32xf32>"),
        port(Hop::Sink, "result.0.beliefs.emb", "tensor<61x32xf32>"),
    ];
    let violated = |within| InvariantReport {
        sinks_reached: 72,
        witness: steps.clone(),
        witnesses: vec![
            witness("result.0.beliefs", "result.0.beliefs.emb", 24, 24, Route::Step, &steps),
            witness("result.1.mu.beliefs", "result.1.mu.beliefs.emb", 24, 24, Route::Step, &steps),
            witness("result.1.nu.beliefs", "result.1.nu.beliefs.emb", 24, 24, Route::Step, &steps),
        ],
        ..invariant("probe-stays-out", within, Verdict::Violated)
    };
    let over_a_run = InvariantReport { assumptions: vec!["carried: result.0".into()], ..violated(Within::Run) };
    run(vec![violated(Within::Step), over_a_run])
}

/// A missed stop-gradient; then a priority that comes back as an index in the next step.
pub fn missed_stop_gradient() -> RunReport {
    let probe = "jit(train_step)/jvp(probe_reward)/";
    let back = |scope: &str, op: &str| format!("jit(train_step)/transpose(jvp({scope}))/{op}");
    let mut steps = vec![
        op(Hop::Source, "dot_general", 24, &format!("{probe}dot_general"), "probe_score", VEC),
        op(Hop::Data, "logistic", 25, &format!("{probe}logistic"), "probe_score", VEC),
        op(Hop::Data, "subtract", 34, "jit(train_step)/jvp(td_loss)/sub", "td_loss", VEC),
        op(Hop::Data, "multiply", 35, &back("td_loss", "mul"), "td_loss", VEC),
        op(Hop::Data, "dot_general", 33, &back("td_loss", "dot_general"), "td_loss", "tensor<8x12x32xf32>"),
    ];
    for (line, name) in [(17, "head"), (16, "norm"), (15, "mlp"), (14, "attention"), (15, "mlp"), (14, "attention")] {
        for operation in ["dot_general", "multiply", "reduce", "add"] {
            steps.push(op(
                Hop::Data,
                operation,
                line,
                &back(&format!("beliefs/{name}"), operation),
                "forward",
                "tensor<8x12x32xf32>",
            ));
            if name == "attention" {
                steps.push(op(
                    Hop::Data,
                    "transpose",
                    13,
                    &back("beliefs/heads", "transpose"),
                    "forward",
                    "tensor<8x4x12x8xf32>",
                ));
            }
        }
    }
    let tail = [
        op(Hop::Data, "scatter", 12, &back("beliefs/embed", "scatter-add"), "forward", "tensor<61x32xf32>"),
        op(Hop::Data, "multiply", 55, "jit(train_step)/mul", "train_step", "tensor<61x32xf32>"),
        op(Hop::Data, "add", 55, "jit(train_step)/add", "train_step", "tensor<61x32xf32>"),
        port(Hop::Sink, "result.0.beliefs.emb", "tensor<61x32xf32>"),
    ];
    steps.extend(tail);
    let index = "tensor<32xi32>";
    let carried = vec![
        op(Hop::Source, "logistic", 25, &format!("{probe}logistic"), "probe_score", VEC),
        op(Hop::Data, "subtract", 34, "jit(train_step)/jvp(td_loss)/sub", "td_loss", VEC),
        op(Hop::Data, "abs", 58, "jit(train_step)/abs", "train_step", VEC),
        op(Hop::Data, "scatter", 58, "jit(train_step)/scatter", "train_step", "tensor<4096xf32>"),
        port(Hop::Carried, "replay.priority", "tensor<4096xf32>"),
        WitnessStep {
            op: "func.call @argsort".into(),
            ..op(Hop::Enter, "call", 44, "jit(train_step)/jit(argsort)", "train_step", index)
        },
        op(Hop::Implicit, "sort", 44, "jit(train_step)/jit(argsort)/sort", "train_step", index),
        op(Hop::Leave, "call", 44, "jit(train_step)/jit(argsort)", "train_step", index),
        op(Hop::Implicit, "gather", 45, "jit(train_step)/gather", "train_step", "tensor<32x12xi32>"),
        op(
            Hop::Data,
            "dot_general",
            12,
            "jit(train_step)/jvp(beliefs)/embed/dot_general",
            "forward",
            "tensor<32x12x32xf32>",
        ),
        op(Hop::Data, "scatter", 12, &back("beliefs/embed", "scatter-add"), "forward", "tensor<61x32xf32>"),
        op(Hop::Data, "add", 55, "jit(train_step)/add", "train_step", "tensor<61x32xf32>"),
        port(Hop::Sink, "result.0.beliefs.emb", "tensor<61x32xf32>"),
    ];
    let step = InvariantReport {
        sinks_reached: 24,
        witnesses: vec![witness("result.0.beliefs", "result.0.beliefs.emb", 24, 24, Route::Step, &steps)],
        witness: steps,
        confirmed: Confirmed::Yes,
        ..invariant("probe-stays-out", Within::Step, Verdict::Violated)
    };
    let over_a_run = InvariantReport {
        sinks_reached: 24,
        witnesses: vec![witness("result.0.beliefs", "result.0.beliefs.emb", 24, 24, Route::Carried, &carried)],
        witness: carried,
        from: vec!["scope:priority".into(), "scope:probe_reward".into()],
        ..invariant("replay-stays-out", Within::Run, Verdict::Violated)
    };
    run(vec![step, over_a_run])
}

/// A finite check over both groups, accepted by a waiver; one waiver expired; a required flow; an honest invariant.
pub fn waived() -> RunReport {
    let probe = "jit(train_step)/probe_reward/";
    let steps = vec![
        op(Hop::Source, "logistic", 25, &format!("{probe}logistic"), "probe_score", VEC),
        op(Hop::Data, "is_finite", 53, "jit(train_step)/is_finite", "train_step", "tensor<32xi1>"),
        op(Hop::Data, "reduce", 53, "jit(train_step)/reduce_and", "train_step", "tensor<i1>"),
        op(Hop::Implicit, "select", 55, "jit(train_step)/jit(_where)/select_n", "train_step", "tensor<61x32xf32>"),
        port(Hop::Sink, "result.0.beliefs.emb", "tensor<61x32xf32>"),
    ];
    let accepted = InvariantReport {
        sinks_reached: 72,
        witnesses: vec![witness("result.0.beliefs", "result.0.beliefs.emb", 24, 24, Route::Step, &steps)],
        witness: steps.clone(),
        waived: Some("one finite check for both until optax is updated (until 2027-01-31)".into()),
        ..invariant("probe-stays-out", Within::Step, Verdict::Violated)
    };
    let environment = witness(
        "result.0.beliefs",
        "result.0.beliefs.emb",
        24,
        24,
        Route::Environment,
        &[
            steps[0].clone(),
            port(Hop::Environment, "batch.tokens", "tensor<8x12xi32>"),
            port(Hop::Sink, "result.0.beliefs.emb", "tensor<61x32xf32>"),
        ],
    );
    let honest = |within| InvariantReport {
        to: vec!["output:**.probe.**".into()],
        sinks: 2,
        assumptions: vec!["terminal: result.2.loss".into(), "finite at train/step.py:35 (`multiply` by a mask)".into()],
        environment: vec![environment.clone()],
        warnings: vec!["`params.probe` is returned unchanged: nothing at all reaches it".into()],
        ..invariant("probe-is-frozen", within, Verdict::Holds)
    };
    let mut over_a_run = honest(Within::Run);
    over_a_run.assumptions.push("carried: result.0 becomes params".into());
    let mut report = run(vec![accepted, honest(Within::Step), over_a_run]);
    report.waivers.push(WaiverFinding {
        invariant: "replay-stays-out".into(),
        problem: "expired".into(),
        message: "the waiver of `replay-stays-out` expired on 2026-06-30 and no longer counts".into(),
    });
    let require = |name: &str, verdict, sinks_reached| RequireReport {
        name: name.into(),
        from: vec!["scope:probe_reward".into()],
        to: vec!["output:**.desires.**".into()],
        verdict,
        sinks_reached,
        sinks: 2,
        reasons: Vec::new(),
    };
    report.requires.push(require("reward-trains-desires", Verdict::Holds, 2));
    report.requires.push(require("reward-trains-value-head", Verdict::Violated, 0));
    report
}

/// Nothing matched; and a callback in between.
pub fn open_questions() -> RunReport {
    let vacuous = InvariantReport {
        from: vec!["scope:probe_rewrad".into()],
        sources: 0,
        reasons: vec![
            "the source `scope:probe_rewrad` matches no operation; nearest scopes: `probe_reward`, `reward`".into(),
        ],
        ..invariant("scope:probe_rewrad -> output:**.beliefs.**", Within::Step, Verdict::Vacuous)
    };
    let opaque = InvariantReport {
        reasons: vec!["every path that is left goes through an operation that openloop does not look into".into()],
        opaque: vec![
            OpaqueOperation {
                op: "stablehlo.custom_call @xla_ffi_python_cpu_callback".into(),
                place: Some("train/step.py:49".into()),
                scope: Some("jit(train_step)/pure_callback".into()),
                line: 612,
                why: "a host callback: what it computes is not in the graph".into(),
            },
            OpaqueOperation {
                op: "mosaic_gpu.launch".into(),
                place: None,
                scope: None,
                line: 981,
                why: "an operation of a dialect that openloop does not read".into(),
            },
        ],
        ..invariant("probe-stays-out", Within::Run, Verdict::Undetermined)
    };
    let mark = InvariantReport {
        reasons: vec![
            "mark the score: `probe_reward` is differentiated, but its last operation (`add` at \
                       train/step.py:24) may leave no operation when it is transposed. Write `reward = \
                       jax.lax.optimization_barrier(reward)` at the end of the scope."
                .into(),
        ],
        ..invariant("probe-stays-out", Within::Step, Verdict::Undetermined)
    };
    run(vec![vacuous, mark, opaque])
}

/// Two jitted functions, and a reward that comes in as an input.
pub fn two_graphs() -> RunReport {
    let steps = vec![
        port(Hop::Source, "batch.probe_score", "tensor<8x12xf32>"),
        op(Hop::Data, "add", 48, "jit(desire_step)/add", "train_step", VEC),
        WitnessStep { graph: 1, ..port(Hop::Link, "targets", "tensor<8x12xf32>") },
        WitnessStep {
            graph: 1,
            ..op(Hop::Data, "while", 15, "jit(belief_step)/while/body/mlp/mul", "forward", "tensor<61x32xf32>")
        },
        WitnessStep { graph: 1, ..port(Hop::Carried, "params.beliefs.emb", "tensor<61x32xf32>") },
        WitnessStep { graph: 1, ..op(Hop::Opaque, "custom_call", 12, "jit(belief_step)/embed/x", "forward", VEC) },
        WitnessStep { graph: 1, ..port(Hop::Environment, "batch.tokens", "tensor<8x12xi32>") },
        WitnessStep { graph: 1, ..op(Hop::Data, "add", 12, "jit(belief_step)/embed/add", "forward", VEC) },
        WitnessStep { graph: 1, ..port(Hop::Sink, "result.0.beliefs.emb", "tensor<61x32xf32>") },
    ];
    let violated = InvariantReport {
        from: vec!["input:batch.probe_score".into()],
        sinks_reached: 1,
        sources: 1,
        witness: steps,
        confirmed: Confirmed::No,
        ..invariant("probe-stays-out", Within::Run, Verdict::Violated)
    };
    let mut report = run(vec![violated]);
    report.graph = graph("desire_step", "desire_step.mlir");
    report.more_graphs = vec![graph("belief_step", "captures/2026-10-12/belief_step.mlir")];
    report
}

/// Names and lines that would like to paint the terminal.
pub fn hostile() -> RunReport {
    let mut report = amounts::clip();
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}\r\nholds: nothing";
    report.graph.name = evil.into();
    report.graph.file = evil.into();
    for invariant in &mut report.invariants {
        invariant.name = evil.into();
        invariant.from = vec![format!("scope:{evil}")];
        invariant.assumptions = vec![evil.repeat(20)];
        for witness in &mut invariant.witnesses {
            witness.group = PytreePath::new([evil]);
            witness.channel_reason = evil.into();
            witness.rule = evil.into();
            witness.cut[0].op = evil.into();
            witness.cut[0].place = Some(format!("{evil}.py:3"));
            witness.cut[0].r#type = evil.into();
        }
        if let Some(repair) = &mut invariant.repair {
            repair.actions[0].advice = evil.into();
            repair.actions[0].place = Some(evil.into());
            repair.actions[0].function = Some(evil.into());
        }
        for step in &mut invariant.witness {
            step.scope = Some(format!("jit(x)/{evil}/add"));
            step.place = Some(format!("{evil}.py:3"));
            step.op = format!("x.{evil}");
        }
    }
    report.substrate[0].reads[0].input = PytreePath::new([evil]);
    report
}

pub fn all() -> Vec<(&'static str, RunReport)> {
    vec![
        ("shared_clip", shared_clip()),
        ("missed_stop_gradient", missed_stop_gradient()),
        ("waived", waived()),
        ("open_questions", open_questions()),
        ("two_graphs", two_graphs()),
        ("hostile", hostile()),
        ("amount_of_a_clip", amounts::clip()),
        ("amount_beyond_bounds", amounts::beyond()),
        ("amount_within_bounds", amounts::within()),
        ("no_repair", amounts::hopeless()),
    ]
}
