//! Reference systems: both readings of a step give the same bits, and the scenarios are found as they are expected.

use std::collections::BTreeSet;

use openloop::exec::{Dual, FloatScalar, Program};
use openloop::graph::BuildError;
use openloop::interference::proptest::prelude::*;
use openloop::interference::proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use openloop::interference::{Disturbance, Mode, Probe, Target, TrainingSystem, run_pair};
use openloop::scenarios::table;
use openloop::systems::{
    BanditQuestion, Binary, DeceptionBandit, Draw, Machine, Mask, Numbers, OnArrays, Question, Reduce, Relation, Slot,
    System, Tensor, Tensors, TwoBoxVariant, TwoBoxes, Unary, written_down,
};
use openloop::testing::check_system;

/// Runs a graph on what the code was run on, and compares all bits.
fn both_readings_agree<S: FloatScalar + 'static>(system: impl System) {
    let graph = written_down::<S>(&system).expect("a graph");
    let program = Program::<S>::new(&graph).expect("a program");
    let name = system.name();
    for seed in 0..4 {
        for (state, inputs, after) in OnArrays::<_, S>::new(&system).trajectory(seed, 3) {
            let by_graph = program.run([state.values(), inputs.values()].concat()).expect("the graph runs");
            let by_code = after.values();
            assert_eq!(by_graph.len(), by_code.len(), "{name}");
            for (slot, (graph, code)) in by_graph.iter().zip(&by_code).enumerate() {
                assert_eq!(graph.to_bits(), code.to_bits(), "slot {slot} of {name}");
            }
        }
    }
}

#[test]
fn both_readings_of_every_system_give_the_same_bits() {
    let mut seen = BTreeSet::new();
    for case in table().iter().flat_map(|scenario| &scenario.cases) {
        let system = &case.system;
        if !seen.insert(system.name()) {
            continue;
        }
        let graph = system.graph().expect("a graph");
        let program = Program::<f32>::new(&graph).expect("a program");
        let mut moved = false;
        for passage in (0..4).flat_map(|seed| system.passages(seed, 3)) {
            let by_graph = program.run(passage.before.clone()).expect("the graph runs");
            assert_eq!(by_graph.len(), passage.after.len(), "{}", system.name());
            for (slot, (graph, code)) in by_graph.iter().zip(&passage.after).enumerate() {
                assert_eq!(graph.to_bits(), code.to_bits(), "slot {slot} of {}", system.name());
                moved |= code.to_bits() != passage.before[slot].to_bits();
            }
        }
        assert!(moved, "{} does nothing", system.name());
    }
    assert!(seen.len() > 40, "only {} systems were seen", seen.len());
}

#[test]
fn a_scalar_of_64_bits_gives_a_graph_of_64_bits_and_the_same_bits() {
    both_readings_agree::<f64>(TwoBoxes::new(TwoBoxVariant::Clean));
    let graph = written_down::<f64>(&TwoBoxes::new(TwoBoxVariant::Clean)).expect("a graph");
    assert!(openloop::interference::captured::has_wide_floats(&graph));
}

/// Every operation that a machine has, and every way to branch.
#[derive(Clone, Copy)]
struct Everything;

impl System for Everything {
    fn name(&self) -> String {
        "everything".into()
    }

    fn state(&self) -> Vec<Slot> {
        vec![Slot::new("matrix", &[3, 2], Draw::Signed), Slot::new("vector", &[3], Draw::Size)]
    }

