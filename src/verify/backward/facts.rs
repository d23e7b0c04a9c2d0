//! What holds of values in every run: which may differ between the runs, what truth implies, where they are not 0.

use std::rc::Rc;

use super::bodies;
use super::conditions::{Along, Literal, Order, Position, Test, both, common, map_literals};
use super::constants::{Class, compare};
use super::dot::Dot;
use super::elements::Elements;
use super::movement::{Movement, integers, is_elementwise, is_identity, movement, window};
use super::trace::{Instance, Node, Role, Trace};
use super::{Allowed, Site};
use crate::graph::{Attribute, OperationKind as Kind};

/// What follows if an element of a boolean is true or false; of a number that is 0 or 1, if it is 1 or 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Truth {
    pub yes: Vec<Literal>,
    pub no: Vec<Literal>,
}

impl Truth {
    fn swapped(&self) -> Truth {
        Truth { yes: self.no.clone(), no: self.yes.clone() }
    }
}

/// An element that is not 0 is inside, and the literals hold of it.
#[derive(Clone, Debug)]
pub(super) struct Support {
    pub inside: Elements,
    pub literals: Vec<Literal>,
    /// Products where this takes that no operand is infinite or NaN.
    pub sites: Vec<Site>,
}

/// More sites, and nothing is said.
const MOST_SITES: usize = 16;

pub(super) struct Facts<'t, 'c, 'a> {
    trace: &'t Trace<'c, 'a>,
    finite: bool,
    pub tainted: Vec<bool>,
    /// For booleans, and for numbers that are 0 or 1.
    truth: Vec<Option<Rc<Truth>>>,
    support: Vec<Option<Rc<Support>>>,
}

impl<'t, 'c, 'a> Facts<'t, 'c, 'a> {
    pub fn new(trace: &'t Trace<'c, 'a>, allowed: &Allowed<'_>) -> Self {
        let count = trace.values.len();
        let mut facts = Facts {
            trace,
            finite: allowed.finite,
            tainted: super::taint::tainted(trace),
            truth: vec![None; count],
            support: vec![None; count],
        };
        for node in &trace.nodes {
            for result in node.results.clone() {
                facts.truth[result as usize] = facts.truth_of(node, result, allowed).map(Rc::new);
                facts.support[result as usize] = facts.support_of(node, result).map(Rc::new);
            }
        }
        facts
    }

    pub fn finite(&self) -> bool {
        self.finite
    }

    pub fn truth(&self, value: Instance) -> Truth {
        self.truth[value as usize].as_deref().cloned().unwrap_or_default()
    }

    fn known(&self, value: Instance) -> Option<u64> {
        self.trace.values[value as usize].known.as_ref().and_then(|known| known.scalar())
    }

    fn movement(&self, node: &Node, from: &[u64], to: &[u64]) -> Option<Movement> {
        let start = |operand: &Instance| self.class(*operand).integer(self.known(*operand)?);
        match self.trace.kind(node) {
            Kind::DynamicSlice => window(from, to, node.operands[1..].iter().map(start)),
            _ => movement(self.trace.graph(node), node.operation, from, to),
        }
    }

    fn class(&self, value: Instance) -> Class {
        self.trace.values[value as usize].shape.class
    }

