//! Repairs of real steps: each that is told has been seen to work.

use std::path::Path;

use openloop::flow::explain::repair;
use openloop::flow::refined::{Assumed, Question, refine};
use openloop::flow::{Crossings, Phases, Port, Sources, System};
use openloop::graph::TrainingGraph;
use openloop::policy::Selector;
use openloop::verdict::{Repair, RepairKind, RepairOutcome, Within};
use serde_json::Value;

use super::corpus;

/// The repair of a step; none where the invariant holds.
fn repair_of(graph: &TrainingGraph, scope: &str, sinks: &str, within: Within) -> Option<Repair> {
    let found = Selector::parse(&format!("scope:{scope}")).expect("a selector").resolve(graph);
    let mut sources = Sources::default();
    sources.add(0, found.operations, found.inputs);
    let outputs = Selector::parse(sinks).expect("a selector").resolve(graph).outputs;
    let sinks: Vec<Port> = outputs.into_iter().map(|position| Port { graph: 0, position }).collect();
    let mut system = System::new([graph]);
    if let Ok(pairs) = graph.carried_pairs(&Default::default()) {
        system.carry(0, &pairs);
    }
    let assumed = Assumed::default();
    let counted = Crossings::within(within);
    let question = Question { sources: &sources, counted, assumed: &assumed, ends: &sinks, cut: &[] };
    let refined = refine(&system, &question).expect("within the limits");
    sinks.iter().any(|sink| refined.output(*sink).is_some()).then(|| {
        let finite = Assumed { finite: true, ..assumed.clone() };
        let masked = refine(&system, &Question { assumed: &finite, ..question }).expect("within the limits");
        let phases = [Phases::new(graph)];
        repair(&system, &question, &refined.leak, &sinks, &phases, &masked.finite_sites)
    })
}

fn truth(step: &Path) -> (String, String) {
    let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
    let sinks = json["sinks"].as_str().unwrap_or_else(|| match corpus::name(step).as_bytes()[0] {
        b'a' => "output:result.0.**",
        b'e' => "output:result.0.params.beliefs.**",
        _ => "output:result.0.beliefs.**",
    });
    (json["source_scope"].as_str().expect("a scope").to_string(), sinks.to_string())
}

fn show(name: &str, within: Within, repair: &Repair) {
    println!(
        "{name} [{}] {:?} exact {} bound {} verified {}",
        within.as_str(),
        repair.outcome,
        repair.exact,
        repair.lower_bound,
        repair.verified
    );
    for action in &repair.actions {
        println!("    {:?} @{:?} {} :: {}", action.kind, action.place, action.op, action.advice);
    }
}

#[test]
fn table() {
    for step in corpus::steps() {
        let graph = corpus::graph(&step.join("step.mlir"));
        let (scope, sinks) = truth(&step);
        for within in [Within::Step, Within::Run] {
            let t = std::time::Instant::now();
            if let Some(repair) = repair_of(&graph, &scope, &sinks, within) {
                show(&corpus::name(&step), within, &repair);
                println!("    {:?}", t.elapsed());
            }
        }
    }
    for entry in std::fs::read_dir(corpus::root().join("fixtures/rules")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let json: Value = serde_json::from_slice(&corpus::bytes(&folder.join("truth.json"))).expect("JSON");
        let graph = corpus::graph(&folder.join("leak.mlir"));
        for within in [Within::Step, Within::Run] {
            let (scope, sinks) = (json["leak"]["source_scope"].as_str().unwrap(), json["leak"]["sinks"].as_str().unwrap());
            if let Some(repair) = repair_of(&graph, scope, sinks, within) {
                show(&corpus::name(&folder), within, &repair);
            }
        }
    }
    let _ = (RepairKind::SplitClip, RepairOutcome::Found);
}
