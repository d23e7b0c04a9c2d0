//! `OL126`: what trains the probe trains what it reads.
//!
//! As `OL113`, and the cotangents of the source also train a parameter that the source itself reads. A reward is not
//! what a probe is trained by; a loss on labels is.

use rustc_hash::FxHashSet;

use super::direct_probe_gradient::{self, is_explicit};
use super::evidence::Trace;
use crate::flow::Port;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    if !direct_probe_gradient::matches(trace) {
        return false;
    }
    let sources = [true, false].into_iter().flat_map(|cotangent| trace.sources(cotangent));
    let read: FxHashSet<Port> =
        sources.flat_map(|(_, place)| trace.operands(place)).filter_map(|operand| trace.input(operand)).collect();
    let backwards: Vec<u32> = trace.sources(true).map(|(node, _)| node).collect();
    let reached = trace.reached_by(&backwards, is_explicit);
    let is_reached = |port: Port| trace.nodes_of(port).iter().any(|node| reached.contains(*node as usize));
    let edges = trace.evidence.system.edges.iter();
    let trained = edges.filter(|edge| read.contains(&edge.to) && is_reached(edge.from));
    trained.map(|edge| edge.from).any(|output| !trace.evidence.sinks.contains(&output))
}
