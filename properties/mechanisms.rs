//! Which code a violation gets: on the examples of the pages exactly that of the page, elsewhere what was judged right.

use std::path::Path;

use openloop::flow::explain::{Channels, leak_path};
use openloop::flow::refined::{Assumed, Question, Refined, refine};
use openloop::flow::{Crossings, Phases, Port, Sources, System};
use openloop::graph::{PairingOverride, PytreePath, TrainingGraph};
use openloop::policy::Selector;
use openloop::rules::{Evidence, RULES, mechanism};
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
    let sinks = outputs(graph, sinks);
    let phases = [Phases::new(graph)];
    [Within::Step, Within::Run].map(|within| {
        let ask = |finite| -> Refined {
            let assumed = Assumed { finite, binary: Vec::new() };
            let counted = Crossings::within(within);
            let question = Question { sources: &sources, counted, assumed: &assumed, ends: &sinks, cut: &[] };
            refine(&system, &question).expect("within the bounds")
        };
        let refined = ask(false);
        let leak = &refined.leak;
        let mut channels = Channels::new(&system, leak, &sinks, &data);
        let next = |sink: &Port| pairs.pairs.iter().find(|pair| pair.output == sink.position).map(|pair| pair.input);
        let reached = sinks.iter().filter(|sink| refined.output(**sink).is_some());
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
            sinks: &sinks,
            sink: *sink,
            channel,
            path: &path,
            route: if crosses { Route::Carried } else { Route::Step },
            phases: &phases,
            holds_if_finite: sinks.iter().all(|sink| if_finite.output(*sink).is_none()),
        };
        Some(mechanism(&evidence).code)
    })
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&corpus::bytes(path)).expect("JSON")
}

fn mechanisms() -> impl Iterator<Item = &'static str> {
    RULES.iter().filter(|rule| !rule.channels.is_empty()).map(|rule| rule.code)
}

/// A rule without an example does not pass: its files are read.
#[test]
fn the_example_of_every_page_is_named_by_its_own_code_and_its_clean_twin_by_none() {
    for code in mechanisms() {
        let folder = corpus::root().join("fixtures/rules").join(code);
        let truth = json(&folder.join("truth.json"));
        let of = |kind: &str| {
            let sinks = truth[kind]["sinks"].as_str().expect("sinks");
            named(&corpus::graph(&folder.join(format!("{kind}.mlir"))), &truth[kind], sinks)
        };
        let [step, run] = of("leak");
        assert_eq!(run, Some(code));
        assert!(step.is_none() || step == Some(code), "{code}: {step:?} in one step");
        assert_eq!(of("clean"), [None, None], "{code}: the clean twin holds, and there is nothing to name");
    }
}

/// Matchers look at operations, never at what a user calls things.
#[test]
fn the_names_of_parameters_have_no_say() {
    let renamed = |text: &str| text.replace("beliefs", "desirous").replace("desires", "believer");
    for code in mechanisms() {
        let folder = corpus::root().join("fixtures/rules").join(code);
        let truth = &json(&folder.join("truth.json"))["leak"];
        let text = String::from_utf8(corpus::bytes(&folder.join("leak.mlir"))).expect("text");
        let graph = openloop::capture::read(renamed(&text).as_bytes()).expect("a graph");
        let sinks = renamed(truth["sinks"].as_str().expect("sinks"));
        assert_eq!(named(&graph, truth, &sinks)[1], Some(code));
    }
}

