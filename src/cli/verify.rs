//! `openloop verify`.

use super::arguments::VerifyArguments;
use super::{Failure, Outcome, files, output};
use crate::graph::{Digest, TrainingGraph};
use crate::render::amount::bounds_as_written;
use crate::render::text::safe;
use crate::verdict::{
    Assumption, Bounds, Certificate, Channel, Evidence, Hop, InvariantReport, REPORT_VERSION, RunReport,
};
use crate::verify::{BySelectors, verify as re_check};

/// Exit codes: 0 every certificate is accepted; 2 it cannot be read; 3 something is refused or was never certified.
pub(super) fn verify(arguments: &VerifyArguments) -> Outcome {
    let text = files::read_text(&arguments.certificate)?;
    let (certificates, uncertified) = read_certificates(&text)
        .map_err(|message| Failure::new(format!("{}: {message}", arguments.certificate.display())))?;
    let graphs: Vec<TrainingGraph> =
        arguments.files.iter().map(|path| files::read_graph(path)).collect::<Result<_, _>>()?;
    let graphs: Vec<&TrainingGraph> = graphs.iter().collect();
    let mut page = String::new();
    let mut refused = 0;
    for certificate in &certificates {
        let names: Vec<&str> = certificate.names.iter().map(String::as_str).collect();
        let claim = format!(
            "{} [{}]{}: {} to {}",
            certificate.verdict.as_str(),
            certificate.within.as_str(),
            within_bounds(certificate),
            safe(&certificate.from.join(", ")),
            safe(&certificate.to.join(", "))
        );
        match re_check(certificate, &graphs, &BySelectors { names: &names }) {
            Ok(()) => {
                page.push_str(&format!("accepted: {claim}\n"));
                page.push_str(not_judged(certificate));
                given(certificate).iter().for_each(|fact| page.push_str(&format!("  given: {}\n", safe(fact))));
            }
            Err(problems) => {
                refused += 1;
                page.push_str(&format!("refused: {claim}\n"));
                for problem in problems.iter().take(10) {
                    page.push_str(&format!("  {}\n", safe(problem)));
                }
                if problems.len() > 10 {
                    page.push_str(&format!("  and {} more\n", problems.len() - 10));
                }
            }
        }
    }
    for name in &uncertified {
        page.push_str(&format!("not certified: {}\n", safe(name)));
    }
    output::findings(&page, None)?;
    Ok(if refused > 0 || !uncertified.is_empty() || certificates.is_empty() { 3 } else { 0 })
}

/// The bounds that a certificate shows to be kept, where something gets through.
fn within_bounds(certificate: &Certificate) -> String {
    match &certificate.evidence {
        Evidence::Refined(evidence) if !evidence.bounds.is_empty() => {
            format!(" within its bounds ({})", bounds_as_written(&evidence.bounds).join(", "))
        }
        _ => String::new(),
    }
}

/// What is said of a violation and not re-checked.
fn not_judged(certificate: &Certificate) -> &'static str {
    match &certificate.evidence {
        Evidence::Paths(paths) if paths.iter().any(|witness| witness.channel < Channel::Content) => {
            "  not re-checked: that no path is of a worse channel than it says\n"
        }
        _ => "",
    }
}

/// What a certificate assumes, and what it calls data.
fn assumed(certificate: &Certificate) -> Vec<String> {
    let (assume, data) = match &certificate.evidence {
        Evidence::Refined(evidence) => (&evidence.assume, &evidence.data[..]),
        Evidence::Labels(_) | Evidence::Paths(_) => (&certificate.assume, &[][..]),
    };
    let says = |assumption: &Assumption| match assumption {
        Assumption::Finite => {
            "finite: no infinity or NaN is an operand at a masked product, and +0 equals -0 there".to_owned()
        }
        Assumption::Binary(path) => format!("binary: every element of the input `{path}` is 0 or 1"),
    };
    let data = data.iter().map(|selector| format!("`{selector}` is data"));
    assume.iter().map(says).chain(data).collect()
}

