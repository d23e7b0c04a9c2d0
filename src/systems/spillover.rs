//! A thought and an output, and a penalty on the output alone: does it change the thought, on which a monitor relies? After
//! Drori and others, "Output supervision can obfuscate the chain of thought", 2025.
//!
//! There are two ways. *Parametric*: both are made by the same parameters. *Conditional*: the output follows from the
//! thought, so that a policy gradient of the penalty goes to what chose the thought. Each has its remedy, and one remedy
//! leaves the other way open.

use super::learning::{descend, sample};
use super::machine::{Machine, Reduce, Tensor};
use super::system::{Question, Slot, System, named_tensors};

/// Samples of a batch.
const GROUP: usize = 4;
/// Numbers of a prompt.
const PROMPT: usize = 4;
/// Thoughts, and as many outputs.
const CHOICES: usize = 3;
/// How far one update goes.
const RATE: f64 = 0.1;

/// The system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spillover {
    /// Whether thoughts and outputs are made by the same parameters.
    pub shares_parameters: bool,
    /// Whether what chose the thought is kept from the penalty on the output: reward targeting.
    pub targets_reward: bool,
}

named_tensors! {
    struct State {
        mind: "mind.weights" [PROMPT, CHOICES] Signed,
        face: "face.weights" [PROMPT, CHOICES] Signed,
        follows: "face.follows" [CHOICES, CHOICES] Signed,
        monitor: "monitor.direction" [CHOICES] Signed,
    }
}

named_tensors! {
    struct Batch {
        prompts: "batch.prompts" [GROUP, PROMPT] Signed,
        task: "batch.task" [GROUP, CHOICES] Signed,
        thought_noise: "batch.thought_noise" [GROUP, CHOICES] Signed,
        output_noise: "batch.output_noise" [GROUP, CHOICES] Signed,
    }
}

impl System for Spillover {
    fn name(&self) -> String {
        let parameters = if self.shares_parameters { "shared" } else { "apart" };
        format!("spillover_{parameters}{}", if self.targets_reward { "_targeted" } else { "" })
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
        let makes_output = if self.shares_parameters { &state.mind } else { &state.face };

        let (thought, thoughts) = sample(&batch.prompts.dot(&state.mind), &batch.thought_noise);
        let follows = thought.dot(&state.follows);
        let (output, outputs) = sample(&batch.prompts.dot(makes_output).plus(&follows), &batch.output_noise);

        // The penalty is on the output, and nobody trains on what is thought of it.
        let penalty = machine.scope("probe", || output.dot(&state.monitor));
        let penalty = machine.leaves_probe(penalty);
        let earned = batch.task.times(&thought).reduce(Reduce::Sum, &[1]);
        let reward = earned.minus(&penalty);
        let of_thought = if self.targets_reward { &earned } else { &reward };

        let share = 1.0 / GROUP as f64;
        let push = |gradient: &M::Tensor, by: &M::Tensor| gradient.times(&by.spread(1, CHOICES)).scaled(share);
        let of_mind = batch.prompts.transposed_dot(&push(&thoughts.minus(&thought), of_thought));
        let push_output = push(&outputs.minus(&output), &reward);
        let of_face = batch.prompts.transposed_dot(&push_output);
        let step = |old: &M::Tensor, gradient: &M::Tensor| descend(old, gradient, RATE);
        let mind = if self.shares_parameters { of_mind.plus(&of_face) } else { of_mind };
        State {
            mind: step(&state.mind, &mind),
            face: if self.shares_parameters { state.face.clone() } else { step(&state.face, &of_face) },
            follows: step(&state.follows, &thought.transposed_dot(&push_output)),
            monitor: state.monitor.clone(),
        }
        .into_tensors()
    }

    fn question(&self) -> Question {
        Question {
            from: vec!["scope:probe".into()],
            to: vec!["output:result.mind.**".into()],
            trains: vec!["output:result.face.**".into()],
            data: vec!["input:batch.**".into()],
            ..Question::default()
        }
    }
}
