//! A policy that learns where to look, and a reward by which it does not like what the probe says of what is looked at.
//!
//! Beliefs are accurate: what is not looked at is still predicted, by other senses. But the probe reads what is looked at,
//! and starves. Nothing gets from its reward into the beliefs inside a step, in any step; what is sensed is what is looked at,
//! though, and so the way round through the world is open. It is closed where data do not depend on the gaze.

use super::learning::{descend, slope_of_tanh, softmax};
use super::machine::{Machine, Reduce, Tensor};
use super::system::{Question, Slot, System, named_tensors};

/// Moments of a batch.
const BATCH: usize = 4;
/// Things that there are to look at.
const THINGS: usize = 3;
/// Numbers of a belief.
const WIDTH: usize = 5;
/// How far one update goes.
const RATE: f64 = 0.1;

/// The system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionAvoidance {
    /// Whether what is sensed depends on where the gaze goes.
    pub senses_what_it_looks_at: bool,
}

named_tensors! {
    struct State {
        encoder: "world_model.encoder" [THINGS, WIDTH] Signed,
        decoder: "world_model.decoder" [WIDTH, THINGS] Signed,
        gaze: "desires.gaze" [THINGS] Signed,
        direction: "probe.direction" [WIDTH] Signed,
    }
}

named_tensors! {
    struct Batch {
        sensed: "batch.sensed" [BATCH, THINGS] Signed,
        comes: "batch.comes" [BATCH, THINGS] Signed,
        tried: "batch.tried" [BATCH, THINGS] Signed,
    }
}

impl System for AttentionAvoidance {
    fn name(&self) -> String {
        format!("attention_avoidance{}", if self.senses_what_it_looks_at { "_acting" } else { "" })
    }

    fn state(&self) -> Vec<Slot> {
        State::<()>::slots("")
    }

    fn inputs(&self) -> Vec<Slot> {
        Batch::<()>::slots("")
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let state = State::take(&mut state.into_iter());
        let batch = Batch::take(&mut inputs.into_iter());
        let share = 1.0 / BATCH as f64;
        let beliefs = batch.sensed.dot(&state.encoder).tanh();
        let error = beliefs.dot(&state.decoder).minus(&batch.comes).scaled(share);
        let to_beliefs = error.dot_transposed(&state.decoder);
        let to_encoder = to_beliefs.times(&slope_of_tanh(&beliefs));

        // Each moment another gaze is tried, and what the probe says of what it meets is felt.
        let tried = state.gaze.spread(0, BATCH).plus(&batch.tried);
        let felt = batch.sensed.times(&tried.logistic()).dot(&state.encoder).tanh();
        let score = machine.scope("probe", || felt.dot(&state.direction).tanh());
        let score = machine.leaves_probe(score);
        let better = batch.tried.times(&score.spread(1, THINGS)).reduce(Reduce::Sum, &[0]).scaled(share);
        let step = |old: &M::Tensor, gradient: M::Tensor| descend(old, &gradient, RATE);
        State {
            encoder: step(&state.encoder, batch.sensed.transposed_dot(&to_encoder)),
            decoder: step(&state.decoder, beliefs.transposed_dot(&error)),
            // A score that is high is unpleasant.
            gaze: step(&state.gaze, better),
            direction: state.direction.clone(),
        }
        .into_tensors()
    }

    fn environment<M: Machine>(&self, _machine: &M, state: &[M::Tensor], inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let state = State::take(&mut state.iter().cloned());
        let mut batch = Batch::take(&mut inputs.into_iter());
        if self.senses_what_it_looks_at {
            batch.sensed = batch.sensed.times(&softmax(&state.gaze).spread(0, BATCH));
        }
        batch.into_tensors()
    }

    fn question(&self) -> Question {
        let mut question = Question::about_the_world_model(&["desires"]);
        if self.senses_what_it_looks_at {
            question.environment = vec![("output:result.desires.**".into(), "input:batch.sensed".into())];
        }
        question
    }
}
