//! The heavy operations, as pure functions on `ndarray`.
//!
//! They follow the StableHLO specification. They know no tensors, graphs or regions: an operation's attributes come as a
//! structure of plain fields with the names of the specification, its region as a closure. Where operands of several
//! element types go together (`reduce`, `sort`, `scatter`), a function tells positions in row-major order and the caller
//! moves the elements.
//!
//! Bad shapes and attributes are refused, not met with a panic. Results are in row-major layout. The order of every sum
//! depends on shapes and attributes alone, never on threads. Sums of 16 bit floats round after each addition, as
//! the reference interpreter does, except in products of matrices and convolutions, which round once, as XLA does.

mod convolution;
mod factor;
mod fourier;
mod gather;
mod lapack;
mod normalization;
mod position;
mod product;
mod random;
mod reduce;
mod scalar;
mod scatter;
mod slices;
mod sort;
pub mod special;
mod window;

pub use convolution::{Convolution, convolution};
pub use factor::{Transpose, TriangularSolve, cholesky, triangular_solve};
pub use fourier::{fft, irfft, rfft};
pub use gather::{Gather, gather};
pub use lapack::{Eigen, Lu, Qr, householder_product, lu, qr, symmetric_eigen};
pub use normalization::{
    BatchNormGradient, BatchNormTraining, batch_norm_grad, batch_norm_inference, batch_norm_training,
};
pub(super) use position::volume;
pub use product::{DotDimensions, dot_general};
pub use random::{Algorithm, Word, rng_bit_generator, threefry_2x32, threefry2x32};
pub use reduce::{Reduction, reduce, reduce_in_lanes, sum};
pub use scalar::{Arithmetic, Field, Fourier, Ordered, Real};
pub use scatter::{Scatter, scatter, scatter_targets};
pub use slices::{concatenate, dynamic_slice, dynamic_update_slice, pad, reverse};
pub use sort::{reorder, sort, sort_order, top_k};
pub use window::{SelectAndScatter, Window, Windows, reduce_window, select_and_scatter};

/// Operands or attributes that an operation does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {reason}")]
pub struct Refused {
    /// The name of the operation, as in the specification.
    pub operation: &'static str,
    /// What is wrong, for a person.
    pub reason: String,
}
