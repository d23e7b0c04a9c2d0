//! Attributes, in the form in which [`crate::graph::Attribute`] keeps them.

use std::borrow::Cow;

use crate::graph::{Attribute, Dense, Elements, dictionary};

use super::cursor::{Cursor, Read};
use super::types::type_text;
use super::{LARGEST_DEPTH, Reader};

pub(super) type Entries = Vec<(Box<str>, Attribute)>;

impl<'a> Reader<'a> {
    /// `{name = attribute, unit}`; appends.
    pub(super) fn dictionary(&mut self, entries: &mut Entries) -> Read<()> {
        let aliases = Aliases(&self.attribute_aliases);
        dictionary_body(&mut self.cursor, &aliases, entries, 0)
    }

    /// One attribute.
    pub(super) fn attribute(&mut self) -> Read<Attribute> {
        let aliases = Aliases(&self.attribute_aliases);
        attribute(&mut self.cursor, &aliases, 0)
    }
}

/// What `#name` stands for: the text of an attribute that an alias line defined.
#[derive(Clone, Copy)]
struct Aliases<'m, 'a>(&'m rustc_hash::FxHashMap<&'a str, &'a str>);

fn dictionary_body<'a>(
    cursor: &mut Cursor<'a>,
    aliases: &Aliases<'_, 'a>,
    entries: &mut Entries,
    depth: usize,
) -> Read<()> {
    cursor.expect("{")?;
    if cursor.eat("}") {
        return Ok(());
    }
    loop {
        let name: Cow<'_, str> = match cursor.peek() {
            b'"' => cursor.string()?,
            _ => match cursor.identifier() {
                Some(name) => name.into(),
                None => return Err(cursor.expected("the name of an attribute or `}`")),
            },
        };
        let value = if cursor.eat("=") { attribute(cursor, aliases, depth + 1)? } else { Attribute::Unit };
        entries.push((name.into(), value));
        if !cursor.eat(",") {
            return cursor.expect("}");
        }
    }
}

fn attribute<'a>(cursor: &mut Cursor<'a>, aliases: &Aliases<'_, 'a>, depth: usize) -> Read<Attribute> {
    if depth > LARGEST_DEPTH {
        return Err(cursor.error(format!("attributes nested deeper than {LARGEST_DEPTH} are not supported")));
    }
    match cursor.peek() {
        b'"' => {
            let text = cursor.string()?;
            skip_type_suffix(cursor)?;
            Ok(Attribute::String(text.into()))
        }
        b'[' => list(cursor, aliases, depth),
        b'{' => {
            let mut entries = Vec::new();
            dictionary_body(cursor, aliases, &mut entries, depth)?;
            Ok(Attribute::Dictionary(dictionary(entries)))
        }
        b'@' => symbol(cursor),
        b'#' => dialect_attribute(cursor, aliases, depth),
        b'!' | b'(' => Ok(Attribute::Type(fold(type_text(cursor)?))),
        b'<' => dialect_body(cursor, aliases, depth),
        b'-' | b'0'..=b'9' => number(cursor),
        _ => word(cursor, depth),
    }
}

/// `@a::@b` is kept as `a::b`.
fn symbol(cursor: &mut Cursor<'_>) -> Read<Attribute> {
    let mut name = cursor.symbol()?.into_owned();
    while cursor.eat("::") {
        name.push_str("::");
        name.push_str(&cursor.symbol()?);
    }
    Ok(Attribute::Symbol(name.into()))
}

/// `: i32` after a number or a string. One form of the text has it and the other does not, so it is not kept.
fn skip_type_suffix(cursor: &mut Cursor<'_>) -> Read<()> {
    if cursor.peek() == b':' && !cursor.text[cursor.at..].starts_with("::") {
        cursor.at += 1;
        type_text(cursor)?;
    }
    Ok(())
}

fn number(cursor: &mut Cursor<'_>) -> Read<Attribute> {
    let text = cursor.number_text();
    if text.is_empty() {
        return Err(cursor.expected("a number"));
    }
    let value = match text.parse::<i64>() {
        Ok(value) => Attribute::Integer(value),
        Err(_) => Attribute::Number(text.into()),
    };
    skip_type_suffix(cursor)?;
    Ok(value)
}

/// A list. Of integers or of booleans it is kept as such, whichever way it was written.
fn list<'a>(cursor: &mut Cursor<'a>, aliases: &Aliases<'_, 'a>, depth: usize) -> Read<Attribute> {
    cursor.expect("[")?;
    if matches!(cursor.peek(), b'-' | b'0'..=b'9') {
        let start = cursor.at;
        let mut integers = Vec::new();
        while let Ok(integer) = cursor.integer() {
            integers.push(integer);
            if cursor.peek() == b':' {
                break;
            }
            if !cursor.eat(",") {
                if cursor.eat("]") {
                    return Ok(Attribute::Integers(integers.into()));
                }
                break;
            }
        }
        cursor.at = start;
    }
    let mut items = Vec::new();
    if !cursor.eat("]") {
        loop {
            items.push(attribute(cursor, aliases, depth + 1)?);
            if !cursor.eat(",") {
                cursor.expect("]")?;
                break;
            }
        }
    }
    Ok(as_typed_list(items))
}

