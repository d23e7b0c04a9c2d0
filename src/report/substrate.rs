//! What the probe reads, and who moves it. `Holds` does not cover that drift, so every report shows it.

use super::*;
use crate::flow::{Crossings, Port, backward_slice, propagate, taken_from_outside, unchanged_input};
use crate::graph::{Definition, OperationId, ScopePath};
use crate::index::Id;

/// So many scopes are named.
const SCOPES_NAMED: usize = 8;

impl Run<'_> {
    /// One section for each different source.
    pub(super) fn substrates(&self) -> Vec<SubstrateReport> {
        let mut sections: Vec<SubstrateReport> = Vec::new();
        for invariant in self.policy.invariants() {
            let from = texts(&invariant.from);
            if sections.iter().any(|section| section.from == from) {
                continue;
            }
            let resolved = self.resolve(&invariant.from);
            let sources = self.sources(&resolved);
            let reads = (0..self.graphs.len()).flat_map(|graph| self.reads_of(graph, &sources)).collect();
            sections.push(SubstrateReport { from, reads });
        }
        sections
    }

    fn reads_of(&self, graph: usize, sources: &Sources) -> Vec<SubstrateRead> {
        let facts = self.graphs[graph].graph;
        let paths: Vec<&PytreePath> = facts.inputs().map(|(path, _)| path).collect();
        let outputs: Vec<_> = facts.outputs().map(|(_, value)| value).collect();
        let step = Crossings::within(Within::Step);
        // What the source takes from outside of itself, and all that this depends on.
        let before = backward_slice(&self.system, step, taken_from_outside(&self.system, sources, graph));
        let read = before.inputs(&self.system, graph);
        let mut sections = Vec::new();
        for (root, members) in subtrees(&paths, read.iter().copied()) {
            let leaves = members.len();
            let inputs = members.into_iter();
            let made: Vec<usize> = inputs.filter_map(|input| self.pairs[graph].output_of(input)).collect();
            let moved: Vec<usize> =
                made.into_iter().filter(|output| unchanged_input(facts, *output).is_none()).collect();
            let is_input = |value| matches!(facts.value(value).definition, Definition::Argument(..));
            let updated_value =
                moved.iter().any(|output| !is_input(outputs[*output]) && before.contains(graph, outputs[*output]));
            let update = backward_slice(&self.system, step, moved.iter().map(|output| (graph, outputs[*output])));
            let mut scopes: Vec<String> = Vec::new();
            if !moved.is_empty() {
                let mut seen = vec![false; facts.scope_count()];
                for operation in update.operations(&self.system, graph).ones().map(OperationId::new) {
                    let scope = facts.operation(operation).scope;
                    if std::mem::replace(&mut seen[scope.index()], true) || !self.phases(graph).of(operation).transposed
                    {
                        continue;
                    }
                    for path in facts.scope_paths(scope).map(ScopePath::parse) {
                        if let Some(name) = path.user_scopes().next()
                            && !scopes.iter().any(|known| known == name)
                        {
                            scopes.push(name.to_string());
                        }
                    }
                    if scopes.len() >= SCOPES_NAMED {
                        break;
                    }
                }
            }
            let by_inputs = if moved.is_empty() { Vec::new() } else { update.inputs(&self.system, graph) };
            // A slice does not match calls; what it lists is asked again, group by group.
            let moves = |inputs: &[usize]| {
                let mut group = Sources::default();
                group.add(graph, [], inputs.iter().copied());
                let labels = propagate(&self.system, &group, step);
                moved.iter().any(|&position| labels.output(Port { graph, position }).is_some())
            };
            let moved_by_inputs = subtrees(&paths, by_inputs.into_iter())
                .into_iter()
                .filter(|(path, inputs)| *path != root && moves(inputs))
                .map(|(path, _)| path)
                .collect();
            sections.push(SubstrateRead {
                leaves,
                updated_value,
                moves: !moved.is_empty(),
                moved_by_scopes: scopes,
                moved_by_inputs,
                input: root,
            });
        }
        sections
    }
}
