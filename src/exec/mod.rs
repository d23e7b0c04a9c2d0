//! Floor 3: runs a training graph on `ndarray`, as the StableHLO specification says, element by element.
//!
//! [`Program::new`] decodes a function once; [`Program::run`] runs it as often as one likes. Floats are generic over
//! [`FloatScalar`], so that a plain number and a dual number go one way.
//!
//! **Invariants.** Deterministic. No recursion on the depth of calls, loops or branches. A graph that cannot be run is an
//! error that names the operation and its place, never a panic. Knows nothing of labels and verdicts.

mod attributes;
mod combine;
mod constant;
mod convert;
mod decode;
mod dual;
mod elementwise;
mod error;
mod execute;
mod expectation;
mod fill;
mod format;
mod inputs;
mod instruction;
pub mod kernels;
mod lapack;
mod machine;
mod program;
mod regions;
mod rng;
mod scalar;
mod scalar_program;
mod scan;
mod shape;
mod tensor;
pub mod values;

pub use dual::{Dual, Losses};
pub use error::ExecError;
pub use format::{decode_float, encode_float};
pub use inputs::{InputGenerator, InputPlan};
pub use machine::Hook;
pub use program::Program;
pub use scalar::FloatScalar;
pub use tensor::{Array, Element, Shape, Tensor, TensorShape};
