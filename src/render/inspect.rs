//! What is in a graph: inputs and outputs, scopes, carried values, operations, functions.

use std::collections::BTreeMap;

use anstyle::Style;
use serde::Serialize;

use crate::graph::{CarriedPairs, FunctionId, PairingError, PytreePath, Reading, ScopePath, TrainingGraph};
use crate::index::{Id, IndexVec};

use super::inspect_tree::{Tree, TreeLine, short_type};
use super::page::{Line, Page, style};
use super::text;

/// The version of the JSON that [`inspect_json`] gives.
pub const INSPECT_VERSION: u32 = 1;

/// How a graph is shown.
#[derive(Clone, Copy, Debug)]
pub struct InspectOptions {
    /// With colours, as ANSI escapes.
    pub color: bool,
    /// Every leaf of the inputs and outputs, every operation name and every function.
    pub tree: bool,
    /// How many columns there are. Nothing is wider, down to 40.
    pub width: usize,
}

impl Default for InspectOptions {
    fn default() -> Self {
        InspectOptions { color: false, tree: false, width: 100 }
    }
}

/// A scope of the user, with every operation in it, however deep.
#[derive(Debug, Serialize)]
struct ScopeCount {
    name: String,
    operations: usize,
    /// Of differentiated scopes, those that are no cotangents.
    forward: usize,
    cotangent: usize,
}

#[derive(Debug, Serialize)]
struct FunctionCount {
    name: String,
    operations: usize,
    calls: usize,
    inputs: usize,
    outputs: usize,
}

#[derive(Debug, Serialize)]
struct NameCount {
    name: String,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Leaf<'a> {
    path: &'a PytreePath,
    r#type: String,
}

#[derive(Debug, Serialize)]
struct Pair {
    output: String,
    input: String,
    leaves: usize,
    unused_inputs: usize,
    found_by: &'static str,
}

/// Outputs that may become inputs, but nothing decides.
#[derive(Debug, Serialize)]
struct Possible {
    outputs: Vec<String>,
    inputs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Inspection<'a> {
    version: u32,
    file: &'a str,
    name: &'a str,
    digest: String,
    operations: usize,
    without_scope: usize,
    inputs: Vec<Leaf<'a>>,
    outputs: Vec<Leaf<'a>>,
    scopes: Vec<ScopeCount>,
    carried: Vec<Pair>,
    terminal: Vec<String>,
    possible: Vec<Possible>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairing_error: Option<String>,
    operation_names: Vec<NameCount>,
    functions: Vec<FunctionCount>,
}

fn found_by(reading: Reading) -> &'static str {
    match reading {
        Reading::Declared => "declared",
        Reading::Structure => "structure",
        Reading::Name => "name",
        Reading::Type => "type",
    }
}

