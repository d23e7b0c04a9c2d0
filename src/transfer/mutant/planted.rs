//! Which fault is planted in this thread, and what it does to what the rules emit.

use std::cell::Cell;

use super::Slip;
use crate::graph::{OperationId, OperationKind, TrainingGraph, ValueId};
use crate::lattice::{AxisImage, Intervals};
use crate::transfer::images::Image;
use crate::transfer::{Dependence, Edge, Node};

/// An end of a dependence, by its part in the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// The operand at a position.
    Operand(usize),
    /// What a region gives back at a position.
    Yield(usize, usize),
    /// The argument of a region at a position.
    Argument(usize, usize),
    /// The result at a position.
    Result(usize),
    /// The world outside.
    World,
}

impl End {
    /// The parts that the ends of an edge of an operation have.
    pub fn of(graph: &TrainingGraph, operation: OperationId, edge: Edge) -> Option<(End, End)> {
        let position = |values: &[ValueId], value| values.iter().position(|candidate| *candidate == value);
        let regions = || graph.regions_of(operation).iter().enumerate();
        let from = match edge.from {
            Node::World => End::World,
            Node::Value(value) => match position(graph.operands(operation), value) {
                Some(at) => End::Operand(at),
                None => regions().find_map(|(region, id)| {
                    Some(match position(graph.yields(*id), value) {
                        Some(at) => End::Yield(region, at),
                        None => End::Argument(region, graph.arguments(*id).iter().position(|own| own == value)?),
                    })
                })?,
            },
        };
        let to = match edge.to {
            Node::World => End::World,
            Node::Value(value) => match graph.results(operation).iter().position(|result| result == value) {
                Some(at) => End::Result(at),
                None => regions().find_map(|(region, id)| {
                    Some(End::Argument(region, graph.arguments(*id).iter().position(|own| own == value)?))
                })?,
            },
        };
        Some((from, to))
    }
}

/// What is done to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Twist {
    /// Nothing arrives.
    Nothing,
    /// Everything arrives one index further along each dimension.
    Shift,
    /// The first two dimensions arrive where the other should.
    Swap,
    /// A dimension that is mixed keeps its index.
    Keep,
    /// A window is one index shorter.
    Shorten,
    /// A window that is overwritten is one index longer.
    Overwrite,
    /// Of several pieces the last is lost.
    LosePiece,
}

impl Twist {
    /// Every twist.
    pub const ALL: &[Twist] =
        &[Twist::Nothing, Twist::Shift, Twist::Swap, Twist::Keep, Twist::Shorten, Twist::Overwrite, Twist::LosePiece];
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mutant {
    /// Operations of this kind have no edge between these ends.
    NoEdge(OperationKind, End, End),
    /// Operations of this kind have no edges of this dependence.
    NoDependence(OperationKind, Dependence),
    /// Operations of this kind are opaque, and their edges are believed to be known.
    OpaqueIsClear(OperationKind),
    /// The image of an operand of operations of this kind is another.
    Image(OperationKind, usize, Twist),
    /// Summaries of functions lack the bit of this parameter and this result.
    NoSummaryBit(usize, usize),
    /// A line of the analysis.
    Slip(Slip),
}

thread_local! {
    static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Plants a fault in this thread, instead of whatever was planted before.
pub fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether a test has planted this.
#[inline]
pub fn slips(slip: Slip) -> bool {
    PLANTED.get() == Some(Mutant::Slip(slip))
}

/// Hands on the edges that the planted fault leaves, as it leaves them.
pub(crate) fn edges_kept<'e>(
    graph: &'e TrainingGraph,
    operation: OperationId,
    emit: &'e mut dyn FnMut(Edge),
) -> impl FnMut(Edge) + 'e {
    let kind = graph.operation(operation).kind;
    let planted = PLANTED.get();
    move |edge| match planted {
        Some(Mutant::NoEdge(of, from, to)) if of == kind && End::of(graph, operation, edge) == Some((from, to)) => {}
        Some(Mutant::NoDependence(of, dependence)) if of == kind && edge.kind == dependence => {}
        Some(Mutant::OpaqueIsClear(of)) if of == kind => emit(Edge { kind: Dependence::Data, ..edge }),
        _ => emit(edge),
    }
}

