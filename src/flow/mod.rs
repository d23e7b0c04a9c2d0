//! Floor 4: which values information from the source reaches.
//!
//! **Invariants.** The answer is the least fixpoint over the dependence edges of [`crate::transfer`], with calls and
//! returns matched: what enters a function at one call site does not leave at another. A label is *clear* if some
//! path to it crosses known operations only, *opaque* if every path crosses an operation that nobody looks into (or
//! a carried pair that is only possible). No recursion on the depth of the input anywhere. Results are deterministic.
//!
//! The cast: a [`System`] is one [`FlowGraph`] for each function of the training loop that was captured, and the
//! edges between outputs and inputs. [`propagate()`] gives [`Labels`]; [`witnesses`] the shortest feasible paths;
//! [`evidence`] what `verify` re-checks. [`mod@reference`] is the slow and obvious algorithm that must agree.

mod certificate;
mod code;
mod cotangents;
pub mod explain;
mod propagate;
pub mod reference;
pub mod refined;
mod slice;
mod telling;
#[cfg(test)]
mod tests;
mod witness;

pub use crate::graph::{Phase, Phases};
pub use certificate::evidence;
pub use code::FlowGraph;
pub use cotangents::{Finding, invisible_cotangents};
pub use propagate::propagate;
pub use slice::{
    OpaqueCrossing, Slice, backward_slice, forward_slice, opaque_crossings, taken_from_outside, unchanged_input,
};
pub use witness::{SinkGroup, witnesses};

use fixedbitset::FixedBitSet;

use crate::graph::{CarriedPairs, OperationId, PossiblePairs, TrainingGraph, ValueId};
use crate::index::Id;
use crate::verdict::{Hop, Route, Verdict, Within};

/// An output or an input of one graph of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// Which graph.
    pub graph: usize,
    /// The position in [`TrainingGraph::outputs`] or [`TrainingGraph::inputs`].
    pub position: usize,
}

/// What an edge between an output and an input stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crossing {
    /// The next step takes what this step made.
    Carried,
    /// Another function of the same step takes it.
    Link,
    /// It goes through the world outside: policy to batch.
    Environment,
}

impl Crossing {
    /// The hop of a witness path.
    pub fn hop(self) -> Hop {
        match self {
            Crossing::Carried => Hop::Carried,
            Crossing::Link => Hop::Link,
            Crossing::Environment => Hop::Environment,
        }
    }

    /// The route that a path over this edge takes at least.
    pub fn route(self) -> Route {
        match self {
            Crossing::Link => Route::Step,
            Crossing::Carried => Route::Carried,
            Crossing::Environment => Route::Environment,
        }
    }
}

/// An edge from an output to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemEdge {
    /// An output.
    pub from: Port,
    /// An input.
    pub to: Port,
    /// What it stands for.
    pub crossing: Crossing,
}

/// Which edges between outputs and inputs count. Links always do: they hold within a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossings {
    /// Carried pairs.
    pub carried: bool,
    /// Declared environment edges.
    pub environment: bool,
    /// Carried pairs that are only possible.
    pub possible: bool,
}

impl Crossings {
    /// What `deny` covers within this reach: no environment edges.
    pub fn within(within: Within) -> Self {
        let carried = within == Within::Run;
        Crossings { carried, environment: false, possible: carried }
    }

    /// The same, and environment edges too.
    pub fn and_environment(self) -> Self {
        Crossings { environment: true, ..self }
    }

    /// The same, without pairs that are only possible.
    pub fn and_nothing_possible(self) -> Self {
        Crossings { possible: false, ..self }
    }

    fn include(self, crossing: Crossing) -> bool {
        match crossing {
            Crossing::Carried => self.carried,
            Crossing::Link => true,
            Crossing::Environment => self.environment,
        }
    }
}

/// The captured functions of one training loop, and how values pass between them.
#[derive(Debug)]
pub struct System<'g> {
    /// The graphs.
    pub graphs: Vec<FlowGraph<'g>>,
    /// Edges from outputs to inputs.
    pub edges: Vec<SystemEdge>,
    /// Pairs that may be carried, by graph: nothing decides. What crosses them is an opaque label.
    pub possible: Vec<(usize, PossiblePairs)>,
}

impl<'g> System<'g> {
    /// A system of these graphs, without edges.
    pub fn new(graphs: impl IntoIterator<Item = &'g TrainingGraph>) -> Self {
        System { graphs: graphs.into_iter().map(FlowGraph::new).collect(), edges: Vec::new(), possible: Vec::new() }
    }

    /// Adds the carried pairs of one graph.
    pub fn carry(&mut self, graph: usize, pairs: &CarriedPairs) {
        for pair in &pairs.pairs {
            self.connect((graph, pair.output), (graph, pair.input), Crossing::Carried);
        }
        self.possible.extend(pairs.possible.iter().map(|possible| (graph, possible.clone())));
    }

