//! What a search says, as data and in words.

use std::fmt::{self, Debug};

use serde::{Deserialize, Serialize};

use super::shrink::Shrunk;
use super::{Difference, Disturbance, Finiteness, Mode, Sent, StepFailure, TrainingSystem, WhichRun};
use crate::render::text::safe;
use crate::verdict::Route;

/// What every report says.
pub(super) const CAUTION: &str =
    "Passing is not proof: these runs did not differ, others may. A graph that was checked is proof.";

/// A state can be large; a report is for reading, and the case itself is beside it.
const MAX_SHOWN: usize = 2000;

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
    /// The strategies of the system gave no state or no inputs.
    NoCase {
        /// What they say.
        why: String,
    },
}

/// The smallest case that was found, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counterexample {
    /// Whether infinities, NaN or overflow were needed.
    pub finiteness: Finiteness,
    /// How the change got there.
    pub route: Route,
    /// Whether the environment listened, which it does here only if that is needed.
    pub mode: Mode,
    /// How many steps the runs have.
    pub steps: usize,
    /// What was changed.
    pub disturbance: Disturbance,
    /// What differs first.
    pub difference: Difference,
    /// The state where both runs begin, as its type prints itself; cut if it is long.
    pub state: String,
    /// The inputs of each step, likewise.
    pub inputs: Vec<String>,
    /// How many smaller cases were tried.
    pub shrink_attempts: u32,
}

impl Counterexample {
    pub(super) fn new<T: TrainingSystem>(shrunk: &Shrunk<T>) -> Self {
        let Shrunk { case, difference, finiteness, attempts } = shrunk;
        let is_same_step = case.disturbance.step.map_or(case.inputs.len() == 1, |step| step == difference.step);
        let route = match case.mode {
            Mode::Free => Route::Environment,
            Mode::Replay if is_same_step => Route::Step,
            Mode::Replay => Route::Carried,
        };
        Counterexample {
            finiteness: *finiteness,
            route,
            mode: case.mode,
            steps: case.inputs.len(),
            disturbance: case.disturbance.clone(),
            difference: difference.clone(),
            state: shown(&case.state),
            inputs: case.inputs.iter().map(shown).collect(),
            shrink_attempts: *attempts,
        }
    }
}

fn shown(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(MAX_SHOWN) {
        None => text,
        Some((end, _)) => format!("{} ...", &text[..end]),
    }
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
    /// Those that show nothing, since a step said so: an assumption is broken in them, or a loop does not end.
    pub excluded: u64,
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
    /// Whether the environment listened.
    pub mode: Mode,
    /// Where its randomness began: the same seed gives the same search.
    pub seed: u64,
    /// How many pairs were asked for.
    pub cases: u32,
    /// How many steps a run had at most.
    pub steps: usize,
    /// Whether only ordinary numbers were tried.
    pub finite_only: bool,
    /// Pairs in which all was finite.
    pub finite: Counts,
    /// Pairs whose changes are infinite, NaN, or so large that arithmetic may overflow, or in which a part became so.
    pub not_finite: Counts,
    /// The most numbers that a step was seen to send through the probe.
    pub sent: Sent,
    /// Why it ended.
    pub stopped: StopReason,
    /// What this does not show.
    pub caution: String,
}

impl PairedReport {
    /// The case that differs, if there is one.
    pub fn counterexample(&self) -> Option<&Counterexample> {
        match &self.outcome {
            PairedOutcome::Difference(counterexample) => Some(counterexample),
            _ => None,
        }
    }
}

impl fmt::Display for PairedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            PairedOutcome::NoDifference => f.write_str("no difference: the reward did not reach the beliefs\n")?,
            PairedOutcome::NoPower => self.no_power(f)?,
            PairedOutcome::Difference(counterexample) => self.difference(f, counterexample)?,
            PairedOutcome::StepFailed(failure) => step_failed(f, failure)?,
            PairedOutcome::NotDeterministic(difference) => {
                f.write_str("not deterministic: two runs differ although nothing was changed\n")?;
                place(f, difference, ["first run", "second run"])?;
                f.write_str(
                    "  help          a step must be a function of its state, its inputs and its probe: no clock, no \
                    randomness of its own, no order of a hash map\n",
                )?;
            }
            PairedOutcome::NoCase { why } => {
                writeln!(f, "no case: a strategy of the system gave no value: {}", safe(why))?
            }
        }
        self.numbers(f)
    }
}

