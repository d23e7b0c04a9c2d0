//! `check` by policy: groups, controls, the world outside, waivers, systems, errors.

use super::*;

fn fixture(path: &str) -> String {
    text(&corpus::root().join("fixtures").join(path))
}

#[test]
fn a_policy_names_groups_and_positive_controls() {
    let folder = Folder::new();
    let policy = fixture("policies/brainlike.toml");
    let answer = folder.run(&["check", &step(CLEAN), "--policy", &policy]).ends(0).quietly();
    answer.finds(&["beliefs never see the probe reward", "the probe reward reaches the desires"]);
    folder.run(&["check", &step(LEAK), "--policy", &policy]).ends(1).quietly().finds(&["violated[OL112]"]);
}

#[test]
fn a_required_flow_that_is_not_there_is_a_violation() {
    let folder = Folder::new();
    let require = format!("[[require]]\nname = \"r\"\nfrom = [\"{SOURCE}\"]\nto = [\"{SINK}\"]\n");
    folder.write("p.toml", policy(&require));
    folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(1).quietly().finds(&["OL500", "exit 1"]);
}

#[test]
fn environment_routes_are_listed_and_fail_only_if_the_policy_asks() {
    let folder = Folder::new();
    let edge = "[[environment]]\nname = \"acting\"\noutput = \"output:**.desires.**\"\ninput = \"input:batch.**\"\n";
    folder.write("listed.toml", policy(edge));
    folder.write("denied.toml", policy(&format!("routes = [\"environment\"]\n{edge}")));
    folder.write("without.toml", policy(""));
    let run = |policy: &str| folder.run(&["check", &step(CLEAN), "--policy", policy]).quietly();
    let listed = "listed, not denied: routes through the world outside";
    assert!(!run("without.toml").ends(0).out.contains(listed));
    run("listed.toml").ends(0).finds(&["holds", listed, "back in as `batch."]);
    run("denied.toml").ends(1).finds(&["violated[OL102]", "exit 1"]);
}

#[test]
fn a_waiver_counts_until_its_last_day_and_then_is_a_finding() {
    let folder = Folder::new();
    let waiver =
        "[[waiver]]\ninvariant = \"out\"\nreason = \"one clip, see #12\"\nexpires = \"2027-01-31\"\nowner = \"ada\"\n";
    folder.write("p.toml", policy(waiver));
    let run =
        |name: &str, today: &str| folder.run(&["check", &step(name), "--policy", "p.toml", "--today", today]).quietly();
    run(LEAK, "2026-12-01").ends(0).finds(&["waived", "one clip, see #12"]);
    run(LEAK, "2027-01-31").ends(0);
    run(LEAK, "2027-02-01").ends(1).finds(&["OL400", "expired on 2027-01-31", "ada"]);
    run(CLEAN, "2026-12-01").ends(1).finds(&["OL400", "unused"]);
    run(CLEAN, "2027-02-01").ends(1).finds(&["OL400", "expired on 2027-01-31", "remove it"]);
    for wrong in ["2027-02-30", "31.1.2027", "", "2027-1-1"] {
        let today = ["check", &step(LEAK), "--policy", "p.toml", "--today", wrong];
        folder.run(&today).ends(2).complains(&["--today", "2027-01-31"]);
    }
}

#[test]
fn a_system_of_two_functions_is_read_from_beside_its_policy() {
    let folder = Folder::new(); // not the folder of the policy
    let run = |name: &str, more: &[&str]| {
        let policy = fixture(&format!("jax/{name}/openloop.toml"));
        folder.run(&[&["check", "--policy", &policy], more].concat()).quietly()
    };
    run("two_functions", &[]).ends(0).finds(&["holds"]);
    run("two_functions_leak", &[]).ends(1).finds(&["violated"]);
    let json = run("two_functions", &["--format", "json"]).json();
    assert!(json["graph"]["name"] == "belief_step" && json["more_graphs"][0]["name"] == "desire_step");
    let file = step(CLEAN);
    let both = ["check", &file, "--policy", &fixture("jax/two_functions/openloop.toml")];
    folder.run(&both).ends(2).complains(&["[[graph]]", "one or the other"]);
}

#[test]
fn a_graph_that_a_policy_names_and_that_is_not_there_is_an_error() {
    let folder = Folder::new();
    folder.write("openloop.toml", std::fs::read(fixture("policies/system.toml")).expect("it is there"));
    folder.run(&["check"]).ends(2).complains(&["cannot read belief_step.mlir"]);
}

#[test]
fn openloop_toml_in_this_folder_is_the_policy_if_none_is_named() {
    let folder = Folder::new();
    folder.write("openloop.toml", policy("within = \"step\"\n"));
    let answer = folder.run(&["check", &step(LATER), "--format", "json"]).ends(0);
    assert_eq!(verdicts(&answer.json()), ["holds [step]"]);
    answer.complains(&["note: using the policy openloop.toml"]);
    // Flags, or a policy that is named, come before it.
    let answer = folder.check(&step(LATER), &["--format", "json"]).ends(1).quietly();
    assert_eq!(verdicts(&answer.json()), ["holds [step]", "violated [run]"]);
    folder.write("other.toml", policy("within = \"run\"\n"));
    folder.run(&["check", &step(LATER), "--policy", "other.toml"]).ends(1).quietly();
}

