//! `convolution`.

use std::ops::Range;

use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD, Axis};

use super::position::{
    Tap, Taps, advance, assemble, elements, require, require_dimensions, row_major, strides, volume,
};
use super::{Arithmetic, Refused};

const OPERATION: &str = "convolution";

/// How many elements of unfolded input are held at once.
const BLOCK: usize = 1 << 18;

/// The attributes of a convolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Convolution {
    /// One for each spatial dimension.
    pub window_strides: Vec<usize>,
    /// Low and high padding of each spatial dimension; negative cuts.
    pub padding: Vec<(i64, i64)>,
    /// Dilation of the input, at least 1.
    pub lhs_dilation: Vec<usize>,
    /// Dilation of the kernel, at least 1.
    pub rhs_dilation: Vec<usize>,
    /// Whether the kernel is read backwards.
    pub window_reversal: Vec<bool>,
    /// Place in the input.
    pub input_batch_dimension: usize,
    /// Place in the input.
    pub input_feature_dimension: usize,
    /// Places in the input.
    pub input_spatial_dimensions: Vec<usize>,
    /// Place in the kernel.
    pub kernel_input_feature_dimension: usize,
    /// Place in the kernel.
    pub kernel_output_feature_dimension: usize,
    /// Places in the kernel.
    pub kernel_spatial_dimensions: Vec<usize>,
    /// Place in the result.
    pub output_batch_dimension: usize,
    /// Place in the result.
    pub output_feature_dimension: usize,
    /// Places in the result.
    pub output_spatial_dimensions: Vec<usize>,
    /// At least 1; not more than 1 together with `batch_group_count`.
    pub feature_group_count: usize,
    /// At least 1.
    pub batch_group_count: usize,
}

/// `convolution`. Both operands have the element type of the result: convert before.
pub fn convolution<T: Arithmetic>(
    lhs: ArrayViewD<'_, T>,
    rhs: ArrayViewD<'_, T>,
    attributes: &Convolution,
) -> Result<ArrayD<T>, Refused> {
    let plan = Plan::new(lhs.shape(), rhs.shape(), attributes)?;
    let input = elements(&lhs);
    let kernel = plan.kernel(rhs, attributes)?;
    let places: usize = plan.taps.places.iter().product();
    let [batch, features] = [plan.batch, plan.output_features];
    let group_features = features / plan.groups;
    let group_rows = volume(OPERATION, &[batch, places])?;
    let mut result = Array2::from_elem((group_rows, features), T::zero());
    let depth = kernel.nrows();
    if volume(OPERATION, &[group_rows, features])? > 0 && depth > 0 {
        let block = (BLOCK / depth).clamp(1, group_rows);
        let mut columns = vec![T::zero(); block * depth];
        for group in 0..plan.groups {
            let range = group * group_features..(group + 1) * group_features;
            let kernel = kernel.slice_axis(Axis(1), range.clone().into());
            for start in (0..group_rows).step_by(block) {
                let end = (start + block).min(group_rows);
                plan.unfold(&input, group, start..end, &mut columns);
                let rows = &columns[..(end - start) * depth];
                let rows = ArrayView2::from_shape((end - start, depth), rows)
                    .map_err(|error| Refused { operation: OPERATION, reason: error.to_string() })?;
                let mut result = result.slice_axis_mut(Axis(0), (start..end).into());
                T::matrix_product(rows, kernel, result.slice_axis_mut(Axis(1), range.clone().into()));
            }
        }
    }
    plan.arrange(result, attributes)
}

/// Shapes and offsets of one convolution.
struct Plan {
    taps: Taps,
    groups: usize,
    /// Sizes in the result.
    batch: usize,
    output_features: usize,
    /// Input features that one kernel sees.
    input_features: usize,
    feature_stride: usize,
    batch_stride: usize,
    /// How far the input of the next group is.
    group_offset: usize,
}

