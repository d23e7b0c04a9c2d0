//! Floor 5: small training systems with one definition and two readings.
//!
//! A [`System`] says what is carried, what comes from outside, and what one step does, written for a [`Machine`] whose
//! tensors are of no particular kind. [`OnArrays`] runs it on `ndarray` as a `TrainingSystem`, for paired runs;
//! [`written_down`] gives the `TrainingGraph` of the very same code, for the static check.
//!
//! A step cannot branch on a number by Rust's own means, where the second reading would not see it:
//!
//! ```compile_fail,E0308
//! use openloop::systems::{Machine, Tensor};
//!
//! fn step<M: Machine>(machine: &M, weight: M::Tensor) -> M::Tensor {
//!     if weight.greater(&weight.like(0.0)) { weight.scaled(0.5) } else { weight }
//! }
//! ```
//!
//! It says what is chosen from:
//!
//! ```
//! use openloop::systems::{Machine, Mask, Tensor};
//!
//! fn step<M: Machine>(machine: &M, weight: M::Tensor) -> M::Tensor {
//!     weight.greater(&weight.like(0.0)).choose(&weight.scaled(0.5), &weight)
//! }
//! ```
//!
//! **Invariants.** Both readings give the same bits. What a system asks ([`System::question`]) is a policy, and decides
//! which parts of its state paired runs compare. Knows no verdicts.

mod arrays;
mod attention;
mod bandit;
mod imagination;
mod language_model;
mod learning;
mod machine;
mod probe_training;
mod reference;
mod routed;
mod spillover;
mod system;
mod trace;
mod two_boxes;

pub use arrays::{Arrays, Numbers, Truths};
pub use attention::AttentionAvoidance;
pub use bandit::{BanditQuestion, DeceptionBandit};
pub use imagination::{SelfReward, TwoSteps};
pub use language_model::{LanguageModel, LanguageModelQuestion, LanguageModelVariant};
pub use machine::{Binary, Machine, Mask, Reduce, Relation, Tensor, Unary};
pub use probe_training::{ProbeTraining, ProbeTrainingQuestion, ProbeTrainingVariant};
pub use reference::{Passage, Reference};
pub use routed::{GradientRouted, RoutedVariant};
pub use spillover::Spillover;
pub use system::{Draw, OnArrays, Question, Slot, System, Tensors};
pub use trace::{Trace, Traced, TracedMask, written_down};
pub use two_boxes::{TwoBoxVariant, TwoBoxes};
