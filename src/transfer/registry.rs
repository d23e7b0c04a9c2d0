//! The registry: one rule for every kind of operation.

use super::Dependence;
use crate::graph::OperationKind;

/// Which operands only say which, where, whether or how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImplicitOperands {
    /// None.
    None,
    /// The one at this position.
    At(usize),
    /// All from this position on.
    From(usize),
}

impl ImplicitOperands {
    /// How the result depends on the operand at a position.
    pub fn kind_of(self, position: usize) -> Dependence {
        let implicit = match self {
            ImplicitOperands::None => false,
            ImplicitOperands::At(at) => position == at,
            ImplicitOperands::From(from) => position >= from,
        };
        if implicit { Dependence::Implicit } else { Dependence::Data }
    }
}

/// How information crosses an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It takes nothing, or makes nothing, or both.
    Nothing,
    /// Every operand to every result.
    Join(ImplicitOperands),
    /// The operand at a position to the result at the same position.
    ElementByElement,
    /// Only the shape of the operand matters.
    Shape,
    /// Values are data, their positions are implicit.
    TopK,
    /// State in; state and bits out.
    RandomBits,
    /// As a join; and its state is hidden in the world.
    StatefulRandom,
    /// `while`.
    While,
    /// `case` and `if`.
    Branches,
    /// `reduce` and `reduce_window`.
    Reduce,
    /// `scatter`.
    Scatter,
    /// `sort`.
    Sort,
    /// `map`.
    Map,
    /// `select_and_scatter`.
    SelectAndScatter,
    /// `all_reduce` and `reduce_scatter`.
    AllReduce,
    /// `scan` of CHLO.
    Scan,
    /// A region that runs once.
    Computation,
    /// A function's body stands for it. Without one it is opaque.
    Call,
    /// The table of known targets decides; those are joins, all others opaque.
    CustomCall,
    /// Not looked into.
    Opaque,
}

const JOIN: Rule = Rule::Join(ImplicitOperands::None);

const fn implicit_at(position: usize) -> Rule {
    Rule::Join(ImplicitOperands::At(position))
}

const fn implicit_from(position: usize) -> Rule {
    Rule::Join(ImplicitOperands::From(position))
}

