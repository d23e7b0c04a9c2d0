//! What a selector that matches nothing may have meant.

use crate::graph::{PytreePath, ScopePath, TrainingGraph};
use crate::index::Id;

use super::selector::{Selector, Side, core_segments};

/// At most so many names are suggested.
const SUGGESTIONS: usize = 5;
/// At most so many names are compared.
const COMPARED: usize = 2_000;
/// At most so many characters of a name are compared.
const LENGTH: usize = 32;

/// What a selector may have meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearest {
    /// Selectors that do match, the nearest first. Where no path is near, the subtrees at the top.
    pub selectors: Vec<String>,
    /// Why it may match nothing, one sentence each.
    pub hints: Vec<String>,
}

/// The names of a graph that are nearest to a selector, and what is known about why it matches nothing.
pub fn nearest(selector: &Selector, graph: &TrainingGraph) -> Nearest {
    let core = core_segments(selector);
    let wanted = core.join(if selector.side() == Side::Scope { "/" } else { "." });
    let globs = match selector.side() {
        Side::Scope => {
            let names = scope_names(graph).into_iter().map(|name| (name.into(), name.into()));
            closest(&wanted, names.collect(), true)
        }
        Side::Input => near_paths(graph.inputs().map(|(path, _)| path), selector, &core, &wanted),
        Side::Output => near_paths(graph.outputs().map(|(path, _)| path), selector, &core, &wanted),
    };
    let prefix = selector.graph().map_or(String::new(), |name| format!("{name}:"));
    // A name with a space at its end, or one that holds a wildcard, does not read back as itself.
    let matches = |text: &String| Selector::parse(text).is_ok_and(|selector| !selector.resolve(graph).is_empty());
    let selectors =
        globs.into_iter().map(|glob| format!("{prefix}{}:{glob}", selector.side().as_str())).filter(matches).collect();
    Nearest { selectors, hints: hints(selector, &core, graph) }
}

/// That a selector matches nothing in these graphs, what it may have meant, and why.
pub fn explain_unmatched<'g>(selector: &Selector, graphs: impl IntoIterator<Item = &'g TrainingGraph>) -> String {
    let mut text = format!("`{}` matches nothing", selector.as_str());
    let mut hints = Vec::new();
    let mut near = Vec::new();
    for graph in graphs {
        let found = nearest(selector, graph);
        near.extend(found.selectors);
        hints.extend(found.hints);
    }
    near.dedup();
    hints.dedup();
    if !near.is_empty() {
        text.push_str(&format!("; nearest: {}", near.join(", ")));
    }
    for hint in hints {
        text.push_str(&format!("; {hint}"));
    }
    if selector.side() == Side::Scope {
        text.push_str(
            "; a scope that only adds, converts or reshapes may leave no operation: end it with \
             `score = jax.lax.optimization_barrier(score)`",
        );
    }
    text
}

/// The name that is nearest to the wanted one, if any is near at all.
pub(super) fn nearest_name<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (score(wanted, name), name)).filter(|((_, distance), _)| *distance <= reach(wanted));
    near.min_by_key(|(score, _)| *score).map(|(_, name)| name)
}

/// Names to compare with, each with what to suggest for it.
type Candidates = Vec<(String, String)>;

/// The suggestions for the names that are near, and if none is near and `far` is set, for the least far.
fn closest(wanted: &str, candidates: Candidates, far: bool) -> Vec<String> {
    let mut scored: Vec<_> =
        candidates.into_iter().take(COMPARED).map(|(name, suggestion)| (score(wanted, &name), suggestion)).collect();
    scored.sort(); // ties in the order of the alphabet: suggestions do not depend on how a graph is numbered
    scored.dedup_by(|a, b| a.1 == b.1);
    let is_near = |((apart, distance), _): &((bool, usize), String)| !apart || *distance <= reach(wanted);
    if !far || scored.iter().any(is_near) {
        scored.retain(is_near);
    }
    scored.truncate(SUGGESTIONS);
    scored.into_iter().map(|(_, suggestion)| suggestion).collect()
}

/// Names that are farther away than this are not meant.
fn reach(wanted: &str) -> usize {
    (wanted.chars().count() / 3).max(2)
}

/// Names that hold one another come first, then by edit distance. Upper and lower case are one.
fn score(wanted: &str, name: &str) -> (bool, usize) {
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    let long_enough = wanted.len() >= 3 && name.len() >= 3;
    let apart = !(long_enough && (name.contains(&wanted) || wanted.contains(&name)));
    (apart, edit_distance(&wanted, &name))
}

