//! Sets of indices along one dimension.

/// More intervals than this become their hull.
const MOST_INTERVALS: usize = 128;

/// A set of indices: half-open intervals, sorted, with gaps between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Intervals(Vec<(u64, u64)>);

impl Intervals {
    /// Every index below the extent.
    pub fn full(extent: u64) -> Self {
        Intervals::range(0, extent)
    }

    /// `start..end`.
    pub fn range(start: u64, end: u64) -> Self {
        Intervals(if start < end { vec![(start, end)] } else { Vec::new() })
    }

    /// The union of these intervals, in any order.
    pub fn union_of(mut intervals: Vec<(u64, u64)>) -> Self {
        intervals.retain(|(start, end)| start < end);
        intervals.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
        for (start, end) in intervals {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        if joined.len() > MOST_INTERVALS {
            joined = vec![(joined[0].0, joined[joined.len() - 1].1)];
        }
        Intervals(joined)
    }

    /// The intervals, in order.
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Whether there is no index.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every index below the extent is in it.
    pub fn is_full(&self, extent: u64) -> bool {
        extent == 0 || self.0.first().is_some_and(|(start, end)| *start == 0 && *end >= extent)
    }

    /// How many indices there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether every index of the other is in this.
    pub fn contains(&self, other: &Intervals) -> bool {
        let mut own = self.0.iter().peekable();
        other.0.iter().all(|(start, end)| {
            while own.next_if(|(_, stop)| stop <= start).is_some() {}
            own.peek().is_some_and(|(first, stop)| first <= start && end <= stop)
        })
    }

    /// The indices in either.
    pub fn union(&self, other: &Intervals) -> Intervals {
        Intervals::union_of(self.0.iter().chain(&other.0).copied().collect())
    }

    /// The indices in both.
    pub fn intersection(&self, other: &Intervals) -> Intervals {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) < b.min(d) {
                both.push((a.max(c), b.min(d)));
            }
            if b <= d {
                left.next()
            } else {
                right.next()
            };
        }
        Intervals(both)
    }

    /// The indices below the extent that are not in it.
    pub fn complement(&self, extent: u64) -> Intervals {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut from = 0;
        for &(start, end) in &self.0 {
            rest.push((from, start.min(extent)));
            from = end;
        }
        rest.push((from, extent));
        rest.retain(|(start, end)| start < end);
        Intervals(rest)
    }

    /// `low + step * index` for each index, cut to `0..extent`: where padding and concatenation put them. Between
    /// the indices of an interval a step above 1 leaves gaps.
    pub fn placed(&self, low: i64, step: u64, extent: u64) -> Intervals {
        let at = |index: u64| i128::from(low) + i128::from(step) * i128::from(index);
        let clip = |position: i128| position.clamp(0, i128::from(extent)) as u64;
        let mut placed = Vec::new();
        for &(start, end) in &self.0 {
            if step <= 1 || end - start == 1 {
                placed.push((clip(at(start)), clip(at(end - 1) + 1)));
            } else if end - start <= MOST_INTERVALS as u64 {
                placed.extend((start..end).map(|index| (clip(at(index)), clip(at(index) + 1))));
            } else {
                placed.push((clip(at(start)), clip(at(end - 1) + 1)));
            }
        }
        Intervals::union_of(placed)
    }

    /// The `index` in `0..extent` for which `start + step * index` is in this set: what a slice picks. The step may be
    /// negative, but not 0.
    pub fn picked(&self, start: i64, step: i64, extent: u64) -> Intervals {
        let mut picked = Vec::new();
        for &(first, end) in &self.0 {
            // first <= start + step * index <= last
            let (low, high) = (i128::from(first) - i128::from(start), i128::from(end) - 1 - i128::from(start));
            let step = i128::from(step);
            let (low, high) = if step > 0 { (low, high) } else { (-high, -low) };
            let step = step.abs().max(1);
            let from = low.div_euclid(step) + i128::from(low.rem_euclid(step) != 0);
            let to = high.div_euclid(step) + 1;
            let clip = |position: i128| position.clamp(0, i128::from(extent)) as u64;
            picked.push((clip(from), clip(to)));
        }
        Intervals::union_of(picked)
    }

    /// The smallest range around all indices.
    pub fn hull(&self) -> Intervals {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => Intervals::range(first.0, last.1),
            _ => Intervals(Vec::new()),
        }
    }
}
