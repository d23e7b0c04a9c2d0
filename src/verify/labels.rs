//! `Holds`: the label assignment is closed, holds every source, and holds no sink.

use super::local::{argument_takes, result_takes, world_takes};
use super::{Claim, Facts};
use crate::graph::{FunctionId, OperationId, ValueId};
use crate::index::Id;
use crate::verdict::{FunctionLabels, GraphLabels};

/// The rows of one function: which origins may reach each value.
struct Table {
    first: usize,
    words: usize,
    bits: Vec<u64>,
    /// Which origins the world sees through this function; recomputed, not read.
    world: Vec<u64>,
}

impl Table {
    fn row(&self, value: ValueId) -> &[u64] {
        let at = (value.index() - self.first) * self.words;
        &self.bits[at..at + self.words]
    }

    fn has(&self, value: ValueId, origin: usize) -> bool {
        self.row(value)[origin / 64] >> (origin % 64) & 1 == 1
    }
}

/// Says what is wrong, at most a few of each kind.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn report(&mut self, problem: impl FnOnce() -> String) {
        if self.0.len() < 20 {
            self.0.push(problem());
        }
    }
}

pub(super) fn check(claim: &Claim<'_>, evidence: &[GraphLabels]) -> Vec<String> {
    let mut problems = Problems::default();
    if evidence.len() != claim.graphs.len() {
        return vec!["there is not one label assignment for each graph".into()];
    }
    let world = evidence.iter().any(|labels| labels.world);
    if evidence.iter().any(|labels| labels.world != world) {
        problems.report(|| "the graphs share one world, but do not agree whether it is labelled".into());
    }
    let mut entries = Vec::new();
    for (position, (facts, labels)) in claim.graphs.iter().zip(evidence).enumerate() {
        match Checker::new(facts, labels, &claim.sources[position], world) {
            Ok(mut checker) => {
                checker.check(&mut problems);
                entries.push(checker.tables.swap_remove(facts.graph.entry().index()));
            }
            Err(problem) => return vec![problem],
        }
    }
    let labelled = |graph: usize, value: Option<ValueId>| {
        value.is_some_and(|value| entries[graph].as_ref().is_some_and(|table| table.has(value, 0)))
    };
    let ports = |graph: usize| {
        let facts = claim.graphs[graph].graph;
        let body = facts.function(facts.entry()).body;
        (facts.arguments(body), facts.yields(body))
    };
    for graph in 0..claim.graphs.len() {
        let (inputs, outputs) = ports(graph);
        for &input in &claim.source_inputs[graph] {
            if !labelled(graph, inputs.get(input)) {
                problems.report(|| format!("input {input} is a source and not labelled"));
            }
        }
        for &sink in &claim.sinks[graph] {
            if labelled(graph, outputs.get(sink).copied()) {
                problems.report(|| format!("output {sink} is a sink and labelled"));
            }
        }
    }
    for edge in &claim.edges {
        let from = labelled(edge.from.0, ports(edge.from.0).1.get(edge.from.1).copied());
        if from && !labelled(edge.to.0, ports(edge.to.0).0.get(edge.to.1)) {
            problems.report(|| format!("output {} is labelled, input {} is not", edge.from.1, edge.to.1));
        }
    }
    problems.0
}

struct Checker<'c, 'a> {
    facts: &'c Facts<'a>,
    sources: &'c [bool],
    world: bool,
    /// For each function that the step can call.
    tables: Vec<Option<Table>>,
}

impl<'c, 'a> Checker<'c, 'a> {
    fn new(facts: &'c Facts<'a>, labels: &GraphLabels, sources: &'c [bool], world: bool) -> Result<Self, String> {
        let graph = facts.graph;
        if labels.functions.len() != graph.functions().len() {
            return Err("there is not one table for each function".into());
        }
        let mut tables = Vec::new();
        for (id, function) in graph.functions().iter_enumerated() {
            let first = graph.arguments(function.body).positions().start;
            let next = graph.functions().ids().nth(id.index() + 1);
            let end =
                next.map_or(graph.values().len(), |next| graph.arguments(graph.function(next).body).positions().start);
            let parameters = if id == graph.entry() { 0 } else { graph.arguments(function.body).len() };
            let given = &labels.functions[id.index()];
            tables.push(match facts.reachable[id.index()] {
                true => Some(read(given, first, end, 2 + parameters)?),
                false if given.rows.is_empty() => None,
                false => return Err(format!("@{} is never called and has labels", function.name)),
            });
        }
        Ok(Checker { facts, sources, world, tables })
    }

