//! The factorizations that JAX calls from LAPACK on a CPU: `getrf`, `geqrf`, `orgqr`, `syevd`.
//!
//! All work on the last two dimensions of a batch.

use ndarray::{ArrayD, ArrayViewD};

use super::factor::square;
use super::position::{assemble, elements, require, volume};
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
    let (rows, columns, shape) = matrices("getrf", &a)?;
    let ranks = rows.min(columns);
    let mut factors = elements(&a).into_owned();
    let (mut pivots, mut info) = (Vec::new(), Vec::new());
    for matrix in factors.chunks_exact_mut((rows * columns).max(1)) {
        let mut singular = 0;
        for step in 0..ranks {
            let size = |row: usize| matrix[row * columns + step].pivot_size();
            let pivot = (step + 1..rows).fold(step, |best, row| if size(row) > size(best) { row } else { best });
            pivots.push(pivot as i32 + 1);
            if size(pivot) == 0.0 {
                if singular == 0 {
                    singular = step as i32 + 1;
                }
                continue;
            }
            for column in 0..columns {
                matrix.swap(step * columns + column, pivot * columns + column);
            }
            let (upper, lower) = matrix.split_at_mut((step + 1) * columns);
            let pivot_row = &upper[step * columns..];
            for row in lower.chunks_exact_mut(columns) {
                let factor = row[step].div(pivot_row[step]);
                row[step] = factor;
                for (value, &above) in row.iter_mut().zip(pivot_row).skip(step + 1) {
                    *value = value.sub(factor.mul(above));
                }
            }
        }
        info.push(singular);
    }
    let batch = &shape[..shape.len() - 2];
    Ok(Lu {
        factors: assemble("getrf", &shape, factors)?,
        pivots: assemble("getrf", &[batch, &[ranks]].concat(), pivots)?,
        info: assemble("getrf", batch, info)?,
    })
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
    let (rows, columns, shape) = matrices("geqrf", &a)?;
    let mut factors = elements(&a).into_owned();
    let mut taus = Vec::new();
    for matrix in factors.chunks_exact_mut((rows * columns).max(1)) {
        for step in 0..rows.min(columns) {
            let (tau, diagonal) = reflector(matrix, step, rows, columns);
            taus.push(tau);
            matrix[step * columns + step] = diagonal;
            reflect(matrix, (rows, columns), step, step + 1, tau.conjugate());
        }
    }
    let taus_shape = [&shape[..shape.len() - 2], &[rows.min(columns)]].concat();
    Ok(Qr { factors: assemble("geqrf", &shape, factors)?, taus: assemble("geqrf", &taus_shape, taus)? })
}

/// `orgqr` and `ungqr`: the first columns of the product of the reflections in the columns of `factors`.
pub fn householder_product<T: Field>(
    factors: ArrayViewD<'_, T>,
    taus: ArrayViewD<'_, T>,
) -> Result<ArrayD<T>, Refused> {
    let (rows, columns, shape) = matrices("orgqr", &factors)?;
    let reflections = taus.shape().last().copied().unwrap_or(0);
    let fits = taus.ndim() + 1 == shape.len()
        && taus.shape()[..taus.ndim() - 1] == shape[..shape.len() - 2]
        && reflections <= columns
        && columns <= rows;
    require(fits, "orgqr", || format!("{:?} reflections do not fit {shape:?}", taus.shape()))?;
    let (mut q, taus) = (elements(&factors).into_owned(), elements(&taus));
    for (at, matrix) in q.chunks_exact_mut((rows * columns).max(1)).enumerate() {
        for column in reflections..columns {
            for row in 0..rows {
                matrix[row * columns + column] = if row == column { T::one() } else { T::zero() };
            }
        }
        // From the last to the first: each column becomes its own reflection of a unit vector when all later ones are done.
        for step in (0..reflections).rev() {
            let tau = taus[at * reflections + step];
            reflect(matrix, (rows, columns), step, step + 1, tau);
            for row in 0..rows {
                let value = &mut matrix[row * columns + step];
                *value = match row.cmp(&step) {
                    std::cmp::Ordering::Less => T::zero(),
                    std::cmp::Ordering::Equal => T::one().sub(tau),
                    std::cmp::Ordering::Greater => T::zero().sub(tau.mul(*value)),
                };
            }
        }
    }
    assemble("orgqr", &shape, q)
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
///
/// By Jacobi rotations in f64. They skip what is zero already and so would lose derivatives: only plain floats are let in.
pub fn symmetric_eigen<T: Real + Into<f64>>(a: ArrayViewD<'_, T>, lower: bool) -> Result<Eigen<T>, Refused> {
    let size = square("syevd", a.shape())?;
    let shape = a.shape().to_vec();
    let (mut values, mut vectors) = (Vec::new(), Vec::with_capacity(volume("syevd", &shape)?));
    for matrix in elements(&a).chunks_exact((size * size).max(1)) {
        let full: Vec<f64> = (0..size * size)
            .map(|at| {
                let (row, column) = (at / size, at % size);
                let stored = (row >= column) == lower || row == column;
                matrix[if stored { at } else { column * size + row }].into()
            })
            .collect();
        let (diagonal, rotations) = jacobi(full, size);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&a, &b| diagonal[a].total_cmp(&diagonal[b]));
        values.extend(order.iter().map(|&at| T::from_f64(diagonal[at])));
        for row in 0..size {
            vectors.extend(order.iter().map(|&column| T::from_f64(rotations[row * size + column])));
        }
    }
    let values = assemble("syevd", &shape[..shape.len() - 1], values)?;
    Ok(Eigen { values, vectors: assemble("syevd", &shape, vectors)? })
}

