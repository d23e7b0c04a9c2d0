//! A proof by demand: which elements might reach a sink, asked from the sinks backwards.
//!
//! Two runs of the step are equal in all inputs that are no source, and the results of source operations differ as they
//! like. An element is *demanded* under a condition if a difference in it might reach a sink where the condition holds.
//! If no element of a source is demanded, no bit of a sink differs.
//!
//! **Invariants.** Sets only grow, conditions only weaken: what is not understood demands everything. A condition speaks
//! only of values that cannot differ between the runs. It uses nothing of the analysis that made the claim.

pub(super) mod bodies;
mod conditions;
pub(super) mod constants;
pub(super) mod demand;
mod dot;
mod elements;
mod facts;
mod follow;
mod indexing;
pub(super) mod movement;
mod numbering;
mod rules;
mod taint;
#[cfg(test)]
mod tests;
pub(super) mod trace;
mod windows;

#[cfg(test)]
use std::collections::BTreeSet;

use super::Claim;
use crate::graph::{OperationId, OperationKind, PytreePath, ValueId};

/// A product, by graph and operation.
pub(super) type Site = (usize, OperationId);

/// What a proof may take for granted.
pub(super) struct Allowed<'a> {
    /// No operand of a masked product is infinite or NaN, and +0 equals -0 there.
    pub finite: bool,
    /// Inputs whose elements are 0 or 1.
    pub binary: &'a [PytreePath],
}

/// Elements that count as equal in both runs: what passes through them is bounded elsewhere.
pub(super) struct CutElement {
    pub graph: usize,
    /// The calls, and the loops with the trip, that lead to it from the entry. Branches are not listed: a value says
    /// which branch it is in.
    pub instance: Vec<(OperationId, Option<u32>)>,
    pub value: ValueId,
    /// Blocks of elements, `first..end` for each dimension.
    pub boxes: Vec<Vec<(u64, u64)>>,
}

/// A proof: no source is demanded.
pub(super) struct Proof<'c, 'a> {
    pub trace: trace::Trace<'c, 'a>,
    /// For each value of the line whether any element that is not cut is demanded.
    pub demanded: Vec<bool>,
    /// The products at which [`Allowed::finite`] was made use of.
    #[cfg(test)]
    pub finite: BTreeSet<Site>,
}

/// Problems; empty if no source is demanded.
pub(super) fn check(claim: &Claim<'_>, allowed: &Allowed<'_>, cut: &[CutElement]) -> Vec<String> {
    prove(claim, allowed, cut).err().unwrap_or_default()
}

/// The proof, or why there is none.
pub(super) fn prove<'c, 'a>(
    claim: &'c Claim<'a>,
    allowed: &Allowed<'_>,
    cut: &[CutElement],
) -> Result<Proof<'c, 'a>, Vec<String>> {
    let trace = follow_all(claim, cut).map_err(|problem| vec![problem])?;
    let facts = facts::Facts::new(&trace, allowed);
    let mut demands = demand::Demands::new(&trace, &facts, cut);
    demands.run();
    if !demands.problems.is_empty() {
        return Err(demands.problems);
    }
    let demanded = demands.demanded();
    Ok(Proof {
        #[cfg(test)]
        finite: demands.sites,
        trace,
        demanded,
    })
}

fn follow_all<'c, 'a>(claim: &'c Claim<'a>, cut: &[CutElement]) -> Result<trace::Trace<'c, 'a>, String> {
    if let Some(problem) = wrong_cut(claim, cut) {
        return Err(problem.into());
    }
    let trace = trace::Trace::new(claim, cut)?;
    if (0..cut.len()).any(|position| trace.cuts.iter().all(|(_, known)| *known != position)) {
        return Err("a cut names an instance of a value that there is not".into());
    }
    Ok(trace)
}

/// Whether the elements of a cut are there once for each step, so that their bits can be counted: not in a loop that is not
/// unrolled.
pub(super) fn is_counted(claim: &Claim<'_>, cut: &[CutElement]) -> bool {
    let is_open = |graph: usize, (operation, trip): &(OperationId, Option<u32>)| {
        let known = claim.graphs.get(graph).and_then(|facts| facts.graph.operations().get(*operation));
        trip.is_none() && known.is_none_or(|operation| operation.kind == OperationKind::While)
    };
    cut.iter().all(|cut| !cut.instance.iter().any(|step| is_open(cut.graph, step)))
}

fn wrong_cut(claim: &Claim<'_>, cut: &[CutElement]) -> Option<&'static str> {
    for cut in cut {
        let Some(facts) = claim.graphs.get(cut.graph) else { return Some("a cut names a graph that there is not") };
        let graph = facts.graph;
        let extents = graph.values().get(cut.value).and_then(|_| graph.tensor_type(cut.value));
        let rank = extents.and_then(|tensor| tensor.rank());
        if rank.is_none() || cut.boxes.iter().any(|block| Some(block.len()) != rank) {
            return Some("a cut does not fit its value");
        }
    }
    None
}
