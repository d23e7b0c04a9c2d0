//! Small graphs by hand, one for each thing that must not go wrong.

use super::*;
use crate::graph::{
    Attribute, FunctionHeader, GraphBuilder, OperationFooter, OperationHeader, OperationKind, PairingOverride,
    PytreePath, dictionary,
};
use crate::index::IdRange;

const STEP: Crossings = Crossings { carried: false, environment: false, possible: false };
const RUN: Crossings = Crossings { carried: true, environment: false, possible: true };

/// Adds an operation with float results, in a scope.
fn add(builder: &mut GraphBuilder, name: &str, operands: &[ValueId], results: usize, scope: &str) -> Vec<ValueId> {
    let made = open(builder, name, operands, results);
    close(builder, results, None, scope, Vec::new());
    made
}

fn open(builder: &mut GraphBuilder, name: &str, operands: &[ValueId], results: usize) -> Vec<ValueId> {
    let header = OperationHeader { name, operands, results, text_line: 0 };
    builder.begin_operation(header).expect(name).iter().collect()
}

fn close(
    builder: &mut GraphBuilder,
    results: usize,
    callee: Option<&str>,
    scope: &str,
    attributes: Vec<(Box<str>, Attribute)>,
) {
    let float = builder.tensor("tensor<f32>");
    let (attributes, scope) = (builder.attributes(dictionary(attributes)), builder.scope_id(scope));
    let place = builder.no_place();
    let result_types = &vec![float; results];
    builder.end_operation(OperationFooter { result_types, attributes, callee, place, scope }).expect("an operation");
}

fn call(builder: &mut GraphBuilder, callee: &str, operands: &[ValueId], results: usize) -> Vec<ValueId> {
    let made = open(builder, "func.call", operands, results);
    close(builder, results, Some(callee), "", Vec::new());
    made
}

fn region(builder: &mut GraphBuilder, arguments: usize) -> Vec<ValueId> {
    let float = builder.tensor("tensor<f32>");
    builder.begin_region(&vec![float; arguments]).expect("a region").iter().collect()
}

fn end_region(builder: &mut GraphBuilder, values: &[ValueId]) {
    add(builder, "stablehlo.return", values, 0, "");
    builder.end_region().expect("the end of a region");
}

fn function(builder: &mut GraphBuilder, name: &str, inputs: usize, outputs: usize) -> Vec<ValueId> {
    let float = builder.tensor("tensor<f32>");
    let path = |prefix: &str, at: usize| PytreePath::parse(&format!("{prefix}.v{at}"));
    let header = FunctionHeader {
        name: name.into(),
        public: name == "main",
        inputs: (0..inputs).map(|at| (float, path("in", at))).collect(),
        outputs: (0..outputs).map(|at| (float, path("out", at))).collect(),
        text_line: 0,
    };
    let arguments: IdRange<ValueId> = builder.begin_function(header).expect("a function");
    arguments.iter().collect()
}

fn end_function(builder: &mut GraphBuilder, values: &[ValueId]) {
    add(builder, "func.return", values, 0, "");
    builder.end_function().expect("the end of a function");
}

fn finish(mut builder: GraphBuilder, carried: &[(usize, usize)]) -> TrainingGraph {
    builder.carry_nothing_else();
    for (output, input) in carried {
        builder.carry(PytreePath::parse(&format!("out.v{output}")), PytreePath::parse(&format!("in.v{input}")));
    }
    builder.finish().expect("a graph")
}

fn system(graph: &TrainingGraph) -> System<'_> {
    let mut system = System::new([graph]);
    system.carry(0, &graph.carried_pairs(&PairingOverride::default()).expect("declared pairs"));
    system
}

fn inputs(positions: &[usize]) -> Sources {
    let mut sources = Sources::default();
    sources.add(0, [], positions.iter().copied());
    sources
}

