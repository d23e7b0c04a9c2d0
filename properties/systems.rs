//! Reference systems: both readings of a step give the same bits.

use openloop::exec::{Array, FloatScalar, Program, Tensor as Value};
use openloop::graph::TrainingGraph;
use openloop::interference::proptest::prelude::*;
use openloop::interference::proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use openloop::interference::{Probe, TrainingSystem};
use openloop::systems::{OnArrays, System, Tensors, TwoBoxVariant, TwoBoxes, written_down};

fn values<S: FloatScalar>(tensors: &Tensors<S>) -> Vec<Value<S>> {
    tensors.0.iter().map(|tensor| Value::Float(S::WIDEST, Array::clone(tensor.array()))).collect()
}

/// Runs a graph and the code that it was written from, some steps from random states, and compares all bits.
fn both_readings_agree<S: FloatScalar + 'static>(system: impl System + Clone) {
    let graph = written_down::<S>(&system).expect("a graph");
    let program = Program::<S>::new(&graph).expect("a program");
    let runs = OnArrays::<_, S>::new(system);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..4 {
        let mut state = runs.states().new_tree(&mut runner).expect("a state").current();
        for _ in 0..3 {
            let inputs = TrainingSystem::inputs(&runs).new_tree(&mut runner).expect("inputs").current();
            let by_graph = program.run([values(&state), values(&inputs)].concat()).expect("the graph runs");
            state = runs.step(state, &inputs, &mut Probe::undisturbed()).expect("the step runs");
            let by_code = values(&state);
            assert_eq!(by_graph.len(), by_code.len());
            for (at, (graph, code)) in by_graph.iter().zip(&by_code).enumerate() {
                assert_eq!(graph.to_bits(), code.to_bits(), "slot {at} of {}", runs.system().name());
            }
        }
    }
}

#[test]
fn probe_dbg() {
    use openloop::policy::{Date, FlowPolicy};
    use openloop::report::{NamedGraph, run};
    for variant in [TwoBoxVariant::Clean, TwoBoxVariant::MissedDetach, TwoBoxVariant::SharedClip, TwoBoxVariant::PredictsWholeReward, TwoBoxVariant::PrioritisedReplay, TwoBoxVariant::TiedHead, TwoBoxVariant::ZeroedGradients, TwoBoxVariant::MaskPassesGradients, TwoBoxVariant::SplitOptimizers, TwoBoxVariant::RunningStatistics, TwoBoxVariant::SharedBuffer, TwoBoxVariant::SharedFiniteCheck, TwoBoxVariant::CheckpointByReward, TwoBoxVariant::PlateauByReward, TwoBoxVariant::SharedKey, TwoBoxVariant::KeyedStreams] {
        for acts in [false, true] {
        let system = TwoBoxes { variant, acts };
        if variant != TwoBoxVariant::Clean && acts { continue }
        both_readings_agree::<f32>(system);
        let graph: TrainingGraph = written_down::<f32>(&system).expect("a graph");
        let policy = FlowPolicy::parse(&system.question().policy()).unwrap();
        let t = std::time::Instant::now();
        let report = run(&[NamedGraph { name: graph.name(), file: graph.name(), graph: &graph }], &policy, Date::from_unix_seconds(0), false).unwrap();
        println!("== {} ops {} {:?}", graph.name(), graph.operations().len(), t.elapsed());
        for i in &report.invariants {
            println!("   {:?} {:?} {:?} bits {:?} rules {:?} reasons {:?}", i.within, i.verdict, i.channel, i.bits_per_step, i.witnesses.iter().map(|w| (w.group.to_string(), w.channel, w.route, w.rule.clone(), w.channel_reason.clone())).collect::<Vec<_>>(), i.reasons);
            println!("   env {:?}", i.environment.iter().map(|w| (w.group.to_string(), w.channel, w.rule.clone(), w.channel_reason.clone())).collect::<Vec<_>>());
        }
        for r in &report.requires { println!("   require {:?}", r.verdict); }
        let t = std::time::Instant::now();
        let options = openloop::interference::Options { cases: 60, max_shrink_attempts: 0, mode: if acts { openloop::interference::Mode::Free } else { openloop::interference::Mode::Replay }, ..Default::default() };
        let found = openloop::interference::search(&OnArrays::<_, f32>::new(system), &options, &mut |_| ()).report;
        println!("   dyn {} {:?}", match &found.outcome { openloop::interference::PairedOutcome::Difference(c) => format!("difference {:?} {:?} {} {}", c.finiteness, c.route, c.difference.part, c.difference.step), o => format!("{o:?}") }, t.elapsed());
        }
    }
}
