//! A bound on the channel: the claim for each sink, checked on its own.

use super::Claim;
use super::backward::Allowed;
use crate::verdict::{Channel, ChannelClaim};

pub(super) fn check(
    _claim: &Claim<'_>,
    _allowed: &Allowed<'_>,
    _claims: &[ChannelClaim],
    _most: Channel,
) -> Vec<String> {
    vec!["a bound on the channel cannot be re-checked".into()]
}
