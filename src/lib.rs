//! Does your interpretability probe train the model it reads? `openloop` proves that it does not, or shows the path.

pub mod graph;
pub mod index;
pub mod verdict;
