//! Operations with a region that combines single elements.

use ndarray::{ArrayD, IxDyn};

use super::combine::{self, Body, Kernel};
use super::convert;
use super::elementwise::{elements, shared};
use super::instruction::Combine;
use super::kernels::{self, Reduction, Scatter, SelectAndScatter, Window, Windows};
use super::machine::Machine;
use super::scalar::FloatScalar;
use super::scalar_program::{Scalar, ScalarProgram, binary};
use super::tensor::{Array, Element, NO_TENSOR, Tensor};
use crate::graph::{OperationId, RegionId, TensorType};

/// A region that can be called with single elements.
enum Callee<'p, S> {
    Body(&'p Body<S>, Vec<Element>),
    Program(ScalarProgram<S>),
    Region(RegionId, usize, Vec<Element>),
}

impl<'p, 'g, S: FloatScalar> Machine<'p, 'g, '_, S> {
    /// The fast way is open: nobody wants to see what happens inside.
    fn is_unobserved(&self, region: RegionId) -> bool {
        let range = self.program.graph().operations_within(region).positions();
        self.hook.as_ref().is_none_or(|hook| !hook.has_any_in(range))
    }

    /// The element types that a region takes.
    fn argument_elements(&self, region: RegionId) -> Result<Vec<Element>, String> {
        let graph = self.program.graph();
        let element = |value| {
            let tensor: &TensorType = graph.tensor_type(value).ok_or("a region takes what is no tensor")?;
            Element::of(&tensor.element).ok_or("a region takes elements that are not supported")
        };
        Ok(graph.arguments(region).iter().map(element).collect::<Result<Vec<_>, &str>>()?)
    }

    /// Operands as a region takes their elements: those at `positions` are its arguments, in order, and the element types
    /// may be wider there. The region gives back `results` values.
    fn promoted(
        &self,
        region: RegionId,
        mut operands: Vec<Tensor<S>>,
        positions: &[usize],
        results: usize,
    ) -> Result<Vec<Tensor<S>>, String> {
        let (elements, yields) = (self.argument_elements(region)?, self.program.graph().yields(region).len());
        if elements.len() != positions.len() || yields != results {
            return Err(format!(
                "the region takes {} elements and gives back {yields}; it should take {} and give back {results}",
                elements.len(),
                positions.len()
            ));
        }
        for (&position, element) in positions.iter().zip(elements) {
            let operand = operands.get_mut(position).ok_or("there are too few operands")?;
            let own = operand.element().ok_or(NO_TENSOR)?;
            if own != element {
                let is_wider = std::mem::discriminant(&own) == std::mem::discriminant(&element);
                if !is_wider || own.bits() > element.bits() {
                    return Err(format!("the region takes elements of type {element}, not {own}"));
                }
                *operand = convert::convert(std::mem::replace(operand, Tensor::Token), element)?;
            }
        }
        Ok(operands)
    }

    fn callee(&self, combine: &'p Combine<S>, activation: usize) -> Result<Callee<'p, S>, String> {
        if !self.is_unobserved(combine.region) {
            return Ok(Callee::Region(combine.region, activation, self.argument_elements(combine.region)?));
        }
        match &combine.body {
            Body::Region => Ok(Callee::Region(combine.region, activation, self.argument_elements(combine.region)?)),
            Body::Program(program) => {
                let mut program = (**program).clone();
                for (value, register) in std::mem::take(&mut program.captures) {
                    let captured = self.value(activation, self.program.slot(value)).and_then(Tensor::as_scalar);
                    program.set(register, captured.ok_or("a value from outside of the region is missing")?);
                }
                Ok(Callee::Program(program))
            }
            body => Ok(Callee::Body(body, self.argument_elements(combine.region)?)),
        }
    }

    /// Calls a region with single elements.
    fn call(
        &mut self,
        callee: &mut Callee<'p, S>,
        arguments: &[Scalar<S>],
        results: &mut [Scalar<S>],
    ) -> Result<(), String> {
        match callee {
            Callee::Program(program) => return program.call(arguments, results),
            Callee::Body(body, types) => {
                let Some(&element) = types.first() else { return Err("the region takes no elements".into()) };
                let value = match (body, arguments) {
                    (Body::First, [first, ..]) => Some(*first),
                    (Body::Second, [_, second, ..]) => Some(*second),
                    (Body::Binary(kind), [first, second, ..]) => binary(*kind, element, *first, *second),
                    _ => None,
                };
                results[0] = value.ok_or("the operation is not defined for its operands")?;
            }
            Callee::Region(region, activation, types) => {
                let tensors =
                    types.iter().zip(arguments).map(|(&element, &scalar)| scalar.into_tensor(element)).collect();
                let values = self.run_region(*region, *activation, tensors).map_err(|error| error.to_string())?;
                for (result, value) in results.iter_mut().zip(values) {
                    *result = value.as_scalar().ok_or("a region gives back what is no element")?;
                }
            }
        }
        Ok(())
    }

    /// Inputs and initial values of a reduction; the region takes what there is so far, then what comes.
    fn folded(&self, region: RegionId, operands: Vec<Tensor<S>>) -> Result<Vec<Tensor<S>>, String> {
        let count = operands.len() / 2;
        let positions: Vec<usize> = (count..2 * count).chain(0..count).collect();
        self.promoted(region, operands, &positions, count)
    }

    /// `reduce`: inputs, then initial values.
    pub(super) fn reduce(
        &mut self,
        combine: &'p Combine<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
        dimensions: &[usize],
    ) -> Result<Vec<Tensor<S>>, String> {
        let operands = self.folded(combine.region, operands)?;
        let (inputs, initials) = halves(&operands)?;
        if let ([input], [initial]) = (inputs, initials)
            && self.is_unobserved(combine.region)
            && let Some(result) = reduce_fast(&combine.body, input, initial, dimensions)
        {
            return Ok(vec![result?]);
        }
        let reduction = Reduction::new(inputs[0].shape(), dimensions)?;
        let mut callee = self.callee(combine, activation)?;
        let mut fold = Fold::new(inputs, initials, reduction.result_shape())?;
        reduction.visit(|result, element| {
            fold.combine(result, Some(element), |arguments, results| self.call(&mut callee, arguments, results))
        })?;
        fold.finish(reduction.result_shape())
    }

    /// `reduce_window`: inputs, then initial values.
    pub(super) fn reduce_window(
        &mut self,
        combine: &'p Combine<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
        window: &Window,
    ) -> Result<Vec<Tensor<S>>, String> {
        let operands = self.folded(combine.region, operands)?;
        let (inputs, initials) = halves(&operands)?;
        if let ([input], [initial]) = (inputs, initials)
            && self.is_unobserved(combine.region)
            && let Some(result) = reduce_window_fast(&combine.body, input, initial, window)
        {
            return Ok(vec![result?]);
        }
        let windows = Windows::new(inputs[0].shape(), window)?;
        let mut callee = self.callee(combine, activation)?;
        let mut fold = Fold::new(inputs, initials, windows.result_shape())?;
        windows.visit(|result, element| {
            fold.combine(result, element, |arguments, results| self.call(&mut callee, arguments, results))
        })?;
        fold.finish(windows.result_shape())
    }

    /// `scatter`: inputs, indices, updates.
    pub(super) fn scatter(
        &mut self,
        combine: &'p Combine<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
        attributes: &Scatter,
    ) -> Result<Vec<Tensor<S>>, String> {
        let count = operands.len() / 2;
        if operands.len() != 2 * count + 1 {
            return Err("there are not as many updates as inputs".into());
        }
        let positions: Vec<usize> = (0..count).chain(count + 1..2 * count + 1).collect();
        let mut operands = self.promoted(combine.region, operands, &positions, count)?;
        let indices = operands[count].as_integers()?;
        if count == 1 && self.is_unobserved(combine.region) && !matches!(combine.body, Body::Program(_) | Body::Region)
        {
            let updates = operands.pop().ok_or(NO_TENSOR)?;
            let input = operands.swap_remove(0);
            return Ok(vec![scatter_fast(&combine.body, input, &indices, &updates, attributes)?]);
        }
        let (inputs, rest) = operands.split_at(count);
        let updates = &rest[1..];
        let is_common = |tensors: &[Tensor<S>]| tensors.iter().all(|tensor| tensor.shape() == tensors[0].shape());
        if !is_common(inputs) || !is_common(updates) {
            return Err("the inputs or the updates are not of one shape".into());
        }
        let targets = kernels::scatter_targets(inputs[0].shape(), indices.view(), updates[0].shape(), attributes)?;
        let mut callee = self.callee(combine, activation)?;
        let mut results: Vec<Vec<Scalar<S>>> = inputs.iter().map(Tensor::to_scalars).collect();
        let updates: Vec<Vec<Scalar<S>>> = updates.iter().map(Tensor::to_scalars).collect();
        let mut arguments = Vec::with_capacity(2 * count);
        let mut combined = vec![Scalar::Boolean(false); count];
        for (position, target) in targets.into_iter().enumerate() {
            let Some(target) = target else { continue };
            arguments.clear();
            arguments.extend(results.iter().map(|result| result[target]));
            arguments.extend(updates.iter().map(|update| update[position]));
            self.call(&mut callee, &arguments, &mut combined)?;
            for (result, value) in results.iter_mut().zip(&combined) {
                result[target] = *value;
            }
        }
        inputs.iter().zip(results).map(|(input, result)| from_scalars(input, input.shape(), &result)).collect()
    }

    /// `select_and_scatter`: operand, source, initial value.
    pub(super) fn select_and_scatter(
        &mut self,
        select: &'p Combine<S>,
        scatter: &'p Combine<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
        attributes: &SelectAndScatter,
    ) -> Result<Vec<Tensor<S>>, String> {
        let operands = self.promoted(scatter.region, operands, &[2, 1], 1)?;
        let operands = self.promoted(select.region, operands, &[0, 0], 1)?;
        let [operand, source, initial] = &operands[..] else { return Err("there are not three operands".into()) };
        let (mut select, mut scatter) = (self.callee(select, activation)?, self.callee(scatter, activation)?);
        let scalars = |tensor: &Tensor<S>| {
            ArrayD::from_shape_vec(IxDyn(tensor.shape()), tensor.to_scalars()).map_err(|_| String::from(NO_TENSOR))
        };
        let (values, sources) = (scalars(operand)?, scalars(source)?);
        let start = initial.as_scalar().ok_or("the initial value is not one element")?;
        let machine = std::cell::RefCell::new(self);
        let result = kernels::select_and_scatter::<Scalar<S>, String>(
            values.view(),
            sources.view(),
            start,
            attributes,
            |chosen, other| {
                let mut result = [Scalar::Boolean(false)];
                machine.borrow_mut().call(&mut select, &[chosen, other], &mut result)?;
                Ok(result[0] == Scalar::Boolean(true))
            },
            |old, source| {
                let mut result = [old];
                machine.borrow_mut().call(&mut scatter, &[old, source], &mut result)?;
                Ok(result[0])
            },
        )?;
        let result = shared(result);
        Ok(vec![from_scalars(initial, result.shape(), elements(&result))?])
    }

    /// `sort`: the comparator takes two elements of each operand, operand after operand.
    pub(super) fn sort(
        &mut self,
        combine: &'p Combine<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
        dimension: usize,
    ) -> Result<Vec<Tensor<S>>, String> {
        let positions: Vec<usize> = (0..operands.len()).flat_map(|position| [position, position]).collect();
        let operands = self.promoted(combine.region, operands, &positions, 1)?;
        let mut callee = self.callee(combine, activation)?;
        let scalars: Vec<Vec<Scalar<S>>> = operands.iter().map(Tensor::to_scalars).collect();
        let shape = operands.first().ok_or(NO_TENSOR)?.shape();
        if operands.iter().any(|operand| operand.shape() != shape) {
            return Err("the operands are not of one shape".into());
        }
        let mut arguments = Vec::with_capacity(2 * scalars.len());
        let order = kernels::sort_order::<String>(shape, dimension, |first, second| {
            arguments.clear();
            arguments.extend(scalars.iter().flat_map(|operand| [operand[first], operand[second]]));
            let mut result = [Scalar::Boolean(false)];
            self.call(&mut callee, &arguments, &mut result)?;
            Ok(result[0] == Scalar::Boolean(true))
        })?;
        let sorted = operands.iter().zip(&scalars).map(|(operand, scalars)| {
            let sorted: Vec<Scalar<S>> = order.iter().map(|&position| scalars[position]).collect();
            from_scalars(operand, shape, &sorted)
        });
        sorted.collect()
    }

    /// `map`: the region on corresponding elements.
    pub(super) fn map(
        &mut self,
        id: OperationId,
        combine: &'p Combine<S>,
        activation: usize,
        operands: Vec<Tensor<S>>,
    ) -> Result<Vec<Tensor<S>>, String> {
        let positions: Vec<usize> = (0..operands.len()).collect();
        let operands = self.promoted(combine.region, operands, &positions, 1)?;
        let graph = self.program.graph();
        let mut callee = self.callee(combine, activation)?;
        let scalars: Vec<Vec<Scalar<S>>> = operands.iter().map(Tensor::to_scalars).collect();
        let shape = operands.first().ok_or(NO_TENSOR)?.shape();
        if operands.iter().any(|operand| operand.shape() != shape) {
            return Err("the operands are not of one shape".into());
        }
        let mut mapped = Vec::with_capacity(scalars[0].len());
        let mut arguments = Vec::with_capacity(scalars.len());
        for position in 0..scalars[0].len() {
            arguments.clear();
            arguments.extend(scalars.iter().map(|operand| operand[position]));
            let mut result = [Scalar::Boolean(false)];
            self.call(&mut callee, &arguments, &mut result)?;
            mapped.push(result[0]);
        }
        let element = graph.results(id).get(0).and_then(|value| Element::of(&graph.tensor_type(value)?.element));
        let element = element.ok_or("the elements of the result are not supported")?;
        Ok(vec![Tensor::from_scalars(element, shape, &mapped).ok_or("the region gives back another type")?])
    }
}

