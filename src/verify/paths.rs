//! `Violated`: each witness is a path of real dependences, from a source to a sink, with calls and returns matched.

use super::local::{argument_takes, result_takes};
use super::{Claim, Facts};
use crate::graph::{Definition, FunctionId, OperationId, OperationKind, TrainingGraph, ValueId};
use crate::index::Id;
use crate::verdict::{Hop, Route, Witness, WitnessStep};

pub(super) fn check(claim: &Claim<'_>, evidence: &[Witness]) -> Vec<String> {
    if evidence.is_empty() {
        return vec!["a violation without a path".into()];
    }
    let mut problems = Vec::new();
    for witness in evidence {
        if let Err((step, problem)) = walk(claim, witness) {
            problems.push(format!("the path to `{}`, step {step}: {problem}", witness.sink));
        }
        let known: usize = claim.sinks.iter().map(Vec::len).sum();
        if witness.sinks_reached == 0 || witness.sinks_reached > witness.sinks || witness.sinks > known {
            problems.push(format!("the path to `{}`: its counts of sinks do not fit", witness.sink));
        }
    }
    problems
}

/// Where a walk is.
struct At {
    graph: usize,
    value: ValueId,
    /// Functions that were entered on the way and not left: the value at which, and as which parameter.
    entered: Vec<(ValueId, usize)>,
}

