//! The slow and obvious algorithm, kept for ever: inline every call, then follow every edge until nothing changes.
//!
//! Every function body is copied for every string of calls that leads to it, so calls are matched by construction.
//! The number of copies grows with the number of call strings: for tests.

use super::*;
use crate::graph::FunctionId;
use crate::transfer::{Dependence, Node};

/// What the slow algorithm finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// For each graph and value of its entry, by [`ValueId`]; none for values of other functions.
    pub values: Vec<Vec<Option<Strength>>>,
    /// For each graph and value of its entry how many edges the shortest clear path from a source has.
    pub distances: Vec<Vec<Option<usize>>>,
    /// Whether the hidden state of the world is reached.
    pub world: bool,
}

/// A body, and the calls that led to it.
struct Copy {
    graph: usize,
    function: FunctionId,
    /// The copy that calls, and the call.
    caller: Option<(usize, OperationId)>,
    /// The node of value 0 of the graph: nodes of a copy are numbered by value from here.
    base: usize,
}

/// Which values of the entries are reached.
pub fn propagate(system: &System<'_>, sources: &Sources, counted: Crossings) -> Reached {
    let (copies, world) = copies(system);
    let mut edges: Vec<(usize, usize, bool)> = Vec::new();
    let mut seeds: Vec<usize> = Vec::new();
    for copy in &copies {
        let flow = &system.graphs[copy.graph];
        let graph = flow.graph();
        let node = |node: Node| match node {
            Node::Value(value) => copy.base + value.index(),
            Node::World => world,
        };
        let sources = sources.closed(copy.graph, flow);
        for operation in graph.operations_within(graph.function(copy.function).body).iter() {
            flow.transfer().edges(operation, &mut |edge| {
                edges.push((node(edge.from), node(edge.to), edge.kind == Dependence::Opaque));
            });
            if sources.operations.contains(operation.index()) {
                seeds.extend(graph.results(operation).iter().map(|result| copy.base + result.index()));
                if flow.transfer().has_effects(operation) {
                    seeds.push(world);
                }
            }
        }
        let body = graph.function(copy.function).body;
        match copy.caller {
            None => seeds.extend(
                sources
                    .inputs
                    .iter()
                    .filter_map(|input| graph.arguments(body).get(*input))
                    .map(|value| copy.base + value.index()),
            ),
            Some((caller, call)) => {
                let caller = copies[caller].base;
                for (operand, parameter) in graph.operands(call).iter().zip(graph.arguments(body).iter()) {
                    edges.push((caller + operand.index(), copy.base + parameter.index(), false));
                }
                for (yielded, result) in graph.yields(body).iter().zip(graph.results(call).iter()) {
                    edges.push((copy.base + yielded.index(), caller + result.index(), false));
                }
            }
        }
    }
    // The entries are the first copies.
    for (from, to, possible) in system.crossings(counted) {
        if let (Some(output), Some(input)) = (system.output_value(from), system.input_value(to)) {
            edges.push((copies[from.graph].base + output.index(), copies[to.graph].base + input.index(), possible));
        }
    }
    let nodes = world + 1;
    let clear = closure(nodes, &seeds, edges.iter().filter(|(_, _, opaque)| !opaque));
    let any = closure(nodes, &seeds, edges.iter());
    let values = system.graphs.iter().enumerate().map(|(position, flow)| {
        let own = &flow.bodies[flow.graph().entry().index()].values;
        let of = |value: usize| {
            let node = copies[position].base + value;
            match (own.contains(&value), clear[node], any[node]) {
                (false, _, _) | (_, false, false) => None,
                (_, true, _) => Some(Strength::Clear),
                (_, false, true) => Some(Strength::Opaque),
            }
        };
        (0..flow.graph().values().len()).map(of).collect()
    });
    let values = values.collect();
    let lengths = lengths(nodes, &seeds, edges.iter().filter(|(_, _, opaque)| !opaque));
    let distances = system.graphs.iter().enumerate().map(|(position, flow)| {
        let base = copies[position].base;
        lengths[base..base + flow.graph().values().len()].to_vec()
    });
    Reached { values, distances: distances.collect(), world: any[world] }
}

/// Every body with every string of calls that leads to it, entries first; and the node of the world.
fn copies(system: &System<'_>) -> (Vec<Copy>, usize) {
    let mut copies = Vec::new();
    let mut base = 0;
    for (graph, flow) in system.graphs.iter().enumerate() {
        copies.push(Copy { graph, function: flow.graph().entry(), caller: None, base });
        base += flow.graph().values().len();
    }
    let mut next = 0;
    while let Some(copy) = copies.get(next) {
        let position = copy.graph;
        let flow = &system.graphs[position];
        let graph = flow.graph();
        for operation in graph.operations_within(graph.function(copy.function).body).iter() {
            if let Some(function) = flow.transfer().callee(operation) {
                copies.push(Copy { graph: position, function, caller: Some((next, operation)), base });
                base += graph.values().len();
            }
        }
        next += 1;
    }
    (copies, base)
}

fn closure<'a>(
    nodes: usize,
    seeds: &[usize],
    edges: impl Iterator<Item = &'a (usize, usize, bool)> + Clone,
) -> Vec<bool> {
    let mut reached = vec![false; nodes];
    seeds.iter().for_each(|seed| reached[*seed] = true);
    let mut changed = true;
    while changed {
        changed = false;
        for (from, to, _) in edges.clone() {
            if reached[*from] && !reached[*to] {
                reached[*to] = true;
                changed = true;
            }
        }
    }
    reached
}

/// The same, round by round: the round in which a node is come upon is how far away it is.
fn lengths<'a>(
    nodes: usize,
    seeds: &[usize],
    edges: impl Iterator<Item = &'a (usize, usize, bool)> + Clone,
) -> Vec<Option<usize>> {
    let mut lengths = vec![None; nodes];
    seeds.iter().for_each(|seed| lengths[*seed] = Some(0));
    let mut round = 0;
    loop {
        let mut changed = false;
        for (from, to, _) in edges.clone() {
            if lengths[*from] == Some(round) && lengths[*to].is_none() {
                lengths[*to] = Some(round + 1);
                changed = true;
            }
        }
        if !changed {
            return lengths;
        }
        round += 1;
    }
}
