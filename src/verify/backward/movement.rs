//! Operations that only move elements: each element of the result is one element of the operand.

use super::conditions::{Along, Condition, Literal, Position, map_literals};
use super::constants::Known;
use super::elements::{Block, Elements};
use crate::graph::{Attribute, OperationId, OperationKind as Kind, TrainingGraph};

/// An index of the operand by the index of the result.
pub(super) enum Movement {
    /// The same elements in row-major order.
    Reshape,
    /// For each dimension of the operand, by the dimensions of the result.
    Linear(Vec<Option<Along>>),
}

pub(super) fn integers<'a>(graph: &'a TrainingGraph, operation: OperationId, name: &str) -> Option<&'a [i64]> {
    graph.attribute(operation, name).and_then(Attribute::as_integers)
}

/// Dimensions or extents; none if the attribute is there and is something else.
pub(super) fn dimensions(value: Option<&Attribute>) -> Option<Vec<usize>> {
    let Some(value) = value else { return Some(Vec::new()) };
    value.as_integers()?.iter().map(|dimension| usize::try_from(*dimension).ok()).collect()
}

/// Whether the operation hands its operands on as they are, each to its result.
pub(in crate::verify) fn is_identity(kind: Kind) -> bool {
    matches!(kind, Kind::OptimizationBarrier | Kind::ShardingConstraint | Kind::Reshard | Kind::PropagationBarrier)
}

/// Whether each element of the result depends on the same element of each operand (of rank 0: on its only one).
pub(in crate::verify) fn is_elementwise(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Abs
            | Kind::Cbrt
            | Kind::Ceil
            | Kind::Convert
            | Kind::Cosine
            | Kind::CountLeadingZeros
            | Kind::Exponential
            | Kind::ExponentialMinusOne
            | Kind::Floor
            | Kind::Imag
            | Kind::IsFinite
            | Kind::Log
            | Kind::LogPlusOne
            | Kind::Logistic
            | Kind::Negate
            | Kind::Not
            | Kind::PopulationCount
            | Kind::Real
            | Kind::ReducePrecision
            | Kind::RoundNearestAfz
            | Kind::RoundNearestEven
            | Kind::Rsqrt
            | Kind::Sign
            | Kind::Sine
            | Kind::Sqrt
            | Kind::Tan
            | Kind::Tanh
            | Kind::UniformDequantize
            | Kind::UniformQuantize
            | Kind::Add
            | Kind::And
            | Kind::Atan2
            | Kind::Compare
            | Kind::Complex
            | Kind::Divide
            | Kind::Maximum
            | Kind::Minimum
            | Kind::Multiply
            | Kind::Or
            | Kind::Power
            | Kind::Remainder
            | Kind::ShiftLeft
            | Kind::ShiftRightArithmetic
            | Kind::ShiftRightLogical
            | Kind::Subtract
            | Kind::Xor
            | Kind::Clamp
            | Kind::Select
            | Kind::BroadcastAdd
            | Kind::BroadcastAnd
            | Kind::BroadcastCompare
            | Kind::BroadcastDivide
            | Kind::BroadcastMaximum
            | Kind::BroadcastMinimum
            | Kind::BroadcastMultiply
            | Kind::BroadcastOr
            | Kind::BroadcastPower
            | Kind::BroadcastSelect
            | Kind::BroadcastSubtract
            | Kind::BroadcastXor
            | Kind::Acos
            | Kind::Acosh
            | Kind::Asin
            | Kind::AsinAcosKernel
            | Kind::Asinh
            | Kind::Atan
            | Kind::Atanh
            | Kind::BesselI1e
            | Kind::Conjugate
            | Kind::Cosh
            | Kind::Digamma
            | Kind::Erf
            | Kind::ErfInv
            | Kind::Erfc
            | Kind::IsInf
            | Kind::IsNegInf
            | Kind::IsPosInf
            | Kind::Lgamma
            | Kind::MultiplyHigh
            | Kind::NextAfter
            | Kind::Polygamma
            | Kind::Sinh
            | Kind::Square
            | Kind::ChloTan
            | Kind::Zeta
    )
}

/// A window that begins where it is known to begin: a slice.
pub(super) fn window(from: &[u64], to: &[u64], starts: impl Iterator<Item = Option<i128>>) -> Option<Movement> {
    let mut along = Vec::new();
    for (dimension, ((from, to), start)) in from.iter().zip(to).zip(starts).enumerate() {
        let most = from.checked_sub(*to)?;
        let start = start?.clamp(0, i128::from(most));
        along.push(Along::linear(dimension, 1, i64::try_from(start).ok()?));
    }
    (along.len() == from.len()).then_some(Movement::Linear(along))
}

