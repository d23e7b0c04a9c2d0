//! Operations that move elements about and do not look at them.

use ndarray::IxDyn;

use super::elementwise::{elements, shared};
use super::kernels;
use super::kernels::Field;
use super::scalar::FloatScalar;
use super::tensor::{Array, Element, Tensor, TensorShape, same_element, wrap_signed, wrap_unsigned};
use num_complex::Complex;

/// An array of elements that fit the shape.
pub(super) fn array_of<T>(shape: &[usize], elements: Vec<T>) -> Array<T> {
    Array::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape says")
}

/// How far apart neighbours are in each dimension of a row-major array.
fn row_major_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for dimension in (0..shape.len().saturating_sub(1)).rev() {
        strides[dimension] = strides[dimension + 1] * shape[dimension + 1] as isize;
    }
    strides
}

/// The elements at `offset` plus any sum of strides, in row-major order of `shape`. All of them are in `source`.
fn strided<T: Copy>(source: &[T], offset: usize, shape: &[usize], strides: &[isize]) -> Vec<T> {
    let count = shape.iter().product();
    let mut result = Vec::with_capacity(count);
    if count == 0 {
        return result;
    }
    let (shape, strides) = merged(shape, strides);
    let Some((&inner, outer_shape)) = shape.split_last() else {
        result.push(source[offset]);
        return result;
    };
    let step = strides[outer_shape.len()];
    let mut position = vec![0; outer_shape.len()];
    let mut at = offset as isize;
    loop {
        let start = at as usize;
        match step {
            1 => result.extend_from_slice(&source[start..start + inner]),
            0 => result.resize(result.len() + inner, source[start]),
            _ => result.extend((0..inner as isize).map(|index| source[(at + index * step) as usize])),
        }
        let mut dimension = outer_shape.len();
        loop {
            if dimension == 0 {
                return result;
            }
            dimension -= 1;
            position[dimension] += 1;
            at += strides[dimension];
            if position[dimension] < outer_shape[dimension] {
                break;
            }
            at -= strides[dimension] * outer_shape[dimension] as isize;
            position[dimension] = 0;
        }
    }
}

/// The same walk in as few dimensions as possible.
fn merged(shape: &[usize], strides: &[isize]) -> (Vec<usize>, Vec<isize>) {
    let (mut merged_shape, mut merged_strides) = (Vec::<usize>::new(), Vec::<isize>::new());
    for (&extent, &stride) in shape.iter().zip(strides) {
        if extent == 1 {
            continue;
        }
        match (merged_shape.last_mut(), merged_strides.last_mut()) {
            (Some(outer), Some(outer_stride)) if *outer_stride == stride * extent as isize => {
                *outer *= extent;
                *outer_stride = stride;
            }
            _ => {
                merged_shape.push(extent);
                merged_strides.push(stride);
            }
        }
    }
    (merged_shape, merged_strides)
}

/// `broadcast_in_dim`: dimension `dims[i]` of the result is dimension `i` of the operand.
pub(super) fn broadcast_in_dim<S: FloatScalar>(
    tensor: Tensor<S>,
    dims: &[usize],
    shape: &[usize],
) -> Result<Tensor<S>, String> {
    let own = tensor.shape().to_vec();
    if own == shape && dims.iter().enumerate().all(|(index, &dimension)| index == dimension) {
        return Ok(tensor);
    }
    if dims.len() != own.len() {
        return Err(format!("{} broadcast dimensions for an operand of rank {}", dims.len(), own.len()));
    }
    kernels::volume("broadcast_in_dim", shape)?;
    if (1..dims.len()).any(|index| dims[..index].contains(&dims[index])) {
        return Err(format!("the broadcast dimensions {dims:?} are not distinct"));
    }
    let mut strides = vec![0; shape.len()];
    for ((&dimension, &extent), stride) in dims.iter().zip(&own).zip(row_major_strides(&own)) {
        match shape.get(dimension) {
            Some(_) if extent == 1 => {}
            Some(&target) if extent == target => strides[dimension] = stride,
            _ => return Err(format!("the shape {own:?} cannot be broadcast to {shape:?} along {dims:?}")),
        }
    }
    if dims.is_empty() {
        return same_element!(tensor, |array| array_of(shape, vec![elements(&array)[0]; shape.iter().product()]));
    }
    same_element!(tensor, |array| array_of(shape, strided(elements(&array), 0, shape, &strides)))
}

