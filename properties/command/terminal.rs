//! Colours, closed pipes, and inputs that would play with the terminal.

use openloop::graph::{GraphBuilder, OperationKind, PytreePath};

use super::*;

fn has_color(text: &str) -> bool {
    text.contains("\u{1b}[")
}

#[test]
fn color_is_for_terminals_unless_it_is_asked_for() {
    let folder = Folder::new();
    for arguments in [&["inspect", &step(CLEAN)][..], &["check", &step(LEAK), "--source", SOURCE, "--sink", SINK]] {
        let run = |settings: &[(&str, &str)], color: &str| {
            let more: &[&str] = if color.is_empty() { &[] } else { &["--color", color] };
            has_color(&folder.run_in(settings, &[arguments, more].concat()).quietly().out)
        };
        let (force, no) = (("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1"));
        assert!(!run(&[], "") && !run(&[], "auto") && !run(&[], "never"));
        assert!(run(&[], "always") && run(&[no], "always"));
        assert!(run(&[force], "") && run(&[force], "auto") && !run(&[force], "never"));
        assert!(!run(&[force, no], "") && !run(&[force, no], "auto") && !run(&[no], "auto"));
    }
    folder.run(&["inspect", &step(CLEAN), "--color", "sometimes"]).ends(2);
}

#[test]
fn color_is_never_in_json_nor_in_a_file_unless_it_is_asked_for() {
    let folder = Folder::new();
    let force = [("CLICOLOR_FORCE", "1")];
    let check = ["check", &step(LEAK), "--source", SOURCE, "--sink", SINK];
    let run = |more: &[&str]| folder.run_in(&force, &[&check[..], more].concat()).ends(1).quietly().out;
    assert!(has_color(&run(&[])) && !has_color(&run(&["--format", "json", "--color", "always"])));
    run(&["-o", "plain"]);
    run(&["-o", "coloured", "--color", "always"]);
    assert!(!has_color(&folder.read("plain")) && has_color(&folder.read("coloured")));
}

