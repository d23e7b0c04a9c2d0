//! What stands in the regions of an operation: what it takes from outside, and what its results take from operands.

use std::rc::Rc;

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashMap;

use crate::graph::{Definition, OperationId, OperationKind, TrainingGraph, ValueId};
use crate::index::Id;
use crate::transfer::mutant::{Slip, slips};
use crate::transfer::{Dependence, Node, Transfer};

/// What is known of an operation with regions, whatever the labels are.
#[derive(Debug)]
pub(super) struct Interior {
    /// Values from outside that something inside takes, other than by way of operands.
    pub captures: Vec<ValueId>,
    /// Whether a source stands inside, or in a function that is called from inside.
    pub holds_source: bool,
    /// For each result the operands that it takes from, and how.
    pub takes: Vec<Vec<(usize, Dependence)>>,
    /// The computation as numbers, equal for equal computations; none if it calls or captures.
    pub signature: Option<Rc<[u32]>>,
}

/// Interiors of the operations of one graph, each looked at once.
pub(super) struct Interiors<'m, 'g> {
    graph: &'g TrainingGraph,
    transfer: &'m Transfer<'g>,
    sources: &'m FixedBitSet,
    /// For each function whether it, or one that it calls, holds a source.
    function_holds_source: Vec<bool>,
    known: FxHashMap<OperationId, Rc<Interior>>,
}

impl<'m, 'g> Interiors<'m, 'g> {
    pub fn new(transfer: &'m Transfer<'g>, sources: &'m FixedBitSet) -> Self {
        let graph = transfer.graph();
        let mut function_holds_source = vec![false; graph.functions().len()];
        for &function in graph.callees_first() {
            let holds = graph.operations_within(graph.function(function).body).iter().any(|operation| {
                sources.contains(operation.index())
                    || transfer.callee(operation).is_some_and(|callee| function_holds_source[callee.index()])
            });
            function_holds_source[function.index()] = holds;
        }
        Interiors { graph, transfer, sources, function_holds_source, known: FxHashMap::default() }
    }

    pub fn of(&mut self, operation: OperationId) -> Rc<Interior> {
        if let Some(interior) = self.known.get(&operation) {
            return Rc::clone(interior);
        }
        let interior = Rc::new(self.look_at(operation));
        self.known.insert(operation, Rc::clone(&interior));
        interior
    }

    fn look_at(&self, operation: OperationId) -> Interior {
        let graph = self.graph;
        let inside = graph.operations_inside(operation);
        let is_inside = |value: ValueId| match graph.value(value).definition {
            Definition::Result(maker, _) => inside.contains(maker),
            Definition::Argument(region, _) => {
                graph.region(region).parent.is_some_and(|parent| parent == operation || inside.contains(parent))
            }
        };
        let mut captures = Vec::new();
        let (mut holds_source, mut calls) = (false, false);
        for inner in inside.iter() {
            captures.extend(graph.operands(inner).iter().copied().filter(|value| !is_inside(*value)));
            holds_source |= self.sources.contains(inner.index());
            if let Some(callee) = self.transfer.callee(inner) {
                calls = true;
                holds_source |= self.function_holds_source[callee.index()];
            }
        }
        if slips(Slip::CapturesForgotten) {
            captures.clear();
        }
        captures.sort_unstable();
        captures.dedup();
        let signature = (!calls && captures.is_empty()).then(|| self.signature(operation));
        let walks =
            matches!(graph.operation(operation).kind, OperationKind::While | OperationKind::If | OperationKind::Case);
        let takes = if walks { Vec::new() } else { self.takes(operation) };
        let holds_source = holds_source && !slips(Slip::InteriorSourcesForgotten);
        Interior { captures, holds_source, takes, signature: signature.flatten() }
    }

    /// Kinds, attributes, types and operands of everything inside, values counted from the first.
    fn signature(&self, operation: OperationId) -> Option<Rc<[u32]>> {
        let graph = self.graph;
        if slips(Slip::BodiesAlike) {
            return Some(Rc::new([]));
        }
        let first =
            graph.regions_of(operation).iter().map(|region| graph.arguments(*region).positions().start).min()?;
        let mut numbers = Vec::new();
        for region in graph.regions_of(operation) {
            numbers.push(graph.arguments(*region).len() as u32);
        }
        for inner in graph.operations_inside(operation).iter() {
            // Where an inner region ends is part of what it says.
            numbers.push(graph.regions_of(inner).len() as u32);
            for region in graph.regions_of(inner) {
                numbers.push(graph.operations_directly_in(*region).count() as u32);
                numbers.push(graph.arguments(*region).len() as u32);
                let types = graph.arguments(*region).iter().map(|argument| graph.value(argument).r#type.index() as u32);
                numbers.extend(types);
            }
            let facts = graph.operation(inner);
            if facts.kind == OperationKind::Unknown || self.transfer.opacity(inner).is_opaque() {
                return None;
            }
            numbers.extend([facts.kind as u32, facts.attributes.index() as u32]);
            numbers.push(graph.operands(inner).len() as u32);
            for operand in graph.operands(inner) {
                numbers.push((operand.index().checked_sub(first)?) as u32);
            }
            for result in graph.results(inner).iter() {
                numbers.push(graph.value(result).r#type.index() as u32);
            }
        }
        Some(numbers.into())
    }

    /// Backwards from each result over the dependences of the operation and of all inside.
    fn takes(&self, operation: OperationId) -> Vec<Vec<(usize, Dependence)>> {
        let graph = self.graph;
        let mut into: FxHashMap<ValueId, Vec<(ValueId, Dependence)>> = FxHashMap::default();
        let around = std::iter::once(operation).chain(graph.operations_inside(operation).iter());
        for inner in around {
            if self.transfer.callee(inner).is_some() {
                for result in graph.results(inner).iter() {
                    let data = graph.operands(inner).iter().map(|operand| (*operand, Dependence::Data));
                    into.entry(result).or_default().extend(data);
                }
                continue;
            }
            self.transfer.edges(inner, &mut |edge| {
                if let (Node::Value(from), Node::Value(to)) = (edge.from, edge.to) {
                    into.entry(to).or_default().push((from, edge.kind));
                }
            });
        }
        let operands = graph.operands(operation);
        let of_result = |result: ValueId| {
            let data = reached(&into, result, |kind| kind == Dependence::Data);
            let any = reached(&into, result, |_| true);
            let how = |value: &ValueId| match (data.contains_key(value), any.contains_key(value)) {
                (true, _) => Some(Dependence::Data),
                (false, true) => Some(Dependence::Implicit),
                (false, false) => None,
            };
            operands.iter().enumerate().filter_map(|(at, value)| Some((at, how(value)?))).collect()
        };
        graph.results(operation).iter().map(of_result).collect()
    }
}

fn reached(
    into: &FxHashMap<ValueId, Vec<(ValueId, Dependence)>>,
    result: ValueId,
    follow: impl Fn(Dependence) -> bool,
) -> FxHashMap<ValueId, ()> {
    let mut seen = FxHashMap::default();
    let mut open = vec![result];
    while let Some(value) = open.pop() {
        for (from, kind) in into.get(&value).into_iter().flatten() {
            if follow(*kind) && seen.insert(*from, ()).is_none() {
                open.push(*from);
            }
        }
    }
    seen
}
