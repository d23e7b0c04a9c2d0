//! Numbers for values: the same operation on equal numbers makes an equal number. And constants, folded.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::bodies::Bodies;
use super::conditions::Position;
use super::constants::{Class, Known, Shape, compare, fold};
use super::movement::{integers, is_elementwise, is_identity, movement, window};
use super::trace::{Value, View};
use crate::graph::{Attribute, OperationId, OperationKind as Kind, TrainingGraph};
use crate::index::Id;

#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    attributes: usize,
    r#type: usize,
    /// The result by position, and what its regions do.
    rest: (usize, usize),
    operands: Vec<u32>,
}

#[derive(Default)]
pub(in crate::verify) struct Numbering {
    next: u32,
    table: FxHashMap<Key, u32>,
    bodies: Bodies,
}

impl Numbering {
    /// Types and attributes have other ids from here on.
    pub fn begin_graph(&mut self) {
        self.table.clear();
        self.bodies = Bodies::default();
    }

    /// The number that a new value gets.
    pub fn next(&self) -> u32 {
        self.next
    }

    pub fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// Number, view and constant of a result. `pure`: nothing but the operands decides it.
    pub fn describe(
        &mut self,
        graph: &TrainingGraph,
        operation: OperationId,
        position: usize,
        pure: bool,
        operands: &[&Value],
        value: &mut Value,
    ) {
        let facts = graph.operation(operation);
        let own = |number: u32, shape: &Shape| {
            let position = shape.extents.as_deref().and_then(Position::row_major)?;
            Some(Rc::new(View { root: number, position }))
        };
        let unchanged = is_identity(facts.kind) && operands.len() == graph.results(operation).len()
            || facts.kind == Kind::Convert
                && operands[0].shape.class == value.shape.class
                && operands[0].shape.class != Class::OtherFloat
                && operands[0].shape.class != Class::Other;
        if pure && unchanged && operands[position].shape.extents == value.shape.extents {
            let same = operands[position];
            (value.number, value.view, value.known) = (same.number, same.view.clone(), same.known.clone());
            return;
        }
        let named = pure.then(|| self.signature(graph, operation)).flatten();
        let Some(signature) = named else {
            value.number = self.fresh();
            value.view = own(value.number, &value.shape);
            return;
        };
        let key = Key {
            kind: facts.kind,
            attributes: facts.attributes.index(),
            r#type: graph.results(operation).get(position).map_or(0, |result| graph.value(result).r#type.index()),
            rest: (position, signature),
            operands: operands.iter().map(|operand| operand.number).collect(),
        };
        value.number = *self.table.entry(key).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        if facts.kind == Kind::Compare {
            value.compared = self.compared(graph, operation, operands);
        }
        value.view = moved(graph, operation, operands, &value.shape).or_else(|| own(value.number, &value.shape));
        value.known = self.known(graph, operation, operands, &value.shape).map(Rc::new);
    }

