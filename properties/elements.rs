//! Which element depends on which: what the refined labels say, and what perturbing single elements in the interpreter shows.

use openloop::exec::{Element, ExecError, Program, Tensor, TensorShape, encode_float};
use openloop::flow::refined::{Assumed, Question, refine_from};
use openloop::flow::{Crossings, Port, Sources, System};
use openloop::graph::{TrainingGraph, ValueId};
use openloop::lattice::{Elements, Intervals};
use openloop::transfer::images::extents;
use openloop::verdict::Within;

/// For each output its elements in row-major order.
pub type Pattern = Vec<Vec<bool>>;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// Small integers around the bounds of indices; floats with what is special about them.
    pub fn words(&mut self, element: Element) -> Vec<u64> {
        let drawn = self.next();
        let float = |drawn: u64| match drawn % 8 {
            0 => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0][(drawn >> 8) as usize % 4],
            1 => 0.0,
            2 => 1.0,
            _ => ((drawn >> 8) % 4096) as f64 / 512.0 - 4.0,
        };
        match element {
            Element::Boolean => vec![drawn & 1],
            Element::Float(kind) => vec![encode_float(kind, float(drawn))],
            Element::Complex(kind) => vec![encode_float(kind, float(drawn)), encode_float(kind, float(self.next()))],
            _ if drawn % 8 == 0 => vec![drawn >> 8],
            _ => vec![((drawn >> 8) % 8).wrapping_sub(2)],
        }
    }

    pub fn tensor(&mut self, shape: &TensorShape) -> Tensor<f64> {
        let count: usize = shape.shape.iter().product();
        let words: Vec<u64> = (0..count).flat_map(|_| self.words(shape.element)).collect();
        Tensor::from_bits(shape, &words).expect("as many words as elements")
    }
}

/// Every index of a shape, in row-major order.
pub fn indices(extents: &[u64]) -> Vec<Vec<u64>> {
    let mut all = vec![Vec::new()];
    for extent in extents {
        all = all.iter().flat_map(|index: &Vec<u64>| (0..*extent).map(|at| [&index[..], &[at]].concat())).collect();
    }
    all
}

/// The elements of a set, in row-major order.
pub fn listed(elements: &Elements, extents: &[u64]) -> Vec<bool> {
    let holds = |set: &Intervals, at: u64| set.as_slice().iter().any(|(start, end)| (*start..*end).contains(&at));
    let is_in = |index: Vec<u64>| match elements {
        Elements::All => true,
        Elements::Boxes(cells) => cells.iter().any(|cell| cell.iter().zip(&index).all(|(set, at)| holds(set, *at))),
    };
    indices(extents).into_iter().map(is_in).collect()
}

/// The extents of a tensor of a fixed shape.
pub fn shape(graph: &TrainingGraph, value: ValueId) -> Option<Vec<u64>> {
    extents(graph, value)
}

/// Where two runs may differ that differ in this one element of an input; none if a shape is not fixed.
pub fn labelled(graph: &TrainingGraph, input: usize, index: &[u64]) -> Option<Pattern> {
    let system = System::new([graph]);
    let sources = Sources::default();
    let assumed = Assumed::default();
    let counted = Crossings::within(Within::Step);
    let question = Question { sources: &sources, counted, assumed: &assumed, ends: &[], cut: &[] };
    let element = Elements::cell(index.iter().map(|at| Intervals::range(*at, at + 1)));
    let begin = [(Port { graph: 0, position: input }, element)];
    let leak = refine_from(&system, &question, &begin).expect("within all bounds").leak;
    let outputs = graph.outputs().zip(&leak.outputs[0]);
    outputs
        .map(|((_, value), nodes)| {
            let mut all = Elements::none();
            nodes.iter().for_each(|node| all.join(&leak.nodes[*node as usize].elements));
            Some(listed(&all, &shape(graph, value)?))
        })
        .collect()
}

/// Runs of a step from several inputs, and the bits of what they give.
pub struct Runs<'p, 'g> {
    program: &'p Program<'g, f64>,
    shapes: Vec<TensorShape>,
    bases: Vec<(Vec<Tensor<f64>>, Vec<Vec<u64>>)>,
}

fn bits(outputs: &[Tensor<f64>]) -> Vec<Vec<u64>> {
    outputs.iter().map(Tensor::to_bits).collect()
}

