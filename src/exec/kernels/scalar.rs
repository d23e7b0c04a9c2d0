//! What a kernel asks of an element.

use std::cmp::Ordering;

use half::{bf16, f16};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};
use num_complex::Complex;

/// Numbers that add and multiply: floats, complex numbers, integers that wrap around, booleans as the specification has
/// them (sum is or, product is and).
pub trait Arithmetic: Copy + Send + Sync + 'static {
    /// The neutral element of the sum.
    fn zero() -> Self;
    /// The neutral element of the product.
    fn one() -> Self;
    /// Sum.
    fn add(self, other: Self) -> Self;
    /// Product.
    fn mul(self, other: Self) -> Self;

    /// Writes the matrix product of `left` and `right` into `result`, whose old content is ignored.
    ///
    /// The shapes agree: `[m, k]`, `[k, n]`, `[m, n]`. The order of summation depends on the shapes alone. A type that
    /// has a fast product overrides this.
    fn matrix_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, result: ArrayViewMut2<'_, Self>) {
        plain_matrix_product(left, right, result);
    }
}

/// Numbers that divide and have square roots: what the factorizations need.
pub trait Field: Arithmetic {
    /// The number nearest to `value`.
    fn from_f64(value: f64) -> Self;
    /// Difference.
    fn sub(self, other: Self) -> Self;
    /// Quotient.
    fn div(self, other: Self) -> Self;
    /// Square root; of a negative real number it is NaN.
    fn square_root(self) -> Self;
    /// Complex conjugate: the number itself where it is real.
    fn conjugate(self) -> Self;
    /// The real part, as the same type.
    fn real_part(self) -> Self;
    /// The real part, for decisions. It carries no derivative.
    fn real_value(self) -> f64;
    /// A size for choosing pivots: the absolute value, for complex numbers the sum of those of the parts. It carries no
    /// derivative.
    fn pivot_size(self) -> f64;
}

/// Elements with an order: all but the complex ones.
pub trait Ordered: Copy + Send + Sync + 'static {
    /// The smaller one; NaN if one is NaN, and -0 is smaller than +0.
    fn minimum(self, other: Self) -> Self;
    /// The larger one; NaN if one is NaN, and +0 is larger than -0.
    fn maximum(self, other: Self) -> Self;
    /// The total order: for floats that of IEEE 754 `totalOrder`.
    fn total_order(&self, other: &Self) -> Ordering;
}

/// A real number.
pub trait Real: Field + Ordered {}

/// Real numbers with a fast Fourier transform.
pub trait Fourier: Real {
    /// Transforms in place each run of `length` elements of `lines`, without scaling. `length` is not zero and divides
    /// the number of elements.
    fn transform(lines: &mut [Complex<Self>], length: usize, inverse: bool);
}

/// The product by definition, in the order of the contracted dimension, row by row of `right` so that the inner loop
/// runs over neighbours.
fn plain_matrix_product<T: Arithmetic>(
    left: ArrayView2<'_, T>,
    right: ArrayView2<'_, T>,
    mut result: ArrayViewMut2<'_, T>,
) {
    for (left, mut result) in left.axis_iter(Axis(0)).zip(result.axis_iter_mut(Axis(0))) {
        result.fill(T::zero());
        for (&factor, right) in left.iter().zip(right.axis_iter(Axis(0))) {
            result.zip_mut_with(&right, |sum, &value| *sum = sum.add(factor.mul(value)));
        }
    }
}

/// Goes along the matrix as it lies in memory.
fn matrix_times_vector<T: Arithmetic>(
    matrix: ArrayView2<'_, T>,
    vector: ArrayView1<'_, T>,
    mut result: ArrayViewMut1<'_, T>,
) {
    if matrix.strides()[1].abs() > matrix.strides()[0].abs() {
        let mut sums = Array1::from_elem(result.len(), T::zero());
        for (column, &factor) in matrix.axis_iter(Axis(1)).zip(&vector) {
            sums.zip_mut_with(&column, |sum, &value| *sum = sum.add(factor.mul(value)));
        }
        result.assign(&sums);
    } else {
        let vector = vector.as_standard_layout();
        let vector = vector.as_slice().unwrap_or_default();
        for (row, result) in matrix.axis_iter(Axis(0)).zip(&mut result) {
            *result = match row.as_slice() {
                Some(row) => inner_product(row, vector),
                None => row.iter().zip(vector).fold(T::zero(), |sum, (&left, &right)| sum.add(left.mul(right))),
            };
        }
    }
}

/// Lanes hide how long one addition takes.
const LANES: usize = 32;

