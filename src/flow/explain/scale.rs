//! Whether all that arrives at a sink is one common factor.

use rustc_hash::FxHashMap;

use super::resolve::Resolver;
use super::signs::is_never_negative;
use super::{Incoming, operation_at};
use crate::flow::System;
use crate::flow::refined::{Leak, Link, Origin, Place};
use crate::graph::{ElementType, OperationKind as Kind};
use crate::transfer::images::is_element_by_element;

/// What a labelled part is, seen from the factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Unknown,
    /// Made of the factor and of unlabelled scalars alone.
    Factor,
    /// An unlabelled tensor times something made of the factor.
    Scaled(Place),
    /// Made of such tensors element by element.
    Elementwise,
}

/// A part that is more than a factor, or a tensor that met it.
pub(super) enum Outcome {
    /// The unlabelled tensors that the factor met, and whether it was divided out again.
    Scale(Vec<Place>, bool),
    /// Why it is not.
    More(&'static str),
}

pub(super) struct ScaleCheck<'c, 'l, 'g> {
    pub system: &'c System<'g>,
    pub leak: &'l Leak,
    pub resolver: &'c Resolver<'l, 'g>,
    pub incoming: &'c Incoming,
    /// Whether linear operations keep what is scaled scaled, and the factor may be divided out again: for a loss scale.
    pub linear: bool,
}

