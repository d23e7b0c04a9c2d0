//! Regions that combine single elements, compiled to a list of steps over registers.

use num_complex::Complex;

use super::attributes::Attributes;
use super::convert::convert_single;
use super::decode;
use super::elementwise::{self, Comparison, Single};
use super::kernels::Field;
use super::scalar::FloatScalar;
use super::shape::array_of;
use super::tensor::{Element, Tensor, TensorShape};
use crate::graph::{OperationId, OperationKind as Kind, RegionId, TrainingGraph, ValueId};
use rustc_hash::FxHashMap;

/// One element of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<S> {
    Boolean(bool),
    Signed(i64),
    Unsigned(u64),
    Float(S),
    Complex(Complex<S>),
}

impl<S: FloatScalar> Scalar<S> {
    fn zero(element: Element) -> Self {
        let zero = <S as Field>::from_f64(0.0);
        match element {
            Element::Boolean => Scalar::Boolean(false),
            Element::Signed(_) => Scalar::Signed(0),
            Element::Unsigned(_) => Scalar::Unsigned(0),
            Element::Float(_) => Scalar::Float(zero),
            Element::Complex(_) => Scalar::Complex(Complex::new(zero, zero)),
        }
    }

    /// A tensor of rank 0.
    pub fn into_tensor(self, element: Element) -> Tensor<S> {
        Tensor::from_scalars(element, &[], &[self]).unwrap_or(Tensor::Token)
    }
}

impl<S: FloatScalar> Tensor<S> {
    /// The elements, one by one.
    pub(super) fn to_scalars(&self) -> Vec<Scalar<S>> {
        match self {
            Tensor::Boolean(array) => array.iter().map(|&value| Scalar::Boolean(value)).collect(),
            Tensor::Signed(_, array) => array.iter().map(|&value| Scalar::Signed(value)).collect(),
            Tensor::Unsigned(_, array) => array.iter().map(|&value| Scalar::Unsigned(value)).collect(),
            Tensor::Float(_, array) => array.iter().map(|&value| Scalar::Float(value)).collect(),
            Tensor::Complex(_, array) => array.iter().map(|&value| Scalar::Complex(value)).collect(),
            Tensor::Token | Tensor::Tuple(_) => Vec::new(),
        }
    }

    /// The only element.
    pub(super) fn as_scalar(&self) -> Option<Scalar<S>> {
        if self.element_count() != 1 {
            return None;
        }
        match self {
            Tensor::Boolean(array) => array.first().map(|&value| Scalar::Boolean(value)),
            Tensor::Signed(_, array) => array.first().map(|&value| Scalar::Signed(value)),
            Tensor::Unsigned(_, array) => array.first().map(|&value| Scalar::Unsigned(value)),
            Tensor::Float(_, array) => array.first().map(|&value| Scalar::Float(value)),
            Tensor::Complex(_, array) => array.first().map(|&value| Scalar::Complex(value)),
            Tensor::Token | Tensor::Tuple(_) => None,
        }
    }

