//! Floor 7: `cargo test` on model graphs, and on training steps that are written in Rust (`check_system`).
//!
//! ```
//! use openloop::graph::{GraphBuilder, OperationKind};
//! use openloop::testing::check;
//! use openloop::verdict::Within;
//!
//! let mut step = GraphBuilder::new("two boxes");
//! let beliefs = step.input("params.beliefs.w", "tensor<8xf32>");
//! let desires = step.input("params.desires.w", "tensor<8xf32>");
//! let data = step.input("batch.x", "tensor<8xf32>");
//! let score = step.scope("probe_reward", |step| step.add(OperationKind::Tanh, &[beliefs]));
//! let new_beliefs = step.add(OperationKind::Add, &[beliefs, data]);
//! let new_desires = step.add(OperationKind::Add, &[desires, score]);
//! step.output("result.0.beliefs.w", new_beliefs);
//! step.output("result.0.desires.w", new_desires);
//! let graph = step.finish().expect("a valid graph");
//!
//! check(&graph)
//!     .deny("scope:probe_reward", "output:**.beliefs.**")
//!     .within(Within::Run)
//!     .require("scope:probe_reward", "output:**.desires.**")
//!     .assert_holds();
//! ```
//!
//! The files `fixtures/examples/model_graph.rs` and, for a step in Rust, `fixtures/examples/training_system.rs` are whole
//! tests to copy.

#[cfg(feature = "interference")]
mod system;

use std::fmt;

use crate::graph::TrainingGraph;
use crate::policy::{Date, FlowPolicy};
use crate::render::{NoSource, TerminalOptions, terminal};
use crate::report::{NamedGraph, run};
use crate::verdict::{Bounds, Channel, RunReport, Verdict, Within};

#[cfg(feature = "interference")]
pub use system::{Noninterference, SystemCheck, check_system};

/// A check of a graph that is being put together. Nothing is checked until a method that asserts, or
/// [`Check::report`], is called.
#[must_use = "a check that asserts nothing checks nothing"]
#[derive(Clone, Debug)]
pub struct Check<'g> {
    graph: &'g TrainingGraph,
    denied: Vec<(String, String)>,
    required: Vec<(String, String)>,
    carried: Vec<(String, String)>,
    within: Vec<Within>,
    bounds: Bounds,
    assumed: Vec<String>,
    data: Vec<String>,
}

/// Begins a check of a graph.
pub fn check(graph: &TrainingGraph) -> Check<'_> {
    Check {
        graph,
        denied: Vec::new(),
        required: Vec::new(),
        carried: Vec::new(),
        within: Vec::new(),
        bounds: Bounds::default(),
        assumed: Vec::new(),
        data: Vec::new(),
    }
}

