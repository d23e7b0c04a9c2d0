//! What differs in pairs of runs, held against what is said of a step.

use std::collections::{BTreeMap, BTreeSet};

use openloop::exec::{Element, Tensor, decode_float};
use openloop::graph::{OperationId, OperationKind};
use openloop::verdict::{Channel, InvariantReport, Verdict};

use super::super::elements::{indices, shape};
use super::pairs::{Base, DISTURBANCES, Pairs, Run, Target};
use super::subject::{Answer, Cut, Subject};

/// How many pairs were run, and what they showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    pub pairs: usize,
    /// Pairs in which a sink differed, in the first step and in any.
    pub differ: [usize; 2],
    /// Elements that differed in some pair.
    pub elements: usize,
    /// Pairs in which nothing at all differed: they show nothing.
    pub without_power: usize,
}

impl Shown {
    pub fn join(&mut self, other: Shown) {
        self.pairs += other.pairs;
        self.differ[0] += other.differ[0];
        self.differ[1] += other.differ[1];
        self.elements += other.elements;
        self.without_power += other.without_power;
    }
}

/// How often a step is run.
#[derive(Clone, Copy)]
pub struct Effort {
    pub bases: u64,
    pub disturbances: usize,
    pub steps: u64,
}

/// Where two runs differ: `(step, output, element)`.
fn differing(one: &Run, other: &Run, mut found: impl FnMut(usize, usize, usize)) {
    for (step, (one, other)) in one.steps.iter().zip(&other.steps).enumerate() {
        for (output, (one, other)) in one.iter().zip(other).enumerate() {
            let elements = one.iter().zip(other).enumerate();
            elements.filter(|(_, (one, other))| one != other).for_each(|(at, _)| found(step, output, at));
        }
    }
}

/// The bits of all sinks after a step.
pub fn joint<'r>(run: &'r Run, step: usize, sinks: &[usize]) -> Vec<&'r [u64]> {
    sinks.iter().map(|sink| &*run.steps[step][*sink]).collect()
}

/// Runs a step in pairs and holds what differs against what is said: without an assumption always, with one where the pair
/// keeps to it.
pub fn contained(
    subject: &Subject,
    pairs: &Pairs<'_>,
    answers: &[(bool, &Answer)],
    effort: Effort,
) -> Result<Shown, String> {
    let sinks = subject.sinks();
    let paths: Vec<String> = subject.graph.outputs().map(|(path, _)| path.to_string()).collect();
    let indices: Vec<Vec<Vec<u64>>> = subject
        .graph
        .outputs()
        .map(|(_, value)| indices(&shape(&subject.graph, value).expect("a fixed shape")))
        .collect();
    let mut shown = Shown::default();
    let mut elements = BTreeSet::new();
    let targets: &[Target] = match pairs.has_cotangents() {
        true => &[Target::Both, Target::Values, Target::Cotangents],
        false => &[Target::Values],
    };
    // Cuts, bits and channels are those without assumptions.
    let plain = answers.iter().find(|(assumes_finite, _)| !assumes_finite).map(|(_, answer)| *answer);
    let cuts = plain.map_or(&[][..], |answer| &answer.cuts);
    let looked_at: Vec<OperationId> = cuts.iter().flat_map(|cut| cut.values.iter().map(|(id, _)| *id)).collect();
    for base in 0..effort.bases {
        let base = Base { seed: base, extreme: base % 3 == 2 };
        let undisturbed = pairs.run(base, effort.steps, None, &looked_at).map_err(|error| error.to_string())?;
        let masks: Vec<Vec<u64>> =
            pairs.inputs(base).expect("inputs that were drawn before").iter().map(Tensor::to_bits).collect();
        let mut runs = vec![undisturbed];
        for (number, disturbance) in DISTURBANCES.iter().enumerate().take(effort.disturbances) {
            let target = targets[(number + base.seed as usize) % targets.len()];
            let disturbed = pairs
                .run(base, effort.steps, Some((*disturbance, target)), &looked_at)
                .map_err(|error| error.to_string())?;
            let mut differ = [false; 2];
            let mut sinks_differ = [BTreeSet::new(), BTreeSet::new()];
            let mut any = false;
            let is_finite = runs[0].finite && disturbed.finite;
            let mut problem = None;
            differing(&runs[0], &disturbed, |step, output, element| {
                any = true;
                elements.insert((output, element));
                for within in usize::from(step > 0)..2 {
                    if sinks.contains(&output) {
                        differ[within] = true;
                        sinks_differ[within].insert(output);
                    }
                    for (assumes_finite, answer) in answers {
                        let labelled = answer.labels[within][output].get(element) == Some(&true)
                            && (within == 1
                                || answer.is_conditional_on(output, element, &indices[output][element], &masks));
                        if !labelled && (is_finite || !assumes_finite) {
                            problem.get_or_insert_with(|| {
                                format!(
                                    "{}: {} differs at element {element} in step {step} under {disturbance:?} of \
                                     {target:?} from {base:?}, and has no label whose condition holds [{}]{}",
                                    subject.name,
                                    paths[output],
                                    answer.reports[within].within.as_str(),
                                    if *assumes_finite { " with assumptions" } else { "" },
                                )
                            });
                        }
                    }
                }
            });
            if let Some(problem) = problem {
                return Err(problem);
            }
            for (assumes_finite, answer) in answers.iter().filter(|(assumes, _)| is_finite || !assumes) {
                for (report, sinks) in answer.reports.iter().zip(&sinks_differ) {
                    let is_admitted = report.verdict != Verdict::Holds && report.sinks_reached >= sinks.len();
                    if !sinks.is_empty() && !is_admitted {
                        return Err(format!(
                            "{}: {} sinks differ under {disturbance:?} from {base:?} and the verdict is {:?} with {} \
                             reached [{}] (assumes: {assumes_finite})",
                            subject.name,
                            sinks.len(),
                            report.verdict,
                            report.sinks_reached,
                            report.within.as_str(),
                        ));
                    }
                }
            }
            shown.pairs += 1;
            shown.differ[0] += usize::from(differ[0]);
            shown.differ[1] += usize::from(differ[1]);
            shown.without_power += usize::from(!any);
            runs.push(disturbed);
        }
        if let Some(answer) = plain {
            within_bits(subject, &answer.reports, &runs, &sinks)?;
            within_channel(subject, pairs, &answer.reports[0], &runs, base)?;
        }
        cuts.iter().try_for_each(|cut| cut_decides(subject, cut, &runs))?;
    }
    shown.elements = elements.len();
    Ok(shown)
}

