//! From an operation of a graph to an instruction.

use super::attributes::Attributes;
use super::combine::Body;
use super::constant::read_constant;
use super::elementwise::{self, Comparison, Direction, Order};
use super::expectation;
use super::instruction::{Combine, Instruction, Lapack, Transform};
use super::kernels::{
    Algorithm, Convolution, DotDimensions, Gather, Scatter, SelectAndScatter, Transpose, TriangularSolve, Window,
};
use super::rng::Distribution;
use super::scalar::FloatScalar;
use super::scan::Scan;
use super::tensor::{Element, TensorShape};
use crate::graph::{Attribute, OperationId, OperationKind as Kind, TrainingGraph, ValueId};

/// Decodes an operation. What cannot be run is an instruction that says so.
pub(super) fn decode<S: FloatScalar>(graph: &TrainingGraph, id: OperationId) -> Instruction<S> {
    let too_large = graph.results(id).iter().find_map(|result| {
        let tensor = graph.tensor_type(result)?;
        let is_static = tensor.dimensions.as_ref()?.iter().all(Option::is_some);
        let is_known = Element::of(&tensor.element).is_some();
        (is_static && is_known && TensorShape::of(tensor).is_none()).then_some(tensor)
    });
    if let Some(r#type) = too_large {
        return Instruction::Unsupported(format!("a result of type {type} is too large"));
    }
    instruction(graph, id).unwrap_or_else(Instruction::Unsupported)
}

/// `compare`: direction, and whether in the total order.
pub(super) fn comparison(attributes: Attributes<'_>) -> Result<Comparison, String> {
    let direction = attributes.word("comparison_direction").and_then(Direction::from_word);
    let direction = direction.ok_or("the comparison direction is missing or is not known")?;
    let order = match attributes.word("compare_type") {
        Some("TOTALORDER") => Order::Total,
        Some("WEAKORDER") => Order::Weak,
        _ => Order::Partial,
    };
    Ok(Comparison { direction, order })
}

fn rank(graph: &TrainingGraph, value: ValueId) -> Result<usize, String> {
    graph
        .tensor_type(value)
        .and_then(|tensor| tensor.rank())
        .ok_or_else(|| "the rank of an operand is not known".into())
}