#[allow(clippy::type_complexity, reason = "a pair of slices")]
fn halves<S>(operands: &[Tensor<S>]) -> Result<(&[Tensor<S>], &[Tensor<S>]), String> {
    if operands.is_empty() || !operands.len().is_multiple_of(2) {
        return Err("there are not as many initial values as inputs".into());
    }
    Ok(operands.split_at(operands.len() / 2))
}

fn from_scalars<S: FloatScalar>(like: &Tensor<S>, shape: &[usize], scalars: &[Scalar<S>]) -> Result<Tensor<S>, String> {
    let element = like.element().ok_or(NO_TENSOR)?;
    Tensor::from_scalars(element, shape, scalars).ok_or_else(|| "the region gives back another type".into())
}

/// Results under way, and the elements that go into them.
struct Fold<S> {
    types: Vec<Element>,
    inputs: Vec<Vec<Scalar<S>>>,
    initials: Vec<Scalar<S>>,
    results: Vec<Vec<Scalar<S>>>,
    arguments: Vec<Scalar<S>>,
    combined: Vec<Scalar<S>>,
}

impl<S: FloatScalar> Fold<S> {
    fn new(inputs: &[Tensor<S>], initials: &[Tensor<S>], result_shape: &[usize]) -> Result<Self, String> {
        if inputs.iter().any(|input| input.shape() != inputs[0].shape()) {
            return Err("the inputs are not of one shape".into());
        }
        let types = initials.iter().map(Tensor::element).collect::<Option<Vec<_>>>().ok_or(NO_TENSOR)?;
        let initials = initials.iter().map(Tensor::as_scalar).collect::<Option<Vec<_>>>();
        let initials = initials.ok_or("an initial value is not one element")?;
        let count = result_shape.iter().product();
        Ok(Fold {
            types,
            inputs: inputs.iter().map(Tensor::to_scalars).collect(),
            results: initials.iter().map(|&initial| vec![initial; count]).collect(),
            arguments: Vec::with_capacity(2 * inputs.len()),
            combined: initials.clone(),
            initials,
        })
    }

