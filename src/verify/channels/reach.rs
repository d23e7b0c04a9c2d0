//! Which values lie between the pivots and the sinks. Whole values, by every operand: more than is so is no harm.

use super::super::Claim;
use super::super::backward::CutElement;
use super::super::backward::movement::is_identity;
use super::super::backward::trace::{Instance, Node, Role, Trace};

/// For each value whether it lies on a way from a pivot to a sink, where a difference in what is demanded may reach one.
pub(super) fn between(trace: &Trace<'_, '_>, demanded: &[bool]) -> Vec<bool> {
    let mut reached = vec![false; trace.values.len()];
    trace.cuts.iter().for_each(|(pivot, _)| reached[*pivot as usize] = true);
    spread(trace, |value| demanded[value as usize], |_| true, &mut reached, false);
    reached
}

/// The pivots that the source reaches by a way with no other pivot on it. The others only hand on what these let through.
pub(super) fn first_reached(claim: &Claim<'_>, cut: Vec<CutElement>) -> Result<Vec<CutElement>, String> {
    let trace = Trace::new(claim, &cut)?;
    let mut is_pivot = vec![false; trace.values.len()];
    trace.cuts.iter().for_each(|(pivot, _)| is_pivot[*pivot as usize] = true);
    let reached = from_source(&trace, |value| !is_pivot[value as usize]);
    if (0..cut.len()).any(|position| trace.cuts.iter().all(|(_, known)| *known != position)) {
        return Err("a pivot names an instance of a value that there is not".into());
    }
    let mut first = vec![false; cut.len()];
    trace.cuts.iter().for_each(|(pivot, position)| first[*position] |= reached[*pivot as usize]);
    Ok(cut.into_iter().zip(first).filter(|(_, first)| *first).map(|(cut, _)| cut).collect())
}

/// For each value whether the source reaches it, by values that hand on.
pub(super) fn from_source(trace: &Trace<'_, '_>, hands_on: impl Fn(Instance) -> bool) -> Vec<bool> {
    let mut reached = vec![false; trace.values.len()];
    for node in &trace.nodes {
        let is_source = match node.role {
            Role::Source => true,
            Role::Input(position) => trace.claim.source_inputs[node.graph].contains(&position),
            _ => false,
        };
        node.results.clone().filter(|_| is_source).for_each(|value| reached[value as usize] = true);
    }
    spread(trace, |_| true, hands_on, &mut reached, !trace.world_sources.is_empty());
    reached
}

/// For each value whether one of this number is in it.
pub(super) fn made_of(trace: &Trace<'_, '_>, number: u32) -> Vec<bool> {
    let mut reached: Vec<bool> = trace.values.iter().map(|value| value.number == number).collect();
    spread(trace, |_| true, |_| true, &mut reached, false);
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

/// Marks what depends on values that are marked: what may be marked, by what hands on. `world`: whether the world is marked.
fn spread(
    trace: &Trace<'_, '_>,
    may: impl Fn(Instance) -> bool,
    hands_on: impl Fn(Instance) -> bool,
    reached: &mut [bool],
    mut world: bool,
) {
    let mut taken = Vec::new();
    loop {
        let mut changed = false;
        for node in &trace.nodes {
            for value in node.results.clone() {
                if reached[value as usize] || !may(value) || trace.values[value as usize].known.is_some() {
                    continue;
                }
                taken.clear();
                takes(trace, node, value, &mut taken);
                if let Role::LoopExit(at) = node.role {
                    taken.push(trace.loops[at].predicate);
                }
                if node.world && world || taken.iter().any(|operand| reached[*operand as usize] && hands_on(*operand)) {
                    reached[value as usize] = true;
                    changed = true;
                }
            }
        }
        for edge in &trace.claim.edges {
            let at = |values: &[Vec<Instance>], end: (usize, usize)| values.get(end.0)?.get(end.1).copied();
            if let (Some(from), Some(to)) = (at(&trace.outputs, edge.from), at(&trace.inputs, edge.to))
                && reached[from as usize]
                && hands_on(from)
                && may(to)
                && !std::mem::replace(&mut reached[to as usize], true)
            {
                changed = true;
            }
        }
        let goes_out = trace.world.iter().any(|value| reached[*value as usize] && hands_on(*value));
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
