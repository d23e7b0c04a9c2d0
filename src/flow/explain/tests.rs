//! The words of the channels, sentence by sentence: a step that each is true of, beside steps that it is not. And bits,
//! counted by running a step with every value of what the source passes through.

use std::collections::BTreeSet;

use super::*;
use crate::exec::{Hook, InputGenerator, Program, Tensor, TensorShape};
use crate::flow::refined::tests::step;
use crate::flow::refined::{Assumed, Question, Refined, refine};
use crate::flow::{Crossings, Sources};
use crate::graph::{PairingOverride, TrainingGraph};
use crate::policy::Selector;
use crate::verdict::{Channel, Within};

/// A system of one step, its leak, and the sinks.
fn with_leak<T>(graph: &TrainingGraph, within: Within, ask: impl FnOnce(&System<'_>, &Refined, &[Port]) -> T) -> T {
    let mut system = System::new([graph]);
    system.carry(0, &graph.carried_pairs(&PairingOverride::default()).expect("pairs"));
    let select = |text: &str| Selector::parse(text).expect("a selector").resolve(graph);
    let mut sources = Sources::default();
    let found = select("scope:probe").operations;
    assert!(!found.is_empty(), "no operation is source");
    sources.add(0, found, []);
    let sinks = select("output:result.sink.**").outputs.into_iter().chain(select("output:result.sink").outputs);
    let mut sinks: Vec<Port> = sinks.map(|position| Port { graph: 0, position }).collect();
    sinks.sort_unstable();
    sinks.dedup();
    assert!(!sinks.is_empty(), "no output is a sink");
    let assumed = Assumed::default();
    let question =
        Question { sources: &sources, counted: Crossings::within(within), assumed: &assumed, ends: &sinks, cut: &[] };
    let refined = refine(&system, &question).expect("within all bounds");
    ask(&system, &refined, &sinks)
}

/// The worst channel of the sinks; `data` is the name of an input.
fn channel(graph: &TrainingGraph, within: Within, data: &str) -> Channel {
    with_leak(graph, within, |system, refined, sinks| {
        let data: Vec<Port> = (graph.inputs().enumerate())
            .filter(|(_, (path, _))| path.to_string() == data)
            .map(|(position, _)| Port { graph: 0, position })
            .collect();
        let pairs = graph.carried_pairs(&PairingOverride::default()).expect("pairs").pairs;
        let mut channels = Channels::new(system, &refined.leak, sinks, &data);
        let of = |sink: &Port| {
            let keeps = pairs.iter().find(|pair| pair.output == sink.position).map(|pair| pair.input);
            channels.of(*sink, keeps).channel
        };
        sinks.iter().map(of).max().expect("a sink")
    })
}

/// A step whose sink replaces the input of its name. `s` is source, four numbers; `score` their sum; `g` the sink's own
/// gradient, `d` that of another.
fn update(body: &str) -> TrainingGraph {
    let begin = "    %s = stablehlo.tanh %desires : tensor<4xf32> loc(\"step/probe/tanh\")
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %one = stablehlo.constant dense<1.0> : tensor<f32>
    %tiny = stablehlo.constant dense<1.000000e-06> : tensor<f32>
    %zeros = stablehlo.constant dense<0.0> : tensor<4xf32>
    %score = stablehlo.reduce(%s init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) \
                 -> tensor<f32>
    %g = stablehlo.cosine %x : tensor<4xf32>
    %d = stablehlo.multiply %s, %x : tensor<4xf32>
    %plus = stablehlo.add %sink, %g : tensor<4xf32>
    %test = stablehlo.compare GT, %score, %zero, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>\n";
    let inputs = [("sink", "4xf32"), ("desires", "4xf32"), ("x", "4xf32"), ("memory", "8x4xf32"), ("key", "2xui64")];
    step(&inputs, &format!("{begin}{body}"), &[("sink", "4xf32", "out")], "")
}

fn of(body: &str) -> Channel {
    channel(&update(body), Within::Step, "memory")
}

#[test]
fn nothing_that_arrives_is_no_channel() {
    assert_eq!(of("    %out = stablehlo.add %sink, %g : tensor<4xf32>"), Channel::None);
}

#[test]
fn timing_is_one_test_between_the_old_value_and_one_other() {
    let chosen = |yes: &str, no: &str| {
        of(&format!("    %out = stablehlo.select %test, %{yes}, %{no} : tensor<i1>, tensor<4xf32>"))
    };
    assert_eq!(chosen("plus", "sink"), Channel::Timing);
    assert_eq!(chosen("sink", "plus"), Channel::Timing);
    // neither is the sink's own value
    assert_eq!(chosen("plus", "x"), Channel::Content);
    // the other is labelled itself
    assert_eq!(chosen("sink", "s"), Channel::Content);
    let branches = |other: &str| {
        of(&format!(
            "    %out = \"stablehlo.if\"(%test) ({{\n      stablehlo.return %sink : tensor<4xf32>\n    }}, {{
      stablehlo.return %{other} : tensor<4xf32>\n    }}) : (tensor<i1>) -> tensor<4xf32>"
        ))
    };
    assert_eq!(branches("plus"), Channel::Timing);
    assert_eq!(branches("d"), Channel::Content);
}

