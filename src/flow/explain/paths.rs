//! The shortest path through a leak: feasible by construction, since parts of tensors, conditions and calls were told apart
//! when it was made.

use std::collections::VecDeque;

use super::{nodes_of, operation_at};
use crate::flow::refined::{Leak, LeakEdge, Link};
use crate::flow::telling::{Teller, output_path};
use crate::flow::{Port, SinkGroup, System};
use crate::index::Id;
use crate::transfer::Dependence;
use crate::verdict::{Channel, Hop, Route, Witness, WitnessStep};

/// The edges of a shortest clear path from a source to each node; `u32::MAX` at a source, none where there is no path.
struct Shortest {
    into: Vec<Option<u32>>,
    distance: Vec<u32>,
}

fn shortest(leak: &Leak) -> Shortest {
    let mut out: Vec<Vec<u32>> = vec![Vec::new(); leak.nodes.len()];
    for (position, edge) in leak.edges.iter().enumerate() {
        out[edge.from as usize].push(position as u32);
    }
    let mut found = Shortest { into: vec![None; leak.nodes.len()], distance: vec![u32::MAX; leak.nodes.len()] };
    let mut open = VecDeque::new();
    for source in &leak.sources {
        if found.into[*source as usize].replace(u32::MAX).is_none() {
            found.distance[*source as usize] = 0;
            open.push_back(*source);
        }
    }
    while let Some(node) = open.pop_front() {
        for &position in &out[node as usize] {
            let LeakEdge { to, link, .. } = leak.edges[position as usize];
            let is_clear = link != Link::Flow(Dependence::Opaque)
                && !matches!(link, Link::Cross(_, None))
                && !leak.nodes[to as usize].opaque;
            if is_clear && found.into[to as usize].is_none() {
                found.into[to as usize] = Some(position);
                found.distance[to as usize] = found.distance[node as usize] + 1;
                open.push_back(to);
            }
        }
    }
    found
}

/// One shortest path for each group with a sink that is clearly reached.
pub fn paths_by_group(system: &System<'_>, leak: &Leak, groups: &[SinkGroup]) -> Vec<Witness> {
    let shortest = shortest(leak);
    let nearest = |sink: &Port| {
        let reached = nodes_of(leak, *sink).iter().filter(|node| shortest.into[**node as usize].is_some());
        reached.min_by_key(|node| (shortest.distance[**node as usize], **node)).copied()
    };
    let of_group = |group: &SinkGroup| {
        let reached: Vec<(Port, u32)> = group.sinks.iter().filter_map(|sink| Some((*sink, nearest(sink)?))).collect();
        let (sink, node) = *reached.iter().min_by_key(|(_, node)| shortest.distance[*node as usize])?;
        let (path, route) = told(system, leak, &shortest, sink, node)?;
        Some(Witness {
            group: group.group.clone(),
            sink: output_path(system, sink).clone(),
            sinks_reached: reached.len(),
            sinks: group.sinks.len(),
            route,
            channel: Channel::Content,
            channel_reason: String::new(),
            bits_per_step: None,
            cut: Vec::new(),
            rule: String::new(),
            path,
        })
    };
    groups.iter().filter_map(of_group).collect()
}

fn told(
    system: &System<'_>,
    leak: &Leak,
    shortest: &Shortest,
    sink: Port,
    node: u32,
) -> Option<(Vec<WitnessStep>, Route)> {
    let nodes = leak_path_from(leak, shortest, node);
    let teller = Teller { system };
    let mut route = Route::Step;
    let value_of = |node: u32| Some(leak.nodes[node as usize].place?.value.index() as u32);
    let (first, _) = *nodes.first()?;
    let mut steps = vec![teller.at_source(leak.graph_of(first)?, value_of(first)?)];
    for &(node, edge) in &nodes[1..] {
        let (graph, value) = (leak.graph_of(node)?, value_of(node)?);
        let link = leak.edges[edge as usize].link;
        steps.push(match link {
            Link::Cross(crossing, Some(position)) => {
                route = route.max(crossing.route());
                teller.at_input(system.edges[position as usize].to, crossing.hop(), value)
            }
            Link::Cross(_, None) => return None,
            Link::Enter => {
                let instance = leak.nodes[node as usize].place?.instance;
                let call = leak.instances[instance as usize].operation?;
                teller.at_operation(graph, call, Hop::Enter, value)
            }
            Link::Leave => teller.at_operation(graph, operation_at(system, leak, node)?.1, Hop::Leave, value),
            Link::Flow(how) => {
                let hop = if how == Dependence::Implicit { Hop::Implicit } else { Hop::Data };
                teller.at_operation(graph, operation_at(system, leak, node)?.1, hop, value)
            }
        });
    }
    steps.push(teller.at_output(sink, value_of(node)?));
    Some((steps, route))
}

/// The nodes of the path, source first, each with the edge into it.
fn leak_path_from(leak: &Leak, shortest: &Shortest, node: u32) -> Vec<(u32, u32)> {
    let mut nodes = Vec::new();
    let mut at = node;
    while let Some(edge) = shortest.into[at as usize] {
        nodes.push((at, edge));
        if edge == u32::MAX {
            break;
        }
        at = leak.edges[edge as usize].from;
    }
    nodes.reverse();
    nodes
}

/// The nodes of a shortest clear path from the source to an output, source first; none if there is none.
pub fn leak_path(leak: &Leak, sink: Port) -> Option<Vec<u32>> {
    let shortest = shortest(leak);
    let reached = nodes_of(leak, sink).iter().filter(|node| shortest.into[**node as usize].is_some());
    let node = *reached.min_by_key(|node| (shortest.distance[**node as usize], **node))?;
    Some(leak_path_from(leak, &shortest, node).into_iter().map(|(node, _)| node).collect())
}
