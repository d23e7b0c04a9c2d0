//! `openloop test`, and what `check --confirm` asks of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::arguments::{Format, ModeArgument, TestArguments};
use super::output::ProgressLine;
use super::question::{ReadGraph, explain, graph_files, load_policy, read_graphs};
use super::{Failure, Outcome, files, output};
use crate::exec::{Dual, FloatScalar};
use crate::graph::Digest;
use crate::interference::captured::{
    CapturedError, CapturedStep, CaseFile, Direction, Movement, PairedQuestion, Sensitivity, SourcePlace,
    has_wide_floats,
};
use crate::interference::{Mode, Options, PairedOutcome, PairedReport, Progress, Target, search};
use crate::policy::{FlowPolicy, Invariant};
use crate::render::SourceLines;
use crate::render::text::{self, safe};
use crate::report::ReportError;
use crate::verdict::{Confirmed, Route, RunReport, Verdict, Within};

/// The version of the layout of the JSON report.
const TEST_VERSION: u32 = 1;

/// So long are smaller cases tried for `check --confirm`: what is asked is whether there is a difference.
const CONFIRM_TIME: Duration = Duration::from_secs(20);

/// What `openloop test --format json` writes.
#[derive(Debug, Serialize)]
struct TestReport {
    version: u32,
    tool: &'static str,
    graphs: Vec<TestedGraph>,
    entries: Vec<TestEntry>,
}

#[derive(Debug, Serialize)]
struct TestedGraph {
    name: String,
    file: String,
    digest: Digest,
}

/// What was asked, and what the pairs showed.
#[derive(Debug, Serialize)]
struct TestEntry {
    name: String,
    within: Within,
    from: Vec<String>,
    to: Vec<String>,
    /// What the source may reach; none: all other outputs.
    allowed: Vec<String>,
    /// How many outputs are sinks.
    sinks: usize,
    /// Operations that nobody can run, for which something was made up.
    made_up: Vec<String>,
    report: PairedReport,
    /// Derivatives of the sinks, in each direction; nothing if nobody asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sensitivity: Vec<Derivatives>,
    /// Where the counterexample was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    counterexample_file: Option<String>,
    /// Where what was changed leaves the source, in the user's own files.
    changed: Vec<SourcePlace>,
}

/// The derivatives of the sinks in one direction.
#[derive(Debug, Serialize)]
struct Derivatives {
    by: Target,
    #[serde(flatten)]
    sensitivity: Sensitivity,
}

/// The pairs of one entry.
pub(super) struct Tested {
    report: PairedReport,
    case: Option<CaseFile>,
    sinks: usize,
    made_up: Vec<String>,
    changed: Vec<SourcePlace>,
    has_environment: bool,
}

pub(super) fn test(arguments: &TestArguments) -> Outcome {
    let loaded = load_policy(&arguments.question)?;
    let sources = graph_files(arguments.file.as_ref(), &loaded)?;
    let graphs = read_graphs(&sources)?;
    let named: Vec<(&str, &_)> = graphs.iter().map(|(name, _, graph)| (name.as_str(), graph)).collect();
    let asked = loaded.policy.invariants();
    if asked.is_empty() {
        return Err(Failure::new("the policy denies nothing, so there is nothing to test: it has no [[invariant]]"));
    }
    let begun = Instant::now();
    let limit = arguments.time_limit.map(Duration::from_secs);
    let mut entries: Vec<TestEntry> = Vec::new();
    let mut unmatched = Vec::new();
    let mut is_heard = false;
    for (number, invariant) in asked.iter().enumerate() {
        // What is left of the time, in equal parts.
        let left = u32::try_from(asked.len() - number).unwrap_or(u32::MAX);
        let time_limit = limit.map(|limit| limit.saturating_sub(begun.elapsed()) / left);
        let question = match PairedQuestion::new(&named, &loaded.policy, invariant) {
            Ok(question) => question,
            Err(CapturedError::Policy(error)) => return Err(explain(ReportError::Policy(error), &loaded)),
            Err(CapturedError::Pairing { graph, error }) => {
                return Err(explain(ReportError::Pairing { graph, error }, &loaded));
            }
            Err(error) => return Err(Failure::new(error.to_string())),
        };
        let options = Options {
            cases: arguments.cases,
            steps: if invariant.within == Within::Step { 1 } else { arguments.steps.into() },
            mode: mode(arguments.mode, invariant),
            seed: arguments.seed,
            finite_only: arguments.finite_only,
            time_limit,
            max_shrink_time: time_limit.map_or(Options::default().max_shrink_time, |time| time.max(CONFIRM_TIME)),
            ..Options::default()
        };
        let tested = match run_pairs(&graphs, &question, &options, &invariant.name) {
            Ok(tested) => tested,
            Err(CapturedError::NothingMatches(reasons)) => {
                unmatched.push((invariant, reasons));
                continue;
            }
            Err(error) => return Err(Failure::new(error.to_string())),
        };
        is_heard |= tested.has_environment;
        let sensitivity = if arguments.sensitivity { derivatives(&graphs, &question, &options)? } else { Vec::new() };
        let count = entries.iter().filter(|entry| entry.counterexample_file.is_some()).count();
        let file = tested.case.as_ref().map(|case| save(&arguments.save, count, case)).transpose()?;
        entries.push(TestEntry {
            name: question.name,
            within: question.within,
            from: question.from,
            to: question.to,
            allowed: question.allowed,
            sinks: tested.sinks,
            made_up: tested.made_up,
            report: tested.report,
            sensitivity,
            counterexample_file: file.map(|path| path.display().to_string()),
            changed: tested.changed,
        });
    }
    if arguments.mode == Some(ModeArgument::Free) && !is_heard {
        output::note(
            "note: no environment edge ends at an input that is drawn, so that --mode free is as --mode replay",
        );
    }
    let code = exit_code(&entries, !unmatched.is_empty());
    let file = arguments.output.output.as_deref();
    let page = if arguments.output.format == Format::Json {
        let graphs = graphs.iter().map(|(name, file, graph)| TestedGraph {
            name: name.clone(),
            file: file.clone(),
            digest: graph.digest(),
        });
        let report =
            TestReport { version: TEST_VERSION, tool: env!("CARGO_PKG_VERSION"), graphs: graphs.collect(), entries };
        serde_json::to_string_pretty(&report).expect("strings, numbers and lists are always JSON") + "\n"
    } else {
        let lines = files::LocalSources::near(sources.iter().map(|(_, path)| path.as_path()));
        let pages: Vec<String> = entries.iter().map(|entry| page(entry, &lines)).collect();
        pages.join("\n")
    };
    output::findings(&page, file)?;
    for (invariant, reasons) in &unmatched {
        let within = invariant.within.as_str();
        output::note(&safe(&format!("{} [{within}]: nothing was run: {}", invariant.name, reasons.join("; "))));
    }
    Ok(code)
}

