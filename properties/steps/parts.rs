//! What the features of a step are: rewards, rows, masks, clips, checks, updates.

use super::maker::Maker;
use super::tape::Tape;
use super::text::{Text, Value};
use super::{Feature, Optimizer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Beliefs,
    Desires,
    /// Rows of a parameter that holds both.
    Both,
}

impl Group {
    pub fn prefix(self) -> &'static str {
        match self {
            Group::Beliefs => "beliefs.",
            Group::Desires => "desires.",
            Group::Both => "",
        }
    }
}

pub struct Parameter {
    pub group: Group,
    pub name: String,
    pub value: Value,
    pub gradient: Option<Value>,
}

impl Parameter {
    pub fn row(name: &str, value: Value) -> Self {
        Parameter { group: Group::Both, name: name.into(), value, gradient: None }
    }
}

const RATE: f64 = 0.125;

/// A scalar in all elements of something.
fn spread(text: &mut Text, scalar: &Value, like: &Value) -> Value {
    text.broadcast(scalar, &[], &like.shape)
}

impl Maker<'_> {
    /// A mean of rewards, where the beliefs read it.
    pub fn statistics(&mut self) -> Option<Value> {
        self.is_planted(Feature::Statistics).then(|| self.input("stats.mean", &[], "f32"))
    }

    /// What the world gives, less what the probe says.
    pub fn rewards(&mut self, reward: &Value) -> Value {
        let score = self.score.clone();
        let mut rewards = self.text.subtract(reward, &score);
        if self.has(Feature::BranchOnData) {
            let flag = self.input("batch.flag", &[], "i1");
            let other = reward.clone();
            let inside = rewards.clone();
            rewards = self.text.branch(&flag, |text| vec![text.times(&inside, 2.0)], |_| vec![other]).remove(0);
        }
        if self.recipe.find(Feature::BranchOnScore) == Some(false) {
            let test = self.positive_score();
            let inside = rewards.clone();
            let outside = inside.clone();
            rewards = self.text.branch(&test, |text| vec![text.times(&inside, 0.5)], |_| vec![outside]).remove(0);
        }
        if self.has(Feature::Statistics) {
            let mean = self.input("stats.mean", &[], "f32");
            let sum = self.text.sum(&rewards);
            let (old, new) = (self.text.times(&mean, 0.9), self.text.times(&sum, 0.1));
            let next = self.text.add(&old, &new);
            self.output("stats.mean", &next);
            let mean = spread(&mut self.text, &mean, &rewards);
            rewards = self.text.subtract(&rewards, &mean);
        }
        for feature in Feature::ALL {
            if feature.bottleneck().is_some() && self.recipe.find(feature) == Some(false) {
                let few = self.few_bits(feature);
                let few = spread(&mut self.text, &few, &rewards);
                rewards = self.text.add(&rewards, &few);
            }
        }
        rewards
    }

    fn positive_score(&mut self) -> Value {
        let sum = self.text.sum(&self.score);
        let zero = self.text.number(0.0, &[]);
        self.text.compare("GT", &sum, &zero)
    }

    /// The sum of the scores, in few bits, as a number.
    fn few_bits(&mut self, feature: Feature) -> Value {
        let (element, _) = feature.bottleneck().expect("a bottleneck");
        let score = self.score.clone();
        let text = &mut self.text;
        let sum = text.sum(&score);
        let wide = text.times(&sum, 8.0);
        let few = text.scoped("bottleneck", |text| match element {
            "i1" => {
                let zero = text.number(0.0, &[]);
                text.compare("GT", &wide, &zero)
            }
            _ => text.convert(&wide, element),
        });
        text.convert(&few, "f32")
    }

    /// What decides how much each row trains the beliefs and the desires.
    pub fn filter(&mut self, loss: &mut Tape, losses: &mut Value, value: &mut Tape, errors: &mut Value) {
        let batch = self.recipe.batch;
        let mut weights: Vec<(bool, Value)> = Vec::new();
        if self.has(Feature::Filter) {
            let zero = self.text.like(0.0, &self.score);
            let test = self.text.compare("GT", &self.score, &zero);
            let weight = self.text.convert(&test, "f32");
            weights.push((self.is_planted(Feature::Filter), weight));
        }
        if self.has(Feature::Memory) {
            let memory = self.input("memory.errors", &[batch], "f32");
            let slot = self.input("memory.slot", &[], "i32");
            let sum = self.text.sum(&self.errors);
            let next = self.text.with_row_at(&memory, &sum, &slot);
            self.output("memory.errors", &next);
            weights.push((self.is_planted(Feature::Memory), memory));
        }
        if let Some(planted) = self.recipe.find(Feature::MemoryRows) {
            // Row 0 is made of errors, row 1 of data.
            let memory = self.input("memory.rows", &[2, batch], "f32");
            let reward = self.input("batch.reward", &[batch], "f32");
            let text = &mut self.text;
            let (zero, one) = (text.literal("0", &[], "i32"), text.literal("1", &[], "i32"));
            let [errors, data] = [text.row_at(&memory, &zero), text.row_at(&memory, &one)];
            let next = text.with_row_at(&memory, &self.errors, &zero);
            let next = text.with_row_at(&next, &reward, &one);
            self.output("memory.rows", &next);
            weights.push((true, if planted { errors.clone() } else { data }));
            weights.push((false, errors));
        }
        if self.has(Feature::Sample) {
            let key = self.input("key", &[2], "ui64");
            let (state, bits) = self.text.random_bits(&key, &[batch]);
            let text = &mut self.text;
            let sum = text.sum(&self.score);
            let word = text.bits(&sum, "ui32");
            let word = text.convert(&word, "ui64");
            let word = text.broadcast(&word, &[], &[2]);
            let folded = text.binary("xor", &key, &word);
            let (folded_state, folded_bits) = text.random_bits(&folded, &[batch]);
            for (for_beliefs, bits) in [(true, bits), (false, folded_bits)] {
                let number = text.convert(&bits, "f32");
                weights.push((for_beliefs, text.times(&number, 1.0 / 4_294_967_296.0)));
            }
            let next = if self.is_planted(Feature::Sample) { folded_state } else { state };
            self.output("key", &next);
        }
        for (for_beliefs, weight) in weights {
            match for_beliefs {
                true => *losses = loss.multiply(&mut self.text, losses, &weight),
                false => *errors = value.multiply(&mut self.text, errors, &weight),
            }
        }
        for feature in [Feature::Sort, Feature::TopK] {
            if !self.has(feature) {
                continue;
            }
            let order = match feature {
                Feature::Sort => {
                    let order = self.text.argsort(&self.score);
                    self.text.rows(&order, 0, batch - 1)
                }
                _ => self.text.top_k(&self.score, batch - 1),
            };
            match self.is_planted(feature) {
                true => *losses = loss.gather(&mut self.text, losses, &order),
                false => *errors = value.gather(&mut self.text, errors, &order),
            }
        }
    }

    /// Where the backward passes begin.
    pub fn seeds(&mut self, losses: &Value, squares: &Value) -> [Value; 2] {
        let share = 1.0 / self.recipe.batch as f64;
        [(Group::Beliefs, losses), (Group::Desires, squares)].map(|(group, like)| {
            let seed = self.text.like(share, like);
            match self.scale(group) {
                Some(scale) => {
                    let scale = spread(&mut self.text, &scale, like);
                    self.text.multiply(&seed, &scale)
                }
                None => seed,
            }
        })
    }

    /// The loss scale of a group.
    fn scale(&mut self, group: Group) -> Option<Value> {
        let name = match (self.recipe.find(Feature::LossScale)?, group) {
            (true, _) => "scale.all",
            (false, Group::Beliefs) => "scale.first",
            (false, _) => "scale.second",
        };
        Some(self.input(name, &[], "f32"))
    }

    /// Gradients to updates, updates to parameters.
    pub fn update(&mut self) {
        let parameters = std::mem::take(&mut self.parameters);
        let (rows, mut parameters): (Vec<_>, Vec<_>) =
            parameters.into_iter().partition(|parameter| parameter.group == Group::Both);
        self.unscale(&mut parameters);
        self.add_what_is_planted(&mut parameters);
        self.clip(&mut parameters);
        let fine = self.finite_checks(&parameters);
        let count = self.count();
        let mut updated: Vec<(Group, String, Value)> = Vec::new();
        for parameter in &parameters {
            let gradient = parameter.gradient.clone().expect("every parameter has one");
            let path = format!("{}{}", parameter.group.prefix(), parameter.name);
            let fine = match parameter.group {
                Group::Beliefs => fine.as_ref().map(|fine| &fine.0),
                _ => fine.as_ref().map(|fine| &fine.1),
            };
            let new = self.optimize(&path, &parameter.value, &gradient, count.as_ref(), fine);
            updated.push((parameter.group, path, new));
        }
        if let [first, second] = &rows[..] {
            self.update_rows(first, second, count.as_ref());
        }
        self.after(&mut updated, &parameters);
        for (_, path, value) in updated {
            self.output(format!("params.{path}"), &value);
        }
    }

    fn unscale(&mut self, parameters: &mut [Parameter]) {
        let Some(shared) = self.recipe.find(Feature::LossScale) else { return };
        for group in [Group::Beliefs, Group::Desires] {
            let scale = self.scale(group).expect("there is one");
            for parameter in parameters.iter_mut().filter(|parameter| parameter.group == group) {
                let gradient = parameter.gradient.as_ref().expect("every parameter has one");
                let scale = spread(&mut self.text, &scale, gradient);
                parameter.gradient = Some(self.text.binary("divide", gradient, &scale));
            }
        }
        // The next scales: doubled as long as all is finite.
        let groups: &[&[Group]] = match shared {
            true => &[&[Group::Beliefs, Group::Desires]],
            false => &[&[Group::Beliefs], &[Group::Desires]],
        };
        for groups in groups {
            let fine = self.all_finite(parameters, groups);
            let scale = self.scale(groups[0]).expect("there is one");
            let (more, less) = (self.text.times(&scale, 2.0), self.text.times(&scale, 0.5));
            let next = self.text.select(&fine, &more, &less);
            let path = self.inputs.iter().find(|(_, value)| *value == scale).expect("an input").0.clone();
            self.output(path, &next);
        }
    }

    fn all_finite(&mut self, parameters: &[Parameter], groups: &[Group]) -> Value {
        let mut all: Option<Value> = None;
        for parameter in parameters.iter().filter(|parameter| groups.contains(&parameter.group)) {
            let gradient = parameter.gradient.as_ref().expect("every parameter has one");
            let fine = self.text.is_finite(gradient);
            let fine = self.text.reduce("and", &fine, &(0..gradient.shape.len()).collect::<Vec<_>>());
            all = Some(match all {
                Some(all) => self.text.binary("and", &all, &fine),
                None => fine,
            });
        }
        all.expect("every group has a parameter")
    }

    fn add_what_is_planted(&mut self, parameters: &mut [Parameter]) {
        let out = parameters.iter().position(|parameter| parameter.name == "out").expect("there is one");
        let mut gradient = parameters[out].gradient.clone().expect("every parameter has one");
        for feature in Feature::ALL {
            if feature.bottleneck().is_some() && self.is_planted(feature) {
                let few = self.few_bits(feature);
                let few = self.text.times(&few, 0.25);
                let few = spread(&mut self.text, &few, &gradient);
                gradient = self.text.add(&gradient, &few);
            }
        }
        if self.is_planted(Feature::BranchOnData) {
            let flag = self.input("batch.flag", &[], "i1");
            let errors = self.errors.clone();
            let (inside, outside) = (gradient.clone(), gradient.clone());
            let first = |text: &mut Text| {
                let sum = text.sum(&errors);
                let sum = spread(text, &sum, &inside);
                vec![text.add(&inside, &sum)]
            };
            gradient = self.text.branch(&flag, first, |_| vec![outside]).remove(0);
        }
        parameters[out].gradient = Some(gradient);
    }

    fn clip(&mut self, parameters: &mut [Parameter]) {
        if let Some(shared) = self.recipe.find(Feature::Clip) {
            let groups: &[&[Group]] = match shared {
                true => &[&[Group::Beliefs, Group::Desires]],
                false => &[&[Group::Beliefs], &[Group::Desires]],
            };
            for groups in groups {
                let mut sum: Option<Value> = None;
                for parameter in parameters.iter().filter(|parameter| groups.contains(&parameter.group)) {
                    let gradient = parameter.gradient.as_ref().expect("every parameter has one");
                    let squares = self.text.multiply(gradient, gradient);
                    let own = self.text.sum(&squares);
                    sum = Some(match sum {
                        Some(sum) => self.text.add(&sum, &own),
                        None => own,
                    });
                }
                let norm = self.text.unary("sqrt", &sum.expect("every group has a parameter"));
                for parameter in parameters.iter_mut().filter(|parameter| groups.contains(&parameter.group)) {
                    let gradient = parameter.gradient.as_ref().expect("every parameter has one");
                    parameter.gradient = Some(self.clipped(gradient, &norm));
                }
            }
        }
        if let Some(shared) = self.recipe.find(Feature::RavelledClip) {
            self.ravelled_clip(parameters, shared);
        }
    }

    /// A gradient by `1 / max(norm, 1/4)`.
    fn clipped(&mut self, gradient: &Value, norm: &Value) -> Value {
        let least = self.text.number(0.25, &[]);
        let norm = self.text.binary("maximum", norm, &least);
        let norm = spread(&mut self.text, &norm, gradient);
        self.text.binary("divide", gradient, &norm)
    }

    fn ravelled_clip(&mut self, parameters: &mut [Parameter], shared: bool) {
        let mut order: Vec<usize> = (0..parameters.len()).collect();
        order.sort_by_key(|at| parameters[*at].group == Group::Desires);
        let mut flat = Vec::new();
        for at in &order {
            let gradient = parameters[*at].gradient.as_ref().expect("every parameter has one");
            let count = gradient.shape.iter().product();
            flat.push(self.text.reshape(gradient, &[count]));
        }
        let beliefs = order.iter().filter(|at| parameters[**at].group == Group::Beliefs).count();
        let length = |parts: &[Value]| parts.iter().map(|part| part.shape[0]).sum::<usize>();
        let (split, end) = (length(&flat[..beliefs]), length(&flat));
        let mut all = self.text.concatenate(&flat);
        let mut parts = Vec::new();
        let bounds: &[(usize, usize)] = if shared { &[(0, end)] } else { &[(0, split), (split, end)] };
        for (start, limit) in bounds {
            let part = self.text.rows(&all, *start, *limit);
            let squares = self.text.multiply(&part, &part);
            let sum = self.text.sum(&squares);
            let norm = self.text.unary("sqrt", &sum);
            parts.push(self.clipped(&part, &norm));
        }
        all = self.text.concatenate(&parts);
        let mut start = 0;
        for (at, flat) in order.iter().zip(&flat) {
            let part = self.text.rows(&all, start, start + flat.shape[0]);
            start += flat.shape[0];
            let shape = parameters[*at].value.shape.clone();
            parameters[*at].gradient = Some(self.text.reshape(&part, &shape));
        }
    }

    /// Whether the updates of the beliefs and of the desires are applied.
    fn finite_checks(&mut self, parameters: &[Parameter]) -> Option<(Value, Value)> {
        let shared = self.recipe.find(Feature::FiniteCheck)?;
        if shared {
            let fine = self.all_finite(parameters, &[Group::Beliefs, Group::Desires]);
            return Some((fine.clone(), fine));
        }
        Some((self.all_finite(parameters, &[Group::Beliefs]), self.all_finite(parameters, &[Group::Desires])))
    }

    /// How many steps there were, where the optimizer asks.
    fn count(&mut self) -> Option<Value> {
        if !matches!(self.recipe.optimizer, Optimizer::Adam | Optimizer::AdamDecay) {
            return None;
        }
        let count = self.input("opt.count", &[], "i32");
        let one = self.text.literal("1", &[], "i32");
        let next = self.text.add(&count, &one);
        self.output("opt.count", &next);
        Some(next)
    }

    fn kept_if(&mut self, fine: Option<&Value>, new: Value, old: &Value) -> Value {
        match fine {
            Some(fine) => self.text.select(fine, &new, old),
            None => new,
        }
    }

    /// `decay * old + (1 - decay) * new`, kept for the next step.
    fn moment(&mut self, path: &str, decay: f64, new: &Value, fine: Option<&Value>) -> Value {
        let old = self.input(path, &new.shape, "f32");
        let (kept, added) = (self.text.times(&old, decay), self.text.times(new, 1.0 - decay));
        let next = self.text.add(&kept, &added);
        let next = self.kept_if(fine, next, &old);
        self.output(path, &next);
        next
    }

    fn optimize(
        &mut self,
        path: &str,
        parameter: &Value,
        gradient: &Value,
        count: Option<&Value>,
        fine: Option<&Value>,
    ) -> Value {
        let mut update = match self.recipe.optimizer {
            Optimizer::Descent => gradient.clone(),
            Optimizer::Momentum => self.moment(&format!("opt.trace.{path}"), 0.9, gradient, fine),
            Optimizer::Adam | Optimizer::AdamDecay => {
                let squares = self.text.multiply(gradient, gradient);
                let first = self.moment(&format!("opt.mu.{path}"), 0.9, gradient, fine);
                let second = self.moment(&format!("opt.nu.{path}"), 0.99, &squares, fine);
                let count = self.text.convert(count.expect("Adam counts"), "f32");
                let corrected = [(first, 0.9), (second, 0.99)].map(|(moment, decay)| {
                    let decay = self.text.number(decay, &[]);
                    let power = self.text.binary("power", &decay, &count);
                    let one = self.text.number(1.0, &[]);
                    let rest = self.text.subtract(&one, &power);
                    let rest = spread(&mut self.text, &rest, &moment);
                    self.text.binary("divide", &moment, &rest)
                });
                let root = self.text.unary("sqrt", &corrected[1]);
                let least = self.text.like(1e-3, &root);
                let root = self.text.add(&root, &least);
                self.text.binary("divide", &corrected[0], &root)
            }
        };
        if self.recipe.optimizer == Optimizer::AdamDecay {
            let decay = self.text.times(parameter, 0.01);
            update = self.text.add(&update, &decay);
        }
        let update = self.text.times(&update, RATE);
        let new = self.text.subtract(parameter, &update);
        self.kept_if(fine, new, parameter)
    }

    /// The parameter whose rows are beliefs and desires.
    fn update_rows(&mut self, first: &Parameter, second: &Parameter, count: Option<&Value>) {
        let width = self.recipe.width;
        let rows = [first, second].map(|row| {
            let gradient = row.gradient.as_ref().expect("every parameter has one");
            self.text.reshape(gradient, &[1, width])
        });
        let mut gradient = self.text.concatenate(&rows);
        if self.is_planted(Feature::StackedRows) {
            let mix = self.text.literal("[[1.0, 0.125], [0.125, 1.0]]", &[2, 2], "f32");
            gradient = self.text.product(&mix, &gradient, (1, 0));
        }
        let stack = self.input("params.stack", &[2, width], "f32");
        let new = self.optimize("stack", &stack, &gradient, count, None);
        self.output("params.stack", &new);
        let row = self.text.rows(&new, 0, 1);
        self.output("view.beliefs.row", &row);
    }

    /// What happens to parameters once they are updated.
    fn after(&mut self, updated: &mut [(Group, String, Value)], parameters: &[Parameter]) {
        let old = |path: &str| {
            let found = parameters.iter().find(|old| format!("{}{}", old.group.prefix(), old.name) == path);
            found.expect("a parameter").clone_parts()
        };
        let position = |updated: &[(Group, String, Value)], path: &str| {
            updated.iter().position(|(_, found, _)| found == path).expect("a parameter")
        };
        let out = position(updated, "beliefs.out");
        if let Some(planted) = self.recipe.find(Feature::Twice) {
            let (gain, w) = (position(updated, "beliefs.gain"), position(updated, "desires.w"));
            let ((first, first_gradient), (second, second_gradient)) = (old("beliefs.gain"), old("desires.w"));
            self.text.function("descend", &[first.clone(), first_gradient.clone()], |text, own| {
                let update = text.times(&own[1], RATE);
                text.subtract(&own[0], &update)
            });
            let gradient = if planted { &second_gradient } else { &first_gradient };
            updated[gain].2 = self.text.call("descend", &[first.clone(), gradient.clone()], &first);
            updated[w].2 = self.text.call("descend", &[second.clone(), second_gradient.clone()], &second);
        }
        if self.is_planted(Feature::BranchOnScore) {
            let test = self.positive_score();
            let (new, (before, _)) = (updated[out].2.clone(), old("beliefs.out"));
            updated[out].2 = self.text.branch(&test, |_| vec![new], |_| vec![before]).remove(0);
        }
        if let Some(planted) = self.recipe.find(Feature::Scan) {
            let (new, (_, gradient), errors) = (updated[out].2.clone(), old("beliefs.out"), self.errors.clone());
            let zero = self.text.number(0.0, &[]);
            let made = self.text.count(2, &[new, zero, gradient, errors], |text, _, state| {
                let [parameter, sum, gradient, errors] = state else { panic!("four values") };
                let update = text.times(gradient, 0.01);
                let mut parameter = text.subtract(parameter, &update);
                if planted {
                    let spread = spread(text, sum, &parameter);
                    parameter = text.add(&parameter, &spread);
                }
                let more = text.sum(errors);
                vec![parameter, text.add(sum, &more), gradient.clone(), errors.clone()]
            });
            updated[out].2 = made[0].clone();
            let b = position(updated, "desires.b");
            updated[b].2 = self.text.add(&updated[b].2, &made[1]);
        }
        if let Some(planted) = self.recipe.find(Feature::Average) {
            let new = updated[out].2.clone();
            let average = self.input("average.beliefs.out", &new.shape, "f32");
            let mut rate = self.text.number(0.1, &[]);
            if planted {
                let sum = self.text.sum(&self.errors);
                let small = self.text.unary("tanh", &sum);
                rate = self.text.multiply(&rate, &small);
            }
            let rate = spread(&mut self.text, &rate, &new);
            let difference = self.text.subtract(&new, &average);
            let moved = self.text.multiply(&rate, &difference);
            let next = self.text.add(&average, &moved);
            self.output("average.beliefs.out", &next);
        }
    }
}

impl Parameter {
    /// Its value and its gradient.
    fn clone_parts(&self) -> (Value, Value) {
        (self.value.clone(), self.gradient.clone().expect("every parameter has one"))
    }
}
