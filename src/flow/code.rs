//! A graph made ready for propagation: flat edge lists in the order of the text, and summaries of functions.
//!
//! Each function that the step can call becomes a straight list of instructions. Running it once moves every
//! label that does not go round a loop; at the end of a loop the edges that lead back are tried, and if one of
//! them moved a label the loop's instructions run again. A summary says which parameters reach which results,
//! whatever the sources are, so it is made once, callees first, and applied at every call site.

use std::ops::Range;
use std::sync::OnceLock;

use super::*;
use crate::graph::{FunctionId, OperationId};
use crate::index::{BitMatrix, IdRange};
use crate::transfer::mutant::{Slip, keeps_summary_bit, slips};
use crate::transfer::{Dependence, Edge, Node, Transfer};

/// A piece of work.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instruction {
    /// Edges through known operations.
    Clear(Slots),
    /// Edges through opaque operations.
    Opaque(Slots),
    /// The summary of a callee, at the call site of this number.
    Call(u32),
    /// The end of a loop: if an edge that leads back moves a label, go on at `start`.
    Repeat { start: u32, clear: Slots, opaque: Slots },
    /// The end of a loop that lies deep in others: if a label moves, the function runs again as a whole. (Loops in
    /// loops that each go back at once take a time that grows with the square of the depth.)
    RepeatAll { clear: Slots, opaque: Slots },
}

/// A range in the list of edges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    start: u32,
    end: u32,
}

/// A call with a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallSite {
    pub operation: OperationId,
    pub callee: FunctionId,
}

/// What is known of one function.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Whether the entry can call it, directly or through others (or is it).
    pub reachable: bool,
    pub values: Range<usize>,
    code: Range<usize>,
    /// Values that the world sees.
    pub into_world: Vec<u32>,
    /// Values that the world makes.
    pub out_of_world: Vec<u32>,
    pub summary: Summary,
}

/// Which parameters of a function reach which results: a row for each result, and one more for the world.
#[derive(Debug)]
pub(super) struct Summary {
    /// Through known operations.
    pub clear: BitMatrix,
    /// Through any.
    pub any: BitMatrix,
}

impl Default for Summary {
    fn default() -> Self {
        Summary { clear: BitMatrix::new(0, 0), any: BitMatrix::new(0, 0) }
    }
}

