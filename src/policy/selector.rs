//! Selectors: `scope:GLOB`, `input:GLOB`, `output:GLOB`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::glob::{SegmentPattern, matches_segments};
use crate::graph::{OperationId, PytreePath, ScopeId, ScopePath, TrainingGraph};
use crate::index::Id;

/// Which part of a graph a selector speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Operations, by the scopes around them.
    Scope,
    /// Inputs of the step, by pytree path.
    Input,
    /// Outputs of the step, by pytree path.
    Output,
}

impl Side {
    /// As it is written before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Scope => "scope",
            Side::Input => "input",
            Side::Output => "output",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Side> {
        [Side::Scope, Side::Input, Side::Output].into_iter().find(|side| side.as_str() == name)
    }
}

/// Picks operations, inputs or outputs of a graph.
///
/// - `scope:probe_reward` is every operation with a scope component of that name, forward, tangent and cotangent;
///   `scope:world/probe` wants the two components side by side. With a parenthesis in it
///   (`scope:transpose(jvp(probe_reward))`, `scope:jit(probe_reward)`) the components are compared as they are written.
/// - `input:params.beliefs.**` and `output:**.beliefs.**` are leaves by pytree path. `params['beliefs'][0]` is read too.
/// - `*` and `?` stay inside one segment or component, `**` is any number of them. `"a.b"` and `['a*']` are literal.
/// - `belief_step:output:**` speaks of one graph of a system of several.
#[derive(Clone, Debug)]
pub struct Selector {
    text: Box<str>,
    graph: Option<Box<str>>,
    side: Side,
    pattern: Box<[SegmentPattern]>,
    /// Scopes are compared as they are written, wrappers included.
    written: bool,
    /// Text that every scope path which matches must hold somewhere: cheap to look for.
    needle: Box<str>,
}

/// Why a text is no selector.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{selector}` is no selector: found {found}, expected {expected}, for example `{example}`")]
pub struct SelectorError {
    /// The whole text.
    pub selector: String,
    /// What is wrong in it.
    pub found: String,
    /// What should be there.
    pub expected: String,
    /// A selector that is right.
    pub example: &'static str,
}

/// What a selector picks in one graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// Operations, ascending; terminators are never among them.
    pub operations: Vec<OperationId>,
    /// Positions in [`TrainingGraph::inputs`], ascending.
    pub inputs: Vec<usize>,
    /// Positions in [`TrainingGraph::outputs`], ascending.
    pub outputs: Vec<usize>,
}

impl Matched {
    /// Whether nothing is picked.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.inputs.is_empty() && self.outputs.is_empty()
    }
}

