//! `openloop test` and `openloop replay`, and `check --confirm`.

use serde_json::json;

use super::*;

const CASE: &str = "openloop-counterexample.json";

fn test_schema() -> Schema {
    Schema::read(include_str!("../../fixtures/schema/test.schema.json"))
}

/// `test FILE --source SOURCE --sink SINK ..`
fn test(folder: &Folder, step: &str, more: &[&str]) -> Answer {
    folder.run(&[&["test", step, "--source", SOURCE, "--sink", SINK], more].concat())
}

#[test]
fn a_leak_is_found_made_small_written_down_and_run_again() {
    let folder = Folder::new();
    let leak = step(LEAK);
    let answer = test(&folder, &leak, &["--within", "step", "--cases", "60"]).ends(1).quietly();
    answer.finds(&["difference: the reward reaches the beliefs", "element", "bits 0x", "changed at", ".py:", CASE]);
    let case = folder.read(CASE);
    Schema::read(include_str!("../../fixtures/schema/case.schema.json")).check("the case", &case);
    let again = folder.run(&["replay", CASE, &leak]).ends(1).quietly().finds(&["the same difference as in the file"]);
    assert!(again.out.contains(".py:"), "{}", again.said);
    let json = folder.run(&["replay", CASE, &leak, "--format", "json"]).ends(1).quietly();
    Schema::read(include_str!("../../fixtures/schema/replay.schema.json")).check("the replay", &json.out);
    assert_eq!((&json.json()["reproduced"], &json.json()["same"]), (&json!(true), &json!(true)));
    // Almost nothing is left of the inputs.
    let parsed: Value = serde_json::from_str(&case).expect("JSON");
    let tensors =
        parsed["state"].as_array().expect("a list").iter().chain(parsed["inputs"][0].as_array().expect("a list"));
    let is_zero = |tensor: &&Value| {
        let bits = tensor["bits"].as_str().expect("text");
        bits.is_empty() || bits == "0" || (bits.starts_with("0*") && !bits.contains(' '))
    };
    let (zero, all) = (tensors.clone().filter(is_zero).count(), tensors.count());
    assert!(zero + 4 >= all, "{zero} of {all} inputs are zero");

    // Nothing changed, nothing differs.
    let mut nothing = parsed.clone();
    nothing["disturbance"]["change"] = json!({"kind": "scale", "by": 1.0});
    folder.write("nothing.json", nothing.to_string());
    folder.run(&["replay", "nothing.json", &leak]).ends(0).quietly().finds(&["no difference"]);
    // Another graph, another layout, another type, and what is no case at all.
    let mut typed = parsed.clone();
    typed["state"][0]["type"] = json!("f32[1]");
    let mut old = parsed.clone();
    old["version"] = json!(99);
    let mut wordy = parsed.clone();
    wordy["state"][0]["bits"] = json!("0*99999999999");
    folder
        .write("typed.json", typed.to_string())
        .write("old.json", old.to_string())
        .write("wordy.json", wordy.to_string());
    folder.write("other.json", "{}");
    let clean = step(CLEAN);
    for (arguments, says) in [
        (vec![CASE, &clean], "is another graph"),
        (vec![CASE, &leak, &leak], "is about 1 graphs, and 2 were given"),
        (vec!["typed.json", &leak], "is f32[1], not"),
        (vec!["old.json", &leak], "found version 99"),
        (vec!["wordy.json", &leak], "there are more than"),
        (vec!["other.json", &leak], "is no counterexample"),
        (vec!["none.json", &leak], "none.json"),
    ] {
        folder.run(&[vec!["replay"], arguments].concat()).ends(2).complains(&[says]);
    }
}

#[test]
fn a_clean_step_does_not_differ_which_is_no_proof() {
    let folder = Folder::new();
    let few = ["--cases", "8", "--within", "run"];
    let answer = test(&folder, &step(CLEAN), &few).ends(0).quietly();
    answer.finds(&["no difference", "had power", "Passing is not proof", "replay: the same data"]);
    let json =
        test(&folder, &step(CLEAN), &[&few[..], &["--format", "json", "-o", "report.json"]].concat()).ends(0).quietly();
    assert_eq!(json.out, "");
    let report = folder.read("report.json");
    test_schema().check("the report", &report);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["entries"][0]["report"]["outcome"]["kind"], "no_difference");
    assert_eq!(folder.names(), ["report.json"], "there is no counterexample to write");
    // Nothing of it depends on the hour.
    let again = test(&folder, &step(CLEAN), &[&few[..], &["--format", "json"]].concat()).ends(0);
    assert_eq!(again.out, folder.read("report.json"));
}

