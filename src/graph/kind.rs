//! The operations that a graph can hold, by name, and how many operands, results and regions each has.
//!
//! Source: StableHLO specification, section "Ops", and the CHLO dialect's definitions. An operation that is
//! not in the table is [`OperationKind::Unknown`]: it is read, kept, and never believed to be harmless.

use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// How many of something an operation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    /// At least so many.
    pub least: u16,
    /// At most so many; `u16::MAX` stands for any number.
    pub most: u16,
}

impl Arity {
    /// Any number.
    pub const ANY: Arity = Arity { least: 0, most: u16::MAX };

    const fn exactly(count: u16) -> Arity {
        Arity { least: count, most: count }
    }

    const fn at_least(count: u16) -> Arity {
        Arity { least: count, most: u16::MAX }
    }

    /// Whether so many are allowed.
    pub fn allows(self, count: usize) -> bool {
        count >= self.least as usize && (self.most == u16::MAX || count <= self.most as usize)
    }
}

impl std::fmt::Display for Arity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "{least}"),
            (least, u16::MAX) => write!(f, "at least {least}"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}

macro_rules! arity {
    (any) => {
        Arity::ANY
    };
    ($count:literal) => {
        Arity::exactly($count)
    };
    ($least:literal, any) => {
        Arity::at_least($least)
    };
}

macro_rules! operation_kinds {
    ($($variant:ident $name:literal [$($operands:tt)*] [$($results:tt)*] [$($regions:tt)*];)*) => {
        /// An operation, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each variant is the operation of that name; the specification documents it")]
        pub enum OperationKind { $($variant,)* /** Not in the table; its name is kept beside it. */ Unknown }

        impl OperationKind {
            /// Every kind that is known.
            pub const KNOWN: &[OperationKind] = &[$(OperationKind::$variant),*];

            /// Its full name; empty for [`OperationKind::Unknown`].
            pub fn name(self) -> &'static str {
                match self { $(OperationKind::$variant => $name,)* OperationKind::Unknown => "" }
            }

            /// How many operands it has.
            pub fn operands(self) -> Arity {
                match self { $(OperationKind::$variant => arity!($($operands)*),)* OperationKind::Unknown => Arity::ANY }
            }

            /// How many results it has.
            pub fn results(self) -> Arity {
                match self { $(OperationKind::$variant => arity!($($results)*),)* OperationKind::Unknown => Arity::ANY }
            }

            /// How many regions it has.
            pub fn regions(self) -> Arity {
                match self { $(OperationKind::$variant => arity!($($regions)*),)* OperationKind::Unknown => Arity::ANY }
            }
        }
    };
}

