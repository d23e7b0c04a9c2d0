//! Few bits: all values that the score can be rounded to, and how many results they give.

use std::collections::BTreeSet;

use openloop::graph::OperationId;
use openloop::policy::Selector;
use proptest::test_runner::TestCaseError;

use super::super::steps::{Feature, Recipe, recipes};
use super::hold::joint;
use super::pairs::{Base, Pairs};
use super::subject::Subject;
use super::{runner, subject_of};

/// Every value of a type of few bits, as many words as it has elements.
fn all_words(bits: u32) -> Vec<Vec<u64>> {
    (0..1u64 << bits).map(|word| vec![word]).collect()
}

/// The operation that rounds the score to few bits.
fn bottleneck_of(subject: &Subject) -> OperationId {
    let graph = &subject.graph;
    let found = Selector::parse("scope:bottleneck").expect("a selector").resolve(graph);
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
        let most = std::cell::Cell::new(0);
        let outcome = runner(cases).run(&recipes(0), |mut recipe| {
            recipe.features.retain(|(known, _)| *known != feature && *known != Feature::RouteMultiply);
            recipe.features.push((feature, true));
            let found = bits_bound(&recipe, feature, 1).map_err(TestCaseError::fail)?;
            most.set(most.get().max(found));
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{error}"));
        assert!(most.get() >= least, "{feature:?}: at most {} results were seen", most.get());
    }
}
