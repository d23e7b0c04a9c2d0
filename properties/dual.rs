//! Dual numbers: the value is that of a plain run, bit for bit, and the derivative is that of the function.

use num_traits::Float;
use openloop::exec::{Array, Dual, FloatScalar, Hook, InputGenerator, Losses, Program, Tensor};
use openloop::graph::{FloatKind, FunctionId, GraphBuilder, OperationKind as Kind, TrainingGraph};
use openloop::index::Id;
use proptest::prelude::*;

use super::corpus;

fn moving<V: FloatScalar>(tensor: &mut Tensor<Dual<V>>) {
    let mut number = 0;
    let mut moved = |dual: &mut Dual<V>| {
        number += 1;
        let derivative = <V as num_traits::NumCast>::from(1.0 / f64::from(number)).expect("a number");
        *dual = Dual::new(dual.plain(), derivative);
    };
    match tensor {
        Tensor::Float(_, array) => array.map_inplace(&mut moved),
        Tensor::Complex(_, array) => array.map_inplace(|number| {
            moved(&mut number.re);
            moved(&mut number.im);
        }),
        _ => {}
    }
}

/// Results of a function, as bits; all NaN are one.
fn words<S: FloatScalar>(results: &[Tensor<S>]) -> Vec<Vec<u64>> {
    let words = |tensor: &Tensor<S>| match tensor {
        Tensor::Float(_, array) => array.iter().map(|number| canonical(number.value())).collect(),
        Tensor::Complex(_, array) => {
            array.iter().flat_map(|number| [number.re, number.im]).map(|part| canonical(part.value())).collect()
        }
        _ => tensor.to_bits(),
    };
    results.iter().map(words).collect()
}

fn canonical(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() }
}

/// Loops turn no more often: numbers that somebody made up may let them turn for ever.
const MOST_TURNS: u64 = 1000;

/// Runs a function plainly, and with inputs and constants that move; gives how often a derivative was lost.
fn check_values<V: FloatScalar>(graph: &TrainingGraph, function: FunctionId, name: &str) -> Option<Losses> {
    let generator = InputGenerator::new(graph, 3);
    let count = graph.function(function).inputs.len();
    let plain: Option<Vec<Tensor<V>>> = (0..count).map(|position| generator.input(function, position)).collect();
    let mut dual: Vec<Tensor<Dual<V>>> =
        (0..count).map(|position| generator.input(function, position)).collect::<Option<_>>()?;
    dual.iter_mut().for_each(moving);
    let expected = Program::<V>::of_function(graph, function).ok()?;
    let expected = expected.run_with(plain?, Hook::new([], |_, _, _| ()).with_turns(MOST_TURNS));
    let constants = graph.operations().iter_enumerated().filter(|(_, operation)| operation.kind == Kind::Constant);
    let hook = Hook::new(constants.map(|(id, _)| id), |_, _, constant| moving(constant));
    let hook = hook.with_turns(MOST_TURNS);
    let program = Program::<Dual<V>>::of_function(graph, function).expect("as wide as the plain one");
    Losses::take();
    let found = program.run_with(dual, hook);
    match (expected, found) {
        (Ok(expected), Ok(found)) => {
            let (expected, found) = (words(&expected), words(&found));
            for (position, (expected, found)) in expected.iter().zip(&found).enumerate() {
                assert!(expected == found, "{name} result {position}: {found:x?}, a plain run gives {expected:x?}");
            }
            Some(Losses::take())
        }
        (Err(_), Err(_)) => None,
        // Eigenvalues are refused.
        (Ok(_), Err(error)) if error.to_string().contains("dual numbers") => None,
        (expected, found) => panic!("{name}: {:?} {:?}", expected.err(), found.err()),
    }
}

#[test]
fn values_of_every_operation_are_those_of_a_plain_run() {
    let mut files: Vec<_> = corpus::zoo().into_iter().map(|(pretty, _)| pretty).collect();
    let spec = std::fs::read_dir(corpus::root().join("fixtures/spec")).expect("the folder is there");
    let spec = spec.map(|entry| entry.expect("a readable folder").path());
    files.extend(spec.filter(|path| path.extension().is_some_and(|extension| extension == "mlir")));
    files.sort();
    let (mut runs, mut losses) = (0, Losses::default());
    for path in files {
        let Ok(graph) = openloop::capture::read(&corpus::bytes(&path)) else { continue };
        for position in 0..graph.functions().len() {
            let name = format!("{} @{}", corpus::name(&path), graph.function(Id::new(position)).name);
            let wide = check_values::<f64>(&graph, Id::new(position), &name);
            let narrow = check_values::<f32>(&graph, Id::new(position), &name);
            for found in [wide, narrow].into_iter().flatten() {
                runs += 1;
                losses = losses + found;
            }
        }
    }
    assert!(runs >= 130, "only {runs} functions were run");
    assert!(losses.comparisons > 20 && losses.roundings > 5 && losses.conversions > 10, "{losses:?}");
}

