//! What is found, and how small it gets.

use openloop::interference::{Change, Disturbance, Finiteness, Mode, PairedOutcome, Target, run_pair};
use openloop::testing::check_system;
use openloop::verdict::Route;

use super::small::{Numbers, small};
use crate::training_system::{Leak, TwoBoxes};

const SEEDS: std::ops::Range<u64> = 0..8;

#[test]
fn each_leak_of_the_example_is_found_and_made_small() {
    use Finiteness::{Finite, NotFinite};
    let table = [
        (Leak::SharedClip, Target::Value, Finite, Route::Step, 1),
        (Leak::MissedDetach, Target::Value, Finite, Route::Step, 1),
        (Leak::ProbeGradient, Target::Cotangent, Finite, Route::Step, 1),
        (Leak::Momentum, Target::Value, Finite, Route::Step, 1),
        (Leak::RunningScale, Target::Value, Finite, Route::Carried, 2),
        (Leak::BestOfBatch, Target::Value, Finite, Route::Step, 1),
        (Leak::MultipliedMask, Target::Value, NotFinite, Route::Step, 1),
    ];
    for (leak, target, finiteness, route, steps) in table {
        for seed in SEEDS {
            let findings = check_system(TwoBoxes::new(leak)).noninterference().seed(seed).search();
            let report = &findings.report;
            let found = report.counterexample().unwrap_or_else(|| panic!("{leak:?}, seed {seed}: {report}"));
            assert_eq!((found.finiteness, found.route), (finiteness, route), "{leak:?}, seed {seed}: {report}");
            assert_eq!((found.steps, found.difference.step), (steps, steps - 1), "{leak:?}, seed {seed}: {report}");
            assert_eq!(found.mode, Mode::Replay);
            // One number of one step is changed, and the change is a simple one.
            let Disturbance { target: changed, change, step, element } = found.disturbance;
            assert_eq!((changed, step), (target, Some(0)), "{leak:?}, seed {seed}: {report}");
            assert!(element.is_some_and(|element| element < 2), "{leak:?}, seed {seed}: {report}");
            let is_simple = match finiteness {
                Finite => matches!(change, Change::Shift { by: 1.0 | -1.0 } | Change::Scale { by: 0.0 | -1.0 | 2.0 }),
                NotFinite => change == Change::NotANumber,
            };
            assert!(is_simple, "{leak:?}, seed {seed}: {report}");
            // The case is there, and shows it again.
            let case = findings.case.as_ref().expect("the case");
            let again = run_pair(&TwoBoxes::new(leak), case).expect("a step");
            assert_eq!(again.difference.as_ref(), Some(&found.difference), "{leak:?}, seed {seed}");
            assert_eq!(again.finiteness, finiteness);
        }
    }
}

#[test]
fn what_does_not_matter_for_a_leak_shrinks_to_nothing() {
    for seed in SEEDS {
        let found = check_system(TwoBoxes::new(Leak::ProbeGradient)).noninterference().seed(seed).assert_leaks();
        // The gradient of a linear probe needs no weights, no moments and no head: only that something is seen.
        let zeros = "weights: [0.0, 0.0], first_moment: [0.0, 0.0], second_moment: [0.0, 0.0]";
        assert!(found.state.contains(zeros), "seed {seed}: {}", found.state);
        assert!(found.state.contains("inner: [0.0, 0.0], outer: 0.0, momentum: [0.0, 0.0, 0.0]"), "{}", found.state);
        let seen: f64 =
            found.inputs[0].split(['[', ']', ',', ' ']).filter_map(|word| word.parse::<f64>().ok()).map(f64::abs).sum();
        assert_eq!(seen, 0.001, "seed {seed}: {:?}", found.inputs);
    }
}

#[test]
fn the_clean_example_holds() {
    for seed in SEEDS {
        for mode in [Mode::Replay, Mode::Free] {
            let report = check_system(TwoBoxes::new(Leak::None)).noninterference().seed(seed).mode(mode).report();
            assert_eq!(report.outcome, PairedOutcome::NoDifference, "{report}");
            assert_eq!(report.finite.pairs + report.not_finite.pairs, 200);
            assert!(report.not_finite.pairs >= 50, "{report}");
            // It is no accident that nothing differed: most changes reached the desires, in runs of one step and of more.
            assert!(report.finite.with_power * 2 > report.finite.pairs, "{report}");
            assert!(report.finite.single_step > 30 && report.finite.single_step < report.finite.pairs - 30, "{report}");
        }
    }
}