fn as_typed_list(items: Vec<Attribute>) -> Attribute {
    if items.is_empty() {
        return Attribute::Integers([].into());
    }
    let integers: Option<Box<[i64]>> = items.iter().map(Attribute::as_integer).collect();
    if let Some(integers) = integers {
        return Attribute::Integers(integers);
    }
    let booleans: Option<Box<[bool]>> = items
        .iter()
        .map(|item| match item {
            Attribute::Boolean(value) => Some(*value),
            _ => None,
        })
        .collect();
    booleans.map_or_else(|| Attribute::Array(items.into()), Attribute::Booleans)
}

/// What begins with a letter: `true`, `dense<..>`, `array<..>`, a type, a keyword.
fn word(cursor: &mut Cursor<'_>, depth: usize) -> Read<Attribute> {
    let start = cursor.at;
    let Some(word) = cursor.identifier() else { return Err(cursor.expected("an attribute")) };
    match word {
        "true" => Ok(Attribute::Boolean(true)),
        "false" => Ok(Attribute::Boolean(false)),
        "unit" => Ok(Attribute::Unit),
        "dense" | "dense_resource" if cursor.byte() == b'<' => dense_body(cursor, word),
        "array" if cursor.byte() == b'<' => array_body(cursor),
        "sparse" | "opaque" | "distinct" if matches!(cursor.byte(), b'<' | b'[') => {
            cursor.balanced()?;
            if cursor.byte() == b'<' {
                cursor.balanced()?;
            }
            skip_type_suffix(cursor)?;
            Ok(Attribute::Other(fold(&cursor.text[start..cursor.at])))
        }
        "affine_map" | "affine_set" | "strided" if cursor.byte() == b'<' => {
            cursor.balanced()?;
            Ok(Attribute::Other(fold(&cursor.text[start..cursor.at])))
        }
        "loc" if cursor.byte() == b'(' => {
            cursor.balanced()?;
            Ok(Attribute::Other(fold(&cursor.text[start..cursor.at])))
        }
        _ if cursor.byte() == b'<' => {
            cursor.at = start;
            Ok(Attribute::Type(fold(type_text(cursor)?)))
        }
        _ if depth > 0 && crate::graph::ElementType::from_name(word).is_some() => Ok(Attribute::Type(word.into())),
        _ => Ok(Attribute::Keyword(word.into())),
    }
}

