//! Smallest repairs: the cheapest edges to cut so that the sources no longer reach what they must not, and still reach
//! what they must.
//!
//! The search is exact: branch and bound over minimum cuts. A state says of some groups that they are cut and of some that
//! they are not. Its bound is a minimum cut that forgets what must stay reached: each group becomes a node on its edges,
//! of its weight. Then
//!
//! - if the whole bounding cut is allowed, it is a repair, and unless the bound gave a group less than its weight, none
//!   in this state is cheaper;
//! - if it is not, some smallest part of it is not allowed either, and neither is more than that part: cutting more never
//!   lets the sources reach more. So every repair leaves out a first group of this part. One state for each.
//!
//! A group whose edges have several beginnings and several ends would join paths that do not meet if it were one node. It
//! becomes one for each beginning (or end), with a share of the weight: cutting a group pays for all of its shares, so
//! this is still a bound. Where shares made the bound too small, the search asks of such a group: cut, or not?
//!
//! Groups that every path to a kept node passes are left from the beginning: dominators find them all at once.

use fixedbitset::FixedBitSet;

use super::cut::{Outcome, separate};
use super::{Direction, Dominators, INFINITE, Limits, Network};

/// The weight of a group that cannot be cut.
pub const UNCUTTABLE: u32 = u32::MAX;

/// What is to be separated, what is not, and what that may cost.
#[derive(Clone, Copy, Debug)]
pub struct RepairQuery<'a> {
    /// Where paths begin.
    pub sources: &'a [u32],
    /// What no source may reach.
    pub forbidden: &'a [u32],
    /// What a source must still reach, if one does now.
    pub kept: &'a [u32],
    /// For each edge, as they were given to the network, the group with which it is cut.
    pub groups: &'a [u32],
    /// For each group, what it costs to cut all its edges; or [`UNCUTTABLE`].
    pub weights: &'a [u32],
}

/// What is known of the smallest repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Cutting these groups is a repair.
    Cut {
        /// The groups, ascending.
        groups: Vec<u32>,
        /// The sum of their weights.
        weight: u64,
        /// No repair has less weight than this.
        lower_bound: u64,
        /// Whether this is a cheapest repair: the search was not cut short, or the bound is met.
        exact: bool,
    },
    /// There is none. This is proved: every choice of groups was excluded.
    Impossible,
    /// The limit was hit before one was found.
    NotFound {
        /// No repair has less weight than this.
        lower_bound: u64,
    },
}

/// The cheapest set of groups without whose edges no source reaches a forbidden node, and every kept node that a source
/// reached is still reached. Stops once about `work` edges have been looked at.
///
/// # Panics
/// If a node or a group is out of range, or if there are not as many entries of `groups` as edges.
pub fn smallest_repair(network: &Network, query: &RepairQuery<'_>, work: u64) -> Repair {
    assert_eq!(query.groups.len(), network.edge_count() as usize, "a group for each edge");
    let ends: Vec<u32> = query.forbidden.iter().chain(query.kept).copied().collect();
    let slice = network.slice(query.sources, &ends);
    let groups: Vec<u32> = slice.edges.iter().map(|edge| query.groups[*edge as usize]).collect();
    let own = RepairQuery {
        sources: &slice.own(query.sources),
        // What no source reaches is not in the slice, and need be neither cut off nor kept.
        forbidden: &slice.own(query.forbidden),
        kept: &slice.own(query.kept),
        groups: &groups,
        weights: query.weights,
    };
    Search::new(&slice.network, own, work).run()
}

/// A part of all choices: those that cut some groups and leave others.
struct State {
    cut: Vec<u32>,
    left: Vec<u32>,
    /// No repair here has less weight.
    bound: u64,
}

/// A node that stands for a group, or for a share of it.
struct Share {
    node: u32,
    group: u32,
    weight: u64,
}

