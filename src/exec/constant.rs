//! The elements of constants: nested lists, one element for all, hexadecimal blobs, resources.

use super::encode_float;
use super::scalar::FloatScalar;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::{Elements, FloatKind, TrainingGraph};

/// More elements in one constant are refused: they would not fit memory.
const MOST_ELEMENTS: usize = 1 << 31;

/// Reads the elements of a constant of a shape.
pub(super) fn read_constant<S: FloatScalar>(
    graph: &TrainingGraph,
    elements: &Elements,
    shape: &TensorShape,
) -> Result<Tensor<S>, String> {
    let count: usize = shape.shape.iter().product();
    if count > MOST_ELEMENTS {
        return Err(format!("the constant has {count} elements, which is not supported"));
    }
    let words = match elements {
        Elements::Inline(text) if text.starts_with('"') => {
            let digits = text.trim_matches('"').strip_prefix("0x").ok_or("the blob of a constant begins with 0x")?;
            let bytes = hexadecimal(digits).ok_or("the blob of a constant is not hexadecimal")?;
            words_of_bytes(&bytes, count, shape.element)?
        }
        Elements::Inline(text) => words_of_list(text, shape.element)?,
        Elements::Array(_) => return Err("the constant is an array attribute and not a dense one".into()),
        Elements::Resource(key) => {
            let text = graph.resource(key).ok_or_else(|| format!("there is no resource `{key}`"))?;
            let digits = text.trim_matches('"').strip_prefix("0x").unwrap_or(text);
            let bytes = hexadecimal(digits).ok_or_else(|| format!("the resource `{key}` is not hexadecimal"))?;
            // The first four bytes are its alignment.
            let bytes = bytes.get(4..).ok_or_else(|| format!("the resource `{key}` is too short"))?;
            words_of_bytes(bytes, count, shape.element)?
        }
    };
    let words_per_element = if matches!(shape.element, Element::Complex(_)) { 2 } else { 1 };
    let words = if words.len() == words_per_element && count != 1 { words.repeat(count) } else { words };
    if words.len() != count * words_per_element {
        return Err(format!("the constant has {} elements, its type {count}", words.len() / words_per_element));
    }
    Tensor::from_bits(shape, &words).ok_or_else(|| "the constant does not fit its type".into())
}

/// Bytes from pairs of digits.
pub(super) fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| (digit as char).to_digit(16);
    let pairs = digits.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some((value(pair[0])? * 16 + value(pair[1])?) as u8)).collect()
}

/// Elements stand in whole bytes, little end first; booleans one in a byte, or eight.
fn words_of_bytes(bytes: &[u8], count: usize, element: Element) -> Result<Vec<u64>, String> {
    let is_packed = element == Element::Boolean && bytes.len() != count && bytes.len() == count.div_ceil(8);
    if is_packed && count != 1 {
        return Ok((0..count).map(|position| u64::from(bytes[position / 8] >> (position % 8) & 1)).collect());
    }
    let width = match element {
        Element::Complex(kind) => kind.bits(),
        other => other.bits(),
    };
    let width = width.div_ceil(8) as usize;
    if !bytes.len().is_multiple_of(width) {
        return Err(format!("the blob of a constant has {} bytes, no multiple of {width}", bytes.len()));
    }
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    Ok(bytes.chunks_exact(width).map(word).collect())
}

fn words_of_list(text: &str, element: Element) -> Result<Vec<u64>, String> {
    let is_delimiter = |character: char| matches!(character, '[' | ']' | '(' | ')' | ',' | ' ' | '\n' | '\t');
    let words = text.split(is_delimiter).filter(|word| !word.is_empty());
    words.map(|word| bits_of_word(word, element).ok_or_else(|| format!("`{word}` is no {element}"))).collect()
}

fn bits_of_word(word: &str, element: Element) -> Option<u64> {
    match element {
        Element::Boolean => match word {
            "true" | "1" => Some(1),
            "false" | "0" => Some(0),
            _ => None,
        },
        Element::Signed(_) | Element::Unsigned(_) => match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => word.parse::<i128>().ok().map(|value| value as u64),
        },
        Element::Float(kind) | Element::Complex(kind) => match word.strip_prefix("0x") {
            // The bits themselves: this is how infinities and NaN are written.
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None if kind == FloatKind::F32 => word.parse::<f32>().ok().map(|value| u64::from(value.to_bits())),
            None => word.parse::<f64>().ok().map(|value| encode_float(kind, value)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::GraphBuilder;

    fn read(text: &str, shape: &[usize], element: Element) -> Result<Vec<u64>, String> {
        let mut builder = GraphBuilder::new("empty");
        let x = builder.input("x", "tensor<f32>");
        builder.output("y", x);
        let graph = builder.finish().expect("a graph");
        let shape = TensorShape { shape: shape.to_vec(), element };
        read_constant::<f64>(&graph, &Elements::Inline(text.into()), &shape).map(|tensor| tensor.to_bits())
    }

    #[test]
    fn all_ways_to_write_a_constant_are_read() {
        let f32_bits = |values: &[f32]| values.iter().map(|value| u64::from(value.to_bits())).collect::<Vec<_>>();
        let float = Element::Float(FloatKind::F32);
        assert_eq!(
            read("[[1.0, -2.5], [0x7F800000, 1.0E-3]]", &[2, 2], float),
            Ok(f32_bits(&[1.0, -2.5, f32::INFINITY, 1.0e-3]))
        );
        assert_eq!(read("0.1", &[3], float), Ok(f32_bits(&[0.1, 0.1, 0.1])));
        assert_eq!(read("\"0x0000803F00000040\"", &[2], float), Ok(f32_bits(&[1.0, 2.0])));
        assert_eq!(read("\"0x0000803F\"", &[2], float), Ok(f32_bits(&[1.0, 1.0])));
        assert_eq!(read("(1.0, 2.0)", &[2], Element::Complex(FloatKind::F32)), Ok(f32_bits(&[1.0, 2.0, 1.0, 2.0])));
        assert_eq!(read("[-1, 7]", &[2], Element::Signed(4)), Ok(vec![15, 7]));
        assert_eq!(read("\"0x05\"", &[3], Element::Boolean), Ok(vec![1, 0, 1]));
        assert_eq!(read("\"0x010001\"", &[3], Element::Boolean), Ok(vec![1, 0, 1]));
        assert_eq!(read("", &[0], float), Ok(vec![]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let float = Element::Float(FloatKind::F32);
        for (text, shape) in [("[1.0, 2.0]", 3), ("\"0x00\"", 1), ("\"0xZZ\"", 1), ("one", 1), ("\"\"", 1)] {
            assert!(read(text, &[shape], float).is_err(), "{text}");
        }
    }
}
