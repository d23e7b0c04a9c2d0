//! Parts of arrays: `dynamic_slice`, `dynamic_update_slice`, `pad`, `concatenate`, `reverse`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;

/// `dynamic_slice`. The slice is moved so that it lies inside the operand.
pub fn dynamic_slice<T: Copy>(
    operand: ArrayViewD<'_, T>,
    start_indices: &[i64],
    slice_sizes: &[usize],
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `dynamic_update_slice`, in place. The slice is moved so that it lies inside the operand.
pub fn dynamic_update_slice<T: Copy>(
    operand: ArrayD<T>,
    update: ArrayViewD<'_, T>,
    start_indices: &[i64],
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `pad`. Negative padding at the edges cuts; `interior` is what goes between neighbours.
pub fn pad<T: Copy>(
    operand: ArrayViewD<'_, T>,
    value: T,
    low: &[i64],
    high: &[i64],
    interior: &[usize],
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `concatenate`.
pub fn concatenate<T: Copy>(operands: &[ArrayViewD<'_, T>], dimension: usize) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `reverse`.
pub fn reverse<T: Copy>(operand: ArrayViewD<'_, T>, dimensions: &[usize]) -> Result<ArrayD<T>, Refused> {
    todo!()
}
