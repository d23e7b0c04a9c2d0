//! One operation without calls, loops or choices: what is known of its results.

use std::rc::Rc;

use super::constants::{Known, Scalar};
use super::facts::{Fact, Support, Truth};
use super::label::{LabelBuilder, Term};
use super::machine::Machine;
use super::numbering::{Recipe, View};
use super::truth::{both, literal_truth};
use crate::graph::{Attribute, ElementType, OperationId, OperationKind as Kind, ValueId};
use crate::index::Id;
use crate::lattice::{Affine, Atom, Elements, Guard, Pick};
use crate::transfer::images::{Image, image, picks};
use crate::transfer::mutant::{Slip, slips};
use crate::transfer::{Dependence, Opacity, Rule, rule_of};

impl Machine<'_, '_> {
    /// A source operation: its results are labelled whole, and nothing is known of them.
    pub(super) fn seed(&mut self, operation: OperationId) {
        for result in self.graph.results(operation).iter() {
            let place = self.place(result);
            let node = self.leak.add_node(place, Elements::All, false);
            self.leak.sources.push(node);
            if self.transfer.has_effects(operation) {
                self.reach_world(node);
            }
            let mut fact = self.nothing_known(result);
            fact.terms = Rc::new([Term { elements: Elements::All, guard: Guard::always(), opaque: false, node }]);
            self.set(result, fact);
        }
        if self.transfer.has_effects(operation) {
            self.reached_world = true;
        }
    }

    /// An operation that nobody looks into: everything to everything, and the world where there are side effects.
    pub(super) fn opaque(&mut self, operation: OperationId) {
        let interior = self.interiors.of(operation);
        let graph = self.graph;
        let taken: Vec<ValueId> = graph.operands(operation).iter().chain(&interior.captures).copied().collect();
        let facts: Vec<Fact> = taken.into_iter().map(|value| self.fact(value)).collect();
        let effects = self.transfer.has_effects(operation);
        if effects {
            for term in facts.iter().flat_map(|fact| fact.terms.iter()) {
                self.reach_world(term.node);
            }
        }
        for result in graph.results(operation).iter() {
            let mut label = LabelBuilder::default();
            // A condition ends here: who knows which devices it hears from.
            for term in facts.iter().flat_map(|fact| fact.terms.iter()) {
                let kept = slips(Slip::GuardsOverUnknown).then(|| term.guard.clone());
                label.add(Elements::All, kept.unwrap_or_else(Guard::always), term, Dependence::Opaque);
            }
            if effects && self.world_is_labelled {
                label.add(Elements::All, Guard::always(), &self.world_term(), Dependence::Opaque);
            }
            let place = self.place(result);
            if interior.holds_source {
                // What stands inside begins there; the operation around it is not looked into.
                let node = self.leak.add_node(place, Elements::All, false);
                self.leak.sources.push(node);
                let begun = Term { elements: Elements::All, guard: Guard::always(), opaque: false, node };
                label.add(Elements::All, Guard::always(), &begun, Dependence::Opaque);
            }
            let mut fact = self.nothing_known(result);
            fact.terms = label.finish(self.leak, place).into();
            self.set(result, fact);
        }
        if effects && interior.holds_source {
            self.reached_world = true;
        }
    }

    fn world_term(&self) -> Term {
        Term { elements: Elements::All, guard: Guard::always(), opaque: true, node: self.world }
    }

    /// Any other operation.
    pub(super) fn step(&mut self, operation: OperationId) {
        let graph = self.graph;
        let kind = graph.operation(operation).kind;
        let operands: Vec<Fact> = graph.operands(operation).iter().map(|value| self.fact(*value)).collect();
        if self.gives_on(operation, kind, &operands) || self.is_decided(operation, kind, &operands) {
            return;
        }
        let regions = !graph.regions_of(operation).is_empty();
        let interior = regions.then(|| self.interiors.of(operation));
        let hidden = self.transfer.opacity(operation) == Opacity::HiddenState;
        if hidden {
            for term in operands.iter().flat_map(|fact| fact.terms.iter()) {
                self.reach_world(term.node);
            }
        }
        for (position, result) in graph.results(operation).iter().enumerate() {
            let mut label = LabelBuilder::default();
            match &interior {
                Some(interior) if interior.holds_source || !interior.captures.is_empty() => {
                    self.everything(operation, interior, result, &operands, &mut label);
                }
                _ => self.label(operation, kind, position, &operands, interior.as_deref(), &mut label),
            }
            if hidden && self.world_is_labelled {
                label.add(Elements::All, Guard::always(), &self.world_term(), Dependence::Opaque);
            }
            let place = self.place(result);
            let terms: Rc<[Term]> = label.finish(self.leak, place).into();
            if kind == Kind::Select && operands[0].is_labelled() {
                let test = graph.operands(operation)[0];
                let single = self.extents(test).is_some_and(|extents| operands[0].view.map(&extents).is_constant());
                self.note_choice(&terms, single, &operands[1..]);
            }
            let mut fact = self.described(operation, kind, position, result, &operands, interior.as_deref());
            if !terms.is_empty() && !slips(Slip::LabelledKnown) {
                fact.known = None;
                fact.truth = None;
            }
            fact.range = self.range(kind, position, result, &operands);
            fact.terms = terms;
            self.set(result, fact);
        }
    }