    fn extents(&self, value: Instance) -> Option<&'t [u64]> {
        self.trace.values[value as usize].shape.extents.as_deref()
    }

    /// A literal about the element itself; none if it may differ between the runs.
    fn literal(&self, value: Instance, test: Test) -> Vec<Literal> {
        let view = self.trace.values[value as usize].view.as_ref();
        match view.filter(|_| !self.tainted[value as usize]) {
            Some(view) => vec![Literal { root: view.root, position: view.position.clone(), test }],
            None => Vec::new(),
        }
    }

    fn truth_of(&self, node: &Node, result: Instance, allowed: &Allowed<'_>) -> Option<Truth> {
        let class = self.class(result);
        let extents = self.extents(result)?;
        let derived = match node.role {
            Role::Input(position) => {
                let graph = self.trace.graph(node);
                let path = &graph.function(graph.entry()).inputs[position];
                let equals = |value: i128, float: f64| match class {
                    _ if class.is_float() => Test::Float(float.to_bits(), true),
                    _ => Test::Between(value, value),
                };
                let declared = class != Class::Boolean && class != Class::Other && allowed.binary.contains(path);
                declared.then(|| Truth {
                    yes: self.literal(result, equals(1, 1.0)),
                    no: self.literal(result, equals(0, 0.0)),
                })
            }
            Role::Pass => self.truth[node.operands[0] as usize].as_deref().cloned(),
            Role::Operation if !node.world => self.derived_truth(node, result, extents),
            _ => None,
        };
        if class != Class::Boolean {
            return derived;
        }
        let mut derived = derived.unwrap_or_default();
        if let Some((root, holds)) = self.trace.values[result as usize].compared
            && !self.tainted[result as usize]
            && let Some(position) = Position::row_major(extents)
        {
            let literal = |test: bool| vec![Literal { root, position: position.clone(), test: Test::Boolean(test) }];
            derived.yes = both(&derived.yes, &literal(holds));
            derived.no = both(&derived.no, &literal(!holds));
        }
        Some(Truth {
            yes: both(&derived.yes, &self.literal(result, Test::Boolean(true))),
            no: both(&derived.no, &self.literal(result, Test::Boolean(false))),
        })
    }

    fn derived_truth(&self, node: &Node, result: Instance, extents: &[u64]) -> Option<Truth> {
        let kind = self.trace.kind(node);
        let operands = &node.operands;
        let of = |at: usize| self.truth[operands[at] as usize].as_deref().cloned();
        if is_identity(kind) {
            return of((result - node.results.start) as usize);
        }
        if let Some(from) = operands.first().and_then(|operand| self.extents(*operand))
            && let Some(movement) = self.movement(node, from, extents)
        {
            let truth = of(0)?;
            return Some(Truth {
                yes: movement.literals(&truth.yes, from, extents),
                no: movement.literals(&truth.no, from, extents),
            });
        }
        if !is_elementwise(kind) || !self.fits(node, extents) {
            return None;
        }
        let one = |at: usize| self.known(operands[at]).is_some_and(|bits| self.class(operands[at]).is_one(bits));
        match kind {
            Kind::Not if self.class(result) == Class::Boolean => of(0).map(|truth| truth.swapped()),
            Kind::Convert if self.class(result) != Class::Other => of(0),
            Kind::Compare => self.compared(node),
            Kind::Select => self.selected(node),
            Kind::Subtract if one(0) && self.class(result) != Class::Boolean => of(1).map(|truth| truth.swapped()),
            Kind::Xor if one(1) => of(0).map(|truth| truth.swapped()),
            Kind::Xor if one(0) => of(1).map(|truth| truth.swapped()),
            Kind::And | Kind::Multiply | Kind::Minimum | Kind::Or | Kind::Maximum => {
                let is_or = matches!(kind, Kind::Or | Kind::Maximum);
                if one(0) && !is_or {
                    return of(1);
                }
                if one(1) && !is_or {
                    return of(0);
                }
                let (a, b) = (of(0)?, of(1)?);
                Some(if is_or {
                    Truth { yes: common(&a.yes, &b.yes), no: both(&a.no, &b.no) }
                } else {
                    Truth { yes: both(&a.yes, &b.yes), no: common(&a.no, &b.no) }
                })
            }
            _ => None,
        }
    }

    /// Whether each operand has the shape of the result, or a single element.
    fn fits(&self, node: &Node, extents: &[u64]) -> bool {
        node.operands.iter().all(|operand| self.extents(*operand).is_some_and(|own| own.is_empty() || own == extents))
    }

    fn compared(&self, node: &Node) -> Option<Truth> {
        let graph = self.trace.graph(node);
        let attribute = |name: &str| graph.attribute(node.operation, name).and_then(Attribute::as_text);
        if attribute("compare_type") == Some("TOTALORDER") {
            return None;
        }
        let direction = attribute("comparison_direction")?;
        let (value, constant, direction) = match (self.known(node.operands[0]), self.known(node.operands[1])) {
            (_, Some(constant)) => (node.operands[0], constant, direction),
            (Some(constant), _) => (node.operands[1], constant, flipped(direction)?),
            _ => return None,
        };
        let class = self.class(value);
        let (test, complement) = tests(class, direction, constant)?;
        let mut truth = Truth::default();
        if class != Class::Boolean {
            truth = Truth { yes: self.literal(value, test), no: self.literal(value, complement) };
        }
        // A value that is 0 or 1 decides by what the comparison says of these.
        if let Some(own) = &self.truth[value as usize] {
            let [zero, one] = if class.is_float() { [0.0f64.to_bits(), 1.0f64.to_bits()] } else { [0, 1] };
            let at = |bits: u64| compare(class, direction, bits, constant);
            let own = match (at(zero)?, at(one)?) {
                (false, true) => (**own).clone(),
                (true, false) => own.swapped(),
                _ => Truth::default(),
            };
            truth = Truth { yes: both(&truth.yes, &own.yes), no: both(&truth.no, &own.no) };
        }
        Some(truth)
    }

    fn selected(&self, node: &Node) -> Option<Truth> {
        let predicate = self.truth(node.operands[0]);
        // What each branch may be, and what then follows.
        let mut ways: [Option<Vec<Literal>>; 2] = [None, None];
        for (operand, when) in [(node.operands[1], &predicate.yes), (node.operands[2], &predicate.no)] {
            let class = self.class(operand);
            let constant = self.known(operand);
            if constant.is_some_and(|bits| !class.is_zero(bits) && !class.is_one(bits)) {
                return None;
            }
            let own = match (&self.truth[operand as usize], constant) {
                (Some(truth), _) => (**truth).clone(),
                (None, Some(_)) => Truth::default(),
                (None, None) => return None,
            };
            for (way, (literals, may)) in ways.iter_mut().zip([
                (&own.yes, constant.is_none_or(|bits| class.is_one(bits))),
                (&own.no, constant.is_none_or(|bits| class.is_zero(bits))),
            ]) {
                if may {
                    let all = both(when, literals);
                    *way = Some(way.take().map_or_else(|| all.clone(), |other| common(&other, &all)));
                }
            }
        }
        let [yes, no] = ways.map(Option::unwrap_or_default);
        Some(Truth { yes, no })
    }

    /// Where a value may be other than 0; none: anywhere.
    pub fn support(&self, value: Instance) -> Option<Support> {
        let facts = &self.trace.values[value as usize];
        let extents = facts.shape.extents.as_deref()?;
        let mut support = self.support[value as usize].as_deref().cloned();
        if let Some(known) = &facts.known {
            let inside = known.elements(extents, |bits| !facts.shape.class.is_zero(bits));
            support = Some(Support { inside, literals: Vec::new(), sites: Vec::new() });
        }
        if let Some(truth) = &self.truth[value as usize] {
            let whole = || Support { inside: Elements::whole(extents), literals: Vec::new(), sites: Vec::new() };
            let own = support.get_or_insert_with(whole);
            own.literals = both(&own.literals, &truth.yes);
        }
        support
    }

    fn anywhere(&self, value: Instance) -> Support {
        self.support(value).unwrap_or_else(|| Support {
            inside: Elements::whole(self.trace.values[value as usize].shape.domain()),
            literals: Vec::new(),
            sites: Vec::new(),
        })
    }

    fn is_zero(&self, value: Instance) -> bool {
        self.known(value).is_some_and(|bits| self.class(value).is_zero(bits))
    }

    fn support_of(&self, node: &Node, result: Instance) -> Option<Support> {
        let extents = self.extents(result)?;
        let operands = &node.operands;
        if node.role == Role::Pass {
            return self.support[operands[0] as usize].as_deref().cloned();
        }
        if node.role != Role::Operation || node.world || self.class(result) == Class::Other {
            return None;
        }
        let kind = self.trace.kind(node);
        let graph = self.trace.graph(node);
        if is_identity(kind) {
            return self.support(operands[(result - node.results.start) as usize]);
        }
        let first = operands.first().copied()?;
        let from = self.extents(first)?;
        if let Some(movement) = self.movement(node, from, extents) {
            let support = self.support(first)?;
            let inside = movement.elements_forward(&support.inside, from, extents);
            let literals = movement.literals(&support.literals, from, extents);
            return Some(Support { inside, literals, sites: support.sites });
        }
        let exact = !self.class(result).is_float();
        let site = || if exact { Vec::new() } else { vec![(node.graph, node.operation)] };
        if is_elementwise(kind) {
            if !self.fits(node, extents) || operands.iter().any(|operand| self.extents(*operand) != Some(extents)) {
                return None;
            }
            return match kind {
                Kind::Negate | Kind::Abs | Kind::Sign | Kind::Sqrt | Kind::Tanh | Kind::Floor | Kind::Ceil => {
                    self.support(first)
                }
                Kind::Convert | Kind::Square | Kind::ReducePrecision => self.support(first),
                Kind::Multiply if exact || self.finite => {
                    let (a, b) = (self.anywhere(first), self.anywhere(operands[1]));
                    limited(Support {
                        inside: a.inside.within(&b.inside),
                        literals: both(&a.literals, &b.literals),
                        sites: [a.sites, b.sites, site()].concat(),
                    })
                }
                Kind::Divide if !exact => {
                    let divisor = self.trace.values[operands[1] as usize].known.as_ref()?.scalar()?;
                    let plain = f64::from_bits(divisor).is_finite() && !self.class(first).is_zero(divisor);
                    self.support(first).filter(|_| plain)
                }
                Kind::Add | Kind::Subtract => either(self.support(first)?, self.support(operands[1])?),
                Kind::Select => {
                    let predicate = self.truth(operands[0]);
                    let way = |operand: Instance, when: &[Literal]| {
                        let mut support = self.anywhere(operand);
                        support.literals = both(&support.literals, when);
                        support
                    };
                    if self.is_zero(operands[2]) {
                        return Some(way(operands[1], &predicate.yes));
                    }
                    if self.is_zero(operands[1]) {
                        return Some(way(operands[2], &predicate.no));
                    }
                    either(way(operands[1], &predicate.yes), way(operands[2], &predicate.no))
                }
                _ => None,
            };
        }
        match kind {
            Kind::Pad if self.is_zero(operands[1]) => {
                let low = integers(graph, node.operation, "edge_padding_low")?;
                let interior = integers(graph, node.operation, "interior_padding")?;
                if interior.iter().any(|padding| *padding != 0) || low.len() != from.len() {
                    return None;
                }
                let support = self.anywhere(first);
                let inside = support.inside.map(|block| {
                    let sides = block.iter().zip(low).zip(extents).map(|((side, low), extent)| {
                        let shift = |at: u64| (i128::from(at) + i128::from(*low)).clamp(0, i128::from(*extent)) as u64;
                        (shift(side.0), shift(side.1))
                    });
                    Some(sides.collect())
                });
                let along: Vec<_> = low
                    .iter()
                    .enumerate()
                    .map(|(dimension, low)| Along::linear(dimension, 1, low.checked_neg()?))
                    .collect();
                let literals = map_literals(&support.literals, |position| position.substitute(&along, extents));
                Some(Support { inside, literals, sites: support.sites })
            }
            Kind::Reduce if operands.len() == 2 && self.is_zero(operands[1]) => {
                let body = bodies::look_at(graph, node.operation).simple?;
                let sums = matches!(body, Kind::Add | Kind::Or)
                    || body == Kind::Maximum && self.class(result) == Class::Boolean;
                let reduced = integers(graph, node.operation, "dimensions")?;
                let kept: Vec<usize> = (0..from.len()).filter(|at| !reduced.contains(&(*at as i64))).collect();
                if !sums || kept.len() != extents.len() {
                    return None;
                }
                let support = self.support(first)?;
                let inside = support.inside.map(|block| Some(kept.iter().map(|at| block[*at]).collect()));
                let mut along = vec![None; from.len()];
                for (new, old) in kept.iter().enumerate() {
                    along[*old] = Along::same(new);
                }
                let literals = map_literals(&support.literals, |position| position.substitute(&along, extents));
                Some(Support { inside, literals, sites: support.sites })
            }
            Kind::Dot | Kind::DotGeneral if exact || self.finite => {
                let dot = Dot::new(graph, node.operation, from, self.extents(operands[1])?, extents)?;
                let (a, b) = (self.anywhere(first), self.anywhere(operands[1]));
                let literals = both(&dot.forward(&a.literals, 0), &dot.forward(&b.literals, 1));
                let inside = Elements::whole(extents);
                limited(Support { inside, literals, sites: [a.sites, b.sites, site()].concat() })
            }
            _ => None,
        }
    }
}

