//! The examples of the StableHLO specification, and edge cases that it spells out.

use std::cmp::Ordering;

use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn, arr0, arr1, arr2, array};
use num_complex::Complex;
use openloop::exec::kernels::*;

#[test]
fn dot_general_of_two_batches() {
    let lhs = array![[[1i64, 2], [3, 4]], [[5, 6], [7, 8]]].into_dyn();
    let rhs = array![[[1i64, 0], [0, 1]], [[1, 0], [0, 1]]].into_dyn();
    let dimensions = DotDimensions {
        lhs_batching: vec![0],
        rhs_batching: vec![0],
        lhs_contracting: vec![2],
        rhs_contracting: vec![1],
    };
    assert_eq!(dot_general(lhs.view(), rhs.view(), &dimensions), Ok(lhs));
}

#[test]
fn convolution_of_ones() {
    let lhs = array![[1i64, 2, 5, 6], [3, 4, 7, 8], [10, 11, 14, 15], [12, 13, 16, 17]];
    let lhs = lhs.into_shape_with_order(IxDyn(&[1, 4, 4, 1])).unwrap();
    let rhs = ArrayD::from_elem(IxDyn(&[3, 3, 1, 1]), 1i64);
    let attributes = Convolution {
        window_strides: vec![4, 4],
        padding: vec![(0, 0); 2],
        lhs_dilation: vec![2, 2],
        rhs_dilation: vec![1, 1],
        window_reversal: vec![false; 2],
        input_batch_dimension: 0,
        input_feature_dimension: 3,
        input_spatial_dimensions: vec![1, 2],
        kernel_input_feature_dimension: 2,
        kernel_output_feature_dimension: 3,
        kernel_spatial_dimensions: vec![0, 1],
        output_batch_dimension: 0,
        output_feature_dimension: 3,
        output_spatial_dimensions: vec![1, 2],
        feature_group_count: 1,
        batch_group_count: 1,
    };
    let result = convolution(lhs.view(), rhs.view(), &attributes).unwrap();
    assert_eq!(result, array![[[[10i64], [26]], [[46], [62]]]].into_dyn());
}

#[test]
fn cholesky_of_the_example_and_of_what_is_not_definite() {
    let a = array![[1.0f32, 2.0, 3.0], [2.0, 20.0, 26.0], [3.0, 26.0, 70.0]].into_dyn();
    let expected = array![[1.0f32, 0.0, 0.0], [2.0, 4.0, 0.0], [3.0, 5.0, 6.0]].into_dyn();
    assert_eq!(cholesky(a.view(), true), Ok(expected));
    let batch = array![[[4.0f32]], [[-1.0]], [[0.0]]].into_dyn();
    let factors = cholesky(batch.view(), true).unwrap();
    assert_eq!(factors[[0, 0, 0]], 2.0);
    assert!(factors[[1, 0, 0]].is_nan() && factors[[2, 0, 0]].is_nan());
}

#[test]
fn triangular_solve_of_the_example() {
    let a = array![[1.0f32, 0.0, 0.0], [2.0, 4.0, 0.0], [3.0, 5.0, 6.0]].into_dyn();
    let b = array![[2.0f32, 0.0, 0.0], [4.0, 8.0, 0.0], [6.0, 10.0, 12.0]].into_dyn();
    let attributes = TriangularSolve { left_side: true, lower: true, ..TriangularSolve::default() };
    let expected = array![[2.0f32, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]].into_dyn();
    assert_eq!(triangular_solve(a.view(), b.view(), attributes), Ok(expected));
}

#[test]
fn fft_of_an_impulse() {
    let operand = arr1(&[1.0f32, 0.0, 0.0, 0.0]).mapv(|re| Complex { re, im: 0.0 }).into_dyn();
    let result = fft(operand.view(), &[4], false).unwrap();
    assert_eq!(result, ArrayD::from_elem(IxDyn(&[4]), Complex { re: 1.0, im: 0.0 }));
}

#[test]
fn batch_norm_of_the_example() {
    let operand = array![[[1.0f32, 2.0], [3.0, 4.0]], [[3.0, 4.0], [1.0, 2.0]]].into_dyn();
    let (one, two, three) =
        (arr1(&[1.0f32, 1.0]).into_dyn(), arr1(&[2.0f32, 3.0]).into_dyn(), arr1(&[1.0f32, 1.0]).into_dyn());
    let results = batch_norm_training(operand.view(), one.view(), three.view(), 0.0, 2).unwrap();
    let expected = array![[[0.0f32, 0.0], [2.0, 2.0]], [[2.0, 2.0], [0.0, 0.0]]].into_dyn();
    assert_eq!(results.output, expected);
    assert_eq!((&results.batch_mean, &results.batch_var), (&two, &one));
    let inferred = batch_norm_inference(operand.view(), one.view(), three.view(), two.view(), one.view(), 0.0, 2);
    assert_eq!(inferred, Ok(expected));
    let gradient = ArrayD::from_elem(IxDyn(&[2, 2, 2]), 0.1f32);
    let results = batch_norm_grad(operand.view(), one.view(), two.view(), one.view(), gradient.view(), 0.0, 2).unwrap();
    assert!(results.operand.iter().chain(&results.scale).all(|value| value.abs() < 1e-7));
    assert_eq!(results.offset, arr1(&[0.4f32, 0.4]).into_dyn());
}

