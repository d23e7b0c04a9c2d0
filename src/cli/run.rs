//! `openloop run`.

use std::path::Path;

use super::arguments::RunArguments;
use super::{Failure, Outcome, files, output};
use crate::capture::read_parts;
use crate::exec::values::{FileKind, StoredTensor, StoredTensors, read_tensors, write_tensors};
use crate::exec::{Element, FloatScalar, InputGenerator, Program, Tensor, TensorShape};
use crate::graph::{FunctionId, PytreePath, TrainingGraph};
use crate::index::Id;

pub(super) fn run(arguments: &RunArguments) -> Outcome {
    let kinds = [&arguments.output, &arguments.save_inputs].into_iter().flatten();
    for path in kinds {
        file_kind(path)?;
    }
    let bytes = files::read(&arguments.file)?;
    let mut modules = chosen(arguments, &bytes)?;
    let given = arguments.inputs.as_deref().map_or(Ok(StoredTensors::new()), read_inputs)?;
    if modules.len() == 1 {
        let (graph, function) = modules.swap_remove(0)?;
        output::findings(&run_one(arguments, &graph, function, &given)?, None)?;
        return Ok(0);
    }
    if arguments.output.is_some() || arguments.save_inputs.is_some() {
        let count = modules.len();
        let message = format!("{count} functions would write their values to one file: choose one with --entry");
        return Err(Failure::new(message));
    }
    let (mut lines, mut failures) = (String::new(), Vec::new());
    for module in modules {
        let ran = module.and_then(|(graph, function)| {
            let results = run_one(arguments, &graph, function, &given)?;
            Ok(format!("@{}\n{results}", graph.function(function).name))
        });
        match ran {
            Ok(text) => lines.push_str(&text),
            Err(failure) => failures.push(failure.message),
        }
    }
    if !failures.is_empty() {
        return Err(Failure::rendered(failures.join("\n")));
    }
    output::findings(&lines, None)?;
    Ok(0)
}

/// A function to run, or why its module cannot be read.
type Module = Result<(TrainingGraph, FunctionId), Failure>;

/// The functions to run: of each module of the file the step itself, or the one of a name. A module that cannot be read is
/// a failure where it may have such a function.
fn chosen(arguments: &RunArguments, bytes: &[u8]) -> Result<Vec<Module>, Failure> {
    let name = arguments.entry.as_deref().map(|name| name.strip_prefix('@').unwrap_or(name));
    let (mut found, mut names, mut unread) = (Vec::new(), Vec::new(), None);
    for part in read_parts(bytes) {
        match (part.graph, name) {
            (Ok(graph), None) => {
                let entry = graph.entry();
                found.push(Ok((graph, entry)));
            }
            (Ok(graph), Some(name)) => match graph.functions().iter().position(|function| &*function.name == name) {
                Some(position) => found.push(Ok((graph, FunctionId::new(position)))),
                None => names.extend(graph.functions().iter().map(|function| function.name.to_string())),
            },
            (Err(error), name) => {
                let failure = files::cannot_read(&arguments.file, bytes, &error);
                let may_have = |name: &str| memchr::memmem::find(part.text, name.as_bytes()).is_some();
                if name.is_none_or(may_have) { found.push(Err(failure)) } else { unread = unread.or(Some(failure)) }
            }
        }
    }
    if found.is_empty() {
        if let Some(failure) = unread {
            return Err(failure);
        }
        names.truncate(20);
        let name = name.unwrap_or_default();
        return Err(Failure::new(format!("there is no function `{name}`; there are {}", names.join(", "))));
    }
    Ok(found)
}

/// Runs a function; gives a line for each result.
fn run_one(
    arguments: &RunArguments,
    graph: &TrainingGraph,
    function: FunctionId,
    given: &StoredTensors,
) -> Result<String, Failure> {
    let is_wide = graph.values().ids().any(|value| {
        let element = graph.tensor_type(value).and_then(|tensor| Element::of(&tensor.element));
        matches!(element, Some(Element::Float(kind) | Element::Complex(kind)) if kind.bits() > 32)
    });
    if is_wide {
        run_as::<f64>(arguments, graph, function, given)
    } else {
        run_as::<f32>(arguments, graph, function, given)
    }
}

fn run_as<S: FloatScalar>(
    arguments: &RunArguments,
    graph: &TrainingGraph,
    function: FunctionId,
    given: &StoredTensors,
) -> Result<String, Failure> {
    let file = arguments.file.display();
    let program =
        Program::<S>::of_function(graph, function).map_err(|error| Failure::new(format!("{file}: {error}")))?;
    let inputs = inputs(arguments, graph, function, given)?;
    let names = &graph.function(function).inputs;
    if let Some(path) = &arguments.save_inputs {
        save(path, names, &inputs)?;
    }
    let results = program.run(inputs).map_err(|error| Failure::new(format!("{file}: {error}")))?;
    let names = &graph.function(function).outputs;
    if let Some(path) = &arguments.output {
        save(path, names, &results)?;
    }
    Ok(names.iter().zip(&results).map(|(name, result)| format!("{}\n", summary(name, result))).collect())
}

