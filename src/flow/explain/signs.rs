//! Which values are surely not negative: a factor that can change sign is more than a scale.

use rustc_hash::FxHashSet;

use crate::flow::refined::Place;
use crate::graph::{Attribute, ElementType, Elements, OperationId, OperationKind as Kind, TrainingGraph};

use super::reducer;
use super::resolve::Resolver;

/// Whether no element is negative or minus zero, whatever the inputs are (NaN apart): what divides by minus zero turns its sign.
pub(super) fn is_never_negative(resolver: &Resolver<'_, '_>, place: Place) -> bool {
    // A stack of what has to be shown; every entry must hold. Where one of two would do, the likelier is taken.
    let mut open = vec![place];
    let mut seen = FxHashSet::default();
    while let Some(place) = open.pop() {
        let place = resolver.resolve(place);
        if !seen.insert(place) {
            continue;
        }
        let graph = resolver.graph(place);
        let element = graph.tensor_type(place.value).map(|tensor| &tensor.element);
        if matches!(element, Some(ElementType::Boolean | ElementType::Unsigned(_))) {
            continue;
        }
        let Some(operation) = resolver.operation(place) else { return false };
        // Signed integers wrap round.
        if !matches!(element, Some(ElementType::Float(_))) && graph.operation(operation).kind != Kind::Constant {
            return false;
        }
        let mut need = |position: usize| match resolver.operand(place, position) {
            Some(operand) => {
                open.push(operand);
                true
            }
            None => false,
        };
        let fine = match graph.operation(operation).kind {
            Kind::Abs | Kind::Exponential | Kind::Logistic | Kind::Square => true,
            // Of minus zero they are minus zero and minus infinity.
            Kind::Sqrt | Kind::Rsqrt => need(0),
            Kind::Constant => constant_is_not_negative(graph, operation),
            Kind::Multiply if is_square(resolver, place) => true,
            Kind::Multiply | Kind::Add | Kind::Divide | Kind::Minimum => need(0) && need(1),
            Kind::Maximum => match (0..2).find(|at| is_nonnegative_constant(resolver, place, *at)) {
                Some(_) => true,
                None => need(0) && need(1),
            },
            Kind::Select => need(1) && need(2),
            Kind::Clamp => need(0) && need(2),
            Kind::Convert
            | Kind::BroadcastInDim
            | Kind::Broadcast
            | Kind::Reshape
            | Kind::Transpose
            | Kind::Slice
            | Kind::DynamicSlice
            | Kind::ReducePrecision => need(0),
            Kind::Concatenate => (0..graph.operands(operation).len()).all(&mut need),
            Kind::Reduce => reduces_without_sign(graph, operation) && need(0) && need(1),
            Kind::DotGeneral => is_square(resolver, place) || (need(0) && need(1)),
            _ => false,
        };
        if !fine {
            return false;
        }
    }
    true
}

/// A value times itself.
fn is_square(resolver: &Resolver<'_, '_>, place: Place) -> bool {
    let operand = |position| resolver.operand(place, position).map(|operand| resolver.resolve(operand));
    match (operand(0), operand(1)) {
        (Some(left), Some(right)) => {
            left == right
                && resolver.graph(place).tensor_type(place.value).is_some_and(|tensor| {
                    // A contraction of a tensor with itself is a sum of squares only where everything is summed.
                    tensor.rank() == Some(0)
                        || resolver
                            .operation(place)
                            .is_some_and(|id| resolver.graph(place).operation(id).kind == Kind::Multiply)
                })
        }
        _ => false,
    }
}

fn is_nonnegative_constant(resolver: &Resolver<'_, '_>, place: Place, position: usize) -> bool {
    let scalar = resolver.operand(place, position).and_then(|operand| resolver.scalar(operand));
    scalar.is_some_and(|scalar| {
        let graph = resolver.graph(scalar);
        resolver.operation(scalar).is_some_and(|operation| {
            graph.operation(operation).kind == Kind::Constant && constant_is_not_negative(graph, operation)
        })
    })
}

fn constant_is_not_negative(graph: &TrainingGraph, operation: OperationId) -> bool {
    match graph.attribute(operation, "value") {
        Some(Attribute::Dense(dense)) => match &dense.elements {
            // A number in hexadecimal shows its sign in no simple way.
            Elements::Inline(text) => {
                let mut numbers = text.split([',', '[', ']', ' ']);
                !text.contains("0x") && !text.contains('(') && !numbers.any(|number| number.starts_with('-'))
            }
            _ => false,
        },
        _ => false,
    }
}

/// A sum, a product, a maximum or a minimum.
fn reduces_without_sign(graph: &TrainingGraph, operation: OperationId) -> bool {
    matches!(reducer(graph, operation), Some(Kind::Add | Kind::Multiply | Kind::Maximum | Kind::Minimum))
}
