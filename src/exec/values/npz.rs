//! `.npz`: a ZIP archive of `.npy` files.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{StoredTensor, StoredTensors, bytes_of, words_of};
use crate::exec::tensor::{Element, TensorShape};
use crate::exec::{decode_float, encode_float};
use crate::graph::FloatKind;

/// More bytes in all, once unpacked, are refused.
const LARGEST_CONTENT: u64 = 4 << 30;

pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, StoredTensor)>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("not an npz file: {error}"))?;
    let mut room = LARGEST_CONTENT;
    let mut tensors = Vec::new();
    for position in 0..archive.len() {
        let mut file = archive.by_index(position).map_err(|error| format!("not an npz file: {error}"))?;
        let name = file.name().map_err(|error| format!("not an npz file: {error}"))?.into_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name);
        let mut content = Vec::new();
        let read = file.by_ref().take(room + 1).read_to_end(&mut content);
        read.map_err(|error| format!("`{name}` cannot be unpacked: {error}"))?;
        room = room.checked_sub(content.len() as u64).ok_or("the archive holds more than 4 GiB")?;
        let tensor = read_array(&content).map_err(|why| format!("`{name}`: {why}"))?;
        tensors.push((name.to_string(), tensor));
    }
    Ok(tensors)
}

/// One `.npy` file: a magic word, a version, a Python dictionary, elements.
fn read_array(bytes: &[u8]) -> Result<StoredTensor, String> {
    let malformed = || String::from("not an npy file");
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(malformed)?;
    let (length_bytes, start) = match rest.first() {
        Some(1) => (2, 4),
        Some(2 | 3) => (4, 6),
        _ => return Err("the version of the npy file is not supported".into()),
    };
    let length = rest.get(2..2 + length_bytes).ok_or_else(malformed)?;
    let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    let header = rest.get(start..).and_then(|rest| rest.get(..length)).ok_or_else(malformed)?;
    let header = std::str::from_utf8(header).map_err(|_| malformed())?;
    let data = &rest[start + length..];

    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start());
    let descriptor =
        after("'descr':").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split('\'').next());
    let descriptor = descriptor.ok_or_else(malformed)?;
    let is_fortran = after("'fortran_order':").ok_or_else(malformed)?.starts_with("True");
    let extents = after("'shape':").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split(')').next());
    let extents = extents.ok_or_else(malformed)?.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape = extents.map(|extent| extent.parse().map_err(|_| malformed())).collect::<Result<Vec<usize>, _>>()?;

    let (element, is_raw) = element_of(descriptor).ok_or_else(|| format!("the type {descriptor} is not supported"))?;
    let parts = if matches!(element, Element::Complex(_)) { 2 } else { 1 };
    let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent)).ok_or_else(malformed)?;
    if Some(data.len()) != count.checked_mul(parts * super::word_bytes(element)) {
        return Err(format!("{} bytes of elements do not fit the shape {shape:?}", data.len()));
    }
    let words = words_of(data, element);
    let words = if is_fortran { row_major(&words, &shape, parts) } else { words };
    Ok(StoredTensor { r#type: TensorShape { shape, element }, words, is_raw })
}

/// From the order in which the first dimension runs fastest.
fn row_major(words: &[u64], shape: &[usize], parts: usize) -> Vec<u64> {
    let mut result = Vec::with_capacity(words.len());
    let mut position = vec![0; shape.len()];
    for _ in 0..words.len() / parts {
        let at = position.iter().zip(shape).rev().fold(0, |at, (&index, &extent)| at * extent + index);
        result.extend_from_slice(&words[at * parts..(at + 1) * parts]);
        for dimension in (0..shape.len()).rev() {
            position[dimension] += 1;
            if position[dimension] < shape[dimension] {
                break;
            }
            position[dimension] = 0;
        }
    }
    result
}

/// The element type, and whether NumPy itself does not know it.
fn element_of(descriptor: &str) -> Option<(Element, bool)> {
    let kind = descriptor.strip_prefix(['<', '|', '='])?;
    Some(match kind {
        "b1" => (Element::Boolean, false),
        "i1" => (Element::Signed(8), false),
        "i2" => (Element::Signed(16), false),
        "i4" => (Element::Signed(32), false),
        "i8" => (Element::Signed(64), false),
        "u1" => (Element::Unsigned(8), false),
        "u2" => (Element::Unsigned(16), false),
        "u4" => (Element::Unsigned(32), false),
        "u8" => (Element::Unsigned(64), false),
        "f2" => (Element::Float(FloatKind::F16), false),
        "f4" => (Element::Float(FloatKind::F32), false),
        "f8" => (Element::Float(FloatKind::F64), false),
        "c8" => (Element::Complex(FloatKind::F32), false),
        "c16" => (Element::Complex(FloatKind::F64), false),
        // bfloat16, and what has one byte.
        "V2" => (Element::Unsigned(16), true),
        "V1" => (Element::Unsigned(8), true),
        _ => return None,
    })
}

pub(super) fn write(tensors: &StoredTensors) -> Result<Vec<u8>, String> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |error: &dyn std::fmt::Display| format!("the npz file cannot be made: {error}");
    // Stored and without a time of day: equal tensors make equal files.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, tensor) in tensors {
        archive.start_file(format!("{name}.npy"), options).map_err(|error| failed(&error))?;
        archive.write_all(&array_bytes(tensor)).map_err(|error| failed(&error))?;
    }
    archive.finish().map(Cursor::into_inner).map_err(|error| failed(&error))
}

fn array_bytes(tensor: &StoredTensor) -> Vec<u8> {
    let tensor = storable(tensor);
    let descriptor = match tensor.r#type.element {
        Element::Boolean => "|b1".to_string(),
        Element::Signed(8) => "|i1".to_string(),
        Element::Unsigned(8) => "|u1".to_string(),
        Element::Signed(bits) => format!("<i{}", bits / 8),
        Element::Unsigned(bits) => format!("<u{}", bits / 8),
        Element::Float(kind) => format!("<f{}", kind.bits() / 8),
        Element::Complex(kind) => format!("<c{}", kind.bits() / 4),
    };
    let extents: Vec<String> = tensor.r#type.shape.iter().map(|extent| format!("{extent},")).collect();
    let header = format!("{{'descr': '{descriptor}', 'fortran_order': False, 'shape': ({}), }}", extents.join(" "));
    // The elements begin at a multiple of 64.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = padded - 1).bytes());
    bytes.extend(bytes_of(&tensor));
    bytes
}

/// NumPy has no narrow floats but one, and no integers narrower than a byte: they are widened, which loses nothing.
fn storable(tensor: &StoredTensor) -> StoredTensor {
    let mut tensor = tensor.clone();
    match tensor.r#type.element {
        Element::Float(kind) if !matches!(kind, FloatKind::F16 | FloatKind::F32 | FloatKind::F64) => {
            for word in &mut tensor.words {
                *word = encode_float(FloatKind::F32, decode_float(kind, *word));
            }
            tensor.r#type.element = Element::Float(FloatKind::F32);
        }
        Element::Signed(bits) if !bits.is_multiple_of(8) => {
            let width = bits.next_power_of_two().max(8);
            for word in &mut tensor.words {
                *word = crate::exec::tensor::wrap_signed(*word as i64, bits) as u64;
            }
            tensor.r#type.element = Element::Signed(width);
        }
        Element::Unsigned(bits) if !bits.is_multiple_of(8) => {
            tensor.r#type.element = Element::Unsigned(bits.next_power_of_two().max(8));
        }
        _ => {}
    }
    tensor
}
