//! How many bits a violation lets through at most: the cut of each path, and that of all together, proved by demand.
//!
//! An amount without a cut claims nothing that could be checked, and is refused. A path without an amount claims none.

use super::Claim;
use super::backward::Allowed;
use super::refined::{allowed, binary, bits_through, cut_of};
use crate::graph::{Definition, TrainingGraph, ValueId};
use crate::index::Id;
use crate::verdict::{Certificate, CutElement, CutValue, Witness};

pub(super) fn check(claim: &Claim<'_>, certificate: &Certificate, evidence: &[Witness]) -> Vec<String> {
    let binary = binary(&certificate.assume);
    let allowed = allowed(&certificate.assume, &binary);
    let mut problems = Vec::new();
    // Witnesses often have the same cut: each is proved once, for all their sinks.
    let mut proved: Vec<(Vec<CutElement>, Vec<&Witness>)> = Vec::new();
    for witness in evidence {
        let refusal = |problem: String| format!("the amount that reaches `{}`: {problem}", witness.group);
        let Some(bits) = witness.bits_per_step else {
            if !witness.cut.is_empty() {
                problems.push(refusal("there is a cut, and no amount".into()));
            }
            continue;
        };
        match told_right(claim, &witness.cut) {
            Ok(found) if found <= bits.at_most => {}
            Ok(found) => problems.push(refusal(format!("the cut lets {found} bits through, not {}", bits.at_most))),
            Err(problem) => problems.push(refusal(problem)),
        }
        let cut: Vec<CutElement> = witness.cut.iter().map(|part| part.at.clone()).collect();
        match proved.iter_mut().find(|(known, _)| *known == cut) {
            Some((_, witnesses)) => witnesses.push(witness),
            None => proved.push((cut, vec![witness])),
        }
    }
    if !problems.is_empty() {
        return problems;
    }
    for (cut, witnesses) in proved {
        let groups: Vec<String> = witnesses.iter().map(|witness| format!("`{}`", witness.group)).collect();
        let is_in_one = |sink| witnesses.iter().any(|witness| is_in_group(claim, witness, sink));
        let unproved = bits_through(&claim.ending_at(is_in_one), &allowed, &cut, u64::MAX);
        problems
            .extend(unproved.into_iter().map(|why| format!("the amount that reaches {}: {why}", groups.join(", "))));
    }
    problems.extend(of_all_together(claim, &allowed, certificate));
    problems
}

fn of_all_together(claim: &Claim<'_>, allowed: &Allowed<'_>, certificate: &Certificate) -> Vec<String> {
    let problems = match certificate.bits_per_step {
        Some(most) => bits_through(&claim.ending_at(|_| true), allowed, &certificate.cut, most),
        None if certificate.cut.is_empty() => Vec::new(),
        None => vec!["there is a cut, and no amount".into()],
    };
    problems.into_iter().map(|problem| format!("the amount that reaches all sinks: {problem}")).collect()
}

fn is_in_group(claim: &Claim<'_>, witness: &Witness, (graph, position): (usize, usize)) -> bool {
    let facts = claim.graphs[graph].graph;
    let outputs = &facts.function(facts.entry()).outputs;
    let is_its_graph = witness.path.last().is_some_and(|step| step.graph == graph);
    is_its_graph && outputs.get(position).is_some_and(|path| path.starts_with(&witness.group))
}

/// How many bits the values of a cut have, if each is described as the graph says.
fn told_right(claim: &Claim<'_>, cut: &[CutValue]) -> Result<u64, String> {
    let mut total = 0u64;
    for part in cut {
        let (_, bits) = cut_of(claim, std::slice::from_ref(&part.at))?;
        let graph = claim.graphs[part.at.graph].graph;
        if part.bits != bits || !is_described(graph, part) {
            return Err("a value of the cut is described wrongly".into());
        }
        total = total.saturating_add(bits);
    }
    Ok(total)
}

fn is_described(graph: &TrainingGraph, part: &CutValue) -> bool {
    let value = ValueId::new(part.at.value as usize);
    let operation = match graph.value(value).definition {
        Definition::Result(operation, _) => Some(operation),
        Definition::Argument(region, _) => graph.region(region).parent,
    };
    let entry = graph.function(graph.entry());
    let name = match (operation, graph.value(value).definition) {
        (Some(operation), _) => graph.operation_name(operation).to_string(),
        (None, Definition::Argument(region, position)) if region == entry.body => {
            entry.inputs[position as usize].to_string()
        }
        (None, _) => "a parameter".into(),
    };
    let facts = operation.map(|operation| graph.operation(operation));
    let place = facts.and_then(|facts| graph.user_place(facts.place)).map(ToString::to_string);
    let scope = facts.and_then(|facts| graph.scope_paths(facts.scope).next());
    // Of several graphs an input is named with its graph.
    let is_named = part.op == name || facts.is_none() && part.op.ends_with(&format!(":{name}"));
    let is_typed = part.r#type == graph.type_text(graph.value(value).r#type);
    is_named && is_typed && part.place == place && part.scope.as_deref() == scope
}
