//! Printing. The only place that does.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the project prints")]

use std::io::Write;
use std::path::Path;

use anstream::{AutoStream, ColorChoice};

use super::arguments::{Color, Command};
use super::{Failure, files};

/// Whether a stream gets colours.
fn has_color(color: Color, automatic: impl FnOnce() -> ColorChoice) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => automatic() != ColorChoice::Never,
    }
}

/// Whether what is found is shown in colours: never in a file, unless somebody asks.
pub(super) fn findings_have_color(color: Color, to_file: bool) -> bool {
    has_color(color, || if to_file { ColorChoice::Never } else { AutoStream::choice(&std::io::stdout()) })
}

/// What `--color` says holds for messages on standard error too.
pub(super) fn choose_colors(command: &Command) {
    let color = match command {
        Command::Check(arguments) => arguments.output.color,
        Command::Inspect(arguments) => arguments.output.color,
        Command::Test(arguments) => arguments.output.color,
        Command::Replay(arguments) => arguments.output.color,
        Command::Scenarios(arguments) => arguments.output.color,
        _ => Color::Auto,
    };
    match color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
}

/// Whether messages on standard error are shown in colours.
pub(super) fn errors_have_color() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// How wide a page is: what the terminal says, 100 where there is none.
pub(super) fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    said.or_else(asked).unwrap_or(100).clamp(60, 140)
}

/// Prints what was found, or writes it to a file.
pub(super) fn findings(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    if let Some(file) = file {
        return files::write(file, text);
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        // The reader had enough: `openloop check .. | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(format!("cannot write to standard output: {error}"))),
    }
}

/// A message on standard error that is no finding.
pub(super) fn note(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}

/// Why a run ended early.
pub(super) fn error(message: &str) {
    let message = message.trim_end();
    let has_head = message.starts_with("error") || message.starts_with("\u{1b}");
    let head = if has_head { "" } else { "error: " };
    let _ = writeln!(std::io::stderr().lock(), "{head}{message}");
}

/// A line on standard error that is written over until it is cleared; nothing where that is no terminal.
pub(super) struct ProgressLine {
    last: Option<std::time::Instant>,
    is_terminal: bool,
}

impl ProgressLine {
    pub fn new() -> Self {
        use std::io::IsTerminal;
        ProgressLine { last: None, is_terminal: std::io::stderr().is_terminal() }
    }

    /// Shows a text, but not more often than an eye follows.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
        if self.is_terminal && self.last.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.last = Some(std::time::Instant::now());
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\u{1b}[K{}", text()).and_then(|()| out.flush());
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.last.is_some() {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
        }
    }
}