    fn inputs(&self) -> Vec<Slot> {
        vec![Slot::new("other", &[3, 2], Draw::Signed), Slot::new("single", &[], Draw::Size)]
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let ([matrix, vector], [other, single]) = (&state[..], &inputs[..]) else { panic!("two and two") };
        let mut sum = matrix.plus(other);
        for function in [Unary::Negate, Unary::Abs, Unary::Tanh, Unary::Exponential, Unary::Logistic, Unary::Floor] {
            sum = sum.plus(&other.unary(function)).scaled(0.5);
        }
        for function in [Binary::Add, Binary::Subtract, Binary::Multiply, Binary::Maximum, Binary::Minimum] {
            sum = sum.plus(&matrix.binary(function, other)).shifted(0.1);
        }
        sum = sum.over(single).plus(&single.over(&vector.unary(Unary::Log).shifted(2.0)).spread(1, 2));
        let largest = sum.reduce(Reduce::Maximum, &[0]);
        for relation in [Relation::Greater, Relation::AtLeast, Relation::Equal, Relation::NotEqual] {
            let is_so = sum.compare(relation, &largest.spread(0, 3));
            let is_finite = sum.is_finite().and(&is_so.not()).or(&is_so);
            sum = is_finite.choose(&sum, other).plus(&is_so.choose(matrix, &sum));
        }
        let is_wide = vector.greater(&vector.mean()).spread(1, 2);
        sum = is_wide.choose(&sum, &sum.scaled(0.5));
        sum = sum.plus(&vector.outer(&sum.transposed_dot(vector)));
        sum = sum.plus(&sum.dot_transposed(other).dot(matrix)).plus(&vector.spread(1, 2).sqrt());
        sum = sum.plus(&machine.count_up(3).spread(1, 2)).plus(&sum.row(single).spread(0, 3));

        let is_large = sum.total().greater(single);
        let halve = |state: Vec<M::Tensor>| vec![state[0].scaled(0.5), state[1].tanh()];
        let scaled = machine.branch(&is_large, vec![sum, vector.clone()], halve, |state| state);
        let scaled = machine.repeat(3, scaled, |state| vec![state[0].tanh(), state[1].plus(single)]);
        machine.repeat_while(
            scaled,
            |state| state[0].squared().total().greater(&machine.constant(0.5, &[])),
            |state| vec![state[0].scaled(0.75), state[1].plus(&state[0].reduce(Reduce::Sum, &[1]))],
        )
    }

    fn question(&self) -> Question {
        Question::default()
    }
}

#[test]
fn both_readings_agree_on_every_operation() {
    both_readings_agree::<f32>(Everything);
    both_readings_agree::<f64>(Everything);
    both_readings_agree::<Dual<f32>>(Everything);
}

/// A tensor of a branch is used outside of it, by a way around that Rust allows.
struct Smuggler;

impl System for Smuggler {
    fn name(&self) -> String {
        "smuggler".into()
    }

    fn state(&self) -> Vec<Slot> {
        vec![Slot::new("weight", &[], Draw::Signed)]
    }

    fn inputs(&self) -> Vec<Slot> {
        Vec::new()
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, _: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let mut smuggled = None;
        let is_positive = state[0].greater(&state[0].like(0.0));
        let body = |state: Vec<M::Tensor>| {
            smuggled = Some(state[0].scaled(2.0));
            state
        };
        machine.branch(&is_positive, state.clone(), body, |state| state);
        vec![smuggled.unwrap_or_else(|| state[0].clone())]
    }

    fn question(&self) -> Question {
        Question::default()
    }
}

#[test]
fn what_a_branch_makes_cannot_be_used_outside_of_it() {
    let error = written_down::<f32>(&Smuggler).expect_err("no graph");
    assert!(matches!(error, BuildError::NotVisible { .. }), "{error}");
}

