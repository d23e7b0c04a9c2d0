//! `fft`.

use ndarray::{ArrayD, ArrayViewD};
use num_complex::Complex;

use super::{Fourier, Refused};

/// `fft` of the kinds `FFT` and `IFFT` over the last dimensions, whose sizes are `lengths`.
pub fn fft<T: Fourier>(
    operand: ArrayViewD<'_, Complex<T>>,
    lengths: &[usize],
    inverse: bool,
) -> Result<ArrayD<Complex<T>>, Refused> {
    todo!()
}

/// `fft` of the kind `RFFT`: the last dimension of the result has the non-negative frequencies.
pub fn rfft<T: Fourier>(operand: ArrayViewD<'_, T>, lengths: &[usize]) -> Result<ArrayD<Complex<T>>, Refused> {
    todo!()
}

/// `fft` of the kind `IRFFT`: the inverse of [`rfft`]; `lengths` are sizes of the result.
pub fn irfft<T: Fourier>(operand: ArrayViewD<'_, Complex<T>>, lengths: &[usize]) -> Result<ArrayD<T>, Refused> {
    todo!()
}
