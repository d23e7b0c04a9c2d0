//! Sets of elements of a tensor: unions of boxes.

use super::affine::factor_groups;
use super::intervals::Intervals;

/// More boxes than this become their hull.
const MOST_BOXES: usize = 48;

/// A product of index sets, one for each dimension; none of them empty.
type Cell = Box<[Intervals]>;

/// A set of elements of one tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Elements {
    /// Every element, whatever the shape is.
    All,
    /// The union of these boxes; none: no element.
    Boxes(Vec<Cell>),
}

/// Where the elements along one dimension of an operand arrive in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisImage {
    /// At `low + step * index` along a dimension of the result: identity, padding, concatenation.
    Placed {
        /// Dimension of the result.
        axis: usize,
        /// Where index 0 arrives; it may lie outside.
        low: i64,
        /// At least 1.
        step: u64,
    },
    /// The result takes `start + step * index`: slices, and reversal with step -1.
    Picked {
        /// Dimension of the result.
        axis: usize,
        /// What index 0 of the result takes.
        start: i64,
        /// Not 0.
        step: i64,
    },
    /// The result at `r` takes `r * stride - low` and what follows in a window of `span` indices.
    Window {
        /// Dimension of the result.
        axis: usize,
        /// Indices of padding before index 0.
        low: i64,
        /// How far the window moves.
        stride: u64,
        /// How many indices of the operand the window spans.
        span: u64,
    },
    /// Whatever the index: the dimension is summed over, contracted, or indexed by something unknown.
    Gone,
}

impl AxisImage {
    /// The same index along a dimension of the result.
    pub fn same(axis: usize) -> Self {
        AxisImage::Placed { axis, low: 0, step: 1 }
    }
}

impl Elements {
    /// No element.
    pub fn none() -> Self {
        Elements::Boxes(Vec::new())
    }

    /// One box.
    pub fn cell(intervals: impl IntoIterator<Item = Intervals>) -> Self {
        let cell: Cell = intervals.into_iter().collect();
        match cell.iter().any(Intervals::is_empty) {
            true => Elements::none(),
            false => Elements::Boxes(vec![cell]),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Elements::Boxes(cells) if cells.is_empty())
    }

    /// The same set, as [`Elements::All`] if one box is everything.
    pub fn normalised(self, extents: &[u64]) -> Self {
        match &self {
            Elements::Boxes(cells) if cells.iter().any(|cell| is_everything(cell, extents)) => Elements::All,
            _ => self,
        }
    }

    /// The boxes, for a tensor of these extents.
    pub fn cells(&self, extents: &[u64]) -> Vec<Cell> {
        match self {
            Elements::All if extents.contains(&0) => Vec::new(),
            Elements::All => vec![extents.iter().map(|extent| Intervals::full(*extent)).collect()],
            Elements::Boxes(cells) => cells.clone(),
        }
    }

    /// At most how many elements there are.
    pub fn count(&self, extents: &[u64]) -> u64 {
        let volume = |cell: &Cell| cell.iter().fold(1u64, |product, set| product.saturating_mul(set.count()));
        let sum = self.cells(extents).iter().map(volume).fold(0u64, u64::saturating_add);
        sum.min(extents.iter().fold(1u64, |product, extent| product.saturating_mul(*extent)))
    }

    /// Whether the other has no element that this lacks. May say no where that is hard to see.
    pub fn contains(&self, other: &Elements) -> bool {
        match (self, other) {
            (Elements::All, _) => true,
            (Elements::Boxes(_), Elements::All) => false,
            (Elements::Boxes(own), Elements::Boxes(others)) => {
                others.iter().all(|cell| own.iter().any(|candidate| cell_contains(candidate, cell)))
            }
        }
    }

    /// Adds the elements of the other.
    pub fn join(&mut self, other: &Elements) {
        match (&mut *self, other) {
            (Elements::All, _) => {}
            (_, Elements::All) => *self = Elements::All,
            (Elements::Boxes(own), Elements::Boxes(others)) => {
                others.iter().for_each(|cell| push(own, cell.clone()));
            }
        }
    }

    /// The elements in both.
    pub fn intersection(&self, other: &Elements) -> Elements {
        match (self, other) {
            (Elements::All, rest) | (rest, Elements::All) => rest.clone(),
            (Elements::Boxes(own), Elements::Boxes(others)) => {
                let mut both = Vec::new();
                for left in own {
                    for right in others {
                        let cell: Cell = left.iter().zip(right).map(|(a, b)| a.intersection(b)).collect();
                        if !cell.iter().any(Intervals::is_empty) {
                            push(&mut both, cell);
                        }
                    }
                }
                Elements::Boxes(both)
            }
        }
    }

