//! The first reading of a step: it runs, on `ndarray`.
//!
//! Every operation is that of the interpreter, on arrays in row-major order, so that both give the same bits.

use std::cell::RefCell;
use std::marker::PhantomData;

use ndarray::IxDyn;

use super::machine::{
    Binary, Machine, Mask, Reduce, Relation, Tensor, Unary, common_shape, contracted_shape, reduced_shape, spread_shape,
};
use crate::exec::kernels::{DotDimensions, Field, Ordered, dot_general, reduce_in_lanes};
use crate::exec::{Array, FloatScalar};
use crate::interference::{Number, NumberRange, Probe, Target};

const FITS: &str = "the shapes were looked at before";
const IN_ORDER: &str = "arrays of numbers are in row-major order";

/// Numbers on an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers<S>(Array<S>);

/// Truth values on an array. What is in it is nobody's business but the machine's.
#[derive(Clone, Debug, PartialEq)]
pub struct Truths<S> {
    array: Array<bool>,
    of: PhantomData<S>,
}

impl<S: FloatScalar> Numbers<S> {
    /// Numbers of a shape, in row-major order; none if there are not as many as the shape has places.
    pub fn new(shape: &[usize], numbers: Vec<S>) -> Option<Self> {
        Array::from_shape_vec(IxDyn(shape), numbers).ok().map(Numbers)
    }

    /// The numbers, in row-major order.
    pub fn as_slice(&self) -> &[S] {
        self.0.as_slice().expect(IN_ORDER)
    }

    /// The array.
    pub fn array(&self) -> &Array<S> {
        &self.0
    }
}

fn map<T: Copy, U>(array: &Array<T>, function: impl Fn(T) -> U) -> Array<U> {
    let mapped = array.as_slice().expect(IN_ORDER).iter().map(|&value| function(value)).collect();
    Array::from_shape_vec(array.raw_dim(), mapped).expect(FITS)
}

/// Two arrays of one shape, or one with a single number.
fn zip<T: Copy, U: Copy, V>(first: &Array<T>, second: &Array<U>, function: impl Fn(T, U) -> V) -> Array<V> {
    let (one, other) = (first.as_slice().expect(IN_ORDER), second.as_slice().expect(IN_ORDER));
    match (first.ndim() == second.ndim(), one, other) {
        (false, &[one], _) if first.ndim() == 0 => map(second, |other| function(one, other)),
        (false, _, &[other]) => map(first, |one| function(one, other)),
        _ => {
            let zipped = one.iter().zip(other).map(|(&one, &other)| function(one, other)).collect();
            Array::from_shape_vec(first.raw_dim(), zipped).expect(FITS)
        }
    }
}

/// A new axis: each run of neighbours behind it is written as often as it is long.
fn spread<T: Copy>(array: &Array<T>, axis: usize, extent: usize) -> Array<T> {
    let shape = spread_shape(array.shape(), axis, extent);
    let run: usize = shape[axis + 1..].iter().product();
    let elements = array.as_slice().expect(IN_ORDER);
    let mut spread = Vec::with_capacity(elements.len() * extent);
    for run in elements.chunks_exact(run.max(1)) {
        for _ in 0..extent {
            spread.extend_from_slice(run);
        }
    }
    Array::from_shape_vec(IxDyn(&shape), spread).expect(FITS)
}

fn number<S: FloatScalar>(value: f64) -> S {
    <S as Field>::from_f64(value)
}

impl<S: FloatScalar> Tensor for Numbers<S> {
    type Mask = Truths<S>;

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn unary(&self, function: Unary) -> Self {
        let one = number::<S>(1.0);
        Numbers(match function {
            Unary::Negate => map(&self.0, |value| -value),
            Unary::Abs => map(&self.0, S::abs),
            Unary::Tanh => map(&self.0, S::tanh),
            Unary::Exponential => map(&self.0, S::exp),
            Unary::Log => map(&self.0, S::ln),
            Unary::Logistic => map(&self.0, |value| one / (one + (-value).exp())),
            Unary::Sqrt => map(&self.0, S::sqrt),
            Unary::Floor => map(&self.0, S::floor),
        })
    }

