//! What the body of a reduction, scatter, sort or map does with its arguments.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::graph::{OperationId, OperationKind as Kind, TrainingGraph};

pub(in crate::verify) struct Body {
    /// For each value that the last region gives back, whether it depends on each argument.
    pub takes: Vec<Vec<bool>>,
    /// It is one operation on its two arguments, in order.
    pub simple: Option<Kind>,
}

#[derive(Default)]
pub(super) struct Bodies {
    known: FxHashMap<OperationId, Rc<Body>>,
}

impl Bodies {
    pub fn of(&mut self, graph: &TrainingGraph, operation: OperationId) -> Rc<Body> {
        self.known.entry(operation).or_insert_with(|| Rc::new(look_at(graph, operation))).clone()
    }
}

pub(in crate::verify) fn look_at(graph: &TrainingGraph, operation: OperationId) -> Body {
    let Some(region) = graph.regions_of(operation).last().copied() else {
        return Body { takes: Vec::new(), simple: None };
    };
    let arguments: Vec<_> = graph.arguments(region).iter().collect();
    let inside: Vec<_> = graph.operations_within(region).iter().collect();
    let mut rows: FxHashMap<_, Vec<bool>> = FxHashMap::default();
    for (position, argument) in arguments.iter().enumerate() {
        rows.insert(*argument, (0..arguments.len()).map(|at| at == position).collect());
    }
    let mut row_of = |operation: OperationId| {
        let mut row = vec![false; arguments.len()];
        let plain = graph.regions_of(operation).is_empty() && graph.operation(operation).callee.is_none();
        for operand in graph.operands(operation) {
            match rows.get(operand).filter(|_| plain) {
                Some(other) => row.iter_mut().zip(other).for_each(|(have, more)| *have |= more),
                None => row = vec![true; arguments.len()],
            }
        }
        if !plain {
            row = vec![true; arguments.len()];
        }
        for result in graph.results(operation).iter() {
            rows.insert(result, row.clone());
        }
    };
    inside.iter().for_each(|operation| row_of(*operation));
    let given = graph.yields(region);
    let takes =
        given.iter().map(|value| rows.get(value).cloned().unwrap_or_else(|| vec![true; arguments.len()])).collect();
    let simple = match (&inside[..], &arguments[..], given) {
        ([only, _], [_, _], [result])
            if graph.operands(*only) == arguments
                && graph.results(*only).iter().eq([*result])
                && graph.attributes(*only).is_empty() =>
        {
            Some(graph.operation(*only).kind)
        }
        _ => None,
    };
    Body { takes, simple }
}
