//! Floor 4: re-checks a certificate, with its own small code.
//!
//! **Invariants.** Nothing of `transfer` or `flow` is used: the rules are written again, the other way round (what a
//! value *takes from*, where the analysis lists what it *gives to*). Sources, sinks, carried pairs and edges are
//! recomputed from the certificate's selectors and paths. It accepts only what it has checked: an unknown version, an
//! unknown verdict, a field that does not fit is a refusal. There is no search here, only one look at each fact.

mod amounts;
mod backward;
mod channels;
mod doubts;
mod facts;
mod labels;
mod local;
mod paths;
mod refined;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::graph::{Digest, PairingOverride, PytreePath, TrainingGraph};
use crate::policy::{Matched, Selector};
use crate::verdict::{CERTIFICATE_VERSION, Certificate, Evidence, Hop, Verdict, Within};
use facts::Facts;

/// Finds what selectors pick. The policy floor does so ([`BySelectors`]); tests may do otherwise.
pub trait Resolve {
    /// What these selectors pick in the graph at this position.
    fn resolve(&self, selectors: &[String], position: usize, graph: &TrainingGraph) -> Result<Matched, String>;
}

/// Selectors as policies write them.
#[derive(Clone, Copy, Debug)]
pub struct BySelectors<'a> {
    /// How selectors call the graphs, in their order; empty if there is one.
    pub names: &'a [&'a str],
}

impl Resolve for BySelectors<'_> {
    fn resolve(&self, selectors: &[String], position: usize, graph: &TrainingGraph) -> Result<Matched, String> {
        let mut own = Vec::new();
        for text in selectors {
            let selector = Selector::parse(text).map_err(|error| error.to_string())?;
            match self.names.get(position) {
                Some(name) if selector.applies_to(name) => own.push(selector),
                Some(_) => {}
                None if selector.graph().is_none() => own.push(selector),
                None => return Err(format!("`{text}` speaks of a graph by name, and there are no names")),
            }
        }
        Ok(Selector::resolve_all(&own, graph))
    }
}

/// Re-checks a certificate against the graphs that it speaks of, in its order. Refused: every reason that was found.
pub fn verify(
    certificate: &Certificate,
    graphs: &[&TrainingGraph],
    selectors: &dyn Resolve,
) -> Result<(), Vec<String>> {
    let claim = Claim::new(certificate, graphs, selectors)?;
    let problems = match (&certificate.evidence, certificate.verdict) {
        (Evidence::Labels(evidence), Verdict::Holds) => {
            let mut problems = labels::check(&claim, evidence);
            problems.extend(doubts_of(certificate, &claim, selectors)?);
            problems
        }
        (Evidence::Refined(evidence), Verdict::Holds) => {
            let data = inputs_of(&evidence.data, graphs, selectors)?;
            let mut problems = refined::check(&claim, evidence, &data);
            problems.extend(doubts_of(certificate, &claim, selectors)?);
            problems
        }
        (Evidence::Paths(evidence), Verdict::Violated) => {
            let mut problems = paths::check(&claim, evidence);
            problems.extend(amounts::check(&claim, certificate, evidence));
            problems
        }
        (_, verdict) => vec![format!("a verdict `{}` with this evidence cannot be re-checked", verdict.as_str())],
    };
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// For each graph the inputs that these selectors pick.
fn inputs_of(
    texts: &[String],
    graphs: &[&TrainingGraph],
    selectors: &dyn Resolve,
) -> Result<Vec<Vec<usize>>, Vec<String>> {
    let mut inputs = Vec::new();
    for (position, graph) in graphs.iter().enumerate() {
        inputs.push(selectors.resolve(texts, position, graph).map_err(|error| vec![error])?.inputs);
    }
    Ok(inputs)
}

/// Doubts about each scope that is a source.
fn doubts_of(
    certificate: &Certificate,
    claim: &Claim<'_>,
    selectors: &dyn Resolve,
) -> Result<Vec<String>, Vec<String>> {
    let mut problems = Vec::new();
    for position in 0..claim.graphs.len() {
        let graph = claim.graphs[position].graph;
        let trained = trained_inputs(certificate, graph);
        for text in &certificate.from {
            let scope = selectors.resolve(std::slice::from_ref(text), position, graph).map_err(|error| vec![error])?;
            problems.extend(doubts::check(claim, position, &scope.operations, &trained));
        }
    }
    Ok(problems)
}

/// What the policy said that applies to a graph: pairs and terminal outputs whose paths it has; and which those are.
fn overrides(certificate: &Certificate, graph: &TrainingGraph) -> (PairingOverride, Vec<bool>) {
    let entry = graph.function(graph.entry());
    let has = |paths: &[PytreePath], root: &PytreePath| paths.iter().any(|path| path.starts_with(root));
    let mut overrides = PairingOverride::default();
    let mut used = Vec::new();
    for (output, input) in &certificate.carried {
        let fits = has(&entry.outputs, output) && has(&entry.inputs, input);
        if fits {
            overrides.pairs.push((output.clone(), input.clone()));
        }
        used.push(fits);
    }
    for output in &certificate.terminal {
        let fits = has(&entry.outputs, output);
        if fits {
            overrides.terminal.push(output.clone());
        }
        used.push(fits);
    }
    (overrides, used)
}

/// For each output the input of the next step that it becomes; none, if what is carried is not clear.
fn own_inputs(certificate: &Certificate, graph: &TrainingGraph) -> Vec<Option<usize>> {
    let mut inputs = vec![None; graph.outputs().len()];
    if let Ok(pairs) = graph.carried_pairs(&overrides(certificate, graph).0) {
        pairs.pairs.iter().for_each(|pair| inputs[pair.output] = Some(pair.input));
    }
    inputs
}

/// Whether a step may update each input: it is carried and not returned unchanged. All, if what is carried is not clear.
fn trained_inputs(certificate: &Certificate, graph: &TrainingGraph) -> Vec<bool> {
    let entry = graph.function(graph.entry());
    let inputs = graph.arguments(entry.body);
    let Ok(pairs) = graph.carried_pairs(&overrides(certificate, graph).0) else { return vec![true; inputs.len()] };
    let mut trained = vec![false; inputs.len()];
    for pair in &pairs.pairs {
        trained[pair.input] = graph.yields(entry.body).get(pair.output).copied() != inputs.get(pair.input);
    }
    trained
}

/// An edge from an output to an input, by graph and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    from: (usize, usize),
    to: (usize, usize),
    hop: Hop,
    /// Nothing decides whether it is there: a proof must hold with it, a path may not use it.
    possible: bool,
}

