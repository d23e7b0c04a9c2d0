//! Every property test is a module of this one binary: it links once.

mod policy;
mod render;
