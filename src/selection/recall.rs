//! What becomes of the probe's recall.
//!
//! Two kinds of bad plans: (A) the probe sees, with score `s_A`, and (B) evades it, with score `s_B`. The task pays both
//! alike, the probe takes `penalty * score`. Recall is `R = share_A / (share_A + share_B)`, and under the replicator its
//! odds fall at the rate `penalty (s_A - s_B)`, whatever the honest plans do. Nothing about the probe has changed.

use super::error::{SelectionError, finite, not_negative, positive, probability};
use super::replicator::{arrival, logit, sigmoid};

/// Recall after some time, `1 / (1 + (1-R)/R e^(rate t))`, where `rate = penalty (s_A - s_B)`.
///
/// `time` is rate of learning times updates. A recall of exactly 1 stays 1: what is not there is not selected.
///
/// # Errors
/// A recall that is no probability, a rate that is not finite, a time below 0.
pub fn recall(start: f64, rate: f64, time: f64) -> Result<f64, SelectionError> {
    probability("the recall", start)?;
    finite("the rate", rate)?;
    not_negative("the time", time)?;
    if start == 0.0 || start == 1.0 {
        return Ok(start);
    }
    Ok(sigmoid(logit(start) - rate * time))
}

/// Recall where training under a KL penalty ends: [`recall`] at time `1 / beta`.
///
/// # Errors
/// As [`recall`]; a `beta` that is not above 0.
pub fn recall_under_kl(start: f64, rate: f64, beta: f64) -> Result<f64, SelectionError> {
    positive("beta", beta)?;
    recall(start, rate, 1.0 / beta)
}

/// The time until recall has fallen to a value, `ln(start odds / end odds) / rate`. Infinite, if it does not fall so far.
///
/// # Errors
/// Recalls that are no probabilities, a rate that is not finite.
pub fn recall_time(start: f64, end: f64, rate: f64) -> Result<f64, SelectionError> {
    probability("the recall", start)?;
    probability("the recall at the end", end)?;
    finite("the rate", rate)?;
    if start <= end {
        return Ok(0.0);
    }
    Ok(arrival((logit(start) - logit(end)) / rate))
}
