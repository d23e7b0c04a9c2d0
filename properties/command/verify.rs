//! `verify`: what `check` wrote is accepted, and nothing else is.

use serde_json::json;

use super::*;

/// Checks and writes report and certificates: `report.json` and `proof.json`.
fn proven(folder: &Folder, name: &str, code: i32) -> (Value, Value) {
    folder
        .check(&step(name), &["--format", "json", "-o", "report.json", "--certificate", "proof.json"])
        .ends(code)
        .quietly();
    let read = |file: &str| serde_json::from_str(&folder.read(file)).expect("JSON");
    (read("report.json"), read("proof.json"))
}

/// What `verify` says of this.
fn verify(folder: &Folder, value: &Value, name: &str) -> Answer {
    folder.write("tampered.json", value.to_string());
    folder.run(&["verify", "tampered.json", &step(name)])
}

/// Replaces what a JSON pointer names.
fn set(value: &Value, pointer: &str, new: Value) -> Value {
    let mut value = value.clone();
    let place = value.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there"));
    assert_ne!(*place, new, "{pointer} is no tampering");
    *place = new;
    value
}

#[test]
fn what_check_wrote_is_accepted_as_a_report_as_a_list_and_one_by_one() {
    let folder = Folder::new();
    for (name, code, claims) in [
        (CLEAN, 0, ["accepted: holds [step]", "accepted: holds [run]"]),
        (LEAK, 1, ["accepted: violated [step]", "accepted: violated [run]"]),
        (LATER, 1, ["accepted: holds [step]", "accepted: violated [run]"]),
    ] {
        let (_, proof) = proven(&folder, name, code);
        for file in ["report.json", "proof.json"] {
            let answer = folder.run(&["verify", file, &step(name)]).ends(0).quietly().finds(&claims);
            assert_eq!(answer.out.lines().count(), 2, "{}", answer.said);
        }
        for (number, claim) in claims.iter().enumerate() {
            verify(&folder, &proof[number], name).ends(0).quietly().finds(&[claim]);
        }
    }
}

#[test]
fn a_proof_is_accepted_for_every_form_of_its_graph() {
    let folder = Folder::new();
    proven(&folder, CLEAN, 0);
    folder.run(&["verify", "proof.json", &step(CLEAN).replace("step.mlir", "step.generic.mlir")]).ends(0).quietly();
    folder.run(&["inspect", &step(CLEAN), "--graph", "-o", "graph.json"]).ends(0);
    folder.run(&["verify", "proof.json", "graph.json"]).ends(0).quietly();
}

#[test]
fn a_certificate_on_standard_input_is_read_like_a_file() {
    let folder = Folder::new();
    proven(&folder, CLEAN, 0);
    let answer = folder.run_on(folder.read("proof.json").as_bytes(), &["verify", "-", &step(CLEAN)]);
    answer.ends(0).quietly().finds(&["accepted: holds [run]"]);
}

#[test]
fn a_certificate_of_another_graph_is_refused() {
    let folder = Folder::new();
    proven(&folder, CLEAN, 0);
    let other = folder.run(&["verify", "proof.json", &step(LEAK)]).ends(3).quietly();
    other.finds(&["refused: holds [step]", "refused: holds [run]", "the digests differ"]);
    folder.run(&["verify", "proof.json", &step(CLEAN), &step(CLEAN)]).ends(3).finds(&["the digests differ"]);
    // One constant is another one: no longer the step that was proven.
    let text = std::fs::read_to_string(step(CLEAN)).expect("it is there");
    folder.write("step.mlir", text.replacen("dense<0.000000e+00>", "dense<1.000000e+00>", 1));
    folder.run(&["verify", "proof.json", "step.mlir"]).ends(3).finds(&["the digests differ"]);
}

