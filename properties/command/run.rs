//! `openloop run`.

use super::*;

#[test]
fn a_run_writes_every_result_and_the_same_ones_from_saved_inputs() {
    let folder = Folder::new();
    folder.write("step.mlir", std::fs::read(step(LEAK)).expect("it is there"));
    let made = ["run", "step.mlir", "--seed", "3", "--save-inputs", "in.npz", "-o", "out.safetensors"];
    folder.run(&made).ends(0).complains(&["made up from seed 3"]);
    for (inputs, output) in [("in.npz", "again.safetensors"), ("in.npz", "third.npz")] {
        let answer = folder.run(&["run", "step.mlir", "--inputs", inputs, "-o", output]).ends(0);
        assert!(answer.out.contains("result.0.beliefs.embed  f32[11x8]"), "{}", answer.said);
        assert!(answer.err.is_empty(), "{}", answer.said);
    }
    let bytes = |name: &str| std::fs::read(folder.path(name)).expect("it was written");
    assert_eq!(bytes("out.safetensors"), bytes("again.safetensors"));
    assert_ne!(bytes("third.npz"), bytes("out.safetensors"));
}

#[test]
fn any_function_of_the_module_can_be_run() {
    let folder = Folder::new();
    folder.write("spec.mlir", corpus::bytes(&corpus::root().join("fixtures/spec/control.mlir")));
    let answer = folder.run(&["run", "spec.mlir", "--entry", "while"]).ends(0);
    assert_eq!(answer.out.lines().filter(|line| line.ends_with("i64[]  45")).count(), 2, "{}", answer.said);
    folder.run(&["run", "spec.mlir", "--entry", "until"]).ends(2).complains(&["no function `until`", "while"]);
}

#[test]
fn bad_files_are_refused_and_nothing_is_written() {
    let folder = Folder::new();
    folder.write("step.mlir", std::fs::read(step(LEAK)).expect("it is there"));
    folder.write("callback.mlir", std::fs::read(step(OPAQUE)).expect("it is there"));
    folder
        .write("bad.npz", b"PK\x03\x04 and then nothing")
        .write("bad.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\xff{}");
    folder.run(&["run", "callback.mlir", "--save-inputs", "other.safetensors"]).ends(2);
    let before = folder.names();
    let cases: &[(&[&str], &str)] = &[
        (&["run", "step.mlir", "--inputs", "bad.npz", "-o", "out.npz"], "bad.npz: not an npz file"),
        (&["run", "step.mlir", "--inputs", "bad.safetensors", "-o", "out.npz"], "not a safetensors file"),
        (&["run", "step.mlir", "--inputs", "none.npz", "-o", "out.npz"], "none.npz"),
        (&["run", "step.mlir", "--inputs", "in.txt", "-o", "out.npz"], "should end in .safetensors or .npz"),
        (&["run", "step.mlir", "-o", "out.pickle"], "should end in .safetensors or .npz"),
        (&["run", "step.mlir", "-o", "no/such/folder/out.npz"], "cannot write"),
        (&["run", "callback.mlir", "-o", "out.npz"], "xla_ffi_python_cpu_callback"),
    ];
    for (arguments, says) in cases {
        folder.run(arguments).ends(2).complains(&[says]);
        assert_eq!(folder.names(), before, "{arguments:?}");
    }
}

/// Two modules that have a function of one name, one that has another, and one that cannot be read.
const MODULES: &str = "// RUN: nothing
// -----
func.func @same() -> tensor<i32> {
  %a = stablehlo.constant dense<1> : tensor<i32>
  return %a : tensor<i32>
}
// -----
module @second {
  func.func @same() -> tensor<i32> {
    %a = stablehlo.constant dense<2> : tensor<i32>
    return %a : tensor<i32>
  }
}
// -----
func.func @wrong() {
  %a = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xbf16>
  check.expect_eq_const %a, dense<[1.0, 3.0]> : tensor<2xbf16>
  return
}
// -----
func.func @odd() {
  stablehlo.constant
}
";

#[test]
fn each_module_of_a_file_is_run_and_every_failure_is_told() {
    let folder = Folder::new();
    folder.write("four.mlir", MODULES);
    let answer = folder.run(&["run", "four.mlir", "--entry", "same"]).ends(0);
    assert_eq!(answer.out, "@same\nresult  i32[]  1\n@same\nresult  i32[]  2\n", "{}", answer.said);
    let wrong =
        "four.mlir: check.expect_eq_const in line 17: element [1] is 2.0, expected is 3.0; 1 of 2 elements differ";
    folder.run(&["run", "four.mlir", "--entry", "@wrong"]).ends(2).complains(&[wrong]);
    folder.run(&["run", "four.mlir", "--entry", "odd"]).ends(2).complains(&["four.mlir:23:1"]);
    folder.run(&["run", "four.mlir"]).ends(2).complains(&[wrong, "four.mlir:23:1"]);
    // It may be in what cannot be read.
    folder.run(&["run", "four.mlir", "--entry", "none"]).ends(2).complains(&["four.mlir:23:1"]);
    folder.write("three.mlir", MODULES.replace("  stablehlo.constant\n", "  return\n"));
    folder.run(&["run", "three.mlir", "--entry", "none"]).ends(2).complains(&["no function `none`", "same", "odd"]);
    for option in ["-o", "--save-inputs"] {
        let arguments = ["run", "four.mlir", "--entry", "same", option, "out.npz"];
        folder.run(&arguments).ends(2).complains(&["2 functions would write their values to one file"]);
    }
    assert!(!folder.path("out.npz").exists());
}
