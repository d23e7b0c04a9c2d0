//! The second, finer look at an invariant that labels on whole tensors cannot prove: parts and conditions, and what is said
//! of a leak that is left: channel, bits, path.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::flow::explain::{Capacity, Channels, CutPart, PortChannel, capacity, leak_path, paths_by_group, repair};
use crate::flow::refined::{Assumed, Leak, Limit, Place, Question, Refined, refine};
use crate::flow::{Crossings, Port, SinkGroup};
use crate::graph::{Definition, OperationId};
use crate::index::Id;
use crate::policy::Invariant;
use crate::rules::{Evidence, mechanism};

/// So many places are named where the assumption of finite operands is made use of.
const SITES_NAMED: usize = 20;

/// One invariant as it is asked of the flow floor.
pub(super) struct Asked<'a> {
    pub invariant: &'a Invariant,
    pub sources: &'a Sources,
    pub sinks: &'a [Port],
    pub groups: &'a [SinkGroup],
    pub counted: Crossings,
    pub assumed: &'a Assumed,
}

/// The evidence for what is said of a leak.
#[derive(Default)]
pub(super) struct Explained {
    /// That it keeps the bounds of the policy; none if it does not, or there is no bound.
    pub bounded: Option<RefinedEvidence>,
    /// The values that bound how many bits reach all sinks together.
    pub cut: Vec<CutElement>,
}

impl<'a> Asked<'a> {
    fn question(&self, ends: &'a [Port]) -> Question<'a> {
        Question { sources: self.sources, counted: self.counted, assumed: self.assumed, ends, cut: &[] }
    }
}

impl Run<'_> {
    /// What the policy grants; and paths that name no input.
    pub(super) fn granted(&self, invariant: &Invariant) -> (Assumed, Vec<String>) {
        let mut assumed = Assumed::default();
        let mut unmatched = Vec::new();
        for assumption in &invariant.assume {
            match assumption {
                Assumption::Finite => assumed.finite = true,
                Assumption::Binary(path) => {
                    let before = assumed.binary.len();
                    for (graph, named) in self.graphs.iter().enumerate() {
                        let inputs = named.graph.inputs().enumerate();
                        assumed.binary.extend(inputs.filter(|(_, (own, _))| *own == path).map(|(at, _)| (graph, at)));
                    }
                    if assumed.binary.len() == before {
                        let explained = Selector::parse(&format!("input:{path}")).map(|it| self.explain_unmatched(&it));
                        unmatched
                            .push(format!("`binary:{path}`: {}", explained.unwrap_or_else(|error| error.to_string())));
                    }
                }
            }
        }
        (assumed, unmatched)
    }

    /// Parts and conditions told apart, where that is possible within the limits.
    pub(super) fn refined(&self, asked: &Asked<'_>) -> Result<Refined, Limit> {
        refine(&self.system, &asked.question(&[]))
    }

    /// What is said of a leak: paths, channels, bits. `whole` is the refined answer with all that is carried. Gives the
    /// evidence for it, if the limits allow.
    pub(super) fn explain_leak(
        &self,
        report: &mut InvariantReport,
        asked: &Asked<'_>,
        whole: &Refined,
    ) -> Option<Explained> {
        let first;
        let carries_on = |sink: &Port| self.system.edges.iter().any(|edge| edge.from == *sink);
        let refined = match asked.sinks.iter().any(carries_on) {
            // How it gets there at first: a sink that is labelled already does not make a second, worse flow.
            true => match refine(&self.system, &asked.question(asked.sinks)) {
                Ok(found) => {
                    first = found;
                    &first
                }
                Err(Limit) => return None,
            },
            false => whole,
        };
        let leak = &refined.leak;
        let if_finite = self.if_finite(asked);
        let holds_if_finite = |sinks: &[Port]| {
            let found = if_finite.as_ref();
            found.is_some_and(|found| sinks.iter().all(|sink| found.output(*sink).is_none()))
        };
        report.only_if_not_finite = holds_if_finite(asked.sinks);
        report.witnesses = paths_by_group(&self.system, leak, asked.groups);
        let channels = self.channels(leak, asked);
        let phases: Vec<Phases<'_>> = (0..self.graphs.len()).map(|graph| self.phases(graph).clone()).collect();
        let threshold = asked.invariant.bounds.max_bits_per_step;
        for witness in &mut report.witnesses {
            let Some(group) = asked.groups.iter().find(|group| group.group == witness.group) else { continue };
            name_channel(witness, group, &channels);
            witness.rule = self.rule(leak, asked, group, &channels, &phases, holds_if_finite(&group.sinks)).into();
            let reached = group.sinks.iter().filter(|sink| whole.output(**sink).is_some());
            witness.sinks_reached = reached.count();
            if let Some(found) = capacity(&self.system, leak, &group.sinks, threshold) {
                witness.bits_per_step = Some(Bits { at_most: found.bits, exact: found.exact });
                witness.cut = found.cut.iter().map(|part| self.cut_value(leak, part)).collect();
            }
        }
        report.channel = channels.values().map(|found| found.channel).max().unwrap_or_default();
        let total = capacity(&self.system, leak, asked.sinks, threshold);
        report.bits_per_step = total.as_ref().map(|found| Bits { at_most: found.bits, exact: found.exact });
        let shortest = report.witnesses.iter().min_by_key(|witness| witness.path.len());
        report.witness = shortest.map(|witness| witness.path.clone()).unwrap_or_default();
        let bounded = self.within_bounds(leak, asked, &channels, total.as_ref());
        if bounded.is_none() {
            let masked = if_finite.as_ref().map_or(&[][..], |found| &found.finite_sites);
            let question = asked.question(asked.sinks);
            report.repair = Some(repair(&self.system, &question, leak, asked.sinks, &phases, masked).repair);
        }
        let cut = total.iter().flat_map(|found| &found.cut).map(|part| self.cut_element(leak, part)).collect();
        Some(Explained { bounded, cut })
    }

