//! Static contains dynamic: whatever differs between two runs that differ in what the probe says alone is admitted by the
//! verdict, by the labels of elements, by the channel and by the bits; over random training steps, and over all fixtures.

mod bits;
mod committed;
mod hold;
mod pairs;
mod subject;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use openloop::graph::PytreePath;
use openloop::verdict::{Assumption, InvariantReport, Verdict};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

use super::corpus;
use super::steps::{Recipe, recipes};
use hold::{Effort, Shown, contained};
use pairs::Pairs;
use subject::Subject;

/// So many random steps are run in pairs; `OPENLOOP_TRAINING_STEPS` asks for more, and then only what must never be is asked.
const STEPS: u32 = 40;
/// So many clean ones are only looked at.
const CLEAN_STEPS: u32 = 100;

fn asked() -> Option<u32> {
    std::env::var("OPENLOOP_TRAINING_STEPS").ok().and_then(|text| text.parse().ok())
}

/// The same steps every time.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The smallest step that shows what is wrong, as text: for `fixtures/regressions`.
fn fail(error: TestError<Recipe>) -> ! {
    match error {
        TestError::Fail(reason, recipe) => panic!("{reason}, in\n{}", recipe.text()),
        TestError::Abort(reason) => panic!("{reason}"),
    }
}

fn subject_of(recipe: &Recipe) -> Subject {
    let graph = recipe.graph();
    let outputs: Vec<String> = graph.outputs().map(|(path, _)| path.to_string()).collect();
    let inputs = graph.inputs().map(|(path, _)| path.to_string());
    let pairs = inputs.map(|input| (format!("result.{input}"), input));
    Subject {
        name: format!("{recipe:?}"),
        carried: pairs.filter(|(output, _)| outputs.contains(output)).collect(),
        is_declared: true,
        graph,
        scope: "scope:probe_reward".into(),
        sinks: "output:**.beliefs.**".into(),
        data: vec!["input:batch.**".into()],
    }
}

/// An input of zeros and ones, where a step masks by products; and what is granted then.
const SHARE: &str = "batch.share";

fn granted(recipe: &Recipe) -> Vec<Assumption> {
    match recipe.needs_finite() {
        true => vec![Assumption::Finite, Assumption::Binary(PytreePath::parse(SHARE))],
        false => Vec::new(),
    }
}

fn is_alarm(reports: &[InvariantReport]) -> bool {
    reports.iter().any(|report| report.verdict != Verdict::Holds)
}

/// What running random steps in pairs showed.
#[derive(Default)]
struct Counts {
    shown: Shown,
    steps: usize,
    clean: usize,
    /// For each feature in how many steps it is planted, and in how many of them a sink differed.
    planted: BTreeMap<String, [usize; 2]>,
}

fn check(recipe: &Recipe, effort: Effort, counts: &mut Counts) -> Result<(), String> {
    let subject = subject_of(recipe);
    let plain = subject.answer(&[]);
    let granted = granted(recipe);
    let with_grants = (!granted.is_empty()).then(|| subject.answer(&granted));
    let mut answers = vec![(false, &plain)];
    answers.extend(with_grants.as_ref().map(|answer| (true, answer)));
    let sources = subject.sources().operations;
    let binary = subject.graph.inputs().position(|(path, _)| path.to_string() == SHARE);
    let pairs = Pairs::new(&subject.graph, subject.carried(), &sources, binary.into_iter().collect())
        .map_err(|error| error.to_string())?;
    let shown = contained(&subject, &pairs, &answers, effort)?;
    counts.shown.join(shown);
    counts.steps += 1;
    counts.clean += usize::from(recipe.is_clean());
    for (feature, _) in recipe.features.iter().filter(|(_, planted)| *planted) {
        let known = counts.planted.entry(format!("{feature:?}")).or_default();
        known[0] += 1;
        known[1] += usize::from(shown.differ[1] > 0);
    }
    Ok(())
}

