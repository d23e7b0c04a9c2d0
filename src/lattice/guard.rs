//! Conditions under which a label holds: conjunctions of literals over booleans that are equal in both runs.

use super::affine::{Affine, Pick};

/// More literals than this are not kept. Dropping one weakens a condition, which is sound.
const MOST_LITERALS: usize = 16;

/// What is true or false: an element of a boolean tensor, or of a tensor compared with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Atom {
    /// The value of this number is true, at a position.
    True(u32),
    /// The value of this number equals a constant, given by its bits. Two different constants exclude each other.
    Equals(u32, u64),
}

impl Atom {
    /// The number of the value.
    pub fn number(self) -> u32 {
        match self {
            Atom::True(number) | Atom::Equals(number, _) => number,
        }
    }
}

/// An atom or its negation, at the position that an element's index maps to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Literal {
    /// What is true or false.
    pub atom: Atom,
    /// Where, for each element of the value that carries the literal.
    pub map: Affine,
    /// Whether it is false there.
    pub negated: bool,
}

impl Literal {
    fn contradicts(&self, other: &Literal) -> bool {
        if self.map != other.map {
            return false;
        }
        match (self.atom, other.atom) {
            (a, b) if a == b => self.negated != other.negated,
            (Atom::Equals(a, x), Atom::Equals(b, y)) => a == b && x != y && !self.negated && !other.negated,
            _ => false,
        }
    }
}

/// A conjunction of literals, sorted. The empty one is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guard(Vec<Literal>);

impl Guard {
    /// Always.
    pub fn always() -> Self {
        Guard::default()
    }

    /// One literal.
    pub fn literal(literal: Literal) -> Self {
        Guard(vec![literal])
    }

    /// Whether it is always true.
    pub fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// The literals.
    pub fn literals(&self) -> &[Literal] {
        &self.0
    }

    /// Both at once; [`None`] if they exclude each other.
    pub fn and(&self, other: &Guard) -> Option<Guard> {
        if other.is_always() {
            return Some(self.clone());
        }
        if self.is_always() {
            return Some(other.clone());
        }
        if self.0.iter().any(|own| other.0.iter().any(|literal| own.contradicts(literal))) {
            return None;
        }
        let mut both: Vec<Literal> = self.0.iter().chain(&other.0).cloned().collect();
        both.sort_unstable();
        both.dedup();
        both.truncate(MOST_LITERALS);
        Some(Guard(both))
    }

    /// Whether the two can hold at once, as far as one can see.
    pub fn excludes(&self, other: &Guard) -> bool {
        self.0.iter().any(|own| other.0.iter().any(|literal| own.contradicts(literal)))
    }

    /// Whether this holds wherever the other does: it has no literal that the other lacks.
    pub fn is_weaker_than(&self, other: &Guard) -> bool {
        self.0.iter().all(|literal| other.0.contains(literal))
    }

    /// What both say: the condition of a union.
    pub fn common(&self, other: &Guard) -> Guard {
        Guard(self.0.iter().filter(|literal| other.0.contains(literal)).cloned().collect())
    }

    /// Keeps some literals.
    pub fn retain(&self, keep: impl Fn(&Literal) -> bool) -> Guard {
        Guard(self.0.iter().filter(|literal| keep(literal)).cloned().collect())
    }

    /// The literals whose maps can be changed so; the others are dropped.
    pub fn mapped(&self, change: impl Fn(&Affine) -> Option<Affine>) -> Guard {
        let changed = self.0.iter().filter_map(|literal| {
            Some(Literal { atom: literal.atom, map: change(&literal.map)?, negated: literal.negated })
        });
        let mut literals: Vec<Literal> = changed.collect();
        literals.sort_unstable();
        Guard(literals)
    }

    /// The literals that do not depend on the element, for a value of this rank.
    pub fn global(&self, rank: usize) -> Guard {
        self.mapped(|map| map.is_constant().then(|| Affine::constant(map.offset, rank)))
    }

    /// For a value whose dimensions are picked from those of the one that carries this.
    pub fn rearranged(&self, axes: &[Option<Pick>], extents: &[u64]) -> Guard {
        self.mapped(|map| map.rearranged(axes, extents))
    }

    /// For the same elements under other extents.
    pub fn reshaped(&self, from: &[u64], to: &[u64]) -> Guard {
        self.mapped(|map| map.reshaped(from, to))
    }
}
