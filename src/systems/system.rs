//! What a reference system is, and its reading as a [`TrainingSystem`].

use std::fmt;
use std::marker::PhantomData;

use proptest::collection::vec;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::arrays::{Arrays, Numbers};
use super::machine::Machine;
use super::trace::RESULT;
use crate::exec::kernels::Field;
use crate::exec::{Array, FloatScalar, Tensor as Value, encode_float};
use crate::graph::{FloatKind, PytreePath};
use crate::interference::{BitsOf, Part, Probe, StepResult, TrainingSystem};
use crate::policy::Selector;

/// What the numbers of a slot are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// From -1 to 1.
    Signed,
    /// From 0 to 1.
    Share,
    /// From 1/2 to 2: sizes and scales.
    Size,
    /// 0 or 1.
    Flag,
}

/// A tensor that goes into a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its path, with dots.
    pub path: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// What its numbers are drawn from.
    pub draw: Draw,
}

impl Slot {
    /// A slot.
    pub fn new(path: impl Into<String>, shape: &[usize], draw: Draw) -> Self {
        Slot { path: path.into(), shape: shape.to_vec(), draw }
    }
}

/// What is asked of a system: where the probe's reward begins, and what it must not reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Selectors of the source.
    pub from: Vec<String>,
    /// Selectors of the sinks: beliefs.
    pub to: Vec<String>,
    /// Selectors of what the reward is meant to train. One of them must be reached.
    pub trains: Vec<String>,
    /// Selectors of inputs that hold data, replay or plans.
    pub data: Vec<String>,
    /// Outputs that have a part, through the world, in making inputs.
    pub environment: Vec<(String, String)>,
    /// Assumptions, as a policy writes them.
    pub assume: Vec<String>,
}

impl Question {
    /// From the scope `probe` to the world model; trained is everything below these names.
    pub fn about_the_world_model(trains: &[&str]) -> Self {
        Question {
            from: vec!["scope:probe".into()],
            to: vec!["output:**.world_model.**".into()],
            trains: trains.iter().map(|name| format!("output:{RESULT}.{name}.**")).collect(),
            data: vec!["input:batch.**".into()],
            ..Question::default()
        }
    }

    /// The policy that asks this.
    pub fn policy(&self) -> String {
        let quoted = |text: &String| serde_json::to_string(text).expect("a string is always JSON");
        let list = |texts: &[String]| texts.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let mut policy = String::from("version = 1\n");
        if !self.data.is_empty() {
            policy.push_str(&format!("data = [{}]\n", list(&self.data)));
        }
        policy.push_str(&format!(
            "\n[[invariant]]\nname = \"beliefs never see the probe reward\"\nfrom = [{}]\nto = [{}]\nwithin = [\"step\", \"run\"]\n",
            list(&self.from),
            list(&self.to)
        ));
        if !self.assume.is_empty() {
            policy.push_str(&format!("assume = [{}]\n", list(&self.assume)));
        }
        if !self.trains.is_empty() {
            policy.push_str(&format!(
                "\n[[require]]\nname = \"the probe reward trains something\"\nfrom = [{}]\nto = [{}]\nwithin = \"run\"\n",
                list(&self.from),
                list(&self.trains)
            ));
        }
        for (output, input) in &self.environment {
            policy.push_str(&format!(
                "\n[[environment]]\noutput = [{}]\ninput = [{}]\n",
                quoted(output),
                quoted(input)
            ));
        }
        policy
    }

    /// Whether a path of the state is a belief.
    fn is_belief(&self, path: &str) -> bool {
        let path = PytreePath::parse(&format!("{RESULT}.{path}"));
        let selectors = self.to.iter().filter_map(|text| Selector::parse(text).ok());
        selectors.into_iter().any(|selector| selector.matches_path(&path))
    }
}

/// A training system with one definition and two readings.
///
/// [`OnArrays`] runs its step, as a [`TrainingSystem`]; [`super::written_down`] gives the graph of the same step.
pub trait System {
    /// What it is called.
    fn name(&self) -> String;

