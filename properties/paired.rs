//! Captured steps run in pairs: what differs is what running them in JAX showed, and nothing that differs is called clean.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use openloop::graph::{PytreePath, TrainingGraph};
use openloop::interference::captured::{CapturedError, CapturedStep, PairedQuestion};
use openloop::interference::{Finiteness, Mode, Options, PairedOutcome, PairedReport, search};
use openloop::policy::{Date, FlowPolicy, Selector};
use openloop::report::{NamedGraph, run};
use openloop::verdict::{Assumption, Verdict, Within};
use serde_json::Value;

use super::corpus;
use super::truth::{Truth, truth};

/// The text does not show these: what JAX did between the lines is not in it.
pub(super) const NOT_IN_THE_TEXT: [(&str, &str); 2] = [
    ("custom_vjp_hides", "a custom gradient rule carries no scope, so that its cotangent is no source"),
    ("scope_only_add", "an addition transposes to no operation, so that there is no cotangent to change"),
];

/// What changes at a sink, as running the step in JAX showed it.
fn measured(json: &Value, key: &str) -> Option<Finiteness> {
    let leaks = json[format!("leak_{key}")].as_bool().expect("a truth");
    let leaks_finite = json[format!("finite_only_leak_{key}")].as_bool().unwrap_or(leaks);
    match (leaks_finite, leaks) {
        (true, _) => Some(Finiteness::Finite),
        (false, true) => Some(Finiteness::NotFinite),
        (false, false) => None,
    }
}

pub(super) fn policy(graph: &TrainingGraph, truth: &Truth, assume: &[Assumption]) -> FlowPolicy {
    let select = |text: &str| vec![Selector::parse(text).expect("a selector")];
    let scope = format!("scope:{}", truth.scope);
    let mut policy =
        FlowPolicy::from_flags(select(&scope), select(&truth.sinks), None, assume.to_vec()).expect("a policy");
    if graph.carried_pairs(&Default::default()).is_err() {
        for (output, input) in truth.pairing().pairs {
            policy = policy.carry(output, Some(input));
        }
    }
    policy
}

/// Enough pairs to find what is there; few where there should be nothing.
fn options(expected: Option<Finiteness>, within: Within) -> Options {
    let cases = match expected {
        Some(Finiteness::Finite) => 600,
        Some(Finiteness::NotFinite) => 40,
        None => 12,
    };
    let steps = if within == Within::Step { 1 } else { 4 };
    Options { cases, steps, seed: 7, max_shrink_attempts: 0, ..Options::default() }
}

fn found(report: &PairedReport) -> Result<Option<Finiteness>, String> {
    match &report.outcome {
        PairedOutcome::NoDifference => Ok(None),
        PairedOutcome::Difference(counterexample) => Ok(Some(counterexample.finiteness)),
        other => Err(format!("{other:?}")),
    }
}

/// Runs every check of a list, on all processors; gives what failed.
pub(super) fn on_all_processors<T: Sync>(items: &[T], check: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = check(item);
                    failed.lock().expect("no check panics").extend(found);
                }
            });
        }
    });
    failed.into_inner().expect("no check panics")
}

#[test]
fn pairs_of_every_step_differ_where_running_it_showed_it() {
    let steps = corpus::steps();
    let (runs, excused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = on_all_processors(&steps, |step| {
        let name = corpus::name(step);
        let began = std::time::Instant::now();
        let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
        let truth = truth(step);
        let graph = corpus::graph(&step.join("step.mlir"));
        let graphs = [(graph.name(), &graph)];
        let binary = truth.assume.iter().filter(|assumption| matches!(assumption, Assumption::Binary(_)));
        let binary: Vec<Assumption> = binary.cloned().collect();
        let finite = [&binary[..], &[Assumption::Finite]].concat();
        let mut failed = Vec::new();
        for (within, key) in [(Within::Step, "one_step"), (Within::Run, "multi_step")] {
            let anyhow = measured(&json, key);
            let mut questions = vec![(&binary, anyhow)];
            if truth.assume.contains(&Assumption::Finite) {
                questions.push((&finite, anyhow.filter(|kind| *kind == Finiteness::Finite)));
            }
            for (assume, expected) in questions {
                let policy = policy(&graph, &truth, assume);
                let invariant = policy.invariants().iter().find(|entry| entry.within == within).expect("both");
                let question = PairedQuestion::new(&graphs, &policy, invariant).expect("a question");
                let captured = CapturedStep::<f32>::new(&graphs, &question).expect("it can be run");
                let report = search(&captured, &options(expected, within), &mut |_| ()).report;
                runs.fetch_add(1, Ordering::Relaxed);
                let found = found(&report);
                if NOT_IN_THE_TEXT.iter().any(|(excused, _)| *excused == name) {
                    // If this ends, the list is wrong.
                    assert!(anyhow.is_some());
                    if found == Ok(None) {
                        excused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                }
                if found != Ok(expected) {
                    failed.push(format!(
                        "{name} [{}] {assume:?}: found {found:?}, expected {expected:?}, {:?} {:?}",
                        within.as_str(),
                        report.finite,
                        report.not_finite
                    ));
                }
                if found != Ok(None) {
                    failed.extend(called_clean(&graph, &policy, within).then(|| format!("{name}: called clean")));
                }
            }
        }
        if std::env::var("PAIRED_TIMES").is_ok() {
            eprintln!("{name} {:?} {failed:?}", began.elapsed());
        }
        failed
    });
    assert!(failed.is_empty(), "{} wrong\n{}", failed.len(), failed.join("\n"));
    let (runs, excused) = (runs.into_inner(), excused.into_inner());
    assert!(runs >= 230, "{runs}");
    assert_eq!(excused, 2 * NOT_IN_THE_TEXT.len(), "the list of what the text does not show is too long");
}

/// Whether the static check says that nothing gets through.
fn called_clean(graph: &TrainingGraph, policy: &FlowPolicy, within: Within) -> bool {
    let graphs = [NamedGraph { name: graph.name(), file: "step.mlir", graph }];
    let report = run(&graphs, policy, Date::from_unix_seconds(0), false).expect("a report");
    report.invariants.iter().any(|entry| entry.within == within && entry.verdict == Verdict::Holds)
}
