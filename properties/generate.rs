//! Random training graphs: loops, branches, reductions, calls of shared private functions, opaque operations, operations
//! with side effects. Written down as a program first, so that one program can be built in several orders.

use std::collections::BTreeMap;

use openloop::graph::{
    Attribute, FunctionHeader, GraphBuilder, OperationFooter, OperationHeader, OperationId, PytreePath, TrainingGraph,
    ValueId, dictionary,
};
use openloop::index::Id;
use proptest::prelude::*;

/// A value of a program.
type Name = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float,
    Boolean,
}

#[derive(Clone, Debug)]
struct Step {
    tag: usize,
    name: &'static str,
    attributes: Vec<(&'static str, Attribute)>,
    operands: Vec<Name>,
    results: Vec<(Name, Kind)>,
    regions: Vec<Block>,
    callee: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Block {
    arguments: Vec<(Name, Kind)>,
    steps: Vec<Step>,
    yields: Vec<Name>,
}

/// A program; function 0 is the entry.
#[derive(Clone, Debug)]
pub struct Program {
    functions: Vec<Block>,
    tags: usize,
    /// `(output, input)` positions that are carried.
    pub carried: Vec<(usize, usize)>,
}

/// A graph, and where each step of its program went.
pub struct Built {
    pub graph: TrainingGraph,
    pub operations: Vec<OperationId>,
}

/// What random programs may hold.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    pub calls: bool,
    pub opaque: bool,
}

pub const EVERYTHING: Features = Features { calls: true, opaque: true };

/// Random programs.
pub fn programs(features: Features) -> impl Strategy<Value = Program> {
    prop::collection::vec(any::<u16>(), 1..120).prop_map(move |entropy| Maker::new(entropy, features).program())
}

struct Maker {
    entropy: Vec<u16>,
    at: usize,
    features: Features,
    names: usize,
    tags: usize,
    /// Parameters and results of the functions that may be called.
    signatures: Vec<(usize, usize)>,
}

/// What is visible.
#[derive(Clone, Default)]
struct Scope {
    floats: Vec<Name>,
    booleans: Vec<Name>,
}

impl Scope {
    fn add(&mut self, values: &[(Name, Kind)]) {
        for (name, kind) in values {
            match kind {
                Kind::Float => self.floats.push(*name),
                Kind::Boolean => self.booleans.push(*name),
            }
        }
    }
}

impl Maker {
    fn new(entropy: Vec<u16>, features: Features) -> Self {
        Maker { entropy, at: 0, features, names: 0, tags: 0, signatures: Vec::new() }
    }