impl ScaleCheck<'_, '_, '_> {
    /// Follows the factor to the sink; `nodes` are the labelled parts between them, in ascending order.
    pub fn follow(&self, factor: u32, nodes: &[u32], ends: &[u32]) -> Outcome {
        let mut states: FxHashMap<u32, State> = nodes.iter().map(|node| (*node, State::Unknown)).collect();
        states.insert(factor, State::Factor);
        let mut met = Vec::new();
        let mut cancelled = false;
        // Cycles go through carried values only, so a few rounds are enough: states do not go back.
        loop {
            let mut changed = false;
            for &node in nodes.iter().filter(|node| **node != factor) {
                let before = states[&node];
                match self.state_of(node, &states, &mut met, &mut cancelled) {
                    Err(why) => return Outcome::More(why),
                    Ok(State::Unknown) => {}
                    Ok(state) if state == before => {}
                    Ok(state) if before == State::Unknown => {
                        states.insert(node, state);
                        changed = true;
                    }
                    Ok(_) if before == State::Elementwise => {}
                    Ok(State::Elementwise | State::Scaled(_)) if matches!(before, State::Scaled(_)) => {
                        states.insert(node, State::Elementwise);
                        changed = true;
                    }
                    Ok(_) => return Outcome::More("the factor comes back as something else"),
                }
            }
            if !changed {
                break;
            }
        }
        let arrives_bare = |node: &u32| matches!(states.get(node), Some(State::Factor));
        if ends.iter().any(arrives_bare) {
            return Outcome::More("it arrives by itself, and scales nothing");
        }
        met.sort_unstable();
        met.dedup();
        Outcome::Scale(met, cancelled)
    }

    fn state_of(
        &self,
        node: u32,
        states: &FxHashMap<u32, State>,
        met: &mut Vec<Place>,
        cancelled: &mut bool,
    ) -> Result<State, &'static str> {
        let before = |edge: &&u32| states.contains_key(&self.leak.edges[**edge as usize].from);
        let edges: Vec<u32> = self.incoming.of(node).iter().filter(before).copied().collect();
        let Some(place) = self.leak.nodes[node as usize].place else { return Err("it goes through the world outside") };
        let crosses = |edge: &u32| matches!(self.leak.edges[*edge as usize].link, Link::Cross(..));
        let copied = self.leak.nodes[node as usize].origin == Origin::Copied;
        let from = |edge: &u32| self.leak.edges[*edge as usize].from;
        if copied || edges.iter().any(crosses) {
            let mut joined = State::Unknown;
            for state in edges.iter().map(|edge| states[&from(edge)]) {
                joined = match (joined, state) {
                    (State::Unknown, state) | (state, State::Unknown) => state,
                    (a, b) if a == b => a,
                    (State::Factor, _) | (_, State::Factor) => return Err("the factor is mixed with what it scales"),
                    _ => State::Elementwise,
                };
            }
            return Ok(joined);
        }
        let (_, operation) = operation_at(self.system, self.leak, node).ok_or("it is an input")?;
        let graph = self.resolver.graph(place);
        let kind = graph.operation(operation).kind;
        let sums = matches!(kind, Kind::Reduce | Kind::Scatter | Kind::Gather) && self.linear;
        if !graph.regions_of(operation).is_empty() && !sums {
            return Err("what arrives is summed or chosen with other elements");
        }
        let operands: Vec<(Place, Option<State>)> = (0..graph.operands(operation).len())
            .filter_map(|position| self.resolver.operand(place, position))
            .map(|operand| {
                let state = edges.iter().map(from).find(|from| self.leak.nodes[*from as usize].place == Some(operand));
                (operand, state.map(|from| states[&from]))
            })
            .collect();
        if operands.iter().any(|(_, state)| *state == Some(State::Unknown)) {
            return Ok(State::Unknown);
        }
        let state = self.combine(kind, place, &operands, met)?;
        *cancelled |= self.linear && kind == Kind::Divide && operands[1].1 == Some(State::Factor);
        Ok(state)
    }

    /// Whether what is made of a factor that is not negative, and of unlabelled scalars, has a sign that the factor does not
    /// decide.
    fn keeps_sign(&self, kind: Kind, place: Place, operands: &[(Place, Option<State>)]) -> bool {
        let is_float = |place: Place| {
            let tensor = self.resolver.graph(place).tensor_type(place.value);
            tensor.is_some_and(|tensor| matches!(tensor.element, ElementType::Float(_)))
        };
        let plain =
            matches!(kind, Kind::Multiply | Kind::Divide | Kind::Negate | Kind::Convert | Kind::ReducePrecision)
                && is_float(place)
                && operands.iter().all(|(operand, _)| is_float(*operand));
        // A loss scale is divided out again, whatever its sign is.
        plain || self.linear || is_never_negative(self.resolver, place)
    }

    fn combine(
        &self,
        kind: Kind,
        place: Place,
        operands: &[(Place, Option<State>)],
        met: &mut Vec<Place>,
    ) -> Result<State, &'static str> {
        let labelled = || operands.iter().filter_map(|(_, state)| *state);
        let is_scalar = |place: Place| self.resolver.scalar(place).is_some();
        let only_factor = labelled().all(|state| state == State::Factor);
        let moves = matches!(
            kind,
            Kind::Reshape
                | Kind::Transpose
                | Kind::Slice
                | Kind::BroadcastInDim
                | Kind::Broadcast
                | Kind::Concatenate
                | Kind::Pad
                | Kind::Reverse
                | Kind::DynamicSlice
                | Kind::DynamicUpdateSlice
        );
        if only_factor {
            if matches!(kind, Kind::Reshape | Kind::BroadcastInDim | Kind::Broadcast | Kind::Slice) {
                return Ok(State::Factor);
            }
            let rest = || operands.iter().filter(|(_, state)| state.is_none()).map(|(place, _)| *place);
            if is_element_by_element(kind) && rest().all(is_scalar) {
                return match kind == Kind::BitcastConvert || !self.keeps_sign(kind, place, operands) {
                    true => Err("the factor may be negative, so it can turn the update round"),
                    false => Ok(State::Factor),
                };
            }
            let meets = match kind {
                Kind::Multiply => rest().next(),
                Kind::Divide if operands[0].1.is_none() => rest().next(),
                _ => None,
            };
            let Some(tensor) = meets else {
                let is_linear = moves
                    || matches!(
                        kind,
                        Kind::DotGeneral
                            | Kind::Reduce
                            | Kind::Scatter
                            | Kind::Gather
                            | Kind::Convolution
                            | Kind::Divide
                            | Kind::Select
                    );
                return match self.linear && is_linear && labelled().count() == 1 {
                    true => Ok(State::Elementwise),
                    false => Err("it first meets an unlabelled value other than as a factor"),
                };
            };
            let tensor = self.resolver.resolve(tensor);
            met.push(tensor);
            return Ok(State::Scaled(tensor));
        }
        if moves {
            return match labelled().any(|state| state == State::Factor) {
                true => Err("the factor is used as an index"),
                false => Ok(State::Elementwise),
            };
        }
        let base = labelled().find_map(|state| match state {
            State::Scaled(base) => Some(base),
            _ => None,
        });
        let all_scaled_by =
            |base: Place| labelled().all(|state| matches!(state, State::Factor) || state == State::Scaled(base));
        if let Some(base) = base.filter(|base| all_scaled_by(*base)) {
            let keeps_base = match kind {
                Kind::Multiply => operands.iter().all(|(place, state)| state.is_some() || is_scalar(*place)),
                Kind::Divide => {
                    operands[0].1 == Some(State::Scaled(base))
                        && (operands[1].1 == Some(State::Factor)
                            || (operands[1].1.is_none() && is_scalar(operands[1].0)))
                }
                Kind::Convert | Kind::ReducePrecision | Kind::Negate => true,
                Kind::Select => operands[1..].iter().all(|(place, state)| match state {
                    Some(state) => *state == State::Scaled(base),
                    None => self.resolver.resolve(*place) == base,
                }),
                _ => false,
            };
            // Twice the same scaled tensor in one product is a square: element by element, but no longer the tensor.
            let twice = labelled().filter(|state| *state == State::Scaled(base)).count() > 1;
            if keeps_base && (!twice || kind == Kind::Select) {
                return Ok(State::Scaled(base));
            }
        }
        if labelled().any(|state| state == State::Factor)
            && !(self.linear && matches!(kind, Kind::Multiply | Kind::Divide))
        {
            return Err("the factor is used again beside what it scales");
        }
        let is_linear =
            matches!(kind, Kind::DotGeneral | Kind::Reduce | Kind::Scatter | Kind::Gather | Kind::Convolution);
        if self.linear && is_linear {
            return match labelled().count() {
                1 => Ok(State::Elementwise),
                _ => Err("what the factor scales meets itself"),
            };
        }
        let by_optimizer = matches!(
            kind,
            Kind::Add
                | Kind::Subtract
                | Kind::Multiply
                | Kind::Divide
                | Kind::Sqrt
                | Kind::Rsqrt
                | Kind::Cbrt
                | Kind::Power
                | Kind::Square
                | Kind::Maximum
                | Kind::Minimum
                | Kind::Clamp
                | Kind::Negate
                | Kind::Abs
                | Kind::Sign
                | Kind::Convert
                | Kind::ReducePrecision
        );
        match kind {
            Kind::Select if operands[0].1.is_none() => Ok(State::Elementwise),
            _ if by_optimizer => Ok(State::Elementwise),
            _ => Err("what it scales is mixed with other elements"),
        }
    }
}
