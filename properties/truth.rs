//! Real steps: what the tool says is what running the step showed.

use std::path::Path;

use openloop::flow::{Crossings, Phases, Port, Sources, System, propagate};
use openloop::graph::{PairingOverride, PytreePath, ScopePath};
use openloop::policy::{Date, FlowPolicy, Selector};
use openloop::report::{NamedGraph, run};
use openloop::verdict::{Assumption, Channel, RunReport, Verdict, Within};
use openloop::verify::{BySelectors, verify};
use serde_json::Value;

use super::corpus;

/// What `truth.json` of a step says.
pub(super) struct Truth {
    pub(super) scope: String,
    pub(super) sinks: String,
    /// The right verdict for one step and for a run.
    pub(super) expected: [(Within, Verdict); 2],
    /// What the step grants, and the right verdicts without it.
    pub(super) assume: Vec<Assumption>,
    expected_without: Option<[(Within, Verdict); 2]>,
    /// Inputs that are data.
    pub(super) data: Vec<String>,
    /// The right channel, and the most bits, for one step and for a run; where the step says so.
    channels: [Option<Channel>; 2],
    bits: [Option<u64>; 2],
    /// How many sinks changed when the step was run with another reward: after one step, after four.
    changed: [usize; 2],
    pub(super) carried: Vec<(String, String)>,
}

fn verdict(text: &str) -> Verdict {
    serde_json::from_value(Value::from(text)).expect("a verdict")
}

pub(super) fn truth(step: &Path) -> Truth {
    let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
    let name = corpus::name(step);
    // The captures say whether it leaks, and the sinks are described in their README: the belief parameters.
    let of_leak = |key: &str| if json[key].as_bool().expect(key) { Verdict::Violated } else { Verdict::Holds };
    let expected = |within: &str, leak: &str| json["expected"][within].as_str().map_or_else(|| of_leak(leak), verdict);
    let sinks = json["sinks"].as_str().map_or_else(
        || match name.as_bytes()[0] {
            b'a' => "output:result.0.**".into(),
            b'e' => "output:result.0.params.beliefs.**".into(),
            _ => "output:result.0.beliefs.**".into(),
        },
        str::to_string,
    );
    let assume = json["assume"].as_array().into_iter().flatten().map(|text| {
        let text = text.as_str().expect("an assumption");
        match text.strip_prefix("binary:") {
            Some(path) => Assumption::Binary(PytreePath::parse(path)),
            None => serde_json::from_value(Value::from(text)).expect("an assumption"),
        }
    });
    let without = |within: &str| json["expected_without"][within].as_str().map(verdict);
    let expected_without = without("step").zip(without("run"));
    let changed = ["measured_changed_sink_outputs", "measured_changed_belief_outputs"]
        .iter()
        .find_map(|key| json.get(*key))
        .expect("what changed");
    let carried = json["carried"].as_array().into_iter().flatten();
    let carried = carried.map(|pair| {
        let path = |end: &str| pair[end].as_str().expect("a path").to_string();
        (path("output"), path("input"))
    });
    Truth {
        scope: json["source_scope"].as_str().expect("a scope").into(),
        sinks,
        expected: [
            (Within::Step, expected("step", "leak_one_step")),
            (Within::Run, expected("run", "leak_multi_step")),
        ],
        assume: assume.collect(),
        expected_without: expected_without.map(|(step, run)| [(Within::Step, step), (Within::Run, run)]),
        data: json["data"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|text| text.as_str().expect("a selector").into())
            .collect(),
        channels: ["step", "run"].map(|within| {
            let channel = json["expected_channel"].get(within)?;
            Some(serde_json::from_value(channel.clone()).expect("a channel"))
        }),
        bits: ["step", "run"].map(|within| json["expected_bits_at_most"].get(within)?.as_u64()),
        changed: ["1", "4"].map(|steps| changed[steps].as_u64().expect("a count") as usize),
        carried: carried.collect(),
    }
}

impl Truth {
    /// What the training loop of the step carries.
    pub(super) fn pairing(&self) -> PairingOverride {
        let pairs = self.carried.iter().map(|(output, input)| (PytreePath::parse(output), PytreePath::parse(input)));
        PairingOverride { pairs: pairs.collect(), ..PairingOverride::default() }
    }
}