/// Broadcasts two operands to one shape: trailing dimensions go together, or `dims` says where those of the operand of
/// smaller rank go.
pub(super) fn broadcast_together<S: FloatScalar>(
    tensors: Vec<Tensor<S>>,
    dims: Option<&[usize]>,
) -> Result<Vec<Tensor<S>>, String> {
    let rank = tensors.iter().map(|tensor| tensor.shape().len()).max().unwrap_or(0);
    let places = |tensor: &Tensor<S>| -> Vec<usize> {
        let own = tensor.shape().len();
        match dims {
            Some(dims) if own < rank && dims.len() == own => dims.to_vec(),
            _ => (rank - own..rank).collect(),
        }
    };
    let mut shape = vec![1; rank];
    for tensor in &tensors {
        for (place, &extent) in places(tensor).into_iter().zip(tensor.shape()) {
            match shape.get_mut(place) {
                Some(common) if *common == 1 => *common = extent,
                Some(_) => {}
                None => return Err("the operands cannot be broadcast to one shape".into()),
            }
        }
    }
    tensors
        .into_iter()
        .map(|tensor| {
            let dims = places(&tensor);
            broadcast_in_dim(tensor, &dims, &shape)
        })
        .collect()
}

/// `reshape`.
pub(super) fn reshape<S: FloatScalar>(tensor: Tensor<S>, shape: &[usize]) -> Result<Tensor<S>, String> {
    if tensor.element_count() != kernels::volume("reshape", shape)? {
        return Err(format!("{} elements do not fit the shape {shape:?}", tensor.element_count()));
    }
    same_element!(tensor, |array| array.into_shape_with_order(IxDyn(shape)).expect("as many elements as before"))
}

/// `transpose`: dimension `i` of the result is dimension `permutation[i]` of the operand.
pub(super) fn transpose<S: FloatScalar>(tensor: Tensor<S>, permutation: &[usize]) -> Result<Tensor<S>, String> {
    let own = tensor.shape();
    let mut sorted = permutation.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..own.len()) {
        return Err(format!("{permutation:?} is no permutation of {} dimensions", own.len()));
    }
    let own_strides = row_major_strides(own);
    let shape: Vec<usize> = permutation.iter().map(|&dimension| own[dimension]).collect();
    let strides: Vec<isize> = permutation.iter().map(|&dimension| own_strides[dimension]).collect();
    same_element!(tensor, |array| array_of(&shape, strided(elements(&array), 0, &shape, &strides)))
}

/// `slice`.
pub(super) fn slice<S: FloatScalar>(
    tensor: Tensor<S>,
    start: &[usize],
    limit: &[usize],
    step: &[usize],
) -> Result<Tensor<S>, String> {
    let own = tensor.shape();
    let is_inside = start.len() == own.len()
        && limit.len() == own.len()
        && step.len() == own.len()
        && (0..own.len()).all(|d| start[d] <= limit[d] && limit[d] <= own[d] && step[d] > 0);
    if !is_inside {
        return Err(format!("the slice from {start:?} to {limit:?} by {step:?} does not lie in the shape {own:?}"));
    }
    let own_strides = row_major_strides(own);
    let shape: Vec<usize> = (0..own.len()).map(|d| (limit[d] - start[d]).div_ceil(step[d])).collect();
    let offset = start.iter().zip(&own_strides).map(|(&start, &stride)| start * stride as usize).sum();
    let strides: Vec<isize> = own_strides.iter().zip(step).map(|(&stride, &step)| stride * step as isize).collect();
    same_element!(tensor, |array| array_of(&shape, strided(elements(&array), offset, &shape, &strides)))
}

/// `reverse`.
pub(super) fn reverse<S: FloatScalar>(tensor: Tensor<S>, dimensions: &[usize]) -> Result<Tensor<S>, String> {
    let shape = tensor.shape().to_vec();
    let mut strides = row_major_strides(&shape);
    let mut offset = 0;
    for (index, &dimension) in dimensions.iter().enumerate() {
        if dimensions[..index].contains(&dimension) {
            return Err(format!("the dimension {dimension} is reversed twice"));
        }
        let extent = *shape.get(dimension).ok_or_else(|| format!("there is no dimension {dimension}"))?;
        offset += strides[dimension] as usize * extent.saturating_sub(1);
        strides[dimension] = -strides[dimension];
    }
    same_element!(tensor, |array| array_of(&shape, strided(elements(&array), offset, &shape, &strides)))
}

