//! `OL111`: one finite check over both groups, or a loss scale that one moves.

use super::evidence::Trace;
use crate::flow::refined::Place;
use crate::graph::{ElementType, OperationKind as Kind};

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let pivots = &trace.evidence.channel.pivots;
    if pivots.is_empty() {
        return false;
    }
    let leak = trace.evidence.leak;
    let place = |node: u32| leak.nodes[node as usize].place;
    // Back over truth values and numbers: a check inside of a softmax decides over elements, and is not met.
    let made_of = trace
        .reaching(pivots, |edge| place(edge.to).is_some_and(|place| trace.is_scalar(place) || is_truth(trace, place)));
    made_of.ones().filter_map(|node| place(node as u32)).any(|place| is_finite_check(trace, place))
}

fn is_truth(trace: &Trace<'_, '_>, place: Place) -> bool {
    let tensor = trace.resolver.graph(place).tensor_type(place.value);
    tensor.is_some_and(|tensor| tensor.element == ElementType::Boolean)
}

/// `is_finite(x)`, or the same in other words: `x == x`, `abs(x) < inf`.
fn is_finite_check(trace: &Trace<'_, '_>, place: Place) -> bool {
    match trace.kind(place) {
        Some(Kind::IsFinite | Kind::IsInf | Kind::IsPosInf | Kind::IsNegInf) => true,
        Some(Kind::Compare) => {
            let operands: Vec<Place> = trace.operands(place).into_iter().map(|it| trace.base(it)).collect();
            let is_magnitude = |place: &Place| trace.kind(*place) == Some(Kind::Abs);
            let [left, right] = operands[..] else { return false };
            left == right || [left, right].iter().any(is_magnitude) && operands.iter().any(|it| trace.is_constant(*it))
        }
        _ => false,
    }
}
