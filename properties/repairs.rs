//! Repairs: each that is told has been seen to work, and on small graphs no smaller one does.

use std::collections::{BTreeMap, BTreeSet};

use openloop::flow::explain::{Flow, Repaired, repair};
use openloop::flow::refined::{Assumed, Leak, Question, Refined, refine};
use openloop::flow::{Crossings, Phases, Port, Sources, System};
use openloop::graph::{GraphBuilder, OperationKind, PytreePath, TrainingGraph, ValueId};
use openloop::policy::Selector;
use openloop::verdict::RepairKind::{self, *};
use openloop::verdict::{RepairOutcome, Within};
use serde_json::Value;

use super::corpus;

/// What is asked of a step.
struct Case {
    name: String,
    graph: TrainingGraph,
    sources: Sources,
    sinks: Vec<Port>,
    assumed: Assumed,
}

impl Case {
    fn new(name: String, graph: TrainingGraph, truth: &Value) -> Self {
        let text = |key: &str| truth[key].as_str();
        let sinks = text("sinks").unwrap_or_else(|| match name.as_bytes()[0] {
            b'a' => "output:result.0.**",
            b'e' => "output:result.0.params.beliefs.**",
            _ => "output:result.0.beliefs.**",
        });
        let scope = format!("scope:{}", text("source_scope").expect("a scope"));
        let resolve = |selector: &str| Selector::parse(selector).expect("a selector").resolve(&graph);
        let (source, sinks) = (resolve(&scope), resolve(sinks).outputs);
        let mut sources = Sources::default();
        sources.add(0, source.operations, source.inputs);
        let assumed: Vec<&str> =
            truth["assume"].as_array().into_iter().flatten().map(|text| text.as_str().expect("text")).collect();
        let is_binary = |path: &PytreePath| assumed.contains(&&*format!("binary:{path}"));
        let binary = graph.inputs().enumerate().filter(|(_, (path, _))| is_binary(path));
        let assumed = Assumed {
            finite: assumed.contains(&"finite"),
            binary: binary.map(|(position, _)| (0, position)).collect(),
        };
        let sinks = sinks.into_iter().map(|position| Port { graph: 0, position }).collect();
        Case { name, graph, sources, sinks, assumed }
    }

    fn system(&self) -> System<'_> {
        let mut system = System::new([&self.graph]);
        if let Ok(pairs) = self.graph.carried_pairs(&Default::default()) {
            system.carry(0, &pairs);
        }
        system
    }

    fn labels(&self, system: &System<'_>, within: Within, finite: bool, cut: &[Flow]) -> Refined {
        let assumed = Assumed { finite: finite || self.assumed.finite, ..self.assumed.clone() };
        let counted = Crossings::within(within);
        let question = Question { sources: &self.sources, counted, assumed: &assumed, ends: &self.sinks, cut };
        refine(system, &question).unwrap_or_else(|_| panic!("{}: a limit", self.name))
    }

    fn is_violated(&self, labels: &Refined) -> bool {
        self.sinks.iter().any(|sink| labels.output(*sink).is_some())
    }

    /// The repair, and the leak that it is for; none where the invariant holds.
    fn repair(&self, system: &System<'_>, within: Within) -> Option<(Repaired, Leak)> {
        let refined = self.labels(system, within, false, &[]);
        self.is_violated(&refined).then(|| {
            let masked = self.labels(system, within, true, &[]).finite_sites;
            let phases = [Phases::new(&self.graph)];
            let counted = Crossings::within(within);
            let (sources, assumed, ends) = (&self.sources, &self.assumed, &*self.sinks);
            let question = Question { sources, counted, assumed, ends, cut: &[] };
            (repair(system, &question, &refined.leak, ends, &phases, &masked), refined.leak)
        })
    }

    /// Whether without these flows the invariant holds, and all that is kept is still reached.
    fn is_repaired(&self, system: &System<'_>, within: Within, cut: &[Flow], kept: &[Port]) -> bool {
        let labels = self.labels(system, within, false, cut);
        !self.is_violated(&labels) && kept.iter().all(|port| labels.output(*port).is_some())
    }
}

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&corpus::bytes(path)).expect("JSON")
}

