//! How long a check takes, on the inputs that the tests use: reading, the whole check from text to verdict, and the flow
//! analysis alone. Throughput in bytes of text. Compare with MLIR's own parser on the same file:
//! `python benches/mlir_parse.py benches/inputs/llama_8b.mlir` (needs jaxlib), in the same minute on the same machine.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use openloop::flow::refined::{Assumed, Question, refine};
use openloop::flow::{Crossings, Sources, System, propagate};
use openloop::graph::PairingOverride;
use openloop::policy::{Date, FlowPolicy, Selector};
use openloop::report::{NamedGraph, run};
use openloop::verdict::{Verdict, Within};

/// Name, text, sinks, and the right verdict. A violated step is looked at in full: parts, conditions, channel, bits, rule,
/// repair.
const INPUTS: &[(&str, &str, &str, Verdict)] = &[
    ("brainlike", "fixtures/captures/b_brainlike/step.mlir", BELIEFS, Verdict::Holds),
    ("gpt2_small", "benches/inputs/gpt2_small.mlir", BELIEFS, Verdict::Violated),
    ("llama_8b", "benches/inputs/llama_8b.mlir", BELIEFS, Verdict::Holds),
    // What the reward is meant to train, as if it were not: the same step, violated.
    ("llama_8b_violated", "benches/inputs/llama_8b.mlir", "output:**.desires.**", Verdict::Violated),
];

const BELIEFS: &str = "output:**.beliefs.**";

/// Steps whose truth was measured, for naive reachability beside the refined labels.
const STEPS: &[&str] = &["d_routing_where", "c_shared_clip", "e2_prio_td_state", "b_brainlike", "a_naive_grpo"];

fn select(text: &str) -> Vec<Selector> {
    vec![Selector::parse(text).expect("a selector")]
}

fn policy(sinks: &str) -> FlowPolicy {
    FlowPolicy::from_flags(select("scope:probe_reward"), select(sinks), Some(Within::Run), Vec::new())
        .expect("a policy")
}

fn check(bytes: &[u8], policy: &FlowPolicy) -> Verdict {
    let graph = openloop::capture::read(bytes).expect("a graph");
    let graphs = [NamedGraph { name: graph.name(), file: "step.mlir", graph: &graph }];
    let report = run(&graphs, policy, Date::from_unix_seconds(0), false).expect("a report");
    report.invariants[0].verdict
}

fn benches(criterion: &mut Criterion) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, path, sinks, verdict) in INPUTS {
        let policy = policy(sinks);
        let bytes = std::fs::read(root.join(path)).expect("the input is there");
        // What is measured is right.
        assert_eq!(check(&bytes, &policy), *verdict, "{name}");
        let mut group = criterion.benchmark_group(*name);
        group.sample_size(30);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("read", |bencher| {
            bencher.iter(|| openloop::capture::read(black_box(&bytes)).expect("a graph"));
        });
        group.bench_function("check", |bencher| bencher.iter(|| check(black_box(&bytes), &policy)));
        let graph = openloop::capture::read(&bytes).expect("a graph");
        let scope = select("scope:probe_reward")[0].resolve(&graph);
        let mut sources = Sources::default();
        sources.add(0, scope.operations, scope.inputs);
        let pairs = graph.carried_pairs(&PairingOverride::default()).expect("pairs");
        group.bench_function("flow", |bencher| {
            bencher.iter(|| {
                let mut system = System::new([black_box(&graph)]);
                system.carry(0, &pairs);
                propagate(&system, &sources, Crossings::within(Within::Run))
            });
        });
        let question = Question {
            sources: &sources,
            counted: Crossings::within(Within::Run),
            assumed: &Assumed::default(),
            ends: &[],
            cut: &[],
        };
        group.bench_function("refined", |bencher| {
            bencher.iter(|| {
                let mut system = System::new([black_box(&graph)]);
                system.carry(0, &pairs);
                refine(&system, &question)
            });
        });
        group.finish();
    }
    naive_and_refined(criterion, root);
}

/// Reachability over whole tensors beside parts and conditions, both on graphs that are read already.
fn naive_and_refined(criterion: &mut Criterion, root: &std::path::Path) {
    let mut group = criterion.benchmark_group("captures");
    for name in STEPS {
        let path = root.join("fixtures/captures").join(name).join("step.mlir");
        let graph = openloop::capture::read(&std::fs::read(path).expect("the input is there")).expect("a graph");
        let scope = select("scope:probe_reward")[0].resolve(&graph);
        let mut sources = Sources::default();
        sources.add(0, scope.operations, scope.inputs);
        let mut system = System::new([&graph]);
        system.carry(0, &graph.carried_pairs(&PairingOverride::default()).expect("pairs"));
        let counted = Crossings::within(Within::Run);
        group.throughput(Throughput::Elements(graph.operations().len() as u64));
        group.bench_function(format!("{name}/naive"), |bencher| {
            bencher.iter(|| propagate(black_box(&system), &sources, counted));
        });
        let assumed = Assumed::default();
        let question = Question { sources: &sources, counted, assumed: &assumed, ends: &[], cut: &[] };
        group.bench_function(format!("{name}/refined"), |bencher| {
            bencher.iter(|| refine(black_box(&system), &question));
        });
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
