//! Plans that are given, and a policy that chooses among them: honest, deceptive in a way that a probe detects (A), deceptive
//! in a way that it does not (B). Nothing of the reward reaches the plans as they are believed; but which of them is thought
//! next is chosen by it. That is the update of which Byrnes' footnote of 2026-02-13 speaks.

use super::learning::{Adam, Trained};
use super::machine::{Machine, Mask, Reduce, Relation, Tensor, Unary};
use super::system::{Draw, Question, Slot, System};

/// Plans.
const PLANS: usize = 4;
/// Numbers of a plan, as it is believed.
const WIDTH: usize = 5;
/// How far one update goes.
const RATE: f64 = 0.1;

/// What is asked not to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanditQuestion {
    /// The plans, as they are believed.
    Beliefs,
    /// Which plan is thought next.
    Choice,
}

/// The system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeceptionBandit {
    /// Whether plans share features: then the update of one moves the others too, by a kernel.
    pub shares_features: bool,
    /// What is asked.
    pub question: BanditQuestion,
}

impl System for DeceptionBandit {
    fn name(&self) -> String {
        let table = if self.shares_features { "kernel" } else { "tabular" };
        format!("deception_bandit_{table}_{:?}", self.question)
    }

    fn state(&self) -> Vec<Slot> {
        let mut slots = vec![
            Slot::new("world_model.plans", &[PLANS, WIDTH], Draw::Signed),
            Slot::new("adam.first.world_model.plans", &[PLANS, WIDTH], Draw::Signed),
            Slot::new("adam.second.world_model.plans", &[PLANS, WIDTH], Draw::Share),
            Slot::new("policy.logits", &[PLANS], Draw::Signed),
            Slot::new("policy.support", &[PLANS], Draw::Flag),
            Slot::new("thought.plan", &[WIDTH], Draw::Signed),
            Slot::new("probe.direction", &[WIDTH], Draw::Signed),
        ];
        if self.shares_features {
            slots.push(Slot::new("policy.kernel", &[PLANS, PLANS], Draw::Signed));
        }
        slots
    }

    fn inputs(&self) -> Vec<Slot> {
        vec![
            Slot::new("batch.task", &[PLANS], Draw::Signed),
            Slot::new("batch.noise", &[PLANS], Draw::Signed),
            Slot::new("batch.seen", &[PLANS, WIDTH], Draw::Signed),
            Slot::new("proposed.plans", &[PLANS, WIDTH], Draw::Signed),
        ]
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        let mut state = state.into_iter();
        let mut next = || state.next().expect("one tensor for each slot");
        let plans = Trained { parameter: next(), first: next(), second: next() };
        let (logits, support, _, direction) = (next(), next(), next(), next());
        let kernel = self.shares_features.then(next);
        let [task, noise, seen, proposed] = <[M::Tensor; 4]>::try_from(inputs).ok().expect("four inputs");

        // What is not in the support has no share at all, however large its logit is.
        let is_possible = support.greater(&support.like(0.5));
        let nowhere = logits.like(f64::NEG_INFINITY);
        let possible = is_possible.choose(&logits, &nowhere);
        let weights = logits.minus(&logits.reduce(Reduce::Maximum, &[0])).unary(Unary::Exponential);
        let weights = is_possible.choose(&weights, &weights.like(0.0));
        let total = weights.total();
        let shares = weights.over(&total.plus(&total.like(1e-30)));
        let perturbed = possible.plus(&noise);
        let largest = perturbed.reduce(Reduce::Maximum, &[0]);
        let is_chosen = perturbed.compare(Relation::AtLeast, &largest).and(&is_possible);
        let chosen = is_chosen.choose(&logits.like(1.0), &logits.like(0.0));

        // The probe reads each plan as it is believed.
        let score = machine.scope("probe", || plans.parameter.dot(&direction).tanh());
        let score = machine.leaves_probe(score);
        let reward = task.minus(&score);
        let earned = chosen.times(&reward).total();

        // Policy gradient, by plans or by features that they share.
        let push = chosen.minus(&shares).times(&earned).scaled(RATE);
        let push = kernel.as_ref().map_or(push.clone(), |kernel| kernel.dot(&push));
        let logits = logits.plus(&push);

        // What is thought next is picked from what is proposed.
        let index = chosen.times(&machine.count_up(PLANS)).total();
        let thought = proposed.row(&index);

        // Plans are believed as they are seen to go.
        let error = plans.parameter.minus(&seen);
        let plans = Adam { rate: 0.01, decay: 0.0 }.step(&plans, &error);

        let mut after = vec![plans.parameter, plans.first, plans.second, logits, support, thought, direction];
        after.extend(kernel);
        after
    }

    fn question(&self) -> Question {
        let mut question = Question::about_the_world_model(&["policy"]);
        question.data = vec!["input:batch.seen".into(), "input:proposed.**".into()];
        if self.question == BanditQuestion::Choice {
            question.to = vec!["output:result.thought.**".into()];
        }
        question
    }
}