#[test]
fn a_proof_that_was_tampered_with_is_refused() {
    let folder = Folder::new();
    let (_, list) = proven(&folder, CLEAN, 0);
    let (of_step, proof) = (&list[0], &list[1]);
    let functions = proof["evidence"]["labels"][0]["functions"].as_array().expect("tables");
    let main = functions.iter().position(|table| table["origins"] == 2).expect("the entry");
    let table = format!("/evidence/labels/0/functions/{main}");
    let rows = functions[main]["rows"].as_str().expect("rows");
    let first_label = rows.find(['1', '3']).expect("something is labelled");
    let one_less = format!("{}0{}", &rows[..first_label], &rows[first_label + 1..]);
    let edge = json!([{"from": [0, "result.0.nothing"], "to": [0, "params.nothing"], "hop": "link"}]);
    let with = |key: &str, new: Value| {
        let mut proof = proof.clone();
        assert!(proof.as_object_mut().expect("an object").insert(key.into(), new).is_none());
        proof
    };
    for (what, tampered) in [
        ("the version is another", set(proof, "/version", json!(2))),
        ("the digest is another", set(proof, "/digests/0", json!("0".repeat(64)))),
        ("there are no digests", set(proof, "/digests", json!([]))),
        ("the verdict is turned", set(proof, "/verdict", json!("violated"))),
        ("the verdict is no verdict", set(proof, "/verdict", json!("undetermined"))),
        ("a step is sold as a run", set(of_step, "/within", json!("run"))),
        ("the source is another", set(proof, "/from/0", json!("input:batch.**"))),
        ("the source is nothing", set(proof, "/from/0", json!("scope:nobody"))),
        ("there is no source", set(proof, "/from", json!([]))),
        ("the source is a sink", set(proof, "/from/0", json!(SINK))),
        ("the source is no selector", set(proof, "/from/0", json!("probe_reward"))),
        ("the sinks are more", set(proof, "/to/0", json!("output:**"))),
        ("the sinks are nothing", set(proof, "/to/0", json!("output:nobody"))),
        ("the sink is a source", set(proof, "/to/0", json!(SOURCE))),
        ("a label is gone", set(proof, &format!("{table}/rows"), json!(one_less))),
        ("all labels are gone", set(proof, &format!("{table}/rows"), json!("0".repeat(rows.len())))),
        ("everything is labelled", set(proof, &format!("{table}/rows"), json!("1".repeat(rows.len())))),
        ("a row is gone", set(proof, &format!("{table}/rows"), json!(rows[1..]))),
        ("a row is no number", set(proof, &format!("{table}/rows"), json!(rows.replace('0', "x")))),
        ("the origins are others", set(proof, &format!("{table}/origins"), json!(3))),
        ("the tables are gone", set(proof, "/evidence/labels/0/functions", json!([]))),
        ("the labels are gone", set(proof, "/evidence/labels", json!([]))),
        ("the evidence is a path", set(proof, "/evidence", json!({"paths": []}))),
        ("there are names", with("names", json!(["a", "b"]))),
        ("a pair is not in the graph", with("carried", json!([["result.0.nothing", "params.nothing"]]))),
        ("a terminal is not in the graph", with("terminal", json!(["result.77"]))),
        ("an edge is not in the graph", with("edges", edge)),
    ] {
        let answer = verify(&folder, &tampered, CLEAN);
        assert!(answer.code == 3 && answer.out.starts_with("refused: "), "{what}: {}", answer.said);
        let list = json!([of_step, tampered]);
        let answer = verify(&folder, &list, CLEAN);
        assert!(answer.code == 3 && answer.out.contains("accepted: "), "{what}: {}", answer.said);
    }
}

