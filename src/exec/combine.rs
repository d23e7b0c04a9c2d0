//! What a region does to single elements: fast ways for the bodies that occur most, a list of steps for most others.

use num_complex::Complex;

use super::elementwise::{self, VisitTwo};
use super::scalar::FloatScalar;
use super::scalar_program::ScalarProgram;
use crate::graph::{FloatKind, OperationKind as Kind, RegionId, TrainingGraph};

/// The body of a region.
#[derive(Clone, Debug)]
pub(super) enum Body<S> {
    /// The first argument: what was there stays.
    First,
    /// The second argument: what comes replaces.
    Second,
    /// One operation on both.
    Binary(Kind),
    /// Elementwise operations.
    Program(Box<ScalarProgram<S>>),
    /// Anything else: the machine runs it.
    Region,
}

impl<S: FloatScalar> Body<S> {
    /// Looks at a region.
    pub fn of(graph: &TrainingGraph, region: RegionId) -> Body<S> {
        if let Some(body) = simple(graph, region) {
            return body;
        }
        match ScalarProgram::compile(graph, region) {
            Some(program) => Body::Program(Box::new(program)),
            None => Body::Region,
        }
    }
}

/// Bodies of two arguments with one operation or none.
fn simple<S: FloatScalar>(graph: &TrainingGraph, region: RegionId) -> Option<Body<S>> {
    let arguments = graph.arguments(region);
    let (first, second) = (arguments.get(0)?, arguments.get(1)?);
    if arguments.len() != 2 {
        return None;
    }
    let [result] = graph.yields(region)[..] else { return None };
    let mut operations = graph.operations_directly_in(region).filter(|&id| !graph.operation(id).kind.is_terminator());
    let Some(id) = operations.next() else {
        return if result == first {
            Some(Body::First)
        } else if result == second {
            Some(Body::Second)
        } else {
            None
        };
    };
    let kind = graph.operation(id).kind;
    let is_alone = operations.next().is_none() && graph.results(id).get(0) == Some(result);
    let is_plain = elementwise::as_binary(kind) == Some((kind, false));
    let (a, b) = match graph.operands(id)[..] {
        [a, b] => (a, b),
        _ => return None,
    };
    let is_commutative =
        matches!(kind, Kind::Add | Kind::Multiply | Kind::Maximum | Kind::Minimum | Kind::And | Kind::Or | Kind::Xor);
    let fits = (a, b) == (first, second) || (is_commutative && (a, b) == (second, first));
    (is_alone && is_plain && fits).then_some(Body::Binary(kind))
}

/// A kernel that waits for the function that combines two elements.
pub(super) trait Kernel<T> {
    type Output;
    fn run(self, combine: impl Fn(T, T) -> T) -> Self::Output;
}

/// Hands the definition of an operation to a kernel.
struct Plain<K>(K);

impl<T, K: Kernel<T>> VisitTwo<T> for Plain<K> {
    type Output = K::Output;
    fn visit(self, function: impl Fn(T, T) -> T) -> K::Output {
        self.0.run(function)
    }
}

/// The same, rounding every result to a narrower type.
struct Rounding<K>(K, FloatKind);

impl<S: FloatScalar, K: Kernel<S>> VisitTwo<S> for Rounding<K> {
    type Output = K::Output;
    fn visit(self, function: impl Fn(S, S) -> S) -> K::Output {
        let kind = self.1;
        self.0.run(|a, b| function(a, b).rounded(kind))
    }
}

impl<S: FloatScalar, K: Kernel<Complex<S>>> VisitTwo<Complex<S>> for Rounding<K> {
    type Output = K::Output;
    fn visit(self, function: impl Fn(Complex<S>, Complex<S>) -> Complex<S>) -> K::Output {
        let kind = self.1;
        self.0.run(|a, b| {
            let value = function(a, b);
            Complex::new(value.re.rounded(kind), value.im.rounded(kind))
        })
    }
}

/// Runs a kernel on booleans; none if the body is not a simple one.
pub(super) fn with_booleans<S, K: Kernel<bool>>(body: &Body<S>, kernel: K) -> Option<K::Output> {
    match body {
        Body::First => Some(kernel.run(|first, _| first)),
        Body::Second => Some(kernel.run(|_, second| second)),
        Body::Binary(kind) => elementwise::boolean_binary(*kind, Plain(kernel)),
        _ => None,
    }
}

/// Runs a kernel on signed integers of a width.
pub(super) fn with_signed<S, K: Kernel<i64>>(body: &Body<S>, bits: u32, kernel: K) -> Option<K::Output> {
    match body {
        Body::First => Some(kernel.run(|first, _| first)),
        Body::Second => Some(kernel.run(|_, second| second)),
        Body::Binary(kind) => elementwise::signed_binary(*kind, bits, Plain(kernel)),
        _ => None,
    }
}

/// Runs a kernel on unsigned integers of a width.
pub(super) fn with_unsigned<S, K: Kernel<u64>>(body: &Body<S>, bits: u32, kernel: K) -> Option<K::Output> {
    match body {
        Body::First => Some(kernel.run(|first, _| first)),
        Body::Second => Some(kernel.run(|_, second| second)),
        Body::Binary(kind) => elementwise::unsigned_binary(*kind, bits, Plain(kernel)),
        _ => None,
    }
}

/// Runs a kernel on floats of a type.
pub(super) fn with_floats<S: FloatScalar, K: Kernel<S>>(
    body: &Body<S>,
    float: FloatKind,
    kernel: K,
) -> Option<K::Output> {
    match body {
        Body::First => Some(kernel.run(|first, _| first)),
        Body::Second => Some(kernel.run(|_, second| second)),
        Body::Binary(kind) if float == S::WIDEST => elementwise::float_binary(*kind, float, Plain(kernel)),
        Body::Binary(kind) => elementwise::float_binary(*kind, float, Rounding(kernel, float)),
        _ => None,
    }
}

/// Runs a kernel on complex numbers of a type.
pub(super) fn with_complex<S: FloatScalar, K: Kernel<Complex<S>>>(
    body: &Body<S>,
    float: FloatKind,
    kernel: K,
) -> Option<K::Output> {
    match body {
        Body::First => Some(kernel.run(|first, _| first)),
        Body::Second => Some(kernel.run(|_, second| second)),
        Body::Binary(kind) => elementwise::complex_binary(*kind, Rounding(kernel, float)),
        _ => None,
    }
}
