//! How regions, functions and the module nest. The nesting is kept on a stack of its own, so that the depth of the
//! text costs memory and never the call stack.

use crate::graph::{OperationKind, TypeId};

use super::attributes::Entries;
use super::*;

/// How an operation with regions is written, which says what follows the end of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `({..}, {..}) {attributes} : type`
    Generic,
    /// The condition of `while(..) cond {..} do {..}`.
    Condition,
    /// Its body.
    Body,
    /// `reducer(..) (..) {..}`: types and attributes came before.
    Reducer,
    /// `{..} : type` after one region.
    OneRegion,
    /// `applies operation`: the region is not written.
    Compact,
}

/// An operation whose regions are being read.
pub(super) struct Open<'a> {
    pub start: usize,
    pub name: &'a str,
    pub kind: OperationKind,
    pub form: Form,
    pub results: Pack,
    pub position: usize,
    pub result_names: Vec<(&'a str, usize)>,
    pub operands: Vec<ValueId>,
    pub entries: Entries,
    pub result_types: Vec<TypeId>,
    /// How many names were in sight before its regions.
    pub names_before: usize,
    /// The names that both regions of a while have for their arguments.
    pub argument_names: Vec<&'a str>,
}

/// What is open, outermost first.
pub(super) enum Level<'a> {
    /// The module; in the generic form it ends like an operation.
    Module { generic: bool },
    /// The module of a file that begins with a function: it is not written, and ends with the file.
    ImpliedModule,
    /// A function.
    Function { generic: bool, start: usize },
    /// A region of an operation.
    Operation(Open<'a>),
}

impl<'a> Reader<'a> {
    /// The whole file: aliases, the module, aliases, resources.
    pub(super) fn file(&mut self) -> Read<()> {
        let mut levels: Vec<Level<'a>> = Vec::new();
        let mut seen_module = false;
        loop {
            match (self.cursor.peek(), levels.last()) {
                (0, None) if self.cursor.is_at_end() => {
                    return if seen_module { Ok(()) } else { Err(self.cursor.expected("a module")) };
                }
                (0, Some(Level::ImpliedModule)) if self.cursor.is_at_end() => return Ok(()),
                (b'#' | b'!', None | Some(Level::ImpliedModule)) => self.alias_line()?,
                (b'{', None | Some(Level::ImpliedModule)) if self.cursor.text[self.cursor.at..].starts_with("{-#") => {
                    self.resources()?;
                }
                (_, None) if seen_module => return Err(self.cursor.expected("the end of the file")),
                (_, None) => {
                    seen_module = true;
                    levels.push(self.begin_module()?);
                }
                (_, Some(Level::Module { .. } | Level::ImpliedModule)) if self.cursor.byte() != b'}' => {
                    levels.extend(self.module_operation()?);
                }
                (b'}', Some(Level::ImpliedModule)) => return Err(self.cursor.expected("a function")),
                (b'}', Some(_)) => {
                    self.cursor.at += 1;
                    let level = levels.pop().expect("there is a level");
                    levels.extend(self.end_of_region(level)?);
                }
                (b'^', Some(_)) => return Err(self.several_blocks()),
                (_, Some(_)) => levels.extend(self.body_operation()?),
            }
        }
    }

