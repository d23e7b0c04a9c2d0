//! `OL119`: the beliefs draw from a key that the reward has moved on.
//!
//! Keys are words of random bits: a generator takes them, or they are mixed by exclusive or and rotation, as threefry
//! does it.

use super::evidence::{Step, Trace};
use crate::graph::{ElementType, OperationKind as Kind};

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    let is_generator = |step: &Step| matches!(step.kind, Some(Kind::RngBitGenerator | Kind::Rng));
    let is_mixed = |step: &Step| {
        let tensor = trace.resolver.graph(step.place).tensor_type(step.place.value);
        step.kind == Some(Kind::Xor) && tensor.is_some_and(|tensor| matches!(tensor.element, ElementType::Unsigned(_)))
    };
    // By itself an exclusive or is any arithmetic; words that it mixed and that become a number or another word by a
    // shift were drawn.
    let drawn = trace.steps.iter().skip_while(|step| !is_mixed(step));
    let is_drawn = drawn.into_iter().any(|step| step.kind == Some(Kind::ShiftRightLogical));
    is_drawn || trace.steps.iter().any(is_generator)
}
