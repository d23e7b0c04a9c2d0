//! Captured graphs as a [`TrainingSystem`].
//!
//! The source begins where the static check seeds its label: at the results of the operations of the source, of whatever
//! type, in loops and called functions too. Those that something outside of the source takes go through the probe, and so
//! do inputs that are sources. The state is what is carried; inputs are everything else, drawn for each step.
//!
//! Two things are made up, and each pair has the same of both: what an environment answers (inputs at the end of an
//! environment edge are drawn from a seed that the outputs at its beginning make), and what an operation gives that nobody
//! can run, such as a callback (drawn from a seed that its operands make).

mod draw;
mod file;
mod question;
mod sensitivity;
mod source;

use std::cell::RefCell;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use proptest::strategy::{BoxedStrategy, Strategy};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::{BitsOf, Part, Probe, StepResult, Target, TrainingSystem};
use crate::exec::{Element, ExecError, FloatScalar, Hook, InputGenerator, Program, Tensor, encode_float};
use crate::graph::{FloatKind, OperationId, TrainingGraph};
use crate::verdict::{Hop, Within};
use draw::{Draws, DrawsOf, Slot};
use source::Exit;

pub use draw::Bundle;
pub use file::{CASE_FILE_VERSION, CaseFile, StoredInput};
pub use question::{CapturedError, NamedGraphs, PairedQuestion};
pub use sensitivity::{Direction, LossPlace, Movement, Sensitivity, SinkSensitivity};

/// Loops of one run of a graph turn no more often than this.
const MOST_TURNS: u64 = 1 << 16;

/// Where an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    /// From the state, at a position.
    State(usize),
    /// From outside, at a position.
    Outside(usize),
    /// From an output of another graph in the same step.
    Link(usize, usize),
}

/// One graph, ready to run.
#[derive(Clone, Debug)]
struct Captured<'g, S> {
    name: String,
    graph: &'g TrainingGraph,
    program: Program<'g, S>,
    feeds: Vec<Feed>,
    exits: FxHashMap<OperationId, Exit>,
    /// Inputs that are sources, by position.
    sources: Vec<usize>,
    /// Operations for which something is made up.
    unsupported: FxHashSet<OperationId>,
    /// Products in which the assumption of finite operands is looked after.
    products: Vec<OperationId>,
}

/// A captured training step, or several that make one system.
#[derive(Clone, Debug)]
pub struct CapturedStep<'g, S> {
    graphs: Vec<Captured<'g, S>>,
    /// Positions of graphs, each after those that it takes something from.
    order: Vec<usize>,
    state: Arc<[Slot]>,
    outside: Arc<[Slot]>,
    /// For each slot of the state the graph and the output that it comes from.
    made_by: Vec<(usize, usize)>,
    /// Outputs that an input from outside listens to, by its slot.
    listens: Vec<(usize, Vec<(usize, usize)>)>,
    sinks: Vec<(usize, usize)>,
    allowed: Vec<(usize, usize)>,
    question: PairedQuestion,
}

/// What is carried, and what the last step gave.
#[derive(Clone)]
pub struct CapturedState<S> {
    carried: Bundle<S>,
    /// By graph; nothing before the first step.
    outputs: Vec<Vec<Tensor<S>>>,
}

impl<S: FloatScalar> Debug for CapturedState<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.carried.fmt(f)
    }
}

/// A place in the user's source at which something leaves the source of a question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SourcePlace {
    /// For a person: file, line and column, or what it is where no place is known.
    pub text: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, counted from 1; 0: none.
    pub line: u32,
}

/// Whether a graph has floats of more than 32 bits.
pub fn has_wide_floats(graph: &TrainingGraph) -> bool {
    let element = |value| graph.tensor_type(value).and_then(|tensor| Element::of(&tensor.element));
    let is_wide = |element| matches!(element, Element::Float(kind) | Element::Complex(kind) if kind.bits() > 32);
    graph.values().ids().filter_map(element).any(is_wide)
}

