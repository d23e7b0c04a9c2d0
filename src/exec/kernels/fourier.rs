//! `fft`.

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use num_complex::Complex;

use super::position::{assemble, require, row_major, volume};
use super::{Field, Fourier, Refused};

const OPERATION: &str = "fft";

/// `fft` of the kinds `FFT` and `IFFT` over the last dimensions, whose sizes are `lengths`.
pub fn fft<T: Fourier>(
    operand: ArrayViewD<'_, Complex<T>>,
    lengths: &[usize],
    inverse: bool,
) -> Result<ArrayD<Complex<T>>, Refused> {
    require_lengths(operand.shape(), lengths, lengths.last().copied())?;
    let rank = operand.ndim();
    let mut result = operand.to_owned();
    for (axis, &length) in (rank - lengths.len()..rank).zip(lengths) {
        result = transform(result, axis, length, inverse);
    }
    Ok(row_major(result))
}

/// `fft` of the kind `RFFT`: the last dimension of the result has the non-negative frequencies.
pub fn rfft<T: Fourier>(operand: ArrayViewD<'_, T>, lengths: &[usize]) -> Result<ArrayD<Complex<T>>, Refused> {
    require_lengths(operand.shape(), lengths, lengths.last().copied())?;
    let half = lengths.last().map_or(0, |&length| length / 2 + 1);
    let complex = operand.mapv(|value| Complex { re: value, im: T::zero() });
    let last = Axis(operand.ndim() - 1);
    let mut result = transform(complex, last.index(), lengths[lengths.len() - 1], false);
    if result.len_of(last) > half {
        result.slice_axis_inplace(last, Slice::from(..half));
    } else if result.len_of(last) == 0 {
        return Err(Refused { operation: OPERATION, reason: "a real transform of length 0".to_string() });
    }
    let first = operand.ndim() - lengths.len();
    for (axis, &length) in (first..last.index()).zip(lengths) {
        result = transform(result, axis, length, false);
    }
    Ok(row_major(result))
}

/// `fft` of the kind `IRFFT`: the inverse of [`rfft`]; `lengths` are sizes of the result.
pub fn irfft<T: Fourier>(operand: ArrayViewD<'_, Complex<T>>, lengths: &[usize]) -> Result<ArrayD<T>, Refused> {
    let length = lengths.last().copied().unwrap_or(0);
    require(length > 0, OPERATION, || "a real transform of length 0".to_string())?;
    require_lengths(operand.shape(), lengths, Some(length / 2 + 1))?;
    let last = operand.ndim() - 1;
    let first = operand.ndim() - lengths.len();
    let mut half = operand.to_owned();
    for (axis, &length) in (first..last).zip(lengths) {
        half = transform(half, axis, length, true);
    }
    // The other half mirrors the first; the imaginary parts of the frequencies that mirror themselves do not count.
    let mut shape = operand.shape().to_vec();
    shape[last] = length;
    let half = row_major(half);
    let mut full = Vec::with_capacity(volume(OPERATION, &shape)?);
    for line in half.lanes(Axis(last)) {
        full.extend((0..length).map(|at| match at {
            0 => Complex { re: line[0].re, im: T::zero() },
            at if 2 * at == length => Complex { re: line[at].re, im: T::zero() },
            at if at < line.len() => line[at],
            at => line[length - at].conjugate(),
        }));
    }
    let full = transform(assemble(OPERATION, &shape, full)?, last, length, true);
    Ok(full.mapv(|value| value.re))
}

/// One to three lengths, which are the sizes of the last dimensions; `last` is what the last one has to be.
fn require_lengths(shape: &[usize], lengths: &[usize], last: Option<usize>) -> Result<(), Refused> {
    let fits = match (shape, lengths) {
        ([.., in_shape], [others @ .., _]) => {
            lengths.len() <= 3 && last == Some(*in_shape) && shape[..shape.len() - 1].ends_with(others)
        }
        _ => false,
    };
    require(fits, OPERATION, || format!("the lengths {lengths:?} do not fit {shape:?}"))?;
    volume(OPERATION, shape).map(drop)
}

/// Transforms along one dimension; the inverse divides by the length.
fn transform<T: Fourier>(
    mut array: ArrayD<Complex<T>>,
    axis: usize,
    length: usize,
    inverse: bool,
) -> ArrayD<Complex<T>> {
    if array.is_empty() {
        return array;
    }
    let last = array.ndim() - 1;
    array.swap_axes(axis, last);
    let mut array = row_major(array);
    if let Some(lines) = array.as_slice_mut() {
        T::transform(lines, length, inverse);
        if inverse {
            let scale = T::from_f64(length as f64);
            for value in lines {
                *value = Complex { re: value.re.div(scale), im: value.im.div(scale) };
            }
        }
    }
    array.swap_axes(axis, last);
    array
}