fn instruction<S: FloatScalar>(graph: &TrainingGraph, id: OperationId) -> Result<Instruction<S>, String> {
    let kind = graph.operation(id).kind;
    let attributes = Attributes::of(graph, id);
    let operands = graph.operands(id);
    let regions = graph.regions_of(id);
    let operand_rank = |position: usize| match operands.get(position) {
        Some(&operand) => rank(graph, operand),
        None => Err(format!("operand {position} is missing")),
    };
    let combine = |position: usize| Combine { region: regions[position], body: Body::of(graph, regions[position]) };
    let broadcast_dims = || -> Result<Option<Vec<usize>>, String> {
        attributes.any("broadcast_dimensions").map(|_| attributes.sizes("broadcast_dimensions")).transpose()
    };
    if elementwise::is_unary(kind) {
        return Ok(Instruction::Unary(kind));
    }
    if let Some((binary, is_broadcast)) = elementwise::as_binary(kind) {
        return Ok(if is_broadcast {
            Instruction::BroadcastBinary(binary, broadcast_dims()?)
        } else {
            Instruction::Binary(binary)
        });
    }
    Ok(match kind {
        Kind::Constant | Kind::ChloConstant | Kind::ShardyConstant => {
            Instruction::Constant(read_constant(graph, attributes.dense("value")?, &static_result(graph, id)?)?)
        }
        Kind::ConstantLike => constant_like(graph, id)?,
        Kind::IsFinite | Kind::IsInf | Kind::IsPosInf | Kind::IsNegInf => Instruction::IsSpecial(kind),
        Kind::Compare => Instruction::Compare(comparison(attributes)?),
        Kind::BroadcastCompare => Instruction::BroadcastCompare(comparison(attributes)?, broadcast_dims()?),
        Kind::Select => Instruction::Select,
        Kind::BroadcastSelect => Instruction::BroadcastSelect,
        Kind::BroadcastComplex => Instruction::BroadcastComplex(broadcast_dims()?),
        Kind::Clamp => Instruction::Clamp,
        Kind::Convert => Instruction::Convert,
        Kind::BitcastConvert => Instruction::BitcastConvert,
        Kind::ReducePrecision => {
            let bits = |name| attributes.size(name).map(|bits| bits as u32);
            let (exponent_bits, mantissa_bits) = (bits("exponent_bits")?, bits("mantissa_bits")?);
            if exponent_bits == 0 || exponent_bits > 11 {
                return Err(format!("{exponent_bits} bits of exponent are not supported"));
            }
            Instruction::ReducePrecision { exponent_bits, mantissa_bits }
        }
        Kind::Real => Instruction::Real,
        Kind::Imag => Instruction::Imaginary,
        Kind::Complex => Instruction::Complex,
        Kind::OptimizationBarrier | Kind::ShardingConstraint | Kind::Reshard | Kind::PropagationBarrier => {
            Instruction::Identity
        }
        Kind::ShardingGroup => Instruction::Token,
        Kind::BroadcastInDim => Instruction::BroadcastInDim(attributes.sizes("broadcast_dimensions")?),
        Kind::DynamicBroadcastInDim => Instruction::DynamicBroadcastInDim(attributes.sizes("broadcast_dimensions")?),
        Kind::Broadcast => Instruction::Broadcast(attributes.sizes("broadcast_sizes")?),
        Kind::Reshape => Instruction::Reshape,
        Kind::DynamicReshape | Kind::ChloDynamicReshape => Instruction::DynamicReshape,
        Kind::Transpose => Instruction::Transpose(attributes.sizes("permutation")?),
        Kind::Slice => Instruction::Slice {
            start: attributes.sizes("start_indices")?,
            limit: attributes.sizes("limit_indices")?,
            strides: attributes.sizes_or("strides", 1, operand_rank(0)?)?,
        },
        Kind::RealDynamicSlice => Instruction::RealDynamicSlice,
        Kind::Concatenate => Instruction::Concatenate(attributes.size("dimension")?),
        Kind::Reverse => Instruction::Reverse(attributes.sizes("dimensions")?),
        Kind::Iota => Instruction::Iota(attributes.size("iota_dimension")?),
        Kind::DynamicIota => Instruction::DynamicIota(attributes.size("iota_dimension")?),
        Kind::Pad => Instruction::Pad {
            low: attributes.integers("edge_padding_low")?,
            high: attributes.integers("edge_padding_high")?,
            interior: attributes.sizes("interior_padding")?,
        },
        Kind::DynamicPad => Instruction::DynamicPad,
        Kind::DynamicSlice => Instruction::DynamicSlice(attributes.sizes("slice_sizes")?),
        Kind::DynamicUpdateSlice => Instruction::DynamicUpdateSlice,
        Kind::Gather => Instruction::Gather(gather(attributes)?),
        Kind::DynamicGather => Instruction::DynamicGather(gather(attributes)?),
        Kind::GetDimensionSize => Instruction::GetDimensionSize(attributes.size("dimension")?),
        Kind::SetDimensionSize => Instruction::SetDimensionSize(attributes.size("dimension")?),
        Kind::TorchIndexSelect => Instruction::IndexSelect {
            dimension: attributes.size("dim")?,
            batch_dims: attributes.size_or("batch_dims", 0)?,
        },
        Kind::DotGeneral => Instruction::Dot(dot(attributes.inner("dot_dimension_numbers")?)?),
        Kind::Dot => Instruction::Dot(DotDimensions {
            lhs_contracting: vec![operand_rank(0)?.saturating_sub(1)],
            rhs_contracting: vec![0],
            ..DotDimensions::default()
        }),
        Kind::Convolution => Instruction::Convolution(Box::new(convolution(attributes)?)),
        Kind::DynamicConv => Instruction::DynamicConvolution(Box::new(convolution(attributes)?)),
        Kind::Fft => Instruction::Fourier {
            transform: match attributes.word("fft_type") {
                Some("FFT") => Transform::Forward,
                Some("IFFT") => Transform::Inverse,
                Some("RFFT") => Transform::RealForward,
                Some("IRFFT") => Transform::RealInverse,
                _ => return Err("the kind of the transform is missing or is not known".into()),
            },
            lengths: attributes.sizes("fft_length")?,
        },
        Kind::Cholesky => Instruction::Cholesky { lower: attributes.flag("lower") },
        Kind::TriangularSolve => Instruction::TriangularSolve(TriangularSolve {
            left_side: attributes.flag("left_side"),
            lower: attributes.flag("lower"),
            unit_diagonal: attributes.flag("unit_diagonal"),
            transpose_a: match attributes.word("transpose_a") {
                Some("TRANSPOSE") => Transpose::Transpose,
                Some("ADJOINT") => Transpose::Adjoint,
                _ => Transpose::No,
            },
        }),
        Kind::BatchNormTraining | Kind::BatchNormInference | Kind::BatchNormGrad => {
            let (epsilon, feature) = (attributes.float("epsilon")?, attributes.size("feature_index")?);
            match kind {
                Kind::BatchNormTraining => Instruction::BatchNormTraining { epsilon, feature },
                Kind::BatchNormInference => Instruction::BatchNormInference { epsilon, feature },
                _ => Instruction::BatchNormGradient { epsilon, feature },
            }
        }
        Kind::RngBitGenerator => Instruction::RandomBits(match attributes.word("rng_algorithm") {
            Some("THREE_FRY") => Algorithm::ThreeFry,
            Some("PHILOX") => Algorithm::Philox,
            _ => Algorithm::Default,
        }),
        Kind::Rng => Instruction::Random(match attributes.word("rng_distribution") {
            Some("UNIFORM") => Distribution::Uniform,
            Some("NORMAL") => Distribution::Normal,
            _ => return Err("the distribution is missing or is not known".into()),
        }),
        Kind::TopK => Instruction::TopK(attributes.size("k")?),
        Kind::Reduce => Instruction::Reduce { dimensions: attributes.sizes("dimensions")?, combine: combine(0) },
        Kind::ReduceWindow => {
            let rank = operand_rank(0)?;
            let window = Window {
                window_dimensions: attributes.sizes("window_dimensions")?,
                window_strides: attributes.sizes_or("window_strides", 1, rank)?,
                base_dilations: attributes.sizes_or("base_dilations", 1, rank)?,
                window_dilations: attributes.sizes_or("window_dilations", 1, rank)?,
                padding: attributes.pairs("padding", rank)?,
            };
            Instruction::ReduceWindow { window, combine: combine(0) }
        }
        Kind::Scatter => Instruction::Scatter {
            attributes: scatter(attributes.inner("scatter_dimension_numbers")?)?,
            combine: combine(0),
        },
        Kind::SelectAndScatter => {
            let rank = operand_rank(0)?;
            let attributes = SelectAndScatter {
                window_dimensions: attributes.sizes_or("window_dimensions", 1, rank)?,
                window_strides: attributes.sizes_or("window_strides", 1, rank)?,
                padding: attributes.pairs("padding", rank)?,
            };
            Instruction::SelectAndScatter { attributes, select: combine(0), scatter: combine(1) }
        }
        Kind::Sort => {
            let rank = operand_rank(0)? as i64;
            let dimension = if attributes.any("dimension").is_some() { attributes.integer("dimension")? } else { -1 };
            let dimension = if dimension < 0 { dimension + rank } else { dimension };
            Instruction::Sort {
                dimension: usize::try_from(dimension).map_err(|_| "no such dimension")?,
                combine: combine(0),
            }
        }
        Kind::Map => Instruction::Map(combine(0)),
        Kind::Scan => Instruction::Scan(Scan {
            region: regions[0],
            dimension: attributes.size("dimension")?,
            is_reverse: attributes.flag("is_reverse"),
            length: attributes.any("scan_dim_size").map(|_| attributes.size("scan_dim_size")).transpose()?,
            inputs: match attributes.sizes("operandSegmentSizes")?[..] {
                [inputs, _] => inputs,
                _ => return Err("it is not said which operands are inputs".into()),
            },
        }),
        Kind::Tuple => Instruction::Tuple,
        Kind::GetTupleElement => Instruction::GetTupleElement(attributes.size("index")?),
        Kind::AfterAll | Kind::CreateToken => Instruction::Token,
        // One replica and one partition: this one is the first.
        Kind::PartitionId | Kind::ReplicaId => Instruction::Zero,
        // With one process in each group, what is gathered, summed or exchanged is the process's own.
        Kind::AllGather
        | Kind::AllReduce
        | Kind::AllToAll
        | Kind::CollectiveBroadcast
        | Kind::CrossReplicaSum
        | Kind::ReduceScatter => {
            let others = attributes.integers("replica_groups").unwrap_or_default();
            if others.iter().any(|&process| process > 0) {
                return Err("the groups have several processes; only one is run".into());
            }
            Instruction::Identity
        }
        Kind::CollectivePermute => {
            // A process that nobody sends to has zeros.
            let pairs = attributes.integers("source_target_pairs")?;
            let is_sent = pairs.chunks_exact(2).any(|pair| pair == [0, 0]);
            if is_sent { Instruction::Identity } else { Instruction::Zero }
        }
        Kind::While => Instruction::While { condition: regions[0], body: regions[1] },
        Kind::If => Instruction::If { on_true: regions[0], on_false: regions[1] },
        Kind::Case => Instruction::Case(regions.to_vec()),
        Kind::ManualComputation | Kind::NamedComputation => Instruction::Inline(regions[0]),
        // What is started is done at once: the future of one value is that value.
        Kind::AsyncStart => Instruction::Inline(*regions.first().ok_or("it has no region")?),
        Kind::AsyncDone => Instruction::Identity,
        Kind::Call | Kind::Composite => match graph.operation(id).callee {
            Some(callee) => Instruction::Call(callee),
            None => return Err("it calls no function".into()),
        },
        Kind::CustomCall => custom_call(graph, id, attributes)?,
        Kind::Outfeed | Kind::Send => Instruction::Token,
        Kind::ExpectSerializedEq => Instruction::ExpectProbed {
            probe: attributes.word("probe_id").ok_or("the attribute `probe_id` is missing")?.into(),
            iteration: attributes.size_or("iteration", 0)?,
        },
        _ if kind.is_expectation() => Instruction::Expect(expectation::of_operation(graph, id)?),
        // The reference interpreter's own way to look at a value, which passes unchanged.
        Kind::Unknown if graph.operation_name(id) == "interpreter.probe" => {
            Instruction::Probe(attributes.word("probe_id").unwrap_or_default().into())
        }
        Kind::Unknown if graph.operation_name(id) == "interpreter.run_parallel" => {
            return Err("it runs several replicas or partitions; only one is run".into());
        }
        _ => return Err("the interpreter does not have this operation".into()),
    })
}