fn mode(said: Option<ModeArgument>, invariant: &Invariant) -> Mode {
    match said {
        Some(ModeArgument::Replay) => Mode::Replay,
        Some(ModeArgument::Free) => Mode::Free,
        None if invariant.routes.contains(&Route::Environment) => Mode::Free,
        None => Mode::Replay,
    }
}

/// 2 nothing can be said since a step cannot be run, 1 a difference, 3 nothing was shown; of several the first of these.
fn exit_code(entries: &[TestEntry], has_unmatched: bool) -> u8 {
    let of_entry = |entry: &TestEntry| match entry.report.outcome {
        PairedOutcome::Difference(_) => 1,
        PairedOutcome::NoDifference => 0,
        PairedOutcome::NoPower => 3,
        PairedOutcome::StepFailed(_) | PairedOutcome::NotDeterministic(_) | PairedOutcome::NoCase { .. } => 2,
    };
    let codes: Vec<u8> = entries.iter().map(of_entry).chain(has_unmatched.then_some(3)).collect();
    [2, 1, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

/// Runs the pairs of one question.
fn run_pairs(
    graphs: &[ReadGraph],
    question: &PairedQuestion,
    options: &Options,
    name: &str,
) -> Result<Tested, CapturedError> {
    if graphs.iter().any(|(_, _, graph)| has_wide_floats(graph)) {
        run_pairs_as::<f64>(graphs, question, options, name)
    } else {
        run_pairs_as::<f32>(graphs, question, options, name)
    }
}

fn run_pairs_as<S: FloatScalar + 'static>(
    graphs: &[ReadGraph],
    question: &PairedQuestion,
    options: &Options,
    name: &str,
) -> Result<Tested, CapturedError> {
    let named: Vec<(&str, &_)> = graphs.iter().map(|(name, _, graph)| (name.as_str(), graph)).collect();
    let step = CapturedStep::<S>::new(&named, question)?;
    let mut line = ProgressLine::new();
    let (begun, within) = (Instant::now(), question.within.as_str());
    let findings = search(&step, options, &mut |progress| {
        line.show(|| {
            let seconds = begun.elapsed().as_secs();
            let name = text::elide_end(name, 40);
            let done = match progress {
                Progress::Pairs { run, of } => format!("{run} of {of} pairs"),
                Progress::Shrinking { attempts } => format!("they differ; {attempts} smaller cases tried"),
            };
            safe(&format!("  {name} [{within}]: {done}, {seconds} s")).into_owned()
        });
    });
    drop(line);
    let found = findings.report.counterexample();
    let case = found.zip(findings.case.as_ref());
    let target = found.map_or(Target::Value, |found| found.disturbance.target);
    Ok(Tested {
        case: case.map(|(found, case)| step.to_file(case, &found.difference, found.finiteness)),
        sinks: step.sinks(),
        made_up: step.made_up(),
        changed: step.places(target),
        has_environment: step.has_environment(),
        report: findings.report,
    })
}

/// From so many states derivatives are taken.
const STATES: u32 = 4;

/// The derivatives of the sinks by values that leave the source, and by cotangents.
fn derivatives(
    graphs: &[ReadGraph],
    question: &PairedQuestion,
    options: &Options,
) -> Result<Vec<Derivatives>, Failure> {
    let is_wide = graphs.iter().any(|(_, _, graph)| has_wide_floats(graph));
    let of = if is_wide { derivatives_as::<f64> } else { derivatives_as::<f32> };
    of(graphs, question, options).map_err(|error| Failure::new(error.to_string()))
}

fn derivatives_as<S: FloatScalar + 'static>(
    graphs: &[ReadGraph],
    question: &PairedQuestion,
    options: &Options,
) -> Result<Vec<Derivatives>, Box<dyn std::error::Error + Send + Sync>> {
    let named: Vec<(&str, &_)> = graphs.iter().map(|(name, _, graph)| (name.as_str(), graph)).collect();
    let step = CapturedStep::<Dual<S>>::new(&named, question)?;
    let mut derivatives = Vec::new();
    for by in Target::ALL {
        let direction = Direction { target: by, movement: Movement::Spread };
        let sensitivity = step.sensitivity(direction, STATES, options.steps, options.seed)?;
        if sensitivity.moved + sensitivity.discrete > 0 {
            derivatives.push(Derivatives { by, sensitivity });
        }
    }
    Ok(derivatives)
}

