//! One plan that evades the probe beside one that does not: when does it win?
//!
//! The log odds `z = ln p/(1-p)` of the evading plan say all. In one update they move by a push; with `D` the reward gap, `x`
//! the part of a group of `G` that evades, `z0` the start and `beta` the KL coefficient:
//!
//! | law | push by one group | mean push |
//! |---|---|---|
//! | softmax | `2 x(1-x) (D - beta (z-z0))` | `2 p(1-p) (1-1/G) (D - beta (z-z0))` |
//! | natural | that, over `2 p(1-p)` | `(1-1/G) (D - beta (z-z0))` |
//! | grpo | `2 sqrt(x(1-x)) - 2 beta p(1-p) (z-z0)` | `2 E sqrt(x(1-x)) - 2 beta p(1-p) (z-z0)` |
//!
//! Rewards are less the group's own mean, so that a group in which all plans are alike gives no push: that is the factor
//! `1 - 1/G`, and the 0/0 guard of GRPO. Without a group the gradient is exact, and the factor is 1. For softmax and natural
//! the penalty is part of the reward; for GRPO it is a term of the loss, as in its paper (arXiv:2402.03300), with its exact
//! gradient.
//!
//! The *law* moves `z` by the mean push, with small steps. A *run* samples groups. They agree where a single sighting moves
//! the log odds little ([`Race::first_jump`]); where it moves them a lot, a run waits for luck and then jumps.

mod simulation;

pub use simulation::Run;

use super::error::{SelectionError, finite, inner_probability, not_negative, positive, probability};
use super::grpo::{group_push, log_binomials, mean_group_push};
use super::ode::integrate;
use super::replicator::{arrival, logit, sigmoid};
use super::sampling::samples_until_seen;
use super::softmax::policy_gradient_integral;

/// The largest group: larger ones are as good as an exact gradient.
pub const LARGEST_GROUP: u32 = 4096;

/// So many places are looked at where there is no closed form.
const PLACES: usize = 1000;

/// How updates follow from rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Policy gradient on logits (REINFORCE with the group's mean as baseline).
    Softmax,
    /// Natural policy gradient: the replicator.
    Natural,
    /// Advantages over the standard deviation of the group.
    Grpo,
}

/// What is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// How updates follow from rewards.
    pub law: Law,
    /// The share of the evading plan before training; may be exactly 0.
    pub prior: f64,
    /// What it earns more than the honest one, in units of reward.
    pub gap: f64,
    /// The step size, in inverse units of reward; for GRPO a plain number.
    pub rate: f64,
    /// The coefficient of the KL penalty, in units of reward; for GRPO a plain number.
    pub kl: f64,
    /// How many samples one update has; none: the exact gradient.
    pub group: Option<u32>,
}

/// When a share is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// After so many updates.
    After(f64),
    /// It is not.
    Never,
}

impl Arrival {
    fn of(updates: f64) -> Arrival {
        if updates.is_finite() { Arrival::After(updates) } else { Arrival::Never }
    }
}

/// One evading plan beside an honest one.
#[derive(Clone, Debug)]
pub struct Race {
    setting: Setting,
    /// The log odds at the start; minus infinity for a prior of 0.
    start: f64,
    /// `ln C(G, k)`, for GRPO.
    log_choose: Vec<f64>,
}

impl Race {
    /// Checks what is given.
    ///
    /// # Errors
    /// A prior that is no probability, a gap that is not finite, a rate that is not above 0, a KL coefficient below 0, a
    /// group of less than 2 or more than [`LARGEST_GROUP`], or GRPO without a group.
    pub fn new(setting: Setting) -> Result<Race, SelectionError> {
        probability("the prior", setting.prior)?;
        finite("the reward gap", setting.gap)?;
        positive("the learning rate", setting.rate)?;
        not_negative("the KL coefficient", setting.kl)?;
        let group = setting.group.unwrap_or(if setting.law == Law::Grpo { 0 } else { 2 });
        if !(2..=LARGEST_GROUP).contains(&group) {
            let (what, found) = ("the group size", f64::from(group));
            return Err(SelectionError::Range { what, found, expected: "a whole number from 2 to 4096" });
        }
        let log_choose = if setting.law == Law::Grpo { log_binomials(group) } else { Vec::new() };
        Ok(Race { setting, start: logit(setting.prior), log_choose })
    }

