//! What a matcher looks at: the path to one sink, step by step, and the graph around it.

use std::collections::VecDeque;

use fixedbitset::FixedBitSet;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::flow::explain::{PortChannel, Resolver};
use crate::flow::refined::{Leak, LeakEdge, Link, Origin, Place};
use crate::flow::{Crossing, Crossings, Phases, Port, Slice, System, backward_slice};
use crate::graph::{Definition, OperationId, OperationKind as Kind, Type, ValueId};
use crate::network::Network;
use crate::transfer::Dependence;
use crate::verdict::{Channel, Route, Within};

/// What is known of how the source reaches one group of sinks.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a, 'g> {
    /// The system.
    pub system: &'a System<'g>,
    /// Its leak, with labels that end at the sinks.
    pub leak: &'a Leak,
    /// Every sink of the invariant.
    pub sinks: &'a [Port],
    /// The sink of the group with the worst channel; of several the nearest.
    pub sink: Port,
    /// Its channel, and what shows it.
    pub channel: &'a PortChannel,
    /// A shortest path to it, source first ([`crate::flow::explain::leak_path`]).
    pub path: &'a [u32],
    /// The route of that path.
    pub route: Route,
    /// The phases of the operations of each graph.
    pub phases: &'a [Phases<'g>],
    /// Whether nothing reaches the group if masked products have finite operands.
    pub holds_if_finite: bool,
}

/// One step of the path: a part of a tensor that came to be, not only another name of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub place: Place,
    /// The operand that the path comes from.
    pub from: Option<Place>,
    /// The operation that made it; none for an input.
    pub kind: Option<Kind>,
    /// Whether it depends on the step before as on a test or an index.
    pub implicit: bool,
    /// Whether the operation belongs to a pass of cotangents.
    pub cotangent: bool,
    /// The input that it is, where it came from another step or function.
    pub crossed: Option<(Crossing, Port, Port)>,
}

/// So many places are looked at around one.
const MOST_PLACES: usize = 256;

/// The path, and questions about the graph around it.
pub(super) struct Trace<'e, 'g> {
    pub evidence: &'e Evidence<'e, 'g>,
    pub resolver: Resolver<'e, 'g>,
    pub steps: Vec<Step>,
    labelled: FxHashSet<Place>,
}

impl<'e, 'g> Trace<'e, 'g> {
    pub fn new(evidence: &'e Evidence<'e, 'g>) -> Self {
        let leak = evidence.leak;
        let labelled = leak.nodes.iter().filter_map(|node| node.place).collect();
        let resolver = Resolver::new(evidence.system, leak);
        let mut trace = Trace { evidence, resolver, steps: Vec::new(), labelled };
        let wide = (evidence.channel.channel == Channel::Content).then(|| trace.wide_path()).flatten();
        let path = wide.as_deref().unwrap_or(evidence.path);
        let pairs: FxHashSet<(u32, u32)> = path.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let edges: Vec<&LeakEdge> = leak.edges.iter().filter(|edge| pairs.contains(&(edge.from, edge.to))).collect();
        for (position, &node) in path.iter().enumerate() {
            let before = position.checked_sub(1).map(|before| path[before]);
            let link = edges.iter().find(|edge| Some(edge.from) == before && edge.to == node).map(|edge| edge.link);
            let facts = &leak.nodes[node as usize];
            if let Some(place) = facts.place
                && facts.origin != Origin::Copied
            {
                let from = before.and_then(|before| leak.nodes[before as usize].place);
                trace.steps.push(trace.step(from, place, link));
            }
        }
        trace
    }

    /// A shortest path over tensors alone. Where more than a factor arrives, a way over a single number, such as the norm
    /// of a clip, is not what shows the mechanism, however short it is.
    fn wide_path(&self) -> Option<Vec<u32>> {
        let leak = self.evidence.leak;
        let is_wide = |node: u32| leak.nodes[node as usize].place.is_some_and(|place| !self.is_scalar(place));
        let is_counted = |edge: &LeakEdge| match edge.link {
            Link::Cross(_, pair) => pair.is_some() && self.evidence.route == Route::Carried,
            Link::Flow(how) => how != Dependence::Opaque && !leak.nodes[edge.to as usize].opaque,
            Link::Enter | Link::Leave => true,
        };
        let network = self.network(|edge| is_counted(edge) && is_wide(edge.from) && is_wide(edge.to));
        let mut before: FxHashMap<u32, u32> = FxHashMap::default();
        let mut open: VecDeque<u32> = leak.sources.iter().copied().collect();
        let starts: FxHashSet<u32> = leak.sources.iter().copied().collect();
        let ends: FxHashSet<u32> = self.nodes_of(self.evidence.sink).iter().copied().collect();
        while let Some(node) = open.pop_front() {
            if ends.contains(&node) {
                let mut path = vec![node];
                while let Some(from) = path.last().and_then(|node| before.get(node)) {
                    path.push(*from);
                }
                path.reverse();
                return Some(path);
            }
            for &next in network.successors(node) {
                if !starts.contains(&next) && !before.contains_key(&next) {
                    before.insert(next, node);
                    open.push_back(next);
                }
            }
        }
        None
    }

