//! Slices: all that a value influences, all that influences a value. Calls are not matched here, so a slice may be
//! larger than it must be; it is for what reports list, never for a verdict.

use std::collections::VecDeque;

use super::code::Adjacency;
use super::*;
use crate::graph::Definition;
use crate::transfer::{Dependence, Edge, Node, Opacity};

/// Which way to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// Values that were come upon, each with how many edges away it is from where the slice began.
#[derive(Clone, Debug)]
pub struct Slice {
    /// For each graph, by [`ValueId`]; [`u32::MAX`] is not in the slice.
    distances: Vec<Vec<u32>>,
    world: u32,
}

impl Slice {
    /// Whether a value is in it.
    pub fn contains(&self, graph: usize, value: ValueId) -> bool {
        self.distance(graph, Node::Value(value)).is_some()
    }

    fn distance(&self, graph: usize, node: Node) -> Option<u32> {
        let distance = match node {
            Node::Value(value) => *self.distances.get(graph)?.get(value.index())?,
            Node::World => self.world,
        };
        (distance != u32::MAX).then_some(distance)
    }

    /// The positions of the inputs of a graph that are in it.
    pub fn inputs(&self, system: &System<'_>, graph: usize) -> Vec<usize> {
        let inputs = system.graphs[graph].inputs();
        inputs
            .iter()
            .enumerate()
            .filter(|(_, value)| self.contains(graph, *value))
            .map(|(position, _)| position)
            .collect()
    }

    /// The operations of a graph that make a value that is in it.
    pub fn operations(&self, system: &System<'_>, graph: usize) -> FixedBitSet {
        let facts = system.graphs[graph].graph();
        let mut operations = FixedBitSet::with_capacity(facts.operations().len());
        for id in facts.operations().ids() {
            if facts.results(id).iter().any(|result| self.contains(graph, result)) {
                operations.insert(id.index());
            }
        }
        operations
    }
}

/// All that these values influence, over the edges that count.
pub fn forward_slice(
    system: &System<'_>,
    counted: Crossings,
    from: impl IntoIterator<Item = (usize, ValueId)>,
) -> Slice {
    slice(system, counted, Direction::Forward, from, false)
}

/// All that influences these values, over the edges that count.
pub fn backward_slice(
    system: &System<'_>,
    counted: Crossings,
    from: impl IntoIterator<Item = (usize, ValueId)>,
) -> Slice {
    slice(system, counted, Direction::Backward, from, false)
}

fn slice(
    system: &System<'_>,
    counted: Crossings,
    direction: Direction,
    from: impl IntoIterator<Item = (usize, ValueId)>,
    from_world: bool,
) -> Slice {
    let oriented = |from: u32, to: u32| match direction {
        Direction::Forward => (from, (to, 0)),
        Direction::Backward => (to, (from, 0)),
    };
    let neighbours: Vec<Adjacency> = system
        .graphs
        .iter()
        .map(|flow| {
            let inside = flow.all_edges().map(|(from, to, _)| oriented(from, to));
            let calls = flow.sites.iter().flat_map(|site| {
                let graph = flow.graph();
                let body = graph.function(site.callee).body;
                let enter = graph.operands(site.operation).iter().copied().zip(graph.arguments(body).iter());
                let leave = graph.yields(body).iter().copied().zip(graph.results(site.operation).iter());
                enter.chain(leave).map(|(from, to)| oriented(from.index() as u32, to.index() as u32))
            });
            let entries: Vec<_> = inside.chain(calls).collect();
            Adjacency::new(flow.graph().values().len(), &entries)
        })
        .collect();
    let into_world = |flow: &FlowGraph<'_>| reachable_bodies(flow, |body| &body.into_world);
    let out_of_world = |flow: &FlowGraph<'_>| reachable_bodies(flow, |body| &body.out_of_world);
    // Where the world is entered, and where it is left, in the direction of the search.
    let mut doors: Vec<FixedBitSet> = Vec::new();
    let mut behind: Vec<(usize, u32)> = Vec::new();
    for (position, flow) in system.graphs.iter().enumerate() {
        let (doors_here, behind_here) = match direction {
            Direction::Forward => (into_world(flow), out_of_world(flow)),
            Direction::Backward => (out_of_world(flow), into_world(flow)),
        };
        let mut bits = FixedBitSet::with_capacity(flow.graph().values().len());
        doors_here.into_iter().for_each(|value| bits.insert(value as usize));
        doors.push(bits);
        behind.extend(behind_here.into_iter().map(|value| (position, value)));
    }
    let mut crossings: Vec<Vec<(u32, (u32, u32))>> = vec![Vec::new(); system.graphs.len()];
    for (from, to, _) in system.crossings(counted) {
        let (Some(output), Some(input)) = (system.output_value(from), system.input_value(to)) else { continue };
        let ends = [(from.graph, output.index() as u32), (to.graph, input.index() as u32)];
        let [near, far] = if direction == Direction::Forward { ends } else { [ends[1], ends[0]] };
        crossings[near.0].push((near.1, (far.0 as u32, far.1)));
    }
    let crossings: Vec<Adjacency> = crossings
        .iter()
        .zip(&system.graphs)
        .map(|(entries, flow)| Adjacency::new(flow.graph().values().len(), entries))
        .collect();

    let mut found = Slice {
        distances: system.graphs.iter().map(|flow| vec![u32::MAX; flow.graph().values().len()]).collect(),
        world: u32::MAX,
    };
    let mut open: VecDeque<(usize, u32)> = VecDeque::new();
    let reach = |found: &mut Slice, open: &mut VecDeque<_>, graph: usize, value: u32, distance: u32| {
        let known = &mut found.distances[graph][value as usize];
        if *known == u32::MAX {
            *known = distance;
            open.push_back((graph, value));
        }
    };
    for (graph, value) in from {
        reach(&mut found, &mut open, graph, value.index() as u32, 0);
    }
    if from_world {
        found.world = 0;
        behind.iter().for_each(|(graph, value)| reach(&mut found, &mut open, *graph, *value, 1));
    }
    while let Some((graph, value)) = open.pop_front() {
        let next = found.distances[graph][value as usize].saturating_add(1);
        for &(to, _) in neighbours[graph].of(value) {
            reach(&mut found, &mut open, graph, to, next);
        }
        for &(other, to) in crossings[graph].of(value) {
            reach(&mut found, &mut open, other as usize, to, next);
        }
        if doors[graph].contains(value as usize) && found.world == u32::MAX {
            found.world = next;
            behind.iter().for_each(|(graph, value)| reach(&mut found, &mut open, *graph, *value, next + 1));
        }
    }
    found
}