pub(super) fn check(step: &Path, truth: &Truth, assume: &[Assumption]) -> RunReport {
    let graph = corpus::graph(&step.join("step.mlir"));
    let select = |text: &str| vec![Selector::parse(text).expect("a selector")];
    let scope = format!("scope:{}", truth.scope);
    let data = truth.data.iter().map(|text| Selector::parse(text).expect("a selector")).collect();
    let mut policy = FlowPolicy::from_flags(select(&scope), select(&truth.sinks), None, assume.to_vec())
        .expect("a policy")
        .with_data(data)
        .expect("selectors of inputs");
    // Where structure does not tell, the fixture says what its own training loop does.
    if graph.carried_pairs(&Default::default()).is_err() {
        for (output, input) in &truth.carried {
            policy = policy.carry(PytreePath::parse(output), Some(PytreePath::parse(input)));
        }
    }
    let graphs = [NamedGraph { name: graph.name(), file: "step.mlir", graph: &graph }];
    let report = run(&graphs, &policy, Date::from_unix_seconds(0), true)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus::name(step)));
    for entry in &report.invariants {
        if let Some(certificate) = &entry.certificate {
            let accepted = verify(certificate, &[&graph], &BySelectors { names: &[] });
            assert_eq!(accepted, Ok(()), "{} [{}]", corpus::name(step), entry.within.as_str());
        }
    }
    report
}

/// What is wrong today: `(step, within, found, right)`, from `fixtures/known_wrong`.
fn known_wrong() -> Vec<(String, Within, Verdict, Verdict)> {
    let path = corpus::root().join("fixtures/known_wrong/verdicts.json");
    let json: Value = serde_json::from_slice(&corpus::bytes(&path)).expect("JSON");
    let entries = json.as_array().expect("a list").iter().map(|entry| {
        let text = |key: &str| entry[key].as_str().unwrap_or_else(|| panic!("{key}")).to_string();
        assert!(!text("why").is_empty());
        let within = if text("within") == "step" { Within::Step } else { Within::Run };
        (text("step"), within, verdict(&text("found")), verdict(&text("right")))
    });
    entries.collect()
}

#[test]
fn every_step_gets_the_verdict_that_running_it_showed() {
    let wrong = known_wrong();
    let mut wrong_seen = 0;
    for step in corpus::steps() {
        let name = corpus::name(&step);
        let truth = truth(&step);
        let report = check(&step, &truth, &truth.assume);
        for (number, (within, right)) in truth.expected.into_iter().enumerate() {
            let entry = report.invariants.iter().find(|entry| entry.within == within).expect("both are reported");
            let known = wrong.iter().find(|(step, when, ..)| *step == name && *when == within);
            if let Some((.., found, listed_right)) = known {
                assert_eq!(*listed_right, right, "{name}: the list of what is wrong names another truth");
                assert_eq!(entry.verdict, *found, "{name} [{}]: no longer wrong in this way", within.as_str());
                wrong_seen += 1;
            } else {
                assert_eq!(entry.verdict, right, "{name} [{}]: {:?}", within.as_str(), entry.reasons);
            }
            // Static contains dynamic: at least the sinks that changed are reached.
            let changed = truth.changed[number];
            assert!(
                entry.sinks_reached >= changed || entry.verdict == Verdict::Undetermined,
                "{name} [{}]: {changed} sinks changed, {} are reached",
                within.as_str(),
                entry.sinks_reached
            );
            if entry.verdict == Verdict::Undetermined {
                assert!(
                    !entry.opaque.is_empty() || entry.reasons.iter().any(|reason| reason.contains("mark the score")),
                    "{name}: an undetermined verdict names what it hangs on"
                );
            }
            if entry.verdict == Verdict::Violated {
                assert!(!entry.witness.is_empty(), "{name}: a violation has a path");
            }
            assert!(!entry.assumptions.is_empty(), "{name}: every verdict says what it rests on");
            if let (Some(channel), Verdict::Violated) = (truth.channels[number], entry.verdict) {
                assert_eq!(entry.channel, channel, "{name} [{}]: {:?}", within.as_str(), entry.witnesses);
            }
            if let (Some(most), Verdict::Violated) = (truth.bits[number], entry.verdict) {
                let bits = entry.bits_per_step.unwrap_or_else(|| panic!("{name}: no bound in bits"));
                assert!(bits.at_most <= most, "{name} [{}]: {bits:?}, expected at most {most}", within.as_str());
            }
        }
        // Without what it grants the step says what running it with infinities and NaN showed.
        if let Some(expected) = truth.expected_without {
            let report = check(&step, &truth, &[]);
            for (within, right) in expected {
                let entry = report.invariants.iter().find(|entry| entry.within == within).expect("both are reported");
                assert_eq!(entry.verdict, right, "{name} [{}] without assumptions", within.as_str());
            }
        }
    }
    assert_eq!(wrong_seen, wrong.len(), "an entry of the list of what is wrong names no step");
}

