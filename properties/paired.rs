//! Captured steps run in pairs: what differs is what running them in JAX showed, and nothing that differs is called clean.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use openloop::graph::TrainingGraph;
use openloop::interference::captured::{CapturedStep, PairedQuestion};
use openloop::interference::{Finiteness, Options, PairedOutcome, PairedReport, Target, search};
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

/// Pairs until something is shown: a difference where there should be one, and power where there should be none. A difference
/// is never asked about twice.
fn pairs(captured: &CapturedStep<'_, f32>, expected: Option<Finiteness>, within: Within) -> PairedReport {
    let steps = if within == Within::Step { 1 } else { 4 };
    let run = |cases| {
        // Looking for smaller cases takes time, and says nothing here.
        let options = Options { cases, steps, seed: 7, max_shrink_attempts: 0, ..Options::default() };
        search(captured, &options, &mut |_| ()).report
    };
    let (few, many) = match expected {
        Some(Finiteness::Finite) => (200, 800),
        Some(Finiteness::NotFinite) => (24, 160),
        None => (6, 60),
    };
    let report = run(few);
    match report.outcome {
        PairedOutcome::NoPower => run(many),
        PairedOutcome::NoDifference if expected.is_some() => run(many),
        _ => report,
    }
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
                let report = pairs(&captured, expected, within);
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

#[test]
fn systems_of_two_functions_are_run_as_one() {
    for (name, leaks) in [("two_functions", false), ("two_functions_leak", true)] {
        let folder = corpus::root().join("fixtures/jax").join(name);
        let text = String::from_utf8(corpus::bytes(&folder.join("openloop.toml"))).expect("text");
        let policy = FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let graphs: Vec<(String, TrainingGraph)> = policy
            .graphs()
            .iter()
            .map(|graph| (graph.name.clone(), corpus::graph(&folder.join(&graph.file))))
            .collect();
        let named: Vec<(&str, &TrainingGraph)> = graphs.iter().map(|(name, graph)| (name.as_str(), graph)).collect();
        for invariant in policy.invariants() {
            let question = PairedQuestion::new(&named, &policy, invariant).expect("a question");
            let captured = CapturedStep::<f32>::new(&named, &question).expect("it can be run");
            let steps = if invariant.within == Within::Step { 1 } else { 4 };
            let options = Options { cases: 40, steps, max_shrink_attempts: 200, ..Options::default() };
            let report = search(&captured, &options, &mut |_| ()).report;
            let expected = (leaks && invariant.within == Within::Run).then_some(Finiteness::Finite);
            assert_eq!(found(&report), Ok(expected), "{name} [{}]", invariant.within.as_str());
            if let Some(counterexample) = report.counterexample() {
                // What `desire_step` gives is in the next `belief_step`, and no sooner.
                assert_eq!(counterexample.steps, 2, "{counterexample:?}");
                assert!(counterexample.difference.part.starts_with("belief_step:"), "{counterexample:?}");
            }
        }
    }
}

/// A step in text: `x` in, results out, the scope `probe` in its locations.
fn step(body: &str, results: &str, types: &str) -> TrainingGraph {
    let text = format!(
        "module @step {{\n  func.func public @main(%x: tensor<2xf32> loc(\"x\"), %y: tensor<2xf32> loc(\"y\")) -> ({types}) {{\n\
         {body}\n    return {results}\n  }}\n}}\n#probe = loc(\"jit(step)/probe/op\")\n"
    );
    openloop::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn pairs_of(graph: &TrainingGraph, source: &str, sink: &str, cases: u32) -> (PairedReport, Vec<String>) {
    let select = |text: &str| vec![Selector::parse(text).expect("a selector")];
    let policy =
        FlowPolicy::from_flags(select(source), select(sink), Some(Within::Step), Vec::new()).expect("a policy");
    let graphs = [("step", graph)];
    let question = PairedQuestion::new(&graphs, &policy, &policy.invariants()[0]).expect("a question");
    let captured = CapturedStep::<f32>::new(&graphs, &question).expect("it can be run");
    let options = Options { cases, steps: 1, ..Options::default() };
    let places = captured.places(Target::Value).into_iter().map(|place| place.text).collect();
    (search(&captured, &options, &mut |_| ()).report, places)
}

/// Booleans, integers and floats leave the scope here; the comparison inside of it does not.
const MIXED: &str = "    %0 = stablehlo.compare LT, %x, %y : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1> loc(#probe)
    %1 = stablehlo.convert %0 : (tensor<2xi1>) -> tensor<2xui8> loc(#probe)
    %2 = stablehlo.compare GT, %x, %y : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1> loc(#probe)
    %3 = stablehlo.tanh %x : tensor<2xf32> loc(#probe)
    %4 = stablehlo.add %3, %y : tensor<2xf32>
    %5 = stablehlo.multiply %x, %y : tensor<2xf32>";

#[test]
fn a_source_may_be_of_any_type_and_ends_where_others_take_from_it() {
    let types = [("b", "tensor<2xi1>"), ("i", "tensor<2xui8>"), ("f", "tensor<2xf32>"), ("c", "tensor<2xf32>")];
    let named = types.map(|(name, r#type)| format!("{type} {{jax.result_info = \"result.{name}\"}}")).join(", ");
    let types = types.map(|(_, r#type)| r#type).join(", ");
    let graph = step(MIXED, &format!("%2, %1, %4, %5 : {types}"), &named);
    for sink in ["b", "i", "f"] {
        let (report, _) = pairs_of(&graph, "scope:probe", &format!("output:result.{sink}"), 40);
        assert_eq!(found(&report), Ok(Some(Finiteness::Finite)), "{sink}");
        // Six numbers leave: two flags, two integers, two floats.
        assert_eq!((report.sent.values, report.sent.cotangents), (6, 0));
        let counterexample = report.counterexample().expect("it differs");
        assert_eq!(counterexample.difference.part, format!("result.{sink}"));
        assert!(counterexample.disturbance.element.is_some(), "one number is enough: {counterexample:?}");
    }
    let (report, places) = pairs_of(&graph, "scope:probe", "output:result.c", 40);
    assert_eq!(found(&report), Ok(None));
    assert_eq!(places.len(), 3, "{places:?}");
    // An input is a source too.
    let (report, places) = pairs_of(&graph, "input:y", "output:result.c", 40);
    assert_eq!(found(&report), Ok(Some(Finiteness::Finite)));
    assert_eq!((report.sent.values, places), (2, vec!["the input y".to_string()]));
}

#[test]
fn a_loop_that_a_changed_score_keeps_going_is_counted_apart() {
    let body = "    %s = stablehlo.tanh %x : tensor<2xf32> loc(#probe)
    %one = stablehlo.constant dense<1.0> : tensor<2xf32>
    %0 = stablehlo.while(%i = %y) : tensor<2xf32> cond {
      %1 = stablehlo.compare LT, %i, %s : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
      %2 = stablehlo.slice %1 [0:1] : (tensor<2xi1>) -> tensor<1xi1>
      %3 = stablehlo.reshape %2 : (tensor<1xi1>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %1 = stablehlo.add %i, %one : tensor<2xf32>
      stablehlo.return %1 : tensor<2xf32>
    }";
    let types = "tensor<2xf32> {jax.result_info = \"result.n\"}, tensor<2xf32> {jax.result_info = \"result.y\"}";
    let graph = step(body, "%0, %y : tensor<2xf32>, tensor<2xf32>", types);
    let (report, _) = pairs_of(&graph, "scope:probe", "output:result.y", 24);
    assert!(report.not_finite.excluded > 0, "{report:?}");
    assert_eq!(found(&report), Ok(None));
}

#[test]
fn a_source_that_reaches_nothing_shows_nothing() {
    let types = "tensor<2xf32> {jax.result_info = \"result.y\"}, tensor<2xf32> {jax.result_info = \"result.z\"}";
    let body = "    %s = stablehlo.tanh %x : tensor<2xf32> loc(#probe)\n    %z = stablehlo.multiply %s, %y : tensor<2xf32>\n    %0 = stablehlo.add %y, %y : tensor<2xf32>";
    let graph = step(body, "%y, %0 : tensor<2xf32>, tensor<2xf32>", types);
    let (report, _) = pairs_of(&graph, "scope:probe", "output:result.y", 24);
    assert_eq!(report.outcome, PairedOutcome::NoPower);
}