    fn check(&mut self, problems: &mut Problems) {
        let graph = self.facts.graph;
        for &function in graph.callees_first() {
            // Taken out while it is checked: a function does not call itself.
            let Some(mut table) = self.tables[function.index()].take() else { continue };
            if function != graph.entry() {
                for (position, parameter) in graph.arguments(graph.function(function).body).iter().enumerate() {
                    if !table.has(parameter, 2 + position) {
                        problems.report(|| format!("parameter {position} of a function does not reach itself"));
                    }
                }
            }
            for operation in graph.operations_within(graph.function(function).body).iter() {
                self.check_operation(operation, &mut table, problems);
            }
            if table.world[0] & 1 == 1 && !self.world {
                problems.report(|| "a source reaches the world, which is not labelled".into());
            }
            self.tables[function.index()] = Some(table);
        }
    }

    fn check_operation(&self, operation: OperationId, table: &mut Table, problems: &mut Problems) {
        let graph = self.facts.graph;
        let mut wrong = |value: ValueId| {
            problems.report(|| {
                let name = graph.operation_name(operation);
                format!("value {} of {name} lacks the label of a value that it depends on", value.index())
            });
        };
        // What the world holds comes out of whatever talks to it.
        let from_world = self.world && self.facts.is_open_to_world(operation);
        let callee = self.facts.called(operation);
        for (position, result) in graph.results(operation).iter().enumerate() {
            let needed = match callee {
                Some(callee) => self.through_call(operation, callee, position, table),
                None => join(table, &result_takes(self.facts, operation, position)),
            };
            let seeded = self.sources[operation.index()] || from_world;
            if !covers(table.row(result), &needed) || (seeded && !table.has(result, 0)) {
                wrong(result);
            }
        }
        for (index, &region) in graph.regions_of(operation).iter().enumerate() {
            for (position, argument) in graph.arguments(region).iter().enumerate() {
                let needed = join(table, &argument_takes(self.facts, operation, index, position));
                if !covers(table.row(argument), &needed) || (from_world && !table.has(argument, 0)) {
                    wrong(argument);
                }
            }
        }
        let mut seen = join(table, &world_takes(self.facts, operation));
        if self.sources[operation.index()] && self.facts.moves_world[operation.index()] {
            seen[0] |= 1;
        }
        if let Some(callee) = callee
            && let Some(body) = &self.tables[callee.index()]
        {
            add(&mut seen, &self.mapped(operation, &body.world, table));
        }
        add(&mut table.world, &seen);
    }

    /// What a result of a call must hold: the row of what the callee gives back, its parameters replaced.
    fn through_call(&self, call: OperationId, callee: FunctionId, position: usize, table: &Table) -> Vec<u64> {
        let graph = self.facts.graph;
        let given = graph.yields(graph.function(callee).body).get(position);
        match (given, &self.tables[callee.index()]) {
            (Some(given), Some(body)) => self.mapped(call, body.row(*given), table),
            _ => vec![u64::MAX; table.words], // cannot be: then nothing covers it
        }
    }

    fn mapped(&self, call: OperationId, row: &[u64], table: &Table) -> Vec<u64> {
        let mut needed = vec![0; table.words];
        needed[0] |= row[0] & 1;
        for (position, operand) in self.facts.graph.operands(call).iter().enumerate() {
            let origin = 2 + position;
            if row.get(origin / 64).is_some_and(|word| word >> (origin % 64) & 1 == 1) {
                add(&mut needed, table.row(*operand));
            }
        }
        needed
    }
}

fn join(table: &Table, values: &[ValueId]) -> Vec<u64> {
    let mut joined = vec![0; table.words];
    values.iter().for_each(|value| add(&mut joined, table.row(*value)));
    joined
}

fn add(into: &mut [u64], row: &[u64]) {
    into.iter_mut().zip(row).for_each(|(into, word)| *into |= word);
}

fn covers(row: &[u64], needed: &[u64]) -> bool {
    row.iter().zip(needed).all(|(have, need)| need & !have == 0)
}

/// Reads the rows of the values `first..end`.
fn read(given: &FunctionLabels, first: usize, end: usize, origins: usize) -> Result<Table, String> {
    let digits = origins.div_ceil(4);
    let text = given.rows.as_bytes();
    if given.origins != origins || text.len() != digits * (end - first) {
        return Err("a table of labels has the wrong size".into());
    }
    let words = origins.div_ceil(64);
    let mut table = Table { first, words, bits: vec![0; words * (end - first)], world: vec![0; words] };
    for (row, line) in text.chunks_exact(digits).enumerate() {
        for (at, digit) in line.iter().rev().enumerate() {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err("a table of labels has a character that is no hexadecimal digit".into()),
            };
            for bit in (0..4).filter(|bit| digit >> bit & 1 == 1) {
                let origin = 4 * at + bit;
                // Origin 1 is reserved: a labelled world is a source where it is read.
                if origin >= origins || origin == 1 {
                    return Err("a table of labels names an origin that does not exist".into());
                }
                table.bits[row * words + origin / 64] |= 1 << (origin % 64);
            }
        }
    }
    Ok(table)
}
