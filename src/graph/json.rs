//! The JSON form of a graph, versioned, so that other tools can emit graphs.
//!
//! Flat: operations in the order of the text, each with the region it stands in; regions with the operation they
//! belong to. A file is read through [`GraphBuilder`] and is checked like any other input. The layout is described
//! by `fixtures/schema/graph.schema.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::*;

/// The version of the JSON form that this library writes, and the only one that it reads.
pub const JSON_VERSION: u32 = 1;

/// Why a JSON file is no graph.
#[derive(Debug, Error)]
pub enum GraphFileError {
    /// Not JSON, or not this layout.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// Another version of the layout.
    #[error("graph version {found}, expected {JSON_VERSION}")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// A number points nowhere.
    #[error("{what} {position} refers to {target} {number}, which does not exist or comes too late")]
    Dangling {
        /// `operation`, `region`, ...
        what: &'static str,
        /// Its position.
        position: usize,
        /// What it refers to.
        target: &'static str,
        /// The number it gives.
        number: usize,
    },
    /// A type that cannot be read.
    #[error("`{0}` is no type that this version reads")]
    Type(String),
    /// The graph is not valid.
    #[error("operation {position}: {error}")]
    Build {
        /// Position of the operation at which this was noticed.
        position: usize,
        /// What is wrong.
        error: BuildError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphFile {
    version: u32,
    name: Box<str>,
    types: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<PlaceFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<Box<str>>,
    functions: Vec<FunctionFile>,
    regions: Vec<RegionFile>,
    operations: Vec<OperationFile>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    resources: BTreeMap<Box<str>, Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    carried: Option<Vec<(PytreePath, PytreePath)>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceFile {
    file: Box<str>,
    line: u32,
    #[serde(default)]
    column: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionFile {
    name: Box<str>,
    #[serde(default)]
    public: bool,
    inputs: Vec<PytreePath>,
    outputs: Vec<(PytreePath, usize)>,
}

/// Arguments by type. Regions come in the order in which they open; a region without an operation is the body of
/// the next function.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<usize>,
    arguments: Vec<usize>,
    /// The first value of the arguments.
    first_value: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationFile {
    name: Box<str>,
    region: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    operands: Vec<usize>,
    /// Types of the results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    results: Vec<usize>,
    /// The first value of the results.
    first_value: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callee: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<Box<str>, Attribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<usize>,
}

impl TrainingGraph {
    /// The graph as JSON.
    pub fn to_json(&self) -> String {
        let file = GraphFile {
            version: JSON_VERSION,
            name: self.name.clone(),
            types: (0..self.types.len()).map(|index| self.type_text(TypeId::new(index))).collect(),
            places: self
                .places
                .iter()
                .map(|place| PlaceFile {
                    file: place.file.clone(),
                    line: place.line,
                    column: place.column,
                    function: place.function.clone(),
                    caller: place.caller.map(Id::index),
                })
                .collect(),
            scopes: self.scopes.iter().cloned().collect(),
            functions: self
                .functions
                .iter()
                .map(|function| FunctionFile {
                    name: function.name.clone(),
                    public: function.public,
                    inputs: function.inputs.to_vec(),
                    outputs: function
                        .outputs
                        .iter()
                        .cloned()
                        .zip(function.output_types.iter().map(|r#type| r#type.index()))
                        .collect(),
                })
                .collect(),
            regions: self
                .regions
                .iter()
                .map(|region| RegionFile {
                    operation: region.parent.map(Id::index),
                    arguments: region.arguments.iter().map(|argument| self.values[argument].r#type.index()).collect(),
                    first_value: region.arguments.positions().start,
                })
                .collect(),
            operations: self
                .operations
                .iter_enumerated()
                .map(|(id, operation)| OperationFile {
                    name: self.operation_name(id).into(),
                    region: operation.region.index(),
                    operands: self.operands(id).iter().map(|operand| operand.index()).collect(),
                    results: operation.results.iter().map(|result| self.values[result].r#type.index()).collect(),
                    first_value: operation.results.positions().start,
                    callee: operation.callee.map(|callee| self.functions[callee].name.clone()),
                    attributes: self.attributes(id).iter().cloned().collect(),
                    place: (operation.place.index() > 0).then(|| operation.place.index()),
                    scope: (operation.scope.index() > 0).then(|| operation.scope.index()),
                })
                .collect(),
            resources: self.resources.iter().map(|(key, text)| (key.clone(), text.clone())).collect(),
            carried: self.declared_pairs.clone(),
        };
        serde_json::to_string(&file).expect("strings, numbers and lists are always JSON")
    }

    /// Reads the JSON form. `read_type` reads a type as MLIR writes it (see
    /// [`crate::capture::read_type`]); it is a parameter since this floor knows no text formats.
    pub fn from_json(
        text: &str,
        read_type: &mut dyn FnMut(&mut GraphBuilder, &str) -> Option<TypeId>,
    ) -> Result<TrainingGraph, GraphFileError> {
        let file: GraphFile = serde_json::from_str(text)?;
        if file.version != JSON_VERSION {
            return Err(GraphFileError::Version { found: file.version });
        }
        Loader::new(&file, read_type)?.load(&file)
    }
}

struct Loader {
    builder: GraphBuilder,
    types: Vec<TypeId>,
    places: Vec<PlaceId>,
    scopes: Vec<ScopeId>,
    /// The value that each number of the file stands for.
    values: BTreeMap<usize, ValueId>,
    next_region: usize,
    next_function: usize,
}

fn dangling(what: &'static str, position: usize, target: &'static str, number: usize) -> GraphFileError {
    GraphFileError::Dangling { what, position, target, number }
}

impl Loader {
    fn new(
        file: &GraphFile,
        read_type: &mut dyn FnMut(&mut GraphBuilder, &str) -> Option<TypeId>,
    ) -> Result<Loader, GraphFileError> {
        let mut builder = GraphBuilder::new(&file.name);
        let mut types = Vec::with_capacity(file.types.len());
        for text in &file.types {
            types.push(read_type(&mut builder, text).ok_or_else(|| GraphFileError::Type(text.clone()))?);
        }
        let mut places: Vec<PlaceId> = Vec::with_capacity(file.places.len());
        for (position, place) in file.places.iter().enumerate() {
            let caller = match place.caller {
                None => None,
                Some(caller) => Some(*places.get(caller).ok_or_else(|| dangling("place", position, "place", caller))?),
            };
            places.push(builder.place(Place {
                file: place.file.clone(),
                line: place.line,
                column: place.column,
                function: place.function.clone(),
                caller,
            }));
        }
        let scopes = file.scopes.iter().map(|scope| builder.scope_id(scope)).collect();
        for (key, text) in &file.resources {
            builder.resource(key, text);
        }
        for (output, input) in file.carried.iter().flatten() {
            builder.carry(output.clone(), input.clone());
        }
        if file.carried.is_some() {
            builder.carry_nothing_else();
        }
        Ok(Loader { builder, types, places, scopes, values: BTreeMap::new(), next_region: 0, next_function: 0 })
    }

    fn r#type(&self, what: &'static str, position: usize, number: usize) -> Result<TypeId, GraphFileError> {
        self.types.get(number).copied().ok_or_else(|| dangling(what, position, "type", number))
    }

    /// Opens the next region of the file: of a function if no operation is open, else of that operation.
    fn open_region(&mut self, file: &GraphFile, position: usize) -> Result<(), GraphFileError> {
        let region = &file.regions[self.next_region];
        let arguments = region
            .arguments
            .iter()
            .map(|&number| self.r#type("region", self.next_region, number))
            .collect::<Result<Vec<_>, _>>()?;
        let wrap = |error| GraphFileError::Build { position, error };
        let opened = if region.operation.is_some() {
            self.builder.begin_region(&arguments).map_err(wrap)?
        } else {
            let function = file
                .functions
                .get(self.next_function)
                .ok_or_else(|| dangling("region", self.next_region, "function", self.next_function))?;
            if function.inputs.len() != arguments.len() {
                return Err(dangling("function", self.next_function, "input", function.inputs.len()));
            }
            let outputs = function
                .outputs
                .iter()
                .map(|(path, number)| Ok((self.r#type("function", self.next_function, *number)?, path.clone())))
                .collect::<Result<Vec<_>, GraphFileError>>()?;
            self.next_function += 1;
            let header = FunctionHeader {
                name: function.name.clone(),
                public: function.public,
                inputs: arguments.into_iter().zip(function.inputs.iter().cloned()).collect(),
                outputs,
                text_line: 0,
            };
            self.builder.begin_function(header).map_err(wrap)?
        };
        for (offset, value) in opened.iter().enumerate() {
            self.values.insert(region.first_value.saturating_add(offset), value);
        }
        self.next_region += 1;
        Ok(())
    }

    fn load(mut self, file: &GraphFile) -> Result<TrainingGraph, GraphFileError> {
        // What is open, innermost last: operations by position, and their region that is open, if any.
        struct Open {
            operation: usize,
            region: Option<usize>,
        }
        let mut open: Vec<Open> = Vec::new();
        let mut function_region: Option<usize> = None;
        for position in 0..=file.operations.len() {
            let wrap = |error| GraphFileError::Build { position, error };
            let home = file.operations.get(position).map(|operation| operation.region);
            // Close what does not hold this operation.
            while let Some(top) = open.last_mut() {
                if top.region.is_some() && top.region == home {
                    break;
                }
                if top.region.take().is_some() {
                    self.builder.end_region().map_err(wrap)?;
                }
                let next = file.regions.get(self.next_region);
                if next.is_some_and(|region| region.operation == Some(top.operation)) {
                    top.region = Some(self.next_region);
                    self.open_region(file, position)?;
                    continue;
                }
                let done = top.operation;
                open.pop();
                self.end_operation(&file.operations[done], done)?;
            }
            if open.is_empty() && function_region != home {
                if function_region.is_some() {
                    self.builder.end_function().map_err(wrap)?;
                }
                function_region = home;
                if let Some(home) = home {
                    if home != self.next_region || home >= file.regions.len() {
                        return Err(dangling("operation", position, "region", home));
                    }
                    self.open_region(file, position)?;
                }
            }
            if let Some(operation) = file.operations.get(position) {
                let operands = operation
                    .operands
                    .iter()
                    .map(|number| {
                        let value = self.values.get(number).copied();
                        value.ok_or_else(|| dangling("operation", position, "value", *number))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let header = OperationHeader {
                    name: &operation.name,
                    operands: &operands,
                    results: operation.results.len(),
                    text_line: 0,
                };
                let results = self.builder.begin_operation(header).map_err(wrap)?;
                for (offset, value) in results.iter().enumerate() {
                    self.values.insert(operation.first_value.saturating_add(offset), value);
                }
                open.push(Open { operation: position, region: None });
            }
        }
        if self.next_region != file.regions.len() {
            return Err(dangling("file", 0, "region", self.next_region));
        }
        self.builder.finish().map_err(|error| GraphFileError::Build { position: file.operations.len(), error })
    }

    fn end_operation(&mut self, operation: &OperationFile, position: usize) -> Result<(), GraphFileError> {
        let result_types = operation
            .results
            .iter()
            .map(|&number| self.r#type("operation", position, number))
            .collect::<Result<Vec<_>, _>>()?;
        let attributes = operation.attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let attributes = self.builder.attributes(dictionary(attributes));
        let place = match operation.place {
            None => self.builder.no_place(),
            Some(number) => *self.places.get(number).ok_or_else(|| dangling("operation", position, "place", number))?,
        };
        let scope = match operation.scope {
            None => self.builder.no_scope(),
            Some(number) => *self.scopes.get(number).ok_or_else(|| dangling("operation", position, "scope", number))?,
        };
        let callee = operation.callee.as_deref();
        let footer = OperationFooter { result_types: &result_types, attributes, callee, place, scope };
        self.builder.end_operation(footer).map_err(|error| GraphFileError::Build { position, error })?;
        Ok(())
    }
}
