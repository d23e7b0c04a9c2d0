//! One pair of runs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use super::{BitsOf, Disturbance, Part, Probe, Sent, TrainingSystem};

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
    /// The change is an ordinary number, and all parts of the disturbed run are finite.
    Finite,
    /// The change is infinite, NaN, or so large that arithmetic may overflow; or a part of the disturbed run is infinite or
    /// NaN, or a step marked itself.
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
    /// What its bits are.
    pub bits_of: BitsOf,
    /// Its bits in the undisturbed run; none if the part has no such element there.
    pub undisturbed: Option<u64>,
    /// Its bits in the disturbed run.
    pub disturbed: Option<u64>,
}

impl Difference {
    /// The element in the undisturbed and in the disturbed run: the number if it is one, and the bits.
    pub fn shown(&self) -> [String; 2] {
        [self.undisturbed, self.disturbed].map(|bits| match (bits, self.bits_of) {
            (None, _) => "no such element".to_string(),
            (Some(bits), BitsOf::F32) => format!("{:?} (bits {bits:#010x})", f32::from_bits(bits as u32)),
            (Some(bits), BitsOf::F64) => format!("{:?} (bits {bits:#018x})", f64::from_bits(bits)),
            (Some(bits), BitsOf::Other) => format!("{bits} (bits {bits:#x})"),
        })
    }
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
    /// Whether a step said that the pair shows nothing.
    pub is_excluded: bool,
}

/// Runs a pair: undisturbed and disturbed side by side, until the beliefs differ or the inputs end.
///
/// # Errors
/// If a step of either run gives an error or panics.
pub fn run_pair<T: TrainingSystem>(system: &T, case: &Case<T::State, T::Inputs>) -> Result<PairOutcome, StepFailure> {
    run_two(system, case, Some(&case.disturbance)).map(|(outcome, _)| outcome)
}

/// Runs a case twice, with nothing changed in the first run and this in the second; and how many numbers a step of the
/// first sends at most.
pub(super) fn run_two<T: TrainingSystem>(
    system: &T,
    case: &Case<T::State, T::Inputs>,
    disturbance: Option<&Disturbance>,
) -> Result<(PairOutcome, Sent), StepFailure> {
    let finiteness = disturbance.map_or(Finiteness::Finite, |disturbance| disturbance.change.finiteness());
    let mut outcome = PairOutcome { difference: None, has_power: false, finiteness, is_excluded: false };
    let mut sent = Sent::default();
    let [mut undisturbed, mut disturbed] = [case.state.clone(), case.state.clone()];
    for (step, inputs) in case.inputs.iter().enumerate() {
        let mut probe = Probe::new(None, step);
        undisturbed = advance(system, case.mode, undisturbed, inputs, &mut probe).map_err(|message| StepFailure {
            run: WhichRun::Undisturbed,
            step,
            message,
        })?;
        sent = sent.max(probe.sent());
        outcome.is_excluded |= probe.is_excluded();
        let mut probe = Probe::new(disturbance, step);
        disturbed = advance(system, case.mode, disturbed, inputs, &mut probe).map_err(|message| StepFailure {
            run: WhichRun::Disturbed,
            step,
            message,
        })?;
        outcome.is_excluded |= probe.is_excluded();
        if outcome.is_excluded {
            // What the steps before showed does not count either: the pair as it was drawn is not one to be asked about.
            outcome.has_power = false;
            break;
        }
        let beliefs = [&undisturbed, &disturbed].map(|state| system.beliefs(state));
        let desires = [&undisturbed, &disturbed].map(|state| system.desires(state));
        // Large rewards overflow after some steps: what comes of that is not what ordinary numbers do.
        if probe.saw_not_finite() || !beliefs[1].iter().chain(&desires[1]).all(Part::is_finite) {
            outcome.finiteness = Finiteness::NotFinite;
        }
        outcome.has_power |= first_difference(step, &desires).is_some();
        outcome.difference = first_difference(step, &beliefs);
        if outcome.difference.is_some() {
            break;
        }
    }
    Ok((outcome, sent))
}

/// One step of one run. A panic is an error like any other: a search must not end without an answer.
fn advance<T: TrainingSystem>(
    system: &T,
    mode: Mode,
    state: T::State,
    inputs: &T::Inputs,
    probe: &mut Probe<'_>,
) -> Result<T::State, String> {
    let step = AssertUnwindSafe(|| match mode {
        Mode::Replay => system.step(state, inputs, probe),
        Mode::Free => {
            let inputs = system.environment(&state, inputs.clone());
            system.step(state, &inputs, probe)
        }
    });
    match catch_unwind(step) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("it panicked: {}", text.unwrap_or("(no message)")))
        }
    }
}

/// The state after so many undisturbed steps of a case.
pub(super) fn state_after<T: TrainingSystem>(
    system: &T,
    case: &Case<T::State, T::Inputs>,
    steps: usize,
) -> Result<T::State, String> {
    let inputs = case.inputs.iter().take(steps).enumerate();
    inputs.into_iter().try_fold(case.state.clone(), |state, (step, inputs)| {
        advance(system, case.mode, state, inputs, &mut Probe::new(None, step))
    })
}

/// The first element that differs. A part or an element that only one side has differs too.
fn first_difference(step: usize, sides: &[Vec<Part>; 2]) -> Option<Difference> {
    let count = sides[0].len().max(sides[1].len());
    let [before, after] =
        (0..count).map(|at| sides.each_ref().map(|parts| parts.get(at))).find(|[before, after]| before != after)?;
    let part = before.or(after)?;
    let [before, after] = [before, after].map(|part| part.map_or(&[][..], |part| &part.bits));
    let shared = before.len().min(after.len());
    let element = (0..shared).find(|&element| before[element] != after[element]).unwrap_or(shared);
    Some(Difference {
        step,
        part: part.name.clone(),
        element,
        bits_of: part.bits_of,
        undisturbed: before.get(element).copied(),
        disturbed: after.get(element).copied(),
    })
}
