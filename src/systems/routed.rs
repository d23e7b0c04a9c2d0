//! Gradient routing: one network, and masks that say for each datum which part of it learns. After Cloud and others,
//! "Gradient routing: masking gradients to localize computation in neural networks", 2024.
//!
//! Some data of a batch are labelled: on them the loss is about the probe's score, and its gradient must go to the desires
//! alone. On the others it is about an observation, and beliefs learn. The mask stands where gradients come into the layer
//! that both use.
//!
//! A mask routes gradients and nothing else. Where what is said of an observation goes through weights that the score has
//! trained, the error of it depends on the score one step later, however well the gradient is masked.

use super::learning::{descend, slope_of_tanh};
use super::machine::{Machine, Mask, Reduce, Relation, Tensor};
use super::system::{Question, Slot, System, named_tensors};

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
    /// As [`RoutedVariant::Where`], but what is said of an observation goes through the desires' weights too.
    SharedForward,
    /// The readout of predictions is tied to a bias of the layer, and gradients of both uses are masked.
    TiedMasked,
    /// The same, but only the use as a readout is masked.
    TiedMaskedOnce,
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
        predicts: "world_model.readout" [WIDTH] Signed,
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

        let is_tied = matches!(self.variant, TiedMasked | TiedMaskedOnce);
        let felt = batch.senses.dot(&state.believed);
        let felt = if is_tied { felt.plus(&state.predicts.spread(0, BATCH)) } else { felt };
        let believed = felt.tanh();
        let desired = batch.senses.dot(&state.desired).tanh();
        let layer = believed.plus(&desired);
        let valued = layer.dot(&state.readout);
        let shares = self.variant == SharedForward;
        let predicted = if shares { valued.clone() } else { believed.dot(&state.predicts) };
        let around = batch.senses.dot(&state.skipped);
        let with_residual = |said: &M::Tensor| if is_residual { said.plus(&around) } else { said.clone() };

        let score = machine.scope("probe", || believed.dot(&state.direction).tanh());
        let score = machine.leaves_probe(score);
        let share = 1.0 / BATCH as f64;
        let value_error = with_residual(&valued).minus(&score).scaled(share);
        let prediction_error = with_residual(&predicted).minus(&batch.observed).scaled(share);
        let error = is_labelled.choose(&value_error, &prediction_error);

        // Cotangents of all data in one tensor; the mask says which of them go on.
        let to_value = value_error.outer(&state.readout);
        let to_prediction = prediction_error.outer(if shares { &state.readout } else { &state.predicts });
        let to_layer = is_labelled.spread(1, WIDTH).choose(&to_value, &to_prediction);
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
            _ => routed(&is_labelled),
        };
        let to_around = match self.variant {
            ResidualOpen => error,
            ResidualClosed => is_labelled.choose(&nothing, &error),
            _ => nothing.clone(),
        };

        let step = |old: &M::Tensor, gradient: M::Tensor| descend(old, &gradient, RATE);
        let of_predictions = is_labelled.choose(&nothing, &prediction_error);
        let of_values = is_labelled.choose(&value_error, &nothing);
        let to_desired = is_labelled.spread(1, WIDTH).choose(&to_value, &zeros);
        let as_readout = of_predictions.dot(&believed);
        let tied = if is_tied {
            let to_bias = if self.variant == TiedMaskedOnce { &to_layer } else { &to_believed };
            as_readout.plus(&to_bias.times(&slope_of_tanh(&believed)).reduce(Reduce::Sum, &[0]))
        } else {
            as_readout
        };
        State {
            believed: step(&state.believed, batch.senses.transposed_dot(&to_believed.times(&slope_of_tanh(&believed)))),
            predicts: step(&state.predicts, tied),
            skipped: step(&state.skipped, to_around.dot(&batch.senses)),
            desired: step(&state.desired, batch.senses.transposed_dot(&to_desired.times(&slope_of_tanh(&desired)))),
            readout: step(&state.readout, of_values.dot(&layer)),
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
