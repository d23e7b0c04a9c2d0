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
    let mixed = trace.steps.iter().filter(|step| is_mixed(step)).count();
    // Threefry mixes in many rounds; a single exclusive or is any arithmetic.
    mixed > 2 || trace.steps.iter().any(is_generator)
}
