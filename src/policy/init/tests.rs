use super::*;
use crate::graph::{GraphBuilder, OperationKind, PairingOverride};
use crate::policy::FlowPolicy;

fn step(paths: &[&str], metrics: &[&str], scopes: &[&str]) -> TrainingGraph {
    let mut builder = GraphBuilder::new("step");
    let values: Vec<_> = paths.iter().map(|path| builder.input(*path, "tensor<8xf32>")).collect();
    let probe = builder.input("probe.w", "tensor<8xf32>");
    for scope in scopes {
        builder.scope(scope, |builder| builder.add(OperationKind::Multiply, &[values[0], probe]));
    }
    for (path, value) in paths.iter().zip(values) {
        let path = PytreePath::parse(path);
        let root = match path.root() {
            Some("params") => "0",
            Some("opt_state") => "1",
            _ => "2",
        };
        let segments = ["result", root].map(Into::into).into_iter().chain(path.tail(1).iter().cloned());
        builder.output(PytreePath::new(segments.collect::<Vec<Box<str>>>()), value);
    }
    for metric in metrics {
        let value = builder.constant("0.0", "tensor<f32>");
        builder.output(*metric, value);
    }
    builder.finish().expect("a graph")
}

fn policy_of(graph: &TrainingGraph) -> String {
    first_policy(graph, "step.mlir", graph.carried_pairs(&PairingOverride::default()).as_ref())
}

fn check(graph: &TrainingGraph) -> (String, FlowPolicy) {
    let text = policy_of(graph);
    let policy = FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    for entry in policy.invariants() {
        for selector in entry.from.iter().chain(&entry.to) {
            assert!(!selector.resolve(graph).is_empty(), "{selector} matches nothing\n{text}");
        }
    }
    (text, policy)
}

fn sinks(policy: &FlowPolicy) -> Vec<&str> {
    policy.invariants()[0].to.iter().map(Selector::as_str).collect()
}

fn sources(policy: &FlowPolicy) -> Vec<&str> {
    policy.invariants()[0].from.iter().map(Selector::as_str).collect()
}

const BOXES: &[&str] = &[
    "params.beliefs.emb",
    "params.beliefs.attn.value",
    "params.desires.w",
    "opt_state.0.mu.beliefs.emb",
    "opt_state.0.mu.beliefs.attn.value",
    "opt_state.0.mu.desires.w",
];

