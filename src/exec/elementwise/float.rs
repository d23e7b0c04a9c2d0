//! Real floats.

use super::{VisitOne, VisitTwo};
use crate::exec::kernels::{Field, Ordered, special};
use crate::exec::scalar::FloatScalar;
use crate::graph::{FloatKind, OperationKind as Kind};

/// The number `value` as a scalar.
fn number<S: FloatScalar>(value: f64) -> S {
    <S as Field>::from_f64(value)
}

pub(in crate::exec) fn unary<S: FloatScalar, V: VisitOne<S>>(
    kind: Kind,
    float: FloatKind,
    visitor: V,
) -> Option<V::Output> {
    let one = number::<S>(1.0);
    Some(match kind {
        Kind::Abs => visitor.visit(S::abs),
        Kind::Acos => visitor.visit(S::acos),
        Kind::BroadcastAcos => visitor.visit(S::acos),
        Kind::Acosh => visitor.visit(S::acosh),
        Kind::Asin => visitor.visit(S::asin),
        Kind::Asinh => visitor.visit(S::asinh),
        Kind::Atan => visitor.visit(S::atan),
        Kind::Atanh => visitor.visit(S::atanh),
        Kind::Cbrt => visitor.visit(S::cbrt),
        Kind::Ceil => visitor.visit(S::ceil),
        Kind::Conjugate => visitor.visit(|value| value),
        Kind::Cosh => visitor.visit(S::cosh),
        Kind::Cosine => visitor.visit(S::cos),
        Kind::Exponential => visitor.visit(S::exp),
        Kind::ExponentialMinusOne => visitor.visit(S::exp_m1),
        Kind::Floor => visitor.visit(S::floor),
        Kind::Log => visitor.visit(S::ln),
        Kind::LogPlusOne => visitor.visit(S::ln_1p),
        // As the definition has it, with a rounding after each step in a narrow type.
        Kind::Logistic => visitor.visit(|value| one / (one + (-value).exp().rounded(float)).rounded(float)),
        Kind::Negate => visitor.visit(|value| -value),
        Kind::RoundNearestAfz => visitor.visit(S::round),
        Kind::RoundNearestEven => visitor.visit(round_to_even),
        Kind::Rsqrt => visitor.visit(|value| one / value.sqrt()),
        Kind::Sign => visitor.visit(|value| {
            let is_plain = !value.is_nan() && value != number(0.0);
            if is_plain { value.signum() } else { value.flattened() }
        }),
        Kind::Sine => visitor.visit(S::sin),
        Kind::Sinh => visitor.visit(S::sinh),
        Kind::Sqrt => visitor.visit(S::sqrt),
        Kind::Square => visitor.visit(|value| value * value),
        Kind::Tan | Kind::ChloTan => visitor.visit(S::tan),
        Kind::Tanh => visitor.visit(S::tanh),
        _ => return special_unary(kind, visitor),
    })
}

/// Functions that are computed with doubles and rounded once.
fn special_unary<S: FloatScalar, V: VisitOne<S>>(kind: Kind, visitor: V) -> Option<V::Output> {
    use std::f64::consts::{FRAC_2_SQRT_PI, PI};
    let bell = |value: f64| FRAC_2_SQRT_PI * (-value * value).exp();
    Some(match kind {
        Kind::Erf => visitor.visit(|x| through(x, special::erf, |x, _| bell(x))),
        Kind::Erfc => visitor.visit(|x| through(x, special::erfc, |x, _| -bell(x))),
        Kind::ErfInv => visitor.visit(|x| through(x, special::erf_inv, |_, y| PI.sqrt() / 2.0 * (y * y).exp())),
        Kind::Lgamma => visitor.visit(|x| through(x, special::lgamma, |x, _| special::digamma(x))),
        Kind::Digamma => visitor.visit(|x| through(x, special::digamma, |x, _| special::polygamma(1.0, x))),
        // Its derivative needs a function that is not here; NaN is no claim.
        Kind::BesselI1e => visitor.visit(|x| through(x, special::bessel_i1e, |_, _| f64::NAN)),
        _ => return None,
    })
}

/// A function of doubles, and its derivative from its argument and value.
fn through<S: FloatScalar>(x: S, function: fn(f64) -> f64, derivative: impl FnOnce(f64, f64) -> f64) -> S {
    let value = function(x.value());
    x.mapped(value, || derivative(x.value(), value))
}

/// Ties go to the even integer; the sign of zero is kept.
fn round_to_even<S: FloatScalar>(value: S) -> S {
    value.flattened().mapped(value.value().round_ties_even(), || 0.0)
}

pub(in crate::exec) fn binary<S: FloatScalar, V: VisitTwo<S>>(
    kind: Kind,
    float: FloatKind,
    visitor: V,
) -> Option<V::Output> {
    Some(match kind {
        Kind::Add => visitor.visit(|a, b| a + b),
        Kind::Atan2 => visitor.visit(S::atan2),
        Kind::Divide => visitor.visit(|a, b| a / b),
        Kind::Maximum => visitor.visit(Ordered::maximum),
        Kind::Minimum => visitor.visit(Ordered::minimum),
        Kind::Multiply => visitor.visit(|a, b| a * b),
        Kind::NextAfter => visitor.visit(|a, b| a.next_after(b, float)),
        Kind::Polygamma => visitor.visit(|order: S, x: S| {
            let order = order.flattened().value();
            x.mapped(special::polygamma(order, x.value()), || special::polygamma(order + 1.0, x.value()))
        }),
        Kind::Power => visitor.visit(S::powf),
        Kind::Remainder => visitor.visit(|a, b| a % b),
        Kind::Subtract => visitor.visit(|a, b| a - b),
        // Only the derivative by the second argument has a closed form.
        Kind::Zeta => visitor.visit(|s: S, q: S| {
            let order = s.flattened().value();
            q.mapped(special::zeta(order, q.value()), || -order * special::zeta(order + 1.0, q.value()))
        }),
        _ => return None,
    })
}

/// `is_finite`, `is_inf`, `is_pos_inf`, `is_neg_inf`; none for any other operation.
pub(in crate::exec) fn is_special<S: FloatScalar>(kind: Kind) -> Option<fn(S) -> bool> {
    Some(match kind {
        Kind::IsFinite => |value| value.is_finite(),
        Kind::IsInf => |value| value.is_infinite(),
        Kind::IsPosInf => |value| value.is_infinite() && value.is_sign_positive(),
        Kind::IsNegInf => |value| value.is_infinite() && value.is_sign_negative(),
        _ => return None,
    })
}
