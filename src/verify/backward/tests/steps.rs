//! Steps by hand: what element, mask and loop arithmetic must prove, each beside what it must refuse.

use super::*;

/// A source of this type.
fn source(name: &str, from: &str, of: &str) -> String {
    format!("    %{name} = stablehlo.tanh %{from} : tensor<{of}> loc(\"step/probe/tanh\")\n")
}

#[test]
fn two_groups_ravelled_for_one_optimizer_are_told_apart() {
    let step = |first: usize| {
        let last = first + 4;
        let body = source("s", "desires", "2x3xf32")
            + &format!(
                "    %b = stablehlo.cosine %beliefs : tensor<4xf32>
    %d = stablehlo.reshape %s : (tensor<2x3xf32>) -> tensor<6xf32>
    %g = stablehlo.concatenate %b, %d, dim = 0 : (tensor<4xf32>, tensor<6xf32>) -> tensor<10xf32>
    %c = stablehlo.constant dense<1.000000e-01> : tensor<f32>
    %rate = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<10xf32>
    %scaled = stablehlo.multiply %rate, %g : tensor<10xf32>
    %moment = stablehlo.add %mu, %scaled : tensor<10xf32>
    %square = stablehlo.multiply %g, %g : tensor<10xf32>
    %second = stablehlo.add %nu, %square : tensor<10xf32>
    %root = stablehlo.sqrt %second : tensor<10xf32>
    %update = stablehlo.divide %moment, %root : tensor<10xf32>
    %ub = stablehlo.slice %update [{first}:{last}] : (tensor<10xf32>) -> tensor<4xf32>
    %ud = stablehlo.slice %update [4:10] : (tensor<10xf32>) -> tensor<6xf32>
    %ur = stablehlo.reshape %ud : (tensor<6xf32>) -> tensor<2x3xf32>
    %nb = stablehlo.add %beliefs, %ub : tensor<4xf32>
    %nd = stablehlo.add %desires, %ur : tensor<2x3xf32>"
            );
        let inputs = [("beliefs", "4xf32"), ("desires", "2x3xf32"), ("mu", "10xf32"), ("nu", "10xf32")];
        let outputs = [
            ("sink", "4xf32", "nb"),
            ("desires", "2x3xf32", "nd"),
            ("mu", "10xf32", "moment"),
            ("nu", "10xf32", "second"),
        ];
        super::step(&inputs, &body, &outputs, "")
    };
    proved(&step(0));
    refused(&step(1));
}

#[test]
fn a_ravelled_optimizer_is_told_apart_over_a_run_too() {
    let body = source("s", "desires", "6xf32")
        + "    %b = stablehlo.cosine %beliefs : tensor<4xf32>
    %g = stablehlo.concatenate %b, %s, dim = 0 : (tensor<4xf32>, tensor<6xf32>) -> tensor<10xf32>
    %moment = stablehlo.add %mu, %g : tensor<10xf32>
    %ub = stablehlo.slice %moment [0:4] : (tensor<10xf32>) -> tensor<4xf32>
    %ud = stablehlo.slice %moment [4:10] : (tensor<10xf32>) -> tensor<6xf32>
    %nb = stablehlo.add %beliefs, %ub : tensor<4xf32>
    %nd = stablehlo.add %desires, %ud : tensor<6xf32>";
    let graph = super::step(
        &[("sink", "4xf32"), ("desires", "6xf32"), ("mu", "10xf32")],
        &body.replace("%beliefs", "%sink"),
        &[("sink", "4xf32", "nb"), ("desires", "6xf32", "nd"), ("mu", "10xf32", "moment")],
        "",
    );
    assert_eq!(problems_within(&graph, Within::Run, &PLAIN, &[]), Vec::<String>::new());
    let rolled = body.replace("%beliefs", "%sink").replace("add %mu, %g", "add %turned, %g");
    let rolled = format!("    %turned = stablehlo.reverse %mu, dims = [0] : tensor<10xf32>\n{rolled}");
    let graph = super::step(
        &[("sink", "4xf32"), ("desires", "6xf32"), ("mu", "10xf32")],
        &rolled,
        &[("sink", "4xf32", "nb"), ("desires", "6xf32", "nd"), ("mu", "10xf32", "moment")],
        "",
    );
    assert_eq!(problems_within(&graph, Within::Step, &PLAIN, &[]), Vec::<String>::new());
    assert!(!problems_within(&graph, Within::Run, &PLAIN, &[]).is_empty());
}

