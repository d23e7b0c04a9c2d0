//! Floor 7: the scenarios S1 to S15 that an invariant checker for training must tell apart, what is expected of each, and
//! what both halves say: the static check of the graph, and paired runs of the very same code.
//!
//! *Direct* is what gets there inside a step or through what is carried; *indirect* what goes round through the world, along
//! declared environment edges. Paired runs look for the first with data that are replayed, for the second with a world that
//! answers.
//!
//! **Invariants.** The table says what is expected and nothing else does. Deterministic.

mod table;

use serde::Serialize;

use crate::interference::{Mode, Options, PairedOutcome, PairedReport};
use crate::policy::{Date, FlowPolicy};
use crate::report::{NamedGraph, run};
use crate::systems::Reference;
use crate::verdict::{Channel, RunReport, Verdict};

pub use table::table;

/// One scenario: a question, and systems that answer it one way or another.
pub struct Scenario {
    /// `S1` to `S15`.
    pub id: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What is in it.
    pub cases: Vec<Case>,
}

/// A system and what is expected of it.
pub struct Case {
    /// What is done in it.
    pub what: &'static str,
    /// The system.
    pub system: Box<dyn Reference>,
    /// What should be found.
    pub expected: Answer,
}

/// What paired runs show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairs {
    /// The beliefs of some pair differ.
    Differ,
    /// They differ only in pairs with infinities, NaN or overflow.
    DifferIfNotFinite,
    /// They never do, and the reward reached something.
    Same,
    /// Nothing was shown: the reward reached nothing, or a step could not be run.
    NothingShown,
}

/// What is expected, or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The worse verdict of one step and of a whole run, without environment edges.
    pub direct: Verdict,
    /// How much gets through at worst.
    pub channel: Channel,
    /// How much gets round through environment edges at worst.
    pub indirect: Channel,
    /// Paired runs in which data are replayed.
    pub replayed: Pairs,
    /// Paired runs in which the world answers; nothing where it does not.
    pub free: Option<Pairs>,
}

/// Why a case cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{system}: {why}")]
pub struct CaseError {
    system: String,
    why: String,
}

impl Case {
    /// The report of the static check.
    ///
    /// # Errors
    /// If the system cannot be written down, or its policy does not fit it.
    pub fn report(&self) -> Result<RunReport, CaseError> {
        let failed = |why: String| CaseError { system: self.system.name(), why };
        let graph = self.system.graph().map_err(|error| failed(error.to_string()))?;
        let policy = FlowPolicy::parse(&self.system.question().policy()).map_err(|error| failed(error.to_string()))?;
        let graphs = [NamedGraph { name: graph.name(), file: graph.name(), graph: &graph }];
        // No waivers, so the day does not matter.
        run(&graphs, &policy, Date::from_unix_seconds(0), false).map_err(|error| failed(error.to_string()))
    }

    /// Asks both halves. Paired runs have so many pairs.
    ///
    /// # Errors
    /// As [`Case::report`].
    pub fn ask(&self, pairs: u32) -> Result<Answer, CaseError> {
        let report = self.report()?;
        let is_controlled = report.requires.iter().all(|require| require.verdict == Verdict::Holds);
        let verdicts = report.invariants.iter().map(|invariant| invariant.verdict);
        let direct = if is_controlled { verdicts.fold(Verdict::Holds, worse) } else { Verdict::Vacuous };
        let channel = report.invariants.iter().map(|invariant| invariant.channel).max().unwrap_or_default();
        let around = report.invariants.iter().flat_map(|invariant| &invariant.environment);
        let indirect = around.map(|witness| witness.channel).max().unwrap_or_default();
        let paired = |mode| shown(&self.system.pairs(&options(pairs, mode)));
        let has_world = !self.system.question().environment.is_empty();
        Ok(Answer {
            direct,
            channel,
            indirect,
            replayed: paired(Mode::Replay),
            free: has_world.then(|| paired(Mode::Free)),
        })
    }
}

fn options(pairs: u32, mode: Mode) -> Options {
    Options { cases: pairs, mode, max_shrink_attempts: 0, ..Options::default() }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Holds => 0,
        Verdict::Vacuous => 1,
        Verdict::Undetermined => 2,
        Verdict::Violated => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}

fn shown(report: &PairedReport) -> Pairs {
    use crate::interference::Finiteness;
    match &report.outcome {
        PairedOutcome::Difference(found) if found.finiteness == Finiteness::Finite => Pairs::Differ,
        PairedOutcome::Difference(_) => Pairs::DifferIfNotFinite,
        PairedOutcome::NoDifference => Pairs::Same,
        _ => Pairs::NothingShown,
    }
}

impl Pairs {
    /// As it is written in a table.
    pub fn as_str(self) -> &'static str {
        match self {
            Pairs::Differ => "differ",
            Pairs::DifferIfNotFinite => "differ if not finite",
            Pairs::Same => "same",
            Pairs::NothingShown => "nothing shown",
        }
    }
}
