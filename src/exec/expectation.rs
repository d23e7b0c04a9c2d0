//! What a test expects of its values: the `check` dialect, and the custom calls that are named after it.
//!
//! Source: the dialect's definition in StableHLO's own tests (`CheckOps.td`), and the reference interpreter for the custom
//! calls. Two floats are equal by IEEE-754: the zeros are, and NaN is equal to nothing. Where something may differ, two NaN
//! do not.

use ndarray::Dimension;
use num_complex::Complex;

use super::attributes::Attributes;
use super::constant::read_constant;
use super::encode_float;
use super::scalar::FloatScalar;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::{Attribute, FloatKind, OperationId, OperationKind as Kind, TrainingGraph};

/// How near what is found must be to what is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Nearness {
    /// Equal.
    Equal,
    /// Floats differ by so much at most.
    Within(f64),
    /// From one float to the other it is so many steps to the next one, at least and at most.
    Steps { least: u64, most: u64 },
}

/// What one operation expects.
#[derive(Clone, Debug)]
pub(super) struct Expectation<S> {
    nearness: Nearness,
    /// What is expected, where that is no operand.
    constant: Option<Tensor<S>>,
    /// Whether it gives back that what it expects is so.
    answers: bool,
}

/// An operation of the dialect.
pub(super) fn of_operation<S: FloatScalar>(graph: &TrainingGraph, id: OperationId) -> Result<Expectation<S>, String> {
    let attributes = Attributes::of(graph, id);
    let kind = graph.operation(id).kind;
    let tolerance = || match attributes.any("tolerance") {
        None => Ok(1e-4),
        Some(_) => attributes.float("tolerance"),
    };
    let steps = |name, default| match attributes.any(name) {
        None => Ok(default),
        Some(Attribute::Integer(steps)) => u64::try_from(*steps).map_err(|_| format!("`{name}` is negative")),
        Some(Attribute::Number(text)) => text.parse().map_err(|_| format!("`{name}` is no whole number")),
        Some(_) => Err(format!("`{name}` is no whole number")),
    };
    let nearness = match kind {
        Kind::ExpectEq | Kind::ExpectEqConst => Nearness::Equal,
        Kind::ExpectAlmostEq | Kind::ExpectAlmostEqConst => Nearness::Within(tolerance()?),
        Kind::ExpectClose => {
            Nearness::Steps { least: steps("min_ulp_difference", 0)?, most: steps("max_ulp_difference", 1)? }
        }
        _ => return Err("it is no expectation".into()),
    };
    let constant = match kind {
        Kind::ExpectEqConst | Kind::ExpectAlmostEqConst => {
            let operand = graph.operands(id).first().and_then(|&operand| graph.tensor_type(operand));
            let shape = operand.and_then(TensorShape::of).ok_or("the type of the operand is not supported")?;
            Some(read_constant(graph, attributes.dense("value")?, &shape)?)
        }
        _ => None,
    };
    Ok(Expectation { nearness, constant, answers: false })
}

/// A custom call, if its target is one of those that the reference interpreter checks.
pub(super) fn of_custom_call<S>(graph: &TrainingGraph, id: OperationId, target: &str) -> Option<Expectation<S>> {
    let &[found, _] = graph.operands(id) else { return None };
    let holds_floats = graph
        .tensor_type(found)
        .is_some_and(|tensor| matches!(Element::of(&tensor.element), Some(Element::Float(_) | Element::Complex(_))));
    let nearness = match target {
        "check.eq" if holds_floats => Nearness::Within(1e-4),
        "check.eq" | "check.expect_eq" => Nearness::Equal,
        "check.expect_almost_eq" => Nearness::Within(1e-3),
        "check.expect_close" => Nearness::Steps { least: 0, most: 3 },
        _ => return None,
    };
    Some(Expectation { nearness, constant: None, answers: !graph.results(id).is_empty() })
}

impl<S: FloatScalar> Expectation<S> {
    /// Compares; what it gives back is the results of the operation.
    pub(super) fn check(&self, operands: &[Tensor<S>]) -> Result<Vec<Tensor<S>>, String> {
        let (found, expected) = match (operands, &self.constant) {
            ([found], Some(constant)) => (found, constant),
            ([found, expected], None) => (found, expected),
            _ => return Err(format!("it has {} operands", operands.len())),
        };
        self.nearness.compare(found, expected)?;
        let so = || Tensor::Boolean(super::elementwise::shared(ndarray::ArrayD::from_elem(ndarray::IxDyn(&[]), true)));
        Ok(if self.answers { vec![so()] } else { Vec::new() })
    }
}

