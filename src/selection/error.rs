//! Why a question has no answer, and the checks that find out.

use thiserror::Error;

/// How far a sum of shares may be from 1: rounding, and no more.
const SUM_TOLERANCE: f64 = 1e-9;

/// Why a question about selection has no answer.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SelectionError {
    /// A list has nothing in it.
    #[error("{what} are empty")]
    Empty {
        /// The list.
        what: &'static str,
    },
    /// Two lists do not fit.
    #[error("{what} are {found}, expected {expected}: one for each plan")]
    Length {
        /// The list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// What it should be.
        expected: usize,
    },
    /// A number is out of its range, or no number at all.
    #[error("{what}: found {found}, expected {expected}")]
    Range {
        /// What the number means.
        what: &'static str,
        /// The number.
        found: f64,
        /// The range, in words.
        expected: &'static str,
    },
    /// Shares that are no distribution.
    #[error("{what} sum to {found}, expected 1")]
    Sum {
        /// The list.
        what: &'static str,
        /// Its sum.
        found: f64,
    },
    /// The integrator gave up: the numbers are too far apart for it.
    #[error("the equation could not be solved in {steps} steps")]
    Steps {
        /// How many steps were made.
        steps: usize,
    },
}

type Checked = Result<(), SelectionError>;

fn range(what: &'static str, found: f64, fits: bool, expected: &'static str) -> Checked {
    if fits { Ok(()) } else { Err(SelectionError::Range { what, found, expected }) }
}

/// From 0 to 1, both included.
pub(super) fn probability(what: &'static str, found: f64) -> Checked {
    range(what, found, (0.0..=1.0).contains(&found), "a number from 0 to 1")
}

/// Between 0 and 1, neither included.
pub(super) fn inner_probability(what: &'static str, found: f64) -> Checked {
    range(what, found, found > 0.0 && found < 1.0, "a number above 0 and below 1")
}

pub(super) fn finite(what: &'static str, found: f64) -> Checked {
    range(what, found, found.is_finite(), "a finite number")
}

pub(super) fn positive(what: &'static str, found: f64) -> Checked {
    range(what, found, found.is_finite() && found > 0.0, "a finite number above 0")
}

pub(super) fn not_negative(what: &'static str, found: f64) -> Checked {
    range(what, found, found.is_finite() && found >= 0.0, "a finite number, 0 or more")
}

/// Finite numbers, one for each plan.
pub(super) fn numbers(what: &'static str, list: &[f64], length: usize) -> Checked {
    if list.is_empty() {
        return Err(SelectionError::Empty { what });
    }
    if list.len() != length {
        return Err(SelectionError::Length { what, found: list.len(), expected: length });
    }
    list.iter().try_for_each(|&number| finite(what, number))
}

/// Probabilities that sum to 1.
pub(super) fn distribution(what: &'static str, shares: &[f64]) -> Checked {
    if shares.is_empty() {
        return Err(SelectionError::Empty { what });
    }
    shares.iter().try_for_each(|&share| probability(what, share))?;
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE { Err(SelectionError::Sum { what, found: sum }) } else { Ok(()) }
}
