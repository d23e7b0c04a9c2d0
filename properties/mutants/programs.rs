//! Steps by hand, in `fixtures/mutants/programs`: each one is there for a line of the analysis.
//!
//! What the scope `probe` makes is replaced and the step is run, three times over with what is carried: outputs that change
//! must have labels. Outputs whose name begins with `clean` must have no refined label, those whose name begins with
//! `whole_clean` no label of whole tensors either.

use std::collections::BTreeSet;

use openloop::exec::{Hook, Program, Tensor};
use openloop::flow::refined::{Assumed, Question, Refined, refine};
use openloop::flow::{Crossings, Port, Sources, Strength, System, evidence, propagate};
use openloop::graph::{CarriedPair, CarriedPairs, OperationId, PossiblePairs, TrainingGraph};
use openloop::lattice::Elements;
use openloop::policy::Selector;
use openloop::transfer::images::extents;
use openloop::verdict::{CERTIFICATE_VERSION, Certificate, Evidence, RefinedEvidence, Verdict, Within};
use openloop::verify::{BySelectors, verify};

use super::observe::{Base, Changed, VARIANTS, bases, changed, inputs, replaced};
use super::{Cut, Killer, corpus, element};

/// How many steps are run one after the other.
const STEPS: usize = 3;
/// From how many seeds inputs are made.
const SEEDS: u64 = 3;

/// A step, and what running it showed.
struct Step {
    name: String,
    graph: TrainingGraph,
    source: Vec<OperationId>,
    carried: CarriedPairs,
    /// What changed in the first step, and in any.
    shown: [Changed; 2],
    /// Which outputs the analysis says to be reached when nothing is planted: by whole tensors, refined; within a step,
    /// within a run.
    reached: [[BTreeSet<usize>; 2]; 2],
}

/// All steps.
pub struct Programs(Vec<Step>);

/// One run over some steps: what they make, step by step; none if the interpreter cannot run them.
fn run(
    graph: &TrainingGraph,
    carried: &CarriedPairs,
    (seed, variant): Base,
    source: &[OperationId],
    other: Option<usize>,
) -> Option<Vec<Vec<Tensor<f64>>>> {
    let program = Program::<f64>::new(graph).ok()?;
    let mut made: Vec<Vec<Tensor<f64>>> = Vec::new();
    for step in 0..STEPS {
        let mut given = inputs(graph, (seed + 100 * step as u64, variant))?;
        if let Some(before) = made.last() {
            carried.pairs.iter().for_each(|pair| given[pair.input] = before[pair.output].clone());
        }
        let hook = Hook::new(source.iter().copied(), |_, _, tensor: &mut Tensor<f64>| {
            if let Some(replacement) = other.and_then(|other| replaced(tensor, other)) {
                *tensor = replacement;
            }
        });
        made.push(program.run_with(given, hook).ok()?);
    }
    Some(made)
}

fn show(graph: &TrainingGraph, carried: &CarriedPairs, source: &[OperationId]) -> [Changed; 2] {
    let mut shown = [Changed::new(), Changed::new()];
    for base in (0..SEEDS).flat_map(bases) {
        let Some(before) = run(graph, carried, base, source, None) else { continue };
        for other in 0..VARIANTS {
            let Some(after) = run(graph, carried, base, source, Some(other)) else { continue };
            for (step, (before, after)) in before.iter().zip(&after).enumerate() {
                let changed = changed(before, after);
                if step == 0 {
                    shown[0].extend(&changed);
                }
                shown[1].extend(&changed);
            }
        }
    }
    shown
}

impl Step {
    fn new(name: String, graph: TrainingGraph) -> Self {
        let source = Selector::parse("scope:probe").expect("a selector").resolve(&graph).operations;
        assert!(!source.is_empty(), "{name}: no source");
        let carried = graph.carried_pairs(&Default::default()).expect("one pairing");
        let shown = show(&graph, &carried, &source);
        let mut step = Step { name, graph, source, carried, shown, reached: Default::default() };
        step.reached = [Within::Step, Within::Run].map(|within| {
            let system = step.system();
            let labels = propagate(&system, &step.sources(), Crossings::within(within));
            let refined = step.refined(&system, within, &[]);
            let outputs = 0..step.graph.outputs().len();
            let port = |position: &usize| Port { graph: 0, position: *position };
            let whole = outputs.clone().filter(|output| labels.output(port(output)).is_some()).collect();
            [whole, outputs.filter(|output| refined.output(port(output)).is_some()).collect()]
        });
        step
    }

