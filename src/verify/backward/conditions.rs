//! Conditions: conjunctions of literals, each about one element of a value that is equal in both runs.

use super::elements::{Elements, groups};

/// Which element of a root belongs to an element of a value: `offset + sum of stride * index`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Position {
    pub offset: i64,
    /// Dimension and stride, by dimension; none is 0, and no dimension with a single element is listed.
    pub terms: Vec<(usize, i64)>,
}

/// One old index by the new ones: `(shift + sum of factor * new) / divisor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Along {
    pub shift: i64,
    pub terms: Vec<(usize, i64)>,
    pub divisor: i64,
}

impl Along {
    pub fn same(dimension: usize) -> Option<Along> {
        Along::linear(dimension, 1, 0)
    }

    pub fn linear(dimension: usize, factor: i64, shift: i64) -> Option<Along> {
        Some(Along { shift, terms: vec![(dimension, factor)], divisor: 1 })
    }

    /// The new index by the old one, if it hangs on one alone.
    pub fn inverse(&self, own: usize) -> Option<(usize, Along)> {
        let [(dimension, factor)] = self.terms[..] else { return None };
        if self.divisor != 1 || factor == 0 {
            return None;
        }
        let sign = factor.signum();
        let shift = self.shift.checked_neg()?.checked_mul(sign)?;
        Some((dimension, Along { shift, terms: vec![(own, sign)], divisor: factor.checked_abs()? }))
    }
}

impl Position {
    pub fn row_major(extents: &[u64]) -> Option<Position> {
        let mut terms = Vec::new();
        let mut stride = 1i64;
        for (dimension, extent) in extents.iter().enumerate().rev() {
            if *extent > 1 {
                terms.push((dimension, stride));
                stride = stride.checked_mul(i64::try_from(*extent).ok()?)?;
            }
        }
        terms.reverse();
        Some(Position { offset: 0, terms })
    }

    /// Each dimension replaced; none if one that matters is lost. `extents`: those of the new dimensions.
    pub fn substitute(&self, along: &[Option<Along>], extents: &[u64]) -> Option<Position> {
        let mut offset = self.offset;
        let mut strides = vec![0i64; extents.len()];
        for (dimension, stride) in &self.terms {
            let along = along.get(*dimension)?.as_ref()?;
            if stride % along.divisor != 0 {
                return None;
            }
            let stride = stride / along.divisor;
            offset = offset.checked_add(stride.checked_mul(along.shift)?)?;
            for (new, factor) in &along.terms {
                let slot = strides.get_mut(*new)?;
                *slot = slot.checked_add(stride.checked_mul(*factor)?)?;
            }
        }
        let used = |(dimension, stride): &(usize, i64)| *stride != 0 && extents[*dimension] > 1;
        Some(Position { offset, terms: strides.into_iter().enumerate().filter(used).collect() })
    }

    /// For elements that have these indices.
    fn fixed(&self, indices: &[Option<u64>]) -> Option<Position> {
        let mut fixed = Position { offset: self.offset, terms: Vec::new() };
        for (dimension, stride) in &self.terms {
            match indices.get(*dimension)? {
                Some(index) => {
                    let steps = stride.checked_mul(i64::try_from(*index).ok()?)?;
                    fixed.offset = fixed.offset.checked_add(steps)?;
                }
                None => fixed.terms.push((*dimension, *stride)),
            }
        }
        Some(fixed)
    }

    /// The same under another shape of as many elements, if it is still linear there.
    pub fn reshape(&self, from: &[u64], to: &[u64]) -> Option<Position> {
        if from.contains(&0) || to.contains(&0) {
            return None;
        }
        let stride_of = |dimension: usize| self.terms.iter().find(|term| term.0 == dimension).map_or(0, |term| term.1);
        let mut terms = Vec::new();
        for (source, target) in groups(from, to) {
            let wide = |range: &std::ops::Range<usize>, extents: &[u64]| {
                range.clone().filter(|dimension| extents[*dimension] > 1).collect::<Vec<usize>>()
            };
            let (old, new) = (wide(&source, from), wide(&target, to));
            let Some(last) = old.last() else { continue };
            let factor = stride_of(*last);
            let mut expected = factor;
            for dimension in old.iter().rev() {
                if stride_of(*dimension) != expected {
                    return None;
                }
                expected = expected.checked_mul(i64::try_from(from[*dimension]).ok()?)?;
            }
            let mut own = Vec::new();
            let mut stride = factor;
            for dimension in new.iter().rev() {
                if stride != 0 {
                    own.push((*dimension, stride));
                }
                stride = stride.checked_mul(i64::try_from(to[*dimension]).ok()?)?;
            }
            terms.extend(own.into_iter().rev());
        }
        Some(Position { offset: self.offset, terms })
    }