/// All captures, steps, and leaks of rule pages: those of these names.
fn cases(is_wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for step in corpus::steps().into_iter().filter(|step| is_wanted(&corpus::name(step))) {
        let truth = json(&step.join("truth.json"));
        cases.push(Case::new(corpus::name(&step), corpus::graph(&step.join("step.mlir")), &truth));
    }
    let rules = std::fs::read_dir(corpus::root().join("fixtures/rules")).expect("the rules are there");
    let mut rules: Vec<_> = rules.map(|entry| entry.expect("a readable folder").path()).collect();
    rules.retain(|path| path.join("leak.mlir").exists() && is_wanted(&corpus::name(path)));
    rules.sort();
    for rule in rules {
        let truth = json(&rule.join("truth.json"));
        cases.push(Case::new(corpus::name(&rule), corpus::graph(&rule.join("leak.mlir")), &truth["leak"]));
    }
    cases
}

fn case(name: &str) -> Case {
    cases(|other| other == name).pop().unwrap_or_else(|| panic!("{name} is no step"))
}

/// What a run of each violated step is repaired by; empty: one parameter set is both boxes.
const EXPECTED: &[(&str, &[RepairKind])] = &[
    ("a_naive_grpo", &[]),
    ("naive_grpo", &[]),
    ("a2_probe_direct", &[]),
    ("b2_no_stopgrad", &[StopGradient]),
    ("c_shared_clip", &[SplitClip]),
    ("shared_clip", &[SplitClip]),
    ("ravelled_clip", &[SplitClip]),
    ("scale_own_norm", &[SplitClip]),
    ("scale_other_norm", &[SplitClip]),
    ("OL110", &[SplitClip]),
    ("apply_if_finite", &[SplitCheck, SplitCheck]),
    ("loss_scaler", &[SplitCheck, SplitCheck]),
    ("OL111", &[SplitCheck]),
    ("missed_stop_gradient", &[StopGradient]),
    ("differentiable_probe_loss", &[StopGradient]),
    ("scope_ends_add", &[StopGradient]),
    ("probe_in_scan_leak", &[StopGradient]),
    ("scan_remat_leak", &[StopGradient]),
    ("tied_embedding", &[StopGradient]),
    ("OL112", &[StopGradient]),
    ("OL113", &[StopGradient]),
    ("OL115", &[StopGradient]),
    ("OL126", &[StopGradient]),
    ("rng_key_folded", &[SplitKey]),
    ("OL119", &[SplitKey]),
    ("single_state", &[SplitOptimizer]),
    ("OL117", &[SplitOptimizer]),
    ("OL123", &[MaskByWhere]),
    ("e2_prio_td_state", &[SplitState]),
    ("plateau_freeze", &[SplitState]),
    ("prioritised_replay", &[DoNotUse]),
    ("cond_on_score", &[DoNotUse]),
    ("scale_add", &[DoNotUse]),
    ("filtered_topk", &[DoNotUse]),
    ("OL118", &[DoNotUse]),
];

/// Where a slice that is off by one is the leak, no flow is to be cut: nothing is found, and nothing is claimed.
const NOTHING_FOUND: &[&str] = &["ensemble_leak", "fused_qkv_leak"];