#[test]
fn the_environment_is_heard_in_free_mode_only() {
    let folder = Folder::new();
    let edge = "within = \"run\"\n[[environment]]\noutput = \"output:**.desires.**\"\ninput = \"input:batch.**\"\n";
    folder.write("openloop.toml", policy(edge)).write("step.mlir", std::fs::read(step(CLEAN)).expect("it is there"));
    let run = |more: &[&str]| {
        folder.run(&[&["test", "step.mlir", "--policy", "openloop.toml", "--cases", "12"], more].concat())
    };
    run(&[]).ends(0);
    let answer = run(&["--mode", "free", "--format", "json", "--save", "free.json"]).ends(1).quietly();
    test_schema().check("the report", &answer.out);
    let outcome = &answer.json()["entries"][0]["report"]["outcome"];
    assert_eq!((&outcome["route"], &outcome["mode"]), (&json!("environment"), &json!("free")));
    folder.run(&["replay", "free.json", "step.mlir"]).ends(1).quietly();
    // Without an edge there is nothing to hear, and a policy that fails on these routes is run in free mode.
    let answer = test(&folder, "step.mlir", &["--cases", "4", "--mode", "free"]).ends(0);
    answer.complains(&["no environment edge"]);
    let edge = edge.replace("within", "routes = [\"environment\"]\nwithin");
    folder.write("openloop.toml", policy(&edge));
    run(&[]).ends(1);
}

#[test]
fn what_shows_nothing_does_not_pass() {
    let folder = Folder::new();
    // A source that nothing takes from has no power; one that is not there was not tested.
    let text = "module @step {\n  func.func public @main(%x: tensor<f32> loc(\"x\")) -> (tensor<f32> {jax.result_info = \"result.beliefs.x\"}) {\n    \
                %0 = stablehlo.tanh %x : tensor<f32> loc(#probe)\n    return %x : tensor<f32>\n  }\n}\n\
                #probe = loc(\"jit(step)/probe_reward/tanh\")\n";
    folder.write("dead.mlir", text);
    test(&folder, "dead.mlir", &["--cases", "4", "--within", "step"]).ends(3).finds(&["no power"]);
    let unmatched = ["test", "dead.mlir", "--source", "scope:nobody", "--sink", SINK, "--within", "step"];
    folder.run(&unmatched).ends(3).complains(&["`scope:nobody` matches nothing", "nothing was run"]);
    for arguments in [
        &["test", "dead.mlir"][..],
        &["test", "dead.mlir", "--source", SOURCE],
        &["test", "dead.mlir", "--source", SOURCE, "--sink", SINK, "--cases", "0"],
        &["test", "dead.mlir", "--source", SOURCE, "--sink", SINK, "--steps", "0"],
        &["test", "dead.mlir", "--source", SOURCE, "--sink", "scope:probe_reward"],
        &["test", "dead.mlir", "--source", SOURCE, "--sink", SINK, "--policy", "openloop.toml"],
    ] {
        folder.run(arguments).ends(2);
    }
    // Where it is not clear what is carried, several steps cannot be run.
    let unclear = step(AMBIGUOUS);
    test(&folder, &unclear, &["--within", "run"]).ends(2).complains(&["--carried"]);
    let answer = test(&folder, &step(CLEAN), &["--within", "step", "--cases", "1000000", "--time-limit", "1"]);
    assert!([0, 3].contains(&answer.code) && answer.out.contains("the time was over"), "{}", answer.said);
}

#[test]
fn a_callback_that_nobody_can_run_gives_made_up_numbers_and_the_report_says_so() {
    let folder = Folder::new();
    let answer = test(&folder, &step(OPAQUE), &["--within", "step", "--cases", "40", "--format", "json"]).ends(1);
    let entry = &answer.json()["entries"][0];
    assert!(entry["made_up"][0].as_str().is_some_and(|name| name.contains("callback")), "{entry}");
}

#[test]
fn a_violation_is_confirmed_where_somebody_asks() {
    let folder = Folder::new();
    let confirmed = |more: &[&str]| {
        let answer = folder.check(&step(LEAK), &[&["--within", "step", "--format", "json"], more].concat()).ends(1);
        report_schema().check("the report", &answer.out);
        answer.json()["invariants"][0]["confirmed"].clone()
    };
    assert_eq!(confirmed(&[]), "untested");
    assert_eq!(confirmed(&["--confirm"]), "yes");
    folder.check(&step(LEAK), &["--confirm=40", "--within", "step"]).ends(1).finds(&["confirmed by paired runs"]);
    folder.check(&step(LEAK), &["--confirm=many"]).ends(2);
}

/// Zeros meet infinities in dot products too: that is what the assumption of finite operands excludes.
#[test]
fn a_product_with_zeros_differs_only_by_what_is_not_finite() {
    let folder = Folder::new();
    folder.write(
        "masked.mlir",
        "module @step {
  func.func public @main(%src: tensor<2xf32> loc(\"src\"), %p: tensor<f32> loc(\"params.sink\"))
      -> (tensor<f32> {jax.result_info = \"result[0].sink\"}, tensor<2xf32> {jax.result_info = \"result[1].other\"}) {
    %mask = stablehlo.constant dense<0.0> : tensor<2xf32>
    %x = stablehlo.dot_general %mask, %src, contracting_dims = [0] x [0]
        : (tensor<2xf32>, tensor<2xf32>) -> tensor<f32>
    %new = stablehlo.add %p, %x : tensor<f32>
    return %new, %src : tensor<f32>, tensor<2xf32>
  }
}
",
    );
    let question = ["test", "masked.mlir", "--source", "input:src", "--sink", "output:**.sink", "--within", "step"];
    folder.run(&question).ends(1).finds(&["only infinities, NaN or overflow"]);
    folder.run(&[&question[..], &["--assume", "finite"]].concat()).ends(0).finds(&["excluded"]);
}
