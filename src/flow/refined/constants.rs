//! Small constants, folded exactly or not at all.
//!
//! What indices, counters and masks are made of. A constant that is the same along a dimension is held once
//! ([`Affine`] with stride 0), so a mask of one example each is small however often it is broadcast.

use std::rc::Rc;

use crate::graph::{Attribute, Dense, ElementType, Elements as DenseElements, FloatKind, OperationKind, TrainingGraph};
use crate::lattice::{Affine, Elements, Intervals};
use crate::transfer::mutant::{Slip, slips};

/// Constants of more different elements are not folded.
const MOST_ELEMENTS: u64 = 4096;

/// One element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::flow) enum Scalar {
    /// Of an integer or boolean type, in its range.
    Integer(i128),
    /// Of a float type, exactly.
    Float(f64),
}

impl Scalar {
    /// Whether it is zero; both zeros of a float are.
    pub fn is_zero(self) -> bool {
        match self {
            Scalar::Integer(number) => number == 0,
            Scalar::Float(number) => number == 0.0,
        }
    }

    pub fn is_one(self) -> bool {
        matches!(self, Scalar::Integer(1)) || self == Scalar::Float(1.0)
    }

    /// Its identity, such that equal numbers have equal bits; none for NaN.
    pub fn bits(self) -> Option<u64> {
        match self {
            Scalar::Integer(number) => i64::try_from(number).ok().map(|number| number as u64),
            Scalar::Float(number) if number.is_nan() => None,
            Scalar::Float(number) => Some((number + 0.0).to_bits()),
        }
    }
}

/// The elements of a value that is the same in every run.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::flow) struct Known {
    pub data: Rc<[Scalar]>,
    /// Where in `data` each element is.
    pub map: Affine,
}

impl Known {
    pub fn splat(scalar: Scalar, rank: usize) -> Self {
        Known { data: Rc::new([scalar]), map: Affine::constant(0, rank) }
    }

    fn at(&self, index: &[u64]) -> Option<Scalar> {
        self.data.get(usize::try_from(self.map.at(index)).ok()?).copied()
    }

    /// The one scalar that all elements are.
    pub fn single(&self) -> Option<Scalar> {
        if self.map.is_constant() {
            return self.data.get(usize::try_from(self.map.offset).ok()?).copied();
        }
        let first = *self.data.first()?;
        self.data.iter().all(|scalar| *scalar == first).then_some(first)
    }

    /// The least and the greatest, of integers.
    pub fn range(&self) -> Option<(i128, i128)> {
        let mut range: Option<(i128, i128)> = None;
        for scalar in self.data.iter() {
            let Scalar::Integer(number) = *scalar else { return None };
            range = Some(range.map_or((number, number), |(least, most)| (least.min(number), most.max(number))));
        }
        range
    }

    /// All elements as integers, in row-major order, if there are few.
    pub fn integers(&self, extents: &[u64]) -> Option<Vec<i64>> {
        let count = extents.iter().product::<u64>();
        if count > MOST_ELEMENTS {
            return None;
        }
        let mut numbers = Vec::with_capacity(count as usize);
        let complete = each_index(extents, |index| match self.at(index) {
            Some(Scalar::Integer(number)) => i64::try_from(number).map(|number| numbers.push(number)).is_ok(),
            _ => false,
        });
        complete.then_some(numbers)
    }

    /// The elements for which the test holds, or more.
    pub fn elements_where(&self, extents: &[u64], test: impl Fn(Scalar) -> bool) -> Elements {
        let live = live_dimensions(&[self], extents);
        let compact: Vec<u64> = live.iter().map(|axis| extents[*axis]).collect();
        let mut found = Elements::none();
        // Runs along the last dimension that matters.
        let complete = each_index(&compact, |index| {
            let mut full = vec![0; extents.len()];
            live.iter().zip(index).for_each(|(axis, at)| full[*axis] = *at);
            let Some(scalar) = self.at(&full) else { return false };
            if test(scalar) {
                let mut cell: Vec<Intervals> = extents.iter().map(|extent| Intervals::full(*extent)).collect();
                live.iter().zip(index).for_each(|(axis, at)| cell[*axis] = Intervals::range(*at, at + 1));
                found.join(&Elements::cell(cell));
            }
            true
        });
        if complete { found.normalised(extents) } else { Elements::All }
    }
}

/// The dimensions along which some of these differ.
fn live_dimensions(operands: &[&Known], extents: &[u64]) -> Vec<usize> {
    let matters = |axis: &usize| operands.iter().any(|known| known.map.strides[*axis] != 0);
    (0..extents.len()).filter(matters).collect()
}

