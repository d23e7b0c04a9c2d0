//! What several systems learn with.

use super::machine::{Binary, Mask, Reduce, Relation, Tensor, Unary};

/// A factor, at most 1, that makes the norm of all of these together no larger than a limit.
#[track_caller]
pub(super) fn clip<T: Tensor>(gradients: &[&T], limit: f64) -> T {
    let squares: Vec<T> = gradients.iter().map(|gradient| gradient.squared().total()).collect();
    let (first, rest) = squares.split_first().expect("at least one gradient");
    let norm = rest.iter().fold(first.clone(), |sum, square| sum.plus(square)).sqrt();
    let limit = norm.like(limit);
    limit.over(&norm.binary(Binary::Maximum, &limit))
}

/// Adam without the correction of its first steps, so that no step counter is carried; decay is decoupled from the
/// gradient. Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adam {
    pub rate: f64,
    pub decay: f64,
}

/// A parameter with its moments.
#[derive(Clone, Debug)]
pub(super) struct Trained<T> {
    pub parameter: T,
    pub first: T,
    pub second: T,
}

const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.99;
const EPSILON: f64 = 1e-6;

impl Adam {
    #[track_caller]
    pub(super) fn step<T: Tensor>(self, trained: &Trained<T>, gradient: &T) -> Trained<T> {
        let average = |old: &T, new: &T, keep: f64| old.scaled(keep).plus(&new.scaled(1.0 - keep));
        let first = average(&trained.first, gradient, FIRST_DECAY);
        let second = average(&trained.second, &gradient.squared(), SECOND_DECAY);
        let direction = first.over(&second.sqrt().shifted(EPSILON));
        let kept = if self.decay == 0.0 {
            trained.parameter.clone()
        } else {
            trained.parameter.scaled(1.0 - self.rate * self.decay)
        };
        Trained { parameter: kept.minus(&direction.scaled(self.rate)), first, second }
    }
}

/// All of a parameter, or as it was.
#[track_caller]
pub(super) fn choose_trained<M: Mask>(
    condition: &M,
    new: &Trained<M::Tensor>,
    old: &Trained<M::Tensor>,
) -> Trained<M::Tensor> {
    Trained {
        parameter: condition.choose(&new.parameter, &old.parameter),
        first: condition.choose(&new.first, &old.first),
        second: condition.choose(&new.second, &old.second),
    }
}

/// One step of gradient descent.
#[track_caller]
pub(super) fn descend<T: Tensor>(parameter: &T, gradient: &T, rate: f64) -> T {
    parameter.minus(&gradient.scaled(rate))
}

/// The derivative of `tanh` where this is its value.
#[track_caller]
pub(super) fn slope_of_tanh<T: Tensor>(value: &T) -> T {
    value.like(1.0).minus(&value.squared())
}

/// Reduces the last axis, and spreads the result over it again.
#[track_caller]
fn along_last<T: Tensor>(tensor: &T, by: Reduce) -> T {
    let last = tensor.shape().len() - 1;
    tensor.reduce(by, &[last]).spread(last, tensor.shape()[last])
}

/// The softmax along the last axis.
#[track_caller]
pub(super) fn softmax<T: Tensor>(logits: &T) -> T {
    let weights = logits.minus(&along_last(logits, Reduce::Maximum)).unary(Unary::Exponential);
    weights.over(&along_last(&weights, Reduce::Sum))
}

/// A choice along the last axis: one for what is chosen and zero for the rest, and the probabilities. Noise decides, so that
/// a step draws nothing itself. The gradient of minus the log-probability in the logits is the second minus the first.
#[track_caller]
pub(super) fn sample<T: Tensor>(logits: &T, noise: &T) -> (T, T) {
    let perturbed = logits.plus(noise);
    let is_chosen = perturbed.compare(Relation::AtLeast, &along_last(&perturbed, Reduce::Maximum));
    (is_chosen.choose(&logits.like(1.0), &logits.like(0.0)), softmax(logits))
}
