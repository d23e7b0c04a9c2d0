//! Claims by hand that must be refused, each for its reason. Damaged certificates of random graphs are in `properties`.

use super::*;
use crate::graph::{GraphBuilder, OperationKind};
use crate::verdict::{Channel, FunctionLabels, GraphLabels, Route, Witness, WitnessStep};

/// `score = tanh(beliefs)` in the scope; the desires take it, the beliefs do not.
fn graph() -> TrainingGraph {
    let mut builder = GraphBuilder::new("step");
    let beliefs = builder.input("params.beliefs", "tensor<4xf32>");
    let desires = builder.input("params.desires", "tensor<4xf32>");
    let score = builder.scope("probe", |builder| builder.add(OperationKind::Tanh, &[beliefs]));
    let next = builder.add(OperationKind::Add, &[desires, score]);
    builder.output("result.beliefs", beliefs);
    builder.output("result.desires", next);
    builder.finish().expect("a graph")
}

fn holds(graph: &TrainingGraph) -> Certificate {
    // Values: beliefs, desires, score, next. Carried: the desires are labelled in the next step.
    let rows = "0111".to_string();
    Certificate {
        version: CERTIFICATE_VERSION,
        digests: vec![graph.digest()],
        names: Vec::new(),
        within: Within::Run,
        from: vec!["scope:probe".into()],
        to: vec!["output:**.beliefs".into()],
        carried: Vec::new(),
        terminal: Vec::new(),
        edges: Vec::new(),
        assume: Vec::new(),
        bits_per_step: None,
        cut: Vec::new(),
        verdict: Verdict::Holds,
        evidence: Evidence::Labels(vec![GraphLabels {
            functions: vec![FunctionLabels { origins: 2, rows }],
            world: false,
        }]),
    }
}

fn violated(graph: &TrainingGraph) -> Certificate {
    let step = |hop: Hop, op: &str, scope: Option<&str>, value: u32| WitnessStep {
        hop,
        op: op.into(),
        place: None,
        innermost: None,
        function: None,
        scope: scope.map(str::to_string),
        r#type: "tensor<4xf32>".into(),
        line: 0,
        graph: 0,
        value,
    };
    let path = vec![
        step(Hop::Source, "stablehlo.tanh", Some("probe/tanh"), 2),
        step(Hop::Data, "stablehlo.add", None, 3),
        step(Hop::Sink, "result.desires", None, 3),
    ];
    let (group, sink) = ("result.desires".into(), "result.desires".into());
    let witness = Witness {
        group,
        sink,
        sinks_reached: 1,
        sinks: 1,
        route: Route::Step,
        channel: Channel::Content,
        channel_reason: String::new(),
        bits_per_step: None,
        cut: Vec::new(),
        rule: String::new(),
        path,
    };
    Certificate {
        to: vec!["output:**.desires".into()],
        verdict: Verdict::Violated,
        evidence: Evidence::Paths(vec![witness]),
        ..holds(graph)
    }
}

fn refusal(certificate: &Certificate, graph: &TrainingGraph) -> String {
    match verify(certificate, &[graph], &BySelectors { names: &[] }) {
        Ok(()) => "accepted".into(),
        Err(problems) => problems.join("; "),
    }
}

#[test]
fn the_claims_themselves_are_accepted() {
    let graph = graph();
    assert_eq!(refusal(&holds(&graph), &graph), "accepted");
    assert_eq!(refusal(&violated(&graph), &graph), "accepted");
}

#[test]
fn a_label_assignment_must_be_closed_and_well_formed() {
    let graph = graph();
    let with = |rows: &str| {
        let functions = vec![FunctionLabels { origins: 2, rows: rows.into() }];
        let evidence = Evidence::Labels(vec![GraphLabels { functions, world: false }]);
        refusal(&Certificate { evidence, ..holds(&graph) }, &graph)
    };
    assert!(with("0011").contains("output 1 is labelled, input 1 is not"));
    assert!(with("0101").contains("stablehlo.tanh lacks the label"));
    assert!(with("0110").contains("stablehlo.add lacks the label"));
    assert!(with("1111").contains("is a sink and labelled"));
    assert!(with("011").contains("wrong size"));
    assert!(with("0113").contains("does not exist"));
    assert!(with("011g").contains("no hexadecimal digit"));
    // More than is needed is no harm.
    let step = Certificate { within: Within::Step, ..holds(&graph) };
    assert_eq!(refusal(&step, &graph), "accepted");
}

