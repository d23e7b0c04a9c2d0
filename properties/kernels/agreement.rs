//! What the kernels compute equals what others computed (`fixtures/kernels/make.py`).

use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};
use num_complex::Complex;
use openloop::exec::kernels::*;
use serde_json::Value;

use crate::corpus;

/// One call of a kernel and what should come out. Numbers are as in the file.
struct Case(Value);

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().expect("a number").parse().expect("inf or nan"))
}

fn list(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|value| value.as_u64().expect("a size") as usize).collect()
}

fn array<T>(value: &Value, read: impl Fn(&Value) -> T) -> ArrayD<T> {
    let values = value["values"].as_array().expect("values").iter().map(read).collect();
    ArrayD::from_shape_vec(IxDyn(&list(&value["shape"])), values).expect("a shape for the values")
}

fn reals(value: &Value) -> ArrayD<f64> {
    array(value, number)
}

fn integers(value: &Value) -> ArrayD<i64> {
    array(value, |value| value.as_i64().expect("an integer"))
}

fn words<T: Word>(value: &Value) -> ArrayD<T> {
    array(value, |value| T::truncated(value.as_u64().expect("a word")))
}

/// The last dimension of the file has real and imaginary part.
fn complex(value: &Value) -> ArrayD<Complex<f64>> {
    let parts = reals(value);
    let shape = &parts.shape()[..parts.ndim() - 1];
    let values: Vec<f64> = parts.iter().copied().collect();
    let values = values.chunks(2).map(|pair| Complex { re: pair[0], im: pair[1] }).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).expect("a shape for the values")
}

impl Case {
    fn list(&self, name: &str) -> Vec<usize> {
        list(&self.0["attributes"][name])
    }
    fn size(&self, name: &str) -> usize {
        self.0["attributes"][name].as_u64().expect("a size") as usize
    }
    fn flag(&self, name: &str) -> bool {
        self.0["attributes"][name].as_bool().expect("a flag")
    }
    fn word(&self, name: &str) -> &str {
        self.0["attributes"][name].as_str().expect("a word")
    }
    fn pairs(&self, name: &str) -> Vec<(i64, i64)> {
        let pairs = self.0["attributes"][name].as_array().expect("pairs");
        pairs.iter().map(|pair| (pair[0].as_i64().expect("low"), pair[1].as_i64().expect("high"))).collect()
    }
    fn operand(&self, at: usize) -> &Value {
        &self.0["operands"][at]
    }
    fn result(&self, at: usize) -> &Value {
        &self.0["results"][at]
    }
    fn real(&self, at: usize) -> ArrayD<f64> {
        reals(self.operand(at))
    }

    /// Relative to the largest expected number.
    fn close(&self, at: usize, computed: &ArrayD<f64>) {
        self.close_to(&reals(self.result(at)), computed);
    }

    fn close_to(&self, expected: &ArrayD<f64>, computed: &ArrayD<f64>) {
        assert_eq!(computed.shape(), expected.shape(), "{}", self.0);
        let scale = expected.iter().fold(1.0, |scale: f64, value| scale.max(value.abs()));
        for (computed, expected) in computed.iter().zip(expected) {
            assert!((computed - expected).abs() <= 1e-12 * scale, "{computed} is not {expected}: {}", self.0);
        }
    }

    fn close_complex(&self, at: usize, computed: &ArrayD<Complex<f64>>) {
        let expected = complex(self.result(at));
        self.close_to(&expected.mapv(|value| value.re), &computed.mapv(|value| value.re));
        self.close_to(&expected.mapv(|value| value.im), &computed.mapv(|value| value.im));
    }

    /// Element by element, relative to each.
    fn exact_to(&self, tolerance: f64, function: impl Fn(&[f64]) -> f64) {
        self.exact_beyond(0.0, tolerance, function);
    }

    /// Element by element, relative to each that is larger than `unit`, else to that.
    fn exact_beyond(&self, unit: f64, tolerance: f64, function: impl Fn(&[f64]) -> f64) {
        let arguments: Vec<ArrayD<f64>> =
            (0..self.0["operands"].as_array().expect("operands").len()).map(|at| self.real(at)).collect();
        for (at, expected) in reals(self.result(0)).iter().enumerate() {
            let point: Vec<f64> = arguments.iter().map(|argument| argument[[at]]).collect();
            let computed = function(&point);
            let close = (computed - expected).abs() <= tolerance * expected.abs().max(unit) || computed == *expected;
            assert!(close, "at {point:?}: {computed} is not {expected}: {}", self.word_of_operation());
        }
    }