#[test]
fn what_color_says_is_said_of_errors_too() {
    let folder = Folder::new();
    folder.write("bad.mlir", "module {").write("p.toml", "version = 2\n");
    let force = [("CLICOLOR_FORCE", "1")];
    for arguments in [&["inspect", "bad.mlir"][..], &["check", "bad.mlir", "--policy", "p.toml"]] {
        let run = |settings: &[(&str, &str)], color: &str| {
            has_color(&folder.run_in(settings, &[arguments, &["--color", color]].concat()).ends(2).err)
        };
        assert!(run(&force, "auto") && run(&[], "always"), "{arguments:?}");
        assert!(!run(&[], "auto") && !run(&force, "never"), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error_and_changes_no_exit_code() {
    let folder = Folder::new();
    let (clean, leak) = (step(CLEAN), step(LEAK));
    folder.check(&clean, &["--certificate", "proof.json"]).ends(0);
    for (arguments, code) in [
        (&["check", &leak, "--source", SOURCE, "--sink", SINK][..], 1),
        (&["check", &leak, "--source", SOURCE, "--sink", SINK, "--format", "json"], 1),
        (&["inspect", &clean, "--graph"], 0),
        (&["init", &clean], 0),
        (&["verify", "proof.json", &clean], 0),
        (&["explain"], 0),
        (&["completions", "bash"], 0),
        (&["--help"], 0),
        (&["check", "--help"], 0),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = folder.command(arguments);
        let answer = command.stdout(writer).stderr(Stdio::piped()).spawn().and_then(|run| run.wait_with_output());
        let answer = answer.expect("the binary runs");
        assert_eq!((answer.status.code(), &*answer.stderr), (Some(code), &b""[..]), "{arguments:?}");
    }
    // Nor is one that does not hear the errors.
    for arguments in [&["inspect", "nowhere"][..], &["nonsense"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = folder.command(arguments).stdout(Stdio::null()).stderr(writer).status();
        assert_eq!(status.expect("the binary runs").code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn columns_say_how_wide_a_page_is() {
    let folder = Folder::new();
    let width = |columns: &str| {
        let answer = folder.run_in(&[("COLUMNS", columns)], &["inspect", &step(CLEAN), "--tree"]).ends(0);
        answer.out.lines().map(|line| line.chars().count()).max().expect("there are lines")
    };
    assert!(width("60") <= 60 && width("120") <= 120 && width("not a number") <= 100);
}

/// Nothing of this may come to a terminal as it is.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{8}\r";

#[track_caller]
fn is_tame(answer: Answer) -> Answer {
    for text in [&answer.out, &answer.err] {
        let wild = text.chars().find(|character| {
            (character.is_control() && *character != '\n') || ('\u{202a}'..='\u{202e}').contains(character)
        });
        assert_eq!(wild, None, "{}", answer.said.escape_debug());
    }
    answer
}

/// A graph in which everything that has a name has a hostile one. `twins`: two outputs could be the next parameters.
fn hostile_graph(twins: bool) -> String {
    let name = |word: &str| format!("{word}{HOSTILE}");
    let mut b = GraphBuilder::new(&name("step"));
    let path =
        |root: &[&str], word: &str| PytreePath::new(root.iter().map(|root| root.to_string()).chain([name(word)]));
    let beliefs = b.input(path(&["params"], "beliefs"), "tensor<8xf32>");
    let desires = b.input(path(&["params"], "desires"), "tensor<8xf32>");
    b.at(&name("train.py"), 3);
    let score = b.scope(&name("probe_reward"), |b| b.add(OperationKind::Tanh, &[beliefs]));
    let opaque = b.add_typed(&name("somebody.operation"), &[score], &["tensor<8xf32>"], Vec::new())[0];
    let moved = b.add(OperationKind::Add, &[desires, opaque]);
    let leaked = b.scope(&name("loss"), |b| b.add(OperationKind::Add, &[beliefs, score]));
    for root in if twins { &["0", "1"][..] } else { &["0"] } {
        b.output(path(&["result", root], "beliefs"), leaked);
        b.output(path(&["result", root], "desires"), moved);
    }
    b.finish().expect("names may be anything").to_json()
}

#[test]
fn names_in_a_graph_put_no_escape_codes_on_a_terminal() {
    let folder = Folder::new();
    folder.write("step.json", hostile_graph(false)).write("twins.json", hostile_graph(true));
    let check = |file: &str, source: &str, sink: &str, more: &[&str]| {
        is_tame(folder.run(&[&["check", file, "--source", source, "--sink", sink], more].concat()))
    };
    let proof = ["--verbose", "--certificate", "proof.json"];
    check("step.json", "scope:probe*", "output:**", &proof).ends(1).finds(&["violated", "\\u{1b}"]);
    check("step.json", "scope:probe*", "output:**.desires*", &["--within", "step"]).ends(3).finds(&["undetermined"]);
    check("step.json", "scope:prob", "output:**.belief", &[]).ends(3).finds(&["vacuous", "nearest"]);
    check("step.json", &format!("scope:{HOSTILE}"), "output:**", &[]).ends(3);
    check("twins.json", "scope:probe*", "output:**", &[]).ends(2).complains(&["it is not clear"]);
    check("twins.json", "scope:probe*", "output:**", &["--carried", &format!("result.0={HOSTILE}")]).ends(2);
    is_tame(folder.run(&["verify", "proof.json", "step.json"])).ends(0).finds(&["accepted"]);
    is_tame(folder.run(&["verify", "proof.json", "twins.json"])).ends(3).finds(&["refused"]);
    for file in ["step.json", "twins.json"] {
        is_tame(folder.run(&["inspect", file])).ends(0);
        is_tame(folder.run(&["inspect", file, "--tree"])).ends(0);
        is_tame(folder.run(&["init", file])).ends(0);
    }
    folder.write("cut.json", hostile_graph(false).replace("\"types\"", "\"ty\\u001b[2J\""));
    is_tame(folder.run(&["inspect", "cut.json"])).ends(2);
    folder.write("cut.json", hostile_graph(false).replace("tensor<8xf32>", "tensor<\\u001b[2J>"));
    is_tame(folder.run(&["inspect", "cut.json"])).ends(2);
}

#[test]
fn names_in_text_and_in_policies_put_no_escape_codes_on_a_terminal() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(step(LEAK)).expect("it is there");
    folder.write("step.mlir", text.replace("probe_reward", "probe_reward\\1B[2J\\07\\C2\\9B"));
    let check = ["check", "step.mlir", "--source", "scope:probe*", "--sink", SINK, "--verbose"];
    is_tame(folder.run(&check)).ends(1).finds(&["violated", "probe_reward"]);
    is_tame(folder.run(&["inspect", "step.mlir", "--tree"])).ends(0).finds(&["probe_reward"]);
    is_tame(folder.run(&["init", "step.mlir"])).ends(0).finds(&["probe_reward"]);
    folder.write("bad.mlir", format!("module {{ {HOSTILE} }}"));
    is_tame(folder.run(&["inspect", "bad.mlir"])).ends(2);
    let named = policy("within = \"run\"\n").replace("\"out\"", "\"out\\u001b[2J\"");
    folder.write("p.toml", &named);
    is_tame(folder.run(&["check", &step(LEAK), "--policy", "p.toml"])).ends(1).finds(&["out\\u{1b}"]);
    folder.write("p.toml", named + "[[graph]]\nname = \"g\"\nfile = \"nowhere\\u001b[2J\"\n");
    is_tame(folder.run(&["check", "--policy", "p.toml"])).ends(2).complains(&["cannot read nowhere"]);
}
