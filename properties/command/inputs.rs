//! Inputs that are no step, or not a whole one, and standard input.

use super::*;

#[test]
fn what_is_no_step_is_refused_by_every_command_that_reads_one() {
    let folder = Folder::new();
    let whole = std::fs::read(step(CLEAN)).expect("it is there");
    let step_of = |r#type: &str, result: &str| {
        format!(
            "module {{\n  func.func public @main(%arg0: {type}) -> {type} {{\n    return {result} : {type}\n  }}\n}}\n"
        )
    };
    let many = "9".repeat(400);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("bytecode", b"ML\xefR\x01\x0dStableHLO".to_vec(), "bytecode"),
        ("binary", (0..=255).collect(), "UTF-8"),
        ("zeros", vec![0; 4096], "zeros"),
        ("empty", Vec::new(), "the file is empty"),
        ("blank", b" \n\n".to_vec(), "blank"),
        ("truncated", whole[..9000].to_vec(), "found the end of the file"),
        ("not UTF-8", b"module {\n  \xff\n}".to_vec(), "2:3: byte 0xff is not UTF-8 text"),
        ("UTF-16", "module {}".encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        ("prose", b"Dear reader,\n".to_vec(), "^"),
        ("no main", b"module {\n}\n".to_vec(), "no main"),
        ("huge extent", step_of(&format!("tensor<{many}xf32>"), "%arg0").into_bytes(), "^"),
        ("huge value", step_of("tensor<f32>", &format!("%{many}")).into_bytes(), "is not defined here"),
        ("huge result", step_of("tensor<f32>", &format!("%arg0#{many}")).into_bytes(), "^"),
        ("json", b"{\"version\":1".to_vec(), "json:1:"),
        ("json number", format!("{{\"version\":{many}}}").into_bytes(), "json number:1:"),
        ("other json", b"{\"openloop\":1}".to_vec(), "unknown field"),
    ];
    for (name, bytes, says) in cases {
        folder.write(name, bytes).write("p.json", "[]");
        folder.check(name, &[]).ends(2).complains(&[says, name]);
        folder.run(&["inspect", name]).ends(2).complains(&[says]);
        folder.run(&["inspect", name, "--graph"]).ends(2).complains(&[says]);
        folder.run(&["init", name, "-o", "out.toml"]).ends(2).complains(&[says]);
        folder.run(&["verify", "p.json", name]).ends(2).complains(&[says]);
        assert!(!folder.path("out.toml").exists(), "{name}");
    }
    for (path, says) in
        [("nowhere", "cannot read nowhere"), (".", "it is a folder"), ("empty/x", "cannot read empty/x")]
    {
        folder.check(path, &[]).ends(2).complains(&[says]);
        folder.run(&["inspect", path]).ends(2).complains(&[says]);
        folder.run(&["init", path]).ends(2).complains(&[says]);
        folder.run(&["verify", "p.json", path]).ends(2).complains(&[says]);
        folder.run(&["verify", path, &step(CLEAN)]).ends(2).complains(&[says]);
    }
}

#[test]
fn the_place_of_an_error_in_a_step_is_shown_with_a_caret() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(step(CLEAN)).expect("it is there");
    let line = text.lines().position(|line| line.contains("stablehlo.multiply")).expect("it multiplies") + 1;
    folder.write("step.mlir", text.replacen("stablehlo.multiply %", "stablehlo.multiply ?", 1));
    let at = format!("step.mlir:{line}:");
    folder.check("step.mlir", &[]).ends(2).complains(&["error[OL001]: this input cannot be read", &at, "^"]);
}

#[test]
fn bytecode_is_answered_with_the_line_that_prints_text() {
    let folder = Folder::new();
    folder.write("step.mlirbc", b"ML\xefR\x01");
    folder.check("step.mlirbc", &[]).ends(2).complains(&["portable bytecode", "get_asm(enable_debug_info=True)"]);
}

#[test]
fn standard_input_is_read_as_the_file_would_be() {
    let folder = Folder::new();
    for name in [CLEAN, LEAK] {
        let bytes = std::fs::read(step(name)).expect("it is there");
        let file = folder.check(&step(name), &["--format", "json"]);
        let piped = ["check", "-", "--source", SOURCE, "--sink", SINK, "--format", "json"];
        let piped = folder.run_on(&bytes, &piped).ends(file.code).quietly();
        let (file, piped) = (file.json(), piped.json());
        assert_eq!(piped["invariants"], file["invariants"]);
        assert_eq!((&piped["graph"]["digest"], &piped["graph"]["file"]), (&file["graph"]["digest"], &Value::from("-")));
        folder.run_on(&bytes, &["inspect", "-"]).ends(0).quietly().finds(&["digest", "probe_reward"]);
        folder.run_on(&bytes, &["init", "-"]).ends(0).quietly().finds(&["version = 1"]);
    }
    folder.run_on(b"", &["inspect", "-"]).ends(2).complains(&["-: the file is empty"]);
}

#[test]
fn the_graph_that_inspect_prints_is_checked_like_the_text_it_came_from() {
    let folder = Folder::new();
    for name in [CLEAN, LEAK, LATER, OPAQUE] {
        let graph = folder.run(&["inspect", &step(name), "--graph"]).ends(0).quietly().out;
        let of_text = folder.check(&step(name), &["--format", "json"]);
        let piped = ["check", "-", "--source", SOURCE, "--sink", SINK, "--format", "json"];
        let of_graph = folder.run_on(graph.as_bytes(), &piped).ends(of_text.code).quietly();
        let (mut of_text, mut of_graph) = (of_text.json(), of_graph.json());
        assert_eq!(of_graph["graph"]["digest"], of_text["graph"]["digest"], "{name}");
        // The lines are those of the text, which the graph does not have.
        [&mut of_text, &mut of_graph].into_iter().for_each(without_lines);
        assert_eq!(of_graph["invariants"], of_text["invariants"], "{name}");
        // And it prints itself.
        assert_eq!(folder.run_on(graph.as_bytes(), &["inspect", "-", "--graph"]).ends(0).out, graph, "{name}");
    }
}

fn without_lines(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("line");
            fields.values_mut().for_each(without_lines);
        }
        Value::Array(items) => items.iter_mut().for_each(without_lines),
        _ => {}
    }
}

#[test]
fn the_generic_form_gives_the_same_graph_and_the_same_verdict() {
    let folder = Folder::new();
    for name in [CLEAN, LEAK, LATER] {
        let report = |file: &str| folder.check(file, &["--format", "json"]).json();
        let (pretty, generic) = (report(&step(name)), report(&step(name).replace("step.mlir", "step.generic.mlir")));
        assert_eq!(pretty["graph"]["digest"], generic["graph"]["digest"], "{name}");
        assert_eq!(verdicts(&pretty), verdicts(&generic), "{name}");
    }
}
