//! Makes a case smaller for as long as its runs differ.

use std::time::{Duration, Instant};

use proptest::strategy::ValueTree;

use super::pair::{run_two, state_after};
use super::{Case, Difference, Disturbance, Finiteness, Mode, Progress, Sent, TrainingSystem};

/// Of how many single numbers of a step each is tried alone.
const ELEMENTS: usize = 64;

/// Inputs of each step, and the state where a run begins: what a tree of `proptest` holds.
pub(super) type Runs<T> = (Vec<<T as TrainingSystem>::Inputs>, <T as TrainingSystem>::State);

type CaseOf<T> = Case<<T as TrainingSystem>::State, <T as TrainingSystem>::Inputs>;

/// How long smaller cases are tried.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    pub(super) attempts: u32,
    pub(super) time: Duration,
}

/// A case that differs, and how.
pub(super) struct Shrunk<T: TrainingSystem> {
    pub(super) case: CaseOf<T>,
    pub(super) difference: Difference,
    pub(super) finiteness: Finiteness,
    pub(super) attempts: u32,
}

impl<T: TrainingSystem> Shrunk<T> {
    /// Steps after the difference say nothing.
    fn end_with_the_difference(&mut self) {
        self.case.inputs.truncate(self.difference.step + 1);
    }
}

/// Makes a case smaller that differs: the change first, then the number of steps, inputs and state, and in the end how
/// many numbers are changed. A smaller case is no less finite. The tree is where the inputs and the state came from.
/// `TestRunner::run_one` would do the middle part, but prints.
pub(super) fn shrink<T: TrainingSystem>(
    system: &T,
    found: Shrunk<T>,
    tree: &mut impl ValueTree<Value = Runs<T>>,
    sent: Sent,
    budget: Budget,
    progress: &mut dyn FnMut(Progress),
) -> Shrunk<T> {
    let mut shrinking = Shrinking { system, best: found, begun: Instant::now(), budget, progress };
    shrinking.best.end_with_the_difference();
    shrinking.simplify_change();
    shrinking.widen();
    shrinking.shrink_runs(tree);
    shrinking.simplify_change();
    shrinking.narrow(sent);
    shrinking.drop_steps();
    shrinking.replay();
    shrinking.best
}

struct Shrinking<'s, T: TrainingSystem> {
    system: &'s T,
    best: Shrunk<T>,
    begun: Instant,
    budget: Budget,
    progress: &'s mut dyn FnMut(Progress),
}

impl<T: TrainingSystem> Shrinking<'_, T> {
    fn is_over(&self) -> bool {
        self.best.attempts >= self.budget.attempts || self.begun.elapsed() >= self.budget.time
    }

    /// Takes a case that differs as well. One whose step fails is another finding, not a smaller one.
    fn try_case(&mut self, case: CaseOf<T>) -> bool {
        if self.is_over() {
            return false;
        }
        self.best.attempts += 1;
        (self.progress)(Progress::Shrinking { attempts: self.best.attempts });
        let Ok((outcome, _)) = run_two(self.system, &case, Some(&case.disturbance)) else { return false };
        let Some(difference) = outcome.difference else { return false };
        let is_taken = outcome.finiteness <= self.best.finiteness;
        if is_taken {
            let attempts = self.best.attempts;
            self.best = Shrunk { case, difference, finiteness: outcome.finiteness, attempts };
            self.best.end_with_the_difference();
        }
        is_taken
    }

    fn try_disturbance(&mut self, disturbance: Disturbance) -> bool {
        let case = Case { disturbance, ..self.best.case.clone() };
        self.try_case(case)
    }

    fn simplify_change(&mut self) {
        let now = self.best.case.disturbance.clone();
        let mut simpler = now.change.simpler(self.best.finiteness);
        simpler.any(|change| self.try_disturbance(Disturbance { change, ..now.clone() }));
    }

    /// In all steps: so that steps can be dropped without losing the one that is disturbed.
    fn widen(&mut self) {
        let now = self.best.case.disturbance.clone();
        if now.step.is_some() {
            self.try_disturbance(Disturbance { step: None, ..now });
        }
    }

    fn shrink_runs(&mut self, tree: &mut impl ValueTree<Value = Runs<T>>) {
        let mut is_moving = tree.simplify();
        while is_moving && !self.is_over() {
            let (inputs, state) = tree.current();
            let case = Case { state, inputs, ..self.best.case.clone() };
            is_moving = if self.try_case(case) { tree.simplify() } else { tree.complicate() };
        }
    }

    /// Steps before the disturbance only make a state.
    fn drop_steps(&mut self) {
        let Some(step @ 1..) = self.best.case.disturbance.step else { return };
        let case = &self.best.case;
        let Ok(state) = state_after(self.system, case, step) else { return };
        let disturbance = Disturbance { step: Some(0), ..case.disturbance.clone() };
        let inputs = case.inputs[step..].to_vec();
        self.try_case(Case { state, inputs, disturbance, mode: case.mode });
    }

    /// In one step and of one number, if that is enough.
    fn narrow(&mut self, sent: Sent) {
        let now = self.best.case.disturbance.clone();
        if now.step.is_none() {
            // The step of the difference first: if it is enough, nothing was carried.
            let last = self.best.difference.step;
            (0..=last).rev().any(|step| self.try_disturbance(Disturbance { step: Some(step), ..now.clone() }));
        }
        let now = self.best.case.disturbance.clone();
        if now.element.is_none() {
            let count = sent.of(now.target).min(ELEMENTS);
            (0..count).any(|element| self.try_disturbance(Disturbance { element: Some(element), ..now.clone() }));
        }
    }

    /// Without the environment, if that is enough.
    fn replay(&mut self) {
        if self.best.case.mode == Mode::Free {
            self.try_case(Case { mode: Mode::Replay, ..self.best.case.clone() });
        }
    }
}