#[test]
fn a_claim_about_nothing_is_refused() {
    let graph = graph();
    let from = Certificate { from: vec!["scope:prob".into()], ..holds(&graph) };
    assert!(refusal(&from, &graph).contains("source pick nothing"));
    let to = Certificate { to: vec!["output:**.belief".into()], ..holds(&graph) };
    assert!(refusal(&to, &graph).contains("sinks pick nothing"));
    let sides = Certificate { to: vec!["scope:probe".into()], ..holds(&graph) };
    assert!(refusal(&sides, &graph).contains("a sink is an output"));
    for verdict in [Verdict::Undetermined, Verdict::Vacuous, Verdict::Violated] {
        let certificate = Certificate { verdict, ..holds(&graph) };
        assert!(refusal(&certificate, &graph).contains("cannot be re-checked"));
    }
    let empty = Certificate { evidence: Evidence::Paths(Vec::new()), ..violated(&graph) };
    assert!(refusal(&empty, &graph).contains("without a path"));
}

#[test]
fn what_the_policy_said_must_fit_the_graphs() {
    let graph = graph();
    let carried = Certificate { carried: vec![("x".into(), "y".into())], ..holds(&graph) };
    assert!(refusal(&carried, &graph).contains("in none of the graphs"));
    let names = Certificate { names: vec!["a".into(), "b".into()], ..holds(&graph) };
    assert!(refusal(&names, &graph).contains("one name for each graph"));
    let edge = |hop| crate::verdict::CertificateEdge {
        from: (0, "result.desires".into()),
        to: (0, "params.beliefs".into()),
        hop,
    };
    let linked = Certificate { edges: vec![edge(Hop::Link)], ..holds(&graph) };
    assert!(refusal(&linked, &graph).contains("output 1 is labelled, input 0 is not"));
    let strange = Certificate { edges: vec![edge(Hop::Data)], ..holds(&graph) };
    assert!(refusal(&strange, &graph).contains("does not fit"));
}

#[test]
fn a_path_must_be_one() {
    let graph = graph();
    let with = |change: &dyn Fn(&mut Witness)| {
        let mut certificate = violated(&graph);
        if let Evidence::Paths(paths) = &mut certificate.evidence {
            change(&mut paths[0]);
        }
        refusal(&certificate, &graph)
    };
    assert_eq!(with(&|_| {}), "accepted");
    assert!(with(&|witness| witness.path[0].value = 1).contains("no source"));
    assert!(with(&|witness| witness.path[1].value = 2).contains("does not depend"));
    assert!(with(&|witness| witness.path[1].value = 99).contains("no such value"));
    assert!(with(&|witness| witness.path[1].graph = 1).contains("no such graph"));
    assert!(with(&|witness| witness.path[1].hop = Hop::Opaque).contains("opaque"));
    assert!(with(&|witness| witness.path[1].hop = Hop::Carried).contains("no such edge"));
    assert!(with(&|witness| witness.path[1].hop = Hop::Enter).contains("parameter"));
    assert!(with(&|witness| witness.path[1].hop = Hop::Leave).contains("no call"));
    assert!(with(&|witness| witness.path[1].op = "stablehlo.tanh".into()).contains("described wrongly"));
    assert!(with(&|witness| witness.path[0].r#type = "tensor<f32>".into()).contains("another type"));
    assert!(with(&|witness| witness.sink = "result.beliefs".into()).contains("no sink of this path"));
    assert!(with(&|witness| witness.route = Route::Carried).contains("route"));
    assert!(with(&|witness| witness.path.clear()).contains("there is none"));
    assert!(with(&|witness| witness.path.truncate(1)).contains("does not arrive"));
    assert!(with(&|witness| witness.sinks_reached = 2).contains("counts"));
}

#[test]
fn a_path_through_an_opaque_operation_is_no_evidence() {
    let mut builder = GraphBuilder::new("step");
    let input = builder.input("params.beliefs", "tensor<4xf32>");
    let score = builder.scope("probe", |builder| builder.add(OperationKind::Tanh, &[input]));
    let next = builder.add_typed("stablehlo.custom_call", &[score], &["tensor<4xf32>"], Vec::new())[0];
    builder.output("result.desires", next);
    let graph = builder.finish().expect("a graph");
    let mut certificate = violated(&graph);
    if let Evidence::Paths(paths) = &mut certificate.evidence {
        paths[0].path[0].value = 1;
        paths[0].path[1].value = 2;
        paths[0].path[1].op = "stablehlo.custom_call".into();
        paths[0].path[2].value = 2;
    }
    assert!(refusal(&certificate, &graph).contains("opaque"));
}
