//! Elements: each graph that keeps two groups apart, beside the same graph with an index that is off by one.

use super::*;

#[test]
fn a_ravelled_flat_vector_keeps_its_groups_apart() {
    let graph = |first: usize| {
        let body = format!(
            "    %s = stablehlo.tanh %desires : tensor<2x3xf32> loc(\"step/probe/tanh\")
    %b = stablehlo.cosine %beliefs : tensor<4xf32>
    %d = stablehlo.reshape %s : (tensor<2x3xf32>) -> tensor<6xf32>
    %g = stablehlo.concatenate %b, %d, dim = 0 : (tensor<4xf32>, tensor<6xf32>) -> tensor<10xf32>
    %moment = stablehlo.add %mu, %g : tensor<10xf32>
    %square = stablehlo.multiply %g, %g : tensor<10xf32>
    %update = stablehlo.divide %moment, %square : tensor<10xf32>
    %ub = stablehlo.slice %update [{first}:{}] : (tensor<10xf32>) -> tensor<4xf32>
    %out = stablehlo.add %beliefs, %ub : tensor<4xf32>",
            first + 4
        );
        let inputs = [("beliefs", "4xf32"), ("desires", "2x3xf32"), ("mu", "10xf32")];
        step(&inputs, &body, &[("sink", "4xf32", "out")], "")
    };
    holds(&graph(0));
    leaks(&graph(1));
}

#[test]
fn stacked_rows_are_told_apart() {
    let graph = |row: usize| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<1x3xf32> loc(\"step/probe/tanh\")
    %b = stablehlo.cosine %x : tensor<1x3xf32>
    %both = stablehlo.concatenate %b, %s, %b, dim = 0 : (tensor<1x3xf32>, tensor<1x3xf32>, tensor<1x3xf32>) -> \
             tensor<3x3xf32>
    %turned = stablehlo.transpose %both, dims = [1, 0] : (tensor<3x3xf32>) -> tensor<3x3xf32>
    %exp = stablehlo.exponential %turned : tensor<3x3xf32>
    %part = stablehlo.slice %exp [0:3, {row}:{}] : (tensor<3x3xf32>) -> tensor<3x1xf32>
    %out = stablehlo.reshape %part : (tensor<3x1xf32>) -> tensor<3xf32>",
            row + 1
        );
        step(&[("x", "1x3xf32")], &body, &[("sink", "3xf32", "out")], "")
    };
    holds(&graph(0));
    leaks(&graph(1));
    holds(&graph(2));
}

#[test]
fn members_of_an_ensemble_stay_apart_in_batched_products() {
    let graph = |member: usize, batched: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<1x2x3xf32> loc(\"step/probe/tanh\")
    %b = stablehlo.cosine %x : tensor<1x2x3xf32>
    %all = stablehlo.concatenate %b, %s, dim = 0 : (tensor<1x2x3xf32>, tensor<1x2x3xf32>) -> tensor<2x2x3xf32>
    %product = stablehlo.dot_general %all, %w, {batched} : (tensor<2x2x3xf32>, tensor<2x3x2xf32>) -> tensor<2x2x2xf32>
    %part = stablehlo.slice %product [{member}:{}, 0:2, 0:2] : (tensor<2x2x2xf32>) -> tensor<1x2x2xf32>
    %out = stablehlo.reshape %part : (tensor<1x2x2xf32>) -> tensor<2x2xf32>",
            member + 1
        );
        step(&[("x", "1x2x3xf32"), ("w", "2x3x2xf32")], &body, &[("sink", "2x2xf32", "out")], "")
    };
    let by_member = "batching_dims = [0] x [0], contracting_dims = [2] x [1]";
    holds(&graph(0, by_member));
    leaks(&graph(1, by_member));
    // Batched over another dimension, and members are summed over.
    leaks(&graph(0, "batching_dims = [1] x [0], contracting_dims = [2] x [1]"));
}

#[test]
fn fused_projections_are_told_apart() {
    let graph = |first: usize| {
        let body = format!(
            "    %s = stablehlo.tanh %v : tensor<3x2xf32> loc(\"step/probe/tanh\")
    %fused = stablehlo.concatenate %q, %k, %s, dim = 1 : (tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> \
             tensor<3x6xf32>
    %product = stablehlo.dot_general %x, %fused, contracting_dims = [1] x [0] : (tensor<4x3xf32>, tensor<3x6xf32>) -> \
             tensor<4x6xf32>
    %split = stablehlo.reshape %product : (tensor<4x6xf32>) -> tensor<4x3x2xf32>
    %part = stablehlo.slice %split [0:4, {first}:{}, 0:2] : (tensor<4x3x2xf32>) -> tensor<4x2x2xf32>
    %out = stablehlo.reduce(%part init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<4x2x2xf32>, \
             tensor<f32>) -> tensor<4x2xf32>",
            first + 2
        );
        let zero = "    %zero = stablehlo.constant dense<0.0> : tensor<f32>\n";
        let inputs = [("x", "4x3xf32"), ("q", "3x2xf32"), ("k", "3x2xf32"), ("v", "3x2xf32")];
        step(&inputs, &format!("{zero}{body}"), &[("sink", "4x2xf32", "out")], "")
    };
    holds(&graph(0));
    leaks(&graph(1));
}

#[test]
fn a_constant_mask_selects_elements() {
    // precision: by comparing an iota with a number, and by a list of truth values.
    let by_iota = |bound: usize| {
        example(&format!(
            "    %at = stablehlo.iota dim = 0 : tensor<8xi32>
    %bound = stablehlo.constant dense<{bound}> : tensor<8xi32>
    %mask = stablehlo.compare LT, %at, %bound, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %a = stablehlo.select %mask, %y, %s : tensor<8xi1>, tensor<8xf32>
    %part = stablehlo.slice %a [0:4] : (tensor<8xf32>) -> tensor<4xf32>
    %pad = stablehlo.pad %part, %zero, low = [0], high = [4], interior = [0] : (tensor<4xf32>, tensor<f32>) -> \
             tensor<8xf32>
    %out = stablehlo.add %pad, %y : tensor<8xf32>"
        ))
    };
    holds(&by_iota(4));
    leaks(&by_iota(3));
    let by_list = |list: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %mask = stablehlo.constant dense<[{list}]> : tensor<8xi1>
    %a = stablehlo.select %mask, %s, %x : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.slice %a [0:8:2] : (tensor<8xf32>) -> tensor<4xf32>"
        );
        step(&[("x", "8xf32")], &body, &[("sink", "4xf32", "out")], "")
    };
    holds(&by_list("false, true, false, true, false, true, false, true"));
    leaks(&by_list("false, true, false, true, false, true, true, false"));
}

#[test]
fn a_constant_mask_by_product_needs_finite_operands() {
    let graph = |list: &str| {
        example(&format!(
            "    %mask = stablehlo.constant dense<[{list}]> : tensor<8xf32>
    %a = stablehlo.multiply %mask, %s : tensor<8xf32>
    %keep = stablehlo.constant dense<[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]> : tensor<8xf32>
    %b = stablehlo.multiply %a, %keep : tensor<8xf32>
    %out = stablehlo.add %b, %y : tensor<8xf32>"
        ))
    };
    let complement = graph("0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0");
    // infinity times zero is NaN
    leaks(&complement);
    let finite = Asked { finite: true, ..Asked::default() };
    finite.holds(&complement);
    assert!(!finite.refined(&complement).finite_sites.is_empty(), "the assumption is not told");
    finite.leaks(&graph("0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0"));
}
