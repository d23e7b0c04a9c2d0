//! Chains of plans: exploration that turns one plan into the next.
//!
//! `x' = M^T diag(w) x / Z`: each plan is repeated by its fitness, and a part `mu_k` of what stage `k` makes is of stage
//! `k+1` (replicator-mutator; Eigen's quasispecies). A partial evasion that pays a little is so climbed step by step. A
//! valley, a stage that pays less than what is before it, holds the climb only if nothing behind it pays more: a small share
//! crosses, and grows.

use super::error::{SelectionError, distribution, numbers, positive, probability};

/// Plans in a row, each with its fitness and the part that moves on to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    fitness: Vec<f64>,
    /// One for each stage; 0 for the last.
    moves: Vec<f64>,
}

impl Chain {
    /// A chain. `fitness` is the factor by which a stage is repeated in one step, such as `e^(rate reward)`; `mutation` is
    /// the part that moves on, one for each stage but the last.
    ///
    /// # Errors
    /// No stage, a fitness that is not above 0, a part that is no probability, or lists that do not fit.
    pub fn new(fitness: &[f64], mutation: &[f64]) -> Result<Self, SelectionError> {
        numbers("the fitnesses", fitness, fitness.len())?;
        fitness.iter().try_for_each(|&w| positive("a fitness", w))?;
        mutation.iter().try_for_each(|&mu| probability("a mutation rate", mu))?;
        if mutation.len() + 1 != fitness.len() {
            let (what, found) = ("the mutation rates", mutation.len());
            return Err(SelectionError::Length { what, found, expected: fitness.len() - 1 });
        }
        let moves = mutation.iter().copied().chain([0.0]).collect();
        Ok(Chain { fitness: fitness.to_vec(), moves })
    }

    /// A chain of fitness `e^reward` with the same rate at every stage.
    ///
    /// # Errors
    /// As [`Chain::new`].
    pub fn of_rewards(rewards: &[f64], mutation: f64) -> Result<Self, SelectionError> {
        let fitness: Vec<f64> = rewards.iter().map(|reward| reward.exp()).collect();
        Chain::new(&fitness, &vec![mutation; rewards.len().saturating_sub(1)])
    }

    /// How many stages there are.
    pub fn stages(&self) -> usize {
        self.fitness.len()
    }

    /// What of a stage stays, for each that was there: `(1 - mu_k) w_k`.
    fn kept(&self, stage: usize) -> f64 {
        (1.0 - self.moves[stage]) * self.fitness[stage]
    }

    /// One step in place. No allocation. Lists that do not fit are cut to the shorter one.
    pub fn step(&self, shares: &mut [f64]) {
        let mut arriving = 0.0;
        let mut total = 0.0;
        for (stage, share) in shares.iter_mut().enumerate().take(self.stages()) {
            let made = self.fitness[stage] * *share;
            *share = (1.0 - self.moves[stage]) * made + arriving;
            arriving = self.moves[stage] * made;
            total += *share;
        }
        let scale = 1.0 / total;
        if scale.is_finite() {
            shares.iter_mut().for_each(|share| *share *= scale);
        }
    }

    /// The shares after so many steps. What cannot be reached in so many is exactly 0.
    ///
    /// # Errors
    /// Shares that are no distribution over the stages.
    pub fn after(&self, prior: &[f64], steps: u64) -> Result<Vec<f64>, SelectionError> {
        distribution("the shares", prior)?;
        numbers("the shares", prior, self.stages())?;
        let mut shares = prior.to_vec();
        for _ in 0..steps {
            self.step(&mut shares);
        }
        Ok(shares)
    }

    /// Where a chain ends that begins with all mass at one stage: the Perron vector of what can be reached from there.
    ///
    /// The matrix is bidiagonal, so that it is a product: with `m` the stage that keeps most, `lambda = (1 - mu_m) w_m`, and
    /// behind it `x_(k+1) / x_k = mu_k w_k / (lambda - (1 - mu_(k+1)) w_(k+1))`. Before it all is lost. Of two stages that keep
    /// exactly as much the later one wins, though slowly.
    ///
    /// # Errors
    /// A stage that there is not.
    pub fn equilibrium(&self, start: usize) -> Result<Vec<f64>, SelectionError> {
        if start >= self.stages() {
            let (what, found) = ("the first stage", start as f64);
            return Err(SelectionError::Range { what, found, expected: "a number below the number of stages" });
        }
        let end = (start..self.stages()).find(|&stage| self.moves[stage] == 0.0).unwrap_or(start);
        let mut top = start;
        for stage in start..=end {
            if self.kept(stage) >= self.kept(top) {
                top = stage;
            }
        }
        let mut shares = vec![0.0; self.stages()];
        shares[top] = 1.0;
        for stage in top..end {
            let ratio = self.moves[stage] * self.fitness[stage] / (self.kept(top) - self.kept(stage + 1));
            shares[stage + 1] = shares[stage] * ratio;
        }
        // Relative to the largest first: near a tie ratios are large.
        let largest = shares.iter().copied().fold(0.0, f64::max);
        shares.iter_mut().for_each(|share| *share /= largest);
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        Ok(shares)
    }
}

/// The error threshold: with a larger mutation rate than this, a stage of fitness `first` is lost to the next, though that
/// one is of lower fitness: `1 - next / first`. 0 where the next is fitter anyway.
///
/// Below it, the share of the next stage at the end is `mu first / (first - next)`.
///
/// # Errors
/// A fitness that is not above 0.
pub fn error_threshold(first: f64, next: f64) -> Result<f64, SelectionError> {
    positive("a fitness", first)?;
    positive("a fitness", next)?;
    Ok((1.0 - next / first).max(0.0))
}
