//! The flows of a leak by the edit that would cut them: one action of a person is all edges of one line that do the same.

use fixedbitset::FixedBitSet;
use rustc_hash::{FxHashMap, FxHashSet};

use super::resolve::Resolver;
use super::sites::{Site, Sites};
use super::{is_copy, operation_at};
use crate::flow::refined::{Leak, LeakEdge, Link, Place};
use crate::flow::{Crossings, Phases, Slice, Sources, System, forward_slice};
use crate::graph::{Definition, OperationId, OperationKind as Kind, ValueId};
use crate::index::Id;
use crate::network::{Dominators, Network, UNCUTTABLE};
use crate::transfer::Dependence;
use crate::verdict::{RepairKind, Within};

/// The group of the edges that no edit cuts.
pub(super) const NEVER: u32 = 0;

/// What an action costs, before what speaks against it. So much more than that, that fewer actions are always better.
const ACTION: u32 = 10_000;

/// The most that an action can cost.
pub(super) const DEAREST_ACTION: u32 = ACTION + AGAINST_STATE + INSIDE_A_SCOPE + NO_LINE_OF_THE_USER;

/// The value has to go, and nothing takes its place.
const AGAINST_DISUSE: u32 = 30;
/// What one step hands to the next is part of what people save and load.
const AGAINST_STATE: u32 = 60;
/// A second optimizer is more than a second clip.
const AGAINST_OPTIMIZER: u32 = 5;
/// The cut is not where one scope hands to another.
const INSIDE_A_SCOPE: u32 = 10;
/// The line is in a library, and no line of the user called it.
const NO_LINE_OF_THE_USER: u32 = 20;

/// All edges that one edit cuts.
#[derive(Clone, Debug)]
pub(super) struct Action<'g> {
    /// How they are cut.
    pub kind: RepairKind,
    /// The innermost scopes that the value comes from, and that it goes to.
    pub scopes: [Option<&'g str>; 2],
    /// What is told of them: the site of the first.
    pub site: Site,
    /// What it costs.
    pub weight: u32,
}

/// The actions of a leak.
pub(super) struct Actions<'g> {
    /// By edge of the leak: the action, counted from 1, or [`NEVER`].
    pub of_edge: Vec<u32>,
    /// The actions.
    pub list: Vec<Action<'g>>,
}

/// A flow as people see it, whatever call or iteration it happens in: graph and both values.
pub type Flow = (usize, ValueId, ValueId);

/// Edges with one key are cut together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'g> {
    graph: usize,
    /// The line that computes, and the line of the user that asks for it; the operation where no line is known.
    lines: Result<[Option<(&'g str, u32)>; 2], OperationId>,
    operation: Kind,
    way: Way,
    kind: RepairKind,
    /// Whether something that must stay reached is behind it.
    is_shared: bool,
}

/// How the value is taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    Any,
    /// As this operand, or by the regions.
    Operand(u32),
    Enter(u32),
    Leave(u32),
    /// By the next step.
    Pair(u32),
}

/// What the actions are made from.
pub(super) struct Grouping<'c, 'l, 'g> {
    pub system: &'c System<'g>,
    pub leak: &'l Leak,
    pub phases: &'c [Phases<'g>],
    pub gradients: &'c Gradients,
    pub masked: &'c [(usize, OperationId)],
    /// The nodes between the source and the sinks.
    pub between: &'c FixedBitSet,
    /// The nodes from which something that must stay reached is reached.
    pub shared: &'c FixedBitSet,
}

