//! `rng_bit_generator`, bit by bit as XLA has it, and the Threefry hash.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;
use super::position::{advance, assemble, elements, require, strides, volume};

const OPERATION: &str = "rng_bit_generator";

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
    let total = volume(OPERATION, shape)?;
    let refused = || Refused { operation: OPERATION, reason: format!("a state of {} words", initial_state.len()) };
    match (algorithm, initial_state) {
        (Algorithm::ThreeFry, &[key, counter]) => {
            let (counter, bits) = threefry_bits(key, counter, shape);
            Ok((vec![key, counter], assemble(OPERATION, shape, bits)?))
        }
        (Algorithm::Default | Algorithm::Philox, &[key, low]) => {
            // The key is the high half of the counter too, but comes out as it went in.
            let (counter, bits) = philox_bits(key, u128::from(low) | u128::from(key) << 64, total);
            Ok((vec![key, counter as u64], assemble(OPERATION, shape, bits)?))
        }
        (Algorithm::Default | Algorithm::Philox, &[key, low, high]) => {
            let (counter, bits) = philox_bits(key, u128::from(low) | u128::from(high) << 64, total);
            Ok((vec![key, counter as u64, (counter >> 64) as u64], assemble(OPERATION, shape, bits)?))
        }
        _ => Err(refused()),
    }
}

/// One block of Threefry 2x32 with 20 rounds.
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let schedule = [key[0], key[1], 0x1bd1_1bda ^ key[0] ^ key[1]];
    let [mut left, mut right] = [counter[0].wrapping_add(key[0]), counter[1].wrapping_add(key[1])];
    for group in 0..5 {
        for rotation in ROTATIONS[group % 2] {
            left = left.wrapping_add(right);
            right = right.rotate_left(rotation) ^ left;
        }
        left = left.wrapping_add(schedule[(group + 1) % 3]);
        right = right.wrapping_add(schedule[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    [left, right]
}

/// The custom call `threefry2x32`: element by element; keys and counters have one shape.
pub fn threefry_2x32(
    keys: [ArrayViewD<'_, u32>; 2],
    counters: [ArrayViewD<'_, u32>; 2],
) -> Result<[ArrayD<u32>; 2], Refused> {
    let shape = keys[0].shape().to_vec();
    let same = keys.iter().chain(&counters).all(|array| array.shape() == shape);
    require(same, "threefry2x32", || "keys and counters differ in shape".to_string())?;
    let [first_key, second_key] = keys.each_ref().map(elements);
    let [first, second] = counters.each_ref().map(elements);
    let keys = first_key.iter().zip(second_key.iter());
    let blocks = keys.zip(first.iter().zip(second.iter()));
    let (left, right) = blocks
        .map(|((&first_key, &second_key), (&first, &second))| {
            let [left, right] = threefry2x32([first_key, second_key], [first, second]);
            (left, right)
        })
        .unzip();
    Ok([assemble("threefry2x32", &shape, left)?, assemble("threefry2x32", &shape, right)?])
}

const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];

macro_rules! word {
    ($($type:ty),*) => {$(
        impl Word for $type {
            const BITS: u32 = <$type>::BITS;
            fn truncated(bits: u64) -> Self {
                bits as $type
            }
        }
    )*};
}

word!(u8, u16, u32, u64);

fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The counter after, and the bits. An element of 64 bits takes a block of its own. Of narrower ones, two that are
/// neighbours along one dimension share a block: along the first even dimension, else the first of the largest ones.
fn threefry_bits<T: Word>(key: u64, counter: u64, shape: &[usize]) -> (u64, Vec<T>) {
    let total: usize = shape.iter().product();
    let block = |offset: usize| threefry2x32(halves(key), halves(counter.wrapping_add(offset as u64)));
    if T::BITS == 64 {
        let bits = (0..total).map(|at| {
            let [low, high] = block(at);
            T::truncated(joined(low, high))
        });
        return (counter.wrapping_add(total as u64), bits.collect());
    }
    let largest = shape.iter().max().and_then(|largest| shape.iter().position(|size| size == largest));
    let Some(split) = shape.iter().position(|size| size % 2 == 0).or(largest) else {
        return (counter.wrapping_add(1), vec![T::truncated(u64::from(block(0)[0]))]);
    };
    let mut half_shape = shape.to_vec();
    half_shape[split] = shape[split].div_ceil(2);
    let steps = strides(&half_shape);
    let mut index = vec![0; shape.len()];
    let mut bits = Vec::with_capacity(total);
    for _ in 0..total {
        let half = index.iter().zip(&steps).enumerate();
        let offset = half.map(|(dimension, (&at, step))| if dimension == split { at / 2 * step } else { at * step });
        bits.push(T::truncated(u64::from(block(offset.sum())[index[split] % 2])));
        advance(&mut index, shape);
    }
    (counter.wrapping_add(half_shape.iter().product::<usize>() as u64), bits)
}

/// The counter after, and `total` elements: four narrow or two wide ones from a block, what is left of the last one lost.
fn philox_bits<T: Word>(key: u64, counter: u128, total: usize) -> (u128, Vec<T>) {
    let each = if T::BITS == 64 { 2 } else { 4 };
    let blocks = total.div_ceil(each);
    let mut bits = Vec::with_capacity(blocks * each);
    for offset in 0..blocks {
        let [a, b, c, d] = philox4x32(halves(key), counter.wrapping_add(offset as u128));
        if T::BITS == 64 {
            bits.extend([joined(a, b), joined(c, d)].map(T::truncated));
        } else {
            bits.extend([a, b, c, d].map(|word| T::truncated(u64::from(word))));
        }
    }
    bits.truncate(total);
    (counter.wrapping_add(blocks as u128), bits)
}

/// One block of Philox 4x32 with 10 rounds.
fn philox4x32(mut key: [u32; 2], counter: u128) -> [u32; 4] {
    let ([a, b], [c, d]) = (halves(counter as u64), halves((counter >> 64) as u64));
    let mut state = [a, b, c, d];
    for _ in 0..10 {
        let [first_low, first_high] = halves(u64::from(state[0]) * 0xd251_1f53);
        let [second_low, second_high] = halves(u64::from(state[2]) * 0xcd9e_8d57);
        state = [second_high ^ state[1] ^ key[0], second_low, first_high ^ state[3] ^ key[1], first_low];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    state
}
