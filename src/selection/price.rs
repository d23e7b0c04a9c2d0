//! Price's equation: how much of a change was selection, and how much was transmission.
//!
//! `change of mean z = Cov(w, z) / mean w + E[w dz] / mean w` (Price 1970). The first term is selection: plans stayed as they
//! were, and other ones are taken. The second is transmission: the plans themselves were changed. This is the split between
//! the indirect and the direct route: while beliefs are fixed, the second term is exactly 0.

use super::error::{SelectionError, distribution, numbers};
use super::{covariance, mean};

/// A change of a mean, in its two parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceSplit {
    /// What came of taking other plans: `Cov(w, z) / mean w`.
    pub selection: f64,
    /// What came of changing plans: `E[w (z_after - z_before)] / mean w`. Exactly 0 if none was changed.
    pub transmission: f64,
}

impl PriceSplit {
    /// The whole change of the mean.
    pub fn total(&self) -> f64 {
        self.selection + self.transmission
    }
}

/// Splits the change of the mean of a trait.
///
/// `shares` are those before; `fitness` is by which factor the share of each plan grew, up to a common one; `before` and
/// `after` are the trait of each plan.
///
/// # Errors
/// Shares that are no distribution, lists that do not fit or are not finite, a fitness below 0, or all of them 0.
pub fn price_split(
    shares: &[f64],
    fitness: &[f64],
    before: &[f64],
    after: &[f64],
) -> Result<PriceSplit, SelectionError> {
    distribution("the shares", shares)?;
    numbers("the fitnesses", fitness, shares.len())?;
    numbers("the trait before", before, shares.len())?;
    numbers("the trait after", after, shares.len())?;
    fitness.iter().try_for_each(|&w| super::error::not_negative("a fitness", w))?;
    let mean_fitness = mean(shares, fitness);
    super::error::positive("the mean fitness", mean_fitness)?;
    let changes = shares.iter().zip(fitness).zip(before.iter().zip(after));
    let transmitted: f64 = changes.map(|((share, w), (before, after))| share * w * (after - before)).sum();
    Ok(PriceSplit {
        selection: covariance(shares, fitness, before)? / mean_fitness,
        transmission: transmitted / mean_fitness,
    })
}