type Refusal = (usize, &'static str);

fn walk(claim: &Claim<'_>, witness: &Witness) -> Result<(), Refusal> {
    let refuse = |step: usize, problem: &'static str| Err((step, problem));
    let Some((first, rest)) = witness.path.split_first() else { return refuse(0, "there is none") };
    let Some((last, middle)) = rest.split_last() else { return refuse(0, "it does not arrive") };
    let mut at = start(claim, first).map_err(|problem| (0, problem))?;
    let mut route = Route::Step;
    for (position, step) in middle.iter().enumerate() {
        let Some(facts) = claim.graphs.get(step.graph) else { return refuse(position + 1, "no such graph") };
        if step.value as usize >= facts.graph.values().len() {
            return refuse(position + 1, "no such value");
        }
        let value = ValueId::new(step.value as usize);
        let result = match step.hop {
            Hop::Data | Hop::Implicit => local(facts, step, &at, value),
            Hop::Enter => enter(facts, step, &mut at, value),
            Hop::Leave => leave(facts, step, &mut at, value),
            Hop::Carried | Hop::Link | Hop::Environment => cross(claim, step, &at, value),
            Hop::Source | Hop::Sink => Err("a source or a sink in the middle"),
            Hop::Opaque => Err("it crosses an opaque operation: that is no evidence of a violation"),
        };
        result.map_err(|problem| (position + 1, problem))?;
        let is_crossing = matches!(step.hop, Hop::Carried | Hop::Link | Hop::Environment);
        if step.graph != at.graph && !is_crossing {
            return refuse(position + 1, "it changes the graph");
        }
        route = route.max(match step.hop {
            Hop::Carried => Route::Carried,
            Hop::Environment => Route::Environment,
            _ => Route::Step,
        });
        (at.graph, at.value) = (step.graph, value);
    }
    arrive(claim, witness, last, &at).map_err(|problem| (witness.path.len() - 1, problem))?;
    if route != witness.route { refuse(0, "its route is another") } else { Ok(()) }
}

fn start(claim: &Claim<'_>, step: &WitnessStep) -> Result<At, &'static str> {
    let facts = claim.graphs.get(step.graph).ok_or("no such graph")?;
    let graph = facts.graph;
    if step.hop != Hop::Source || step.value as usize >= graph.values().len() {
        return Err("it does not start at a source");
    }
    let value = ValueId::new(step.value as usize);
    match graph.value(value).definition {
        Definition::Result(operation, _) => {
            let known = claim.sources[step.graph][operation.index()];
            if !known || !facts.reachable[facts.function_of(operation).index()] {
                return Err("the operation is no source, or the step never comes to it");
            }
            told_right(graph, step, Some(operation))?;
        }
        Definition::Argument(region, position) => {
            let body = graph.function(graph.entry()).body;
            if region != body || !claim.source_inputs[step.graph].contains(&(position as usize)) {
                return Err("the input is no source");
            }
            if step.op != graph.function(graph.entry()).inputs[position as usize].to_string() {
                return Err("the input has another path");
            }
            told_right(graph, step, None)?;
        }
    }
    Ok(At { graph: step.graph, value, entered: Vec::new() })
}

/// A dependence inside one function.
fn local(facts: &Facts<'_>, step: &WitnessStep, at: &At, value: ValueId) -> Result<(), &'static str> {
    let graph = facts.graph;
    let (operation, takes) = match graph.value(value).definition {
        Definition::Result(operation, position) => (operation, result_takes(facts, operation, position as usize)),
        Definition::Argument(region, position) => {
            let operation = graph.region(region).parent.ok_or("a parameter has no dependence of its own")?;
            let index = graph.regions_of(operation).iter().position(|candidate| *candidate == region);
            (operation, argument_takes(facts, operation, index.ok_or("no such region")?, position as usize))
        }
    };
    if !facts.is_transparent(operation) || facts.called(operation).is_some() {
        return Err("the operation is opaque, or a call that is not entered");
    }
    let walks =
        matches!(graph.operation(operation).kind, OperationKind::While | OperationKind::If | OperationKind::Case);
    if !takes.contains(&at.value) && (walks || !takes_through_body(facts, operation, takes, at.value)) {
        return Err("the value does not depend on the one before");
    }
    told_right(graph, step, Some(operation))
}

/// Whether something in the regions of an operation, which these values were taken from, takes from a value: a path may step
/// over a body that runs for each element.
fn takes_through_body(facts: &Facts<'_>, operation: OperationId, mut open: Vec<ValueId>, from: ValueId) -> bool {
    let graph = facts.graph;
    let inside = graph.operations_inside(operation);
    let mut seen = Vec::new();
    while let Some(value) = open.pop() {
        if value == from {
            return true;
        }
        if seen.contains(&value) {
            continue;
        }
        seen.push(value);
        match graph.value(value).definition {
            Definition::Result(maker, _) if inside.contains(maker) && facts.called(maker).is_some() => {
                open.extend(graph.operands(maker));
            }
            Definition::Result(maker, position) if inside.contains(maker) => {
                open.extend(result_takes(facts, maker, position as usize));
            }
            Definition::Argument(region, position) => {
                let Some(parent) = graph.region(region).parent else { continue };
                let index = graph.regions_of(parent).iter().position(|candidate| *candidate == region);
                if let Some(index) = index.filter(|_| parent == operation || inside.contains(parent)) {
                    open.extend(argument_takes(facts, parent, index, position as usize));
                }
            }
            Definition::Result(..) => {}
        }
    }
    false
}

fn enter(facts: &Facts<'_>, step: &WitnessStep, at: &mut At, value: ValueId) -> Result<(), &'static str> {
    let graph = facts.graph;
    let (callee, position) = parameter(graph, value).ok_or("it enters something else than a parameter")?;
    let caller = function_of(graph, at.value);
    let fits = |call: OperationId| {
        facts.called(call) == Some(callee)
            && graph.operands(call).get(position) == Some(&at.value)
            && told_right(graph, step, Some(call)).is_ok()
    };
    if !graph.operations_within(graph.function(caller).body).iter().any(fits) {
        return Err("there is no such call");
    }
    at.entered.push((at.value, position));
    Ok(())
}

fn leave(facts: &Facts<'_>, step: &WitnessStep, at: &mut At, value: ValueId) -> Result<(), &'static str> {
    let graph = facts.graph;
    let Definition::Result(call, position) = graph.value(value).definition else {
        return Err("it leaves to something else than a result");
    };
    let callee = facts.called(call).ok_or("it leaves at an operation that is no call")?;
    if !facts.reachable[facts.function_of(call).index()] {
        return Err("it leaves to a function that the step never calls");
    }
    if graph.yields(graph.function(callee).body).get(position as usize) != Some(&at.value) {
        return Err("the function does not give this value back");
    }
    if let Some((operand, parameter)) = at.entered.pop()
        && graph.operands(call).get(parameter) != Some(&operand)
    {
        return Err("it leaves at another call than it entered");
    }
    told_right(graph, step, Some(call))
}

fn cross(claim: &Claim<'_>, step: &WitnessStep, at: &At, value: ValueId) -> Result<(), &'static str> {
    if !at.entered.is_empty() {
        return Err("it leaves the step inside a call");
    }
    let ports = |graph: usize| {
        let facts = claim.graphs[graph].graph;
        let body = facts.function(facts.entry()).body;
        (facts.arguments(body), facts.yields(body))
    };
    let fits = |edge: &&super::Edge| {
        edge.hop == step.hop
            && !edge.possible
            && (edge.from.0, edge.to.0) == (at.graph, step.graph)
            && ports(at.graph).1.get(edge.from.1) == Some(&at.value)
            && ports(step.graph).0.get(edge.to.1) == Some(value)
    };
    let edge = claim.edges.iter().find(fits).ok_or("there is no such edge between an output and an input")?;
    let graph = claim.graphs[step.graph].graph;
    if step.op != graph.function(graph.entry()).inputs[edge.to.1].to_string() {
        return Err("the input has another path");
    }
    told_right(graph, step, None)
}

fn arrive(claim: &Claim<'_>, witness: &Witness, step: &WitnessStep, at: &At) -> Result<(), &'static str> {
    if step.hop != Hop::Sink || step.graph != at.graph || step.value as usize != at.value.index() {
        return Err("it does not end where it arrived");
    }
    if !at.entered.is_empty() {
        return Err("it ends inside a call");
    }
    let graph = claim.graphs[at.graph].graph;
    let entry = graph.function(graph.entry());
    let outputs = graph.yields(entry.body);
    let is_sink = claim.sinks[at.graph].iter().any(|&sink| {
        outputs.get(sink) == Some(&at.value)
            && entry.outputs[sink] == witness.sink
            && entry.outputs[sink].starts_with(&witness.group)
            && step.op == witness.sink.to_string()
    });
    if !is_sink {
        return Err("it ends at no sink of this path");
    }
    told_right(graph, step, None)
}

/// The function and the position of a parameter.
fn parameter(graph: &TrainingGraph, value: ValueId) -> Option<(FunctionId, usize)> {
    let Definition::Argument(region, position) = graph.value(value).definition else { return None };
    let function = graph.region(region).function;
    (graph.function(function).body == region).then_some((function, position as usize))
}

fn function_of(graph: &TrainingGraph, value: ValueId) -> FunctionId {
    let region = match graph.value(value).definition {
        Definition::Result(operation, _) => graph.operation(operation).region,
        Definition::Argument(region, _) => region,
    };
    graph.region(region).function
}

/// What the step tells a person is what the graph says.
fn told_right(graph: &TrainingGraph, step: &WitnessStep, operation: Option<OperationId>) -> Result<(), &'static str> {
    let value = ValueId::new(step.value as usize);
    if step.r#type != graph.type_text(graph.value(value).r#type) {
        return Err("the value has another type");
    }
    let Some(operation) = operation else {
        let nothing = step.place.is_none() && step.innermost.is_none() && step.function.is_none();
        return if nothing && step.scope.is_none() && step.line == 0 {
            Ok(())
        } else {
            Err("an input or output has no place")
        };
    };
    let facts = graph.operation(operation);
    let user = graph.user_place(facts.place);
    let innermost = graph.place(facts.place).map(|place| format!("{}:{}:{}", place.file, place.line, place.column));
    // The line in the graph's text is not compared: the same graph has others in its other forms.
    let same = step.op == graph.operation_name(operation)
        && step.scope.as_deref() == graph.scope_paths(facts.scope).next()
        && step.place == user.map(|place| format!("{}:{}", place.file, place.line))
        && step.function.as_deref() == user.and_then(|place| place.function.as_deref())
        && step.innermost == innermost;
    if same { Ok(()) } else { Err("the operation is described wrongly") }
}
