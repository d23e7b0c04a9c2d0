//! The reader: two forms of one step are one graph; whatever the bytes, there is a graph or a clear error.

use openloop::capture::{CaptureError, read};
use openloop::graph::{OperationKind, TrainingGraph};
use openloop::index::Id;
use proptest::prelude::*;

use super::corpus;

/// Themes that the reader refuses, and the words in which it does. Nothing that JAX lowers has them.
const REFUSED: &[(&str, &str)] =
    &[("modules", "in a module is not supported"), ("types", "indirect calls are not supported")];

/// Themes of which MLIR's pretty form drops a part (`PRETTY_FORMS.md`, section 4, compact `reduce`: attributes of
/// the inner operation).
const LOSSY: &[&str] = &["locations.attrs", "reductions", "reductions.attrs"];

/// Themes with Shardy's own collectives (`sdy.all_gather` and so on), which a compiler pass makes and JAX does not lower.
/// They are read and kept as unknown; the names of their attributes are not brought together.
const APART: &[&str] = &["sharding", "sharding.attrs"];

#[test]
fn both_forms_of_a_step_are_one_graph() {
    for step in corpus::steps() {
        let pretty = corpus::graph(&step.join("step.mlir"));
        let generic = corpus::graph(&step.join("step.generic.mlir"));
        assert_eq!(pretty.digest(), generic.digest(), "{}", corpus::name(&step));
        assert_same_places(&pretty, &generic, &corpus::name(&step));
    }
}

/// Places are no part of the digest, so they are compared apart.
fn assert_same_places(a: &TrainingGraph, b: &TrainingGraph, name: &str) {
    for (id, operation) in a.operations().iter_enumerated() {
        let frames =
            |graph: &TrainingGraph, place| graph.frames(place).map(|f| (f.to_string(), f.column)).collect::<Vec<_>>();
        let other = b.operation(id).place;
        assert_eq!(frames(a, operation.place), frames(b, other), "{name}: {id:?} {}", a.operation_name(id));
    }
}

#[test]
fn both_forms_of_every_operation_are_one_graph() {
    let mut equal = 0;
    for (pretty, generic) in corpus::zoo() {
        let theme = corpus::name(&pretty);
        let theme = theme.trim_end_matches(".mlir");
        match (read(&corpus::bytes(&pretty)), read(&corpus::bytes(&generic))) {
            (Ok(a), Ok(b)) => {
                assert_eq!(a.digest() == b.digest(), !LOSSY.contains(&theme) && !APART.contains(&theme), "{theme}");
                equal += 1;
            }
            (Err(error), _) | (_, Err(error)) => assert_refusal(theme, &error),
        }
    }
    assert!(equal >= 40, "only {equal} themes are read in both forms");
}

fn assert_refusal(theme: &str, error: &CaptureError) {
    let known = REFUSED.iter().find(|(name, _)| theme.starts_with(name));
    let (_, words) = known.unwrap_or_else(|| panic!("{theme}: {error}"));
    assert!(error.message.contains(words), "{theme}: {error}");
    assert!(error.line > 0 && error.column > 0, "{theme}: {error}");
}

#[test]
fn forms_without_locations_and_with_inline_locations_are_read() {
    for entry in std::fs::read_dir(corpus::root().join("fixtures/zoo")).expect("the zoo is there") {
        let path = entry.expect("a readable folder").path();
        let name = corpus::name(&path);
        let is_other_form = [".nodebug.mlir", ".local.mlir", ".elided.mlir"].iter().any(|end| name.ends_with(end));
        if is_other_form && let Err(error) = read(&corpus::bytes(&path)) {
            assert_refusal(&name, &error);
        }
    }
}

