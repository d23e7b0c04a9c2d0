//! `convert` and `bitcast_convert`.

use num_complex::Complex;

use super::elementwise::{elements, map, map_in_place, rounded};
use super::kernels::Field;
use super::scalar::FloatScalar;
use super::scalar_program::Scalar;
use super::tensor::{Array, Element, NO_TENSOR, Tensor, TensorShape, wrap_signed, wrap_unsigned};
use crate::graph::FloatKind;

/// Converts elements to another type. Integers wrap around. A float is cut to an integer towards zero; out of range it
/// becomes the nearest one, and NaN becomes 0. Whatever is not zero is true. Imaginary parts are dropped or zero.
pub(super) fn convert<S: FloatScalar>(tensor: Tensor<S>, to: Element) -> Result<Tensor<S>, String> {
    let zero = <S as Field>::from_f64(0.0);
    Ok(match (tensor, to) {
        (Tensor::Boolean(array), _) => match to {
            Element::Boolean => Tensor::Boolean(array),
            Element::Signed(1) => Tensor::Signed(1, map(&array, |value| -i64::from(value))),
            Element::Signed(bits) => Tensor::Signed(bits, map(&array, i64::from)),
            Element::Unsigned(bits) => Tensor::Unsigned(bits, map(&array, u64::from)),
            Element::Float(kind) => Tensor::Float(kind, map(&array, |value| from_integer(i128::from(value), kind))),
            Element::Complex(kind) => {
                Tensor::Complex(kind, map(&array, |value| Complex::new(from_integer(i128::from(value), kind), zero)))
            }
        },
        (Tensor::Signed(_, array), _) => match to {
            Element::Boolean => Tensor::Boolean(map(&array, |value| value != 0)),
            Element::Signed(bits) => Tensor::Signed(bits, map_in_place(array, |value| wrap_signed(value, bits))),
            Element::Unsigned(bits) => Tensor::Unsigned(bits, map(&array, |value| wrap_unsigned(value as u64, bits))),
            Element::Float(kind) => Tensor::Float(kind, map(&array, |value| from_integer(i128::from(value), kind))),
            Element::Complex(kind) => {
                Tensor::Complex(kind, map(&array, |value| Complex::new(from_integer(i128::from(value), kind), zero)))
            }
        },
        (Tensor::Unsigned(_, array), _) => match to {
            Element::Boolean => Tensor::Boolean(map(&array, |value| value != 0)),
            Element::Signed(bits) => Tensor::Signed(bits, map(&array, |value| wrap_signed(value as i64, bits))),
            Element::Unsigned(bits) => Tensor::Unsigned(bits, map_in_place(array, |value| wrap_unsigned(value, bits))),
            Element::Float(kind) => Tensor::Float(kind, map(&array, |value| from_integer(i128::from(value), kind))),
            Element::Complex(kind) => {
                Tensor::Complex(kind, map(&array, |value| Complex::new(from_integer(i128::from(value), kind), zero)))
            }
        },
        (Tensor::Float(_, array), _) => from_floats(array, to),
        (Tensor::Complex(_, array), Element::Complex(kind)) => {
            Tensor::Complex(kind, super::elementwise::rounded_complex(kind, array))
        }
        (Tensor::Complex(_, array), _) => from_floats(map(&array, |value| value.re), to),
        (Tensor::Token | Tensor::Tuple(_), _) => return Err(NO_TENSOR.into()),
    })
}

fn from_floats<S: FloatScalar>(array: Array<S>, to: Element) -> Tensor<S> {
    let zero = <S as Field>::from_f64(0.0);
    match to {
        Element::Boolean => Tensor::Boolean(map(&array, |value| value != zero)),
        Element::Signed(bits) => Tensor::Signed(bits, map(&array, |value| to_signed(value.lost(), bits))),
        Element::Unsigned(bits) => Tensor::Unsigned(bits, map(&array, |value| to_unsigned(value.lost(), bits))),
        Element::Float(kind) => Tensor::Float(kind, rounded(kind, array)),
        Element::Complex(kind) => Tensor::Complex(kind, map(&array, |value| Complex::new(value.rounded(kind), zero))),
    }
}

/// One element.
pub(super) fn convert_single<S: FloatScalar>(scalar: Scalar<S>, to: Element) -> Option<Scalar<S>> {
    let from = match scalar {
        Scalar::Boolean(_) => Element::Boolean,
        Scalar::Signed(_) => Element::Signed(64),
        Scalar::Unsigned(_) => Element::Unsigned(64),
        Scalar::Float(_) => Element::Float(S::WIDEST),
        Scalar::Complex(_) => Element::Complex(S::WIDEST),
    };
    convert(scalar.into_tensor(from), to).ok()?.as_scalar()
}

fn to_signed(value: f64, bits: u32) -> i64 {
    let largest = i64::MAX >> (64 - bits);
    (value as i64).clamp(-largest - 1, largest)
}

fn to_unsigned(value: f64, bits: u32) -> u64 {
    (value as u64).min(u64::MAX >> (64 - bits))
}

/// The nearest float of a type, rounded once.
fn from_integer<S: FloatScalar>(value: i128, kind: FloatKind) -> S {
    let nearest = match kind {
        FloatKind::F64 => value as f64,
        FloatKind::F32 => f64::from(value as f32),
        _ => return <S as Field>::from_f64(round_to_odd(value)).rounded(kind),
    };
    <S as Field>::from_f64(nearest)
}

