//! Constants that masks, indices and counters are made of. What is not exact in all bits is not folded.

use std::rc::Rc;

use super::conditions::{Along, Position};
use super::elements::{Block, Elements};
use crate::graph::{Dense, ElementType, Elements as Text, FloatKind, OperationKind as Kind, TensorType};

/// A constant has at most so many elements, those that repeat not counted.
const MOST_ELEMENTS: usize = 16_384;

/// How one element is held in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Class {
    /// 0 or 1.
    Boolean,
    /// Of so many bits, at most 64; sign-extended.
    Signed(u32),
    /// Of so many bits, at most 64; zero-extended.
    Unsigned(u32),
    /// The bits of the `f64` of the same value.
    F32,
    F64,
    /// Small whole numbers only, as for `F64`; no arithmetic.
    OtherFloat,
    /// Never known.
    Other,
}

impl Class {
    fn of(element: &ElementType) -> Class {
        match element {
            ElementType::Boolean => Class::Boolean,
            ElementType::Signed(bits) if *bits <= 64 => Class::Signed(*bits),
            ElementType::Unsigned(bits) if *bits <= 64 => Class::Unsigned(*bits),
            ElementType::Float(FloatKind::F32) => Class::F32,
            ElementType::Float(FloatKind::F64) => Class::F64,
            ElementType::Float(FloatKind::BF16 | FloatKind::F16) => Class::OtherFloat,
            _ => Class::Other,
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Class::Signed(_) | Class::Unsigned(_))
    }

    pub fn is_float(self) -> bool {
        matches!(self, Class::F32 | Class::F64 | Class::OtherFloat)
    }

    /// An integer's value.
    pub fn integer(self, bits: u64) -> Option<i128> {
        match self {
            Class::Boolean | Class::Unsigned(_) => Some(i128::from(bits)),
            Class::Signed(_) => Some(i128::from(bits as i64)),
            _ => None,
        }
    }

    /// An integer, wrapped around as the type does.
    fn wrap(self, value: i128) -> Option<u64> {
        match self {
            Class::Signed(bits) => Some(((value << (128 - bits)) >> (128 - bits)) as i64 as u64),
            Class::Unsigned(64) => Some(value as u64),
            Class::Unsigned(bits) => Some(value as u64 & ((1 << bits) - 1)),
            _ => None,
        }
    }

    pub fn is_zero(self, bits: u64) -> bool {
        if self.is_float() { f64::from_bits(bits) == 0.0 } else { bits == 0 }
    }

    pub fn is_one(self, bits: u64) -> bool {
        if self.is_float() { f64::from_bits(bits) == 1.0 } else { bits == 1 }
    }
}

/// What is known of a type.
#[derive(Clone, Debug)]
pub(in crate::verify) struct Shape {
    /// None: not a tensor, or not of known shape.
    pub extents: Option<Box<[u64]>>,
    pub class: Class,
}

impl Shape {
    pub const UNKNOWN: Shape = Shape { extents: None, class: Class::Other };

    pub fn of(tensor: &TensorType) -> Shape {
        let small = tensor.element_count().is_some_and(|count| count < 1 << 48);
        match &tensor.dimensions {
            Some(dimensions) if small && tensor.encoding.is_none() => {
                Shape { extents: dimensions.iter().copied().collect(), class: Class::of(&tensor.element) }
            }
            _ => Shape::UNKNOWN,
        }
    }

    /// The dimensions in which its elements are counted.
    pub fn domain(&self) -> &[u64] {
        self.extents.as_deref().unwrap_or_default()
    }
}

/// A constant tensor: element `index` is `data[position.at(index)]`.
#[derive(Clone, Debug)]
pub(in crate::verify) struct Known {
    data: Rc<[u64]>,
    position: Position,
}

impl Known {
    fn splat(value: u64) -> Known {
        Known { data: [value].into(), position: Position::default() }
    }

    pub fn scalar(&self) -> Option<u64> {
        match &self.position {
            Position { offset, terms } if terms.is_empty() => self.data.get(usize::try_from(*offset).ok()?).copied(),
            _ => None,
        }
    }

    pub fn get(&self, index: &[u64]) -> Option<u64> {
        self.data.get(self.position.at(index)?).copied()
    }

    /// Whether all elements that it is made of pass.
    pub fn all(&self, passes: impl Fn(u64) -> bool) -> bool {
        self.data.iter().all(|bits| passes(*bits))
    }