    fn step(&self, from: Option<Place>, place: Place, link: Option<Link>) -> Step {
        let crossed = match link {
            Some(Link::Cross(crossing, Some(edge))) => {
                let edge = self.evidence.system.edges[edge as usize];
                Some((crossing, edge.from, edge.to))
            }
            _ => None,
        };
        Step {
            place,
            from,
            kind: self.kind(place),
            implicit: link == Some(Link::Flow(Dependence::Implicit)),
            cotangent: self.is_cotangent(place),
            crossed,
        }
    }

    /// The operation that makes a value, whose regions included.
    pub fn operation(&self, place: Place) -> Option<OperationId> {
        let graph = self.resolver.graph(place);
        match graph.value(place.value).definition {
            Definition::Result(operation, _) => Some(operation),
            Definition::Argument(region, _) => graph.region(region).parent,
        }
    }

    pub fn kind(&self, place: Place) -> Option<Kind> {
        Some(self.resolver.graph(place).operation(self.resolver.operation(place)?).kind)
    }

    pub fn is_cotangent(&self, place: Place) -> bool {
        let phases = &self.evidence.phases[self.resolver.graph_position(place)];
        self.operation(place).is_some_and(|operation| phases.of(operation).transposed)
    }

    pub fn is_labelled(&self, place: Place) -> bool {
        self.labelled.contains(&place)
    }

    pub fn operands(&self, place: Place) -> Vec<Place> {
        let count = self.resolver.operation(place).map_or(0, |it| self.resolver.graph(place).operands(it).len());
        (0..count).filter_map(|position| self.resolver.operand(place, position)).collect()
    }

    /// The operands of a step beside the one that the path comes from; constants are left out.
    pub fn other_operands(&self, step: &Step) -> Vec<Place> {
        let operands = self.operands(step.place).into_iter();
        operands.filter(|operand| Some(*operand) != step.from && !self.is_constant(*operand)).collect()
    }

