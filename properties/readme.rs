//! The README tells the truth: what it shows is what the commands print.

use std::path::Path;
use std::process::Command;

use openloop::policy::FlowPolicy;
use openloop::rules::RULES;

use super::corpus;

fn readme() -> String {
    String::from_utf8(corpus::bytes(&corpus::root().join("README.md"))).expect("text")
}

/// The fenced block after a mark.
fn block<'t>(text: &'t str, mark: &str) -> &'t str {
    let (_, after) = text.split_once(mark).unwrap_or_else(|| panic!("{mark} is not in the README"));
    let after = &after[after.find("```").expect("a fence") + 3..];
    let after = &after[after.find('\n').expect("a line") + 1..];
    &after[..after.find("```").expect("the end of the fence")]
}

/// What a command of the README prints in this folder, and its exit code.
fn assert_prints(folder: &Path, command: &str, prefix: &str, shown: &str, code: i32) {
    let arguments = command.strip_prefix(prefix).expect("the command");
    let arguments: Vec<&str> = arguments.split(' ').map(|word| word.trim_matches('\'')).collect();
    let run = Command::new(env!("CARGO_BIN_EXE_openloop"))
        .args(arguments)
        .current_dir(folder)
        .env("COLUMNS", "100")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the command runs");
    assert_eq!(run.status.code(), Some(code));
    let printed = String::from_utf8(run.stdout).expect("text");
    // The README drops the spaces at the ends of lines.
    let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>();
    assert_eq!(lines(shown), lines(&printed));
}

#[test]
fn the_main_command_prints_what_the_readme_shows() {
    let text = readme();
    let (command, shown) = block(&text, "<!-- main -->").split_once('\n').expect("a command and its output");
    assert_prints(corpus::root(), command, "$ cargo run --release -- ", shown, 1);
}

#[test]
fn a_step_is_run_twice_as_the_readme_shows() {
    let text = readme();
    let (command, shown) = block(&text, "## Quick start: run the step twice").split_once('\n').expect("a command");
    // It writes a file, so it runs in a folder of its own, which has what the command names.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    for name in ["fixtures/jax/shared_clip/step.mlir", "fixtures/jax/shared_clip.py"] {
        let copy = folder.join(name);
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder that can be made");
        std::fs::write(copy, corpus::bytes(&corpus::root().join(name))).expect("a file that can be written");
    }
    assert_prints(&folder, command, "$ openloop ", shown, 1);
}

#[test]
fn a_budget_is_what_the_readme_shows() {
    let text = readme();
    let (command, shown) =
        block(&text, "## Quick start: what selection alone does").split_once('\n').expect("a command");
    assert_prints(corpus::root(), command, "$ openloop ", shown, 0);
}

#[test]
fn the_policy_of_the_readme_is_a_policy() {
    let text = readme();
    FlowPolicy::parse(block(&text, "A policy:")).expect("a policy");
}

#[test]
fn the_readme_lists_every_code() {
    let text = readme();
    for rule in RULES {
        assert!(text.contains(&format!("| {} | {} |", rule.code, rule.summary)), "{} is not in the README", rule.code);
    }
}
