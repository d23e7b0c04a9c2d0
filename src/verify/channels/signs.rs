//! Which values are never negative or minus zero (NaN apart), by what they are made of.

use super::super::backward::bodies::look_at;
use super::super::backward::constants::Class;
use super::super::backward::movement::is_identity;
use super::super::backward::trace::{Node, Role, Trace};
use crate::graph::OperationKind as Kind;

/// For each value whether no element of it has the sign bit: a division by minus zero turns the sign.
pub(super) fn never_negative(trace: &Trace<'_, '_>) -> Vec<bool> {
    let mut known = vec![false; trace.values.len()];
    for node in &trace.nodes {
        for result in node.results.clone() {
            known[result as usize] = is_never_negative(trace, node, result, &known);
        }
    }
    known
}

fn is_never_negative(trace: &Trace<'_, '_>, node: &Node, result: u32, known: &[bool]) -> bool {
    let value = &trace.values[result as usize];
    if matches!(value.shape.class, Class::Boolean | Class::Unsigned(_)) {
        return true;
    }
    if let Some(bits) = value.known.as_ref().and_then(|known| known.scalar()) {
        return match value.shape.class {
            class if class.is_float() => f64::from_bits(bits).is_sign_positive() && !f64::from_bits(bits).is_nan(),
            class => class.integer(bits).is_some_and(|number| number >= 0),
        };
    }
    let operands = &node.operands;
    let is = |at: usize| operands.get(at).is_some_and(|operand| known[*operand as usize]);
    match node.role {
        Role::Source | Role::Input(_) | Role::LoopEntry(_) | Role::LoopExit(_) => return false,
        Role::Pass => return is(0),
        Role::Branch => return (1..operands.len()).all(is),
        Role::Operation if node.world => return false,
        Role::Operation => {}
    }
    // Whole numbers wrap around.
    let exact = value.shape.class.is_float();
    let same = |a: usize, b: usize| {
        let number = |at: usize| operands.get(at).map(|operand| trace.values[*operand as usize].number);
        number(a).is_some() && number(a) == number(b)
    };
    match trace.kind(node) {
        kind if is_identity(kind) => is((result - node.results.start) as usize),
        Kind::Abs | Kind::Square | Kind::Exponential | Kind::Logistic => exact,
        // Of minus zero they are minus zero and minus infinity.
        Kind::Sqrt | Kind::Rsqrt => exact && is(0),
        Kind::Multiply => exact && (same(0, 1) || is(0) && is(1)),
        Kind::Add | Kind::Divide => exact && is(0) && is(1),
        Kind::Power => exact && is(0),
        Kind::Maximum => is(0) || is(1),
        Kind::Minimum => is(0) && is(1),
        Kind::Clamp => is(0) && is(2),
        Kind::Select => is(1) && is(2),
        Kind::Convert | Kind::ReducePrecision => exact && is(0),
        Kind::Broadcast | Kind::BroadcastInDim | Kind::Reshape | Kind::Transpose | Kind::Slice | Kind::Reverse => is(0),
        Kind::Concatenate | Kind::Pad => (0..operands.len()).all(is),
        Kind::Reduce if operands.len() == 2 => {
            let body = look_at(trace.graph(node), node.operation).simple;
            let keeps = match body {
                Some(Kind::Add | Kind::Multiply) => exact,
                Some(Kind::Maximum | Kind::Minimum) => true,
                _ => false,
            };
            keeps && is(0) && is(1)
        }
        Kind::Dot | Kind::DotGeneral => exact && (is(0) && is(1)),
        _ => false,
    }
}
