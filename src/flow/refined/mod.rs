//! Labels on parts of tensors, under conditions: what the whole-tensor labels of [`super::propagate()`] say too much.
//!
//! **Meaning.** A term `(elements, guard)` of a value says: two runs that differ in nothing but what sources make may
//! differ in these elements, where the guard holds. The label is right if every element in which two runs can differ
//! is in some term whose guard holds. Guards speak of values that are equal in both runs, so the two can be told apart
//! by them. A term goes where the guard contradicts itself. What is known beside labels (numbers, constants, truth,
//! support) holds in each run on its own.
//!
//! The step is walked as it runs: calls entered, counting loops unrolled ([`machine`](self)), and again until what is
//! carried from output to input is covered. Where a bound is hit there is no answer, and the whole-tensor labels stand.

mod constants;
mod facts;
mod folding;
mod interior;
mod label;
mod labels;
mod leak;
mod machine;
mod numbering;
mod step;
mod support;
#[cfg(all(test, feature = "exec"))]
pub(super) mod tests;
mod truth;

pub use leak::{Choice, Instance, Leak, LeakEdge, LeakNode, Link, Origin, Place};

use std::collections::BTreeSet;
use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::{Crossing, Crossings, Port, Sources, Strength, System};
use crate::graph::{OperationId, ValueId};
use crate::lattice::{Elements, Guard};
use crate::transfer::mutant::{Slip, slips};
use facts::Fact;
use label::Term;
use machine::Machine;

/// What may be assumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumed {
    /// No infinity and no NaN is an operand of a masked product.
    pub finite: bool,
    /// Inputs, as `(graph, position)`, whose elements are 0 or 1.
    pub binary: Vec<(usize, usize)>,
}

/// A bound was hit: there is no refined answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit;

/// What a refined analysis found.
#[derive(Clone, Debug)]
pub struct Refined {
    /// Every labelled part, and why.
    pub leak: Leak,
    /// The operations, by graph, where the assumption of finite operands was made use of.
    pub finite_sites: Vec<(usize, OperationId)>,
    /// For each graph and output: these elements may differ, where the condition holds.
    pub conditions: Vec<Vec<Vec<(Elements, Guard)>>>,
    /// For each graph and input the number by which conditions speak of it.
    pub input_numbers: Vec<Vec<u32>>,
}

impl Refined {
    /// How surely an output is labelled.
    pub fn output(&self, port: Port) -> Option<Strength> {
        let nodes = self.leak.outputs.get(port.graph)?.get(port.position)?;
        let clear = |node: &u32| !self.leak.nodes[*node as usize].opaque;
        match (nodes.is_empty(), nodes.iter().any(clear)) {
            (true, _) => None,
            (_, true) => Some(Strength::Clear),
            (_, false) => Some(Strength::Opaque),
        }
    }
}

/// So many parts of one input are told apart.
const MOST_PARTS: usize = 8;

/// So many passes over a system are made before what is carried is taken as everything.
const PASSES_BEFORE_WIDENING: usize = 8;

/// The part of an input that is labelled when a step begins.
type InputTerms = Vec<(Elements, Guard, bool)>;

/// What is asked of a system.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where labels enter.
    pub sources: &'a Sources,
    /// Which edges between outputs and inputs count.
    pub counted: Crossings,
    /// What may be assumed.
    pub assumed: &'a Assumed,
    /// Outputs from which no label is carried on: sinks, where only how it gets there at first is asked.
    pub ends: &'a [Port],
    /// Flows that are left out, as `(graph, from, to)`: to see what a repair would do.
    pub cut: &'a [(usize, ValueId, ValueId)],
}

/// The refined labels of a system.
pub fn refine(system: &System<'_>, question: &Question<'_>) -> Result<Refined, Limit> {
    refine_from(system, question, &[])
}

