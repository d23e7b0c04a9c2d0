//! Single runs of a race: groups are drawn.

use super::{Law, Race, Setting};
use crate::selection::replicator::{logit, sigmoid};
use crate::selection::{Random, SelectionError};

/// Between two groups that push, a penalty moves the log odds by at most so much in one piece.
const PIECE: f64 = 1e-3;
/// Beyond this exponent the probability of a group of one kind is not worth a number.
const SMALLEST_EXPONENT: f64 = -600.0;

/// What one run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The update whose group was the first with the evading plan in it; infinite if there was none.
    pub first_seen: f64,
    /// For each share that was asked for, the update after which it was held; infinite if it was not.
    pub arrivals: Vec<f64>,
    /// How often the log odds were moved.
    pub pushes: u64,
    /// Whether the plan was lost for good: it is so rare that no number says how rare, and nobody samples it again.
    pub is_gone: bool,
}

impl Race {
    /// One run until the last of these shares is held, or the log odds were moved so often. Shares in rising order.
    ///
    /// With a group, the samples of each update are drawn. Groups in which all plans are alike give no push, so they are
    /// not drawn one by one: their number is geometric. (GRPO's penalty works in them too; it is applied in pieces of at most
    /// a thousandth of the log odds.) Without a group the exact gradient is applied, update by update.
    ///
    /// # Errors
    /// A share that is not between 0 and 1.
    pub fn run(&self, shares: &[f64], seed: u64, number: u64, most_pushes: u64) -> Result<Run, SelectionError> {
        for &share in shares {
            crate::selection::error::inner_probability("the share", share)?;
        }
        let targets: Vec<f64> = shares.iter().map(|&share| logit(share)).collect();
        let mut state = State {
            race: self,
            targets: &targets,
            log_odds: self.start,
            updates: 0.0,
            run: Run {
                first_seen: f64::INFINITY,
                arrivals: Vec::with_capacity(shares.len()),
                pushes: 0,
                is_gone: false,
            },
        };
        state.note_arrivals();
        match self.setting.group {
            None => state.exact(most_pushes),
            Some(group) => state.sampled(group, most_pushes, &mut Random::new(seed, number)),
        }
        state.run.arrivals.resize(shares.len(), f64::INFINITY);
        Ok(state.run)
    }
}

struct State<'r> {
    race: &'r Race,
    targets: &'r [f64],
    log_odds: f64,
    updates: f64,
    run: Run,
}

impl State<'_> {
    fn note_arrivals(&mut self) {
        while let Some(&target) = self.targets.get(self.run.arrivals.len()) {
            if self.log_odds < target {
                break;
            }
            self.run.arrivals.push(self.updates);
        }
    }

    fn is_done(&self) -> bool {
        self.run.arrivals.len() == self.targets.len()
    }

    /// Updates pass; too many to be counted is not never.
    fn wait(&mut self, updates: f64) {
        self.updates = (self.updates + updates).min(f64::MAX);
    }

    fn moved(&mut self, by: f64) {
        self.log_odds += by;
        self.run.pushes += 1;
        self.note_arrivals();
    }

    fn exact(&mut self, most_pushes: u64) {
        while !self.is_done() && self.race.is_pushed() && self.run.pushes < most_pushes {
            self.updates += 1.0;
            self.moved(self.race.mean_change(self.log_odds));
        }
    }

    fn sampled(&mut self, group: u32, most_pushes: u64, random: &mut Random) {
        let size = f64::from(group);
        // Before it is seen nothing moves: there is no penalty at the prior itself.
        self.updates = random.trials(-(size * (-self.race.setting.prior).ln_1p()).exp_m1());
        self.run.first_seen = self.updates;
        if !self.updates.is_finite() {
            self.run.is_gone = true;
            return;
        }
        let seen = draw(group, self.log_odds, random, 1..=group);
        self.moved(self.race.group_change(self.log_odds, seen));
        let Setting { law, rate, kl, .. } = self.race.setting;
        while !self.is_done() && self.run.pushes < most_pushes {
            let (share, rest) = (sigmoid(self.log_odds), sigmoid(-self.log_odds));
            let (log_share, log_rest) = (share.ln(), rest.ln());
            let alike = |log_share: f64| (size * log_share).exp();
            // Where one share is tiny, its digits are in its own logarithm only.
            let rare = share.min(rest);
            let mixed = -(size * (-rare).ln_1p()).exp_m1() - alike(log_share.min(log_rest));
            let wait = random.trials(mixed);
            let drift = match law {
                Law::Grpo => -2.0 * rate * kl * share * rest * (self.log_odds - self.race.start),
                _ => 0.0,
            };
            if drift != 0.0 {
                let piece = (PIECE / drift.abs()).floor().max(1.0);
                if wait > piece {
                    self.wait(piece);
                    self.moved(drift * piece);
                    continue;
                }
                self.log_odds += drift * (wait - 1.0);
            }
            if !wait.is_finite() {
                self.run.is_gone = true;
                return;
            }
            self.wait(wait);
            let seen = draw(group, self.log_odds, random, 1..=group - 1);
            self.moved(self.race.group_change(self.log_odds, seen));
        }
    }
}

/// How many samples of a group are the evading plan, given that the number is in this range.
fn draw(group: u32, log_odds: f64, random: &mut Random, range: std::ops::RangeInclusive<u32>) -> u32 {
    // Counted from the rarer plan, so that few terms are needed and none underflows.
    let is_rare = log_odds <= 0.0;
    let (low, high) =
        if is_rare { (*range.start(), *range.end()) } else { (group - range.end(), group - range.start()) };
    let rare = sigmoid(-log_odds.abs());
    let size = f64::from(group);
    let none = size * (-rare).ln_1p();
    let counted = if none < SMALLEST_EXPONENT {
        // All of one kind hardly ever happens here, so to draw again hardly ever does.
        loop {
            let count = (0..group).filter(|_| random.unit() < rare).count() as u32;
            if (low..=high).contains(&count) {
                break count;
            }
        }
    } else {
        let odds = (-log_odds.abs()).exp();
        let next = |count: u32, mass: f64| mass * odds * f64::from(group - count) / f64::from(count + 1);
        // The constant factor does not matter, so the first mass is 1. They rise, then fall for good.
        let (mut sum, mut mass) = (1.0, 1.0);
        for count in low..high {
            let following = next(count, mass);
            if following < mass && following < sum * f64::EPSILON {
                break;
            }
            mass = following;
            sum += mass;
        }
        let mut left = random.unit() * sum;
        let (mut count, mut mass) = (low, 1.0);
        while count < high && left >= mass {
            left -= mass;
            mass = next(count, mass);
            count += 1;
        }
        count
    };
    if is_rare { counted } else { group - counted }
}