/// The operations in a scope.
fn scoped(graph: &TrainingGraph, scope: &str) -> Vec<OperationId> {
    let in_scope = |id: &OperationId| graph.scope_paths(graph.operation(*id).scope).any(|path| path.contains(scope));
    graph.operations().ids().filter(in_scope).collect()
}

fn in_scope(graph: &TrainingGraph, scope: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add(0, scoped(graph, scope), []);
    sources
}

/// The outputs that are reached: `!` clearly, `?` through something opaque, `-` not.
fn reached(system: &System<'_>, sources: &Sources, counted: Crossings) -> String {
    let labels = propagate(system, sources, counted);
    let outputs = 0..system.graphs[0].outputs().len();
    outputs
        .map(|position| match labels.output(Port { graph: 0, position }) {
            Some(Strength::Clear) => '!',
            Some(Strength::Opaque) => '?',
            None => '-',
        })
        .collect()
}

#[test]
fn what_enters_at_one_call_does_not_leave_at_another() {
    let mut builder = GraphBuilder::new("calls");
    let parameter = function(&mut builder, "shared", 2, 1);
    end_function(&mut builder, &parameter[..1]);
    let input = function(&mut builder, "main", 2, 2);
    let first = call(&mut builder, "shared", &[input[0], input[1]], 1);
    let second = call(&mut builder, "shared", &[input[1], input[0]], 1);
    end_function(&mut builder, &[first[0], second[0]]);
    let graph = finish(builder, &[]);
    let system = system(&graph);
    assert_eq!(reached(&system, &inputs(&[0]), STEP), "!-");
    assert_eq!(reached(&system, &inputs(&[1]), STEP), "-!");
}

#[test]
fn a_source_inside_a_function_leaves_at_every_call() {
    let mut builder = GraphBuilder::new("calls");
    let parameter = function(&mut builder, "inner", 1, 2);
    let made = add(&mut builder, "stablehlo.constant", &[], 1, "probe/constant");
    end_function(&mut builder, &[made[0], parameter[0]]);
    let input = function(&mut builder, "main", 1, 4);
    let first = call(&mut builder, "inner", &input, 2);
    let second = call(&mut builder, "inner", &input, 2);
    end_function(&mut builder, &[first[0], first[1], second[0], second[1]]);
    let graph = finish(builder, &[]);
    // A constant in the scope is a source too.
    assert_eq!(reached(&system(&graph), &in_scope(&graph, "probe"), STEP), "!-!-");
}

/// A loop over three values that rotate two of them and pass one through.
fn rotating_loop() -> TrainingGraph {
    let mut builder = GraphBuilder::new("loop");
    let input = function(&mut builder, "main", 4, 3);
    let results = open(&mut builder, "stablehlo.while", &input[..3], 3);
    region(&mut builder, 3);
    let going = add(&mut builder, "stablehlo.tanh", &input[3..], 1, "");
    end_region(&mut builder, &going);
    let body = region(&mut builder, 3);
    end_region(&mut builder, &[body[1], body[0], body[2]]);
    close(&mut builder, 3, None, "", Vec::new());
    end_function(&mut builder, &results);
    finish(builder, &[(2, 3)])
}

#[test]
fn a_loop_carries_element_by_element_and_over_many_rounds() {
    let graph = rotating_loop();
    let system = system(&graph);
    assert_eq!(reached(&system, &inputs(&[0]), STEP), "!!-");
    assert_eq!(reached(&system, &inputs(&[1]), STEP), "!!-");
    assert_eq!(reached(&system, &inputs(&[2]), STEP), "--!");
    assert_eq!(reached(&system, &inputs(&[3]), STEP), "!!-"); // the trip count, not of what is passed through
    assert_eq!(reached(&system, &inputs(&[2]), RUN), "!!!"); // out.v2 is the next in.v3
}

