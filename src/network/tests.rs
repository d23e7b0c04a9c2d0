//! Each answer against the slow and obvious way to it, and on graphs that have the shape of a training step.

use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[allow(dead_code, reason = "the benches use more of it")]
#[path = "../../benches/layered.rs"]
mod layered;

use layered::{Layered, Step};

/// What some nodes reach, themselves included, without passing through a node or an edge that is not allowed.
fn reached(
    edges: &[(u32, u32)],
    from: &[u32],
    passes: impl Fn(u32) -> bool,
    crosses: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let mut found = from.to_vec();
    let mut at = 0;
    while at < found.len() {
        for (edge, &(tail, head)) in edges.iter().enumerate() {
            if tail == found[at] && passes(tail) && crosses(edge) && !found.contains(&head) {
                found.push(head);
            }
        }
        at += 1;
    }
    found
}

fn meets(a: &[u32], b: &[u32]) -> bool {
    a.iter().any(|node| b.contains(node))
}

fn members(mask: u32, count: u32) -> Vec<u32> {
    (0..count).filter(|at| mask >> at & 1 == 1).collect()
}

const NODES: u32 = 8;

fn edges(most: usize) -> impl Strategy<Value = Vec<(u32, u32)>> {
    vec((0..NODES, 0..NODES), 0..most)
}

fn some_nodes() -> impl Strategy<Value = Vec<u32>> {
    vec(0..NODES, 1..3)
}

fn capacities() -> impl Strategy<Value = Vec<u64>> {
    vec(prop_oneof![2 => Just(INFINITE), 5 => 0..6u64, 1 => Just(INFINITE - 2)], NODES as usize)
}

