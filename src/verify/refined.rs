//! A refined proof, and bounds on what gets through: proved again by demand, with the values of a cut taken as known.

use super::backward::{self, Allowed};
use super::{Claim, channels};
use crate::graph::{OperationId, PytreePath, ValueId};
use crate::index::Id;
use crate::verdict::{Assumption, CutElement, RefinedEvidence};

/// `data`: for each graph the inputs that are declared data.
pub(super) fn check(claim: &Claim<'_>, evidence: &RefinedEvidence, data: &[Vec<usize>]) -> Vec<String> {
    let binary = binary(&evidence.assume);
    let allowed = allowed(&evidence.assume, &binary);
    let bounds = evidence.bounds;
    if bounds.is_empty() {
        return match evidence.cut.is_empty() && evidence.channels.is_empty() {
            true => backward::check(claim, &allowed, &[]),
            false => vec!["a denial of every flow lets nothing through, and this evidence cuts".into()],
        };
    }
    let mut problems = Vec::new();
    if let Some(most) = bounds.max_bits_per_step {
        problems.extend(bits_through(&claim.ending_at(|_| true), &allowed, &evidence.cut, most));
    }
    if let Some(most) = bounds.max_channel {
        problems.extend(channels::check(claim, &allowed, &evidence.channels, most, data));
    }
    problems
}

/// Inputs that are granted to be 0 or 1.
pub(super) fn binary(assume: &[Assumption]) -> Vec<PytreePath> {
    let path = |assumption: &Assumption| match assumption {
        Assumption::Finite => None,
        Assumption::Binary(path) => Some(path.clone()),
    };
    assume.iter().filter_map(path).collect()
}

pub(super) fn allowed<'a>(assume: &[Assumption], binary: &'a [PytreePath]) -> Allowed<'a> {
    Allowed { finite: assume.contains(&Assumption::Finite), binary }
}

/// Problems; empty if all that reaches the sinks of a claim passes the cut, and the cut has at most so many bits.
pub(super) fn bits_through(claim: &Claim<'_>, allowed: &Allowed<'_>, cut: &[CutElement], most: u64) -> Vec<String> {
    match cut_of(claim, cut) {
        Ok((cut, _)) if !backward::is_counted(claim, &cut) => {
            vec!["a cut inside a loop whose trips are not counted bounds nothing".into()]
        }
        Ok((cut, bits)) if bits <= most => backward::check(claim, allowed, &cut),
        Ok((_, bits)) => vec![format!("the cut lets {bits} bits through, and {most} are allowed")],
        Err(problem) => vec![problem],
    }
}

/// The elements of a cut, and how many bits they have.
pub(super) fn cut_of(claim: &Claim<'_>, cut: &[CutElement]) -> Result<(Vec<backward::CutElement>, u64), String> {
    let mut elements = Vec::with_capacity(cut.len());
    let mut total = 0u64;
    for element in cut {
        let graph = claim.graphs.get(element.graph).ok_or("a cut names a graph that there is not")?.graph;
        let value = ValueId::new(element.value as usize);
        if value.index() >= graph.values().len() {
            return Err("a cut names a value that there is not".into());
        }
        let tensor = graph.tensor_type(value).ok_or("a cut names a value that is no tensor")?;
        let extents: Option<Vec<u64>> =
            tensor.dimensions.as_ref().and_then(|dimensions| dimensions.iter().copied().collect());
        let (Some(extents), Some(width)) = (extents, tensor.element.bits()) else {
            return Err("a cut names a value of unknown size".into());
        };
        let boxes = match element.boxes.is_empty() {
            true => vec![extents.iter().map(|extent| (0, *extent)).collect()],
            false => blocks(&element.boxes)?,
        };
        let volume = |block: &Vec<(u64, u64)>| {
            block.iter().fold(1u64, |volume, (start, end)| volume.saturating_mul(end.saturating_sub(*start)))
        };
        let count = boxes.iter().map(volume).fold(0u64, u64::saturating_add);
        total = total.saturating_add(count.saturating_mul(u64::from(width)));
        let operations = graph.operations().len();
        if element.instance.iter().any(|(operation, _)| *operation as usize >= operations) {
            return Err("a cut names an operation that there is not".into());
        }
        let instance = element.instance.iter().map(|(id, trip)| (OperationId::new(*id as usize), *trip)).collect();
        elements.push(backward::CutElement { graph: element.graph, instance, value, boxes });
    }
    Ok((elements, total))
}

/// Products of lists of intervals as plain blocks.
fn blocks(boxes: &[Vec<Vec<(u64, u64)>>]) -> Result<Vec<Vec<(u64, u64)>>, String> {
    let mut found = Vec::new();
    for sets in boxes {
        let mut partial: Vec<Vec<(u64, u64)>> = vec![Vec::new()];
        for intervals in sets {
            if partial.len().saturating_mul(intervals.len()) > 1 << 16 {
                return Err("a cut has too many parts".into());
            }
            partial = partial
                .iter()
                .flat_map(|block| intervals.iter().map(|interval| block.iter().copied().chain([*interval]).collect()))
                .collect();
        }
        found.extend(partial);
    }
    Ok(found)
}