#[test]
fn dynamic_slices_of_the_examples() {
    let operand = array![[0i64, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]].into_dyn();
    let slice = dynamic_slice(operand.view(), &[-1, 3], &[2, 2]).unwrap();
    assert_eq!(slice, arr2(&[[1i64, 1], [1, 1]]).into_dyn());
    let operand = array![[1i64, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]].into_dyn();
    let updated = dynamic_update_slice(operand, slice.view(), &[-1, 3]).unwrap();
    assert_eq!(updated, ArrayD::from_elem(IxDyn(&[4, 4]), 1));
}

#[test]
fn gather_of_the_example() {
    let operand = ArrayD::from_shape_vec(IxDyn(&[2, 3, 4, 2]), (1..=48).collect::<Vec<i64>>()).unwrap();
    let start_indices = array![
        [[[0i64, 0], [1, 0], [2, 1]], [[0, 1], [1, 1], [0, 9]]],
        [[[0, 0], [2, 1], [2, 2]], [[1, 2], [0, 1], [1, 0]]]
    ]
    .into_dyn();
    let attributes = Gather {
        offset_dims: vec![3, 4],
        collapsed_slice_dims: vec![1],
        operand_batching_dims: vec![0],
        start_indices_batching_dims: vec![1],
        start_index_map: vec![2, 1],
        index_vector_dim: 3,
        slice_sizes: vec![1, 1, 2, 2],
    };
    let result = gather(operand.view(), start_indices.view(), &attributes).unwrap();
    let expected = array![
        [
            [[[1i64, 2], [3, 4]], [[3, 4], [5, 6]], [[13, 14], [15, 16]]],
            [[[33, 34], [35, 36]], [[35, 36], [37, 38]], [[41, 42], [43, 44]]]
        ],
        [
            [[[1, 2], [3, 4]], [[13, 14], [15, 16]], [[21, 22], [23, 24]]],
            [[[43, 44], [45, 46]], [[33, 34], [35, 36]], [[27, 28], [29, 30]]]
        ]
    ];
    assert_eq!(result, expected.into_dyn());
}

#[test]
fn scatter_skips_each_element_that_is_out_of_bounds() {
    let input = arr1(&[0i64, 0, 0, 0]).into_dyn();
    let indices = arr2(&[[3i64], [-1], [i64::MAX]]).into_dyn();
    let updates = arr2(&[[1i64, 2], [3, 4], [5, 6]]).into_dyn();
    let attributes = Scatter {
        update_window_dims: vec![1],
        scatter_dims_to_operand_dims: vec![0],
        index_vector_dim: 1,
        ..Scatter::default()
    };
    let result = scatter(input, indices.view(), updates.view(), &attributes, |old, new| old + new);
    assert_eq!(result, Ok(arr1(&[4i64, 0, 0, 1]).into_dyn()));
}

#[test]
fn reductions_and_windows_of_the_examples() {
    let operand = arr2(&[[0i64, 1, 2, 3, 4, 5]]).into_dyn();
    assert_eq!(reduce(operand.view(), 0, &[1], |a, b| a + b), Ok(arr1(&[15i64]).into_dyn()));
    let operand = arr2(&[[1i64, 2], [3, 4], [5, 6]]).into_dyn();
    let window = Window {
        window_dimensions: vec![2, 1],
        window_strides: vec![4, 1],
        base_dilations: vec![2, 1],
        window_dilations: vec![3, 1],
        padding: vec![(2, 1), (0, 0)],
    };
    let expected = arr2(&[[0i64, 0], [3, 4]]).into_dyn();
    assert_eq!(reduce_window(operand.view(), 0, &window, |a, b| a + b), Ok(expected));
    let operand = arr2(&[[1i64, 5], [2, 5], [3, 6], [4, 4]]).into_dyn();
    let source = arr2(&[[5i64, 6], [7, 8]]).into_dyn();
    let attributes =
        SelectAndScatter { window_dimensions: vec![3, 1], window_strides: vec![2, 1], padding: vec![(0, 1), (0, 0)] };
    let select = |chosen, other| Ok::<_, Refused>(chosen >= other);
    let result = select_and_scatter(operand.view(), source.view(), 0, &attributes, select, |a, b| Ok(a + b));
    assert_eq!(result, Ok(arr2(&[[0i64, 0], [0, 0], [5, 14], [7, 0]]).into_dyn()));
}

