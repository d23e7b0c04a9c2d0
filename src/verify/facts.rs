//! What a graph says about itself that every check needs: reachable functions, side effects, references.

use crate::graph::{Attribute, FunctionId, OperationId, OperationKind, TrainingGraph};
use crate::index::Id;

/// Custom calls that pass their operand on, and whose declared side effect keeps the compiler from removing them.
const MARKERS: &[&str] = &[
    "annotate_device_placement",
    "xla.sdy.FuncResultSharding",
    "MoveToHost",
    "MoveToDevice",
    "PinToDevice",
    "PinToDeviceSram",
];

/// Custom calls that a witness path may cross: functions of their operands.
const PURE: &[&str] = &[
    "Sharding",
    "SPMDFullToShardShape",
    "SPMDShardToFullShape",
    "LayoutConstraint",
    "ragged_all_to_all",
    "TopK",
    "__gpu$TopK",
    "ApproxTopK",
    "PartialReduce",
    "Eigh",
    "LuDecomposition",
    "Qr",
    "tridiagonal_solve_perturbed_ffi",
    "ProductOfElementaryHouseholderReflectors",
    "__op$block_scaled_dot",
    "AllocateBuffer",
    "mhlo.acos",
    "mhlo.acosh",
    "mhlo.asinh",
    "mhlo.atanh",
    "mhlo.erf",
    "mhlo.tan",
    "mhlo.topk",
    "mhlo.cosh",
    "cu_lu_pivots_to_permutation",
    "hip_lu_pivots_to_permutation",
    "cu_cholesky_update_ffi",
    "hip_cholesky_update_ffi",
];
const PURE_PREFIXES: &[&str] = &[
    "lapack_",
    "blas_",
    "cusolver_",
    "cublas_",
    "cusparse_",
    "hipsolver_",
    "hipblas_",
    "hipsparse_",
    "chlo.",
    "cu_threefry2x32",
    "hip_threefry2x32",
    "cudnn_rnn",
    "hipdnn_rnn",
    "stablehlo.dynamic_",
    "xla.sdy.",
    "__cublas$",
    "__cudnn$fmha",
    "__cudnn$norm",
    "__cudnn$conv",
    "__cudnn$blockScaledDot",
    "__onednn$",
];

pub(super) struct Facts<'a> {
    pub graph: &'a TrainingGraph,
    /// For each function whether the step can call it.
    pub reachable: Vec<bool>,
    /// For each operation whether it talks to the world itself.
    pub touches_world: Vec<bool>,
    /// For each operation whether it, or something that it holds or calls, talks to the world.
    pub moves_world: Vec<bool>,
    /// For each operation the functions that it names other than by a call.
    names: Vec<(OperationId, Vec<FunctionId>)>,
    /// For each operation whether it names something in a way that is not understood.
    strange: Vec<bool>,
}

impl<'a> Facts<'a> {
    pub fn new(graph: &'a TrainingGraph) -> Self {
        let count = graph.operations().len();
        let mut facts = Facts {
            graph,
            reachable: vec![false; graph.functions().len()],
            touches_world: vec![false; count],
            moves_world: vec![false; count],
            names: Vec::new(),
            strange: vec![false; count],
        };
        facts.reachable[graph.entry().index()] = true;
        for caller in graph.callees_first().iter().rev() {
            if facts.reachable[caller.index()] {
                for operation in graph.operations_within(graph.function(*caller).body).iter() {
                    if let Some(callee) = facts.called(operation) {
                        facts.reachable[callee.index()] = true;
                    }
                }
            }
        }
        for operation in graph.operations().ids() {
            facts.look_at(operation);
        }
        facts.spread_effects();
        facts
    }

    /// The body that stands for a call.
    pub fn called(&self, operation: OperationId) -> Option<FunctionId> {
        let facts = self.graph.operation(operation);
        let is_call = facts.kind == OperationKind::Call || facts.kind == OperationKind::Composite;
        facts.callee.filter(|_| is_call)
    }

    pub fn function_of(&self, operation: OperationId) -> FunctionId {
        self.graph.region(self.graph.operation(operation).region).function
    }

    /// Whether a witness path may cross the operation: its rule is known.
    pub fn is_transparent(&self, operation: OperationId) -> bool {
        use OperationKind as Kind;
        if self.strange[operation.index()] {
            return false;
        }
        match self.graph.operation(operation).kind {
            Kind::Unknown | Kind::AsyncStart | Kind::AsyncDone => false,
            Kind::Infeed | Kind::Outfeed | Kind::Recv | Kind::Send => false,
            Kind::Call | Kind::Composite => self.called(operation).is_some(),
            Kind::CustomCall => {
                let target = self.target(operation);
                let known = PURE.contains(&target) || PURE_PREFIXES.iter().any(|prefix| target.starts_with(prefix));
                MARKERS.contains(&target) || (known && !self.touches_world[operation.index()])
            }
            _ => true,
        }
    }

