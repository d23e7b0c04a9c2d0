//! Does one operation. Control flow is the machine's.

use super::elementwise::{self, elements, map, rounded, rounded_complex, shared};
use super::instruction::{Instruction, Step};
use super::kernels::{self, DotDimensions, Gather};
use super::machine::Machine;
use super::scalar::FloatScalar;
use super::tensor::{
    Element, NO_TENSOR, NOT_ALIKE, Tensor, TensorShape, same_element, same_elements, wrap_signed, wrap_unsigned,
};
use super::{convert, format, shape};
use crate::graph::OperationKind as Kind;

/// The operands of an operation, of which there are so many.
fn exactly<S, const COUNT: usize>(operands: Vec<Tensor<S>>) -> Result<[Tensor<S>; COUNT], String> {
    let found = operands.len();
    operands.try_into().map_err(|_| format!("there are {found} operands and not {COUNT}"))
}

/// The type of the only result, which must be known before the run.
fn result_type<S>(step: &Step<S>) -> Result<&TensorShape, String> {
    let first = step.types.first().and_then(Option::as_ref);
    first.ok_or_else(|| "the type of the result is not known before the run, or is not supported".into())
}

/// The element type of the only result.
fn result_element<S>(step: &Step<S>) -> Result<Element, String> {
    let first = step.elements.first().copied().flatten();
    first.ok_or_else(|| "the elements of the result are not supported".into())
}

impl<'p, 'g, S: FloatScalar> Machine<'p, 'g, '_, S> {
    /// Does an operation that has no control flow.
    pub(super) fn execute(
        &mut self,
        step: &'p Step<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
    ) -> Result<Vec<Tensor<S>>, String> {
        let one = |tensor: Tensor<S>| Ok(vec![tensor]);
        match &step.instruction {
            Instruction::Reduce { dimensions, combine } => self.reduce(combine, activation, operands, dimensions),
            Instruction::ReduceWindow { window, combine } => self.reduce_window(combine, activation, operands, window),
            Instruction::Scatter { attributes, combine } => self.scatter(combine, activation, operands, attributes),
            Instruction::SelectAndScatter { attributes, select, scatter } => {
                self.select_and_scatter(select, scatter, activation, operands, attributes)
            }
            Instruction::Sort { dimension, combine } => self.sort(combine, activation, operands, *dimension),
            Instruction::Map(combine) => self.map(step.operation, combine, activation, operands),
            Instruction::Scan(scan) => self.scan(scan, activation, operands),
            Instruction::Identity => Ok(operands),
            Instruction::Tuple => one(Tensor::Tuple(operands)),
            Instruction::GetTupleElement(index) => match exactly(operands)? {
                [Tensor::Tuple(mut items)] if *index < items.len() => one(items.swap_remove(*index)),
                _ => Err(format!("the operand has no element {index}")),
            },
            Instruction::Token => Ok(vec![Tensor::Token; step.results.len()]),
            Instruction::Zero => {
                let zero = |r#type: &Option<TensorShape>| {
                    let r#type = r#type.as_ref().ok_or("the type of the result is not supported")?;
                    zeros(r#type)
                };
                step.types.iter().map(zero).collect()
            }
            Instruction::Unsupported(why) => self.unsupported(step, why),
            Instruction::BatchNormTraining { .. } | Instruction::BatchNormGradient { .. } => {
                batch_norm(&step.instruction, operands)
            }
            // A hook may replace the constant.
            Instruction::Filled { constant, filled } => match exactly(operands)? {
                [operand] if self.is_hooked(*constant) => one(shape::broadcast_in_dim(operand, &[], filled.shape())?),
                [_] => one(filled.clone()),
            },
            Instruction::Random(distribution) => {
                let earlier = self.draws;
                self.draws += 1;
                one(super::rng::draw(*distribution, step.operation, earlier, &exactly(operands)?)?)
            }
            Instruction::RandomBits(algorithm) => random_bits(*algorithm, step, operands),
            Instruction::TopK(k) => top_k(operands, *k),
            Instruction::Threefry => threefry(operands),
            Instruction::Expect(expectation) => expectation.check(&operands),
            Instruction::Probe(name) => {
                if self.program.expects_probes() {
                    self.probed.entry(&**name).or_default().extend(operands.iter().cloned());
                }
                Ok(operands)
            }
            Instruction::ExpectProbed { probe, iteration } => {
                let [expected] = exactly(operands)?;
                let seen = self.probed.get(&**probe).map_or(&[][..], Vec::as_slice);
                match seen.get(*iteration) {
                    Some(found) => super::expectation::check_equal(found, &expected).map(|()| Vec::new()),
                    None => Err(format!("the probe \"{probe}\" saw {} values in this run", seen.len())),
                }
            }
            Instruction::Lapack(routine) => super::lapack::run(*routine, step, operands),
            _ => one(tensor_operation(step, operands)?),
        }
    }

    /// What cannot be run can still be replaced: then the hook is given zeros.
    fn unsupported(&self, step: &Step<S>, why: &str) -> Result<Vec<Tensor<S>>, String> {
        if !self.is_hooked(step.operation) {
            return Err(why.into());
        }
        let values = self.program.graph().results(step.operation);
        let results = step.types.iter().zip(values.iter()).map(|(r#type, value)| match r#type {
            Some(r#type) => zeros(r#type),
            None if self.program.graph().tensor_type(value).is_none() => Ok(Tensor::Token),
            None => Err(why.into()),
        });
        results.collect()
    }
}

