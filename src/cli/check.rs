//! `openloop check`.

use super::arguments::{CheckArguments, Format};
use super::question::{Loaded, explain, graph_files, load_policy, read_graphs, selectors};
use super::{Failure, Outcome, files, output, test};
use crate::policy::Date;
use crate::render::{self, TerminalOptions};
use crate::report::{NamedGraph, run};
use crate::verdict::Bounds;

pub(super) fn check(arguments: &CheckArguments) -> Outcome {
    if arguments.certificate.is_some() && arguments.certificate == arguments.output.output {
        return Err(Failure::new("--output and --certificate name one file"));
    }
    let loaded = load_bounded(arguments)?;
    let today = today(arguments)?;
    let sources = graph_files(arguments.file.as_ref(), &loaded)?;
    let graphs = read_graphs(&sources)?;
    let named: Vec<NamedGraph<'_>> =
        graphs.iter().map(|(name, file, graph)| NamedGraph { name, file, graph }).collect();
    let is_json = arguments.output.format == Format::Json;
    let with_certificates = is_json || arguments.certificate.is_some();
    let mut report = run(&named, &loaded.policy, today, with_certificates).map_err(|error| explain(error, &loaded))?;
    if let Some(cases) = arguments.confirm {
        test::confirm(&mut report, &graphs, &loaded.policy, cases);
    }
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

/// The policy, with the bounds and the data that only a check asks for.
fn load_bounded(arguments: &CheckArguments) -> Result<Loaded, Failure> {
    let Loaded { mut policy, text } = load_policy(&arguments.question)?;
    if !arguments.question.source.is_empty() {
        let bounds = Bounds { max_channel: arguments.max_channel, max_bits_per_step: arguments.max_bits };
        let data = selectors(&arguments.data)?;
        let bounded = policy.with_bounds(bounds).and_then(|policy| policy.with_data(data));
        policy = bounded.map_err(|error| Failure::new(super::question::with_help(&error)))?;
    }
    Ok(Loaded { policy, text })
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
