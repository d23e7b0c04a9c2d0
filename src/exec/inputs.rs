//! Inputs for a function that nobody gave any: the same for the same seed, and such that a step makes sense of them.
//!
//! What an input is for is seen in the graph: an integer that ends up as an index stays below the extent that it indexes;
//! a float that ends up under a root or a logarithm, as second moments do, is not negative.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::attributes::Attributes;
use super::kernels::Field;
use super::scalar::FloatScalar;
use super::shape::array_of;
use super::tensor::{Element, Tensor, TensorShape, wrap_signed, wrap_unsigned};
use crate::graph::{Definition, FunctionId, OperationId, OperationKind as Kind, TrainingGraph, ValueId};
use crate::index::{Id, IndexVec};

/// Integers that index nothing stay below this: counters, mostly.
const ORDINARY_BOUND: u64 = 4;

/// How an input is made, once its graph was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPlan {
    /// Its type; none for a token.
    pub r#type: Option<TensorShape>,
    /// Integers stay below this; none if all bits are used.
    pub bound: Option<u64>,
    /// Floats are not negative.
    pub is_positive: bool,
    /// Floats that are compared with something as they are: a NaN among them is neither less nor more.
    pub is_compared: bool,
}

impl InputPlan {
    /// The input that a stream of a seed gives.
    pub fn draw<S: FloatScalar>(&self, seed: u64, stream: u64) -> Tensor<S> {
        let Some(r#type) = &self.r#type else { return Tensor::Token };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        let shape = &r#type.shape;
        let count: usize = shape.iter().product();
        let words: Vec<u64> = (0..count).map(|_| random.next_u64()).collect();
        let unit = |word: u64| (word >> 11) as f64 / (1u64 << 53) as f64;
        let bounded = |word: &u64| self.bound.map_or(*word, |bound| word % bound.max(1));
        match r#type.element {
            Element::Boolean => Tensor::Boolean(array_of(shape, words.iter().map(|word| word & 1 == 1).collect())),
            Element::Signed(bits) => {
                let values = words.iter().map(|word| wrap_signed(bounded(word) as i64, bits));
                Tensor::Signed(bits, array_of(shape, values.collect()))
            }
            Element::Unsigned(bits) => {
                let values = words.iter().map(|word| wrap_unsigned(bounded(word), bits));
                Tensor::Unsigned(bits, array_of(shape, values.collect()))
            }
            Element::Float(kind) => {
                // Uniform, with the variance that keeps the size of what a matrix is multiplied with.
                let fan_in =
                    if shape.len() < 2 { 4 } else { shape[..shape.len() - 1].iter().product::<usize>().max(1) };
                let scale = (3.0 / fan_in as f64).sqrt();
                let number = |word: &u64| {
                    let value = (2.0 * unit(*word) - 1.0) * scale;
                    <S as Field>::from_f64(if self.is_positive { value.abs() } else { value }).rounded(kind)
                };
                Tensor::Float(kind, array_of(shape, words.iter().map(number).collect()))
            }
            Element::Complex(kind) => {
                let part = |word: u64| <S as Field>::from_f64(2.0 * unit(word) - 1.0).rounded(kind);
                let number = |word: &u64| num_complex::Complex::new(part(*word), part(word.rotate_left(32)));
                Tensor::Complex(kind, array_of(shape, words.iter().map(number).collect()))
            }
        }
    }
}

/// Who uses each value.
pub struct InputGenerator<'g> {
    graph: &'g TrainingGraph,
    uses: IndexVec<ValueId, Vec<(OperationId, usize)>>,
    seed: u64,
}

impl<'g> InputGenerator<'g> {
    /// For the functions of a graph.
    pub fn new(graph: &'g TrainingGraph, seed: u64) -> Self {
        let mut uses = IndexVec::filled(Vec::new(), graph.values().len());
        for id in graph.operations().ids() {
            for (position, &operand) in graph.operands(id).iter().enumerate() {
                uses[operand].push((id, position));
            }
        }
        InputGenerator { graph, uses, seed }
    }

    /// The input at a position of a function; none if its type is not known before the run or not supported.
    pub fn input<S: FloatScalar>(&self, function: FunctionId, position: usize) -> Option<Tensor<S>> {
        // A stream of its own: what one input is does not depend on which others are given.
        Some(self.plan(function, position)?.draw(self.seed, position as u64))
    }

