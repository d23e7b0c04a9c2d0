//! Looks for a pair of runs that differs.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prop_oneof;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::pair::run_two;
use super::report::CAUTION;
use super::shrink::{Budget, Runs, Shrunk, shrink};
use super::{
    Case, Change, Counterexample, Counts, Disturbance, Finiteness, Mode, PairOutcome, PairedOutcome, PairedReport,
    Sent, StopReason, Target, TrainingSystem,
};

/// How many runs are looked at before the first pair.
const LOOKS: usize = 4;

/// How a search is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many pairs.
    pub cases: u32,
    /// How many steps a run has at most. Half of the pairs have one step.
    pub steps: usize,
    /// Whether the environment listens.
    pub mode: Mode,
    /// Where randomness begins.
    pub seed: u64,
    /// No infinities, no NaN, nothing that is so large that arithmetic may overflow.
    pub finite_only: bool,
    /// When to stop, whatever was asked for. A pair that runs is not interrupted.
    pub time_limit: Option<Duration>,
    /// How many smaller cases are tried.
    pub max_shrink_attempts: u32,
    /// How long smaller cases are tried.
    pub max_shrink_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cases: 200,
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
    /// Pairs are run.
    Pairs {
        /// That were run.
        run: u32,
        /// That were asked for.
        of: u32,
    },
    /// A difference was found, and smaller cases are tried.
    Shrinking {
        /// That were tried.
        attempts: u32,
    },
}

/// What a search found: the report, and the case itself if there is one.
#[derive(Clone, Debug)]
pub struct Findings<State, Inputs> {
    /// The report.
    pub report: PairedReport,
    /// The shrunk case, if two runs differ; as it was found, if a step failed or is not deterministic.
    pub case: Option<Case<State, Inputs>>,
}

type CaseOf<T> = Case<<T as TrainingSystem>::State, <T as TrainingSystem>::Inputs>;

/// What ends a search before all pairs are run: what it came to, and the case.
type End<T> = Box<(PairedOutcome, Option<CaseOf<T>>)>;

/// Looks for a pair of runs whose beliefs differ: first under changes by ordinary numbers, then under infinities, NaN
/// and numbers that may overflow, so that a difference which only those make is told as one.
pub fn search<T: TrainingSystem>(
    system: &T,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Findings<T::State, T::Inputs> {
    let mut search = Search {
        system,
        options,
        progress,
        runner: runner(options.seed),
        begun: Instant::now(),
        sent: Sent::default(),
        counts: [Counts::default(); 2],
        stopped: StopReason::Cases,
    };
    let end = search.run();
    let [finite, not_finite] = search.counts;
    let (outcome, case) = match end {
        // Pairs that only infinities and NaN got through show nothing of ordinary rewards.
        Ok(()) if finite.with_power == 0 => (PairedOutcome::NoPower, None),
        Ok(()) => (PairedOutcome::NoDifference, None),
        Err(end) => *end,
    };
    let report = PairedReport {
        outcome,
        mode: options.mode,
        seed: options.seed,
        cases: options.cases,
        steps: options.steps,
        finite_only: options.finite_only,
        finite,
        not_finite,
        sent: search.sent,
        stopped: search.stopped,
        caution: CAUTION.to_string(),
    };
    Findings { report, case }
}

/// The source of randomness.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

struct Search<'s, T: TrainingSystem> {
    system: &'s T,
    options: &'s Options,
    progress: &'s mut dyn FnMut(Progress),
    runner: TestRunner,
    begun: Instant,
    /// The most numbers that a step was seen to send.
    sent: Sent,
    /// Of pairs that are finite, and of those that are not.
    counts: [Counts; 2],
    stopped: StopReason,
}

