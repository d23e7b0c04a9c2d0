//! Static contains dynamic: whatever differs between two runs that differ in what the probe says alone is admitted by the
//! verdict, by the labels of elements, by the channel and by the bits; over random training steps, and over all fixtures.

mod pairs;
mod subject;

use std::collections::{BTreeMap, BTreeSet};

use openloop::exec::{Element, decode_float};
use openloop::graph::{OperationId, PytreePath};
use openloop::verdict::{Assumption, Channel, InvariantReport, Verdict};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use serde_json::Value;

use super::steps::{Feature, Recipe, recipes};
use super::{corpus, truth};
use pairs::{Base, DISTURBANCES, Pairs, Run, Target};
use subject::{Answer, Cut, Subject};

/// How many pairs were run, and what they showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    pairs: usize,
    /// Pairs in which a sink differed, in the first step and in any.
    differ: [usize; 2],
    /// Elements that differed in some pair.
    elements: usize,
    /// Pairs in which nothing at all differed: they show nothing.
    without_power: usize,
}

impl Shown {
    fn join(&mut self, other: Shown) {
        self.pairs += other.pairs;
        self.differ[0] += other.differ[0];
        self.differ[1] += other.differ[1];
        self.elements += other.elements;
        self.without_power += other.without_power;
    }
}

/// How often a step is run.
#[derive(Clone, Copy)]
struct Effort {
    bases: u64,
    disturbances: usize,
    steps: u64,
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
fn joint<'r>(run: &'r Run, step: usize, sinks: &[usize]) -> Vec<&'r [u64]> {
    sinks.iter().map(|sink| &*run.steps[step][*sink]).collect()
}

