//! The pretty form: what each piece of its syntax means in the names and values of the generic form.
//!
//! Most operations are written as a list of pieces (operands, `key = value`, words, brackets) followed by types, and
//! are read by one loop; [`rename`] says which attribute a piece is. Those with a syntax of their own have a function
//! of their own. The table that this follows is `fixtures/zoo/PRETTY_FORMS.md`.

use crate::graph::{
    Dense, Elements, OperationFooter, OperationHeader, OperationKind as Kind, PlaceId, ScopeId, dictionary,
};

use super::attributes::Entries;
use super::body::{Form, Open};
use super::*;

impl<'a> Reader<'a> {
    /// An operation in the pretty form, after its name.
    pub(super) fn pretty(&mut self, start: usize, name: &'a str, results: usize) -> Read<Option<Open<'a>>> {
        let kind = Kind::from_name(name);
        match kind {
            Kind::Constant | Kind::ChloConstant | Kind::ShardyConstant => return self.constant(start, name, kind),
            Kind::While => return self.r#while(start, name, results).map(Some),
            Kind::Reduce => return self.reduce(start, name, results).map(Some),
            Kind::ManualComputation => return self.manual_computation(start, name, results).map(Some),
            Kind::NamedComputation => return self.named_computation(start, name, results).map(Some),
            Kind::Scan => return self.scan(start, name, results).map(Some),
            _ if kind.is_expectation() => return self.expectation(start, name, kind, results).map(|()| None),
            _ if name == "call_indirect" => {
                return Err(self.cursor.error_from(start, "indirect calls are not supported"));
            }
            _ => {}
        }
        let known = self.pieces(kind)?;
        self.types(start, kind, name)?;
        if self.scratch.result_types.len() != results {
            return Err(self.wrong_result_count(start, name, results));
        }
        match known {
            Some(attributes) => self.close_with(start, name, kind, attributes, None)?,
            None => self.close_simple(start, name, kind)?,
        }
        Ok(None)
    }

    /// The text from here to the types, if it may be attributes alone and nothing in it needs more than a look.
    fn attribute_text(&self) -> Option<&'a str> {
        let bytes = &self.cursor.text.as_bytes()[self.cursor.at..];
        let mut end = 0;
        // ` : ` ends the attributes unless it stands inside braces or a string, and those are not looked at.
        loop {
            match *bytes.get(end)? {
                b'{' | b'"' | b'%' | b'@' | b'\n' => return None,
                b':' if end > 0 && bytes[end - 1] == b' ' => return Some(&self.cursor.text[self.cursor.at..][..end]),
                _ if end > 120 => return None,
                _ => end += 1,
            }
        }
    }

    fn push(&mut self, name: &str, value: Attribute) {
        self.scratch.entries.push((name.into(), value));
    }

