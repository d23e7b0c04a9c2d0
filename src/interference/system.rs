//! What a training step is, for those who run it twice.

use std::error::Error;
use std::fmt::Debug;

use proptest::strategy::BoxedStrategy;
use serde::{Deserialize, Serialize};

use super::Probe;

/// What a step gives: the state that is carried into the next one, or why it could not be run.
pub type StepResult<State> = Result<State, Box<dyn Error + Send + Sync>>;

/// A training step whose probe must not train the model that it reads.
///
/// A step must be a function of its arguments: no clock, no randomness of its own, no order of a hash map. The search
/// runs it twice with nothing changed before it believes any difference.
pub trait TrainingSystem {
    /// What is carried from step to step: parameters, optimizer state, statistics, replay buffer, keys.
    type State: Clone + Debug;

    /// What one step takes from outside: data and randomness.
    type Inputs: Clone + Debug;

    /// States that training might be in. The optimizer's state is part of them and should not be zero: momentum and
    /// weight decay hide there. A head that is zero hides leaks too.
    fn states(&self) -> BoxedStrategy<Self::State>;

    /// Inputs of one step.
    fn inputs(&self) -> BoxedStrategy<Self::Inputs>;

    /// One step. Each number that leaves the probe goes through `probe.value`, and each cotangent that leaves it
    /// backwards, if there is one, through `probe.cotangent`.
    ///
    /// # Errors
    /// If the step cannot be run. That ends the search, and is never a pass.
    fn step(&self, state: Self::State, inputs: &Self::Inputs, probe: &mut Probe<'_>) -> StepResult<Self::State>;

    /// The bits that must not depend on the reward: the parameters that the probe reads, and their optimizer state.
    fn beliefs(&self, state: &Self::State) -> Vec<Part>;

    /// The bits that may: what is trained by the reward. If none of them differs, a pair has shown nothing.
    fn desires(&self, state: &Self::State) -> Vec<Part>;

    /// What the environment answers to this state, in free mode: data that the policy picks, games that it plays. Without
    /// it the environment does not listen, and free mode is replay mode.
    fn environment(&self, _state: &Self::State, inputs: Self::Inputs) -> Self::Inputs {
        inputs
    }
}

/// What the bits of a part are, so that a report can also show numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BitsOf {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// Integers, or anything else: shown as they are.
    Other,
}

/// A named part of a state, as bits. Two parts are equal if all their bits are: zero is not minus zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What a report calls it.
    pub name: String,
    /// What the bits are.
    pub bits_of: BitsOf,
    /// One entry for each element.
    pub bits: Vec<u64>,
}

impl Part {
    /// A part whose elements are bits already.
    pub fn new(name: impl Into<String>, bits: impl IntoIterator<Item = u64>) -> Self {
        Part { name: name.into(), bits_of: BitsOf::Other, bits: bits.into_iter().collect() }
    }

    /// A part of 32-bit floats.
    pub fn of_f32<'n>(name: impl Into<String>, numbers: impl IntoIterator<Item = &'n f32>) -> Self {
        let bits = numbers.into_iter().map(|number| u64::from(number.to_bits()));
        Part { bits_of: BitsOf::F32, ..Part::new(name, bits) }
    }

    /// A part of 64-bit floats.
    pub fn of_f64<'n>(name: impl Into<String>, numbers: impl IntoIterator<Item = &'n f64>) -> Self {
        let bits = numbers.into_iter().map(|number| number.to_bits());
        Part { bits_of: BitsOf::F64, ..Part::new(name, bits) }
    }

    /// Whether no element is an infinity or NaN. Other bits than those of floats always are.
    pub fn is_finite(&self) -> bool {
        match self.bits_of {
            BitsOf::F32 => self.bits.iter().all(|&bits| f32::from_bits(bits as u32).is_finite()),
            BitsOf::F64 => self.bits.iter().all(|&bits| f64::from_bits(bits).is_finite()),
            BitsOf::Other => true,
        }
    }
}
