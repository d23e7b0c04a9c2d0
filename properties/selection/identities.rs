//! What holds for all plans and rewards.

use openloop::selection::kl::kl_divergence;
use openloop::selection::price::price_split;
use openloop::selection::recall::recall;
use openloop::selection::replicator::{LogWeights, exponential_weights_step, replicator};
use openloop::selection::softmax::{policy_gradient, policy_gradient_step, softmax};
use openloop::selection::{Random, SelectionError, bits, covariance, grpo, kernel, kl, mutation, sampling};
use proptest::prelude::*;

use super::{assert_frequency, config, plans};

fn near(found: &[f64], expected: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
    for (found, expected) in found.iter().zip(expected) {
        prop_assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }
    Ok(())
}

fn mean(shares: &[f64], values: &[f64]) -> f64 {
    shares.iter().zip(values).map(|(share, value)| share * value).sum()
}

/// The derivative of a curve, by values on both sides.
fn slope(curve: impl Fn(f64) -> f64, at: f64) -> f64 {
    const H: f64 = 1e-4;
    (8.0 * (curve(at + H) - curve(at - H)) - (curve(at + 2.0 * H) - curve(at - 2.0 * H))) / (12.0 * H)
}

proptest! {
    #![proptest_config(config(64))]

    /// A constant added to all rewards changes nothing; labels commute; a factor on rewards is a factor on time.
    #[test]
    fn shift_permutation_and_scale((prior, rewards) in plans(), time in 0.0..20.0f64, c in 0.1..5.0f64) {
        let logits: Vec<f64> = prior.iter().map(|share| share.ln()).collect();
        let natural = |prior: &[f64], rewards: &[f64], time: f64| replicator(prior, rewards, time).expect("shares");
        let plain = |logits: &[f64], rewards: &[f64], time: f64| {
            softmax(&policy_gradient(logits, rewards, time).expect("a solution")).expect("shares")
        };
        let map = |change: &dyn Fn(f64) -> f64| rewards.iter().map(|&reward| change(reward)).collect::<Vec<f64>>();
        let back = |list: &[f64]| list.iter().rev().copied().collect::<Vec<f64>>();
        let (n, p) = (natural(&prior, &rewards, time), plain(&logits, &rewards, time));
        near(&natural(&prior, &map(&|r| r + c), time), &n, 1e-12)?;
        near(&plain(&logits, &map(&|r| r + c), time), &p, 1e-9)?;
        near(&back(&natural(&back(&prior), &back(&rewards), time)), &n, 1e-12)?;
        near(&back(&plain(&back(&logits), &back(&rewards), time)), &p, 1e-9)?;
        near(&natural(&prior, &map(&|r| r * c), time / c), &n, 1e-12)?;
        near(&plain(&logits, &map(&|r| r * c), time / c), &p, 1e-9)?;
    }

    /// dE[z] = Cov(r, z), dE[r] = Var(r), dKL = t Var(r).
    #[test]
    fn means_move_by_covariances((prior, rewards) in plans(), time in 0.1..3.0f64) {
        let trait_of: Vec<f64> = rewards.iter().map(|reward| (3.0 * reward).sin()).collect();
        let shares = |time: f64| replicator(&prior, &rewards, time).expect("shares");
        let now = shares(time);
        let of = |z: &[f64]| covariance(&now, &rewards, z).expect("a number");
        let moved = slope(|time| mean(&shares(time), &trait_of), time);
        prop_assert!((moved - of(&trait_of)).abs() < 1e-9, "{moved}");
        let moved = slope(|time| mean(&shares(time), &rewards), time);
        prop_assert!((moved - of(&rewards)).abs() < 1e-9 && of(&rewards) >= 0.0, "{moved}");
        let moved = slope(|time| kl_divergence(&shares(time), &prior).expect("a number"), time);
        prop_assert!((moved - time * of(&rewards)).abs() < 1e-8, "{moved}");
    }

    /// Exponential weights are exact for every step size: many small steps, one large one and logarithms are one.
    #[test]
    fn step_sizes_do_not_matter_to_exponential_weights((prior, rewards) in plans(), time in 0.0..30.0f64, parts in 1..20u32) {
        let exact = replicator(&prior, &rewards, time).expect("shares");
        let mut shares = prior.clone();
        let mut logarithms = LogWeights::new(&prior).expect("shares");
        for _ in 0..parts {
            exponential_weights_step(&mut shares, &rewards, time / f64::from(parts));
            logarithms.step(&rewards, time / f64::from(parts));
        }
        near(&shares, &exact, 1e-12)?;
        near(&logarithms.shares(), &exact, 1e-12)?;
        near(&kl::kl_optimum(&prior, &rewards, 1.0 / (time + 0.1)).expect("shares"), &replicator(&prior, &rewards, time + 0.1).expect("shares"), 1e-12)?;
    }

    /// Small discrete steps come to the solution of the equation, and halving them halves the error.
    #[test]
    fn small_steps_come_to_the_solution((prior, rewards) in plans(), time in 0.5..4.0f64) {
        let logits: Vec<f64> = prior.iter().map(|share| share.ln()).collect();
        let exact = policy_gradient(&logits, &rewards, time).expect("a solution");
        let error = |steps: u32| {
            let (mut stepped, mut room) = (logits.clone(), vec![0.0; logits.len()]);
            for _ in 0..steps {
                policy_gradient_step(&mut stepped, &mut room, &rewards, time / f64::from(steps));
            }
            stepped.iter().zip(&exact).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
        };
        let (coarse, fine) = (error(400), error(800));
        prop_assert!(coarse < 0.02, "{coarse}");
        prop_assert!(coarse < 1e-7 || (1.8..2.2).contains(&(coarse / fine)), "{coarse} {fine}");
    }

    /// Selection and transmission are the whole change, and transmission is exactly 0 while no plan is changed.
    #[test]
    fn price((prior, rewards) in plans(), time in 0.0..3.0f64, drift in -1.0..1.0f64) {
        let fitness: Vec<f64> = rewards.iter().map(|reward| (time * reward).exp()).collect();
        let before: Vec<f64> = rewards.iter().map(|reward| reward.cos()).collect();
        let after: Vec<f64> = before.iter().enumerate().map(|(plan, z)| z + drift * plan as f64).collect();
        let shares = replicator(&prior, &rewards, time).expect("shares");
        let split = price_split(&prior, &fitness, &before, &after).expect("a split");
        prop_assert!((split.total() - (mean(&shares, &after) - mean(&prior, &before))).abs() < 1e-11, "{split:?}");
        let fixed = price_split(&prior, &fitness, &before, &before).expect("a split");
        prop_assert_eq!(fixed.transmission, 0.0);
        let alike = price_split(&prior, &vec![0.7; prior.len()], &before, &after).expect("a split");
        prop_assert!(alike.selection.abs() < 1e-14);
    }

    /// Recall is that of the plans themselves, whatever the honest ones do; and of plans that are sampled.
    #[test]
    fn recall_is_that_of_the_plans(
        start in 0.05..0.99f64, seen in 0.0..1.0f64, evading in 0.0..0.5f64, penalty in 0.1..2.0f64, steps in 1..12u32,
        honest in -2.0..2.0f64, seed in any::<u64>(),
    ) {
        // Two honest plans, then (A) and (B): the probe takes its penalty.
        let mut shares = vec![0.3, 0.2, 0.5 * start, 0.5 * (1.0 - start)];
        let rewards = [honest, -honest, 0.4 - penalty * seen, 0.4 - penalty * evading];
        for _ in 0..steps {
            exponential_weights_step(&mut shares, &rewards, 1.0);
        }
        let law = recall(start, penalty * (seen - evading), f64::from(steps)).expect("a recall");
        prop_assert!((shares[2] / (shares[2] + shares[3]) - law).abs() < 1e-12);
        let mut random = Random::new(seed, 0);
        let bad: Vec<usize> = (0..4000).map(|_| random.plan(&shares)).filter(|&plan| plan >= 2).collect();
        if !bad.is_empty() {
            assert_frequency(bad.iter().filter(|&&plan| plan == 2).count(), bad.len(), law);
        }
    }

    /// Advantages of a group have mean 0 and variance 1, and no unit.
    #[test]
    fn advantages_have_no_unit(rewards in prop::collection::vec(-3.0..3.0f64, 2..20), unit in 1e-6..1e6f64) {
        let mut group = rewards.clone();
        grpo::group_advantages(&mut group).expect("a group");
        let count = rewards.len() as f64;
        prop_assert!(group.iter().sum::<f64>().abs() < 1e-9);
        prop_assert!((group.iter().map(|a| a * a).sum::<f64>() / count - 1.0).abs() < 1e-9);
        let mut scaled: Vec<f64> = rewards.iter().map(|reward| unit * reward).collect();
        grpo::group_advantages(&mut scaled).expect("a group");
        near(&scaled, &group, 1e-9)?;
    }

    /// The equilibrium of a chain stays where it is, and is where the chain goes.
    #[test]
    fn the_equilibrium_of_a_chain_rests(
        fitness in prop::collection::vec(0.2..3.0f64, 1..6), mutation in prop::collection::vec(0.001..0.3f64, 5),
    ) {
        let chain = mutation::Chain::new(&fitness, &mutation[..fitness.len() - 1]).expect("a chain");
        let equilibrium = chain.equilibrium(0).expect("an end");
        let mut stepped = equilibrium.clone();
        chain.step(&mut stepped);
        near(&stepped, &equilibrium, 1e-9)?;
        let mut start = vec![0.0; fitness.len()];
        start[0] = 1.0;
        // How fast it comes there is the gap between the two stages that keep most.
        let mut kept: Vec<f64> = (0..fitness.len()).map(|k| (1.0 - mutation.get(k).filter(|_| k + 1 < fitness.len()).unwrap_or(&0.0)) * fitness[k]).collect();
        kept.sort_by(|a, b| b.total_cmp(a));
        if kept.get(1).is_none_or(|second| second / kept[0] < 0.9) {
            near(&chain.after(&start, 600).expect("shares"), &equilibrium, 1e-9)?;
        }
    }

    /// How long until a plan is seen, how surely, and how rare it may be to stay unseen, are one law.
    #[test]
    fn seen_and_unseen_are_one_law(exponent in -9.0..-0.5f64, confidence in 0.01..0.99f64) {
        let share = 10f64.powf(exponent);
        let samples = sampling::samples_until_seen(share, confidence).expect("a number");
        let seen = |samples: f64| sampling::probability_seen(share, samples).expect("a probability");
        prop_assert!(seen(samples) >= confidence - 1e-11);
        prop_assert!(samples == 1.0 || seen(samples - 1.0) < confidence);
        let unseen = sampling::largest_unseen_share(samples, confidence).expect("a share");
        prop_assert!((sampling::probability_seen(unseen, samples).expect("a probability") - (1.0 - confidence)).abs() < 1e-9);
    }
}