    /// Everything up to the types. Attributes whose text was read before are given by their id.
    fn pieces(&mut self, kind: Kind) -> Read<Option<AttributesId>> {
        // All attributes of these follow the operands; a call or a custom call names what it calls among them.
        let is_plain = !matches!(kind, Kind::Call | Kind::CustomCall | Kind::Composite | Kind::Compare | Kind::Unknown);
        let mut text: Option<&'a str> = None;
        // Words that come before anything else (`LT` of a compare) and after operands (`SIGNED`).
        let mut words = 0;
        let mut parentheses = 0usize;
        if kind == Kind::OptimizationBarrier {
            if self.cursor.peek() == b'{' {
                self.own_dictionary()?;
            }
            if self.cursor.eat("(") {
                self.cursor.expect(")")?;
                return Ok(None);
            }
        }
        loop {
            let next = self.cursor.peek();
            let begins_attribute = next.is_ascii_alphabetic() || next == b'[';
            if is_plain && begins_attribute && text.is_none() && self.scratch.entries.is_empty() && parentheses == 0 {
                text = self.attribute_text();
                if let Some(text) = text
                    && let Some(known) = self.attributes_by_text.get(&(kind, text))
                {
                    self.cursor.at += text.len();
                    return Ok(Some(*known));
                }
            }
            match next {
                b'%' => {
                    let operand = self.operand()?;
                    self.scratch.operands.push(operand);
                }
                b',' => self.cursor.at += 1,
                b'(' => {
                    self.cursor.at += 1;
                    parentheses += 1;
                }
                b')' if parentheses > 0 => {
                    self.cursor.at += 1;
                    parentheses -= 1;
                }
                _ if parentheses > 0 && matches!(self.cursor.byte(), b':' | b'}' | 0) => {
                    return Err(self.cursor.expected("`,` or `)`"));
                }
                b':' => {
                    let Some(text) = text else { return Ok(None) };
                    let attributes = self.attributes(kind);
                    self.attributes_by_text.insert((kind, text), attributes);
                    return Ok(Some(attributes));
                }
                b'}' | 0 => return Ok(None),
                b'{' => {
                    self.own_dictionary()?;
                }
                b'[' if kind == Kind::Slice => self.slice_ranges()?,
                b'[' if kind == Kind::GetTupleElement => {
                    self.cursor.expect("[")?;
                    let index = self.cursor.integer()?;
                    self.cursor.expect("]")?;
                    self.push("index", Attribute::Integer(index));
                }
                b'@' => {
                    let symbol = self.attribute()?;
                    match (kind, symbol) {
                        (Kind::CustomCall, Attribute::Symbol(target)) => {
                            self.push("call_target_name", Attribute::String(target));
                        }
                        (_, symbol) => self.push("callee", symbol),
                    }
                }
                b'[' if kind == Kind::Unknown => {
                    let text = attributes::fold(self.cursor.balanced()?);
                    self.push("list", Attribute::Other(text));
                }
                b'"' => {
                    let name = self.value_of_piece()?;
                    self.push("name", name);
                }
                b'<' => {
                    let sharding = self.attribute()?;
                    self.push("sharding", sharding);
                }
                _ => {
                    let at = self.cursor.at;
                    let Some(word) = self.cursor.identifier() else {
                        return Err(self.cursor.expected("an operand, an attribute or `:`"));
                    };
                    if word == "loc" && self.cursor.byte() == b'(' {
                        self.cursor.at = at;
                        return Ok(None);
                    }
                    if self.cursor.eat("=") {
                        self.key_value(kind, word)?;
                    } else if kind == Kind::Compare {
                        let name = if words == 0 { "comparison_direction" } else { "compare_type" };
                        words += 1;
                        self.push(name, Attribute::Keyword(word.into()));
                    } else {
                        self.cursor.at = at;
                        return Err(self.cursor.expected("an operand, an attribute or `:`"));
                    }
                }
            }
        }
    }

    /// `key = value`.
    fn key_value(&mut self, kind: Kind, key: &'a str) -> Read<()> {
        match (kind, key) {
            (Kind::DotGeneral, "batching_dims" | "contracting_dims") => {
                let left = self.attribute()?;
                if !self.cursor.eat_word("x") {
                    return Err(self.cursor.expected("`x`"));
                }
                let right = self.attribute()?;
                let what = if key == "batching_dims" { "batching" } else { "contracting" };
                let mut entries = match self.scratch.entries.pop() {
                    Some((name, Attribute::Dictionary(entries))) if &*name == "dot_dimension_numbers" => {
                        entries.into_vec()
                    }
                    other => {
                        self.scratch.entries.extend(other);
                        Vec::new()
                    }
                };
                for (side, dimensions) in [("lhs", left), ("rhs", right)] {
                    if dimensions.as_integers() != Some(&[]) {
                        entries.push((format!("{side}_{what}_dimensions").into(), dimensions));
                    }
                }
                self.push("dot_dimension_numbers", Attribute::Dictionary(dictionary(entries)));
            }
            (Kind::Convolution | Kind::DynamicConv, "dim_numbers") => {
                self.cursor.skip();
                let from = self.cursor.at;
                self.cursor.balanced()?;
                if !self.cursor.eat_word("x") {
                    return Err(self.cursor.expected("`x`"));
                }
                self.cursor.balanced()?;
                self.cursor.expect("->")?;
                self.cursor.balanced()?;
                let text = attributes::fold(&self.cursor.text[from..self.cursor.at]);
                self.push("dimension_numbers", Attribute::Other(text));
            }
            (Kind::Convolution | Kind::DynamicConv, "window") => {
                let window = self.attribute()?;
                let Attribute::Dictionary(window) = window else {
                    return Err(self.cursor.expected("a window in braces"));
                };
                for (part, value) in window {
                    let (name, value) = window_part(&part, value);
                    self.push(name, value);
                }
            }
            (Kind::ReducePrecision, "format") => {
                let format = self.cursor.identifier().unwrap_or_default();
                let bits = format.strip_prefix('e').and_then(|rest| rest.split_once('m'));
                let bits = bits.and_then(|(exponent, mantissa)| Some((exponent.parse().ok()?, mantissa.parse().ok()?)));
                let Some((exponent, mantissa)) = bits else {
                    return Err(self.cursor.expected("a format such as `e5m10`"));
                };
                self.push("exponent_bits", Attribute::Integer(exponent));
                self.push("mantissa_bits", Attribute::Integer(mantissa));
            }
            _ => {
                let value = self.value_of_piece()?;
                self.push(rename(kind, key), value);
            }
        }
        Ok(())
    }

