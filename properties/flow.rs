//! Laws of label propagation, witnesses and certificates, on random graphs.

use openloop::flow::{
    Crossing, Crossings, Labels, Port, SinkGroup, Sources, Strength, System, evidence, propagate, reference, witnesses,
};
use openloop::graph::{Digest, OperationId, PairingOverride, PossiblePairs, PytreePath, TrainingGraph};
use openloop::index::Id;
use openloop::policy::Matched;
use openloop::verdict::{CERTIFICATE_VERSION, Certificate, CertificateEdge, Evidence, Hop, Verdict, Within};
use openloop::verify::{Resolve, verify};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::generate::{Built, EVERYTHING, Features, Layout, Program, programs};

const STEP: Crossings = Crossings { carried: false, environment: false, possible: false };
const RUN: Crossings = Crossings { carried: true, environment: false, possible: true };
const ALL: Crossings = Crossings { carried: true, environment: true, possible: true };

/// A few sources of a program: steps, by tag, and inputs.
#[derive(Clone, Debug)]
struct Picks {
    steps: Vec<Index>,
    inputs: Vec<Index>,
}

/// Never nothing: where no step is a source, an input is.
fn picks() -> impl Strategy<Value = Picks> {
    let some = |range| prop::collection::vec(any::<Index>(), range);
    let sources = prop_oneof![(some(1..=2), some(0..=1)), (some(0..=0), some(1..=1))];
    sources.prop_map(|(steps, inputs)| Picks { steps, inputs })
}

impl Picks {
    fn operations(&self, program: &Program, built: &Built) -> Vec<OperationId> {
        if program.steps() == 0 {
            return Vec::new();
        }
        self.steps.iter().map(|index| built.operations[index.index(program.steps())]).collect()
    }

    fn inputs(&self, program: &Program) -> Vec<usize> {
        self.inputs.iter().map(|index| index.index(program.inputs())).collect()
    }

    fn sources(&self, program: &Program, built: &Built) -> Sources {
        let mut sources = Sources::default();
        sources.add(0, self.operations(program, built), self.inputs(program));
        sources
    }
}

fn system(graph: &TrainingGraph) -> System<'_> {
    let mut system = System::new([graph]);
    system.carry(0, &graph.carried_pairs(&PairingOverride::default()).expect("declared pairs"));
    system
}

fn all_outputs(system: &System<'_>, graph: usize) -> Vec<Port> {
    (0..system.graphs[graph].outputs().len()).map(|position| Port { graph, position }).collect()
}

/// Both algorithms agree on every value of every entry, on both strengths, and on the world.
fn agree(system: &System<'_>, sources: &Sources, counted: Crossings) -> Result<Labels, TestCaseError> {
    let fast = propagate(system, sources, counted);
    let slow = reference::propagate(system, sources, counted);
    prop_assert_eq!(fast.world(), slow.world);
    for (position, flow) in system.graphs.iter().enumerate() {
        let graph = flow.graph();
        let body = graph.function(graph.entry()).body;
        let made = graph.operations_within(body).iter().flat_map(|operation| graph.results(operation).iter());
        for value in graph.arguments(body).iter().chain(made) {
            let (fast, slow) = (fast.value(position, value), slow.values[position][value.index()]);
            prop_assert_eq!(fast, slow, "graph {} value {:?}", position, value);
        }
    }
    Ok(fast)
}

/// What the selectors of a test certificate pick.
struct Fixed {
    from: Vec<(Vec<OperationId>, Vec<usize>)>,
    to: Vec<Vec<usize>>,
}

impl Resolve for Fixed {
    fn resolve(&self, selectors: &[String], position: usize, _: &TrainingGraph) -> Result<Matched, String> {
        match &*selectors[0] {
            "from" => {
                let (operations, inputs) = self.from[position].clone();
                Ok(Matched { operations, inputs, outputs: Vec::new() })
            }
            "to" => Ok(Matched { outputs: self.to[position].clone(), ..Matched::default() }),
            other => Err(format!("no selector {other}")),
        }
    }
}

