//! The same for the steps that are committed: captures, steps of JAX, examples of the pages.

use std::io::Write;

use openloop::graph::PytreePath;
use openloop::verdict::{Assumption, Verdict};
use serde_json::Value;

use super::super::{corpus, truth};
use super::asked;
use super::hold::{Effort, Shown, contained};
use super::pairs::{Base, Pairs};
use super::subject::Subject;

/// A committed step, what it grants, and whether it holds within a step and a run.
struct Committed {
    subject: Subject,
    assume: Vec<Assumption>,
    expected: [Verdict; 2],
}

/// The captures, the steps of JAX, and both examples of each page.
fn committed() -> Vec<Committed> {
    let mut all = Vec::new();
    for folder in corpus::steps() {
        let truth = truth::truth(&folder);
        all.push(Committed {
            expected: truth.expected.map(|(_, verdict)| verdict),
            assume: truth.assume,
            subject: Subject {
                name: corpus::name(&folder),
                graph: corpus::graph(&folder.join("step.mlir")),
                scope: format!("scope:{}", truth.scope),
                sinks: truth.sinks,
                data: truth.data,
                carried: truth.carried,
                is_declared: false,
            },
        });
    }
    for rule in openloop::rules::RULES.iter().filter(|rule| !rule.channels.is_empty()) {
        let folder = corpus::root().join("fixtures/rules").join(rule.code);
        let truths: Value = serde_json::from_slice(&corpus::bytes(&folder.join("truth.json"))).expect("JSON");
        for kind in ["leak", "clean"] {
            let truth = &truths[kind];
            let text = |value: &Value| value.as_str().expect("a text").to_string();
            let list = |key: &str| truth[key].as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
            let pairs = truth["carried"].as_array().into_iter().flatten();
            let verdict = |within: &str| serde_json::from_value(truth["expected"][within].clone()).expect("a verdict");
            all.push(Committed {
                assume: list("assume").iter().map(|text| assumption(text)).collect(),
                expected: ["step", "run"].map(verdict),
                subject: Subject {
                    name: format!("{} {kind}", rule.code),
                    graph: corpus::graph(&folder.join(format!("{kind}.mlir"))),
                    scope: format!("scope:{}", text(&truth["source_scope"])),
                    sinks: text(&truth["sinks"]),
                    data: list("data"),
                    carried: pairs.map(|pair| (text(&pair["output"]), text(&pair["input"]))).collect(),
                    is_declared: false,
                },
            });
        }
    }
    all
}

fn assumption(text: &str) -> Assumption {
    match text.strip_prefix("binary:") {
        Some(path) => Assumption::Binary(PytreePath::parse(path)),
        None => serde_json::from_value(Value::from(text)).expect("an assumption"),
    }
}

/// Larger steps take long: they are run where more is asked for. Their verdicts are held against `truth.json` every time.
const MOST_OPERATIONS: usize = 250;

#[test]
fn what_differs_in_committed_steps_is_admitted_and_clean_twins_raise_no_alarm() {
    let effort = match asked() {
        Some(_) => Effort { bases: 2, disturbances: 6, steps: 4 },
        None => Effort { bases: 1, disturbances: 3, steps: 2 },
    };
    let (mut shown, mut steps, mut clean, mut alarms) = (Shown::default(), 0, 0, Vec::new());
    for Committed { subject, assume, expected } in committed() {
        if asked().is_none() && subject.graph.operations().len() > MOST_OPERATIONS {
            continue;
        }
        let plain = subject.answer(&[]);
        let granted = (!assume.is_empty()).then(|| subject.answer(&assume));
        let judged = granted.as_ref().unwrap_or(&plain);
        for (report, expected) in judged.reports.iter().zip(expected) {
            if expected == Verdict::Holds {
                clean += 1;
                if report.verdict != Verdict::Holds {
                    alarms.push(format!("{} [{}]: {:?}", subject.name, report.within.as_str(), report.verdict));
                }
            }
        }
        let binary = assume.iter().filter_map(|assumption| match assumption {
            Assumption::Binary(path) => subject.graph.inputs().position(|(input, _)| input == path),
            Assumption::Finite => None,
        });
        let mut answers = vec![(false, &plain)];
        answers.extend(granted.as_ref().map(|answer| (true, answer)));
        let sources = subject.sources().operations;
        let pairs = Pairs::new(&subject.graph, subject.carried(), &sources, binary.collect())
            .unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        // Callbacks into Python are not run.
        if pairs.run(Base { seed: 0, extreme: false }, 1, None, &[]).is_err() {
            continue;
        }
        shown.join(contained(&subject, &pairs, &answers, effort).unwrap_or_else(|problem| panic!("{problem}")));
        steps += 1;
    }
    assert_eq!(alarms, Vec::<String>::new());
    writeln!(std::io::stdout(), "{steps} steps, {clean} verdicts of clean ones, {shown:?}").expect("standard output");
    assert!(steps >= 20 && clean >= 20, "only {steps} steps run, {clean} verdicts of clean ones");
    assert!(shown.differ[1] >= 20, "only in {} pairs a sink differs", shown.differ[1]);
}