impl Check<'_> {
    /// No information from `source` may reach `sink`; both are selectors.
    pub fn deny(mut self, source: &str, sink: &str) -> Self {
        self.denied.push((source.into(), sink.into()));
        self
    }

    /// Some information from `source` must reach `sink`: a positive control.
    pub fn require(mut self, source: &str, sink: &str) -> Self {
        self.required.push((source.into(), sink.into()));
        self
    }

    /// How far to look. Without it, one step and a whole run.
    pub fn within(mut self, within: Within) -> Self {
        self.within.push(within);
        self
    }

    /// Says that an output of one step is an input of the next, where structure does not tell.
    pub fn carry(mut self, output: &str, input: &str) -> Self {
        self.carried.push((output.into(), input.into()));
        self
    }

    /// Every flow that is denied may be of this channel, and no worse.
    pub fn max_channel(mut self, channel: Channel) -> Self {
        self.bounds.max_channel = Some(channel);
        self
    }

    /// Every flow that is denied may have so many bits for each step, and no more.
    pub fn max_bits_per_step(mut self, bits: u64) -> Self {
        self.bounds.max_bits_per_step = Some(bits);
        self
    }

    /// No infinity or NaN is an operand at a masked product.
    pub fn assume_finite(mut self) -> Self {
        self.assumed.push("finite".into());
        self
    }

    /// Every element of the input of this path is 0 or 1.
    pub fn assume_binary(mut self, path: &str) -> Self {
        self.assumed.push(format!("binary:{path}"));
        self
    }

    /// These inputs, a selector, hold data, replay or plans: to pick from them is the channel `selection`.
    pub fn data(mut self, selector: &str) -> Self {
        self.data.push(selector.into());
        self
    }

    /// The report.
    ///
    /// # Panics
    /// If a selector, an assumption or a bound cannot be read, an input that is named is not there, nothing is denied, or it is not clear which outputs are carried.
    #[track_caller]
    pub fn report(&self) -> RunReport {
        assert!(!self.denied.is_empty(), "nothing is denied: call `deny` first");
        let text = self.policy_text();
        let policy = FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let graphs = [NamedGraph { name: self.graph.name(), file: self.graph.name(), graph: self.graph }];
        // No waivers, so the day does not matter.
        let today = Date::from_unix_seconds(0);
        run(&graphs, &policy, today, false).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The policy in its own language, so that this door and the command line cannot come to differ.
    fn policy_text(&self) -> String {
        let quote = |text: &str| serde_json::to_string(text).expect("a string is always JSON");
        let list = |key: &str, texts: &[String]| match texts {
            [] => String::new(),
            texts => format!("{key} = [{}]\n", texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ")),
        };
        let within: Vec<String> = self.within.iter().map(|within| within.as_str().to_string()).collect();
        let mut denial = list("within", &within) + &list("assume", &self.assumed);
        if let Some(channel) = self.bounds.max_channel {
            denial.push_str(&format!("max_channel = {}\n", quote(channel.as_str())));
        }
        if let Some(bits) = self.bounds.max_bits_per_step {
            denial.push_str(&format!("max_bits_per_step = {bits}\n"));
        }
        let mut text = String::from("version = 1\n") + &list("data", &self.data);
        for (heading, flows, verb) in
            [("invariant", &self.denied, "must not reach"), ("require", &self.required, "must reach")]
        {
            for (source, sink) in flows {
                let name = quote(&format!("{source} {verb} {sink}"));
                let (from, to) = (quote(source), quote(sink));
                let more = if heading == "invariant" { denial.as_str() } else { "" };
                text.push_str(&format!("[[{heading}]]\nname = {name}\nfrom = [{from}]\nto = [{to}]\n{more}"));
            }
        }
        if !self.carried.is_empty() {
            text.push_str("[carried]\n");
            for (output, input) in &self.carried {
                text.push_str(&format!("{} = {}\n", quote(output), quote(input)));
            }
        }
        text
    }

    /// Passes if every invariant holds and every required flow is there.
    ///
    /// # Panics
    /// If not; the message is the rendered report.
    #[track_caller]
    pub fn assert_holds(&self) {
        self.assert(Verdict::Holds);
    }

    /// Passes if every invariant is violated: for tests that plant a leak.
    ///
    /// # Panics
    /// If not; the message is the rendered report.
    #[track_caller]
    pub fn assert_violated(&self) {
        self.assert(Verdict::Violated);
    }

    #[track_caller]
    fn assert(&self, expected: Verdict) {
        let report = self.report();
        let invariants_agree = report.invariants.iter().all(|invariant| invariant.verdict == expected);
        let requires_hold = report.requires.iter().all(|require| require.verdict == Verdict::Holds);
        if !invariants_agree || !requires_hold {
            panic!("expected every invariant to be `{}`\n\n{}", expected.as_str(), Rendered(&report));
        }
    }
}

struct Rendered<'r>(&'r RunReport);

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&terminal::report(self.0, &TerminalOptions::default(), &NoSource))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GraphBuilder, OperationKind};
    use crate::verdict::Assumption;

    #[test]
    fn what_is_said_gets_into_the_policy() {
        let mut step = GraphBuilder::new("step");
        let mask = step.input("batch.mask", "tensor<8xf32>");
        let score = step.scope("probe", |step| step.add(OperationKind::Tanh, &[mask]));
        step.output("result", score);
        let graph = step.finish().expect("a graph");
        let check = check(&graph).deny("scope:probe", "output:**").require("scope:probe", "output:**");
        let plain = FlowPolicy::parse(&check.policy_text()).expect("a policy");
        assert!(plain.invariants()[0].bounds.is_empty() && plain.data().is_empty());
        let check = check.max_channel(Channel::Scale).max_bits_per_step(32).assume_finite().assume_binary("batch.mask");
        let check = check.data("input:batch.**").within(Within::Step);
        let policy = FlowPolicy::parse(&check.policy_text()).expect("a policy");
        let [entry] = policy.invariants() else { panic!("one step") };
        assert_eq!(entry.bounds, Bounds { max_channel: Some(Channel::Scale), max_bits_per_step: Some(32) });
        assert_eq!(entry.assume, [Assumption::Finite, Assumption::Binary("batch.mask".into())]);
        assert_eq!(policy.data()[0].as_str(), "input:batch.**");
        assert_eq!(check.report().invariants.len(), 1);
    }
}
