//! Where to cut: the fewest edits without whose flows nothing reaches a sink, and everything else that is trained by the
//! source still is. Each is checked by running the analysis again without these flows.
//!
//! What stays reached is what the source may train: the other outputs that the next step takes, except those that are only
//! a stage on the way to a sink (its momentum) or made of one (its moving average). Outputs that are only shown to people
//! are not kept. Where the source reaches no such output, and gradients train nothing else either, there is nothing that
//! it could train but the sinks: one parameter set is both boxes, and no cut will do.

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashSet;

use super::actions::{Actions, DEAREST_ACTION, Flow, Gradients, Grouping, NEVER, Training, flow_of, weights};
use super::advice::action;
use super::nodes_of;
use crate::flow::refined::{Leak, Link, Question, refine};
use crate::flow::{Crossing, Phases, Port, Sources, System};
use crate::graph::{Definition, OperationId, OperationKind as Kind};
use crate::network::{Network, Repair as Search, RepairQuery, UNCUTTABLE, smallest_repair};
use crate::verdict::{Repair, RepairAction, RepairOutcome};

/// So many edges are looked at in one search.
const WORK: u64 = 4_000_000;

/// So often a repair that would end the training of a sink is left out, and the next one looked for.
const MOST_SEARCHES: usize = 8;

/// In leaks with more edges than this no repair is looked for.
const MOST_EDGES: usize = 2_000_000;

/// A repair, and what shows that it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// For a report.
    pub repair: Repair,
    /// The flows that it cuts, for [`Question::cut`]; none unless there is a repair.
    pub cut: Vec<Flow>,
    /// The outputs that stay reached.
    pub kept: Vec<Port>,
}

impl Repaired {
    fn none(outcome: RepairOutcome, lower_bound: u64, kept: &[Port]) -> Self {
        let exact = outcome == RepairOutcome::Impossible;
        let repair = Repair { outcome, actions: Vec::new(), exact, lower_bound, verified: false };
        Repaired { repair, cut: Vec::new(), kept: kept.to_vec() }
    }
}