    pub fn constant(dense: &Dense, shape: &Shape) -> Option<Known> {
        let extents = shape.extents.as_deref()?;
        let Text::Inline(text) = &dense.elements else { return None };
        if let Some(bytes) = text.trim().strip_prefix("\"0x").and_then(|text| text.strip_suffix('"')) {
            return Known::from_bytes(bytes, shape);
        }
        let words = text.split(['[', ']', ',', ' ']).filter(|word| !word.is_empty());
        let data: Vec<u64> = words.map(|word| element(word, shape.class)).collect::<Option<_>>()?;
        let count: u64 = extents.iter().product();
        match data[..] {
            [value] if !text.contains('[') || count == 1 => Some(Known::splat(value)),
            _ if data.len() as u64 == count && data.len() <= MOST_ELEMENTS => {
                Some(Known { data: data.into(), position: Position::row_major(extents)? })
            }
            _ => None,
        }
    }

    fn from_bytes(digits: &str, shape: &Shape) -> Option<Known> {
        let width = match shape.class {
            Class::Signed(bits) | Class::Unsigned(bits) if bits % 8 == 0 => bits as usize / 4,
            Class::F32 => 8,
            Class::F64 => 16,
            _ => return None,
        };
        let count: u64 = shape.domain().iter().product();
        if digits.len() as u64 != count.checked_mul(width as u64)? || count > MOST_ELEMENTS as u64 || !digits.is_ascii()
        {
            return None;
        }
        let mut data = Vec::new();
        for at in (0..digits.len()).step_by(width) {
            let mut bits = 0u64;
            for byte in (0..width).step_by(2).rev() {
                bits = bits << 8 | u64::from(u8::from_str_radix(&digits[at + byte..at + byte + 2], 16).ok()?);
            }
            data.push(match shape.class {
                Class::F32 => f64::from(f32::from_bits(u32::try_from(bits).ok()?)).to_bits(),
                Class::F64 => bits,
                class => class.wrap(i128::from(bits))?,
            });
        }
        Some(Known { data: data.into(), position: Position::row_major(shape.domain())? })
    }

    pub fn iota(dimension: usize, shape: &Shape) -> Option<Known> {
        let extent = usize::try_from(*shape.extents.as_deref()?.get(dimension)?).ok()?;
        if extent > MOST_ELEMENTS {
            return None;
        }
        let value = |at: usize| match shape.class {
            Class::F32 | Class::F64 => Some((at as f64).to_bits()),
            class => class.wrap(at as i128),
        };
        let terms = if extent > 1 { vec![(dimension, 1)] } else { Vec::new() };
        Some(Known { data: (0..extent).map(value).collect::<Option<_>>()?, position: Position { offset: 0, terms } })
    }

    /// The same elements seen through other dimensions.
    pub(super) fn substitute(&self, along: &[Option<Along>], extents: &[u64]) -> Option<Known> {
        Some(Known { data: self.data.clone(), position: self.position.substitute(along, extents)? })
    }

    pub fn reshape(&self, from: &[u64], to: &[u64]) -> Option<Known> {
        if let Some(position) = self.position.reshape(from, to) {
            return Some(Known { data: self.data.clone(), position });
        }
        let all = Elements::whole(from);
        let mut data = Vec::new();
        for index in indices(all.blocks().first()?, MOST_ELEMENTS)? {
            data.push(self.get(&index)?);
        }
        Some(Known { data: data.into(), position: Position::row_major(to)? })
    }

    /// An elementwise function of constants; those of rank 0 are spread. Dimensions in which nothing changes stay
    /// as they are.
    pub fn apply(extents: &[u64], operands: &[&Known], function: impl Fn(&[u64]) -> Option<u64>) -> Option<Known> {
        let varies =
            |dimension: usize| operands.iter().any(|known| known.position.terms.iter().any(|term| term.0 == dimension));
        let kept: Vec<u64> =
            extents.iter().enumerate().map(|(dimension, extent)| if varies(dimension) { *extent } else { 1 }).collect();
        let whole: Block = kept.iter().map(|extent| (0, *extent)).collect();
        let mut data = Vec::new();
        for index in indices(&whole, MOST_ELEMENTS)? {
            let values: Vec<u64> = operands.iter().map(|known| known.get(&index)).collect::<Option<_>>()?;
            data.push(function(&values)?);
        }
        Some(Known { data: data.into(), position: Position::row_major(&kept)? })
    }

