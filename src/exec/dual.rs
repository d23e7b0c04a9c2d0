//! Dual numbers: a value, and its derivative in one direction.
//!
//! The arithmetic is that of the crate `autodiff`. What it has otherwise than a derivative test needs is done here: its
//! `floor`, `ceil`, `round` and `trunc` keep the derivative, `is_nan` and `is_finite` look at it, `min` and `max` keep a NaN
//! that a plain float drops, `hypot`, `log2` and `log10` round otherwise than a plain float, `powf` has no derivative at
//! base 0 and `tanh` none where it is nearly 1.

use std::cell::Cell;
use std::cmp::Ordering;
use std::num::FpCategory;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use autodiff::{F, FT};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Zip};
use num_complex::Complex;
use num_traits::{Float, Num, NumCast, One, ToPrimitive, Zero};
use serde::Serialize;

use super::kernels::{Arithmetic, Field, Fourier, Ordered, Real};
use super::scalar::FloatScalar;
use crate::graph::FloatKind;

/// How often a derivative was lost on this thread: how many numbers that moved, that is whose derivative was not zero, were
/// used for something that has no derivative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Numbers that were compared or looked at for a decision.
    pub comparisons: u64,
    /// Numbers that went through a function that is flat there: rounding to integers, the sign, the next number.
    pub roundings: u64,
    /// Numbers that became integers, booleans or bits.
    pub conversions: u64,
}

thread_local! {
    static LOSSES: Cell<Losses> = const { Cell::new(Losses { comparisons: 0, roundings: 0, conversions: 0 }) };
}

impl Losses {
    /// What was lost on this thread since this was called last.
    pub fn take() -> Losses {
        LOSSES.take()
    }

    /// The sum of all.
    pub fn total(self) -> u64 {
        self.comparisons + self.roundings + self.conversions
    }

    fn count(change: impl FnOnce(&mut Losses)) {
        let mut losses = LOSSES.get();
        change(&mut losses);
        LOSSES.set(losses);
    }
}

impl Add for Losses {
    type Output = Losses;
    fn add(self, other: Losses) -> Losses {
        Losses {
            comparisons: self.comparisons + other.comparisons,
            roundings: self.roundings + other.roundings,
            conversions: self.conversions + other.conversions,
        }
    }
}

/// A float and its derivative. The value goes the very way of a plain `V`, bit for bit.
///
/// A number with derivative zero is a constant: whatever is made of constants is one, even where a slope is infinite.
/// Comparisons and decisions look at the value alone; [`Losses`] counts those that look at a number that moves.
///
/// ```
/// use num_traits::Float;
/// use openloop::exec::Dual;
///
/// let x = Dual::new(3.0_f64, 1.0);
/// assert_eq!((x * x).derivative(), 6.0);
/// assert_eq!(x.floor().derivative(), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual<V>(FT<V>);

impl<V: FloatScalar> Dual<V> {
    /// A number with this derivative.
    pub fn new(value: V, derivative: V) -> Self {
        Dual(F::new(value, derivative))
    }

    /// A number with derivative zero.
    pub fn constant(value: V) -> Self {
        Dual::new(value, <V as Zero>::zero())
    }

    /// The value, as the plain number that it is.
    pub fn plain(self) -> V {
        self.0.x
    }

    /// The derivative.
    pub fn derivative(self) -> V {
        self.0.dx
    }

    /// Whether the derivative is not zero, or not known.
    pub fn moves(self) -> bool {
        self.0.dx != <V as Zero>::zero()
    }

    /// What the crate has made of this number; a constant stays one, even where a slope is infinite.
    fn chained(self, result: FT<V>) -> Self {
        if self.moves() { Dual(result) } else { Dual::constant(result.x) }
    }

    /// By the chain rule.
    fn sloped(self, value: V, slope: impl FnOnce() -> V) -> Self {
        if self.moves() { Dual::new(value, self.0.dx * slope()) } else { Dual::constant(value) }
    }

    /// A function of two numbers that has this value and these slopes here.
    fn sloped_by_both(self, other: Self, value: V, slopes: [V; 2]) -> Self {
        let part = |number: Self, slope| if number.moves() { number.0.dx * slope } else { <V as Zero>::zero() };
        Dual::new(value, part(self, slopes[0]) + part(other, slopes[1]))
    }

    /// A function that is flat here.
    fn flat(self, value: V) -> Self {
        if self.moves() {
            Losses::count(|losses| losses.roundings += 1);
        }
        Dual::constant(value)
    }

    /// The value, for a decision.
    fn seen(self) -> V {
        if self.moves() {
            Losses::count(|losses| losses.comparisons += 1);
        }
        self.0.x
    }

