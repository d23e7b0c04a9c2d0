//! Random training steps that are small and of the real kind: a model of the world with layers and a loss, a head that values
//! what the model thinks, a probe whose score enters the reward, gradients by transposed operations, an optimizer.
//!
//! A step is generated as a [`Recipe`], which shrinks: to fewer features, fewer layers, less width. Each feature is there in one
//! of two ways: as it should be, or so that the score gets into the beliefs.

mod maker;
mod parts;
mod routes;
mod tape;
mod text;

use openloop::graph::TrainingGraph;
use proptest::prelude::*;

/// What is in a step beside the model, the probe and the losses. Each has a clean form and a planted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Planted: the probe reads thoughts that are not detached.
    StopGradient,
    /// Planted: the value head trains what it reads.
    ValueGradient,
    /// Rows of a batch train either the beliefs or the desires, by `select`. Planted: one of the two is not masked.
    RouteWhere,
    /// The same, by factors of 0 and 1.
    RouteMultiply,
    /// The same, by an integer that says of what kind a row is.
    RouteKind,
    /// Rows are shuffled by a permutation that is data, masked and shuffled back. Planted: before they are masked.
    Shuffle,
    /// A loop adds up gradients row by row, each under its own test. Planted: under none.
    MicroBatches,
    /// The order of the rows by score. Planted: of those that train the beliefs.
    Sort,
    /// The best rows by score.
    TopK,
    /// Rows with a positive score.
    Filter,
    /// The score is folded into a random key. Planted: the key of the next step.
    Sample,
    /// The score is rounded to a bit, to four, to eight. Planted: and gets into the gradient of the beliefs.
    ToBit,
    /// To `i4`.
    ToSignedFour,
    /// To `ui8`.
    ToUnsignedEight,
    /// To a float of eight bits.
    ToFloatEight,
    /// An `if` on the score. Planted: it decides whether the beliefs are updated.
    BranchOnScore,
    /// An `if` on data. Planted: one branch adds an error of the desires to a gradient of the beliefs.
    BranchOnData,
    /// A clip by the norm of each group. Planted: by one norm.
    Clip,
    /// The same on one vector that holds all gradients.
    RavelledClip,
    /// Updates are skipped that are not finite. Planted: by one test.
    FiniteCheck,
    /// A dynamic loss scale for each group. Planted: one.
    LossScale,
    /// Beliefs and desires are rows of one parameter. Planted: rows are mixed.
    StackedRows,
    /// A loop carries beliefs, and a sum of errors. Planted: the sum gets into the beliefs in the second iteration.
    Scan,
    /// One function updates beliefs and desires. Planted: a call of it takes the wrong gradient.
    Twice,
    /// A moving average of the beliefs. Planted: its rate is made of an error.
    Average,
    /// Errors are kept for the next step. Planted: there they weigh the rows that train the beliefs.
    Memory,
    /// Two rows are kept, one for each group. Planted: the wrong one is read.
    MemoryRows,
    /// A mean of rewards is kept for the next step. Planted: there it is taken from what the beliefs read.
    Statistics,
}

impl Feature {
    pub const ALL: [Feature; 28] = [
        Feature::StopGradient,
        Feature::ValueGradient,
        Feature::RouteWhere,
        Feature::RouteMultiply,
        Feature::RouteKind,
        Feature::Shuffle,
        Feature::MicroBatches,
        Feature::Sort,
        Feature::TopK,
        Feature::Filter,
        Feature::Sample,
        Feature::ToBit,
        Feature::ToSignedFour,
        Feature::ToUnsignedEight,
        Feature::ToFloatEight,
        Feature::BranchOnScore,
        Feature::BranchOnData,
        Feature::Clip,
        Feature::RavelledClip,
        Feature::FiniteCheck,
        Feature::LossScale,
        Feature::StackedRows,
        Feature::Scan,
        Feature::Twice,
        Feature::Average,
        Feature::Memory,
        Feature::MemoryRows,
        Feature::Statistics,
    ];

