//! Tensors: what the values of a graph are at run time.

use ndarray::{ArcArray, ArrayD, IxDyn};
use num_complex::Complex;

use super::scalar::FloatScalar;
use super::{decode_float, encode_float, format};
use crate::graph::{ElementType, FloatKind, TensorType};

/// Elements in row-major order, shared until somebody writes.
pub type Array<T> = ArcArray<T, IxDyn>;

/// Extents of the dimensions.
pub type Shape = Vec<usize>;

/// What one element of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// False or true.
    Boolean,
    /// A signed integer of so many bits, at most 64.
    Signed(u32),
    /// An unsigned integer of so many bits, at most 64.
    Unsigned(u32),
    /// A float.
    Float(FloatKind),
    /// A complex number.
    Complex(FloatKind),
}

impl Element {
    /// The element of a type of a graph, if the interpreter has it.
    pub fn of(element: &ElementType) -> Option<Element> {
        Some(match element {
            ElementType::Boolean => Element::Boolean,
            ElementType::Signed(bits @ 2..=64) => Element::Signed(*bits),
            ElementType::Unsigned(bits @ 1..=64) => Element::Unsigned(*bits),
            ElementType::Index => Element::Signed(64),
            ElementType::Float(kind) if format::is_supported(*kind) => Element::Float(*kind),
            ElementType::Complex(kind @ (FloatKind::F32 | FloatKind::F64)) => Element::Complex(*kind),
            _ => return None,
        })
    }

    /// The width in bits.
    pub fn bits(self) -> u32 {
        match self {
            Element::Boolean => 1,
            Element::Signed(bits) | Element::Unsigned(bits) => bits,
            Element::Float(kind) => kind.bits(),
            Element::Complex(kind) => 2 * kind.bits(),
        }
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Element::Boolean => f.write_str("i1"),
            Element::Signed(bits) => write!(f, "i{bits}"),
            Element::Unsigned(bits) => write!(f, "ui{bits}"),
            Element::Float(kind) => f.write_str(kind.name()),
            Element::Complex(kind) => write!(f, "complex<{}>", kind.name()),
        }
    }
}

/// A shape and what one element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorShape {
    /// Extents.
    pub shape: Shape,
    /// What one element is.
    pub element: Element,
}

