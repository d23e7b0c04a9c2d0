//! A system of three numbers whose step is one closure: what a test is about stands in one line.

use openloop::interference::proptest::prelude::*;
use openloop::interference::{Part, Probe, StepResult, TrainingSystem};

/// The whole state.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub belief: f64,
    pub desire: f64,
    /// Neither: it is carried, and nobody looks.
    pub other: f64,
}

/// A step on it, with one number as input.
pub struct Small<F> {
    pub step: F,
}

/// A system whose step cannot fail.
pub fn small<F: Fn(Numbers, f64, &mut Probe<'_>) -> Numbers>(
    step: F,
) -> Small<impl Fn(Numbers, f64, &mut Probe<'_>) -> StepResult<Numbers>> {
    Small { step: move |state: Numbers, input: f64, probe: &mut Probe<'_>| Ok(step(state, input, probe)) }
}

impl<F: Fn(Numbers, f64, &mut Probe<'_>) -> StepResult<Numbers>> TrainingSystem for Small<F> {
    type State = Numbers;
    type Inputs = f64;

    fn states(&self) -> BoxedStrategy<Numbers> {
        let number = || (-100..=100).prop_map(f64::from);
        (number(), number()).prop_map(|(belief, desire)| Numbers { belief, desire, other: 0.0 }).boxed()
    }

    fn inputs(&self) -> BoxedStrategy<f64> {
        (-100..=100).prop_map(f64::from).boxed()
    }

    fn step(&self, state: Numbers, &input: &f64, probe: &mut Probe<'_>) -> StepResult<Numbers> {
        (self.step)(state, input, probe)
    }

    fn beliefs(&self, state: &Numbers) -> Vec<Part> {
        vec![Part::of_f64("belief", [&state.belief])]
    }

    fn desires(&self, state: &Numbers) -> Vec<Part> {
        vec![Part::of_f64("desire", [&state.desire])]
    }
}
