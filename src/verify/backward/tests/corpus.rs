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

/// What the proof of one committed step says, and whether the step holds. None: that hangs on what is in no operation.
fn outcome(folder: &Path, within: Within) -> (Option<bool>, Vec<String>) {
    let truth = json(folder);
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let (short, leak) = match within {
        Within::Step => ("step", "leak_one_step"),
        Within::Run => ("run", "leak_multi_step"),
    };
    let holds = match truth["expected"][short].as_str() {
        // Where nobody looks into an operation the proof refuses; a doubt about the scope is not its matter.
        Some("undetermined") if !name.starts_with("pure_callback") => None,
        Some(expected) => Some(expected == "holds"),
        None => Some(!truth[leak].as_bool().expect("whether it leaks")),
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
    let granted = || truth["assume"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let binary: Vec<PytreePath> =
        granted().filter_map(|text| Some(PytreePath::parse(text.strip_prefix("binary:")?))).collect();
    let allowed = Allowed { finite: granted().any(|text| text == "finite"), binary: &binary };
    (holds, check(&claim, &allowed, &[]))
}

#[test]
fn every_committed_step_that_holds_is_proved_and_every_other_is_refused() {
    let mut wrong = Vec::new();
    for folder in folders() {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        for within in [Within::Step, Within::Run] {
            let (holds, problems) = outcome(&folder, within);
            if holds.is_some_and(|holds| holds != problems.is_empty()) {
                wrong.push(format!("{name} [{}], holds: {holds:?}: {:?}", within.as_str(), problems.first()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same predicate chooses the reward and stops the gradient: one step is clean. The head that the reward trains is
/// read by the next step.
#[test]
fn one_step_of_routing_by_where_is_proved_and_a_run_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/d_routing_where");
    assert_eq!(outcome(&folder, Within::Step), (Some(true), Vec::new()));
    let (holds, problems) = outcome(&folder, Within::Run);
    assert!(
        holds == Some(false) && problems.iter().any(|problem| problem.contains("optimization_barrier")),
        "{problems:?}"
    );
}

/// Two functions that are jitted apart, linked by their policy.
#[test]
fn systems_of_two_functions_are_proved_and_refused_as_one() {
    use crate::verdict::{CertificateEdge, Hop};
    for (name, holds) in [("two_functions", true), ("two_functions_leak", false)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/jax").join(name);
        let read =
            |file: &str| crate::capture::read(&std::fs::read(folder.join(file)).expect("a step")).expect("a step");
        let graphs = [read("belief_step.mlir"), read("desire_step.mlir")];
        let edge = |from: (usize, &str), to: (usize, &str), hop: Hop| CertificateEdge {
            from: (from.0, PytreePath::parse(from.1)),
            to: (to.0, PytreePath::parse(to.1)),
            hop,
        };
        let mut certificate =
            certificate(&graphs[0], Within::Run, "desire_step:scope:probe_reward", "belief_step:output:**.beliefs.**");
        certificate.digests = graphs.iter().map(|graph| graph.digest()).collect();
        certificate.names = vec!["belief_step".into(), "desire_step".into()];
        certificate.edges =
            vec![edge((0, "result.2"), (1, "seen"), Hop::Link), edge((1, "result.2"), (0, "weights"), Hop::Carried)];
        let names = ["belief_step", "desire_step"];
        let graphs: Vec<&TrainingGraph> = graphs.iter().collect();
        let claim = Claim::new(&certificate, &graphs, &BySelectors { names: &names })
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let problems = check(&claim, &PLAIN, &[]);
        assert_eq!(problems.is_empty(), holds, "{name}: {problems:?}");
    }
}
