//! Each kernel against the definition, one element after another. Elements are integers, so that results are exact.

use ndarray::{ArrayD, IxDyn, indices};
use openloop::exec::kernels::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

/// Some numbers, in no particular order, with repetitions.
fn numbers(shape: &[usize]) -> ArrayD<i64> {
    let mut state = 1u64;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % 10 - 5
    })
}

fn at(index: &IxDyn) -> Vec<usize> {
    ndarray::Dimension::slice(index).to_vec()
}

fn all(shape: &[usize]) -> Vec<Vec<usize>> {
    indices(IxDyn(shape)).into_iter().map(|index| at(&index)).collect()
}

fn shape(dimensions: std::ops::Range<usize>) -> impl Strategy<Value = Vec<usize>> {
    vec(0usize..5, dimensions)
}

/// The element of a padded and dilated array in one dimension.
fn padded(at: i64, low: i64, dilation: usize, size: usize) -> Option<usize> {
    let mut place = low;
    for element in 0..size {
        if place == at {
            return Some(element);
        }
        place += dilation as i64;
    }
    None
}

fn padded_size(size: usize, dilation: usize, (low, high): (i64, i64)) -> i64 {
    low + high + if size == 0 { 0 } else { (size as i64 - 1) * dilation as i64 + 1 }
}

/// How many places a window has, by trying them all.
fn places(size: i64, window: usize, dilation: usize, stride: usize) -> usize {
    let span = if window == 0 { 0 } else { (window as i64 - 1) * dilation as i64 + 1 };
    (0..size.max(0)).step_by(stride).filter(|start| start + span <= size).count()
}

fn windows(rank: usize) -> impl Strategy<Value = (Vec<usize>, Window)> {
    (
        vec(1usize..6, rank),
        vec(1usize..4, rank),
        vec(1usize..4, rank),
        vec(1usize..3, rank),
        vec(1usize..3, rank),
        vec((-1i64..3, -1i64..3), rank),
    )
        .prop_map(|(shape, window_dimensions, window_strides, base_dilations, window_dilations, padding)| {
            (shape, Window { window_dimensions, window_strides, base_dilations, window_dilations, padding })
        })
}

/// An index into the array; none over padding.
type Seen = Option<Vec<usize>>;

/// The shape of a window's places, and what the window sees: from a place and an element of the window to an index.
fn naive_windows<'a>(shape: &'a [usize], window: &'a Window) -> (Vec<usize>, impl Fn(&[usize], &[usize]) -> Seen + 'a) {
    let rank = shape.len();
    let counts = (0..rank)
        .map(|d| {
            let size = padded_size(shape[d], window.base_dilations[d], window.padding[d]);
            places(size, window.window_dimensions[d], window.window_dilations[d], window.window_strides[d])
        })
        .collect();
    let see = move |place: &[usize], element: &[usize]| {
        (0..rank)
            .map(|d| {
                let at = place[d] * window.window_strides[d] + element[d] * window.window_dilations[d];
                padded(at as i64, window.padding[d].0, window.base_dilations[d], shape[d])
            })
            .collect()
    };
    (counts, see)
}

