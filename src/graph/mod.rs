//! Floor 1: the [`TrainingGraph`], a whole training step as a typed dataflow graph.
//!
//! **Invariants.** A graph is immutable and valid: the only door in is [`GraphBuilder`], which checks that every
//! operand is defined before it is used and visible where it is used, that types and arities fit, and that
//! calls are not recursive. Ids are dense and in the order of the text. Nothing here knows of labels,
//! sources or verdicts.

mod attribute;
mod builder;
mod carried;
mod digest;
mod json;
mod kind;
mod path;
mod phase;
mod place;
mod types;

pub use attribute::{Attribute, AttributesId, Dense, Dictionary, Elements, dictionary};
pub use builder::{BuildError, FunctionHeader, GraphBuilder, OperationFooter, OperationHeader};
pub use carried::{CarriedPair, CarriedPairs, Pairing, PairingError, PairingOverride, PossiblePairs, Reading};
pub use digest::Digest;
pub use json::{GraphFileError, JSON_VERSION};
pub use kind::{Arity, OperationKind};
pub use path::PytreePath;
pub use phase::{Phase, Phases};
pub use place::{Place, PlaceId, ScopeComponent, ScopeId, ScopePath};
pub use types::{ElementType, FloatKind, TensorType, Type, TypeId};

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

use crate::index::{Id, IdRange, IndexVec, define_id};

define_id! {
    /// A value: the result of an operation or the argument of a region.
    ValueId
}
define_id! {
    /// An operation, in the order of the text: an operation comes before those in its regions.
    OperationId
}
define_id! {
    /// A region: the body of a function or of an operation.
    RegionId
}
define_id! {
    /// A function.
    FunctionId
}
define_id! {
    /// A position in the list of all operands.
    OperandId
}
define_id! {
    /// A position in the list of the regions of all operations.
    RegionSlot
}

pub(crate) type FastIndexSet<T> = IndexSet<T, FxBuildHasher>;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub r#type: TypeId,
    /// What makes it.
    pub definition: Definition,
}

/// What makes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// The result at a position of an operation.
    Result(OperationId, u32),
    /// The argument at a position of a region.
    Argument(RegionId, u32),
}

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Which operation it is.
    pub kind: OperationKind,
    /// The region that it stands in.
    pub region: RegionId,
    /// The function that it calls: of `func.call`, or the decomposition of a composite.
    pub callee: Option<FunctionId>,
    /// Its attributes.
    pub attributes: AttributesId,
    /// Where it comes from.
    pub place: PlaceId,
    /// The scopes around it.
    pub scope: ScopeId,
    /// Its line in the text that the graph was read from; 0 if there was none. Not part of the graph's identity.
    pub text_line: u32,
    name: u32,
    operands: IdRange<OperandId>,
    results: IdRange<ValueId>,
    regions: IdRange<RegionSlot>,
    /// The position after the last operation in its regions.
    end: u32,
}

/// The body of a function or of an operation: arguments, and operations of which the last is the terminator.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// The function that it is in.
    pub function: FunctionId,
    /// The operation that it belongs to; none for the body of a function.
    pub parent: Option<OperationId>,
    arguments: IdRange<ValueId>,
    /// Every operation in it, those in inner regions included.
    operations: IdRange<OperationId>,
    terminator: Option<OperationId>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, without the `@`.
    pub name: Box<str>,
    /// Whether it can be called from outside.
    pub public: bool,
    /// Its body.
    pub body: RegionId,
    /// The pytree path of each input.
    pub inputs: Box<[PytreePath]>,
    /// The pytree path of each output.
    pub outputs: Box<[PytreePath]>,
    /// The type of each output.
    pub output_types: Box<[TypeId]>,
    /// Its line in the text that the graph was read from; 0 if there was none.
    pub text_line: u32,
}

