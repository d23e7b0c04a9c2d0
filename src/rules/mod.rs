//! Floor 5: the stable codes, each with its page.
//!
//! **Invariant**: a code never changes its meaning and is never given out twice. Every page has the same four
//! headings, in this order: what it finds, why it matters, an example, how to repair it. `OL110` to `OL126` name
//! mechanisms: their pages say the expected channel and the public evidence too, and their two examples, the leak and
//! its clean twin, are lowered and measured in `fixtures/rules`. Each has a matcher in a file of its own, which looks at
//! operations, channels and paths, never at a name that a user chose; [`mechanism`] asks them in turn.

mod accumulation_normaliser;
mod direct_probe_gradient;
mod evidence;
mod masked_product;
mod missed_detach;
mod momentum;
mod moving_average;
mod optimizer_mask;
mod probe_co_training;
mod random_key;
mod replayed_reward;
mod running_statistics;
mod sampling;
mod score_function_gradient;
mod shared_clip;
mod shared_finite_check;
mod straight_through;
mod tied_parameters;

pub use evidence::Evidence;

use crate::verdict::Route;
use evidence::Trace;

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `OL100`.
    pub code: &'static str,
    /// A short name in words with dashes.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The channels that such a flow may take, that of the example first; empty where the code names no mechanism.
    pub channels: &'static [&'static str],
    /// The page, in Markdown.
    pub page: &'static str,
}

macro_rules! rules {
    ($($code:literal $name:literal $summary:literal $($channel:literal)*;)*) => {
        /// Every code, ascending.
        pub const RULES: &[Rule] = &[$(Rule {
            code: $code,
            name: $name,
            summary: $summary,
            channels: &[$($channel),*],
            page: include_str!(concat!("pages/", $code, ".md")),
        }),*];
    };
}

rules! {
    "OL001" "unreadable-input" "An input file cannot be read.";
    "OL100" "reward-reaches-update" "Information from the source reaches a sink inside one step.";
    "OL101" "reward-reaches-update-carried" "Information from the source reaches a sink through a carried value.";
    "OL102" "reward-reaches-update-environment" "Information from the source reaches a sink through the world outside.";
    "OL110" "shared-clip" "One global norm over both groups of parameters scales the update of the beliefs." "scale";
    "OL111" "shared-finite-check" "One finite check over both groups can skip the belief update." "timing" "scale";
    "OL112" "missed-detach" "A loss of the reward reads live thoughts and so trains the beliefs." "content";
    "OL113" "direct-probe-gradient" "The gradient of the score goes through the probe into the beliefs." "content";
    "OL114" "score-function-gradient" "The reward multiplies the gradient of log pi in the beliefs." "content";
    "OL115" "tied-parameters" "A parameter of the beliefs has a second role, in which the reward trains it." "content";
    "OL116" "optimizer-mask-passes-gradients" "A mask of the optimizer applies raw gradients." "content";
    "OL117" "momentum-on-zeroed-gradients" "A gradient was zeroed after the momentum took it." "content" "timing";
    "OL118" "prioritised-or-filtered-sampling" "The reward chooses on which data the beliefs are trained." "selection" "content";
    "OL119" "shared-random-key" "The beliefs draw from a random key that the reward has moved on." "content";
    "OL120" "running-statistics" "The beliefs are normalised by a statistic that the reward has changed." "content";
    "OL121" "moving-average" "An average mixes what the reward has trained into what the probe reads." "content";
    "OL122" "straight-through-estimator" "The reward's gradient goes through a discrete step." "content";
    "OL123" "mask-by-multiplication" "A mask that is a factor lets inf and NaN through." "content";
    "OL124" "accumulation-normaliser" "A count that the reward changes divides the belief gradient." "content";
    "OL125" "replayed-reward-loss" "A stored value or reward is a training target of the world model." "content";
    "OL126" "probe-co-training" "The probe's loss on labels trains what the probe reads." "content";
    "OL200" "vacuous" "A selector matched nothing, so there was nothing to check.";
    "OL300" "opaque-operation" "An operation that openloop does not look into, or a limit, stands between.";
    "OL301" "mark-the-score" "The cotangents of the score cannot be told from others.";
    "OL302" "carried-value-not-paired" "It is not clear which output becomes an input of the next step.";
    "OL400" "stale-waiver" "A waiver is expired, or waives nothing.";
    "OL500" "required-flow-missing" "A flow that the policy requires does not arrive.";
}

