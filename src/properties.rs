//! Floor 8: the properties that every training system with a probe should have, as tests for `cargo test`.
//!
//! ```
//! mod two_boxes {
//!     use openloop::interference::proptest::prelude::*;
//!     use openloop::interference::{Part, Probe, StepResult, TrainingSystem};
//!
//!     /// Beliefs follow the data; desires follow the score of a probe that reads the beliefs.
//!     pub struct TwoBoxes;
//!
//!     impl TrainingSystem for TwoBoxes {
//!         type State = (f32, f32); // beliefs, desires
//!         type Inputs = f32;
//! #       fn states(&self) -> BoxedStrategy<(f32, f32)> {
//! #           (-1.0..1.0f32, -1.0..1.0f32).boxed()
//! #       }
//! #       fn inputs(&self) -> BoxedStrategy<f32> {
//! #           (-1.0..1.0f32).boxed()
//! #       }
//! #       fn beliefs(&self, (belief, _): &(f32, f32)) -> Vec<Part> {
//! #           vec![Part::of_f32("belief", [belief])]
//! #       }
//! #       fn desires(&self, (_, desire): &(f32, f32)) -> Vec<Part> {
//! #           vec![Part::of_f32("desire", [desire])]
//! #       }
//!         // states, inputs, beliefs and desires as in `openloop::interference`
//!         fn step(&self, (belief, desire): (f32, f32), data: &f32, probe: &mut Probe<'_>) -> StepResult<(f32, f32)> {
//!             let score = probe.value(2.0 * belief);
//!             Ok((0.9 * belief + 0.1 * data, desire + 0.1 * score))
//!         }
//!     }
//! }
//!
//! openloop::properties::suite!(two_boxes::TwoBoxes);
//! ```
//!
//! A test of the suite calls one function of this module; they can be called by hand as well. `OPENLOOP_CASES` asks for more
//! pairs, for a long run.
//!
//! **Invariants.** Deterministic. Each property names the system's fault that it finds; none of them passes where nothing
//! was shown.

use std::fmt::Debug;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::interference::{Case, Change, Disturbance, Mode, Target, TrainingSystem, run_pair};
use crate::testing::check_system;

/// So many pairs for each property.
const PAIRS: u32 = 64;
/// So many steps has a run.
const STEPS: usize = 3;
/// And so many, where what is carried for long has to show.
const LONG: usize = 12;

/// Makes the tests of a system: an expression that gives it, and before it the name of a module, if a file has several.
///
/// `suite!(MySystem)` puts the tests where it stands; `suite!(tabular: Bandit::new(2))` puts them into a module `tabular`.
#[macro_export]
#[doc(hidden)]
macro_rules! __openloop_suite {
    ($name:ident : $system:expr) => {
        mod $name {
            use super::*;
            $crate::__openloop_suite!($system);
        }
    };
    ($system:expr) => {
        #[test]
        fn a_step_is_a_function_of_its_arguments() {
            $crate::properties::a_step_is_a_function_of_its_arguments(&$system);
        }
        #[test]
        fn one_step_keeps_the_reward_from_the_beliefs() {
            $crate::properties::one_step_keeps_the_reward_from_the_beliefs($system);
        }
        #[test]
        fn what_is_carried_keeps_the_reward_from_the_beliefs() {
            $crate::properties::what_is_carried_keeps_the_reward_from_the_beliefs($system);
        }
        #[test]
        fn ordinary_rewards_reach_the_desires_and_not_the_beliefs() {
            $crate::properties::ordinary_rewards_reach_the_desires_and_not_the_beliefs($system);
        }
    };
}

#[doc(inline)]
pub use crate::__openloop_suite as suite;

/// A step is a function of its arguments: no clock, no randomness of its own, no order of a hash map. Two runs with the same
/// reward have the same bits everywhere.
///
/// # Panics
/// If two such runs differ, or a step fails. The message has the state.
pub fn a_step_is_a_function_of_its_arguments<T: TrainingSystem>(system: &T) {
    let mut runner = TestRunner::deterministic();
    let unchanged = Disturbance { target: Target::Value, change: Change::Scale { by: 1.0 }, step: None, element: None };
    for _ in 0..PAIRS {
        let state = drawn(&system.states(), &mut runner);
        let inputs = (0..STEPS).map(|_| drawn(&system.inputs(), &mut runner)).collect();
        let case = Case { state, inputs, disturbance: unchanged.clone(), mode: Mode::Replay };
        let outcome = run_pair(system, &case)
            .unwrap_or_else(|failure| panic!("a step fails: {failure:?}\nfrom the state {:?}", case.state));
        let differs = outcome.difference.is_some() || outcome.has_power;
        assert!(!differs, "the same step twice gives two results: {outcome:?}\nfrom the state {:?}", case.state);
    }
}

/// Within one step, from any state, no reward reaches the beliefs: the step has no route of its own.
///
/// # Panics
/// If one does, with the smallest pair of runs; also if no reward reaches the desires.
#[track_caller]
pub fn one_step_keeps_the_reward_from_the_beliefs<T: TrainingSystem>(system: T) {
    check_system(system).noninterference().runs(PAIRS).steps(1).assert_holds();
}

/// Over many steps none does: nothing that is carried (moments, statistics, memory) hands it on. Data and randomness are the same in
/// both runs, so that the way through the environment is not asked about.
///
/// # Panics
/// If one does, with the smallest pair of runs; also if no reward reaches the desires.
#[track_caller]
pub fn what_is_carried_keeps_the_reward_from_the_beliefs<T: TrainingSystem>(system: T) {
    check_system(system).noninterference().runs(PAIRS).steps(LONG).assert_holds();
}

/// The same for rewards that are ordinary numbers alone. Where only this one passes, something is masked by a product: zero times
/// infinity is no zero.
///
/// # Panics
/// If a reward reaches the beliefs, or none reaches the desires.
#[track_caller]
pub fn ordinary_rewards_reach_the_desires_and_not_the_beliefs<T: TrainingSystem>(system: T) {
    check_system(system).noninterference().runs(PAIRS).steps(STEPS).finite_only().assert_holds();
}

fn drawn<T: Debug>(strategy: &impl Strategy<Value = T>, runner: &mut TestRunner) -> T {
    strategy.new_tree(runner).expect("states and inputs that can be made").current()
}