    /// Both values, for one decision.
    fn seen_with(self, other: &Self) -> (V, V) {
        if self.moves() || other.moves() {
            Losses::count(|losses| losses.comparisons += 1);
        }
        (self.0.x, other.0.x)
    }
}

/// A small whole number.
fn number<V: FloatScalar>(value: f64) -> V {
    <V as Field>::from_f64(value)
}

impl<V: FloatScalar> PartialEq for Dual<V> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = self.seen_with(other);
        a == b
    }
}

impl<V: FloatScalar> PartialOrd for Dual<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (a, b) = self.seen_with(other);
        a.partial_cmp(&b)
    }
}

impl<V: FloatScalar> Add for Dual<V> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Dual(self.0 + other.0)
    }
}

impl<V: FloatScalar> Sub for Dual<V> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Dual(self.0 - other.0)
    }
}

impl<V: FloatScalar> Mul for Dual<V> {
    type Output = Self;
    // A constant times infinity would be NaN with the product rule of the crate.
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.0.x, other.0.x);
        self.sloped_by_both(other, a * b, [b, a])
    }
}

impl<V: FloatScalar> Div for Dual<V> {
    type Output = Self;
    // The quotient rule of the crate squares the divisor, which overflows early.
    fn div(self, other: Self) -> Self {
        let (a, b) = (self.0.x, other.0.x);
        let quotient = a / b;
        self.sloped_by_both(other, quotient, [b.recip(), -quotient / b])
    }
}

impl<V: FloatScalar> Rem for Dual<V> {
    type Output = Self;
    // How often the divisor fits is flat; the quotient of the crate may round up to it.
    fn rem(self, other: Self) -> Self {
        let (a, b) = (self.0.x, other.0.x);
        let remainder = a % b;
        self.sloped_by_both(other, remainder, [<V as One>::one(), -((a - remainder) / b).round()])
    }
}

impl<V: FloatScalar> Neg for Dual<V> {
    type Output = Self;
    fn neg(self) -> Self {
        Dual(-self.0)
    }
}

impl<V: FloatScalar> Zero for Dual<V> {
    fn zero() -> Self {
        Dual::constant(<V as Zero>::zero())
    }
    fn is_zero(&self) -> bool {
        self.seen().is_zero()
    }
}

impl<V: FloatScalar> One for Dual<V> {
    fn one() -> Self {
        Dual::constant(<V as One>::one())
    }
}

impl<V: FloatScalar> Num for Dual<V> {
    type FromStrRadixErr = V::FromStrRadixErr;
    fn from_str_radix(text: &str, radix: u32) -> Result<Self, Self::FromStrRadixErr> {
        V::from_str_radix(text, radix).map(Dual::constant)
    }
}

impl<V: FloatScalar> ToPrimitive for Dual<V> {
    fn to_i64(&self) -> Option<i64> {
        self.0.x.to_i64()
    }
    fn to_u64(&self) -> Option<u64> {
        self.0.x.to_u64()
    }
    fn to_f64(&self) -> Option<f64> {
        self.0.x.to_f64()
    }
}

impl<V: FloatScalar> NumCast for Dual<V> {
    fn from<T: ToPrimitive>(value: T) -> Option<Self> {
        <V as NumCast>::from(value).map(Dual::constant)
    }
}

macro_rules! constants {
    ($($name:ident)*) => {$(
        fn $name() -> Self {
            Dual::constant(V::$name())
        }
    )*};
}

macro_rules! of_the_crate {
    ($($name:ident)*) => {$(
        fn $name(self) -> Self {
            self.chained(Float::$name(self.0))
        }
    )*};
}

macro_rules! flat {
    ($($name:ident)*) => {$(
        fn $name(self) -> Self {
            self.flat(self.0.x.$name())
        }
    )*};
}

impl<V: FloatScalar> Float for Dual<V> {
    constants!(nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon);
    of_the_crate!(fract sqrt exp exp2 ln cbrt sin cos tan asin acos atan exp_m1 ln_1p sinh cosh asinh acosh atanh recip);
    flat!(floor ceil round trunc signum);

    // Neither is counted: NaN has no derivative to lose, and signs are looked at by functions that keep it.
    fn is_nan(self) -> bool {
        self.0.x.is_nan()
    }
    fn is_sign_positive(self) -> bool {
        self.0.x.is_sign_positive()
    }
    fn is_sign_negative(self) -> bool {
        self.0.x.is_sign_negative()
    }

