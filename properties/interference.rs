//! Paired runs of systems that are written in Rust: what leaks is found and made small, what does not holds, and whatever
//! shows nothing is never a pass.

mod leaks;
mod limits;
mod reports;
mod small;