    /// This without one box: what is left where that box is overwritten.
    pub fn without(&self, window: &[Intervals], extents: &[u64]) -> Elements {
        let mut rest = Vec::new();
        for cell in self.cells(extents) {
            // Peel off, dimension by dimension, what lies outside of the window.
            let mut inside: Vec<Intervals> = cell.to_vec();
            for dimension in 0..extents.len() {
                let outside = inside[dimension].intersection(&window[dimension].complement(extents[dimension]));
                if !outside.is_empty() {
                    let mut piece = inside.clone();
                    piece[dimension] = outside;
                    push(&mut rest, piece.into());
                }
                inside[dimension] = inside[dimension].intersection(&window[dimension]);
                if inside[dimension].is_empty() {
                    break;
                }
            }
        }
        Elements::Boxes(rest)
    }

    /// Where the elements of an operand arrive. Dimensions of the result that no image names are full.
    pub fn image(&self, images: &[AxisImage], from: &[u64], to: &[u64]) -> Elements {
        if let Elements::All = self
            && images.iter().all(|image| matches!(image, AxisImage::Placed { low: 0, step: 1, .. }))
            && images.iter().enumerate().all(
                |(axis, image)| matches!(image, AxisImage::Placed { axis: result, .. } if from[axis] == to[*result]),
            )
        {
            return Elements::All;
        }
        let mut arrived = Vec::new();
        for cell in self.cells(from) {
            let mut target: Vec<Intervals> = to.iter().map(|extent| Intervals::full(*extent)).collect();
            for (set, image) in cell.iter().zip(images) {
                let (axis, there) = match *image {
                    AxisImage::Gone => continue,
                    AxisImage::Placed { axis, low, step } => (axis, set.placed(low, step, to[axis])),
                    AxisImage::Picked { axis, start, step } => (axis, set.picked(start, step, to[axis])),
                    AxisImage::Window { axis, low, stride, span } => (axis, windows(set, low, stride, span, to[axis])),
                };
                target[axis] = target[axis].intersection(&there);
            }
            if !target.iter().any(Intervals::is_empty) {
                push(&mut arrived, target.into());
            }
        }
        Elements::Boxes(arrived).normalised(to)
    }

    /// The same elements under other extents, in row-major order.
    pub fn reshaped(&self, from: &[u64], to: &[u64]) -> Elements {
        let Elements::Boxes(cells) = self else { return Elements::All };
        if from.contains(&0) || to.contains(&0) {
            return Elements::none();
        }
        let groups = factor_groups(from, to);
        let mut arrived = Vec::new();
        for cell in cells {
            // A product over the groups of what each group's part becomes.
            let mut partial: Vec<Vec<Intervals>> = vec![Vec::new()];
            for group in &groups {
                let parts = reshape_group(&cell[group.from.clone()], &from[group.from.clone()], &to[group.to.clone()]);
                let mut next = Vec::with_capacity(partial.len() * parts.len());
                for left in &partial {
                    for part in &parts {
                        next.push(left.iter().chain(part.iter()).cloned().collect());
                    }
                }
                if next.len() > MOST_BOXES {
                    next = vec![hull_of(&next)];
                }
                partial = next;
            }
            partial.into_iter().for_each(|cell| push(&mut arrived, cell.into()));
        }
        Elements::Boxes(arrived).normalised(to)
    }
}

/// Which results have a window that meets the set.
fn windows(set: &Intervals, low: i64, stride: u64, span: u64, extent: u64) -> Intervals {
    let stride = i128::from(stride.max(1));
    let met = set.as_slice().iter().map(|&(start, end)| {
        // r * stride - low <= end - 1 and r * stride - low + span - 1 >= start
        let first = i128::from(start) + i128::from(low) - i128::from(span) + 1;
        let last = i128::from(end) - 1 + i128::from(low);
        let from = first.div_euclid(stride) + i128::from(first.rem_euclid(stride) != 0);
        let to = last.div_euclid(stride) + 1;
        let clip = |position: i128| position.clamp(0, i128::from(extent)) as u64;
        (clip(from), clip(to))
    });
    Intervals::union_of(met.collect())
}

fn is_everything(cell: &[Intervals], extents: &[u64]) -> bool {
    cell.iter().zip(extents).all(|(set, extent)| set.is_full(*extent))
}

fn cell_contains(cell: &[Intervals], other: &[Intervals]) -> bool {
    cell.iter().zip(other).all(|(own, other)| own.contains(other))
}

