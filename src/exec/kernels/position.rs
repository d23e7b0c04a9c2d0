//! Positions in row-major order, and the checks that all operations share.

use std::borrow::Cow;

use ndarray::{ArrayD, ArrayViewD, IxDyn};

use super::Refused;

/// An error if `condition` does not hold.
pub fn require(condition: bool, operation: &'static str, reason: impl FnOnce() -> String) -> Result<(), Refused> {
    if condition { Ok(()) } else { Err(Refused { operation, reason: reason() }) }
}

/// More elements in one array are refused before anything is reserved: they take two gigabytes or more.
const MOST_ELEMENTS: usize = 1 << 29;

/// How many elements an array of `shape` has.
pub fn volume(operation: &'static str, shape: &[usize]) -> Result<usize, Refused> {
    // Zero sizes are left out first: `ndarray` too refuses a shape whose other sizes overflow.
    let mut others = shape.iter().filter(|&&size| size != 0);
    let product = others.try_fold(1usize, |product, &size| product.checked_mul(size));
    let fits = product.filter(|&product| product <= MOST_ELEMENTS);
    let product = fits.ok_or_else(|| Refused { operation, reason: format!("the shape {shape:?} is too large") })?;
    Ok(if shape.contains(&0) { 0 } else { product })
}

/// The distance of neighbours in each dimension.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension] * shape[dimension].max(1);
    }
    strides
}

/// The elements in row-major order, without a copy where they lie so already.
pub fn elements<'a, T: Copy>(array: &ArrayViewD<'a, T>) -> Cow<'a, [T]> {
    match array.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(array.iter().copied().collect()),
    }
}

/// The array in row-major layout.
pub fn row_major<T: Copy>(array: ArrayD<T>) -> ArrayD<T> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

/// An array of elements in row-major order.
pub fn assemble<T>(operation: &'static str, shape: &[usize], elements: Vec<T>) -> Result<ArrayD<T>, Refused> {
    ArrayD::from_shape_vec(IxDyn(shape), elements)
        .map_err(|error| Refused { operation, reason: format!("the shape {shape:?} does not fit: {error}") })
}

/// Dimensions of an array of `rank` dimensions, each at most once.
pub fn require_dimensions(operation: &'static str, dimensions: &[usize], rank: usize) -> Result<(), Refused> {
    for (position, &dimension) in dimensions.iter().enumerate() {
        require(dimension < rank && !dimensions[..position].contains(&dimension), operation, || {
            format!("{dimensions:?} are not distinct dimensions of {rank}")
        })?;
    }
    Ok(())
}

/// The dimensions below `rank` that `taken` does not have, ascending.
pub fn remaining(rank: usize, taken: &[usize]) -> Vec<usize> {
    (0..rank).filter(|dimension| !taken.contains(dimension)).collect()
}

/// The sizes in `shape` of some dimensions.
pub fn sizes(shape: &[usize], dimensions: &[usize]) -> Vec<usize> {
    dimensions.iter().map(|&dimension| shape[dimension]).collect()
}

/// Where each index of a shape lies, in row-major order, if a step in each dimension is `steps` long.
pub struct Offsets<'a> {
    shape: &'a [usize],
    steps: &'a [usize],
    index: Vec<usize>,
    offset: usize,
    left: usize,
}

impl<'a> Offsets<'a> {
    /// `shape` and `steps` have one length.
    pub fn new(shape: &'a [usize], steps: &'a [usize]) -> Offsets<'a> {
        Offsets { shape, steps, index: vec![0; shape.len()], offset: 0, left: shape.iter().product() }
    }
}

impl Iterator for Offsets<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let current = self.offset;
        for dimension in (0..self.shape.len()).rev() {
            self.index[dimension] += 1;
            self.offset += self.steps[dimension];
            if self.index[dimension] < self.shape[dimension] {
                break;
            }
            self.offset -= self.steps[dimension] * self.shape[dimension];
            self.index[dimension] = 0;
        }
        Some(current)
    }
}

/// A box inside an array as runs of neighbours: where each run begins, and how long all are.
pub struct Runs {
    /// Relative to the box's first element, in row-major order.
    pub starts: Vec<usize>,
    /// Elements of each run.
    pub length: usize,
}

