//! Small steps as text: what is labelled, and what two runs of the interpreter show.
//!
//! Operations with `loc("step/probe/..")` are source and the output `result.sink` is the sink. Every step that is called
//! clean is also run in pairs that differ in the source alone, and no bit of the sink may differ; every leak that is called
//! shown must differ in some pair.

mod attacks;
mod guards;
mod loops;
mod parts;

use super::*;
use crate::exec::{Element, Hook, Program, Tensor, TensorShape, encode_float};
use crate::graph::{OperationId, PairingOverride, TrainingGraph};
use crate::policy::Selector;
use crate::verdict::Within;

/// So many pairs are run; each from inputs of its own.
const PAIRS: u64 = 200;
/// So many steps, where carried values count.
const STEPS: usize = 3;

/// Reads a step: inputs with name and type, a body, outputs with name, type and value, further functions.
fn step(inputs: &[(&str, &str)], body: &str, outputs: &[(&str, &str, &str)], rest: &str) -> TrainingGraph {
    let join = |parts: Vec<String>| parts.join(", ");
    let arguments = join(inputs.iter().map(|(name, of)| format!("%{name}: tensor<{of}> loc(\"{name}\")")).collect());
    let results = outputs.iter().map(|(name, of, _)| format!("tensor<{of}> {{jax.result_info = \"result.{name}\"}}"));
    let values = join(outputs.iter().map(|(_, _, value)| format!("%{value}")).collect());
    let types = join(outputs.iter().map(|(_, of, _)| format!("tensor<{of}>")).collect());
    let results = join(results.collect());
    let text = format!(
        "module @step {{\n  func.func public @main({arguments}) -> ({results}) {{\n{body}\n    return {values} : \
         {types}\n  }}\n{rest}\n}}\n"
    );
    crate::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn sources_of(graph: &TrainingGraph) -> Vec<OperationId> {
    let found = Selector::parse("scope:probe").expect("a selector").resolve(graph).operations;
    assert!(!found.is_empty(), "no operation is source");
    found
}

fn sinks_of(graph: &TrainingGraph) -> Vec<usize> {
    let found = Selector::parse("output:result.sink").expect("a selector").resolve(graph).outputs;
    assert!(!found.is_empty(), "no output is the sink");
    found
}

/// What is asked of one step.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    run: bool,
    finite: bool,
    binary: &'a [usize],
}

impl Asked<'_> {
    fn refined(&self, graph: &TrainingGraph) -> Refined {
        let mut system = System::new([graph]);
        if self.run {
            system.carry(0, &graph.carried_pairs(&PairingOverride::default()).expect("pairs"));
        }
        let mut sources = Sources::default();
        sources.add(0, sources_of(graph), []);
        let binary = self.binary.iter().map(|position| (0, *position)).collect();
        let assumed = Assumed { finite: self.finite, binary };
        let counted = Crossings::within(if self.run { Within::Run } else { Within::Step });
        let question = Question { sources: &sources, counted, assumed: &assumed, ends: &[], cut: &[] };
        refine(&system, &question).expect("within all bounds")
    }

    fn label(&self, graph: &TrainingGraph) -> Option<Strength> {
        let refined = self.refined(graph);
        sinks_of(graph).into_iter().filter_map(|position| refined.output(Port { graph: 0, position })).max()
    }

    /// Clean, and no pair differs.
    #[track_caller]
    fn holds(&self, graph: &TrainingGraph) {
        assert_eq!(self.label(graph), None, "a false alarm");
        assert_eq!(self.differing_pair(graph), None, "not clean at all");
    }

    /// A leak, and some pair differs.
    #[track_caller]
    fn leaks(&self, graph: &TrainingGraph) {
        assert_eq!(self.label(graph), Some(Strength::Clear), "a leak is missed");
        assert!(self.differing_pair(graph).is_some(), "no pair shows the leak");
    }

    /// The first pair of runs of which the sink differs.
    fn differing_pair(&self, graph: &TrainingGraph) -> Option<u64> {
        let program = Program::<f64>::new(graph).unwrap_or_else(|error| panic!("{error}"));
        let pairs = graph.carried_pairs(&PairingOverride::default()).expect("pairs").pairs;
        let steps = if self.run { STEPS } else { 1 };
        (0..PAIRS).find(|pair| {
            let run = |source: u64| {
                let mut random = Random(pair.wrapping_mul(0x1234_5678_9ABC_DEF1));
                let mut noise = Random(source);
                let mut seen = Vec::new();
                let mut carried: Vec<Option<Tensor<f64>>> = vec![None; graph.inputs().len()];
                for _ in 0..steps {
                    let fresh = graph.inputs().enumerate().map(|(position, (_, value))| {
                        random.tensor(graph, value, self.finite, self.binary.contains(&position))
                    });
                    let inputs = fresh.zip(&carried).map(|(fresh, carried)| carried.clone().unwrap_or(fresh)).collect();
                    let hook = Hook::new(sources_of(graph), |operation, position, result| {
                        let value = graph.results(operation).get(position).expect("a result");
                        *result = noise.tensor(graph, value, self.finite, false);
                    });
                    let outputs = program.run_with(inputs, hook).unwrap_or_else(|error| panic!("{error}"));
                    seen.extend(sinks_of(graph).into_iter().map(|sink| bits(&outputs[sink], self.finite)));
                    for pair in &pairs {
                        carried[pair.input] = Some(outputs[pair.output].clone());
                    }
                }
                seen
            };
            run(2 * pair + 1) != run(2 * pair + 2)
        })
    }
}

