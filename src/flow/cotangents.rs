//! Cotangents that leave no trace.
//!
//! A scope as a source means its forward, tangent and cotangent operations. But the transpose of an add, a
//! subtract, a convert or a reshape may be no operation at all, or one outside of the scope: `y = x + 1` in the scope
//! has the cotangent of `y` as that of `x`. If a scope is differentiated and some path through it has nothing but such
//! operations, then a cotangent may pass through it unseen, whatever other cotangents are seen.

use rustc_hash::FxHashMap;

use super::*;
use crate::graph::{Definition, OperationKind};

/// An operation that makes a value which leaves the scope, and whose cotangent may leave no operation in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The operation: marking its result shows the cotangent.
    pub operation: OperationId,
    /// The value that leaves the scope.
    pub value: ValueId,
    /// The value from outside that it is made of by operations that may transpose to nothing.
    pub from: ValueId,
}

/// Where a cotangent may pass through the operations of one scope without leaving an operation in it.
///
/// `operations` are the source operations of one scope selector. `may_be_trained` says whether the cotangent of
/// a value from outside matters: not that of an input which no step updates. Only values of continuous type have
/// one.
pub fn invisible_cotangents(
    graph: &TrainingGraph,
    phases: &Phases<'_>,
    operations: &FixedBitSet,
    may_be_trained: impl Fn(ValueId) -> bool,
) -> Vec<Finding> {
    let members = || operations.ones().take_while(|id| *id < graph.operations().len()).map(OperationId::new);
    let differentiated = members().any(|operation| phases.of(operation).differentiated);
    if !differentiated {
        return Vec::new();
    }
    // For each value of the scope the value from outside that it may be the same as, to a cotangent. Operations
    // come after those that make their operands, so one pass in order is enough.
    let mut from_outside: FxHashMap<ValueId, ValueId> = FxHashMap::default();
    // A cotangent that is seen says nothing of another that is not, so the scope may have both.
    let is_silent_here =
        |operation: &OperationId| may_transpose_to_nothing(graph, *operation) && !phases.of(*operation).transposed;
    for operation in members().filter(is_silent_here) {
        for operand in graph.operands(operation) {
            let inside = matches!(graph.value(*operand).definition,
                Definition::Result(maker, _) if operations.contains(maker.index()));
            let origin = match inside {
                true => from_outside.get(operand).copied(),
                false => (is_continuous(graph, *operand) && may_be_trained(*operand)).then_some(*operand),
            };
            if let Some(origin) = origin {
                for result in graph.results(operation).iter().filter(|result| is_continuous(graph, *result)) {
                    from_outside.entry(result).or_insert(origin);
                }
            }
        }
    }
    let mut findings = Vec::new();
    for (user, facts) in graph.operations().iter_enumerated() {
        if operations.contains(user.index()) && !facts.kind.is_terminator() {
            continue;
        }
        for value in graph.operands(user) {
            if let Some(from) = from_outside.get(value)
                && let Definition::Result(operation, _) = graph.value(*value).definition
            {
                findings.push(Finding { operation, value: *value, from: *from });
            }
        }
    }
    findings.sort_unstable();
    findings.dedup();
    findings
}

/// Whether the transpose of an operation may be no operation, or one outside of its scope. All others that have a
/// cotangent leave one: a product, a reduction, a broadcast, a negation, a barrier, a select, a call.
fn may_transpose_to_nothing(graph: &TrainingGraph, operation: OperationId) -> bool {
    let facts = graph.operation(operation);
    match facts.callee {
        // A function is silent if all in it are; a call in it counts as silent without a look.
        Some(callee) => graph.operations_within(graph.function(callee).body).iter().all(|inner| {
            let kind = graph.operation(inner).kind;
            is_silent(kind)
                || kind.is_terminator()
                || matches!(kind, OperationKind::Constant | OperationKind::Call | OperationKind::Composite)
        }),
        None => is_silent(facts.kind),
    }
}

fn is_silent(kind: OperationKind) -> bool {
    matches!(
        kind,
        OperationKind::Add
            | OperationKind::Subtract
            | OperationKind::Convert
            | OperationKind::Reshape
            | OperationKind::BroadcastAdd
            | OperationKind::BroadcastSubtract
            | OperationKind::DynamicReshape
            | OperationKind::ChloDynamicReshape
            // Straight-through rounding: a rule that somebody wrote gives the cotangent on as it is.
            | OperationKind::Ceil
            | OperationKind::Floor
            | OperationKind::RoundNearestAfz
            | OperationKind::RoundNearestEven
            | OperationKind::Sign
    )
}

fn is_continuous(graph: &TrainingGraph, value: ValueId) -> bool {
    graph.tensor_type(value).is_none_or(|tensor| tensor.element.is_continuous())
}