    /// The code of the mechanism by which a group is reached at worst.
    fn rule(
        &self,
        leak: &Leak,
        asked: &Asked<'_>,
        group: &SinkGroup,
        channels: &BTreeMap<Port, PortChannel>,
        phases: &[Phases<'_>],
        holds_if_finite: bool,
    ) -> &'static str {
        let found = || group.sinks.iter().filter_map(|sink| Some((*sink, channels.get(sink)?)));
        let worst = found().map(|(_, channel)| channel.channel).max().unwrap_or_default();
        let paths = found()
            .filter(|(_, channel)| channel.channel == worst)
            .filter_map(|(sink, channel)| Some((leak_path(leak, sink)?, sink, channel)));
        let Some((path, sink, channel)) = paths.min_by_key(|(path, ..)| path.len()) else { return "" };
        let evidence = Evidence {
            system: &self.system,
            leak,
            sinks: asked.sinks,
            sink,
            channel,
            path: &path,
            route: leak.route(&path),
            phases,
            holds_if_finite,
        };
        mechanism(&evidence).code
    }

    /// The shortest path to each group, with its channel.
    pub(super) fn routes(&self, asked: &Asked<'_>) -> Result<Vec<Witness>, Limit> {
        let found = refine(&self.system, &asked.question(asked.sinks))?;
        let mut witnesses = paths_by_group(&self.system, &found.leak, asked.groups);
        let channels = self.channels(&found.leak, asked);
        for witness in &mut witnesses {
            let Some(group) = asked.groups.iter().find(|group| group.group == witness.group) else { continue };
            name_channel(witness, group, &channels);
        }
        Ok(witnesses)
    }

    fn channels(&self, leak: &Leak, asked: &Asked<'_>) -> BTreeMap<Port, PortChannel> {
        let mut data = Vec::new();
        for (graph, named) in self.graphs.iter().enumerate() {
            for selector in self.policy.data().iter().filter(|selector| selector.applies_to(named.name)) {
                let inputs = selector.resolve(named.graph).inputs;
                data.extend(inputs.into_iter().map(|position| Port { graph, position }));
            }
        }
        let mut channels = Channels::new(&self.system, leak, asked.sinks, &data);
        let keeps = |sink: Port| self.pairs[sink.graph].input_of(sink.position);
        asked.sinks.iter().map(|sink| (*sink, channels.of(*sink, keeps(*sink)))).collect()
    }

    /// The evidence that a leak keeps the bounds of the policy; none if it does not, or there is no bound.
    fn within_bounds(
        &self,
        leak: &Leak,
        asked: &Asked<'_>,
        channels: &BTreeMap<Port, PortChannel>,
        total: Option<&Capacity>,
    ) -> Option<RefinedEvidence> {
        let bounds = asked.invariant.bounds;
        if bounds.is_empty() {
            return None;
        }
        let reached = || channels.iter().filter(|(_, found)| found.channel > Channel::None);
        let channel_fits = bounds.max_channel.is_none_or(|most| reached().all(|(_, found)| found.channel <= most));
        let bits_fit = bounds.max_bits_per_step.is_none_or(|most| total.is_some_and(|found| found.bits <= most));
        if !channel_fits || !bits_fit {
            return None;
        }
        let claims = reached().filter(|_| bounds.max_channel.is_some()).filter_map(|(sink, found)| {
            let (path, _) = self.graphs[sink.graph].graph.outputs().nth(sink.position)?;
            let mut pivots: Vec<u32> = found.pivots.clone();
            pivots.sort_unstable();
            pivots.dedup();
            let element = |node: u32| {
                let facts = &leak.nodes[node as usize];
                Some(
                    self.cut_element(leak, &CutPart { place: facts.place?, elements: facts.elements.clone(), bits: 0 }),
                )
            };
            let pivots = pivots.into_iter().filter_map(element).collect();
            Some(ChannelClaim { sink: (sink.graph, path.clone()), channel: found.channel, pivots })
        });
        let cut = total.filter(|_| bounds.max_bits_per_step.is_some()).map_or(&[][..], |found| &found.cut);
        Some(RefinedEvidence {
            assume: asked.invariant.assume.clone(),
            cut: cut.iter().map(|part| self.cut_element(leak, part)).collect(),
            bounds,
            channels: claims.collect(),
            data: texts(if bounds.max_channel.is_some() { self.policy.data() } else { &[] }),
        })
    }

