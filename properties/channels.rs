//! Bounds on the channel: what `check` proves is re-checked, and nothing that says less than is so.

use openloop::graph::{PytreePath, TrainingGraph};
use openloop::policy::{Date, FlowPolicy};
use openloop::report::{NamedGraph, run};
use openloop::verdict::{
    Bounds, Certificate, Channel, ChannelClaim, CutElement, Evidence, InvariantReport, RefinedEvidence, Verdict,
};
use openloop::verify::{BySelectors, verify};
use serde_json::Value;

use super::corpus;

/// A step of `fixtures/jax`, and how far it is looked at.
struct Case {
    name: &'static str,
    within: &'static str,
    graph: TrainingGraph,
    truth: Value,
}

impl Case {
    fn new(name: &'static str, within: &'static str) -> Case {
        let folder = corpus::root().join("fixtures/jax").join(name);
        let truth = serde_json::from_slice(&corpus::bytes(&folder.join("truth.json"))).expect("JSON");
        Case { name, within, graph: corpus::graph(&folder.join("step.mlir")), truth }
    }

    /// The channel that the step declares.
    fn channel(&self) -> Channel {
        serde_json::from_value(self.truth["expected_channel"][self.within].clone()).expect("a channel")
    }

    /// What `check` says under a policy with this bound.
    fn check(&self, bound: &str) -> InvariantReport {
        let data = &self.truth["data"];
        let data = if data.is_null() { String::new() } else { format!("data = {data}\n") };
        let (scope, sinks) = (&self.truth["source_scope"], &self.truth["sinks"]);
        let carried = self.truth["carried"].as_array().into_iter().flatten();
        let carried = carried.map(|pair| format!("{} = {}\n", pair["output"], pair["input"]));
        let carried: String = carried.filter(|_| self.graph.carried_pairs(&Default::default()).is_err()).collect();
        let text = format!(
            "version = 1\n{}[[invariant]]\nname = \"out\"\nfrom = [\"scope:{}\"]\nto = [{sinks}]\n\
             within = \"{}\"\n{bound}\n[carried]\n{carried}",
            data,
            scope.as_str().expect("a scope"),
            self.within
        );
        let policy = FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let graphs = [NamedGraph { name: self.graph.name(), file: "step.mlir", graph: &self.graph }];
        let report = run(&graphs, &policy, Date::from_unix_seconds(0), true);
        report.unwrap_or_else(|error| panic!("{}: {error}", self.name)).invariants.remove(0)
    }

    /// What is claimed where the bound is the channel that the step declares.
    fn claimed(&self) -> Certificate {
        let report = self.check(&format!("max_channel = \"{}\"", self.channel().as_str()));
        let name = format!("{} [{}]", self.name, self.within);
        assert_eq!((report.verdict, report.channel), (Verdict::Holds, self.channel()), "{name}");
        report.certificate.unwrap_or_else(|| panic!("{name}: a certificate"))
    }

    /// The reasons for which a certificate is refused; none, if it is accepted.
    fn refusal(&self, certificate: &Certificate) -> Option<String> {
        verify(certificate, &[&self.graph], &BySelectors { names: &[] }).err().map(|problems| problems.join("; "))
    }

    fn refused(&self, what: &str, certificate: &Certificate, change: impl FnOnce(&mut RefinedEvidence)) {
        let mut certificate = certificate.clone();
        change(refined(&mut certificate));
        let refusal = self.refusal(&certificate);
        assert!(refusal.is_some(), "{} [{}]: {what}, and it is accepted", self.name, self.within);
    }
}

fn refined(certificate: &mut Certificate) -> &mut RefinedEvidence {
    match &mut certificate.evidence {
        Evidence::Refined(evidence) => evidence,
        other => panic!("no refined evidence: {other:?}"),
    }
}

const WITHIN_BOUNDS: [(&str, &[&str]); 10] = [
    ("shared_clip", &["step", "run"]),
    ("ravelled_clip", &["step", "run"]),
    ("apply_if_finite", &["step", "run"]),
    ("cond_on_score", &["step", "run"]),
    ("plateau_freeze", &["run"]),
    ("loss_scaler", &["step", "run"]),
    ("filtered_topk", &["step", "run"]),
    ("filtered_argsort", &["step", "run"]),
    ("prioritised_replay", &["run"]),
    ("while_on_score", &["step", "run"]),
];

