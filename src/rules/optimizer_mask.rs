//! `OL116`: raw gradients are added to the parameters.

use super::evidence::{Trace, is_layout};
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let mut steps = trace.last_part().iter().rev().filter(|step| !step.kind.is_some_and(is_layout) || step.cotangent);
    let (Some(update), Some(gradient)) = (steps.next(), steps.next()) else { return false };
    // A moment adds raw gradients too, but to a part of what it was.
    let to_parameter = trace.other_operands(update).iter().any(|other| trace.is_parameter(*other));
    update.kind == Some(Kind::Add) && !update.cotangent && !update.implicit && gradient.cotangent && to_parameter
}
