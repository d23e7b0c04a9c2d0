//! `.safetensors`.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{StoredTensor, StoredTensors, bytes_of, words_of};
use crate::exec::tensor::{Element, TensorShape};
use crate::graph::FloatKind;

const TYPES: &[(Dtype, Element)] = &[
    (Dtype::BOOL, Element::Boolean),
    (Dtype::I8, Element::Signed(8)),
    (Dtype::I16, Element::Signed(16)),
    (Dtype::I32, Element::Signed(32)),
    (Dtype::I64, Element::Signed(64)),
    (Dtype::U8, Element::Unsigned(8)),
    (Dtype::U16, Element::Unsigned(16)),
    (Dtype::U32, Element::Unsigned(32)),
    (Dtype::U64, Element::Unsigned(64)),
    (Dtype::F8_E5M2, Element::Float(FloatKind::F8E5M2)),
    (Dtype::F8_E4M3, Element::Float(FloatKind::F8E4M3FN)),
    (Dtype::F8_E8M0, Element::Float(FloatKind::F8E8M0FNU)),
    (Dtype::F8_E4M3FNUZ, Element::Float(FloatKind::F8E4M3FNUZ)),
    (Dtype::F8_E5M2FNUZ, Element::Float(FloatKind::F8E5M2FNUZ)),
    (Dtype::F16, Element::Float(FloatKind::F16)),
    (Dtype::BF16, Element::Float(FloatKind::BF16)),
    (Dtype::F32, Element::Float(FloatKind::F32)),
    (Dtype::F64, Element::Float(FloatKind::F64)),
    (Dtype::C64, Element::Complex(FloatKind::F32)),
];

pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, StoredTensor)>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
    let tensors = file.iter().map(|(name, view)| {
        let r#type = TYPES.iter().find(|(r#type, _)| *r#type == view.dtype());
        let element =
            r#type.ok_or_else(|| format!("`{name}` has the type {:?}, which is not supported", view.dtype()))?.1;
        let r#type = TensorShape { shape: view.shape().to_vec(), element };
        Ok((name.to_string(), StoredTensor { words: words_of(view.data(), element), r#type, is_raw: false }))
    });
    tensors.collect()
}

/// Integers narrower than a byte are written as bytes, as JAX keeps them.
fn storable(element: Element) -> Element {
    match element {
        Element::Signed(bits) if bits < 8 => Element::Signed(8),
        Element::Unsigned(bits) if bits < 8 => Element::Unsigned(8),
        other => other,
    }
}

pub(super) fn write(tensors: &StoredTensors) -> Result<Vec<u8>, String> {
    let parts = tensors.iter().map(|(name, tensor)| {
        let element = storable(tensor.r#type.element);
        let r#type = TYPES.iter().find(|(_, known)| *known == element);
        let r#type = r#type.ok_or_else(|| format!("`{name}` is {element}: safetensors has no such type, .npz may"))?.0;
        Ok((name.as_str(), r#type, tensor.r#type.shape.clone(), bytes_of(tensor)))
    });
    let parts = parts.collect::<Result<Vec<_>, String>>()?;
    let views = parts.iter().map(|(name, r#type, shape, bytes)| {
        let view = TensorView::new(*r#type, shape.clone(), bytes).map_err(|error| format!("`{name}`: {error}"))?;
        Ok((*name, view))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    safetensors::serialize(views, None).map_err(|error| error.to_string())
}
