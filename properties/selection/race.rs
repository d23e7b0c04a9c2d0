//! One evading plan beside an honest one: laws beside runs.

use openloop::selection::SelectionError;
use openloop::selection::race::{Arrival, Law, Race, Setting};
use openloop::selection::replicator::{logit, replicator_time, sigmoid};
use openloop::selection::sampling::probability_seen;
use openloop::selection::softmax::{Parametrisation, policy_gradient_time};
use proptest::prelude::*;

use super::{assert_close, assert_frequency, config};

const LAWS: [Law; 3] = [Law::Softmax, Law::Natural, Law::Grpo];
const SETTING: Setting = Setting { law: Law::Softmax, prior: 0.02, gap: 0.5, rate: 0.01, kl: 0.0, group: Some(16) };

fn race(setting: Setting) -> Race {
    Race::new(setting).expect("a race")
}

fn updates(race: &Race, share: f64) -> f64 {
    match race.updates_until(share).expect("an answer") {
        Arrival::After(updates) => updates,
        Arrival::Never => f64::INFINITY,
    }
}

/// The probability of each number of successes, one factor after the other.
fn binomial(trials: u32, p: f64) -> Vec<f64> {
    let mut list = vec![1.0];
    for _ in 0..trials {
        let mut next = vec![0.0; list.len() + 1];
        for (k, mass) in list.iter().enumerate() {
            next[k] += (1.0 - p) * mass;
            next[k + 1] += p * mass;
        }
        list = next;
    }
    list
}

proptest! {
    #![proptest_config(config(64))]

    /// The law is the mean over groups, counted out.
    #[test]
    fn the_law_is_the_mean_over_groups(
        law in prop::sample::select(&LAWS[..]), group in 2..40u32, start in -4.0..1.0f64, way in -1.0..5.0f64,
        gap in -1.0..1.0f64, kl in 0.0..0.3f64,
    ) {
        let race = race(Setting { law, prior: sigmoid(start), gap, rate: 0.3, kl, group: Some(group) });
        let here = start + way;
        let masses = binomial(group, sigmoid(here));
        let counted: f64 = masses.iter().zip(0..).map(|(mass, seen)| mass * race.group_change(here, seen)).sum();
        prop_assert!((counted - race.mean_change(here)).abs() < 1e-12, "{} {}", counted, race.mean_change(here));
    }

    /// Without penalty and group it is the laws of two plans; a group costs a factor 1 - 1/G.
    #[test]
    fn closed_forms_are_those_of_two_plans(prior in 0.001..0.4f64, gap in 0.1..2.0f64, rate in 0.01..1.0f64, group in 2..99u32) {
        let exact = |law, group| updates(&race(Setting { law, prior, gap, rate, kl: 0.0, group }), 0.9);
        let natural = replicator_time(prior, 0.9, gap).expect("a time") / rate;
        let softmax = policy_gradient_time(prior, 0.9, gap, Parametrisation::TwoLogits).expect("a time") / rate;
        let factor = 1.0 - 1.0 / f64::from(group);
        for (law, expected) in [(Law::Natural, natural), (Law::Softmax, softmax)] {
            prop_assert!((exact(law, None) / expected - 1.0).abs() < 1e-12);
            prop_assert!((exact(law, Some(group)) * factor / expected - 1.0).abs() < 1e-12);
        }
    }

    /// A tiny penalty is none; below the limit the share is reached, above it never; the way there is continuous.
    #[test]
    fn the_limit_of_the_penalty_divides(law in prop::sample::select(&LAWS[..]), exponent in -5.0..-0.7f64, share in 0.3..0.95f64) {
        let prior = 10f64.powf(exponent);
        let with = |kl| race(Setting { law, prior, kl, ..SETTING });
        let limit = with(0.0).kl_limit(share).expect("a limit");
        let (free, hardly) = (updates(&with(0.0), share), updates(&with(limit * 1e-9), share));
        prop_assert!((hardly / free - 1.0).abs() < 1e-6, "{} {}", free, hardly);
        let below = with(limit * 0.99);
        prop_assert!(updates(&below, share).is_finite() && updates(&below, share) > free);
        prop_assert!(below.end_share() >= share && with(limit * 1.01).end_share() <= share);
        prop_assert_eq!(updates(&with(limit * 1.01), share), f64::INFINITY);
    }

    /// The curve passes through the answers.
    #[test]
    fn the_curve_passes_through_the_answers(law in prop::sample::select(&LAWS[..]), kl in prop::sample::select(&[0.0, 0.05][..])) {
        let race = race(Setting { law, kl, ..SETTING });
        let curve = race.curve(40).expect("a curve");
        prop_assert_eq!(curve.len(), 41);
        for (at, share) in &curve[1..] {
            prop_assert!((updates(&race, *share) / at - 1.0).abs() < 1e-8, "{} {}", updates(&race, *share), at);
        }
    }
}

#[test]
fn grpo_does_not_see_how_much_more_a_plan_earns() {
    let with = |gap| updates(&race(Setting { law: Law::Grpo, gap, ..SETTING }), 0.9);
    assert_eq!(with(1e-9), with(1e9));
    assert_eq!(with(0.0), f64::INFINITY, "equal rewards give no step");
    assert_eq!(with(-0.1), f64::INFINITY);
    // A rare plan: twice the root of the others, for each of its share.
    let rare = race(Setting { law: Law::Grpo, prior: 1e-9, rate: 1.0, ..SETTING });
    assert_close(rare.mean_change(logit(1e-9)), 2e-9 * 15f64.sqrt(), 1e-7);
    assert_close(rare.first_jump().expect("a jump"), 2.0 * 15f64.sqrt() / 16.0, 1e-14);
}

