//! Types: `tensor<2x?xf32, #stablehlo.bounds<..>>`, tokens, tuples, functions.

use crate::graph::{ElementType, FloatKind, GraphBuilder, TensorType, Type, TypeId};

use super::cursor::{Cursor, Read};
use super::{LARGEST_DEPTH, Reader};

impl<'a> Reader<'a> {
    /// One type. The text of a type is its identity, so most are found in the cache.
    pub(super) fn r#type(&mut self) -> Read<TypeId> {
        let start = {
            self.cursor.skip();
            self.cursor.at
        };
        let text = match self.plain_tensor() {
            Some(text) => text,
            None => type_text(&mut self.cursor)?,
        };
        if let Some(known) = self.types_by_text.get(text) {
            return Ok(*known);
        }
        let text = match text.strip_prefix('!').and_then(|name| self.type_aliases.get(name)) {
            Some(aliased) => aliased,
            None => text,
        };
        let id = parse_type(&mut self.builder, text, 0).map_err(|message| self.cursor.error_from(start, message))?;
        self.types_by_text.insert(text, id);
        Ok(id)
    }

    /// `tensor<8x12xf32>`: a tensor whose brackets hold no others, which nearly all are.
    #[inline]
    fn plain_tensor(&mut self) -> Option<&'a str> {
        let rest = &self.cursor.text[self.cursor.at..];
        let inside = rest.strip_prefix("tensor<")?;
        let length = inside.bytes().position(|byte| !byte.is_ascii_alphanumeric())?;
        if inside.as_bytes()[length] != b'>' {
            return None;
        }
        let text = &rest[..8 + length];
        self.cursor.at += text.len();
        Some(text)
    }

    /// `(T, T) -> R` or `(T) -> (R, R)`; appends to the two lists.
    pub(super) fn function_type(&mut self, operands: &mut Vec<TypeId>, results: &mut Vec<TypeId>) -> Read<()> {
        self.cursor.expect("(")?;
        self.types_until(")", operands)?;
        self.cursor.expect("->")?;
        self.results_of_function_type(results)
    }

    pub(super) fn results_of_function_type(&mut self, results: &mut Vec<TypeId>) -> Read<()> {
        if self.cursor.eat("(") {
            self.types_until(")", results)
        } else {
            results.push(self.r#type()?);
            Ok(())
        }
    }

    fn types_until(&mut self, close: &str, types: &mut Vec<TypeId>) -> Read<()> {
        if self.cursor.eat(close) {
            return Ok(());
        }
        loop {
            types.push(self.r#type()?);
            if !self.cursor.eat(",") {
                return self.cursor.expect(close);
            }
        }
    }
}

/// The text of the type that comes next.
pub(super) fn type_text<'a>(cursor: &mut Cursor<'a>) -> Read<&'a str> {
    cursor.skip();
    let start = cursor.at;
    match cursor.byte() {
        b'!' => {
            cursor.at += 1;
            if cursor.suffix().is_empty() {
                return Err(cursor.expected("the name of a type after `!`"));
            }
        }
        b'(' => {
            cursor.balanced()?;
            cursor.expect("->")?;
            // The result may be a function again, and so on: a loop, not a recursion.
            loop {
                if cursor.peek() == b'(' {
                    cursor.balanced()?;
                    if cursor.eat("->") {
                        continue;
                    }
                } else {
                    cursor.eat("!");
                    cursor.identifier();
                    if cursor.byte() == b'<' {
                        cursor.balanced()?;
                    }
                }
                return Ok(&cursor.text[start..cursor.at]);
            }
        }
        _ => {
            if cursor.identifier().is_none() {
                return Err(cursor.expected("a type"));
            }
        }
    }
    if cursor.byte() == b'<' {
        cursor.balanced()?;
    }
    Ok(&cursor.text[start..cursor.at])
}