    fn next(&mut self, below: usize) -> usize {
        // The seed goes on for ever: what is drawn past its end still varies with all of it.
        let drawn = self.entropy.get(self.at).copied().map_or_else(
            || {
                let mixed = self.entropy.iter().fold(self.at as u64, |sum, part| {
                    (sum ^ u64::from(*part)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
                });
                (mixed >> 32) as usize
            },
            usize::from,
        );
        self.at += 1;
        drawn % below.max(1)
    }

    fn fresh(&mut self, kinds: &[Kind]) -> Vec<(Name, Kind)> {
        let first = self.names;
        self.names += kinds.len();
        (first..self.names).zip(kinds.iter().copied()).collect()
    }

    fn float(&mut self, scope: &Scope) -> Name {
        // Late values are likelier: long paths.
        let count = scope.floats.len();
        let back = self.next(4).min(self.next(count));
        scope.floats[count - 1 - if self.next(3) == 0 { self.next(count) } else { back }]
    }

    fn floats(&mut self, scope: &Scope, count: usize) -> Vec<Name> {
        (0..count).map(|_| self.float(scope)).collect()
    }

    fn program(mut self) -> Program {
        let functions = if self.features.calls { self.next(4) } else { 0 };
        let mut bodies = Vec::new();
        // Those that are called first are made first: each may call those before it.
        for _ in 0..functions {
            let (parameters, results) = (1 + self.next(3), 1 + self.next(3));
            let steps = 1 + self.next(5);
            bodies.push(self.function(parameters, results, steps));
            self.signatures.push((parameters, results));
        }
        let (inputs, outputs) = (2 + self.next(4), 2 + self.next(4));
        let steps = 3 + self.next(10);
        let entry = self.function(inputs, outputs, steps);
        // Function 0 is the entry; function `1 + i` is the i-th that can be called.
        bodies.insert(0, entry);
        let mut carried: Vec<(usize, usize)> = Vec::new();
        for output in 0..outputs.min(inputs) {
            if self.next(2) == 0 {
                let input = (output + self.next(2)) % inputs;
                if carried.iter().all(|(_, taken)| *taken != input) {
                    carried.push((output, input));
                }
            }
        }
        Program { functions: bodies, tags: self.tags, carried }
    }

    fn function(&mut self, parameters: usize, results: usize, steps: usize) -> Block {
        let arguments = self.fresh(&vec![Kind::Float; parameters]);
        let mut scope = Scope::default();
        scope.add(&arguments);
        let mut block = self.block(arguments, &mut scope, steps, 2);
        block.yields = self.floats(&scope, results);
        block
    }

    fn block(&mut self, arguments: Vec<(Name, Kind)>, scope: &mut Scope, steps: usize, depth: usize) -> Block {
        let mut block = Block { arguments, steps: Vec::new(), yields: Vec::new() };
        for _ in 0..steps {
            let step = self.step(scope, depth);
            scope.add(&step.results);
            block.steps.push(step);
        }
        block
    }

    /// A region over floats that gives back `yields` floats, or a predicate.
    fn region(&mut self, outer: &Scope, arguments: usize, yields: usize, predicate: bool, depth: usize) -> Block {
        let arguments = self.fresh(&vec![Kind::Float; arguments]);
        let mut scope = outer.clone();
        scope.add(&arguments);
        let steps = self.next(3);
        let mut block = self.block(arguments, &mut scope, steps, depth - 1);
        if predicate {
            let operands = self.floats(&scope, 2);
            let compare = self.simple("stablehlo.compare", operands, &[Kind::Boolean]);
            block.yields = vec![compare.results[0].0];
            block.steps.push(compare);
        } else {
            block.yields = self.floats(&scope, yields);
        }
        block
    }

    fn simple(&mut self, name: &'static str, operands: Vec<Name>, kinds: &[Kind]) -> Step {
        let results = self.fresh(kinds);
        self.tags += 1;
        let tag = self.tags - 1;
        Step { tag, name, attributes: Vec::new(), operands, results, regions: Vec::new(), callee: None }
    }

    fn step(&mut self, scope: &Scope, depth: usize) -> Step {
        use Kind::{Boolean, Float};
        let choice = self.next(if depth == 0 { 20 } else { 34 });
        match choice {
            0 if self.next(2) == 0 => self.simple("stablehlo.constant", Vec::new(), &[Float]),
            1 | 2 => {
                let operands = self.floats(scope, 1);
                self.simple("stablehlo.tanh", operands, &[Float])
            }
            3..=5 => {
                let operands = self.floats(scope, 2);
                self.simple("stablehlo.add", operands, &[Float])
            }
            6 => {
                let operands = self.floats(scope, 2);
                self.simple("stablehlo.compare", operands, &[Boolean])
            }
            7 if !scope.booleans.is_empty() => {
                let predicate = self.next(scope.booleans.len());
                let mut operands = vec![scope.booleans[predicate]];
                operands.extend(self.floats(scope, 2));
                self.simple("stablehlo.select", operands, &[Float])
            }
            8 => {
                let operands = self.floats(scope, 1);
                self.simple("chlo.constant_like", operands, &[Float])
            }
            9 => {
                let operands = self.floats(scope, 2);
                self.simple("stablehlo.gather", operands, &[Float])
            }
            10 => {
                let count = 1 + self.next(3);
                let operands = self.floats(scope, count);
                self.simple("stablehlo.optimization_barrier", operands, &vec![Float; count])
            }
            11 => {
                let operands = self.floats(scope, 1);
                self.simple("stablehlo.rng_bit_generator", operands, &[Float, Float])
            }
            12..=15 if self.features.calls && !self.signatures.is_empty() => {
                let callee = self.next(self.signatures.len());
                let (parameters, results) = self.signatures[callee];
                let operands = self.floats(scope, parameters);
                let name = if self.next(4) == 0 { "stablehlo.composite" } else { "func.call" };
                let mut step = self.simple(name, operands, &vec![Float; results]);
                step.callee = Some(1 + callee);
                step
            }
            16 if self.features.opaque => self.custom_call(scope),
            17 if self.features.opaque && self.next(3) == 0 => {
                let operands = self.floats(scope, 3);
                self.simple("stablehlo.rng", operands, &[Float])
            }
            18 if self.features.opaque && self.next(3) == 0 => {
                let operands = self.floats(scope, 1);
                self.simple("stablehlo.outfeed", operands, &[Float])
            }
            19 if self.features.opaque && self.next(3) == 0 => {
                let operands = self.floats(scope, 1);
                self.simple("test.unknown", operands, &[Float])
            }
            20..=23 => self.while_loop(scope, depth),
            24 | 25 => self.branches(scope, depth),
            26 | 27 => {
                let count = 1 + self.next(2);
                let name = if self.next(2) == 0 { "stablehlo.reduce" } else { "stablehlo.reduce_window" };
                self.with_region(scope, depth, name, 2 * count, count, (2 * count, count, false))
            }
            28 => self.with_region(scope, depth, "stablehlo.scatter", 3, 1, (2, 1, false)),
            29 => self.with_region(scope, depth, "stablehlo.sort", 2, 2, (4, 1, true)),
            30 => {
                let name = if self.next(2) == 0 { "stablehlo.map" } else { "chlo.scan" };
                self.with_region(scope, depth, name, 2, 1, (2, 1, false))
            }
            31 => {
                let name = if self.next(2) == 0 { "stablehlo.all_reduce" } else { "stablehlo.reduce_scatter" };
                let count = if name == "stablehlo.all_reduce" { 1 + self.next(2) } else { 1 };
                self.with_region(scope, depth, name, count, count, (2, 1, false))
            }
            32 if self.features.opaque && self.next(2) == 0 => {
                let name = if self.next(2) == 0 { "test.unknown_with_region" } else { "stablehlo.async_start" };
                self.with_region(scope, depth, name, 2, 1, (1, 2, false))
            }
            33 if self.next(2) == 0 => {
                let mut step = self.with_region(scope, depth, "stablehlo.select_and_scatter", 3, 1, (2, 1, true));
                let scatter = self.region(scope, 2, 1, false, depth);
                step.regions.push(scatter);
                step
            }
            _ => {
                let name = if depth > 0 && self.next(2) == 0 { "sdy.manual_computation" } else { "stablehlo.maximum" };
                if name == "stablehlo.maximum" {
                    let operands = self.floats(scope, 2);
                    return self.simple(name, operands, &[Float]);
                }
                self.with_region(scope, depth, name, 2, 2, (2, 2, false))
            }
        }
    }

    fn custom_call(&mut self, scope: &Scope) -> Step {
        let count = 1 + self.next(2);
        let operands = self.floats(scope, count);
        let results = 1 + self.next(2);
        let mut step = self.simple("stablehlo.custom_call", operands, &vec![Kind::Float; results]);
        let choice = self.next(6);
        let target =
            ["Sharding", "code", "code", "annotate_device_placement", "lapack_spotrf_ffi", "ApproxTopK"][choice];
        step.attributes.push(("call_target_name", Attribute::String(target.into())));
        if choice == 2 || choice == 3 {
            step.attributes.push(("has_side_effect", Attribute::Boolean(true)));
        }
        // A function that is named and not called: what is source in it is so in the custom call.
        if choice == 5 && !self.signatures.is_empty() {
            let named = 1 + self.next(self.signatures.len());
            let symbol = Attribute::Symbol(function_name(named).into());
            step.attributes.push(("called_computations", Attribute::Array([symbol].into())));
        }
        step
    }

    fn with_region(
        &mut self,
        scope: &Scope,
        depth: usize,
        name: &'static str,
        operands: usize,
        results: usize,
        (arguments, yields, predicate): (usize, usize, bool),
    ) -> Step {
        let operands = self.floats(scope, operands);
        let mut step = self.simple(name, operands, &vec![Kind::Float; results]);
        step.regions.push(self.region(scope, arguments, yields, predicate, depth));
        step
    }

    fn while_loop(&mut self, scope: &Scope, depth: usize) -> Step {
        let count = 1 + self.next(3);
        let operands = self.floats(scope, count);
        let mut step = self.simple("stablehlo.while", operands, &vec![Kind::Float; count]);
        let condition = self.region(scope, count, 1, true, depth);
        let mut body = self.region(scope, count, count, false, depth);
        for position in 0..count {
            match self.next(4) {
                0 => body.yields[position] = body.arguments[position].0,
                1 => body.yields[position] = body.arguments[(position + 1) % count].0,
                _ => {}
            }
        }
        step.regions = vec![condition, body];
        step
    }

    fn branches(&mut self, scope: &Scope, depth: usize) -> Step {
        let results = 1 + self.next(2);
        let branches = if self.next(2) == 0 { 2 } else { 1 + self.next(3) };
        let name = if branches == 2 { "stablehlo.if" } else { "stablehlo.case" };
        let operands = self.floats(scope, 1);
        let mut step = self.simple(name, operands, &vec![Kind::Float; results]);
        let shared = self.float(scope);
        let same = self.next(3) == 0;
        for _ in 0..branches {
            let mut branch = self.region(scope, 0, results, false, depth);
            if same {
                branch.yields[0] = shared;
            }
            step.regions.push(branch);
        }
        step
    }
}

fn function_name(function: usize) -> String {
    if function == 0 { "main".into() } else { format!("f{function}") }
}

/// How to write a program down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// The entry last instead of first, the others in reverse.
    pub backwards: bool,
    /// Neighbours that do not depend on each other change places.
    pub swapped: bool,
}

impl Program {
    /// How many steps there are; each is an operation.
    pub fn steps(&self) -> usize {
        self.tags
    }

