//! `scatter`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;
use super::gather::{IndexVectors, batching_steps, check_indices};
use super::position::{advance, elements, remaining, require, require_dimensions, row_major, sizes, strides, volume};

const OPERATION: &str = "scatter";

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
/// none where it is out of bounds. That is decided element by element, as the specification says; XLA leaves out a whole
/// window as soon as one element of it is out of bounds.
pub fn scatter_targets(
    input_shape: &[usize],
    scatter_indices: ArrayViewD<'_, i64>,
    update_shape: &[usize],
    attributes: &Scatter,
) -> Result<Vec<Option<usize>>, Refused> {
    let a = attributes;
    let dropped = [a.inserted_window_dims.as_slice(), &a.input_batching_dims].concat();
    let batch_dims = check_indices(
        OPERATION,
        input_shape,
        scatter_indices.shape(),
        [&dropped, &a.input_batching_dims, &a.scatter_indices_batching_dims, &a.scatter_dims_to_operand_dims],
        a.index_vector_dim,
    )?;
    let total = volume(OPERATION, update_shape)?;
    require_dimensions(OPERATION, &a.update_window_dims, update_shape.len())?;
    let scatter_dims = remaining(update_shape.len(), &a.update_window_dims);
    let window_dims = remaining(input_shape.len(), &dropped);
    let fits = sizes(update_shape, &scatter_dims) == sizes(scatter_indices.shape(), &batch_dims)
        && a.update_window_dims.len() == window_dims.len();
    require(fits, OPERATION, || format!("updates {update_shape:?} do not fit indices {:?}", scatter_indices.shape()))?;

    let vectors = IndexVectors::new(&scatter_indices, a.index_vector_dim, &batch_dims);
    let vector_steps = vectors.steps();
    let batching =
        batching_steps(&batch_dims, &a.scatter_indices_batching_dims, |position| a.input_batching_dims[position] + 1);
    let steps = strides(input_shape);
    let mut targets = Vec::with_capacity(total);
    let mut update_index = vec![0; update_shape.len()];
    let mut full_index = vec![0i128; input_shape.len()];
    for _ in 0..total {
        full_index.fill(0);
        let vector: usize = scatter_dims.iter().zip(vector_steps).map(|(&at, step)| update_index[at] * step).sum();
        for (component, &dimension) in a.scatter_dims_to_operand_dims.iter().enumerate() {
            full_index[dimension] = i128::from(vectors.component(vector, component));
        }
        for (&at, &batching) in scatter_dims.iter().zip(&batching) {
            if let Some(dimension) = batching.checked_sub(1) {
                full_index[dimension] = update_index[at] as i128;
            }
        }
        for (&at, &dimension) in a.update_window_dims.iter().zip(&window_dims) {
            full_index[dimension] += update_index[at] as i128;
        }
        let mut places = full_index.iter().zip(input_shape).zip(&steps);
        targets.push(places.try_fold(0, |place, ((&index, &size), step)| {
            let index = usize::try_from(index).ok().filter(|&index| index < size)?;
            Some(place + index * step)
        }));
        advance(&mut update_index, update_shape);
    }
    Ok(targets)
}

/// `scatter` of one input. `combine(old, update)` is the region; updates are combined in row-major order.
pub fn scatter<T: Copy>(
    input: ArrayD<T>,
    scatter_indices: ArrayViewD<'_, i64>,
    updates: ArrayViewD<'_, T>,
    attributes: &Scatter,
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    let targets = scatter_targets(input.shape(), scatter_indices, updates.shape(), attributes)?;
    let mut result = row_major(input);
    let mut combine = combine;
    if let Some(result) = result.as_slice_mut() {
        for (target, &update) in targets.iter().zip(elements(&updates).iter()) {
            if let Some(target) = *target {
                result[target] = combine(result[target], update);
            }
        }
    }
    Ok(result)
}
