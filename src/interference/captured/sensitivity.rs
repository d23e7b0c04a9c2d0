//! Exact derivatives of sinks by what leaves the source, with dual numbers: one pass forwards for each direction.
//!
//! **What a zero does not mean.** A derivative of zero is no evidence that nothing flows. Comparisons, roundings, signs,
//! integers and the bits of random numbers have no derivative: what is chosen by `argmax`, a mask or a branch may differ
//! while every derivative is zero. So those that looked at a number that moves are counted, with their places; only running
//! twice shows what they do. A derivative is that of one state: elsewhere it may be another. And it is that of one
//! direction: rewards that are compared with their own mean cancel where all of them move alike.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::draw::{Slot, draw};
use super::{Bundle, Captured, CapturedState, CapturedStep, MOST_TURNS, source};
use crate::exec::kernels::Field;
use crate::exec::{Dual, ExecError, FloatScalar, Hook, Losses, Tensor};
use crate::graph::{OperationId, OperationKind as Kind, TrainingGraph};
use crate::index::Id;
use crate::interference::{StepResult, Target, TrainingSystem};
use crate::render::text::safe;

/// In which direction derivatives are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// What moves: values that leave the source, or cotangents that leave it backwards.
    pub target: Target,
    /// How.
    pub movement: Movement,
}

/// How numbers move that leave the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// All alike.
    Alike,
    /// Each its own way, between minus one and one: nothing cancels by chance.
    Spread,
    /// Only the number that leaves as so manieth of its kind, counted from 0 over all steps.
    Single(usize),
}

impl Movement {
    /// The derivative of the number at a position.
    fn at(self, position: usize) -> f64 {
        match self {
            Movement::Alike => 1.0,
            Movement::Spread => (super::draw::mixed(position as u64) >> 11) as f64 / (1u64 << 52) as f64 - 1.0,
            Movement::Single(only) => f64::from(u8::from(only == position)),
        }
    }
}

/// The derivative of one sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SinkSensitivity {
    /// The path of the output.
    pub name: String,
    /// The largest absolute derivative of an element, in any state and after any step.
    pub largest: f64,
    /// The largest Euclidean norm over all elements.
    pub norm: f64,
    /// How many elements have a derivative that is infinite or not known.
    pub unknown: u64,
    /// It has no derivative: its elements are no floats.
    pub is_discrete: bool,
}

/// An operation at which derivatives were lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossPlace {
    /// The name of the operation.
    pub operation: String,
    /// Where it is in the user's source, where that is known.
    pub place: String,
    /// How often.
    pub losses: Losses,
}

/// Derivatives of all sinks in one direction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// How many states were tried, and how many steps were run from each.
    pub states: u32,
    /// See `states`.
    pub steps: usize,
    /// How many numbers were moved.
    pub moved: u64,
    /// How many left the source that cannot be moved: integers and booleans.
    pub discrete: u64,
    /// In the order of the outputs.
    pub sinks: Vec<SinkSensitivity>,
    /// Where derivatives were lost, in the order of the operations.
    pub lost: Vec<LossPlace>,
    /// Numbers that nobody can compute and that were made up depend on others, without any derivative.
    pub made_up: bool,
}

impl Sensitivity {
    /// The largest absolute derivative of an element of any sink.
    pub fn largest(&self) -> f64 {
        self.sinks.iter().map(|sink| sink.largest).fold(0.0, f64::max)
    }

    /// Whether any sink has a derivative that is not zero, or not known.
    pub fn is_nonzero(&self) -> bool {
        self.sinks.iter().any(|sink| sink.largest > 0.0 || sink.unknown > 0)
    }

    /// How often a derivative was lost, over all places.
    pub fn losses(&self) -> Losses {
        self.lost.iter().fold(Losses::default(), |sum, place| sum + place.losses)
    }
}

