//! `convolution`.

use ndarray::{ArrayD, ArrayViewD};

use super::{Arithmetic, Refused};

/// The attributes of a convolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Convolution {
    /// One for each spatial dimension.
    pub window_strides: Vec<usize>,
    /// Low and high padding of each spatial dimension; negative cuts.
    pub padding: Vec<(i64, i64)>,
    /// Dilation of the input, at least 1.
    pub lhs_dilation: Vec<usize>,
    /// Dilation of the kernel, at least 1.
    pub rhs_dilation: Vec<usize>,
    /// Whether the kernel is read backwards.
    pub window_reversal: Vec<bool>,
    /// Place in the input.
    pub input_batch_dimension: usize,
    /// Place in the input.
    pub input_feature_dimension: usize,
    /// Places in the input.
    pub input_spatial_dimensions: Vec<usize>,
    /// Place in the kernel.
    pub kernel_input_feature_dimension: usize,
    /// Place in the kernel.
    pub kernel_output_feature_dimension: usize,
    /// Places in the kernel.
    pub kernel_spatial_dimensions: Vec<usize>,
    /// Place in the result.
    pub output_batch_dimension: usize,
    /// Place in the result.
    pub output_feature_dimension: usize,
    /// Places in the result.
    pub output_spatial_dimensions: Vec<usize>,
    /// At least 1; not more than 1 together with `batch_group_count`.
    pub feature_group_count: usize,
    /// At least 1.
    pub batch_group_count: usize,
}

/// `convolution`. Both operands have the element type of the result: convert before.
pub fn convolution<T: Arithmetic>(
    lhs: ArrayViewD<'_, T>,
    rhs: ArrayViewD<'_, T>,
    attributes: &Convolution,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}
