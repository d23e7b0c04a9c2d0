//! Floor 5: the stable codes, each with its page.
//!
//! **Invariant**: a code never changes its meaning and is never given out twice. Every page has the same four
//! headings, in this order: what it finds, why it matters, an example, how to repair it.

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `OL100`.
    pub code: &'static str,
    /// A short name in words with dashes.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The page, in Markdown.
    pub page: &'static str,
}

macro_rules! rules {
    ($($code:literal $name:literal $summary:literal;)*) => {
        /// Every code, ascending.
        pub const RULES: &[Rule] = &[$(Rule {
            code: $code,
            name: $name,
            summary: $summary,
            page: include_str!(concat!("pages/", $code, ".md")),
        }),*];
    };
}

rules! {
    "OL001" "unreadable-input" "An input file cannot be read.";
    "OL100" "reward-reaches-update" "Information from the source reaches a sink inside one step.";
    "OL101" "reward-reaches-update-carried" "Information from the source reaches a sink through a carried value.";
    "OL102" "reward-reaches-update-environment" "Information from the source reaches a sink through the world outside.";
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
            let headings: Vec<&str> = rule.page.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(headings, HEADINGS, "{}", rule.code);
            assert_eq!(rule.page.matches("```").count() % 2, 0, "{}: a code block is not closed", rule.code);
        }
    }

    #[test]
    fn a_rule_is_found_by_its_code() {
        assert_eq!(rule("ol100").map(|rule| rule.code), Some("OL100"));
        assert!(rule("OL999").is_none());
    }
}
