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

use super::learning::{Adam, Trained, choose_trained, clip, slope_of_tanh};
use super::machine::{Machine, Mask, Reduce, Relation, Tensor, Unary};
use super::system::{Draw, Question, Slot, System, named_tensors};

/// Moments of a batch.
const BATCH: usize = 4;
/// Numbers that are sensed at a moment.
const SENSES: usize = 6;
/// Numbers of a belief.
const WIDTH: usize = 8;
/// Batches in the replay buffer.
const REPLAYED: usize = 2;
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
    /// Of two batches in the replay buffer the world model learns from the one that surprised the valence more.
    PrioritisedReplay,
    /// The same, but a coin decides.
    UniformReplay,
    /// The valence and the world model's prediction of reward are one vector.
    TiedHead,
    /// Steps of prediction and steps of desire take turns, as the data say. A step of desire is done where the probe fires,
    /// by an optimizer that holds both boxes: gradients of beliefs are zeroed, their momentum and decay are not.
    ZeroedGradients,
    /// The same, but the mask of the optimizer passes gradients of beliefs on as they are.
    MaskPassesGradients,
    /// The same, by an optimizer that holds the desires alone.
    SplitOptimizers,
    /// Beliefs are centred by a running mean, into which thoughts go as they are dwelt on.
    RunningStatistics,
    /// Gradients of the beliefs were put aside by reference, and a second backward pass was added to them.
    SharedBuffer,
    /// No box is updated unless all gradients are finite.
    SharedFiniteCheck,
    /// Of two checkpoints of the world model the one is kept in which the reward is higher.
    CheckpointByReward,
    /// The world model is not updated where the reward does not rise.
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
    /// Whether the world answers: where the friend is looked at depends on the valence of what is believed. Else all that
    /// comes is a data set.
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

