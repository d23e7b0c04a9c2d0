//! Wildcards, on two levels with one algorithm: `*` and `?` over the characters of a segment, `**` over segments.

/// What one segment of a path or one component of a scope has to look like.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SegmentPattern {
    /// `**`: any number of segments, none included.
    Many,
    /// This text and no other.
    Literal(Box<str>),
    /// Text with `*` or `?` in it.
    Wild(Box<[Wild]>),
}

/// A part of a segment with wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wild {
    /// `*`: any number of characters.
    Many,
    /// `?`: one character.
    One,
    /// This character.
    Exactly(char),
}

impl Wild {
    /// As it is written.
    pub(super) fn as_char(self) -> char {
        match self {
            Wild::Many => '*',
            Wild::One => '?',
            Wild::Exactly(character) => character,
        }
    }
}

impl SegmentPattern {
    /// Reads an unquoted segment; [`None`] for two stars in a row inside other text, which would read as `**`.
    pub(super) fn parse(text: &str) -> Option<SegmentPattern> {
        if text == "**" {
            return Some(SegmentPattern::Many);
        }
        if text.contains("**") {
            return None;
        }
        if !text.contains(['*', '?']) {
            return Some(SegmentPattern::Literal(text.into()));
        }
        let wild = text.chars().map(|character| match character {
            '*' => Wild::Many,
            '?' => Wild::One,
            other => Wild::Exactly(other),
        });
        Some(SegmentPattern::Wild(wild.collect()))
    }

    fn fits(&self, segment: &str) -> bool {
        match self {
            SegmentPattern::Many => true,
            SegmentPattern::Literal(text) => &**text == segment,
            SegmentPattern::Wild(wild) => matches_wildcards(
                wild,
                segment.chars(),
                |token| *token == Wild::Many,
                |token, found| match token {
                    Wild::Exactly(expected) => expected == found,
                    Wild::One | Wild::Many => true,
                },
            ),
        }
    }
}

/// Whether the segments are as the pattern says, all of them.
pub(super) fn matches_segments<'a>(
    pattern: &[SegmentPattern],
    segments: impl Iterator<Item = &'a str> + Clone,
) -> bool {
    matches_wildcards(pattern, segments, |token| *token == SegmentPattern::Many, |token, segment| token.fits(segment))
}

/// Whether the items are as the pattern says, where a `many` token takes any number of items and every other one.
///
/// When an item does not fit, only the last `many` token need take one more: what stands before it has found its
/// earliest place, and any later place leaves fewer items for the rest. So the cost is at most the product of
/// the lengths, however many `many` tokens there are, and there is no stack.
fn matches_wildcards<T, I: Iterator + Clone>(
    pattern: &[T],
    mut items: I,
    is_many: impl Fn(&T) -> bool,
    fits: impl Fn(&T, &I::Item) -> bool,
) -> bool {
    let mut at = 0;
    let mut retry: Option<(usize, I)> = None;
    loop {
        if pattern.get(at).is_some_and(&is_many) {
            at += 1;
            retry = Some((at, items.clone()));
            continue;
        }
        let Some(item) = items.next() else { return at == pattern.len() };
        if pattern.get(at).is_some_and(|token| fits(token, &item)) {
            at += 1;
            continue;
        }
        let Some((after_many, from)) = &mut retry else { return false };
        from.next();
        items = from.clone();
        at = *after_many;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let pattern: Vec<SegmentPattern> =
            pattern.split('.').map(|segment| SegmentPattern::parse(segment).expect("a pattern")).collect();
        matches_segments(&pattern, path.split('.').filter(|segment| !segment.is_empty()))
    }

    #[test]
    fn stars_stay_inside_a_segment_and_double_stars_do_not() {
        for (pattern, path) in [
            ("a.*.c", "a.b.c"),
            ("a.**", "a"),
            ("a.**", "a.b.c"),
            ("**", ""),
            ("**.beliefs.**", "beliefs"),
            ("**.b.**.b.c", "b.b.b.c"),
            ("h*.w?", "h12.wé"),
            ("*", "mlp/~/linear"),
            ("**.**.**", ""),
            ("a*b*c", "aXbbYcc"),
        ] {
            assert!(matches(pattern, path), "{pattern} should match {path}");
        }
        for (pattern, path) in [
            ("a.*", "a"),
            ("a.*", "a.b.c"),
            ("*", ""),
            ("**.beliefs", "beliefs.w"),
            ("belief", "beliefs"),
            ("h?", "h"),
            ("**.b.c", "b.b"),
            ("a*b*c", "aXbbY"),
        ] {
            assert!(!matches(pattern, path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn many_double_stars_are_no_exponential_cost() {
        let pattern = vec![SegmentPattern::Many; 40];
        let mut pattern: Vec<SegmentPattern> =
            pattern.into_iter().flat_map(|many| [many, SegmentPattern::Literal("a".into())]).collect();
        pattern.push(SegmentPattern::Literal("b".into()));
        assert!(!matches_segments(&pattern, std::iter::repeat_n("a", 3000)));
    }

    #[test]
    fn stars_inside_other_text_are_not_double() {
        assert_eq!(SegmentPattern::parse("a**"), None);
        assert_eq!(SegmentPattern::parse("***"), None);
    }
}
