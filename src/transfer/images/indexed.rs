//! Operations whose elements move by indices that are values.

use super::*;

/// More index vectors than this are not followed one by one.
const MOST_INDEX_VECTORS: usize = 1024;

impl Context<'_> {
    /// The start of a dynamic slice in one dimension, clamped as the specification says, if it is known.
    fn clamped_start(&self, first_index: usize, axis: usize, extent: u64, size: u64) -> Option<i64> {
        let room = i64::try_from(extent.checked_sub(size)?).ok()?;
        if room == 0 {
            return Some(0); // whatever the index says
        }
        Some((*(self.known)(first_index + axis)?.first()?).clamp(0, room))
    }

    pub(super) fn dynamic_slice(&self) -> Option<Image> {
        if self.operand > 0 {
            let axis = self.operand - 1;
            let whole = self.operand_extents(0)?;
            return Some(self.start_image(whole.get(axis) == self.to.get(axis)));
        }
        let image = |axis: usize| match self.clamped_start(1, axis, self.from[axis], self.to[axis]) {
            Some(start) => AxisImage::Picked { axis, start, step: 1 },
            None => AxisImage::Gone,
        };
        Some(Image::Axes((0..self.from.len()).map(image).collect()))
    }

    pub(super) fn dynamic_update_slice(&self) -> Option<Image> {
        let update = self.operand_extents(1)?;
        let start = |axis: usize| self.clamped_start(2, axis, self.to[axis], update[axis]);
        match self.operand {
            0 => {
                let window: Option<Vec<Intervals>> = (0..self.to.len())
                    .map(|axis| Some(Intervals::range(start(axis)? as u64, start(axis)? as u64 + update[axis])))
                    .collect();
                // precision: what is surely overwritten keeps nothing of what was there.
                window.map(Image::Outside).or_else(|| self.element_by_element())
            }
            1 => {
                let image = |axis: usize| match start(axis) {
                    Some(low) => AxisImage::Placed { axis, low, step: 1 },
                    None => AxisImage::Gone,
                };
                Some(Image::Axes((0..self.to.len()).map(image).collect()))
            }
            _ => Some(self.start_image(self.to.get(self.operand - 2) == update.get(self.operand - 2))),
        }
    }

    /// A start moves a window; not one that spans the whole dimension.
    fn start_image(&self, spans_all: bool) -> Image {
        if spans_all { Image::Nothing } else { Image::Axes(vec![AxisImage::Gone; self.from.len()]) }
    }

    pub(super) fn gather(&self) -> Option<Image> {
        let numbers = |name: &str| self.numbers_of("dimension_numbers", name);
        let offset = numbers("offset_dims")?;
        let collapsed = numbers("collapsed_slice_dims")?;
        let operand_batch = numbers("operand_batching_dims")?;
        let index_batch = numbers("start_indices_batching_dims")?;
        let index_map = numbers("start_index_map")?;
        let vector_axis = self.vector_axis("dimension_numbers")?;
        let operand = self.operand_extents(0)?;
        let indices = self.operand_extents(1)?;
        let sizes: Vec<u64> = self
            .per_dimension("slice_sizes", 1, operand.len())?
            .into_iter()
            .map(|size| u64::try_from(size).ok())
            .collect::<Option<_>>()?;
        let layout = Layout {
            window: offset,
            inserted: collapsed,
            operand_batch,
            index_batch,
            index_map,
            vector_axis,
            operand,
            indices,
            windowed: self.to.clone(),
        };
        let window_axes = layout.window_axes()?;
        if self.operand == 1 {
            return Some(Image::Axes(layout.index_axes()?));
        }
        if let Some(pieces) = self.known_starts(&layout, 1, &sizes, true) {
            let piece = |(batch, starts): (Vec<u64>, Vec<i64>)| {
                let taken = starts.iter().zip(&sizes).map(|(s, size)| Intervals::range(*s as u64, *s as u64 + size));
                let axes = (0..starts.len()).map(|axis| match window_axes[axis] {
                    Some(result) => AxisImage::Picked { axis: result, start: starts[axis], step: 1 },
                    None => AxisImage::Gone,
                });
                Piece { taken: taken.collect(), axes: axes.collect(), given: layout.at_batch(&batch, &self.to) }
            };
            return Some(Image::Pieces(pieces.into_iter().map(piece).collect()));
        }
        let image = |axis: usize| {
            if let Some(position) = layout.operand_batch.iter().position(|batch| *batch == axis) {
                return Some(AxisImage::same(layout.result_of_index_axis(*layout.index_batch.get(position)?)?));
            }
            match window_axes[axis] {
                // An index along a whole dimension is clamped to 0.
                Some(result) if !layout.index_map.contains(&axis) || sizes[axis] == layout.operand[axis] => {
                    Some(AxisImage::Picked { axis: result, start: 0, step: 1 })
                }
                _ => Some(AxisImage::Gone),
            }
        };
        Some(Image::Axes((0..layout.operand.len()).map(image).collect::<Option<_>>()?))
    }

    pub(super) fn scatter(&self) -> Option<Image> {
        let inputs = self.graph.results(self.operation).len();
        if self.operand < inputs {
            return self.scatter_input(inputs);
        }
        let layout = self.scatter_layout(inputs)?;
        let window_axes = layout.window_axes()?;
        if self.operand == inputs {
            // An index moves a window somewhere along the dimensions that it indexes; batches stay.
            let mut axes = vec![AxisImage::Gone; self.from.len()];
            for (operand, index) in layout.operand_batch.iter().zip(&layout.index_batch) {
                *axes.get_mut(*index)? = AxisImage::same(*operand);
            }
            return Some(Image::Axes(axes));
        }
        let sizes = layout.update_sizes(&self.from)?;
        if let Some(pieces) = self.known_starts(&layout, inputs, &sizes, false) {
            let piece = |(batch, starts): (Vec<u64>, Vec<i64>)| {
                let mut axes = vec![AxisImage::Gone; self.from.len()];
                for (axis, update) in window_axes.iter().enumerate() {
                    if let Some(update) = update {
                        axes[*update] = AxisImage::Placed { axis, low: starts[axis], step: 1 };
                    }
                }
                let given = (0..starts.len()).map(|axis| within(starts[axis], sizes[axis], self.to[axis]));
                Piece { taken: layout.at_batch(&batch, &self.from), axes, given: given.collect() }
            };
            return Some(Image::Pieces(pieces.into_iter().map(piece).collect()));
        }
        let mut axes = vec![AxisImage::Gone; self.from.len()];
        for (axis, update) in window_axes.iter().enumerate() {
            if let Some(update) = update
                && !layout.index_map.contains(&axis)
            {
                axes[*update] = AxisImage::same(axis);
            }
        }
        for (operand, index) in layout.operand_batch.iter().zip(&layout.index_batch) {
            *axes.get_mut(layout.result_of_index_axis(*index)?)? = AxisImage::same(*operand);
        }
        Some(Image::Axes(axes))
    }

    /// What was there stays, except where one known window is surely overwritten.
    fn scatter_input(&self, inputs: usize) -> Option<Image> {
        let overwritten = || {
            // With several inputs the body may put what was there in one into the result of another.
            if inputs != 1 {
                return None;
            }
            let [body] = self.graph.regions_of(self.operation) else { return None };
            let update = self.graph.arguments(*body).get(inputs + self.operand)?;
            if self.graph.yields(*body).get(self.operand) != Some(&update) {
                return None;
            }
            let layout = self.scatter_layout(inputs)?;
            let sizes = layout.update_sizes(&self.operand_extents(inputs + 1 + self.operand)?)?;
            match &self.known_starts(&layout, inputs, &sizes, false)?[..] {
                [(_, starts)] => {
                    let window: Vec<Intervals> =
                        (0..starts.len()).map(|axis| within(starts[axis], sizes[axis], self.to[axis])).collect();
                    // What hangs over the edge may be skipped as a whole.
                    window.iter().zip(&sizes).all(|(set, size)| set.count() == *size).then_some(window)
                }
                _ => None,
            }
        };
        // precision: what is surely overwritten keeps nothing of what was there.
        overwritten().map(Image::Outside).or_else(|| self.element_by_element())
    }

    fn scatter_layout(&self, inputs: usize) -> Option<Layout> {
        let numbers = |name: &str| self.numbers_of("scatter_dimension_numbers", name);
        Some(Layout {
            window: numbers("update_window_dims")?,
            inserted: numbers("inserted_window_dims")?,
            operand_batch: numbers("input_batching_dims")?,
            index_batch: numbers("scatter_indices_batching_dims")?,
            index_map: numbers("scatter_dims_to_operand_dims")?,
            vector_axis: self.vector_axis("scatter_dimension_numbers")?,
            operand: self.operand_extents(0)?,
            indices: self.operand_extents(inputs)?,
            windowed: self.operand_extents(inputs + 1)?,
        })
    }

    /// The dimension of the indices that holds index vectors; MLIR does not print 0.
    fn vector_axis(&self, dictionary: &str) -> Option<usize> {
        let Attribute::Dictionary(entries) = self.attribute(dictionary)? else { return None };
        match Attribute::find(entries, "index_vector_dim") {
            None => Some(0),
            Some(axis) => usize::try_from(axis.as_integer()?).ok(),
        }
    }

    /// For each position in the batch of the indices the start of the window, if all indices are known. A gather
    /// clamps windows into the operand. A scatter skips what does not fit: element by element as the specification says,
    /// the whole window as XLA does; here windows that lie outside altogether are left out.
    fn known_starts(
        &self,
        layout: &Layout,
        indices: usize,
        sizes: &[u64],
        clamp: bool,
    ) -> Option<Vec<(Vec<u64>, Vec<i64>)>> {
        let batch: Vec<u64> = layout.batch_axes().map(|axis| layout.indices[axis]).collect();
        let count = usize::try_from(batch.iter().product::<u64>()).ok()?;
        if count > MOST_INDEX_VECTORS {
            return None;
        }
        let numbers = (self.known)(indices)?;
        let mut found = Vec::new();
        let strides = row_major_strides(&layout.indices);
        for position in 0..count {
            let at = unravel(position as u64, &batch);
            let mut starts = vec![0i64; layout.operand.len()];
            let mut base = 0;
            for (axis, index) in layout.batch_axes().zip(&at) {
                base += index * strides[axis];
            }
            for (component, axis) in layout.index_map.iter().enumerate() {
                let step = strides.get(layout.vector_axis).copied().unwrap_or(0);
                let number = *numbers.get(usize::try_from(base + component as u64 * step).ok()?)?;
                *starts.get_mut(*axis)? = number;
            }
            for (axis, index_axis) in layout.operand_batch.iter().zip(&layout.index_batch) {
                let position = layout.batch_axes().position(|batch| batch == *index_axis)?;
                *starts.get_mut(*axis)? = i64::try_from(at[position]).ok()?;
            }
            let mut meets = true;
            for (axis, start) in starts.iter_mut().enumerate() {
                let room = i64::try_from(layout.operand[axis].checked_sub(sizes[axis])?).ok()?;
                if clamp {
                    *start = (*start).clamp(0, room);
                }
                meets &= !within(*start, sizes[axis], layout.operand[axis]).is_empty();
            }
            if meets || clamp {
                found.push((at, starts));
            }
        }
        Some(found)
    }
}

