//! StableHLO text, as JAX and `stablehlo-opt` print it: the pretty form, the generic form, and one inside the other;
//! with and without locations.
//!
//! Source: StableHLO specification, MLIR language reference, and what MLIR's own printer writes (`fixtures/zoo`, see
//! `PRETTY_FORMS.md` there). Both forms of one step give equal graphs: attributes are brought to the names and
//! values of the generic form, and attributes that have their default value are left out, since the pretty form
//! does not print them.
//!
//! Read `operation.rs` first (how one operation is read), then `body.rs` (how regions, functions and the module
//! nest, with a stack of its own), `pretty.rs` (what each piece of the pretty syntax means).

mod attributes;
mod body;
mod cursor;
mod expectation;
mod function;
mod locations;
mod names;
mod operation;
mod pretty;
mod types;

use rustc_hash::FxHashMap;

use crate::graph::{
    Attribute, AttributesId, GraphBuilder, OperationId, OperationKind, PytreePath, TrainingGraph, TypeId, ValueId,
};
use crate::index::{Id, IdRange};

use super::CaptureError;
use cursor::{Cursor, Read, ReadError};
use locations::{Location, Locations};
use names::Names;

/// Attributes, types and locations may nest this deep; regions as deep as memory allows.
pub const LARGEST_DEPTH: usize = 100;

/// The values that a name stands for: one, or a pack that is used as `%0#1`.
type Pack = IdRange<ValueId>;

struct Reader<'a> {
    cursor: Cursor<'a>,
    builder: GraphBuilder,
    types_by_text: FxHashMap<&'a str, TypeId>,
    type_aliases: FxHashMap<&'a str, &'a str>,
    attribute_aliases: FxHashMap<&'a str, &'a str>,
    /// Constants by their text: a step has thousands, of few kinds.
    constants_by_text: FxHashMap<&'a str, (AttributesId, TypeId)>,
    /// Attributes that follow the operands, by operation and text, for the same reason.
    attributes_by_text: FxHashMap<(OperationKind, &'a str), AttributesId>,
    locations: Locations<'a>,
    /// Location of each operation, by position.
    operation_locations: Vec<Location>,
    /// Positions of reduces whose body is one operation, as the pretty form prints with `applies`.
    compact_reduces: Vec<usize>,
    /// Location and attribute name of each input of each function, in order.
    input_names: Vec<Vec<(Location, Option<Box<str>>)>>,
    /// What the names in sight stand for.
    names: Names<'a>,
    /// Functions that are declared and have no body.
    declared: Vec<Box<str>>,
    /// Where line counting stands: position, and the line there.
    counted: (usize, u32),
    scratch: Scratch<'a>,
}

/// Lists that are filled and emptied for each operation, kept to save their memory.
#[derive(Default)]
struct Scratch<'a> {
    operands: Vec<ValueId>,
    operand_types: Vec<TypeId>,
    result_types: Vec<TypeId>,
    entries: attributes::Entries,
    result_names: Vec<(&'a str, usize)>,
}

/// Reads a module.
pub(super) fn read(text: &str) -> Result<TrainingGraph, CaptureError> {
    read_from(text, 0, 1)
}

/// Reads a module that begins at a byte, which is in a line.
pub(super) fn read_from(text: &str, start: usize, line: u32) -> Result<TrainingGraph, CaptureError> {
    let mut reader = Reader {
        cursor: Cursor { text, at: start },
        builder: GraphBuilder::new(""),
        types_by_text: FxHashMap::default(),
        type_aliases: FxHashMap::default(),
        attribute_aliases: FxHashMap::default(),
        constants_by_text: FxHashMap::default(),
        attributes_by_text: FxHashMap::default(),
        locations: Locations::new(),
        operation_locations: Vec::new(),
        compact_reduces: Vec::new(),
        input_names: Vec::new(),
        names: Names::default(),
        declared: Vec::new(),
        counted: (start, line),
        scratch: Scratch::default(),
    };
    // About one operation in a hundred bytes; what is too little grows, what is too much is not touched.
    reader.builder.reserve((text.len() - start) / 128);
    reader.operation_locations.reserve((text.len() - start) / 128);
    reader.file().map_err(|error| error.into_capture_error(text))?;
    reader.resolve_locations();
    reader.builder.finish().map_err(|error| {
        let help = matches!(error, crate::graph::BuildError::NoSuchFunction(_))
            .then(|| "openloop needs the whole module; is the file cut off?".to_string());
        CaptureError::whole_file(error.to_string(), help.as_deref())
    })
}

/// Reads a type.
pub(super) fn read_type(builder: &mut GraphBuilder, text: &str) -> Option<TypeId> {
    types::parse_type(builder, text, 0).ok()
}

impl<'a> Reader<'a> {
    /// The line of a position at or after the last one asked for.
    #[inline]
    fn line_of(&mut self, position: usize) -> u32 {
        let (from, line) = self.counted;
        if position >= from {
            let newlines = memchr::memchr_iter(b'\n', &self.cursor.text.as_bytes()[from..position]).count();
            self.counted = (position, line + newlines as u32);
        }
        self.counted.1
    }

    /// Puts places, scopes and input names where the text only had references.
    fn resolve_locations(&mut self) {
        // The pretty form does not print where the body of such a reduce stands, so that is no part of the graph, unless it
        // is in another scope: a source may begin there.
        for reduce in std::mem::take(&mut self.compact_reduces) {
            let location = self.operation_locations[reduce];
            let [own, inner] = [location, self.operation_locations[reduce + 1]]
                .map(|location| self.locations.origin(&mut self.builder, location).1);
            if own == inner || inner == self.builder.no_scope() {
                self.operation_locations[reduce + 1..reduce + 3].fill(location);
            }
        }
        for (position, location) in std::mem::take(&mut self.operation_locations).into_iter().enumerate() {
            if location != Location::UNKNOWN {
                let (place, scope) = self.locations.origin(&mut self.builder, location);
                self.builder.set_origin(OperationId::new(position), place, scope);
            }
        }
        for (function, inputs) in std::mem::take(&mut self.input_names).into_iter().enumerate() {
            let mut paths: Vec<PytreePath> = Vec::with_capacity(inputs.len());
            for (position, (location, attribute)) in inputs.into_iter().enumerate() {
                let name =
                    attribute.map(|name| String::from(name).into()).or_else(|| self.locations.outermost_name(location));
                let path = name.map(|name| PytreePath::parse(&name)).filter(|path| !path.segments().is_empty());
                paths.push(path.unwrap_or_else(|| PytreePath::new([format!("arg{position}")])));
            }
            tell_apart(&mut paths, "arg");
            self.builder.set_input_paths(crate::graph::FunctionId::new(function), paths);
        }
    }

    fn build_error(&self, start: usize, error: crate::graph::BuildError) -> ReadError {
        let line_end = self.cursor.text.as_bytes()[start..].iter().position(|&byte| byte == b'\n');
        let end = line_end.map_or(self.cursor.at.max(start), |length| start + length);
        ReadError { span: start..end, message: error.to_string(), help: None }
    }
}

/// Gives paths that occur twice another segment, with the position.
fn tell_apart(paths: &mut [PytreePath], prefix: &str) {
    loop {
        let mut seen = rustc_hash::FxHashSet::default();
        let again: Vec<usize> = (0..paths.len()).filter(|&position| !seen.insert(&paths[position])).collect();
        if again.is_empty() {
            return;
        }
        for position in again {
            let segments = paths[position].segments().iter().map(|segment| segment.to_string());
            paths[position] = PytreePath::new(segments.chain([format!("{prefix}{position}")]));
        }
    }
}
