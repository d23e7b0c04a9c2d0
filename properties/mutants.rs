//! Mutants of the analysis: for every rule, operand, implicit edge, image, summary and line that matters a fault is planted,
//! and something must notice. What notices is never the analysis itself: it is what running the step shows (an element
//! changes, and the label does not say so), or `verify`, whose rules are written apart.
//!
//! Mutants of rules are made from what the rules emit for the operations of the zoo. So a new kind of operation has mutants
//! as soon as it has a rule, and without an instance, or without anything that kills them, this test fails.

mod isolate;
mod observe;
mod programs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use openloop::capture;
use openloop::flow::refined::{Assumed, Question, Refined, refine};
use openloop::flow::{Crossings, Port, SinkGroup, Sources, Strength, System, evidence, propagate, witnesses};
use openloop::graph::{OperationId, OperationKind, TrainingGraph, ValueId};
use openloop::lattice::{Elements, Intervals};
use openloop::policy::Matched;
use openloop::transfer::images::{KnownIntegers, extents, image};
use openloop::transfer::mutant::{End, Mutant, Slip, Twist, plant, twisted};
use openloop::transfer::{Dependence, Rule, Transfer, rule_of};
use openloop::verdict::{CERTIFICATE_VERSION, Certificate, Evidence, RefinedEvidence, Verdict, Within};
use openloop::verify::{Resolve, verify};
use serde_json::Value;

use super::corpus;
use isolate::{Isolated, isolate};
use observe::{Observed, bases, observe, unravelled};

const STEP: Crossings = Crossings { carried: false, environment: false, possible: false };

/// Operations that the zoo lacks, and loops that end.
const BY_HAND: &str = "operations.mlir";

/// One operation on its own, and what running it showed.
struct Case {
    plain: Isolated,
    /// The same with a world around it, which the interpreter does not have.
    world: Isolated,
    observed: Vec<Observed>,
    /// Results that a path leads to which `verify` accepted when nothing was planted, by source; and whether the refined
    /// label says so too.
    shown: BTreeSet<(Source, usize, bool)>,
}

/// An input or an operation.
type Source = (Option<usize>, Option<OperationId>);

/// A fault, or flows that are left out by the cut that repairs are tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Candidate {
    Planted(Mutant),
    /// The refined label of a result forgets an operand of operations of this kind.
    Cut(OperationKind, usize, usize),
}

/// What noticed a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Killer {
    Interpreter,
    Verifier,
    Program,
}

// --- operations on their own

fn is_looked_at(graph: &TrainingGraph, id: OperationId) -> bool {
    let kind = graph.operation(id).kind;
    !kind.is_terminator() && !matches!(rule_of(kind), Rule::Call)
}

