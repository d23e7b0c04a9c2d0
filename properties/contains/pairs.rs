//! Pairs of runs that are equal in all but what a probe makes.

use std::collections::BTreeMap;

use openloop::exec::{Element, ExecError, Hook, InputGenerator, Program, Tensor, TensorShape, encode_float};
use openloop::graph::{CarriedPairs, OperationId, OperationKind, TrainingGraph};

use super::super::elements::Random;

/// What is done to each number that leaves the probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    /// Moved, each time by the same amount.
    Shift(f64),
    Scale(f64),
    /// All of them are this.
    Replace(f64),
    /// Each is any number: a seed.
    Redraw(u64),
    /// Each is any number, NaN and infinities among them.
    RedrawAll(u64),
}

/// Where a probe is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Values,
    Cotangents,
    Both,
}

pub const DISTURBANCES: &[Disturbance] = &[
    Disturbance::Shift(0.0625),
    Disturbance::Redraw(1),
    Disturbance::Scale(-1.0),
    Disturbance::Replace(0.0),
    Disturbance::RedrawAll(2),
    Disturbance::Replace(f64::NAN),
    Disturbance::Redraw(3),
    Disturbance::Replace(f64::INFINITY),
    Disturbance::Scale(1e30),
    Disturbance::Shift(-4.0),
];

impl Disturbance {
    /// Other floats; and where it is safe other integers and booleans, which may be indices and tests.
    fn apply(self, tensor: &mut Tensor<f32>, draws: &mut Random, integers: bool) {
        let (Some(element), shape) = (tensor.element(), tensor.shape().to_vec()) else { return };
        if !integers && !matches!(element, Element::Float(_) | Element::Complex(_)) {
            return;
        }
        if let (Tensor::Float(_, array), Disturbance::Shift(_) | Disturbance::Scale(_)) = (&mut *tensor, self) {
            array.mapv_inplace(|number| match self {
                Disturbance::Shift(by) => number + by as f32,
                Disturbance::Scale(by) => number * by as f32,
                _ => number,
            });
            // Rounded to its own type as the interpreter does.
            let words = tensor.to_bits();
            *tensor = Tensor::from_bits(&TensorShape { shape, element }, &words).expect("the same words");
            return;
        }
        let count: usize = shape.iter().product();
        let words: Vec<u64> = match (self, element) {
            (Disturbance::Replace(by), Element::Float(kind)) => vec![encode_float(kind, by); count],
            _ => (0..count).flat_map(|_| draws.words(element, matches!(self, Disturbance::RedrawAll(_)))).collect(),
        };
        *tensor = Tensor::from_bits(&TensorShape { shape, element }, &words).expect("as many words");
    }

    fn seed(self) -> u64 {
        match self {
            Disturbance::Redraw(seed) | Disturbance::RedrawAll(seed) => seed,
            Disturbance::Shift(by) | Disturbance::Scale(by) | Disturbance::Replace(by) => by.to_bits(),
        }
    }
}

/// How inputs are drawn: from a seed, as they may come, or with something extreme in one of them.
#[derive(Clone, Copy, Debug)]
pub struct Base {
    pub seed: u64,
    pub extreme: bool,
}

/// What one run of some steps made.
pub struct Run {
    /// For each step the bits of each output.
    pub steps: Vec<Vec<Vec<u64>>>,
    /// Whether every product was of finite numbers.
    pub finite: bool,
    /// What the operations that are looked at made, in this order, in the first step.
    pub seen: BTreeMap<(OperationId, usize), Vec<Vec<u64>>>,
}

/// A step that can be run twice.
pub struct Pairs<'g> {
    graph: &'g TrainingGraph,
    program: Program<'g, f32>,
    carried: CarriedPairs,
    values: Vec<OperationId>,
    cotangents: Vec<OperationId>,
    products: Vec<OperationId>,
    /// Inputs whose elements are 0 or 1.
    binary: Vec<usize>,
    /// Whether integers of the probe may be disturbed: not where loops count with them.
    integers: bool,
}

impl<'g> Pairs<'g> {
    pub fn new(
        graph: &'g TrainingGraph,
        carried: CarriedPairs,
        sources: &[OperationId],
        binary: Vec<usize>,
    ) -> Result<Self, ExecError> {
        let is_cotangent =
            |id: &OperationId| graph.scope_paths(graph.operation(*id).scope).any(|path| path.contains("transpose("));
        let (cotangents, values) = sources.iter().copied().partition(is_cotangent);
        let of_kind = |kinds: &[OperationKind]| {
            let ids = graph.operations().ids();
            ids.filter(|id| kinds.contains(&graph.operation(*id).kind)).collect::<Vec<_>>()
        };
        Ok(Pairs {
            graph,
            program: Program::new(graph)?,
            carried,
            values,
            cotangents,
            products: of_kind(&[OperationKind::Multiply, OperationKind::DotGeneral]),
            binary,
            integers: of_kind(&[OperationKind::While]).is_empty(),
        })
    }