operation_kinds! {
    // Elementwise, one operand.
    Abs "stablehlo.abs" [1] [1] [0];
    Cbrt "stablehlo.cbrt" [1] [1] [0];
    Ceil "stablehlo.ceil" [1] [1] [0];
    Convert "stablehlo.convert" [1] [1] [0];
    Cosine "stablehlo.cosine" [1] [1] [0];
    CountLeadingZeros "stablehlo.count_leading_zeros" [1] [1] [0];
    Exponential "stablehlo.exponential" [1] [1] [0];
    ExponentialMinusOne "stablehlo.exponential_minus_one" [1] [1] [0];
    Floor "stablehlo.floor" [1] [1] [0];
    Imag "stablehlo.imag" [1] [1] [0];
    IsFinite "stablehlo.is_finite" [1] [1] [0];
    Log "stablehlo.log" [1] [1] [0];
    LogPlusOne "stablehlo.log_plus_one" [1] [1] [0];
    Logistic "stablehlo.logistic" [1] [1] [0];
    Negate "stablehlo.negate" [1] [1] [0];
    Not "stablehlo.not" [1] [1] [0];
    PopulationCount "stablehlo.popcnt" [1] [1] [0];
    Real "stablehlo.real" [1] [1] [0];
    ReducePrecision "stablehlo.reduce_precision" [1] [1] [0];
    RoundNearestAfz "stablehlo.round_nearest_afz" [1] [1] [0];
    RoundNearestEven "stablehlo.round_nearest_even" [1] [1] [0];
    Rsqrt "stablehlo.rsqrt" [1] [1] [0];
    Sign "stablehlo.sign" [1] [1] [0];
    Sine "stablehlo.sine" [1] [1] [0];
    Sqrt "stablehlo.sqrt" [1] [1] [0];
    Tan "stablehlo.tan" [1] [1] [0];
    Tanh "stablehlo.tanh" [1] [1] [0];
    UniformDequantize "stablehlo.uniform_dequantize" [1] [1] [0];
    UniformQuantize "stablehlo.uniform_quantize" [1] [1] [0];
    // Elementwise, two operands or three.
    Add "stablehlo.add" [2] [1] [0];
    And "stablehlo.and" [2] [1] [0];
    Atan2 "stablehlo.atan2" [2] [1] [0];
    Compare "stablehlo.compare" [2] [1] [0];
    Complex "stablehlo.complex" [2] [1] [0];
    Divide "stablehlo.divide" [2] [1] [0];
    Maximum "stablehlo.maximum" [2] [1] [0];
    Minimum "stablehlo.minimum" [2] [1] [0];
    Multiply "stablehlo.multiply" [2] [1] [0];
    Or "stablehlo.or" [2] [1] [0];
    Power "stablehlo.power" [2] [1] [0];
    Remainder "stablehlo.remainder" [2] [1] [0];
    ShiftLeft "stablehlo.shift_left" [2] [1] [0];
    ShiftRightArithmetic "stablehlo.shift_right_arithmetic" [2] [1] [0];
    ShiftRightLogical "stablehlo.shift_right_logical" [2] [1] [0];
    Subtract "stablehlo.subtract" [2] [1] [0];
    Xor "stablehlo.xor" [2] [1] [0];
    Clamp "stablehlo.clamp" [3] [1] [0];
    Select "stablehlo.select" [3] [1] [0];
    // Moves elements about.
    BitcastConvert "stablehlo.bitcast_convert" [1] [1] [0];
    Broadcast "stablehlo.broadcast" [1] [1] [0];
    BroadcastInDim "stablehlo.broadcast_in_dim" [1] [1] [0];
    Concatenate "stablehlo.concatenate" [1, any] [1] [0];
    DynamicBroadcastInDim "stablehlo.dynamic_broadcast_in_dim" [2] [1] [0];
    DynamicGather "stablehlo.dynamic_gather" [3] [1] [0];
    DynamicPad "stablehlo.dynamic_pad" [5] [1] [0];
    DynamicReshape "stablehlo.dynamic_reshape" [2] [1] [0];
    DynamicSlice "stablehlo.dynamic_slice" [1, any] [1] [0];
    DynamicUpdateSlice "stablehlo.dynamic_update_slice" [2, any] [1] [0];
    Gather "stablehlo.gather" [2] [1] [0];
    GetDimensionSize "stablehlo.get_dimension_size" [1] [1] [0];
    GetTupleElement "stablehlo.get_tuple_element" [1] [1] [0];
    OptimizationBarrier "stablehlo.optimization_barrier" [any] [any] [0];
    Pad "stablehlo.pad" [2] [1] [0];
    RealDynamicSlice "stablehlo.real_dynamic_slice" [4] [1] [0];
    Reshape "stablehlo.reshape" [1] [1] [0];
    Reverse "stablehlo.reverse" [1] [1] [0];
    SetDimensionSize "stablehlo.set_dimension_size" [2] [1] [0];
    Slice "stablehlo.slice" [1] [1] [0];
    TorchIndexSelect "stablehlo.torch_index_select" [2] [1] [0];
    Transpose "stablehlo.transpose" [1] [1] [0];
    Tuple "stablehlo.tuple" [any] [1] [0];
    // Makes values.
    Constant "stablehlo.constant" [0] [1] [0];
    DynamicIota "stablehlo.dynamic_iota" [1] [1] [0];
    Iota "stablehlo.iota" [0] [1] [0];
    Rng "stablehlo.rng" [3] [1] [0];
    RngBitGenerator "stablehlo.rng_bit_generator" [1] [2] [0];
    // Linear algebra and other whole-tensor functions.
    BatchNormGrad "stablehlo.batch_norm_grad" [5] [3] [0];
    BatchNormInference "stablehlo.batch_norm_inference" [5] [1] [0];
    BatchNormTraining "stablehlo.batch_norm_training" [3] [3] [0];
    Cholesky "stablehlo.cholesky" [1] [1] [0];
    Convolution "stablehlo.convolution" [2] [1] [0];
    Dot "stablehlo.dot" [2] [1] [0];
    DotGeneral "stablehlo.dot_general" [2] [1] [0];
    DynamicConv "stablehlo.dynamic_conv" [3] [1] [0];
    Einsum "stablehlo.einsum" [2] [1] [0];
    Fft "stablehlo.fft" [1] [1] [0];
    TriangularSolve "stablehlo.triangular_solve" [2] [1] [0];
    UnaryEinsum "stablehlo.unary_einsum" [1] [1] [0];
    // With regions.
    Case "stablehlo.case" [1] [any] [1, any];
    If "stablehlo.if" [1] [any] [2];
    Map "stablehlo.map" [any] [1] [1];
    Reduce "stablehlo.reduce" [2, any] [1, any] [1];
    ReduceWindow "stablehlo.reduce_window" [2, any] [1, any] [1];
    Scatter "stablehlo.scatter" [3, any] [1, any] [1];
    SelectAndScatter "stablehlo.select_and_scatter" [3] [1] [2];
    Sort "stablehlo.sort" [1, any] [1, any] [1];
    While "stablehlo.while" [any] [any] [2];
    // Between devices.
    AllGather "stablehlo.all_gather" [1, any] [1, any] [0];
    AllReduce "stablehlo.all_reduce" [1, any] [1, any] [1];
    AllToAll "stablehlo.all_to_all" [1, any] [1, any] [0];
    AsyncDone "stablehlo.async_done" [1] [any] [0];
    AsyncStart "stablehlo.async_start" [any] [1] [0, any];
    CollectiveBroadcast "stablehlo.collective_broadcast" [1] [1] [0];
    CollectivePermute "stablehlo.collective_permute" [1] [1] [0];
    CrossReplicaSum "stablehlo.cross-replica-sum" [1] [1] [0];
    PartitionId "stablehlo.partition_id" [0] [1] [0];
    ReduceScatter "stablehlo.reduce_scatter" [1] [1] [1];
    ReplicaId "stablehlo.replica_id" [0] [1] [0];
    // With the world outside, and order.
    AfterAll "stablehlo.after_all" [any] [1] [0];
    CreateToken "stablehlo.create_token" [0] [1] [0];
    CustomCall "stablehlo.custom_call" [any] [any] [0];
    Infeed "stablehlo.infeed" [1] [1, any] [0];
    Outfeed "stablehlo.outfeed" [1, any] [1] [0];
    Recv "stablehlo.recv" [1] [1, any] [0];
    Send "stablehlo.send" [1, any] [1] [0];
    // Calls and ends of regions.
    Call "func.call" [any] [any] [0];
    Composite "stablehlo.composite" [any] [any] [0];
    Return "stablehlo.return" [any] [0] [0];
    FunctionReturn "func.return" [any] [0] [0];
    // CHLO.
    Acos "chlo.acos" [1] [1] [0];
    Acosh "chlo.acosh" [1] [1] [0];
    Asin "chlo.asin" [1] [1] [0];
    AsinAcosKernel "chlo._asin_acos_kernel" [1] [1] [0];
    Asinh "chlo.asinh" [1] [1] [0];
    Atan "chlo.atan" [1] [1] [0];
    Atanh "chlo.atanh" [1] [1] [0];
    BesselI1e "chlo.bessel_i1e" [1] [1] [0];
    BroadcastAcos "chlo.broadcast_acos" [1] [1] [0];
    BroadcastAdd "chlo.broadcast_add" [2] [1] [0];
    BroadcastAnd "chlo.broadcast_and" [2] [1] [0];
    BroadcastAtan2 "chlo.broadcast_atan2" [2] [1] [0];
    BroadcastCompare "chlo.broadcast_compare" [2] [1] [0];
    BroadcastComplex "chlo.broadcast_complex" [2] [1] [0];
    BroadcastDivide "chlo.broadcast_divide" [2] [1] [0];
    BroadcastMaximum "chlo.broadcast_maximum" [2] [1] [0];
    BroadcastMinimum "chlo.broadcast_minimum" [2] [1] [0];
    BroadcastMultiply "chlo.broadcast_multiply" [2] [1] [0];
    BroadcastNextAfter "chlo.broadcast_next_after" [2] [1] [0];
    BroadcastOr "chlo.broadcast_or" [2] [1] [0];
    BroadcastPolygamma "chlo.broadcast_polygamma" [2] [1] [0];
    BroadcastPower "chlo.broadcast_power" [2] [1] [0];
    BroadcastRemainder "chlo.broadcast_remainder" [2] [1] [0];
    BroadcastSelect "chlo.broadcast_select" [3] [1] [0];
    BroadcastShiftLeft "chlo.broadcast_shift_left" [2] [1] [0];
    BroadcastShiftRightArithmetic "chlo.broadcast_shift_right_arithmetic" [2] [1] [0];
    BroadcastShiftRightLogical "chlo.broadcast_shift_right_logical" [2] [1] [0];
    BroadcastSubtract "chlo.broadcast_subtract" [2] [1] [0];
    BroadcastXor "chlo.broadcast_xor" [2] [1] [0];
    BroadcastZeta "chlo.broadcast_zeta" [2] [1] [0];
    Conjugate "chlo.conj" [1] [1] [0];
    ChloConstant "chlo.constant" [0] [1] [0];
    ConstantLike "chlo.constant_like" [1] [1] [0];
    Cosh "chlo.cosh" [1] [1] [0];
    Digamma "chlo.digamma" [1] [1] [0];
    ChloDynamicReshape "chlo.dynamic_reshape" [2] [1] [0];
    Erf "chlo.erf" [1] [1] [0];
    ErfInv "chlo.erf_inv" [1] [1] [0];
    Erfc "chlo.erfc" [1] [1] [0];
    IsInf "chlo.is_inf" [1] [1] [0];
    IsNegInf "chlo.is_neg_inf" [1] [1] [0];
    IsPosInf "chlo.is_pos_inf" [1] [1] [0];
    Lgamma "chlo.lgamma" [1] [1] [0];
    MultiplyHigh "chlo.mulhi" [2] [1] [0];
    NextAfter "chlo.next_after" [2] [1] [0];
    Polygamma "chlo.polygamma" [2] [1] [0];
    RaggedDot "chlo.ragged_dot" [3] [1] [0];
    Scan "chlo.scan" [any] [any] [1];
    Sinh "chlo.sinh" [1] [1] [0];
    Square "chlo.square" [1] [1] [0];
    ChloTan "chlo.tan" [1] [1] [0];
    TopK "chlo.top_k" [1] [2] [0];
    Zeta "chlo.zeta" [2] [1] [0];
    // Shardy: where tensors lie. Values pass unchanged.
    ShardyConstant "sdy.constant" [0] [1] [0];
    ShardingConstraint "sdy.sharding_constraint" [1] [1] [0];
    Reshard "sdy.reshard" [1] [1] [0];
    ManualComputation "sdy.manual_computation" [any] [any] [1];
    NamedComputation "sdy.named_computation" [any] [any] [1];
    PropagationBarrier "sdy.propagation_barrier" [1] [1] [0];
    ShardingGroup "sdy.sharding_group" [1] [0] [0];
    ShardyReturn "sdy.return" [any] [0] [0];
    // What a test of an interpreter expects of its values. They make nothing.
    ExpectAlmostEq "check.expect_almost_eq" [2] [0] [0];
    ExpectAlmostEqConst "check.expect_almost_eq_const" [1] [0] [0];
    ExpectClose "check.expect_close" [2] [0] [0];
    ExpectEq "check.expect_eq" [2] [0] [0];
    ExpectEqConst "check.expect_eq_const" [1] [0] [0];
    ExpectSerializedEq "check.expect_serialized_eq" [1] [0] [0];
}

