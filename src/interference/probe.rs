//! Where numbers leave the probe.

use super::{Disturbance, NumberRange, Sent, Target};

/// A type of number that leaves a probe. Integers are rounded and stay in their range; a flag is a number modulo two.
pub trait Number: Copy {
    /// What the type can hold.
    const RANGE: NumberRange;

    /// The number, as a 64-bit float.
    fn to_f64(self) -> f64;

    /// The number of this type that is nearest.
    fn from_f64(number: f64) -> Self;
}

impl Number for f64 {
    const RANGE: NumberRange = NumberRange { largest: f64::MAX, smallest: f64::from_bits(1) };

    fn to_f64(self) -> f64 {
        self
    }

    fn from_f64(number: f64) -> Self {
        number
    }
}

impl Number for f32 {
    const RANGE: NumberRange = NumberRange { largest: f32::MAX as f64, smallest: f32::from_bits(1) as f64 };

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn from_f64(number: f64) -> Self {
        number as f32
    }
}

impl Number for bool {
    const RANGE: NumberRange = NumberRange { largest: 1.0, smallest: 1.0 };

    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }

    fn from_f64(number: f64) -> Self {
        number.round() as i64 & 1 == 1
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Number for $integer {
            const RANGE: NumberRange = NumberRange { largest: <$integer>::MAX as f64, smallest: 1.0 };

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn from_f64(number: f64) -> Self {
                number.round() as $integer
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

/// Stands where numbers leave the probe in one step, and changes them if a disturbance says so.
#[derive(Debug)]
pub struct Probe<'d> {
    disturbance: Option<&'d Disturbance>,
    step: usize,
    sent: Sent,
    saw_not_finite: bool,
    is_excluded: bool,
}

impl<'d> Probe<'d> {
    /// The probe of a step: of the undisturbed run if there is no disturbance.
    pub fn new(disturbance: Option<&'d Disturbance>, step: usize) -> Self {
        // In all other steps the disturbed run is as the undisturbed one.
        let disturbance = disturbance.filter(|disturbance| disturbance.step.is_none_or(|only| only == step));
        Probe { disturbance, step, sent: Sent::default(), saw_not_finite: false, is_excluded: false }
    }

    /// A probe that changes nothing: to run a step outside of a search.
    pub fn undisturbed() -> Self {
        Probe::new(None, 0)
    }

    /// A number that leaves the probe: a score, a reward, a flag. What comes back is used instead.
    #[must_use = "the step must go on with what comes back"]
    pub fn value<N: Number>(&mut self, number: N) -> N {
        self.send(Target::Value, number)
    }

    /// A cotangent that leaves the probe backwards. What comes back is used instead.
    #[must_use = "the step must go on with what comes back"]
    pub fn cotangent<N: Number>(&mut self, number: N) -> N {
        self.send(Target::Cotangent, number)
    }

    fn send<N: Number>(&mut self, target: Target, number: N) -> N {
        // A number that is not changed is not converted either: not all of them would come back.
        self.change(target, N::RANGE, || number.to_f64()).map_or(number, N::from_f64)
    }

    /// What a number becomes, if it is changed: for those whose numbers are of no type of Rust.
    pub fn change(&mut self, target: Target, range: NumberRange, number: impl FnOnce() -> f64) -> Option<f64> {
        let count = match target {
            Target::Value => &mut self.sent.values,
            Target::Cotangent => &mut self.sent.cotangents,
        };
        let element = *count;
        *count += 1;
        let disturbance = self.disturbance.filter(|disturbance| disturbance.target == target)?;
        if disturbance.element.is_some_and(|only| only != element) {
            return None;
        }
        let key = (self.step as u64) << 40 ^ element as u64;
        Some(disturbance.change.apply(number(), range, key))
    }

    /// Says that an infinity or NaN appeared in this step where an assumption excludes it: a difference in this pair is
    /// then counted as one that only such numbers make.
    pub fn mark_not_finite(&mut self) {
        self.saw_not_finite = true;
    }

    /// Says that this pair shows nothing, whatever it does: an assumption that was granted is broken in it, or the step does
    /// not end. It is counted apart.
    pub fn exclude(&mut self) {
        self.is_excluded = true;
    }

    pub(super) fn is_excluded(&self) -> bool {
        self.is_excluded
    }

    /// How many numbers were sent so far.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    pub(super) fn saw_not_finite(&self) -> bool {
        self.saw_not_finite
    }
}
