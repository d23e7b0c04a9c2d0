//! Where numbers leave the probe.

use super::{Disturbance, FloatRange, Target};

/// A type of number that leaves a probe.
pub trait Number: Copy {
    /// What the type can hold.
    const RANGE: FloatRange;
    /// The number, as a 64-bit float.
    fn to_f64(self) -> f64;
    /// The number of this type that is nearest.
    fn from_f64(number: f64) -> Self;
}

/// Stands where numbers leave the probe in one step, and changes them if a disturbance says so.
#[derive(Debug)]
pub struct Probe<'d> {
    disturbance: Option<&'d Disturbance>,
    step: usize,
    values: usize,
    cotangents: usize,
    saw_not_finite: bool,
}

impl<'d> Probe<'d> {
    /// The probe of a step: of the undisturbed run if there is no disturbance.
    pub fn new(disturbance: Option<&'d Disturbance>, step: usize) -> Self {
        Probe { disturbance, step, values: 0, cotangents: 0, saw_not_finite: false }
    }

    /// A number that leaves the probe: a score, a reward, a flag. What comes back is used instead.
    pub fn value<N: Number>(&mut self, number: N) -> N {
        self.send(Target::Value, number)
    }

    /// A cotangent that leaves the probe backwards. What comes back is used instead.
    pub fn cotangent<N: Number>(&mut self, number: N) -> N {
        self.send(Target::Cotangent, number)
    }

    fn send<N: Number>(&mut self, target: Target, number: N) -> N {
        match self.change(target, number.to_f64(), N::RANGE) {
            Some(changed) => N::from_f64(changed),
            None => number,
        }
    }

    /// What a number becomes, if it is changed: for those whose numbers are of no type of Rust.
    pub fn change(&mut self, _target: Target, _number: f64, _range: FloatRange) -> Option<f64> {
        None
    }

    /// Says that an infinity or NaN appeared in this step where an assumption excludes it: a difference in this pair is
    /// then counted as one that only such numbers make.
    pub fn mark_not_finite(&mut self) {
        self.saw_not_finite = true;
    }
}