#[test]
fn the_channel_of_a_step_is_re_checked_and_no_lower_one_is() {
    for (name, withins) in WITHIN_BOUNDS {
        for within in withins {
            let case = Case::new(name, within);
            let claimed = case.claimed();
            assert_eq!(case.refusal(&claimed), None, "{name} [{within}]");
            let channel = case.channel();
            let lower = Channel::ALL.into_iter().rfind(|other| *other < channel && *other > Channel::None);
            if let Some(lower) = lower {
                case.refused("a lower channel is claimed", &claimed, |evidence| {
                    evidence.bounds.max_channel = Some(lower);
                    evidence.channels.iter_mut().for_each(|claim| claim.channel = lower);
                });
            }
            case.refused("a lower channel is allowed", &claimed, |evidence| {
                evidence.bounds.max_channel = lower.or(Some(Channel::None));
            });
            case.refused("a sink is dropped", &claimed, |evidence| drop(evidence.channels.pop()));
            case.refused("the pivots are gone", &claimed, |evidence| evidence.channels[0].pivots.clear());
            case.refused("nothing is claimed", &claimed, |evidence| evidence.channels.clear());
        }
    }
}

#[test]
fn pivots_must_be_there_and_cut_what_they_are_said_to_cut() {
    for (name, within) in [("shared_clip", "step"), ("cond_on_score", "run"), ("filtered_topk", "step")] {
        let case = Case::new(name, within);
        let claimed = case.claimed();
        let first = |evidence: &mut RefinedEvidence, change: &dyn Fn(&mut CutElement)| {
            evidence.channels[0].pivots.iter_mut().for_each(change);
        };
        #[allow(clippy::type_complexity, reason = "a list of ways to tamper, each with its name")]
        let tampers: [(&str, &dyn Fn(&mut CutElement)); 6] = [
            ("the value is the first input", &|pivot| pivot.value = 0),
            ("the value is not there", &|pivot| pivot.value = u32::MAX),
            ("the graph is not there", &|pivot| pivot.graph = 7),
            ("the instance is not there", &|pivot| pivot.instance = vec![(0, None)]),
            ("the instance is in no operation", &|pivot| pivot.instance = vec![(u32::MAX, None)]),
            ("no element is cut", &|pivot| pivot.boxes = vec![vec![vec![(0, 0)]]]),
        ];
        for (what, change) in tampers {
            case.refused(what, &claimed, |evidence| first(evidence, change));
        }
        case.refused("a sink is claimed twice", &claimed, |evidence| {
            let claim = evidence.channels[0].clone();
            evidence.channels.push(claim);
        });
        case.refused("the sink is none", &claimed, |evidence| {
            evidence.channels[0].sink.1 = PytreePath::parse("result.77");
        });
        case.refused("the sink is in another graph", &claimed, |evidence| evidence.channels[0].sink.0 = 3);
        case.refused("it is content", &claimed, |evidence| {
            evidence.channels[0].channel = Channel::Content;
            evidence.bounds.max_channel = Some(Channel::Content);
        });
        case.refused("the bound is another too", &claimed, |evidence| evidence.bounds.max_bits_per_step = Some(0));
    }
}

/// What is picked from is declared by the policy, and not by the certificate alone: it says so.
#[test]
fn selection_rests_on_declared_data() {
    for name in ["filtered_topk", "filtered_argsort", "prioritised_replay"] {
        let case = Case::new(name, "run");
        let mut claimed = case.claimed();
        assert_eq!(refined(&mut claimed).data, ["input:memory.**"]);
        case.refused("there is no data", &claimed, |evidence| evidence.data.clear());
        case.refused("the data is another", &claimed, |evidence| evidence.data = vec!["input:params.**".into()]);
        case.refused("the data is no selector", &claimed, |evidence| evidence.data = vec!["memory".into()]);
    }
}

