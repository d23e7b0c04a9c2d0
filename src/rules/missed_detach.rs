//! `OL112`: a loss of the reward reads live thoughts.
//!
//! A number that depends on the score is the derivative of a loss: it goes back through what it was measured on.

use super::evidence::Trace;
use super::score_function_gradient::goes_back_where_it_came_from;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    trace
        .gradient()
        .is_some_and(|(residual, cotangents)| goes_back_where_it_came_from(trace, residual, cotangents).unwrap_or(true))
}
