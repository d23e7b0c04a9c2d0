//! Which operations are opaque, and which have side effects.

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::custom_calls::{Target, target};
use super::*;
use crate::graph::{Attribute, AttributesId, Dictionary};

/// Whether an operation is opaque, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opacity {
    /// Its rule is known.
    Known,
    /// The operation is not in the table.
    UnknownOperation,
    /// A custom call whose target is not in the table of pure ones.
    UnknownTarget,
    /// A custom call that declares a side effect.
    SideEffect,
    /// A call or a composite without a body.
    NoBody,
    /// It refers to a function, a symbol, in a way that its rule does not know.
    Symbol,
    /// As [`Opacity::Symbol`], and what it refers to has side effects or is not there.
    SymbolWithEffects,
    /// It reads from or writes to the world outside.
    World,
    /// Its random state is hidden. Its operands are known to reach its result.
    HiddenState,
    /// It runs beside the step.
    Asynchronous,
}

impl Opacity {
    /// Whether all operands are believed to reach all results, and nothing more is known.
    pub fn is_opaque(self) -> bool {
        !matches!(self, Opacity::Known | Opacity::HiddenState)
    }

    /// Whether it has a side effect of its own.
    pub fn has_effects(self) -> bool {
        match self {
            Opacity::Known | Opacity::UnknownTarget | Opacity::Symbol | Opacity::Asynchronous => false,
            Opacity::UnknownOperation
            | Opacity::SideEffect
            | Opacity::NoBody
            | Opacity::SymbolWithEffects
            | Opacity::World
            | Opacity::HiddenState => true,
        }
    }

    /// Why, for a person.
    pub fn why(self) -> &'static str {
        match self {
            Opacity::Known => "its rule is known",
            Opacity::UnknownOperation => "this operation is not known, so it may do anything",
            Opacity::UnknownTarget => "a custom call whose code is not seen: any operand may reach any result",
            Opacity::SideEffect => "a custom call with a side effect: it may keep what it sees and return it later",
            Opacity::NoBody => "the function that it calls has no body here",
            Opacity::Symbol => "it refers to a function in a way that is not known",
            Opacity::SymbolWithEffects => "it refers to a function that is missing or has side effects",
            Opacity::World => "it talks to the world outside of the step",
            Opacity::HiddenState => "its random state is hidden from the step",
            Opacity::Asynchronous => "it runs beside the step",
        }
    }
}

/// What the attributes of an operation say, found once for each dictionary.
#[derive(Clone, Copy, Default)]
struct AttributeFacts {
    looked_at: bool,
    has_symbols: bool,
}

pub(super) fn classify(graph: &TrainingGraph) -> Transfer<'_> {
    let mut facts: FxHashMap<AttributesId, AttributeFacts> = FxHashMap::default();
    let mut by_name: Option<FxHashMap<&str, FunctionId>> = None;
    let mut opacity = Vec::with_capacity(graph.operations().len());
    let mut references = Vec::new();
    for (id, operation) in graph.operations().iter_enumerated() {
        let facts = facts.entry(operation.attributes).or_default();
        if !facts.looked_at {
            let symbols = graph.dictionary(operation.attributes).iter().any(|(name, value)| names_code(name, value));
            *facts = AttributeFacts { looked_at: true, has_symbols: symbols };
        }
        let mut found = by_kind(graph, id, operation.kind);
        // A call is the body that it calls: nothing else that it names has a part in it.
        let is_call = matches!(operation.kind, OperationKind::Call | OperationKind::Composite);
        if is_call && operation.callee.is_some() {
            opacity.push(found);
            continue;
        }
        if facts.has_symbols {
            let by_name = by_name.get_or_insert_with(|| names_of_functions(graph));
            let (functions, all_found, understood) =
                look_up(graph.dictionary(operation.attributes), operation.kind, by_name);
            if !all_found {
                found = Opacity::SymbolWithEffects;
            } else if !understood && !found.has_effects() {
                found = Opacity::Symbol;
            }
            if !functions.is_empty() {
                references.push((id, functions));
            }
        }
        if let Some(callee) = operation.callee {
            found = Opacity::SymbolWithEffects;
            references.push((id, vec![callee]));
        }
        opacity.push(found);
    }
    let mut transfer = Transfer { graph, opacity, effects: FixedBitSet::new(), references };
    transfer.effects = effects(&mut transfer);
    transfer
}