    fn binary(&self, function: Binary, other: &Self) -> Self {
        common_shape(self.shape(), other.shape());
        let (first, second) = (&self.0, &other.0);
        Numbers(match function {
            Binary::Add => zip(first, second, |a, b| a + b),
            Binary::Subtract => zip(first, second, |a, b| a - b),
            Binary::Multiply => zip(first, second, |a, b| a * b),
            Binary::Divide => zip(first, second, |a, b| a / b),
            Binary::Maximum => zip(first, second, Ordered::maximum),
            Binary::Minimum => zip(first, second, Ordered::minimum),
        })
    }

    fn compare(&self, relation: Relation, other: &Self) -> Truths<S> {
        common_shape(self.shape(), other.shape());
        let (first, second) = (&self.0, &other.0);
        Truths::new(match relation {
            Relation::Greater => zip(first, second, |a, b| a > b),
            Relation::AtLeast => zip(first, second, |a, b| a >= b),
            Relation::Equal => zip(first, second, |a, b| a == b),
            Relation::NotEqual => zip(first, second, |a, b| a != b),
        })
    }

    fn is_finite(&self) -> Truths<S> {
        Truths::new(map(&self.0, S::is_finite))
    }

    fn reduce(&self, by: Reduce, axes: &[usize]) -> Self {
        reduced_shape(self.shape(), axes);
        let reduced = match by {
            Reduce::Sum => reduce_in_lanes(self.0.view(), number(0.0), axes, |a, b| a + b),
            Reduce::Maximum => reduce_in_lanes(self.0.view(), S::neg_infinity(), axes, Ordered::maximum),
        };
        Numbers(reduced.expect(FITS).into_shared())
    }

    fn spread(&self, axis: usize, extent: usize) -> Self {
        Numbers(spread(&self.0, axis, extent))
    }

    fn contract(&self, axis: usize, other: &Self, other_axis: usize) -> Self {
        contracted_shape(self.shape(), axis, other.shape(), other_axis);
        let dimensions = DotDimensions {
            lhs_contracting: vec![axis],
            rhs_contracting: vec![other_axis],
            ..DotDimensions::default()
        };
        Numbers(dot_general(self.0.view(), other.0.view(), &dimensions).expect(FITS).into_shared())
    }

    fn row(&self, index: &Self) -> Self {
        let shape = reduced_shape(self.shape(), &[0]);
        let last = self.shape()[0] as i64 - 1;
        let [index] = index.as_slice() else { panic!("an index is a single number") };
        let at = (index.lost() as i64).clamp(0, last) as usize;
        let length: usize = shape.iter().product();
        Numbers(Array::from_shape_vec(IxDyn(&shape), self.as_slice()[at * length..][..length].to_vec()).expect(FITS))
    }

    fn like(&self, number: f64) -> Self {
        Numbers(Array::from_elem(self.0.raw_dim(), <S as Field>::from_f64(number)))
    }
}

impl<S> Truths<S> {
    fn new(array: Array<bool>) -> Self {
        Truths { array, of: PhantomData }
    }

    /// The only one.
    #[track_caller]
    fn single(&self) -> bool {
        assert!(self.array.ndim() == 0, "a condition is a single truth value");
        self.array.first().copied().expect("a single truth value")
    }
}

impl<S: FloatScalar> Mask for Truths<S> {
    type Tensor = Numbers<S>;

    fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    fn and(&self, other: &Self) -> Self {
        common_shape(self.shape(), other.shape());
        Truths::new(zip(&self.array, &other.array, |a, b| a & b))
    }

    fn or(&self, other: &Self) -> Self {
        common_shape(self.shape(), other.shape());
        Truths::new(zip(&self.array, &other.array, |a, b| a | b))
    }

    fn not(&self) -> Self {
        Truths::new(map(&self.array, |value| !value))
    }

    fn spread(&self, axis: usize, extent: usize) -> Self {
        Truths::new(spread(&self.array, axis, extent))
    }

