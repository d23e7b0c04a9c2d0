//! Edges that a policy declares between outputs and inputs: links between graphs, and the world outside.

use rustc_hash::FxHashMap;

use crate::graph::{PytreePath, TrainingGraph, ValueId};
use crate::verdict::{Hop, Within};

use super::error::{Origin, PolicyError};
use super::file::{EnvironmentEdge, FlowPolicy, Link};
use super::nearest::nearest;
use super::selector::{Selector, Side};

/// An edge from an output to an input: each by graph (position in the list that was given) and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemEdge {
    /// Graph, and position in [`TrainingGraph::outputs`].
    pub from: (usize, usize),
    /// Graph, and position in [`TrainingGraph::inputs`].
    pub to: (usize, usize),
    kind: EdgeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum EdgeKind {
    Link,
    NextStep,
    Environment,
}

impl SystemEdge {
    /// [`Hop::Link`], [`Hop::Carried`] for a link to the next step, or [`Hop::Environment`].
    pub fn hop(&self) -> Hop {
        match self.kind {
            EdgeKind::Link => Hop::Link,
            EdgeKind::NextStep => Hop::Carried,
            EdgeKind::Environment => Hop::Environment,
        }
    }
}

/// The graphs of a system, by name.
type Graphs<'a> = &'a [(&'a str, &'a TrainingGraph)];

impl FlowPolicy {
    /// The edges that the policy declares between these graphs, ascending and each once.
    ///
    /// An environment edge joins every output that it selects with every input that it selects. A link joins leaves
    /// of equal type and equal path below its two fixed prefixes, and every input that it selects must find its output;
    /// outputs may be left over, since JAX drops inputs that a step does not use.
    ///
    /// What else the policy says of inputs (`data`, `assume`) is looked up too: a name that is not there is an error.
    pub fn system_edges(&self, graphs: &[(&str, &TrainingGraph)]) -> Result<Vec<SystemEdge>, PolicyError> {
        self.inputs_are_there(graphs)?;
        let mut edges = Vec::new();
        for link in self.links() {
            link_edges(link, graphs, &mut edges)?;
        }
        for edge in self.environment() {
            environment_edges(edge, graphs, &mut edges)?;
        }
        edges.sort_unstable();
        edges.dedup();
        Ok(edges)
    }
}

fn environment_edges(
    edge: &EnvironmentEdge,
    graphs: Graphs<'_>,
    edges: &mut Vec<SystemEdge>,
) -> Result<(), PolicyError> {
    let outputs = positions(&edge.output, Side::Output, graphs, &edge.origin)?;
    let inputs = positions(&edge.input, Side::Input, graphs, &edge.origin)?;
    for &from in &outputs {
        edges.extend(inputs.iter().map(|&to| SystemEdge { from, to, kind: EdgeKind::Environment }));
    }
    Ok(())
}

/// What any of the selectors picks, in whichever graph. A selector that picks nothing in any graph is an error.
fn positions(
    selectors: &[Selector],
    side: Side,
    graphs: Graphs<'_>,
    origin: &Origin,
) -> Result<Vec<(usize, usize)>, PolicyError> {
    let mut found = Vec::new();
    for selector in selectors {
        let before = found.len();
        for (number, (name, graph)) in graphs.iter().enumerate() {
            if selector.applies_to(name) {
                let matched = selector.resolve(graph);
                let positions = if side == Side::Input { matched.inputs } else { matched.outputs };
                found.extend(positions.into_iter().map(|position| (number, position)));
            }
        }
        if found.len() == before {
            return Err(matches_nothing(selector, graphs, origin));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn matches_nothing(selector: &Selector, graphs: Graphs<'_>, origin: &Origin) -> PolicyError {
    let error = origin.error(format!("`{selector}` matches nothing"));
    let near = graphs.iter().find(|(name, _)| selector.applies_to(name)).map(|(_, graph)| nearest(selector, graph));
    let Some(near) = near else { return error };
    let mut help = near.hints;
    if !near.selectors.is_empty() {
        help.push(format!("nearest: `{}`", near.selectors.join("`, `")));
    }
    error.with_help(help.join("; "))
}

fn link_edges(link: &Link, graphs: Graphs<'_>, edges: &mut Vec<SystemEdge>) -> Result<(), PolicyError> {
    let (from_number, from_graph) = graph_of(&link.from, graphs, &link.origin)?;
    let (to_number, to_graph) = graph_of(&link.to, graphs, &link.origin)?;
    let (outputs, from_depth) = leaves(&link.from, from_graph.outputs());
    let (inputs, to_depth) = leaves(&link.to, to_graph.inputs());
    for (selector, found) in [(&link.from, outputs.len()), (&link.to, inputs.len())] {
        if found == 0 {
            return Err(matches_nothing(selector, graphs, &link.origin));
        }
    }
    let by_tail: FxHashMap<&[Box<str>], &Leaf<'_>> =
        outputs.iter().map(|output| (output.path.tail(from_depth), output)).collect();
    let kind = if link.within == Within::Run { EdgeKind::NextStep } else { EdgeKind::Link };
    let mut unpaired = Vec::new();
    for input in &inputs {
        let input_type = type_text(to_graph, input);
        match by_tail.get(input.path.tail(to_depth)) {
            Some(output) if type_text(from_graph, output) == input_type => {
                edges.push(SystemEdge { from: (from_number, output.position), to: (to_number, input.position), kind })
            }
            Some(output) => unpaired.push(format!(
                "`{}` is {input_type}, but `{}` is {}",
                input.path,
                output.path,
                type_text(from_graph, output)
            )),
            None => unpaired.push(format!("`{}` has no output of equal path below `{}`", input.path, link.from)),
        }
    }
    if unpaired.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 5;
    let more = unpaired.len().saturating_sub(SHOWN);
    unpaired.truncate(SHOWN);
    if more > 0 {
        unpaired.push(format!("and {more} more"));
    }
    let message = format!("`{}` and `{}` do not pair: {}", link.from, link.to, unpaired.join("; "));
    Err(link.origin.error(message))
}

fn graph_of<'a>(
    selector: &Selector,
    graphs: &[(&str, &'a TrainingGraph)],
    origin: &Origin,
) -> Result<(usize, &'a TrainingGraph), PolicyError> {
    let found = graphs.iter().enumerate().find(|(_, (name, _))| selector.graph() == Some(*name));
    let (number, (_, graph)) =
        found.ok_or_else(|| origin.error(format!("`{selector}` names a graph that was not given")))?;
    Ok((number, graph))
}

struct Leaf<'a> {
    position: usize,
    path: &'a PytreePath,
    value: ValueId,
}

/// The leaves that an end of a link selects, and how many segments stand before their tails.
fn leaves<'a>(selector: &Selector, all: impl Iterator<Item = (&'a PytreePath, ValueId)>) -> (Vec<Leaf<'a>>, usize) {
    let depth = selector.fixed_prefix().map_or(0, |(prefix, _)| prefix.segments().len());
    let all = all.enumerate().filter(|(_, (path, _))| selector.matches_path(path));
    (all.map(|(position, (path, value))| Leaf { position, path, value }).collect(), depth)
}

/// Type ids of two graphs are not comparable, their texts are.
fn type_text(graph: &TrainingGraph, leaf: &Leaf<'_>) -> String {
    graph.type_text(graph.value(leaf.value).r#type)
}