    fn word_of_operation(&self) -> &str {
        self.0["operation"].as_str().expect("an operation")
    }
}

fn bits<T: Word + PartialEq + std::fmt::Debug>(case: &Case) {
    let algorithm = match case.word("algorithm") {
        "default" => Algorithm::Default,
        "three_fry" => Algorithm::ThreeFry,
        "philox" => Algorithm::Philox,
        other => panic!("unknown algorithm {other}"),
    };
    let state: Vec<u64> = words::<u64>(case.operand(0)).into_iter().collect();
    let (after, bits) = rng_bit_generator::<T>(algorithm, &state, &case.list("shape")).expect("bits");
    assert_eq!(after, words::<u64>(case.result(0)).into_iter().collect::<Vec<_>>(), "{}", case.0);
    assert_eq!(bits, words::<T>(case.result(1)), "{}", case.0);
}

fn convolution_attributes(case: &Case) -> Convolution {
    let (lhs, rhs, out) = (case.list("lhs_spec"), case.list("rhs_spec"), case.list("out_spec"));
    Convolution {
        window_strides: case.list("window_strides"),
        padding: case.pairs("padding"),
        lhs_dilation: case.list("lhs_dilation"),
        rhs_dilation: case.list("rhs_dilation"),
        window_reversal: vec![false; lhs.len() - 2],
        input_batch_dimension: lhs[0],
        input_feature_dimension: lhs[1],
        input_spatial_dimensions: lhs[2..].to_vec(),
        kernel_output_feature_dimension: rhs[0],
        kernel_input_feature_dimension: rhs[1],
        kernel_spatial_dimensions: rhs[2..].to_vec(),
        output_batch_dimension: out[0],
        output_feature_dimension: out[1],
        output_spatial_dimensions: out[2..].to_vec(),
        feature_group_count: case.size("feature_group_count"),
        batch_group_count: case.size("batch_group_count"),
    }
}

fn window(case: &Case) -> Window {
    Window {
        window_dimensions: case.list("window_dimensions"),
        window_strides: case.list("window_strides"),
        base_dilations: case.list("base_dilations"),
        window_dilations: case.list("window_dilations"),
        padding: case.pairs("padding"),
    }
}

fn gather_attributes(case: &Case) -> Gather {
    Gather {
        offset_dims: case.list("offset_dims"),
        collapsed_slice_dims: case.list("collapsed_slice_dims"),
        operand_batching_dims: case.list("operand_batching_dims"),
        start_indices_batching_dims: case.list("start_indices_batching_dims"),
        start_index_map: case.list("start_index_map"),
        index_vector_dim: case.size("index_vector_dim"),
        slice_sizes: case.list("slice_sizes"),
    }
}

fn scatter_attributes(case: &Case) -> Scatter {
    Scatter {
        update_window_dims: case.list("update_window_dims"),
        inserted_window_dims: case.list("inserted_window_dims"),
        input_batching_dims: case.list("operand_batching_dims"),
        scatter_indices_batching_dims: case.list("scatter_indices_batching_dims"),
        scatter_dims_to_operand_dims: case.list("scatter_dims_to_operand_dims"),
        index_vector_dim: case.size("index_vector_dim"),
    }
}

