//! When a rare plan is first seen.
//!
//! Selection works on what is sampled. A plan with share `p` is among `n` samples with probability `1 - (1-p)^n`; the
//! number of samples until then is geometric. Before, nothing pushes it: whatever the law says in the mean, a single run
//! waits.

use super::error::{SelectionError, inner_probability, positive, probability};

/// The probability that a plan is among so many samples, `1 - (1-p)^n`. No digits are lost for small `p`.
///
/// # Errors
/// A share that is no probability, a number of samples that is not above 0.
pub fn probability_seen(share: f64, samples: f64) -> Result<f64, SelectionError> {
    probability("the share", share)?;
    positive("the number of samples", samples)?;
    Ok(-(samples * (-share).ln_1p()).exp_m1())
}

/// So many samples until a plan has been seen with this probability: the smallest whole `n` with `1 - (1-p)^n` of at least
/// it. Infinite for a share of 0 only.
///
/// # Errors
/// A share that is no probability, a confidence that is not between 0 and 1.
pub fn samples_until_seen(share: f64, confidence: f64) -> Result<f64, SelectionError> {
    probability("the share", share)?;
    inner_probability("the confidence", confidence)?;
    if share == 0.0 {
        return Ok(f64::INFINITY);
    }
    let samples = (-confidence).ln_1p() / (-share).ln_1p();
    // Where the quotient is a whole number but for rounding, it is that number.
    let nearest = samples.round();
    let samples = if (samples - nearest).abs() <= 1e-12 * nearest { nearest } else { samples.ceil() };
    Ok(samples.clamp(1.0, f64::MAX))
}

/// The largest share that stays unseen in so many samples with at least this probability, `1 - confidence^(1/n)`. Whatever is
/// smaller stays unseen more surely.
///
/// # Errors
/// A number of samples that is not above 0, a confidence that is not between 0 and 1.
pub fn largest_unseen_share(samples: f64, confidence: f64) -> Result<f64, SelectionError> {
    positive("the number of samples", samples)?;
    inner_probability("the confidence", confidence)?;
    Ok(-(confidence.ln() / samples).exp_m1())
}
