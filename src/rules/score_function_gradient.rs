//! `OL114`: the reward multiplies the gradient of something that it was not computed from.
//!
//! In `reward * log pi` the cotangent that the reward is a factor of goes back through the policy; the derivative of a
//! loss such as `(value - reward)^2` goes back through what it was computed from itself.

use super::evidence::{Step, Trace};
use crate::flow::refined::Place;
use crate::graph::OperationKind as Kind;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    trace
        .gradient()
        .is_some_and(|(residual, cotangents)| goes_back_where_it_came_from(trace, residual, cotangents) == Some(false))
}

/// Whether the first thing that the cotangent is multiplied with was there when the residual was computed; none if it is
/// multiplied with nothing.
pub(super) fn goes_back_where_it_came_from(
    trace: &Trace<'_, '_>,
    residual: Place,
    cotangents: &[Step],
) -> Option<bool> {
    let is_product = |kind| matches!(kind, Kind::Multiply | Kind::Divide | Kind::DotGeneral | Kind::Convolution);
    let products = cotangents.iter().filter(|step| step.kind.is_some_and(is_product));
    // What other cotangents it meets are weights of the loss.
    let residuals = |step| {
        let operands = trace.other_operands(step).into_iter();
        operands.filter(|operand| !trace.is_cotangent(trace.base(*operand))).collect::<Vec<_>>()
    };
    let met = products.map(residuals).find(|operands| !operands.is_empty())?;
    let made_of = trace.made_of([residual]);
    let candidates: Vec<Place> = met.into_iter().flat_map(|place| computed_from(trace, place)).collect();
    Some(candidates.iter().any(|place| trace.is_in(&made_of, *place)))
}

/// A value, and what it is a function of element by element, as long as that is one value.
fn computed_from(trace: &Trace<'_, '_>, place: Place) -> Vec<Place> {
    let mut chain = vec![trace.base(place)];
    while let Some(last) = chain.last()
        && chain.len() < 16
        && trace.kind(*last).is_some_and(crate::transfer::images::is_element_by_element)
    {
        let operands: Vec<Place> =
            trace.operands(*last).into_iter().filter(|operand| !trace.is_constant(*operand)).collect();
        match operands[..] {
            [only] => chain.push(trace.base(only)),
            _ => break,
        }
    }
    chain
}
