//! One operation without calls, loops or choices: what is known of its results.

use std::rc::Rc;

use super::constants::{self, Known, Scalar};
use super::facts::{Fact, Support, Truth};
use super::label::{LabelBuilder, Term};
use super::machine::Machine;
use super::numbering::{Recipe, View};
use crate::graph::{Attribute, ElementType, OperationId, OperationKind as Kind, ValueId};
use crate::index::Id;
use crate::lattice::{Affine, Atom, AxisImage, Elements, Guard, Literal, Pick};
use crate::transfer::images::{Image, image, is_element_by_element, picks};
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

    fn element_type(&self, value: ValueId) -> Option<&ElementType> {
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

    fn shaped_view(&self, fact: &Fact, value: ValueId) -> (View, Option<Box<[u64]>>) {
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

    fn folded(
        &mut self,
        operation: OperationId,
        kind: Kind,
        result: ValueId,
        operands: &[Fact],
        extents: &[u64],
    ) -> Option<Known> {
        let graph = self.graph;
        let element = graph.tensor_type(result).map(|tensor| &tensor.element)?;
        match kind {
            Kind::Constant => {
                let attributes = graph.operation(operation).attributes;
                if let Some(known) = self.constants.get(&attributes) {
                    return known.as_deref().cloned();
                }
                let known = match graph.attribute(operation, "value") {
                    Some(Attribute::Dense(dense)) => constants::read(graph, dense, element, extents),
                    _ => None,
                };
                self.constants.insert(attributes, known.clone().map(Rc::new));
                known
            }
            Kind::Iota => {
                let dimension =
                    graph.attribute(operation, "iota_dimension").and_then(Attribute::as_integer).unwrap_or(0);
                constants::iota(usize::try_from(dimension).ok()?, extents, element)
            }
            Kind::Concatenate | Kind::Pad => self.assembled(operation, kind, operands, extents),
            Kind::DynamicUpdateSlice => self.overwritten(operation, operands, extents),
            kind if is_element_by_element(kind) && !operands.is_empty() => {
                let known: Option<Vec<&Known>> = operands.iter().map(|fact| fact.known.as_deref()).collect();
                let mut known: Vec<Known> = known?.into_iter().cloned().collect();
                for (known, operand) in known.iter_mut().zip(graph.operands(operation)) {
                    if self.extents(*operand)?.is_empty() {
                        *known = Known::splat(known.single()?, extents.len());
                    }
                }
                let from = self.element_type(*graph.operands(operation).last()?)?;
                constants::fold_element_by_element(
                    graph,
                    operation,
                    &known.iter().collect::<Vec<_>>(),
                    from,
                    element,
                    extents,
                )
            }
            _ => None,
        }
    }

    fn assembled(&self, operation: OperationId, kind: Kind, operands: &[Fact], extents: &[u64]) -> Option<Known> {
        let graph = self.graph;
        let parts: Option<Vec<(&Known, Vec<u64>)>> = operands
            .iter()
            .zip(graph.operands(operation))
            .map(|(fact, value)| Some((fact.known.as_deref()?, self.extents(*value)?)))
            .collect();
        let parts = parts?;
        if kind == Kind::Concatenate {
            let dimension = graph.attribute(operation, "dimension").and_then(Attribute::as_integer)?;
            let dimension = usize::try_from(dimension).ok()?;
            return constants::assembled(extents, |index| {
                let mut index: Vec<i64> = index.iter().map(|at| *at as i64).collect();
                for (known, extents) in &parts {
                    let extent = *extents.get(dimension)? as i64;
                    if index[dimension] < extent {
                        return known.element(&index, extents);
                    }
                    index[dimension] -= extent;
                }
                None
            });
        }
        let rank = extents.len();
        let list = |name: &str| match graph.attribute(operation, name) {
            None => Some(vec![0; rank]),
            Some(attribute) => attribute.as_integers().filter(|list| list.len() == rank).map(<[i64]>::to_vec),
        };
        let (low, interior) = (list("edge_padding_low")?, list("interior_padding")?);
        let [(inner, inner_extents), (padding, _)] = &parts[..] else { return None };
        let padding = padding.single()?;
        constants::assembled(extents, |index| {
            let mut source = Vec::with_capacity(rank);
            for axis in 0..rank {
                let (at, step) = (index[axis] as i64 - low[axis], interior[axis] + 1);
                if at.rem_euclid(step) != 0 {
                    return Some(padding);
                }
                source.push(at.div_euclid(step));
            }
            let inside = source.iter().zip(inner_extents).all(|(at, extent)| *at >= 0 && (*at as u64) < *extent);
            if inside { inner.element(&source, inner_extents) } else { Some(padding) }
        })
    }

    /// A known tensor with a known window at a known place.
    fn overwritten(&self, operation: OperationId, operands: &[Fact], extents: &[u64]) -> Option<Known> {
        let Image::Axes(axes) = self.image(operation, 1, 0, operands) else { return None };
        let (whole, window) = (operands[0].known.as_deref()?, operands[1].known.as_deref()?);
        let window_extents = self.extents(self.graph.operands(operation)[1])?;
        let lows: Option<Vec<i64>> = (axes.iter())
            .map(|axis| match axis {
                AxisImage::Placed { low, .. } => Some(*low),
                _ => None,
            })
            .collect();
        let lows = lows?;
        constants::assembled(extents, |index| {
            let index: Vec<i64> = index.iter().map(|at| *at as i64).collect();
            let inner: Vec<i64> = index.iter().zip(&lows).map(|(at, low)| at - low).collect();
            window.element(&inner, &window_extents).or_else(|| whole.element(&index, extents))
        })
    }

    // --- truth

    /// What a truth value says where it is true and where it is false; of a plain boolean, that it is so.
    pub(super) fn truth_of(&self, fact: &Fact, value: ValueId) -> Option<Truth> {
        if fact.is_labelled() && !slips(Slip::LabelledGuard) {
            return None; // a labelled atom never excludes anything
        }
        if let Some(truth) = &fact.truth {
            return Some((**truth).clone());
        }
        let extents = self.extents(value)?;
        let is_boolean = self.element_type(value) == Some(&ElementType::Boolean) || slips(Slip::NumberAsBoolean);
        (is_boolean && fact.known.is_none()).then(|| {
            let map = fact.view.map(&extents);
            literal_truth(Atom::True(fact.view.number), map)
        })
    }

    fn truth(&self, operation: OperationId, kind: Kind, operands: &[Fact], extents: &[u64]) -> Option<Truth> {
        let values = self.graph.operands(operation);
        if operands.iter().any(Fact::is_labelled) && !slips(Slip::LabelledTruth) || values.is_empty() {
            return None;
        }
        // Truth of operands with the same shape as the result, or scalars.
        let of = |at: usize| -> Option<Truth> {
            let truth = self.truth_of(&operands[at], values[at])?;
            let own = self.extents(values[at])?;
            match own == extents {
                true => Some(truth),
                false if own.is_empty() => Some(Truth {
                    when_true: truth.when_true.global(extents.len()),
                    when_false: truth.when_false.global(extents.len()),
                }),
                false => None,
            }
        };
        match (kind, operands) {
            (Kind::Not, [_])
                if self.element_type(values[0]) == Some(&ElementType::Boolean) || slips(Slip::BitsAsNegation) =>
            {
                of(0).map(|truth| truth.negated())
            }
            (Kind::Convert, [_]) => of(0),
            (Kind::And | Kind::Multiply | Kind::Minimum, [_, _]) => Some(conjunction(&of(0)?, &of(1)?)),
            (Kind::Or | Kind::Maximum, [_, _]) => Some(disjunction(&of(0)?, &of(1)?)),
            // The sum of truth values is a disjunction.
            (Kind::Add, [_, _]) if self.element_type(values[0]) == Some(&ElementType::Boolean) => {
                Some(disjunction(&of(0)?, &of(1)?))
            }
            (Kind::Subtract, [one, _]) if one.single().is_some_and(Scalar::is_one) => {
                of(1).map(|truth| truth.negated())
            }
            (Kind::Compare, [left, right]) => self.comparison(operation, left, right, values, of, extents),
            (Kind::Select, [_, yes, no]) => match (yes.single()?, no.single()?) {
                (yes, no) if yes.is_one() && no.is_zero() => of(0),
                (yes, no) if yes.is_zero() && no.is_one() => of(0).map(|truth| truth.negated()),
                _ => None,
            },
            _ => None,
        }
    }

    /// A comparison with a constant: of a truth value, or for equality.
    fn comparison(
        &self,
        operation: OperationId,
        left: &Fact,
        right: &Fact,
        values: &[ValueId],
        of: impl Fn(usize) -> Option<Truth>,
        extents: &[u64],
    ) -> Option<Truth> {
        let direction = self.graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text)?;
        let total = self.graph.attribute(operation, "compare_type").and_then(Attribute::as_text) == Some("TOTALORDER");
        let (varying, constant, swapped) = match (left.single(), right.single()) {
            (None, Some(constant)) => (0, constant, false),
            (Some(constant), None) => (1, constant, true),
            _ => return None,
        };
        if total && !slips(Slip::ZerosAlike) {
            return None; // it tells zeros apart
        }
        if let Some(truth) = of(varying) {
            let number = |bit: i128| match constant {
                Scalar::Integer(_) => Scalar::Integer(bit),
                Scalar::Float(_) => Scalar::Float(bit as f64),
            };
            let test = |bit: i128| {
                let holds = match swapped {
                    false => constants::compare(direction, number(bit), constant),
                    true => constants::compare(direction, constant, number(bit)),
                };
                holds.map(|holds| !holds.is_zero())
            };
            return match (test(0)?, test(1)?) {
                (false, true) => Some(truth),
                (true, false) => Some(truth.negated()),
                _ => None,
            };
        }
        if !matches!(direction, "EQ" | "NE") {
            return None;
        }
        let fact = if varying == 0 { left } else { right };
        let own = self.extents(values[varying])?;
        if own != extents {
            return None;
        }
        let truth = literal_truth(Atom::Equals(fact.view.number, constant.bits()?), fact.view.map(extents));
        Some(if direction == "EQ" { truth } else { truth.negated() })
    }

    /// A comparison of two values by size, told by one that all of its forms share: `a > b` is `b < a`, and for integers
    /// `a >= b` is `not (a < b)`. For floats it is not: both are false where one is NaN.
    fn order(&mut self, operation: OperationId, kind: Kind, operands: &[Fact], extents: &[u64]) -> Option<Truth> {
        let [left, right] = operands else { return None };
        let is_labelled = left.is_labelled() || right.is_labelled();
        if kind != Kind::Compare || is_labelled && !slips(Slip::LabelledOrder) {
            return None;
        }
        let values = self.graph.operands(operation);
        if values.iter().any(|value| self.extents(*value).as_deref() != Some(extents)) {
            return None;
        }
        let direction = self.graph.attribute(operation, "comparison_direction").and_then(Attribute::as_text)?;
        let kind_of = self.graph.attribute(operation, "compare_type").and_then(Attribute::as_text);
        if kind_of == Some("TOTALORDER") {
            return None;
        }
        let is_integer = matches!(self.element_type(values[0])?, ElementType::Signed(_) | ElementType::Unsigned(_));
        let (less, greater, or_equal) = match direction {
            "LT" => (left, right, false),
            "GT" => (right, left, false),
            "GE" if is_integer || slips(Slip::NanForgotten) => (left, right, true),
            "LE" if is_integer => (right, left, true),
            _ => return None,
        };
        // The comparison itself, without attributes: those that matter are in what it is called.
        let recipe = Recipe {
            operation: [self.position as u32, Kind::Compare as u32, u32::MAX, u32::from(is_integer), 0],
            body: Rc::new([]),
            operands: vec![self.shaped_view(less, values[0]), self.shaped_view(greater, values[0])],
        };
        let number = self.numbering.of(recipe, Some(extents)).number;
        let truth = literal_truth(Atom::True(number), Affine::identity(extents));
        Some(if or_equal { truth.negated() } else { truth })
    }

    /// The condition under which a branch is taken.
    pub(super) fn branch_condition(&self, operation: OperationId, branch: usize, index: &Fact) -> Guard {
        if index.is_labelled() && !slips(Slip::LabelledBranch) {
            return Guard::always();
        }
        let value = self.graph.operands(operation)[0];
        match self.graph.operation(operation).kind {
            Kind::If => match self.truth_of(index, value) {
                Some(truth) if (branch == 0) != slips(Slip::BranchesSwapped) => truth.when_true,
                Some(truth) => truth.when_false,
                None => Guard::always(),
            },
            // The last branch also takes every index out of range.
            Kind::Case
                if branch + 1 < self.graph.regions_of(operation).len() || slips(Slip::LastBranchOnlyAtItsIndex) =>
            {
                let atom = Atom::Equals(index.view.number, branch as u64);
                Guard::literal(Literal { atom, map: index.view.map(&[]), negated: false })
            }
            _ => Guard::always(),
        }
    }

    // --- support

    /// Where a result may be nonzero, if that says anything.
    fn supported(&self, operation: OperationId, kind: Kind, operands: &[Fact], extents: &[u64]) -> Option<Support> {
        let values = self.graph.operands(operation);
        let says_something = |fact: &Fact| fact.support.is_some() || fact.truth.is_some() || fact.known.is_some();
        if !operands.iter().any(says_something) && kind != Kind::Select {
            return None;
        }
        let own = |at: usize| -> Option<Support> {
            (self.extents(values[at])? == extents).then(|| operands[at].support(extents))
        };
        let is_float = self.element_type(values[0]).is_none_or(ElementType::is_continuous);
        let either = |a: Support, b: Support| {
            let mut elements = a.elements.clone();
            elements.join(&b.elements);
            let guard = match (a.elements.is_empty(), b.elements.is_empty()) {
                (true, _) => b.guard,
                (_, true) => a.guard,
                _ => a.guard.common(&b.guard),
            };
            Support { elements, guard, assumes_finite: a.assumes_finite || b.assumes_finite }
        };
        let under = |guard: &Guard, support: Support| match guard.and(&support.guard) {
            Some(guard) => Support { guard, ..support },
            None => Support { elements: Elements::none(), guard: Guard::always(), ..support },
        };
        let support = match kind {
            Kind::Negate
            | Kind::Convert
            | Kind::Abs
            | Kind::Sign
            | Kind::Floor
            | Kind::Ceil
            | Kind::Sqrt
            | Kind::Tanh => own(0)?,
            Kind::Add if slips(Slip::SumIsZero) => own(0)?,
            Kind::Add | Kind::Subtract | Kind::Maximum | Kind::Minimum | Kind::Or | Kind::Xor => {
                either(own(0)?, own(1)?)
            }
            Kind::Divide if operands[1].single().is_some_and(|scalar| scalar.bits().is_some() && !scalar.is_zero()) => {
                own(0)?
            }
            Kind::Multiply | Kind::And => {
                if is_float && kind == Kind::Multiply && !self.assumed.finite && !slips(Slip::ProductIsZero) {
                    return None;
                }
                let (a, b) = (own(0)?, own(1)?);
                let elements = a.elements.intersection(&b.elements);
                let assumes_finite = is_float || a.assumes_finite || b.assumes_finite;
                match a.guard.and(&b.guard) {
                    Some(guard) => Support { elements, guard, assumes_finite },
                    None => Support { elements: Elements::none(), guard: Guard::always(), assumes_finite },
                }
            }
            Kind::Select => {
                let (yes, no) = (own(1)?, own(2)?);
                let test = &operands[0];
                match (&test.known, self.truth_of(test, values[0])) {
                    (Some(known), _) => {
                        let (chosen, refused) = self.chosen_elements(known, values[0], extents)?;
                        let part = |support: Support, elements: Elements| Support {
                            elements: support.elements.intersection(&elements),
                            ..support
                        };
                        either(part(yes, chosen), part(no, refused))
                    }
                    (None, Some(truth)) => {
                        let rank = extents.len();
                        let scalar = self.extents(values[0])?.is_empty();
                        let spread = |guard: &Guard| if scalar { guard.global(rank) } else { guard.clone() };
                        let (yes_guard, no_guard) = (spread(&truth.when_true), spread(&truth.when_false));
                        either(under(&yes_guard, yes), under(&no_guard, no))
                    }
                    (None, None) => either(yes, no),
                }
            }
            Kind::Pad | Kind::Concatenate | Kind::DynamicUpdateSlice => {
                let parts = if kind == Kind::DynamicUpdateSlice { 2 } else { operands.len() };
                let mut whole: Option<Support> = None;
                for at in 0..parts {
                    let from = self.extents(values[at])?;
                    let image = self.image(operation, at, 0, operands);
                    let part = operands[at].support(&from);
                    let there = Support {
                        elements: image.of(&part.elements, &from, extents),
                        guard: image.condition(&part.guard, &from, extents),
                        assumes_finite: part.assumes_finite,
                    };
                    whole = Some(match whole {
                        Some(whole) => either(whole, there),
                        None => there,
                    });
                }
                whole?
            }
            _ => return None,
        };
        (!support.says_nothing()).then_some(support)
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

fn conjunction(a: &Truth, b: &Truth) -> Truth {
    Truth { when_true: both(&a.when_true, &b.when_true), when_false: a.when_false.common(&b.when_false) }
}

fn disjunction(a: &Truth, b: &Truth) -> Truth {
    conjunction(&a.negated(), &b.negated()).negated()
}

/// Both; or one where they exclude each other, which says less.
fn both(a: &Guard, b: &Guard) -> Guard {
    a.and(b).unwrap_or_else(|| a.clone())
}

fn literal_truth(atom: Atom, map: Affine) -> Truth {
    let literal = |negated| Guard::literal(Literal { atom, map: map.clone(), negated });
    Truth { when_true: literal(false), when_false: literal(true) }
}

/// The number of a view, for inputs that a policy says are 0 or 1.
pub(super) fn binary_truth(view: &View, extents: &[u64]) -> Truth {
    literal_truth(Atom::True(view.number), view.map(extents))
}
