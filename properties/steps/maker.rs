//! A step, from its recipe.

use super::parts::{Group, Parameter};
use super::tape::{Tape, define_dense};
use super::text::{Text, Value};
use super::{Embedding, Feature, Layer, Loss, Probe, Recipe};

/// How many words there are, how many labels, and how wide data is.
const WORDS: usize = 4;
const LABELS: usize = 3;
const DATA: usize = 2;

/// A step that is being written.
pub struct Maker<'r> {
    pub recipe: &'r Recipe,
    pub text: Text,
    pub inputs: Vec<(String, Value)>,
    pub outputs: Vec<(String, Value)>,
    pub parameters: Vec<Parameter>,
    /// What the probe says of each row.
    pub score: Value,
    /// How wrong each value was: made of scores.
    pub errors: Value,
}

pub fn step(recipe: &Recipe) -> String {
    let nothing = Value::new("", &[], "f32");
    let mut maker = Maker {
        recipe,
        text: Text::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        parameters: Vec::new(),
        score: nothing.clone(),
        errors: nothing,
    };
    maker.write();
    maker.text.finish(&maker.inputs, &maker.outputs)
}

impl Maker<'_> {
    pub fn input(&mut self, path: impl Into<String>, shape: &[usize], element: &'static str) -> Value {
        let path = path.into();
        if let Some((_, known)) = self.inputs.iter().find(|(known, _)| *known == path) {
            return known.clone();
        }
        let value = Value::new(format!("%arg{}", self.inputs.len()), shape, element);
        self.inputs.push((path, value.clone()));
        value
    }

    pub fn output(&mut self, path: impl Into<String>, value: &Value) {
        self.outputs.push((path.into(), value.clone()));
    }

    pub fn parameter(&mut self, group: Group, name: &str, shape: &[usize]) -> Value {
        let value = self.input(format!("params.{}{name}", group.prefix()), shape, "f32");
        self.parameters.push(Parameter { group, name: name.into(), value: value.clone(), gradient: None });
        value
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.recipe.find(feature).is_some()
    }

    pub fn is_planted(&self, feature: Feature) -> bool {
        self.recipe.find(feature) == Some(true)
    }

    pub fn gradient(&mut self, name: &str) -> &mut Option<Value> {
        let parameter = self.parameters.iter_mut().find(|parameter| parameter.name == name);
        &mut parameter.expect("a parameter").gradient
    }

    fn write(&mut self) {
        let (batch, width) = (self.recipe.batch, self.recipe.width);
        let (mut layers, mut loss, mut value, mut probe) =
            (Tape::default(), Tape::default(), Tape::default(), Tape::default());

        // Forward: thoughts, what they predict, what the probe says, what they are worth.
        let thoughts = self.thoughts(&mut layers);
        let mut losses = self.losses(&mut loss, &thoughts);
        let weight = self.input("probe.weight", &[width], "f32");
        let bias = self.input("probe.bias", &[], "f32");
        self.score = self.probe(&mut probe, &thoughts, &weight, &bias);
        let reward = self.input("batch.reward", &[batch], "f32");
        let rewards = self.rewards(&reward);
        let (w, b) = (self.parameter(Group::Desires, "w", &[width]), self.parameter(Group::Desires, "b", &[]));
        let text = &mut self.text;
        let product = value.product(text, &thoughts, &w);
        let bias = value.in_rows(text, &b, &[batch]);
        let mut values = value.add(text, &product, &bias);
        if let Some(stack) = self.stack() {
            let row = self.text.rows(&stack, 1, 2);
            let row = self.text.reshape(&row, &[width]);
            let more = value.product(&mut self.text, &thoughts, &row);
            values = value.add(&mut self.text, &values, &more);
            self.parameters.push(Parameter::row("desire_row", row));
        }
        let mut errors = value.subtract(&mut self.text, &rewards, &values);
        self.errors = errors.clone();
        self.filter(&mut loss, &mut losses, &mut value, &mut errors);
        let squares = value.multiply(&mut self.text, &errors, &errors);

        // Backward: of each loss to the thoughts, from there to the beliefs.
        let [belief_seed, desire_seed] = self.seeds(&losses, &squares);
        let of_value = value.pull(&mut self.text, &[(&squares, desire_seed)]);
        let of_loss = loss.pull(&mut self.text, &[(&losses, belief_seed)]);
        let (predicted, valued) = (of_loss.of(&mut self.text, &thoughts), of_value.of(&mut self.text, &thoughts));
        let mut seed = self.route(predicted, &valued, &thoughts);
        if self.is_planted(Feature::ValueGradient) {
            seed = self.text.add(&seed, &valued);
        }
        if self.is_planted(Feature::StopGradient) {
            // Rewards lose the score.
            let to_rewards = of_value.of(&mut self.text, &rewards);
            let to_score = self.text.unary("negate", &to_rewards);
            let score = self.score.clone();
            let of_probe = probe.pull(&mut self.text, &[(&score, to_score)]);
            let read = of_probe.of(&mut self.text, &thoughts);
            seed = self.text.add(&seed, &read);
        }
        let of_layers = layers.pull(&mut self.text, &[(&thoughts, seed)]);
        for at in 0..self.parameters.len() {
            let parameter = &self.parameters[at];
            if parameter.gradient.is_some() {
                continue;
            }
            let found = match (parameter.group, parameter.name.as_str()) {
                (Group::Desires, _) | (_, "desire_row") => &of_value,
                (_, "out") => &of_loss,
                _ => &of_layers,
            };
            let gradient = found.of(&mut self.text, &parameter.value);
            self.parameters[at].gradient = Some(gradient);
        }
        self.update();
        let text = &mut self.text;
        let sum = text.sum(&squares);
        self.output("metrics.td", &sum);
    }

    /// One parameter that holds a row of the beliefs and a row of the desires.
    fn stack(&mut self) -> Option<Value> {
        self.has(Feature::StackedRows).then(|| self.input("params.stack", &[2, self.recipe.width], "f32"))
    }

    /// What the model thinks of each row.
    fn thoughts(&mut self, tape: &mut Tape) -> Value {
        let (batch, width) = (self.recipe.batch, self.recipe.width);
        let shape = [batch, width];
        let mut x = match self.recipe.embedding {
            Embedding::Dense => {
                let mut data = self.input("batch.x", &[batch, DATA], "f32");
                if let Some(mean) = self.statistics() {
                    let mean = self.text.broadcast(&mean, &[], &[batch, DATA]);
                    data = self.text.subtract(&data, &mean);
                }
                let embed = self.parameter(Group::Beliefs, "embed", &[DATA, width]);
                tape.product(&mut self.text, &data, &embed)
            }
            Embedding::Gather => {
                let tokens = self.input("batch.tokens", &[batch], "i32");
                let embed = self.parameter(Group::Beliefs, "embed", &[WORDS, width]);
                let mut rows = tape.gather(&mut self.text, &embed, &tokens);
                if let Some(mean) = self.statistics() {
                    let mean = self.text.broadcast(&mean, &[], &shape);
                    rows = tape.subtract(&mut self.text, &rows, &mean);
                }
                rows
            }
        };
        if self.recipe.layers.contains(&Layer::Called) {
            let (like, weight) = (Value::new("", &shape, "f32"), Value::new("", &[width, width], "f32"));
            define_dense(&mut self.text, &like, &weight);
        }
        for (at, layer) in self.recipe.layers.iter().enumerate() {
            x = self.layer(tape, *layer, at, &x);
        }
        let mut biases = Vec::new();
        if self.has(Feature::Twice) {
            biases.push(self.parameter(Group::Beliefs, "gain", &[width]));
        }
        if let Some(stack) = self.stack() {
            let row = self.text.rows(&stack, 0, 1);
            let row = self.text.reshape(&row, &[width]);
            self.parameters.push(Parameter::row("belief_row", row.clone()));
            biases.push(row);
        }
        for bias in biases {
            let bias = tape.in_rows(&mut self.text, &bias, &shape);
            x = tape.add(&mut self.text, &x, &bias);
        }
        tape.tanh(&mut self.text, &x)
    }

    fn layer(&mut self, tape: &mut Tape, layer: Layer, at: usize, x: &Value) -> Value {
        let width = self.recipe.width;
        let name = format!("layer{at}");
        match layer {
            Layer::Dense => {
                let w = self.parameter(Group::Beliefs, &name, &[width, width]);
                let b = self.parameter(Group::Beliefs, &format!("{name}bias"), &[width]);
                let product = tape.product(&mut self.text, x, &w);
                let bias = tape.in_rows(&mut self.text, &b, &x.shape);
                let sum = tape.add(&mut self.text, &product, &bias);
                tape.tanh(&mut self.text, &sum)
            }
            Layer::Attention => {
                let w = self.parameter(Group::Beliefs, &name, &[width, width]);
                let queries = tape.product(&mut self.text, x, &w);
                let keys = tape.transpose(&mut self.text, x);
                let scores = tape.product(&mut self.text, &queries, &keys);
                let shares = tape.softmax(&mut self.text, &scores);
                let mixed = tape.product(&mut self.text, &shares, x);
                tape.add(&mut self.text, x, &mixed)
            }
            Layer::Normal => tape.normal(&mut self.text, x),
            Layer::Stacked => {
                let w = self.parameter(Group::Beliefs, &name, &[2, width, width]);
                tape.stacked(&mut self.text, x, &w)
            }
            Layer::Called => {
                let w = self.parameter(Group::Beliefs, &name, &[width, width]);
                tape.dense(&mut self.text, x, &w)
            }
            Layer::Branch => {
                let flag = self.input("batch.flag", &[], "i1");
                tape.branch(&mut self.text, &flag, x)
            }
        }
    }

    /// How wrong each row is predicted.
    fn losses(&mut self, tape: &mut Tape, thoughts: &Value) -> Value {
        let (batch, width) = (self.recipe.batch, self.recipe.width);
        match self.recipe.loss {
            Loss::Square => {
                let target = self.input("batch.target", &[batch], "f32");
                let out = self.parameter(Group::Beliefs, "out", &[width]);
                let predicted = tape.product(&mut self.text, thoughts, &out);
                let difference = tape.subtract(&mut self.text, &predicted, &target);
                tape.multiply(&mut self.text, &difference, &difference)
            }
            Loss::CrossEntropy => {
                let labels = self.input("batch.labels", &[batch], "i32");
                let out = self.parameter(Group::Beliefs, "out", &[width, LABELS]);
                let logits = tape.product(&mut self.text, thoughts, &out);
                let shares = tape.softmax(&mut self.text, &logits);
                let text = &mut self.text;
                let each = text.iota(LABELS);
                let each = text.broadcast(&each, &[1], &[batch, LABELS]);
                let labels = text.broadcast(&labels, &[0], &[batch, LABELS]);
                let is_right = text.compare("EQ", &labels, &each);
                let is_right = text.convert(&is_right, "f32");
                let right = tape.multiply(text, &shares, &is_right);
                let right = tape.sum_columns(text, &right);
                let log = tape.log(text, &right);
                tape.times(text, &log, -1.0)
            }
        }
    }

    /// What the probe says of thoughts: in its own scope, in each of three ways.
    fn probe(&mut self, tape: &mut Tape, thoughts: &Value, w: &Value, b: &Value) -> Value {
        let batch = self.recipe.batch;
        if self.is_planted(Feature::StopGradient) {
            tape.enter("probe_reward");
            let text = &mut self.text;
            let product = tape.product(text, thoughts, w);
            let bias = tape.in_rows(text, b, &[batch]);
            let sum = tape.add(text, &product, &bias);
            let score = tape.tanh(text, &sum);
            return tape.times(text, &score, 0.5);
        }
        let score = |text: &mut Text, thoughts: &Value, w: &Value, b: &Value| {
            let product = text.product(thoughts, w, (thoughts.shape.len() - 1, 0));
            let bias = text.broadcast(b, &[], &product.shape);
            let sum = text.add(&product, &bias);
            let score = text.unary("tanh", &sum);
            text.times(&score, 0.5)
        };
        let result = Value::new("", &[batch], "f32");
        let scope = if self.recipe.layers.len().is_multiple_of(2) { "jvp(probe_reward)" } else { "probe_reward" };
        self.text.scoped(scope, |text| match self.recipe.probe {
            Probe::Plain => score(text, thoughts, w, b),
            Probe::Called => {
                let arguments = [thoughts.clone(), w.clone(), b.clone()];
                text.function("score", &arguments, |text, own| score(text, &own[0], &own[1], &own[2]));
                let found = text.call("score", &arguments, &result);
                text.times(&found, 1.0)
            }
            Probe::Loop => {
                let zeros = text.like(0.0, &result);
                let made = text.count(batch, &[zeros], |text, row, state| {
                    let thought = text.row_at(thoughts, row);
                    let found = score(text, &thought, w, b);
                    vec![text.with_row_at(&state[0], &found, row)]
                });
                text.times(&made[0], 1.0)
            }
        })
    }
}
