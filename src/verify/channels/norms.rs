//! Whether a factor is a norm of the tensor that it scales: every way from the source into it passes a sum that takes the
//! tensor as well. Whole values, so a tensor that is labelled in part counts as labelled.

use super::super::backward::bodies::look_at;
use super::super::backward::movement::is_elementwise;
use super::super::backward::trace::{Instance, Node, Role, Trace};
use super::reach::{from_source, made_of};
use crate::graph::OperationKind as Kind;

/// What the source reaches in a step, asked of many factors.
pub(super) struct Norms<'t, 'c, 'a> {
    trace: &'t Trace<'c, 'a>,
    labelled: Vec<bool>,
}

/// Of one value: both only ever become true.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    /// Each way to it has passed a sum that takes the tensor.
    passed: bool,
    /// The tensor and what is labelled lie in it side by side.
    beside: bool,
}

impl<'t, 'c, 'a> Norms<'t, 'c, 'a> {
    pub fn new(trace: &'t Trace<'c, 'a>) -> Self {
        Norms { trace, labelled: from_source(trace, |_| true) }
    }

    /// Whether the factor includes the tensor of this number in all that the source has a say in.
    pub fn includes(&self, factor: Instance, tensor: u32) -> bool {
        let trace = self.trace;
        let descends = made_of(trace, tensor);
        let mut in_cone = vec![false; trace.nodes.len()];
        let mut open = vec![factor];
        let mut taken = Vec::new();
        while let Some(value) = open.pop() {
            let maker = trace.values[value as usize].maker as usize;
            if !self.labelled[value as usize]
                || !descends[value as usize]
                || std::mem::replace(&mut in_cone[maker], true)
            {
                continue;
            }
            taken.clear();
            self.takes(&trace.nodes[maker], &mut taken);
            open.extend(&taken);
        }
        let mut known = vec![Known::default(); trace.values.len()];
        loop {
            let mut changed = false;
            for node in trace.nodes.iter().zip(&in_cone).filter(|(_, inside)| **inside).map(|(node, _)| node) {
                for value in node.results.clone().filter(|value| self.labelled[*value as usize]) {
                    let now = self.look_at(node, value, tensor, &descends, &known);
                    changed |= std::mem::replace(&mut known[value as usize], now) != now;
                }
            }
            if !changed {
                return known[factor as usize].passed;
            }
        }
    }

    /// All that a node takes, whichever result it is for.
    fn takes(&self, node: &Node, into: &mut Vec<Instance>) {
        into.extend(&node.operands);
        match node.role {
            Role::LoopEntry(at) => {
                into.extend(&self.trace.loops[at].initial);
                into.extend(&self.trace.loops[at].next);
            }
            Role::LoopExit(at) => into.push(self.trace.loops[at].predicate),
            Role::Input(position) => {
                let edges = self.trace.claim.edges.iter().filter(|edge| edge.to == (node.graph, position));
                into.extend(edges.filter_map(|edge| self.trace.outputs.get(edge.from.0)?.get(edge.from.1)));
            }
            Role::Operation | Role::Pass | Role::Branch | Role::Source => {}
        }
    }

    fn look_at(&self, node: &Node, value: Instance, tensor: u32, descends: &[bool], known: &[Known]) -> Known {
        let is_source = match node.role {
            Role::Source => true,
            Role::Input(position) => self.trace.claim.source_inputs[node.graph].contains(&position),
            _ => node.world,
        };
        if is_source {
            return Known::default();
        }
        let mut taken = Vec::new();
        self.takes(node, &mut taken);
        let labelled =
            || taken.iter().filter(|operand| self.labelled[**operand as usize]).map(|at| known[*at as usize]);
        let is_tensor = self.trace.values[value as usize].number == tensor;
        if labelled().next().is_none() {
            return Known::default();
        }
        let all_passed = labelled().all(|known| known.passed);
        let all_beside = labelled().all(|known| known.beside);
        if node.role != Role::Operation {
            return Known { passed: all_passed, beside: is_tensor || all_beside };
        }
        let takes_tensor =
            || taken.iter().any(|operand| !self.labelled[*operand as usize] && descends[*operand as usize]);
        let kind = self.trace.kind(node);
        let sums = match kind {
            Kind::Dot | Kind::DotGeneral => true,
            Kind::Reduce => {
                let body = look_at(self.trace.graph(node), node.operation).simple;
                node.operands.len() == 2 && matches!(body, Some(Kind::Add | Kind::Maximum))
            }
            _ => false,
        };
        let passed = match kind {
            Kind::Add | Kind::Maximum => labelled().any(|known| known.passed) || takes_tensor(),
            _ if sums => labelled().all(|known| known.passed || known.beside),
            _ => all_passed,
        };
        let beside = is_tensor
            || match kind {
                Kind::Concatenate | Kind::Pad | Kind::DynamicUpdateSlice | Kind::Add => {
                    labelled().any(|known| known.beside) || takes_tensor()
                }
                Kind::Reshape | Kind::Transpose => all_beside,
                kind => is_elementwise(kind) && all_beside,
            };
        Known { passed, beside }
    }
}
