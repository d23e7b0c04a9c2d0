//! `openloop init`: a commented first policy from what is seen in a graph.
//!
//! Names are guesses and are marked so. What is written parses, and every selector in it matches the graph; where nothing
//! looks like a probe, the policy says so and [`FlowPolicy::parse`](super::FlowPolicy::parse) asks to fill it in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::graph::{CarriedPairs, PairingError, PytreePath, Reading, ScopePath, TrainingGraph, TypeId};
use crate::index::Id;

use super::selector::Selector;

mod inputs;

/// Words that name what predicts.
const BELIEF_WORDS: &[&str] = &[
    "belief",
    "world",
    "encoder",
    "trunk",
    "backbone",
    "representation",
    "dynamics",
    "rssm",
    "torso",
    "embedder",
    "frozen",
];
/// Words that name what wants.
const DESIRE_WORDS: &[&str] = &[
    "desire",
    "policy",
    "actor",
    "critic",
    "value",
    "head",
    "heads",
    "advantage",
    "controller",
    "planner",
    "quarantine",
];
/// Words that name a probe and hardly anything else.
const PROBE_WORDS: &[&str] =
    &["probe", "monitor", "detector", "detect", "judge", "overseer", "deception", "hallucination"];
/// Words that may name a probe's score, and other things.
const SCORE_WORDS: &[&str] = &["reward", "score", "scorer", "penalty", "classifier", "honesty"];
/// Below these a `value` is no value head.
const ATTENTION: &[&str] = &["attn", "attention", "mha"];
/// A name that groups parameters stands near the root.
const DEEPEST_GROUP: usize = 3;

/// The first policy for a graph.
pub fn first_policy(graph: &TrainingGraph, file_name: &str, carried: Result<&CarriedPairs, &PairingError>) -> String {
    let boxes = Boxes::guess(graph, carried.ok());
    let scopes = Scopes::guess(graph);
    let mut text = String::new();
    header(&mut text, file_name);
    data(&mut text, graph, carried.ok());
    let beliefs = selectors_that_match(graph, &boxes.beliefs);
    let desires = selectors_that_match(graph, &boxes.desires);
    groups(&mut text, &boxes, &beliefs, &desires, &scopes, graph);
    let complete = !beliefs.is_empty() && !scopes.probes.is_empty();
    invariants(&mut text, complete, &desires, &scopes, graph);
    carried_values(&mut text, graph, carried);
    text
}

/// Which output subtrees are the beliefs and which the desires.
#[derive(Default)]
struct Boxes {
    beliefs: Vec<PytreeGlob>,
    desires: Vec<PytreeGlob>,
    /// No subtree has a telling name, so the beliefs are everything that is carried.
    everything: bool,
}

/// A subtree, or all subtrees below a name.
struct PytreeGlob {
    selector: String,
    leaves: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Belief,
    Desire,
}

struct Leaf<'a> {
    path: &'a PytreePath,
    r#type: TypeId,
    carried: bool,
    kind: Option<(Kind, usize)>,
}

impl Boxes {
    fn guess(graph: &TrainingGraph, carried: Option<&CarriedPairs>) -> Boxes {
        let is_carried = |output| carried.is_none_or(|pairs| pairs.input_of(output).is_some());
        let outputs = graph.outputs().enumerate();
        let mut leaves: Vec<Leaf<'_>> = outputs
            .map(|(position, (path, value))| Leaf {
                path,
                r#type: graph.value(value).r#type,
                carried: is_carried(position),
                kind: None,
            })
            .collect();
        let names = group_names(&leaves);
        for leaf in leaves.iter_mut().filter(|leaf| leaf.carried) {
            let named = leaf.path.segments().iter().enumerate();
            leaf.kind = named.filter_map(|(at, segment)| Some((*names.get(&**segment)?, at + 1))).next();
        }
        let mut boxes = Boxes {
            beliefs: named_globs(&leaves, Kind::Belief),
            desires: named_globs(&leaves, Kind::Desire),
            everything: false,
        };
        boxes.beliefs.extend(optimizer_state(&leaves));
        if boxes.beliefs.is_empty() {
            boxes.everything = true;
            boxes.beliefs = rest(&leaves);
        }
        boxes
    }
}

