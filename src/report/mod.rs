//! Floor 6: a whole run. From graphs and a policy to one [`RunReport`]: a verdict for each invariant, its evidence and
//! its assumptions, what the probe reads, waivers.
//!
//! **Invariants.** This floor decides what a verdict is (`Holds` only where nothing at all reaches a sink, no question is
//! open and every selector matched), and asks the floors below for everything else. It reads no file, prints nothing
//! and takes "today" from its caller.

mod invariant;
mod refinement;
mod substrate;

use std::sync::OnceLock;

use thiserror::Error;

use crate::flow::{Crossing, Phases, Sources, System};
use crate::graph::{CarriedPairs, Digest, PairingError, PairingOverride, PytreePath, Reading, TrainingGraph};
use crate::policy::{Date, FlowPolicy, Matched, PolicyError, Selector, explain_unmatched};
use crate::verdict::*;

/// A graph, with the name that a policy calls it by and the file that it came from.
#[derive(Clone, Copy, Debug)]
pub struct NamedGraph<'g> {
    /// Its name in the policy, or that of the module.
    pub name: &'g str,
    /// The file that it was read from, for people.
    pub file: &'g str,
    /// The graph.
    pub graph: &'g TrainingGraph,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The policy does not fit the graphs.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Which output becomes which input is not clear, and an invariant looks over many steps.
    #[error("{graph}: {error}")]
    Pairing {
        /// The name of the graph.
        graph: String,
        /// What is not clear.
        error: PairingError,
    },
}

/// A policy applied to graphs.
struct Run<'a> {
    graphs: &'a [NamedGraph<'a>],
    policy: &'a FlowPolicy,
    system: System<'a>,
    pairs: Vec<CarriedPairs>,
    /// For each graph whether it is clear what is carried; a check of one step can do without.
    paired: Vec<bool>,
    overrides: Vec<PairingOverride>,
    edges: Vec<CertificateEdge>,
    /// The identities of the graphs, which another thread may be at.
    digests: &'a OnceLock<Vec<Digest>>,
    phases: Vec<OnceLock<Phases<'a>>>,
}

/// What selectors matched, graph by graph, and what is wrong with those that matched nothing.
struct Resolved {
    graphs: Vec<Matched>,
    unmatched: Vec<String>,
}

