//! Files that are written, `init` and `inspect`.

use super::*;

#[test]
fn o_writes_the_same_bytes_to_a_file_and_nothing_to_standard_output() {
    let folder = Folder::new();
    for more in [&[][..], &["--format", "json"]] {
        let printed = folder.check(&step(LEAK), more).ends(1);
        let written = folder.check(&step(LEAK), &[more, &["-o", "report"]].concat()).ends(1).quietly();
        assert_eq!((written.out.as_str(), folder.read("report")), ("", printed.out));
    }
    for more in [&[][..], &["--tree"], &["--graph"], &["--format", "json"]] {
        let file = step(CLEAN);
        let arguments = [&["inspect", &file], more].concat();
        let printed = folder.run(&arguments).ends(0);
        folder.run(&[&arguments[..], &["--output", "inspected"]].concat()).ends(0).quietly();
        assert_eq!(folder.read("inspected"), printed.out);
    }
    assert_eq!(folder.names(), ["inspected", "report"]);
}

#[test]
fn an_old_report_is_replaced_whole_and_kept_if_there_is_no_new_one() {
    let folder = Folder::new();
    folder.write("report", "old ".repeat(100_000)).write("proof", "old").write("bad.mlir", "module {");
    folder.check("bad.mlir", &["-o", "report", "--certificate", "proof"]).ends(2);
    folder.run(&["inspect", "bad.mlir", "-o", "report"]).ends(2);
    assert_eq!((folder.read("report"), folder.read("proof")), ("old ".repeat(100_000), "old".into()));
    let printed = folder.check(&step(LEAK), &[]).out;
    folder.check(&step(LEAK), &["-o", "report"]).ends(1);
    assert_eq!(folder.read("report"), printed);
    assert_eq!(folder.names(), ["bad.mlir", "proof", "report"]);
}

/// A disk that is full stops a write in its middle; here a limit of the size of files does.
#[cfg(unix)]
#[test]
fn a_write_that_fails_in_its_middle_leaves_the_old_file_and_no_other() {
    let folder = Folder::new();
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec '{}' check '{}' --source '{SOURCE}' --sink '{SINK}' --format json -o report",
        env!("CARGO_BIN_EXE_openloop"),
        step(LEAK)
    );
    folder.write("report", "old");
    let answer = Answer::of(&["(limited)"], Command::new("sh").args(["-c", &script]).current_dir(&folder.0));
    answer.ends(2).complains(&["cannot write report"]);
    assert_eq!(folder.read("report"), "old");
    assert_eq!(folder.names(), ["report"]);
}

#[test]
fn what_cannot_be_written_ends_with_2_and_leaves_nothing() {
    let folder = Folder::new();
    folder.write("file", "a file");
    for target in ["nowhere/report", "file/report", ".", ".."] {
        for option in ["-o", "--certificate"] {
            folder.check(&step(LEAK), &[option, target]).ends(2).complains(&["cannot write", target]);
        }
        folder.run(&["inspect", &step(CLEAN), "-o", target]).ends(2).complains(&["cannot write", target]);
    }
    folder.run(&["init", &step(CLEAN), "-o", "nowhere/openloop.toml"]).ends(2).complains(&["cannot write"]);
    assert_eq!(folder.names(), ["file"]);
    assert_eq!(folder.read("file"), "a file");
}

#[cfg(unix)]
#[test]
fn a_folder_that_forbids_writing_ends_with_2() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let closed = folder.path("closed");
    std::fs::create_dir(&closed).expect("a folder");
    let allow = |mode| std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    allow(0o555);
    let answer = folder.check(&step(LEAK), &["-o", "closed/report"]);
    let written = closed.join("report").exists(); // to the superuser nothing is forbidden
    allow(0o755);
    answer.ends(if written { 1 } else { 2 });
    assert_eq!(std::fs::read_dir(&closed).expect("a folder").count(), usize::from(written));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let folder = Folder::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = folder.command(&["inspect", &step(CLEAN)]);
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().and_then(|run| run.wait_with_output());
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
}

