//! Loops: unrolled where they count, and all iterations as one where they do not.

use super::*;

/// A loop over a counter, a mask and two more values, from these, until the counter is `bound`.
fn counted(bound: &str, begin: [&str; 2], body: &str, out: &str) -> TrainingGraph {
    let text = format!(
        "    %s = stablehlo.tanh %x : tensor<4x3xf32> loc(\"step/probe/tanh\")
    %y = stablehlo.cosine %x : tensor<4x3xf32>
    %i0 = stablehlo.constant dense<0> : tensor<i32>
    %i1 = stablehlo.constant dense<1> : tensor<i32>
    %four = stablehlo.constant dense<4> : tensor<i32>
    %some = stablehlo.minimum %k, %four : tensor<i32>
    %zeros = stablehlo.constant dense<0.0> : tensor<4x3xf32>
    %r:4 = stablehlo.while(%i = %i0, %mask = %m, %u = %{}, %v = %{}) : tensor<i32>, tensor<4x3xi1>, tensor<4x3xf32>, \
         tensor<4x3xf32>
     cond {{
      %c = stablehlo.compare LT, %i, %{bound}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %next = stablehlo.add %i, %i1 : tensor<i32>
{body}
    }}
    {out}",
        begin[0], begin[1]
    );
    step(&[("x", "4x3xf32"), ("m", "4x3xi1"), ("k", "i32")], &text, &[("sink", "4x3xf32", "out")], "")
}

const RETURN: &str = "tensor<i32>, tensor<4x3xi1>, tensor<4x3xf32>, tensor<4x3xf32>";

#[test]
fn a_scan_over_stacked_layers_keeps_layers_apart() {
    // Layers 0 and 1 and 3 are clean, layer 2 is source; the sink sums the layers up to a bound.
    let graph = |bound: i32| {
        let text = format!(
            "    %s = stablehlo.tanh %x : tensor<4x3xf32> loc(\"step/probe/tanh\")
    %a = stablehlo.slice %x [0:2, 0:3] : (tensor<4x3xf32>) -> tensor<2x3xf32>
    %b = stablehlo.slice %s [2:3, 0:3] : (tensor<4x3xf32>) -> tensor<1x3xf32>
    %d = stablehlo.slice %x [3:4, 0:3] : (tensor<4x3xf32>) -> tensor<1x3xf32>
    %layers = stablehlo.concatenate %a, %b, %d, dim = 0 : (tensor<2x3xf32>, tensor<1x3xf32>, tensor<1x3xf32>) -> \
             tensor<4x3xf32>
    %i0 = stablehlo.constant dense<0> : tensor<i32>
    %i1 = stablehlo.constant dense<1> : tensor<i32>
    %bound = stablehlo.constant dense<{bound}> : tensor<i32>
    %begin = stablehlo.constant dense<1.0> : tensor<1x3xf32>
    %r:2 = stablehlo.while(%i = %i0, %h = %begin) : tensor<i32>, tensor<1x3xf32>
     cond {{
      %c = stablehlo.compare LT, %i, %bound, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %w = stablehlo.dynamic_slice %layers, %i, %i0, sizes = [1, 3] : (tensor<4x3xf32>, tensor<i32>, tensor<i32>) -> \
             tensor<1x3xf32>
      %g = stablehlo.multiply %h, %w : tensor<1x3xf32>
      %next = stablehlo.add %i, %i1 : tensor<i32>
      stablehlo.return %next, %g : tensor<i32>, tensor<1x3xf32>
    }}"
        );
        step(&[("x", "4x3xf32")], &text, &[("sink", "1x3xf32", "r#1")], "")
    };
    holds(&graph(2));
    leaks(&graph(3));
}

