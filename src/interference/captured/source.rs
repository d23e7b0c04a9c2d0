//! Where the source of a captured step begins, and what becomes of the values there.

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashMap;

use crate::exec::{Element, FloatScalar, Tensor, decode_float};
use crate::graph::{Definition, FloatKind, OperationId, OperationKind, Phases, TrainingGraph};
use crate::index::Id;
use crate::interference::{NumberRange, Probe, Target};
use crate::transfer::Transfer;

/// Results of an operation of the source that something outside of it takes.
#[derive(Clone, Debug)]
pub(super) struct Exit {
    pub target: Target,
    results: FixedBitSet,
}

impl Exit {
    pub fn has(&self, result: usize) -> bool {
        self.results.contains(result)
    }
}

/// The results of source operations that leave the source. Labels are seeded at all results of all of them; those that only
/// the source itself takes reach nothing but through these, which are changed whatever they are made from.
pub(super) fn exits(graph: &TrainingGraph, operations: &[OperationId]) -> FxHashMap<OperationId, Exit> {
    let mut source = FixedBitSet::with_capacity(graph.operations().len());
    source.extend(operations.iter().map(|id| id.index()));
    Transfer::new(graph).close_sources(&mut source);
    let is_source = |id: OperationId| source.contains(id.index());
    // A function whose every call is of the source gives nothing to others.
    let mut gives_outside = vec![true; graph.functions().len()];
    let mut is_called = vec![false; graph.functions().len()];
    for (id, operation) in graph.operations().iter_enumerated() {
        let callee =
            operation.callee.filter(|_| matches!(operation.kind, OperationKind::Call | OperationKind::Composite));
        if let Some(callee) = callee.map(Id::index) {
            let outside = !is_source(id);
            gives_outside[callee] = outside || (is_called[callee] && gives_outside[callee]);
            is_called[callee] = true;
        }
    }
    gives_outside[graph.entry().index()] = true;
    let phases = Phases::new(graph);
    let mut exits = FxHashMap::default();
    for user in graph.operations().ids() {
        let facts = graph.operation(user);
        let takes_outside = match graph.region(facts.region) {
            region if facts.kind.is_terminator() => {
                region.parent.map_or(gives_outside[region.function.index()], |parent| !is_source(parent))
            }
            _ => !is_source(user),
        };
        if !takes_outside {
            continue;
        }
        for &value in graph.operands(user) {
            if let Definition::Result(id, position) = graph.value(value).definition
                && is_source(id)
            {
                let target = if phases.of(id).transposed { Target::Cotangent } else { Target::Value };
                let exit = exits.entry(id).or_insert_with(|| Exit { target, results: FixedBitSet::new() });
                exit.results.grow_and_insert(position as usize);
            }
        }
    }
    exits
}

/// What a type of floats can hold.
fn range(kind: FloatKind) -> NumberRange {
    // Formats of up to 16 bits are looked through; the others are those of IEEE 754.
    let (largest, smallest) = match kind {
        FloatKind::F64 => (f64::MAX, f64::from_bits(1)),
        FloatKind::F32 => (f64::from(f32::MAX), f64::from(f32::from_bits(1))),
        _ if kind.bits() <= 16 => {
            let numbers = (0..1u64 << (kind.bits() - 1)).map(|word| decode_float(kind, word));
            let numbers = numbers.filter(|number| number.is_finite() && *number > 0.0);
            numbers.fold((0.0, f64::MAX), |(largest, smallest), number| (number.max(largest), number.min(smallest)))
        }
        _ => (f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE)),
    };
    NumberRange { largest, smallest }
}

