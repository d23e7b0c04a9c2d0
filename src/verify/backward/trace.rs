//! The step as a straight line: calls followed, branches side by side, loops unrolled where the number of trips is
//! known. Each value of the line has a number: equal numbers, equal values (in one run, at one time).

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::conditions::Position;
use super::constants::{Known, Shape};
use super::numbering::Numbering;
use super::{Claim, CutElement, follow};
use crate::graph::{OperationId, OperationKind as Kind, TrainingGraph};
use crate::index::Id;

/// So many operation instances are followed, those of loops that are given up included.
pub(super) const MOST_INSTANCES: usize = 2_000_000;

/// A value of the line, by its position.
pub(in crate::verify) type Instance = u32;

/// A value, seen as elements of a root.
#[derive(Clone, Debug)]
pub(in crate::verify) struct View {
    pub root: u32,
    pub(super) position: Position,
}

#[derive(Clone, Debug)]
pub(in crate::verify) struct Value {
    pub shape: Rc<Shape>,
    pub number: u32,
    /// None: not linear, or of unknown shape.
    pub view: Option<Rc<View>>,
    pub known: Option<Rc<Known>>,
    /// Of a comparison: the number of it or of its opposite, and whether it is it.
    pub compared: Option<(u32, bool)>,
    /// The node that makes it.
    pub maker: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Role {
    /// The input at a position.
    Input(usize),
    Operation,
    /// Each result differs arbitrarily between runs.
    Source,
    /// The result is the operand.
    Pass,
    /// The operands are the index and, for each branch, what it gives.
    Branch,
    /// The results are what a loop carries, at the start of any trip.
    LoopEntry(usize),
    /// The results are what a loop leaves.
    LoopExit(usize),
}

#[derive(Clone, Debug)]
pub(in crate::verify) struct Node {
    pub graph: usize,
    /// Of an input: the first operation.
    pub operation: OperationId,
    pub role: Role,
    pub operands: Vec<Instance>,
    pub results: std::ops::Range<Instance>,
    /// It talks to the world, and is not looked into.
    pub world: bool,
}

/// A loop that is not unrolled. Each list is about the values that change, in order.
#[derive(Clone, Debug, Default)]
pub(in crate::verify) struct Loop {
    pub initial: Vec<Instance>,
    pub carried: Vec<Instance>,
    pub next: Vec<Instance>,
    pub predicate: Instance,
    /// Numbers that were made inside.
    pub numbers: std::ops::Range<u32>,
}

pub(in crate::verify) struct Trace<'c, 'a> {
    pub claim: &'c Claim<'a>,
    pub nodes: Vec<Node>,
    pub values: Vec<Value>,
    pub loops: Vec<Loop>,
    /// For each graph its outputs.
    pub outputs: Vec<Vec<Instance>>,
    /// For each graph its inputs.
    pub inputs: Vec<Vec<Instance>>,
    /// What goes into the world.
    pub world: Vec<Instance>,
    /// Sources that go into the world by themselves.
    pub world_sources: Vec<(usize, OperationId)>,
    /// Values that are cut, and the cut.
    pub cuts: Vec<(Instance, usize)>,
    pub numbering: Numbering,
    /// Of the graph that is being followed, by type.
    pub shapes: Vec<Rc<Shape>>,
}

impl<'c, 'a> Trace<'c, 'a> {
    pub fn new(claim: &'c Claim<'a>, cuts: &[CutElement]) -> Result<Self, String> {
        let mut trace = Trace {
            claim,
            nodes: Vec::new(),
            values: Vec::new(),
            loops: Vec::new(),
            outputs: Vec::new(),
            inputs: Vec::new(),
            world: Vec::new(),
            world_sources: Vec::new(),
            cuts: Vec::new(),
            numbering: Numbering::default(),
            shapes: Vec::new(),
        };
        let mut followed = 0;
        for position in 0..claim.graphs.len() {
            follow::follow(&mut trace, position, cuts, &mut followed)?;
        }
        trace.cut_equal_values();
        Ok(trace)
    }

    /// A value that is cut is cut wherever the same is computed again.
    fn cut_equal_values(&mut self) {
        let mut numbers: FxHashMap<u32, Vec<(Instance, usize)>> = FxHashMap::default();
        for (value, cut) in &self.cuts {
            numbers.entry(self.values[*value as usize].number).or_default().push((*value, *cut));
        }
        if numbers.is_empty() {
            return;
        }
        for (position, value) in self.values.iter().enumerate() {
            for (known, cut) in numbers.get(&value.number).into_iter().flatten() {
                let same = value.shape.extents == self.values[*known as usize].shape.extents;
                if same && position != *known as usize {
                    self.cuts.push((position as Instance, *cut));
                }
            }
        }
    }

    pub fn graph(&self, node: &Node) -> &'a TrainingGraph {
        self.claim.graphs[node.graph].graph
    }

    pub fn kind(&self, node: &Node) -> Kind {
        self.graph(node).operation(node.operation).kind
    }

    pub fn push_value(&mut self, shape: Rc<Shape>, number: u32, maker: usize) -> Instance {
        let view = shape.extents.as_deref().and_then(Position::row_major);
        let view = view.map(|position| Rc::new(View { root: number, position }));
        self.values.push(Value { shape, number, view, known: None, compared: None, maker: maker as u32 });
        self.values.len() as u32 - 1
    }
}

/// For each operation whether its results are source: it is one, or holds one and is not followed.
pub(super) fn holders(claim: &Claim<'_>, position: usize) -> Vec<bool> {
    let facts = &claim.graphs[position];
    let graph = facts.graph;
    let sources = &claim.sources[position];
    let mut functions = vec![false; graph.functions().len()];
    let mut holds = sources.clone();
    for function in graph.callees_first() {
        for operation in graph.operations_within(graph.function(*function).body).iter().rev() {
            let called = facts.called(operation).is_some_and(|callee| functions[callee.index()]);
            holds[operation.index()] |= called;
            if holds[operation.index()] {
                functions[function.index()] = true;
                if let Some(parent) = graph.region(graph.operation(operation).region).parent {
                    holds[parent.index()] = true;
                }
            }
        }
    }
    let mut result = sources.clone();
    for operation in graph.operations().ids() {
        if !is_followed(facts, operation) {
            result[operation.index()] |= holds[operation.index()];
        }
    }
    result
}

pub(super) fn is_followed(facts: &super::super::Facts<'_>, operation: OperationId) -> bool {
    let transparent = facts.is_transparent(operation);
    match facts.graph.operation(operation).kind {
        Kind::Call | Kind::Composite => transparent && facts.called(operation).is_some(),
        Kind::While => transparent && facts.graph.regions_of(operation).len() == 2,
        Kind::If | Kind::Case => transparent,
        _ => false,
    }
}