/// What a certificate takes from the policy and nobody can prove from the text: it is shown, not judged.
fn given(certificate: &Certificate) -> Vec<String> {
    let carried = certificate.carried.iter().map(|(output, input)| format!("`{output}` becomes `{input}`"));
    let terminal = certificate.terminal.iter().map(|output| format!("`{output}` is not carried"));
    let name = |graph: usize| certificate.names.get(graph).map_or(String::new(), |name| format!("{name}:"));
    let edges = certificate.edges.iter().map(|edge| {
        let ((from, output), (to, input)) = (&edge.from, &edge.to);
        let when = match edge.hop {
            Hop::Link => "in the same step",
            Hop::Environment => "through the world outside",
            _ => "in the next step",
        };
        format!("`{}{output}` becomes `{}{input}` {when}", name(*from), name(*to))
    });
    carried.chain(terminal).chain(edges).chain(assumed(certificate)).collect()
}

/// Whether an entry of a report says what its certificate proves, of the graphs that the report names.
fn says_the_same(entry: &InvariantReport, certificate: &Certificate, digests: &[&Digest]) -> bool {
    let same_evidence = match &certificate.evidence {
        Evidence::Paths(paths) => {
            let is_shown = paths.iter().any(|witness| witness.path == entry.witness);
            // A path shows that something gets through, and not that it is more than a bound allows.
            let shows_excess = entry.bounds.is_empty();
            let worst = paths.iter().map(|witness| witness.channel).max().unwrap_or_default();
            let bits = entry.bits_per_step.map(|bits| bits.at_most);
            *paths == entry.witnesses
                && is_shown
                && entry.sinks_reached > 0
                && shows_excess
                && entry.channel == worst
                && bits == certificate.bits_per_step
        }
        // Something gets through, and no more than the policy allows.
        Evidence::Refined(evidence) if !evidence.bounds.is_empty() => {
            evidence.bounds == entry.bounds && fits(&evidence.bounds, entry)
        }
        Evidence::Labels(_) | Evidence::Refined(_) => {
            entry.witnesses.is_empty() && entry.witness.is_empty() && entry.sinks_reached == 0
        }
    };
    same_evidence
        && certificate.verdict == entry.verdict
        && certificate.within == entry.within
        && certificate.from == entry.from
        && certificate.to == entry.to
        && certificate.digests.iter().eq(digests.iter().copied())
}

/// Whether what an entry says of amounts is within bounds.
fn fits(bounds: &Bounds, entry: &InvariantReport) -> bool {
    let most = |most: u64| entry.bits_per_step.is_some_and(|bits| bits.at_most <= most);
    bounds.max_channel.is_none_or(|most| entry.channel <= most) && bounds.max_bits_per_step.is_none_or(most)
}

