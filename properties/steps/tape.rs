//! Forward and backward: every operation of a loss remembers how its cotangent is made, and in which scope.

use std::collections::BTreeMap;

use super::text::{Text, Value};

/// How the cotangents of the operands are made of that of the result.
enum Rule {
    /// A matrix by a matrix or a vector.
    Product,
    Transpose,
    Add,
    Subtract,
    Multiply,
    /// By a constant.
    Times(f64),
    Tanh,
    Log,
    /// Of a vector to all rows.
    ToRows,
    SumColumns,
    /// Over the last dimension.
    Softmax,
    /// By the root of the mean square of the last dimension.
    Normal,
    /// Rows at positions that have no cotangent.
    Gather(Value),
    /// Layers one after the other, each a slice of the weights: what each layer takes is kept.
    Stacked(Value),
    /// The function `@dense`, and `@dense_transposed`.
    Dense,
    /// `tanh` where a test on data is true.
    Branch(Value),
}

struct Entry {
    rule: Rule,
    operands: Vec<Value>,
    result: Value,
    scope: String,
}

/// What was differentiated. Operations are written in the scope `jvp(..)`, their transposes in `transpose(jvp(..))`.
#[derive(Default)]
pub struct Tape {
    entries: Vec<Entry>,
    scope: String,
}

impl Tape {
    /// What follows is in this scope of the user; the empty one is none.
    pub fn enter(&mut self, scope: &str) {
        self.scope = scope.into();
    }

    fn keep(&mut self, rule: Rule, operands: &[&Value], result: Value) -> Value {
        let operands = operands.iter().map(|value| (*value).clone()).collect();
        self.entries.push(Entry { rule, operands, result: result.clone(), scope: self.scope.clone() });
        result
    }

    fn forward(&self, text: &mut Text, body: impl FnOnce(&mut Text) -> Value) -> Value {
        text.scoped(&format!("jvp({})", self.scope), body)
    }

    pub fn product(&mut self, text: &mut Text, x: &Value, y: &Value) -> Value {
        let result = self.forward(text, |text| text.product(x, y, (1, 0)));
        self.keep(Rule::Product, &[x, y], result)
    }

    pub fn transpose(&mut self, text: &mut Text, x: &Value) -> Value {
        let result = self.forward(text, |text| text.transpose(x));
        self.keep(Rule::Transpose, &[x], result)
    }

    pub fn add(&mut self, text: &mut Text, x: &Value, y: &Value) -> Value {
        let result = self.forward(text, |text| text.add(x, y));
        self.keep(Rule::Add, &[x, y], result)
    }

    pub fn subtract(&mut self, text: &mut Text, x: &Value, y: &Value) -> Value {
        let result = self.forward(text, |text| text.subtract(x, y));
        self.keep(Rule::Subtract, &[x, y], result)
    }

    pub fn multiply(&mut self, text: &mut Text, x: &Value, y: &Value) -> Value {
        let result = self.forward(text, |text| text.multiply(x, y));
        self.keep(Rule::Multiply, &[x, y], result)
    }

    pub fn times(&mut self, text: &mut Text, x: &Value, factor: f64) -> Value {
        let result = self.forward(text, |text| text.times(x, factor));
        self.keep(Rule::Times(factor), &[x], result)
    }

    pub fn tanh(&mut self, text: &mut Text, x: &Value) -> Value {
        let result = self.forward(text, |text| text.unary("tanh", x));
        self.keep(Rule::Tanh, &[x], result)
    }

    pub fn log(&mut self, text: &mut Text, x: &Value) -> Value {
        let result = self.forward(text, |text| text.unary("log", x));
        self.keep(Rule::Log, &[x], result)
    }

    /// A vector (or a scalar) in all rows of `like`.
    pub fn in_rows(&mut self, text: &mut Text, x: &Value, shape: &[usize]) -> Value {
        let axes: Vec<usize> = (shape.len() - x.shape.len()..shape.len()).collect();
        let result = self.forward(text, |text| text.broadcast(x, &axes, shape));
        self.keep(Rule::ToRows, &[x], result)
    }

    pub fn sum_columns(&mut self, text: &mut Text, x: &Value) -> Value {
        let result = self.forward(text, |text| text.reduce("add", x, &[1]));
        self.keep(Rule::SumColumns, &[x], result)
    }

    pub fn softmax(&mut self, text: &mut Text, x: &Value) -> Value {
        let result = self.forward(text, |text| {
            let most = text.reduce("maximum", x, &[1]);
            let most = text.broadcast(&most, &[0], &x.shape);
            let below = text.subtract(x, &most);
            let parts = text.unary("exponential", &below);
            let sum = text.reduce("add", &parts, &[1]);
            let sum = text.broadcast(&sum, &[0], &x.shape);
            text.binary("divide", &parts, &sum)
        });
        self.keep(Rule::Softmax, &[x], result)
    }

