//! Programs with mistakes: whatever can be read is run to its end or refused, without a panic and within memory.
//!
//! Small correct programs are spoilt at random: extents, attributes, element types, operands, names of operations.

use std::panic::{AssertUnwindSafe, catch_unwind};

use openloop::exec::{ExecError, InputGenerator, Program, Tensor};
use openloop::graph::{FunctionId, OperationKind, TrainingGraph};
use openloop::index::Id;

use super::corpus;

/// How many spoilt programs are run.
const CASES: usize = 3000;

/// A generator that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }

    /// One of the items; the default if there are none.
    fn choose<T: Clone + Default>(&mut self, items: &[T]) -> T {
        if items.is_empty() { T::default() } else { items[self.below(items.len())].clone() }
    }
}

/// Correct programs, a function in each, with the rest of their module.
fn programs() -> Vec<String> {
    let mut texts = Vec::new();
    for folder in ["fixtures/spec", "fixtures/zoo"] {
        let entries = std::fs::read_dir(corpus::root().join(folder)).expect("the folder is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
        paths.sort();
        for path in paths {
            let name = corpus::name(&path);
            if name.ends_with(".nodebug.mlir") || (folder == "fixtures/spec" && name.ends_with(".mlir")) {
                texts.push(String::from_utf8(corpus::bytes(&path)).expect("text"));
            }
        }
    }
    assert!(texts.len() >= 20, "only {} programs", texts.len());
    texts
}

/// Where words of a kind are: the spans that `is_part` holds for, and that begin with `begins`.
fn words(text: &str, begins: impl Fn(&[u8], usize) -> bool, is_part: impl Fn(u8) -> bool) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if begins(bytes, at) {
            let end = (at + 1..bytes.len()).find(|&end| !is_part(bytes[end])).unwrap_or(bytes.len());
            found.push((at, end));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// Changes one thing.
fn spoil(text: &str, random: &mut Random) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    let numbers = || {
        let begins = |bytes: &[u8], at: usize| {
            (bytes[at].is_ascii_digit() || bytes[at] == b'-')
                && at > 0
                && !is_name(bytes[at - 1])
                && bytes[at - 1] != b'%'
        };
        words(text, begins, |byte| byte.is_ascii_digit())
    };
    let types = || words(text, |bytes, at| bytes[at..].starts_with(b"tensor<"), |byte| byte != b'>');
    let values = || words(text, |bytes, at| bytes[at] == b'%', is_name);
    let operations = || words(text, |bytes, at| bytes[at..].starts_with(b"stablehlo."), is_name);
    let elements = ["i1", "i4", "i32", "ui8", "ui64", "f8E4M3FN", "bf16", "f32", "complex<f32", "i64", "index"];
    let (spans, replacement): (_, String) = match random.below(8) {
        0..=2 => {
            let values = [
                "0",
                "1",
                "2",
                "3",
                "5",
                "-1",
                "-3",
                "64",
                "10000000000",
                "9223372036854775807",
                "-9223372036854775808",
            ];
            (numbers(), random.choose(&values).into())
        }
        3 => {
            let extents = [
                "",
                "0x",
                "1x",
                "2x",
                "3x2x",
                "2x2x2x",
                "1000000x1000000x",
                "0x10000000000x",
                "4294967296x4294967296x",
            ];
            (types(), format!("tensor<{}{}", random.choose(&extents), random.choose(&elements)))
        }
        4 => {
            // An extent more or less, the rest as it is.
            let spans = types();
            let (from, to) = random.choose(&spans);
            let inside = text[from..to].strip_prefix("tensor<").unwrap_or_default();
            let changed = match random.below(3) {
                0 => format!("{}x{inside}", random.below(4)),
                1 => inside.split_once('x').map_or(inside, |(_, rest)| rest).to_string(),
                _ => {
                    format!("{}{}", inside.rsplit_once('x').map_or("", |(shape, _)| shape), "x").replace("x", "x1x")
                        + "f32"
                }
            };
            (vec![(from, to)], format!("tensor<{changed}"))
        }
        5 => {
            let spans = values();
            let (from, to) = random.choose(&spans);
            (values(), text[from..to].to_string())
        }
        6 => {
            let spans = operations();
            let (from, to) = random.choose(&spans);
            (operations(), text[from..to].to_string())
        }
        _ => (words(text, |bytes, at| bytes[at] == b',', |_| false), " ".into()),
    };
    if spans.is_empty() {
        return text.to_string();
    }
    let (from, to) = random.choose(&spans);
    format!("{}{replacement}{}", &text[..from], &text[to..])
}

/// Runs every function that needs no luck to come to an end.
fn run_all(graph: &TrainingGraph) -> (usize, usize) {
    let (mut runs, mut errors) = (0, 0);
    let generator = InputGenerator::new(graph, 0);
    for position in 0..graph.functions().len() {
        let function = FunctionId::new(position);
        let has_loop = graph
            .operations()
            .ids()
            .any(|id| matches!(graph.operation(id).kind, OperationKind::While | OperationKind::Scan));
        let count = graph.arguments(graph.function(function).body).len();
        let inputs: Option<Vec<Tensor<f64>>> = (0..count).map(|input| generator.input(function, input)).collect();
        let Some(inputs) = inputs.filter(|_| !has_loop) else { continue };
        let outcome: Result<_, ExecError> =
            Program::of_function(graph, function).and_then(|program| program.run(inputs));
        runs += 1;
        if let Err(error) = outcome {
            errors += 1;
            assert!(!error.message.is_empty());
            assert!(error.operation.is_none() || error.text_line > 0, "{error} has no place");
        }
    }
    (runs, errors)
}

#[test]
fn programs_with_mistakes_are_run_or_refused() {
    let programs = programs();
    let mut random = Random(1);
    let (mut runs, mut errors) = (0, 0);
    for case in 0..CASES {
        let mut text = random.choose(&programs);
        for _ in 0..=random.below(3) {
            text = spoil(&text, &mut random);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| match openloop::capture::read(text.as_bytes()) {
            Ok(graph) => run_all(&graph),
            Err(_) => (0, 0),
        }));
        let (ran, refused) = outcome.unwrap_or_else(|_| panic!("case {case} panics:\n{text}"));
        runs += ran;
        errors += refused;
    }
    assert!(runs >= CASES / 4 && errors >= CASES / 40, "only {runs} runs and {errors} errors");
}
