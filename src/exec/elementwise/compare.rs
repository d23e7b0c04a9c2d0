//! `compare`.

use std::cmp::Ordering;

use super::{map, not_defined, same_shape, zip};
use crate::exec::scalar::FloatScalar;
use crate::exec::scalar_program::Scalar;
use crate::exec::tensor::{Array, Tensor};

/// Which relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exec) enum Direction {
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
}

/// An order of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exec) enum Order {
    /// NaN is unequal to everything, zeros are equal.
    Partial,
    /// NaN is larger than everything and equal to NaN, zeros are equal.
    Weak,
    /// IEEE 754 `totalOrder`.
    Total,
}

/// A relation, and in which order of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exec) struct Comparison {
    pub direction: Direction,
    pub order: Order,
}

impl Direction {
    pub(in crate::exec) fn from_word(word: &str) -> Option<Direction> {
        Some(match word {
            "EQ" => Direction::Equal,
            "NE" => Direction::NotEqual,
            "GE" => Direction::GreaterOrEqual,
            "GT" => Direction::Greater,
            "LE" => Direction::LessOrEqual,
            "LT" => Direction::Less,
            _ => return None,
        })
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Direction::Equal => order.is_eq(),
            Direction::NotEqual => order.is_ne(),
            Direction::GreaterOrEqual => order.is_ge(),
            Direction::Greater => order.is_gt(),
            Direction::LessOrEqual => order.is_le(),
            Direction::Less => order.is_lt(),
        }
    }

    fn relate<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Direction::Equal => a == b,
            Direction::NotEqual => a != b,
            Direction::GreaterOrEqual => a >= b,
            Direction::Greater => a > b,
            Direction::LessOrEqual => a <= b,
            Direction::Less => a < b,
        }
    }
}

/// A loop of its own for each direction.
fn relate<T: Copy + PartialOrd>(direction: Direction, a: &Array<T>, b: &Array<T>) -> Array<bool> {
    match direction {
        Direction::Equal => zip(a, b, |a, b| a == b),
        Direction::NotEqual => zip(a, b, |a, b| a != b),
        Direction::GreaterOrEqual => zip(a, b, |a, b| a >= b),
        Direction::Greater => zip(a, b, |a, b| a > b),
        Direction::LessOrEqual => zip(a, b, |a, b| a <= b),
        Direction::Less => zip(a, b, |a, b| a < b),
    }
}

/// `compare` of two tensors of one shape.
pub(in crate::exec) fn compare<S: FloatScalar>(
    comparison: Comparison,
    first: &Tensor<S>,
    second: &Tensor<S>,
) -> Result<Tensor<S>, String> {
    same_shape(first.shape(), second.shape())?;
    let direction = comparison.direction;
    let result = match (first, second) {
        (Tensor::Boolean(a), Tensor::Boolean(b)) => relate(direction, a, b),
        (Tensor::Signed(_, a), Tensor::Signed(_, b)) => relate(direction, a, b),
        (Tensor::Unsigned(_, a), Tensor::Unsigned(_, b)) => relate(direction, a, b),
        (Tensor::Float(_, a), Tensor::Float(_, b)) => match comparison.order {
            Order::Partial => relate(direction, a, b),
            Order::Weak => zip(a, b, |a, b| direction.holds(weak_order(a, b))),
            Order::Total => zip(a, b, |a, b| direction.holds(a.total_order(&b))),
        },
        (Tensor::Complex(_, a), Tensor::Complex(_, b)) => {
            let is_equal = zip(a, b, |a, b| a == b);
            match direction {
                Direction::Equal => is_equal,
                Direction::NotEqual => map(&is_equal, |equal| !equal),
                _ => return Err(not_defined("complex, except for EQ and NE")),
            }
        }
        _ => return Err(super::super::tensor::NOT_ALIKE.into()),
    };
    Ok(Tensor::Boolean(result))
}

fn weak_order<S: FloatScalar>(a: S, b: S) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl Comparison {
    /// `compare` of two elements.
    pub(in crate::exec) fn single<S: FloatScalar>(self, first: Scalar<S>, second: Scalar<S>) -> bool {
        match (first, second) {
            (Scalar::Boolean(a), Scalar::Boolean(b)) => self.direction.relate(a, b),
            (Scalar::Signed(a), Scalar::Signed(b)) => self.direction.relate(a, b),
            (Scalar::Unsigned(a), Scalar::Unsigned(b)) => self.direction.relate(a, b),
            (Scalar::Float(a), Scalar::Float(b)) => match self.order {
                Order::Partial => self.direction.relate(a, b),
                Order::Weak => self.direction.holds(weak_order(a, b)),
                Order::Total => self.direction.holds(a.total_order(&b)),
            },
            (Scalar::Complex(a), Scalar::Complex(b)) => (a == b) == (self.direction == Direction::Equal),
            _ => false,
        }
    }
}