impl<'g, S: FloatScalar + 'static> CapturedStep<'g, S> {
    /// Makes graphs ready to run for a question.
    pub fn new(graphs: NamedGraphs<'_, 'g>, question: &PairedQuestion) -> Result<Self, CapturedError> {
        let from = question::matched(graphs, &question.from)?;
        let to = question::matched(graphs, &question.to)?;
        let allowed = question::matched(graphs, &question.allowed)?;
        let outputs = |matched: &[crate::policy::Matched]| -> Vec<(usize, usize)> {
            let of_graph = |(graph, matched): (usize, &crate::policy::Matched)| {
                matched.outputs.iter().map(move |&position| (graph, position)).collect::<Vec<_>>()
            };
            matched.iter().enumerate().flat_map(of_graph).collect()
        };
        let sinks = outputs(&to);
        let mut allowed = outputs(&allowed);
        if question.allowed.is_empty() {
            let all = graphs.iter().enumerate();
            allowed =
                all.flat_map(|(at, (_, graph))| (0..graph.outputs().len()).map(move |output| (at, output))).collect();
        }
        allowed.retain(|output| !sinks.contains(output));
        let wiring = Wiring::new(graphs, question)?;
        let mut captured = Vec::with_capacity(graphs.len());
        for (((name, graph), from), feeds) in graphs.iter().zip(from).zip(wiring.feeds) {
            let program = Program::<S>::new(graph);
            let program = program.map_err(|error| CapturedError::Graph(format!("{name}: {error}")))?;
            let products = graph.operations().iter_enumerated();
            let products = products.filter(|(_, operation)| question.finite && source::multiplies(operation.kind));
            captured.push(Captured {
                name: (*name).into(),
                graph,
                feeds,
                exits: source::exits(graph, &from.operations),
                sources: from.inputs,
                unsupported: program.unsupported().collect(),
                products: products.map(|(id, _)| id).collect(),
                program,
            });
        }
        Ok(CapturedStep {
            graphs: captured,
            order: wiring.order,
            state: wiring.state.into(),
            outside: wiring.outside.into(),
            made_by: wiring.made_by,
            listens: wiring.listens,
            sinks,
            allowed,
            question: question.clone(),
        })
    }

    /// What is asked of it.
    pub fn question(&self) -> &PairedQuestion {
        &self.question
    }

    /// How many outputs are sinks.
    pub fn sinks(&self) -> usize {
        self.sinks.len()
    }

    /// Places in the user's source of what leaves the source, values or cotangents: sorted, each once.
    pub fn places(&self, target: Target) -> Vec<SourcePlace> {
        let mut places = Vec::new();
        for captured in &self.graphs {
            let graph = captured.graph;
            for (&id, _) in captured.exits.iter().filter(|(_, exit)| exit.target == target) {
                places.push(match graph.user_place(graph.operation(id).place) {
                    Some(place) => {
                        SourcePlace { text: place.to_string(), file: Some(place.file.to_string()), line: place.line }
                    }
                    None => SourcePlace { text: graph.operation_name(id).to_string(), file: None, line: 0 },
                });
            }
            if target == Target::Value {
                let paths = captured.sources.iter().filter_map(|&at| graph.inputs().nth(at));
                let place = |path| SourcePlace { text: format!("the input {path}"), file: None, line: 0 };
                places.extend(paths.map(|(path, _)| place(path)));
            }
        }
        places.sort();
        places.dedup();
        places
    }

    /// Operations that nobody can run, for which something is made up: sorted, each name once.
    pub fn made_up(&self) -> Vec<String> {
        let names = self.graphs.iter().flat_map(|captured| {
            captured.unsupported.iter().map(|&id| {
                let target = captured.graph.attribute(id, "call_target_name").and_then(|target| target.as_text());
                let name = captured.graph.operation_name(id);
                target.map_or_else(|| name.to_string(), |target| format!("{name} @{target}"))
            })
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether a free environment has anything to listen to.
    pub fn has_environment(&self) -> bool {
        !self.listens.is_empty()
    }

    fn run(
        &self,
        captured: &Captured<'g, S>,
        mut inputs: Vec<Tensor<S>>,
        probe: &mut Probe<'_>,
    ) -> Result<Vec<Tensor<S>>, ExecError> {
        for &position in &captured.sources {
            source::disturb(&mut inputs[position], Target::Value, probe);
        }
        let probe = RefCell::new(probe);
        let operands = RefCell::new(FxHashMap::<OperationId, u64>::default());
        let hooked = captured.exits.keys().chain(&captured.unsupported).copied();
        let watched = captured.unsupported.iter().chain(&captured.products).copied();
        let hook = Hook::new(hooked, |id, position, result: &mut Tensor<S>| {
            if captured.unsupported.contains(&id) {
                let operands = operands.borrow().get(&id).copied().unwrap_or(0);
                source::made_up(result, position, operands);
            }
            if let Some(exit) = captured.exits.get(&id)
                && exit.has(position)
            {
                source::disturb(result, exit.target, &mut probe.borrow_mut());
            }
        });
        let hook = hook.with_turns(MOST_TURNS).watching(watched, |id, tensors| {
            if captured.unsupported.contains(&id) {
                operands.borrow_mut().insert(id, source::fingerprint(tensors));
            } else if source::zero_meets_infinity(captured.graph.operation(id).kind, tensors) {
                probe.borrow_mut().exclude();
            }
        });
        captured.program.run_with(inputs, hook)
    }

    /// One step, in which graphs are run as `run` says.
    fn step_by(
        &self,
        state: &CapturedState<S>,
        outside: &Bundle<S>,
        mut run: impl FnMut(&Captured<'g, S>, Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, ExecError>,
    ) -> StepResult<CapturedState<S>> {
        let mut outputs = vec![Vec::new(); self.graphs.len()];
        for &at in &self.order {
            let captured = &self.graphs[at];
            let input = |feed: &Feed| match *feed {
                Feed::State(slot) => state.carried.tensors.get(slot).cloned(),
                Feed::Outside(slot) => outside.tensors.get(slot).cloned(),
                Feed::Link(graph, output) => {
                    outputs.get(graph).and_then(|made: &Vec<Tensor<S>>| made.get(output).cloned())
                }
            };
            let inputs = captured.feeds.iter().map(input).collect::<Option<Vec<Tensor<S>>>>();
            outputs[at] = run(captured, inputs.ok_or("an input is missing")?)?;
        }
        let carried = self.made_by.iter().map(|&(graph, output)| outputs[graph].get(output).cloned());
        let tensors = carried.collect::<Option<Vec<Tensor<S>>>>().ok_or("an output is missing")?;
        Ok(CapturedState { carried: Bundle { tensors, slots: state.carried.slots.clone() }, outputs })
    }

    /// The path of an output, after the name of its graph where there are several.
    fn output_name(&self, graph: usize, position: usize) -> String {
        let captured = &self.graphs[graph];
        let path = captured.graph.outputs().nth(position).map_or_else(String::new, |(path, _)| path.to_string());
        if self.graphs.len() > 1 { format!("{}:{path}", captured.name) } else { path }
    }

    fn parts(&self, state: &CapturedState<S>, outputs: &[(usize, usize)]) -> Vec<Part> {
        let part = |&(graph, position): &(usize, usize)| {
            let tensor = state.outputs.get(graph)?.get(position)?;
            let name = self.output_name(graph, position);
            let mut bits = tensor.to_bits();
            let mut bits_of = BitsOf::Other;
            if let Some(Element::Float(kind)) = tensor.element() {
                bits_of = match kind {
                    FloatKind::F32 => BitsOf::F32,
                    FloatKind::F64 => BitsOf::F64,
                    _ => BitsOf::Other,
                };
                if self.question.finite {
                    let minus_zero = encode_float(kind, -0.0);
                    bits.iter_mut().filter(|bits| **bits == minus_zero).for_each(|bits| *bits = 0);
                }
            }
            Some(Part { name, bits_of, bits })
        };
        outputs.iter().filter_map(part).collect()
    }
}

impl<S: FloatScalar + 'static> TrainingSystem for CapturedStep<'_, S> {
    type State = CapturedState<S>;
    type Inputs = Bundle<S>;

    fn states(&self) -> BoxedStrategy<CapturedState<S>> {
        let draws = DrawsOf(Draws { slots: self.state.clone() }, PhantomData);
        draws.prop_map(|carried| CapturedState { carried, outputs: Vec::new() }).boxed()
    }

    fn inputs(&self) -> BoxedStrategy<Bundle<S>> {
        DrawsOf(Draws { slots: self.outside.clone() }, PhantomData).boxed()
    }

    fn step(
        &self,
        state: CapturedState<S>,
        outside: &Bundle<S>,
        probe: &mut Probe<'_>,
    ) -> StepResult<CapturedState<S>> {
        match self.step_by(&state, outside, |captured, inputs| self.run(captured, inputs, probe)) {
            Err(error) if error.downcast_ref().is_some_and(ExecError::is_endless) => {
                probe.exclude();
                Ok(state)
            }
            result => result,
        }
    }

    fn beliefs(&self, state: &CapturedState<S>) -> Vec<Part> {
        self.parts(state, &self.sinks)
    }

    fn desires(&self, state: &CapturedState<S>) -> Vec<Part> {
        self.parts(state, &self.allowed)
    }

    fn environment(&self, state: &CapturedState<S>, mut inputs: Bundle<S>) -> Bundle<S> {
        if state.outputs.is_empty() {
            return inputs;
        }
        for (slot, heard) in &self.listens {
            let heard = heard.iter().filter_map(|&(graph, output)| state.outputs.get(graph)?.get(output));
            let seed = source::fingerprint(heard.chain([&inputs.tensors[*slot]]));
            let draws = Draws { slots: Arc::new([inputs.slots[*slot].clone()]) };
            inputs.tensors[*slot] = draw::draw(&draws.slots[0], seed & !1, *slot as u64);
        }
        inputs
    }
}

/// How the graphs of a system hang together.
struct Wiring {
    feeds: Vec<Vec<Feed>>,
    order: Vec<usize>,
    state: Vec<Slot>,
    outside: Vec<Slot>,
    made_by: Vec<(usize, usize)>,
    listens: Vec<(usize, Vec<(usize, usize)>)>,
}

impl Wiring {
    fn new(graphs: NamedGraphs<'_, '_>, question: &PairedQuestion) -> Result<Wiring, CapturedError> {
        let error = |message: String| CapturedError::Graph(message);
        let mut feeds: Vec<Vec<Option<Feed>>> =
            graphs.iter().map(|(_, graph)| vec![None; graph.inputs().len()]).collect();
        let mut wiring = Wiring {
            feeds: Vec::new(),
            order: Vec::new(),
            state: Vec::new(),
            outside: Vec::new(),
            made_by: Vec::new(),
            listens: Vec::new(),
        };
        let mut environment: FxHashMap<(usize, usize), Vec<(usize, usize)>> = FxHashMap::default();
        let slot = |(graph, position): (usize, usize)| -> Result<Slot, CapturedError> {
            let (name, facts) = graphs[graph];
            let path = facts.inputs().nth(position).map(|(path, _)| path.clone()).unwrap_or_default();
            let plan = InputGenerator::new(facts, 0).plan(facts.entry(), position);
            let plan =
                plan.ok_or_else(|| error(format!("{name}: the input `{path}` is of a type that cannot be made up")))?;
            Ok(Slot { graph, is_binary: question.binary.contains(&path), path, plan })
        };
        for edge in &question.edges {
            let output = position_in(graphs, &edge.from, |graph| graph.outputs().map(|(path, _)| path).collect());
            let input = position_in(graphs, &edge.to, |graph| graph.inputs().map(|(path, _)| path).collect());
            let (Some(from), Some(to)) = (output, input) else {
                return Err(error(format!("there is no `{}` or no `{}`", edge.from.1, edge.to.1)));
            };
            let feed = match edge.hop {
                Hop::Link => Feed::Link(from.0, from.1),
                Hop::Carried => Feed::State(wiring.state.len()),
                Hop::Environment => {
                    environment.entry(to).or_default().push(from);
                    continue;
                }
                hop => return Err(error(format!("an edge between graphs cannot be {hop:?}"))),
            };
            if feeds[to.0][to.1].replace(feed).is_some() {
                return Err(error(format!("two outputs become the input `{}`", edge.to.1)));
            }
            if edge.hop == Hop::Carried {
                wiring.state.push(slot(to)?);
                wiring.made_by.push(from);
            }
        }
        for (graph, feeds) in feeds.into_iter().enumerate() {
            let mut own = Vec::with_capacity(feeds.len());
            for (position, feed) in feeds.into_iter().enumerate() {
                own.push(match feed {
                    Some(feed) => feed,
                    None => {
                        let at = wiring.outside.len();
                        wiring.outside.push(slot((graph, position))?);
                        wiring.listens.extend(environment.remove(&(graph, position)).map(|heard| (at, heard)));
                        Feed::Outside(at)
                    }
                });
            }
            wiring.feeds.push(own);
        }
        wiring.order = order(&wiring.feeds)
            .ok_or_else(|| error("the graphs of the system take from one another in a circle, in one step".into()))?;
        Ok(wiring)
    }
}

fn position_in<'g>(
    graphs: NamedGraphs<'_, 'g>,
    end: &(usize, crate::graph::PytreePath),
    paths: impl Fn(&'g TrainingGraph) -> Vec<&'g crate::graph::PytreePath>,
) -> Option<(usize, usize)> {
    let (_, graph) = graphs.get(end.0)?;
    Some((end.0, paths(graph).into_iter().position(|path| *path == end.1)?))
}

/// Graphs in an order in which each comes after those that it takes something from; none if there is none.
fn order(feeds: &[Vec<Feed>]) -> Option<Vec<usize>> {
    let mut order = Vec::with_capacity(feeds.len());
    while order.len() < feeds.len() {
        let is_ready = |feed: &Feed| !matches!(feed, Feed::Link(from, _) if !order.contains(from));
        let next = (0..feeds.len()).find(|at| !order.contains(at) && feeds[*at].iter().all(is_ready))?;
        order.push(next);
    }
    Some(order)
}

/// How many steps a run has at most, where nobody says so.
pub fn steps_of(within: Within) -> usize {
    match within {
        Within::Step => 1,
        Within::Run => 4,
    }
}
