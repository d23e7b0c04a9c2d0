//! `OL120`: a statistic that the reward has changed is carried on, and the beliefs are normalised by it.

use super::evidence::{Step, Trace};
use crate::flow::Port;
use crate::flow::refined::Place;
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let Some((before, crossing, after)) = trace.one_crossing() else { return false };
    let Some((_, output, input)) = crossing.crossed else { return false };
    let first =
        after.iter().find(|step| !trace.is_scalar(step.place) && !step.kind.is_some_and(super::evidence::is_layout));
    let normalises = |step: &Step| matches!(step.kind, Some(Kind::Subtract | Kind::Divide | Kind::Rsqrt | Kind::Sqrt));
    let is_forward =
        first.is_some_and(|step| !step.cotangent && normalises(step)) && after.iter().any(|step| step.cotangent);
    !before.iter().any(|step| step.cotangent) && is_forward && accumulates(trace, output, input)
}

/// Whether an output is computed element by element from the input that it becomes.
pub(super) fn accumulates(trace: &Trace<'_, '_>, output: Port, input: Port) -> bool {
    let (Some(start), Some(end)) = (trace.input_place(input), trace.output_place(output)) else { return false };
    let mut open = vec![end];
    let mut seen: Vec<Place> = Vec::new();
    while let Some(place) = open.pop() {
        let place = trace.base(place);
        if place == start {
            return !seen.is_empty();
        }
        let is_arithmetic = matches!(
            trace.kind(place),
            Some(
                Kind::Add
                    | Kind::Subtract
                    | Kind::Multiply
                    | Kind::Divide
                    | Kind::Maximum
                    | Kind::Minimum
                    | Kind::Select
            )
        );
        if is_arithmetic && seen.len() < 64 && !seen.contains(&place) {
            seen.push(place);
            open.extend(trace.operands(place));
        }
    }
    false
}