#[test]
fn a_mask_by_multiplication_holds_for_ordinary_rewards_only() {
    for seed in SEEDS {
        let check = check_system(TwoBoxes::new(Leak::MultipliedMask)).noninterference().seed(seed);
        let report = check.finite_only().report();
        assert_eq!(report.outcome, PairedOutcome::NoDifference, "{report}");
        // Overflow is told from ordinary numbers by what comes of it.
        assert!(report.finite.pairs > 150, "{report}");
    }
}

#[test]
fn the_way_through_the_environment_is_told_from_the_others() {
    for seed in SEEDS {
        let check = |leak| check_system(TwoBoxes::new(leak)).noninterference().seed(seed);
        check(Leak::PolicyPicksData).mode(Mode::Replay).assert_holds();
        let found = check(Leak::PolicyPicksData).mode(Mode::Free).assert_leaks();
        assert_eq!((found.route, found.mode, found.steps), (Route::Environment, Mode::Free, 2));
        // Where replay is enough, it is what the counterexample says.
        let found = check(Leak::SharedClip).mode(Mode::Free).assert_leaks();
        assert_eq!((found.route, found.mode, found.steps), (Route::Step, Mode::Replay, 1));
    }
}

#[test]
fn every_step_is_compared_and_not_only_the_last() {
    // The reward is in the belief after each even step, and gone after the next.
    let system = small(|state, input, probe| {
        let reward = probe.value(input);
        let is_even = state.other % 2.0 == 0.0;
        Numbers { belief: if is_even { reward } else { 0.0 }, desire: reward, other: state.other + 1.0 }
    });
    let found = check_system(system).noninterference().steps(2).assert_leaks();
    assert_eq!((found.steps, found.difference.step), (1, 0));
}

#[test]
fn steps_before_the_leak_become_part_of_the_state() {
    // Only the third step leaks, and every run begins with the first.
    let system = small(|state, input, probe| {
        let reward = probe.value(input);
        let belief = if state.other == 2.0 { reward } else { input };
        Numbers { belief, desire: reward, other: state.other + 1.0 }
    });
    let found = check_system(system).noninterference().assert_leaks();
    assert_eq!((found.steps, found.disturbance.step, found.route), (1, Some(0), Route::Step));
    assert!(found.state.contains("other: 2.0"), "{}", found.state);
}

#[test]
fn the_one_number_that_leaks_is_named() {
    let system = small(|state, input, probe| {
        let rewards = [input, input, input, input].map(|score| probe.value(score));
        Numbers { belief: state.belief + rewards[2], desire: rewards.iter().sum(), other: 0.0 }
    });
    let found = check_system(system).noninterference().assert_leaks();
    assert_eq!((found.disturbance.step, found.disturbance.element), (Some(0), Some(2)));
}

#[test]
fn numbers_change_one_by_one_and_not_only_together() {
    // Whatever is done to both alike cancels.
    let system = small(|_, input, probe| {
        let (left, right) = (probe.value(input), probe.value(input));
        Numbers { belief: left - right, desire: left, other: 0.0 }
    });
    check_system(system).noninterference().finite_only().assert_leaks();
    // Only if both change, and not alike.
    let system = small(|_, input, probe| {
        let (left, right) = (probe.value(input), probe.value(input));
        let both = left != input && right != input && left != right;
        Numbers { belief: f64::from(u8::from(both)), desire: left, other: 0.0 }
    });
    let found = check_system(system).noninterference().finite_only().assert_leaks();
    assert!(matches!(found.disturbance.change, Change::Noise { .. }), "{}", found.disturbance);
}

#[test]
fn a_clip_that_binds_only_for_large_rewards_is_found() {
    let system = small(|state, input, probe| {
        let reward: f64 = probe.value(input / 1000.0);
        Numbers { belief: if reward.abs() > 500.0 { 0.0 } else { input }, desire: state.desire + reward, other: 0.0 }
    });
    let found = check_system(system).noninterference().assert_leaks();
    assert_eq!(found.finiteness, Finiteness::Finite);
    assert!(matches!(found.disturbance.change, Change::Shift { by: 1000.0 | -1000.0 }), "{}", found.disturbance);
}

#[test]
fn bits_are_compared_and_not_numbers() {
    // Zero and minus zero are equal as numbers.
    let system = small(|_, input, probe| {
        let reward: f64 = probe.value(input);
        Numbers { belief: 0.0_f64.copysign(reward), desire: reward, other: 0.0 }
    });
    let found = check_system(system).noninterference().assert_leaks();
    let bits = [found.difference.undisturbed, found.difference.disturbed];
    assert!(bits.contains(&Some(0)) && bits.contains(&Some(1 << 63)), "{found:?}");
}