    fn combine(
        &mut self,
        result: usize,
        element: Option<usize>,
        call: impl FnOnce(&[Scalar<S>], &mut [Scalar<S>]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.arguments.clear();
        self.arguments.extend(self.results.iter().map(|results| results[result]));
        match element {
            Some(element) => self.arguments.extend(self.inputs.iter().map(|input| input[element])),
            None => self.arguments.extend(&self.initials),
        }
        call(&self.arguments, &mut self.combined)?;
        for (results, value) in self.results.iter_mut().zip(&self.combined) {
            results[result] = *value;
        }
        Ok(())
    }

    fn finish(self, shape: &[usize]) -> Result<Vec<Tensor<S>>, String> {
        let finished = self.types.iter().zip(&self.results).map(|(&element, results)| {
            Tensor::from_scalars(element, shape, results).ok_or_else(|| "the region gives back another type".into())
        });
        finished.collect()
    }
}

struct ReduceKernel<'a, T> {
    input: &'a Array<T>,
    initial: T,
    dimensions: &'a [usize],
}

impl<T: Copy> Kernel<T> for ReduceKernel<'_, T> {
    type Output = Result<Array<T>, String>;
    fn run(self, combine: impl Fn(T, T) -> T) -> Self::Output {
        Ok(shared(kernels::reduce(self.input.view(), self.initial, self.dimensions, combine)?))
    }
}

