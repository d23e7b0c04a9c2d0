//! `batch_norm_training`, `batch_norm_inference`, `batch_norm_grad`.

use ndarray::{ArrayD, ArrayViewD};

use super::{Field, Refused};

/// The results of `batch_norm_training`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormTraining<T> {
    /// The normalized operand.
    pub output: ArrayD<T>,
    /// The mean of each feature.
    pub batch_mean: ArrayD<T>,
    /// The variance of each feature.
    pub batch_var: ArrayD<T>,
}

/// The results of `batch_norm_grad`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormGradient<T> {
    /// With respect to the operand.
    pub operand: ArrayD<T>,
    /// With respect to the scale.
    pub scale: ArrayD<T>,
    /// With respect to the offset.
    pub offset: ArrayD<T>,
}

/// `batch_norm_training`.
pub fn batch_norm_training<T: Field>(
    operand: ArrayViewD<'_, T>,
    scale: ArrayViewD<'_, T>,
    offset: ArrayViewD<'_, T>,
    epsilon: f64,
    feature_index: usize,
) -> Result<BatchNormTraining<T>, Refused> {
    todo!()
}

/// `batch_norm_inference`.
pub fn batch_norm_inference<T: Field>(
    operand: ArrayViewD<'_, T>,
    scale: ArrayViewD<'_, T>,
    offset: ArrayViewD<'_, T>,
    mean: ArrayViewD<'_, T>,
    variance: ArrayViewD<'_, T>,
    epsilon: f64,
    feature_index: usize,
) -> Result<ArrayD<T>, Refused> {
    todo!()
}

/// `batch_norm_grad`.
pub fn batch_norm_grad<T: Field>(
    operand: ArrayViewD<'_, T>,
    scale: ArrayViewD<'_, T>,
    mean: ArrayViewD<'_, T>,
    variance: ArrayViewD<'_, T>,
    grad_output: ArrayViewD<'_, T>,
    epsilon: f64,
    feature_index: usize,
) -> Result<BatchNormGradient<T>, Refused> {
    todo!()
}