#[test]
fn values_of_whole_steps_are_those_of_a_plain_run() {
    let mut runs = 0;
    for step in corpus::steps().iter().step_by(7) {
        let graph = corpus::graph(&step.join("step.mlir"));
        runs += usize::from(check_values::<f32>(&graph, graph.entry(), &corpus::name(step)).is_some());
    }
    assert!(runs >= 12, "only {runs} steps were run");
}

/// An operation on single numbers: the value, the derivative in a direction, and what was lost.
fn run_once(kind: Kind, operands: &[(f64, f64)]) -> (f64, f64, Losses) {
    let mut step = GraphBuilder::new("step");
    let inputs: Vec<_> = (0..operands.len()).map(|at| step.input(format!("x{at}").as_str(), "tensor<1xf64>")).collect();
    let result = step.add(kind, &inputs);
    step.output("result", result);
    let graph = step.finish().expect("a valid graph");
    let inputs = operands.iter().map(|&(value, derivative)| {
        Tensor::Float(FloatKind::F64, Array::from_elem(vec![1], Dual::new(value, derivative)))
    });
    Losses::take();
    let results = Program::<Dual<f64>>::new(&graph).expect("a program").run(inputs.collect()).expect("it runs");
    let Tensor::Float(_, result) = &results[0] else { panic!("a float") };
    (result[[0]].plain(), result[[0]].derivative(), Losses::take())
}

fn check_derivative(kind: Kind, point: &[f64], direction: &[f64]) {
    let at = |by: f64| {
        let operands: Vec<_> = point.iter().zip(direction).map(|(x, d)| (x + by * d, 0.0)).collect();
        run_once(kind, &operands).0
    };
    let operands: Vec<_> = point.iter().copied().zip(direction.iter().copied()).collect();
    let found = run_once(kind, &operands).1;
    let by = 1e-5;
    // Of the fourth order.
    let expected = (8.0 * (at(by) - at(-by)) - (at(2.0 * by) - at(-2.0 * by))) / (12.0 * by);
    assert!(
        (found - expected).abs() <= 1e-7 * (1.0 + expected.abs()),
        "{kind:?} at {point:?}: {found}, not {expected}"
    );
}

/// Smooth functions and where they are.
const SMOOTH: &[(Kind, f64, f64)] = &[
    (Kind::Acos, -0.9, 0.9),
    (Kind::Acosh, 1.2, 5.0),
    (Kind::Asin, -0.9, 0.9),
    (Kind::Asinh, -4.0, 4.0),
    (Kind::Atan, -4.0, 4.0),
    (Kind::Atanh, -0.9, 0.9),
    (Kind::Cbrt, 0.2, 4.0),
    (Kind::Cosh, -3.0, 3.0),
    (Kind::Cosine, -7.0, 7.0),
    (Kind::Digamma, 0.5, 6.0),
    (Kind::Erf, -2.0, 2.0),
    (Kind::ErfInv, -0.9, 0.9),
    (Kind::Erfc, -2.0, 2.0),
    (Kind::Exponential, -3.0, 3.0),
    (Kind::ExponentialMinusOne, -3.0, 3.0),
    (Kind::Lgamma, 0.5, 6.0),
    (Kind::Log, 0.2, 6.0),
    (Kind::LogPlusOne, -0.7, 6.0),
    (Kind::Logistic, -6.0, 6.0),
    (Kind::Negate, -6.0, 6.0),
    (Kind::Rsqrt, 0.2, 6.0),
    (Kind::Sine, -7.0, 7.0),
    (Kind::Sinh, -3.0, 3.0),
    (Kind::Sqrt, 0.2, 6.0),
    (Kind::Square, -6.0, 6.0),
    (Kind::Tan, -1.2, 1.2),
    (Kind::Tanh, -4.0, 4.0),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn derivatives_of_smooth_functions_are_those_of_differences(part in 0.0..1.0f64) {
        for &(kind, low, high) in SMOOTH {
            check_derivative(kind, &[low + part * (high - low)], &[1.0]);
        }
    }

    #[test]
    fn derivatives_of_two_operands_are_those_of_differences(
        a in 0.3..4.0f64, b in 0.3..4.0f64, direction in (-1.0..1.0f64, -1.0..1.0f64)
    ) {
        prop_assume!((a - b).abs() > 1e-3 && (a / b).fract() > 1e-3 && (a / b).fract() < 0.999);
        let kinds = [
            Kind::Add, Kind::Atan2, Kind::Divide, Kind::Maximum, Kind::Minimum, Kind::Multiply, Kind::Power,
            Kind::Remainder, Kind::Subtract,
        ];
        for kind in kinds {
            check_derivative(kind, &[a, b], &[direction.0, direction.1]);
            if kind != Kind::Power {
                check_derivative(kind, &[-a, b], &[direction.0, direction.1]);
            }
        }
    }
}

