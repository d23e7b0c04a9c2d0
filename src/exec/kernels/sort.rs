//! `sort` and `top_k`.

use ndarray::{ArrayD, ArrayViewD};

use super::{Ordered, Refused};

/// How `sort` orders operands of one shape along `dimension`: for each position of a result in row-major order the
/// position of its element in the operands. `before(a, b)` is the comparator, on positions in the operands. The sort is
/// always stable. A comparator that is no order gives some permutation.
pub fn sort_order<E: From<Refused>>(
    shape: &[usize],
    dimension: usize,
    before: impl FnMut(usize, usize) -> Result<bool, E>,
) -> Result<Vec<usize>, E> {
    todo!()
}

/// The elements of `operand` at the positions of `order`, in the operand's shape.
pub fn reorder<T: Copy>(operand: ArrayViewD<'_, T>, order: &[usize]) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `sort` of one operand by the total order.
pub fn sort<T: Ordered>(operand: ArrayViewD<'_, T>, dimension: usize, descending: bool) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `chlo.top_k`: the `k` largest along the last dimension and where they were; of equal ones the first comes first.
pub fn top_k<T: Ordered>(operand: ArrayViewD<'_, T>, k: usize) -> Result<(ArrayD<T>, ArrayD<i32>), Refused> {
    todo!()
}
