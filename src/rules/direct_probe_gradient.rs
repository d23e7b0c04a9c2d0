//! `OL113`: the gradient of the score goes through the probe into the beliefs.

use super::evidence::Trace;
use crate::flow::refined::{LeakEdge, Link};
use crate::transfer::Dependence;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let backwards: Vec<u32> = trace.sources(true).map(|(node, _)| node).collect();
    let reached = trace.reached_by(&backwards, is_explicit);
    trace.nodes_of(trace.evidence.sink).iter().any(|node| reached.contains(*node as usize))
}

/// Whether it is a flow of data within one step.
pub(super) fn is_explicit(edge: &LeakEdge) -> bool {
    matches!(edge.link, Link::Flow(Dependence::Data) | Link::Enter | Link::Leave)
}
