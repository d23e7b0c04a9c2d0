//! `gather`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;

/// The dimension numbers and slice sizes of `gather`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gather {
    /// Dimensions of the result that are inside a slice.
    pub offset_dims: Vec<usize>,
    /// Dimensions of the operand, of size 1 in a slice, that the result does not have.
    pub collapsed_slice_dims: Vec<usize>,
    /// Dimensions of the operand that go along with those of the indices.
    pub operand_batching_dims: Vec<usize>,
    /// Dimensions of the indices that go along with those of the operand, in the same order.
    pub start_indices_batching_dims: Vec<usize>,
    /// Which dimension of the operand each element of an index vector is for.
    pub start_index_map: Vec<usize>,
    /// The dimension of the indices that holds index vectors; their rank where each index is alone.
    pub index_vector_dim: usize,
    /// The size of a slice in each dimension of the operand.
    pub slice_sizes: Vec<usize>,
}

/// `gather`. Slices are moved so that they lie inside the operand. Unsigned indices beyond `i64::MAX` come as that.
pub fn gather<T: Copy>(
    operand: ArrayViewD<'_, T>,
    start_indices: ArrayViewD<'_, i64>,
    attributes: &Gather,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}