#[test]
fn what_differs_in_random_steps_is_admitted() {
    let counts = RefCell::new(Counts::default());
    let effort = Effort { bases: 3, disturbances: 8, steps: 2 };
    let outcome = runner(asked().unwrap_or(STEPS))
        .run(&recipes(4), |recipe| check(&recipe, effort, &mut counts.borrow_mut()).map_err(TestCaseError::fail));
    outcome.unwrap_or_else(|error| fail(error));
    let Counts { shown, steps, clean, planted } = counts.into_inner();
    let mut table = String::new();
    let rows = [
        ("steps", steps),
        ("clean ones", clean),
        ("pairs", shown.pairs),
        ("a sink differs in one step", shown.differ[0]),
        ("in two", shown.differ[1]),
        ("nothing differs", shown.without_power),
        ("elements that differ", shown.elements),
    ];
    for (what, count) in rows {
        writeln!(table, "{what:28} {count:8}").expect("a string");
    }
    for (feature, [steps, differ]) in &planted {
        writeln!(table, "{feature:28} {steps:8} planted {differ:6} differ").expect("a string");
    }
    if asked().is_none() {
        insta::assert_snapshot!(table);
    } else {
        // With many steps, every planted feature shows.
        let silent = planted.iter().filter(|(_, [steps, differ])| *steps >= 20 && *differ == 0);
        assert_eq!(silent.count(), 0, "a planted feature never leaks:\n{table}");
        std::io::stdout().write_all(table.as_bytes()).expect("standard output");
    }
}

/// How many steps there are with a feature, and in how many of them the verdict is not that all holds.
type Rates = BTreeMap<String, [u64; 2]>;

/// Of clean steps alone.
fn rates(steps: u32) -> (Rates, Vec<String>) {
    let (rates, alarms) = (RefCell::new(Rates::new()), RefCell::new(Vec::new()));
    let outcome = runner(steps).run(&recipes(0), |recipe| {
        let reports = subject_of(&recipe).reports(&granted(&recipe));
        let is_alarm = is_alarm(&reports);
        for name in recipe.names().into_iter().chain(["all".into()]) {
            let mut rates = rates.borrow_mut();
            let [steps, alarms] = rates.entry(name).or_default();
            *steps += 1;
            *alarms += u64::from(is_alarm);
        }
        if is_alarm {
            let said = reports.each_ref().map(|report| (report.verdict, &report.reasons, &report.witness));
            alarms.borrow_mut().push(format!("{recipe:?}: {said:?}"));
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| fail(error));
    (rates.into_inner(), alarms.into_inner())
}

/// The record is in `fixtures/known_wrong/false_alarms.json`. It may only fall.
#[test]
fn false_alarms_on_random_clean_steps_only_fall() {
    let (found, alarms) = rates(asked().unwrap_or(CLEAN_STEPS));
    if asked().is_some() {
        let table = format!("{found:#?}\n{alarms:#?}\n");
        std::io::stdout().write_all(table.as_bytes()).expect("standard output");
        return;
    }
    let path = corpus::root().join("fixtures/known_wrong/false_alarms.json");
    let record: Value = serde_json::from_slice(&corpus::bytes(&path)).expect("JSON");
    let record: Rates = serde_json::from_value(record["by_feature"].clone()).expect("a list of rates");
    let now = json!({ "by_feature": found });
    let names = |rates: &Rates| rates.iter().map(|(name, [steps, _])| (name.clone(), *steps)).collect::<Vec<_>>();
    assert_eq!(
        names(&found),
        names(&record),
        "other steps are generated: record them anew, with no higher rate\n{now}"
    );
    for (name, [_, before]) in &record {
        let [_, now_found] = found[name];
        assert!(now_found <= *before, "{name}: {now_found} false alarms, recorded are {before}\n{alarms:#?}");
        assert!(now_found >= *before, "{name}: only {now_found} false alarms: lower the record\n{now}");
    }
}
