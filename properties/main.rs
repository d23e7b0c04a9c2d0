//! Every property test is a module of this one binary: it links once.

mod capture;
mod channels;
mod command;
mod corpus;
#[cfg(feature = "exec")]
mod exec;
mod floors;
mod flow;
mod generate;
mod kernels;
mod mechanisms;
#[path = "../fixtures/examples/model_graph.rs"] // the example for users runs
mod model_graph;
mod mutants;
mod policy;
mod precision;
mod readme;
mod regressions;
mod render;
mod repairs;
mod rules;
mod truth;
