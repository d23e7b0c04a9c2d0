//! The elements of a result, where those of the operands are known.

use std::rc::Rc;

use super::constants::{self, Known};
use super::facts::Fact;
use super::machine::Machine;
use crate::graph::{Attribute, OperationId, OperationKind as Kind, ValueId};
use crate::lattice::AxisImage;
use crate::transfer::images::{Image, is_element_by_element};

impl Machine<'_, '_> {
    /// The elements of a result.
    pub(super) fn folded(
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
}
