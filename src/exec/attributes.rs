//! Attributes of an operation, as the numbers and words that the interpreter needs.

use crate::graph::{Attribute, Dictionary, Elements, OperationId, TrainingGraph};

/// The attributes of one operation. Every refusal names the attribute.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'g>(pub &'g Dictionary);

impl<'g> Attributes<'g> {
    pub fn of(graph: &'g TrainingGraph, id: OperationId) -> Self {
        Attributes(graph.attributes(id))
    }

    fn get(self, name: &str) -> Option<&'g Attribute> {
        Attribute::find(self.0, name)
    }

    fn missing(name: &str) -> String {
        format!("the attribute `{name}` is missing or is not of the right form")
    }

    /// An integer.
    pub fn integer(self, name: &str) -> Result<i64, String> {
        self.get(name).and_then(Attribute::as_integer).ok_or_else(|| Self::missing(name))
    }

    /// An integer that is not negative.
    pub fn size(self, name: &str) -> Result<usize, String> {
        usize::try_from(self.integer(name)?).map_err(|_| Self::missing(name))
    }

    /// An integer that is not negative, or what it is by default.
    pub fn size_or(self, name: &str, default: usize) -> Result<usize, String> {
        if self.get(name).is_some() { self.size(name) } else { Ok(default) }
    }

    /// A float.
    pub fn float(self, name: &str) -> Result<f64, String> {
        let value = match self.get(name) {
            Some(Attribute::Integer(value)) => Some(*value as f64),
            Some(Attribute::Number(text)) => text.parse().ok(),
            _ => None,
        };
        value.ok_or_else(|| Self::missing(name))
    }

    /// A list of integers; none is an empty list.
    pub fn integers(self, name: &str) -> Result<Vec<i64>, String> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Attribute::Dense(dense)) => {
                let integers = dense_integers(&dense.elements).ok_or_else(|| Self::missing(name))?;
                match integers[..] {
                    // One number stands for all.
                    [same] => Ok(vec![same; element_count(&dense.r#type).ok_or_else(|| Self::missing(name))?]),
                    _ => Ok(integers),
                }
            }
            Some(value) => value.as_integers().map(<[i64]>::to_vec).ok_or_else(|| Self::missing(name)),
        }
    }

    /// A list of integers that are not negative; none is an empty list.
    pub fn sizes(self, name: &str) -> Result<Vec<usize>, String> {
        let convert = |value| usize::try_from(value).map_err(|_| Self::missing(name));
        self.integers(name)?.into_iter().map(convert).collect()
    }

    /// A list of integers, of which there are `count`: the same one for all if it is not given.
    pub fn sizes_or(self, name: &str, default: usize, count: usize) -> Result<Vec<usize>, String> {
        if self.get(name).is_none() {
            return Ok(vec![default; count]);
        }
        let sizes = self.sizes(name)?;
        if sizes.len() == count { Ok(sizes) } else { Err(Self::missing(name)) }
    }

    /// `dense<..> : tensor<nx2xi64>`, as pairs; a single number stands for all; none is zeros.
    pub fn pairs(self, name: &str, count: usize) -> Result<Vec<(i64, i64)>, String> {
        let integers = self.integers(name)?;
        match integers[..] {
            [] => Ok(vec![(0, 0); count]),
            [same] => Ok(vec![(same, same); count]),
            _ if integers.len() == 2 * count => Ok(integers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()),
            _ => Err(Self::missing(name)),
        }
    }

    /// A list of booleans, of which there are `count`; none is false for all.
    pub fn booleans(self, name: &str, count: usize) -> Result<Vec<bool>, String> {
        let booleans = match self.get(name) {
            None => vec![false; count],
            Some(Attribute::Booleans(values)) => values.to_vec(),
            Some(Attribute::Dense(dense)) => {
                let Elements::Inline(text) = &dense.elements else { return Err(Self::missing(name)) };
                let words: Vec<bool> = words(text).map(|word| matches!(word, "true" | "1")).collect();
                if words.len() == 1 { vec![words[0]; count] } else { words }
            }
            Some(value) => {
                let integers = value.as_integers().ok_or_else(|| Self::missing(name))?;
                integers.iter().map(|&value| value != 0).collect()
            }
        };
        if booleans.len() == count { Ok(booleans) } else { Err(Self::missing(name)) }
    }

    /// A word of an enumeration, or a string.
    pub fn word(self, name: &str) -> Option<&'g str> {
        self.get(name).and_then(Attribute::as_text)
    }

    /// The text of an attribute that is kept as it was written.
    pub fn text(self, name: &str) -> Result<&'g str, String> {
        match self.get(name) {
            Some(Attribute::Other(text) | Attribute::String(text)) => Ok(text),
            _ => Err(Self::missing(name)),
        }
    }

    /// Whether a flag is set.
    pub fn flag(self, name: &str) -> bool {
        self.get(name).and_then(Attribute::as_boolean).unwrap_or(false)
    }

    /// Attributes inside an attribute; none is an empty dictionary.
    pub fn inner(self, name: &str) -> Result<Attributes<'g>, String> {
        match self.get(name) {
            Some(Attribute::Dictionary(inner)) => Ok(Attributes(inner)),
            _ => Err(Self::missing(name)),
        }
    }

    /// The elements of a constant.
    pub fn dense(self, name: &str) -> Result<&'g Elements, String> {
        match self.get(name) {
            Some(Attribute::Dense(dense)) => Ok(&dense.elements),
            _ => Err(Self::missing(name)),
        }
    }

    /// The attribute itself.
    pub fn any(self, name: &str) -> Option<&'g Attribute> {
        self.get(name)
    }
}

/// How many elements an attribute of a type like `tensor<4x2xi64>` has. Nobody writes thousands.
fn element_count(r#type: &str) -> Option<usize> {
    let (extents, _) = r#type.strip_prefix("tensor<")?.rsplit_once('x').unwrap_or(("", ""));
    let mut extents = extents.split('x').filter(|extent| !extent.is_empty()).map(|extent| extent.trim().parse().ok());
    let count = extents.try_fold(1usize, |count, extent: Option<usize>| count.checked_mul(extent?))?;
    (count <= 1 << 16).then_some(count)
}

/// The words between brackets and commas.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(['[', ']', ',', ' ']).filter(|word| !word.is_empty())
}

fn dense_integers(elements: &Elements) -> Option<Vec<i64>> {
    match elements {
        Elements::Inline(text) if text.starts_with('"') => {
            let digits = text.trim_matches('"').strip_prefix("0x")?;
            let bytes: Vec<u8> = super::constant::hexadecimal(digits)?;
            Some(bytes.chunks_exact(8).map(|word| i64::from_le_bytes(word.try_into().unwrap_or_default())).collect())
        }
        Elements::Inline(text) => words(text).map(|word| word.parse().ok()).collect(),
        _ => None,
    }
}
