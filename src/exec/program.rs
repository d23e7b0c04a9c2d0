//! A function, decoded once so that it can run many times.

use rustc_hash::FxHashMap;

use super::decode::decode;
use super::error::ExecError;
use super::fill::Fills;
use super::instruction::{Block, Instruction, Operand, Slot, Step};
use super::machine::{Hook, Machine};
use super::scalar::FloatScalar;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::{Definition, FunctionId, OperationId, OperationKind, RegionId, TrainingGraph, Type, ValueId};
use crate::index::Id;

/// A function of a graph, ready to run. See [`Program::new`].
///
/// ```
/// use openloop::exec::{Array, Program, Tensor};
/// use openloop::graph::{FloatKind, GraphBuilder, OperationKind};
///
/// let mut step = GraphBuilder::new("step");
/// let weight = step.input("w", "tensor<2xf32>");
/// let doubled = step.add(OperationKind::Add, &[weight, weight]);
/// step.output("result", doubled);
/// let graph = step.finish().expect("a valid graph");
///
/// let program = Program::<f32>::new(&graph).expect("floats of 32 bits");
/// let weight = Tensor::Float(FloatKind::F32, Array::from_elem(vec![2], 1.5));
/// let results = program.run(vec![weight]).expect("one input of the right type");
/// let Tensor::Float(_, doubled) = &results[0] else { panic!() };
/// assert_eq!(doubled[[0]], 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct Program<'g, S> {
    graph: &'g TrainingGraph,
    function: FunctionId,
    blocks: Vec<Option<Block<S>>>,
    /// For each function how many slots a run of it needs.
    slot_counts: Vec<usize>,
    /// The slot of every value, by position.
    slots: Vec<Slot>,
    /// Whether a run must remember what probes see.
    expects_probes: bool,
}

impl<'g, S: FloatScalar> Program<'g, S> {
    /// The step of a graph.
    ///
    /// An operation that cannot be run is an error only when a run comes to it.
    pub fn new(graph: &'g TrainingGraph) -> Result<Self, ExecError> {
        Self::of_function(graph, graph.entry())
    }

    /// Any function of a graph.
    pub fn of_function(graph: &'g TrainingGraph, function: FunctionId) -> Result<Self, ExecError> {
        let mut program = Program {
            graph,
            function,
            blocks: vec![None; graph.regions().len()],
            slot_counts: vec![0; graph.functions().len()],
            slots: vec![0; graph.values().len()],
            expects_probes: graph
                .operations()
                .iter()
                .any(|operation| operation.kind == OperationKind::ExpectSerializedEq),
        };
        program.refuse_wide_floats()?;
        let mut reached = vec![false; graph.functions().len()];
        let mut open = vec![function];
        reached[function.index()] = true;
        while let Some(function) = open.pop() {
            for id in graph.operations_within(graph.function(function).body).iter() {
                if let Some(callee) = graph.operation(id).callee
                    && !std::mem::replace(&mut reached[callee.index()], true)
                {
                    open.push(callee);
                }
            }
            program.prepare(function);
        }
        Ok(program)
    }

