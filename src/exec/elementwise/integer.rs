//! Booleans and integers, which wrap around.
//!
//! The specification leaves division by zero and the overflow of `smallest / -1` to the implementation; here both
//! give 0, as in the reference interpreter. Shifts by the width or more give what shifting bit by bit would.

use super::{VisitOne, VisitTwo};
use crate::exec::tensor::{wrap_signed, wrap_unsigned};
use crate::graph::OperationKind as Kind;

pub(in crate::exec) fn boolean_unary<V: VisitOne<bool>>(kind: Kind, visitor: V) -> Option<V::Output> {
    (kind == Kind::Not).then(|| visitor.visit(|value| !value))
}

/// Addition of booleans is or, multiplication is and.
pub(in crate::exec) fn boolean_binary<V: VisitTwo<bool>>(kind: Kind, visitor: V) -> Option<V::Output> {
    Some(match kind {
        Kind::And | Kind::Multiply | Kind::Minimum => visitor.visit(|a, b| a & b),
        Kind::Or | Kind::Add | Kind::Maximum => visitor.visit(|a, b| a | b),
        Kind::Xor => visitor.visit(|a, b| a ^ b),
        _ => return None,
    })
}

pub(in crate::exec) fn signed_unary<V: VisitOne<i64>>(kind: Kind, bits: u32, visitor: V) -> Option<V::Output> {
    Some(match kind {
        Kind::Abs => visitor.visit(|value| wrap_signed(value.wrapping_abs(), bits)),
        Kind::CountLeadingZeros => visitor.visit(|value| wrap_signed(leading_zeros(value as u64, bits) as i64, bits)),
        Kind::Negate => visitor.visit(|value| wrap_signed(value.wrapping_neg(), bits)),
        Kind::Not => visitor.visit(|value| !value),
        Kind::PopulationCount => {
            visitor.visit(|value| wrap_signed(i64::from(wrap_unsigned(value as u64, bits).count_ones()), bits))
        }
        Kind::Sign => visitor.visit(i64::signum),
        Kind::Square => visitor.visit(|value| wrap_signed(value.wrapping_mul(value), bits)),
        Kind::Conjugate => visitor.visit(|value| value),
        _ => return None,
    })
}

pub(in crate::exec) fn unsigned_unary<V: VisitOne<u64>>(kind: Kind, bits: u32, visitor: V) -> Option<V::Output> {
    Some(match kind {
        Kind::Abs | Kind::Conjugate => visitor.visit(|value| value),
        Kind::CountLeadingZeros => visitor.visit(|value| leading_zeros(value, bits)),
        Kind::Negate => visitor.visit(|value| wrap_unsigned(value.wrapping_neg(), bits)),
        Kind::Not => visitor.visit(|value| wrap_unsigned(!value, bits)),
        Kind::PopulationCount => visitor.visit(|value| u64::from(value.count_ones())),
        Kind::Sign => visitor.visit(|value| value.min(1)),
        Kind::Square => visitor.visit(|value| wrap_unsigned(value.wrapping_mul(value), bits)),
        _ => return None,
    })
}

fn leading_zeros(value: u64, bits: u32) -> u64 {
    u64::from(wrap_unsigned(value, bits).leading_zeros() - (64 - bits))
}

pub(in crate::exec) fn signed_binary<V: VisitTwo<i64>>(kind: Kind, bits: u32, visitor: V) -> Option<V::Output> {
    let width = bits as i64;
    let smallest = i64::MIN >> (64 - bits);
    Some(match kind {
        Kind::Add => visitor.visit(|a, b| wrap_signed(a.wrapping_add(b), bits)),
        Kind::And => visitor.visit(|a, b| a & b),
        Kind::Divide => visitor.visit(|a, b| match b {
            0 => 0,
            -1 if a == smallest => 0,
            _ => a / b,
        }),
        Kind::Maximum => visitor.visit(i64::max),
        Kind::Minimum => visitor.visit(i64::min),
        Kind::Multiply => visitor.visit(|a, b| wrap_signed(a.wrapping_mul(b), bits)),
        Kind::MultiplyHigh => visitor.visit(|a, b| ((i128::from(a) * i128::from(b)) >> bits) as i64),
        Kind::Or => visitor.visit(|a, b| a | b),
        Kind::Power => visitor.visit(|a, b| wrap_signed(signed_power(a, b), bits)),
        Kind::Remainder => visitor.visit(|a, b| match b {
            0 | -1 => 0,
            _ => a % b,
        }),
        Kind::ShiftLeft => visitor.visit(|a, b| if (0..width).contains(&b) { wrap_signed(a << b, bits) } else { 0 }),
        Kind::ShiftRightArithmetic => visitor.visit(|a, b| a >> if (0..width).contains(&b) { b } else { 63 }),
        Kind::ShiftRightLogical => visitor.visit(|a, b| {
            let shifted = wrap_unsigned(a as u64, bits);
            if (0..width).contains(&b) { wrap_signed((shifted >> b) as i64, bits) } else { 0 }
        }),
        Kind::Subtract => visitor.visit(|a, b| wrap_signed(a.wrapping_sub(b), bits)),
        Kind::Xor => visitor.visit(|a, b| a ^ b),
        _ => return None,
    })
}

pub(in crate::exec) fn unsigned_binary<V: VisitTwo<u64>>(kind: Kind, bits: u32, visitor: V) -> Option<V::Output> {
    let width = u64::from(bits);
    Some(match kind {
        Kind::Add => visitor.visit(|a, b| wrap_unsigned(a.wrapping_add(b), bits)),
        Kind::And => visitor.visit(|a, b| a & b),
        Kind::Divide => visitor.visit(|a, b| a.checked_div(b).unwrap_or(0)),
        Kind::Maximum => visitor.visit(u64::max),
        Kind::Minimum => visitor.visit(u64::min),
        Kind::Multiply => visitor.visit(|a, b| wrap_unsigned(a.wrapping_mul(b), bits)),
        Kind::MultiplyHigh => visitor.visit(|a, b| ((u128::from(a) * u128::from(b)) >> bits) as u64),
        Kind::Or => visitor.visit(|a, b| a | b),
        Kind::Power => visitor.visit(|a, b| wrap_unsigned(power(a, b), bits)),
        Kind::Remainder => visitor.visit(|a, b| a.checked_rem(b).unwrap_or(0)),
        Kind::ShiftLeft => visitor.visit(|a, b| if b < width { wrap_unsigned(a << b, bits) } else { 0 }),
        Kind::ShiftRightArithmetic => visitor.visit(|a, b| {
            let signed = wrap_signed(a as i64, bits);
            wrap_unsigned((signed >> b.min(63)) as u64, bits)
        }),
        Kind::ShiftRightLogical => visitor.visit(|a, b| if b < width { a >> b } else { 0 }),
        Kind::Subtract => visitor.visit(|a, b| wrap_unsigned(a.wrapping_sub(b), bits)),
        Kind::Xor => visitor.visit(|a, b| a ^ b),
        _ => return None,
    })
}

/// A negative exponent gives 0, unless the base is 1 or -1.
fn signed_power(base: i64, exponent: i64) -> i64 {
    if exponent < 0 && base.unsigned_abs() != 1 {
        return 0;
    }
    power(base as u64, exponent.unsigned_abs()) as i64
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1u64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}