/// How windows of an operand, indices and a tensor of windows (a gather's result, a scatter's updates) fit together.
struct Layout {
    /// Dimensions of the tensor of windows that lie within a window.
    window: Vec<usize>,
    /// Dimensions of the operand that a window has only one index of, and does not show.
    inserted: Vec<usize>,
    operand_batch: Vec<usize>,
    index_batch: Vec<usize>,
    index_map: Vec<usize>,
    vector_axis: usize,
    operand: Vec<u64>,
    indices: Vec<u64>,
    windowed: Vec<u64>,
}

impl Layout {
    /// For each dimension of the operand the one of the tensor of windows that shows it.
    fn window_axes(&self) -> Option<Vec<Option<usize>>> {
        let mut shown = self.window.iter();
        let axis = |axis: usize| match self.inserted.contains(&axis) || self.operand_batch.contains(&axis) {
            true => Some(None),
            false => shown.next().map(|window| Some(*window)),
        };
        let axes: Option<Vec<Option<usize>>> = (0..self.operand.len()).map(axis).collect();
        axes.filter(|axes| axes.iter().flatten().all(|window| *window < self.windowed.len()))
    }

    /// The dimensions of the indices other than that of index vectors.
    fn batch_axes(&self) -> impl Iterator<Item = usize> {
        (0..self.indices.len()).filter(|axis| *axis != self.vector_axis)
    }