    fn is_infinite(self) -> bool {
        self.seen().is_infinite()
    }
    fn is_finite(self) -> bool {
        self.seen().is_finite()
    }
    fn is_normal(self) -> bool {
        self.seen().is_normal()
    }
    fn classify(self) -> FpCategory {
        self.seen().classify()
    }
    fn integer_decode(self) -> (u64, i16, i8) {
        self.seen().integer_decode()
    }

    /// The derivative from above at zero.
    fn abs(self) -> Self {
        self.chained(Float::abs(self.0))
    }

    fn mul_add(self, factor: Self, summand: Self) -> Self {
        let product = self * factor;
        Dual::new(self.0.x.mul_add(factor.0.x, summand.0.x), product.0.dx + summand.0.dx)
    }

    fn powi(self, exponent: i32) -> Self {
        let x = self.0.x;
        self.sloped(x.powi(exponent), || match exponent {
            0 => <V as Zero>::zero(),
            _ => number::<V>(<f64 as From<i32>>::from(exponent)) * x.powi(exponent - 1),
        })
    }

    fn powf(self, exponent: Self) -> Self {
        let (x, n) = (self.0.x, exponent.0.x);
        let power = x.powf(n);
        let (zero, one) = (<V as Zero>::zero(), <V as One>::one());
        let by_base = if n == zero { zero } else { n * x.powf(n - one) };
        // The limit at base 0, where the logarithm is infinite.
        let by_exponent = if power == zero { zero } else { power * x.ln() };
        self.sloped_by_both(exponent, power, [by_base, by_exponent])
    }

    fn log(self, base: Self) -> Self {
        let (x, b) = (self.0.x, base.0.x);
        let (value, scale) = (x.log(b), b.ln());
        self.sloped_by_both(base, value, [(x * scale).recip(), -value / (b * scale)])
    }

    fn log2(self) -> Self {
        let x = self.0.x;
        self.sloped(x.log2(), || (x * number::<V>(std::f64::consts::LN_2)).recip())
    }

    fn log10(self) -> Self {
        let x = self.0.x;
        self.sloped(x.log10(), || (x * number::<V>(std::f64::consts::LN_10)).recip())
    }

    // One minus the square, as the crate has it, is nothing where this is nearly 1.
    fn tanh(self) -> Self {
        let x = self.0.x;
        self.sloped(x.tanh(), || {
            let cosh = x.cosh();
            (cosh * cosh).recip()
        })
    }

    // The squares of the crate overflow early.
    fn hypot(self, other: Self) -> Self {
        let (a, b) = (self.0.x, other.0.x);
        let length = a.hypot(b);
        let zero = <V as Zero>::zero();
        let slopes = if length == zero { [<V as One>::one(), zero] } else { [a / length, b / length] };
        self.sloped_by_both(other, length, slopes)
    }

    fn atan2(self, other: Self) -> Self {
        let (y, x) = (self.0.x, other.0.x);
        let length = y.hypot(x);
        self.sloped_by_both(other, y.atan2(x), [x / length / length, -y / length / length])
    }

    fn sin_cos(self) -> (Self, Self) {
        let (sin, cos) = self.0.x.sin_cos();
        (self.sloped(sin, || cos), self.sloped(cos, || -sin))
    }

    fn max(self, other: Self) -> Self {
        let (a, b) = self.seen_with(&other);
        let is_first = a >= b || b.is_nan();
        Dual::new(a.max(b), if is_first { self.0.dx } else { other.0.dx })
    }

    fn min(self, other: Self) -> Self {
        let (a, b) = self.seen_with(&other);
        let is_first = a <= b || b.is_nan();
        Dual::new(a.min(b), if is_first { self.0.dx } else { other.0.dx })
    }

    fn abs_sub(self, other: Self) -> Self {
        let (a, b) = self.seen_with(&other);
        if a <= b { Dual::constant(<V as Zero>::zero()) } else { self - other }
    }
}

impl<V: FloatScalar> Arithmetic for Dual<V> {
    fn zero() -> Self {
        Dual::constant(<V as Zero>::zero())
    }
    fn one() -> Self {
        Dual::constant(<V as One>::one())
    }
    fn add(self, other: Self) -> Self {
        self + other
    }
    fn mul(self, other: Self) -> Self {
        self * other
    }

