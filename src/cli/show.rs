//! `openloop inspect`, `init`, `explain` and `completions`.

use clap::CommandFactory;

use super::arguments::{Arguments, CompletionsArguments, ExplainArguments, Format, InitArguments, InspectArguments};
use super::{Failure, Outcome, files, output};
use crate::graph::PairingOverride;
use crate::policy::first_policy;
use crate::render::{InspectOptions, inspect as render_inspect, inspect_json};
use crate::rules::{RULES, rule};

pub(super) fn inspect(arguments: &InspectArguments) -> Outcome {
    let graph = files::read_graph(&arguments.file)?;
    let file = arguments.output.output.as_deref();
    let name = arguments.file.display().to_string();
    let carried = graph.carried_pairs(&PairingOverride::default());
    let text = if arguments.graph {
        graph.to_json() + "\n"
    } else if arguments.output.format == Format::Json {
        inspect_json(&graph, &name, carried.as_ref())
    } else {
        let color = output::findings_have_color(arguments.output.color, file.is_some());
        let options = InspectOptions { color, tree: arguments.tree, width: output::width() };
        render_inspect(&graph, &name, carried.as_ref(), &options)
    };
    output::findings(&text, file)?;
    Ok(0)
}

pub(super) fn init(arguments: &InitArguments) -> Outcome {
    let graph = files::read_graph(&arguments.file)?;
    let carried = graph.carried_pairs(&PairingOverride::default());
    let name = arguments.file.display().to_string();
    let text = first_policy(&graph, &name, carried.as_ref());
    if let Some(path) = &arguments.output {
        if path.exists() {
            let message =
                format!("{} exists; it is left alone. Remove it, or print to standard output", path.display());
            return Err(Failure::new(message));
        }
        files::write(path, &text)?;
        let (path, file) = (path.display(), arguments.file.display());
        output::note(&format!("wrote {path}: read it, then run `openloop check {file} --policy {path}`"));
    } else {
        output::findings(&text, None)?;
    }
    Ok(0)
}

pub(super) fn explain(arguments: &ExplainArguments) -> Outcome {
    let text = match &arguments.code {
        None => RULES.iter().map(|rule| format!("{}  {}: {}\n", rule.code, rule.name, rule.summary)).collect(),
        Some(code) => match rule(code) {
            Some(rule) => rule.page.to_string(),
            None => {
                let codes: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
                return Err(Failure::new(format!("there is no code `{code}`; the codes are {}", codes.join(", "))));
            }
        },
    };
    output::findings(&text, None)?;
    Ok(0)
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "openloop", &mut text);
    output::findings(&String::from_utf8_lossy(&text), None)?;
    Ok(0)
}
