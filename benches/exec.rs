//! How long one training step takes in the interpreter, in 32 bits: preparing the program, and running it once.
//! Steps per second are the inverse of `run`.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use openloop::exec::{InputGenerator, Program, Tensor};

const INPUTS: &[(&str, &str)] = &[
    ("brainlike", "fixtures/captures/b_brainlike/step.mlir"),
    ("shared_clip", "fixtures/jax/shared_clip/step.mlir"),
    ("scan_remat", "fixtures/jax/scan_remat/step.mlir"),
    ("gpt2_narrow", "benches/inputs/gpt2_narrow.mlir"),
];

fn benches(criterion: &mut Criterion) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, path) in INPUTS {
        let bytes = std::fs::read(root.join(path)).expect("the input is there");
        let graph = openloop::capture::read(&bytes).expect("a graph");
        let generator = InputGenerator::new(&graph, 0);
        let inputs: Vec<Tensor<f32>> = (0..graph.inputs().len())
            .map(|position| generator.input(graph.entry(), position).expect("an input"))
            .collect();
        let program = Program::<f32>::new(&graph).expect("a program");
        // What is measured is a step that runs.
        assert_eq!(program.run(inputs.clone()).expect("a run").len(), graph.outputs().len());
        let mut group = criterion.benchmark_group(*name);
        group.sample_size(20);
        group.bench_function("prepare", |bencher| {
            bencher.iter(|| Program::<f32>::new(black_box(&graph)).expect("a program"));
        });
        group.bench_function("run", |bencher| {
            bencher.iter(|| program.run(black_box(inputs.clone())).expect("a run"));
        });
        group.finish();
    }
}

criterion_group!(exec, benches);
criterion_main!(exec);