/// The worst loop passes by the value of the score: the gradient of a linear probe does not depend on it. A source
/// that is the value alone calls `a2_probe_direct` clean, and the scope does not.
#[test]
fn a_value_only_source_would_call_the_direct_probe_gradient_clean() {
    let graph = corpus::graph(&corpus::root().join("fixtures/captures/a2_probe_direct/step.mlir"));
    let scope = Selector::parse("scope:probe_reward").expect("a selector").resolve(&graph).operations;
    let sinks = Selector::parse("output:result.0.**").expect("a selector").resolve(&graph).outputs;
    let is_cotangent = |id| graph.scope_paths(graph.operation(id).scope).any(|path| ScopePath::parse(path).transposed);
    let forward: Vec<_> = scope.iter().copied().filter(|id| !is_cotangent(*id)).collect();
    // The score is what the forward operations of the scope give to others.
    let leaves = |id| {
        graph.results(id).iter().any(|result| {
            graph.operations().ids().any(|user| !scope.contains(&user) && graph.operands(user).contains(&result))
        })
    };
    let score: Vec<_> = forward.iter().copied().filter(|id| leaves(*id)).collect();
    assert!(!score.is_empty() && forward.len() < scope.len());
    let system = System::new([&graph]);
    let sinks: Vec<Port> = sinks.into_iter().map(|position| Port { graph: 0, position }).collect();
    let verdict_of = |operations: &[_]| {
        let mut sources = Sources::default();
        sources.add(0, operations.iter().copied(), []);
        propagate(&system, &sources, Crossings::within(Within::Step)).verdict(&sinks)
    };
    assert_eq!(verdict_of(&score), Verdict::Holds);
    assert_eq!(verdict_of(&scope), Verdict::Violated);
}

/// Inside the body of a scan the scope path is relative: forward and backward read `probe_reward/mul`. The direction is
/// in the path of the call.
#[test]
fn a_scope_in_a_private_function_takes_its_direction_from_the_call() {
    let phases_of = |name: &str| {
        let graph = corpus::graph(&corpus::root().join("fixtures/jax").join(name).join("step.mlir"));
        let phases = Phases::new(&graph);
        let scope = Selector::parse("scope:probe_reward").expect("a selector").resolve(&graph).operations;
        let in_body: Vec<_> = scope
            .into_iter()
            .filter(|id| graph.region(graph.operation(*id).region).function != graph.entry())
            .map(|id| phases.of(id))
            .collect();
        assert!(!in_body.is_empty(), "{name}");
        in_body
    };
    assert!(phases_of("probe_in_scan").iter().all(|phase| phase.differentiated && !phase.transposed));
    let leak = phases_of("probe_in_scan_leak");
    assert!(leak.iter().any(|phase| phase.transposed) && leak.iter().any(|phase| !phase.transposed));
}

/// Two functions that are jitted apart make one system, by the policy beside them.
#[test]
fn systems_of_two_functions_are_checked_as_one() {
    for (name, right) in [("two_functions", Verdict::Holds), ("two_functions_leak", Verdict::Violated)] {
        let folder = corpus::root().join("fixtures/jax").join(name);
        let json: Value = serde_json::from_slice(&corpus::bytes(&folder.join("truth.json"))).expect("JSON");
        assert_eq!(verdict(json["expected"]["run"].as_str().expect("a verdict")), right, "{name}");
        let text = String::from_utf8(corpus::bytes(&folder.join("openloop.toml"))).expect("text");
        let policy = FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let graphs: Vec<_> = policy
            .graphs()
            .iter()
            .map(|graph| (graph.name.clone(), corpus::graph(&folder.join(&graph.file))))
            .collect();
        let named: Vec<NamedGraph<'_>> =
            graphs.iter().map(|(name, graph)| NamedGraph { name, file: name, graph }).collect();
        let report =
            run(&named, &policy, Date::from_unix_seconds(0), true).unwrap_or_else(|error| panic!("{name}: {error}"));
        let graphs: Vec<_> = graphs.iter().map(|(_, graph)| graph).collect();
        for entry in &report.invariants {
            let expected = json["expected"][entry.within.as_str()].as_str().map(verdict);
            assert_eq!(Some(entry.verdict), expected, "{name} [{}]: {:?}", entry.within.as_str(), entry.reasons);
            let certificate = entry.certificate.as_ref().expect("a certificate");
            let names: Vec<&str> = certificate.names.iter().map(String::as_str).collect();
            assert_eq!(verify(certificate, &graphs, &BySelectors { names: &names }), Ok(()), "{name}");
        }
    }
}
