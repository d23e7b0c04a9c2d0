//! What is known of a value beside its labels: its number, its elements, when it is true, where it may be nonzero.

use std::rc::Rc;

use super::constants::{Known, Scalar};
use super::label::Term;
use super::numbering::View;
use crate::lattice::{Elements, Guard};

/// What a truth value says: of a boolean, or of a number that is surely 0 or 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Truth {
    /// What holds where it is true.
    pub when_true: Guard,
    /// What holds where it is false.
    pub when_false: Guard,
}

impl Truth {
    pub fn negated(&self) -> Truth {
        Truth { when_true: self.when_false.clone(), when_false: self.when_true.clone() }
    }
}

/// Where a value may be nonzero: at these elements, and only where the condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Support {
    pub elements: Elements,
    pub guard: Guard,
    /// Whether this rests on the assumption that masked products have finite operands.
    pub assumes_finite: bool,
}

impl Support {
    pub fn anywhere() -> Self {
        Support { elements: Elements::All, guard: Guard::always(), assumes_finite: false }
    }

    pub fn says_nothing(&self) -> bool {
        self.elements == Elements::All && self.guard.is_always()
    }
}

/// Everything that is known of one value in one place of the walk.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub view: View,
    pub known: Option<Rc<Known>>,
    pub truth: Option<Rc<Truth>>,
    /// None: what `known` and `truth` say, or anywhere.
    pub support: Option<Rc<Support>>,
    /// The least and the greatest that an integer element can be, whatever the source says.
    pub range: Option<(i128, i128)>,
    /// Where two runs may differ.
    pub terms: Rc<[Term]>,
}

impl Fact {
    pub fn new(view: View) -> Self {
        Fact { view, known: None, truth: None, support: None, range: None, terms: Rc::new([]) }
    }

    pub fn is_labelled(&self) -> bool {
        !self.terms.is_empty()
    }

    pub fn single(&self) -> Option<Scalar> {
        self.known.as_ref()?.single()
    }

    /// The least and the greatest integer that it can be.
    pub fn range(&self) -> Option<(i128, i128)> {
        self.range.or_else(|| self.known.as_ref()?.range())
    }

    /// Where it may be nonzero.
    pub fn support(&self, extents: &[u64]) -> Support {
        if let Some(support) = &self.support {
            return (**support).clone();
        }
        if let Some(known) = &self.known {
            let elements = known.elements_where(extents, |scalar| !scalar.is_zero());
            return Support { elements, ..Support::anywhere() };
        }
        match &self.truth {
            Some(truth) => Support { guard: truth.when_true.clone(), ..Support::anywhere() },
            None => Support::anywhere(),
        }
    }
}
