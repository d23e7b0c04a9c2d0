//! When a result is true: what masks, comparisons and their combinations say.

use std::rc::Rc;

use super::constants::{self, Scalar};
use super::facts::{Fact, Truth};
use super::machine::Machine;
use super::numbering::{Recipe, View};
use crate::graph::{Attribute, ElementType, OperationId, OperationKind as Kind, ValueId};
use crate::lattice::{Affine, Atom, Guard, Literal};
use crate::transfer::mutant::{Slip, slips};

impl Machine<'_, '_> {
    /// What a truth value says where it is true and where it is false; of a plain boolean, that it is so.
    pub(super) fn truth_of(&self, fact: &Fact, value: ValueId) -> Option<Truth> {
        if fact.is_labelled() && !slips(Slip::LabelledGuard) {
            return None; // a labelled atom never excludes anything
        }
        if let Some(truth) = &fact.truth {
            return Some((**truth).clone());
        }
        let extents = self.extents(value)?;
        let is_boolean = self.element_type(value) == Some(&ElementType::Boolean) || slips(Slip::NumberAsBoolean);
        (is_boolean && fact.known.is_none()).then(|| {
            let map = fact.view.map(&extents);
            literal_truth(Atom::True(fact.view.number), map)
        })
    }

    pub(super) fn truth(
        &self,
        operation: OperationId,
        kind: Kind,
        operands: &[Fact],
        extents: &[u64],
    ) -> Option<Truth> {
        let values = self.graph.operands(operation);
        if operands.iter().any(Fact::is_labelled) && !slips(Slip::LabelledTruth) || values.is_empty() {
            return None;
        }
        // Truth of operands with the same shape as the result, or scalars.
        let of = |at: usize| -> Option<Truth> {
            let truth = self.truth_of(&operands[at], values[at])?;
            let own = self.extents(values[at])?;
            match own == extents {
                true => Some(truth),
                false if own.is_empty() => Some(Truth {
                    when_true: truth.when_true.global(extents.len()),
                    when_false: truth.when_false.global(extents.len()),
                }),
                false => None,
            }
        };
        match (kind, operands) {
            (Kind::Not, [_])
                if self.element_type(values[0]) == Some(&ElementType::Boolean) || slips(Slip::BitsAsNegation) =>
            {
                of(0).map(|truth| truth.negated())
            }
            (Kind::Convert, [_]) => of(0),
            (Kind::And | Kind::Multiply | Kind::Minimum, [_, _]) => Some(conjunction(&of(0)?, &of(1)?)),
            (Kind::Or | Kind::Maximum, [_, _]) => Some(disjunction(&of(0)?, &of(1)?)),
            // The sum of truth values is a disjunction.
            (Kind::Add, [_, _]) if self.element_type(values[0]) == Some(&ElementType::Boolean) => {
                Some(disjunction(&of(0)?, &of(1)?))
            }
            (Kind::Subtract, [one, _]) if one.single().is_some_and(Scalar::is_one) => {
                of(1).map(|truth| truth.negated())
            }
            (Kind::Compare, [left, right]) => self.comparison(operation, left, right, values, of, extents),
            (Kind::Select, [_, yes, no]) => match (yes.single()?, no.single()?) {
                (yes, no) if yes.is_one() && no.is_zero() => of(0),
                (yes, no) if yes.is_zero() && no.is_one() => of(0).map(|truth| truth.negated()),
                _ => None,
            },
            _ => None,
        }
    }