/// An integer with as many digits as a double has; a remainder is kept as a last bit of 1, so that rounding again to
/// fewer digits gives what rounding once would.
fn round_to_odd(value: i128) -> f64 {
    let size = value.unsigned_abs();
    let excess = (128 - size.leading_zeros()).saturating_sub(53);
    let kept = size >> excess;
    let sticky = u128::from(kept << excess != size);
    let rounded = ((kept | sticky) << excess) as f64;
    if value < 0 { -rounded } else { rounded }
}

/// `bitcast_convert`: the same bits as elements of another width, low bits first.
pub(super) fn bitcast_convert<S: FloatScalar>(tensor: &Tensor<S>, to: Element) -> Result<Tensor<S>, String> {
    let from = tensor.element().ok_or(NO_TENSOR)?;
    let (from_bits, to_bits) = (from.bits(), to.bits());
    if from == to {
        return Ok(tensor.clone());
    }
    // The common case, all of a uniform random number: 32 bits as a float.
    if let (Tensor::Unsigned(32, array), Element::Float(FloatKind::F32)) = (tensor, to) {
        return Ok(Tensor::Float(
            FloatKind::F32,
            map(array, |bits| <S as Field>::from_f64(f64::from(f32::from_bits(bits as u32)))),
        ));
    }
    let as_words = |element: Element, words: Vec<u64>| -> Vec<u128> {
        match element {
            Element::Complex(kind) => {
                let pairs = words.chunks_exact(2);
                pairs.map(|pair| u128::from(pair[0]) | u128::from(pair[1]) << kind.bits()).collect()
            }
            _ => words.into_iter().map(u128::from).collect(),
        }
    };
    if S::HAS_DERIVATIVE {
        count_losses(tensor);
    }
    let words = as_words(from, tensor.to_bits());
    let mask = |bits: u32| if bits >= 128 { u128::MAX } else { (1 << bits) - 1 };
    let words: Vec<u128> = if from_bits >= to_bits {
        let parts = from_bits / to_bits;
        words.iter().flat_map(|word| (0..parts).map(move |part| word >> (part * to_bits) & mask(to_bits))).collect()
    } else {
        let parts = (to_bits / from_bits) as usize;
        let join = |chunk: &[u128]| {
            chunk.iter().rev().fold(0u128, |joined, word| joined << from_bits | (word & mask(from_bits)))
        };
        words.chunks_exact(parts).map(join).collect()
    };
    let words: Vec<u64> = match to {
        Element::Complex(kind) => words
            .iter()
            .flat_map(|word| [word & mask(kind.bits()), word >> kind.bits()])
            .map(|word| word as u64)
            .collect(),
        _ => words.into_iter().map(|word| word as u64).collect(),
    };
    let mut shape = tensor.shape().to_vec();
    match from_bits.cmp(&to_bits) {
        std::cmp::Ordering::Greater => shape.push((from_bits / to_bits) as usize),
        std::cmp::Ordering::Less => {
            let last = shape.pop();
            if last != Some((to_bits / from_bits) as usize) {
                return Err(format!("the last dimension {last:?} does not make whole elements of type {}", to));
            }
        }
        std::cmp::Ordering::Equal => {}
    }
    let result = TensorShape { shape, element: to };
    Tensor::from_bits(&result, &words).ok_or_else(|| "the bits do not fit the type of the result".into())
}

/// Bits have no derivative.
fn count_losses<S: FloatScalar>(tensor: &Tensor<S>) {
    match tensor {
        Tensor::Float(_, array) => array.iter().for_each(|value| _ = value.lost()),
        Tensor::Complex(_, array) => {
            array.iter().flat_map(|number| [number.re, number.im]).for_each(|part| _ = part.lost())
        }
        _ => {}
    }
}

/// `real`, `imag` and `complex` in parts.
pub(super) fn real_part<S: FloatScalar>(tensor: Tensor<S>) -> Result<Tensor<S>, String> {
    match tensor {
        Tensor::Complex(kind, array) => Ok(Tensor::Float(kind, map(&array, |value| value.re))),
        Tensor::Float(..) => Ok(tensor),
        _ => Err("the operand is neither complex nor a float".into()),
    }
}

/// The imaginary part; zero of a real number.
pub(super) fn imaginary_part<S: FloatScalar>(tensor: Tensor<S>) -> Result<Tensor<S>, String> {
    match tensor {
        Tensor::Complex(kind, array) => Ok(Tensor::Float(kind, map(&array, |value| value.im))),
        Tensor::Float(kind, array) => Ok(Tensor::Float(kind, map(&array, |_| <S as Field>::from_f64(0.0)))),
        _ => Err("the operand is neither complex nor a float".into()),
    }
}

/// Complex numbers from their parts.
pub(super) fn complex<S: FloatScalar>(real: &Tensor<S>, imaginary: &Tensor<S>) -> Result<Tensor<S>, String> {
    match (real, imaginary) {
        (Tensor::Float(kind, real), Tensor::Float(_, imaginary)) if real.shape() == imaginary.shape() => {
            Ok(Tensor::Complex(*kind, super::elementwise::zip(real, imaginary, Complex::new)))
        }
        _ => Err("the parts are not floats of one shape".into()),
    }
}

/// Whether all integers of a tensor are within the shape of a dimension; used for shapes that are operands.
pub(super) fn as_shape<S: FloatScalar>(tensor: &Tensor<S>) -> Result<Vec<usize>, String> {
    let convert = |value: i64| usize::try_from(value).map_err(|_| format!("{value} is no extent of a dimension"));
    match tensor {
        Tensor::Signed(_, array) => elements(array).iter().map(|&value| convert(value)).collect(),
        Tensor::Unsigned(_, array) => elements(array).iter().map(|&value| convert(value as i64)).collect(),
        _ => Err("a shape is not made of integers".into()),
    }
}
