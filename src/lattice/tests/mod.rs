//! Set operations against the same question asked element by element, on small shapes.

mod affine;
mod elements;
mod guard;
mod intervals;

use proptest::prelude::*;

use super::{Elements, Intervals};

/// Every index of a shape, in row-major order.
fn indices(extents: &[u64]) -> Vec<Vec<u64>> {
    let mut all = vec![Vec::new()];
    for extent in extents {
        all = all.iter().flat_map(|index: &Vec<u64>| (0..*extent).map(|at| [&index[..], &[at]].concat())).collect();
    }
    all
}

/// The position of an index in row-major order.
fn position(index: &[u64], extents: &[u64]) -> usize {
    index.iter().zip(extents).fold(0, |position, (at, extent)| position * *extent as usize + *at as usize)
}

fn holds_index(set: &Intervals, index: u64) -> bool {
    set.as_slice().iter().any(|(start, end)| (*start..*end).contains(&index))
}

fn holds_element(elements: &Elements, index: &[u64]) -> bool {
    match elements {
        Elements::All => true,
        Elements::Boxes(cells) => {
            cells.iter().any(|cell| cell.iter().zip(index).all(|(set, at)| holds_index(set, *at)))
        }
    }
}

/// The elements of a set, as a list of truth values in row-major order.
fn listed(elements: &Elements, extents: &[u64]) -> Vec<bool> {
    indices(extents).iter().map(|index| holds_element(elements, index)).collect()
}

/// The set of these elements, one box each.
fn set_of(list: &[bool], extents: &[u64]) -> Elements {
    let mut set = Elements::none();
    for (index, _) in indices(extents).iter().zip(list).filter(|(_, is_in)| **is_in) {
        set.join(&Elements::cell(index.iter().map(|at| Intervals::range(*at, at + 1))));
    }
    set
}

/// A shape of few elements.
fn shape(most_dimensions: usize) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0u64..5, 0..=most_dimensions)
}

fn interval_sets() -> impl Strategy<Value = Intervals> {
    prop::collection::vec((0u64..12, 0u64..12), 0..4).prop_map(Intervals::union_of)
}

/// A shape and some of its elements.
fn sets(most_dimensions: usize) -> impl Strategy<Value = (Vec<u64>, Vec<bool>)> {
    shape(most_dimensions).prop_flat_map(|extents| {
        let count = extents.iter().product::<u64>() as usize;
        (Just(extents), prop::collection::vec(prop::bool::weighted(0.3), count))
    })
}