fn check_factorization(case: &Case) {
    match case.word_of_operation() {
        "cholesky" => case.close(0, &cholesky(case.real(0).view(), case.flag("lower")).expect("a factor")),
        "cholesky_complex" => {
            case.close_complex(0, &cholesky(complex(case.operand(0)).view(), case.flag("lower")).expect("a factor"));
        }
        "triangular_solve" => {
            let attributes = TriangularSolve {
                left_side: case.flag("left_side"),
                lower: case.flag("lower"),
                unit_diagonal: case.flag("unit_diagonal"),
                transpose_a: [Transpose::No, Transpose::Transpose, Transpose::Adjoint][case.size("transpose_a")],
            };
            let (a, b) = (complex(case.operand(0)), complex(case.operand(1)));
            case.close_complex(0, &triangular_solve(a.view(), b.view(), attributes).expect("a solution"));
        }
        "getrf" => {
            let lu = lu(case.real(0).view()).expect("factors");
            case.close(0, &lu.factors);
            assert_eq!(lu.pivots.mapv(i64::from), integers(case.result(1)));
            assert!(lu.info.iter().all(|&info| info == 0));
        }
        "geqrf" => {
            let qr = qr(case.real(0).view()).expect("factors");
            case.close(0, &qr.factors);
            case.close(1, &qr.taus);
        }
        "geqrf_complex" => {
            let qr = qr(complex(case.operand(0)).view()).expect("factors");
            case.close_complex(0, &qr.factors);
            case.close_complex(1, &qr.taus);
        }
        "qr" => {
            let qr = qr(case.real(0).view()).expect("factors");
            case.close(0, &householder_product(qr.factors.view(), qr.taus.view()).expect("q"));
        }
        "qr_complex" => {
            let qr = qr(complex(case.operand(0)).view()).expect("factors");
            case.close_complex(0, &householder_product(qr.factors.view(), qr.taus.view()).expect("q"));
        }
        "syevd" => {
            let a = case.real(0);
            let lower = case.flag("lower");
            let Eigen { values, vectors } = symmetric_eigen(a.view(), lower).expect("eigenvalues");
            case.close(0, &values);
            // The matrix times each vector is the vector times its value.
            let transposed = a.clone().permuted_axes(vec![0, 2, 1]);
            let diagonal = ArrayD::from_shape_fn(a.raw_dim(), |at| if at[1] == at[2] { a[&at] } else { 0.0 });
            let full = &a + &transposed - &diagonal;
            let batch = DotDimensions {
                lhs_batching: vec![0],
                rhs_batching: vec![0],
                lhs_contracting: vec![2],
                rhs_contracting: vec![1],
            };
            let product = dot_general(full.view(), vectors.view(), &batch).expect("a product");
            let scaled = &vectors * &values.insert_axis(ndarray::Axis(1));
            case.close_to(&scaled, &product);
        }
        other => panic!("unknown operation {other}"),
    }
}

fn check_normalization(case: &Case) {
    let feature = case.size("feature_index");
    let operands: Vec<ArrayD<f64>> =
        (0..case.0["operands"].as_array().expect("operands").len()).map(|at| case.real(at)).collect();
    let views: Vec<_> = operands.iter().map(|operand| operand.view()).collect();
    match (case.word_of_operation(), views.as_slice()) {
        ("batch_norm_training", [x, scale, offset]) => {
            let results = batch_norm_training(x.view(), scale.view(), offset.view(), 0.01, feature).expect("results");
            case.close(0, &results.output);
            case.close(1, &results.batch_mean);
            case.close(2, &results.batch_var);
        }
        ("batch_norm_inference", [x, scale, offset, mean, variance]) => {
            let [scale, offset, mean, variance] = [scale, offset, mean, variance].map(|view| view.view());
            let output = batch_norm_inference(x.view(), scale, offset, mean, variance, 0.01, feature);
            case.close(0, &output.expect("a result"));
        }
        ("batch_norm_grad", [x, scale, mean, variance, gradient]) => {
            let [scale, mean, variance, gradient] = [scale, mean, variance, gradient].map(|view| view.view());
            let results = batch_norm_grad(x.view(), scale, mean, variance, gradient, 0.01, feature).expect("results");
            case.close(0, &results.operand);
            case.close(1, &results.scale);
            case.close(2, &results.offset);
        }
        other => panic!("unknown operation {other:?}"),
    }
}