#[test]
fn rows_of_one_stacked_array_are_told_apart() {
    let step = |update: &str, row: usize| {
        let next = row + 1;
        let body = source("s", "x", "4xf32")
            + &format!(
                "    %row = stablehlo.reshape %s : (tensor<4xf32>) -> tensor<1x4xf32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %index = stablehlo.constant dense<1> : tensor<1xi32>
{update}
    %t = stablehlo.transpose %new, dims = [1, 0] : (tensor<3x4xf32>) -> tensor<4x3xf32>
    %f = stablehlo.exponential %t : tensor<4x3xf32>
    %part = stablehlo.slice %f [0:4, {row}:{next}] : (tensor<4x3xf32>) -> tensor<4x1xf32>"
            );
        super::step(&[("x", "4xf32"), ("stack", "3x4xf32")], &body, &[("sink", "4x1xf32", "part")], "")
    };
    let slice = "    %new = stablehlo.dynamic_update_slice %stack, %row, %one, %zero : (tensor<3x4xf32>, tensor<1x4xf32>, \
                 tensor<i32>, tensor<i32>) -> tensor<3x4xf32>";
    let scatter = "    %new = \"stablehlo.scatter\"(%stack, %index, %s) <{indices_are_sorted = true, \
                   scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [0], inserted_window_dims = [0], \
                   scatter_dims_to_operand_dims = [0]>, unique_indices = true}> ({
    ^bb0(%old: tensor<f32>, %given: tensor<f32>):
      stablehlo.return %given : tensor<f32>
    }) : (tensor<3x4xf32>, tensor<1xi32>, tensor<4xf32>) -> tensor<3x4xf32>";
    let parts = "    %above = stablehlo.slice %stack [0:1, 0:4] : (tensor<3x4xf32>) -> tensor<1x4xf32>
    %below = stablehlo.slice %stack [2:3, 0:4] : (tensor<3x4xf32>) -> tensor<1x4xf32>
    %new = stablehlo.concatenate %above, %row, %below, dim = 0 : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) \
                 -> tensor<3x4xf32>";
    for update in [slice, scatter, parts] {
        for row in 0..3 {
            let graph = step(update, row);
            if row == 1 { refused(&graph) } else { proved(&graph) }
        }
    }
}

/// What overwrites a row of the source hides it; what adds to it does not.
#[test]
fn a_row_that_is_written_over_is_gone() {
    let step = |given: &str, index: &str| {
        let body = source("s", "stack", "3x4xf32")
            + &format!(
                "    %index = stablehlo.constant dense<{index}> : tensor<1xi32>
    %new = \"stablehlo.scatter\"(%s, %index, %x) <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = \
                 [0], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0]>}}> ({{
    ^bb0(%old: tensor<f32>, %given: tensor<f32>):
      %sum = stablehlo.add %old, %given : tensor<f32>
      stablehlo.return %{given} : tensor<f32>
    }}) : (tensor<3x4xf32>, tensor<1xi32>, tensor<4xf32>) -> tensor<3x4xf32>
    %part = stablehlo.slice %new [1:2, 0:4] : (tensor<3x4xf32>) -> tensor<1x4xf32>"
            );
        super::step(&[("x", "4xf32"), ("stack", "3x4xf32")], &body, &[("sink", "1x4xf32", "part")], "")
    };
    proved(&step("given", "1"));
    refused(&step("sum", "1"));
    refused(&step("given", "2"));
    refused(&step("given", "7"));
}

/// A batch of which the first half is scored, and a constant mask.
fn half_masked(mask: &str, first: usize) -> TrainingGraph {
    let last = first + 4;
    let body = source("s", "x", "8xf32")
        + &format!(
            "    %mask = stablehlo.constant dense<{mask}> : tensor<8xi1>
    %y = stablehlo.cosine %x : tensor<8xf32>
    %mixed = stablehlo.select %mask, %s, %y : tensor<8xi1>, tensor<8xf32>
    %part = stablehlo.slice %mixed [{first}:{last}] : (tensor<8xf32>) -> tensor<4xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %sum = stablehlo.reduce(%part init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, \
             tensor<f32>) -> tensor<f32>"
        );
    super::step(&[("x", "8xf32")], &body, &[("sink", "f32", "sum")], "")
}

