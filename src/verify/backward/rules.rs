//! What each operation needs of its operands, given what is demanded of a result. What is not understood needs all.

use super::bodies;
use super::conditions::{Along, Condition, Position};
use super::constants::Class;
use super::demand::Demand;
use super::dot::Dot;
use super::elements::Elements;
use super::facts::Facts;
use super::indexing;
use super::movement::{dimensions, integers, inverse, is_elementwise, is_identity, movement};
use super::trace::{Instance, Node, Trace};
use super::{Site, windows};
use crate::graph::{Attribute, OperationKind as Kind};

#[derive(Default)]
pub(super) struct Needed {
    /// The operand by position, which elements, and when.
    pub demands: Vec<(usize, Elements, Condition)>,
    /// Products where it was taken that no operand is infinite or NaN.
    pub sites: Vec<Site>,
}

impl Needed {
    pub fn add(&mut self, operand: usize, elements: Elements, condition: Condition) {
        self.demands.push((operand, elements, condition));
    }
}

/// One demand of one result of an operation, and what is known around it.
pub(super) struct Question<'q, 't, 'c, 'a> {
    pub trace: &'q Trace<'c, 'a>,
    pub facts: &'q Facts<'t, 'c, 'a>,
    pub node: &'q Node,
    pub position: usize,
    pub demand: &'q Demand,
}

pub(super) fn needed<'c, 'a>(
    trace: &Trace<'c, 'a>,
    facts: &Facts<'_, 'c, 'a>,
    node: &Node,
    position: usize,
    demand: &Demand,
    needed: &mut Needed,
) {
    let question = Question { trace, facts, node, position, demand };
    if question.specific(needed).is_some() {
        return;
    }
    needed.demands.clear();
    needed.sites.clear();
    // Across devices and into the unknown no condition goes.
    let condition = if question.is_local() { demand.condition.dimensionless() } else { Condition::default() };
    for operand in 0..node.operands.len() {
        needed.add(operand, Elements::whole(question.domain(operand)), condition.clone());
    }
}