/// One operand and a simple body; none if there is no fast way.
fn reduce_fast<S: FloatScalar>(
    body: &Body<S>,
    input: &Tensor<S>,
    initial: &Tensor<S>,
    dimensions: &[usize],
) -> Option<Result<Tensor<S>, String>> {
    use crate::graph::OperationKind::Add;
    macro_rules! kernel {
        ($input:expr, $initial:expr) => {
            ReduceKernel { input: $input, initial: *$initial.first()?, dimensions }
        };
    }
    Some(match (input, initial) {
        (Tensor::Boolean(input), Tensor::Boolean(initial)) => {
            combine::with_booleans(body, kernel!(input, initial))?.map(Tensor::Boolean)
        }
        (Tensor::Signed(bits, input), Tensor::Signed(_, initial)) => {
            combine::with_signed(body, *bits, kernel!(input, initial))?.map(|array| Tensor::Signed(*bits, array))
        }
        (Tensor::Unsigned(bits, input), Tensor::Unsigned(_, initial)) => {
            combine::with_unsigned(body, *bits, kernel!(input, initial))?.map(|array| Tensor::Unsigned(*bits, array))
        }
        (Tensor::Float(kind, input), Tensor::Float(to, initial)) if kind == to => {
            if matches!(body, Body::Binary(Add)) && *kind == S::WIDEST {
                let sum = kernels::sum(input.view(), *initial.first()?, dimensions);
                sum.map(|array| Tensor::Float(*kind, shared(array))).map_err(String::from)
            } else {
                combine::with_floats(body, *kind, kernel!(input, initial))?.map(|array| Tensor::Float(*kind, array))
            }
        }
        (Tensor::Complex(kind, input), Tensor::Complex(to, initial)) if kind == to => {
            combine::with_complex(body, *kind, kernel!(input, initial))?.map(|array| Tensor::Complex(*kind, array))
        }
        _ => return None,
    })
}