/// All cuts with what they cost, by trying every set of nodes. A node that is cut is still come to.
fn all_cuts(edges: &[(u32, u32)], sources: &[u32], sinks: &[u32], capacities: &[u64]) -> Vec<(u128, Vec<u32>)> {
    let finite = |cut: &[u32]| cut.iter().all(|node| capacities[*node as usize] != INFINITE);
    let is_cut = |cut: &[u32]| {
        let from: Vec<u32> = sources.iter().copied().filter(|source| !cut.contains(source)).collect();
        let behind = reached(edges, &from, |node| !cut.contains(&node), |_| true);
        !behind.iter().any(|node| sinks.contains(node) && !cut.contains(node))
    };
    let sum = |cut: &[u32]| cut.iter().map(|node| u128::from(capacities[*node as usize])).sum();
    let sets = (0..1 << NODES).map(|mask| members(mask, NODES));
    sets.filter(|cut| finite(cut) && is_cut(cut)).map(|cut| (sum(&cut), cut)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reachability_is_what_paths_say(edges in edges(24), sources in some_nodes(), sinks in some_nodes()) {
        let network = Network::new(NODES, &edges);
        let turned: Vec<(u32, u32)> = edges.iter().map(|(from, to)| (*to, *from)).collect();
        let forward = reached(&edges, &sources, |_| true, |_| true);
        let backward = reached(&turned, &sinks, |_| true, |_| true);
        let listed = |set: &FixedBitSet| set.ones().map(|node| node as u32).collect::<Vec<_>>();
        let sorted = |mut list: Vec<u32>| { list.sort_unstable(); list.dedup(); list };
        prop_assert_eq!(listed(&network.reached_from(&sources)), sorted(forward.clone()));
        prop_assert_eq!(listed(&network.reaching(&sinks)), sorted(backward.clone()));
        // The slice: the nodes on both sides and all edges between them, under their own numbers.
        let slice = network.slice(&sources, &sinks);
        let between = sorted(forward.into_iter().filter(|node| backward.contains(node)).collect());
        prop_assert_eq!(&slice.nodes, &between);
        let mut seen: Vec<(u32, (u32, u32))> = Vec::new();
        for from in 0..slice.network.node_count() {
            for place in slice.network.successors.range(from) {
                let to = slice.network.successors.neighbours[place];
                prop_assert!(slice.network.predecessors(to).contains(&from));
                seen.push((slice.edges[place], (slice.nodes[from as usize], slice.nodes[to as usize])));
            }
        }
        seen.sort_unstable();
        let expected: Vec<(u32, (u32, u32))> = (0u32..).zip(edges.iter().copied())
            .filter(|(_, (from, to))| between.contains(from) && between.contains(to)).collect();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn no_set_of_nodes_separates_for_less(
        edges in edges(24), sources in some_nodes(), sinks in some_nodes(), capacities in capacities(),
    ) {
        let network = Network::new(NODES, &edges);
        let found = minimum_vertex_cut(&network, &sources, &sinks, &capacities, Limits::NONE);
        let cuts = all_cuts(&edges, &sources, &sinks, &capacities);
        let Some(least) = cuts.iter().map(|(cost, _)| *cost).min() else {
            prop_assert_eq!(found, None);
            return Ok(());
        };
        let found = found.expect("there is a finite cut");
        let cost = cuts.iter().find(|(_, cut)| *cut == found.nodes).map(|(cost, _)| *cost);
        prop_assert!(cost.is_some(), "{:?} is no cut", found);
        prop_assert_eq!(u128::from(found.capacity), cost.unwrap_or(0).min(u128::from(u64::MAX)));
        // A minimum that 64 bits cannot hold is not looked for to the end.
        prop_assert_eq!(found.exact, least < u128::from(u64::MAX));
        if found.exact {
            prop_assert_eq!(cost, Some(least));
            let leading = network.reaching(&sinks);
            let behind = |cut: &[u32]| {
                let mut nodes = reached(&edges, &sources, |node| !cut.contains(&node), |_| true);
                nodes.retain(|node| leading.contains(*node as usize));
                nodes
            };
            let nearest = behind(&found.nodes);
            for (_, other) in cuts.iter().filter(|(cost, _)| *cost == least) {
                let other = behind(other);
                prop_assert!(nearest.iter().all(|node| other.contains(node)), "another is nearer to the sources");
            }
        }
    }

    #[test]
    fn a_limit_gives_a_cut_and_never_the_flow_so_far(
        edges in edges(24), sources in some_nodes(), sinks in some_nodes(), capacities in capacities(),
        work in 0..40u64, capacity in 0..8u64,
    ) {
        let network = Network::new(NODES, &edges);
        let cuts = all_cuts(&edges, &sources, &sinks, &capacities);
        let least = cuts.iter().map(|(cost, _)| *cost).min();
        for limits in [Limits { work, ..Limits::NONE }, Limits { capacity, ..Limits::NONE }] {
            let found = minimum_vertex_cut(&network, &sources, &sinks, &capacities, limits);
            prop_assert_eq!(found.is_some(), least.is_some());
            let (Some(found), Some(least)) = (found, least) else { continue };
            let cost = cuts.iter().find(|(_, cut)| *cut == found.nodes).map(|(cost, _)| *cost);
            prop_assert!(cost.is_some(), "{:?} is no cut", found);
            prop_assert!(!found.exact || cost == Some(least));
            if limits.work == u64::MAX {
                prop_assert_eq!(found.exact, least <= u128::from(capacity), "the limit of capacity is kept");
            }
            if !found.exact {
                // As good as the simplest cuts of all.
                let price = |nodes: &[u32]| {
                    let list = nodes.iter().map(|node| capacities[*node as usize]);
                    list.clone().all(|bits| bits != INFINITE).then(|| list.map(u128::from).sum::<u128>())
                };
                for simple in [&sources, &sinks] {
                    let mut simple = simple.clone();
                    simple.sort_unstable();
                    simple.dedup();
                    prop_assert!(price(&simple).is_none_or(|price| cost <= Some(price)));
                }
                let single = cuts.iter().filter(|(_, cut)| cut.len() == 1).map(|(cost, _)| *cost).min();
                prop_assert!(single.is_none_or(|single| cost <= Some(single)), "a single node is cheaper");
            }
        }
    }

    #[test]
    fn a_dominator_is_a_node_without_which_there_is_no_path(edges in edges(20), sources in some_nodes()) {
        let network = Network::new(NODES, &edges);
        let dominators = Dominators::new(&network, &sources);
        let without = |gone: Option<u32>| {
            let from: Vec<u32> = sources.iter().copied().filter(|source| Some(*source) != gone).collect();
            reached(&edges, &from, |node| Some(node) != gone, |_| true)
        };
        let all = without(None);
        for node in 0..NODES {
            prop_assert_eq!(dominators.is_reached(node), all.contains(&node));
            let chain = dominators.chain(node);
            let mut sorted = chain.clone();
            sorted.sort_unstable();
            let expected: Vec<u32> = (0..NODES)
                .filter(|gone| all.contains(&node) && (*gone == node || !without(Some(*gone)).contains(&node)))
                .collect();
            prop_assert_eq!(sorted, expected, "node {}", node);
            // In order: each is on every path to the next.
            for pair in chain.windows(2) {
                prop_assert_eq!(dominators.immediate(pair[1]), Some(pair[0]));
                prop_assert!(!without(Some(pair[0])).contains(&pair[1]));
            }
            prop_assert_eq!(chain.first().and_then(|first| dominators.immediate(*first)), None);
        }
        let pair = [0, NODES - 1];
        let common: Vec<u32> = match pair.map(|node| dominators.chain(node)) {
            [one, other] if one.is_empty() => other,
            [one, other] if other.is_empty() => one,
            [one, other] => one.into_iter().filter(|node| other.contains(node)).collect(),
        };
        prop_assert_eq!(dominators.common_chain(&pair), common);
    }

    #[test]
    fn dominators_are_those_of_another_library(edges in vec((0..60u32, 0..60u32), 0..180), root in 0..60u32) {
        let dominators = Dominators::new(&Network::new(60, &edges), &[root]);
        let mut graph = DiGraph::<(), ()>::from_edges(&edges);
        while graph.node_count() < 60 {
            graph.add_node(());
        }
        let other = simple_fast(&graph, NodeIndex::new(root as usize));
        for node in 0..60 {
            let expected = other.immediate_dominator(NodeIndex::new(node as usize)).map(|above| above.index() as u32);
            prop_assert_eq!(dominators.immediate(node), expected, "node {}", node);
        }
    }
}

const GROUPS: u32 = 7;

/// The least weight of a repair, by trying every set of groups.
fn least_repair(edges: &[(u32, u32)], query: &RepairQuery<'_>) -> Option<u64> {
    let before = reached(edges, query.sources, |_| true, |_| true);
    let works = |cut: &[u32]| {
        let after = reached(edges, query.sources, |_| true, |edge| !cut.contains(&query.groups[edge]));
        !meets(&after, query.forbidden) && query.kept.iter().all(|kept| !before.contains(kept) || after.contains(kept))
    };
    let may_cut = |cut: &[u32]| cut.iter().all(|group| query.weights[*group as usize] != UNCUTTABLE);
    let weight = |cut: Vec<u32>| cut.iter().map(|group| u64::from(query.weights[*group as usize])).sum();
    let sets = (0..1 << query.weights.len()).map(|mask| members(mask, query.weights.len() as u32));
    sets.filter(|cut| may_cut(cut) && works(cut)).map(weight).min()
}

/// Edges with their groups: of few edges, of one, or stars.
fn grouped_edges() -> impl Strategy<Value = (Vec<(u32, u32)>, Vec<u32>)> {
    vec((0..NODES, 0..NODES, 0..GROUPS), 0..16)
        .prop_map(|list| list.into_iter().map(|(from, to, group)| ((from, to), group)).unzip())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_set_of_groups_repairs_for_less(
        (edges, groups) in grouped_edges(), sources in some_nodes(), forbidden in some_nodes(),
        kept in vec(0..NODES, 0..3),
        weights in vec(prop_oneof![1 => Just(UNCUTTABLE), 8 => 0..5u32], GROUPS as usize),
        work in 0..2000u64,
    ) {
        let query = RepairQuery {
            sources: &sources, forbidden: &forbidden, kept: &kept, groups: &groups, weights: &weights,
        };
        let network = Network::new(NODES, &edges);
        let least = least_repair(&edges, &query);
        for work in [u64::MAX, work] {
            match smallest_repair(&network, &query, work) {
                Repair::Cut { groups: cut, weight, lower_bound, exact } => {
                    let own = cut.iter().map(|group| u64::from(weights[*group as usize])).sum::<u64>();
                    prop_assert_eq!(weight, own);
                    // Checked as it is checked above: all but these groups cannot be cut, and these cost nothing.
                    let only: Vec<u32> = (0..GROUPS).map(|group| if cut.contains(&group) { 0 } else { UNCUTTABLE }).collect();
                    prop_assert_eq!(least_repair(&edges, &RepairQuery { weights: &only, ..query }), Some(0));
                    let least = least.expect("a repair was found");
                    prop_assert!(lower_bound <= least && least <= weight);
                    prop_assert!(!exact || weight == least);
                    prop_assert!(exact || work != u64::MAX);
                }
                Repair::Impossible => prop_assert_eq!(least, None),
                Repair::NotFound { lower_bound } => {
                    prop_assert!(work != u64::MAX);
                    prop_assert!(least.is_none_or(|least| lower_bound <= least));
                }
            }
        }
    }
}

/// 0 → 1 → {2, 3}: cut 1 → 3, though 0 → 1 is cheaper, to keep 2.
#[test]
fn a_repair_leaves_what_is_kept() {
    let network = Network::new(4, &[(0, 1), (1, 2), (1, 3)]);
    let query = RepairQuery { sources: &[0], forbidden: &[3], kept: &[2], groups: &[0, 1, 2], weights: &[1, 1, 5] };
    let expected =
        |groups: &[u32], weight| Repair::Cut { groups: groups.into(), weight, lower_bound: weight, exact: true };
    assert_eq!(smallest_repair(&network, &query, 1000), expected(&[2], 5));
    assert_eq!(smallest_repair(&network, &RepairQuery { kept: &[], ..query }, 1000), expected(&[0], 1));
    // One parameter set is both boxes.
    assert_eq!(smallest_repair(&network, &RepairQuery { kept: &[3], ..query }, 1000), Repair::Impossible);
    assert_eq!(smallest_repair(&network, &RepairQuery { groups: &[0, 1, 1], ..query }, 1000), Repair::Impossible);
    assert_eq!(smallest_repair(&network, &RepairQuery { sources: &[3], ..query }, 1000), Repair::Impossible);
    assert_eq!(smallest_repair(&network, &query, 0), Repair::NotFound { lower_bound: 0 });
    assert_eq!(smallest_repair(&network, &RepairQuery { sources: &[2], ..query }, 1000), expected(&[], 0));
}

/// What probe reward reaches the parameters goes through one number, wherever it goes from there.
#[test]
fn on_a_training_step_the_score_is_the_bottleneck() {
    let step = Step::new(Layered { layers: 24, width: 16, residuals: 50, long_skips: 5, seed: 3 });
    let network = Network::new(step.nodes, &step.edges);
    let sinks: Vec<u32> = step.updated.concat();
    let sources = &step.activations[12];
    let mut bits = step.bits.clone();
    let cut_of =
        |bits: &[u64], limits| minimum_vertex_cut(&network, &[step.score], &sinks, bits, limits).expect("a finite cut");
    assert_eq!(cut_of(&bits, Limits::NONE), Cut { nodes: vec![step.score], capacity: 32, exact: true });
    bits[step.score as usize] = INFINITE;
    assert_eq!(cut_of(&bits, Limits::NONE), Cut { nodes: vec![step.reward], capacity: 32, exact: true });
    // A limit of work: the bottleneck is found without any flow.
    assert_eq!(
        cut_of(&bits, Limits { work: 10, ..Limits::NONE }),
        Cut { nodes: vec![step.reward], capacity: 32, exact: false }
    );
    // Activations reach the parameters otherwise as well.
    let wide = minimum_vertex_cut(&network, sources, &sinks, &step.bits, Limits::NONE).expect("a finite cut");
    assert!(wide.exact && wide.nodes.len() > 4, "{wide:?}");
    let dominators = Dominators::new(&network, &[step.score]);
    assert_eq!(dominators.common_chain(&sinks)[..2], [step.score, step.reward]);
}

/// A cycle as long as a deep network, and one path: nothing recurs, and limits count edges.
#[test]
fn depth_is_no_danger() {
    let nodes = 300_000;
    let edges: Vec<(u32, u32)> = (0..nodes).map(|node| (node, (node + 1) % nodes)).collect();
    let network = Network::new(nodes, &edges);
    let chain = Dominators::new(&network, &[1]).chain(0);
    assert!(chain.iter().copied().eq((1..nodes).chain([0])));
    let mut capacities = vec![7; nodes as usize];
    capacities[2] = 6;
    capacities[9] = 6;
    let cut = minimum_vertex_cut(&network, &[1], &[0], &capacities, Limits::NONE);
    assert_eq!(cut, Some(Cut { nodes: vec![2], capacity: 6, exact: true }));
    let groups: Vec<u32> = (0..nodes).collect();
    let weights: Vec<u32> = groups.iter().map(|group| 3 + group % 2).collect();
    let query = RepairQuery { sources: &[1], forbidden: &[0], kept: &[nodes / 2], groups: &groups, weights: &weights };
    let Repair::Cut { groups, weight: 3, lower_bound: 3, exact: true } = smallest_repair(&network, &query, u64::MAX)
    else {
        panic!("a repair of weight 3");
    };
    assert_eq!(groups, [nodes / 2]);
}
