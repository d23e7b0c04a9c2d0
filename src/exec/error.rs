//! Why a graph cannot be run.

use std::fmt;

use crate::graph::{OperationId, TrainingGraph};

/// Why a graph cannot be run, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// What is wrong.
    pub message: String,
    /// The name of the operation, if it is about one.
    pub operation: Option<String>,
    /// Its line in the text that the graph was read from; 0 if there is none.
    pub text_line: u32,
    /// The user's own source line, if it is known.
    pub source: Option<String>,
}

/// What is said of loops that turn too often.
pub(super) const ENDLESS: &str = "the loops of this run turn more often than is allowed";

impl ExecError {
    /// Whether a run was ended since its loops turned too often.
    pub fn is_endless(&self) -> bool {
        self.message == ENDLESS
    }

    /// An error that is about no operation.
    pub(super) fn plain(message: impl Into<String>) -> Self {
        ExecError { message: message.into(), operation: None, text_line: 0, source: None }
    }

    /// An error at an operation.
    pub(super) fn at(graph: &TrainingGraph, id: OperationId, message: impl Into<String>) -> Self {
        let operation = graph.operation(id);
        let source = graph.user_place(operation.place).map(|place| format!("{}:{}", place.file, place.line));
        ExecError {
            message: message.into(),
            operation: Some(graph.operation_name(id).to_string()),
            text_line: operation.text_line,
            source,
        }
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.operation {
            write!(f, "{operation}")?;
            if self.text_line > 0 {
                write!(f, " in line {}", self.text_line)?;
            }
            if let Some(source) = &self.source {
                write!(f, " (from {source})")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExecError {}

impl From<super::kernels::Refused> for String {
    fn from(refused: super::kernels::Refused) -> Self {
        refused.reason
    }
}
