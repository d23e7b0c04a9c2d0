//! One parameter set that is beliefs and desires at once, as in a language model that is trained by reinforcement: a trunk
//! whose activations a probe reads, and a head that chooses one of some answers.
//!
//! There is no separation to check here: that the probe's reward trains what the probe reads is the point. What differs is
//! how it gets there, and what the probe reads.

use super::learning::{Adam, Trained, sample, slope_of_tanh};
use super::machine::{Machine, Reduce, Tensor};
use super::system::{Draw, Question, Slot, System};

/// Answers that are sampled and compared.
const GROUP: usize = 4;
/// Numbers of a prompt.
const PROMPT: usize = 5;
/// Numbers that a probe reads.
const WIDTH: usize = 6;
/// Answers to choose from.
const ANSWERS: usize = 3;
/// Rank of an adapter.
const RANK: usize = 2;
/// What the probe's score counts in the reward.
const PENALTY: f64 = 0.5;

/// How the probe gets into training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageModelVariant {
    /// Its score is a loss, and the gradient goes through the activations.
    ProbeLoss,
    /// Its score is a reward, a number without a gradient, for a policy gradient.
    Reinforce,
    /// The same, with rewards normalised over a group.
    Grpo,
    /// The same as [`LanguageModelVariant::Reinforce`], but only an adapter is trained.
    Adapter,
    /// As [`LanguageModelVariant::Reinforce`], but the probe reads a frozen copy.
    FrozenCopy,
    /// An adapter and the probe are trained together on labels; the reward trains the head alone, on features that it does
    /// not reach back into. After Obeso and others, "Real-time detection of hallucinated entities", 2025.
    CoTrained,
}

/// What is asked not to be reached, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageModelQuestion {
    /// From the probe's score to all that the model is.
    RewardToModel,
    /// From the probe's score to the frozen copy.
    RewardToCopy,
    /// From the loss on labels to all that the model is.
    LabelsToModel,
}

/// The system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanguageModel {
    /// How the probe gets into training.
    pub variant: LanguageModelVariant,
    /// What is asked.
    pub question: LanguageModelQuestion,
}

impl LanguageModel {
    /// A model of which is asked whether the reward reaches it.
    pub fn new(variant: LanguageModelVariant) -> Self {
        LanguageModel { variant, question: LanguageModelQuestion::RewardToModel }
    }

    fn has_adapter(&self) -> bool {
        matches!(self.variant, LanguageModelVariant::Adapter | LanguageModelVariant::CoTrained)
    }

    /// Names and shapes of what can be trained: trunk, head, then both halves of an adapter.
    fn parameters(&self) -> Vec<(&'static str, Vec<usize>)> {
        let is_apart = self.variant == LanguageModelVariant::CoTrained;
        let head = if is_apart { "desires.head" } else { "model.head" };
        let mut parameters = vec![("model.trunk", vec![PROMPT, WIDTH]), (head, vec![WIDTH, ANSWERS])];
        if self.has_adapter() {
            parameters.push(("model.adapter.down", vec![PROMPT, RANK]));
            parameters.push(("model.adapter.up", vec![RANK, WIDTH]));
        }
        parameters
    }
}

impl System for LanguageModel {
    fn name(&self) -> String {
        let asked = match self.question {
            LanguageModelQuestion::RewardToModel => "",
            LanguageModelQuestion::RewardToCopy => "_copy",
            LanguageModelQuestion::LabelsToModel => "_labels",
        };
        format!("language_model_{:?}{asked}", self.variant)
    }

    fn state(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (prefix, draw) in [("", Draw::Signed), ("adam.first.", Draw::Signed), ("adam.second.", Draw::Share)] {
            let of_parameters = self.parameters();
            slots.extend(of_parameters.iter().map(|(path, shape)| Slot::new(format!("{prefix}{path}"), shape, draw)));
        }
        slots.push(Slot::new("probe.direction", &[WIDTH], Draw::Signed));
        if self.variant == LanguageModelVariant::FrozenCopy {
            slots.push(Slot::new("copy.trunk", &[PROMPT, WIDTH], Draw::Signed));
        }
        slots
    }