    /// Whether a value is made of constants alone.
    pub fn is_constant(&self, place: Place) -> bool {
        let mut seen = FxHashSet::default();
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            let place = self.resolver.resolve(place);
            if !seen.insert(place) {
                continue;
            }
            if seen.len() > MOST_PLACES || self.resolver.operation(place).is_none() {
                return false;
            }
            open.extend(self.operands(place));
        }
        true
    }

    /// The tensor that a value is under another shape, order or type.
    pub fn base(&self, place: Place) -> Place {
        let mut place = self.resolver.resolve(place);
        for _ in 0..MOST_PLACES {
            let is_moved = self.kind(place).is_some_and(is_layout);
            match self.resolver.operand(place, 0).filter(|_| is_moved) {
                Some(operand) => place = self.resolver.resolve(operand),
                None => break,
            }
        }
        place
    }

    /// The position of the input of the step that a value is, under another shape or not.
    pub fn input(&self, place: Place) -> Option<Port> {
        let base = self.base(place);
        let graph = self.resolver.graph_position(base);
        match self.resolver.graph(base).value(base.value).definition {
            Definition::Argument(_, position) if self.resolver.is_of_the_step(base) => {
                Some(Port { graph, position: position as usize })
            }
            _ => None,
        }
    }

    /// Whether it is an input, or an input with something added to it.
    pub fn is_parameter(&self, place: Place) -> bool {
        let place = self.base(place);
        let is_input = |place: Place| self.input(place).is_some();
        let is_updated = matches!(self.kind(place), Some(Kind::Add | Kind::Subtract));
        is_input(place) || is_updated && self.operands(place).into_iter().any(is_input)
    }

    /// The input that an output becomes in the next step.
    pub fn next_input(&self, output: Port) -> Option<Port> {
        let carried = |edge: &&crate::flow::SystemEdge| edge.from == output && edge.crossing == Crossing::Carried;
        self.evidence.system.edges.iter().find(carried).map(|edge| edge.to)
    }

    pub fn tensor_type(&self, place: Place) -> Option<&'g Type> {
        let graph = self.resolver.graph(place);
        Some(graph.r#type(graph.value(place.value).r#type))
    }

    pub fn is_scalar(&self, place: Place) -> bool {
        self.resolver.graph(place).tensor_type(place.value).is_some_and(|tensor| tensor.rank() == Some(0))
    }

    pub fn input_place(&self, port: Port) -> Option<Place> {
        let value = self.evidence.system.graphs[port.graph].inputs().get(port.position)?;
        self.of_the_step(port.graph, value)
    }

    pub fn output_place(&self, port: Port) -> Option<Place> {
        let value = *self.evidence.system.graphs[port.graph].outputs().get(port.position)?;
        self.of_the_step(port.graph, value)
    }

    fn of_the_step(&self, graph: usize, value: ValueId) -> Option<Place> {
        let mut instances = self.evidence.leak.instances.iter();
        let instance = instances.position(|it| it.parent.is_none() && it.graph as usize == graph)?;
        Some(Place { instance: instance as u32, value })
    }

    /// Everything that a value is made of within one step.
    pub fn made_of(&self, places: impl IntoIterator<Item = Place>) -> Slice {
        let values = places.into_iter().map(|place| (self.resolver.graph_position(place), place.value));
        backward_slice(self.evidence.system, Crossings::within(Within::Step), values)
    }

    pub fn is_in(&self, slice: &Slice, place: Place) -> bool {
        slice.contains(self.resolver.graph_position(place), place.value)
    }

    /// The steps since the last crossing.
    pub fn last_part(&self) -> &[Step] {
        let start = self.steps.iter().rposition(|step| step.crossed.is_some()).unwrap_or(0);
        &self.steps[start..]
    }

    /// If the path crosses from step to step exactly once: the part before, the crossing, and the part after.
    pub fn one_crossing(&self) -> Option<(&[Step], &Step, &[Step])> {
        let mut crossings = self.steps.iter().enumerate().filter(|(_, step)| step.crossed.is_some());
        let (at, step) = crossings.next().filter(|_| crossings.next().is_none())?;
        matches!(step.crossed, Some((Crossing::Carried, ..))).then_some((
            &self.steps[..at],
            step,
            &self.steps[at + 1..],
        ))
    }

    /// Where what depends on the source enters the pass of cotangents for good: the last step before, as a value of the
    /// forward pass, and the cotangents from there on; none if that is not how the path ends. What was trained in an
    /// earlier step is no derivative of this one.
    pub fn gradient(&self) -> Option<(Place, &[Step])> {
        let part = self.last_part();
        if self.steps[..self.steps.len() - part.len()].iter().any(|step| step.cotangent) {
            return None;
        }
        let end = part.iter().rposition(|step| step.cotangent)?;
        let start = part.iter().position(|step| step.cotangent)?;
        let before = part[..start].last()?;
        let ends_as_update = part[end + 1..].iter().all(|step| !step.implicit && step.kind.is_some_and(is_updating));
        let is_one_pass = part[start..=end].iter().all(|step| !step.implicit);
        (ends_as_update && is_one_pass).then_some((before.place, &part[start..=end]))
    }

    /// The parts of the leak that these are reached from, by edges that `follows` allows.
    pub fn reached_by(&self, from: &[u32], follows: impl Fn(&LeakEdge) -> bool) -> FixedBitSet {
        self.network(follows).reached_from(from)
    }

    /// The parts of the leak from which these are reached.
    pub fn reaching(&self, to: &[u32], follows: impl Fn(&LeakEdge) -> bool) -> FixedBitSet {
        self.network(follows).reaching(to)
    }

    fn network(&self, follows: impl Fn(&LeakEdge) -> bool) -> Network {
        let edges = self.evidence.leak.edges.iter().filter(|edge| follows(edge));
        let edges: Vec<(u32, u32)> = edges.map(|edge| (edge.from, edge.to)).collect();
        Network::new(self.evidence.leak.nodes.len() as u32, &edges)
    }

    /// The parts of an output that are labelled.
    pub fn nodes_of(&self, port: Port) -> &[u32] {
        let outputs = self.evidence.leak.outputs.get(port.graph);
        outputs.and_then(|outputs| outputs.get(port.position)).map_or(&[], Vec::as_slice)
    }

    /// The places of the sources that are cotangents, or that are not.
    pub fn sources(&self, cotangent: bool) -> impl Iterator<Item = (u32, Place)> {
        let place = |node: &u32| Some((*node, self.evidence.leak.nodes[*node as usize].place?));
        let sources = self.evidence.leak.sources.iter().filter_map(place);
        sources.filter(move |(_, place)| self.is_cotangent(*place) == cotangent)
    }
}

/// Whether it only gives elements another place or type.
pub(super) fn is_layout(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Reshape
            | Kind::Transpose
            | Kind::BroadcastInDim
            | Kind::Broadcast
            | Kind::Convert
            | Kind::ReducePrecision
            | Kind::ShardingConstraint
            | Kind::Reshard
    )
}

/// Whether it is one of the operations by which an optimizer turns a gradient into an update.
pub(super) fn is_updating(kind: Kind) -> bool {
    let is_part =
        matches!(kind, Kind::Slice | Kind::Concatenate | Kind::Pad | Kind::DynamicUpdateSlice | Kind::DynamicSlice);
    is_part || is_layout(kind) || crate::transfer::images::is_element_by_element(kind)
}
