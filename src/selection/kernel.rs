//! Shared features: how a plan is moved that was never sampled.
//!
//! A tabular policy keeps a plan of share 0 at 0. A policy of features `phi` does not: its logits are `phi_a . w`, policy
//! gradient moves `w`, and so `z_b' = sum_a K(b, a) pi_a A_a` with the kernel `K = phi phi^T`. With `K = I` nothing that
//! was not sampled moves; where `K(b, a)` is not 0, the logit of `b` moves with what happens to `a` (parametric spillover).

use super::error::{SelectionError, distribution, numbers, positive};
use super::ode::integrate;

/// The kernel of some features, `K(a, b) = phi_a . phi_b`, row by row. `features` holds as many numbers for each plan.
///
/// # Errors
/// Features that are empty, not finite, or not equally many for each plan.
pub fn kernel(features: &[f64], plans: usize) -> Result<Vec<f64>, SelectionError> {
    positive("the number of plans", plans as f64)?;
    numbers("the features", features, features.len())?;
    let width = features.len() / plans;
    if width * plans != features.len() {
        return Err(SelectionError::Length { what: "the features", found: features.len(), expected: width * plans });
    }
    let row = |plan: usize| &features[plan * width..(plan + 1) * width];
    let product = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum();
    Ok((0..plans).flat_map(|a| (0..plans).map(move |b| product(a, b))).collect())
}

/// How fast every logit moves, `z_b' = sum_a K(b, a) pi_a A_a`, that of a plan of share 0 too. `kernel` is row by row.
///
/// # Errors
/// Shares that are no distribution, rewards or a kernel that do not fit or are not finite.
pub fn logit_velocities(shares: &[f64], rewards: &[f64], kernel: &[f64]) -> Result<Vec<f64>, SelectionError> {
    distribution("the shares", shares)?;
    numbers("the rewards", rewards, shares.len())?;
    numbers("the entries of the kernel", kernel, shares.len() * shares.len())?;
    let mut velocities = vec![0.0; shares.len()];
    push(shares, rewards, kernel, &mut velocities);
    Ok(velocities)
}

fn push(shares: &[f64], rewards: &[f64], kernel: &[f64], velocities: &mut [f64]) {
    let mean = super::mean(shares, rewards);
    for (velocity, row) in velocities.iter_mut().zip(kernel.chunks_exact(shares.len())) {
        let pushes = row.iter().zip(shares.iter().zip(rewards));
        *velocity = pushes.map(|(k, (share, reward))| k * share * (reward - mean)).sum();
    }
}

/// The logits after some time, where only some plans can be sampled: the solution of `z' = K (pi A)`.
///
/// `is_sampled` says which plans the policy takes; shares are those among them. All logits move. With a plan that is not
/// sampled, its logit at the end less that at the start is how much spilled over.
///
/// # Errors
/// Lists that do not fit or are not finite, no plan that is sampled, a time below 0, or an equation that is not solved in a
/// bounded number of steps.
pub fn kernel_policy_gradient(
    logits: &[f64],
    is_sampled: &[bool],
    rewards: &[f64],
    kernel: &[f64],
    time: f64,
) -> Result<Vec<f64>, SelectionError> {
    let plans = logits.len();
    numbers("the logits", logits, plans)?;
    numbers("the rewards", rewards, plans)?;
    numbers("the entries of the kernel", kernel, plans * plans)?;
    super::error::not_negative("the time", time)?;
    if is_sampled.len() != plans {
        return Err(SelectionError::Length { what: "the marks", found: is_sampled.len(), expected: plans });
    }
    if !is_sampled.contains(&true) {
        return Err(SelectionError::Empty { what: "the plans that are sampled" });
    }
    let mut state = logits.to_vec();
    let mut shares = vec![0.0; plans];
    integrate(&mut state, 0.0, time, |_, logits, velocities| {
        for ((share, logit), &is_sampled) in shares.iter_mut().zip(logits).zip(is_sampled) {
            *share = if is_sampled { *logit } else { f64::NEG_INFINITY };
        }
        super::softmax::softmax_in_place(&mut shares);
        push(&shares, rewards, kernel, velocities);
    })?;
    Ok(state)
}