    /// What is carried from step to step.
    fn state(&self) -> Vec<Slot>;

    /// What a step takes from outside: data, and randomness drawn before.
    fn inputs(&self) -> Vec<Slot>;

    /// One step: from a tensor for each slot of the state and of the inputs to one for each slot of the state.
    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor>;

    /// What the world answers to a state, where it listens: the inputs that the step then takes.
    fn environment<M: Machine>(&self, _machine: &M, _state: &[M::Tensor], inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        inputs
    }

    /// What is asked of it.
    fn question(&self) -> Question;
}

impl<T: System> System for &T {
    fn name(&self) -> String {
        T::name(self)
    }

    fn state(&self) -> Vec<Slot> {
        T::state(self)
    }

    fn inputs(&self) -> Vec<Slot> {
        T::inputs(self)
    }

    fn step<M: Machine>(&self, machine: &M, state: Vec<M::Tensor>, inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        T::step(self, machine, state, inputs)
    }

    fn environment<M: Machine>(&self, machine: &M, state: &[M::Tensor], inputs: Vec<M::Tensor>) -> Vec<M::Tensor> {
        T::environment(self, machine, state, inputs)
    }

    fn question(&self) -> Question {
        T::question(self)
    }
}

/// A system that runs on arrays of this scalar.
#[derive(Clone, Debug)]
pub struct OnArrays<T, S = f32> {
    system: T,
    state: Vec<Slot>,
    inputs: Vec<Slot>,
    is_belief: Vec<bool>,
    of: PhantomData<S>,
}

/// A tensor for each slot.
#[derive(Clone)]
pub struct Tensors<S>(pub Vec<Numbers<S>>);

impl<S: FloatScalar> fmt::Debug for Tensors<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Numbers::as_slice)).finish()
    }
}

impl<S: FloatScalar> Tensors<S> {
    /// As values of a graph.
    pub fn values(&self) -> Vec<Value<S>> {
        self.0.iter().map(|numbers| Value::Float(S::WIDEST, Array::clone(numbers.array()))).collect()
    }
}

impl<T: System, S: FloatScalar> OnArrays<T, S> {
    /// Makes a system ready to run.
    pub fn new(system: T) -> Self {
        let (state, inputs, question) = (system.state(), system.inputs(), system.question());
        let is_belief = state.iter().map(|slot| question.is_belief(&slot.path)).collect();
        OnArrays { system, state, inputs, is_belief, of: PhantomData }
    }

    /// The system.
    pub fn system(&self) -> &T {
        &self.system
    }

    /// Runs so many steps from a state that is drawn from a seed, undisturbed: state, inputs and state after each.
    pub fn trajectory(&self, seed: u64, steps: usize) -> Vec<(Tensors<S>, Tensors<S>, Tensors<S>)>
    where
        S: 'static,
    {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let mut draw = |slots: &[Slot]| {
            let drawn = tensors::<S>(slots).new_tree(&mut runner).expect("nothing is rejected");
            drawn.current()
        };
        let mut state = draw(&self.state);
        let mut trajectory = Vec::with_capacity(steps);
        for _ in 0..steps {
            let inputs = draw(&self.inputs);
            let mut probe = Probe::undisturbed();
            let machine = Arrays::new(&mut probe);
            let after = Tensors(self.system.step(&machine, state.0.clone(), inputs.0.clone()));
            trajectory.push((std::mem::replace(&mut state, after.clone()), inputs, after));
        }
        trajectory
    }

