//! The second reading of a step: it is written down, as a [`TrainingGraph`].
//!
//! Places are those of the step's own source. What is wrong in a step, such as a tensor of a branch that is used outside of
//! it, is an error of [`written_down`]; shapes that do not go together panic, as they do when the step runs.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

use indexmap::IndexMap;

use super::machine::{
    Binary, Machine, Mask, Reduce, Relation, Tensor, Unary, common_shape, contracted_shape, reduced_shape, spread_shape,
};
use super::system::{Slot, System};
use crate::exec::FloatScalar;
use crate::exec::kernels::Field;
use crate::graph::{
    Attribute, BuildError, Dense, Elements, FunctionHeader, GraphBuilder, OperationFooter, OperationHeader,
    OperationKind as Kind, Place, PlaceId, PytreePath, TrainingGraph, TypeId, ValueId, dictionary,
};
use crate::index::Id;

/// The subtree of inputs that is carried from step to step, and the subtree of outputs that it comes from.
pub(super) const STATE: &str = "state";
pub(super) const RESULT: &str = "result";

/// What a step does, as a graph. Floats are those of the scalar.
///
/// # Errors
/// If the step uses a tensor where it is not, or bodies of a branch or a loop do not fit.
pub fn written_down<S: FloatScalar>(system: &impl System) -> Result<TrainingGraph, BuildError> {
    let (state, inputs) = (system.state(), system.inputs());
    let mut builder = GraphBuilder::new(&system.name());
    let of_slots = |builder: &mut GraphBuilder, slots: &[Slot], prefix: &str| {
        let typed = |slot: &Slot| {
            let path = if prefix.is_empty() { slot.path.clone() } else { format!("{prefix}.{}", slot.path) };
            (builder.tensor(&type_text::<S>(&slot.shape)), PytreePath::parse(&path))
        };
        slots.iter().map(typed).collect::<Vec<_>>()
    };
    let carried = of_slots(&mut builder, &state, STATE);
    let outside = of_slots(&mut builder, &inputs, "");
    let outputs = of_slots(&mut builder, &state, RESULT);
    builder.carry(RESULT, STATE);
    let header = FunctionHeader {
        name: "main".into(),
        public: true,
        inputs: [carried, outside].concat(),
        outputs,
        text_line: 0,
    };
    let arguments = builder.begin_function(header)?;
    let recorder = Recorder { builder, scopes: Vec::new(), places: IndexMap::new(), error: None };
    let trace = Trace::<S> { recorder: Rc::new(RefCell::new(recorder)), of: PhantomData };
    let slots = state.iter().chain(&inputs);
    let mut values = arguments.iter().zip(slots).map(|(value, slot)| trace.traced(value, slot.shape.clone()));
    let carried = values.by_ref().take(state.len()).collect();
    let outside = values.collect();
    let after = system.step(&trace, carried, outside);
    for (tensor, slot) in after.iter().zip(&state) {
        assert_eq!(tensor.shape, slot.shape, "`{}` keeps its shape", slot.path);
    }
    let after: Vec<ValueId> = after.iter().map(|tensor| tensor.value).collect();
    let recorder = Rc::clone(&trace.recorder);
    let mut recorder = recorder.borrow_mut();
    recorder.operation("func.return", &after, &[], Vec::new(), None);
    if let Some(error) = recorder.error.take() {
        return Err(error);
    }
    let mut builder = std::mem::replace(&mut recorder.builder, GraphBuilder::new(""));
    builder.end_function()?;
    builder.finish()
}

fn type_text<S: FloatScalar>(shape: &[usize]) -> String {
    typed(shape, S::WIDEST.name())
}

fn typed(shape: &[usize], element: &str) -> String {
    let extents: String = shape.iter().map(|extent| format!("{extent}x")).collect();
    format!("tensor<{extents}{element}>")
}

