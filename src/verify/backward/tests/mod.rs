//! Proofs that must be found, and claims that must be refused.

mod attacks;
mod corpus;
mod steps;

use super::*;
use crate::graph::TrainingGraph;
use crate::index::Id;
use crate::verdict::{CERTIFICATE_VERSION, Certificate, Evidence, Verdict, Within};
use crate::verify::BySelectors;

const PLAIN: Allowed<'_> = Allowed { finite: false, binary: &[] };
const FINITE: Allowed<'_> = Allowed { finite: true, binary: &[] };

fn certificate(graph: &TrainingGraph, within: Within, from: &str, to: &str) -> Certificate {
    Certificate {
        version: CERTIFICATE_VERSION,
        digests: vec![graph.digest()],
        names: Vec::new(),
        within,
        from: vec![from.into()],
        to: vec![to.into()],
        carried: Vec::new(),
        terminal: Vec::new(),
        edges: Vec::new(),
        assume: Vec::new(),
        bits_per_step: None,
        cut: Vec::new(),
        verdict: Verdict::Holds,
        evidence: Evidence::Labels(Vec::new()),
    }
}

/// Reads a step. `inputs`: name and type; `outputs`: name, type and value. Operations with `loc("step/probe/..")` are
/// source. Further functions follow in `rest`.
fn step(inputs: &[(&str, &str)], body: &str, outputs: &[(&str, &str, &str)], rest: &str) -> TrainingGraph {
    let join = |parts: Vec<String>| parts.join(", ");
    let arguments = join(inputs.iter().map(|(name, of)| format!("%{name}: tensor<{of}> loc(\"{name}\")")).collect());
    let results = outputs.iter().map(|(name, of, _)| format!("tensor<{of}> {{jax.result_info = \"result.{name}\"}}"));
    let values = join(outputs.iter().map(|(_, _, value)| format!("%{value}")).collect());
    let types = join(outputs.iter().map(|(_, of, _)| format!("tensor<{of}>")).collect());
    let results = join(results.collect());
    let text = format!(
        "module @step {{\n  func.func public @main({arguments}) -> ({results}) {{\n{body}\n    return {values} : \
         {types}\n  }}\n{rest}\n}}\n"
    );
    crate::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn problems_within(graph: &TrainingGraph, within: Within, allowed: &Allowed<'_>, cut: &[CutElement]) -> Vec<String> {
    let certificate = certificate(graph, within, "scope:probe", "output:result.sink");
    let claim =
        Claim::new(&certificate, &[graph], &BySelectors { names: &[] }).unwrap_or_else(|error| panic!("{error:?}"));
    check(&claim, allowed, cut)
}

fn problems(graph: &TrainingGraph, allowed: &Allowed<'_>) -> Vec<String> {
    problems_within(graph, Within::Step, allowed, &[])
}

#[track_caller]
fn proved(graph: &TrainingGraph) {
    assert_eq!(problems(graph, &PLAIN), Vec::<String>::new());
}

#[track_caller]
fn refused(graph: &TrainingGraph) {
    let problems = problems(graph, &PLAIN);
    assert!(problems.iter().any(|problem| problem.contains("which is a source")), "{problems:?}");
}