    /// How the input at a position of a function is made; none if its type is not known before the run or not supported.
    pub fn plan(&self, function: FunctionId, position: usize) -> Option<InputPlan> {
        let value = self.graph.arguments(self.graph.function(function).body).get(position)?;
        let Some(r#type) = self.graph.tensor_type(value) else {
            let is_token = matches!(self.graph.r#type(self.graph.value(value).r#type), crate::graph::Type::Token);
            return is_token.then_some(InputPlan { r#type: None, bound: None, is_positive: false, is_compared: false });
        };
        let r#type = TensorShape::of(r#type)?;
        let (bound, is_positive) = match r#type.element {
            Element::Signed(_) => (Some(self.bound(value).unwrap_or(ORDINARY_BOUND)), false),
            // All bits, unless it is an index: unsigned words are random keys.
            Element::Unsigned(_) => (self.bound(value), false),
            Element::Float(_) => (None, self.is_under_root(value)),
            Element::Boolean | Element::Complex(_) => (None, false),
        };
        let is_compared = matches!(r#type.element, Element::Float(_)) && self.is_compared(value);
        Some(InputPlan { r#type: Some(r#type), bound, is_positive, is_compared })
    }

    /// Values that hold the elements of `start`, perhaps converted or moved, as `follow` says: each with its uses.
    fn reach(&self, start: ValueId, follow: impl Fn(OperationId, usize) -> bool) -> Vec<(OperationId, usize)> {
        let graph = self.graph;
        let mut seen = vec![false; graph.values().len()];
        let mut open = vec![start];
        let mut found = Vec::new();
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut seen[value.index()], true) {
                continue;
            }
            for &(id, position) in &self.uses[value] {
                let operation = graph.operation(id);
                let same_place = |values: crate::index::IdRange<ValueId>| values.get(position);
                match operation.kind {
                    Kind::Call | Kind::Composite => {
                        let body = operation.callee.map(|callee| graph.function(callee).body);
                        open.extend(body.and_then(|body| same_place(graph.arguments(body))));
                    }
                    Kind::While => {
                        let regions = graph.regions_of(id).iter();
                        open.extend(regions.filter_map(|&region| same_place(graph.arguments(region))));
                        open.extend(same_place(graph.results(id)));
                    }
                    kind if kind.is_terminator() => {
                        if let Some(parent) = graph.region(operation.region).parent {
                            open.extend(same_place(graph.results(parent)));
                        } else {
                            let function = graph.region(operation.region).function;
                            let calls =
                                graph.operations().ids().filter(|&id| graph.operation(id).callee == Some(function));
                            open.extend(calls.filter_map(|id| same_place(graph.results(id))));
                        }
                    }
                    _ => {
                        found.push((id, position));
                        if follow(id, position) {
                            open.extend(graph.results(id).get(0));
                        }
                    }
                }
            }
        }
        found
    }

    /// The smallest extent that an integer is an index for.
    fn bound(&self, value: ValueId) -> Option<u64> {
        let graph = self.graph;
        let follow = |id: OperationId, position: usize| match graph.operation(id).kind {
            Kind::Convert
            | Kind::Reshape
            | Kind::BroadcastInDim
            | Kind::Transpose
            | Kind::Slice
            | Kind::Concatenate
            | Kind::OptimizationBarrier
            | Kind::Add
            | Kind::ShardingConstraint
            | Kind::Clamp
            | Kind::Pad
            | Kind::Reverse => true,
            Kind::Select => position > 0,
            Kind::Gather | Kind::DynamicSlice => position == 0,
            _ => false,
        };
        let bounds = self.reach(value, follow).into_iter().filter_map(|(id, position)| self.bound_of_use(id, position));
        bounds.min()
    }

    fn bound_of_use(&self, id: OperationId, position: usize) -> Option<u64> {
        let graph = self.graph;
        let attributes = Attributes::of(graph, id);
        let operands = graph.operands(id);
        let extents =
            |position: usize| TensorShape::of(graph.tensor_type(*operands.get(position)?)?).map(|found| found.shape);
        let room = |extent: usize, size: usize| extent.saturating_sub(size) as u64 + 1;
        match graph.operation(id).kind {
            Kind::Gather if position == 1 => {
                let map = attributes.inner("dimension_numbers").ok()?.sizes("start_index_map").ok()?;
                let (own, sizes) = (extents(0)?, attributes.sizes("slice_sizes").ok()?);
                map.iter().filter_map(|&dimension| Some(room(*own.get(dimension)?, *sizes.get(dimension)?))).min()
            }
            Kind::Scatter if position == operands.len() / 2 => {
                let numbers = attributes.inner("scatter_dimension_numbers").ok()?;
                let map = numbers.sizes("scatter_dims_to_operand_dims").ok()?;
                let inserted = numbers.sizes("inserted_window_dims").ok()?;
                let own = extents(0)?;
                let bounds = map.iter().filter(|dimension| inserted.contains(dimension));
                bounds.filter_map(|&dimension| own.get(dimension).map(|&extent| extent as u64)).min()
            }
            Kind::DynamicSlice if position > 0 => {
                let (own, sizes) = (extents(0)?, attributes.sizes("slice_sizes").ok()?);
                Some(room(*own.get(position - 1)?, *sizes.get(position - 1)?))
            }
            Kind::DynamicUpdateSlice if position > 1 => {
                Some(room(*extents(0)?.get(position - 2)?, *extents(1)?.get(position - 2)?))
            }
            Kind::Case => Some(graph.regions_of(id).len() as u64),
            Kind::Compare if attributes.word("comparison_direction") == Some("EQ") => {
                self.iota_extent(*operands.get(1 - position.min(1))?)
            }
            _ => None,
        }
    }

    /// The extent that a value counts along, if it is made of an `iota`.
    fn iota_extent(&self, mut value: ValueId) -> Option<u64> {
        let graph = self.graph;
        for _ in 0..8 {
            let Definition::Result(id, _) = graph.value(value).definition else { return None };
            match graph.operation(id).kind {
                Kind::Iota => {
                    let dimension = Attributes::of(graph, id).size("iota_dimension").ok()?;
                    return TensorShape::of(graph.tensor_type(value)?)?
                        .shape
                        .get(dimension)
                        .map(|&extent| extent as u64);
                }
                Kind::BroadcastInDim | Kind::Reshape | Kind::Convert | Kind::Transpose => {
                    value = *graph.operands(id).first()?
                }
                _ => return None,
            }
        }
        None
    }

    /// Whether a float ends up under a root or a logarithm after nothing but sums, scaling and moves.
    fn is_under_root(&self, value: ValueId) -> bool {
        let graph = self.graph;
        let follow = |id: OperationId, position: usize| match graph.operation(id).kind {
            Kind::Convert
            | Kind::Reshape
            | Kind::BroadcastInDim
            | Kind::Transpose
            | Kind::Slice
            | Kind::OptimizationBarrier
            | Kind::Add => true,
            Kind::Select => position > 0,
            Kind::Multiply | Kind::Divide => {
                graph.operands(id).get(1 - position.min(1)).is_some_and(|&other| self.is_spread(other))
            }
            _ => false,
        };
        let is_root = |id: OperationId| matches!(graph.operation(id).kind, Kind::Sqrt | Kind::Rsqrt | Kind::Log);
        self.reach(value, follow).into_iter().any(|(id, _)| is_root(id))
    }

    /// Whether a float is compared with something, after nothing but moves.
    fn is_compared(&self, value: ValueId) -> bool {
        let kind = |id: OperationId| self.graph.operation(id).kind;
        let is_move = |id: OperationId, _| {
            matches!(kind(id), Kind::Convert | Kind::Reshape | Kind::BroadcastInDim | Kind::Transpose | Kind::Slice)
        };
        self.reach(value, is_move).into_iter().any(|(id, _)| kind(id) == Kind::Compare)
    }

    /// Whether a value is one number for all elements.
    fn is_spread(&self, value: ValueId) -> bool {
        let Definition::Result(id, _) = self.graph.value(value).definition else { return false };
        match self.graph.operation(id).kind {
            Kind::Constant => true,
            Kind::BroadcastInDim => {
                let operand = self.graph.operands(id).first().and_then(|&operand| self.graph.tensor_type(operand));
                operand.and_then(|tensor| tensor.rank()) == Some(0)
            }
            _ => self.graph.tensor_type(value).and_then(|tensor| tensor.rank()) == Some(0),
        }
    }
}