/// `iota`: the position along a dimension.
pub(super) fn iota<S: FloatScalar>(shape: &TensorShape, dimension: usize) -> Result<Tensor<S>, String> {
    let extents = &shape.shape;
    let extent = *extents.get(dimension).ok_or_else(|| format!("there is no dimension {dimension}"))?;
    let count = kernels::volume("iota", extents)?;
    let inner: usize = extents[dimension + 1..].iter().product();
    let positions = (0..count).map(|position| position / inner % extent);
    let float = |position| <S as Field>::from_f64(position as f64);
    Ok(match shape.element {
        Element::Boolean => return Err(super::elementwise::not_defined("i1")),
        Element::Signed(bits) => Tensor::Signed(
            bits,
            array_of(extents, positions.map(|position| wrap_signed(position as i64, bits)).collect()),
        ),
        Element::Unsigned(bits) => Tensor::Unsigned(
            bits,
            array_of(extents, positions.map(|position| wrap_unsigned(position as u64, bits)).collect()),
        ),
        Element::Float(kind) => {
            Tensor::Float(kind, array_of(extents, positions.map(|position| float(position).rounded(kind)).collect()))
        }
        Element::Complex(kind) => {
            let number = |position| Complex::new(float(position), <S as Field>::from_f64(0.0));
            Tensor::Complex(kind, array_of(extents, positions.map(number).collect()))
        }
    })
}

/// `concatenate`.
pub(super) fn concatenate<S: FloatScalar>(tensors: &[Tensor<S>], dimension: usize) -> Result<Tensor<S>, String> {
    macro_rules! join {
        ($variant:ident, $wrap:expr) => {{
            let views = tensors.iter().map(|tensor| match tensor {
                Tensor::$variant(.., array) => Ok(array.view()),
                _ => Err(String::from(super::tensor::NOT_ALIKE)),
            });
            let views = views.collect::<Result<Vec<_>, String>>()?;
            $wrap(shared(kernels::concatenate(&views, dimension)?))
        }};
    }
    Ok(match tensors.first() {
        Some(Tensor::Boolean(_)) => join!(Boolean, Tensor::Boolean),
        Some(&Tensor::Signed(bits, _)) => join!(Signed, |array| Tensor::Signed(bits, array)),
        Some(&Tensor::Unsigned(bits, _)) => join!(Unsigned, |array| Tensor::Unsigned(bits, array)),
        Some(&Tensor::Float(kind, _)) => join!(Float, |array| Tensor::Float(kind, array)),
        Some(&Tensor::Complex(kind, _)) => join!(Complex, |array| Tensor::Complex(kind, array)),
        _ => return Err(super::tensor::NO_TENSOR.into()),
    })
}

/// `torch_index_select`.
pub(super) fn index_select<S: FloatScalar>(
    operand: &Tensor<S>,
    indices: &Tensor<S>,
    dimension: usize,
    batch_dims: usize,
) -> Result<Tensor<S>, String> {
    let (own, index_shape) = (operand.shape(), indices.shape());
    let fits = dimension < own.len()
        && batch_dims <= dimension
        && own.starts_with(&index_shape[..batch_dims.min(index_shape.len())])
        && batch_dims <= index_shape.len();
    if !fits {
        return Err("the dimensions do not fit the operands".into());
    }
    let shape: Vec<usize> =
        own[..dimension].iter().chain(&index_shape[batch_dims..]).chain(&own[dimension + 1..]).copied().collect();
    kernels::volume("torch_index_select", &shape)?;
    let indices = indices.as_integers()?;
    let indices = indices.as_slice().ok_or("the indices are not in order")?;
    let product = |extents: &[usize]| extents.iter().product::<usize>();
    let batch = product(&own[..batch_dims]);
    let outer = product(&own[batch_dims..dimension]);
    let inner = product(&own[dimension + 1..]);
    let per_batch = product(&index_shape[batch_dims..]);
    let extent = own[dimension];
    let mut positions = Vec::with_capacity(product(&shape));
    for batch in 0..batch {
        for outer_position in 0..outer {
            for &index in &indices[batch * per_batch..(batch + 1) * per_batch] {
                let index = index.clamp(0, extent.saturating_sub(1) as i64) as usize;
                let start = ((batch * outer + outer_position) * extent + index) * inner;
                positions.extend(start..start + inner);
            }
        }
    }
    same_element!(operand.clone(), |array| {
        let source = elements(&array);
        array_of(&shape, positions.iter().map(|&position| source[position]).collect())
    })
}
