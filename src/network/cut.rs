//! Minimum vertex cuts: the cheapest nodes that every path from the sources to the sinks passes.
//!
//! A node is split into an entry and an exit, joined by an arc of its capacity; edges join exits to entries and have none
//! (Ford and Fulkerson, "Flows in Networks", 1962). The flow is Dinic's: levels by breadth from the sources, then paths
//! within the levels until there is none ("Algorithm for solution of a problem of maximum flow in networks with power
//! estimation", 1970). Paths are sought from the sinks, so that a search comes by dead ends only once others have used
//! them up. The split network is never built: an arc is known by its node or edge.

use fixedbitset::FixedBitSet;

use super::{Direction, Network};

mod fallback;

/// The capacity of a node that cannot be cut.
pub const INFINITE: u64 = u64::MAX;

/// When to stop before the answer is known to be the best.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Stop once so many arcs have been looked at.
    pub work: u64,
    /// Stop once the minimum is known to be above this.
    pub capacity: u64,
}

impl Limits {
    /// Stop only where the answer is known.
    pub const NONE: Limits = Limits { work: u64::MAX, capacity: u64::MAX };
}

/// Nodes that every path from a source to a sink passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The nodes, ascending.
    pub nodes: Vec<u32>,
    /// The sum of their capacities; [`u64::MAX`] if it is that or more.
    pub capacity: u64,
    /// Whether no cut has less. Otherwise a limit was hit and this is the best that was found: what gets through is at most
    /// its capacity, and may be less.
    pub exact: bool,
}

/// A cheapest set of nodes that every path from a source to a sink passes; none if some path passes only nodes of
/// [`INFINITE`] capacity. Sources and sinks may be in it, unless their capacity is infinite.
///
/// Of several cheapest sets it is the one nearest to the sources: whatever leads to a sink and is still reached when it is
/// cut is also reached when any other is cut. Nodes of capacity 0 that lead to a sink and are still reached are in it.
///
/// # Panics
/// If a node is out of range, or if there are not as many capacities as nodes.
pub fn minimum_vertex_cut(
    network: &Network,
    sources: &[u32],
    sinks: &[u32],
    capacities: &[u64],
    limits: Limits,
) -> Option<Cut> {
    assert_eq!(capacities.len(), network.node_count() as usize, "a capacity for each node");
    let slice = network.slice(sources, sinks);
    let capacities: Vec<u64> = slice.nodes.iter().map(|node| capacities[*node as usize]).collect();
    let (sources, sinks) = (slice.own(sources), slice.own(sinks));
    let search = separate(&slice.network, &sources, &sinks, &capacities, limits);
    let (nodes, exact) = match search.outcome {
        Outcome::Infinite => return None,
        Outcome::Separated(nodes) => (nodes, true),
        Outcome::AboveCapacity | Outcome::OutOfWork => {
            (fallback::best_cut(&slice.network, &sources, &sinks, &capacities), false)
        }
    };
    let total: u128 = nodes.iter().map(|node| u128::from(capacities[*node as usize])).sum();
    let nodes = nodes.into_iter().map(|node| slice.nodes[node as usize]).collect();
    Some(Cut { nodes, capacity: u64::try_from(total).unwrap_or(u64::MAX), exact })
}

/// What the search for a cut came to, and how many arcs it looked at.
pub(super) struct Search {
    pub(super) outcome: Outcome,
    pub(super) work: u64,
}

pub(super) enum Outcome {
    /// There is a path of infinite capacity.
    Infinite,
    /// The minimum cut nearest to the sources, ascending.
    Separated(Vec<u32>),
    /// The minimum is above the limit.
    AboveCapacity,
    /// The other limit.
    OutOfWork,
}

/// The search itself. Takes the network as it is: the caller contracts it to a slice.
pub(super) fn separate(
    network: &Network,
    sources: &[u32],
    sinks: &[u32],
    capacities: &[u64],
    limits: Limits,
) -> Search {
    let infinite = |node: u32| capacities[node as usize] == INFINITE;
    let wide: Vec<u32> = sources.iter().copied().filter(|source| infinite(*source)).collect();
    let through = network.reach(Direction::Forward, &wide, |_, node| infinite(node));
    if sinks.iter().any(|sink| through.contains(*sink as usize)) {
        return Search { outcome: Outcome::Infinite, work: u64::from(network.edge_count()) };
    }
    let mut residual = Residual::new(network, sources, sinks, capacities, limits);
    let outcome = loop {
        let nearest = match residual.find_levels() {
            Ok(Some(nearest)) => nearest,
            Ok(None) => break Outcome::Separated(residual.boundary()),
            Err(OutOfWork) => break Outcome::OutOfWork,
        };
        match residual.fill_level(nearest) {
            Ok(()) => {}
            Err(OutOfWork) => break Outcome::OutOfWork,
        }
        if residual.total > residual.limits.capacity {
            break Outcome::AboveCapacity;
        }
    };
    Search { outcome, work: residual.work }
}

