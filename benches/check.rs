//! How long a check takes, on the inputs that the tests use: reading, the whole check from text to verdict, and the flow
//! analysis alone, also on every step whose truth was measured (`every_step`) and on synthetic steps of 10^5 and 10^6 edges with
//! carried ones (`layered`). Throughput in bytes of text, in operations or in edges. Compare with MLIR's own parser on the same file:
//! `python benches/mlir_parse.py benches/inputs/llama_8b.mlir` (needs jaxlib), in the same minute on the same machine.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod layered;

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layered::{Layered, Step};
use openloop::flow::refined::{Assumed, Question, refine, refine_from};
use openloop::flow::{Crossings, Port, Sources, System, propagate};
use openloop::graph::{CarriedPairs, GraphBuilder, OperationKind, PairingOverride, TrainingGraph, ValueId};
use openloop::lattice::{Elements, Intervals};
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
        let subject = Subject::of(openloop::capture::read(&bytes).expect("a graph"));
        group.bench_function("flow", |bencher| bencher.iter(|| black_box(&subject).whole_tensors()));
        group.bench_function("refined", |bencher| bencher.iter(|| black_box(&subject).parts_and_conditions()));
        group.finish();
    }
    every_step(criterion, root);
    synthetic_steps(criterion);
    dependence(criterion, root);
}

/// A graph that is read already, and what is asked of it.
struct Subject {
    graph: TrainingGraph,
    sources: Sources,
    pairs: CarriedPairs,
}

impl Subject {
    fn of(graph: TrainingGraph) -> Subject {
        let scope = select("scope:probe_reward")[0].resolve(&graph);
        let mut sources = Sources::default();
        sources.add(0, scope.operations, scope.inputs);
        let pairs = graph.carried_pairs(&PairingOverride::default()).expect("pairs");
        Subject { graph, sources, pairs }
    }

    fn system(&self) -> System<'_> {
        let mut system = System::new([&self.graph]);
        system.carry(0, &self.pairs);
        system
    }

    fn whole_tensors(&self) {
        black_box(propagate(&self.system(), &self.sources, Crossings::within(Within::Run)));
    }

    fn parts_and_conditions(&self) {
        let question = Question {
            sources: &self.sources,
            counted: Crossings::within(Within::Run),
            assumed: &Assumed::default(),
            ends: &[],
            cut: &[],
        };
        black_box(refine(&self.system(), &question)).expect("no limit is hit");
    }
}

/// Reachability over whole tensors beside parts and conditions, on all captured steps with one entry.
fn every_step(criterion: &mut Criterion, root: &Path) {
    let mut subjects = Vec::new();
    for family in ["fixtures/captures", "fixtures/jax"] {
        let folders = std::fs::read_dir(root.join(family)).expect("the fixtures are there");
        for folder in folders {
            let path = folder.expect("a readable folder").path().join("step.mlir");
            // A folder of a system of two functions has no `step.mlir`; a few steps need to be told what is carried.
            let Ok(bytes) = std::fs::read(path) else { continue };
            let graph = openloop::capture::read(&bytes).expect("a graph");
            if graph.carried_pairs(&PairingOverride::default()).is_ok() {
                subjects.push(Subject::of(graph));
            }
        }
    }
    let mut group = criterion.benchmark_group("every_step");
    let operations: usize = subjects.iter().map(|subject| subject.graph.operations().len()).sum();
    group.sample_size(10).throughput(Throughput::Elements(operations as u64));
    group.bench_function("whole_tensors", |bencher| bencher.iter(|| subjects.iter().for_each(Subject::whole_tensors)));
    group.bench_function("parts_and_conditions", |bencher| {
        bencher.iter(|| subjects.iter().for_each(Subject::parts_and_conditions));
    });
    group.finish();
}

