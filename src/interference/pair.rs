//! One pair of runs.

use serde::{Deserialize, Serialize};

use super::{Disturbance, TrainingSystem};

/// Whether the environment listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Data and randomness are the same in both runs: what is found went through the step or what it carries.
    #[default]
    Replay,
    /// The environment answers each run by itself: what is found may have gone through it.
    Free,
}

/// Everything that a pair of runs needs.
#[derive(Clone, Debug)]
pub struct Case<State, Inputs> {
    /// Where both runs begin.
    pub state: State,
    /// The inputs of each step; there are as many steps.
    pub inputs: Vec<Inputs>,
    /// What the second run has and the first has not.
    pub disturbance: Disturbance,
    /// Whether the environment listens.
    pub mode: Mode,
}

/// Whether infinities, NaN or overflow may have had a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finiteness {
    /// The change is an ordinary number, and no step marked itself as not finite.
    Finite,
    /// The change is infinite, NaN, or so large that arithmetic may overflow; or a step marked itself.
    NotFinite,
}

/// Which run of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichRun {
    /// With the reward as it is.
    Undisturbed,
    /// With the reward changed.
    Disturbed,
}

/// A step that gave an error or panicked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// In which run.
    pub run: WhichRun,
    /// In which step, from 0.
    pub step: usize,
    /// The error, or what the panic said.
    pub message: String,
}

/// The first place at which the beliefs of two runs differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// After which step, from 0.
    pub step: usize,
    /// The part of the beliefs.
    pub part: String,
    /// The element of the part.
    pub element: usize,
    /// Its bits in the undisturbed run; none if it has no such element.
    pub undisturbed: Option<u64>,
    /// Its bits in the disturbed run.
    pub disturbed: Option<u64>,
}

/// What a pair of runs shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairOutcome {
    /// The first difference of the beliefs.
    pub difference: Option<Difference>,
    /// Whether any of the desires differed: without that, no difference means nothing.
    pub has_power: bool,
    /// Whether infinities, NaN or overflow may have had a part.
    pub finiteness: Finiteness,
}

/// Runs a pair: undisturbed and disturbed side by side, until the beliefs differ or the inputs end.
///
/// # Errors
/// If a step of either run gives an error or panics.
pub fn run_pair<T: TrainingSystem>(
    _system: &T,
    _case: &Case<T::State, T::Inputs>,
) -> Result<PairOutcome, StepFailure> {
    Ok(PairOutcome { difference: None, has_power: false, finiteness: Finiteness::Finite })
}