    /// A value outside a dictionary: a colon after it belongs to the operation and not to the value.
    fn value_of_piece(&mut self) -> Read<Attribute> {
        match self.cursor.peek() {
            b'"' => Ok(Attribute::String(self.cursor.string()?.into())),
            b'-' | b'0'..=b'9' => Ok(Attribute::Integer(self.cursor.integer()?)),
            _ => self.attribute(),
        }
    }

    /// `[0:4, 1:6:3]`.
    fn slice_ranges(&mut self) -> Read<()> {
        self.cursor.expect("[")?;
        let (mut starts, mut limits, mut strides) = (Vec::new(), Vec::new(), Vec::new());
        if !self.cursor.eat("]") {
            loop {
                starts.push(self.cursor.integer()?);
                self.cursor.expect(":")?;
                limits.push(self.cursor.integer()?);
                strides.push(if self.cursor.eat(":") { self.cursor.integer()? } else { 1 });
                if !self.cursor.eat(",") {
                    self.cursor.expect("]")?;
                    break;
                }
            }
        }
        self.push("limit_indices", Attribute::Integers(limits.into()));
        self.push("start_indices", Attribute::Integers(starts.into()));
        self.push("strides", Attribute::Integers(strides.into()));
        Ok(())
    }

    /// The types after the colon, and what they leave out.
    fn types(&mut self, start: usize, kind: Kind, name: &str) -> Read<()> {
        let mut types = std::mem::take(&mut self.scratch.operand_types);
        let mut results = std::mem::take(&mut self.scratch.result_types);
        let has_function_type = self.written_types(&mut types, &mut results)?;
        let operands = self.scratch.operands.len();
        if !has_function_type {
            match (kind, &types[..]) {
                (Kind::Return | Kind::FunctionReturn | Kind::ShardyReturn, _) => {}
                (Kind::OptimizationBarrier, _) => results.clone_from(&types),
                (Kind::Select, &[predicate, common]) => {
                    results.push(common);
                    types = vec![predicate, common, common];
                }
                (Kind::Complex | Kind::Tuple, &[result]) => {
                    results.push(result);
                    types = self.scratch.operands.iter().map(|operand| self.builder.value_type(*operand)).collect();
                }
                (Kind::ShardingGroup | Kind::Outfeed, &[only]) => types = vec![only; operands],
                (_, &[only]) => {
                    results.push(only);
                    types = vec![only; operands];
                }
                _ => {
                    let message = format!("the types of `{name}` cannot be told from {} of them", types.len());
                    return Err(self.cursor.error_from(start, message));
                }
            }
        }
        self.scratch.operand_types = types;
        self.scratch.result_types = results;
        self.check_operand_types(start, name)
    }

