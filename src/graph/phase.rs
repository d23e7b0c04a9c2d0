//! Whether an operation belongs to a forward pass that was differentiated, or to the pass of cotangents.
//!
//! Scope paths say so (`jvp(..)`, `transpose(..)`), but inside private functions (bodies of scans, checkpoints, inner
//! jits) they are relative: the direction is then only in the path of the call. So a function takes over what the
//! paths of its calls say, from the entry downwards.

use super::*;

/// What the scope paths around an operation say, calls included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// Some path to it is under `jvp(..)`.
    pub differentiated: bool,
    /// Some path to it is under `transpose(..)`, and it is no recomputed forward pass.
    pub transposed: bool,
}

/// The phases of all operations of a graph.
#[derive(Clone, Debug)]
pub struct Phases<'g> {
    graph: &'g TrainingGraph,
    scopes: Vec<(Phase, bool)>,
    functions: Vec<Phase>,
}

impl<'g> Phases<'g> {
    /// Reads every scope once, and every call.
    pub fn new(graph: &'g TrainingGraph) -> Self {
        let of_scope = |scope: usize| {
            let mut phase = Phase::default();
            let mut recomputed = false;
            for path in graph.scope_paths(ScopeId::new(scope)).map(ScopePath::parse) {
                phase.differentiated |= path.differentiated;
                phase.transposed |= path.transposed;
                recomputed |= path.recomputed;
            }
            (phase, recomputed)
        };
        let scopes = (0..graph.scope_count()).map(of_scope).collect();
        let mut phases = Phases { graph, scopes, functions: vec![Phase::default(); graph.functions().len()] };
        for &caller in graph.callees_first().iter().rev() {
            for call in graph.operations_within(graph.function(caller).body).iter() {
                if let Some(callee) = graph.operation(call).callee {
                    let phase = phases.of(call);
                    let callee = &mut phases.functions[callee.index()];
                    callee.differentiated |= phase.differentiated;
                    callee.transposed |= phase.transposed;
                }
            }
        }
        phases
    }

    /// The phase of an operation.
    pub fn of(&self, operation: OperationId) -> Phase {
        let facts = self.graph.operation(operation);
        let (own, recomputed) = self.scopes[facts.scope.index()];
        let around = self.functions[self.graph.region(facts.region).function.index()];
        Phase {
            differentiated: own.differentiated || around.differentiated,
            transposed: (own.transposed || around.transposed) && !recomputed,
        }
    }
}
