//! One operation: results, name, operands, attributes, types, location.

use crate::graph::{FunctionHeader, OperationFooter, OperationHeader, OperationKind, dictionary};

use super::attributes::Entries;
use super::body::{Form, Open};
use super::*;

impl<'a> Reader<'a> {
    /// `%0, %1:2 =`, if it comes next. The names are kept until the operation has been read: its own regions
    /// cannot use its results. Gives how many results are named.
    pub(super) fn result_names(&mut self) -> Read<usize> {
        self.scratch.result_names.clear();
        let mut count = 0usize;
        if self.cursor.peek() != b'%' {
            return Ok(0);
        }
        loop {
            let start = self.cursor.at;
            self.cursor.expect("%")?;
            let name = self.cursor.suffix();
            if name.is_empty() {
                return Err(self.cursor.expected("a name after `%`"));
            }
            let mut width = 1;
            if self.cursor.byte() == b':' {
                self.cursor.at += 1;
                width = match usize::try_from(self.cursor.integer()?) {
                    Ok(width @ 1..=1_000_000) => width,
                    _ => return Err(self.cursor.error_from(start, "a pack of results has 1 to 1,000,000 of them")),
                };
            }
            self.scratch.result_names.push((name, width));
            count += width;
            if self.cursor.eat("=") {
                return Ok(count);
            }
            if !self.cursor.eat(",") {
                return Err(self.cursor.expected("`,` or `=`"));
            }
        }
    }

