//! Complex numbers.

use num_complex::Complex;

use super::{VisitOne, VisitTwo};
use crate::exec::kernels::Field;
use crate::exec::scalar::FloatScalar;
use crate::graph::OperationKind as Kind;

pub(in crate::exec) fn unary<S: FloatScalar, V: VisitOne<Complex<S>>>(kind: Kind, visitor: V) -> Option<V::Output> {
    let real = |value| Complex::new(<S as Field>::from_f64(value), <S as Field>::from_f64(0.0));
    let one = real(1.0);
    Some(match kind {
        Kind::Acos => visitor.visit(|z| z.acos()),
        Kind::Acosh => visitor.visit(|z| z.acosh()),
        Kind::Asin => visitor.visit(|z| z.asin()),
        Kind::Asinh => visitor.visit(|z| z.asinh()),
        Kind::Atan => visitor.visit(|z| z.atan()),
        Kind::Atanh => visitor.visit(|z| z.atanh()),
        Kind::Cbrt => visitor.visit(|z| z.cbrt()),
        Kind::Conjugate => visitor.visit(|z| z.conj()),
        Kind::Cosh => visitor.visit(|z| z.cosh()),
        Kind::Cosine => visitor.visit(|z| z.cos()),
        Kind::Exponential => visitor.visit(|z| z.exp()),
        Kind::ExponentialMinusOne => visitor.visit(exponential_minus_one),
        Kind::Log => visitor.visit(log),
        Kind::LogPlusOne => visitor.visit(log_plus_one),
        Kind::Logistic => visitor.visit(|z| Field::div(one, one + (-z).exp())),
        Kind::Negate => visitor.visit(|z| -z),
        Kind::Rsqrt => visitor.visit(|z| divide(one, square_root(z))),
        Kind::Sign => visitor.visit(|z| {
            let size = z.norm();
            if size == <S as Field>::from_f64(0.0) { z } else { z.unscale(size) }
        }),
        Kind::Sine => visitor.visit(|z| z.sin()),
        Kind::Sinh => visitor.visit(|z| z.sinh()),
        Kind::Sqrt => visitor.visit(square_root),
        Kind::Square => visitor.visit(square),
        Kind::Tan | Kind::ChloTan => visitor.visit(|z| z.tan()),
        Kind::Tanh => visitor.visit(|z| z.tanh()),
        _ => return None,
    })
}

/// Exact near zero: `e^x cos y - 1 = (e^x - 1) cos y - 2 sin^2(y / 2)`.
fn exponential_minus_one<S: FloatScalar>(z: Complex<S>) -> Complex<S> {
    let half = (z.im * <S as Field>::from_f64(0.5)).sin();
    let real = z.re.exp_m1() * z.im.cos() - <S as Field>::from_f64(2.0) * half * half;
    Complex::new(real, z.re.exp() * z.im.sin())
}

/// By zero it is infinite, as C has it.
fn divide<S: FloatScalar>(a: Complex<S>, b: Complex<S>) -> Complex<S> {
    let zero = <S as Field>::from_f64(0.0);
    if b.re != zero || b.im != zero {
        return Field::div(a, b);
    }
    a.scale(S::infinity().copysign(b.re))
}

/// Without the angle of polar coordinates, which has no exact zeros. Large numbers are made smaller first.
fn square_root<S: FloatScalar>(z: Complex<S>) -> Complex<S> {
    let [quarter, half, two, zero] = [0.25, 0.5, 2.0, 0.0].map(<S as Field>::from_f64);
    if z.im.is_infinite() {
        return Complex::new(z.im.abs(), z.im);
    }
    if z.re == zero && z.im == zero {
        return Complex::new(zero, z.im);
    }
    if z.re.is_infinite() {
        let (large, small) = (z.re.abs(), (z.im * zero).abs());
        let (re, im) = if z.re > zero { (large, small) } else { (small, large) };
        return Complex::new(re, im.copysign(z.im));
    }
    let is_large = z.re.abs().max(z.im.abs()) > quarter * S::max_value();
    let z = if is_large { z.scale(quarter) } else { z };
    let larger = ((z.re.abs() + z.re.hypot(z.im)) * half).sqrt();
    let smaller = z.im.abs() / (two * larger);
    let (re, im) = if z.re >= zero { (larger, smaller) } else { (smaller, larger) };
    let root = Complex::new(re, im.copysign(z.im));
    if is_large { root.scale(two) } else { root }
}

