//! How long questions about a flow network take, on synthetic training graphs of 10^5 and 10^6 edges with carried edges:
//! `cargo bench --bench network`. Throughput in edges. The peer is petgraph, in the same run: strongly connected components
//! and one pass for what is reached, `ford_fulkerson` on the split graph for cuts, `simple_fast` for dominators; each
//! with its graph built beforehand, and ours as well.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod layered;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layered::{Layered, Step};
use openloop::network::{
    Dominators, INFINITE, Limits, Network, Repair, RepairQuery, UNCUTTABLE, minimum_vertex_cut, smallest_repair,
};
use petgraph::algo::{dominators::simple_fast, ford_fulkerson, kosaraju_scc};
use petgraph::graph::{DiGraph, NodeIndex};

/// Sources and sinks that cannot be cut themselves, and what cutting any other node takes.
struct CutQuestion {
    name: &'static str,
    sources: Vec<u32>,
    sinks: Vec<u32>,
    capacities: Vec<u64>,
}

impl CutQuestion {
    fn new(name: &'static str, sources: &[u32], sinks: &[u32], capacities: &[u64]) -> Self {
        let mut capacities = capacities.to_vec();
        sources.iter().chain(sinks).for_each(|node| capacities[*node as usize] = INFINITE);
        CutQuestion { name, sources: sources.to_vec(), sinks: sinks.to_vec(), capacities }
    }

    /// The split graph: entry and exit of node n are 2n and 2n + 1; then a source and a sink above all.
    fn split(&self, step: &Step) -> (DiGraph<(), u64>, NodeIndex, NodeIndex) {
        const WIDE: u64 = 1 << 40;
        let mut graph = DiGraph::with_capacity(2 * step.nodes as usize + 2, step.edges.len() + step.nodes as usize);
        (0..2 * step.nodes + 2).for_each(|_| {
            graph.add_node(());
        });
        let at = |place: u32| NodeIndex::new(place as usize);
        for node in 0..step.nodes {
            graph.add_edge(at(2 * node), at(2 * node + 1), self.capacities[node as usize].min(WIDE));
        }
        for &(from, to) in &step.edges {
            graph.add_edge(at(2 * from + 1), at(2 * to), WIDE);
        }
        let (source, sink) = (at(2 * step.nodes), at(2 * step.nodes + 1));
        self.sources.iter().for_each(|node| {
            graph.add_edge(source, at(2 * node), WIDE);
        });
        self.sinks.iter().for_each(|node| {
            graph.add_edge(at(2 * node + 1), sink, WIDE);
        });
        (graph, source, sink)
    }
}

/// What is reached, by components in topological order and one pass.
fn reached_by_components(graph: &DiGraph<(), ()>, source: u32) -> usize {
    let mut reached = vec![false; graph.node_count()];
    reached[source as usize] = true;
    for component in kosaraju_scc(graph).into_iter().rev() {
        if component.iter().any(|node| reached[node.index()]) {
            for node in component {
                reached[node.index()] = true;
                graph.neighbors(node).for_each(|next| reached[next.index()] = true);
            }
        }
    }
    reached.iter().filter(|reached| **reached).count()
}

fn benches(criterion: &mut Criterion) {
    for edges in [100_000, 1_000_000] {
        let step = Step::new(Layered::with_edges(edges));
        let network = Network::new(step.nodes, &step.edges);
        let graph = DiGraph::<(), ()>::from_edges(&step.edges);
        let mut group = criterion.benchmark_group(format!("{}_edges", step.edges.len()));
        group.sample_size(10);
        group.throughput(Throughput::Elements(step.edges.len() as u64));
        group.bench_function("build", |bencher| bencher.iter(|| Network::new(step.nodes, black_box(&step.edges))));

        let start = step.score;
        let count = network.reached_from(&[start]).count_ones(..);
        assert_eq!(count, reached_by_components(&graph, start));
        group.bench_function("reach/ours", |bencher| bencher.iter(|| network.reached_from(black_box(&[start]))));
        group.bench_function("reach/petgraph_kosaraju_and_pass", |bencher| {
            bencher.iter(|| reached_by_components(black_box(&graph), start));
        });

        let root = step.activations[0][0];
        let ours = Dominators::new(&network, &[root]);
        let peer = simple_fast(&graph, NodeIndex::new(root as usize));
        for node in 0..step.nodes {
            let expected = peer.immediate_dominator(NodeIndex::new(node as usize)).map(|node| node.index() as u32);
            assert_eq!(ours.immediate(node), expected);
        }
        group.bench_function("dominators/ours", |bencher| {
            bencher.iter(|| Dominators::new(black_box(&network), &[root]));
        });
        group.bench_function("dominators/petgraph_simple_fast", |bencher| {
            bencher.iter(|| simple_fast(black_box(&graph), NodeIndex::new(root as usize)));
        });

        let (first, last) = (&step.activations[4], &step.updated[4]);
        let ones = vec![1; step.nodes as usize];
        let questions = [
            CutQuestion::new("score", &[step.score], &step.updated.concat(), &step.bits),
            CutQuestion::new("eight_to_eight", &first[..8], &last[..8], &ones),
            CutQuestion::new("layer_to_layer", first, last, &ones),
        ];
        for question in &questions {
            let CutQuestion { name, sources, sinks, capacities } = question;
            let cut = || minimum_vertex_cut(&network, sources, sinks, capacities, Limits::NONE).expect("a finite cut");
            let (split, source, sink) = question.split(&step);
            let found = cut();
            assert!(found.exact);
            assert_eq!(found.capacity, ford_fulkerson(&split, source, sink).0, "{name}");
            let size = found.nodes.len();
            group.bench_function(format!("cut/{name}_{size}/ours"), |bencher| bencher.iter(cut));
            group.bench_function(format!("cut/{name}_{size}/petgraph_ford_fulkerson"), |bencher| {
                bencher.iter(|| ford_fulkerson(black_box(&split), source, sink));
            });
        }

        // Cut the score out of the parameters of the lower half and keep it in the upper: what each node makes is a group.
        // What is carried cannot be cut.
        let groups: Vec<u32> = step.edges.iter().map(|(from, _)| *from).collect();
        let mut weights = vec![2; step.nodes as usize];
        step.updated.concat().iter().for_each(|node| weights[*node as usize] = UNCUTTABLE);
        let (lower, upper) = step.updated.split_at(step.updated.len() / 2);
        let (forbidden, kept) = (lower.concat(), upper.concat());
        let query = RepairQuery {
            sources: &[step.score],
            forbidden: &forbidden,
            kept: &kept,
            groups: &groups,
            weights: &weights,
        };
        let repair = || smallest_repair(&network, &query, 20 * u64::from(network.edge_count()));
        let found = repair();
        let what = match &found {
            Repair::Cut { exact: true, .. } => "exact",
            Repair::Cut { .. } => "found",
            Repair::Impossible => "impossible",
            Repair::NotFound { .. } => "not_found",
        };
        group.bench_function(format!("repair/half_{what}"), |bencher| bencher.iter(repair));
        group.finish();
    }
}

criterion_group!(all, benches);
criterion_main!(all);
