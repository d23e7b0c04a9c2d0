//! A policy without a file: from flags, and from code.

use crate::graph::PytreePath;
use crate::policy::error::PolicyError;
use crate::policy::selector::Selector;
use crate::verdict::{Assumption, Bounds, Within};

use super::{Carried, DENIED, FlowPolicy, Invariant, SINKS, SOURCES, bounds, check_side};

impl FlowPolicy {
    /// The policy of command-line flags. Without `within`, both one step and a whole run are looked at.
    pub fn from_flags(
        sources: Vec<Selector>,
        sinks: Vec<Selector>,
        within: Option<Within>,
        assume: Vec<Assumption>,
    ) -> Result<FlowPolicy, PolicyError> {
        for (what, selectors, sides) in [("a source", &sources, SOURCES), ("a sink", &sinks, SINKS)] {
            if selectors.is_empty() {
                return Err(PolicyError::nowhere(format!("found no selector for {what}")));
            }
            for selector in selectors {
                check_side(selector, what, sides).map_err(|message| PolicyError::nowhere(&*message))?;
                if let Some(graph) = selector.graph() {
                    let message = format!("`{selector}` names the graph `{graph}`");
                    let help = "systems of several graphs need a policy file with a [[graph]] for each";
                    return Err(PolicyError::nowhere(message).with_help(help));
                }
            }
        }
        let list = |selectors: &[Selector]| selectors.iter().map(Selector::as_str).collect::<Vec<_>>().join(", ");
        let name = format!("{} must not reach {}", list(&sources), list(&sinks));
        let entry = |within| Invariant {
            name: name.clone(),
            from: sources.clone(),
            to: sinks.clone(),
            within,
            assume: assume.clone(),
            bounds: Bounds::default(),
            routes: DENIED.to_vec(),
        };
        let invariants = within.map_or_else(|| vec![Within::Step, Within::Run], |within| vec![within]);
        let mut policy =
            FlowPolicy { invariants: invariants.into_iter().map(entry).collect(), ..FlowPolicy::default() };
        assume.iter().for_each(|assumption| policy.name_assumed(assumption, None));
        Ok(policy)
    }

    /// The same policy, told that an output of one step is an input of the next; [`None`]: that it is not carried.
    pub fn carry(mut self, output: PytreePath, input: Option<PytreePath>) -> Self {
        self.carried.push(Carried { graph: None, output, input });
        self
    }

    /// The same policy with these bounds for every invariant, instead of a denial.
    pub fn with_bounds(mut self, bounds: Bounds) -> Result<Self, PolicyError> {
        let bounds = bounds::checked(bounds)?;
        self.invariants.iter_mut().for_each(|invariant| invariant.bounds = bounds);
        Ok(self)
    }

    /// The same policy, told which inputs hold data, replay or plans.
    pub fn with_data(mut self, data: Vec<Selector>) -> Result<Self, PolicyError> {
        for selector in data {
            check_side(&selector, "`data`", bounds::DATA).map_err(|message| PolicyError::nowhere(&*message))?;
            if let Some(graph) = selector.graph() {
                return Err(PolicyError::nowhere(format!("`{selector}` names the graph `{graph}`, and there is one")));
            }
            self.add_data(selector, None);
        }
        Ok(self)
    }
}
