//! Which values may differ between the runs at all. Whole values, forwards: only what does not may be an atom.

use rustc_hash::FxHashSet;

use super::trace::{Instance, Node, Role, Trace};

pub(super) fn tainted(trace: &Trace<'_, '_>) -> Vec<bool> {
    let mut tainted = vec![false; trace.values.len()];
    let mut numbers = FxHashSet::default();
    let mut world = !trace.world_sources.is_empty();
    loop {
        let mut changed = false;
        for node in &trace.nodes {
            for (position, result) in node.results.clone().enumerate() {
                let value = &trace.values[result as usize];
                let may = value.known.is_none() && !tainted[result as usize];
                if may && is_tainted(trace, node, position, &tainted, world) {
                    tainted[result as usize] = true;
                    numbers.insert(value.number);
                    changed = true;
                }
            }
        }
        // Equal numbers are equal values; and elements of a root are no better than the root.
        for (position, value) in trace.values.iter().enumerate() {
            let root = value.view.as_ref().map_or(value.number, |view| view.root);
            if !tainted[position]
                && value.known.is_none()
                && (numbers.contains(&value.number) || numbers.contains(&root))
            {
                tainted[position] = true;
                changed = true;
            }
        }
        for edge in &trace.claim.edges {
            let at = |values: &[Vec<Instance>], end: (usize, usize)| values.get(end.0)?.get(end.1).copied();
            if let (Some(from), Some(to)) = (at(&trace.outputs, edge.from), at(&trace.inputs, edge.to))
                && tainted[from as usize]
                && !tainted[to as usize]
            {
                tainted[to as usize] = true;
                numbers.insert(trace.values[to as usize].number);
                changed = true;
            }
        }
        if !world && trace.world.iter().any(|value| tainted[*value as usize]) {
            world = true;
            changed = true;
        }
        if !changed {
            return tainted;
        }
    }
}

fn is_tainted(trace: &Trace<'_, '_>, node: &Node, position: usize, tainted: &[bool], world: bool) -> bool {
    let is = |value: &Instance| tainted[*value as usize];
    match node.role {
        Role::Source => true,
        Role::Input(position) => trace.claim.source_inputs[node.graph].contains(&position),
        Role::Operation => node.operands.iter().any(is) || (node.world && world),
        Role::Pass | Role::Branch => node.operands.iter().any(is),
        Role::LoopEntry(entry) => {
            let entry = &trace.loops[entry];
            is(&entry.predicate) || is(&entry.initial[position]) || is(&entry.next[position])
        }
        Role::LoopExit(entry) => is(&trace.loops[entry].predicate) || is(&node.operands[position]),
    }
}
