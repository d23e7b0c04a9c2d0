//! What is said of a value on the way from a pivot to a sink.

use std::collections::BTreeSet;

use super::super::backward::trace::Instance;

/// Pivots, by position.
pub(super) type Pivots = BTreeSet<usize>;

/// A value that depends on the pivots.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    /// The pivots that it depends on.
    pub pivots: Pivots,
    /// All its elements are equal to one number that is made of pivots and of what is not labelled: it may be a test or a
    /// factor.
    pub uniform: bool,
    /// It is made of whole numbers or truth values that depend on pivots: it may be an index, or say whether one fits.
    pub index: bool,
    /// It is a multiple of the value of this number, by one factor that is never negative.
    pub multiple_of: Option<u32>,
    /// It is proportional to this power of the value of this number, which is carried.
    pub power: Option<(u32, i64)>,
    /// What it may be, or why it is content; no reason: it is made of pivots alone, and not yet used.
    pub ends: Result<Vec<End>, String>,
    /// The pivots that decide which of these it is.
    pub chosen_by: Pivots,
}

/// One of the things that a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    pub what: What,
    pub by: Amounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Zero,
    /// The value of this number.
    Number(u32),
    /// Something that is made at an instance, one of several.
    Made(Instance, usize),
}

/// How the source had a say in it, in this step or before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Amounts {
    /// By one factor.
    pub scale: bool,
    /// By which data was picked.
    pub selection: bool,
    /// By when state was moved on that it is made of: the tests that decided so.
    pub moved_by: Pivots,
}

impl Amounts {
    pub fn add(&mut self, other: &Amounts) {
        self.scale |= other.scale;
        self.selection |= other.selection;
        self.moved_by.extend(&other.moved_by);
    }
}

impl End {
    pub fn made(at: Instance, by: Amounts) -> End {
        End { what: What::Made(at, 0), by }
    }
}

impl Form {
    /// Content, for a reason.
    pub fn content(pivots: Pivots, why: String) -> Form {
        Form {
            pivots,
            uniform: false,
            index: false,
            multiple_of: None,
            power: None,
            ends: Err(why),
            chosen_by: Pivots::new(),
        }
    }

    /// A value that the pivots do not reach.
    pub fn plain(what: What) -> Form {
        let ends = Ok(vec![End { what, by: Amounts::default() }]);
        Form { ends, ..Form::content(Pivots::new(), String::new()) }
    }

    /// What it is, if it is only one thing.
    pub fn single(&self) -> Option<&End> {
        match &self.ends {
            Ok(ends) => ends.first().filter(|_| ends.len() == 1),
            Err(_) => None,
        }
    }
}

/// All ends of some values, without repetition; none if one is content.
pub(super) fn united<'f>(forms: impl IntoIterator<Item = &'f Form>) -> Result<Vec<End>, String> {
    let mut all: Vec<End> = Vec::new();
    for form in forms {
        for end in form.ends.as_ref().map_err(String::clone)? {
            match all.iter_mut().find(|known| known.what == end.what) {
                Some(known) => known.by.add(&end.by),
                None => all.push(end.clone()),
            }
        }
    }
    all.sort_by_key(|end| end.what);
    Ok(all)
}