/// `<..> : type`, after `dense` or `dense_resource`.
fn dense_body(cursor: &mut Cursor<'_>, word: &str) -> Read<Attribute> {
    let text = cursor.balanced()?;
    let inside = text[1..text.len() - 1].trim();
    let elements = if word == "dense" {
        Elements::Inline(fold(inside))
    } else {
        let key = Cursor::new(inside).string().map_or_else(|_| inside.into(), |key| key.into_owned());
        Elements::Resource(key.into())
    };
    cursor.expect(":")?;
    let r#type = fold(type_text(cursor)?);
    Ok(Attribute::Dense(Dense { r#type, elements }))
}

/// `<i64: 0, 1>`, after `array`.
fn array_body(cursor: &mut Cursor<'_>) -> Read<Attribute> {
    let start = cursor.at;
    let body = cursor.balanced()?;
    let mut inner = Cursor { text: &cursor.text[..cursor.at - 1], at: start + 1 };
    let element = type_text(&mut inner)?;
    let has_items = inner.eat(":");
    match element {
        "i1" => {
            let mut items = Vec::new();
            while has_items && !inner.is_at_end() {
                if inner.eat_word("true") {
                    items.push(true);
                } else if inner.eat_word("false") {
                    items.push(false);
                } else {
                    return Err(inner.expected("`true` or `false`"));
                }
                if !inner.eat(",") {
                    break;
                }
            }
            Ok(if items.is_empty() { Attribute::Integers([].into()) } else { Attribute::Booleans(items.into()) })
        }
        _ if element.starts_with('i') => {
            let mut items = Vec::new();
            while has_items && !inner.is_at_end() {
                items.push(inner.integer()?);
                if !inner.eat(",") {
                    break;
                }
            }
            if !inner.is_at_end() {
                return Err(inner.expected("`,` or `>`"));
            }
            Ok(Attribute::Integers(items.into()))
        }
        _ => {
            let elements = Elements::Array(fold(&body[1..body.len() - 1]));
            Ok(Attribute::Dense(Dense { r#type: format!("array<{element}>").into(), elements }))
        }
    }
}

/// `#alias`, `#dialect.name<..>`, `#dialect<keyword WORD>`.
fn dialect_attribute<'a>(cursor: &mut Cursor<'a>, aliases: &Aliases<'_, 'a>, depth: usize) -> Read<Attribute> {
    let start = cursor.at;
    cursor.expect("#")?;
    let name = cursor.suffix();
    if name.is_empty() {
        return Err(cursor.expected("the name of an attribute after `#`"));
    }
    if cursor.byte() != b'<' {
        let Some(text) = aliases.0.get(name) else {
            return Ok(Attribute::Other(fold(&cursor.text[start..cursor.at])));
        };
        // An alias may name an alias, but not itself: each was defined by an earlier line.
        let mut inner = Cursor::new(text);
        return attribute(&mut inner, aliases, depth + 8);
    }
    dialect_body(cursor, aliases, depth)
}

/// `<key = value, ..>` is a dictionary, `<kind WORD>` a keyword; anything else stays text.
fn dialect_body<'a>(cursor: &mut Cursor<'a>, aliases: &Aliases<'_, 'a>, depth: usize) -> Read<Attribute> {
    let start = cursor.at;
    let body = cursor.balanced()?;
    let end = cursor.at;
    let inside = body[1..body.len() - 1].trim();
    let mut inner = Cursor { text: &cursor.text[..end - 1], at: start + 1 };
    let parsed = structure(&mut inner, aliases, depth);
    cursor.at = end;
    Ok(parsed.unwrap_or_else(|| Attribute::Other(fold(inside))))
}

fn structure<'a>(inner: &mut Cursor<'a>, aliases: &Aliases<'_, 'a>, depth: usize) -> Option<Attribute> {
    if inner.is_at_end() {
        return Some(Attribute::Dictionary([].into()));
    }
    let mut entries = Vec::new();
    loop {
        let name = inner.identifier()?;
        if !inner.eat("=") {
            // `comparison_direction LT`
            let word = inner.identifier()?;
            return (entries.is_empty() && inner.is_at_end()).then(|| Attribute::Keyword(word.into()));
        }
        entries.push((name.into(), attribute(inner, aliases, depth + 1).ok()?));
        if !inner.eat(",") {
            return inner.is_at_end().then(|| Attribute::Dictionary(dictionary(entries)));
        }
    }
}

/// White space folded to one space.
pub(super) fn fold(text: &str) -> Box<str> {
    let bytes = text.as_bytes();
    let is_folded =
        !bytes.iter().any(|byte| matches!(byte, b'\n' | b'\t' | b'\r')) && !bytes.windows(2).any(|pair| pair == b"  ");
    if is_folded {
        return text.trim().into();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Attribute {
        let map = rustc_hash::FxHashMap::default();
        let mut cursor = Cursor::new(text);
        let read = attribute(&mut cursor, &Aliases(&map), 1).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert!(cursor.is_at_end(), "{text}: {} is left", &text[cursor.at..]);
        read
    }

    #[test]
    fn two_ways_to_write_a_list_are_one_attribute() {
        assert_eq!(read("[0, 1]"), read("array<i64: 0, 1>"));
        assert_eq!(read("[]"), read("array<i64>"));
        assert_eq!(read("[false, true]"), read("array<i1: false, true>"));
        assert_eq!(read("2 : i64"), read("2"));
    }

    #[test]
    fn dialect_attributes_are_words_dictionaries_or_text() {
        assert_eq!(read("#stablehlo<comparison_direction LT>"), Attribute::Keyword("LT".into()));
        let dot = read("#stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [0]>");
        let Attribute::Dictionary(dot) = dot else { panic!("{dot:?}") };
        assert_eq!(Attribute::find(&dot, "lhs_contracting_dimensions"), Some(&Attribute::Integers([2].into())));
        let text = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]";
        assert_eq!(read(&format!("#stablehlo.conv<{text}>")), Attribute::Other(text.into()));
        assert_eq!(read("#sdy.sharding<@mesh, [{\"x\"}, {}]>"), Attribute::Other("@mesh, [{\"x\"}, {}]".into()));
    }

    #[test]
    fn constants_stay_text() {
        let Attribute::Dense(dense) = read("dense<[[1.0,\n  2.0]]> : tensor<1x2xf32>") else { panic!() };
        assert_eq!(dense.elements, Elements::Inline("[[1.0, 2.0]]".into()));
        let Attribute::Dense(dense) = read("dense_resource<blob> : tensor<4xf32>") else { panic!() };
        assert_eq!(dense.elements, Elements::Resource("blob".into()));
    }

    #[test]
    fn symbols_inside_lists_are_found() {
        assert_eq!(read("{called_computations = [@f, @\"g h\"]}").symbols(), ["f", "g h"]);
    }
}