/// The logarithm; exact where the size is near 1: `|z|^2 - 1 = (x - 1) (x + 1) + y^2`.
fn log<S: FloatScalar>(z: Complex<S>) -> Complex<S> {
    let [half, one] = [0.5, 1.0].map(<S as Field>::from_f64);
    let (x, y) = (z.re.abs().max(z.im.abs()), z.re.abs().min(z.im.abs()));
    let excess = (x - one) * (x + one) + y * y;
    let size = if excess.abs() < half { half * excess.ln_1p() } else { z.re.hypot(z.im).ln() };
    Complex::new(size, z.im.atan2(z.re))
}

/// `(x - y) (x + y)` overflows only where the square does, but for `x = y`, where it is zero.
fn square<S: FloatScalar>(z: Complex<S>) -> Complex<S> {
    let is_diagonal = z.re.abs() == z.im.abs() && z.re.is_finite();
    let re = if is_diagonal { <S as Field>::from_f64(0.0) } else { (z.re - z.im) * (z.re + z.im) };
    let product = z.re * z.im;
    Complex::new(re, product + product)
}

/// Exact near zero: `|1 + z|^2 = 1 + x (2 + x) + y^2`.
fn log_plus_one<S: FloatScalar>(z: Complex<S>) -> Complex<S> {
    let [half, one, two] = [0.5, 1.0, 2.0].map(<S as Field>::from_f64);
    let size = z.re * (two + z.re) + z.im * z.im;
    let real = if size.abs() < half { half * size.ln_1p() } else { (z.re + one).hypot(z.im).ln() };
    Complex::new(real, z.im.atan2(z.re + one))
}

pub(in crate::exec) fn binary<S: FloatScalar, V: VisitTwo<Complex<S>>>(kind: Kind, visitor: V) -> Option<V::Output> {
    Some(match kind {
        Kind::Add => visitor.visit(|a, b| a + b),
        Kind::Atan2 => visitor.visit(arc_tangent),
        Kind::Divide => visitor.visit(divide),
        Kind::Maximum => visitor.visit(|a, b| if is_larger(a, b) { a } else { b }),
        Kind::Minimum => visitor.visit(|a, b| if is_larger(b, a) { a } else { b }),
        Kind::Multiply => visitor.visit(|a, b| a * b),
        Kind::Power => visitor.visit(power),
        Kind::Subtract => visitor.visit(|a, b| a - b),
        _ => return None,
    })
}

/// The lexicographic order, which is what the specification has for complex numbers.
fn is_larger<S: FloatScalar>(a: Complex<S>, b: Complex<S>) -> bool {
    if a.re == b.re { a.im > b.im } else { a.re > b.re }
}

/// `-i log((x + i y) / sqrt(x^2 + y^2))`.
fn arc_tangent<S: FloatScalar>(y: Complex<S>, x: Complex<S>) -> Complex<S> {
    let turned = Complex::new(x.re - y.im, x.im + y.re);
    let angle = log(divide(turned, square_root(x * x + y * y)));
    Complex::new(angle.im, -angle.re)
}

fn power<S: FloatScalar>(base: Complex<S>, exponent: Complex<S>) -> Complex<S> {
    let zero = <S as Field>::from_f64(0.0);
    let is_zero = |z: Complex<S>| z.re == zero && z.im == zero;
    if is_zero(exponent) {
        return Complex::new(<S as Field>::from_f64(1.0), zero);
    }
    if is_zero(base) && exponent.re > zero {
        return Complex::new(zero, zero);
    }
    base.powc(exponent)
}
