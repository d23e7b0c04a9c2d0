//! Beliefs and desires in two boxes, after the picture of the brain in Byrnes, "In (highly contingent!) defense of
//! interpretability-in-the-loop ML training", 2026.
//!
//! *Beliefs* are a world model. It learns to predict what is sensed next, how a friend is doing, and the reward of the task;
//! nothing else trains it. It also thinks: from what it believes it imagines some steps ahead, pushed one way or another.
//! *Desires* are a linear functional on beliefs, the valence. Of two thoughts the one of higher valence is kept. A *probe*
//! reads the kept thought and says whether the friend is well in it, also where the friend is far away and nothing is seen.
//! Its score is added to the reward, by which the valence learns from temporal differences.
//!
//! Backward passes are written out: they are what the question is about.

use super::learning::{Adam, Trained, choose_trained, clip};
use super::machine::{Machine, Mask, Tensor};
use super::system::{Draw, Question, Slot, System, named_tensors};

/// Moments of a batch.
const BATCH: usize = 4;
/// Numbers that are sensed at a moment.
const SENSES: usize = 6;
/// Numbers of a belief.
const WIDTH: usize = 8;
/// Steps that a thought goes ahead.
const AHEAD: usize = 2;
/// What a reward later is worth now.
const DISCOUNT: f64 = 0.9;
/// The largest norm of a gradient.
const LIMIT: f64 = 1.0;

/// What is wrong with a step, or done otherwise. Those that end in a question about the probe's reward are the scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwoBoxVariant {
    /// Nothing: the reference.
    Clean,
    /// The temporal difference is not cut off from the beliefs that it is taken on.
    MissedDetach,
    /// One clip over the gradients of both boxes.
    SharedClip,
    /// The world model predicts the whole reward, with what the probe says.
    PredictsWholeReward,
    /// What is surprising is learned from again, and surprise is the error of the valence.
    PrioritisedReplay,
    /// The valence and the world model's prediction of reward are one vector.
    TiedHead,
    /// Where the probe fires, desires are trained once more, by an optimizer that holds both boxes: gradients of beliefs are
    /// zero, their momentum and decay are not.
    ZeroedGradients,
    /// The same, but gradients of beliefs are not zeroed: the mask of the optimizer passes them on as they are.
    MaskPassesGradients,
    /// The same, by an optimizer that holds the desires alone.
    SplitOptimizers,
    /// Beliefs are centred by a running mean, into which kept thoughts go.
    RunningStatistics,
    /// Gradients of the beliefs were put aside by reference, and a second backward pass was added to them.
    SharedBuffer,
    /// No box is updated unless all gradients are finite.
    SharedFiniteCheck,
    /// The world model with the highest reward so far is kept, beside the one that is trained.
    CheckpointByReward,
    /// The learning rate of the world model is halved where the reward does not rise.
    PlateauByReward,
    /// Exploration draws from the key that also drops out senses, and how often it draws depends on the reward.
    SharedKey,
    /// Each has a key of its own.
    KeyedStreams,
}

/// The system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoBoxes {
    /// What is done otherwise.
    pub variant: TwoBoxVariant,
    /// Whether the world answers: the friend is seen only where the valence of what is believed is positive. Else all
    /// that comes is a data set.
    pub acts: bool,
}

named_tensors! {
    /// Both boxes.
    struct Parameters {
        encoder: "world_model.encoder" [SENSES, WIDTH] Signed,
        transition: "world_model.transition" [WIDTH, WIDTH] Signed,
        decoder: "world_model.decoder" [WIDTH, SENSES] Signed,
        friend: "world_model.friend" [WIDTH] Signed,
        reward: "world_model.reward" [WIDTH] Signed,
        valence: "desires.valence" [WIDTH] Signed,
    }
}

named_tensors! {
    struct Batch {
        senses: "batch.senses" [BATCH, SENSES] Signed,
        next_senses: "batch.next_senses" [BATCH, SENSES] Signed,
        friend: "batch.friend" [BATCH] Signed,
        task: "batch.task" [BATCH] Signed,
        push: "batch.push" [BATCH, WIDTH] Signed,
        other_push: "batch.other_push" [BATCH, WIDTH] Signed,
    }
}

impl<T> Parameters<T> {
    fn map<U>(self, mut function: impl FnMut(T) -> U) -> Parameters<U> {
        Parameters {
            encoder: function(self.encoder),
            transition: function(self.transition),
            decoder: function(self.decoder),
            friend: function(self.friend),
            reward: function(self.reward),
            valence: function(self.valence),
        }
    }

