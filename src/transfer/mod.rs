//! Floor 3: how information crosses one operation.
//!
//! **Invariants.** Every rule is distributive: what reaches a result is the join of what reaches the operands that it
//! lists. So a rule is a list of *dependence edges*, and an analysis is reachability over them. A rule never drops
//! what an operation itself seeds (that is not its business), only what arrives through operands, and only where
//! a `// precision` comment says why. The registry ([`rule_of`]) names a rule for every kind of operation, without a
//! wildcard. What is not known to be harmless is opaque. Nothing here knows of sources, sinks or verdicts.
//!
//! Calls of functions whose body is known have no edges here: whoever follows the edges goes through the body, with
//! calls and returns matched ([`Transfer::callee`]).

mod custom_calls;
pub mod images;
#[cfg(not(feature = "mutants"))]
pub(crate) mod mutant;
#[cfg(feature = "mutants")]
pub mod mutant;
mod opacity;
mod regions;
mod registry;
#[cfg(test)]
mod tests;

pub use opacity::Opacity;
pub use registry::{ImplicitOperands, Rule, rule_of};

use fixedbitset::FixedBitSet;

use crate::graph::{FunctionId, OperationId, OperationKind, TrainingGraph, Type, ValueId};
use crate::index::Id;
use mutant::{Slip, slips};

/// An end of a dependence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A value of the graph.
    Value(ValueId),
    /// The hidden state of the world outside: one for all operations with side effects, all steps and all graphs.
    World,
}

/// How one value depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependence {
    /// Through data: explicit flow.
    Data,
    /// Through a predicate, a trip count, an index, a mask, a sort order, a shape or a key: implicit flow.
    Implicit,
    /// Through an operation that this version does not look into.
    Opaque,
}

/// A dependence: information at `from` may reach `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Where it comes from.
    pub from: Node,
    /// Where it arrives.
    pub to: Node,
    /// How.
    pub kind: Dependence,
}

/// The dependences of all operations of one graph.
#[derive(Debug)]
pub struct Transfer<'g> {
    graph: &'g TrainingGraph,
    /// For each operation whether it is opaque.
    opacity: Vec<Opacity>,
    /// Operations that have a side effect, themselves or somewhere inside, calls included.
    effects: FixedBitSet,
    /// Operations that name a function by a symbol other than that of a call, and the functions.
    references: Vec<(OperationId, Vec<FunctionId>)>,
}

impl<'g> Transfer<'g> {
    /// Looks at every operation once: which are opaque, which have side effects.
    pub fn new(graph: &'g TrainingGraph) -> Self {
        opacity::classify(graph)
    }