/// Checks graphs against a policy. Certificates make a report large; `certificates` says whether to put them in.
pub fn run(
    graphs: &[NamedGraph<'_>],
    policy: &FlowPolicy,
    today: Date,
    certificates: bool,
) -> Result<RunReport, ReportError> {
    let digests = OnceLock::new();
    // Who the graphs are takes as long as what holds of them, and neither needs the other.
    std::thread::scope(|scope| {
        scope.spawn(|| digests.get_or_init(|| digests_of(graphs)).len());
        check(graphs, policy, &digests, today, certificates)
    })
}

fn digests_of(graphs: &[NamedGraph<'_>]) -> Vec<Digest> {
    graphs.iter().map(|named| named.graph.digest()).collect()
}

fn check(
    graphs: &[NamedGraph<'_>],
    policy: &FlowPolicy,
    digests: &OnceLock<Vec<Digest>>,
    today: Date,
    certificates: bool,
) -> Result<RunReport, ReportError> {
    let run = Run::new(graphs, policy, digests)?;
    let answer = || {
        let invariants: Vec<InvariantReport> =
            policy.invariants().iter().map(|invariant| run.invariant(invariant, certificates)).collect();
        let requires: Vec<RequireReport> = policy.requires().iter().map(|require| run.require(require)).collect();
        (invariants, requires)
    };
    // What the probe reads is independent too.
    let ((mut invariants, requires), substrate) = std::thread::scope(|scope| {
        let describing = scope.spawn(|| run.substrates());
        let answers = answer();
        let substrate = describing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (answers, substrate)
    });
    let violated: Vec<&str> = invariants
        .iter()
        .filter(|invariant| invariant.verdict == Verdict::Violated)
        .map(|invariant| invariant.name.as_str())
        .collect();
    let waivers = policy.apply_waivers(today, &violated);
    for invariant in &mut invariants {
        if invariant.verdict == Verdict::Violated {
            invariant.waived = waivers.reason(&invariant.name).map(str::to_string);
        }
    }
    let mut graph_reports = run.graph_reports().into_iter();
    Ok(RunReport {
        version: REPORT_VERSION,
        tool: env!("CARGO_PKG_VERSION").into(),
        graph: graph_reports.next().expect("there is at least one graph"),
        more_graphs: graph_reports.collect(),
        invariants,
        requires,
        waivers: waivers.findings,
        substrate,
        not_shown: not_shown(policy),
    })
}

/// What no verdict says. Printed with every report.
fn not_shown(policy: &FlowPolicy) -> Vec<String> {
    let no_control =
        "that the score trains anything: nothing was required to be reached (a policy can, with `[[require]]`)";
    let control = policy.requires().is_empty().then_some(no_control);
    let always = [
        "that the probe stays faithful: any loss that moves what it reads may blind it",
        "that selection is harmless: a plan that evades the probe by chance is repeated by policy gradient",
        "anything about code outside of this text: data loading, checkpoint choice, edits of the loop around the step",
    ];
    always.into_iter().chain(control).map(String::from).collect()
}

impl<'a> Run<'a> {
    fn new(
        graphs: &'a [NamedGraph<'a>],
        policy: &'a FlowPolicy,
        digests: &'a OnceLock<Vec<Digest>>,
    ) -> Result<Self, ReportError> {
        let over_steps = policy.invariants().iter().any(|invariant| invariant.within == Within::Run)
            || policy.requires().iter().any(|require| require.within == Within::Run);
        let mut system = System::new(graphs.iter().map(|named| named.graph));
        let mut pairs = Vec::with_capacity(graphs.len());
        let mut paired = Vec::with_capacity(graphs.len());
        let mut overrides = Vec::with_capacity(graphs.len());
        for (position, named) in graphs.iter().enumerate() {
            let said = policy.carried(named.name);
            let (found, is_clear) = match named.graph.carried_pairs(&said) {
                Ok(found) => (found, true),
                Err(error) if over_steps || said != PairingOverride::default() => {
                    return Err(ReportError::Pairing { graph: named.name.into(), error });
                }
                // One step does not need them.
                Err(_) => (CarriedPairs::default(), false),
            };
            system.carry(position, &found);
            paired.push(is_clear);
            pairs.push(found);
            overrides.push(said);
        }
        let named: Vec<(&str, &TrainingGraph)> = graphs.iter().map(|named| (named.name, named.graph)).collect();
        let mut edges = Vec::new();
        for edge in policy.system_edges(&named)? {
            let crossing = match edge.hop() {
                Hop::Link => Crossing::Link,
                Hop::Carried => Crossing::Carried,
                _ => Crossing::Environment,
            };
            system.connect(edge.from, edge.to, crossing);
            let output = graphs[edge.from.0].graph.outputs().nth(edge.from.1).map(|(path, _)| path.clone());
            let input = graphs[edge.to.0].graph.inputs().nth(edge.to.1).map(|(path, _)| path.clone());
            if let (Some(output), Some(input)) = (output, input) {
                edges.push(CertificateEdge { from: (edge.from.0, output), to: (edge.to.0, input), hop: edge.hop() });
            }
        }
        let phases = graphs.iter().map(|_| OnceLock::new()).collect();
        Ok(Run { graphs, policy, system, pairs, paired, overrides, edges, digests, phases })
    }

    /// The identities of the graphs.
    fn digests(&self) -> &[Digest] {
        self.digests.get_or_init(|| digests_of(self.graphs))
    }

    /// Which operations of a graph are cotangents.
    fn phases(&self, graph: usize) -> &Phases<'a> {
        self.phases[graph].get_or_init(|| Phases::new(self.graphs[graph].graph))
    }

    fn resolve(&self, selectors: &[Selector]) -> Resolved {
        let mut graphs = vec![Matched::default(); self.graphs.len()];
        let mut unmatched = Vec::new();
        for selector in selectors {
            let mut any = false;
            for (named, matched) in self.graphs.iter().zip(&mut graphs) {
                if !selector.applies_to(named.name) {
                    continue;
                }
                let found = selector.resolve(named.graph);
                any |= !found.is_empty();
                matched.operations.extend(found.operations);
                matched.inputs.extend(found.inputs);
                matched.outputs.extend(found.outputs);
            }
            if !any {
                unmatched.push(self.explain_unmatched(selector));
            }
        }
        for matched in &mut graphs {
            matched.operations.sort_unstable();
            matched.operations.dedup();
            matched.inputs.sort_unstable();
            matched.inputs.dedup();
            matched.outputs.sort_unstable();
            matched.outputs.dedup();
        }
        Resolved { graphs, unmatched }
    }

    fn explain_unmatched(&self, selector: &Selector) -> String {
        let applies = self.graphs.iter().filter(|named| selector.applies_to(named.name));
        explain_unmatched(selector, applies.map(|named| named.graph))
    }

    fn sources(&self, resolved: &Resolved) -> Sources {
        let mut sources = Sources::default();
        for (position, matched) in resolved.graphs.iter().enumerate() {
            sources.add(position, matched.operations.iter().copied(), matched.inputs.iter().copied());
        }
        sources
    }

    fn graph_reports(&self) -> Vec<GraphReport> {
        let carried = |pairs: &CarriedPairs| {
            let report = |pairing: &crate::graph::Pairing| CarriedReport {
                output: pairing.output.clone(),
                input: pairing.input.clone(),
                leaves: pairing.leaves,
                unused_inputs: pairing.unused_inputs,
                found_by: reading(pairing.reading).into(),
            };
            pairs.pairings.iter().map(report).collect()
        };
        let reports =
            self.graphs.iter().zip(&self.pairs).zip(self.digests()).map(|((named, pairs), digest)| GraphReport {
                name: named.name.into(),
                file: named.file.into(),
                digest: *digest,
                operations: named.graph.operations().len(),
                functions: named.graph.functions().len(),
                inputs: named.graph.inputs().len(),
                outputs: named.graph.outputs().len(),
                carried: carried(pairs),
            });
        reports.collect()
    }

    /// The path of an output, with the graph's name where there are several.
    fn output_name(&self, graph: usize, position: usize) -> String {
        let path = self.graphs[graph].graph.outputs().nth(position).map(|(path, _)| path.to_string());
        self.qualified(graph, path.unwrap_or_default())
    }

    fn input_name(&self, graph: usize, position: usize) -> String {
        let path = self.graphs[graph].graph.inputs().nth(position).map(|(path, _)| path.to_string());
        self.qualified(graph, path.unwrap_or_default())
    }

    fn qualified(&self, graph: usize, path: String) -> String {
        if self.graphs.len() > 1 { format!("{}:{path}", self.graphs[graph].name) } else { path }
    }
}

fn reading(reading: Reading) -> &'static str {
    match reading {
        Reading::Declared => "declared",
        Reading::Structure => "structure",
        Reading::Name => "name",
        Reading::Type => "type",
    }
}

fn texts(selectors: &[Selector]) -> Vec<String> {
    selectors.iter().map(|selector| selector.as_str().to_string()).collect()
}

/// The subtree that a person would name a path by: two segments deep, or the root of a flat one.
fn subtree_root(path: &PytreePath) -> PytreePath {
    path.prefix(path.segments().len().saturating_sub(1).clamp(1, 2))
}

/// Positions of paths by the subtree that a person would name. A subtree of one leaf is called by that leaf: next to
/// `s.world` with many leaves, `s` would be more than `s.key`.
fn subtrees(paths: &[&PytreePath], positions: impl Iterator<Item = usize>) -> Vec<(PytreePath, Vec<usize>)> {
    let mut found: indexmap::IndexMap<PytreePath, Vec<usize>> = indexmap::IndexMap::new();
    for position in positions {
        found.entry(subtree_root(paths[position])).or_default().push(position);
    }
    let name = |(root, members): (PytreePath, Vec<usize>)| match members[..] {
        [only] => (paths[only].clone(), members),
        _ => (root, members),
    };
    found.into_iter().map(name).collect()
}
