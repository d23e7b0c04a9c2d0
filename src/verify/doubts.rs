//! What makes a `Holds` doubtful although the labels are closed: cotangents of the source that carry no name.
//!
//! Coarser than the analysis: where that follows a suspect to a sink, this refuses.

use super::{Claim, Facts};
use crate::graph::{Definition, OperationId, OperationKind as Kind, ScopePath, TrainingGraph, ValueId};
use crate::index::Id;

/// Which operations are under `jvp(..)`, and which are cotangents, by their own path or by that of a call.
struct Directions {
    differentiated: Vec<bool>,
    cotangent: Vec<bool>,
}

impl Directions {
    fn of(graph: &TrainingGraph) -> Self {
        let count = graph.operations().len();
        let mut directions = Directions { differentiated: vec![false; count], cotangent: vec![false; count] };
        let mut called = vec![(false, false); graph.functions().len()];
        for function in graph.callees_first().iter().rev() {
            let (around_differentiated, around_cotangent) = called[function.index()];
            for id in graph.operations_within(graph.function(*function).body).iter() {
                let paths: Vec<ScopePath<'_>> =
                    graph.scope_paths(graph.operation(id).scope).map(ScopePath::parse).collect();
                let differentiated = around_differentiated || paths.iter().any(|path| path.differentiated);
                let cotangent = (around_cotangent || paths.iter().any(|path| path.transposed))
                    && !paths.iter().any(|path| path.recomputed);
                directions.differentiated[id.index()] = differentiated;
                directions.cotangent[id.index()] = cotangent;
                if let Some(callee) = graph.operation(id).callee {
                    called[callee.index()].0 |= differentiated;
                    called[callee.index()].1 |= cotangent;
                }
            }
        }
        directions
    }
}

/// The doubts about one scope in one graph. `trained` says of each input whether a step may update it.
pub(super) fn check(claim: &Claim<'_>, position: usize, scope: &[OperationId], trained: &[bool]) -> Vec<String> {
    let facts: &Facts<'_> = &claim.graphs[position];
    let graph = facts.graph;
    let directions = Directions::of(graph);
    if !scope.iter().any(|id| directions.differentiated[id.index()]) {
        return Vec::new();
    }
    let mut member = vec![false; graph.operations().len()];
    scope.iter().for_each(|id| member[id.index()] = true);
    let body = graph.function(graph.entry()).body;
    let is_continuous = |value: ValueId| graph.tensor_type(value).is_none_or(|tensor| tensor.element.is_continuous());
    let made_inside = |value: ValueId| match graph.value(value).definition {
        Definition::Result(maker, _) if member[maker.index()] => Some(maker),
        _ => None,
    };
    let may_be_trained = |value: ValueId| match graph.value(value).definition {
        Definition::Argument(region, input) if region == body => trained.get(input as usize).copied().unwrap_or(true),
        _ => true,
    };
    let mut problems = Vec::new();
    // From what leaves the scope backwards over operations whose transpose may be nothing.
    let mut open: Vec<ValueId> = Vec::new();
    let mut seen = vec![false; graph.values().len()];
    for (id, operation) in graph.operations().iter_enumerated() {
        if !member[id.index()] || operation.kind.is_terminator() {
            open.extend(graph.operands(id).iter().filter(|value| made_inside(**value).is_some()));
        }
    }
    while let Some(value) = open.pop() {
        if std::mem::replace(&mut seen[value.index()], true) || !is_continuous(value) {
            continue;
        }
        let Some(maker) = made_inside(value) else { continue };
        if directions.cotangent[maker.index()] || !may_be_silent(graph, maker) {
            continue;
        }
        for &operand in graph.operands(maker) {
            if made_inside(operand).is_some() {
                open.push(operand);
            } else if is_continuous(operand) && may_be_trained(operand) {
                problems.push("a cotangent may pass through the source without a trace".to_string());
                return problems;
            }
        }
    }
    // A custom gradient rule: a cotangent outside of the scope made with what only the probe reads.
    if !scope.iter().any(|id| directions.cotangent[id.index()]) {
        let parameters: Vec<ValueId> = scope
            .iter()
            .flat_map(|id| graph.operands(*id).iter().copied())
            .filter(|value| made_inside(*value).is_none() && is_continuous(*value) && !may_be_trained(*value))
            .collect();
        let suspect = graph.operations().ids().any(|id| {
            directions.cotangent[id.index()] && graph.operands(id).iter().any(|operand| parameters.contains(operand))
        });
        if suspect {
            problems.push("a custom gradient rule may hide a cotangent of the source".to_string());
        }
    }
    problems
}

/// An operation, or the call of a function with nothing else in it, whose transpose may leave nothing.
fn may_be_silent(graph: &TrainingGraph, operation: OperationId) -> bool {
    let facts = graph.operation(operation);
    let Some(callee) = facts.callee else { return is_silent(facts.kind) };
    graph.operations_within(graph.function(callee).body).iter().all(|inner| {
        let kind = graph.operation(inner).kind;
        is_silent(kind)
            || kind.is_terminator()
            || kind == Kind::Constant
            || kind == Kind::Call
            || kind == Kind::Composite
    })
}

fn is_silent(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, Add | Subtract | Convert | Reshape | BroadcastAdd | BroadcastSubtract)
        || matches!(kind, DynamicReshape | ChloDynamicReshape)
        || matches!(kind, Ceil | Floor | RoundNearestAfz | RoundNearestEven | Sign)
}