/// Steps in which content gets through: no claim with what cuts it off is accepted, of whatever channel.
#[test]
fn content_is_never_within_a_bound() {
    for (name, within) in [
        ("scale_add", "step"),
        ("scale_advantage", "step"),
        ("scale_bitcast", "step"),
        ("scale_other_norm", "step"),
        ("scale_signed", "step"),
        ("gate_per_row", "step"),
        ("gate_two_candidates", "step"),
        ("filtered_iota", "step"),
        ("filtered_table", "step"),
        ("single_state", "run"),
        ("shared_key", "run"),
        ("rng_key_folded", "run"),
        ("naive_grpo", "step"),
    ] {
        let case = Case::new(name, within);
        assert_eq!(case.channel(), Channel::Content, "{name}");
        let report = case.check("");
        assert_eq!((report.verdict, report.channel), (Verdict::Violated, Channel::Content), "{name}");
        let certificate = report.certificate.expect("a certificate");
        let sinks = case.graph.outputs().map(|(path, _)| path.clone());
        let selector = openloop::policy::Selector::parse(&certificate.to[0]).expect("a selector");
        let sinks: Vec<PytreePath> = sinks.filter(|path| selector.matches_path(path)).collect();
        let groups = report.witnesses.iter().map(|witness| witness.cut.iter().map(|part| part.at.clone()).collect());
        let cuts: Vec<Vec<CutElement>> = groups.chain([certificate.cut.clone()]).collect();
        for pivots in cuts {
            for channel in [Channel::Timing, Channel::Scale, Channel::Selection] {
                let claim =
                    |sink: &PytreePath| ChannelClaim { sink: (0, sink.clone()), channel, pivots: pivots.clone() };
                let forged = Certificate {
                    verdict: Verdict::Holds,
                    bits_per_step: None,
                    cut: Vec::new(),
                    evidence: Evidence::Refined(RefinedEvidence {
                        bounds: Bounds { max_channel: Some(channel), max_bits_per_step: None },
                        channels: sinks.iter().map(claim).collect(),
                        data: case.truth["data"]
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(|text| text.as_str().map(str::to_string))
                            .collect(),
                        ..RefinedEvidence::default()
                    }),
                    ..certificate.clone()
                };
                let refusal = case.refusal(&forged);
                assert!(refusal.is_some(), "{name}: {} with {pivots:?} is accepted", channel.as_str());
            }
        }
    }
}

/// A clip over so many parameters that its sum is a long chain: models have hundreds of leaves.
#[test]
fn a_norm_of_many_parameters_is_a_scale() {
    const LEAVES: usize = 200;
    let each = |line: &dyn Fn(usize) -> String| (0..LEAVES).map(line).collect::<Vec<_>>();
    let inputs =
        each(&|at| format!("%p{at}: tensor<2xf32> loc(\"params.p{at}\"), %g{at}: tensor<2xf32> loc(\"batch.g{at}\")"));
    let outputs = each(&|at| format!("tensor<2xf32> {{jax.result_info = \"result.p{at}\"}}"));
    let sums = each(&|at| {
        format!(
            "%sq{at} = stablehlo.multiply %g{at}, %g{at} : tensor<2xf32>
    %sum{at} = stablehlo.reduce(%sq{at} init: %zero) applies stablehlo.add across dimensions = [0]
        : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %all{} = stablehlo.add %all{at}, %sum{at} : tensor<f32>",
            at + 1
        )
    });
    let updates = each(&|at| {
        format!(
            "%u{at} = stablehlo.divide %g{at}, %norm : tensor<2xf32>
    %new{at} = stablehlo.subtract %p{at}, %u{at} : tensor<2xf32>"
        )
    });
    let results = each(&|at| format!("%new{at}"));
    let text = format!(
        "module @step {{
  func.func public @main(%src: tensor<f32> loc(\"src\"), {}) -> ({}) {{
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %all0 = stablehlo.multiply %src, %src : tensor<f32>
    {}
    %root = stablehlo.sqrt %all{LEAVES} : tensor<f32>
    %norm = stablehlo.broadcast_in_dim %root, dims = [] : (tensor<f32>) -> tensor<2xf32>
    {}
    return {} : {}
  }}
}}
",
        inputs.join(", "),
        outputs.join(", "),
        sums.join("\n    "),
        updates.join("\n    "),
        results.join(", "),
        vec!["tensor<2xf32>"; LEAVES].join(", ")
    );
    let graph = openloop::capture::read(text.as_bytes()).expect("a step");
    let policy = FlowPolicy::parse(
        "version = 1\n[[invariant]]\nname = \"out\"\nfrom = [\"input:src\"]\nto = [\"output:**\"]\nwithin = \"step\"\n\
         max_channel = \"scale\"\n",
    )
    .expect("a policy");
    let graphs = [NamedGraph { name: graph.name(), file: "step.mlir", graph: &graph }];
    let report = run(&graphs, &policy, Date::from_unix_seconds(0), true).expect("a report").invariants.remove(0);
    assert_eq!((report.verdict, report.channel), (Verdict::Holds, Channel::Scale));
    let certificate = report.certificate.expect("a certificate");
    assert_eq!(verify(&certificate, &[&graph], &BySelectors { names: &[] }), Ok(()));
}