fn certificate(graphs: &[&TrainingGraph], within: Within, verdict: Verdict, evidence: Evidence) -> Certificate {
    Certificate {
        version: CERTIFICATE_VERSION,
        digests: graphs.iter().map(|graph| graph.digest()).collect(),
        names: (0..graphs.len()).map(|position| format!("graph{position}")).collect(),
        within,
        from: vec!["from".into()],
        to: vec!["to".into()],
        carried: Vec::new(),
        terminal: Vec::new(),
        edges: Vec::new(),
        assume: Vec::new(),
        bits_per_step: None,
        cut: Vec::new(),
        verdict,
        evidence,
    }
}

/// Whether a value is made in the region of an operation other than a loop or a choice.
fn is_in_a_body(graph: &TrainingGraph, value: u32) -> bool {
    use openloop::graph::{Definition, OperationKind as Kind};
    let region = match graph.value(openloop::graph::ValueId::new(value as usize)).definition {
        Definition::Result(operation, _) => graph.operation(operation).region,
        Definition::Argument(region, _) => region,
    };
    let parent = graph.region(region).parent.map(|operation| graph.operation(operation).kind);
    parent.is_some_and(|kind| !matches!(kind, Kind::While | Kind::If | Kind::Case))
}

/// Whether an operation with regions, other than a loop or a choice, makes a value.
fn has_a_body(graph: &TrainingGraph, value: u32) -> bool {
    use openloop::graph::{Definition, OperationKind as Kind};
    match graph.value(openloop::graph::ValueId::new(value as usize)).definition {
        Definition::Result(operation, _) => {
            let kind = graph.operation(operation).kind;
            !graph.regions_of(operation).is_empty() && !matches!(kind, Kind::While | Kind::If | Kind::Case)
        }
        Definition::Argument(..) => false,
    }
}