/// Reads the text of one type.
pub(super) fn parse_type(builder: &mut GraphBuilder, text: &str, depth: usize) -> Result<TypeId, String> {
    if depth > LARGEST_DEPTH {
        return Err(format!("types nested deeper than {LARGEST_DEPTH} are not supported"));
    }
    let inside = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(inside) = inside("tensor<") {
        let tensor = parse_tensor(inside).ok_or_else(|| format!("`{}` is no tensor type", shorten(text)))?;
        return Ok(builder.r#type(Type::Tensor(tensor)));
    }
    if matches!(text, "!stablehlo.token" | "!mhlo.token" | "token") {
        return Ok(builder.r#type(Type::Token));
    }
    if let Some(inside) = inside("tuple<") {
        let mut items = Vec::new();
        let mut cursor = Cursor::new(inside);
        while !cursor.is_at_end() {
            let item = type_text(&mut cursor).map_err(|error| error.message)?;
            items.push(parse_type(builder, item, depth + 1)?);
            if !cursor.eat(",") && !cursor.is_at_end() {
                return Err(format!("`{}` is no tuple type", shorten(text)));
            }
        }
        return Ok(builder.r#type(Type::Tuple(items.into())));
    }
    let is_scalar = ElementType::from_name(text).is_some();
    if is_scalar || text.starts_with(['!', '(']) || text.ends_with('>') || text == "none" {
        return Ok(builder.r#type(Type::Other(text.into())));
    }
    Err(format!("`{}` is no type", shorten(text)))
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    short
}

/// Reads what stands between `tensor<` and `>`.
fn parse_tensor(inside: &str) -> Option<TensorType> {
    let mut rest = inside.trim_start();
    let dimensions = if let Some(after) = rest.strip_prefix("*x") {
        rest = after;
        None
    } else {
        let mut dimensions = Vec::new();
        // An extent is digits or `?`, then `x`; an element type starts with neither.
        while let Some(at) = rest.find('x').filter(|_| rest.starts_with(|c: char| c.is_ascii_digit() || c == '?')) {
            dimensions.push(match &rest[..at] {
                "?" => None,
                digits => Some(digits.parse().ok()?),
            });
            rest = &rest[at + 1..];
        }
        Some(dimensions.into())
    };
    let mut cursor = Cursor::new(rest);
    let element = type_text(&mut cursor).ok()?;
    let element = match ElementType::from_name(element) {
        Some(element) => element,
        None => structured_element(element)?,
    };
    let encoding = if cursor.eat(",") {
        let encoding = cursor.text[cursor.at..].trim();
        (!encoding.is_empty()).then_some(())?;
        Some(encoding.into())
    } else {
        cursor.is_at_end().then_some(())?;
        None
    };
    Some(TensorType { dimensions, element, encoding })
}

fn structured_element(text: &str) -> Option<ElementType> {
    if let Some(inside) = text.strip_prefix("complex<").and_then(|rest| rest.strip_suffix('>')) {
        let kind = FloatKind::ALL.iter().find(|kind| kind.name() == inside.trim());
        return Some(kind.map_or_else(|| ElementType::Other(text.into()), |kind| ElementType::Complex(*kind)));
    }
    if let Some(inside) = text.strip_prefix("!quant.").and_then(|rest| rest.split_once('<')).map(|(_, inside)| inside) {
        let storage = inside.split(['<', ':', '>']).next()?;
        let digits = storage.trim().trim_start_matches(['u', 's', 'i']);
        let storage_bits = digits.parse().ok().filter(|bits| (1..=1024).contains(bits))?;
        return Some(ElementType::Quantized { storage_bits, text: text.into() });
    }
    (text.starts_with('!') || text.ends_with('>')).then(|| ElementType::Other(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_back_as_they_are_written() {
        let mut builder = GraphBuilder::new("test");
        for text in [
            "tensor<f32>",
            "tensor<2x?x3xbf16>",
            "tensor<*xi64>",
            "tensor<0xf32>",
            "tensor<2xf4E2M1FN>",
            "tensor<?x3xf32, #stablehlo.bounds<4, ?>>",
            "tensor<4xcomplex<f32>>",
            "tensor<4x2x!quant.uniform<i8:f32, 2.000000e+00:15>>",
            "tensor<2x!quant.uniform<i8<-127:127>:f32:1, {1.000000e-01:-30,2.000000e-02:4}>>",
            "!stablehlo.token",
            "tuple<tensor<f32>, tuple<tensor<2xi1>, !stablehlo.token>>",
            "tuple<>",
            "!stablehlo.future<tensor<f32>, tensor<2xf32>>",
            "(tensor<f32>) -> tensor<f32>",
        ] {
            let id = parse_type(&mut builder, text, 0).expect(text);
            assert_eq!(builder.type_text(id), text);
        }
        let nonsense =
            ["tensor<", "tensor<>", "tensor<2x>", "tensor<2>", "tensor<99999999999999999999xf32>", "wat", ""];
        for text in nonsense {
            assert!(parse_type(&mut builder, text, 0).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_limited_and_does_not_overflow_the_stack() {
        let text = format!("{}{}", "tuple<".repeat(100_000), ">".repeat(100_000));
        assert!(parse_type(&mut GraphBuilder::new("test"), &text, 0).is_err());
    }
}