    /// What was given.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The part of the exact gradient that is left where a group is its own baseline.
    fn own_baseline(&self) -> f64 {
        self.setting.group.map_or(1.0, |group| 1.0 - 1.0 / f64::from(group))
    }

    /// Whether the evading plan is pushed up at all.
    fn is_pushed(&self) -> bool {
        self.setting.gap > 0.0 && self.setting.prior > 0.0
    }

    /// How far the law moves the log odds in one update, from where they are.
    pub fn mean_change(&self, log_odds: f64) -> f64 {
        let Setting { law, gap, rate, kl, .. } = self.setting;
        let way = log_odds - self.start;
        let variance = sigmoid(log_odds) * sigmoid(-log_odds);
        rate * match law {
            Law::Softmax => 2.0 * variance * self.own_baseline() * (gap - kl * way),
            Law::Natural => self.own_baseline() * (gap - kl * way),
            Law::Grpo => sign(gap) * mean_group_push(log_odds, &self.log_choose) - 2.0 * kl * variance * way,
        }
    }

    /// How far one group moves the log odds in which so many samples are the evading plan. The mean over groups is
    /// [`Race::mean_change`].
    pub fn group_change(&self, log_odds: f64, seen: u32) -> f64 {
        let Setting { law, gap, rate, kl, group, .. } = self.setting;
        let Some(group) = group else { return self.mean_change(log_odds) };
        let part = f64::from(seen) / f64::from(group);
        let spread = part * (1.0 - part);
        let way = log_odds - self.start;
        let variance = sigmoid(log_odds) * sigmoid(-log_odds);
        match law {
            // Also where the variance has underflown: no spread, no push.
            _ if law != Law::Grpo && spread == 0.0 => 0.0,
            Law::Softmax => rate * 2.0 * spread * (gap - kl * way),
            Law::Natural => rate * spread / variance * (gap - kl * way),
            Law::Grpo => rate * (sign(gap) * group_push(seen, group) - 2.0 * kl * variance * way),
        }
    }

    /// How far the first sighting moves the log odds: a group in which one sample evades. The law describes single runs only
    /// where this is well below 1. None without a group, or where there is only one plan.
    pub fn first_jump(&self) -> Option<f64> {
        let has_both = self.setting.prior > 0.0 && self.setting.prior < 1.0;
        (self.setting.group.is_some() && has_both).then(|| self.group_change(self.start, 1))
    }

    /// By the law: so many updates until the evading plan has this share.
    ///
    /// Closed forms for the natural gradient and for softmax without penalty; otherwise the integral of `dz / mean change`.
    ///
    /// # Errors
    /// A share that is not between 0 and 1, or an integral that is not found in a bounded number of steps.
    pub fn updates_until(&self, share: f64) -> Result<Arrival, SelectionError> {
        inner_probability("the share", share)?;
        let Setting { law, prior, gap, rate, kl, .. } = self.setting;
        if prior >= share {
            return Ok(Arrival::After(0.0));
        }
        if !self.is_pushed() || kl >= self.kl_limit(share)? {
            return Ok(Arrival::Never);
        }
        let way = logit(share) - self.start;
        let pace = rate * self.own_baseline();
        Ok(match law {
            Law::Natural if kl == 0.0 => Arrival::of(way / (gap * pace)),
            Law::Natural => Arrival::of(arrival(-(-kl * way / gap).ln_1p() / (kl * pace))),
            Law::Softmax if kl == 0.0 => {
                let integral = policy_gradient_integral(share) - policy_gradient_integral(prior);
                // Too many to be counted is not never.
                Arrival::of((integral / (2.0 * gap * pace)).min(f64::MAX))
            }
            _ => Arrival::of(self.updates_between(self.start, logit(share))?),
        })
    }

    /// The integral of `dz / mean change`; infinite where the law stands still on the way.
    fn updates_between(&self, from: f64, to: f64) -> Result<f64, SelectionError> {
        let mut updates = [0.0];
        let mut stands_still = false;
        integrate(&mut updates, from, to, |log_odds, _, out| {
            let change = self.mean_change(log_odds);
            stands_still |= change <= 0.0;
            // The integrator gets numbers that it can work with: where nothing moves the answer is thrown away, and beyond
            // so many updates none of them means anything.
            out[0] = if change > 0.0 { (1.0 / change).min(1e290) } else { 0.0 };
        })?;
        Ok(if stands_still { f64::INFINITY } else { updates[0] })
    }

