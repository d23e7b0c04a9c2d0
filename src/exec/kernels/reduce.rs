//! `reduce`.

use ndarray::{ArrayD, ArrayViewD};

use super::position::{Offsets, assemble, elements, remaining, require_dimensions, sizes, strides, volume};
use super::{Arithmetic, Refused};

const OPERATION: &str = "reduce";

/// Which elements of operands of one shape go into which element of the results.
#[derive(Clone, Debug)]
pub struct Reduction {
    result_shape: Vec<usize>,
    /// The dimensions before the inner ones, and how far a step in each goes in the results.
    outer_shape: Vec<usize>,
    outer_steps: Vec<usize>,
    /// How many neighbours are in the inner dimensions, which are all reduced or all kept.
    inner: usize,
    inner_reduced: bool,
}

impl Reduction {
    /// Of operands of `shape`, over `dimensions`.
    pub fn new(shape: &[usize], dimensions: &[usize]) -> Result<Reduction, Refused> {
        volume(OPERATION, shape)?;
        require_dimensions(OPERATION, dimensions, shape.len())?;
        let kept = remaining(shape.len(), dimensions);
        let result_shape = sizes(shape, &kept);
        let mut steps = vec![0; shape.len()];
        for (&dimension, step) in kept.iter().zip(strides(&result_shape)) {
            steps[dimension] = step;
        }
        let inner_reduced = shape.len().checked_sub(1).is_none_or(|last| dimensions.contains(&last));
        let inner_dimensions =
            (0..shape.len()).rev().take_while(|dimension| dimensions.contains(dimension) == inner_reduced).count();
        let outer = shape.len() - inner_dimensions;
        Ok(Reduction {
            result_shape,
            outer_shape: shape[..outer].to_vec(),
            outer_steps: steps[..outer].to_vec(),
            inner: shape[outer..].iter().product(),
            inner_reduced,
        })
    }

    /// Where the result of each run of inner elements is, or begins.
    fn chunk_results(&self) -> Offsets<'_> {
        Offsets::new(&self.outer_shape, &self.outer_steps)
    }

    /// The shape of the results.
    pub fn result_shape(&self) -> &[usize] {
        &self.result_shape
    }

    /// Calls `combine(result, element)` with positions in row-major order, for all elements in row-major order. The
    /// results hold the initial values before; the first error ends the walk.
    pub fn visit<E>(&self, combine: impl FnMut(usize, usize) -> Result<(), E>) -> Result<(), E> {
        let mut combine = combine;
        for (chunk, start) in self.chunk_results().enumerate() {
            for at in 0..self.inner {
                combine(if self.inner_reduced { start } else { start + at }, chunk * self.inner + at)?;
            }
        }
        Ok(())
    }
}

/// `reduce` of one operand, by `combine(accumulator, element)`, element after element in row-major order.
pub fn reduce<T: Copy>(
    operand: ArrayViewD<'_, T>,
    initial: T,
    dimensions: &[usize],
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    let mut combine = combine;
    chunked(operand, initial, dimensions, &mut combine, |combine, accumulator, chunk| {
        chunk.iter().fold(accumulator, |accumulator, &element| combine(accumulator, element))
    })
}

/// `reduce` by an operation that is commutative and associative but for rounding, such as sum, product and maximum. It
/// is fast, and sums lose less: lanes and blocks run side by side, in an order that depends on the shape alone.
pub fn reduce_in_lanes<T: Copy>(
    operand: ArrayViewD<'_, T>,
    initial: T,
    dimensions: &[usize],
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    let mut combine = combine;
    chunked(operand, initial, dimensions, &mut combine, |combine, accumulator, chunk| {
        fold_in_lanes(combine, accumulator, chunk)
    })
}

/// `reduce` by addition, with [`reduce_in_lanes`].
pub fn sum<T: Arithmetic>(operand: ArrayViewD<'_, T>, initial: T, dimensions: &[usize]) -> Result<ArrayD<T>, Refused> {
    reduce_in_lanes(operand, initial, dimensions, T::add)
}

/// Elements that are combined on their own before they join the rest.
const BLOCK: usize = 512;
/// Accumulators that run side by side within a block.
const LANES: usize = 16;

/// Combines neighbours. Blocks are combined in pairs, pairs in pairs and so on, so that no sum grows large while what it
/// takes up stays small.
fn fold_in_lanes<T: Copy>(combine: &mut impl FnMut(T, T) -> T, accumulator: T, chunk: &[T]) -> T {
    let (blocks, rest) = chunk.as_chunks::<BLOCK>();
    let accumulator = fold_block(combine, accumulator, rest);
    let mut pairs: Vec<T> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let (first, others) = (block[0], &block[1..]);
        let mut combined = fold_block(combine, first, others);
        // As many pairs are complete as the block's number ends in ones.
        for _ in 0..number.trailing_ones() {
            if let Some(earlier) = pairs.pop() {
                combined = combine(earlier, combined);
            }
        }
        pairs.push(combined);
    }
    pairs.into_iter().rev().fold(accumulator, combine)
}

/// Lanes start from elements, so that no neutral element is needed.
fn fold_block<T: Copy>(combine: &mut impl FnMut(T, T) -> T, accumulator: T, block: &[T]) -> T {
    let (groups, rest) = block.as_chunks::<LANES>();
    let mut accumulator = accumulator;
    if let Some((&first, groups)) = groups.split_first() {
        let mut lanes = first;
        for group in groups {
            for (lane, &element) in lanes.iter_mut().zip(group) {
                *lane = combine(*lane, element);
            }
        }
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for at in 0..width {
                lanes[at] = combine(lanes[at], lanes[at + width]);
            }
        }
        accumulator = combine(accumulator, lanes[0]);
    }
    rest.iter().fold(accumulator, |accumulator, &element| combine(accumulator, element))
}

/// Reduces runs of neighbours by `fold`, or pairs runs with results element by element by `combine`.
fn chunked<T: Copy, C: FnMut(T, T) -> T>(
    operand: ArrayViewD<'_, T>,
    initial: T,
    dimensions: &[usize],
    combine: &mut C,
    mut fold: impl FnMut(&mut C, T, &[T]) -> T,
) -> Result<ArrayD<T>, Refused> {
    let reduction = Reduction::new(operand.shape(), dimensions)?;
    let elements = elements(&operand);
    let mut result = vec![initial; volume(OPERATION, &reduction.result_shape)?];
    let chunks = elements.chunks_exact(reduction.inner.max(1));
    for (chunk, start) in chunks.zip(reduction.chunk_results()) {
        if reduction.inner_reduced {
            result[start] = fold(combine, result[start], chunk);
        } else {
            for (result, &element) in result[start..].iter_mut().zip(chunk) {
                *result = combine(*result, element);
            }
        }
    }
    assemble(OPERATION, &reduction.result_shape, result)
}
