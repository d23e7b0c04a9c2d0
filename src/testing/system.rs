//! `check_system(MySystem).noninterference().assert_holds()`.

use std::time::Duration;

use crate::interference::{
    Counterexample, Findings, Mode, Options, PairedOutcome, PairedReport, TrainingSystem, search,
};

/// A variable of the environment: at least so many pairs, whatever a test asks for. For a longer run over night.
const CASES_VARIABLE: &str = "OPENLOOP_CASES";

/// The larger of two numbers; a text that is none asks for nothing.
fn at_least(cases: u32, asked: Option<&str>) -> u32 {
    asked.and_then(|text| text.trim().parse().ok()).unwrap_or(0).max(cases)
}

/// Begins a check of a training step that is written in Rust. The step is run twice, all equal but the reward of its
/// probe, and the beliefs are compared bit by bit.
pub fn check_system<T: TrainingSystem>(system: T) -> SystemCheck<T> {
    SystemCheck { system }
}

/// A system, and nothing asked of it yet.
#[must_use = "a check that asserts nothing checks nothing"]
#[derive(Clone, Debug)]
pub struct SystemCheck<T> {
    system: T,
}

impl<T: TrainingSystem> SystemCheck<T> {
    /// Asks that the beliefs do not depend on the reward.
    pub fn noninterference(self) -> Noninterference<T> {
        Noninterference { system: self.system, options: Options::default() }
    }
}

/// A check of noninterference that is being put together. Nothing is run until a method that asserts,
/// [`Noninterference::report`] or [`Noninterference::search`] is called.
#[must_use = "a check that asserts nothing checks nothing"]
#[derive(Clone, Debug)]
pub struct Noninterference<T> {
    system: T,
    options: Options,
}

impl<T: TrainingSystem> Noninterference<T> {
    /// How many pairs of runs. Without it 200; `OPENLOOP_CASES` can ask for more.
    pub fn runs(mut self, pairs: u32) -> Self {
        self.options.cases = pairs;
        self
    }

    /// How many steps a run has at most. Without it 4. What is carried shows itself from the second step on.
    pub fn steps(mut self, steps: usize) -> Self {
        self.options.steps = steps;
        self
    }

    /// Whether the environment listens. Without it it does not.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.options.mode = mode;
        self
    }

    /// Where randomness begins. Without it 0: a test that passes today passes tomorrow.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Only ordinary rewards: no infinities, no NaN, nothing that is so large that arithmetic may overflow.
    pub fn finite_only(mut self) -> Self {
        self.options.finite_only = true;
        self
    }

    /// When to stop, whatever number of pairs was asked for.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.options.time_limit = Some(limit);
        self
    }

    /// Runs the pairs. The shrunk case is there too, with its state and inputs as they are.
    pub fn search(&self) -> Findings<T::State, T::Inputs> {
        let asked = std::env::var(CASES_VARIABLE).ok();
        let cases = at_least(self.options.cases, asked.as_deref());
        search(&self.system, &Options { cases, ..self.options.clone() }, &mut |_| ())
    }

    /// Runs the pairs.
    pub fn report(&self) -> PairedReport {
        self.search().report
    }

    /// Passes if no pair of runs differs in its beliefs, and a changed reward reached the desires.
    ///
    /// # Panics
    /// If not; the message is the report. Also if a step fails, if the step is not deterministic, and if no changed
    /// reward reached anything: that would show nothing.
    #[track_caller]
    pub fn assert_holds(&self) {
        let report = self.report();
        if report.outcome != PairedOutcome::NoDifference {
            panic!("expected that the reward does not reach the beliefs\n\n{report}");
        }
    }

    /// Passes if the beliefs of a pair differ, and gives the smallest: for tests that plant a leak.
    ///
    /// # Panics
    /// If not; the message is the report.
    #[track_caller]
    pub fn assert_leaks(&self) -> Counterexample {
        let report = self.report();
        match report.outcome {
            PairedOutcome::Difference(counterexample) => counterexample,
            _ => panic!("expected that the reward reaches the beliefs\n\n{report}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_asks_for_more_pairs_and_never_for_fewer() {
        assert_eq!(at_least(200, None), 200);
        assert_eq!(at_least(200, Some("1000")), 1000);
        assert_eq!(at_least(200, Some(" 10\n")), 200);
        assert_eq!(at_least(200, Some("many")), 200);
    }
}