/// What the certificate says, recomputed.
struct Claim<'a> {
    graphs: Vec<Rc<Facts<'a>>>,
    /// For each graph and operation whether its results are source.
    sources: Vec<Vec<bool>>,
    source_inputs: Vec<Vec<usize>>,
    sinks: Vec<Vec<usize>>,
    edges: Vec<Edge>,
    /// For each graph and output the input of the next step that it becomes, however far the claim looks.
    own_inputs: Vec<Vec<Option<usize>>>,
}

impl<'a> Claim<'a> {
    fn new(
        certificate: &Certificate,
        graphs: &[&'a TrainingGraph],
        selectors: &dyn Resolve,
    ) -> Result<Self, Vec<String>> {
        if certificate.version != CERTIFICATE_VERSION {
            let version = certificate.version;
            return Err(vec![format!("certificate version {version}, expected {CERTIFICATE_VERSION}")]);
        }
        let digests: Vec<Digest> = graphs.iter().map(|graph| graph.digest()).collect();
        if graphs.is_empty() || digests != certificate.digests {
            let other = (0..graphs.len()).find(|at| certificate.digests.get(*at) != digests.get(*at));
            let which = match other.filter(|_| digests.len() == certificate.digests.len()) {
                Some(at) if digests.len() > 1 => {
                    format!("the digests differ, of graph {} of {}", at + 1, digests.len())
                }
                Some(_) => "the digests differ".to_string(),
                None => format!(
                    "the digests differ: it names {}, and there are {}",
                    certificate.digests.len(),
                    digests.len()
                ),
            };
            return Err(vec![format!("the certificate is for other graphs: {which}")]);
        }
        let names = &certificate.names;
        let unique = names.iter().enumerate().all(|(position, name)| !names[..position].contains(name));
        if !(names.len() == graphs.len() && unique || names.is_empty() && graphs.len() == 1) {
            return Err(vec!["there is not one name for each graph".into()]);
        }
        let mut claim = Claim {
            graphs: graphs.iter().map(|graph| Rc::new(Facts::new(graph))).collect(),
            sources: Vec::new(),
            source_inputs: Vec::new(),
            sinks: Vec::new(),
            edges: Vec::new(),
            own_inputs: graphs.iter().map(|graph| own_inputs(certificate, graph)).collect(),
        };
        let mut problems = Vec::new();
        for text in certificate.from.iter().chain(&certificate.to) {
            let mut any = false;
            for (position, graph) in graphs.iter().enumerate() {
                let found = selectors.resolve(std::slice::from_ref(text), position, graph);
                any |= !found.map_err(|error| vec![error])?.is_empty();
            }
            // A violation stands whatever else matched nothing.
            if !any && certificate.verdict == Verdict::Holds {
                problems.push(format!("`{text}` picks nothing"));
            }
        }
        for (position, graph) in graphs.iter().enumerate() {
            let resolve = |texts: &[String]| selectors.resolve(texts, position, graph);
            let from = resolve(&certificate.from).map_err(|error| vec![error])?;
            let to = resolve(&certificate.to).map_err(|error| vec![error])?;
            if !from.outputs.is_empty() || !to.operations.is_empty() || !to.inputs.is_empty() {
                problems.push("a source is an operation or an input, and a sink is an output".into());
            }
            claim.sources.push(claim.graphs[position].closed_sources(&from.operations));
            claim.source_inputs.push(from.inputs);
            claim.sinks.push(to.outputs);
        }
        if claim.sources.iter().flatten().all(|source| !source) && claim.source_inputs.iter().all(Vec::is_empty) {
            problems.push("the selectors of the source pick nothing".into());
        }
        if claim.sinks.iter().all(Vec::is_empty) {
            problems.push("the selectors of the sinks pick nothing".into());
        }
        if certificate.within == Within::Run {
            claim.add_carried(certificate, &mut problems);
        }
        claim.edges_of_policy(certificate, &mut problems);
        if problems.is_empty() { Ok(claim) } else { Err(problems) }
    }

    /// The claim about some of the sinks. A flow ends at the first sink that it reaches: nothing is carried on from one.
    fn ending_at(&self, is_kept: impl Fn((usize, usize)) -> bool) -> Claim<'a> {
        let leaves_sink = |edge: &&Edge| self.sinks[edge.from.0].contains(&edge.from.1);
        let kept = |(graph, sinks): (usize, &Vec<usize>)| {
            sinks.iter().copied().filter(|sink| is_kept((graph, *sink))).collect()
        };
        Claim {
            graphs: self.graphs.clone(),
            sources: self.sources.clone(),
            source_inputs: self.source_inputs.clone(),
            sinks: self.sinks.iter().enumerate().map(kept).collect(),
            edges: self.edges.iter().filter(|edge| !leaves_sink(edge)).copied().collect(),
            own_inputs: self.own_inputs.clone(),
        }
    }