#[test]
fn a_concatenated_batch_with_a_constant_mask_is_told_apart() {
    let mask = "[true, true, true, true, false, false, false, false]";
    proved(&half_masked(mask, 4));
    refused(&half_masked(mask, 3));
    refused(&half_masked("true", 4));
    // The mask may also be computed: iota and a comparison.
    let computed = |limit: usize| {
        let body = source("s", "x", "8xf32")
            + &format!(
                "    %iota = stablehlo.iota dim = 0 : tensor<8xi32>
    %limit = stablehlo.constant dense<{limit}> : tensor<8xi32>
    %mask = stablehlo.compare LT, %iota, %limit, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %wide = stablehlo.broadcast_in_dim %mask, dims = [1] : (tensor<8xi1>) -> tensor<3x8xi1>
    %ws = stablehlo.broadcast_in_dim %s, dims = [1] : (tensor<8xf32>) -> tensor<3x8xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<3x8xf32>
    %mixed = stablehlo.select %wide, %ws, %zero : tensor<3x8xi1>, tensor<3x8xf32>
    %part = stablehlo.slice %mixed [0:3, 4:8] : (tensor<3x8xf32>) -> tensor<3x4xf32>"
            );
        super::step(&[("x", "8xf32")], &body, &[("sink", "3x4xf32", "part")], "")
    };
    proved(&computed(4));
    refused(&computed(5));
}

/// A loop over three layers; the source is the last row of what it reads.
fn layers(start: &str, taken: usize) -> TrainingGraph {
    let next = taken + 1;
    let body = source("s", "x", "1x4xf32")
        + &format!(
            "    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %two = stablehlo.constant dense<2> : tensor<i32>
    %three = stablehlo.constant dense<3> : tensor<i32>
    %read = stablehlo.dynamic_update_slice %stack, %s, %two, %zero : (tensor<3x4xf32>, tensor<1x4xf32>, tensor<i32>, \
             tensor<i32>) -> tensor<3x4xf32>
    %out:2 = stablehlo.while(%i = %{start}, %all = %stack) : tensor<i32>, tensor<3x4xf32>
    cond {{
      %more = stablehlo.compare LT, %i, %three, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    }} do {{
      %layer = stablehlo.dynamic_slice %read, %i, %zero, sizes = [1, 4] : (tensor<3x4xf32>, tensor<i32>, tensor<i32>) \
             -> tensor<1x4xf32>
      %f = stablehlo.exponential %layer : tensor<1x4xf32>
      %new = stablehlo.dynamic_update_slice %all, %f, %i, %zero : (tensor<3x4xf32>, tensor<1x4xf32>, tensor<i32>, \
             tensor<i32>) -> tensor<3x4xf32>
      %next = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %next, %new : tensor<i32>, tensor<3x4xf32>
    }}
    %part = stablehlo.slice %out#1 [{taken}:{next}, 0:4] : (tensor<3x4xf32>) -> tensor<1x4xf32>"
        );
    let inputs = [("x", "1x4xf32"), ("stack", "3x4xf32"), ("first", "i32")];
    super::step(&inputs, &body, &[("sink", "1x4xf32", "part")], "")
}

#[test]
fn a_loop_over_stacked_layers_is_followed_by_its_counter() {
    proved(&layers("zero", 0));
    proved(&layers("zero", 1));
    refused(&layers("zero", 2));
    // A counter that is not known tells nothing apart.
    refused(&layers("first", 0));
}

const ROUTES: [(&str, &str); 2] = [("x", "8xf32"), ("route", "8xi32")];