impl Runs {
    /// Of a box of `sizes`, each not more than that of `shape`.
    pub fn new(shape: &[usize], sizes: &[usize]) -> Runs {
        let whole = shape.iter().zip(sizes).rev().take_while(|(shape, size)| shape == size).count();
        let inner = shape.len() - (whole + 1).min(shape.len());
        let starts = Offsets::new(&sizes[..inner], &strides(shape)[..inner]).collect();
        Runs { starts, length: sizes[inner..].iter().product() }
    }
}

/// Which elements of an array a moving window sees.
#[derive(Clone, Debug)]
pub struct Taps {
    /// How many places the window has in each dimension.
    pub places: Vec<usize>,
    /// For each dimension, place and element of the window: the offset in the array, none over padding.
    tables: Vec<Vec<Option<usize>>>,
    window: Vec<usize>,
}

/// A window in one dimension.
pub struct Tap {
    /// The size of the array.
    pub size: usize,
    /// The distance of neighbours in the array.
    pub step: usize,
    /// The size of the window.
    pub window: usize,
    /// How far the window moves.
    pub stride: usize,
    /// Dilation of the array.
    pub base_dilation: usize,
    /// Dilation of the window.
    pub window_dilation: usize,
    /// Low and high padding.
    pub padding: (i64, i64),
}

impl Taps {
    /// From one description for each dimension.
    pub fn new(operation: &'static str, dimensions: &[Tap]) -> Result<Taps, Refused> {
        let mut taps = Taps { places: Vec::new(), tables: Vec::new(), window: Vec::new() };
        for tap in dimensions {
            require(tap.stride > 0 && tap.base_dilation > 0 && tap.window_dilation > 0, operation, || {
                "strides and dilations are at least 1".to_string()
            })?;
            // All in 128 bits: attributes may be as large as 64 bits, and the product of two of them is too large to matter.
            let dilated = |size: usize, dilation: usize| match size {
                0 => 0,
                size => (size as i128 - 1).saturating_mul(dilation as i128).saturating_add(1),
            };
            let (low, high) = (i128::from(tap.padding.0), i128::from(tap.padding.1));
            let padded = dilated(tap.size, tap.base_dilation).saturating_add(low).saturating_add(high);
            let span = dilated(tap.window, tap.window_dilation);
            let places = if padded <= 0 || span > padded { 0 } else { (padded - span) / tap.stride as i128 + 1 };
            let places = usize::try_from(places).unwrap_or(usize::MAX);
            volume(operation, &[places, tap.window])?;
            let mut table = Vec::with_capacity(places * tap.window);
            for place in 0..places {
                for element in 0..tap.window {
                    let at = place as i128 * tap.stride as i128 + element as i128 * tap.window_dilation as i128 - low;
                    let inside = at >= 0 && at % tap.base_dilation as i128 == 0;
                    let index = usize::try_from(at / tap.base_dilation as i128).ok();
                    table.push(index.filter(|&index| inside && index < tap.size).map(|index| index * tap.step));
                }
            }
            taps.places.push(places);
            taps.window.push(tap.window);
            taps.tables.push(table);
        }
        volume(operation, &taps.places)?;
        volume(operation, &taps.window)?;
        Ok(taps)
    }

    /// Writes into `seen` what the window sees at `place`, in row-major order. `spare` is memory that is used again.
    pub fn see(&self, place: &[usize], base: usize, seen: &mut Vec<Option<usize>>, spare: &mut Vec<Option<usize>>) {
        seen.clear();
        seen.push(Some(base));
        for ((table, &place), &window) in self.tables.iter().zip(place).zip(&self.window) {
            let row = &table[place * window..][..window];
            std::mem::swap(seen, spare);
            seen.clear();
            for &outer in spare.iter() {
                seen.extend(row.iter().map(|&inner| Some(outer? + inner?)));
            }
        }
    }
}

/// Moves `index` to the next one of `shape` in row-major order.
pub fn advance(index: &mut [usize], shape: &[usize]) {
    for (index, &size) in index.iter_mut().zip(shape).rev() {
        *index += 1;
        if *index < size {
            return;
        }
        *index = 0;
    }
}
