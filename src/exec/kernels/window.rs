//! `reduce_window` and `select_and_scatter`.

use ndarray::{ArrayD, ArrayViewD};

use super::Refused;
use super::position::{Tap, Taps, advance, assemble, elements, require, strides, volume};

const REDUCE_WINDOW: &str = "reduce_window";
const SELECT_AND_SCATTER: &str = "select_and_scatter";

/// The window of `reduce_window`, one number for each dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Sizes.
    pub window_dimensions: Vec<usize>,
    /// Steps, at least 1.
    pub window_strides: Vec<usize>,
    /// Dilations of the operand, at least 1.
    pub base_dilations: Vec<usize>,
    /// Dilations of the window, at least 1.
    pub window_dilations: Vec<usize>,
    /// Low and high padding; negative cuts.
    pub padding: Vec<(i64, i64)>,
}

/// Which elements of operands of one shape go into which element of the results of `reduce_window`.
#[derive(Clone, Debug)]
pub struct Windows {
    taps: Taps,
}

impl Windows {
    /// Of operands of `shape`.
    pub fn new(shape: &[usize], window: &Window) -> Result<Windows, Refused> {
        Ok(Windows { taps: window.taps(REDUCE_WINDOW, shape)? })
    }

    /// The shape of the results.
    pub fn result_shape(&self) -> &[usize] {
        &self.taps.places
    }

    /// Calls `combine(result, element)` with positions in row-major order, window after window, each in row-major order.
    /// Where the window is over padding there is no element: the initial value is to be combined. The first error ends
    /// the walk.
    pub fn visit<E>(&self, combine: impl FnMut(usize, Option<usize>) -> Result<(), E>) -> Result<(), E> {
        let mut combine = combine;
        let mut place = vec![0; self.taps.places.len()];
        let (mut seen, mut spare) = (Vec::new(), Vec::new());
        for result in 0..self.taps.places.iter().product() {
            self.taps.see(&place, 0, &mut seen, &mut spare);
            for &element in &seen {
                combine(result, element)?;
            }
            advance(&mut place, &self.taps.places);
        }
        Ok(())
    }
}

/// `reduce_window` of one operand, by `combine(accumulator, element)`. Padding is combined as the initial value.
pub fn reduce_window<T: Copy>(
    operand: ArrayViewD<'_, T>,
    initial: T,
    window: &Window,
    combine: impl FnMut(T, T) -> T,
) -> Result<ArrayD<T>, Refused> {
    let windows = Windows::new(operand.shape(), window)?;
    let elements = elements(&operand);
    let mut combine = combine;
    let mut result = vec![initial; volume(REDUCE_WINDOW, windows.result_shape())?];
    windows.visit(|at, element| {
        result[at] = combine(result[at], element.map_or(initial, |element| elements[element]));
        Ok::<(), Refused>(())
    })?;
    assemble(REDUCE_WINDOW, windows.result_shape(), result)
}

/// The window of `select_and_scatter`, one number for each dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectAndScatter {
    /// Sizes.
    pub window_dimensions: Vec<usize>,
    /// Steps, at least 1.
    pub window_strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
}

/// `select_and_scatter`. `select(chosen, other)` says whether the chosen one stays; `scatter(old, source)` combines.
pub fn select_and_scatter<T: Copy, E: From<Refused>>(
    operand: ArrayViewD<'_, T>,
    source: ArrayViewD<'_, T>,
    initial: T,
    attributes: &SelectAndScatter,
    select: impl FnMut(T, T) -> Result<bool, E>,
    scatter: impl FnMut(T, T) -> Result<T, E>,
) -> Result<ArrayD<T>, E> {
    let ones = vec![1; operand.ndim()];
    let window = Window {
        window_dimensions: attributes.window_dimensions.clone(),
        window_strides: attributes.window_strides.clone(),
        base_dilations: ones.clone(),
        window_dilations: ones,
        padding: attributes.padding.clone(),
    };
    let taps = window.taps(SELECT_AND_SCATTER, operand.shape())?;
    require(taps.places == source.shape(), SELECT_AND_SCATTER, || {
        format!("the source {:?} is not of the shape {:?}", source.shape(), taps.places)
    })?;
    let (mut select, mut scatter) = (select, scatter);
    let values = elements(&operand);
    let mut result = vec![initial; values.len()];
    let mut place = vec![0; taps.places.len()];
    let (mut seen, mut spare) = (Vec::new(), Vec::new());
    for &source in elements(&source).iter() {
        taps.see(&place, 0, &mut seen, &mut spare);
        let mut candidates = seen.iter().flatten().copied();
        if let Some(mut chosen) = candidates.next() {
            for other in candidates {
                if !select(values[chosen], values[other])? {
                    chosen = other;
                }
            }
            result[chosen] = scatter(result[chosen], source)?;
        }
        advance(&mut place, &taps.places);
    }
    Ok(assemble(SELECT_AND_SCATTER, operand.shape(), result)?)
}

impl Window {
    fn taps(&self, operation: &'static str, shape: &[usize]) -> Result<Taps, Refused> {
        let lengths = [
            self.window_dimensions.len(),
            self.window_strides.len(),
            self.base_dilations.len(),
            self.window_dilations.len(),
            self.padding.len(),
        ];
        require(lengths == [shape.len(); 5], operation, || format!("the window is not for {shape:?}"))?;
        volume(operation, shape)?;
        let steps = strides(shape);
        let taps: Vec<Tap> = (0..shape.len())
            .map(|dimension| Tap {
                size: shape[dimension],
                step: steps[dimension],
                window: self.window_dimensions[dimension],
                stride: self.window_strides[dimension],
                base_dilation: self.base_dilations[dimension],
                window_dilation: self.window_dilations[dimension],
                padding: self.padding[dimension],
            })
            .collect();
        Taps::new(operation, &taps)
    }
}
