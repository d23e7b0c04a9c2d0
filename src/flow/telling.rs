//! Steps of a path in words: operation, line, scope, type.

use super::*;
use crate::graph::{Definition, PlaceId, PytreePath, ScopeId};
use crate::transfer::{Dependence, Node};
use crate::verdict::WitnessStep;

/// Tells of the values and operations of a system.
pub(super) struct Teller<'s, 'g> {
    pub system: &'s System<'g>,
}

pub(super) fn output_path<'g>(system: &System<'g>, port: Port) -> &'g PytreePath {
    let graph = system.graphs[port.graph].graph();
    &graph.function(graph.entry()).outputs[port.position]
}

impl Teller<'_, '_> {
    pub fn at_output(&self, sink: Port, value: u32) -> WitnessStep {
        self.step(sink.graph, value, Hop::Sink, output_path(self.system, sink).to_string(), None)
    }

    pub fn at_input(&self, port: Port, hop: Hop, value: u32) -> WitnessStep {
        let graph = self.system.graphs[port.graph].graph();
        let path = graph.function(graph.entry()).inputs[port.position].to_string();
        self.step(port.graph, value, hop, path, None)
    }

    pub fn at_source(&self, position: usize, value: u32) -> WitnessStep {
        let graph = self.system.graphs[position].graph();
        match graph.value(ValueId::new(value as usize)).definition {
            Definition::Result(operation, _) => self.at_operation(position, operation, Hop::Source, value),
            Definition::Argument(_, input) => {
                let port = Port { graph: position, position: input as usize };
                self.at_input(port, Hop::Source, value)
            }
        }
    }

    /// An edge inside a function belongs to the operation that makes the value, or whose region takes it.
    pub fn at_edge(&self, position: usize, from: u32, to: u32) -> WitnessStep {
        let flow = &self.system.graphs[position];
        let graph = flow.graph();
        let operation = match graph.value(ValueId::new(to as usize)).definition {
            Definition::Result(operation, _) => Some(operation),
            Definition::Argument(region, _) => graph.region(region).parent,
        };
        let Some(operation) = operation else { return self.step(position, to, Hop::Data, String::new(), None) };
        let ends = [from, to].map(|value| Node::Value(ValueId::new(value as usize)));
        let mut hop = Hop::Implicit;
        flow.transfer().edges(operation, &mut |edge| {
            if [edge.from, edge.to] == ends && edge.kind == Dependence::Data {
                hop = Hop::Data;
            }
        });
        self.at_operation(position, operation, hop, to)
    }

    pub fn at_operation(&self, position: usize, operation: OperationId, hop: Hop, value: u32) -> WitnessStep {
        let graph = self.system.graphs[position].graph();
        self.step(position, value, hop, graph.operation_name(operation).to_string(), Some(operation))
    }

    fn step(&self, position: usize, value: u32, hop: Hop, op: String, operation: Option<OperationId>) -> WitnessStep {
        let graph = self.system.graphs[position].graph();
        let facts = operation.map(|operation| graph.operation(operation));
        let place = facts.map_or(PlaceId::new(0), |facts| facts.place);
        let scope = facts.map_or(ScopeId::new(0), |facts| facts.scope);
        let user = graph.user_place(place);
        let innermost = graph.place(place).map(|place| format!("{}:{}:{}", place.file, place.line, place.column));
        WitnessStep {
            hop,
            op,
            place: user.map(ToString::to_string),
            innermost,
            function: user.and_then(|place| place.function.as_deref()).map(str::to_string),
            scope: graph.scope_paths(scope).next().map(str::to_string),
            r#type: graph.type_text(graph.value(ValueId::new(value as usize)).r#type),
            line: facts.map_or(0, |facts| facts.text_line),
            graph: position,
            value,
        }
    }
}
