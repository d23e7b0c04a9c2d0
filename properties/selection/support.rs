//! What is not there is not selected; and how shared features break that.

use openloop::selection::kernel::{kernel, kernel_policy_gradient, logit_velocities};
use openloop::selection::kl::kl_optimum;
use openloop::selection::mutation::Chain;
use openloop::selection::race::{Arrival, Law, Race, Setting};
use openloop::selection::replicator::{LogWeights, exponential_weights_step, replicator};
use openloop::selection::softmax::{policy_gradient_step, softmax};
use proptest::prelude::*;

use super::{assert_close, config};

proptest! {
    #![proptest_config(config(64))]

    /// A share of exactly 0 is exactly 0 after every sequence of rewards, with every step size.
    #[test]
    fn a_share_of_zero_stays_zero(
        rewards in prop::collection::vec(prop::collection::vec(-1e3..1e3f64, 4), 1..20), rate in 1e-6..1e3f64,
    ) {
        let prior = [0.6, 0.0, 0.4, 0.0];
        let mut shares = prior;
        let mut logarithms = LogWeights::new(&prior).expect("shares");
        let (mut logits, mut room) = (prior.map(f64::ln), [0.0; 4]);
        for rewards in &rewards {
            exponential_weights_step(&mut shares, rewards, rate);
            logarithms.step(rewards, rate);
            policy_gradient_step(&mut logits, &mut room, rewards, rate);
            let closed = replicator(&prior, rewards, rate).expect("shares");
            let penalised = kl_optimum(&prior, rewards, rate).expect("shares");
            for found in [&shares[..], &logarithms.shares(), &softmax(&logits).expect("shares"), &closed, &penalised] {
                prop_assert_eq!((found[1], found[3]), (0.0, 0.0));
                prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{:?}", found);
            }
        }
    }

    /// After so many steps a chain has reached what its mutation reaches, and nothing else.
    #[test]
    fn a_chain_reaches_one_stage_a_step(steps in 0..6u64, rewards in prop::collection::vec(-1.0..1.0f64, 5)) {
        let chain = Chain::of_rewards(&rewards, 0.01).expect("a chain");
        let shares = chain.after(&[0.0, 1.0, 0.0, 0.0, 0.0], steps).expect("shares");
        for (stage, share) in shares.iter().enumerate() {
            prop_assert_eq!(*share > 0.0, stage >= 1 && stage as u64 <= 1 + steps, "{:?}", shares);
        }
        // Without mutation, or behind a gap in it, nothing is reached at all.
        let gap = Chain::new(&[1.0, 2.0, 3.0], &[0.1, 0.0]).expect("a chain");
        prop_assert_eq!(gap.after(&[1.0, 0.0, 0.0], steps).expect("shares")[2], 0.0);
        prop_assert_eq!(gap.equilibrium(0).expect("an end"), vec![0.0, 1.0, 0.0]);
    }

    /// A plan that is never sampled is moved by `sum_a K(B,a) pi_a A_a`, to the last digit; not at all if it shares nothing.
    #[test]
    fn shared_features_move_what_was_never_sampled(
        features in prop::collection::vec(-1.0..1.0f64, 9), rewards in prop::collection::vec(-1.0..1.0f64, 3),
        weights in prop::collection::vec(-1.0..1.0f64, 3),
    ) {
        let is_sampled = [true, true, false];
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let logits: Vec<f64> = features.chunks(3).map(|phi| phi.iter().zip(&weights).map(|(x, w)| x * w).sum()).collect();
        let alone = kernel_policy_gradient(&logits, &is_sampled, &rewards, &identity, 3.0).expect("a solution");
        prop_assert_eq!(alone[2], logits[2], "with K = I it does not move");

        // The policy itself: gradient steps on the weights of its features, nothing but sampled plans.
        let shared = kernel(&features, 3).expect("a kernel");
        let (mut w, steps) = (weights.clone(), 2000);
        for _ in 0..steps {
            let z: Vec<f64> = features.chunks(3).map(|phi| phi.iter().zip(&w).map(|(x, w)| x * w).sum()).collect();
            let p = softmax(&z[..2]).expect("shares");
            let mean = p[0] * rewards[0] + p[1] * rewards[1];
            for (plan, p) in p.iter().enumerate() {
                for (slot, feature) in w.iter_mut().zip(&features[3 * plan..]) {
                    *slot += 3.0 / f64::from(steps) * p * (rewards[plan] - mean) * feature;
                }
            }
        }
        let stepped: f64 = features[6..].iter().zip(&w).map(|(x, w)| x * w).sum();
        let solved = kernel_policy_gradient(&logits, &is_sampled, &rewards, &shared, 3.0).expect("a solution");
        prop_assert!((solved[2] - stepped).abs() < 5e-3, "{} {}", solved[2], stepped);

        // The first push, by hand.
        let p = softmax(&logits[..2]).expect("shares");
        let push = p[0] * p[1] * (rewards[0] - rewards[1]);
        let expected = (shared[6] - shared[7]) * push;
        let found = logit_velocities(&[p[0], p[1], 0.0], &rewards, &shared).expect("velocities");
        prop_assert!((found[2] - expected).abs() < 1e-14, "{} {}", found[2], expected);
    }
}

#[test]
fn numbers_at_the_end_of_the_scale_are_no_reason_for_nan() {
    let prior = [0.5, 0.25, 0.0, 0.25];
    let huge = [1e308, -1e308, f64::MAX, 1e308];
    for time in [0.0, 1.0, 1e300] {
        let shares = replicator(&prior, &huge, time).expect("shares");
        let expected = if time == 0.0 { prior } else { [2.0 / 3.0, 0.0, 0.0, 1.0 / 3.0] };
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 1e-15, "{shares:?} at {time}");
        }
    }
    assert_eq!(kl_optimum(&[0.5, 0.5], &[1.0, 0.0], 1e-300), Ok(vec![1.0, 0.0]));
}

#[test]
fn spillover_can_bring_a_plan_in_that_was_never_there() {
    // The third plan is like the first, which is rewarded: (1, 0), (0, 1), (0.9, 0.1).
    let shared = kernel(&[1.0, 0.0, 0.0, 1.0, 0.9, 0.1], 3).expect("a kernel");
    let start = [0.0, 0.0, -3.0];
    let end =
        kernel_policy_gradient(&start, &[true, true, false], &[1.0, 0.0, 5.0], &shared, 10.0).expect("a solution");
    // z_3 moves with the features: by 0.9 of what the first moves, and 0.1 of what the second does.
    assert_close(end[2] - start[2], 0.9 * end[0] + 0.1 * end[1], 1e-10);
    assert!(end[2] > start[2] + 1.0);
}

#[test]
fn a_prior_of_zero_is_never_seen_and_never_wins() {
    for law in [Law::Softmax, Law::Natural, Law::Grpo] {
        let setting = Setting { law, prior: 0.0, gap: 10.0, rate: 1.0, kl: 0.0, group: Some(8) };
        let race = Race::new(setting).expect("a race");
        assert_eq!(race.updates_until(0.01), Ok(Arrival::Never));
        assert_eq!(race.updates_until_seen(0.5), Ok(Some(Arrival::Never)));
        assert_eq!((race.kl_limit(0.5), race.end_share(), race.first_jump()), (Ok(0.0), 0.0, None));
        assert_eq!(race.curve(10), Ok(Vec::new()));
        let run = race.run(&[0.01], 0, 0, 1000).expect("a run");
        assert_eq!((run.first_seen, run.arrivals, run.is_gone), (f64::INFINITY, vec![f64::INFINITY], true));
    }
}
