//! Fourier transforms, and the factorizations that JAX calls by name.

use super::elementwise::{rounded, rounded_complex, shared};
use super::instruction::{Lapack, Step, Transform};
use super::kernels;
use super::scalar::FloatScalar;
use super::tensor::{NOT_ALIKE, Tensor};
use ndarray::ArrayD;

/// `fft`.
pub(super) fn fourier<S: FloatScalar>(
    transform: Transform,
    operand: &Tensor<S>,
    lengths: &[usize],
) -> Result<Tensor<S>, String> {
    match (transform, operand) {
        (Transform::Forward | Transform::Inverse, Tensor::Complex(kind, array)) => {
            let result = kernels::fft(array.view(), lengths, transform == Transform::Inverse)?;
            Ok(Tensor::Complex(*kind, rounded_complex(*kind, shared(result))))
        }
        (Transform::RealForward, Tensor::Float(kind, array)) => {
            let result = kernels::rfft(array.view(), lengths)?;
            Ok(Tensor::Complex(*kind, rounded_complex(*kind, shared(result))))
        }
        (Transform::RealInverse, Tensor::Complex(kind, array)) => {
            Ok(Tensor::Float(*kind, rounded(*kind, shared(kernels::irfft(array.view(), lengths)?))))
        }
        _ => Err("the operand does not fit the kind of the transform".into()),
    }
}

fn integers<S>(array: ArrayD<i32>) -> Tensor<S> {
    Tensor::Signed(32, shared(array.mapv(i64::from)))
}

/// The status that a routine gives for each matrix of a batch when all went well.
fn success<S: FloatScalar>(step: &Step<S>, position: usize) -> Result<Tensor<S>, String> {
    let r#type = step.types.get(position).and_then(Option::as_ref).ok_or("the status of a routine has no type")?;
    let count = r#type.shape.iter().product();
    Tensor::from_bits(r#type, &vec![0; count]).ok_or_else(|| "the status of a routine is no integer".into())
}

/// Runs a routine; operands and results are those of JAX's calls.
pub(super) fn run<S: FloatScalar>(
    routine: Lapack,
    step: &Step<S>,
    operands: Vec<Tensor<S>>,
) -> Result<Vec<Tensor<S>>, String> {
    macro_rules! floats {
        ($variant:ident, $round:ident) => {
            match (routine, &operands[..]) {
                (Lapack::Lu, [Tensor::$variant(kind, a)]) => {
                    let result = kernels::lu(a.view())?;
                    let factors = Tensor::$variant(*kind, $round(*kind, shared(result.factors)));
                    return Ok(vec![factors, integers(result.pivots), integers(result.info)]);
                }
                (Lapack::Qr, [Tensor::$variant(kind, a)]) => {
                    let result = kernels::qr(a.view())?;
                    let wrap = |array| Tensor::$variant(*kind, $round(*kind, shared(array)));
                    return with_status(step, vec![wrap(result.factors), wrap(result.taus)]);
                }
                (Lapack::HouseholderProduct, [Tensor::$variant(kind, a), Tensor::$variant(_, taus)]) => {
                    let result = kernels::householder_product(a.view(), taus.view())?;
                    let product = Tensor::$variant(*kind, $round(*kind, shared(result)));
                    return with_status(step, vec![product]);
                }
                (Lapack::Cholesky { lower }, [Tensor::$variant(kind, a)]) => {
                    let factor = Tensor::$variant(*kind, $round(*kind, shared(kernels::cholesky(a.view(), lower)?)));
                    return with_status(step, vec![factor]);
                }
                (Lapack::TriangularSolve(attributes), [Tensor::$variant(kind, a), Tensor::$variant(_, b), ..]) => {
                    let result = kernels::triangular_solve(a.view(), b.view(), attributes)?;
                    return Ok(vec![Tensor::$variant(*kind, $round(*kind, shared(result)))]);
                }
                _ => {}
            }
        };
    }
    floats!(Float, rounded);
    floats!(Complex, rounded_complex);
    if let (Lapack::SymmetricEigen { lower }, [Tensor::Float(kind, a)]) = (routine, &operands[..]) {
        if S::HAS_DERIVATIVE {
            return Err("eigenvalues of dual numbers are not supported".into());
        }
        let values = a.mapv(|value| value.value());
        let result = kernels::symmetric_eigen(values.view(), lower)?;
        let back = |array: ArrayD<f64>| shared(array.mapv(<S as kernels::Field>::from_f64));
        let wrap = |array| Tensor::Float(*kind, rounded(*kind, back(array)));
        return with_status(step, vec![wrap(result.vectors), wrap(result.values)]);
    }
    Err(NOT_ALIKE.into())
}

/// Adds statuses until there are as many results as the call has.
fn with_status<S: FloatScalar>(step: &Step<S>, mut results: Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, String> {
    while results.len() < step.results.len() {
        results.push(success(step, results.len())?);
    }
    Ok(results)
}
