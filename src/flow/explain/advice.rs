//! What to do about a flow, in words, on the line of the user.

use super::actions::Action;
use super::operation_at;
use super::sites::Direction;
use crate::flow::refined::{Leak, Link};
use crate::flow::telling::output_path;
use crate::flow::{Port, System};
use crate::graph::{Definition, OperationId, Place, PytreePath};
use crate::verdict::{RepairAction, RepairKind};

/// An action for a report.
pub(super) fn action(system: &System<'_>, leak: &Leak, sinks: &[Port], action: &Action<'_>) -> RepairAction {
    let site = &action.site;
    let edge = leak.edges[site.edge as usize];
    let graph = system.graphs[site.graph].graph();
    let from = leak.nodes[edge.from as usize].place.map(|place| graph.value(place.value).definition);
    let (op, line) = match (edge.link, operation_at(system, leak, edge.from)) {
        (Link::Cross(_, Some(pair)), _) => (output_path(system, system.edges[pair as usize].from).to_string(), 0),
        (_, Some((_, maker))) => (graph.operation_name(maker).to_string(), graph.operation(maker).text_line),
        (_, None) => match from {
            Some(Definition::Argument(_, position)) => {
                let entry = graph.function(graph.entry());
                let path = entry.inputs.get(position as usize).map(ToString::to_string);
                (path.unwrap_or_default(), 0)
            }
            _ => (String::new(), 0),
        },
    };
    let maker = operation_at(system, leak, edge.from).map(|(_, maker)| maker);
    let operation = match action.kind {
        // The line that takes a value is the one whose gradient goes back to it.
        RepairKind::StopGradient => maker.or(site.operation),
        _ => site.operation.or(maker),
    };
    let place_of = |operation: OperationId| graph.user_place(graph.operation(operation).place);
    let place = operation.and_then(place_of).or_else(|| site.operation.and_then(place_of));
    let words = Words {
        action,
        at: place.map_or_else(|| format!("`{op}`"), Place::to_string),
        taken: match maker {
            Some(maker) => format!("the result of `{}`", short(graph.operation_name(maker))),
            None => format!("`{op}`"),
        },
        op: &op,
        sinks: common(system, sinks),
    };
    RepairAction {
        kind: action.kind,
        advice: words.advice(),
        place: place.map(ToString::to_string),
        function: place.and_then(|place| place.function.as_deref()).map(str::to_string),
        op,
        line,
    }
}

/// The path of an operation without its dialect.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// What the paths of the sinks have in common.
fn common(system: &System<'_>, sinks: &[Port]) -> String {
    let mut paths = sinks.iter().map(|sink| output_path(system, *sink).segments());
    let first = paths.next().unwrap_or_default();
    let shared =
        paths.fold(first.len(), |shared, path| first.iter().zip(path).take(shared).take_while(|(a, b)| a == b).count());
    match shared {
        0 | 1 => "the sinks".into(), // `result` says nothing
        _ => format!("`{}`", PytreePath::new(first[..shared].iter().cloned())),
    }
}

struct Words<'w, 'g> {
    action: &'w Action<'g>,
    at: String,
    taken: String,
    op: &'w str,
    sinks: String,
}

impl Words<'_, '_> {
    fn advice(&self) -> String {
        let Words { at, taken, op, sinks, .. } = self;
        match self.action.kind {
            RepairKind::StopGradient => self.stop_gradient(),
            RepairKind::SplitClip => format!(
                "Clip each group by its own norm: `optax.multi_transform({{\"beliefs\": optax.chain(clip, adam), \
                 \"desires\": ...}}, labels)` instead of one norm over all gradients at {at}."
            ),
            RepairKind::SplitCheck => format!(
                "Let each group have a check and a loss scale of its own: `optax.multi_transform({{\"beliefs\": \
                 optax.apply_if_finite(adam, n), \"desires\": ...}}, labels)` instead of one over all gradients at {at}."
            ),
            RepairKind::SplitOptimizer => format!(
                "Give each group an optimizer with a state of its own: `optax.multi_transform({{\"beliefs\": ..., \
                 \"desires\": ...}}, labels)`, so that what trains {sinks} does not use {taken} at {at}."
            ),
            RepairKind::SplitKey => format!(
                "Split the key before the source uses it: `key, own = jax.random.split(key)`, and at {at} draw from the \
                 one that the source never sees."
            ),
            RepairKind::MaskByWhere => format!(
                "Select instead of multiplying at {at}: `jnp.where(mask, value, 0.0)`. A product with 0 still passes on \
                 infinity and NaN."
            ),
            RepairKind::SplitState => format!(
                "Do not carry `{op}` into the next step as it is: keep one for what trains {sinks} and another for the rest."
            ),
            RepairKind::DoNotUse => format!("Do not use {taken} at {at} for what trains {sinks}{}.", self.way()),
        }
    }

    fn way(&self) -> &'static str {
        match self.action.site.direction {
            Direction::IntoGradient => ": there it scales a gradient",
            _ => "",
        }
    }

    fn stop_gradient(&self) -> String {
        let at = &self.at;
        match self.action.scopes {
            [Some(from), Some(to)] if from != to => format!(
                "Put `jax.lax.stop_gradient(..)` around what `{from}` takes from `{to}` at {at}: there its gradient goes \
                 back."
            ),
            [Some(from), None] => format!(
                "Put `jax.lax.stop_gradient(..)` around what `{from}` takes from outside at {at}: there its gradient \
                 goes back."
            ),
            _ => format!(
                "Put `jax.lax.stop_gradient(..)` around the value that {at} takes: there the gradient goes back."
            ),
        }
    }
}
