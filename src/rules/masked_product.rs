//! `OL123`: only inf and NaN get past a mask that is a factor.

use super::evidence::Trace;

pub(super) fn matches(trace: &Trace<'_, '_>) -> bool {
    trace.evidence.holds_if_finite
}
