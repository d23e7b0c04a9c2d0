//! Ordinary differential equations, to twelve digits or so.
//!
//! Dormand and Prince's pair of orders 5 and 4 (1980) with the usual control of the step. The equations here are smooth
//! and not stiff over the times that are asked for.

use super::SelectionError;

/// The relative error that one step may make; the absolute one is as much of 1.
const TOLERANCE: f64 = 1e-13;
/// So many steps are made at most.
const STEPS: usize = 200_000;

/// Where each stage looks: the weights of the stages before it. The last row is the answer of order 5.
const STAGES: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// When each stage looks, as parts of the step.
const TIMES: [f64; 6] = [1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
/// The answer of order 5 less that of order 4.
const ERROR: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];

/// Moves a state from one time to a later one. `rate(t, state, out)` writes the derivative.
pub(super) fn integrate(
    state: &mut [f64],
    from: f64,
    to: f64,
    mut rate: impl FnMut(f64, &[f64], &mut [f64]),
) -> Result<(), SelectionError> {
    let size = state.len();
    let mut stages = vec![vec![0.0; size]; 7];
    let mut next = vec![0.0; size];
    let (mut time, mut step) = (from, to - from);
    rate(time, state, &mut stages[0]);
    for _ in 0..STEPS {
        if time >= to {
            return Ok(());
        }
        step = step.min(to - time);
        let is_last = time + step >= to;
        for (stage, (weights, at)) in STAGES.iter().zip(TIMES).enumerate() {
            for (place, slot) in next.iter_mut().enumerate() {
                let moved: f64 = weights.iter().zip(&stages).map(|(weight, stage)| weight * stage[place]).sum();
                *slot = state[place] + step * moved;
            }
            rate(time + at * step, &next, &mut stages[stage + 1]);
        }
        // `next` is the answer of order 5, and the last stage its derivative.
        let error = (0..size)
            .map(|place| {
                let error: f64 = ERROR.iter().zip(&stages).map(|(weight, stage)| weight * stage[place]).sum();
                let relative = (step * error).abs() / (TOLERANCE * (1.0 + state[place].abs().max(next[place].abs())));
                // What is no number is no answer; `max` would pass it over.
                if relative.is_nan() { f64::INFINITY } else { relative }
            })
            .fold(0.0, f64::max);
        if error <= 1.0 {
            time = if is_last { to } else { time + step };
            state.copy_from_slice(&next);
            stages.swap(0, 6);
        }
        let grown = 0.9 * error.max(1e-10).powf(-0.2);
        step *= if grown.is_finite() { grown.clamp(0.2, 5.0) } else { 0.2 };
    }
    Err(SelectionError::Steps { steps: STEPS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oscillator_comes_back() {
        let mut state = [1.0, 0.0];
        let turn = |_: f64, state: &[f64], out: &mut [f64]| {
            out[0] = state[1];
            out[1] = -state[0];
        };
        integrate(&mut state, 0.0, std::f64::consts::TAU, turn).expect("a solution");
        assert!((state[0] - 1.0).abs() < 1e-11 && state[1].abs() < 1e-11, "{state:?}");
    }

    #[test]
    fn time_is_seen_by_every_stage() {
        let mut state = [0.0];
        integrate(&mut state, 1.0, 3.0, |time, _, out| out[0] = time.powi(4)).expect("a solution");
        assert!((state[0] - 242.0 / 5.0).abs() < 1e-10, "{state:?}");
    }

    #[test]
    fn what_has_no_solution_is_an_error() {
        let mut state = [1.0];
        let error = integrate(&mut state, 0.0, 2.0, |_, state, out| out[0] = state[0] * state[0]);
        assert_eq!(error, Err(SelectionError::Steps { steps: STEPS }));
    }
}
