//! What a test expects of its values: both forms of the text, what is said where it does not hold, and that it is no flow.
//! Those that hold are in `fixtures/spec/expectations.mlir`.

use openloop::exec::Program;
use openloop::graph::{OperationKind, TrainingGraph};
use openloop::testing::check;

fn read(text: &str) -> TrainingGraph {
    openloop::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A function of two constants of a type, and one line.
fn function(r#type: &str, [a, b]: [&str; 2], line: &str) -> String {
    format!(
        "func.func @f() {{\n  %a = stablehlo.constant dense<{a}> : {type}\n  %b = stablehlo.constant dense<{b}> : {type}\n  \
         {line}\n  func.return\n}}\n"
    )
}

#[test]
fn the_pretty_and_the_generic_form_are_one_graph() {
    let cases = [
        ("check.expect_eq %a, %b : T", "\"check.expect_eq\"(%a, %b) : (T, T) -> ()"),
        (
            "check.expect_eq_const %a, dense<1.0> : T",
            "\"check.expect_eq_const\"(%a) <{value = dense<1.0> : T}> : (T) -> ()",
        ),
        (
            "check.expect_almost_eq %a, %b, tolerance = 0.5 : T",
            "\"check.expect_almost_eq\"(%a, %b) <{tolerance = 0.5 : f64}> : (T, T) -> ()",
        ),
        (
            "check.expect_almost_eq %a, %b : T",
            "\"check.expect_almost_eq\"(%a, %b) <{tolerance = 1.0E-4 : f64}> : (T, T) -> ()",
        ),
        (
            "check.expect_almost_eq_const %a, dense<1.0> : T, tolerance = 2.0",
            "\"check.expect_almost_eq_const\"(%a) <{tolerance = 2.0 : f64, value = dense<1.0> : T}> : (T) -> ()",
        ),
        (
            "check.expect_close %a, %b, max_ulp_difference = 3 : T, T",
            "\"check.expect_close\"(%a, %b) <{max_ulp_difference = 3 : ui64, min_ulp_difference = 0 : ui64}> : (T, T) -> ()",
        ),
        (
            "check.expect_serialized_eq %a, probe_id = \"p\", iter = 1 : T",
            "\"check.expect_serialized_eq\"(%a) <{iteration = 1 : ui32, probe_id = \"p\"}> : (T) -> ()",
        ),
    ];
    for (pretty, generic) in cases {
        let [pretty, generic] = [pretty, generic].map(|line| {
            let line = line.replace('T', "tensor<2xf32>");
            read(&function("tensor<2xf32>", ["1.0", "1.0"], &line))
        });
        let kinds: Vec<OperationKind> = pretty.operations().iter().map(|operation| operation.kind).collect();
        assert!(kinds[2].is_expectation(), "{kinds:?}");
        assert_eq!(pretty.digest(), generic.digest(), "{kinds:?}");
    }
}

#[test]
fn what_is_no_expectation_is_refused_with_its_place() {
    let cases = [
        ("check.expect_eq %a : tensor<2xf32>", "operand"),
        ("check.expect_eq %a, %b : tensor<3xf32>", "is used as"),
        ("check.expect_eq %a, dense<1.0> : tensor<2xf32>", "takes no constant"),
        ("check.expect_eq_const %a, dense<1.0> : tensor<3xf32>", "is used as"),
        ("check.expect_eq_const %a, 7 : tensor<2xf32>", "expected"),
        ("check.expect_almost_eq %a, %b, tolerance = : tensor<2xf32>", "a number"),
        ("%r = check.expect_eq %a, %b : tensor<2xf32>", "result"),
    ];
    for (line, says) in cases {
        let text = function("tensor<2xf32>", ["1.0", "1.0"], line);
        let error = openloop::capture::read(text.as_bytes()).expect_err(line);
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn an_expectation_that_does_not_hold_names_the_element() {
    const CLOSE: &str = "check.expect_close %a, %b, max_ulp_difference = 2";
    let cases = [
        (
            "tensor<2x2xi8>",
            ["[[1, 2], [3, 4]]", "[[1, 2], [5, -4]]"],
            "check.expect_eq %a, %b : T",
            "element [1, 0] is 3, expected is 5; 2 of 4",
        ),
        ("tensor<i1>", ["true", "false"], "check.expect_eq %a, %b : T", "element [] is true, expected is false"),
        (
            "tensor<ui64>",
            ["18446744073709551615", "0"],
            "check.expect_eq %a, %b : T",
            "is 18446744073709551615, expected",
        ),
        (
            "tensor<f32>",
            ["0x7FC00000", "0x7FC00000"],
            "check.expect_eq %a, %b : T",
            "element [] is NaN, expected is NaN",
        ),
        (
            "tensor<f32>",
            ["0.1", "0.10011"],
            "check.expect_almost_eq %a, %b : T",
            "element [] is 0.1, expected is 0.10011",
        ),
        (
            "tensor<f32>",
            ["0x7F800000", "0xFF800000"],
            "check.expect_almost_eq %a, %b, tolerance = 1.0e300 : T",
            "is inf",
        ),
        ("tensor<f32>", ["0x7F800000", "1.0"], "check.expect_almost_eq %a, %b, tolerance = 0x7FF0000000000000 : T", ""),
        ("tensor<2xi32>", ["1", "1"], "check.expect_almost_eq %a, %b : T", "only floats"),
        (
            "tensor<complex<f64>>",
            ["(1.0, 2.0)", "(1.0, 2.5)"],
            "check.expect_eq %a, %b : T",
            "is (1.0, 2.0), expected is (1.0, 2.5)",
        ),
        ("tensor<f64>", ["1.0", "0x3FF0000000000003"], CLOSE, "element []"),
        ("tensor<f16>", ["0x0001", "0x8002"], CLOSE, "element []"),
        ("tensor<f16>", ["0x7C00", "0x7BFF"], CLOSE, "is inf"),
        (
            "tensor<f16>",
            ["1.0", "1.0"],
            "check.expect_close %a, %b, max_ulp_difference = 9, min_ulp_difference = 1",
            "element []",
        ),
        ("tensor<2xf32>", ["1.0", "1.0"], "check.expect_serialized_eq %a, probe_id = \"p\" : T", "saw 0 values"),
        (
            "tensor<2xf32>",
            ["1.0", "1.000002"],
            "stablehlo.custom_call @check.expect_close(%a, %b) : (T, T) -> ()",
            "2 of 2",
        ),
        (
            "tensor<2xf32>",
            ["1.0", "1.002"],
            "stablehlo.custom_call @check.expect_almost_eq(%a, %b) : (T, T) -> ()",
            "2 of 2",
        ),
        ("tensor<2xi32>", ["1", "2"], "%r = stablehlo.custom_call @check.eq(%a, %b) : (T, T) -> tensor<i1>", "2 of 2"),
    ];
    for (r#type, constants, line, says) in cases {
        let types = if line.contains("expect_close %") { " : T, T" } else { "" };
        let line = format!("{line}{types}").replace('T', r#type);
        let graph = read(&function(r#type, constants, &line));
        let error = Program::<f64>::new(&graph).expect("a program").run(Vec::new()).expect_err(&line).to_string();
        assert!(error.contains("in line 4: ") && error.contains(says), "{line}: {error}");
    }
}

#[test]
fn an_expectation_that_reads_the_reward_is_no_flow() {
    let step = |line: &str, result: &str| {
        read(&format!(
            "func.func public @main(%r: tensor<4xf32> {{jax.arg_info = \"reward\"}}, %b: tensor<4xf32> {{jax.arg_info = \
             \"params['b']\"}}) -> (tensor<4xf32> {{jax.result_info = \"result['b']\"}}) {{\n  {line}\n  return {result} : \
             tensor<4xf32>\n}}\n"
        ))
    };
    for line in [
        "check.expect_eq %r, %b : tensor<4xf32>",
        "check.expect_almost_eq_const %r, dense<1.0> : tensor<4xf32>",
        "check.expect_close %b, %r, max_ulp_difference = 1 : tensor<4xf32>, tensor<4xf32>",
        "check.expect_serialized_eq %r, probe_id = \"p\" : tensor<4xf32>",
    ] {
        check(&step(line, "%b")).deny("input:reward", "output:**").assert_holds();
    }
    let line = "%s = stablehlo.add %b, %r : tensor<4xf32>\n  check.expect_eq %s, %b : tensor<4xf32>";
    check(&step(line, "%b")).deny("input:reward", "output:**").assert_holds();
    check(&step(line, "%s")).deny("input:reward", "output:**").assert_violated();
    // What is not known may do anything with what it sees.
    let unknown = step("\"check.expect_magic\"(%r) : (tensor<4xf32>) -> ()", "%b");
    assert_eq!(unknown.operations().iter().next().expect("one").kind, OperationKind::Unknown);
}
