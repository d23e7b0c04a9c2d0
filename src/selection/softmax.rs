//! Plain policy gradient on logits.
//!
//! `theta_a' = pi_a (r_a - mean r)`, so `pi_a' = pi_a [pi_a A_a - sum_b pi_b^2 A_b]` with `A_a = r_a - mean r`. It is *not*
//! the replicator (Bernasconi-de-Luca et al., NeurIPS 2021): a plan with share `p` is pushed in proportion to `p` twice, so
//! that a rare plan takes `1 / (2 gap prior)` units of time, where the replicator takes `ln(1/prior) / gap`.

use super::error::{SelectionError, finite, inner_probability, not_negative, numbers};
use super::ode::integrate;
use super::replicator::{arrival, logit};

/// The shares at these logits, `e^theta_a / Z`. A logit of minus infinity is a plan that is not there: a share of exactly 0.
///
/// # Errors
/// No logits, one that is NaN or plus infinity, or none that is above minus infinity.
pub fn softmax(logits: &[f64]) -> Result<Vec<f64>, SelectionError> {
    if logits.is_empty() {
        return Err(SelectionError::Empty { what: "the logits" });
    }
    let range =
        |found| SelectionError::Range { what: "a logit", found, expected: "a finite number, or minus infinity" };
    if let Some(&found) = logits.iter().find(|logit| logit.is_nan() || **logit == f64::INFINITY) {
        return Err(range(found));
    }
    if logits.iter().all(|&logit| logit == f64::NEG_INFINITY) {
        return Err(range(f64::NEG_INFINITY));
    }
    let mut shares = logits.to_vec();
    softmax_in_place(&mut shares);
    Ok(shares)
}

/// Logits become shares.
pub(super) fn softmax_in_place(logits: &mut [f64]) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - largest).exp();
        total += *logit;
    }
    let scale = 1.0 / total;
    for share in logits {
        *share *= scale;
    }
}

/// One update of exact policy gradient in place, `theta_a <- theta_a + rate pi_a (r_a - mean r)`. No allocation.
///
/// `shares` is room for as many numbers as there are plans; afterwards it holds the shares before the update. Lists that
/// do not fit are cut to the shortest. A logit of minus infinity stays it.
pub fn policy_gradient_step(logits: &mut [f64], shares: &mut [f64], rewards: &[f64], rate: f64) {
    let count = logits.len().min(shares.len()).min(rewards.len());
    let (logits, shares, rewards) = (&mut logits[..count], &mut shares[..count], &rewards[..count]);
    shares.copy_from_slice(logits);
    softmax_in_place(shares);
    let mean: f64 = shares.iter().zip(rewards).map(|(share, reward)| share * reward).sum();
    for (logit, (share, reward)) in logits.iter_mut().zip(shares.iter().zip(rewards)) {
        *logit += rate * share * (reward - mean);
    }
}

/// The logits after some time of policy gradient with small steps: the solution of `theta_a' = pi_a (r_a - mean r)`.
///
/// `time` is rate times updates. Good to about ten digits.
///
/// # Errors
/// Logits or rewards that are empty, do not fit or are not finite; a time below 0; times and rewards so large that the
/// equation is not solved in a bounded number of steps.
pub fn policy_gradient(logits: &[f64], rewards: &[f64], time: f64) -> Result<Vec<f64>, SelectionError> {
    numbers("the logits", logits, logits.len())?;
    numbers("the rewards", rewards, logits.len())?;
    not_negative("the time", time)?;
    let mut state = logits.to_vec();
    integrate(&mut state, 0.0, time, |_, logits, rate| {
        rate.copy_from_slice(logits);
        softmax_in_place(rate);
        let mean: f64 = rate.iter().zip(rewards).map(|(share, reward)| share * reward).sum();
        for (share, reward) in rate.iter_mut().zip(rewards) {
            *share *= reward - mean;
        }
    })?;
    Ok(state)
}

/// How a policy over two plans is written down. It decides how fast policy gradient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parametrisation {
    /// A logit for each plan: `p' = 2 p^2 (1-p)^2 gap`.
    TwoLogits,
    /// One logit and a sigmoid: `p' = p^2 (1-p)^2 gap`.
    OneLogit,
}

impl Parametrisation {
    /// How often the gap moves the log odds.
    fn factor(self) -> f64 {
        match self {
            Parametrisation::TwoLogits => 2.0,
            Parametrisation::OneLogit => 1.0,
        }
    }
}

/// The integral of `1 / (p^2 (1-p)^2)`: `F(p) = (2p-1) / (p(1-p)) + 2 ln(p/(1-p))`.
pub fn policy_gradient_integral(share: f64) -> f64 {
    (2.0 * share - 1.0) / (share * (1.0 - share)) + 2.0 * logit(share)
}

/// The time in which policy gradient takes a plan from one share to another, beside one other plan:
/// `(F(to) - F(from)) / (2 gap)` with two logits, `/ gap` with one. Infinite, if the plan does not go there.
///
/// # Errors
/// Shares that are not between 0 and 1, a gap that is not finite.
pub fn policy_gradient_time(
    from: f64,
    to: f64,
    gap: f64,
    parametrisation: Parametrisation,
) -> Result<f64, SelectionError> {
    inner_probability("the first share", from)?;
    inner_probability("the second share", to)?;
    finite("the gap", gap)?;
    let way = policy_gradient_integral(to) - policy_gradient_integral(from);
    Ok(arrival(way / (parametrisation.factor() * gap)))
}