/// The segments that name a box, near the root of some output.
fn group_names<'a>(leaves: &[Leaf<'a>]) -> BTreeMap<&'a str, Kind> {
    let mut names = BTreeMap::new();
    for leaf in leaves.iter().filter(|leaf| leaf.carried) {
        for segment in leaf.path.segments().iter().take(DEEPEST_GROUP + 1) {
            if has_word(segment, ATTENTION) {
                break;
            }
            let kind = if has_word(segment, BELIEF_WORDS) {
                Kind::Belief
            } else if has_word(segment, DESIRE_WORDS) && !has_word(segment, &["lm"]) {
                Kind::Desire // but `lm_head` predicts
            } else {
                continue;
            };
            names.insert(&**segment, kind);
            break;
        }
    }
    names
}

/// Whether a part of a name (`value` in `value_head`) is one of the words, or their plural.
fn has_word(name: &str, words: &[&str]) -> bool {
    let name = name.to_lowercase();
    let mut parts = name.split(|character: char| !character.is_alphabetic());
    parts.any(|part| words.iter().any(|word| part == *word || part.strip_suffix('s') == Some(word)))
}

/// One selector for each name where all that it matches is meant, else one for each subtree.
fn named_globs(leaves: &[Leaf<'_>], kind: Kind) -> Vec<PytreeGlob> {
    let mut roots: BTreeMap<&str, BTreeMap<PytreePath, usize>> = BTreeMap::new();
    for leaf in leaves {
        if let Some((found, depth)) = leaf.kind
            && found == kind
        {
            let name = &leaf.path.segments()[depth - 1];
            *roots.entry(name).or_default().entry(leaf.path.prefix(depth)).or_default() += 1;
        }
    }
    let mut globs = Vec::new();
    for (name, subtrees) in roots {
        let meant = |leaf: &Leaf<'_>| {
            leaf.kind.is_some_and(|(found, depth)| found == kind && &*leaf.path.segments()[depth - 1] == name)
        };
        let named = |leaf: &&Leaf<'_>| leaf.path.segments().iter().any(|segment| &**segment == name);
        let selector = format!("output:**.{}.**", PytreePath::new([name]));
        if leaves.iter().filter(named).all(meant) {
            globs.push(PytreeGlob { selector, leaves: subtrees.values().sum() });
        } else {
            globs.extend(subtrees.into_iter().map(|(root, leaves)| subtree(&root, leaves)));
        }
    }
    globs
}

fn subtree(root: &PytreePath, leaves: usize) -> PytreeGlob {
    let dot = if root.segments().is_empty() { "" } else { "." };
    PytreeGlob { selector: format!("output:{root}{dot}**"), leaves }
}

