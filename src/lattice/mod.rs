//! Floor 1: what a label says, as an algebra: which elements of a tensor, and under which condition.
//!
//! **Invariants.** Everything here over-approximates: where a bound is hit, a set grows to its hull and a condition
//! loses literals. Nothing here knows of graphs; shapes come in as slices of extents.

mod affine;
mod elements;
mod guard;
mod intervals;
#[cfg(test)]
mod tests;

pub use affine::{Affine, Pick};
pub use elements::{AxisImage, Elements};
pub use guard::{Atom, Guard, Literal};
pub use intervals::Intervals;