impl Selector {
    /// Reads a selector.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        let text = text.trim();
        let error = |found: String, expected: &str, example| SelectorError {
            selector: text.into(),
            found,
            expected: expected.into(),
            example,
        };
        const SIDES: &str = "`scope:`, `input:` or `output:`";
        let Some((first, rest)) = text.split_once(':') else {
            let found = if text.is_empty() { "nothing".to_string() } else { "no colon".to_string() };
            return Err(error(found, SIDES, "scope:probe_reward"));
        };
        let (graph, side, glob) = match Side::from_name(first.trim()) {
            Some(side) => (None, side, rest),
            None => {
                let named = rest.split_once(':').map(|(second, glob)| (Side::from_name(second.trim()), glob));
                let Some((Some(side), glob)) = named else {
                    return Err(error(format!("`{first}:`"), SIDES, "scope:probe_reward"));
                };
                if first.trim().is_empty() {
                    return Err(error("no name before the first colon".into(), "a graph's name", "rollout:input:x"));
                }
                (Some(first.trim().into()), side, glob)
            }
        };
        let (glob, example) = (glob.trim(), side.example());
        if glob.is_empty() {
            return Err(error(format!("nothing after `{}:`", side.as_str()), "a name or a pattern", example));
        }
        let written = side == Side::Scope && glob.contains('(');
        let pattern = match side {
            Side::Scope => scope_pattern(glob),
            Side::Input | Side::Output => path_pattern(glob),
        };
        let pattern = pattern.map_err(|(found, expected)| error(found, expected, example))?;
        let needle = match side {
            Side::Scope => longest_literal(&pattern),
            Side::Input | Side::Output => "".into(),
        };
        Ok(Selector { text: text.into(), graph, side, pattern, written, needle })
    }

    /// Which part of a graph it speaks of.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The one graph that it speaks of; [`None`]: all.
    pub fn graph(&self) -> Option<&str> {
        self.graph.as_deref()
    }

    /// Whether it speaks of the graph of this name.
    pub fn applies_to(&self, graph: &str) -> bool {
        self.graph().is_none_or(|name| name == graph)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands after `scope:`, `input:` or `output:`.
    pub(super) fn glob(&self) -> &str {
        let skip = self.graph.iter().count() + 1;
        self.text.splitn(skip + 1, ':').last().unwrap_or_default().trim()
    }

    pub(super) fn pattern(&self) -> &[SegmentPattern] {
        &self.pattern
    }

    /// What it picks.
    pub fn resolve(&self, graph: &TrainingGraph) -> Matched {
        Selector::resolve_all(std::slice::from_ref(self), graph)
    }

    /// What any of the selectors picks, whatever graphs they name (see [`Selector::applies_to`]).
    pub fn resolve_all<'a>(
        selectors: impl IntoIterator<Item = &'a Selector, IntoIter: Clone>,
        graph: &TrainingGraph,
    ) -> Matched {
        let selectors = selectors.into_iter();
        let on = |side: Side| selectors.clone().filter(move |selector| selector.side == side);
        let mut matched = Matched::default();
        if on(Side::Scope).next().is_some() {
            // Graphs have far more operations than scopes, so each scope is looked at once.
            let in_scope: Vec<bool> = (0..graph.scope_count())
                .map(|scope| {
                    graph.scope_paths(ScopeId::new(scope)).any(|path| any_matches_scope(on(Side::Scope), path))
                })
                .collect();
            let operations = graph.operations().iter_enumerated();
            let picked = operations
                .filter(|(_, operation)| in_scope[operation.scope.index()] && !operation.kind.is_terminator());
            matched.operations = picked.map(|(id, _)| id).collect();
        }
        let leaves = |side: Side, path: &PytreePath| on(side).any(|selector| selector.matches_path(path));
        let inputs = graph.inputs().enumerate().filter(|(_, (path, _))| leaves(Side::Input, path));
        matched.inputs = inputs.map(|(position, _)| position).collect();
        let outputs = graph.outputs().enumerate().filter(|(_, (path, _))| leaves(Side::Output, path));
        matched.outputs = outputs.map(|(position, _)| position).collect();
        matched
    }

    /// Whether a pytree path is as the pattern says. The side is not looked at, but a scope never matches a path.
    pub fn matches_path(&self, path: &PytreePath) -> bool {
        self.side != Side::Scope && matches_segments(&self.pattern, path.segments().iter().map(|segment| &**segment))
    }

    /// Whether a scope path, as the framework writes it, is as the pattern says.
    pub fn matches_scope(&self, path: &str) -> bool {
        any_matches_scope(std::iter::once(self), path)
    }

    fn matches_parsed_scope(&self, path: &ScopePath<'_>) -> bool {
        if self.written {
            // The last component names the operation, unless it is itself a wrapper.
            let written = path
                .written
                .split_last()
                .map_or(&[][..], |(last, rest)| if last.contains('(') { &path.written } else { rest });
            // As it is written, or with the transformations off: `jvp(jit(f))` is a use of `jit(f)` too.
            let names = path.components.iter().map(|component| component.name);
            return matches_segments(&self.pattern, written.iter().copied()) || matches_segments(&self.pattern, names);
        }
        // `jit(f)` names a function. It is no scope, and two scopes are side by side across it.
        let names = path.components.iter().map(|component| component.name).filter(|name| !name.ends_with(')'));
        matches_segments(&self.pattern, names)
    }

    /// The group that a matched path is shown under: the shortest prefix that is as the pattern says without its
    /// last `**`. Without a last `**`, or if nothing stands before it, the first two segments.
    pub fn group_of(&self, path: &PytreePath) -> PytreePath {
        let fixed = match self.pattern.split_last() {
            Some((SegmentPattern::Many, fixed)) if fixed.iter().any(|segment| *segment != SegmentPattern::Many) => {
                fixed
            }
            _ => return path.prefix(2),
        };
        let segments = path.segments();
        (0..=segments.len())
            .find(|&count| matches_segments(fixed, segments[..count].iter().map(|segment| &**segment)))
            .map_or_else(|| path.prefix(2), |count| path.prefix(count))
    }

    /// The segments before a last `**`, or all, if none of them has a wildcard; and whether there is a last `**`.
    pub(super) fn fixed_prefix(&self) -> Option<(PytreePath, bool)> {
        let (fixed, open) = match self.pattern.split_last() {
            Some((SegmentPattern::Many, fixed)) => (fixed, true),
            _ => (&*self.pattern, false),
        };
        let literal = |segment: &SegmentPattern| match segment {
            SegmentPattern::Literal(text) => Some(text.clone()),
            SegmentPattern::Many | SegmentPattern::Wild(_) => None,
        };
        let segments = fixed.iter().map(literal).collect::<Option<Vec<Box<str>>>>()?;
        Some((PytreePath::new(segments), open))
    }
}

/// Whether any selector matches the scope path: it is taken apart only if one of them may.
fn any_matches_scope<'a>(selectors: impl Iterator<Item = &'a Selector>, path: &str) -> bool {
    let mut parsed = None;
    let mut selectors = selectors.filter(|selector| selector.side == Side::Scope && path.contains(&*selector.needle));
    selectors.any(|selector| selector.matches_parsed_scope(parsed.get_or_insert_with(|| ScopePath::parse(path))))
}