/// A part of the network of the query, with nodes for the groups on their edges.
struct Shared {
    network: Network,
    sources: Vec<u32>,
    sinks: Vec<u32>,
    /// By group, and by node.
    shares: Vec<Share>,
}

struct Search<'a> {
    network: &'a Network,
    query: RepairQuery<'a>,
    /// All paths to what is forbidden.
    bound: Shared,
    /// By group, for the state at hand.
    is_cut: FixedBitSet,
    is_left: FixedBitSet,
    best: Option<(u64, Vec<u32>)>,
    work_left: u64,
}

impl<'a> Search<'a> {
    fn new(network: &'a Network, query: RepairQuery<'a>, work: u64) -> Self {
        let none = FixedBitSet::with_capacity(query.weights.len());
        let bound = Shared::new(network, &query, query.forbidden, |_| true);
        Search { network, query, bound, is_cut: none.clone(), is_left: none, best: None, work_left: work }
    }

    fn run(mut self) -> Repair {
        let Some(left) = self.never_cut() else { return Repair::NotFound { lower_bound: 0 } };
        let mut open = vec![State { cut: Vec::new(), left, bound: 0 }];
        let mut unfinished = Vec::new();
        while let Some(state) = open.pop() {
            if self.best.as_ref().is_some_and(|(weight, _)| state.bound >= *weight) {
                continue;
            }
            if self.expand(&state, &mut open).is_none() {
                unfinished.push(state);
                break;
            }
        }
        unfinished.append(&mut open);
        let lower_bound = unfinished.iter().map(|state| state.bound).min();
        match (self.best, lower_bound) {
            (Some((weight, groups)), lower_bound) => {
                let lower_bound = lower_bound.map_or(weight, |bound| bound.min(weight));
                Repair::Cut { groups, weight, lower_bound, exact: lower_bound == weight }
            }
            (None, None) => Repair::Impossible,
            (None, Some(lower_bound)) => Repair::NotFound { lower_bound },
        }
    }

    /// Finds out about a state, and adds those that it falls into. None if there is no work left.
    fn expand(&mut self, state: &State, open: &mut Vec<State>) -> Option<()> {
        self.is_cut.clear();
        self.is_left.clear();
        state.cut.iter().for_each(|group| self.is_cut.insert(*group as usize));
        state.left.iter().for_each(|group| self.is_left.insert(*group as usize));
        let lost = self.lost()?;
        if !self.keeps(&lost)? {
            return Some(());
        }
        let spent = self.weight(&state.cut);
        let Some((chosen, flow)) = self.bounding_cut(spent)? else { return Some(()) };
        let bound = state.bound.max(spent + flow);
        chosen.iter().for_each(|group| self.is_cut.insert(*group as usize));
        if self.keeps(&lost)? {
            let all: Vec<u32> = state.cut.iter().chain(&chosen).copied().collect();
            let weight = self.weight(&all);
            self.offer(all);
            // Without a group in shares, the bound is what its cut costs.
            if weight > bound
                && let Some(shared) = chosen.into_iter().find(|group| self.bound.is_in_shares(*group))
            {
                let with = |list: &[u32]| list.iter().copied().chain([shared]).collect();
                open.push(State { cut: with(&state.cut), left: state.left.clone(), bound });
                open.push(State { cut: state.cut.clone(), left: with(&state.left), bound });
            }
            return Some(());
        }
        let mut conflict = Vec::new();
        for group in chosen {
            // Left out for good if what remains is still not allowed.
            self.is_cut.remove(group as usize);
            if self.keeps(&lost)? {
                self.is_cut.insert(group as usize);
                conflict.push(group);
            }
        }
        for (at, group) in conflict.iter().enumerate().rev() {
            let cut = state.cut.iter().chain(&conflict[..at]).copied().collect();
            let left = state.left.iter().chain([group]).copied().collect();
            open.push(State { cut, left, bound });
        }
        Some(())
    }

