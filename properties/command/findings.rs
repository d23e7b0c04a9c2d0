//! What `check` finds, its exit codes and which of them wins.

use super::*;

#[test]
fn check_ends_with_0_if_all_hold_1_if_violated_3_if_open_and_2_if_it_cannot_run() {
    let folder = Folder::new();
    folder.check(&step(CLEAN), &[]).ends(0).quietly().finds(&["holds: nothing from `probe_reward` reaches"]);
    folder.check(&step(LEAK), &[]).ends(1).quietly().finds(&["violated[OL112]", "exit 1", "fixtures/jax/"]);
    folder.check(&step(OPAQUE), &[]).ends(3).quietly().finds(&["undetermined[OL300]", "exit 3"]);
    let vacuous = ["check", &step(CLEAN), "--source", "scope:nobody", "--sink", SINK];
    folder.run(&vacuous).ends(3).quietly().finds(&["vacuous[OL200]", "exit 3"]);
    folder.check("nowhere.mlir", &[]).ends(2).complains(&["cannot read nowhere.mlir"]);
    folder.run(&["check", &step(CLEAN)]).ends(2).complains(&["nothing says what to check", "openloop init"]);
    folder.run(&["check", "--source", SOURCE, "--sink", SINK]).ends(2).complains(&["no file was given"]);
}

