//! `reduce_window` and `select_and_scatter`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;

/// The window of `reduce_window`, one number for each dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Sizes.
    pub window_dimensions: Vec<usize>,
    /// Steps, at least 1.
    pub window_strides: Vec<usize>,
    /// Dilations of the operand, at least 1.
    pub base_dilations: Vec<usize>,
    /// Dilations of the window, at least 1.
    pub window_dilations: Vec<usize>,
    /// Low and high padding; negative cuts.
    pub padding: Vec<(i64, i64)>,
}

/// Which elements of operands of one shape go into which element of the results of `reduce_window`.
#[derive(Clone, Debug)]
pub struct Windows {
    result_shape: Vec<usize>,
}

impl Windows {
    /// Of operands of `shape`.
    pub fn new(shape: &[usize], window: &Window) -> Result<Windows, Refused> {
        todo!()
    }

    /// The shape of the results.
    pub fn result_shape(&self) -> &[usize] {
        &self.result_shape
    }

    /// Calls `combine(result, element)` with positions in row-major order, window after window, each in row-major order.
    /// Where the window is over padding there is no element: the initial value is to be combined. The first error ends
    /// the walk.
    pub fn visit<E>(&self, combine: impl FnMut(usize, Option<usize>) -> Result<(), E>) -> Result<(), E> {
        todo!()
    }
}

/// `reduce_window` of one operand, by `combine(accumulator, element)`. Padding is combined as the initial value.
pub fn reduce_window<T: Copy>(
    operand: ArrayViewD<'_, T>,
    initial: T,
    window: &Window,
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// The window of `select_and_scatter`, one number for each dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectAndScatter {
    /// Sizes.
    pub window_dimensions: Vec<usize>,
    /// Steps, at least 1.
    pub window_strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
}

/// `select_and_scatter`. `select(chosen, other)` says whether the chosen one stays; `scatter(old, source)` combines.
pub fn select_and_scatter<T: Copy, E: From<Refused>>(
    operand: ArrayViewD<'_, T>,
    source: ArrayViewD<'_, T>,
    initial: T,
    attributes: &SelectAndScatter,
    select: impl FnMut(T, T) -> Result<bool, E>,
    scatter: impl FnMut(T, T) -> Result<T, E>,
) -> Result<ArrayD<T>, E> {
    todo!()
}
