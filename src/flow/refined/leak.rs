//! The leak as a graph: one node for each labelled part of a value at one place of the walk, one edge for each dependence.

use rustc_hash::FxHashSet;

use crate::flow::Crossing;
use crate::graph::{OperationId, ValueId};
use crate::lattice::Elements;
use crate::transfer::Dependence;
use crate::verdict::Route;

/// More nodes than this are not kept: the refinement gives up.
pub(super) const MOST_NODES: usize = 4_000_000;

/// One pass over a function's body, or over that of a loop: which call or iteration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The instance around it; none for the step itself.
    pub parent: Option<u32>,
    /// Which graph of the system.
    pub graph: u32,
    /// The call or the loop.
    pub operation: Option<OperationId>,
    /// Which iteration of the loop; none for a call, and where iterations are not told apart.
    pub iteration: Option<u32>,
    /// Whether it stands for any number of iterations.
    pub repeated: bool,
}

/// A value at one place of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Which instance.
    pub instance: u32,
    /// Which value of its graph.
    pub value: ValueId,
}

/// A labelled part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakNode {
    /// The value; none for the world outside.
    pub place: Option<Place>,
    /// The part.
    pub elements: Elements,
    /// Whether it is labelled only through an operation that nobody looks into.
    pub opaque: bool,
    /// How it came to be.
    pub origin: Origin,
    /// The number of the value within its graph: nodes of one number are parts of one tensor. `u32::MAX`: a tensor that
    /// is seen through a map.
    pub number: u32,
}

/// How a labelled part came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An operation made it.
    Made,
    /// The same part of the same tensor under another name: into and out of calls and loops.
    Copied,
    /// Chosen between two values by a labelled test, which has the implicit edges; the position in [`Leak::choices`].
    Chosen(u32),
}

/// A labelled test chose between two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Whether one test decides for all elements.
    pub single: bool,
    /// Whether one of them is zero.
    pub zero: bool,
    /// Positions of the inputs of the step that a candidate is, unchanged.
    pub keeps: Vec<u32>,
}

/// How one part depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// Within an instance, or into and out of a loop.
    Flow(Dependence),
    /// Into a function.
    Enter,
    /// Out of a function.
    Leave,
    /// From an output to an input; the position among the edges of the system, none for a pair that is only possible.
    Cross(Crossing, Option<u32>),
}

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeakEdge {
    /// Where it comes from.
    pub from: u32,
    /// Where it arrives.
    pub to: u32,
    /// How.
    pub link: Link,
}

/// Everything that is labelled, and why.
#[derive(Clone, Debug, Default)]
pub struct Leak {
    /// The instances.
    pub instances: Vec<Instance>,
    /// The nodes.
    pub nodes: Vec<LeakNode>,
    /// The edges.
    pub edges: Vec<LeakEdge>,
    /// The nodes at which labels enter.
    pub sources: Vec<u32>,
    /// For each graph and output its nodes.
    pub outputs: Vec<Vec<Vec<u32>>>,
    /// What was chosen by a labelled test.
    pub choices: Vec<Choice>,
    /// Flows that are left out, as `(graph, from, to)`: to see what a repair would do.
    pub(super) cut: FxHashSet<(u32, ValueId, ValueId)>,
}

impl Leak {
    pub(super) fn add_node(&mut self, place: Place, elements: Elements, opaque: bool) -> u32 {
        self.nodes.push(LeakNode { place: Some(place), elements, opaque, origin: Origin::Made, number: u32::MAX });
        self.nodes.len() as u32 - 1
    }

    /// Whether the flow from a node to a value is left out.
    pub(super) fn is_cut(&self, from: u32, to: ValueId) -> bool {
        if self.cut.is_empty() {
            return false;
        }
        let Some(place) = self.nodes[from as usize].place else { return false };
        let graph = self.instances[place.instance as usize].graph;
        self.cut.contains(&(graph, place.value, to))
    }

    /// Says of nodes that a choice made them.
    pub(super) fn mark_chosen(&mut self, nodes: impl Iterator<Item = u32>, choice: Choice) {
        let position = self.choices.len() as u32;
        self.choices.push(choice);
        nodes.for_each(|node| self.nodes[node as usize].origin = Origin::Chosen(position));
    }

    pub(super) fn add_edge(&mut self, from: u32, to: u32, how: Dependence) {
        self.edges.push(LeakEdge { from, to, link: Link::Flow(how) });
    }

    /// The graph that a node belongs to.
    pub fn graph_of(&self, node: u32) -> Option<usize> {
        let place = self.nodes[node as usize].place?;
        Some(self.instances[place.instance as usize].graph as usize)
    }

    /// The worst kind of edge between neighbours on a path.
    pub fn route(&self, path: &[u32]) -> Route {
        let mut route = Route::Step;
        for edge in &self.edges {
            if let Link::Cross(crossing, _) = edge.link
                && path.windows(2).any(|pair| pair == [edge.from, edge.to])
            {
                route = route.max(crossing.route());
            }
        }
        route
    }

    /// Forgets what was added since, for another try.
    pub(super) fn truncate(&mut self, mark: Mark) {
        self.nodes.truncate(mark.nodes);
        self.edges.truncate(mark.edges);
        self.sources.truncate(mark.sources);
        self.instances.truncate(mark.instances);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len(),
            edges: self.edges.len(),
            sources: self.sources.len(),
            instances: self.instances.len(),
        }
    }
}

/// How far a leak had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    nodes: usize,
    edges: usize,
    sources: usize,
    instances: usize,
}