impl<'g> Grouping<'_, '_, 'g> {
    pub fn actions(&self) -> Actions<'g> {
        let sites = Sites::new(self.system, self.leak, self.phases, self.gradients, self.masked);
        let mut shared: FxHashSet<Flow> = FxHashSet::default();
        let mut wanted: FxHashMap<Flow, u32> = FxHashMap::default();
        for edge in &self.leak.edges {
            let Some(flow) = flow_of(self.leak, edge) else { continue };
            if self.shared.contains(edge.to as usize) {
                shared.insert(flow);
            }
            if self.is_between(edge) {
                wanted.insert(flow, NEVER);
            }
        }
        let mut list: Vec<Action<'g>> = Vec::new();
        let mut known: FxHashMap<Key<'g>, u32> = FxHashMap::default();
        for (position, edge) in self.leak.edges.iter().enumerate() {
            let Some(flow) = flow_of(self.leak, edge).filter(|_| self.is_between(edge)) else { continue };
            let Some(site) = sites.of(position as u32) else { continue };
            let kind = sites.kind(&site);
            let key = self.key(edge, &site, kind, shared.contains(&flow));
            let action = *known.entry(key).or_insert_with(|| {
                let scopes = sites.scopes(&site);
                let weight = self.weight(kind, &site, scopes);
                list.push(Action { kind, scopes, site, weight });
                list.len() as u32
            });
            // One flow is one action, wherever it happens: the first that it was met in.
            wanted.entry(flow).and_modify(|own| *own = if *own == NEVER { action } else { *own });
        }
        let of_edge = self
            .leak
            .edges
            .iter()
            .map(|edge| flow_of(self.leak, edge).and_then(|flow| wanted.get(&flow).copied()).unwrap_or(NEVER));
        Actions { of_edge: of_edge.collect(), list }
    }

    fn is_between(&self, edge: &LeakEdge) -> bool {
        self.between.contains(edge.from as usize) && self.between.contains(edge.to as usize)
    }

    fn key(&self, edge: &LeakEdge, site: &Site, kind: RepairKind, is_shared: bool) -> Key<'g> {
        let graph = self.system.graphs[site.graph].graph();
        let line = |place: Option<&'g crate::graph::Place>| place.map(|place| (&*place.file, place.line));
        let lines = |operation: OperationId| {
            let place = graph.operation(operation).place;
            line(graph.place(place)).map(|innermost| [Some(innermost), line(graph.user_place(place))]).ok_or(operation)
        };
        let key = Key {
            graph: site.graph,
            lines: Ok([None, None]),
            operation: Kind::Unknown,
            way: Way::Any,
            kind,
            is_shared,
        };
        let maker = operation_at(self.system, self.leak, edge.from).map(|(_, maker)| maker);
        match (kind, site.operation, maker) {
            // The gradient of a value goes nowhere any more.
            (RepairKind::StopGradient, _, Some(maker)) => {
                Key { lines: lines(maker), operation: graph.operation(maker).kind, ..key }
            }
            // One edit of the optimizer.
            (RepairKind::SplitClip | RepairKind::SplitCheck | RepairKind::SplitOptimizer, Some(operation), _)
                if !is_shared =>
            {
                Key { lines: lines(operation).map(|[_, user]| [None, user]), ..key }
            }
            (_, Some(operation), _) => {
                let way = match edge.link {
                    Link::Enter => Way::Enter(site.operand),
                    Link::Leave => Way::Leave(site.operand),
                    _ => Way::Operand(site.operand),
                };
                Key { lines: lines(operation), operation: graph.operation(operation).kind, way, ..key }
            }
            (_, None, _) => match edge.link {
                Link::Cross(_, pair) => Key { way: Way::Pair(pair.unwrap_or(u32::MAX)), ..key },
                _ => key,
            },
        }
    }

    fn weight(&self, kind: RepairKind, site: &Site, [from, to]: [Option<&str>; 2]) -> u32 {
        let graph = self.system.graphs[site.graph].graph();
        let against = match kind {
            RepairKind::StopGradient | RepairKind::SplitClip | RepairKind::SplitCheck | RepairKind::SplitKey => 0,
            RepairKind::MaskByWhere => 0,
            RepairKind::SplitOptimizer => AGAINST_OPTIMIZER,
            RepairKind::DoNotUse => AGAINST_DISUSE,
            RepairKind::SplitState => AGAINST_STATE,
        };
        let place_of = |operation: OperationId| graph.user_place(graph.operation(operation).place);
        let place = site.operation.and_then(place_of);
        let maker = operation_at(self.system, self.leak, self.leak.edges[site.edge as usize].from);
        let function = |place: Option<&'g crate::graph::Place>| place.map(|place| (&place.file, &place.function));
        let is_inside = (from, function(maker.and_then(|(_, maker)| place_of(maker)))) == (to, function(place));
        let is_foreign = place.is_none_or(crate::graph::Place::is_library);
        ACTION + against + if is_inside { INSIDE_A_SCOPE } else { 0 } + if is_foreign { NO_LINE_OF_THE_USER } else { 0 }
    }
}

