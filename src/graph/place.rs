//! Where an operation comes from: the user's source line, and the scopes around it.

use crate::index::define_id;

define_id! {
    /// A place in somebody's source. The first is "unknown".
    PlaceId
}
define_id! {
    /// The scopes around an operation; equal scopes have equal ids. The first is "none".
    ScopeId
}

/// A line in a source file, and the line that called it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, as it was written down.
    pub file: Box<str>,
    /// Counted from 1; 0 is unknown.
    pub line: u32,
    /// Counted from 1; 0 is unknown.
    pub column: u32,
    /// The function that the line is in.
    pub function: Option<Box<str>>,
    /// The place that called that function.
    pub caller: Option<PlaceId>,
}

impl Place {
    /// Whether the file belongs to an installed library and not to the user: installed packages, the standard
    /// library, and the `_src` folders in which the JAX family keeps its private code.
    pub fn is_library(&self) -> bool {
        let file = self.file.replace('\\', "/");
        ["site-packages/", "dist-packages/", "lib/python3", "/_src/"].iter().any(|part| file.contains(part))
            || file.starts_with('<')
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One component of a scope path, with transformations taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeComponent<'a> {
    /// `probe_reward` of `transpose(jvp(probe_reward))`; `jit(step)` stays as it is, since that names a
    /// function and not a scope.
    pub name: &'a str,
}

/// What a scope path says of its operation.
///
/// The paths are those of JAX's name stack: `jit(step)/transpose(jvp(probe_reward))/mul`. The last component
/// names the operation and is no scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePath<'a> {
    /// The components, outermost first, without the operation.
    pub components: Vec<ScopeComponent<'a>>,
    /// The components as they are written, the operation included.
    pub written: Vec<&'a str>,
    /// Some component is under `jvp(..)`: the scope was differentiated.
    pub differentiated: bool,
    /// Some component is under `transpose(..)`, and it is no recomputed forward pass: a cotangent.
    pub transposed: bool,
    /// A forward pass that is computed again in the backward pass.
    pub recomputed: bool,
}

/// Splits at the slashes that stand outside parentheses; where these do not match, at every slash, so that
/// no scope is lost.
fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    if depth != 0 {
        return text.split('/').collect();
    }
    parts.push(&text[start..]);
    parts
}

/// `("jvp", "probe")` of `jvp(probe)`.
fn wrapper(component: &str) -> Option<(&str, &str)> {
    component.strip_suffix(')')?.split_once('(')
}

impl<'a> ScopePath<'a> {
    /// Reads one scope path.
    pub fn parse(path: &'a str) -> Self {
        let written = split_outside_parentheses(path);
        // The last component names the operation, unless it is a wrapper: then it is that of a call.
        let scopes = match written.last() {
            Some(last) if wrapper(last).is_none() => &written[..written.len() - 1],
            _ => &written[..],
        };
        let mut components = Vec::new();
        let (mut differentiated, mut transposed, mut recomputed) = (false, false, false);
        // Transformations wrap the outermost scope (`jvp(outer)/inner`), in older versions the whole path
        // (`jvp(outer/inner)`); both come apart here. Last in, first out, so the parts are pushed reversed.
        let mut open: Vec<&str> = scopes.iter().rev().copied().collect();
        while let Some(component) = open.pop() {
            match wrapper(component) {
                Some((transformation, inside)) if !names_a_function(transformation) => {
                    differentiated |= transformation == "jvp";
                    transposed |= transformation == "transpose";
                    if !is_transformation(transformation) {
                        // `probe(v2)`: a scope of this name, or a transformation that is not known. Both are read.
                        components.push(ScopeComponent { name: component });
                    }
                    open.extend(split_outside_parentheses(inside).into_iter().rev());
                }
                _ if component.is_empty() => {}
                _ => {
                    recomputed |= component == "rematted_computation";
                    components.push(ScopeComponent { name: component });
                }
            }
        }
        ScopePath { components, written, differentiated, transposed: transposed && !recomputed, recomputed }
    }

    /// The scopes that a person would name: no `jit(..)`, nothing that a transformation put there.
    pub fn user_scopes(&self) -> impl Iterator<Item = &'a str> {
        const MACHINERY: [&str; 9] =
            ["while", "body", "cond", "checkpoint", "rematted_computation", "closed_call", "jit", "scan", "remat"];
        self.components
            .iter()
            .map(|component| component.name)
            .filter(|name| !name.ends_with(')') && !MACHINERY.contains(name) && !name.starts_with("branch_"))
    }
}

/// The transformations that JAX writes around scopes.
fn is_transformation(wrapper: &str) -> bool {
    const KNOWN: [&str; 12] = [
        "jvp",
        "transpose",
        "vmap",
        "remat",
        "checkpoint",
        "linearize",
        "custom_jvp",
        "custom_vjp",
        "shard_map",
        "partial_eval",
        "batch",
        "mapped",
    ];
    KNOWN.contains(&wrapper)
}

/// The wrappers that hold the name of a function where others hold a scope.
fn names_a_function(wrapper: &str) -> bool {
    matches!(wrapper, "jit" | "pjit" | "pmap" | "xmap" | "xla_call" | "named" | "custom_vjp_call" | "custom_jvp_call")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<&str> {
        ScopePath::parse(path).components.iter().map(|component| component.name).collect()
    }

    #[test]
    fn transformations_come_off_and_functions_stay() {
        assert_eq!(names("jit(step)/transpose(jvp(probe_reward))/mul"), ["jit(step)", "probe_reward"]);
        assert_eq!(names("probe_reward/mul"), ["probe_reward"]);
        assert_eq!(names("jit(step)/opt/jvp(outer/inner)/add"), ["jit(step)", "opt", "outer", "inner"]);
        assert_eq!(names("jit(step)/jvp()/jit"), ["jit(step)"]);
        assert_eq!(names("jit(step)/vmap(jvp(jit(f)))/mul"), ["jit(step)", "jit(f)"]);
        assert!(names("mul").is_empty());
        assert_eq!(names("a(b/c/mul"), ["a(b", "c"]);
        assert_eq!(names("jit(step)/jvp(probe(v2))/mul"), ["jit(step)", "probe(v2)", "v2"]);
        assert_eq!(names("jit(step)/jvp(jit(g))"), ["jit(step)", "jit(g)"]);
    }

    #[test]
    fn cotangents_are_told_from_recomputed_primals() {
        let cotangent = ScopePath::parse("jit(step)/transpose(jvp(probe))/mul");
        assert!(cotangent.differentiated && cotangent.transposed);
        let call = ScopePath::parse("jit(step)/jvp(jit(g))");
        assert!(call.differentiated && !call.transposed, "the location of a call ends with its wrapper");
        let recomputed = ScopePath::parse("jit(step)/transpose(jvp(x))/checkpoint/rematted_computation/probe/mul");
        assert!(recomputed.differentiated && !recomputed.transposed);
    }

    #[test]
    fn files_of_libraries_are_told_from_the_users() {
        let place = |file: &str| Place { file: file.into(), line: 1, column: 1, function: None, caller: None };
        assert!(place("/x/lib/python3.11/site-packages/optax/_src/clip.py").is_library());
        assert!(!place("train/step.py").is_library());
    }
}
