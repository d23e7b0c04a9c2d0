//! The committed steps: what running them showed is never contradicted.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for family in ["captures", "jax"] {
        for entry in std::fs::read_dir(root.join(family)).expect("the fixtures are there") {
            let path = entry.expect("a readable folder").path();
            if path.join("step.mlir").exists() {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 40);
    found
}

fn json(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("truth.json")).expect("the truth")).expect("JSON")
}

/// What the proof of one committed step says, and whether the step leaks.
fn outcome(folder: &Path, within: Within) -> (bool, Vec<String>) {
    let truth = json(folder);
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let (short, leak) = match within {
        Within::Step => ("step", "leak_one_step"),
        Within::Run => ("run", "leak_multi_step"),
    };
    let leaks = match truth["expected"][short].as_str() {
        Some(expected) => expected == "violated",
        None => truth[leak].as_bool().expect("whether it leaks"),
    };
    let sinks = truth["sinks"].as_str().unwrap_or(match name.as_bytes()[0] {
        b'a' => "output:result.0.**",
        b'e' => "output:result.0.params.beliefs.**",
        _ => "output:result.0.beliefs.**",
    });
    let bytes = std::fs::read(folder.join("step.mlir")).expect("the step");
    let graph = crate::capture::read(&bytes).expect("a step");
    let scope = format!("scope:{}", truth["source_scope"].as_str().expect("a scope"));
    let mut certificate = certificate(&graph, within, &scope, sinks);
    if graph.carried_pairs(&Default::default()).is_err() {
        for pair in truth["carried"].as_array().into_iter().flatten() {
            let path = |end: &str| PytreePath::parse(pair[end].as_str().expect("a path"));
            certificate.carried.push((path("output"), path("input")));
        }
    }
    let claim = Claim::new(&certificate, &[&graph], &BySelectors { names: &[] }).expect("a claim");
    (leaks, check(&claim, &PLAIN, &[]))
}

#[test]
fn every_committed_step_that_leaks_is_refused_and_every_other_is_proved() {
    let mut wrong = Vec::new();
    for folder in folders() {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        for within in [Within::Step, Within::Run] {
            let (leaks, problems) = outcome(&folder, within);
            if leaks == problems.is_empty() {
                wrong.push(format!("{name} [{}], leaks: {leaks}: {:?}", within.as_str(), problems.first()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The captures are named by the task: one step of the routing is clean by its predicate, a run of it is not.
#[test]
fn one_step_of_routing_by_where_is_proved_and_a_run_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/d_routing_where");
    assert_eq!(outcome(&folder, Within::Step), (false, Vec::new()));
    let (leaks, problems) = outcome(&folder, Within::Run);
    assert!(leaks && problems.iter().any(|problem| problem.contains("optimization_barrier")), "{problems:?}");
}