/// So many sinks and places are shown to a person.
const ROWS_SHOWN: usize = 4;

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, steps) = (self.states, self.steps);
        let runs = if steps == 1 { format!("{states} states") } else { format!("{states} states and {steps} steps") };
        writeln!(f, "  sensitivity   {} numbers moved, over {runs}: largest {:.3e}", self.moved, self.largest())?;
        let mut moving: Vec<&SinkSensitivity> =
            self.sinks.iter().filter(|sink| sink.largest > 0.0 || sink.unknown > 0).collect();
        moving.sort_by(|a, b| b.largest.total_cmp(&a.largest));
        for sink in moving.iter().take(ROWS_SHOWN) {
            write!(f, "                {}: largest {:.3e}, norm {:.3e}", safe(&sink.name), sink.largest, sink.norm)?;
            if sink.unknown > 0 {
                write!(f, ", {} not known", sink.unknown)?;
            }
            writeln!(f)?;
        }
        let zero = self.sinks.len() - moving.len();
        writeln!(f, "                {zero} of {} sinks have derivative zero", self.sinks.len())?;
        let lost = self.losses();
        if lost.total() > 0 {
            writeln!(
                f,
                "  lost at       {} comparisons, {} roundings and {} conversions of numbers that move",
                lost.comparisons, lost.roundings, lost.conversions
            )?;
            let mut places: Vec<&LossPlace> = self.lost.iter().collect();
            places.sort_by_key(|place| std::cmp::Reverse(place.losses.total()));
            for place in places.iter().take(ROWS_SHOWN) {
                writeln!(f, "                {} at {}: {}", place.operation, safe(&place.place), place.losses.total())?;
            }
        }
        if self.discrete > 0 {
            writeln!(
                f,
                "                {} numbers that leave the source are no floats and cannot move",
                self.discrete
            )?;
        }
        writeln!(f, "                a zero does not mean that nothing flows: a choice has no derivative")
    }
}

/// What was seen of one sink so far.
#[derive(Clone, Default)]
struct Seen {
    largest: f64,
    norm: f64,
    unknown: u64,
    is_discrete: bool,
}

impl Seen {
    fn look<V: FloatScalar>(&mut self, tensor: &Tensor<Dual<V>>) {
        let mut derivatives: Vec<f64> = match tensor {
            Tensor::Float(_, array) => array.iter().map(|number| number.derivative().value()).collect(),
            Tensor::Complex(_, array) => {
                array.iter().flat_map(|number| [number.re, number.im]).map(|part| part.derivative().value()).collect()
            }
            _ => {
                self.is_discrete = true;
                return;
            }
        };
        let all = derivatives.len();
        derivatives.retain(|derivative| derivative.is_finite());
        self.unknown = self.unknown.max((all - derivatives.len()) as u64);
        let largest = derivatives.iter().fold(0.0, |largest: f64, derivative| largest.max(derivative.abs()));
        let scaled = derivatives.iter().map(|derivative| (derivative / largest).powi(2)).sum::<f64>();
        self.largest = self.largest.max(largest);
        self.norm = self.norm.max(if largest > 0.0 { largest * scaled.sqrt() } else { 0.0 });
    }
}

/// Gives numbers their derivative as they leave the source.
struct Seeds {
    direction: Direction,
    left: usize,
    moved: u64,
    discrete: u64,
}

impl Seeds {
    fn sow<V: FloatScalar>(&mut self, tensor: &mut Tensor<Dual<V>>, target: Target) {
        if target != self.direction.target {
            return;
        }
        match tensor {
            Tensor::Float(_, array) => array.map_inplace(|number| *number = self.moved(*number)),
            // The real parts.
            Tensor::Complex(_, array) => array.map_inplace(|number| number.re = self.moved(number.re)),
            Tensor::Boolean(_) | Tensor::Signed(..) | Tensor::Unsigned(..) => {
                self.discrete += tensor.element_count() as u64;
            }
            Tensor::Token | Tensor::Tuple(_) => {}
        }
    }

    fn moved<V: FloatScalar>(&mut self, number: Dual<V>) -> Dual<V> {
        let position = self.left;
        self.left += 1;
        let movement = self.direction.movement.at(position);
        self.moved += u64::from(movement != 0.0);
        Dual::new(number.plain(), number.derivative() + <V as Field>::from_f64(movement))
    }
}

/// By the name of a graph and its operation.
type LossesByPlace = BTreeMap<(String, OperationId), Losses>;

impl<S: FloatScalar + 'static> CapturedStep<'_, S> {
    /// An ordinary state and the inputs of so many steps, from a seed. They have the same bits whatever the scalar.
    pub fn drawn(&self, seed: u64, steps: usize) -> (CapturedState<S>, Vec<Bundle<S>>) {
        let drawn = |slots: &Arc<[Slot]>, step: usize| {
            // Even seeds give no special cases.
            let seed = seed.wrapping_add((step as u64) << 1) & !1;
            let tensors = slots.iter().enumerate().map(|(stream, slot)| draw(slot, seed, stream as u64)).collect();
            Bundle { slots: slots.clone(), tensors }
        };
        let state = CapturedState { carried: drawn(&self.state, 0), outputs: Vec::new() };
        (state, (1..=steps).map(|step| drawn(&self.outside, step)).collect())
    }
}