#[test]
fn flat_functions_have_derivative_zero_and_are_counted() {
    for kind in [Kind::Ceil, Kind::Floor, Kind::RoundNearestAfz, Kind::RoundNearestEven, Kind::Sign] {
        for x in [-2.5, -0.2, 0.0, 0.5, 1.7] {
            let (_, derivative, losses) = run_once(kind, &[(x, 1.0)]);
            assert_eq!((derivative, losses.roundings), (0.0, 1), "{kind:?} at {x}");
            assert_eq!(run_once(kind, &[(x, 0.0)]).2, Losses::default(), "a constant loses nothing");
        }
    }
}

#[test]
fn corners_have_the_derivative_of_the_side_that_is_taken() {
    let x = |value: f64| Dual::new(value, 1.0);
    let constant = |value: f64| Dual::constant(value);
    // Constants stay constants, even where a slope is infinite or meets infinity.
    assert_eq!(constant(0.0).sqrt().derivative(), 0.0);
    assert_eq!(constant(0.0).ln().derivative(), 0.0);
    assert_eq!((constant(0.0) * constant(f64::INFINITY)).derivative(), 0.0);
    assert_eq!((x(2.0) * constant(f64::INFINITY)).derivative(), f64::INFINITY);
    assert_eq!((constant(1.0) / constant(0.0)).derivative(), 0.0);
    // Powers at base 0, and where a number is nearly flat.
    assert_eq!(x(0.0).powf(constant(1.0)).derivative(), 1.0);
    assert_eq!(x(0.0).powf(constant(2.0)).derivative(), 0.0);
    assert_eq!(x(0.0).powf(constant(0.0)).derivative(), 0.0);
    assert_eq!(x(0.0).powi(0).derivative(), 0.0);
    assert_eq!(constant(0.0).powf(x(2.0)).derivative(), 0.0);
    assert!(Dual::new(12.0_f32, 1.0).tanh().derivative() > 0.0);
    // The larger one moves; NaN is dropped as a plain float drops it.
    assert_eq!(x(1.0).max(constant(2.0)).derivative(), 0.0);
    assert_eq!(constant(1.0).max(x(2.0)).derivative(), 1.0);
    assert_eq!(x(1.0).max(constant(f64::NAN)).plain(), 1.0);
    assert_eq!(constant(f64::NAN).min(x(1.0)).derivative(), 1.0);
    assert_eq!(x(-3.0).abs().derivative(), -1.0);
    // Large numbers do not overflow on the way.
    assert_eq!(x(1e200).hypot(constant(0.0)).derivative(), 1.0);
    assert_eq!((constant(1.0) / x(1e200)).derivative(), -0.0);
    assert!((x(3e200).atan2(constant(4e200)).derivative() / 1.6e-201 - 1.0).abs() < 1e-12);
    // A value is looked at without its derivative.
    assert!(Dual::new(1.0, f64::NAN).is_finite());
    assert_eq!(Dual::new(8.0_f32, 1.0).log2().plain(), 8.0_f32.log2());
}

#[test]
fn what_looks_at_a_number_that_moves_is_counted() {
    let mut step = GraphBuilder::new("step");
    let x = step.input("x", "tensor<3xf64>");
    let integers = step.add_typed("stablehlo.convert", &[x], &["tensor<3xi32>"], Vec::new());
    step.output("integers", integers[0]);
    let graph = step.finish().expect("a valid graph");
    let numbers = [Dual::new(1.5, 1.0), Dual::constant(2.5), Dual::new(3.5, -1.0)];
    let input = Tensor::Float(FloatKind::F64, Array::from_shape_vec(vec![3], numbers.to_vec()).expect("three"));
    Losses::take();
    Program::<Dual<f64>>::new(&graph).expect("a program").run(vec![input]).expect("it runs");
    assert_eq!(Losses::take(), Losses { conversions: 2, ..Losses::default() });
    assert!(numbers[0] < numbers[1] && numbers[1] == numbers[1]);
    assert_eq!(Losses::take(), Losses { comparisons: 1, ..Losses::default() });
}