impl<'q> Question<'q, '_, '_, '_> {
    pub fn kind(&self) -> Kind {
        self.trace.kind(self.node)
    }

    pub fn attribute(&self, name: &str) -> Option<&'q Attribute> {
        self.trace.graph(self.node).attribute(self.node.operation, name)
    }

    pub fn integers(&self, name: &str) -> Option<&'q [i64]> {
        integers(self.trace.graph(self.node), self.node.operation, name)
    }

    pub fn operand(&self, at: usize) -> Option<Instance> {
        self.node.operands.get(at).copied()
    }

    fn domain(&self, operand: usize) -> &'q [u64] {
        self.trace.values[self.node.operands[operand] as usize].shape.domain()
    }

    pub fn extents(&self, operand: usize) -> Option<&'q [u64]> {
        self.trace.values[self.operand(operand)? as usize].shape.extents.as_deref()
    }

    pub fn result_extents(&self) -> Option<&'q [u64]> {
        let result = self.node.results.start as usize + self.position;
        self.trace.values[result].shape.extents.as_deref()
    }

    pub fn class(&self, operand: usize) -> Class {
        self.trace.values[self.node.operands[operand] as usize].shape.class
    }

    /// A constant index of rank 0.
    pub fn index(&self, operand: usize) -> Option<i128> {
        let value = &self.trace.values[self.operand(operand)? as usize];
        value.shape.class.integer(value.known.as_ref()?.scalar()?)
    }

    pub fn number(&self, operand: usize) -> u32 {
        self.trace.values[self.node.operands[operand] as usize].number
    }

    /// Whether it computes on one device, by what its operands are.
    fn is_local(&self) -> bool {
        let graph = self.trace.graph(self.node);
        let kind = self.kind();
        !self.node.world
            && self.trace.claim.graphs[self.node.graph].is_transparent(self.node.operation)
            && graph.operation(self.node.operation).callee.is_none()
            && graph.operations_inside(self.node.operation).iter().all(|id| graph.operation(id).callee.is_none())
            && (is_elementwise(kind)
                || matches!(
                    kind,
                    Kind::BroadcastInDim
                        | Kind::Reshape
                        | Kind::Concatenate
                        | Kind::Convolution
                        | Kind::Dot
                        | Kind::DotGeneral
                        | Kind::DynamicSlice
                        | Kind::DynamicUpdateSlice
                        | Kind::Gather
                        | Kind::Pad
                        | Kind::Scatter
                        | Kind::Reduce
                        | Kind::ReduceWindow
                        | Kind::SelectAndScatter
                        | Kind::Sort
                        | Kind::TopK
                        | Kind::Cholesky
                        | Kind::TriangularSolve
                        | Kind::Fft
                        | Kind::RngBitGenerator
                        | Kind::BitcastConvert
                        | Kind::Tuple
                        | Kind::GetTupleElement
                ))
    }

    fn specific(&self, needed: &mut Needed) -> Option<()> {
        let kind = self.kind();
        let graph = self.trace.graph(self.node);
        let (elements, condition) = (&self.demand.elements, &self.demand.condition);
        let is_plain = self.node.operands.len() == graph.operands(self.node.operation).len();
        if self.node.world || !is_plain || !self.trace.claim.graphs[self.node.graph].is_transparent(self.node.operation)
        {
            return None;
        }
        if is_identity(kind) {
            let same = self.extents(self.position)? == self.result_extents()?;
            needed.add(self.position, elements.clone(), condition.clone());
            return same.then_some(());
        }
        if matches!(kind, Kind::ConstantLike | Kind::GetDimensionSize) {
            return self.extents(0).map(|_| ());
        }
        let to = self.result_extents()?;
        if let Some(from) = self.extents(0)
            && let Some(movement) = movement(graph, self.node.operation, from, to)
        {
            let back = movement.elements_back(elements, from, to);
            needed.add(0, back, movement.condition_back(condition, from, to));
            return Some(());
        }
        match kind {
            Kind::Constant | Kind::Iota => Some(()),
            Kind::Select => self.select(needed),
            Kind::And | Kind::Or if self.class(0) == Class::Boolean => self.lattice(needed),
            Kind::Multiply => self.multiply(needed),
            _ if is_elementwise(kind) => {
                (0..self.node.operands.len()).try_for_each(|at| self.same(at, elements.clone(), condition, needed))
            }
            Kind::BitcastConvert => {
                let from = self.extents(0)?;
                needed.add(0, elements.clone(), condition.clone());
                (from == to).then_some(())
            }
            Kind::Dot | Kind::DotGeneral => self.dot(needed),
            Kind::Concatenate => self.concatenate(needed),
            Kind::Pad => self.pad(needed),
            Kind::Reduce => self.reduce(needed),
            Kind::ReduceWindow => windows::reduce_window(self, needed),
            Kind::Convolution => windows::convolution(self, needed),
            Kind::Sort => self.sort(needed),
            Kind::Map => {
                let body = bodies::look_at(graph, self.node.operation);
                let takes = body.takes.first()?;
                for operand in (0..takes.len()).filter(|at| takes[*at]) {
                    self.same(operand, elements.clone(), condition, needed)?;
                }
                Some(())
            }
            Kind::Cholesky => self.batched(2, needed),
            Kind::TriangularSolve => self.batched(2, needed),
            Kind::Fft => self.batched(self.integers("fft_length")?.len(), needed),
            Kind::TopK => self.batched(1, needed),
            Kind::DynamicSlice => indexing::dynamic_slice(self, needed),
            Kind::DynamicUpdateSlice => indexing::dynamic_update_slice(self, needed),
            Kind::Gather => indexing::gather(self, needed),
            Kind::Scatter => indexing::scatter(self, needed),
            _ => None,
        }
    }

    /// The same elements of an operand; of one of rank 0 its only one.
    fn same(&self, at: usize, elements: Elements, condition: &Condition, needed: &mut Needed) -> Option<()> {
        let own = self.extents(at)?;
        if own == self.result_extents()? {
            needed.add(at, elements, condition.clone());
        } else if own.is_empty() {
            if !elements.is_empty() {
                needed.add(at, Elements::whole(&[]), condition.dimensionless());
            }
        } else {
            return None;
        }
        Some(())
    }

    /// Elements where a boolean operand may have this value.
    fn where_known(&self, at: usize, value: u64) -> Option<Elements> {
        let facts = &self.trace.values[self.node.operands[at] as usize];
        let known = facts.known.as_ref()?;
        let own = known.elements(facts.shape.domain(), |bits| bits == value);
        // A predicate of rank 0 stands for every element.
        Some(if facts.shape.domain().is_empty() && !own.is_empty() {
            Elements::whole(self.result_extents()?)
        } else {
            own
        })
    }

    fn select(&self, needed: &mut Needed) -> Option<()> {
        let (elements, condition) = (&self.demand.elements, &self.demand.condition);
        let truth = self.facts.truth(self.node.operands[0]);
        for (operand, when, value) in [(1, &truth.yes, 1), (2, &truth.no, 0)] {
            if let Some(condition) = condition.and_of(when, elements) {
                let elements = match self.where_known(0, value) {
                    Some(chosen) => elements.within(&chosen),
                    None => elements.clone(),
                };
                self.same(operand, elements, &condition, needed)?;
            }
        }
        if self.number(1) != self.number(2) {
            self.same(0, elements.clone(), condition, needed)?;
        }
        Some(())
    }

    /// `and`: one operand matters where the other may be true; `or`: where it may be false.
    fn lattice(&self, needed: &mut Needed) -> Option<()> {
        let is_and = self.kind() == Kind::And;
        for (operand, other) in [(0, 1), (1, 0)] {
            let truth = self.facts.truth(self.node.operands[other]);
            let when = if is_and { &truth.yes } else { &truth.no };
            let Some(condition) = self.demand.condition.and_of(when, &self.demand.elements) else { continue };
            let elements = match self.where_known(other, u64::from(is_and)) {
                Some(open) => self.demand.elements.within(&open),
                None => self.demand.elements.clone(),
            };
            self.same(operand, elements, &condition, needed)?;
        }
        Some(())
    }

    /// A factor matters where the other one may be other than 0.
    fn multiply(&self, needed: &mut Needed) -> Option<()> {
        let (elements, condition) = (&self.demand.elements, &self.demand.condition);
        let to = self.result_extents()?;
        let is_exact = self.class(0).is_integer() || self.class(0) == Class::Boolean;
        let barrier = (is_exact || self.facts.finite()) && (0..2).all(|at| self.extents(at) == Some(to));
        for (operand, other) in [(0, 1), (1, 0)] {
            let support = self.facts.support(self.node.operands[other]).filter(|_| barrier);
            let Some(support) = support else {
                self.same(operand, elements.clone(), condition, needed)?;
                continue;
            };
            let inside = elements.within(&support.inside);
            let limited = condition.and_of(&support.literals, elements).filter(|_| !inside.is_empty());
            let changed = limited.as_ref() != Some(condition) || inside != *elements;
            if changed {
                needed.sites.extend(&support.sites);
                if !is_exact {
                    needed.sites.push((self.node.graph, self.node.operation));
                }
            }
            if let Some(limited) = limited {
                self.same(operand, inside, &limited, needed)?;
            }
        }
        Some(())
    }

    fn dot(&self, needed: &mut Needed) -> Option<()> {
        let graph = self.trace.graph(self.node);
        let (left, right) = (self.extents(0)?, self.extents(1)?);
        let dot = Dot::new(graph, self.node.operation, left, right, self.result_extents()?)?;
        let is_exact = self.class(0).is_integer() && self.class(1).is_integer();
        for side in 0..2 {
            let barrier = is_exact || self.facts.finite();
            let support = self.facts.support(self.node.operands[1 - side]).filter(|_| barrier);
            let (elements, condition) = (&self.demand.elements, &self.demand.condition);
            let limited = dot.back(side, elements, condition, support.as_ref());
            if let Some(support) = &support
                && limited != dot.back(side, elements, condition, None)
            {
                needed.sites.extend(&support.sites);
                if !is_exact {
                    needed.sites.push((self.node.graph, self.node.operation));
                }
            }
            if let Some((elements, condition)) = limited {
                needed.add(side, elements, condition);
            }
        }
        Some(())
    }

    fn concatenate(&self, needed: &mut Needed) -> Option<()> {
        let dimension = usize::try_from(self.attribute("dimension")?.as_integer()?).ok()?;
        let mut start = 0u64;
        for operand in 0..self.node.operands.len() {
            let own = self.extents(operand)?;
            let extent = *own.get(dimension)?;
            let elements = self.demand.elements.map(|block| {
                let mut block = block.clone();
                let (first, end) = block[dimension];
                block[dimension] = (first.max(start) - start, end.min(start + extent).saturating_sub(start));
                Some(block)
            });
            let mut along: Vec<_> = (0..own.len()).map(Along::same).collect();
            along[dimension] = Along::linear(dimension, 1, i64::try_from(start).ok()?);
            needed.add(operand, elements, self.demand.condition.map(|position| position.substitute(&along, own)));
            start += extent;
        }
        Some(())
    }

    fn pad(&self, needed: &mut Needed) -> Option<()> {
        let own = self.extents(0)?;
        let low = self.integers("edge_padding_low")?;
        let interior = self.integers("interior_padding")?;
        if low.len() != own.len() || interior.len() != own.len() {
            return None;
        }
        let mut along = Vec::new();
        for (dimension, (low, interior)) in low.iter().zip(interior).enumerate() {
            along.push(Along::linear(dimension, interior.checked_add(1).filter(|step| *step > 0)?, *low));
        }
        // An element of the operand comes to lie at `low + index * step`.
        let elements = self.demand.elements.map(|block| {
            let sides = block.iter().zip(low.iter().zip(interior)).zip(own).map(|((side, (low, interior)), extent)| {
                let (low, step) = (i128::from(*low), i128::from(*interior) + 1);
                let first = (i128::from(side.0) - low + step - 1).div_euclid(step).clamp(0, i128::from(*extent));
                let end = ((i128::from(side.1) - 1 - low).div_euclid(step) + 1).clamp(0, i128::from(*extent));
                (first as u64, end as u64)
            });
            Some(sides.collect())
        });
        let condition = self.demand.condition.map(|position| position.substitute(&along, own));
        needed.add(0, elements, condition);
        needed.add(1, Elements::whole(&[]), self.demand.condition.dimensionless());
        self.extents(1).filter(|extents| extents.is_empty()).map(|_| ())
    }

    fn reduce(&self, needed: &mut Needed) -> Option<()> {
        let count = self.node.results.len();
        let body = bodies::look_at(self.trace.graph(self.node), self.node.operation);
        let reduced = dimensions(Some(self.attribute("dimensions")?))?;
        let takes = closure(&body.takes, self.position, count)?;
        for operand in (0..count).filter(|at| takes[*at]) {
            let own = self.extents(operand)?;
            let kept: Vec<usize> = (0..own.len()).filter(|at| !reduced.contains(at)).collect();
            if kept.len() != self.result_extents()?.len() {
                return None;
            }
            let elements = self.demand.elements.map(|block| {
                let mut wide: Vec<(u64, u64)> = own.iter().map(|extent| (0, *extent)).collect();
                kept.iter().zip(block).for_each(|(at, side)| wide[*at] = *side);
                Some(wide)
            });
            let along: Vec<_> = kept.iter().map(|at| Along::same(*at)).collect();
            needed.add(operand, elements, self.demand.condition.map(|position| position.substitute(&along, own)));
            needed.add(count + operand, Elements::whole(&[]), self.demand.condition.dimensionless());
        }
        Some(())
    }

    fn sort(&self, needed: &mut Needed) -> Option<()> {
        let dimension = usize::try_from(self.attribute("dimension")?.as_integer()?).ok()?;
        let body = bodies::look_at(self.trace.graph(self.node), self.node.operation);
        let compared = body.takes.first()?;
        let own = self.result_extents()?;
        let extent = *own.get(dimension)?;
        let mut along: Vec<_> = (0..own.len()).map(Along::same).collect();
        along[dimension] = None;
        for operand in 0..self.node.operands.len() {
            let taken = |argument: usize| compared.get(argument).copied().unwrap_or(true);
            if operand != self.position && !taken(2 * operand) && !taken(2 * operand + 1) {
                continue;
            }
            let elements = self.demand.elements.map(|block| {
                let mut block = block.clone();
                block[dimension] = (0, extent);
                Some(block)
            });
            needed.add(operand, elements, self.demand.condition.map(|position| position.substitute(&along, own)));
        }
        Some(())
    }

    /// The leading dimensions are independent, all that is in the last few belongs together.
    fn batched(&self, last: usize, needed: &mut Needed) -> Option<()> {
        let to = self.result_extents()?;
        for operand in 0..self.node.operands.len() {
            let own = self.extents(operand)?;
            let batch = own.len().checked_sub(last)?;
            if own.len() != to.len() || own[..batch] != to[..batch] {
                return None;
            }
            let elements = self.demand.elements.map(|block| {
                let mut wide = block[..batch].to_vec();
                wide.extend(own[batch..].iter().map(|extent| (0, *extent)));
                Some(wide)
            });
            let along: Vec<_> = (0..own.len()).map(|at| Along::same(at).filter(|_| at < batch)).collect();
            needed.add(operand, elements, self.demand.condition.map(|position| position.substitute(&along, own)));
        }
        Some(())
    }

    /// The condition on an element of an operand: for each of its dimensions the one of the result that is the same
    /// up to a shift, `result = operand + shift`.
    pub fn shifted(&self, places: &[Option<(usize, i64)>], own: &[u64]) -> Condition {
        let along: Vec<Option<Along>> = places
            .iter()
            .map(|place| place.and_then(|(dimension, shift)| Along::linear(dimension, 1, shift.checked_neg()?)))
            .collect();
        let rank = self.result_extents().map_or(0, <[u64]>::len);
        let back = inverse(&along, rank);
        self.demand.condition.map(|position: &Position| position.substitute(&back, own))
    }
}

/// Which operands a result takes from, through a body that is applied again and again to its own results: arguments
/// are the results so far, then the elements.
pub(super) fn closure(takes: &[Vec<bool>], position: usize, count: usize) -> Option<Vec<bool>> {
    let mut taken = vec![false; count];
    let mut open = vec![position];
    *taken.get_mut(position)? = true;
    while let Some(result) = open.pop() {
        for (argument, _) in takes.get(result)?.iter().enumerate().filter(|(_, takes)| **takes) {
            let operand = argument % count;
            if !taken[operand] {
                taken[operand] = true;
                open.push(operand);
            }
        }
    }
    Some(taken)
}
