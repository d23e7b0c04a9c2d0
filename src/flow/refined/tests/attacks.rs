//! Graphs that look as if nothing got through.

use super::*;

/// `s` where `first` is true, and of that what is left where `second` is true; both are `4xi1`.
fn doubly_masked(body: &str, first: &str, second: &str) -> TrainingGraph {
    let begin = "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %y = stablehlo.cosine %x : tensor<4xf32>
    %zeros = stablehlo.constant dense<0.0> : tensor<4xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %false = stablehlo.constant dense<false> : tensor<i1>
    %i0 = stablehlo.constant dense<0> : tensor<i32>
    %i1 = stablehlo.constant dense<1> : tensor<i32>
    %i9 = stablehlo.constant dense<9> : tensor<i32>
    %n = stablehlo.not %m : tensor<4xi1>\n";
    let end = format!(
        "\n    %ma = stablehlo.select %{first}, %s, %y : tensor<4xi1>, tensor<4xf32>
    %out = stablehlo.select %{second}, %ma, %zeros : tensor<4xi1>, tensor<4xf32>"
    );
    let inputs = [("x", "4xf32"), ("m", "4xi1"), ("v", "4xf32"), ("g", "4x4xf32"), ("route", "4xi32"), ("k", "i32")];
    step(&inputs, &format!("{begin}{body}{end}"), &[("sink", "4xf32", "out")], "")
}

#[test]
fn sums_of_different_slices_are_different_masks() {
    // Both slices begin at 0 with step 1; only their lengths differ.
    let graph = |length: usize| {
        doubly_masked(
            &format!(
                "    %p = stablehlo.slice %m [0:2] : (tensor<4xi1>) -> tensor<2xi1>
    %q = stablehlo.slice %m [0:{length}] : (tensor<4xi1>) -> tensor<{length}xi1>
    %any = stablehlo.reduce(%p init: %false) applies stablehlo.or across dimensions = [0] : (tensor<2xi1>, \
                 tensor<i1>) -> tensor<i1>
    %all = stablehlo.reduce(%q init: %false) applies stablehlo.or across dimensions = [0] : (tensor<{length}xi1>, \
                 tensor<i1>) -> tensor<i1>
    %none = stablehlo.not %any : tensor<i1>
    %t = stablehlo.broadcast_in_dim %all, dims = [] : (tensor<i1>) -> tensor<4xi1>
    %u = stablehlo.broadcast_in_dim %none, dims = [] : (tensor<i1>) -> tensor<4xi1>"
            ),
            "t",
            "u",
        )
    };
    holds(&graph(2));
    leaks(&graph(3));
}

#[test]
fn comparisons_of_different_slices_are_different_masks() {
    // Position 2 is (1, 0) of two columns, and (0, 2) of three.
    let graph = |columns: usize| {
        let (row, column) = if columns == 2 { (1, 0) } else { (0, 2) };
        doubly_masked(
            &format!(
                "    %h = stablehlo.transpose %g, dims = [1, 0] : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %e = stablehlo.exponential %h : tensor<4x4xf32>
    %p = stablehlo.slice %g [0:2, 0:2] : (tensor<4x4xf32>) -> tensor<2x2xf32>
    %q = stablehlo.slice %e [0:2, 0:2] : (tensor<4x4xf32>) -> tensor<2x2xf32>
    %c = stablehlo.compare LT, %p, %q, FLOAT : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xi1>
    %pp = stablehlo.slice %g [0:2, 0:{columns}] : (tensor<4x4xf32>) -> tensor<2x{columns}xf32>
    %qq = stablehlo.slice %e [0:2, 0:{columns}] : (tensor<4x4xf32>) -> tensor<2x{columns}xf32>
    %d = stablehlo.compare LT, %pp, %qq, FLOAT : (tensor<2x{columns}xf32>, tensor<2x{columns}xf32>) -> \
                 tensor<2x{columns}xi1>
    %c1 = stablehlo.slice %c [1:2, 0:1] : (tensor<2x2xi1>) -> tensor<1x1xi1>
    %d1 = stablehlo.slice %d [{row}:{}, {column}:{}] : (tensor<2x{columns}xi1>) -> tensor<1x1xi1>
    %c2 = stablehlo.reshape %c1 : (tensor<1x1xi1>) -> tensor<i1>
    %d2 = stablehlo.reshape %d1 : (tensor<1x1xi1>) -> tensor<i1>
    %d3 = stablehlo.not %d2 : tensor<i1>
    %t = stablehlo.broadcast_in_dim %c2, dims = [] : (tensor<i1>) -> tensor<4xi1>
    %u = stablehlo.broadcast_in_dim %d3, dims = [] : (tensor<i1>) -> tensor<4xi1>",
                row + 1,
                column + 1
            ),
            "t",
            "u",
        )
    };
    holds(&graph(2));
    leaks(&graph(3));
}