    /// Whether the operation hands the world what it gets, and gets what the world holds: it talks to the world, or
    /// something in it does and it is not understood.
    pub fn is_open_to_world(&self, operation: OperationId) -> bool {
        self.touches_world[operation.index()]
            || (self.moves_world[operation.index()] && !self.is_transparent(operation))
    }

    fn target(&self, operation: OperationId) -> &'a str {
        self.graph.attribute(operation, "call_target_name").and_then(Attribute::as_text).unwrap_or_default()
    }

    fn look_at(&mut self, operation: OperationId) {
        use OperationKind as Kind;
        let graph = self.graph;
        let kind = graph.operation(operation).kind;
        let mut named = Vec::new();
        let (mut strange, mut missing) = (false, false);
        for (key, value) in graph.attributes(operation).iter() {
            let symbols = value.symbols();
            let is_placement = key.starts_with("sdy.")
                || ["sharding", "in_shardings", "out_shardings", "mhlo.sharding", "mesh", "mesh_name"]
                    .contains(&&**key);
            if symbols.is_empty() || is_placement || self.called(operation).is_some() {
                continue;
            }
            strange |= !(kind == Kind::CustomCall && &**key == "called_computations");
            for symbol in symbols {
                match graph.functions().ids().find(|id| &*graph.function(*id).name == symbol) {
                    Some(function) => named.push(function),
                    None => missing = true,
                }
            }
        }
        if let Some(callee) = graph.operation(operation).callee
            && self.called(operation).is_none()
        {
            missing = true;
            named.push(callee);
        }
        let touches = match kind {
            Kind::Unknown | Kind::Infeed | Kind::Outfeed | Kind::Recv | Kind::Send | Kind::Rng => true,
            Kind::Call | Kind::Composite => graph.operation(operation).callee.is_none(),
            Kind::CustomCall => {
                let declared = graph.attribute(operation, "has_side_effect");
                declared.is_some_and(|effect| effect.as_boolean() != Some(false))
                    && !MARKERS.contains(&self.target(operation))
            }
            _ => false,
        };
        self.touches_world[operation.index()] = touches || missing;
        self.strange[operation.index()] = strange || missing;
        if !named.is_empty() {
            self.names.push((operation, named));
        }
    }

    /// From operations to what holds, calls or names them, until nothing changes.
    fn spread_effects(&mut self) {
        let graph = self.graph;
        loop {
            let mut changed = false;
            let mut active = vec![false; graph.functions().len()];
            for function in graph.callees_first() {
                active[function.index()] = graph.operations_within(graph.function(*function).body).iter().any(|id| {
                    self.touches_world[id.index()] || self.called(id).is_some_and(|callee| active[callee.index()])
                });
            }
            for operation in graph.operations().ids() {
                self.moves_world[operation.index()] = self.touches_world[operation.index()]
                    || self.called(operation).is_some_and(|callee| active[callee.index()]);
            }
            for (operation, named) in &self.names {
                if named.iter().any(|function| active[function.index()]) && !self.touches_world[operation.index()] {
                    self.touches_world[operation.index()] = true;
                    self.strange[operation.index()] = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        // To the operations around: from the last to the first, each to its parent.
        for operation in graph.operations().ids().rev() {
            if self.moves_world[operation.index()]
                && let Some(parent) = graph.region(graph.operation(operation).region).parent
            {
                self.moves_world[parent.index()] = true;
            }
        }
    }

    /// For each operation whether its results are source: those that were picked, and those that name a function
    /// with a source in it.
    pub fn closed_sources(&self, picked: &[OperationId]) -> Vec<bool> {
        let graph = self.graph;
        let mut sources = vec![false; graph.operations().len()];
        for operation in picked {
            if let Some(source) = sources.get_mut(operation.index()) {
                *source = !graph.operation(*operation).kind.is_terminator();
            }
        }
        loop {
            let mut holds = vec![false; graph.functions().len()];
            for function in graph.callees_first() {
                holds[function.index()] = graph
                    .operations_within(graph.function(*function).body)
                    .iter()
                    .any(|id| sources[id.index()] || self.called(id).is_some_and(|callee| holds[callee.index()]));
            }
            let mut changed = false;
            for (operation, named) in &self.names {
                let source = &mut sources[operation.index()];
                if !*source && named.iter().any(|function| holds[function.index()]) {
                    *source = true;
                    changed = true;
                }
            }
            if !changed {
                return sources;
            }
        }
    }
}
