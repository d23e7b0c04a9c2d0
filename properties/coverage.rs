//! Every operation of the registry is perturbed element by element: by the random writer, in the zoo, or here; or it is said why not.

use std::collections::{BTreeMap, BTreeSet};

use openloop::graph::OperationKind;

use super::elements::{Fit, Random, compare};
use super::{corpus, operations};

/// Operations that the random writer and the zoo leave out: `(operation, inputs, lines, result, its type)`.
const STEPS: &[(&str, &str, &str, &str)] = &[
    (
        "func.call",
        "%x: tensor<3xf32>, %y: tensor<3xf32>",
        "%r = call @swap(%x, %y) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>",
        "tensor<3xf32>",
    ),
    (
        "stablehlo.composite",
        "%x: tensor<3xf32>, %y: tensor<3xf32>",
        "%r = stablehlo.composite \"my.swap\" %x, %y {decomposition = @swap} : (tensor<3xf32>, tensor<3xf32>) -> \
         tensor<3xf32>",
        "tensor<3xf32>",
    ),
    (
        "stablehlo.if",
        "%p: tensor<i1>, %x: tensor<3xf32>, %y: tensor<3xf32>",
        "%r = \"stablehlo.if\"(%p) ({
      stablehlo.return %x : tensor<3xf32>
    }, {
      %n = stablehlo.negate %y : tensor<3xf32>
      stablehlo.return %n : tensor<3xf32>
    }) : (tensor<i1>) -> tensor<3xf32>",
        "tensor<3xf32>",
    ),
    (
        "stablehlo.case",
        "%p: tensor<i32>, %x: tensor<3xf32>, %y: tensor<3xf32>",
        "%r = \"stablehlo.case\"(%p) ({
      stablehlo.return %x : tensor<3xf32>
    }, {
      %n = stablehlo.reverse %y, dims = [0] : tensor<3xf32>
      stablehlo.return %n : tensor<3xf32>
    }, {
      stablehlo.return %y : tensor<3xf32>
    }) : (tensor<i32>) -> tensor<3xf32>",
        "tensor<3xf32>",
    ),
    (
        "stablehlo.while",
        "%x: tensor<3xf32>, %y: tensor<3xf32>",
        "%zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %two = stablehlo.constant dense<2> : tensor<i32>
    %all:3 = stablehlo.while(%i = %zero, %a = %x, %b = %y) : tensor<i32>, tensor<3xf32>, tensor<3xf32>
    cond {
      %go = stablehlo.compare LT, %i, %two, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %go : tensor<i1>
    } do {
      %next = stablehlo.add %i, %one : tensor<i32>
      %back = stablehlo.reverse %a, dims = [0] : tensor<3xf32>
      stablehlo.return %next, %b, %back : tensor<i32>, tensor<3xf32>, tensor<3xf32>
    }
    %r = stablehlo.tanh %all#1 : tensor<3xf32>",
        "tensor<3xf32>",
    ),
    (
        "stablehlo.optimization_barrier",
        "%x: tensor<3xf32>, %y: tensor<2xf32>",
        "%all:2 = stablehlo.optimization_barrier %x, %y : tensor<3xf32>, tensor<2xf32>
    %r = stablehlo.tanh %all#1 : tensor<2xf32>",
        "tensor<2xf32>",
    ),
    (
        "stablehlo.tuple",
        "%x: tensor<3xf32>, %y: tensor<2xf32>",
        "%t = stablehlo.tuple %x, %y : tuple<tensor<3xf32>, tensor<2xf32>>
    %r = stablehlo.get_tuple_element %t[1] : (tuple<tensor<3xf32>, tensor<2xf32>>) -> tensor<2xf32>",
        "tensor<2xf32>",
    ),
    (
        "stablehlo.get_tuple_element",
        "%x: tensor<3xf32>, %y: tensor<2xf32>",
        "%t = stablehlo.tuple %y, %x : tuple<tensor<2xf32>, tensor<3xf32>>
    %r = stablehlo.get_tuple_element %t[1] : (tuple<tensor<2xf32>, tensor<3xf32>>) -> tensor<3xf32>",
        "tensor<3xf32>",
    ),
    (
        "stablehlo.rng_bit_generator",
        "%k: tensor<2xui64>",
        "%s, %r = stablehlo.rng_bit_generator %k, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, \
         tensor<5xui32>)",
        "tensor<5xui32>",
    ),
    (
        "stablehlo.batch_norm_training",
        "%x: tensor<2x3x2xf32>, %s: tensor<2xf32>, %o: tensor<2xf32>",
        "%r, %m, %v = \"stablehlo.batch_norm_training\"(%x, %s, %o) <{epsilon = 1.000000e-03 : f32, feature_index = 2 \
         : i64}> : (tensor<2x3x2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x3x2xf32>, tensor<2xf32>, \
         tensor<2xf32>)",
        "tensor<2x3x2xf32>",
    ),
    (
        "stablehlo.batch_norm_grad",
        "%x: tensor<3x2xf32>, %s: tensor<2xf32>, %m: tensor<2xf32>, %v: tensor<2xf32>, %g: tensor<3x2xf32>",
        "%r, %a, %b = \"stablehlo.batch_norm_grad\"(%x, %s, %m, %v, %g) <{epsilon = 1.000000e-03 : f32, feature_index \
         = 1 : i64}> : (tensor<3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<3x2xf32>) -> \
         (tensor<3x2xf32>, tensor<2xf32>, tensor<2xf32>)",
        "tensor<3x2xf32>",
    ),
    (
        "stablehlo.dynamic_broadcast_in_dim",
        "%x: tensor<1x3xf32>",
        "%s = stablehlo.constant dense<[2, 2, 3]> : tensor<3xi32>
    %r = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [1, 2] : (tensor<1x3xf32>, tensor<3xi32>) -> \
         tensor<2x2x3xf32>",
        "tensor<2x2x3xf32>",
    ),
    (
        "stablehlo.dynamic_reshape",
        "%x: tensor<4xf32>",
        "%s = stablehlo.constant dense<2> : tensor<2xi32>
    %r = stablehlo.dynamic_reshape %x, %s : (tensor<4xf32>, tensor<2xi32>) -> tensor<2x2xf32>",
        "tensor<2x2xf32>",
    ),
    (
        "chlo.dynamic_reshape",
        "%x: tensor<4xf32>",
        "%s = stablehlo.constant dense<2> : tensor<2xi32>
    %r = \"chlo.dynamic_reshape\"(%x, %s) : (tensor<4xf32>, tensor<2xi32>) -> tensor<2x2xf32>",
        "tensor<2x2xf32>",
    ),
    (
        "stablehlo.dynamic_iota",
        "%x: tensor<2x3xi32>",
        "%s = stablehlo.constant dense<[2, 3]> : tensor<2xi32>
    %n = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi32>) -> tensor<2x3xi32>
    %r = stablehlo.maximum %n, %x : tensor<2x3xi32>",
        "tensor<2x3xi32>",
    ),
    (
        "stablehlo.dynamic_pad",
        "%x: tensor<2xf32>, %v: tensor<f32>",
        "%l = stablehlo.constant dense<1> : tensor<1xi32>
    %h = stablehlo.constant dense<2> : tensor<1xi32>
    %i = stablehlo.constant dense<0> : tensor<1xi32>
    %r = stablehlo.dynamic_pad %x, %v, %l, %h, %i : (tensor<2xf32>, tensor<f32>, tensor<1xi32>, tensor<1xi32>, \
         tensor<1xi32>) -> tensor<5xf32>",
        "tensor<5xf32>",
    ),
    (
        "stablehlo.real_dynamic_slice",
        "%x: tensor<5xf32>",
        "%s = stablehlo.constant dense<1> : tensor<1xi32>
    %l = stablehlo.constant dense<5> : tensor<1xi32>
    %t = stablehlo.constant dense<2> : tensor<1xi32>
    %r = stablehlo.real_dynamic_slice %x, %s, %l, %t : (tensor<5xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> \
         tensor<2xf32>",
        "tensor<2xf32>",
    ),
    (
        "stablehlo.dynamic_gather",
        "%x: tensor<4x3xf32>, %i: tensor<2x1xi32>",
        "%s = stablehlo.constant dense<[1, 3]> : tensor<2xi64>
    %r = \"stablehlo.dynamic_gather\"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], \
         collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (tensor<4x3xf32>, tensor<2x1xi32>, \
         tensor<2xi64>) -> tensor<2x3xf32>",
        "tensor<2x3xf32>",
    ),
    (
        "stablehlo.dynamic_conv",
        "%x: tensor<1x4x1xf32>, %k: tensor<2x1x2xf32>",
        "%p = stablehlo.constant dense<0> : tensor<1x2xi32>
    %r = \"stablehlo.dynamic_conv\"(%x, %k, %p) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, \
         0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64}> : (tensor<1x4x1xf32>, tensor<2x1x2xf32>, \
         tensor<1x2xi32>) -> tensor<1x3x2xf32>",
        "tensor<1x3x2xf32>",
    ),
    (
        "stablehlo.all_gather",
        "%x: tensor<3x2xf32>",
        "%r = \"stablehlo.all_gather\"(%x) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0]]> : tensor<1x1xi64>}> \
         : (tensor<3x2xf32>) -> tensor<3x2xf32>",
        "tensor<3x2xf32>",
    ),
    (
        "stablehlo.all_to_all",
        "%x: tensor<2x3xf32>",
        "%r = \"stablehlo.all_to_all\"(%x) <{concat_dimension = 0 : i64, replica_groups = dense<[[0]]> : tensor<1x1xi64>, \
         split_count = 1 : i64, split_dimension = 1 : i64}> : (tensor<2x3xf32>) -> tensor<2x3xf32>",
        "tensor<2x3xf32>",
    ),
    (
        "stablehlo.collective_broadcast",
        "%x: tensor<2x3xf32>",
        "%r = \"stablehlo.collective_broadcast\"(%x) <{replica_groups = dense<[[0]]> : tensor<1x1xi64>}> : \
         (tensor<2x3xf32>) -> tensor<2x3xf32>",
        "tensor<2x3xf32>",
    ),
    (
        "stablehlo.cross-replica-sum",
        "%x: tensor<2x3xf32>",
        "%r = \"stablehlo.cross-replica-sum\"(%x) <{replica_groups = dense<[[0]]> : tensor<1x1xi64>}> : \
         (tensor<2x3xf32>) -> tensor<2x3xf32>",
        "tensor<2x3xf32>",
    ),
    (
        "stablehlo.reduce_scatter",
        "%x: tensor<2x2xf32>",
        "%r = \"stablehlo.reduce_scatter\"(%x) <{replica_groups = dense<[[0]]> : tensor<1x1xi64>, scatter_dimension = 1 : \
         i64}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<2x2xf32>) -> tensor<2x2xf32>",
        "tensor<2x2xf32>",
    ),
    (
        "stablehlo.set_dimension_size",
        "%x: tensor<3xf32>",
        "%s = stablehlo.constant dense<3> : tensor<i32>
    %r = stablehlo.set_dimension_size %x, %s, dim = 0 : (tensor<3xf32>, tensor<i32>) -> tensor<3xf32>",
        "tensor<3xf32>",
    ),
];