    /// Operations whose result is an operand, with all that is known of it.
    fn gives_on(&mut self, operation: OperationId, kind: Kind, operands: &[Fact]) -> bool {
        let graph = self.graph;
        let results = graph.results(operation);
        let given = match (kind, operands) {
            (Kind::OptimizationBarrier | Kind::ShardingConstraint | Kind::Reshard | Kind::PropagationBarrier, _)
                if operands.len() == results.len() =>
            {
                for (fact, result) in operands.iter().zip(results.iter()) {
                    let fact = self.copied(fact, result, super::leak::Link::Flow(Dependence::Data));
                    self.set(result, fact);
                }
                return true;
            }
            (Kind::Select, [test, yes, no]) => match test.single() {
                Some(chosen) if chosen.is_zero() => no,
                Some(_) => yes,
                // Whatever the test says; its label does not matter then.
                None if yes.view == no.view => yes,
                None => return false,
            },
            (Kind::Convert, [value]) => {
                let (from, to) = (graph.operands(operation)[0], results.iter().next());
                match to {
                    Some(to) if graph.value(from).r#type == graph.value(to).r#type => value,
                    _ => return false,
                }
            }
            _ => return false,
        };
        for result in results.iter() {
            let fact = self.copied(given, result, super::leak::Link::Flow(Dependence::Data));
            self.set(result, fact);
        }
        true
    }