fn groups(system: &System<'_>, sinks: &[Port]) -> Vec<SinkGroup> {
    let name = |sink: &Port| {
        let graph = system.graphs[sink.graph].graph();
        graph.function(graph.entry()).outputs[sink.position].clone()
    };
    sinks.iter().map(|sink| SinkGroup { group: name(sink), sinks: vec![*sink] }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_algorithm_equals_the_slow_one(program in programs(EVERYTHING), picks in picks()) {
        let built = program.build(Layout::default());
        let mut system = system(&built.graph);
        let sources = picks.sources(&program, &built);
        agree(&system, &sources, STEP)?;
        agree(&system, &sources, RUN)?;
        system.connect((0, 0), (0, program.inputs() - 1), Crossing::Environment);
        let possible = PossiblePairs { outputs: vec![0, program.outputs() - 1], inputs: vec![0] };
        system.possible.push((0, possible));
        agree(&system, &sources, STEP)?;
        agree(&system, &sources, RUN)?;
        agree(&system, &sources, ALL)?;
    }

    #[test]
    fn the_fast_algorithm_equals_the_slow_one_on_systems(
        a in programs(EVERYTHING), b in programs(EVERYTHING), picks in picks(), link in any::<[Index; 4]>(),
    ) {
        let (first, second) = (a.build(Layout::default()), b.build(Layout { backwards: true, swapped: false }));
        let graphs = [&first.graph, &second.graph];
        let mut system = System::new(graphs);
        for (position, graph) in graphs.iter().enumerate() {
            system.carry(position, &graph.carried_pairs(&PairingOverride::default()).expect("declared pairs"));
        }
        system.connect((0, link[0].index(a.outputs())), (1, link[1].index(b.inputs())), Crossing::Link);
        system.connect((1, link[2].index(b.outputs())), (0, link[3].index(a.inputs())), Crossing::Environment);
        let sources = picks.sources(&a, &first);
        let mut sinks = all_outputs(&system, 0);
        sinks.extend(all_outputs(&system, 1));
        for (within, counted) in [(Within::Step, STEP), (Within::Run, RUN), (Within::Run, ALL)] {
            let labels = agree(&system, &sources, counted)?;
            let edge = |edge: &openloop::flow::SystemEdge| {
                let (from, to) = (graphs[edge.from.graph], graphs[edge.to.graph]);
                CertificateEdge {
                    from: (edge.from.graph, from.function(from.entry()).outputs[edge.from.position].clone()),
                    to: (edge.to.graph, to.function(to.entry()).inputs[edge.to.position].clone()),
                    hop: edge.crossing.hop(),
                }
            };
            let listed = system.edges.iter().filter(|edge| {
                edge.crossing == Crossing::Link || (edge.crossing == Crossing::Environment && counted.environment)
            });
            let edges: Vec<_> = listed.map(edge).collect();
            let reached: Vec<Port> = sinks.iter().copied().filter(|sink| labels.output(*sink).is_some()).collect();
            let clean: Vec<Port> = sinks.iter().copied().filter(|sink| labels.output(*sink).is_none()).collect();
            let at = |ports: &[Port], graph: usize| {
                ports.iter().filter(|port| port.graph == graph).map(|port| port.position).collect::<Vec<_>>()
            };
            let from = vec![(picks.operations(&a, &first), picks.inputs(&a)), (Vec::new(), Vec::new())];
            if !clean.is_empty() {
                let mut holds = certificate(&graphs, within, Verdict::Holds, evidence(&system, &labels));
                holds.edges = edges.clone();
                let fixed = Fixed { from: from.clone(), to: vec![at(&clean, 0), at(&clean, 1)] };
                prop_assert_eq!(verify(&holds, &graphs, &fixed), Ok(()));
            }
            let paths = witnesses(&system, &sources, &labels, counted, &groups(&system, &reached));
            if !paths.is_empty() {
                let fixed = Fixed { from, to: vec![at(&reached, 0), at(&reached, 1)] };
                let mut violated = certificate(&graphs, within, Verdict::Violated, Evidence::Paths(paths));
                violated.edges = edges;
                prop_assert_eq!(verify(&violated, &graphs, &fixed), Ok(()));
            }
        }
    }

    #[test]
    fn adding_an_edge_or_a_source_never_removes_a_leak(
        program in programs(EVERYTHING), picks in picks(), more in picks(), ends in any::<[Index; 2]>(),
    ) {
        let built = program.build(Layout::default());
        let mut system = system(&built.graph);
        let sources = picks.sources(&program, &built);
        for counted in [STEP, RUN] {
            let before = propagate(&system, &sources, counted);
            let mut larger = sources.clone();
            larger.add(0, more.operations(&program, &built), more.inputs(&program));
            let with_source = propagate(&system, &larger, counted);
            let (output, input) = (ends[0].index(program.outputs()), ends[1].index(program.inputs()));
            system.connect((0, output), (0, input), Crossing::Link);
            let with_edge = propagate(&system, &sources, counted);
            system.edges.pop();
            for port in all_outputs(&system, 0) {
                prop_assert!(before.output(port) <= with_source.output(port));
                prop_assert!(before.output(port) <= with_edge.output(port));
            }
            prop_assert!(propagate(&system, &sources, RUN).world() >= before.world());
        }
    }

    #[test]
    fn the_order_of_the_text_changes_nothing(program in programs(EVERYTHING), picks in picks()) {
        let built = program.build(Layout::default());
        let here = system(&built.graph);
        for layout in [(true, false), (false, true), (true, true)] {
            let other = program.build(Layout { backwards: layout.0, swapped: layout.1 });
            let there = system(&other.graph);
            for counted in [STEP, RUN] {
                let a = propagate(&here, &picks.sources(&program, &built), counted);
                let b = propagate(&there, &picks.sources(&program, &other), counted);
                for port in all_outputs(&here, 0) {
                    prop_assert_eq!(a.output(port), b.output(port));
                }
                prop_assert_eq!(a.world(), b.world());
            }
        }
    }

    #[test]
    fn a_witness_is_there_exactly_if_a_sink_is_clearly_reached(program in programs(EVERYTHING), picks in picks()) {
        let built = program.build(Layout::default());
        let system = system(&built.graph);
        let sources = picks.sources(&program, &built);
        for (within, counted) in [(Within::Step, STEP), (Within::Run, RUN)] {
            let labels = propagate(&system, &sources, counted);
            let slow = reference::propagate(&system, &sources, counted);
            for sink in all_outputs(&system, 0) {
                let found = witnesses(&system, &sources, &labels, counted, &groups(&system, &[sink]));
                prop_assert_eq!(found.len(), usize::from(labels.output(sink) == Some(Strength::Clear)));
                let Some(witness) = found.first() else { continue };
                // A shortest one: as many edges as the inlined graph needs, and the sink.
                let value = system.graphs[0].outputs()[sink.position];
                prop_assert_eq!(Some(witness.path.len() - 2), slow.distances[0][value.index()]);
                let fixed = Fixed {
                    from: vec![(picks.operations(&program, &built), picks.inputs(&program))],
                    to: vec![vec![sink.position]],
                };
                let graphs = [&built.graph];
                let claim = certificate(&graphs, within, Verdict::Violated, Evidence::Paths(found.clone()));
                prop_assert_eq!(verify(&claim, &graphs, &fixed), Ok(()));
                for dropped in 0..witness.path.len() {
                    // A path may step over a body that runs for each element, so a step within one, or before what has
                    // one, is no loss.
                    let next = witness.path.get(dropped + 1).map_or(0, |step| step.value);
                    if is_in_a_body(&built.graph, witness.path[dropped].value) || has_a_body(&built.graph, next) {
                        continue;
                    }
                    let mut damaged = found.clone();
                    damaged[0].path.remove(dropped);
                    let damaged = Certificate { evidence: Evidence::Paths(damaged), ..claim.clone() };
                    prop_assert!(verify(&damaged, &graphs, &fixed).is_err(), "without step {}", dropped);
                }
            }
        }
    }

    #[test]
    fn a_certificate_is_accepted_and_a_damaged_one_is_not(
        program in programs(EVERYTHING), picks in picks(), at in any::<Index>(),
    ) {
        let built = program.build(Layout::default());
        let system = system(&built.graph);
        let sources = picks.sources(&program, &built);
        let graphs = [&built.graph];
        for (within, counted) in [(Within::Step, STEP), (Within::Run, RUN)] {
            let labels = propagate(&system, &sources, counted);
            let sinks: Vec<Port> = all_outputs(&system, 0);
            let (reached, clean): (Vec<Port>, Vec<Port>) =
                sinks.into_iter().partition(|sink| labels.output(*sink).is_some());
            let positions = |ports: &[Port]| vec![ports.iter().map(|port| port.position).collect::<Vec<_>>()];
            let from = vec![(picks.operations(&program, &built), picks.inputs(&program))];
            let fixed = Fixed { from: from.clone(), to: positions(&clean) };
            let claim = certificate(&graphs, within, Verdict::Holds, evidence(&system, &labels));
            if clean.is_empty() {
                prop_assert!(verify(&claim, &graphs, &fixed).is_err());
                continue;
            }
            prop_assert_eq!(verify(&claim, &graphs, &fixed), Ok(()));
            if !reached.is_empty() {
                let other = Fixed { from: from.clone(), to: positions(&reached) };
                prop_assert!(verify(&claim, &graphs, &other).is_err());
            }
            let mut damaged = claim.clone();
            if clear_one_bit(&mut damaged.evidence, at) {
                prop_assert!(verify(&damaged, &graphs, &fixed).is_err());
            }
            if labels.world() {
                let mut damaged = claim.clone();
                if let Evidence::Labels(graphs) = &mut damaged.evidence {
                    graphs[0].world = false;
                }
                prop_assert!(verify(&damaged, &graphs, &fixed).is_err());
            }
            let digests = vec![Digest::parse(&"0".repeat(64)).expect("a digest")];
            let foreign = Certificate { digests, ..claim.clone() };
            prop_assert!(verify(&foreign, &graphs, &fixed).is_err());
            let version = Certificate { version: CERTIFICATE_VERSION + 1, ..claim.clone() };
            prop_assert!(verify(&version, &graphs, &fixed).is_err());
            let verdict = Certificate { verdict: Verdict::Violated, ..claim.clone() };
            prop_assert!(verify(&verdict, &graphs, &fixed).is_err());
            let selectors = Certificate { from: vec!["other".into()], ..claim.clone() };
            prop_assert!(verify(&selectors, &graphs, &fixed).is_err());
            // One source more, which has no label.
            let flow = &system.graphs[0];
            let unlabelled = built.operations.iter().copied().find(|operation| {
                flow.is_reachable(*operation)
                    && built.graph.results(*operation).iter().any(|result| labels.value(0, result).is_none())
            });
            if let Some(operation) = unlabelled {
                let mut more = from.clone();
                more[0].0.push(operation);
                let other = Fixed { from: more, to: positions(&clean) };
                prop_assert!(verify(&claim, &graphs, &other).is_err());
            }
        }
    }

    #[test]
    fn a_graph_library_agrees_where_there_are_no_calls(
        program in programs(Features { calls: false, opaque: false }), picks in picks(),
    ) {
        let built = program.build(Layout::default());
        let system = system(&built.graph);
        let sources = picks.sources(&program, &built);
        let labels = propagate(&system, &sources, STEP);
        let mut oracle = petgraph::graph::DiGraph::<(), ()>::new();
        let nodes: Vec<_> = built.graph.values().ids().map(|_| oracle.add_node(())).collect();
        let source = oracle.add_node(());
        let flow = &system.graphs[0];
        for operation in built.graph.operations().ids() {
            flow.transfer().edges(operation, &mut |edge| {
                if let (openloop::transfer::Node::Value(from), openloop::transfer::Node::Value(to)) = (edge.from, edge.to) {
                    oracle.add_edge(nodes[from.index()], nodes[to.index()], ());
                }
            });
        }
        for operation in picks.operations(&program, &built) {
            for result in built.graph.results(operation).iter() {
                oracle.add_edge(source, nodes[result.index()], ());
            }
        }
        for input in picks.inputs(&program) {
            let input = flow.inputs().get(input).expect("an input");
            oracle.add_edge(source, nodes[input.index()], ());
        }
        for value in built.graph.values().ids() {
            let path = petgraph::algo::has_path_connecting(&oracle, source, nodes[value.index()], None);
            prop_assert_eq!(labels.value(0, value).is_some(), path);
        }
    }
}

/// Clears one bit of the label rows, if there is one.
fn clear_one_bit(evidence: &mut Evidence, at: Index) -> bool {
    let Evidence::Labels(graphs) = evidence else { return false };
    let mut bits = Vec::new();
    for (function, labels) in graphs[0].functions.iter().enumerate() {
        for (digit, character) in labels.rows.chars().enumerate() {
            let value = character.to_digit(16).expect("a digit");
            bits.extend((0..4).filter(|bit| value >> bit & 1 == 1).map(|bit| (function, digit, bit)));
        }
    }
    if bits.is_empty() {
        return false;
    }
    let (function, digit, bit) = bits[at.index(bits.len())];
    let rows = &mut graphs[0].functions[function].rows;
    let value = rows[digit..=digit].chars().next().and_then(|character| character.to_digit(16)).expect("a digit");
    let cleared = char::from_digit(value & !(1 << bit), 16).expect("a digit");
    rows.replace_range(digit..=digit, &cleared.to_string());
    true
}

#[test]
fn a_group_is_a_subtree() {
    let group = SinkGroup { group: PytreePath::parse("out"), sinks: Vec::new() };
    assert!(PytreePath::parse("out.v0").starts_with(&group.group));
    assert_eq!(Crossing::Carried.hop(), Hop::Carried);
}