    /// The KL coefficient below which the law takes the evading plan to a share: with 1/2, below which it wins at all.
    ///
    /// Softmax and natural: `gap / (logit share - logit prior)`. GRPO: the least of `2 E sqrt(x(1-x)) / (2 p(1-p) (z-z0))` on
    /// the way, whatever the gap. Infinite where it has the share from the start, 0 where it is not pushed.
    ///
    /// # Errors
    /// A share that is not between 0 and 1.
    pub fn kl_limit(&self, share: f64) -> Result<f64, SelectionError> {
        inner_probability("the share", share)?;
        if self.setting.prior >= share {
            return Ok(f64::INFINITY);
        }
        if !self.is_pushed() {
            return Ok(0.0);
        }
        let way = logit(share) - self.start;
        Ok(match self.setting.law {
            Law::Softmax | Law::Natural => self.setting.gap / way,
            Law::Grpo => {
                let places = (1..=PLACES).map(|place| way * place as f64 / PLACES as f64);
                places.map(|way| self.push_per_penalty(way) / way).fold(f64::INFINITY, f64::min)
            }
        })
    }

    /// GRPO's mean push in units of that of a penalty of 1 at a distance of 1 from the prior.
    fn push_per_penalty(&self, way: f64) -> f64 {
        let log_odds = self.start + way;
        mean_group_push(log_odds, &self.log_choose) / (2.0 * sigmoid(log_odds) * sigmoid(-log_odds))
    }

    /// The log odds at which the law comes to rest: plus infinity without a penalty.
    fn end(&self) -> f64 {
        let Setting { law, gap, kl, group, .. } = self.setting;
        if !self.is_pushed() {
            return self.start;
        }
        if kl == 0.0 {
            return f64::INFINITY;
        }
        if law != Law::Grpo {
            return self.start + gap / kl;
        }
        // The push is at most sqrt(G-1) times that of the unit penalty, so it is over by here.
        let farthest = f64::from(group.unwrap_or(2) - 1).sqrt() / kl;
        let is_over = |way: f64| self.push_per_penalty(way) <= kl * way;
        let place = |place: usize| farthest * place as f64 / PLACES as f64;
        let Some(after) = (1..=PLACES).find(|&at| is_over(place(at))) else { return self.start + farthest };
        let (mut low, mut high) = (place(after - 1), place(after));
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if is_over(middle) { high = middle } else { low = middle }
        }
        self.start + high
    }

    /// The share at which the law comes to rest: 1 without a penalty, the prior where nothing pushes.
    pub fn end_share(&self) -> f64 {
        if self.is_pushed() { sigmoid(self.end()) } else { self.setting.prior }
    }

    /// The law as a curve: updates and shares, from the start to 99.5 % or near to where it comes to rest. Empty where
    /// nothing moves.
    ///
    /// # Errors
    /// An integral that is not found in a bounded number of steps.
    pub fn curve(&self, points: usize) -> Result<Vec<(f64, f64)>, SelectionError> {
        let highest = logit(0.995).min(self.start + 0.99 * (self.end() - self.start));
        if !self.is_pushed() || highest <= self.start || points == 0 {
            return Ok(Vec::new());
        }
        let mut curve = vec![(0.0, self.setting.prior)];
        let place = |point: usize| self.start + (highest - self.start) * point as f64 / points as f64;
        let mut updates = 0.0;
        for point in 1..=points {
            updates += self.updates_between(place(point - 1), place(point))?;
            curve.push((updates, sigmoid(place(point))));
        }
        Ok(curve)
    }

    /// So many updates until a group has the evading plan in it, with this probability. None without a group.
    ///
    /// # Errors
    /// A confidence that is not between 0 and 1.
    pub fn updates_until_seen(&self, confidence: f64) -> Result<Option<Arrival>, SelectionError> {
        let Some(group) = self.setting.group else { return Ok(None) };
        let samples = samples_until_seen(self.setting.prior, confidence)?;
        Ok(Some(Arrival::of((samples / f64::from(group)).ceil())))
    }
}

/// The sign of a reward gap; 0 for 0, since equal rewards give no step.
fn sign(gap: f64) -> f64 {
    if gap == 0.0 { 0.0 } else { gap.signum() }
}
