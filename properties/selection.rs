//! The laws of selection: golden values, identities, and runs beside laws.
//!
//! Golden values were computed apart from this code, in double precision.

mod golden;
mod identities;
mod race;
mod support;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Shares of some plans, and a reward for each.
fn plans() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    prop::collection::vec((0.001..1.0f64, -2.0..2.0f64), 2..8).prop_map(|plans| {
        let total: f64 = plans.iter().map(|(mass, _)| mass).sum();
        plans.into_iter().map(|(mass, reward)| (mass / total, reward)).unzip()
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() }
}

/// Equal to so many parts of what is expected.
#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    let scale = expected.abs().max(f64::MIN_POSITIVE);
    assert!((found - expected).abs() <= tolerance * scale, "{found} is not {expected}");
}

#[track_caller]
fn assert_all_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_close(*found, *expected, tolerance);
    }
}

/// Whether a frequency is one that a probability gives: Chernoff's bound, `P <= 2 e^(-n KL)`, of one in a billion.
#[track_caller]
fn assert_frequency(successes: usize, trials: usize, probability: f64) {
    let part = |x: f64, y: f64| if x > 0.0 { x * (x / y).ln() } else { 0.0 };
    let frequency = successes as f64 / trials as f64;
    let divergence = part(frequency, probability) + part(1.0 - frequency, 1.0 - probability);
    let surprise = trials as f64 * divergence;
    assert!(surprise <= (2.0 / 1e-9f64).ln(), "{successes} of {trials} is not {probability}");
}