#[test]
fn a_test_for_each_element_is_content() {
    let body = "    %tests = stablehlo.compare GT, %s, %zeros, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %out = stablehlo.select %tests, %plus, %sink : tensor<4xi1>, tensor<4xf32>";
    assert_eq!(of(body), Channel::Content);
}

#[test]
fn timing_of_another_value_is_content() {
    // What is kept is not what the sink replaces.
    let body = "    %kept = stablehlo.select %test, %plus, %x : tensor<i1>, tensor<4xf32>
    %out = stablehlo.add %sink, %kept : tensor<4xf32>";
    assert_eq!(of(body), Channel::Content);
}

/// The sink is moved by `factor` times `g`, where `norm` is the norm of `g` and `d` together.
fn scaled(factor: &str, applied: &str) -> Channel {
    of(&format!(
        "    %gg = stablehlo.multiply %g, %g : tensor<4xf32>
    %dd = stablehlo.multiply %d, %d : tensor<4xf32>
    %g2 = stablehlo.reduce(%gg init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> \
         tensor<f32>
    %d2 = stablehlo.reduce(%dd init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> \
         tensor<f32>
    %both = stablehlo.add %g2, %d2 : tensor<f32>
    %norm = stablehlo.sqrt %both : tensor<f32>
    %other = stablehlo.sqrt %d2 : tensor<f32>
{factor}
    %f = stablehlo.broadcast_in_dim %factor, dims = [] : (tensor<f32>) -> tensor<4xf32>
{applied}
    %out = stablehlo.add %sink, %u : tensor<4xf32>"
    ))
}

const TIMES: &str = "    %u = stablehlo.multiply %f, %g : tensor<4xf32>";

#[test]
fn scale_is_one_norm_of_what_it_scales() {
    let clip = "    %most = stablehlo.maximum %norm, %one : tensor<f32>
    %factor = stablehlo.divide %one, %most : tensor<f32>";
    assert_eq!(scaled(clip, TIMES), Channel::Scale);
    // the same, one division later
    let divided = "    %u = stablehlo.divide %g, %f : tensor<4xf32>";
    assert_eq!(scaled("    %factor = stablehlo.maximum %norm, %one : tensor<f32>", divided), Channel::Scale);
    // a small number in the norm is not a sign
    let guarded = "    %more = stablehlo.add %norm, %tiny : tensor<f32>
    %factor = stablehlo.divide %one, %more : tensor<f32>";
    assert_eq!(scaled(guarded, TIMES), Channel::Scale);
    // the optimizer's arithmetic after it
    let moments = "    %v = stablehlo.multiply %f, %g : tensor<4xf32>
    %w = stablehlo.sqrt %v : tensor<4xf32>
    %u = stablehlo.divide %v, %w : tensor<4xf32>";
    assert_eq!(scaled(clip, moments), Channel::Scale);
}

#[test]
fn a_factor_that_may_be_negative_is_content() {
    // a batch-of-one advantage
    assert_eq!(scaled("    %factor = stablehlo.subtract %score, %one : tensor<f32>", TIMES), Channel::Content);
    assert_eq!(scaled("    %factor = stablehlo.multiply %score, %norm : tensor<f32>", TIMES), Channel::Content);
    // a norm that is shifted, and a function of it that swings
    assert_eq!(scaled("    %factor = stablehlo.subtract %norm, %one : tensor<f32>", TIMES), Channel::Content);
    assert_eq!(scaled("    %factor = stablehlo.sine %norm : tensor<f32>", TIMES), Channel::Content);
    // the sign of the rate is not the source's
    let rate = "    %half = stablehlo.constant dense<-0.5> : tensor<f32>
    %factor = stablehlo.multiply %norm, %half : tensor<f32>";
    assert_eq!(scaled(rate, TIMES), Channel::Scale);
    // clamped from above by what may be negative
    let clamped = "    %k = stablehlo.slice %x [0:1] : (tensor<4xf32>) -> tensor<1xf32>
    %high = stablehlo.reshape %k : (tensor<1xf32>) -> tensor<f32>
    %factor = stablehlo.clamp %zero, %norm, %high : tensor<f32>";
    assert_eq!(scaled(clamped, TIMES), Channel::Content);
    // a sum that wraps round
    let wrapped = "    %i = stablehlo.convert %norm : (tensor<f32>) -> tensor<ui8>
    %j = stablehlo.convert %i : (tensor<ui8>) -> tensor<i8>
    %factor = stablehlo.convert %j : (tensor<i8>) -> tensor<f32>";
    assert_eq!(scaled(wrapped, TIMES), Channel::Content);
}

#[test]
fn a_norm_of_other_gradients_is_content() {
    let other = "    %most = stablehlo.maximum %other, %one : tensor<f32>
    %factor = stablehlo.divide %one, %most : tensor<f32>";
    assert_eq!(scaled(other, TIMES), Channel::Content);
}

#[test]
fn a_factor_that_is_added_compared_or_mixed_is_content() {
    let clip = "    %most = stablehlo.maximum %norm, %one : tensor<f32>
    %factor = stablehlo.divide %one, %most : tensor<f32>";
    // g + score
    assert_eq!(scaled(clip, "    %u = stablehlo.add %f, %g : tensor<4xf32>"), Channel::Content);
    // its bits
    let bits = "    %i = stablehlo.bitcast_convert %f : (tensor<4xf32>) -> tensor<4xi32>
    %j = stablehlo.convert %i : (tensor<4xi32>) -> tensor<4xf32>
    %u = stablehlo.multiply %j, %g : tensor<4xf32>";
    assert_eq!(scaled(clip, bits), Channel::Content);
    // elements of what it scales are mixed
    let mixed = "    %v = stablehlo.multiply %f, %g : tensor<4xf32>
    %sum = stablehlo.reduce(%v init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> \
         tensor<f32>
    %w = stablehlo.broadcast_in_dim %sum, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %u = stablehlo.multiply %w, %g : tensor<4xf32>";
    assert_eq!(scaled(clip, mixed), Channel::Content);
    // a second way beside the factor
    let beside = "    %v = stablehlo.multiply %f, %g : tensor<4xf32>
    %u = stablehlo.add %v, %d : tensor<4xf32>";
    assert_eq!(scaled(clip, beside), Channel::Content);
}

#[test]
fn a_factor_for_each_element_is_content() {
    // `-delta * w * s^T`: an outer product with the source
    let body = "    %n = stablehlo.negate %g : tensor<4xf32>
    %v = stablehlo.multiply %n, %x : tensor<4xf32>
    %u = stablehlo.multiply %v, %s : tensor<4xf32>
    %out = stablehlo.add %sink, %u : tensor<4xf32>";
    assert_eq!(of(body), Channel::Content);
}

/// The sink is moved by a row that the source picks.
fn picked(table: &str, used: &str) -> Channel {
    of(&format!(
        "    %i = stablehlo.convert %score : (tensor<f32>) -> tensor<i32>
    %i0 = stablehlo.constant dense<0> : tensor<i32>
{table}
    %row = stablehlo.dynamic_slice %table, %i, %i0, sizes = [1, 4] : (tensor<8x4xf32>, tensor<i32>, tensor<i32>) -> \
         tensor<1x4xf32>
    %u = stablehlo.reshape %row : (tensor<1x4xf32>) -> tensor<4xf32>
{used}
    %out = stablehlo.add %sink, %v : tensor<4xf32>"
    ))
}

#[test]
fn selection_picks_from_declared_data_alone() {
    let data = "    %table = stablehlo.tanh %memory : tensor<8x4xf32>";
    let plain = "    %v = stablehlo.multiply %u, %g : tensor<4xf32>";
    assert_eq!(picked(data, plain), Channel::Selection);
    // a look-up in a table of constants, and in positions
    assert_eq!(
        picked(
            "    %table = stablehlo.constant dense<[[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0], [2.0, 1.0, 1.0, \
        1.0], [3.0, 1.0, 1.0, 1.0], [4.0, 1.0, 1.0, 1.0], [5.0, 1.0, 1.0, 1.0], [6.0, 1.0, 1.0, 1.0], [7.0, 1.0, 1.0, \
        1.0]]> : tensor<8x4xf32>",
            plain
        ),
        Channel::Content
    );
    assert_eq!(picked("    %table = stablehlo.iota dim = 0 : tensor<8x4xf32>", plain), Channel::Content);
    // what nobody declared
    let weights = "    %table = stablehlo.broadcast_in_dim %x, dims = [1] : (tensor<4xf32>) -> tensor<8x4xf32>";
    assert_eq!(picked(weights, plain), Channel::Content);
    // the source is in the data as well, and beside them
    let written = "    %spread = stablehlo.broadcast_in_dim %s, dims = [1] : (tensor<4xf32>) -> tensor<8x4xf32>
    %table = stablehlo.add %memory, %spread : tensor<8x4xf32>";
    assert_eq!(picked(written, plain), Channel::Content);
    assert_eq!(picked(data, "    %v = stablehlo.multiply %u, %s : tensor<4xf32>"), Channel::Content);
}

#[test]
fn random_keys_are_content() {
    let body = "    %b = stablehlo.bitcast_convert %s : (tensor<4xf32>) -> tensor<4xui32>
    %w = stablehlo.slice %b [0:2] : (tensor<4xui32>) -> tensor<2xui32>
    %k = stablehlo.convert %w : (tensor<2xui32>) -> tensor<2xui64>
    %state, %bits = stablehlo.rng_bit_generator %k, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, \
         tensor<4xui32>)
    %noise = stablehlo.convert %bits : (tensor<4xui32>) -> tensor<4xf32>
    %out = stablehlo.add %sink, %noise : tensor<4xf32>";
    assert_eq!(of(body), Channel::Content);
}

#[test]
fn a_sink_that_is_labelled_already_makes_no_second_worse_flow() {
    // The first sink is kept or moved on; the second is made of it in the next step.
    let graph = |second: &str| {
        let body = format!(
            "    %s = stablehlo.tanh %desires : tensor<f32> loc(\"step/probe/tanh\")
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %test = stablehlo.compare GT, %s, %zero, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %plus = stablehlo.add %a, %x : tensor<4xf32>
    %first = stablehlo.select %test, %plus, %a : tensor<i1>, tensor<4xf32>
    %second = stablehlo.multiply %{second}, %x : tensor<4xf32>"
        );
        let inputs = [("sink.a", "4xf32"), ("sink.b", "4xf32"), ("desires", "f32"), ("x", "4xf32")];
        let body = body.replace("%a,", "%sink.a,").replace("%a :", "%sink.a :").replace("%b,", "%sink.b,");
        step(&inputs, &body, &[("sink.a", "4xf32", "first"), ("sink.b", "4xf32", "second")], "")
    };
    assert_eq!(channel(&graph("a"), Within::Run, ""), Channel::Timing);
    assert_eq!(channel(&graph("first"), Within::Step, ""), Channel::Content);
}

// --- bits

fn bits(graph: &TrainingGraph, within: Within) -> Capacity {
    with_leak(graph, within, |system, refined, sinks| capacity(system, &refined.leak, sinks, None)).expect("a bound")
}

/// How many different results the sinks have together, for these values of the only source, one list for each run.
fn distinct(graph: &TrainingGraph, steps: usize, values: impl Iterator<Item = Vec<u64>>) -> usize {
    let program = Program::<f32>::new(graph).expect("a program");
    let source = Selector::parse("scope:probe").expect("a selector").resolve(graph).operations[0];
    let result = graph.results(source).get(0).expect("a result");
    let shape = TensorShape::of(graph.tensor_type(result).expect("a tensor")).expect("a known type");
    let pairs = graph.carried_pairs(&PairingOverride::default()).expect("pairs").pairs;
    let generator = InputGenerator::new(graph, 7);
    let mut seen = BTreeSet::new();
    for values in values {
        let mut inputs: Vec<Tensor<f32>> = (0..graph.inputs().len())
            .map(|position| generator.input(graph.entry(), position).expect("an input"))
            .collect();
        let mut sinks = Vec::new();
        for step in 0..steps {
            let hook = Hook::new([source], |_, _, result| {
                *result = Tensor::from_bits(&shape, &values[step..step + 1]).expect("one element");
            });
            let outputs = program.run_with(inputs.clone(), hook).expect("a run");
            for ((path, _), output) in graph.outputs().zip(&outputs) {
                if path.to_string().contains("sink") {
                    sinks.push(output.to_bits());
                }
            }
            pairs.iter().for_each(|pair| inputs[pair.input] = outputs[pair.output].clone());
        }
        seen.insert(sinks);
    }
    seen.len()
}

/// A source of one element of a type, and sinks that it is all in.
fn bottleneck(of: &str) -> TrainingGraph {
    let body = format!(
        "    %s = stablehlo.convert %x : (tensor<f32>) -> tensor<{of}> loc(\"step/probe/convert\")
    %f = stablehlo.convert %s : (tensor<{of}>) -> tensor<f32>
    %v = stablehlo.broadcast_in_dim %f, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %a = stablehlo.add %v, %y : tensor<4xf32>
    %b = stablehlo.multiply %v, %y : tensor<4xf32>"
    );
    step(&[("x", "f32"), ("y", "4xf32")], &body, &[("sink.a", "4xf32", "a"), ("sink.b", "4xf32", "b")], "")
}

#[test]
fn a_bottleneck_of_n_bits_lets_as_many_results_through_as_it_has_values() {
    for (of, width) in [("i1", 1), ("i4", 4), ("ui4", 4), ("i8", 8), ("ui8", 8), ("f8E5M2", 8), ("f8E4M3FN", 8)] {
        let graph = bottleneck(of);
        let bound = bits(&graph, Within::Step);
        assert_eq!((bound.bits, bound.exact), (width, true), "{of}");
        let found = distinct(&graph, 1, (0..1u64 << width).map(|value| vec![value]));
        assert!(found <= 1 << bound.bits, "{of}: {found} results through {} bits", bound.bits);
        // Half of the bits would not be enough: floats have two zeros and some NaN.
        let least = if of.starts_with('f') { (1 << width) - 8 } else { 1 << width };
        assert!(found >= least, "{of}: {found} results");
    }
}

#[test]
fn a_bottleneck_behind_a_wide_source_is_what_counts() {
    let body = "    %s = stablehlo.tanh %x : tensor<f32> loc(\"step/probe/tanh\")
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %t = stablehlo.compare GT, %s, %zero, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %k = stablehlo.convert %t : (tensor<i1>) -> tensor<f32>
    %v = stablehlo.broadcast_in_dim %k, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %a = stablehlo.multiply %v, %y : tensor<4xf32>";
    let graph = step(&[("x", "f32"), ("y", "4xf32")], body, &[("sink", "4xf32", "a")], "");
    assert_eq!(bits(&graph, Within::Step).bits, 1);
    let values = (0..64u32).map(|value| vec![u64::from((value as f32 - 31.5).to_bits())]);
    assert_eq!(distinct(&graph, 1, values), 2);
}

#[test]
fn two_bottlenecks_add_up() {
    let body = "    %s = stablehlo.convert %x : (tensor<f32>) -> tensor<ui8> loc(\"step/probe/convert\")
    %c = stablehlo.constant dense<15> : tensor<ui8>
    %four = stablehlo.constant dense<4> : tensor<ui8>
    %low = stablehlo.and %s, %c : tensor<ui8>
    %high = stablehlo.shift_right_logical %s, %four : tensor<ui8>
    %l = stablehlo.convert %low : (tensor<ui8>) -> tensor<i4>
    %h = stablehlo.convert %high : (tensor<ui8>) -> tensor<i1>
    %a = stablehlo.convert %l : (tensor<i4>) -> tensor<f32>
    %b = stablehlo.convert %h : (tensor<i1>) -> tensor<f32>";
    let graph = step(&[("x", "f32")], body, &[("sink.a", "f32", "a"), ("sink.b", "f32", "b")], "");
    assert_eq!(bits(&graph, Within::Step).bits, 5);
    assert_eq!(distinct(&graph, 1, (0..256).map(|value| vec![value])), 32);
}

#[test]
fn a_run_lets_through_as_much_in_each_step() {
    // Each step tells one bit, and none is forgotten.
    let body = "    %s = stablehlo.convert %x : (tensor<f32>) -> tensor<i1> loc(\"step/probe/convert\")
    %k = stablehlo.convert %s : (tensor<i1>) -> tensor<f32>
    %two = stablehlo.constant dense<2.0> : tensor<f32>
    %d = stablehlo.multiply %sink, %two : tensor<f32>
    %a = stablehlo.add %d, %k : tensor<f32>";
    let graph = step(&[("sink", "f32"), ("x", "f32")], body, &[("sink", "f32", "a")], "");
    let bound = bits(&graph, Within::Run);
    assert_eq!(bound.bits, 1);
    for steps in 1..5usize {
        let found = distinct(&graph, steps, (0..1u64 << steps).map(|all| (0..steps).map(|at| all >> at & 1).collect()));
        assert!(found <= 1 << (steps as u64 * bound.bits));
        assert_eq!(found, 1 << steps, "{steps} steps");
    }
}
