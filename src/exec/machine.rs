//! Runs a program: a stack of frames, one for each region that is under way.

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashMap;

use super::elementwise::shared;
use super::error::ExecError;
use super::instruction::{Instruction, Operand, Slot, Step};
use super::program::Program;
use super::scalar::FloatScalar;
use super::tensor::{Tensor, same_element};
use crate::graph::{FunctionId, OperationId, RegionId};
use crate::index::Id;

/// How deep regions that combine elements may lie in one another and not be compiled.
const LARGEST_NESTING: usize = 16;

/// What looks at the results of chosen operations and may replace them.
pub struct Hook<'h, S> {
    operations: FixedBitSet,
    #[allow(clippy::type_complexity, reason = "a name would say less")]
    callback: Box<dyn FnMut(OperationId, usize, &mut Tensor<S>) + 'h>,
    watched: FixedBitSet,
    #[allow(clippy::type_complexity, reason = "a name would say less")]
    watch: Box<dyn FnMut(OperationId, &[Tensor<S>]) + 'h>,
    turns_left: Option<u64>,
}

impl<'h, S> Hook<'h, S> {
    /// Calls back with the operation, the position of the result, and the result, which must keep its type and shape.
    pub fn new(
        operations: impl IntoIterator<Item = OperationId>,
        callback: impl FnMut(OperationId, usize, &mut Tensor<S>) + 'h,
    ) -> Self {
        Hook {
            operations: operations.into_iter().map(Id::index).collect(),
            callback: Box::new(callback),
            watched: FixedBitSet::new(),
            watch: Box::new(|_, _| ()),
            turns_left: None,
        }
    }

    /// Also shows the operands of these operations before each is done. Loops, branches, calls and what is inside regions
    /// that combine elements are not shown.
    pub fn watching(
        self,
        operations: impl IntoIterator<Item = OperationId>,
        watch: impl FnMut(OperationId, &[Tensor<S>]) + 'h,
    ) -> Self {
        Hook { watched: operations.into_iter().map(Id::index).collect(), watch: Box::new(watch), ..self }
    }

    /// Ends a run whose loops turn more often than this, all together: a replaced value may be what a loop ends by. The
    /// error [is told apart](ExecError::is_endless).
    pub fn with_turns(self, turns: u64) -> Self {
        Hook { turns_left: Some(turns), ..self }
    }

    fn has(&self, id: OperationId) -> bool {
        self.operations.contains(id.index())
    }

    /// Whether an operation inside the regions of another is chosen.
    pub(super) fn has_any_in(&self, mut range: std::ops::Range<usize>) -> bool {
        range.any(|position| self.operations.contains(position))
    }
}

/// A function under way: a value for each slot.
pub(super) type Activation<S> = Vec<Option<Tensor<S>>>;

/// A region under way.
struct Frame<S> {
    region: RegionId,
    next: usize,
    activation: usize,
    purpose: Purpose<S>,
}

/// What happens at the end of a region.
enum Purpose<S> {
    /// The run is over.
    Base,
    /// Its values are the results of a call.
    Call,
    /// Its values are the results of the operation.
    Branch,
    /// Its value says whether a loop goes on with this state.
    Condition(Vec<Tensor<S>>),
    /// Its values are the next state of a loop.
    Body,
}

/// A run of a program.
pub(super) struct Machine<'p, 'g, 'h, S> {
    pub program: &'p Program<'g, S>,
    pub hook: Option<Hook<'h, S>>,
    activations: Vec<Activation<S>>,
    nesting: usize,
    /// The most elements that were held at one time, if somebody asks.
    peak: Option<usize>,
    /// How many tensors of random numbers were drawn so far.
    pub draws: u64,
    /// What probes saw, by their names, where an expectation asks for it.
    pub probed: FxHashMap<&'p str, Vec<Tensor<S>>>,
}

impl<'p, 'g, 'h, S: FloatScalar> Machine<'p, 'g, 'h, S> {
    pub fn new(program: &'p Program<'g, S>, hook: Option<Hook<'h, S>>) -> Self {
        Machine {
            program,
            hook,
            activations: Vec::new(),
            nesting: 0,
            peak: None,
            draws: 0,
            probed: FxHashMap::default(),
        }
    }

