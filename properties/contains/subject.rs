//! A step with the question that is asked of it, and what the static half answers.

use openloop::flow::refined::{Assumed, Question, refine};
use openloop::flow::{Crossings, Port, Sources, System, propagate};
use openloop::graph::{CarriedPairs, Definition, OperationId, PairingOverride, PytreePath, TrainingGraph, ValueId};
use openloop::index::Id;
use openloop::lattice::{Affine, Atom, Elements, Guard, Literal};
use openloop::policy::{Date, FlowPolicy, Matched, Selector};
use openloop::report::{NamedGraph, run};
use openloop::verdict::{Assumption, Certificate, Channel, CutElement, Evidence, InvariantReport, Verdict, Within};
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
    /// Whether what is carried is said in any case, and not only where structure does not tell.
    pub is_declared: bool,
}

/// For each output which elements are labelled.
pub type Labels = Vec<Vec<bool>>;

/// These elements may differ where the masks are so: an input, where in it for each element, and whether it is false there.
struct Condition {
    elements: Vec<bool>,
    masks: Vec<(usize, Affine, bool)>,
}

/// What the static half says, within a step and within a run.
pub struct Answer {
    pub reports: [InvariantReport; 2],
    pub labels: [Labels; 2],
    /// Under which conditions labels hold within a step.
    conditions: Vec<Vec<Condition>>,
    /// What decides, within a step.
    pub cuts: Vec<Cut>,
}

/// Results of operations that everything passes on its way to these sinks within a step.
#[derive(Clone, Debug)]
pub struct Cut {
    pub sinks: Vec<usize>,
    pub values: Vec<(OperationId, usize)>,
    /// Of what kind what passes is said to be; none: only how much it is.
    pub channel: Option<Channel>,
}

fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// As it is written in policies.
fn said(assumption: &Assumption) -> String {
    match assumption {
        Assumption::Finite => "finite".into(),
        Assumption::Binary(path) => format!("binary:{path}"),
    }
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
        !self.is_declared && self.graph.carried_pairs(&PairingOverride::default()).is_ok()
    }

    pub fn carried(&self) -> CarriedPairs {
        let mut said = PairingOverride::default();
        if !self.is_paired() {
            let path = |text: &String| PytreePath::parse(text);
            said.pairs = self.carried.iter().map(|(output, input)| (path(output), path(input))).collect();
        }
        self.graph.carried_pairs(&said).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// What holds, which elements are labelled, and what decides.
    pub fn answer(&self, assume: &[Assumption]) -> Answer {
        let reports = self.reports(assume);
        let [(step, conditions), (run, _)] = [Within::Step, Within::Run].map(|within| self.labels(within, assume));
        let cuts = self.cuts(&reports, assume);
        Answer { reports, labels: [step, run], conditions, cuts }
    }

    /// The verdicts within a step and within a run; what holds is accepted by `verify`, and so is whatever is claimed.
    pub fn reports(&self, assume: &[Assumption]) -> [InvariantReport; 2] {
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
        report.invariants.try_into().expect("a step and a run")
    }

    /// The least cut, and for each sink that content does not reach what shows that.
    fn cuts(&self, reports: &[InvariantReport; 2], assume: &[Assumption]) -> Vec<Cut> {
        let [step, _] = reports;
        let values = |parts: &[CutElement]| {
            let values =
                parts.iter().map(|part| match self.graph.value(ValueId::new(part.value as usize)).definition {
                    Definition::Result(operation, position) => Some((operation, position as usize)),
                    Definition::Argument(..) => None,
                });
            values.collect::<Option<Vec<_>>>()
        };
        let mut cuts = Vec::new();
        if step.verdict != Verdict::Violated {
            return cuts;
        }
        let all = step.certificate.as_ref().filter(|certificate| !certificate.cut.is_empty());
        if let Some(values) = all.and_then(|certificate| values(&certificate.cut)) {
            cuts.push(Cut { sinks: self.sinks(), values, channel: None });
        }
        let Some(bounded) = (step.channel < Channel::Content).then(|| self.bounded(step.channel, assume)) else {
            return cuts;
        };
        let Evidence::Refined(evidence) = &bounded.evidence else { panic!("{}: no refined evidence", self.name) };
        for claim in &evidence.channels {
            let sink = self.graph.outputs().position(|(path, _)| *path == claim.sink.1).expect("an output");
            if let Some(values) = values(&claim.pivots) {
                cuts.push(Cut { sinks: vec![sink], values, channel: Some(claim.channel) });
            }
        }
        cuts
    }

    /// What is claimed within one step where this channel is allowed.
    fn bounded(&self, channel: Channel, assume: &[Assumption]) -> Certificate {
        let list = |texts: &[String]| texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ");
        let line = |key: &str, texts: &[String]| match texts {
            [] => String::new(),
            texts => format!("{key} = [{}]\n", list(texts)),
        };
        let assume: Vec<String> = assume.iter().map(said).collect();
        let (data, assume) = (line("data", &self.data), line("assume", &assume));
        let mut text = format!(
            "version = 1\n{data}[[invariant]]\nname = \"bounded\"\nfrom = [{:?}]\nto = [{:?}]\nwithin = \"step\"\n\
             max_channel = \"{}\"\n{assume}[carried]\n",
            self.scope,
            self.sinks,
            channel.as_str()
        );
        if !self.is_paired() {
            self.carried.iter().for_each(|(output, input)| text += &format!("{output:?} = {input:?}\n"));
        }
        let policy = FlowPolicy::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", self.name));
        let graphs = [NamedGraph { name: self.graph.name(), file: "step.mlir", graph: &self.graph }];
        let report = run(&graphs, &policy, Date::from_unix_seconds(0), true)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let [entry] = &report.invariants[..] else { panic!("one invariant") };
        assert_eq!(entry.verdict, Verdict::Holds, "{}: within {}: {:?}", self.name, channel.as_str(), entry.reasons);
        let certificate = entry.certificate.clone().expect("what holds is shown");
        assert_eq!(verify(&certificate, &[&self.graph], &BySelectors { names: &[] }), Ok(()), "{}", self.name);
        certificate
    }

    fn labels(&self, within: Within, assume: &[Assumption]) -> (Labels, Vec<Vec<Condition>>) {
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
                let numbers = &refined.input_numbers[0];
                // Of what else a condition speaks is not known here: it may be so.
                let mask = |literal: &Literal| match literal.atom {
                    Atom::True(number) => {
                        let input = numbers.iter().position(|input| *input == number)?;
                        Some((input, literal.map.clone(), literal.negated))
                    }
                    Atom::Equals(..) => None,
                };
                let of = |((_, value), terms): ((_, _), &Vec<(Elements, Guard)>)| {
                    let term = |(elements, guard): &(Elements, Guard)| Condition {
                        elements: listed(elements, &extents(value)),
                        masks: guard.literals().iter().filter_map(mask).collect(),
                    };
                    terms.iter().map(term).collect::<Vec<_>>()
                };
                let conditions: Vec<Vec<Condition>> =
                    self.graph.outputs().zip(&refined.conditions[0]).map(of).collect();
                let labels = self.graph.outputs().zip(&conditions).map(|((_, value), terms)| {
                    let is_labelled = |at: usize| terms.iter().any(|term| term.elements[at]);
                    (0..count(value)).map(is_labelled).collect()
                });
                (labels.collect(), conditions)
            }
            Err(_) => {
                let labels = propagate(&system, &sources, counted);
                let outputs = self.graph.outputs().enumerate();
                let is_labelled = |position| labels.output(Port { graph: 0, position }).is_some();
                let labels: Labels =
                    outputs.map(|(position, (_, value))| vec![is_labelled(position); count(value)]).collect();
                let always = |label: &Vec<bool>| vec![Condition { elements: label.clone(), masks: Vec::new() }];
                let conditions = labels.iter().map(always).collect();
                (labels, conditions)
            }
        }
    }
}

impl Answer {
    /// Whether the condition of a label at this element of an output holds for the masks of these inputs.
    pub fn is_conditional_on(&self, output: usize, element: usize, index: &[u64], inputs: &[Vec<u64>]) -> bool {
        self.conditions[output].iter().any(|condition| {
            let holds = |(input, map, negated): &(usize, Affine, bool)| {
                let at = usize::try_from(map.at(index)).expect("a position");
                (inputs[*input][at] != 0) != *negated
            };
            condition.elements[element] && condition.masks.iter().all(holds)
        })
    }
}