fn zeros<S: FloatScalar>(r#type: &TensorShape) -> Result<Tensor<S>, String> {
    let words = if matches!(r#type.element, Element::Complex(_)) { 2 } else { 1 };
    let count: usize = r#type.shape.iter().product();
    Tensor::from_bits(r#type, &vec![0; count * words]).ok_or_else(|| "the type of the result is not supported".into())
}

/// Operations with one result that is a tensor.
fn tensor_operation<S: FloatScalar>(step: &Step<S>, mut operands: Vec<Tensor<S>>) -> Result<Tensor<S>, String> {
    match &step.instruction {
        Instruction::Constant(tensor) => Ok(tensor.clone()),
        Instruction::Unary(kind) => {
            let [operand] = exactly(operands)?;
            elementwise::unary(*kind, operand)
        }
        Instruction::Binary(kind) => {
            let [first, second] = exactly(operands)?;
            elementwise::binary(*kind, first, second)
        }
        Instruction::BroadcastBinary(kind, dims) => {
            let [first, second] = exactly(shape::broadcast_together(operands, dims.as_deref())?)?;
            elementwise::binary(*kind, first, second)
        }
        Instruction::IsSpecial(kind) => is_special(*kind, &operands),
        Instruction::Compare(comparison) => {
            let [first, second] = exactly(operands)?;
            elementwise::compare(*comparison, &first, &second)
        }
        Instruction::BroadcastCompare(comparison, dims) => {
            let [first, second] = exactly(shape::broadcast_together(operands, dims.as_deref())?)?;
            elementwise::compare(*comparison, &first, &second)
        }
        Instruction::Select => {
            let [predicate, on_true, on_false] = exactly(operands)?;
            elementwise::select(&predicate, on_true, on_false)
        }
        Instruction::BroadcastSelect => {
            let [predicate, on_true, on_false] = exactly(shape::broadcast_together(operands, None)?)?;
            elementwise::select(&predicate, on_true, on_false)
        }
        Instruction::BroadcastComplex(dims) => {
            let [real, imaginary] = exactly(shape::broadcast_together(operands, dims.as_deref())?)?;
            convert::complex(&real, &imaginary)
        }
        Instruction::Clamp => {
            let [low, operand, high] = exactly(operands)?;
            let extents = operand.shape().to_vec();
            let spread = |bound: Tensor<S>| match bound.shape() {
                [] => shape::broadcast_in_dim(bound, &[], &extents),
                _ => Ok(bound),
            };
            elementwise::binary(
                Kind::Minimum,
                elementwise::binary(Kind::Maximum, operand, spread(low)?)?,
                spread(high)?,
            )
        }
        Instruction::Convert => {
            let [operand] = exactly(operands)?;
            convert::convert(operand, result_element(step)?)
        }
        Instruction::BitcastConvert => {
            let [operand] = exactly(operands)?;
            convert::bitcast_convert(&operand, result_element(step)?)
        }
        Instruction::ReducePrecision { exponent_bits, mantissa_bits } => match exactly(operands)? {
            [Tensor::Float(kind, array)] => {
                let reduce = |value: S| {
                    let reduced = format::reduce_precision(kind, value.value(), *exponent_bits, *mantissa_bits);
                    // A rounding, as after every operation.
                    value.mapped(reduced, || 1.0)
                };
                Ok(Tensor::Float(kind, elementwise::map_in_place(array, reduce)))
            }
            _ => Err("the operand does not hold floats".into()),
        },
        Instruction::Real => {
            let [operand] = exactly(operands)?;
            convert::real_part(operand)
        }
        Instruction::Imaginary => {
            let [operand] = exactly(operands)?;
            convert::imaginary_part(operand)
        }
        Instruction::Complex => {
            let [real, imaginary] = exactly(operands)?;
            convert::complex(&real, &imaginary)
        }
        Instruction::BroadcastInDim(dims) => {
            let [operand] = exactly(operands)?;
            shape::broadcast_in_dim(operand, dims, &result_type(step)?.shape)
        }
        Instruction::DynamicBroadcastInDim(dims) => {
            let [operand, extents] = exactly(operands)?;
            shape::broadcast_in_dim(operand, dims, &convert::as_shape(&extents)?)
        }
        Instruction::Broadcast(sizes) => {
            let [operand] = exactly(operands)?;
            let extents = [sizes.as_slice(), operand.shape()].concat();
            let dims: Vec<usize> = (sizes.len()..extents.len()).collect();
            shape::broadcast_in_dim(operand, &dims, &extents)
        }
        Instruction::Reshape => {
            let [operand] = exactly(operands)?;
            shape::reshape(operand, &result_type(step)?.shape)
        }
        Instruction::DynamicReshape => {
            let [operand, extents] = exactly(operands)?;
            shape::reshape(operand, &convert::as_shape(&extents)?)
        }
        Instruction::Transpose(permutation) => {
            let [operand] = exactly(operands)?;
            shape::transpose(operand, permutation)
        }
        Instruction::Slice { start, limit, strides } => {
            let [operand] = exactly(operands)?;
            shape::slice(operand, start, limit, strides)
        }
        Instruction::RealDynamicSlice => {
            let [operand, start, limit, strides] = exactly(operands)?;
            let [start, limit, strides] = [&start, &limit, &strides].map(convert::as_shape);
            shape::slice(operand, &start?, &limit?, &strides?)
        }
        Instruction::Concatenate(dimension) => shape::concatenate(&operands, *dimension),
        Instruction::Reverse(dimensions) => {
            let [operand] = exactly(operands)?;
            shape::reverse(operand, dimensions)
        }
        Instruction::Iota(dimension) => shape::iota(result_type(step)?, *dimension),
        Instruction::DynamicIota(dimension) => {
            let [extents] = exactly(operands)?;
            let r#type = TensorShape { shape: convert::as_shape(&extents)?, element: result_element(step)? };
            shape::iota(&r#type, *dimension)
        }
        Instruction::Pad { low, high, interior } => {
            let [operand, value] = exactly(operands)?;
            pad(&operand, &value, low, high, interior)
        }
        Instruction::DynamicPad => {
            let [operand, value, low, high, interior] = exactly(operands)?;
            let integers =
                |tensor: &Tensor<S>| tensor.as_integers().map(|array| array.iter().copied().collect::<Vec<_>>());
            pad(&operand, &value, &integers(&low)?, &integers(&high)?, &convert::as_shape(&interior)?)
        }
        Instruction::DynamicSlice(sizes) => {
            let starts = indices(operands.get(1..).unwrap_or_default())?;
            let operand = operands.swap_remove(0);
            same_element!(operand, |array| shared(kernels::dynamic_slice(array.view(), &starts, sizes)?))
        }
        Instruction::DynamicUpdateSlice => {
            let starts = indices(operands.get(2..).unwrap_or_default())?;
            operands.truncate(2);
            let [operand, update] = exactly(operands)?;
            same_elements!(operand, update, |array, update| {
                shared(kernels::dynamic_update_slice(array.into_owned(), update.view(), &starts)?)
            })
        }
        Instruction::Gather(attributes) => {
            let [operand, starts] = exactly(operands)?;
            gather(&operand, &starts, attributes)
        }
        Instruction::DynamicGather(attributes) => {
            let [operand, starts, sizes] = exactly(operands)?;
            gather(&operand, &starts, &Gather { slice_sizes: convert::as_shape(&sizes)?, ..attributes.clone() })
        }
        Instruction::GetDimensionSize(dimension) => {
            let [operand] = exactly(operands)?;
            let extent = operand.shape().get(*dimension).ok_or("there is no such dimension")?;
            Ok(Tensor::Signed(32, shape::array_of(&[], vec![*extent as i64])))
        }
        Instruction::SetDimensionSize(dimension) => {
            let [operand, size] = exactly(operands)?;
            let size = size.as_index()?;
            if operand.shape().get(*dimension).map(|&extent| extent as i64) != Some(size) {
                return Err("a dimension of another size than its bound is not supported".into());
            }
            Ok(operand)
        }
        Instruction::IndexSelect { dimension, batch_dims } => {
            let [operand, indices] = exactly(operands)?;
            shape::index_select(&operand, &indices, *dimension, *batch_dims)
        }
        Instruction::Dot(dimensions) => {
            let [lhs, rhs] = exactly(operands)?;
            dot(lhs, rhs, dimensions, result_element(step)?)
        }
        Instruction::Convolution(attributes) => {
            let [lhs, rhs] = exactly(operands)?;
            convolution(lhs, rhs, attributes, result_element(step)?)
        }
        Instruction::DynamicConvolution(attributes) => {
            let [lhs, rhs, padding] = exactly(operands)?;
            let padding: Vec<i64> = padding.as_integers()?.iter().copied().collect();
            let padding = padding.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let attributes = kernels::Convolution { padding, ..(**attributes).clone() };
            convolution(lhs, rhs, &attributes, result_element(step)?)
        }
        Instruction::Fourier { transform, lengths } => {
            let [operand] = exactly(operands)?;
            super::lapack::fourier(*transform, &operand, lengths)
        }
        Instruction::Cholesky { lower } => match exactly(operands)? {
            [Tensor::Float(kind, a)] => {
                Ok(Tensor::Float(kind, rounded(kind, shared(kernels::cholesky(a.view(), *lower)?))))
            }
            [Tensor::Complex(kind, a)] => {
                Ok(Tensor::Complex(kind, rounded_complex(kind, shared(kernels::cholesky(a.view(), *lower)?))))
            }
            _ => Err("the operand does not hold floats".into()),
        },
        Instruction::TriangularSolve(attributes) => match exactly(operands)? {
            [Tensor::Float(kind, a), Tensor::Float(_, b)] => {
                let solved = kernels::triangular_solve(a.view(), b.view(), *attributes)?;
                Ok(Tensor::Float(kind, rounded(kind, shared(solved))))
            }
            [Tensor::Complex(kind, a), Tensor::Complex(_, b)] => {
                let solved = kernels::triangular_solve(a.view(), b.view(), *attributes)?;
                Ok(Tensor::Complex(kind, rounded_complex(kind, shared(solved))))
            }
            _ => Err(NOT_ALIKE.into()),
        },
        Instruction::BatchNormInference { epsilon, feature } => match exactly(operands)? {
            [
                Tensor::Float(kind, operand),
                Tensor::Float(_, scale),
                Tensor::Float(_, offset),
                Tensor::Float(_, mean),
                Tensor::Float(_, variance),
            ] => {
                let result = kernels::batch_norm_inference(
                    operand.view(),
                    scale.view(),
                    offset.view(),
                    mean.view(),
                    variance.view(),
                    *epsilon,
                    *feature,
                )?;
                Ok(Tensor::Float(kind, rounded(kind, shared(result))))
            }
            _ => Err("the operands do not hold floats".into()),
        },
        _ => Err("the operation has control flow or several results".into()),
    }
}

fn is_special<S: FloatScalar>(kind: Kind, operands: &[Tensor<S>]) -> Result<Tensor<S>, String> {
    let function = elementwise::is_special::<S>(kind);
    match (operands, function) {
        ([Tensor::Float(_, array)], Some(function)) => Ok(Tensor::Boolean(map(array, function))),
        _ => Err("the operand does not hold floats".into()),
    }
}

fn indices<S: FloatScalar>(operands: &[Tensor<S>]) -> Result<Vec<i64>, String> {
    operands.iter().map(Tensor::as_index).collect()
}

fn pad<S: FloatScalar>(
    operand: &Tensor<S>,
    value: &Tensor<S>,
    low: &[i64],
    high: &[i64],
    interior: &[usize],
) -> Result<Tensor<S>, String> {
    same_elements!(operand.clone(), value.clone(), |array, value| {
        let value = *elements(&value).first().ok_or(NO_TENSOR)?;
        shared(kernels::pad(array.view(), value, low, high, interior)?)
    })
}

fn gather<S: FloatScalar>(operand: &Tensor<S>, starts: &Tensor<S>, attributes: &Gather) -> Result<Tensor<S>, String> {
    let starts = starts.as_integers()?;
    same_element!(operand.clone(), |array| shared(kernels::gather(array.view(), starts.view(), attributes)?))
}

/// Brings both operands to the element type of the result.
fn widen<S: FloatScalar>(lhs: Tensor<S>, rhs: Tensor<S>, element: Element) -> Result<(Tensor<S>, Tensor<S>), String> {
    let widen = |tensor: Tensor<S>| {
        if tensor.element() == Some(element) { Ok(tensor) } else { convert::convert(tensor, element) }
    };
    Ok((widen(lhs)?, widen(rhs)?))
}

/// Runs a product of two tensors of one element type and wraps or rounds what comes out.
macro_rules! product {
    ($operands:expr, |$lhs:ident, $rhs:ident| $body:expr) => {
        match $operands {
            (Tensor::Boolean($lhs), Tensor::Boolean($rhs)) => Ok(Tensor::Boolean(shared($body?))),
            (Tensor::Signed(bits, $lhs), Tensor::Signed(_, $rhs)) => {
                Ok(Tensor::Signed(bits, elementwise::map_in_place(shared($body?), |value| wrap_signed(value, bits))))
            }
            (Tensor::Unsigned(bits, $lhs), Tensor::Unsigned(_, $rhs)) => Ok(Tensor::Unsigned(
                bits,
                elementwise::map_in_place(shared($body?), |value| wrap_unsigned(value, bits)),
            )),
            (Tensor::Float(kind, $lhs), Tensor::Float(_, $rhs)) => {
                Ok(Tensor::Float(kind, rounded(kind, shared($body?))))
            }
            (Tensor::Complex(kind, $lhs), Tensor::Complex(_, $rhs)) => {
                Ok(Tensor::Complex(kind, rounded_complex(kind, shared($body?))))
            }
            _ => Err(NOT_ALIKE.into()),
        }
    };
}

fn dot<S: FloatScalar>(
    lhs: Tensor<S>,
    rhs: Tensor<S>,
    dimensions: &DotDimensions,
    element: Element,
) -> Result<Tensor<S>, String> {
    product!(widen(lhs, rhs, element)?, |lhs, rhs| kernels::dot_general(lhs.view(), rhs.view(), dimensions))
}

fn convolution<S: FloatScalar>(
    lhs: Tensor<S>,
    rhs: Tensor<S>,
    attributes: &kernels::Convolution,
    element: Element,
) -> Result<Tensor<S>, String> {
    product!(widen(lhs, rhs, element)?, |lhs, rhs| kernels::convolution(lhs.view(), rhs.view(), attributes))
}

fn batch_norm<S: FloatScalar>(
    instruction: &Instruction<S>,
    operands: Vec<Tensor<S>>,
) -> Result<Vec<Tensor<S>>, String> {
    let floats = operands.iter().map(|operand| match operand {
        Tensor::Float(kind, array) => Ok((*kind, array.view())),
        _ => Err(String::from("the operands do not hold floats")),
    });
    let floats = floats.collect::<Result<Vec<_>, _>>()?;
    let kind = floats.first().ok_or("there are no operands")?.0;
    let views: Vec<_> = floats.into_iter().map(|(_, view)| view).collect();
    let results = match (instruction, &views[..]) {
        (Instruction::BatchNormTraining { epsilon, feature }, [operand, scale, offset]) => {
            let result = kernels::batch_norm_training(operand.view(), scale.view(), offset.view(), *epsilon, *feature)?;
            [result.output, result.batch_mean, result.batch_var]
        }
        (Instruction::BatchNormGradient { epsilon, feature }, [operand, scale, mean, variance, grad]) => {
            let result = kernels::batch_norm_grad(
                operand.view(),
                scale.view(),
                mean.view(),
                variance.view(),
                grad.view(),
                *epsilon,
                *feature,
            )?;
            [result.operand, result.scale, result.offset]
        }
        _ => return Err("the operands do not fit the operation".into()),
    };
    Ok(results.map(|array| Tensor::Float(kind, rounded(kind, shared(array)))).into())
}

fn random_bits<S: FloatScalar>(
    algorithm: kernels::Algorithm,
    step: &Step<S>,
    operands: Vec<Tensor<S>>,
) -> Result<Vec<Tensor<S>>, String> {
    let [state] = exactly(operands)?;
    let words = state.to_bits();
    let output = step.types.get(1).and_then(Option::as_ref).ok_or("the type of the result is not supported")?;
    macro_rules! bits {
        ($word:ty) => {{
            let (state, bits) = kernels::rng_bit_generator::<$word>(algorithm, &words, &output.shape)?;
            (state, bits.iter().map(|&bits| u64::from(bits)).collect::<Vec<_>>())
        }};
    }
    let (next, bits) = match output.element.bits() {
        8 => bits!(u8),
        16 => bits!(u16),
        32 => bits!(u32),
        64 => bits!(u64),
        bits => return Err(format!("random elements of {bits} bits are not supported")),
    };
    let state_type = TensorShape { shape: state.shape().to_vec(), element: state.element().ok_or(NO_TENSOR)? };
    let misfit = || String::from("the random bits do not fit the type of the result");
    Ok(vec![
        Tensor::from_bits(&state_type, &next).ok_or_else(misfit)?,
        Tensor::from_bits(output, &bits).ok_or_else(misfit)?,
    ])
}

fn top_k<S: FloatScalar>(operands: Vec<Tensor<S>>, k: usize) -> Result<Vec<Tensor<S>>, String> {
    let [operand] = exactly(operands)?;
    let (values, places) = match operand {
        Tensor::Boolean(array) => {
            let (values, places) = kernels::top_k(array.view(), k)?;
            (Tensor::Boolean(shared(values)), places)
        }
        Tensor::Signed(bits, array) => {
            let (values, places) = kernels::top_k(array.view(), k)?;
            (Tensor::Signed(bits, shared(values)), places)
        }
        Tensor::Unsigned(bits, array) => {
            let (values, places) = kernels::top_k(array.view(), k)?;
            (Tensor::Unsigned(bits, shared(values)), places)
        }
        Tensor::Float(kind, array) => {
            let (values, places) = kernels::top_k(array.view(), k)?;
            (Tensor::Float(kind, shared(values)), places)
        }
        _ => return Err("the elements of the operand have no order".into()),
    };
    Ok(vec![values, Tensor::Signed(32, shared(places.mapv(i64::from)))])
}

fn threefry<S: FloatScalar>(operands: Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, String> {
    let words = operands.iter().map(|operand| match operand {
        Tensor::Unsigned(32, array) => Ok(map(array, |word| word as u32)),
        _ => Err(String::from("the operands do not hold words of 32 bits")),
    });
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let [first, second, third, fourth] = &words[..] else { return Err("there are not four operands".into()) };
    let blocks = kernels::threefry_2x32([first.view(), second.view()], [third.view(), fourth.view()])?;
    Ok(blocks.map(|block| Tensor::Unsigned(32, shared(block.mapv(u64::from)))).into())
}
