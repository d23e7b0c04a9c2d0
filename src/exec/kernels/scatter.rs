//! `scatter`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;

/// The dimension numbers of `scatter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scatter {
    /// Dimensions of the updates that are inside a window.
    pub update_window_dims: Vec<usize>,
    /// Dimensions of the input that a window does not have.
    pub inserted_window_dims: Vec<usize>,
    /// Dimensions of the input that go along with those of the indices.
    pub input_batching_dims: Vec<usize>,
    /// Dimensions of the indices that go along with those of the input, in the same order.
    pub scatter_indices_batching_dims: Vec<usize>,
    /// Which dimension of the input each element of an index vector is for.
    pub scatter_dims_to_operand_dims: Vec<usize>,
    /// The dimension of the indices that holds index vectors; their rank where each index is alone.
    pub index_vector_dim: usize,
}

/// Where each element of the updates goes: for each in row-major order its position in the input in row-major order;
/// none where it is out of bounds.
pub fn scatter_targets(
    input_shape: &[usize],
    scatter_indices: ArrayViewD<'_, i64>,
    update_shape: &[usize],
    attributes: &Scatter,
) -> Result<Vec<Option<usize>>, Refused> {
    todo!()
}

/// `scatter` of one input. `combine(old, update)` is the region; updates are combined in row-major order.
pub fn scatter<T: Copy>(
    input: ArrayD<T>,
    scatter_indices: ArrayViewD<'_, i64>,
    updates: ArrayViewD<'_, T>,
    attributes: &Scatter,
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}