impl<'a> Inspection<'a> {
    fn of(graph: &'a TrainingGraph, file: &'a str, carried: Result<&CarriedPairs, &PairingError>) -> Self {
        let leaf = |(path, value)| Leaf { path, r#type: leaf_type(graph, value) };
        let (scopes, without_scope) = scopes(graph);
        let output_paths: Vec<&PytreePath> = graph.outputs().map(|(path, _)| path).collect();
        let input_paths: Vec<&PytreePath> = graph.inputs().map(|(path, _)| path).collect();
        let name = |paths: &[&PytreePath], at: usize| paths.get(at).map_or(String::new(), |path| path.to_string());
        let mut inspection = Inspection {
            version: INSPECT_VERSION,
            file,
            name: graph.name(),
            digest: graph.digest().to_string(),
            operations: graph.operations().len(),
            without_scope,
            inputs: graph.inputs().map(leaf).collect(),
            outputs: graph.outputs().map(leaf).collect(),
            scopes,
            carried: Vec::new(),
            terminal: Vec::new(),
            possible: Vec::new(),
            pairing_error: None,
            operation_names: operation_names(graph),
            functions: functions(graph),
        };
        match carried {
            Err(error) => inspection.pairing_error = Some(error.to_string()),
            Ok(carried) => {
                inspection.carried = carried
                    .pairings
                    .iter()
                    .map(|pairing| Pair {
                        output: pairing.output.to_string(),
                        input: pairing.input.to_string(),
                        leaves: pairing.leaves,
                        unused_inputs: pairing.unused_inputs,
                        found_by: found_by(pairing.reading),
                    })
                    .collect();
                inspection.possible = carried
                    .possible
                    .iter()
                    .map(|possible| Possible {
                        outputs: possible.outputs.iter().map(|&at| name(&output_paths, at)).collect(),
                        inputs: possible.inputs.iter().map(|&at| name(&input_paths, at)).collect(),
                    })
                    .collect();
                // A leaf that has no input since the step does not use it belongs to its subtree and is no terminal.
                inspection.terminal = output_paths
                    .iter()
                    .enumerate()
                    .filter(|(position, path)| {
                        carried.input_of(*position).is_none()
                            && !carried.possible.iter().any(|possible| possible.outputs.contains(position))
                            && !carried.pairings.iter().any(|pairing| path.starts_with(&pairing.output))
                    })
                    .map(|(_, path)| path.to_string())
                    .collect();
            }
        }
        inspection
    }
}

fn leaf_type(graph: &TrainingGraph, value: crate::graph::ValueId) -> String {
    match graph.tensor_type(value) {
        Some(tensor) => short_type(tensor),
        None => graph.type_text(graph.value(value).r#type),
    }
}

/// Operations by scope component, most first; and how many operations have no scope of the user.
fn scopes(graph: &TrainingGraph) -> (Vec<ScopeCount>, usize) {
    let mut by_id = vec![0usize; graph.scope_count()];
    let mut id_of = vec![None; graph.scope_count()];
    for operation in graph.operations().iter() {
        by_id[operation.scope.index()] += 1;
        id_of[operation.scope.index()] = Some(operation.scope);
    }
    let mut counts: BTreeMap<String, ScopeCount> = BTreeMap::new();
    let mut without = 0;
    for (number, id) in by_id.into_iter().zip(id_of) {
        let Some(id) = id else { continue };
        let mut names: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
        for path in graph.scope_paths(id) {
            let path = ScopePath::parse(path);
            for name in path.user_scopes() {
                let phases = names.entry(name).or_default();
                phases.0 |= path.differentiated && !path.transposed;
                phases.1 |= path.transposed;
            }
        }
        without += if names.is_empty() { number } else { 0 };
        for (name, (forward, cotangent)) in names {
            let count = counts.entry(name.to_owned()).or_insert_with(|| ScopeCount {
                name: name.to_owned(),
                operations: 0,
                forward: 0,
                cotangent: 0,
            });
            count.operations += number;
            count.forward += if forward && !cotangent { number } else { 0 };
            count.cotangent += if cotangent { number } else { 0 };
        }
    }
    let mut counts: Vec<ScopeCount> = counts.into_values().collect();
    counts.sort_by(|a, b| b.operations.cmp(&a.operations).then_with(|| a.name.cmp(&b.name)));
    (counts, without)
}

fn operation_names(graph: &TrainingGraph) -> Vec<NameCount> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in graph.operations().ids() {
        *counts.entry(graph.operation_name(id)).or_default() += 1;
    }
    let mut counts: Vec<NameCount> =
        counts.into_iter().map(|(name, count)| NameCount { name: name.to_owned(), count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    counts
}

/// The entry first, the others in the order of the text.
fn functions(graph: &TrainingGraph) -> Vec<FunctionCount> {
    let mut calls: IndexVec<FunctionId, usize> = IndexVec::filled(0, graph.functions().len());
    for operation in graph.operations().iter() {
        if let Some(callee) = operation.callee {
            calls[callee] += 1;
        }
    }
    let mut ids: Vec<FunctionId> = graph.functions().ids().collect();
    ids.sort_by_key(|id| (*id != graph.entry(), *id));
    let count = |id: FunctionId| {
        let function = graph.function(id);
        FunctionCount {
            name: function.name.to_string(),
            operations: graph.operations_within(function.body).len(),
            calls: calls[id],
            inputs: function.inputs.len(),
            outputs: function.outputs.len(),
        }
    };
    ids.into_iter().map(count).collect()
}

/// What is in a graph, as JSON.
pub fn inspect_json(graph: &TrainingGraph, file: &str, carried: Result<&CarriedPairs, &PairingError>) -> String {
    let inspection = Inspection::of(graph, file, carried);
    let mut text = serde_json::to_string_pretty(&inspection).expect("strings, numbers and lists are always JSON");
    text.push('\n');
    text
}

/// What is in a graph, for a person.
pub fn inspect(
    graph: &TrainingGraph,
    file: &str,
    carried: Result<&CarriedPairs, &PairingError>,
    options: &InspectOptions,
) -> String {
    let mut page = Page::new(options.color, options.width);
    let inspection = Inspection::of(graph, file, carried);
    let deepest = if options.tree { 24 } else { 2 };
    let many = if options.tree { usize::MAX } else { 12 };

    let line = Line::new().add(style::PLACE, file).plain("  ").add(style::BOLD, graph.name());
    page.line(line.add(
        style::DIM,
        &format!(
            "  {}, {}",
            text::count(inspection.operations, "operation", "operations"),
            text::count(inspection.functions.len(), "function", "functions")
        ),
    ));
    page.line(Line::new().add(style::DIM, &format!("digest {}", inspection.digest)));

    let leaf = |(path, value)| (path, leaf_type(graph, value), graph.tensor_type(value));
    section(&mut page, "inputs", inspection.inputs.len());
    tree_lines(&mut page, &Tree::new(graph.inputs().map(leaf)).lines(deepest), many);
    section(&mut page, "outputs", inspection.outputs.len());
    tree_lines(&mut page, &Tree::new(graph.outputs().map(leaf)).lines(deepest), many);

    section(&mut page, "scopes", inspection.scopes.len());
    scope_lines(&mut page, &inspection, many.max(24));
    carried_lines(&mut page, &inspection, many);

    section(&mut page, "operations", inspection.operations);
    let names = inspection.operation_names.iter().map(|name| (name.name.as_str(), name.count, String::new()));
    table(&mut page, &names.collect::<Vec<_>>(), many, style::PLAIN, "names");

    section(&mut page, "functions", inspection.functions.len());
    let rows = inspection.functions.iter().map(|function| {
        let calls = match function.calls {
            0 => String::new(),
            calls => format!(", called at {}", text::count(calls, "place", "places")),
        };
        (
            function.name.as_str(),
            function.operations,
            format!("{} in, {} out{calls}", function.inputs, function.outputs),
        )
    });
    table(&mut page, &rows.collect::<Vec<_>>(), many, style::PLAIN, "functions");
    page.finish()
}

fn section(page: &mut Page, title: &str, count: usize) {
    page.blank();
    let count = format!("  {}", text::thousands(count as u128));
    page.line(Line::new().add(style::BOLD, title).add(style::DIM, &count));
}

fn more(page: &mut Page, hidden: usize, what: &str) {
    if hidden > 0 {
        let hidden = text::thousands(hidden as u128);
        page.line(Line::new().add(style::DIM, &format!("  and {hidden} more {what}; `--tree` shows all")));
    }
}

fn name_width<'a>(page: &Page, names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| text::width(&text::safe(name))).max().unwrap_or(0).min(page.width() / 2)
}

/// Names and counts, in columns.
fn table(page: &mut Page, rows: &[(&str, usize, String)], many: usize, name_style: Style, what: &str) {
    let shown = &rows[..rows.len().min(many)];
    let width = name_width(page, shown.iter().map(|row| row.0));
    let digits = shown.iter().map(|row| text::thousands(row.1 as u128).len()).max().unwrap_or(0);
    for (name, count, aside) in shown {
        let count = text::thousands(*count as u128);
        let line = Line::new().plain("  ").cell(name_style, name, width);
        let column = line.width() + digits - count.len();
        page.line(line.pad_to(column).plain(&count).plain("  ").add(style::DIM, aside));
    }
    more(page, rows.len() - shown.len(), what);
}

fn tree_lines(page: &mut Page, lines: &[TreeLine], many: usize) {
    let many = if many == usize::MAX { many } else { 4 * many };
    let shown = &lines[..lines.len().min(many)];
    let indent = |line: &TreeLine| 2 + 2 * line.depth.min(24);
    let width = shown.iter().map(|line| indent(line) + text::width(&text::safe(&line.name))).max().unwrap_or(0);
    let width = width.min(page.width() / 2);
    for line in shown {
        let leaf = line.leaves == 1 && line.times == 1 && line.r#type.ends_with(']');
        let name_style = if line.depth == 0 { style::BOLD } else { style::PLAIN };
        let start = Line::new().pad_to(indent(line));
        let start =
            start.cell(name_style, &line.name, width.saturating_sub(indent(line)).max(text::width(&line.name).min(8)));
        if leaf {
            page.line(start.plain(&line.r#type));
            continue;
        }
        let mut aside = match line.times {
            1 => String::new(),
            times => format!("{} times ", text::thousands(times as u128)),
        };
        aside.push_str(&text::count(line.leaves, "leaf", "leaves"));
        if let Some(elements) = line.elements {
            aside.push_str(&format!(", {} elements", text::thousands(elements)));
        }
        let like = line.like.as_ref().map(|like| format!("  like {like}")).unwrap_or_default();
        page.line(start.add(style::DIM, &aside).plain("  ").plain(&line.r#type).add(style::DIM, &like));
    }
    more(page, lines.len() - shown.len(), "lines");
}

fn scope_lines(page: &mut Page, inspection: &Inspection<'_>, many: usize) {
    if inspection.scopes.is_empty() {
        let advice = "none: mark the code that makes the reward, `with jax.named_scope(\"probe_reward\"):`, and lower \
                      with `as_text(debug_info=True)`";
        page.wrapped(Line::new().plain("  "), style::OPEN, advice);
        return;
    }
    let rows: Vec<(&str, usize, String)> = inspection
        .scopes
        .iter()
        .map(|scope| {
            let phases = match (scope.forward, scope.cotangent) {
                (0, 0) => String::new(),
                (forward, 0) => format!("{} forward, no cotangent", text::thousands(forward as u128)),
                (forward, cotangent) => format!(
                    "{} forward, {} cotangent",
                    text::thousands(forward as u128),
                    text::thousands(cotangent as u128)
                ),
            };
            (scope.name.as_str(), scope.operations, phases)
        })
        .collect();
    table(page, &rows, many, style::PLAIN, "scopes");
    if inspection.without_scope > 0 {
        let count = text::count(inspection.without_scope, "operation is", "operations are");
        page.line(Line::new().add(style::DIM, &format!("  {count} in no scope of the user")));
    }
}

fn carried_lines(page: &mut Page, inspection: &Inspection<'_>, many: usize) {
    section(page, "carried from step to step", inspection.carried.iter().map(|pair| pair.leaves).sum());
    if let Some(error) = &inspection.pairing_error {
        page.wrapped(Line::new().plain("  ").add(style::BAD, "undecided: "), style::PLAIN, error);
        return;
    }
    let width = name_width(page, inspection.carried.iter().map(|pair| pair.output.as_str()));
    for pair in inspection.carried.iter().take(many) {
        let unused = match pair.unused_inputs {
            0 => String::new(),
            unused => format!(", {} not used by the step", text::thousands(unused as u128)),
        };
        let line =
            Line::new().plain("  ").cell(style::PLAIN, &pair.output, width).plain("becomes  ").plain(&pair.input);
        let leaves = text::count(pair.leaves, "leaf", "leaves");
        page.line(line.add(style::DIM, &format!("  {leaves}{unused}, by {}", pair.found_by)));
    }
    more(page, inspection.carried.len().saturating_sub(many), "subtrees");
    for possible in &inspection.possible {
        let says = format!(
            "{} may become {}: say which in the policy",
            text::list(&possible.outputs, 4),
            text::list(&possible.inputs, 4)
        );
        page.wrapped(Line::new().plain("  ").add(style::OPEN, "open: "), style::PLAIN, &says);
    }
    if !inspection.terminal.is_empty() {
        let limit = if many == usize::MAX { many } else { 6 };
        let lead = Line::new().plain("  ").add(style::DIM, "not carried: ");
        page.wrapped(lead, style::DIM, &text::list(&inspection.terminal, limit));
    }
}
