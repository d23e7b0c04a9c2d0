//! `openloop scenarios`.

use std::path::Path;

use serde::Serialize;

use super::arguments::{Format, ScenariosArguments};
use super::output::ProgressLine;
use super::{Failure, Outcome, files, output};
use crate::scenarios::{Answer, Case, Scenario, table};

/// The version of the layout of the JSON report.
const SCENARIOS_VERSION: u32 = 1;

/// What `openloop scenarios --format json` writes.
#[derive(Debug, Serialize)]
struct ScenariosReport {
    version: u32,
    tool: &'static str,
    scenarios: Vec<AskedScenario>,
}

#[derive(Debug, Serialize)]
struct AskedScenario {
    id: &'static str,
    title: &'static str,
    cases: Vec<AskedCase>,
}

/// A system, what was expected of it and what was found.
#[derive(Debug, Serialize)]
struct AskedCase {
    system: String,
    what: &'static str,
    expected: Answer,
    found: Answer,
    as_expected: bool,
}

pub(super) fn scenarios(arguments: &ScenariosArguments) -> Outcome {
    let chosen = chosen(&arguments.ids)?;
    if let Some(folder) = &arguments.save {
        save(&chosen, folder)?;
    }
    let mut line = ProgressLine::new();
    let mut asked = Vec::new();
    for scenario in &chosen {
        line.show(|| format!("  {} {}", scenario.id, scenario.title));
        let cases = scenario.cases.iter().map(|case| ask(case, arguments.cases)).collect::<Result<_, _>>()?;
        asked.push(AskedScenario { id: scenario.id, title: scenario.title, cases });
    }
    drop(line);
    let all_as_expected = asked.iter().flat_map(|scenario| &scenario.cases).all(|case| case.as_expected);
    let page = if arguments.output.format == Format::Json {
        let report = ScenariosReport { version: SCENARIOS_VERSION, tool: env!("CARGO_PKG_VERSION"), scenarios: asked };
        serde_json::to_string_pretty(&report).expect("strings, numbers and lists are always JSON") + "\n"
    } else {
        asked.iter().map(page).collect()
    };
    output::findings(&page, arguments.output.output.as_deref())?;
    Ok(u8::from(!all_as_expected))
}

/// Those that are named, in the order of the table.
fn chosen(ids: &[String]) -> Result<Vec<Scenario>, Failure> {
    let table = table();
    let is_named = |scenario: &Scenario, id: &String| scenario.id.eq_ignore_ascii_case(id);
    if let Some(unknown) = ids.iter().find(|id| !table.iter().any(|scenario| is_named(scenario, id))) {
        let known: Vec<&str> = table.iter().map(|scenario| scenario.id).collect();
        return Err(Failure::new(format!("there is no scenario `{unknown}`; there are {}", known.join(", "))));
    }
    let is_chosen = |scenario: &Scenario| ids.is_empty() || ids.iter().any(|id| is_named(scenario, id));
    Ok(table.into_iter().filter(is_chosen).collect())
}

fn ask(case: &Case, pairs: u32) -> Result<AskedCase, Failure> {
    let found = case.ask(pairs).map_err(|error| Failure::new(error.to_string()))?;
    let as_expected = found == case.expected;
    Ok(AskedCase { system: case.system.name(), what: case.what, expected: case.expected, found, as_expected })
}

/// Graphs and policies; of a system that is in several scenarios once.
fn save(scenarios: &[Scenario], folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    for case in scenarios.iter().flat_map(|scenario| &scenario.cases) {
        let name = case.system.name();
        let graph = case.system.graph().map_err(|error| Failure::new(format!("{name}: {error}")))?;
        files::write(&folder.join(format!("{name}.json")), graph.to_json() + "\n")?;
        files::write(&folder.join(format!("{name}.toml")), case.system.question().policy())?;
    }
    Ok(())
}

/// What is said of one scenario.
fn page(scenario: &AskedScenario) -> String {
    let mut page = format!("{:<4} {}\n", scenario.id, scenario.title);
    for case in &scenario.cases {
        let mark = if case.as_expected { "as expected" } else { "NOT AS EXPECTED" };
        page.push_str(&format!("  {} ({})\n", case.what, case.system));
        page.push_str(&format!("    found       {}; {mark}\n", said(&case.found)));
        if !case.as_expected {
            page.push_str(&format!("    expected    {}\n", said(&case.expected)));
        }
    }
    page
}

/// An answer in one line.
fn said(answer: &Answer) -> String {
    let mut said = format!("direct {} ({})", answer.direct.as_str(), answer.channel.as_str());
    said.push_str(&format!(", pairs {}", answer.replayed.as_str()));
    if let Some(free) = answer.free {
        said.push_str(&format!("; indirect {}, pairs {}", answer.indirect.as_str(), free.as_str()));
    }
    said
}
