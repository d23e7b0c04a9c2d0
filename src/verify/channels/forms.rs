//! What the pivots do on their way to the sinks, value by value, until nothing changes: and whether that is what the claim says.
//!
//! A pivot may be a test, a factor or an index, and nothing else: as a number in a sum it is content. What was picked,
//! scaled or chosen is followed to the sink, and into the next step. State that a test keeps or moves on may be what an
//! update is made of, where the same test chooses the update.

use super::super::Claim;
use super::super::backward::constants::Class;
use super::super::backward::demand::described;
use super::super::backward::trace::{Instance, Node, Role, Trace, Value};
use super::super::backward::{self, Allowed, CutElement};
use super::form::{Amounts, End, Form, Pivots, What, united};
use super::norms::Norms;
use super::reach::{between, first_reached, needed};
use super::signs::never_negative;
use crate::graph::OperationKind as Kind;
use crate::verdict::{Channel, Hop};

/// More passes over the step, and it is given up.
const MOST_PASSES: usize = 24;

/// A step that is looked at, with what is known so far.
pub(super) struct Forms<'t, 'c, 'a> {
    pub trace: &'t Trace<'c, 'a>,
    /// Whether a value lies between a pivot and a sink.
    pub is_between: Vec<bool>,
    pub never_negative: Vec<bool>,
    pub norms: Norms<'t, 'c, 'a>,
    /// For each graph and input whether it is declared data.
    data: &'t [Vec<usize>],
    /// For each value that is a pivot which one.
    pivots: Vec<Option<usize>>,
    /// For each pivot whether it is one truth value.
    is_truth: Vec<bool>,
    forms: Vec<Option<Form>>,
}

/// Problems; empty if the sinks of the claim get nothing but through the pivots, and no more than this through them.
pub(super) fn check(
    claim: &Claim<'_>,
    allowed: &Allowed<'_>,
    cut: Vec<CutElement>,
    most: Channel,
    data: &[Vec<usize>],
) -> Vec<String> {
    let cut = match first_reached(claim, cut) {
        Ok(cut) => cut,
        Err(problem) => return vec![problem],
    };
    let proof = match backward::prove(claim, allowed, &cut) {
        Ok(proof) => proof,
        Err(problems) => return problems,
    };
    let trace = proof.trace;
    let mut pivots = vec![None; trace.values.len()];
    let mut is_truth = vec![false; cut.len()];
    for (value, position) in &trace.cuts {
        let shape = &trace.values[*value as usize].shape;
        pivots[*value as usize] = Some(*position);
        is_truth[*position] = shape.class == Class::Boolean && shape.extents.as_deref() == Some(&[]);
    }
    let count = trace.values.len();
    let mut forms = Forms {
        is_between: between(&trace, &proof.demanded),
        never_negative: never_negative(&trace),
        norms: Norms::new(&trace),
        trace: &trace,
        data,
        pivots,
        is_truth,
        forms: vec![None; count],
    };
    if !forms.run() {
        return vec!["what the pivots do is too involved to be re-checked".into()];
    }
    let numbers = forms.truths_as_numbers();
    let mut problems = Vec::new();
    for (graph, sinks) in claim.sinks.iter().enumerate() {
        let facts = claim.graphs[graph].graph;
        for sink in sinks {
            let path = &facts.function(facts.entry()).outputs[*sink];
            match forms.arrives(graph, *sink, &numbers) {
                Ok(found) if found <= most => {}
                Ok(found) => {
                    let (found, most) = (found.as_str(), most.as_str());
                    problems.push(format!("the channel of `{path}` is {found}, and {most} is claimed"));
                }
                Err(why) => problems.push(format!("the channel of `{path}`: {why}")),
            }
        }
    }
    problems
}