/// What moves along the instructions of a function.
pub(super) trait State {
    /// Joins the label of one value into that of another; says whether that changed anything.
    fn join(&mut self, from: u32, to: u32, strength: Strength) -> bool;
    /// Moves labels over a call.
    fn call(&mut self, flow: &FlowGraph<'_>, site: CallSite);
}

/// Lists of neighbours: those of node `n` are `items[starts[n]..starts[n + 1]]`.
#[derive(Debug)]
pub(super) struct Adjacency {
    starts: Vec<u32>,
    items: Vec<(u32, u32)>,
}

impl Adjacency {
    /// Groups `(node, item)`; the order within a node is kept.
    pub fn new(nodes: usize, entries: &[(u32, (u32, u32))]) -> Self {
        let mut starts = vec![0u32; nodes + 1];
        for (node, _) in entries {
            starts[*node as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut items = vec![(0, 0); entries.len()];
        for (node, item) in entries {
            items[next[*node as usize] as usize] = *item;
            next[*node as usize] += 1;
        }
        Adjacency { starts, items }
    }

    pub fn of(&self, node: u32) -> &[(u32, u32)] {
        &self.items[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}

/// What paths need beyond what propagation needs; made when the first path is asked for.
#[derive(Debug)]
pub(super) struct Neighbours {
    /// Value to values, through known operations of one function.
    pub clear: Adjacency,
    /// Value to `(call site, parameter)`.
    pub operands: Adjacency,
    /// Value to `(position among the yields of its function's body, 0)`.
    pub yields: Adjacency,
    /// Function to `(call site, 0)`.
    pub callers: Adjacency,
}

/// A graph made ready for propagation. Made once, used for every invariant.
#[derive(Debug)]
pub struct FlowGraph<'g> {
    graph: &'g TrainingGraph,
    transfer: Transfer<'g>,
    edges: Vec<(u32, u32)>,
    code: Vec<Instruction>,
    pub(super) sites: Vec<CallSite>,
    pub(super) bodies: Vec<Body>,
    neighbours: OnceLock<Neighbours>,
}

/// So many loops in loops go back on their own.
const DEEP: usize = 8;

/// How many parameters are followed at once while summaries are made: bounds the memory for very wide functions.
const COLUMNS_AT_ONCE: usize = 512;

impl<'g> FlowGraph<'g> {
    /// Lists the edges and makes the summaries.
    pub fn new(graph: &'g TrainingGraph) -> Self {
        let mut flow = FlowGraph {
            graph,
            transfer: Transfer::new(graph),
            edges: Vec::with_capacity(3 * graph.operations().len()),
            code: Vec::new(),
            sites: Vec::new(),
            bodies: graph.functions().iter().map(|_| Body::default()).collect(),
            neighbours: OnceLock::new(),
        };
        flow.mark_reachable();
        let mut end = graph.values().len();
        for id in graph.functions().ids().rev() {
            // Functions lie one after the other, so the values of one end where those of the next begin.
            let start = graph.arguments(graph.function(id).body).positions().start;
            flow.bodies[id.index()].values = start..end;
            end = start;
        }
        for id in graph.functions().ids() {
            if flow.bodies[id.index()].reachable {
                Lister::new(&mut flow, id).run();
            }
        }
        for &id in graph.callees_first() {
            if flow.bodies[id.index()].reachable && id != graph.entry() {
                flow.summarise(id);
            }
        }
        flow
    }

    /// The graph.
    pub fn graph(&self) -> &'g TrainingGraph {
        self.graph
    }

    /// How information crosses each operation.
    pub fn transfer(&self) -> &Transfer<'g> {
        &self.transfer
    }

    /// The inputs of the step, as values.
    pub fn inputs(&self) -> IdRange<ValueId> {
        self.graph.arguments(self.graph.function(self.graph.entry()).body)
    }

    /// The outputs of the step, as values.
    pub fn outputs(&self) -> &'g [ValueId] {
        self.graph.yields(self.graph.function(self.graph.entry()).body)
    }

    /// How many edges are followed, calls not counted.
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// Whether the entry can come to this operation.
    pub fn is_reachable(&self, operation: OperationId) -> bool {
        self.bodies[self.function_of(operation).index()].reachable
    }

    pub(super) fn function_of(&self, operation: OperationId) -> FunctionId {
        self.graph.region(self.graph.operation(operation).region).function
    }

    fn mark_reachable(&mut self) {
        let graph = self.graph;
        self.bodies[graph.entry().index()].reachable = true;
        for &function in graph.callees_first().iter().rev() {
            if !self.bodies[function.index()].reachable {
                continue;
            }
            for operation in graph.operations_within(graph.function(function).body).iter() {
                if let Some(callee) = self.transfer.callee(operation) {
                    self.bodies[callee.index()].reachable = true;
                }
            }
        }
    }

    /// Runs the instructions of one function until nothing changes.
    pub(super) fn run(&self, function: FunctionId, state: &mut impl State) {
        let code = self.bodies[function.index()].code.clone();
        let mut at = code.start;
        let mut again = false;
        while at < code.end || again {
            if at >= code.end {
                (at, again) = (code.start, false);
            }
            match self.code[at] {
                Instruction::Clear(slots) => {
                    self.join_all(slots, Strength::Clear, state);
                }
                Instruction::Opaque(slots) => {
                    self.join_all(slots, Strength::Opaque, state);
                }
                Instruction::Call(site) => state.call(self, self.sites[site as usize]),
                Instruction::Repeat { start, clear, opaque } => {
                    if self.join_both(clear, opaque, state) && !slips(Slip::LoopRunsOnce) {
                        at = start as usize;
                        continue;
                    }
                }
                Instruction::RepeatAll { clear, opaque } => {
                    again |= self.join_both(clear, opaque, state) && !slips(Slip::DeepLoopRunsOnce);
                }
            }
            at += 1;
        }
    }

