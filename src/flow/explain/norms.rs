//! Whether a factor is a norm of gradients that include the tensor which it scales.
//!
//! That the tensor is somewhere in what the factor is made of is not enough: in `g * score / max(norm(g), 1)` the score is a
//! factor of its own. Every labelled way into the factor has to pass a sum that also takes the tensor.

use rustc_hash::FxHashMap;

use super::resolve::Resolver;
use super::{Incoming, operation_at, reducer};
use crate::flow::refined::{Leak, Link, Origin, Place};
use crate::flow::slice::Slice;
use crate::flow::{Crossings, System, forward_slice};
use crate::graph::OperationKind as Kind;
use crate::transfer::images::is_element_by_element;
use crate::verdict::Within;

/// What is known of a labelled part; both only ever become true.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    /// Every labelled way to it has passed a sum that takes the tensor.
    passed: bool,
    /// It is one tensor that the tensor and what is labelled lie in side by side: a sum over it is one that takes both.
    beside: bool,
}

pub(super) struct NormCheck<'c, 'l, 'g> {
    pub system: &'c System<'g>,
    pub leak: &'l Leak,
    pub resolver: &'c Resolver<'l, 'g>,
    pub incoming: &'c Incoming,
}

impl NormCheck<'_, '_, '_> {
    /// Whether the factor is made of such sums alone.
    pub fn includes(&self, factor: u32, tensor: Place) -> bool {
        let at = (self.resolver.graph_position(tensor), tensor.value);
        let descends = forward_slice(self.system, Crossings::within(Within::Step), [at]);
        let cone = self.cone(factor, &descends);
        let mut known: FxHashMap<u32, Known> = FxHashMap::default();
        loop {
            let mut changed = false;
            for &node in &cone {
                let now = self.look_at(node, tensor, &descends, &known);
                changed |= known.insert(node, now).unwrap_or_default() != now;
            }
            if !changed {
                return known.get(&factor).is_some_and(|known| known.passed);
            }
        }
    }

    /// The labelled parts that the factor is made of, where the tensor is in them too; in ascending order.
    fn cone(&self, factor: u32, descends: &Slice) -> Vec<u32> {
        let mut cone = Vec::new();
        let mut open = vec![factor];
        let mut seen = fixedbitset::FixedBitSet::with_capacity(self.leak.nodes.len());
        while let Some(node) = open.pop() {
            let Some(place) = self.leak.nodes[node as usize].place else { continue };
            if seen.put(node as usize) || !self.holds(descends, place) {
                continue;
            }
            cone.push(node);
            open.extend(self.before(node));
        }
        cone.sort_unstable();
        cone
    }

    fn before(&self, node: u32) -> impl Iterator<Item = u32> {
        self.incoming.of(node).iter().map(|edge| self.leak.edges[*edge as usize].from)
    }

    fn holds(&self, slice: &Slice, place: Place) -> bool {
        slice.contains(self.resolver.graph_position(place), place.value)
    }

    fn look_at(&self, node: u32, tensor: Place, descends: &Slice, known: &FxHashMap<u32, Known>) -> Known {
        let of = |node: u32| known.get(&node).copied().unwrap_or_default();
        let is_start = self.leak.sources.contains(&node) || self.incoming.of(node).is_empty();
        let Some(place) = self.leak.nodes[node as usize].place.filter(|_| !is_start) else { return Known::default() };
        let all_passed = self.before(node).all(|node| of(node).passed);
        let all_beside = self.before(node).all(|node| of(node).beside);
        let crosses = |edge: &u32| matches!(self.leak.edges[*edge as usize].link, Link::Cross(..));
        let is_named = self.leak.nodes[node as usize].origin == Origin::Copied;
        let is_tensor = self.resolver.resolve(place) == tensor;
        if is_named || self.incoming.of(node).iter().any(crosses) {
            return Known { passed: all_passed, beside: all_beside || is_tensor };
        }
        let Some((graph, operation)) = operation_at(self.system, self.leak, node) else { return Known::default() };
        let facts = self.system.graphs[graph].graph();
        let kind = facts.operation(operation).kind;
        let operands = (0..facts.operands(operation).len()).filter_map(|at| self.resolver.operand(place, at));
        let is_labelled =
            |operand: &Place| self.before(node).any(|from| self.leak.nodes[from as usize].place == Some(*operand));
        let takes_tensor =
            operands.filter(|operand| !is_labelled(operand)).any(|operand| self.holds(descends, operand));
        let passed = match kind {
            Kind::Add | Kind::Maximum => self.before(node).any(|node| of(node).passed) || takes_tensor,
            Kind::Dot | Kind::DotGeneral => self.before(node).all(|node| of(node).passed || of(node).beside),
            Kind::Reduce if matches!(reducer(facts, operation), Some(Kind::Add | Kind::Maximum)) => {
                self.before(node).all(|node| of(node).passed || of(node).beside)
            }
            _ => all_passed,
        };
        let beside = is_tensor
            || match kind {
                Kind::Concatenate | Kind::Pad | Kind::DynamicUpdateSlice | Kind::Add => {
                    self.before(node).any(|node| of(node).beside) || takes_tensor
                }
                Kind::Reshape | Kind::Transpose => all_beside,
                kind => is_element_by_element(kind) && all_beside,
            };
        Known { passed, beside }
    }
}