/// One certificate, a list of them, or those of a report with the names of the entries that have none.
fn read_certificates(text: &str) -> Result<(Vec<Certificate>, Vec<String>), String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    if value.is_array() {
        let list = serde_json::from_value(value).map_err(|error| format!("not a list of certificates: {error}"))?;
        return Ok((list, Vec::new()));
    }
    if value.get("invariants").is_some() {
        let report: RunReport = serde_json::from_value(value).map_err(|error| format!("not a report: {error}"))?;
        if report.version != REPORT_VERSION {
            return Err(format!("report version {}, expected {REPORT_VERSION}", report.version));
        }
        let digests: Vec<&Digest> =
            std::iter::once(&report.graph).chain(&report.more_graphs).map(|graph| &graph.digest).collect();
        let mut certificates = Vec::new();
        let mut uncertified = Vec::new();
        for entry in report.invariants {
            match &entry.certificate {
                // The entry says what the certificate must prove: one for something else proves nothing.
                Some(certificate) if says_the_same(&entry, certificate, &digests) => {
                    certificates.push(certificate.clone());
                }
                _ => uncertified.push(format!("{} [{}] {}", entry.verdict.as_str(), entry.within.as_str(), entry.name)),
            }
        }
        return Ok((certificates, uncertified));
    }
    let certificate = serde_json::from_value(value).map_err(|error| format!("not a certificate: {error}"))?;
    Ok((vec![certificate], Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{CERTIFICATE_VERSION, RefinedEvidence, Verdict, Within};

    fn refined(bounds: Bounds) -> Certificate {
        let assume = vec![Assumption::Finite, Assumption::Binary("batch.mask".into())];
        Certificate {
            version: CERTIFICATE_VERSION,
            digests: Vec::new(),
            names: Vec::new(),
            within: Within::Run,
            from: Vec::new(),
            to: Vec::new(),
            carried: vec![("result.0".into(), "params".into())],
            terminal: Vec::new(),
            edges: Vec::new(),
            assume: Vec::new(),
            bits_per_step: None,
            cut: Vec::new(),
            verdict: Verdict::Holds,
            evidence: Evidence::Refined(RefinedEvidence { assume, bounds, ..RefinedEvidence::default() }),
        }
    }

    #[test]
    fn what_a_refined_certificate_rests_on_is_said() {
        let given = given(&refined(Bounds::default()));
        let starts =
            ["`result.0` becomes", "finite: no infinity or NaN", "binary: every element of the input `batch.mask`"];
        assert_eq!(given.len(), starts.len());
        assert!(given.iter().zip(starts).all(|(fact, start)| fact.starts_with(start)), "{given:?}");
    }

    #[test]
    fn bounds_that_are_proven_belong_to_the_claim() {
        assert_eq!(within_bounds(&refined(Bounds::default())), "");
        let bounds = Bounds { max_channel: Some(Channel::Scale), max_bits_per_step: Some(32) };
        let says = " within its bounds (max_channel = \"scale\", max_bits_per_step = 32)";
        assert_eq!(within_bounds(&refined(bounds)), says);
    }

    /// An entry of a report.
    fn entry(bounds: &str, reached: usize) -> InvariantReport {
        let text = format!(
            r#"{{"name": "", "within": "run", "from": [], "to": [], "verdict": "holds", "assumptions": [],
            "sources": 1, "sinks_reached": {reached}, "sinks": 1, "witness": [], "witnesses": [], "environment": [],
            "opaque": [], "confirmed": "untested", "bounds": {bounds}}}"#
        );
        serde_json::from_str(&text).expect("an entry")
    }

    #[test]
    fn a_path_certifies_no_excess_over_a_bound() {
        let path = r#"{"group": "g", "sink": "g", "sinks_reached": 1, "sinks": 1, "route": "step", "path": []}"#;
        let witness: crate::verdict::Witness = serde_json::from_str(path).expect("a path");
        let evidence = Evidence::Paths(vec![witness.clone()]);
        let certificate = Certificate { verdict: Verdict::Violated, evidence, ..refined(Bounds::default()) };
        let says = |bounds: &str| {
            let entry =
                InvariantReport { verdict: Verdict::Violated, witnesses: vec![witness.clone()], ..entry(bounds, 1) };
            says_the_same(&entry, &certificate, &[])
        };
        assert!(says("{}"));
        assert!(!says(r#"{"max_bits_per_step": 1}"#));
    }

    /// A proof of bounds proves no other bounds, and no denial.
    #[test]
    fn a_report_says_the_bounds_that_its_certificate_proves() {
        let bounds = Bounds { max_channel: None, max_bits_per_step: Some(32) };
        let says = |entry: &InvariantReport, bounds| says_the_same(entry, &refined(bounds), &[]);
        let entry = |bounds: &str, reached: usize| {
            let bits = crate::verdict::Bits { at_most: reached as u64, exact: true };
            InvariantReport { bits_per_step: Some(bits), ..entry(bounds, reached) }
        };
        assert!(says(&entry(r#"{"max_bits_per_step": 32}"#, 1), bounds));
        assert!(!says(&entry(r#"{"max_bits_per_step": 32}"#, 33), bounds));
        assert!(!says(&entry(r#"{"max_bits_per_step": 1}"#, 1), bounds));
        assert!(!says(&entry("{}", 0), bounds));
        assert!(!says(&entry("{}", 1), Bounds::default()));
        assert!(says(&entry("{}", 0), Bounds::default()));
    }
}
