//! What is not a pass, and what ends in time.

use std::cell::Cell;
use std::time::{Duration, Instant};

use openloop::interference::proptest::prelude::*;
use openloop::interference::{
    Finiteness, Options, PairedOutcome, Part, Probe, Progress, StepResult, StopReason, TrainingSystem, WhichRun, search,
};
use openloop::testing::check_system;

use super::small::{Numbers, Small, small};
use crate::training_system::{Leak, TwoBoxes};

/// A system whose desires learn and whose beliefs do not listen.
fn clean(state: Numbers, input: f64, probe: &mut Probe<'_>) -> Numbers {
    let reward: f64 = probe.value(state.belief);
    Numbers { belief: 0.9 * state.belief + input, desire: state.desire + reward, other: 0.0 }
}

#[test]
fn a_head_of_zeros_is_no_power() {
    for leak in [Leak::None, Leak::MissedDetach] {
        // The leak is real, and every ordinary reward is multiplied by a head that is zero.
        let report = check_system(TwoBoxes { leak, head: 0 }).noninterference().finite_only().report();
        assert_eq!(report.outcome, PairedOutcome::NoPower, "{report}");
        assert_eq!((report.finite.with_power, report.finite.pairs), (0, 200), "{report}");
    }
    // That NaN gets through a head of zeros shows nothing about rewards.
    let report = check_system(TwoBoxes { leak: Leak::None, head: 0 }).noninterference().report();
    assert!(report.outcome == PairedOutcome::NoPower && report.not_finite.with_power > 0, "{report}");
}

#[test]
#[should_panic(expected = "Is a head zero, a learning rate zero, or a mask always closed?")]
fn no_power_does_not_pass() {
    check_system(TwoBoxes { leak: Leak::None, head: 0 }).noninterference().assert_holds();
}

#[test]
#[should_panic(expected = "the step sent no number through its probe")]
fn a_step_that_forgets_its_probe_does_not_pass() {
    let system = small(|state, input, _| Numbers { belief: input, desire: state.desire + state.belief, other: 0.0 });
    check_system(system).noninterference().assert_holds();
}

#[test]
#[should_panic(expected = "no difference")]
fn a_planted_leak_that_is_not_found_fails() {
    check_system(small(clean)).noninterference().assert_leaks();
}

#[test]
fn no_pair_at_all_is_no_power() {
    let report = check_system(small(clean)).noninterference().runs(0).report();
    assert_eq!(report.outcome, PairedOutcome::NoPower, "{report}");
}

#[test]
fn a_step_that_fails_is_told_and_never_a_pass() {
    let fails_on_nan = Small {
        step: |state: Numbers, input: f64, probe: &mut Probe<'_>| -> StepResult<Numbers> {
            let next = clean(state, input, probe);
            if next.desire.is_nan() { Err("the desires are NaN".into()) } else { Ok(next) }
        },
    };
    let report = check_system(fails_on_nan).noninterference().report();
    let PairedOutcome::StepFailed(failure) = &report.outcome else { panic!("{report}") };
    assert_eq!((failure.run, failure.message.as_str()), (WhichRun::Disturbed, "the desires are NaN"));
    assert!(report.to_string().contains("an update that fails for some rewards depends on the reward"), "{report}");

    let panics = small(|state, input, probe| {
        assert!(input < 50.0, "{input} is too much");
        clean(state, input, probe)
    });
    let findings = check_system(panics).noninterference().search();
    let PairedOutcome::StepFailed(failure) = &findings.report.outcome else { panic!("{}", findings.report) };
    assert_eq!(failure.run, WhichRun::Undisturbed);
    assert!(failure.message.starts_with("it panicked: ") && failure.message.ends_with(" is too much"), "{failure:?}");
    assert!(findings.case.is_some_and(|case| case.inputs[failure.step] >= 50.0));
}

#[test]
fn a_smaller_case_that_fails_is_not_taken() {
    // It leaks for inputs from 10 on; below 10 it panics, and that is another finding.
    let system = Small {
        step: |state: Numbers, input: f64, probe: &mut Probe<'_>| -> StepResult<Numbers> {
            let reward: f64 = probe.value(input);
            match input.abs() {
                0.0..10.0 if state.belief.abs() < 10.0 => Err("too small".into()),
                _ => Ok(Numbers { belief: reward, desire: reward, other: 0.0 }),
            }
        },
    };
    let seed = (0..).find(|&seed| {
        let report = check_system(Small { step: &system.step }).noninterference().steps(1).seed(seed).report();
        report.counterexample().is_some()
    });
    let found = check_system(system).noninterference().steps(1).seed(seed.expect("a seed")).search();
    let case = found.case.expect("a case");
    assert!(case.inputs[0].abs() >= 10.0 || case.state.belief.abs() >= 10.0, "{case:?}");
}

