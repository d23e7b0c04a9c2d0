//! A step with the question that is asked of it, and what the static half answers.

use openloop::flow::refined::{Assumed, Question, refine};
use openloop::flow::{Crossings, Port, Sources, System, propagate};
use openloop::graph::{CarriedPairs, PairingOverride, PytreePath, TrainingGraph};
use openloop::policy::{Date, FlowPolicy, Matched, Selector};
use openloop::report::{NamedGraph, run};
use openloop::verdict::{Assumption, InvariantReport, Verdict, Within};
use openloop::verify::{BySelectors, verify};

use super::super::elements::{listed, shape};

/// What is asked.
pub struct Subject {
    pub name: String,
    pub graph: TrainingGraph,
    pub scope: String,
    pub sinks: String,
    /// Inputs that hold data, as selectors.
    pub data: Vec<String>,
    pub carried: Vec<(String, String)>,
}

/// For each output which elements are labelled.
pub type Labels = Vec<Vec<bool>>;

/// What the static half says, within a step and within a run.
pub struct Answer {
    pub reports: [InvariantReport; 2],
    pub labels: [Labels; 2],
}

fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

impl Subject {
    pub fn sources(&self) -> Matched {
        select(&self.scope).resolve(&self.graph)
    }

    /// Positions of the outputs that are sinks.
    pub fn sinks(&self) -> Vec<usize> {
        select(&self.sinks).resolve(&self.graph).outputs
    }

    /// Whether structure tells what is carried.
    fn is_paired(&self) -> bool {
        self.graph.carried_pairs(&PairingOverride::default()).is_ok()
    }

    pub fn carried(&self) -> CarriedPairs {
        let mut said = PairingOverride::default();
        if !self.is_paired() {
            let path = |text: &String| PytreePath::parse(text);
            said.pairs = self.carried.iter().map(|(output, input)| (path(output), path(input))).collect();
        }
        self.graph.carried_pairs(&said).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// What holds, and which elements are labelled; whatever holds is accepted by `verify`.
    pub fn answer(&self, assume: &[Assumption]) -> Answer {
        let data = self.data.iter().map(|text| select(text)).collect();
        let mut policy =
            FlowPolicy::from_flags(vec![select(&self.scope)], vec![select(&self.sinks)], None, assume.to_vec())
                .and_then(|policy| policy.with_data(data))
                .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        if !self.is_paired() {
            for (output, input) in &self.carried {
                policy = policy.carry(PytreePath::parse(output), Some(PytreePath::parse(input)));
            }
        }
        let graphs = [NamedGraph { name: self.graph.name(), file: "step.mlir", graph: &self.graph }];
        let report = run(&graphs, &policy, Date::from_unix_seconds(0), true)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        for entry in &report.invariants {
            if let Some(certificate) = &entry.certificate {
                let accepted = verify(certificate, &[&self.graph], &BySelectors { names: &[] });
                assert_eq!(accepted, Ok(()), "{} [{}] {:?}", self.name, entry.within.as_str(), entry.verdict);
            } else {
                assert_ne!(entry.verdict, Verdict::Holds, "{}: it holds, and nothing shows it", self.name);
            }
        }
        let reports = report.invariants.try_into().expect("a step and a run");
        let labels = [Within::Step, Within::Run].map(|within| self.labels(within, assume));
        Answer { reports, labels }
    }

    fn labels(&self, within: Within, assume: &[Assumption]) -> Labels {
        let mut system = System::new([&self.graph]);
        system.carry(0, &self.carried());
        let found = self.sources();
        let mut sources = Sources::default();
        sources.add(0, found.operations, found.inputs);
        let assumed = Assumed {
            finite: assume.contains(&Assumption::Finite),
            binary: assume
                .iter()
                .filter_map(|assumption| match assumption {
                    Assumption::Binary(path) => self.graph.inputs().position(|(input, _)| input == path),
                    Assumption::Finite => None,
                })
                .map(|position| (0, position))
                .collect(),
        };
        let counted = Crossings::within(within);
        let question = Question { sources: &sources, counted, assumed: &assumed, ends: &[], cut: &[] };
        let extents = |value| shape(&self.graph, value).unwrap_or_default();
        let count = |value| extents(value).iter().product::<u64>() as usize;
        match refine(&system, &question) {
            Ok(refined) => {
                let of = |((_, value), nodes): ((_, _), &Vec<u32>)| {
                    let mut labelled = vec![false; count(value)];
                    for node in nodes {
                        let own = listed(&refined.leak.nodes[*node as usize].elements, &extents(value));
                        labelled.iter_mut().zip(own).for_each(|(all, own)| *all |= own);
                    }
                    labelled
                };
                self.graph.outputs().zip(&refined.leak.outputs[0]).map(of).collect()
            }
            Err(_) => {
                let labels = propagate(&system, &sources, counted);
                let outputs = self.graph.outputs().enumerate();
                let is_labelled = |position| labels.output(Port { graph: 0, position }).is_some();
                outputs.map(|(position, (_, value))| vec![is_labelled(position); count(value)]).collect()
            }
        }
    }
}