#[test]
fn pad_concatenate_and_reverse_of_the_examples() {
    let operand = arr2(&[[1i64, 2, 3], [4, 5, 6]]).into_dyn();
    let expected = arr2(&[
        [0i64, 1, 0, 0, 2, 0, 0, 3, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 4, 0, 0, 5, 0, 0, 6, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
    assert_eq!(pad(operand.view(), 0, &[0, 1], &[1, 1], &[1, 2]), Ok(expected.into_dyn()));
    let (first, second) = (arr2(&[[1i64, 2], [3, 4], [5, 6]]).into_dyn(), arr2(&[[7i64, 8]]).into_dyn());
    let whole = concatenate(&[first.view(), second.view()], 0).unwrap();
    assert_eq!(whole, arr2(&[[1i64, 2], [3, 4], [5, 6], [7, 8]]).into_dyn());
    assert_eq!(reverse(first.view(), &[1]), Ok(arr2(&[[2i64, 1], [4, 3], [6, 5]]).into_dyn()));
    assert!(concatenate(&[first.view(), arr0(1).into_dyn().view()], 0).is_err());
}

#[test]
fn the_total_order_has_places_for_nan_and_signed_zero() {
    let operand = arr1(&[f32::NAN, 1.0, -0.0, 0.0, f32::NEG_INFINITY, -f32::NAN, f32::INFINITY]).into_dyn();
    let sorted: Vec<u32> = sort(operand.view(), 0, false).unwrap().iter().map(|value| value.to_bits()).collect();
    let expected = [-f32::NAN, f32::NEG_INFINITY, -0.0, 0.0, 1.0, f32::INFINITY, f32::NAN].map(f32::to_bits);
    assert_eq!(sorted, expected);
    assert!(Ordered::maximum(1.0, f64::NAN).is_nan() && Ordered::minimum(f64::NAN, 1.0).is_nan());
    assert_eq!(Ordered::minimum(0.0f64, -0.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(Ordered::maximum(-0.0f64, 0.0).to_bits(), 0.0f64.to_bits());
    assert_eq!(f16::ONE.total_order(&f16::NAN), Ordering::Less);
}

/// The same numbers as JAX 0.10.2 on a CPU: products of 16 bit floats keep their sums in f32.
#[test]
fn sums_of_short_floats_round_once_in_products_and_each_time_elsewhere() {
    let tenths = ArrayD::from_elem(IxDyn(&[2048]), bf16::from_f32(0.1));
    let ones = ArrayD::from_elem(IxDyn(&[2048]), bf16::ONE);
    let dimensions = DotDimensions { lhs_contracting: vec![0], rhs_contracting: vec![0], ..DotDimensions::default() };
    let product = dot_general(tenths.view(), ones.view(), &dimensions).unwrap();
    assert_eq!(product[[]].to_f32(), 205.0);
    // One after another, a tenth is lost against 32.
    let folded = reduce(tenths.view(), bf16::ZERO, &[0], |a, b| a + b).unwrap();
    assert_eq!(folded[[]].to_f32(), 32.0);
}

#[test]
fn a_long_sum_keeps_its_digits() {
    let tenths = ArrayD::from_elem(IxDyn(&[1 << 20]), 0.1f32);
    let total = sum(tenths.view(), 0.0, &[0]).unwrap()[[]];
    assert!((total - 104_857.6).abs() < 0.5, "{total}");
    let negative = ArrayD::from_elem(IxDyn(&[100]), -0.0f32);
    assert_eq!(sum(negative.view(), -0.0, &[0]).unwrap()[[]].to_bits(), (-0.0f32).to_bits());
}

#[test]
fn special_functions_at_their_poles() {
    use special::*;
    assert_eq!([erf_inv(1.0), erf_inv(-1.0), erf_inv(0.0)], [f64::INFINITY, f64::NEG_INFINITY, 0.0]);
    assert!(erf_inv(1.5).is_nan() && digamma(0.0).is_nan() && digamma(-3.0).is_nan() && zeta(0.5, 1.0).is_nan());
    assert_eq!((zeta(1.0, 2.0), lgamma(0.0)), (f64::INFINITY, f64::INFINITY));
    assert!(polygamma(-1.0, 2.0).is_nan() && polygamma(0.5, 2.0).is_nan());
    assert_eq!(next_after_f32(0.0, -1.0).to_bits(), 0x8000_0001);
    assert_eq!(next_after_f64(1.0, 2.0), 1.0 + f64::EPSILON);
    assert_eq!(next_after_f32(0.0, -0.0).to_bits(), (-0.0f32).to_bits());
    assert!(next_after_f64(f64::NAN, 1.0).is_nan());
}
