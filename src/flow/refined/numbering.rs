//! Value numbers: which values of a step are surely the same tensor, seen how.
//!
//! Pure operations on equal operands with equal attributes give equal results (Cocke; Alpern, Wegman and Zadeck 1988), so
//! they get one number. Operations that only move elements about (broadcast, transpose, slice, reshape) give a *view*: the
//! number of what they move, and where each element is in it. A mask that a forward and a backward pass compute
//! each on its own is so one mask.

use rustc_hash::FxHashMap;
use std::rc::Rc;

use crate::lattice::Affine;

/// A value: the tensor of this number, seen through this map into its elements in row-major order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct View {
    pub number: u32,
    /// None: as it is.
    map: Option<Rc<Affine>>,
}

impl View {
    /// Whether it is the tensor of its number as it is.
    pub fn is_whole(&self) -> bool {
        self.map.is_none()
    }

    /// Where each element of the value is in the tensor of its number.
    pub fn map(&self, extents: &[u64]) -> Affine {
        self.map.as_ref().map_or_else(|| Affine::identity(extents), |map| (**map).clone())
    }
}

/// What makes a value what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recipe {
    /// Graph, kind, attributes, type, position of the result.
    pub operation: [u32; 5],
    /// Kinds, attributes and operands of what stands in its regions; empty if there are none.
    pub body: Rc<[u32]>,
    /// Each with its extents: a view does not say how far it goes.
    pub operands: Vec<(View, Option<Box<[u64]>>)>,
}

/// All numbers that were given.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    recipes: FxHashMap<Recipe, u32>,
    /// How many elements the tensor of each number has; `u64::MAX` if that is not known.
    counts: Vec<u64>,
}

impl Numbering {
    /// Numbers from here on are given later.
    pub fn mark(&self) -> u32 {
        self.counts.len() as u32
    }

    /// A number that nothing else has.
    pub fn fresh(&mut self, extents: Option<&[u64]>) -> View {
        let number = self.mark();
        self.counts.push(extents.map_or(u64::MAX, |extents| extents.iter().product()));
        View { number, map: None }
    }

    /// The number of whatever is made so.
    pub fn of(&mut self, recipe: Recipe, extents: Option<&[u64]>) -> View {
        if let Some(number) = self.recipes.get(&recipe) {
            return View { number: *number, map: None };
        }
        let view = self.fresh(extents);
        self.recipes.insert(recipe, view.number);
        view
    }

    /// The same tensor seen through another map.
    pub fn seen(&self, number: u32, map: Affine, extents: &[u64]) -> View {
        let whole = self.counts[number as usize] == extents.iter().product::<u64>();
        let map = if whole && map == Affine::identity(extents) { None } else { Some(Rc::new(map)) };
        View { number, map }
    }
}