#[test]
fn a_system_that_is_not_a_function_is_told() {
    let calls = Cell::new(0.0);
    let system = small(|state, input, probe| {
        calls.set(calls.get() + 1.0);
        let next = clean(state, input, probe);
        Numbers { belief: calls.get(), ..next }
    });
    let report = check_system(system).noninterference().report();
    assert!(matches!(report.outcome, PairedOutcome::NotDeterministic(_)), "{report}");
    assert!(report.to_string().contains("no order of a hash map"), "{report}");
}

#[test]
fn a_system_that_is_seldom_not_a_function_is_no_leak() {
    // The looks at the beginning do not see it: a call in the midst of the pairs gives another belief, once.
    let calls = Cell::new(0);
    let system = small(|state, input, probe| {
        calls.set(calls.get() + 1);
        let next = clean(state, input, probe);
        Numbers { belief: if calls.get() > 100 { f64::from(calls.get()) } else { next.belief }, ..next }
    });
    let report = check_system(system).noninterference().report();
    assert!(matches!(report.outcome, PairedOutcome::NotDeterministic(_)), "{report}");
}

/// Its states cannot be made: the filter lets none through.
struct Nowhere;

impl TrainingSystem for Nowhere {
    type State = f64;
    type Inputs = ();

    fn states(&self) -> BoxedStrategy<f64> {
        (0.0..1.0).prop_filter("larger than one", |&number: &f64| number > 1.0).boxed()
    }

    fn inputs(&self) -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn step(&self, state: f64, (): &(), probe: &mut Probe<'_>) -> StepResult<f64> {
        Ok(probe.value(state))
    }

    fn beliefs(&self, _: &f64) -> Vec<Part> {
        Vec::new()
    }

    fn desires(&self, state: &f64) -> Vec<Part> {
        vec![Part::of_f64("all", [state])]
    }
}

#[test]
fn strategies_that_give_nothing_are_told() {
    let report = check_system(Nowhere).noninterference().report();
    let PairedOutcome::NoCase { why } = &report.outcome else { panic!("{report}") };
    assert!(why.contains("rejects"), "{why}");
}

#[test]
fn a_time_limit_ends_a_search_and_is_told() {
    let slow = small(|state, input, probe| {
        std::thread::sleep(Duration::from_millis(2));
        clean(state, input, probe)
    });
    let begun = Instant::now();
    let report = check_system(slow).noninterference().runs(1_000_000).time_limit(Duration::from_millis(200)).report();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!((report.stopped, &report.outcome), (StopReason::TimeLimit, &PairedOutcome::NoDifference), "{report}");
    // Both kinds of changes had their share.
    assert!(report.finite.pairs > 0 && report.not_finite.pairs > 0, "{report}");
    assert!(report.to_string().contains("the time was over before 1000000 pairs were run"), "{report}");
}

#[test]
fn shrinking_ends_after_so_many_attempts_with_a_case_that_differs() {
    for attempts in [0, 1, 5, 20] {
        let options = Options { max_shrink_attempts: attempts, ..Options::default() };
        let mut seen = 0;
        let findings = search(&TwoBoxes::new(Leak::SharedClip), &options, &mut |progress| {
            if let Progress::Shrinking { attempts } = progress {
                seen = attempts;
            }
        });
        let found = findings.report.counterexample().expect("a leak");
        assert_eq!((found.shrink_attempts, seen), (attempts, attempts));
    }
    let options = Options { max_shrink_time: Duration::ZERO, ..Options::default() };
    let findings = search(&TwoBoxes::new(Leak::SharedClip), &options, &mut |_| ());
    assert_eq!(findings.report.counterexample().expect("a leak").shrink_attempts, 0);
}

#[test]
fn progress_counts_every_pair() {
    let mut seen = Vec::new();
    let options = Options { cases: 20, ..Options::default() };
    search(&small(clean), &options, &mut |progress| seen.push(progress));
    let expected: Vec<Progress> = (1..=20).map(|run| Progress::Pairs { run, of: 20 }).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_step_can_mark_itself_as_not_finite() {
    // Something inside became infinite, which no part of the state shows.
    let marks = || {
        small(|state, input, probe| {
            let reward: f64 = probe.value(state.belief);
            let is_infinite = (reward - state.belief).abs() > 500.0;
            if is_infinite {
                probe.mark_not_finite();
            }
            let next = Numbers { belief: input, desire: state.desire + reward, other: 0.0 };
            if is_infinite { Numbers { belief: input + 1.0, ..next } } else { next }
        })
    };
    let found = check_system(marks()).noninterference().assert_leaks();
    assert_eq!(found.finiteness, Finiteness::NotFinite);
    let report = check_system(marks()).noninterference().finite_only().report();
    assert!(report.outcome == PairedOutcome::NoDifference && report.not_finite.pairs > 0, "{report}");
}