/// The smallest repair. `leak` is the answer to `question`, whose labels end at `sinks`; `phases` are those of each graph
/// of the system; `masked` are the products (graph and operation) that would not pass anything on if all were finite.
pub fn repair(
    system: &System<'_>,
    question: &Question<'_>,
    leak: &Leak,
    sinks: &[Port],
    phases: &[Phases<'_>],
    masked: &[(usize, OperationId)],
) -> Repaired {
    if leak.edges.len() > MOST_EDGES {
        return Repaired::none(RepairOutcome::NotFound, 0, &[]);
    }
    let gradients = Gradients::new(system, phases);
    let plan = Plan::new(system, leak, sinks);
    let without = |outcome, lower_bound| Repaired::none(outcome, lower_bound, &plan.kept);
    if plan.kept.is_empty() && !plan.trains_others(&gradients) {
        // Parts of one tensor may be told apart by an edit of the indices, which is no cut.
        let outcome = if plan.has_parts(sinks) { RepairOutcome::NotFound } else { RepairOutcome::Impossible };
        return without(outcome, 0);
    }
    let (actions, found) = plan.search(question.sources, phases, &gradients, masked);
    let (chosen, exact, lower_bound) = match found {
        Found::Cut { groups, exact, lower_bound } => (groups, exact, lower_bound),
        Found::Impossible => return without(RepairOutcome::Impossible, 0),
        Found::Nothing { lower_bound } => return without(RepairOutcome::NotFound, lower_bound),
    };
    let cut = plan.flows(&actions, &chosen);
    if !is_verified(system, question, sinks, &plan.kept, &cut) {
        return without(RepairOutcome::NotFound, lower_bound);
    }
    let mut told: Vec<RepairAction> = Vec::new();
    for group in chosen {
        let action = action(system, leak, sinks, &actions.list[group as usize - 1]);
        // A function that all groups call has flows of its own, and yet the edit is one.
        let is_same = |other: &RepairAction| {
            (other.kind, &other.place, &other.advice) == (action.kind, &action.place, &action.advice)
        };
        if !told.iter().any(is_same) {
            told.push(action);
        }
    }
    let lower_bound = lower_bound.min(told.len() as u64);
    let repair = Repair { outcome: RepairOutcome::Found, actions: told, exact, lower_bound, verified: true };
    Repaired { repair, cut, kept: plan.kept }
}

/// What a search found.
enum Found {
    Cut {
        groups: Vec<u32>,
        exact: bool,
        /// In actions.
        lower_bound: u64,
    },
    Impossible,
    Nothing {
        lower_bound: u64,
    },
}

/// Whether without these flows no sink is reached, and each output that must be still is.
fn is_verified(system: &System<'_>, question: &Question<'_>, sinks: &[Port], kept: &[Port], cut: &[Flow]) -> bool {
    refine(system, &Question { cut, ..*question }).is_ok_and(|refined| {
        sinks.iter().all(|sink| refined.output(*sink).is_none())
            && kept.iter().all(|kept| refined.output(*kept).is_some())
    })
}

/// A leak with one node behind all nodes of each output.
struct Plan<'p, 'g> {
    system: &'p System<'g>,
    leak: &'p Leak,
    network: Network,
    edges: Vec<(u32, u32)>,
    nodes: u32,
    /// The nodes of the outputs that must not be reached.
    forbidden: Vec<u32>,
    /// The nodes between the source and those.
    between: FixedBitSet,
    /// The sinks that are reached.
    reached: Vec<Port>,
    /// The outputs that must stay reached.
    kept: Vec<Port>,
    /// The outputs that are none of these: sinks, stages on the way to one, and what is only shown.
    sinks: FxHashSet<Port>,
    /// All outputs that are reached; the node behind each is the first one behind the leak's, and so on.
    behind: Vec<Port>,
}

impl<'p, 'g> Plan<'p, 'g> {
    fn new(system: &'p System<'g>, leak: &'p Leak, sinks: &[Port]) -> Self {
        let sinks: FxHashSet<Port> = sinks.iter().copied().collect();
        let behind: Vec<Port> = (leak.outputs.iter().enumerate())
            .flat_map(|(graph, outputs)| (0..outputs.len()).map(move |position| Port { graph, position }))
            .filter(|port| !nodes_of(leak, *port).is_empty())
            .collect();
        let first = leak.nodes.len() as u32;
        let mut edges: Vec<(u32, u32)> = leak.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        for (port, node) in behind.iter().zip(first..) {
            edges.extend(nodes_of(leak, *port).iter().map(|part| (*part, node)));
        }
        let nodes = first + behind.len() as u32;
        let network = Network::new(nodes, &edges);
        let (reached, others): (Vec<Port>, Vec<Port>) = behind.iter().partition(|port| sinks.contains(port));
        let forbidden: Vec<u32> = reached.iter().flat_map(|sink| nodes_of(leak, *sink).iter().copied()).collect();
        let mut between = network.reached_from(&leak.sources);
        between.intersect_with(&network.reaching(&forbidden));
        let mut kept = allowed(leak, nodes, &forbidden, &others);
        if !system.edges.is_empty() {
            kept.retain(|port| is_taken(system, *port));
        }
        Plan { system, leak, network, edges, nodes, forbidden, between, reached, kept, sinks, behind }
    }

    /// Whether a sink is picked out of something else that the next step takes.
    fn has_parts(&self, sinks: &[Port]) -> bool {
        sinks.iter().any(|sink| {
            let graph = self.system.graphs[sink.graph].graph();
            let value = self.system.output_value(*sink).map(|value| graph.value(value).definition);
            let Some(Definition::Result(operation, _)) = value else { return false };
            let is_picked = matches!(
                graph.operation(operation).kind,
                Kind::Slice | Kind::DynamicSlice | Kind::Gather | Kind::Reshape | Kind::Call
            );
            is_picked && !is_taken(self.system, *sink)
        })
    }

    /// Whether gradients also train what the source does not reach, and what is no sink.
    fn trains_others(&self, gradients: &Gradients) -> bool {
        (self.system.graphs.iter().enumerate()).any(|(graph, flow)| {
            flow.outputs().iter().enumerate().any(|(position, value)| {
                let port = Port { graph, position };
                let is_clean = nodes_of(self.leak, port).is_empty() && !self.sinks.contains(&port);
                is_clean && is_taken(self.system, port) && gradients.reach(graph, *value)
            })
        })
    }

    /// The nodes behind these outputs.
    fn nodes_behind(&self, ports: &[Port]) -> Vec<u32> {
        let first = self.leak.nodes.len() as u32;
        let behind = ports.iter().filter_map(|port| self.behind.iter().position(|other| other == port));
        behind.map(|at| first + at as u32).collect()
    }

    /// What can be done, and the groups to cut.
    fn search(
        &self,
        sources: &Sources,
        phases: &[Phases<'g>],
        gradients: &Gradients,
        masked: &[(usize, OperationId)],
    ) -> (Actions<'g>, Found) {
        let kept = self.nodes_behind(&self.kept);
        let grouping = Grouping {
            system: self.system,
            leak: self.leak,
            phases,
            gradients,
            masked,
            between: &self.between,
            shared: &self.network.reaching(&kept),
        };
        let actions = grouping.actions();
        let mut groups = actions.of_edge.clone();
        groups.resize(self.edges.len(), NEVER);
        let sinks = self.nodes_behind(&self.reached);
        let training =
            Training::new(self.system, sources, self.leak, gradients, &self.between, (self.nodes, &self.edges), &sinks);
        let needed = training.needed(&self.edges, &groups, self.nodes);
        let mut weights = weights(&actions, &needed);
        let (mut bound, mut searches): (Option<u64>, usize) = (None, 0);
        let found = loop {
            let query = RepairQuery {
                sources: &self.leak.sources,
                forbidden: &self.forbidden,
                kept: &kept,
                groups: &groups,
                weights: &weights,
            };
            let is_first = bound.is_none();
            let (chosen, exact) = match smallest_repair(&self.network, &query, WORK) {
                Search::Cut { groups, lower_bound, exact, .. } => {
                    bound.get_or_insert(actions_at_least(lower_bound));
                    (groups, exact)
                }
                Search::Impossible if is_first => break Found::Impossible,
                Search::Impossible => break Found::Nothing { lower_bound: bound.unwrap_or(0) },
                Search::NotFound { lower_bound } => {
                    break Found::Nothing { lower_bound: bound.unwrap_or(actions_at_least(lower_bound)) };
                }
            };
            let lower_bound = bound.unwrap_or(0);
            if training.goes_on(&self.edges, &groups, self.nodes, &chosen) {
                let exact = exact && (is_first || chosen.len() as u64 == lower_bound);
                break Found::Cut { groups: chosen, exact, lower_bound };
            }
            // Together they would end it, so one of them is not for this: the dearest.
            searches += 1;
            let dearest = chosen.into_iter().max_by_key(|group| (weights[*group as usize], *group));
            match dearest.filter(|_| searches < MOST_SEARCHES) {
                Some(dearest) => weights[dearest as usize] = UNCUTTABLE,
                None => break Found::Nothing { lower_bound },
            }
        };
        (actions, found)
    }

    /// The flows of some groups.
    fn flows(&self, actions: &Actions<'_>, chosen: &[u32]) -> Vec<Flow> {
        let edges = self.leak.edges.iter().zip(&actions.of_edge).filter(|(_, group)| chosen.contains(group));
        let mut flows: Vec<Flow> = edges.filter_map(|(edge, _)| flow_of(self.leak, edge)).collect();
        flows.sort_unstable();
        flows.dedup();
        flows
    }
}

/// Whether the next step, or another function, takes an output.
fn is_taken(system: &System<'_>, port: Port) -> bool {
    let mut edges = system.edges.iter().filter(|edge| edge.from == port);
    edges.any(|edge| matches!(edge.crossing, Crossing::Carried | Crossing::Link))
}

/// So many actions have no less weight.
fn actions_at_least(weight: u64) -> u64 {
    weight.div_ceil(u64::from(DEAREST_ACTION))
}

/// The outputs that must stay reached: neither only a stage on the way to a sink, nor made of such alone.
fn allowed(leak: &Leak, nodes: u32, forbidden: &[u32], others: &[Port]) -> Vec<Port> {
    let in_step = leak.edges.iter().filter(|edge| !matches!(edge.link, Link::Cross(Crossing::Carried, _)));
    let in_step: Vec<(u32, u32)> = in_step.map(|edge| (edge.from, edge.to)).collect();
    let in_step = Network::new(nodes, &in_step);
    let on_the_way = in_step.reaching(forbidden);
    let is_on_the_way = |port: &Port| nodes_of(leak, *port).iter().all(|node| on_the_way.contains(*node as usize));
    let (stages, ends): (Vec<Port>, Vec<Port>) = others.iter().partition(|port| is_on_the_way(port));
    let nodes_of_all =
        |ports: &[Port]| -> Vec<u32> { ports.iter().flat_map(|port| nodes_of(leak, *port).iter().copied()).collect() };
    let mut past = forbidden.to_vec();
    past.sort_unstable();
    let around: Vec<(u32, u32)> = (leak.edges.iter())
        .filter(|edge| past.binary_search(&edge.from).is_err())
        .map(|edge| (edge.from, edge.to))
        .collect();
    let reached = Network::new(nodes, &around).reached_from(&leak.sources);
    let is_reached = |port: &Port| nodes_of(leak, *port).iter().any(|node| reached.contains(*node as usize));
    let ends: Vec<Port> = ends.into_iter().filter(is_reached).collect();
    // A stage on the way to something else as well is more than a stage.
    let leads_to_an_end = in_step.reaching(&nodes_of_all(&ends));
    let is_more = |port: &Port| nodes_of(leak, *port).iter().any(|node| leads_to_an_end.contains(*node as usize));
    let mut allowed: Vec<Port> = stages.into_iter().filter(is_more).chain(ends).collect();
    allowed.sort_unstable();
    allowed
}