#[test]
fn exact_gradients_applied_one_by_one_come_to_the_law() {
    for law in [Law::Softmax, Law::Natural] {
        let race = race(Setting { law, group: None, ..SETTING });
        let run = race.run(&[0.1, 0.5, 0.9], 0, 0, 1_000_000).expect("a run");
        for (found, share) in run.arrivals.iter().zip([0.1, 0.5, 0.9]) {
            assert_close(*found, updates(&race, share), 3e-3);
        }
        assert_eq!(run.first_seen, f64::INFINITY, "nobody draws a sample");
    }
}

#[test]
fn runs_with_small_steps_come_to_the_law() {
    for (law, rate, kl) in
        [(Law::Softmax, 0.02, 0.0), (Law::Softmax, 0.02, 0.05), (Law::Grpo, 0.004, 0.0), (Law::Grpo, 0.004, 0.2)]
    {
        let race = race(Setting { law, rate, kl, prior: 0.2, group: Some(32), ..SETTING });
        let arrivals: Vec<f64> =
            (0..60).map(|run| race.run(&[0.7], 5, run, 1_000_000).expect("a run").arrivals[0]).collect();
        let count = arrivals.len() as f64;
        let mean = arrivals.iter().sum::<f64>() / count;
        let variance = arrivals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let law = updates(&race, 0.7);
        // Five standard errors of the mean, and half of a hundredth for the size of the steps.
        let allowed = 5.0 * (variance / count).sqrt() + 0.005 * law;
        assert!((mean - law).abs() <= allowed, "{race:?}: {mean} is not {law}, within {allowed}");
        assert!(allowed < 0.05 * law, "the bound says something");
    }
}

#[test]
fn the_first_sighting_is_geometric() {
    let race = race(Setting { prior: 1e-4, group: Some(8), ..SETTING });
    let runs = 2000;
    let seen: Vec<f64> = (0..runs).map(|run| race.run(&[], 11, run, 0).expect("a run").first_seen).collect();
    for confidence in [0.1, 0.5, 0.95] {
        let Ok(Some(Arrival::After(updates))) = race.updates_until_seen(confidence) else { panic!("it is seen") };
        let probability = probability_seen(1e-4, 8.0 * updates).expect("a probability");
        assert_frequency(seen.iter().filter(|&&at| at <= updates).count(), runs as usize, probability);
    }
}

#[test]
fn skipping_groups_that_are_alike_changes_nothing() {
    // Every group drawn, sample by sample, beside runs that draw only those that push.
    let race = race(Setting { law: Law::Grpo, prior: 0.05, rate: 0.2, group: Some(4), kl: 0.1, ..SETTING });
    let (runs, limit) = (1500, 40.0);
    let fast = (0..runs).filter(|&run| race.run(&[0.5], 3, run, 100_000).expect("a run").arrivals[0] <= limit).count();
    let mut random = openloop::selection::Random::new(4, 0);
    let slow = (0..runs)
        .filter(|_| {
            let mut here = logit(0.05);
            (0..limit as u32).any(|_| {
                let seen = (0..4).filter(|_| random.plan(&[sigmoid(here), sigmoid(-here)]) == 0).count();
                here += race.group_change(here, seen as u32);
                here >= 0.0
            })
        })
        .count();
    let (fast, slow) = (fast as f64 / runs as f64, slow as f64 / runs as f64);
    // Two frequencies, each within Hoeffding's bound of one in a million.
    let allowed = 2.0 * ((2.0 / 1e-6f64).ln() / (2.0 * runs as f64)).sqrt();
    assert!((fast - slow).abs() < allowed && (0.2..0.8).contains(&slow), "{fast} {slow}");
}

#[test]
fn the_same_seed_is_the_same_run_and_a_limit_is_kept() {
    let race = race(SETTING);
    let run = |seed, number| race.run(&[0.1, 0.5], seed, number, 1_000_000).expect("a run");
    assert_eq!(run(1, 2), run(1, 2));
    assert_ne!(run(1, 2), run(1, 3));
    assert_ne!(run(1, 2), run(2, 2));
    let short = race.run(&[0.1, 0.5], 1, 2, 10).expect("a run");
    assert_eq!((short.pushes, short.arrivals), (10, vec![f64::INFINITY; 2]));
    // Large groups and large steps, up to where numbers end.
    for (law, group) in [(Law::Natural, 2), (Law::Natural, 4096), (Law::Softmax, 4096), (Law::Grpo, 4096)] {
        let wild = Setting { law, prior: 0.4, gap: 1e3, rate: 1e3, kl: 0.5, group: Some(group) };
        let run = Race::new(wild).expect("a race").run(&[0.99], 0, 0, 2000).expect("a run");
        assert!(run.arrivals[0] >= 1.0 && run.pushes <= 2000, "{run:?}");
    }
}

#[test]
fn what_is_no_setting_is_an_error() {
    let refused = |setting: Setting| match Race::new(setting) {
        Err(SelectionError::Range { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Setting { prior: 1.5, ..SETTING }), "the prior");
    assert_eq!(refused(Setting { gap: f64::NAN, ..SETTING }), "the reward gap");
    assert_eq!(refused(Setting { rate: 0.0, ..SETTING }), "the learning rate");
    assert_eq!(refused(Setting { kl: -1.0, ..SETTING }), "the KL coefficient");
    assert_eq!(refused(Setting { group: Some(1), ..SETTING }), "the group size");
    assert_eq!(refused(Setting { group: Some(4097), ..SETTING }), "the group size");
    assert_eq!(refused(Setting { group: None, law: Law::Grpo, ..SETTING }), "the group size");
    assert!(race(SETTING).updates_until(1.0).is_err() && race(SETTING).run(&[0.0], 0, 0, 1).is_err());
}
