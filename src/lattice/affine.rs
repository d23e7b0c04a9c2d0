//! Affine maps from the index of an element to a position in another tensor, in row-major order.

/// `offset + sum of stride[d] * index[d]`: where the element at an index stands in a flat array.
///
/// Broadcasting, transposing, slicing, reversing and (where strides fit) reshaping a tensor are all changes of
/// such a map; the flat array stays. Along a dimension of extent 1 the stride is always 0, so equal maps are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Affine {
    /// The position of the element at index 0.
    pub offset: i64,
    /// One for each dimension.
    pub strides: Box<[i64]>,
}

impl Affine {
    /// Each element of a tensor of these extents to its own position.
    pub fn identity(extents: &[u64]) -> Self {
        let mut strides = vec![0i64; extents.len()];
        let mut stride = 1i64;
        for (dimension, extent) in extents.iter().enumerate().rev() {
            strides[dimension] = if *extent == 1 { 0 } else { stride };
            stride = stride.saturating_mul(*extent as i64);
        }
        Affine { offset: 0, strides: strides.into() }
    }

    /// Every element of a tensor of this rank to one position.
    pub fn constant(offset: i64, rank: usize) -> Self {
        Affine { offset, strides: vec![0; rank].into() }
    }

    /// Whether all elements have one position.
    pub fn is_constant(&self) -> bool {
        self.strides.iter().all(|stride| *stride == 0)
    }

    /// The position of an element.
    pub fn at(&self, index: &[u64]) -> i64 {
        let steps = self.strides.iter().zip(index).map(|(stride, index)| stride.wrapping_mul(*index as i64));
        steps.fold(self.offset, i64::wrapping_add)
    }

    /// The map of a tensor whose dimension `result` is this one's dimension `axes[result]` from `start` on in steps, or
    /// a new one. A dimension that is in no axis must not matter: its stride is 0 or its extent 1, else [`None`].
    pub fn rearranged(&self, axes: &[Option<Pick>], extents: &[u64]) -> Option<Affine> {
        let mut used = vec![false; self.strides.len()];
        let mut offset = self.offset;
        let mut strides = vec![0i64; axes.len()];
        for (result, pick) in axes.iter().enumerate() {
            let Some(pick) = pick else { continue };
            let stride = self.strides[pick.axis];
            used[pick.axis] = true;
            offset = offset.checked_add(stride.checked_mul(pick.start)?)?;
            strides[result] = if extents[result] == 1 { 0 } else { stride.checked_mul(pick.step)? };
        }
        let matters = |(stride, used): (&i64, &bool)| *stride != 0 && !used;
        if self.strides.iter().zip(&used).any(matters) {
            return None;
        }
        Some(Affine { offset, strides: strides.into() })
    }

    /// The map of the same elements under other extents, in row-major order; [`None`] if strides do not fit.
    pub fn reshaped(&self, from: &[u64], to: &[u64]) -> Option<Affine> {
        if from.contains(&0) || to.contains(&0) {
            return None;
        }
        let mut strides = vec![0i64; to.len()];
        for group in factor_groups(from, to) {
            // Innermost stride of the group, and whether the whole group is one run of it.
            let mut run: Option<(i64, u64)> = None;
            for dimension in group.from.clone().rev().filter(|dimension| from[*dimension] != 1) {
                let (stride, extent) = (self.strides[dimension], from[dimension]);
                match run {
                    None => run = Some((stride, extent)),
                    Some((inner, length)) => {
                        if stride != inner.checked_mul(i64::try_from(length).ok()?)? {
                            return None;
                        }
                        run = Some((inner, length.checked_mul(extent)?));
                    }
                }
            }
            let mut stride = run.map_or(0, |(inner, _)| inner);
            for dimension in group.to.clone().rev() {
                strides[dimension] = if to[dimension] == 1 { 0 } else { stride };
                stride = stride.checked_mul(i64::try_from(to[dimension]).ok()?)?;
            }
        }
        Some(Affine { offset: self.offset, strides: strides.into() })
    }
}

/// How a dimension is picked from another tensor's: the element at `i` is that at `start + step * i` along `axis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The dimension of the other tensor.
    pub axis: usize,
    /// Its first index.
    pub start: i64,
    /// The step.
    pub step: i64,
}

impl Pick {
    /// The whole dimension.
    pub fn whole(axis: usize) -> Self {
        Pick { axis, start: 0, step: 1 }
    }
}

/// Neighbouring dimensions of one shape that hold the same elements as neighbouring dimensions of another.
#[derive(Clone, Debug)]
pub(super) struct FactorGroup {
    pub from: std::ops::Range<usize>,
    pub to: std::ops::Range<usize>,
}

/// The finest groups of two shapes with equally many elements, none of them 0.
pub(super) fn factor_groups(from: &[u64], to: &[u64]) -> Vec<FactorGroup> {
    let mut groups = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (first_from, first_to) = (i, j);
        let (mut left, mut right) = (1u128, 1u128);
        loop {
            if left == right && (i > first_from || j > first_to) && (left > 1 || i == from.len() || j == to.len()) {
                break;
            }
            if left <= right && i < from.len() {
                left = left.saturating_mul(u128::from(from[i]));
                i += 1;
            } else if j < to.len() {
                right = right.saturating_mul(u128::from(to[j]));
                j += 1;
            } else if i < from.len() {
                left = left.saturating_mul(u128::from(from[i]));
                i += 1;
            } else {
                break;
            }
        }
        // Extents of 1 that follow belong here, so that no group is made of them alone.
        while i < from.len() && from[i] == 1 {
            i += 1;
        }
        while j < to.len() && to[j] == 1 {
            j += 1;
        }
        groups.push(FactorGroup { from: first_from..i, to: first_to..j });
    }
    groups
}
