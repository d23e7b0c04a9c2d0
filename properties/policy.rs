//! Laws of policies and selectors.

use openloop::graph::{GraphBuilder, OperationKind, PairingOverride, PytreePath, TrainingGraph, ValueId};
use openloop::policy::{Date, FlowPolicy, Selector, first_policy, nearest};
use proptest::prelude::*;

/// The definition of `**`, written as it is said: exponential, and obviously right.
fn naive(pattern: &[&str], segments: &[&str]) -> bool {
    match (pattern.split_first(), segments.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((&"**", rest)), _) => (0..=segments.len()).any(|taken| naive(rest, &segments[taken..])),
        (Some(_), None) => false,
        (Some((first, pattern)), Some((segment, segments))) => {
            let (first, segment): (Vec<char>, Vec<char>) = (first.chars().collect(), segment.chars().collect());
            naive_segment(&first, &segment) && naive(pattern, segments)
        }
    }
}

fn naive_segment(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|taken| naive_segment(rest, &text[taken..])),
        (Some(('?', pattern)), Some((_, text))) => naive_segment(pattern, text),
        (Some((expected, pattern)), Some((found, text))) => expected == found && naive_segment(pattern, text),
        _ => false,
    }
}

fn segment_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("**".to_string()),
        6 => "[abé?]{0,2}\\*?[abé?]{1,2}\\*?",
        2 => "[ab]",
        1 => Just("*".to_string()),
    ]
}

proptest! {
    /// forall pattern, path. the matcher == the definition
    #[test]
    fn the_matcher_is_the_definition(
        pattern in prop::collection::vec(segment_pattern(), 1..7),
        path in prop::collection::vec("[abé]{1,3}", 0..8),
    ) {
        let selector = Selector::parse(&format!("input:{}", pattern.join("."))).expect("a selector");
        let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        prop_assert_eq!(selector.matches_path(&PytreePath::new(path.clone())), naive(&pattern, &segments));
    }

    /// forall pattern, scopes. a scope matches iff some run of its components, side by side, is as the pattern says
    #[test]
    fn scopes_match_runs_of_components(
        pattern in prop::collection::vec(segment_pattern(), 1..5),
        scopes in prop::collection::vec("[abé]{1,3}", 0..6),
    ) {
        let selector = Selector::parse(&format!("scope:{}", pattern.join("/"))).expect("a selector");
        let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
        let segments: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let runs = (0..=segments.len()).flat_map(|from| (from..=segments.len()).map(move |to| (from, to)));
        let expected = runs.into_iter().any(|(from, to)| naive(&pattern, &segments[from..to]));
        let written = scopes.iter().map(|scope| format!("jvp({scope})")).chain(["mul".to_string()]).collect::<Vec<_>>();
        prop_assert_eq!(selector.matches_scope(&written.join("/")), expected);
    }

    /// forall one segment in ASCII. the matcher == globset
    #[test]
    fn one_segment_is_matched_as_globset_does(pattern in "[ab.?]{0,3}\\*?[ab?]{1,3}\\*?", text in "[ab]{0,8}") {
        let pattern = pattern.replace('.', "");
        let selector = Selector::parse(&format!("input:{pattern}")).expect("a selector");
        let oracle = globset::Glob::new(&pattern).expect("a glob").compile_matcher();
        prop_assert_eq!(selector.matches_path(&PytreePath::new([text.as_str()])), oracle.is_match(&text));
    }

    /// forall path. the selector made of a path's own text selects it, and its group is a prefix of it
    #[test]
    fn a_path_selects_itself(segments in prop::collection::vec("\\PC{1,4}", 1..5)) {
        // Space around a pattern is dropped, so a name that begins or ends with some needs quotes.
        prop_assume!(segments[0].trim_start() == segments[0]);
        prop_assume!(segments.last().is_some_and(|last| last.trim_end() == last));
        prop_assume!(segments.iter().all(|segment| !segment.contains('?')));
        let path = PytreePath::new(segments);
        for below in ["", ".**"] {
            let selector = Selector::parse(&format!("output:{path}{below}")).expect("a selector");
            prop_assert!(selector.matches_path(&path), "{selector}");
            prop_assert!(path.starts_with(&selector.group_of(&path)));
        }
    }

    /// forall text. reading it as a selector does not panic, and what is read is written back
    #[test]
    fn any_text_is_read_as_a_selector_without_a_panic(text in "(scope:|input:|output:|g:input:)?[a-c.*?/()\\[\\]\"'\\\\:é ]{0,14}") {
        if let Ok(selector) = Selector::parse(&text) {
            prop_assert_eq!(Selector::parse(selector.as_str()), Ok(selector.clone()));
            let path = PytreePath::parse(&text);
            selector.matches_path(&path);
            selector.matches_scope(&text);
            selector.group_of(&path);
        }
    }

    /// forall damaged policy. reading it does not panic, and an error lies in the text
    #[test]
    fn damaged_policies_are_refused_without_a_panic(
        which in 0..POLICIES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), edit()), 1..4),
    ) {
        let mut text: Vec<char> = POLICIES[which].chars().collect();
        for (at, length, inserted) in edits {
            let at = at.index(text.len() + 1);
            let length = length.index(8).min(text.len() - at);
            text.splice(at..at + length, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = FlowPolicy::parse(&text) {
            prop_assert!(!error.message.is_empty());
            prop_assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1, "{}", error);
            prop_assert!(error.span.is_some_and(|span| span.start <= text.len()));
        }
    }

    /// forall days. order and text agree; a day comes back from its text
    #[test]
    fn days_are_ordered_as_their_texts(a in 0u64..300_000_000_000, b in 0u64..300_000_000_000) {
        let (a, b) = (Date::from_unix_seconds(a), Date::from_unix_seconds(b));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        prop_assert_eq!(Date::parse(&a.to_string()), Some(a));
    }

    /// forall graph. `init` writes a policy that parses and matches, or one that asks to name the probe
    #[test]
    fn a_first_policy_is_a_policy_of_its_graph(graph in graphs()) {
        let carried = graph.carried_pairs(&PairingOverride::default());
        let text = first_policy(&graph, "step.mlir", carried.as_ref());
        match FlowPolicy::parse(&text) {
            Ok(policy) => {
                for entry in policy.invariants() {
                    for selector in entry.from.iter().chain(&entry.to) {
                        prop_assert!(!selector.resolve(&graph).is_empty(), "{} matches nothing\n{}", selector, text);
                    }
                }
                for selector in policy.requires().iter().flat_map(|entry| entry.from.iter().chain(&entry.to)) {
                    prop_assert!(!selector.resolve(&graph).is_empty(), "{} matches nothing\n{}", selector, text);
                }
            }
            Err(error) => {
                prop_assert!(error.message.contains("denies nothing"), "{}\n{}", error, text);
                prop_assert!(text.contains("No scope looks like a probe") || text.contains("# fill in"), "{}", text);
            }
        }
    }

    /// forall graph, selector. what is suggested instead matches
    #[test]
    fn what_is_suggested_matches(graph in graphs(), name in "[a-z]{1,8}", side in 0..3usize) {
        let selector = Selector::parse(&format!("{}:{name}", ["scope", "input", "output"][side])).expect("a selector");
        for suggestion in nearest(&selector, &graph).selectors {
            let suggestion = Selector::parse(&suggestion).expect("a selector");
            prop_assert!(!suggestion.resolve(&graph).is_empty(), "{}", suggestion);
        }
    }

    /// forall graph, selectors. the union picks what some selector picks, and nothing else
    #[test]
    fn a_list_is_the_union(graph in graphs(), names in prop::collection::vec("(scope|input|output):[a-z*]{0,3}\\*[a-z]{0,2}", 0..4)) {
        let selectors: Vec<Selector> = names.iter().filter_map(|name| Selector::parse(name).ok()).collect();
        let union = Selector::resolve_all(&selectors, &graph);
        let each: Vec<_> = selectors.iter().map(|selector| selector.resolve(&graph)).collect();
        let sorted = |mut list: Vec<usize>| { list.sort_unstable(); list.dedup(); list };
        prop_assert_eq!(union.inputs, sorted(each.iter().flat_map(|one| one.inputs.clone()).collect()));
        prop_assert_eq!(union.outputs, sorted(each.iter().flat_map(|one| one.outputs.clone()).collect()));
        let mut operations: Vec<_> = each.iter().flat_map(|one| one.operations.clone()).collect();
        operations.sort_unstable();
        operations.dedup();
        prop_assert_eq!(union.operations, operations);
    }
}

