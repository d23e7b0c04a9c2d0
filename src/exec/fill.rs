//! Constants that are broadcast: done when a program is prepared, not in every run.

use rustc_hash::FxHashMap;

use super::decode::decode;
use super::instruction::{Block, Instruction};
use super::scalar::FloatScalar;
use super::shape::broadcast_in_dim;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::{Definition, OperationKind as Kind, TrainingGraph};

/// Larger results are made anew in each run, so that a program stays small.
const MOST_ELEMENTS: usize = 1 << 18;

/// Arrays of one constant, each made once.
#[derive(Default)]
pub(super) struct Fills<S> {
    known: FxHashMap<(Element, Vec<u64>, Vec<usize>), Tensor<S>>,
}

impl<S: FloatScalar> Fills<S> {
    /// Replaces the broadcasts of a block whose operand is a constant of rank 0.
    pub fn fill(&mut self, graph: &TrainingGraph, block: &mut Block<S>) {
        for step in &mut block.steps {
            let Instruction::BroadcastInDim(dims) = &step.instruction else { continue };
            let [Some(r#type)] = &step.types[..] else { continue };
            let [operand] = graph.operands(step.operation)[..] else { continue };
            let Definition::Result(constant, _) = graph.value(operand).definition else { continue };
            if !dims.is_empty() || graph.operation(constant).kind != Kind::Constant {
                continue;
            }
            let Instruction::Constant(value) = decode::<S>(graph, constant) else { continue };
            if let Some(filled) = self.filled(value, r#type) {
                step.instruction = Instruction::Filled { constant, filled };
            }
        }
    }

    fn filled(&mut self, value: Tensor<S>, r#type: &TensorShape) -> Option<Tensor<S>> {
        if !value.shape().is_empty() || r#type.shape.iter().product::<usize>() > MOST_ELEMENTS {
            return None;
        }
        let key = (value.element()?, value.to_bits(), r#type.shape.clone());
        if let Some(filled) = self.known.get(&key) {
            return Some(filled.clone());
        }
        let filled = broadcast_in_dim(value, &[], &r#type.shape).ok()?;
        self.known.insert(key, filled.clone());
        Some(filled)
    }
}