/// How the time grows with the number of edges.
fn synthetic_steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("layered");
    group.sample_size(10);
    for edges in [100_000, 1_000_000] {
        let (graph, edges) = training_graph(&Step::new(Layered::with_edges(edges)));
        let subject = Subject::of(graph);
        group.throughput(Throughput::Elements(edges));
        group.bench_function(format!("whole_tensors/{edges}"), |bencher| bencher.iter(|| subject.whole_tensors()));
        group.bench_function(format!("parts_and_conditions/{edges}"), |bencher| {
            bencher.iter(|| subject.parts_and_conditions());
        });
    }
    group.finish();
}

/// Which elements depend on which, for every input element of the functions of `fixtures/dependence`, one after the other. The
/// peer on the same functions is `python benches/asdex_side_by_side.py --check`.
fn dependence(criterion: &mut Criterion, root: &Path) {
    let mut graphs = Vec::new();
    for entry in std::fs::read_dir(root.join("fixtures/dependence")).expect("the fixtures are there") {
        let path = entry.expect("a readable folder").path();
        if path.extension().is_some_and(|extension| extension == "mlir") {
            let bytes = std::fs::read(&path).expect("the input is there");
            graphs.push(openloop::capture::read(&bytes).expect("a graph"));
        }
    }
    let pattern = |graph: &TrainingGraph| {
        let system = System::new([graph]);
        let (sources, assumed, counted) = (Sources::default(), Assumed::default(), Crossings::within(Within::Step));
        let question = Question { sources: &sources, counted, assumed: &assumed, ends: &[], cut: &[] };
        for (position, (_, value)) in graph.inputs().enumerate() {
            let dimensions = graph.tensor_type(value).and_then(|tensor| tensor.dimensions.as_ref());
            let extents: Vec<u64> = dimensions.expect("ranked").iter().map(|size| size.expect("fixed")).collect();
            for at in 0..extents.iter().product::<u64>() {
                let mut rest = at;
                let mut index: Vec<u64> =
                    extents.iter().rev().map(|extent| (rest % extent, rest /= extent).0).collect();
                index.reverse();
                let element = Elements::cell(index.iter().map(|at| Intervals::range(*at, at + 1)));
                let begin = [(Port { graph: 0, position }, element)];
                black_box(refine_from(&system, &question, &begin)).expect("no limit is hit");
            }
        }
    };
    let mut group = criterion.benchmark_group("dependence");
    group.throughput(Throughput::Elements(graphs.len() as u64));
    group.bench_function("all_functions", |bencher| bencher.iter(|| graphs.iter().for_each(pattern)));
    group.finish();
}

/// A synthetic step as a training graph, and the number of its edges. What has many operands is a chain of sums.
fn training_graph(step: &Step) -> (TrainingGraph, u64) {
    const TENSOR: &str = "tensor<1024xf32>";
    let carried: Vec<(u32, u32)> = step.edges.iter().copied().filter(|(from, to)| from > to).collect();
    let mut operands = vec![Vec::new(); step.nodes as usize];
    for (from, to) in step.edges.iter().filter(|(from, to)| from < to) {
        operands[*to as usize].push(*from as usize);
    }
    let mut graph = GraphBuilder::new("layered");
    let mut values: Vec<ValueId> = Vec::with_capacity(step.nodes as usize);
    let mut edges = carried.len();
    for (node, from) in operands.iter().enumerate() {
        edges += 2 * from.len().saturating_sub(1);
        let value = match &from[..] {
            [] => graph.input(format!("state.{node}").as_str(), TENSOR),
            [first, others @ ..] => {
                let sum = |graph: &mut GraphBuilder| {
                    let first = graph.add(OperationKind::Tanh, &[values[*first]]);
                    others.iter().fold(first, |sum, other| graph.add(OperationKind::Add, &[sum, values[*other]]))
                };
                edges += 1;
                match node == step.score as usize {
                    true => graph.scope("probe_reward", sum),
                    false => sum(&mut graph),
                }
            }
        };
        values.push(value);
    }
    for (at, (from, to)) in carried.iter().enumerate() {
        graph.output(format!("result.{at}").as_str(), values[*from as usize]);
        graph.carry(format!("result.{at}").as_str(), format!("state.{to}").as_str());
    }
    (graph.finish().expect("a valid graph"), edges as u64)
}

criterion_group!(all, benches);
criterion_main!(all);
