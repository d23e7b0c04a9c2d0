//! Small steps: each difference that makes a channel another one.

use super::super::{BySelectors, verify};
use crate::graph::{Digest, TrainingGraph, ValueId};
use crate::index::Id;
use crate::verdict::*;

/// A step with parameters `%p`, a gradient `%g` of them, other numbers `%o`, data `%d` and a state `%m` and `%c`. The score `%s`
/// is made in the scope of the probe.
fn step(body: &str, state: &str) -> TrainingGraph {
    let text = format!(
        "module @step {{
  func.func public @main(%p: tensor<4xf32> loc(\"p\"), %g: tensor<4xf32> loc(\"g\"), %o: tensor<4xf32> loc(\"o\"),
      %d: tensor<8xf32> loc(\"d\"), %m: tensor<4xf32> loc(\"m\"), %c: tensor<f32> loc(\"c\"))
      -> (tensor<4xf32> {{jax.result_info = \"result.p\"}}, tensor<4xf32> {{jax.result_info = \"result.m\"}},
          tensor<f32> {{jax.result_info = \"result.c\"}}) {{
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %zeros = stablehlo.constant dense<0.0> : tensor<4xf32>
    %half = stablehlo.constant dense<0.5> : tensor<f32>
    %halves = stablehlo.constant dense<0.5> : tensor<4xf32>
    %each = stablehlo.tanh %o : tensor<4xf32> loc(\"step/probe/tanh\"(\"probe.py\":1:1))
    %s = stablehlo.reduce(%each init: %zero) applies stablehlo.add across dimensions = [0]
        : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %new = stablehlo.subtract %p, %g : tensor<4xf32>
    %t = stablehlo.compare LT, %s, %half, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
{body}
    return %r, {state} : tensor<4xf32>, tensor<4xf32>, tensor<f32>
  }}
}}
"
    );
    crate::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The results of the operations of a kind.
fn results(graph: &TrainingGraph, name: &str) -> Vec<ValueId> {
    let named = graph.operations().ids().filter(|id| graph.operation_name(*id) == format!("stablehlo.{name}"));
    named.flat_map(|id| graph.results(id).iter()).collect()
}

/// Why the claim is refused that `p` gets no more than a channel through the last results of these kinds; empty if it is
/// accepted.
fn refusal(graph: &TrainingGraph, within: Within, channel: Channel, pivots: &[&str]) -> String {
    let pivots = pivots.iter().map(|name| {
        let value = results(graph, name).last().map_or(u32::MAX, |value| value.index() as u32);
        CutElement { graph: 0, instance: Vec::new(), value, boxes: Vec::new() }
    });
    let claim = ChannelClaim { sink: (0, "result.p".into()), channel, pivots: pivots.collect() };
    let digests: Vec<Digest> = vec![graph.digest()];
    let pair = |name: &str| (format!("result.{name}").as_str().into(), name.into());
    let certificate = Certificate {
        version: CERTIFICATE_VERSION,
        digests,
        names: Vec::new(),
        within,
        from: vec!["scope:probe".into()],
        to: vec!["output:result.p".into()],
        carried: ["p", "m", "c"].map(pair).to_vec(),
        terminal: Vec::new(),
        edges: Vec::new(),
        assume: Vec::new(),
        bits_per_step: None,
        cut: Vec::new(),
        verdict: Verdict::Holds,
        evidence: Evidence::Refined(RefinedEvidence {
            bounds: Bounds { max_channel: Some(channel), max_bits_per_step: None },
            channels: vec![claim],
            data: vec!["input:d".into()],
            ..RefinedEvidence::default()
        }),
    };
    verify(&certificate, &[graph], &BySelectors { names: &[] }).err().unwrap_or_default().join("; ")
}

#[track_caller]
fn accepted(body: &str, channel: Channel, pivots: &[&str]) {
    assert_eq!(refusal(&step(body, "%m, %c"), Within::Step, channel, pivots), "");
}

#[track_caller]
fn refused(body: &str, channel: Channel, pivots: &[&str], why: &str) {
    let found = refusal(&step(body, "%m, %c"), Within::Step, channel, pivots);
    assert!(!found.is_empty() && found.contains(why), "{found}");
}

#[track_caller]
fn in_a_run(body: &str, state: &str, channel: Channel, pivots: &[&str], why: &str) {
    let found = refusal(&step(body, state), Within::Run, channel, pivots);
    assert!(if why.is_empty() { found.is_empty() } else { found.contains(why) }, "{found}");
}

const CHOSEN: &str = "%r = stablehlo.select %t, %new, %p : tensor<i1>, tensor<4xf32>";

#[test]
fn timing_is_a_test_between_its_own_value_and_one_other() {
    accepted(CHOSEN, Channel::Timing, &["compare"]);
    accepted(CHOSEN, Channel::Selection, &["compare"]);
    // The number behind the test is no more than the test, as long as nothing else is made of it.
    accepted(CHOSEN, Channel::Timing, &["reduce"]);
    let none = "%u = stablehlo.select %t, %g, %zeros : tensor<i1>, tensor<4xf32>\n";
    for (how, is_kept) in
        [("add %p, %u", true), ("add %u, %p", true), ("subtract %p, %u", true), ("subtract %u, %p", false)]
    {
        let body = format!("{none}%r = stablehlo.{how} : tensor<4xf32>");
        match is_kept {
            true => accepted(&body, Channel::Timing, &["compare"]),
            false => refused(&body, Channel::Timing, &["compare"], "not between its own value and one other"),
        }
    }
    let two =
        "%q = stablehlo.add %p, %g : tensor<4xf32>\n%r = stablehlo.select %t, %new, %q : tensor<i1>, tensor<4xf32>";
    refused(two, Channel::Selection, &["compare"], "not between its own value and one other");
    let other = "%r = stablehlo.select %t, %new, %m : tensor<i1>, tensor<4xf32>";
    refused(other, Channel::Selection, &["compare"], "not between its own value and one other");
    let number = "%f = stablehlo.convert %t : (tensor<i1>) -> tensor<f32>
        %b = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<f32>) -> tensor<4xf32>
        %r = stablehlo.add %p, %b : tensor<4xf32>";
    refused(number, Channel::Selection, &["compare"], "more than a test, a factor or an index");
}

#[test]
fn a_test_for_each_element_is_content() {
    let body = "%ts = stablehlo.compare LT, %each, %halves, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
        %r = stablehlo.select %ts, %new, %p : tensor<4xi1>, tensor<4xf32>";
    refused(body, Channel::Selection, &["compare"], "chosen one by one");
    let spread = "%ts = stablehlo.broadcast_in_dim %t, dims = [] : (tensor<i1>) -> tensor<4xi1>
        %r = stablehlo.select %ts, %new, %p : tensor<4xi1>, tensor<4xf32>";
    accepted(spread, Channel::Timing, &["compare"]);
}

/// A sum of squares of the score and of something, as a factor of something.
fn normed(of: &str, root: &str, how: &str) -> String {
    format!(
        "%sq = stablehlo.multiply {of}, {of} : tensor<4xf32>
        %sum = stablehlo.reduce(%sq init: %zero) applies stablehlo.add across dimensions = [0]
            : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
        %ss = stablehlo.multiply %s, %s : tensor<f32>
        %both = stablehlo.add %sum, %ss : tensor<f32>
        %n = stablehlo.{root} %both : tensor<f32>
        %b = stablehlo.broadcast_in_dim %n, dims = [] : (tensor<f32>) -> tensor<4xf32>
        %u = stablehlo.{how} : tensor<4xf32>
        %r = stablehlo.subtract %p, %u : tensor<4xf32>"
    )
}

#[test]
fn scale_is_one_factor_of_what_it_is_made_of_and_never_negative() {
    accepted(&normed("%g", "sqrt", "divide %g, %b"), Channel::Scale, &["sqrt"]);
    accepted(&normed("%g", "rsqrt", "multiply %b, %g"), Channel::Scale, &["rsqrt"]);
    refused(&normed("%g", "sqrt", "divide %g, %b"), Channel::Timing, &["sqrt"], "is scale, and timing is claimed");
    let content = "more than a test, a factor or an index";
    refused(&normed("%o", "sqrt", "divide %g, %b"), Channel::Selection, &["sqrt"], content);
    refused(&normed("%g", "log", "divide %g, %b"), Channel::Selection, &["log"], content);
    refused(&normed("%g", "sqrt", "divide %b, %g"), Channel::Selection, &["sqrt"], content);
    refused(&normed("%g", "sqrt", "add %b, %g"), Channel::Selection, &["sqrt"], content);
    // Not every way passes the factor.
    refused(&normed("%g", "sqrt", "divide %g, %b"), Channel::Scale, &["broadcast_in_dim"], "");
    let mixed = "%v = stablehlo.multiply %u, %each : tensor<4xf32>\n%r = stablehlo.subtract %p, %v : tensor<4xf32>";
    let leak = normed("%g", "sqrt", "divide %g, %b").replace("%r = stablehlo.subtract %p, %u : tensor<4xf32>", mixed);
    refused(&leak, Channel::Scale, &["sqrt"], "which is a source");
}

/// A norm of the gradient alone does not make a norm of what it is multiplied by.
#[test]
fn a_factor_beside_a_norm_is_content() {
    let content = "more than a test, a factor or an index";
    let own = |made: &str, last: &str| {
        format!(
            "%sq = stablehlo.multiply %g, %g : tensor<4xf32>
            %sum = stablehlo.reduce(%sq init: %zero) applies stablehlo.add across dimensions = [0]
                : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
            {made}
            %b = stablehlo.broadcast_in_dim {last}, dims = [] : (tensor<f32>) -> tensor<4xf32>
            %u = stablehlo.multiply %g, %b : tensor<4xf32>
            %r = stablehlo.subtract %p, %u : tensor<4xf32>"
        )
    };
    let weighted = "%w = stablehlo.logistic %s : tensor<f32>
            %m1 = stablehlo.maximum %sum, %half : tensor<f32>
            %f = stablehlo.divide %w, %m1 : tensor<f32>";
    refused(&own(weighted, "%f"), Channel::Scale, &["divide"], content);
    let squared = "%ss = stablehlo.multiply %s, %s : tensor<f32>
            %f = stablehlo.abs %both : tensor<f32>"
        .replace(
            "%f = stablehlo.abs %both",
            "%both = stablehlo.multiply %ss, %sum : tensor<f32>\n%f = stablehlo.abs %both",
        );
    refused(&own(&squared, "%f"), Channel::Scale, &["abs"], content);
    let added = squared.replace("multiply %ss, %sum", "add %ss, %sum");
    accepted(&own(&added, "%f"), Channel::Scale, &["abs"]);
    // A small number that is added to it makes it no sum of gradients.
    let small = "%w = stablehlo.multiply %s, %sum : tensor<f32>
            %a = stablehlo.abs %w : tensor<f32>
            %f = stablehlo.add %a, %half : tensor<f32>";
    refused(&own(small, "%f"), Channel::Scale, &["add"], content);
}

/// Truth values that are made 0 and 1 are factors like any other number.
#[test]
fn tests_that_become_numbers_are_factors() {
    let norm = "%sq = stablehlo.multiply %g, %g : tensor<4xf32>
        %sum = stablehlo.reduce(%sq init: %zero) applies stablehlo.add across dimensions = [0]
            : (tensor<4xf32>, tensor<f32>) -> tensor<f32>";
    let factor = |name: &str, test: &str| {
        format!(
            "%n{name} = stablehlo.convert {test} : (tensor<i1>) -> tensor<f32>
            %f{name} = stablehlo.add %n{name}, %sum : tensor<f32>
            %b{name} = stablehlo.broadcast_in_dim %f{name}, dims = [] : (tensor<f32>) -> tensor<4xf32>"
        )
    };
    let one = format!(
        "{norm}\n{}\n%u = stablehlo.multiply %g, %b1 : tensor<4xf32>\n%r = stablehlo.subtract %p, %u : tensor<4xf32>",
        factor("1", "%t")
    );
    accepted(&one, Channel::Scale, &["compare"]);
    let two = format!(
        "%t2 = stablehlo.is_finite %s : (tensor<f32>) -> tensor<i1>\n{norm}\n{}\n{}
        %v = stablehlo.multiply %g, %b1 : tensor<4xf32>
        %u = stablehlo.multiply %v, %b2 : tensor<4xf32>
        %r = stablehlo.subtract %p, %u : tensor<4xf32>",
        factor("1", "%t"),
        factor("2", "%t2")
    );
    refused(&two, Channel::Scale, &["compare", "is_finite"], "");
}

#[test]
fn what_is_scaled_passes_only_operations_of_optimizers() {
    let scaled = normed("%g", "sqrt", "divide %g, %b");
    let then = |operation: &str| {
        let last = "%r = stablehlo.subtract %p, %u : tensor<4xf32>";
        scaled.replace(last, &format!("{operation}\n%r = stablehlo.subtract %p, %v : tensor<4xf32>"))
    };
    accepted(&then("%v = stablehlo.multiply %u, %u : tensor<4xf32>"), Channel::Scale, &["sqrt"]);
    accepted(&then("%v = stablehlo.add %u, %m : tensor<4xf32>"), Channel::Scale, &["sqrt"]);
    for operation in [
        "%v = stablehlo.cosine %u : tensor<4xf32>",
        "%w = stablehlo.bitcast_convert %u : (tensor<4xf32>) -> tensor<4xi32>
         %v = stablehlo.convert %w : (tensor<4xi32>) -> tensor<4xf32>",
        "%w = stablehlo.reduce(%u init: %zero) applies stablehlo.add across dimensions = [0]
             : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
         %v = stablehlo.broadcast_in_dim %w, dims = [] : (tensor<f32>) -> tensor<4xf32>",
    ] {
        refused(&then(operation), Channel::Selection, &["sqrt"], "that optimizers do not have");
    }
}

/// Four numbers from a place that the score says.
fn picked(from: &str, of: &str) -> String {
    format!(
        "%table = stablehlo.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : tensor<8xf32>
        %made = stablehlo.iota dim = 0 : tensor<8xf32>
        %i = stablehlo.convert %s : (tensor<f32>) -> tensor<i32>
        %u = stablehlo.dynamic_slice {from}, %i, sizes = [4] : ({of}, tensor<i32>) -> tensor<4xf32>
        %v = stablehlo.cosine %u : tensor<4xf32>
        %r = stablehlo.subtract %p, %v : tensor<4xf32>"
    )
}

#[test]
fn selection_picks_from_data_and_never_from_a_table() {
    accepted(&picked("%d", "tensor<8xf32>"), Channel::Selection, &["convert"]);
    refused(&picked("%d", "tensor<8xf32>"), Channel::Scale, &["convert"], "is selection, and scale is claimed");
    for from in ["%table", "%made", "%p", "%o"] {
        let of = if from.len() == 2 { "tensor<4xf32>" } else { "tensor<8xf32>" };
        refused(&picked(from, of), Channel::Selection, &["convert"], "more than a test, a factor or an index");
    }
}

/// Every element that may be picked has to be data.
#[test]
fn a_table_of_data_and_constants_is_content() {
    let content = "more than a test, a factor or an index";
    let with = |part: &str, length: u32| {
        let size = 8 + length;
        let table = format!(
            "{part}\n%all = stablehlo.concatenate %d, %part, dim = 0
                : (tensor<8xf32>, tensor<{length}xf32>) -> tensor<{size}xf32>\n"
        );
        table + &picked("%all", &format!("tensor<{size}xf32>"))
    };
    let part = "%part = stablehlo.reverse %d, dims = [0] : tensor<8xf32>";
    accepted(&with(part, 8), Channel::Selection, &["convert"]);
    let part = "%part = stablehlo.iota dim = 0 : tensor<100xf32>";
    refused(&with(part, 100), Channel::Selection, &["convert"], content);
    let part = "%part = stablehlo.broadcast_in_dim %half, dims = [] : (tensor<f32>) -> tensor<4xf32>";
    refused(&with(part, 4), Channel::Selection, &["convert"], content);
    let part = "%part = stablehlo.add %halves, %o : tensor<4xf32>";
    refused(&with(part, 4), Channel::Selection, &["convert"], content);
}

/// What is out of bounds may be filled, once, and for no other reason.
#[test]
fn a_fill_is_for_what_lies_out_of_bounds() {
    let filled = |test: &str, then: &str| {
        let lines = format!(
            "%bound = stablehlo.constant dense<4> : tensor<i32>
            %none = stablehlo.constant dense<0> : tensor<i32>
            %third = stablehlo.constant dense<3> : tensor<i32>
            {test}
            %v = stablehlo.select %in, %u, %halves : tensor<i1>, tensor<4xf32>
            {then}"
        );
        picked("%d", "tensor<8xf32>").replace("%v = stablehlo.cosine %u : tensor<4xf32>", &lines)
    };
    let inside = "%low = stablehlo.compare GE, %i, %none, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
            %high = stablehlo.compare LE, %i, %bound, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
            %in = stablehlo.and %low, %high : tensor<i1>";
    accepted(&filled(inside, ""), Channel::Selection, &["convert"]);
    let equal = "%in = stablehlo.compare NE, %i, %third, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>";
    refused(&filled(equal, ""), Channel::Selection, &["convert"], "");
    let elsewhere = inside.replace("%bound, SIGNED", "%third, SIGNED");
    refused(&filled(&elsewhere, ""), Channel::Selection, &["convert"], "");
    let again = "%twos = stablehlo.constant dense<2.0> : tensor<4xf32>
            %w = stablehlo.select %low, %v, %twos : tensor<i1>, tensor<4xf32>";
    let twice = filled(inside, again).replace("subtract %p, %v", "subtract %p, %w");
    refused(&twice, Channel::Selection, &["convert"], "");
}

#[test]
fn state_is_carried_where_the_same_tests_keep_it_or_move_it_on() {
    let state = "%next = stablehlo.add %m, %g : tensor<4xf32>
        %kept = stablehlo.select %t, %next, %m : tensor<i1>, tensor<4xf32>
        %moved = stablehlo.subtract %p, %next : tensor<4xf32>\n";
    let chosen = format!("{state}%r = stablehlo.select %t, %moved, %p : tensor<i1>, tensor<4xf32>");
    in_a_run(&chosen, "%kept, %c", Channel::Timing, &["compare"], "");
    // Moved on always, or by a sign.
    let always = format!("{state}%r = stablehlo.subtract %p, %m : tensor<4xf32>");
    in_a_run(&always, "%kept, %c", Channel::Selection, &["compare"], "not between its own value and one other");
    let sign = chosen.replace("%t, %next, %m", "%t, %next, %g");
    in_a_run(&sign, "%kept, %c", Channel::Selection, &["compare"], "do not keep or move on");
}

#[test]
fn a_loss_scale_is_scale_where_it_cancels() {
    let body = |back: &str| {
        format!(
            "%b = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<4xf32>
            %large = stablehlo.multiply %g, %b : tensor<4xf32>
            %u = stablehlo.{back} : tensor<4xf32>
            %moved = stablehlo.subtract %p, %u : tensor<4xf32>
            %r = stablehlo.select %t, %moved, %p : tensor<i1>, tensor<4xf32>
            %less = stablehlo.multiply %c, %half : tensor<f32>
            %more = stablehlo.add %c, %c : tensor<f32>
            %scale = stablehlo.select %t, %more, %less : tensor<i1>, tensor<f32>"
        )
    };
    let cancels = body("divide %large, %b");
    in_a_run(&cancels, "%m, %scale", Channel::Scale, &["compare"], "");
    in_a_run(&cancels, "%m, %scale", Channel::Timing, &["compare"], "is scale, and timing is claimed");
    in_a_run(&body("multiply %large, %b"), "%m, %scale", Channel::Selection, &["compare"], "do not keep or move on");
    in_a_run(&body("divide %large, %g"), "%m, %scale", Channel::Selection, &["compare"], "do not keep or move on");
    // A number that the score itself becomes is no loss scale, whether it cancels or not.
    in_a_run(&cancels, "%m, %s", Channel::Selection, &["compare", "reduce"], "more than a test, a factor or an index");
}