    fn choose(&self, on_true: &Numbers<S>, on_false: &Numbers<S>) -> Numbers<S> {
        assert_eq!(on_true.shape(), on_false.shape(), "what is chosen from has one shape");
        if self.array.ndim() == 0 {
            return if self.single() { on_true.clone() } else { on_false.clone() };
        }
        assert_eq!(self.shape(), on_true.shape(), "a mask has the shape of what it chooses from");
        let elements = self.array.as_slice().expect(IN_ORDER).iter();
        let pairs = elements.zip(on_true.as_slice().iter().zip(on_false.as_slice()));
        let chosen = pairs.map(|(&is_first, (&first, &second))| if is_first { first } else { second }).collect();
        Numbers(Array::from_shape_vec(on_true.0.raw_dim(), chosen).expect(FITS))
    }
}

/// Runs a step on arrays, with a probe that may be disturbed.
#[derive(Debug)]
pub struct Arrays<'p, 'd, S> {
    probe: RefCell<&'p mut Probe<'d>>,
    of: PhantomData<S>,
}

impl<'p, 'd, S: FloatScalar> Arrays<'p, 'd, S> {
    /// A machine whose probe is this one.
    pub fn new(probe: &'p mut Probe<'d>) -> Self {
        Arrays { probe: RefCell::new(probe), of: PhantomData }
    }

    fn sent(&self, target: Target, numbers: &Numbers<S>) -> Numbers<S> {
        let range: NumberRange = if S::WIDEST.bits() > 32 { f64::RANGE } else { f32::RANGE };
        let mut probe = self.probe.borrow_mut();
        let mut send = |value: S| probe.change(target, range, || value.value()).map_or(value, <S as Field>::from_f64);
        let sent = numbers.as_slice().iter().map(|&value| send(value)).collect();
        Numbers(Array::from_shape_vec(numbers.0.raw_dim(), sent).expect(FITS))
    }
}

impl<S: FloatScalar> Machine for Arrays<'_, '_, S> {
    type Tensor = Numbers<S>;
    type Mask = Truths<S>;

    fn constant(&self, number: f64, shape: &[usize]) -> Numbers<S> {
        Numbers(Array::from_elem(IxDyn(shape), <S as Field>::from_f64(number)))
    }

    fn count_up(&self, extent: usize) -> Numbers<S> {
        let numbers = (0..extent).map(|number| <S as Field>::from_f64(number as f64)).collect();
        Numbers(Array::from_shape_vec(IxDyn(&[extent]), numbers).expect(FITS))
    }

    fn scope<R>(&self, _name: &str, body: impl FnOnce() -> R) -> R {
        body()
    }

    fn leaves_probe(&self, numbers: Numbers<S>) -> Numbers<S> {
        self.sent(Target::Value, &numbers)
    }

    fn cotangent_leaves_probe(&self, numbers: Numbers<S>) -> Numbers<S> {
        self.sent(Target::Cotangent, &numbers)
    }

    fn branch(
        &self,
        condition: &Truths<S>,
        state: Vec<Numbers<S>>,
        on_true: impl FnOnce(Vec<Numbers<S>>) -> Vec<Numbers<S>>,
        on_false: impl FnOnce(Vec<Numbers<S>>) -> Vec<Numbers<S>>,
    ) -> Vec<Numbers<S>> {
        if condition.single() { on_true(state) } else { on_false(state) }
    }

    fn repeat_while(
        &self,
        state: Vec<Numbers<S>>,
        mut condition: impl FnMut(&[Numbers<S>]) -> Truths<S>,
        mut body: impl FnMut(Vec<Numbers<S>>) -> Vec<Numbers<S>>,
    ) -> Vec<Numbers<S>> {
        let mut state = state;
        while condition(&state).single() {
            state = body(state);
        }
        state
    }

    fn repeat(
        &self,
        times: usize,
        state: Vec<Numbers<S>>,
        mut body: impl FnMut(Vec<Numbers<S>>) -> Vec<Numbers<S>>,
    ) -> Vec<Numbers<S>> {
        (0..times).fold(state, |state, _| body(state))
    }
}
