//! `explain`, `completions` and `--help`.

use super::*;

const COMMANDS: [&str; 9] =
    ["check", "inspect", "init", "verify", "explain", "completions", "test", "replay", "budget"];

#[test]
fn explain_has_a_page_for_every_code_that_it_lists() {
    let folder = Folder::new();
    let list = folder.run(&["explain"]).ends(0).quietly().out;
    let codes: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.len() >= 10 && codes.contains(&"OL100"), "{list}");
    for code in codes {
        let answer = folder.run(&["explain", code]).ends(0).quietly();
        assert!(answer.out.starts_with(&format!("# {code}: ")), "{}", answer.said);
        let answer = answer.finds(&["## What it finds", "## Why it matters", "## Example", "## How to repair it"]);
        assert_eq!(folder.run(&["explain", &code.to_lowercase()]).ends(0).out, answer.out);
    }
}

#[test]
fn a_code_that_there_is_not_is_answered_with_those_that_there_are() {
    let folder = Folder::new();
    for code in ["OL999", "100", ""] {
        folder.run(&["explain", code]).ends(2).complains(&["there is no code", "OL100", "OL500"]);
    }
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let answer = folder.run(&["completions", shell]).ends(0).quietly();
        answer.finds(&["openloop", "certificate", "carried"]).finds(&COMMANDS);
    }
}

#[test]
fn the_help_of_every_command_has_examples_and_exit_codes() {
    let folder = Folder::new();
    for command in COMMANDS {
        let answer = folder.run(&[command, "--help"]).ends(0).quietly();
        let example = format!("  openloop {command}");
        let answer = answer.finds(&["Usage: openloop", "Examples\n", &example, "Exit codes: 0 ", "; 2 "]);
        assert_eq!(folder.run(&["help", command]).ends(0).out, answer.out);
        let short = folder.run(&[command, "-h"]).ends(0).quietly();
        assert!(short.out.lines().count() < answer.out.lines().count(), "{}", short.said);
        for line in answer.out.lines() {
            assert!(line.chars().count() <= 120, "{command}: {line}");
        }
    }
    folder.run(&["verify", "--help"]).finds(&["3 something is refused"]);
    folder.run(&["check", "--help"]).finds(&["1 violated", "3 vacuous or undetermined", "scope:GLOB"]);
}

#[test]
fn the_first_help_says_how_to_begin_and_names_every_command() {
    let folder = Folder::new();
    let answer = folder.run(&["--help"]).ends(0).quietly().finds(&COMMANDS);
    answer.finds(&[
        "as_text(debug_info=True)",
        "openloop check step.mlir --source",
        "Exit codes: 0 all hold; 1 violated",
    ]);
    folder.run(&["--version"]).ends(0).quietly().finds(&[&format!("openloop {}\n", env!("CARGO_PKG_VERSION"))]);
    // Help that nobody asked for is a complaint.
    let answer = folder.run(&[]);
    assert!(answer.code == 2 && answer.out.is_empty(), "{}", answer.said);
    answer.complains(&COMMANDS);
}
