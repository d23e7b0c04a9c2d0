//! How much of the source arrives at each sink: timing, scale, selection or content.
//!
//! Decided by the graph, from the meaning of the words (each rule is one sentence of the definition):
//!
//! - *timing*: one test chooses between the sink's own carried-in value and one unlabelled candidate;
//! - *scale*: one scalar, surely not negative, cuts all paths; it first meets an unlabelled tensor by multiplication or
//!   division; from there only the element-by-element operations of an optimizer follow; and it is made of that tensor (a
//!   norm of gradients that includes the sink's own);
//! - *selection*: only indices depend on the source, into what descends from inputs that are declared to be data;
//! - *content*: anything else.

use fixedbitset::FixedBitSet;
use rustc_hash::FxHashMap;

use super::norms::NormCheck;
use super::resolve::Resolver;
use super::scale::{Outcome, ScaleCheck};
use super::selection::selecting_edges;
use super::signs::is_never_negative;
use super::{Incoming, is_copy, nodes_of, operation_at};
use crate::flow::refined::{Leak, Link, Origin, Place};
use crate::flow::{Port, System};
use crate::graph::OperationKind as Kind;
use crate::network::{Dominators, Network};
use crate::transfer::Dependence;
use crate::verdict::Channel;

/// So many scalars on the way are tried as the factor.
const MOST_FACTORS: usize = 4;

/// The channel of one sink, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChannel {
    /// The channel.
    pub channel: Channel,
    /// Why, for a person.
    pub reason: String,
    /// The tests, the factor or the indices that everything passes, as nodes of the leak; none for content.
    pub pivots: Vec<u32>,
}

/// Answers for the sinks of one leak.
pub struct Channels<'l, 'g> {
    system: &'l System<'g>,
    leak: &'l Leak,
    resolver: Resolver<'l, 'g>,
    incoming: Incoming,
    /// Edges that only say which of some data.
    selecting: FixedBitSet,
    /// Edges by which a value is carried on that only a test keeps or moves on.
    timing: FixedBitSet,
    /// Reached from the source by other edges than those that carry timing.
    beyond_timing: FixedBitSet,
    /// And by other edges than those that select.
    beyond_selection: FixedBitSet,
    /// The leak without both.
    network: Network,
    dominators: Dominators,
    /// Whether a factor is a norm of a tensor: a parameter and its moments ask the same.
    norms: FxHashMap<(u32, Place), bool>,
    /// The tests behind what is carried as timing.
    carried_tests: Vec<u32>,
}

impl<'l, 'g> Channels<'l, 'g> {
    /// For a leak whose labels end at sinks; `data` are the inputs that are declared to be data, replay or plans.
    pub fn new(system: &'l System<'g>, leak: &'l Leak, sinks: &[Port], data: &[Port]) -> Self {
        let resolver = Resolver::new(system, leak);
        let selecting = selecting_edges(system, leak, &resolver, data);
        let nothing = FixedBitSet::with_capacity(leak.edges.len());
        let network = without(leak, &nothing, &nothing);
        let mut channels = Channels {
            system,
            leak,
            resolver,
            incoming: Incoming::new(leak),
            selecting,
            timing: nothing,
            beyond_timing: network.reached_from(&leak.sources),
            beyond_selection: FixedBitSet::new(),
            dominators: Dominators::new(&network, &[]),
            network,
            norms: FxHashMap::default(),
            carried_tests: Vec::new(),
        };
        channels.find_timing(sinks);
        channels.network = without(leak, &channels.timing, &channels.selecting);
        channels.beyond_selection = channels.network.reached_from(&leak.sources);
        channels.dominators = Dominators::new(&channels.network, &leak.sources);
        channels
    }