/// One case for every operation of the zoo that differs from the others in kind, attributes or types.
fn cases() -> Vec<Case> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    // The same operations with one more attribute are not wanted again.
    let is_wanted = |path: &std::path::PathBuf| !corpus::name(path).ends_with(".attrs.mlir");
    let mut files: Vec<_> = corpus::zoo().into_iter().map(|(pretty, _)| pretty).filter(is_wanted).collect();
    for entry in std::fs::read_dir(corpus::root().join("fixtures/spec")).expect("the specification's examples") {
        let path = entry.expect("a readable folder").path();
        files.extend((path.extension().is_some_and(|extension| extension == "mlir")).then_some(path));
    }
    files.sort();
    // A few are there to be refused: modules in modules, indirect calls.
    let read = |path: &std::path::PathBuf| Some((corpus::name(path), capture::read(&corpus::bytes(path)).ok()?));
    let mut graphs: Vec<(String, TrainingGraph)> = files.iter().filter_map(read).collect();
    graphs.push((BY_HAND.into(), corpus::graph(&corpus::root().join("fixtures/mutants/operations").join(BY_HAND))));
    for (file, graph) in &graphs {
        for id in graph.operations().ids().filter(|id| is_looked_at(graph, *id)) {
            let types = graph.operands(id).iter().copied().chain(graph.results(id).iter());
            let types: Vec<String> = types.map(|value| graph.type_text(graph.value(value).r#type)).collect();
            let inside: Vec<&str> =
                graph.operations_inside(id).iter().map(|inner| graph.operation_name(inner)).collect();
            let name = graph.operation_name(id);
            if !seen.insert(format!("{name} {:?} {types:?} {inside:?}", graph.attributes(id))) {
                continue;
            }
            let at = format!("{file}, operation {id:?}, {name}");
            let isolated = |world| isolate(graph, id, &at, world).unwrap_or_else(|error| panic!("{at}: {error}"));
            let (plain, world) = (isolated(false), isolated(true));
            let is_large = types.iter().any(|text| {
                text.split(['<', 'x', '>']).filter_map(|extent| extent.parse::<u64>().ok()).product::<u64>() > 1024
            });
            // Some loops of the zoo never end.
            let loops = graph.operation(id).kind == OperationKind::While
                || graph.operations_inside(id).iter().any(|inner| graph.operation(inner).kind == OperationKind::While);
            let observed = if is_large || (loops && file != BY_HAND) { Vec::new() } else { observed(&plain) };
            let mut case = Case { plain, world, observed, shown: BTreeSet::new() };
            case.shown = shown_by_paths(&case);
            found.push(case);
        }
    }
    found
}

/// Runs from two seeds; and from others if some operand made no difference, which may be outside of its domain.
fn observed(isolated: &Isolated) -> Vec<Observed> {
    let mut found: Vec<Observed> = (0..2).filter_map(|seed| observe(&isolated.graph, (seed, None))).collect();
    let makes_none = |operand: usize| {
        let changes = |observed: &Observed| {
            observed.by_input.iter().any(|(input, _, changed)| *input == operand && !changed.is_empty())
        };
        !found.iter().any(changes)
    };
    if !found.is_empty() && (0..isolated.operands).any(makes_none) {
        found.extend((2..4).flat_map(bases).filter_map(|base| observe(&isolated.graph, base)));
    }
    found
}

/// Sources of one case, one at a time: each input, each operation.
fn sources_of(isolated: &Isolated) -> Vec<Source> {
    let graph = &isolated.graph;
    let inner = graph.operations_inside(isolated.operation);
    let operations = inner.iter().filter(|id| !graph.results(*id).is_empty());
    let inputs = (0..isolated.inputs).map(|input| (Some(input), None));
    inputs.chain(operations.map(|operation| (None, Some(operation)))).collect()
}

fn sources((input, operation): Source) -> Sources {
    let mut sources = Sources::default();
    sources.add(0, operation, input);
    sources
}

/// What running the operation showed to change, and labels of whole tensors do not say.
fn whole_labels_miss(case: &Case) -> bool {
    if case.observed.is_empty() {
        return false;
    }
    let system = System::new([&case.plain.graph]);
    sources_of(&case.plain).into_iter().any(|source| {
        let labels = propagate(&system, &sources(source), STEP);
        let says = |position: usize| labels.output(Port { graph: 0, position }).is_some();
        case.observed.iter().any(|observed| changed_from(observed, source).any(|(output, _)| !says(output)))
    })
}

fn changed_from(observed: &Observed, (input, operation): Source) -> impl Iterator<Item = (usize, usize)> {
    let by_input = observed.by_input.iter().filter(move |(position, ..)| Some(*position) == input);
    let by_operation = observed.by_operation.iter().filter(move |(id, _)| Some(*id) == operation);
    by_input.flat_map(|(.., changed)| changed).chain(by_operation.flat_map(|(_, changed)| changed)).copied()
}

fn element(at: usize, extents: &[u64]) -> Elements {
    Elements::cell(unravelled(at, extents).into_iter().map(|at| Intervals::range(at, at + 1)))
}

/// What running the operation showed to change, and the image of the element that was another does not say.
fn images_miss(case: &Case, operand: usize) -> bool {
    let graph = &case.plain.graph;
    let (operands, results) = (graph.operands(case.plain.operation), graph.results(case.plain.operation));
    let Some(from) = operands.get(operand).and_then(|value| extents(graph, *value)) else { return false };
    case.observed.iter().any(|observed| {
        results.iter().enumerate().any(|(result, value)| {
            let Some(to) = extents(graph, value) else { return false };
            [false, true].into_iter().any(|is_known| {
                let known = |at: usize| match is_known && at != operand {
                    true => observed.integers.get(at)?.clone(),
                    false => None,
                };
                let image = image(graph, case.plain.operation, operand, result, &known);
                observed.by_input.iter().filter(|(position, ..)| *position == operand).any(|(_, at, changed)| {
                    let arrived = image.of(&element(*at, &from), &from, &to);
                    let mut changed = changed.iter().filter(|(output, _)| *output == result);
                    changed.any(|(_, at)| !arrived.contains(&element(*at, &to)))
                })
            })
        })
    })
}

/// A flow that is left out: graph, from, to.
type Cut = (usize, ValueId, ValueId);

/// The refined labels, if no bound is hit.
fn refined(system: &System<'_>, source: Source, cut: &[Cut]) -> Option<Refined> {
    let (sources, assumed) = (sources(source), Assumed::default());
    refine(system, &Question { sources: &sources, counted: STEP, assumed: &assumed, ends: &[], cut }).ok()
}

/// What running the operation showed to change, and refined labels do not say.
fn refined_labels_miss(case: &Case, cut: &[Cut]) -> bool {
    if case.observed.is_empty() {
        return false;
    }
    let graph = &case.plain.graph;
    let system = System::new([graph]);
    sources_of(&case.plain).into_iter().any(|source| {
        let Some(refined) = refined(&system, source, cut) else { return false };
        let says = |output: usize, at: usize| {
            let mut nodes = refined.leak.outputs[0][output].iter().map(|node| &refined.leak.nodes[*node as usize]);
            let extents = extents(graph, system.graphs[0].outputs()[output]);
            nodes.any(|node| match &extents {
                Some(extents) => node.elements.contains(&element(at, extents)),
                None => true,
            })
        };
        case.observed.iter().any(|observed| changed_from(observed, source).any(|(output, at)| !says(output, at)))
    })
}

// --- the verifier

/// What the selectors of a test certificate pick.
struct Fixed {
    from: Matched,
    to: Vec<usize>,
}

impl Resolve for Fixed {
    fn resolve(&self, selectors: &[String], _: usize, _: &TrainingGraph) -> Result<Matched, String> {
        match selectors.first().map(|selector| &**selector) {
            Some("from") => Ok(self.from.clone()),
            Some(_) => Ok(Matched { outputs: self.to.clone(), ..Matched::default() }),
            None => Ok(Matched::default()), // inputs that a policy declares: none
        }
    }
}

fn is_refused(
    graph: &TrainingGraph,
    (input, operation): Source,
    to: Vec<usize>,
    verdict: Verdict,
    evidence: Evidence,
) -> bool {
    let certificate = Certificate {
        assume: Vec::new(),
        bits_per_step: None,
        cut: Vec::new(),
        version: CERTIFICATE_VERSION,
        digests: vec![graph.digest()],
        names: Vec::new(),
        within: Within::Step,
        from: vec!["from".into()],
        to: vec!["to".into()],
        carried: Vec::new(),
        terminal: Vec::new(),
        edges: Vec::new(),
        verdict,
        evidence,
    };
    let from = Matched {
        operations: operation.into_iter().collect(),
        inputs: input.into_iter().collect(),
        outputs: Vec::new(),
    };
    verify(&certificate, &[graph], &Fixed { from, to }).is_err()
}

/// Claims that outputs of a case are reached, with their paths.
fn paths_to(graph: &TrainingGraph, system: &System<'_>, source: Source, outputs: &[usize]) -> Evidence {
    let sources = sources(source);
    let labels = propagate(system, &sources, STEP);
    let group = |position: &usize| SinkGroup {
        group: graph.function(graph.entry()).outputs[*position].clone(),
        sinks: vec![Port { graph: 0, position: *position }],
    };
    let groups: Vec<SinkGroup> = outputs.iter().map(group).collect();
    Evidence::Paths(witnesses(system, &sources, &labels, STEP, &groups))
}

fn is_clear(strength: Option<Strength>) -> bool {
    strength == Some(Strength::Clear)
}

/// Results that a path leads to which `verify` accepts.
fn shown_by_paths(case: &Case) -> BTreeSet<(Source, usize, bool)> {
    let graph = &case.world.graph;
    let system = System::new([graph]);
    let mut shown = BTreeSet::new();
    for source in sources_of(&case.world) {
        let labels = propagate(&system, &sources(source), STEP);
        let refined = refined(&system, source, &[]);
        for output in 0..case.world.results {
            let port = Port { graph: 0, position: output };
            let paths = || paths_to(graph, &system, source, &[output]);
            if is_clear(labels.output(port)) && !is_refused(graph, source, vec![output], Verdict::Violated, paths()) {
                shown.insert((source, output, refined.as_ref().is_some_and(|refined| is_clear(refined.output(port)))));
            }
        }
    }
    shown
}

/// Whether `verify` refuses what labels of whole tensors claim of an operation in its world: a closed assignment where a
/// sink holds, paths where one is reached; or a label is not there that a path led to which it accepted.
fn verifier_refuses(case: &Case) -> bool {
    let graph = &case.world.graph;
    let system = System::new([graph]);
    sources_of(&case.world).into_iter().any(|source| {
        let labels = propagate(&system, &sources(source), STEP);
        let strength = |position: usize| labels.output(Port { graph: 0, position });
        let outputs = 0..graph.outputs().len();
        let clean: Vec<usize> = outputs.clone().filter(|output| strength(*output).is_none()).collect();
        if !clean.is_empty() && is_refused(graph, source, clean, Verdict::Holds, evidence(&system, &labels)) {
            return true;
        }
        if case.shown.iter().any(|(from, output, _)| *from == source && !is_clear(strength(*output))) {
            return true;
        }
        let reached: Vec<usize> = outputs.filter(|output| is_clear(strength(*output))).collect();
        let paths = paths_to(graph, &system, source, &reached);
        !reached.is_empty() && is_refused(graph, source, reached, Verdict::Violated, paths)
    })
}

/// Whether `verify` refuses what refined labels claim to hold, or a label is not there that a path led to.
fn verifier_refuses_refined(case: &Case, cut: &[Cut]) -> bool {
    let graph = &case.world.graph;
    let system = System::new([graph]);
    sources_of(&case.world).into_iter().any(|source| {
        let Some(refined) = refined(&system, source, cut) else { return false };
        let strength = |position: usize| refined.output(Port { graph: 0, position });
        if case.shown.iter().any(|(from, output, is_said)| *from == source && *is_said && !is_clear(strength(*output)))
        {
            return true;
        }
        let clean: Vec<usize> = (0..case.world.results).filter(|output| strength(*output).is_none()).collect();
        let claim = Evidence::Refined(RefinedEvidence::default());
        !clean.is_empty() && is_refused(graph, source, clean, Verdict::Holds, claim)
    })
}

// --- mutants

/// The flow from an operand of the operation of a case to a result.
fn cut_of(isolated: &Isolated, operand: usize, result: usize) -> Vec<Cut> {
    let graph = &isolated.graph;
    let from = graph.operands(isolated.operation).get(operand).copied();
    let to = graph.results(isolated.operation).get(result);
    from.zip(to).map(|(from, to)| (0, from, to)).into_iter().collect()
}

/// Twists that make a difference to the image of an operand in a result that depends on it.
fn twists(case: &Case) -> BTreeSet<(usize, Twist)> {
    let (graph, operation) = (&case.plain.graph, case.plain.operation);
    let mut pairs = BTreeSet::new();
    Transfer::new(graph).edges(operation, &mut |edge| {
        if let Some((End::Operand(operand), End::Result(result))) = End::of(graph, operation, edge) {
            pairs.insert((operand, result));
        }
    });
    let mut found = BTreeSet::new();
    for (operand, result) in pairs {
        let value = graph.results(operation).get(result).expect("a result");
        let (Some(_), Some(to)) = (extents(graph, graph.operands(operation)[operand]), extents(graph, value)) else {
            continue;
        };
        for observed in &case.observed {
            let known = |at: usize| observed.integers.get(at)?.clone();
            let known: [KnownIntegers<'_>; 2] = [&known, &|_| None];
            for image in known.map(|known| image(graph, operation, operand, result, known)) {
                let differs = |twist: &&Twist| twisted(&image, to.len(), **twist) != image;
                found.extend(Twist::ALL.iter().filter(differs).map(|twist| (operand, *twist)));
            }
        }
    }
    found
}

fn candidates(cases: &[Case], programs: &programs::Programs) -> BTreeSet<Candidate> {
    let mut found: BTreeSet<Mutant> = Slip::ALL.iter().map(|slip| Mutant::Slip(*slip)).collect();
    let mut cuts = BTreeSet::new();
    for case in cases {
        let (kind, graph) = (case.world.kind, &case.world.graph);
        Transfer::new(graph).edges(case.world.operation, &mut |edge| {
            let (from, to) = End::of(graph, case.world.operation, edge).expect("both ends are parts of the operation");
            found.insert(Mutant::NoEdge(kind, from, to));
            found.insert(Mutant::NoDependence(kind, edge.kind));
            if edge.kind == Dependence::Opaque {
                found.insert(Mutant::OpaqueIsClear(kind));
            }
            if let (End::Operand(operand), End::Result(result), false) = (from, to, edge.kind == Dependence::Opaque) {
                cuts.insert(Candidate::Cut(kind, operand, result));
            }
        });
        found.extend(twists(case).into_iter().map(|(operand, twist)| Mutant::Image(kind, operand, twist)));
    }
    found
        .extend(programs.summary_bits().into_iter().map(|(parameter, result)| Mutant::NoSummaryBit(parameter, result)));
    found.into_iter().map(Candidate::Planted).chain(cuts).collect()
}

/// What notices a fault, if anything does.
fn killer(candidate: Candidate, cases: &[Case], programs: &programs::Programs) -> Option<Killer> {
    let of_kind = |kind: OperationKind| cases.iter().filter(move |case| case.plain.kind == kind);
    let found = match candidate {
        Candidate::Cut(kind, operand, result) => {
            let misses = |case: &Case| refined_labels_miss(case, &cut_of(&case.plain, operand, result));
            let refuses = |case: &Case| verifier_refuses_refined(case, &cut_of(&case.world, operand, result));
            match of_kind(kind).any(misses) {
                true => Some(Killer::Interpreter),
                false => of_kind(kind).any(refuses).then_some(Killer::Verifier),
            }
        }
        Candidate::Planted(mutant) => {
            plant(Some(mutant));
            match mutant {
                Mutant::NoEdge(kind, ..) | Mutant::NoDependence(kind, _) | Mutant::OpaqueIsClear(kind) => {
                    if of_kind(kind).any(whole_labels_miss) {
                        Some(Killer::Interpreter)
                    } else {
                        of_kind(kind).any(verifier_refuses).then_some(Killer::Verifier)
                    }
                }
                Mutant::Image(kind, operand, _) => {
                    of_kind(kind).any(|case| images_miss(case, operand)).then_some(Killer::Interpreter)
                }
                Mutant::NoSummaryBit(..) | Mutant::Slip(_) => programs.notice(),
            }
        }
    };
    plant(None);
    found
}

/// Does the work for each item, on as many threads as the machine has.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |count| count.get()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = work(item);
                    done.lock().expect("no thread panics while it holds the lock").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics while it holds the lock");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Mutants that nothing can tell from the analysis, and why.
fn equivalent() -> BTreeMap<String, String> {
    let path = corpus::root().join("fixtures/mutants/equivalent.json");
    let json: Value = serde_json::from_slice(&corpus::bytes(&path)).expect("JSON");
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_else(|| panic!("{key}")).to_string();
    let listed: Vec<_> = json
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|entry| {
            let why = text(entry, "why");
            let mutants = entry["mutants"].as_array().expect("a list").iter();
            mutants.map(move |mutant| (mutant.as_str().expect("a mutant").to_string(), why.clone())).collect::<Vec<_>>()
        })
        .collect();
    let count = listed.len();
    let listed: BTreeMap<String, String> = listed.into_iter().collect();
    assert_eq!(listed.len(), count, "a mutant is listed twice");
    listed
}

fn name_of(candidate: Candidate) -> String {
    match candidate {
        Candidate::Planted(mutant) => format!("{mutant:?}"),
        cut => format!("{cut:?}"),
    }
}

fn class_of(candidate: Candidate) -> &'static str {
    match candidate {
        Candidate::Planted(Mutant::NoEdge(..)) => "edge of a rule forgotten",
        Candidate::Planted(Mutant::NoDependence(..)) => "dependence of a kind forgotten",
        Candidate::Planted(Mutant::OpaqueIsClear(..)) => "opaque taken for known",
        Candidate::Planted(Mutant::Image(..)) => "image twisted",
        Candidate::Planted(Mutant::NoSummaryBit(..)) => "bit of a summary forgotten",
        Candidate::Planted(Mutant::Slip(_)) => "line left out or turned round",
        Candidate::Cut(..) => "operand of a refined label forgotten",
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "with --nocapture the counts are shown")]
fn every_mutant_is_killed() {
    let cases = cases();
    let programs = programs::Programs::new();
    // Without a fault nothing is noticed.
    let noticed = |case: &Case| {
        let images = (0..case.plain.operands).any(|operand| images_miss(case, operand));
        let what = [
            (whole_labels_miss(case), "a result changes and has no label"),
            (refined_labels_miss(case, &[]), "an element changes and has no refined label"),
            (images, "an element arrives outside of its image"),
            (verifier_refuses(case), "the verifier refuses a true claim"),
        ];
        let what: Vec<_> = what.into_iter().filter(|(noticed, _)| *noticed).map(|(_, what)| what).collect();
        (!what.is_empty()).then(|| format!("{}: {}", case.plain.name, what.join(", ")))
    };
    let noticed: Vec<String> = in_parallel(&cases, noticed).into_iter().flatten().collect();
    assert!(noticed.is_empty(), "{}", noticed.join("\n"));
    assert_eq!(programs.noticing(), [], "nothing is wrong");
    assert!(!programs.register_notices());
    let lacks_case = |kind: &OperationKind| {
        let is_looked_at = !kind.is_terminator() && !matches!(rule_of(*kind), Rule::Call);
        is_looked_at && !cases.iter().any(|case| case.plain.kind == *kind)
    };
    let lacking: Vec<_> =
        OperationKind::KNOWN.iter().chain([&OperationKind::Unknown]).filter(|kind| lacks_case(kind)).collect();
    assert!(lacking.is_empty(), "these have rules and no instance; add one to `operations`: {lacking:?}");
    let candidates: Vec<Candidate> = candidates(&cases, &programs).into_iter().collect();
    let killers = in_parallel(&candidates, |candidate| killer(*candidate, &cases, &programs));
    let equivalent = equivalent();
    let mut counts: BTreeMap<&str, BTreeMap<Option<Killer>, usize>> = BTreeMap::new();
    let mut survivors = Vec::new();
    for (candidate, killer) in candidates.iter().zip(&killers) {
        *counts.entry(class_of(*candidate)).or_default().entry(*killer).or_default() += 1;
        survivors.extend(killer.is_none().then(|| name_of(*candidate)));
    }
    let mut table = format!(
        "{:<40}{:>8}{:>13}{:>10}{:>9}{:>12}\n",
        "mutants", "all", "interpreter", "verifier", "program", "equivalent"
    );
    for (class, by_killer) in &counts {
        let of = |killer: Option<Killer>| by_killer.get(&killer).copied().unwrap_or(0);
        let all: usize = by_killer.values().sum();
        let [run, twin, program] = [Killer::Interpreter, Killer::Verifier, Killer::Program].map(|by| of(Some(by)));
        writeln!(table, "{class:<40}{all:>8}{run:>13}{twin:>10}{program:>9}{:>12}", of(None)).expect("text");
    }
    println!("{table}{} mutants of {} operations", candidates.len(), cases.len());
    let surprising: Vec<&String> = survivors.iter().filter(|name| !equivalent.contains_key(*name)).collect();
    assert!(surprising.is_empty(), "nothing kills {} mutants:\n{surprising:#?}", surprising.len());
    let killed: Vec<&String> = equivalent.keys().filter(|name| !survivors.contains(name)).collect();
    assert!(killed.is_empty(), "listed as equivalent, and killed or gone:\n{killed:#?}");
}
