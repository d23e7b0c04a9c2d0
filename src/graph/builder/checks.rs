//! What [`GraphBuilder`] checks beyond counts: types at loops, branches, calls and returns; recursion; paths.

use rustc_hash::FxHashSet;

use super::*;

/// Whether a value of one type may stand where the other is expected: equal, or equal but for extents and
/// encodings that are only known at run time.
fn compatible(graph: &TrainingGraph, found: TypeId, expected: TypeId) -> bool {
    if found == expected {
        return true;
    }
    match (graph.r#type(found), graph.r#type(expected)) {
        (Type::Tensor(a), Type::Tensor(b)) => a.element == b.element && same_shape(a, b),
        _ => false,
    }
}

fn same_shape(a: &TensorType, b: &TensorType) -> bool {
    match (&a.dimensions, &b.dimensions) {
        (Some(a), Some(b)) => {
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| match (a, b) {
                    (Some(a), Some(b)) => a == b,
                    _ => true,
                })
        }
        _ => true,
    }
}

impl GraphBuilder {
    pub(super) fn expect_types(
        &self,
        operation: &str,
        what: &str,
        found: &[ValueId],
        expected: &[TypeId],
    ) -> Result<(), BuildError> {
        expect_types(&self.graph, operation, what, found, expected)
    }

    /// Types and counts of an operation that has just been closed.
    pub(super) fn check_structure(&self, id: OperationId, kind: OperationKind) -> Result<(), BuildError> {
        use OperationKind as Kind;
        let graph = &self.graph;
        let name = graph.operation_name(id);
        let operands = graph.operands(id);
        let type_of = |value: &ValueId| graph.value(*value).r#type;
        let operand_types = || operands.iter().map(type_of).collect::<Vec<_>>();
        let result_types = || graph.results(id).iter().map(|value| type_of(&value)).collect::<Vec<_>>();
        let regions = graph.regions_of(id);
        let arguments = |region: usize| graph.arguments(regions[region]).iter().collect::<Vec<_>>();
        let count = |what: &'static str, found: usize, expected: usize| {
            let operation = name.to_string();
            if found == expected {
                return Ok(());
            }
            Err(BuildError::Count { operation, what, found, expected: expected.to_string() })
        };
        match kind {
            Kind::While => {
                let types = operand_types();
                count("results", graph.results(id).len(), operands.len())?;
                let results: Vec<_> = graph.results(id).iter().collect();
                expect_types(graph, name, "result", &results, &types)?;
                expect_types(graph, name, "argument of the condition", &arguments(0), &types)?;
                expect_types(graph, name, "argument of the body", &arguments(1), &types)?;
                expect_types(graph, name, "value that the body returns", graph.yields(regions[1]), &types)?;
                count("values returned by the condition", graph.yields(regions[0]).len(), 1)
            }
            Kind::If | Kind::Case => {
                let types = result_types();
                for &region in regions {
                    count("arguments of a branch", graph.arguments(region).len(), 0)?;
                    expect_types(graph, name, "value that a branch returns", graph.yields(region), &types)?;
                }
                Ok(())
            }
            Kind::Reduce | Kind::ReduceWindow => {
                let results = graph.results(id).len();
                count("operands", operands.len(), 2 * results)?;
                count("arguments of the region", arguments(0).len(), 2 * results)?;
                count("values returned by the region", graph.yields(regions[0]).len(), results)
            }
            Kind::Scatter => {
                let results = graph.results(id).len();
                count("operands", operands.len(), 2 * results + 1)?;
                count("arguments of the region", arguments(0).len(), 2 * results)?;
                count("values returned by the region", graph.yields(regions[0]).len(), results)
            }
            Kind::Sort => {
                count("results", graph.results(id).len(), operands.len())?;
                count("arguments of the region", arguments(0).len(), 2 * operands.len())?;
                count("values returned by the region", graph.yields(regions[0]).len(), 1)
            }
            Kind::Map => {
                count("arguments of the region", arguments(0).len(), operands.len())?;
                count("values returned by the region", graph.yields(regions[0]).len(), 1)
            }
            Kind::SelectAndScatter => {
                for &region in regions {
                    count("arguments of the region", graph.arguments(region).len(), 2)?;
                    count("values returned by the region", graph.yields(region).len(), 1)?;
                }
                Ok(())
            }
            Kind::AllReduce | Kind::ReduceScatter => {
                count("results", graph.results(id).len(), operands.len())?;
                count("arguments of the region", arguments(0).len(), 2)?;
                count("values returned by the region", graph.yields(regions[0]).len(), 1)
            }
            Kind::ManualComputation | Kind::NamedComputation => {
                count("arguments of the region", arguments(0).len(), operands.len())?;
                count("values returned by the region", graph.yields(regions[0]).len(), graph.results(id).len())
            }
            Kind::AllGather | Kind::OptimizationBarrier => count("results", graph.results(id).len(), operands.len()),
            Kind::Add
            | Kind::And
            | Kind::Atan2
            | Kind::Divide
            | Kind::Maximum
            | Kind::Minimum
            | Kind::Multiply
            | Kind::Or
            | Kind::Power
            | Kind::Remainder
            | Kind::Subtract
            | Kind::Xor
            | Kind::Compare
            | Kind::Select => self.check_shapes(id, kind),
            _ => Ok(()),
        }
    }

    /// Elementwise operations: every operand has the shape of the result; the predicate of a select may be rank 0.
    fn check_shapes(&self, id: OperationId, kind: OperationKind) -> Result<(), BuildError> {
        let graph = &self.graph;
        let result = graph.results(id).get(0).expect("one result");
        let Some(expected) = graph.tensor_type(result) else { return Ok(()) };
        for (position, operand) in graph.operands(id).iter().enumerate() {
            if graph.value(*operand).r#type == graph.value(result).r#type {
                continue;
            }
            let Some(found) = graph.tensor_type(*operand) else { continue };
            let is_scalar_predicate = kind == OperationKind::Select && position == 0 && found.rank() == Some(0);
            if !same_shape(found, expected) && !is_scalar_predicate {
                return Err(BuildError::Type {
                    operation: graph.operation_name(id).into(),
                    what: format!("operand {position}"),
                    found: found.to_string(),
                    expected: format!("the shape of {expected}"),
                });
            }
        }
        Ok(())
    }
}

