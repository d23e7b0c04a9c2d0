//! `OL115`: a parameter of the beliefs has a second role.
//!
//! The gradient comes to the parameter from a use that the source does not read, while the source does read the
//! parameter, and other parameters that it reads are left alone.

use super::evidence::Trace;
use crate::flow::refined::Place;
use crate::flow::Slice;
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some((_, cotangents)) = trace.gradient() else { return false };
    let Some(parameter) = trace.next_input(trace.evidence.sink).and_then(|port| trace.input_place(port)) else {
        return false;
    };
    let read = trace.made_of(trace.sources(false).map(|(_, place)| place));
    let is_left_alone = |sink| {
        let input = trace.next_input(sink).and_then(|port| trace.input_place(port));
        trace.nodes_of(sink).is_empty() && input.is_some_and(|place| trace.is_in(&read, place))
    };
    if !trace.is_in(&read, parameter) || !trace.evidence.group.sinks.iter().any(|sink| is_left_alone(*sink)) {
        return false;
    }
    let products = cotangents.iter().rev().filter(|step| matches!(step.kind, Some(Kind::DotGeneral | Kind::Scatter | Kind::Multiply)));
    let used_with = products.map(|step| trace.other_operands(step)).find(|operands| !operands.is_empty());
    used_with.is_some_and(|values| values.iter().any(|value| is_second_role(trace, parameter, *value, &read)))
}

/// Whether the parameter meets this value in the forward pass, and nothing that the source reads comes of it.
fn is_second_role(trace: &Trace<'_, '_>, parameter: Place, value: Place, read: &Slice) -> bool {
    let value = trace.base(value);
    let graph = trace.resolver.graph(value);
    let position = trace.resolver.graph_position(value);
    let phases = &trace.evidence.phases[position];
    graph.operations().ids().any(|operation| {
        let is_use = matches!(graph.operation(operation).kind, Kind::DotGeneral | Kind::Gather | Kind::Multiply);
        if !is_use || phases.of(operation).transposed {
            return false;
        }
        let operands = graph.operands(operation).iter();
        let bases: Vec<Place> =
            operands.map(|operand| trace.base(trace.resolver.used_at(value, *operand))).collect();
        let meets = bases.contains(&value) && bases.contains(&trace.base(parameter));
        meets && graph.results(operation).iter().all(|result| !read.contains(position, result))
    })
}