impl PairedReport {
    fn no_power(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no power: no change of the reward reached the desires, so that nothing is shown\n")?;
        let help = if self.sent == Sent::default() {
            "the step sent no number through its probe: call `probe.value` where the score leaves the probe"
        } else {
            "is the reward used at all? Is a head zero, a learning rate zero, or a mask always closed? Let `states` \
             give states that training comes to, and let `desires` name what the reward trains"
        };
        writeln!(f, "  help          {help}")
    }

    fn difference(&self, f: &mut fmt::Formatter<'_>, found: &Counterexample) -> fmt::Result {
        f.write_str("difference: the reward reaches the beliefs\n")?;
        place(f, &found.difference, ["undisturbed", "disturbed"])?;
        writeln!(f, "  change        {}", found.disturbance)?;
        let kind = match found.finiteness {
            Finiteness::Finite => "finite: ordinary numbers are enough".to_string(),
            Finiteness::NotFinite => format!(
                "only infinities, NaN or overflow: no difference in {} pairs with ordinary numbers",
                self.finite.pairs
            ),
        };
        writeln!(f, "  kind          {kind}")?;
        let how = match found.route {
            Route::Step => "inside one step",
            Route::Carried => "through what is carried from step to step, such as momentum",
            Route::Environment => "through the environment; with the same data in both runs there is no difference",
        };
        writeln!(f, "  route         {}: {how}", found.route.as_str())?;
        writeln!(f, "  state         {}", safe(&found.state))?;
        for (step, inputs) in found.inputs.iter().enumerate() {
            writeln!(f, "  inputs {step:<6} {}", safe(inputs))?;
        }
        writeln!(f, "  smaller       {} smaller cases were tried", found.shrink_attempts)
    }

    fn numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { pairs, with_power, single_step, .. } = self.finite;
        writeln!(
            f,
            "  pairs         {pairs} with ordinary numbers: {with_power} had power, {single_step} of one step"
        )?;
        if !self.finite_only {
            let Counts { pairs, with_power, single_step, .. } = self.not_finite;
            writeln!(
                f,
                "                {pairs} with infinities, NaN or overflow: {with_power} had power, {single_step} of one step"
            )?;
        }
        let excluded = self.finite.excluded + self.not_finite.excluded;
        if excluded > 0 {
            writeln!(f, "  excluded      {excluded}: an assumption is broken in them, or a loop does not end")?;
        }
        if self.stopped == StopReason::TimeLimit {
            writeln!(f, "  stopped       the time was over before {} pairs were run", self.cases)?;
        }
        let mode = match self.mode {
            Mode::Replay => "replay: the same data and randomness in both runs",
            Mode::Free => "free: the environment answers each run by itself",
        };
        writeln!(f, "  mode          {mode}")?;
        writeln!(f, "  again         seed {}, {} cases, at most {} steps", self.seed, self.cases, self.steps)?;
        if matches!(self.outcome, PairedOutcome::NoDifference) {
            writeln!(f, "  caution       {}", self.caution)?;
        }
        Ok(())
    }
}

fn step_failed(f: &mut fmt::Formatter<'_>, failure: &StepFailure) -> fmt::Result {
    let run = match failure.run {
        WhichRun::Undisturbed => "undisturbed",
        WhichRun::Disturbed => "disturbed",
    };
    writeln!(f, "the step failed: step {} of the {run} run: {}", failure.step, safe(&failure.message))?;
    f.write_str(match failure.run {
        WhichRun::Undisturbed => "  help          let `states` and `inputs` give only what the step can take\n",
        WhichRun::Disturbed => {
            "  help          an update that fails for some rewards depends on the reward; if it may, ask for finite \
             changes only, or let the step go on\n"
        }
    })
}

fn place(f: &mut fmt::Formatter<'_>, difference: &Difference, sides: [&str; 2]) -> fmt::Result {
    let Difference { step, part, element, .. } = difference;
    writeln!(f, "  where         `{}`, element {element}, after step {step}", safe(part))?;
    for (side, shown) in sides.into_iter().zip(difference.shown()) {
        writeln!(f, "  {side:<13} {shown}")?;
    }
    Ok(())
}
