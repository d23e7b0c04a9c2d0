//! `batch_norm_training`, `batch_norm_inference`, `batch_norm_grad`.

use ndarray::{ArrayD, ArrayViewD};

use super::position::{assemble, elements, require, volume};
use super::reduce::sum;
use super::{Field, Refused};

/// The results of `batch_norm_training`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormTraining<T> {
    /// The normalized operand.
    pub output: ArrayD<T>,
    /// The mean of each feature.
    pub batch_mean: ArrayD<T>,
    /// The variance of each feature.
    pub batch_var: ArrayD<T>,
}

/// The results of `batch_norm_grad`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormGradient<T> {
    /// With respect to the operand.
    pub operand: ArrayD<T>,
    /// With respect to the scale.
    pub scale: ArrayD<T>,
    /// With respect to the offset.
    pub offset: ArrayD<T>,
}

/// `batch_norm_training`.
pub fn batch_norm_training<T: Field>(
    operand: ArrayViewD<'_, T>,
    scale: ArrayViewD<'_, T>,
    offset: ArrayViewD<'_, T>,
    epsilon: f64,
    feature_index: usize,
) -> Result<BatchNormTraining<T>, Refused> {
    let layout = Layout::new("batch_norm_training", operand.shape(), feature_index)?;
    let count = T::from_f64(layout.count());
    let batch_mean = layout.sums(operand.view())?.mapv(|sum| sum.div(count));
    let mean = layout.features(batch_mean.view())?;
    let squares = layout.map(&elements(&operand), |feature, value| {
        let centered = value.sub(mean[feature]);
        centered.mul(centered)
    })?;
    let batch_var = layout.sums(squares.view())?.mapv(|sum| sum.div(count));
    let output = normalize(&layout, operand, [scale, offset, batch_mean.view(), batch_var.view()], epsilon)?;
    Ok(BatchNormTraining { output, batch_mean, batch_var })
}

/// `batch_norm_inference`.
pub fn batch_norm_inference<T: Field>(
    operand: ArrayViewD<'_, T>,
    scale: ArrayViewD<'_, T>,
    offset: ArrayViewD<'_, T>,
    mean: ArrayViewD<'_, T>,
    variance: ArrayViewD<'_, T>,
    epsilon: f64,
    feature_index: usize,
) -> Result<ArrayD<T>, Refused> {
    let layout = Layout::new("batch_norm_inference", operand.shape(), feature_index)?;
    normalize(&layout, operand, [scale, offset, mean, variance], epsilon)
}

/// `batch_norm_grad`.
pub fn batch_norm_grad<T: Field>(
    operand: ArrayViewD<'_, T>,
    scale: ArrayViewD<'_, T>,
    mean: ArrayViewD<'_, T>,
    variance: ArrayViewD<'_, T>,
    grad_output: ArrayViewD<'_, T>,
    epsilon: f64,
    feature_index: usize,
) -> Result<BatchNormGradient<T>, Refused> {
    let layout = Layout::new("batch_norm_grad", operand.shape(), feature_index)?;
    require(grad_output.shape() == operand.shape(), layout.operation, || {
        format!("the gradient {:?} is not of the shape {:?}", grad_output.shape(), operand.shape())
    })?;
    let (scale, mean) = (layout.features(scale)?, layout.features(mean)?);
    let variance = shifted(&layout.features(variance)?, epsilon);
    let deviation: Vec<T> = variance.iter().map(|variance| variance.square_root()).collect();
    let count = T::from_f64(layout.count());
    let gradients = elements(&grad_output);
    let centered = layout.map(&elements(&operand), |feature, value| value.sub(mean[feature]))?;
    let products = centered.iter().zip(gradients.iter()).map(|(centered, &gradient)| centered.mul(gradient)).collect();
    let along = layout.sums(assemble(layout.operation, operand.shape(), products)?.view())?;
    let offset = layout.sums(grad_output.view())?;
    let (along_values, offset_values) = (elements(&along.view()).into_owned(), elements(&offset.view()).into_owned());
    let mut gradient = gradients.iter();
    let operand = layout.map(&elements(&centered.view()), |feature, centered| {
        let gradient = gradient.next().copied().unwrap_or(T::zero());
        let drift = along_values[feature].mul(centered).div(variance[feature]);
        let change = gradient.mul(count).sub(offset_values[feature]).sub(drift);
        scale[feature].div(deviation[feature]).div(count).mul(change)
    })?;
    let scale = along_values.iter().zip(&deviation).map(|(along, &deviation)| along.div(deviation)).collect();
    Ok(BatchNormGradient { operand, scale: assemble(layout.operation, along.shape(), scale)?, offset })
}

/// Where the features of an operand are.
struct Layout {
    operation: &'static str,
    shape: Vec<usize>,
    feature_index: usize,
    /// Elements of one feature that are neighbours.
    inner: usize,
}

impl Layout {
    fn new(operation: &'static str, shape: &[usize], feature_index: usize) -> Result<Layout, Refused> {
        require(feature_index < shape.len(), operation, || format!("{shape:?} has no dimension {feature_index}"))?;
        volume(operation, shape)?;
        let inner = shape[feature_index + 1..].iter().product();
        Ok(Layout { operation, shape: shape.to_vec(), feature_index, inner })
    }

    /// How many elements one feature has.
    fn count(&self) -> f64 {
        let outer: usize = self.shape[..self.feature_index].iter().product();
        (outer * self.inner) as f64
    }

    /// A number for each feature.
    fn features<T: Copy>(&self, values: ArrayViewD<'_, T>) -> Result<Vec<T>, Refused> {
        require(values.shape() == [self.shape[self.feature_index]], self.operation, || {
            format!("{:?} is not one number for each feature of {:?}", values.shape(), self.shape)
        })?;
        Ok(elements(&values).into_owned())
    }

    fn sums<T: Field>(&self, array: ArrayViewD<'_, T>) -> Result<ArrayD<T>, Refused> {
        let others: Vec<usize> = (0..self.shape.len()).filter(|&dimension| dimension != self.feature_index).collect();
        sum(array, T::zero(), &others)
    }

    /// Maps each element together with the number of its feature, in row-major order.
    fn map<T: Copy>(&self, elements: &[T], mut change: impl FnMut(usize, T) -> T) -> Result<ArrayD<T>, Refused> {
        let features = self.shape[self.feature_index].max(1);
        let runs = elements.chunks(self.inner.max(1)).enumerate();
        let mut changed = Vec::with_capacity(elements.len());
        for (run, elements) in runs {
            changed.extend(elements.iter().map(|&element| change(run % features, element)));
        }
        assemble(self.operation, &self.shape, changed)
    }
}

fn shifted<T: Field>(variance: &[T], epsilon: f64) -> Vec<T> {
    variance.iter().map(|variance| variance.add(T::from_f64(epsilon))).collect()
}

fn normalize<T: Field>(
    layout: &Layout,
    operand: ArrayViewD<'_, T>,
    [scale, offset, mean, variance]: [ArrayViewD<'_, T>; 4],
    epsilon: f64,
) -> Result<ArrayD<T>, Refused> {
    let (scale, offset, mean) = (layout.features(scale)?, layout.features(offset)?, layout.features(mean)?);
    let variance = shifted(&layout.features(variance)?, epsilon);
    let deviation: Vec<T> = variance.iter().map(|variance| variance.square_root()).collect();
    layout.map(&elements(&operand), |feature, value| {
        value.sub(mean[feature]).div(deviation[feature]).mul(scale[feature]).add(offset[feature])
    })
}