    pub fn at(&self, index: &[u64]) -> Option<usize> {
        let mut position = i128::from(self.offset);
        for (dimension, stride) in &self.terms {
            position += i128::from(*stride) * i128::from(*index.get(*dimension)?);
        }
        usize::try_from(position).ok()
    }
}

/// The direction of a comparison of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Order::Less => a < b,
            Order::LessOrEqual => a <= b,
            Order::Greater => a > b,
            Order::GreaterOrEqual => a >= b,
        }
    }
}

/// What a literal says of the element. Floats are bits of an `f64` that is not NaN and not -0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Test {
    Boolean(bool),
    /// An integer, both ends included.
    Between(i128, i128),
    /// Another integer.
    Not(i128),
    /// Equal to a float, or not (NaN is not equal).
    Float(u64, bool),
    /// Whether a comparison with a float holds: what is not less may be NaN.
    Ordered(Order, u64, bool),
}

impl Test {
    fn excludes(self, other: Test) -> bool {
        match (self, other) {
            (Test::Boolean(a), Test::Boolean(b)) => a != b,
            (Test::Between(low, high), Test::Between(other_low, other_high)) => high < other_low || other_high < low,
            (Test::Between(low, high), Test::Not(value)) | (Test::Not(value), Test::Between(low, high)) => {
                low == value && high == value
            }
            (Test::Float(a, true), Test::Float(b, true)) => a != b,
            (Test::Float(a, one), Test::Float(b, other)) => a == b && one != other,
            (Test::Ordered(a, with, one), Test::Ordered(b, other, two)) => a == b && with == other && one != two,
            (Test::Float(a, true), Test::Ordered(order, with, holds))
            | (Test::Ordered(order, with, holds), Test::Float(a, true)) => {
                order.holds(f64::from_bits(a), f64::from_bits(with)) != holds
            }
            _ => false,
        }
    }
}

/// One element of the value with this number passes a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literal {
    pub root: u32,
    pub position: Position,
    pub test: Test,
}

impl Literal {
    fn excludes(&self, other: &Literal) -> bool {
        self.root == other.root && self.position == other.position && self.test.excludes(other.test)
    }
}

/// A condition keeps so many literals: fewer only weaken it.
const MOST_LITERALS: usize = 16;

/// A conjunction, sorted. The empty one is always true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Condition(Vec<Literal>);

impl Condition {
    /// With more literals; none if it cannot be true.
    pub fn and(&self, more: &[Literal]) -> Option<Condition> {
        let mut all = self.0.clone();
        for literal in more {
            if all.iter().any(|known| known.excludes(literal)) {
                return None;
            }
            if let Err(position) = all.binary_search(literal) {
                all.insert(position, literal.clone());
            }
        }
        all.truncate(MOST_LITERALS);
        Some(Condition(all))
    }

    /// The same, where it is asked of these elements alone: one row of a mask is what a window of it is.
    pub fn and_of(&self, more: &[Literal], elements: &Elements) -> Option<Condition> {
        let indices = elements.fixed();
        let there = |position: &Position| position.fixed(&indices);
        self.map(there).and(&map_literals(more, there))?;
        self.and(more)
    }

    /// Whether it is true wherever the other is.
    pub fn follows_from(&self, other: &Condition) -> bool {
        self.0.iter().all(|literal| other.0.binary_search(literal).is_ok())
    }

    /// What both have.
    pub fn common(&self, other: &Condition) -> Condition {
        Condition(common(&self.0, &other.0))
    }

    /// The literals that can be said in other dimensions.
    pub fn map(&self, to: impl Fn(&Position) -> Option<Position>) -> Condition {
        Condition(map_literals(&self.0, to))
    }

    /// What does not depend on the element.
    pub fn dimensionless(&self) -> Condition {
        self.map(|position| position.terms.is_empty().then(|| position.clone()))
    }

    pub fn keep(&self, keep: impl Fn(&Literal) -> bool) -> Condition {
        Condition(self.0.iter().filter(|literal| keep(literal)).cloned().collect())
    }
}

pub(super) fn map_literals(literals: &[Literal], to: impl Fn(&Position) -> Option<Position>) -> Vec<Literal> {
    let moved = |literal: &Literal| {
        let position = to(&literal.position)?;
        Some(Literal { root: literal.root, position, test: literal.test })
    };
    let mut moved: Vec<Literal> = literals.iter().filter_map(moved).collect();
    moved.sort();
    moved.dedup();
    moved
}

pub(super) fn common(a: &[Literal], b: &[Literal]) -> Vec<Literal> {
    a.iter().filter(|literal| b.contains(literal)).cloned().collect()
}

pub(super) fn both(a: &[Literal], b: &[Literal]) -> Vec<Literal> {
    let mut all: Vec<Literal> = a.iter().chain(b).cloned().collect();
    all.sort();
    all.dedup();
    all
}
