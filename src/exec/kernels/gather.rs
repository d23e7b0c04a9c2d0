//! `gather`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;
use super::position::{
    Offsets, Runs, assemble, elements, remaining, require, require_dimensions, row_major, sizes, strides, volume,
};
use super::slices::clamp;

const OPERATION: &str = "gather";

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
    let batch_dims = check(operand.shape(), start_indices.shape(), attributes)?;
    let steps = strides(operand.shape());
    let runs = Runs::new(operand.shape(), &attributes.slice_sizes);
    let elements = elements(&operand);

    // Built with all batch dimensions first.
    let batch_shape = sizes(start_indices.shape(), &batch_dims);
    let dropped = [attributes.collapsed_slice_dims.as_slice(), &attributes.operand_batching_dims].concat();
    let slice_shape = sizes(&attributes.slice_sizes, &remaining(operand.ndim(), &dropped));
    let shape = [batch_shape.as_slice(), &slice_shape].concat();
    let total = volume(OPERATION, &shape)?;
    let mut result = Vec::with_capacity(total);
    let vectors = IndexVectors::new(&start_indices, attributes.index_vector_dim, &batch_dims);
    let batching = batching_steps(&batch_dims, &attributes.start_indices_batching_dims, |position| {
        steps[attributes.operand_batching_dims[position]]
    });
    let alongside = Offsets::new(&batch_shape, &batching);
    if total > 0 {
        for (vector, along) in vectors.starts(&batch_shape).zip(alongside) {
            let indices = (0..attributes.start_index_map.len()).map(|at| vectors.component(vector, at));
            let starts = indices.zip(&attributes.start_index_map).map(|(index, &dimension)| {
                clamp(index, operand.shape()[dimension] - attributes.slice_sizes[dimension]) * steps[dimension]
            });
            let start = starts.sum::<usize>() + along;
            for run in &runs.starts {
                result.extend_from_slice(&elements[start + run..][..runs.length]);
            }
        }
    }
    let result = assemble(OPERATION, &shape, result)?;
    Ok(row_major(result.permuted_axes(interleaved(shape.len(), batch_shape.len(), &attributes.offset_dims))))
}

/// Index vectors inside an array of indices.
pub struct IndexVectors<'a> {
    elements: std::borrow::Cow<'a, [i64]>,
    steps: Vec<usize>,
    component_step: usize,
}

impl<'a> IndexVectors<'a> {
    /// `batch_dims` are all dimensions but that of the vectors.
    pub fn new(indices: &ArrayViewD<'a, i64>, index_vector_dim: usize, batch_dims: &[usize]) -> IndexVectors<'a> {
        let steps = strides(indices.shape());
        IndexVectors {
            elements: elements(indices),
            component_step: steps.get(index_vector_dim).copied().unwrap_or(0),
            steps: sizes(&steps, batch_dims),
        }
    }

    /// How far a step in each batch dimension goes.
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// Where each vector begins.
    pub fn starts<'b>(&'b self, batch_shape: &'b [usize]) -> Offsets<'b> {
        Offsets::new(batch_shape, &self.steps)
    }

    /// One element of the vector that begins at `vector`.
    pub fn component(&self, vector: usize, at: usize) -> i64 {
        self.elements[vector + at * self.component_step]
    }
}

/// For each batch dimension of the indices how far a step in it goes in the operand: not at all but for batching ones.
pub fn batching_steps(batch_dims: &[usize], batching: &[usize], step: impl Fn(usize) -> usize) -> Vec<usize> {
    let position = |dimension| batching.iter().position(|&batching| batching == dimension);
    batch_dims.iter().map(|&dimension| position(dimension).map_or(0, &step)).collect()
}

/// The order of axes that brings the last ones of `rank`, after `batch`, to `offset_dims`.
fn interleaved(rank: usize, batch: usize, offset_dims: &[usize]) -> Vec<usize> {
    let mut order = vec![0; rank];
    for (position, &dimension) in offset_dims.iter().enumerate() {
        order[dimension] = batch + position;
    }
    for (position, dimension) in remaining(rank, offset_dims).into_iter().enumerate() {
        order[dimension] = position;
    }
    order
}

/// Checks what would lead out of an array; says which dimensions of the indices are batch dimensions.
fn check(operand: &[usize], indices: &[usize], attributes: &Gather) -> Result<Vec<usize>, Refused> {
    let a = attributes;
    let slice_fits = a.slice_sizes.len() == operand.len() && a.slice_sizes.iter().zip(operand).all(|(a, b)| a <= b);
    require(slice_fits, OPERATION, || format!("slices {:?} do not fit {operand:?}", a.slice_sizes))?;
    let dropped = [a.collapsed_slice_dims.as_slice(), &a.operand_batching_dims].concat();
    let batch_dims = check_indices(
        OPERATION,
        operand,
        indices,
        [&dropped, &a.operand_batching_dims, &a.start_indices_batching_dims, &a.start_index_map],
        a.index_vector_dim,
    )?;
    require(dropped.iter().all(|&dimension| a.slice_sizes[dimension] <= 1), OPERATION, || {
        format!("slices {:?} are not of size 1 in {dropped:?}", a.slice_sizes)
    })?;
    let offsets = operand.len() - dropped.len();
    require_dimensions(OPERATION, &a.offset_dims, batch_dims.len() + offsets)?;
    require(a.offset_dims.len() == offsets && a.offset_dims.is_sorted(), OPERATION, || {
        format!("offset_dims {:?} are not {offsets} ascending dimensions", a.offset_dims)
    })?;
    Ok(batch_dims)
}

/// The checks that `gather` and `scatter` share; says which dimensions of the indices are batch dimensions.
pub fn check_indices(
    operation: &'static str,
    operand: &[usize],
    indices: &[usize],
    [dropped, operand_batching, indices_batching, index_map]: [&[usize]; 4],
    index_vector_dim: usize,
) -> Result<Vec<usize>, Refused> {
    volume(operation, operand)?;
    require_dimensions(operation, dropped, operand.len())?;
    require_dimensions(operation, &[index_map, operand_batching].concat(), operand.len())?;
    require(index_vector_dim <= indices.len(), operation, || format!("no index vectors in {indices:?}"))?;
    let batch_dims = remaining(indices.len(), &[index_vector_dim]);
    let components = indices.get(index_vector_dim).copied().unwrap_or(1);
    require(components == index_map.len(), operation, || {
        format!("index vectors of {components} for {} dimensions", index_map.len())
    })?;
    require_dimensions(operation, indices_batching, indices.len())?;
    let fits = indices_batching.iter().all(|dimension| batch_dims.contains(dimension))
        && sizes(indices, indices_batching) == sizes(operand, operand_batching);
    require(fits, operation, || {
        format!("batching dimensions {operand_batching:?} and {indices_batching:?} do not go together")
    })?;
    Ok(batch_dims)
}