fn inner_product<T: Arithmetic>(left: &[T], right: &[T]) -> T {
    let (left_blocks, left_rest) = left.as_chunks::<LANES>();
    let (right_blocks, right_rest) = right.as_chunks::<LANES>();
    let mut lanes = [T::zero(); LANES];
    for (left, right) in left_blocks.iter().zip(right_blocks) {
        for (lane, (&left, &right)) in lanes.iter_mut().zip(left.iter().zip(right)) {
            *lane = lane.add(left.mul(right));
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(&left, &right)| left.mul(right));
    lanes.into_iter().chain(rest).fold(T::zero(), T::add)
}

macro_rules! float {
    ($type:ty, $from_f64:path, $to_f64:path, $square_root:path, $matrix_product:ident) => {
        impl Arithmetic for $type {
            fn zero() -> Self {
                $from_f64(0.0)
            }
            fn one() -> Self {
                $from_f64(1.0)
            }
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            $matrix_product!();
        }

        impl Field for $type {
            fn from_f64(value: f64) -> Self {
                $from_f64(value)
            }
            fn sub(self, other: Self) -> Self {
                self - other
            }
            fn div(self, other: Self) -> Self {
                self / other
            }
            fn square_root(self) -> Self {
                $square_root(self)
            }
            fn conjugate(self) -> Self {
                self
            }
            fn real_part(self) -> Self {
                self
            }
            fn real_value(self) -> f64 {
                $to_f64(self)
            }
            fn pivot_size(self) -> f64 {
                $to_f64(self).abs()
            }
        }

        impl Ordered for $type {
            // Without branches, so that many go side by side.
            fn minimum(self, other: Self) -> Self {
                let smaller = (other < self) | ((other == self) & other.is_sign_negative());
                if !self.is_nan() & (smaller | other.is_nan()) { other } else { self }
            }
            fn maximum(self, other: Self) -> Self {
                let larger = (other > self) | ((other == self) & other.is_sign_positive());
                if !self.is_nan() & (larger | other.is_nan()) { other } else { self }
            }
            fn total_order(&self, other: &Self) -> Ordering {
                self.total_cmp(other)
            }
        }

        impl Real for $type {}
    };
}

macro_rules! fast_matrix_product {
    () => {
        fn matrix_product(
            left: ArrayView2<'_, Self>,
            right: ArrayView2<'_, Self>,
            mut result: ArrayViewMut2<'_, Self>,
        ) {
            // The fast product is slow for a single row or column, since it packs the matrix first.
            if right.ncols() == 1 {
                matrix_times_vector(left, right.column(0), result.column_mut(0));
            } else if left.nrows() == 1 {
                matrix_times_vector(right.reversed_axes(), left.row(0), result.row_mut(0));
            } else {
                general_mat_mul(1.0, &left, &right, 0.0, &mut result);
            }
        }
    };
}

/// The product of 16 bit floats: sums are kept in f32 and rounded once, as XLA does on a CPU.
macro_rules! widened_matrix_product {
    () => {
        fn matrix_product(
            left: ArrayView2<'_, Self>,
            right: ArrayView2<'_, Self>,
            mut result: ArrayViewMut2<'_, Self>,
        ) {
            let wide = left.mapv(Self::to_f32).dot(&right.mapv(Self::to_f32));
            result.zip_mut_with(&wide, |result, &sum| *result = Self::from_f32(sum));
        }
    };
}

fn f32_from_f64(value: f64) -> f32 {
    value as f32
}

fn f16_square_root(value: f16) -> f16 {
    f16::from_f32(value.to_f32().sqrt())
}

fn bf16_square_root(value: bf16) -> bf16 {
    bf16::from_f32(value.to_f32().sqrt())
}

float!(f16, f16::from_f64, f16::to_f64, f16_square_root, widened_matrix_product);
float!(bf16, bf16::from_f64, bf16::to_f64, bf16_square_root, widened_matrix_product);
float!(f32, f32_from_f64, f64::from, f32::sqrt, fast_matrix_product);
float!(f64, std::convert::identity, std::convert::identity, f64::sqrt, fast_matrix_product);

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Arithmetic for $type {
            fn zero() -> Self {
                0
            }
            fn one() -> Self {
                1
            }
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
        }

        impl Ordered for $type {
            fn minimum(self, other: Self) -> Self {
                self.min(other)
            }
            fn maximum(self, other: Self) -> Self {
                self.max(other)
            }
            fn total_order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
        }
    )*};
}

integer!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Arithmetic for bool {
    fn zero() -> Self {
        false
    }
    fn one() -> Self {
        true
    }
    fn add(self, other: Self) -> Self {
        self || other
    }
    fn mul(self, other: Self) -> Self {
        self && other
    }
}