/// The flow that an edge is an instance of; none where it comes from the world outside, or goes into a loop: what a loop
/// begins with and what it goes on with are not told apart there.
pub(super) fn flow_of(leak: &Leak, edge: &LeakEdge) -> Option<Flow> {
    let from = leak.nodes[edge.from as usize].place?;
    let to = leak.nodes[edge.to as usize].place?;
    let graph = leak.instances[from.instance as usize].graph as usize;
    Some((graph, from.value, to.value))
}

/// The gradients of a step.
pub(super) struct Gradients {
    /// Results of cotangent operations.
    cotangents: FxHashSet<(usize, ValueId)>,
    /// What is made of them in the same step.
    descends: Slice,
}

impl Gradients {
    pub fn new(system: &System<'_>, phases: &[Phases<'_>]) -> Self {
        let cotangents: FxHashSet<(usize, ValueId)> = (phases.iter().zip(&system.graphs).enumerate())
            .flat_map(|(position, (phases, flow))| {
                let graph = flow.graph();
                let transposed = graph.operations().ids().filter(|operation| phases.of(*operation).transposed);
                transposed
                    .flat_map(move |operation| graph.results(operation).iter().map(move |value| (position, value)))
            })
            .collect();
        let descends = forward_slice(system, Crossings::within(Within::Step), cotangents.iter().copied());
        Gradients { cotangents, descends }
    }

    /// Whether a value is a gradient.
    pub fn contain(&self, graph: usize, value: ValueId) -> bool {
        self.cotangents.contains(&(graph, value))
    }

    /// Whether a value is a gradient, or made of one.
    pub fn reach(&self, graph: usize, value: ValueId) -> bool {
        self.descends.contains(graph, value)
    }
}

/// Which actions must not be taken, since a sink would no longer be trained at all.
///
/// A sink is trained by cotangents that are not labelled, where there are any, and by those that are otherwise. It must
/// be possible to come from such a one to the sink: by a way on which it stays a gradient, not by a norm or a test.
pub(super) struct Training {
    /// The nodes at which cotangents come in, and the sinks that are to be reached from one of them.
    demands: Vec<(Vec<u32>, Vec<u32>)>,
    /// By edge of the plan, whether it passes on gradients as such.
    passes: FixedBitSet,
}

impl Training {
    /// `edges` are those of the leak and of what is behind it; `sinks` has for each sink that is reached the node behind
    /// its nodes in the leak.
    pub fn new(
        system: &System<'_>,
        sources: &Sources,
        leak: &Leak,
        gradients: &Gradients,
        between: &FixedBitSet,
        (nodes, edges): (u32, &[(u32, u32)]),
        sinks: &[u32],
    ) -> Self {
        let resolver = Resolver::new(system, leak);
        let places: FxHashSet<Place> = leak.nodes.iter().filter_map(|node| node.place).collect();
        let values: FxHashSet<(usize, ValueId)> =
            places.iter().map(|place| (resolver.graph_position(*place), place.value)).collect();
        let is_scalar = |place: Place| {
            let tensor = resolver.graph(place).tensor_type(place.value);
            tensor.is_some_and(|tensor| tensor.rank() == Some(0))
        };
        let is_cotangent = |place: Place| gradients.contain(resolver.graph_position(place), place.value);
        // A norm is no gradient. The gradient of a number is.
        let collapses = |from: Place, to: Place| is_scalar(to) && !is_scalar(from) && !is_cotangent(to);
        let meets_unlabelled = |place: Place| {
            let graph = resolver.graph(place);
            let Definition::Result(operation, result) = graph.value(place.value).definition else { return false };
            let position = resolver.graph_position(place);
            let operands = (0..graph.operands(operation).len()).filter_map(|at| resolver.operand(place, at));
            let mut unlabelled = operands.filter(|operand| !places.contains(operand) && !collapses(*operand, place));
            if unlabelled.any(|operand| gradients.reach(position, operand.value)) {
                return true;
            }
            let given =
                graph.regions_of(operation).iter().filter_map(|region| graph.yields(*region).get(result as usize));
            let mut unlabelled = given.filter(|value| !values.contains(&(position, **value)));
            unlabelled.any(|value| gradients.reach(position, *value))
        };
        let closed: Vec<_> =
            system.graphs.iter().enumerate().map(|(position, flow)| sources.closed(position, flow)).collect();
        let is_source = |place: Place| {
            let operations = &closed[resolver.graph_position(place)].operations;
            resolver.operation(place).is_some_and(|operation| operations.contains(operation.index()))
        };
        let (mut clean, mut labelled, mut given_by_sources) = (Vec::new(), Vec::new(), FxHashSet::default());
        for node in between.ones() {
            let Some(place) = leak.nodes[node].place else { continue };
            if !is_copy(leak, node as u32) && meets_unlabelled(place) {
                match is_source(place) {
                    // It adds its own cotangent to that of others: without its own there is no such sum.
                    true => _ = given_by_sources.insert(node as u32),
                    false => clean.push(node as u32),
                }
            }
            if is_cotangent(place) {
                labelled.push(node as u32);
            }
        }
        let after_sources = leak.edges.iter().filter(|edge| given_by_sources.contains(&edge.from));
        clean.extend(after_sources.map(|edge| edge.to));
        let mut passes = FixedBitSet::with_capacity(edges.len());
        for (position, (from, to)) in edges.iter().enumerate() {
            let ends = [from, to].map(|node| leak.nodes.get(*node as usize).and_then(|node| node.place));
            let is_test = leak.edges.get(position).is_some_and(|edge| edge.link == Link::Flow(Dependence::Implicit));
            passes.set(position, !is_test && !matches!(ends, [Some(from), Some(to)] if collapses(from, to)));
        }
        let passing: Vec<(u32, u32)> = passes.ones().map(|edge| edges[edge]).collect();
        let network = Network::new(nodes, &passing);
        let mut demands = Vec::new();
        let mut open = sinks.to_vec();
        for roots in [clean, labelled] {
            let reached = network.reached_from(&roots);
            let (of_these, others) = open.into_iter().partition(|sink| reached.contains(*sink as usize));
            demands.push((roots, of_these));
            open = others;
        }
        Training { demands, passes }
    }

