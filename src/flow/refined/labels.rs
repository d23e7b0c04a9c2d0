//! One operation without calls, loops or choices: where the labels of its operands arrive.

use super::facts::{Fact, Support};
use super::interior::Interior;
use super::label::LabelBuilder;
use super::machine::Machine;
use crate::graph::{ElementType, OperationId, OperationKind as Kind, ValueId};
use crate::lattice::{AxisImage, Elements, Guard};
use crate::transfer::images::{DotSide, Image, dot_sides, picks};
use crate::transfer::mutant::{Slip, slips};
use crate::transfer::{Dependence, Rule, rule_of};

impl Machine<'_, '_> {
    /// The label of one result.
    pub(super) fn label(
        &mut self,
        operation: OperationId,
        kind: Kind,
        position: usize,
        operands: &[Fact],
        interior: Option<&Interior>,
        label: &mut LabelBuilder,
    ) {
        if !operands.iter().any(Fact::is_labelled) {
            return;
        }
        let values = self.graph.operands(operation);
        let Some(result) = self.graph.results(operation).get(position) else { return };
        match kind {
            Kind::Select => return self.selected(operation, result, operands, label),
            Kind::Multiply | Kind::And => return self.product(operation, kind, result, operands, label),
            Kind::DotGeneral => {
                if let Some(sides) = dot_sides(self.graph, operation) {
                    return self.contraction(operation, &sides, result, operands, label);
                }
            }
            _ => {}
        }
        for (at, fact) in operands.iter().enumerate().filter(|(_, fact)| fact.is_labelled()) {
            let Some(how) = self.dependence(kind, operation, at, position, values[at], interior) else { continue };
            self.arrive(operation, at, position, operands, fact, how, label);
        }
    }

    /// How a result depends on an operand; none: not at all.
    fn dependence(
        &self,
        kind: Kind,
        operation: OperationId,
        operand: usize,
        result: usize,
        value: ValueId,
        interior: Option<&Interior>,
    ) -> Option<Dependence> {
        if let Some(interior) = interior {
            let takes = interior.takes.get(result)?;
            return takes.iter().find(|(at, _)| *at == operand).map(|(_, how)| *how);
        }
        let graph = self.graph;
        match rule_of(kind) {
            Rule::Nothing => None,
            Rule::Join(implicit) => Some(implicit.kind_of(operand)),
            Rule::ElementByElement => {
                let apart = graph.operands(operation).len() == graph.results(operation).len();
                (!apart || operand == result).then_some(Dependence::Data)
            }
            // precision: a static shape is the same in every run.
            Rule::Shape => self.extents(value).is_none().then_some(Dependence::Data),
            Rule::TopK | Rule::RandomBits if result > 0 => Some(Dependence::Implicit),
            _ => Some(Dependence::Data),
        }
    }

    /// The terms of an operand, where the image of the operation takes them.
    #[allow(clippy::too_many_arguments, reason = "one question, with all its parts")]
    fn arrive(
        &mut self,
        operation: OperationId,
        operand: usize,
        position: usize,
        operands: &[Fact],
        fact: &Fact,
        how: Dependence,
        label: &mut LabelBuilder,
    ) {
        let value = self.graph.operands(operation)[operand];
        let Some(result) = self.graph.results(operation).get(position) else { return };
        let (Some(from), Some(to)) = (self.extents(value), self.extents(result)) else {
            let rank = self.extents(result).map_or(0, |extents| extents.len());
            fact.terms.iter().for_each(|term| label.add(Elements::All, term.guard.global(rank), term, how));
            return;
        };
        let image = self.image(operation, operand, position, operands);
        let crosses = crosses_devices(self.graph.operation(operation).kind) && !slips(Slip::GuardsOverCollectives);
        for term in fact.terms.iter() {
            let elements = image.of(&term.elements, &from, &to);
            let guard = if crosses { Guard::always() } else { image.condition(&term.guard, &from, &to) };
            label.add(elements, guard, term, how);
        }
    }

    /// `select`: each side where it is chosen.
    fn selected(&mut self, operation: OperationId, result: ValueId, operands: &[Fact], label: &mut LabelBuilder) {
        let values = self.graph.operands(operation);
        self.arrive(operation, 0, 0, operands, &operands[0], Dependence::Implicit, label);
        let (Some(extents), Some(test_extents)) = (self.extents(result), self.extents(values[0])) else {
            (1..3).for_each(|at| self.arrive(operation, at, 0, operands, &operands[at], Dependence::Data, label));
            return;
        };
        let rank = extents.len();
        let (mut regions, mut guards) = ([Elements::All, Elements::All], [Guard::always(), Guard::always()]);
        if let Some(known) = &operands[0].known {
            if let Some((chosen, refused)) = self.chosen_elements(known, values[0], &extents) {
                regions = [chosen, refused];
            }
        } else if let Some(truth) = self.truth_of(&operands[0], values[0]) {
            let spread = |guard: &Guard| if test_extents == extents { guard.clone() } else { guard.global(rank) };
            guards = [spread(&truth.when_true), spread(&truth.when_false)];
            if slips(Slip::SidesSwapped) {
                guards.swap(0, 1);
            }
        }
        for side in 0..2 {
            for term in operands[1 + side].terms.iter() {
                if let Some(guard) = term.guard.and(&guards[side]) {
                    label.add(term.elements.intersection(&regions[side]), guard, term, Dependence::Data);
                }
            }
        }
    }