/// Sends every element of a tensor through the probe.
///
/// An integer takes the nearest number of its type, and the next one where that is itself; a boolean that is changed at all
/// is the other one.
pub(super) fn disturb<S: FloatScalar>(tensor: &mut Tensor<S>, target: Target, probe: &mut Probe<'_>) {
    let Some(element) = tensor.element() else { return };
    match tensor {
        Tensor::Boolean(array) => {
            let range = NumberRange { largest: 1.0, smallest: 1.0 };
            array.map_inplace(|value| {
                let before = *value;
                *value ^= probe.change(target, range, || f64::from(u8::from(before))).is_some();
            });
        }
        Tensor::Signed(bits, array) => {
            let largest = i64::MAX >> (64 - *bits);
            let range = NumberRange { largest: largest as f64, smallest: 1.0 };
            array.map_inplace(|value| {
                let before = *value;
                if let Some(changed) = probe.change(target, range, || before as f64) {
                    let changed = (changed.round() as i64).clamp(-largest - 1, largest);
                    let next = if *value == largest { value.wrapping_neg() } else { *value + 1 };
                    *value = if changed == *value { next } else { changed };
                }
            });
        }
        Tensor::Unsigned(bits, array) => {
            let largest = u64::MAX >> (64 - *bits);
            let range = NumberRange { largest: largest as f64, smallest: 1.0 };
            array.map_inplace(|value| {
                let before = *value;
                if let Some(changed) = probe.change(target, range, || before as f64) {
                    let changed = (changed.round() as u64).min(largest);
                    let next = if *value == largest { 0 } else { *value + 1 };
                    *value = if changed == *value { next } else { changed };
                }
            });
        }
        Tensor::Float(kind, array) => {
            let range = range(*kind);
            array.map_inplace(|value| *value = changed(*value, *kind, target, range, probe));
        }
        Tensor::Complex(kind, array) => {
            let range = range(*kind);
            array.map_inplace(|value| {
                value.re = changed(value.re, *kind, target, range, probe);
                value.im = changed(value.im, *kind, target, range, probe);
            });
        }
        Tensor::Token | Tensor::Tuple(_) => {}
    }
    debug_assert_eq!(tensor.element(), Some(element));
}

fn changed<S: FloatScalar>(value: S, kind: FloatKind, target: Target, range: NumberRange, probe: &mut Probe<'_>) -> S {
    match probe.change(target, range, || value.value()) {
        Some(changed) => <S as num_traits::NumCast>::from(changed).unwrap_or(value).rounded(kind),
        None => value,
    }
}

/// Whether an operation multiplies elements of its first two operands.
pub(super) fn multiplies(kind: OperationKind) -> bool {
    use OperationKind as Kind;
    matches!(kind, Kind::Multiply | Kind::Dot | Kind::DotGeneral | Kind::Convolution)
}

/// Whether a zero meets an infinity or NaN in a product: what the assumption of finite operands excludes. Where elements are
/// summed, any zero counts as meeting any of them: to leave out a pair of runs is no pass.
pub(super) fn zero_meets_infinity<S: FloatScalar>(kind: OperationKind, operands: &[Tensor<S>]) -> bool {
    let [Tensor::Float(_, a), Tensor::Float(_, b)] = operands else { return false };
    let is_zero = |value: &S| value.value() == 0.0;
    let is_broken = |value: &S| !value.value().is_finite();
    if kind == OperationKind::Multiply {
        let meets = |(a, b): (&S, &S)| is_zero(a) && is_broken(b) || is_broken(a) && is_zero(b);
        return a.shape() == b.shape() && a.iter().zip(b).any(meets);
    }
    a.iter().any(is_broken) && b.iter().any(is_zero) || b.iter().any(is_broken) && a.iter().any(is_zero)
}

/// Results that stand for what nobody can run: a made-up function of the operands, different wherever they are.
pub(super) fn made_up<S: FloatScalar>(tensor: &mut Tensor<S>, result: usize, operands: u64) {
    let Some(element) = tensor.element() else { return };
    let r#type = crate::exec::TensorShape { shape: tensor.shape().to_vec(), element };
    let bound = matches!(element, Element::Signed(_)).then_some(4);
    let plan = crate::exec::InputPlan { r#type: Some(r#type), bound, is_positive: false, is_compared: false };
    *tensor = plan.draw(operands, result as u64);
}

/// A word that stands for tensors: another wherever a bit differs.
pub(super) fn fingerprint<'t, S: FloatScalar + 't>(tensors: impl IntoIterator<Item = &'t Tensor<S>>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for tensor in tensors {
        for word in tensor.to_bits() {
            hasher.update(&word.to_le_bytes());
        }
    }
    let bytes = hasher.finalize();
    u64::from_le_bytes(std::array::from_fn(|at| bytes.as_bytes()[at]))
}