impl<T: Tensor> Batch<T> {
    /// One batch of several.
    fn row(&self, index: &T) -> Self {
        Batch {
            senses: self.senses.row(index),
            next_senses: self.next_senses.row(index),
            friend: self.friend.row(index),
            task: self.task.row(index),
            push: self.push.row(index),
            other_push: self.other_push.row(index),
        }
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
    cotangent.times(&slope_of_tanh(value))
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
    let next = raw.minus(&raw.unary(Unary::Floor));
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
            PrioritisedReplay => vec![Slot::new("replay.priorities", &[REPLAYED], Draw::Size)],
            CheckpointByReward => vec![Slot::new("best.world_model.encoder", &[SENSES, WIDTH], Draw::Signed)],
            PlateauByReward => vec![Slot::new("best.reward", &[], Draw::Signed)],
            SharedKey => vec![Slot::new("random.key", &[], Draw::Share)],
            KeyedStreams => {
                vec![Slot::new("random.exploration", &[], Draw::Share), Slot::new("random.dropout", &[], Draw::Share)]
            }
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
        use TwoBoxVariant::*;
        let mut slots = Batch::<()>::slots("");
        slots.extend(match self.variant {
            PrioritisedReplay | UniformReplay => {
                let buffer = Batch::<()>::slots("replayed.").into_iter();
                let many = |slot: Slot| Slot { shape: [vec![REPLAYED], slot.shape].concat(), ..slot };
                buffer.map(many).chain([Slot::new("batch.coin", &[], Draw::Share)]).collect()
            }
            CheckpointByReward => vec![Slot::new("checkpoints.encoder", &[2, SENSES, WIDTH], Draw::Signed)],
            ZeroedGradients | MaskPassesGradients | SplitOptimizers => {
                vec![Slot::new("batch.is_prediction", &[], Draw::Flag)]
            }
            _ => Vec::new(),
        });
        slots
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
        let mut inputs = inputs.into_iter();
        let mut batch = Batch::take(&mut inputs);
        let mut more = inputs;

        // Which batch of the replay buffer it is.
        let mut replayed = None;
        if matches!(variant, PrioritisedReplay | UniformReplay) {
            let buffer = Batch::take(&mut more);
            let coin = more.next().expect("a coin");
            let is_second = if variant == PrioritisedReplay {
                let [first, second] = [0.0, 1.0].map(|at| extra[0].row(&machine.constant(at, &[])));
                second.greater(&first)
            } else {
                coin.greater(&coin.like(0.5))
            };
            let index = is_second.choose(&coin.like(1.0), &coin.like(0.0));
            batch = buffer.row(&index);
            replayed = Some(index);
        }
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
        let weights = machine.constant(share, &[BATCH]);
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
        let of_valence = valence.clone();
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
                let is_prediction = more.next().expect("whose turn it is");
                let is_prediction = is_prediction.greater(&is_prediction.like(0.5));
                let mean = score.mean();
                let fires = mean.greater(&mean.like(0.0));
                // A test says whether a box is updated at all; whose turn it is says by what.
                let is_updated = is_prediction.or(&fires);
                let valence = choose_trained(&is_prediction.not().and(&fires), &after.valence, &trained.valence);
                let encoder = if variant == SplitOptimizers {
                    choose_trained(&is_prediction, &after.encoder, &trained.encoder)
                } else {
                    // What the loss of the valence gives for the beliefs.
                    let leaked = through_tanh(&to_beliefs_of_surprise(), &forward.beliefs);
                    let leaked = batch.senses.transposed_dot(&leaked);
                    let gradient = if variant == ZeroedGradients { leaked.like(0.0) } else { leaked };
                    let moved = adam.step(&trained.encoder, &gradient);
                    let moved = choose_trained(&is_prediction, &after.encoder, &moved);
                    choose_trained(&is_updated, &moved, &trained.encoder)
                };
                after = after.zip(trained).map(|(new, old)| choose_trained(&is_prediction, &new, &old));
                (after.valence, after.encoder) = (valence, encoder);
            }
            SharedFiniteCheck => {
                let [a, b, c, d, e] = clipped.beliefs();
                let all = [a, b, c, d, e, &clipped.valence].map(|gradient| gradient.total());
                let sum = all.iter().skip(1).fold(all[0].clone(), |sum, one| sum.plus(one));
                let is_finite = sum.is_finite();
                after = after.zip(trained).map(|(new, old)| choose_trained(&is_finite, &new, &old));
            }
            RunningStatistics => {
                // Each thought counts as much as it is dwelt on.
                let dwelt = one.dot(&of_valence).minus(&other.dot(&of_valence)).logistic().spread(1, WIDTH);
                let felt = other.plus(&dwelt.times(&one.minus(&other)));
                let mean = felt.reduce(Reduce::Sum, &[0]).scaled(share);
                extra[0] = extra[0].scaled(0.9).plus(&mean.scaled(0.1));
            }
            PrioritisedReplay => {
                // The priority of what was replayed.
                let index = replayed.expect("something is replayed").spread(0, REPLAYED);
                let is_replayed = machine.count_up(REPLAYED).compare(Relation::Equal, &index);
                let surprise = surprise.unary(Unary::Abs).mean().spread(0, REPLAYED);
                extra[0] = is_replayed.choose(&surprise, &extra[0]);
            }
            CheckpointByReward => {
                // Each is judged by what the probe says of its beliefs.
                let checkpoints = more.next().expect("checkpoints");
                let [worth, other_worth] = [0.0, 1.0].map(|at| {
                    let encoder = checkpoints.row(&machine.constant(at, &[]));
                    let beliefs = batch.senses.dot(&encoder).tanh();
                    let score = machine.scope("probe", || beliefs.dot(&direction).tanh());
                    batch.task.plus(&machine.leaves_probe(score)).mean()
                });
                let index = other_worth.greater(&worth).choose(&worth.like(1.0), &worth.like(0.0));
                extra[0] = checkpoints.row(&index);
            }
            PlateauByReward => {
                let mean = reward.mean();
                let is_better = mean.greater(&extra[0]);
                extra[0] = is_better.choose(&mean, &extra[0]);
                let valence = after.valence.clone();
                after = after.zip(trained).map(|(new, old)| choose_trained(&is_better, &new, &old));
                after.valence = valence;
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

    /// The friend is seen the more clearly the higher the valence of what is believed.
    fn environment<M: Machine>(&self, _machine: &M, state: &[M::Tensor], inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let mut inputs = inputs.into_iter();
        let mut batch = Batch::take(&mut inputs);
        if self.acts {
            let parameters = Parameters::take(&mut state.iter().cloned());
            let valence = batch.senses.dot(&parameters.encoder).tanh().dot(&parameters.valence);
            batch.friend = batch.friend.times(&valence.logistic());
        }
        [batch.into_tensors(), inputs.collect()].concat()
    }

    fn question(&self) -> Question {
        let mut question = Question::about_the_world_model(&["desires"]);
        match self.variant {
            TwoBoxVariant::PrioritisedReplay | TwoBoxVariant::UniformReplay => {
                question.data.push("input:replayed.**".into());
            }
            TwoBoxVariant::CheckpointByReward => question.data.push("input:checkpoints.**".into()),
            _ => {}
        }
        if self.acts {
            question.environment = vec![("output:result.desires.**".into(), "input:batch.friend".into())];
        }
        question
    }
}
