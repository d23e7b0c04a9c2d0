//! `OL122`: the loss of the reward reads a discrete code, and its gradient goes past the discrete step.
//!
//! In the graph the estimator is `x + (hard(x) - x)`: nobody writes that but for its gradient.

use super::evidence::Trace;
use crate::flow::refined::Place;
use crate::graph::OperationKind as Kind;

/// So far back is a discrete operation looked for.
const MOST_PLACES: usize = 64;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some((residual, cotangents)) = trace.gradient() else { return false };
    let met = cotangents.iter().flat_map(|step| trace.other_operands(step));
    let read = trace.made_of(met.chain([residual]));
    let graph = trace.resolver.graph(residual);
    let position = trace.resolver.graph_position(residual);
    graph.operations().ids().any(|operation| {
        graph.operation(operation).kind == Kind::Add
            && graph.results(operation).iter().any(|value| {
                let place = Place { instance: residual.instance, value };
                read.contains(position, value) && is_estimator(trace, place)
            })
    })
}

/// `x + (hard - x)`, in either order, with something discrete in `hard`.
fn is_estimator(trace: &Trace<'_, '_>, sum: Place) -> bool {
    let operands = trace.operands(sum);
    let [left, right] = operands[..] else { return false };
    [(left, right), (right, left)].into_iter().any(|(soft, difference)| {
        let difference = trace.base(difference);
        let parts = trace.operands(difference);
        trace.kind(difference) == Some(Kind::Subtract)
            && parts.len() == 2
            && trace.base(parts[1]) == trace.base(soft)
            && is_discrete(trace, parts[0])
    })
}

fn is_discrete(trace: &Trace<'_, '_>, place: Place) -> bool {
    let mut open = vec![place];
    let mut seen: Vec<Place> = Vec::new();
    while let Some(place) = open.pop() {
        let place = trace.base(place);
        match trace.kind(place) {
            Some(
                Kind::Sign
                | Kind::RoundNearestAfz
                | Kind::RoundNearestEven
                | Kind::Floor
                | Kind::Ceil
                | Kind::Compare
                | Kind::Iota,
            ) => return true,
            Some(kind) if crate::transfer::images::is_element_by_element(kind) => {}
            _ => continue,
        }
        if seen.len() < MOST_PLACES && !seen.contains(&place) {
            seen.push(place);
            open.extend(trace.operands(place));
        }
    }
    false
}