fn check(case: &Case) {
    match case.word_of_operation() {
        "dot_general" => {
            let dimensions = DotDimensions {
                lhs_batching: case.list("lhs_batching"),
                rhs_batching: case.list("rhs_batching"),
                lhs_contracting: case.list("lhs_contracting"),
                rhs_contracting: case.list("rhs_contracting"),
            };
            case.close(0, &dot_general(case.real(0).view(), case.real(1).view(), &dimensions).expect("a product"));
        }
        "convolution" => {
            let result = convolution(case.real(0).view(), case.real(1).view(), &convolution_attributes(case));
            case.close(0, &result.expect("a convolution"));
        }
        "fft" | "ifft" => {
            let inverse = case.word_of_operation() == "ifft";
            case.close_complex(0, &fft(complex(case.operand(0)).view(), &case.list("lengths"), inverse).expect("fft"));
        }
        "rfft" => case.close_complex(0, &rfft(case.real(0).view(), &case.list("lengths")).expect("rfft")),
        "irfft" => case.close(0, &irfft(complex(case.operand(0)).view(), &case.list("lengths")).expect("irfft")),
        "rng_bit_generator" => match case.word("word") {
            "u8" => bits::<u8>(case),
            "u16" => bits::<u16>(case),
            "u32" => bits::<u32>(case),
            "u64" => bits::<u64>(case),
            other => panic!("unknown word {other}"),
        },
        "threefry2x32" => {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| words::<u32>(case.operand(at)));
            let results = threefry_2x32([a.view(), b.view()], [c.view(), d.view()]).expect("a hash");
            assert_eq!(results, [0, 1].map(|at| words::<u32>(case.result(at))));
        }
        "gather" => {
            let (operand, indices) = (integers(case.operand(0)), integers(case.operand(1)));
            let result = gather(operand.view(), indices.view(), &gather_attributes(case)).expect("slices");
            assert_eq!(result, integers(case.result(0)), "{}", case.0);
        }
        "scatter" => {
            let [input, indices, updates] = [0, 1, 2].map(|at| integers(case.operand(at)));
            let attributes = scatter_attributes(case);
            let result = scatter(input, indices.view(), updates.view(), &attributes, |old, new| old + new);
            assert_eq!(result.expect("a result"), integers(case.result(0)), "{}", case.0);
        }
        "reduce_window" => {
            let result = reduce_window(integers(case.operand(0)).view(), 0, &window(case), |sum, value| sum + value);
            assert_eq!(result.expect("sums"), integers(case.result(0)), "{}", case.0);
        }
        "select_and_scatter" => {
            let attributes = SelectAndScatter {
                window_dimensions: case.list("window_dimensions"),
                window_strides: case.list("window_strides"),
                padding: case.pairs("padding"),
            };
            let (operand, source) = (case.real(0), case.real(1));
            let result = select_and_scatter(
                operand.view(),
                source.view(),
                0.0,
                &attributes,
                |chosen, other| Ok::<_, Refused>(chosen >= other),
                |old, source| Ok(old + source),
            );
            case.close(0, &result.expect("a result"));
        }
        "batch_norm_training" | "batch_norm_inference" | "batch_norm_grad" => check_normalization(case),
        "erf" => case.exact_to(4e-16, |x| special::erf(x[0])),
        "erfc" => case.exact_to(1e-15, |x| special::erfc(x[0])),
        "erf_inv" => case.exact_to(1e-15, |x| special::erf_inv(x[0])),
        "lgamma" => case.exact_to(1e-15, |x| special::lgamma(x[0])),
        // It crosses zero between its poles.
        "digamma" => case.exact_beyond(1.0, 1e-15, |x| special::digamma(x[0])),
        "bessel_i1e" => case.exact_to(2e-15, |x| special::bessel_i1e(x[0])),
        "polygamma" => case.exact_to(4e-15, |x| special::polygamma(x[0], x[1])),
        "zeta" => case.exact_to(2e-15, |x| special::zeta(x[0], x[1])),
        _ => check_factorization(case),
    }
}

#[test]
fn kernels_agree_with_what_others_computed() {
    let text = corpus::bytes(&corpus::root().join("fixtures/kernels/expected.json"));
    let cases: Vec<Value> = serde_json::from_slice(&text).expect("a list of cases");
    let mut seen = BTreeMap::new();
    for case in cases.into_iter().map(Case) {
        check(&case);
        *seen.entry(case.word_of_operation().to_string()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 32, "operations seen: {seen:?}");
    assert!(seen["rng_bit_generator"] >= 100 && seen["triangular_solve"] == 24, "{seen:?}");
}
