//! Shortest feasible paths: calls and returns matched, known operations only.
//!
//! One search, shortest first, over two kinds of facts. *From the source*: the shortest path from a source to a
//! value, in some call of the value's function. *From a parameter*: the shortest path from a parameter of a function
//! to a value in the same call; asked for when a path arrives at an operand of a call. A path over a call is a
//! path to the operand, one from the parameter to the result, and two steps for going in and out. All ways to
//! combine facts make longer ones, so taking the shortest open fact first is right (Knuth's generalisation of
//! Dijkstra's algorithm), also where a family of facts is begun late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::code::Neighbours;
use super::telling::{Teller, output_path};
use super::*;
use crate::graph::{Definition, FunctionId, PytreePath};
use crate::verdict::{Channel, Witness, WitnessStep};

/// Sinks that are reported together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkGroup {
    /// The subtree of outputs that they belong to.
    pub group: PytreePath,
    /// The sinks.
    pub sinks: Vec<Port>,
}

/// A path longer than this is not written down.
const LONGEST_PATH: u32 = 1 << 20;

/// One shortest path for each group with a sink that is clearly reached over the edges that count. No path is
/// given for a group all of whose paths have more than a million steps.
pub fn witnesses(
    system: &System<'_>,
    sources: &Sources,
    labels: &Labels,
    counted: Crossings,
    groups: &[SinkGroup],
) -> Vec<Witness> {
    let is_clear = |sink: &&Port| labels.output(**sink) == Some(Strength::Clear);
    let mut wanted = FxHashMap::default();
    let mut missing = 0;
    for (position, group) in groups.iter().enumerate() {
        let reached: Vec<&Port> = group.sinks.iter().filter(is_clear).collect();
        missing += usize::from(!reached.is_empty());
        reached.into_iter().for_each(|sink| wanted.entry(*sink).or_insert_with(Vec::new).push(position));
    }
    if missing == 0 {
        return Vec::new();
    }
    let mut search = Search::new(system, counted);
    search.start(sources);
    let mut found: Vec<Option<Port>> = vec![None; groups.len()];
    while missing > 0
        && let Some(arrived) = search.next()
    {
        for sink in arrived {
            for &group in wanted.get(&sink).into_iter().flatten() {
                if found[group].is_none() {
                    found[group] = Some(sink);
                    missing -= 1;
                }
            }
        }
    }
    let witness = |(group, sink): (&SinkGroup, Option<Port>)| {
        let sink = sink?;
        let (path, route) = search.path(sink)?;
        let sinks_reached = group.sinks.iter().filter(is_clear).count();
        let name = output_path(system, sink).clone();
        Some(Witness {
            group: group.group.clone(),
            sink: name,
            sinks_reached,
            sinks: group.sinks.len(),
            route,
            channel: Channel::Content,
            channel_reason: String::new(),
            bits_per_step: None,
            cut: Vec::new(),
            rule: String::new(),
            path,
        })
    };
    groups.iter().zip(found).filter_map(witness).collect()
}

/// How the shortest path to a value ends.
#[derive(Clone, Copy, Debug)]
enum Parent {
    /// It begins here.
    Start,
    /// An edge from this value.
    Edge(u32),
    /// Over a call: from this operand, through the facts of this family up to this value.
    Through { site: u32, operand: u32, family: u32, yielded: u32 },
    /// Out of a function that the source is in, at this call: from this value.
    Leave { site: u32, yielded: u32 },
    /// Over this edge between outputs and inputs.
    Cross(u32),
}

#[derive(Clone, Copy, Debug)]
struct Fact {
    distance: u32,
    parent: Parent,
    done: bool,
}

/// The facts that begin at the source, one family for each graph; or at one parameter.
struct Family {
    graph: u32,
    /// The value of the parameter; none for the source.
    parameter: Option<u32>,
    facts: FxHashMap<u32, Fact>,
    /// Yields that are reached: position and distance.
    yields: Vec<(u32, u32)>,
    /// Calls that wait for this family: family, operand, site, distance of the operand.
    waiting: Vec<(u32, u32, u32, u32)>,
}