/// The limit of work was hit.
struct OutOfWork;

const UNREACHED: u32 = u32::MAX;

/// An arc of the split network along which more can flow, in its direction.
#[derive(Clone, Copy)]
enum Arc {
    /// Through a node, from its entry to its exit.
    Through(u32),
    /// Back from its exit to its entry, against what flows.
    BackThrough(u32),
    /// Along an edge, from an exit to an entry.
    Along(usize),
    /// Back along an edge.
    BackAlong(usize),
}

/// A flow and the arcs along which there can be more. Entry and exit of node n are 2n and 2n + 1. Edges are known by
/// their place in the lists of successors.
struct Residual<'a> {
    network: &'a Network,
    capacities: &'a [u64],
    sources: &'a [u32],
    sinks: &'a [u32],
    is_sink: FixedBitSet,
    /// What flows through each node, and along each edge. Neither exceeds `total`: a path passes each arc once.
    node_flow: Vec<u64>,
    edge_flow: Vec<u64>,
    total: u64,
    limits: Limits,
    work: u64,
    levels: Vec<u32>,
    /// For each entry and exit, how many of the arcs into it are known to be of no use at this level.
    spent: Vec<u32>,
    open: Vec<u32>,
    path: Vec<(u32, Arc)>,
}

fn entry(node: u32) -> u32 {
    2 * node
}

fn exit(node: u32) -> u32 {
    2 * node + 1
}

impl<'a> Residual<'a> {
    fn new(network: &'a Network, sources: &'a [u32], sinks: &'a [u32], capacities: &'a [u64], limits: Limits) -> Self {
        let nodes = network.node_count() as usize;
        assert!(nodes <= (u32::MAX / 2) as usize, "entries and exits are counted in 32 bits");
        let mut is_sink = FixedBitSet::with_capacity(nodes);
        sinks.iter().for_each(|sink| is_sink.insert(*sink as usize));
        // A flow of u64::MAX would be as good as infinite, so there is never more than that.
        let limits = Limits { capacity: limits.capacity.min(u64::MAX - 1), ..limits };
        Residual {
            network,
            capacities,
            sources,
            sinks,
            is_sink,
            node_flow: vec![0; nodes],
            edge_flow: vec![0; network.edge_count() as usize],
            total: 0,
            limits,
            work: 0,
            levels: vec![UNREACHED; 2 * nodes],
            spent: vec![0; 2 * nodes],
            open: Vec::new(),
            path: Vec::new(),
        }
    }

    /// How many arcs from a source each entry and exit is, as far as the nearest sink's exit, whose level is returned.
    fn find_levels(&mut self) -> Result<Option<u32>, OutOfWork> {
        self.levels.fill(UNREACHED);
        self.open.clear();
        for &source in self.sources {
            self.levels[entry(source) as usize] = 0;
            self.open.push(entry(source));
        }
        let Residual { network, levels, open, .. } = self;
        let mut nearest = None;
        let mut at = 0;
        while let Some(&place) = open.get(at) {
            at += 1;
            let (node, level) = (place / 2, levels[place as usize] + 1);
            if nearest.is_some_and(|nearest| level > nearest) {
                break;
            }
            let mut come_to = |place: u32| {
                if levels[place as usize] == UNREACHED {
                    levels[place as usize] = level;
                    open.push(place);
                }
            };
            let flow = self.node_flow[node as usize];
            if place == entry(node) {
                if self.capacities[node as usize] > flow {
                    come_to(exit(node));
                    if self.is_sink.contains(node as usize) {
                        nearest = nearest.or(Some(level));
                    }
                }
                if flow > 0 {
                    for (place, &before) in network.predecessors.range(node).zip(network.predecessors.of(node)) {
                        if self.edge_flow[network.mirrored[place] as usize] > 0 {
                            come_to(exit(before));
                            if self.is_sink.contains(before as usize) {
                                nearest = nearest.or(Some(level));
                            }
                        }
                    }
                    self.work += network.predecessors.range(node).len() as u64;
                }
            } else {
                if flow > 0 {
                    come_to(entry(node));
                }
                network.successors.of(node).iter().for_each(|next| come_to(entry(*next)));
                self.work += network.successors.range(node).len() as u64;
            }
            self.work += 1;
            if self.work > self.limits.work {
                return Err(OutOfWork);
            }
        }
        Ok(nearest)
    }