#[test]
fn every_violated_step_gets_a_repair_that_works_or_none_by_proof() {
    let (mut found, mut seen) = (0, BTreeSet::new());
    for case in cases(|_| true) {
        let system = case.system();
        for within in [Within::Step, Within::Run] {
            let Some((repaired, _)) = case.repair(&system, within) else { continue };
            let repair = &repaired.repair;
            let about = format!("{} [{}]", case.name, within.as_str());
            match repair.outcome {
                RepairOutcome::Found => {
                    found += 1;
                    assert!(repair.verified && !repair.actions.is_empty(), "{about}");
                    assert!((1..=repair.actions.len() as u64).contains(&repair.lower_bound), "{about}");
                    assert!(case.is_repaired(&system, within, &repaired.cut, &repaired.kept), "{about}");
                    assert!(repair.actions.iter().all(|action| !action.advice.is_empty()), "{about}");
                    assert!(repair.actions.iter().all(|action| action.place.is_some()), "{about}: {repair:?}");
                }
                RepairOutcome::Impossible => {
                    assert!(repair.exact && !repair.verified && repair.actions.is_empty(), "{about}");
                }
                RepairOutcome::NotFound => assert!(NOTHING_FOUND.contains(&&*case.name), "{about}: {repair:?}"),
            }
            if within == Within::Run {
                seen.insert(case.name.clone());
                let kinds: Vec<RepairKind> = repair.actions.iter().map(|action| action.kind).collect();
                if let Some((_, expected)) = EXPECTED.iter().find(|(name, _)| *name == case.name) {
                    assert_eq!(kinds, *expected, "{about}: {repair:#?}");
                    assert_eq!(repair.outcome == RepairOutcome::Impossible, expected.is_empty(), "{about}");
                }
            }
        }
    }
    assert!(found > 90, "only {found} repairs");
    for (name, _) in EXPECTED {
        assert!(seen.contains(*name), "{name} is not violated");
    }
}

/// What is cut is not what trains the beliefs: the kept flows are those of the desires, and there are some.
#[test]
fn the_desires_stay_reached() {
    for name in ["shared_clip", "missed_stop_gradient", "apply_if_finite"] {
        let case = case(name);
        let system = case.system();
        let (repaired, _) = case.repair(&system, Within::Run).expect("a violation");
        let outputs: Vec<String> = case.graph.outputs().map(|(path, _)| path.to_string()).collect();
        let kept: Vec<&str> = repaired.kept.iter().map(|port| &*outputs[port.position]).collect();
        assert!(kept.iter().any(|path| path.starts_with("result.0.desires.")), "{name}: {kept:?}");
        assert!(kept.iter().all(|path| !path.contains("beliefs")), "{name}: {kept:?}");
    }
}

#[test]
fn advice_names_the_line_and_the_code_to_write() {
    for (name, place, code) in [
        ("missed_stop_gradient", "fixtures/jax/common.py:57", "jax.lax.stop_gradient"),
        ("OL113", "fixtures/rules/prelude.py:22", "jax.lax.stop_gradient"),
        ("OL111", "src/rules/pages/OL111.md:27", "optax.apply_if_finite"),
        ("OL123", "src/rules/pages/OL123.md:37", "jnp.where(mask, value, 0.0)"),
        ("rng_key_folded", "fixtures/jax/rng_key_folded.py:33", "jax.random.split(key)"),
        ("scale_own_norm", "fixtures/jax/scale_own_norm.py:39", "optax.multi_transform"),
    ] {
        let case = case(name);
        let (repaired, _) = case.repair(&case.system(), Within::Run).expect("a violation");
        let [action] = &*repaired.repair.actions else { panic!("{name}: {:?}", repaired.repair) };
        assert_eq!(action.place.as_deref(), Some(place), "{name}");
        assert!(action.advice.contains(place) && action.advice.contains(code), "{name}: {}", action.advice);
    }
}

/// A generator of numbers, so that the graphs are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }
}

/// A few sums and products on three lines, of which some are the source; one output is the sink, the next step takes the
/// others.
fn small(seed: u64) -> Case {
    let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    let mut builder = GraphBuilder::new("small");
    let mut values: Vec<ValueId> = ["a", "b", "c"].map(|path| builder.input(path, "tensor<4xf32>")).to_vec();
    for operation in 0..5 + numbers.below(4) {
        let kind = [OperationKind::Add, OperationKind::Subtract, OperationKind::Divide][numbers.below(3)];
        let line = 1 + numbers.below(3) as u32;
        let recent = values.len().saturating_sub(5);
        let mut operand = || values[recent + numbers.below(values.len() - recent)];
        let operands = [operand(), operand()];
        builder.at("step.py", line);
        values.push(match operation {
            0 => builder.scope("probe_reward", |builder| builder.add(kind, &operands)),
            _ => builder.add(kind, &operands),
        });
    }
    for path in ["sink", "b", "c"] {
        builder.output(path, values[values.len() - 1 - numbers.below(4)]);
    }
    builder.carry("b", "b");
    builder.carry("c", "c");
    let graph = builder.finish().expect("a graph");
    let truth = serde_json::json!({ "source_scope": "probe_reward", "sinks": "output:sink" });
    Case::new(format!("small {seed}"), graph, &truth)
}

