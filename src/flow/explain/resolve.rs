//! Which value a name stands for: parameters for what is passed, results of calls for what is given back.

use rustc_hash::FxHashMap;

use crate::flow::System;
use crate::flow::refined::{Instance, Leak, Place};
use crate::graph::{Definition, OperationId, OperationKind, TrainingGraph, ValueId};

/// Follows names through the calls of a walk.
pub struct Resolver<'l, 'g> {
    system: &'l System<'g>,
    instances: &'l [Instance],
    calls: FxHashMap<(u32, OperationId), u32>,
}

/// So many names are followed for one value.
const MOST_NAMES: usize = 256;

impl<'l, 'g> Resolver<'l, 'g> {
    /// For the walk that made this leak.
    pub fn new(system: &'l System<'g>, leak: &'l Leak) -> Self {
        let mut calls = FxHashMap::default();
        for (position, instance) in leak.instances.iter().enumerate() {
            if let (Some(parent), Some(operation), None, false) =
                (instance.parent, instance.operation, instance.iteration, instance.repeated)
            {
                calls.insert((parent, operation), position as u32);
            }
        }
        Resolver { system, instances: &leak.instances, calls }
    }

    /// The graph that a place is in.
    pub fn graph(&self, place: Place) -> &'g TrainingGraph {
        self.system.graphs[self.instances[place.instance as usize].graph as usize].graph()
    }

    /// Whether a place is in the step itself, and in no call or loop.
    pub fn is_of_the_step(&self, place: Place) -> bool {
        self.instances[place.instance as usize].parent.is_none()
    }

    /// The position of the graph that a place is in.
    pub fn graph_position(&self, place: Place) -> usize {
        self.instances[place.instance as usize].graph as usize
    }

    /// The operation that makes the value of a place.
    pub fn operation(&self, place: Place) -> Option<OperationId> {
        match self.graph(place).value(place.value).definition {
            Definition::Result(operation, _) => Some(operation),
            Definition::Argument(..) => None,
        }
    }

    /// The place of a value that is used at a place: a value from outside of a loop is in an instance around it.
    pub fn used_at(&self, place: Place, value: ValueId) -> Place {
        let mut instance = place.instance;
        loop {
            let facts = &self.instances[instance as usize];
            let (Some(parent), Some(operation)) = (facts.parent, facts.operation) else { break };
            let graph = self.system.graphs[facts.graph as usize].graph();
            if graph.operation(operation).kind != OperationKind::While || is_inside(graph, operation, value) {
                break;
            }
            instance = parent;
        }
        Place { instance, value }
    }

    /// The place of an operand of the operation that makes the value of a place.
    pub fn operand(&self, place: Place, position: usize) -> Option<Place> {
        let operand = *self.graph(place).operands(self.operation(place)?).get(position)?;
        Some(self.used_at(place, operand))
    }

    /// The value itself: names of calls and barriers looked through.
    pub fn resolve(&self, mut place: Place) -> Place {
        for _ in 0..MOST_NAMES {
            match self.one_name_less(place) {
                Some(next) => place = next,
                None => break,
            }
        }
        place
    }

    fn one_name_less(&self, place: Place) -> Option<Place> {
        let graph = self.graph(place);
        match graph.value(place.value).definition {
            Definition::Argument(region, position) => {
                let facts = &self.instances[place.instance as usize];
                let (parent, call) = (facts.parent?, facts.operation?);
                if graph.region(region).parent.is_some() || graph.operation(call).kind == OperationKind::While {
                    return None; // carried by a loop
                }
                let operand = *graph.operands(call).get(position as usize)?;
                Some(self.used_at(Place { instance: parent, value: operand }, operand))
            }
            Definition::Result(operation, position) => {
                let facts = graph.operation(operation);
                match facts.kind {
                    OperationKind::OptimizationBarrier => self.operand(place, position as usize),
                    OperationKind::Call | OperationKind::Composite => {
                        let callee = facts.callee?;
                        let instance = *self.calls.get(&(place.instance, operation))?;
                        let value = *graph.yields(graph.function(callee).body).get(position as usize)?;
                        Some(Place { instance, value })
                    }
                    _ => None,
                }
            }
        }
    }

    /// A scalar that is the same for all elements: broadcasts and reshapes looked through.
    pub fn scalar(&self, place: Place) -> Option<Place> {
        let mut place = self.resolve(place);
        for _ in 0..MOST_NAMES {
            let graph = self.graph(place);
            if graph.tensor_type(place.value)?.element_count() == Some(1) {
                // A scalar under another shape is the same scalar.
                match self.operation(place).map(|operation| graph.operation(operation).kind) {
                    Some(OperationKind::Reshape | OperationKind::BroadcastInDim | OperationKind::Broadcast) => {}
                    _ => return Some(place),
                }
            }
            match graph.operation(self.operation(place)?).kind {
                OperationKind::BroadcastInDim | OperationKind::Broadcast | OperationKind::Reshape => {
                    place = self.resolve(self.operand(place, 0)?);
                }
                _ => return None,
            }
        }
        None
    }
}

/// Whether a value is made in the regions of an operation.
fn is_inside(graph: &TrainingGraph, operation: OperationId, value: ValueId) -> bool {
    let inside = graph.operations_inside(operation);
    match graph.value(value).definition {
        Definition::Result(maker, _) => inside.contains(maker),
        Definition::Argument(region, _) => match graph.region(region).parent {
            Some(parent) => parent == operation || inside.contains(parent),
            None => false,
        },
    }
}
