//! Where the elements of an operand arrive in a result, operation by operation.
//!
//! **Invariants.** An image over-approximates: an element of the result that depends on an element of the operand, in any
//! run, is in that element's image. What has no rule here, an attribute that is not understood or a shape that is not
//! static, is [`Image::Everything`]. Source: the StableHLO specification's formula of each operation.

mod indexed;
mod moved;

pub use moved::{DotSide, dot_sides};

use crate::graph::{Attribute, OperationId, OperationKind, TrainingGraph, ValueId};
use crate::lattice::{AxisImage, Elements, Guard, Intervals, Pick};

/// Tensors of more dimensions are not looked into.
const HIGHEST_RANK: usize = 16;

/// Where the elements of one operand arrive in one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// Nowhere.
    Nothing,
    /// Any of them anywhere.
    Everything,
    /// By dimension; one for each dimension of the operand.
    Axes(Vec<AxisImage>),
    /// At the same position in row-major order.
    Reshaped,
    /// At the same index, but not in this window, which is overwritten.
    Outside(Vec<Intervals>),
    /// Piece by piece.
    Pieces(Vec<Piece>),
}

/// A window of an operand that arrives in a window of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The window that is taken.
    pub taken: Vec<Intervals>,
    /// How; one for each dimension of the operand.
    pub axes: Vec<AxisImage>,
    /// The window of the result that is given.
    pub given: Vec<Intervals>,
}

/// What is known of the operands of an operation: integers in row-major order, by position.
pub type KnownIntegers<'a> = &'a dyn Fn(usize) -> Option<Vec<i64>>;

/// The extents of a tensor, if they are static and their product is small enough to count with.
pub fn extents(graph: &TrainingGraph, value: ValueId) -> Option<Vec<u64>> {
    let tensor = graph.tensor_type(value)?;
    if tensor.encoding.is_some() || tensor.rank()? > HIGHEST_RANK {
        return None;
    }
    let extents: Vec<u64> = tensor.dimensions.as_ref()?.iter().copied().collect::<Option<_>>()?;
    // Some of the extents may be multiplied without a 0 among them.
    let count = extents.iter().try_fold(1u64, |product, extent| product.checked_mul((*extent).max(1)))?;
    (count < 1 << 48).then_some(extents)
}

/// Where the elements of the operand at a position arrive in the result at a position.
pub fn image(
    graph: &TrainingGraph,
    operation: OperationId,
    operand: usize,
    result: usize,
    known: KnownIntegers<'_>,
) -> Image {
    let operands = graph.operands(operation);
    let Some(result_value) = graph.results(operation).get(result) else { return Image::Everything };
    let (Some(from), Some(to)) = (extents(graph, operands[operand]), extents(graph, result_value)) else {
        return Image::Everything;
    };
    let context = Context { graph, operation, operand, from, to, known };
    let image = context.image().unwrap_or(Image::Everything);
    #[cfg(feature = "mutants")]
    let image = super::mutant::image(graph.operation(operation).kind, operand, context.to.len(), image);
    image
}

/// One question: an operation, one of its operands, and the extents at both ends.
struct Context<'a> {
    graph: &'a TrainingGraph,
    operation: OperationId,
    operand: usize,
    from: Vec<u64>,
    to: Vec<u64>,
    known: KnownIntegers<'a>,
}

impl Context<'_> {
    /// [`None`]: not understood.
    fn image(&self) -> Option<Image> {
        use OperationKind as Kind;
        let kind = self.graph.operation(self.operation).kind;
        match kind {
            Kind::Broadcast | Kind::BroadcastInDim => self.broadcast(kind),
            Kind::Reshape => Some(Image::Reshaped),
            Kind::Transpose => self.transpose(),
            Kind::Slice => self.slice(),
            Kind::Reverse => self.reverse(),
            Kind::Concatenate => self.concatenate(),
            Kind::Pad => self.pad(),
            Kind::Reduce => self.reduce(),
            Kind::ReduceWindow => self.reduce_window(),
            Kind::Sort => self.sort(),
            Kind::DotGeneral => self.dot_general(),
            Kind::Convolution => self.convolution(),
            Kind::Fft => self.last_dimensions_mixed(self.integers("fft_length")?.len()),
            Kind::Cholesky | Kind::TriangularSolve => self.last_dimensions_mixed(2),
            Kind::DynamicSlice => self.dynamic_slice(),
            Kind::DynamicUpdateSlice => self.dynamic_update_slice(),
            Kind::Gather => self.gather(),
            Kind::Scatter => self.scatter(),
            Kind::AllReduce | Kind::OptimizationBarrier | Kind::Map => self.element_by_element(),
            kind if is_element_by_element(kind) => self.element_by_element(),
            _ => None,
        }
    }

    /// The same index; or a scalar that goes everywhere.
    fn element_by_element(&self) -> Option<Image> {
        if self.from == self.to {
            return Some(Image::Axes((0..self.from.len()).map(AxisImage::same).collect()));
        }
        self.from.is_empty().then(|| Image::Axes(Vec::new()))
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.graph.attribute(self.operation, name)
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.attribute(name)?.as_integer()
    }

    /// A list of integers; empty if the attribute is absent (MLIR does not print empty ones).
    fn integers(&self, name: &str) -> Option<Vec<usize>> {
        as_positions(self.attribute(name))
    }

    /// A list of integers with one entry for each dimension; `default` for each if it is absent.
    fn per_dimension(&self, name: &str, default: i64, rank: usize) -> Option<Vec<i64>> {
        match self.attribute(name) {
            None => Some(vec![default; rank]),
            Some(attribute) => attribute.as_integers().filter(|list| list.len() == rank).map(<[i64]>::to_vec),
        }
    }

    /// An entry of a dictionary attribute, as a list of positions.
    fn numbers_of(&self, dictionary: &str, name: &str) -> Option<Vec<usize>> {
        match self.attribute(dictionary)? {
            Attribute::Dictionary(entries) => as_positions(Attribute::find(entries, name)),
            _ => None,
        }
    }

    fn operand_extents(&self, position: usize) -> Option<Vec<u64>> {
        extents(self.graph, *self.graph.operands(self.operation).get(position)?)
    }
}

