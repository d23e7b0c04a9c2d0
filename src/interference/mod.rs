//! Floor 4: runs a training step twice, all equal but the reward of the probe, and compares bit by bit what must not differ.
//!
//! ```
//! use openloop::interference::proptest::prelude::*;
//! use openloop::interference::{Part, Probe, StepResult, TrainingSystem};
//! use openloop::testing::check_system;
//!
//! /// Beliefs follow the data; desires follow the score of a probe that reads the beliefs.
//! struct TwoBoxes;
//!
//! impl TrainingSystem for TwoBoxes {
//!     type State = (f32, f32); // beliefs, desires
//!     type Inputs = f32;
//!
//!     fn states(&self) -> BoxedStrategy<Self::State> {
//!         (-1.0..1.0f32, -1.0..1.0f32).boxed()
//!     }
//!
//!     fn inputs(&self) -> BoxedStrategy<f32> {
//!         (-1.0..1.0f32).boxed()
//!     }
//!
//!     fn step(&self, (belief, desire): (f32, f32), data: &f32, probe: &mut Probe<'_>) -> StepResult<(f32, f32)> {
//!         let score = probe.value(2.0 * belief); // in the second run, something else comes back
//!         Ok((0.9 * belief + 0.1 * data, desire + 0.1 * score))
//!     }
//!
//!     fn beliefs(&self, (belief, _): &(f32, f32)) -> Vec<Part> {
//!         vec![Part::of_f32("belief", [belief])]
//!     }
//!
//!     fn desires(&self, (_, desire): &(f32, f32)) -> Vec<Part> {
//!         vec![Part::of_f32("desire", [desire])]
//!     }
//! }
//!
//! check_system(TwoBoxes).noninterference().runs(200).assert_holds();
//! ```
//!
//! A [`TrainingSystem`] says what a step is. A [`Probe`] stands where numbers leave the interpretability probe and
//! changes them as a [`Disturbance`] says. A [`Case`] is everything that a pair of runs needs; [`run_pair`] runs it, and
//! [`search`] looks for a case whose runs differ and shrinks it. `openloop::testing::check_system` is the door for
//! `cargo test`, and `fixtures/examples/training_system.rs` a whole test to copy.
//!
//! **Invariants.** Deterministic: a seed, a system and options give one answer, but for the time limits. A step that
//! fails, a system that is not deterministic and a search in which no change reached anything are answers of their own,
//! never a pass. Knows nothing of the static analysis, which knows nothing of this: each is the other's oracle.

pub mod captured;
mod disturbance;
mod pair;
mod probe;
mod report;
mod search;
mod shrink;
mod system;

pub use disturbance::{Change, Disturbance, NumberRange, Sent, Target};
pub use pair::{Case, Difference, Finiteness, Mode, PairOutcome, StepFailure, WhichRun, run_pair};
pub use probe::{Number, Probe};
pub use report::{Counterexample, Counts, PairedOutcome, PairedReport, StopReason};
pub use search::{Findings, Options, Progress, search};
pub use system::{BitsOf, Part, StepResult, TrainingSystem};

/// Strategies for states and inputs are those of `proptest`: use this one, so that the versions agree.
pub use proptest;
