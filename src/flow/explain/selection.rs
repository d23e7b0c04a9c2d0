//! Which indices only say which of some data are taken.
//!
//! Every element that may be picked has to descend from declared data. A table in which some elements are constants tells
//! by its values what the index was.

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashSet;

use super::operation_at;
use super::resolve::Resolver;
use crate::flow::refined::{Leak, Link, Place};
use crate::flow::slice::Slice;
use crate::flow::{Crossings, Port, System, forward_slice};
use crate::graph::{Definition, OperationKind as Kind};
use crate::transfer::Dependence;
use crate::verdict::Within;

/// A table of more parts is not looked through.
const MOST_PARTS: usize = 4096;

/// The edges by which a part only says which elements of data are taken.
pub(super) fn selecting_edges(
    system: &System<'_>,
    leak: &Leak,
    resolver: &Resolver<'_, '_>,
    data: &[Port],
) -> FixedBitSet {
    let mut selecting = FixedBitSet::with_capacity(leak.edges.len());
    if data.is_empty() {
        return selecting;
    }
    let inputs = data.iter().filter_map(|port| Some((port.graph, system.input_value(*port)?)));
    let descends = forward_slice(system, Crossings::within(Within::Step), inputs);
    for (position, edge) in leak.edges.iter().enumerate() {
        if edge.link != Link::Flow(Dependence::Implicit) {
            continue;
        }
        let (Some(to), Some(from)) = (leak.nodes[edge.to as usize].place, leak.nodes[edge.from as usize].place) else {
            continue;
        };
        let Some((graph, operation)) = operation_at(system, leak, edge.to) else { continue };
        let facts = system.graphs[graph].graph();
        let picked = match facts.operation(operation).kind {
            Kind::Gather | Kind::DynamicGather | Kind::DynamicSlice | Kind::TorchIndexSelect => 0,
            // Elements of one operand in the order of another.
            Kind::Sort => match facts.value(to.value).definition {
                Definition::Result(_, position) => position as usize,
                Definition::Argument(..) => continue,
            },
            _ => continue,
        };
        let Some(picked) = facts.operands(operation).get(picked).copied() else { continue };
        let picked = resolver.used_at(to, picked);
        if picked != from && is_data(resolver, &descends, picked) {
            selecting.insert(position);
        }
    }
    selecting
}

/// Whether all elements of a value descend from data. What a loop carries does so if it comes in so and stays so.
fn is_data(resolver: &Resolver<'_, '_>, descends: &Slice, table: Place) -> bool {
    let mut open = vec![table];
    let mut seen = FxHashSet::default();
    while let Some(place) = open.pop() {
        let place = resolver.resolve(place);
        if !seen.insert(place) {
            continue;
        }
        let is_part = |place: &Place| descends.contains(resolver.graph_position(*place), place.value);
        if !is_part(&place) || seen.len() > MOST_PARTS {
            return false;
        }
        let graph = resolver.graph(place);
        let (operation, position) = match graph.value(place.value).definition {
            Definition::Result(operation, position) => (operation, position as usize),
            // An input that descends from data is data.
            Definition::Argument(region, _) if graph.region(region).parent.is_none() => continue,
            Definition::Argument(region, position) => match graph.region(region).parent {
                Some(operation) => (operation, position as usize),
                None => continue,
            },
        };
        let operand = |at: usize| graph.operands(operation).get(at).map(|value| resolver.used_at(place, *value));
        let count = graph.operands(operation).len();
        let parts: Vec<usize> = match graph.operation(operation).kind {
            Kind::Concatenate => (0..count).collect(),
            Kind::Pad | Kind::DynamicPad | Kind::DynamicUpdateSlice => vec![0, 1],
            Kind::Select => vec![1, 2],
            Kind::Gather | Kind::DynamicGather | Kind::DynamicSlice | Kind::TorchIndexSelect => vec![0],
            Kind::Sort => vec![position],
            Kind::Scatter => (0..count / 2).chain(count / 2 + 1..count).collect(),
            Kind::While => {
                let Some(body) = graph.regions_of(operation).last() else { return false };
                let Some(next) = graph.yields(*body).get(position).copied() else { return false };
                let is_inside = matches!(graph.value(place.value).definition, Definition::Argument(..));
                if is_inside {
                    open.push(resolver.used_at(place, next));
                } else if graph.arguments(*body).iter().nth(position) != Some(next) {
                    return false;
                }
                vec![position]
            }
            Kind::If | Kind::Case => return false,
            // Elements are made of some of each: at least one is data, since the value descends from it.
            _ => (0..count).filter(|at| operand(*at).is_some_and(|operand| is_part(&operand))).collect(),
        };
        open.extend(parts.into_iter().filter_map(operand));
    }
    true
}
