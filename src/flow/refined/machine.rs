//! The walk: calls are entered, loops that count are unrolled, and every operation is stepped over once for each time that
//! the step runs it. No recursion: what is still to be done is on a stack.

use std::collections::BTreeSet;
use std::rc::Rc;

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashMap;

use super::constants::{Known, Scalar};
use super::facts::Fact;
use super::interior::Interiors;
use super::label::Term;
use super::leak::{Choice, Instance, Leak, LeakEdge, Link, MOST_NODES, Mark, Origin, Place};
use super::numbering::Numbering;
use super::{Assumed, Limit};
use crate::flow::FlowGraph;
use crate::graph::{AttributesId, FunctionId, OperationId, OperationKind, RegionId, TrainingGraph, ValueId};
use crate::index::{Id, IdRange};
use crate::lattice::{Elements, Guard};
use crate::transfer::images::extents;
use crate::transfer::mutant::{Slip, slips};
use crate::transfer::{Dependence, Transfer};

/// So many operations are stepped over in one walk of one step, unrolled loops counted out.
const MOST_STEPS: usize = 2_000_000;
/// A loop that takes more steps than this is not unrolled.
const MOST_STEPS_OF_A_LOOP: usize = 400_000;

/// A loop without a label in sight is looked into for the masks that it may make, and not for longer than this.
const MOST_STEPS_OF_A_QUIET_LOOP: usize = 20_000;

/// One call of a function.
struct Frame {
    /// The first value of the function.
    first: usize,
    facts: Vec<Option<Fact>>,
    instance: u32,
}

/// A loop that is being unrolled.
#[derive(Clone, Copy)]
struct Unrolling {
    operation: OperationId,
    iteration: u32,
    outer: u32,
    mark: Mark,
    steps: usize,
    /// No label is in sight.
    quiet: bool,
}

/// A loop whose iterations are not told apart.
struct Repeating {
    operation: OperationId,
    outer: u32,
    mark: Mark,
    /// Numbers before this one are given outside of the loop, so they mean the same in every iteration.
    invariant: u32,
    /// For each carried value the terms that some iteration begins with.
    state: Vec<Vec<(Elements, Guard, bool)>>,
    passes: usize,
}

/// What is still to be done.
enum Task {
    Run { at: usize, end: usize },
    Return { call: OperationId },
    Branches { operation: OperationId, taken: Vec<usize> },
    Decide(Unrolling, Vec<Fact>),
    NextIteration(Unrolling),
    RepeatedBody(Box<Repeating>),
    Repeated(Box<Repeating>),
}

/// One walk over one graph.
pub(super) struct Machine<'m, 'g> {
    pub graph: &'g TrainingGraph,
    pub transfer: &'m Transfer<'g>,
    pub position: usize,
    pub sources: &'m FixedBitSet,
    pub assumed: &'m Assumed,
    pub leak: &'m mut Leak,
    /// The node of the world; what reaches the world has an edge to it.
    pub world: u32,
    /// Whether the world was labelled before this walk.
    pub world_is_labelled: bool,
    /// Whether something labelled reached the world.
    pub reached_world: bool,
    /// Where the assumption of finite operands was made use of.
    pub finite_sites: BTreeSet<(usize, OperationId)>,
    /// How many inputs the step has.
    inputs: u32,
    pub(super) numbering: Numbering,
    pub(super) interiors: Interiors<'m, 'g>,
    pub(super) constants: FxHashMap<AttributesId, Option<Rc<Known>>>,
    frames: Vec<Frame>,
    tasks: Vec<Task>,
    steps: usize,
}

impl<'m, 'g> Machine<'m, 'g> {
    pub fn new(
        flow: &'m FlowGraph<'g>,
        position: usize,
        sources: &'m FixedBitSet,
        assumed: &'m Assumed,
        leak: &'m mut Leak,
        world: u32,
        world_is_labelled: bool,
    ) -> Self {
        Machine {
            graph: flow.graph(),
            transfer: flow.transfer(),
            position,
            sources,
            assumed,
            leak,
            world,
            world_is_labelled,
            reached_world: false,
            finite_sites: BTreeSet::new(),
            inputs: flow.inputs().len() as u32,
            numbering: Numbering::default(),
            interiors: Interiors::new(flow.transfer(), sources),
            constants: FxHashMap::default(),
            frames: Vec::new(),
            tasks: Vec::new(),
            steps: 0,
        }
    }

