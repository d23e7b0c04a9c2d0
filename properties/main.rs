//! Every property test is a module of this one binary: it links once.

mod capture;
mod corpus;
mod floors;
mod flow;
mod generate;
mod policy;
mod render;
mod truth;
