//! The closed label assignment as evidence that another program can check.

use super::*;
use crate::verdict::{Evidence, FunctionLabels, GraphLabels};

/// How many parameters are followed at once.
const COLUMNS_AT_ONCE: usize = 512;

/// What `verify` needs to see that a `Holds` is right: for each value of each function that the step can call,
/// which origins reach it, opaque operations counted.
///
/// Column 1 (the world) is never set: a world that is labelled is itself a source wherever it is read, so what
/// it reaches has column 0.
pub fn evidence(system: &System<'_>, labels: &Labels) -> Evidence {
    let graphs = system.graphs.iter().enumerate().map(|(position, flow)| GraphLabels {
        functions: flow
            .graph()
            .functions()
            .ids()
            .map(|function| rows(flow, function, &labels.values[position]))
            .collect(),
        world: labels.world,
    });
    Evidence::Labels(graphs.collect())
}

fn rows(flow: &FlowGraph<'_>, function: crate::graph::FunctionId, bytes: &[u8]) -> FunctionLabels {
    let graph = flow.graph();
    let body = &flow.bodies[function.index()];
    let parameters = match function == graph.entry() {
        true => 0, // labels of the inputs of the step are seeds
        false => graph.arguments(graph.function(function).body).len(),
    };
    let origins = 2 + parameters;
    if !body.reachable {
        return FunctionLabels { origins, rows: String::new() };
    }
    let digits = origins.div_ceil(4);
    let mut text = vec![0u8; digits * body.values.len()];
    let mut set = |row: usize, origin: usize| text[row * digits + digits - 1 - origin / 4] |= 1 << (origin % 4);
    for (row, value) in body.values.clone().enumerate() {
        if bytes[value] != 0 {
            set(row, 0);
        }
    }
    for first in (0..parameters).step_by(COLUMNS_AT_ONCE) {
        let columns = flow.parameter_rows(function, first..parameters.min(first + COLUMNS_AT_ONCE));
        for row in 0..body.values.len() {
            columns.any.row(row).for_each(|column| set(row, 2 + first + column));
        }
    }
    let rows = text.into_iter().map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('f')).collect();
    FunctionLabels { origins, rows }
}
