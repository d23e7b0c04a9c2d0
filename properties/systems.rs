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
    for scenario in openloop::scenarios::table() {
        for case in &scenario.cases {
            let t = std::time::Instant::now();
            let found = case.ask(60);
            let ok = found.as_ref().ok() == Some(&case.expected);
            println!("{} {} {} {:?}", scenario.id, case.system.name(), if ok { "ok" } else { "XXX" }, t.elapsed());
            if !ok {
                println!("   found {found:?}\n   expected {:?}", case.expected);
                for i in case.report().unwrap().invariants {
                    println!("   {:?} {:?} {:?}", i.within, i.verdict, i.witnesses.iter().map(|w| (w.group.to_string(), w.channel, w.route, w.rule.clone(), w.channel_reason.clone())).collect::<Vec<_>>());
                }
            }
        }
    }
}
