//! Which values lie between the pivots and the sinks. Whole values, by every operand: more than is so is no harm.

use super::super::backward::movement::is_identity;
use super::super::backward::trace::{Instance, Node, Role, Trace};

/// For each value whether it lies on a way from a pivot to a sink, where a difference in what is demanded may reach one.
pub(super) fn between(trace: &Trace<'_, '_>, demanded: &[bool]) -> Vec<bool> {
    let mut reached = vec![false; trace.values.len()];
    trace.cuts.iter().for_each(|(pivot, _)| reached[*pivot as usize] = true);
    spread(trace, demanded, &mut reached);
    reached
}

/// What these values are made of, themselves included. Nothing is followed beyond a value where it stops.
pub(super) fn needed(trace: &Trace<'_, '_>, mut open: Vec<Instance>, stops: &[bool]) -> Vec<bool> {
    let mut needed = vec![false; trace.values.len()];
    let mut world = false;
    while let Some(value) = open.pop() {
        if std::mem::replace(&mut needed[value as usize], true) || stops.get(value as usize) == Some(&true) {
            continue;
        }
        let node = &trace.nodes[trace.values[value as usize].maker as usize];
        takes(trace, node, value, &mut open);
        if node.world && !std::mem::replace(&mut world, true) {
            open.extend(&trace.world);
        }
        if let Role::Input(position) = node.role {
            let edges = trace.claim.edges.iter().filter(|edge| edge.to == (node.graph, position));
            open.extend(edges.filter_map(|edge| trace.outputs.get(edge.from.0)?.get(edge.from.1)));
        }
        if let Role::LoopExit(at) = node.role {
            open.push(trace.loops[at].predicate);
        }
    }
    needed
}

/// Marks what depends on values that are marked, and is demanded.
fn spread(trace: &Trace<'_, '_>, demanded: &[bool], reached: &mut [bool]) {
    let mut world = false;
    let mut taken = Vec::new();
    loop {
        let mut changed = false;
        for node in &trace.nodes {
            for value in node.results.clone() {
                if reached[value as usize] || !demanded[value as usize] || trace.values[value as usize].known.is_some() {
                    continue;
                }
                taken.clear();
                takes(trace, node, value, &mut taken);
                if let Role::LoopExit(at) = node.role {
                    taken.push(trace.loops[at].predicate);
                }
                if node.world && world || taken.iter().any(|operand| reached[*operand as usize]) {
                    reached[value as usize] = true;
                    changed = true;
                }
            }
        }
        for edge in &trace.claim.edges {
            let at = |values: &[Vec<Instance>], end: (usize, usize)| values.get(end.0)?.get(end.1).copied();
            if let (Some(from), Some(to)) = (at(&trace.outputs, edge.from), at(&trace.inputs, edge.to))
                && reached[from as usize]
                && demanded[to as usize]
                && !std::mem::replace(&mut reached[to as usize], true)
            {
                changed = true;
            }
        }
        let goes_out = trace.world.iter().any(|value| reached[*value as usize]);
        changed |= goes_out && !std::mem::replace(&mut world, true);
        if !changed {
            return;
        }
    }
}

/// The operands that a result is made of. Of a loop: what it carries. How often it runs is another question, since in each trip
/// it has run that often.
fn takes(trace: &Trace<'_, '_>, node: &Node, value: Instance, into: &mut Vec<Instance>) {
    let position = (value - node.results.start) as usize;
    match node.role {
        Role::Source | Role::Input(_) => {}
        Role::LoopEntry(at) => {
            let entry = &trace.loops[at];
            into.extend([entry.initial[position], entry.next[position]]);
        }
        Role::LoopExit(_) => into.push(node.operands[position]),
        Role::Operation if is_identity(trace.kind(node)) => into.push(node.operands[position]),
        Role::Operation | Role::Pass | Role::Branch => into.extend(&node.operands),
    }
}
