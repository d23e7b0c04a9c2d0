//! A counterexample as a file: everything that a pair of runs needs, to the bit, and the identity of the graphs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::draw::{Bundle, Slot, parse_words, type_text, words_text};
use super::{CapturedState, CapturedStep, PairedQuestion};
use crate::exec::{Element, FloatScalar, Tensor};
use crate::graph::{Digest, PytreePath};
use crate::interference::{Case, Difference, Disturbance, Finiteness, Mode};

/// The version of the layout.
pub const CASE_FILE_VERSION: u32 = 1;

/// A tensor of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredInput {
    /// The graph that it is an input of, by position.
    pub graph: usize,
    /// The input.
    pub path: PytreePath,
    /// Its type: `f32[2x3]`.
    pub r#type: String,
    /// The bits of its elements in row-major order, in hexadecimal; `0*6` is six times zero.
    pub bits: String,
}

/// A pair of runs that differs, as a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// [`CASE_FILE_VERSION`].
    pub version: u32,
    /// The version of openloop that wrote it.
    pub tool: String,
    /// The identities of the graphs that it is about.
    pub digests: Vec<Digest>,
    /// What the policy calls them.
    pub names: Vec<String>,
    /// What is asked of them.
    pub question: PairedQuestion,
    /// Whether the environment listens.
    pub mode: Mode,
    /// What the second run has and the first has not.
    pub disturbance: Disturbance,
    /// Whether infinities, NaN or overflow were needed.
    pub finiteness: Finiteness,
    /// What differs first.
    pub difference: Difference,
    /// What is carried into the first step.
    pub state: Vec<StoredInput>,
    /// What each step takes from outside.
    pub inputs: Vec<Vec<StoredInput>>,
}

/// A case of a captured step.
pub type CapturedCase<S> = Case<CapturedState<S>, Bundle<S>>;

impl<S: FloatScalar + 'static> CapturedStep<'_, S> {
    /// A case of this step as a file.
    pub fn to_file(&self, case: &CapturedCase<S>, difference: &Difference, finiteness: Finiteness) -> CaseFile {
        CaseFile {
            version: CASE_FILE_VERSION,
            tool: env!("CARGO_PKG_VERSION").into(),
            digests: self.graphs.iter().map(|captured| captured.graph.digest()).collect(),
            names: self.graphs.iter().map(|captured| captured.name.clone()).collect(),
            question: self.question.clone(),
            mode: case.mode,
            disturbance: case.disturbance.clone(),
            finiteness,
            difference: difference.clone(),
            state: stored(&case.state.carried),
            inputs: case.inputs.iter().map(stored).collect(),
        }
    }

    /// The case of a file that was written for this step.
    pub fn from_file(&self, file: &CaseFile) -> Result<CapturedCase<S>, String> {
        let carried = bundle(&self.state, &file.state)?;
        let inputs = file.inputs.iter().map(|inputs| bundle(&self.outside, inputs));
        Ok(Case {
            state: CapturedState { carried, outputs: Vec::new() },
            inputs: inputs.collect::<Result<_, String>>()?,
            disturbance: file.disturbance.clone(),
            mode: file.mode,
        })
    }
}

fn stored<S: FloatScalar>(bundle: &Bundle<S>) -> Vec<StoredInput> {
    let one = |(slot, tensor): (&Slot, &Tensor<S>)| StoredInput {
        graph: slot.graph,
        path: slot.path.clone(),
        r#type: type_text(&slot.plan.r#type),
        bits: words_text(&tensor.to_bits()),
    };
    bundle.slots.iter().zip(&bundle.tensors).map(one).collect()
}

fn bundle<S: FloatScalar>(slots: &Arc<[Slot]>, stored: &[StoredInput]) -> Result<Bundle<S>, String> {
    let one = |slot: &Slot| {
        let path = &slot.path;
        let found = stored.iter().find(|stored| stored.graph == slot.graph && stored.path == *path);
        let found = found.ok_or_else(|| format!("the input `{path}` is missing"))?;
        let expected = type_text(&slot.plan.r#type);
        if found.r#type != expected {
            return Err(format!("the input `{path}` is {}, not {expected}", found.r#type));
        }
        let Some(r#type) = &slot.plan.r#type else { return Ok(Tensor::Token) };
        let words = if matches!(r#type.element, Element::Complex(_)) { 2 } else { 1 };
        let count = r#type.shape.iter().product::<usize>() * words;
        let bits = parse_words(&found.bits, count).map_err(|why| format!("the input `{path}`: {why}"))?;
        Tensor::from_bits(r#type, &bits).ok_or_else(|| format!("the input `{path}` cannot be made"))
    };
    Ok(Bundle { slots: slots.clone(), tensors: slots.iter().map(one).collect::<Result<_, String>>()? })
}
