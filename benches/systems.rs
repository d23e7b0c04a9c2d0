//! How long one step of the two boxes takes: the code on arrays, and its graph in the interpreter. In 32 bits.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use openloop::exec::Program;
use openloop::interference::{Probe, TrainingSystem};
use openloop::systems::{OnArrays, Reference, TwoBoxVariant, TwoBoxes};

fn benches(criterion: &mut Criterion) {
    let system = TwoBoxes::new(TwoBoxVariant::Clean);
    let runs = OnArrays::<_, f32>::new(system);
    let (state, inputs, _) = runs.trajectory(0, 1).remove(0);
    let graph = system.graph().expect("a graph");
    let program = Program::<f32>::new(&graph).expect("a program");
    let values = [state.values(), inputs.values()].concat();
    let mut group = criterion.benchmark_group("two_boxes");
    group.bench_function("code", |bencher| {
        bencher.iter(|| runs.step(black_box(state.clone()), black_box(&inputs), &mut Probe::undisturbed()));
    });
    group.bench_function("graph", |bencher| {
        bencher.iter(|| program.run(black_box(values.clone())).expect("a run"));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