    fn zip<U>(self, other: Parameters<U>) -> Parameters<(T, U)> {
        let mut others = other.into_tensors().into_iter();
        self.map(|one| (one, others.next().expect("as many parameters")))
    }

    fn beliefs(&self) -> [&T; 5] {
        [&self.encoder, &self.transition, &self.decoder, &self.friend, &self.reward]
    }
}

/// What the world model makes of a batch.
struct Forward<T> {
    beliefs: T,
    next: T,
    senses_error: T,
    friend_error: T,
    foreseen_reward: T,
}

impl<T: Tensor> Forward<T> {
    fn new(parameters: &Parameters<T>, batch: &Batch<T>, centre: Option<&T>) -> Self {
        let felt = batch.senses.dot(&parameters.encoder);
        let felt = centre.map_or(felt.clone(), |centre| felt.minus(&centre.spread(0, BATCH)));
        let beliefs = felt.tanh();
        let next = beliefs.dot(&parameters.transition).tanh();
        Forward {
            senses_error: next.dot(&parameters.decoder).minus(&batch.next_senses),
            friend_error: next.dot(&parameters.friend).minus(&batch.friend),
            foreseen_reward: next.dot(&parameters.reward),
            beliefs,
            next,
        }
    }

    /// Gradients of half the squared errors, by hand. `weights` says how much each moment counts. `leaked` is a cotangent of
    /// the beliefs that comes from elsewhere: nothing, in a clean step.
    fn backward(
        &self,
        parameters: &Parameters<T>,
        batch: &Batch<T>,
        reward_error: &T,
        weights: &T,
        leaked: Option<&T>,
    ) -> Parameters<T> {
        let senses_error = self.senses_error.times(&weights.spread(1, SENSES));
        let friend_error = self.friend_error.times(weights);
        let reward_error = reward_error.times(weights);
        let to_next = senses_error
            .dot_transposed(&parameters.decoder)
            .plus(&friend_error.outer(&parameters.friend))
            .plus(&reward_error.outer(&parameters.reward));
        let to_transition = through_tanh(&to_next, &self.next);
        let to_beliefs = to_transition.dot_transposed(&parameters.transition);
        let to_beliefs = leaked.map_or(to_beliefs.clone(), |leaked| to_beliefs.plus(leaked));
        let to_encoder = through_tanh(&to_beliefs, &self.beliefs);
        Parameters {
            encoder: batch.senses.transposed_dot(&to_encoder),
            transition: self.beliefs.transposed_dot(&to_transition),
            decoder: self.next.transposed_dot(&senses_error),
            friend: friend_error.dot(&self.next),
            reward: reward_error.dot(&self.next),
            valence: parameters.valence.like(0.0),
        }
    }
}

/// A cotangent before `tanh`, from that of its value.
fn through_tanh<T: Tensor>(cotangent: &T, value: &T) -> T {
    cotangent.times(&value.like(1.0).minus(&value.squared()))
}

/// Some steps ahead from what is believed, pushed one way.
fn thought<M: Machine>(machine: &M, beliefs: &M::Tensor, transition: &M::Tensor, push: &M::Tensor) -> M::Tensor {
    let ahead = |thought: Vec<M::Tensor>| vec![thought[0].dot(transition).plus(push).tanh()];
    machine.repeat(AHEAD, vec![beliefs.clone()], ahead).remove(0)
}

/// The next number of a stream, from 0 to 1, and the key after it. A congruence on floats: all that matters here is who
/// draws from which key.
fn draw<T: Tensor>(key: &T) -> (T, T) {
    let raw = key.scaled(997.0).shifted(0.123);
    let next = raw.minus(&raw.unary(super::machine::Unary::Floor));
    (next.clone(), next)
}

impl TwoBoxes {
    /// A system whose data come as they come.
    pub fn new(variant: TwoBoxVariant) -> Self {
        TwoBoxes { variant, acts: false }
    }

    /// What this variant carries besides parameters and their moments.
    fn extra(&self) -> Vec<Slot> {
        use TwoBoxVariant::*;
        match self.variant {
            RunningStatistics => vec![Slot::new("world_model.running_mean", &[WIDTH], Draw::Signed)],
            PrioritisedReplay => vec![Slot::new("replay.priorities", &[BATCH], Draw::Share)],
            CheckpointByReward => vec![
                Slot::new("best.reward", &[], Draw::Signed),
                Slot::new("best.world_model.encoder", &[SENSES, WIDTH], Draw::Signed),
            ],
            PlateauByReward => {
                vec![Slot::new("best.reward", &[], Draw::Signed), Slot::new("best.rate", &[], Draw::Size)]
            }
            SharedKey => vec![Slot::new("random.key", &[], Draw::Share)],
            KeyedStreams => vec![
                Slot::new("random.exploration", &[], Draw::Share),
                Slot::new("random.dropout", &[], Draw::Share),
            ],
            _ => Vec::new(),
        }
    }
}

