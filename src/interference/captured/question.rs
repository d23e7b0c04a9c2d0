//! What is asked of captured graphs, resolved as the static check resolves it: the same selectors, pairs and edges.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::graph::{CarriedPairs, PairingError, PairingOverride, PytreePath, TrainingGraph};
use crate::policy::{FlowPolicy, Invariant, PolicyError, Selector, explain_unmatched};
use crate::verdict::{Assumption, CertificateEdge, Hop, Within};

/// The name that a policy calls a graph by, and the graph.
pub type NamedGraphs<'a, 'g> = &'a [(&'a str, &'g TrainingGraph)];

/// What is asked, in a form that a file can hold. It means something only next to the graphs that it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedQuestion {
    /// What is asked, as the policy calls it.
    pub name: String,
    /// One step, or several over what is carried.
    pub within: Within,
    /// Selectors of the source.
    pub from: Vec<String>,
    /// Selectors of the sinks: their bits must not depend on the source.
    pub to: Vec<String>,
    /// Selectors of what the source may reach: a pair that changes none of it has no power. None: all other outputs.
    pub allowed: Vec<String>,
    /// Which outputs are which inputs: of another graph, of the next step, or through the world outside.
    pub edges: Vec<CertificateEdge>,
    /// A pair in which a zero meets an infinity or NaN in a product shows nothing, and plus zero is minus zero.
    pub finite: bool,
    /// Inputs that are zero or one.
    pub binary: Vec<PytreePath>,
}

/// Why captured graphs cannot be run in pairs.
#[derive(Debug, Error)]
pub enum CapturedError {
    /// The policy does not fit the graphs.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Which output becomes which input is not clear.
    #[error("{graph}: {error}")]
    Pairing {
        /// The name of the graph.
        graph: String,
        /// What is not clear.
        error: PairingError,
    },
    /// There is no source, or no sink.
    #[error("{}", .0.join("\n"))]
    NothingMatches(Vec<String>),
    /// A graph cannot be run.
    #[error("{0}")]
    Graph(String),
}

impl PairedQuestion {
    /// The question that an invariant of a policy asks.
    pub fn new(
        graphs: NamedGraphs<'_, '_>,
        policy: &FlowPolicy,
        invariant: &Invariant,
    ) -> Result<PairedQuestion, CapturedError> {
        let mut edges = Vec::new();
        for (position, (name, graph)) in graphs.iter().enumerate() {
            let said = policy.carried(name);
            let pairs = match graph.carried_pairs(&said) {
                Ok(pairs) => pairs,
                Err(error) if invariant.within == Within::Run || said != PairingOverride::default() => {
                    return Err(CapturedError::Pairing { graph: (*name).into(), error });
                }
                // One step does not need them.
                Err(_) => CarriedPairs::default(),
            };
            let ends = pairs.pairs.iter().map(|pair| ((position, pair.output), (position, pair.input), Hop::Carried));
            edges.extend(ends.filter_map(|(from, to, hop)| edge(graphs, from, to, hop)));
        }
        let declared = policy.system_edges(graphs)?;
        edges.extend(declared.iter().filter_map(|declared| edge(graphs, declared.from, declared.to, declared.hop())));
        let texts = |selectors: &[Selector]| selectors.iter().map(|selector| selector.as_str().to_string()).collect();
        let required = policy.requires().iter().filter(|require| require.from == invariant.from);
        let mut allowed: Vec<String> = required.flat_map(|require| texts(&require.to) as Vec<String>).collect();
        allowed.dedup();
        let binary = invariant.assume.iter().filter_map(|assumption| match assumption {
            Assumption::Binary(path) => Some(path.clone()),
            Assumption::Finite => None,
        });
        Ok(PairedQuestion {
            name: invariant.name.clone(),
            within: invariant.within,
            from: texts(&invariant.from),
            to: texts(&invariant.to),
            allowed,
            edges,
            finite: invariant.assume.contains(&Assumption::Finite),
            binary: binary.collect(),
        })
    }
}

/// An edge by the paths at its ends.
fn edge(graphs: NamedGraphs<'_, '_>, from: (usize, usize), to: (usize, usize), hop: Hop) -> Option<CertificateEdge> {
    let output = graphs[from.0].1.outputs().nth(from.1)?.0.clone();
    let input = graphs[to.0].1.inputs().nth(to.1)?.0.clone();
    Some(CertificateEdge { from: (from.0, output), to: (to.0, input), hop })
}

/// What selectors match in each graph. A selector that matches nothing anywhere is named.
pub(super) fn matched(
    graphs: NamedGraphs<'_, '_>,
    texts: &[String],
) -> Result<Vec<crate::policy::Matched>, CapturedError> {
    let parse = |text: &String| Selector::parse(text).map_err(|error| CapturedError::Graph(error.to_string()));
    let selectors = texts.iter().map(parse).collect::<Result<Vec<Selector>, CapturedError>>()?;
    let nothing = |selector: &&Selector| {
        let applies = graphs.iter().filter(|(name, _)| selector.applies_to(name));
        applies.into_iter().all(|(_, graph)| selector.resolve(graph).is_empty())
    };
    let explained = |selector: &Selector| {
        let applies = graphs.iter().filter(|(name, _)| selector.applies_to(name));
        explain_unmatched(selector, applies.map(|(_, graph)| *graph))
    };
    let unmatched: Vec<String> = selectors.iter().filter(nothing).map(explained).collect();
    if !unmatched.is_empty() {
        return Err(CapturedError::NothingMatches(unmatched));
    }
    let of_graph = |(name, graph): &(&str, &TrainingGraph)| {
        let own: Vec<&Selector> = selectors.iter().filter(|selector| selector.applies_to(name)).collect();
        Selector::resolve_all(own.iter().copied(), graph)
    };
    Ok(graphs.iter().map(of_graph).collect())
}