/// Compares what was found earlier.
pub(super) fn check_equal<S: FloatScalar>(found: &Tensor<S>, expected: &Tensor<S>) -> Result<(), String> {
    Nearness::Equal.compare(found, expected)
}

impl Nearness {
    fn compare<S: FloatScalar>(self, found: &Tensor<S>, expected: &Tensor<S>) -> Result<(), String> {
        if found.element() != expected.element() || found.shape() != expected.shape() {
            return Err(format!("found is {}, expected is {}", type_of(found), type_of(expected)));
        }
        let floats = |kind| move |a: &S, b: &S| self.holds(kind, a.value(), b.value());
        match (found, expected) {
            (Tensor::Float(kind, found), Tensor::Float(_, expected)) => {
                differences(found, expected, floats(*kind), |number| text_of(*kind, number.value()))
            }
            (Tensor::Complex(kind, found), Tensor::Complex(_, expected)) => {
                let holds = floats(*kind);
                let both = |a: &Complex<S>, b: &Complex<S>| holds(&a.re, &b.re) && holds(&a.im, &b.im);
                let text =
                    |z: &Complex<S>| format!("({}, {})", text_of(*kind, z.re.value()), text_of(*kind, z.im.value()));
                differences(found, expected, both, text)
            }
            (Tensor::Token, Tensor::Token) if self == Nearness::Equal => Ok(()),
            _ if self != Nearness::Equal => Err("only floats and complex numbers can be nearly equal".into()),
            (Tensor::Boolean(found), Tensor::Boolean(expected)) => {
                differences(found, expected, |a, b| a == b, bool::to_string)
            }
            (Tensor::Signed(_, found), Tensor::Signed(_, expected)) => {
                differences(found, expected, |a, b| a == b, i64::to_string)
            }
            (Tensor::Unsigned(_, found), Tensor::Unsigned(_, expected)) => {
                differences(found, expected, |a, b| a == b, u64::to_string)
            }
            _ => Err(super::tensor::NO_TENSOR.into()),
        }
    }

    fn holds(self, kind: FloatKind, found: f64, expected: f64) -> bool {
        match self {
            Nearness::Equal => found == expected,
            Nearness::Within(tolerance) => {
                let are_equal = found == expected || (found.is_nan() && expected.is_nan());
                are_equal || (found - expected).abs() <= tolerance && found.is_finite() && expected.is_finite()
            }
            Nearness::Steps { least, most } => {
                steps(kind, found, expected).is_some_and(|steps| (least..=most).contains(&steps))
            }
        }
    }
}

/// How many numbers of a type lie from one up to the other. None if one of them is not finite and the other is something
/// else. From one zero to the other it is none.
fn steps(kind: FloatKind, a: f64, b: f64) -> Option<u64> {
    if a == b || (a.is_nan() && b.is_nan()) {
        return Some(0);
    }
    if !a.is_finite() || !b.is_finite() {
        return None;
    }
    let from_zero = |value: f64| encode_float(kind, value.abs());
    let (a_steps, b_steps) = (from_zero(a), from_zero(b));
    Some(if a.is_sign_negative() == b.is_sign_negative() {
        a_steps.abs_diff(b_steps)
    } else {
        a_steps.saturating_add(b_steps)
    })
}

/// Says which element differs first, and how many do.
fn differences<T>(
    found: &super::tensor::Array<T>,
    expected: &super::tensor::Array<T>,
    holds: impl Fn(&T, &T) -> bool,
    text: impl Fn(&T) -> String,
) -> Result<(), String> {
    let pairs = || found.indexed_iter().zip(expected.iter());
    let mut wrong = pairs().filter(|((_, found), expected)| !holds(found, expected));
    let Some(((index, first), wanted)) = wrong.next() else { return Ok(()) };
    let count = 1 + wrong.count();
    let place: Vec<String> = index.as_array_view().iter().map(usize::to_string).collect();
    let (first, wanted, total) = (text(first), text(wanted), found.len());
    let of_all = if total == 1 { String::new() } else { format!("; {count} of {total} elements differ") };
    Err(format!("element [{}] is {first}, expected is {wanted}{of_all}", place.join(", ")))
}

/// As few digits as tell a number apart in its type, or in the next wider one.
fn text_of(kind: FloatKind, value: f64) -> String {
    if kind.bits() <= 32 { format!("{:?}", value as f32) } else { format!("{value:?}") }
}

fn type_of<S: FloatScalar>(tensor: &Tensor<S>) -> String {
    let Some(element) = tensor.element() else { return "no tensor".into() };
    let extents: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    format!("{element}[{}]", extents.join("x"))
}
