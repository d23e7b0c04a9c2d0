//! `OL124`: a count or a sum that depends on the reward divides the gradient.

use super::evidence::{Step, Trace, is_layout};
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let part = trace.last_part();
    part.iter().enumerate().any(|(at, step)| is_divided(trace, step) && is_sum(&part[..at]))
}

/// Whether the source is in the divisor alone.
fn is_divided(trace: &Trace<'_, '_>, step: &Step) -> bool {
    let operands = trace.operands(step.place);
    step.kind == Some(Kind::Divide) && operands.len() == 2 && !trace.is_labelled(operands[0])
}

/// Whether what the steps come to is a sum, up to a bound from below and a change of type.
fn is_sum(steps: &[Step]) -> bool {
    let is_bounded = |kind| matches!(kind, Kind::Maximum | Kind::Add | Kind::Multiply | Kind::Clamp) || is_layout(kind);
    let last = steps.iter().rev().find(|step| !step.kind.is_some_and(is_bounded));
    last.is_some_and(|step| step.kind == Some(Kind::Reduce) && !step.cotangent)
}
