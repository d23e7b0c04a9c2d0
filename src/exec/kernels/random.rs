//! `rng_bit_generator`, bit by bit as XLA has it, and the Threefry hash.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;

/// The attribute `rng_algorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// What XLA takes on a CPU: Philox.
    Default,
    /// Threefry 2x32 with 20 rounds. The state has 2 words.
    ThreeFry,
    /// Philox 4x32 with 10 rounds. The state has 2 or 3 words.
    Philox,
}

/// An unsigned element type for random bits. Signed ones are read as these by the caller.
pub trait Word: Copy + Send + Sync + 'static {
    /// Bits of an element.
    const BITS: u32;
    /// The low bits of `bits`.
    fn truncated(bits: u64) -> Self;
}

/// `rng_bit_generator`: the state after, and the bits.
pub fn rng_bit_generator<T: Word>(
    algorithm: Algorithm,
    initial_state: &[u64],
    shape: &[usize],
) -> Result<(Vec<u64>, ArrayD<T>), Refused> {
    todo!()
}

/// One block of Threefry 2x32 with 20 rounds.
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    todo!()
}

/// The custom call `threefry2x32`: element by element; keys and counters have one shape.
pub fn threefry_2x32(
    keys: [ArrayViewD<'_, u32>; 2],
    counters: [ArrayViewD<'_, u32>; 2],
) -> Result<[ArrayD<u32>; 2], Refused> {
    todo!()
}
