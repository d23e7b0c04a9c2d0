//! The rules of operations that hold regions.
//!
//! Values that a region captures from outside need no rule: the values of a region are values of the same
//! function. What needs one is how region arguments begin, and where yields go.

use super::*;
use crate::graph::RegionId;
use crate::index::IdRange;

/// The parts of an operation with regions.
struct Parts<'a> {
    graph: &'a TrainingGraph,
    operands: &'a [ValueId],
    results: IdRange<ValueId>,
    regions: &'a [RegionId],
    emit: &'a mut dyn FnMut(Edge),
}

impl Parts<'_> {
    fn flow(&mut self, from: ValueId, to: ValueId, kind: Dependence) {
        (self.emit)(Edge { from: Node::Value(from), to: Node::Value(to), kind });
    }

    fn data(&mut self, from: ValueId, to: ValueId) {
        self.flow(from, to, Dependence::Data);
    }

    fn implicit(&mut self, from: ValueId, to: ValueId) {
        self.flow(from, to, Dependence::Implicit);
    }

    fn argument(&self, region: usize, position: usize) -> Option<ValueId> {
        self.graph.arguments(*self.regions.get(region)?).get(position)
    }

    fn yielded(&self, region: usize, position: usize) -> Option<ValueId> {
        self.graph.yields(*self.regions.get(region)?).get(position).copied()
    }

    /// `from` to each of `to` that exists, as data.
    fn spread(&mut self, from: impl IntoIterator<Item = Option<ValueId>>, to: &[Option<ValueId>]) {
        for from in from.into_iter().flatten() {
            to.iter().flatten().for_each(|to| self.data(from, *to));
        }
    }
}

pub(super) fn edges(transfer: &Transfer<'_>, operation: OperationId, rule: Rule, emit: &mut dyn FnMut(Edge)) {
    let graph = transfer.graph;
    let mut parts = Parts {
        graph,
        operands: graph.operands(operation),
        results: graph.results(operation),
        regions: graph.regions_of(operation),
        emit,
    };
    let effects = transfer.has_effects(operation);
    match rule {
        Rule::While => while_loop(&mut parts, effects),
        Rule::Branches => branches(&mut parts, effects),
        Rule::Reduce => reduce(&mut parts),
        Rule::Scatter => scatter(&mut parts),
        Rule::Sort => sort(&mut parts),
        Rule::Map => map(&mut parts),
        Rule::SelectAndScatter => select_and_scatter(&mut parts),
        Rule::AllReduce => all_reduce(&mut parts),
        Rule::Scan => scan(&mut parts),
        Rule::Computation => computation(&mut parts),
        // The caller keeps those without regions for itself.
        Rule::Nothing
        | Rule::Join(_)
        | Rule::ElementByElement
        | Rule::Shape
        | Rule::TopK
        | Rule::RandomBits
        | Rule::StatefulRandom
        | Rule::CustomCall
        | Rule::Call
        | Rule::Opaque => {}
    }
}

/// Carried element by carried element: the initial value and what the body returns become the arguments; the
/// condition's arguments become the results when it stops.
fn while_loop(parts: &mut Parts<'_>, effects: bool) {
    let predicate = parts.yielded(0, 0);
    for (position, result) in parts.results.iter().enumerate() {
        let arguments = [parts.argument(0, position), parts.argument(1, position)];
        let (initial, next) = (parts.operands.get(position).copied(), parts.yielded(1, position));
        parts.spread([initial, next], &arguments);
        parts.spread([arguments[0]], &[Some(result)]);
        // precision: what the body passes through unchanged is the initial value whatever the trip count is.
        let passed_through = next.is_some() && next == arguments[1];
        if let Some(predicate) = predicate
            && !passed_through
        {
            parts.implicit(predicate, result);
        }
    }
    effects_depend_on(parts, predicate, effects);
}

/// How often, or whether, side effects happen is seen by the world.
fn effects_depend_on(parts: &mut Parts<'_>, predicate: Option<ValueId>, effects: bool) {
    if let Some(predicate) = predicate
        && effects
    {
        let from = Node::Value(predicate);
        (parts.emit)(Edge { from, to: Node::World, kind: Dependence::Implicit });
    }
}

fn branches(parts: &mut Parts<'_>, effects: bool) {
    let index = parts.operands.first().copied();
    for (position, result) in parts.results.iter().enumerate() {
        let first = parts.yielded(0, position);
        let mut same = true;
        for branch in 0..parts.regions.len() {
            let yielded = parts.yielded(branch, position);
            same &= yielded == first;
            parts.spread([yielded], &[Some(result)]);
        }
        // precision: where all branches give the same value (it is defined outside of them, or there is but one
        // branch) nothing is chosen.
        if let Some(index) = index
            && !same
        {
            parts.implicit(index, result);
        }
    }
    effects_depend_on(parts, index, effects);
}

