//! Labels of a value, term by term, and how they are put together.

use super::leak::{Leak, Place};
use crate::lattice::{Elements, Guard};
use crate::transfer::Dependence;

/// A value with more terms than this has them joined.
const MOST_TERMS: usize = 24;

/// At these elements two runs may differ, where the condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub elements: Elements,
    pub guard: Guard,
    /// Only through an operation that nobody looks into.
    pub opaque: bool,
    /// Its node in the leak.
    pub node: u32,
}

/// A term that is being made: what it is made of is gathered first.
struct Draft {
    elements: Elements,
    guard: Guard,
    opaque: bool,
    from: Vec<(u32, Dependence)>,
}

/// The label of a value that is being made.
#[derive(Default)]
pub(super) struct LabelBuilder {
    drafts: Vec<Draft>,
}

impl LabelBuilder {
    /// At these elements, under this condition, it depends on a term of another value.
    pub fn add(&mut self, elements: Elements, guard: Guard, from: &Term, how: Dependence) {
        if elements.is_empty() {
            return;
        }
        let opaque = from.opaque || how == Dependence::Opaque;
        let same = |draft: &&mut Draft| draft.elements == elements && draft.guard == guard && draft.opaque == opaque;
        match self.drafts.iter_mut().find(same) {
            Some(draft) if draft.from.contains(&(from.node, how)) => {}
            Some(draft) => draft.from.push((from.node, how)),
            None => self.drafts.push(Draft { elements, guard, opaque, from: vec![(from.node, how)] }),
        }
    }

    /// The terms, with their nodes at this place.
    pub fn finish(mut self, leak: &mut Leak, place: Place) -> Vec<Term> {
        for draft in &mut self.drafts {
            draft.from.retain(|(from, _)| !leak.is_cut(*from, place.value));
        }
        self.drafts.retain(|draft| !draft.from.is_empty());
        while self.drafts.len() > MOST_TERMS {
            self.join_last_two();
        }
        let term = |draft: Draft| {
            let node = leak.add_node(place, draft.elements.clone(), draft.opaque);
            draft.from.into_iter().for_each(|(from, how)| leak.add_edge(from, node, how));
            Term { elements: draft.elements, guard: draft.guard, opaque: draft.opaque, node }
        };
        self.drafts.into_iter().map(term).collect()
    }

    fn join_last_two(&mut self) {
        let (Some(last), Some(before)) = (self.drafts.pop(), self.drafts.last_mut()) else { return };
        before.elements.join(&last.elements);
        before.guard = before.guard.common(&last.guard);
        // What reaches it by any known way reaches it.
        before.opaque &= last.opaque;
        before.from.extend(last.from);
        before.from.sort_unstable();
        before.from.dedup();
    }
}
