//! Cuts that need no flow: for where a limit was hit. All of them are cuts, none need be the smallest.

use fixedbitset::FixedBitSet;

use super::super::{Direction, Dominators, Network};
use super::INFINITE;

/// What cutting some nodes takes: first the number of those that cannot be cut, then the sum of the others.
type Price = (i64, i128);

/// The cheapest of: the first nodes with a capacity on paths from the sources (the sources, if all have one), the same
/// from the sinks, each single node that every path passes, and the bottlenecks of two orders of the nodes, that of
/// their ids and that of their distance from the sources. There is a finite cut, or this is not called.
pub(super) fn best_cut(network: &Network, sources: &[u32], sinks: &[u32], capacities: &[u64]) -> Vec<u32> {
    let mut cuts = vec![
        frontier(network, Direction::Forward, sources, capacities),
        frontier(network, Direction::Backward, sinks, capacities),
    ];
    let shared = Dominators::new(network, sources).common_chain(sinks);
    cuts.extend(shared.into_iter().min_by_key(|node| capacities[*node as usize]).map(|node| vec![node]));
    let by_id: Vec<u32> = (0..network.node_count()).collect();
    cuts.push(bottleneck(network, sources, sinks, capacities, &by_id));
    cuts.push(bottleneck(network, sources, sinks, capacities, &by_distance(network, sources)));
    cuts.into_iter().min_by_key(|cut| price(cut, capacities)).unwrap_or_default()
}

fn price(cut: &[u32], capacities: &[u64]) -> Price {
    cut.iter().fold((0, 0), |(infinite, sum), node| match capacities[*node as usize] {
        INFINITE => (infinite + 1, sum),
        capacity => (infinite, sum + i128::from(capacity)),
    })
}

/// The nodes with a finite capacity that are come to through none other.
fn frontier(network: &Network, direction: Direction, from: &[u32], capacities: &[u64]) -> Vec<u32> {
    let (finite, wide): (Vec<u32>, Vec<u32>) = from.iter().partition(|node| capacities[**node as usize] != INFINITE);
    let mut first = FixedBitSet::with_capacity(network.node_count() as usize);
    finite.iter().for_each(|node| first.insert(*node as usize));
    network.reach(direction, &wide, |_, node| {
        let passes = capacities[node as usize] == INFINITE;
        first.set(node as usize, !passes);
        passes
    });
    first.ones().map(|node| node as u32).collect()
}

/// Nodes in the order of their distance from the sources. All are reached, in a slice.
fn by_distance(network: &Network, sources: &[u32]) -> Vec<u32> {
    let mut seen = FixedBitSet::with_capacity(network.node_count() as usize);
    let mut order: Vec<u32> = sources.iter().copied().filter(|source| !seen.put(*source as usize)).collect();
    let mut at = 0;
    while let Some(&node) = order.get(at) {
        at += 1;
        order.extend(network.successors(node).iter().filter(|next| !seen.put(**next as usize)));
    }
    order
}

/// The cheapest of the cuts between the first nodes of an order and all others. Such a cut is: of the first, those that
/// have an edge to another or are sinks; of the others, the sources.
fn bottleneck(network: &Network, sources: &[u32], sinks: &[u32], capacities: &[u64], order: &[u32]) -> Vec<u32> {
    let count = order.len();
    let mut places = vec![0; network.node_count() as usize];
    for (place, node) in order.iter().enumerate() {
        places[*node as usize] = place;
    }
    // The largest number of first nodes with which a node that is one of them is still in the cut.
    let mut last: Vec<usize> = (0..network.node_count())
        .map(|node| network.successors(node).iter().map(|next| places[*next as usize]).max().unwrap_or(0))
        .collect();
    sinks.iter().for_each(|sink| last[*sink as usize] = count);
    let mut is_source = FixedBitSet::with_capacity(network.node_count() as usize);
    sources.iter().for_each(|source| is_source.insert(*source as usize));
    // By the number of first nodes: how the price of the cut differs from that with one less.
    let mut changes: Vec<(i64, i128)> = vec![(0, 0); count + 2];
    for (place, &node) in order.iter().enumerate() {
        let (infinite, finite) = price(&[node], capacities);
        let mut add = |from: usize, to: usize| {
            changes[from] = (changes[from].0 + infinite, changes[from].1 + finite);
            changes[to + 1] = (changes[to + 1].0 - infinite, changes[to + 1].1 - finite);
        };
        if is_source.contains(node as usize) {
            add(0, place);
        }
        if last[node as usize] > place {
            add(place + 1, last[node as usize]);
        }
    }
    let mut now = (0, 0);
    let prices = changes[..=count].iter().map(|change| {
        now = (now.0 + change.0, now.1 + change.1);
        now
    });
    let first = prices.enumerate().min_by_key(|(_, price)| *price).map_or(0, |(first, _)| first);
    let is_cut = |node: &u32| {
        let place = places[*node as usize];
        if place < first { last[*node as usize] >= first } else { is_source.contains(*node as usize) }
    };
    (0..network.node_count()).filter(is_cut).collect()
}