/// The inputs of a function: given, or made.
fn inputs<S: FloatScalar>(
    arguments: &RunArguments,
    graph: &TrainingGraph,
    function: FunctionId,
    given: &StoredTensors,
) -> Result<Vec<Tensor<S>>, Failure> {
    let generator = InputGenerator::new(graph, arguments.seed);
    let entry = graph.function(function);
    let (mut inputs, mut made) = (Vec::new(), 0);
    for (position, (value, path)) in graph.arguments(entry.body).iter().zip(&entry.inputs).enumerate() {
        let input = match given.get(&path.to_string()) {
            Some(stored) => {
                let wanted = graph.tensor_type(value).and_then(TensorShape::of);
                let wanted =
                    wanted.ok_or_else(|| Failure::new(format!("the input `{path}` is of no supported type")))?;
                stored.as_tensor(&wanted).map_err(|why| Failure::new(format!("the input `{path}`: {why}")))?
            }
            None => {
                made += 1;
                let input = generator.input(function, position);
                input.ok_or_else(|| Failure::new(format!("the input `{path}` is of a type that cannot be made up")))?
            }
        };
        inputs.push(input);
    }
    let used = inputs.len() - made;
    if !given.is_empty() && used == 0 {
        let (first, count) = (given.keys().next().map_or("", String::as_str), given.len());
        let wanted = entry.inputs.first().map_or_else(|| "none".into(), PytreePath::to_string);
        let message = format!(
            "none of the {count} inputs that are given is one of @{}: there is `{first}`, wanted is `{wanted}`",
            entry.name
        );
        return Err(Failure::new(message));
    }
    if made > 0 {
        output::note(&format!("{made} of {} inputs are made up from seed {}", inputs.len(), arguments.seed));
    }
    Ok(inputs)
}

fn file_kind(path: &Path) -> Result<FileKind, Failure> {
    let kind = FileKind::of_name(&path.to_string_lossy());
    kind.ok_or_else(|| Failure::new(format!("{}: the name should end in .safetensors or .npz", path.display())))
}

fn read_inputs(path: &Path) -> Result<StoredTensors, Failure> {
    let kind = file_kind(path)?;
    let bytes = files::read(path)?;
    read_tensors(kind, &bytes).map_err(|why| Failure::new(format!("{}: {why}", path.display())))
}

fn save<S: FloatScalar>(path: &Path, names: &[PytreePath], tensors: &[Tensor<S>]) -> Result<(), Failure> {
    let named = names.iter().zip(tensors);
    let stored: StoredTensors =
        named.filter_map(|(name, tensor)| Some((name.to_string(), StoredTensor::of(tensor)?))).collect();
    let bytes = write_tensors(file_kind(path)?, &stored);
    files::write(path, bytes.map_err(|why| Failure::new(format!("{}: {why}", path.display())))?)
}

/// One line: name, type, and the value or the range of the values.
fn summary<S: FloatScalar>(name: &PytreePath, tensor: &Tensor<S>) -> String {
    let Some(element) = tensor.element() else { return format!("{name}  no tensor") };
    let extents: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    let r#type = format!("{element}[{}]", extents.join("x"));
    let numbers: Vec<f64> = match tensor {
        Tensor::Boolean(array) => array.iter().map(|&value| f64::from(u8::from(value))).collect(),
        Tensor::Signed(_, array) => array.iter().map(|&value| value as f64).collect(),
        Tensor::Unsigned(_, array) => array.iter().map(|&value| value as f64).collect(),
        Tensor::Float(_, array) => array.iter().map(|value| value.value()).collect(),
        Tensor::Complex(_, array) => array.iter().map(|value| value.norm().value()).collect(),
        Tensor::Token | Tensor::Tuple(_) => Vec::new(),
    };
    if numbers.len() <= 4 {
        let shown: Vec<String> = numbers.iter().map(|number| format!("{number}")).collect();
        return format!("{name}  {type}  {}", shown.join(" "));
    }
    let finite = numbers.iter().copied().filter(|number| number.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    let odd = numbers.iter().filter(|number| !number.is_finite()).count();
    let odd = if odd > 0 { format!(", {odd} not finite") } else { String::new() };
    format!("{name}  {type}  {low} to {high}{odd}")
}