/// The score is taken where the first route test says so, the result where the second does.
fn routed(first: &str, second: &str) -> TrainingGraph {
    let body = source("s", "x", "8xf32")
        + &format!(
            "    %one = stablehlo.constant dense<1> : tensor<8xi32>
    %two = stablehlo.constant dense<2> : tensor<8xi32>
    %y = stablehlo.cosine %x : tensor<8xf32>
    %m = stablehlo.compare {first}, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    %n = stablehlo.compare {second}, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %zero = stablehlo.constant dense<0.0> : tensor<8xf32>
    %b = stablehlo.select %n, %a, %zero : tensor<8xi1>, tensor<8xf32>"
        );
    super::step(&ROUTES, &body, &[("sink", "8xf32", "b")], "")
}

#[test]
fn routing_by_where_is_told_apart_by_equal_and_by_other_constants() {
    proved(&routed("EQ, %route, %one", "NE, %route, %one"));
    proved(&routed("EQ, %route, %one", "EQ, %route, %two"));
    proved(&routed("LT, %route, %two", "GE, %route, %two"));
    proved(&routed("LT, %route, %one", "EQ, %route, %two"));
    refused(&routed("EQ, %route, %one", "EQ, %route, %one"));
    refused(&routed("EQ, %route, %one", "GE, %route, %one"));
    refused(&routed("NE, %route, %one", "NE, %route, %two"));
}

/// `m * score + (1 - m) * y`, read where `keep` says.
fn blended(mask: &str, keep: &str) -> TrainingGraph {
    let body = source("s", "x", "8xf32")
        + &format!(
            "    %one = stablehlo.constant dense<1> : tensor<8xi32>
    %ones = stablehlo.constant dense<1.0> : tensor<8xf32>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %y = stablehlo.cosine %x : tensor<8xf32>
    %p = stablehlo.compare EQ, %route, %one, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %q = stablehlo.compare NE, %route, %one, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %m = {mask} -> tensor<8xf32>
    %n = stablehlo.subtract %ones, %m : tensor<8xf32>
    %a = stablehlo.multiply %m, %s : tensor<8xf32>
    %b = stablehlo.multiply %n, %y : tensor<8xf32>
    %mixed = stablehlo.add %a, %b : tensor<8xf32>
    %out = stablehlo.multiply %mixed, %{keep} : tensor<8xf32>"
        );
    super::step(&ROUTES, &body, &[("sink", "8xf32", "out")], "")
}

const CONVERTED: &str = "stablehlo.convert %p : (tensor<8xi1>)";

#[test]
fn a_masked_product_is_a_barrier_only_where_operands_are_finite() {
    let graph = blended(CONVERTED, "n");
    assert_eq!(problems(&graph, &FINITE), Vec::<String>::new());
    refused(&graph);
    // The mask itself, and a mask that is no complement, hide nothing.
    assert!(!problems(&blended(CONVERTED, "m"), &FINITE).is_empty());
    assert!(!problems(&blended(CONVERTED, "x"), &FINITE).is_empty());
    // What the proof used is told.
    let certificate = certificate(&graph, Within::Step, "scope:probe", "output:result.sink");
    let claim = Claim::new(&certificate, &[&graph], &BySelectors { names: &[] }).expect("a claim");
    assert!(prove(&claim, &FINITE, &[]).is_ok_and(|proof| !proof.finite.is_empty()));
}

#[test]
fn a_float_mask_from_outside_counts_only_if_it_is_declared() {
    let body = source("s", "x", "8xf32")
        + "    %ones = stablehlo.constant dense<1.0> : tensor<8xf32>
    %n = stablehlo.subtract %ones, %mask : tensor<8xf32>
    %a = stablehlo.multiply %mask, %s : tensor<8xf32>
    %out = stablehlo.multiply %a, %n : tensor<8xf32>";
    let graph = super::step(&[("x", "8xf32"), ("mask", "8xf32")], &body, &[("sink", "8xf32", "out")], "");
    let declared = [PytreePath::parse("mask")];
    assert_eq!(problems(&graph, &Allowed { finite: true, binary: &declared }), Vec::<String>::new());
    assert!(!problems(&graph, &Allowed { finite: false, binary: &declared }).is_empty());
    assert!(!problems(&graph, &FINITE).is_empty());
}

