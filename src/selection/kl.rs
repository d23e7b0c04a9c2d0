//! What a KL penalty holds back.
//!
//! The best policy under `E[r] - beta KL(pi || prior)` is `pi_a = prior_a e^(r_a / beta) / Z`: the replicator at time
//! `1 / beta`. So a penalty does not forbid a plan; it says how long selection may run. A plan that earns `gap` more than
//! another ends with the larger share iff `beta < gap / ln(prior of the other / prior of this one)`.
//!
//! Coefficients of penalties that are summed over tokens are not comparable with these: this `beta` is for whole plans.

use super::error::{SelectionError, distribution, finite, inner_probability, numbers, positive};

/// The best policy under a KL penalty, `prior_a e^(r_a / beta) / Z`. A prior of exactly 0 stays exactly 0.
///
/// `beta` has the unit of the rewards.
///
/// # Errors
/// Priors that are no distribution, rewards that do not fit, a `beta` that is not above 0.
pub fn kl_optimum(prior: &[f64], rewards: &[f64], beta: f64) -> Result<Vec<f64>, SelectionError> {
    positive("beta", beta)?;
    super::replicator::replicator(prior, rewards, 1.0 / beta)
}

/// The phase boundary: below this `beta` the plan ends with a larger share than the other, `gap / ln(other / prior)`.
///
/// `gap` is its reward less that of the other. Infinite where it wins under every penalty (it is as likely from the start,
/// and earns more), 0 where under none.
///
/// # Errors
/// Priors that are not between 0 and 1 or sum to more than 1, a gap that is not finite.
pub fn kl_boundary(prior: f64, other: f64, gap: f64) -> Result<f64, SelectionError> {
    inner_probability("the prior", prior)?;
    inner_probability("the prior of the other plan", other)?;
    finite("the gap", gap)?;
    if prior + other > 1.0 + 1e-12 {
        return Err(SelectionError::Sum { what: "the two priors", found: prior + other });
    }
    if gap <= 0.0 {
        return Ok(0.0);
    }
    let way = (other / prior).ln();
    Ok(if way > 0.0 { gap / way } else { f64::INFINITY })
}

/// `KL(p || q)` in nats; infinite where `p` takes a plan that `q` does not.
///
/// # Errors
/// Lists that are no distributions, or do not fit.
pub fn kl_divergence(p: &[f64], q: &[f64]) -> Result<f64, SelectionError> {
    distribution("the shares", p)?;
    distribution("the shares compared with", q)?;
    numbers("the shares compared with", q, p.len())?;
    let of = |(&p, &q): (&f64, &f64)| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    Ok(p.iter().zip(q).map(of).sum::<f64>().max(0.0))
}
