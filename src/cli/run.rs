//! `openloop run`.

use std::path::Path;

use super::arguments::RunArguments;
use super::{Failure, Outcome, files, output};
use crate::exec::values::{FileKind, StoredTensor, StoredTensors, read_tensors, write_tensors};
use crate::exec::{Element, FloatScalar, InputGenerator, Program, Tensor, TensorShape};
use crate::graph::{FunctionId, PytreePath, TrainingGraph};
use crate::index::Id;

pub(super) fn run(arguments: &RunArguments) -> Outcome {
    let kinds = [&arguments.output, &arguments.save_inputs].into_iter().flatten();
    for path in kinds {
        file_kind(path)?;
    }
    let graph = files::read_graph(&arguments.file)?;
    let function = match &arguments.entry {
        None => graph.entry(),
        Some(name) => function_named(&graph, name)?,
    };
    let given = arguments.inputs.as_deref().map_or(Ok(StoredTensors::new()), read_inputs)?;
    let is_wide = graph.values().ids().any(|value| {
        let element = graph.tensor_type(value).and_then(|tensor| Element::of(&tensor.element));
        matches!(element, Some(Element::Float(kind) | Element::Complex(kind)) if kind.bits() > 32)
    });
    if is_wide {
        run_as::<f64>(arguments, &graph, function, &given)
    } else {
        run_as::<f32>(arguments, &graph, function, &given)
    }
}

fn run_as<S: FloatScalar>(
    arguments: &RunArguments,
    graph: &TrainingGraph,
    function: FunctionId,
    given: &StoredTensors,
) -> Outcome {
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
    let lines: String =
        names.iter().zip(&results).map(|(name, result)| format!("{}\n", summary(name, result))).collect();
    output::findings(&lines, None)?;
    Ok(0)
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

fn function_named(graph: &TrainingGraph, name: &str) -> Result<FunctionId, Failure> {
    let name = name.strip_prefix('@').unwrap_or(name);
    let found = graph.functions().iter().position(|function| &*function.name == name);
    found.map(FunctionId::new).ok_or_else(|| {
        let names: Vec<&str> = graph.functions().iter().map(|function| &*function.name).take(20).collect();
        Failure::new(format!("there is no function `{name}`; there are {}", names.join(", ")))
    })
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