    /// How many inputs the entry has.
    pub fn inputs(&self) -> usize {
        self.functions[0].arguments.len()
    }

    /// How many outputs the entry has.
    pub fn outputs(&self) -> usize {
        self.functions[0].yields.len()
    }

    /// The graph.
    pub fn build(&self, layout: Layout) -> Built {
        let mut builder = GraphBuilder::new("random");
        let mut operations = vec![OperationId::new(0); self.tags];
        let mut order: Vec<usize> = (0..self.functions.len()).collect();
        if layout.backwards {
            order.reverse();
        }
        for function in order {
            let block = &self.functions[function];
            let float = builder.tensor("tensor<f32>");
            let path = |prefix: &str, position: usize| PytreePath::parse(&format!("{prefix}.v{position}"));
            let header = FunctionHeader {
                name: function_name(function).into(),
                public: function == 0,
                inputs: (0..block.arguments.len()).map(|at| (float, path("in", at))).collect(),
                outputs: (0..block.yields.len()).map(|at| (float, path("out", at))).collect(),
                text_line: 0,
            };
            let arguments = builder.begin_function(header).expect("a function");
            let mut names: BTreeMap<Name, ValueId> = BTreeMap::new();
            names.extend(block.arguments.iter().map(|(name, _)| *name).zip(arguments.iter()));
            write_block(&mut builder, block, "func.return", &mut names, &mut operations, layout);
            builder.end_function().expect("the end of a function");
        }
        builder.carry_nothing_else();
        for (output, input) in &self.carried {
            builder.carry(PytreePath::parse(&format!("out.v{output}")), PytreePath::parse(&format!("in.v{input}")));
        }
        Built { graph: builder.finish().expect("a valid graph"), operations }
    }
}

fn write_block(
    builder: &mut GraphBuilder,
    block: &Block,
    end: &str,
    names: &mut BTreeMap<Name, ValueId>,
    operations: &mut [OperationId],
    layout: Layout,
) {
    let mut steps: Vec<&Step> = block.steps.iter().collect();
    if layout.swapped {
        let mut at = 0;
        while at + 1 < steps.len() {
            if independent(steps[at], steps[at + 1]) {
                steps.swap(at, at + 1);
                at += 1;
            }
            at += 1;
        }
    }
    for step in steps {
        write_step(builder, step, names, operations, layout);
    }
    let yields: Vec<ValueId> = block.yields.iter().map(|name| names[name]).collect();
    let header = OperationHeader { name: end, operands: &yields, results: 0, text_line: 0 };
    builder.begin_operation(header).expect("a terminator");
    finish(builder, &[], Vec::new(), None);
}

fn independent(first: &Step, second: &Step) -> bool {
    let made: Vec<Name> = first.results.iter().map(|(name, _)| *name).collect();
    let mut open = vec![second];
    while let Some(step) = open.pop() {
        let blocks = &step.regions;
        let yields = blocks.iter().flat_map(|block| &block.yields);
        if step.operands.iter().chain(yields).any(|name| made.contains(name)) {
            return false;
        }
        open.extend(blocks.iter().flat_map(|block| &block.steps));
    }
    true
}

fn write_step(
    builder: &mut GraphBuilder,
    step: &Step,
    names: &mut BTreeMap<Name, ValueId>,
    operations: &mut [OperationId],
    layout: Layout,
) {
    let operands: Vec<ValueId> = step.operands.iter().map(|name| names[name]).collect();
    operations[step.tag] = OperationId::new(builder.operation_count());
    let header = OperationHeader { name: step.name, operands: &operands, results: step.results.len(), text_line: 0 };
    let results = builder.begin_operation(header).expect(step.name);
    for region in &step.regions {
        let float = builder.tensor("tensor<f32>");
        let arguments = builder.begin_region(&vec![float; region.arguments.len()]).expect("a region");
        names.extend(region.arguments.iter().map(|(name, _)| *name).zip(arguments.iter()));
        let end = if step.name.starts_with("sdy.") { "sdy.return" } else { "stablehlo.return" };
        write_block(builder, region, end, names, operations, layout);
        builder.end_region().expect("the end of a region");
    }
    let kinds: Vec<Kind> = step.results.iter().map(|(_, kind)| *kind).collect();
    let attributes = step.attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    finish(builder, &kinds, attributes, step.callee);
    names.extend(step.results.iter().map(|(name, _)| *name).zip(results.iter()));
}

fn finish(builder: &mut GraphBuilder, kinds: &[Kind], attributes: Vec<(Box<str>, Attribute)>, callee: Option<usize>) {
    let types: Vec<_> = kinds
        .iter()
        .map(|kind| builder.tensor(if *kind == Kind::Float { "tensor<f32>" } else { "tensor<i1>" }))
        .collect();
    let attributes = builder.attributes(dictionary(attributes));
    let callee = callee.map(function_name);
    let footer = OperationFooter {
        result_types: &types,
        attributes,
        callee: callee.as_deref(),
        place: builder.no_place(),
        scope: builder.no_scope(),
    };
    builder.end_operation(footer).expect("the end of an operation");
}