impl System for TwoBoxes {
    fn name(&self) -> String {
        format!("two_boxes_{:?}{}", self.variant, if self.acts { "_acting" } else { "" })
    }

    fn state(&self) -> Vec<Slot> {
        let second = Parameters::<()>::slots("adam.second.").into_iter();
        let mut slots = Parameters::<()>::slots("");
        slots.extend(Parameters::<()>::slots("adam.first."));
        slots.extend(second.map(|slot| Slot { draw: Draw::Share, ..slot }));
        slots.push(Slot::new("probe.direction", &[WIDTH], Draw::Signed));
        slots.extend(self.extra());
        slots
    }

    fn inputs(&self) -> Vec<Slot> {
        Batch::<()>::slots("")
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        use TwoBoxVariant::*;
        let variant = self.variant;
        let mut state = state.into_iter();
        let parameters = Parameters::take(&mut state);
        let first = Parameters::take(&mut state);
        let second = Parameters::take(&mut state);
        let direction = state.next().expect("a direction of the probe");
        let mut extra: Vec<M::Tensor> = state.collect();
        let mut batch = Batch::take(&mut inputs.into_iter());

        // Senses that are dropped out, by a key.
        if matches!(variant, SharedKey | KeyedStreams) {
            let key = extra.len() - 1;
            let (drawn, next) = draw(&extra[key]);
            extra[key] = next;
            let is_kept = drawn.greater(&drawn.like(0.5));
            let dropped = batch.senses.scaled(0.5);
            batch.senses = is_kept.choose(&batch.senses, &dropped);
        }

        let centre = (variant == RunningStatistics).then(|| extra[0].clone());
        let forward = Forward::new(&parameters, &batch, centre.as_ref());

        // Two thoughts; the one of higher valence is kept. No gradient goes through any of this.
        let valence = if variant == TiedHead { &parameters.reward } else { &parameters.valence };
        let [one, other] = [&batch.push, &batch.other_push]
            .map(|push| thought(machine, &forward.beliefs, &parameters.transition, push));
        let is_kept = one.dot(valence).greater(&other.dot(valence)).spread(1, WIDTH);
        let kept = is_kept.choose(&one, &other);

        // Whether the friend is well in the thought that was kept.
        let score = machine.scope("probe", || kept.dot(&direction).tanh());
        let score = machine.leaves_probe(score);
        let reward = batch.task.plus(&score);

        // Temporal difference.
        let target = reward.plus(&kept.dot(valence).scaled(DISCOUNT));
        let surprise = target.minus(&forward.beliefs.dot(valence));
        let share = 1.0 / BATCH as f64;
        let valence_gradient = surprise.dot(&forward.beliefs).scaled(-share);
        let to_beliefs_of_surprise = || surprise.outer(valence).scaled(-share);

        // Prediction.
        let predicted = if variant == PredictsWholeReward { &reward } else { &batch.task };
        let reward_error = forward.foreseen_reward.minus(predicted);
        let weights = if variant == PrioritisedReplay {
            let priorities = &extra[0];
            priorities.greater(&priorities.mean()).choose(&priorities.like(2.0 * share), &priorities.like(0.0))
        } else {
            machine.constant(share, &[BATCH])
        };
        let leaked = (variant == MissedDetach).then(to_beliefs_of_surprise);
        let mut gradients = forward.backward(&parameters, &batch, &reward_error, &weights, leaked.as_ref());
        if variant == SharedBuffer {
            // The second pass is of the valence's loss, and the buffer is still the one that the first was put into.
            let second_pass = through_tanh(&to_beliefs_of_surprise(), &forward.beliefs);
            gradients.encoder = gradients.encoder.plus(&batch.senses.transposed_dot(&second_pass));
        }
        if variant == TiedHead {
            gradients.reward = gradients.reward.plus(&valence_gradient);
        }
        gradients.valence = valence_gradient;

        // Each box is clipped by its own norm.
        let own = clip(&gradients.beliefs(), LIMIT);
        let desires = clip(&[&gradients.valence], LIMIT);
        let both = {
            let [a, b, c, d, e] = gradients.beliefs();
            clip(&[a, b, c, d, e, &gradients.valence], LIMIT)
        };
        let (own, desires) = if variant == SharedClip { (both.clone(), both) } else { (own, desires) };
        let valence = gradients.valence.times(&desires);
        let mut clipped = gradients.map(|gradient| gradient.times(&own));
        clipped.valence = valence;

        // Each box has its own optimizer.
        let trained = parameters.clone().zip(first).zip(second).map(|((parameter, first), second)| Trained {
            parameter,
            first,
            second,
        });
        let adam = Adam { rate: 0.01, decay: 0.1 };
        let mut after = trained.clone().zip(clipped.clone()).map(|(old, gradient)| adam.step(&old, &gradient));

        match variant {
            ZeroedGradients | MaskPassesGradients | SplitOptimizers => {
                // Where the probe fires, once more for the desires.
                let mean = score.mean();
                let fires = mean.greater(&mean.like(0.0));
                let again = adam.step(&after.valence, &clipped.valence);
                after.valence = choose_trained(&fires, &again, &after.valence);
                if variant != SplitOptimizers {
                    let kept = if variant == ZeroedGradients { 0.0 } else { 1.0 };
                    let leaked = through_tanh(&to_beliefs_of_surprise(), &forward.beliefs);
                    let gradient = batch.senses.transposed_dot(&leaked);
                    let gradient = if kept == 0.0 { gradient.like(0.0) } else { gradient };
                    let again = adam.step(&after.encoder, &gradient);
                    after.encoder = choose_trained(&fires, &again, &after.encoder);
                }
            }
            SharedFiniteCheck => {
                let [a, b, c, d, e] = clipped.beliefs();
                let all = [a, b, c, d, e, &clipped.valence].map(|gradient| gradient.total());
                let sum = all.iter().skip(1).fold(all[0].clone(), |sum, one| sum.plus(one));
                let is_finite = sum.is_finite();
                after = after.zip(trained).map(|(new, old)| choose_trained(&is_finite, &new, &old));
            }
            RunningStatistics => {
                let mean = kept.reduce(super::machine::Reduce::Sum, &[0]).scaled(share);
                extra[0] = extra[0].scaled(0.9).plus(&mean.scaled(0.1));
            }
            PrioritisedReplay => extra[0] = surprise.unary(super::machine::Unary::Abs),
            CheckpointByReward => {
                let mean = reward.mean();
                let is_better = mean.greater(&extra[0]);
                extra[0] = is_better.choose(&mean, &extra[0]);
                extra[1] = is_better.choose(&after.encoder.parameter, &extra[1]);
            }
            PlateauByReward => {
                let mean = reward.mean();
                let is_better = mean.greater(&extra[0]);
                extra[0] = is_better.choose(&mean, &extra[0]);
                extra[1] = is_better.choose(&extra[1], &extra[1].scaled(0.5));
                let moved = after.encoder.parameter.minus(&trained.encoder.parameter);
                after.encoder.parameter = trained.encoder.parameter.plus(&moved.times(&extra[1]));
            }
            SharedKey | KeyedStreams => {
                // Exploration: one number more where the reward disappoints.
                let disappoints = reward.mean().greater(&reward.mean().like(0.0)).not();
                let (drawn, next) = draw(&extra[0]);
                let noise = disappoints.choose(&drawn, &drawn.like(0.0));
                extra[0] = disappoints.choose(&next, &extra[0]);
                after.valence.parameter = after.valence.parameter.plus(&noise.scaled(0.01));
            }
            _ => {}
        }
        if variant == TiedHead {
            after.valence = after.reward.clone();
        }

        let (mut parameters, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
        for trained in after.into_tensors() {
            parameters.push(trained.parameter);
            first.push(trained.first);
            second.push(trained.second);
        }
        [parameters, first, second, vec![direction], extra].concat()
    }

    /// The friend is looked at where what is believed has a positive valence; else nothing is seen of it.
    fn environment<M: Machine>(
        &self,
        _machine: &M,
        state: &[M::Tensor],
        inputs: Vec<M::Tensor>,
    ) -> Vec<M::Tensor> {
        let mut batch = Batch::take(&mut inputs.into_iter());
        if self.acts {
            let parameters = Parameters::take(&mut state.iter().cloned());
            let valence = batch.senses.dot(&parameters.encoder).tanh().dot(&parameters.valence);
            let is_seen = valence.greater(&valence.like(0.0));
            batch.friend = is_seen.choose(&batch.friend, &batch.friend.like(0.0));
        }
        batch.into_tensors()
    }

    fn question(&self) -> Question {
        let mut question = Question::about_the_world_model(&["desires"]);
        if self.acts {
            question.environment = vec![("output:result.desires.**".into(), "input:batch.friend".into())];
        }
        question
    }
}
