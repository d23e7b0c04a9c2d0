//! What a leak says to a person: how it gets there, how much of it, and where to cut.
//!
//! **Invariants.** Everything is read off the graph of a [`Leak`], never off names. Paths end at the first sink that they
//! reach: a parameter that is already labelled does not make a second, worse flow. So the leak that comes in here is
//! one whose labels are not carried on from sinks ([`Question::ends`](super::refined::Question::ends)).

mod actions;
mod advice;
mod capacity;
mod channels;
mod norms;
mod paths;
mod repairs;
mod resolve;
mod scale;
mod selection;
mod signs;
mod sites;
#[cfg(all(test, feature = "exec"))]
mod tests;

pub use actions::Flow;
pub use capacity::{Capacity, CutPart, capacity};
pub use channels::{Channels, PortChannel};
pub use paths::{leak_path, paths_by_group};
pub use repairs::{Repaired, repair};
pub use resolve::Resolver;

use super::refined::{Leak, LeakEdge};
use super::{Port, System};
use crate::graph::{OperationId, OperationKind as Kind, TrainingGraph};

/// The nodes of an output in a leak.
fn nodes_of(leak: &Leak, port: Port) -> &[u32] {
    leak.outputs.get(port.graph).and_then(|outputs| outputs.get(port.position)).map_or(&[], Vec::as_slice)
}

/// The value and the operation at a node, if it is a result of one.
fn operation_at(system: &System<'_>, leak: &Leak, node: u32) -> Option<(usize, OperationId)> {
    let graph = leak.graph_of(node)?;
    let value = leak.nodes[node as usize].place?.value;
    match system.graphs[graph].graph().value(value).definition {
        crate::graph::Definition::Result(operation, _) => Some((graph, operation)),
        crate::graph::Definition::Argument(region, _) => {
            system.graphs[graph].graph().region(region).parent.map(|operation| (graph, operation))
        }
    }
}

/// The one operation that the body of a reduction of one tensor is.
fn reducer(graph: &TrainingGraph, operation: OperationId) -> Option<Kind> {
    let inside: Vec<Kind> = graph.operations_inside(operation).iter().map(|id| graph.operation(id).kind).collect();
    match inside[..] {
        [kind, Kind::Return] if graph.results(operation).len() == 1 => Some(kind),
        _ => None,
    }
}

/// Whether an edge only gives a part another name.
fn is_copy(leak: &Leak, node: u32) -> bool {
    leak.nodes[node as usize].origin == super::refined::Origin::Copied
}

/// The edges at each node, into it or out of it: positions in [`Leak::edges`].
struct Incoming {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Incoming {
    fn new(leak: &Leak) -> Self {
        Self::by(leak, |edge| edge.to)
    }

    /// The edges out of each node.
    fn outgoing(leak: &Leak) -> Self {
        Self::by(leak, |edge| edge.from)
    }

    fn by(leak: &Leak, end: impl Fn(&LeakEdge) -> u32) -> Self {
        let mut starts = vec![0u32; leak.nodes.len() + 1];
        leak.edges.iter().for_each(|edge| starts[end(edge) as usize + 1] += 1);
        for node in 0..leak.nodes.len() {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut edges = vec![0; leak.edges.len()];
        for (position, edge) in leak.edges.iter().enumerate() {
            let place = &mut next[end(edge) as usize];
            edges[*place as usize] = position as u32;
            *place += 1;
        }
        Incoming { starts, edges }
    }

    fn of(&self, node: u32) -> &[u32] {
        &self.edges[self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize]
    }
}
