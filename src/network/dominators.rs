//! What every path from the sources passes.
//!
//! The algorithm is Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", 2005): Lengauer and
//! Tarjan's semidominators with path compression, then the nearest common ancestor of parent and semidominator in the
//! tree so far. Nodes are counted in the order of a depth-first search from a root above all sources.

use super::Network;

/// Not reached from a source.
const UNREACHED: u32 = u32::MAX;
/// The number of the root above all sources.
const ROOT: u32 = 0;

/// The tree of dominators of what the sources reach.
#[derive(Clone, Debug)]
pub struct Dominators {
    /// For each node, its number in the search, from 1 on.
    numbers: Vec<u32>,
    /// The node of each number; that of [`ROOT`] has no meaning.
    nodes: Vec<u32>,
    /// The number of the immediate dominator of each number: always a smaller one, but for the root.
    immediate: Vec<u32>,
}

impl Dominators {
    /// The dominators of all nodes that these sources reach.
    pub fn new(network: &Network, sources: &[u32]) -> Self {
        let mut search = Search::new(network, sources);
        let immediate = search.immediate_dominators(network, sources);
        Dominators { numbers: search.numbers, nodes: search.nodes, immediate }
    }

    /// Whether a source reaches a node.
    pub fn is_reached(&self, node: u32) -> bool {
        self.numbers[node as usize] != UNREACHED
    }

    /// The last node before this one that every path to it passes. None if there is none, and if no path comes here.
    pub fn immediate(&self, node: u32) -> Option<u32> {
        let number = self.numbers[node as usize];
        let above = *self.immediate.get(number as usize)?;
        (above != ROOT).then(|| self.nodes[above as usize])
    }

    /// The nodes that every path from a source to this node passes, in the order of the paths, itself last. Empty if no
    /// path comes here.
    pub fn chain(&self, node: u32) -> Vec<u32> {
        self.common_chain(&[node])
    }

    /// The nodes that every path from a source to any of these nodes passes, in the order of the paths. Nodes that no path
    /// comes to do not count.
    pub fn common_chain(&self, nodes: &[u32]) -> Vec<u32> {
        let numbers = nodes.iter().map(|node| self.numbers[*node as usize]).filter(|number| *number != UNREACHED);
        let Some(mut number) = numbers.reduce(|a, b| self.nearest_common(a, b)) else { return Vec::new() };
        let mut chain = Vec::new();
        while number != ROOT {
            chain.push(self.nodes[number as usize]);
            number = self.immediate[number as usize];
        }
        chain.reverse();
        chain
    }

    fn nearest_common(&self, mut a: u32, mut b: u32) -> u32 {
        while a != b {
            let later = if a > b { &mut a } else { &mut b };
            *later = self.immediate[*later as usize];
        }
        a
    }
}

/// A depth-first search and what the algorithm knows of each of its numbers.
struct Search {
    numbers: Vec<u32>,
    nodes: Vec<u32>,
    /// The parent in the tree of the search; later, an ancestor, as paths are compressed.
    ancestors: Vec<u32>,
    semidominators: Vec<u32>,
    /// Of the compressed path to the ancestor, the number with the smallest semidominator.
    labels: Vec<u32>,
}

impl Search {
    fn new(network: &Network, sources: &[u32]) -> Self {
        let mut numbers = vec![UNREACHED; network.node_count() as usize];
        let (mut nodes, mut ancestors) = (vec![UNREACHED], vec![ROOT]);
        let mut open: Vec<(u32, usize)> = Vec::new();
        for &source in sources {
            let mut found = Some((source, ROOT));
            // The path from the source is on the stack, each node with the first of its edges that was not yet followed.
            loop {
                if let Some((node, parent)) = found.take()
                    && numbers[node as usize] == UNREACHED
                {
                    numbers[node as usize] = nodes.len() as u32;
                    nodes.push(node);
                    ancestors.push(parent);
                    open.push((node, 0));
                }
                let Some((node, next)) = open.last_mut() else { break };
                match network.successors(*node).get(*next) {
                    Some(&to) => {
                        *next += 1;
                        found = Some((to, numbers[*node as usize]));
                    }
                    None => {
                        open.pop();
                    }
                }
            }
        }
        let own: Vec<u32> = (0..nodes.len() as u32).collect();
        Search { numbers, nodes, ancestors, semidominators: own.clone(), labels: own }
    }

    fn immediate_dominators(&mut self, network: &Network, sources: &[u32]) -> Vec<u32> {
        let mut immediate = self.ancestors.clone();
        let mut is_source = vec![false; self.nodes.len()];
        for source in sources {
            is_source[self.numbers[*source as usize] as usize] = true;
        }
        let mut path = Vec::new();
        for number in (1..self.nodes.len() as u32).rev() {
            let mut least = if is_source[number as usize] { ROOT } else { self.ancestors[number as usize] };
            for &before in network.predecessors(self.nodes[number as usize]) {
                let before = self.numbers[before as usize];
                if before != UNREACHED && least != ROOT {
                    let label = self.least_on_path(before, number + 1, &mut path);
                    least = least.min(self.semidominators[label as usize]);
                }
            }
            self.semidominators[number as usize] = least;
        }
        for number in 1..self.nodes.len() {
            let mut above = immediate[number];
            while above > self.semidominators[number] {
                above = immediate[above as usize];
            }
            immediate[number] = above;
        }
        immediate
    }

    /// Of the numbers from `number` up to, not including, the first ancestor below `linked`, the one whose semidominator
    /// is smallest. Only numbers from `linked` on have one yet. Compresses the path.
    fn least_on_path(&mut self, number: u32, linked: u32, path: &mut Vec<u32>) -> u32 {
        let mut at = number;
        while self.ancestors[at as usize] >= linked {
            path.push(at);
            at = self.ancestors[at as usize];
        }
        let mut least = self.labels[at as usize];
        let top = self.ancestors[at as usize];
        while let Some(below) = path.pop() {
            self.ancestors[below as usize] = top;
            let own = self.labels[below as usize];
            if self.semidominators[own as usize] <= self.semidominators[least as usize] {
                least = own;
            }
            self.labels[below as usize] = least;
        }
        least
    }
}