impl<V: FloatScalar + 'static> CapturedStep<'_, Dual<V>> {
    /// The derivatives of all sinks, over states that a seed gives and as many steps as are asked for.
    ///
    /// The state that is carried keeps its derivative from step to step; what the environment answers has none.
    pub fn sensitivity(&self, direction: Direction, states: u32, steps: usize, seed: u64) -> StepResult<Sensitivity> {
        let mut seen = vec![Seen::default(); self.sinks.len()];
        let mut seeds = Seeds { direction, left: 0, moved: 0, discrete: 0 };
        let mut lost = LossesByPlace::new();
        for number in 0..u64::from(states) {
            let (mut state, inputs) = self.drawn(seed.wrapping_add(number << 16), steps);
            seeds.left = 0;
            for inputs in inputs {
                let inputs = self.environment(&state, inputs);
                state =
                    self.step_by(&state, &inputs, |captured, inputs| run(captured, inputs, &mut seeds, &mut lost))?;
                for (seen, &(graph, output)) in seen.iter_mut().zip(&self.sinks) {
                    if let Some(tensor) = state.outputs.get(graph).and_then(|outputs| outputs.get(output)) {
                        seen.look(tensor);
                    }
                }
            }
        }
        let sinks = seen.into_iter().zip(&self.sinks).map(|(seen, &(graph, output))| SinkSensitivity {
            name: self.output_name(graph, output),
            largest: seen.largest,
            norm: seen.norm,
            unknown: seen.unknown,
            is_discrete: seen.is_discrete,
        });
        let lost = lost.into_iter().filter_map(|((name, id), losses)| {
            let graph = self.graphs.iter().find(|captured| captured.name == name)?.graph;
            let place = graph.user_place(graph.operation(id).place);
            Some(LossPlace {
                operation: graph.operation_name(id).to_string(),
                place: place.map_or_else(|| "a place that is not known".into(), |place| place.to_string()),
                losses,
            })
        });
        Ok(Sensitivity {
            states,
            steps,
            moved: seeds.moved,
            discrete: seeds.discrete,
            sinks: sinks.collect(),
            lost: lost.collect(),
            made_up: self.graphs.iter().any(|captured| !captured.unsupported.is_empty()),
        })
    }
}

/// Operations that are not inside a region that combines elements: looking into those would be slow.
fn outside_of_combinations(graph: &TrainingGraph) -> FixedBitSet {
    let mut outside = FixedBitSet::with_capacity(graph.operations().len());
    outside.insert_range(..);
    for (id, operation) in graph.operations().iter_enumerated() {
        if matches!(
            operation.kind,
            Kind::Reduce | Kind::ReduceWindow | Kind::Scatter | Kind::SelectAndScatter | Kind::Sort | Kind::Map
        ) {
            graph.operations_inside(id).iter().for_each(|inner| outside.set(inner.index(), false));
        }
    }
    outside
}

fn run<V: FloatScalar + 'static>(
    captured: &Captured<'_, Dual<V>>,
    mut inputs: Vec<Tensor<Dual<V>>>,
    seeds: &mut Seeds,
    lost: &mut LossesByPlace,
) -> Result<Vec<Tensor<Dual<V>>>, ExecError> {
    for &position in &captured.sources {
        seeds.sow(&mut inputs[position], Target::Value);
    }
    let operands = RefCell::new(FxHashMap::<OperationId, u64>::default());
    let all = outside_of_combinations(captured.graph);
    // What was lost since the last operation was lost by this one.
    Losses::take();
    let hook = Hook::new(all.ones().map(OperationId::new), |id, position, result: &mut Tensor<Dual<V>>| {
        let losses = Losses::take();
        if losses.total() > 0 {
            let sum = lost.entry((captured.name.clone(), id)).or_default();
            *sum = *sum + losses;
        }
        if captured.unsupported.contains(&id) {
            let operands = operands.borrow().get(&id).copied().unwrap_or(0);
            source::made_up(result, position, operands);
        }
        if let Some(exit) = captured.exits.get(&id)
            && exit.has(position)
        {
            seeds.sow(result, exit.target);
        }
    });
    let watched = captured.unsupported.iter().copied();
    let hook = hook.with_turns(MOST_TURNS).watching(watched, |id, tensors| {
        operands.borrow_mut().insert(id, source::fingerprint(tensors));
    });
    captured.program.run_with(inputs, hook)
}