fn shuffled(count: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..count).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn dot_general_is_a_sum_over_equal_indices(
        batch in shape(0..3), contracted in shape(0..3), rows in shape(0..3), columns in shape(0..3),
        lhs_order in shuffled(6), rhs_order in shuffled(6),
    ) {
        let (left, right) = ([&batch[..], &contracted, &rows].concat(), [&batch[..], &contracted, &columns].concat());
        let order = |order: &[usize], rank: usize| -> Vec<usize> { order.iter().copied().filter(|&d| d < rank).collect() };
        let (lhs_order, rhs_order) = (order(&lhs_order, left.len()), order(&rhs_order, right.len()));
        // Dimension `i` of an operand is dimension `order[i]` of batch, contracted, free.
        let lhs = numbers(&left).permuted_axes(lhs_order.clone());
        let rhs = numbers(&right).permuted_axes(rhs_order.clone());
        let find = |order: &[usize], from: usize, to: usize| -> Vec<usize> {
            (from..to).map(|wanted| order.iter().position(|&d| d == wanted).unwrap()).collect()
        };
        let (b, c) = (batch.len(), batch.len() + contracted.len());
        let dimensions = DotDimensions {
            lhs_batching: find(&lhs_order, 0, b), rhs_batching: find(&rhs_order, 0, b),
            lhs_contracting: find(&lhs_order, b, c), rhs_contracting: find(&rhs_order, b, c),
        };
        let result = dot_general(lhs.view(), rhs.view(), &dimensions).unwrap();
        // The free dimensions come in the operand's order.
        let free = |order: &[usize]| -> Vec<usize> { order.iter().copied().filter(|&d| d >= c).collect() };
        let (rows_order, columns_order) = (free(&lhs_order), free(&rhs_order));
        let (left, right) = (numbers(&left), numbers(&right));
        for index in all(result.shape()) {
            let mut sum = 0;
            for inner in all(&contracted) {
                let mut l = [&index[..b], &inner, &vec![0; rows.len()][..]].concat();
                let mut r = [&index[..b], &inner, &vec![0; columns.len()][..]].concat();
                for (position, &dimension) in rows_order.iter().enumerate() {
                    l[dimension] = index[b + position];
                }
                for (position, &dimension) in columns_order.iter().enumerate() {
                    r[dimension] = index[b + rows.len() + position];
                }
                sum += left[&l[..]] * right[&r[..]];
            }
            prop_assert_eq!(result[&index[..]], sum);
        }
    }

    #[test]
    fn convolution_is_a_sum_over_the_window(
        (shape, window) in windows(2), reversal in vec(any::<bool>(), 2), group_kind in 0usize..3,
        lhs_order in shuffled(4), rhs_order in shuffled(4), out_order in shuffled(4),
    ) {
        let (features, batches) = [(1, 1), (2, 1), (1, 2)][group_kind];
        let (batch, channels, outputs) = (2 * batches, 3, 4);
        // In the order batch or output features, input features, space.
        let lhs = numbers(&[batch, channels * features, shape[0], shape[1]]);
        let rhs = numbers(&[outputs, channels, window.window_dimensions[0], window.window_dimensions[1]]);
        let place = |order: &[usize], wanted: usize| order.iter().position(|&d| d == wanted).unwrap();
        let result = convolution(
            lhs.clone().permuted_axes(lhs_order.clone()).view(),
            rhs.clone().permuted_axes(rhs_order.clone()).view(),
            &Convolution {
                window_strides: window.window_strides.clone(),
                padding: window.padding.clone(),
                lhs_dilation: window.base_dilations.clone(),
                rhs_dilation: window.window_dilations.clone(),
                window_reversal: reversal.clone(),
                input_batch_dimension: place(&lhs_order, 0),
                input_feature_dimension: place(&lhs_order, 1),
                input_spatial_dimensions: vec![place(&lhs_order, 2), place(&lhs_order, 3)],
                kernel_output_feature_dimension: place(&rhs_order, 0),
                kernel_input_feature_dimension: place(&rhs_order, 1),
                kernel_spatial_dimensions: vec![place(&rhs_order, 2), place(&rhs_order, 3)],
                output_batch_dimension: place(&out_order, 0),
                output_feature_dimension: place(&out_order, 1),
                output_spatial_dimensions: vec![place(&out_order, 2), place(&out_order, 3)],
                feature_group_count: features,
                batch_group_count: batches,
            },
        ).unwrap();
        let (counts, see) = naive_windows(&shape, &window);
        let expected = ArrayD::from_shape_fn(IxDyn(&[batch / batches, outputs, counts[0], counts[1]]), |index| {
            let index = at(&index);
            let group = index[1] / (outputs / (features * batches));
            let (batch_at, first) =
                if batches > 1 { (group * (batch / batches) + index[0], 0) } else { (index[0], group * channels) };
            let mut sum = 0;
            for element in all(&window.window_dimensions) {
                let Some(seen) = see(&index[2..], &element) else { continue };
                let kernel: Vec<usize> = (0..2)
                    .map(|d| if reversal[d] { window.window_dimensions[d] - 1 - element[d] } else { element[d] })
                    .collect();
                for channel in 0..channels {
                    let input = lhs[[batch_at, first + channel, seen[0], seen[1]].as_slice()];
                    sum += input * rhs[[index[1], channel, kernel[0], kernel[1]].as_slice()];
                }
            }
            sum
        });
        prop_assert_eq!(result, expected.permuted_axes(out_order));
    }

    #[test]
    fn reduce_window_folds_what_the_window_sees((shape, window) in windows(2)) {
        let operand = numbers(&shape);
        // Not commutative and not associative: the order counts.
        let fold = |sum: i64, value: i64| sum.wrapping_mul(3).wrapping_add(value);
        let result = reduce_window(operand.view(), 7, &window, fold).unwrap();
        let (counts, see) = naive_windows(&shape, &window);
        let expected = ArrayD::from_shape_fn(IxDyn(&counts), |place| {
            let seen = all(&window.window_dimensions).into_iter().map(|element| see(&at(&place), &element));
            seen.fold(7, |sum, seen| fold(sum, seen.map_or(7, |seen| operand[&seen[..]])))
        });
        prop_assert_eq!(result, expected);
    }

    #[test]
    fn select_and_scatter_goes_to_the_first_largest((shape, mut window) in windows(2)) {
        window.base_dilations = vec![1; 2];
        window.window_dilations = vec![1; 2];
        let operand = numbers(&shape);
        let (counts, see) = naive_windows(&shape, &window);
        let source = numbers(&counts);
        let attributes = SelectAndScatter {
            window_dimensions: window.window_dimensions.clone(),
            window_strides: window.window_strides.clone(),
            padding: window.padding.clone(),
        };
        let select = |chosen, other| Ok::<_, Refused>(chosen >= other);
        let result =
            select_and_scatter(operand.view(), source.view(), 100, &attributes, select, |old, new| Ok(old + new)).unwrap();
        let mut expected = ArrayD::from_elem(IxDyn(&shape), 100);
        for place in all(&counts) {
            let seen = all(&window.window_dimensions).into_iter().filter_map(|element| see(&place, &element));
            // `max_by_key` takes the last one, so the list is turned round.
            let best = seen.collect::<Vec<_>>().into_iter().rev().max_by_key(|seen| operand[&seen[..]]);
            if let Some(best) = best {
                expected[&best[..]] += source[&place[..]];
            }
        }
        prop_assert_eq!(result, expected);
    }

    #[test]
    fn reduce_folds_in_row_major_order(shape in shape(0..5), chosen in subsequence(vec![0usize, 1, 2, 3], 0..4)) {
        let dimensions: Vec<usize> = chosen.into_iter().filter(|&d| d < shape.len()).collect();
        let operand = numbers(&shape);
        let fold = |sum: i64, value: i64| sum.wrapping_mul(3).wrapping_add(value);
        let kept: Vec<usize> = (0..shape.len()).filter(|d| !dimensions.contains(d)).collect();
        let result_shape: Vec<usize> = kept.iter().map(|&d| shape[d]).collect();
        let mut expected = ArrayD::from_elem(IxDyn(&result_shape), 7);
        let mut sums = ArrayD::from_elem(IxDyn(&result_shape), 7);
        for index in all(&shape) {
            let place: Vec<usize> = kept.iter().map(|&d| index[d]).collect();
            expected[&place[..]] = fold(expected[&place[..]], operand[&index[..]]);
            sums[&place[..]] += operand[&index[..]];
        }
        prop_assert_eq!(reduce(operand.view(), 7, &dimensions, fold).unwrap(), expected.clone());
        prop_assert_eq!(sum(operand.view(), 7, &dimensions).unwrap(), sums);
        let reduction = Reduction::new(&shape, &dimensions).unwrap();
        let mut visited = vec![7; result_shape.iter().product()];
        let elements: Vec<i64> = operand.iter().copied().collect();
        reduction.visit(|result, element| {
            visited[result] = fold(visited[result], elements[element]);
            Ok::<(), ()>(())
        }).unwrap();
        prop_assert_eq!(visited, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn pad_places_each_element(
        shape in vec(0usize..5, 2), low in vec(-4i64..4, 2), high in vec(-4i64..4, 2), interior in vec(0usize..3, 2),
    ) {
        let operand = numbers(&shape);
        let sizes: Vec<i64> =
            (0..2).map(|d| padded_size(shape[d], interior[d] + 1, (low[d], high[d]))).collect();
        let result = pad(operand.view(), 99, &low, &high, &interior);
        if sizes.iter().any(|&size| size < 0) {
            prop_assert!(result.is_err());
            return Ok(());
        }
        let sizes: Vec<usize> = sizes.iter().map(|&size| size as usize).collect();
        let expected = ArrayD::from_shape_fn(IxDyn(&sizes), |index| {
            let from: Option<Vec<usize>> =
                (0..2).map(|d| padded(index[d] as i64, low[d], interior[d] + 1, shape[d])).collect();
            from.map_or(99, |from| operand[&from[..]])
        });
        prop_assert_eq!(result.unwrap(), expected);
    }

    #[test]
    fn slices_are_moved_inside(
        sizes in vec((0usize..5, 0usize..5), 1..4), starts in vec(-3i64..8, 3),
    ) {
        let shape: Vec<usize> = sizes.iter().map(|&(a, b)| a.max(b)).collect();
        let slice: Vec<usize> = sizes.iter().map(|&(a, b)| a.min(b)).collect();
        let starts = &starts[..shape.len()];
        let operand = numbers(&shape);
        let from = |index: &[usize]| -> Vec<usize> {
            (0..shape.len()).map(|d| starts[d].clamp(0, (shape[d] - slice[d]) as i64) as usize + index[d]).collect()
        };
        let expected = ArrayD::from_shape_fn(IxDyn(&slice), |index| operand[&from(&at(&index))[..]]);
        prop_assert_eq!(dynamic_slice(operand.view(), starts, &slice).unwrap(), expected.clone());
        let update = expected.mapv(|value| value + 50);
        let mut updated = operand.clone();
        for index in all(&slice) {
            updated[&from(&index)[..]] += 50;
        }
        prop_assert_eq!(dynamic_update_slice(operand, update.view(), starts).unwrap(), updated);
    }

    #[test]
    fn sorting_is_stable_and_agrees_with_the_standard_library(shape in vec(0usize..7, 1..4), dimension in 0usize..3) {
        let dimension = dimension % shape.len();
        let operand = numbers(&shape);
        let elements: Vec<i64> = operand.iter().copied().collect();
        let order = sort_order(&shape, dimension, |a, b| Ok::<_, Refused>(elements[a] < elements[b])).unwrap();
        let sorted = reorder(operand.view(), &order).unwrap();
        prop_assert_eq!(&sorted, &sort(operand.view(), dimension, false).unwrap());
        let order = ArrayD::from_shape_vec(IxDyn(&shape), order).unwrap();
        for (values, places) in
            sorted.lanes(ndarray::Axis(dimension)).into_iter().zip(order.lanes(ndarray::Axis(dimension)))
        {
            for at in 1..values.len() {
                prop_assert!((values[at - 1], places[at - 1]) < (values[at], places[at]));
            }
        }
        let last = shape.len() - 1;
        let (largest, places) = top_k(operand.view(), shape[last].min(3)).unwrap();
        let descending = sort(operand.view(), last, true).unwrap();
        for index in all(largest.shape()) {
            let mut from = index.clone();
            from[last] = places[&index[..]] as usize;
            prop_assert_eq!(largest[&index[..]], descending[&index[..]]);
            prop_assert_eq!(largest[&index[..]], operand[&from[..]]);
        }
    }

    /// No order at all still gives a permutation.
    #[test]
    fn a_comparator_that_is_no_order_does_no_harm(answers in vec(any::<bool>(), 64), length in 0usize..40) {
        let mut calls = 0;
        let mut order = sort_order(&[length], 0, |_, _| {
            calls += 1;
            Ok::<_, Refused>(answers[calls % answers.len()])
        }).unwrap();
        order.sort_unstable();
        prop_assert_eq!(order, (0..length).collect::<Vec<_>>());
    }

    /// Whatever the attributes: a result or an error.
    #[test]
    fn bad_attributes_are_refused_without_a_panic(
        shape in shape(0..4), other in shape(0..4), lists in vec(vec(0usize..4, 0..4), 6), number in 0usize..4,
        pairs in vec((any::<i64>(), -3i64..4), 0..4), sizes in vec(prop_oneof![0usize..4, Just(usize::MAX)], 0..4),
    ) {
        let (operand, indices) = (numbers(&shape), numbers(&other));
        let [a, b, c, d, e, f] = std::array::from_fn(|at| lists[at].clone());
        let gathered = gather(operand.view(), indices.view(), &Gather {
            offset_dims: a.clone(), collapsed_slice_dims: b.clone(), operand_batching_dims: c.clone(),
            start_indices_batching_dims: d.clone(), start_index_map: e.clone(), index_vector_dim: number,
            slice_sizes: f.clone(),
        });
        prop_assert!(gathered.is_err() || f.len() == shape.len());
        let numbers_of = Scatter {
            update_window_dims: a.clone(), inserted_window_dims: b.clone(), input_batching_dims: c.clone(),
            scatter_indices_batching_dims: d.clone(), scatter_dims_to_operand_dims: e.clone(), index_vector_dim: number,
        };
        let targets = scatter_targets(&shape, indices.view(), &f, &numbers_of);
        prop_assert!(targets.is_err() || targets.unwrap().len() == f.iter().product::<usize>());
        let dots = DotDimensions {
            lhs_batching: a.clone(), rhs_batching: b.clone(), lhs_contracting: c.clone(), rhs_contracting: d.clone(),
        };
        prop_assert!(dot_general(operand.view(), indices.view(), &dots).is_err() || a.len() == b.len());
        let window = Window {
            window_dimensions: sizes.clone(), window_strides: a.clone(), base_dilations: b.clone(),
            window_dilations: sizes.clone(), padding: pairs.clone(),
        };
        prop_assert!(Windows::new(&shape, &window).is_err() || sizes.len() == shape.len());
        let convolved = convolution(operand.view(), indices.view(), &Convolution {
            window_strides: a.clone(), padding: pairs.clone(), lhs_dilation: sizes.clone(), rhs_dilation: b.clone(),
            window_reversal: vec![true; c.len()], input_spatial_dimensions: c.clone(), input_feature_dimension: number,
            kernel_spatial_dimensions: d.clone(), output_spatial_dimensions: e.clone(), feature_group_count: number,
            ..Convolution::default()
        });
        prop_assert!(convolved.is_err() || c.len() + 2 == shape.len());
        let lows: Vec<i64> = pairs.iter().map(|pair| pair.0).collect();
        prop_assert!(pad(operand.view(), 0, &lows, &lows, &sizes).is_err() || lows.len() == shape.len());
        prop_assert!(dynamic_slice(operand.view(), &lows, &sizes).is_err() || sizes.len() == shape.len());
        prop_assert!(reduce(operand.view(), 0, &a, |a, _| a).is_err() || a.iter().all(|&d| d < shape.len()));
        let real = operand.mapv(|value| value as f64);
        prop_assert!(cholesky(real.view(), true).is_err() || shape.len() >= 2);
        prop_assert!(lu(real.view()).is_err() || shape.len() >= 2);
        prop_assert!(qr(real.view()).is_err() || shape.len() >= 2);
        prop_assert!(rfft(real.view(), &a).is_err() || a.len() <= shape.len());
        let other = indices.mapv(|value| value as f64);
        prop_assert!(triangular_solve(real.view(), other.view(), TriangularSolve::default()).is_err() || shape.len() >= 2);
        prop_assert!(batch_norm_training(real.view(), other.view(), other.view(), 0.1, number).is_err() || number < shape.len());
    }
}

#[test]
fn a_window_larger_than_any_array_is_refused() {
    let window = Window {
        window_dimensions: vec![usize::MAX],
        window_strides: vec![1],
        base_dilations: vec![1],
        window_dilations: vec![usize::MAX],
        padding: vec![(0, 0)],
    };
    assert!(Windows::new(&[3], &window).is_err());
}