/// A whole training step: values, operations, regions and functions in static single assignment form.
///
/// The cast: [`Function`]s hold a body [`Region`]; regions hold [`Operation`]s; operations take and make
/// [`Value`]s. The *entry* is the function that is the step: its inputs and outputs have pytree paths, and
/// outputs of one step that are inputs of the next are its *carried* pairs.
#[derive(Clone, Debug)]
pub struct TrainingGraph {
    name: Box<str>,
    values: IndexVec<ValueId, Value>,
    operations: IndexVec<OperationId, Operation>,
    operands: IndexVec<OperandId, ValueId>,
    regions: IndexVec<RegionId, Region>,
    region_slots: IndexVec<RegionSlot, RegionId>,
    functions: IndexVec<FunctionId, Function>,
    callees_first: Vec<FunctionId>,
    entry: FunctionId,
    types: FastIndexSet<Type>,
    attributes: FastIndexSet<Dictionary>,
    names: FastIndexSet<Box<str>>,
    places: IndexVec<PlaceId, Place>,
    scopes: FastIndexSet<Box<str>>,
    resources: IndexMap<Box<str>, Box<str>>,
    declared_pairs: Option<Vec<(PytreePath, PytreePath)>>,
}

impl TrainingGraph {
    /// The name of the module.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The function that is the step.
    pub fn entry(&self) -> FunctionId {
        self.entry
    }

    /// All functions.
    pub fn functions(&self) -> &IndexVec<FunctionId, Function> {
        &self.functions
    }

