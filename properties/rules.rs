//! The examples on the pages of mechanisms: each was run, and the tool says of it what running it showed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use openloop::graph::TrainingGraph;
use openloop::policy::{Date, FlowPolicy, Selector};
use openloop::report::{NamedGraph, run};
use openloop::rules::{RULES, Rule};
use openloop::verdict::{Hop, InvariantReport, Verdict, Within};
use openloop::verify::{BySelectors, verify};
use serde_json::Value;

use super::corpus;

const KINDS: [&str; 2] = ["leak", "clean"];

fn mechanisms() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(|rule| !rule.channels.is_empty())
}

fn folder(code: &str) -> PathBuf {
    corpus::root().join("fixtures/rules").join(code)
}

fn graph(code: &str, kind: &str) -> TrainingGraph {
    corpus::graph(&folder(code).join(format!("{kind}.mlir")))
}

fn truth(code: &str) -> Value {
    serde_json::from_slice(&corpus::bytes(&folder(code).join("truth.json"))).expect("JSON")
}

/// The fenced block with this mark: the number of its first line of code, and its lines.
fn block<'p>(page: &'p str, mark: &str) -> Option<(usize, Vec<&'p str>)> {
    let fence = format!("```{mark}");
    let before = page.lines().position(|line| line == fence)?;
    Some((before + 2, page.lines().skip(before + 1).take_while(|line| *line != "```").collect()))
}

/// The numbers of the lines of a file that a text names.
fn lines_named(text: &str, file: &str) -> Vec<usize> {
    let start = format!("\"{file}\":");
    let after = text.match_indices(&start).map(|(at, found)| &text[at + found.len()..]);
    after.filter_map(|rest| rest.split(':').next()?.parse().ok()).collect()
}

fn check(graph: &TrainingGraph, source: &str, sinks: &str) -> BTreeMap<&'static str, InvariantReport> {
    let select = |text: &str| vec![Selector::parse(text).expect("a selector")];
    let policy = FlowPolicy::from_flags(select(source), select(sinks), None, Vec::new()).expect("a policy");
    let graphs = [NamedGraph { name: graph.name(), file: "step.mlir", graph }];
    let report = run(&graphs, &policy, Date::from_unix_seconds(0), true).expect("a report");
    for certificate in report.invariants.iter().filter_map(|entry| entry.certificate.as_ref()) {
        assert_eq!(verify(certificate, &[graph], &BySelectors { names: &[] }), Ok(()));
    }
    report.invariants.into_iter().map(|entry| (entry.within.as_str(), entry)).collect()
}

/// An edit of a page without a new capture fails here, and so does a page or a folder that stands alone.
#[test]
fn every_fixture_was_made_from_the_example_on_its_page() {
    let mut folders: Vec<String> = std::fs::read_dir(corpus::root().join("fixtures/rules"))
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_dir())
        .map(|path| corpus::name(&path))
        .collect();
    folders.sort();
    assert_eq!(folders, mechanisms().map(|rule| rule.code).collect::<Vec<_>>());
    for rule in mechanisms() {
        let code = rule.code;
        let truth = truth(code);
        for kind in KINDS {
            let (first, lines) = block(rule.page, &format!("python {kind}"))
                .unwrap_or_else(|| panic!("{code}: there is no block `python {kind}`"));
            let captured: Vec<&str> =
                truth[kind]["example"].as_array().expect("lines").iter().flat_map(Value::as_str).collect();
            assert_eq!(captured, lines, "{code} {kind}: run fixtures/rules/capture.py");
            assert_eq!(truth[kind]["first_line"], first, "{code} {kind}: run fixtures/rules/capture.py");
            let text = corpus::bytes(&folder(code).join(format!("{kind}.mlir")));
            assert!(text.len() < 50 * 1024, "{code} {kind} is not small: {} bytes", text.len());
            let text = String::from_utf8(text).expect("text");
            let named = lines_named(&text, &format!("src/rules/pages/{code}.md"));
            assert!(!named.is_empty(), "{code} {kind} names no line of its page");
            for line in named {
                assert!(
                    (first..first + lines.len()).contains(&line),
                    "{code} {kind}: line {line} is not in the example"
                );
            }
        }
    }
}

#[test]
fn the_leak_of_every_page_is_found_as_far_as_it_was_measured() {
    for rule in mechanisms() {
        let code = rule.code;
        let truth = &truth(code)["leak"];
        let text = |key: &str| truth[key].as_str().expect("text");
        let reports = check(&graph(code, "leak"), &format!("scope:{}", text("source_scope")), text("sinks"));
        for (within, steps) in [(Within::Step, "1"), (Within::Run, "4")] {
            let entry = &reports[within.as_str()];
            let changed = truth["measured_changed_by"].as_object().expect("kinds").values();
            let changed = changed.filter_map(|kind| kind[steps].as_u64()).max().expect("a count");
            let right = if changed > 0 { Verdict::Violated } else { Verdict::Holds };
            assert_eq!(entry.verdict, right, "{code} [{}]: {:?}", within.as_str(), entry.reasons);
            assert!(entry.sinks_reached as u64 >= changed, "{code} [{}]: {changed} sinks changed", within.as_str());
        }
        let run = &reports[Within::Run.as_str()];
        assert_eq!(run.verdict, Verdict::Violated, "{code} is a leak");
        let is_carried = run.witness.iter().any(|step| step.hop == Hop::Carried);
        assert_eq!(is_carried, reports[Within::Step.as_str()].verdict == Verdict::Holds, "{code}");
    }
}

#[test]
fn the_clean_twin_of_every_page_holds() {
    for rule in mechanisms() {
        let code = rule.code;
        let truth = &truth(code)["clean"];
        let text = |key: &str| truth[key].as_str().expect("text");
        assert_eq!((&truth["leak_one_step"], &truth["leak_multi_step"]), (&false.into(), &false.into()), "{code}");
        for (within, entry) in check(&graph(code, "clean"), &format!("scope:{}", text("source_scope")), text("sinks")) {
            assert_eq!(entry.verdict, Verdict::Holds, "{code} [{within}]: {:?}", entry.reasons);
        }
    }
}

/// Two sources, two answers: the labels train what the probe reads, its reward does not.
#[test]
fn co_training_breaks_its_own_invariant_and_not_the_one_about_the_reward() {
    let page = RULES.iter().find(|rule| rule.code == "OL126").expect("a page").page;
    let (_, policy) = block(page, "toml").expect("the page shows its invariant");
    let policy = FlowPolicy::parse(&(policy.join("\n") + "\n")).expect("a policy");
    let leak = graph("OL126", "leak");
    let graphs = [NamedGraph { name: leak.name(), file: "leak.mlir", graph: &leak }];
    let report = run(&graphs, &policy, Date::from_unix_seconds(0), false).expect("a report");
    assert_eq!(report.invariants.iter().map(|entry| entry.verdict).collect::<Vec<_>>(), [Verdict::Violated]);
    for kind in KINDS {
        for (within, entry) in check(&graph("OL126", kind), "scope:probe_reward", "output:result.params.beliefs.**") {
            assert_eq!(entry.verdict, Verdict::Holds, "{kind} [{within}]: {:?}", entry.reasons);
        }
    }
}
