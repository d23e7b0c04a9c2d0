//! What the names in sight stand for.

use rustc_hash::FxHashMap;

use super::Pack;

/// The names of values that are visible, and the order in which they were defined, so that a region can take its
/// own away. Nearly all names are numbers, and those are found without hashing.
#[derive(Default)]
pub(super) struct Names<'a> {
    numbered: Vec<Option<Pack>>,
    others: FxHashMap<&'a str, Pack>,
    defined: Vec<&'a str>,
}

/// The number that a name is, if it is one without leading zeros.
#[inline]
pub(super) fn plain_number(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 9 || (bytes[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    let mut number = 0usize;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + usize::from(byte - b'0');
    }
    Some(number)
}

impl<'a> Names<'a> {
    /// The number of a name if it is kept by number: those that are far above the count of names would waste memory.
    /// The bound only grows, so a name that went by number once always does; one that went by text is looked up
    /// there too.
    #[inline]
    fn slot(&self, name: &str) -> Option<usize> {
        plain_number(name).filter(|number| *number < self.numbered.len())
    }

    /// Defines a name; false if it is defined already.
    #[inline]
    pub fn define(&mut self, name: &'a str, values: Pack) -> bool {
        if self.get(name).is_some() {
            return false;
        }
        if let Some(number) = plain_number(name)
            && number >= self.numbered.len()
            && number < 2 * self.defined.len() + 4096
        {
            self.numbered.resize((number + 1).max(2 * self.numbered.len()), None);
        }
        match self.slot(name) {
            Some(number) => self.numbered[number] = Some(values),
            None => {
                self.others.insert(name, values);
            }
        }
        self.defined.push(name);
        true
    }

    /// What a name stands for.
    #[inline]
    pub fn get(&self, name: &str) -> Option<Pack> {
        if let Some(number) = self.slot(name)
            && let Some(values) = self.numbered[number]
        {
            return Some(values);
        }
        self.others.get(name).copied()
    }

    /// How many names are defined.
    pub fn count(&self) -> usize {
        self.defined.len()
    }

    /// Takes away all but the first `count` names.
    pub fn forget(&mut self, count: usize) {
        for position in (count..self.defined.len()).rev() {
            let name = self.defined[position];
            // A number may have been kept by text before the bound grew over it.
            let by_number = self.slot(name).and_then(|number| self.numbered[number].take());
            if by_number.is_none() {
                self.others.remove(name);
            }
        }
        self.defined.truncate(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IdRange;

    #[test]
    fn names_are_defined_found_and_forgotten() {
        let mut names = Names::default();
        let pack = |start| IdRange::new(start, start + 1);
        for (position, name) in ["0", "1", "arg0", "007", "999999999", "4294967296"].into_iter().enumerate() {
            assert!(names.define(name, pack(position)), "{name}");
            assert!(!names.define(name, pack(9)), "{name}");
            assert_eq!(names.get(name), Some(pack(position)), "{name}");
        }
        assert_eq!(names.get("7"), None);
        names.forget(2);
        assert_eq!((names.get("1"), names.get("arg0"), names.get("999999999")), (Some(pack(1)), None, None));
        assert!(names.define("arg0", pack(3)));
    }
}