const POLICIES: [&str; 3] = [
    include_str!("../fixtures/policies/whole.toml"),
    include_str!("../fixtures/policies/system.toml"),
    include_str!("../fixtures/policies/brainlike.toml"),
];

fn edit() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[\\[\\]\"'=.:#\n é*0-9a-z,{}\\\\]{1,6}",
        Just("[[".to_string()),
        Just("\"\"\"".to_string()),
        Just("[carried]\n".to_string()),
        Just("1979-05-27".to_string()),
        Just("{ a = 1 }".to_string()),
    ]
}

/// Steps with a few parameters under names that may or may not tell something.
fn graphs() -> impl Strategy<Value = TrainingGraph> {
    let name = || {
        prop::sample::select(vec![
            "beliefs",
            "desires",
            "world_model",
            "value",
            "attn",
            "probe",
            "w",
            "a.b",
            "it's",
            "x*y",
            "q?",
            "\"",
            "",
            " ",
            "count",
            "mu",
            "é\u{7}",
            "heads",
        ])
    };
    let path = (prop::sample::select(vec!["params", "opt_state", "rng"]), prop::collection::vec(name(), 0..4));
    let scope = prop::sample::select(vec![
        "probe_reward",
        "world",
        "jvp(probe)",
        "reward",
        "a*b",
        "o(dd",
        "while",
        "jit(f)",
        " ",
        "x:y",
        "\"q\"",
        "monitor/inner",
        "",
    ]);
    let paths = prop::collection::btree_set(path, 1..8);
    (paths, prop::collection::vec(scope, 0..4), any::<bool>()).prop_map(|(paths, scopes, metric)| {
        let mut step = GraphBuilder::new("step");
        let values: Vec<(Vec<String>, ValueId)> = paths
            .iter()
            .map(|(root, tail)| {
                let segments: Vec<String> = std::iter::once(root).chain(tail).map(ToString::to_string).collect();
                let value = step.input(PytreePath::new(segments.iter().map(String::as_str)), "tensor<4xf32>");
                (segments, value)
            })
            .collect();
        for scope in scopes {
            step.scope(scope, |step| step.add(OperationKind::Tanh, &[values[0].1]));
        }
        for (segments, value) in &values {
            let segments = std::iter::once("result").chain(segments.iter().map(String::as_str));
            step.output(PytreePath::new(segments), *value);
        }
        if metric {
            let loss = step.constant("0.0", "tensor<f32>");
            step.output("result.beliefs.loss", loss);
        }
        step.finish().expect("a graph")
    })
}
