//! The module, its functions, and what stands around it: aliases and resources.

use std::borrow::Cow;

use crate::graph::{Attribute, FunctionHeader, PytreePath, TypeId};

use super::attributes::Entries;
use super::body::Level;
use super::types::type_text;
use super::*;

/// The header of a function, from either form.
struct Header<'a> {
    name: Cow<'a, str>,
    public: bool,
    inputs: Vec<Input<'a>>,
    outputs: Vec<(TypeId, Option<Box<str>>)>,
}

struct Input<'a> {
    name: Option<&'a str>,
    r#type: TypeId,
    location: Location,
    attribute: Option<Box<str>>,
}

/// The string of an attribute, if it is there.
fn text_of(entries: &Entries, name: &str) -> Option<Box<str>> {
    let (_, value) = entries.iter().find(|(key, _)| **key == *name)?;
    value.as_text().map(Into::into)
}

/// The pytree path of an output: what JAX recorded, below the root `result`.
fn output_path(recorded: Option<&str>, position: usize, count: usize) -> PytreePath {
    let path = PytreePath::parse(recorded.unwrap_or_default());
    match path.root() {
        Some("result") => path,
        Some(_) => PytreePath::new(std::iter::once("result".into()).chain(path.segments().iter().cloned())),
        None if count == 1 => PytreePath::new(["result"]),
        None => PytreePath::new(["result".to_string(), position.to_string()]),
    }
}