    fn join_both(&self, clear: Slots, opaque: Slots, state: &mut impl State) -> bool {
        self.join_all(clear, Strength::Clear, state) | self.join_all(opaque, Strength::Opaque, state)
    }

    #[inline]
    fn join_all(&self, slots: Slots, strength: Strength, state: &mut impl State) -> bool {
        let mut changed = false;
        for &(from, to) in &self.edges[slots.start as usize..slots.end as usize] {
            changed |= state.join(from, to, strength);
        }
        changed
    }

    /// For each value of a function, and for the world after them, which of these parameters reach it.
    pub(super) fn parameter_rows(&self, function: FunctionId, columns: Range<usize>) -> Rows {
        let body = &self.bodies[function.index()];
        let count = body.values.len();
        let mut rows = Rows {
            first: body.values.start,
            clear: BitMatrix::new(count + 1, columns.len()),
            any: BitMatrix::new(count + 1, columns.len()),
        };
        let arguments = self.graph.arguments(self.graph.function(function).body);
        for (column, position) in columns.enumerate() {
            if let Some(argument) = arguments.get(position) {
                rows.clear.insert(argument.index() - rows.first, column);
                rows.any.insert(argument.index() - rows.first, column);
            }
        }
        self.run(function, &mut rows);
        for &value in &body.into_world {
            rows.any.join_rows(value as usize - rows.first, count);
        }
        rows
    }

    fn summarise(&mut self, function: FunctionId) {
        let body = self.graph.function(function).body;
        let parameters = self.graph.arguments(body).len();
        let yields = self.graph.yields(body);
        let mut summary = Summary {
            clear: BitMatrix::new(yields.len() + 1, parameters),
            any: BitMatrix::new(yields.len() + 1, parameters),
        };
        for first in (0..parameters).step_by(COLUMNS_AT_ONCE) {
            let rows = self.parameter_rows(function, first..parameters.min(first + COLUMNS_AT_ONCE));
            let world = self.bodies[function.index()].values.len();
            let of_yields = yields.iter().map(|value| value.index() - rows.first);
            for (position, row) in of_yields.chain([world]).enumerate() {
                let keeps = |column: &usize| keeps_summary_bit(first + column, position);
                for column in rows.clear.row(row).filter(keeps) {
                    summary.clear.insert(position, first + column);
                }
                for column in rows.any.row(row).filter(keeps) {
                    summary.any.insert(position, first + column);
                }
            }
        }
        if slips(Slip::ContextsMixed) {
            let bits = (0..yields.len()).flat_map(|result| (0..parameters).map(move |parameter| (result, parameter)));
            bits.for_each(|(result, parameter)| {
                summary.any.insert(result, parameter);
                summary.clear.insert(result, parameter);
            });
        }
        self.bodies[function.index()].summary = summary;
    }

    /// Every edge inside functions that can be reached, calls and the world not counted.
    pub(super) fn all_edges(&self) -> impl Iterator<Item = (u32, u32, Strength)> {
        let of = |slots: Slots, strength| {
            let edges = &self.edges[slots.start as usize..slots.end as usize];
            edges.iter().map(move |(from, to)| (*from, *to, strength))
        };
        let nothing = Slots { start: 0, end: 0 };
        self.code.iter().flat_map(move |instruction| {
            let (clear, opaque) = match *instruction {
                Instruction::Clear(slots) => (slots, nothing),
                Instruction::Opaque(slots) => (nothing, slots),
                Instruction::Call(_) => (nothing, nothing),
                Instruction::Repeat { clear, opaque, .. } | Instruction::RepeatAll { clear, opaque } => (clear, opaque),
            };
            of(clear, Strength::Clear).chain(of(opaque, Strength::Opaque))
        })
    }

