//! Runs a training graph.

pub mod kernels;