    /// The dimension of the tensor of windows that runs over a dimension of the indices.
    fn result_of_index_axis(&self, axis: usize) -> Option<usize> {
        let position = self.batch_axes().position(|batch| batch == axis)?;
        (0..self.windowed.len()).filter(|result| !self.window.contains(result)).nth(position)
    }

    /// From the indices to the tensor of windows.
    fn index_axes(&self) -> Option<Vec<AxisImage>> {
        let axis = |axis: usize| match axis == self.vector_axis {
            true => Some(AxisImage::Gone),
            false => Some(AxisImage::same(self.result_of_index_axis(axis)?)),
        };
        (0..self.indices.len()).map(axis).collect()
    }

    /// The window of the tensor of windows that belongs to one position of the batch.
    fn at_batch(&self, batch: &[u64], extents: &[u64]) -> Vec<Intervals> {
        let mut position = batch.iter();
        let range = |(axis, extent): (usize, &u64)| match self.window.contains(&axis) {
            true => Intervals::full(*extent),
            false => position.next().map_or(Intervals::full(*extent), |at| Intervals::range(*at, at + 1)),
        };
        extents.iter().enumerate().map(range).collect()
    }

    /// The size of a window in each dimension of the operand, from the extents of the updates.
    fn update_sizes(&self, updates: &[u64]) -> Option<Vec<u64>> {
        let axes = self.window_axes()?;
        Some(axes.iter().map(|axis| axis.map_or(1, |axis| updates[axis])).collect())
    }
}

/// The indices of a window from `start` on that are there at all.
fn within(start: i64, size: u64, extent: u64) -> Intervals {
    let cut = |position: i128| position.clamp(0, i128::from(extent)) as u64;
    Intervals::range(cut(i128::from(start)), cut(i128::from(start) + i128::from(size)))
}

fn row_major_strides(extents: &[u64]) -> Vec<u64> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis];
    }
    strides
}

fn unravel(mut position: u64, extents: &[u64]) -> Vec<u64> {
    let mut index = vec![0; extents.len()];
    for axis in (0..extents.len()).rev() {
        index[axis] = position % extents[axis];
        position /= extents[axis];
    }
    index
}
