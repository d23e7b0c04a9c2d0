//! `OL110`: one global norm over both groups.
//!
//! The channel says already that one norm scales the update and is made of its own gradient. Left to see is that the
//! factor is made in this step, by a sum.

use super::evidence::Trace;
use crate::flow::refined::Link;
use crate::graph::OperationKind as Kind;
use crate::verdict::Channel;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some(&factor) = trace.evidence.channel.pivots.last() else { return false }; // after tests, if there are any
    let leak = trace.evidence.leak;
    let place = |node: u32| leak.nodes[node as usize].place;
    // Back over numbers, as far as the sum that they come from.
    let made_of = trace.reaching(&[factor], |edge| {
        !matches!(edge.link, Link::Cross(..)) && place(edge.to).is_some_and(|place| trace.is_scalar(place))
    });
    let is_sum = |node: usize| {
        let kind = place(node as u32).and_then(|place| trace.kind(place));
        matches!(kind, Some(Kind::Reduce | Kind::DotGeneral))
    };
    trace.evidence.channel.channel == Channel::Scale && made_of.ones().any(is_sum)
}