    pub(super) fn neighbours(&self) -> &Neighbours {
        self.neighbours.get_or_init(|| {
            let (values, functions) = (self.graph.values().len(), self.graph.functions().len());
            let clear: Vec<_> = self
                .all_edges()
                .filter(|(_, _, strength)| *strength == Strength::Clear)
                .map(|(from, to, _)| (from, (to, 0)))
                .collect();
            let (mut operands, mut callers) = (Vec::new(), Vec::new());
            for (site, call) in self.sites.iter().enumerate() {
                callers.push((call.callee.index() as u32, (site as u32, 0)));
                for (position, operand) in self.graph.operands(call.operation).iter().enumerate() {
                    operands.push((operand.index() as u32, (site as u32, position as u32)));
                }
            }
            let mut yields = Vec::new();
            for (id, function) in self.graph.functions().iter_enumerated() {
                if self.bodies[id.index()].reachable {
                    for (position, value) in self.graph.yields(function.body).iter().enumerate() {
                        yields.push((value.index() as u32, (position as u32, 0)));
                    }
                }
            }
            Neighbours {
                clear: Adjacency::new(values, &clear),
                operands: Adjacency::new(values, &operands),
                yields: Adjacency::new(values, &yields),
                callers: Adjacency::new(functions, &callers),
            }
        })
    }
}

/// Which of some parameters reach each value of one function.
pub(super) struct Rows {
    pub first: usize,
    clear: BitMatrix,
    pub any: BitMatrix,
}

impl State for Rows {
    fn join(&mut self, from: u32, to: u32, strength: Strength) -> bool {
        let (from, to) = (from as usize - self.first, to as usize - self.first);
        let clear = strength == Strength::Clear && self.clear.join_rows(from, to);
        self.any.join_rows(from, to) | clear
    }

    fn call(&mut self, flow: &FlowGraph<'_>, site: CallSite) {
        let summary = &flow.bodies[site.callee.index()].summary;
        let operands = flow.graph.operands(site.operation);
        let world = flow.bodies[flow.function_of(site.operation).index()].values.len();
        let results = flow.graph.results(site.operation).iter().map(|result| result.index() - self.first);
        for (position, row) in results.chain([world]).enumerate() {
            for parameter in summary.any.row(position) {
                self.any.join_rows(operands[parameter].index() - self.first, row);
            }
            for parameter in summary.clear.row(position) {
                self.clear.join_rows(operands[parameter].index() - self.first, row);
            }
        }
    }
}

type EdgeList = Vec<(u32, u32)>;

/// An operation whose regions are being listed.
struct Open {
    operation: OperationId,
    end: usize,
    start: u32,
}

/// Lists the instructions of one function.
struct Lister<'f, 'g> {
    flow: &'f mut FlowGraph<'g>,
    function: FunctionId,
    open: Vec<Open>,
    /// Where the instructions of this function, or of the innermost loop, start: none before it may grow.
    fence: usize,
}

/// Which edges of an operation to list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Into the arguments of its regions, from outside.
    Enter,
    /// Into the arguments of its regions, from inside.
    Back,
    /// Into its results.
    Leave,
}

impl<'f, 'g> Lister<'f, 'g> {
    fn new(flow: &'f mut FlowGraph<'g>, function: FunctionId) -> Self {
        let fence = flow.code.len();
        Lister { flow, function, open: Vec::new(), fence }
    }

    fn run(mut self) {
        let graph = self.flow.graph;
        let start = self.flow.code.len();
        let operations = graph.operations_within(graph.function(self.function).body);
        for operation in operations.iter() {
            self.close(operation.index());
            if let Some(callee) = self.flow.transfer.callee(operation) {
                let site = self.flow.sites.len() as u32;
                self.flow.sites.push(CallSite { operation, callee });
                self.flow.code.push(Instruction::Call(site));
                continue;
            }
            if graph.regions_of(operation).is_empty() {
                self.list_simple(operation);
                continue;
            }
            self.list(operation, Part::Enter);
            self.fence = self.flow.code.len();
            let end = graph.operations_inside(operation).positions().end;
            self.open.push(Open { operation, end, start: self.fence as u32 });
        }
        self.close(operations.positions().end);
        let end = self.flow.code.len();
        self.flow.bodies[self.function.index()].code = start..end;
    }

