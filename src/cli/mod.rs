//! Floor 8: the command line. The only floor that prints or reads the disk.
//!
//! **Invariants.** Findings go to standard output, everything else to standard error. Exit codes: 0 all hold, 1 violated,
//! 2 usage, configuration, input or I/O, 3 vacuous or undetermined. Files are written whole or not at all.

mod arguments;
mod budget;
mod check;
mod files;
mod output;
mod question;
mod replay;
mod run;
mod scenarios;
mod show;
mod test;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::render::text::safe;
use arguments::{Arguments, Command};

/// What ends a run early: the message is already in the form in which a person reads it.
#[derive(Debug)]
struct Failure {
    message: String,
}

impl Failure {
    /// A message in plain words. It may quote an input, so whatever would act on a terminal is written out.
    fn new(message: impl AsRef<str>) -> Self {
        let lines: Vec<_> = message.as_ref().split('\n').map(safe).collect();
        Failure { message: lines.join("\n") }
    }

    /// A message that is rendered already: safe, and perhaps in colours.
    fn rendered(message: String) -> Self {
        Failure { message }
    }
}

type Outcome = Result<u8, Failure>;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _ = error.print();
            return ExitCode::from(if is_answer { 0 } else { 2 });
        }
    };
    output::choose_colors(&arguments.command);
    let outcome = match arguments.command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Inspect(arguments) => show::inspect(&arguments),
        Command::Init(arguments) => show::init(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Budget(arguments) => budget::budget(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Scenarios(arguments) => scenarios::scenarios(&arguments),
        Command::Explain(arguments) => show::explain(&arguments),
        Command::Completions(arguments) => show::completions(&arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::error(&failure.message);
            ExitCode::from(2)
        }
    }
}