/// Calls `visit` for every index in row-major order until it says no.
fn each_index(extents: &[u64], mut visit: impl FnMut(&[u64]) -> bool) -> bool {
    if extents.contains(&0) {
        return true;
    }
    let mut index = vec![0; extents.len()];
    loop {
        if !visit(&index) {
            return false;
        }
        let mut axis = extents.len();
        loop {
            if axis == 0 {
                return true;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < extents[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// Folds an operation whose result at an index is made of its operands at the same index.
pub(super) fn fold_element_by_element(
    graph: &TrainingGraph,
    operation: crate::graph::OperationId,
    operands: &[&Known],
    from: &ElementType,
    to: &ElementType,
    extents: &[u64],
) -> Option<Known> {
    let kind = graph.operation(operation).kind;
    let direction = graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text);
    let total = graph.attribute(operation, "compare_type").and_then(Attribute::as_text) == Some("TOTALORDER");
    if total || operands.iter().any(|known| known.map.strides.len() != extents.len()) {
        return None;
    }
    let live = live_dimensions(operands, extents);
    let compact: Vec<u64> = live.iter().map(|axis| extents[*axis]).collect();
    let count = compact.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent))?;
    if count > MOST_ELEMENTS || count == 0 {
        return None;
    }
    let mut data = Vec::with_capacity(count as usize);
    let mut scalars = Vec::with_capacity(operands.len());
    let complete = each_index(&compact, |index| {
        let mut full = vec![0; extents.len()];
        live.iter().zip(index).for_each(|(axis, at)| full[*axis] = *at);
        scalars.clear();
        scalars.extend(operands.iter().filter_map(|known| known.at(&full)));
        if scalars.len() < operands.len() {
            return false;
        }
        let folded = match kind {
            OperationKind::Compare => direction.and_then(|direction| compare(direction, scalars[0], scalars[1])),
            kind => fold(kind, &scalars, from, to),
        };
        folded.map(|scalar| data.push(scalar)).is_some()
    });
    if !complete {
        return None;
    }
    let inner = Affine::identity(&compact);
    let mut strides = vec![0; extents.len()];
    live.iter().zip(&inner.strides).for_each(|(axis, stride)| strides[*axis] = *stride);
    Some(Known { data: data.into(), map: Affine { offset: 0, strides: strides.into() } })
}

/// A comparison as the specification has it for ordered floats and integers.
pub(super) fn compare(direction: &str, left: Scalar, right: Scalar) -> Option<Scalar> {
    let order = match (left, right) {
        (Scalar::Integer(a), Scalar::Integer(b)) => Some(a.cmp(&b)),
        (Scalar::Float(a), Scalar::Float(b)) => a.partial_cmp(&b),
        _ => return None,
    };
    let holds = match direction {
        "EQ" => order.is_some_and(|order| order.is_eq()),
        "NE" => !order.is_some_and(|order| order.is_eq()),
        "LT" => order.is_some_and(|order| order.is_lt()),
        "LE" => order.is_some_and(|order| order.is_le()),
        "GT" => order.is_some_and(|order| order.is_gt()),
        "GE" => order.is_some_and(|order| order.is_ge()),
        _ => return None,
    };
    Some(Scalar::Integer(i128::from(holds)))
}

fn fold(kind: OperationKind, operands: &[Scalar], from: &ElementType, to: &ElementType) -> Option<Scalar> {
    use OperationKind as Kind;
    use Scalar::{Float, Integer};
    match (kind, operands) {
        (Kind::Select, [Integer(test), yes, no]) => Some(if *test != 0 { *yes } else { *no }),
        (Kind::Clamp, [low, value, high]) => {
            let is_nan = |scalar: &Scalar| matches!(scalar, Float(number) if number.is_nan());
            if [low, value, high].into_iter().any(is_nan) && !slips(Slip::NanClamped) {
                return None;
            }
            let at_most = |a: Scalar, b: Scalar| compare("LE", a, b).map(|holds| !holds.is_zero());
            let raised = if at_most(*low, *value)? { *value } else { *low };
            Some(if at_most(raised, *high)? { raised } else { *high })
        }
        (Kind::Convert, [value]) => convert(*value, from, to),
        (Kind::Not, [Integer(a)]) => match to {
            ElementType::Boolean => Some(Integer(1 - a)),
            _ => wrap(!a, to),
        },
        (Kind::Negate, [Integer(a)]) => wrap(-a, to),
        (Kind::Negate, [Float(a)]) => Some(Float(-a)),
        (Kind::Abs, [Integer(a)]) => wrap(a.abs(), to),
        (Kind::Abs, [Float(a)]) => Some(Float(a.abs())),
        (Kind::Sign, [Integer(a)]) => Some(Integer(a.signum())),
        (Kind::Floor, [Float(a)]) => Some(Float(a.floor())),
        (Kind::Ceil, [Float(a)]) => Some(Float(a.ceil())),
        (kind, [Integer(a), Integer(b)]) => {
            let (a, b) = (*a, *b);
            let boolean = *to == ElementType::Boolean;
            let result = match kind {
                Kind::Add if boolean => a | b,
                Kind::Multiply if boolean => a & b,
                Kind::Add => a.checked_add(b)?,
                Kind::Subtract if !boolean => a.checked_sub(b)?,
                Kind::Multiply => a.checked_mul(b)?,
                Kind::Divide if b != 0 && !boolean => a.checked_div(b)?,
                Kind::Remainder if b != 0 && !boolean => a.checked_rem(b)?,
                Kind::Maximum => a.max(b),
                Kind::Minimum => a.min(b),
                Kind::And => a & b,
                Kind::Or => a | b,
                Kind::Xor => a ^ b,
                _ => return None,
            };
            wrap(result, to)
        }
        (kind, [Float(a), Float(b)]) => {
            let result = match kind {
                Kind::Add => a + b,
                Kind::Subtract => a - b,
                Kind::Multiply => a * b,
                Kind::Divide => a / b,
                Kind::Maximum if !a.is_nan() && !b.is_nan() => a.max(*b),
                Kind::Minimum if !a.is_nan() && !b.is_nan() => a.min(*b),
                _ => return None,
            };
            round(result, to)
        }
        _ => None,
    }
}

/// Into the range of an integer type, modulo 2^width.
fn wrap(number: i128, to: &ElementType) -> Option<Scalar> {
    let wrapped = match to {
        ElementType::Boolean => number & 1,
        ElementType::Signed(bits @ 1..=64) => (number << (128 - bits)) >> (128 - bits),
        ElementType::Index => i128::from(number as i64),
        ElementType::Unsigned(bits @ 1..=64) => number & ((1 << bits) - 1),
        _ => return None,
    };
    Some(Scalar::Integer(wrapped))
}

/// To the nearest float of a format. A sum, product or quotient of two numbers of a format with at most 24 bits of
/// mantissa, computed with 53 and rounded again, is the correctly rounded one.
fn round(number: f64, to: &ElementType) -> Option<Scalar> {
    let exact_everywhere = number.fract() == 0.0 && number.abs() <= 8.0;
    let rounded = match to {
        ElementType::Float(FloatKind::F64) => number,
        ElementType::Float(FloatKind::F32) => f64::from(number as f32),
        ElementType::Float(FloatKind::BF16 | FloatKind::F16) if exact_everywhere || number.is_infinite() => number,
        _ => return None,
    };
    Some(Scalar::Float(rounded))
}

fn convert(value: Scalar, from: &ElementType, to: &ElementType) -> Option<Scalar> {
    match (value, to) {
        (Scalar::Integer(number), ElementType::Boolean) => Some(Scalar::Integer(i128::from(number != 0))),
        (Scalar::Float(number), ElementType::Boolean) => Some(Scalar::Integer(i128::from(number != 0.0))),
        (Scalar::Integer(number), ElementType::Float(_)) => {
            // Beyond 2^24 an integer may be rounded twice.
            (number.abs() <= 1 << 24).then(|| round(number as f64, to)).flatten()
        }
        (Scalar::Integer(number), _) => wrap(number, to),
        (Scalar::Float(number), ElementType::Float(_)) => match from == to {
            true => Some(value),
            false => round(number, to),
        },
        (Scalar::Float(number), _) if number.fract() == 0.0 && number.abs() <= f64::from(1 << 24) => {
            let integer = number as i128;
            match wrap(integer, to)? {
                Scalar::Integer(wrapped) if wrapped == integer => Some(Scalar::Integer(integer)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The positions along one dimension.
pub(super) fn iota(dimension: usize, extents: &[u64], element: &ElementType) -> Option<Known> {
    let extent = *extents.get(dimension)?;
    if extent > MOST_ELEMENTS {
        return None;
    }
    let number = |at: u64| match element {
        ElementType::Float(_) => round(at as f64, element),
        _ => wrap(i128::from(at), element).filter(|wrapped| *wrapped == Scalar::Integer(i128::from(at))),
    };
    let data: Option<Vec<Scalar>> = (0..extent).map(number).collect();
    let mut strides = vec![0; extents.len()];
    strides[dimension] = i64::from(extent > 1);
    Some(Known { data: data?.into(), map: Affine { offset: 0, strides: strides.into() } })
}

/// The parts of a concatenation, or the one operand of a pad with the padding value: element by element of the result.
pub(super) fn assembled(extents: &[u64], mut part_of: impl FnMut(&[u64]) -> Option<Scalar>) -> Option<Known> {
    let count = extents.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent))?;
    if count > MOST_ELEMENTS {
        return None;
    }
    let mut data = Vec::with_capacity(count as usize);
    let complete = each_index(extents, |index| part_of(index).map(|scalar| data.push(scalar)).is_some());
    complete.then(|| Known { data: data.into(), map: Affine::identity(extents) })
}

impl Known {
    /// One element, by an index that may lie outside.
    pub(super) fn element(&self, index: &[i64], extents: &[u64]) -> Option<Scalar> {
        let inside = index.iter().zip(extents).all(|(at, extent)| *at >= 0 && (*at as u64) < *extent);
        let index: Vec<u64> = index.iter().map(|at| *at as u64).collect();
        if inside { self.at(&index) } else { None }
    }
}

/// Reads the elements of a `constant`.
pub(super) fn read(graph: &TrainingGraph, dense: &Dense, element: &ElementType, extents: &[u64]) -> Option<Known> {
    let blob;
    let text: &str = match &dense.elements {
        DenseElements::Inline(text) => text,
        DenseElements::Array(text) => text,
        DenseElements::Resource(key) => {
            // The blob begins with the alignment, four bytes.
            let hexadecimal = graph.resource(key)?.trim_matches('"').trim_start_matches("0x").get(8..)?;
            blob = format!("\"0x{hexadecimal}\"");
            &blob
        }
    };
    let count = extents.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent))?;
    if let Some(hexadecimal) = text.strip_prefix("\"0x").and_then(|text| text.strip_suffix('"')) {
        let scalars = from_bytes(hexadecimal, element)?;
        return match scalars.len() as u64 {
            1 => Some(Known::splat(scalars[0], extents.len())),
            length if length == count => Some(Known { data: scalars.into(), map: Affine::identity(extents) }),
            _ => None,
        };
    }
    if text.len() as u64 > 32 * MOST_ELEMENTS {
        return None;
    }
    let plain: String = text.chars().filter(|letter| !matches!(letter, '[' | ']' | ' ')).collect();
    let scalars: Option<Vec<Scalar>> = plain.split(',').map(|number| scalar(number, element)).collect();
    let scalars = scalars?;
    match scalars.len() as u64 {
        1 if !text.contains('[') => Some(Known::splat(scalars[0], extents.len())),
        length if length == count => Some(Known { data: scalars.into(), map: Affine::identity(extents) }),
        _ => None,
    }
}

fn scalar(text: &str, element: &ElementType) -> Option<Scalar> {
    match element {
        ElementType::Boolean => match text {
            "true" | "1" => Some(Scalar::Integer(1)),
            "false" | "0" => Some(Scalar::Integer(0)),
            _ => None,
        },
        ElementType::Signed(_) | ElementType::Unsigned(_) | ElementType::Index => {
            let number = text.parse::<i128>().ok()?;
            wrap(number, element)
        }
        ElementType::Float(kind) => {
            if let Some(bits) = text.strip_prefix("0x") {
                let bits = u64::from_str_radix(bits, 16).ok()?;
                return float_of_bits(bits, *kind);
            }
            let number = text.parse::<f64>().ok()?;
            match kind {
                FloatKind::F64 => Some(Scalar::Float(number)),
                FloatKind::F32 => Some(Scalar::Float(f64::from(text.parse::<f32>().ok()?))),
                _ => round(number, element),
            }
        }
        _ => None,
    }
}

fn float_of_bits(bits: u64, kind: FloatKind) -> Option<Scalar> {
    let number = match kind {
        FloatKind::F64 => f64::from_bits(bits),
        FloatKind::F32 => f64::from(f32::from_bits(u32::try_from(bits).ok()?)),
        FloatKind::BF16 => f64::from(f32::from_bits(u32::try_from(bits).ok()?.checked_shl(16)?)),
        _ => return None,
    };
    Some(Scalar::Float(number))
}

/// Little-endian elements in hexadecimal, as MLIR writes long constants.
fn from_bytes(hexadecimal: &str, element: &ElementType) -> Option<Vec<Scalar>> {
    let width = match element {
        ElementType::Float(FloatKind::F32 | FloatKind::F64 | FloatKind::BF16) => element.bits()?,
        ElementType::Signed(8 | 16 | 32 | 64) | ElementType::Unsigned(8 | 16 | 32 | 64) => element.bits()?,
        _ => return None, // booleans are packed in a way of their own
    };
    let digits = 2 * (width as usize / 8);
    if !hexadecimal.len().is_multiple_of(digits) || hexadecimal.len() as u64 > digits as u64 * MOST_ELEMENTS {
        return None;
    }
    let bytes = hexadecimal.as_bytes().chunks(digits).map(|chunk| {
        let mut bits = 0u64;
        for pair in chunk.chunks(2).rev() {
            bits = bits << 8 | u64::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        match element {
            ElementType::Float(kind) => float_of_bits(bits, *kind),
            _ => wrap(i128::from(bits), element),
        }
    });
    bytes.collect()
}