    /// The graph.
    pub fn graph(&self) -> &'g TrainingGraph {
        self.graph
    }

    /// Whether an operation is opaque, and why.
    pub fn opacity(&self, operation: OperationId) -> Opacity {
        self.opacity[operation.index()]
    }

    /// Whether an operation has a side effect, itself or somewhere inside, calls included.
    pub fn has_effects(&self, operation: OperationId) -> bool {
        self.effects.contains(operation.index())
    }

    /// The function whose body stands for an operation: of a call, or of a composite.
    pub fn callee(&self, operation: OperationId) -> Option<FunctionId> {
        let facts = self.graph.operation(operation);
        match facts.kind {
            OperationKind::Call | OperationKind::Composite => facts.callee,
            _ => None,
        }
    }

    /// Makes every operation a source that refers to a function (a comparator of a custom call, say) with a
    /// source in it: what the function makes arrives at the results of that operation.
    pub fn close_sources(&self, operations: &mut FixedBitSet) {
        if self.references.is_empty() || slips(Slip::SymbolsHideSources) {
            return;
        }
        operations.grow(self.graph.operations().len());
        let mut holds_source = vec![false; self.graph.functions().len()];
        loop {
            let mut changed = false;
            for (id, function) in self.graph.functions().iter_enumerated() {
                let found = self.graph.operations_within(function.body).iter().any(|operation| {
                    operations.contains(operation.index())
                        || self.callee(operation).is_some_and(|callee| holds_source[callee.index()])
                });
                changed |= found && !holds_source[id.index()];
                holds_source[id.index()] |= found;
            }
            for (operation, functions) in &self.references {
                let found = functions.iter().any(|function| holds_source[function.index()]);
                changed |= found && !operations.put(operation.index());
            }
            if !changed {
                return;
            }
        }
    }

    /// Every dependence of one operation. Calls with a known body have none, see [`Transfer::callee`].
    pub fn edges(&self, operation: OperationId, emit: &mut dyn FnMut(Edge)) {
        #[cfg(feature = "mutants")]
        let emit = &mut mutant::edges_kept(self.graph, operation, emit);
        let opacity = self.opacity(operation);
        if opacity.is_opaque() {
            self.opaque_edges(operation, emit);
            return;
        }
        let graph = self.graph;
        let operands = graph.operands(operation);
        let results = graph.results(operation);
        let mut flow = |from: ValueId, to: ValueId, kind: Dependence| {
            emit(Edge { from: Node::Value(from), to: Node::Value(to), kind });
        };
        match rule_of(graph.operation(operation).kind) {
            Rule::Nothing | Rule::Call | Rule::Opaque => {}
            Rule::Join(implicit) => {
                for result in results.iter() {
                    for (position, operand) in operands.iter().enumerate() {
                        flow(*operand, result, implicit.kind_of(position));
                    }
                }
            }
            Rule::CustomCall => {
                for result in results.iter() {
                    operands.iter().for_each(|operand| flow(*operand, result, Dependence::Data));
                }
            }
            Rule::ElementByElement => {
                if operands.len() == results.len() {
                    operands.iter().zip(results.iter()).for_each(|(from, to)| flow(*from, to, Dependence::Data));
                } else {
                    for result in results.iter() {
                        operands.iter().for_each(|operand| flow(*operand, result, Dependence::Data));
                    }
                }
            }
            Rule::Shape => {
                // precision: the result is made from the shape of the operand alone, and a static shape is
                // the same in every run.
                for operand in operands.iter().filter(|operand| !has_static_shape(graph, **operand)) {
                    results.iter().for_each(|result| flow(*operand, result, Dependence::Data));
                }
            }
            Rule::TopK => {
                for operand in operands {
                    for (position, result) in results.iter().enumerate() {
                        let kind = if position == 0 { Dependence::Data } else { Dependence::Implicit };
                        flow(*operand, result, kind);
                    }
                }
            }
            Rule::RandomBits => {
                for operand in operands {
                    for (position, result) in results.iter().enumerate() {
                        // The next state is made of the state; the bits are drawn by it as a key.
                        let kind = if position == 0 { Dependence::Data } else { Dependence::Implicit };
                        flow(*operand, result, kind);
                    }
                }
            }
            Rule::StatefulRandom => {
                for operand in operands {
                    results.iter().for_each(|result| flow(*operand, result, Dependence::Data));
                }
                self.world_edges(operation, emit);
            }
            rule => regions::edges(self, operation, rule, emit),
        }
    }

    /// Everything to everything, regions included; and the world, where there are side effects.
    fn opaque_edges(&self, operation: OperationId, emit: &mut dyn FnMut(Edge)) {
        let graph = self.graph;
        let operands = graph.operands(operation);
        let regions = graph.regions_of(operation);
        let inputs: Vec<ValueId> = operands
            .iter()
            .copied()
            .chain(regions.iter().flat_map(|region| graph.yields(*region).iter().copied()))
            .collect();
        let outputs: Vec<ValueId> = graph
            .results(operation)
            .iter()
            .chain(regions.iter().flat_map(|region| graph.arguments(*region).iter()))
            .collect();
        for &from in &inputs {
            for &to in &outputs {
                emit(Edge { from: Node::Value(from), to: Node::Value(to), kind: Dependence::Opaque });
            }
        }
        if self.has_effects(operation) {
            let into =
                inputs.iter().map(|from| Edge { from: Node::Value(*from), to: Node::World, kind: Dependence::Opaque });
            let out =
                outputs.iter().map(|to| Edge { from: Node::World, to: Node::Value(*to), kind: Dependence::Opaque });
            into.chain(out).for_each(emit);
        }
    }

    fn world_edges(&self, operation: OperationId, emit: &mut dyn FnMut(Edge)) {
        for operand in self.graph.operands(operation) {
            emit(Edge { from: Node::Value(*operand), to: Node::World, kind: Dependence::Opaque });
        }
        for result in self.graph.results(operation).iter() {
            emit(Edge { from: Node::World, to: Node::Value(result), kind: Dependence::Opaque });
        }
    }
}

/// Whether every extent of a tensor is known.
fn has_static_shape(graph: &TrainingGraph, value: ValueId) -> bool {
    match graph.r#type(graph.value(value).r#type) {
        Type::Tensor(tensor) => {
            let known = |dimensions: &[Option<u64>]| dimensions.iter().all(Option::is_some);
            // An encoding can bound extents that vary below the bound.
            tensor.encoding.is_none() && tensor.dimensions.as_deref().is_some_and(known)
        }
        Type::Token | Type::Tuple(_) | Type::Other(_) => false,
    }
}