#[test]
fn rows_that_a_loop_writes_are_told_apart() {
    let graph = |row: &str| {
        counted(
            "four",
            ["zeros", "zeros"],
            &format!(
                "      %w = stablehlo.dynamic_slice %y, %i, %i0, sizes = [1, 3] : (tensor<4x3xf32>, tensor<i32>, \
                 tensor<i32>) -> tensor<1x3xf32>
      %z = stablehlo.dynamic_slice %s, %i, %i0, sizes = [1, 3] : (tensor<4x3xf32>, tensor<i32>, tensor<i32>) -> \
                 tensor<1x3xf32>
      %t = stablehlo.compare EQ, %i, %i1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %q = stablehlo.select %t, %z, %w : tensor<i1>, tensor<1x3xf32>
      %n = stablehlo.dynamic_update_slice %u, %q, %i, %i0 : (tensor<4x3xf32>, tensor<1x3xf32>, tensor<i32>, \
                 tensor<i32>) -> tensor<4x3xf32>
      stablehlo.return %next, %mask, %n, %v : {RETURN}"
            ),
            &format!(
                "%part = stablehlo.slice %r#2 [{row}, 0:3] : (tensor<4x3xf32>) -> tensor<2x3xf32>
    %out = stablehlo.concatenate %part, %part, dim = 0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>"
            ),
        )
    };
    holds(&graph("2:4"));
    leaks(&graph("1:3"));
    leaks(&graph("0:2"));
}

#[test]
fn conditions_end_at_back_edges_unless_the_mask_stays() {
    // What an iteration makes under the mask is let through by the complement of the mask in the next one.
    let graph = |bound: &str, next_mask: &str, chosen: &str| {
        counted(
            bound,
            ["y", "zeros"],
            &format!(
                "      %turned = stablehlo.not %mask : tensor<4x3xi1>
      %same = stablehlo.not %turned : tensor<4x3xi1>
      %a = stablehlo.select %mask, %s, %y : tensor<4x3xi1>, tensor<4x3xf32>
      %b = stablehlo.select %turned, %{chosen}, %v : tensor<4x3xi1>, tensor<4x3xf32>
      stablehlo.return %next, %{next_mask}, %a, %b : {RETURN}"
            ),
            "%out = stablehlo.tanh %r#3 : tensor<4x3xf32>",
        )
    };
    for bound in ["four", "some"] {
        holds(&graph(bound, "mask", "u"));
        leaks(&graph(bound, "turned", "u"));
        holds(&graph(bound, "turned", "a"));
        leaks(&graph(bound, "mask", "s"));
    }
}

#[test]
fn the_number_of_trips_is_told_only_by_what_changes() {
    let graph = |out: &str, keys: &str| {
        let body = format!(
            "    %s = stablehlo.convert %x : (tensor<f32>) -> tensor<i32> loc(\"step/probe/convert\")
    %i0 = stablehlo.constant dense<0> : tensor<i32>
    %i1 = stablehlo.constant dense<1> : tensor<i32>
    %three = stablehlo.constant dense<3> : tensor<i32>
    %bound = stablehlo.minimum %{keys}, %three : tensor<i32>
    %r:3 = stablehlo.while(%i = %i0, %u = %x, %v = %x) : tensor<i32>, tensor<f32>, tensor<f32>
     cond {{
      %c = stablehlo.compare LT, %i, %bound, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }} do {{
      %next = stablehlo.add %i, %i1 : tensor<i32>
      %a = stablehlo.add %u, %u : tensor<f32>
      stablehlo.return %next, %a, %v : tensor<i32>, tensor<f32>, tensor<f32>
    }}
    %out = stablehlo.add %r#{out}, %r#{out} : tensor<f32>"
        );
        step(&[("x", "f32"), ("k", "i32")], &body, &[("sink", "f32", "out")], "")
    };
    leaks(&graph("1", "s"));
    holds(&graph("2", "s"));
    holds(&graph("1", "k"));
}

#[test]
fn a_loop_that_changes_a_mask_makes_another_one() {
    let graph = |first: &str, second: &str| {
        counted(
            "four",
            ["y", "y"],
            &format!(
                "      %turned = stablehlo.reverse %mask, dims = [0] : tensor<4x3xi1>
      %c = stablehlo.and %turned, %mask : tensor<4x3xi1>
      stablehlo.return %next, %c, %u, %v : {RETURN}"
            ),
            &format!(
                "%n = stablehlo.not %{first} : tensor<4x3xi1>
    %a = stablehlo.select %{second}, %s, %y : tensor<4x3xi1>, tensor<4x3xf32>
    %out = stablehlo.select %n, %a, %zeros : tensor<4x3xi1>, tensor<4x3xf32>"
            ),
        )
    };
    holds(&graph("r#1", "r#1"));
    holds(&graph("m", "m"));
    leaks(&graph("r#1", "m"));
    // The loop only takes away.
    holds(&graph("m", "r#1"));
}
