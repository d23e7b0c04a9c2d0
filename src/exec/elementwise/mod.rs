//! Elementwise operations: one definition of each, for whole arrays and for single elements.
//!
//! A definition is a closure that is handed to a [`VisitOne`] or [`VisitTwo`]; the compiler makes a loop of its own for
//! each, so that no choice is made for an element.

mod compare;
mod complex;
mod float;
mod integer;

use ndarray::ArrayD;

pub(super) use compare::{Comparison, Direction, Order, compare};
pub(super) use complex::{binary as complex_binary, unary as complex_unary};
pub(super) use float::{binary as float_binary, is_special, unary as float_unary};
pub(super) use integer::{boolean_binary, boolean_unary, signed_binary, signed_unary, unsigned_binary, unsigned_unary};

use super::scalar::FloatScalar;
use super::tensor::{Array, NO_TENSOR, Tensor};
use crate::graph::{FloatKind, OperationKind as Kind};

/// Takes the definition of an operation with one operand.
pub(super) trait VisitOne<T> {
    type Output;
    fn visit(self, function: impl Fn(T) -> T) -> Self::Output;
}

/// Takes the definition of an operation with two operands.
pub(super) trait VisitTwo<T> {
    type Output;
    fn visit(self, function: impl Fn(T, T) -> T) -> Self::Output;
}

/// One element of each operand.
pub(super) struct Single<T>(pub T);

impl<T> VisitOne<T> for Single<T> {
    type Output = T;
    fn visit(self, function: impl Fn(T) -> T) -> T {
        function(self.0)
    }
}

impl<T> VisitTwo<T> for Single<(T, T)> {
    type Output = T;
    fn visit(self, function: impl Fn(T, T) -> T) -> T {
        function(self.0.0, self.0.1)
    }
}

/// All elements of each operand.
struct Whole<A>(A);

impl<T: Copy> VisitOne<T> for Whole<Array<T>> {
    type Output = Array<T>;
    fn visit(self, function: impl Fn(T) -> T) -> Array<T> {
        map_in_place(self.0, function)
    }
}

impl<T: Copy> VisitTwo<T> for Whole<(Array<T>, Array<T>)> {
    type Output = Array<T>;
    fn visit(self, function: impl Fn(T, T) -> T) -> Array<T> {
        zip_in_place(self.0.0, self.0.1, function)
    }
}

/// Shares an array; its elements are put in row-major order if they are not.
pub(super) fn shared<T: Clone>(array: ArrayD<T>) -> Array<T> {
    if array.is_standard_layout() { array.into_shared() } else { array.as_standard_layout().into_owned().into_shared() }
}

/// The elements in row-major order.
pub(super) fn elements<T>(array: &Array<T>) -> &[T] {
    array.as_slice().expect("arrays of tensors are in row-major order")
}

/// A new array of the same shape.
pub(super) fn map<T: Copy, U>(array: &Array<T>, function: impl Fn(T) -> U) -> Array<U> {
    let mapped = elements(array).iter().map(|&value| function(value)).collect();
    Array::from_shape_vec(array.raw_dim(), mapped).expect("as many elements as before")
}

/// The same array if nobody else has it, else a new one.
pub(super) fn map_in_place<T: Copy>(array: Array<T>, function: impl Fn(T) -> T) -> Array<T> {
    match array.try_into_owned_nocopy() {
        Ok(mut owned) => {
            for value in owned.as_slice_mut().expect("arrays of tensors are in row-major order") {
                *value = function(*value);
            }
            owned.into_shared()
        }
        Err(array) => map(&array, function),
    }
}

/// A new array from two of one shape.
pub(super) fn zip<T: Copy, U: Copy, V>(first: &Array<T>, second: &Array<U>, function: impl Fn(T, U) -> V) -> Array<V> {
    let pairs = elements(first).iter().zip(elements(second));
    let zipped = pairs.map(|(&a, &b)| function(a, b)).collect();
    Array::from_shape_vec(first.raw_dim(), zipped).expect("as many elements as before")
}

/// Writes into either array if nobody else has it. The arrays have one shape.
fn zip_in_place<T: Copy>(first: Array<T>, second: Array<T>, function: impl Fn(T, T) -> T) -> Array<T> {
    let in_order = "arrays of tensors are in row-major order";
    match first.try_into_owned_nocopy() {
        Ok(mut owned) => {
            for (a, &b) in owned.as_slice_mut().expect(in_order).iter_mut().zip(elements(&second)) {
                *a = function(*a, b);
            }
            owned.into_shared()
        }
        Err(first) => match second.try_into_owned_nocopy() {
            Ok(mut owned) => {
                for (&a, b) in elements(&first).iter().zip(owned.as_slice_mut().expect(in_order)) {
                    *b = function(a, *b);
                }
                owned.into_shared()
            }
            Err(second) => zip(&first, &second, function),
        },
    }
}