    /// Ends the operations whose regions end before this position.
    fn close(&mut self, position: usize) {
        while self.open.last().is_some_and(|open| open.end <= position) {
            let Some(open) = self.open.pop() else { return };
            let (clear, opaque) = self.collect(open.operation, Part::Back);
            if !clear.is_empty() || !opaque.is_empty() {
                let (clear, opaque) = (self.store(&clear), self.store(&opaque));
                self.flow.code.push(match self.open.len() < DEEP {
                    true => Instruction::Repeat { start: open.start, clear, opaque },
                    false => Instruction::RepeatAll { clear, opaque },
                });
            }
            self.fence = self.flow.code.len();
            self.list(open.operation, Part::Leave);
        }
    }

    fn store(&mut self, edges: &[(u32, u32)]) -> Slots {
        let start = self.flow.edges.len() as u32;
        self.flow.edges.extend_from_slice(edges);
        Slots { start, end: self.flow.edges.len() as u32 }
    }

    /// Lists the edges of an operation without regions; notes what it exchanges with the world.
    fn list_simple(&mut self, operation: OperationId) {
        let FlowGraph { transfer, edges, code, bodies, .. } = &mut *self.flow;
        let body = &mut bodies[self.function.index()];
        let fence = self.fence;
        transfer.edges(operation, &mut |edge: Edge| match (edge.from, edge.to) {
            (Node::Value(from), Node::Value(to)) => {
                let start = edges.len() as u32;
                edges.push((from.index() as u32, to.index() as u32));
                let can_grow = code.len() > fence;
                match (code.last_mut(), edge.kind) {
                    (Some(Instruction::Opaque(slots)), Dependence::Opaque) if can_grow && slots.end == start => {
                        slots.end += 1;
                    }
                    (Some(Instruction::Clear(slots)), Dependence::Data | Dependence::Implicit)
                        if can_grow && slots.end == start =>
                    {
                        slots.end += 1;
                    }
                    (_, Dependence::Opaque) => code.push(Instruction::Opaque(Slots { start, end: start + 1 })),
                    (_, Dependence::Data | Dependence::Implicit) => {
                        code.push(Instruction::Clear(Slots { start, end: start + 1 }));
                    }
                }
            }
            (Node::Value(from), Node::World) => body.into_world.push(from.index() as u32),
            (Node::World, Node::Value(to)) => body.out_of_world.push(to.index() as u32),
            (Node::World, Node::World) => {}
        });
    }

    fn list(&mut self, operation: OperationId, part: Part) {
        let (clear, opaque) = self.collect(operation, part);
        for (edges, make) in [(clear, Instruction::Clear as fn(Slots) -> Instruction), (opaque, Instruction::Opaque)] {
            if !edges.is_empty() {
                let slots = self.store(&edges);
                self.flow.code.push(make(slots));
            }
        }
    }

    /// The edges of one part of an operation with regions, known and opaque.
    fn collect(&mut self, operation: OperationId, part: Part) -> (EdgeList, EdgeList) {
        let (mut clear, mut opaque) = (Vec::new(), Vec::new());
        let FlowGraph { transfer, bodies, graph, .. } = &mut *self.flow;
        let body = &mut bodies[self.function.index()];
        let results = graph.results(operation);
        transfer.edges(operation, &mut |edge: Edge| match (edge.from, edge.to) {
            (Node::Value(from), Node::Value(to)) => {
                // Values are numbered in the order of the text: those inside come after the results.
                let inside = from.index() >= results.positions().end;
                let found = match (results.contains(to), inside) {
                    (true, _) => Part::Leave,
                    (false, true) => Part::Back,
                    (false, false) => Part::Enter,
                };
                if found == part {
                    let list = if edge.kind == Dependence::Opaque { &mut opaque } else { &mut clear };
                    list.push((from.index() as u32, to.index() as u32));
                }
            }
            // Noted once.
            (Node::Value(from), Node::World) if part == Part::Enter => body.into_world.push(from.index() as u32),
            (Node::World, Node::Value(to)) if part == Part::Enter => body.out_of_world.push(to.index() as u32),
            (_, Node::World) | (Node::World, _) => {}
        });
        (clear, opaque)
    }
}