/// Runs a step in pairs and holds what differs against what is said: without an assumption always, with one where the pair
/// keeps to it.
fn contained(
    subject: &Subject,
    pairs: &Pairs<'_>,
    answers: &[(bool, &Answer)],
    effort: Effort,
) -> Result<Shown, String> {
    let sinks = subject.sinks();
    let paths: Vec<String> = subject.graph.outputs().map(|(path, _)| path.to_string()).collect();
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
                        let labelled = answer.labels[within][output].get(element) == Some(&true);
                        if !labelled && (is_finite || !assumes_finite) {
                            problem.get_or_insert_with(|| {
                                format!(
                                    "{}: {} differs at element {element} in step {step} under {disturbance:?} of \
                                     {target:?} from {base:?}, and has no label [{}]{}",
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
        let found = joint(run, 0, &cut.sinks);
        if *known.entry(seen.clone()).or_insert_with(|| found.clone()) != found {
            return problem("the sinks differ, and what bounds the flow does not");
        }
        for (place, seen) in cut.values.iter().zip(&seen) {
            let value = subject.graph.results(place.0).get(place.1).expect("a result");
            let element = subject.graph.tensor_type(value).and_then(|found| Element::of(&found.element));
            let words = seen.iter().flat_map(|words| words.iter().copied());
            let is_right = match (cut.channel, element) {
                (Some(Channel::Timing), element) => element == Some(Element::Boolean),
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
    if report.verdict != Verdict::Violated || report.channel != Channel::Timing {
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

fn subject_of(recipe: &Recipe) -> Subject {
    Subject {
        name: format!("{recipe:?}"),
        graph: recipe.graph(),
        scope: "scope:probe_reward".into(),
        sinks: "output:**.beliefs.**".into(),
        data: vec!["input:batch.**".into()],
        carried: Vec::new(),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    cases: usize,
    alarms: usize,
}

#[derive(Debug, Default)]
struct Counts {
    shown: Shown,
    steps: usize,
    clean: Rate,
    by_name: BTreeMap<String, Rate>,
    planted: BTreeMap<String, [usize; 2]>,
    examples: BTreeMap<String, String>,
}

/// One random step; what it counts for.
fn check(recipe: &Recipe, effort: Effort, counts: &mut Counts) -> Result<(), String> {
    let subject = subject_of(recipe);
    let plain = subject.answer(&[]);
    let mut assume = Vec::new();
    let share = subject.graph.inputs().position(|(path, _)| path.to_string() == "batch.share");
    if recipe.needs_finite() {
        assume = vec![Assumption::Finite, Assumption::Binary(PytreePath::parse("batch.share"))];
    }
    let granted = recipe.needs_finite().then(|| subject.answer(&assume));
    let mut answers = vec![(false, &plain)];
    answers.extend(granted.as_ref().map(|answer| (true, answer)));
    let sources = subject.sources().operations;
    let pairs = Pairs::new(&subject.graph, subject.carried(), &sources, share.into_iter().collect())
        .map_err(|error| error.to_string())?;
    let shown = contained(&subject, &pairs, &answers, effort)?;
    counts.shown.join(shown);
    counts.steps += 1;
    let judged = granted.as_ref().unwrap_or(&plain);
    let is_alarm = judged.reports.iter().any(|report| report.verdict != Verdict::Holds);
    if recipe.is_clean() {
        for name in recipe.names() {
            let rate = counts.by_name.entry(name).or_default();
            rate.cases += 1;
            rate.alarms += usize::from(is_alarm);
        }
        counts.clean.cases += 1;
        counts.clean.alarms += usize::from(is_alarm);
        if is_alarm {
            let verdicts = judged.reports.each_ref().map(|report| (report.verdict, report.reasons.clone()));
            let what = format!("{:?} {:?}", recipe.features, recipe.layers);
            counts.examples.entry(what).or_insert_with(|| format!("{recipe:?} {verdicts:?}"));
        }
    } else {
        for (feature, _) in recipe.features.iter().filter(|(_, planted)| *planted) {
            let known = counts.planted.entry(format!("{feature:?}")).or_default();
            known[0] += 1;
            known[1] += usize::from(shown.differ[1] > 0);
        }
    }
    Ok(())
}

#[test]
fn random_steps() {
    let cases = std::env::var("OPENLOOP_TRAINING_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let counts = std::cell::RefCell::new(Counts::default());
    let effort = Effort { bases: 3, disturbances: 8, steps: 2 };
    let time = std::time::Instant::now();
    let outcome = runner.run(&recipes(3), |recipe| {
        check(&recipe, effort, &mut counts.borrow_mut()).map_err(proptest::test_runner::TestCaseError::fail)
    });
    let counts = counts.into_inner();
    println!("{:#?} {:?}", counts, time.elapsed());
    if let Err(error) = outcome {
        if let proptest::test_runner::TestError::Fail(_, recipe) = &error {
            println!("{}", recipe.text());
        }
        panic!("{error}");
    }
}

/// Every value of a type of few bits, as many words as it has elements.
fn all_words(bits: u32) -> Vec<Vec<u64>> {
    (0..1u64 << bits).map(|word| vec![word]).collect()
}

/// The operation that rounds the score to few bits.
fn bottleneck_of(subject: &Subject) -> OperationId {
    let graph = &subject.graph;
    let found = openloop::policy::Selector::parse("scope:bottleneck").expect("a selector").resolve(graph);
    *found.operations.last().expect("the operation that rounds comes last")
}

/// What can get through few bits is no more than they say: all their values are tried, over one step and over two.
fn bits_bound(recipe: &Recipe, feature: Feature, bases: u64) -> Result<usize, String> {
    let (_, bits) = feature.bottleneck().expect("a bottleneck");
    let subject = subject_of(recipe);
    let answer = subject.answer(&[]);
    let sources = subject.sources().operations;
    let pairs =
        Pairs::new(&subject.graph, subject.carried(), &sources, Vec::new()).map_err(|error| error.to_string())?;
    let bottleneck = bottleneck_of(&subject);
    let sinks = subject.sinks();
    let mut most = 0;
    for (steps, report) in answer.reports.iter().enumerate().map(|(at, report)| (at + 1, report)) {
        let Some(bound) = report.bits_per_step else { return Err(format!("{}: no bound in bits", subject.name)) };
        if bound.at_most != u64::from(bits) {
            return Err(format!("{}: {bound:?} and not {bits} [{}]", subject.name, report.within.as_str()));
        }
        let sequences: Vec<Vec<Vec<u64>>> = match steps {
            1 => all_words(bits).into_iter().map(|words| vec![words]).collect(),
            _ if bits > 4 => continue,
            _ => all_words(bits)
                .into_iter()
                .flat_map(|first| all_words(bits).into_iter().map(move |second| vec![first.clone(), second]))
                .collect(),
        };
        for base in 0..bases {
            let base = Base { seed: base, extreme: false };
            let mut results = BTreeSet::new();
            for sequence in &sequences {
                let run = pairs.run_replaced(base, bottleneck, sequence).map_err(|error| error.to_string())?;
                let all: Vec<Vec<u64>> =
                    (0..steps).flat_map(|step| joint(&run, step, &sinks)).map(<[u64]>::to_vec).collect();
                results.insert(all);
            }
            most = most.max(results.len());
            if results.len() as u64 > 1 << (bound.at_most * steps as u64) {
                let count = results.len();
                return Err(format!("{}: {count} results with {bound:?} over {steps} steps", subject.name));
            }
        }
    }
    Ok(most)
}

/// The last of the results: a bound of half the bits would fail here.
#[test]
fn all_values_of_a_bottleneck_give_no_more_results_than_its_bits() {
    for (feature, cases, least) in [
        (Feature::ToBit, 6, 4),
        (Feature::ToSignedFour, 3, 100),
        (Feature::ToUnsignedEight, 2, 200),
        (Feature::ToFloatEight, 2, 150),
    ] {
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let most = std::cell::Cell::new(0);
        let outcome = runner.run(&recipes(0), |mut recipe| {
            recipe.features.retain(|(known, _)| *known != feature && *known != Feature::RouteMultiply);
            recipe.features.push((feature, true));
            let found = bits_bound(&recipe, feature, 1).map_err(proptest::test_runner::TestCaseError::fail)?;
            most.set(most.get().max(found));
            Ok(())
        });
        println!("{feature:?} {}", most.get());
        outcome.unwrap_or_else(|error| panic!("{error}"));
        assert!(most.get() >= least, "{feature:?}: at most {} results were seen", most.get());
    }
}

/// A committed step, what it grants, and whether it holds within a step and a run.
struct Committed {
    subject: Subject,
    assume: Vec<Assumption>,
    expected: [Verdict; 2],
}

/// The captures, the steps of JAX, and both examples of each page.
fn committed() -> Vec<Committed> {
    let mut all = Vec::new();
    for folder in corpus::steps() {
        let truth = truth::truth(&folder);
        all.push(Committed {
            expected: truth.expected.map(|(_, verdict)| verdict),
            assume: truth.assume,
            subject: Subject {
                name: corpus::name(&folder),
                graph: corpus::graph(&folder.join("step.mlir")),
                scope: format!("scope:{}", truth.scope),
                sinks: truth.sinks,
                data: truth.data,
                carried: truth.carried,
            },
        });
    }
    for rule in openloop::rules::RULES.iter().filter(|rule| !rule.channels.is_empty()) {
        let folder = corpus::root().join("fixtures/rules").join(rule.code);
        let truths: Value = serde_json::from_slice(&corpus::bytes(&folder.join("truth.json"))).expect("JSON");
        for kind in ["leak", "clean"] {
            let truth = &truths[kind];
            let text = |value: &Value| value.as_str().expect("a text").to_string();
            let list = |key: &str| truth[key].as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
            let pairs = truth["carried"].as_array().into_iter().flatten();
            let verdict = |within: &str| serde_json::from_value(truth["expected"][within].clone()).expect("a verdict");
            all.push(Committed {
                assume: list("assume").iter().map(|text| assumption(text)).collect(),
                expected: ["step", "run"].map(verdict),
                subject: Subject {
                    name: format!("{} {kind}", rule.code),
                    graph: corpus::graph(&folder.join(format!("{kind}.mlir"))),
                    scope: format!("scope:{}", text(&truth["source_scope"])),
                    sinks: text(&truth["sinks"]),
                    data: list("data"),
                    carried: pairs.map(|pair| (text(&pair["output"]), text(&pair["input"]))).collect(),
                },
            });
        }
    }
    all
}

fn assumption(text: &str) -> Assumption {
    match text.strip_prefix("binary:") {
        Some(path) => Assumption::Binary(PytreePath::parse(path)),
        None => serde_json::from_value(Value::from(text)).expect("an assumption"),
    }
}

#[test]
fn what_differs_in_committed_steps_is_admitted_and_clean_twins_raise_no_alarm() {
    let effort = Effort { bases: 2, disturbances: 5, steps: 2 };
    let (mut shown, mut steps, mut clean, mut alarms) = (Shown::default(), 0, 0, Vec::new());
    for Committed { subject, assume, expected } in committed() {
        let time = std::time::Instant::now();
        let plain = subject.answer(&[]);
        let granted = (!assume.is_empty()).then(|| subject.answer(&assume));
        let judged = granted.as_ref().unwrap_or(&plain);
        for (report, expected) in judged.reports.iter().zip(expected) {
            if expected == Verdict::Holds {
                clean += 1;
                if report.verdict != Verdict::Holds {
                    alarms.push(format!("{} [{}]: {:?}", subject.name, report.within.as_str(), report.verdict));
                }
            }
        }
        let binary = assume.iter().filter_map(|assumption| match assumption {
            Assumption::Binary(path) => subject.graph.inputs().position(|(input, _)| input == path),
            Assumption::Finite => None,
        });
        let mut answers = vec![(false, &plain)];
        answers.extend(granted.as_ref().map(|answer| (true, answer)));
        let sources = subject.sources().operations;
        let pairs = Pairs::new(&subject.graph, subject.carried(), &sources, binary.collect())
            .unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        let a = time.elapsed();
        // Callbacks into Python are not run.
        if pairs.run(Base { seed: 0, extreme: false }, 1, None, &[]).is_err() {
            continue;
        }
        shown.join(contained(&subject, &pairs, &answers, effort).unwrap_or_else(|problem| panic!("{problem}")));
        steps += 1;
        println!("{} {a:?} {:?}", subject.name, time.elapsed() - a);
    }
    println!("{steps} {clean} {shown:?}");
    assert_eq!(alarms, Vec::<String>::new());
    assert!(steps >= 70 && clean >= 70, "only {steps} steps run, {clean} verdicts of clean steps");
    assert!(shown.differ[0] >= 100, "only in {} pairs a sink differs", shown.differ[0]);
}
