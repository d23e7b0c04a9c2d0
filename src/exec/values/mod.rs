//! Tensors in files: `.safetensors` and `.npz`. Bytes in, bytes out; the disk is somebody else's.

mod npz;
mod safetensors;

use std::collections::BTreeMap;

use super::scalar::FloatScalar;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::PytreePath;

/// A tensor as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its shape and element type.
    pub r#type: TensorShape,
    /// The bits of its elements, see [`Tensor::from_bits`].
    pub words: Vec<u64>,
    /// The file has raw bytes of this many bits for elements, as NumPy does for types that it does not know.
    pub is_raw: bool,
}

impl StoredTensor {
    /// What a tensor holds; none for tokens and tuples.
    pub fn of<S: FloatScalar>(tensor: &Tensor<S>) -> Option<StoredTensor> {
        let r#type = TensorShape { shape: tensor.shape().to_vec(), element: tensor.element()? };
        Some(StoredTensor { r#type, words: tensor.to_bits(), is_raw: false })
    }

    /// The tensor that an input wants. The shape must be the same, and so must the element type; raw bytes are read as
    /// whatever is wanted, and bytes as narrower integers.
    pub fn as_tensor<S: FloatScalar>(&self, wanted: &TensorShape) -> Result<Tensor<S>, String> {
        let found = &self.r#type;
        let same_width = found.element.bits() == wanted.element.bits().next_multiple_of(8);
        let is_narrow = match (found.element, wanted.element) {
            (Element::Signed(8), Element::Signed(bits)) | (Element::Unsigned(8), Element::Unsigned(bits)) => bits < 8,
            (Element::Unsigned(8), Element::Float(kind)) => kind.bits() <= 8,
            _ => false,
        };
        let fits = found.element == wanted.element || is_narrow || (self.is_raw && same_width);
        if found.shape != wanted.shape || !fits {
            let text = |r#type: &TensorShape| format!("{}{:?}", r#type.element, r#type.shape);
            return Err(format!("it is {} and should be {}", text(found), text(wanted)));
        }
        Tensor::from_bits(wanted, &self.words).ok_or_else(|| "it has not as many elements as its shape says".into())
    }
}

/// Tensors by name. Names are pytree paths with dots; those that JAX prints are brought to that form.
pub type StoredTensors = BTreeMap<String, StoredTensor>;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `.safetensors`
    Safetensors,
    /// `.npz`
    Npz,
}

impl FileKind {
    /// By the end of the name.
    pub fn of_name(name: &str) -> Option<FileKind> {
        match name.rsplit_once('.')?.1 {
            "safetensors" => Some(FileKind::Safetensors),
            "npz" => Some(FileKind::Npz),
            _ => None,
        }
    }
}

/// Reads a file.
pub fn read_tensors(kind: FileKind, bytes: &[u8]) -> Result<StoredTensors, String> {
    let tensors = match kind {
        FileKind::Safetensors => safetensors::read(bytes)?,
        FileKind::Npz => npz::read(bytes)?,
    };
    let mut named = StoredTensors::new();
    for (name, tensor) in tensors {
        let path = PytreePath::parse(&name).to_string();
        if named.insert(path, tensor).is_some() {
            return Err(format!("two tensors have the name `{name}`"));
        }
    }
    Ok(named)
}

/// Writes a file.
pub fn write_tensors(kind: FileKind, tensors: &StoredTensors) -> Result<Vec<u8>, String> {
    match kind {
        FileKind::Safetensors => safetensors::write(tensors),
        FileKind::Npz => npz::write(tensors),
    }
}

/// Elements in whole bytes, little end first.
fn bytes_of(tensor: &StoredTensor) -> Vec<u8> {
    let width = word_bytes(tensor.r#type.element);
    tensor.words.iter().flat_map(|word| word.to_le_bytes().into_iter().take(width)).collect()
}

/// Words of elements that stand in whole bytes.
fn words_of(bytes: &[u8], element: Element) -> Vec<u64> {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    bytes.chunks_exact(word_bytes(element)).map(word).collect()
}

/// How many bytes a word has in a file: an element, or a part of a complex number.
fn word_bytes(element: Element) -> usize {
    let bits = match element {
        Element::Complex(kind) => kind.bits(),
        other => other.bits(),
    };
    bits.div_ceil(8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::FloatKind;

    fn stored(element: Element, shape: &[usize], words: &[u64]) -> StoredTensor {
        StoredTensor { r#type: TensorShape { shape: shape.to_vec(), element }, words: words.to_vec(), is_raw: false }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let tensors: StoredTensors = [
            ("params.w", stored(Element::Float(FloatKind::F32), &[2, 2], &[0x3f80_0000, 0, 0x7f80_0000, 0x8000_0000])),
            ("params.layers.0.b", stored(Element::Signed(32), &[2], &[7, 0xffff_ffff])),
            ("mask", stored(Element::Boolean, &[3], &[1, 0, 1])),
            ("key", stored(Element::Unsigned(64), &[], &[u64::MAX])),
            ("z", stored(Element::Complex(FloatKind::F32), &[1], &[0x3f80_0000, 0x4000_0000])),
            ("none", stored(Element::Float(FloatKind::F64), &[0, 4], &[])),
        ]
        .map(|(name, tensor)| (name.to_string(), tensor))
        .into();
        for kind in [FileKind::Safetensors, FileKind::Npz] {
            let bytes = write_tensors(kind, &tensors).expect("all types are known");
            assert_eq!(read_tensors(kind, &bytes).as_ref(), Ok(&tensors), "{kind:?}");
            for cut in [0, 5, bytes.len() / 2, bytes.len() - 1] {
                assert!(read_tensors(kind, &bytes[..cut]).is_err(), "{kind:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn sixteen_bit_floats_survive_safetensors() {
        let bf16 = stored(Element::Float(FloatKind::BF16), &[2], &[0x3f80, 0xff80]);
        let tensors: StoredTensors = [("x".to_string(), bf16)].into();
        let bytes = write_tensors(FileKind::Safetensors, &tensors).expect("a known type");
        assert_eq!(read_tensors(FileKind::Safetensors, &bytes), Ok(tensors));
    }

    #[test]
    fn a_tensor_of_another_type_is_refused() {
        let found = stored(Element::Float(FloatKind::F64), &[1], &[0]);
        let wanted = TensorShape { shape: vec![1], element: Element::Float(FloatKind::F32) };
        assert_eq!(found.as_tensor::<f64>(&wanted).unwrap_err(), "it is f64[1] and should be f32[1]");
    }
}