/// The same, where some elements of inputs are source too.
pub fn refine_from(system: &System<'_>, question: &Question<'_>, begin: &[(Port, Elements)]) -> Result<Refined, Limit> {
    let Question { sources, counted, assumed, ends, cut } = *question;
    let cut: FxHashSet<_> = cut.iter().map(|(graph, from, to)| (*graph as u32, *from, *to)).collect();
    let closed: Vec<_> =
        system.graphs.iter().enumerate().map(|(position, flow)| sources.closed(position, flow)).collect();
    let mut state: Vec<Vec<InputTerms>> =
        system.graphs.iter().map(|flow| vec![Vec::new(); flow.inputs().len()]).collect();
    let mut world_is_labelled = false;
    for pass in 0.. {
        let mut leak = Leak { cut: cut.clone(), ..Leak::default() };
        leak.nodes.push(LeakNode {
            place: None,
            elements: Elements::All,
            opaque: true,
            origin: Origin::Made,
            number: u32::MAX,
        });
        let mut sites = BTreeSet::new();
        let mut reached_world = false;
        let mut inputs: Vec<Vec<Vec<Term>>> = Vec::new();
        let mut outputs: Vec<Vec<Fact>> = Vec::new();
        let mut input_numbers = Vec::new();
        for (position, flow) in system.graphs.iter().enumerate() {
            let instance = leak.instances.len() as u32;
            leak.instances.push(Instance {
                parent: None,
                graph: position as u32,
                operation: None,
                iteration: None,
                repeated: false,
            });
            let own = &closed[position];
            let operations = &own.operations;
            let mut machine = Machine::new(flow, position, operations, assumed, &mut leak, 0, world_is_labelled);
            let facts: Vec<Fact> = (flow.inputs().iter().enumerate())
                .map(|(at, value)| {
                    let place = Place { instance, value };
                    let mut fact = machine.nothing_known(value);
                    let port = Port { graph: position, position: at };
                    let own_elements = begin.iter().filter(|(begun, _)| *begun == port);
                    let begun: Vec<_> = match own.inputs.contains(&at) {
                        true => vec![(Elements::All, Guard::always(), false)],
                        false => own_elements.map(|(_, elements)| (elements.clone(), Guard::always(), false)).collect(),
                    };
                    let covered = begun.iter().any(|(elements, ..)| *elements == Elements::All);
                    let carried: &[_] = if covered { &[] } else { &state[position][at] };
                    let mut make = |(elements, guard, opaque): &(Elements, Guard, bool)| {
                        let node = machine.leak.add_node(place, elements.clone(), *opaque);
                        Term { elements: elements.clone(), guard: guard.clone(), opaque: *opaque, node }
                    };
                    let mut terms: Vec<Term> = begun.iter().map(&mut make).collect();
                    terms.extend(carried.iter().map(&mut make));
                    machine.leak.sources.extend(terms[..begun.len()].iter().map(|term| term.node));
                    fact.terms = terms.into();
                    let is_equal_in_both = !fact.is_labelled() || slips(Slip::LabelledBinary);
                    if assumed.binary.contains(&(position, at)) && is_equal_in_both {
                        let extents = machine.extents(value);
                        fact.truth = extents.map(|extents| Rc::new(truth::binary_truth(&fact.view, &extents)));
                    }
                    fact
                })
                .collect();
            inputs.push(facts.iter().map(|fact| fact.terms.to_vec()).collect());
            input_numbers.push(facts.iter().map(|fact| fact.view.number).collect());
            outputs.push(machine.walk(facts, instance)?);
            sites.append(&mut machine.finite_sites);
            reached_world |= machine.reached_world;
        }
        let mut changed = reached_world && !world_is_labelled;
        world_is_labelled |= reached_world;
        for crossing in crossings(system, counted).filter(|crossing| !ends.contains(&crossing.from)) {
            let (Some(output), Some(covers)) = (
                outputs[crossing.from.graph].get(crossing.from.position),
                inputs[crossing.to.graph].get(crossing.to.position),
            ) else {
                continue;
            };
            let possible = matches!(crossing.link, Link::Cross(_, None));
            let state = &mut state[crossing.to.graph][crossing.to.position];
            let Some(input) = system.input_value(crossing.to) else { continue };
            // The world outside answers as it likes: a part that goes out comes back as any other.
            let is_answered = matches!(crossing.link, Link::Cross(Crossing::Environment, _));
            for term in output.terms.iter() {
                let elements = if is_answered { Elements::All } else { term.elements.clone() };
                if leak.is_cut(term.node, input) && !slips(Slip::CarriedCutsForgotten) {
                    continue;
                }
                // Conditions speak of one step: they end here.
                let guard = if slips(Slip::GuardsCarried) { term.guard.clone() } else { Guard::always() };
                let opaque = term.opaque || possible;
                // The same part, as long as there are few: one that contains it as well would mix their ways.
                let is_same =
                    |cover: &&Term| cover.elements == elements && cover.guard == guard && cover.opaque == opaque;
                let same = covers.iter().find(is_same);
                let contains = |cover: &&Term| cover.elements.contains(&elements) && (!cover.opaque || opaque);
                let is_full = covers.len() >= MOST_PARTS || pass >= PASSES_BEFORE_WIDENING;
                let covering = same.or_else(|| is_full.then(|| covers.iter().find(contains)).flatten());
                if let Some(covering) = covering {
                    leak.edges.push(LeakEdge { from: term.node, to: covering.node, link: crossing.link });
                } else {
                    changed = true;
                    let part = (elements, guard, opaque);
                    match pass < PASSES_BEFORE_WIDENING && state.len() < MOST_PARTS {
                        true if state.contains(&part) => {}
                        true => state.push(part),
                        false => {
                            let opaque = opaque && state.iter().all(|(_, _, opaque)| *opaque);
                            *state = vec![(Elements::All, Guard::always(), opaque)];
                        }
                    }
                }
            }
        }
        if !changed || slips(Slip::StepsStop) {
            let nodes = |fact: &Fact| fact.terms.iter().map(|term| term.node).collect();
            leak.outputs = outputs.iter().map(|facts| facts.iter().map(nodes).collect()).collect();
            let conditions =
                |fact: &Fact| fact.terms.iter().map(|term| (term.elements.clone(), term.guard.clone())).collect();
            let conditions = outputs.iter().map(|facts| facts.iter().map(conditions).collect()).collect();
            return Ok(Refined { leak, finite_sites: sites.into_iter().collect(), conditions, input_numbers });
        }
    }
    Err(Limit)
}

/// An edge from an output to an input, as it is seen in the leak.
struct Crossed {
    from: Port,
    to: Port,
    link: Link,
}

fn crossings<'s>(system: &'s System<'_>, counted: Crossings) -> impl Iterator<Item = Crossed> + 's {
    let edges = system.edges.iter().enumerate().filter(move |(_, edge)| counted.include(edge.crossing));
    let declared = edges.map(|(at, edge)| Crossed {
        from: edge.from,
        to: edge.to,
        link: Link::Cross(edge.crossing, Some(at as u32)),
    });
    let possible = system.crossings(counted).filter(|(_, _, possible)| *possible).map(|(from, to, _)| Crossed {
        from,
        to,
        link: Link::Cross(super::Crossing::Carried, None),
    });
    declared.chain(possible)
}