    /// Lets flow whatever can along paths that rise one level with each arc, to the sinks of this level.
    fn fill_level(&mut self, nearest: u32) -> Result<(), OutOfWork> {
        self.spent.fill(0);
        for at in 0..self.sinks.len() {
            let end = exit(self.sinks[at]);
            if self.levels[end as usize] != nearest {
                continue;
            }
            while self.total <= self.limits.capacity && self.find_path(end)? {
                // At most what takes the total to one above the limit, which is all that needs to be known.
                let room = self.limits.capacity + 1 - self.total;
                let amount = self.path.iter().map(|(_, arc)| self.room(*arc)).fold(room, u64::min);
                for at in 0..self.path.len() {
                    self.let_flow(self.path[at].1, amount);
                }
                self.total += amount;
            }
        }
        Ok(())
    }

    /// Finds a path from a source to this exit, from its end to its beginning. Each arc is listed with where it leads.
    fn find_path(&mut self, end: u32) -> Result<bool, OutOfWork> {
        self.path.clear();
        let mut place = end;
        while self.levels[place as usize] != 0 {
            self.work += 1;
            if self.work > self.limits.work {
                return Err(OutOfWork);
            }
            if let Some((before, arc)) = self.arc_into(place) {
                self.path.push((place, arc));
                place = before;
            } else if let Some((after, _)) = self.path.pop() {
                self.spent[after as usize] += 1;
                place = after;
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next arc into here, from one level below, along which more can flow, and where it comes from.
    fn arc_into(&mut self, place: u32) -> Option<(u32, Arc)> {
        let node = place / 2;
        let below = self.levels[place as usize] - 1;
        let is_below = |place: u32| self.levels[place as usize] == below;
        let spent = &mut self.spent[place as usize];
        let flow = self.node_flow[node as usize];
        if place == exit(node) {
            if *spent == 0 {
                if is_below(entry(node)) && self.capacities[node as usize] > flow {
                    return Some((entry(node), Arc::Through(node)));
                }
                *spent = 1;
            }
            let edges = self.network.successors.range(node);
            // What flows along an edge flows through both of its ends.
            while flow > 0 && (*spent as usize) <= edges.len() {
                let edge = edges.start + *spent as usize - 1;
                let after = self.network.successors.neighbours[edge];
                if is_below(entry(after)) && self.edge_flow[edge] > 0 {
                    return Some((entry(after), Arc::BackAlong(edge)));
                }
                *spent += 1;
                self.work += 1;
            }
        } else {
            if *spent == 0 {
                if is_below(exit(node)) && flow > 0 {
                    return Some((exit(node), Arc::BackThrough(node)));
                }
                *spent = 1;
            }
            let edges = self.network.predecessors.range(node);
            while (*spent as usize) <= edges.len() {
                let edge = edges.start + *spent as usize - 1;
                let before = self.network.predecessors.neighbours[edge];
                if is_below(exit(before)) {
                    return Some((exit(before), Arc::Along(self.network.mirrored[edge] as usize)));
                }
                *spent += 1;
                self.work += 1;
            }
        }
        None
    }

    /// How much more can flow along an arc.
    fn room(&self, arc: Arc) -> u64 {
        match arc {
            Arc::Through(node) if self.capacities[node as usize] == INFINITE => INFINITE,
            Arc::Through(node) => self.capacities[node as usize] - self.node_flow[node as usize],
            Arc::BackThrough(node) => self.node_flow[node as usize],
            Arc::Along(_) => INFINITE,
            Arc::BackAlong(edge) => self.edge_flow[edge],
        }
    }

    fn let_flow(&mut self, arc: Arc, amount: u64) {
        match arc {
            Arc::Through(node) => self.node_flow[node as usize] += amount,
            Arc::BackThrough(node) => self.node_flow[node as usize] -= amount,
            Arc::Along(edge) => self.edge_flow[edge] += amount,
            Arc::BackAlong(edge) => self.edge_flow[edge] -= amount,
        }
    }

    /// The nodes whose entry can be reached and whose exit cannot: where all that can flow does.
    fn boundary(&self) -> Vec<u32> {
        let reached = |place: u32| self.levels[place as usize] != UNREACHED;
        (0..self.network.node_count()).filter(|node| reached(entry(*node)) && !reached(exit(*node))).collect()
    }
}