impl<'p, 'g> Runs<'p, 'g> {
    /// None if an input is no tensor of a fixed shape.
    pub fn new(program: &'p Program<'g, f64>, random: &mut Random, count: usize) -> Option<Result<Self, ExecError>> {
        let graph = program.graph();
        let shape = |(_, value): (_, ValueId)| TensorShape::of(graph.tensor_type(value)?);
        let shapes: Vec<TensorShape> = graph.inputs().map(shape).collect::<Option<_>>()?;
        let mut bases = Vec::with_capacity(count);
        for _ in 0..count {
            let inputs: Vec<_> = shapes.iter().map(|shape| random.tensor(shape)).collect();
            match program.run(inputs.clone()) {
                Ok(outputs) => bases.push((inputs, bits(&outputs))),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(Runs { program, shapes, bases }))
    }

    /// Where the outputs change if an element of an input does.
    pub fn changed(
        &self,
        input: usize,
        position: usize,
        random: &mut Random,
        tries: usize,
    ) -> Result<Pattern, ExecError> {
        let shape = &self.shapes[input];
        let mut changed: Pattern = Vec::new();
        for (inputs, before) in &self.bases {
            for _ in 0..tries {
                let mut inputs = inputs.clone();
                let mut words = inputs[input].to_bits();
                let drawn = random.words(shape.element);
                words[position * drawn.len()..][..drawn.len()].copy_from_slice(&drawn);
                inputs[input] = Tensor::from_bits(shape, &words).expect("the same shape");
                let outputs = self.program.run(inputs)?;
                let after = bits(&outputs);
                changed.resize(after.len(), Vec::new());
                for ((changed, tensor), (before, after)) in
                    changed.iter_mut().zip(&outputs).zip(before.iter().zip(&after))
                {
                    let count = tensor.element_count();
                    changed.resize(count, false);
                    let width = after.len() / count.max(1);
                    for (at, changed) in changed.iter_mut().enumerate() {
                        let words = at * width..(at + 1) * width;
                        *changed |= before[words.clone()] != after[words];
                    }
                }
            }
        }
        Ok(changed)
    }
}

/// How one pattern fits another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Elements of inputs that were asked for.
    pub asked: usize,
    /// Those for which the labels are what was seen, exactly.
    pub equal: usize,
    /// Dependences that were seen.
    pub seen: usize,
    /// Dependences that labels have and nobody saw.
    pub more: usize,
}

impl Fit {
    pub fn add(&mut self, seen: &Pattern, labelled: &Pattern) {
        let pairs = || seen.iter().flatten().zip(labelled.iter().flatten());
        self.asked += 1;
        self.equal += usize::from(pairs().all(|(seen, labelled)| seen == labelled));
        self.seen += pairs().filter(|(seen, _)| **seen).count();
        self.more += pairs().filter(|(seen, labelled)| **labelled && !**seen).count();
    }

    pub fn join(&mut self, other: Fit) {
        self.asked += other.asked;
        self.equal += other.equal;
        self.seen += other.seen;
        self.more += other.more;
    }
}

/// Perturbs each element of each input of a step: the labels must hold all that changes.
///
/// None if it cannot be run or a shape is not fixed.
pub fn compare(graph: &TrainingGraph, random: &mut Random, (bases, tries): (usize, usize), text: &str) -> Option<Fit> {
    let program = Program::<f64>::new(graph).ok()?;
    let runs = Runs::new(&program, random, bases)?.ok()?;
    let mut fit = Fit::default();
    for (input, (_, value)) in graph.inputs().enumerate() {
        for (position, index) in indices(&shape(graph, value)?).iter().enumerate() {
            let labelled = labelled(graph, input, index)?;
            let seen = runs.changed(input, position, random, tries).ok()?;
            let missed: Vec<(usize, usize)> = (0..seen.len())
                .flat_map(|output| (0..seen[output].len()).map(move |element| (output, element)))
                .filter(|(output, element)| seen[*output][*element] && !labelled[*output][*element])
                .collect();
            assert!(
                missed.is_empty(),
                "input {input} at {index:?} changes (output, element) {missed:?}, and has no label there, in\n{text}"
            );
            fit.add(&seen, &labelled);
        }
    }
    Some(fit)
}