#[test]
fn a_path_that_was_tampered_with_is_refused() {
    let folder = Folder::new();
    let (_, list) = proven(&folder, LEAK, 1);
    let proof = &list[0];
    let path = proof["evidence"]["paths"][0]["path"].as_array().expect("a path").clone();
    let last = path.len() - 1;
    assert!(last > 5);
    let with_path = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut path = path.clone();
        change(&mut path);
        set(proof, "/evidence/paths/0/path", Value::Array(path))
    };
    let step =
        |number: usize, key: &str, new: Value| set(proof, &format!("/evidence/paths/0/path/{number}/{key}"), new);
    for (what, tampered) in [
        ("there is no path", set(proof, "/evidence/paths", json!([]))),
        ("the path is empty", with_path(&Vec::clear)),
        ("the path is its source", with_path(&|path| path.truncate(1))),
        ("the source is gone", with_path(&|path| drop(path.remove(0)))),
        ("the sink is gone", with_path(&|path| drop(path.pop()))),
        ("a step in the middle is gone", with_path(&|path| drop(path.remove(last / 2)))),
        ("only the ends are left", with_path(&|path| drop(path.drain(1..last)))),
        ("two steps are swapped", with_path(&|path| path.swap(last / 2, last / 2 + 1))),
        ("it goes backwards", with_path(&|path| path.reverse())),
        ("a step comes twice", with_path(&|path| path.insert(last / 2, path[last / 2].clone()))),
        ("a value is another", step(last / 2, "value", json!(0))),
        ("a value is not there", step(last / 2, "value", json!(u32::MAX))),
        ("an operation is another", step(last / 2, "op", json!("stablehlo.cosine"))),
        ("a place is another", step(last / 2, "place", json!("innocent.py:1"))),
        ("a scope is another", step(last / 2, "scope", json!("innocent"))),
        ("a type is another", step(last / 2, "type", json!("tensor<77xf32>"))),
        ("a hop is carried", step(last / 2, "hop", json!("carried"))),
        ("a hop is opaque", step(last / 2, "hop", json!("opaque"))),
        ("a hop is a call", step(last / 2, "hop", json!("enter"))),
        ("a graph is not there", with_path(&|path| path[last / 2]["graph"] = json!(7))),
        ("the sink is another", set(proof, "/evidence/paths/0/sink", json!("result.0.desires.w"))),
        ("the group is another", set(proof, "/evidence/paths/0/group", json!("result.7"))),
        ("the route is another", set(proof, "/evidence/paths/0/route", json!("carried"))),
        ("no sink is reached", set(proof, "/evidence/paths/0/sinks_reached", json!(0))),
        ("more sinks are reached than there are", set(proof, "/evidence/paths/0/sinks_reached", json!(100_000))),
        ("the verdict is turned", set(proof, "/verdict", json!("holds"))),
        ("the source is another", set(proof, "/from/0", json!("input:batch.**"))),
        ("the sinks are others", set(proof, "/to/0", json!("output:**.desires.**"))),
    ] {
        let answer = verify(&folder, &tampered, LEAK);
        assert!(answer.code == 3 && answer.out.starts_with("refused: "), "{what}: {}", answer.said);
    }
}

#[test]
fn a_report_that_says_something_else_than_its_certificates_is_not_certified() {
    let folder = Folder::new();
    let (report, _) = proven(&folder, LATER, 1);
    assert_eq!(verdicts(&report), ["holds [step]", "violated [run]"]);
    let of_clean = proven(&folder, CLEAN, 0).0;
    let swapped = {
        let mut report = report.clone();
        report["invariants"][1]["certificate"] = report["invariants"][0]["certificate"].clone();
        report
    };
    let without = |key: &str| {
        let mut report = report.clone();
        report["invariants"][1].as_object_mut().expect("an object").remove(key).expect(key);
        report
    };
    let witness = report["invariants"][1]["witness"].as_array().expect("a path");
    for (what, tampered) in [
        ("a violation is called a proof", set(&report, "/invariants/1/verdict", json!("holds"))),
        ("a proof is called a violation", set(&report, "/invariants/0/verdict", json!("violated"))),
        ("a proof of a step is sold as one of a run", set(&report, "/invariants/0/within", json!("run"))),
        ("the source is another", set(&report, "/invariants/0/from/0", json!("scope:other"))),
        ("the sinks are more", set(&report, "/invariants/0/to/0", json!("output:**"))),
        ("the certificate is that of another entry", swapped),
        ("the certificate is gone", without("certificate")),
        ("the path is shorter", set(&report, "/invariants/1/witness", json!(witness[1..]))),
        ("the paths are gone", set(&report, "/invariants/1/witnesses", json!([]))),
        ("the place is another", set(&report, "/invariants/1/witness/0/place", json!("innocent.py:1"))),
        ("the graph is another", set(&report, "/graph/digest", json!("0".repeat(64)))),
        ("there are more graphs", {
            let mut report = report.clone();
            report["more_graphs"] = json!([of_clean["graph"]]);
            report
        }),
    ] {
        let answer = verify(&folder, &tampered, LATER);
        assert!(answer.code == 3 && answer.out.contains("not certified: "), "{what}: {}", answer.said);
    }
    let answer = verify(&folder, &set(&report, "/invariants", json!([])), LATER);
    assert_eq!((answer.code, &*answer.out), (3, ""), "a report without entries certifies nothing");
    verify(&folder, &json!([]), LATER).ends(3);
    verify(&folder, &set(&report, "/version", json!(2)), LATER).ends(2).complains(&["report version 2, expected 1"]);
}

#[test]
fn a_verdict_that_is_open_has_no_certificate() {
    let folder = Folder::new();
    let (report, proof) = proven(&folder, OPAQUE, 3);
    assert_eq!(proof, json!([]));
    let answer = verify(&folder, &report, OPAQUE).ends(3);
    answer.finds(&["not certified: undetermined [step]", "not certified: undetermined [run]"]);
}

