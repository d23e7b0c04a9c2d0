//! Pytree paths: `params['beliefs']['layers'][0]['w']` is `params.beliefs.layers.0.w`.

use std::fmt;

/// The place of a leaf in the inputs or outputs of a step, segment by segment.
///
/// Written with dots. A segment that itself holds a dot, a quote, a star or nothing at all is written in
/// double quotes, so that every path can be read back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PytreePath {
    segments: Box<[Box<str>]>,
}

impl PytreePath {
    /// The path of these segments.
    pub fn new<S: Into<Box<str>>>(segments: impl IntoIterator<Item = S>) -> Self {
        PytreePath { segments: segments.into_iter().map(Into::into).collect() }
    }

    /// Reads a path as JAX prints it (`params['a'][0]`, `opt_state[0].mu`, `[0]['x']`) or as this tool does
    /// (`params.a.0`). Never fails: what has no structure is one segment.
    pub fn parse(text: &str) -> Self {
        let mut segments: Vec<Box<str>> = Vec::with_capacity(12);
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some(inside) = rest.strip_prefix('[') {
                let (segment, after) = bracket_segment(inside);
                segments.push(segment);
                rest = after;
            } else if rest.starts_with('"') {
                let (segment, after) = quoted(rest);
                segments.push(segment);
                rest = after;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end > 0 || rest.starts_with('.') {
                    segments.push(rest[..end].into());
                }
                rest = &rest[end..];
            }
        }
        PytreePath { segments: segments.into() }
    }

    /// The segments, root first.
    pub fn segments(&self) -> &[Box<str>] {
        &self.segments
    }

    /// The first segment.
    pub fn root(&self) -> Option<&str> {
        self.segments.first().map(|segment| &**segment)
    }

    /// The path below the first `count` segments.
    pub fn tail(&self, count: usize) -> &[Box<str>] {
        &self.segments[count.min(self.segments.len())..]
    }

    /// The path of the first `count` segments.
    pub fn prefix(&self, count: usize) -> PytreePath {
        PytreePath { segments: self.segments[..count.min(self.segments.len())].into() }
    }

    /// Whether this path is `prefix` or lies below it.
    pub fn starts_with(&self, prefix: &PytreePath) -> bool {
        self.segments.starts_with(&prefix.segments)
    }
}

/// Reads `'name']`, `"it's"]` or `0]`; gives what follows the bracket.
fn bracket_segment(inside: &str) -> (Box<str>, &str) {
    if inside.starts_with(['\'', '"']) {
        let (segment, after) = quoted(inside);
        return (segment, after.strip_prefix(']').unwrap_or(after));
    }
    match inside.split_once(']') {
        Some((segment, after)) => (segment.into(), after),
        None => (inside.into(), ""),
    }
}

/// Reads a quoted string, with the escapes `\\`, `\'` and `\"`.
fn quoted(text: &str) -> (Box<str>, &str) {
    // Nearly all have no escapes.
    if let Some(quote) = text.bytes().next()
        && let Some(length) = text.as_bytes()[1..].iter().position(|byte| *byte == quote || *byte == b'\\')
        && text.as_bytes()[1 + length] == quote
    {
        return (text[1..1 + length].into(), &text[2 + length..]);
    }
    let mut characters = text.char_indices();
    let Some((_, quote)) = characters.next() else { return ("".into(), "") };
    let mut segment = String::new();
    while let Some((position, character)) = characters.next() {
        if character == quote {
            return (segment.into(), &text[position + quote.len_utf8()..]);
        }
        if character == '\\' {
            match characters.next() {
                Some((_, escaped @ ('\\' | '\'' | '"'))) => segment.push(escaped),
                Some((_, other)) => segment.extend(['\\', other]),
                None => segment.push('\\'),
            }
        } else {
            segment.push(character);
        }
    }
    (segment.into(), "")
}

impl fmt::Display for PytreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.segments.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            if segment.is_empty() || segment.contains(['.', '"', '*', '[', '\\']) {
                write!(f, "\"{}\"", segment.replace('\\', "\\\\").replace('"', "\\\""))?;
            } else {
                f.write_str(segment)?;
            }
        }
        Ok(())
    }
}

impl From<&str> for PytreePath {
    fn from(text: &str) -> Self {
        PytreePath::parse(text)
    }
}

impl serde::Serialize for PytreePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PytreePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Ok(PytreePath::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_jax_prints_are_read() {
        let cases = [
            ("params['beliefs']['layers'][0]['w']", "params.beliefs.layers.0.w"),
            ("opt_state['beliefs'][1][0].mu['emb']", "opt_state.beliefs.1.0.mu.emb"),
            ("[0]['x']", "0.x"),
            (".params.w", "params.w"),
            ("params['mlp/~/linear_0']['w']", "params.mlp/~/linear_0.w"),
            ("params['a.b'][\"it's\"]", "params.\"a.b\".it's"),
            ("result[1]['']", "result.1.\"\""),
            ("x", "x"),
            ("", ""),
        ];
        for (jax, dotted) in cases {
            assert_eq!(PytreePath::parse(jax).to_string(), dotted, "{jax}");
            assert_eq!(PytreePath::parse(dotted), PytreePath::parse(jax), "{dotted}");
        }
    }

    #[test]
    fn hostile_text_is_read_without_a_panic() {
        for text in ["[", "['", "['a", "[0", "a[", "\"", "\"\\", "....", "[]]", "é['ü']"] {
            let path = PytreePath::parse(text);
            assert_eq!(PytreePath::parse(&path.to_string()), path, "{text}");
        }
    }
}