    pub fn normal(&mut self, text: &mut Text, x: &Value) -> Value {
        let mut inverse = None;
        let result = self.forward(text, |text| {
            let squares = text.multiply(x, x);
            let sum = text.reduce("add", &squares, &[1]);
            let mean = text.times(&sum, 1.0 / x.shape[1] as f64);
            let least = text.like(0.001, &mean);
            let mean = text.add(&mean, &least);
            let root = text.unary("rsqrt", &mean);
            let root = text.broadcast(&root, &[0], &x.shape);
            inverse = Some(root.clone());
            text.multiply(x, &root)
        });
        let inverse = inverse.expect("made above");
        self.keep(Rule::Normal, &[x, &inverse], result)
    }

    pub fn gather(&mut self, text: &mut Text, x: &Value, positions: &Value) -> Value {
        let result = self.forward(text, |text| text.gather(x, positions));
        self.keep(Rule::Gather(positions.clone()), &[x], result)
    }

    /// `tanh(x @ weights[layer])`, layer after layer.
    pub fn stacked(&mut self, text: &mut Text, x: &Value, weights: &Value) -> Value {
        let layers = weights.shape[0];
        let mut kept = None;
        let result = self.forward(text, |text| {
            let all = text.number(0.0, &[&[layers], &x.shape[..]].concat());
            let made = text.count(layers, &[x.clone(), all, weights.clone()], |text, layer, state| {
                let [x, all, weights] = state else { panic!("three values") };
                let all = text.with_row_at(all, x, layer);
                let weight = text.row_at(weights, layer);
                let product = text.product(x, &weight, (1, 0));
                vec![text.unary("tanh", &product), all, weights.clone()]
            });
            kept = Some(made[1].clone());
            made[0].clone()
        });
        self.keep(Rule::Stacked(kept.expect("made above")), &[x, weights], result)
    }

    /// A function that is called: `tanh(x @ w)`.
    pub fn dense(&mut self, text: &mut Text, x: &Value, w: &Value) -> Value {
        let result = self.forward(text, |text| text.call("dense", &[x.clone(), w.clone()], x));
        self.keep(Rule::Dense, &[x, w], result)
    }

    pub fn branch(&mut self, text: &mut Text, test: &Value, x: &Value) -> Value {
        let result = self
            .forward(text, |text| text.branch(test, |text| vec![text.unary("tanh", x)], |_| vec![x.clone()]).remove(0));
        self.keep(Rule::Branch(test.clone()), &[x], result)
    }

    /// From cotangents of results to those of everything before.
    pub fn pull(&self, text: &mut Text, seeds: &[(&Value, Value)]) -> Cotangents {
        let mut found = Cotangents::default();
        seeds.iter().for_each(|(value, cotangent)| found.add(text, value, cotangent.clone()));
        for entry in self.entries.iter().rev() {
            let Some(g) = found.0.get(&entry.result.name).cloned() else { continue };
            text.scoped(&format!("transpose(jvp({}))", entry.scope), |text| entry.pull(text, &g, &mut found));
        }
        found
    }
}

/// The functions that [`Tape::dense`] and its transpose call, for inputs and weights like these.
pub fn define_dense(text: &mut Text, x: &Value, w: &Value) {
    text.function("dense", &[x.clone(), w.clone()], |text, own| {
        let product = text.product(&own[0], &own[1], (1, 0));
        text.unary("tanh", &product)
    });
    let result = x.clone();
    text.function("dense_input", &[w.clone(), result.clone(), x.clone()], |text, own| {
        let inner = under_tanh(text, &own[1], &own[2]);
        text.product(&inner, &own[0], (1, 1))
    });
    text.function("dense_weight", &[x.clone(), result.clone(), x.clone()], |text, own| {
        let inner = under_tanh(text, &own[1], &own[2]);
        text.product(&own[0], &inner, (0, 0))
    });
}

/// The cotangent below a `tanh` that gave `y`.
fn under_tanh(text: &mut Text, y: &Value, g: &Value) -> Value {
    let square = text.multiply(y, y);
    let one = text.like(1.0, y);
    let slope = text.subtract(&one, &square);
    text.multiply(g, &slope)
}