fn as_positions(attribute: Option<&Attribute>) -> Option<Vec<usize>> {
    match attribute {
        None => Some(Vec::new()),
        Some(attribute) => attribute.as_integers()?.iter().map(|position| usize::try_from(*position).ok()).collect(),
    }
}

/// Whether each element of the result is made of the elements at the same index alone.
pub fn is_element_by_element(kind: OperationKind) -> bool {
    use OperationKind as Kind;
    matches!(
        kind,
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
            | Kind::UniformQuantize
            | Kind::Add
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
            | Kind::Clamp
            | Kind::Select
            | Kind::BitcastConvert
            | Kind::Acos
            | Kind::Acosh
            | Kind::Asin
            | Kind::AsinAcosKernel
            | Kind::Asinh
            | Kind::Atan
            | Kind::Atanh
            | Kind::BesselI1e
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
            | Kind::Zeta
            | Kind::ShardingConstraint
            | Kind::Reshard
            | Kind::PropagationBarrier
    )
}

impl Image {
    /// Where these elements arrive.
    pub fn of(&self, elements: &Elements, from: &[u64], to: &[u64]) -> Elements {
        match self {
            Image::Nothing => Elements::none(),
            Image::Everything if elements.is_empty() => Elements::none(),
            Image::Everything => Elements::All,
            Image::Axes(axes) => elements.image(axes, from, to),
            Image::Reshaped => elements.reshaped(from, to),
            Image::Outside(window) => elements.without(window, to).normalised(to),
            Image::Pieces(pieces) => {
                let mut arrived = Elements::none();
                for piece in pieces {
                    let taken = elements.intersection(&Elements::cell(piece.taken.iter().cloned()));
                    let there = taken.image(&piece.axes, from, to);
                    arrived.join(&there.intersection(&Elements::cell(piece.given.iter().cloned())));
                }
                arrived.normalised(to)
            }
        }
    }

    /// What of a condition on the operand's elements still says something of the result's.
    pub fn condition(&self, guard: &Guard, from: &[u64], to: &[u64]) -> Guard {
        if guard.is_always() {
            return Guard::always();
        }
        match self {
            Image::Nothing | Image::Everything => guard.global(to.len()),
            Image::Axes(axes) => match picks(axes, to.len()) {
                Some(picks) => guard.rearranged(&picks, to),
                None => guard.global(to.len()),
            },
            Image::Reshaped => guard.reshaped(from, to),
            Image::Outside(_) => guard.clone(),
            Image::Pieces(pieces) => match &pieces[..] {
                [piece] => match picks(&piece.axes, to.len()) {
                    Some(picks) => guard.rearranged(&picks, to),
                    None => guard.global(to.len()),
                },
                _ => guard.global(to.len()),
            },
        }
    }
}

/// For each dimension of the result which one of the operand it shows, where that is one for one.
pub fn picks(axes: &[AxisImage], rank: usize) -> Option<Vec<Option<Pick>>> {
    let mut picks = vec![None; rank];
    for (axis, image) in axes.iter().enumerate() {
        let (result, pick) = match *image {
            AxisImage::Placed { axis: result, low, step: 1 } => {
                (result, Pick { axis, start: low.checked_neg()?, step: 1 })
            }
            AxisImage::Picked { axis: result, start, step } => (result, Pick { axis, start, step }),
            AxisImage::Window { axis: result, low, stride, span: 1 } => {
                let step = i64::try_from(stride).ok()?;
                (result, Pick { axis, start: low.checked_neg()?, step })
            }
            AxisImage::Placed { .. } | AxisImage::Window { .. } | AxisImage::Gone => continue,
        };
        if picks[result].replace(pick).is_some() {
            return None; // two dimensions on one: a diagonal
        }
    }
    Some(picks)
}
