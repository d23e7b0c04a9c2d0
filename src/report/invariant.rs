//! The verdict of one invariant.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;

use super::refinement::{Asked, Explained};
use super::*;
use crate::flow::refined::{Limit, Refined};
use crate::flow::{
    Crossings, Labels, Port, SinkGroup, Strength, backward_slice, evidence, invisible_cotangents, opaque_crossings,
    propagate, unchanged_input, witnesses,
};
use crate::graph::{Definition, OperationId, OperationKind, ValueId};
use crate::index::Id;
use crate::policy::{Invariant, Requirement, Side, sink_group};
use crate::verify::{BySelectors, verify};

/// Evidence of more bits is not written: a hostile graph has functions with as many parameters as values.
const LARGEST_EVIDENCE: usize = 1 << 30;

/// So many opaque operations are named.
const OPAQUE_NAMED: usize = 20;

impl Run<'_> {
    pub(super) fn invariant(&self, invariant: &Invariant, certificates: bool) -> InvariantReport {
        let from = self.resolve(&invariant.from);
        let to = self.resolve(&invariant.to);
        let mut report = InvariantReport {
            name: invariant.name.clone(),
            within: invariant.within,
            from: texts(&invariant.from),
            to: texts(&invariant.to),
            verdict: Verdict::Vacuous,
            assumptions: Vec::new(),
            sources: from.graphs.iter().map(|matched| matched.operations.len() + matched.inputs.len()).sum(),
            sinks_reached: 0,
            sinks: to.graphs.iter().map(|matched| matched.outputs.len()).sum(),
            witness: Vec::new(),
            witnesses: Vec::new(),
            environment: Vec::new(),
            opaque: Vec::new(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            channel: Channel::None,
            bits_per_step: None,
            bounds: invariant.bounds,
            refined: false,
            only_if_not_finite: false,
            repair: None,
            confirmed: Confirmed::Untested,
            waived: None,
            certificate: None,
        };
        let sources = self.sources(&from);
        let sinks = ports(&to);
        let mut counted = Crossings::within(invariant.within);
        if invariant.routes.contains(&Route::Environment) {
            counted = counted.and_environment();
        }
        let labels = propagate(&self.system, &sources, counted);
        report.sinks_reached = sinks.iter().filter(|sink| labels.output(**sink).is_some()).count();
        if sources.is_empty() || sinks.is_empty() {
            report.reasons = from.unmatched.iter().chain(&to.unmatched).cloned().collect();
            return report;
        }
        report.verdict = labels.verdict(&sinks);
        let groups = self.sink_groups(&invariant.to, &sinks);
        let (assumed, ungranted) = self.granted(invariant);
        let asked = Asked { invariant, sources: &sources, sinks: &sinks, groups: &groups, counted, assumed: &assumed };
        // Labels on whole tensors prove what they prove at once. What they cannot prove is looked at again.
        let refined = (report.verdict != Verdict::Holds).then(|| self.refined(&asked));
        match &refined {
            None => {}
            Some(Ok(refined)) => {
                report.refined = true;
                let reached = || sinks.iter().filter_map(|sink| refined.output(*sink));
                report.sinks_reached = reached().count();
                report.verdict = match reached().max() {
                    None => Verdict::Holds,
                    Some(Strength::Opaque) => Verdict::Undetermined,
                    Some(Strength::Clear) => Verdict::Violated,
                };
            }
            Some(Err(Limit)) => report.warnings.push(
                "the step is too large to tell parts of tensors and conditions apart, so this is what labels on whole \
                 tensors say"
                    .into(),
            ),
        }
        let mut explained = Explained::default();
        match report.verdict {
            Verdict::Violated => {
                if let Some(Ok(refined)) = &refined {
                    explained = self.explain_leak(&mut report, &asked, refined).unwrap_or_default();
                }
                if report.witnesses.is_empty() {
                    report.witnesses = witnesses(&self.system, &sources, &labels, counted, &groups);
                    let shortest = report.witnesses.iter().min_by_key(|witness| witness.path.len());
                    report.witness = shortest.map(|witness| witness.path.clone()).unwrap_or_default();
                    report.channel = Channel::Content;
                }
                if explained.bounded.is_some() {
                    report.verdict = Verdict::Holds;
                }
            }
            Verdict::Undetermined => self.explain_opaque(&mut report, &sources, &labels, &sinks, counted),
            Verdict::Holds | Verdict::Vacuous => {}
        }
        if report.verdict == Verdict::Holds {
            self.doubt(&mut report, invariant, &sinks, counted);
        }
        // A selector that matches nothing leaves a question open, whatever the others say; a violation stands.
        let unmatched: Vec<String> = from.unmatched.into_iter().chain(to.unmatched).chain(ungranted).collect();
        if !unmatched.is_empty() {
            match report.verdict {
                Verdict::Violated => report.warnings.extend(unmatched),
                _ => {
                    report.verdict = Verdict::Vacuous;
                    report.reasons.extend(unmatched);
                }
            }
        }
        if !counted.environment {
            let refined = refined.as_ref().and_then(|refined| refined.as_ref().ok());
            self.environment_routes(&mut report, &asked, &labels, refined);
        }
        self.assume(&mut report, invariant, &labels);
        if let (Verdict::Holds, Some(Ok(refined))) = (report.verdict, &refined) {
            self.assume_refined(&mut report, &asked, refined);
        }
        self.warn(&mut report, &labels, &sinks);
        let Explained { bounded, cut } = explained;
        let refined_evidence = (report.verdict == Verdict::Holds && report.refined).then(|| {
            let assume = invariant.assume.clone();
            bounded.unwrap_or_else(|| RefinedEvidence { assume, ..RefinedEvidence::default() })
        });
        if let Some(evidence) = &refined_evidence {
            self.prove_again(&mut report, counted, evidence);
        }
        let is_certified = matches!(report.verdict, Verdict::Holds | Verdict::Violated);
        if certificates && report.verdict == Verdict::Violated && !report.bounds.is_empty() {
            report.warnings.push(
                "a path shows that something gets through, and not that it is more than the policy allows, so there is no \
                 certificate"
                    .into(),
            );
        } else if certificates && is_certified && self.evidence_bits() > LARGEST_EVIDENCE {
            report.warnings.push("the evidence would be larger than a gigabit, so there is no certificate".into());
        } else if certificates && is_certified {
            let evidence = match (report.verdict, refined_evidence) {
                (Verdict::Violated, _) => Evidence::Paths(report.witnesses.clone()),
                (_, Some(refined)) => Evidence::Refined(refined),
                (_, None) => evidence(&self.system, &labels),
            };
            let mut certificate = self.certificate(&report, counted, evidence);
            if report.verdict == Verdict::Violated && report.refined {
                certificate.assume = invariant.assume.clone();
                certificate.bits_per_step = report.bits_per_step.map(|bits| bits.at_most);
                certificate.cut = cut;
            }
            report.certificate = Some(certificate);
        }
        report
    }

    pub(super) fn require(&self, require: &Requirement) -> RequireReport {
        let from = self.resolve(&require.from);
        let to = self.resolve(&require.to);
        let sources = self.sources(&from);
        let sinks = ports(&to);
        let labels = propagate(&self.system, &sources, Crossings::within(require.within));
        let reached = sinks.iter().filter(|sink| labels.output(**sink).is_some()).count();
        let mut reasons: Vec<String> = from.unmatched.into_iter().chain(to.unmatched).collect();
        let verdict = match labels.verdict(&sinks) {
            _ if !reasons.is_empty() => Verdict::Vacuous,
            Verdict::Violated => Verdict::Holds,
            Verdict::Holds => {
                reasons.push("no information from the source arrives at any of these outputs".into());
                Verdict::Violated
            }
            other => {
                reasons.push("the flow is only through operations that nobody looks into".into());
                other
            }
        };
        RequireReport {
            name: require.name.clone(),
            from: texts(&require.from),
            to: texts(&require.to),
            verdict,
            sinks_reached: reached,
            sinks: sinks.len(),
            reasons,
        }
    }

    fn sink_groups(&self, selectors: &[Selector], sinks: &[Port]) -> Vec<SinkGroup> {
        let mut groups: indexmap::IndexMap<(usize, PytreePath), Vec<Port>> = indexmap::IndexMap::new();
        let outputs: Vec<Vec<&PytreePath>> =
            self.graphs.iter().map(|named| named.graph.outputs().map(|(path, _)| path).collect()).collect();
        for &sink in sinks {
            let path = outputs[sink.graph][sink.position];
            groups.entry((sink.graph, sink_group(selectors, path))).or_default().push(sink);
        }
        groups.into_iter().map(|((_, group), sinks)| SinkGroup { group, sinks }).collect()
    }

    /// Names what an undetermined verdict hangs on: opaque operations, or pairs that are only possible.
    fn explain_opaque(
        &self,
        report: &mut InvariantReport,
        sources: &Sources,
        labels: &Labels,
        sinks: &[Port],
        counted: Crossings,
    ) {
        let reached: Vec<Port> = sinks.iter().copied().filter(|sink| labels.output(*sink).is_some()).collect();
        for crossing in opaque_crossings(&self.system, sources, counted, &reached, OPAQUE_NAMED) {
            let why = crossing.opacity.why().to_string();
            report.opaque.push(describe_opaque(self.graphs[crossing.graph].graph, crossing.operation, why));
        }
        let without = propagate(&self.system, sources, counted.and_nothing_possible());
        if sinks.iter().all(|sink| without.output(*sink).is_some() == labels.output(*sink).is_some()) {
            return;
        }
        for (graph, pairs) in &self.system.possible {
            let labelled = |position: &&usize| labels.output(Port { graph: *graph, position: **position }).is_some();
            let Some(output) = pairs.outputs.iter().find(labelled) else { continue };
            let Some(input) = pairs.inputs.first() else { continue };
            let (output, input) = (self.output_name(*graph, *output), self.input_name(*graph, *input));
            let others = pairs.outputs.len() * pairs.inputs.len() - 1;
            let others = if others > 0 { format!(" (and {others} more pairs of this type)") } else { String::new() };
            report.reasons.push(format!(
                "`{output}` may be the next value of `{input}`{others}, and the source reaches it: say which in the \
                 policy, `[carried]` with `\"{output}\" = \"{input}\"` or `\"{output}\" = \"terminal\"`, or by \
                 `--carried {output}={input}` or `--carried {output}=terminal`"
            ));
        }
    }

    /// A `Holds` that must not be given although no path was found.
    fn doubt(&self, report: &mut InvariantReport, invariant: &Invariant, sinks: &[Port], counted: Crossings) {
        for selector in invariant.from.iter().filter(|selector| selector.side() == Side::Scope) {
            for (position, named) in self.graphs.iter().enumerate() {
                if !selector.applies_to(named.name) {
                    continue;
                }
                let mut operations = FixedBitSet::with_capacity(named.graph.operations().len());
                for operation in selector.resolve(named.graph).operations {
                    operations.insert(operation.index());
                }
                let is_trained = |value| self.may_be_trained(position, value);
                for finding in invisible_cotangents(named.graph, self.phases(position), &operations, is_trained)
                    .into_iter()
                    .take(3)
                {
                    let operation = named.graph.operation(finding.operation);
                    let name = named.graph.operation_name(finding.operation);
                    let place = named.graph.user_place(operation.place);
                    let place = place.map_or(String::new(), |place| format!(" at {place}"));
                    report.reasons.push(format!(
                        "mark the score: `{}` is differentiated and `{name}`{place} may pass a cotangent on without a \
                         trace; end the scope with `score = jax.lax.optimization_barrier(score)`",
                        selector.as_str(),
                    ));
                }
                if let Some(reason) = self.hidden_gradient_rule(selector, position, &operations, sinks, counted) {
                    report.reasons.push(reason);
                }
            }
        }
        if !report.reasons.is_empty() {
            report.verdict = Verdict::Undetermined;
        }
    }

    /// Inputs of a step that are never carried, or that it returns unchanged, are not trained, so their cotangents reach
    /// nothing. Where it is not clear what is carried, any may be.
    fn may_be_trained(&self, graph: usize, value: ValueId) -> bool {
        let facts = self.graphs[graph].graph;
        match facts.value(value).definition {
            Definition::Argument(region, position) if region == facts.function(facts.entry()).body => {
                let made = self.pairs[graph].output_of(position as usize);
                !self.paired[graph]
                    || made.is_some_and(|output| unchanged_input(facts, output) != Some(position as usize))
            }
            _ => true,
        }
    }

    /// A gradient rule that somebody wrote (`jax.custom_vjp`) carries no scope name. If the scope is differentiated, no
    /// cotangent in it is seen, and a cotangent elsewhere multiplies by an input that is only the probe's (the scope
    /// reads it, no step updates it) on its way to a sink, that may be such a rule.
    fn hidden_gradient_rule(
        &self,
        selector: &Selector,
        graph: usize,
        operations: &FixedBitSet,
        sinks: &[Port],
        counted: Crossings,
    ) -> Option<String> {
        let facts = self.graphs[graph].graph;
        let phases = self.phases(graph);
        let members = || operations.ones().map(OperationId::new);
        if members().any(|id| phases.of(id).transposed) || !members().any(|id| phases.of(id).differentiated) {
            return None;
        }
        let parameters: BTreeSet<ValueId> = members()
            .flat_map(|id| facts.operands(id).iter().copied())
            .filter(|value| !self.may_be_trained(graph, *value))
            .filter(|value| facts.tensor_type(*value).is_some_and(|tensor| tensor.element.is_continuous()))
            .collect();
        let mut readers = facts.operations().ids().filter(|id| {
            !operations.contains(id.index())
                && facts.operands(*id).iter().any(|operand| parameters.contains(operand))
                && phases.of(*id).transposed
        });
        let first = readers.next()?;
        let ends = sinks.iter().filter(|sink| sink.graph == graph).filter_map(|sink| {
            let value = facts.outputs().nth(sink.position)?.1;
            Some((graph, value))
        });
        let slice = backward_slice(&self.system, counted, ends);
        let reader = std::iter::once(first)
            .chain(readers)
            .find(|id| facts.results(*id).iter().any(|result| slice.contains(graph, result)))?;
        let parameter = facts.operands(reader).iter().find(|operand| parameters.contains(*operand))?;
        let input = facts.arguments(facts.function(facts.entry()).body).iter().position(|value| value == *parameter)?;
        let input = self.input_name(graph, input);
        let place =
            facts.user_place(facts.operation(reader).place).map_or(String::new(), |place| format!(" at {place}"));
        Some(format!(
            "mark the score: a cotangent that reaches a sink is made with `{input}`{place}, which `{}` reads too, and no \
             cotangent of that scope is named; a custom gradient rule may hide it. Put the scope around the call of the \
             rule, or add the source `input:{input}`",
            selector.as_str(),
        ))
    }

    /// Flows through declared environment edges, to sinks that nothing else reaches.
    fn environment_routes(
        &self,
        report: &mut InvariantReport,
        asked: &Asked<'_>,
        labels: &Labels,
        refined: Option<&Refined>,
    ) {
        if !self.edges.iter().any(|edge| edge.hop == Hop::Environment) {
            return;
        }
        let is_reached = |sink: &Port| match refined {
            Some(refined) => refined.output(*sink).is_some(),
            None => labels.output(*sink).is_some(),
        };
        let groups: Vec<SinkGroup> = (asked.groups.iter())
            .map(|group| SinkGroup {
                group: group.group.clone(),
                sinks: group.sinks.iter().copied().filter(|sink| !is_reached(sink)).collect(),
            })
            .filter(|group| !group.sinks.is_empty())
            .collect();
        let wider = Asked { counted: asked.counted.and_environment(), groups: &groups, ..*asked };
        report.environment = self.routes(&wider).unwrap_or_else(|Limit| {
            let labels = propagate(&self.system, asked.sources, wider.counted);
            witnesses(&self.system, asked.sources, &labels, wider.counted, &groups)
        });
    }

    /// What the verdict rests on.
    fn assume(&self, report: &mut InvariantReport, invariant: &Invariant, labels: &Labels) {
        if report.within == Within::Run {
            for (graph, pairs) in self.pairs.iter().enumerate() {
                let pairing = |pairing: &crate::graph::Pairing| {
                    format!("{} -> {} (by {})", pairing.output, pairing.input, reading(pairing.reading))
                };
                let list: Vec<String> = pairs.pairings.iter().map(pairing).collect();
                let list = if list.is_empty() { "nothing".into() } else { list.join(", ") };
                report.assumptions.push(format!("carried: {}", self.qualified(graph, list)));
                for position in 0..self.graphs[graph].graph.outputs().len() {
                    let port = Port { graph, position };
                    let is_linked = || self.system.edges.iter().any(|edge| edge.from == port);
                    // What may be carried is a question of its own, and no assumption.
                    let is_possible = || {
                        let mut possible = self.system.possible.iter();
                        possible.any(|(of, pairs)| *of == graph && pairs.outputs.contains(&position))
                    };
                    if labels.output(port).is_some() && !is_linked() && !is_possible() {
                        report.assumptions.push(format!("terminal: {}", self.output_name(graph, position)));
                    }
                }
            }
        }
        for selector in &invariant.from {
            if selector.side() == Side::Scope && self.has_no_cotangent(selector) {
                report.assumptions.push(format!(
                    "named: no custom gradient rule (`jax.custom_vjp`, `jax.custom_jvp`) hides a cotangent of `{}`, which \
                     is differentiated and shows none",
                    selector.as_str()
                ));
            }
        }
        let mut pure = BTreeSet::new();
        for (position, named) in self.graphs.iter().enumerate() {
            for (id, operation) in named.graph.operations().iter_enumerated() {
                let is_known = !self.system.graphs[position].transfer().opacity(id).is_opaque();
                if operation.kind == OperationKind::CustomCall && is_known {
                    let target = named.graph.attribute(id, "call_target_name");
                    pure.insert(target.and_then(|target| target.as_text()).unwrap_or_default().to_string());
                }
            }
        }
        if !pure.is_empty() {
            let pure: Vec<String> = pure.into_iter().collect();
            report
                .assumptions
                .push(format!("pure: custom calls {} do nothing but make their results", pure.join(", ")));
        }
        report.assumptions.push("terminates: loops end, whatever the source says".into());
    }

    /// Whether a scope is differentiated and none of its operations is a cotangent.
    fn has_no_cotangent(&self, selector: &Selector) -> bool {
        let of_graph = |(position, named): (usize, &NamedGraph<'_>)| {
            let phases = self.phases(position);
            let members =
                if selector.applies_to(named.name) { selector.resolve(named.graph).operations } else { Vec::new() };
            members.iter().any(|id| phases.of(*id).differentiated)
                && !members.iter().any(|id| phases.of(*id).transposed)
        };
        self.graphs.iter().enumerate().any(of_graph)
    }

    /// What makes a proof empty.
    fn warn(&self, report: &mut InvariantReport, labels: &Labels, sinks: &[Port]) {
        if report.verdict == Verdict::Vacuous {
            return;
        }
        if !labels.reaches_an_output() {
            report.warnings.push(
                "the source reaches no output at all: is its score used? Add a `[[require]]` from the source to what it \
                 is meant to train"
                    .into(),
            );
        }
        let unchanged =
            sinks.iter().filter(|sink| unchanged_input(self.graphs[sink.graph].graph, sink.position).is_some()).count();
        if unchanged > 0 {
            report.warnings.push(format!(
                "{unchanged} of {} sinks are returned unchanged: this step does not train them, so nothing could reach \
                 them",
                sinks.len()
            ));
        }
    }

    /// How large the closed label assignment is: for each function its values times its parameters.
    fn evidence_bits(&self) -> usize {
        let of_graph = |graph: &TrainingGraph| -> usize {
            let of_function = |function: &crate::graph::Function| {
                let operations = graph.operations_within(function.body).len();
                let parameters = graph.arguments(function.body).len();
                (operations + parameters).saturating_mul(parameters)
            };
            let entry = graph.entry();
            graph.functions().iter_enumerated().filter(|(id, _)| *id != entry).map(|(_, f)| of_function(f)).sum()
        };
        self.graphs.iter().map(|named| of_graph(named.graph)).sum()
    }

    /// What rests on parts and conditions is proved a second time, backwards and by other code: no `Holds` leaves here that
    /// `verify` would refuse.
    fn prove_again(&self, report: &mut InvariantReport, counted: Crossings, evidence: &RefinedEvidence) {
        let certificate = self.certificate(report, counted, Evidence::Refined(evidence.clone()));
        let graphs: Vec<&TrainingGraph> = self.graphs.iter().map(|named| named.graph).collect();
        let names: Vec<&str> = certificate.names.iter().map(String::as_str).collect();
        let Err(problems) = verify(&certificate, &graphs, &BySelectors { names: &names }) else { return };
        report.verdict = Verdict::Undetermined;
        let why = problems.first().map_or("", String::as_str);
        report.reasons.push(format!(
            "no path was found, but the second proof, backwards from the sinks, does not confirm that there is none: {why}"
        ));
    }

    fn certificate(&self, report: &InvariantReport, counted: Crossings, evidence: Evidence) -> Certificate {
        let edges = self.edges.iter().filter(|edge| match edge.hop {
            Hop::Carried => counted.carried,
            Hop::Environment => counted.environment,
            _ => true,
        });
        Certificate {
            version: CERTIFICATE_VERSION,
            digests: self.digests().to_vec(),
            names: match self.graphs {
                [_] => Vec::new(),
                graphs => graphs.iter().map(|named| named.name.to_string()).collect(),
            },
            within: report.within,
            from: report.from.clone(),
            to: report.to.clone(),
            carried: self.overrides.iter().flat_map(|said| said.pairs.clone()).collect(),
            terminal: self.overrides.iter().flat_map(|said| said.terminal.clone()).collect(),
            edges: edges.cloned().collect(),
            assume: Vec::new(),
            bits_per_step: None,
            cut: Vec::new(),
            verdict: report.verdict,
            evidence,
        }
    }
}

fn ports(resolved: &Resolved) -> Vec<Port> {
    let of_graph = |(graph, matched): (usize, &Matched)| {
        matched.outputs.iter().map(move |&position| Port { graph, position }).collect::<Vec<_>>()
    };
    resolved.graphs.iter().enumerate().flat_map(of_graph).collect()
}

fn describe_opaque(graph: &TrainingGraph, id: OperationId, why: String) -> OpaqueOperation {
    let operation = graph.operation(id);
    let target = graph.attribute(id, "call_target_name").and_then(|target| target.as_text());
    let name = graph.operation_name(id);
    OpaqueOperation {
        op: target.map_or(name.to_string(), |target| format!("{name} @{target}")),
        place: graph.user_place(operation.place).map(ToString::to_string),
        scope: graph.scope_paths(operation.scope).next().map(str::to_string),
        line: operation.text_line,
        why,
    }
}