/// Carried subtrees that have no telling name, but hold leaf by leaf what the beliefs hold: moments, copies.
fn optimizer_state(leaves: &[Leaf<'_>]) -> Vec<PytreeGlob> {
    let tails = |kind: Kind| -> BTreeSet<(&[Box<str>], TypeId)> {
        let of_kind = leaves.iter().filter_map(|leaf| leaf.kind.map(|(found, depth)| (found, depth, leaf)));
        let of_kind = of_kind.filter(|(found, _, _)| *found == kind);
        of_kind
            .map(|(_, depth, leaf)| (leaf.path.tail(depth), leaf.r#type))
            .filter(|(tail, _)| !tail.is_empty())
            .collect()
    };
    let (belief_tails, desire_tails) = (tails(Kind::Belief), tails(Kind::Desire));
    let mut roots: BTreeSet<PytreePath> = BTreeSet::new();
    for leaf in leaves.iter().filter(|leaf| leaf.carried && leaf.kind.is_none()) {
        let cut = (1..leaf.path.segments().len()).find(|&cut| {
            let tail = (leaf.path.tail(cut), leaf.r#type);
            belief_tails.contains(&tail) && !desire_tails.contains(&tail)
        });
        roots.extend(cut.map(|cut| leaf.path.prefix(cut)));
    }
    // Up from `opt_state.0.mu` to `opt_state.0` and to `opt_state`, while nothing of another box lies below:
    // the step counter beside the moments belongs to them.
    let is_moment = |leaf: &Leaf<'_>| roots.iter().any(|root| leaf.path.starts_with(root));
    let is_counter =
        |leaf: &Leaf<'_>| leaf.path.segments().last().is_some_and(|last| has_word(last, &["count", "step"]));
    let mut lifted = BTreeSet::new();
    for root in &roots {
        let pure = |depth: &usize| {
            let above = root.prefix(*depth);
            let mut below = leaves.iter().filter(|leaf| leaf.path.starts_with(&above));
            below.all(|leaf| leaf.carried && leaf.kind.is_none() && (is_moment(leaf) || is_counter(leaf)))
        };
        let depths = (1..=root.segments().len()).rev().take_while(pure);
        let highest = depths.last().unwrap_or(root.segments().len());
        lifted.insert(root.prefix(highest));
    }
    let count = |root: &PytreePath| leaves.iter().filter(|leaf| leaf.path.starts_with(root)).count();
    lifted.iter().map(|root| subtree(root, count(root))).collect()
}

/// All that is carried and is no desire, by the largest subtrees, but none larger than the first two segments.
fn rest(leaves: &[Leaf<'_>]) -> Vec<PytreeGlob> {
    let mut subtrees: BTreeMap<PytreePath, (usize, bool)> = BTreeMap::new();
    for leaf in leaves {
        let length = leaf.path.segments().len();
        for depth in length.min(2)..=length {
            let (count, pure) = subtrees.entry(leaf.path.prefix(depth)).or_insert((0, true));
            *count += 1;
            *pure &= leaf.carried && leaf.kind.is_none();
        }
    }
    let mut kept: Vec<(PytreePath, usize)> = Vec::new();
    for (root, (count, _)) in subtrees.into_iter().filter(|(_, (_, pure))| *pure) {
        // Paths are sorted, so that a subtree comes before what lies in it.
        if !kept.last().is_some_and(|(above, _)| root.starts_with(above)) {
            kept.push((root, count));
        }
    }
    kept.iter().map(|(root, count)| subtree(root, *count)).collect()
}

/// The scopes of a graph, with how many operations are in each.
#[derive(Default)]
struct Scopes {
    probes: Vec<(String, usize)>,
    /// The loss that trains a probe, which is no reward.
    losses: Vec<(String, usize)>,
    /// May be a score of something else.
    scores: Vec<(String, usize)>,
    others: Vec<(String, usize)>,
}

impl Scopes {
    fn guess(graph: &TrainingGraph) -> Scopes {
        let mut operations = vec![0usize; graph.scope_count()];
        for operation in graph.operations().iter().filter(|operation| !operation.kind.is_terminator()) {
            operations[operation.scope.index()] += 1;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (scope, count) in operations.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let paths = graph.scope_paths(Id::new(scope));
            let names: BTreeSet<&str> =
                paths.flat_map(|path| ScopePath::parse(path).user_scopes().collect::<Vec<_>>()).collect();
            for name in names {
                *counts.entry(name).or_default() += count;
            }
        }
        let mut scopes = Scopes::default();
        for (name, count) in counts {
            let selector = format!("scope:{name}");
            let is_einsum = name.contains("->"); // JAX names einsums by their formula
            if is_einsum || !matches_something(graph, &selector) {
                continue;
            }
            let list = if has_word(name, PROBE_WORDS) {
                &mut scopes.probes
            } else if has_word(name, SCORE_WORDS) {
                &mut scopes.scores
            } else {
                &mut scopes.others
            };
            list.push((selector, count));
        }
        // `probe_loss` beside `probe_reward` is what trains the probe; alone it may be what the probe trains.
        let is_loss = |(selector, _): &(String, usize)| has_word(selector, &["loss", "losses"]);
        if scopes.probes.iter().any(|probe| !is_loss(probe)) {
            (scopes.losses, scopes.probes) = scopes.probes.into_iter().partition(is_loss);
        }
        if scopes.probes.is_empty() {
            scopes.probes = std::mem::take(&mut scopes.scores);
        }
        scopes
    }
}

fn matches_something(graph: &TrainingGraph, selector: &str) -> bool {
    Selector::parse(selector).is_ok_and(|selector| !selector.resolve(graph).is_empty())
}

fn selectors_that_match<'a>(graph: &TrainingGraph, globs: &'a [PytreeGlob]) -> Vec<&'a PytreeGlob> {
    globs.iter().filter(|glob| matches_something(graph, &glob.selector)).collect()
}

/// A TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if acts(character) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Text that may stand in a comment.
fn comment(text: &str) -> String {
    text.chars().map(|character| if acts(character) { ' ' } else { character }).collect()
}

/// Whether a character does something to a terminal or to the order of the text: a policy is read by people.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

macro_rules! line {
    ($text:expr, $($arguments:tt)*) => {{
        let _ = writeln!($text, $($arguments)*); // a String takes all that is written
    }};
}

fn header(text: &mut String, file_name: &str) {
    let file_name = comment(file_name);
    line!(text, "# First policy for {file_name}, written by `openloop init`.");
    line!(text, "# Names are guesses: check each place that says \"guess: check\", then run");
    line!(text, "#   openloop check {file_name} --policy openloop.toml");
    line!(text, "version = 1");
}

/// What the step is given to learn from. It stands above every table: below `[groups]` it would be a group.
fn data(text: &mut String, graph: &TrainingGraph, carried: Option<&CarriedPairs>) {
    let found = inputs::data(graph, carried);
    line!(
        text,
        "\n# Inputs that hold data, replay or plans. A reward that only picks from them leaks by the channel `selection`."
    );
    if found.is_empty() {
        line!(text, "# data = [\"input:batch.**\"] # fill in");
        return;
    }
    line!(text, "# guess: check");
    line!(text, "data = [");
    for (selector, leaves) in found {
        line!(text, "  {}, # {}", quoted(&selector), plural(leaves, "leaf"));
    }
    line!(text, "]");
}

fn plural(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('f')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ves"),
        (_, None) => format!("{count} {noun}s"),
    }
}

fn groups(
    text: &mut String,
    boxes: &Boxes,
    beliefs: &[&PytreeGlob],
    desires: &[&PytreeGlob],
    scopes: &Scopes,
    graph: &TrainingGraph,
) {
    line!(text, "\n[groups]");
    if boxes.everything {
        line!(
            text,
            "# No output subtree has a name like beliefs, world or encoder. These are all carried values that are not"
        );
        line!(text, "# desires, optimizer state included. guess: check");
    } else {
        line!(
            text,
            "# What learns by prediction and must never see the probe: the updated parameters and their optimizer"
        );
        line!(text, "# state. guess: check");
    }
    path_group(text, "beliefs", beliefs);
    if desires.is_empty() {
        line!(text, "# No output subtree has a name like desires, policy, actor, critic or value.");
    } else {
        line!(text, "# What the reward may train. guess: check");
    }
    path_group(text, "desires", desires);
    if scopes.probes.is_empty() {
        line!(
            text,
            "# No scope looks like a probe. Wrap what makes the probe's score in `with jax.named_scope(\"probe_reward\"):`"
        );
        line!(text, "# and print the text with `as_text(debug_info=True)`, or pick one of these, and uncomment:");
        line!(text, "# probe = [");
        if scopes.others.is_empty() {
            line!(text, "#   \"scope:probe_reward\", # fill in; this text names no scopes at all");
        }
    } else {
        line!(text, "# What makes the probe's score: every operation in it, forward and backward. guess: check");
        line!(text, "probe = [");
        for (selector, count) in &scopes.probes {
            line!(text, "  {}, # {}", quoted(selector), plural(*count, "operation"));
        }
    }
    let mark = if scopes.probes.is_empty() { "#" } else { "" };
    for (selector, count) in scopes.losses.iter().chain(&scopes.scores).chain(&scopes.others) {
        let commented = if mark.is_empty() { "  # " } else { "#   " };
        line!(text, "{commented}{}, # {}", quoted(selector), plural(*count, "operation"));
    }
    for root in inputs::probe(graph) {
        let commented = if mark.is_empty() { "  # " } else { "#   " };
        line!(text, "{commented}{}, # its own parameters", quoted(&root));
    }
    line!(text, "{}]", if mark.is_empty() { "" } else { "# " });
}

fn path_group(text: &mut String, name: &str, globs: &[&PytreeGlob]) {
    if globs.is_empty() {
        line!(text, "# {name} = [\"output:**.{name}.**\"] # fill in");
        return;
    }
    line!(text, "{name} = [");
    for glob in globs {
        line!(text, "  {}, # {}", quoted(&glob.selector), plural(glob.leaves, "leaf"));
    }
    line!(text, "]");
}

fn invariants(text: &mut String, complete: bool, desires: &[&PytreeGlob], scopes: &Scopes, graph: &TrainingGraph) {
    let mark = if complete { "" } else { "# " };
    line!(text, "\n# The loop does not close, neither in one step nor through what is carried from step to step.");
    line!(text, "{mark}[[invariant]]");
    line!(text, "{mark}name = \"beliefs never see the probe reward\"");
    line!(text, "{mark}from = [\"probe\"]");
    line!(text, "{mark}to = [\"beliefs\"]");
    line!(text, "{mark}within = [\"step\", \"run\"]");
    line!(text, "{mark}# assume = [\"finite\"] # no inf or NaN in masked products, if the check asks for it");
    line!(text, "{mark}# routes = [\"environment\"] # fail on declared environment edges too");
    line!(
        text,
        "{mark}# A bound instead of a denial. The channels, least first: timing (a skipped update), scale (a shared clip),"
    );
    line!(
        text,
        "{mark}# selection (which data is used). A finite check passes 1 bit in each step, a norm in float32 32 bits."
    );
    line!(text, "{mark}# max_channel = \"scale\"");
    line!(text, "{mark}# max_bits_per_step = 32");
    let mark = if complete && !desires.is_empty() { "" } else { "# " };
    line!(text, "\n# Positive control: without it, a score that goes nowhere would pass.");
    line!(text, "{mark}[[require]]");
    line!(text, "{mark}name = \"the probe reward reaches the desires\"");
    line!(text, "{mark}from = [\"probe\"]");
    line!(text, "{mark}to = [\"desires\"]");
    line!(text, "{mark}within = \"run\"");
    co_training(text, scopes, graph);
    line!(
        text,
        "\n# The world outside closes loops as well: plans make data. Such routes are listed; see `routes` above."
    );
    line!(text, "# [[environment]]");
    line!(text, "# output = \"desires\"");
    line!(text, "# input = \"input:batch.**\"");
    line!(text, "# note = \"the actor collects the next batch\"");
}

/// The probe's own loss is another source than its reward: both answers are right, and they differ.
fn co_training(text: &mut String, scopes: &Scopes, graph: &TrainingGraph) {
    let labels = inputs::labels(graph);
    let mut from = [labels.clone(), inputs::probe(graph)].concat();
    from.extend(scopes.losses.iter().map(|(selector, _)| selector.clone()));
    if from.is_empty() {
        from.push("input:probe.**".into());
    }
    let from: Vec<String> = from.iter().map(|selector| quoted(selector)).collect();
    if labels.is_empty() {
        line!(
            text,
            "\n# If this step trains the probe too, the probe's own loss must not shape what it reads. Name its parameters,"
        );
        line!(text, "# its labels and the scope of its loss:");
    } else {
        line!(
            text,
            "\n# An input looks like labels. If this step trains the probe on them, the probe's own loss must not shape what"
        );
        line!(
            text,
            "# it reads. That is another source than the reward. Name its labels, its parameters and the scope of its loss;"
        );
        line!(
            text,
            "# labels that the beliefs are meant to learn from do not belong here. See `openloop explain OL126`."
        );
    }
    line!(text, "# [[invariant]]");
    line!(text, "# name = \"training the probe does not shape the beliefs\"");
    line!(text, "# from = [{}]", from.join(", "));
    line!(text, "# to = [\"beliefs\"]");
}

fn carried_values(text: &mut String, graph: &TrainingGraph, carried: Result<&CarriedPairs, &PairingError>) {
    line!(text, "\n# Which outputs of one step are inputs of the next.");
    let pairs = match carried {
        Ok(pairs) => pairs,
        Err(error) => {
            line!(text, "# openloop could not decide: {}", comment(&error.to_string()));
            line!(text, "# Uncomment and say which; `false` is an output that is not carried.");
            line!(text, "# [carried]");
            if let PairingError::Ambiguous { input, candidates } = error {
                for candidate in candidates {
                    line!(text, "# {} = {}", quoted(&candidate.to_string()), quoted(&input.to_string()));
                }
            }
            return;
        }
    };
    if pairs.pairings.is_empty() && pairs.possible.is_empty() {
        line!(text, "# openloop found none. If there are some, uncomment and fill in:");
        line!(text, "# [carried]");
        line!(text, "# \"result.0\" = \"params\"");
        return;
    }
    line!(text, "# Found as follows; uncomment to correct. `false` is an output that is not carried.");
    line!(text, "# [carried]");
    for pairing in &pairs.pairings {
        let how = match pairing.reading {
            Reading::Declared => "declared",
            Reading::Structure => "same subtrees",
            Reading::Name => "same name",
            Reading::Type => "the only one of its type",
        };
        let (output, input) = (quoted(&pairing.output.to_string()), quoted(&pairing.input.to_string()));
        line!(text, "# {output} = {input} # {}, {how}", plural(pairing.leaves, "leaf"));
    }
    const SHOWN: usize = 8;
    let inputs: Vec<&PytreePath> = graph.inputs().map(|(path, _)| path).collect();
    let outputs: Vec<&PytreePath> = graph.outputs().map(|(path, _)| path).collect();
    let names = |positions: &[usize], paths: &[&PytreePath]| {
        let names = positions.iter().take(SHOWN).map(|&position| paths[position].to_string());
        comment(&names.collect::<Vec<_>>().join(", "))
    };
    for possible in pairs.possible.iter().take(SHOWN) {
        let (outputs, inputs) = (names(&possible.outputs, &outputs), names(&possible.inputs, &inputs));
        line!(text, "# not clear: does one of {outputs} become one of {inputs}?");
    }
}

#[cfg(test)]
mod tests;