/// Rounds floats to their type, if it is narrower than the scalar.
pub(super) fn rounded<S: FloatScalar>(kind: FloatKind, array: Array<S>) -> Array<S> {
    if kind == S::WIDEST { array } else { map_in_place(array, |value| value.rounded(kind)) }
}

/// Rounds the parts of complex numbers to their type.
pub(super) fn rounded_complex<S: FloatScalar>(
    kind: FloatKind,
    array: Array<num_complex::Complex<S>>,
) -> Array<num_complex::Complex<S>> {
    if kind == S::WIDEST {
        return array;
    }
    map_in_place(array, |number| num_complex::Complex::new(number.re.rounded(kind), number.im.rounded(kind)))
}

/// Why an operation cannot be done on an element type.
pub(super) fn not_defined(element: &str) -> String {
    format!("the operation is not defined for elements of type {element}")
}

fn same_shape(first: &[usize], second: &[usize]) -> Result<(), String> {
    if first == second {
        return Ok(());
    }
    Err(format!("the operands have the shapes {first:?} and {second:?}"))
}

/// Whether a kind of operation has one operand and a result of the same element type, except [`Kind::Abs`] of complex numbers.
pub(super) fn is_unary(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Abs
            | Kind::Cbrt
            | Kind::Ceil
            | Kind::Cosine
            | Kind::CountLeadingZeros
            | Kind::Exponential
            | Kind::ExponentialMinusOne
            | Kind::Floor
            | Kind::Log
            | Kind::LogPlusOne
            | Kind::Logistic
            | Kind::Negate
            | Kind::Not
            | Kind::PopulationCount
            | Kind::RoundNearestAfz
            | Kind::RoundNearestEven
            | Kind::Rsqrt
            | Kind::Sign
            | Kind::Sine
            | Kind::Sqrt
            | Kind::Tan
            | Kind::Tanh
            | Kind::Acos
            | Kind::Acosh
            | Kind::Asin
            | Kind::AsinAcosKernel
            | Kind::Asinh
            | Kind::Atan
            | Kind::Atanh
            | Kind::BesselI1e
            | Kind::BroadcastAcos
            | Kind::Conjugate
            | Kind::Cosh
            | Kind::Digamma
            | Kind::Erf
            | Kind::ErfInv
            | Kind::Erfc
            | Kind::Lgamma
            | Kind::Sinh
            | Kind::Square
            | Kind::ChloTan
    )
}

/// The elementwise operation with two operands that a kind is, and whether its operands are broadcast first.
pub(super) fn as_binary(kind: Kind) -> Option<(Kind, bool)> {
    Some(match kind {
        Kind::Add
        | Kind::And
        | Kind::Atan2
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
        | Kind::MultiplyHigh
        | Kind::NextAfter
        | Kind::Polygamma
        | Kind::Zeta => (kind, false),
        Kind::BroadcastAdd => (Kind::Add, true),
        Kind::BroadcastAnd => (Kind::And, true),
        Kind::BroadcastAtan2 => (Kind::Atan2, true),
        Kind::BroadcastDivide => (Kind::Divide, true),
        Kind::BroadcastMaximum => (Kind::Maximum, true),
        Kind::BroadcastMinimum => (Kind::Minimum, true),
        Kind::BroadcastMultiply => (Kind::Multiply, true),
        Kind::BroadcastNextAfter => (Kind::NextAfter, true),
        Kind::BroadcastOr => (Kind::Or, true),
        Kind::BroadcastPolygamma => (Kind::Polygamma, true),
        Kind::BroadcastPower => (Kind::Power, true),
        Kind::BroadcastRemainder => (Kind::Remainder, true),
        Kind::BroadcastShiftLeft => (Kind::ShiftLeft, true),
        Kind::BroadcastShiftRightArithmetic => (Kind::ShiftRightArithmetic, true),
        Kind::BroadcastShiftRightLogical => (Kind::ShiftRightLogical, true),
        Kind::BroadcastSubtract => (Kind::Subtract, true),
        Kind::BroadcastXor => (Kind::Xor, true),
        Kind::BroadcastZeta => (Kind::Zeta, true),
        _ => return None,
    })
}