    /// The value is the fast product of the values, the derivative the sum of two more, left out where nothing moves.
    fn matrix_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut result: ArrayViewMut2<'_, Self>) {
        let product = |left: &Array2<V>, right: &Array2<V>| {
            let mut product = Array2::from_elem((left.nrows(), right.ncols()), <V as Zero>::zero());
            V::matrix_product(left.view(), right.view(), product.view_mut());
            product
        };
        let (left_values, right_values) = (part(&left, Dual::plain), part(&right, Dual::plain));
        Zip::from(&mut result)
            .and(&product(&left_values, &right_values))
            .for_each(|result, &value| *result = Dual::constant(value));
        let mut add_derivative = |left: &Array2<V>, right: &Array2<V>| {
            Zip::from(&mut result)
                .and(&product(left, right))
                .for_each(|result, &derivative| result.0.dx = result.0.dx + derivative);
        };
        if left.iter().any(|number| number.moves()) {
            add_derivative(&part(&left, Dual::derivative), &right_values);
        }
        if right.iter().any(|number| number.moves()) {
            add_derivative(&left_values, &part(&right, Dual::derivative));
        }
    }
}

/// One part of each number of a matrix, in the order in which the matrix lies in memory: the order of a sum may depend on it.
fn part<V: FloatScalar>(matrix: &ArrayView2<'_, Dual<V>>, part: impl Fn(Dual<V>) -> V) -> Array2<V> {
    if matrix.strides()[1].abs() > matrix.strides()[0].abs() {
        matrix.t().map(|&number| part(number)).reversed_axes()
    } else {
        matrix.map(|&number| part(number))
    }
}

impl<V: FloatScalar> Field for Dual<V> {
    fn from_f64(value: f64) -> Self {
        Dual::constant(number(value))
    }
    fn sub(self, other: Self) -> Self {
        self - other
    }
    fn div(self, other: Self) -> Self {
        self / other
    }
    fn square_root(self) -> Self {
        self.sqrt()
    }
    fn conjugate(self) -> Self {
        self
    }
    fn real_part(self) -> Self {
        self
    }
    fn real_value(self) -> f64 {
        self.seen().real_value()
    }
    fn pivot_size(self) -> f64 {
        self.seen().pivot_size()
    }
}

impl<V: FloatScalar> Ordered for Dual<V> {
    fn minimum(self, other: Self) -> Self {
        let (a, b) = self.seen_with(&other);
        let value = a.minimum(b);
        Dual::new(value, if is_same(value, a) { self.0.dx } else { other.0.dx })
    }
    fn maximum(self, other: Self) -> Self {
        let (a, b) = self.seen_with(&other);
        let value = a.maximum(b);
        Dual::new(value, if is_same(value, a) { self.0.dx } else { other.0.dx })
    }
    fn total_order(&self, other: &Self) -> Ordering {
        let (a, b) = self.seen_with(other);
        a.total_order(&b)
    }
}

/// The same number, whatever it is.
fn is_same<V: FloatScalar>(a: V, b: V) -> bool {
    a.total_order(&b).is_eq()
}

impl<V: FloatScalar> Real for Dual<V> {}

impl<V: FloatScalar> Fourier for Dual<V> {
    /// The transform is linear: values and derivatives go through it side by side.
    fn transform(lines: &mut [Complex<Self>], length: usize, inverse: bool) {
        let mut values: Vec<Complex<V>> =
            lines.iter().map(|number| Complex::new(number.re.plain(), number.im.plain())).collect();
        V::transform(&mut values, length, inverse);
        let mut derivatives: Vec<Complex<V>> =
            lines.iter().map(|number| Complex::new(number.re.derivative(), number.im.derivative())).collect();
        V::transform(&mut derivatives, length, inverse);
        for ((number, value), derivative) in lines.iter_mut().zip(values).zip(derivatives) {
            *number = Complex::new(Dual::new(value.re, derivative.re), Dual::new(value.im, derivative.im));
        }
    }
}

impl<V: FloatScalar> FloatScalar for Dual<V> {
    const WIDEST: FloatKind = V::WIDEST;
    const HAS_DERIVATIVE: bool = true;

    fn value(self) -> f64 {
        self.0.x.value()
    }

    fn lost(self) -> f64 {
        if self.moves() {
            Losses::count(|losses| losses.conversions += 1);
        }
        self.value()
    }

    fn flattened(self) -> Self {
        self.flat(self.0.x)
    }

    fn mapped(self, value: f64, derivative: impl FnOnce() -> f64) -> Self {
        self.sloped(number(value), || number(derivative()))
    }

    fn rounded(self, kind: FloatKind) -> Self {
        Dual::new(self.0.x.rounded(kind), self.0.dx)
    }

    fn next_after(self, towards: Self, kind: FloatKind) -> Self {
        if towards.moves() {
            Losses::count(|losses| losses.comparisons += 1);
        }
        self.flat(self.0.x.next_after(towards.0.x, kind))
    }
}