    /// A comparison of integers whose ranges do not meet says the same in every run, whatever the source says.
    fn is_decided(&mut self, operation: OperationId, kind: Kind, operands: &[Fact]) -> bool {
        if kind != Kind::Compare || operands.iter().all(|fact| !fact.is_labelled()) {
            return false;
        }
        let direction = self.graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text);
        let [Some((least, most)), Some((low, high))] = [operands[0].range(), operands[1].range()] else { return false };
        let decided = match direction {
            Some("LT") if most < low => true,
            Some("LT") if least >= high => false,
            Some("LE") if most <= low => true,
            Some("LE") if least > high => false,
            Some("GT") if least > high => true,
            Some("GT") if most <= low => false,
            Some("GE") if least >= high => true,
            Some("GE") if most < low => false,
            Some("EQ") if most < low || least > high => false,
            Some("NE") if most < low || least > high => true,
            _ => return false,
        };
        for result in self.graph.results(operation).iter() {
            let Some(extents) = self.extents(result) else { return false };
            let mut fact = self.nothing_known(result);
            fact.known = Some(Rc::new(Known::splat(Scalar::Integer(i128::from(decided)), extents.len())));
            self.set(result, fact);
        }
        true
    }

    /// The range of an integer result. Ranges hold in every run: a source has none, and what it picks has that of what it
    /// picks from.
    fn range(&self, kind: Kind, position: usize, result: ValueId, operands: &[Fact]) -> Option<(i128, i128)> {
        let bits = match self.element_type(result)? {
            ElementType::Signed(bits @ 2..=64) => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            ElementType::Unsigned(bits @ 1..=64) => (0, (1i128 << bits) - 1),
            _ => return None,
        };
        let of = |at: usize| operands.get(at)?.range();
        let union = |a: (i128, i128), b: (i128, i128)| (a.0.min(b.0), a.1.max(b.1));
        let range = match kind {
            Kind::Broadcast
            | Kind::BroadcastInDim
            | Kind::Reshape
            | Kind::Transpose
            | Kind::Slice
            | Kind::Reverse
            | Kind::DynamicSlice
            | Kind::Gather
            | Kind::Convert => of(0)?,
            Kind::Sort => of(position)?,
            Kind::TopK if position == 1 => {
                let last = *self.extents(self.graph.operands(self.maker(result)?)[0])?.last()?;
                (0, i128::from(last) - 1)
            }
            Kind::Select => union(of(1)?, of(2)?),
            Kind::Concatenate | Kind::Pad | Kind::DynamicUpdateSlice => {
                let parts = if kind == Kind::DynamicUpdateSlice { 2 } else { operands.len() };
                (1..parts).try_fold(of(0)?, |whole, at| Some(union(whole, of(at)?)))?
            }
            Kind::Clamp => {
                let (low, high) = (of(0)?, of(2)?);
                (low.0.min(high.0), high.1)
            }
            Kind::Maximum => (of(0)?.0.max(of(1)?.0), of(0)?.1.max(of(1)?.1)),
            Kind::Minimum => (of(0)?.0.min(of(1)?.0), of(0)?.1.min(of(1)?.1)),
            Kind::Add => (of(0)?.0 + of(1)?.0, of(0)?.1 + of(1)?.1),
            Kind::Subtract => (of(0)?.0 - of(1)?.1, of(0)?.1 - of(1)?.0),
            _ => return None,
        };
        // What may wrap round can be anything.
        (bits.0 <= range.0 && range.1 <= bits.1 || slips(Slip::NothingWraps)).then_some(range)
    }

    fn maker(&self, value: ValueId) -> Option<OperationId> {
        match self.graph.value(value).definition {
            crate::graph::Definition::Result(operation, _) => Some(operation),
            crate::graph::Definition::Argument(..) => None,
        }
    }

    /// An operation whose regions hold a source or take from outside: all of it meets.
    fn everything(
        &mut self,
        operation: OperationId,
        interior: &super::interior::Interior,
        result: ValueId,
        operands: &[Fact],
        label: &mut LabelBuilder,
    ) {
        let rank = self.extents(result).map_or(0, |extents| extents.len());
        let captured: Vec<Fact> = interior.captures.iter().map(|value| self.fact(*value)).collect();
        for term in operands.iter().chain(&captured).flat_map(|fact| fact.terms.iter()) {
            label.add(Elements::All, term.guard.global(rank), term, Dependence::Data);
        }
        if interior.holds_source {
            let place = self.place(result);
            let node = self.leak.add_node(place, Elements::All, false);
            self.leak.sources.push(node);
            let begun = Term { elements: Elements::All, guard: Guard::always(), opaque: false, node };
            label.add(Elements::All, Guard::always(), &begun, Dependence::Data);
            if self.transfer.has_effects(operation) {
                self.reach_world(node);
            }
        }
    }

    // --- what is known

    /// The number, elements, truth and support of a result; labels apart.
    fn described(
        &mut self,
        operation: OperationId,
        kind: Kind,
        position: usize,
        result: ValueId,
        operands: &[Fact],
        interior: Option<&super::interior::Interior>,
    ) -> Fact {
        let extents = self.extents(result);
        let recipe = self.recipe(operation, kind, position, result, operands, interior);
        let Some(extents) = extents else {
            let view = match recipe {
                Some(recipe) => self.numbering.of(recipe, None),
                None => self.numbering.fresh(None),
            };
            return Fact::new(view);
        };
        if let Some(fact) = self.moved(operation, kind, operands, &extents) {
            return fact;
        }
        let view = match recipe {
            Some(recipe) => self.numbering.of(recipe, Some(&extents)),
            None => self.numbering.fresh(Some(&extents)),
        };
        let mut fact = Fact::new(view);
        fact.known = self.folded(operation, kind, result, operands, &extents).map(Rc::new);
        if fact.known.is_none() {
            let mut truth = self.truth(operation, kind, operands, &extents);
            if let Some(truth) = &mut truth
                && matches!(kind, Kind::And | Kind::Or)
                && fact.view.is_whole()
            {
                // What is lost of its operands where it is not sure which one decides is in a name of its own.
                let own = literal_truth(Atom::True(fact.view.number), Affine::identity(&extents));
                *truth = Truth {
                    when_true: both(&truth.when_true, &own.when_true),
                    when_false: both(&truth.when_false, &own.when_false),
                };
            }
            fact.truth = truth.or_else(|| self.order(operation, kind, operands, &extents)).map(Rc::new);
            if fact.truth.is_none() {
                let support = self.supported(operation, kind, operands, &extents);
                if kind == Kind::Multiply && support.as_ref().is_some_and(|support| support.assumes_finite) {
                    self.finite_sites.insert((self.position, operation));
                }
                fact.support = support.map(Rc::new);
            }
        }
        fact
    }

    pub(super) fn element_type(&self, value: ValueId) -> Option<&ElementType> {
        self.graph.tensor_type(value).map(|tensor| &tensor.element)
    }

    /// How a pure operation is told from others; none if its result is never surely that of another.
    fn recipe(
        &self,
        operation: OperationId,
        kind: Kind,
        position: usize,
        result: ValueId,
        operands: &[Fact],
        interior: Option<&super::interior::Interior>,
    ) -> Option<Recipe> {
        let facts = self.graph.operation(operation);
        let body = match interior {
            None => Rc::new([]),
            Some(interior) if interior.holds_source => return None,
            Some(interior) => interior.signature.clone()?,
        };
        let is_hidden = matches!(rule_of(kind), Rule::StatefulRandom | Rule::CustomCall | Rule::Opaque | Rule::Call);
        if is_hidden && !slips(Slip::DrawsAlike) {
            return None;
        }
        let made_by = [
            self.position as u32,
            kind as u32,
            facts.attributes.index() as u32,
            self.graph.value(result).r#type.index() as u32,
            position as u32,
        ];
        let values = self.graph.operands(operation);
        let operands = operands.iter().zip(values).map(|(fact, value)| self.shaped_view(fact, *value)).collect();
        Some(Recipe { operation: made_by, body, operands })
    }

    pub(super) fn shaped_view(&self, fact: &Fact, value: ValueId) -> (View, Option<Box<[u64]>>) {
        let extents = self.extents(value).filter(|_| !slips(Slip::LengthsAlike));
        (fact.view.clone(), extents.map(Vec::into_boxed_slice))
    }

    /// Operations that only show elements of an operand elsewhere: everything known of it moves along.
    fn moved(&mut self, operation: OperationId, kind: Kind, operands: &[Fact], to: &[u64]) -> Option<Fact> {
        let moves = matches!(
            kind,
            Kind::Broadcast
                | Kind::BroadcastInDim
                | Kind::Reshape
                | Kind::Transpose
                | Kind::Slice
                | Kind::Reverse
                | Kind::DynamicSlice
        );
        if !moves {
            return None;
        }
        let operand = *self.graph.operands(operation).first()?;
        let fact = &operands[0];
        let from = self.extents(operand)?;
        let image = self.image(operation, 0, 0, operands);
        let axes: Option<Vec<Option<Pick>>> = match &image {
            Image::Axes(axes) => Some(picks(axes, to.len())?),
            Image::Reshaped => None,
            _ => return None,
        };
        let change = |map: &Affine| match &axes {
            Some(axes) => map.rearranged(axes, to),
            None => map.reshaped(&from, to),
        };
        let map = change(&fact.view.map(&from))?;
        let mut moved = Fact::new(self.numbering.seen(fact.view.number, map, to));
        moved.known = fact.known.as_ref().and_then(|known| {
            let map = change(&known.map)?;
            Some(Rc::new(Known { data: Rc::clone(&known.data), map }))
        });
        moved.truth = fact.truth.as_ref().map(|truth| {
            let (when_true, when_false) = (truth.when_true.mapped(change), truth.when_false.mapped(change));
            Rc::new(Truth { when_true, when_false })
        });
        moved.support = fact.support.as_ref().map(|support| {
            Rc::new(Support {
                elements: image.of(&support.elements, &from, to),
                guard: support.guard.mapped(change),
                assumes_finite: support.assumes_finite,
            })
        });
        Some(moved)
    }

    pub(super) fn image(&self, operation: OperationId, operand: usize, result: usize, operands: &[Fact]) -> Image {
        let known = |position: usize| {
            let value = *self.graph.operands(operation).get(position)?;
            operands.get(position)?.known.as_ref()?.integers(&self.extents(value)?)
        };
        image(self.graph, operation, operand, result, &known)
    }

    /// Where a known test is true, and where it is false.
    pub(super) fn chosen_elements(
        &self,
        known: &Known,
        test: ValueId,
        extents: &[u64],
    ) -> Option<(Elements, Elements)> {
        if self.extents(test)? != extents {
            return None;
        }
        let chosen = known.elements_where(extents, |scalar| !scalar.is_zero());
        Some((chosen, known.elements_where(extents, Scalar::is_zero)))
    }
}
