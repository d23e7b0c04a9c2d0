//! `reduce`.

use ndarray::{ArrayD, ArrayViewD};

use super::{Arithmetic, Refused};

/// Which elements of operands of one shape go into which element of the results.
#[derive(Clone, Debug)]
pub struct Reduction {
    result_shape: Vec<usize>,
}

impl Reduction {
    /// Of operands of `shape`, over `dimensions`.
    pub fn new(shape: &[usize], dimensions: &[usize]) -> Result<Reduction, Refused> {
        todo!()
    }

    /// The shape of the results.
    pub fn result_shape(&self) -> &[usize] {
        &self.result_shape
    }

    /// Calls `combine(result, element)` with positions in row-major order, for all elements in row-major order. The
    /// results hold the initial values before; the first error ends the walk.
    pub fn visit<E>(&self, combine: impl FnMut(usize, usize) -> Result<(), E>) -> Result<(), E> {
        todo!()
    }
}

/// `reduce` of one operand, by `combine(accumulator, element)`, element after element in row-major order.
pub fn reduce<T: Copy>(
    operand: ArrayViewD<'_, T>,
    initial: T,
    dimensions: &[usize],
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `reduce` by addition, in an order that loses less: lanes and blocks that depend on the shape alone.
pub fn sum<T: Arithmetic>(operand: ArrayViewD<'_, T>, initial: T, dimensions: &[usize]) -> Result<ArrayD<T>, Refused> {
    todo!()
}