impl<'a> Reader<'a> {
    /// `module @name attributes {..} {`, `"builtin.module"() <{..}> ({`, or nothing where functions stand bare.
    pub(super) fn begin_module(&mut self) -> Read<Level<'a>> {
        if self.cursor.peek() == b'"' {
            let start = self.cursor.at;
            if self.cursor.raw_string()? == "builtin.module" {
                self.operands_in_parentheses()?;
                let entries = self.properties()?;
                if let Some(name) = text_of(&entries, "sym_name") {
                    self.builder.set_name(&name);
                }
                self.cursor.expect("(")?;
                self.cursor.expect("{")?;
                self.block_label()?;
                return Ok(Level::Module { generic: true });
            }
            self.cursor.at = start;
        }
        if self.cursor.eat_word("module") || self.cursor.eat_word("builtin.module") {
            if self.cursor.peek() == b'@' {
                let name = self.cursor.symbol()?;
                self.builder.set_name(&name);
            }
            if self.cursor.eat_word("attributes") {
                self.dictionary(&mut Vec::new())?;
            }
            self.cursor.expect("{")?;
            return Ok(Level::Module { generic: false });
        }
        let rest = &self.cursor.text[self.cursor.at..];
        if rest.starts_with("func.func ") || rest.starts_with("\"func.func\"") {
            return Ok(Level::ImpliedModule);
        }
        let mut error = self.cursor.expected("`module`");
        error.help = Some(super::super::HOW_TO_PRINT.into());
        Err(error)
    }

    /// `<{..}>`, if it comes next.
    fn properties(&mut self) -> Read<Entries> {
        let mut entries = Vec::new();
        if self.cursor.eat("<") {
            self.dictionary(&mut entries)?;
            self.cursor.expect(">")?;
        }
        Ok(entries)
    }

    /// Something in the module: a function, or an operation that carries no flow (`sdy.mesh`).
    pub(super) fn module_operation(&mut self) -> Read<Option<Level<'a>>> {
        self.cursor.skip();
        let start = self.cursor.at;
        if self.cursor.is_at_end() {
            let mut error = self.cursor.error("the file ends inside the module");
            error.help = Some("is the file cut off?".into());
            return Err(error);
        }
        if self.cursor.peek() == b'"' {
            let name = self.cursor.raw_string()?;
            return match name {
                "func.func" => self.generic_function(start),
                "sdy.mesh" => {
                    self.operands_in_parentheses()?;
                    self.properties()?;
                    self.end_of_generic_container(name)?;
                    self.trailing_location()?;
                    Ok(None)
                }
                _ => {
                    let message = format!("operation `{name}` in a module is not supported");
                    Err(self.cursor.error_from(start, message))
                }
            };
        }
        match self.cursor.operation_name() {
            Some("func.func") => self.pretty_function(start),
            Some("sdy.mesh") => {
                self.cursor.symbol()?;
                self.cursor.expect("=")?;
                self.cursor.balanced()?;
                if self.cursor.peek() == b'{' {
                    self.dictionary(&mut Vec::new())?;
                }
                self.trailing_location()?;
                Ok(None)
            }
            Some(name) => {
                let message = format!("operation `{name}` in a module is not supported");
                Err(self.cursor.error_from(start, message))
            }
            None => Err(self.cursor.expected("`func.func` or `}`")),
        }
    }

    /// `func.func public @main(%arg0: T {..} loc(..), ..) -> (R {..}, ..) attributes {..} {`, after the first word.
    fn pretty_function(&mut self, start: usize) -> Read<Option<Level<'a>>> {
        let public = !(self.cursor.eat_word("private") || self.cursor.eat_word("nested"));
        self.cursor.eat_word("public");
        let name = self.cursor.symbol()?;
        let mut inputs = Vec::new();
        self.cursor.expect("(")?;
        if !self.cursor.eat(")") {
            loop {
                inputs.push(self.input()?);
                if !self.cursor.eat(",") {
                    self.cursor.expect(")")?;
                    break;
                }
            }
        }
        let mut outputs = Vec::new();
        if self.cursor.eat("->") {
            if self.cursor.eat("(") {
                if !self.cursor.eat(")") {
                    loop {
                        let r#type = self.r#type()?;
                        let mut entries = Vec::new();
                        if self.cursor.peek() == b'{' {
                            self.dictionary(&mut entries)?;
                        }
                        outputs.push((r#type, text_of(&entries, "jax.result_info")));
                        if !self.cursor.eat(",") {
                            self.cursor.expect(")")?;
                            break;
                        }
                    }
                }
            } else {
                outputs.push((self.r#type()?, None));
            }
        }
        if self.cursor.eat_word("attributes") {
            self.dictionary(&mut Vec::new())?;
        }
        if !self.cursor.eat("{") {
            self.trailing_location()?;
            self.declared.push(name.into());
            return Ok(None);
        }
        self.begin_function_body(start, Header { name, public, inputs, outputs })?;
        Ok(Some(Level::Function { generic: false, start }))
    }

    /// `%arg0: T {..} loc(..)`, or in a declaration `T {..}`.
    fn input(&mut self) -> Read<Input<'a>> {
        let mut name = None;
        if self.cursor.eat("%") {
            name = Some(self.cursor.suffix());
            self.cursor.expect(":")?;
        }
        let r#type = self.r#type()?;
        let mut entries = Vec::new();
        if self.cursor.peek() == b'{' {
            self.dictionary(&mut entries)?;
        }
        let location = self.trailing_location()?;
        Ok(Input { name, r#type, location, attribute: text_of(&entries, "jax.arg_info") })
    }

    /// `"func.func"() <{..}> ({ ^bb0(%arg0: T loc(..)): .. }) {..} : () -> ()`, after the name.
    fn generic_function(&mut self, start: usize) -> Read<Option<Level<'a>>> {
        self.operands_in_parentheses()?;
        // Attributes come first, the names of the inputs with the block.
        let entries = self.properties()?;
        let Some(name) = text_of(&entries, "sym_name") else {
            return Err(self.cursor.error_from(start, "this function has no `sym_name`"));
        };
        let Some((_, Attribute::Type(function_type))) = entries.iter().find(|(key, _)| &**key == "function_type")
        else {
            return Err(self.cursor.error_from(start, "this function has no `function_type`"));
        };
        let results = self.result_types_of(start, function_type)?;
        let dictionaries = |name: &str| match entries.iter().find(|(key, _)| **key == *name) {
            Some((_, Attribute::Array(items))) => items.to_vec(),
            _ => Vec::new(),
        };
        let recorded = |dictionaries: &[Attribute], position: usize, name: &str| match dictionaries.get(position) {
            Some(Attribute::Dictionary(entries)) => {
                Attribute::find(entries, name).and_then(Attribute::as_text).map(Into::into)
            }
            _ => None,
        };
        let result_attributes = dictionaries("res_attrs");
        let argument_attributes = dictionaries("arg_attrs");
        self.cursor.expect("(")?;
        self.cursor.expect("{")?;
        if self.cursor.peek() == b'}' {
            self.cursor.expect("}")?;
            self.cursor.expect(")")?;
            self.end_of_generic_container("func.func")?;
            self.trailing_location()?;
            self.declared.push(name);
            return Ok(None);
        }
        let inputs = self.block_label()?.into_iter().enumerate();
        let inputs = inputs
            .map(|(position, (name, r#type, location))| Input {
                name: Some(name),
                r#type,
                location,
                attribute: recorded(&argument_attributes, position, "jax.arg_info"),
            })
            .collect();
        let outputs = results.into_iter().enumerate();
        let outputs = outputs
            .map(|(position, r#type)| (r#type, recorded(&result_attributes, position, "jax.result_info")))
            .collect();
        let visibility = text_of(&entries, "sym_visibility");
        let public = !matches!(visibility.as_deref(), Some("private" | "nested"));
        self.begin_function_body(start, Header { name: String::from(name).into(), public, inputs, outputs })?;
        Ok(Some(Level::Function { generic: true, start }))
    }

    /// The types after the arrow of a function type that is only text.
    fn result_types_of(&mut self, start: usize, function_type: &str) -> Read<Vec<TypeId>> {
        let wrong = |reader: &Self| reader.cursor.error_from(start, "the `function_type` is no function type");
        let mut cursor = Cursor::new(function_type);
        cursor.balanced().map_err(|_| wrong(self))?;
        if !cursor.eat("->") {
            return Err(wrong(self));
        }
        let has_parentheses = cursor.eat("(");
        let mut types = Vec::new();
        while !cursor.is_at_end() && !cursor.eat(")") {
            let text = type_text(&mut cursor).map_err(|_| wrong(self))?;
            let r#type = types::parse_type(&mut self.builder, text, 0)
                .map_err(|message| self.cursor.error_from(start, message))?;
            types.push(r#type);
            if !cursor.eat(",") && !has_parentheses {
                break;
            }
        }
        Ok(types)
    }

    fn begin_function_body(&mut self, start: usize, header: Header<'a>) -> Read<()> {
        let count = header.outputs.len();
        let (types, recorded): (Vec<TypeId>, Vec<_>) = header.outputs.into_iter().unzip();
        let recorded = recorded.iter().enumerate();
        let mut paths: Vec<PytreePath> =
            recorded.map(|(position, recorded)| output_path(recorded.as_deref(), position, count)).collect();
        tell_apart(&mut paths, "");
        let text_line = self.line_of(start);
        let inputs = header.inputs.iter().enumerate();
        let function = FunctionHeader {
            name: header.name.into(),
            public: header.public,
            // The names are known when all locations are.
            inputs: inputs
                .map(|(position, input)| (input.r#type, PytreePath::new([format!("arg{position}")])))
                .collect(),
            outputs: types.into_iter().zip(paths).collect(),
            text_line,
        };
        let values = self.open_function(start, function)?;
        let mut names = Vec::with_capacity(header.inputs.len());
        for (input, value) in header.inputs.into_iter().zip(values.positions()) {
            let Some(name) = input.name else {
                return Err(self.cursor.error_from(start, "an input of a function with a body has no name"));
            };
            self.define(name, IdRange::new(value, value + 1), start)?;
            names.push((input.location, input.attribute));
        }
        self.input_names.push(names);
        Ok(())
    }

    /// `#loc1 = loc(..)`, `#name = attribute`, `!name = type`.
    pub(super) fn alias_line(&mut self) -> Read<()> {
        let is_type = self.cursor.byte() == b'!';
        self.cursor.at += 1;
        let name = self.cursor.suffix();
        if name.is_empty() {
            return Err(self.cursor.expected("the name of an alias"));
        }
        self.cursor.expect("=")?;
        self.cursor.skip();
        let start = self.cursor.at;
        if is_type {
            let text = type_text(&mut self.cursor)?;
            self.type_aliases.insert(name, text);
        } else if self.cursor.eat_word("loc") {
            self.cursor.expect("(")?;
            let location = self.location(0)?;
            self.cursor.expect(")")?;
            self.locations.define_alias(name, location);
        } else if name.starts_with("loc") && name[3..].bytes().all(|byte| byte.is_ascii_digit()) {
            let mut error = self.cursor.expected("`loc(..)`");
            error.help = Some("is this text printed with `pretty_debug_info`? Use `as_text(debug_info=True)`".into());
            return Err(error);
        } else {
            self.attribute()?;
            self.attribute_aliases.insert(name, &self.cursor.text[start..self.cursor.at]);
        }
        Ok(())
    }

    /// `{-# dialect_resources: { builtin: { key: "0x..", .. } } #-}`.
    pub(super) fn resources(&mut self) -> Read<()> {
        self.cursor.expect("{-#")?;
        // The sections are nested dictionaries with colons; only `key: "0x.."` matters.
        let mut depth = 0usize;
        let mut section = "";
        loop {
            if depth == 0 && self.cursor.eat("#-}") {
                return Ok(());
            }
            match self.cursor.peek() {
                b'}' if depth > 0 => {
                    self.cursor.at += 1;
                    depth -= 1;
                }
                b',' => self.cursor.at += 1,
                b'"' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    let key: Cow<'a, str> = match self.cursor.byte() {
                        b'"' => self.cursor.string()?,
                        _ => self.cursor.suffix().into(),
                    };
                    self.cursor.expect(":")?;
                    match self.cursor.peek() {
                        b'{' => {
                            self.cursor.at += 1;
                            depth += 1;
                            if depth == 1 {
                                section = if key == "dialect_resources" { "dialect_resources" } else { "" };
                            }
                        }
                        b'"' => {
                            let blob = self.cursor.raw_string()?;
                            if section == "dialect_resources" {
                                self.builder.resource(&key, blob);
                            }
                        }
                        _ => {
                            self.attribute()?;
                        }
                    }
                }
                _ => return Err(self.cursor.expected("a resource or `#-}`")),
            }
        }
    }
}