/// An operation with one operand.
pub(super) fn unary<S: FloatScalar>(kind: Kind, operand: Tensor<S>) -> Result<Tensor<S>, String> {
    let element = operand.element().ok_or(NO_TENSOR)?;
    let result = match operand {
        Tensor::Boolean(array) => boolean_unary(kind, Whole(array)).map(Tensor::Boolean),
        Tensor::Signed(bits, array) => signed_unary(kind, bits, Whole(array)).map(|array| Tensor::Signed(bits, array)),
        Tensor::Unsigned(bits, array) => {
            unsigned_unary(kind, bits, Whole(array)).map(|array| Tensor::Unsigned(bits, array))
        }
        Tensor::Float(float, array) => {
            float_unary(kind, float, Whole(array)).map(|array| Tensor::Float(float, rounded(float, array)))
        }
        Tensor::Complex(float, array) if kind == Kind::Abs => {
            Some(Tensor::Float(float, rounded(float, map(&array, |number| number.norm()))))
        }
        Tensor::Complex(float, array) => {
            complex_unary(kind, Whole(array)).map(|array| Tensor::Complex(float, rounded_complex(float, array)))
        }
        Tensor::Token | Tensor::Tuple(_) => None,
    };
    result.ok_or_else(|| not_defined(&element.to_string()))
}

/// An operation with two operands of one shape.
pub(super) fn binary<S: FloatScalar>(kind: Kind, first: Tensor<S>, second: Tensor<S>) -> Result<Tensor<S>, String> {
    same_shape(first.shape(), second.shape())?;
    if first.element() != second.element() {
        return Err(super::tensor::NOT_ALIKE.into());
    }
    let element = first.element().ok_or(NO_TENSOR)?;
    let result = match (first, second) {
        (Tensor::Boolean(a), Tensor::Boolean(b)) => boolean_binary(kind, Whole((a, b))).map(Tensor::Boolean),
        (Tensor::Signed(bits, a), Tensor::Signed(_, b)) => {
            signed_binary(kind, bits, Whole((a, b))).map(|array| Tensor::Signed(bits, array))
        }
        (Tensor::Unsigned(bits, a), Tensor::Unsigned(_, b)) => {
            unsigned_binary(kind, bits, Whole((a, b))).map(|array| Tensor::Unsigned(bits, array))
        }
        (Tensor::Float(float, a), Tensor::Float(_, b)) => {
            float_binary(kind, float, Whole((a, b))).map(|array| Tensor::Float(float, rounded(float, array)))
        }
        (Tensor::Complex(float, a), Tensor::Complex(_, b)) => {
            complex_binary(kind, Whole((a, b))).map(|array| Tensor::Complex(float, rounded_complex(float, array)))
        }
        _ => None,
    };
    result.ok_or_else(|| not_defined(&element.to_string()))
}

/// `select`. A predicate of rank 0 chooses for all elements.
pub(super) fn select<S: FloatScalar>(
    predicate: &Tensor<S>,
    on_true: Tensor<S>,
    on_false: Tensor<S>,
) -> Result<Tensor<S>, String> {
    let Tensor::Boolean(predicate) = predicate else { return Err("the predicate is not boolean".into()) };
    same_shape(on_true.shape(), on_false.shape())?;
    if predicate.ndim() == 0 {
        return Ok(if elements(predicate)[0] { on_true } else { on_false });
    }
    same_shape(predicate.shape(), on_true.shape())?;
    super::tensor::same_elements!(on_true, on_false, |a, b| choose(predicate, a, &b))
}

fn choose<T: Copy>(predicate: &Array<bool>, on_true: Array<T>, on_false: &Array<T>) -> Array<T> {
    match on_true.try_into_owned_nocopy() {
        Ok(mut owned) => {
            let chosen = owned.as_slice_mut().expect("arrays of tensors are in row-major order");
            for ((value, &other), &keep) in chosen.iter_mut().zip(elements(on_false)).zip(elements(predicate)) {
                *value = if keep { *value } else { other };
            }
            owned.into_shared()
        }
        Err(on_true) => {
            let pairs = elements(&on_true).iter().zip(elements(on_false)).zip(elements(predicate));
            let chosen = pairs.map(|((&a, &b), &keep)| if keep { a } else { b }).collect();
            Array::from_shape_vec(on_true.raw_dim(), chosen).expect("as many elements as before")
        }
    }
}