impl Ordered for bool {
    fn minimum(self, other: Self) -> Self {
        self && other
    }
    fn maximum(self, other: Self) -> Self {
        self || other
    }
    fn total_order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl<T: Real> Arithmetic for Complex<T> {
    fn zero() -> Self {
        Complex { re: T::zero(), im: T::zero() }
    }
    fn one() -> Self {
        Complex { re: T::one(), im: T::zero() }
    }
    fn add(self, other: Self) -> Self {
        Complex { re: self.re.add(other.re), im: self.im.add(other.im) }
    }
    fn mul(self, other: Self) -> Self {
        Complex {
            re: self.re.mul(other.re).sub(self.im.mul(other.im)),
            im: self.re.mul(other.im).add(self.im.mul(other.re)),
        }
    }

    fn matrix_product(left: ArrayView2<'_, Self>, right: ArrayView2<'_, Self>, mut result: ArrayViewMut2<'_, Self>) {
        let product = |left: &Array2<T>, right: &Array2<T>| {
            let mut product = Array2::from_elem((left.nrows(), right.ncols()), T::zero());
            T::matrix_product(left.view(), right.view(), product.view_mut());
            product
        };
        let (left_real, left_imaginary) = (left.mapv(|value| value.re), left.mapv(|value| value.im));
        let (right_real, right_imaginary) = (right.mapv(|value| value.re), right.mapv(|value| value.im));
        let (first, second) = (product(&left_real, &right_real), product(&left_imaginary, &right_imaginary));
        let (third, fourth) = (product(&left_real, &right_imaginary), product(&left_imaginary, &right_real));
        for ((position, result), &real) in result.indexed_iter_mut().zip(&first) {
            *result = Complex { re: real.sub(second[position]), im: third[position].add(fourth[position]) };
        }
    }
}

impl<T: Real> Field for Complex<T> {
    fn from_f64(value: f64) -> Self {
        Complex { re: T::from_f64(value), im: T::zero() }
    }
    fn sub(self, other: Self) -> Self {
        Complex { re: self.re.sub(other.re), im: self.im.sub(other.im) }
    }
    /// Smith's way: the larger part of the divisor is divided by first, so that nothing overflows early.
    fn div(self, other: Self) -> Self {
        if other.re.pivot_size() >= other.im.pivot_size() {
            let ratio = other.im.div(other.re);
            let divisor = other.re.add(other.im.mul(ratio));
            Complex {
                re: self.re.add(self.im.mul(ratio)).div(divisor),
                im: self.im.sub(self.re.mul(ratio)).div(divisor),
            }
        } else {
            let ratio = other.re.div(other.im);
            let divisor = other.im.add(other.re.mul(ratio));
            Complex {
                re: self.re.mul(ratio).add(self.im).div(divisor),
                im: self.im.mul(ratio).sub(self.re).div(divisor),
            }
        }
    }
    fn square_root(self) -> Self {
        if self.pivot_size() == 0.0 {
            return self;
        }
        let (large, small) =
            if self.re.pivot_size() >= self.im.pivot_size() { (self.re, self.im) } else { (self.im, self.re) };
        let ratio = small.div(large);
        let size = absolute(large).mul(T::one().add(ratio.mul(ratio)).square_root());
        let half = T::from_f64(0.5);
        let root = absolute(self.re).add(size).mul(half).square_root();
        let other = self.im.mul(half).div(root);
        if self.re.total_order(&T::zero()).is_ge() {
            Complex { re: root, im: other }
        } else if self.im.total_order(&T::zero()).is_ge() {
            Complex { re: other, im: root }
        } else {
            Complex { re: T::zero().sub(other), im: T::zero().sub(root) }
        }
    }
    fn conjugate(self) -> Self {
        Complex { re: self.re, im: T::zero().sub(self.im) }
    }
    fn real_part(self) -> Self {
        Complex { re: self.re, im: T::zero() }
    }
    fn real_value(self) -> f64 {
        self.re.real_value()
    }
    fn pivot_size(self) -> f64 {
        self.re.pivot_size() + self.im.pivot_size()
    }
}

/// The absolute value, with the derivative of the branch taken.
fn absolute<T: Real>(value: T) -> T {
    if value.total_order(&T::zero()).is_lt() { T::zero().sub(value) } else { value }
}

macro_rules! fourier {
    ($($type:ty),*) => {$(
        impl Fourier for $type {
            fn transform(lines: &mut [Complex<Self>], length: usize, inverse: bool) {
                let mut planner = rustfft::FftPlanner::new();
                let plan = if inverse { planner.plan_fft_inverse(length) } else { planner.plan_fft_forward(length) };
                plan.process(lines);
            }
        }
    )*};
}

fourier!(f32, f64);