fn reachable_bodies<'f>(flow: &'f FlowGraph<'_>, list: impl Fn(&'f super::code::Body) -> &'f Vec<u32>) -> Vec<u32> {
    flow.bodies.iter().filter(|body| body.reachable).flat_map(|body| list(body).iter().copied()).collect()
}

/// The operands that source operations take from outside of the source: what the probe reads.
pub fn taken_from_outside(system: &System<'_>, sources: &Sources, graph: usize) -> Vec<(usize, ValueId)> {
    let facts = system.graphs[graph].graph();
    let Some(own) = sources.graphs.get(graph) else { return Vec::new() };
    let mut operands = Vec::new();
    for operation in own.operations.ones().take_while(|id| *id < facts.operations().len()).map(OperationId::new) {
        for operand in facts.operands(operation) {
            let from_source = matches!(facts.value(*operand).definition,
                Definition::Result(maker, _) if own.operations.contains(maker.index()));
            if !from_source {
                operands.push((graph, *operand));
            }
        }
    }
    operands
}

/// The position of the input that an output is, if the step returns it unchanged.
pub fn unchanged_input(graph: &TrainingGraph, output: usize) -> Option<usize> {
    let body = graph.function(graph.entry()).body;
    let value = graph.yields(body).get(output)?;
    match graph.value(*value).definition {
        Definition::Argument(region, position) if region == body => Some(position as usize),
        _ => None,
    }
}

/// An opaque operation that information from the source may cross on its way to a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpaqueCrossing {
    /// Which graph.
    pub graph: usize,
    /// The operation.
    pub operation: OperationId,
    /// Why it is opaque.
    pub opacity: Opacity,
}

/// The opaque operations between the source and these sinks, nearest to a sink first, at most `most`.
pub fn opaque_crossings(
    system: &System<'_>,
    sources: &Sources,
    counted: Crossings,
    sinks: &[Port],
    most: usize,
) -> Vec<OpaqueCrossing> {
    let mut seeds = Vec::new();
    let mut world = false;
    for (position, flow) in system.graphs.iter().enumerate() {
        let own = sources.closed(position, flow);
        let count = flow.graph().operations().len();
        for operation in own.operations.ones().take_while(|id| *id < count).map(OperationId::new) {
            seeds.extend(flow.graph().results(operation).iter().map(|result| (position, result)));
            world |= flow.transfer().has_effects(operation);
        }
        seeds.extend(own.inputs.iter().filter_map(|input| flow.inputs().get(*input)).map(|value| (position, value)));
    }
    let before = slice(system, counted, Direction::Forward, seeds, world);
    let ends = sinks.iter().filter_map(|sink| Some((sink.graph, system.output_value(*sink)?)));
    let after = slice(system, counted, Direction::Backward, ends, false);
    let mut found = Vec::new();
    for (position, flow) in system.graphs.iter().enumerate() {
        for operation in flow.graph().operations().ids() {
            let opacity = flow.transfer().opacity(operation);
            if opacity == Opacity::Known || !flow.is_reachable(operation) {
                continue;
            }
            let mut nearest = u32::MAX;
            flow.transfer().edges(operation, &mut |Edge { from, to, kind }| {
                if kind == Dependence::Opaque && before.distance(position, from).is_some() {
                    nearest = nearest.min(after.distance(position, to).unwrap_or(u32::MAX));
                }
            });
            if nearest != u32::MAX {
                found.push((nearest, OpaqueCrossing { graph: position, operation, opacity }));
            }
        }
    }
    found.sort_by_key(|(nearest, crossing)| (*nearest, crossing.graph, crossing.operation));
    found.into_iter().map(|(_, crossing)| crossing).take(most).collect()
}