#[test]
fn wrong_arguments_are_errors() {
    use SelectionError::*;
    let prior = [0.5, 0.5];
    let is_range = |error: Option<SelectionError>| assert!(matches!(error, Some(Range { .. })), "{error:?}");
    assert!(matches!(replicator(&[], &[], 1.0), Err(Empty { .. })));
    assert!(matches!(replicator(&prior, &[1.0], 1.0), Err(Length { found: 1, expected: 2, .. })));
    assert!(matches!(replicator(&[0.5, 0.4], &[1.0, 0.0], 1.0), Err(Sum { .. })));
    is_range(replicator(&[1.5, -0.5], &[1.0, 0.0], 1.0).err());
    is_range(replicator(&prior, &[f64::NAN, 0.0], 1.0).err());
    is_range(replicator(&prior, &[1.0, 0.0], -1.0).err());
    is_range(replicator(&prior, &[1.0, 0.0], f64::INFINITY).err());
    is_range(softmax(&[f64::NAN]).err());
    is_range(softmax(&[f64::NEG_INFINITY; 2]).err());
    is_range(policy_gradient(&[0.0, f64::NEG_INFINITY], &[1.0, 0.0], 1.0).err());
    is_range(recall(1.1, 1.0, 1.0).err());
    is_range(kl::kl_optimum(&prior, &[1.0, 0.0], 0.0).err());
    assert!(matches!(kl::kl_boundary(0.7, 0.7, 1.0), Err(Sum { .. })));
    assert_eq!(kl_divergence(&prior, &[1.0, 0.0]), Ok(f64::INFINITY));
    is_range(bits::checkpoint_bits(0).err());
    is_range(bits::plateau_bits(3, 4).err());
    assert!(bits::min_capacity(&[]).is_err() && bits::min_capacity(&[&[0.5, 0.4]]).is_err());
    assert!(matches!(price_split(&prior, &[0.0, 0.0], &prior, &prior), Err(Range { .. })));
    is_range(sampling::probability_seen(0.5, 0.0).err());
    is_range(sampling::samples_until_seen(0.5, 1.0).err());
    is_range(mutation::Chain::new(&[1.0, 0.0], &[0.1]).err());
    assert!(matches!(mutation::Chain::new(&[1.0, 1.0], &[]), Err(Length { .. })));
    is_range(mutation::Chain::new(&[1.0], &[]).expect("a chain").equilibrium(1).err());
    assert!(kernel::kernel(&[1.0, 2.0, 3.0], 2).is_err() && kernel::kernel(&[], 0).is_err());
    let error = recall(f64::NAN, 1.0, 1.0).expect_err("no recall");
    assert_eq!(error.to_string(), "the recall: found NaN, expected a number from 0 to 1");
}
