//! Types of values: tensors, tokens, tuples.

use std::fmt;

use crate::index::define_id;

define_id! {
    /// A type of a graph; equal types have equal ids.
    TypeId
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A dense array. StableHLO specification, section "Types".
    Tensor(TensorType),
    /// Orders side effects; carries no data, but is treated as a value like any other.
    Token,
    /// Several values in one.
    Tuple(Box<[TypeId]>),
    /// A type that this version does not look into, as it is written.
    Other(Box<str>),
}

/// A dense array: its shape and what one element is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Extent of each dimension; [`None`] is `?`, known only at run time. [`None`] for the whole: unranked.
    pub dimensions: Option<Box<[Option<u64>]>>,
    /// What one element is.
    pub element: ElementType,
    /// Encoding attribute (bounds, sparsity, sharding), as it is written.
    pub encoding: Option<Box<str>>,
}

impl TensorType {
    /// A tensor of known shape.
    pub fn new(dimensions: impl IntoIterator<Item = u64>, element: ElementType) -> Self {
        TensorType { dimensions: Some(dimensions.into_iter().map(Some).collect()), element, encoding: None }
    }

    /// How many elements there are, if that is known and fits 64 bits.
    pub fn element_count(&self) -> Option<u64> {
        self.dimensions.as_ref()?.iter().try_fold(1u64, |product, extent| product.checked_mul((*extent)?))
    }

    /// How many dimensions there are, if that is known.
    pub fn rank(&self) -> Option<usize> {
        self.dimensions.as_ref().map(|dimensions| dimensions.len())
    }
}

/// What one element of a tensor is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// `i1`: false or true.
    Boolean,
    /// `i2`, `i4`, `i8`, ...: signed, or signless as StableHLO writes it. The width in bits.
    Signed(u32),
    /// `ui2`, `ui4`, `ui8`, ...: unsigned. The width in bits.
    Unsigned(u32),
    /// `f16`, `bf16`, `f32`, `f64`, `f8E4M3FN`, `tf32` and so on.
    Float(FloatKind),
    /// `complex<f32>` or `complex<f64>`.
    Complex(FloatKind),
    /// `index`.
    Index,
    /// `!quant.uniform<..>`, as it is written; `storage` is the type that holds it.
    Quantized {
        /// Width in bits of the storage type.
        storage_bits: u32,
        /// The whole type as it is written.
        text: Box<str>,
    },
    /// Any other, as it is written.
    Other(Box<str>),
}