/// Whether a summary says that this parameter reaches this result.
pub(crate) fn keeps_summary_bit(parameter: usize, result: usize) -> bool {
    PLANTED.get() != Some(Mutant::NoSummaryBit(parameter, result))
}

/// The image, as the planted fault has it.
pub(crate) fn image(kind: OperationKind, operand: usize, rank: usize, image: Image) -> Image {
    match PLANTED.get() {
        Some(Mutant::Image(of, at, twist)) if (of, at) == (kind, operand) => twisted(&image, rank, twist),
        _ => image,
    }
}

/// An image in a result of this rank with a twist; the same where the twist has nothing to take hold of.
pub fn twisted(image: &Image, rank: usize, twist: Twist) -> Image {
    let mut image = image.clone();
    match (twist, &mut image) {
        (Twist::Nothing, _) => return Image::Nothing,
        (_, Image::Axes(axes)) => twist_axes(axes, rank, twist),
        (Twist::Overwrite, Image::Outside(window)) => window.iter_mut().for_each(|set| *set = longer(set)),
        (Twist::Shift, Image::Outside(window)) => window.iter_mut().for_each(|set| *set = later(set)),
        (Twist::LosePiece, Image::Pieces(pieces)) => {
            pieces.pop();
        }
        (Twist::Shift | Twist::Swap | Twist::Keep, Image::Pieces(pieces)) => {
            for piece in pieces {
                twist_axes(&mut piece.axes, rank, twist);
                if twist == Twist::Shift {
                    piece.given.iter_mut().for_each(|set| *set = later(set));
                }
            }
        }
        _ => {}
    }
    image
}

fn longer(set: &Intervals) -> Intervals {
    Intervals::union_of(set.as_slice().iter().map(|(start, end)| (*start, end + 1)).collect())
}

fn later(set: &Intervals) -> Intervals {
    Intervals::union_of(set.as_slice().iter().map(|(start, end)| (start + 1, end + 1)).collect())
}

fn twist_axes(axes: &mut [AxisImage], rank: usize, twist: Twist) {
    let taken: Vec<usize> = axes.iter().filter_map(|axis| target(*axis)).collect();
    match (twist, axes) {
        (Twist::Shift, axes) => {
            for axis in axes {
                match axis {
                    AxisImage::Placed { low, .. } => *low += 1,
                    AxisImage::Picked { start, .. } => *start += 1,
                    AxisImage::Window { low, .. } => *low += 1,
                    AxisImage::Gone => {}
                }
            }
        }
        (Twist::Swap, [first, second, ..]) => {
            if let (Some(one), Some(other)) = (target(*first), target(*second)) {
                set_target(first, other);
                set_target(second, one);
            }
        }
        (Twist::Keep, axes) => {
            // To the first dimension of the result that nothing else arrives at.
            let free = (0..rank).find(|axis| !taken.contains(axis));
            let gone = axes.iter_mut().find(|axis| **axis == AxisImage::Gone);
            if let (Some(free), Some(axis)) = (free, gone) {
                *axis = AxisImage::same(free);
            }
        }
        (Twist::Shorten, axes) => {
            for axis in axes {
                if let AxisImage::Window { span, .. } = axis {
                    *span = span.saturating_sub(1).max(1);
                }
            }
        }
        _ => {}
    }
}

fn target(axis: AxisImage) -> Option<usize> {
    match axis {
        AxisImage::Placed { axis, .. } | AxisImage::Picked { axis, .. } | AxisImage::Window { axis, .. } => Some(axis),
        AxisImage::Gone => None,
    }
}

fn set_target(image: &mut AxisImage, to: usize) {
    if let AxisImage::Placed { axis, .. } | AxisImage::Picked { axis, .. } | AxisImage::Window { axis, .. } = image {
        *axis = to;
    }
}
