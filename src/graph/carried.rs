//! Which outputs of one step are inputs of the next.
//!
//! Whole subtrees are paired, root to root: leaf paths below the roots and types are equal, one to one. Inputs that
//! the step does not use are gone from lowered text, so the output side may have leaves that the input side
//! lacks, never the other way round. Positions are never used, leaf tails alone neither: `params.w`, `mu.w` and
//! `nu.w` share theirs. The assignment that pairs most leaves stands, of those the one in which most names agree
//! (`params.desires.w` with `result.0.desires.w` rather than `probe.w` with it); if two do, that is an error which
//! lists them, not a guess.
//!
//! Single values (a key, a counter) have no structure to go by. They are paired if the names agree, or if there
//! is one candidate on either side and the type is not a lone float (a loss next to a learning rate is no carried
//! value). What remains *possible* is reported, so that a verdict that hangs on it is not given.

use rustc_hash::{FxHashMap, FxHashSet};
use thiserror::Error;

use super::*;

/// A leaf of the outputs that is a leaf of the inputs of the next step, by position in
/// [`TrainingGraph::outputs`] and [`TrainingGraph::inputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CarriedPair {
    /// Position of the output.
    pub output: usize,
    /// Position of the input.
    pub input: usize,
}

/// How a pairing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Somebody said so.
    Declared,
    /// The subtrees are equal.
    Structure,
    /// The names are equal.
    Name,
    /// No other has this type.
    Type,
}

/// A subtree of the outputs and the subtree of the inputs that it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Root of the subtree in the outputs.
    pub output: PytreePath,
    /// Root of the subtree in the inputs.
    pub input: PytreePath,
    /// How many leaves are paired.
    pub leaves: usize,
    /// How many leaves of the output have no input, since the step does not use it.
    pub unused_inputs: usize,
    /// How it was found.
    pub reading: Reading,
}

/// Everything that is carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarriedPairs {
    /// Leaf by leaf, ascending by output.
    pub pairs: Vec<CarriedPair>,
    /// Subtree by subtree.
    pub pairings: Vec<Pairing>,
    /// Pairs that may be meant, but which nothing decides.
    pub possible: Vec<PossiblePairs>,
}

/// Outputs each of which may be the next value of each of these inputs, by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PossiblePairs {
    /// Positions of outputs.
    pub outputs: Vec<usize>,
    /// Positions of inputs.
    pub inputs: Vec<usize>,
}

impl CarriedPairs {
    /// The input that an output becomes.
    pub fn input_of(&self, output: usize) -> Option<usize> {
        let position = self.pairs.binary_search_by_key(&output, |pair| pair.output).ok()?;
        Some(self.pairs[position].input)
    }

    /// The output that an input comes from.
    pub fn output_of(&self, input: usize) -> Option<usize> {
        self.pairs.iter().find(|pair| pair.input == input).map(|pair| pair.output)
    }
}

/// What a policy says of carried values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairingOverride {
    /// `(output, input)`: roots of subtrees, or leaves.
    pub pairs: Vec<(PytreePath, PytreePath)>,
    /// Outputs that are not carried: roots of subtrees, or leaves.
    pub terminal: Vec<PytreePath>,
}

/// Why there is no one pairing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PairingError {
    /// Several assignments are equally good.
    #[error("it is not clear which output becomes `{input}` in the next step: {}", list(candidates))]
    Ambiguous {
        /// Root of the input subtree.
        input: PytreePath,
        /// Roots of the output subtrees that fit.
        candidates: Vec<PytreePath>,
    },
    /// A declared pair names no leaf on one side.
    #[error("carried pair `{output}` -> `{input}`: no leaf of the one has a leaf of equal path and type in the other")]
    NothingPaired {
        /// As declared.
        output: PytreePath,
        /// As declared.
        input: PytreePath,
    },
    /// A declared pair pairs some leaves, and on both sides some of one type are left over.
    #[error(
        "carried pair `{output}` -> `{input}`: `{lone_output}` and `{lone_input}` have the same type and no partner; if one \
         becomes the other, pair them too, and if not, declare `{lone_output}` terminal"
    )]
    PartlyPaired {
        /// As declared.
        output: PytreePath,
        /// As declared.
        input: PytreePath,
        /// A leaf below the one.
        lone_output: PytreePath,
        /// A leaf below the other.
        lone_input: PytreePath,
    },
    /// What is declared carried or terminal is no output.
    #[error("what is said of the carried value `{0}` cannot be: no output has this path")]
    NoSuchOutput(PytreePath),
    /// What an output is declared to become is no input.
    #[error("`{output}` cannot become `{input}`: no input has this path")]
    NoSuchInput {
        /// As declared.
        output: PytreePath,
        /// As declared.
        input: PytreePath,
    },
}