    /// The groups without which something that must be reached is not, past what must not: ascending.
    fn never_cut(&mut self) -> Option<Vec<u32>> {
        let lost = self.lost()?;
        self.pay()?;
        let past_lost = |node: u32| !lost.contains(node as usize);
        let paths = Shared::new(self.network, &self.query, self.query.kept, past_lost);
        let dominators = Dominators::new(&paths.network, &paths.sources);
        let first = paths.first_share();
        let mut seen = FixedBitSet::with_capacity(paths.network.node_count() as usize);
        let mut groups = Vec::new();
        for &kept in &paths.sinks {
            let mut at = dominators.immediate(kept);
            while let Some(node) = at.filter(|node| !seen.put(*node as usize)) {
                groups.extend(node.checked_sub(first).map(|share| paths.shares[share as usize].group));
                at = dominators.immediate(node);
            }
        }
        groups.sort_unstable();
        groups.dedup();
        Some(groups)
    }

    fn weight(&self, groups: &[u32]) -> u64 {
        groups.iter().map(|group| u64::from(self.query.weights[*group as usize])).sum()
    }

    /// One search through the network, if there is work left for it.
    fn pay(&mut self) -> Option<()> {
        self.work_left = self.work_left.checked_sub(1 + u64::from(self.network.edge_count()))?;
        Some(())
    }

    /// The nodes from which something forbidden is reached over edges that stay: as good as forbidden themselves.
    fn lost(&mut self) -> Option<FixedBitSet> {
        self.pay()?;
        let Search { network, query, is_left, .. } = self;
        Some(network.reach(Direction::Backward, query.forbidden, |edge, _| {
            let group = query.groups[edge as usize] as usize;
            query.weights[group] == UNCUTTABLE || is_left.contains(group)
        }))
    }

    /// Whether the sources can reach all that they must, over edges that are not cut and past what they must not reach.
    fn keeps(&mut self, lost: &FixedBitSet) -> Option<bool> {
        self.pay()?;
        let Search { network, query, is_cut, .. } = self;
        if query.sources.iter().any(|source| lost.contains(*source as usize)) {
            return Some(false);
        }
        let reached = network.reach(Direction::Forward, query.sources, |edge, node| {
            !lost.contains(node as usize) && !is_cut.contains(query.groups[edge as usize] as usize)
        });
        Some(query.kept.iter().all(|kept| reached.contains(*kept as usize)))
    }