    /// A tensor of these elements; none if they are not of the type, or too few or many.
    pub(super) fn from_scalars(element: Element, shape: &[usize], scalars: &[Scalar<S>]) -> Option<Tensor<S>> {
        if shape.iter().product::<usize>() != scalars.len() {
            return None;
        }
        macro_rules! collect {
            ($variant:ident) => {{
                let values = scalars.iter().map(|scalar| match scalar {
                    Scalar::$variant(value) => Some(*value),
                    _ => None,
                });
                array_of(shape, values.collect::<Option<Vec<_>>>()?)
            }};
        }
        Some(match element {
            Element::Boolean => Tensor::Boolean(collect!(Boolean)),
            Element::Signed(bits) => Tensor::Signed(bits, collect!(Signed)),
            Element::Unsigned(bits) => Tensor::Unsigned(bits, collect!(Unsigned)),
            Element::Float(kind) => Tensor::Float(kind, collect!(Float)),
            Element::Complex(kind) => Tensor::Complex(kind, collect!(Complex)),
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Unary(Kind),
    Binary(Kind),
    IsSpecial(Kind),
    Compare(Comparison),
    Select,
    Clamp,
    Convert(Element),
    Copy,
}

#[derive(Clone, Copy, Debug)]
struct ScalarStep {
    operation: Operation,
    element: Element,
    operands: [usize; 3],
    result: usize,
}

/// A region of elementwise operations on tensors of rank 0.
#[derive(Clone, Debug)]
pub(super) struct ScalarProgram<S> {
    /// Arguments first; constants are in place.
    registers: Vec<Scalar<S>>,
    /// Values from outside of the region, and their registers.
    pub captures: Vec<(ValueId, usize)>,
    steps: Vec<ScalarStep>,
    yields: Vec<usize>,
}

impl<S: FloatScalar> ScalarProgram<S> {
    /// Compiles a region; none if there is anything in it that is not an elementwise operation on single elements.
    pub fn compile(graph: &TrainingGraph, region: RegionId) -> Option<Self> {
        let mut program =
            ScalarProgram { registers: Vec::new(), captures: Vec::new(), steps: Vec::new(), yields: Vec::new() };
        let mut known = FxHashMap::<ValueId, (usize, Element)>::default();
        for argument in graph.arguments(region).iter() {
            program.define(graph, argument, &mut known)?;
        }
        for id in graph.operations_directly_in(region) {
            let kind = graph.operation(id).kind;
            if kind.is_terminator() {
                continue;
            }
            let mut operands = [0; 3];
            let mut element = None;
            for (position, &operand) in graph.operands(id).iter().enumerate() {
                let (register, operand_element) = match known.get(&operand) {
                    Some(found) => *found,
                    None => {
                        let (register, element) = program.define(graph, operand, &mut known)?;
                        program.captures.push((operand, register));
                        (register, element)
                    }
                };
                *operands.get_mut(position)? = register;
                // The second operand of `select` is the first that is not the predicate.
                if position == 0 || (position == 1 && kind == Kind::Select) {
                    element = Some(operand_element);
                }
            }
            let results = graph.results(id);
            let result = results.get(0).filter(|_| results.len() == 1)?;
            if kind == Kind::Constant {
                let (register, element) = program.define(graph, result, &mut known)?;
                let shape = TensorShape { shape: Vec::new(), element };
                let elements = Attributes::of(graph, id).dense("value").ok()?;
                program.registers[register] =
                    super::constant::read_constant(graph, elements, &shape).ok()?.as_scalar()?;
                continue;
            }
            let (result, result_element) = program.define(graph, result, &mut known)?;
            let element = element?;
            let operation = Operation::of(graph, id, result_element)?;
            let step = ScalarStep { operation, element, operands, result };
            // What is not defined for the element type is found by doing it once.
            program.registers[result] = evaluate(&step, &program.registers)?;
            program.steps.push(step);
        }
        for value in graph.yields(region) {
            let register = match known.get(value) {
                Some((register, _)) => *register,
                None => {
                    let (register, _) = program.define(graph, *value, &mut known)?;
                    program.captures.push((*value, register));
                    register
                }
            };
            program.yields.push(register);
        }
        Some(program)
    }

    /// A register for a value of rank 0.
    fn define(
        &mut self,
        graph: &TrainingGraph,
        value: ValueId,
        known: &mut FxHashMap<ValueId, (usize, Element)>,
    ) -> Option<(usize, Element)> {
        let shape = TensorShape::of(graph.tensor_type(value)?)?;
        if !shape.shape.is_empty() {
            return None;
        }
        let register = self.registers.len();
        self.registers.push(Scalar::zero(shape.element));
        known.insert(value, (register, shape.element));
        Some((register, shape.element))
    }

    /// Sets a value from outside.
    pub fn set(&mut self, register: usize, value: Scalar<S>) {
        self.registers[register] = value;
    }

    /// Runs it once.
    pub fn call(&mut self, arguments: &[Scalar<S>], results: &mut [Scalar<S>]) -> Result<(), String> {
        self.registers[..arguments.len()].copy_from_slice(arguments);
        for step in &self.steps {
            let value = evaluate(step, &self.registers).ok_or("the operation is not defined for its operands")?;
            self.registers[step.result] = value;
        }
        for (result, &register) in results.iter_mut().zip(&self.yields) {
            *result = self.registers[register];
        }
        Ok(())
    }
}

impl Operation {
    fn of(graph: &TrainingGraph, id: OperationId, result: Element) -> Option<Operation> {
        let kind = graph.operation(id).kind;
        Some(match kind {
            Kind::Compare => Operation::Compare(decode::comparison(Attributes::of(graph, id)).ok()?),
            Kind::Select => Operation::Select,
            Kind::Clamp => Operation::Clamp,
            Kind::Convert => Operation::Convert(result),
            Kind::IsFinite | Kind::IsInf | Kind::IsPosInf | Kind::IsNegInf => Operation::IsSpecial(kind),
            Kind::Reshape | Kind::BroadcastInDim | Kind::Transpose | Kind::OptimizationBarrier => Operation::Copy,
            _ if elementwise::is_unary(kind) => Operation::Unary(kind),
            _ => match elementwise::as_binary(kind)? {
                (kind, false) => Operation::Binary(kind),
                _ => return None,
            },
        })
    }
}

fn evaluate<S: FloatScalar>(step: &ScalarStep, registers: &[Scalar<S>]) -> Option<Scalar<S>> {
    let [first, second, third] = step.operands.map(|register| registers[register]);
    Some(match step.operation {
        Operation::Copy => first,
        Operation::Unary(kind) => unary(kind, step.element, first)?,
        Operation::Binary(kind) => binary(kind, step.element, first, second)?,
        Operation::IsSpecial(kind) => match first {
            Scalar::Float(value) => Scalar::Boolean(elementwise::is_special::<S>(kind)?(value)),
            _ => return None,
        },
        Operation::Compare(comparison) => Scalar::Boolean(comparison.single(first, second)),
        Operation::Select => match first {
            Scalar::Boolean(true) => second,
            Scalar::Boolean(false) => third,
            _ => return None,
        },
        Operation::Clamp => {
            binary(Kind::Minimum, step.element, binary(Kind::Maximum, step.element, first, second)?, third)?
        }
        Operation::Convert(element) => convert_single(first, element)?,
    })
}

/// An operation with one operand, on one element.
fn unary<S: FloatScalar>(kind: Kind, element: Element, operand: Scalar<S>) -> Option<Scalar<S>> {
    Some(match (operand, element) {
        (Scalar::Boolean(value), _) => Scalar::Boolean(elementwise::boolean_unary(kind, Single(value))?),
        (Scalar::Signed(value), Element::Signed(bits)) => {
            Scalar::Signed(elementwise::signed_unary(kind, bits, Single(value))?)
        }
        (Scalar::Unsigned(value), Element::Unsigned(bits)) => {
            Scalar::Unsigned(elementwise::unsigned_unary(kind, bits, Single(value))?)
        }
        (Scalar::Float(value), Element::Float(float)) => {
            Scalar::Float(elementwise::float_unary(kind, float, Single(value))?.rounded(float))
        }
        (Scalar::Complex(value), Element::Complex(float)) if kind == Kind::Abs => {
            Scalar::Float(value.norm().rounded(float))
        }
        (Scalar::Complex(value), Element::Complex(float)) => {
            let value = elementwise::complex_unary(kind, Single(value))?;
            Scalar::Complex(Complex::new(value.re.rounded(float), value.im.rounded(float)))
        }
        _ => return None,
    })
}

/// An operation with two operands, on one element of each.
pub(super) fn binary<S: FloatScalar>(
    kind: Kind,
    element: Element,
    first: Scalar<S>,
    second: Scalar<S>,
) -> Option<Scalar<S>> {
    Some(match (first, second, element) {
        (Scalar::Boolean(a), Scalar::Boolean(b), _) => {
            Scalar::Boolean(elementwise::boolean_binary(kind, Single((a, b)))?)
        }
        (Scalar::Signed(a), Scalar::Signed(b), Element::Signed(bits)) => {
            Scalar::Signed(elementwise::signed_binary(kind, bits, Single((a, b)))?)
        }
        (Scalar::Unsigned(a), Scalar::Unsigned(b), Element::Unsigned(bits)) => {
            Scalar::Unsigned(elementwise::unsigned_binary(kind, bits, Single((a, b)))?)
        }
        (Scalar::Float(a), Scalar::Float(b), Element::Float(float)) => {
            Scalar::Float(elementwise::float_binary(kind, float, Single((a, b)))?.rounded(float))
        }
        (Scalar::Complex(a), Scalar::Complex(b), Element::Complex(float)) => {
            let value = elementwise::complex_binary(kind, Single((a, b)))?;
            Scalar::Complex(Complex::new(value.re.rounded(float), value.im.rounded(float)))
        }
        _ => return None,
    })
}
