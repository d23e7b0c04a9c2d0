//! Operations whose elements move by attributes alone.

use super::*;

impl Context<'_> {
    pub(super) fn broadcast(&self, kind: OperationKind) -> Option<Image> {
        let axes = match kind {
            // The new dimensions come first.
            OperationKind::Broadcast => {
                (0..self.from.len()).map(|axis| axis + self.to.len() - self.from.len()).collect()
            }
            _ => self.integers("broadcast_dimensions")?,
        };
        if axes.len() != self.from.len() || axes.iter().any(|axis| *axis >= self.to.len()) {
            return None;
        }
        // A dimension of extent 1 goes to every index.
        let image = |(axis, result): (usize, &usize)| match self.from[axis] == self.to[*result] {
            true => AxisImage::same(*result),
            false => AxisImage::Gone,
        };
        Some(Image::Axes(axes.iter().enumerate().map(image).collect()))
    }

    pub(super) fn transpose(&self) -> Option<Image> {
        let permutation = self.integers("permutation")?;
        let mut axes = vec![AxisImage::Gone; self.from.len()];
        if permutation.len() != axes.len() {
            return None;
        }
        for (result, axis) in permutation.iter().enumerate() {
            *axes.get_mut(*axis)? = AxisImage::same(result);
        }
        Some(Image::Axes(axes))
    }

    pub(super) fn slice(&self) -> Option<Image> {
        let rank = self.from.len();
        let starts = self.per_dimension("start_indices", 0, rank)?;
        let strides = self.per_dimension("strides", 1, rank)?;
        if strides.iter().any(|stride| *stride < 1) {
            return None;
        }
        let image = |axis| AxisImage::Picked { axis, start: starts[axis], step: strides[axis] };
        Some(Image::Axes((0..rank).map(image).collect()))
    }

    pub(super) fn reverse(&self) -> Option<Image> {
        let reversed = self.integers("dimensions")?;
        let image = |axis: usize| match reversed.contains(&axis) {
            true => AxisImage::Picked { axis, start: self.from[axis] as i64 - 1, step: -1 },
            false => AxisImage::same(axis),
        };
        Some(Image::Axes((0..self.from.len()).map(image).collect()))
    }

    pub(super) fn concatenate(&self) -> Option<Image> {
        let dimension = usize::try_from(self.integer("dimension")?).ok()?;
        let mut low = 0i64;
        for position in 0..self.operand {
            low = low.checked_add(i64::try_from(*self.operand_extents(position)?.get(dimension)?).ok()?)?;
        }
        let image = |axis| AxisImage::Placed { axis, low: if axis == dimension { low } else { 0 }, step: 1 };
        Some(Image::Axes((0..self.from.len()).map(image).collect()))
    }

    pub(super) fn pad(&self) -> Option<Image> {
        let rank = self.to.len();
        let low = self.per_dimension("edge_padding_low", 0, rank)?;
        let high = self.per_dimension("edge_padding_high", 0, rank)?;
        let interior = self.per_dimension("interior_padding", 0, rank)?;
        if interior.iter().any(|step| *step < 0) {
            return None;
        }
        if self.operand == 0 {
            let image = |axis| AxisImage::Placed { axis, low: low[axis], step: interior[axis] as u64 + 1 };
            return Some(Image::Axes((0..rank).map(image).collect()));
        }
        // precision: the value for padding goes nowhere if nothing is padded.
        let pads = low.iter().chain(&high).any(|padding| *padding > 0) || interior.iter().any(|step| *step > 0);
        Some(if pads { Image::Axes(Vec::new()) } else { Image::Nothing })
    }

    pub(super) fn reduce(&self) -> Option<Image> {
        if self.operand >= self.graph.results(self.operation).len() {
            return Some(Image::Axes(Vec::new())); // an initial value
        }
        let reduced = self.integers("dimensions")?;
        let mut next = 0;
        let mut image = |axis: usize| {
            if reduced.contains(&axis) {
                return AxisImage::Gone;
            }
            next += 1;
            AxisImage::same(next - 1)
        };
        let axes: Vec<AxisImage> = (0..self.from.len()).map(&mut image).collect();
        (next == self.to.len()).then_some(Image::Axes(axes))
    }

    pub(super) fn reduce_window(&self) -> Option<Image> {
        if self.operand >= self.graph.results(self.operation).len() {
            return Some(Image::Axes(Vec::new()));
        }
        let rank = self.from.len();
        let sizes = self.per_dimension("window_dimensions", 1, rank)?;
        let strides = self.per_dimension("window_strides", 1, rank)?;
        let base = self.per_dimension("base_dilations", 1, rank)?;
        let dilations = self.per_dimension("window_dilations", 1, rank)?;
        let low = self.low_padding(rank)?;
        let image = |axis: usize| {
            let positive = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
            if base[axis] != 1 {
                return Some(AxisImage::Gone);
            }
            let span = (positive(sizes[axis])? - 1).checked_mul(positive(dilations[axis])?)?.checked_add(1)?;
            Some(AxisImage::Window { axis, low: low[axis], stride: positive(strides[axis])?, span })
        };
        Some(Image::Axes((0..rank).map(image).collect::<Option<_>>()?))
    }

    /// The padding before index 0 of each dimension, from the attribute `padding`: pairs, as dense elements.
    fn low_padding(&self, rank: usize) -> Option<Vec<i64>> {
        let Some(attribute) = self.attribute("padding") else { return Some(vec![0; rank]) };
        let Attribute::Dense(dense) = attribute else { return None };
        let numbers = dense_integers(dense)?;
        match numbers.len() {
            1 => Some(vec![numbers[0]; rank]),
            length if length == 2 * rank => Some(numbers.chunks(2).map(|pair| pair[0]).collect()),
            _ => None,
        }
    }

    pub(super) fn sort(&self) -> Option<Image> {
        let dimension = usize::try_from(self.integer("dimension").unwrap_or(-1)).ok()?;
        let image = |axis| if axis == dimension { AxisImage::Gone } else { AxisImage::same(axis) };
        Some(Image::Axes((0..self.from.len()).map(image).collect()))
    }

    /// Result dimensions: batch, free of the left, free of the right.
    pub(super) fn dot_general(&self) -> Option<Image> {
        let sides = self.dot_sides()?;
        let mut axes = vec![AxisImage::Gone; self.from.len()];
        let own = &sides[self.operand];
        for (position, axis) in own.batch.iter().enumerate() {
            *axes.get_mut(*axis)? = AxisImage::same(position);
        }
        let first = own.batch.len() + if self.operand == 0 { 0 } else { sides[0].free.len() };
        for (position, axis) in own.free.iter().enumerate() {
            *axes.get_mut(*axis)? = AxisImage::same(first + position);
        }
        Some(Image::Axes(axes))
    }

    pub(super) fn dot_sides(&self) -> Option<[DotSide; 2]> {
        dot_sides(self.graph, self.operation)
    }

    /// Batch and feature dimensions, spatial ones mixed; grouped convolutions are not looked into.
    pub(super) fn convolution(&self) -> Option<Image> {
        if self.integer("batch_group_count").unwrap_or(1) != 1 || self.integer("feature_group_count").unwrap_or(1) != 1
        {
            return None;
        }
        let Attribute::Other(text) = self.attribute("dimension_numbers")? else { return None };
        // `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`
        let (inputs, output) = text.split_once("->")?;
        let (left, right) = inputs.split_once('x')?;
        let letters = |list: &str| -> Option<Vec<String>> {
            let inner = list.trim().strip_prefix('[')?.strip_suffix(']')?;
            Some(inner.split(',').map(|letter| letter.trim().to_string()).collect())
        };
        let (own, output) = (letters(if self.operand == 0 { left } else { right })?, letters(output)?);
        if own.len() != self.from.len() || output.len() != self.to.len() {
            return None;
        }
        let at = |letter: &str| output.iter().position(|candidate| candidate == letter);
        let image = |letter: &String| match (self.operand, letter.as_str()) {
            (0, "b") => Some(AxisImage::same(at("b")?)),
            (1, "o") => Some(AxisImage::same(at("f")?)),
            _ => Some(AxisImage::Gone),
        };
        Some(Image::Axes(own.iter().map(image).collect::<Option<_>>()?))
    }

    /// The last dimensions are mixed, those before are a batch.
    pub(super) fn last_dimensions_mixed(&self, mixed: usize) -> Option<Image> {
        let batch = self.from.len().checked_sub(mixed)?;
        if self.to.len() != self.from.len() || self.from[..batch] != self.to[..batch] {
            return None;
        }
        let image = |axis| if axis < batch { AxisImage::same(axis) } else { AxisImage::Gone };
        Some(Image::Axes((0..self.from.len()).map(image).collect()))
    }
}