#[test]
fn a_source_in_the_body_of_a_reduction_is_not_its_twin_without() {
    let sum = |name: &str, scope: &str| {
        format!(
            "    %{name} = \"stablehlo.reduce\"(%x, %zero) <{{dimensions = array<i64: 0>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.negate %a : tensor<f32>{scope}
      %sum = stablehlo.add %c, %b : tensor<f32>
      stablehlo.return %sum : tensor<f32>
    }}) : (tensor<8xf32>, tensor<f32>) -> tensor<f32>\n"
        )
    };
    let graph = |scope: &str| {
        let mut body = sum("clean", "");
        body += &sum("other", scope);
        body += "    %one = stablehlo.select %p, %clean, %other : tensor<i1>, tensor<f32>
    %out = stablehlo.broadcast_in_dim %one, dims = [] : (tensor<f32>) -> tensor<8xf32>";
        example(&body)
    };
    holds(&graph(""));
    leaks(&graph(" loc(\"step/probe/negate\")"));
}

#[test]
fn the_total_order_tells_zeros_apart() {
    // `1.0 * m` is never -0, so it is never equal to that in the total order.
    let graph = |kind: &str| {
        doubly_masked(
            &format!(
                "    %mask = stablehlo.convert %m : (tensor<4xi1>) -> tensor<4xf32>
    %minus = stablehlo.constant dense<-0.0> : tensor<4xf32>
    %t = stablehlo.compare NE, %mask, %minus, {kind} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>"
            ),
            "t",
            "n",
        )
    };
    holds(&graph("FLOAT"));
    leaks(&graph("TOTALORDER"));
}

#[test]
fn a_constant_that_is_not_a_number_is_not_clamped() {
    let graph = |number: &str| {
        doubly_masked(
            &format!(
                "    %n1 = stablehlo.constant dense<{number}> : tensor<4xf32>
    %one = stablehlo.constant dense<1.0> : tensor<4xf32>
    %c = stablehlo.clamp %zeros, %n1, %one : tensor<4xf32>
    %t = stablehlo.compare NE, %c, %zeros, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>"
            ),
            "t",
            "m",
        )
    };
    holds(&graph("-2.0"));
    leaks(&graph("2.0"));
    leaks(&graph("0x7FC00000"));
}

#[test]
fn a_window_that_hangs_over_the_edge_is_written_as_far_as_it_fits() {
    let graph = |start: i32, element: usize| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<2xf32> loc(\"step/probe/tanh\")
    %at = stablehlo.constant dense<{start}> : tensor<1xi32>
    %w = \"stablehlo.scatter\"(%y, %at, %s) <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = \
             [0], scatter_dims_to_operand_dims = [0]>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      stablehlo.return %b : tensor<f32>
    }}) : (tensor<4xf32>, tensor<1xi32>, tensor<2xf32>) -> tensor<4xf32>
    %out = stablehlo.slice %w [{element}:{}] : (tensor<4xf32>) -> tensor<1xf32>",
            element + 1
        );
        step(&[("x", "2xf32"), ("y", "4xf32")], &body, &[("sink", "1xf32", "out")], "")
    };
    leaks(&graph(2, 3));
    holds(&graph(2, 1));
    leaks(&graph(3, 3));
    leaks(&graph(-1, 0));
    holds(&graph(-1, 1));
    holds(&graph(4, 3));
}