    fn parts(&self, state: &Tensors<S>, are_beliefs: bool) -> Vec<Part> {
        let slots = self.state.iter().zip(&self.is_belief).zip(&state.0);
        let wanted = slots.filter(|((_, is_belief), _)| **is_belief == are_beliefs);
        let bits_of = if S::WIDEST == FloatKind::F64 { BitsOf::F64 } else { BitsOf::F32 };
        let part = |slot: &Slot, tensor: &Numbers<S>| {
            let bits = tensor.as_slice().iter().map(|number| encode_float(S::WIDEST, number.value()));
            Part { bits_of, ..Part::new(slot.path.clone(), bits) }
        };
        wanted.map(|((slot, _), tensor)| part(slot, tensor)).collect()
    }
}

/// Numbers in thousandths, which become simpler when a case is shrunk.
fn numbers<S: FloatScalar + 'static>(slot: &Slot) -> BoxedStrategy<Numbers<S>> {
    let (range, unit) = match slot.draw {
        Draw::Signed => (-1000..=1000, 1000.0),
        Draw::Share => (0..=1000, 1000.0),
        Draw::Size => (500..=2000, 1000.0),
        Draw::Flag => (0..=1, 1.0),
    };
    let shape = slot.shape.clone();
    let count: usize = shape.iter().product();
    let drawn = vec(range.prop_map(move |number: i32| <S as Field>::from_f64(f64::from(number) / unit)), count);
    drawn.prop_map(move |numbers| Numbers::new(&shape, numbers).expect("as many numbers as the shape has")).boxed()
}

fn tensors<S: FloatScalar + 'static>(slots: &[Slot]) -> BoxedStrategy<Tensors<S>> {
    let each: Vec<BoxedStrategy<Numbers<S>>> = slots.iter().map(numbers).collect();
    each.prop_map(Tensors).boxed()
}

impl<T: System, S: FloatScalar + 'static> TrainingSystem for OnArrays<T, S> {
    type State = Tensors<S>;
    type Inputs = Tensors<S>;

    fn states(&self) -> BoxedStrategy<Tensors<S>> {
        tensors(&self.state)
    }

    fn inputs(&self) -> BoxedStrategy<Tensors<S>> {
        tensors(&self.inputs)
    }

    fn step(&self, state: Tensors<S>, inputs: &Tensors<S>, probe: &mut Probe<'_>) -> StepResult<Tensors<S>> {
        Ok(Tensors(self.system.step(&Arrays::new(probe), state.0, inputs.0.clone())))
    }

    fn beliefs(&self, state: &Tensors<S>) -> Vec<Part> {
        self.parts(state, true)
    }

    fn desires(&self, state: &Tensors<S>) -> Vec<Part> {
        self.parts(state, false)
    }

    fn environment(&self, state: &Tensors<S>, inputs: Tensors<S>) -> Tensors<S> {
        // The world has no probe.
        let mut probe = Probe::undisturbed();
        Tensors(self.system.environment(&Arrays::new(&mut probe), &state.0, inputs.0))
    }
}

/// Names the tensors of a state or of inputs: a struct that is generic over the tensor, with the slots of its fields.
macro_rules! named_tensors {
    (
        $(#[$about:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$about_field:meta])* $field:ident: $path:literal [$($extent:expr),*] $draw:ident,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        $visibility struct $name<T> {
            $($(#[$about_field])* pub $field: T,)*
        }

        impl<T> $name<T> {
            /// The slots of the fields, in their order, below a prefix.
            $visibility fn slots(prefix: &str) -> Vec<$crate::systems::Slot> {
                vec![$($crate::systems::Slot::new(
                    format!("{prefix}{}", $path),
                    &[$($extent),*],
                    $crate::systems::Draw::$draw,
                )),*]
            }

            /// From one tensor for each field.
            #[allow(dead_code, reason = "not every struct of tensors is read")]
            fn take(tensors: &mut impl Iterator<Item = T>) -> Self {
                $name { $($field: tensors.next().expect("one tensor for each slot"),)* }
            }

            /// One tensor for each field.
            #[allow(dead_code, reason = "not every struct of tensors is written")]
            fn into_tensors(self) -> Vec<T> {
                vec![$(self.$field),*]
            }
        }
    };
}
pub(super) use named_tensors;
