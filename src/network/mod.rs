//! Flow networks: what reaches what, what every path passes, what separates, what to cut.
//!
//! Nodes and edges are plain numbers. A network may have cycles, loops of one node and parallel edges. Nothing here recurs
//! on the depth of a network, and every answer depends on the question alone: not on hashing, not on time. A limit is a
//! count of edges looked at, so that it too means the same everywhere.
//!
//! Ids come from the caller's own code, never from a file: one that is out of range is a bug there, and panics.

pub mod cut;
pub mod dominators;
pub mod repair;
#[cfg(test)]
mod tests;

use std::ops::Range;

use fixedbitset::FixedBitSet;

pub use cut::{Cut, INFINITE, Limits, minimum_vertex_cut};
pub use dominators::Dominators;
pub use repair::{Repair, RepairQuery, UNCUTTABLE, smallest_repair};

/// The neighbours of each node, one list after the other.
#[derive(Clone, Debug)]
struct Adjacency {
    /// Where the list of a node begins; one more entry than nodes.
    offsets: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Adjacency {
    fn range(&self, node: u32) -> Range<usize> {
        self.offsets[node as usize] as usize..self.offsets[node as usize + 1] as usize
    }

    fn of(&self, node: u32) -> &[u32] {
        &self.neighbours[self.range(node)]
    }
}

/// Which way to follow edges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// A directed graph, built once, searched in both directions.
#[derive(Clone, Debug)]
pub struct Network {
    successors: Adjacency,
    predecessors: Adjacency,
    /// For each place in the lists of successors, the edge as the caller counts them.
    edges: Vec<u32>,
    /// For each place in the lists of predecessors, the place of the same edge in the lists of successors.
    mirrored: Vec<u32>,
}

/// The part of a network that lies between some sources and some sinks, as a network of its own.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The part. Its nodes are in the order of the whole, and so are the successors of each.
    pub network: Network,
    /// What each of its nodes is in the whole; ascending.
    pub nodes: Vec<u32>,
    /// What each of its edges is in the whole.
    pub edges: Vec<u32>,
}

/// Counting sort: the order that brings keys below `count` together and keeps equal keys as they are, and where each
/// key begins in it.
fn sorted_by_key(count: u32, keys: impl Iterator<Item = u32> + Clone) -> (Vec<u32>, Vec<u32>) {
    let mut offsets = vec![0u32; count as usize + 1];
    let mut length = 0;
    for key in keys.clone() {
        offsets[key as usize + 1] += 1;
        length += 1;
    }
    for at in 1..offsets.len() {
        offsets[at] += offsets[at - 1];
    }
    let mut next = offsets.clone();
    let mut order = vec![0u32; length];
    for (item, key) in keys.enumerate() {
        let place = &mut next[key as usize];
        order[*place as usize] = item as u32;
        *place += 1;
    }
    (offsets, order)
}

impl Network {
    /// A network of so many nodes, with these edges from the first node to the second.
    ///
    /// # Panics
    /// If an edge names a node that there is not, or if there are 2^32 edges or more.
    pub fn new(nodes: u32, edges: &[(u32, u32)]) -> Self {
        assert!(u32::try_from(edges.len()).is_ok(), "edges are counted in 32 bits");
        let (offsets, order) = sorted_by_key(nodes, edges.iter().map(|(from, _)| *from));
        let neighbours = order.iter().map(|edge| edges[*edge as usize].1).collect();
        Self::mirror(Adjacency { offsets, neighbours }, order)
    }

