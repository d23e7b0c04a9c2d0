//! The factorizations that JAX calls from LAPACK on a CPU: `getrf`, `geqrf`, `orgqr`, `syevd`.
//!
//! All work on the last two dimensions of a batch.

use ndarray::{ArrayD, ArrayViewD};

use super::{Field, Real, Refused};

/// The results of `getrf`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lu<T> {
    /// Both factors in one matrix; the ones on the diagonal of the lower factor are not kept.
    pub factors: ArrayD<T>,
    /// Which row each row was exchanged with, counted from 1.
    pub pivots: ArrayD<i32>,
    /// For each matrix 0, or the number of the first pivot that is exactly zero, counted from 1.
    pub info: ArrayD<i32>,
}

/// `getrf`: factors with partial pivoting.
pub fn lu<T: Field>(a: ArrayViewD<'_, T>) -> Result<Lu<T>, Refused> {
    todo!()
}

/// The results of `geqrf`.
#[derive(Clone, Debug, PartialEq)]
pub struct Qr<T> {
    /// The upper triangle is R; below it are the Householder vectors without their leading ones.
    pub factors: ArrayD<T>,
    /// The scale of each Householder reflection.
    pub taus: ArrayD<T>,
}

/// `geqrf`: Householder reflections.
pub fn qr<T: Field>(a: ArrayViewD<'_, T>) -> Result<Qr<T>, Refused> {
    todo!()
}

/// `orgqr` and `ungqr`: the first columns of the product of the reflections in the columns of `factors`.
pub fn householder_product<T: Field>(
    factors: ArrayViewD<'_, T>,
    taus: ArrayViewD<'_, T>,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// The results of `syevd`.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen<T> {
    /// In ascending order.
    pub values: ArrayD<T>,
    /// Columns, of length 1. Their signs are not those of LAPACK.
    pub vectors: ArrayD<T>,
}

/// `syevd`: eigenvalues and vectors of symmetric matrices, of which one triangle is read.
pub fn symmetric_eigen<T: Real>(a: ArrayViewD<'_, T>, lower: bool) -> Result<Eigen<T>, Refused> {
    todo!()
}
