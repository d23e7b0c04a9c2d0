//! What an edge of a leak is to a person: a gradient, a clip, a check, a key. Read off the graph around it.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use super::actions::{Gradients, operation_of};
use super::resolve::Resolver;
use super::{Incoming, is_copy, operation_at};
use crate::flow::refined::{Leak, Link, Place};
use crate::flow::{Crossing, Phases, System};
use crate::graph::{Definition, ElementType, OperationId, OperationKind as Kind, ScopePath};
use crate::transfer::Dependence;
use crate::verdict::RepairKind;

/// So many nodes are looked at around an edge.
const MOST_AROUND: usize = 256;

/// So many operations on tensors may lie between a gradient and the norm or the check that reads it.
const NEAR: usize = 6;

/// Which way a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// From cotangent to cotangent.
    Backward,
    /// Into a cotangent, from something else: what a derivative was multiplied by.
    IntoGradient,
    /// In what was differentiated.
    Forward,
    /// In neither: updates, and what is not differentiated.
    Update,
}

/// An edge, as a person sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub edge: u32,
    pub graph: usize,
    /// The operation that takes the value; none between steps.
    pub operation: Option<OperationId>,
    /// Which of its operands; `u32::MAX`: what its regions take or give.
    pub operand: u32,
    pub direction: Direction,
}

/// Tells of the edges of one leak.
pub(super) struct Sites<'c, 'l, 'g> {
    system: &'c System<'g>,
    leak: &'l Leak,
    phases: &'c [Phases<'g>],
    gradients: &'c Gradients,
    masked: &'c [(usize, OperationId)],
    resolver: Resolver<'l, 'g>,
    incoming: Incoming,
    outgoing: Incoming,
}

