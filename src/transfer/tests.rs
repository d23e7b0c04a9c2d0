//! One operation of each kind, and every dependence that it must have, written down again.
//!
//! `o0>r0` is data from operand 0 to result 0, `~>` implicit, `?>` opaque. `a1.0` is argument 0 of region 1, `y1.0`
//! what region 1 gives back first, `w` the world.

use std::collections::BTreeSet;

use super::*;
use crate::graph::{
    Attribute, FunctionHeader, GraphBuilder, OperationFooter, OperationHeader, RegionId, TypeId, dictionary,
};
use crate::index::IdRange;

/// What to build.
#[derive(Clone, Default)]
struct Shape<'a> {
    name: &'a str,
    operands: usize,
    results: usize,
    /// Arguments and yields of each region.
    regions: &'a [(usize, usize)],
    attributes: Vec<(&'a str, Attribute)>,
    callee: Option<&'a str>,
    /// The type of the operands and results.
    r#type: Option<TensorText>,
    /// Region 0 also holds an operation with a side effect.
    effect_inside: bool,
}

type TensorText = &'static str;

struct Bench {
    graph: TrainingGraph,
    operation: OperationId,
}

fn terminate(builder: &mut GraphBuilder, name: &str, values: &[ValueId]) {
    let header = OperationHeader { name, operands: values, results: 0, text_line: 0 };
    builder.begin_operation(header).expect(name);
    finish(builder, &[], Vec::new(), None);
}

fn finish(builder: &mut GraphBuilder, types: &[TypeId], attributes: Vec<(&str, Attribute)>, callee: Option<&str>) {
    let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let attributes = builder.attributes(dictionary(attributes));
    let (place, scope) = (builder.no_place(), builder.no_scope());
    builder
        .end_operation(OperationFooter { result_types: types, attributes, callee, place, scope })
        .expect("the end of an operation");
}

