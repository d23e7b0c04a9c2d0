//! Systems of any kind in one list.

use super::system::{OnArrays, Question, System};
use super::trace::written_down;
use crate::exec::Tensor;
use crate::graph::{BuildError, TrainingGraph};
use crate::interference::{Options, PairedReport, search};

/// A system, whatever its type: what can be asked of all of them.
pub trait Reference {
    /// What it is called.
    fn name(&self) -> String;

    /// Its step, as a graph with 32-bit floats.
    ///
    /// # Errors
    /// As [`written_down`].
    fn graph(&self) -> Result<TrainingGraph, BuildError>;

    /// What is asked of it.
    fn question(&self) -> Question;

    /// Runs its step in pairs, with 32-bit floats.
    fn pairs(&self, options: &Options) -> PairedReport;

    /// Runs so many steps from a state that is drawn from a seed: what went into each and what came out, in the order of
    /// the inputs and outputs of the graph.
    fn passages(&self, seed: u64, steps: usize) -> Vec<Passage>;
}

/// What went into a step and what came out.
#[derive(Clone, Debug)]
pub struct Passage {
    /// State, then inputs.
    pub before: Vec<Tensor<f32>>,
    /// The state after it.
    pub after: Vec<Tensor<f32>>,
}

impl<T: System + Clone> Reference for T {
    fn name(&self) -> String {
        System::name(self)
    }

    fn graph(&self) -> Result<TrainingGraph, BuildError> {
        written_down::<f32>(self)
    }

    fn question(&self) -> Question {
        System::question(self)
    }

    fn pairs(&self, options: &Options) -> PairedReport {
        search(&OnArrays::<T, f32>::new(self.clone()), options, &mut |_| ()).report
    }

    fn passages(&self, seed: u64, steps: usize) -> Vec<Passage> {
        OnArrays::<T, f32>::new(self.clone())
            .trajectory(seed, steps)
            .into_iter()
            .map(|(state, inputs, after)| Passage {
                before: [state.values(), inputs.values()].concat(),
                after: after.values(),
            })
            .collect()
    }
}