#[test]
fn starts_out_of_range_are_clamped() {
    let graph = |start: i32, first: usize| {
        example(&format!(
            "    %at = stablehlo.constant dense<{start}> : tensor<i32>
    %two = stablehlo.slice %s [0:2] : (tensor<8xf32>) -> tensor<2xf32>
    %w = stablehlo.dynamic_update_slice %y, %two, %at : (tensor<8xf32>, tensor<2xf32>, tensor<i32>) -> tensor<8xf32>
    %far = stablehlo.constant dense<{start}> : tensor<i32>
    %r = stablehlo.dynamic_slice %w, %far, sizes = [4] : (tensor<8xf32>, tensor<i32>) -> tensor<4xf32>
    %part = stablehlo.slice %r [{first}:{}] : (tensor<4xf32>) -> tensor<1xf32>
    %out = stablehlo.pad %part, %zero, low = [-1], high = [8], interior = [0] : (tensor<1xf32>, tensor<f32>) -> \
             tensor<8xf32>
    %unused = stablehlo.add %out, %out : tensor<8xf32>",
            first + 1
        ))
    };
    // The only element of the slice falls off the lower end.
    holds(&graph(100, 3));
    let kept = |start: i32, first: usize| {
        let text = format!(
            "    %at = stablehlo.constant dense<{start}> : tensor<i32>
    %two = stablehlo.slice %s [0:2] : (tensor<8xf32>) -> tensor<2xf32>
    %w = stablehlo.dynamic_update_slice %y, %two, %at : (tensor<8xf32>, tensor<2xf32>, tensor<i32>) -> tensor<8xf32>
    %part = stablehlo.slice %w [{first}:{}] : (tensor<8xf32>) -> tensor<1xf32>
    %out = stablehlo.pad %part, %zero, low = [7], high = [0], interior = [0] : (tensor<1xf32>, tensor<f32>) -> \
             tensor<8xf32>",
            first + 1
        );
        example(&text)
    };
    leaks(&kept(100, 7));
    leaks(&kept(100, 6));
    holds(&kept(100, 5));
    leaks(&kept(-100, 0));
    leaks(&kept(-100, 1));
    holds(&kept(-100, 2));
}

#[test]
fn padding_below_and_between_moves_elements() {
    let graph = |low: i32, interior: usize, picked: usize| {
        let extent = 4 + low + 3 * interior as i32 + 8;
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<1xf32> loc(\"step/probe/tanh\")
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %c = stablehlo.concatenate %y, %s, dim = 0 : (tensor<3xf32>, tensor<1xf32>) -> tensor<4xf32>
    %w = stablehlo.pad %c, %z, low = [{low}], high = [8], interior = [{interior}] : (tensor<4xf32>, tensor<f32>) -> \
             tensor<{extent}xf32>
    %out = stablehlo.slice %w [{picked}:{}] : (tensor<{extent}xf32>) -> tensor<1xf32>",
            picked + 1
        );
        step(&[("x", "1xf32"), ("y", "3xf32")], &body, &[("sink", "1xf32", "out")], "")
    };
    for (low, interior) in [(0, 0), (-2, 0), (3, 0), (0, 2), (-2, 2), (1, 1)] {
        let arrives = low + 3 * (interior as i32 + 1);
        for picked in 0..6 {
            if picked as i32 == arrives {
                leaks(&graph(low, interior, picked));
            } else {
                holds(&graph(low, interior, picked));
            }
        }
        if arrives >= 6 {
            leaks(&graph(low, interior, arrives as usize));
        }
    }
}

#[test]
fn a_value_for_padding_arrives_where_there_is_padding() {
    let graph = |low: usize| {
        example(&format!(
            "    %one = stablehlo.slice %s [0:1] : (tensor<8xf32>) -> tensor<1xf32>
    %v = stablehlo.reshape %one : (tensor<1xf32>) -> tensor<f32>
    %part = stablehlo.slice %y [0:{}] : (tensor<8xf32>) -> tensor<{}xf32>
    %out = stablehlo.pad %part, %v, low = [{low}], high = [0], interior = [0] : (tensor<{}xf32>, tensor<f32>) -> \
             tensor<8xf32>",
            8 - low,
            8 - low,
            8 - low
        ))
    };
    holds(&graph(0));
    leaks(&graph(1));
}