impl TensorShape {
    /// Of a type of a graph, if all extents are known, the interpreter has the element, and there are not too many.
    pub fn of(r#type: &TensorType) -> Option<TensorShape> {
        let extents = r#type.dimensions.as_ref()?.iter();
        let shape = extents.map(|extent| usize::try_from((*extent)?).ok()).collect::<Option<Shape>>()?;
        super::kernels::volume("type", &shape).ok()?;
        Some(TensorShape { shape, element: Element::of(&r#type.element)? })
    }
}

/// A value of a graph at run time.
///
/// Integers of all widths are held in 64 bits, sign extended or zero extended; floats of all types as the scalar `S`, rounded
/// to their type.
#[derive(Clone, Debug)]
pub enum Tensor<S> {
    /// Booleans.
    Boolean(Array<bool>),
    /// Signed integers of a width.
    Signed(u32, Array<i64>),
    /// Unsigned integers of a width.
    Unsigned(u32, Array<u64>),
    /// Floats of a type.
    Float(FloatKind, Array<S>),
    /// Complex numbers of a type.
    Complex(FloatKind, Array<Complex<S>>),
    /// The order of side effects.
    Token,
    /// Several values in one.
    Tuple(Vec<Tensor<S>>),
}

/// Runs an expression with `$array` bound to the array of a tensor, whatever its elements; the value is wrapped again as a
/// tensor of the same elements. Tokens and tuples are an error.
macro_rules! same_element {
    ($tensor:expr, |$array:ident| $body:expr) => {
        match $tensor {
            Tensor::Boolean($array) => Ok(Tensor::Boolean($body)),
            Tensor::Signed(bits, $array) => Ok(Tensor::Signed(bits, $body)),
            Tensor::Unsigned(bits, $array) => Ok(Tensor::Unsigned(bits, $body)),
            Tensor::Float(kind, $array) => Ok(Tensor::Float(kind, $body)),
            Tensor::Complex(kind, $array) => Ok(Tensor::Complex(kind, $body)),
            Tensor::Token | Tensor::Tuple(_) => Err(String::from(super::tensor::NO_TENSOR)),
        }
    };
}
pub(super) use same_element;

/// Runs an expression with the arrays of two tensors of one kind of element.
macro_rules! same_elements {
    ($first:expr, $second:expr, |$a:ident, $b:ident| $body:expr) => {
        match ($first, $second) {
            (Tensor::Boolean($a), Tensor::Boolean($b)) => Ok(Tensor::Boolean($body)),
            (Tensor::Signed(bits, $a), Tensor::Signed(_, $b)) => Ok(Tensor::Signed(bits, $body)),
            (Tensor::Unsigned(bits, $a), Tensor::Unsigned(_, $b)) => Ok(Tensor::Unsigned(bits, $body)),
            (Tensor::Float(kind, $a), Tensor::Float(_, $b)) => Ok(Tensor::Float(kind, $body)),
            (Tensor::Complex(kind, $a), Tensor::Complex(_, $b)) => Ok(Tensor::Complex(kind, $body)),
            _ => Err(String::from(super::tensor::NOT_ALIKE)),
        }
    };
}
pub(super) use same_elements;

pub(super) const NO_TENSOR: &str = "the operand is a token or a tuple and not a tensor";
pub(super) const NOT_ALIKE: &str = "the operands are not of one element type";

impl<S: FloatScalar> Tensor<S> {
    /// What one element is; none for tokens and tuples.
    pub fn element(&self) -> Option<Element> {
        Some(match self {
            Tensor::Boolean(_) => Element::Boolean,
            Tensor::Signed(bits, _) => Element::Signed(*bits),
            Tensor::Unsigned(bits, _) => Element::Unsigned(*bits),
            Tensor::Float(kind, _) => Element::Float(*kind),
            Tensor::Complex(kind, _) => Element::Complex(*kind),
            Tensor::Token | Tensor::Tuple(_) => return None,
        })
    }

    /// Extents; empty for tokens and tuples.
    pub fn shape(&self) -> &[usize] {
        match self {
            Tensor::Boolean(array) => array.shape(),
            Tensor::Signed(_, array) => array.shape(),
            Tensor::Unsigned(_, array) => array.shape(),
            Tensor::Float(_, array) => array.shape(),
            Tensor::Complex(_, array) => array.shape(),
            Tensor::Token | Tensor::Tuple(_) => &[],
        }
    }

    /// How many elements there are; 1 for tokens and tuples.
    pub fn element_count(&self) -> usize {
        self.shape().iter().product()
    }

    /// Where its elements are: one address for arrays that are shared; 0 for tokens and tuples.
    pub(super) fn address(&self) -> usize {
        match self {
            Tensor::Boolean(array) => array.as_ptr().addr(),
            Tensor::Signed(_, array) => array.as_ptr().addr(),
            Tensor::Unsigned(_, array) => array.as_ptr().addr(),
            Tensor::Float(_, array) => array.as_ptr().addr(),
            Tensor::Complex(_, array) => array.as_ptr().addr(),
            Tensor::Token | Tensor::Tuple(_) => 0,
        }
    }

    /// A tensor from the bits of its elements in row-major order, each in the low bits of a word. Complex numbers
    /// take two words for an element, the real part first. The count must fit the shape.
    pub fn from_bits(shape: &TensorShape, bits: &[u64]) -> Option<Tensor<S>> {
        let extents = IxDyn(&shape.shape);
        let float = |kind, &bits: &u64| <S as super::kernels::Field>::from_f64(decode_float(kind, bits));
        Some(match shape.element {
            Element::Boolean => Tensor::Boolean(array(extents, bits.iter().map(|bits| bits & 1 == 1).collect())?),
            Element::Signed(width) => Tensor::Signed(
                width,
                array(extents, bits.iter().map(|&bits| wrap_signed(bits as i64, width)).collect())?,
            ),
            Element::Unsigned(width) => {
                Tensor::Unsigned(width, array(extents, bits.iter().map(|&bits| wrap_unsigned(bits, width)).collect())?)
            }
            Element::Float(kind) => {
                Tensor::Float(kind, array(extents, bits.iter().map(|bits| float(kind, bits)).collect())?)
            }
            Element::Complex(kind) => {
                let pairs = bits.chunks_exact(2);
                let numbers = pairs.map(|pair| Complex::new(float(kind, &pair[0]), float(kind, &pair[1])));
                Tensor::Complex(kind, array(extents, numbers.collect())?)
            }
        })
    }

    /// The bits of its elements, the inverse of [`Tensor::from_bits`]; empty for tokens and tuples.
    pub fn to_bits(&self) -> Vec<u64> {
        match self {
            Tensor::Boolean(array) => array.iter().map(|&value| u64::from(value)).collect(),
            Tensor::Signed(width, array) => array.iter().map(|&value| wrap_unsigned(value as u64, *width)).collect(),
            Tensor::Unsigned(_, array) => array.iter().copied().collect(),
            Tensor::Float(kind, array) => array.iter().map(|value| encode_float(*kind, value.value())).collect(),
            Tensor::Complex(kind, array) => {
                let parts = array.iter().flat_map(|number| [number.re, number.im]);
                parts.map(|part| encode_float(*kind, part.value())).collect()
            }
            Tensor::Token | Tensor::Tuple(_) => Vec::new(),
        }
    }

    /// The elements as integers, where they are integers or booleans.
    pub(super) fn as_integers(&self) -> Result<ArrayD<i64>, String> {
        match self {
            Tensor::Signed(_, array) => Ok(array.to_owned()),
            Tensor::Unsigned(_, array) => Ok(array.mapv(|value| i64::try_from(value).unwrap_or(i64::MAX)).to_owned()),
            Tensor::Boolean(array) => Ok(array.mapv(i64::from).to_owned()),
            _ => Err("the operand does not hold integers".into()),
        }
    }

    /// The only element, as an integer.
    pub(super) fn as_index(&self) -> Result<i64, String> {
        match self {
            Tensor::Signed(_, array) if array.len() == 1 => array.first().copied(),
            Tensor::Unsigned(_, array) if array.len() == 1 => {
                array.first().map(|&value| i64::try_from(value).unwrap_or(i64::MAX))
            }
            _ => None,
        }
        .ok_or_else(|| "an index is not one integer".into())
    }

    /// The only element, as a truth value.
    pub(super) fn as_condition(&self) -> Result<bool, String> {
        match self {
            Tensor::Boolean(array) if array.len() == 1 => array.first().copied(),
            _ => None,
        }
        .ok_or_else(|| "a predicate is not one boolean".into())
    }
}

fn array<T>(extents: IxDyn, elements: Vec<T>) -> Option<Array<T>> {
    Array::from_shape_vec(extents, elements).ok()
}

/// The low `bits` of a number, sign extended.
#[inline]
pub(super) fn wrap_signed(value: i64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused) >> unused
}

/// The low `bits` of a number.
#[inline]
pub(super) fn wrap_unsigned(value: u64, bits: u32) -> u64 {
    let unused = 64 - bits;
    (value << unused) >> unused
}
