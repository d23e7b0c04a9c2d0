//! Typed ids, vectors that only they index, and bit matrices.
//!
//! **Invariant**: this module knows nothing of graphs. An id is a position in one kind of list; ids of two
//! kinds cannot be mixed up, and making one from a number that does not fit 32 bits is a panic in this
//! module alone (every list that an input can grow is limited before it comes here).

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A position in a list of one kind.
pub trait Id: Copy + Eq + Ord + fmt::Debug {
    /// The id at a position.
    fn new(position: usize) -> Self;
    /// The position that the id stands for.
    fn index(self) -> usize;
}

/// Defines a 32-bit id type.
macro_rules! define_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $crate::index::Id for $name {
            #[inline]
            fn new(position: usize) -> Self {
                $name(u32::try_from(position).expect("more than 2^32 entries in one list"))
            }
            #[inline]
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}
pub(crate) use define_id;

/// A half-open range of ids: 8 bytes, `Copy`, and an iterator on demand.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdRange<I> {
    start: u32,
    end: u32,
    marker: PhantomData<I>,
}

impl<I: Id> IdRange<I> {
    /// The ids of the positions `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        assert!(start <= end, "a range of ids ends before it starts");
        let narrow = |position| u32::try_from(position).expect("more than 2^32 entries in one list");
        IdRange { start: narrow(start), end: narrow(end), marker: PhantomData }
    }

    /// The empty range.
    pub fn empty() -> Self {
        IdRange { start: 0, end: 0, marker: PhantomData }
    }

    /// How many ids there are.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The id at `offset` from the start, if it is in the range.
    pub fn get(self, offset: usize) -> Option<I> {
        (offset < self.len()).then(|| I::new(self.start as usize + offset))
    }

    /// The positions, for slicing.
    pub fn positions(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The ids in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + Clone {
        self.positions().map(I::new)
    }

    /// Whether the id is in the range.
    pub fn contains(self, id: I) -> bool {
        self.positions().contains(&id.index())
    }
}

impl<I: Id> fmt::Debug for IdRange<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A vector that is indexed by one kind of id.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexVec<I, T> {
    items: Vec<T>,
    marker: PhantomData<I>,
}

impl<I: Id, T> IndexVec<I, T> {
    /// An empty vector.
    pub fn new() -> Self {
        IndexVec { items: Vec::new(), marker: PhantomData }
    }

    /// The vector of these items.
    pub fn from_vec(items: Vec<T>) -> Self {
        IndexVec { items, marker: PhantomData }
    }

    /// `len` copies of one item.
    pub fn filled(item: T, len: usize) -> Self
    where
        T: Clone,
    {
        Self::from_vec(vec![item; len])
    }

    /// Makes room for so many more items.
    pub fn reserve(&mut self, additional: usize) {
        self.items.reserve(additional);
    }

    /// Adds an item and says its id.
    pub fn push(&mut self, item: T) -> I {
        let id = I::new(self.items.len());
        self.items.push(item);
        id
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The item of an id that may be out of range.
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }

    /// The items in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.items.len()).map(I::new)
    }

    /// Ids and items in order.
    pub fn iter_enumerated(&self) -> impl DoubleEndedIterator<Item = (I, &T)> {
        self.items.iter().enumerate().map(|(position, item)| (I::new(position), item))
    }

    /// The items as a slice.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// The items of a range of ids.
    pub fn slice(&self, range: IdRange<I>) -> &[T] {
        &self.items[range.positions()]
    }
}

impl<I: Id, T> Default for IndexVec<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Id, T> Index<I> for IndexVec<I, T> {
    type Output = T;
    #[inline]
    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for IndexVec<I, T> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

impl<I: Id, T: fmt::Debug> fmt::Debug for IndexVec<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter_enumerated()).finish()
    }
}

/// Rows of bits, all of one width, in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitMatrix {
    words_per_row: usize,
    columns: usize,
    words: Vec<u64>,
}

impl BitMatrix {
    /// A matrix of zeros.
    pub fn new(rows: usize, columns: usize) -> Self {
        let words_per_row = columns.div_ceil(64).max(1);
        BitMatrix { words_per_row, columns, words: vec![0; rows * words_per_row] }
    }

    /// How many columns a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.words.len() / self.words_per_row
    }

    /// Whether the bit is set.
    pub fn contains(&self, row: usize, column: usize) -> bool {
        assert!(column < self.columns, "no such column");
        self.words[row * self.words_per_row + column / 64] >> (column % 64) & 1 == 1
    }

    /// Sets the bit; says whether that changed anything.
    pub fn insert(&mut self, row: usize, column: usize) -> bool {
        assert!(column < self.columns, "no such column");
        let word = &mut self.words[row * self.words_per_row + column / 64];
        let old = *word;
        *word |= 1 << (column % 64);
        *word != old
    }

    /// Joins row `from` into row `into`; says whether that changed anything.
    #[inline]
    pub fn join_rows(&mut self, from: usize, into: usize) -> bool {
        let width = self.words_per_row;
        let mut changed = 0;
        for word in 0..width {
            let source = self.words[from * width + word];
            let target = &mut self.words[into * width + word];
            changed |= source & !*target;
            *target |= source;
        }
        changed != 0
    }

    /// The columns that are set in a row, ascending.
    pub fn row(&self, row: usize) -> impl Iterator<Item = usize> {
        let words = &self.words[row * self.words_per_row..(row + 1) * self.words_per_row];
        words.iter().enumerate().flat_map(|(position, &word)| {
            std::iter::successors((word != 0).then_some(word), |rest| {
                let rest = rest & (rest - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |rest| position * 64 + rest.trailing_zeros() as usize)
        })
    }

    /// Whether a row and a set of columns, packed 64 to a word, have one in common.
    #[inline]
    pub fn row_meets(&self, row: usize, columns: &[u64]) -> bool {
        let words = &self.words[row * self.words_per_row..(row + 1) * self.words_per_row];
        words.iter().zip(columns).any(|(word, column)| word & column != 0)
    }

    /// Whether a row has no bit set.
    pub fn row_is_empty(&self, row: usize) -> bool {
        self.words[row * self.words_per_row..(row + 1) * self.words_per_row].iter().all(|&word| word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    define_id!(Thing);

    #[test]
    fn a_row_lists_its_columns_in_order() {
        let mut bits = BitMatrix::new(2, 130);
        for column in [129, 0, 63, 64] {
            assert!(bits.insert(0, column));
            assert!(!bits.insert(0, column));
        }
        assert_eq!(bits.row(0).collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert!(bits.row_is_empty(1));
        assert!(bits.join_rows(0, 1));
        assert!(!bits.join_rows(0, 1));
        assert!(bits.contains(1, 129) && !bits.contains(1, 128));
        assert!(bits.row_meets(0, &[0, 0, 2]) && !bits.row_meets(0, &[2, 2, 1]) && !bits.row_meets(0, &[]));
    }

    #[test]
    fn ranges_know_their_members() {
        let range = IdRange::<Thing>::new(3, 5);
        assert_eq!(range.iter().collect::<Vec<_>>(), [Thing::new(3), Thing::new(4)]);
        assert!(range.contains(Thing::new(4)) && !range.contains(Thing::new(5)));
        assert_eq!((range.get(1), range.get(2)), (Some(Thing::new(4)), None));
    }
}
