//! Floating-point formats: from a number to its bits and back, rounding to the nearest, ties to even.

use crate::graph::FloatKind;

/// What the largest exponent and the sign of zero stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    /// Infinities and NaNs, as IEEE 754 has them.
    Ieee,
    /// No infinity; all ones are NaN. Too large is NaN.
    NanOnly,
    /// No infinity, no negative zero: its bits are NaN. Too large is NaN.
    NanIsNegativeZero,
    /// Neither infinity nor NaN. Too large is the largest.
    Finite,
}

#[derive(Clone, Copy)]
struct Layout {
    exponent_bits: u32,
    mantissa_bits: u32,
    bias: i32,
    special: Special,
}

fn layout(kind: FloatKind) -> Option<Layout> {
    let (exponent_bits, mantissa_bits, bias, special) = match kind {
        FloatKind::F4E2M1FN => (2, 1, 1, Special::Finite),
        FloatKind::F6E2M3FN => (2, 3, 1, Special::Finite),
        FloatKind::F6E3M2FN => (3, 2, 3, Special::Finite),
        FloatKind::F8E3M4 => (3, 4, 3, Special::Ieee),
        FloatKind::F8E4M3 => (4, 3, 7, Special::Ieee),
        FloatKind::F8E4M3B11FNUZ => (4, 3, 11, Special::NanIsNegativeZero),
        FloatKind::F8E4M3FN => (4, 3, 7, Special::NanOnly),
        FloatKind::F8E4M3FNUZ => (4, 3, 8, Special::NanIsNegativeZero),
        FloatKind::F8E5M2 => (5, 2, 15, Special::Ieee),
        FloatKind::F8E5M2FNUZ => (5, 2, 16, Special::NanIsNegativeZero),
        FloatKind::BF16 => (8, 7, 127, Special::Ieee),
        FloatKind::F16 => (5, 10, 15, Special::Ieee),
        FloatKind::TF32 => (8, 10, 127, Special::Ieee),
        FloatKind::F32 => (8, 23, 127, Special::Ieee),
        FloatKind::F64 => (11, 52, 1023, Special::Ieee),
        FloatKind::F8E8M0FNU | FloatKind::F80 | FloatKind::F128 => return None,
    };
    Some(Layout { exponent_bits, mantissa_bits, bias, special })
}

/// Whether the interpreter has the format.
pub(super) fn is_supported(kind: FloatKind) -> bool {
    kind == FloatKind::F8E8M0FNU || layout(kind).is_some()
}

/// Bits of exponent and of mantissa; none for a format that is not supported.
pub(super) fn field_widths(kind: FloatKind) -> Option<(u32, u32)> {
    layout(kind).map(|layout| (layout.exponent_bits, layout.mantissa_bits))
}

/// Two to a power within the range of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023).clamp(0, 2047) as u64) << 52)
}

/// The bits of the nearest number of a format, in the low bits. Formats of more than 64 bits give 0.
pub fn encode_float(kind: FloatKind, value: f64) -> u64 {
    match kind {
        FloatKind::F64 => return value.to_bits(),
        FloatKind::F32 => return u64::from((value as f32).to_bits()),
        FloatKind::F8E8M0FNU => return encode_exponent(value),
        _ => {}
    }
    let Some(Layout { exponent_bits, mantissa_bits, bias, special }) = layout(kind) else { return 0 };
    let width = exponent_bits + mantissa_bits;
    let sign = u64::from(value.is_sign_negative()) << width;
    let exponent_ones = ((1u64 << exponent_bits) - 1) << mantissa_bits;
    let (largest, overflow) = match special {
        Special::Ieee => (exponent_ones - 1, sign | exponent_ones),
        Special::NanOnly => ((1 << width) - 2, sign | ((1 << width) - 1)),
        Special::NanIsNegativeZero => ((1 << width) - 1, 1 << width),
        Special::Finite => ((1 << width) - 1, sign | ((1 << width) - 1)),
    };
    if value.is_nan() {
        return match special {
            Special::Ieee => sign | exponent_ones | (1 << (mantissa_bits - 1)),
            Special::Finite => 1 << width, // there is no NaN; LLVM has it be negative zero
            _ => overflow,
        };
    }
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return overflow;
    }
    let smallest = 1 - bias;
    let exponent = (((magnitude.to_bits() >> 52) as i32) - 1023).max(smallest);
    // Exact: a power of two, and neither overflows nor loses bits in the formats that come here.
    let steps = (magnitude * power_of_two(mantissa_bits as i32 - exponent)).round_ties_even() as u64;
    // A normal number has its leading bit in `steps`, so that the exponent field is one less; a carry is right by itself.
    let bits = steps + (((exponent - smallest) as u64) << mantissa_bits);
    match bits {
        0 if special == Special::NanIsNegativeZero => 0,
        bits if bits > largest => overflow,
        bits => sign | bits,
    }
}