struct WindowKernel<'a, T> {
    input: &'a Array<T>,
    initial: T,
    window: &'a Window,
}

impl<T: Copy> Kernel<T> for WindowKernel<'_, T> {
    type Output = Result<Array<T>, String>;
    fn run(self, combine: impl Fn(T, T) -> T) -> Self::Output {
        Ok(shared(kernels::reduce_window(self.input.view(), self.initial, self.window, combine)?))
    }
}

fn reduce_window_fast<S: FloatScalar>(
    body: &Body<S>,
    input: &Tensor<S>,
    initial: &Tensor<S>,
    window: &Window,
) -> Option<Result<Tensor<S>, String>> {
    Some(match (input, initial) {
        (Tensor::Float(kind, input), Tensor::Float(to, initial)) if kind == to => {
            let kernel = WindowKernel { input, initial: *initial.first()?, window };
            combine::with_floats(body, *kind, kernel)?.map(|array| Tensor::Float(*kind, array))
        }
        (Tensor::Signed(bits, input), Tensor::Signed(_, initial)) => {
            let kernel = WindowKernel { input, initial: *initial.first()?, window };
            combine::with_signed(body, *bits, kernel)?.map(|array| Tensor::Signed(*bits, array))
        }
        _ => return None,
    })
}

struct ScatterKernel<'a, T> {
    input: Array<T>,
    indices: &'a ArrayD<i64>,
    updates: &'a Array<T>,
    attributes: &'a Scatter,
}