/// How many characters must be added, dropped or replaced, counting the first [`LENGTH`] of each text.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(LENGTH).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(LENGTH).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The names of all scopes, each once, sorted.
pub(super) fn scope_names(graph: &TrainingGraph) -> Vec<&str> {
    let mut names: Vec<&str> =
        scope_paths(graph).flat_map(|path| ScopePath::parse(path).user_scopes().collect::<Vec<_>>()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn scope_paths(graph: &TrainingGraph) -> impl Iterator<Item = &str> {
    (0..graph.scope_count()).flat_map(|scope| graph.scope_paths(Id::new(scope)))
}

/// Subtrees and leaves that are near, else the subtrees at the top.
fn near_paths<'a>(
    paths: impl Iterator<Item = &'a PytreePath>,
    selector: &Selector,
    core: &[String],
    wanted: &str,
) -> Vec<String> {
    let paths: Vec<&PytreePath> = paths.collect();
    let near = closest(wanted, path_candidates(&paths, selector, core), false);
    if !near.is_empty() {
        return near;
    }
    let mut topmost: Vec<String> = Vec::new();
    for path in paths {
        let below = if path.segments().len() > 2 { ".**" } else { "" };
        let glob = format!("{}{below}", path.prefix(2));
        if !topmost.contains(&glob) {
            topmost.push(glob);
        }
        if topmost.len() == SUGGESTIONS {
            break;
        }
    }
    topmost
}

/// Subtrees and leaves. A pattern that begins with `**` is compared with the ends of their paths.
fn path_candidates(paths: &[&PytreePath], selector: &Selector, core: &[String]) -> Candidates {
    let anywhere = selector.glob().starts_with("**");
    let mut candidates = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        let length = path.segments().len();
        for count in 1..=length {
            let first = if anywhere { count.saturating_sub(core.len().max(1)) } else { 0 };
            let name = PytreePath::new(path.segments()[first..count].iter().cloned()).to_string();
            let below = if count < length { ".**" } else { "" };
            let above = if first > 0 { "**." } else { "" };
            let suggestion = format!("{above}{name}{below}");
            if seen.insert(suggestion.clone()) {
                candidates.push((name, suggestion));
            }
        }
        if candidates.len() >= COMPARED {
            break;
        }
    }
    candidates
}

fn hints(selector: &Selector, core: &[String], graph: &TrainingGraph) -> Vec<String> {
    let mut hints = Vec::new();
    let glob = selector.glob();
    let paths_match = |side: Side| match side {
        Side::Input => graph.inputs().any(|(path, _)| selector.matches_path(path)),
        Side::Output => graph.outputs().any(|(path, _)| selector.matches_path(path)),
        Side::Scope => false,
    };
    match selector.side() {
        Side::Scope => scope_hints(glob, graph, &mut hints),
        Side::Input => {
            if paths_match(Side::Output) {
                hints.push(format!("outputs have this path: `output:{glob}`"));
            }
            if !graph.inputs().any(|(path, _)| selector.matches_path(path)) {
                hints.push("JAX drops arguments that the step does not use".into());
            }
        }
        Side::Output if paths_match(Side::Input) => {
            hints.push(format!(
                "inputs have this path: `input:{glob}`; the updated value is an output, often below `result.0`"
            ));
        }
        Side::Output => {}
    }
    if let ([name], true) = (core, selector.side() != Side::Scope)
        && scope_names(graph).contains(&name.as_str())
    {
        hints.push(format!("a scope has this name: `scope:{name}`"));
    }
    let no_scopes = scope_paths(graph).next().is_none();
    let numbered = graph.inputs().len() > 0 && graph.inputs().all(|(path, _)| is_numbered(path));
    if (selector.side() == Side::Scope && no_scopes) || (selector.side() == Side::Input && numbered) {
        hints.push("the text holds no names: print it with `lowered.as_text(debug_info=True)`".into());
    }
    hints
}

