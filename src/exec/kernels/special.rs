//! Special functions of CHLO, for f64. A narrower float is widened before and rounded after.
//!
//! The others (`acos`, `asinh`, `sinh`, `tan`, `square` and so on) are in the standard library.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

/// `chlo.erf`.
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// `chlo.erfc`.
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// `chlo.erf_inv`: infinite at -1 and 1, NaN beyond.
pub fn erf_inv(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() || size > 1.0 {
        return f64::NAN;
    }
    if size == 1.0 {
        return f64::INFINITY.copysign(x);
    }
    // Winitzki's formula is right to three digits; each of Halley's steps triples them.
    let logarithm = (-size).ln_1p() + size.ln_1p();
    let first = 2.0 / (PI * 0.147) + logarithm / 2.0;
    let second = logarithm / 0.147;
    let mut root = (-second / ((first * first - second).sqrt() + first)).sqrt();
    for _ in 0..3 {
        // Near 1 the complement keeps the digits.
        let error = if size > 0.5 { (1.0 - size) - libm::erfc(root) } else { libm::erf(root) - size };
        let step = error / (FRAC_2_SQRT_PI * (-root * root).exp());
        root -= step / (1.0 + root * step);
    }
    root.copysign(x)
}

/// `chlo.lgamma`: the logarithm of the gamma function's absolute value.
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// `chlo.digamma`: NaN at zero and the negative integers.
pub fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        // The cotangent has the period 1, and near a half it is the tangent of what is missing.
        let rest = x - x.round();
        let cotangent =
            if rest.abs() > 0.25 { (PI * (rest.signum() * 0.5 - rest)).tan() } else { 1.0 / (PI * rest).tan() };
        return digamma(1.0 - x) - PI * cotangent;
    }
    let (mut shift, mut large) = (0.0, x);
    while large < 10.0 {
        shift += 1.0 / large;
        large += 1.0;
    }
    // Bernoulli numbers B(2k) / 2k.
    const TERMS: [f64; 7] =
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0];
    let inverse = 1.0 / (large * large);
    let series = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * inverse);
    large.ln() - 0.5 / large - series - shift
}

/// `chlo.polygamma`: the derivative number `n` of [`digamma`]; NaN where `n` is not a natural number.
pub fn polygamma(n: f64, x: f64) -> f64 {
    if n == 0.0 {
        return digamma(x);
    }
    if n.is_nan() || n < 0.0 || n != n.floor() {
        return f64::NAN;
    }
    let sign = if n % 2.0 == 0.0 { -1.0 } else { 1.0 };
    sign * libm::tgamma(n + 1.0) * zeta(n + 1.0, x)
}

/// `chlo.zeta`: Hurwitz' zeta function, by the sum formula of Euler and Maclaurin.
pub fn zeta(x: f64, q: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    if x.is_nan() || q.is_nan() || x < 1.0 {
        return f64::NAN;
    }
    if q <= 0.0 {
        if q == q.floor() {
            return if x % 2.0 == 0.0 { f64::INFINITY } else { f64::NAN };
        }
        if x != x.floor() {
            return f64::NAN;
        }
    }
    // B(2k) / (2k)!.
    const TERMS: [f64; 12] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30240.0,
        -1.0 / 1_209_600.0,
        1.0 / 47_900_160.0,
        -691.0 / 1_307_674_368_000.0,
        1.0 / 74_724_249_600.0,
        -3617.0 / 10_670_622_842_880_000.0,
        43867.0 / 5_109_094_217_170_944_000.0,
        -174_611.0 / 802_857_662_698_291_200_000.0,
        77683.0 / 14_101_100_039_391_805_440_000.0,
        -236_364_091.0 / 1_693_824_136_731_743_669_452_800_000.0,
    ];
    // From here on the formula's terms fall fast.
    let far = 10.0 + x / 2.0;
    let mut sum = 0.0;
    let mut at = q;
    // Beyond this many terms a sum from a far negative `q` is not worth its time: there it is NaN.
    for _ in 0..100_000 {
        let term = at.powf(-x);
        sum += term;
        if at > 0.0 && term.abs() < f64::EPSILON * 0.01 * sum.abs() {
            return sum;
        }
        if at >= far {
            break;
        }
        at += 1.0;
    }
    if at < far {
        return f64::NAN;
    }
    let mut power = at.powf(-x);
    sum += power * at / (x - 1.0) - 0.5 * power;
    let mut rising = x;
    power /= at;
    for (k, term) in TERMS.iter().enumerate() {
        let part = term * rising * power;
        sum += part;
        if part.abs() < f64::EPSILON * 0.01 * sum.abs() {
            break;
        }
        let k = 2.0 * k as f64;
        rising *= (x + k + 1.0) * (x + k + 2.0);
        power /= at * at;
    }
    sum
}

/// `chlo.bessel_i1e`: the modified Bessel function of order 1, times `exp(-|x|)`.
pub fn bessel_i1e(x: f64) -> f64 {
    let size = x.abs();
    if size <= 20.0 {
        // All terms have one sign: nothing cancels.
        let quarter = size * size / 4.0;
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..80 {
            let k = f64::from(k);
            term *= quarter / (k * (k + 1.0));
            sum += term;
            if term < f64::EPSILON * 0.01 * sum {
                break;
            }
        }
        return x / 2.0 * sum * (-size).exp();
    }
    // Far out, the asymptotic series; its smallest term is below `exp(-40)`.
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..30 {
        let odd = f64::from(2 * k - 1);
        term *= (odd * odd - 4.0) / (f64::from(8 * k) * size);
        sum += term;
        if f64::abs(term) < f64::EPSILON * 0.01 {
            break;
        }
    }
    (sum / (2.0 * PI * size).sqrt()).copysign(x)
}

macro_rules! next_after {
    ($name:ident, $type:ty) => {
        /// `chlo.next_after`: the neighbour of `x` towards `direction`.
        pub fn $name(x: $type, direction: $type) -> $type {
            if x.is_nan() || direction.is_nan() {
                <$type>::NAN
            } else if x == direction {
                direction
            } else if direction > x {
                x.next_up()
            } else {
                x.next_down()
            }
        }
    };
}

next_after!(next_after_f32, f32);
next_after!(next_after_f64, f64);