    /// Carried pairs, and those that are possible. What the policy says applies to the graphs that have the paths.
    fn add_carried(&mut self, certificate: &Certificate, problems: &mut Vec<String>) {
        let mut used = vec![false; certificate.carried.len() + certificate.terminal.len()];
        for position in 0..self.graphs.len() {
            let graph = self.graphs[position].graph;
            let (overrides, own) = overrides(certificate, graph);
            used.iter_mut().zip(own).for_each(|(used, own)| *used |= own);
            let pairs = match graph.carried_pairs(&overrides) {
                Ok(pairs) => pairs,
                Err(error) => {
                    problems.push(error.to_string());
                    continue;
                }
            };
            let mut add = |output: usize, input: usize, possible: bool| {
                let (from, to) = ((position, output), (position, input));
                self.edges.push(Edge { from, to, hop: Hop::Carried, possible });
            };
            pairs.pairs.iter().for_each(|pair| add(pair.output, pair.input, false));
            for possible in &pairs.possible {
                for &output in &possible.outputs {
                    possible.inputs.iter().for_each(|&input| add(output, input, true));
                }
            }
        }
        if used.contains(&false) {
            problems.push("a declared carried pair or terminal output is in none of the graphs".into());
        }
    }

    fn edges_of_policy(&mut self, certificate: &Certificate, problems: &mut Vec<String>) {
        for edge in &certificate.edges {
            let find = |(position, path): &(usize, PytreePath), inputs: bool| {
                let graph = self.graphs.get(*position)?.graph;
                let entry = graph.function(graph.entry());
                let paths = if inputs { &entry.inputs } else { &entry.outputs };
                Some((*position, paths.iter().position(|candidate| candidate == path)?))
            };
            match (find(&edge.from, false), find(&edge.to, true), edge.hop) {
                (Some(from), Some(to), hop @ (Hop::Link | Hop::Carried | Hop::Environment)) => {
                    self.edges.push(Edge { from, to, hop, possible: false });
                }
                _ => problems.push(format!("the edge `{}` to `{}` does not fit the graphs", edge.from.1, edge.to.1)),
            }
        }
    }
}
