//! The demands, from the sinks against the line of the trace, until nothing new is demanded.

use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, BinaryHeap};

use super::conditions::{Condition, Literal, Test};
use super::elements::Elements;
use super::facts::Facts;
use super::rules;
use super::trace::{Instance, Node, Role, Trace};
use super::{CutElement, Site};
use crate::graph::{OperationKind as Kind, TrainingGraph};
use crate::verdict::Hop;

/// A difference in one of the elements might reach a sink, in a pair of runs where the condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Demand {
    pub elements: Elements,
    pub condition: Condition,
}

/// A value with more demands has them merged.
const MOST_DEMANDS: usize = 12;
/// A node that is looked at more often has its results demanded as a whole: so the search ends.
const MOST_VISITS: u32 = 24;

pub(super) struct Demands<'t, 'c, 'a> {
    trace: &'t Trace<'c, 'a>,
    facts: &'t Facts<'t, 'c, 'a>,
    cuts: Vec<Option<Elements>>,
    demands: Vec<Vec<Demand>>,
    open: BinaryHeap<u32>,
    is_open: Vec<bool>,
    visits: Vec<u32>,
    world: bool,
    pub problems: Vec<String>,
    /// Products where it was taken that no operand is infinite or NaN.
    pub sites: BTreeSet<Site>,
}

impl<'t, 'c, 'a> Demands<'t, 'c, 'a> {
    pub fn new(trace: &'t Trace<'c, 'a>, facts: &'t Facts<'t, 'c, 'a>, cuts: &[CutElement]) -> Self {
        let mut by_value = vec![None; trace.values.len()];
        for (instance, cut) in &trace.cuts {
            let elements: &mut Elements = by_value[*instance as usize].get_or_insert_default();
            elements.unite(&Elements::of_blocks(cuts[*cut].boxes.iter().cloned()));
        }
        // A tensor that is computed twice says nothing new the second time: what is known of one is known of all.
        let mut by_number: FxHashMap<u32, Elements> = FxHashMap::default();
        for (instance, _) in &trace.cuts {
            if let Some(elements) = &by_value[*instance as usize] {
                by_number.entry(trace.values[*instance as usize].number).or_default().unite(elements);
            }
        }
        for (known, value) in by_value.iter_mut().zip(&trace.values) {
            if let Some(elements) = by_number.get(&value.number) {
                known.get_or_insert_default().unite(elements);
            }
        }
        Demands {
            trace,
            facts,
            cuts: by_value,
            demands: vec![Vec::new(); trace.values.len()],
            open: BinaryHeap::new(),
            is_open: vec![false; trace.nodes.len()],
            visits: vec![0; trace.nodes.len()],
            world: false,
            problems: Vec::new(),
            sites: BTreeSet::new(),
        }
    }

    pub fn run(&mut self) {
        for (graph, sinks) in self.trace.claim.sinks.iter().enumerate() {
            for sink in sinks {
                match self.trace.outputs[graph].get(*sink) {
                    Some(output) => self.require_whole(*output, Condition::default()),
                    None => self.problems.push(format!("there is no output {sink}")),
                }
            }
        }
        while let Some(position) = self.open.pop() {
            self.is_open[position as usize] = false;
            let trace = self.trace;
            let node = &trace.nodes[position as usize];
            self.visits[position as usize] += 1;
            if self.visits[position as usize] > MOST_VISITS {
                for result in node.results.clone() {
                    if !self.demands[result as usize].is_empty() {
                        self.widen(result);
                    }
                }
            }
            self.look_at(node);
        }
    }

    /// For each value whether any of it is demanded.
    pub fn demanded(&self) -> Vec<bool> {
        self.demands.iter().map(|demands| !demands.is_empty()).collect()
    }

