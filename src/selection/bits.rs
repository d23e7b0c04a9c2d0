//! How many bits a choice can carry.
//!
//! A metric that picks a checkpoint writes into *all* parameters, beliefs too, but not more than the choice has room for.
//! These are upper bounds on what the choice tells, whatever the parameters are: a choice among `K` has `log2 K` bits.

use super::error::{SelectionError, distribution, probability};

fn count(what: &'static str, number: u64) -> Result<f64, SelectionError> {
    super::error::positive(what, number as f64)?;
    Ok(number as f64)
}

/// The bits of a choice among `checkpoints`: `log2 K`.
///
/// # Errors
/// No checkpoints.
pub fn checkpoint_bits(checkpoints: u64) -> Result<f64, SelectionError> {
    Ok(count("the number of checkpoints", checkpoints)?.log2())
}

/// The bits of stopping early at one of `steps` steps: `log2 T`.
///
/// # Errors
/// No steps.
pub fn early_stop_bits(steps: u64) -> Result<f64, SelectionError> {
    Ok(count("the number of steps", steps)?.log2())
}

/// The bits of `cuts` reductions of the learning rate at plateaus within `steps` steps: `log2 C(T, k)`.
///
/// # Errors
/// No steps, or more cuts than steps.
pub fn plateau_bits(steps: u64, cuts: u64) -> Result<f64, SelectionError> {
    let steps = count("the number of steps", steps)?;
    let cuts = cuts as f64;
    if cuts > steps {
        let what = "the number of cuts";
        return Err(SelectionError::Range { what, found: cuts, expected: "at most the number of steps" });
    }
    let smaller = cuts.min(steps - cuts);
    // Beyond that Stirling's formula is exact to the last digit but a few, and a sum would take for ever.
    if smaller > 1e6 {
        return Ok(
            (log_factorial(steps) - log_factorial(smaller) - log_factorial(steps - smaller)) / std::f64::consts::LN_2
        );
    }
    Ok((0..smaller as u64).map(|k| ((steps - k as f64) / (k as f64 + 1.0)).log2()).sum())
}

/// `ln n!` for large `n`.
fn log_factorial(n: f64) -> f64 {
    let tail = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + tail
}

/// The most that picking the best of `n` samples moves a policy, in nats: `ln n - (n-1)/n`.
///
/// An upper bound on `KL(best of n || policy)`, reached where no two samples are equal (Beirami et al.,
/// arXiv:2401.01879).
///
/// # Errors
/// No samples.
pub fn best_of_n_kl(n: u64) -> Result<f64, SelectionError> {
    let n = count("the number of samples", n)?;
    Ok(n.ln() - (n - 1.0) / n)
}

/// A row of a channel is a distribution, and all rows are over the same outputs.
fn channel(rows: &[&[f64]], inputs: usize) -> Result<usize, SelectionError> {
    let Some(first) = rows.first() else { return Err(SelectionError::Empty { what: "the rows of the channel" }) };
    if rows.len() != inputs {
        let what = "the rows of the channel";
        return Err(SelectionError::Length { what, found: rows.len(), expected: inputs });
    }
    for row in rows {
        distribution("the entries of a row", row)?;
        super::error::numbers("the entries of a row", row, first.len())?;
    }
    Ok(first.len())
}

/// The most likely secret of each output, summed: `sum_y max_x prior(x) p(y|x)`.
fn right_guesses(prior: &[f64], rows: &[&[f64]], outputs: usize) -> f64 {
    let best = |output: usize| prior.iter().zip(rows).map(|(prior, row)| prior * row[output]).fold(0.0, f64::max);
    (0..outputs).map(best).sum()
}

/// Min-entropy leakage in bits: how much better a guess of the secret becomes by seeing the output,
/// `log2 [sum_y max_x prior(x) p(y|x) / max_x prior(x)]` (Smith 2009). `rows[x][y]` is `p(y|x)`.
///
/// # Errors
/// Priors or rows that are no distributions, or do not fit.
pub fn min_entropy_leakage(prior: &[f64], rows: &[&[f64]]) -> Result<f64, SelectionError> {
    distribution("the priors", prior)?;
    let outputs = channel(rows, prior.len())?;
    let blind = prior.iter().copied().fold(0.0, f64::max);
    Ok((right_guesses(prior, rows, outputs) / blind).log2().max(0.0))
}

/// Min-capacity in bits, `log2 sum_y max_x p(y|x)`: the most that [`min_entropy_leakage`] is for any prior, reached by the
/// uniform one; also a bound on Shannon's capacity. For a deterministic channel, `log2` of the number of outputs.
///
/// # Errors
/// Rows that are no distributions, or do not fit.
pub fn min_capacity(rows: &[&[f64]]) -> Result<f64, SelectionError> {
    let outputs = channel(rows, rows.len())?;
    Ok(right_guesses(&vec![1.0; rows.len()], rows, outputs).log2().max(0.0))
}

/// The bits of one step that is skipped with this probability: its entropy, at most 1.
///
/// # Errors
/// What is no probability.
pub fn skip_bits(skipped: f64) -> Result<f64, SelectionError> {
    probability("the probability of a skip", skipped)?;
    let part = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    Ok(part(skipped) + part(1.0 - skipped))
}