    /// `: (T) -> R`, `: T, T -> R` or `: T, T`; true if there was an arrow.
    fn written_types(&mut self, types: &mut Vec<TypeId>, results: &mut Vec<TypeId>) -> Read<bool> {
        if !self.cursor.eat(":") {
            return Ok(false);
        }
        if self.cursor.peek() == b'(' {
            self.function_type(types, results)?;
            return Ok(true);
        }
        loop {
            types.push(self.r#type()?);
            if !self.cursor.eat(",") {
                break;
            }
        }
        if !self.cursor.eat("->") {
            return Ok(false);
        }
        self.results_of_function_type(results)?;
        Ok(true)
    }

    /// `stablehlo.constant {..} dense<..> : T`, or half generic: `stablehlo.constant() <{..}> : () -> T`.
    fn constant(&mut self, start: usize, name: &'a str, kind: Kind) -> Read<Option<Open<'a>>> {
        if self.cursor.peek() == b'(' {
            self.operands_in_parentheses()?;
            if self.cursor.eat("<") {
                self.own_dictionary()?;
                self.cursor.expect(">")?;
            }
            self.after_regions(name)?;
            self.close_simple(start, name, kind)?;
            return Ok(None);
        }
        let from = self.cursor.at;
        if self.cursor.byte() == b'{' {
            self.own_dictionary()?;
        } else if let Some((text, attributes, r#type)) = self.known_constant(from) {
            self.cursor.at = from + text.len();
            self.scratch.result_types.push(r#type);
            self.close_with(start, name, kind, attributes, None)?;
            return Ok(None);
        }
        let plain = self.scratch.entries.is_empty();
        let value = self.attribute()?;
        let Attribute::Dense(Dense { r#type, .. }) = &value else {
            return Err(self.cursor.error_from(from, "a constant is written `dense<..> : type`"));
        };
        let r#type =
            types::parse_type(&mut self.builder, r#type, 0).map_err(|message| self.cursor.error_from(from, message))?;
        self.push("value", value);
        self.scratch.result_types.push(r#type);
        let attributes = self.attributes(Kind::Constant);
        let text = &self.cursor.text[from..self.cursor.at];
        if plain && text.len() < 128 {
            self.constants_by_text.insert(text, (attributes, r#type));
        }
        self.close_with(start, name, kind, attributes, None)?;
        Ok(None)
    }

    /// A constant whose text has been read before.
    fn known_constant(&self, from: usize) -> Option<(&'a str, AttributesId, TypeId)> {
        let bytes = &self.cursor.text.as_bytes()[from..];
        // The text ends with the line, or before the location.
        let end = bytes.iter().take(160).position(|&byte| byte == b'\n')?;
        let line = &self.cursor.text[from..from + end];
        let text = line.split_once(" loc(").map_or(line, |(text, _)| text).trim_end();
        let (attributes, r#type) = *self.constants_by_text.get(text)?;
        Some((text, attributes, r#type))
    }

    /// `stablehlo.while(%iterArg = %a, ..) : T, .. attributes {..} cond {`.
    fn r#while(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        let mut arguments = Vec::new();
        self.cursor.expect("(")?;
        if !self.cursor.eat(")") {
            loop {
                self.cursor.expect("%")?;
                arguments.push(self.cursor.suffix());
                self.cursor.expect("=")?;
                let operand = self.operand()?;
                self.scratch.operands.push(operand);
                if !self.cursor.eat(",") {
                    self.cursor.expect(")")?;
                    break;
                }
            }
        }
        if self.cursor.eat(":") {
            loop {
                let r#type = self.r#type()?;
                self.scratch.operand_types.push(r#type);
                if !self.cursor.eat(",") {
                    break;
                }
            }
        }
        self.check_operand_types(start, name)?;
        let types = self.scratch.operand_types.clone();
        self.scratch.result_types.clone_from(&types);
        if self.cursor.eat_word("attributes") {
            self.own_dictionary()?;
        }
        if !self.cursor.eat_word("cond") {
            return Err(self.cursor.expected("`cond`"));
        }
        if types.len() != results {
            return Err(self.wrong_result_count(start, name, results));
        }
        let mut open = self.open_operation(start, name, Kind::While, results, Form::Condition)?;
        open.argument_names = arguments;
        self.begin_while_region(&open)?;
        Ok(open)
    }

    /// `{`: both regions of a while have the same arguments, of the types of the operands.
    pub(super) fn begin_while_region(&mut self, open: &Open<'a>) -> Read<()> {
        self.cursor.expect("{")?;
        let types = &open.result_types;
        let values = self.builder.begin_region(types).map_err(|error| self.build_error(open.start, error))?;
        for (name, value) in open.argument_names.iter().zip(values.positions()) {
            self.define(name, IdRange::new(value, value + 1), open.start)?;
        }
        Ok(())
    }

    /// `stablehlo.reduce(%x init: %z), (%y init: %w) applies stablehlo.add across dimensions = [1] {..} : type`, or with
    /// `reducer(%a: T, %b: T) (%c: T, %d: T) {` after the type.
    fn reduce(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        let (mut inputs, mut inits) = (Vec::new(), Vec::new());
        loop {
            self.cursor.expect("(")?;
            inputs.push(self.operand()?);
            if !self.cursor.eat_word("init") {
                return Err(self.cursor.expected("`init`"));
            }
            self.cursor.expect(":")?;
            inits.push(self.operand()?);
            self.cursor.expect(")")?;
            if !self.cursor.eat(",") {
                break;
            }
        }
        self.scratch.operands.extend(inputs.into_iter().chain(inits));
        let mut applies = None;
        if self.cursor.eat_word("applies") {
            self.cursor.skip();
            applies = self.cursor.operation_name();
            if applies.is_none() {
                return Err(self.cursor.expected("the name of an operation"));
            }
        }
        for word in ["across", "dimensions"] {
            if !self.cursor.eat_word(word) {
                return Err(self.cursor.expected(&format!("`{word}`")));
            }
        }
        self.cursor.expect("=")?;
        let dimensions = self.attribute()?;
        self.push("dimensions", dimensions);
        self.after_regions(name)?;
        if self.scratch.result_types.len() != results {
            return Err(self.wrong_result_count(start, name, results));
        }
        match applies {
            Some(inner) => self.compact_reducer(start, name, inner),
            None => self.long_reducer(start, name, results),
        }
    }

    /// Makes the region that `applies` stands for. It is closed at once, so the caller finds `}` done: the operation
    /// is left open for its location only.
    fn compact_reducer(&mut self, start: usize, name: &'a str, inner: &'a str) -> Read<Open<'a>> {
        let scalar = match self.scratch.operands.get(1).map(|init| self.builder.value_type(*init)) {
            Some(scalar) if self.scratch.operands.len() == 2 => scalar,
            _ => return Err(self.cursor.error_from(start, "`applies` is for one input")),
        };
        let mut open = self.open_operation(start, name, Kind::Reduce, 1, Form::Compact)?;
        let wrap = |reader: &Self, error| reader.build_error(start, error);
        let arguments = self.builder.begin_region(&[scalar, scalar]).map_err(|error| wrap(self, error))?;
        let operands: Vec<ValueId> = arguments.iter().collect();
        let text_line = self.line_of(start);
        let result_types = [scalar];
        let plain = |results: usize| OperationFooter {
            result_types: &result_types[..results],
            attributes: AttributesId::new(0),
            callee: None,
            place: PlaceId::new(0),
            scope: ScopeId::new(0),
        };
        let header = OperationHeader { name: inner, operands: &operands, results: 1, text_line };
        let results = self.builder.begin_operation(header).map_err(|error| wrap(self, error))?;
        self.builder.end_operation(plain(1)).map_err(|error| wrap(self, error))?;
        let result: Vec<ValueId> = results.iter().collect();
        let header = OperationHeader { name: "stablehlo.return", operands: &result, results: 0, text_line };
        self.builder.begin_operation(header).map_err(|error| wrap(self, error))?;
        self.builder.end_operation(plain(0)).map_err(|error| wrap(self, error))?;
        self.operation_locations.extend([Location::UNKNOWN; 2]);
        open.names_before = self.names.count();
        Ok(open)
    }

    fn long_reducer(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        if !self.cursor.eat_word("reducer") {
            return Err(self.cursor.expected("`reducer`"));
        }
        let (mut first, mut second) = (Vec::new(), Vec::new());
        while self.cursor.eat("(") {
            first.push(self.block_argument()?);
            self.cursor.expect(",")?;
            second.push(self.block_argument()?);
            self.cursor.expect(")")?;
        }
        self.cursor.expect("{")?;
        let open = self.open_operation(start, name, Kind::Reduce, results, Form::Reducer)?;
        first.extend(second);
        let types: Vec<TypeId> = first.iter().map(|argument| argument.1).collect();
        let values = self.builder.begin_region(&types).map_err(|error| self.build_error(start, error))?;
        for ((name, ..), value) in first.into_iter().zip(values.positions()) {
            self.define(name, IdRange::new(value, value + 1), start)?;
        }
        Ok(open)
    }

    /// `sdy.manual_computation(%x) in_shardings=[..] out_shardings=[..] manual_axes={..} (%arg2: T) {`.
    fn manual_computation(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        self.operands_in_parentheses()?;
        for (word, attribute) in
            [("in_shardings", "in_shardings"), ("out_shardings", "out_shardings"), ("manual_axes", "manual_axes")]
        {
            if self.cursor.eat_word(word) {
                self.cursor.expect("=")?;
                let text = attributes::fold(self.cursor.balanced()?);
                let is_word = attribute == "manual_axes"; // `#sdy<manual_axes{..}>` in the generic form
                let text = if is_word { format!("{word}{text}").into() } else { text };
                self.push(attribute, Attribute::Other(text));
            }
        }
        self.parenthesised_region(start, name, results)
    }

    /// `sdy.named_computation<"name">(%x) in_shardings=[..] out_shardings=[..] (%arg1: T) {`.
    fn named_computation(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        self.cursor.expect("<")?;
        let label = self.attribute()?;
        self.cursor.expect(">")?;
        self.push("name", label);
        self.manual_computation(start, name, results)
    }

    fn parenthesised_region(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        self.cursor.expect("(")?;
        let mut arguments = Vec::new();
        if !self.cursor.eat(")") {
            loop {
                arguments.push(self.block_argument()?);
                if !self.cursor.eat(",") {
                    self.cursor.expect(")")?;
                    break;
                }
            }
        }
        self.cursor.expect("{")?;
        let open = self.open_operation(start, name, Kind::from_name(name), results, Form::OneRegion)?;
        let types: Vec<TypeId> = arguments.iter().map(|argument| argument.1).collect();
        let values = self.builder.begin_region(&types).map_err(|error| self.build_error(start, error))?;
        for ((name, ..), value) in arguments.into_iter().zip(values.positions()) {
            self.define(name, IdRange::new(value, value + 1), start)?;
        }
        Ok(open)
    }

    /// `chlo.scan(%x) inits (%c) dimension=0 attributes {..} { ^bb0(..): .. } : type`.
    fn scan(&mut self, start: usize, name: &'a str, results: usize) -> Read<Open<'a>> {
        self.operands_in_parentheses()?;
        let inputs = self.scratch.operands.len();
        if !self.cursor.eat_word("inits") {
            return Err(self.cursor.expected("`inits`"));
        }
        self.operands_in_parentheses()?;
        let inits = self.scratch.operands.len() - inputs;
        if !self.cursor.eat_word("dimension") {
            return Err(self.cursor.expected("`dimension`"));
        }
        self.cursor.expect("=")?;
        let dimension = self.cursor.integer()?;
        self.push("dimension", Attribute::Integer(dimension));
        if self.cursor.eat_word("attributes") {
            self.own_dictionary()?;
        }
        let sizes = |first: usize, second: usize| Attribute::Integers([first as i64, second as i64].into());
        self.push("operandSegmentSizes", sizes(inputs, inits));
        self.push("resultSegmentSizes", sizes(results.saturating_sub(inits), inits));
        self.cursor.expect("{")?;
        let open = self.open_operation(start, name, Kind::from_name(name), results, Form::OneRegion)?;
        self.begin_labelled_region(start)?;
        Ok(open)
    }
}

/// Which attribute a `key = value` piece is.
fn rename(kind: Kind, key: &str) -> &str {
    match (kind, key) {
        (Kind::BroadcastInDim | Kind::DynamicBroadcastInDim, "dims") => "broadcast_dimensions",
        (Kind::Broadcast, "sizes") => "broadcast_sizes",
        (Kind::Transpose, "dims") => "permutation",
        (Kind::Reverse, "dims") => "dimensions",
        (Kind::Iota | Kind::DynamicIota, "dim") => "iota_dimension",
        (Kind::Concatenate | Kind::GetDimensionSize | Kind::SetDimensionSize, "dim") => "dimension",
        (Kind::Pad, "low") => "edge_padding_low",
        (Kind::Pad, "high") => "edge_padding_high",
        (Kind::Pad, "interior") => "interior_padding",
        (Kind::DynamicSlice, "sizes") => "slice_sizes",
        (Kind::Dot | Kind::DotGeneral, "precision") => "precision_config",
        (Kind::Einsum | Kind::UnaryEinsum, "config") => "einsum_config",
        (Kind::Fft, "type") => "fft_type",
        (Kind::Fft, "length") => "fft_length",
        (Kind::Rng, "distribution") => "rng_distribution",
        (Kind::RngBitGenerator, "algorithm") => "rng_algorithm",
        _ => key,
    }
}

/// Which attribute a part of the window of a convolution is.
fn window_part(part: &str, value: Attribute) -> (&str, Attribute) {
    match part {
        "stride" => ("window_strides", value),
        "lhs_dilate" => ("lhs_dilation", value),
        "rhs_dilate" => ("rhs_dilation", value),
        "reverse" => ("window_reversal", value),
        "pad" => ("padding", padding(value)),
        other => (other, value),
    }
}

/// Padding as the generic form has it: `dense<..> : tensor<nx2xi64>`, one number where all are equal.
fn padding(value: Attribute) -> Attribute {
    let rows: &[Attribute] = match &value {
        Attribute::Array(rows) => rows,
        Attribute::Integers(none) if none.is_empty() => &[],
        _ => return value,
    };
    let Some(rows) = rows.iter().map(Attribute::as_integers).collect::<Option<Vec<_>>>() else { return value };
    let all: Vec<i64> = rows.iter().flat_map(|row| row.iter().copied()).collect();
    let text = if all.windows(2).all(|pair| pair[0] == pair[1]) {
        all.first().map_or(String::new(), i64::to_string)
    } else {
        let rows: Vec<String> = rows
            .iter()
            .map(|row| format!("[{}]", row.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")))
            .collect();
        format!("[{}]", rows.join(", "))
    };
    let elements = Elements::Inline(text.into());
    Attribute::Dense(Dense { r#type: format!("tensor<{}x2xi64>", rows.len()).into(), elements })
}

/// Leaves out attributes that have their default value: the pretty form does not print them.
pub(super) fn drop_defaults(kind: Kind, entries: &mut Entries) {
    let is_empty = |value: &Attribute| {
        matches!(value, Attribute::Integers(items) if items.is_empty())
            || matches!(value, Attribute::Dictionary(items) if items.is_empty())
    };
    match kind {
        Kind::CustomCall => entries.retain(|(name, value)| match (&**name, value) {
            ("api_version", Attribute::Integer(1)) | ("has_side_effect", Attribute::Boolean(false)) => false,
            ("called_computations" | "output_operand_aliases", value) => !is_empty(value),
            _ => true,
        }),
        Kind::Cholesky => {
            entries.retain(|(name, value)| &**name != "lower" || *value != Attribute::Boolean(false));
        }
        Kind::Composite => entries.retain(|(name, value)| match (&**name, value) {
            ("version", Attribute::Integer(0)) => false,
            ("composite_attributes", value) => !is_empty(value),
            _ => true,
        }),
        Kind::DotGeneral => {
            // No `precision` and `precision = []` are one.
            entries.retain(|(name, value)| &**name != "precision_config" || !is_empty(value));
        }
        kind if kind.is_expectation() => super::expectation::drop_expectation_defaults(entries),
        Kind::Cbrt
        | Kind::Cosine
        | Kind::Exponential
        | Kind::ExponentialMinusOne
        | Kind::Log
        | Kind::LogPlusOne
        | Kind::Logistic
        | Kind::Rsqrt
        | Kind::Sine
        | Kind::Sqrt
        | Kind::Tan
        | Kind::Tanh => {
            let is_default = |value: &Attribute| {
                match value {
                Attribute::Dictionary(parts) => {
                    parts.len() == 1
                        && Attribute::find(parts, "mode").is_some_and(|mode| {
                            matches!(mode, Attribute::Other(text) | Attribute::Keyword(text) if &**text == "DEFAULT")
                        })
                }
                _ => false,
            }
            };
            entries.retain(|(name, value)| &**name != "result_accuracy" || !is_default(value));
        }
        _ => {}
    }
}