/// The violations of the fixtures and captures: the code within one step and within a run; "" where it holds.
const JUDGED: &[(&str, &str, &str)] = &[
    ("a2_probe_direct", "OL113", "OL113"),
    ("a_naive_grpo", "OL114", "OL114"),
    ("b2_no_stopgrad", "OL112", "OL112"),
    ("c_shared_clip", "OL110", "OL110"),
    ("d_routing_where", "", "OL101"),
    ("e2_prio_td_state", "", "OL118"),
    ("apply_if_finite", "OL111", "OL111"),
    ("at_set_leak", "OL100", "OL100"),
    ("cond_on_score", "OL100", "OL100"),
    ("custom_vjp_probe", "OL113", "OL113"),
    ("differentiable_probe_loss", "OL113", "OL113"),
    ("ensemble_leak", "OL112", "OL112"),
    ("filtered_argsort", "OL118", "OL118"),
    ("filtered_iota", "OL114", "OL114"),
    ("filtered_table", "OL114", "OL114"),
    ("filtered_topk", "OL118", "OL118"),
    ("fused_qkv_leak", "OL112", "OL112"),
    ("gate_per_row", "OL100", "OL100"),
    ("gate_two_candidates", "OL100", "OL100"),
    ("gather_constant_leak", "OL100", "OL100"),
    ("loss_scaler", "OL111", "OL111"),
    ("missed_stop_gradient", "OL112", "OL112"),
    ("mixed_batch_multiply", "OL123", "OL123"),
    ("mixed_batch_multiply_leak", "OL112", "OL112"),
    ("mixed_batch_slices_leak", "OL112", "OL112"),
    ("mixed_batch_where", "", "OL123"),
    ("mixed_batch_where_leak", "OL112", "OL112"),
    ("momentum_zeroed_grad", "", "OL117"),
    ("naive_grpo", "OL114", "OL114"),
    ("plateau_freeze", "", "OL101"),
    ("prioritised_replay", "", "OL118"),
    ("probe_in_scan_leak", "OL113", "OL113"),
    ("python_jit_probe_leak", "OL113", "OL113"),
    ("ravelled_clip", "OL110", "OL110"),
    ("ravelled_leak", "OL112", "OL112"),
    ("rng_key_folded", "", "OL119"),
    ("routing_binary", "OL112", "OL112"),
    ("routing_carried_trace", "", "OL114"),
    ("routing_compare", "OL123", "OL123"),
    ("routing_compare_integer", "OL123", "OL123"),
    ("routing_compare_nan", "OL112", "OL112"),
    ("routing_complement", "OL112", "OL112"),
    ("routing_multiply", "OL123", "OL123"),
    ("routing_multiply_complement", "OL112", "OL112"),
    ("routing_previous_mask", "OL112", "OL112"),
    ("routing_residual", "OL112", "OL112"),
    ("routing_score_mask", "OL118", "OL118"),
    ("routing_unmasked_bias", "OL112", "OL112"),
    ("routing_unmasked_embedding", "OL112", "OL112"),
    ("routing_where", "OL123", "OL123"),
    ("routing_where_strict", "", "OL123"),
    ("scale_add", "OL100", "OL100"),
    ("scale_advantage", "OL114", "OL114"),
    ("scale_bitcast", "OL100", "OL100"),
    ("scale_other_norm", "OL100", "OL100"),
    ("scale_own_norm", "OL110", "OL110"),
    ("scale_signed", "OL100", "OL100"),
    ("scan_remat_leak", "OL112", "OL112"),
    ("scope_ends_add", "OL113", "OL113"),
    ("scope_ends_convert", "OL113", "OL113"),
    ("scope_ends_reshape", "OL113", "OL113"),
    ("select_constant_leak", "OL114", "OL114"),
    ("shared_clip", "OL110", "OL110"),
    ("shared_key", "OL119", "OL119"),
    ("single_state", "", "OL101"),
    ("sort_rows_leak", "OL118", "OL118"),
    ("stacked_layers_flag_leak", "OL112", "OL112"),
    ("stacked_layers_scan_leak", "OL112", "OL112"),
    ("stacked_rows_leak", "OL112", "OL112"),
    ("tied_embedding", "OL115", "OL115"),
    ("token_routing_multiply", "OL123", "OL123"),
    ("token_routing_where", "OL123", "OL123"),
    ("token_routing_where_leak", "OL112", "OL112"),
    ("update_slice_leak", "OL112", "OL112"),
    ("while_on_score", "OL100", "OL100"),
    ("zero_inside_scope", "OL114", "OL114"),
    ("zero_stack_leak", "OL114", "OL114"),
    ("zeros_times", "OL123", "OL123"),
];

/// Nothing is assumed here, so a step that holds under `finite` alone is named by what then gets through.
#[test]
fn the_violations_of_real_steps_are_named_as_judged() {
    let mut found = Vec::new();
    for step in corpus::steps() {
        let name = corpus::name(&step);
        let graph = corpus::graph(&step.join("step.mlir"));
        let truth = json(&step.join("truth.json"));
        // The sinks of the captures are described in their README: the belief parameters.
        let sinks = truth["sinks"].as_str().unwrap_or(match name.as_bytes()[0] {
            b'a' => "output:result.0.**",
            b'e' => "output:result.0.params.beliefs.**",
            _ => "output:result.0.beliefs.**",
        });
        let [step, run] = named(&graph, &truth, sinks);
        if step.is_some() || run.is_some() {
            found.push((name, step.unwrap_or(""), run.unwrap_or("")));
        }
    }
    let found: Vec<_> = found.iter().map(|(name, step, run)| (&**name, *step, *run)).collect();
    let judged: Vec<_> = JUDGED.to_vec();
    let one_side = found.iter().filter(|it| !judged.contains(it)).chain(judged.iter().filter(|it| !found.contains(it)));
    let one_side: Vec<String> = one_side.map(|it| format!("{it:?}")).collect();
    assert!(found == judged, "only on one side: {one_side:?}");
}
