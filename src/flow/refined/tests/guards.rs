//! Conditions: each mask that holds, beside the same step with a mask that does not.

use super::*;

#[test]
fn a_mask_and_its_complement_exclude_each_other() {
    let graph = |other: &str| {
        example(&format!(
            "    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %{other}, %a, %zeros : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    holds(&graph("n"));
    // the wrong complement
    leaks(&graph("m"));
}

#[test]
fn a_complement_of_a_conjunction_is_none_of_its_parts() {
    let graph = |first: &str, second: &str| {
        example(&format!(
            "    %c = stablehlo.compare LT, %route, %length, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %both = stablehlo.and %m, %c : tensor<8xi1>
    %any = stablehlo.or %m, %c : tensor<8xi1>
    %neither = stablehlo.not %any : tensor<8xi1>
    %apart = stablehlo.not %both : tensor<8xi1>
    %a = stablehlo.select %{first}, %s, %y : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %{second}, %a, %zeros : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    holds(&graph("both", "n"));
    holds(&graph("m", "neither"));
    holds(&graph("any", "neither"));
    leaks(&graph("any", "n"));
    leaks(&graph("m", "apart"));
    leaks(&graph("apart", "m"));
}

#[test]
fn a_labelled_mask_excludes_nothing() {
    let graph = |of: &str| {
        example(&format!(
            "    %t = stablehlo.compare LT, %{of}, %zeros, FLOAT : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %f = stablehlo.not %t : tensor<8xi1>
    %a = stablehlo.select %t, %s, %y : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %f, %a, %zeros : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    leaks(&graph("s"));
    holds(&graph("z"));
}

#[test]
fn a_residual_path_around_a_mask_is_seen() {
    let graph = |residual: &str| {
        example(&format!(
            "    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    %b = stablehlo.select %n, %a, %zeros : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.add %b, %{residual} : tensor<8xf32>"
        ))
    };
    holds(&graph("y"));
    leaks(&graph("a"));
    leaks(&graph("s"));
}

#[test]
fn not_less_is_greater_or_equal_for_integers_and_not_for_floats() {
    let by = |of: &str, first: &str, second: &str| {
        example(&format!(
            "    %t = stablehlo.compare {first} : (tensor<{of}>, tensor<{of}>) -> tensor<8xi1>
    %u = stablehlo.compare {second} : (tensor<{of}>, tensor<{of}>) -> tensor<8xi1>
    %a = stablehlo.select %t, %y, %s : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %u, %zeros, %a : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    let floats = |first: &str, second: &str| by("8xf32", first, second);
    leaks(&floats("LT, %z, %x, FLOAT", "GE, %z, %x, FLOAT"));
    leaks(&floats("LE, %z, %x, FLOAT", "GT, %z, %x, FLOAT"));
    holds(&floats("EQ, %z, %zeros, FLOAT", "NE, %z, %zeros, FLOAT"));
    leaks(&floats("EQ, %z, %zeros, TOTALORDER", "NE, %z, %zeros, FLOAT"));
    let integers = |second: &str| by("8xi32", "LT, %route, %length, SIGNED", &format!("{second}, SIGNED"));
    holds(&integers("GE, %route, %length"));
    holds(&integers("LE, %length, %route"));
    leaks(&integers("GT, %route, %length"));
    leaks(&integers("LE, %route, %length"));
}

#[test]
fn two_constants_exclude_each_other_and_their_complements_do_not() {
    let graph = |first: &str, second: &str| {
        example(&format!(
            "    %two = stablehlo.constant dense<2> : tensor<8xi32>
    %three = stablehlo.constant dense<3> : tensor<8xi32>
    %t = stablehlo.compare {first}, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %u = stablehlo.compare {second}, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %a = stablehlo.select %t, %s, %y : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %u, %a, %zeros : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    holds(&graph("EQ, %route, %two", "EQ, %route, %three"));
    holds(&graph("EQ, %route, %two", "NE, %two, %route"));
    leaks(&graph("EQ, %route, %two", "EQ, %length, %three"));
    leaks(&graph("NE, %route, %two", "NE, %route, %three"));
}

#[test]
fn masks_move_with_what_they_mask() {
    let graph = |of_mask: &str, of_value: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<2x4xf32> loc(\"step/probe/tanh\")
    %a = stablehlo.select %m, %s, %x : tensor<2x4xi1>, tensor<2x4xf32>
    %v = {of_value} : (tensor<2x4xf32>) -> tensor<4x2xf32>
    %w = {of_mask} : (tensor<2x4xi1>) -> tensor<4x2xi1>
    %n = stablehlo.not %w : tensor<4x2xi1>
    %zeros = stablehlo.constant dense<0.0> : tensor<4x2xf32>
    %out = stablehlo.select %n, %v, %zeros : tensor<4x2xi1>, tensor<4x2xf32>"
        );
        step(&[("x", "2x4xf32"), ("m", "2x4xi1")], &body, &[("sink", "4x2xf32", "out")], "")
    };
    let moves = |of: &str| [format!("stablehlo.transpose %{of}, dims = [1, 0]"), format!("stablehlo.reshape %{of}")];
    let (masks, values) = (moves("m"), moves("a"));
    for (position, mask) in masks.iter().enumerate() {
        for (other, value) in values.iter().enumerate() {
            if position == other {
                holds(&graph(mask, value));
            } else {
                leaks(&graph(mask, value));
            }
        }
    }
}

#[test]
fn a_reversed_mask_is_another_one() {
    let graph = |mask: &str, last: &str| {
        example(&format!(
            "    %r = stablehlo.reverse %m, dims = [0] : tensor<8xi1>
    %a = stablehlo.select %{mask}, %s, %y : tensor<8xi1>, tensor<8xf32>
    %b = stablehlo.reverse %a, dims = [0] : tensor<8xf32>
    %c = stablehlo.select %n, %{last}, %zeros : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.add %c, %y : tensor<8xf32>"
        ))
    };
    holds(&graph("m", "a"));
    leaks(&graph("m", "b"));
    holds(&graph("r", "b"));
    leaks(&graph("r", "a"));
}

#[test]
fn a_slice_of_a_mask_masks_that_slice() {
    let graph = |mask: usize, value: usize| {
        example(&format!(
            "    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    %part = stablehlo.slice %a [{value}:{}:2] : (tensor<8xf32>) -> tensor<3xf32>
    %mask = stablehlo.slice %n [{mask}:{}:2] : (tensor<8xi1>) -> tensor<3xi1>
    %none = stablehlo.constant dense<0.0> : tensor<3xf32>
    %kept = stablehlo.select %mask, %part, %none : tensor<3xi1>, tensor<3xf32>
    %out = stablehlo.pad %kept, %zero, low = [0], high = [5], interior = [0] : (tensor<3xf32>, tensor<f32>) -> \
             tensor<8xf32>",
            value + 6,
            mask + 6
        ))
    };
    holds(&graph(1, 1));
    leaks(&graph(0, 1));
    leaks(&graph(1, 0));
}

#[test]
fn branches_are_conditions_too() {
    let graph = |first: &str, second: &str| {
        example(&format!(
            "    %a = \"stablehlo.if\"(%p) ({{\n      stablehlo.return %{first} : tensor<8xf32>\n    }}, {{
      stablehlo.return %y : tensor<8xf32>\n    }}) : (tensor<i1>) -> tensor<8xf32>
    %out = \"stablehlo.if\"(%p) ({{\n      stablehlo.return %zeros : tensor<8xf32>\n    }}, {{
      stablehlo.return %{second} : tensor<8xf32>\n    }}) : (tensor<i1>) -> tensor<8xf32>"
        ))
    };
    holds(&graph("s", "a"));
    leaks(&graph("s", "s"));
    holds(&graph("y", "a"));
}

#[test]
fn the_last_branch_takes_every_index_out_of_range() {
    let graph = |branches: [&str; 2], constant: &str| {
        example(&format!(
            "    %a = \"stablehlo.case\"(%k) ({{\n      stablehlo.return %{} : tensor<8xf32>\n    }}, {{
      stablehlo.return %{} : tensor<8xf32>\n    }}) : (tensor<i32>) -> tensor<8xf32>
    %t = stablehlo.compare EQ, %k, %{constant}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %out = stablehlo.select %t, %zeros, %a : tensor<i1>, tensor<8xf32>",
            branches[0], branches[1]
        ))
    };
    holds(&graph(["s", "y"], "i0"));
    leaks(&graph(["y", "s"], "i1"));
}

#[test]
fn a_source_on_constants_still_seeds() {
    let graph = |made: &str, last: &str| example(&format!("    {made} loc(\"step/probe/op\")\n    {last}"));
    leaks(&graph("%c = stablehlo.constant dense<0.0> : tensor<8xf32>", "%out = stablehlo.add %y, %c : tensor<8xf32>"));
    leaks(&graph(
        "%c = stablehlo.multiply %zeros, %zeros : tensor<8xf32>",
        "%out = stablehlo.maximum %zeros, %c : tensor<8xf32>",
    ));
    leaks(&graph(
        "%c = stablehlo.iota dim = 0 : tensor<8xi32>",
        "%out = stablehlo.convert %c : (tensor<8xi32>) -> tensor<8xf32>",
    ));
}

#[test]
fn folding_stops_at_sources() {
    let graph = |made: &str, last: &str| example(&format!("    {made} loc(\"step/probe/op\")\n    {last}"));
    // a test, an index and a factor that would all be known
    leaks(&graph(
        "%c = stablehlo.constant dense<true> : tensor<i1>",
        "%out = stablehlo.select %c, %y, %z : tensor<i1>, tensor<8xf32>",
    ));
    leaks(&graph(
        "%c = stablehlo.add %i1, %i1 : tensor<i32>",
        "%one = stablehlo.dynamic_slice %y, %c, sizes = [1] : (tensor<8xf32>, tensor<i32>) -> tensor<1xf32>
    %out = stablehlo.pad %one, %zero, low = [0], high = [7], interior = [0] : (tensor<1xf32>, tensor<f32>) -> \
         tensor<8xf32>",
    ));
    let finite = Asked { finite: true, ..Asked::default() };
    finite.leaks(&graph(
        "%c = stablehlo.constant dense<0.0> : tensor<8xf32>",
        "%out = stablehlo.multiply %y, %c : tensor<8xf32>",
    ));
    // and a branch that is never taken holds no source that acts
    let never = |test: &str| {
        example(&format!(
            "    %never = stablehlo.constant dense<false> : tensor<i1>
    %out = \"stablehlo.if\"(%{test}) ({{
      %c = stablehlo.sine %y : tensor<8xf32> loc(\"step/probe/sine\")
      stablehlo.return %c : tensor<8xf32>\n    }}, {{
      stablehlo.return %y : tensor<8xf32>\n    }}) : (tensor<i1>) -> tensor<8xf32>"
        ))
    };
    holds(&never("never"));
    leaks(&never("p"));
}

#[test]
fn a_labelled_index_labels_what_it_picks() {
    let graph = |sizes: usize| {
        example(&format!(
            "    %t = stablehlo.convert %s : (tensor<8xf32>) -> tensor<8xi32>
    %u = stablehlo.slice %t [0:1] : (tensor<8xi32>) -> tensor<1xi32>
    %at = stablehlo.reshape %u : (tensor<1xi32>) -> tensor<i32>
    %part = stablehlo.dynamic_slice %y, %at, sizes = [{sizes}] : (tensor<8xf32>, tensor<i32>) -> tensor<{sizes}xf32>
    %pad = stablehlo.pad %part, %zero, low = [0], high = [{}], interior = [0] : (tensor<{sizes}xf32>, tensor<f32>) -> \
             tensor<8xf32>
    %out = stablehlo.add %pad, %y : tensor<8xf32>",
            8 - sizes
        ))
    };
    leaks(&graph(3));
    // clamped to 0, whatever it says
    holds(&graph(8));
    let updated = |size: usize| {
        example(&format!(
            "    %t = stablehlo.convert %s : (tensor<8xf32>) -> tensor<8xi32>
    %u = stablehlo.slice %t [0:1] : (tensor<8xi32>) -> tensor<1xi32>
    %at = stablehlo.reshape %u : (tensor<1xi32>) -> tensor<i32>
    %part = stablehlo.slice %z [0:{size}] : (tensor<8xf32>) -> tensor<{size}xf32>
    %out = stablehlo.dynamic_update_slice %y, %part, %at : (tensor<8xf32>, tensor<{size}xf32>, tensor<i32>) -> \
             tensor<8xf32>"
        ))
    };
    leaks(&updated(1));
    holds(&updated(8));
}

#[test]
fn what_an_index_can_be_is_known_whatever_the_source_says() {
    let graph = |direction: &str, bound: i32| {
        example(&format!(
            "    %values, %at = chlo.top_k(%s, k = 8) : tensor<8xf32> -> (tensor<8xf32>, tensor<8xi32>)
    %bound = stablehlo.constant dense<{bound}> : tensor<8xi32>
    %t = stablehlo.compare {direction}, %at, %bound, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %out = stablehlo.select %t, %y, %z : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    holds(&graph("GE", 0));
    holds(&graph("LT", 8));
    leaks(&graph("LT", 7));
    leaks(&graph("GE", 1));
}

#[test]
fn a_choice_between_equals_is_none() {
    let graph = |other: &str| {
        example(&format!(
            "    %t = stablehlo.compare LT, %s, %zeros, FLOAT : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %u = stablehlo.{other} %z : tensor<8xf32>
    %v = stablehlo.sine %z : tensor<8xf32>
    %out = stablehlo.select %t, %u, %v : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    holds(&graph("sine"));
    leaks(&graph("cosine"));
}

#[test]
fn a_number_is_a_mask_only_if_it_is_0_or_1() {
    let graph = |last: &str| {
        example(&format!(
            "    %ones = stablehlo.constant dense<1.0> : tensor<8xf32>
    %other = stablehlo.subtract %ones, %z : tensor<8xf32>
    %a = stablehlo.multiply %z, %s : tensor<8xf32>
    %b = stablehlo.multiply %{last}, %a : tensor<8xf32>
    %out = stablehlo.add %b, %y : tensor<8xf32>"
        ))
    };
    let finite = Asked { finite: true, ..Asked::default() };
    let binary = Asked { finite: true, binary: &[1], ..Asked::default() };
    finite.leaks(&graph("other"));
    binary.holds(&graph("other"));
    binary.leaks(&graph("z"));
    // A mask that is made of truth values needs no such word.
    let converted = |last: &str| {
        example(&format!(
            "    %mask = stablehlo.convert %m : (tensor<8xi1>) -> tensor<8xf32>
    %ones = stablehlo.constant dense<1.0> : tensor<8xf32>
    %other = stablehlo.subtract %ones, %mask : tensor<8xf32>
    %a = stablehlo.multiply %mask, %s : tensor<8xf32>
    %b = stablehlo.multiply %{last}, %a : tensor<8xf32>
    %out = stablehlo.add %b, %y : tensor<8xf32>"
        ))
    };
    finite.holds(&converted("other"));
    finite.leaks(&converted("mask"));
    leaks(&converted("other"));
}

#[test]
fn conditions_end_at_carried_edges() {
    let graph = |carried: &str| {
        let body = "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %n = stablehlo.not %m : tensor<4xi1>
    %next = stablehlo.select %m, %s, %mu : tensor<4xi1>, tensor<4xf32>
    %out = stablehlo.select %n, %next, %x : tensor<4xi1>, tensor<4xf32>";
        let mask = if carried == "m" { vec![("m", "4xi1", "m")] } else { Vec::new() };
        let outputs = [vec![("sink", "4xf32", "out"), ("mu", "4xf32", "next")], mask].concat();
        step(&[("x", "4xf32"), ("mu", "4xf32"), ("m", "4xi1")], body, &outputs, "")
    };
    let run = Asked { run: true, ..Asked::default() };
    holds(&graph(""));
    // A moment that is labelled under the mask of one step is not excluded by that of the next.
    run.leaks(&graph(""));
}

#[test]
fn conditions_pass_calls() {
    let graph = |mask: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %n = stablehlo.not %m : tensor<4xi1>
    %a = call @where(%m, %s, %x) : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %out = call @where(%{mask}, %a, %x) : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>"
        );
        let rest =
            "  func.func private @where(%c: tensor<4xi1>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
    %r = stablehlo.select %c, %a, %b : tensor<4xi1>, tensor<4xf32>
    return %r : tensor<4xf32>\n  }";
        step(&[("x", "4xf32"), ("m", "4xi1")], &body, &[("sink", "4xf32", "out")], rest)
    };
    holds(&graph("n"));
    leaks(&graph("m"));
}