/// The bits of all elements; under the assumption of finite operands one zero is as good as the other.
fn bits(tensor: &Tensor<f64>, zeros_are_equal: bool) -> Vec<u64> {
    match tensor {
        Tensor::Float(kind, array) if zeros_are_equal => {
            array.iter().map(|number| encode_float(*kind, *number + 0.0)).collect()
        }
        other => other.to_bits(),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Small integers around the bounds of indices; floats with all that is special about them.
    fn tensor(&mut self, graph: &TrainingGraph, value: ValueId, finite: bool, binary: bool) -> Tensor<f64> {
        let shape = TensorShape::of(graph.tensor_type(value).expect("a tensor")).expect("a known type");
        let count = shape.shape.iter().product();
        let word = |random: &mut Random| {
            let drawn = random.next();
            match shape.element {
                Element::Boolean => drawn & 1,
                Element::Float(kind) if binary => encode_float(kind, (drawn & 1) as f64),
                _ if binary => drawn & 1,
                Element::Float(kind) => encode_float(kind, float(drawn, finite)),
                _ if drawn.is_multiple_of(8) => drawn >> 8,
                _ => ((drawn >> 8) % 12).wrapping_sub(3),
            }
        };
        let words: Vec<u64> = (0..count).map(|_| word(self)).collect();
        Tensor::from_bits(&shape, &words).expect("as many words as elements")
    }
}

fn float(drawn: u64, finite: bool) -> f64 {
    const SPECIAL: [f64; 4] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    match drawn % 8 {
        0 if !finite => SPECIAL[(drawn >> 8) as usize % SPECIAL.len()],
        1 => 0.0,
        2 => 1.0,
        _ => f64::from(((drawn >> 8) % 4096) as u16) / 512.0 - 4.0,
    }
}

#[track_caller]
fn holds(graph: &TrainingGraph) {
    Asked::default().holds(graph);
}

#[track_caller]
fn leaks(graph: &TrainingGraph) {
    Asked::default().leaks(graph);
}

/// A step over eight examples: `s` is source, `y` is not, `out` is the sink.
fn example(body: &str) -> TrainingGraph {
    let inputs = [
        ("x", "8xf32"),
        ("z", "8xf32"),
        ("m", "8xi1"),
        ("route", "8xi32"),
        ("length", "8xi32"),
        ("p", "i1"),
        ("k", "i32"),
    ];
    let begin = "    %s = stablehlo.tanh %x : tensor<8xf32> loc(\"step/probe/tanh\")
    %y = stablehlo.cosine %x : tensor<8xf32>
    %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %i0 = stablehlo.constant dense<0> : tensor<i32>
    %i1 = stablehlo.constant dense<1> : tensor<i32>
    %n = stablehlo.not %m : tensor<8xi1>\n";
    step(&inputs, &format!("{begin}{body}"), &[("sink", "8xf32", "out")], "")
}