#[test]
fn operations_whose_attributes_differ_are_different_masks() {
    let graph = |first: &str, second: &str| {
        doubly_masked(
            &format!(
                "    %p = {first} : tensor<4x4xf32>
    %q = {second} : tensor<4x4xf32>
    %d = stablehlo.slice %p [0:1, 0:4] : (tensor<4x4xf32>) -> tensor<1x4xf32>
    %e = stablehlo.slice %q [0:1, 0:4] : (tensor<4x4xf32>) -> tensor<1x4xf32>
    %d1 = stablehlo.reshape %d : (tensor<1x4xf32>) -> tensor<4xf32>
    %e1 = stablehlo.reshape %e : (tensor<1x4xf32>) -> tensor<4xf32>
    %t = stablehlo.compare EQ, %d1, %zeros, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %u = stablehlo.compare NE, %e1, %zeros, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>"
            ),
            "t",
            "u",
        )
    };
    let pairs = [
        ("stablehlo.reverse %g, dims = [0]", "stablehlo.reverse %g, dims = [1]"),
        ("stablehlo.reverse %g, dims = [0, 1]", "stablehlo.reverse %g, dims = [1]"),
        ("stablehlo.ceil %g", "stablehlo.floor %g"),
        ("stablehlo.sine %g", "stablehlo.cosine %g"),
        ("stablehlo.reduce_precision %g, format = e5m2", "stablehlo.reduce_precision %g, format = e2m2"),
    ];
    for (first, second) in pairs {
        holds(&graph(first, first));
        if first.contains("e5m2") {
            // No small number tells the formats apart; what matters is that they are not taken as one.
            assert_eq!(Asked::default().label(&graph(first, second)), Some(Strength::Clear));
        } else {
            leaks(&graph(first, second));
        }
    }
}

#[test]
fn sorting_and_gathering_make_other_masks() {
    let graph = |mask: &str, last: &str| {
        doubly_masked(
            &format!(
                "    %sorted = \"stablehlo.sort\"(%m) <{{dimension = 0 : i64, is_stable = true}}> ({{
    ^bb0(%a: tensor<i1>, %b: tensor<i1>):
      %c = stablehlo.compare LT, %a, %b, UNSIGNED : (tensor<i1>, tensor<i1>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }}) : (tensor<4xi1>) -> tensor<4xi1>
    %at = stablehlo.constant dense<[[1], [0], [3], [2]]> : tensor<4x1xi32>
    %swapped = \"stablehlo.gather\"(%m, %at) <{{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0], \
                 start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1>}}> : (tensor<4xi1>, \
                 tensor<4x1xi32>) -> tensor<4xi1>
    %mask = stablehlo.not %{mask} : tensor<4xi1>"
            ),
            last,
            "mask",
        )
    };
    for mask in ["m", "sorted", "swapped"] {
        for last in ["m", "sorted", "swapped"] {
            if mask == last {
                holds(&graph(mask, last));
            } else {
                leaks(&graph(mask, last));
            }
        }
    }
}

#[test]
fn a_sort_moves_what_is_masked_away_from_its_mask() {
    let graph = |first: &str, second: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %n = stablehlo.not %m : tensor<4xi1>
    %a = stablehlo.select %m, %s, %x : tensor<4xi1>, tensor<4xf32>
    %r:2 = \"stablehlo.sort\"(%v, %{first}) <{{dimension = 0 : i64, is_stable = true}}> ({{
    ^bb0(%a0: tensor<f32>, %b0: tensor<f32>, %a1: tensor<f32>, %b1: tensor<f32>):
      %c = stablehlo.compare LT, %a0, %b0, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    }}) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    %out = stablehlo.select %n, %{second}, %x : tensor<4xi1>, tensor<4xf32>"
        );
        step(&[("x", "4xf32"), ("m", "4xi1"), ("v", "4xf32")], &body, &[("sink", "4xf32", "out")], "")
    };
    holds(&graph("a", "a"));
    leaks(&graph("a", "r#1"));
    holds(&graph("a", "r#0"));
}

#[test]
fn bits_of_a_masked_value_are_masked() {
    let graph = |mask: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %n = stablehlo.not %m : tensor<4xi1>
    %a = stablehlo.select %m, %s, %x : tensor<4xi1>, tensor<4xf32>
    %b = stablehlo.bitcast_convert %a : (tensor<4xf32>) -> tensor<4xi32>
    %c = stablehlo.convert %{mask} : (tensor<4xi1>) -> tensor<4xi32>
    %minus = stablehlo.negate %c : tensor<4xi32>
    %out = stablehlo.and %b, %minus : tensor<4xi32>"
        );
        step(&[("x", "4xf32"), ("m", "4xi1")], &body, &[("sink", "4xi32", "out")], "")
    };
    holds(&graph("n"));
    leaks(&graph("m"));
}

