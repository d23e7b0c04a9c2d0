//! Rewards that come later or from within: approval of one step at a time, and a reward that an agent gives itself by
//! imagining what the probe likes.
//!
//! *Approval*, after Farquhar and others, "MONA: Myopic optimization with non-myopic approval", 2025: a step is judged when it is
//! done, and no return of later steps goes back to it. What is asked is whether what the probe says of the second step
//! trains the policy of the first. *Self-administered*: what is imagined is chosen by desires, the probe reads it, and its score
//! is a reward like any other; it may or may not also be remembered as if it had been sensed.

use super::learning::sample;
use super::machine::{Machine, Tensor};
use super::system::{Question, Slot, System, named_tensors};

/// Numbers of a state of the world.
const WIDTH: usize = 4;
/// Actions, and as many things to imagine.
const ACTIONS: usize = 3;
/// How far one update goes.
const RATE: f64 = 0.1;

named_tensors! {
    struct Policies {
        first: "first_step.policy" [WIDTH, ACTIONS] Signed,
        second: "second_step.policy" [WIDTH, ACTIONS] Signed,
        effects: "world.effects" [ACTIONS, WIDTH] Signed,
        direction: "probe.direction" [WIDTH] Signed,
    }
}

named_tensors! {
    struct Episode {
        begins: "batch.begins" [WIDTH] Signed,
        approval: "batch.approval" [ACTIONS] Signed,
        noise: "batch.noise" [ACTIONS] Signed,
        other_noise: "batch.other_noise" [ACTIONS] Signed,
    }
}

/// Two steps, each with a policy of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoSteps {
    /// Whether a step is trained by approval of itself alone, and not by the return.
    pub is_myopic: bool,
}

impl System for TwoSteps {
    fn name(&self) -> String {
        format!("two_steps_{}", if self.is_myopic { "approval" } else { "return" })
    }

    fn state(&self) -> Vec<Slot> {
        Policies::<()>::slots("")
    }

    fn inputs(&self) -> Vec<Slot> {
        Episode::<()>::slots("")
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let state = Policies::take(&mut state.into_iter());
        let episode = Episode::take(&mut inputs.into_iter());
        let (action, actions) = sample(&episode.begins.dot(&state.first), &episode.noise);
        let between = episode.begins.plus(&action.dot(&state.effects)).tanh();
        let (last_action, last_actions) = sample(&between.dot(&state.second), &episode.other_noise);
        let ends = between.plus(&last_action.dot(&state.effects)).tanh();

        let score = machine.scope("probe", || ends.dot(&state.direction).tanh());
        let score = machine.leaves_probe(score);
        let approved = episode.approval.times(&action).total();
        let earned = if self.is_myopic { approved } else { approved.plus(&score) };
        let step = |old: &M::Tensor, seen: &M::Tensor, to_action: M::Tensor, earned: &M::Tensor| {
            old.minus(&seen.outer(&to_action).times(earned).scaled(RATE))
        };
        Policies {
            first: step(&state.first, &episode.begins, actions.minus(&action), &earned),
            second: step(&state.second, &between, last_actions.minus(&last_action), &score),
            effects: state.effects.clone(),
            direction: state.direction.clone(),
        }
        .into_tensors()
    }

    fn question(&self) -> Question {
        Question {
            from: vec!["scope:probe".into()],
            to: vec!["output:result.first_step.**".into()],
            trains: vec!["output:result.second_step.**".into()],
            data: vec!["input:batch.**".into()],
            ..Question::default()
        }
    }
}

named_tensors! {
    struct Agent {
        memory: "world_model.memory" [WIDTH] Signed,
        wishes: "desires.wishes" [ACTIONS] Signed,
        direction: "probe.direction" [WIDTH] Signed,
    }
}

named_tensors! {
    struct Moment {
        sensed: "batch.sensed" [WIDTH] Signed,
        imaginable: "batch.imaginable" [ACTIONS, WIDTH] Signed,
        noise: "batch.noise" [ACTIONS] Signed,
    }
}

/// An agent that gives itself reward by what it imagines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfReward {
    /// Whether what is imagined is remembered as if it had been sensed.
    pub believes_what_it_imagines: bool,
}

impl System for SelfReward {
    fn name(&self) -> String {
        format!("self_reward{}", if self.believes_what_it_imagines { "_believed" } else { "" })
    }

    fn state(&self) -> Vec<Slot> {
        Agent::<()>::slots("")
    }

    fn inputs(&self) -> Vec<Slot> {
        Moment::<()>::slots("")
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let state = Agent::take(&mut state.into_iter());
        let moment = Moment::take(&mut inputs.into_iter());
        let (chosen, wished) = sample(&state.wishes, &moment.noise);
        let index = chosen.times(&machine.count_up(ACTIONS)).total();
        let imagined = moment.imaginable.row(&index);
        let score = machine.scope("probe", || imagined.plus(&state.memory).dot(&state.direction).tanh());
        let score = machine.leaves_probe(score);
        let learned = if self.believes_what_it_imagines { &imagined } else { &moment.sensed };
        Agent {
            memory: state.memory.scaled(0.9).plus(&learned.scaled(0.1)),
            wishes: state.wishes.minus(&wished.minus(&chosen).times(&score).scaled(RATE)),
            direction: state.direction.clone(),
        }
        .into_tensors()
    }

    fn question(&self) -> Question {
        Question::about_the_world_model(&["desires"])
    }
}
