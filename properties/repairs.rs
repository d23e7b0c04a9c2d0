//! Repairs of real steps: each that is told has been seen to work.

use openloop::flow::explain::repair;
use openloop::flow::refined::{Assumed, Question, refine};
use openloop::flow::{Crossings, Phases, Port, Sources, System};
use openloop::graph::TrainingGraph;
use openloop::policy::Selector;
use openloop::verdict::{Repair, RepairKind, RepairOutcome, Within};
use serde_json::Value;

use super::corpus;

/// The repair of a step; none where the invariant holds.
fn repair_of(graph: &TrainingGraph, truth: &Truth, within: Within) -> Option<Repair> {
    let Truth { scope, sinks, finite, binary } = truth;
    let found = Selector::parse(&format!("scope:{scope}")).expect("a selector").resolve(graph);
    let mut sources = Sources::default();
    sources.add(0, found.operations, found.inputs);
    let outputs = Selector::parse(sinks).expect("a selector").resolve(graph).outputs;
    let sinks: Vec<Port> = outputs.into_iter().map(|position| Port { graph: 0, position }).collect();
    let mut system = System::new([graph]);
    if let Ok(pairs) = graph.carried_pairs(&Default::default()) {
        system.carry(0, &pairs);
    }
    let is_binary = |path: &str| binary.iter().any(|binary| binary == path);
    let inputs = graph.inputs().enumerate().filter(|(_, (path, _))| is_binary(&path.to_string()));
    let assumed = Assumed { finite: *finite, binary: inputs.map(|(position, _)| (0, position)).collect() };
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

/// What is asked of a step.
struct Truth {
    scope: String,
    sinks: String,
    finite: bool,
    binary: Vec<String>,
}

fn truth(name: &str, json: &Value) -> Truth {
    let sinks = json["sinks"].as_str().unwrap_or_else(|| match name.as_bytes()[0] {
        b'a' => "output:result.0.**",
        b'e' => "output:result.0.params.beliefs.**",
        _ => "output:result.0.beliefs.**",
    });
    let assumed: Vec<&str> =
        json["assume"].as_array().into_iter().flatten().map(|text| text.as_str().expect("text")).collect();
    Truth {
        scope: json["source_scope"].as_str().expect("a scope").to_string(),
        sinks: sinks.to_string(),
        finite: assumed.contains(&"finite"),
        binary: assumed.iter().filter_map(|text| text.strip_prefix("binary:")).map(str::to_string).collect(),
    }
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
        if std::env::var("ONLY").is_ok_and(|o| !o.split(',').any(|o| o == corpus::name(&step))) {
            continue;
        }
        let graph = corpus::graph(&step.join("step.mlir"));
        let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
        let truth = truth(&corpus::name(&step), &json);
        for within in [Within::Step, Within::Run] {
            let t = std::time::Instant::now();
            if let Some(repair) = repair_of(&graph, &truth, within) {
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
            if let Some(repair) = repair_of(&graph, &truth("", &json["leak"]), within) {
                show(&corpus::name(&folder), within, &repair);
            }
        }
    }
    let _ = (RepairKind::SplitClip, RepairOutcome::Found);
}