fn list(paths: &[PytreePath]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    match paths.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => paths.join(""),
    }
}

struct Leaf<'a> {
    path: &'a PytreePath,
    r#type: TypeId,
}

/// Inputs that hang together below one root.
struct Group {
    root: PytreePath,
    inputs: Vec<usize>,
    /// How many segments the paths below the root have together: the names that agree if it is paired.
    names: usize,
    candidates: Vec<Candidate>,
}

struct Candidate {
    root: PytreePath,
    outputs: Vec<usize>,
    unused_inputs: usize,
}

/// What single values are brought together by: a name, or none, and a type.
type Key = (Option<Box<str>>, TypeId);

struct Pairer<'a> {
    inputs: Vec<Leaf<'a>>,
    outputs: Vec<Leaf<'a>>,
    output_at: FxHashMap<&'a [Box<str>], usize>,
    /// Outputs by the last segment of the path and the type: where to look for the tail of a leaf.
    outputs_by_tail: FxHashMap<(Option<&'a str>, TypeId), Vec<usize>>,
    /// Types of float scalars: a loss may be one, and so may a learning rate.
    lone_floats: FxHashSet<TypeId>,
    output_taken: Vec<bool>,
    input_taken: Vec<bool>,
    found: CarriedPairs,
}

impl TrainingGraph {
    /// Finds the carried pairs.
    pub fn carried_pairs(&self, overrides: &PairingOverride) -> Result<CarriedPairs, PairingError> {
        let inputs: Vec<Leaf<'_>> =
            self.inputs().map(|(path, value)| Leaf { path, r#type: self.value(value).r#type }).collect();
        let outputs: Vec<Leaf<'_>> =
            self.outputs().map(|(path, value)| Leaf { path, r#type: self.value(value).r#type }).collect();
        let mut outputs_by_tail: FxHashMap<_, Vec<usize>> = FxHashMap::default();
        for (position, leaf) in outputs.iter().enumerate() {
            let last = leaf.path.segments().last().map(|segment| &**segment);
            outputs_by_tail.entry((last, leaf.r#type)).or_default().push(position);
        }
        let is_lone_float = |leaf: &&Leaf<'_>| {
            matches!(self.r#type(leaf.r#type), Type::Tensor(tensor)
                if tensor.rank() == Some(0) && tensor.element.is_continuous())
        };
        let lone_floats = inputs.iter().filter(is_lone_float).map(|leaf| leaf.r#type).collect();
        let mut pairer = Pairer {
            lone_floats,
            output_at: outputs.iter().enumerate().map(|(at, leaf)| (leaf.path.segments(), at)).collect(),
            outputs_by_tail,
            output_taken: vec![false; outputs.len()],
            input_taken: vec![false; inputs.len()],
            inputs,
            outputs,
            found: CarriedPairs::default(),
        };
        pairer.declare(self.declared_pairs().unwrap_or_default(), overrides)?;
        if self.declared_pairs().is_none() {
            let single = pairer.pair_subtrees()?;
            pairer.pair_single_values(&single);
        }
        pairer.found.pairs.sort_unstable();
        Ok(pairer.found)
    }
}

impl Pairer<'_> {
    fn take(&mut self, pairs: &[(usize, usize)], pairing: Pairing) {
        for &(output, input) in pairs {
            self.output_taken[output] = true;
            self.input_taken[input] = true;
            self.found.pairs.push(CarriedPair { output, input });
        }
        self.found.pairings.push(pairing);
    }

    fn declare(
        &mut self,
        declared: &[(PytreePath, PytreePath)],
        overrides: &PairingOverride,
    ) -> Result<(), PairingError> {
        for terminal in &overrides.terminal {
            let mut any = false;
            for (position, leaf) in self.outputs.iter().enumerate() {
                if leaf.path.starts_with(terminal) {
                    self.output_taken[position] = true;
                    any = true;
                }
            }
            if !any {
                return Err(PairingError::NoSuchOutput(terminal.clone()));
            }
        }
        // What a policy says comes first: it may correct what the maker of the graph said.
        for (output_root, input_root) in overrides.pairs.iter().chain(declared) {
            let depth = input_root.segments().len();
            if !self.outputs.iter().any(|leaf| leaf.path.starts_with(output_root)) {
                return Err(PairingError::NoSuchOutput(output_root.clone()));
            }
            if !self.inputs.iter().any(|leaf| leaf.path.starts_with(input_root)) {
                let (output, input) = (output_root.clone(), input_root.clone());
                return Err(PairingError::NoSuchInput { output, input });
            }
            let mut pairs = Vec::new();
            for (input, leaf) in self.inputs.iter().enumerate() {
                if !leaf.path.starts_with(input_root) || self.input_taken[input] {
                    continue;
                }
                let path: Vec<Box<str>> = output_root.segments().iter().chain(leaf.path.tail(depth)).cloned().collect();
                if let Some(&output) = self.output_at.get(&*path)
                    && self.outputs[output].r#type == leaf.r#type
                    && !self.output_taken[output]
                {
                    pairs.push((output, input));
                }
            }
            if pairs.is_empty() {
                let (output, input) = (output_root.clone(), input_root.clone());
                return Err(PairingError::NothingPaired { output, input });
            }
            if let Some((lone_output, lone_input)) = self.left_over(output_root, input_root, &pairs) {
                let (output, input) = (output_root.clone(), input_root.clone());
                return Err(PairingError::PartlyPaired { output, input, lone_output, lone_input });
            }
            let below = self.outputs.iter().filter(|leaf| leaf.path.starts_with(output_root)).count();
            let pairing = Pairing {
                output: output_root.clone(),
                input: input_root.clone(),
                leaves: pairs.len(),
                unused_inputs: below - pairs.len(),
                reading: Reading::Declared,
            };
            self.take(&pairs, pairing);
        }
        Ok(())
    }

    /// An output and an input below two roots that could be a pair by their type, where neither has a partner: one of them may
    /// have been renamed. An input that does not come back, or an output whose input the step does not use, is no such case.
    fn left_over(
        &self,
        output_root: &PytreePath,
        input_root: &PytreePath,
        pairs: &[(usize, usize)],
    ) -> Option<(PytreePath, PytreePath)> {
        let is_lone_output = |(at, leaf): &(usize, &Leaf<'_>)| {
            let is_paired = self.output_taken[*at] || pairs.iter().any(|(output, _)| output == at);
            !is_paired && leaf.path.starts_with(output_root)
        };
        let is_lone_input = |(at, leaf): &(usize, &Leaf<'_>)| {
            let is_paired = self.input_taken[*at] || pairs.iter().any(|(_, input)| input == at);
            !is_paired && leaf.path.starts_with(input_root)
        };
        let inputs: Vec<&Leaf<'_>> =
            self.inputs.iter().enumerate().filter(is_lone_input).map(|(_, leaf)| leaf).collect();
        let mut outputs = self.outputs.iter().enumerate().filter(is_lone_output).map(|(_, leaf)| leaf);
        outputs.find_map(|output| {
            let input = inputs.iter().find(|input| input.r#type == output.r#type)?;
            Some((output.path.clone(), input.path.clone()))
        })
    }

    /// Pairs the groups of two leaves or more. Gives the inputs that stand alone, each with whether it is a whole
    /// argument of the step.
    fn pair_subtrees(&mut self) -> Result<Vec<(usize, bool)>, PairingError> {
        let mut single = Vec::new();
        let mut groups = Vec::new();
        // Depth of the root, inputs below it. A group that fits nowhere comes apart into its children.
        let all: Vec<usize> = (0..self.inputs.len()).filter(|&input| !self.input_taken[input]).collect();
        let mut open = self.split(&all, 0);
        open.reverse();
        while let Some((depth, inputs)) = open.pop() {
            let names = self.inputs[inputs[0]].path.segments().len().saturating_sub(depth);
            // One leaf under two names or more is a tree as any other; under one it may be anything.
            let is_tree = inputs.len() > 1 || (depth == 1 && names > 1);
            if let ([input], false) = (&inputs[..], is_tree) {
                let input = *input;
                single.push((input, depth == 1 && self.inputs[input].path.segments().len() == 1));
                continue;
            }
            let root = self.inputs[inputs[0]].path.prefix(depth);
            let candidates = self.candidates(&root, &inputs);
            if candidates.is_empty() && inputs.len() == 1 {
                single.push((inputs[0], false));
            } else if candidates.is_empty() {
                let mut children = self.split(&inputs, depth);
                children.reverse();
                open.extend(children);
            } else {
                let names = inputs.iter().map(|&input| self.inputs[input].path.segments().len() - depth).sum();
                groups.push(Group { root, inputs, names, candidates });
            }
        }
        let choice = choose(&groups)?;
        for (group, choice) in groups.iter().zip(choice) {
            let Some(choice) = choice else { continue };
            let candidate = &group.candidates[choice];
            let pairs: Vec<(usize, usize)> =
                candidate.outputs.iter().copied().zip(group.inputs.iter().copied()).collect();
            let pairing = Pairing {
                output: candidate.root.clone(),
                input: group.root.clone(),
                leaves: pairs.len(),
                unused_inputs: candidate.unused_inputs,
                reading: Reading::Structure,
            };
            self.take(&pairs, pairing);
            // The rest of the subtree belongs to inputs that the step does not use.
            for (position, leaf) in self.outputs.iter().enumerate() {
                if leaf.path.starts_with(&candidate.root) {
                    self.output_taken[position] = true;
                }
            }
        }
        Ok(single)
    }

    /// Splits inputs that share `depth` segments by the next one. An input that ends here is a group of its own.
    fn split(&self, inputs: &[usize], depth: usize) -> Vec<(usize, Vec<usize>)> {
        let mut children: IndexMap<Option<&str>, Vec<usize>> = IndexMap::new();
        for &input in inputs {
            let segment = self.inputs[input].path.segments().get(depth).map(|segment| &**segment);
            children.entry(segment).or_default().push(input);
        }
        children.into_values().map(|inputs| (depth + 1, inputs)).collect()
    }

    /// Every subtree of the outputs that has all these inputs as leaves, with their types.
    fn candidates(&self, root: &PytreePath, inputs: &[usize]) -> Vec<Candidate> {
        let depth = root.segments().len();
        let tail_of = |input: usize| self.inputs[input].path.tail(depth);
        let first = &self.inputs[inputs[0]];
        let last = tail_of(inputs[0]).last().map(|segment| &**segment);
        let anchors = self.outputs_by_tail.get(&(last, first.r#type)).map_or(&[][..], |list| list);
        let mut candidates = Vec::new();
        for &anchor in anchors {
            let path = self.outputs[anchor].path;
            let Some(above) = path.segments().len().checked_sub(tail_of(inputs[0]).len()) else { continue };
            if path.tail(above) != tail_of(inputs[0]) {
                continue;
            }
            let root = path.prefix(above);
            let outputs: Option<Vec<usize>> = inputs
                .iter()
                .map(|&input| {
                    let path: Vec<Box<str>> = root.segments().iter().chain(tail_of(input)).cloned().collect();
                    let output = *self.output_at.get(&*path)?;
                    let fits = self.outputs[output].r#type == self.inputs[input].r#type;
                    (fits && !self.output_taken[output]).then_some(output)
                })
                .collect();
            if let Some(outputs) = outputs {
                let below = self.outputs.iter().filter(|leaf| leaf.path.starts_with(&root)).count();
                candidates.push(Candidate { root, unused_inputs: below - outputs.len(), outputs });
            }
        }
        let name = root.segments().last();
        if candidates.iter().any(|candidate| candidate.root.segments().last() == name) {
            candidates.retain(|candidate| candidate.root.segments().last() == name);
        }
        candidates
    }

    fn pair_single_values(&mut self, single: &[(usize, bool)]) {
        self.pair_single_values_by(Reading::Name, single, |pairer, input, _| {
            let leaf = &pairer.inputs[input];
            let name = leaf.path.segments().last().map(|segment| &**segment);
            Some((name, leaf.r#type))
        });
        self.suspect_related_names(single);
        self.pair_single_values_by(Reading::Type, single, |pairer, input, whole_argument| {
            whole_argument.then_some((None, pairer.inputs[input].r#type))
        });
    }

    /// `result.1.new_baseline` may be the next `baseline`: the names differ by words that speak of time, and the types
    /// are equal. (`loss` next to `loss_scale` is no such pair.)
    fn suspect_related_names(&mut self, single: &[(usize, bool)]) {
        /// Work is bounded: names of a hostile input are not all compared.
        const MOST: usize = 200;
        let last = |path: &PytreePath| path.segments().last().map(|segment| segment.to_lowercase());
        for &(input, whole_argument) in single.iter().take(MOST) {
            let leaf = &self.inputs[input];
            let Some(name) = last(leaf.path) else { continue };
            if !whole_argument || self.input_taken[input] {
                continue;
            }
            let related = |output: &usize| {
                let other = &self.outputs[*output];
                other.r#type == leaf.r#type
                    && !self.output_taken[*output]
                    && !is_positional(other.path)
                    && last(other.path).is_some_and(|other| other != name && timeless(&other) == timeless(&name))
            };
            let outputs: Vec<usize> = (0..self.outputs.len()).filter(related).collect();
            if !outputs.is_empty() {
                self.found.possible.push(PossiblePairs { outputs, inputs: vec![input] });
            }
        }
    }

    /// Brings the inputs and the outputs of one key together: one of each is a pair, more are possible pairs.
    fn pair_single_values_by(
        &mut self,
        reading: Reading,
        single: &[(usize, bool)],
        key_of: impl for<'k> Fn(&'k Self, usize, bool) -> Option<(Option<&'k str>, TypeId)>,
    ) {
        let mut together: IndexMap<Key, (Vec<usize>, bool)> = IndexMap::new();
        for &(input, whole_argument) in single {
            if !self.input_taken[input]
                && let Some((name, r#type)) = key_of(self, input, whole_argument)
            {
                let entry = together.entry((name.map(Box::from), r#type)).or_insert((Vec::new(), true));
                entry.0.push(input);
                entry.1 &= whole_argument;
            }
        }
        for ((name, r#type), (inputs, whole_arguments)) in together {
            let outputs: Vec<usize> = match (reading, &name) {
                (Reading::Name, name) => {
                    let found = self.outputs_by_tail.get(&(name.as_deref(), r#type));
                    found.into_iter().flatten().copied().filter(|&output| !self.output_taken[output]).collect()
                }
                _ => (0..self.outputs.len())
                    .filter(|&output| !self.output_taken[output] && self.outputs[output].r#type == r#type)
                    .filter(|&output| is_positional(self.outputs[output].path))
                    .collect(),
            };
            let decisive = match reading {
                Reading::Name => whole_arguments,
                _ => !self.lone_floats.contains(&r#type),
            };
            match (&outputs[..], &inputs[..]) {
                ([], _) => {}
                (&[output], &[input]) if decisive => {
                    let pairing = Pairing {
                        output: self.outputs[output].path.clone(),
                        input: self.inputs[input].path.clone(),
                        leaves: 1,
                        unused_inputs: 0,
                        reading,
                    };
                    self.take(&[(output, input)], pairing);
                }
                _ => self.found.possible.push(PossiblePairs { outputs, inputs }),
            }
        }
    }
}

/// The words of a name without those that speak of time: `baseline` of `new_baseline`.
fn timeless(name: &str) -> Vec<&str> {
    const OF_TIME: [&str; 16] = [
        "new", "next", "updated", "update", "out", "prev", "previous", "old", "last", "in", "current", "curr", "cur",
        "init", "initial", "final",
    ];
    name.split('_').filter(|word| !word.is_empty() && !OF_TIME.contains(word)).collect()
}

/// `result` or `result.3`: a value that has a position and no name.
fn is_positional(path: &PytreePath) -> bool {
    path.tail(1).iter().all(|segment| segment.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Chooses a candidate, or none, for each group: roots do not overlap, most leaves are paired, most names
/// agree, fewest leaves are left over.
fn choose(groups: &[Group]) -> Result<Vec<Option<usize>>, PairingError> {
    // The search is over a handful of groups with a handful of candidates; hostile input may have more. A step costs
    // a look at every group.
    let most_steps = (20_000_000 / (groups.len() + 1).pow(2)).clamp(100, 200_000);
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&group| std::cmp::Reverse(groups[group].inputs.len()));
    let mut rest = vec![0; order.len() + 1]; // leaves that the groups from here on could still pair
    for (position, &group) in order.iter().enumerate().rev() {
        rest[position] = rest[position + 1] + groups[group].inputs.len();
    }
    // Leaves, names that agree, leaves left over.
    type Score = (usize, usize, std::cmp::Reverse<usize>);
    let mut best: Option<(Score, Vec<Option<usize>>)> = None;
    let mut rival: Option<Vec<Option<usize>>> = None;
    let mut steps = 0;
    // A partial choice: how many groups are decided, the choice, the score.
    let mut open = vec![(0, vec![None; groups.len()], (0, 0, std::cmp::Reverse(0)))];
    while let Some((position, choice, score)) = open.pop() {
        steps += 1;
        if let Some((best_score, _)) = &best
            && score.0 + rest[position] < best_score.0
        {
            continue;
        }
        if steps > most_steps {
            let group = &groups[order[0]];
            let candidates = group.candidates.iter().map(|candidate| candidate.root.clone()).collect();
            return Err(PairingError::Ambiguous { input: group.root.clone(), candidates });
        }
        if position == order.len() {
            match &best {
                Some((best_score, _)) if score < *best_score => {}
                Some((best_score, _)) if score == *best_score => rival = Some(choice),
                _ => {
                    best = Some((score, choice));
                    rival = None;
                }
            }
            continue;
        }
        let group = order[position];
        open.push((position + 1, choice.clone(), score));
        for (number, candidate) in groups[group].candidates.iter().enumerate().rev() {
            let overlaps = choice.iter().enumerate().any(|(other, chosen)| {
                chosen.is_some_and(|chosen: usize| {
                    let other = &groups[other].candidates[chosen].root;
                    other.starts_with(&candidate.root) || candidate.root.starts_with(other)
                })
            });
            if !overlaps {
                let mut choice = choice.clone();
                choice[group] = Some(number);
                let left_over = score.2.0 + candidate.unused_inputs;
                let names = score.1 + groups[group].names;
                let score = (score.0 + groups[group].inputs.len(), names, std::cmp::Reverse(left_over));
                open.push((position + 1, choice, score));
            }
        }
    }
    let Some((_, best)) = best else { return Ok(Vec::new()) };
    if let Some(rival) = rival {
        let differs = (0..groups.len()).find(|&group| best[group] != rival[group]).unwrap_or(0);
        let group = &groups[differs];
        let mut candidates: Vec<PytreePath> = group.candidates.iter().map(|candidate| candidate.root.clone()).collect();
        let chosen: FxHashSet<Option<usize>> = [best[differs], rival[differs]].into_iter().collect();
        if candidates.len() > chosen.len() && !chosen.contains(&None) {
            candidates =
                [best[differs], rival[differs]].iter().flatten().map(|&number| candidates[number].clone()).collect();
        }
        return Err(PairingError::Ambiguous { input: group.root.clone(), candidates });
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step whose inputs and outputs have these paths and types, and nothing in it but what types need.
    fn step(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> TrainingGraph {
        let mut builder = GraphBuilder::new("step");
        for (path, r#type) in inputs {
            builder.input(*path, r#type);
        }
        for (path, r#type) in outputs {
            let value = builder.constant("0", r#type);
            builder.output(*path, value);
        }
        builder.finish().expect("a valid graph")
    }

    fn pairs(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> Result<Vec<String>, PairingError> {
        let graph = step(inputs, outputs);
        let found = graph.carried_pairs(&PairingOverride::default())?;
        Ok(found.pairings.iter().map(|pair| format!("{} -> {}", pair.output, pair.input)).collect())
    }

    const W: &str = "tensor<4xf32>";
    const B: &str = "tensor<f32>";

    #[test]
    fn whole_subtrees_are_paired_whatever_their_roots_are_called() {
        let inputs = [("params.a.w", W), ("params.a.b", B), ("opt.mu.a.w", W), ("opt.mu.a.b", B), ("x.t", W)];
        let outputs =
            [("result.0.a.w", W), ("result.0.a.b", B), ("result.1.mu.a.w", W), ("result.1.mu.a.b", B), ("result.2", B)];
        assert_eq!(pairs(&inputs, &outputs).unwrap(), ["result.0 -> params", "result.1 -> opt"]);
    }

    #[test]
    fn inputs_that_the_step_does_not_use_are_missing_and_the_rest_is_paired() {
        let inputs = [("params.w", W), ("params.b", B)];
        let outputs = [("result.0.w", W), ("result.0.b", B), ("result.0.unused", W)];
        assert_eq!(pairs(&inputs, &outputs).unwrap(), ["result.0 -> params"]);
    }

    #[test]
    fn two_assignments_are_an_error_that_lists_them() {
        let inputs = [("params.w", W), ("params.b", B), ("momentum.w", W), ("momentum.b", B)];
        let outputs = [("result.0.w", W), ("result.0.b", B), ("result.1.w", W), ("result.1.b", B)];
        let error = pairs(&inputs, &outputs).unwrap_err();
        let PairingError::Ambiguous { candidates, .. } = &error else { panic!("{error}") };
        assert_eq!(candidates.len(), 2);
        // Names tell.
        let outputs =
            [("result.params.w", W), ("result.params.b", B), ("result.momentum.w", W), ("result.momentum.b", B)];
        assert_eq!(pairs(&inputs, &outputs).unwrap(), ["result.params -> params", "result.momentum -> momentum"]);
        // So does the policy.
        let graph = step(&inputs, &[("result.0.w", W), ("result.0.b", B), ("result.1.w", W), ("result.1.b", B)]);
        let said = PairingOverride { pairs: vec![("result.1".into(), "params".into())], terminal: Vec::new() };
        let found = graph.carried_pairs(&said).unwrap();
        assert_eq!(found.pairings.len(), 2);
        assert_eq!(found.pairings[1].output.to_string(), "result.0");
    }

    #[test]
    fn more_names_that_agree_are_better_evidence() {
        let inputs = [("params.head.w", W), ("params.head.b", B), ("probe.w", W), ("probe.b", B)];
        let outputs = [("result.0.head.w", W), ("result.0.head.b", B)];
        assert_eq!(pairs(&inputs, &outputs).unwrap(), ["result.0 -> params"]);
    }

    #[test]
    fn a_single_value_is_paired_by_name_or_as_the_only_one_of_its_type() {
        let key = "tensor<2xui32>";
        assert_eq!(pairs(&[("rng", key)], &[("result.0", key)]).unwrap(), ["result.0 -> rng"]);
        assert_eq!(pairs(&[("rng", key)], &[("result.2.rng", key)]).unwrap(), ["result.2.rng -> rng"]);
        // Two of a kind are possible pairs, and so is a loss next to a learning rate.
        for (inputs, outputs) in
            [(vec![("a", key), ("b", key)], vec![("result.0", key)]), (vec![("rate", B)], vec![("result.1", B)])]
        {
            let graph = step(&inputs, &outputs);
            let found = graph.carried_pairs(&PairingOverride::default()).unwrap();
            assert!(found.pairs.is_empty(), "{found:?}");
            assert_eq!(found.possible.len(), 1);
        }
        // A name that differs by a word of time is a question; one leaf under two names is a tree.
        let graph = step(&[("baseline", B)], &[("result.1.new_baseline", B)]);
        assert_eq!(graph.carried_pairs(&PairingOverride::default()).unwrap().possible.len(), 1);
        let graph = step(&[("loss_scale", B)], &[("result.1.loss", B)]);
        assert!(graph.carried_pairs(&PairingOverride::default()).unwrap().possible.is_empty());
        let tree = pairs(&[("params.beliefs.w", W)], &[("result.0.beliefs.w", W)]);
        assert_eq!(tree.unwrap(), ["result.0 -> params"]);
        // A metric that is named, next to an input of another name: neither.
        let graph = step(&[("rate", B)], &[("result.1.loss", B)]);
        assert!(graph.carried_pairs(&PairingOverride::default()).unwrap().possible.is_empty());
    }

    #[test]
    fn what_is_declared_must_exist() {
        let graph = step(&[("params.w", W)], &[("result.0.w", W)]);
        let said = PairingOverride { pairs: Vec::new(), terminal: vec!["result.9".into()] };
        assert_eq!(graph.carried_pairs(&said), Err(PairingError::NoSuchOutput("result.9".into())));
        let said = PairingOverride { pairs: vec![("result.0".into(), "weights".into())], terminal: Vec::new() };
        assert!(matches!(graph.carried_pairs(&said), Err(PairingError::NoSuchInput { .. })));
        let said = PairingOverride { pairs: vec![("result".into(), "params".into())], terminal: Vec::new() };
        assert!(matches!(graph.carried_pairs(&said), Err(PairingError::NothingPaired { .. })));
    }
}
