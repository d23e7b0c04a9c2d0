//! `openloop check`.

use std::path::{Path, PathBuf};

use super::arguments::{CheckArguments, Format, WithinArgument};
use super::{Failure, Outcome, files, output};
use crate::graph::{PairingError, PytreePath, TrainingGraph};
use crate::policy::{Date, FlowPolicy, PolicyError, Selector};
use crate::render::{self, TerminalOptions, input_error};
use crate::report::{NamedGraph, ReportError, run};
use crate::verdict::{Bounds, Within};

/// The policy that is used where none is named.
const DEFAULT_POLICY: &str = "openloop.toml";

struct Loaded {
    policy: FlowPolicy,
    /// File and text, for errors that point into it.
    text: Option<(PathBuf, String)>,
}

pub(super) fn check(arguments: &CheckArguments) -> Outcome {
    if arguments.certificate.is_some() && arguments.certificate == arguments.output.output {
        return Err(Failure::new("--output and --certificate name one file"));
    }
    let loaded = load_policy(arguments)?;
    let today = today(arguments)?;
    let sources = graph_files(arguments, &loaded)?;
    let mut graphs: Vec<(String, String, TrainingGraph)> = Vec::with_capacity(sources.len());
    for (name, path) in &sources {
        let graph = files::read_graph(path)?;
        let name = name.clone().unwrap_or_else(|| graph.name().to_string());
        graphs.push((name, path.display().to_string(), graph));
    }
    let named: Vec<NamedGraph<'_>> =
        graphs.iter().map(|(name, file, graph)| NamedGraph { name, file, graph }).collect();
    let is_json = arguments.output.format == Format::Json;
    let with_certificates = is_json || arguments.certificate.is_some();
    let report = run(&named, &loaded.policy, today, with_certificates).map_err(|error| explain(error, &loaded))?;
    if let Some(path) = &arguments.certificate {
        let certificates: Vec<_> = report.invariants.iter().filter_map(|entry| entry.certificate.as_ref()).collect();
        let text = serde_json::to_string_pretty(&certificates).expect("strings, numbers and lists are always JSON");
        files::write(path, &(text + "\n"))?;
    }
    let file = arguments.output.output.as_deref();
    let text = if is_json {
        render::json::report(&report)
    } else {
        let color = output::findings_have_color(arguments.output.color, file.is_some());
        let options = TerminalOptions { color, verbose: arguments.verbose, width: output::width() };
        let local = files::LocalSources::near(sources.iter().map(|(_, path)| path.as_path()));
        render::terminal::report(&report, &options, &local)
    };
    output::findings(&text, file)?;
    let code = report.exit_code();
    // The process ends here: taking large graphs apart piece by piece first would be time for nothing.
    std::mem::forget((report, graphs));
    Ok(code)
}