    pub fn has_cotangents(&self) -> bool {
        !self.cotangents.is_empty()
    }

    pub fn carried(&self) -> &CarriedPairs {
        &self.carried
    }

    /// The inputs of a step that are not carried, or of the first.
    pub fn inputs(&self, base: Base) -> Option<Vec<Tensor<f32>>> {
        let generator = InputGenerator::new(self.graph, base.seed);
        let mut random = Random(base.seed);
        let count = self.graph.inputs().len();
        let mut inputs: Vec<Tensor<f32>> =
            (0..count).map(|at| generator.input(self.graph.entry(), at)).collect::<Option<_>>()?;
        let extreme = random.below(count);
        for (position, input) in inputs.iter_mut().enumerate() {
            let Tensor::Float(_, array) = input else { continue };
            if self.binary.contains(&position) {
                array.mapv_inplace(|_| (random.next() % 2) as f32);
            } else if base.extreme && position == extreme {
                let of = [f32::NAN, f32::INFINITY, 0.0, -0.0, 1e30, -64.0];
                array.mapv_inplace(|number| if random.below(2) == 0 { *random.pick(&of) } else { number });
            }
        }
        Some(inputs)
    }

    /// Runs some steps, disturbed or not.
    pub fn run(
        &self,
        base: Base,
        steps: u64,
        disturbed: Option<(Disturbance, Target)>,
        looked_at: &[OperationId],
    ) -> Result<Run, ExecError> {
        let mut run = Run { steps: Vec::new(), finite: true, seen: BTreeMap::new() };
        let mut before: Option<Vec<Tensor<f32>>> = None;
        let mut draws = Random(disturbed.map_or(0, |(disturbance, _)| disturbance.seed()));
        for step in 0..steps {
            let fresh = Base { seed: base.seed + 1000 * step, extreme: base.extreme && step == 0 };
            let mut inputs = self.inputs(fresh).expect("inputs that were drawn before");
            if let Some(before) = before {
                self.carried.pairs.iter().for_each(|pair| inputs[pair.input] = before[pair.output].clone());
            }
            let (mut finite, seen) = (true, &mut run.seen);
            let hooked = self.values.iter().chain(&self.cotangents).chain(&self.products).chain(looked_at);
            let hook = Hook::new(hooked.copied(), |id, position, tensor: &mut Tensor<f32>| {
                if let Some((disturbance, target)) = disturbed
                    && ((target != Target::Cotangents && self.values.contains(&id))
                        || (target != Target::Values && self.cotangents.contains(&id)))
                {
                    disturbance.apply(tensor, &mut draws, self.integers);
                }
                if let Tensor::Float(_, array) = &*tensor
                    && self.products.contains(&id)
                {
                    finite &= array.iter().all(|number| number.is_finite());
                }
                if step == 0 && looked_at.contains(&id) {
                    seen.entry((id, position)).or_default().push(tensor.to_bits());
                }
            });
            let outputs = self.program.run_with(inputs, hook)?;
            run.finite &= finite;
            run.steps.push(outputs.iter().map(Tensor::to_bits).collect());
            before = Some(outputs);
        }
        Ok(run)
    }

    /// Runs some steps in which an operation makes what is given, one list of words for each step.
    pub fn run_replaced(&self, base: Base, operation: OperationId, words: &[Vec<u64>]) -> Result<Run, ExecError> {
        let mut run = Run { steps: Vec::new(), finite: true, seen: BTreeMap::new() };
        let mut before: Option<Vec<Tensor<f32>>> = None;
        for (step, words) in words.iter().enumerate() {
            let fresh = Base { seed: base.seed + 1000 * step as u64, extreme: base.extreme && step == 0 };
            let mut inputs = self.inputs(fresh).expect("inputs that were drawn before");
            if let Some(before) = before {
                self.carried.pairs.iter().for_each(|pair| inputs[pair.input] = before[pair.output].clone());
            }
            let hook = Hook::new([operation], |_, _, tensor: &mut Tensor<f32>| {
                let shape =
                    TensorShape { shape: tensor.shape().to_vec(), element: tensor.element().expect("a tensor") };
                *tensor = Tensor::from_bits(&shape, words).expect("as many words as elements");
            });
            let outputs = self.program.run_with(inputs, hook)?;
            run.steps.push(outputs.iter().map(Tensor::to_bits).collect());
            before = Some(outputs);
        }
        Ok(run)
    }
}