fn limited(mut support: Support) -> Option<Support> {
    support.sites.sort();
    support.sites.dedup();
    (support.sites.len() <= MOST_SITES).then_some(support)
}

fn either(a: Support, b: Support) -> Option<Support> {
    let mut inside = a.inside;
    inside.unite(&b.inside);
    limited(Support { inside, literals: common(&a.literals, &b.literals), sites: [a.sites, b.sites].concat() })
}

fn flipped(direction: &str) -> Option<&'static str> {
    Some(match direction {
        "EQ" => "EQ",
        "NE" => "NE",
        "LT" => "GT",
        "LE" => "GE",
        "GT" => "LT",
        "GE" => "LE",
        _ => return None,
    })
}

/// What a comparison with a constant says if it holds, and if it does not.
fn tests(class: Class, direction: &str, constant: u64) -> Option<(Test, Test)> {
    if class.is_float() {
        let float = f64::from_bits(constant);
        if float.is_nan() {
            return None;
        }
        let bits = (float + 0.0).to_bits(); // -0 is 0 in every comparison
        let order = match direction {
            "EQ" => return Some((Test::Float(bits, true), Test::Float(bits, false))),
            "NE" => return Some((Test::Float(bits, false), Test::Float(bits, true))),
            "LT" => Order::Less,
            "LE" => Order::LessOrEqual,
            "GT" => Order::Greater,
            "GE" => Order::GreaterOrEqual,
            _ => return None,
        };
        return Some((Test::Ordered(order, bits, true), Test::Ordered(order, bits, false)));
    }
    let value = class.integer(constant)?;
    let below = |most: i128| Test::Between(i128::MIN, most);
    let from = |least: i128| Test::Between(least, i128::MAX);
    Some(match direction {
        "EQ" => (Test::Between(value, value), Test::Not(value)),
        "NE" => (Test::Not(value), Test::Between(value, value)),
        "LT" => (below(value - 1), from(value)),
        "GE" => (from(value), below(value - 1)),
        "LE" => (below(value), from(value + 1)),
        "GT" => (from(value + 1), below(value)),
        _ => return None,
    })
}