    /// Finds the carried values that tell no more than how tests came out: what a test keeps or moves on (the counter and
    /// the moments of an optimizer), and what a test sets that is itself used in tests alone (how many updates were
    /// skipped in a row). The largest set that explains itself: a candidate is dropped if what is applied to it is
    /// reached otherwise than by candidates.
    fn find_timing(&mut self, sinks: &[Port]) {
        struct Candidate {
            edge: usize,
            applied: Vec<u32>,
            only_for_tests: bool,
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        for (position, edge) in self.leak.edges.iter().enumerate() {
            let Link::Cross(crate::flow::Crossing::Carried, Some(pair)) = edge.link else { continue };
            let to = self.system.edges[pair as usize].to;
            let definers = self.definers(&[edge.from]);
            let parts = |of: &dyn Fn(u32) -> Option<Vec<u32>>| {
                let parts: Option<Vec<Vec<u32>>> = definers.iter().map(|definer| of(*definer)).collect();
                parts.map(|parts| parts.concat())
            };
            if let Some(applied) = parts(&|node| Some(self.applied_or_not(node, to.graph, to.position)?.1)) {
                candidates.push(Candidate { edge: position, applied, only_for_tests: false });
            } else if let Some(applied) = parts(&|node| self.is_test_made(node).then(|| self.split_choice(node).1)) {
                candidates.push(Candidate { edge: position, applied, only_for_tests: true });
            }
        }
        let nothing = FixedBitSet::with_capacity(self.leak.edges.len());
        let mut tests = nothing.clone();
        for (position, edge) in self.leak.edges.iter().enumerate() {
            let is_test = edge.link == Link::Flow(Dependence::Implicit) && self.is_test_made(edge.to);
            tests.set(position, is_test);
        }
        loop {
            self.timing.clear();
            candidates.iter().for_each(|candidate| self.timing.insert(candidate.edge));
            self.beyond_timing = without(self.leak, &self.timing, &nothing).reached_from(&self.leak.sources);
            let beyond_tests = without(self.leak, &self.timing, &tests);
            let mut goes_further: Vec<u32> =
                sinks.iter().flat_map(|sink| nodes_of(self.leak, *sink).iter().copied()).collect();
            let crossing = self.leak.edges.iter().enumerate().filter(|(_, edge)| matches!(edge.link, Link::Cross(..)));
            goes_further.extend(crossing.filter(|(at, _)| !self.timing.contains(*at)).map(|(_, edge)| edge.from));
            let used_otherwise = beyond_tests.reaching(&goes_further);
            let before = candidates.len();
            candidates.retain(|candidate| {
                let input = self.leak.edges[candidate.edge].to as usize;
                let is_reached_otherwise =
                    candidate.applied.iter().any(|node| self.beyond_timing.contains(*node as usize));
                let is_used_otherwise = candidate.only_for_tests && used_otherwise.contains(input);
                !is_reached_otherwise && !is_used_otherwise
            });
            if candidates.len() == before {
                break;
            }
        }
        let edges: Vec<u32> = self.timing.ones().map(|edge| self.leak.edges[edge].from).collect();
        self.carried_tests = self.tests_behind(&edges);
    }

    /// The tests of the choices that made these.
    fn tests_behind(&self, nodes: &[u32]) -> Vec<u32> {
        let choices = self.definers(nodes).into_iter().filter(|node| self.is_test_made(*node));
        let mut tests: Vec<u32> = choices.flat_map(|node| self.split_choice(node).0).collect();
        tests.sort_unstable();
        tests.dedup();
        tests
    }

    /// Whether one test chose a part.
    fn is_test_made(&self, node: u32) -> bool {
        match self.leak.nodes[node as usize].origin {
            Origin::Chosen(choice) => self.leak.choices[choice as usize].single,
            _ => false,
        }
    }

    /// The channel of a sink. `keeps` is the input that its next value replaces.
    pub fn of(&mut self, sink: Port, keeps: Option<usize>) -> PortChannel {
        let definers = self.definers(nodes_of(self.leak, sink));
        if definers.is_empty() {
            return PortChannel { channel: Channel::None, reason: String::new(), pivots: Vec::new() };
        }
        let mut timed: Vec<u32> = Vec::new();
        let mut others = Vec::new();
        for node in definers {
            match keeps.and_then(|input| self.applied_or_not(node, sink.graph, input)) {
                Some((tests, applied)) => {
                    timed.extend(tests);
                    others.extend(applied);
                }
                None => others.push(node),
            }
        }
        others.sort_unstable();
        others.dedup();
        let tells_of_tests = |node: &u32| !self.beyond_timing.contains(*node as usize);
        if timed.is_empty() && others.iter().any(tells_of_tests) {
            let reason = "how tests came out is carried on, and used as a value".into();
            return PortChannel { channel: Channel::Content, reason, pivots: Vec::new() };
        }
        // Where a test decides over the update, what is carried may tell how such tests came out.
        let told = others.iter().any(tells_of_tests);
        others.retain(|node| !tells_of_tests(node));
        if told {
            timed.extend(&self.carried_tests);
        }
        if others.is_empty() {
            return PortChannel {
                channel: Channel::Timing,
                reason: "one test decides whether the update is applied at all".into(),
                pivots: timed,
            };
        }
        let (direct, selected): (Vec<u32>, Vec<u32>) =
            others.into_iter().partition(|node| self.beyond_selection.contains(*node as usize));
        let is_selected = !selected.is_empty() || self.crosses_selection(&direct);
        let selecting: Vec<u32> = self.selecting.ones().map(|edge| self.leak.edges[edge].from).collect();
        let selection = |also: &[u32]| PortChannel {
            channel: Channel::Selection,
            reason: "only which of the data are taken depends on the source".into(),
            pivots: timed.iter().chain(also).chain(&selecting).copied().collect(),
        };
        if direct.is_empty() {
            return selection(&[]);
        }
        match self.scale(&direct) {
            Ok((factor, _)) if is_selected => selection(&[factor]),
            Ok((factor, reason)) => {
                let pivots = timed.iter().copied().chain([factor]).collect();
                PortChannel { channel: Channel::Scale, reason: reason.into(), pivots }
            }
            Err(why) => PortChannel { channel: Channel::Content, reason: why.into(), pivots: Vec::new() },
        }
    }

    /// If one test decides whether a sink keeps its carried-in value: the test, by all names that it has, and the labelled
    /// parts of what is applied otherwise.
    fn applied_or_not(&self, node: u32, graph: usize, input: usize) -> Option<(Vec<u32>, Vec<u32>)> {
        let edge = |position: &u32| self.leak.edges[*position as usize];
        if let Origin::Chosen(choice) = self.leak.nodes[node as usize].origin {
            let choice = &self.leak.choices[choice as usize];
            return (choice.single && choice.keeps.contains(&(input as u32))).then(|| self.split_choice(node));
        }
        // `p + where(test, update, 0)`: the same, one operation later.
        let (at, operation) = operation_at(self.system, self.leak, node)?;
        let facts = self.system.graphs[at].graph();
        if at != graph || facts.operation(operation).kind != Kind::Add {
            return None;
        }
        let place = self.leak.nodes[node as usize].place?;
        let own = self.system.graphs[graph].inputs().get(input)?;
        let kept = (0..2).find(|position| {
            let operand = self.resolver.operand(place, *position).map(|operand| self.resolver.resolve(operand));
            operand.is_some_and(|operand| operand.value == own && self.resolver.is_of_the_step(operand))
        })?;
        let update = self.resolver.operand(place, 1 - kept)?;
        let from: Vec<u32> = self.incoming.of(node).iter().map(|position| edge(position).from).collect();
        if from.iter().any(|node| self.leak.nodes[*node as usize].place != Some(update)) {
            return None;
        }
        let (mut tests, mut applied) = (Vec::new(), Vec::new());
        for definer in self.definers(&from) {
            let Origin::Chosen(choice) = self.leak.nodes[definer as usize].origin else { return None };
            let choice = &self.leak.choices[choice as usize];
            if !choice.single || !choice.zero {
                return None;
            }
            let (own_tests, own_applied) = self.split_choice(definer);
            tests.extend(own_tests);
            applied.extend(own_applied);
        }
        (!tests.is_empty()).then_some((tests, applied))
    }

    /// The test of a choice, by all names, and what else it is made of.
    fn split_choice(&self, node: u32) -> (Vec<u32>, Vec<u32>) {
        let edges = self.incoming.of(node).iter().map(|position| self.leak.edges[*position as usize]);
        let (tests, applied): (Vec<_>, Vec<_>) = edges.partition(|edge| edge.link == Link::Flow(Dependence::Implicit));
        let ends = |edges: Vec<crate::flow::refined::LeakEdge>| edges.into_iter().map(|edge| edge.from).collect();
        (ends(tests), ends(applied))
    }

    /// Back over names to the parts that were made.
    fn definers(&self, nodes: &[u32]) -> Vec<u32> {
        let mut open = nodes.to_vec();
        let mut seen: Vec<u32> = Vec::new();
        let mut definers = Vec::new();
        while let Some(node) = open.pop() {
            if seen.contains(&node) {
                continue;
            }
            seen.push(node);
            if is_copy(self.leak, node) {
                open.extend(self.incoming.of(node).iter().map(|edge| self.leak.edges[*edge as usize].from));
            } else {
                definers.push(node);
            }
        }
        definers.sort_unstable();
        definers
    }

    /// Whether an index into data also leads to one of these.
    fn crosses_selection(&self, nodes: &[u32]) -> bool {
        if self.selecting.is_clear() {
            return false;
        }
        let reaching = self.network.reaching(nodes);
        self.selecting.ones().any(|edge| reaching.contains(self.leak.edges[edge].to as usize))
    }

    /// The factor that is all that arrives at these parts; or why it is more.
    fn scale(&mut self, ends: &[u32]) -> Result<(u32, &'static str), &'static str> {
        let is_scalar = |node: &u32| {
            let place = self.leak.nodes[*node as usize].place;
            place.is_some_and(|place| {
                let tensor = self.resolver.graph(place).tensor_type(place.value);
                tensor.is_some_and(|tensor| tensor.rank() == Some(0))
            })
        };
        let chain = self.dominators.common_chain(ends);
        let mut why = "no single scalar is passed on every way";
        // The one nearest to the sink is the whole factor; those before it are what it is made of.
        let factors: Vec<u32> = chain.into_iter().rev().filter(is_scalar).take(MOST_FACTORS).collect();
        for factor in factors {
            let Some(place) = self.leak.nodes[factor as usize].place else { continue };
            let nodes = self.reaching_without(factor, ends);
            let is_scheduled = self.is_scheduled(factor);
            let check = ScaleCheck {
                system: self.system,
                leak: self.leak,
                resolver: &self.resolver,
                incoming: &self.incoming,
                linear: is_scheduled,
            };
            match check.follow(factor, &nodes, ends) {
                Outcome::More(reason) => why = reason,
                Outcome::Scale(_, true) if is_scheduled => {
                    return Ok((
                        factor,
                        "one carried factor that is divided out again: a loss scale, which a test moves from step to step",
                    ));
                }
                Outcome::Scale(..) if !is_never_negative(&self.resolver, place) => {
                    why = "the factor may be negative, so it can turn the update round";
                }
                Outcome::Scale(met, _) if !self.is_norm_of(factor, &met) => {
                    why = "the factor is no norm of gradients that include the sink's own";
                }
                Outcome::Scale(..) => {
                    return Ok((factor, "one common factor, a norm of gradients that include its own"));
                }
            }
        }
        Err(why)
    }

    /// The labelled parts on the ways from a factor to these that do not come by it again, in ascending order.
    fn reaching_without(&self, factor: u32, ends: &[u32]) -> Vec<u32> {
        let mut seen = FixedBitSet::with_capacity(self.leak.nodes.len());
        let mut open = ends.to_vec();
        while let Some(node) = open.pop() {
            if seen.put(node as usize) || node == factor {
                continue;
            }
            let aside = |edge: &u32| self.selecting.contains(*edge as usize) || self.timing.contains(*edge as usize);
            let edges = self.incoming.of(node).iter().filter(|edge| !aside(edge));
            open.extend(edges.map(|edge| self.leak.edges[*edge as usize].from));
        }
        seen.ones().map(|node| node as u32).collect()
    }

    /// Whether a factor is carried from step to step and all that a step tells it is one bit: a loss scale, a learning
    /// rate that falls on a plateau.
    fn is_scheduled(&self, factor: u32) -> bool {
        let incoming = self.incoming.of(factor).iter().map(|edge| self.leak.edges[*edge as usize]);
        let outputs: Vec<u32> = incoming
            .filter(|edge| matches!(edge.link, Link::Cross(crate::flow::Crossing::Carried, Some(_))))
            .map(|edge| edge.from)
            .collect();
        !outputs.is_empty()
            && self.leak.nodes[factor as usize].place.is_some_and(|place| {
                let tensor = self.resolver.graph(place).tensor_type(place.value);
                tensor.is_some_and(|tensor| tensor.element.is_continuous())
            })
            && super::capacity::bits_into(self.system, self.leak, &outputs, factor) <= 1
    }

    /// Whether a factor is a norm of every tensor that it scales.
    fn is_norm_of(&mut self, factor: u32, tensors: &[Place]) -> bool {
        let Channels { system, leak, resolver, incoming, norms, .. } = self;
        let check = NormCheck { system, leak, resolver, incoming };
        let mut includes =
            |tensor: Place| *norms.entry((factor, tensor)).or_insert_with(|| check.includes(factor, tensor));
        !tensors.is_empty() && tensors.iter().all(|tensor| includes(*tensor))
    }
}

/// The leak without two sets of edges.
fn without(leak: &Leak, some: &FixedBitSet, others: &FixedBitSet) -> Network {
    let edges = leak.edges.iter().enumerate();
    let kept = edges.filter(|(position, _)| !some.contains(*position) && !others.contains(*position));
    let kept: Vec<(u32, u32)> = kept.map(|(_, edge)| (edge.from, edge.to)).collect();
    Network::new(leak.nodes.len() as u32, &kept)
}