/// The rule of a kind of operation. There is no wildcard: a new kind does not compile until it has a rule.
pub fn rule_of(kind: OperationKind) -> Rule {
    use OperationKind as Kind;
    match kind {
        // Elementwise, one operand.
        Kind::Abs
        | Kind::Cbrt
        | Kind::Ceil
        | Kind::Convert
        | Kind::Cosine
        | Kind::CountLeadingZeros
        | Kind::Exponential
        | Kind::ExponentialMinusOne
        | Kind::Floor
        | Kind::Imag
        | Kind::IsFinite
        | Kind::Log
        | Kind::LogPlusOne
        | Kind::Logistic
        | Kind::Negate
        | Kind::Not
        | Kind::PopulationCount
        | Kind::Real
        | Kind::ReducePrecision
        | Kind::RoundNearestAfz
        | Kind::RoundNearestEven
        | Kind::Rsqrt
        | Kind::Sign
        | Kind::Sine
        | Kind::Sqrt
        | Kind::Tan
        | Kind::Tanh
        | Kind::UniformDequantize
        | Kind::UniformQuantize => JOIN,

        // Elementwise, two operands or three.
        Kind::Add
        | Kind::And
        | Kind::Atan2
        | Kind::Compare
        | Kind::Complex
        | Kind::Divide
        | Kind::Maximum
        | Kind::Minimum
        | Kind::Multiply
        | Kind::Or
        | Kind::Power
        | Kind::Remainder
        | Kind::ShiftLeft
        | Kind::ShiftRightArithmetic
        | Kind::ShiftRightLogical
        | Kind::Subtract
        | Kind::Xor
        | Kind::Clamp => JOIN,
        Kind::Select => implicit_at(0),

        // Moves elements about; indices, sizes and shapes are implicit.
        Kind::BitcastConvert
        | Kind::Broadcast
        | Kind::BroadcastInDim
        | Kind::Concatenate
        | Kind::GetTupleElement
        | Kind::Pad
        | Kind::Reshape
        | Kind::Reverse
        | Kind::Slice
        | Kind::Transpose
        | Kind::Tuple => JOIN,
        Kind::DynamicBroadcastInDim
        | Kind::DynamicGather
        | Kind::DynamicReshape
        | Kind::DynamicSlice
        | Kind::Gather
        | Kind::RealDynamicSlice
        | Kind::SetDimensionSize
        | Kind::TorchIndexSelect => implicit_from(1),
        Kind::DynamicPad | Kind::DynamicUpdateSlice => implicit_from(2),
        Kind::OptimizationBarrier => Rule::ElementByElement,
        Kind::GetDimensionSize => Rule::Shape,

        // Makes values.
        Kind::Constant | Kind::Iota => Rule::Nothing,
        Kind::DynamicIota => implicit_from(0),
        Kind::Rng => Rule::StatefulRandom,
        Kind::RngBitGenerator => Rule::RandomBits,

        // Whole-tensor functions.
        Kind::BatchNormGrad
        | Kind::BatchNormInference
        | Kind::BatchNormTraining
        | Kind::Cholesky
        | Kind::Convolution
        | Kind::Dot
        | Kind::DotGeneral
        | Kind::Einsum
        | Kind::Fft
        | Kind::TriangularSolve
        | Kind::UnaryEinsum => JOIN,
        Kind::DynamicConv => implicit_from(2),

        // With regions.
        Kind::Case | Kind::If => Rule::Branches,
        Kind::Map => Rule::Map,
        Kind::Reduce | Kind::ReduceWindow => Rule::Reduce,
        Kind::Scatter => Rule::Scatter,
        Kind::SelectAndScatter => Rule::SelectAndScatter,
        Kind::Sort => Rule::Sort,
        Kind::While => Rule::While,

        // Between devices. A value stands for the values of all replicas.
        Kind::AllGather | Kind::AllToAll => Rule::ElementByElement,
        Kind::AllReduce | Kind::ReduceScatter => Rule::AllReduce,
        Kind::CollectiveBroadcast | Kind::CollectivePermute | Kind::CrossReplicaSum => JOIN,
        Kind::PartitionId | Kind::ReplicaId => Rule::Nothing,
        Kind::AsyncDone | Kind::AsyncStart => Rule::Opaque,

        // The world outside, and order. Tokens are ordinary values.
        Kind::AfterAll => JOIN,
        Kind::CreateToken => Rule::Nothing,
        Kind::CustomCall => Rule::CustomCall,
        Kind::Infeed | Kind::Outfeed | Kind::Recv | Kind::Send => Rule::Opaque,

        // Calls; ends of regions (whoever holds the region reads its yields).
        Kind::Call | Kind::Composite => Rule::Call,
        Kind::Return | Kind::FunctionReturn | Kind::ShardyReturn => Rule::Nothing,

        // CHLO.
        Kind::Acos
        | Kind::Acosh
        | Kind::Asin
        | Kind::AsinAcosKernel
        | Kind::Asinh
        | Kind::Atan
        | Kind::Atanh
        | Kind::BesselI1e
        | Kind::BroadcastAcos
        | Kind::BroadcastAdd
        | Kind::BroadcastAnd
        | Kind::BroadcastAtan2
        | Kind::BroadcastCompare
        | Kind::BroadcastComplex
        | Kind::BroadcastDivide
        | Kind::BroadcastMaximum
        | Kind::BroadcastMinimum
        | Kind::BroadcastMultiply
        | Kind::BroadcastNextAfter
        | Kind::BroadcastOr
        | Kind::BroadcastPolygamma
        | Kind::BroadcastPower
        | Kind::BroadcastRemainder
        | Kind::BroadcastShiftLeft
        | Kind::BroadcastShiftRightArithmetic
        | Kind::BroadcastShiftRightLogical
        | Kind::BroadcastSubtract
        | Kind::BroadcastXor
        | Kind::BroadcastZeta
        | Kind::Conjugate
        | Kind::Cosh
        | Kind::Digamma
        | Kind::Erf
        | Kind::ErfInv
        | Kind::Erfc
        | Kind::IsInf
        | Kind::IsNegInf
        | Kind::IsPosInf
        | Kind::Lgamma
        | Kind::NextAfter
        | Kind::Polygamma
        | Kind::Sinh
        | Kind::Square
        | Kind::ChloTan
        | Kind::MultiplyHigh
        | Kind::Zeta => JOIN,
        Kind::BroadcastSelect => implicit_at(0),
        Kind::ChloConstant | Kind::ShardyConstant => Rule::Nothing,
        Kind::ConstantLike => Rule::Shape,
        Kind::ChloDynamicReshape => implicit_from(1),
        Kind::RaggedDot => implicit_from(2),
        Kind::TopK => Rule::TopK,

        // Shardy: where tensors lie.
        Kind::ShardingConstraint | Kind::Reshard | Kind::PropagationBarrier => Rule::ElementByElement,
        Kind::Scan => Rule::Scan,
        Kind::ManualComputation | Kind::NamedComputation => Rule::Computation,
        Kind::ShardingGroup => Rule::Nothing,

        // What a test expects: it reads, and makes nothing. Where an expectation fails, there is no step.
        Kind::ExpectAlmostEq
        | Kind::ExpectAlmostEqConst
        | Kind::ExpectClose
        | Kind::ExpectEq
        | Kind::ExpectEqConst
        | Kind::ExpectSerializedEq => Rule::Nothing,

        Kind::Unknown => Rule::Opaque,
    }
}
