//! `rng`: numbers from a distribution.
//!
//! The specification leaves the numbers to the implementation. Here they depend on the operation and on how many were
//! drawn before in the same run, so that two runs of a program draw the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::kernels::Field;
use super::scalar::FloatScalar;
use super::scalar_program::Scalar;
use super::tensor::{Element, Tensor, wrap_signed, wrap_unsigned};
use super::{convert, kernels};
use crate::graph::OperationId;
use crate::index::Id;

/// A distribution, by what its two parameters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distribution {
    /// From the first on, below the second.
    Uniform,
    /// Mean and standard deviation.
    Normal,
}

/// Draws the elements of a tensor. Operands are the parameters and the shape.
pub(super) fn draw<S: FloatScalar>(
    distribution: Distribution,
    id: OperationId,
    earlier: u64,
    operands: &[Tensor<S>; 3],
) -> Result<Tensor<S>, String> {
    let [first, second, shape] = operands;
    let shape = convert::as_shape(shape)?;
    let count = kernels::volume("rng", &shape)?;
    let element = first.element().ok_or(super::tensor::NO_TENSOR)?;
    let (Some(first), Some(second)) = (first.as_scalar(), second.as_scalar()) else {
        return Err("a parameter is not one number".into());
    };
    let mut random = ChaCha8Rng::seed_from_u64(id.index() as u64);
    random.set_stream(earlier);
    let mut unit = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut scalars = Vec::with_capacity(count);
    for _ in 0..count {
        scalars.push(match (distribution, first, second, element) {
            (Distribution::Uniform, Scalar::Boolean(low), Scalar::Boolean(high), _) => {
                Scalar::Boolean(if unit() < 0.5 { low } else { high })
            }
            (Distribution::Uniform, Scalar::Signed(low), Scalar::Signed(high), Element::Signed(bits)) => {
                let width = high.wrapping_sub(low) as u64;
                Scalar::Signed(wrap_signed(low.wrapping_add((unit() * width as f64) as u64 as i64), bits))
            }
            (Distribution::Uniform, Scalar::Unsigned(low), Scalar::Unsigned(high), Element::Unsigned(bits)) => {
                let width = high.saturating_sub(low);
                Scalar::Unsigned(wrap_unsigned(low.wrapping_add((unit() * width as f64) as u64), bits))
            }
            (_, Scalar::Float(first), Scalar::Float(second), Element::Float(kind)) => {
                let value = match distribution {
                    Distribution::Uniform => first + (second - first) * <S as Field>::from_f64(unit()),
                    Distribution::Normal => {
                        let (size, angle) = ((-2.0 * (1.0 - unit()).ln()).sqrt(), std::f64::consts::TAU * unit());
                        first + second * <S as Field>::from_f64(size * angle.cos())
                    }
                };
                Scalar::Float(value.rounded(kind))
            }
            _ => return Err("the distribution is not defined for these parameters".into()),
        });
    }
    Tensor::from_scalars(element, &shape, &scalars).ok_or_else(|| "the numbers do not fit the shape".into())
}
