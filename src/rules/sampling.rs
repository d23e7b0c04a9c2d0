//! `OL118`: the reward chooses the data.
//!
//! Where inputs are declared to be data the channel says it. Without a declaration it is seen where an index picks from
//! what descends from inputs that are no parameters, or
//! where a mask leaves examples out of the pass of cotangents.

use super::evidence::{Step, Trace};
use crate::flow::Port;
use crate::flow::refined::Place;
use crate::graph::{OperationId, OperationKind as Kind};
use crate::index::Id;
use crate::verdict::Channel;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    trace.evidence.channel.channel == Channel::Selection
        || trace.steps.iter().any(|step| picks_data(trace, step))
        || trace.last_part().iter().any(|step| masks_examples(trace, step))
}

/// Whether the source says which cotangents are zero, one by one.
fn masks_examples(trace: &Trace<'_, '_>, step: &Step) -> bool {
    let is_choice = step.implicit && step.cotangent && step.kind == Some(Kind::Select);
    let Some(mask) = step.from.filter(|mask| is_choice && trace.resolver.scalar(*mask).is_none()) else { return false };
    trace.operands(step.place).into_iter().filter(|operand| *operand != mask).any(|operand| trace.is_constant(operand))
}

fn picks_data(trace: &Trace<'_, '_>, step: &Step) -> bool {
    let is_pick = matches!(step.kind, Some(Kind::Gather | Kind::DynamicGather | Kind::DynamicSlice));
    let picked = trace.resolver.operand(step.place, 0).filter(|picked| Some(*picked) != step.from);
    step.implicit && is_pick && picked.is_some_and(|picked| is_data(trace, picked))
}

/// Whether it descends from inputs, and from none that is trained. Constants and counts are tables, not data.
fn is_data(trace: &Trace<'_, '_>, place: Place) -> bool {
    let graph = trace.resolver.graph_position(place);
    let inputs = trace.made_of([place]).inputs(trace.evidence.system, graph);
    let is_trained = |position: &usize| {
        let edges = trace.evidence.system.edges.iter();
        let mut outputs = edges.filter(|edge| edge.to == Port { graph, position: *position }).map(|edge| edge.from);
        outputs.any(|output| is_made_by_cotangents(trace, output))
    };
    !inputs.is_empty() && !inputs.iter().any(is_trained)
}

fn is_made_by_cotangents(trace: &Trace<'_, '_>, output: Port) -> bool {
    let Some(place) = trace.output_place(output) else { return false };
    let made_of = trace.made_of([place]).operations(trace.evidence.system, output.graph);
    made_of.ones().any(|operation| trace.evidence.phases[output.graph].of(OperationId::new(operation)).transposed)
}