/// Adds a box: what is covered goes, and boxes that differ along one dimension become one.
fn push(cells: &mut Vec<Cell>, mut cell: Cell) {
    if cells.iter().any(|known| cell_contains(known, &cell)) {
        return;
    }
    loop {
        cells.retain(|known| !cell_contains(&cell, known));
        let differs_once = |known: &Cell| known.iter().zip(&cell).filter(|(a, b)| a != b).count() == 1;
        let Some(position) = cells.iter().position(differs_once) else { break };
        let known = cells.swap_remove(position);
        cell = known.iter().zip(&cell).map(|(a, b)| a.union(b)).collect();
    }
    cells.push(cell);
    if cells.len() > MOST_BOXES {
        let hull = hull_of(cells);
        *cells = vec![hull.into()];
    } else {
        cells.sort_unstable();
    }
}

/// The smallest box of ranges around all boxes. There is at least one.
fn hull_of(cells: &[impl AsRef<[Intervals]>]) -> Vec<Intervals> {
    let mut hull: Vec<Intervals> = cells[0].as_ref().to_vec();
    for cell in cells {
        for (around, set) in hull.iter_mut().zip(cell.as_ref()) {
            *around = around.union(set);
        }
    }
    hull
}

/// One group of dimensions: to flat positions within the group, and from there to boxes.
fn reshape_group(cell: &[Intervals], from: &[u64], to: &[u64]) -> Vec<Vec<Intervals>> {
    let wide = |extents: &[u64]| extents.iter().filter(|extent| **extent != 1).count();
    if is_everything(cell, from) {
        return vec![to.iter().map(|extent| Intervals::full(*extent)).collect()];
    }
    if wide(from) == 1 && wide(to) == 1 {
        let set = cell.iter().zip(from).find(|(_, extent)| **extent != 1).map(|(set, _)| set);
        let single = |extent: &u64| match (*extent, set) {
            (1, _) | (_, None) => Intervals::full(*extent),
            (_, Some(set)) => set.clone(),
        };
        return vec![to.iter().map(single).collect()];
    }
    let flat = flatten(cell, from);
    let mut cells: Vec<Cell> = Vec::new();
    for &(start, end) in flat.as_slice() {
        unflatten(start, end, to, &mut cells);
    }
    cells.into_iter().map(|cell| cell.to_vec()).collect()
}

/// The flat positions of a box.
fn flatten(cell: &[Intervals], extents: &[u64]) -> Intervals {
    let mut flat = Intervals::range(0, 1);
    let mut size = 1u64;
    for (set, extent) in cell.iter().zip(extents).rev() {
        if flat.is_full(size) {
            let scaled = set.as_slice().iter().map(|(start, end)| (start * size, end * size)).collect();
            flat = Intervals::union_of(scaled);
        } else if set.count().saturating_mul(flat.as_slice().len() as u64) <= 4096 {
            let rows = set.as_slice().iter().flat_map(|(start, end)| *start..*end);
            let runs = rows.flat_map(|row| flat.as_slice().iter().map(move |(a, b)| (row * size + a, row * size + b)));
            flat = Intervals::union_of(runs.collect());
        } else {
            let (set, inner) = (set.hull(), flat.hull());
            let ends = (set.as_slice().first(), inner.as_slice().first());
            if let (Some((first, last)), Some((a, b))) = ends {
                flat = Intervals::range(first * size + a, (last - 1) * size + b);
            }
        }
        size = size.saturating_mul(*extent);
    }
    flat
}

/// The boxes of a run of flat positions.
fn unflatten(start: u64, end: u64, extents: &[u64], cells: &mut Vec<Cell>) {
    let Some((first, rest)) = extents.split_first() else {
        cells.push(Box::new([]));
        return;
    };
    let size: u64 = rest.iter().product();
    let mut add = |rows: (u64, u64), from: u64, to: u64| {
        let mut inner = Vec::new();
        unflatten(from, to, rest, &mut inner);
        for cell in inner {
            let row = std::iter::once(Intervals::range(rows.0, rows.1));
            push(cells, row.chain(cell.iter().cloned()).collect());
        }
    };
    debug_assert!(end <= first.saturating_mul(size));
    let (first_row, last_row) = (start / size, (end - 1) / size);
    if first_row == last_row {
        add((first_row, first_row + 1), start - first_row * size, end - first_row * size);
        return;
    }
    let head = start % size;
    let tail = end % size;
    if head > 0 {
        add((first_row, first_row + 1), head, size);
    }
    let full = (first_row + u64::from(head > 0), last_row + u64::from(tail == 0));
    if full.0 < full.1 {
        add(full, 0, size);
    }
    if tail > 0 {
        add((last_row, last_row + 1), 0, tail);
    }
}