static BY_NAME: LazyLock<FxHashMap<&'static str, OperationKind>> =
    LazyLock::new(|| OperationKind::KNOWN.iter().map(|kind| (kind.name(), *kind)).collect());

impl OperationKind {
    /// The kind of a full name, or [`OperationKind::Unknown`].
    pub fn from_name(name: &str) -> OperationKind {
        match name {
            "call" => OperationKind::Call,
            "return" => OperationKind::FunctionReturn,
            // Names that older texts have.
            "check.eq" => OperationKind::ExpectEqConst,
            "check.almost_eq" => OperationKind::ExpectAlmostEqConst,
            "stablehlo.square" => OperationKind::Square,
            _ => BY_NAME.get(name).copied().unwrap_or(OperationKind::Unknown),
        }
    }

    /// Whether it only says what a test expects of its operands.
    pub fn is_expectation(self) -> bool {
        matches!(
            self,
            OperationKind::ExpectAlmostEq
                | OperationKind::ExpectAlmostEqConst
                | OperationKind::ExpectClose
                | OperationKind::ExpectEq
                | OperationKind::ExpectEqConst
                | OperationKind::ExpectSerializedEq
        )
    }

    /// Whether it ends a region.
    pub fn is_terminator(self) -> bool {
        matches!(self, OperationKind::Return | OperationKind::FunctionReturn | OperationKind::ShardyReturn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        assert_eq!(BY_NAME.len(), OperationKind::KNOWN.len());
        for kind in OperationKind::KNOWN {
            assert_eq!(OperationKind::from_name(kind.name()), *kind);
        }
        assert_eq!(OperationKind::from_name("stablehlo.no_such_operation"), OperationKind::Unknown);
    }

    #[test]
    fn an_arity_says_what_it_allows() {
        assert!(Arity::exactly(2).allows(2) && !Arity::exactly(2).allows(3));
        assert!(Arity::at_least(1).allows(70_000) && !Arity::at_least(1).allows(0));
        assert_eq!(Arity::at_least(2).to_string(), "at least 2");
    }
}