/// A number as MLIR writes it.
fn literal<S: FloatScalar>(number: f64) -> String {
    let number = <S as Field>::from_f64(number).value();
    match (number.is_finite(), S::WIDEST.bits()) {
        (true, _) => format!("{number:?}"),
        (false, 64) => format!("{:#018X}", number.to_bits()).replacen("0X", "0x", 1),
        (false, _) => format!("{:#010X}", (number as f32).to_bits()).replacen("0X", "0x", 1),
    }
}

type Attributes = Vec<(Box<str>, Attribute)>;

/// What has been written so far. The first error stays, and nothing is written after it.
struct Recorder {
    builder: GraphBuilder,
    scopes: Vec<String>,
    places: IndexMap<(&'static str, u32, u32), PlaceId>,
    error: Option<BuildError>,
}

impl Recorder {
    fn place(&mut self, location: Option<&'static Location<'static>>) -> PlaceId {
        let Some(location) = location else { return self.builder.no_place() };
        let (file, line, column) = (location.file(), location.line(), location.column());
        let builder = &mut self.builder;
        *self
            .places
            .entry((file, line, column))
            .or_insert_with(|| builder.place(Place { file: file.into(), line, column, function: None, caller: None }))
    }

    /// Notes an error; gives the value if there was none before.
    fn kept<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T, BuildError>) -> Option<T> {
        if self.error.is_some() {
            return None;
        }
        write(self).map_err(|error| self.error = Some(error)).ok()
    }

    fn begin(&mut self, name: &str, operands: &[ValueId], results: usize) -> Vec<ValueId> {
        let header = OperationHeader { name, operands, results, text_line: 0 };
        let begun = self.kept(|recorder| recorder.builder.begin_operation(header));
        // After an error nothing is built, so that it does not matter which value stands there.
        begun.map_or_else(|| vec![ValueId::new(0); results], |results| results.iter().collect())
    }

    fn end(
        &mut self,
        name: &str,
        types: &[TypeId],
        attributes: Attributes,
        location: Option<&'static Location<'static>>,
    ) {
        let place = self.place(location);
        let attributes = self.builder.attributes(dictionary(attributes));
        let operation = name.rsplit('.').next().unwrap_or(name);
        let scope = match self.scopes.as_slice() {
            [] => self.builder.no_scope(),
            scopes => self.builder.scope_id(&format!("{}/{operation}", scopes.join("/"))),
        };
        let footer = OperationFooter { result_types: types, attributes, callee: None, place, scope };
        self.kept(|recorder| recorder.builder.end_operation(footer));
    }

    fn operation(
        &mut self,
        name: &str,
        operands: &[ValueId],
        types: &[TypeId],
        attributes: Attributes,
        location: Option<&'static Location<'static>>,
    ) -> Vec<ValueId> {
        let results = self.begin(name, operands, types.len());
        self.end(name, types, attributes, location);
        results
    }

    fn begin_region(&mut self, types: &[TypeId]) -> Vec<ValueId> {
        let begun = self.kept(|recorder| recorder.builder.begin_region(types));
        begun.map_or_else(|| vec![ValueId::new(0); types.len()], |arguments| arguments.iter().collect())
    }

    fn end_region(&mut self, results: &[ValueId]) {
        self.operation("stablehlo.return", results, &[], Vec::new(), None);
        self.kept(|recorder| recorder.builder.end_region());
    }

