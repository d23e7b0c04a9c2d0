//! What is done to the reward of the probe in the second run of a pair.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use serde::{Deserialize, Serialize};

use super::Finiteness;

/// Which numbers are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Numbers that leave the probe: scores, rewards, flags.
    Value,
    /// Cotangents that leave it backwards: the gradient of a linear probe does not depend on its score.
    Cotangent,
}

impl Target {
    /// Both, the simpler one first.
    pub const ALL: [Target; 2] = [Target::Value, Target::Cotangent];

    /// What a report calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Value => "value",
            Target::Cotangent => "cotangent",
        }
    }
}

/// What becomes of a number. Those that JSON cannot write have names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// The number plus this.
    Shift {
        /// What is added.
        by: f64,
    },
    /// The number times this.
    Scale {
        /// The factor.
        by: f64,
    },
    /// This instead of the number.
    Replace {
        /// What is there instead.
        with: f64,
    },
    /// The number plus something between minus and plus its own size and one, another for each number.
    Noise {
        /// Which noise.
        seed: u64,
    },
    /// The smallest number above zero that its type has.
    Subnormal,
    /// Not a number.
    NotANumber,
    /// Infinity.
    Infinity,
    /// Minus infinity.
    NegativeInfinity,
    /// The largest finite number that its type has.
    Huge,
    /// Minus that.
    NegativeHuge,
}

/// Changes by ordinary numbers, the simplest first. The large ones make clips and limits bind that otherwise would not.
const FINITE: &[Change] = &[
    Change::Shift { by: 1.0 },
    Change::Shift { by: -1.0 },
    Change::Scale { by: 0.0 },
    Change::Scale { by: -1.0 },
    Change::Scale { by: 2.0 },
    Change::Replace { with: 0.0 },
    Change::Replace { with: 1.0 },
    Change::Replace { with: -1.0 },
    Change::Shift { by: 10.0 },
    Change::Shift { by: -10.0 },
    Change::Shift { by: 0.001 },
    Change::Scale { by: 1000.0 },
    Change::Shift { by: 1000.0 },
    Change::Shift { by: -1000.0 },
    Change::Scale { by: 1e6 },
    Change::Subnormal,
];

/// Changes that are not finite, or under which arithmetic may overflow, the simplest first.
const NOT_FINITE: &[Change] =
    &[Change::NotANumber, Change::Infinity, Change::NegativeInfinity, Change::Huge, Change::NegativeHuge];

/// What the type of a number can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberRange {
    /// The largest finite number.
    pub largest: f64,
    /// The smallest number above zero.
    pub smallest: f64,
}

impl Change {
    /// Whether it can bring infinities, NaN or overflow by itself.
    pub fn finiteness(self) -> Finiteness {
        match self {
            Change::Shift { by } | Change::Scale { by } | Change::Replace { with: by } if !by.is_finite() => {
                Finiteness::NotFinite
            }
            _ if NOT_FINITE.contains(&self) => Finiteness::NotFinite,
            _ => Finiteness::Finite,
        }
    }

    /// The number after the change. The key tells one number of a run from another.
    pub(super) fn apply(self, number: f64, range: NumberRange, key: u64) -> f64 {
        match self {
            Change::Shift { by } => number + by,
            Change::Scale { by } => number * by,
            Change::Replace { with } => with,
            Change::Noise { seed } => number + noise(seed, key) * (1.0 + number.abs()),
            Change::Subnormal => range.smallest,
            Change::NotANumber => f64::NAN,
            Change::Infinity => f64::INFINITY,
            Change::NegativeInfinity => f64::NEG_INFINITY,
            Change::Huge => range.largest,
            Change::NegativeHuge => -range.largest,
        }
    }

