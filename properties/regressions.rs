//! Steps that once got a wrong verdict: what it is today.

use openloop::policy::{Date, FlowPolicy, Selector};
use openloop::report::{NamedGraph, run};
use openloop::verdict::Within;
use openloop::verify::{BySelectors, verify};
use serde_json::Value;

use super::corpus;

#[test]
fn what_was_wrong_once_stays_right() {
    let folder = corpus::root().join("fixtures/regressions");
    let cases: Vec<Value> = serde_json::from_slice(&corpus::bytes(&folder.join("cases.json"))).expect("a list");
    assert!(cases.len() >= 16);
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap_or_else(|| panic!("{key}"));
        let graph = corpus::graph(&folder.join(text("file")));
        let policy = match case.get("policy") {
            Some(_) => {
                let bytes = corpus::bytes(&folder.join(text("policy")));
                FlowPolicy::parse(&String::from_utf8(bytes).expect("text")).expect("a policy")
            }
            None => {
                let select = |key: &str| vec![Selector::parse(text(key)).expect("a selector")];
                FlowPolicy::from_flags(select("source"), select("sink"), None, Vec::new()).expect("a policy")
            }
        };
        let graphs = [NamedGraph { name: graph.name(), file: text("file"), graph: &graph }];
        let report = run(&graphs, &policy, Date::from_unix_seconds(0), true).expect("a report");
        for entry in &report.invariants {
            let key = if entry.within == Within::Step { "step" } else { "run" };
            assert_eq!(entry.verdict.as_str(), text(key), "{} [{key}]: {:?}", text("file"), entry.reasons);
            if let Some(certificate) = &entry.certificate {
                let verified = verify(certificate, &[&graph], &BySelectors { names: &[] });
                // What is wrong today is asserted as wrong.
                match case.get("refused") {
                    Some(_) => assert!(verified.is_err(), "{}: no longer refused", text("file")),
                    None => assert_eq!(verified, Ok(()), "{}", text("file")),
                }
            }
            if case.get("right").is_some() {
                let is_named = entry.assumptions.iter().any(|assumption| assumption.starts_with("named: no custom"));
                assert!(is_named, "{}: wrong, and the assumption that is broken is not printed", text("file"));
            }
        }
    }
}

/// `verify` has doubts of its own: a certificate that was made for a graph whose scope is not differentiated does not
/// prove anything of one whose is.
#[test]
fn a_proof_without_the_doubt_is_refused() {
    for name in ["scope_only_add", "custom_vjp_hides"] {
        let path = corpus::root().join("fixtures/jax").join(name).join("step.mlir");
        let text = String::from_utf8(corpus::bytes(&path)).expect("text");
        let graph = corpus::graph(&path);
        let twin = text.replace("jvp(probe_reward)", "probe_reward");
        assert_ne!(twin, text, "{name}");
        let twin = openloop::capture::read(twin.as_bytes()).expect("a graph");
        let select = |text: &str| vec![Selector::parse(text).expect("a selector")];
        let policy = FlowPolicy::from_flags(
            select("scope:probe_reward"),
            select("output:**.beliefs.**"),
            Some(Within::Step),
            Vec::new(),
        )
        .expect("a policy");
        let graphs = [NamedGraph { name: "twin", file: "twin", graph: &twin }];
        let report = run(&graphs, &policy, Date::from_unix_seconds(0), true).expect("a report");
        let mut certificate = report.invariants[0].certificate.clone().expect("the twin has nothing to hide");
        assert_eq!(verify(&certificate, &[&twin], &BySelectors { names: &[] }), Ok(()));
        certificate.digests = vec![graph.digest()];
        assert!(verify(&certificate, &[&graph], &BySelectors { names: &[] }).is_err(), "{name}");
    }
}