/// No more results at the sinks than there are bits for.
fn within_bits(subject: &Subject, reports: &[InvariantReport], runs: &[Run], sinks: &[usize]) -> Result<(), String> {
    for (report, steps) in reports.iter().zip([1, runs[0].steps.len()]) {
        let Some(bits) = report.bits_per_step.filter(|_| report.verdict == Verdict::Violated) else { continue };
        let all: BTreeSet<Vec<Vec<&[u64]>>> =
            runs.iter().map(|run| (0..steps).map(|step| joint(run, step, sinks)).collect()).collect();
        let capacity = bits.at_most.saturating_mul(steps as u64);
        if capacity < 32 && all.len() as u64 > 1 << capacity {
            return Err(format!(
                "{}: {} results at the sinks over {steps} steps, with {bits:?} [{}]",
                subject.name,
                all.len(),
                report.within.as_str()
            ));
        }
    }
    Ok(())
}

/// Runs in which all that a cut names is equal are equal at its sinks; and what is named is of the kind that is said.
fn cut_decides(subject: &Subject, cut: &Cut, runs: &[Run]) -> Result<(), String> {
    let problem = |what: &str| Err(format!("{}: {what}: {cut:?}", subject.name));
    let mut known: BTreeMap<Vec<&[Vec<u64>]>, Vec<&[u64]>> = BTreeMap::new();
    for run in runs {
        let seen: Vec<&[Vec<u64>]> =
            cut.values.iter().map(|place| run.seen.get(place).map_or(&[][..], Vec::as_slice)).collect();
        // A tensor that is computed in several places counts once and is named at one, which may lie in a branch not taken.
        if seen.iter().any(|seen| seen.is_empty()) {
            continue;
        }
        let found = joint(run, 0, &cut.sinks);
        if *known.entry(seen.clone()).or_insert_with(|| found.clone()) != found {
            return problem("the sinks differ, and what bounds the flow does not");
        }
        for (place, seen) in cut.values.iter().zip(&seen) {
            let value = subject.graph.results(place.0).get(place.1).expect("a result");
            let element = subject.graph.tensor_type(value).and_then(|found| Element::of(&found.element));
            let words = seen.iter().flat_map(|words| words.iter().copied());
            let is_right = match (cut.channel, element) {
                // A test, or the index of a branch.
                (Some(Channel::Timing), element) => {
                    matches!(element, Some(Element::Boolean | Element::Signed(_) | Element::Unsigned(_)))
                }
                (Some(Channel::Scale), Some(Element::Float(kind))) => {
                    words.map(|word| decode_float(kind, word)).all(|number| number.is_nan() || number >= 0.0)
                }
                _ => true,
            };
            if !is_right {
                return problem("what bounds the flow is not of the kind that is said");
            }
        }
    }
    Ok(())
}

/// Timing: each sink is what it was before the step, or one other thing.
fn within_channel(
    subject: &Subject,
    pairs: &Pairs<'_>,
    report: &InvariantReport,
    runs: &[Run],
    base: Base,
) -> Result<(), String> {
    // How often a loop runs chooses among more than two: the bits say how many.
    let has_loops = subject.graph.operations().iter().any(|operation| operation.kind == OperationKind::While);
    if report.verdict != Verdict::Violated || report.channel != Channel::Timing || has_loops {
        return Ok(());
    }
    let inputs = pairs.inputs(base).expect("inputs that were drawn before");
    for sink in subject.sinks() {
        let old = pairs.carried().input_of(sink).map(|input| inputs[input].to_bits());
        let results: BTreeSet<&Vec<u64>> = runs.iter().map(|run| &run.steps[0][sink]).collect();
        let others = results.into_iter().filter(|found| old.as_ref() != Some(*found)).count();
        if others > 1 {
            return Err(format!("{}: timing, and sink {sink} is one of {others} new values", subject.name));
        }
    }
    Ok(())
}
