//! `openloop replay`.

use serde::Serialize;

use super::arguments::{Format, ReplayArguments};
use super::question::{ReadGraph, read_graphs};
use super::test::changed;
use super::{Failure, Outcome, files, output};
use crate::exec::FloatScalar;
use crate::interference::captured::{CASE_FILE_VERSION, CapturedStep, CaseFile, SourcePlace, has_wide_floats};
use crate::interference::{Difference, Finiteness, run_pair};
use crate::render::text::safe;

/// What `openloop replay --format json` writes.
#[derive(Debug, Serialize)]
struct ReplayReport {
    version: u32,
    tool: &'static str,
    /// Whether the sinks differ.
    reproduced: bool,
    /// Whether it is the very difference that the file names.
    same: bool,
    /// The first difference of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    /// Whether infinities, NaN or overflow may have had a part.
    finiteness: Finiteness,
}

pub(super) fn replay(arguments: &ReplayArguments) -> Outcome {
    let path = arguments.case.display();
    let text = files::read_text(&arguments.case)?;
    let case: CaseFile = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{path} is no counterexample of `openloop test`: {error}")))?;
    if case.version != CASE_FILE_VERSION {
        let message = format!("{path}: found version {}, expected {CASE_FILE_VERSION}", case.version);
        return Err(Failure::new(message));
    }
    let names = case.names.iter().cloned().map(Some).chain(std::iter::repeat(None));
    let sources: Vec<_> = names.zip(arguments.files.iter().cloned()).collect();
    let graphs = read_graphs(&sources)?;
    if graphs.len() != case.digests.len() {
        let (given, wanted) = (graphs.len(), case.digests.len());
        return Err(Failure::new(format!("{path} is about {wanted} graphs, and {given} were given")));
    }
    for ((_, file, graph), digest) in graphs.iter().zip(&case.digests) {
        let found = graph.digest();
        if found != *digest {
            return Err(Failure::new(format!(
                "{file} is another graph than the one that {path} was found in: its digest is {found}, not {digest}. Run \
                 `openloop test` on it"
            )));
        }
    }
    if graphs.iter().any(|(_, _, graph)| has_wide_floats(graph)) {
        replay_as::<f64>(arguments, &graphs, &case)
    } else {
        replay_as::<f32>(arguments, &graphs, &case)
    }
}

fn replay_as<S: FloatScalar + 'static>(arguments: &ReplayArguments, graphs: &[ReadGraph], file: &CaseFile) -> Outcome {
    let path = arguments.case.display();
    let named: Vec<(&str, &_)> = graphs.iter().map(|(name, _, graph)| (name.as_str(), graph)).collect();
    let unfit = |why: String| Failure::new(format!("{path}: {why}"));
    let step = CapturedStep::<S>::new(&named, &file.question).map_err(|error| unfit(error.to_string()))?;
    let case = step.from_file(file).map_err(unfit)?;
    let outcome = run_pair(&step, &case)
        .map_err(|failure| unfit(format!("step {} cannot be run: {}", failure.step, failure.message)))?;
    let report = ReplayReport {
        version: CASE_FILE_VERSION,
        tool: env!("CARGO_PKG_VERSION"),
        reproduced: outcome.difference.is_some(),
        same: outcome.difference.as_ref() == Some(&file.difference),
        difference: outcome.difference,
        finiteness: outcome.finiteness,
    };
    let text = if arguments.output.format == Format::Json {
        serde_json::to_string_pretty(&report).expect("strings, numbers and lists are always JSON") + "\n"
    } else {
        let lines = files::LocalSources::near(arguments.files.iter().map(|path| path.as_path()));
        page(&report, file, &step.places(file.disturbance.target), &lines)
    };
    output::findings(&text, arguments.output.output.as_deref())?;
    Ok(u8::from(report.reproduced))
}

fn page(report: &ReplayReport, file: &CaseFile, places: &[SourcePlace], lines: &files::LocalSources) -> String {
    let mut page = format!("{} [{}]\n", safe(&file.question.name), file.question.within.as_str());
    page.push_str(&changed(places, lines));
    page.push_str(&format!("  change        {}\n", file.disturbance));
    match &report.difference {
        Some(difference) => {
            let Difference { step, part, element, .. } = difference;
            let [undisturbed, disturbed] = difference.shown();
            let which = if report.same { "the same difference as" } else { "another difference than" };
            page.push_str(&format!("{which} in the file: `{}`, element {element}, after step {step}\n", safe(part)));
            page.push_str(&format!("  undisturbed   {undisturbed}\n  disturbed     {disturbed}\n"));
        }
        None => page.push_str("no difference: no bit of a sink depends on the change in this pair\n"),
    }
    page
}