    /// A comparison and its exact opposite share a number. For floats only `EQ` and `NE` are opposites: NaN.
    fn compared(&mut self, graph: &TrainingGraph, operation: OperationId, operands: &[&Value]) -> Option<(u32, bool)> {
        let attribute = |name: &str| graph.attribute(operation, name).and_then(Attribute::as_text);
        let exact = operands[0].shape.class.is_integer() || operands[0].shape.class == Class::Boolean;
        if attribute("compare_type") == Some("TOTALORDER") || operands[0].shape.class == Class::Other {
            return None;
        }
        let (a, b) = (operands[0].number, operands[1].number);
        let (what, pair, holds) = match attribute("comparison_direction")? {
            "EQ" => (1, [a.min(b), a.max(b)], true),
            "NE" => (1, [a.min(b), a.max(b)], false),
            "LT" => (2, [a, b], true),
            "GT" => (2, [b, a], true),
            "GE" if exact => (2, [a, b], false),
            "LE" if exact => (2, [b, a], false),
            "LE" => (3, [a, b], true),
            "GE" => (3, [b, a], true),
            _ => return None,
        };
        // No result by position 1: the key is of no operation.
        let key = Key { kind: Kind::Compare, attributes: 0, r#type: 0, rest: (1, what), operands: pair.to_vec() };
        let number = *self.table.entry(key).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        Some((number, holds))
    }

    /// What the regions of an operation do, as a number; none if the operation is not one that may be repeated.
    fn signature(&mut self, graph: &TrainingGraph, operation: OperationId) -> Option<usize> {
        let kind = graph.operation(operation).kind;
        if !graph.regions_of(operation).is_empty() {
            let may = matches!(kind, Kind::Reduce | Kind::ReduceWindow | Kind::Scatter | Kind::Sort | Kind::Map);
            let simple = self.bodies.of(graph, operation).simple;
            return may.then(|| simple.map_or(1000 + operation.index(), |kind| 1 + kind as usize));
        }
        let may = is_elementwise(kind)
            || matches!(
                kind,
                Kind::BitcastConvert
                    | Kind::BroadcastInDim
                    | Kind::Concatenate
                    | Kind::DynamicSlice
                    | Kind::DynamicUpdateSlice
                    | Kind::Gather
                    | Kind::Pad
                    | Kind::Reshape
                    | Kind::Reverse
                    | Kind::Slice
                    | Kind::Transpose
                    | Kind::Constant
                    | Kind::Iota
                    | Kind::Convolution
                    | Kind::Dot
                    | Kind::DotGeneral
            );
        may.then_some(0)
    }

    fn known(
        &mut self,
        graph: &TrainingGraph,
        operation: OperationId,
        operands: &[&Value],
        shape: &Shape,
    ) -> Option<Known> {
        let kind = graph.operation(operation).kind;
        let extents = shape.extents.as_deref()?;
        let attribute = |name: &str| graph.attribute(operation, name);
        match kind {
            Kind::Constant => match attribute("value")? {
                Attribute::Dense(dense) => return Known::constant(dense, shape),
                _ => return None,
            },
            Kind::Iota => {
                let dimension = attribute("iota_dimension")?.as_integer()?;
                return Known::iota(usize::try_from(dimension).ok()?, shape);
            }
            _ => {}
        }
        let known: Vec<&Known> = operands.iter().map(|operand| operand.known.as_deref()).collect::<Option<_>>()?;
        let from = operands.first()?.shape.domain();
        let class = operands.iter().map(|operand| operand.shape.class).next_back()?;
        if let Some(movement) = movement(graph, operation, from, extents) {
            return movement.known(known[0], from, extents);
        }
        match kind {
            Kind::Compare => {
                let total = attribute("compare_type").and_then(Attribute::as_text) == Some("TOTALORDER");
                let direction = attribute("comparison_direction")?.as_text()?;
                let decide = |values: &[u64]| compare(class, direction, values[0], values[1]).map(u64::from);
                if total { None } else { Known::apply(extents, &known, decide) }
            }
            _ if is_elementwise(kind) && kind != Kind::BroadcastSelect => {
                let fits = operands.iter().all(|operand| {
                    operand.shape.extents.as_deref().is_some_and(|own| own.is_empty() || own == extents)
                });
                let apply = |values: &[u64]| fold(kind, class, shape.class, values);
                fits.then(|| Known::apply(extents, &known, apply)).flatten()
            }
            Kind::Concatenate => {
                let dimension = usize::try_from(attribute("dimension")?.as_integer()?).ok()?;
                Known::build(extents, |index| {
                    let mut index = index.to_vec();
                    for (operand, known) in operands.iter().zip(&known) {
                        let extent = *operand.shape.domain().get(dimension)?;
                        if index[dimension] < extent {
                            return known.get(&index);
                        }
                        index[dimension] -= extent;
                    }
                    None
                })
            }
            Kind::Pad => {
                let low = integers(graph, operation, "edge_padding_low")?;
                let interior = integers(graph, operation, "interior_padding")?;
                Known::build(extents, |index| {
                    let mut inner = Vec::new();
                    for (dimension, at) in index.iter().enumerate() {
                        let at = i64::try_from(*at).ok()?.checked_sub(*low.get(dimension)?)?;
                        let step = interior.get(dimension)?.checked_add(1)?;
                        let place = at.div_euclid(step);
                        if at % step != 0 || place < 0 || place as u64 >= from[dimension] {
                            return known[1].scalar();
                        }
                        inner.push(place as u64);
                    }
                    known[0].get(&inner)
                })
            }
            Kind::DynamicSlice => {
                let mut starts = Vec::new();
                for (dimension, start) in known[1..].iter().enumerate() {
                    let start = operands[dimension + 1].shape.class.integer(start.scalar()?)?;
                    let most = from.get(dimension)?.checked_sub(*extents.get(dimension)?)?;
                    starts.push(start.clamp(0, i128::from(most)) as u64);
                }
                Known::build(extents, |index| {
                    let shifted: Vec<u64> = index.iter().zip(&starts).map(|(at, start)| at + start).collect();
                    known[0].get(&shifted)
                })
            }
            Kind::DynamicUpdateSlice => {
                let window = operands.get(1)?.shape.domain();
                let mut starts = Vec::new();
                for (dimension, start) in known.get(2..)?.iter().enumerate() {
                    let start = operands[dimension + 2].shape.class.integer(start.scalar()?)?;
                    let most = extents.get(dimension)?.checked_sub(*window.get(dimension)?)?;
                    starts.push(start.clamp(0, i128::from(most)) as u64);
                }
                Known::build(extents, |index| {
                    let inner: Option<Vec<u64>> =
                        index.iter().zip(&starts).map(|(at, start)| at.checked_sub(*start)).collect();
                    let inside = |inner: &Vec<u64>| inner.iter().zip(window).all(|(at, extent)| at < extent);
                    match inner.filter(inside) {
                        Some(inner) => known[1].get(&inner),
                        None => known[0].get(index),
                    }
                })
            }
            Kind::Reduce if operands.len() == 2 => {
                let body = self.bodies.of(graph, operation).simple?;
                let class = operands[0].shape.class;
                let dimensions = integers(graph, operation, "dimensions")?;
                if class.is_float() {
                    return None; // the order of a sum of floats is not said
                }
                let reduced = |dimension: usize| dimensions.contains(&(dimension as i64));
                Known::build(extents, |index| {
                    let mut kept = index.iter();
                    let sides = from.iter().enumerate().map(|(dimension, extent)| {
                        if reduced(dimension) { Some((0, *extent)) } else { kept.next().map(|at| (*at, at + 1)) }
                    });
                    let block = sides.collect::<Option<Vec<_>>>()?;
                    let mut total = known[1].scalar()?;
                    for index in super::constants::indices(&block, 4096)? {
                        total = fold(body, class, class, &[total, known[0].get(&index)?])?;
                    }
                    Some(total)
                })
            }
            _ => None,
        }
    }
}

/// A result of an operation that only moves elements, as elements of its operand's root.
fn moved(graph: &TrainingGraph, operation: OperationId, operands: &[&Value], shape: &Shape) -> Option<Rc<View>> {
    let from = operands.first()?.shape.extents.as_deref()?;
    let to = shape.extents.as_deref()?;
    let start = |operand: &&Value| operand.shape.class.integer(operand.known.as_deref()?.scalar()?);
    let movement = match graph.operation(operation).kind {
        Kind::DynamicSlice => window(from, to, operands[1..].iter().map(start)),
        _ => movement(graph, operation, from, to),
    }?;
    let view = operands[0].view.as_ref()?;
    let position = movement.forward(&view.position, from, to)?;
    Some(Rc::new(View { root: view.root, position }))
}