    fn inputs(&self) -> Vec<Slot> {
        vec![
            Slot::new("batch.prompts", &[GROUP, PROMPT], Draw::Signed),
            Slot::new("batch.task", &[GROUP, ANSWERS], Draw::Signed),
            Slot::new("batch.noise", &[GROUP, ANSWERS], Draw::Signed),
            Slot::new("batch.labels", &[GROUP], Draw::Flag),
        ]
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        use LanguageModelVariant::*;
        let count = self.parameters().len();
        let mut state = state.into_iter();
        let [parameters, first, second] =
            std::array::from_fn(|_| state.by_ref().take(count).collect::<Vec<M::Tensor>>());
        let mut direction = state.next().expect("a direction of the probe");
        let copy = state.next();
        let [prompts, task, noise, labels] = <[M::Tensor; 4]>::try_from(inputs).ok().expect("four inputs");
        let share = 1.0 / GROUP as f64;

        let trunk = match parameters.get(2..) {
            Some([down, up]) => parameters[0].plus(&down.dot(up)),
            _ => parameters[0].clone(),
        };
        let head = &parameters[1];
        let activations = prompts.dot(&trunk).tanh();
        let logits = activations.dot(head);
        let (chosen, probabilities) = sample(&logits, &noise);

        // What the probe says of each answer.
        let read = copy.as_ref().map_or(activations.clone(), |copy| prompts.dot(copy).tanh());
        let raw_score = machine.scope("probe", || read.dot(&direction).tanh());
        let asks_labels = self.question == LanguageModelQuestion::LabelsToModel;
        let score = if asks_labels { raw_score.clone() } else { machine.leaves_probe(raw_score.clone()) };
        let earned = task.times(&chosen).reduce(Reduce::Sum, &[1]);
        let reward = match self.variant {
            ProbeLoss => earned,
            _ => earned.minus(&score.scaled(PENALTY)),
        };

        // Policy gradient.
        let advantage = match self.variant {
            Grpo => {
                let centred = reward.minus(&reward.mean());
                let spread = centred.squared().mean().sqrt();
                centred.over(&spread.shifted(1e-4))
            }
            _ => reward,
        };
        let to_logits = probabilities.minus(&chosen).times(&advantage.spread(1, ANSWERS)).scaled(share);
        let to_head = activations.transposed_dot(&to_logits);
        let mut to_activations = to_logits.dot_transposed(head);
        if self.variant == ProbeLoss {
            let cotangent =
                machine.scope("probe", || slope_of_tanh(&raw_score).scaled(PENALTY * share).outer(&direction));
            to_activations = to_activations.plus(&machine.cotangent_leaves_probe(cotangent));
        }
        if self.variant == CoTrained {
            // The head learns on features that it does not reach back into; labels train what they are read from.
            let error = machine.scope("label_loss", || {
                let says = activations.dot(&direction).logistic();
                says.minus(&labels).scaled(share)
            });
            // What is asked about labels begins here.
            let error = if asks_labels { machine.leaves_probe(error) } else { error };
            to_activations = error.outer(&direction);
            direction = direction.minus(&error.dot(&activations).scaled(0.01));
        }
        let slope = slope_of_tanh(&activations);
        let to_trunk = prompts.transposed_dot(&to_activations.times(&slope));
        let mut gradients = vec![to_trunk.clone(), to_head];
        if let Some([down, up]) = parameters.get(2..) {
            gradients[0] = to_trunk.like(0.0);
            gradients.push(to_trunk.dot_transposed(up));
            gradients.push(down.transposed_dot(&to_trunk));
        }

        // One optimizer for all: the trunk under an adapter is not in it.
        let adam = Adam { rate: 0.01, decay: 0.0 };
        let moments = first.into_iter().zip(second);
        let trained = parameters.into_iter().zip(moments).zip(gradients).enumerate();
        let after = trained.map(|(at, ((parameter, (first, second)), gradient))| {
            let old = Trained { parameter, first, second };
            let is_frozen = at == 0 && self.has_adapter();
            if is_frozen { old } else { adam.step(&old, &gradient) }
        });
        let (mut parameters, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
        for trained in after {
            parameters.push(trained.parameter);
            first.push(trained.first);
            second.push(trained.second);
        }
        [parameters, first, second, vec![direction], copy.into_iter().collect()].concat()
    }

    fn question(&self) -> Question {
        let is_apart = self.variant == LanguageModelVariant::CoTrained;
        let (from, to, trains) = match self.question {
            LanguageModelQuestion::RewardToModel if is_apart => ("probe", "model", "output:result.desires.**"),
            LanguageModelQuestion::RewardToModel => ("probe", "model", "output:result.model.**"),
            LanguageModelQuestion::RewardToCopy => ("probe", "copy", "output:result.model.**"),
            LanguageModelQuestion::LabelsToModel => ("label_loss", "model", "output:result.probe.**"),
        };
        Question {
            from: vec![format!("scope:{from}")],
            to: vec![format!("output:**.{to}.**")],
            trains: vec![trains.into()],
            data: vec!["input:batch.**".into()],
            ..Question::default()
        }
    }
}
