//! `OL118`: the reward chooses the data.
//!
//! Where inputs are declared to be data the channel says it. Without a declaration it is seen where an index picks from
//! an input that no step changes and that is no parameter.

use super::evidence::{Step, Trace};
use crate::flow::refined::Place;
use crate::flow::unchanged_input;
use crate::graph::OperationKind as Kind;
use crate::verdict::Channel;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    trace.evidence.channel.channel == Channel::Selection || trace.steps.iter().any(|step| picks_data(trace, step))
}

fn picks_data(trace: &Trace<'_, '_>, step: &Step) -> bool {
    let is_pick = matches!(step.kind, Some(Kind::Gather | Kind::DynamicGather | Kind::DynamicSlice));
    let picked = trace.resolver.operand(step.place, 0).filter(|picked| Some(*picked) != step.from);
    step.implicit && is_pick && picked.is_some_and(|picked| is_data(trace, picked))
}

/// Whether it is an input, in whole or in part, that comes from outside or stays as it is.
fn is_data(trace: &Trace<'_, '_>, place: Place) -> bool {
    trace.input(place).is_some_and(|input| {
        let mut carried = trace.evidence.system.edges.iter().filter(|edge| edge.to == input).map(|edge| edge.from);
        carried.all(|output| {
            let graph = trace.evidence.system.graphs[output.graph].graph();
            unchanged_input(graph, output.position) == Some(input.position)
        })
    })
}
