//! What telling parts and conditions apart is worth: naive reachability against the whole analysis, on every step whose
//! truth was measured.

use std::fmt::Write;

use openloop::flow::{Crossings, Port, Sources, System, propagate};
use openloop::policy::Selector;
use openloop::verdict::{Verdict, Within};

use super::corpus;
use super::truth::{self, Truth};

/// What reachability over whole tensors says.
fn naive(graph: &openloop::graph::TrainingGraph, truth: &Truth, within: Within) -> Verdict {
    let select = |text: &str| Selector::parse(text).expect("a selector").resolve(graph);
    let found = select(&format!("scope:{}", truth.scope));
    let mut sources = Sources::default();
    sources.add(0, found.operations, found.inputs);
    let sinks = select(&truth.sinks).outputs.into_iter().map(|position| Port { graph: 0, position });
    let mut system = System::new([graph]);
    if let Ok(pairs) = graph.carried_pairs(&truth.pairing()) {
        system.carry(0, &pairs);
    }
    propagate(&system, &sources, Crossings::within(within)).verdict(&sinks.collect::<Vec<_>>())
}

#[derive(Default)]
struct Count {
    leaks: usize,
    clean: usize,
    missed: usize,
    false_alarms: usize,
}

impl Count {
    fn add(&mut self, right: Verdict, found: Verdict) {
        match right {
            Verdict::Violated => {
                self.leaks += 1;
                self.missed += usize::from(found == Verdict::Holds);
            }
            Verdict::Holds => {
                self.clean += 1;
                self.false_alarms += usize::from(found != Verdict::Holds);
            }
            Verdict::Vacuous | Verdict::Undetermined => {}
        }
    }
}

/// The whole table is a snapshot; its sums are in the README.
#[test]
fn no_leak_is_missed_and_no_clean_step_is_called_a_leak() {
    let mut table = format!("{:32} {:22} {:22} {}\n", "step", "measured", "whole tensors", "parts and conditions");
    let (mut whole, mut refined) = (Count::default(), Count::default());
    for step in corpus::steps() {
        let truth = truth::truth(&step);
        let graph = corpus::graph(&step.join("step.mlir"));
        let report = truth::check(&step, &truth, &truth.assume);
        let mut row = [corpus::name(&step), String::new(), String::new(), String::new()];
        for (within, right) in truth.expected {
            let entry = report.invariants.iter().find(|entry| entry.within == within).expect("both are reported");
            let reached = naive(&graph, &truth, within);
            whole.add(right, reached);
            refined.add(right, entry.verdict);
            for (cell, verdict) in row[1..].iter_mut().zip([right, reached, entry.verdict]) {
                write!(cell, "{:11}", verdict.as_str()).expect("a string");
            }
        }
        let line = format!("{:32} {:22} {:22} {}", row[0], row[1], row[2], row[3]);
        table.push_str(line.trim_end());
        table.push('\n');
    }
    insta::assert_snapshot!(table);
    assert_eq!((whole.missed, refined.missed, refined.false_alarms), (0, 0, 0));
    let sums = |name: &str, count: &Count| {
        format!("| {name} | {} of {} | {} of {} |", count.missed, count.leaks, count.false_alarms, count.clean)
    };
    let readme = String::from_utf8(corpus::bytes(&corpus::root().join("README.md"))).expect("text");
    for line in [sums("whole tensors", &whole), sums("parts and conditions", &refined)] {
        assert!(readme.contains(&line), "the README lacks `{line}`");
    }
}