    /// A function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id]
    }

    /// All functions, each after those that it calls.
    pub fn callees_first(&self) -> &[FunctionId] {
        &self.callees_first
    }

    /// All operations.
    pub fn operations(&self) -> &IndexVec<OperationId, Operation> {
        &self.operations
    }

    /// An operation.
    #[inline]
    pub fn operation(&self, id: OperationId) -> &Operation {
        &self.operations[id]
    }

    /// All values.
    pub fn values(&self) -> &IndexVec<ValueId, Value> {
        &self.values
    }

    /// A value.
    #[inline]
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id]
    }

    /// All regions.
    pub fn regions(&self) -> &IndexVec<RegionId, Region> {
        &self.regions
    }

    /// A region.
    #[inline]
    pub fn region(&self, id: RegionId) -> &Region {
        &self.regions[id]
    }

    /// What an operation takes.
    #[inline]
    pub fn operands(&self, id: OperationId) -> &[ValueId] {
        self.operands.slice(self.operations[id].operands)
    }

    /// What an operation makes.
    #[inline]
    pub fn results(&self, id: OperationId) -> IdRange<ValueId> {
        self.operations[id].results
    }

    /// The regions of an operation.
    pub fn regions_of(&self, id: OperationId) -> &[RegionId] {
        self.region_slots.slice(self.operations[id].regions)
    }

    /// The arguments of a region.
    #[inline]
    pub fn arguments(&self, id: RegionId) -> IdRange<ValueId> {
        self.regions[id].arguments
    }

    /// What a region gives back: the operands of its terminator.
    pub fn yields(&self, id: RegionId) -> &[ValueId] {
        self.regions[id].terminator.map_or(&[], |terminator| self.operands(terminator))
    }

    /// Every operation in a region, those in inner regions included, in order.
    pub fn operations_within(&self, id: RegionId) -> IdRange<OperationId> {
        self.regions[id].operations
    }

    /// Every operation in the regions of an operation, however deep.
    pub fn operations_inside(&self, id: OperationId) -> IdRange<OperationId> {
        IdRange::new(id.index() + 1, self.operations[id].end as usize)
    }

    /// The operations that stand in a region itself, in order.
    pub fn operations_directly_in(&self, id: RegionId) -> impl Iterator<Item = OperationId> {
        let mut range = self.regions[id].operations.positions();
        std::iter::from_fn(move || {
            let position = range.next()?;
            range.start = self.operations[OperationId::new(position)].end as usize;
            Some(position)
        })
        .map(OperationId::new)
    }

    /// The full name of an operation: `stablehlo.add`.
    pub fn operation_name(&self, id: OperationId) -> &str {
        let operation = &self.operations[id];
        match operation.kind {
            OperationKind::Unknown => &self.names[operation.name as usize],
            kind => kind.name(),
        }
    }

    /// The attributes of an operation, sorted by name.
    pub fn attributes(&self, id: OperationId) -> &Dictionary {
        self.dictionary(self.operations[id].attributes)
    }

    /// A dictionary of attributes.
    pub fn dictionary(&self, id: AttributesId) -> &Dictionary {
        &self.attributes[id.index()]
    }

    /// One attribute of an operation.
    pub fn attribute(&self, id: OperationId, name: &str) -> Option<&Attribute> {
        Attribute::find(self.attributes(id), name)
    }

    /// A type.
    pub fn r#type(&self, id: TypeId) -> &Type {
        &self.types[id.index()]
    }

    /// The tensor type of a value, if it is a tensor.
    pub fn tensor_type(&self, value: ValueId) -> Option<&TensorType> {
        match self.r#type(self.values[value].r#type) {
            Type::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// A type as MLIR writes it.
    pub fn type_text(&self, id: TypeId) -> String {
        types_text(&self.types, id)
    }

    /// A place; none if it is unknown.
    pub fn place(&self, id: PlaceId) -> Option<&Place> {
        (id.index() > 0).then(|| &self.places[id])
    }

    /// The frames of a place, innermost first.
    pub fn frames(&self, id: PlaceId) -> impl Iterator<Item = &Place> {
        std::iter::successors(self.place(id), |place| place.caller.and_then(|caller| self.place(caller)))
    }

    /// The innermost frame that is the user's own and not a library's; else the innermost.
    pub fn user_place(&self, id: PlaceId) -> Option<&Place> {
        self.frames(id).find(|place| !place.is_library()).or_else(|| self.place(id))
    }

    /// The scope paths of an operation; several where operations were fused. Empty: none is known.
    pub fn scope_paths(&self, id: ScopeId) -> impl Iterator<Item = &str> {
        self.scopes[id.index()].split('\n').filter(|path| !path.is_empty())
    }

    /// How many distinct scopes there are; ids are below it.
    pub fn scope_count(&self) -> usize {
        self.scopes.len()
    }

    /// The blob of a `dense_resource`, as hexadecimal text.
    pub fn resource(&self, key: &str) -> Option<&str> {
        self.resources.get(key).map(|text| &**text)
    }

    /// The inputs of the step: path and value.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = (&PytreePath, ValueId)> {
        let entry = &self.functions[self.entry];
        entry.inputs.iter().zip(self.arguments(entry.body).iter())
    }

    /// The outputs of the step: path and value.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = (&PytreePath, ValueId)> {
        let entry = &self.functions[self.entry];
        entry.outputs.iter().zip(self.yields(entry.body).iter().copied())
    }

    /// The carried pairs that the maker of the graph declared; [`None`]: find them.
    pub fn declared_pairs(&self) -> Option<&[(PytreePath, PytreePath)]> {
        self.declared_pairs.as_deref()
    }
}

/// A type as MLIR writes it. Tuples can nest as deep as the input did, so this keeps its own stack.
fn types_text(types: &FastIndexSet<Type>, id: TypeId) -> String {
    enum Piece {
        Type(TypeId),
        Text(&'static str),
    }
    let mut text = String::new();
    let mut open = vec![Piece::Type(id)];
    while let Some(piece) = open.pop() {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Type(id) => match &types[id.index()] {
                Type::Tensor(tensor) => text.push_str(&tensor.to_string()),
                Type::Token => text.push_str("!stablehlo.token"),
                Type::Other(other) => text.push_str(other),
                Type::Tuple(items) => {
                    text.push_str("tuple<");
                    open.push(Piece::Text(">"));
                    for (position, item) in items.iter().enumerate().rev() {
                        open.push(Piece::Type(*item));
                        if position > 0 {
                            open.push(Piece::Text(", "));
                        }
                    }
                }
            },
        }
    }
    text
}
