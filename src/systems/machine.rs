//! What a training step is written for: a machine that has tensors, whatever those are.
//!
//! The traits have no way from a mask to a `bool` and no order of tensors, so that a step which branches on a number does
//! not compile; it has to say [`Mask::choose`], [`Machine::branch`] or [`Machine::repeat_while`], and those are seen by
//! every reading.

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// Minus the number.
    Negate,
    /// Its absolute value.
    Abs,
    /// Hyperbolic tangent.
    Tanh,
    /// `e` to the power of it.
    Exponential,
    /// Natural logarithm.
    Log,
    /// `1 / (1 + e^-x)`.
    Logistic,
    /// Square root.
    Sqrt,
    /// The largest integer that is not larger.
    Floor,
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient.
    Divide,
    /// The larger one.
    Maximum,
    /// The smaller one.
    Minimum,
}

/// A relation of two numbers. None holds for NaN but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The first is larger.
    Greater,
    /// The first is larger, or they are equal.
    AtLeast,
    /// They are equal.
    Equal,
    /// They are not.
    NotEqual,
}

/// How the numbers along an axis become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// By their sum.
    Sum,
    /// By the largest.
    Maximum,
}

/// Numbers of a shape. To copy one costs little.
///
/// Where two tensors meet, they have one shape, or one of them is a single number (rank 0), which then stands for all.
///
/// # Panics
/// All methods, if the shapes do not go together or there is no such axis: that is an error in the step and not in data.
pub trait Tensor: Clone + Sized {
    /// Truth values of a shape.
    type Mask: Mask<Tensor = Self>;

    /// Extents.
    fn shape(&self) -> &[usize];

    /// A function of each number.
    #[track_caller]
    fn unary(&self, function: Unary) -> Self;

    /// A function of each number and its partner.
    #[track_caller]
    fn binary(&self, function: Binary, other: &Self) -> Self;

    /// Where a relation holds.
    #[track_caller]
    fn compare(&self, relation: Relation, other: &Self) -> Self::Mask;

    /// Where a number is neither infinite nor NaN.
    #[track_caller]
    fn is_finite(&self) -> Self::Mask;

    /// Takes numbers along axes together. Those axes are gone.
    #[track_caller]
    fn reduce(&self, by: Reduce, axes: &[usize]) -> Self;

    /// A new axis at this position, along which all is the same.
    #[track_caller]
    fn spread(&self, axis: usize, extent: usize) -> Self;

    /// Sums the products along one axis of each. What is left of the first comes before what is left of the second.
    #[track_caller]
    fn contract(&self, axis: usize, other: &Self, other_axis: usize) -> Self;

    /// What is at one place of the first axis, counted from 0. An index outside is brought to the nearest place.
    #[track_caller]
    fn row(&self, index: &Self) -> Self;

    /// A constant of this shape.
    #[track_caller]
    fn like(&self, number: f64) -> Self;

    /// Sum.
    #[track_caller]
    fn plus(&self, other: &Self) -> Self {
        self.binary(Binary::Add, other)
    }

    /// Difference.
    #[track_caller]
    fn minus(&self, other: &Self) -> Self {
        self.binary(Binary::Subtract, other)
    }

    /// Product, number by number.
    #[track_caller]
    fn times(&self, other: &Self) -> Self {
        self.binary(Binary::Multiply, other)
    }

    /// Quotient.
    #[track_caller]
    fn over(&self, other: &Self) -> Self {
        self.binary(Binary::Divide, other)
    }

    /// Times a constant.
    #[track_caller]
    fn scaled(&self, factor: f64) -> Self {
        self.binary(Binary::Multiply, &self.like(factor))
    }

    /// Plus a constant.
    #[track_caller]
    fn shifted(&self, by: f64) -> Self {
        self.binary(Binary::Add, &self.like(by))
    }

    /// Times itself.
    #[track_caller]
    fn squared(&self) -> Self {
        self.binary(Binary::Multiply, self)
    }