/// Operations that are not perturbed on their own, and why.
const NOT_PERTURBED: &[(&str, &str)] = &[
    ("func.return", "ends a function: every step has one"),
    ("stablehlo.return", "ends a region: every operation with regions has one"),
    ("sdy.return", "ends a region"),
    ("sdy.sharding_group", "makes nothing"),
    ("check.expect_almost_eq", "makes nothing"),
    ("check.expect_almost_eq_const", "makes nothing"),
    ("check.expect_close", "makes nothing"),
    ("check.expect_eq", "makes nothing"),
    ("check.expect_eq_const", "makes nothing"),
    ("check.expect_serialized_eq", "makes nothing"),
    ("stablehlo.async_done", "not run, and opaque"),
    ("stablehlo.async_start", "not run, and opaque"),
    ("stablehlo.infeed", "not run, and opaque"),
    ("stablehlo.outfeed", "makes nothing but a token, and opaque"),
    ("stablehlo.recv", "not run, and opaque"),
    ("stablehlo.send", "makes nothing but a token, and opaque"),
    ("stablehlo.rng", "not run: what it makes is hidden state"),
    ("chlo._asin_acos_kernel", "not run: element by element, of complex numbers"),
    ("chlo.broadcast_acos", "not run: element by element"),
    ("chlo.ragged_dot", "not run: everything on everything"),
    ("stablehlo.einsum", "not run: everything on everything"),
    ("stablehlo.unary_einsum", "not run: everything on everything"),
    ("stablehlo.uniform_dequantize", "not run: element by element"),
    ("stablehlo.uniform_quantize", "not run: element by element"),
];

