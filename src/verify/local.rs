//! What each value takes from: the rules of the analysis, written again from the side of the value that is made.

use super::facts::Facts;
use crate::graph::{OperationId, OperationKind as Kind, RegionId, Type, ValueId};
use crate::index::Id;

/// What the result at a position takes from inside its own function. Calls with a body are not asked.
pub(super) fn result_takes(facts: &Facts<'_>, operation: OperationId, position: usize) -> Vec<ValueId> {
    let graph = facts.graph;
    let operands = graph.operands(operation);
    let regions = graph.regions_of(operation);
    let count = graph.results(operation).len();
    let operand = |at: usize| operands.get(at).copied();
    let given = |region: usize, at: usize| graph.yields(*regions.get(region)?).get(at).copied();
    let takes = match graph.operation(operation).kind {
        Kind::While => {
            let held = |region: usize| graph.arguments(*regions.get(region)?).get(position);
            let changes = given(1, position) != held(1);
            vec![held(0), given(0, 0).filter(|_| changes)]
        }
        Kind::If | Kind::Case => {
            let mut ends: Vec<Option<ValueId>> = (0..regions.len()).map(|branch| given(branch, position)).collect();
            let differ = ends.windows(2).any(|pair| pair[0] != pair[1]);
            ends.push(operand(0).filter(|_| differ));
            ends
        }
        Kind::Reduce | Kind::ReduceWindow => vec![given(0, position), operand(position), operand(count + position)],
        Kind::Scatter => vec![given(0, position), operand(position), operand(count)],
        Kind::Sort => vec![operand(position), given(0, 0)],
        Kind::SelectAndScatter => vec![given(1, 0), given(0, 0), operand(0), operand(2)],
        Kind::AllReduce | Kind::ReduceScatter => vec![given(0, 0), operand(position)],
        Kind::Map | Kind::ManualComputation | Kind::NamedComputation => vec![given(0, position)],
        Kind::AllGather | Kind::AllToAll | Kind::OptimizationBarrier if operands.len() == count => {
            vec![operand(position)]
        }
        Kind::ConstantLike | Kind::GetDimensionSize => {
            return operands.iter().copied().filter(|value| !shape_is_fixed(facts, *value)).collect();
        }
        _ => return everything(facts, operation),
    };
    if facts.is_transparent(operation) { takes.into_iter().flatten().collect() } else { everything(facts, operation) }
}

/// What the argument at a position of a region takes from.
pub(super) fn argument_takes(
    facts: &Facts<'_>,
    operation: OperationId,
    region: usize,
    position: usize,
) -> Vec<ValueId> {
    let graph = facts.graph;
    let operands = graph.operands(operation);
    let regions = graph.regions_of(operation);
    let count = graph.results(operation).len().max(1);
    let operand = |at: usize| operands.get(at).copied();
    let given = |region: usize, at: usize| graph.yields(*regions.get(region)?).get(at).copied();
    let takes = match graph.operation(operation).kind {
        Kind::While => vec![operand(position), given(1, position)],
        Kind::Reduce | Kind::ReduceWindow => {
            let at = position % count;
            vec![operand(at), operand(count + at), given(0, at)]
        }
        Kind::Scatter if position < count => vec![operand(position), given(0, position)],
        Kind::Scatter => vec![operand(position + 1)],
        Kind::Sort => vec![operand(position / 2)],
        Kind::Map | Kind::ManualComputation | Kind::NamedComputation => vec![operand(position)],
        Kind::SelectAndScatter if region == 0 => vec![operand(0)],
        Kind::SelectAndScatter => vec![operand(1), operand(2), given(1, 0)],
        Kind::AllReduce | Kind::ReduceScatter => return everything(facts, operation),
        Kind::If | Kind::Case => Vec::new(),
        _ => return everything(facts, operation),
    };
    if facts.is_transparent(operation) { takes.into_iter().flatten().collect() } else { everything(facts, operation) }
}

/// What the world takes from an operation, beside what calls bring to it.
pub(super) fn world_takes(facts: &Facts<'_>, operation: OperationId) -> Vec<ValueId> {
    let graph = facts.graph;
    if facts.is_open_to_world(operation) {
        return everything(facts, operation);
    }
    let decides = match graph.operation(operation).kind {
        Kind::While => graph.regions_of(operation).first().and_then(|condition| graph.yields(*condition).first()),
        Kind::If | Kind::Case => graph.operands(operation).first(),
        _ => None,
    };
    let seen = facts.moves_world[operation.index()];
    decides.filter(|_| seen).copied().into_iter().collect()
}

/// Every operand, and all that its regions give back.
fn everything(facts: &Facts<'_>, operation: OperationId) -> Vec<ValueId> {
    let graph = facts.graph;
    let given = graph.regions_of(operation).iter().flat_map(|region: &RegionId| graph.yields(*region));
    graph.operands(operation).iter().chain(given).copied().collect()
}

fn shape_is_fixed(facts: &Facts<'_>, value: ValueId) -> bool {
    let Type::Tensor(tensor) = facts.graph.r#type(facts.graph.value(value).r#type) else { return false };
    tensor.encoding.is_none() && tensor.dimensions.as_ref().is_some_and(|extents| !extents.contains(&None))
}
