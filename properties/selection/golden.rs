//! Fixed test vectors.

use openloop::selection::mutation::{Chain, error_threshold};
use openloop::selection::softmax::{Parametrisation, policy_gradient, policy_gradient_time, softmax};
use openloop::selection::{bits, covariance, grpo, kl, recall, replicator, sampling};

use super::{assert_all_close, assert_close};

const LOGITS: [f64; 3] = [0.0, -2.0, 0.5];
const REWARDS: [f64; 3] = [0.3, 1.0, -0.2];

#[test]
fn three_plans_after_five_units_of_time() {
    let prior = softmax(&LOGITS).expect("shares");
    let logits = policy_gradient(&LOGITS, &REWARDS, 5.0).expect("a solution");
    let expected = [0.607_415_291_005, 0.069_138_248_205, 0.323_446_460_789];
    assert_all_close(&softmax(&logits).expect("shares"), &expected, 1e-11);
    let shares = replicator::replicator(&prior, &REWARDS, 5.0).expect("shares");
    assert_all_close(&shares, &[0.178_030_205_506, 0.797_876_026_207, 0.024_093_768_287], 2e-11);
    let variance = covariance(&shares, &REWARDS, &REWARDS).expect("a number");
    assert_close(variance, 0.098_357_240_5, 1e-9);
    assert_close(5.0 * variance, 0.491_786_202_5, 1e-9);
    assert_close(covariance(&shares, &REWARDS, &[0.0, 1.0, 1.0]).expect("a number"), 0.097_287_513_8, 1e-9);
}

#[test]
fn two_plans_from_one_in_a_hundred_to_nine_in_ten() {
    let time = |parametrisation| policy_gradient_time(0.01, 0.9, 0.7, parametrisation).expect("a time");
    assert_close(replicator::replicator_time(0.01, 0.9, 0.7).expect("a time"), 9.703_349_182, 1e-10);
    assert_close(time(Parametrisation::TwoLogits), 86.759_626_238, 1e-10);
    assert_close(time(Parametrisation::OneLogit), 173.519_252_477, 1e-11);
    // The equation itself, without its integral, comes to the same place.
    let logits = policy_gradient(&[0.01f64.ln(), 0.99f64.ln()], &[0.7, 0.0], 86.759_626_238).expect("a solution");
    assert_close(softmax(&logits).expect("shares")[0], 0.9, 1e-10);
    assert_eq!(policy_gradient_time(0.9, 0.01, 0.7, Parametrisation::OneLogit), Ok(f64::INFINITY));
    assert_eq!(replicator::replicator_time(0.01, 0.9, 0.0), Ok(f64::INFINITY));
}

#[test]
fn recall_falls_as_computed() {
    for (start, rate, time, expected) in
        [(0.95, 1.0, 2.0, 0.719_995_437_835), (0.95, 1.0, 5.0, 0.113_491_675_934), (0.99, 0.5, 10.0, 0.400_140_398_187)]
    {
        assert_close(recall::recall(start, rate, time).expect("a recall"), expected, 5e-12);
        assert_close(recall::recall_under_kl(start, rate, 1.0 / time).expect("a recall"), expected, 5e-12);
        assert_close(recall::recall_time(start, expected, rate).expect("a time"), time, 1e-10);
    }
    assert_close(recall::recall_time(0.95, 0.5, 1.0).expect("a time"), 19f64.ln(), 1e-13);
    assert_eq!(recall::recall(1.0, 3.0, 1e9), Ok(1.0), "what is not there is not selected");
}