fn static_result(graph: &TrainingGraph, id: OperationId) -> Result<TensorShape, String> {
    let result = graph.results(id).get(0).ok_or("it has no result")?;
    let r#type = graph.tensor_type(result).ok_or("its result is no tensor")?;
    TensorShape::of(r#type).ok_or_else(|| format!("the interpreter does not have values of type {type}"))
}

/// `constant_like`: a number for every element of a tensor of the operand's shape.
fn constant_like<S: FloatScalar>(graph: &TrainingGraph, id: OperationId) -> Result<Instruction<S>, String> {
    let shape = static_result(graph, id)?;
    let text = match Attributes::of(graph, id).any("value") {
        Some(Attribute::Integer(value)) => value.to_string(),
        Some(Attribute::Number(text)) => text.to_string(),
        Some(Attribute::Boolean(value)) => value.to_string(),
        _ => return Err("the attribute `value` is missing".into()),
    };
    let constant = read_constant(graph, &crate::graph::Elements::Inline(text.into()), &shape)?;
    Ok(Instruction::Constant(constant))
}

fn gather(attributes: Attributes<'_>) -> Result<Gather, String> {
    let numbers = attributes.inner("dimension_numbers")?;
    Ok(Gather {
        offset_dims: numbers.sizes("offset_dims")?,
        collapsed_slice_dims: numbers.sizes("collapsed_slice_dims")?,
        operand_batching_dims: numbers.sizes("operand_batching_dims")?,
        start_indices_batching_dims: numbers.sizes("start_indices_batching_dims")?,
        start_index_map: numbers.sizes("start_index_map")?,
        index_vector_dim: numbers.size_or("index_vector_dim", 0)?,
        slice_sizes: attributes.sizes("slice_sizes")?,
    })
}

fn scatter(numbers: Attributes<'_>) -> Result<Scatter, String> {
    Ok(Scatter {
        update_window_dims: numbers.sizes("update_window_dims")?,
        inserted_window_dims: numbers.sizes("inserted_window_dims")?,
        input_batching_dims: numbers.sizes("input_batching_dims")?,
        scatter_indices_batching_dims: numbers.sizes("scatter_indices_batching_dims")?,
        scatter_dims_to_operand_dims: numbers.sizes("scatter_dims_to_operand_dims")?,
        index_vector_dim: numbers.size_or("index_vector_dim", 0)?,
    })
}

fn dot(numbers: Attributes<'_>) -> Result<DotDimensions, String> {
    Ok(DotDimensions {
        lhs_batching: numbers.sizes("lhs_batching_dimensions")?,
        rhs_batching: numbers.sizes("rhs_batching_dimensions")?,
        lhs_contracting: numbers.sizes("lhs_contracting_dimensions")?,
        rhs_contracting: numbers.sizes("rhs_contracting_dimensions")?,
    })
}

fn convolution(attributes: Attributes<'_>) -> Result<Convolution, String> {
    // `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`
    let text = attributes.text("dimension_numbers")?;
    let mut lists = text
        .split(']')
        .filter_map(|part| part.split_once('['))
        .map(|(_, inside)| inside.split(',').map(str::trim).map(str::to_string).collect::<Vec<_>>());
    let malformed = || format!("the dimension numbers `{text}` are not understood");
    let (Some(input), Some(kernel), Some(output)) = (lists.next(), lists.next(), lists.next()) else {
        return Err(malformed());
    };
    let place = |list: &[String], word: &str| list.iter().position(|item| item == word).ok_or_else(malformed);
    let spatial_count = input.len().saturating_sub(2);
    let spatial = |list: &[String]| -> Result<Vec<usize>, String> {
        (0..spatial_count).map(|dimension| place(list, &dimension.to_string())).collect()
    };
    Ok(Convolution {
        window_strides: attributes.sizes_or("window_strides", 1, spatial_count)?,
        padding: attributes.pairs("padding", spatial_count)?,
        lhs_dilation: attributes.sizes_or("lhs_dilation", 1, spatial_count)?,
        rhs_dilation: attributes.sizes_or("rhs_dilation", 1, spatial_count)?,
        window_reversal: attributes.booleans("window_reversal", spatial_count)?,
        input_batch_dimension: place(&input, "b")?,
        input_feature_dimension: place(&input, "f")?,
        input_spatial_dimensions: spatial(&input)?,
        kernel_input_feature_dimension: place(&kernel, "i")?,
        kernel_output_feature_dimension: place(&kernel, "o")?,
        kernel_spatial_dimensions: spatial(&kernel)?,
        output_batch_dimension: place(&output, "b")?,
        output_feature_dimension: place(&output, "f")?,
        output_spatial_dimensions: spatial(&output)?,
        feature_group_count: attributes.size_or("feature_group_count", 1)?,
        batch_group_count: attributes.size_or("batch_group_count", 1)?,
    })
}

/// The calls by name that JAX makes and whose meaning is known.
fn custom_call<S: FloatScalar>(
    graph: &TrainingGraph,
    id: OperationId,
    attributes: Attributes<'_>,
) -> Result<Instruction<S>, String> {
    let target = attributes.word("call_target_name").unwrap_or_default();
    let results = graph.results(id);
    if let Some(expectation) = expectation::of_custom_call(graph, id, target) {
        return Ok(Instruction::Expect(expectation));
    }
    let makes_tensors = results.iter().any(|value| graph.tensor_type(value).is_some());
    let config = attributes.inner("mhlo.backend_config").or_else(|_| attributes.inner("backend_config"));
    let character = |name: &str| -> Option<u8> {
        let config = config.as_ref().ok()?;
        config.integer(name).ok().and_then(|value| u8::try_from(value).ok())
    };
    Ok(match target {
        "Sharding" | "SPMDFullToShardShape" | "SPMDShardToFullShape" | "annotate_device_placement" => {
            Instruction::Identity
        }
        "cu_threefry2x32" | "threefry2x32" | "cu_threefry2x32_ffi" | "hip_threefry2x32_ffi" => Instruction::Threefry,
        "mhlo.topk" => Instruction::TopK(attributes.inner("mhlo.attributes")?.size("k")?),
        _ if target.starts_with("lapack_") => {
            let name = target.trim_start_matches("lapack_").trim_end_matches("_ffi");
            let routine = name.get(1..).unwrap_or_default();
            let lower = character("uplo") != Some(b'U');
            Instruction::Lapack(match routine {
                "getrf" => Lapack::Lu,
                "geqrf" => Lapack::Qr,
                "orgqr" | "ungqr" => Lapack::HouseholderProduct,
                "potrf" => Lapack::Cholesky { lower },
                "syevd" | "heevd" => Lapack::SymmetricEigen { lower },
                "trsm" => Lapack::TriangularSolve(TriangularSolve {
                    left_side: character("side") != Some(b'R'),
                    lower,
                    unit_diagonal: character("diag") == Some(b'U'),
                    transpose_a: match character("trans_x") {
                        Some(b'T') => Transpose::Transpose,
                        Some(b'C') => Transpose::Adjoint,
                        _ => Transpose::No,
                    },
                }),
                _ => return Err(format!("the interpreter does not have the custom call `{target}`")),
            })
        }
        // Such a call only tells the world outside; what it does there is not part of the step.
        _ if !makes_tensors => Instruction::Token,
        _ => return Err(format!("the interpreter does not have the custom call `{target}`")),
    })
}
