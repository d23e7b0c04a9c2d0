//! The stable code of each thing that a report can say.
//!
//! **Invariant**: a code never changes its meaning. The page of each is in `rules`; that floor lies above this one,
//! so the codes are named here and a property test compares the two.

use crate::verdict::{Hop, InvariantReport, RequireReport, Verdict, Witness, WitnessStep};

/// An input cannot be read.
pub const INPUT: &str = "OL001";
/// The source reaches a sink inside one step.
pub const VIOLATED: &str = "OL100";
/// The source reaches a sink through a value that is carried from step to step.
pub const VIOLATED_CARRIED: &str = "OL101";
/// The source reaches a sink through a declared environment edge.
pub const VIOLATED_ENVIRONMENT: &str = "OL102";
/// A selector matched nothing.
pub const VACUOUS: &str = "OL200";
/// An opaque operation or a limit stands between.
pub const OPAQUE: &str = "OL300";
/// The cotangents of the score are invisible.
pub const MARK_THE_SCORE: &str = "OL301";
/// A carried value is not paired.
pub const NOT_PAIRED: &str = "OL302";
/// A waiver is expired or unused.
pub const WAIVER: &str = "OL400";
/// A required flow does not arrive.
pub const REQUIRED_FLOW_MISSING: &str = "OL500";

/// Every code that a rendering can show.
pub const ALL: &[&str] = &[
    INPUT,
    VIOLATED,
    VIOLATED_CARRIED,
    VIOLATED_ENVIRONMENT,
    VACUOUS,
    OPAQUE,
    MARK_THE_SCORE,
    NOT_PAIRED,
    WAIVER,
    REQUIRED_FLOW_MISSING,
];

/// The codes that name a mechanism by which a loop closes, with their names. A verdict alone gives none of them: the
/// analysis recognises a mechanism and says so in [`Witness::rule`].
pub const MECHANISMS: &[(&str, &str)] = &[
    ("OL110", "shared-clip"),
    ("OL111", "shared-finite-check"),
    ("OL112", "missed-detach"),
    ("OL113", "direct-probe-gradient"),
    ("OL114", "score-function-gradient"),
    ("OL115", "tied-parameters"),
    ("OL116", "optimizer-mask-passes-gradients"),
    ("OL117", "momentum-on-zeroed-gradients"),
    ("OL118", "prioritised-or-filtered-sampling"),
    ("OL119", "shared-random-key"),
    ("OL120", "running-statistics"),
    ("OL121", "moving-average"),
    ("OL122", "straight-through-estimator"),
    ("OL123", "mask-by-multiplication"),
    ("OL124", "accumulation-normaliser"),
    ("OL125", "replayed-reward-loss"),
    ("OL126", "probe-co-training"),
];

/// The name of a mechanism; none for other codes.
pub fn mechanism(code: &str) -> Option<&'static str> {
    MECHANISMS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// The witness whose path is shown.
pub(super) fn shown_witness(invariant: &InvariantReport) -> Option<&Witness> {
    invariant.witnesses.iter().find(|witness| witness.path == invariant.witness)
}

/// The code of a flow: that of its mechanism, or of the shape of its path.
pub fn of_witness(witness: &Witness) -> &str {
    if witness.rule.is_empty() { of_path(&witness.path) } else { &witness.rule }
}

/// The code of a path.
pub fn of_path(path: &[WitnessStep]) -> &'static str {
    let crosses = |hop| path.iter().any(|step| step.hop == hop);
    match (crosses(Hop::Environment), crosses(Hop::Carried)) {
        (true, _) => VIOLATED_ENVIRONMENT,
        (false, true) => VIOLATED_CARRIED,
        (false, false) => VIOLATED,
    }
}

/// The code of the answer to an invariant; [`None`]: there is nothing to explain.
pub fn of_invariant(invariant: &InvariantReport) -> Option<&str> {
    match invariant.verdict {
        Verdict::Holds => None,
        Verdict::Violated => Some(shown_witness(invariant).map_or(of_path(&invariant.witness), of_witness)),
        Verdict::Vacuous => Some(VACUOUS),
        Verdict::Undetermined if !invariant.opaque.is_empty() => Some(OPAQUE),
        Verdict::Undetermined => Some(of_reasons(&invariant.reasons)),
    }
}

/// The code of the answer to an invariant, and those of the mechanisms that bring it to its groups.
pub(super) fn of_answer(invariant: &InvariantReport) -> impl Iterator<Item = &str> {
    let is_violated = invariant.verdict == Verdict::Violated;
    let mechanisms = invariant.witnesses.iter().filter(move |_| is_violated).map(|witness| witness.rule.as_str());
    of_invariant(invariant).into_iter().chain(mechanisms.filter(|rule| mechanism(rule).is_some()))
}

/// The code of the answer to a required flow.
pub fn of_require(require: &RequireReport) -> Option<&str> {
    match require.verdict {
        Verdict::Holds => None,
        Verdict::Violated => Some(REQUIRED_FLOW_MISSING),
        Verdict::Vacuous => Some(VACUOUS),
        Verdict::Undetermined => Some(of_reasons(&require.reasons)),
    }
}

fn of_reasons(reasons: &[String]) -> &'static str {
    let says = |words: &[&str]| reasons.iter().any(|reason| words.iter().any(|word| reason.contains(word)));
    if says(&["mark the score"]) {
        MARK_THE_SCORE
    } else if says(&["paired", "pairing", "next value", "next step", "carried"]) {
        NOT_PAIRED
    } else {
        OPAQUE
    }
}