impl<T: Copy> Kernel<T> for ScatterKernel<'_, T> {
    type Output = Result<Array<T>, String>;
    fn run(self, combine: impl Fn(T, T) -> T) -> Self::Output {
        let input = self.input.into_owned();
        Ok(shared(kernels::scatter(input, self.indices.view(), self.updates.view(), self.attributes, combine)?))
    }
}

fn scatter_fast<S: FloatScalar>(
    body: &Body<S>,
    input: Tensor<S>,
    indices: &ArrayD<i64>,
    updates: &Tensor<S>,
    attributes: &Scatter,
) -> Result<Tensor<S>, String> {
    let undefined = || String::from("the region is not defined for its operands");
    macro_rules! kernel {
        ($input:expr, $updates:expr) => {
            ScatterKernel { input: $input, indices, updates: $updates, attributes }
        };
    }
    match (input, updates) {
        (Tensor::Boolean(input), Tensor::Boolean(updates)) => {
            Ok(Tensor::Boolean(combine::with_booleans(body, kernel!(input, updates)).ok_or_else(undefined)??))
        }
        (Tensor::Signed(bits, input), Tensor::Signed(_, updates)) => {
            let result = combine::with_signed(body, bits, kernel!(input, updates)).ok_or_else(undefined)??;
            Ok(Tensor::Signed(bits, result))
        }
        (Tensor::Unsigned(bits, input), Tensor::Unsigned(_, updates)) => {
            let result = combine::with_unsigned(body, bits, kernel!(input, updates)).ok_or_else(undefined)??;
            Ok(Tensor::Unsigned(bits, result))
        }
        (Tensor::Float(kind, input), Tensor::Float(_, updates)) => {
            let result = combine::with_floats(body, kind, kernel!(input, updates)).ok_or_else(undefined)??;
            Ok(Tensor::Float(kind, result))
        }
        (Tensor::Complex(kind, input), Tensor::Complex(_, updates)) => {
            let result = combine::with_complex(body, kind, kernel!(input, updates)).ok_or_else(undefined)??;
            Ok(Tensor::Complex(kind, result))
        }
        _ => Err(super::tensor::NOT_ALIKE.into()),
    }
}
