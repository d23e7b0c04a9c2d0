//! `OL117`: a moment took the gradient before it was zeroed.

use super::evidence::{Step, Trace, is_updating};

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some((before, crossing, after)) = trace.one_crossing() else { return false };
    let is_update = |steps: &[Step]| {
        steps.iter().all(|step| !step.cotangent && !step.implicit && step.kind.is_some_and(is_updating))
    };
    let Some(gradient) = before.iter().rposition(|step| step.cotangent) else { return false };
    let Some(sink) = after.last() else { return false };
    let is_of_the_sink = trace.tensor_type(crossing.place) == trace.tensor_type(sink.place);
    is_of_the_sink && is_update(&before[gradient + 1..]) && is_update(after)
}
