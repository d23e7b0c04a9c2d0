//! Derivatives of captured steps: zero where nothing flows, right where it flows smoothly, and silent about choices.

use std::sync::Mutex;

use openloop::exec::Dual;
use openloop::graph::TrainingGraph;
use openloop::interference::captured::{CapturedStep, Direction, Movement, PairedQuestion, Sensitivity};
use openloop::interference::{Change, Disturbance, Options, PairedOutcome, Probe, Target, TrainingSystem, search};
use openloop::policy::{FlowPolicy, Selector};
use openloop::verdict::{Assumption, Within};
use serde_json::Value;

use super::corpus;
use super::paired::{NOT_IN_THE_TEXT, on_all_processors, policy};
use super::truth::truth;

/// The question of one step of a graph.
fn question(graph: &TrainingGraph, policy: &FlowPolicy) -> PairedQuestion {
    let graphs = [(graph.name(), graph)];
    let invariant = policy.invariants().iter().find(|entry| entry.within == Within::Step).expect("both");
    PairedQuestion::new(&graphs, policy, invariant).expect("a question")
}

fn both_directions(graph: &TrainingGraph, question: &PairedQuestion) -> [Sensitivity; 2] {
    let graphs = [(graph.name(), graph)];
    let step = CapturedStep::<Dual<f32>>::new(&graphs, question).expect("it can be run");
    let movement = Movement::Spread;
    Target::ALL.map(|target| step.sensitivity(Direction { target, movement }, 3, 1, 4).expect("it runs"))
}

/// A step in which the best of three scores says which embedding is trained.
const CHOICE: &str = r#"
module @step {
  func.func public @main(%beliefs: tensor<3xf32> {jax.arg_info = "beliefs['w']"}, %desires: tensor<3xf32> {jax.arg_info = "desires['w']"})
      -> (tensor<3xf32> {jax.result_info = "result[0]"}, tensor<3xf32> {jax.result_info = "result[1]"}) {
    %scores = stablehlo.multiply %beliefs, %desires : tensor<3xf32> loc("jit(step)/probe_reward/mul")
    %least = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %none = stablehlo.constant dense<0> : tensor<i32>
    %places = stablehlo.iota dim = 0 : tensor<3xi32>
    %best:2 = stablehlo.reduce(%scores init: %least), (%places init: %none) across dimensions = [0]
        : (tensor<3xf32>, tensor<3xi32>, tensor<f32>, tensor<i32>) -> (tensor<f32>, tensor<i32>)
      reducer(%a: tensor<f32>, %b: tensor<f32>) (%i: tensor<i32>, %j: tensor<i32>) {
        %larger = stablehlo.compare GT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
        %score = stablehlo.select %larger, %a, %b : tensor<i1>, tensor<f32>
        %place = stablehlo.select %larger, %i, %j : tensor<i1>, tensor<i32>
        stablehlo.return %score, %place : tensor<f32>, tensor<i32>
      }
    %chosen = stablehlo.broadcast_in_dim %best#1, dims = [] : (tensor<i32>) -> tensor<3xi32>
    %mask = stablehlo.compare EQ, %places, %chosen : (tensor<3xi32>, tensor<3xi32>) -> tensor<3xi1>
    %update = stablehlo.convert %mask : (tensor<3xi1>) -> tensor<3xf32>
    %trained = stablehlo.add %beliefs, %update : tensor<3xf32>
    %wanted = stablehlo.add %desires, %scores : tensor<3xf32>
    return %trained, %wanted : tensor<3xf32>, tensor<3xf32>
  }
}
"#;

#[test]
fn a_choice_by_argmax_has_derivative_zero_and_running_twice_shows_it() {
    let graph = openloop::capture::read(CHOICE.as_bytes()).expect("a step");
    let select = |text: &str| vec![Selector::parse(text).expect("a selector")];
    let policy = FlowPolicy::from_flags(select("scope:probe_reward"), select("output:result.0"), None, Vec::new());
    let question = question(&graph, &policy.expect("a policy"));
    let [by_value, _] = both_directions(&graph, &question);
    assert!(by_value.moved >= 9, "{by_value:?}");
    assert!(!by_value.is_nonzero(), "{by_value:?}");
    assert!(by_value.losses().comparisons >= 6, "{by_value:?}");
    assert!(by_value.to_string().contains("a zero does not mean that nothing flows"), "{by_value}");

    let graphs = [(graph.name(), &graph)];
    let step = CapturedStep::<f32>::new(&graphs, &question).expect("it can be run");
    let options = Options { steps: 1, seed: 1, ..Options::default() };
    let report = search(&step, &options, &mut |_| ()).report;
    assert!(matches!(report.outcome, PairedOutcome::Difference(_)), "{report}");
}

/// A step with floats of 64 bits instead of 32.
fn widened(name: &str) -> TrainingGraph {
    let text = corpus::bytes(&corpus::root().join("fixtures/jax").join(name).join("step.mlir"));
    let text = String::from_utf8(text).expect("a text").replace("f32", "f64");
    let text = text.replace("0xFF800000", "0xFFF0000000000000").replace("0x7FC00000", "0x7FF8000000000000");
    openloop::capture::read(text.as_bytes()).expect("a step")
}