    fn cut_element(&self, leak: &Leak, part: &CutPart) -> CutElement {
        let mut instance = Vec::new();
        let mut at = Some(part.place.instance);
        while let Some(position) = at {
            let facts = &leak.instances[position as usize];
            if let Some(operation) = facts.operation {
                instance.push((operation.index() as u32, facts.iteration));
            }
            at = facts.parent;
        }
        instance.reverse();
        let graph = leak.instances[part.place.instance as usize].graph as usize;
        CutElement { graph, instance, value: part.place.value.index() as u32, boxes: part.boxes() }
    }

    fn cut_value(&self, leak: &Leak, part: &CutPart) -> CutValue {
        let at = self.cut_element(leak, part);
        let graph = self.graphs[at.graph].graph;
        let Place { value, .. } = part.place;
        let (op, operation) = match graph.value(value).definition {
            Definition::Result(operation, _) => (graph.operation_name(operation).to_string(), Some(operation)),
            Definition::Argument(region, position) if region == graph.function(graph.entry()).body => {
                (self.input_name(at.graph, position as usize), None)
            }
            Definition::Argument(region, _) => match graph.region(region).parent {
                Some(operation) => (graph.operation_name(operation).to_string(), Some(operation)),
                None => ("a parameter".into(), None),
            },
        };
        let facts = operation.map(|operation| graph.operation(operation));
        CutValue {
            op,
            place: facts.and_then(|facts| graph.user_place(facts.place)).map(ToString::to_string),
            scope: facts.and_then(|facts| graph.scope_paths(facts.scope).next()).map(str::to_string),
            r#type: graph.type_text(graph.value(value).r#type),
            line: facts.map_or(0, |facts| facts.text_line),
            bits: part.bits,
            at,
        }
    }

    /// The same question with finite operands of masked products granted; none if they are.
    fn if_finite(&self, asked: &Asked<'_>) -> Option<Refined> {
        let assumed = Assumed { finite: true, ..asked.assumed.clone() };
        let question = Question { assumed: &assumed, ..asked.question(&[]) };
        (!asked.assumed.finite).then(|| refine(&self.system, &question).ok()).flatten()
    }

    /// The assumptions that a refined proof makes use of, in words.
    pub(super) fn assume_refined(&self, report: &mut InvariantReport, asked: &Asked<'_>, refined: &Refined) {
        let mut places = BTreeSet::new();
        for (graph, operation) in &refined.finite_sites {
            places.insert(self.site(*graph, *operation));
        }
        if !places.is_empty() {
            let more = places.len().saturating_sub(SITES_NAMED);
            let named: Vec<String> = places.into_iter().take(SITES_NAMED).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            report.assumptions.push(format!(
                "finite: no infinity and no NaN is an operand of the masked products at {}{more}, and +0 is -0 there",
                named.join(", ")
            ));
        }
        for (graph, position) in &asked.assumed.binary {
            let input = self.input_name(*graph, *position);
            report.assumptions.push(format!("binary: every element of {input} is 0 or 1"));
        }
    }

    fn site(&self, graph: usize, operation: OperationId) -> String {
        let facts = self.graphs[graph].graph;
        let operation = facts.operation(operation);
        match facts.user_place(operation.place) {
            Some(place) => place.to_string(),
            None => format!("line {} of the text", operation.text_line),
        }
    }
}

/// The worst channel of a group.
fn name_channel(witness: &mut Witness, group: &SinkGroup, channels: &BTreeMap<Port, PortChannel>) {
    let worst = group.sinks.iter().filter_map(|sink| channels.get(sink)).max_by_key(|found| found.channel);
    if let Some(worst) = worst {
        witness.channel = worst.channel;
        witness.channel_reason = worst.reason.clone();
    }
}