/// Between two known shapes; none if it is not understood.
pub(super) fn movement(graph: &TrainingGraph, operation: OperationId, from: &[u64], to: &[u64]) -> Option<Movement> {
    let attribute = |name: &str| graph.attribute(operation, name);
    let signed = |extent: u64| i64::try_from(extent).ok();
    match graph.operation(operation).kind {
        Kind::Reshape => (from.iter().product::<u64>() == to.iter().product::<u64>()).then_some(Movement::Reshape),
        Kind::BroadcastInDim => {
            let places = dimensions(Some(attribute("broadcast_dimensions")?))?;
            if places.len() != from.len() {
                return None;
            }
            let mut along = Vec::new();
            for (extent, place) in from.iter().zip(places) {
                along.push(match *to.get(place)? {
                    result if result == *extent => Along::same(place),
                    _ if *extent == 1 => Some(Along { shift: 0, terms: Vec::new(), divisor: 1 }),
                    _ => return None,
                });
            }
            Some(Movement::Linear(along))
        }
        Kind::Transpose => {
            let order = dimensions(Some(attribute("permutation")?))?;
            let place = |dimension: usize| order.iter().position(|from| *from == dimension);
            let fits = order.len() == from.len() && order.iter().zip(to).all(|(at, to)| from.get(*at) == Some(to));
            let along: Option<Vec<_>> = (0..from.len()).map(|dimension| Some(Along::same(place(dimension)?))).collect();
            along.filter(|_| fits).map(Movement::Linear)
        }
        Kind::Slice => {
            let starts = integers(graph, operation, "start_indices")?;
            let strides = integers(graph, operation, "strides")?;
            if starts.len() != from.len() || strides.len() != from.len() || to.len() != from.len() {
                return None;
            }
            let mut along = Vec::new();
            for dimension in 0..from.len() {
                let last =
                    starts[dimension].checked_add(strides[dimension].checked_mul(signed(to[dimension])? - 1)?)?;
                let fits = starts[dimension] >= 0 && strides[dimension] > 0 && last < signed(from[dimension])?;
                if !fits && to[dimension] > 0 {
                    return None;
                }
                along.push(Along::linear(dimension, strides[dimension], starts[dimension]));
            }
            Some(Movement::Linear(along))
        }
        Kind::Reverse => {
            let reversed = dimensions(Some(attribute("dimensions")?))?;
            let mut along = Vec::new();
            for (dimension, extent) in from.iter().enumerate() {
                along.push(if reversed.contains(&dimension) {
                    Along::linear(dimension, -1, signed(*extent)? - 1)
                } else {
                    Along::same(dimension)
                });
            }
            (from == to).then_some(Movement::Linear(along))
        }
        _ => None,
    }
}

impl Movement {
    /// What is said of an element of the operand, said of the element of the result.
    pub fn forward(&self, position: &Position, from: &[u64], to: &[u64]) -> Option<Position> {
        match self {
            Movement::Reshape => position.reshape(from, to),
            Movement::Linear(along) => position.substitute(along, to),
        }
    }

    pub fn literals(&self, literals: &[Literal], from: &[u64], to: &[u64]) -> Vec<Literal> {
        map_literals(literals, |position| self.forward(position, from, to))
    }

    pub fn known(&self, known: &Known, from: &[u64], to: &[u64]) -> Option<Known> {
        match self {
            Movement::Reshape => known.reshape(from, to),
            Movement::Linear(along) => known.substitute(along, to),
        }
    }

    /// The elements of the operand that these elements of the result are.
    pub fn elements_back(&self, elements: &Elements, from: &[u64], to: &[u64]) -> Elements {
        let Movement::Linear(along) = self else { return elements.reshape(to, from) };
        elements.map(|block| Some(along.iter().zip(from).map(|(along, extent)| image(along, block, *extent)).collect()))
    }

    /// The elements of the result that these elements of the operand are, or more.
    pub fn elements_forward(&self, elements: &Elements, from: &[u64], to: &[u64]) -> Elements {
        let Movement::Linear(along) = self else { return elements.reshape(from, to) };
        let inverse = inverse(along, to.len());
        elements.map(|block| {
            let sides = to.iter().enumerate().map(|(dimension, extent)| match &inverse[dimension] {
                // Only where nothing is left out between: else all that may be.
                Some(along) if along.divisor == 1 => image(&Some(along.clone()), block, *extent),
                _ => (0, *extent),
            });
            Some(sides.collect())
        })
    }

    /// A condition on an element of the result, said of the element of the operand.
    pub fn condition_back(&self, condition: &Condition, from: &[u64], to: &[u64]) -> Condition {
        match self {
            Movement::Reshape => condition.map(|position| position.reshape(to, from)),
            Movement::Linear(along) => {
                let inverse = inverse(along, to.len());
                condition.map(|position| position.substitute(&inverse, from))
            }
        }
    }
}

/// For each dimension of the result, by the dimensions of the operand.
pub(super) fn inverse(along: &[Option<Along>], rank: usize) -> Vec<Option<Along>> {
    let mut inverse: Vec<Option<Along>> = vec![None; rank];
    for (own, along) in along.iter().enumerate() {
        if let Some((dimension, back)) = along.as_ref().and_then(|along| along.inverse(own)) {
            inverse[dimension] = Some(back);
        }
    }
    inverse
}

/// The values of an index over a block, as one interval within an extent.
pub(super) fn image(along: &Option<Along>, block: &Block, extent: u64) -> (u64, u64) {
    let Some(along) = along else { return (0, extent) };
    let (mut low, mut high) = (i128::from(along.shift), i128::from(along.shift));
    for (dimension, factor) in &along.terms {
        let (first, end) = block[*dimension];
        let ends = [first, end - 1].map(|at| i128::from(at) * i128::from(*factor));
        low += ends[0].min(ends[1]);
        high += ends[0].max(ends[1]);
    }
    let inside = |value: i128| value.clamp(0, i128::from(extent)) as u64;
    let divisor = i128::from(along.divisor);
    (inside(low.div_euclid(divisor)), inside(high.div_euclid(divisor) + 1))
}