#[test]
fn narrowing_a_number_does_not_keep_it_from_zero() {
    let graph = |through: &str, kept: &str| {
        doubly_masked(
            &format!(
                "    %c = {through}
    %i0s = stablehlo.constant dense<0> : tensor<4x{kept}>
    %none = stablehlo.constant dense<0> : tensor<4xi32>
    %t = stablehlo.compare NE, %route, %none, SIGNED : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
    %u = stablehlo.compare EQ, %c, %i0s, SIGNED : (tensor<4x{kept}>, tensor<4x{kept}>) -> tensor<4xi1>"
            ),
            "t",
            "u",
        )
    };
    holds(&graph("stablehlo.convert %route : (tensor<4xi32>) -> tensor<4xi32>", "i32"));
    let narrowed = graph("stablehlo.convert %route : (tensor<4xi32>) -> tensor<4xi2>", "i2");
    leaks(&narrowed);
}

#[test]
fn arithmetic_of_truth_values_is_logic() {
    let graph = |operation: &str, first: &str, second: &str| {
        doubly_masked(
            &format!(
                "    %o = stablehlo.compare LT, %v, %zeros, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %both = stablehlo.{operation} %m, %o : tensor<4xi1>
    %neither = stablehlo.not %both : tensor<4xi1>"
            ),
            first,
            second,
        )
    };
    for or in ["add", "or", "maximum"] {
        holds(&graph(or, "m", "neither"));
        leaks(&graph(or, "both", "n"));
    }
    for and in ["multiply", "and", "minimum"] {
        holds(&graph(and, "both", "n"));
        leaks(&graph(and, "m", "neither"));
    }
    leaks(&graph("xor", "both", "n"));
    leaks(&graph("xor", "m", "neither"));
}

#[test]
fn zero_times_a_source_is_not_zero() {
    let finite = Asked { finite: true, ..Asked::default() };
    for operation in ["multiply", "maximum", "minimum", "divide", "power", "add"] {
        let graph = example(&format!("    %out = stablehlo.{operation} %zeros, %s : tensor<8xf32>"));
        leaks(&graph);
        if operation == "multiply" {
            finite.holds(&graph);
        } else if operation != "divide" {
            finite.leaks(&graph);
        } else {
            assert_eq!(finite.label(&graph), Some(Strength::Clear));
        }
    }
}

#[test]
fn products_of_integers_with_zero_are_zero() {
    let graph = |list: &str| {
        example(&format!(
            "    %i = stablehlo.convert %s : (tensor<8xf32>) -> tensor<8xi32>
    %t = stablehlo.convert %m : (tensor<8xi1>) -> tensor<8xi32>
    %u = stablehlo.convert %{list} : (tensor<8xi1>) -> tensor<8xi32>
    %a = stablehlo.multiply %i, %t : tensor<8xi32>
    %b = stablehlo.multiply %u, %a : tensor<8xi32>
    %out = stablehlo.convert %b : (tensor<8xi32>) -> tensor<8xf32>"
        ))
    };
    // From the source's floats to integers: the interpreter's way with NaN does not matter, zero times that is zero.
    holds(&graph("n"));
    leaks(&graph("m"));
}

