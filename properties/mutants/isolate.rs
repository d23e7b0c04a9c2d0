//! One operation of a text as a step of its own: its operands and what its regions capture are inputs, its results outputs.

use std::collections::{BTreeMap, BTreeSet};

use openloop::graph::{
    Attribute, AttributesId, BuildError, Definition, FunctionHeader, FunctionId, GraphBuilder, OperationFooter,
    OperationHeader, OperationId, OperationKind, PytreePath, TrainingGraph, Type, TypeId, ValueId, dictionary,
};
use openloop::index::Id;

/// A step around one operation.
pub struct Isolated {
    /// Where it was found, for messages.
    pub name: String,
    pub kind: OperationKind,
    pub graph: TrainingGraph,
    pub operation: OperationId,
    /// How many inputs are operands of the operation; what it captures comes after them, and then two more: one that
    /// is given back as it is, and one that is told to the world.
    pub operands: usize,
    /// How many outputs are its results; then come what is given back as it is, and what the world tells.
    pub results: usize,
    pub inputs: usize,
}

struct Copier<'a> {
    from: &'a TrainingGraph,
    to: GraphBuilder,
    values: BTreeMap<ValueId, ValueId>,
}

impl Copier<'_> {
    /// A type of the text, as the step numbers it.
    fn r#type(&mut self, id: TypeId) -> TypeId {
        let own = match self.from.r#type(id) {
            Type::Tuple(items) => Type::Tuple(items.iter().map(|item| self.r#type(*item)).collect()),
            plain => plain.clone(),
        };
        self.to.r#type(own)
    }

    fn types(&mut self, values: impl IntoIterator<Item = ValueId>) -> Vec<TypeId> {
        values.into_iter().map(|value| self.r#type(self.from.value(value).r#type)).collect()
    }

    fn operation(&mut self, id: OperationId) -> Result<OperationId, BuildError> {
        let operands: Vec<ValueId> = self.from.operands(id).iter().map(|value| self.values[value]).collect();
        self.operation_on(id, &operands)
    }

    /// The operation with its regions, on these operands.
    fn operation_on(&mut self, id: OperationId, operands: &[ValueId]) -> Result<OperationId, BuildError> {
        let from = self.from;
        let results = from.results(id);
        let header = OperationHeader { name: from.operation_name(id), operands, results: results.len(), text_line: 0 };
        let made = self.to.begin_operation(header)?;
        for &region in from.regions_of(id) {
            let types = self.types(from.arguments(region).iter());
            let arguments = self.to.begin_region(&types)?;
            self.values.extend(from.arguments(region).iter().zip(arguments.iter()));
            for inner in from.operations_directly_in(region) {
                self.operation(inner)?;
            }
            self.to.end_region()?;
        }
        self.values.extend(results.iter().zip(made.iter()));
        let attributes = self.to.attributes(from.attributes(id).clone());
        let callee = from.operation(id).callee.map(|callee| &*from.function(callee).name);
        let types = self.types(results.iter());
        self.end(&types, attributes, callee)
    }

    fn end(
        &mut self,
        result_types: &[TypeId],
        attributes: AttributesId,
        callee: Option<&str>,
    ) -> Result<OperationId, BuildError> {
        let (place, scope) = (self.to.no_place(), self.to.no_scope());
        self.to.end_operation(OperationFooter { result_types, attributes, callee, place, scope })
    }

    fn function(&mut self, id: FunctionId) -> Result<(), BuildError> {
        let function = self.from.function(id);
        let arguments = self.from.arguments(function.body);
        let inputs: Vec<TypeId> = self.types(arguments.iter());
        let outputs = self.types(self.from.yields(function.body).iter().copied());
        let path = |what: &str, position: usize| PytreePath::parse(&format!("{what}.{position}"));
        let named = |types: Vec<TypeId>, what: &str| {
            types.into_iter().enumerate().map(|(at, r#type)| (r#type, path(what, at))).collect()
        };
        let header = FunctionHeader {
            name: function.name.clone(),
            public: false,
            inputs: named(inputs, "input"),
            outputs: named(outputs, "output"),
            text_line: 0,
        };
        let given = self.to.begin_function(header)?;
        self.values.extend(arguments.iter().zip(given.iter()));
        for operation in self.from.operations_directly_in(function.body) {
            self.operation(operation)?;
        }
        self.to.end_function()
    }

    /// An operation with a side effect that takes one value, or makes one.
    fn tell(&mut self, operands: &[ValueId], results: &[TypeId]) -> Result<ValueId, BuildError> {
        let header = OperationHeader { name: "stablehlo.custom_call", operands, results: results.len(), text_line: 0 };
        let made = self.to.begin_operation(header)?;
        let attributes = self.to.attributes(dictionary(vec![
            ("call_target_name".into(), Attribute::String("world".into())),
            ("has_side_effect".into(), Attribute::Boolean(true)),
        ]));
        self.end(results, attributes, None)?;
        Ok(made.get(0).unwrap_or(ValueId::new(0)))
    }
}

/// Functions that an operation, or one inside it, calls or names, and those that these call or name.
fn functions_of(graph: &TrainingGraph, operation: OperationId) -> BTreeSet<FunctionId> {
    let by_name = |name: &str| graph.functions().iter_enumerated().find(|(_, function)| &*function.name == name);
    let mut found = BTreeSet::new();
    let mut open: Vec<OperationId> = vec![operation];
    open.extend(graph.operations_inside(operation).iter());
    while let Some(id) = open.pop() {
        let symbols = graph.attributes(id).iter().flat_map(|(_, attribute)| attribute.symbols());
        let named = symbols.filter_map(by_name).map(|(id, _)| id);
        for function in graph.operation(id).callee.into_iter().chain(named) {
            if found.insert(function) {
                open.extend(graph.operations_within(graph.function(function).body).iter());
            }
        }
    }
    found
}

/// The step around an operation; with a world around it that tells what it is told.
pub fn isolate(graph: &TrainingGraph, id: OperationId, name: &str, world: bool) -> Result<Isolated, BuildError> {
    let mut copier = Copier { from: graph, to: GraphBuilder::new(name), values: BTreeMap::new() };
    let inside = graph.operations_inside(id);
    let is_inside = |value: ValueId| match graph.value(value).definition {
        Definition::Result(maker, _) => inside.contains(maker),
        Definition::Argument(region, _) => {
            graph.region(region).parent.is_some_and(|parent| parent == id || inside.contains(parent))
        }
    };
    let captured: BTreeSet<ValueId> =
        inside.iter().flat_map(|inner| graph.operands(inner)).copied().filter(|value| !is_inside(*value)).collect();
    let taken: Vec<ValueId> = graph.operands(id).iter().copied().chain(captured.iter().copied()).collect();
    let plain = copier.to.tensor("tensor<f32>");
    let mut inputs = copier.types(taken.iter().copied());
    inputs.extend([plain, plain]);
    let mut outputs = copier.types(graph.results(id).iter());
    let results = outputs.len();
    outputs.extend([plain, plain]);
    let named = |types: &[TypeId], what: &str| {
        let path = |(at, r#type): (usize, &TypeId)| (*r#type, PytreePath::parse(&format!("{what}.{at}")));
        types.iter().enumerate().map(path).collect()
    };
    let header = FunctionHeader {
        name: "main".into(),
        public: true,
        inputs: named(&inputs, "taken"),
        outputs: named(&outputs, "made"),
        text_line: 0,
    };
    let given: Vec<ValueId> = copier.to.begin_function(header)?.iter().collect();
    let (clean, told) = (given[taken.len()], given[taken.len() + 1]);
    // Each operand is an input of its own, also where the text gives one value twice.
    let operand_values: Vec<ValueId> = given[..graph.operands(id).len()].to_vec();
    copier.values.extend(captured.iter().copied().zip(given[graph.operands(id).len()..].iter().copied()));
    if world {
        copier.tell(&[told], &[])?;
    }
    let operation = copier.operation_on(id, &operand_values)?;
    let made: Vec<ValueId> = graph.results(id).iter().map(|result| copier.values[&result]).collect();
    let heard = if world { copier.tell(&[], &[plain])? } else { clean };
    let returned: Vec<ValueId> = made.into_iter().chain([clean, heard]).collect();
    let header = OperationHeader { name: "func.return", operands: &returned, results: 0, text_line: 0 };
    copier.to.begin_operation(header)?;
    let none = copier.to.no_attributes();
    copier.end(&[], none, None)?;
    copier.to.end_function()?;
    for function in functions_of(graph, id) {
        copier.function(function)?;
    }
    copier.to.carry_nothing_else();
    Ok(Isolated {
        name: name.to_string(),
        kind: graph.operation(id).kind,
        graph: copier.to.finish()?,
        operation,
        operands: operand_values.len(),
        results,
        inputs: inputs.len(),
    })
}