/// The dimensions of one side of a `dot_general`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DotSide {
    /// Shared with the other side and the result.
    pub batch: Vec<usize>,
    /// Summed over.
    pub contracting: Vec<usize>,
    /// The others, in order.
    pub free: Vec<usize>,
}

/// Both sides of a `dot_general`.
pub fn dot_sides(graph: &TrainingGraph, operation: OperationId) -> Option<[DotSide; 2]> {
    let Some(Attribute::Dictionary(numbers)) = graph.attribute(operation, "dot_dimension_numbers") else { return None };
    let side = |operand: usize, batch: &str, contracting: &str| {
        let rank = extents(graph, *graph.operands(operation).get(operand)?)?.len();
        let batch = as_positions(Attribute::find(numbers, batch))?;
        let contracting = as_positions(Attribute::find(numbers, contracting))?;
        if batch.iter().chain(&contracting).any(|axis| *axis >= rank) {
            return None;
        }
        let free = (0..rank).filter(|axis| !batch.contains(axis) && !contracting.contains(axis)).collect();
        Some(DotSide { batch, contracting, free })
    };
    let left = side(0, "lhs_batching_dimensions", "lhs_contracting_dimensions")?;
    let right = side(1, "rhs_batching_dimensions", "rhs_contracting_dimensions")?;
    let fits = left.batch.len() == right.batch.len() && left.contracting.len() == right.contracting.len();
    fits.then_some([left, right])
}

/// The integers of a small dense attribute: a splat is one.
fn dense_integers(dense: &crate::graph::Dense) -> Option<Vec<i64>> {
    let crate::graph::Elements::Inline(text) = &dense.elements else { return None };
    let text: String = text.chars().filter(|letter| !matches!(letter, '[' | ']' | ' ')).collect();
    text.split(',').map(|number| number.parse().ok()).collect()
}