    fn domain(&self, value: Instance) -> &'t [u64] {
        self.trace.values[value as usize].shape.domain()
    }

    fn widen(&mut self, value: Instance) {
        let mut elements = Elements::whole(self.domain(value));
        if let Some(cut) = &self.cuts[value as usize] {
            elements = without(elements, cut);
        }
        self.demands[value as usize] = vec![Demand { elements, condition: Condition::default() }];
    }

    pub fn require_whole(&mut self, value: Instance, condition: Condition) {
        self.require(value, Elements::whole(self.domain(value)), condition);
    }

    pub fn require(&mut self, value: Instance, elements: Elements, condition: Condition) {
        let elements = match &self.cuts[value as usize] {
            Some(cut) => without(elements, cut),
            None => elements,
        };
        let known = &mut self.demands[value as usize];
        if elements.is_empty()
            || known.iter().any(|known| known.condition.follows_from(&condition) && known.elements.contains(&elements))
        {
            return;
        }
        known.retain(|known| !(condition.follows_from(&known.condition) && elements.contains(&known.elements)));
        match known.iter_mut().find(|known| known.condition == condition) {
            Some(known) => known.elements.unite(&elements),
            None => known.push(Demand { elements, condition }),
        }
        if known.len() > MOST_DEMANDS {
            let mut merged = known[0].clone();
            for other in &known[1..] {
                merged.elements.unite(&other.elements);
                merged.condition = merged.condition.common(&other.condition);
            }
            *known = vec![merged];
        }
        let maker = self.trace.values[value as usize].maker;
        if !self.is_open[maker as usize] {
            self.is_open[maker as usize] = true;
            self.open.push(maker);
        }
    }

    fn look_at(&mut self, node: &Node) {
        let wanted: Vec<(Instance, Vec<Demand>)> = node
            .results
            .clone()
            .map(|result| (result, self.demands[result as usize].clone()))
            .filter(|(_, demands)| !demands.is_empty())
            .collect();
        if wanted.is_empty() {
            return;
        }
        match node.role {
            Role::Source => {
                let graph = self.trace.graph(node);
                let problem = format!("a sink may depend on {}, which is a source", described(graph, node));
                self.report(problem);
            }
            Role::Input(position) => self.input(node.graph, position, &wanted),
            Role::Pass => self.hand_on(node.operands[0], &wanted[0].1),
            Role::Branch => self.branch(node, &wanted[0].1),
            Role::LoopEntry(_) | Role::LoopExit(_) => self.repetition(node, &wanted),
            Role::Operation => {
                if node.world {
                    self.demand_world();
                }
                for (result, demands) in &wanted {
                    let position = (result - node.results.start) as usize;
                    for demand in demands {
                        let mut needed = rules::Needed::default();
                        rules::needed(self.trace, self.facts, node, position, demand, &mut needed);
                        self.sites.extend(needed.sites);
                        for (operand, elements, condition) in needed.demands {
                            self.require(node.operands[operand], elements, condition);
                        }
                    }
                }
            }
        }
    }

    fn report(&mut self, problem: String) {
        if self.problems.len() < 20 && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn hand_on(&mut self, to: Instance, demands: &[Demand]) {
        for demand in demands {
            self.require(to, demand.elements.clone(), demand.condition.clone());
        }
    }

    fn input(&mut self, graph: usize, position: usize, wanted: &[(Instance, Vec<Demand>)]) {
        let claim = self.trace.claim;
        if claim.source_inputs[graph].contains(&position) {
            let facts = claim.graphs[graph].graph;
            let path = &facts.function(facts.entry()).inputs[position];
            self.report(format!("a sink may depend on the input `{path}`, which is a source"));
        }
        for edge in claim.edges.iter().filter(|edge| edge.to == (graph, position)) {
            let Some(output) = self.trace.outputs.get(edge.from.0).and_then(|all| all.get(edge.from.1)).copied() else {
                continue;
            };
            for (input, demands) in wanted {
                // What the world outside answers may depend on all that it was told.
                let same = edge.hop != Hop::Environment
                    && self.trace.values[*input as usize].shape.extents
                        == self.trace.values[output as usize].shape.extents;
                for demand in demands {
                    // What holds in one step need not hold in another: no condition crosses.
                    if same {
                        self.require(output, demand.elements.clone(), Condition::default());
                    } else {
                        self.require_whole(output, Condition::default());
                    }
                }
            }
        }
    }

    fn branch(&mut self, node: &Node, demands: &[Demand]) {
        let (index, ends) = (node.operands[0], &node.operands[1..]);
        let number = |value: Instance| self.trace.values[value as usize].number;
        let differ = ends.iter().any(|end| number(*end) != number(ends[0]));
        let is_if = self.trace.kind(node) == Kind::If;
        let truth = self.facts.truth(index);
        let view = self.trace.values[index as usize].view.clone();
        for demand in demands {
            if differ {
                self.require_whole(index, demand.condition.dimensionless());
            }
            for (position, end) in ends.iter().enumerate() {
                let when: Vec<Literal> = match (&view, is_if) {
                    (_, true) => {
                        if position == 0 {
                            truth.yes.clone()
                        } else {
                            truth.no.clone()
                        }
                    }
                    // The last branch is also taken by what is out of range.
                    (Some(view), false) if position + 1 < ends.len() && !self.facts.tainted[index as usize] => {
                        let test = Test::Between(position as i128, position as i128);
                        vec![Literal { root: view.root, position: view.position.clone(), test }]
                    }
                    _ => Vec::new(),
                };
                if let Some(condition) = demand.condition.and(&when) {
                    self.require(*end, demand.elements.clone(), condition);
                }
            }
        }
    }

    fn repetition(&mut self, node: &Node, wanted: &[(Instance, Vec<Demand>)]) {
        let (Role::LoopEntry(at) | Role::LoopExit(at)) = node.role else { return };
        let trace = self.trace;
        let repeated = &trace.loops[at];
        for (result, demands) in wanted {
            let position = (result - node.results.start) as usize;
            for demand in demands {
                if matches!(node.role, Role::LoopExit(_)) {
                    self.require_whole(repeated.predicate, Condition::default());
                    self.require(repeated.carried[position], demand.elements.clone(), demand.condition.clone());
                    continue;
                }
                // What was made in a trip may be another in the trip before.
                let condition = demand.condition.keep(|literal| !repeated.numbers.contains(&literal.root));
                self.require(repeated.initial[position], demand.elements.clone(), condition.clone());
                self.require(repeated.next[position], demand.elements.clone(), condition);
            }
        }
    }

    fn demand_world(&mut self) {
        if self.world {
            return;
        }
        self.world = true;
        let trace = self.trace;
        for value in &trace.world {
            self.require_whole(*value, Condition::default());
        }
        for (position, operation) in &trace.world_sources {
            let graph = trace.claim.graphs[*position].graph;
            let name = graph.operation_name(*operation);
            self.report(format!("a sink may depend on the world, and {name}, which is a source, talks to it"));
        }
    }
}

fn without(elements: Elements, cut: &Elements) -> Elements {
    cut.blocks().iter().fold(elements, |left, block| left.without(block))
}

/// An operation, for a message.
pub(in crate::verify) fn described(graph: &TrainingGraph, node: &Node) -> String {
    let operation = graph.operation(node.operation);
    let name = graph.operation_name(node.operation);
    let scope = graph.scope_paths(operation.scope).next().map(|scope| format!(" in `{scope}`")).unwrap_or_default();
    let place = graph.user_place(operation.place);
    let place = place.map(|place| format!(" at {}:{}", place.file, place.line)).unwrap_or_default();
    format!("{name}{scope}{place}")
}
