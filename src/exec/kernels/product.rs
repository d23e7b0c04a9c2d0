//! `dot_general`.

use ndarray::{ArrayD, ArrayViewD};

use super::{Arithmetic, Refused};

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
    todo!()
}
