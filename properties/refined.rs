//! Refined labels against what is seen: element by element on single operations, on the zoo, on functions that JAX lowered.

use std::collections::BTreeMap;
use std::fmt::Write;

use openloop::graph::{Definition, FunctionId, TrainingGraph};
use serde_json::Value;

use super::elements::{Fit, Pattern, Random, compare, indices, labelled, shape};
use super::{corpus, operations};

/// So many random steps for each operation.
const STEPS: u64 = 60;
/// So many inputs to begin from, and so many other values for each element.
const TRIES: (usize, usize) = (4, 4);

fn row(table: &mut String, name: &str, steps: usize, fit: Fit) {
    let Fit { asked, equal, seen, more } = fit;
    writeln!(table, "{name:36} {steps:6} {asked:6} {equal:6} {seen:8} {more:6}").expect("a string");
}

fn heading(first: &str) -> String {
    format!("{first:36} {:>6} {:>6} {:>6} {:>8} {:>6}\n", "steps", "asked", "equal", "seen", "more")
}

/// The numbers are a snapshot: `equal` may only rise, `more` only fall. What is more for sorts, products with NaN and the like
/// is not all wrong: a dependence may be there and not be seen.
#[test]
fn perturbing_an_element_changes_only_what_is_in_its_image() {
    let mut table = heading("operation");
    let mut missing = Vec::new();
    for (position, name) in operations::OPERATIONS.iter().enumerate() {
        let (mut fit, mut steps) = (Fit::default(), 0);
        for seed in 0..STEPS {
            let mut random = Random(seed << 8 | position as u64);
            let text = operations::Writer::new(&mut random).operation(name);
            let graph = openloop::capture::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
            if let Some(found) = compare(&graph, &mut random, TRIES, &text) {
                fit.join(found);
                steps += 1;
            }
        }
        row(&mut table, name, steps, fit);
        if steps < STEPS as usize {
            missing.push(format!("{name}: {steps}"));
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "steps that do not run");
    insta::assert_snapshot!(table);
}

/// The statements of the entry function, each with everything inside it.
fn statements(text: &str, name: &str) -> Vec<String> {
    let header = format!("@{name}(");
    let lines = text.lines().skip_while(|line| !(line.starts_with("  func.func") && line.contains(&header))).skip(1);
    let mut found: Vec<String> = Vec::new();
    for line in lines.take_while(|line| *line != "  }") {
        match line.strip_prefix("    ") {
            Some(rest) if rest.starts_with(['%', '"']) => found.push(format!("{line}\n")),
            Some(rest) if rest.starts_with(|letter: char| letter.is_ascii_lowercase()) => {
                found.push(format!("{line}\n"))
            }
            _ => {
                if let Some(last) = found.last_mut() {
                    *last += &format!("{line}\n");
                }
            }
        }
    }
    found
}

/// The names of values in a text, with `#0` and the like: where they begin and end.
fn names(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut found = Vec::new();
    for (start, _) in text.match_indices('%') {
        let mut end = start + 1;
        while end < bytes.len() && is_part(bytes[end]) {
            end += 1;
        }
        if bytes.get(end) == Some(&b'#') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            end += 1;
            while end < bytes.len() && bytes[end].is_ascii_digit() {
                end += 1;
            }
        }
        found.push((start, end));
    }
    found
}

