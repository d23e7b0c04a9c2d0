//! `OL115`: a parameter of the beliefs has a second role.
//!
//! The gradient comes to the parameter from a use that the source does not read, while the source does read the
//! parameter, and other parameters that it reads are left alone.

use super::evidence::Trace;
use crate::flow::Slice;
use crate::flow::refined::Place;
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some((_, cotangents)) = trace.gradient() else { return false };
    let read = trace.made_of(trace.sources(false).map(|(_, place)| place));
    let sinks = trace.evidence.sinks.iter();
    // The moments of an optimizer are sinks too, but no source reads them.
    let parameters = sinks.filter_map(|sink| Some((*sink, trace.input_place(trace.next_input(*sink)?)?)));
    let (left_alone, reached): (Vec<_>, Vec<_>) = parameters
        .filter(|(_, place)| trace.is_in(&read, *place))
        .partition(|(sink, _)| trace.nodes_of(*sink).is_empty());
    let is_product = |kind| matches!(kind, Kind::DotGeneral | Kind::Scatter | Kind::Multiply);
    let products = cotangents.iter().rev().filter(|step| step.kind.is_some_and(is_product));
    let used_with = products.map(|step| trace.other_operands(step)).find(|operands| !operands.is_empty());
    !left_alone.is_empty()
        && used_with.is_some_and(|values| {
            let mut pairs = values.iter().flat_map(|value| reached.iter().map(move |(_, place)| (*value, *place)));
            pairs.any(|(value, parameter)| is_second_role(trace, parameter, value, &read))
        })
}

/// Whether the parameter meets this value in the forward pass, and nothing that the source reads comes of it.
fn is_second_role(trace: &Trace<'_, '_>, parameter: Place, value: Place, read: &Slice) -> bool {
    let value = trace.base(value);
    let graph = trace.resolver.graph(value);
    let position = trace.resolver.graph_position(value);
    graph.operations().ids().any(|operation| {
        let is_use = matches!(graph.operation(operation).kind, Kind::DotGeneral | Kind::Gather | Kind::Multiply);
        if !is_use || trace.evidence.phases[position].of(operation).transposed {
            return false;
        }
        let operands = graph.operands(operation).iter();
        let bases: Vec<Place> = operands.map(|operand| trace.base(trace.resolver.used_at(value, *operand))).collect();
        let meets = bases.contains(&value) && bases.contains(&trace.base(parameter));
        meets && graph.results(operation).iter().all(|result| !read.contains(position, result))
    })
}