const FUNCTIONS: &str = "  func.func private @swap(%x: tensor<3xf32>, %y: tensor<3xf32>) -> tensor<3xf32> {
    %a = stablehlo.reverse %y, dims = [0] : tensor<3xf32>
    return %a : tensor<3xf32>
  }
";

fn text((_, inputs, lines, of): &(&str, &str, &str, &str)) -> String {
    format!(
        "module @step {{\n  func.func public @main({inputs}) -> ({of}) {{\n    {lines}\n    return %r : {of}\n  }}\n\
         {FUNCTIONS}}}\n"
    )
}

/// So often, each time from other inputs.
const ROUNDS: u64 = 4;

#[test]
fn operations_that_nothing_else_perturbs_change_only_what_is_in_their_image() {
    let mut fits: BTreeMap<&str, Fit> = BTreeMap::new();
    for step in STEPS {
        let text = text(step);
        assert!(text.contains(step.0) || step.0 == "func.call", "{}", step.0);
        let graph = openloop::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        for seed in 0..ROUNDS {
            let found = compare(&graph, &mut Random(seed), (4, 4), &text);
            let found = found.unwrap_or_else(|| panic!("{} does not run:\n{text}", step.0));
            fits.entry(step.0).or_default().join(found);
        }
    }
    for (name, fit) in fits {
        assert!(fit.seen > 0, "{name}: nothing depends on anything");
    }
}

