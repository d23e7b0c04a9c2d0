//! Parts of arrays: `dynamic_slice`, `dynamic_update_slice`, `pad`, `concatenate`, `reverse`.

use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};

use super::Refused;
use super::position::{Runs, assemble, elements, require, require_dimensions, row_major, strides, volume};

/// `dynamic_slice`. The slice is moved so that it lies inside the operand.
pub fn dynamic_slice<T: Copy>(
    operand: ArrayViewD<'_, T>,
    start_indices: &[i64],
    slice_sizes: &[usize],
) -> Result<ArrayD<T>, Refused> {
    let operation = "dynamic_slice";
    let start = clamped_start(operation, operand.shape(), start_indices, slice_sizes)?;
    let runs = Runs::new(operand.shape(), slice_sizes);
    let elements = elements(&operand);
    let mut result = Vec::with_capacity(volume(operation, slice_sizes)?);
    if runs.length > 0 {
        for run in runs.starts {
            result.extend_from_slice(&elements[start + run..][..runs.length]);
        }
    }
    assemble(operation, slice_sizes, result)
}

/// `dynamic_update_slice`, in place. The slice is moved so that it lies inside the operand.
pub fn dynamic_update_slice<T: Copy>(
    operand: ArrayD<T>,
    update: ArrayViewD<'_, T>,
    start_indices: &[i64],
) -> Result<ArrayD<T>, Refused> {
    let operation = "dynamic_update_slice";
    let start = clamped_start(operation, operand.shape(), start_indices, update.shape())?;
    let runs = Runs::new(operand.shape(), update.shape());
    let mut result = row_major(operand);
    if let (Some(result), true) = (result.as_slice_mut(), runs.length > 0) {
        for (run, update) in runs.starts.iter().zip(elements(&update).chunks_exact(runs.length)) {
            result[start + run..][..runs.length].copy_from_slice(update);
        }
    }
    Ok(result)
}

/// `pad`. Negative padding at the edges cuts; `interior` is what goes between neighbours.
pub fn pad<T: Copy>(
    operand: ArrayViewD<'_, T>,
    value: T,
    low: &[i64],
    high: &[i64],
    interior: &[usize],
) -> Result<ArrayD<T>, Refused> {
    let operation = "pad";
    let rank = operand.ndim();
    require([low.len(), high.len(), interior.len()] == [rank; 3], operation, || {
        format!("padding is not for {rank} dimensions")
    })?;
    let mut shape = Vec::with_capacity(rank);
    // For each dimension the first and last elements that stay, and where the first of them goes.
    let mut kept = Vec::with_capacity(rank);
    for dimension in 0..rank {
        let size = operand.len_of(Axis(dimension)) as i128;
        let step = interior[dimension] as i128 + 1;
        let (low, high) = (i128::from(low[dimension]), i128::from(high[dimension]));
        let padded = low + high + if size == 0 { 0 } else { (size - 1) * step + 1 };
        let padded_size = usize::try_from(padded).map_err(|_| Refused {
            operation,
            reason: format!("dimension {dimension} would have the size {padded}"),
        })?;
        shape.push(padded_size);
        let first = if low < 0 { (-low + step - 1) / step } else { 0 };
        let end = if padded > low { ((padded - low - 1) / step + 1).min(size) } else { 0 };
        kept.push((first, end, first * step + low, step));
    }
    volume(operation, &shape)?;
    let mut result = ArrayD::from_elem(IxDyn(&shape), value);
    if kept.iter().any(|&(first, end, ..)| first >= end) {
        return Ok(result);
    }
    let (mut source, mut target) = (operand, result.view_mut());
    for (dimension, &(first, end, at, step)) in kept.iter().enumerate() {
        source.slice_axis_inplace(Axis(dimension), Slice::from(first as usize..end as usize));
        let last = at + (end - first - 1) * step;
        target.slice_axis_inplace(Axis(dimension), Slice::new(at as isize, Some(last as isize + 1), step as isize));
    }
    target.assign(&source);
    Ok(result)
}

/// `concatenate`.
pub fn concatenate<T: Copy>(operands: &[ArrayViewD<'_, T>], dimension: usize) -> Result<ArrayD<T>, Refused> {
    let refused = |reason: String| Refused { operation: "concatenate", reason };
    if operands.iter().any(|operand| dimension >= operand.ndim()) {
        return Err(refused(format!("there is no dimension {dimension}")));
    }
    if let Some(first) = operands.first() {
        let mut shape = first.shape().to_vec();
        shape[dimension] = operands.iter().map(|operand| operand.shape()[dimension]).sum();
        volume("concatenate", &shape)?;
    }
    let result = ndarray::concatenate(Axis(dimension), operands).map_err(|error| refused(error.to_string()))?;
    Ok(row_major(result))
}

/// `reverse`.
pub fn reverse<T: Copy>(operand: ArrayViewD<'_, T>, dimensions: &[usize]) -> Result<ArrayD<T>, Refused> {
    require_dimensions("reverse", dimensions, operand.ndim())?;
    let mut operand = operand;
    for &dimension in dimensions {
        operand.invert_axis(Axis(dimension));
    }
    let (shape, elements) = (operand.shape().to_vec(), elements(&operand).into_owned());
    assemble("reverse", &shape, elements)
}

/// Where a slice begins, in row-major order, if it is moved into the array.
fn clamped_start(
    operation: &'static str,
    shape: &[usize],
    start_indices: &[i64],
    slice_sizes: &[usize],
) -> Result<usize, Refused> {
    let rank = shape.len();
    let fits = start_indices.len() == rank
        && slice_sizes.len() == rank
        && shape.iter().zip(slice_sizes).all(|(shape, slice)| slice <= shape);
    require(fits, operation, || format!("a slice {slice_sizes:?} at {start_indices:?} does not fit {shape:?}"))?;
    let starts = start_indices.iter().zip(shape).zip(slice_sizes).zip(strides(shape));
    Ok(starts.map(|(((&start, &shape), &slice), stride)| clamp(start, shape - slice) * stride).sum())
}

/// The index nearest to `start` from zero to `last`.
pub fn clamp(start: i64, last: usize) -> usize {
    usize::try_from(start.max(0)).unwrap_or(usize::MAX).min(last)
}