#[test]
fn every_scenario_is_as_expected() {
    let mut wrong = Vec::new();
    for scenario in table() {
        for case in &scenario.cases {
            let found = case.ask(60).unwrap_or_else(|error| panic!("{error}"));
            if found != case.expected {
                let name = case.system.name();
                wrong.push(format!("{} {name}\n  found    {found:?}\n  expected {:?}", scenario.id, case.expected));
            }
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_fifteen_scenarios_in_order() {
    let ids: Vec<String> = table().iter().map(|scenario| scenario.id.to_string()).collect();
    let expected: Vec<String> = (1..=15).map(|number| format!("S{number}")).collect();
    assert_eq!(ids, expected);
}

/// The path that a person is shown goes through the lines of the system itself.
#[test]
fn a_witness_names_lines_of_the_step() {
    let table = table();
    let case = table.iter().find(|scenario| scenario.id == "S5").and_then(|scenario| scenario.cases.first());
    let report = case.expect("a missed detach").report().expect("a report");
    let witness = &report.invariants[0].witness;
    let places: Vec<&str> = witness.iter().filter_map(|step| step.place.as_deref()).collect();
    assert!(places.iter().any(|place| place.contains("src/systems/two_boxes.rs:")), "{places:?}");
    assert!(witness.iter().any(|step| step.scope.as_deref() == Some("probe/tanh")), "{witness:?}");
}

fn drawn<T>(strategy: BoxedStrategy<T>, seed: u8) -> T
where
    T: std::fmt::Debug + 'static,
{
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    strategy.new_tree(&mut TestRunner::new_with_rng(Config::default(), rng)).expect("nothing is rejected").current()
}

fn small(tensors: &Tensors<f32>, factor: f32) -> Tensors<f32> {
    let scaled = |numbers: &Numbers<f32>| {
        let scaled = numbers.as_slice().iter().map(|number| number * factor).collect();
        Numbers::new(numbers.shape(), scaled).expect("as many as before")
    };
    Tensors(tensors.0.iter().map(scaled).collect())
}

/// A clip over both boxes tells nothing where it does not bind in either run.
#[test]
fn a_shared_clip_that_does_not_bind_is_no_clip() {
    let [shared, own] = [TwoBoxVariant::SharedClip, TwoBoxVariant::Clean]
        .map(|variant| OnArrays::<_, f32>::new(TwoBoxes::new(variant)));
    for (factor, is_equal) in [(0.05, true), (1.0, false)] {
        let state = small(&drawn(shared.states(), 1), factor);
        let inputs = small(&drawn(TrainingSystem::inputs(&shared), 2), factor);
        let after = [&shared, &own].map(|system| {
            let after = system.step(state.clone(), &inputs, &mut Probe::undisturbed()).expect("a step");
            system.beliefs(&after)
        });
        assert_eq!(after[0] == after[1], is_equal, "factor {factor}");
    }
}

/// What has no share gets none, whatever the rewards are, unless plans share features.
#[test]
fn an_absent_plan_stays_absent_unless_features_are_shared() {
    const LOGITS: usize = 3;
    const SUPPORT: usize = 4;
    const ABSENT: usize = 2;
    for shares_features in [false, true] {
        let system = DeceptionBandit { shares_features, question: BanditQuestion::Beliefs };
        let bandit = OnArrays::<_, f32>::new(system);
        let mut state: Tensors<f32> = drawn(bandit.states(), 3);
        state.0[SUPPORT] = Numbers::new(&[4], vec![1.0, 1.0, 0.0, 1.0]).expect("four plans");
        let before = state.0[LOGITS].as_slice()[ABSENT];
        for step in 0..50 {
            let inputs = drawn(TrainingSystem::inputs(&bandit), step);
            let disturbance =
                Disturbance::everywhere(Target::Value, openloop::interference::Change::Noise { seed: step.into() });
            state = bandit.step(state, &inputs, &mut Probe::new(Some(&disturbance), 0)).expect("a step");
        }
        assert_eq!(state.0[LOGITS].as_slice()[ABSENT] == before, !shares_features);
    }
}

/// The names of a user's own test.
#[test]
fn a_reference_system_is_a_training_system_like_any_other() {
    check_system(OnArrays::<_, f32>::new(TwoBoxes::new(TwoBoxVariant::Clean)))
        .noninterference()
        .runs(50)
        .assert_holds();
    let leaky = OnArrays::<_, f32>::new(TwoBoxes::new(TwoBoxVariant::MissedDetach));
    let findings = check_system(leaky.clone()).noninterference().runs(50).search();
    let case = findings.case.expect("a pair that differs");
    assert_eq!(case.mode, Mode::Replay);
    assert!(run_pair(&leaky, &case).expect("a pair").difference.is_some());
}
