//! Every property test is a module of this one binary: it links once.

mod capture;
mod channels;
mod command;
mod corpus;
mod floors;
mod flow;
mod generate;
#[path = "../fixtures/examples/model_graph.rs"] // the example for users runs
mod model_graph;
mod policy;
mod readme;
mod refined;
mod regressions;
mod render;
mod rules;
mod truth;