impl<T: TrainingSystem> Search<'_, T> {
    fn run(&mut self) -> Result<(), End<T>> {
        self.look_at_the_system()?;
        let Options { cases, finite_only, time_limit, .. } = *self.options;
        if finite_only {
            return self.pairs(Finiteness::Finite, cases, time_limit);
        }
        let finite = cases - cases / 4;
        self.pairs(Finiteness::Finite, finite, time_limit.map(|time| time / 4 * 3))?;
        self.pairs(Finiteness::NotFinite, cases - finite, time_limit)
    }

    /// Undisturbed runs: how many numbers a step sends, and whether the same runs twice are the same.
    fn look_at_the_system(&mut self) -> Result<(), End<T>> {
        let nothing = Disturbance::everywhere(Target::Value, Change::Scale { by: 1.0 });
        for _ in 0..LOOKS {
            let (inputs, state) = self.draw(&self.runs())?.current();
            let case = Case { state, inputs, disturbance: nothing.clone(), mode: self.options.mode };
            self.check_determinism(&case)?;
        }
        Ok(())
    }

    fn check_determinism(&mut self, case: &CaseOf<T>) -> Result<(), End<T>> {
        match run_two(self.system, case, None) {
            Err(failure) => Err(Box::new((PairedOutcome::StepFailed(failure), Some(case.clone())))),
            Ok((PairOutcome { difference: Some(difference), .. }, _)) => {
                Err(Box::new((PairedOutcome::NotDeterministic(difference), Some(case.clone()))))
            }
            Ok((_, sent)) => {
                self.sent = self.sent.max(sent);
                Ok(())
            }
        }
    }

    /// Inputs of one step or of some, and a state.
    fn runs(&self) -> impl Strategy<Value = Runs<T>> + use<T> {
        let most = self.options.steps.max(1);
        let inputs = prop_oneof![vec(self.system.inputs(), 1), vec(self.system.inputs(), 1..=most)];
        (inputs, self.system.states())
    }

    fn draw<S: Strategy>(&mut self, strategy: &S) -> Result<S::Tree, End<T>> {
        let tree = strategy.new_tree(&mut self.runner);
        tree.map_err(|reason| Box::new((PairedOutcome::NoCase { why: reason.to_string() }, None)))
    }

    /// Pairs under changes of one kind, until their number or their time is over.
    fn pairs(&mut self, finiteness: Finiteness, count: u32, time: Option<Duration>) -> Result<(), End<T>> {
        let runs = self.runs();
        let disturbances = Disturbance::strategy(self.sent, self.options.steps.max(1), finiteness);
        // A difference in a pair that marked itself waits: one without infinities says more.
        let mut waiting = None;
        for number in 0..count {
            if number > 0 && time.is_some_and(|time| self.begun.elapsed() >= time) {
                self.stopped = StopReason::TimeLimit;
                break;
            }
            let mut tree = self.draw(&runs)?;
            let disturbance = self.draw(&disturbances)?.current();
            let (inputs, state) = tree.current();
            let case = Case { state, inputs, disturbance, mode: self.options.mode };
            let outcome = match run_two(self.system, &case, Some(&case.disturbance)) {
                Ok((outcome, _)) => outcome,
                Err(failure) => return Err(Box::new((PairedOutcome::StepFailed(failure), Some(case)))),
            };
            self.count(&outcome, &case);
            let Some(difference) = outcome.difference else { continue };
            let found = Shrunk { case, difference, finiteness: outcome.finiteness, attempts: 0 };
            if found.finiteness == finiteness {
                return Err(self.end_with(found, &mut tree));
            }
            if !self.options.finite_only && waiting.is_none() {
                waiting = Some((found, tree));
            }
        }
        match waiting {
            Some((found, mut tree)) => Err(self.end_with(found, &mut tree)),
            None => Ok(()),
        }
    }

    fn count(&mut self, outcome: &PairOutcome, case: &CaseOf<T>) {
        let counts = &mut self.counts[outcome.finiteness as usize];
        counts.pairs += 1;
        counts.single_step += u64::from(case.inputs.len() == 1);
        counts.excluded += u64::from(outcome.is_excluded);
        counts.with_power += u64::from(outcome.has_power);
        let [finite, not_finite] = self.counts;
        let run = u32::try_from(finite.pairs + not_finite.pairs).unwrap_or(u32::MAX);
        (self.progress)(Progress::Pairs { run, of: self.options.cases });
    }

    /// Shrinks what was found, and believes it only if the same runs with nothing changed do not differ.
    fn end_with(&mut self, found: Shrunk<T>, tree: &mut impl ValueTree<Value = Runs<T>>) -> End<T> {
        self.stopped = StopReason::Decided;
        if let Err(end) = self.check_determinism(&found.case) {
            return end;
        }
        let Options { max_shrink_attempts: attempts, max_shrink_time: time, .. } = *self.options;
        let shrunk = shrink(self.system, found, tree, self.sent, Budget { attempts, time }, self.progress);
        match self.check_determinism(&shrunk.case) {
            Err(end) => end,
            Ok(()) => Box::new((PairedOutcome::Difference(Counterexample::new(&shrunk)), Some(shrunk.case))),
        }
    }
}