struct Search<'s, 'g> {
    system: &'s System<'g>,
    teller: Teller<'s, 'g>,
    neighbours: Vec<&'s Neighbours>,
    edges: Vec<SystemEdge>,
    families: Vec<Family>,
    by_parameter: FxHashMap<(u32, u32, u32), u32>,
    open: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

impl<'s, 'g> Search<'s, 'g> {
    fn new(system: &'s System<'g>, counted: Crossings) -> Self {
        let edges = system.edges.iter().filter(|edge| counted.include(edge.crossing)).copied().collect();
        let families = (0..system.graphs.len()).map(|graph| Family {
            graph: graph as u32,
            parameter: None,
            facts: FxHashMap::default(),
            yields: Vec::new(),
            waiting: Vec::new(),
        });
        Search {
            system,
            teller: Teller { system },
            neighbours: system.graphs.iter().map(FlowGraph::neighbours).collect(),
            edges,
            families: families.collect(),
            by_parameter: FxHashMap::default(),
            open: BinaryHeap::new(),
        }
    }

    fn start(&mut self, sources: &Sources) {
        for (position, flow) in self.system.graphs.iter().enumerate() {
            let sources = sources.closed(position, flow);
            let graph = flow.graph();
            let operations = sources.operations.ones().take_while(|id| *id < graph.operations().len());
            for operation in operations.map(OperationId::new).filter(|id| flow.is_reachable(*id)) {
                for result in graph.results(operation).iter() {
                    self.relax(position as u32, result.index() as u32, 0, Parent::Start);
                }
            }
            for input in sources.inputs.iter().filter_map(|input| flow.inputs().get(*input)) {
                self.relax(position as u32, input.index() as u32, 0, Parent::Start);
            }
        }
    }

    fn relax(&mut self, family: u32, value: u32, distance: u32, parent: Parent) {
        if distance > LONGEST_PATH {
            return;
        }
        let fact = Fact { distance, parent, done: false };
        let facts = &mut self.families[family as usize].facts;
        match facts.get_mut(&value) {
            Some(known) if known.distance <= distance => return,
            Some(known) => *known = fact,
            None => drop(facts.insert(value, fact)),
        }
        self.open.push(Reverse((distance, family, value)));
    }

    /// Takes the shortest open fact and combines it with what is known. Gives the outputs of the step that are
    /// now reached; [`None`] at the end.
    fn next(&mut self) -> Option<Vec<Port>> {
        let Reverse((distance, family, value)) = self.open.pop()?;
        let own = &mut self.families[family as usize];
        let position = own.graph as usize;
        match own.facts.get_mut(&value) {
            Some(fact) if !fact.done && fact.distance == distance => fact.done = true,
            _ => return Some(Vec::new()), // a shorter way was found meanwhile
        }
        let neighbours = self.neighbours[position];
        for &(to, _) in neighbours.clear.of(value) {
            self.relax(family, to, distance + 1, Parent::Edge(value));
        }
        for &(site, parameter) in neighbours.operands.of(value) {
            self.enter(family, value, distance, site, parameter);
        }
        let yields = neighbours.yields.of(value);
        if yields.is_empty() {
            return Some(Vec::new());
        }
        if family as usize >= self.system.graphs.len() {
            for &(output, _) in yields {
                self.families[family as usize].yields.push((output, distance));
                for (outer, operand, site, before) in self.families[family as usize].waiting.clone() {
                    let parent = Parent::Through { site, operand, family, yielded: value };
                    self.arrive(outer, position, site, output, before + 2 + distance, parent);
                }
            }
            return Some(Vec::new());
        }
        let flow = &self.system.graphs[position];
        let function = self.function_of_value(position, value);
        if function != flow.graph().entry() {
            for &(site, _) in neighbours.callers.of(function.index() as u32) {
                for &(output, _) in yields {
                    let parent = Parent::Leave { site, yielded: value };
                    self.arrive(family, position, site, output, distance + 1, parent);
                }
            }
            return Some(Vec::new());
        }
        let arrived: Vec<Port> =
            yields.iter().map(|(output, _)| Port { graph: position, position: *output as usize }).collect();
        for edge in 0..self.edges.len() {
            let SystemEdge { from, to, .. } = self.edges[edge];
            if arrived.contains(&from)
                && let Some(input) = self.system.input_value(to)
            {
                self.relax(to.graph as u32, input.index() as u32, distance + 1, Parent::Cross(edge as u32));
            }
        }
        Some(arrived)
    }

    fn function_of_value(&self, graph: usize, value: u32) -> FunctionId {
        let graph = self.system.graphs[graph].graph();
        let region = match graph.value(ValueId::new(value as usize)).definition {
            Definition::Result(operation, _) => graph.operation(operation).region,
            Definition::Argument(region, _) => region,
        };
        graph.region(region).function
    }

