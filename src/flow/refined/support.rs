//! Where a result may be nonzero: what masked products and zero-initialised arrays let through.

use super::facts::{Fact, Support};
use super::machine::Machine;
use crate::graph::{ElementType, OperationId, OperationKind as Kind};
use crate::lattice::{Elements, Guard};
use crate::transfer::mutant::{Slip, slips};

impl Machine<'_, '_> {
    /// Where a result may be nonzero, if that says anything.
    pub(super) fn supported(
        &self,
        operation: OperationId,
        kind: Kind,
        operands: &[Fact],
        extents: &[u64],
    ) -> Option<Support> {
        let values = self.graph.operands(operation);
        let says_something = |fact: &Fact| fact.support.is_some() || fact.truth.is_some() || fact.known.is_some();
        if !operands.iter().any(says_something) && kind != Kind::Select {
            return None;
        }
        let own = |at: usize| -> Option<Support> {
            (self.extents(values[at])? == extents).then(|| operands[at].support(extents))
        };
        let is_float = self.element_type(values[0]).is_none_or(ElementType::is_continuous);
        let either = |a: Support, b: Support| {
            let mut elements = a.elements.clone();
            elements.join(&b.elements);
            let guard = match (a.elements.is_empty(), b.elements.is_empty()) {
                (true, _) => b.guard,
                (_, true) => a.guard,
                _ => a.guard.common(&b.guard),
            };
            Support { elements, guard, assumes_finite: a.assumes_finite || b.assumes_finite }
        };
        let under = |guard: &Guard, support: Support| match guard.and(&support.guard) {
            Some(guard) => Support { guard, ..support },
            None => Support { elements: Elements::none(), guard: Guard::always(), ..support },
        };
        let support = match kind {
            Kind::Negate
            | Kind::Convert
            | Kind::Abs
            | Kind::Sign
            | Kind::Floor
            | Kind::Ceil
            | Kind::Sqrt
            | Kind::Tanh => own(0)?,
            Kind::Add if slips(Slip::SumIsZero) => own(0)?,
            Kind::Add | Kind::Subtract | Kind::Maximum | Kind::Minimum | Kind::Or | Kind::Xor => {
                either(own(0)?, own(1)?)
            }
            Kind::Divide if operands[1].single().is_some_and(|scalar| scalar.bits().is_some() && !scalar.is_zero()) => {
                own(0)?
            }
            Kind::Multiply | Kind::And => {
                if is_float && kind == Kind::Multiply && !self.assumed.finite && !slips(Slip::ProductIsZero) {
                    return None;
                }
                let (a, b) = (own(0)?, own(1)?);
                let elements = a.elements.intersection(&b.elements);
                let assumes_finite = is_float || a.assumes_finite || b.assumes_finite;
                match a.guard.and(&b.guard) {
                    Some(guard) => Support { elements, guard, assumes_finite },
                    None => Support { elements: Elements::none(), guard: Guard::always(), assumes_finite },
                }
            }
            Kind::Select => {
                let (yes, no) = (own(1)?, own(2)?);
                let test = &operands[0];
                match (&test.known, self.truth_of(test, values[0])) {
                    (Some(known), _) => {
                        let (chosen, refused) = self.chosen_elements(known, values[0], extents)?;
                        let part = |support: Support, elements: Elements| Support {
                            elements: support.elements.intersection(&elements),
                            ..support
                        };
                        either(part(yes, chosen), part(no, refused))
                    }
                    (None, Some(truth)) => {
                        let rank = extents.len();
                        let scalar = self.extents(values[0])?.is_empty();
                        let spread = |guard: &Guard| if scalar { guard.global(rank) } else { guard.clone() };
                        let (yes_guard, no_guard) = (spread(&truth.when_true), spread(&truth.when_false));
                        either(under(&yes_guard, yes), under(&no_guard, no))
                    }
                    (None, None) => either(yes, no),
                }
            }
            Kind::Pad | Kind::Concatenate | Kind::DynamicUpdateSlice => {
                let parts = if kind == Kind::DynamicUpdateSlice { 2 } else { operands.len() };
                let mut whole: Option<Support> = None;
                for at in 0..parts {
                    let from = self.extents(values[at])?;
                    let image = self.image(operation, at, 0, operands);
                    let part = operands[at].support(&from);
                    let there = Support {
                        elements: image.of(&part.elements, &from, extents),
                        guard: image.condition(&part.guard, &from, extents),
                        assumes_finite: part.assumes_finite,
                    };
                    whole = Some(match whole {
                        Some(whole) => either(whole, there),
                        None => there,
                    });
                }
                whole?
            }
            _ => return None,
        };
        (!support.says_nothing()).then_some(support)
    }
}