    /// The groups one edge of which is on every way that trains some sink.
    pub fn needed(&self, edges: &[(u32, u32)], groups: &[u32], nodes: u32) -> FixedBitSet {
        let mut needed = FixedBitSet::with_capacity(groups.iter().max().map_or(0, |most| *most as usize + 1));
        let on_edges: Vec<(u32, u32)> = (edges.iter().zip(nodes..).enumerate())
            .filter(|(position, _)| self.passes.contains(*position))
            .flat_map(|(_, ((from, to), middle))| [(*from, middle), (middle, *to)])
            .collect();
        let network = Network::new(nodes + edges.len() as u32, &on_edges);
        for (roots, sinks) in &self.demands {
            let dominators = Dominators::new(&network, roots);
            let mut seen = FixedBitSet::with_capacity(network.node_count() as usize);
            for sink in sinks {
                let mut at = dominators.immediate(*sink);
                while let Some(node) = at.filter(|node| !seen.put(*node as usize)) {
                    if let Some(edge) = node.checked_sub(nodes) {
                        needed.insert(groups[edge as usize] as usize);
                    }
                    at = dominators.immediate(node);
                }
            }
        }
        needed
    }

    /// Whether every sink is still trained without these groups.
    pub fn goes_on(&self, edges: &[(u32, u32)], groups: &[u32], nodes: u32, cut: &[u32]) -> bool {
        let stays = self.passes.ones().filter(|edge| !cut.contains(&groups[*edge]));
        let network = Network::new(nodes, &stays.map(|edge| edges[edge]).collect::<Vec<_>>());
        self.demands.iter().all(|(roots, sinks)| {
            let reached = network.reached_from(roots);
            sinks.iter().all(|sink| reached.contains(*sink as usize))
        })
    }
}

/// The weights of the groups, those that are needed left out.
pub(super) fn weights(actions: &Actions<'_>, needed: &FixedBitSet) -> Vec<u32> {
    let of_actions = actions.list.iter().zip(1..).map(|(action, group)| match needed.contains(group) {
        true => UNCUTTABLE,
        false => action.weight,
    });
    [UNCUTTABLE].into_iter().chain(of_actions).collect()
}

/// The operation that an edge belongs to: which takes the value, or which calls.
pub(super) fn operation_of(system: &System<'_>, leak: &Leak, edge: &LeakEdge) -> Option<(usize, OperationId)> {
    match edge.link {
        Link::Enter => {
            let instance = &leak.instances[leak.nodes[edge.to as usize].place?.instance as usize];
            Some((instance.graph as usize, instance.operation?))
        }
        Link::Cross(..) => None,
        Link::Leave | Link::Flow(_) => operation_at(system, leak, edge.to),
    }
}
