//! What a search says, as data.

use serde::{Deserialize, Serialize};

use super::{Difference, Disturbance, Finiteness, Mode, StepFailure};
use crate::verdict::Route;

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PairedOutcome {
    /// No pair differed in its beliefs, and in at least one the change reached the desires.
    NoDifference,
    /// No pair differed in anything: nothing is shown.
    NoPower,
    /// The beliefs of a pair differ.
    Difference(Counterexample),
    /// A step gave an error or panicked.
    StepFailed(StepFailure),
    /// Two runs with nothing changed differ: nothing can be said.
    NotDeterministic(Difference),
}

/// The smallest case that was found, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counterexample {
    /// Whether infinities, NaN or overflow are needed.
    pub finiteness: Finiteness,
    /// How the change got there.
    pub route: Route,
    /// Whether the environment listened.
    pub mode: Mode,
    /// How many steps the runs have.
    pub steps: usize,
    /// What was changed.
    pub disturbance: Disturbance,
    /// What differs first.
    pub difference: Difference,
    /// The state where both runs begin, as its type prints itself.
    pub state: String,
    /// The inputs of each step, as their type prints itself.
    pub inputs: Vec<String>,
    /// How many smaller cases were tried.
    pub shrink_attempts: u64,
}

/// How many pairs were run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Pairs.
    pub pairs: u64,
    /// Those in which a part of the desires differed.
    pub with_power: u64,
    /// Those of one step.
    pub single_step: u64,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All pairs that were asked for were run.
    Cases,
    /// The time was over.
    TimeLimit,
    /// There is nothing more to look for.
    Decided,
}

/// A whole search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedReport {
    /// What it came to.
    pub outcome: PairedOutcome,
    /// Where its randomness began: the same seed gives the same search.
    pub seed: u64,
    /// Whether the environment listened.
    pub mode: Mode,
    /// Pairs whose changes are ordinary numbers.
    pub finite: Counts,
    /// Pairs whose changes are infinite, NaN, or so large that arithmetic may overflow, or that a step marked so.
    pub not_finite: Counts,
    /// Why it ended.
    pub stopped: StopReason,
    /// What this does not show.
    pub caution: String,
}