    /// An operation in the body of a function or of an operation; gives the level that it opens, if it has regions.
    fn body_operation(&mut self) -> Read<Option<Level<'a>>> {
        if self.cursor.is_at_end() {
            let mut error = self.cursor.error("the file ends inside a region");
            error.help = Some("is the file cut off?".into());
            return Err(error);
        }
        let Some(open) = self.operation()? else { return Ok(None) };
        if open.form == Form::Compact {
            return self.end_of_operation_region(open);
        }
        Ok(Some(self.begin_region(open)?))
    }

    /// Opens the region that comes next. In the generic form its arguments are in a block label; the pretty forms
    /// have opened it already.
    fn begin_region(&mut self, open: Open<'a>) -> Read<Level<'a>> {
        if open.form == Form::Generic {
            self.cursor.expect("{")?;
            self.begin_labelled_region(open.start)?;
        }
        Ok(Level::Operation(open))
    }

    /// `^bb0(%a: T loc(..), ..):`, or nothing.
    pub(super) fn begin_labelled_region(&mut self, start: usize) -> Read<()> {
        let arguments = self.block_label()?;
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.1).collect();
        let values = self.builder.begin_region(&types).map_err(|error| self.build_error(start, error))?;
        for ((name, ..), value) in arguments.into_iter().zip(values.positions()) {
            self.define(name, IdRange::new(value, value + 1), start)?;
        }
        Ok(())
    }

    /// The arguments of a block label, if one comes next: name, type, location.
    pub(super) fn block_label(&mut self) -> Read<Vec<(&'a str, TypeId, Location)>> {
        let mut arguments = Vec::new();
        if !self.cursor.eat("^") {
            return Ok(arguments);
        }
        self.cursor.suffix();
        if self.cursor.eat("(") && !self.cursor.eat(")") {
            loop {
                arguments.push(self.block_argument()?);
                if !self.cursor.eat(",") {
                    self.cursor.expect(")")?;
                    break;
                }
            }
        }
        self.cursor.expect(":")?;
        Ok(arguments)
    }

    /// `%a: T loc(..)`.
    pub(super) fn block_argument(&mut self) -> Read<(&'a str, TypeId, Location)> {
        self.cursor.expect("%")?;
        let name = self.cursor.suffix();
        if name.is_empty() {
            return Err(self.cursor.expected("a name after `%`"));
        }
        self.cursor.expect(":")?;
        let r#type = self.r#type()?;
        let location = self.trailing_location()?;
        Ok((name, r#type, location))
    }

    /// Takes the names away that were defined since there were `count`.
    pub(super) fn forget_names(&mut self, count: usize) {
        self.names.forget(count);
    }

    /// What follows the `}` of a region; gives the level that is open again, if the operation has more regions.
    fn end_of_region(&mut self, level: Level<'a>) -> Read<Option<Level<'a>>> {
        match level {
            Level::Module { generic } => {
                if generic {
                    self.cursor.expect(")")?;
                    self.end_of_generic_container("builtin.module")?;
                }
                self.trailing_location()?;
                Ok(None)
            }
            Level::ImpliedModule => Ok(None),
            Level::Function { generic, start } => {
                self.builder.end_function().map_err(|error| self.build_error(start, error))?;
                self.forget_names(0);
                if generic {
                    self.cursor.expect(")")?;
                    self.end_of_generic_container("func.func")?;
                }
                self.trailing_location()?;
                Ok(None)
            }
            Level::Operation(open) => self.end_of_operation_region(open),
        }
    }

    /// `{..} : () -> ()` after the regions of a module or function.
    pub(super) fn end_of_generic_container(&mut self, name: &str) -> Read<()> {
        self.scratch.operands.clear();
        self.scratch.entries.clear();
        self.scratch.result_types.clear();
        self.after_regions(name)
    }

    fn end_of_operation_region(&mut self, mut open: Open<'a>) -> Read<Option<Level<'a>>> {
        self.builder.end_region().map_err(|error| self.build_error(open.start, error))?;
        self.forget_names(open.names_before);
        match open.form {
            Form::Generic if self.cursor.eat(",") => {
                self.cursor.expect("{")?;
                self.begin_labelled_region(open.start)?;
                return Ok(Some(Level::Operation(open)));
            }
            Form::Generic => {
                self.cursor.expect(")")?;
                self.read_type_after_regions(&mut open)?;
            }
            Form::Condition => {
                if !self.cursor.eat_word("do") {
                    return Err(self.cursor.expected("`do`"));
                }
                open.form = Form::Body;
                self.begin_while_region(&open)?;
                return Ok(Some(Level::Operation(open)));
            }
            Form::OneRegion => self.read_type_after_regions(&mut open)?,
            Form::Body | Form::Reducer | Form::Compact => {}
        }
        let (kind, position) = (open.kind, open.position);
        self.close_operation(open)?;
        if kind == OperationKind::Reduce && self.is_compact_reduce(position) {
            self.compact_reduces.push(position);
        }
        Ok(None)
    }

    /// Whether the pretty form would print the reduce at this position, the last one read, as `applies`.
    fn is_compact_reduce(&self, position: usize) -> bool {
        use crate::graph::OperationKind as Kind;
        let graph = self.builder.so_far();
        if self.operation_locations.len() != position + 3 {
            return false;
        }
        let reduce = crate::graph::OperationId::new(position);
        let inner = crate::graph::OperationId::new(position + 1);
        let commutes = matches!(
            graph.operation(inner).kind,
            Kind::Add | Kind::Multiply | Kind::Maximum | Kind::Minimum | Kind::And | Kind::Or | Kind::Xor
        );
        let region = graph.regions_of(reduce)[0];
        let arguments: Vec<ValueId> = graph.arguments(region).iter().collect();
        let results: Vec<ValueId> = graph.results(inner).iter().collect();
        commutes && arguments.len() == 2 && graph.operands(inner) == arguments && graph.yields(region) == results
    }

    /// `{..} : (T) -> R`, where regions came before.
    fn read_type_after_regions(&mut self, open: &mut Open<'a>) -> Read<()> {
        self.scratch.operands.clone_from(&open.operands);
        self.scratch.entries = std::mem::take(&mut open.entries);
        self.scratch.result_types.clear();
        self.after_regions(open.name)?;
        open.entries = std::mem::take(&mut self.scratch.entries);
        open.result_types.clone_from(&self.scratch.result_types);
        if open.result_types.len() != open.results.len() {
            return Err(self.wrong_result_count(open.start, open.name, open.results.len()));
        }
        Ok(())
    }
}
