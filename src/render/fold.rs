//! A witness path as a reader wants it: operations of one scope at one line are one row.

use crate::graph::ScopePath;
use crate::verdict::{Hop, WitnessStep};

use super::text;

/// Which half of differentiation a row is in, where its scope path says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Forward,
    Cotangent,
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Phase::Forward => "forward",
            Phase::Cotangent => "cotangent",
        }
    }
}

/// Consecutive steps of one scope at one line.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    pub(super) steps: Vec<&'a WitnessStep>,
    /// The user's scopes, joined by slashes; else the user's function; else empty.
    pub(super) scope: String,
    pub(super) phase: Option<Phase>,
    pub(super) place: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(step: &'a WitnessStep) -> Self {
        let (scope, phase) = scope_and_phase(step);
        Row { steps: vec![step], scope, phase, place: step.place.as_deref() }
    }

    /// Whether a step that follows belongs to the row.
    fn takes(&self, step: &WitnessStep) -> bool {
        let first = self.steps[0];
        if stands_alone(step) || stands_alone(first) || first.graph != step.graph {
            return false;
        }
        let (scope, phase) = scope_and_phase(step);
        match (self.place, step.place.as_deref()) {
            (Some(own), Some(other)) => own == other && self.scope == scope && self.phase == phase,
            (_, None) => scope.is_empty() || (self.scope == scope && self.phase == phase),
            (None, Some(_)) => false,
        }
    }

    /// The step at its start: how the path got to this row.
    pub(super) fn first(&self) -> &'a WitnessStep {
        self.steps[0]
    }

    /// The names of its operations in order, each once; the operands of functions are none.
    pub(super) fn operations(&self) -> (Vec<&'a str>, usize) {
        let mut names: Vec<&str> = Vec::new();
        let mut number = 0;
        for step in &self.steps {
            if matches!(step.hop, Hop::Enter | Hop::Leave) {
                continue;
            }
            number += 1;
            let name = short_operation(&step.op);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            names.push("call");
        }
        (names, number)
    }

    /// How information got into this row and on inside it, where that is not plain data.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for step in &self.steps {
            if let Some(note) = note(step)
                && !notes.contains(&note)
            {
                notes.push(note);
            }
        }
        notes
    }

    /// Whether a reader must see this row even if the path is long.
    pub(super) fn matters(&self) -> bool {
        stands_alone(self.first())
            || self.steps.iter().any(|step| matches!(step.hop, Hop::Source | Hop::Implicit | Hop::Opaque))
    }
}

/// A step that is never folded: it crosses between steps, functions of a system, or the world outside, or it is no
/// operation but an input or output.
pub(super) fn stands_alone(step: &WitnessStep) -> bool {
    matches!(step.hop, Hop::Carried | Hop::Link | Hop::Environment | Hop::Sink)
}

/// Whether a step is an operation, and not an input or output of the step.
pub(super) fn is_operation(step: &WitnessStep) -> bool {
    !stands_alone(step) && (step.place.is_some() || step.scope.is_some() || short_operation(&step.op) != step.op)
}

/// The rank of the step's value, if its type says so.
pub(super) fn rank(step: &WitnessStep) -> Option<usize> {
    let inside = step.r#type.strip_prefix("tensor<")?.strip_suffix('>')?;
    let shape = inside.split(',').next().unwrap_or(inside);
    if shape.starts_with('*') {
        return None;
    }
    let extent = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'?');
    Some(shape.split('x').take_while(extent).count())
}

/// `stablehlo.add` as `add`; another dialect keeps its name.
pub(super) fn short_operation(name: &str) -> &str {
    ["stablehlo.", "chlo.", "func.", "sdy."].iter().find_map(|dialect| name.strip_prefix(dialect)).unwrap_or(name)
}

/// The scopes that a person would name, joined by slashes, and the phase.
fn scope_and_phase(step: &WitnessStep) -> (String, Option<Phase>) {
    let mut name = String::new();
    let mut phase = None;
    for path in step.scope.as_deref().unwrap_or("").split('\n').filter(|path| !path.is_empty()) {
        let path = ScopePath::parse(path);
        if name.is_empty() {
            name = path.user_scopes().collect::<Vec<_>>().join("/");
        }
        if path.transposed {
            phase = Some(Phase::Cotangent);
        } else if path.differentiated && phase.is_none() {
            phase = Some(Phase::Forward);
        }
    }
    if name.is_empty()
        && let Some(function) = &step.function
    {
        name = short_function(function);
    }
    (name, phase)
}

