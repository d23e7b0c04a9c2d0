//! The README tells the truth: what it shows is what the commands print.

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

#[test]
fn the_main_command_prints_what_the_readme_shows() {
    let text = readme();
    let shown = block(&text, "<!-- main -->");
    let (command, shown) = shown.split_once('\n').expect("a command and its output");
    let arguments = command.strip_prefix("$ cargo run --release -- ").expect("the main command");
    let arguments: Vec<&str> = arguments.split(' ').map(|word| word.trim_matches('\'')).collect();
    let run = Command::new(env!("CARGO_BIN_EXE_openloop"))
        .args(arguments)
        .current_dir(corpus::root())
        .env("COLUMNS", "100")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the command runs");
    assert_eq!(run.status.code(), Some(1));
    let printed = String::from_utf8(run.stdout).expect("text");
    // The README drops the spaces at the ends of lines, and stops where it says so.
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>();
    assert_eq!(lines(shown), lines(&printed));
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