#[test]
fn a_chain_climbs_stops_in_a_valley_and_crosses_to_a_better_end() {
    let start = [1.0, 0.0, 0.0, 0.0];
    let chain = |rewards: [f64; 4]| Chain::of_rewards(&rewards, 0.001).expect("a chain");
    let climbed = chain([0.0, 0.2, 0.4, 0.6]).after(&start, 50).expect("shares");
    assert_all_close(&climbed, &[7.747_621_4e-6, 7.715_160_7e-4, 0.034_585_168_0, 0.964_635_568_3], 5e-9);

    let valley = chain([0.0, -0.5, -0.5, -0.1]);
    let expected = [0.997_458_486_8, 2.537_572_414_2e-3, 3.915_568_428_9e-6, 2.522_140_167_2e-8];
    let equilibrium = valley.equilibrium(0).expect("an end");
    assert_all_close(&equilibrium, &expected, 1e-10);
    assert_all_close(&valley.after(&start, 5000).expect("shares"), &equilibrium, 1e-9);

    let crossing = chain([0.0, -0.5, -0.5, 0.3]);
    for (steps, last, tolerance) in
        [(20, 7.7e-7, 1e-2), (40, 3.2e-4, 1e-2), (60, 0.1164, 1e-3), (80, 0.981_89, 1e-5), (120, 0.999_999_9, 1e-7)]
    {
        assert_close(crossing.after(&start, steps).expect("shares")[3], last, tolerance);
    }
    assert_eq!(crossing.equilibrium(0).expect("an end"), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn two_stages_have_an_error_threshold() {
    let (first, next) = (0.5f64.exp(), 0.2f64.exp());
    let share = |mu: f64| Chain::new(&[first, next], &[mu]).expect("a chain").equilibrium(0).expect("an end")[1];
    assert_close(share(0.01), 0.038_583, 1e-5);
    assert_close(share(0.01), 0.01 * first / (first - next), 1e-12);
    let threshold = error_threshold(first, next).expect("a threshold");
    assert!(share(threshold * 0.999) < 1.0);
    assert_eq!(share(threshold * 1.001), 1.0);
    assert_eq!(error_threshold(next, first), Ok(0.0));
}

#[test]
fn choices_have_so_many_bits() {
    assert_close(bits::checkpoint_bits(20).expect("bits"), 4.322, 1e-4);
    assert_close(bits::early_stop_bits(1024).expect("bits"), 10.0, 1e-15);
    assert_close(bits::plateau_bits(100, 3).expect("bits"), 17.30, 1e-3);
    assert_close(bits::plateau_bits(100, 3).expect("bits"), 161_700f64.log2(), 1e-14);
    assert_close(bits::plateau_bits(10_000_000, 4_000_000).expect("bits"), 9_709_494.021, 1e-9);
    assert_eq!(bits::plateau_bits(7, 7), Ok(0.0));
    assert_close(bits::best_of_n_kl(16).expect("nats"), 1.835_09, 1e-5);
    assert_eq!(bits::best_of_n_kl(1), Ok(0.0));
    assert_eq!(bits::skip_bits(0.5), Ok(1.0));
    let noisy: &[&[f64]] = &[&[0.9, 0.1], &[0.1, 0.9]];
    assert_close(bits::min_capacity(noisy).expect("bits"), 1.8f64.log2(), 1e-14);
    assert_close(bits::min_entropy_leakage(&[0.5, 0.5], noisy).expect("bits"), 1.8f64.log2(), 1e-14);
    assert_eq!(bits::min_entropy_leakage(&[0.95, 0.05], noisy), Ok(0.0), "the guess does not change");
    let map: &[&[f64]] = &[&[1.0, 0.0], &[0.0, 1.0], &[0.0, 1.0]];
    assert_eq!(bits::min_capacity(map), Ok(1.0));
}

#[test]
fn lower_recall_needs_more_penalty() {
    // Rewards 2, 1, -1 and lies in half of the cases (the toy model of SOLiD): 1 / ln(1 / (1 - recall)).
    for (recall, beta) in [(0.9, 0.434), (0.7, 0.831), (0.57, 1.18)] {
        let found = kl::kl_boundary((1.0 - recall) / 2.0, 0.5, 1.0).expect("a boundary");
        assert_close(found, beta, 5e-3);
        let prior = [(1.0 - recall) / 2.0, 0.5, recall / 2.0];
        let optimum = |beta| kl::kl_optimum(&prior, &[2.0, 1.0, -1.0], beta).expect("an optimum");
        let (below, above) = (optimum(found * 0.999), optimum(found * 1.001));
        assert!(below[0] > below[1] && above[0] < above[1]);
    }
    assert_eq!(kl::kl_boundary(0.5, 0.1, 1.0), Ok(f64::INFINITY));
    assert_eq!(kl::kl_boundary(0.1, 0.5, 0.0), Ok(0.0));
}

#[test]
fn a_group_with_one_success_has_the_advantage_of_the_root_of_the_others() {
    let mut group = [0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    grpo::group_advantages(&mut group).expect("a group");
    assert_close(group[2], 7f64.sqrt(), 1e-14);
    assert_close(group[2], 2.6458, 1e-4);
    assert_close(group[0], -1.0 / 7f64.sqrt(), 1e-14);
    for reward in [0.1, -3.0, 1e300, 0.0] {
        let mut alike = [reward; 7];
        grpo::group_advantages(&mut alike).expect("a group");
        assert_eq!(alike, [0.0; 7], "the guard");
    }
    // What is hardly more is pushed as hard, and neither large nor small numbers are lost.
    for unit in [5e-324, 1e-300, 1e-9, 1e308] {
        let mut group = [-unit, unit];
        grpo::group_advantages(&mut group).expect("a group");
        assert_eq!(group, [-1.0, 1.0]);
    }
}

#[test]
fn a_rare_plan_is_seen_when_it_should_be() {
    assert_close(sampling::probability_seen(1e-6, 1e6).expect("a probability"), 0.632_120_742_7, 1e-9);
    assert_eq!(sampling::samples_until_seen(0.5, 0.75), Ok(2.0));
    assert_eq!(sampling::samples_until_seen(1e-6, 0.5), Ok(693_147.0));
    assert_eq!(sampling::samples_until_seen(0.0, 0.5), Ok(f64::INFINITY));
    assert_eq!(sampling::samples_until_seen(1.0, 0.5), Ok(1.0));
    // The rule of three.
    assert_close(sampling::largest_unseen_share(1e6, 0.05).expect("a share"), 3e-6, 2e-3);
}
