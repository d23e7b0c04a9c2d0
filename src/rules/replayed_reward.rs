//! `OL125`: what was stored is a target of a loss that trains the beliefs.

use super::evidence::Trace;
use super::running_statistics::accumulates;
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some((before, crossing, after)) = trace.one_crossing() else { return false };
    let Some((_, output, input)) = crossing.crossed else { return false };
    let meets = after.iter().find(|step| !trace.other_operands(step).is_empty());
    let is_target = meets.is_some_and(|step| !step.cotangent && matches!(step.kind, Some(Kind::Subtract | Kind::Add)));
    !before.iter().any(|step| step.cotangent)
        && is_target
        && !after.iter().any(|step| step.implicit)
        && trace.gradient().is_some()
        && !accumulates(trace, output, input)
}