    /// The type that the score is rounded to, and its bits.
    pub fn bottleneck(self) -> Option<(&'static str, u32)> {
        match self {
            Feature::ToBit => Some(("i1", 1)),
            Feature::ToSignedFour => Some(("i4", 4)),
            Feature::ToUnsignedEight => Some(("ui8", 8)),
            Feature::ToFloatEight => Some(("f8E4M3FN", 8)),
            _ => None,
        }
    }
}

/// A layer of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    Dense,
    /// Rows attend to rows.
    Attention,
    Normal,
    /// Two layers, as a loop over slices of one parameter.
    Stacked,
    /// A function that is called, and one that is its transpose.
    Called,
    /// A branch on data.
    Branch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Embedding {
    Dense,
    Gather,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    Square,
    CrossEntropy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Optimizer {
    Descent,
    Momentum,
    Adam,
    /// With weight decay.
    AdamDecay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    Plain,
    /// A function that is called.
    Called,
    /// A loop over rows.
    Loop,
}

/// A step before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub batch: usize,
    pub width: usize,
    pub embedding: Embedding,
    pub layers: Vec<Layer>,
    pub loss: Loss,
    pub optimizer: Optimizer,
    pub probe: Probe,
    /// Each with whether it is planted; each at most once.
    pub features: Vec<(Feature, bool)>,
}

impl Recipe {
    /// Whether a feature is there, and if so whether it is planted.
    pub fn find(&self, feature: Feature) -> Option<bool> {
        self.features.iter().find(|(found, _)| *found == feature).map(|(_, planted)| *planted)
    }

    pub fn is_clean(&self) -> bool {
        self.features.iter().all(|(_, planted)| !planted)
    }

    /// Whether it is clean only as long as masked products are of finite numbers.
    pub fn needs_finite(&self) -> bool {
        self.find(Feature::RouteMultiply).is_some()
    }

    pub fn text(&self) -> String {
        maker::step(self)
    }

    pub fn graph(&self) -> TrainingGraph {
        let text = self.text();
        openloop::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Names of all that is in it, for counting.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.features.iter().map(|(feature, _)| format!("{feature:?}")).collect();
        names.extend(self.layers.iter().map(|layer| format!("layer {layer:?}")));
        names.extend([
            format!("embedding {:?}", self.embedding),
            format!("loss {:?}", self.loss),
            format!("optimizer {:?}", self.optimizer),
            format!("probe {:?}", self.probe),
        ]);
        names.sort();
        names.dedup();
        names
    }
}

/// Random steps, of which `planted` in 16 features let the score through.
pub fn recipes(planted: u32) -> impl Strategy<Value = Recipe> {
    use prop::sample::select;
    let layers =
        select(vec![Layer::Dense, Layer::Attention, Layer::Normal, Layer::Stacked, Layer::Called, Layer::Branch]);
    let features = (select(Feature::ALL.to_vec()), prop::bool::weighted(f64::from(planted) / 16.0));
    (
        2..4usize,
        1..4usize,
        select(vec![Embedding::Dense, Embedding::Gather]),
        prop::collection::vec(layers, 0..3),
        select(vec![Loss::Square, Loss::CrossEntropy]),
        select(vec![Optimizer::Descent, Optimizer::Momentum, Optimizer::Adam, Optimizer::AdamDecay]),
        select(vec![Probe::Plain, Probe::Called, Probe::Loop]),
        prop::collection::vec(features, 0..6),
    )
        .prop_map(|(batch, width, embedding, layers, loss, optimizer, probe, found)| {
            let mut features: Vec<(Feature, bool)> = Vec::new();
            for (feature, planted) in found {
                if features.iter().all(|(known, _)| *known != feature) {
                    features.push((feature, planted));
                }
            }
            Recipe { batch, width, embedding, layers, loss, optimizer, probe, features }
        })
}
