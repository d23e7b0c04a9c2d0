//! `openloop scenarios`.

use serde_json::json;

use super::*;

#[test]
fn scenarios_are_asked_and_shown() {
    let folder = Folder::new();
    let answer = folder.run(&["scenarios", "S5", "s8"]).ends(0).quietly();
    answer.finds(&[
        "S5",
        "S8",
        "direct violated (scale), pairs differ; as expected",
        "direct holds (none), pairs same",
    ]);
    let answer = folder.run(&["scenarios", "S2", "--format", "json"]).ends(0).quietly();
    Schema::read(include_str!("../../fixtures/schema/scenarios.schema.json")).check("the scenarios", &answer.out);
    let case = &answer.json()["scenarios"][0]["cases"][0];
    assert_eq!((&case["found"]["indirect"], &case["found"]["free"]), (&json!("content"), &json!("differ")));
    assert_eq!((&case["found"]["direct"], &case["as_expected"]), (&json!("holds"), &json!(true)));
    folder.run(&["scenarios", "S16"]).ends(2);
    folder.run(&["scenarios", "S5", "--cases", "0"]).ends(2);
}

/// Where too few pairs are run to show a leak, that is not as expected, and the code says so.
#[test]
fn what_is_not_as_expected_is_told() {
    let folder = Folder::new();
    let answer = folder.run(&["scenarios", "S13", "--cases", "1"]).ends(1);
    answer.finds(&["NOT AS EXPECTED", "expected"]);
}

/// What is saved is what `check` and `test` read, and they find the same.
#[test]
fn saved_systems_are_checked_and_tested_like_any_other() {
    let folder = Folder::new();
    folder.run(&["scenarios", "S9", "--save", "systems"]).ends(0);
    for (name, code) in [("ZeroedGradients", 1), ("SplitOptimizers", 0)] {
        let [graph, policy] = ["json", "toml"].map(|end| format!("systems/two_boxes_{name}.{end}"));
        let answer = folder.run(&["check", &graph, "--policy", &policy]).ends(code);
        if code == 1 {
            answer.finds(&["timing", "src/systems/two_boxes.rs:"]);
        }
        folder.run(&["test", &graph, "--policy", &policy, "--cases", "40"]).ends(code);
    }
}
