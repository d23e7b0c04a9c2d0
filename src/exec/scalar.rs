//! What the interpreter asks of the floats that it computes with.

use std::fmt::Debug;

use half::{bf16, f16};
use num_traits::Float;

use super::format::{decode_float, encode_float};
use super::kernels::{Fourier, special};
use crate::graph::FloatKind;

/// A float to compute with: `f32`, `f64`, or a dual number over one of them.
///
/// All float types of a graph are held as one such scalar. After every operation a result is rounded to its own
/// type, where that is narrower: for `add`, `subtract`, `multiply`, `divide` and `sqrt` that gives the very bits of
/// the narrower type, since both scalars have more than twice its digits.
pub trait FloatScalar: Float + Fourier + Debug + Default {
    /// The widest float type of a graph that it can hold.
    const WIDEST: FloatKind;

    /// Whether it carries more than a value.
    const HAS_DERIVATIVE: bool;

    /// The value, without any derivative.
    fn value(self) -> f64;

    /// The value, for a result that carries no derivative, such as an integer.
    fn lost(self) -> f64 {
        self.value()
    }

    /// The number itself, as the result of a function that is flat here.
    fn flattened(self) -> Self {
        self
    }

    /// The result of a function of this number that has this value and this derivative here. A plain number does not ask
    /// for the derivative.
    fn mapped(self, value: f64, derivative: impl FnOnce() -> f64) -> Self;

    /// Rounds to the nearest number of a type. The derivative of that is taken to be one.
    fn rounded(self, kind: FloatKind) -> Self;

    /// The next number of the type towards another. The derivative of that is zero.
    fn next_after(self, towards: Self, kind: FloatKind) -> Self {
        let (from, to) = (self.value(), towards.value());
        let next = match kind {
            FloatKind::F64 => special::next_after_f64(from, to),
            FloatKind::F32 => f64::from(special::next_after_f32(from as f32, to as f32)),
            _ => next_of_kind(from, to, kind),
        };
        <Self as super::kernels::Field>::from_f64(next)
    }
}

/// The neighbour in a format that is ordered by its bits.
fn next_of_kind(from: f64, to: f64, kind: FloatKind) -> f64 {
    if from.is_nan() || to.is_nan() {
        return f64::NAN;
    }
    if from == to {
        return to;
    }
    if from == 0.0 {
        let smallest = decode_float(kind, 1);
        return if to > 0.0 { smallest } else { -smallest };
    }
    let bits = encode_float(kind, from);
    let away = (to > from) == (from > 0.0);
    decode_float(kind, if away { bits + 1 } else { bits - 1 })
}

impl FloatScalar for f32 {
    const WIDEST: FloatKind = FloatKind::F32;
    const HAS_DERIVATIVE: bool = false;

    fn mapped(self, value: f64, _derivative: impl FnOnce() -> f64) -> Self {
        <Self as super::kernels::Field>::from_f64(value)
    }

    fn value(self) -> f64 {
        f64::from(self)
    }

    fn rounded(self, kind: FloatKind) -> Self {
        match kind {
            FloatKind::F32 | FloatKind::F64 => self,
            FloatKind::BF16 => bf16::from_f32(self).to_f32(),
            FloatKind::F16 => f16::from_f32(self).to_f32(),
            _ => decode_float(kind, encode_float(kind, f64::from(self))) as f32,
        }
    }
}

impl FloatScalar for f64 {
    const WIDEST: FloatKind = FloatKind::F64;
    const HAS_DERIVATIVE: bool = false;

    fn mapped(self, value: f64, _derivative: impl FnOnce() -> f64) -> Self {
        <Self as super::kernels::Field>::from_f64(value)
    }

    fn value(self) -> f64 {
        self
    }

    fn rounded(self, kind: FloatKind) -> Self {
        match kind {
            FloatKind::F64 => self,
            FloatKind::F32 => f64::from(self as f32),
            FloatKind::BF16 => bf16::from_f64(self).to_f64(),
            FloatKind::F16 => f16::from_f64(self).to_f64(),
            _ => decode_float(kind, encode_float(kind, self)),
        }
    }
}
