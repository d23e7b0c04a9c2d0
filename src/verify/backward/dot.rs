//! Products of tensors in the space of all their dimensions: batch, free on the left, free on the right, contracted.

use super::conditions::{Along, Condition, Literal, map_literals};
use super::elements::{Block, Elements, intersection};
use super::facts::Support;
use super::movement::dimensions;
use crate::graph::{Attribute, OperationId, OperationKind as Kind, TrainingGraph};

/// The dimensions of the result come first in the common space.
pub(super) struct Dot<'a> {
    extents: Vec<u64>,
    out: usize,
    /// For each dimension of an operand its dimension in the common space.
    places: [Vec<usize>; 2],
    sides: [&'a [u64]; 2],
    result: &'a [u64],
}

impl<'a> Dot<'a> {
    pub fn new(
        graph: &TrainingGraph,
        operation: OperationId,
        left: &'a [u64],
        right: &'a [u64],
        result: &'a [u64],
    ) -> Option<Dot<'a>> {
        let (batch, contracted) = if graph.operation(operation).kind == Kind::Dot {
            ([Vec::new(), Vec::new()], [vec![left.len().checked_sub(1)?], vec![0]])
        } else {
            let Attribute::Dictionary(numbers) = graph.attribute(operation, "dot_dimension_numbers")? else {
                return None;
            };
            let list = |name: &str| dimensions(Attribute::find(numbers, name));
            (
                [list("lhs_batching_dimensions")?, list("rhs_batching_dimensions")?],
                [list("lhs_contracting_dimensions")?, list("rhs_contracting_dimensions")?],
            )
        };
        if batch[0].len() != batch[1].len() || contracted[0].len() != contracted[1].len() {
            return None;
        }
        let sides = [left, right];
        let mut places = [vec![usize::MAX; left.len()], vec![usize::MAX; right.len()]];
        let mut extents = Vec::new();
        for (a, b) in batch[0].iter().zip(&batch[1]) {
            (*places[0].get_mut(*a)?, *places[1].get_mut(*b)?) = (extents.len(), extents.len());
            extents.push(*left.get(*a)?);
        }
        for side in 0..2 {
            for (dimension, extent) in sides[side].iter().enumerate() {
                if !batch[side].contains(&dimension) && !contracted[side].contains(&dimension) {
                    places[side][dimension] = extents.len();
                    extents.push(*extent);
                }
            }
        }
        let out = extents.len();
        for (a, b) in contracted[0].iter().zip(&contracted[1]) {
            (*places[0].get_mut(*a)?, *places[1].get_mut(*b)?) = (extents.len(), extents.len());
            extents.push(*left.get(*a)?);
        }
        let fits = |side: usize| {
            places[side].iter().zip(sides[side]).all(|(place, extent)| extents.get(*place) == Some(extent))
        };
        (extents[..out] == *result && fits(0) && fits(1)).then_some(Dot { extents, out, places, sides, result })
    }

    /// What is said of an operand, said of the result.
    pub fn forward(&self, literals: &[Literal], side: usize) -> Vec<Literal> {
        let along: Vec<_> =
            self.places[side].iter().map(|place| Along::same(*place).filter(|_| *place < self.out)).collect();
        map_literals(literals, |position| position.substitute(&along, self.result))
    }

    /// What is demanded of one operand; `other`: where the other one may be other than 0.
    pub fn back(
        &self,
        side: usize,
        elements: &Elements,
        condition: &Condition,
        other: Option<&Support>,
    ) -> Option<(Elements, Condition)> {
        let own = &self.places[side];
        let mut joint = condition.clone();
        let mut blocks = vec![self.extents.iter().map(|extent| (0, *extent)).collect::<Block>()];
        if let Some(other) = other {
            let places = &self.places[1 - side];
            let along: Vec<_> = places.iter().map(|place| Along::same(*place)).collect();
            let literals = map_literals(&other.literals, |position| position.substitute(&along, &self.extents));
            joint = joint.and(&literals)?;
            blocks = other
                .inside
                .blocks()
                .iter()
                .map(|inside| {
                    let mut block = blocks[0].clone();
                    places.iter().zip(inside).for_each(|(place, side)| block[*place] = *side);
                    block
                })
                .collect();
        }
        let mut needed = Elements::default();
        for block in elements.blocks() {
            let mut wide = block.clone();
            wide.extend(self.extents[self.out..].iter().map(|extent| (0, *extent)));
            for inside in &blocks {
                if let Some(both) = intersection(&wide, inside) {
                    needed.insert(own.iter().map(|place| both[*place]).collect());
                }
            }
        }
        let mut along = vec![None; self.extents.len()];
        for (dimension, place) in own.iter().enumerate() {
            along[*place] = Along::same(dimension);
        }
        let condition = joint.map(|position| position.substitute(&along, self.sides[side]));
        Some((needed, condition))
    }
}