#[test]
fn what_is_no_certificate_ends_with_2() {
    let folder = Folder::new();
    let (report, proof) = proven(&folder, CLEAN, 0);
    let unknown = |value: &Value| {
        let mut value = value.clone();
        value["trust_me"] = json!(true);
        value
    };
    for (what, text, says) in [
        ("nothing", String::new(), "not JSON"),
        ("words", "trust me".into(), "not JSON"),
        ("half of it", proof.to_string()[..1000].to_string(), "not JSON"),
        ("deep nesting", "[".repeat(100_000), "not JSON"),
        ("a number", "1e999999".into(), "not JSON"),
        ("another object", "{}".into(), "not a certificate"),
        ("a list of numbers", "[1]".into(), "not a list of certificates"),
        ("an unknown field", unknown(&proof[0]).to_string(), "unknown field `trust_me`"),
        ("an unknown word", set(&proof[0], "/within", json!("week")).to_string(), "unknown variant `week`"),
        ("an empty report", json!({"invariants": []}).to_string(), "not a report"),
        ("no entries", set(&report, "/invariants", json!({})).to_string(), "not a report"),
        ("a huge version", set(&proof[0], "/version", json!(u64::MAX)).to_string(), "not a certificate"),
    ] {
        folder.write("tampered.json", text);
        let answer = folder.run(&["verify", "tampered.json", &step(CLEAN)]);
        assert_eq!(answer.code, 2, "{what}: {}", answer.said);
        answer.complains(&["tampered.json: ", says]);
    }
    folder.write("tampered.json", b"\xff\xfe");
    folder.run(&["verify", "tampered.json", &step(CLEAN)]).ends(2).complains(&["byte 0 is not UTF-8 text"]);
}

/// A proof may rest on what only a person can say. It is accepted, and says so.
#[test]
fn what_a_certificate_takes_as_given_is_shown() {
    let folder = Folder::new();
    let plain = folder.check(&step(LATER), &["--within", "run", "--certificate", "proof.json"]).ends(1);
    let carried = plain.out.lines().filter_map(|line| line.trim().split_once(" becomes ")).map(|(output, _)| output);
    let declared: Vec<String> = carried.map(|output| format!("--carried={output}=terminal")).collect();
    assert!(!declared.is_empty(), "{}", plain.said);
    let without = folder.run(&["verify", "proof.json", &step(LATER)]).ends(0);
    assert!(!without.out.contains("given"), "{}", without.said);
    // With nothing carried, a run is a step: the leak is declared away.
    let mut more = vec!["--within", "run", "--certificate", "proof.json"];
    more.extend(declared.iter().map(String::as_str));
    folder.check(&step(LATER), &more).ends(0);
    let answer = folder.run(&["verify", "proof.json", &step(LATER)]).ends(0);
    answer.finds(&["accepted: holds [run]", "  given: `result.0` is not carried"]);
}

#[test]
fn a_proof_of_a_system_is_re_checked_with_its_graphs_in_order() {
    let folder = Folder::new();
    for (name, code, claim) in
        [("two_functions", 0, "accepted: holds [run]"), ("two_functions_leak", 1, "accepted: violated [run]")]
    {
        let file = |file: &str| text(&corpus::root().join("fixtures/jax").join(name).join(file));
        let (first, second) = (file("belief_step.mlir"), file("desire_step.mlir"));
        let proof = ["check", "--policy", &file("openloop.toml"), "--certificate", "proof.json"];
        folder.run(&proof).ends(code);
        let answer = folder.run(&["verify", "proof.json", &first, &second]).ends(0).quietly();
        answer.finds(&[claim, "given: `belief_step:result.2` becomes `desire_step:seen` in the same step"]);
        folder.run(&["verify", "proof.json", &second, &first]).ends(3).finds(&["the digests differ"]);
        folder.run(&["verify", "proof.json", &first]).ends(3).finds(&["the digests differ"]);
        let list: Value = serde_json::from_str(&folder.read("proof.json")).expect("JSON");
        for (what, pointer, new) in [
            ("the names are swapped", "/0/names", json!(["desire_step", "belief_step"])),
            ("the names are one", "/0/names", json!(["belief_step"])),
            ("an edge is another", "/0/edges/0/to/1", json!("nowhere")),
            ("an edge leads to no graph", "/0/edges/0/to/0", json!(9)),
        ] {
            folder.write("tampered.json", set(&list, pointer, new).to_string());
            let answer = folder.run(&["verify", "tampered.json", &first, &second]);
            assert!(answer.code == 3 && answer.out.contains("refused: "), "{what}: {}", answer.said);
        }
    }
}