    /// Adds an edge: `(graph, output position)` to `(graph, input position)`.
    pub fn connect(&mut self, from: (usize, usize), to: (usize, usize), crossing: Crossing) {
        let port = |(graph, position)| Port { graph, position };
        self.edges.push(SystemEdge { from: port(from), to: port(to), crossing });
    }

    /// The value of an output.
    fn output_value(&self, port: Port) -> Option<ValueId> {
        self.graphs.get(port.graph)?.outputs().get(port.position).copied()
    }

    /// The value of an input.
    fn input_value(&self, port: Port) -> Option<ValueId> {
        self.graphs.get(port.graph)?.inputs().get(port.position)
    }

    /// Every edge that counts, with the values at its ends; `true` where the pair is only possible.
    fn crossings(&self, counted: Crossings) -> impl Iterator<Item = (Port, Port, bool)> {
        let edges = self.edges.iter().filter(move |edge| counted.include(edge.crossing));
        let possible = self.possible.iter().filter(move |_| counted.possible).flat_map(|(graph, pairs)| {
            pairs.outputs.iter().flat_map(move |output| {
                pairs.inputs.iter().map(move |input| {
                    let port = |position: usize| Port { graph: *graph, position };
                    (port(*output), port(*input), true)
                })
            })
        });
        edges.map(|edge| (edge.from, edge.to, false)).chain(possible)
    }
}

/// What a label enters at, in one graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphSources {
    /// Operations all of whose results are source, by [`OperationId`].
    pub operations: FixedBitSet,
    /// Positions of inputs.
    pub inputs: Vec<usize>,
}

/// What a label enters at, graph by graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// In the order of [`System::graphs`].
    pub graphs: Vec<GraphSources>,
}

impl Sources {
    /// Adds what a selector matched in one graph.
    pub fn add(
        &mut self,
        graph: usize,
        operations: impl IntoIterator<Item = OperationId>,
        inputs: impl IntoIterator<Item = usize>,
    ) {
        if self.graphs.len() <= graph {
            self.graphs.resize(graph + 1, GraphSources::default());
        }
        let sources = &mut self.graphs[graph];
        for operation in operations {
            sources.operations.grow_and_insert(operation.index());
        }
        sources.inputs.extend(inputs);
        sources.inputs.sort_unstable();
        sources.inputs.dedup();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.graphs.iter().all(|graph| graph.operations.is_clear() && graph.inputs.is_empty())
    }

    /// Those of one graph, with the operations that refer to functions with a source in them.
    fn closed(&self, position: usize, graph: &FlowGraph<'_>) -> GraphSources {
        let mut sources = self.graphs.get(position).cloned().unwrap_or_default();
        graph.transfer().close_sources(&mut sources.operations);
        sources
    }
}

/// How surely a label is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Only through an operation that nobody looks into, or a carried pair that is only possible.
    Opaque,
    /// Through known operations.
    Clear,
}

/// Reached at all.
const ANY: u8 = 1;
/// Reached through known operations only.
const CLEAR: u8 = 2;
/// Both.
const FULL: u8 = ANY | CLEAR;

fn strength(byte: u8) -> Option<Strength> {
    match byte {
        0 => None,
        byte if byte & CLEAR != 0 => Some(Strength::Clear),
        _ => Some(Strength::Opaque),
    }
}

/// Which values the source reaches.
///
/// For a function other than the entry: what reaches its values from sources in it or in functions that it calls,
/// not through its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    values: Vec<Vec<u8>>,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    world: bool,
}

impl Labels {
    /// The label of an output.
    pub fn output(&self, port: Port) -> Option<Strength> {
        strength(*self.outputs.get(port.graph)?.get(port.position)?)
    }

    /// The label of an input.
    pub fn input(&self, port: Port) -> Option<Strength> {
        strength(*self.inputs.get(port.graph)?.get(port.position)?)
    }

    /// The label of a value; see [`Labels`] for values of functions that are called.
    pub fn value(&self, graph: usize, value: ValueId) -> Option<Strength> {
        strength(*self.values.get(graph)?.get(value.index())?)
    }

    /// Whether the hidden state of the world is reached.
    pub fn world(&self) -> bool {
        self.world
    }

    /// Whether any output of any graph is reached: if none is, a `Holds` is empty.
    pub fn reaches_an_output(&self) -> bool {
        self.outputs.iter().flatten().any(|byte| *byte != 0)
    }

    /// The verdict for these sinks: `Vacuous` if there are none.
    pub fn verdict(&self, sinks: &[Port]) -> Verdict {
        if sinks.is_empty() {
            return Verdict::Vacuous;
        }
        match sinks.iter().filter_map(|sink| self.output(*sink)).max() {
            None => Verdict::Holds,
            Some(Strength::Opaque) => Verdict::Undetermined,
            Some(Strength::Clear) => Verdict::Violated,
        }
    }
}