/// A new operation has no case: this fails until it has one, or a reason.
#[test]
fn every_operation_is_perturbed_or_it_is_said_why_not() {
    let written = operations::OPERATIONS.iter().map(|name| match *name {
        "top_k" => "chlo.top_k".to_string(),
        name => format!("stablehlo.{}", name.trim_start_matches("batched_")),
    });
    let zoo = corpus::root().join(
        "properties/snapshots/properties__refined__perturbing_an_element_in_the_zoo_changes_only_what_is_labelled.snap",
    );
    let zoo = String::from_utf8(corpus::bytes(&zoo)).expect("text");
    let in_zoo = zoo.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_string);
    let here = STEPS.iter().map(|step| step.0.to_string());
    let perturbed: BTreeSet<String> = written.chain(in_zoo).chain(here).collect();
    let excused: BTreeSet<&str> = NOT_PERTURBED.iter().map(|(name, _)| *name).collect();
    for kind in OperationKind::KNOWN {
        let (is_perturbed, is_excused) = (perturbed.contains(kind.name()), excused.contains(kind.name()));
        assert!(is_perturbed || is_excused, "{}: perturb it in `STEPS`", kind.name());
        assert!(!(is_perturbed && is_excused), "{}: it is perturbed, and a reason says that it is not", kind.name());
    }
    for name in excused {
        assert_ne!(OperationKind::from_name(name), OperationKind::Unknown, "{name}");
    }
}
