//! Gradient routing: one network, and masks that say for each datum which part of it learns. After Cloud and others,
//! "Gradient routing: masking gradients to localize computation in neural networks", 2024.
//!
//! Some data of a batch are labelled: on them the loss is about the probe's score, and its gradient must go to the desires
//! alone. On the others it is about an observation, and beliefs learn too. The mask stands where gradients leave the layer
//! that both parts make together.

use super::machine::{Machine, Mask, Relation, Tensor};
use super::system::{Draw, Question, Slot, System, named_tensors};

const BATCH: usize = 4;
const SENSES: usize = 5;
const WIDTH: usize = 6;
const RATE: f64 = 0.05;

/// How gradients are routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutedVariant {
    /// They are chosen: where a datum is labelled, zero goes to the beliefs.
    Where,
    /// They are multiplied by 0 or 1.
    Multiply,
    /// As [`RoutedVariant::Where`], with a residual connection around the masked layer that nobody masked.
    ResidualOpen,
    /// The same, masked too.
    ResidualClosed,
    /// As [`RoutedVariant::Where`], but the mask of one datum is another's.
    WrongLabel,
}

/// The system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientRouted {
    /// How gradients are routed.
    pub variant: RoutedVariant,
    /// Whether it is granted that no number is infinite or NaN.
    pub assumes_finite: bool,
}

named_tensors! {
    struct State {
        believed: "world_model.weights" [SENSES, WIDTH] Signed,
        skipped: "world_model.skip" [SENSES] Signed,
        desired: "desires.weights" [SENSES, WIDTH] Signed,
        readout: "desires.readout" [WIDTH] Signed,
        direction: "probe.direction" [WIDTH] Signed,
    }
}

named_tensors! {
    struct Batch {
        senses: "batch.senses" [BATCH, SENSES] Signed,
        observed: "batch.observed" [BATCH] Signed,
        is_labelled: "batch.is_labelled" [BATCH] Flag,
    }
}

impl GradientRouted {
    /// A system of which nothing is granted.
    pub fn new(variant: RoutedVariant) -> Self {
        GradientRouted { variant, assumes_finite: false }
    }
}

impl System for GradientRouted {
    fn name(&self) -> String {
        format!("gradient_routed_{:?}{}", self.variant, if self.assumes_finite { "_finite" } else { "" })
    }

    fn state(&self) -> Vec<Slot> {
        State::<()>::slots("")
    }

    fn inputs(&self) -> Vec<Slot> {
        Batch::<()>::slots("")
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        use RoutedVariant::*;
        let state = State::take(&mut state.into_iter());
        let batch = Batch::take(&mut inputs.into_iter());
        let is_residual = matches!(self.variant, ResidualOpen | ResidualClosed);
        let nothing = batch.is_labelled.like(0.0);
        let is_labelled = batch.is_labelled.greater(&nothing);

        let believed = batch.senses.dot(&state.believed).tanh();
        let desired = batch.senses.dot(&state.desired).tanh();
        let layer = believed.plus(&desired);
        let around = batch.senses.dot(&state.skipped);
        let said = layer.dot(&state.readout);
        let said = if is_residual { said.plus(&around) } else { said };

        let score = machine.scope("probe", || believed.dot(&state.direction).tanh());
        let score = machine.leaves_probe(score);
        let target = is_labelled.choose(&score, &batch.observed);
        let error = said.minus(&target).scaled(1.0 / BATCH as f64);

        let to_layer = error.outer(&state.readout);
        let zeros = to_layer.like(0.0);
        let routed = |is_labelled: &M::Mask| is_labelled.spread(1, WIDTH).choose(&zeros, &to_layer);
        let to_believed = match self.variant {
            Multiply => {
                let share = is_labelled.choose(&nothing, &nothing.like(1.0));
                to_layer.times(&share.spread(1, WIDTH))
            }
            WrongLabel => {
                // The first datum stands for the second too.
                let shift = machine.count_up(BATCH);
                let is_second = shift.compare(Relation::Equal, &shift.like(1.0));
                let first = batch.is_labelled.row(&machine.constant(0.0, &[]));
                let written = is_second.choose(&first.spread(0, BATCH), &batch.is_labelled);
                routed(&written.greater(&nothing))
            }
            Where | ResidualOpen | ResidualClosed => routed(&is_labelled),
        };
        let to_around = match self.variant {
            ResidualOpen => error.clone(),
            _ => is_labelled.choose(&nothing, &error),
        };

        let slope = |value: &M::Tensor| value.like(1.0).minus(&value.squared());
        let step = |old: &M::Tensor, gradient: M::Tensor| old.minus(&gradient.scaled(RATE));
        State {
            believed: step(&state.believed, batch.senses.transposed_dot(&to_believed.times(&slope(&believed)))),
            skipped: if is_residual {
                step(&state.skipped, to_around.dot(&batch.senses))
            } else {
                state.skipped.clone()
            },
            desired: step(&state.desired, batch.senses.transposed_dot(&to_layer.times(&slope(&desired)))),
            readout: step(&state.readout, error.dot(&layer)),
            direction: state.direction.clone(),
        }
        .into_tensors()
    }

    fn question(&self) -> Question {
        let mut question = Question::about_the_world_model(&["desires"]);
        if self.assumes_finite {
            question.assume.push("finite".into());
        }
        question
    }
}
