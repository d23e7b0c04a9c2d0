//! `verify`: what `check` wrote is accepted, and nothing else is.

use serde_json::json;

use super::*;

/// A step in which one common factor gets through.
const CLIP: &str = "shared_clip";

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

/// Checks under a policy and writes report and certificates: `report.json` and `proof.json`.
fn proven_by_policy(folder: &Folder, name: &str, more: &str, code: i32) -> (Value, Value) {
    folder.write("p.toml", policy(more));
    let files = ["--format", "json", "-o", "report.json", "--certificate", "proof.json"];
    folder.run(&[&["check", &step(name), "--policy", "p.toml"], &files[..]].concat()).ends(code).quietly();
    let read = |file: &str| serde_json::from_str(&folder.read(file)).expect("JSON");
    (read("report.json"), read("proof.json"))
}

#[test]
fn a_proof_of_bounds_is_accepted_with_them_and_no_better_one_is() {
    let folder = Folder::new();
    let bounds = "within = \"run\"\nmax_channel = \"scale\"\nmax_bits_per_step = 32\n";
    let (report, list) = proven_by_policy(&folder, CLIP, bounds, 0);
    let proof = &list[0];
    let says = "accepted: holds [run] within its bounds (max_channel = \"scale\", max_bits_per_step = 32)";
    verify(&folder, proof, CLIP).ends(0).quietly().finds(&[says]);
    verify(&folder, &report, CLIP).ends(0).quietly().finds(&[says]);
    let evidence = "/evidence/refined";
    let claims = proof.pointer(&format!("{evidence}/channels")).and_then(Value::as_array).expect("claims");
    let of_all = |key: &str, new: Value| {
        let mut claims = claims.clone();
        claims.iter_mut().for_each(|claim| claim[key] = new.clone());
        set(proof, &format!("{evidence}/channels"), json!(claims))
    };
    for (what, tampered) in [
        ("the channel is lower", of_all("channel", json!("timing"))),
        ("the channel is worse", of_all("channel", json!("selection"))),
        ("the pivots are others", of_all("pivots", json!([{"value": 0}]))),
        ("the pivots are gone", of_all("pivots", json!([]))),
        ("a claim is gone", set(proof, &format!("{evidence}/channels"), json!(claims[1..]))),
        ("the allowed channel is lower", set(proof, &format!("{evidence}/bounds/max_channel"), json!("timing"))),
        ("fewer bits are allowed", set(proof, &format!("{evidence}/bounds/max_bits_per_step"), json!(31))),
        ("the cut is another", set(proof, &format!("{evidence}/cut/0/value"), json!(0))),
        ("the cut is gone", set(proof, &format!("{evidence}/cut"), json!([]))),
        ("the bounds are gone", set(proof, &format!("{evidence}/bounds"), json!({}))),
    ] {
        let answer = verify(&folder, &tampered, CLIP);
        assert!(answer.code == 3 && answer.out.starts_with("refused: "), "{what}: {}", answer.said);
    }
    for (what, pointer, new) in [
        ("the entry has more bits", "/invariants/0/bits_per_step/at_most", json!(64)),
        ("the entry has a worse channel", "/invariants/0/channel", json!("content")),
        ("the entry has another bound", "/invariants/0/bounds/max_bits_per_step", json!(1)),
    ] {
        let answer = verify(&folder, &set(&report, pointer, new), CLIP);
        assert!(answer.code == 3 && answer.out.contains("not certified: "), "{what}: {}", answer.said);
    }
}