    fn system(&self) -> System<'_> {
        let mut system = System::new([&self.graph]);
        system.carry(0, &self.carried);
        system
    }

    fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        sources.add(0, self.source.iter().copied(), []);
        sources
    }

    fn refined(&self, system: &System<'_>, within: Within, cut: &[Cut]) -> Refined {
        let (sources, assumed) = (self.sources(), Assumed { finite: false, binary: self.binary() });
        let counted = Crossings::within(within);
        let question = Question { sources: &sources, counted, assumed: &assumed, ends: &[], cut };
        refine(system, &question).unwrap_or_else(|_| panic!("{}: a limit", self.name))
    }

    /// Inputs that are surely 0 or 1, by name.
    fn binary(&self) -> Vec<(usize, usize)> {
        let paths = self.graph.inputs().enumerate();
        paths.filter(|(_, (path, _))| path.to_string().starts_with("binary")).map(|(at, _)| (0, at)).collect()
    }

    fn outputs_named(&self, prefix: &str) -> Vec<usize> {
        let begins = format!("result.{prefix}");
        let paths = self.graph.outputs().enumerate();
        paths.filter(|(_, (path, _))| path.to_string().starts_with(&begins)).map(|(at, _)| at).collect()
    }

    fn refuses(&self, within: Within, to: &[usize], evidence: Evidence) -> bool {
        let path = |output: &usize| format!("output:{}", self.graph.function(self.graph.entry()).outputs[*output]);
        let certificate = Certificate {
            assume: Vec::new(),
            bits_per_step: None,
            cut: Vec::new(),
            version: CERTIFICATE_VERSION,
            digests: vec![self.graph.digest()],
            names: Vec::new(),
            within,
            from: vec!["scope:probe".into()],
            to: to.iter().map(path).collect(),
            carried: Vec::new(),
            terminal: Vec::new(),
            edges: Vec::new(),
            verdict: Verdict::Holds,
            evidence,
        };
        verify(&certificate, &[&self.graph], &BySelectors { names: &[] }).is_err()
    }

    /// What notices that the analysis is not what it should be.
    fn notice(&self) -> Option<Killer> {
        let system = self.system();
        let port = |position: usize| Port { graph: 0, position };
        let mut refused = None;
        for (at, within) in [Within::Step, Within::Run].into_iter().enumerate() {
            let labels = propagate(&system, &self.sources(), Crossings::within(within));
            let refined = self.refined(&system, within, &[]);
            let is_said = |output: usize, at: usize| {
                let extents = extents(&self.graph, system.graphs[0].outputs()[output]).expect("static shapes");
                let mut said = Elements::none();
                let nodes = &refined.leak.outputs[0][output];
                nodes.iter().for_each(|node| said.join(&refined.leak.nodes[*node as usize].elements));
                said.contains(&element(at, &extents)) && labels.output(port(output)).is_some()
            };
            if self.shown[at].iter().any(|(output, element)| !is_said(*output, *element)) {
                return Some(Killer::Interpreter);
            }
            let outputs = 0..self.graph.outputs().len();
            let whole: Vec<usize> = outputs.clone().filter(|output| labels.output(port(*output)).is_none()).collect();
            if !whole.is_empty() && self.refuses(within, &whole, evidence(&system, &labels)) {
                refused = Some(Killer::Verifier);
            }
            // What is claimed only since a fault is planted.
            let is_new =
                |output: &usize| refined.output(port(*output)).is_none() && self.reached[at][1].contains(output);
            let new: Vec<usize> = outputs.filter(is_new).collect();
            if !new.is_empty() && self.refuses(within, &new, Evidence::Refined(RefinedEvidence::default())) {
                refused = Some(Killer::Verifier);
            }
            let mut clean = self.outputs_named("clean");
            clean.extend(self.outputs_named("whole_clean"));
            let is_reached = clean.iter().any(|output| refined.output(port(*output)).is_some());
            let whole_clean = self.outputs_named("whole_clean");
            if is_reached || whole_clean.iter().any(|output| labels.output(port(*output)).is_some()) {
                refused = refused.or(Some(Killer::Program));
            }
        }
        refused
    }
}

impl Programs {
    pub fn new() -> Self {
        let folder = corpus::root().join("fixtures/mutants/programs");
        let mut files: Vec<_> = std::fs::read_dir(folder).expect("the folder is there").collect();
        files.sort_by_key(|entry| entry.as_ref().expect("a readable folder").path());
        let step = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.expect("a readable folder").path();
            Step::new(corpus::name(&path), corpus::graph(&path))
        };
        Programs(files.into_iter().map(step).collect())
    }

    /// What notices that the analysis is not what it should be.
    pub fn notice(&self) -> Option<Killer> {
        let found = self.0.iter().filter_map(Step::notice);
        let found = found.chain(self.register_notices().then_some(Killer::Program));
        // The strongest evidence that there is.
        found.min()
    }

    /// Which steps notice something: none, as long as nothing is planted.
    pub fn noticing(&self) -> Vec<(&str, Killer)> {
        self.0.iter().filter_map(|step| Some((&*step.name, step.notice()?))).collect()
    }

    /// Bits of the summaries of functions with three parameters and two results, all of which there is a step for:
    /// `(parameter, result)`, the world after the results.
    pub fn summary_bits(&self) -> Vec<(usize, usize)> {
        (0..3).flat_map(|parameter| (0..3).map(move |result| (parameter, result))).collect()
    }

    /// A register that is cut where it is carried stays empty, and one that is only possibly carried is labelled weakly.
    pub fn register_notices(&self) -> bool {
        let step = self.0.iter().find(|step| step.name == "register_of_a_run.mlir").expect("the register");
        let sink = Port { graph: 0, position: step.outputs_named("sink")[0] };
        let mut system = step.system();
        let first = step.carried.pairs[0];
        let ends = (0, system.graphs[0].outputs()[first.output], system.graphs[0].inputs().get(first.input));
        let cut = [(ends.0, ends.1, ends.2.expect("an input"))];
        if step.refined(&system, Within::Run, &cut).output(sink).is_some() {
            return true;
        }
        system.edges.clear();
        let pair = |pair: &CarriedPair| (0, PossiblePairs { outputs: vec![pair.output], inputs: vec![pair.input] });
        system.possible = step.carried.pairs.iter().map(pair).collect();
        let labels = propagate(&system, &step.sources(), Crossings::within(Within::Run));
        labels.output(sink) != Some(Strength::Opaque)
            || step.refined(&system, Within::Run, &[]).output(sink) != Some(Strength::Opaque)
    }
}
