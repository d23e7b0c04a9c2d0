//! How many bits a step lets through at most: a minimum cut of the leak, where every value has as many bits as its
//! labelled elements. McCamant and Ernst, "Quantitative information flow as network flow capacity", PLDI 2008.
//!
//! Labels are carried on from step to step here, so the network is the run folded into one step, and a cut of it bounds
//! what `k` steps pass by `k` times its bits.

use rustc_hash::FxHashMap;

use super::nodes_of;
use crate::flow::refined::{Leak, Place};
use crate::flow::{Port, System};
use crate::index::Id;
use crate::lattice::{Elements, Intervals};
use crate::network::{INFINITE, Limits, Network, minimum_vertex_cut};
use crate::transfer::images::extents;

/// Beyond so many bits the exact minimum does not matter to anybody.
const EXACT_UP_TO: u64 = 1 << 20;

/// So many arcs are looked at.
const WORK: u64 = 20_000_000;

/// A bound, and the values that make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// So many bits for each step at most.
    pub bits: u64,
    /// Whether no cut has fewer.
    pub exact: bool,
    /// The values that everything passes.
    pub cut: Vec<CutPart>,
}

/// A value in a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPart {
    /// The value.
    pub place: Place,
    /// Its labelled elements.
    pub elements: Elements,
    /// How many bits they have.
    pub bits: u64,
}

/// The bits that pass from the source to these sinks together; none where no bound is known (a loop that runs any number of
/// times, an element of unknown width, the world outside).
pub fn capacity(system: &System<'_>, leak: &Leak, sinks: &[Port], beyond: Option<u64>) -> Option<Capacity> {
    let limits = Limits { work: WORK, capacity: beyond.unwrap_or(EXACT_UP_TO).max(EXACT_UP_TO) };
    // Two ways to see the leak, each of which bounds it. Part by part: ways that cannot be are not ways. Tensor by tensor:
    // what two parts have in common is counted once, and so is a tensor that is computed twice.
    let by_part = cut(system, leak, sinks, &parts(leak), limits);
    let by_tensor = cut(system, leak, sinks, &tensors(leak), limits);
    match (by_part, by_tensor) {
        (Some(part), Some(tensor)) if tensor.bits <= part.bits => Some(tensor),
        (Some(part), _) => Some(part),
        (None, tensor) => tensor,
    }
}

/// What the nodes of a leak stand for: several may be one.
struct Vertices {
    of_node: Vec<u32>,
    vertices: Vec<Vertex>,
}

type Vertex = (Option<Place>, Elements);

/// Each node by itself.
fn parts(leak: &Leak) -> Vertices {
    let vertices = leak.nodes.iter().map(|node| (node.place, node.elements.clone())).collect();
    Vertices { of_node: (0..leak.nodes.len() as u32).collect(), vertices }
}

/// All parts of one tensor, by its number: by the place where it has none.
fn tensors(leak: &Leak) -> Vertices {
    let mut vertices: Vec<Vertex> = Vec::new();
    let mut known: FxHashMap<(u32, u32, u32), u32> = FxHashMap::default();
    let mut of_node = Vec::with_capacity(leak.nodes.len());
    for node in &leak.nodes {
        let key = match node.place {
            None => (u32::MAX, u32::MAX, 0),
            Some(place) if node.number == u32::MAX => (place.instance, u32::MAX, place.value.index() as u32),
            // In a loop that is not unrolled the number is that of one iteration.
            Some(place) => (leak.instances[place.instance as usize].graph, node.number, u32::MAX),
        };
        let vertex = *known.entry(key).or_insert(vertices.len() as u32);
        match vertices.get_mut(vertex as usize) {
            Some((_, elements)) => elements.join(&node.elements),
            None => vertices.push((node.place, node.elements.clone())),
        }
        of_node.push(vertex);
    }
    Vertices { of_node, vertices }
}

fn cut(
    system: &System<'_>,
    leak: &Leak,
    sinks: &[Port],
    Vertices { of_node, vertices }: &Vertices,
    limits: Limits,
) -> Option<Capacity> {
    let capacities: Vec<u64> = vertices.iter().map(|part| bits(system, leak, part)).collect();
    let edges: Vec<(u32, u32)> =
        leak.edges.iter().map(|edge| (of_node[edge.from as usize], of_node[edge.to as usize])).collect();
    let network = Network::new(vertices.len() as u32, &edges);
    let own = |nodes: &mut dyn Iterator<Item = u32>| {
        let mut own: Vec<u32> = nodes.map(|node| of_node[node as usize]).collect();
        own.sort_unstable();
        own.dedup();
        own
    };
    let sources = own(&mut leak.sources.iter().copied());
    let ends = own(&mut sinks.iter().flat_map(|sink| nodes_of(leak, *sink).iter().copied()));
    if ends.is_empty() {
        return Some(Capacity { bits: 0, exact: true, cut: Vec::new() });
    }
    let cut = minimum_vertex_cut(&network, &sources, &ends, &capacities, limits)?;
    if cut.capacity == u64::MAX {
        return None;
    }
    let parts = cut.nodes.iter().filter_map(|vertex| {
        let (place, elements) = &vertices[*vertex as usize];
        Some(CutPart { place: (*place)?, elements: elements.clone(), bits: capacities[*vertex as usize] })
    });
    Some(Capacity { bits: cut.capacity, exact: cut.exact, cut: parts.collect() })
}

/// The bits that pass from the source to these nodes in one step, where one node's own value is taken as known: what a step
/// adds to a value that is carried on. `u64::MAX` where no bound is known.
pub(super) fn bits_into(system: &System<'_>, leak: &Leak, ends: &[u32], known: u32) -> u64 {
    let capacity = |node: &crate::flow::refined::LeakNode| bits(system, leak, &(node.place, node.elements.clone()));
    let capacities: Vec<u64> = leak.nodes.iter().map(capacity).collect();
    let edges = leak.edges.iter().filter(|edge| edge.from != known && edge.to != known);
    let edges: Vec<(u32, u32)> = edges.map(|edge| (edge.from, edge.to)).collect();
    let network = Network::new(leak.nodes.len() as u32, &edges);
    let limits = Limits { work: WORK, capacity: 64 };
    minimum_vertex_cut(&network, &leak.sources, ends, &capacities, limits).map_or(u64::MAX, |cut| cut.capacity)
}

fn bits(system: &System<'_>, leak: &Leak, (place, elements): &Vertex) -> u64 {
    let Some(place) = place else { return INFINITE };
    let instance = &leak.instances[place.instance as usize];
    if instance.repeated {
        return INFINITE; // it passes once for each iteration, and nobody knows how many there are
    }
    let graph = system.graphs[instance.graph as usize].graph();
    let width = graph.tensor_type(place.value).and_then(|tensor| tensor.element.bits());
    match (extents(graph, place.value), width) {
        (Some(extents), Some(width)) => elements.count(&extents).saturating_mul(u64::from(width)),
        _ => INFINITE,
    }
}

impl CutPart {
    /// The elements as boxes of intervals; none: all.
    pub fn boxes(&self) -> Vec<Vec<Vec<(u64, u64)>>> {
        match &self.elements {
            Elements::All => Vec::new(),
            Elements::Boxes(cells) => {
                let intervals = |set: &Intervals| set.as_slice().to_vec();
                cells.iter().map(|cell| cell.iter().map(intervals).collect()).collect()
            }
        }
    }
}
