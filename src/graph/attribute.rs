//! Attributes of operations, in one form whichever text they came from.
//!
//! **Invariant**: the pretty and the generic form of an operation give equal attributes. Names are those of
//! the generic form (`broadcast_dimensions`, not `dims`); widths of integer attributes, which one form writes
//! and the other does not, are not kept.

use serde::{Deserialize, Serialize};

use crate::index::define_id;

define_id! {
    /// A dictionary of attributes; equal dictionaries have equal ids.
    AttributesId
}

/// Named attributes, sorted by name.
pub type Dictionary = Box<[(Box<str>, Attribute)]>;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// Present, no value.
    Unit,
    /// `true` or `false`.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A float or an integer beyond 64 bits, as it is written.
    Number(Box<str>),
    /// A string.
    String(Box<str>),
    /// `@name`: the name of a function or a mesh.
    Symbol(Box<str>),
    /// A type, as it is written.
    Type(Box<str>),
    /// A word of an enumeration: `LT`, `SIGNED`, `DEFAULT`.
    Keyword(Box<str>),
    /// A list of integers: `array<i64: 0, 1>`, `[0, 1]`.
    Integers(Box<[i64]>),
    /// A list of booleans: `array<i1: true, false>`.
    Booleans(Box<[bool]>),
    /// Any other list.
    Array(Box<[Attribute]>),
    /// Named attributes, sorted by name.
    Dictionary(Dictionary),
    /// Dense elements: `dense<..> : type`.
    Dense(Dense),
    /// An attribute that this version does not look into, as it is written, white space folded.
    Other(Box<str>),
}

/// The elements of a constant, still as text; white space is folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dense {
    /// Its tensor type, as it is written.
    pub r#type: Box<str>,
    /// Where the elements are.
    pub elements: Elements,
}

/// Where the elements of a constant are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elements {
    /// Between `dense<` and `>`: one element for all (a splat), nested lists, or a hexadecimal string.
    Inline(Box<str>),
    /// The key of a blob in the `dialect_resources` of the module.
    Resource(Box<str>),
    /// `array<type: ..>` of a type other than integers and booleans.
    Array(Box<str>),
}

impl Attribute {
    /// The attribute of a name in a sorted dictionary.
    pub fn find<'a>(dictionary: &'a Dictionary, name: &str) -> Option<&'a Attribute> {
        let position = dictionary.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        Some(&dictionary[position].1)
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Attribute::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The integers, if it is a list of them.
    pub fn as_integers(&self) -> Option<&[i64]> {
        match self {
            Attribute::Integers(values) => Some(values),
            Attribute::Array(values) if values.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// The text of a string, symbol or keyword.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Attribute::String(text) | Attribute::Symbol(text) | Attribute::Keyword(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one; a unit attribute is true by its presence.
    pub fn as_boolean(&self) -> Option<bool> {
        match self {
            Attribute::Boolean(value) => Some(*value),
            Attribute::Unit => Some(true),
            _ => None,
        }
    }

    /// Every symbol in it, however deep. Depth is bounded by the reader.
    pub fn symbols(&self) -> Vec<&str> {
        let mut symbols = Vec::new();
        let mut open = vec![self];
        while let Some(attribute) = open.pop() {
            match attribute {
                Attribute::Symbol(name) => symbols.push(&**name),
                Attribute::Array(items) => open.extend(items.iter().rev()),
                Attribute::Dictionary(entries) => open.extend(entries.iter().rev().map(|(_, value)| value)),
                _ => {}
            }
        }
        symbols
    }
}

/// Sorts named attributes into a dictionary; of two with one name the later stands.
pub fn dictionary(mut entries: Vec<(Box<str>, Attribute)>) -> Dictionary {
    if entries.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        entries.reverse(); // the sort is stable: the later of two equal names comes first and survives
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, first| later.0 == first.0);
    }
    entries.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_sorted_and_the_later_of_two_names_stands() {
        let entry = |name: &str, value| (name.into(), Attribute::Integer(value));
        let sorted = dictionary(vec![entry("b", 1), entry("a", 2), entry("b", 3)]);
        assert_eq!(sorted.len(), 2);
        assert_eq!(Attribute::find(&sorted, "b"), Some(&Attribute::Integer(3)));
        assert_eq!(Attribute::find(&sorted, "c"), None);
    }

    #[test]
    fn symbols_are_found_at_any_depth() {
        let inner = Attribute::Array([Attribute::Symbol("f".into())].into());
        let outer =
            Attribute::Dictionary(dictionary(vec![("x".into(), inner), ("y".into(), Attribute::Symbol("g".into()))]));
        assert_eq!(outer.symbols(), ["f", "g"]);
    }
}