fn scope_hints(glob: &str, graph: &TrainingGraph, hints: &mut Vec<String>) {
    let (mut is_operation, mut is_function) = (false, false);
    let called = format!("({glob})");
    for path in scope_paths(graph).filter(|path| path.contains(glob)) {
        let path = ScopePath::parse(path);
        is_operation |= path.written.last() == Some(&glob);
        is_function |= path.written.iter().any(|written| written.starts_with("jit") && written.contains(&called));
    }
    if is_operation {
        hints.push(format!("`{glob}` is the name of an operation, not of a scope"));
    }
    if is_function {
        hints
            .push(format!("`{glob}` is a jitted function and not a scope; `scope:jit({glob})` selects its operations"));
    }
    let on_side = |(path, _): (&PytreePath, _)| path.segments().iter().any(|segment| &**segment == glob);
    if graph.inputs().any(on_side) {
        hints.push(format!("inputs have this name: `input:**.{glob}.**`"));
    }
    let place = graph
        .operations()
        .iter()
        .find_map(|operation| graph.frames(operation.place).find(|place| place.function.as_deref() == Some(glob)));
    if let Some(place) = place {
        hints.push(format!(
            "`{glob}` is a function at {place}; wrap its body in `with jax.named_scope(\"{glob}\"):` to mark its operations"
        ));
    } else if graph.functions().iter().any(|function| &*function.name == glob) && !is_function {
        hints.push(format!("`@{glob}` is a function of the module, not a scope"));
    }
}

/// `arg0`, `arg12`: the names that are left where the text has none.
fn is_numbered(path: &PytreePath) -> bool {
    let digits = path.root().and_then(|root| root.strip_prefix("arg"));
    path.segments().len() == 1
        && digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GraphBuilder, OperationKind};

    fn graph() -> TrainingGraph {
        let mut step = GraphBuilder::new("step");
        let beliefs = step.input("params.beliefs.w", "tensor<8xf32>");
        let desires = step.input("params.desires.w", "tensor<8xf32>");
        let score = step.scope("jit(step)", |step| {
            step.scope("jit(squash)", |step| step.add(OperationKind::Tanh, &[beliefs]));
            step.scope("jvp(probe_reward)", |step| step.add(OperationKind::Tanh, &[beliefs]))
        });
        step.output("result.0.beliefs.w", beliefs);
        step.output("result.0.desires.w", score);
        step.output("result.1.td", desires);
        step.finish().expect("a graph")
    }

    fn near(selector: &str) -> Nearest {
        nearest(&Selector::parse(selector).expect(selector), &graph())
    }

    #[test]
    fn the_edit_distance_is_a_distance() {
        for (a, b, distance) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("é", "e", 1), ("ab", "ba", 2)]
        {
            assert_eq!((edit_distance(a, b), edit_distance(b, a)), (distance, distance));
        }
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        assert_eq!(near("scope:prob_reward").selectors, ["scope:probe_reward"]);
        assert_eq!(near("output:**.belief.**").selectors[0], "output:**.beliefs.**");
        assert_eq!(near("input:param.beliefs.**").selectors[0], "input:params.beliefs.**");
        assert_eq!(near("rollout:scope:probe").selectors, ["rollout:scope:probe_reward"]);
    }

    #[test]
    fn where_nothing_is_near_the_top_is_shown() {
        assert_eq!(near("output:**.xyzzy").selectors, ["output:result.0.**", "output:result.1.**"]);
        assert_eq!(near("scope:xyzzy").selectors, ["scope:probe_reward"]);
    }

    #[test]
    fn what_is_suggested_does_match() {
        for selector in ["input:**.x.**", "output:foo", "scope:p", "output:**", "output:**.w.w.w.w.w.w"] {
            for suggestion in near(selector).selectors {
                let suggestion = Selector::parse(&suggestion).expect("a selector");
                assert!(!suggestion.resolve(&graph()).is_empty(), "{selector}: {suggestion}");
            }
        }
    }

    #[test]
    fn the_hint_says_which_side_a_name_is_on() {
        let hints = |selector| near(selector).hints.join("; ");
        assert!(hints("output:params.beliefs.**").contains("`input:params.beliefs.**`"));
        assert!(hints("input:result.1.td").contains("`output:result.1.td`"));
        assert!(hints("input:nothing").contains("JAX drops arguments"));
        assert!(hints("input:probe_reward").contains("`scope:probe_reward`"));
        assert!(hints("scope:tanh").contains("name of an operation"));
        assert!(hints("scope:squash").contains("`scope:jit(squash)`"));
        assert!(hints("scope:beliefs").contains("`input:**.beliefs.**`"));
    }

    #[test]
    fn a_text_without_names_is_recognised() {
        let mut step = GraphBuilder::new("step");
        let x = step.input("arg0", "tensor<8xf32>");
        step.output("result", x);
        let graph = step.finish().expect("a graph");
        for selector in ["scope:probe", "input:params.**"] {
            let hints = nearest(&Selector::parse(selector).expect("a selector"), &graph).hints;
            assert!(hints.iter().any(|hint| hint.contains("debug_info=True")), "{hints:?}");
        }
    }
}