impl Entry {
    fn pull(&self, text: &mut Text, g: &Value, found: &mut Cotangents) {
        let operand = |at: usize| &self.operands[at];
        let y = &self.result;
        let mut give = |text: &mut Text, at: usize, cotangent: Value| found.add(text, operand(at), cotangent);
        match &self.rule {
            Rule::Product => {
                let (x, w) = (operand(0), operand(1));
                let to_x = match w.shape.len() {
                    1 => {
                        let g = text.broadcast(g, &[0], &x.shape);
                        let w = text.broadcast(w, &[1], &x.shape);
                        text.multiply(&g, &w)
                    }
                    _ => text.product(g, w, (1, 1)),
                };
                let to_w = text.product(x, g, (0, 0));
                give(text, 0, to_x);
                give(text, 1, to_w);
            }
            Rule::Transpose => {
                let to_x = text.transpose(g);
                give(text, 0, to_x);
            }
            Rule::Add => {
                give(text, 0, g.clone());
                give(text, 1, g.clone());
            }
            Rule::Subtract => {
                give(text, 0, g.clone());
                let to_y = text.unary("negate", g);
                give(text, 1, to_y);
            }
            Rule::Multiply => {
                let (to_x, to_y) = (text.multiply(g, operand(1)), text.multiply(g, operand(0)));
                give(text, 0, to_x);
                give(text, 1, to_y);
            }
            Rule::Times(factor) => {
                let to_x = text.times(g, *factor);
                give(text, 0, to_x);
            }
            Rule::Tanh => {
                let to_x = under_tanh(text, y, g);
                give(text, 0, to_x);
            }
            Rule::Log => {
                let to_x = text.binary("divide", g, operand(0));
                give(text, 0, to_x);
            }
            Rule::ToRows => {
                let axes: Vec<usize> = (0..g.shape.len() - operand(0).shape.len()).collect();
                let to_x = text.reduce("add", g, &axes);
                give(text, 0, to_x);
            }
            Rule::SumColumns => {
                let to_x = text.broadcast(g, &[0], &operand(0).shape);
                give(text, 0, to_x);
            }
            Rule::Softmax => {
                let product = text.multiply(g, y);
                let sum = text.reduce("add", &product, &[1]);
                let sum = text.broadcast(&sum, &[0], &y.shape);
                let centred = text.subtract(g, &sum);
                let to_x = text.multiply(y, &centred);
                give(text, 0, to_x);
            }
            Rule::Normal => {
                let product = text.multiply(g, y);
                let sum = text.reduce("add", &product, &[1]);
                let mean = text.times(&sum, 1.0 / y.shape[1] as f64);
                let mean = text.broadcast(&mean, &[0], &y.shape);
                let along = text.multiply(y, &mean);
                let across = text.subtract(g, &along);
                let to_x = text.multiply(&across, operand(1));
                give(text, 0, to_x);
            }
            Rule::Gather(positions) => {
                let zero = text.like(0.0, operand(0));
                let column = text.reshape(positions, &[positions.shape[0], 1]);
                let to_x = text.scatter_add(&zero, &column, g);
                give(text, 0, to_x);
            }
            Rule::Stacked(kept) => {
                let weights = operand(1);
                let layers = weights.shape[0];
                let zero = text.like(0.0, weights);
                let begin = [g.clone(), zero, weights.clone(), kept.clone()];
                let made = text.count(layers, &begin, |text, counter, state| {
                    let [g, gradients, weights, kept] = state else { panic!("four values") };
                    let last = text.literal(&(layers - 1).to_string(), &[], "i32");
                    let layer = text.subtract(&last, counter);
                    let (x, weight) = (text.row_at(kept, &layer), text.row_at(weights, &layer));
                    let product = text.product(&x, &weight, (1, 0));
                    let y = text.unary("tanh", &product);
                    let inner = under_tanh(text, &y, g);
                    let (to_x, to_w) = (text.product(&inner, &weight, (1, 1)), text.product(&x, &inner, (0, 0)));
                    let gradients = text.with_row_at(gradients, &to_w, &layer);
                    vec![to_x, gradients, weights.clone(), kept.clone()]
                });
                give(text, 0, made[0].clone());
                give(text, 1, made[1].clone());
            }
            Rule::Dense => {
                let (x, w) = (operand(0), operand(1));
                let to_x = text.call("dense_input", &[w.clone(), y.clone(), g.clone()], x);
                let to_w = text.call("dense_weight", &[x.clone(), y.clone(), g.clone()], w);
                give(text, 0, to_x);
                give(text, 1, to_w);
            }
            Rule::Branch(test) => {
                let to_x = text.branch(test, |text| vec![under_tanh(text, y, g)], |_| vec![g.clone()]).remove(0);
                give(text, 0, to_x);
            }
        }
    }
}

/// Cotangents of values, by name.
#[derive(Default)]
pub struct Cotangents(BTreeMap<String, Value>);

impl Cotangents {
    fn add(&mut self, text: &mut Text, value: &Value, cotangent: Value) {
        assert_eq!(value.shape, cotangent.shape, "a cotangent is shaped like its value");
        let sum = match self.0.get(&value.name) {
            Some(known) => text.add(&known.clone(), &cotangent),
            None => cotangent,
        };
        self.0.insert(value.name.clone(), sum);
    }

    /// The cotangent of a value; zeros if the loss does not depend on it.
    pub fn of(&self, text: &mut Text, value: &Value) -> Value {
        self.0.get(&value.name).cloned().unwrap_or_else(|| text.like(0.0, value))
    }
}