#[test]
fn named_boxes_and_probe_scopes_are_found() {
    let graph = step(BOXES, &["result.3.loss"], &["world", "probe_reward", "td_reward"]);
    let (text, policy) = check(&graph);
    assert_eq!(sinks(&policy), ["output:**.beliefs.**"]);
    assert_eq!(sources(&policy), ["scope:probe_reward"]);
    assert_eq!(policy.invariants().len(), 2);
    assert_eq!(policy.requires()[0].to[0].as_str(), "output:**.desires.**");
    for line in [
        "  \"output:**.beliefs.**\", # 4 leaves",
        "  \"scope:probe_reward\", # 1 operation",
        "  # \"scope:td_reward\", # 1 operation",
        "  # \"scope:world\", # 1 operation",
        "  # \"input:probe.**\", # its own parameters",
        "# \"result.0\" = \"params\" # 3 leaves, same subtrees",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}

#[test]
fn a_metric_of_the_same_name_is_no_sink() {
    let graph = step(BOXES, &["result.3.beliefs.loss"], &["probe"]);
    let (_, policy) = check(&graph);
    assert_eq!(sinks(&policy), ["output:result.0.beliefs.**", "output:result.1.0.mu.beliefs.**"]);
}

#[test]
fn optimizer_state_without_a_telling_name_is_found_by_its_leaves() {
    let paths = &[
        "params.beliefs.emb",
        "params.beliefs.pos",
        "params.desires.actor",
        "opt_state.b.0.count",
        "opt_state.b.0.mu.emb",
        "opt_state.b.0.mu.pos",
        "opt_state.b.0.nu.emb",
        "opt_state.b.0.nu.pos",
        "opt_state.d.0.count",
        "opt_state.d.0.mu.actor",
    ];
    let (_, policy) = check(&step(paths, &[], &["monitor"]));
    assert_eq!(sinks(&policy), ["output:**.beliefs.**", "output:result.1.b.**"]);
}

#[test]
fn without_telling_names_all_that_is_carried_is_a_sink() {
    let paths = &["params.h0.attn.value", "params.h0.up", "opt_state.0.mu.h0.attn.value", "opt_state.0.mu.h0.up"];
    let (text, policy) = check(&step(paths, &["result.3.loss"], &["probe_reward"]));
    assert_eq!(sinks(&policy), ["output:result.0.**", "output:result.1.**"]);
    assert!(policy.requires().is_empty());
    // A language model's head predicts; a value head wants, and leaves the rest in as few subtrees as can be.
    let paths = &["params.h0.up", "params.h0.down", "params.lm_head.w", "params.value_head.w", "rng"];
    let (_, policy) = check(&step(paths, &[], &["probe_reward"]));
    assert_eq!(sinks(&policy), ["output:result.0.h0.**", "output:result.0.lm_head.**", "output:result.2.**"]);
    assert_eq!(policy.requires()[0].to[0].as_str(), "output:**.value_head.**");
    assert!(text.contains("No output subtree has a name like beliefs"), "{text}");
}

#[test]
fn a_score_counts_as_the_probe_only_if_nothing_else_does() {
    let (_, policy) = check(&step(BOXES, &[], &["reward", "world"]));
    assert_eq!(sources(&policy), ["scope:reward"]);
}

#[test]
fn without_a_probe_the_policy_asks_to_fill_it_in() {
    for scopes in [&["world", "underscore"][..], &[]] {
        let graph = step(BOXES, &[], scopes);
        let text = policy_of(&graph);
        let error = FlowPolicy::parse(&text).expect_err("nothing is denied yet");
        assert!(error.message.contains("denies nothing") && error.help.expect("help").contains("fill in"), "{text}");
        assert!(text.contains("No scope looks like a probe"), "{text}");
        for scope in scopes {
            assert!(text.contains(&format!("#   \"scope:{scope}\", # 1 operation")), "{text}");
        }
        assert_eq!(text.contains("names no scopes at all"), scopes.is_empty());
        // What is commented out is right once it is uncommented.
        let filled = text.replace("# probe = [", "probe = [\"scope:filled_in\"]\n#").replace("# [[inv", "[[inv");
        let mut once = false;
        let filled: Vec<String> = filled
            .lines()
            .map(|line| {
                let uncomment = ["# name = \"beliefs never", "# from = [\"probe\"]", "# to = [\"beliefs\"]"];
                let found = uncomment.iter().any(|start| line.starts_with(start));
                once |= found;
                if found { line[2..].to_string() } else { line.to_string() }
            })
            .take_while(|line| !line.starts_with("# Positive control"))
            .collect();
        assert!(once);
        FlowPolicy::parse(&filled.join("\n")).unwrap_or_else(|error| panic!("{error}\n{}", filled.join("\n")));
    }
}

#[test]
fn an_undecided_pairing_lists_its_candidates() {
    let graph = step(BOXES, &[], &["probe_reward"]);
    let error =
        PairingError::Ambiguous { input: "params".into(), candidates: vec!["result.0".into(), "result.1".into()] };
    let text = first_policy(&graph, "step.mlir", Err(&error));
    FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(text.contains("# \"result.0\" = \"params\"\n# \"result.1\" = \"params\"\n"), "{text}");
}

#[test]
fn hostile_names_are_written_so_that_they_can_be_read() {
    let paths = &["params['be\"liefs belief\\n']['a.b']", "params['world*']['']", "params[\"it's a desire\"]"];
    let graph = step(paths, &[], &["probe \"x\" #", "probe]"]);
    let text = first_policy(&graph, "st\nep = 3.mlir", graph.carried_pairs(&PairingOverride::default()).as_ref());
    FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    check(&graph);
}

/// [`step`], with these inputs more.
fn step_with_inputs(inputs: &[&str], scopes: &[&str]) -> TrainingGraph {
    let mut builder = GraphBuilder::new("step");
    let beliefs = builder.input("params.beliefs.w", "tensor<8xf32>");
    let stored = builder.input("replay.priority", "tensor<64xf32>");
    for path in inputs {
        builder.input(*path, "tensor<4xi32>");
    }
    for scope in scopes {
        builder.scope(scope, |builder| builder.add(OperationKind::Tanh, &[beliefs]));
    }
    builder.output("result.0.beliefs.w", beliefs);
    builder.output("result.1.priority", stored);
    builder.carry("result.1", "replay");
    builder.finish().expect("a graph")
}

#[test]
fn what_looks_like_data_and_is_not_carried_is_data() {
    let graph = step_with_inputs(&["batch.tokens", "batch.reward", "plans", "rng"], &["probe_reward"]);
    let (text, policy) = check(&graph);
    let data: Vec<&str> = policy.data().iter().map(Selector::as_str).collect();
    assert_eq!(data, ["input:batch.**", "input:plans.**"], "{text}");
    assert!(policy.system_edges(&[("step", &graph)]).is_ok(), "{text}");
    assert!(text.contains("  \"input:batch.**\", # 2 leaves\n"), "{text}");
    let (text, policy) = check(&step_with_inputs(&["rng"], &["probe_reward"]));
    assert!(policy.data().is_empty() && text.contains("# data = [\"input:batch.**\"] # fill in"), "{text}");
}

#[test]
fn bounds_and_co_training_are_shown_and_right_once_uncommented() {
    let graph = step_with_inputs(&["batch.labels", "probe.w"], &["probe_reward", "probe_loss"]);
    let (text, policy) = check(&graph);
    assert_eq!(sources(&policy), ["scope:probe_reward"], "what trains the probe is no reward");
    assert!(text.contains("An input looks like labels") && text.contains("OL126"), "{text}");
    let mut filled = text.replace("\n# max_", "\nmax_");
    let block = text.split("OL126`.\n").nth(1).expect("a block").split("\n\n").next().expect("its end").to_string();
    filled = filled.replace(&block, &block.replace("# ", ""));
    let policy = FlowPolicy::parse(&filled).unwrap_or_else(|error| panic!("{error}\n{filled}"));
    let [step, _, training, _] = policy.invariants() else { panic!("two invariants\n{filled}") };
    assert_eq!(step.bounds.max_bits_per_step, Some(32));
    let from: Vec<&str> = training.from.iter().map(Selector::as_str).collect();
    assert_eq!(from, ["input:batch.labels.**", "input:probe.**", "scope:probe_loss"]);
    // Alone, it may be what the probe trains; and without labels nothing is said of them.
    let (text, policy) = check(&step_with_inputs(&[], &["probe_loss"]));
    assert_eq!(sources(&policy), ["scope:probe_loss"]);
    assert!(!text.contains("looks like labels"), "{text}");
}