#[test]
fn shapes_without_elements_are_no_trouble() {
    let graph = |body: &str, of: &str| {
        let body = format!("    %s = stablehlo.tanh %x : tensor<{of}> loc(\"step/probe/tanh\")\n{body}");
        step(&[("x", of), ("y", "2xf32")], &body, &[("sink", "2xf32", "out")], "")
    };
    let zero = "    %zero = stablehlo.constant dense<0.0> : tensor<f32>\n";
    holds(&graph(
        "    %out = stablehlo.concatenate %s, %y, dim = 0 : (tensor<0xf32>, tensor<2xf32>) -> tensor<2xf32>",
        "0xf32",
    ));
    holds(&graph(
        &format!(
            "{zero}    %out = stablehlo.pad %s, %zero, low = [1], high = [1], interior = [0] : (tensor<0xf32>, \
             tensor<f32>) -> tensor<2xf32>"
        ),
        "0xf32",
    ));
    holds(&graph(
        &format!(
            "{zero}    %out = stablehlo.reduce(%s init: %zero) applies stablehlo.add across dimensions = [1] : \
             (tensor<2x0xf32>, tensor<f32>) -> tensor<2xf32>"
        ),
        "2x0xf32",
    ));
    // Too large to count its elements, and none of them.
    let vast = "0x1099511627776x1099511627776xf32";
    let graph = graph(
        &format!(
            "    %at = stablehlo.constant dense<0> : tensor<0x1099511627776x1099511627776xi32>
    %g = \"stablehlo.gather\"(%y, %at) <{{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0], \
             start_index_map = [0], index_vector_dim = 3>, slice_sizes = array<i64: 1>}}> : (tensor<2xf32>, \
             tensor<0x1099511627776x1099511627776xi32>) -> tensor<{vast}>
    %a = stablehlo.add %g, %s : tensor<{vast}>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %b = stablehlo.reduce(%a init: %zero) applies stablehlo.add across dimensions = [0, 1, 2] : (tensor<{vast}>, \
             tensor<f32>) -> tensor<f32>
    %out = stablehlo.broadcast_in_dim %b, dims = [] : (tensor<f32>) -> tensor<2xf32>"
        ),
        vast,
    );
    // That it comes back is all that is asked.
    Asked::default().label(&graph);
}

#[test]
fn a_mask_of_one_device_says_nothing_of_another() {
    let label = |operation: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %n = stablehlo.not %m : tensor<4xi1>
    %a = stablehlo.select %m, %s, %x : tensor<4xi1>, tensor<4xf32>
    %shared = {operation}
    %out = stablehlo.select %n, %shared, %x : tensor<4xi1>, tensor<4xf32>"
        );
        let graph = step(&[("x", "4xf32"), ("m", "4xi1")], &body, &[("sink", "4xf32", "out")], "");
        Asked::default().label(&graph)
    };
    assert_eq!(label("stablehlo.optimization_barrier %a : tensor<4xf32>"), None);
    let permute = "\"stablehlo.collective_permute\"(%a) <{source_target_pairs = dense<[[0, 1], [1, 0]]> : \
                   tensor<2x2xi64>}> : (tensor<4xf32>) -> tensor<4xf32>";
    assert_eq!(label(permute), Some(Strength::Clear));
    let sum = "\"stablehlo.all_reduce\"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%l: tensor<f32>, %r: tensor<f32>):
      %sum = stablehlo.add %l, %r : tensor<f32>
      stablehlo.return %sum : tensor<f32>
    }) : (tensor<4xf32>) -> tensor<4xf32>";
    assert_eq!(label(sum), Some(Strength::Clear));
    let unknown = "stablehlo.custom_call @mystery(%a) : (tensor<4xf32>) -> tensor<4xf32>";
    assert_eq!(label(unknown), Some(Strength::Opaque));
}

#[test]
fn two_draws_are_two_masks() {
    let graph = |second: &str| {
        let draw = |name: &str| {
            format!(
                "    %{name} = stablehlo.rng %zero, %one, %shape, distribution = UNIFORM : (tensor<f32>, tensor<f32>, \
                 tensor<1xi64>) -> tensor<8xf32>\n"
            )
        };
        let body = format!(
            "    %one = stablehlo.constant dense<1.0> : tensor<f32>
    %shape = stablehlo.constant dense<[8]> : tensor<1xi64>
    %half = stablehlo.constant dense<0.5> : tensor<8xf32>
{}{}    %t = stablehlo.compare LT, %a, %half, FLOAT : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %u = stablehlo.compare LT, %{second}, %half, FLOAT : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %f = stablehlo.not %u : tensor<8xi1>
    %c = stablehlo.select %t, %s, %y : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %f, %c, %zeros : tensor<8xi1>, tensor<8xf32>",
            draw("a"),
            draw("b")
        );
        Asked::default().label(&example(&body))
    };
    assert_eq!(graph("a"), None);
    assert_eq!(graph("b"), Some(Strength::Clear));
}
