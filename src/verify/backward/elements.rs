//! Sets of elements of a tensor: unions of a few blocks. A set may grow (that asks for more than is needed), never shrink.

/// For each dimension the elements `first..end`.
pub(super) type Block = Vec<(u64, u64)>;

/// A set of more blocks becomes the block around them.
const MOST_BLOCKS: usize = 48;

/// Elements of a tensor. What has no known shape counts as one element without dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Elements {
    blocks: Vec<Block>,
}

fn is_empty(block: &[(u64, u64)]) -> bool {
    block.iter().any(|(first, end)| first >= end)
}

fn covers(outer: &[(u64, u64)], inner: &[(u64, u64)]) -> bool {
    outer.len() == inner.len() && outer.iter().zip(inner).all(|(outer, inner)| outer.0 <= inner.0 && outer.1 >= inner.1)
}

pub(super) fn intersection(a: &[(u64, u64)], b: &[(u64, u64)]) -> Option<Block> {
    let both: Block = a.iter().zip(b).map(|(a, b)| (a.0.max(b.0), a.1.min(b.1))).collect();
    (a.len() == b.len() && !is_empty(&both)).then_some(both)
}

fn hull(a: &[(u64, u64)], b: &[(u64, u64)]) -> Block {
    a.iter().zip(b).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))).collect()
}

/// The union of two blocks, if it is a block.
fn joined(a: &[(u64, u64)], b: &[(u64, u64)]) -> Option<Block> {
    let mut different = a.iter().zip(b).filter(|(a, b)| a != b);
    match (different.next(), different.next()) {
        (Some((a_side, b_side)), None) => (a_side.0 <= b_side.1 && b_side.0 <= a_side.1).then(|| hull(a, b)),
        _ => None,
    }
}

impl Elements {
    pub fn whole(extents: &[u64]) -> Self {
        Elements::of_block(extents.iter().map(|extent| (0, *extent)).collect())
    }

    pub fn of_block(block: Block) -> Self {
        Elements::of_blocks([block])
    }