    fn constant(&mut self, r#type: &str, text: String, location: &'static Location<'static>) -> ValueId {
        let id = self.builder.tensor(r#type);
        let dense = Dense { r#type: r#type.into(), elements: Elements::Inline(text.into()) };
        let attributes = vec![("value".into(), Attribute::Dense(dense))];
        self.operation("stablehlo.constant", &[], &[id], attributes, Some(location))[0]
    }
}

/// Writes a step down.
pub struct Trace<S> {
    recorder: Rc<RefCell<Recorder>>,
    of: PhantomData<S>,
}

impl<S> Clone for Trace<S> {
    fn clone(&self) -> Self {
        Trace { recorder: Rc::clone(&self.recorder), of: PhantomData }
    }
}

/// A value of the graph that is being written.
pub struct Traced<S> {
    trace: Trace<S>,
    value: ValueId,
    shape: Vec<usize>,
}

/// A value of the graph that is being written: truth values. There is no way from it to a `bool`.
pub struct TracedMask<S>(Traced<S>);

impl<S> Clone for Traced<S> {
    fn clone(&self) -> Self {
        Traced { trace: self.trace.clone(), value: self.value, shape: self.shape.clone() }
    }
}

impl<S> Clone for TracedMask<S> {
    fn clone(&self) -> Self {
        TracedMask(self.0.clone())
    }
}

const BOOLEAN: &str = "i1";
const INTEGER: &str = "i32";

impl<S: FloatScalar> Trace<S> {
    fn traced(&self, value: ValueId, shape: Vec<usize>) -> Traced<S> {
        Traced { trace: self.clone(), value, shape }
    }

    /// An operation with one result.
    #[track_caller]
    fn write(
        &self,
        kind: Kind,
        operands: &[ValueId],
        shape: &[usize],
        element: &str,
        attributes: Attributes,
    ) -> Traced<S> {
        let location = Location::caller();
        let mut recorder = self.recorder.borrow_mut();
        let r#type = recorder.builder.tensor(&typed(shape, element));
        let results = recorder.operation(kind.name(), operands, &[r#type], attributes, Some(location));
        drop(recorder);
        self.traced(results[0], shape.to_vec())
    }

    #[track_caller]
    fn splat(&self, number: f64, shape: &[usize]) -> Traced<S> {
        let text = literal::<S>(number);
        let value = self.recorder.borrow_mut().constant(&type_text::<S>(shape), text, Location::caller());
        self.traced(value, shape.to_vec())
    }

    fn types(&self, tensors: &[Traced<S>]) -> Vec<TypeId> {
        let mut recorder = self.recorder.borrow_mut();
        tensors.iter().map(|tensor| recorder.builder.tensor(&type_text::<S>(&tensor.shape))).collect()
    }

    fn all(&self, values: Vec<ValueId>, like: &[Traced<S>]) -> Vec<Traced<S>> {
        values.into_iter().zip(like).map(|(value, like)| self.traced(value, like.shape.clone())).collect()
    }
}

fn values<S>(tensors: &[Traced<S>]) -> Vec<ValueId> {
    tensors.iter().map(|tensor| tensor.value).collect()
}

fn integers(numbers: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute::Integers(numbers.into_iter().map(|number| number as i64).collect())
}

fn comparison(direction: &str, r#type: &str) -> Attributes {
    vec![
        ("comparison_direction".into(), Attribute::Keyword(direction.into())),
        ("compare_type".into(), Attribute::Keyword(r#type.into())),
    ]
}

impl<S: FloatScalar> Traced<S> {
    /// The same as all elements of a shape, if it is a single number.
    #[track_caller]
    fn filling(&self, shape: &[usize], element: &str) -> Traced<S> {
        if self.shape == shape {
            return self.clone();
        }
        let attributes = vec![("broadcast_dimensions".into(), integers([]))];
        self.trace.write(Kind::BroadcastInDim, &[self.value], shape, element, attributes)
    }

    #[track_caller]
    fn spread_as(&self, axis: usize, extent: usize, element: &str) -> Traced<S> {
        let shape = spread_shape(&self.shape, axis, extent);
        let kept = integers((0..shape.len()).filter(|&other| other != axis));
        let attributes = vec![("broadcast_dimensions".into(), kept)];
        self.trace.write(Kind::BroadcastInDim, &[self.value], &shape, element, attributes)
    }

    #[track_caller]
    fn together(&self, other: &Self, kind: Kind, operand: &str, result: &str, attributes: Attributes) -> Self {
        let shape = common_shape(&self.shape, &other.shape);
        let operands = [self.filling(shape, operand).value, other.filling(shape, operand).value];
        self.trace.write(kind, &operands, shape, result, attributes)
    }

    fn element(&self) -> &'static str {
        S::WIDEST.name()
    }
}

impl<S: FloatScalar> Tensor for Traced<S> {
    type Mask = TracedMask<S>;

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    #[track_caller]
    fn unary(&self, function: Unary) -> Self {
        let kind = match function {
            Unary::Negate => Kind::Negate,
            Unary::Abs => Kind::Abs,
            Unary::Tanh => Kind::Tanh,
            Unary::Exponential => Kind::Exponential,
            Unary::Log => Kind::Log,
            Unary::Logistic => Kind::Logistic,
            Unary::Sqrt => Kind::Sqrt,
            Unary::Floor => Kind::Floor,
        };
        self.trace.write(kind, &[self.value], &self.shape, self.element(), Vec::new())
    }

    #[track_caller]
    fn binary(&self, function: Binary, other: &Self) -> Self {
        let kind = match function {
            Binary::Add => Kind::Add,
            Binary::Subtract => Kind::Subtract,
            Binary::Multiply => Kind::Multiply,
            Binary::Divide => Kind::Divide,
            Binary::Maximum => Kind::Maximum,
            Binary::Minimum => Kind::Minimum,
        };
        self.together(other, kind, self.element(), self.element(), Vec::new())
    }

    #[track_caller]
    fn compare(&self, relation: Relation, other: &Self) -> TracedMask<S> {
        let direction = match relation {
            Relation::Greater => "GT",
            Relation::AtLeast => "GE",
            Relation::Equal => "EQ",
            Relation::NotEqual => "NE",
        };
        let attributes = comparison(direction, "FLOAT");
        TracedMask(self.together(other, Kind::Compare, self.element(), BOOLEAN, attributes))
    }

    #[track_caller]
    fn is_finite(&self) -> TracedMask<S> {
        TracedMask(self.trace.write(Kind::IsFinite, &[self.value], &self.shape, BOOLEAN, Vec::new()))
    }

    #[track_caller]
    fn reduce(&self, by: Reduce, axes: &[usize]) -> Self {
        let location = Location::caller();
        let shape = reduced_shape(&self.shape, axes);
        let (kind, neutral) = match by {
            Reduce::Sum => (Kind::Add, 0.0),
            Reduce::Maximum => (Kind::Maximum, f64::NEG_INFINITY),
        };
        let initial = self.trace.splat(neutral, &[]);
        let mut recorder = self.trace.recorder.borrow_mut();
        let [single, result] = [&[][..], &shape].map(|shape| recorder.builder.tensor(&type_text::<S>(shape)));
        let name = Kind::Reduce.name();
        let results = recorder.begin(name, &[self.value, initial.value], 1);
        let arguments = recorder.begin_region(&[single, single]);
        let combined = recorder.operation(kind.name(), &arguments, &[single], Vec::new(), Some(location));
        recorder.end_region(&combined);
        let attributes = vec![("dimensions".into(), integers(axes.iter().copied()))];
        recorder.end(name, &[result], attributes, Some(location));
        drop(recorder);
        self.trace.traced(results[0], shape)
    }

    #[track_caller]
    fn spread(&self, axis: usize, extent: usize) -> Self {
        self.spread_as(axis, extent, self.element())
    }

    #[track_caller]
    fn contract(&self, axis: usize, other: &Self, other_axis: usize) -> Self {
        let shape = contracted_shape(&self.shape, axis, &other.shape, other_axis);
        let numbers = dictionary(vec![
            ("lhs_batching_dimensions".into(), integers([])),
            ("rhs_batching_dimensions".into(), integers([])),
            ("lhs_contracting_dimensions".into(), integers([axis])),
            ("rhs_contracting_dimensions".into(), integers([other_axis])),
        ]);
        let attributes = vec![("dot_dimension_numbers".into(), Attribute::Dictionary(numbers))];
        self.trace.write(Kind::DotGeneral, &[self.value, other.value], &shape, self.element(), attributes)
    }

    #[track_caller]
    fn row(&self, index: &Self) -> Self {
        assert!(index.shape.is_empty(), "an index is a single number");
        let shape = reduced_shape(&self.shape, &[0]);
        let index = self.trace.write(Kind::Convert, &[index.value], &[], INTEGER, Vec::new());
        let zero = self.trace.recorder.borrow_mut().constant(&typed(&[], INTEGER), "0".into(), Location::caller());
        let operands: Vec<ValueId> = [self.value, index.value].into_iter().chain(shape.iter().map(|_| zero)).collect();
        let sizes = [&[1], shape.as_slice()].concat();
        let attributes = vec![("slice_sizes".into(), integers(sizes.iter().copied()))];
        let row = self.trace.write(Kind::DynamicSlice, &operands, &sizes, self.element(), attributes);
        self.trace.write(Kind::Reshape, &[row.value], &shape, self.element(), Vec::new())
    }

    #[track_caller]
    fn like(&self, number: f64) -> Self {
        self.trace.splat(number, &self.shape)
    }
}

impl<S: FloatScalar> Mask for TracedMask<S> {
    type Tensor = Traced<S>;

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    #[track_caller]
    fn and(&self, other: &Self) -> Self {
        TracedMask(self.0.together(&other.0, Kind::And, BOOLEAN, BOOLEAN, Vec::new()))
    }

    #[track_caller]
    fn or(&self, other: &Self) -> Self {
        TracedMask(self.0.together(&other.0, Kind::Or, BOOLEAN, BOOLEAN, Vec::new()))
    }

    #[track_caller]
    fn not(&self) -> Self {
        TracedMask(self.0.trace.write(Kind::Not, &[self.0.value], &self.0.shape, BOOLEAN, Vec::new()))
    }

    #[track_caller]
    fn spread(&self, axis: usize, extent: usize) -> Self {
        TracedMask(self.0.spread_as(axis, extent, BOOLEAN))
    }

    #[track_caller]
    fn choose(&self, on_true: &Traced<S>, on_false: &Traced<S>) -> Traced<S> {
        assert_eq!(on_true.shape, on_false.shape, "what is chosen from has one shape");
        let mask = &self.0;
        assert!(mask.shape.is_empty() || mask.shape == on_true.shape, "a mask has the shape of what it chooses from");
        let operands = [mask.value, on_true.value, on_false.value];
        mask.trace.write(Kind::Select, &operands, &on_true.shape, on_true.element(), Vec::new())
    }
}

impl<S: FloatScalar> Machine for Trace<S> {
    type Tensor = Traced<S>;
    type Mask = TracedMask<S>;

    #[track_caller]
    fn constant(&self, number: f64, shape: &[usize]) -> Traced<S> {
        self.splat(number, shape)
    }

    #[track_caller]
    fn count_up(&self, extent: usize) -> Traced<S> {
        let attributes = vec![("iota_dimension".into(), Attribute::Integer(0))];
        self.write(Kind::Iota, &[], &[extent], S::WIDEST.name(), attributes)
    }

    fn scope<R>(&self, name: &str, body: impl FnOnce() -> R) -> R {
        self.recorder.borrow_mut().scopes.push(name.into());
        let result = body();
        self.recorder.borrow_mut().scopes.pop();
        result
    }

    fn leaves_probe(&self, numbers: Traced<S>) -> Traced<S> {
        numbers
    }

    fn cotangent_leaves_probe(&self, numbers: Traced<S>) -> Traced<S> {
        numbers
    }

    #[track_caller]
    fn branch(
        &self,
        condition: &TracedMask<S>,
        state: Vec<Traced<S>>,
        on_true: impl FnOnce(Vec<Traced<S>>) -> Vec<Traced<S>>,
        on_false: impl FnOnce(Vec<Traced<S>>) -> Vec<Traced<S>>,
    ) -> Vec<Traced<S>> {
        let location = Location::caller();
        let types = self.types(&state);
        let name = Kind::If.name();
        let results = self.recorder.borrow_mut().begin(name, &[condition.0.value], state.len());
        // The bodies have no arguments: what they need they take from around them.
        self.recorder.borrow_mut().begin_region(&[]);
        let after = on_true(state.clone());
        self.recorder.borrow_mut().end_region(&values(&after));
        self.recorder.borrow_mut().begin_region(&[]);
        let after = on_false(state.clone());
        let mut recorder = self.recorder.borrow_mut();
        recorder.end_region(&values(&after));
        recorder.end(name, &types, Vec::new(), Some(location));
        drop(recorder);
        self.all(results, &state)
    }

    #[track_caller]
    fn repeat_while(
        &self,
        state: Vec<Traced<S>>,
        mut condition: impl FnMut(&[Traced<S>]) -> TracedMask<S>,
        mut body: impl FnMut(Vec<Traced<S>>) -> Vec<Traced<S>>,
    ) -> Vec<Traced<S>> {
        let location = Location::caller();
        let types = self.types(&state);
        let name = Kind::While.name();
        let results = self.recorder.borrow_mut().begin(name, &values(&state), state.len());
        let arguments = self.recorder.borrow_mut().begin_region(&types);
        let holds = condition(&self.all(arguments, &state));
        self.recorder.borrow_mut().end_region(&[holds.0.value]);
        let arguments = self.recorder.borrow_mut().begin_region(&types);
        let after = body(self.all(arguments, &state));
        let mut recorder = self.recorder.borrow_mut();
        recorder.end_region(&values(&after));
        recorder.end(name, &types, Vec::new(), Some(location));
        drop(recorder);
        self.all(results, &state)
    }

    #[track_caller]
    fn repeat(
        &self,
        times: usize,
        state: Vec<Traced<S>>,
        mut body: impl FnMut(Vec<Traced<S>>) -> Vec<Traced<S>>,
    ) -> Vec<Traced<S>> {
        let location = Location::caller();
        let mut recorder = self.recorder.borrow_mut();
        let counter = typed(&[], INTEGER);
        let [counter_type, boolean] = [&counter, &typed(&[], BOOLEAN)].map(|text| recorder.builder.tensor(text));
        let begin = recorder.constant(&counter, "0".into(), location);
        drop(recorder);
        let types = [vec![counter_type], self.types(&state)].concat();
        let operands = [vec![begin], values(&state)].concat();
        let name = Kind::While.name();
        let mut recorder = self.recorder.borrow_mut();
        let results = recorder.begin(name, &operands, operands.len());
        let arguments = recorder.begin_region(&types);
        let limit = recorder.constant(&counter, times.to_string(), location);
        let compared = [arguments[0], limit];
        let holds =
            recorder.operation(Kind::Compare.name(), &compared, &[boolean], comparison("LT", "SIGNED"), Some(location));
        recorder.end_region(&holds);
        let arguments = recorder.begin_region(&types);
        drop(recorder);
        let after = body(self.all(arguments[1..].to_vec(), &state));
        let mut recorder = self.recorder.borrow_mut();
        let one = recorder.constant(&counter, "1".into(), location);
        let next =
            recorder.operation(Kind::Add.name(), &[arguments[0], one], &[counter_type], Vec::new(), Some(location));
        recorder.end_region(&[next, values(&after)].concat());
        recorder.end(name, &types, Vec::new(), Some(location));
        drop(recorder);
        self.all(results[1..].to_vec(), &state)
    }
}