    /// Makes the names of an operation stand for its results.
    pub(super) fn define_results(&mut self, names: &[(&'a str, usize)], results: Pack, start: usize) -> Read<()> {
        let mut at = results.positions().start;
        for &(name, width) in names {
            self.define(name, IdRange::new(at, at + width), start)?;
            at += width;
        }
        Ok(())
    }

    pub(super) fn define(&mut self, name: &'a str, values: Pack, start: usize) -> Read<()> {
        if !self.names.define(name, values) {
            return Err(self.cursor.error_from(start, format!("`%{name}` is defined twice")));
        }
        Ok(())
    }

    /// `%name` or `%name#1`.
    #[inline]
    pub(super) fn operand(&mut self) -> Read<ValueId> {
        self.cursor.expect("%")?;
        let start = self.cursor.at - 1;
        let name = self.cursor.suffix();
        let Some(pack) = self.names.get(name) else {
            let mut error = self.cursor.error_from(start, format!("`%{name}` is not defined here"));
            error.help = Some("a value is defined above its use, in the same region or one around it".into());
            return Err(error);
        };
        let position = if self.cursor.byte() == b'#' {
            self.cursor.at += 1;
            self.cursor.integer()?
        } else {
            0
        };
        let value = usize::try_from(position).ok().and_then(|position| pack.get(position));
        value.ok_or_else(|| {
            let message = format!("`%{name}` stands for {} values; there is no #{position}", pack.len());
            self.cursor.error_from(start, message)
        })
    }

    /// `(%a, %b)`: appends to the operands.
    pub(super) fn operands_in_parentheses(&mut self) -> Read<()> {
        self.cursor.expect("(")?;
        if self.cursor.eat(")") {
            return Ok(());
        }
        loop {
            let operand = self.operand()?;
            self.scratch.operands.push(operand);
            if !self.cursor.eat(",") {
                return self.cursor.expect(")");
            }
        }
    }

    /// One operation in a region. One with regions is left open: [`Open`] says how it goes on.
    pub(super) fn operation(&mut self) -> Read<Option<Open<'a>>> {
        let start = {
            self.cursor.skip();
            self.cursor.at
        };
        let results = self.result_names()?;
        self.scratch.operands.clear();
        self.scratch.operand_types.clear();
        self.scratch.result_types.clear();
        self.scratch.entries.clear();
        if self.cursor.peek() == b'"' {
            let name = self.cursor.raw_string()?;
            return self.generic(start, name, OperationKind::from_name(name), results);
        }
        let Some(name) = self.cursor.operation_name() else {
            return Err(self.cursor.expected("an operation or `}`"));
        };
        let name = match name {
            "call" => "func.call",
            "return" => "func.return",
            name => name,
        };
        self.pretty(start, name, results)
    }

    /// `"name"(%a) <{..}> ({..}) {..} : (T) -> R loc(..)`, after the name.
    fn generic(&mut self, start: usize, name: &'a str, kind: OperationKind, results: usize) -> Read<Option<Open<'a>>> {
        self.operands_in_parentheses()?;
        if self.cursor.peek() == b'[' {
            return Err(self.several_blocks());
        }
        if self.cursor.eat("<") {
            self.own_dictionary()?;
            self.cursor.expect(">")?;
        }
        if self.cursor.eat("(") {
            let open = self.open_operation(start, name, kind, results, Form::Generic)?;
            return Ok(Some(open));
        }
        self.after_regions(name)?;
        if self.scratch.result_types.len() != results {
            return Err(self.wrong_result_count(start, name, results));
        }
        self.close_simple(start, name, kind)?;
        Ok(None)
    }

    /// `{..}`, into the attributes of the operation that is being read.
    pub(super) fn own_dictionary(&mut self) -> Read<()> {
        let mut entries = std::mem::take(&mut self.scratch.entries);
        let read = self.dictionary(&mut entries);
        self.scratch.entries = entries;
        read
    }

    pub(super) fn several_blocks(&mut self) -> ReadError {
        let mut error = self.cursor.error("regions of several blocks are not supported");
        error.help = Some("a lowered JAX step has one block in each region".into());
        error
    }

    pub(super) fn wrong_result_count(&self, start: usize, name: &str, named: usize) -> ReadError {
        let typed = self.scratch.result_types.len();
        self.cursor.error_from(start, format!("`{name}` names {named} results, but its type has {typed}"))
    }

    /// `{..} : (T) -> R`, the end of the generic form; checks the operands.
    pub(super) fn after_regions(&mut self, name: &str) -> Read<()> {
        if self.cursor.peek() == b'{' {
            self.own_dictionary()?;
        }
        self.cursor.expect(":")?;
        let start = self.cursor.at;
        let mut operand_types = std::mem::take(&mut self.scratch.operand_types);
        let mut result_types = std::mem::take(&mut self.scratch.result_types);
        operand_types.clear();
        self.function_type(&mut operand_types, &mut result_types)?;
        self.scratch.operand_types = operand_types;
        self.scratch.result_types = result_types;
        self.check_operand_types(start, name)
    }

    /// Operands have the types that the text says.
    pub(super) fn check_operand_types(&self, start: usize, name: &str) -> Read<()> {
        let Scratch { operands, operand_types, .. } = &self.scratch;
        if operands.len() != operand_types.len() {
            let message = format!("`{name}` has {} operands, but its type has {}", operands.len(), operand_types.len());
            return Err(self.cursor.error_from(start, message));
        }
        for (position, (operand, expected)) in operands.iter().zip(operand_types).enumerate() {
            let found = self.builder.value_type(*operand);
            if found != *expected {
                let (found, expected) = (self.builder.type_text(found), self.builder.type_text(*expected));
                let message = format!("operand {position} of `{name}` has type `{found}`, but is used as `{expected}`");
                return Err(self.cursor.error_from(start, message));
            }
        }
        Ok(())
    }

    /// The attributes that were read, in the form of the graph.
    pub(super) fn attributes(&mut self, kind: OperationKind) -> AttributesId {
        if self.scratch.entries.is_empty() {
            return self.builder.no_attributes();
        }
        let mut entries = std::mem::take(&mut self.scratch.entries);
        pretty::drop_defaults(kind, &mut entries);
        self.builder.attributes(dictionary(entries))
    }

    /// Builds an operation without regions from what was read, and reads its location.
    pub(super) fn close_simple(&mut self, start: usize, name: &str, kind: OperationKind) -> Read<()> {
        let callee = callee(kind, &self.scratch.entries);
        let attributes = self.attributes(kind);
        self.close_with(start, name, kind, attributes, callee.as_deref())
    }

    pub(super) fn close_with(
        &mut self,
        start: usize,
        name: &str,
        kind: OperationKind,
        attributes: AttributesId,
        callee: Option<&str>,
    ) -> Read<()> {
        if let Some(callee) = callee
            && self.declared.iter().any(|declared| **declared == *callee)
        {
            let mut error = self.cursor.error_from(start, format!("function @{callee} has no body"));
            error.help = Some("openloop needs the whole module".into());
            return Err(error);
        }
        let text_line = self.line_of(start);
        let header = OperationHeader {
            name,
            operands: &self.scratch.operands,
            results: self.scratch.result_types.len(),
            text_line,
        };
        let begun = self.builder.begin_operation_of_kind(kind, header);
        let results = begun.map_err(|error| self.build_error(start, error))?;
        let footer = OperationFooter {
            result_types: &self.scratch.result_types,
            attributes,
            callee,
            place: self.builder.no_place(),
            scope: self.builder.no_scope(),
        };
        self.builder.end_operation(footer).map_err(|error| self.build_error(start, error))?;
        let location = self.trailing_location()?;
        self.operation_locations.push(location);
        let names = std::mem::take(&mut self.scratch.result_names);
        let defined = self.define_results(&names, results, start);
        self.scratch.result_names = names;
        defined
    }

    /// Opens an operation whose regions come next.
    pub(super) fn open_operation(
        &mut self,
        start: usize,
        name: &'a str,
        kind: OperationKind,
        results: usize,
        form: Form,
    ) -> Read<Open<'a>> {
        let text_line = self.line_of(start);
        let header = OperationHeader { name, operands: &self.scratch.operands, results, text_line };
        let begun = self.builder.begin_operation_of_kind(kind, header);
        let results = begun.map_err(|error| self.build_error(start, error))?;
        self.operation_locations.push(Location::UNKNOWN);
        Ok(Open {
            start,
            name,
            kind,
            form,
            results,
            position: self.operation_locations.len() - 1,
            result_names: self.scratch.result_names.clone(),
            operands: self.scratch.operands.clone(),
            entries: std::mem::take(&mut self.scratch.entries),
            result_types: std::mem::take(&mut self.scratch.result_types),
            names_before: self.names.count(),
            argument_names: Vec::new(),
        })
    }

    /// Closes an operation after its last region and its type.
    pub(super) fn close_operation(&mut self, open: Open<'a>) -> Read<()> {
        let kind = open.kind;
        self.scratch.entries = open.entries;
        let callee = callee(kind, &self.scratch.entries);
        let attributes = self.attributes(kind);
        let footer = OperationFooter {
            result_types: &open.result_types,
            attributes,
            callee: callee.as_deref(),
            place: self.builder.no_place(),
            scope: self.builder.no_scope(),
        };
        self.builder.end_operation(footer).map_err(|error| self.build_error(open.start, error))?;
        let location = self.trailing_location()?;
        self.operation_locations[open.position] = location;
        self.define_results(&open.result_names, open.results, open.start)
    }

    /// Opens a function; gives its inputs.
    pub(super) fn open_function(&mut self, start: usize, header: FunctionHeader) -> Read<Pack> {
        self.builder.begin_function(header).map_err(|error| self.build_error(start, error))
    }
}

/// The function that an operation calls.
fn callee(kind: OperationKind, entries: &Entries) -> Option<Box<str>> {
    let name = match kind {
        OperationKind::Call => "callee",
        OperationKind::Composite => "decomposition",
        _ => return None,
    };
    let (_, value) = entries.iter().find(|(key, _)| **key == *name)?;
    match value {
        Attribute::Symbol(name) => Some(name.clone()),
        _ => None,
    }
}