    /// Walks the step from these facts of its inputs; gives those of its outputs. The nodes of the inputs are there.
    pub fn walk(&mut self, inputs: Vec<Fact>, instance: u32) -> Result<Vec<Fact>, Limit> {
        let entry = self.graph.entry();
        self.push_frame(entry, inputs, instance);
        self.tasks.push(self.body_of(entry));
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Run { at, end } => self.run(at, end)?,
                Task::Return { call } => self.leave(call),
                Task::Branches { operation, taken } => self.join_branches(operation, &taken),
                Task::Decide(unrolling, carried) => self.decide(unrolling, &carried),
                Task::NextIteration(unrolling) => self.next_iteration(unrolling),
                Task::RepeatedBody(repeating) => self.repeated_body(repeating),
                Task::Repeated(repeating) => self.repeated(repeating),
            }
        }
        let outputs = self.graph.yields(self.graph.function(entry).body);
        let facts = outputs.iter().map(|value| self.fact(*value)).collect();
        self.frames.pop();
        Ok(facts)
    }

    fn push_frame(&mut self, function: FunctionId, arguments: Vec<Fact>, instance: u32) {
        let body = self.graph.function(function).body;
        let first = self.graph.arguments(body).positions().start;
        let next = FunctionId::new(function.index() + 1);
        let end = match function.index() + 1 < self.graph.functions().len() {
            true => self.graph.arguments(self.graph.function(next).body).positions().start,
            false => self.graph.values().len(),
        };
        let mut facts = vec![None; end - first];
        facts.iter_mut().zip(arguments).for_each(|(slot, fact)| *slot = Some(fact));
        self.frames.push(Frame { first, facts, instance });
    }

    fn body_of(&self, function: FunctionId) -> Task {
        self.region(self.graph.function(function).body)
    }

    fn region(&self, region: RegionId) -> Task {
        let operations = self.graph.operations_within(region).positions();
        Task::Run { at: operations.start, end: operations.end }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a frame is open while the walk goes on")
    }

    pub(super) fn instance(&self) -> u32 {
        self.frames.last().map_or(0, |frame| frame.instance)
    }

    pub(super) fn place(&self, value: ValueId) -> Place {
        Place { instance: self.instance(), value }
    }

    pub(super) fn extents(&self, value: ValueId) -> Option<Vec<u64>> {
        extents(self.graph, value)
    }

    /// What is known of a value. Every operand is stepped over before what takes it.
    pub(super) fn fact(&mut self, value: ValueId) -> Fact {
        let frame = self.frames.last().expect("a frame is open while the walk goes on");
        match frame.facts.get(value.index().wrapping_sub(frame.first)) {
            Some(Some(fact)) => fact.clone(),
            _ => self.nothing_known(value),
        }
    }

    pub(super) fn nothing_known(&mut self, value: ValueId) -> Fact {
        let extents = self.extents(value);
        Fact::new(self.numbering.fresh(extents.as_deref()))
    }

    pub(super) fn set(&mut self, value: ValueId, fact: Fact) {
        if fact.view.is_whole() {
            fact.terms.iter().for_each(|term| self.leak.nodes[term.node as usize].number = fact.view.number);
        }
        let frame = self.frame();
        let at = value.index() - frame.first;
        frame.facts[at] = Some(fact);
    }

    /// The same fact of another value, with nodes of its own.
    pub(super) fn copied(&mut self, fact: &Fact, value: ValueId, link: Link) -> Fact {
        let terms = self.copied_terms(&fact.terms, value, link);
        Fact { terms, ..fact.clone() }
    }

    fn copied_terms(&mut self, terms: &[Term], value: ValueId, link: Link) -> Rc<[Term]> {
        if terms.is_empty() {
            return Rc::new([]);
        }
        let place = self.place(value);
        let copy = |term: &Term| {
            if self.leak.is_cut(term.node, value) {
                return None;
            }
            let node = self.leak.add_node(place, term.elements.clone(), term.opaque);
            self.leak.nodes[node as usize].origin = Origin::Copied;
            self.leak.edges.push(LeakEdge { from: term.node, to: node, link });
            Some(Term { node, ..term.clone() })
        };
        terms.iter().filter_map(copy).collect()
    }

    fn child(&mut self, operation: OperationId, iteration: Option<u32>, repeated: bool, parent: u32) -> u32 {
        let outer = &self.leak.instances[parent as usize];
        let instance = Instance {
            parent: Some(parent),
            graph: outer.graph,
            operation: Some(operation),
            iteration,
            repeated: repeated || outer.repeated,
        };
        self.leak.instances.push(instance);
        self.leak.instances.len() as u32 - 1
    }

    /// Steps over the operations of a region until one has to be entered.
    fn run(&mut self, mut at: usize, end: usize) -> Result<(), Limit> {
        while at < end {
            let operation = OperationId::new(at);
            at = self.graph.operations_inside(operation).positions().end;
            self.steps += 1;
            if self.steps > MOST_STEPS || self.leak.nodes.len() > MOST_NODES {
                return Err(Limit);
            }
            let kind = self.graph.operation(operation).kind;
            if kind.is_terminator() {
                continue;
            }
            if self.sources.contains(operation.index()) {
                if slips(Slip::FoldedSource) && self.folds(operation) {
                    continue;
                }
                self.seed(operation);
                continue;
            }
            if self.transfer.opacity(operation).is_opaque() {
                self.opaque(operation);
                continue;
            }
            if let Some(callee) = self.transfer.callee(operation) {
                self.tasks.push(Task::Run { at, end });
                self.enter(operation, callee);
                return Ok(());
            }
            match kind {
                OperationKind::While | OperationKind::If | OperationKind::Case => {
                    self.tasks.push(Task::Run { at, end });
                    match kind {
                        OperationKind::While => {
                            let quiet = self.nothing_happens_in(operation);
                            self.begin_loop(operation, quiet);
                        }
                        _ => self.begin_branches(operation),
                    }
                    return Ok(());
                }
                _ => self.step(operation),
            }
        }
        Ok(())
    }

    /// Steps over a source as if it were none; says whether its results are known then.
    fn folds(&mut self, operation: OperationId) -> bool {
        if !self.graph.regions_of(operation).is_empty() || self.transfer.callee(operation).is_some() {
            return false;
        }
        self.step(operation);
        self.graph.results(operation).iter().all(|result| self.fact(result).known.is_some())
    }

    /// A loop with no label in sight.
    fn nothing_happens_in(&mut self, operation: OperationId) -> bool {
        let interior = self.interiors.of(operation);
        let graph = self.graph;
        let taken = graph.operands(operation).iter().chain(&interior.captures);
        let labelled = taken.copied().any(|value| self.fact(value).is_labelled());
        let meets_world = self.world_is_labelled && self.transfer.has_effects(operation);
        !labelled && !interior.holds_source && !meets_world
    }

    fn unlabelled(&mut self, operation: OperationId) {
        for result in self.graph.results(operation).iter() {
            let fact = self.nothing_known(result);
            self.set(result, fact);
        }
    }

    fn enter(&mut self, call: OperationId, callee: FunctionId) {
        let parameters = self.graph.arguments(self.graph.function(callee).body);
        let operands: Vec<Fact> = self.graph.operands(call).iter().map(|operand| self.fact(*operand)).collect();
        let instance = self.child(call, None, false, self.instance());
        self.push_frame(callee, Vec::new(), instance);
        for (parameter, operand) in parameters.iter().zip(&operands) {
            let fact = self.copied(operand, parameter, Link::Enter);
            self.set(parameter, fact);
        }
        self.tasks.push(Task::Return { call });
        self.tasks.push(self.body_of(callee));
    }

    fn leave(&mut self, call: OperationId) {
        let Some(callee) = self.transfer.callee(call) else { return };
        let yields = self.graph.yields(self.graph.function(callee).body);
        let given: Vec<Fact> = yields.iter().map(|value| self.fact(*value)).collect();
        self.frames.pop();
        for (result, fact) in self.graph.results(call).iter().zip(&given) {
            let fact = self.copied(fact, result, Link::Leave);
            self.set(result, fact);
        }
    }

    // --- choices

    fn begin_branches(&mut self, operation: OperationId) {
        let regions = self.graph.regions_of(operation);
        let index = self.graph.operands(operation)[0];
        let fact = self.fact(index);
        let chosen = match (self.graph.operation(operation).kind, fact.single()) {
            (OperationKind::If, Some(Scalar::Integer(test))) => Some(usize::from(test == 0)),
            (OperationKind::Case, Some(Scalar::Integer(at))) => {
                let last = regions.len() - 1;
                Some(usize::try_from(at).map_or(last, |at| at.min(last)))
            }
            _ => None,
        };
        let taken: Vec<usize> = chosen.map_or_else(|| (0..regions.len()).collect(), |chosen| vec![chosen]);
        self.tasks.push(Task::Branches { operation, taken: taken.clone() });
        for branch in taken.iter().rev() {
            self.tasks.push(self.region(regions[*branch]));
        }
    }

    fn join_branches(&mut self, operation: OperationId, taken: &[usize]) {
        let graph = self.graph;
        let index = graph.operands(operation)[0];
        let index_fact = self.fact(index);
        if index_fact.is_labelled() && self.transfer.has_effects(operation) {
            index_fact.terms.iter().for_each(|term| self.reach_world(term.node));
        }
        for (position, result) in graph.results(operation).iter().enumerate() {
            let given: Vec<Fact> = taken
                .iter()
                .map(|branch| self.fact(graph.yields(graph.regions_of(operation)[*branch])[position]))
                .collect();
            if given.iter().all(|fact| fact.view == given[0].view) {
                // Nothing is chosen.
                let fact = self.copied(&given[0], result, Link::Flow(Dependence::Data));
                self.set(result, fact);
                continue;
            }
            let mut label = super::label::LabelBuilder::default();
            let rank = self.extents(result).map_or(0, |extents| extents.len());
            for (branch, fact) in taken.iter().zip(&given) {
                let condition = self.branch_condition(operation, *branch, &index_fact).global(rank);
                for term in fact.terms.iter() {
                    if let Some(guard) = term.guard.and(&condition) {
                        label.add(term.elements.clone(), guard, term, Dependence::Data);
                    }
                }
            }
            for term in index_fact.terms.iter() {
                label.add(Elements::All, term.guard.global(rank), term, Dependence::Implicit);
            }
            let place = self.place(result);
            let terms = label.finish(self.leak, place);
            if index_fact.is_labelled() && taken.len() == 2 {
                self.note_choice(&terms, true, &given);
            }
            let mut fact = self.nothing_known(result);
            fact.terms = terms.into();
            self.set(result, fact);
        }
    }

    /// Says of a result that a labelled test chose it.
    pub(super) fn note_choice(&mut self, terms: &[Term], single: bool, candidates: &[Fact]) {
        let zero = candidates.iter().any(|fact| fact.single().is_some_and(Scalar::is_zero));
        // Inputs have the first numbers, in their order.
        let is_input = |fact: &&Fact| fact.view.is_whole() && fact.view.number < self.inputs;
        let keeps = candidates.iter().filter(is_input).map(|fact| fact.view.number).collect();
        self.leak.mark_chosen(terms.iter().map(|term| term.node), Choice { single, zero, keeps });
    }

    // --- loops that count

    fn begin_loop(&mut self, operation: OperationId, quiet: bool) {
        let unrolling = Unrolling {
            operation,
            iteration: 0,
            outer: self.instance(),
            mark: self.leak.mark(),
            steps: self.steps,
            quiet,
        };
        let carried = self.graph.operands(operation).iter().map(|operand| self.fact(*operand)).collect();
        self.begin_iteration(unrolling, carried);
    }

    fn regions_of_loop(&self, operation: OperationId) -> (RegionId, RegionId) {
        let regions = self.graph.regions_of(operation);
        (regions[0], regions[1])
    }

    fn begin_iteration(&mut self, unrolling: Unrolling, carried: Vec<Fact>) {
        let (condition, _) = self.regions_of_loop(unrolling.operation);
        let instance = self.child(unrolling.operation, Some(unrolling.iteration), false, unrolling.outer);
        self.frame().instance = instance;
        self.pass_on(&carried, self.graph.arguments(condition));
        self.tasks.push(Task::Decide(unrolling, carried));
        self.tasks.push(self.region(condition));
    }

    fn pass_on(&mut self, facts: &[Fact], to: IdRange<ValueId>) {
        for (fact, value) in facts.iter().zip(to.iter()) {
            let fact = self.copied(fact, value, Link::Flow(Dependence::Data));
            self.set(value, fact);
        }
    }

    fn facts_of(&mut self, values: impl Iterator<Item = ValueId>) -> Vec<Fact> {
        values.map(|value| self.fact(value)).collect()
    }

    /// What the condition says of an iteration that begins with these.
    fn decide(&mut self, unrolling: Unrolling, carried: &[Fact]) {
        let (condition, body) = self.regions_of_loop(unrolling.operation);
        let predicate = self.fact(self.graph.yields(condition)[0]);
        let most = if unrolling.quiet { MOST_STEPS_OF_A_QUIET_LOOP } else { MOST_STEPS_OF_A_LOOP };
        let goes_on = match predicate.single() {
            Some(Scalar::Integer(goes_on)) if self.steps - unrolling.steps <= most => goes_on != 0,
            _ if unrolling.quiet => {
                self.leak.truncate(unrolling.mark);
                self.frame().instance = unrolling.outer;
                self.unlabelled(unrolling.operation);
                return;
            }
            _ => {
                self.leak.truncate(unrolling.mark);
                self.frame().instance = unrolling.outer;
                self.begin_repeating(unrolling.operation);
                return;
            }
        };
        if goes_on {
            self.pass_on(carried, self.graph.arguments(body));
            self.tasks.push(Task::NextIteration(unrolling));
            self.tasks.push(self.region(body));
        } else {
            let held = self.facts_of(self.graph.arguments(condition).iter());
            self.frame().instance = unrolling.outer;
            self.pass_on(&held, self.graph.results(unrolling.operation));
        }
    }

    fn next_iteration(&mut self, unrolling: Unrolling) {
        let (_, body) = self.regions_of_loop(unrolling.operation);
        let carried = self.facts_of(self.graph.yields(body).iter().copied());
        self.begin_iteration(Unrolling { iteration: unrolling.iteration + 1, ..unrolling }, carried);
    }

    // --- loops whose iterations are not told apart

    fn begin_repeating(&mut self, operation: OperationId) {
        let invariant = if slips(Slip::GuardsOverBackEdges) { u32::MAX } else { self.numbering.mark() };
        let operands = self.facts_of(self.graph.operands(operation).iter().copied());
        let plain = |term: &Term| (term.elements.clone(), term.guard.clone(), term.opaque);
        let state = operands.iter().map(|fact| fact.terms.iter().map(plain).collect()).collect();
        let repeating =
            Repeating { operation, outer: self.instance(), mark: self.leak.mark(), invariant, state, passes: 0 };
        self.begin_pass(Box::new(repeating));
    }

    /// Whether the body gives a carried value on as it is.
    fn is_passed_through(&self, operation: OperationId, position: usize) -> bool {
        let (_, body) = self.regions_of_loop(operation);
        self.graph.yields(body).get(position).copied() == self.graph.arguments(body).get(position)
    }

    fn begin_pass(&mut self, repeating: Box<Repeating>) {
        let operation = repeating.operation;
        let (condition, _) = self.regions_of_loop(operation);
        self.leak.truncate(repeating.mark);
        self.frame().instance = repeating.outer;
        let operands = self.facts_of(self.graph.operands(operation).iter().copied());
        let instance = self.child(operation, None, true, repeating.outer);
        self.frame().instance = instance;
        for (position, operand) in operands.iter().enumerate() {
            self.carry_in(&repeating, position, operand);
        }
        self.tasks.push(Task::RepeatedBody(repeating));
        self.tasks.push(self.region(condition));
    }

    /// The arguments of both regions, as some iteration begins with them.
    fn carry_in(&mut self, repeating: &Repeating, position: usize, operand: &Fact) {
        let (condition, body) = self.regions_of_loop(repeating.operation);
        let number = self.nothing_known(self.graph.operands(repeating.operation)[position]);
        let arguments = [condition, body].map(|region| self.graph.arguments(region).get(position));
        for argument in arguments.into_iter().flatten() {
            if self.is_passed_through(repeating.operation, position) {
                let fact = self.copied(operand, argument, Link::Flow(Dependence::Data));
                self.set(argument, fact);
                continue;
            }
            let place = self.place(argument);
            let terms: Vec<Term> = repeating.state[position]
                .iter()
                .map(|(elements, guard, opaque)| Term {
                    elements: elements.clone(),
                    guard: guard.clone(),
                    opaque: *opaque,
                    node: self.leak.add_node(place, elements.clone(), *opaque),
                })
                .collect();
            link_to_covering(self.leak, &operand.terms, &terms, u32::MAX, argument);
            self.set(argument, Fact { terms: terms.into(), ..number.clone() });
        }
    }

    fn repeated_body(&mut self, repeating: Box<Repeating>) {
        let (_, body) = self.regions_of_loop(repeating.operation);
        self.tasks.push(Task::Repeated(repeating));
        self.tasks.push(self.region(body));
    }

    fn repeated(&mut self, mut repeating: Box<Repeating>) {
        let operation = repeating.operation;
        let (condition, body) = self.regions_of_loop(operation);
        let graph = self.graph;
        let given = self.facts_of(graph.yields(body).iter().copied());
        let mut changed = false;
        for (position, fact) in given.iter().enumerate() {
            if self.is_passed_through(operation, position) {
                continue;
            }
            let state = &mut repeating.state[position];
            for term in fact.terms.iter() {
                let guard = term.guard.retain(|literal| literal.atom.number() < repeating.invariant);
                if covering(state, &term.elements, &guard, term.opaque).is_none() {
                    changed = true;
                    state.push((term.elements.clone(), guard, term.opaque));
                }
            }
            // Widening: after some passes whatever still grows is everything.
            if !slips(Slip::NeverWidened) && changed && (repeating.passes > 8 || state.len() > 16) && !state.is_empty()
            {
                let opaque = state.iter().all(|(_, _, opaque)| *opaque);
                *state = vec![(Elements::All, Guard::always(), opaque)];
            }
        }
        if changed && !slips(Slip::IterationsStop) {
            repeating.passes += 1;
            self.begin_pass(repeating);
            return;
        }
        for (position, fact) in given.iter().enumerate() {
            if self.is_passed_through(operation, position) {
                continue;
            }
            for argument in [condition, body].into_iter().filter_map(|region| graph.arguments(region).get(position)) {
                let carried = self.fact(argument);
                link_to_covering(self.leak, &fact.terms, &carried.terms, repeating.invariant, argument);
            }
        }
        self.end_repeating(&repeating);
    }

    fn end_repeating(&mut self, repeating: &Repeating) {
        let operation = repeating.operation;
        let (condition, _) = self.regions_of_loop(operation);
        let predicate = self.fact(self.graph.yields(condition)[0]);
        let carried = self.facts_of(self.graph.arguments(condition).iter());
        self.frame().instance = repeating.outer;
        if predicate.is_labelled() && self.transfer.has_effects(operation) {
            predicate.terms.iter().for_each(|term| self.reach_world(term.node));
        }
        for (position, result) in self.graph.results(operation).iter().enumerate() {
            if self.is_passed_through(operation, position) {
                let fact = self.copied(&carried[position], result, Link::Flow(Dependence::Data));
                self.set(result, fact);
                continue;
            }
            let rank = self.extents(result).map_or(0, |extents| extents.len());
            let mut label = super::label::LabelBuilder::default();
            for term in carried[position].terms.iter() {
                label.add(term.elements.clone(), term.guard.clone(), term, Dependence::Data);
            }
            for term in predicate.terms.iter() {
                let guard = term.guard.retain(|literal| literal.atom.number() < repeating.invariant).global(rank);
                label.add(Elements::All, guard, term, Dependence::Implicit);
            }
            let place = self.place(result);
            let mut fact = self.nothing_known(result);
            fact.terms = label.finish(self.leak, place).into();
            if predicate.is_labelled() && !carried[position].is_labelled() {
                // How often decides between the value at the beginning and what it becomes.
                let initial = self.fact(self.graph.operands(operation)[position]);
                self.note_choice(&fact.terms, true, &[initial]);
            }
            self.set(result, fact);
        }
    }

    /// Something labelled reaches the world.
    pub(super) fn reach_world(&mut self, node: u32) {
        self.reached_world = true;
        self.leak.add_edge(node, self.world, Dependence::Opaque);
    }
}

/// The position of a term that says all that this one would.
fn covering(state: &[(Elements, Guard, bool)], elements: &Elements, guard: &Guard, opaque: bool) -> Option<usize> {
    state.iter().position(|(known, condition, weak)| {
        known.contains(elements) && condition.is_weaker_than(guard) && (!weak || opaque)
    })
}

/// An edge from each term to one of this value that covers it, conditions on what is given from `invariant` on left out.
fn link_to_covering(leak: &mut Leak, from: &[Term], to: &[Term], invariant: u32, value: ValueId) {
    let plain: Vec<_> = to.iter().map(|term| (term.elements.clone(), term.guard.clone(), term.opaque)).collect();
    for term in from.iter() {
        let guard = term.guard.retain(|literal| literal.atom.number() < invariant);
        if let Some(position) = covering(&plain, &term.elements, &guard, term.opaque)
            && !leak.is_cut(term.node, value)
        {
            leak.add_edge(term.node, to[position].node, Dependence::Data);
        }
    }
}