/// The flows that one edit cuts, said once more: an operand of one kind of operation on one line, what leads to kept
/// outputs apart from what does not; or a carried pair.
fn edits(case: &Case, leak: &Leak, kept: &[Port]) -> Vec<Vec<Flow>> {
    let value = |node: u32| leak.nodes[node as usize].place.expect("a value").value;
    let mut leads: BTreeSet<u32> =
        kept.iter().flat_map(|port| leak.outputs[0][port.position].iter().copied()).collect();
    while let Some(edge) = leak.edges.iter().find(|edge| leads.contains(&edge.to) && !leads.contains(&edge.from)) {
        leads.insert(edge.from);
    }
    let shared: BTreeSet<Flow> = leak
        .edges
        .iter()
        .filter(|edge| leads.contains(&edge.to))
        .map(|edge| (0, value(edge.from), value(edge.to)))
        .collect();
    let mut edits: BTreeMap<_, BTreeSet<Flow>> = BTreeMap::new();
    for edge in &leak.edges {
        let flow = (0, value(edge.from), value(edge.to));
        let key = match case.graph.value(flow.2).definition {
            openloop::graph::Definition::Argument(..) => (0, format!("{flow:?}"), 0, false),
            openloop::graph::Definition::Result(operation, _) => {
                let operands = case.graph.operands(operation);
                let position = operands.iter().position(|operand| *operand == flow.1).expect("an operand");
                let line = case.graph.user_place(case.graph.operation(operation).place).expect("a line").line;
                (line, case.graph.operation_name(operation).to_string(), position, shared.contains(&flow))
            }
        };
        edits.entry(key).or_default().insert(flow);
    }
    edits.into_values().map(|flows| flows.into_iter().collect()).collect()
}

/// All sets of `size` of so many things.
fn subsets(count: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    (0u32..1 << count)
        .filter(move |bits| bits.count_ones() as usize == size)
        .map(move |bits| (0..count).filter(|at| bits >> at & 1 == 1).collect())
}

const SMALL_GRAPHS: u64 = 400;

#[test]
fn on_small_graphs_no_smaller_repair_works() {
    let (mut by_count, mut impossible) = ([0; 4], 0);
    for seed in 0..SMALL_GRAPHS {
        let case = small(seed);
        let system = case.system();
        for within in [Within::Step, Within::Run] {
            let Some((repaired, leak)) = case.repair(&system, within) else { continue };
            let edits = edits(&case, &leak, &repaired.kept);
            if repaired.kept.is_empty() || edits.len() > 12 {
                continue;
            }
            let works = |chosen: &Vec<usize>| {
                let cut: Vec<Flow> = chosen.iter().flat_map(|edit| edits[*edit].iter().copied()).collect();
                case.is_repaired(&system, within, &cut, &repaired.kept)
            };
            let about = format!("{} [{}]: {:?}", case.name, within.as_str(), repaired.repair);
            match repaired.repair.outcome {
                RepairOutcome::Found => {
                    let is_cut = |edit: &&Vec<Flow>| edit.iter().any(|flow| repaired.cut.contains(flow));
                    let size = edits.iter().filter(is_cut).count();
                    by_count[size.min(3)] += 1;
                    assert!(repaired.repair.exact, "{about}");
                    let smaller = (0..size).find_map(|size| subsets(edits.len(), size).find(works));
                    assert_eq!(
                        smaller.map(|chosen| chosen.iter().map(|edit| edits[*edit].clone()).collect::<Vec<_>>()),
                        None,
                        "{about}"
                    );
                }
                RepairOutcome::Impossible => {
                    impossible += 1;
                    assert!(
                        !(0..=edits.len().min(6)).any(|size| subsets(edits.len(), size).any(|set| works(&set))),
                        "{about}"
                    );
                }
                RepairOutcome::NotFound => panic!("{about}"),
            }
        }
    }
    assert!(by_count[1] > 100 && by_count[2] > 50 && by_count[3] > 0 && impossible > 10, "{by_count:?} {impossible}");
}
