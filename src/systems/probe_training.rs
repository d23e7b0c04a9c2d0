//! What trains the probe: nothing, labels on detached beliefs, its own output, or ground truth behind a gate.

use super::learning::{descend, slope_of_tanh};
use super::machine::{Machine, Mask, Tensor};
use super::system::{Question, Slot, System, named_tensors};

const BATCH: usize = 4;
const SENSES: usize = 5;
const WIDTH: usize = 6;
const RATE: f64 = 0.05;

/// What trains the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeTrainingVariant {
    /// Nothing.
    Frozen,
    /// Labels, on beliefs that its gradient does not go back into.
    Retrained,
    /// Its own output: where it defers to itself, a prior is trapped.
    OwnOutput,
    /// Labels, where the input says that the truth is known.
    GatedByTruth,
    /// Labels, where the probe's score is high.
    GatedByScore,
}

/// What is asked not to be reached by the probe's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeTrainingQuestion {
    /// The beliefs.
    Beliefs,
    /// The probe itself.
    Probe,
}

/// The system: beliefs predict, the probe reads them, desires learn by its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeTraining {
    /// What trains the probe.
    pub variant: ProbeTrainingVariant,
    /// What is asked.
    pub question: ProbeTrainingQuestion,
}

named_tensors! {
    struct State {
        encoder: "world_model.encoder" [SENSES, WIDTH] Signed,
        decoder: "world_model.decoder" [WIDTH, SENSES] Signed,
        direction: "probe.direction" [WIDTH] Signed,
        valence: "desires.valence" [WIDTH] Signed,
    }
}

named_tensors! {
    struct Batch {
        senses: "batch.senses" [BATCH, SENSES] Signed,
        next_senses: "batch.next_senses" [BATCH, SENSES] Signed,
        labels: "batch.labels" [BATCH] Signed,
        is_known: "batch.is_known" [BATCH] Flag,
    }
}

impl System for ProbeTraining {
    fn name(&self) -> String {
        format!("probe_training_{:?}_{:?}", self.variant, self.question)
    }

    fn state(&self) -> Vec<Slot> {
        State::<()>::slots("")
    }

    fn inputs(&self) -> Vec<Slot> {
        Batch::<()>::slots("")
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        use ProbeTrainingVariant::*;
        let state = State::take(&mut state.into_iter());
        let batch = Batch::take(&mut inputs.into_iter());
        let share = 1.0 / BATCH as f64;
        let beliefs = batch.senses.dot(&state.encoder).tanh();

        let score = machine.scope("probe", || beliefs.dot(&state.direction).tanh());
        let score = machine.leaves_probe(score);
        let surprise = score.minus(&beliefs.dot(&state.valence));

        // The loss of the probe reads it once more, in no one's reward.
        let says = beliefs.dot(&state.direction).tanh();
        let error = match self.variant {
            OwnOutput => says.minus(&score.scaled(1.5)),
            _ => says.minus(&batch.labels),
        };
        let nothing = error.like(0.0);
        let error = match self.variant {
            Frozen => nothing,
            GatedByTruth => batch.is_known.greater(&nothing).choose(&error, &nothing),
            GatedByScore => score.greater(&nothing).choose(&error, &nothing),
            Retrained | OwnOutput => error,
        };
        let error = error.times(&slope_of_tanh(&says)).scaled(share);

        let prediction_error = beliefs.dot(&state.decoder).minus(&batch.next_senses).scaled(share);
        let to_encoder = prediction_error.dot_transposed(&state.decoder).times(&slope_of_tanh(&beliefs));
        let step = |old: &M::Tensor, gradient: M::Tensor| descend(old, &gradient, RATE);
        State {
            encoder: step(&state.encoder, batch.senses.transposed_dot(&to_encoder)),
            decoder: step(&state.decoder, beliefs.transposed_dot(&prediction_error)),
            direction: step(&state.direction, error.dot(&beliefs)),
            valence: step(&state.valence, surprise.dot(&beliefs).scaled(-share)),
        }
        .into_tensors()
    }

    fn question(&self) -> Question {
        let mut question = Question::about_the_world_model(&["desires"]);
        if self.question == ProbeTrainingQuestion::Probe {
            question.to = vec!["output:result.probe.**".into()];
        }
        question
    }
}