impl Side {
    fn example(self) -> &'static str {
        match self {
            Side::Scope => "scope:probe_reward",
            Side::Input => "input:params.beliefs.**",
            Side::Output => "output:**.beliefs.**",
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Selector::parse(text)
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Selector {}

/// What was found, and what was expected.
type PatternError = (String, &'static str);

fn segment(text: &str) -> Result<SegmentPattern, PatternError> {
    SegmentPattern::parse(text)
        .ok_or_else(|| (format!("`{text}`"), "`**` as a whole segment, or one `*` inside a segment"))
}

/// A scope pattern may stand anywhere in the path, so it gets a `**` on either end.
fn scope_pattern(glob: &str) -> Result<Box<[SegmentPattern]>, PatternError> {
    let mut pattern = vec![SegmentPattern::Many];
    // Splits at the slashes outside parentheses, as the paths themselves are.
    for component in ScopePath::parse(glob).written {
        if component.is_empty() {
            return Err(("an empty component".into(), "components joined by single slashes"));
        }
        pattern.push(segment(component)?);
    }
    pattern.push(SegmentPattern::Many);
    Ok(pattern.into())
}

/// Reads a path pattern. Same forms as [`PytreePath::parse`], but strict: what has no end is refused.
fn path_pattern(glob: &str) -> Result<Box<[SegmentPattern]>, PatternError> {
    const SEGMENT: &str = "a segment (an empty one is written `\"\"`)";
    let mut pattern = Vec::new();
    let mut rest = glob.strip_prefix('.').unwrap_or(glob); // `.mu` is how JAX starts a path at an attribute
    loop {
        let bytes = rest.as_bytes();
        if bytes.first() == Some(&b'"') || (bytes.first() == Some(&b'[') && matches!(bytes.get(1), Some(b'"' | b'\'')))
        {
            let end =
                literal_end(rest).ok_or_else(|| (format!("`{rest}`"), "the quote and the bracket to be closed"))?;
            let literal = PytreePath::parse(&rest[..end]);
            pattern.extend(literal.segments().iter().cloned().map(SegmentPattern::Literal));
            rest = &rest[end..];
        } else if let Some(inside) = rest.strip_prefix('[') {
            let (text, after) =
                inside.split_once(']').ok_or_else(|| (format!("`{rest}`"), "the bracket to be closed"))?;
            if text.is_empty() {
                return Err(("`[]`".into(), "an index, a quoted key or `*` in the brackets"));
            }
            pattern.push(segment(text)?);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(("an empty segment".into(), SEGMENT));
            }
            pattern.push(segment(&rest[..end])?);
            rest = &rest[end..];
        }
        match rest.chars().next() {
            None => return Ok(pattern.into()),
            Some('[') => {}
            Some('.') => rest = &rest[1..],
            Some(_) => return Err((format!("`{rest}` after a closed segment"), "`.`, `[` or the end")),
        }
    }
}

/// Where `"a.b"`, `['a']` or `["a"]` ends.
fn literal_end(text: &str) -> Option<usize> {
    let bracketed = text.starts_with('[');
    let start = usize::from(bracketed);
    let quote = text.as_bytes()[start];
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => {
                let end = offset + 1;
                return if bracketed { text[end..].starts_with(']').then_some(end + 1) } else { Some(end) };
            }
            _ => {}
        }
    }
    None
}

fn longest_literal(pattern: &[SegmentPattern]) -> Box<str> {
    let literals = pattern.iter().filter_map(|segment| match segment {
        SegmentPattern::Literal(text) => Some(text.clone()),
        SegmentPattern::Many | SegmentPattern::Wild(_) => None,
    });
    literals.max_by_key(|text| text.len()).unwrap_or_default()
}

/// The group that a sink is shown under: that of the first selector which matches it.
pub fn sink_group(selectors: &[Selector], path: &PytreePath) -> PytreePath {
    let first = selectors.iter().find(|selector| selector.matches_path(path));
    first.map_or_else(|| path.prefix(2), |selector| selector.group_of(path))
}

/// The literal text of a pattern that a name would be compared with, for suggestions: wildcards at its ends are cut.
pub(super) fn core_segments(selector: &Selector) -> Vec<String> {
    let glob = match selector.side() {
        Side::Scope => selector.glob().split('/').map(str::to_string).collect(),
        Side::Input | Side::Output => {
            let text = |segment: &SegmentPattern| match segment {
                SegmentPattern::Many => "**".to_string(),
                SegmentPattern::Literal(text) => text.to_string(),
                SegmentPattern::Wild(wild) => wild.iter().map(|token| token.as_char()).collect(),
            };
            selector.pattern().iter().map(text).collect::<Vec<_>>()
        }
    };
    let kept: Vec<&String> = glob.iter().skip_while(|segment| *segment == "**").collect();
    let last = kept.iter().rposition(|segment| *segment != "**").map_or(0, |position| position + 1);
    kept[..last].iter().map(|segment| segment.to_string()).collect()
}

#[cfg(test)]
mod tests;
