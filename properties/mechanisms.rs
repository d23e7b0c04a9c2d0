//! Which code a violation gets: on the examples of the pages exactly that of the page, elsewhere what was judged right.

use openloop::flow::explain::{Channels, leak_path};
use openloop::flow::refined::{Assumed, Question, Refined, refine};
use openloop::flow::{Crossings, Phases, Port, SinkGroup, Sources, System};
use openloop::graph::{PairingOverride, PytreePath, TrainingGraph};
use openloop::policy::Selector;
use openloop::rules::{Evidence, mechanism};
use openloop::verdict::{Channel, Route, Within};
use serde_json::Value;

use super::corpus;

fn outputs(graph: &TrainingGraph, selector: &str) -> Vec<Port> {
    let found = Selector::parse(selector).expect("a selector").resolve(graph).outputs;
    found.into_iter().map(|position| Port { graph: 0, position }).collect()
}

/// What is declared of carried values, as far as both ends are in this graph.
fn declared(graph: &TrainingGraph, truth: &Value) -> PairingOverride {
    let mut declared = PairingOverride::default();
    if graph.carried_pairs(&declared).is_err() {
        let end = |pair: &Value, end: &str| PytreePath::parse(pair[end].as_str().expect("a path"));
        let pairs = truth["carried"].as_array().into_iter().flatten();
        declared.pairs.extend(pairs.map(|pair| (end(pair, "output"), end(pair, "input"))));
    }
    declared
}

/// The code of the violation within one step and within a run, as the report would ask for it; none where all holds.
fn named(graph: &TrainingGraph, truth: &Value, sinks: &str) -> [Option<&'static str>; 2] {
    let mut sources = Sources::default();
    let scope = format!("scope:{}", truth["source_scope"].as_str().expect("a scope"));
    let found = Selector::parse(&scope).expect("a selector").resolve(graph);
    sources.add(0, found.operations, found.inputs);
    let mut system = System::new([graph]);
    let pairs = graph.carried_pairs(&declared(graph, truth)).expect("one pairing");
    system.carry(0, &pairs);
    let texts = |key: &str| truth[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let data: Vec<Port> = texts("data")
        .into_iter()
        .flat_map(|text| Selector::parse(text).expect("a selector").resolve(graph).inputs)
        .map(|position| Port { graph: 0, position })
        .collect();
    let group = SinkGroup { group: PytreePath::parse("result"), sinks: outputs(graph, sinks) };
    let phases = [Phases::new(graph)];
    [Within::Step, Within::Run].map(|within| {
        let ask = |finite| -> Refined {
            let assumed = Assumed { finite, binary: Vec::new() };
            let counted = Crossings::within(within);
            let question = Question { sources: &sources, counted, assumed: &assumed, ends: &group.sinks, cut: &[] };
            refine(&system, &question).expect("within the bounds")
        };
        let refined = ask(false);
        let leak = &refined.leak;
        let mut channels = Channels::new(&system, leak, &group.sinks, &data);
        let next = |sink: &Port| pairs.pairs.iter().find(|pair| pair.output == sink.position).map(|pair| pair.input);
        let reached = group.sinks.iter().filter(|sink| refined.output(**sink).is_some());
        let all: Vec<_> = reached.map(|sink| (*sink, channels.of(*sink, next(sink)))).collect();
        let worst = all.iter().map(|(_, channel)| channel.channel).max().unwrap_or(Channel::None);
        let worst = all.iter().filter(|(_, channel)| channel.channel == worst);
        let paths = worst.filter_map(|(sink, channel)| Some((leak_path(leak, *sink)?, sink, channel)));
        let (path, sink, channel) = paths.min_by_key(|(path, ..)| path.len())?;
        let crosses = path.windows(2).any(|pair| {
            let mut edges = leak.edges.iter().filter(|edge| (edge.from, edge.to) == (pair[0], pair[1]));
            edges.any(|edge| matches!(edge.link, openloop::flow::refined::Link::Cross(..)))
        });
        let if_finite = ask(true);
        let evidence = Evidence {
            system: &system,
            leak,
            group: &group,
            sink: *sink,
            channel,
            path: &path,
            route: if crosses { Route::Carried } else { Route::Step },
            phases: &phases,
            holds_if_finite: group.sinks.iter().all(|sink| if_finite.output(*sink).is_none()),
        };
        if std::env::var("SHOW").is_ok() {
            println!("    {} {} {:?}", within.as_str(), channel.channel.as_str(), channel.reason);
            let mut line = String::new();
            for &node in &path {
                let Some(place) = leak.nodes[node as usize].place else { continue };
                if leak.nodes[node as usize].origin == openloop::flow::refined::Origin::Copied {
                    continue;
                }
                line += &match graph.value(place.value).definition {
                    openloop::graph::Definition::Result(op, _) => format!(
                        " {}{}",
                        graph.operation(op).kind.name().trim_start_matches("stablehlo."),
                        if phases[0].of(op).transposed { "'" } else { "" }
                    ),
                    openloop::graph::Definition::Argument(_, p) => format!(" ARG{p}"),
                };
            }
            println!("      {line}");
        }
        Some(mechanism(&evidence).code)
    })
}

#[test]
fn table() {
    for code in 110..=126 {
        let code = format!("OL{code}");
        let folder = corpus::root().join("fixtures/rules").join(&code);
        let truth: Value = serde_json::from_slice(&corpus::bytes(&folder.join("truth.json"))).expect("JSON");
        for kind in ["leak", "clean"] {
            let sinks = truth[kind]["sinks"].as_str().unwrap();
            let graph = corpus::graph(&folder.join(format!("{kind}.mlir")));
            println!("{code} {kind} {:?}", named(&graph, &truth[kind], sinks));
        }
    }
    if std::env::var("RULES").is_ok() {
        return;
    }
    for step in corpus::steps() {
        let name = corpus::name(&step);
        let graph = corpus::graph(&step.join("step.mlir"));
        let truth: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
        let sinks = truth["sinks"].as_str().map_or_else(
            || match name.as_bytes()[0] {
                b'a' => "output:result.0.**".into(),
                b'e' => "output:result.0.params.beliefs.**".into(),
                _ => "output:result.0.beliefs.**".into(),
            },
            str::to_string,
        );
        println!("{name} {:?}", named(&graph, &truth, &sinks));
    }
}
