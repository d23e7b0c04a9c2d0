//! The suite that users get: a system with each fault fails the property that is about it, and clean systems pass.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use openloop::interference::proptest::prelude::*;
use openloop::interference::{Part, Probe, StepResult, TrainingSystem};
use openloop::properties;
use openloop::systems::{OnArrays, TwoBoxVariant, TwoBoxes};

/// What is wrong with a system.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// A counter that is no part of the state.
    HiddenState,
    /// The reward moves the belief.
    Direct,
    /// It moves what is carried, and that moves the belief after some steps.
    Carried,
    /// It reaches the beliefs only where it is infinite or no number.
    MaskedByProduct,
    /// It reaches the desires only there.
    NoOrdinaryPower,
}

/// A belief that follows the data, a desire that follows the score, and a slow memory.
struct Small {
    fault: Fault,
    steps: Cell<u32>,
}

impl Small {
    fn with(fault: Fault) -> Small {
        Small { fault, steps: Cell::new(0) }
    }
}

#[derive(Clone, Debug)]
struct State {
    belief: f32,
    desire: f32,
    memory: Vec<f32>,
}

/// So many steps a number waits in memory: longer than an ordinary run, shorter than a long one.
const WAITS: usize = 5;

impl TrainingSystem for Small {
    type State = State;
    type Inputs = f32;

    fn states(&self) -> BoxedStrategy<State> {
        let number = || -1.0..1.0f32;
        (number(), number(), prop::collection::vec(number(), WAITS))
            .prop_map(|(belief, desire, memory)| State { belief, desire, memory })
            .boxed()
    }

    fn inputs(&self) -> BoxedStrategy<f32> {
        (-1.0..1.0f32).boxed()
    }

    fn step(&self, mut state: State, data: &f32, probe: &mut Probe<'_>) -> StepResult<State> {
        let score = probe.value(2.0 * state.belief);
        state.belief = 0.9 * state.belief + 0.1 * data;
        let oldest = state.memory.remove(0);
        state.memory.push(if self.fault == Fault::Carried { score } else { *data });
        match self.fault {
            Fault::Direct => state.belief += 0.01 * score,
            Fault::Carried => state.belief += 0.01 * oldest,
            Fault::HiddenState => {
                self.steps.set(self.steps.get() + 1);
                state.belief += self.steps.get() as f32;
            }
            Fault::MaskedByProduct => state.belief += 0.0 * score,
            Fault::NoOrdinaryPower | Fault::None => {}
        }
        state.desire += match self.fault {
            Fault::NoOrdinaryPower if score.is_finite() => 0.0,
            _ => 0.1 * score,
        };
        Ok(state)
    }

    fn beliefs(&self, state: &State) -> Vec<Part> {
        vec![Part::of_f32("belief", [&state.belief])]
    }

    fn desires(&self, state: &State) -> Vec<Part> {
        vec![Part::of_f32("desire", [&state.desire])]
    }
}

mod clean {
    use super::*;

    openloop::properties::suite!(Small::with(Fault::None));
}

openloop::properties::suite!(two_boxes: OnArrays::<_, f32>::new(TwoBoxes::new(TwoBoxVariant::Clean)));

/// Which properties a system fails, by position.
fn failed(fault: Fault) -> Vec<usize> {
    let properties: [&dyn Fn(); 4] = [
        &|| properties::a_step_is_a_function_of_its_arguments(&Small::with(fault)),
        &|| properties::one_step_keeps_the_reward_from_the_beliefs(Small::with(fault)),
        &|| properties::what_is_carried_keeps_the_reward_from_the_beliefs(Small::with(fault)),
        &|| properties::ordinary_rewards_reach_the_desires_and_not_the_beliefs(Small::with(fault)),
    ];
    let fails = |at: &usize| catch_unwind(AssertUnwindSafe(properties[*at])).is_err();
    (0..properties.len()).filter(fails).collect()
}

#[test]
fn each_fault_fails_the_property_that_is_about_it() {
    assert!(failed(Fault::None).is_empty());
    assert_eq!(failed(Fault::Direct), [1, 2, 3]);
    assert_eq!(failed(Fault::Carried), [2]);
    assert_eq!(failed(Fault::MaskedByProduct), [1, 2]);
    assert_eq!(failed(Fault::NoOrdinaryPower), [1, 2, 3]);
    assert!(failed(Fault::HiddenState).contains(&0));
}