/// The rule of a code; letters may be small.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code.trim()))
}

/// Whether a mechanism is what the evidence shows.
type Matcher = fn(&Trace<'_, '_>) -> bool;

/// The matchers, most specific first: the first that fits names the violation.
const MATCHERS: &[(&str, Matcher)] = &[
    ("OL111", shared_finite_check::matches),
    ("OL110", shared_clip::matches),
    ("OL123", masked_product::matches),
    // What is drawn may be a mask: so before the choice of examples.
    ("OL119", random_key::matches),
    ("OL118", sampling::matches),
    ("OL121", moving_average::matches),
    ("OL117", momentum::matches),
    ("OL120", running_statistics::matches),
    ("OL125", replayed_reward::matches),
    ("OL126", probe_co_training::matches),
    ("OL113", direct_probe_gradient::matches),
    ("OL124", accumulation_normaliser::matches),
    ("OL116", optimizer_mask::matches),
    ("OL122", straight_through::matches),
    ("OL115", tied_parameters::matches),
    ("OL114", score_function_gradient::matches),
    ("OL112", missed_detach::matches),
];

/// The rule that names how the source reaches a group of sinks: the mechanism if one is seen in the graph, else the
/// generic code of the route. No name that a user chose has a say in it.
pub fn mechanism(evidence: &Evidence<'_, '_>) -> &'static Rule {
    let channel = evidence.channel.channel.as_str();
    let generic = match evidence.route {
        Route::Step => "OL100",
        Route::Carried => "OL101",
        // What goes through the world outside is named by that, whatever happens on the way.
        Route::Environment => return known("OL102"),
    };
    let trace = Trace::new(evidence);
    let possible = MATCHERS.iter().map(|(code, matches)| (known(code), matches));
    let mut named = possible.filter(|(rule, matches)| rule.channels.contains(&channel) && matches(&trace));
    named.next().map_or(known(generic), |(rule, _)| rule)
}

/// The rule of a code that is written here; every one is in the register, which a test says.
fn known(code: &str) -> &'static Rule {
    rule(code).unwrap_or(&RULES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADINGS: [&str; 4] = ["## What it finds", "## Why it matters", "## Example", "## How to repair it"];

    #[test]
    fn codes_and_names_are_unique_and_ascending() {
        assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn every_page_has_its_title_and_the_four_headings() {
        for rule in RULES {
            let title = format!("# {}: {}", rule.code, rule.name);
            assert_eq!(rule.page.lines().next(), Some(&*title));
            let mut headings: Vec<&str> = rule.page.lines().filter(|line| line.starts_with("## ")).collect();
            if !rule.channels.is_empty() {
                assert_eq!(headings.pop(), Some("## Evidence"), "{}", rule.code);
            }
            assert_eq!(headings, HEADINGS, "{}", rule.code);
            assert_eq!(rule.page.matches("```").count() % 2, 0, "{}: a code block is not closed", rule.code);
        }
    }

    #[test]
    fn the_page_of_a_mechanism_says_the_channels_that_the_register_says() {
        for rule in RULES {
            let line = rule.page.lines().find(|line| line.starts_with("Expected channel"));
            let sentence = line.and_then(|line| line.split('.').next());
            let named: Vec<&str> = sentence.into_iter().flat_map(|it| it.split('`').skip(1).step_by(2)).collect();
            assert_eq!(named, rule.channels, "{}", rule.code);
            assert!(named.iter().all(|name| ["timing", "scale", "selection", "content"].contains(name)));
        }
        assert!(RULES.iter().any(|rule| !rule.channels.is_empty()));
    }

    #[test]
    fn every_mechanism_has_one_matcher_and_every_code_that_is_named_a_page() {
        let mut matched: Vec<&str> = MATCHERS.iter().map(|(code, _)| *code).collect();
        matched.sort_unstable();
        let mechanisms = RULES.iter().filter(|rule| !rule.channels.is_empty()).map(|rule| rule.code);
        assert_eq!(matched, mechanisms.collect::<Vec<_>>());
        assert!(["OL100", "OL101", "OL102"].into_iter().chain(matched).all(|code| known(code).code == code));
    }

    #[test]
    fn a_rule_is_found_by_its_code() {
        assert_eq!(rule("ol100").map(|rule| rule.code), Some("OL100"));
        assert!(rule("OL999").is_none());
    }
}