fn by_kind(graph: &TrainingGraph, id: OperationId, kind: OperationKind) -> Opacity {
    match rule_of(kind) {
        Rule::Call if graph.operation(id).callee.is_none() => Opacity::NoBody,
        Rule::CustomCall => {
            let name = graph.attribute(id, "call_target_name").and_then(Attribute::as_text).unwrap_or_default();
            let effect = graph.attribute(id, "has_side_effect");
            // What is neither true nor false is not understood.
            let effect = effect.is_some_and(|effect| effect.as_boolean() != Some(false));
            match (target(name), effect) {
                (Target::Marker, _) | (Target::Pure, false) => Opacity::Known,
                (_, true) => Opacity::SideEffect,
                (Target::Unknown, false) => Opacity::UnknownTarget,
            }
        }
        Rule::StatefulRandom => Opacity::HiddenState,
        Rule::Opaque => match kind {
            OperationKind::AsyncDone | OperationKind::AsyncStart => Opacity::Asynchronous,
            OperationKind::Unknown => Opacity::UnknownOperation,
            _ => Opacity::World,
        },
        _ => Opacity::Known,
    }
}

/// Whether an attribute refers to something by symbol. Shardy's attributes name meshes.
fn names_code(name: &str, value: &Attribute) -> bool {
    !is_about_placement(name) && !value.symbols().is_empty()
}

fn is_about_placement(name: &str) -> bool {
    name.starts_with("sdy.")
        || matches!(name, "sharding" | "in_shardings" | "out_shardings" | "mhlo.sharding" | "mesh" | "mesh_name")
}

fn names_of_functions(graph: &TrainingGraph) -> FxHashMap<&str, FunctionId> {
    let mut names = FxHashMap::with_capacity_and_hasher(graph.functions().len(), FxBuildHasher);
    names.extend(graph.functions().iter_enumerated().map(|(id, function)| (&*function.name, id)));
    names
}

/// The functions that a dictionary refers to, whether all are there, and whether the
/// operation's rule knows of the reference.
fn look_up(
    dictionary: &Dictionary,
    kind: OperationKind,
    by_name: &FxHashMap<&str, FunctionId>,
) -> (Vec<FunctionId>, bool, bool) {
    let (mut functions, mut all_found, mut understood) = (Vec::new(), true, true);
    for (name, value) in dictionary.iter().filter(|(name, value)| names_code(name, value)) {
        understood &= kind == OperationKind::CustomCall && &**name == "called_computations";
        for symbol in value.symbols() {
            match by_name.get(symbol) {
                Some(function) => functions.push(*function),
                None => all_found = false,
            }
        }
    }
    (functions, all_found, understood)
}

/// Operations with side effects, own or inside. Functions refer to one another by calls, which are ordered, and
/// by symbols, which are not: so this repeats until nothing changes.
fn effects(transfer: &mut Transfer<'_>) -> FixedBitSet {
    let graph = transfer.graph;
    let mut function_has_effects = vec![false; graph.functions().len()];
    loop {
        let mut changed = false;
        for &function in graph.callees_first() {
            let found = graph.operations_within(graph.function(function).body).iter().any(|id| {
                transfer.opacity[id.index()].has_effects()
                    || transfer.callee(id).is_some_and(|callee| function_has_effects[callee.index()])
            });
            changed |= found && !function_has_effects[function.index()];
            function_has_effects[function.index()] |= found;
        }
        for (id, functions) in &transfer.references {
            let opacity = &mut transfer.opacity[id.index()];
            if !opacity.has_effects() && functions.iter().any(|function| function_has_effects[function.index()]) {
                *opacity = Opacity::SymbolWithEffects;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut bits = FixedBitSet::with_capacity(graph.operations().len());
    // Backwards: what stands inside an operation comes after it.
    let mut next_effect = vec![u32::MAX; graph.operations().len() + 1];
    for position in (0..graph.operations().len()).rev() {
        let id = OperationId::new(position);
        let own = transfer.opacity[position].has_effects()
            || transfer.callee(id).is_some_and(|callee| function_has_effects[callee.index()]);
        let inside_end = graph.operations_inside(id).positions().end as u32;
        bits.set(position, own || next_effect[position + 1] < inside_end);
        next_effect[position] = if own { position as u32 } else { next_effect[position + 1] };
    }
    bits
}
