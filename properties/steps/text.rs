//! StableHLO text, operation by operation, with the shapes and the scopes that go with it.

use std::fmt::Write;

/// A tensor of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub name: String,
    pub shape: Vec<usize>,
    pub element: &'static str,
}

/// The type of a tensor.
pub fn type_of(shape: &[usize], element: &str) -> String {
    let dimensions: String = shape.iter().map(|extent| format!("{extent}x")).collect();
    format!("tensor<{dimensions}{element}>")
}

pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

impl Value {
    pub fn new(name: impl Into<String>, shape: &[usize], element: &'static str) -> Self {
        Value { name: name.into(), shape: shape.into(), element }
    }

    pub fn r#type(&self) -> String {
        type_of(&self.shape, self.element)
    }

    fn of(&self, element: &'static str) -> Value {
        Value { element, ..self.clone() }
    }
}

/// `a, b` and `type of a, type of b`.
fn names_and_types(values: &[Value]) -> (String, String) {
    (list(values.iter().map(|value| &value.name)), list(values.iter().map(Value::r#type)))
}

/// The lines of a function, and of functions beside it.
#[derive(Default)]
pub struct Text {
    lines: String,
    names: usize,
    scope: String,
    functions: String,
}

impl Text {
    /// Everything that is written by `body` is in this scope, as the framework writes it.
    pub fn scoped<R>(&mut self, scope: &str, body: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.scope, format!("{scope}/"));
        let result = body(self);
        self.scope = outer;
        result
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("%v{}", self.names)
    }

    fn location(&self, operation: &str) -> String {
        let word = operation.trim_start_matches('"').split(['.', ' ', '"', '(']).nth(1).unwrap_or("op");
        format!("loc(\"jit(step)/{}{word}\")", self.scope)
    }

    /// An operation with one result.
    fn made(&mut self, operation: &str, shape: &[usize], element: &'static str) -> Value {
        let name = self.fresh();
        let location = self.location(operation);
        writeln!(self.lines, "    {name} = {operation} {location}").expect("a string");
        Value::new(name, shape, element)
    }

    /// A function beside the step; `body` gets its arguments and gives what it returns.
    pub fn function(&mut self, name: &str, arguments: &[Value], body: impl FnOnce(&mut Self, &[Value]) -> Value) {
        let outer = std::mem::take(&mut self.lines);
        let own: Vec<Value> = arguments.iter().map(|value| Value { name: self.fresh(), ..value.clone() }).collect();
        let result = body(self, &own);
        let lines = std::mem::replace(&mut self.lines, outer);
        let header = list(own.iter().map(|value| format!("{}: {}", value.name, value.r#type())));
        let of = result.r#type();
        self.functions += &format!(
            "  func.func private @{name}({header}) -> {of} {{\n{lines}    return {} : {of}\n  }}\n",
            result.name
        );
    }

    pub fn call(&mut self, function: &str, arguments: &[Value], result: &Value) -> Value {
        let (names, types) = names_and_types(arguments);
        let operation = format!("call @{function}({names}) : ({types}) -> {}", result.r#type());
        self.made(&operation, &result.shape, result.element)
    }

    /// The whole module: inputs and outputs by path.
    pub fn finish(self, inputs: &[(String, Value)], outputs: &[(String, Value)]) -> String {
        let arguments =
            list(inputs.iter().map(|(path, value)| format!("{}: {} loc(\"{path}\")", value.name, value.r#type())));
        let results = list(
            outputs.iter().map(|(path, value)| format!("{} {{jax.result_info = \"result.{path}\"}}", value.r#type())),
        );
        let (names, types) = names_and_types(&outputs.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>());
        format!(
            "module @step {{\n  func.func public @main({arguments}) -> ({results}) {{\n{}    return {names} : \
             {types}\n  }}\n{}}}\n",
            self.lines, self.functions
        )
    }

    pub fn literal(&mut self, text: &str, shape: &[usize], element: &'static str) -> Value {
        self.made(&format!("stablehlo.constant dense<{text}> : {}", type_of(shape, element)), shape, element)
    }

    /// A scalar in all elements.
    pub fn number(&mut self, number: f64, shape: &[usize]) -> Value {
        self.literal(&format!("{number:?}"), shape, "f32")
    }

    /// The same scalar, shaped like another value.
    pub fn like(&mut self, number: f64, value: &Value) -> Value {
        self.number(number, &value.shape)
    }

    pub fn unary(&mut self, kind: &str, x: &Value) -> Value {
        self.made(&format!("stablehlo.{kind} {} : {}", x.name, x.r#type()), &x.shape, x.element)
    }

    pub fn binary(&mut self, kind: &str, x: &Value, y: &Value) -> Value {
        assert_eq!((&x.shape, x.element), (&y.shape, y.element), "{kind}");
        self.made(&format!("stablehlo.{kind} {}, {} : {}", x.name, y.name, x.r#type()), &x.shape, x.element)
    }

    pub fn add(&mut self, x: &Value, y: &Value) -> Value {
        self.binary("add", x, y)
    }

    pub fn subtract(&mut self, x: &Value, y: &Value) -> Value {
        self.binary("subtract", x, y)
    }

    pub fn multiply(&mut self, x: &Value, y: &Value) -> Value {
        self.binary("multiply", x, y)
    }

    /// By a constant.
    pub fn times(&mut self, x: &Value, factor: f64) -> Value {
        let factor = self.like(factor, x);
        self.multiply(&factor, x)
    }

    /// `GT`, of floats; `EQ`, of integers.
    pub fn compare(&mut self, way: &str, x: &Value, y: &Value) -> Value {
        let kind = if x.element.starts_with('f') { "FLOAT" } else { "SIGNED" };
        let to = x.of("i1");
        let (of, result) = (x.r#type(), to.r#type());
        let operation = format!("stablehlo.compare {way}, {}, {}, {kind} : ({of}, {of}) -> {result}", x.name, y.name);
        self.made(&operation, &x.shape, "i1")
    }

    pub fn is_finite(&mut self, x: &Value) -> Value {
        let operation = format!("stablehlo.is_finite {} : ({}) -> {}", x.name, x.r#type(), x.of("i1").r#type());
        self.made(&operation, &x.shape, "i1")
    }

    pub fn select(&mut self, test: &Value, x: &Value, y: &Value) -> Value {
        assert_eq!((&x.shape, x.element), (&y.shape, y.element));
        let operation =
            format!("stablehlo.select {}, {}, {} : {}, {}", test.name, x.name, y.name, test.r#type(), x.r#type());
        self.made(&operation, &x.shape, x.element)
    }

    pub fn convert(&mut self, x: &Value, element: &'static str) -> Value {
        let operation = format!("stablehlo.convert {} : ({}) -> {}", x.name, x.r#type(), x.of(element).r#type());
        self.made(&operation, &x.shape, element)
    }

    pub fn bits(&mut self, x: &Value, element: &'static str) -> Value {
        let operation =
            format!("stablehlo.bitcast_convert {} : ({}) -> {}", x.name, x.r#type(), x.of(element).r#type());
        self.made(&operation, &x.shape, element)
    }

    pub fn broadcast(&mut self, x: &Value, axes: &[usize], shape: &[usize]) -> Value {
        let to = type_of(shape, x.element);
        let operation =
            format!("stablehlo.broadcast_in_dim {}, dims = [{}] : ({}) -> {to}", x.name, list(axes), x.r#type());
        self.made(&operation, shape, x.element)
    }

    pub fn reshape(&mut self, x: &Value, shape: &[usize]) -> Value {
        let operation = format!("stablehlo.reshape {} : ({}) -> {}", x.name, x.r#type(), type_of(shape, x.element));
        self.made(&operation, shape, x.element)
    }

    pub fn transpose(&mut self, x: &Value) -> Value {
        let shape = [x.shape[1], x.shape[0]];
        let to = type_of(&shape, x.element);
        let operation = format!("stablehlo.transpose {}, dims = [1, 0] : ({}) -> {to}", x.name, x.r#type());
        self.made(&operation, &shape, x.element)
    }

    /// `x` contracted over one dimension of each; the others in order.
    pub fn product(&mut self, x: &Value, y: &Value, over: (usize, usize)) -> Value {
        let rest = |value: &Value, over: usize| {
            let kept = value.shape.iter().enumerate().filter(move |(axis, _)| *axis != over);
            kept.map(|(_, extent)| *extent).collect::<Vec<_>>()
        };
        let shape = [rest(x, over.0), rest(y, over.1)].concat();
        let operation = format!(
            "stablehlo.dot_general {}, {}, contracting_dims = [{}] x [{}] : ({}, {}) -> {}",
            x.name,
            y.name,
            over.0,
            over.1,
            x.r#type(),
            y.r#type(),
            type_of(&shape, x.element)
        );
        self.made(&operation, &shape, x.element)
    }

    /// `add`, `maximum`, `and` over some dimensions.
    pub fn reduce(&mut self, kind: &str, x: &Value, axes: &[usize]) -> Value {
        let unit = match kind {
            "add" => "0.0",
            "maximum" => "-1.0e30",
            "and" => "true",
            other => panic!("no unit of {other}"),
        };
        let unit = self.literal(unit, &[], x.element);
        let kept = x.shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        let shape: Vec<usize> = kept.map(|(_, extent)| *extent).collect();
        let operation = format!(
            "stablehlo.reduce({} init: {}) applies stablehlo.{kind} across dimensions = [{}] : ({}, {}) -> {}",
            x.name,
            unit.name,
            list(axes),
            x.r#type(),
            unit.r#type(),
            type_of(&shape, x.element)
        );
        self.made(&operation, &shape, x.element)
    }

    pub fn sum(&mut self, x: &Value) -> Value {
        self.reduce("add", x, &(0..x.shape.len()).collect::<Vec<_>>())
    }

    /// From `start` to `limit` along the first dimension.
    pub fn rows(&mut self, x: &Value, start: usize, limit: usize) -> Value {
        let mut shape = x.shape.clone();
        shape[0] = limit - start;
        let rest = x.shape[1..].iter().map(|extent| format!("0:{extent}"));
        let ranges = list([format!("{start}:{limit}")].into_iter().chain(rest));
        let to = type_of(&shape, x.element);
        self.made(&format!("stablehlo.slice {} [{ranges}] : ({}) -> {to}", x.name, x.r#type()), &shape, x.element)
    }

    /// Along the first dimension.
    pub fn concatenate(&mut self, parts: &[Value]) -> Value {
        let mut shape = parts[0].shape.clone();
        shape[0] = parts.iter().map(|part| part.shape[0]).sum();
        let (names, types) = names_and_types(parts);
        let to = type_of(&shape, parts[0].element);
        self.made(&format!("stablehlo.concatenate {names}, dim = 0 : ({types}) -> {to}"), &shape, parts[0].element)
    }

    pub fn iota(&mut self, count: usize) -> Value {
        self.made(&format!("stablehlo.iota dim = 0 : tensor<{count}xi32>"), &[count], "i32")
    }

    /// The rows of `x` at these positions.
    pub fn gather(&mut self, x: &Value, positions: &Value) -> Value {
        let shape = [&positions.shape[..], &x.shape[1..]].concat();
        let index_vector = positions.shape.len();
        let offsets = list(index_vector..shape.len());
        let sizes = list([1].into_iter().chain(x.shape[1..].iter().copied()));
        let operation = format!(
            "\"stablehlo.gather\"({}, {}) <{{dimension_numbers = #stablehlo.gather<offset_dims = [{offsets}], \
             collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = {index_vector}>, slice_sizes = \
             array<i64: {sizes}>}}> : ({}, {}) -> {}",
            x.name,
            positions.name,
            x.r#type(),
            positions.r#type(),
            type_of(&shape, x.element)
        );
        self.made(&operation, &shape, x.element)
    }

    /// Adds rows to those of `x` at these positions.
    pub fn scatter_add(&mut self, x: &Value, positions: &Value, rows: &Value) -> Value {
        let windows = list(1..x.shape.len());
        let (name, location) = (self.fresh(), self.location("stablehlo.scatter"));
        let [a, b, c] = [self.fresh(), self.fresh(), self.fresh()];
        let of = format!("tensor<{}>", x.element);
        self.lines += &format!(
            "    {name} = \"stablehlo.scatter\"({}, {}, {}) <{{scatter_dimension_numbers = \
             #stablehlo.scatter<update_window_dims = [{windows}], inserted_window_dims = [0], \
             scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}}> ({{
    ^bb0({a}: {of}, {b}: {of}):
      {c} = stablehlo.add {a}, {b} : {of}
      stablehlo.return {c} : {of}
    }}) : ({}, {}, {}) -> {} {location}\n",
            x.name,
            positions.name,
            rows.name,
            x.r#type(),
            positions.r#type(),
            rows.r#type(),
            x.r#type()
        );
        Value { name, ..x.clone() }
    }

    /// One row, at a position that is an operand.
    pub fn row_at(&mut self, x: &Value, position: &Value) -> Value {
        let mut shape = x.shape.clone();
        shape[0] = 1;
        let zero = self.literal("0", &[], "i32");
        let starts = list([&position.name].into_iter().chain(x.shape[1..].iter().map(|_| &zero.name)));
        let types = list(x.shape.iter().map(|_| "tensor<i32>"));
        let operation = format!(
            "stablehlo.dynamic_slice {}, {starts}, sizes = [{}] : ({}, {types}) -> {}",
            x.name,
            list(&shape),
            x.r#type(),
            type_of(&shape, x.element)
        );
        let row = self.made(&operation, &shape, x.element);
        self.reshape(&row, &x.shape[1..])
    }

    pub fn with_row_at(&mut self, x: &Value, row: &Value, position: &Value) -> Value {
        let mut shape = x.shape.clone();
        shape[0] = 1;
        let row = self.reshape(row, &shape);
        let zero = self.literal("0", &[], "i32");
        let starts = list([&position.name].into_iter().chain(x.shape[1..].iter().map(|_| &zero.name)));
        let types = list(x.shape.iter().map(|_| "tensor<i32>"));
        let operation = format!(
            "stablehlo.dynamic_update_slice {}, {}, {starts} : ({}, {}, {types}) -> {}",
            x.name,
            row.name,
            x.r#type(),
            row.r#type(),
            x.r#type()
        );
        self.made(&operation, &x.shape, x.element)
    }

    /// Positions in descending order of a vector, and how many are kept.
    pub fn top_k(&mut self, x: &Value, k: usize) -> Value {
        let location = self.location("chlo.top_k");
        let [values, positions] = [self.fresh(), self.fresh()];
        self.lines += &format!(
            "    {values}, {positions} = chlo.top_k({}, k = {k}) : {} -> (tensor<{k}xf32>, tensor<{k}xi32>) {location}\n",
            x.name,
            x.r#type()
        );
        Value::new(positions, &[k], "i32")
    }

    /// Positions in ascending order of a vector.
    pub fn argsort(&mut self, x: &Value) -> Value {
        let positions = self.iota(x.shape[0]);
        let (name, location) = (self.fresh(), self.location("stablehlo.sort"));
        let [a, b, i, j, c] = [self.fresh(), self.fresh(), self.fresh(), self.fresh(), self.fresh()];
        let types = format!("{}, {}", x.r#type(), positions.r#type());
        self.lines += &format!(
            "    {name}:2 = \"stablehlo.sort\"({}, {}) <{{dimension = 0 : i64, is_stable = true}}> ({{
    ^bb0({a}: tensor<f32>, {b}: tensor<f32>, {i}: tensor<i32>, {j}: tensor<i32>):
      {c} = stablehlo.compare LT, {a}, {b}, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return {c} : tensor<i1>
    }}) : ({types}) -> ({types}) {location}\n",
            x.name, positions.name
        );
        Value::new(format!("{name}#1"), &[x.shape[0]], "i32")
    }

    /// The next state of a key of two words of 64 bits, and random words of 32 bits.
    pub fn random_bits(&mut self, key: &Value, shape: &[usize]) -> (Value, Value) {
        let location = self.location("stablehlo.rng_bit_generator");
        let [state, bits] = [self.fresh(), self.fresh()];
        let (key_type, to) = (key.r#type(), type_of(shape, "ui32"));
        self.lines += &format!(
            "    {state}, {bits} = stablehlo.rng_bit_generator {}, algorithm = THREE_FRY : ({key_type}) -> \
             ({key_type}, {to}) {location}\n",
            key.name
        );
        (Value { name: state, ..key.clone() }, Value::new(bits, shape, "ui32"))
    }

    /// A loop that counts from 0 to `count`, over `state`; the body gets the counter and the state.
    pub fn count(
        &mut self,
        count: usize,
        state: &[Value],
        body: impl FnOnce(&mut Self, &Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let (zero, one, bound) = (
            self.literal("0", &[], "i32"),
            self.literal("1", &[], "i32"),
            self.literal(&count.to_string(), &[], "i32"),
        );
        let counter = Value::new(self.fresh(), &[], "i32");
        let own: Vec<Value> = state.iter().map(|value| Value { name: self.fresh(), ..value.clone() }).collect();
        let (name, go) = (self.fresh(), self.fresh());
        let begins = list(
            [(&counter, &zero)]
                .into_iter()
                .chain(own.iter().zip(state))
                .map(|(own, begin)| format!("{} = {}", own.name, begin.name)),
        );
        let types = list([zero.r#type()].into_iter().chain(state.iter().map(Value::r#type)));
        let location = self.location("stablehlo.while");
        self.lines += &format!(
            "    {name}:{} = stablehlo.while({begins}) : {types}
    cond {{
      {go} = stablehlo.compare LT, {}, {}, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return {go} : tensor<i1>
    }} do {{\n",
            1 + state.len(),
            counter.name,
            bound.name
        );
        let made = body(self, &counter, &own);
        let next = self.add(&counter, &one);
        let yields = list([&next].into_iter().chain(&made).map(|value| &value.name));
        self.lines += &format!("      stablehlo.return {yields} : {types}\n    }} {location}\n");
        (1..=state.len())
            .zip(state)
            .map(|(at, value)| Value { name: format!("{name}#{at}"), ..value.clone() })
            .collect()
    }

    /// `if`, on a boolean scalar: one branch where it is true, the other where it is false.
    pub fn branch(
        &mut self,
        test: &Value,
        first: impl FnOnce(&mut Self) -> Vec<Value>,
        second: impl FnOnce(&mut Self) -> Vec<Value>,
    ) -> Vec<Value> {
        let (name, location) = (self.fresh(), self.location("stablehlo.if"));
        let outer = std::mem::take(&mut self.lines);
        let mut regions = Vec::new();
        let mut results = Vec::new();
        let firsts = first(self);
        let mut close = |text: &mut Self, made: Vec<Value>| {
            let (names, types) = names_and_types(&made);
            let lines = std::mem::take(&mut text.lines);
            regions.push(format!("({{\n{lines}      stablehlo.return {names} : {types}\n    }}"));
            results = made;
        };
        close(self, firsts);
        let seconds = second(self);
        close(self, seconds);
        self.lines = outer;
        let (_, types) = names_and_types(&results);
        let regions = regions.join(", ").replacen(", ({", ", {", 1);
        let shown = if results.len() == 1 { name.clone() } else { format!("{name}:{}", results.len()) };
        self.lines += &format!(
            "    {shown} = \"stablehlo.if\"({}) {regions}) : (tensor<i1>) -> ({types}) {location}\n",
            test.name
        );
        let made = |(at, value): (usize, Value)| match results.len() {
            1 => Value { name: name.clone(), ..value },
            _ => Value { name: format!("{name}#{at}"), ..value },
        };
        results.clone().into_iter().enumerate().map(made).collect()
    }
}