#[test]
fn the_amount_of_a_violation_is_re_checked() {
    let folder = Folder::new();
    let (report, list) = proven_by_policy(&folder, CLIP, "within = \"run\"\n", 1);
    let proof = &list[0];
    verify(&folder, proof, CLIP).ends(0).quietly().finds(&["accepted: violated [run]", "not re-checked: "]);
    let witness = "/evidence/paths/0";
    let of_all_cuts = |key: &str, new: Value| {
        let mut proof = proof.clone();
        proof["cut"][0][key] = new.clone();
        for witness in proof.pointer_mut("/evidence/paths").and_then(Value::as_array_mut).expect("paths") {
            witness["cut"][0]["at"][key] = new.clone();
        }
        proof
    };
    for (what, tampered) in [
        ("a path has fewer bits", set(proof, &format!("{witness}/bits_per_step/at_most"), json!(31))),
        ("a cut is gone", set(proof, &format!("{witness}/cut"), json!([]))),
        ("a cut has another value", set(proof, &format!("{witness}/cut/0/at/value"), json!(0))),
        ("a cut has no value", set(proof, &format!("{witness}/cut/0/at/value"), json!(u32::MAX))),
        ("a cut is called otherwise", set(proof, &format!("{witness}/cut/0/op"), json!("stablehlo.cosine"))),
        ("a cut is elsewhere", set(proof, &format!("{witness}/cut/0/place"), json!("innocent.py:1"))),
        ("a cut has another type", set(proof, &format!("{witness}/cut/0/type"), json!("tensor<i1>"))),
        ("a cut has fewer bits", set(proof, &format!("{witness}/cut/0/bits"), json!(1))),
        ("all together have fewer bits", set(proof, "/bits_per_step", json!(31))),
        ("the cut of all is gone", set(proof, "/cut", json!([]))),
        ("the cut of all is another", set(proof, "/cut/0/value", json!(0))),
        ("the cuts are of another graph", of_all_cuts("graph", json!(1))),
        ("the cuts are of another instance", of_all_cuts("instance", json!([[0, 0]]))),
    ] {
        let answer = verify(&folder, &tampered, CLIP);
        assert!(answer.code == 3 && answer.out.starts_with("refused: "), "{what}: {}", answer.said);
    }
    // More bits than there are is no harm, and a path that says no amount claims none.
    verify(&folder, &set(proof, &format!("{witness}/bits_per_step/at_most"), json!(64)), CLIP).ends(0);
    let mut silent = proof.clone();
    for witness in silent.pointer_mut("/evidence/paths").and_then(Value::as_array_mut).expect("paths") {
        let witness = witness.as_object_mut().expect("an object");
        witness.remove("bits_per_step").and(witness.remove("cut")).expect("an amount");
    }
    verify(&folder, &silent, CLIP).ends(0);
    for (what, pointer, new) in [
        ("the entry has fewer bits", "/invariants/0/bits_per_step/at_most", json!(1)),
        ("the entry has another channel", "/invariants/0/channel", json!("timing")),
    ] {
        let answer = verify(&folder, &set(&report, pointer, new), CLIP);
        assert!(answer.code == 3 && answer.out.contains("not certified: "), "{what}: {}", answer.said);
    }
}

/// A path shows that something gets through, and not that it is more than is allowed.
#[test]
fn a_violation_of_bounds_has_no_certificate_and_says_so() {
    let folder = Folder::new();
    for bound in ["max_channel = \"timing\"\n", "max_bits_per_step = 31\n"] {
        let (report, list) = proven_by_policy(&folder, LEAK, &format!("within = \"run\"\n{bound}"), 1);
        assert_eq!((verdicts(&report), &list), (vec!["violated [run]".into()], &json!([])), "{bound}");
        let warnings = report["invariants"][0]["warnings"].to_string();
        assert!(warnings.contains("so there is no certificate"), "{warnings}");
        verify(&folder, &report, LEAK).ends(3).quietly().finds(&["not certified: violated [run] out"]);
    }
}

/// What is data is said by the policy, so a proof that rests on it says so.
#[test]
fn a_proof_of_selection_shows_what_it_takes_for_data() {
    let folder = Folder::new();
    let bound = "within = \"run\"\nmax_channel = \"selection\"\n";
    folder.write("p.toml", format!("data = [\"input:memory.**\"]\n{}", policy(bound)));
    let check = ["check", &step(LATER), "--policy", "p.toml", "--certificate", "proof.json"];
    folder.run(&check).ends(0);
    let answer = folder.run(&["verify", "proof.json", &step(LATER)]).ends(0).quietly();
    answer.finds(&["accepted: holds [run] within its bounds", "  given: `input:memory.**` is data"]);
    let list: Value = serde_json::from_str(&folder.read("proof.json")).expect("JSON");
    verify(&folder, &set(&list[0], "/evidence/refined/data", json!([])), LATER).ends(3).finds(&["refused: "]);
}
