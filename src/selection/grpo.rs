//! Group-relative advantages (GRPO; Shao et al., DeepSeekMath, arXiv:2402.03300).
//!
//! A group of `G` samples, each reward less the group's mean, over the group's standard deviation (that of the whole
//! group, not of a sample: with one success in `G` its advantage is `sqrt(G-1)`). The unit of the reward drops out: a plan
//! that earns a billionth more is pushed as hard as one that earns twice as much. In a group whose rewards are all equal the
//! quotient is 0/0; it is guarded, and gives no step.

use super::error::{SelectionError, numbers};

/// The advantages of a group, in place of its rewards. All 0 where all rewards are equal (the 0/0 guard).
///
/// The standard deviation is that of the population, and no epsilon is added.
///
/// # Errors
/// An empty group, or a reward that is not finite.
pub fn group_advantages(rewards: &mut [f64]) -> Result<(), SelectionError> {
    numbers("the rewards", rewards, rewards.len())?;
    let (low, high) =
        rewards.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    if low == high {
        // Not left to rounding: the mean of equal numbers need not be that number.
        rewards.fill(0.0);
        return Ok(());
    }
    // Advantages have no unit, so the range may be 1, and no square overflows or underflows; nor does the range, in halves.
    let half = if (high - low).is_finite() { 1.0 } else { 0.5 };
    let range = high * half - low * half;
    for reward in rewards.iter_mut() {
        *reward = (*reward * half - low * half) / range;
    }
    let count = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / count;
    let variance = rewards.iter().map(|reward| (reward - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    for reward in rewards {
        *reward = (*reward - mean) / deviation;
    }
    Ok(())
}

/// How far apart one group of `group` samples pushes the logits of two plans, if `seen` of them are the better plan:
/// `2 sqrt(seen (group - seen)) / group`. 0 where all are equal.
pub fn group_push(seen: u32, group: u32) -> f64 {
    let (seen, rest) = (f64::from(seen), f64::from(group.saturating_sub(seen)));
    2.0 * (seen * rest).sqrt() / f64::from(group.max(1))
}

/// The mean of [`group_push`] where the better plan has this share: `2 E sqrt(k (G-k)) / G`, with `k` binomial.
///
/// Where the share `p` is small it is nearly `2 p sqrt(G-1)`: larger groups find a rare plan faster in two ways, more
/// samples and a larger advantage. Takes `log_choose` of [`log_binomials`], so that nothing is computed twice.
pub(super) fn mean_group_push(log_odds: f64, log_choose: &[f64]) -> f64 {
    // Symmetric in the two plans; the smaller share keeps its digits.
    let rare = super::replicator::sigmoid(-log_odds.abs());
    let (log_rare, log_rest) = (rare.ln(), (-rare).ln_1p());
    let group = log_choose.len() - 1;
    let size = group as f64;
    let mut mean = 0.0;
    for (seen, log_choose) in log_choose.iter().enumerate().take(group).skip(1) {
        let (k, rest) = (seen as f64, (group - seen) as f64);
        let term = (log_choose + k * log_rare + rest * log_rest).exp() * (k * rest).sqrt();
        mean += term;
        // Beyond twice the mean count terms fall by a factor each: what is left is less than a rounding error.
        if k > 2.0 * rare * size && term < 1e-18 * mean {
            break;
        }
    }
    2.0 * mean / size
}

/// The logarithms of the binomial coefficients of a group, `ln C(G, k)` for `k` from 0 to `G`.
pub(super) fn log_binomials(group: u32) -> Vec<f64> {
    let mut list = Vec::with_capacity(group as usize + 1);
    let mut logarithm = 0.0;
    list.push(0.0);
    for k in 1..=group {
        logarithm += (f64::from(group - k + 1) / f64::from(k)).ln();
        list.push(logarithm);
    }
    list
}
