//! `OL121`: an average mixes parameters that the reward has trained into the beliefs.

use super::evidence::{Step, Trace, is_layout};
use crate::flow::refined::Place;
use crate::graph::{Attribute, Elements, OperationKind as Kind};

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let moved = |step: &&Step| !step.kind.is_some_and(is_layout);
    let ends = trace
        .steps
        .iter()
        .enumerate()
        .filter(|(at, _)| trace.steps.get(at + 1).is_none_or(|next| next.crossed.is_some()));
    ends.map(|(_, step)| step).filter(moved).any(|step| is_average(trace, step.place))
}

/// `a * x + b * y` with numbers `a + b = 1`, where what is labelled is a parameter and not a gradient.
fn is_average(trace: &Trace<'_, '_>, place: Place) -> bool {
    if trace.kind(place) != Some(Kind::Add) {
        return false;
    }
    let parts: Option<Vec<(f64, Place)>> =
        trace.operands(place).into_iter().map(|part| weighted(trace, part)).collect();
    let Some([(a, x), (b, y)]) = parts.as_deref() else { return false };
    (a + b - 1.0).abs() < 1e-4
        && a.min(*b) > 0.0
        && [x, y].into_iter().filter(|it| trace.is_labelled(**it)).any(|it| trace.is_parameter(*it))
}

/// A number times a tensor.
fn weighted(trace: &Trace<'_, '_>, place: Place) -> Option<(f64, Place)> {
    let place = trace.base(place);
    let operands = trace.operands(place);
    let [left, right] = operands[..] else { return None };
    if trace.kind(place) != Some(Kind::Multiply) {
        return None;
    }
    [(left, right), (right, left)].into_iter().find_map(|(weight, tensor)| Some((number(trace, weight)?, tensor)))
}

fn number(trace: &Trace<'_, '_>, place: Place) -> Option<f64> {
    let place = trace.base(place);
    let operation = trace.resolver.operation(place)?;
    match trace.resolver.graph(place).attribute(operation, "value")? {
        Attribute::Dense(dense) => match &dense.elements {
            Elements::Inline(text) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
