//! Which inputs are named like data, labels and probes.

use std::collections::BTreeSet;

use crate::graph::{CarriedPairs, PytreePath, TrainingGraph};

use super::{DEEPEST_GROUP, PROBE_WORDS, has_word, matches_something};

/// Words that name what a step is given to learn from.
const DATA_WORDS: &[&str] = &[
    "batch",
    "minibatch",
    "batches",
    "minibatches",
    "data",
    "dataset",
    "replay",
    "buffer",
    "experience",
    "transition",
    "trajectory",
    "trajectories",
    "rollout",
    "episode",
    "plan",
];
/// Words that name what somebody said about an example.
const LABEL_WORDS: &[&str] = &["label", "annotation", "truth"];

/// The subtrees below a name of this kind, as selectors that match, and how many leaves each has.
fn subtrees(graph: &TrainingGraph, words: &[&str], is_taken: impl Fn(&PytreePath) -> bool) -> Vec<(String, usize)> {
    let mut roots = BTreeSet::new();
    for (path, _) in graph.inputs() {
        let at = path.segments().iter().take(DEEPEST_GROUP).position(|segment| has_word(segment, words));
        roots.extend(at.map(|at| path.prefix(at + 1)).filter(|root| is_taken(root)));
    }
    let counted = roots.into_iter().map(|root| {
        let leaves = graph.inputs().filter(|(path, _)| path.starts_with(&root)).count();
        (format!("input:{root}.**"), leaves)
    });
    counted.filter(|(selector, _)| matches_something(graph, selector)).collect()
}

/// Subtrees of inputs that are named like data, and that the step does not write: what is carried may know the source.
/// None if it is not decided what is carried.
pub(super) fn data(graph: &TrainingGraph, carried: Option<&CarriedPairs>) -> Vec<(String, usize)> {
    let Some(pairs) = carried else { return Vec::new() };
    let is_carried = |position| {
        let may_be = pairs.possible.iter().any(|possible| possible.inputs.contains(&position));
        pairs.output_of(position).is_some() || may_be
    };
    subtrees(graph, DATA_WORDS, |root| {
        let mut below = graph.inputs().enumerate().filter(|(_, (path, _))| path.starts_with(root));
        below.all(|(position, _)| !is_carried(position))
    })
}

/// Subtrees of inputs that are named like a probe.
pub(super) fn probe(graph: &TrainingGraph) -> Vec<String> {
    subtrees(graph, PROBE_WORDS, |_| true).into_iter().map(|(selector, _)| selector).collect()
}

/// Subtrees of inputs that are named like labels.
pub(super) fn labels(graph: &TrainingGraph) -> Vec<String> {
    subtrees(graph, LABEL_WORDS, |_| true).into_iter().map(|(selector, _)| selector).collect()
}
