//! What is wrong with a policy, and where.

use std::ops::Range;

use thiserror::Error;

/// Why a text is no policy.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}{message}", position(*line, *column))]
pub struct PolicyError {
    /// What was found and what was expected: one sentence.
    pub message: String,
    /// What to do, if that is known.
    pub help: Option<String>,
    /// Where in the text, in bytes. [`None`] for a policy that was made from flags.
    pub span: Option<Range<usize>>,
    /// Line, counted from 1; 0: none.
    pub line: usize,
    /// Column in characters, counted from 1; 0: none.
    pub column: usize,
}

fn position(line: usize, column: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

impl PolicyError {
    /// An error that has no place in a text.
    pub(super) fn nowhere(message: impl Into<String>) -> Self {
        PolicyError { message: message.into(), help: None, span: None, line: 0, column: 0 }
    }

    /// The same error, with its place.
    pub(super) fn at(self, origin: &Origin) -> Self {
        PolicyError { span: Some(origin.span.clone()), line: origin.line, column: origin.column, ..self }
    }

    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        PolicyError { help: Some(help.into()), ..self }
    }
}

/// A place in the text of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    span: Range<usize>,
    line: usize,
    column: usize,
}

impl Origin {
    pub(super) fn new(text: &str, span: Range<usize>) -> Self {
        let start = (0..=span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span,
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> PolicyError {
        PolicyError {
            message: message.into(),
            help: None,
            span: Some(self.span.clone()),
            line: self.line,
            column: self.column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_and_in_characters() {
        let text = "a = 1\n\"é\" = 2\n";
        let place = |at| {
            let error = Origin::new(text, at..at + 1).error("x");
            (error.line, error.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(6), (2, 1));
        assert_eq!(place(text.find("2").expect("the text has it")), (2, 7));
        assert_eq!(place(8), (2, 2)); // inside the é
        assert_eq!(place(999), (3, 1));
        assert_eq!(Origin::new(text, 6..7).error("no").to_string(), "line 2, column 1: no");
    }
}