    /// The groups to cut, besides those that are, for a cheapest cut that forgets what is kept, and what it takes. Inner
    /// none if there is no such cut, or none that leads to less than the best repair so far.
    fn bounding_cut(&mut self, spent: u64) -> Option<Option<(Vec<u32>, u64)>> {
        let Shared { network, sources, sinks, shares } = &self.bound;
        let mut capacities = vec![INFINITE; network.node_count() as usize];
        for share in shares {
            let group = share.group as usize;
            if self.is_cut.contains(group) {
                capacities[share.node as usize] = 0;
            } else if !self.is_left.contains(group) {
                capacities[share.node as usize] = share.weight;
            }
        }
        // What costs as much as the best is of no use.
        let capacity = match &self.best {
            Some((weight, _)) => weight.checked_sub(spent + 1),
            None => Some(u64::MAX),
        };
        let Some(capacity) = capacity else { return Some(None) };
        let search = separate(network, sources, sinks, &capacities, Limits { work: self.work_left, capacity });
        self.work_left = self.work_left.saturating_sub(search.work);
        let nodes = match search.outcome {
            Outcome::Separated(nodes) => nodes,
            Outcome::Infinite | Outcome::AboveCapacity => return Some(None),
            Outcome::OutOfWork => return None,
        };
        let flow = nodes.iter().map(|node| capacities[*node as usize]).sum();
        let first = self.bound.first_share();
        let groups = nodes.iter().map(|node| shares[(node - first) as usize].group);
        let mut chosen: Vec<u32> = groups.filter(|group| !self.is_cut.contains(*group as usize)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        Some(Some((chosen, flow)))
    }

    /// Takes a repair for the best if it is, without the groups that it does not need, the dearest first. Where there is no
    /// work left to find that out, it keeps them.
    fn offer(&mut self, mut groups: Vec<u32>) {
        groups.sort_unstable_by_key(|group| (std::cmp::Reverse(self.query.weights[*group as usize]), *group));
        let mut needed = Vec::new();
        for group in groups {
            self.is_cut.remove(group as usize);
            if self.separates() != Some(true) {
                self.is_cut.insert(group as usize);
                needed.push(group);
            }
        }
        needed.sort_unstable();
        let weight = self.weight(&needed);
        if self.best.as_ref().is_none_or(|(best, _)| weight < *best) {
            self.best = Some((weight, needed));
        }
    }

    fn separates(&mut self) -> Option<bool> {
        self.pay()?;
        let Search { network, query, is_cut, .. } = self;
        let reached = network
            .reach(Direction::Forward, query.sources, |edge, _| !is_cut.contains(query.groups[edge as usize] as usize));
        Some(!query.forbidden.iter().any(|forbidden| reached.contains(*forbidden as usize)))
    }
}

impl Shared {
    /// All paths from the sources to some sinks, past the nodes that are not allowed.
    fn new(network: &Network, query: &RepairQuery<'_>, sinks: &[u32], is_allowed: impl Fn(u32) -> bool) -> Self {
        let slice = network.slice(query.sources, sinks);
        let mut edges = Vec::new();
        // The edges that can be cut, by group.
        let mut cuttable: Vec<(u32, u32, u32)> = Vec::new();
        for from in 0..slice.network.node_count() {
            for place in slice.network.successors.range(from) {
                let to = slice.network.successors.neighbours[place];
                let group = query.groups[slice.edges[place] as usize];
                if !is_allowed(slice.nodes[to as usize]) {
                    continue;
                }
                if query.weights[group as usize] == UNCUTTABLE {
                    edges.push((from, to));
                } else {
                    cuttable.push((group, from, to));
                }
            }
        }
        cuttable.sort_unstable();
        let mut shares: Vec<Share> = Vec::new();
        let mut nodes = slice.network.node_count();
        for of_group in cuttable.chunk_by(|a, b| a.0 == b.0) {
            let (beginnings, ends) = (distinct(of_group, |edge| edge.1), distinct(of_group, |edge| edge.2));
            let by_beginning = beginnings.len() <= ends.len();
            let meeting = if by_beginning { beginnings } else { ends };
            for &(_, from, to) in of_group {
                let met = if by_beginning { from } else { to };
                let share = nodes + meeting.partition_point(|node| *node < met) as u32;
                edges.extend([(from, share), (share, to)]);
            }
            let group = of_group[0].0;
            let (weight, count) = (u64::from(query.weights[group as usize]), meeting.len() as u64);
            for at in 0..count {
                let weight = weight / count + u64::from(at < weight % count);
                shares.push(Share { node: nodes + at as u32, group, weight });
            }
            nodes += count as u32;
        }
        Shared {
            network: Network::new(nodes, &edges),
            sources: slice.own(query.sources),
            sinks: slice.own(sinks),
            shares,
        }
    }

    /// The first node that is a share; all behind it are.
    fn first_share(&self) -> u32 {
        self.network.node_count() - self.shares.len() as u32
    }

    /// Whether a group is more than one node, and so may be cut in part.
    fn is_in_shares(&self, group: u32) -> bool {
        let first = self.shares.partition_point(|share| share.group < group);
        self.shares.get(first + 1).is_some_and(|share| share.group == group)
    }
}

fn distinct(edges: &[(u32, u32, u32)], end: impl Fn(&(u32, u32, u32)) -> u32) -> Vec<u32> {
    let mut ends: Vec<u32> = edges.iter().map(end).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}