    /// A path arrives at an operand of a call.
    fn enter(&mut self, outer: u32, operand: u32, distance: u32, site: u32, parameter: u32) {
        let graph = self.families[outer as usize].graph;
        let flow = &self.system.graphs[graph as usize];
        let callee = flow.sites[site as usize].callee;
        let next = self.families.len() as u32;
        let family = *self.by_parameter.entry((graph, callee.index() as u32, parameter)).or_insert(next);
        if family == next {
            let argument = flow.graph().arguments(flow.graph().function(callee).body).get(parameter as usize);
            let parameter = argument.map(|argument| argument.index() as u32);
            let (facts, yields, waiting) = (FxHashMap::default(), Vec::new(), Vec::new());
            self.families.push(Family { graph, parameter, facts, yields, waiting });
            if let Some(parameter) = parameter {
                self.relax(family, parameter, 0, Parent::Start);
            }
        }
        self.families[family as usize].waiting.push((outer, operand, site, distance));
        for (output, inside) in self.families[family as usize].yields.clone() {
            let body = flow.graph().function(callee).body;
            let yielded = flow.graph().yields(body)[output as usize].index() as u32;
            let parent = Parent::Through { site, operand, family, yielded };
            self.arrive(outer, graph as usize, site, output, distance + 2 + inside, parent);
        }
    }

    /// A path arrives at a result of a call.
    fn arrive(&mut self, family: u32, graph: usize, site: u32, output: u32, distance: u32, parent: Parent) {
        let flow = &self.system.graphs[graph];
        let operation = flow.sites[site as usize].operation;
        if let Some(result) = flow.graph().results(operation).get(output as usize) {
            self.relax(family, result.index() as u32, distance, parent);
        }
    }

    /// The path to an output, source first, and the worst edge on it.
    fn path(&self, sink: Port) -> Option<(Vec<WitnessStep>, Route)> {
        let value = self.system.output_value(sink)?.index() as u32;
        let mut route = Route::Step;
        let mut steps = vec![self.teller.at_output(sink, value)];
        // What is still to be written, last part first: a fact to be followed back to its start, or a finished
        // step that stands before it.
        enum Piece {
            Follow { family: u32, value: u32 },
            Enter { graph: usize, site: u32, parameter: u32 },
        }
        let mut open = vec![Piece::Follow { family: sink.graph as u32, value }];
        while let Some(piece) = open.pop() {
            let (family, value) = match piece {
                Piece::Follow { family, value } => (family, value),
                Piece::Enter { graph, site, parameter } => {
                    let operation = self.system.graphs[graph].sites[site as usize].operation;
                    steps.push(self.teller.at_operation(graph, operation, Hop::Enter, parameter));
                    continue;
                }
            };
            let own = &self.families[family as usize];
            let graph = own.graph as usize;
            let site_operation = |site: u32| self.system.graphs[graph].sites[site as usize].operation;
            let from_source = (family as usize) < self.system.graphs.len();
            match own.facts.get(&value)?.parent {
                Parent::Start if from_source => steps.push(self.teller.at_source(graph, value)),
                Parent::Start => {} // its parameter is written by whoever entered
                Parent::Edge(from) => {
                    steps.push(self.teller.at_edge(graph, from, value));
                    open.push(Piece::Follow { family, value: from });
                }
                Parent::Through { site, operand, family: inner, yielded } => {
                    steps.push(self.teller.at_operation(graph, site_operation(site), Hop::Leave, value));
                    let parameter = self.families[inner as usize].parameter?;
                    open.push(Piece::Follow { family, value: operand });
                    open.push(Piece::Enter { graph, site, parameter });
                    open.push(Piece::Follow { family: inner, value: yielded });
                }
                Parent::Leave { site, yielded } => {
                    steps.push(self.teller.at_operation(graph, site_operation(site), Hop::Leave, value));
                    open.push(Piece::Follow { family, value: yielded });
                }
                Parent::Cross(edge) => {
                    let SystemEdge { from, to, crossing } = self.edges[edge as usize];
                    route = route.max(crossing.route());
                    steps.push(self.teller.at_input(to, crossing.hop(), value));
                    let value = self.system.output_value(from)?.index() as u32;
                    open.push(Piece::Follow { family: from.graph as u32, value });
                }
            }
            if steps.len() > LONGEST_PATH as usize {
                return None;
            }
        }
        steps.reverse();
        Some((steps, route))
    }
}