    /// A tensor of these elements, given by their indices.
    pub fn build(extents: &[u64], mut element: impl FnMut(&[u64]) -> Option<u64>) -> Option<Known> {
        let whole: Block = extents.iter().map(|extent| (0, *extent)).collect();
        let mut data = Vec::new();
        for index in indices(&whole, MOST_ELEMENTS)? {
            data.push(element(&index)?);
        }
        Some(Known { data: data.into(), position: Position::row_major(extents)? })
    }

    /// The elements that pass, or more.
    pub(super) fn elements(&self, extents: &[u64], passes: impl Fn(u64) -> bool) -> Elements {
        let varies = |dimension: usize| self.position.terms.iter().any(|term| term.0 == dimension);
        let kept: Block = extents
            .iter()
            .enumerate()
            .map(|(dimension, extent)| (0, if varies(dimension) { *extent } else { (*extent).min(1) }))
            .collect();
        let Some(all) = indices(&kept, MOST_ELEMENTS) else { return Elements::whole(extents) };
        let mut found = Elements::default();
        // Runs along the last dimension, so that few blocks are made.
        let mut run: Option<Block> = None;
        for index in all {
            if !self.get(&index).is_none_or(&passes) {
                continue;
            }
            let sides = index
                .iter()
                .enumerate()
                .map(|(dimension, at)| if varies(dimension) { (*at, at + 1) } else { (0, extents[dimension]) });
            let block: Block = sides.collect();
            match &mut run {
                Some(run) if follows(run, &block) => {
                    let last = run.len() - 1;
                    run[last].1 = block[last].1;
                }
                _ => {
                    if let Some(run) = run.replace(block) {
                        found.insert(run);
                    }
                }
            }
        }
        if let Some(run) = run {
            found.insert(run);
        }
        found
    }
}

fn follows(run: &Block, block: &Block) -> bool {
    match (run.split_last(), block.split_last()) {
        (Some((run_last, run)), Some((last, block))) => run == block && run_last.1 == last.0,
        _ => false,
    }
}

/// All indices in a block, row-major; none if they are too many.
pub(super) fn indices(block: &Block, most: usize) -> Option<Vec<Vec<u64>>> {
    let count = block.iter().try_fold(1u64, |count, (first, end)| count.checked_mul(end.saturating_sub(*first)))?;
    if count > most as u64 {
        return None;
    }
    let mut all = Vec::new();
    let mut index: Vec<u64> = block.iter().map(|(first, _)| *first).collect();
    for _ in 0..count {
        all.push(index.clone());
        for dimension in (0..block.len()).rev() {
            index[dimension] += 1;
            if index[dimension] < block[dimension].1 {
                break;
            }
            index[dimension] = block[dimension].0;
        }
    }
    Some(all)
}

/// One element as MLIR writes it.
fn element(word: &str, class: Class) -> Option<u64> {
    let hexadecimal = word.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16).ok());
    match class {
        Class::Boolean => match word {
            "true" | "1" => Some(1),
            "false" | "0" => Some(0),
            _ => None,
        },
        Class::Signed(_) | Class::Unsigned(_) => {
            if hexadecimal.is_some() {
                return None;
            }
            let value = word.parse::<i128>().ok()?;
            class.wrap(value).filter(|bits| class.integer(*bits) == Some(value))
        }
        Class::F32 => match hexadecimal {
            Some(bits) => Some(f64::from(f32::from_bits(u32::try_from(bits?).ok()?)).to_bits()),
            None => Some(f64::from(word.parse::<f32>().ok()?).to_bits()),
        },
        Class::F64 => match hexadecimal {
            Some(bits) => bits,
            None => Some(word.parse::<f64>().ok()?.to_bits()),
        },
        Class::OtherFloat => {
            let value = word.parse::<f64>().ok().filter(|_| hexadecimal.is_none())?;
            (value.abs() <= 128.0 && value.fract() == 0.0).then(|| value.to_bits())
        }
        Class::Other => None,
    }
}

/// The comparison of two elements; none if its kind is not known.
pub(super) fn compare(class: Class, direction: &str, a: u64, b: u64) -> Option<bool> {
    let by = |order: Option<std::cmp::Ordering>| {
        use std::cmp::Ordering::{Equal, Greater, Less};
        Some(match direction {
            "EQ" => order == Some(Equal),
            "NE" => order != Some(Equal),
            "LT" => order == Some(Less),
            "LE" => matches!(order, Some(Less | Equal)),
            "GT" => order == Some(Greater),
            "GE" => matches!(order, Some(Greater | Equal)),
            _ => return None,
        })
    };
    match class {
        Class::F32 | Class::F64 | Class::OtherFloat => by(f64::from_bits(a).partial_cmp(&f64::from_bits(b))),
        _ => by(Some(class.integer(a)?.cmp(&class.integer(b)?))),
    }
}