#[test]
fn a_smooth_leak_has_the_derivative_of_a_central_difference() {
    for name in ["shared_clip", "scale_add", "missed_stop_gradient", "differentiable_probe_loss"] {
        let graph = widened(name);
        let graphs = [(graph.name(), &graph)];
        let truth = truth(&corpus::root().join("fixtures/jax").join(name));
        let question = question(&graph, &policy(&graph, &truth, &[]));
        let plain = CapturedStep::<f64>::new(&graphs, &question).expect("it can be run");
        let dual = CapturedStep::<Dual<f64>>::new(&graphs, &question).expect("it can be run");
        let mut compared = 0;
        for target in Target::ALL {
            let found = dual.sensitivity(Direction { target, movement: Movement::Alike }, 1, 1, 8).expect("it runs");
            let by = 1e-5;
            let outputs = |by: f64| -> Vec<(String, Vec<f64>)> {
                let (state, inputs) = plain.drawn(8, 1);
                let disturbance = Disturbance { target, change: Change::Shift { by }, step: None, element: None };
                let state = plain.step(state, &inputs[0], &mut Probe::new(Some(&disturbance), 0)).expect("it runs");
                let numbers = |bits: &u64| f64::from_bits(*bits);
                plain
                    .beliefs(&state)
                    .iter()
                    .map(|part| (part.name.clone(), part.bits.iter().map(numbers).collect()))
                    .collect()
            };
            let (above, below) = (outputs(by), outputs(-by));
            for ((sink, (name_above, above)), (_, below)) in found.sinks.iter().zip(&above).zip(&below) {
                assert_eq!(sink.name, *name_above);
                let differences = above.iter().zip(below).map(|(above, below)| (above - below) / (2.0 * by));
                let norm = differences.map(|difference| difference * difference).sum::<f64>().sqrt();
                if sink.is_discrete {
                    continue;
                }
                assert!(
                    (norm - sink.norm).abs() <= 1e-5 * (norm + 1e-4),
                    "{name} {target:?} {}: {norm} {}",
                    sink.name,
                    sink.norm
                );
                compared += usize::from(norm > 1e-6);
            }
        }
        assert!(compared > 0, "{name} has no derivative");
    }
}

#[test]
fn rewards_that_are_compared_with_their_mean_cancel_where_all_move_alike() {
    let folder = corpus::root().join("fixtures/jax/naive_grpo");
    let graph = corpus::graph(&folder.join("step.mlir"));
    let graphs = [(graph.name(), &graph)];
    let question = question(&graph, &policy(&graph, &truth(&folder), &[]));
    let step = CapturedStep::<Dual<f32>>::new(&graphs, &question).expect("it can be run");
    let largest = |movement| {
        let found = step.sensitivity(Direction { target: Target::Value, movement }, 1, 1, 0).expect("it runs");
        found.largest()
    };
    let [alike, spread, single] = [Movement::Alike, Movement::Spread, Movement::Single(0)].map(largest);
    assert!(alike < 1e-3 * spread && alike < 1e-3 * single, "{alike} {spread} {single}");
}

/// This one leaks where a number that it compares is NaN, which no ordinary state has.
const ONLY_WITH_NAN: &str = "routing_compare_nan";

#[test]
fn steps_that_leak_have_a_derivative_or_lose_one_and_clean_ones_have_none() {
    let counts = Mutex::new([0; 3]);
    let steps = corpus::steps();
    let failed = on_all_processors(&steps, |step| {
        let name = corpus::name(step);
        if name == ONLY_WITH_NAN || NOT_IN_THE_TEXT.iter().any(|(excused, _)| *excused == name) {
            return Vec::new();
        }
        let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
        let leaks = json["leak_one_step"].as_bool().expect("a truth");
        let leaks_finite = json["finite_only_leak_one_step"].as_bool().unwrap_or(leaks);
        let graph = corpus::graph(&step.join("step.mlir"));
        let truth = truth(step);
        let binary = truth.assume.iter().filter(|assumption| matches!(assumption, Assumption::Binary(_)));
        let question = question(&graph, &policy(&graph, &truth, &binary.cloned().collect::<Vec<_>>()));
        let found = both_directions(&graph, &question);
        let has_derivative = found.iter().any(Sensitivity::is_nonzero);
        let is_lost = found.iter().any(|found| found.losses().total() > 0 || found.discrete > 0 || found.made_up);
        let mut counts = counts.lock().expect("no check panics");
        match (leaks_finite, has_derivative, is_lost) {
            (false, true, _) => vec![format!("{name} is clean and has a derivative: {found:?}")],
            (true, false, false) => vec![format!("{name} leaks, and neither has nor loses a derivative: {found:?}")],
            (true, true, _) => {
                counts[0] += 1;
                Vec::new()
            }
            (true, false, true) => {
                counts[1] += 1;
                Vec::new()
            }
            (false, false, _) => {
                counts[2] += 1;
                Vec::new()
            }
        }
    });
    assert!(failed.is_empty(), "{} wrong\n{}", failed.len(), failed.join("\n"));
    let [smooth, lost, clean] = counts.into_inner().expect("no check panics");
    assert!(
        smooth >= 30 && lost >= 5 && clean >= 40,
        "{smooth} leaks with a derivative, {lost} without, {clean} clean"
    );
}
