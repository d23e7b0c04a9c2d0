//! What is asked on the command line: a policy or flags, and the graphs.

use std::path::{Path, PathBuf};

use super::arguments::{QuestionArguments, WithinArgument};
use super::{Failure, files, output};
use crate::graph::{PairingError, PytreePath, TrainingGraph};
use crate::policy::{FlowPolicy, PolicyError, Selector};
use crate::render::input_error;
use crate::report::ReportError;
use crate::verdict::Within;

/// The policy that is used where none is named.
const DEFAULT_POLICY: &str = "openloop.toml";

pub(super) struct Loaded {
    pub policy: FlowPolicy,
    /// File and text, for errors that point into it.
    pub text: Option<(PathBuf, String)>,
}

/// A graph, with the name that a policy calls it by and its file.
pub(super) type ReadGraph = (String, String, TrainingGraph);

/// The graphs in files; one without a name is called as its module is.
pub(super) fn read_graphs(sources: &[(Option<String>, PathBuf)]) -> Result<Vec<ReadGraph>, Failure> {
    let read = |(name, path): &(Option<String>, PathBuf)| {
        let graph = files::read_graph(path)?;
        let name = name.clone().unwrap_or_else(|| graph.name().to_string());
        Ok((name, path.display().to_string(), graph))
    };
    sources.iter().map(read).collect()
}

/// Selectors of the command line.
pub(super) fn selectors(texts: &[String]) -> Result<Vec<Selector>, Failure> {
    texts.iter().map(|text| Selector::parse(text).map_err(|error| Failure::new(error.to_string()))).collect()
}

pub(super) fn load_policy(arguments: &QuestionArguments) -> Result<Loaded, Failure> {
    if !arguments.source.is_empty() {
        let within = arguments.within.map(|within| match within {
            WithinArgument::Step => Within::Step,
            WithinArgument::Run => Within::Run,
        });
        let assume = arguments.assume.clone();
        let (source, sink) = (selectors(&arguments.source)?, selectors(&arguments.sink)?);
        let policy = FlowPolicy::from_flags(source, sink, within, assume);
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

pub(super) fn with_help(error: &PolicyError) -> String {
    match &error.help {
        Some(help) => format!("{error}\nhelp: {help}"),
        None => error.to_string(),
    }
}

pub(super) fn policy_failure(error: &PolicyError, path: &Path, text: &str) -> Failure {
    let Some(span) = error.span.clone() else { return Failure::new(with_help(error)) };
    let file = path.display().to_string();
    let (title, help) = ("this policy cannot be used", error.help.as_deref());
    Failure::rendered(input_error(title, &file, text, span, &error.message, help, output::errors_have_color()))
}

/// The graphs to check: those that the policy names, or the file of the command line.
pub(super) fn graph_files(file: Option<&PathBuf>, loaded: &Loaded) -> Result<Vec<(Option<String>, PathBuf)>, Failure> {
    let named = loaded.policy.graphs();
    match (file, named) {
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

pub(super) fn explain(error: ReportError, loaded: &Loaded) -> Failure {
    match error {
        ReportError::Policy(error) => match &loaded.text {
            Some((path, text)) => policy_failure(&error, path, text),
            None => Failure::new(with_help(&error)),
        },
        ReportError::Pairing { graph, error } => unclear_pairs(&graph, &error, loaded),
    }
}

/// What to say where it is not clear what is carried.
pub(super) fn unclear_pairs(graph: &str, error: &PairingError, loaded: &Loaded) -> Failure {
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
