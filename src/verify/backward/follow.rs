//! Following a step: one frame for each region that is open, on a stack of its own.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::CutElement;
use super::constants::Shape;
use super::trace::{Instance, Loop, MOST_INSTANCES, Node, Role, Trace, Value, holders, is_followed};
use crate::graph::{
    Definition, FunctionId, OperationId, OperationKind as Kind, RegionId, TrainingGraph, Type, TypeId, ValueId,
};
use crate::index::Id;

/// A loop is unrolled up to so many trips, and so many instances in all its trips.
const MOST_TRIPS: u32 = 4096;
const MOST_INSTANCES_OF_LOOP: usize = 200_000;

/// One region that is being followed.
struct Frame {
    operations: Rc<[OperationId]>,
    next: usize,
    region: RegionId,
    environment: usize,
    then: Then,
}

/// What happens at the end of a region.
enum Then {
    Finish,
    Call { call: OperationId, environment: usize },
    Condition(Trip),
    Body(Trip),
    Branch { operation: OperationId, index: Instance, all: bool, given: Vec<Vec<Instance>> },
}

struct Trip {
    operation: OperationId,
    arguments: Vec<Instance>,
    /// The loop by position, if it is not unrolled.
    folded: Option<usize>,
    count: u32,
    before: Lengths,
}

#[derive(Clone, Copy)]
struct Lengths {
    nodes: usize,
    values: usize,
    loops: usize,
    world: usize,
    world_sources: usize,
    cuts: usize,
    path: usize,
    environments: usize,
}

/// The values of one function instance.
struct Environment {
    first: usize,
    values: Vec<Instance>,
}

struct Follower<'t, 'c, 'a> {
    trace: &'t mut Trace<'c, 'a>,
    position: usize,
    graph: &'a TrainingGraph,
    sources: Vec<bool>,
    cuts: &'t [CutElement],
    /// For each value of this graph that is cut anywhere, the cuts.
    cuts_of: FxHashMap<ValueId, Vec<usize>>,
    frames: Vec<Frame>,
    environments: Vec<Environment>,
    path: Vec<(OperationId, Option<u32>)>,
    followed: &'t mut usize,
    captured: FxHashMap<OperationId, Rc<[ValueId]>>,
    listed: FxHashMap<RegionId, Rc<[OperationId]>>,
}

/// Adds a graph to the line.
pub(super) fn follow(
    trace: &mut Trace<'_, '_>,
    position: usize,
    cuts: &[CutElement],
    followed: &mut usize,
) -> Result<(), String> {
    let graph = trace.claim.graphs[position].graph;
    let of_type = |id: usize| match graph.r#type(TypeId::new(id)) {
        Type::Tensor(tensor) => Rc::new(Shape::of(tensor)),
        _ => Rc::new(Shape::UNKNOWN),
    };
    let types = graph.values().iter().map(|value| value.r#type.index() + 1).max().unwrap_or_default();
    trace.shapes = (0..types).map(of_type).collect();
    trace.numbering.begin_graph();
    let mut cuts_of: FxHashMap<ValueId, Vec<usize>> = FxHashMap::default();
    for (at, cut) in cuts.iter().enumerate().filter(|(_, cut)| cut.graph == position) {
        cuts_of.entry(cut.value).or_default().push(at);
    }
    let mut follower = Follower {
        sources: holders(trace.claim, position),
        trace,
        position,
        graph,
        cuts,
        cuts_of,
        frames: Vec::new(),
        environments: Vec::new(),
        path: Vec::new(),
        followed,
        captured: FxHashMap::default(),
        listed: FxHashMap::default(),
    };
    follower.run()
}