impl Forms<'_, '_, '_> {
    /// Whether it ended.
    fn run(&mut self) -> bool {
        for _ in 0..MOST_PASSES {
            let mut changed = false;
            let trace = self.trace;
            for node in &trace.nodes {
                for value in node.results.clone().filter(|value| self.is_between[*value as usize]) {
                    let form = self.form_of(node, value);
                    if form.is_some() && form != self.forms[value as usize] {
                        self.forms[value as usize] = form;
                        changed = true;
                    }
                }
            }
            if !changed {
                return true;
            }
        }
        false
    }

    /// What is known of a value; nothing yet, if it waits for another.
    pub fn get(&self, value: Instance) -> Option<Form> {
        if self.is_between[value as usize] {
            return self.forms[value as usize].clone();
        }
        Some(Form::plain(self.what(value)))
    }

    /// A value that the pivots do not reach.
    fn what(&self, value: Instance) -> What {
        let facts = &self.trace.values[value as usize];
        let bits = facts.known.as_ref().and_then(|known| known.scalar());
        match bits.is_some_and(|bits| facts.shape.class.is_zero(bits)) {
            true => What::Zero,
            false => What::Number(facts.number),
        }
    }

    /// Where something is, for a message.
    pub fn at(&self, node: &Node) -> String {
        described(self.trace.graph(node), node)
    }

    /// A reason with its place, unless it has one.
    pub fn reason(&self, node: &Node, why: String) -> String {
        match why.is_empty() {
            true => format!("it is more than a test, a factor or an index: see {}", self.at(node)),
            false if why.contains(": see ") => why,
            false => format!("{why}: see {}", self.at(node)),
        }
    }

    /// Whether all elements are one known number.
    pub fn is_one_number(&self, value: Instance) -> bool {
        self.trace.values[value as usize].known.as_ref().is_some_and(|known| known.scalar().is_some())
    }

    pub fn is_scalar(&self, value: Instance) -> bool {
        self.trace.values[value as usize].shape.extents.as_deref() == Some(&[])
    }

    pub fn is_discrete(&self, value: Instance) -> bool {
        let class = self.trace.values[value as usize].shape.class;
        class == Class::Boolean || class.is_integer()
    }

    fn form_of(&self, node: &Node, value: Instance) -> Option<Form> {
        if let Some(pivot) = self.pivots[value as usize] {
            let mut form = Form::content(Pivots::from([pivot]), String::new());
            form.uniform = self.is_scalar(value);
            form.index = self.is_discrete(value);
            // A value that is cut is handed on under its own name.
            form.power = self.loss_scale(if node.role == Role::Pass { node.operands[0] } else { value });
            return Some(form);
        }
        let position = (value - node.results.start) as usize;
        match node.role {
            Role::Source => None,
            Role::Input(position) => self.carried_in(node.graph, position, value),
            Role::Pass => self.get(node.operands[0]),
            Role::Branch => {
                let ends: Vec<Form> = node.operands[1..].iter().filter_map(|end| self.get(*end)).collect();
                let is_reached = self.is_between[node.operands[0] as usize];
                self.chosen(node, value, is_reached.then(|| self.get(node.operands[0])), &ends)
            }
            Role::LoopEntry(at) => {
                let entry = &self.trace.loops[at];
                let ends = [entry.initial[position], entry.next[position]];
                let ends: Vec<Form> = ends.iter().filter_map(|end| self.get(*end)).collect();
                self.chosen(node, value, None, &ends)
            }
            Role::LoopExit(at) => self.after_loop(node, at, position, value),
            Role::Operation => self.operation(node, value),
        }
    }

    /// One of some values, by a test or (none) by something that is not labelled.
    pub fn chosen(&self, node: &Node, value: Instance, test: Option<Option<Form>>, ends: &[Form]) -> Option<Form> {
        let first = ends.first()?;
        let mut form = Form::content(Pivots::new(), String::new());
        ends.iter().for_each(|end| form.pivots.extend(&end.pivots));
        let reached = || ends.iter().filter(|end| !end.pivots.is_empty());
        form.uniform = self.is_scalar(value) && reached().all(|end| end.uniform);
        form.index = self.is_discrete(value) && reached().all(|end| end.index);
        ends.iter().for_each(|end| form.chosen_by.extend(&end.chosen_by));
        // Picked data decides like any other data. So does state, but for whether other state is kept.
        let mut shared = Amounts::default();
        let test = match test {
            Some(test) => {
                let test = test?;
                form.pivots.extend(&test.pivots);
                form.uniform &= test.uniform;
                form.index &= test.index || test.uniform;
                let keeps =
                    || test.uniform && ends.iter().any(|end| end.ends.iter().flatten().any(|end| self.is_input(end)));
                match test.single().filter(|end| end.by.selection || !keeps()) {
                    Some(end) => {
                        shared.add(&end.by);
                        form.chosen_by.extend(&test.chosen_by);
                        None
                    }
                    None => Some(test),
                }
            }
            None => None,
        };
        let Some(test) = test else {
            form.power = first.power.filter(|power| ends.iter().all(|end| end.power == Some(*power)));
            form.multiple_of = common_tensor(ends);
            form.ends = match ends.iter().map(Form::single).collect::<Option<Vec<_>>>() {
                Some(singles) => {
                    singles.iter().for_each(|end| shared.add(&end.by));
                    Ok(vec![End::made(value, shared)])
                }
                None if shared == Amounts::default() => united(ends),
                None => Err(self.reason(node, "data or state decides on what tests chose".into())),
            };
            return Some(form);
        };
        form.multiple_of = common_tensor(ends).filter(|_| test.uniform);
        form.ends = match form.multiple_of {
            Some(_) => Ok(vec![End::made(value, Amounts { scale: true, ..Amounts::default() })]),
            None if test.uniform => {
                form.chosen_by.extend(&test.pivots);
                united(ends)
            }
            None if form.index => Err(String::new()),
            None => Err(self.reason(node, "elements are chosen one by one".into())),
        };
        Some(form)
    }

    fn is_input(&self, end: &End) -> bool {
        let mut inputs = self.trace.inputs.iter().flatten();
        inputs.any(|input| end.what == What::Number(self.trace.values[*input as usize].number))
    }

    /// What a loop leaves: with a labelled number of trips, what came in or what some trips made of it.
    fn after_loop(&self, node: &Node, at: usize, position: usize, value: Instance) -> Option<Form> {
        let carried = node.operands[position];
        let entry = &self.trace.loops[at];
        let inside = self.get(carried)?;
        if !self.is_between[entry.predicate as usize] {
            return Some(inside);
        }
        let test = self.get(entry.predicate)?;
        let initial = self.get(entry.initial[position])?;
        let moved = Form::plain(What::Made(value, 0));
        let moved = match &inside.ends {
            Ok(ends) => {
                let mut by = Amounts::default();
                ends.iter().for_each(|end| by.add(&end.by));
                Form { ends: Ok(vec![End::made(value, by)]), ..inside.clone() }
            }
            Err(_) if self.is_between[carried as usize] => inside,
            Err(_) => moved,
        };
        self.chosen(node, value, Some(Some(test)), &[initial, moved])
    }

    /// An input that holds what an earlier step made.
    fn carried_in(&self, graph: usize, position: usize, value: Instance) -> Option<Form> {
        let claim = self.trace.claim;
        let mut found: Option<Form> = None;
        for edge in claim.edges.iter().filter(|edge| edge.to == (graph, position)) {
            let Some(output) = self.trace.outputs.get(edge.from.0).and_then(|all| all.get(edge.from.1)).copied() else {
                continue;
            };
            // Nothing, until it is seen to be more.
            let Some(before) = self.get(output) else {
                let (uniform, index) = (self.is_scalar(value), self.is_discrete(value));
                found.get_or_insert_with(|| Form { uniform, index, ..Form::plain(self.what(value)) });
                continue;
            };
            let is_own = edge.hop == Hop::Carried && edge.from.0 == graph && !edge.possible;
            let form = self.next_step(before, value, is_own);
            found = match found {
                None => Some(form),
                Some(other) if other == form => Some(other),
                Some(other) => {
                    let pivots = other.pivots.union(&form.pivots).copied().collect();
                    Some(Form::content(pivots, "more than one output may be carried into an input".into()))
                }
            };
        }
        found
    }

    fn next_step(&self, before: Form, value: Instance, is_own: bool) -> Form {
        let own = self.what(value);
        let mut form = Form { multiple_of: None, chosen_by: Pivots::new(), ..before.clone() };
        form.power = self.loss_scale(value);
        form.ends = before.ends.and_then(|ends| {
            let mut by = Amounts::default();
            ends.iter().for_each(|end| by.add(&end.by));
            match &ends[..] {
                [end] if end.by.moved_by.is_empty() => {}
                _ if is_own && keeps_or_moves(&ends, own) => by.moved_by.extend(&before.chosen_by),
                _ => return Err("state that the tests do not keep or move on is carried".into()),
            }
            Ok(vec![End { what: own, by }])
        });
        form
    }

    /// A dynamic loss scale is one number that is carried, and that tests alone move. What is proportional to it is content,
    /// until it cancels.
    fn loss_scale(&self, input: Instance) -> Option<(u32, i64)> {
        let trace = self.trace;
        let value = &trace.values[input as usize];
        let maker = &trace.nodes[value.maker as usize];
        let Role::Input(position) = maker.role else { return None };
        let is_source = trace.claim.source_inputs[maker.graph].contains(&position);
        if is_source || !self.is_scalar(input) || !value.shape.class.is_float() {
            return None;
        }
        let edges = trace.claim.edges.iter().filter(|edge| edge.to == (maker.graph, position));
        let outputs: Vec<Instance> =
            edges.filter_map(|edge| trace.outputs.get(edge.from.0)?.get(edge.from.1)).copied().collect();
        let stops =
            |(at, value): (usize, &Value)| value.shape.class == Class::Boolean && self.is_scalar(at as Instance);
        let stops: Vec<bool> = trace.values.iter().enumerate().map(stops).collect();
        let needed = needed(trace, outputs, &stops);
        let mut made_of = trace
            .nodes
            .iter()
            .filter(|node| node.results.clone().any(|value| needed[value as usize] && !stops[value as usize]));
        let by_more = made_of.any(|node| match node.role {
            Role::Source => true,
            Role::Input(position) => trace.claim.source_inputs[node.graph].contains(&position),
            _ => node.world,
        });
        (!by_more).then_some((value.number, 1))
    }

    /// What arrives at a sink, at worst. `numbers` are the truth values that are made numbers of.
    fn arrives(&self, graph: usize, sink: usize, numbers: &Pivots) -> Result<Channel, String> {
        let output = *self.trace.outputs.get(graph).and_then(|all| all.get(sink)).ok_or("there is no such output")?;
        if !self.is_between[output as usize] {
            return Ok(Channel::None);
        }
        let form = self.get(output).ok_or("nothing is known of it")?;
        let ends = form.ends.map_err(|why| match why.is_empty() {
            true => "what decides is itself the result".to_string(),
            false => why,
        })?;
        let mut by = Amounts::default();
        ends.iter().for_each(|end| by.add(&end.by));
        if ends.len() > 1 || !by.moved_by.is_empty() {
            let own = self.trace.claim.own_inputs[graph].get(sink).copied().flatten();
            let own = own.and_then(|input| self.trace.inputs[graph].get(input)).map(|input| self.what(*input));
            if !own.is_some_and(|own| keeps_or_moves(&ends, own)) {
                return Err("a test chooses, and not between its own value and one other".into());
            }
            if !by.moved_by.is_subset(&form.chosen_by) {
                return Err("it is made of state that other tests move on".into());
            }
        }
        if by.scale && self.factors(&form.pivots, numbers) > 1 {
            return Err("there is more than one factor".into());
        }
        Ok(match by {
            Amounts { selection: true, .. } => Channel::Selection,
            Amounts { scale: true, .. } => Channel::Scale,
            Amounts { .. } => Channel::Timing,
        })
    }

    /// Whether an input is declared data.
    pub fn is_declared(&self, graph: usize, input: usize) -> bool {
        self.data.get(graph).is_some_and(|data| data.contains(&input))
    }

    /// How many pivots are not tests.
    fn factors(&self, pivots: &Pivots, numbers: &Pivots) -> usize {
        pivots.iter().filter(|pivot| !self.is_truth[**pivot] || numbers.contains(pivot)).count()
    }

    /// The truth values that are made numbers of: 0 and 1 are factors.
    fn truths_as_numbers(&self) -> Pivots {
        let class = |value: Instance| self.trace.values[value as usize].shape.class;
        let mut found = Pivots::new();
        for node in self.trace.nodes.iter().filter(|node| node.role == Role::Operation) {
            if node.results.clone().all(|value| class(value) == Class::Boolean) {
                continue;
            }
            let is_select = self.trace.kind(node) == Kind::Select;
            for operand in node.operands.iter().skip(usize::from(is_select)) {
                if class(*operand) == Class::Boolean
                    && let Some(form) = self.get(*operand)
                {
                    found.extend(&form.pivots);
                }
            }
        }
        found
    }
}

/// Whether it is its own value or one other.
fn keeps_or_moves(ends: &[End], own: What) -> bool {
    ends.len() <= 2 && ends.iter().any(|end| end.what == own)
}

/// The tensor that all of these are multiples of, one of them by more than 1.
fn common_tensor(ends: &[Form]) -> Option<u32> {
    let tensor = ends.iter().find_map(|end| end.multiple_of)?;
    let fits = |end: &Form| {
        let is_itself = end.single().is_some_and(|end| end.what == What::Number(tensor));
        end.multiple_of == Some(tensor) || is_itself && end.pivots.is_empty()
    };
    ends.iter().all(fits).then_some(tensor)
}
