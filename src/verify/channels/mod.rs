//! A bound on the channel: the claim for each sink, checked on its own.
//!
//! Two steps for each group of sinks with the same pivots. That nothing but the pivots lets the source through is proved
//! by demand, with the pivots cut. What the pivots then do to the sinks is looked at locally, on every way from a pivot to a
//! sink: see [`forms`].
//!
//! **Invariants.** Nothing of the analysis is used. A flow ends at the first sink that it reaches, so nothing is carried on
//! from a sink. What is not understood is content, and content is never within a bound.

mod form;
mod forms;
mod norms;
mod operations;
mod picks;
mod reach;
mod signs;
#[cfg(test)]
mod tests;

use super::Claim;
use super::backward::{self, Allowed};
use super::refined::cut_of;
use crate::graph::PytreePath;
use crate::verdict::{Channel, ChannelClaim, CutElement};

/// A sink, by graph and position.
type Sink = (usize, usize);

/// `data`: for each graph the inputs that are declared data.
pub(super) fn check(
    claim: &Claim<'_>,
    allowed: &Allowed<'_>,
    claims: &[ChannelClaim],
    most: Channel,
    data: &[Vec<usize>],
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut claimed: Vec<Sink> = Vec::new();
    // Sinks with the same pivots and the same channel are looked at together.
    let mut groups: Vec<(&[CutElement], Channel, Vec<Sink>)> = Vec::new();
    for entry in claims {
        let path = &entry.sink.1;
        let Some(sink) = find(claim, &entry.sink) else {
            problems.push(format!("the channel of `{path}`, which is no sink"));
            continue;
        };
        if claimed.contains(&sink) {
            problems.push(format!("the channel of `{path}` is claimed twice"));
            continue;
        }
        claimed.push(sink);
        if entry.channel > most {
            let (channel, most) = (entry.channel.as_str(), most.as_str());
            problems.push(format!("the channel of `{path}` is {channel}, and {most} is allowed"));
        } else if entry.channel == Channel::Content {
            problems.push(format!("the channel of `{path}` is content: there is no bound on that"));
        }
        match groups.iter_mut().find(|(pivots, channel, _)| *pivots == entry.pivots && *channel == entry.channel) {
            Some((.., sinks)) => sinks.push(sink),
            None => groups.push((&entry.pivots, entry.channel, vec![sink])),
        }
    }
    if !problems.is_empty() {
        return problems;
    }
    let others = claim.ending_at(|sink| !claimed.contains(&sink));
    problems.extend(backward::check(&others, allowed, &[]));
    for (pivots, channel, sinks) in groups {
        let own = claim.ending_at(|sink| sinks.contains(&sink));
        match cut_of(claim, pivots) {
            Err(problem) => problems.push(problem),
            Ok((cut, _)) => problems.extend(forms::check(&own, allowed, cut, channel, data)),
        }
    }
    problems
}

fn find(claim: &Claim<'_>, sink: &(usize, PytreePath)) -> Option<Sink> {
    let graph = claim.graphs.get(sink.0)?.graph;
    let outputs = &graph.function(graph.entry()).outputs;
    let fits = |position: &&usize| outputs.get(**position) == Some(&sink.1);
    claim.sinks[sink.0].iter().find(fits).map(|position| (sink.0, *position))
}