/// An elementwise operation on one element of each operand. `from`: the class of the operands.
pub(super) fn fold(kind: Kind, from: Class, to: Class, values: &[u64]) -> Option<u64> {
    match (kind, values) {
        (Kind::Convert, [value]) => convert(from, to, *value),
        (Kind::Not, [value]) if from == Class::Boolean => Some(1 - value),
        (Kind::Not, [value]) => from.wrap(!from.integer(*value)?),
        (Kind::Negate, [value]) if from.is_integer() => from.wrap(-from.integer(*value)?),
        (Kind::Negate, [value]) if from.is_float() => Some((-f64::from_bits(*value)).to_bits()),
        (Kind::Select, [predicate, yes, no]) => Some(if *predicate == 1 { *yes } else { *no }),
        (Kind::Clamp, [low, value, high]) if from.is_integer() => {
            let [low, value, high] = [from.integer(*low)?, from.integer(*value)?, from.integer(*high)?];
            from.wrap(value.max(low).min(high))
        }
        (_, [a, b]) if from == Class::Boolean => match kind {
            Kind::And | Kind::Multiply | Kind::Minimum => Some(a & b),
            Kind::Or | Kind::Maximum | Kind::Add => Some(a | b),
            Kind::Xor => Some(a ^ b),
            _ => None,
        },
        (_, [a, b]) if from.is_integer() => {
            let (a, b) = (from.integer(*a)?, from.integer(*b)?);
            let value = match kind {
                Kind::Add => a + b,
                Kind::Subtract => a - b,
                Kind::Multiply => a.checked_mul(b)?,
                Kind::Divide if b != 0 && b != -1 => a / b,
                Kind::Remainder if b != 0 && b != -1 => a % b,
                Kind::Minimum => a.min(b),
                Kind::Maximum => a.max(b),
                Kind::And => a & b,
                Kind::Or => a | b,
                Kind::Xor => a ^ b,
                _ => return None,
            };
            from.wrap(value)
        }
        (_, [a, b]) if matches!(from, Class::F32 | Class::F64) => {
            exact(kind, from, f64::from_bits(*a), f64::from_bits(*b)).map(f64::to_bits)
        }
        _ => None,
    }
}

/// Float arithmetic, where no rounding, contraction or flushing could make another value of it.
fn exact(kind: Kind, class: Class, a: f64, b: f64) -> Option<f64> {
    let small = |value: f64| value.abs() < f64::from(1 << 20) && (value * f64::from(1 << 20)).fract() == 0.0;
    let value = match kind {
        Kind::Add => a + b,
        Kind::Subtract => a - b,
        Kind::Multiply => a * b,
        _ => return None,
    };
    let fits = class == Class::F64 || f64::from(value as f32) == value;
    ([a, b, value].into_iter().all(small) && fits).then_some(value)
}

fn convert(from: Class, to: Class, value: u64) -> Option<u64> {
    if from == to && from != Class::Other {
        return Some(value);
    }
    let integer = match from {
        Class::F32 | Class::F64 | Class::OtherFloat => {
            let float = f64::from_bits(value);
            match to {
                Class::Boolean => return Some(u64::from(float != 0.0)),
                Class::F32 => return Some(f64::from(float as f32).to_bits()),
                Class::F64 => return Some(value),
                _ if float.fract() == 0.0 && float.abs() < 1e9 && (float != 0.0 || to.is_integer()) => float as i128,
                _ => return None,
            }
        }
        _ => from.integer(value)?,
    };
    match to {
        Class::Boolean => Some(u64::from(integer != 0)),
        Class::Signed(_) | Class::Unsigned(_) => {
            // Out of range is left to the implementation where a float is converted.
            to.wrap(integer).filter(|bits| !from.is_float() || to.integer(*bits) == Some(integer))
        }
        Class::F32 | Class::F64 => (integer.abs() < 1 << 24).then(|| (integer as f64).to_bits()),
        Class::OtherFloat => (integer.abs() <= 128).then(|| (integer as f64).to_bits()),
        Class::Other => None,
    }
}