macro_rules! float_kinds {
    ($($(#[$meta:meta])* $variant:ident $name:literal $bits:literal,)*) => {
        /// A floating-point format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FloatKind { $($(#[$meta])* $variant,)* }

        impl FloatKind {
            /// All formats.
            pub const ALL: &[FloatKind] = &[$(FloatKind::$variant),*];

            /// How MLIR writes it.
            pub fn name(self) -> &'static str {
                match self { $(FloatKind::$variant => $name,)* }
            }

            /// Its width in bits.
            pub fn bits(self) -> u32 {
                match self { $(FloatKind::$variant => $bits,)* }
            }
        }
    };
}

float_kinds! {
    /// 4 bits: 2 exponent, 1 mantissa.
    F4E2M1FN "f4E2M1FN" 4,
    /// 6 bits: 2 exponent, 3 mantissa.
    F6E2M3FN "f6E2M3FN" 6,
    /// 6 bits: 3 exponent, 2 mantissa.
    F6E3M2FN "f6E3M2FN" 6,
    /// 8 bits: 3 exponent, 4 mantissa.
    F8E3M4 "f8E3M4" 8,
    /// 8 bits: 4 exponent, 3 mantissa.
    F8E4M3 "f8E4M3" 8,
    /// 8 bits, bias 11, no infinities.
    F8E4M3B11FNUZ "f8E4M3B11FNUZ" 8,
    /// 8 bits, no infinities.
    F8E4M3FN "f8E4M3FN" 8,
    /// 8 bits, no infinities, one zero.
    F8E4M3FNUZ "f8E4M3FNUZ" 8,
    /// 8 bits: 5 exponent, 2 mantissa.
    F8E5M2 "f8E5M2" 8,
    /// 8 bits, no infinities, one zero.
    F8E5M2FNUZ "f8E5M2FNUZ" 8,
    /// 8 bits of exponent and nothing else.
    F8E8M0FNU "f8E8M0FNU" 8,
    /// The upper half of binary32.
    BF16 "bf16" 16,
    /// IEEE 754 binary16.
    F16 "f16" 16,
    /// IEEE 754 binary32.
    F32 "f32" 32,
    /// IEEE 754 binary64.
    F64 "f64" 64,
    /// x87 extended precision.
    F80 "f80" 80,
    /// IEEE 754 binary128.
    F128 "f128" 128,
    /// NVIDIA's 19-bit format.
    TF32 "tf32" 19,
}

impl ElementType {
    /// Reads the name of an element type. `index`, integers and floats; the others have structure and are
    /// built by the reader.
    pub fn from_name(name: &str) -> Option<ElementType> {
        let width = |digits: &str| digits.parse::<u32>().ok().filter(|bits| (1..=1 << 20).contains(bits));
        if let Some(kind) = FloatKind::ALL.iter().find(|kind| kind.name() == name) {
            return Some(ElementType::Float(*kind));
        }
        if name == "index" {
            return Some(ElementType::Index);
        }
        if let Some(digits) = name.strip_prefix("ui") {
            return width(digits).map(ElementType::Unsigned);
        }
        match width(name.strip_prefix("si").or_else(|| name.strip_prefix('i'))?)? {
            1 => Some(ElementType::Boolean),
            bits => Some(ElementType::Signed(bits)),
        }
    }

    /// The width of one element in bits, if it is known.
    pub fn bits(&self) -> Option<u32> {
        match self {
            ElementType::Boolean => Some(1),
            ElementType::Signed(bits) | ElementType::Unsigned(bits) => Some(*bits),
            ElementType::Float(kind) => Some(kind.bits()),
            ElementType::Complex(kind) => Some(2 * kind.bits()),
            ElementType::Index => Some(64),
            ElementType::Quantized { storage_bits, .. } => Some(*storage_bits),
            ElementType::Other(_) => None,
        }
    }

    /// Whether it can be differentiated.
    pub fn is_continuous(&self) -> bool {
        !matches!(self, ElementType::Boolean | ElementType::Signed(_) | ElementType::Unsigned(_) | ElementType::Index)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElementType::Boolean => f.write_str("i1"),
            ElementType::Signed(bits) => write!(f, "i{bits}"),
            ElementType::Unsigned(bits) => write!(f, "ui{bits}"),
            ElementType::Float(kind) => f.write_str(kind.name()),
            ElementType::Complex(kind) => write!(f, "complex<{}>", kind.name()),
            ElementType::Index => f.write_str("index"),
            ElementType::Quantized { text, .. } | ElementType::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensor<")?;
        match &self.dimensions {
            None => f.write_str("*x")?,
            Some(dimensions) => {
                for extent in dimensions {
                    match extent {
                        Some(extent) => write!(f, "{extent}x")?,
                        None => f.write_str("?x")?,
                    }
                }
            }
        }
        write!(f, "{}", self.element)?;
        if let Some(encoding) = &self.encoding {
            write!(f, ", {encoding}")?;
        }
        f.write_str(">")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_types_are_read_back_as_they_are_written() {
        for name in ["i1", "i4", "ui8", "i64", "f32", "bf16", "f8E4M3FN", "index"] {
            assert_eq!(ElementType::from_name(name).expect(name).to_string(), name);
        }
        for name in ["", "i", "ix", "i0", "f31", "uint8", "i99999999999"] {
            assert_eq!(ElementType::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn the_element_count_of_a_shape_is_known_or_not() {
        let float = ElementType::Float(FloatKind::F32);
        assert_eq!(TensorType::new([2, 3, 4], float.clone()).element_count(), Some(24));
        assert_eq!(TensorType::new([], float.clone()).element_count(), Some(1));
        assert_eq!(TensorType::new([u64::MAX, 2], float.clone()).element_count(), None);
        let dynamic = TensorType { dimensions: Some([None, Some(2)].into()), element: float, encoding: None };
        assert_eq!(dynamic.element_count(), None);
        assert_eq!(dynamic.to_string(), "tensor<?x2xf32>");
    }
}
