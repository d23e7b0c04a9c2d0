//! How many updates of a policy are made in a second, on one core: policy gradient on logits and exponential weights, for
//! two plans and sixteen, and groups that are sampled.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use openloop::selection::race::{Law, Race, Setting};
use openloop::selection::replicator::{LogWeights, exponential_weights_step};
use openloop::selection::softmax::policy_gradient_step;

/// So many updates are measured at once.
const UPDATES: u64 = 1000;

fn benches(criterion: &mut Criterion) {
    for plans in [2, 16] {
        let rewards: Vec<f64> = (0..plans).map(|plan| 1e-3 * f64::from(plan)).collect();
        let mut group = criterion.benchmark_group(format!("{plans} plans"));
        group.throughput(Throughput::Elements(UPDATES));
        let (mut logits, mut room) = (vec![0.0; rewards.len()], vec![0.0; rewards.len()]);
        group.bench_function("policy gradient", |bencher| {
            bencher.iter(|| {
                for _ in 0..UPDATES {
                    policy_gradient_step(black_box(&mut logits), &mut room, black_box(&rewards), 1e-3);
                }
            });
        });
        let mut shares = vec![1.0 / f64::from(plans); rewards.len()];
        group.bench_function("exponential weights", |bencher| {
            bencher.iter(|| {
                for _ in 0..UPDATES {
                    exponential_weights_step(black_box(&mut shares), black_box(&rewards), 1e-3);
                }
            });
        });
        let mut logarithms = LogWeights::new(&vec![1.0 / f64::from(plans); rewards.len()]).expect("shares");
        group.bench_function("exponential weights, logarithms", |bencher| {
            bencher.iter(|| {
                for _ in 0..UPDATES {
                    black_box(&mut logarithms).step(black_box(&rewards), 1e-3);
                }
            });
        });
        group.finish();
    }
    let mut group = criterion.benchmark_group("groups of 8");
    group.throughput(Throughput::Elements(UPDATES));
    for (name, law) in [("softmax", Law::Softmax), ("grpo", Law::Grpo)] {
        // So small a step that no run ends before.
        let setting = Setting { law, prior: 0.4, gap: 1.0, rate: 1e-7, kl: 0.0, group: Some(8) };
        let race = Race::new(setting).expect("a race");
        let mut number = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                number += 1;
                race.run(black_box(&[0.6]), 0, number, UPDATES).expect("a run")
            });
        });
    }
    group.finish();
}

criterion_group!(selection, benches);
criterion_main!(selection);
