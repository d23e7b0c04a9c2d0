//! Floor 3: one report, many faces. Everything here takes data and gives a [`String`].
//!
//! **Invariants.** Prints nothing and reads no disk: a caller that found the user's source lends its lines through
//! [`terminal::SourceLines`]. Output is deterministic. Whatever comes from an input (names, paths, lines of source)
//! passes [`text::safe`] before it is shown, so no file can move a reader's cursor or recolour a verdict. Nothing
//! recurses on the depth of an input.

mod advice;
pub mod amount;
pub mod code;
mod fold;
pub mod input_error;
pub mod inspect;
mod inspect_tree;
pub mod json;
mod page;
pub mod plot;
mod repair;
mod sections;
pub mod terminal;
pub mod text;
mod witness;

pub use input_error::input_error;
pub use inspect::{InspectOptions, inspect, inspect_json};
pub use terminal::{NoSource, SourceLines, TerminalOptions};
