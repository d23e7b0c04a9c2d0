//! `OL118`: the reward chooses the data.
//!
//! What the channel says where inputs are declared to be data; without a declaration, an index into an input that the
//! step does not change.

use super::evidence::Trace;
use crate::flow::refined::Place;
use crate::graph::OperationKind as Kind;
use crate::verdict::Channel;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    trace.evidence.channel.channel == Channel::Selection
}

#[allow(dead_code)]
fn picked(trace: &Trace<'_, '_>, place: Place) -> bool {
    matches!(trace.kind(place), Some(Kind::Gather))
}