    /// The lists of predecessors to go with the lists of successors.
    fn mirror(successors: Adjacency, edges: Vec<u32>) -> Self {
        let nodes = successors.offsets.len() as u32 - 1;
        let (offsets, mirrored) = sorted_by_key(nodes, successors.neighbours.iter().copied());
        let mut from = vec![0; edges.len()];
        for node in 0..nodes {
            from[successors.range(node)].fill(node);
        }
        let neighbours = mirrored.iter().map(|place| from[*place as usize]).collect();
        Network { successors, predecessors: Adjacency { offsets, neighbours }, edges, mirrored }
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> u32 {
        self.successors.offsets.len() as u32 - 1
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> u32 {
        self.edges.len() as u32
    }

    /// Where the edges of a node lead, in the order in which they were given.
    pub fn successors(&self, node: u32) -> &[u32] {
        self.successors.of(node)
    }

    /// Where the edges to a node come from.
    pub fn predecessors(&self, node: u32) -> &[u32] {
        self.predecessors.of(node)
    }

    /// All that some nodes reach, themselves included.
    pub fn reached_from(&self, sources: &[u32]) -> FixedBitSet {
        self.reach(Direction::Forward, sources, |_, _| true)
    }

    /// All that reaches some nodes, themselves included.
    pub fn reaching(&self, sinks: &[u32]) -> FixedBitSet {
        self.reach(Direction::Backward, sinks, |_, _| true)
    }

    /// What is reached over the edges that may be crossed, each asked about by its own number and by the node behind it.
    fn reach(&self, direction: Direction, from: &[u32], mut may_cross: impl FnMut(u32, u32) -> bool) -> FixedBitSet {
        let mut reached = FixedBitSet::with_capacity(self.node_count() as usize);
        let mut open = Vec::new();
        for &node in from {
            if !reached.put(node as usize) {
                open.push(node);
            }
        }
        let neighbours = match direction {
            Direction::Forward => &self.successors,
            Direction::Backward => &self.predecessors,
        };
        while let Some(node) = open.pop() {
            for place in neighbours.range(node) {
                let behind = neighbours.neighbours[place];
                let edge = match direction {
                    Direction::Forward => self.edges[place],
                    Direction::Backward => self.edges[self.mirrored[place] as usize],
                };
                if !reached.contains(behind as usize) && may_cross(edge, behind) {
                    reached.insert(behind as usize);
                    open.push(behind);
                }
            }
        }
        reached
    }

    /// The part that a source reaches and that reaches a sink: all paths from the one to the other, and nothing else.
    pub fn slice(&self, sources: &[u32], sinks: &[u32]) -> Slice {
        let reached = self.reached_from(sources);
        let reached_sinks: Vec<u32> = sinks.iter().copied().filter(|sink| reached.contains(*sink as usize)).collect();
        // Backwards over what is reached: what is not cannot lead anywhere else.
        let between = self.reach(Direction::Backward, &reached_sinks, |_, node| reached.contains(node as usize));
        let nodes: Vec<u32> = between.ones().map(|node| node as u32).collect();
        let mut own = vec![u32::MAX; self.node_count() as usize];
        for (at, node) in nodes.iter().enumerate() {
            own[*node as usize] = at as u32;
        }
        let mut offsets = Vec::with_capacity(nodes.len() + 1);
        let (mut neighbours, mut edges) = (Vec::new(), Vec::new());
        offsets.push(0);
        for &node in &nodes {
            for place in self.successors.range(node) {
                let to = own[self.successors.neighbours[place] as usize];
                if to != u32::MAX {
                    neighbours.push(to);
                    edges.push(self.edges[place]);
                }
            }
            offsets.push(neighbours.len() as u32);
        }
        let count = neighbours.len() as u32;
        let network = Self::mirror(Adjacency { offsets, neighbours }, (0..count).collect());
        Slice { network, nodes, edges }
    }
}

impl Slice {
    /// What those of these nodes that are in the slice are called in it, ascending, each once.
    pub fn own(&self, nodes: &[u32]) -> Vec<u32> {
        let found = nodes.iter().filter_map(|node| self.nodes.binary_search(node).ok());
        let mut own: Vec<u32> = found.map(|at| at as u32).collect();
        own.sort_unstable();
        own.dedup();
        own
    }
}
