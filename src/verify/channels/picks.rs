//! What is picked from data by an index that depends on pivots.

use super::super::backward::movement::is_identity;
use super::super::backward::trace::{Instance, Node, Role};
use super::form::{Form, Pivots};
use super::forms::Forms;
use crate::graph::{Attribute, OperationId, OperationKind as Kind, TrainingGraph};

impl Forms<'_, '_, '_> {
    /// Whether an operation picks from data by an index.
    pub(super) fn picks(&self, node: &Node, kind: Kind, operands: &[Form]) -> bool {
        let is_reached = |at: usize| self.is_between[node.operands[at] as usize];
        let is_index = |at: usize| !is_reached(at) || operands[at].index;
        if !is_pick(kind) {
            return false;
        }
        let indices = 1..operands.len();
        // Where the indices are no pivots, it is an operation like any other.
        indices.clone().any(|at| is_reached(at) && operands[at].ends.is_err())
            && indices.clone().all(is_index)
            && (!is_reached(0) || operands[0].single().is_some_and(|end| end.by.selection))
            && self.is_data(node.operands[0])
    }

    /// Whether a choice puts a constant in place of what was picked out of bounds: what was just picked, by a test of the
    /// index against the bounds of the table.
    pub(super) fn is_filled(&self, node: &Node, operands: &[Form]) -> bool {
        let filled = |picked: usize, fill: usize| {
            self.is_one_number(node.operands[fill])
                && operands[picked].single().is_some_and(|end| end.by.selection)
                && self.picked_by(node.operands[picked]).is_some_and(|pick| self.is_bounds_test(node.operands[0], pick))
        };
        operands[0].index && (filled(1, 2) || filled(2, 1))
    }

    /// The operation that picked a value, under other names and shapes.
    fn picked_by(&self, mut value: Instance) -> Option<&Node> {
        loop {
            let node = &self.trace.nodes[self.trace.values[value as usize].maker as usize];
            value = match node.role {
                Role::Pass => node.operands[0],
                Role::Operation => match self.trace.kind(node) {
                    kind if is_pick(kind) => return Some(node),
                    kind if is_identity(kind) => node.operands[(value - node.results.start) as usize],
                    Kind::Reshape => node.operands[0],
                    _ => return None,
                },
                _ => return None,
            };
        }
    }

    /// Whether a truth value says no more than that the index of a pick lies within the table: comparisons with its bounds.
    fn is_bounds_test(&self, test: Instance, pick: &Node) -> bool {
        let trace = self.trace;
        let extents = |value: Instance| trace.values[value as usize].shape.extents.as_deref().unwrap_or_default();
        let (table, picked) = (extents(pick.operands[0]), extents(pick.results.start));
        let is_bound = |number: i128| {
            let last = |extent: &u64| i128::from(*extent) - number;
            // The first index, the extent, or the last index at which what is picked still fits.
            let fits = |left: i128| left == 0 || left == 1 || picked.iter().any(|size| left == i128::from(*size));
            number == 0 || table.iter().map(last).any(fits)
        };
        let indices = pick.operands[1..].iter().filter_map(|operand| self.get(*operand));
        let pivots: Pivots = indices.flat_map(|form| form.pivots).collect();
        let mut open = vec![test];
        let mut compares = false;
        while let Some(value) = open.pop() {
            let facts = &trace.values[value as usize];
            if facts.known.is_some() {
                continue;
            }
            let node = &trace.nodes[facts.maker as usize];
            match node.role {
                Role::Pass => open.push(node.operands[0]),
                Role::Operation => match trace.kind(node) {
                    Kind::And | Kind::Reduce | Kind::BroadcastInDim | Kind::Broadcast | Kind::Reshape => {
                        open.extend(&node.operands);
                    }
                    kind if is_identity(kind) => open.push(node.operands[(value - node.results.start) as usize]),
                    Kind::Compare => {
                        let known = |at: usize| trace.values[node.operands[at] as usize].known.as_ref();
                        let (bounds, compared) = match (known(0), known(1)) {
                            (None, Some(bounds)) => (bounds, node.operands[0]),
                            (Some(bounds), None) => (bounds, node.operands[1]),
                            _ => return false,
                        };
                        let class = trace.values[compared as usize].shape.class;
                        let is_ordered =
                            !matches!(compare_direction(trace.graph(node), node.operation), "EQ" | "NE" | "");
                        let of_index = self.get(compared);
                        let is_index =
                            of_index.is_some_and(|form| form.pivots.iter().all(|pivot| pivots.contains(pivot)));
                        let are_bounds = bounds.all(|bits| class.integer(bits).is_some_and(is_bound));
                        if !is_ordered || !is_index || !are_bounds {
                            return false;
                        }
                        compares = true;
                    }
                    _ => return false,
                },
                _ => return false,
            }
        }
        compares
    }

    /// Whether every element of a value is made of declared data: of these inputs, and of no table that the step brings along.
    fn is_data(&self, value: Instance) -> bool {
        let trace = self.trace;
        let mut open = vec![value];
        let mut seen = vec![false; trace.values.len()];
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut seen[value as usize], true) {
                continue;
            }
            if trace.values[value as usize].known.is_some() {
                return false;
            }
            let node = &trace.nodes[trace.values[value as usize].maker as usize];
            let position = (value - node.results.start) as usize;
            match node.role {
                Role::Input(position) if self.is_declared(node.graph, position) => {}
                Role::Input(_) | Role::Source => return false,
                Role::Pass => open.push(node.operands[0]),
                Role::Branch => open.extend(&node.operands[1..]),
                Role::LoopEntry(at) => {
                    let entry = &trace.loops[at];
                    open.extend([entry.initial[position], entry.next[position]]);
                }
                Role::LoopExit(_) => open.push(node.operands[position]),
                Role::Operation if node.world => return false,
                Role::Operation => match trace.kind(node) {
                    kind if is_identity(kind) => open.push(node.operands[position]),
                    kind if is_pick(kind) => open.push(node.operands[0]),
                    Kind::Concatenate => open.extend(&node.operands),
                    Kind::Pad | Kind::DynamicUpdateSlice => open.extend(&node.operands[..2]),
                    Kind::Select => open.extend(&node.operands[1..]),
                    Kind::Iota | Kind::DynamicIota | Kind::Rng | Kind::RngBitGenerator => return false,
                    // One number for all elements is part of what is made of the others.
                    _ => {
                        let mut others =
                            node.operands.iter().copied().filter(|operand| !self.is_one_number(*operand)).peekable();
                        if others.peek().is_none() {
                            return false;
                        }
                        open.extend(others);
                    }
                },
            }
        }
        true
    }
}

fn is_pick(kind: Kind) -> bool {
    matches!(kind, Kind::Gather | Kind::TorchIndexSelect | Kind::DynamicGather | Kind::DynamicSlice)
}

/// How a comparison compares; nothing if it does not say.
fn compare_direction(graph: &TrainingGraph, operation: OperationId) -> &str {
    graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text).unwrap_or_default()
}
