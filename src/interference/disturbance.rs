//! What is done to the reward of the probe in the second run of a pair.

use serde::{Deserialize, Serialize};

/// Which numbers are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Numbers that leave the probe: scores, rewards, flags.
    Value,
    /// Cotangents that leave it backwards: the gradient of a linear probe does not depend on its score.
    Cotangent,
}

/// What becomes of a number. The kinds that JSON cannot write as numbers have names.
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
    /// The largest finite number that its type has.
    Huge,
    /// Minus that.
    NegativeHuge,
    /// Infinity.
    Infinity,
    /// Minus infinity.
    NegativeInfinity,
    /// Not a number.
    NotANumber,
}

/// What the type of a number can hold, so that the largest number is one of its own type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatRange {
    /// The largest finite number.
    pub largest: f64,
    /// The smallest number above zero.
    pub smallest: f64,
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