#[test]
fn a_contradiction_over_a_contracted_dimension_is_seen_in_a_dot() {
    let step = |left: &str| {
        let body = source("s", "x", "8xf32")
            + &format!(
                "    %one = stablehlo.constant dense<1> : tensor<8xi32>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %p = stablehlo.compare EQ, %route, %one, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %a = stablehlo.select %p, %s, %x : tensor<8xi1>, tensor<8xf32>
    %m = stablehlo.select %p, {left} : tensor<8xi1>, tensor<8xf32>
    %dot = stablehlo.dot_general %a, %m, contracting_dims = [0] x [0] : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>"
            );
        super::step(&ROUTES, &body, &[("sink", "f32", "dot")], "")
    };
    assert_eq!(problems(&step("%zeros, %x"), &FINITE), Vec::<String>::new());
    refused(&step("%zeros, %x"));
    assert!(!problems(&step("%x, %zeros"), &FINITE).is_empty());
}

#[test]
fn a_branch_by_a_known_index_is_the_branch_alone() {
    let step = |index: &str| {
        let body = source("s", "x", "4xf32")
            + &format!(
                "    %one = stablehlo.constant dense<1> : tensor<i32>
    %out = \"stablehlo.case\"({index}) ({{
      stablehlo.return %s : tensor<4xf32>
    }}, {{
      stablehlo.return %x : tensor<4xf32>
    }}) : (tensor<i32>) -> tensor<4xf32>"
            );
        super::step(&[("x", "4xf32"), ("i", "i32")], &body, &[("sink", "4xf32", "out")], "")
    };
    proved(&step("%one"));
    refused(&step("%i"));
}

/// Two branches by one index: what the first takes in case 0 the second takes in case 1 only.
#[test]
fn branches_by_one_index_exclude_each_other_but_the_last_takes_the_rest() {
    let step = |second: [&str; 3]| {
        let [a, b, c] = second;
        let body = source("s", "x", "4xf32")
            + &format!(
                "    %y = stablehlo.cosine %x : tensor<4xf32>
    %first = \"stablehlo.case\"(%i) ({{
      stablehlo.return %s : tensor<4xf32>
    }}, {{
      stablehlo.return %x : tensor<4xf32>
    }}, {{
      stablehlo.return %y : tensor<4xf32>
    }}) : (tensor<i32>) -> tensor<4xf32>
    %out = \"stablehlo.case\"(%i) ({{
      stablehlo.return %{a} : tensor<4xf32>
    }}, {{
      stablehlo.return %{b} : tensor<4xf32>
    }}, {{
      stablehlo.return %{c} : tensor<4xf32>
    }}) : (tensor<i32>) -> tensor<4xf32>"
            );
        super::step(&[("x", "4xf32"), ("i", "i32")], &body, &[("sink", "4xf32", "out")], "")
    };
    proved(&step(["x", "first", "y"]));
    refused(&step(["first", "x", "y"]));
    refused(&step(["x", "y", "first"]));
}

/// More trips than are unrolled: the loop is followed once for all of them, and its values are still told apart.
#[test]
fn a_long_loop_is_followed_once_for_all_trips() {
    let long = |sink: &str, given: &str, limit: &str| {
        let body = source("s", "x", "4xf32")
            + &format!(
                "    %zero = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %long = stablehlo.constant dense<1000000> : tensor<i32>
    %w:4 = stablehlo.while(%i = %zero, %a = %y, %b = %y, %k = %s) : tensor<i32>, tensor<4xf32>, tensor<4xf32>, \
                 tensor<4xf32>
    cond {{
      %more = stablehlo.compare LT, %i, {limit}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    }} do {{
      %next = stablehlo.add %i, %one : tensor<i32>
      %c = stablehlo.add %a, %k : tensor<4xf32>
      %d = stablehlo.cosine %{given} : tensor<4xf32>
      stablehlo.return %next, %c, %d, %k : tensor<i32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
    }}"
            );
        let inputs = [("x", "4xf32"), ("y", "4xf32"), ("limit", "i32")];
        super::step(&inputs, &body, &[("sink", "4xf32", sink)], "")
    };
    for limit in ["%long", "%limit"] {
        proved(&long("w#2", "b", limit));
        refused(&long("w#1", "b", limit));
        refused(&long("w#2", "a", limit));
        refused(&long("w#3", "b", limit));
    }
}
