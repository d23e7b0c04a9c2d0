//! Every property test is a module of this one binary: it links once.

#[cfg(feature = "exec")]
mod agreement;
mod capture;
mod channels;
mod command;
#[cfg(feature = "exec")]
mod contains;
mod corpus;
#[cfg(feature = "exec")]
mod coverage;
#[cfg(feature = "exec")]
mod dual;
#[cfg(feature = "exec")]
mod elements;
#[cfg(feature = "exec")]
mod exec;
#[cfg(feature = "exec")]
mod exec_faults;
#[cfg(feature = "exec")]
mod expectations;
mod floors;
mod flow;
mod generate;
#[cfg(feature = "interference")]
mod interference;
mod kernels;
#[cfg(feature = "exec")]
mod masks;
mod mechanisms;
#[path = "../fixtures/examples/model_graph.rs"] // the example for users runs
mod model_graph;
#[cfg(feature = "exec")]
mod mutants;
mod operations;
#[cfg(feature = "interference")]
mod paired;
mod policy;
mod precision;
mod readme;
#[cfg(feature = "exec")]
mod refined;
mod regressions;
mod render;
mod repairs;
mod rules;
mod selection;
#[cfg(feature = "interference")]
mod sensitivity;
#[cfg(feature = "exec")]
mod steps;
#[cfg(feature = "interference")]
mod suite;
mod systems;
#[cfg(feature = "interference")]
#[path = "../fixtures/examples/training_system.rs"] // likewise
mod training_system;
mod truth;