impl Follower<'_, '_, '_> {
    fn run(&mut self) -> Result<(), String> {
        let entry = self.graph.function(self.graph.entry());
        let arguments = self.graph.arguments(entry.body);
        let mut inputs = Vec::new();
        for (position, argument) in arguments.iter().enumerate() {
            let node = self.trace.nodes.len();
            let number = self.trace.numbering.fresh();
            let value = self.trace.push_value(self.shape(argument), number, node);
            self.trace.nodes.push(Node {
                graph: self.position,
                operation: OperationId::new(0),
                role: Role::Input(position),
                operands: Vec::new(),
                results: value..value + 1,
                world: false,
            });
            inputs.push(value);
        }
        self.trace.inputs.push(inputs.clone());
        self.open_function(self.graph.entry(), &inputs, Then::Finish);
        while let Some(frame) = self.frames.last_mut() {
            if let Some(operation) = frame.operations.get(frame.next).copied() {
                frame.next += 1;
                *self.followed += 1;
                if *self.followed > MOST_INSTANCES {
                    return Err(format!("too large to re-check: more than {MOST_INSTANCES} operation instances"));
                }
                self.operation(operation);
            } else if let Some(frame) = self.frames.pop() {
                self.end(frame);
            }
        }
        Ok(())
    }

    fn shape(&self, value: ValueId) -> Rc<Shape> {
        self.trace.shapes[self.graph.value(value).r#type.index()].clone()
    }

    fn open_function(&mut self, function: FunctionId, arguments: &[Instance], then: Then) {
        let body = self.graph.function(function).body;
        let first = self.graph.arguments(body).positions().start;
        self.environments.push(Environment { first, values: Vec::new() });
        self.open_region(body, self.environments.len() - 1, arguments, then);
    }

    fn open_region(&mut self, region: RegionId, environment: usize, arguments: &[Instance], then: Then) {
        let graph = self.graph;
        let operations = self.listed.entry(region).or_insert_with(|| {
            let mut direct = Vec::new();
            let mut next = graph.operations_within(region).positions().start;
            for operation in graph.operations_within(region).iter() {
                if operation.index() == next {
                    next = graph.operations_inside(operation).positions().end;
                    direct.extend(Some(operation).filter(|id| !graph.operation(*id).kind.is_terminator()));
                }
            }
            direct.into()
        });
        self.frames.push(Frame { operations: operations.clone(), next: 0, region, environment, then });
        for (argument, instance) in graph.arguments(region).iter().zip(arguments) {
            self.bind(environment, argument, *instance);
        }
    }

    /// Gives a value of a function its instance. A cut value gets one of its own: others may share the one it has.
    fn bind(&mut self, environment: usize, value: ValueId, instance: Instance) {
        let mut instance = instance;
        let cuts = self.cuts;
        for position in self.cuts_of.get(&value).into_iter().flatten().copied() {
            if cuts[position].instance == self.path {
                let node = Node {
                    graph: self.position,
                    operation: OperationId::new(0),
                    role: Role::Pass,
                    operands: vec![instance],
                    results: self.trace.values.len() as u32..self.trace.values.len() as u32 + 1,
                    world: false,
                };
                let copy =
                    Value { maker: self.trace.nodes.len() as u32, ..self.trace.values[instance as usize].clone() };
                self.trace.values.push(copy);
                instance = node.results.start;
                self.trace.nodes.push(node);
                self.trace.cuts.push((instance, position));
            }
        }
        let environment = &mut self.environments[environment];
        let at = value.index() - environment.first;
        if environment.values.len() <= at {
            environment.values.resize(at + 1, Instance::MAX);
        }
        environment.values[at] = instance;
    }

    fn look_up(&self, environment: usize, value: ValueId) -> Instance {
        let environment = &self.environments[environment];
        environment.values[value.index() - environment.first]
    }

    fn look_up_all(&self, environment: usize, values: &[ValueId]) -> Vec<Instance> {
        values.iter().map(|value| self.look_up(environment, *value)).collect()
    }

    fn operation(&mut self, operation: OperationId) {
        let environment = self.frames.last().map_or(0, |frame| frame.environment);
        let facts = &self.trace.claim.graphs[self.position];
        let mut operands = self.look_up_all(environment, self.graph.operands(operation));
        if self.trace.claim.sources[self.position][operation.index()] && facts.moves_world[operation.index()] {
            self.trace.world_sources.push((self.position, operation));
        }
        if is_followed(facts, operation) {
            return self.enter(operation, environment, operands);
        }
        // What talks to the world inside a region that is not followed, does so here.
        let world = facts.is_open_to_world(operation) || facts.moves_world[operation.index()];
        let named = operands.len();
        let captured = self.captured(operation);
        operands.extend(self.look_up_all(environment, &captured));
        if world {
            self.trace.world.extend(&operands);
        }
        if self.sources[operation.index()] {
            if !self.trace.claim.sources[self.position][operation.index()] && facts.moves_world[operation.index()] {
                self.trace.world_sources.push((self.position, operation));
            }
            return self.source(operation, environment);
        }
        self.plain(operation, environment, operands, named, world);
    }

    fn plain(
        &mut self,
        operation: OperationId,
        environment: usize,
        operands: Vec<Instance>,
        named: usize,
        world: bool,
    ) {
        let (graph, node) = (self.graph, self.trace.nodes.len());
        let facts = &self.trace.claim.graphs[self.position];
        let first = self.trace.values.len() as u32;
        let results = graph.results(operation);
        let pure = !world && named == operands.len() && facts.is_transparent(operation);
        for (position, result) in results.iter().enumerate() {
            let shape = self.shape(result);
            let taken: Vec<&Value> = operands.iter().map(|operand| &self.trace.values[*operand as usize]).collect();
            let mut value = Value { shape, number: 0, view: None, known: None, compared: None, maker: node as u32 };
            self.trace.numbering.describe(graph, operation, position, pure, &taken, &mut value);
            self.trace.values.push(value);
        }
        self.trace.nodes.push(Node {
            graph: self.position,
            operation,
            role: Role::Operation,
            operands,
            results: first..first + results.len() as u32,
            world,
        });
        for (result, instance) in results.iter().zip(first..) {
            self.bind(environment, result, instance);
        }
    }

    fn source(&mut self, operation: OperationId, environment: usize) {
        let results = self.fresh(operation, Role::Source, Vec::new(), self.graph.results(operation).iter().collect());
        for (result, instance) in self.graph.results(operation).iter().zip(results) {
            self.bind(environment, result, instance);
        }
    }

    /// A node of its own, each result with a number of its own.
    fn fresh(
        &mut self,
        operation: OperationId,
        role: Role,
        operands: Vec<Instance>,
        typed: Vec<ValueId>,
    ) -> std::ops::Range<Instance> {
        let node = self.trace.nodes.len();
        let first = self.trace.values.len() as u32;
        for value in &typed {
            let number = self.trace.numbering.fresh();
            self.trace.push_value(self.shape(*value), number, node);
        }
        let results = first..first + typed.len() as u32;
        let graph = self.position;
        self.trace.nodes.push(Node { graph, operation, role, operands, results: results.clone(), world: false });
        results
    }

    /// Values from outside that the regions of an operation use.
    fn captured(&mut self, operation: OperationId) -> Rc<[ValueId]> {
        let graph = self.graph;
        let find = || {
            let inside = graph.operations_inside(operation);
            let is_inside = |value: ValueId| match graph.value(value).definition {
                Definition::Result(maker, _) => inside.contains(maker),
                Definition::Argument(region, _) => {
                    graph.region(region).parent.is_some_and(|parent| parent == operation || inside.contains(parent))
                }
            };
            let used = inside.iter().flat_map(|id| graph.operands(id).iter().copied());
            let mut outside: Vec<ValueId> = used.filter(|value| !is_inside(*value)).collect();
            outside.sort();
            outside.dedup();
            outside.into()
        };
        if graph.operations_inside(operation).is_empty() {
            return [].into();
        }
        self.captured.entry(operation).or_insert_with(find).clone()
    }

    fn enter(&mut self, operation: OperationId, environment: usize, operands: Vec<Instance>) {
        let facts = &self.trace.claim.graphs[self.position];
        let moves_world = facts.moves_world[operation.index()];
        match self.graph.operation(operation).kind {
            Kind::While => {
                let before = self.lengths();
                self.path.push((operation, Some(0)));
                let trip = Trip { operation, arguments: operands, folded: None, count: 0, before };
                self.open_condition(environment, trip);
            }
            Kind::If | Kind::Case => {
                let index = operands[0];
                if moves_world {
                    self.trace.world.push(index);
                }
                let value = &self.trace.values[index as usize];
                let regions = self.graph.regions_of(operation);
                let last = regions.len() - 1;
                let scalar = value.known.as_ref().and_then(|known| known.scalar());
                let chosen = scalar.and_then(|bits| value.shape.class.integer(bits)).map(|chosen| {
                    if self.graph.operation(operation).kind == Kind::If {
                        usize::from(chosen == 0)
                    } else {
                        usize::try_from(chosen).unwrap_or(last).min(last)
                    }
                });
                let then = Then::Branch { operation, index, all: chosen.is_none(), given: Vec::new() };
                self.open_region(regions[chosen.unwrap_or(0)], environment, &[], then);
            }
            _ => {
                if let Some(callee) = facts.called(operation) {
                    self.path.push((operation, None));
                    self.open_function(callee, &operands, Then::Call { call: operation, environment });
                }
            }
        }
    }

    fn lengths(&self) -> Lengths {
        Lengths {
            nodes: self.trace.nodes.len(),
            values: self.trace.values.len(),
            loops: self.trace.loops.len(),
            world: self.trace.world.len(),
            world_sources: self.trace.world_sources.len(),
            cuts: self.trace.cuts.len(),
            path: self.path.len(),
            environments: self.environments.len(),
        }
    }

    /// Forgets what was followed since.
    fn go_back(&mut self, to: Lengths) {
        self.trace.nodes.truncate(to.nodes);
        self.trace.values.truncate(to.values);
        self.trace.loops.truncate(to.loops);
        self.trace.world.truncate(to.world);
        self.trace.world_sources.truncate(to.world_sources);
        self.trace.cuts.truncate(to.cuts);
        self.path.truncate(to.path);
        self.environments.truncate(to.environments);
    }

    fn open_condition(&mut self, environment: usize, trip: Trip) {
        let region = self.graph.regions_of(trip.operation)[0];
        let arguments = trip.arguments.clone();
        self.open_region(region, environment, &arguments, Then::Condition(trip));
    }

    /// The end of a region.
    fn end(&mut self, frame: Frame) {
        let given = self.look_up_all(frame.environment, self.graph.yields(frame.region));
        match frame.then {
            Then::Finish => self.trace.outputs.push(given),
            Then::Call { call, environment } => {
                self.path.pop();
                self.environments.pop();
                self.leave(call, environment, given);
            }
            Then::Branch { operation, index, all, given: mut before } => {
                before.push(given);
                let next = self.graph.regions_of(operation).get(before.len()).filter(|_| all);
                match next {
                    Some(region) => {
                        let then = Then::Branch { operation, index, all, given: before };
                        self.open_region(*region, frame.environment, &[], then);
                    }
                    None => self.join(operation, frame.environment, index, before),
                }
            }
            Then::Condition(trip) => self.decide(frame.environment, trip, given.first().copied()),
            Then::Body(trip) => self.repeat(frame.environment, trip, given),
        }
    }

    /// The results of something that was followed.
    fn leave(&mut self, operation: OperationId, environment: usize, given: Vec<Instance>) {
        if self.sources[operation.index()] {
            return self.source(operation, environment);
        }
        for (result, instance) in self.graph.results(operation).iter().zip(given) {
            self.bind(environment, result, instance);
        }
    }

    fn join(&mut self, operation: OperationId, environment: usize, index: Instance, given: Vec<Vec<Instance>>) {
        if let [only] = &given[..] {
            return self.leave(operation, environment, only.clone());
        }
        let mut results = Vec::new();
        for (position, result) in self.graph.results(operation).iter().enumerate() {
            let ends: Vec<Instance> = given.iter().filter_map(|branch| branch.get(position)).copied().collect();
            if ends.iter().all(|end| *end == ends[0]) {
                results.push(ends[0]);
                continue;
            }
            let mut operands = vec![index];
            operands.extend(&ends);
            let numbers: Vec<u32> = operands.iter().map(|end| self.trace.values[*end as usize].number).collect();
            let made = self.fresh(operation, Role::Branch, operands, vec![result]);
            if numbers[1..].iter().all(|number| *number == numbers[1]) {
                let first = self.trace.values[ends[0] as usize].clone();
                let value = &mut self.trace.values[made.start as usize];
                (value.number, value.view, value.known) = (first.number, first.view, first.known);
            }
            results.push(made.start);
        }
        self.leave(operation, environment, results);
    }

    /// After the condition of a loop.
    fn decide(&mut self, environment: usize, trip: Trip, predicate: Option<Instance>) {
        let operation = trip.operation;
        if let Some(predicate) = predicate
            && self.trace.claim.graphs[self.position].moves_world[operation.index()]
        {
            self.trace.world.push(predicate);
        }
        if let Some(folded) = trip.folded {
            self.trace.loops[folded].predicate = predicate.unwrap_or_default();
            return self.open_body(environment, trip);
        }
        let known = predicate.and_then(|predicate| self.trace.values[predicate as usize].known.clone());
        let spent = self.trace.nodes.len() - trip.before.nodes;
        match known.and_then(|known| known.scalar()) {
            Some(0) => {
                self.path.pop();
                self.leave(operation, environment, trip.arguments);
            }
            Some(_) if trip.count < MOST_TRIPS && spent < MOST_INSTANCES_OF_LOOP => self.open_body(environment, trip),
            _ => {
                self.go_back(trip.before);
                self.fold(environment, operation);
            }
        }
    }

    fn open_body(&mut self, environment: usize, trip: Trip) {
        let region = self.graph.regions_of(trip.operation)[1];
        let arguments = trip.arguments.clone();
        self.open_region(region, environment, &arguments, Then::Body(trip));
    }

    /// Which values a loop hands on unchanged.
    fn is_kept(&self, operation: OperationId, position: usize) -> bool {
        let body = self.graph.regions_of(operation)[1];
        let argument = self.graph.arguments(body).get(position);
        argument.is_some() && self.graph.yields(body).get(position).copied() == argument
    }

    /// Follows a loop once, for every trip.
    fn fold(&mut self, environment: usize, operation: OperationId) {
        let operands = self.look_up_all(environment, self.graph.operands(operation));
        let before = self.lengths();
        let argument_ids: Vec<ValueId> = self.graph.arguments(self.graph.regions_of(operation)[1]).iter().collect();
        let changing: Vec<usize> = (0..operands.len()).filter(|at| !self.is_kept(operation, *at)).collect();
        let initial: Vec<Instance> = changing.iter().map(|at| operands[*at]).collect();
        let folded = self.trace.loops.len();
        let numbers = self.trace.numbering.next()..u32::MAX;
        let typed = changing.iter().map(|at| argument_ids[*at]).collect();
        let carried = self.fresh(operation, Role::LoopEntry(folded), initial.clone(), typed);
        let mut arguments = operands;
        for (at, instance) in changing.iter().zip(carried.clone()) {
            arguments[*at] = instance;
        }
        let carried = carried.collect();
        self.trace.loops.push(Loop { initial, carried, next: Vec::new(), predicate: 0, numbers });
        self.path.push((operation, None));
        let trip = Trip { operation, arguments, folded: Some(folded), count: 0, before };
        self.open_condition(environment, trip);
    }

    /// After the body of a loop.
    fn repeat(&mut self, environment: usize, trip: Trip, given: Vec<Instance>) {
        let operation = trip.operation;
        let Some(folded) = trip.folded else {
            let count = trip.count + 1;
            if let Some(last) = self.path.last_mut() {
                last.1 = Some(count);
            }
            return self.open_condition(environment, Trip { arguments: given, count, ..trip });
        };
        self.path.pop();
        let end = self.trace.numbering.next();
        let changing: Vec<usize> = (0..given.len()).filter(|at| !self.is_kept(operation, *at)).collect();
        let entry = &mut self.trace.loops[folded];
        entry.next = changing.iter().map(|at| given[*at]).collect();
        entry.numbers.end = end;
        let operands = entry.carried.clone();
        let results: Vec<ValueId> = self.graph.results(operation).iter().collect();
        let typed = changing.iter().map(|at| results[*at]).collect();
        let left = self.fresh(operation, Role::LoopExit(folded), operands, typed);
        let mut all = trip.arguments;
        for (at, instance) in changing.iter().zip(left) {
            all[*at] = instance;
        }
        self.leave(operation, environment, all);
    }
}