fn expect_types(
    graph: &TrainingGraph,
    operation: &str,
    what: &str,
    found: &[ValueId],
    expected: &[TypeId],
) -> Result<(), BuildError> {
    if found.len() != expected.len() {
        return Err(BuildError::Type {
            operation: operation.into(),
            what: format!("the list of each {what}"),
            found: format!("of {} values", found.len()),
            expected: format!("of {} values", expected.len()),
        });
    }
    for (position, (value, expected)) in found.iter().zip(expected).enumerate() {
        let found = graph.value(*value).r#type;
        if !compatible(graph, found, *expected) {
            return Err(BuildError::Type {
                operation: operation.into(),
                what: format!("{what} {position}"),
                found: graph.type_text(found),
                expected: graph.type_text(*expected),
            });
        }
    }
    Ok(())
}

/// All functions, callees first; an error where calls recur. Keeps its own stack: call chains are as deep as the
/// input says.
pub(super) fn order_calls(graph: &TrainingGraph) -> Result<Vec<FunctionId>, BuildError> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let callees: Vec<Vec<FunctionId>> = graph
        .functions
        .iter()
        .map(|function| {
            let operations = graph.operations_within(function.body).iter();
            let mut callees: Vec<_> = operations.filter_map(|id| graph.operation(id).callee).collect();
            callees.sort_unstable();
            callees.dedup();
            callees
        })
        .collect();
    let mut state = vec![State::New; graph.functions.len()];
    let mut order = Vec::with_capacity(graph.functions.len());
    for root in graph.functions.ids() {
        let mut stack = vec![(root, 0)];
        while let Some((function, next)) = stack.pop() {
            if next == 0 {
                if state[function.index()] != State::New {
                    continue;
                }
                state[function.index()] = State::Open;
            }
            match callees[function.index()].get(next) {
                Some(&callee) => {
                    stack.push((function, next + 1));
                    match state[callee.index()] {
                        State::New => stack.push((callee, 0)),
                        State::Open => return Err(BuildError::Recursion(graph.functions[callee].name.clone())),
                        State::Done => {}
                    }
                }
                None => {
                    state[function.index()] = State::Done;
                    order.push(function);
                }
            }
        }
    }
    Ok(order)
}

/// Calls have the types of the functions that they call.
pub(super) fn check_calls(graph: &TrainingGraph) -> Result<(), BuildError> {
    for (id, operation) in graph.operations.iter_enumerated() {
        let Some(callee) = operation.callee else { continue };
        let function = &graph.functions[callee];
        let name = format!("{} @{}", graph.operation_name(id), function.name);
        let inputs: Vec<TypeId> =
            graph.arguments(function.body).iter().map(|value| graph.value(value).r#type).collect();
        expect_types(graph, &name, "operand", graph.operands(id), &inputs)?;
        let results: Vec<ValueId> = graph.results(id).iter().collect();
        expect_types(graph, &name, "result", &results, &function.output_types)?;
    }
    Ok(())
}

/// Inputs have different paths, outputs too, and what is declared as carried exists.
pub(super) fn check_paths(graph: &TrainingGraph) -> Result<(), BuildError> {
    let entry = &graph.functions[graph.entry];
    for (what, paths) in [("input", &entry.inputs), ("output", &entry.outputs)] {
        let mut seen = FxHashSet::default();
        if let Some(twice) = paths.iter().find(|path| !seen.insert(*path)) {
            return Err(BuildError::DuplicatePath(what, twice.clone()));
        }
    }
    for (output, input) in graph.declared_pairs.iter().flatten() {
        for (what, path, paths) in [("output", output, &entry.outputs), ("input", input, &entry.inputs)] {
            if !paths.iter().any(|candidate| candidate.starts_with(path)) {
                return Err(BuildError::NoSuchPath(path.clone(), what));
            }
        }
    }
    Ok(())
}