    /// Where the product with a value of this support may be nonzero at all, if that may be used.
    fn usable_support(&self, kind: Kind, value: ValueId, fact: &Fact, extents: &[u64]) -> Option<Support> {
        let support = fact.support(extents);
        let is_float = self.graph.tensor_type(value).is_none_or(|tensor| tensor.element.is_continuous());
        let exact = kind == Kind::And || !is_float || slips(Slip::ProductHides);
        (!support.says_nothing() && (exact || self.assumed.finite)).then_some(support)
    }

    /// `multiply` and `and`: a term of one side only where the other may be nonzero. With floats that rests on the
    /// assumption that the operands here are finite.
    fn product(
        &mut self,
        operation: OperationId,
        kind: Kind,
        result: ValueId,
        operands: &[Fact],
        label: &mut LabelBuilder,
    ) {
        let values = self.graph.operands(operation);
        let is_float = self.graph.tensor_type(values[0]).is_none_or(|tensor| tensor.element.is_continuous());
        let masks = kind == Kind::Multiply
            || self.graph.tensor_type(values[0]).is_some_and(|tensor| {
                matches!(tensor.element, ElementType::Boolean | ElementType::Signed(_) | ElementType::Unsigned(_))
            });
        let Some(extents) = self.extents(result).filter(|_| masks) else {
            (0..2).for_each(|at| self.arrive(operation, at, 0, operands, &operands[at], Dependence::Data, label));
            return;
        };
        for at in 0..2 {
            let support = match operands[at].is_labelled() {
                true => self.usable_support(kind, values[1 - at], &operands[1 - at], &extents),
                false => continue,
            };
            let Some(support) = support else {
                self.arrive(operation, at, 0, operands, &operands[at], Dependence::Data, label);
                continue;
            };
            for term in operands[at].terms.iter() {
                let elements = term.elements.intersection(&support.elements);
                let guard = term.guard.and(&support.guard);
                let made_use = elements != term.elements || guard.as_ref() != Some(&term.guard);
                if made_use && is_float {
                    self.finite_sites.insert((self.position, operation));
                }
                if let Some(guard) = guard {
                    label.add(elements, guard, term, Dependence::Data);
                }
            }
        }
    }

    /// `dot_general`: a term of one side only where the other may be nonzero, seen in the joint space of batch, free and
    /// contracting dimensions, before those that are summed over are gone.
    fn contraction(
        &mut self,
        operation: OperationId,
        sides: &[DotSide; 2],
        result: ValueId,
        operands: &[Fact],
        label: &mut LabelBuilder,
    ) {
        let values = self.graph.operands(operation);
        let shapes = (self.extents(values[0]), self.extents(values[1]), self.extents(result));
        let (Some(left), Some(right), Some(to)) = shapes else {
            (0..2).for_each(|at| self.arrive(operation, at, 0, operands, &operands[at], Dependence::Data, label));
            return;
        };
        let from = [left, right];
        let joint: Vec<u64> =
            (to.iter().copied()).chain(sides[0].contracting.iter().map(|axis| from[0][*axis])).collect();
        let into_joint = |side: usize| -> Vec<AxisImage> {
            let own = &sides[side];
            let mut axes = vec![AxisImage::Gone; from[side].len()];
            own.batch.iter().enumerate().for_each(|(at, axis)| axes[*axis] = AxisImage::same(at));
            let first = own.batch.len() + if side == 0 { 0 } else { sides[0].free.len() };
            own.free.iter().enumerate().for_each(|(at, axis)| axes[*axis] = AxisImage::same(first + at));
            own.contracting.iter().enumerate().for_each(|(at, axis)| axes[*axis] = AxisImage::same(to.len() + at));
            axes
        };
        let out_of_joint: Vec<AxisImage> = (0..joint.len())
            .map(|axis| if axis < to.len() { AxisImage::same(axis) } else { AxisImage::Gone })
            .collect();
        let out = Image::Axes(out_of_joint);
        for side in 0..2 {
            if !operands[side].is_labelled() {
                continue;
            }
            let other = 1 - side;
            let support = self.usable_support(Kind::Multiply, values[other], &operands[other], &from[other]);
            let Some(support) = support else {
                self.arrive(operation, side, 0, operands, &operands[side], Dependence::Data, label);
                continue;
            };
            let (own_axes, other_axes) = (into_joint(side), into_joint(other));
            let joined = |guard: &Guard, axes: &[AxisImage]| match picks(axes, joint.len()) {
                Some(picks) => guard.rearranged(&picks, &joint),
                None => guard.global(joint.len()),
            };
            let there = support.elements.image(&other_axes, &from[other], &joint);
            let condition = joined(&support.guard, &other_axes);
            for term in operands[side].terms.iter() {
                let here = term.elements.image(&own_axes, &from[side], &joint);
                let elements = here.intersection(&there);
                let own = joined(&term.guard, &own_axes);
                let guard = own.and(&condition);
                if elements != here || guard.as_ref() != Some(&own) {
                    self.finite_sites.insert((self.position, operation));
                }
                if let Some(guard) = guard {
                    let arrived = out.of(&elements, &joint, &to);
                    label.add(arrived, out.condition(&guard, &joint, &to), term, Dependence::Data);
                }
            }
        }
    }
}

/// Whether elements of other replicas come in: a condition speaks of one replica's masks, and ends there.
fn crosses_devices(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::AllGather
            | Kind::AllReduce
            | Kind::AllToAll
            | Kind::CollectiveBroadcast
            | Kind::CollectivePermute
            | Kind::CrossReplicaSum
            | Kind::ReduceScatter
    )
}