/// Rows, columns and whole shape of a batch of matrices.
fn matrices<T>(operation: &'static str, a: &ArrayViewD<'_, T>) -> Result<(usize, usize, Vec<usize>), Refused> {
    volume(operation, a.shape())?;
    match a.shape() {
        [batch @ .., rows, columns] => {
            let matrices: usize = batch.iter().product();
            require(matrices == 0 || rows * columns > 0, operation, || format!("empty matrices {:?}", a.shape()))?;
            Ok((*rows, *columns, a.shape().to_vec()))
        }
        _ => Err(Refused { operation, reason: format!("{:?} has no matrices", a.shape()) }),
    }
}

/// Makes column `step` below the diagonal a Householder vector: its scale, and what the diagonal becomes (`larfg`).
fn reflector<T: Field>(matrix: &mut [T], step: usize, rows: usize, columns: usize) -> (T, T) {
    let alpha = matrix[step * columns + step];
    let below = (step + 1..rows).map(|row| matrix[row * columns + step]);
    // Scaled by the largest part, so that squares neither overflow nor vanish.
    let largest = below.clone().map(T::pivot_size).fold(0.0, f64::max);
    if largest == 0.0 && alpha.sub(alpha.real_part()).pivot_size() == 0.0 {
        return (T::zero(), alpha);
    }
    let scale = T::from_f64(largest.max(alpha.pivot_size()));
    let squares = std::iter::once(alpha).chain(below).map(|value| {
        let scaled = value.div(scale);
        scaled.mul(scaled.conjugate()).real_part()
    });
    let length = squares.fold(T::zero(), T::add).square_root().mul(scale);
    let diagonal = if alpha.real_value().is_sign_negative() { length } else { T::zero().sub(length) };
    let tau = diagonal.sub(alpha).div(diagonal);
    let divisor = alpha.sub(diagonal);
    for row in step + 1..rows {
        let value = &mut matrix[row * columns + step];
        *value = value.div(divisor);
    }
    (tau, diagonal)
}

/// Applies `1 - tau v v*` from the left to the columns from `first` on, where `v` is below the diagonal of column `step`.
fn reflect<T: Field>(matrix: &mut [T], (rows, columns): (usize, usize), step: usize, first: usize, tau: T) {
    for column in first..columns {
        let mut product = matrix[step * columns + column];
        for row in step + 1..rows {
            product = product.add(matrix[row * columns + step].conjugate().mul(matrix[row * columns + column]));
        }
        let change = tau.mul(product);
        let top = &mut matrix[step * columns + column];
        *top = top.sub(change);
        for row in step + 1..rows {
            let changed = matrix[row * columns + column].sub(matrix[row * columns + step].mul(change));
            matrix[row * columns + column] = changed;
        }
    }
}

/// More sweeps than any matrix needs; where there is NaN, they would never end.
const MOST_SWEEPS: usize = 64;

/// The diagonal of the rotated matrix, and the rotations.
fn jacobi(mut matrix: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut rotations: Vec<f64> = (0..size * size).map(|at| if at / size == at % size { 1.0 } else { 0.0 }).collect();
    for _ in 0..MOST_SWEEPS {
        let mut rotated = false;
        for p in 0..size {
            for q in p + 1..size {
                let off = matrix[p * size + q];
                let (first, second) = (matrix[p * size + p], matrix[q * size + q]);
                // Too small to change either end of the diagonal.
                if off == 0.0 || off.abs() <= f64::EPSILON * 0.125 * first.abs().min(second.abs()) {
                    continue;
                }
                rotated = true;
                let theta = (second - first) / (2.0 * off);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for k in 0..size {
                    let (left, right) = (matrix[k * size + p], matrix[k * size + q]);
                    matrix[k * size + p] = cosine * left - sine * right;
                    matrix[k * size + q] = sine * left + cosine * right;
                    let (left, right) = (rotations[k * size + p], rotations[k * size + q]);
                    rotations[k * size + p] = cosine * left - sine * right;
                    rotations[k * size + q] = sine * left + cosine * right;
                }
                for k in 0..size {
                    let (left, right) = (matrix[p * size + k], matrix[q * size + k]);
                    matrix[p * size + k] = cosine * left - sine * right;
                    matrix[q * size + k] = sine * left + cosine * right;
                }
                (matrix[p * size + q], matrix[q * size + p]) = (0.0, 0.0);
            }
        }
        if !rotated {
            break;
        }
    }
    ((0..size).map(|at| matrix[at * size + at]).collect(), rotations)
}
