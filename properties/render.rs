//! What a user sees: reports at a terminal and for machines, errors in files, the contents of a graph.

mod amounts;
mod fakes;
pub(crate) mod schema;

use insta::assert_snapshot;
use openloop::graph::{GraphBuilder, OperationKind, PairingOverride, TrainingGraph};
use openloop::render::{self, InspectOptions, NoSource, TerminalOptions, code, text};
use openloop::rules;
use openloop::verdict::RunReport;

fn shown(report: &RunReport, verbose: bool) -> String {
    let options = TerminalOptions { color: false, verbose, width: 100 };
    render::terminal::report(report, &options, &fakes::Lines)
}

/// For looking at: `OPENLOOP_ANSI=DIR cargo test` writes each report in colour.
fn look(name: &str, report: &RunReport) {
    if let Some(directory) = std::env::var_os("OPENLOOP_ANSI") {
        let options = TerminalOptions { color: true, verbose: false, width: 100 };
        let text = render::terminal::report(report, &options, &fakes::Lines);
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.ansi")), text).expect("it can be written");
    }
}

#[test]
fn reports_read_at_once() {
    for (name, report) in fakes::all() {
        look(name, &report);
        assert_snapshot!(name, shown(&report, false));
    }
}

#[test]
fn verbose_shows_every_operation() {
    let report = fakes::missed_stop_gradient();
    let verbose = shown(&report, true);
    for invariant in &report.invariants {
        for step in &invariant.witness {
            assert!(
                verbose.contains(step.op.trim_start_matches("stablehlo.").trim_start_matches("func.")),
                "{}",
                step.op
            );
        }
    }
    assert_snapshot!("shared_clip_verbose", shown(&fakes::shared_clip(), true));
}