/// `reduce` and `reduce_window`: inputs, then as many initial values.
fn reduce(parts: &mut Parts<'_>) {
    let count = parts.results.len();
    for (position, result) in parts.results.iter().enumerate() {
        let input = parts.operands.get(position).copied();
        let initial = parts.operands.get(count + position).copied();
        let yielded = parts.yielded(0, position);
        let both = [parts.argument(0, position), parts.argument(0, count + position)];
        parts.spread([input, initial, yielded], &both);
        parts.spread([yielded, initial, input], &[Some(result)]);
    }
}

/// Inputs, indices, as many updates.
fn scatter(parts: &mut Parts<'_>) {
    let count = parts.results.len();
    let indices = parts.operands.get(count).copied();
    for (position, result) in parts.results.iter().enumerate() {
        let input = parts.operands.get(position).copied();
        let update = parts.operands.get(count + 1 + position).copied();
        let yielded = parts.yielded(0, position);
        let (old, new) = (parts.argument(0, position), parts.argument(0, count + position));
        parts.spread([input, yielded], &[old]);
        parts.spread([update], &[new]);
        parts.spread([input, yielded], &[Some(result)]);
        if let Some(indices) = indices {
            parts.implicit(indices, result);
        }
    }
}

fn sort(parts: &mut Parts<'_>) {
    let order = parts.yielded(0, 0);
    for (position, result) in parts.results.iter().enumerate() {
        let input = parts.operands.get(position).copied();
        let both = [parts.argument(0, 2 * position), parts.argument(0, 2 * position + 1)];
        parts.spread([input], &both);
        parts.spread([input], &[Some(result)]);
        if let Some(order) = order {
            parts.implicit(order, result);
        }
    }
}

fn map(parts: &mut Parts<'_>) {
    for position in 0..parts.operands.len() {
        let argument = parts.argument(0, position);
        parts.spread([Some(parts.operands[position])], &[argument]);
    }
    for (position, result) in parts.results.iter().enumerate() {
        parts.spread([parts.yielded(0, position)], &[Some(result)]);
    }
}

/// Operands: operand, source, initial value. Regions: select, scatter.
fn select_and_scatter(parts: &mut Parts<'_>) {
    let operand = parts.operands.first().copied();
    let source = parts.operands.get(1).copied();
    let initial = parts.operands.get(2).copied();
    let (selected, scattered) = (parts.yielded(0, 0), parts.yielded(1, 0));
    parts.spread([operand], &[parts.argument(0, 0), parts.argument(0, 1)]);
    parts.spread([source, initial, scattered], &[parts.argument(1, 0), parts.argument(1, 1)]);
    for result in parts.results.iter() {
        parts.spread([scattered, initial], &[Some(result)]);
        for chooser in [selected, operand].into_iter().flatten() {
            parts.implicit(chooser, result);
        }
    }
}

/// `all_reduce` and `reduce_scatter`: one region with two arguments for all operands, so these meet in it. A group
/// of one replica returns the operand as it is.
fn all_reduce(parts: &mut Parts<'_>) {
    let yielded = parts.yielded(0, 0);
    let both = [parts.argument(0, 0), parts.argument(0, 1)];
    for position in 0..parts.operands.len() {
        let operand = parts.operands[position];
        parts.spread([Some(operand)], &both);
        let result = parts.results.get(position);
        parts.spread([Some(operand)], &[result]);
    }
    parts.spread([yielded], &both);
    for result in parts.results.iter() {
        parts.spread([yielded], &[Some(result)]);
    }
}

/// `chlo.scan`: a body that runs once for each slice. Which operands are inputs and which are carried is in an
/// attribute that no lowered step has needed yet, so everything goes everywhere.
fn scan(parts: &mut Parts<'_>) {
    let Some(&region) = parts.regions.first() else { return };
    let sources: Vec<ValueId> = parts.operands.iter().chain(parts.graph.yields(region)).copied().collect();
    let targets: Vec<ValueId> = parts.graph.arguments(region).iter().chain(parts.results.iter()).collect();
    for source in sources {
        targets.iter().for_each(|target| parts.data(source, *target));
    }
}

fn computation(parts: &mut Parts<'_>) {
    for position in 0..parts.operands.len() {
        let argument = parts.argument(0, position);
        parts.spread([Some(parts.operands[position])], &[argument]);
    }
    for (position, result) in parts.results.iter().enumerate() {
        parts.spread([parts.yielded(0, position)], &[Some(result)]);
    }
}