fn load_policy(arguments: &CheckArguments) -> Result<Loaded, Failure> {
    if !arguments.source.is_empty() {
        let parse = |texts: &[String]| -> Result<Vec<Selector>, Failure> {
            texts.iter().map(|text| Selector::parse(text).map_err(|error| Failure::new(error.to_string()))).collect()
        };
        let within = arguments.within.map(|within| match within {
            WithinArgument::Step => Within::Step,
            WithinArgument::Run => Within::Run,
        });
        let assume = arguments.assume.clone();
        let bounds = Bounds { max_channel: arguments.max_channel, max_bits_per_step: arguments.max_bits };
        let data = parse(&arguments.data)?;
        let policy = FlowPolicy::from_flags(parse(&arguments.source)?, parse(&arguments.sink)?, within, assume);
        let policy = policy.and_then(|policy| policy.with_bounds(bounds)).and_then(|policy| policy.with_data(data));
        let mut policy = policy.map_err(|error| Failure::new(with_help(&error)))?;
        for text in &arguments.carried {
            let (output, input) = text.split_once('=').ok_or_else(|| {
                Failure::new(format!("--carried `{text}`: expected OUTPUT=INPUT, such as result.0=params"))
            })?;
            let input = (input.trim() != "terminal").then(|| PytreePath::parse(input.trim()));
            policy = policy.carry(PytreePath::parse(output.trim()), input);
        }
        return Ok(Loaded { policy, text: None });
    }
    let path = match &arguments.policy {
        Some(path) => path.clone(),
        None if Path::new(DEFAULT_POLICY).is_file() => {
            output::note(&format!("note: using the policy {DEFAULT_POLICY}"));
            DEFAULT_POLICY.into()
        }
        None => {
            return Err(Failure::new(format!(
                "nothing says what to check: give --source and --sink, or --policy, or write {DEFAULT_POLICY}\n\n  \
                 openloop check step.mlir --source scope:probe_reward --sink 'output:**.beliefs.**'\n  \
                 openloop init step.mlir -o {DEFAULT_POLICY}"
            )));
        }
    };
    let text = files::read_text(&path)?;
    let policy = FlowPolicy::parse(&text).map_err(|error| policy_failure(&error, &path, &text))?;
    Ok(Loaded { policy, text: Some((path, text)) })
}

fn with_help(error: &PolicyError) -> String {
    match &error.help {
        Some(help) => format!("{error}\nhelp: {help}"),
        None => error.to_string(),
    }
}

fn policy_failure(error: &PolicyError, path: &Path, text: &str) -> Failure {
    let Some(span) = error.span.clone() else { return Failure::new(with_help(error)) };
    let file = path.display().to_string();
    let (title, help) = ("this policy cannot be used", error.help.as_deref());
    Failure::rendered(input_error(title, &file, text, span, &error.message, help, output::errors_have_color()))
}

/// The graphs to check: those that the policy names, or the file of the command line.
fn graph_files(arguments: &CheckArguments, loaded: &Loaded) -> Result<Vec<(Option<String>, PathBuf)>, Failure> {
    let named = loaded.policy.graphs();
    match (&arguments.file, named) {
        (Some(_), [_, ..]) => {
            Err(Failure::new("the policy names its graphs, [[graph]], and a file was given too: give one or the other"))
        }
        (Some(file), []) => Ok(vec![(None, file.clone())]),
        (None, []) => Err(Failure::new(
            "no file was given: openloop check step.mlir .. (or a policy that names its graphs, [[graph]])",
        )),
        (None, graphs) => {
            let folder = loaded.text.as_ref().and_then(|(path, _)| path.parent()).unwrap_or(Path::new(""));
            Ok(graphs.iter().map(|graph| (Some(graph.name.clone()), folder.join(&graph.file))).collect())
        }
    }
}

fn today(arguments: &CheckArguments) -> Result<Date, Failure> {
    match &arguments.today {
        Some(text) => {
            Date::parse(text).ok_or_else(|| Failure::new(format!("--today `{text}` is no day: write it as 2027-01-31")))
        }
        None => {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            Ok(Date::from_unix_seconds(since.map_or(0, |since| since.as_secs())))
        }
    }
}

fn explain(error: ReportError, loaded: &Loaded) -> Failure {
    match error {
        ReportError::Policy(error) => match &loaded.text {
            Some((path, text)) => policy_failure(&error, path, text),
            None => Failure::new(with_help(&error)),
        },
        ReportError::Pairing { graph, error } => {
            let mut message = format!("{graph}: {error}");
            if let PairingError::Ambiguous { input, candidates } = &error {
                message.push_str("\nhelp: say which, or look at one step only (--within step)\n");
                let in_policy = loaded.text.is_some();
                if in_policy {
                    message.push_str("\n  [carried]\n");
                }
                for candidate in candidates {
                    message.push_str(&match in_policy {
                        true => format!("  \"{candidate}\" = \"{input}\"\n"),
                        false => format!("  --carried {candidate}={input}\n"),
                    });
                }
            }
            Failure::new(message)
        }
    }
}
