//! Waivers: violations that somebody accepts, for a reason and until a day.

use crate::verdict::WaiverFinding;

use super::date::Date;

/// Accepts a violation of one invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The invariant, by name.
    pub invariant: String,
    /// Why it is accepted; never empty.
    pub reason: String,
    /// The last day on which it counts.
    pub expires: Date,
    /// Who answers for it.
    pub owner: Option<String>,
}

/// What waivers do to a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaiverOutcome {
    /// Waivers that accept a violation: name of the invariant, and the reason.
    pub applied: Vec<(String, String)>,
    /// Waivers that expired or that nothing needs.
    pub findings: Vec<WaiverFinding>,
}

impl WaiverOutcome {
    /// The reason for which a violation of this invariant is accepted.
    pub fn reason(&self, invariant: &str) -> Option<&str> {
        self.applied.iter().find(|(name, _)| name == invariant).map(|(_, reason)| reason.as_str())
    }
}

/// What the waivers say on a day, given the invariants that are violated (an entry for `step` and one for `run` of the
/// same name count as one). A waiver counts on the day it expires, and no longer.
pub fn apply_waivers(waivers: &[Waiver], today: Date, violated: &[&str]) -> WaiverOutcome {
    let mut outcome = WaiverOutcome::default();
    for waiver in waivers {
        let Waiver { invariant, reason, expires, owner } = waiver;
        let needed = violated.contains(&invariant.as_str());
        let owner = owner.as_ref().map_or(String::new(), |owner| format!(", owner {owner}"));
        let finding = |problem: &str, message: String| WaiverFinding {
            invariant: invariant.clone(),
            problem: problem.into(),
            message,
        };
        if today > *expires {
            let what = if needed { "and the invariant is violated" } else { "and nothing needs it: remove it" };
            let message = format!("the waiver of `{invariant}` expired on {expires}, {what} (reason: {reason}{owner})");
            outcome.findings.push(finding("expired", message));
        } else if needed {
            outcome.applied.push((invariant.clone(), reason.clone()));
        } else {
            let message = format!(
                "the waiver of `{invariant}` is unused, since the invariant is not violated: remove it (reason: {reason}{owner})"
            );
            outcome.findings.push(finding("unused", message));
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        Date::parse(text).expect(text)
    }

    fn waiver(invariant: &str, expires: &str) -> Waiver {
        Waiver {
            invariant: invariant.into(),
            reason: "shared clip, fixed in PR 12".into(),
            expires: day(expires),
            owner: Some("ada".into()),
        }
    }

    #[test]
    fn a_waiver_counts_until_its_last_day() {
        let waivers = [waiver("a", "2027-01-31")];
        let on = |today| apply_waivers(&waivers, day(today), &["a"]);
        assert_eq!(on("2027-01-31").reason("a"), Some("shared clip, fixed in PR 12"));
        assert!(on("2027-01-31").findings.is_empty());
        let late = on("2027-02-01");
        assert_eq!(late.reason("a"), None);
        assert_eq!(late.findings[0].problem, "expired");
        assert!(late.findings[0].message.contains("2027-01-31") && late.findings[0].message.contains("ada"));
    }

    #[test]
    fn a_waiver_that_nothing_needs_is_a_finding() {
        let outcome = apply_waivers(&[waiver("a", "2027-01-31"), waiver("b", "2020-01-31")], day("2027-01-01"), &["c"]);
        let problems: Vec<_> =
            outcome.findings.iter().map(|finding| (&*finding.invariant, &*finding.problem)).collect();
        assert_eq!(problems, [("a", "unused"), ("b", "expired")]);
        assert!(outcome.applied.is_empty());
    }
}