/// The one step whose policy has a blank to fill in is [`AMBIGUOUS`].
#[test]
fn what_init_writes_is_a_policy_that_check_takes_for_every_step() {
    for path in corpus::steps() {
        let folder = Folder::new();
        let (name, file) = (corpus::name(&path), text(&path.join("step.mlir")));
        let answer = folder.run(&["init", &file, "-o", "openloop.toml"]).ends(0).complains(&["wrote openloop.toml"]);
        assert_eq!(answer.out, "");
        let written = folder.read("openloop.toml");
        assert_eq!(folder.run(&["init", &file]).ends(0).quietly().out, written, "{name}");
        let mut check = folder.run(&["check", &file, "--format", "json"]);
        if name == AMBIGUOUS {
            check.ends(2).complains(&["it is not clear which output becomes `params`"]);
            let filled = written.replace("# [carried]", "[carried]").replace("# \"result.0\" =", "\"result.0\" =");
            let filled = filled.replace("# \"result.1\" = \"params\"", "\"result.1\" = \"momentum\"");
            folder.write("openloop.toml", filled);
            check = folder.run(&["check", &file, "--format", "json"]);
        }
        assert_ne!(check.code, 2, "{name}: {}", check.said);
        let report = check.json();
        for verdict in verdicts(&report) {
            assert!(!verdict.starts_with("vacuous"), "{name}: a selector of the first policy matches nothing");
        }
        // What it finds is what the selectors of this corpus find.
        let (found, right) = (verdicts(&report), truth(&path));
        assert!(!matches!(name.as_bytes(), [b'a'..=b'e', b'_', ..]) || right.contains(&found), "{name}: {found:?}");
    }
}

/// The verdicts for a capture, as ours are: `d_routing_where` is known to be wrong in one step.
fn truth(step: &Path) -> Vec<Vec<String>> {
    let json: Value = serde_json::from_slice(&corpus::bytes(&step.join("truth.json"))).expect("JSON");
    let word = |key: &str| if json[key] == true { "violated" } else { "holds" };
    let run = format!("{} [run]", word("leak_multi_step"));
    let mut right = vec![vec![format!("{} [step]", word("leak_one_step")), run.clone()]];
    if corpus::name(step) == "d_routing_where" {
        right.push(vec!["violated [step]".into(), run]);
    }
    right
}

#[test]
fn init_leaves_a_file_that_exists_alone() {
    let folder = Folder::new();
    folder.write("openloop.toml", "mine");
    folder.run(&["init", &step(CLEAN), "-o", "openloop.toml"]).ends(2).complains(&["exists", "left alone"]);
    assert_eq!(folder.read("openloop.toml"), "mine");
    folder.run(&["init", &step(CLEAN), "-o", "."]).ends(2).complains(&["exists"]);
    assert_eq!(folder.names(), ["openloop.toml"]);
}

#[test]
fn inspect_shows_inputs_outputs_scopes_carried_pairs_and_operations() {
    let folder = Folder::new();
    let short = folder.run(&["inspect", &step(CLEAN)]).ends(0).quietly();
    let shown = ["inputs  24", "outputs  22", "scopes", "probe_reward", "result.0  becomes  params", "stablehlo.add"];
    let short = short.finds(&["digest", "functions  7"]).finds(&shown);
    let tree = folder.run(&["inspect", &step(CLEAN), "--tree"]).ends(0).quietly();
    assert!(tree.out.lines().count() > short.out.lines().count() && !tree.out.contains("`--tree` shows all"));
    let json = folder.run(&["inspect", &step(CLEAN), "--format", "json"]).ends(0).quietly().json();
    let digest = json["digest"].as_str().or_else(|| json["graph"]["digest"].as_str()).expect("a digest");
    assert!(short.out.contains(digest), "{}", short.said);
    folder.run(&["inspect", &step(AMBIGUOUS)]).ends(0).quietly().finds(&["undecided"]);
}

#[test]
fn lines_of_the_page_of_a_rule_are_quoted_as_those_of_code_are() {
    let folder = Folder::new();
    let leak = corpus::root().join("fixtures/rules/OL112/leak.mlir").display().to_string();
    let check = ["check", &leak, "--source", SOURCE, "--sink", "output:result.params.beliefs.**"];
    folder
        .run(&check)
        .ends(1)
        .finds(&["src/rules/pages/OL112.md", "reward = batch[\"reward\"] - probe_reward(probe, seen)"]);
}