    pub fn of_blocks(blocks: impl IntoIterator<Item = Block>) -> Self {
        let mut elements = Elements::default();
        blocks.into_iter().for_each(|block| elements.insert(block));
        elements
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// For each dimension the index that all of them have.
    pub fn fixed(&self) -> Vec<Option<u64>> {
        let around = self.blocks.iter().cloned().reduce(|a, b| hull(&a, &b)).unwrap_or_default();
        around.iter().map(|(first, end)| (end - first == 1).then_some(*first)).collect()
    }

    pub fn insert(&mut self, block: Block) {
        if is_empty(&block) || self.blocks.iter().any(|known| covers(known, &block)) {
            return;
        }
        let mut block = block;
        loop {
            self.blocks.retain(|known| !covers(&block, known));
            let Some((position, union)) =
                self.blocks.iter().enumerate().find_map(|(position, known)| Some((position, joined(known, &block)?)))
            else {
                break;
            };
            self.blocks.remove(position);
            block = union;
        }
        self.blocks.push(block);
        if self.blocks.len() > MOST_BLOCKS {
            self.widen();
        }
    }

    /// The block around all.
    pub fn widen(&mut self) {
        if let Some((first, rest)) = self.blocks.split_first() {
            let around = rest.iter().fold(first.clone(), |around, block| hull(&around, block));
            self.blocks = vec![around];
        }
    }

    pub fn unite(&mut self, other: &Elements) {
        other.blocks.iter().for_each(|block| self.insert(block.clone()));
    }

    /// Whether all of the other are surely in it.
    pub fn contains(&self, other: &Elements) -> bool {
        other.blocks.iter().all(|block| self.blocks.iter().any(|known| covers(known, block)))
    }

    pub fn within(&self, other: &Elements) -> Elements {
        let pairs = self.blocks.iter().flat_map(|a| other.blocks.iter().filter_map(|b| intersection(a, b)));
        let mut both = Elements::of_blocks(pairs);
        if both.blocks.len() == 1 && !other.contains(&both) && !self.contains(&both) {
            // It was widened beyond both: then the smaller choice is the set itself.
            both = self.clone();
        }
        both
    }

    /// Without the elements of a block.
    pub fn without(&self, block: &[(u64, u64)]) -> Elements {
        let mut left = Elements::default();
        for known in &self.blocks {
            let Some(common) = intersection(known, block) else {
                left.insert(known.clone());
                continue;
            };
            let mut rest = known.clone();
            for dimension in 0..rest.len() {
                let (first, end) = rest[dimension];
                let mut below = rest.clone();
                below[dimension] = (first, common[dimension].0);
                left.insert(below);
                let mut above = rest.clone();
                above[dimension] = (common[dimension].1, end);
                left.insert(above);
                rest[dimension] = common[dimension];
            }
        }
        left
    }

    /// Each block by itself; none: nothing of it is left.
    pub fn map(&self, to: impl FnMut(&Block) -> Option<Block>) -> Elements {
        Elements::of_blocks(self.blocks.iter().filter_map(to))
    }

    /// The same elements in row-major order under another shape with as many elements.
    pub fn reshape(&self, from: &[u64], to: &[u64]) -> Elements {
        let mut result = Elements::default();
        if from.contains(&0) || to.contains(&0) {
            return result;
        }
        let groups = groups(from, to);
        for block in &self.blocks {
            // The blocks of each group, and then every combination of them.
            let mut partial: Vec<Block> = vec![Vec::new()];
            for (source, target) in &groups {
                let inside = reshape_group(&block[source.clone()], &from[source.clone()], &to[target.clone()]);
                let too_many = partial.len() * inside.blocks.len() > MOST_BLOCKS;
                let inside = if too_many { Elements::whole(&to[target.clone()]) } else { inside };
                let longer = |start: &Block, more: &Block| start.iter().chain(more).copied().collect::<Block>();
                partial = partial
                    .iter()
                    .flat_map(|start| inside.blocks.iter().map(move |more| longer(start, more)))
                    .collect();
            }
            partial.into_iter().for_each(|block| result.insert(block));
        }
        result
    }
}

/// Pairs of dimension ranges of two shapes that have equally many elements, as small as possible. No extent is 0.
pub(super) fn groups(from: &[u64], to: &[u64]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut groups = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < from.len() || b < to.len() {
        let (first_a, first_b) = (a, b);
        let (mut of_a, mut of_b) = (1u128, 1u128);
        // At least one dimension, then whichever side lags behind.
        loop {
            if of_a <= of_b && a < from.len() && (of_a < of_b || a == first_a) {
                of_a *= u128::from(from[a]);
                a += 1;
            } else if b < to.len() && (of_b < of_a || (a == from.len() && b == first_b)) {
                of_b *= u128::from(to[b]);
                b += 1;
            } else {
                break;
            }
        }
        // A dimension of one element on the other side belongs to the group before it.
        while of_a == of_b && b < to.len() && to[b] == 1 {
            b += 1;
        }
        groups.push((first_a..a, first_b..b));
    }
    groups
}

fn reshape_group(block: &[(u64, u64)], from: &[u64], to: &[u64]) -> Elements {
    if block.iter().zip(from).all(|((first, end), extent)| *first == 0 && end == extent) {
        return Elements::whole(to);
    }
    let mut result = Elements::default();
    match flat_runs(block, from) {
        Some(runs) => {
            for (first, end) in runs {
                blocks_of_run(first, end, to).into_iter().for_each(|block| result.insert(block));
            }
        }
        None => result = Elements::whole(to),
    }
    result
}

/// The runs of row-major positions that a block covers; none if they are too many.
fn flat_runs(block: &[(u64, u64)], extents: &[u64]) -> Option<Vec<(u64, u64)>> {
    let mut runs = vec![(0u64, 1u64)];
    for ((first, end), extent) in block.iter().zip(extents) {
        if (*first, *end) == (0, *extent) {
            runs.iter_mut().for_each(|run| *run = (run.0 * extent, run.1 * extent));
            continue;
        }
        let positions: u64 = runs.iter().map(|run| run.1 - run.0).sum();
        if positions > MOST_BLOCKS as u64 {
            return None;
        }
        let single = runs.iter().flat_map(|run| run.0..run.1);
        runs = single.map(|position| (position * extent + first, position * extent + end)).collect();
    }
    Some(runs)
}

/// A run of row-major positions as blocks: at most two for each dimension and one.
fn blocks_of_run(first: u64, end: u64, extents: &[u64]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open = vec![(Vec::new(), first, end)];
    while let Some((prefix, first, end)) = open.pop() {
        let depth: usize = Block::len(&prefix);
        if depth == extents.len() {
            blocks.push(prefix);
            continue;
        }
        let inner: u64 = extents[depth + 1..].iter().product();
        let full = |prefix: &Block, first: u64, end: u64| {
            let mut block = prefix.clone();
            block.push((first, end));
            block.extend(extents[depth + 1..].iter().map(|extent| (0, *extent)));
            block
        };
        let (low, high) = (first.div_ceil(inner), end / inner);
        if low <= high {
            if low < high {
                blocks.push(full(&prefix, low, high));
            }
            let mut part = |row: u64, first: u64, end: u64| {
                if first < end {
                    let mut prefix = prefix.clone();
                    prefix.push((row, row + 1));
                    open.push((prefix, first, end));
                }
            };
            if first < low * inner {
                part(low - 1, first - (low - 1) * inner, inner);
            }
            part(high, 0, end - high * inner);
        } else {
            // All in one row.
            let mut prefix = prefix;
            prefix.push((high, high + 1));
            open.push((prefix, first - high * inner, end - high * inner));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements of a set, row-major, by brute force.
    fn listed(elements: &Elements, extents: &[u64]) -> Vec<bool> {
        let count: u64 = extents.iter().product();
        let inside = |position: u64| {
            let mut rest = position;
            let mut index = vec![0; extents.len()];
            for dimension in (0..extents.len()).rev() {
                index[dimension] = rest % extents[dimension];
                rest /= extents[dimension];
            }
            elements.blocks().iter().any(|block| block.iter().zip(&index).all(|((a, b), i)| a <= i && i < b))
        };
        (0..count).map(inside).collect()
    }

    #[test]
    fn a_reshape_keeps_the_elements() {
        let shapes: &[(&[u64], &[u64])] = &[
            (&[24], &[2, 3, 4]),
            (&[2, 3, 4], &[24]),
            (&[4, 6], &[4, 2, 3]),
            (&[4, 6], &[8, 3]),
            (&[1, 24, 1], &[6, 1, 4]),
            (&[6, 4], &[4, 6]),
        ];
        for (from, to) in shapes {
            let mut blocks: Vec<Block> = vec![Vec::new()];
            for extent in *from {
                let sides = (0..*extent).flat_map(|first| (first + 1..=*extent).map(move |end| (first, end)));
                let sides: Vec<(u64, u64)> = sides.collect();
                blocks = blocks
                    .iter()
                    .flat_map(|block| sides.iter().map(move |side| [&block[..], &[*side]].concat()))
                    .collect();
            }
            for block in blocks {
                let elements = Elements::of_block(block);
                assert_eq!(listed(&elements, from), listed(&elements.reshape(from, to), to), "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn a_block_is_taken_out_exactly() {
        let whole = Elements::whole(&[3, 4]);
        let hole = vec![(1, 2), (1, 3)];
        let left = whole.without(&hole);
        let expected: Vec<bool> = listed(&Elements::of_block(hole), &[3, 4]).iter().map(|inside| !inside).collect();
        assert_eq!(listed(&left, &[3, 4]), expected);
        assert!(whole.contains(&left) && !left.contains(&whole));
    }

    #[test]
    fn too_many_blocks_become_the_block_around_them() {
        let points = (0..200).step_by(2).map(|first| vec![(first, first + 1)]);
        let elements = Elements::of_blocks(points);
        assert!(elements.blocks().len() <= MOST_BLOCKS);
        assert!((0..200).step_by(2).all(|first| elements.contains(&Elements::of_block(vec![(first, first + 1)]))));
    }
}