impl<'c, 'l, 'g> Sites<'c, 'l, 'g>
where
    'c: 'l,
{
    pub fn new(
        system: &'c System<'g>,
        leak: &'l Leak,
        phases: &'c [Phases<'g>],
        gradients: &'c Gradients,
        masked: &'c [(usize, OperationId)],
    ) -> Self {
        let resolver = Resolver::new(system, leak);
        Sites {
            system,
            leak,
            phases,
            gradients,
            masked,
            resolver,
            incoming: Incoming::new(leak),
            outgoing: Incoming::outgoing(leak),
        }
    }

    /// None for what no edit cuts: into a loop, and through the world outside.
    pub fn of(&self, edge: u32) -> Option<Site> {
        let ends = self.leak.edges[edge as usize];
        let from = self.leak.nodes[ends.from as usize].place?;
        let to = self.leak.nodes[ends.to as usize].place?;
        if matches!(ends.link, Link::Cross(..)) {
            let graph = self.resolver.graph_position(from);
            let direction = Direction::Update;
            return Some(Site { edge, graph, operation: None, operand: u32::MAX, direction });
        }
        let (graph, operation) = operation_of(self.system, self.leak, &ends)?;
        let facts = self.system.graphs[graph].graph();
        if let (Link::Flow(_), Definition::Argument(..)) = (ends.link, facts.value(to.value).definition) {
            return None;
        }
        let operand = match ends.link {
            Link::Leave => match facts.value(to.value).definition {
                Definition::Result(_, position) => Some(position as usize),
                Definition::Argument(..) => None,
            },
            _ => facts.operands(operation).iter().position(|operand| *operand == from.value),
        };
        let maker = operation_at(self.system, self.leak, ends.from).map(|(_, operation)| operation);
        let is_cotangent = |operation: OperationId| self.phases[graph].of(operation).transposed;
        let direction = match (maker.is_some_and(is_cotangent), is_cotangent(operation)) {
            (true, true) => Direction::Backward,
            (false, true) => Direction::IntoGradient,
            _ if self.phases[graph].of(operation).differentiated => Direction::Forward,
            _ => Direction::Update,
        };
        let operand = operand.map_or(u32::MAX, |operand| operand as u32);
        Some(Site { edge, graph, operation: Some(operation), operand, direction })
    }

    /// The innermost scopes that the value comes from, and that it goes to.
    pub fn scopes(&self, site: &Site) -> [Option<&'g str>; 2] {
        let graph = self.system.graphs[site.graph].graph();
        let scope = |operation: OperationId| {
            let path = graph.scope_paths(graph.operation(operation).scope).next()?;
            ScopePath::parse(path).user_scopes().last()
        };
        let maker = operation_at(self.system, self.leak, self.leak.edges[site.edge as usize].from);
        [maker.map(|(_, operation)| operation).and_then(scope), site.operation.and_then(scope)]
    }

    /// How a person cuts it.
    pub fn kind(&self, site: &Site) -> RepairKind {
        let edge = self.leak.edges[site.edge as usize];
        let Some(operation) = site.operation else {
            return match edge.link {
                Link::Cross(Crossing::Carried, _) if self.is_loss_scale(edge.from) => RepairKind::SplitCheck,
                Link::Cross(Crossing::Carried, _) => RepairKind::SplitState,
                _ => RepairKind::DoNotUse,
            };
        };
        if site.direction == Direction::Backward || self.adds_gradients(site, operation) {
            return RepairKind::StopGradient;
        }
        if self.is_masked(site, operation, edge.to) {
            return RepairKind::MaskByWhere;
        }
        if self.is_key(edge.from) && self.around(&self.outgoing, edge.to, |_, _| true).is_random() {
            return RepairKind::SplitKey;
        }
        let is_test = edge.link == Link::Flow(Dependence::Implicit) || self.is_boolean(edge.from);
        let mut measure = None;
        if let Some(scalar) = self.scalar(edge.from) {
            let before = self.before(scalar);
            if before.first.is_none() && before.is_carried && self.is_of_gradients(edge.to) {
                return RepairKind::SplitOptimizer;
            }
            measure = before.first;
        } else if self.is_optimizer_state(edge.from) && site.direction == Direction::Update {
            return RepairKind::SplitOptimizer;
        }
        if measure.is_none() && !is_test && site.direction == Direction::Update {
            // A square and its sum: further on, any gradient comes to some norm.
            measure = self.around(&self.outgoing, edge.to, |node, tensors| tensors < 2 || self.is_scalar(node)).first;
        }
        match measure {
            Some(Measure::Check) => RepairKind::SplitCheck,
            Some(Measure::Norm) => RepairKind::SplitClip,
            None => RepairKind::DoNotUse,
        }
    }

    /// What a number is made of: tensors only near it.
    fn before(&self, scalar: u32) -> Around {
        self.around(&self.incoming, scalar, |node, tensors| tensors < NEAR || self.is_scalar(node))
    }

    fn is_loss_scale(&self, node: u32) -> bool {
        self.scalar(node).is_some_and(|scalar| self.before(scalar).first == Some(Measure::Check))
    }

    /// Whether it adds up what two derivatives gave for the same parameters.
    fn adds_gradients(&self, site: &Site, operation: OperationId) -> bool {
        let facts = self.system.graphs[site.graph].graph();
        facts.operation(operation).kind == Kind::Add
            && facts.operands(operation).iter().all(|operand| self.gradients.contain(site.graph, *operand))
    }

    fn is_of_gradients(&self, node: u32) -> bool {
        let place = self.leak.nodes[node as usize].place;
        place.is_some_and(|place| self.gradients.reach(self.resolver.graph_position(place), place.value))
    }

    fn is_scalar(&self, node: u32) -> bool {
        let place = self.leak.nodes[node as usize].place;
        place.is_some_and(|place| {
            let tensor = self.resolver.graph(place).tensor_type(place.value);
            tensor.is_some_and(|tensor| tensor.rank() == Some(0))
        })
    }

    fn element(&self, node: u32) -> Option<&ElementType> {
        let place = self.leak.nodes[node as usize].place?;
        Some(&self.resolver.graph(place).tensor_type(place.value)?.element)
    }

    fn is_boolean(&self, node: u32) -> bool {
        self.element(node) == Some(&ElementType::Boolean)
    }

    /// Random keys are unsigned numbers, and little else of a training step is.
    fn is_key(&self, node: u32) -> bool {
        matches!(self.element(node), Some(ElementType::Unsigned(32 | 64)))
    }

    /// Whether it is what gradients made of it in the step before.
    fn is_optimizer_state(&self, node: u32) -> bool {
        self.incoming.of(node).iter().any(|edge| {
            let edge = &self.leak.edges[*edge as usize];
            matches!(edge.link, Link::Cross(Crossing::Carried, _)) && self.is_of_gradients(edge.from)
        })
    }

    /// Whether it is a product with a mask of zeros and ones.
    fn is_masked(&self, site: &Site, operation: OperationId, to: u32) -> bool {
        let facts = self.system.graphs[site.graph].graph();
        if facts.operation(operation).kind != Kind::Multiply {
            return false;
        }
        if self.masked.contains(&(site.graph, operation)) {
            return true;
        }
        let Some(place) = self.leak.nodes[to as usize].place else { return false };
        let other = if site.operand == 0 { 1 } else { 0 };
        let Some(mask) = self.resolver.operand(place, other) else { return false };
        self.is_of_tests(self.resolver.resolve(mask))
    }

    /// Whether a value is a converted boolean, in whatever shape.
    fn is_of_tests(&self, mut place: Place) -> bool {
        for _ in 0..MOST_AROUND {
            let graph = self.resolver.graph(place);
            let Some(operation) = self.resolver.operation(place) else { return false };
            let Some(operand) = self.resolver.operand(place, 0) else { return false };
            match graph.operation(operation).kind {
                Kind::Convert => {
                    let tensor = graph.tensor_type(operand.value);
                    if tensor.is_some_and(|tensor| tensor.element == ElementType::Boolean) {
                        return true;
                    }
                }
                Kind::BroadcastInDim | Kind::Broadcast | Kind::Reshape => {}
                _ => return false,
            }
            place = self.resolver.resolve(operand);
        }
        false
    }

    /// The one number that a part is made of, under whatever shape and name.
    fn scalar(&self, node: u32) -> Option<u32> {
        let mut at = node;
        for _ in 0..MOST_AROUND {
            if self.is_scalar(at) {
                return Some(at);
            }
            let is_shape = is_copy(self.leak, at)
                || operation_at(self.system, self.leak, at).is_some_and(|(graph, operation)| {
                    matches!(
                        self.system.graphs[graph].graph().operation(operation).kind,
                        Kind::BroadcastInDim | Kind::Broadcast | Kind::Reshape | Kind::Convert
                    )
                });
            let [edge] = self.incoming.of(at) else { return None };
            if !is_shape {
                return None;
            }
            at = self.leak.edges[*edge as usize].from;
        }
        None
    }

    /// What is found around a node, the nearest first. `goes_on` is asked of each node, and told how many tensors were
    /// crossed since the last number.
    fn around(&self, edges: &Incoming, node: u32, goes_on: impl Fn(u32, usize) -> bool) -> Around {
        let mut found = Around::default();
        let mut seen = FxHashSet::from_iter([node]);
        let mut open = VecDeque::from([(node, 0)]);
        let mut looked_at = 0;
        while let Some((node, tensors)) = open.pop_front() {
            looked_at += 1;
            if looked_at > MOST_AROUND {
                break;
            }
            if let Some((graph, operation)) = operation_at(self.system, self.leak, node) {
                let facts = self.system.graphs[graph].graph();
                let operands = facts.operands(operation);
                let measure = match facts.operation(operation).kind {
                    Kind::IsFinite => Some(Measure::Check),
                    // Only NaN differs from itself.
                    Kind::Compare if operands.len() == 2 && operands[0] == operands[1] => Some(Measure::Check),
                    Kind::Sqrt | Kind::Rsqrt if self.is_scalar(node) => Some(Measure::Norm),
                    _ => None,
                };
                match facts.operation(operation).kind {
                    Kind::Rng | Kind::RngBitGenerator => found.generates = true,
                    Kind::Xor => found.mixes = true,
                    Kind::ShiftLeft => found.rotates = true,
                    _ => {}
                }
                found.first = found.first.or(measure);
            }
            let tensors = if self.is_scalar(node) { 0 } else { tensors + 1 };
            for edge in edges.of(node) {
                let edge = &self.leak.edges[*edge as usize];
                let next = if edge.from == node { edge.to } else { edge.from };
                found.is_carried |= matches!(edge.link, Link::Cross(Crossing::Carried, _));
                if goes_on(next, tensors) && seen.insert(next) {
                    open.push_back((next, tensors));
                }
            }
        }
        found
    }
}

/// What is taken of many gradients at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Norm,
    Check,
}

#[derive(Default)]
struct Around {
    first: Option<Measure>,
    is_carried: bool,
    generates: bool,
    mixes: bool,
    rotates: bool,
}

impl Around {
    /// Whether random bits are made: by an operation for it, or as Threefry does, by rotations and exclusive or.
    fn is_random(&self) -> bool {
        self.generates || (self.mixes && self.rotates)
    }
}