    /// Hyperbolic tangent.
    #[track_caller]
    fn tanh(&self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// `1 / (1 + e^-x)`.
    #[track_caller]
    fn logistic(&self) -> Self {
        self.unary(Unary::Logistic)
    }

    /// Square root.
    #[track_caller]
    fn sqrt(&self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// The sum of all numbers, rank 0.
    #[track_caller]
    fn total(&self) -> Self {
        let axes: Vec<usize> = (0..self.shape().len()).collect();
        self.reduce(Reduce::Sum, &axes)
    }

    /// The mean of all numbers, rank 0.
    #[track_caller]
    fn mean(&self) -> Self {
        let count: usize = self.shape().iter().product();
        self.total().scaled(1.0 / count as f64)
    }

    /// The last axis of this against the first of the other: the product of matrices and vectors.
    #[track_caller]
    fn dot(&self, other: &Self) -> Self {
        self.contract(self.shape().len() - 1, other, 0)
    }

    /// The first axis against the first: what goes back to the weights, from inputs and cotangents of a batch.
    #[track_caller]
    fn transposed_dot(&self, other: &Self) -> Self {
        self.contract(0, other, 0)
    }

    /// The last axis against the last: what goes back to the inputs, from cotangents and weights.
    #[track_caller]
    fn dot_transposed(&self, other: &Self) -> Self {
        self.contract(self.shape().len() - 1, other, other.shape().len() - 1)
    }

    /// A vector times a vector: the matrix of all products.
    #[track_caller]
    fn outer(&self, other: &Self) -> Self {
        let (rows, columns) = (self.shape()[0], other.shape()[0]);
        self.spread(1, columns).times(&other.spread(0, rows))
    }

    /// Where the first is larger.
    #[track_caller]
    fn greater(&self, other: &Self) -> Self::Mask {
        self.compare(Relation::Greater, other)
    }
}

/// Truth values of a shape.
pub trait Mask: Clone + Sized {
    /// The tensors that it chooses from.
    type Tensor: Tensor<Mask = Self>;

    /// Extents.
    fn shape(&self) -> &[usize];

    /// Both.
    #[track_caller]
    fn and(&self, other: &Self) -> Self;

    /// Any of them.
    #[track_caller]
    fn or(&self, other: &Self) -> Self;

    /// Not.
    #[track_caller]
    fn not(&self) -> Self;

    /// A new axis at this position, along which all is the same.
    #[track_caller]
    fn spread(&self, axis: usize, extent: usize) -> Self;

    /// The first where true, the second where false. The mask has their shape, or is a single truth value.
    #[track_caller]
    fn choose(&self, on_true: &Self::Tensor, on_false: &Self::Tensor) -> Self::Tensor;
}

/// Runs a step, or writes it down.
pub trait Machine {
    /// Its tensors.
    type Tensor: Tensor<Mask = Self::Mask>;
    /// Its masks.
    type Mask: Mask<Tensor = Self::Tensor>;

    /// The same number in all places.
    #[track_caller]
    fn constant(&self, number: f64, shape: &[usize]) -> Self::Tensor;

    /// The numbers 0, 1, 2 and so on.
    #[track_caller]
    fn count_up(&self, extent: usize) -> Self::Tensor;

    /// Everything that `body` does is in a scope of this name.
    fn scope<R>(&self, name: &str, body: impl FnOnce() -> R) -> R;

    /// Numbers that leave the probe. What comes back is used instead: in the second run of a pair it differs.
    fn leaves_probe(&self, numbers: Self::Tensor) -> Self::Tensor;

    /// Cotangents that leave the probe backwards.
    fn cotangent_leaves_probe(&self, numbers: Self::Tensor) -> Self::Tensor;

    /// One body or the other, as a single truth value says. Shapes stay.
    #[track_caller]
    fn branch(
        &self,
        condition: &Self::Mask,
        state: Vec<Self::Tensor>,
        on_true: impl FnOnce(Vec<Self::Tensor>) -> Vec<Self::Tensor>,
        on_false: impl FnOnce(Vec<Self::Tensor>) -> Vec<Self::Tensor>,
    ) -> Vec<Self::Tensor>;

    /// The body again and again, as long as the condition holds. Shapes stay.
    #[track_caller]
    fn repeat_while(
        &self,
        state: Vec<Self::Tensor>,
        condition: impl FnMut(&[Self::Tensor]) -> Self::Mask,
        body: impl FnMut(Vec<Self::Tensor>) -> Vec<Self::Tensor>,
    ) -> Vec<Self::Tensor>;

    /// The body so many times. Shapes stay.
    #[track_caller]
    fn repeat(
        &self,
        times: usize,
        state: Vec<Self::Tensor>,
        body: impl FnMut(Vec<Self::Tensor>) -> Vec<Self::Tensor>,
    ) -> Vec<Self::Tensor>;
}

/// The shape of what comes of two tensors that meet.
///
/// # Panics
/// If they do not go together.
#[track_caller]
pub(super) fn common_shape<'s>(first: &'s [usize], second: &'s [usize]) -> &'s [usize] {
    assert!(
        first == second || first.is_empty() || second.is_empty(),
        "tensors of the shapes {first:?} and {second:?} do not go together"
    );
    if first.is_empty() { second } else { first }
}

/// The shape with a new axis.
#[track_caller]
pub(super) fn spread_shape(shape: &[usize], axis: usize, extent: usize) -> Vec<usize> {
    assert!(axis <= shape.len(), "a tensor of the shape {shape:?} has no place for axis {axis}");
    let mut spread = shape.to_vec();
    spread.insert(axis, extent);
    spread
}

/// The shape without axes.
#[track_caller]
pub(super) fn reduced_shape(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    assert!(axes.iter().all(|&axis| axis < shape.len()), "a tensor of the shape {shape:?} has not all axes {axes:?}");
    let kept = shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    kept.map(|(_, &extent)| extent).collect()
}

/// The shape of a product.
#[track_caller]
pub(super) fn contracted_shape(first: &[usize], axis: usize, second: &[usize], other_axis: usize) -> Vec<usize> {
    let extents = first.get(axis).zip(second.get(other_axis));
    assert!(
        extents.is_some_and(|(one, other)| one == other),
        "axis {axis} of {first:?} and axis {other_axis} of {second:?} do not go together"
    );
    [reduced_shape(first, &[axis]), reduced_shape(second, &[other_axis])].concat()
}
