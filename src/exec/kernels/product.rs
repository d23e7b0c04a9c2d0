//! `dot_general`.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMut2, Axis, Dimension, IxDyn, LayoutRef};

use super::position::{assemble, remaining, require, require_dimensions, sizes, volume};
use super::{Arithmetic, Refused};

const OPERATION: &str = "dot_general";

/// Which dimensions of the operands go together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DotDimensions {
    /// Batching dimensions of the left operand.
    pub lhs_batching: Vec<usize>,
    /// Batching dimensions of the right operand, in the same order.
    pub rhs_batching: Vec<usize>,
    /// Dimensions of the left operand that are summed over.
    pub lhs_contracting: Vec<usize>,
    /// Dimensions of the right operand that are summed over, in the same order.
    pub rhs_contracting: Vec<usize>,
}

/// `dot_general`. Both operands have the element type of the result: convert before.
pub fn dot_general<T: Arithmetic>(
    lhs: ArrayViewD<'_, T>,
    rhs: ArrayViewD<'_, T>,
    dimensions: &DotDimensions,
) -> Result<ArrayD<T>, Refused> {
    let (lhs_free, rhs_free) = free_dimensions(lhs.shape(), rhs.shape(), dimensions)?;
    let batch = sizes(lhs.shape(), &dimensions.lhs_batching);
    let contracted = sizes(lhs.shape(), &dimensions.lhs_contracting);
    let (rows, columns) = (sizes(lhs.shape(), &lhs_free), sizes(rhs.shape(), &rhs_free));
    let result_shape = [batch.as_slice(), &rows, &columns].concat();
    let total = volume(OPERATION, &result_shape)?;
    let [contracted, rows, columns]: [usize; 3] = [&contracted, &rows, &columns].map(|sizes| sizes.iter().product());

    let lhs_order = [dimensions.lhs_batching.as_slice(), &lhs_free, &dimensions.lhs_contracting].concat();
    let rhs_order = [dimensions.rhs_batching.as_slice(), &dimensions.rhs_contracting, &rhs_free].concat();
    let (lhs, rhs) = (lhs.permuted_axes(lhs_order), rhs.permuted_axes(rhs_order));
    let shaped = |error: ndarray::ShapeError| Refused { operation: OPERATION, reason: error.to_string() };
    let mut result = vec![T::zero(); total];
    // Matrix by matrix: one is seldom copied, all of them together often would be.
    let matrices = result.chunks_exact_mut((rows * columns).max(1));
    for (index, result) in ndarray::indices(IxDyn(&batch)).into_iter().zip(matrices) {
        let (lhs, rhs) = (matrix_at(&lhs, &index), matrix_at(&rhs, &index));
        let lhs = lhs.to_shape((rows, contracted)).map_err(shaped)?;
        let rhs = rhs.to_shape((contracted, columns)).map_err(shaped)?;
        let result = ArrayViewMut2::from_shape((rows, columns), result).map_err(shaped)?;
        T::matrix_product(lhs.view(), rhs.view(), result);
    }
    assemble(OPERATION, &result_shape, result)
}

/// What is at an index of the first dimensions, which keep an extent of 1.
fn matrix_at<'a, T>(array: &ArrayViewD<'a, T>, index: &IxDyn) -> ArrayViewD<'a, T> {
    let mut array = array.clone();
    let layout: &mut LayoutRef<T, IxDyn> = array.as_mut();
    for (dimension, &at) in index.as_array_view().iter().enumerate() {
        layout.collapse_axis(Axis(dimension), at);
    }
    array
}

/// The dimensions of each operand that are neither batching nor contracting.
fn free_dimensions(
    lhs: &[usize],
    rhs: &[usize],
    dimensions: &DotDimensions,
) -> Result<(Vec<usize>, Vec<usize>), Refused> {
    let taken_left = [dimensions.lhs_batching.as_slice(), &dimensions.lhs_contracting].concat();
    let taken_right = [dimensions.rhs_batching.as_slice(), &dimensions.rhs_contracting].concat();
    require_dimensions(OPERATION, &taken_left, lhs.len())?;
    require_dimensions(OPERATION, &taken_right, rhs.len())?;
    require(
        dimensions.lhs_batching.len() == dimensions.rhs_batching.len()
            && sizes(lhs, &taken_left) == sizes(rhs, &taken_right),
        OPERATION,
        || format!("the dimensions {taken_left:?} of {lhs:?} and {taken_right:?} of {rhs:?} do not go together"),
    )?;
    Ok((remaining(lhs.len(), &taken_left), remaining(rhs.len(), &taken_right)))
}
