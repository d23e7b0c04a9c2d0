//! Floor 3: from a file of a real format to a [`TrainingGraph`].
//!
//! **Invariants.** One folder for each format; none knows another. Reading never panics, never recurs on the depth of
//! its input beyond a fixed limit, and what it does not understand is an error that names line and column, or an
//! operation that is kept as unknown. It says nothing about flow.

mod parts;
mod stablehlo;

use std::fmt;
use std::ops::Range;

use crate::graph::{GraphBuilder, GraphFileError, TrainingGraph, TypeId};

pub use parts::{Part, read_parts};
pub use stablehlo::LARGEST_DEPTH;

/// Why a file cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureError {
    /// What is wrong: what was found, what was expected.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where, in bytes; none if it concerns the whole file.
    pub span: Option<Range<usize>>,
    /// Where, counted from 1; 0 if it concerns the whole file.
    pub line: usize,
    /// Where, in characters counted from 1; 0 if it concerns the whole file.
    pub column: usize,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CaptureError {}

impl CaptureError {
    fn whole_file(message: impl Into<String>, help: Option<&str>) -> Self {
        CaptureError { message: message.into(), help: help.map(Into::into), span: None, line: 0, column: 0 }
    }

    fn at(text: &str, span: Range<usize>, message: String, help: Option<String>) -> Self {
        let start = span.start.min(text.len());
        let before = &text.as_bytes()[..start];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |position| position + 1);
        // A character starts at every byte that does not continue one.
        let column = before[line_start..].iter().filter(|&&byte| byte & 0xc0 != 0x80).count() + 1;
        CaptureError { message, help, span: Some(span), line, column }
    }
}

/// How a user of JAX gets text out of a step.
const HOW_TO_PRINT: &str = "print text with `jax.jit(step).lower(*args).as_text(debug_info=True)`";

/// Reads a training step: StableHLO text in the pretty or the generic form, or the JSON form of a graph.
pub fn read(bytes: &[u8]) -> Result<TrainingGraph, CaptureError> {
    if bytes.starts_with(b"ML\xefR") {
        return Err(CaptureError::whole_file(
            "this is StableHLO portable bytecode; openloop reads text",
            Some(
                "in Python: `import jaxlib.mlir.ir as ir; from jax._src.interpreters import mlir; \
                 open('step.mlir', 'w').write(ir.Module.parse(open('step.mlirbc', 'rb').read(), \
                 mlir.make_ir_context()).operation.get_asm(enable_debug_info=True))`",
            ),
        ));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let valid = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
            let message = format!("byte {:#04x} is not UTF-8 text", bytes[at]);
            return Err(CaptureError::at(valid, at..at, message, Some(HOW_TO_PRINT.into())));
        }
    };
    match text.trim_start().as_bytes().first() {
        None => Err(CaptureError::whole_file("the file is empty", Some(HOW_TO_PRINT))),
        Some(b'{') if !text.trim_start().starts_with("{-#") => read_json(text),
        Some(_) => stablehlo::read(text),
    }
}

/// Reads the JSON form of a graph.
fn read_json(text: &str) -> Result<TrainingGraph, CaptureError> {
    TrainingGraph::from_json(text, &mut |builder, text| read_type(builder, text)).map_err(|error| match error {
        GraphFileError::Syntax(error) => {
            let line_start: usize = text.split_inclusive('\n').take(error.line().max(1) - 1).map(str::len).sum();
            let at = (line_start + error.column().max(1) - 1).min(text.len());
            CaptureError::at(text, at..at, format!("not the JSON form of a graph: {error}"), None)
        }
        other => CaptureError::whole_file(format!("not a valid graph: {other}"), None),
    })
}

/// Reads a type as MLIR writes it: `tensor<2x3xf32>`.
pub fn read_type(builder: &mut GraphBuilder, text: &str) -> Option<TypeId> {
    stablehlo::read_type(builder, text)
}
