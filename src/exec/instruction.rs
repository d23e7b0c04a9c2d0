//! Operations, decoded: what [`super::Program`] holds.

use super::combine::Body;
use super::elementwise::Comparison;
use super::expectation::Expectation;
use super::kernels::{
    Algorithm, Convolution, DotDimensions, Gather, Scatter, SelectAndScatter, TriangularSolve, Window,
};
use super::rng::Distribution;
use super::scan::Scan;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::{FunctionId, OperationId, OperationKind as Kind, RegionId};

/// A place for a value while a function runs.
pub(super) type Slot = u32;

/// Where an operand is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub slot: Slot,
    /// Nobody needs it afterwards: it is taken out, so that it can be written over.
    pub is_last: bool,
}

/// An operation in a block.
#[derive(Clone, Debug)]
pub(super) struct Step<S> {
    pub operation: OperationId,
    pub instruction: Instruction<S>,
    pub operands: Box<[Operand]>,
    /// Where results go; none if nobody needs it.
    pub results: Box<[Option<Slot>]>,
    /// Element types of the results, where they are tensors.
    pub elements: Box<[Option<Element>]>,
    /// Types of the results, where they are tensors of known shape.
    pub types: Box<[Option<TensorShape>]>,
    /// What nobody needs afterwards, beyond the operands that are taken.
    pub drops: Box<[Slot]>,
}

/// A region.
#[derive(Clone, Debug)]
pub(super) struct Block<S> {
    /// Where its arguments go; none if nobody needs it.
    pub arguments: Box<[Option<Slot>]>,
    pub steps: Vec<Step<S>>,
    pub yields: Box<[Operand]>,
}

/// The kind of a Fourier transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    Forward,
    Inverse,
    RealForward,
    RealInverse,
}

/// A region that combines single elements.
#[derive(Clone, Debug)]
pub(super) struct Combine<S> {
    pub region: RegionId,
    pub body: Body<S>,
}

/// What to do, with all attributes decoded.
#[derive(Clone, Debug)]
pub(super) enum Instruction<S> {
    Constant(Tensor<S>),
    Unary(Kind),
    IsSpecial(Kind),
    Binary(Kind),
    BroadcastBinary(Kind, Option<Vec<usize>>),
    Compare(Comparison),
    BroadcastCompare(Comparison, Option<Vec<usize>>),
    Select,
    BroadcastSelect,
    BroadcastComplex(Option<Vec<usize>>),
    Clamp,
    Convert,
    BitcastConvert,
    ReducePrecision {
        exponent_bits: u32,
        mantissa_bits: u32,
    },
    Real,
    Imaginary,
    Complex,
    /// Results are the operands.
    Identity,
    BroadcastInDim(Vec<usize>),
    /// A constant of rank 0, broadcast once and for all.
    Filled {
        constant: OperationId,
        filled: Tensor<S>,
    },
    DynamicBroadcastInDim(Vec<usize>),
    Broadcast(Vec<usize>),
    Reshape,
    DynamicReshape,
    Transpose(Vec<usize>),
    Slice {
        start: Vec<usize>,
        limit: Vec<usize>,
        strides: Vec<usize>,
    },
    RealDynamicSlice,
    Concatenate(usize),
    Reverse(Vec<usize>),
    Iota(usize),
    DynamicIota(usize),
    Pad {
        low: Vec<i64>,
        high: Vec<i64>,
        interior: Vec<usize>,
    },
    DynamicPad,
    DynamicSlice(Vec<usize>),
    DynamicUpdateSlice,
    Gather(Gather),
    DynamicGather(Gather),
    GetDimensionSize(usize),
    SetDimensionSize(usize),
    IndexSelect {
        dimension: usize,
        batch_dims: usize,
    },
    Dot(DotDimensions),
    Convolution(Box<Convolution>),
    DynamicConvolution(Box<Convolution>),
    Fourier {
        transform: Transform,
        lengths: Vec<usize>,
    },
    Cholesky {
        lower: bool,
    },
    TriangularSolve(TriangularSolve),
    BatchNormTraining {
        epsilon: f64,
        feature: usize,
    },
    BatchNormInference {
        epsilon: f64,
        feature: usize,
    },
    BatchNormGradient {
        epsilon: f64,
        feature: usize,
    },
    RandomBits(Algorithm),
    Random(Distribution),
    TopK(usize),
    Reduce {
        dimensions: Vec<usize>,
        combine: Combine<S>,
    },
    ReduceWindow {
        window: Window,
        combine: Combine<S>,
    },
    Scatter {
        attributes: Scatter,
        combine: Combine<S>,
    },
    SelectAndScatter {
        attributes: SelectAndScatter,
        select: Combine<S>,
        scatter: Combine<S>,
    },
    Sort {
        dimension: usize,
        combine: Combine<S>,
    },
    Map(Combine<S>),
    Scan(Scan),
    Tuple,
    GetTupleElement(usize),
    /// Any operands; each result is a token.
    Token,
    /// Each result is zero.
    Zero,
    While {
        condition: RegionId,
        body: RegionId,
    },
    If {
        on_true: RegionId,
        on_false: RegionId,
    },
    Case(Vec<RegionId>),
    /// The region once, with the operands as arguments.
    Inline(RegionId),
    Call(FunctionId),
    Threefry,
    Expect(Expectation<S>),
    /// Passes its operand on, and remembers it under a name where somebody asks.
    Probe(Box<str>),
    /// The operand is what the probe of a name saw, so many times before.
    ExpectProbed {
        probe: Box<str>,
        iteration: usize,
    },
    Lapack(Lapack),
    /// It cannot be run: why.
    Unsupported(String),
}

/// Factorizations that JAX calls by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapack {
    Lu,
    Qr,
    HouseholderProduct,
    Cholesky { lower: bool },
    SymmetricEigen { lower: bool },
    TriangularSolve(TriangularSolve),
}
