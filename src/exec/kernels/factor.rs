//! `cholesky` and `triangular_solve`.

use ndarray::{ArrayD, ArrayViewD};

use super::position::{assemble, elements, require, row_major, volume};
use super::{Field, Refused};

/// `cholesky` of the last two dimensions. Reads one triangle, writes zero into the other. A matrix that is not positive
/// definite gives NaN in that matrix of the batch.
pub fn cholesky<T: Field>(a: ArrayViewD<'_, T>, lower: bool) -> Result<ArrayD<T>, Refused> {
    let size = square("cholesky", a.shape())?;
    let shape = a.shape().to_vec();
    let a = elements(&a);
    let mut result = vec![T::zero(); a.len()];
    let matrices = a.chunks_exact((size * size).max(1)).zip(result.chunks_exact_mut((size * size).max(1)));
    for (a, l) in matrices {
        let mut definite = true;
        for row in 0..size {
            for column in 0..=row {
                let given = if lower { a[row * size + column] } else { a[column * size + row].conjugate() };
                let products = (0..column).map(|k| l[row * size + k].mul(l[column * size + k].conjugate()));
                let rest = given.sub(products.fold(T::zero(), T::add));
                l[row * size + column] = if row == column {
                    definite &= rest.real_value() > 0.0;
                    rest.real_part().square_root()
                } else {
                    rest.div(l[column * size + column])
                };
            }
        }
        for row in 0..size {
            for column in 0..=row {
                let (below, above) = (row * size + column, column * size + row);
                let value = if definite { l[below] } else { T::from_f64(f64::NAN) };
                (l[below], l[above]) = if lower { (value, T::zero()) } else { (T::zero(), value.conjugate()) };
                if row == column {
                    l[below] = value;
                }
            }
        }
    }
    assemble("cholesky", &shape, result)
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
    let operation = "triangular_solve";
    let size = square(operation, a.shape())?;
    let shape = b.shape().to_vec();
    let rank = shape.len();
    let side = if attributes.left_side { rank.wrapping_sub(2) } else { rank.wrapping_sub(1) };
    let fits = rank == a.ndim() && shape[..rank - 2] == a.shape()[..rank - 2] && shape[side] == size;
    require(fits, operation, || format!("the shapes {:?} and {shape:?} do not go together", a.shape()))?;
    volume(operation, &shape)?;
    // `x op(a) = b` is solved as `op(a)^T x^T = b^T`.
    let transposed = (attributes.transpose_a != Transpose::No) == attributes.left_side;
    let conjugated = attributes.transpose_a == Transpose::Adjoint;
    let lower = attributes.lower != transposed;
    let columns = shape[rank - 2] * shape[rank - 1] / size.max(1);
    let (mut a, mut b) = (a, b);
    if transposed {
        a.swap_axes(rank - 2, rank - 1);
    }
    if !attributes.left_side {
        b.swap_axes(rank - 2, rank - 1);
    }
    let a = elements(&a);
    let mut x = row_major(b.to_owned());
    if let Some(x) = x.as_slice_mut() {
        let matrices = a.chunks_exact((size * size).max(1)).zip(x.chunks_exact_mut((size * columns).max(1)));
        for (a, x) in matrices {
            let coefficient = |row: usize, column: usize| {
                let value = a[row * size + column];
                if conjugated { value.conjugate() } else { value }
            };
            for step in 0..size {
                let row = if lower { step } else { size - 1 - step };
                for earlier in 0..step {
                    let other = if lower { earlier } else { size - 1 - earlier };
                    let factor = coefficient(row, other);
                    for column in 0..columns {
                        let product = factor.mul(x[other * columns + column]);
                        x[row * columns + column] = x[row * columns + column].sub(product);
                    }
                }
                if !attributes.unit_diagonal {
                    let diagonal = coefficient(row, row);
                    for value in &mut x[row * columns..(row + 1) * columns] {
                        *value = value.div(diagonal);
                    }
                }
            }
        }
    }
    if !attributes.left_side {
        x.swap_axes(rank - 2, rank - 1);
    }
    Ok(row_major(x))
}

/// The size of the square matrices in the last two dimensions.
pub fn square(operation: &'static str, shape: &[usize]) -> Result<usize, Refused> {
    volume(operation, shape)?;
    match shape {
        [.., rows, columns] if rows == columns => Ok(*rows),
        _ => Err(Refused { operation, reason: format!("{shape:?} has no square matrices") }),
    }
}