/// The number that the low bits of `bits` stand for. Formats of more than 64 bits give NaN.
pub fn decode_float(kind: FloatKind, bits: u64) -> f64 {
    match kind {
        FloatKind::F64 => return f64::from_bits(bits),
        FloatKind::F32 => return f64::from(f32::from_bits(bits as u32)),
        FloatKind::F8E8M0FNU => return decode_exponent(bits),
        _ => {}
    }
    let Some(Layout { exponent_bits, mantissa_bits, bias, special }) = layout(kind) else { return f64::NAN };
    let width = exponent_bits + mantissa_bits;
    let magnitude = bits & ((1 << width) - 1);
    let negative = bits >> width & 1 == 1;
    let exponent_ones = ((1u64 << exponent_bits) - 1) << mantissa_bits;
    let is_nan = match special {
        Special::Ieee if magnitude == exponent_ones => {
            return if negative { f64::NEG_INFINITY } else { f64::INFINITY };
        }
        Special::Ieee => magnitude > exponent_ones,
        Special::NanOnly => magnitude == (1 << width) - 1,
        Special::NanIsNegativeZero => negative && magnitude == 0,
        Special::Finite => false,
    };
    if is_nan {
        return if negative { -f64::NAN } else { f64::NAN };
    }
    let field = (magnitude >> mantissa_bits) as i32;
    let mantissa = magnitude & ((1 << mantissa_bits) - 1);
    let steps = if field == 0 { mantissa } else { mantissa | (1 << mantissa_bits) };
    let value = steps as f64 * power_of_two(field.max(1) - bias - mantissa_bits as i32);
    if negative { -value } else { value }
}

/// `f8E8M0FNU` has powers of two only, and one NaN.
fn encode_exponent(value: f64) -> u64 {
    if !value.is_finite() || value < 0.0 {
        return 0xff;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let fraction = bits & ((1 << 52) - 1);
    let half = 1 << 51;
    // The one digit of every number is odd, so ties go up.
    let field = exponent + 127 + i64::from(fraction >= half);
    if field > 254 { 0xff } else { field.max(0) as u64 }
}

fn decode_exponent(bits: u64) -> f64 {
    if bits & 0xff == 0xff { f64::NAN } else { power_of_two((bits & 0xff) as i32 - 127) }
}

/// `reduce_precision`: as if the number went through a format of so many bits of exponent and mantissa. Numbers that are
/// not normal in a narrower format become zero, as XLA has it.
pub(super) fn reduce_precision(kind: FloatKind, value: f64, exponent_bits: u32, mantissa_bits: u32) -> f64 {
    let Some((own_exponent_bits, own_mantissa_bits)) = field_widths(kind) else { return value };
    if value.is_nan() {
        // Without a mantissa there is no NaN.
        return if mantissa_bits == 0 { f64::INFINITY.copysign(value) } else { value };
    }
    let width = own_exponent_bits + own_mantissa_bits;
    let bits = encode_float(kind, value);
    let sign = bits & (1 << width);
    let mut magnitude = bits & ((1 << width) - 1);
    if mantissa_bits < own_mantissa_bits {
        let dropped = own_mantissa_bits - mantissa_bits;
        let unit = 1u64 << dropped;
        magnitude += (unit >> 1) - 1 + (magnitude >> dropped & 1);
        magnitude &= !(unit - 1);
    }
    if exponent_bits < own_exponent_bits {
        let own_bias = (1i64 << (own_exponent_bits - 1)) - 1;
        let bias = (1i64 << (exponent_bits - 1)) - 1;
        let field = (magnitude >> own_mantissa_bits) as i64;
        if field > own_bias + bias {
            magnitude = ((1 << own_exponent_bits) - 1) << own_mantissa_bits;
        } else if field <= own_bias - bias {
            magnitude = 0;
        }
    }
    decode_float(kind, sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_small_number_is_read_back_as_its_own_bits() {
        for &kind in FloatKind::ALL.iter().filter(|kind| kind.bits() <= 16) {
            for bits in 0..1u64 << kind.bits() {
                let value = decode_float(kind, bits);
                if !value.is_nan() {
                    assert_eq!(encode_float(kind, value), bits, "{} {bits:#x} {value}", kind.name());
                }
            }
        }
    }

    #[test]
    fn sixteen_bit_formats_agree_with_the_crate_half() {
        let mut value = 1.0e-45f64;
        while value < 1.0e6 {
            // From f32: on the way from f64 the crate may drop bits that decide, as some processors do.
            for value in [value as f32, -value as f32] {
                assert_eq!(
                    encode_float(FloatKind::F16, f64::from(value)),
                    u64::from(half::f16::from_f32(value).to_bits())
                );
                assert_eq!(
                    encode_float(FloatKind::BF16, f64::from(value)),
                    u64::from(half::bf16::from_f32(value).to_bits())
                );
            }
            value *= 1.000_37;
        }
    }

    #[test]
    fn too_large_is_what_the_format_says() {
        assert_eq!(decode_float(FloatKind::F16, encode_float(FloatKind::F16, 65519.9)), 65504.0);
        assert!(decode_float(FloatKind::F16, encode_float(FloatKind::F16, 65520.0)).is_infinite());
        assert!(decode_float(FloatKind::F8E4M3FN, encode_float(FloatKind::F8E4M3FN, 500.0)).is_nan());
        assert_eq!(decode_float(FloatKind::F8E4M3FN, encode_float(FloatKind::F8E4M3FN, 448.0)), 448.0);
        assert_eq!(decode_float(FloatKind::F4E2M1FN, encode_float(FloatKind::F4E2M1FN, -9.0)), -6.0);
    }

    #[test]
    fn reduced_precision_rounds_flushes_and_overflows() {
        let reduce = |value| reduce_precision(FloatKind::F32, value, 5, 10);
        assert_eq!(reduce(1.0 + f64::powi(2.0, -11)), 1.0);
        assert_eq!(reduce(65520.0), f64::INFINITY);
        assert_eq!(reduce(-1.0e-6).to_bits(), (-0.0f64).to_bits());
        assert!(reduce(f64::NAN).is_nan());
    }
}
