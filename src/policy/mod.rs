//! Floor 3: what a user says must hold.
//!
//! A [`FlowPolicy`] is read from TOML or made from flags, and is valid from then on: "parse, don't validate". Its
//! [`Selector`]s pick operations, inputs and outputs of a [`TrainingGraph`](crate::graph::TrainingGraph).
//! [`first_policy`] writes the policy that a user starts from.
//!
//! **Invariants.** Nothing here knows how labels move or what a verdict is made from, reads a file or prints. Whatever is
//! refused is refused with its place in the text. A pattern costs at most the product of its length and the path's.

mod date;
mod error;
mod file;
mod glob;
mod init;
mod nearest;
mod raw;
mod selector;
mod system;
mod waiver;

pub use date::{Date, NoSuchDate};
pub use error::PolicyError;
pub use file::{
    EnvironmentEdge, FlowPolicy, GraphFile, Invariant, Link, POLICY_VERSION, Requirement, parse_assumption,
    parse_max_channel,
};
pub use init::first_policy;
pub use nearest::{Nearest, explain_unmatched, nearest};
pub use selector::{Matched, Selector, SelectorError, Side, sink_group};
pub use system::SystemEdge;
pub use waiver::{Waiver, WaiverOutcome, apply_waivers};
