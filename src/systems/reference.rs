//! Systems of any kind in one list.

use super::system::{OnArrays, Question, System};
use super::trace::written_down;
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
}