/// `case_c.<locals>.step.<locals>.loss_fn` as `loss_fn()`.
pub(super) fn short_function(name: &str) -> String {
    let last = name.rsplit("<locals>.").next().unwrap_or(name);
    match last {
        "" | "<module>" => "top level".to_owned(),
        _ => format!("{last}()"),
    }
}

/// What an operand that is no data decides.
pub(super) fn decides(name: &str) -> String {
    match name {
        "select" | "clamp" => format!("decides which value `{name}` gives"),
        "if" | "case" => "decides which branch runs".to_owned(),
        "while" => "decides how often the loop runs".to_owned(),
        "gather" | "dynamic_slice" | "dynamic_gather" => {
            format!("is the index of `{name}`: it decides which elements are read")
        }
        "scatter" | "dynamic_update_slice" => {
            format!("is the index of `{name}`: it decides which elements are written")
        }
        "sort" | "top_k" => format!("decides the order of `{name}`"),
        _ => format!("is a predicate, an index or a key of `{name}`"),
    }
}

/// How a step follows from the one before, in words, where it is not plain data.
fn note(step: &WitnessStep) -> Option<String> {
    let name = short_operation(&step.op);
    match step.hop {
        Hop::Implicit => Some(format!("implicit: it {}", decides(name))),
        Hop::Opaque => Some(format!("through `{name}`, which openloop does not look into")),
        Hop::Enter => name.rsplit_once('@').map(|(_, function)| format!("enters function `{function}`")),
        _ => None,
    }
}

/// The rows of a path, in order.
pub(super) fn rows(path: &[WitnessStep]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for step in path {
        match rows.last_mut() {
            Some(row) if row.takes(step) => {
                row.steps.push(step);
                row.place = row.place.or(step.place.as_deref());
            }
            _ => rows.push(Row::of(step)),
        }
    }
    rows
}

/// What a selector means to a person: `probe_reward` of `scope:probe_reward`, `beliefs` of `output:**.beliefs.**`.
pub(super) fn selector_name(selector: &str) -> String {
    let pattern = selector.split_once(':').map_or(selector, |(_, pattern)| pattern);
    let literal: Vec<&str> = pattern.split('.').filter(|part| !part.is_empty() && !part.contains('*')).collect();
    match literal.as_slice() {
        [] => selector.to_owned(),
        parts => parts.join("."),
    }
}

/// What some selectors mean to a person, in backticks; each name once.
pub(super) fn selector_names(selectors: &[String]) -> String {
    let mut names: Vec<String> = Vec::new();
    for selector in selectors {
        let name = format!("`{}`", selector_name(selector));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    text::list(&names, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(hop: Hop, op: &str, place: &str, scope: &str) -> WitnessStep {
        WitnessStep {
            hop,
            op: op.into(),
            place: (!place.is_empty()).then(|| place.into()),
            innermost: None,
            function: Some("f.<locals>.loss_fn".into()),
            scope: (!scope.is_empty()).then(|| scope.into()),
            r#type: "tensor<f32>".into(),
            line: 0,
            graph: 0,
            value: 0,
        }
    }

    #[test]
    fn a_row_is_one_scope_at_one_line_in_one_phase() {
        let path = [
            step(Hop::Source, "stablehlo.dot_general", "a.py:1", "jit(f)/jvp(probe)/dot"),
            step(Hop::Data, "stablehlo.add", "a.py:1", "jit(f)/jvp(probe)/add"),
            step(Hop::Data, "stablehlo.add", "a.py:1", "jit(f)/transpose(jvp(probe))/add"),
            step(Hop::Data, "stablehlo.add", "a.py:2", "jit(f)/add"),
            step(Hop::Data, "stablehlo.multiply", "", ""),
            step(Hop::Sink, "result.0.w", "", ""),
        ];
        let rows = rows(&path);
        let shape: Vec<_> = rows.iter().map(|row| (row.scope.as_str(), row.steps.len(), row.phase)).collect();
        assert_eq!(
            shape,
            [
                ("probe", 2, Some(Phase::Forward)),
                ("probe", 1, Some(Phase::Cotangent)),
                ("loss_fn()", 2, None),
                ("loss_fn()", 1, None),
            ]
        );
        assert_eq!(rows[0].operations(), (vec!["dot_general", "add"], 2));
    }

    #[test]
    fn selectors_have_names() {
        assert_eq!(selector_name("scope:probe_reward"), "probe_reward");
        assert_eq!(selector_name("output:**.beliefs.**"), "beliefs");
        assert_eq!(selector_name("input:**"), "input:**");
        assert_eq!(selector_names(&["output:*.beliefs".into(), "output:**.beliefs.**".into()]), "`beliefs`");
    }
}