    /// Those that are simpler, the simplest first: where infinities and NaN are at work anyway, rather one of them at once
    /// than an ordinary number that overflows after some steps.
    pub(super) fn simpler(self, finiteness: Finiteness) -> impl Iterator<Item = Change> {
        let list = match finiteness {
            Finiteness::Finite => FINITE,
            Finiteness::NotFinite => NOT_FINITE,
        };
        list.iter().copied().take_while(move |&change| change != self)
    }

    fn strategy(finiteness: Finiteness) -> BoxedStrategy<Change> {
        match finiteness {
            Finiteness::Finite => {
                let noise = any::<u64>().prop_map(|seed| Change::Noise { seed });
                prop_oneof![3 => select(FINITE), 1 => noise].boxed()
            }
            Finiteness::NotFinite => select(NOT_FINITE).boxed(),
        }
    }
}

/// From -1 to 1: the finaliser of SplitMix64, so that each number has noise of its own without a generator of its own.
fn noise(seed: u64, key: u64) -> f64 {
    let mut bits = seed ^ key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// A change of the reward of the probe: what the second run of a pair has and the first has not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Which numbers are changed.
    pub target: Target,
    /// What becomes of each.
    pub change: Change,
    /// In which step, from 0; in all of them if none is named.
    pub step: Option<usize>,
    /// Which number of the target in a step, in the order in which they are sent, from 0; all if none is named.
    pub element: Option<usize>,
}

/// How many numbers a step sends through its probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Values.
    pub values: usize,
    /// Cotangents.
    pub cotangents: usize,
}

impl Sent {
    /// How many of a target.
    pub fn of(self, target: Target) -> usize {
        match target {
            Target::Value => self.values,
            Target::Cotangent => self.cotangents,
        }
    }

    pub(super) fn max(self, other: Sent) -> Sent {
        Sent { values: self.values.max(other.values), cotangents: self.cotangents.max(other.cotangents) }
    }
}

impl Disturbance {
    /// All numbers of a target, in all steps.
    pub fn everywhere(target: Target, change: Change) -> Self {
        Disturbance { target, change, step: None, element: None }
    }

    /// Disturbances of steps that send so many numbers: in all steps or one, of all numbers or one.
    pub(super) fn strategy(sent: Sent, steps: usize, finiteness: Finiteness) -> BoxedStrategy<Disturbance> {
        let targets: Vec<Target> = Target::ALL.into_iter().filter(|&target| sent.of(target) > 0).collect();
        let targets = if targets.is_empty() { vec![Target::Value] } else { targets };
        let one_of = |count: usize| prop_oneof![2 => Just(None), 1 => (0..count.max(1)).prop_map(Some)];
        (select(targets), Change::strategy(finiteness), one_of(steps))
            .prop_flat_map(move |(target, change, step)| {
                one_of(sent.of(target)).prop_map(move |element| Disturbance { target, change, step, element })
            })
            .boxed()
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.as_str();
        match self.element {
            None => write!(f, "every {target} that leaves the probe ")?,
            Some(element) => write!(f, "{target} {element} that leaves the probe ")?,
        }
        match self.step {
            None => f.write_str("in each step ")?,
            Some(step) => write!(f, "in step {step} ")?,
        }
        match self.change {
            Change::Shift { by } if by < 0.0 => write!(f, "is made smaller by {}", -by),
            Change::Shift { by } => write!(f, "is made larger by {by}"),
            Change::Scale { by } => write!(f, "is multiplied by {by}"),
            Change::Replace { with } => write!(f, "becomes {with}"),
            Change::Noise { seed } => write!(f, "gets noise of its own (seed {seed})"),
            Change::Subnormal => f.write_str("becomes the smallest number above zero"),
            Change::Huge => f.write_str("becomes the largest number of its type"),
            Change::NegativeHuge => f.write_str("becomes minus the largest number of its type"),
            Change::Infinity => f.write_str("becomes infinity"),
            Change::NegativeInfinity => f.write_str("becomes minus infinity"),
            Change::NotANumber => f.write_str("becomes NaN"),
        }
    }
}