/// Writes a counterexample; the second one gets a number.
fn save(path: &Path, count: usize, case: &CaseFile) -> Result<PathBuf, Failure> {
    let mut path = path.to_path_buf();
    if count > 0 {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let extension = path.extension().map_or(String::new(), |extension| format!(".{}", extension.to_string_lossy()));
        path.set_file_name(format!("{stem}-{}{extension}", count + 1));
    }
    let text = serde_json::to_string_pretty(case).expect("strings, numbers and lists are always JSON");
    files::write(&path, text + "\n")?;
    Ok(path)
}

/// So many places are shown.
const PLACES_SHOWN: usize = 4;

/// What is said of one entry.
fn page(entry: &TestEntry, lines: &dyn SourceLines) -> String {
    let mut page = format!(
        "{} [{}]\n  {} from {}\n",
        safe(&entry.name),
        entry.within.as_str(),
        text::count(entry.sinks, "sink", "sinks"),
        safe(&entry.from.join(", "))
    );
    page.push_str(&changed(&entry.changed, lines));
    if !entry.made_up.is_empty() {
        let names = entry.made_up.join(", ");
        page.push_str(&format!(
            "  made up       what {} gives, which nobody can run here: numbers that depend on its operands\n",
            safe(&names)
        ));
    }
    page.push_str(&entry.report.to_string());
    for Derivatives { by, sensitivity } in &entry.sensitivity {
        page.push_str(&format!("  derivatives   by each {} that leaves the source\n{}", by.as_str(), sensitivity));
    }
    if let Some(file) = &entry.counterexample_file {
        page.push_str(&format!("  written to    {}: openloop replay runs it again\n", safe(file)));
    }
    page
}

/// The places at which something leaves the source, with the user's own lines.
pub(super) fn changed(places: &[SourcePlace], lines: &dyn SourceLines) -> String {
    let mut text = String::new();
    for (number, place) in places.iter().take(PLACES_SHOWN).enumerate() {
        let title = if number == 0 { "changed at" } else { "" };
        let source = place.file.as_ref().and_then(|file| lines.line(file, place.line));
        let source = source.map_or(String::new(), |line| format!("  {}", safe(line.trim())));
        text.push_str(&format!("  {title:<13} {}{source}\n", safe(&place.text)));
    }
    if places.len() > PLACES_SHOWN {
        text.push_str(&format!("                and {} more places\n", places.len() - PLACES_SHOWN));
    }
    text
}

/// Runs the violations of a report in pairs and says what they showed.
pub(super) fn confirm(report: &mut RunReport, graphs: &[ReadGraph], policy: &FlowPolicy, cases: u32) {
    let named: Vec<(&str, &_)> = graphs.iter().map(|(name, _, graph)| (name.as_str(), graph)).collect();
    for (entry, invariant) in report.invariants.iter_mut().zip(policy.invariants()) {
        if entry.verdict != Verdict::Violated {
            continue;
        }
        let options = Options {
            cases,
            steps: if invariant.within == Within::Step { 1 } else { 4 },
            mode: mode(None, invariant),
            time_limit: Some(CONFIRM_TIME),
            max_shrink_attempts: 0,
            ..Options::default()
        };
        let question = PairedQuestion::new(&named, policy, invariant);
        let tested = question.and_then(|question| run_pairs(graphs, &question, &options, &invariant.name));
        entry.confirmed = match tested.map(|tested| tested.report.outcome) {
            Ok(PairedOutcome::Difference(_)) => Confirmed::Yes,
            Ok(PairedOutcome::NoDifference) => Confirmed::No,
            // What cannot be run, or changes nothing, says nothing.
            _ => Confirmed::Untested,
        };
    }
}
