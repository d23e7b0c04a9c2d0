//! Positions in row-major order.