#[test]
fn a_policy_that_cannot_be_used_is_shown_with_line_and_caret() {
    let folder = Folder::new();
    let link = "[[link]]\nfrom = \"output:a\"\nto = \"input:b\"\n";
    for (more, line, says) in [
        ("form = [\"x\"]\n", 6, "unknown field `form`"),
        ("within = \"week\"\n", 6, "found within `week`, expected `step` or `run`"),
        ("assume = [\"luck\"]\n", 6, "expected `finite`"),
        ("max_channel = \"content\"\n", 6, "`content` would let everything through"),
        ("max_bits_per_step = -3\n", 6, "found -3, expected a number of bits"),
        ("assume = [\"binary:*\"]\n", 6, "the path of one input"),
        ("routes = [\"moon\"]\n", 6, "expected `environment`"),
        ("[[waiver]]\ninvariant = \"outt\"\nreason = \"r\"\nexpires = \"2027-01-31\"\n", 7, "did you mean `out`?"),
        ("[[waiver]]\ninvariant = \"out\"\nexpires = \"2027-01-31\"\n", 6, "this waiver has no `reason`"),
        ("[[waiver]]\ninvariant = \"out\"\nreason = \"r\"\n", 6, "this waiver has no `expires`"),
        ("[[waiver]]\ninvariant = \"out\"\nreason = \"r\"\nexpires = \"2027-02-30\"\n", 9, "2027-02-30"),
        ("[groups]\nempty = []\n", 7, "the group `empty` is empty"),
        ("[[invariant]]\nname = \"out\"\nfrom = \"input:a\"\nto = \"output:b\"\n", 7, "have the name `out`"),
        ("[carried]\n\"result.0\" = 3\n", 7, "an input path in quotes"),
        ("[carried]\nresult.0 = \"params\"\n", 7, "needs quotes"),
        (link, 7, "expected a graph before it"),
        ("[nonsense]\n", 6, "unknown field `nonsense`"),
        ("name = \"twice\"\n", 6, "duplicate key"),
        ("oh dear\n", 6, "expected"),
    ] {
        folder.write("p.toml", policy(more));
        let answer = folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(2);
        let at = format!("p.toml:{line}:");
        answer.complains(&["error[OL001]: this policy cannot be used", &at, "^", says]);
    }
    for (text, says) in [
        ("", "no version"),
        ("version = 2\n", "found version 2, expected 1"),
        ("version = 1\n", "the policy denies nothing"),
        ("version = 99999999999999999999999999\n", "p.toml:1:11"),
    ] {
        folder.write("p.toml", text);
        folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(2).complains(&[says, "p.toml:1:"]);
    }
}

#[test]
fn a_policy_that_does_not_fit_the_graph_is_shown_with_line_and_caret() {
    let folder = Folder::new();
    folder.write("p.toml", policy("[[environment]]\noutput = \"output:**.desire.**\"\ninput = \"input:batch.**\"\n"));
    let answer = folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(2);
    answer.complains(&["p.toml:6:", "^", "`output:**.desire.**` matches nothing", "nearest", "desires"]);
    for (wrong, line, says) in [
        ("assume = [\"binary:batch.token\"]\n", 6, "no input is `batch.token`"),
        ("assume = [\"finite\", \"binary:batch\"]\n", 6, "no input is `batch`"),
    ] {
        folder.write("p.toml", policy(wrong));
        let answer = folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(2);
        answer.complains(&[&format!("p.toml:{line}:"), "^", says, "nearest"]);
    }
    folder.write("p.toml", policy("").replace("version = 1", "version = 1\ndata = [\"input:btch.**\"]"));
    let answer = folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(2);
    answer.complains(&["p.toml:2:", "^", "`input:btch.**` matches nothing"]);
    folder.write("p.toml", policy(""));
    let answer = folder.run(&["check", &step(AMBIGUOUS), "--policy", "p.toml"]).ends(2);
    answer.complains(&["`result.0` or `result.1`", "[carried]", "\"result.0\" = \"params\""]);
    folder.write("p.toml", policy("[carried]\n\"result.0\" = \"params\"\n\"result.1\" = \"momentum\"\n"));
    folder.run(&["check", &step(AMBIGUOUS), "--policy", "p.toml"]).ends(1).quietly();
}

#[test]
fn a_policy_that_is_no_text_is_an_error() {
    let folder = Folder::new();
    folder.write("p.toml", b"version = 1\n\xff");
    let run = |policy: &str| folder.run(&["check", &step(CLEAN), "--policy", policy]).ends(2);
    run("p.toml").complains(&["p.toml: byte 12 is not UTF-8 text"]);
    run("nowhere.toml").complains(&["cannot read nowhere.toml"]);
    run(".").complains(&["folder"]);
}

/// A declared pair that leaves leaves of one type without a partner on both sides: one of them may have been renamed.
#[test]
fn a_leaf_that_was_renamed_is_not_silently_left_out() {
    let folder = Folder::new();
    folder.write(
        "renamed.mlir",
        "module @step {
  func.func public @main(%a: tensor<2xf32> loc(\"state.w\"), %b: tensor<f32> loc(\"state.temp\"), %s: tensor<f32> loc(\"src\"))
      -> (tensor<2xf32> {jax.result_info = \"result[0].w\"}, tensor<f32> {jax.result_info = \"result[0].temperature\"}) {
    %x = stablehlo.broadcast_in_dim %b, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %w = stablehlo.add %a, %x : tensor<2xf32>
    return %w, %s : tensor<2xf32>, tensor<f32>
  }
}
",
    );
    let question = ["check", "renamed.mlir", "--source", "input:src", "--sink", "output:**.w"];
    let answer = folder.run(&[&question[..], &["--carried", "result.0=state"]].concat()).ends(2);
    answer.complains(&["`result.0.temperature` and `state.temp` have the same type and no partner"]);
    let pairs = ["--carried", "result.0.w=state.w", "--carried", "result.0.temperature=state.temp"];
    folder.run(&[&question[..], &pairs].concat()).ends(1).quietly();
}