#[test]
fn the_same_path_is_not_printed_twice() {
    let text = shown(&fakes::shared_clip(), false);
    assert_eq!(text.matches("is made here").count(), 1);
    assert!(text.contains("run:       violated by the same path"), "{text}");
    let mut report = fakes::shared_clip();
    report.invariants[1].sinks_reached += 1; // no twin any more, but the path is still the same
    let text = shown(&report, false);
    assert_eq!(text.matches("is made here").count(), 1);
    assert!(text.contains("path       the one shown above for `step`"), "{text}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    for (name, report) in fakes::all() {
        for width in [40, 57, 80, 100, 200] {
            for verbose in [false, true] {
                let options = TerminalOptions { color: false, verbose, width };
                let text = render::terminal::report(&report, &options, &fakes::Lines);
                for line in text.lines() {
                    assert!(text::width(line) <= width, "{name} at {width}: {line}");
                }
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour_and_no_input_can_add_any() {
    for (name, report) in fakes::all() {
        let show =
            |color| render::terminal::report(&report, &TerminalOptions { color, verbose: true, width: 90 }, &NoSource);
        let (plain, coloured) = (show(false), show(true));
        assert!(!plain.chars().any(|character| character.is_control() && character != '\n'), "{name}");
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            stripped.push_str(before);
            rest = after.split_once('m').expect("every escape sets a style").1;
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain, "{name}");
    }
}

#[test]
fn every_code_that_is_shown_has_a_page() {
    // The other pages are of mechanisms: to recognise one takes more than the shape of a verdict.
    let of_verdicts = rules::RULES.iter().filter(|rule| rule.channels.is_empty());
    let pages: Vec<&str> = of_verdicts.map(|rule| rule.code).collect();
    assert_eq!(pages, code::ALL);
    for (name, report) in fakes::all() {
        for found in shown(&report, true).split("[OL").skip(1) {
            let code = format!("OL{}", &found[..3]);
            assert!(pages.contains(&code.as_str()) || code::mechanism(&code).is_some(), "{name}: {code}");
        }
    }
}

#[test]
fn a_mechanism_is_called_as_its_page_calls_it() {
    assert!(code::MECHANISMS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    for rule in rules::RULES {
        let name = code::mechanism(rule.code);
        assert!(name.is_none_or(|name| name == rule.name), "{} is {}", rule.code, rule.name);
        assert!(name.is_none() || !code::ALL.contains(&rule.code), "{} is of a verdict and of a mechanism", rule.code);
    }
}

#[test]
fn the_amount_is_said_once_if_all_groups_get_the_same() {
    let text = shown(&amounts::clip(), false);
    for once in [
        "violated[OL110] shared-clip: ",
        "at most 32 bits per step: exactly the least cut",
        "32 bits  train/step.py:53  sqrt",
    ] {
        assert_eq!(text.matches(once).count(), 1, "{once}\n{text}");
    }
    assert!(
        text.contains("run:       violated by the same path") && text.contains("`openloop explain OL110`"),
        "{text}"
    );
    assert!(!text.contains("told apart"), "{text}");
}

#[test]
fn groups_that_differ_say_what_gets_into_each() {
    let text = shown(&amounts::beyond(), false);
    for says in [
        "beyond its bounds",
        "bounds     max_channel = \"timing\", max_bits_per_step = 1",
        "channel    content (into result.1.mu.beliefs): a product with a mask",
        "the best cut found, the least may be smaller",
        "only if    the masked value is inf or NaN: use `jnp.where`, or grant `assume = [\"finite\"]`",
        "24 of 24 reached  content  at most 12,288 bits  OL123  carried",
        "24 of 24 reached  scale    no bound             OL100  in 16 operations",
        "into result.1.nu.beliefs",
        "and 3 values more, 3,438 bits in all",
        "`openloop explain OL110` and `openloop explain OL123`",
        "Parts of tensors were not told apart",
        "10 cuts, the best found, at least 2 needed; not verified",
        "and 2 more (`--verbose` shows them)",
    ] {
        assert!(text.contains(says), "`{says}` is not in\n{text}");
    }
    let verbose = shown(&amounts::beyond(), true);
    assert!(!verbose.contains("values more") && !verbose.contains("and 2 more"), "{verbose}");
}

#[test]
fn kept_bounds_are_no_denial() {
    let text = shown(&amounts::within(), false);
    for says in [
        "holds within its bounds: scale, at most 32 bits per step, from `probe_reward` to `beliefs`",
        "checked    24 of 72 sinks reached from 23",
        "holds: nothing from `probe_reward` reaches `beliefs` over any number of steps",
        "bounds     max_bits_per_step = 1\n",
        "bounds     max_channel = \"selection\"\n",
    ] {
        assert!(text.contains(says), "`{says}` is not in\n{text}");
    }
}

#[test]
fn what_cannot_be_repaired_is_not_advised() {
    let text = shown(&amounts::hopeless(), false);
    assert_eq!(text.matches("No repair: one parameter set is both boxes.").count(), 2, "{text}");
    assert_eq!(text.matches("this is not proved").count(), 1, "{text}");
    let says = "No repair was found within the limits; any has at least 3 cuts.";
    assert_eq!(text.matches(says).count(), 1, "{text}");
    // Where none was found, the place to look first; where there is none, nothing of the kind.
    assert_eq!(text.matches("Every path passes").count() + text.matches("The path passes").count(), 1, "{text}");
    // The path is shown above, and what the run needs beyond the step is not.
    assert!(text.contains("path       the one shown above for `step`") && text.contains("split the state"), "{text}");
}

#[test]
fn reports_and_graphs_have_the_layout_of_their_schemas() {
    let report = schema::Schema::read(include_str!("../fixtures/schema/report.schema.json"));
    for (name, fake) in fakes::all().into_iter().chain([("certified", schema::certified())]) {
        let text = render::json::report(&fake);
        report.check(name, &text);
        let again: RunReport = serde_json::from_str(&text).expect("a report reads itself back");
        assert_eq!(render::json::report(&again), text, "{name}");
    }
    let graph = schema::Schema::read(include_str!("../fixtures/schema/graph.schema.json"));
    graph.check("small", &small_graph().to_json());
    graph.check("attributes", &schema::graph_with_every_attribute().to_json());
}

#[test]
fn schemas_refuse_what_is_not_in_them() {
    let report = schema::Schema::read(include_str!("../fixtures/schema/report.schema.json"));
    let text = render::json::report(&fakes::shared_clip());
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"violated\"", "\"maybe\""),
        ("\"sources\":", "\"origins\":"),
        ("\"hop\": \"source\"", "\"hop\": 3"),
        ("\"confirmed\": \"untested\"", "\"confirmed\": null"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(report.errors(&text.replacen(from, to, 1)).is_some(), "{to} is accepted");
    }
}

/// A transformer of three layers, as small as it gets.
fn small_graph() -> TrainingGraph {
    let mut b = GraphBuilder::new("jit_train_step");
    let mut weights = Vec::new();
    for layer in 0..3 {
        for leaf in ["b", "w"] {
            let r#type = if leaf == "b" { "tensor<32xf32>" } else { "tensor<32x32xf32>" };
            let name = format!("beliefs.layers.{layer}.{leaf}");
            weights.push((b.input(format!("params.{name}").as_str(), r#type), name));
        }
    }
    let desires = b.input("params.desires.w", "tensor<32xf32>");
    let probe = b.input("probe.w", "tensor<32xf32>");
    b.at("train/step.py", 24);
    let score = b.scope("jvp(probe_reward)", |b| b.add(OperationKind::Multiply, &[probe, desires]));
    let back = b.scope("transpose(jvp(probe_reward))", |b| b.add(OperationKind::Multiply, &[score, probe]));
    let desires = b.at("train/step.py", 55).add(OperationKind::Add, &[desires, back]);
    for (weight, name) in weights {
        let moved = b.scope("update/beliefs", |b| b.add(OperationKind::Negate, &[weight]));
        b.output(format!("result.0.{name}").as_str(), moved);
    }
    b.output("result.0.desires.w", desires);
    b.output("result.1.loss", score);
    b.finish().expect("the graph is valid")
}

#[test]
fn inspect_shows_what_a_selector_can_name() {
    let graph = small_graph();
    let pairs = graph.carried_pairs(&PairingOverride::default()).expect("one pairing");
    let show = |tree| {
        let options = InspectOptions { color: false, tree, width: 100 };
        render::inspect(&graph, "step.mlir", Ok(&pairs), &options)
    };
    assert_snapshot!("inspect", show(false));
    assert_snapshot!("inspect_tree", show(true));
    assert_snapshot!("inspect_json", render::inspect_json(&graph, "step.mlir", Ok(&pairs)));
}

#[test]
fn an_undecided_pairing_is_shown_and_not_hidden() {
    let graph = small_graph();
    let error = openloop::graph::PairingError::Ambiguous {
        input: fakes::path("params"),
        candidates: vec![fakes::path("result.0"), fakes::path("result.3")],
    };
    let shown = render::inspect(&graph, "step.mlir", Err(&error), &InspectOptions::default());
    assert!(shown.contains("undecided: it is not clear which output becomes `params`"), "{shown}");
    assert!(render::inspect_json(&graph, "s", Err(&error)).contains("\"pairing_error\": \"it is not clear"));
}

#[test]
fn an_error_in_a_file_points_at_it() {
    let policy = "version = 1\n\n[[invariant]]\nname = \"probe-stays-out\"\nform = [\"scope:probe_reward\"]\n";
    let start = policy.find("form").expect("it is there");
    let help = Some("did you mean `from`?");
    let show = |color| {
        render::input_error("unknown key `form`", "openloop.toml", policy, start..start + 4, "no such key", help, color)
    };
    assert_snapshot!("input_error", show(false));
    let line = format!("    %7 = stablehlo.dense<\"{}\"> oops {} : tensor<1xf32>", "00".repeat(300), "11".repeat(300));
    let start = line.find("oops").expect("it is there");
    let long = format!("module {{\n{line}\n}}\n");
    let start = start + "module {\n".len();
    assert_snapshot!(
        "input_error_long_line",
        render::input_error("expected `:`", "step.mlir", &long, start..start + 4, "found a word", None, false)
    );
}
