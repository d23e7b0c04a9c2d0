//! What running a step shows: which elements of its outputs change if one element of an input, or what one operation makes,
//! is another.

use std::collections::BTreeSet;

use openloop::exec::{Element, Hook, InputGenerator, Program, Tensor, TensorShape, decode_float, encode_float};
use openloop::graph::{OperationId, OperationKind, TrainingGraph};

/// An element of a tensor in row-major order.
pub type At = usize;

/// Elements of outputs that changed: `(output, element)`.
pub type Changed = BTreeSet<(usize, At)>;

/// What one run, and runs that differ in one place, showed.
pub struct Observed {
    /// The inputs of the run that others are compared with, as integers where they are.
    pub integers: Vec<Option<Vec<i64>>>,
    /// `(input, element, what changed)`.
    pub by_input: Vec<(usize, At, Changed)>,
    /// `(operation, what changed)`: every element that it makes was another, each time that it ran.
    pub by_operation: Vec<(OperationId, Changed)>,
}

/// So many other values each element is given, at most.
pub const VARIANTS: usize = 7;

/// So many elements of one input are changed, each on its own.
const MOST_ELEMENTS: usize = 7;

fn tensor(shape: &TensorShape, words: &[u64]) -> Tensor<f64> {
    Tensor::from_bits(shape, words).expect("the words fit the shape")
}

fn shape_of(tensor: &Tensor<f64>) -> Option<TensorShape> {
    Some(TensorShape { shape: tensor.shape().to_vec(), element: tensor.element()? })
}

/// Other values that an element may have.
fn others(element: Element, word: u64, small: bool) -> Vec<u64> {
    match element {
        Element::Boolean => vec![1 - word],
        Element::Signed(bits) | Element::Unsigned(bits) => {
            let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
            // A loop may count with it.
            let far = if small { word ^ 0x15 } else { !word };
            let all = [word ^ 1, word.wrapping_add(1), word.wrapping_sub(1), 0, word ^ 0x15, far];
            all.iter().map(|word| word & mask).collect()
        }
        Element::Float(kind) | Element::Complex(kind) => {
            let value = decode_float(kind, word);
            let all = [value + 1.37, -value, value * 64.0 + 100.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0];
            all.iter().map(|value| encode_float(kind, *value)).collect()
        }
    }
}

fn words_of(element: Element) -> usize {
    if matches!(element, Element::Complex(_)) { 2 } else { 1 }
}

/// Elements of outputs that differ.
pub fn changed(before: &[Tensor<f64>], after: &[Tensor<f64>]) -> Changed {
    let mut found = Changed::new();
    for (output, (before, after)) in before.iter().zip(after).enumerate() {
        let (Some(element), true) = (before.element(), before.shape() == after.shape()) else {
            if before.shape() != after.shape() {
                found.insert((output, 0));
            }
            continue;
        };
        let (before, after) = (before.to_bits(), after.to_bits());
        let differ = before.iter().zip(&after).enumerate().filter(|(_, (a, b))| a != b);
        found.extend(differ.map(|(at, _)| (output, at / words_of(element))));
    }
    found
}

fn sampled(count: usize) -> impl Iterator<Item = usize> {
    let kept = count.min(MOST_ELEMENTS);
    (0..kept).map(move |index| if kept < 2 { 0 } else { index * (count - 1) / (kept - 1) })
}

/// The elements of a tensor as integers, if they are integers.
fn integers(tensor: &Tensor<f64>) -> Option<Vec<i64>> {
    match tensor {
        Tensor::Boolean(array) => Some(array.iter().map(|bit| i64::from(*bit)).collect()),
        Tensor::Signed(_, array) => Some(array.iter().copied().collect()),
        Tensor::Unsigned(_, array) => array.iter().map(|word| i64::try_from(*word).ok()).collect(),
        _ => None,
    }
}

/// Which inputs a run has: a seed, and which other value of each element is taken; none: the element itself.
pub type Base = (u64, Option<usize>);

/// The inputs from a seed, and all others that are made of them.
pub fn bases(seed: u64) -> impl Iterator<Item = Base> {
    [None].into_iter().chain((0..VARIANTS).map(Some)).map(move |variant| (seed, variant))
}

/// The inputs of a run; none if one of them cannot be made.
pub fn inputs(graph: &TrainingGraph, (seed, variant): Base) -> Option<Vec<Tensor<f64>>> {
    let generator = InputGenerator::new(graph, seed);
    let input = |position| {
        let tensor = generator.input(graph.entry(), position)?;
        variant.map_or(Some(tensor.clone()), |variant| replaced(&tensor, variant).or(Some(tensor)))
    };
    (0..graph.inputs().len()).map(input).collect()
}

/// Every element of a tensor replaced by another value.
pub fn replaced(tensor: &Tensor<f64>, variant: usize) -> Option<Tensor<f64>> {
    let shape = shape_of(tensor)?;
    let words: Vec<u64> = tensor
        .to_bits()
        .iter()
        .map(|word| {
            let others = others(shape.element, *word, true);
            others[variant % others.len()]
        })
        .collect();
    Tensor::from_bits(&shape, &words)
}

/// Runs a step, then with one thing different at a time; none if it cannot be run.
pub fn observe(graph: &TrainingGraph, base: Base) -> Option<Observed> {
    let program = Program::<f64>::new(graph).ok()?;
    let base = inputs(graph, base)?;
    // A loop that cannot count any more would not end.
    let loops = graph.operations().iter().any(|operation| operation.kind == OperationKind::While);
    let before = program.run(base.clone()).ok()?;
    let mut by_input = Vec::new();
    for (position, input) in base.iter().enumerate() {
        let Some(shape) = shape_of(input) else { continue };
        let words = input.to_bits();
        for at in sampled(input.element_count()) {
            let mut all = Changed::new();
            let first = at * words_of(shape.element);
            for (part, word) in (first..first + words_of(shape.element))
                .flat_map(|part| others(shape.element, words[part], loops).into_iter().map(move |word| (part, word)))
            {
                let mut words = words.clone();
                words[part] = word;
                let mut inputs = base.clone();
                inputs[position] = tensor(&shape, &words);
                if let Ok(after) = program.run(inputs) {
                    all.extend(changed(&before, &after));
                }
            }
            by_input.push((position, at, all));
        }
    }
    let mut by_operation = Vec::new();
    for id in graph.operations().ids().filter(|id| !loops && !graph.results(*id).is_empty()) {
        let mut all = Changed::new();
        for variant in 0..VARIANTS {
            let hook = Hook::new([id], |_, _, tensor: &mut Tensor<f64>| {
                if let Some(other) = replaced(tensor, variant) {
                    *tensor = other;
                }
            });
            if let Ok(after) = program.run_with(base.clone(), hook) {
                all.extend(changed(&before, &after));
            }
        }
        by_operation.push((id, all));
    }
    Some(Observed { integers: base.iter().map(integers).collect(), by_input, by_operation })
}

/// The index of an element.
pub fn unravelled(at: At, extents: &[u64]) -> Vec<u64> {
    let mut rest = at as u64;
    let mut index: Vec<u64> = extents
        .iter()
        .rev()
        .map(|extent| {
            let at = rest % extent;
            rest /= extent;
            at
        })
        .collect();
    index.reverse();
    index
}
