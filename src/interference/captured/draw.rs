//! States and inputs of a captured step: drawn from a seed, and made simpler part by part.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::exec::{Element, FloatScalar, InputPlan, Tensor, TensorShape, decode_float, encode_float};
use crate::graph::PytreePath;

/// An input that is drawn.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub graph: usize,
    pub path: PytreePath,
    pub plan: InputPlan,
    /// Every element is 0 or 1: somebody said so.
    pub is_binary: bool,
}

/// Values of several inputs of a captured step: those that are carried, or those that come from outside.
#[derive(Clone)]
pub struct Bundle<S> {
    pub(super) slots: Arc<[Slot]>,
    pub(super) tensors: Vec<Tensor<S>>,
}

/// So many words of a tensor are printed.
const WORDS_PRINTED: usize = 32;

/// Tensors that are not all zero.
impl<S: FloatScalar> fmt::Debug for Bundle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (slot, tensor) in self.slots.iter().zip(&self.tensors) {
            let words = tensor.to_bits();
            if words.iter().all(|&word| word == 0) {
                continue;
            }
            let mut words = words_text(&words);
            if let Some((end, _)) = words.match_indices(' ').nth(WORDS_PRINTED - 1) {
                words.truncate(end);
                words.push_str(" ..");
            }
            map.entry(&format_args!("{}", slot.path), &format_args!("{} {words}", type_text(&slot.plan.r#type)));
        }
        map.finish()
    }
}

/// `f32[2x3]`; `token` where there is no tensor.
pub(super) fn type_text(r#type: &Option<TensorShape>) -> String {
    let Some(r#type) = r#type else { return "token".into() };
    let extents: Vec<String> = r#type.shape.iter().map(usize::to_string).collect();
    format!("{}[{}]", r#type.element, extents.join("x"))
}

/// Words in hexadecimal, equal neighbours counted: `3f800000 0*11`.
pub(super) fn words_text(words: &[u64]) -> String {
    let runs = words.chunk_by(|a, b| a == b);
    let texts =
        runs.map(|run| if run.len() > 1 { format!("{:x}*{}", run[0], run.len()) } else { format!("{:x}", run[0]) });
    texts.collect::<Vec<_>>().join(" ")
}

/// The inverse of [`words_text`], where there are so many words.
pub(super) fn parse_words(text: &str, count: usize) -> Result<Vec<u64>, String> {
    let mut words = Vec::with_capacity(count);
    for item in text.split_whitespace() {
        let (word, times) = item.split_once('*').unwrap_or((item, "1"));
        let word = u64::from_str_radix(word, 16).map_err(|_| format!("`{item}` is no word in hexadecimal"))?;
        let times: usize = times.parse().map_err(|_| format!("`{item}` has no count after the star"))?;
        if times > count - words.len() {
            return Err(format!("there are more than {count} words"));
        }
        words.extend(std::iter::repeat_n(word, times));
    }
    if words.len() < count { Err(format!("there are {} words, not {count}", words.len())) } else { Ok(words) }
}

/// A strategy for the values of inputs.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    pub slots: Arc<[Slot]>,
}

impl Draws {
    /// A tree of tensors that a seed gives.
    pub fn drawn<S: FloatScalar>(&self, seed: u64) -> BundleTree<S> {
        let draw = |(stream, slot): (usize, &Slot)| draw(slot, seed, stream as u64);
        let tensors: Vec<Tensor<S>> = self.slots.iter().enumerate().map(draw).collect();
        BundleTree::new(Bundle { slots: self.slots.clone(), tensors })
    }
}

/// Draws of a scalar.
#[derive(Clone, Debug)]
pub(super) struct DrawsOf<S>(pub Draws, pub std::marker::PhantomData<S>);

impl<S: FloatScalar> Strategy for DrawsOf<S> {
    type Tree = BundleTree<S>;
    type Value = Bundle<S>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = proptest::num::u64::ANY.new_tree(runner)?.current();
        Ok(self.0.drawn(seed))
    }
}

/// A well-mixed word from a word.
pub(super) fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A tensor as its plan draws it; in every second draw some of the tensors are zero, sparse, large, or zeros and ones: masks
/// that are open, heads that are new, scores that are at their bound. What is compared may lack numbers.
pub(super) fn draw<S: FloatScalar>(slot: &Slot, seed: u64, stream: u64) -> Tensor<S> {
    let tensor: Tensor<S> = slot.plan.draw(seed, stream);
    let Some(r#type) = &slot.plan.r#type else { return tensor };
    let choice = mixed(seed ^ mixed(stream));
    let is_plain = seed & 1 == 0;
    let chance = |index: usize| mixed(choice ^ index as u64) & 1 == 1;
    let one = one_of(r#type.element);
    let edited = |edit: &dyn Fn(usize, u64) -> u64| {
        let words: Vec<u64> = tensor.to_bits().into_iter().enumerate().map(|(index, word)| edit(index, word)).collect();
        Tensor::from_bits(r#type, &words).unwrap_or_else(|| tensor.clone())
    };
    if slot.is_binary {
        return edited(&|index, _| if chance(index) { one } else { 0 });
    }
    let is_number = matches!(r#type.element, Element::Float(_) | Element::Signed(_));
    if is_plain || !is_number {
        return tensor;
    }
    match (choice >> 32) % 12 {
        0 => edited(&|_, _| 0),
        1 => edited(&|index, word| if chance(index) { word } else { 0 }),
        2 if matches!(r#type.element, Element::Float(_)) => edited(&|index, _| if chance(index) { one } else { 0 }),
        3 => match r#type.element {
            Element::Float(kind) => edited(&|_, word| encode_float(kind, 8.0 * decode_float(kind, word))),
            _ => tensor,
        },
        4..7 if slot.plan.is_compared => match r#type.element {
            Element::Float(kind) => {
                let nan = encode_float(kind, f64::NAN);
                edited(&|index, word| if chance(index) && chance(!index) { nan } else { word })
            }
            _ => tensor,
        },
        _ => tensor,
    }
}

/// The word of one.
fn one_of(element: Element) -> u64 {
    match element {
        Element::Float(kind) | Element::Complex(kind) => encode_float(kind, 1.0),
        Element::Boolean | Element::Signed(_) | Element::Unsigned(_) => 1,
    }
}

/// What is tried to make a bundle simpler. Words are counted over all tensors.
#[derive(Clone, Debug)]
enum Edit {
    /// All of these words become zero.
    Zero(Range<usize>),
    /// Every element of a tensor becomes one.
    Ones(usize),
    /// A word becomes one.
    One(usize),
    /// A float becomes a whole number.
    Whole(usize),
}

/// Words of some tensors, by position.
type Words = Vec<(usize, Vec<u64>)>;

/// Tensors that become simpler: zero altogether, then tensor by tensor, then in halves down to single words; what
/// cannot be zero becomes one or a whole number.
#[derive(Clone)]
pub(super) struct BundleTree<S> {
    bundle: Bundle<S>,
    words: Vec<Vec<u64>>,
    /// Where the words of each tensor begin, and the end.
    starts: Vec<usize>,
    open: VecDeque<Edit>,
    /// What was done last, and the words before it.
    last: Option<(Edit, Words)>,
}

impl<S: FloatScalar> BundleTree<S> {
    pub fn new(bundle: Bundle<S>) -> Self {
        let words: Vec<Vec<u64>> = bundle.tensors.iter().map(Tensor::to_bits).collect();
        let mut starts = vec![0];
        starts.extend(words.iter().scan(0, |sum, words| {
            *sum += words.len();
            Some(*sum)
        }));
        let all = *starts.last().unwrap_or(&0);
        let open = VecDeque::from([Edit::Zero(0..all)]);
        BundleTree { bundle, words, starts, open, last: None }
    }

    fn tensor_of(&self, word: usize) -> usize {
        // Empty tensors begin where the next one does.
        self.starts.partition_point(|&start| start <= word) - 1
    }

    fn element(&self, tensor: usize) -> Option<Element> {
        self.bundle.slots[tensor].plan.r#type.as_ref().map(|r#type| r#type.element)
    }

    /// The words that an edit is about, and what each becomes.
    fn target(&self, edit: &Edit) -> (Range<usize>, Box<dyn Fn(u64) -> u64>) {
        let single = |word: usize| word..word + 1;
        let one = |tensor: usize| self.element(tensor).map_or(0, one_of);
        match edit {
            Edit::Zero(range) => (range.clone(), Box::new(|_| 0)),
            Edit::Ones(tensor) => {
                let one = one(*tensor);
                (self.starts[*tensor]..self.starts[tensor + 1], Box::new(move |_| one))
            }
            Edit::One(word) => {
                let one = one(self.tensor_of(*word));
                (single(*word), Box::new(move |_| one))
            }
            Edit::Whole(word) => match self.element(self.tensor_of(*word)) {
                Some(Element::Float(kind) | Element::Complex(kind)) => {
                    (single(*word), Box::new(move |word| encode_float(kind, decode_float(kind, word).round())))
                }
                _ => (single(*word), Box::new(|word| word)),
            },
        }
    }

    /// Does an edit. Whether it changed anything.
    fn apply(&mut self, edit: Edit) -> bool {
        let (range, becomes) = self.target(&edit);
        let mut before = Words::new();
        if !range.is_empty() {
            for tensor in self.tensor_of(range.start)..=self.tensor_of(range.end - 1) {
                let start = self.starts[tensor];
                let inside = range.start.max(start) - start..range.end.min(self.starts[tensor + 1]) - start;
                let mut words = self.words[tensor].clone();
                words[inside].iter_mut().for_each(|word| *word = becomes(*word));
                if words != self.words[tensor] {
                    before.push((tensor, self.put(tensor, words)));
                }
            }
        }
        let changed = !before.is_empty();
        self.last = changed.then_some((edit, before));
        changed
    }

    /// Puts words into a tensor and gives those that were there.
    fn put(&mut self, tensor: usize, words: Vec<u64>) -> Vec<u64> {
        if let Some(r#type) = &self.bundle.slots[tensor].plan.r#type
            && let Some(made) = Tensor::from_bits(r#type, &words)
        {
            self.bundle.tensors[tensor] = made;
        }
        std::mem::replace(&mut self.words[tensor], words)
    }

    /// What is tried where an edit went too far.
    fn smaller(&mut self, edit: Edit) {
        let Edit::Zero(range) = edit else { return };
        let (first, last) = (self.tensor_of(range.start), self.tensor_of(range.end - 1));
        if range.len() == 1 {
            self.open.extend([Edit::One(range.start), Edit::Whole(range.start)]);
            return;
        }
        let middle = if first == last {
            if range == (self.starts[first]..self.starts[first + 1]) {
                self.open.push_back(Edit::Ones(first));
            }
            range.start + range.len() / 2
        } else {
            // Between two tensors.
            let half = range.start + range.len() / 2;
            let near = self.starts[self.tensor_of(half)];
            if near > range.start { near } else { self.starts[self.tensor_of(half) + 1] }
        };
        self.open.extend([Edit::Zero(range.start..middle), Edit::Zero(middle..range.end)]);
    }
}

impl<S: FloatScalar> ValueTree for BundleTree<S> {
    type Value = Bundle<S>;

    fn current(&self) -> Bundle<S> {
        self.bundle.clone()
    }

    fn simplify(&mut self) -> bool {
        while let Some(edit) = self.open.pop_front() {
            if self.apply(edit) {
                return true;
            }
        }
        false
    }

    /// Takes the last edit back and tries the next one: to run again what is known to fail would show nothing.
    fn complicate(&mut self) -> bool {
        let Some((edit, before)) = self.last.take() else { return false };
        for (tensor, words) in before {
            self.put(tensor, words);
        }
        self.smaller(edit);
        self.simplify();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::FloatKind;

    fn slots() -> Arc<[Slot]> {
        let slot = |path: &str, element, shape: &[usize], is_binary| Slot {
            graph: 0,
            path: PytreePath::parse(path),
            plan: InputPlan {
                r#type: Some(TensorShape { shape: shape.to_vec(), element }),
                bound: Some(5),
                is_positive: false,
                is_compared: false,
            },
            is_binary,
        };
        let float = Element::Float(FloatKind::F32);
        let (empty, token) = (slot("none", float, &[0], false), slot("order", float, &[], false));
        let token = Slot { plan: InputPlan { r#type: None, ..token.plan }, ..token };
        let rest = [
            slot("w", float, &[3, 4], false),
            slot("mask", float, &[6], true),
            slot("n", Element::Signed(32), &[2], false),
        ];
        [vec![empty, token], rest.to_vec()].concat().into()
    }

    /// Simplifies as long as the test says that it still fails, and counts the tests.
    fn shrink(tree: &mut BundleTree<f32>, fails: impl Fn(&Bundle<f32>) -> bool) -> (Bundle<f32>, usize) {
        let (mut smallest, mut tests) = (tree.current(), 0);
        let mut goes_on = tree.simplify();
        while goes_on {
            tests += 1;
            let now = tree.current();
            goes_on = if fails(&now) {
                smallest = now;
                tree.simplify()
            } else {
                tree.complicate()
            };
        }
        (smallest, tests)
    }

    #[test]
    fn what_does_not_matter_becomes_zero_and_the_rest_a_small_number() {
        for seed in 0..20 {
            let draws = Draws { slots: slots() };
            let mut tree = draws.drawn::<f32>(seed);
            let words = |bundle: &Bundle<f32>| bundle.tensors.iter().map(Tensor::to_bits).collect::<Vec<_>>();
            let number = |bundle: &Bundle<f32>| f32::from_bits(words(bundle)[2][7] as u32);
            let fails = |bundle: &Bundle<f32>| number(bundle) > 0.25;
            if !fails(&tree.current()) {
                continue;
            }
            let (smallest, tests) = shrink(&mut tree, fails);
            let left: usize = words(&smallest).iter().flatten().filter(|&&word| word != 0).count();
            assert_eq!((left, number(&smallest)), (1, 1.0), "{smallest:?}");
            assert!(tests <= 16, "{tests}");
        }
    }

    #[test]
    fn what_is_said_to_be_binary_is_and_one_seed_gives_one_draw() {
        let mut ones = 0;
        for seed in 0..8 {
            let draws = Draws { slots: slots() };
            let bundle = draws.drawn::<f32>(seed).current();
            assert_eq!(format!("{bundle:?}"), format!("{:?}", draws.drawn::<f32>(seed).current()));
            let mask = bundle.tensors[3].to_bits();
            assert!(mask.iter().all(|word| [0, 0x3f80_0000].contains(word)), "{mask:x?}");
            ones += mask.iter().filter(|&&word| word != 0).count();
            let Tensor::Signed(_, numbers) = &bundle.tensors[4] else { panic!("integers") };
            assert!(numbers.iter().all(|number| (0..5).contains(number)));
        }
        assert!((8..40).contains(&ones), "{ones} of 48");
    }

    #[test]
    fn words_are_written_and_read_back() {
        for words in [vec![], vec![0], vec![7, 0, 0, 0, u64::MAX, u64::MAX]] {
            assert_eq!(parse_words(&words_text(&words), words.len()), Ok(words));
        }
        assert_eq!(words_text(&[7, 0, 0]), "7 0*2");
        for (text, count) in [("7 0*2", 2), ("7 0*99999999999999", 4), ("7", 2), ("x", 1), ("7*", 1), ("-1", 1)] {
            assert!(parse_words(text, count).is_err(), "{text}");
        }
    }
}