impl Plan {
    fn new(lhs: &[usize], rhs: &[usize], attributes: &Convolution) -> Result<Plan, Refused> {
        let a = attributes;
        let spatial = a.input_spatial_dimensions.len();
        let input = [&[a.input_batch_dimension, a.input_feature_dimension], a.input_spatial_dimensions.as_slice()];
        let kernel = [
            &[a.kernel_input_feature_dimension, a.kernel_output_feature_dimension],
            a.kernel_spatial_dimensions.as_slice(),
        ];
        let output = [&[a.output_batch_dimension, a.output_feature_dimension], a.output_spatial_dimensions.as_slice()];
        for dimensions in [input.concat(), kernel.concat(), output.concat()] {
            require_dimensions(OPERATION, &dimensions, spatial + 2)?;
            require(dimensions.len() == spatial + 2, OPERATION, || "dimension numbers differ in length".to_string())?;
        }
        let lengths = [
            a.window_strides.len(),
            a.padding.len(),
            a.lhs_dilation.len(),
            a.rhs_dilation.len(),
            a.window_reversal.len(),
        ];
        require(lengths == [spatial; 5], OPERATION, || format!("attributes are not for {spatial} dimensions"))?;
        require(lhs.len() == spatial + 2 && rhs.len() == spatial + 2, OPERATION, || {
            format!("{lhs:?} and {rhs:?} do not have {spatial} spatial dimensions")
        })?;
        let (feature_groups, batch_groups) = (a.feature_group_count, a.batch_group_count);
        require(feature_groups.min(batch_groups) == 1, OPERATION, || "one group count must be 1".to_string())?;
        let (batch, features) = (lhs[a.input_batch_dimension], lhs[a.input_feature_dimension]);
        let input_features = rhs[a.kernel_input_feature_dimension];
        let output_features = rhs[a.kernel_output_feature_dimension];
        let groups = feature_groups.max(batch_groups);
        require(
            features.is_multiple_of(feature_groups)
                && batch.is_multiple_of(batch_groups)
                && output_features.is_multiple_of(groups)
                && features / feature_groups == input_features,
            OPERATION,
            || format!("the features of {lhs:?} and {rhs:?} do not go together"),
        )?;
        let steps = strides(lhs);
        let taps: Vec<Tap> = (0..spatial)
            .map(|position| Tap {
                size: lhs[a.input_spatial_dimensions[position]],
                step: steps[a.input_spatial_dimensions[position]],
                window: rhs[a.kernel_spatial_dimensions[position]],
                stride: a.window_strides[position],
                base_dilation: a.lhs_dilation[position],
                window_dilation: a.rhs_dilation[position],
                padding: a.padding[position],
            })
            .collect();
        let (feature_stride, batch_stride) = (steps[a.input_feature_dimension], steps[a.input_batch_dimension]);
        Ok(Plan {
            taps: Taps::new(OPERATION, &taps)?,
            groups,
            batch: batch / batch_groups,
            output_features,
            input_features,
            feature_stride,
            batch_stride,
            group_offset: if batch_groups > 1 {
                batch / batch_groups * batch_stride
            } else {
                input_features * feature_stride
            },
        })
    }

    /// The kernel as a matrix: a row for each element of the window and input feature, a column for each output feature.
    fn kernel<T: Copy>(&self, mut rhs: ArrayViewD<'_, T>, a: &Convolution) -> Result<Array2<T>, Refused> {
        for (&dimension, &reversed) in a.kernel_spatial_dimensions.iter().zip(&a.window_reversal) {
            if reversed {
                rhs.invert_axis(Axis(dimension));
            }
        }
        let others = [a.kernel_input_feature_dimension, a.kernel_output_feature_dimension];
        let order = [a.kernel_spatial_dimensions.as_slice(), &others].concat();
        let depth = volume(OPERATION, rhs.shape())?.checked_div(self.output_features).unwrap_or(0);
        let kernel: Vec<T> = rhs.permuted_axes(order).iter().copied().collect();
        Array2::from_shape_vec((depth, self.output_features), kernel)
            .map_err(|error| Refused { operation: OPERATION, reason: error.to_string() })
    }

    /// Writes what the kernel sees at each of `rows` (a batch and a place), one row after another.
    fn unfold<T: Arithmetic>(&self, input: &[T], group: usize, rows: Range<usize>, columns: &mut [T]) {
        let places: usize = self.taps.places.iter().product();
        let mut place = vec![0; self.taps.places.len()];
        let mut rest = rows.start % places;
        for (index, &size) in place.iter_mut().zip(&self.taps.places).rev() {
            *index = rest % size;
            rest /= size;
        }
        let (mut seen, mut spare) = (Vec::new(), Vec::new());
        let mut columns = columns.chunks_exact_mut(self.input_features);
        for row in rows {
            let base = row / places * self.batch_stride + group * self.group_offset;
            self.taps.see(&place, base, &mut seen, &mut spare);
            for (&seen, columns) in seen.iter().zip(&mut columns) {
                match seen {
                    Some(at) if self.feature_stride == 1 => columns.copy_from_slice(&input[at..at + columns.len()]),
                    Some(at) => {
                        let features = input[at..].iter().step_by(self.feature_stride);
                        for (column, &feature) in columns.iter_mut().zip(features) {
                            *column = feature;
                        }
                    }
                    None => columns.fill(T::zero()),
                }
            }
            advance(&mut place, &self.taps.places);
        }
    }

    /// Brings batch, places and features to the dimensions of the result.
    fn arrange<T: Copy>(&self, result: Array2<T>, a: &Convolution) -> Result<ArrayD<T>, Refused> {
        let shape = [&[self.batch], self.taps.places.as_slice(), &[self.output_features]].concat();
        let result = assemble(OPERATION, &shape, result.into_raw_vec_and_offset().0)?;
        let mut order = vec![0; shape.len()];
        order[a.output_feature_dimension] = shape.len() - 1;
        for (position, &dimension) in a.output_spatial_dimensions.iter().enumerate() {
            order[dimension] = position + 1;
        }
        Ok(row_major(result.permuted_axes(order)))
    }
}