#[test]
fn every_operation_of_the_specification_is_known_by_name() {
    let listed = listed_operations();
    let unknown: Vec<&str> = listed
        .iter()
        .filter_map(|operation| operation["name"].as_str())
        .filter(|name| name.starts_with("stablehlo.") || name.starts_with("chlo."))
        .filter(|name| OperationKind::from_name(name) == OperationKind::Unknown)
        .collect();
    assert!(listed.len() > 150, "only {} operations are listed", listed.len());
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// What MLIR's own definitions of the dialects say of each operation.
fn listed_operations() -> Vec<serde_json::Value> {
    let text = corpus::bytes(&corpus::root().join("fixtures/zoo/operations.json"));
    serde_json::from_slice(&text).expect("a list")
}

#[test]
fn arities_are_those_of_the_dialects() {
    for operation in listed_operations() {
        let name = operation["name"].as_str().expect("a name");
        let kind = OperationKind::from_name(name);
        for (what, arity) in [("operands", kind.operands()), ("results", kind.results()), ("regions", kind.regions())] {
            // A composite with regions is refused: the decomposition stands for it, and nothing says what regions do.
            if (name, what) == ("stablehlo.composite", "regions") {
                continue;
            }
            let bound = |end: &str| operation[what][end].as_u64();
            let most = bound("max").unwrap_or(1000) as usize;
            assert!(arity.allows(most), "{name}: {most} {what}, the table says {arity}");
            if let (Some(most), true) = (bound("max"), kind != OperationKind::Unknown && arity.most != u16::MAX) {
                assert!(!arity.allows(most as usize + 1), "{name}: the table allows more than {most} {what}");
            }
        }
    }
}

#[test]
fn a_graph_reads_its_own_json() {
    for step in corpus::steps() {
        let graph = corpus::graph(&step.join("step.mlir"));
        let again = read(graph.to_json().as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", corpus::name(&step)));
        assert_eq!(again.digest(), graph.digest(), "{}", corpus::name(&step));
    }
}

#[test]
fn a_large_step_is_read_whole() {
    let graph = corpus::graph(&corpus::root().join("benches/inputs/llama_8b.mlir"));
    assert!(graph.operations().len() > 27_000);
    let unknown = graph.operations().iter().filter(|operation| operation.kind == OperationKind::Unknown).count();
    assert_eq!(unknown, 0);
}

/// What is wrong is said with line, column and what was expected.
#[test]
fn errors_say_where_and_what() {
    let cases: &[(&str, usize, usize, &str)] = &[
        (
            "module {\n  func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {\n    return %arg1 : tensor<2xf32>\n  }\n}",
            3,
            12,
            "`%arg1` is not defined here",
        ),
        (
            "module {\n  func.func @main() {\n    %0 = stablehlo.iota dim = : tensor<2xf32>\n  }\n}",
            3,
            31,
            "expected an attribute",
        ),
        (
            "module {\n  func.func @main(%a: tensor<2xf32>) {\n    %0 = stablehlo.negate %a : tensor<3xf32>\n    return\n  }\n}",
            3,
            5,
            "operand 0 of `stablehlo.negate` has type `tensor<2xf32>`, but is used as `tensor<3xf32>`",
        ),
        (
            "module {\n  func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n    return %a : tensor<2xf32>",
            3,
            30,
            "the file ends inside a region",
        ),
        ("hello", 1, 1, "expected `module`, found `hello`"),
        (
            "module {\n  func.func @f(%a: tensor<f32>) -> tensor<f32> {\n    %0 = call @f(%a) : (tensor<f32>) -> tensor<f32>\n    return %0 : tensor<f32>\n  }\n}",
            0,
            0,
            "calls itself",
        ),
    ];
    for (text, line, column, message) in cases {
        let error = read(text.as_bytes()).expect_err(text);
        assert!(error.message.contains(message), "{text}\n{error}");
        let place = (error.line, error.column);
        assert!(place == (*line, *column) || *line == 0, "{text}\n{error}");
    }
    let bytecode = read(b"ML\xefR\x0dStableHLO").expect_err("bytecode");
    assert!(bytecode.message.contains("bytecode") && bytecode.help.is_some_and(|help| help.contains("get_asm")));
    assert!(read(b"").expect_err("empty").message.contains("empty"));
    let invalid = read(b"module {\n \xff }").expect_err("not UTF-8");
    assert_eq!((invalid.line, invalid.column), (2, 2));
}

/// Nesting as deep as the text says costs neither the stack nor quadratic time.
#[test]
fn nesting_of_a_hundred_thousand_is_read_or_refused() {
    const DEEP: usize = 100_000;
    let regions = format!(
        "module {{ func.func @main(%p: tensor<i1>, %x: tensor<f32>) -> tensor<f32> {{ {} return %x : tensor<f32> }} }}",
        "\"stablehlo.if\"(%p) ({ ".repeat(DEEP)
            + "stablehlo.return "
            + &"}, { stablehlo.return }) : (tensor<i1>) -> () stablehlo.return ".repeat(DEEP - 1)
            + "}, { stablehlo.return }) : (tensor<i1>) -> ()"
    );
    let graph = read(regions.as_bytes()).expect("regions nest as deep as memory allows");
    assert!(graph.operations().len() > 2 * DEEP);
    let again = read(graph.to_json().as_bytes()).expect("its JSON form too");
    assert_eq!(again.digest(), graph.digest());

    let wrap = |inside: String| format!("module attributes {{a = {inside}}} {{ func.func @main() {{ return }} }}");
    for (open, close) in
        [("[", "]"), ("{a = ", "}"), ("#x<a = ", ">"), ("tuple<", ">"), ("dense<", ">"), ("array<", ">")]
    {
        let text = wrap(open.repeat(DEEP) + &close.repeat(DEEP));
        let _ = read(text.as_bytes());
        let _ = read(wrap(open.repeat(DEEP)).as_bytes());
    }
    for location in ["\"a\"(".repeat(DEEP), "callsite(".repeat(DEEP), "fused[".repeat(DEEP)] {
        let text = format!("module {{ func.func @main() {{ return loc({location}) }} }}");
        assert!(read(text.as_bytes()).is_err());
    }
    // A chain of aliases, and one that bites its tail.
    let chain: String = (0..DEEP).map(|n| format!("#loc{n} = loc(\"a/b\"(#loc{}))\n", n + 1)).collect();
    let text = format!("{chain}module {{ func.func @main() {{ return loc(#loc0) }} }}\n#loc{DEEP} = loc(#loc0)");
    read(text.as_bytes()).expect("chains of locations are followed without recursion");
}

/// A step of moderate size, to be damaged.
fn sample() -> Vec<u8> {
    corpus::bytes(&corpus::root().join("fixtures/jax/while_on_score/step.mlir"))
}

/// Memory is bounded by the text: ids, names and lists are each a small multiple of what was read.
fn assert_bounded(bytes: &[u8]) {
    if let Ok(graph) = read(bytes) {
        assert!(graph.operations().len() <= bytes.len());
        assert!(graph.values().len() <= bytes.len());
        for id in graph.operations().ids() {
            assert!(graph.operands(id).iter().all(|operand| operand.index() < graph.values().len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_a_graph_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        assert_bounded(&bytes);
    }

    #[test]
    fn a_truncated_file_is_refused(cut in 0usize..100) {
        let text = sample();
        let at = text.len() * cut / 100;
        // The tail of a file is aliases; without them it is a step still, with fewer places.
        assert_bounded(&text[..at]);
    }

    #[test]
    fn a_mutated_file_ends_in_a_graph_or_an_error(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..6), 1..8)
    ) {
        const PIECES: [&[u8]; 12] =
            [b"%", b"\"", b"({", b"}", b"<", b">", b"->", b" : ", b"tensor<", b"#loc1", b"99999999999", b"\xff"];
        let mut text = sample();
        for (place, piece, kind) in changes {
            let at = place.index(text.len());
            match kind {
                0 => { text.remove(at); }
                1 => text[at] = PIECES[piece.index(PIECES.len())][0],
                2 => { let end = (at + 40).min(text.len()); text.drain(at..end); }
                3 => {
                    let from = piece.index(text.len());
                    let copied = text[from..(from + 60).min(text.len())].to_vec();
                    text.splice(at..at, copied);
                }
                _ => { text.splice(at..at, PIECES[piece.index(PIECES.len())].iter().copied()); }
            }
        }
        assert_bounded(&text);
    }

    #[test]
    fn mutated_json_ends_in_a_graph_or_an_error(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..10), 1..6)
    ) {
        let path = corpus::root().join("fixtures/jax/while_on_score/step.mlir");
        let mut text = corpus::graph(&path).to_json().into_bytes();
        for (place, digit) in changes {
            // Digits stand for ids: what they refer to changes, the layout does not.
            let digits: Vec<usize> = (0..text.len()).filter(|&at| text[at].is_ascii_digit()).collect();
            text[digits[place.index(digits.len())]] = b'0' + digit;
        }
        assert_bounded(&text);
    }
}