#[test]
fn every_command_ends_with_2_if_it_is_not_understood() {
    let folder = Folder::new();
    let file = step(CLEAN);
    for arguments in [
        &[][..],
        &["chek"],
        &["check", &file, "--sauce", "x"],
        &["check", &file, "--source", SOURCE],
        &["check", &file, "--sink", SINK],
        &["check", &file, "--within", "step"],
        &["check", &file, "--assume", "finite"],
        &["check", &file, "--carried", "result.0=params"],
        &["check", &file, "--max-channel", "scale"],
        &["check", &file, "--max-bits", "32"],
        &["check", &file, "--data", "input:batch.**"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--within", "week"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--assume", "nothing"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--assume", "binary:"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--assume", "binary:nobody"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--max-channel", "loud"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--max-channel", "content"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--max-channel", "none", "--max-bits", "1"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--max-bits", "-1"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--max-bits", "many"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--data", "batch"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--data", "output:**"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--data", "input:nobody.**"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--policy", "p.toml"],
        &["check", &file, "--max-bits", "1", "--policy", "p.toml"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--format", "yaml"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--today", "soon"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--carried", "result.0"],
        &["check", &file, "--source", SOURCE, "--sink", SINK, "--carried", "result.77=params"],
        &["check", &file, "--source", "probe_reward", "--sink", SINK],
        &["check", &file, "--source", SINK, "--sink", SINK],
        &["check", &file, "--source", SOURCE, "--sink", SOURCE],
        &["check", &file, "--source", "one:scope:probe_reward", "--sink", SINK],
        &["check", &file, &file, "--source", SOURCE, "--sink", SINK],
        &["inspect"],
        &["inspect", "nowhere.mlir"],
        &["inspect", &file, "--graph", "--tree"],
        &["inspect", &file, "--graph", "--format", "text"],
        &["init"],
        &["init", "nowhere.mlir"],
        &["verify"],
        &["verify", &file],
        &["verify", "nowhere.json", &file],
        &["explain", "OL999"],
        &["explain", "OL100", "OL101"],
        &["completions"],
        &["completions", "cmd"],
    ] {
        let answer = folder.run(arguments);
        assert!(answer.code == 2 && answer.out.is_empty() && !answer.err.is_empty(), "{}", answer.said);
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn a_violation_wins_over_what_is_open_and_an_error_wins_over_everything() {
    let folder = Folder::new();
    let invariant = |name: &str, from: &str, to: &str| {
        format!("[[invariant]]\nname = \"{name}\"\nfrom = [\"{from}\"]\nto = [\"{to}\"]\n")
    };
    let open = invariant("open", "scope:nobody", SINK);
    let waived = "[[waiver]]\ninvariant = \"out\"\nreason = \"known\"\nexpires = \"2030-01-31\"\n";
    let missing = format!("[[require]]\nname = \"r\"\nfrom = [\"{SOURCE}\"]\nto = [\"{SINK}\"]\n");
    let vacuous = "[[require]]\nname = \"r\"\nfrom = [\"scope:nobody\"]\nto = [\"output:**\"]\n";
    for (file, more, code) in [
        (LEAK, String::new(), 1),
        (LEAK, open.clone(), 1),
        (LEAK, waived.to_string(), 0),
        (LEAK, open.clone() + waived, 3),
        (LEAK, format!("{waived}{vacuous}"), 3),
        (CLEAN, String::new(), 0),
        (CLEAN, open.clone(), 3),
        (CLEAN, missing.clone(), 1),
        (CLEAN, missing + &open, 1),
        (CLEAN, vacuous.to_string(), 3),
        (CLEAN, waived.to_string(), 1), // nothing needs it
        (CLEAN, open + waived, 1),
        (LEAK, "[[waiver]]\n".to_string(), 2),
    ] {
        folder.write("p.toml", policy(&more));
        let answer = folder.run(&["check", &step(file), "--policy", "p.toml", "--today", "2029-01-31"]);
        assert_eq!(answer.code, code, "{file} with {more}: {}", answer.said);
    }
    // Two graphs, of which one cannot be read: nothing is said of the other.
    folder.write("bad.mlir", "module {");
    let graphs =
        format!("[[graph]]\nname = \"a\"\nfile = \"{}\"\n[[graph]]\nname = \"b\"\nfile = \"bad.mlir\"\n", step(LEAK));
    folder.write("p.toml", policy(&graphs).replace(SOURCE, &format!("a:{SOURCE}")).replace(SINK, &format!("a:{SINK}")));
    folder.run(&["check", "--policy", "p.toml"]).ends(2).complains(&["bad.mlir:1:"]);
}

#[test]
fn without_within_one_step_and_a_run_are_entries_of_their_own() {
    let folder = Folder::new();
    let check = |more: &[&str]| folder.check(&step(LATER), &[&["--format", "json"], more].concat());
    assert_eq!(verdicts(&check(&[]).ends(1).json()), ["holds [step]", "violated [run]"]);
    assert_eq!(verdicts(&check(&["--within", "step"]).ends(0).json()), ["holds [step]"]);
    assert_eq!(verdicts(&check(&["--within", "run"]).ends(1).json()), ["violated [run]"]);
    folder.check(&step(LATER), &[]).ends(1).quietly().finds(&["1 violated, 1 holds", "OL118"]);
}

#[test]
fn sources_and_sinks_may_be_repeated_and_all_of_them_count() {
    let folder = Folder::new();
    let check = |selectors: &[&str]| {
        let answer =
            folder.run(&[&["check", &step(CLEAN), "--within", "step", "--format", "json"], selectors].concat());
        let entry = answer.json()["invariants"][0].clone();
        let count = |key: &str| entry[key].as_u64().expect("a count");
        (answer.code, count("sources"), count("sinks"), count("sinks_reached"))
    };
    let one = check(&["--source", SOURCE, "--sink", SINK]);
    assert_eq!((one.0, one.3), (0, 0));
    let more_sources = check(&["--source", SOURCE, "--source", "input:batch.**", "--sink", SINK]);
    assert!(more_sources.0 == 1 && more_sources.1 > one.1 && more_sources.2 == one.2 && more_sources.3 > 0);
    let more_sinks = check(&["--source", SOURCE, "--sink", SINK, "--sink", "output:**.desires.**"]);
    assert!(more_sinks.0 == 1 && more_sinks.1 == one.1 && more_sinks.2 > one.2 && more_sinks.3 > 0);
}

#[test]
fn assume_finite_is_taken_and_does_not_hide_a_leak() {
    let folder = Folder::new();
    folder.check(&step(CLEAN), &["--assume", "finite"]).ends(0).quietly();
    folder.check(&step(LEAK), &["--assume", "finite"]).ends(1).quietly();
}

#[test]
fn bounds_data_and_assumptions_are_taken_as_flags_and_in_a_policy() {
    let folder = Folder::new();
    let bounds = ["--max-channel", "selection", "--max-bits", "0"];
    let more = [&bounds[..], &["--data", "input:batch.**", "--assume", "binary:batch.tokens"]].concat();
    folder.check(&step(CLEAN), &more).ends(0).quietly().finds(&["holds: nothing from `probe_reward` reaches"]);
    // A missed stop-gradient is content, so this bound does not let it through.
    folder.check(&step(LEAK), &more).ends(1).quietly();
    folder.check(&step(CLEAN), &["--assume", "binary:batch.token"]).ends(2).complains(&["no input is", "batch.tokens"]);
    let said = "max_channel = \"timing\"\nmax_bits_per_step = 1\nassume = [\"binary:batch.tokens\"]\n";
    folder.write("p.toml", policy(said).replace("version = 1", "version = 1\ndata = \"input:batch.**\""));
    folder.run(&["check", &step(CLEAN), "--policy", "p.toml"]).ends(0).quietly();
    folder.run(&["check", &step(LEAK), "--policy", "p.toml"]).ends(1).quietly();
}

#[test]
fn where_structure_does_not_tell_carried_must_be_said_and_decides() {
    let folder = Folder::new();
    let check = |more: &[&str]| {
        let file = step(AMBIGUOUS);
        let sink = "output:result.0.beliefs.**"; // the momentum has the reward, and is meant to
        folder.run(&[&["check", &file, "--source", SOURCE, "--sink", sink], more].concat())
    };
    check(&[]).ends(2).complains(&[
        "`result.0` or `result.1`",
        "--carried result.0=params",
        "--carried result.1=params",
    ]);
    check(&["--within", "step"]).ends(0).quietly();
    let right = ["--carried", "result.0=params", "--carried", "result.1=momentum"];
    check(&right).ends(1).quietly().finds(&["result.1 becomes momentum", "declared"]);
    // The momentum is what brings the reward to the beliefs.
    let cut = ["--carried", "result.0=params", "--carried", "result.1=terminal"];
    check(&cut).ends(0);
}

#[test]
fn what_is_declared_terminal_is_not_carried() {
    let folder = Folder::new();
    let json = folder.check(&step(CLEAN), &["--carried", "result.1=terminal", "--format", "json"]).ends(0).json();
    let carried: Vec<_> =
        json["graph"]["carried"].as_array().expect("a list").iter().map(|pair| &pair["output"]).collect();
    assert_eq!(carried, ["result.0"]);
}

#[test]
fn a_selector_that_matches_nothing_is_answered_with_the_nearest_names() {
    let folder = Folder::new();
    for (source, sink, wrong, right) in [
        ("scope:probe_rewrd", SINK, "`scope:probe_rewrd` matches nothing", "scope:probe_reward"),
        ("input:probee.**", SINK, "`input:probee.**` matches nothing", "input:probe"),
        (SOURCE, "output:**.belief.**", "`output:**.belief.**` matches nothing", "beliefs"),
    ] {
        let answer = folder.run(&["check", &step(CLEAN), "--source", source, "--sink", sink]).ends(3).quietly();
        answer.finds(&[wrong, "nearest", right]);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let folder = Folder::new();
    for name in [LEAK, CLEAN, LATER, OPAQUE] {
        for more in [&[][..], &["--verbose"], &["--color", "always"], &["--format", "json"]] {
            let run = |proof: &str| folder.check(&step(name), &[more, &["--certificate", proof]].concat());
            let (first, second) = (run("one.json"), run("two.json"));
            assert_eq!((first.out, first.err), (second.out, second.err), "{name}");
            assert_eq!(folder.read("one.json"), folder.read("two.json"), "{name}");
        }
        for arguments in [&["inspect", "--tree"][..], &["inspect", "--graph"], &["init"]] {
            let run = || folder.run(&[arguments, &[&step(name)]].concat()).ends(0);
            assert_eq!(run().out, run().out, "{name}");
        }
    }
}

#[test]
fn verbose_shows_every_operation_of_the_path() {
    let folder = Folder::new();
    let step_file = step(LEAK);
    let (short, long) = (folder.check(&step_file, &[]), folder.check(&step_file, &["--verbose"]).ends(1).quietly());
    let path = &folder.check(&step_file, &["--format", "json", "--within", "step"]).json()["invariants"][0]["witness"];
    let places: Vec<_> = path.as_array().expect("a path").iter().filter_map(|step| step["place"].as_str()).collect();
    assert!(places.len() > 5 && long.out.lines().count() > short.out.lines().count());
    for place in places {
        assert!(long.out.contains(place), "{place} is missing: {}", long.said);
    }
}

#[test]
fn json_has_the_layout_of_the_schema_whatever_the_verdict() {
    let (folder, schema) = (Folder::new(), report_schema());
    let system = text(&corpus::root().join("fixtures/jax/two_functions_leak/openloop.toml"));
    for name in [LEAK, CLEAN, LATER, OPAQUE] {
        let answer = folder.check(&step(name), &["--format", "json"]).quietly();
        schema.check(name, &answer.out);
        assert!(answer.out.ends_with("}\n"), "{}", answer.said);
        assert_eq!(answer.json()["version"], 1);
    }
    let vacuous = folder.run(&["check", &step(CLEAN), "--source", "scope:x", "--sink", SINK, "--format", "json"]);
    schema.check("vacuous", &vacuous.ends(3).out);
    let answer = folder.run(&["check", "--policy", &system, "--format", "json"]).ends(1);
    schema.check("system", &answer.out);
    let waived = "[[waiver]]\ninvariant = \"out\"\nreason = \"known\"\nexpires = 2020-01-31\n";
    let require = format!("[[require]]\nname = \"r\"\nfrom = [\"{SOURCE}\"]\nto = [\"output:**.desires.**\"]\n");
    let edge = "[[environment]]\noutput = \"output:**.desires.**\"\ninput = \"input:batch.**\"\n";
    folder.write("p.toml", policy(&format!("{waived}{require}{edge}")));
    let answer = folder.run(&["check", &step(CLEAN), "--policy", "p.toml", "--format", "json"]).ends(1);
    schema.check("everything", &answer.out);
    let json = answer.json();
    assert!(json["waivers"][0]["problem"] == "expired" && json["requires"][0]["verdict"] == "holds");
    assert_ne!(json["invariants"][1]["environment"], serde_json::json!([]));
}

#[test]
fn text_and_json_say_the_same_verdicts() {
    let folder = Folder::new();
    for name in [LEAK, CLEAN, LATER, OPAQUE] {
        let (text, json) = (folder.check(&step(name), &[]), folder.check(&step(name), &["--format", "json"]));
        assert_eq!(text.code, json.code, "{name}");
        for verdict in verdicts(&json.json()) {
            let word = verdict.split(' ').next().expect("a word").to_string();
            assert!(text.out.contains(&word), "{name}: {word}");
        }
    }
}