    /// A comparison with a constant: of a truth value, or for equality.
    fn comparison(
        &self,
        operation: OperationId,
        left: &Fact,
        right: &Fact,
        values: &[ValueId],
        of: impl Fn(usize) -> Option<Truth>,
        extents: &[u64],
    ) -> Option<Truth> {
        let direction = self.graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text)?;
        let total = self.graph.attribute(operation, "compare_type").and_then(Attribute::as_text) == Some("TOTALORDER");
        let (varying, constant, swapped) = match (left.single(), right.single()) {
            (None, Some(constant)) => (0, constant, false),
            (Some(constant), None) => (1, constant, true),
            _ => return None,
        };
        if total && !slips(Slip::ZerosAlike) {
            return None; // it tells zeros apart
        }
        if let Some(truth) = of(varying) {
            let number = |bit: i128| match constant {
                Scalar::Integer(_) => Scalar::Integer(bit),
                Scalar::Float(_) => Scalar::Float(bit as f64),
            };
            let test = |bit: i128| {
                let holds = match swapped {
                    false => constants::compare(direction, number(bit), constant),
                    true => constants::compare(direction, constant, number(bit)),
                };
                holds.map(|holds| !holds.is_zero())
            };
            return match (test(0)?, test(1)?) {
                (false, true) => Some(truth),
                (true, false) => Some(truth.negated()),
                _ => None,
            };
        }
        if !matches!(direction, "EQ" | "NE") {
            return None;
        }
        let fact = if varying == 0 { left } else { right };
        let own = self.extents(values[varying])?;
        if own != extents {
            return None;
        }
        let truth = literal_truth(Atom::Equals(fact.view.number, constant.bits()?), fact.view.map(extents));
        Some(if direction == "EQ" { truth } else { truth.negated() })
    }

    /// A comparison of two values by size, told by one that all of its forms share: `a > b` is `b < a`, and for integers
    /// `a >= b` is `not (a < b)`. For floats it is not: both are false where one is NaN.
    pub(super) fn order(
        &mut self,
        operation: OperationId,
        kind: Kind,
        operands: &[Fact],
        extents: &[u64],
    ) -> Option<Truth> {
        let [left, right] = operands else { return None };
        let is_labelled = left.is_labelled() || right.is_labelled();
        if kind != Kind::Compare || is_labelled && !slips(Slip::LabelledOrder) {
            return None;
        }
        let values = self.graph.operands(operation);
        if values.iter().any(|value| self.extents(*value).as_deref() != Some(extents)) {
            return None;
        }
        let direction = self.graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text)?;
        let kind_of = self.graph.attribute(operation, "compare_type").and_then(Attribute::as_text);
        if kind_of == Some("TOTALORDER") {
            return None;
        }
        let is_integer = matches!(self.element_type(values[0])?, ElementType::Signed(_) | ElementType::Unsigned(_));
        let (less, greater, or_equal) = match direction {
            "LT" => (left, right, false),
            "GT" => (right, left, false),
            "GE" if is_integer || slips(Slip::NanForgotten) => (left, right, true),
            "LE" if is_integer => (right, left, true),
            _ => return None,
        };
        // The comparison itself, without attributes: those that matter are in what it is called.
        let recipe = Recipe {
            operation: [self.position as u32, Kind::Compare as u32, u32::MAX, u32::from(is_integer), 0],
            body: Rc::new([]),
            operands: vec![self.shaped_view(less, values[0]), self.shaped_view(greater, values[0])],
        };
        let number = self.numbering.of(recipe, Some(extents)).number;
        let truth = literal_truth(Atom::True(number), Affine::identity(extents));
        Some(if or_equal { truth.negated() } else { truth })
    }

    /// The condition under which a branch is taken.
    pub(super) fn branch_condition(&self, operation: OperationId, branch: usize, index: &Fact) -> Guard {
        if index.is_labelled() && !slips(Slip::LabelledBranch) {
            return Guard::always();
        }
        let value = self.graph.operands(operation)[0];
        match self.graph.operation(operation).kind {
            Kind::If => match self.truth_of(index, value) {
                Some(truth) if (branch == 0) != slips(Slip::BranchesSwapped) => truth.when_true,
                Some(truth) => truth.when_false,
                None => Guard::always(),
            },
            // The last branch also takes every index out of range.
            Kind::Case
                if branch + 1 < self.graph.regions_of(operation).len() || slips(Slip::LastBranchOnlyAtItsIndex) =>
            {
                let atom = Atom::Equals(index.view.number, branch as u64);
                Guard::literal(Literal { atom, map: index.view.map(&[]), negated: false })
            }
            _ => Guard::always(),
        }
    }
}

fn conjunction(a: &Truth, b: &Truth) -> Truth {
    Truth { when_true: both(&a.when_true, &b.when_true), when_false: a.when_false.common(&b.when_false) }
}

fn disjunction(a: &Truth, b: &Truth) -> Truth {
    conjunction(&a.negated(), &b.negated()).negated()
}

/// Both; or one where they exclude each other, which says less.
pub(super) fn both(a: &Guard, b: &Guard) -> Guard {
    a.and(b).unwrap_or_else(|| a.clone())
}

pub(super) fn literal_truth(atom: Atom, map: Affine) -> Truth {
    let literal = |negated| Guard::literal(Literal { atom, map: map.clone(), negated });
    Truth { when_true: literal(false), when_false: literal(true) }
}

/// The number of a view, for inputs that a policy says are 0 or 1.
pub(super) fn binary_truth(view: &View, extents: &[u64]) -> Truth {
    literal_truth(Atom::True(view.number), view.map(extents))
}
