//! `cholesky` and `triangular_solve`.

use ndarray::{ArrayD, ArrayViewD};

use super::{Field, Refused};

/// `cholesky` of the last two dimensions. Reads one triangle, writes zero into the other. A matrix that is not positive
/// definite gives NaN in that matrix of the batch.
pub fn cholesky<T: Field>(a: ArrayViewD<'_, T>, lower: bool) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// What is done to `a` before solving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transpose {
    /// `NO_TRANSPOSE`.
    #[default]
    No,
    /// `TRANSPOSE`.
    Transpose,
    /// `ADJOINT`.
    Adjoint,
}

/// The attributes of `triangular_solve`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriangularSolve {
    /// `op(a) x = b`, else `x op(a) = b`.
    pub left_side: bool,
    /// Which triangle of `a` is read.
    pub lower: bool,
    /// The diagonal counts as ones and is not read.
    pub unit_diagonal: bool,
    /// What `op` is.
    pub transpose_a: Transpose,
}

/// `triangular_solve` in the last two dimensions; all others are batches. Also LAPACK's `trsm` with `alpha` 1.
pub fn triangular_solve<T: Field>(
    a: ArrayViewD<'_, T>,
    b: ArrayViewD<'_, T>,
    attributes: TriangularSolve,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}
