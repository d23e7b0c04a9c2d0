//! The kernels of the interpreter: against JAX, numpy, scipy and mpmath (`fixtures/kernels`), against the examples of the
//! specification, and against loops that are too simple to be wrong.

mod agreement;
mod naive;
mod specification;
