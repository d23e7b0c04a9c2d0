//! Files of several modules: a line that begins with `// -----` ends one and begins the next, as
//! `stablehlo-translate --split-input-file` has it.

use std::ops::Range;

use super::{CaptureError, read, stablehlo};
use crate::graph::TrainingGraph;

const DIVIDER: &str = "// -----";

/// One module of a file.
#[derive(Debug)]
pub struct Part<'t> {
    /// Its text.
    pub text: &'t [u8],
    /// What it holds, or why it cannot be read.
    pub graph: Result<TrainingGraph, CaptureError>,
}

/// Reads a file that may hold several modules. Parts without one, which hold comments only, are left out. Places are those
/// of the file. A file without a divider is one part.
pub fn read_parts(bytes: &[u8]) -> Vec<Part<'_>> {
    let whole = || vec![Part { text: bytes, graph: read(bytes) }];
    let Ok(text) = std::str::from_utf8(bytes) else { return whole() };
    let dividers = lines(text).filter(|line| text[line.clone()].starts_with(DIVIDER)).collect::<Vec<_>>();
    if dividers.is_empty() {
        return whole();
    }
    let starts = std::iter::once(0).chain(dividers.iter().map(|line| line.end));
    let ends = dividers.iter().map(|line| line.start).chain([text.len()]);
    let has_module = |part: &Range<usize>| {
        lines(&text[part.clone()]).any(|line| {
            let line = text[part.start..][line].trim();
            !line.is_empty() && !line.starts_with("//")
        })
    };
    let parts: Vec<_> = starts.zip(ends).map(|(start, end)| start..end).filter(has_module).collect();
    if parts.is_empty() {
        return whole();
    }
    let mut line = 1;
    let mut counted = 0;
    let read_part = |part: Range<usize>| {
        line += text[counted..part.start].bytes().filter(|&byte| byte == b'\n').count() as u32;
        counted = part.start;
        Part { text: &bytes[part.clone()], graph: stablehlo::read_from(&text[..part.end], part.start, line) }
    };
    parts.into_iter().map(read_part).collect()
}

/// Where the lines of a text are, with what ends them.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = std::mem::replace(at, *at + line.len());
        Some(start..*at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str =
        "// what is in here\n// -----\n\nfunc.func @f() {\n  return\n}\n// -----\nfunc.func @g() {\n  no\n}\n";

    #[test]
    fn a_divider_ends_a_module_and_places_are_those_of_the_file() {
        let parts = read_parts(TWO.as_bytes());
        assert_eq!(parts.len(), 2);
        let graph = parts[0].graph.as_ref().expect("it is right");
        assert_eq!(&*graph.functions().iter().next().expect("a function").name, "f");
        assert_eq!(graph.operations().iter().next().expect("an operation").text_line, 5);
        let error = parts[1].graph.as_ref().expect_err("it is wrong");
        assert_eq!((error.line, error.column), (9, 3), "{error}");
    }

    #[test]
    fn a_file_without_a_divider_is_one_part() {
        for text in ["func.func @f() {\n  return // -----\n}\n", "no module"] {
            let parts = read_parts(text.as_bytes());
            assert_eq!(parts.len(), 1);
            assert_eq!(parts[0].graph.is_ok(), read(text.as_bytes()).is_ok());
        }
        assert!(read_parts(b"// -----\n// nothing\n")[0].graph.is_err());
        assert!(read_parts(b"\xff")[0].graph.is_err());
    }
}
