//! The only door into a [`TrainingGraph`].
//!
//! Two ways to use it. Readers open functions, operations and regions in the order of the text
//! ([`GraphBuilder::begin_function`], [`GraphBuilder::begin_operation`], ...). People who write a model graph by
//! hand use the short forms: [`GraphBuilder::input`], [`GraphBuilder::add`], [`GraphBuilder::scope`],
//! [`GraphBuilder::output`].
//!
//! What it checks: an operand is a value that exists, is defined above and stands in a region that is still open
//! (SSA dominance); counts of operands, results and regions; types and counts at loops, branches, calls and
//! returns; shapes of elementwise operations; that calls go to functions that exist and do not recur.

use indexmap::IndexMap;
use thiserror::Error;

use super::*;

/// Why a graph cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the message of each variant is its documentation")]
pub enum BuildError {
    #[error("value {value} is used by {operation} but there is no such value")]
    NoSuchValue { value: usize, operation: String },
    #[error("a value is used by {operation} outside the region that defines it")]
    NotVisible { operation: String },
    #[error("{operation} has {found} {what}, expected {expected}")]
    Count { operation: String, what: &'static str, found: usize, expected: String },
    #[error("{operation}: {what} has type {found}, expected {expected}")]
    Type { operation: String, what: String, found: String, expected: String },
    #[error("a region of {operation} does not end in a return")]
    NoTerminator { operation: String },
    #[error("{operation} stands after the return of its region")]
    AfterTerminator { operation: String },
    #[error("function @{0} is defined twice")]
    DuplicateFunction(Box<str>),
    #[error("call of @{0}, but there is no such function")]
    NoSuchFunction(Box<str>),
    #[error("function @{0} calls itself, directly or through others; steps with recursive calls are not supported")]
    Recursion(Box<str>),
    #[error("there is no function")]
    NoFunction,
    #[error("`{0}` is declared as carried, but no {1} has this path")]
    NoSuchPath(PytreePath, &'static str),
    #[error("two {0}s have the path `{1}`")]
    DuplicatePath(&'static str, PytreePath),
    #[error("{0}")]
    Misuse(&'static str),
}

/// What is known of a function before its body.
#[derive(Clone, Debug, Default)]
pub struct FunctionHeader {
    /// Its name, without the `@`.
    pub name: Box<str>,
    /// Whether it can be called from outside.
    pub public: bool,
    /// The type and path of each input.
    pub inputs: Vec<(TypeId, PytreePath)>,
    /// The type and path of each output.
    pub outputs: Vec<(TypeId, PytreePath)>,
    /// Its line in the text; 0 if there is none.
    pub text_line: u32,
}

/// What is known of an operation before its regions.
#[derive(Clone, Copy, Debug)]
pub struct OperationHeader<'a> {
    /// Its full name.
    pub name: &'a str,
    /// What it takes.
    pub operands: &'a [ValueId],
    /// How many results it has.
    pub results: usize,
    /// Its line in the text; 0 if there is none.
    pub text_line: u32,
}

/// What is known of an operation after its regions.
#[derive(Clone, Copy, Debug)]
pub struct OperationFooter<'a> {
    /// The type of each result.
    pub result_types: &'a [TypeId],
    /// Its attributes.
    pub attributes: AttributesId,
    /// The function that it calls, by name.
    pub callee: Option<&'a str>,
    /// Where it comes from.
    pub place: PlaceId,
    /// The scopes around it.
    pub scope: ScopeId,
}

/// Builds a [`TrainingGraph`].
///
/// ```
/// use openloop::graph::{GraphBuilder, OperationKind};
///
/// let mut step = GraphBuilder::new("step");
/// let weight = step.input("params.beliefs.w", "tensor<8xf32>");
/// let head = step.input("params.desires.w", "tensor<8xf32>");
/// let score = step.scope("probe_reward", |step| step.add(OperationKind::Tanh, &[weight]));
/// let new_head = step.add(OperationKind::Add, &[head, score]);
/// step.output("result.0.beliefs.w", weight);
/// step.output("result.0.desires.w", new_head);
/// let graph = step.finish().expect("a valid graph");
/// assert_eq!(graph.outputs().len(), 2);
/// ```
#[derive(Debug)]
pub struct GraphBuilder {
    graph: TrainingGraph,
    open_operations: Vec<OperationId>,
    open_regions: Vec<RegionId>,
    /// For each region whether it can still be added to: what is defined in it is visible.
    region_is_open: Vec<bool>,
    /// Regions of the open operations, in a stack.
    pending_regions: Vec<RegionId>,
    pending_counts: Vec<usize>,
    functions_by_name: IndexMap<Box<str>, FunctionId, FxBuildHasher>,
    /// Calls by name, resolved when all functions are known.
    calls: Vec<(OperationId, Box<str>)>,
    hand: ByHand,
    errors: Vec<BuildError>,
}

/// What the short forms remember.
#[derive(Debug, Default)]
struct ByHand {
    scopes: Vec<String>,
    place: Option<PlaceId>,
    inputs: Vec<(TypeId, PytreePath)>,
    outputs: Vec<(ValueId, PytreePath)>,
    begun: bool,
}

impl GraphBuilder {
    /// An empty graph of this name.
    pub fn new(name: &str) -> Self {
        let mut places = IndexVec::new();
        places.push(Place { file: "".into(), line: 0, column: 0, function: None, caller: None });
        let mut scopes = FastIndexSet::default();
        scopes.insert("".into());
        let mut attributes = FastIndexSet::default();
        attributes.insert(Dictionary::default());
        let graph = TrainingGraph {
            name: name.into(),
            values: IndexVec::new(),
            operations: IndexVec::new(),
            operands: IndexVec::new(),
            regions: IndexVec::new(),
            region_slots: IndexVec::new(),
            functions: IndexVec::new(),
            callees_first: Vec::new(),
            entry: FunctionId::new(0),
            types: FastIndexSet::default(),
            attributes,
            names: FastIndexSet::default(),
            places,
            scopes,
            resources: IndexMap::new(),
            declared_pairs: None,
        };
        GraphBuilder {
            graph,
            open_operations: Vec::new(),
            open_regions: Vec::new(),
            region_is_open: Vec::new(),
            pending_regions: Vec::new(),
            pending_counts: Vec::new(),
            functions_by_name: IndexMap::default(),
            calls: Vec::new(),
            hand: ByHand::default(),
            errors: Vec::new(),
        }
    }

    /// Names the module.
    pub fn set_name(&mut self, name: &str) {
        self.graph.name = name.into();
    }

    /// The id of a type.
    pub fn r#type(&mut self, r#type: Type) -> TypeId {
        TypeId::new(self.graph.types.insert_full(r#type).0)
    }

    /// A type as MLIR writes it.
    pub fn type_text(&self, id: TypeId) -> String {
        self.graph.type_text(id)
    }

    /// What a type id stands for.
    pub fn type_of_id(&self, id: TypeId) -> &Type {
        self.graph.r#type(id)
    }

    /// The id of a dictionary, which must be sorted (see [`dictionary`]).
    pub fn attributes(&mut self, attributes: Dictionary) -> AttributesId {
        AttributesId::new(self.graph.attributes.insert_full(attributes).0)
    }

    /// The id of the empty dictionary.
    pub fn no_attributes(&self) -> AttributesId {
        AttributesId::new(0)
    }

    /// Adds a place. The caller sees to it that a place is not added twice; one without a file is unknown.
    pub fn place(&mut self, place: Place) -> PlaceId {
        if place.file.is_empty() { self.no_place() } else { self.graph.places.push(place) }
    }

    /// Makes room for about so many operations.
    pub(crate) fn reserve(&mut self, operations: usize) {
        self.graph.operations.reserve(operations);
        self.graph.values.reserve(operations);
        self.graph.operands.reserve(2 * operations);
    }

    /// The unknown place.
    pub fn no_place(&self) -> PlaceId {
        PlaceId::new(0)
    }

    /// The id of a scope: one path, or several joined by newlines.
    pub fn scope_id(&mut self, paths: &str) -> ScopeId {
        match self.graph.scopes.get_index_of(paths) {
            Some(index) => ScopeId::new(index),
            None => ScopeId::new(self.graph.scopes.insert_full(paths.into()).0),
        }
    }

    /// The scope of an operation that has none.
    pub fn no_scope(&self) -> ScopeId {
        ScopeId::new(0)
    }

    /// Stores the blob of a `dense_resource`.
    pub fn resource(&mut self, key: &str, hexadecimal: &str) {
        self.graph.resources.insert(key.into(), hexadecimal.into());
    }

    /// The type of a value that exists.
    pub fn value_type(&self, value: ValueId) -> TypeId {
        self.graph.value(value).r#type
    }

    /// What has been built so far: valid below the operations and regions that are open.
    pub(crate) fn so_far(&self) -> &TrainingGraph {
        &self.graph
    }

    /// How many operations there are so far.
    pub fn operation_count(&self) -> usize {
        self.graph.operations.len()
    }

    /// Opens a function and its body; gives its inputs.
    pub fn begin_function(&mut self, header: FunctionHeader) -> Result<IdRange<ValueId>, BuildError> {
        if !self.open_regions.is_empty() {
            return Err(BuildError::Misuse("a function inside a function"));
        }
        let id = FunctionId::new(self.graph.functions.len());
        if self.functions_by_name.insert(header.name.clone(), id).is_some() {
            return Err(BuildError::DuplicateFunction(header.name));
        }
        let body = RegionId::new(self.graph.regions.len());
        let types: Vec<TypeId> = header.inputs.iter().map(|(r#type, _)| *r#type).collect();
        self.graph.functions.push(Function {
            name: header.name,
            public: header.public,
            body,
            inputs: header.inputs.into_iter().map(|(_, path)| path).collect(),
            output_types: header.outputs.iter().map(|(r#type, _)| *r#type).collect(),
            outputs: header.outputs.into_iter().map(|(_, path)| path).collect(),
            text_line: header.text_line,
        });
        Ok(self.open_region(id, None, &types))
    }

    /// Renames the inputs of a function, once their names are known.
    pub fn set_input_paths(&mut self, function: FunctionId, paths: Vec<PytreePath>) {
        assert_eq!(paths.len(), self.graph.functions[function].inputs.len(), "one path for each input");
        self.graph.functions[function].inputs = paths.into();
    }

    /// Closes the function that is open.
    pub fn end_function(&mut self) -> Result<(), BuildError> {
        let region = *self.open_regions.last().ok_or(BuildError::Misuse("no function is open"))?;
        if self.graph.regions[region].parent.is_some() || !self.open_operations.is_empty() {
            return Err(BuildError::Misuse("a function ends while an operation is open"));
        }
        let function = self.graph.regions[region].function;
        let name = format!("func.func @{}", self.graph.functions[function].name);
        self.close_region(&name)?;
        let expected = self.graph.functions[function].output_types.clone();
        let found = self.graph.yields(region).to_vec();
        self.expect_types(&name, "returned value", &found, &expected)
    }

    fn open_region(&mut self, function: FunctionId, parent: Option<OperationId>, types: &[TypeId]) -> IdRange<ValueId> {
        let region = RegionId::new(self.graph.regions.len());
        let first = self.graph.values.len();
        for (position, r#type) in types.iter().enumerate() {
            let definition = Definition::Argument(region, position as u32);
            self.graph.values.push(Value { r#type: *r#type, definition });
        }
        let arguments = IdRange::new(first, self.graph.values.len());
        let start = self.graph.operations.len();
        self.graph.regions.push(Region {
            function,
            parent,
            arguments,
            operations: IdRange::new(start, start),
            terminator: None,
        });
        self.region_is_open.push(true);
        self.open_regions.push(region);
        arguments
    }

    fn close_region(&mut self, operation: &str) -> Result<(), BuildError> {
        let region = self.open_regions.pop().ok_or(BuildError::Misuse("no region is open"))?;
        self.region_is_open[region.index()] = false;
        let end = self.graph.operations.len();
        let entry = &mut self.graph.regions[region];
        entry.operations = IdRange::new(entry.operations.positions().start, end);
        if entry.terminator.is_none() {
            return Err(BuildError::NoTerminator { operation: operation.into() });
        }
        Ok(())
    }

    /// Opens an operation; its regions follow, then [`GraphBuilder::end_operation`]. Gives its results, whose types
    /// are not known yet.
    pub fn begin_operation(&mut self, header: OperationHeader<'_>) -> Result<IdRange<ValueId>, BuildError> {
        self.begin_operation_of_kind(OperationKind::from_name(header.name), header)
    }

    /// The same, for a caller that knows which kind the name is.
    pub(crate) fn begin_operation_of_kind(
        &mut self,
        kind: OperationKind,
        header: OperationHeader<'_>,
    ) -> Result<IdRange<ValueId>, BuildError> {
        let region = *self.open_regions.last().ok_or(BuildError::Misuse("an operation outside a function"))?;
        if self.graph.regions[region].terminator.is_some() {
            return Err(BuildError::AfterTerminator { operation: header.name.into() });
        }
        let counts =
            [("operands", header.operands.len(), kind.operands()), ("results", header.results, kind.results())];
        for (what, found, expected) in counts {
            if !expected.allows(found) {
                let operation = header.name.into();
                return Err(BuildError::Count { operation, what, found, expected: expected.to_string() });
            }
        }
        for operand in header.operands {
            let Some(value) = self.graph.values.get(*operand) else {
                return Err(BuildError::NoSuchValue { value: operand.index(), operation: header.name.into() });
            };
            let (visible, ready) = match value.definition {
                Definition::Argument(home, _) => (self.region_is_open[home.index()], true),
                // An operation that is still open has no results yet: its regions cannot use them.
                Definition::Result(maker, _) => (
                    self.region_is_open[self.graph.operations[maker].region.index()],
                    self.graph.operations[maker].end != 0,
                ),
            };
            if !visible || !ready {
                return Err(BuildError::NotVisible { operation: header.name.into() });
            }
        }
        let name = match kind {
            OperationKind::Unknown => self.graph.names.insert_full(header.name.into()).0 as u32,
            _ => 0,
        };
        let id = OperationId::new(self.graph.operations.len());
        let first_operand = self.graph.operands.len();
        for operand in header.operands {
            self.graph.operands.push(*operand);
        }
        let first_result = self.graph.values.len();
        for position in 0..header.results {
            let definition = Definition::Result(id, position as u32);
            self.graph.values.push(Value { r#type: TypeId::new(0), definition });
        }
        let results = IdRange::new(first_result, self.graph.values.len());
        self.graph.operations.push(Operation {
            kind,
            region,
            callee: None,
            attributes: AttributesId::new(0),
            place: PlaceId::new(0),
            scope: ScopeId::new(0),
            text_line: header.text_line,
            name,
            operands: IdRange::new(first_operand, self.graph.operands.len()),
            results,
            regions: IdRange::empty(),
            end: 0,
        });
        self.open_operations.push(id);
        self.pending_counts.push(self.pending_regions.len());
        Ok(results)
    }

    /// Opens the next region of the operation that is open; gives its arguments.
    pub fn begin_region(&mut self, argument_types: &[TypeId]) -> Result<IdRange<ValueId>, BuildError> {
        let parent = *self.open_operations.last().ok_or(BuildError::Misuse("a region without an operation"))?;
        let home = self.graph.operations[parent].region;
        if self.open_regions.last() != Some(&home) {
            return Err(BuildError::Misuse("a region is opened while another of its operation is open"));
        }
        let function = self.graph.regions[home].function;
        let arguments = self.open_region(function, Some(parent), argument_types);
        self.pending_regions.push(RegionId::new(self.graph.regions.len() - 1));
        Ok(arguments)
    }

    /// Closes the region that is open.
    pub fn end_region(&mut self) -> Result<(), BuildError> {
        let parent = *self.open_operations.last().ok_or(BuildError::Misuse("no operation is open"))?;
        let region = *self.open_regions.last().ok_or(BuildError::Misuse("no region is open"))?;
        if self.graph.regions[region].parent != Some(parent) {
            return Err(BuildError::Misuse("a region ends while an operation in it is open"));
        }
        let name = self.graph.operation_name(parent).to_string();
        self.close_region(&name)
    }

    /// Closes the operation that is open.
    pub fn end_operation(&mut self, footer: OperationFooter<'_>) -> Result<OperationId, BuildError> {
        let id = *self.open_operations.last().ok_or(BuildError::Misuse("no operation is open"))?;
        if self.open_regions.last() != Some(&self.graph.operations[id].region) {
            return Err(BuildError::Misuse("an operation ends while a region of it is open"));
        }
        self.open_operations.pop();
        let results = self.graph.operations[id].results;
        if footer.result_types.len() != results.len() {
            return Err(BuildError::Count {
                operation: self.graph.operation_name(id).into(),
                what: "result types",
                found: footer.result_types.len(),
                expected: results.len().to_string(),
            });
        }
        for (result, r#type) in results.iter().zip(footer.result_types) {
            self.graph.values[result].r#type = *r#type;
        }
        let regions_from = self.pending_counts.pop().expect("one count for each open operation");
        let first_slot = self.graph.region_slots.len();
        for region in self.pending_regions.drain(regions_from..) {
            self.graph.region_slots.push(region);
        }
        let regions = IdRange::new(first_slot, self.graph.region_slots.len());
        let end = self.graph.operations.len() as u32;
        let operation = &mut self.graph.operations[id];
        operation.regions = regions;
        operation.end = end;
        operation.attributes = footer.attributes;
        operation.place = footer.place;
        operation.scope = footer.scope;
        if let Some(callee) = footer.callee {
            self.calls.push((id, callee.into()));
        }
        let (kind, home) = (operation.kind, operation.region);
        if kind.is_terminator() {
            self.graph.regions[home].terminator = Some(id);
        }
        if !kind.regions().allows(regions.len()) {
            return Err(BuildError::Count {
                operation: self.graph.operation_name(id).into(),
                what: "regions",
                found: regions.len(),
                expected: kind.regions().to_string(),
            });
        }
        self.check_structure(id, kind)?;
        Ok(id)
    }

    /// Sets where an operation comes from, once that is known.
    pub fn set_origin(&mut self, operation: OperationId, place: PlaceId, scope: ScopeId) {
        self.graph.operations[operation].place = place;
        self.graph.operations[operation].scope = scope;
    }

    /// Declares which outputs of one step are inputs of the next: `(output, input)`, each a path of leaves or of
    /// whole subtrees. Without this call the pairs are found by structure.
    pub fn carry(&mut self, output: impl Into<PytreePath>, input: impl Into<PytreePath>) {
        self.graph.declared_pairs.get_or_insert_default().push((output.into(), input.into()));
    }

    /// Declares that nothing is carried from step to step, unless [`GraphBuilder::carry`] says so.
    pub fn carry_nothing_else(&mut self) {
        self.graph.declared_pairs.get_or_insert_default();
    }

    /// Checks the whole and closes it.
    pub fn finish(mut self) -> Result<TrainingGraph, BuildError> {
        if self.hand.begun {
            self.finish_by_hand()?;
        }
        if let Some(error) = self.errors.into_iter().next() {
            return Err(error);
        }
        if !self.open_regions.is_empty() || !self.open_operations.is_empty() {
            return Err(BuildError::Misuse("the text ends inside a function"));
        }
        for (operation, name) in std::mem::take(&mut self.calls) {
            let callee = *self.functions_by_name.get(&name).ok_or(BuildError::NoSuchFunction(name))?;
            self.graph.operations[operation].callee = Some(callee);
        }
        let graph = &mut self.graph;
        graph.entry = graph
            .functions
            .ids()
            .find(|id| &*graph.functions[*id].name == "main")
            .or_else(|| graph.functions.ids().find(|id| graph.functions[*id].public))
            .or_else(|| graph.functions.ids().next())
            .ok_or(BuildError::NoFunction)?;
        graph.callees_first = order_calls(graph)?;
        check_calls(graph)?;
        check_paths(graph)?;
        Ok(self.graph)
    }
}

/// The short forms, for graphs that are written by hand.
impl GraphBuilder {
    /// An input of the step. All inputs come before the first operation.
    ///
    /// # Panics
    /// If the type is no tensor type, or an operation was already added.
    pub fn input(&mut self, path: impl Into<PytreePath>, r#type: &str) -> ValueId {
        assert!(!self.hand.begun, "all inputs come before the first operation");
        let r#type = self.tensor(r#type);
        self.hand.inputs.push((r#type, path.into()));
        ValueId::new(self.hand.inputs.len() - 1) // the inputs are the first values
    }

    /// The id of a tensor type as MLIR writes it: `tensor<2x3xf32>`.
    ///
    /// # Panics
    /// If it is none of known shape.
    pub fn tensor(&mut self, text: &str) -> TypeId {
        let parsed = text.strip_prefix("tensor<").and_then(|rest| rest.strip_suffix('>')).and_then(|inside| {
            let (dimensions, element) = inside.rsplit_once('x').unwrap_or(("", inside));
            let element = ElementType::from_name(element)?;
            let dimensions = dimensions.split('x').filter(|extent| !extent.is_empty());
            let dimensions = dimensions.map(|extent| extent.parse().ok()).collect::<Option<Vec<u64>>>()?;
            Some(TensorType::new(dimensions, element))
        });
        let tensor = parsed.unwrap_or_else(|| panic!("`{text}` is no tensor type of known shape"));
        self.r#type(Type::Tensor(tensor))
    }

    /// Everything that is added inside `body` is in this scope.
    pub fn scope<R>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> R) -> R {
        self.hand.scopes.push(name.into());
        let result = body(self);
        self.hand.scopes.pop();
        result
    }

    /// Everything that is added from here on comes from this line.
    pub fn at(&mut self, file: &str, line: u32) -> &mut Self {
        let place = Place { file: file.into(), line, column: 0, function: None, caller: None };
        self.hand.place = Some(self.place(place));
        self
    }

    /// Adds an operation with one result of the type of its first operand (for a comparison: boolean).
    ///
    /// # Panics
    /// If there is no operand. A wrong operand is reported by [`GraphBuilder::finish`].
    pub fn add(&mut self, kind: OperationKind, operands: &[ValueId]) -> ValueId {
        self.begin_by_hand();
        let operand = match kind {
            OperationKind::Select => operands.get(1),
            _ => operands.first(),
        };
        let operand = *operand.expect("an operation without operands needs `add_typed`");
        let mut r#type = self.graph.values.get(operand).map_or(TypeId::new(0), |value| value.r#type);
        if matches!(kind, OperationKind::Compare | OperationKind::IsFinite)
            && let Type::Tensor(tensor) = self.graph.r#type(r#type)
        {
            let boolean = TensorType { element: ElementType::Boolean, ..tensor.clone() };
            r#type = self.r#type(Type::Tensor(boolean));
        }
        self.add_by_hand(kind.name(), operands, &[r#type], Vec::new())[0]
    }

    /// Adds an operation by full name with results of these types and these attributes.
    pub fn add_typed(
        &mut self,
        name: &str,
        operands: &[ValueId],
        result_types: &[&str],
        attributes: Vec<(Box<str>, Attribute)>,
    ) -> Vec<ValueId> {
        self.begin_by_hand();
        let types: Vec<TypeId> = result_types.iter().map(|text| self.tensor(text)).collect();
        self.add_by_hand(name, operands, &types, attributes)
    }

    /// Adds a constant of one value in all elements.
    pub fn constant(&mut self, value: &str, r#type: &str) -> ValueId {
        let dense = Dense { r#type: r#type.into(), elements: Elements::Inline(value.into()) };
        self.add_typed("stablehlo.constant", &[], &[r#type], vec![("value".into(), Attribute::Dense(dense))])[0]
    }

    /// An output of the step.
    pub fn output(&mut self, path: impl Into<PytreePath>, value: ValueId) {
        self.begin_by_hand();
        self.hand.outputs.push((value, path.into()));
    }

    fn begin_by_hand(&mut self) {
        if !self.hand.begun {
            self.hand.begun = true;
            let inputs = std::mem::take(&mut self.hand.inputs);
            let header =
                FunctionHeader { name: "main".into(), public: true, inputs, outputs: Vec::new(), text_line: 0 };
            let begun = self.begin_function(header);
            self.errors.extend(begun.err());
        }
    }

    fn add_by_hand(
        &mut self,
        name: &str,
        operands: &[ValueId],
        types: &[TypeId],
        attributes: Vec<(Box<str>, Attribute)>,
    ) -> Vec<ValueId> {
        let header = OperationHeader { name, operands, results: types.len(), text_line: 0 };
        let begun = match self.begin_operation(header) {
            Ok(results) => results,
            Err(error) => {
                self.errors.push(error);
                return vec![ValueId::new(0); types.len()];
            }
        };
        let attributes = self.attributes(dictionary(attributes));
        let scope = match self.hand.scopes.join("/") {
            scopes if scopes.is_empty() => self.no_scope(),
            scopes => {
                let operation = name.rsplit('.').next().unwrap_or(name);
                self.scope_id(&format!("{scopes}/{operation}"))
            }
        };
        let place = self.hand.place.unwrap_or(self.no_place());
        let footer = OperationFooter { result_types: types, attributes, callee: None, place, scope };
        let ended = self.end_operation(footer);
        self.errors.extend(ended.err());
        begun.iter().collect()
    }

    fn finish_by_hand(&mut self) -> Result<(), BuildError> {
        let outputs = std::mem::take(&mut self.hand.outputs);
        let function = FunctionId::new(0);
        let types: Vec<TypeId> = outputs
            .iter()
            .map(|(value, _)| self.graph.values.get(*value).map_or(TypeId::new(0), |value| value.r#type))
            .collect();
        self.graph.functions[function].output_types = types.into();
        self.graph.functions[function].outputs = outputs.iter().map(|(_, path)| path.clone()).collect();
        let values: Vec<ValueId> = outputs.into_iter().map(|(value, _)| value).collect();
        self.add_by_hand("func.return", &values, &[], Vec::new());
        self.end_function()
    }
}

mod checks;
use checks::{check_calls, check_paths, order_calls};