    /// Runs the function of the program.
    pub fn run(mut self, inputs: Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, ExecError> {
        self.run_function(inputs)
    }

    /// Runs the function of the program, and says how many elements were held at most.
    pub fn run_measured(mut self, inputs: Vec<Tensor<S>>) -> Result<(Vec<Tensor<S>>, usize), ExecError> {
        self.peak = Some(0);
        let results = self.run_function(inputs)?;
        Ok((results, self.peak.unwrap_or(0)))
    }

    fn run_function(&mut self, inputs: Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, ExecError> {
        self.program.check_inputs(&inputs)?;
        let inputs = inputs.into_iter().map(in_order).collect();
        let function = self.program.function();
        self.activate(function);
        self.run_region(self.program.graph().function(function).body, 0, inputs)
    }

    fn activate(&mut self, function: FunctionId) {
        let mut slots = Vec::new();
        slots.resize_with(self.program.slot_count(function), || None);
        self.activations.push(slots);
    }

    fn error(&self, id: OperationId, message: impl Into<String>) -> ExecError {
        ExecError::at(self.program.graph(), id, message)
    }

    /// A value that is in a slot.
    pub fn value(&self, activation: usize, slot: Slot) -> Option<&Tensor<S>> {
        self.activations[activation][slot as usize].as_ref()
    }

    fn take(&mut self, activation: usize, operands: &[Operand]) -> Option<Vec<Tensor<S>>> {
        let slots = &mut self.activations[activation];
        let mut taken = Vec::with_capacity(operands.len());
        for operand in operands {
            let slot = &mut slots[operand.slot as usize];
            taken.push(if operand.is_last { slot.take() } else { slot.clone() }?);
        }
        Some(taken)
    }

    /// Puts arguments of a region into their slots.
    fn enter(&mut self, region: RegionId, activation: usize, arguments: Vec<Tensor<S>>) -> Result<(), String> {
        let block = self.program.block(region).ok_or("the region was not prepared")?;
        if block.arguments.len() != arguments.len() {
            return Err(format!("a region takes {} values, not {}", block.arguments.len(), arguments.len()));
        }
        for (slot, argument) in block.arguments.iter().zip(arguments) {
            if let Some(slot) = slot {
                self.activations[activation][*slot as usize] = Some(argument);
            }
        }
        Ok(())
    }

    /// Runs a region to its end, with everything that it calls.
    pub fn run_region(
        &mut self,
        region: RegionId,
        activation: usize,
        arguments: Vec<Tensor<S>>,
    ) -> Result<Vec<Tensor<S>>, ExecError> {
        if self.nesting == LARGEST_NESTING {
            return Err(ExecError::plain(format!("regions nested deeper than {LARGEST_NESTING} are not supported")));
        }
        self.nesting += 1;
        let results = self.run_frames(region, activation, arguments);
        self.nesting -= 1;
        results
    }

    fn run_frames(
        &mut self,
        region: RegionId,
        activation: usize,
        arguments: Vec<Tensor<S>>,
    ) -> Result<Vec<Tensor<S>>, ExecError> {
        let program = self.program;
        self.enter(region, activation, arguments).map_err(ExecError::plain)?;
        let mut frames = vec![Frame { region, next: 0, activation, purpose: Purpose::Base }];
        while let Some(frame) = frames.last_mut() {
            let activation = frame.activation;
            let block = program.block(frame.region).ok_or_else(|| ExecError::plain("the region was not prepared"))?;
            if let Some(step) = block.steps.get(frame.next) {
                let operands = self.take(activation, &step.operands);
                let operands = operands.ok_or_else(|| self.error(step.operation, "an operand has no value"))?;
                match self.begin(step, activation, operands).map_err(|message| self.error(step.operation, message))? {
                    Begun::Done(results) => {
                        frame.next += 1;
                        self.deliver(step, activation, results)?;
                    }
                    Begun::Enter(inner) => frames.push(inner),
                }
                continue;
            }
            let yields = self.take(activation, &block.yields);
            let yields = yields.ok_or_else(|| ExecError::plain("a result of a region has no value"))?;
            let Some(Frame { purpose, .. }) = frames.pop() else { break };
            let (outer, step) = match (purpose, frames.last_mut()) {
                (Purpose::Base, _) | (_, None) => return Ok(yields),
                (purpose, Some(outer)) => {
                    let block = program.block(outer.region);
                    let step = block.and_then(|block| block.steps.get(outer.next));
                    let Some(step) = step else { return Err(ExecError::plain("a region ends where none began")) };
                    match purpose {
                        Purpose::Call => {
                            self.activations.pop();
                            self.deliver(step, outer.activation, yields)?;
                            (outer, None)
                        }
                        Purpose::Condition(state) => {
                            let goes_on =
                                yields.first().map_or(Err("a condition has no value".into()), Tensor::as_condition);
                            if goes_on.map_err(|message| self.error(step.operation, message))? {
                                (outer, Some((step, state, true)))
                            } else {
                                self.deliver(step, outer.activation, state)?;
                                (outer, None)
                            }
                        }
                        Purpose::Body => (outer, Some((step, yields, false))),
                        Purpose::Branch | Purpose::Base => {
                            self.deliver(step, outer.activation, yields)?;
                            (outer, None)
                        }
                    }
                }
            };
            match step {
                None => outer.next += 1,
                Some((step, state, is_body)) => {
                    let inner = self.turn(step, activation, state, is_body);
                    frames.push(inner.map_err(|message| self.error(step.operation, message))?);
                }
            }
        }
        Err(ExecError::plain("the run ended without results"))
    }

    /// The body of a loop with a state, or its condition.
    fn turn(
        &mut self,
        step: &Step<S>,
        activation: usize,
        state: Vec<Tensor<S>>,
        is_body: bool,
    ) -> Result<Frame<S>, String> {
        let Instruction::While { condition, body } = step.instruction else { return Err("this is no loop".into()) };
        if is_body {
            self.enter(body, activation, state)?;
            return Ok(Frame { region: body, next: 0, activation, purpose: Purpose::Body });
        }
        if let Some(turns) = self.hook.as_mut().and_then(|hook| hook.turns_left.as_mut()) {
            *turns = turns.checked_sub(1).ok_or(super::error::ENDLESS)?;
        }
        self.enter(condition, activation, state.clone())?;
        Ok(Frame { region: condition, next: 0, activation, purpose: Purpose::Condition(state) })
    }

    /// Does an operation, or enters one of its regions.
    fn begin(&mut self, step: &'p Step<S>, activation: usize, operands: Vec<Tensor<S>>) -> Result<Begun<S>, String> {
        let branch = |machine: &mut Self, region: RegionId, arguments| {
            machine.enter(region, activation, arguments)?;
            Ok(Begun::Enter(Frame { region, next: 0, activation, purpose: Purpose::Branch }))
        };
        match &step.instruction {
            Instruction::While { .. } => self.turn(step, activation, operands, false).map(Begun::Enter),
            Instruction::If { on_true, on_false } => {
                let condition = operands.first().map_or(Err("there is no predicate".into()), Tensor::as_condition)?;
                branch(self, if condition { *on_true } else { *on_false }, Vec::new())
            }
            Instruction::Case(regions) => {
                let index = operands.first().map_or(Err("there is no index".into()), Tensor::as_index)?;
                // Out of range is the last one.
                let index = usize::try_from(index).ok().filter(|&index| index < regions.len());
                let region = index.map_or(regions.last(), |index| regions.get(index)).ok_or("there is no branch")?;
                branch(self, *region, Vec::new())
            }
            Instruction::Inline(region) => branch(self, *region, operands),
            Instruction::Call(function) => {
                self.activate(*function);
                let activation = self.activations.len() - 1;
                let region = self.program.graph().function(*function).body;
                self.enter(region, activation, operands)?;
                Ok(Begun::Enter(Frame { region, next: 0, activation, purpose: Purpose::Call }))
            }
            _ => {
                if let Some(hook) = &mut self.hook
                    && hook.watched.contains(step.operation.index())
                {
                    (hook.watch)(step.operation, &operands);
                }
                self.execute(step, activation, operands).map(Begun::Done)
            }
        }
    }

    /// Results of an operation go to the hook and into their slots, if they are what their types say.
    fn deliver(&mut self, step: &Step<S>, activation: usize, mut results: Vec<Tensor<S>>) -> Result<(), ExecError> {
        if results.len() != step.results.len() {
            let message = format!("{} results were made, not {}", results.len(), step.results.len());
            return Err(self.error(step.operation, message));
        }
        for (r#type, result) in step.types.iter().zip(&results) {
            if let Some(r#type) = r#type
                && (result.shape() != r#type.shape || result.element() != Some(r#type.element))
            {
                let found = result.element().map_or("no tensor".into(), |element| element.to_string());
                let message = format!(
                    "the result is {found} of shape {:?}, its type says {} of shape {:?}",
                    result.shape(),
                    r#type.element,
                    r#type.shape
                );
                return Err(self.error(step.operation, message));
            }
        }
        if let Some(hook) = &mut self.hook
            && hook.has(step.operation)
        {
            for (position, result) in results.iter_mut().enumerate() {
                (hook.callback)(step.operation, position, result);
                let replaced = std::mem::replace(result, Tensor::Token);
                *result = in_order(replaced);
            }
        }
        let slots = &mut self.activations[activation];
        for (slot, result) in step.results.iter().zip(results) {
            if let Some(slot) = slot {
                slots[*slot as usize] = Some(result);
            }
        }
        if let Some(peak) = self.peak {
            self.peak = Some(peak.max(held(&self.activations)));
        }
        for &slot in &step.drops {
            self.activations[activation][slot as usize] = None;
        }
        Ok(())
    }

    /// Whether the hook is to see the results of this operation.
    pub fn is_hooked(&self, id: OperationId) -> bool {
        self.hook.as_ref().is_some_and(|hook| hook.has(id))
    }
}

/// How many elements are held; arrays that are shared count once.
fn held<S: FloatScalar>(activations: &[Activation<S>]) -> usize {
    let tensors = activations.iter().flatten().flatten();
    let mut arrays: Vec<(usize, usize)> = tensors.map(|tensor| (tensor.address(), tensor.element_count())).collect();
    arrays.sort_unstable();
    arrays.dedup();
    arrays.iter().map(|(_, count)| count).sum()
}

enum Begun<S> {
    Done(Vec<Tensor<S>>),
    Enter(Frame<S>),
}

/// Elements in row-major order, as all operations expect them.
fn in_order<S: FloatScalar>(tensor: Tensor<S>) -> Tensor<S> {
    match tensor {
        Tensor::Token | Tensor::Tuple(_) => tensor,
        tensor => {
            same_element!(tensor, |array| if array.is_standard_layout() { array } else { shared(array.into_owned()) })
                .unwrap_or(Tensor::Token)
        }
    }
}
