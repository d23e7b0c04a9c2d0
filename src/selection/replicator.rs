//! The replicator: natural policy gradient, exponential weights, NeuRD.
//!
//! `share_a' = share_a (reward_a - mean reward)`, so `share_a(t) = share_a(0) e^(reward_a t) / Z`. With small steps it is
//! what natural gradient does to a tabular policy (Hennes et al., NeuRD, arXiv:1906.00190). A rare plan is found in
//! `ln(1/prior) / gap` units of time. Plain policy gradient is *not* this: see [`super::softmax`].

use super::error::{SelectionError, distribution, finite, inner_probability, not_negative, numbers};

/// The log odds of a share, `ln p/(1-p)`.
pub fn logit(share: f64) -> f64 {
    share.ln() - (-share).ln_1p()
}

/// The share at given log odds, `1 / (1 + e^-z)`; no digits are lost near 0.
pub fn sigmoid(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + (-log_odds).exp())
    } else {
        let odds = log_odds.exp();
        odds / (1.0 + odds)
    }
}

/// The shares after some time, in closed form: `prior_a e^(reward_a t) / Z`.
///
/// `time` is rate times updates. A prior of exactly 0 stays exactly 0.
///
/// # Errors
/// A prior that is no distribution, rewards that are not finite or too few, a time below 0.
pub fn replicator(prior: &[f64], rewards: &[f64], time: f64) -> Result<Vec<f64>, SelectionError> {
    distribution("the priors", prior)?;
    numbers("the rewards", rewards, prior.len())?;
    not_negative("the time", time)?;
    // Relative to the best plan that is there, products may go to minus infinity, which is a share of 0, and no higher.
    let largest = largest_present(prior, rewards, true);
    let relative: Vec<f64> = rewards.iter().map(|reward| (reward - largest).clamp(f64::MIN, 0.0)).collect();
    let mut weights = LogWeights::new(prior)?;
    weights.step(&relative, time);
    Ok(weights.shares())
}

/// The time in which the better of two plans goes from one share to another, `(logit to - logit from) / gap`.
///
/// `gap` is the reward of that plan less that of the other. Infinite, if the plan does not go there.
///
/// # Errors
/// Shares that are not between 0 and 1, a gap that is not finite.
pub fn replicator_time(from: f64, to: f64, gap: f64) -> Result<f64, SelectionError> {
    inner_probability("the first share", from)?;
    inner_probability("the second share", to)?;
    finite("the gap", gap)?;
    Ok(arrival((logit(to) - logit(from)) / gap))
}

/// A time that is in the past, or no number, is never.
pub(super) fn arrival(time: f64) -> f64 {
    if time >= 0.0 { time } else { f64::INFINITY }
}

/// Discrete exponential weights, `share_a <- share_a e^(rate reward_a) / Z`, for any number of updates.
///
/// Held as logarithms, so that nothing overflows, and what becomes very rare is not lost and may come back. A share of
/// exactly 0 is minus infinity, and stays it.
#[derive(Clone, Debug, PartialEq)]
pub struct LogWeights {
    logarithms: Vec<f64>,
}

impl LogWeights {
    /// Begins at these shares.
    ///
    /// # Errors
    /// Shares that are no distribution.
    pub fn new(prior: &[f64]) -> Result<Self, SelectionError> {
        distribution("the priors", prior)?;
        Ok(LogWeights { logarithms: prior.iter().map(|share| share.ln()).collect() })
    }

    /// One update. No allocation, no exponential. Where there are more plans than rewards, the rest earns nothing. A sum of
    /// `rate * reward` that is not finite is for the caller to avoid.
    pub fn step(&mut self, rewards: &[f64], rate: f64) {
        for (logarithm, reward) in self.logarithms.iter_mut().zip(rewards) {
            // Minus infinity stays it: a finite number is added.
            *logarithm += rate * reward;
        }
    }

    /// The shares now.
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = self.logarithms.clone();
        super::softmax::softmax_in_place(&mut shares);
        shares
    }
}

/// One update of exponential weights in place, `share_a <- share_a e^(rate reward_a) / Z`. No allocation.
///
/// Exact for every step size. Shares that sum to 1 sum to 1 afterwards, and a share of 0 stays 0. Lists that do not fit are
/// cut to the shorter one; a `rate * reward` that is not finite is for the caller to avoid. [`LogWeights`] keeps what
/// would underflow here.
pub fn exponential_weights_step(shares: &mut [f64], rewards: &[f64], rate: f64) {
    // Rewards are taken relative to the largest, so that no exponential overflows.
    let largest = rate * largest_present(shares, rewards, rate >= 0.0);
    let mut total = 0.0;
    for (share, reward) in shares.iter_mut().zip(rewards) {
        if *share > 0.0 {
            *share *= (rate * reward - largest).exp();
            total += *share;
        }
    }
    let scale = 1.0 / total;
    if scale.is_finite() {
        for share in shares {
            *share *= scale;
        }
    }
}

/// The largest reward of a plan that is there, or the smallest.
fn largest_present(shares: &[f64], rewards: &[f64], is_largest: bool) -> f64 {
    let present = shares.iter().zip(rewards).filter(|(share, _)| **share > 0.0).map(|(_, reward)| *reward);
    if is_largest { present.fold(f64::NEG_INFINITY, f64::max) } else { present.fold(f64::INFINITY, f64::min) }
}
