//! Does your interpretability probe train the model it reads? `openloop` proves that it does not, or shows the path.

pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "exec")]
pub mod exec;
pub mod flow;
pub mod graph;
pub mod index;
#[cfg(feature = "interference")]
pub mod interference;
pub mod lattice;
pub mod network;
pub mod policy;
pub mod render;
pub mod report;
pub mod rules;
#[cfg(feature = "interference")]
pub mod scenarios;
pub mod selection;
#[cfg(feature = "interference")]
pub mod systems;
pub mod testing;
pub mod transfer;
pub mod verdict;
pub mod verify;
