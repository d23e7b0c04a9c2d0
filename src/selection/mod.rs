//! Floor 1: what selection leaks, and how fast. The indirect route in exact laws.
//!
//! The direct loop can be open and the probe can still lose: a plan that evades the probe by chance earns more, and policy
//! gradient repeats it. No parameter of the beliefs is touched, so no analysis of a training step sees it; how fast it goes
//! is arithmetic, and the arithmetic is here.
//!
//! | question | where |
//! |---|---|
//! | how do the shares of plans move in expectation? | [`replicator`], [`softmax`], [`grpo`] |
//! | how far do they go under a KL penalty? | [`kl`] |
//! | what if a plan is not there at first? | [`mutation`], [`kernel`] |
//! | what becomes of the probe's recall? | [`recall`] |
//! | how much was selected, how much was changed? | [`price`] |
//! | how many bits can a choice carry? | [`bits`] |
//! | when is a rare plan first seen? | [`sampling`] |
//! | all of it, for one evading plan beside an honest one | [`race`] |
//!
//! **Words.** A *plan* is one way to act, known by its number. Its *share* is the probability that the policy takes it. A
//! *prior* is a share before training. Rewards have any unit, the *rate* (step size) the inverse one, so that
//! `rate * reward` is a plain number: a change of a logit in one update. *Time* is the rate times the number of updates.
//!
//! **Invariants.** Numbers in, numbers out: nothing here knows of graphs, files or other modules. Lists are plain slices.
//! What is no probability, no number, or of the wrong length is a [`SelectionError`], never a panic. A share of exactly 0
//! stays exactly 0 wherever plans are told apart by nothing but their number. The same seed gives the same run.

pub mod bits;
mod error;
pub mod grpo;
pub mod kernel;
pub mod kl;
pub mod mutation;
mod ode;
pub mod price;
pub mod race;
mod random;
pub mod recall;
pub mod replicator;
pub mod sampling;
pub mod softmax;

pub use error::SelectionError;
pub use random::Random;

/// The mean of a trait over plans: `sum_a share_a trait_a`.
fn mean(shares: &[f64], values: &[f64]) -> f64 {
    // A plan that is not there has no say, whatever its value.
    shares.iter().zip(values).filter(|(share, _)| **share > 0.0).map(|(share, value)| share * value).sum()
}

/// The covariance of two traits over plans, `sum_a share_a (x_a - mean x) (y_a - mean y)`.
///
/// With `y = x` it is the variance. It is the speed of the mean of `y` under the replicator when `x` is the reward (Price).
///
/// # Errors
/// Lists that are empty, of different lengths, not finite, or shares that are no distribution.
pub fn covariance(shares: &[f64], x: &[f64], y: &[f64]) -> Result<f64, SelectionError> {
    error::distribution("the shares", shares)?;
    error::numbers("the first trait", x, shares.len())?;
    error::numbers("the second trait", y, shares.len())?;
    let (mean_x, mean_y) = (mean(shares, x), mean(shares, y));
    Ok(shares.iter().zip(x.iter().zip(y)).map(|(share, (x, y))| share * (x - mean_x) * (y - mean_y)).sum())
}