/// Each operation of a function as a step of its own, whose inputs are what it takes; none for what has no result.
fn single_steps(graph: &TrainingGraph, function: FunctionId, text: &str) -> Vec<Option<(String, String)>> {
    let facts = graph.function(function);
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let type_of = |value| graph.type_text(graph.value(value).r#type).to_string();
    for (position, value) in graph.arguments(facts.body).iter().enumerate() {
        types.insert(format!("%arg{position}"), type_of(value));
    }
    let mut steps = Vec::new();
    let operations: Vec<_> = graph.operations_directly_in(facts.body).collect();
    let statements = statements(text, &facts.name);
    if statements.len() != operations.len() {
        return vec![None; operations.len()];
    }
    for (statement, operation) in statements.iter().zip(operations) {
        let results: Vec<String> = graph.results(operation).iter().map(type_of).collect();
        let mut arguments: Vec<(String, String)> = Vec::new();
        let (mut body, mut at) = (String::new(), 0);
        for (start, end) in names(statement) {
            if let Some(of) = types.get(&statement[start..end]) {
                let name = format!("%of_{}", statement[start + 1..end].replace('#', "_"));
                body += &statement[at..start];
                body += &name;
                at = end;
                if arguments.iter().all(|(known, _)| *known != name) {
                    arguments.push((name, of.clone()));
                }
            }
        }
        body += &statement[at..];
        let made = statement.trim_start().split([' ', ':']).next().unwrap_or_default().to_string();
        let given: Vec<String> = match results.len() {
            1 => vec![made.clone()],
            count => (0..count).map(|position| format!("{made}#{position}")).collect(),
        };
        types.extend(given.iter().cloned().zip(results.iter().cloned()));
        if results.is_empty() {
            continue;
        }
        let join = |parts: Vec<String>| parts.join(", ");
        let arguments = join(arguments.iter().map(|(name, of)| format!("{name}: {of}")).collect());
        let (given, results) = (join(given), join(results));
        let step = format!(
            "module @step {{\n  func.func public @main({arguments}) -> ({results}) {{\n{body}    return {given} : \
             {results}\n  }}\n}}\n"
        );
        steps.push(Some((graph.operation_name(operation).to_string(), step)));
    }
    steps
}

/// Steps of more elements than this take too long.
const MOST_ELEMENTS: u64 = 200;

#[test]
fn perturbing_an_element_in_the_zoo_changes_only_what_is_labelled() {
    let mut fits: BTreeMap<String, (usize, Fit)> = BTreeMap::new();
    let (mut run, mut left_out) = (0, 0);
    for (pretty, _) in corpus::zoo() {
        let file = corpus::name(&pretty);
        if file.contains(".attrs") {
            continue;
        }
        let plain = pretty.with_file_name(file.replace(".mlir", ".nodebug.mlir"));
        let text = String::from_utf8(corpus::bytes(&plain)).expect("text");
        // Some of the zoo is there to be refused.
        let Ok(graph) = openloop::capture::read(text.as_bytes()) else { continue };
        for function in graph.functions().ids() {
            for step in single_steps(&graph, function, &text) {
                let fit = step.as_ref().and_then(|(name, text)| {
                    let step = openloop::capture::read(text.as_bytes()).ok()?;
                    let elements = |value| shape(&step, value).map(|extents| extents.iter().product::<u64>());
                    let sum: u64 = step.inputs().map(|(_, value)| elements(value)).sum::<Option<u64>>()?;
                    let Definition::Result(..) =
                        step.value(step.yields(step.function(step.entry()).body)[0]).definition
                    else {
                        return None;
                    };
                    if sum > MOST_ELEMENTS {
                        return None;
                    }
                    // A seed of its own, so that a step more or less changes its own row alone.
                    let seed = fits.get(name).map_or(0, |known| known.0 as u64);
                    Some((name.clone(), compare(&step, &mut Random(seed), (2, 3), text)?))
                });
                match fit {
                    Some((name, fit)) => {
                        run += 1;
                        let known = fits.entry(name).or_default();
                        known.0 += 1;
                        known.1.join(fit);
                    }
                    None => left_out += 1,
                }
            }
        }
    }
    let mut table = heading("operation");
    for (name, (steps, fit)) in &fits {
        row(&mut table, name, *steps, *fit);
    }
    writeln!(table, "{run} operations run, {left_out} left out").expect("a string");
    insta::assert_snapshot!(table);
}

/// One string for each element of the output, one character for each element of all inputs.
fn dependences(json: &Value, key: &str) -> Option<Vec<Vec<bool>>> {
    let rows = json[key].as_array()?;
    let list = |row: &Value| row.as_str().expect("a row").bytes().map(|digit| digit == b'1').collect();
    Some(rows.iter().map(list).collect())
}

#[test]
fn functions_that_jax_lowered_depend_on_elements_as_measured() {
    let folder = corpus::root().join("fixtures/dependence");
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("the fixtures are there").collect();
    files.sort_by_key(|entry| entry.as_ref().expect("a readable folder").path());
    let mut table = format!(
        "{:18} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n",
        "function", "pairs", "depends", "more", "asdex", "more", "missed"
    );
    let mut functions = 0;
    for path in files.into_iter().map(|entry| entry.expect("a readable folder").path()) {
        if path.extension().is_none_or(|extension| extension != "mlir") {
            continue;
        }
        functions += 1;
        let name = corpus::name(&path).replace(".mlir", "");
        let graph = corpus::graph(&path);
        let json: Value = serde_json::from_slice(&corpus::bytes(&path.with_extension("json"))).expect("JSON");
        let measured = dependences(&json, "depends").expect("a measured pattern");
        let asdex = dependences(&json, "asdex_depends");
        let (mut pairs, mut depends, mut more, mut column) = (0, 0, 0, 0);
        for (input, (_, value)) in graph.inputs().enumerate() {
            for index in indices(&shape(&graph, value).expect("a fixed shape")) {
                let found: Pattern = labelled(&graph, input, &index).expect("fixed shapes");
                for (row, found) in measured.iter().zip(&found[0]) {
                    assert!(*found || !row[column], "{name}: input {input} at {index:?} has no label");
                    pairs += 1;
                    depends += usize::from(row[column]);
                    more += usize::from(*found && !row[column]);
                }
                column += 1;
            }
        }
        assert_eq!(column, measured[0].len(), "{name}: elements of all inputs");
        let count = |test: &dyn Fn(bool, bool) -> bool| {
            asdex.as_ref().map_or("-".to_string(), |asdex| {
                let both = measured.iter().flatten().zip(asdex.iter().flatten());
                both.filter(|(measured, found)| test(**measured, **found)).count().to_string()
            })
        };
        let (all, extra) = (count(&|_, found| found), count(&|measured, found| found && !measured));
        let missed = count(&|measured, found| measured && !found);
        writeln!(table, "{name:18} {pairs:8} {depends:8} {more:8} {all:>8} {extra:>8} {missed:>8}").expect("a string");
    }
    assert!(functions >= 16, "only {functions} functions");
    insta::assert_snapshot!(table);
}