    /// The graph that it was made from.
    pub fn graph(&self) -> &'g TrainingGraph {
        self.graph
    }

    /// The function that it runs.
    pub fn function(&self) -> FunctionId {
        self.function
    }

    /// Runs it once. Inputs come in the order of the function.
    pub fn run(&self, inputs: Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, ExecError> {
        Machine::new(self, None).run(inputs)
    }

    /// Runs it once and hands the results of chosen operations to the hook, which may look at them or replace them: each
    /// time that such an operation is done, also in loops, called functions and regions that combine elements.
    pub fn run_with(&self, inputs: Vec<Tensor<S>>, hook: Hook<'_, S>) -> Result<Vec<Tensor<S>>, ExecError> {
        Machine::new(self, Some(hook)).run(inputs)
    }

    /// Runs it once, and says how many elements were held at one time at most:
    /// whatever nobody needs any more is freed at once.
    pub fn run_measured(&self, inputs: Vec<Tensor<S>>) -> Result<(Vec<Tensor<S>>, usize), ExecError> {
        Machine::new(self, None).run_measured(inputs)
    }

    /// The operations that no run gets over, unless a hook answers for them.
    pub fn unsupported(&self) -> impl Iterator<Item = OperationId> {
        let steps = self.blocks.iter().flatten().flat_map(|block| &block.steps);
        steps.filter(|step| matches!(step.instruction, Instruction::Unsupported(_))).map(|step| step.operation)
    }

    pub(super) fn expects_probes(&self) -> bool {
        self.expects_probes
    }

    pub(super) fn block(&self, region: RegionId) -> Option<&Block<S>> {
        self.blocks[region.index()].as_ref()
    }

    pub(super) fn slot_count(&self, function: FunctionId) -> usize {
        self.slot_counts[function.index()]
    }

    pub(super) fn slot(&self, value: ValueId) -> Slot {
        self.slots[value.index()]
    }

    /// A float type that the scalar cannot hold would be rounded without a word.
    fn refuse_wide_floats(&self) -> Result<(), ExecError> {
        for value in self.graph.values().ids() {
            let element = self.graph.tensor_type(value).and_then(|tensor| Element::of(&tensor.element));
            if let Some(Element::Float(kind) | Element::Complex(kind)) = element
                && kind.bits() > S::WIDEST.bits()
            {
                let (kind, widest) = (kind.name(), S::WIDEST.name());
                return Err(ExecError::plain(format!("the graph has values of type {kind}; the scalar is {widest}")));
            }
        }
        Ok(())
    }

    fn prepare(&mut self, function: FunctionId) {
        let graph = self.graph;
        let body = graph.function(function).body;
        let mut regions = vec![body];
        for id in graph.operations_within(body).iter() {
            regions.extend(graph.regions_of(id));
        }
        let mut count = 0;
        for &region in &regions {
            let own = graph.operations_directly_in(region).flat_map(|id| graph.results(id).iter());
            for value in graph.arguments(region).iter().chain(own) {
                self.slots[value.index()] = count;
                count += 1;
            }
        }
        self.slot_counts[function.index()] = count as usize;
        let mut fills = Fills::default();
        for region in regions {
            let mut block = self.block_of(region);
            fills.fill(graph, &mut block);
            self.blocks[region.index()] = Some(block);
        }
    }

    fn block_of(&self, region: RegionId) -> Block<S> {
        let graph = self.graph;
        let operations: Vec<OperationId> =
            graph.operations_directly_in(region).filter(|&id| !graph.operation(id).kind.is_terminator()).collect();
        let is_own = |value: ValueId| match graph.value(value).definition {
            Definition::Argument(owner, _) => owner == region,
            Definition::Result(id, _) => graph.operation(id).region == region,
        };
        // The position of the last operation that uses a value, in its own regions too. The end is after all.
        let end = operations.len();
        let mut last_use = FxHashMap::<ValueId, usize>::default();
        let mut captured = Vec::with_capacity(end);
        for (position, &id) in operations.iter().enumerate() {
            let inside = graph.operations_inside(id).iter().flat_map(|inner| graph.operands(inner));
            let inside: Vec<ValueId> = inside.copied().filter(|&value| is_own(value)).collect();
            for &value in graph.operands(id).iter().filter(|&&value| is_own(value)).chain(&inside) {
                last_use.insert(value, position);
            }
            captured.push(inside);
        }
        for &value in graph.yields(region).iter().filter(|&&value| is_own(value)) {
            last_use.insert(value, end);
        }
        let operands_of = |values: &[ValueId], position: usize, captured: &[ValueId]| -> Box<[Operand]> {
            let is_last = |index: usize, value: ValueId| {
                is_own(value)
                    && last_use.get(&value) == Some(&position)
                    && !values[index + 1..].contains(&value)
                    && !captured.contains(&value)
            };
            let operands = values.iter().enumerate();
            operands.map(|(index, &value)| Operand { slot: self.slot(value), is_last: is_last(index, value) }).collect()
        };
        let needed = |value: ValueId| last_use.contains_key(&value).then(|| self.slot(value));
        let steps = operations.iter().enumerate().map(|(position, &id)| {
            let mut drops: Vec<Slot> = captured[position]
                .iter()
                .filter(|&value| last_use.get(value) == Some(&position))
                .map(|&value| self.slot(value))
                .collect();
            drops.sort_unstable();
            drops.dedup();
            Step {
                operation: id,
                instruction: decode(graph, id),
                operands: operands_of(graph.operands(id), position, &captured[position]),
                results: graph.results(id).iter().map(needed).collect(),
                elements: graph
                    .results(id)
                    .iter()
                    .map(|value| Element::of(&graph.tensor_type(value)?.element))
                    .collect(),
                types: graph.results(id).iter().map(|value| TensorShape::of(graph.tensor_type(value)?)).collect(),
                drops: drops.into(),
            }
        });
        let steps = steps.collect();
        Block {
            arguments: graph.arguments(region).iter().map(needed).collect(),
            steps,
            yields: operands_of(graph.yields(region), end, &[]),
        }
    }

    /// Inputs are of the types of the function.
    pub(super) fn check_inputs(&self, inputs: &[Tensor<S>]) -> Result<(), ExecError> {
        let function = self.graph.function(self.function);
        let arguments = self.graph.arguments(function.body);
        if inputs.len() != arguments.len() {
            let (found, expected) = (inputs.len(), arguments.len());
            return Err(ExecError::plain(format!("@{} takes {expected} inputs, not {found}", function.name)));
        }
        for ((value, input), path) in arguments.iter().zip(inputs).zip(&function.inputs) {
            let r#type = self.graph.value(value).r#type;
            let fits = match self.graph.r#type(r#type) {
                Type::Tensor(tensor) => fits(tensor, input),
                _ => true,
            };
            if !fits {
                let expected = self.graph.type_text(r#type);
                let found = input.element().map_or("no tensor".into(), |element| format!("{element}"));
                let shape = input.shape();
                let message = format!("the input `{path}` is {found} of shape {shape:?}, not {expected}");
                return Err(ExecError::plain(message));
            }
        }
        Ok(())
    }
}

fn fits<S: FloatScalar>(expected: &crate::graph::TensorType, input: &Tensor<S>) -> bool {
    let Some(extents) = &expected.dimensions else { return true };
    super::tensor::Element::of(&expected.element) == input.element()
        && extents.len() == input.shape().len()
        && extents.iter().zip(input.shape()).all(|(extent, &found)| extent.is_none_or(|extent| extent == found as u64))
}
