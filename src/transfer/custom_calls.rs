//! Targets of custom calls that are known to be pure: functions of their operands and of nothing else.
//!
//! Source: what `jax` 0.10 and `jaxlib` 0.10 lower to (`jax/_src/export/_export.py`, `lax/linalg.py`, `lax/ann.py`,
//! `cudnn/`, `random`), and the XLA compiler's markers. Kernels that a user writes (Pallas, Triton, Mosaic, Python
//! callbacks, custom partitioning) are code that we do not see, so they are not here.

/// What is known of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A function of its operands; a side effect that is declared is believed.
    Pure,
    /// Passes its operand on. The side effect that it declares only keeps the compiler from removing it.
    Marker,
    /// Not in the table.
    Unknown,
}

const MARKERS: [&str; 6] = [
    "annotate_device_placement", // jax: memory kinds, offloading
    "xla.sdy.FuncResultSharding",
    "MoveToHost",
    "MoveToDevice",
    "PinToDevice",
    "PinToDeviceSram",
];

const PURE: [&str; 42] = [
    // Where tensors lie.
    "Sharding",
    "SPMDFullToShardShape",
    "SPMDShardToFullShape",
    "LayoutConstraint",
    "xla.sdy.GlobalToLocalShape",
    "xla.sdy.LocalToGlobalShape",
    "AllocateBuffer",
    "ragged_all_to_all",
    // Selection.
    "TopK",
    "__gpu$TopK",
    "ApproxTopK",
    "PartialReduce",
    "stablehlo.dynamic_approx_top_k",
    "stablehlo.dynamic_top_k",
    "stablehlo.dynamic_reduce_window",
    "stablehlo.dynamic_rng_bit_generator",
    // Random bits from a key.
    "cu_threefry2x32",
    "cu_threefry2x32_ffi",
    "hip_threefry2x32",
    "hip_threefry2x32_ffi",
    // Linear algebra outside of the families below.
    "Eigh",
    "LuDecomposition",
    "ProductOfElementaryHouseholderReflectors",
    "Qr",
    "cu_cholesky_update_ffi",
    "cu_lu_pivots_to_permutation",
    "hip_cholesky_update_ffi",
    "hip_lu_pivots_to_permutation",
    "tridiagonal_solve_perturbed_ffi",
    "cudnn_rnn_ffi",
    "cudnn_rnn_bwd_ffi",
    "hipdnn_rnn_ffi",
    "hipdnn_rnn_bwd_ffi",
    "__op$block_scaled_dot",
    // Elementwise functions that StableHLO lacks, and their kin.
    "mhlo.acos",
    "mhlo.acosh",
    "mhlo.asinh",
    "mhlo.atanh",
    "mhlo.erf",
    "mhlo.tan",
    "mhlo.topk",
    "mhlo.cosh",
];

/// Families: everything that begins so.
const PURE_FAMILIES: [&str; 15] = [
    "lapack_",
    "blas_",
    "cusolver_",
    "cublas_",
    "cusparse_",
    "hipsolver_",
    "hipblas_",
    "hipsparse_",
    "__cublas$",
    "__cudnn$fmha",
    "__cudnn$norm",
    "__cudnn$conv",
    "__cudnn$blockScaledDot",
    "chlo.",
    "__onednn$",
];

/// What is known of the target of a custom call.
pub(super) fn target(name: &str) -> Target {
    if MARKERS.contains(&name) {
        Target::Marker
    } else if PURE.contains(&name) || PURE_FAMILIES.iter().any(|family| name.starts_with(family)) {
        Target::Pure
    } else {
        Target::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jax_lowers_to_is_known() {
        for name in ["lapack_spotrf_ffi", "lapack_dgesdd", "cusolver_getrf_ffi", "Sharding", "ApproxTopK"] {
            assert_eq!(target(name), Target::Pure, "{name}");
        }
        assert_eq!(target("__cudnn$fmhaSoftmaxBackward"), Target::Pure);
        assert_eq!(target("annotate_device_placement"), Target::Marker);
    }

    #[test]
    fn code_that_is_not_seen_is_unknown() {
        for name in [
            "xla_ffi_python_cpu_callback",
            "xla_python_gpu_callback",
            "tpu_custom_call",
            "triton_kernel_call",
            "__gpu$xla.gpu.triton",
            "mosaic_gpu_v2",
            "CustomSPMDPartitioning",
            "__cudnn$fusion",
            "",
            "my_sharding",
        ] {
            assert_eq!(target(name), Target::Unknown, "{name}");
        }
    }
}