fn simple(builder: &mut GraphBuilder, name: &str, operands: &[ValueId], r#type: TypeId) -> ValueId {
    let header = OperationHeader { name, operands, results: 1, text_line: 0 };
    let results: IdRange<ValueId> = builder.begin_operation(header).expect(name);
    finish(builder, &[r#type], Vec::new(), None);
    results.get(0).expect("one result")
}

impl Shape<'_> {
    fn build(&self) -> Bench {
        let mut builder = GraphBuilder::new("bench");
        let float = builder.tensor("tensor<f32>");
        let r#type = match self.r#type {
            Some(text) if text.contains('?') => builder.r#type(crate::graph::Type::Tensor(crate::graph::TensorType {
                dimensions: Some([None].into()),
                element: crate::graph::ElementType::Float(crate::graph::FloatKind::F32),
                encoding: None,
            })),
            Some(text) => builder.tensor(text),
            None => float,
        };
        // A function that is pure, one that is not, and one that calls it.
        for (name, effect) in [("pure", None), ("effect", Some("stablehlo.outfeed")), ("caller", None)] {
            let header = FunctionHeader {
                name: name.into(),
                inputs: vec![(r#type, "x".into())],
                outputs: vec![(r#type, "y".into())],
                ..FunctionHeader::default()
            };
            let parameter = builder.begin_function(header).expect("a function").get(0).expect("a parameter");
            if let Some(effect) = effect {
                simple(&mut builder, effect, &[parameter], r#type);
            }
            if name == "caller" {
                let header = OperationHeader { name: "func.call", operands: &[parameter], results: 1, text_line: 0 };
                builder.begin_operation(header).expect("a call");
                finish(&mut builder, &[r#type], Vec::new(), Some("effect"));
            }
            terminate(&mut builder, "func.return", &[parameter]);
            builder.end_function().expect("the end of a function");
        }
        let inputs = (0..self.operands).map(|at| (r#type, format!("in{at}").as_str().into())).collect();
        let header = FunctionHeader { name: "main".into(), public: true, inputs, ..FunctionHeader::default() };
        let operands: Vec<ValueId> = builder.begin_function(header).expect("a function").iter().collect();
        let operation = OperationId::new(builder.operation_count());
        let header = OperationHeader { name: self.name, operands: &operands, results: self.results, text_line: 0 };
        builder.begin_operation(header).expect(self.name);
        for (position, &(arguments, yields)) in self.regions.iter().enumerate() {
            builder.begin_region(&vec![r#type; arguments]).expect("a region");
            if self.effect_inside && position == 0 {
                let header =
                    OperationHeader { name: "stablehlo.infeed", operands: &operands[..1], results: 1, text_line: 0 };
                builder.begin_operation(header).expect("an infeed");
                finish(&mut builder, &[float], Vec::new(), None);
            }
            let values: Vec<ValueId> =
                (0..yields).map(|_| simple(&mut builder, "stablehlo.constant", &[], r#type)).collect();
            terminate(&mut builder, "stablehlo.return", &values);
            builder.end_region().expect("the end of a region");
        }
        finish(&mut builder, &vec![r#type; self.results], self.attributes.clone(), self.callee);
        terminate(&mut builder, "func.return", &[]);
        builder.end_function().expect("the end of a function");
        Bench { graph: builder.finish().unwrap_or_else(|error| panic!("{}: {error}", self.name)), operation }
    }

    fn edges(&self) -> BTreeSet<String> {
        self.build().edges()
    }
}

impl Bench {
    fn edges(&self) -> BTreeSet<String> {
        let transfer = Transfer::new(&self.graph);
        let mut found = BTreeSet::new();
        transfer.edges(self.operation, &mut |edge| {
            let arrow = match edge.kind {
                Dependence::Data => ">",
                Dependence::Implicit => "~>",
                Dependence::Opaque => "?>",
            };
            found.insert(format!("{}{arrow}{}", self.name(edge.from), self.name(edge.to)));
        });
        found
    }

    fn name(&self, node: Node) -> String {
        let Node::Value(value) = node else { return "w".into() };
        let regions: &[RegionId] = self.graph.regions_of(self.operation);
        let at = |list: Vec<ValueId>| list.into_iter().position(|candidate| candidate == value);
        if let Some(at) = at(self.graph.operands(self.operation).to_vec()) {
            return format!("o{at}");
        }
        if let Some(at) = at(self.graph.results(self.operation).iter().collect()) {
            return format!("r{at}");
        }
        for (position, region) in regions.iter().enumerate() {
            if let Some(at) = at(self.graph.arguments(*region).iter().collect()) {
                return format!("a{position}.{at}");
            }
            if let Some(at) = at(self.graph.yields(*region).to_vec()) {
                return format!("y{position}.{at}");
            }
        }
        panic!("an edge of another operation");
    }
}

fn check(shape: &Shape<'_>, expected: &str) {
    let expected: BTreeSet<String> = expected.split_whitespace().map(str::to_string).collect();
    let found = shape.edges();
    let missing: Vec<_> = expected.difference(&found).collect();
    let extra: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{}: missing {missing:?}, extra {extra:?}", shape.name);
}

/// Kinds that have tests of their own below, or take nothing.
const OTHERWISE: &[OperationKind] = {
    use OperationKind::*;
    &[
        OptimizationBarrier,
        GetDimensionSize,
        ConstantLike,
        Rng,
        RngBitGenerator,
        TopK,
        Case,
        If,
        Map,
        Reduce,
        ReduceWindow,
        Scatter,
        SelectAndScatter,
        Sort,
        While,
        AllGather,
        AllToAll,
        AllReduce,
        ReduceScatter,
        AsyncDone,
        AsyncStart,
        CustomCall,
        Infeed,
        Outfeed,
        Recv,
        Send,
        Call,
        Composite,
        Return,
        FunctionReturn,
        ShardyReturn,
        ManualComputation,
        NamedComputation,
        ShardingGroup,
        ExpectAlmostEq,
        ExpectAlmostEqConst,
        ExpectClose,
        ExpectEq,
        ExpectEqConst,
        ExpectSerializedEq,
        Scan,
    ]
};

/// The operands that only say where, which or how much, of every kind that has some.
const IMPLICIT: &[(OperationKind, &[usize])] = {
    use OperationKind::*;
    &[
        (Select, &[0]),
        (BroadcastSelect, &[0]),
        (DynamicBroadcastInDim, &[1]),
        (DynamicGather, &[1, 2]),
        (DynamicReshape, &[1]),
        (ChloDynamicReshape, &[1]),
        (DynamicSlice, &[1, 2]),
        (DynamicUpdateSlice, &[2, 3]),
        (DynamicPad, &[2, 3, 4]),
        (DynamicIota, &[0]),
        (DynamicConv, &[2]),
        (Gather, &[1]),
        (RealDynamicSlice, &[1, 2, 3]),
        (SetDimensionSize, &[1]),
        (TorchIndexSelect, &[1]),
        (RaggedDot, &[2]),
    ]
};

#[test]
fn every_operand_of_every_ordinary_kind_reaches_every_result() {
    for kind in OperationKind::KNOWN.iter().filter(|kind| !OTHERWISE.contains(kind)) {
        let count = |arity: crate::graph::Arity| match arity.most {
            u16::MAX => arity.least as usize + 2,
            most => most as usize,
        };
        assert_eq!(kind.regions().most, 0, "{} has regions and needs a test of its own", kind.name());
        let shape = Shape {
            name: kind.name(),
            operands: count(kind.operands()),
            results: count(kind.results()),
            ..Shape::default()
        };
        let implicit = IMPLICIT.iter().find(|(known, _)| known == kind).map_or(&[][..], |(_, implicit)| implicit);
        let mut expected = String::new();
        for operand in 0..shape.operands {
            let arrow = if implicit.contains(&operand) { "~>" } else { ">" };
            (0..shape.results).for_each(|result| expected.push_str(&format!("o{operand}{arrow}r{result} ")));
        }
        check(&shape, &expected);
    }
}

#[test]
fn identities_go_element_by_element() {
    for (name, least) in
        [("stablehlo.optimization_barrier", 3), ("stablehlo.all_gather", 2), ("stablehlo.all_to_all", 2)]
    {
        let shape = Shape { name, operands: least, results: least, ..Shape::default() };
        let expected: Vec<String> = (0..least).map(|at| format!("o{at}>r{at}")).collect();
        check(&shape, &expected.join(" "));
    }
    check(&Shape { name: "stablehlo.all_to_all", operands: 1, results: 2, ..Shape::default() }, "o0>r0 o0>r1");
}

#[test]
fn only_a_shape_that_varies_carries_something() {
    for name in ["chlo.constant_like", "stablehlo.get_dimension_size"] {
        let shape = |r#type| Shape { name, operands: 1, results: 1, r#type, ..Shape::default() };
        check(&shape(Some("tensor<4xf32>")), "");
        check(&shape(Some("tensor<?xf32>")), "o0>r0");
    }
}

#[test]
fn random_bits_come_from_a_state_that_is_seen_or_hidden() {
    check(&Shape { name: "stablehlo.rng_bit_generator", operands: 1, results: 2, ..Shape::default() }, "o0>r0 o0~>r1");
    check(
        &Shape { name: "stablehlo.rng", operands: 3, results: 1, ..Shape::default() },
        "o0>r0 o1>r0 o2>r0 o0?>w o1?>w o2?>w w?>r0",
    );
    check(&Shape { name: "chlo.top_k", operands: 1, results: 2, ..Shape::default() }, "o0>r0 o0~>r1");
}

#[test]
fn a_loop_goes_carried_element_by_carried_element() {
    let regions = &[(2, 1), (2, 2)];
    let shape = Shape { name: "stablehlo.while", operands: 2, results: 2, regions, ..Shape::default() };
    let each =
        "o0>a0.0 o0>a1.0 y1.0>a0.0 y1.0>a1.0 a0.0>r0 y0.0~>r0 o1>a0.1 o1>a1.1 y1.1>a0.1 y1.1>a1.1 a0.1>r1 y0.0~>r1";
    check(&shape, each);
    check(&Shape { effect_inside: true, ..shape }, &format!("{each} y0.0~>w"));
}

#[test]
fn a_branch_is_chosen_by_its_index() {
    let regions = &[(0, 2), (0, 2)];
    let each = "y0.0>r0 y1.0>r0 o0~>r0 y0.1>r1 y1.1>r1 o0~>r1";
    for name in ["stablehlo.if", "stablehlo.case"] {
        let shape = Shape { name, operands: 1, results: 2, regions, ..Shape::default() };
        check(&shape, each);
        check(&Shape { effect_inside: true, ..shape }, &format!("{each} o0~>w"));
    }
    // One branch is no choice.
    check(
        &Shape { name: "stablehlo.case", operands: 1, results: 1, regions: &[(0, 1)], ..Shape::default() },
        "y0.0>r0",
    );
}

#[test]
fn a_reduction_goes_input_by_input() {
    let each = |at: usize| {
        let (lhs, rhs, input, initial) = (at, at + 2, at, at + 2);
        format!(
            "o{input}>a0.{lhs} o{initial}>a0.{lhs} y0.{at}>a0.{lhs} o{input}>a0.{rhs} o{initial}>a0.{rhs} \
             y0.{at}>a0.{rhs} y0.{at}>r{at} o{initial}>r{at} o{input}>r{at} "
        )
    };
    for name in ["stablehlo.reduce", "stablehlo.reduce_window"] {
        let shape = Shape { name, operands: 4, results: 2, regions: &[(4, 2)], ..Shape::default() };
        check(&shape, &(each(0) + &each(1)));
    }
}

#[test]
fn a_scatter_goes_input_by_input_at_indices_for_all() {
    let shape = Shape { name: "stablehlo.scatter", operands: 5, results: 2, regions: &[(4, 2)], ..Shape::default() };
    check(&shape, "o0>a0.0 y0.0>a0.0 o3>a0.2 o0>r0 y0.0>r0 o2~>r0 o1>a0.1 y0.1>a0.1 o4>a0.3 o1>r1 y0.1>r1 o2~>r1");
}

#[test]
fn a_sort_is_ordered_by_its_comparator() {
    let shape = Shape { name: "stablehlo.sort", operands: 2, results: 2, regions: &[(4, 1)], ..Shape::default() };
    check(&shape, "o0>a0.0 o0>a0.1 o0>r0 y0.0~>r0 o1>a0.2 o1>a0.3 o1>r1 y0.0~>r1");
}

#[test]
fn regions_that_run_for_each_element_or_once() {
    let shape = Shape { name: "stablehlo.map", operands: 2, results: 1, regions: &[(2, 1)], ..Shape::default() };
    check(&shape, "o0>a0.0 o1>a0.1 y0.0>r0");
    for name in ["sdy.manual_computation", "sdy.named_computation"] {
        let shape = Shape { name, operands: 2, results: 2, regions: &[(2, 2)], ..Shape::default() };
        check(&shape, "o0>a0.0 o1>a0.1 y0.0>r0 y0.1>r1");
    }
    let shape = Shape { name: "chlo.scan", operands: 2, results: 1, regions: &[(2, 1)], ..Shape::default() };
    check(&shape, "o0>a0.0 o0>a0.1 o0>r0 o1>a0.0 o1>a0.1 o1>r0 y0.0>a0.0 y0.0>a0.1 y0.0>r0");
}

#[test]
fn select_and_scatter_selects_and_scatters() {
    let regions = &[(2, 1), (2, 1)];
    let shape = Shape { name: "stablehlo.select_and_scatter", operands: 3, results: 1, regions, ..Shape::default() };
    check(&shape, "o0>a0.0 o0>a0.1 o1>a1.0 o2>a1.0 y1.0>a1.0 o1>a1.1 o2>a1.1 y1.0>a1.1 y1.0>r0 o2>r0 y0.0~>r0 o0~>r0");
}

#[test]
fn operands_meet_in_the_region_of_a_collective() {
    let regions = &[(2, 1)];
    let shape = Shape { name: "stablehlo.all_reduce", operands: 2, results: 2, regions, ..Shape::default() };
    check(&shape, "o0>a0.0 o0>a0.1 o1>a0.0 o1>a0.1 y0.0>a0.0 y0.0>a0.1 y0.0>r0 y0.0>r1 o0>r0 o1>r1");
    let shape = Shape { name: "stablehlo.reduce_scatter", operands: 1, results: 1, regions, ..Shape::default() };
    check(&shape, "o0>a0.0 o0>a0.1 y0.0>a0.0 y0.0>a0.1 y0.0>r0 o0>r0");
}

#[test]
fn what_takes_or_makes_nothing_has_no_edges() {
    check(&Shape { name: "sdy.sharding_group", operands: 1, results: 0, ..Shape::default() }, "");
}

const ALL_TO_ALL: &str = "o0?>r0 o0?>r1 o1?>r0 o1?>r1";
const AND_THE_WORLD: &str = " o0?>w o1?>w w?>r0 w?>r1";

fn custom_call<'a>(target: &str, more: Vec<(&'a str, Attribute)>) -> Shape<'a> {
    let mut attributes = vec![("call_target_name", Attribute::String(target.into()))];
    attributes.extend(more);
    Shape { name: "stablehlo.custom_call", operands: 2, results: 2, attributes, ..Shape::default() }
}

#[test]
fn a_custom_call_is_as_pure_as_its_target_and_its_flag() {
    let effect = |value: bool| ("has_side_effect", Attribute::Boolean(value));
    let known = "o0>r0 o0>r1 o1>r0 o1>r1";
    check(&custom_call("Sharding", vec![]), known);
    check(&custom_call("lapack_spotrf_ffi", vec![effect(false)]), known);
    check(&custom_call("annotate_device_placement", vec![effect(true)]), known);
    check(&custom_call("their_kernel", vec![]), ALL_TO_ALL);
    let with_world = format!("{ALL_TO_ALL}{AND_THE_WORLD}");
    check(&custom_call("their_kernel", vec![effect(true)]), &with_world);
    check(&custom_call("Sharding", vec![effect(true)]), &with_world);
    check(&custom_call("Sharding", vec![("has_side_effect", Attribute::Keyword("MAYBE".into()))]), &with_world);
    let nameless = Shape { attributes: Vec::new(), ..custom_call("", vec![]) };
    check(&nameless, ALL_TO_ALL);
}

#[test]
fn a_function_that_is_named_counts() {
    let names = |key, function: &str| (key, Attribute::Array([Attribute::Symbol(function.into())].into()));
    let with_world = format!("{ALL_TO_ALL}{AND_THE_WORLD}");
    check(&custom_call("ApproxTopK", vec![names("called_computations", "pure")]), "o0>r0 o0>r1 o1>r0 o1>r1");
    for function in ["effect", "caller", "not_there"] {
        check(&custom_call("ApproxTopK", vec![names("called_computations", function)]), &with_world);
    }
    check(&custom_call("ApproxTopK", vec![names("something_else", "pure")]), ALL_TO_ALL);
    let add = |key, function: &str| Shape {
        name: "stablehlo.add",
        operands: 2,
        results: 1,
        attributes: vec![names(key, function)],
        ..Shape::default()
    };
    check(&add("combiner", "pure"), "o0?>r0 o1?>r0");
    check(&add("combiner", "effect"), "o0?>r0 o1?>r0 o0?>w o1?>w w?>r0");
    check(&add("sdy.sharding", "mesh"), "o0>r0 o1>r0");
}

#[test]
fn the_world_and_what_is_unknown() {
    for (name, results) in [("stablehlo.infeed", 2), ("stablehlo.recv", 2), ("test.unknown", 1)] {
        let shape = Shape { name, operands: 1, results, ..Shape::default() };
        let expected: Vec<String> = (0..results).map(|at| format!("o0?>r{at} w?>r{at}")).collect();
        check(&shape, &format!("o0?>w {}", expected.join(" ")));
    }
    for name in ["stablehlo.outfeed", "stablehlo.send"] {
        let shape = Shape { name, operands: 2, results: 1, ..Shape::default() };
        check(&shape, "o0?>r0 o1?>r0 o0?>w o1?>w w?>r0");
    }
    let done = Shape { name: "stablehlo.async_done", operands: 1, results: 1, ..Shape::default() };
    check(&done, "o0?>r0");
}

#[test]
fn an_opaque_operation_with_regions_joins_them_too() {
    let regions = &[(1, 1)];
    let start = Shape { name: "stablehlo.async_start", operands: 1, results: 1, regions, ..Shape::default() };
    let each = "o0?>r0 o0?>a0.0 y0.0?>r0 y0.0?>a0.0";
    check(&start, each);
    let with_world = format!("{each} o0?>w y0.0?>w w?>r0 w?>a0.0");
    check(&Shape { effect_inside: true, ..start.clone() }, &with_world);
    check(&Shape { name: "test.unknown", ..start }, &with_world);
}

#[test]
fn a_call_is_its_body_and_without_one_anything() {
    for name in ["func.call", "stablehlo.composite"] {
        let shape = Shape { name, operands: 1, results: 1, callee: Some("pure"), ..Shape::default() };
        check(&shape, "");
        let bench = shape.build();
        let transfer = Transfer::new(&bench.graph);
        assert!(transfer.callee(bench.operation).is_some() && !transfer.has_effects(bench.operation));
        let bench = Shape { callee: Some("caller"), ..shape.clone() }.build();
        assert!(Transfer::new(&bench.graph).has_effects(bench.operation));
        check(&Shape { callee: None, ..shape }, "o0?>r0 o0?>w w?>r0");
    }
    let strange = Shape { name: "stablehlo.tanh", operands: 1, results: 1, callee: Some("pure"), ..Shape::default() };
    check(&strange, "o0?>r0 o0?>w w?>r0");
}

#[test]
fn a_value_that_a_loop_passes_through_does_not_depend_on_the_trip_count() {
    let mut builder = GraphBuilder::new("loop");
    let float = builder.tensor("tensor<f32>");
    let inputs = vec![(float, "a".into()), (float, "b".into())];
    let header = FunctionHeader { name: "main".into(), public: true, inputs, ..FunctionHeader::default() };
    let inputs: Vec<ValueId> = builder.begin_function(header).expect("a function").iter().collect();
    let header = OperationHeader { name: "stablehlo.while", operands: &inputs, results: 2, text_line: 0 };
    builder.begin_operation(header).expect("a loop");
    let condition: Vec<ValueId> = builder.begin_region(&[float, float]).expect("a region").iter().collect();
    terminate(&mut builder, "stablehlo.return", &condition[1..]);
    builder.end_region().expect("the end of a region");
    let body: Vec<ValueId> = builder.begin_region(&[float, float]).expect("a region").iter().collect();
    let next = simple(&mut builder, "stablehlo.tanh", &body[1..], float);
    terminate(&mut builder, "stablehlo.return", &[body[0], next]);
    builder.end_region().expect("the end of a region");
    finish(&mut builder, &[float, float], Vec::new(), None);
    terminate(&mut builder, "func.return", &[]);
    builder.end_function().expect("the end of a function");
    let graph = builder.finish().expect("a graph");
    let transfer = Transfer::new(&graph);
    let mut into = vec![Vec::new(); graph.values().len()];
    transfer.edges(OperationId::new(0), &mut |edge| {
        if let Node::Value(to) = edge.to {
            into[to.index()].push(edge.from);
        }
    });
    let results: Vec<ValueId> = graph.results(OperationId::new(0)).iter().collect();
    assert_eq!(into[results[0].index()], [Node::Value(condition[0])]);
    assert_eq!(into[results[1].index()], [Node::Value(condition[1]), Node::Value(condition[1])]); // value, predicate
}

#[test]
fn one_value_for_all_branches_is_no_choice() {
    let mut builder = GraphBuilder::new("branches");
    let float = builder.tensor("tensor<f32>");
    let inputs = vec![(float, "a".into()), (float, "b".into())];
    let header = FunctionHeader { name: "main".into(), public: true, inputs, ..FunctionHeader::default() };
    let inputs: Vec<ValueId> = builder.begin_function(header).expect("a function").iter().collect();
    let header = OperationHeader { name: "stablehlo.if", operands: &inputs[..1], results: 1, text_line: 0 };
    builder.begin_operation(header).expect("a branch");
    for _ in 0..2 {
        builder.begin_region(&[]).expect("a region");
        terminate(&mut builder, "stablehlo.return", &inputs[1..]);
        builder.end_region().expect("the end of a region");
    }
    finish(&mut builder, &[float], Vec::new(), None);
    terminate(&mut builder, "func.return", &[]);
    builder.end_function().expect("the end of a function");
    let graph = builder.finish().expect("a graph");
    let mut from = Vec::new();
    Transfer::new(&graph).edges(OperationId::new(0), &mut |edge| from.push(edge.from));
    assert_eq!(from, [Node::Value(inputs[1]), Node::Value(inputs[1])]);
}

#[test]
fn an_operation_that_names_a_function_with_a_source_is_a_source() {
    let called = ("called_computations", Attribute::Symbol("caller".into()));
    let bench = custom_call("ApproxTopK", vec![called]).build();
    let transfer = Transfer::new(&bench.graph);
    let in_effect = OperationId::new(1); // the outfeed in @effect, which @caller calls
    assert_eq!(bench.graph.operation_name(in_effect), "stablehlo.outfeed");
    let mut sources = FixedBitSet::with_capacity(bench.graph.operations().len());
    transfer.close_sources(&mut sources);
    assert!(sources.is_clear());
    sources.insert(in_effect.index());
    transfer.close_sources(&mut sources);
    assert!(sources.contains(bench.operation.index()));
}
