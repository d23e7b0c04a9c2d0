//! Claims that look like barriers and are none: all are refused.

use super::*;

const SOURCE: &str = "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %y = stablehlo.cosine %x : tensor<8xf32>
    %one = stablehlo.constant dense<1> : tensor<8xi32>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %m = stablehlo.compare EQ, %route, %one, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %n = stablehlo.compare NE, %route, %one, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
";

/// A step over eight examples with a route each; `out` is the sink.
fn example(body: &str) -> TrainingGraph {
    step(
        &[("x", "8xf32"), ("z", "8xf32"), ("route", "8xi32"), ("length", "8xi32")],
        &format!("{SOURCE}{body}"),
        &[("sink", "8xf32", "out")],
        "",
    )
}

#[test]
fn a_residual_path_around_the_mask_is_seen() {
    let guarded = "    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    %b = stablehlo.select %n, %a, %zeros : tensor<8xi1>, tensor<8xf32>\n";
    proved(&example(&guarded.replace("%b =", "%out =")));
    refused(&example(&format!("{guarded}    %out = stablehlo.add %b, %s : tensor<8xf32>")));
    refused(&example(&format!("{guarded}    %out = stablehlo.add %b, %a : tensor<8xf32>")));
}

#[test]
fn a_mask_that_the_source_made_excludes_nothing() {
    let labelled = |first: &str, second: &str| {
        example(&format!(
            "    %p = stablehlo.compare LT, %{first}, %zeros, FLOAT : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %q = stablehlo.not %p : tensor<8xi1>
    %a = stablehlo.select %p, %{second}, %y : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %q, %a, %zeros : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    refused(&labelled("s", "s"));
    refused(&labelled("s", "z"));
    proved(&labelled("z", "s"));
}

#[test]
fn what_is_not_less_is_not_greater_or_equal_where_nan_is_possible() {
    let by = |first: &str, second: &str| {
        example(&format!(
            "    %p = stablehlo.compare {first} : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %q = stablehlo.compare {second} : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %a = stablehlo.select %p, %y, %s : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %q, %zeros, %a : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    // The score is taken where it is not less, and given where it is not greater or equal.
    for other in ["y", "zeros"] {
        refused(&by(&format!("LT, %z, %{other}, FLOAT"), &format!("GE, %z, %{other}, FLOAT")));
        refused(&by(&format!("EQ, %z, %{other}, TOTALORDER"), &format!("NE, %z, %{other}, FLOAT")));
        proved(&by(&format!("EQ, %z, %{other}, FLOAT"), &format!("NE, %z, %{other}, FLOAT")));
    }
    let integers = |second: &str| {
        example(&format!(
            "    %p = stablehlo.compare LT, %route, %length, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %q = stablehlo.compare {second}, SIGNED : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %a = stablehlo.select %p, %y, %s : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %q, %zeros, %a : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    proved(&integers("GE, %route, %length"));
    proved(&integers("LE, %length, %route"));
    refused(&integers("GT, %route, %length"));
    refused(&integers("LE, %route, %length"));
}

#[test]
fn a_source_on_constants_still_seeds() {
    let graph = |last: &str| {
        example(&format!(
            "    %c = stablehlo.constant dense<2.0> : tensor<8xf32>
    %d = stablehlo.multiply %c, %zeros : tensor<8xf32> loc(\"step/probe/mul\")
    {last}"
        ))
    };
    refused(&graph("%out = stablehlo.add %d, %z : tensor<8xf32>"));
    // Not even under a constant zero, nor where it is only looked at.
    refused(&graph("%out = stablehlo.multiply %d, %zeros : tensor<8xf32>"));
    refused(&graph(
        "%p = stablehlo.compare EQ, %d, %zeros, FLOAT : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    %out = stablehlo.select %p, %z, %y : tensor<8xi1>, tensor<8xf32>",
    ));
}

#[test]
fn folding_stops_at_sources() {
    // The mask is constant false, but a source made it.
    refused(&example(
        "    %false = stablehlo.constant dense<false> : tensor<8xi1>
    %p = stablehlo.not %false : tensor<8xi1> loc(\"step/probe/not\")
    %out = stablehlo.select %p, %y, %z : tensor<8xi1>, tensor<8xf32>",
    ));
    // A loop that a source counts is not unrolled away.
    refused(&example(
        "    %zero = stablehlo.constant dense<0> : tensor<i32>
    %step = stablehlo.constant dense<1> : tensor<i32>
    %limit = stablehlo.add %step, %step : tensor<i32> loc(\"step/probe/add\")
    %w:2 = stablehlo.while(%i = %zero, %v = %z) : tensor<i32>, tensor<8xf32>
    cond {
      %more = stablehlo.compare LT, %i, %limit, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    } do {
      %next = stablehlo.add %i, %step : tensor<i32>
      %u = stablehlo.cosine %v : tensor<8xf32>
      stablehlo.return %next, %u : tensor<i32>, tensor<8xf32>
    }
    %out = stablehlo.add %w#1, %z : tensor<8xf32>",
    ));
}

/// Positions matter: a mask that is turned, shifted or of another row is another mask.
#[test]
fn a_mask_in_another_place_is_another_mask() {
    let moved = |how: &str| {
        example(&format!(
            "    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    {how}
    %out = stablehlo.select %n, %b, %zeros : tensor<8xi1>, tensor<8xf32>"
        ))
    };
    refused(&moved("%b = stablehlo.reverse %a, dims = [0] : tensor<8xf32>"));
    refused(&moved(
        "%h = stablehlo.slice %a [1:8] : (tensor<8xf32>) -> tensor<7xf32>
    %l = stablehlo.slice %a [0:1] : (tensor<8xf32>) -> tensor<1xf32>
    %b = stablehlo.concatenate %h, %l, dim = 0 : (tensor<7xf32>, tensor<1xf32>) -> tensor<8xf32>",
    ));
    refused(&moved(
        "%q = stablehlo.reshape %a : (tensor<8xf32>) -> tensor<2x4xf32>
    %t = stablehlo.transpose %q, dims = [1, 0] : (tensor<2x4xf32>) -> tensor<4x2xf32>
    %b = stablehlo.reshape %t : (tensor<4x2xf32>) -> tensor<8xf32>",
    ));
    let there = "%q = stablehlo.reshape %a : (tensor<8xf32>) -> tensor<2x4xf32>
    %t = stablehlo.transpose %q, dims = [1, 0] : (tensor<2x4xf32>) -> tensor<4x2xf32>
    %u = stablehlo.reverse %t, dims = [1] : tensor<4x2xf32>
    %v = stablehlo.reverse %u, dims = [1] : tensor<4x2xf32>
    %w = stablehlo.transpose %v, dims = [1, 0] : (tensor<4x2xf32>) -> tensor<2x4xf32>
    %b = stablehlo.reshape %w : (tensor<2x4xf32>) -> tensor<8xf32>";
    proved(&moved(there));
    refused(&moved(&there.replacen("dims = [1] :", "dims = [0] :", 1)));
    // A sum over the examples, spread again: no example is told apart.
    refused(&moved(
        "%c = stablehlo.constant dense<0.0> : tensor<f32>
    %r = stablehlo.reduce(%a init: %c) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> \
         tensor<f32>
    %b = stablehlo.broadcast_in_dim %r, dims = [] : (tensor<f32>) -> tensor<8xf32>",
    ));
}

#[test]
fn a_mask_is_shifted_with_its_slice() {
    let sliced = |mask: &str| {
        let body = format!(
            "{SOURCE}    %a = stablehlo.select %m, %s, %y : tensor<8xi1>, tensor<8xf32>
    %b = stablehlo.slice %a [1:8] : (tensor<8xf32>) -> tensor<7xf32>
    %o = stablehlo.slice %n [{mask}] : (tensor<8xi1>) -> tensor<7xi1>
    %none = stablehlo.constant dense<0.0> : tensor<7xf32>
    %out = stablehlo.select %o, %b, %none : tensor<7xi1>, tensor<7xf32>"
        );
        step(&[("x", "8xf32"), ("route", "8xi32")], &body, &[("sink", "7xf32", "out")], "")
    };
    proved(&sliced("1:8"));
    refused(&sliced("0:7"));
}

/// Rows by an index: a constant one is followed, any other may be the row of the source.
#[test]
fn an_index_that_is_not_known_may_be_any() {
    let taken = |index: &str, rows: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<4xf32> loc(\"step/probe/tanh\")
    %row = stablehlo.reshape %s : (tensor<4xf32>) -> tensor<1x4xf32>
    %above = stablehlo.slice %stack [0:1, 0:4] : (tensor<3x4xf32>) -> tensor<1x4xf32>
    %below = stablehlo.slice %stack [2:3, 0:4] : (tensor<3x4xf32>) -> tensor<1x4xf32>
    %all = stablehlo.concatenate %above, %row, %below, dim = 0 : (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) \
             -> tensor<3x4xf32>
    %rows = stablehlo.constant dense<{rows}> : tensor<2x1xi32>
    %out = \"stablehlo.gather\"(%all, %{index}) <{{dimension_numbers = #stablehlo.gather<offset_dims = [1], \
             collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}}> \
             : (tensor<3x4xf32>, tensor<2x1xi32>) -> tensor<2x4xf32>"
        );
        let inputs = [("x", "4xf32"), ("stack", "3x4xf32"), ("any", "2x1xi32")];
        step(&inputs, &body, &[("sink", "2x4xf32", "out")], "")
    };
    proved(&taken("rows", "[[0], [2]]"));
    proved(&taken("rows", "[[-5], [9]]"));
    refused(&taken("rows", "[[0], [1]]"));
    refused(&taken("any", "[[0], [2]]"));
}

/// A loop of unknown length: in each trip the mask comes from what the trip before made.
#[test]
fn a_guard_is_not_carried_over_a_back_edge() {
    let looped = |mask: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %one = stablehlo.constant dense<1> : tensor<i32>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %out:3 = stablehlo.while(%i = %start, %acc = %z, %flag = %mask) : tensor<i32>, tensor<8xf32>, tensor<8xi1>
    cond {{
      %more = stablehlo.compare LT, %i, %limit, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    }} do {{
      %next = stablehlo.add %i, %one : tensor<i32>
      %off = stablehlo.not %{mask} : tensor<8xi1>
      %kept = stablehlo.select %{mask}, %acc, %zeros : tensor<8xi1>, tensor<8xf32>
      %given = stablehlo.select %off, %s, %kept : tensor<8xi1>, tensor<8xf32>
      %other = stablehlo.not %flag : tensor<8xi1>
      stablehlo.return %next, %given, %other : tensor<i32>, tensor<8xf32>, tensor<8xi1>
    }}
    %sink = stablehlo.select %mask, %out#1, %zeros : tensor<8xi1>, tensor<8xf32>"
        );
        let inputs = [("x", "8xf32"), ("z", "8xf32"), ("mask", "8xi1"), ("start", "i32"), ("limit", "i32")];
        step(&inputs, &body, &[("sink", "8xf32", "sink")], "")
    };
    // The mask of the step is the same in all trips, the flag is not.
    proved(&looped("mask"));
    refused(&looped("flag"));
}

/// What one trip stores where its flag is off, the next reads where its own flag is on.
#[test]
fn the_flag_of_a_trip_is_not_the_flag_of_the_next() {
    let looped = |stored: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %one = stablehlo.constant dense<1> : tensor<i32>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %w:4 = stablehlo.while(%i = %start, %acc = %z, %flag = %mask, %out = %z) : tensor<i32>, tensor<8xf32>, \
             tensor<8xi1>, tensor<8xf32>
    cond {{
      %more = stablehlo.compare LT, %i, %limit, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    }} do {{
      %next = stablehlo.add %i, %one : tensor<i32>
      %off = stablehlo.not %flag : tensor<8xi1>
      %steady = stablehlo.not %mask : tensor<8xi1>
      %stored = stablehlo.select %{stored}, %s, %zeros : tensor<8xi1>, tensor<8xf32>
      %part = stablehlo.select %flag, %acc, %zeros : tensor<8xi1>, tensor<8xf32>
      %read = stablehlo.select %mask, %part, %zeros : tensor<8xi1>, tensor<8xf32>
      stablehlo.return %next, %stored, %off, %read : tensor<i32>, tensor<8xf32>, tensor<8xi1>, tensor<8xf32>
    }}"
        );
        let inputs = [("x", "8xf32"), ("z", "8xf32"), ("mask", "8xi1"), ("start", "i32"), ("limit", "i32")];
        step(&inputs, &body, &[("sink", "8xf32", "w#3")], "")
    };
    refused(&looped("off"));
    proved(&looped("steady"));
}

#[test]
fn a_guard_is_not_carried_over_steps() {
    let body = "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %off = stablehlo.not %mask : tensor<8xi1>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %stored = stablehlo.select %mask, %s, %zeros : tensor<8xi1>, tensor<8xf32>
    %out = stablehlo.select %off, %state, %zeros : tensor<8xi1>, tensor<8xf32>";
    let graph = step(
        &[("x", "8xf32"), ("state", "8xf32"), ("mask", "8xi1")],
        body,
        &[("sink", "8xf32", "out"), ("state", "8xf32", "stored")],
        "",
    );
    assert_eq!(problems_within(&graph, Within::Step, &PLAIN, &[]), Vec::<String>::new());
    assert!(!problems_within(&graph, Within::Run, &PLAIN, &[]).is_empty());
}

const CALLED: &str =
    "  func.func private @guard(%m: tensor<8xi1>, %a: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<8xf32> {
    %r = stablehlo.select %m, %a, %b : tensor<8xi1>, tensor<8xf32>
    return %r : tensor<8xf32>
  }";

#[test]
fn calls_are_matched_to_their_returns() {
    let with = |first: &str, second: &str| {
        let body = format!(
            "{SOURCE}    %a = call @guard(%{first}, %s, %y) : (tensor<8xi1>, tensor<8xf32>, tensor<8xf32>) -> \
             tensor<8xf32>
    %out = call @guard(%{second}, %a, %zeros) : (tensor<8xi1>, tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>"
        );
        step(&[("x", "8xf32"), ("route", "8xi32")], &body, &[("sink", "8xf32", "out")], CALLED)
    };
    proved(&with("m", "n"));
    refused(&with("m", "m"));
}

#[test]
fn what_goes_into_the_world_comes_out_of_it() {
    let talk = |given: &str| {
        example(&format!(
            "    \"stablehlo.custom_call\"(%{given}) <{{call_target_name = \"send\", has_side_effect = true}}> : \
             (tensor<8xf32>) -> ()
    %w = \"stablehlo.custom_call\"() <{{call_target_name = \"receive\", has_side_effect = true}}> : () -> tensor<8xf32>
    %out = stablehlo.add %w, %z : tensor<8xf32>"
        ))
    };
    refused(&talk("s"));
    proved(&talk("z"));
}

/// What is in a body is looked at: a source in a reduction, a value from outside, an operand that is not taken.
#[test]
fn the_body_of_a_reduction_decides() {
    let reduce = |result: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %t = stablehlo.tanh %c : tensor<f32> loc(\"step/probe/tanh\")
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %r:2 = \"stablehlo.reduce\"(%s, %z, %zero, %zero) <{{dimensions = array<i64: 0>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>, %p: tensor<f32>, %q: tensor<f32>):
      %u = stablehlo.add %a, %p : tensor<f32>
      %v = stablehlo.add %b, %q : tensor<f32>
      {result}
    }}) : (tensor<8xf32>, tensor<8xf32>, tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)"
        );
        step(&[("x", "8xf32"), ("z", "8xf32"), ("c", "f32")], &body, &[("sink", "f32", "r#1")], "")
    };
    proved(&reduce("stablehlo.return %u, %v : tensor<f32>, tensor<f32>"));
    refused(&reduce(
        "%w = stablehlo.multiply %v, %u : tensor<f32>
      stablehlo.return %u, %w : tensor<f32>, tensor<f32>",
    ));
    refused(&reduce(
        "%w = stablehlo.multiply %v, %t : tensor<f32>
      stablehlo.return %u, %w : tensor<f32>, tensor<f32>",
    ));
    refused(&reduce(
        "%w = stablehlo.abs %v : tensor<f32> loc(\"step/probe/abs\")
      stablehlo.return %u, %w : tensor<f32>, tensor<f32>",
    ));
}

/// A cut takes what it names and nothing beside it.
#[test]
fn a_cut_absorbs_its_elements_at_its_instance_only() {
    let body = "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %a = call @f(%s) : (tensor<8xf32>) -> tensor<8xf32>
    %b = call @f(%a) : (tensor<8xf32>) -> tensor<8xf32>
    %out = stablehlo.slice %b [0:4] : (tensor<8xf32>) -> tensor<4xf32>";
    let called = "  func.func private @f(%v: tensor<8xf32>) -> tensor<8xf32> {
    %r = stablehlo.cosine %v : tensor<8xf32>
    return %r : tensor<8xf32>
  }";
    let graph = step(&[("x", "8xf32")], body, &[("sink", "4xf32", "out")], called);
    let find = |name: &str| {
        let named = |id: &OperationId| graph.operation_name(*id) == name;
        graph.operations().ids().filter(named).collect::<Vec<_>>()
    };
    let calls = find("func.call");
    let inside = graph.results(find("stablehlo.cosine")[0]).get(0).expect("a result");
    let score = graph.results(find("stablehlo.tanh")[0]).get(0).expect("a result");
    let cut = |instance: Vec<(OperationId, Option<u32>)>, value: ValueId, end: u64| CutElement {
        graph: 0,
        instance,
        value,
        boxes: vec![vec![(0, end)]],
    };
    let with = |cut: CutElement| problems_within(&graph, Within::Step, &PLAIN, &[cut]);
    for call in &calls {
        assert_eq!(with(cut(vec![(*call, None)], inside, 4)), Vec::<String>::new());
        assert!(!with(cut(vec![(*call, None)], inside, 3)).is_empty());
    }
    assert_eq!(with(cut(Vec::new(), score, 4)), Vec::<String>::new());
    assert!(
        with(cut(Vec::new(), inside, 4))[0].contains("no instance") || !with(cut(Vec::new(), inside, 4)).is_empty()
    );
    // A parameter is the tensor that is given there: what is known of one is known of the other.
    let direct = step(
        &[("x", "8xf32")],
        &body
            .replace("slice %b [0:4]", "slice %c [0:4]")
            .replace("    %out", "    %c = stablehlo.add %b, %s : tensor<8xf32>\n    %out"),
        &[("sink", "4xf32", "out")],
        called,
    );
    let parameter = direct.arguments(direct.function(crate::graph::FunctionId::new(1)).body).get(0).expect("one");
    let call = direct.operations().ids().find(|id| direct.operation_name(*id) == "func.call").expect("a call");
    let problems = problems_within(&direct, Within::Step, &PLAIN, &[cut(vec![(call, None)], parameter, 8)]);
    assert!(problems.is_empty(), "{problems:?}");
}