#[test]
fn a_witness_tells_the_implicit_hop_and_the_carried_one() {
    let graph = rotating_loop();
    let system = system(&graph);
    let sources = inputs(&[2]);
    let labels = propagate(&system, &sources, RUN);
    let sink = Port { graph: 0, position: 0 };
    let groups = [SinkGroup { group: PytreePath::parse("out"), sinks: vec![sink] }];
    let found = witnesses(&system, &sources, &labels, RUN, &groups);
    let hops: Vec<Hop> = found[0].path.iter().map(|step| step.hop).collect();
    assert_eq!(hops, [Hop::Source, Hop::Data, Hop::Data, Hop::Carried, Hop::Data, Hop::Implicit, Hop::Sink]);
    assert_eq!(found[0].route, Route::Carried);
    let ops: Vec<&str> = found[0].path.iter().map(|step| &*step.op).collect();
    assert_eq!(ops[3..], ["in.v3", "stablehlo.tanh", "stablehlo.while", "out.v0"]);
}

#[test]
fn two_callbacks_share_the_world_also_across_graphs_and_steps() {
    let callback = |operands: usize| {
        let mut builder = GraphBuilder::new("callback");
        let input = function(&mut builder, "main", 2, 2);
        let made = open(&mut builder, "stablehlo.custom_call", &input[..operands], 1);
        let attributes = vec![
            ("call_target_name".into(), Attribute::String("python".into())),
            ("has_side_effect".into(), Attribute::Boolean(true)),
        ];
        close(&mut builder, 1, None, "", attributes);
        end_function(&mut builder, &[made[0], input[1]]);
        finish(builder, &[])
    };
    let (sends, receives) = (callback(1), callback(0));
    let system = System::new([&sends, &receives]);
    let labels = propagate(&system, &inputs(&[0]), STEP);
    let at = |graph, position| labels.output(Port { graph, position });
    assert_eq!([at(0, 0), at(0, 1), at(1, 0), at(1, 1)], [Some(Strength::Opaque), None, Some(Strength::Opaque), None]);
    assert!(labels.world());
    let sinks = [Port { graph: 1, position: 0 }];
    assert_eq!(labels.verdict(&sinks), Verdict::Undetermined);
    let crossings = opaque_crossings(&system, &inputs(&[0]), STEP, &sinks, 9);
    assert_eq!(crossings.iter().map(|crossing| crossing.graph).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(opaque_crossings(&system, &inputs(&[1]), STEP, &sinks, 9), []);
}

#[test]
fn a_loop_over_the_score_that_prints_tells_the_world() {
    let mut builder = GraphBuilder::new("loop");
    let parameter = function(&mut builder, "print", 1, 1);
    let token = add(&mut builder, "stablehlo.outfeed", &parameter, 1, "");
    end_function(&mut builder, &token);
    let input = function(&mut builder, "main", 2, 1);
    open(&mut builder, "stablehlo.while", &input[1..], 1);
    region(&mut builder, 1);
    end_region(&mut builder, &input[..1]);
    let body = region(&mut builder, 1);
    let printed = call(&mut builder, "print", &body, 1);
    end_region(&mut builder, &printed);
    close(&mut builder, 1, None, "", Vec::new());
    let read = add(&mut builder, "stablehlo.infeed", &input[1..], 1, "");
    end_function(&mut builder, &read);
    let graph = finish(builder, &[]);
    assert_eq!(reached(&system(&graph), &inputs(&[0]), STEP), "?");
}

#[test]
fn a_pair_that_is_only_possible_makes_an_opaque_label() {
    let mut builder = GraphBuilder::new("possible");
    let input = function(&mut builder, "main", 2, 2);
    end_function(&mut builder, &[input[0], input[1]]);
    let graph = finish(builder, &[]);
    let mut system = system(&graph);
    system.possible.push((0, PossiblePairs { outputs: vec![0], inputs: vec![1] }));
    assert_eq!(reached(&system, &inputs(&[0]), STEP), "!-");
    assert_eq!(reached(&system, &inputs(&[0]), RUN), "!?");
}

#[test]
fn environment_edges_count_only_if_asked() {
    let mut builder = GraphBuilder::new("environment");
    let input = function(&mut builder, "main", 2, 2);
    end_function(&mut builder, &[input[0], input[1]]);
    let graph = finish(builder, &[]);
    let mut system = system(&graph);
    system.connect((0, 0), (0, 1), Crossing::Environment);
    assert_eq!(reached(&system, &inputs(&[0]), RUN), "!-");
    let asked = RUN.and_environment();
    assert_eq!(reached(&system, &inputs(&[0]), asked), "!!");
    let labels = propagate(&system, &inputs(&[0]), asked);
    let groups = [SinkGroup { group: PytreePath::parse("out.v1"), sinks: vec![Port { graph: 0, position: 1 }] }];
    assert_eq!(witnesses(&system, &inputs(&[0]), &labels, asked, &groups)[0].route, Route::Environment);
}

#[test]
fn reports_ask_what_is_read_and_what_is_unchanged() {
    let mut builder = GraphBuilder::new("reads");
    let input = function(&mut builder, "main", 3, 2);
    let thought = add(&mut builder, "stablehlo.tanh", &input[..1], 1, "");
    let score = add(&mut builder, "stablehlo.add", &[thought[0], input[1]], 1, "probe/add");
    let score = add(&mut builder, "stablehlo.tanh", &score, 1, "probe/tanh");
    end_function(&mut builder, &[input[2], score[0]]);
    let graph = finish(builder, &[]);
    let system = system(&graph);
    let taken = taken_from_outside(&system, &in_scope(&graph, "probe"), 0);
    assert_eq!(backward_slice(&system, STEP, taken).inputs(&system, 0), [0, 1]);
    assert_eq!((unchanged_input(&graph, 0), unchanged_input(&graph, 1)), (Some(2), None));
    let back = backward_slice(&system, STEP, [(0, score[0])]);
    assert_eq!(back.inputs(&system, 0), [0, 1]);
    assert_eq!(back.operations(&system, 0).ones().collect::<Vec<_>>(), [0, 1, 2]);
    assert!(forward_slice(&system, STEP, [(0, thought[0])]).contains(0, score[0]));
}

/// A scope of these operations on one input, the first of which takes it, differentiated.
fn differentiated(kinds: &[OperationKind], transposed: bool) -> (TrainingGraph, FixedBitSet) {
    let mut builder = GraphBuilder::new("cotangents");
    let input = builder.input("params.w", "tensor<4xf32>");
    let other = builder.input("probe.b", "tensor<4xf32>");
    let mut value = builder.add(OperationKind::Tanh, &[input]);
    builder.scope("jit(step)/jvp(probe)", |builder| {
        for kind in kinds {
            let operands = [value, other];
            value = builder.add(*kind, &operands[..kind.operands().least as usize]);
        }
    });
    if transposed {
        builder.scope("jit(step)/transpose(jvp(probe))", |builder| builder.add(OperationKind::Negate, &[other]));
    }
    let used = builder.add(OperationKind::Exponential, &[value]);
    builder.output("out", used);
    let graph = builder.finish().expect("a graph");
    let mut operations = FixedBitSet::with_capacity(graph.operations().len());
    scoped(&graph, "(probe)").into_iter().for_each(|id| operations.insert(id.index()));
    (graph, operations)
}

#[test]
fn a_cotangent_may_pass_through_adds_and_reshapes_unseen() {
    use OperationKind::{Add, Convert, Multiply, Reshape, Subtract, Tanh};
    let findings = |kinds: &[OperationKind], transposed| {
        let (graph, operations) = differentiated(kinds, transposed);
        let trained = graph.inputs().next().expect("an input").1;
        invisible_cotangents(&graph, &Phases::new(&graph), &operations, |value| value == trained || value.index() > 1)
            .len()
    };
    for kinds in [&[Add][..], &[Subtract], &[Convert], &[Reshape], &[Convert, Add, Reshape]] {
        assert_eq!(findings(kinds, false), 1, "{kinds:?}");
        assert_eq!(findings(kinds, true), 1, "{kinds:?}: another cotangent that is seen says nothing of this one");
    }
    for kinds in [&[Multiply][..], &[Tanh], &[Tanh, Add], &[Add, Multiply], &[Multiply, Reshape]] {
        assert_eq!(findings(kinds, false), 0, "{kinds:?}");
    }
}

#[test]
fn calls_as_deep_as_the_text_need_no_stack() {
    let mut builder = GraphBuilder::new("deep");
    let depth = 20_000;
    for level in 0..depth {
        let parameter = function(&mut builder, &format!("f{level}"), 1, 1);
        let made = match level {
            0 => add(&mut builder, "stablehlo.tanh", &parameter, 1, ""),
            _ => call(&mut builder, &format!("f{}", level - 1), &parameter, 1),
        };
        end_function(&mut builder, &made);
    }
    let input = function(&mut builder, "main", 1, 1);
    let made = call(&mut builder, &format!("f{}", depth - 1), &input, 1);
    end_function(&mut builder, &made);
    let graph = finish(builder, &[]);
    let system = system(&graph);
    let labels = propagate(&system, &inputs(&[0]), STEP);
    let sink = Port { graph: 0, position: 0 };
    assert_eq!(labels.output(sink), Some(Strength::Clear));
    let groups = [SinkGroup { group: PytreePath::parse("out"), sinks: vec![sink] }];
    let found = witnesses(&system, &inputs(&[0]), &labels, STEP, &groups);
    assert_eq!(found[0].path.len(), 2 * depth + 3);
}

#[test]
fn loops_as_deep_as_the_text_need_no_stack() {
    let mut builder = GraphBuilder::new("deep");
    let depth = 5_000;
    let input = function(&mut builder, "main", 2, 1);
    let mut values = vec![input[0]];
    let mut results = Vec::new();
    for _ in 0..depth {
        results.push(open(&mut builder, "stablehlo.while", &values, 1));
        let condition = region(&mut builder, 1);
        end_region(&mut builder, &condition);
        values = region(&mut builder, 1);
    }
    // The label comes from the innermost body.
    let mut inner = add(&mut builder, "stablehlo.add", &[values[0], input[1]], 1, "");
    while let Some(outer) = results.pop() {
        end_region(&mut builder, &inner);
        close(&mut builder, 1, None, "", Vec::new());
        inner = outer;
    }
    end_function(&mut builder, &inner);
    let graph = finish(builder, &[]);
    assert_eq!(reached(&system(&graph), &inputs(&[1]), STEP), "!");
}

#[test]
fn a_path_that_doubles_with_every_call_is_not_written_down() {
    let mut builder = GraphBuilder::new("doubling");
    for level in 0..40 {
        let parameter = function(&mut builder, &format!("f{level}"), 1, 1);
        let made = match level {
            0 => add(&mut builder, "stablehlo.tanh", &parameter, 1, ""),
            _ => {
                let once = call(&mut builder, &format!("f{}", level - 1), &parameter, 1);
                call(&mut builder, &format!("f{}", level - 1), &once, 1)
            }
        };
        end_function(&mut builder, &made);
    }
    let input = function(&mut builder, "main", 1, 1);
    let made = call(&mut builder, "f39", &input, 1);
    end_function(&mut builder, &made);
    let graph = finish(builder, &[]);
    let system = system(&graph);
    let labels = propagate(&system, &inputs(&[0]), STEP);
    let sink = Port { graph: 0, position: 0 };
    assert_eq!(labels.output(sink), Some(Strength::Clear));
    let groups = [SinkGroup { group: PytreePath::parse("out"), sinks: vec![sink] }];
    assert!(witnesses(&system, &inputs(&[0]), &labels, STEP, &groups).is_empty());
}
