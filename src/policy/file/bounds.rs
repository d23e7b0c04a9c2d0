//! What a policy lets through, takes for granted and calls data.

use toml::Spanned;

use crate::graph::{PytreePath, TrainingGraph};
use crate::policy::nearest::nearest;
use crate::policy::raw::{RawInvariant, Strings};
use crate::policy::selector::{Selector, Side};
use crate::verdict::{Assumption, Bounds, Channel};

use super::{FlowPolicy, Origin, PolicyError, Read, Reader};

/// An input that a policy speaks of, and where it does. One that is not there is a slip of the pen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedInput {
    input: Input,
    /// [`None`]: it comes from flags.
    origin: Option<Origin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Binary(PytreePath),
    Data(Selector),
}

impl FlowPolicy {
    /// The inputs that hold data, replay or plans. To pick from them is the channel `selection`.
    pub fn data(&self) -> &[Selector] {
        &self.data
    }

    pub(super) fn add_data(&mut self, selector: Selector, origin: Option<Origin>) {
        if !self.data.contains(&selector) {
            self.inputs.push(NamedInput { input: Input::Data(selector.clone()), origin });
            self.data.push(selector);
        }
    }

    /// Remembers the input that an assumption names.
    pub(super) fn name_assumed(&mut self, assumption: &Assumption, origin: Option<Origin>) {
        if let Assumption::Binary(path) = assumption {
            self.inputs.push(NamedInput { input: Input::Binary(path.clone()), origin });
        }
    }

    /// Whether the inputs that assumptions and `data` name are there, each in some graph.
    pub(in crate::policy) fn inputs_are_there(&self, graphs: &[(&str, &TrainingGraph)]) -> Result<(), PolicyError> {
        for NamedInput { input, origin } in &self.inputs {
            let (found, selector, what) = match input {
                Input::Binary(path) => {
                    let is_there = |graph: &TrainingGraph| graph.inputs().any(|(input, _)| input == path);
                    let found = graphs.iter().any(|(_, graph)| is_there(graph));
                    (found, Selector::parse(&format!("input:{path}")).ok(), format!("no input is `{path}`"))
                }
                Input::Data(selector) => {
                    let mut of_name = graphs.iter().filter(|(name, _)| selector.applies_to(name));
                    let found = of_name.any(|(_, graph)| !selector.resolve(graph).is_empty());
                    (found, Some(selector.clone()), format!("`{selector}` matches nothing"))
                }
            };
            if !found {
                let error = match origin {
                    Some(origin) => origin.error(what),
                    None => PolicyError::nowhere(what),
                };
                return Err(with_nearest(error, selector.as_ref(), graphs));
            }
        }
        Ok(())
    }
}

fn with_nearest(error: PolicyError, selector: Option<&Selector>, graphs: &[(&str, &TrainingGraph)]) -> PolicyError {
    let near = selector.and_then(|selector| {
        let (_, graph) = graphs.iter().find(|(name, _)| selector.applies_to(name))?;
        Some(nearest(selector, graph).selectors)
    });
    match near {
        Some(near) if !near.is_empty() => error.with_help(format!("nearest: `{}`", near.join("`, `"))),
        _ => error,
    }
}

pub(super) const DATA: &[Side] = &[Side::Input];

/// Reads the worst channel that is let through, as `max_channel` and `--max-channel` say it. `none` is a denial.
pub fn parse_max_channel(text: &str) -> Result<Channel, String> {
    max_channel(text).map_err(|refused| match refused.help {
        Some(help) => format!("{}: {help}", refused.message),
        None => refused.message,
    })
}

/// Reads what may be assumed, as `assume` and `--assume` say it: `finite`, or `binary:PATH`.
pub fn parse_assumption(text: &str) -> Result<Assumption, String> {
    if text == "finite" {
        return Ok(Assumption::Finite);
    }
    let Some(path) = text.strip_prefix("binary:") else {
        return Err(format!("found the assumption `{text}`, expected `finite` or `binary:PATH`"));
    };
    let path = PytreePath::parse(path.trim());
    if path.segments().is_empty() || path.segments().iter().any(|segment| segment.contains('*')) {
        return Err(format!("found `{text}`, expected the path of one input, for example `binary:batch.mask`"));
    }
    Ok(Assumption::Binary(path))
}

fn max_channel(text: &str) -> Result<Channel, PolicyError> {
    let channel = Channel::ALL.into_iter().find(|channel| channel.as_str() == text);
    match channel {
        Some(Channel::Content) => Err(PolicyError::nowhere("`content` would let everything through")
            .with_help("remove the invariant, or bound it in bits with `max_bits_per_step`")),
        Some(channel) => Ok(channel),
        None => Err(PolicyError::nowhere(format!(
            "found the channel `{text}`, expected `timing`, `scale`, `selection`, or `none` for a denial"
        ))),
    }
}

/// Bounds that say something: `none` is the denial that every invariant is without a bound.
pub(super) fn checked(bounds: Bounds) -> Result<Bounds, PolicyError> {
    match bounds.max_channel {
        Some(Channel::Content) => max_channel(Channel::Content.as_str()).map(|_| bounds),
        Some(Channel::None) if bounds.max_bits_per_step.is_some() => {
            let message = "`max_channel` is `none`, which denies every flow, and `max_bits_per_step` lets one through";
            Err(PolicyError::nowhere(message).with_help("keep one of the two"))
        }
        Some(Channel::None) => Ok(Bounds::default()),
        Some(_) | None => Ok(bounds),
    }
}

impl Reader<'_> {
    pub(super) fn bounds(&self, raw: &RawInvariant) -> Read<Bounds> {
        let mut bounds = Bounds::default();
        if let Some(value) = &raw.max_channel {
            let toml::Value::String(text) = value.get_ref() else {
                return Err(self.unexpected(value, "a channel: \"timing\", \"scale\" or \"selection\""));
            };
            bounds.max_channel = Some(max_channel(text).map_err(|refused| refused.at(&self.origin(value)))?);
        }
        if let Some(value) = &raw.max_bits_per_step {
            let bits = value.get_ref().as_integer().and_then(|bits| u64::try_from(bits).ok());
            let bits = bits.ok_or_else(|| self.unexpected(value, "a number of bits: an integer, 0 or more"))?;
            bounds.max_bits_per_step = Some(bits);
        }
        let place = raw.max_bits_per_step.as_ref().or(raw.max_channel.as_ref()).map(|value| self.origin(value));
        checked(bounds).map_err(|refused| refused.at(&place.unwrap_or_default()))
    }

    fn unexpected(&self, value: &Spanned<toml::Value>, expected: &str) -> PolicyError {
        self.error(value, format!("found {}, expected {expected}", &self.text[value.span()]))
    }

    /// What may be assumed, each thing once.
    pub(super) fn assumptions(&self, assume: Option<&Strings>) -> Read<Vec<(Assumption, Origin)>> {
        let mut assumptions: Vec<(Assumption, Origin)> = Vec::new();
        for item in assume.iter().flat_map(|assume| &assume.items) {
            let assumption = parse_assumption(item.get_ref()).map_err(|message| self.error(item, message))?;
            if assumptions.iter().all(|(other, _)| *other != assumption) {
                assumptions.push((assumption, self.origin(item)));
            }
        }
        Ok(assumptions)
    }

    pub(super) fn data(&self, items: Option<&Strings>, policy: &mut FlowPolicy) -> Read<()> {
        let Some(items) = items else { return Ok(()) };
        if items.items.is_empty() {
            return Err(Origin::new(self.text, items.span.clone()).error("`data` is empty"));
        }
        let table = Spanned::new(items.span.clone(), ());
        for item in &items.items {
            let one = Strings { span: item.span(), items: vec![item.clone()] };
            for selector in self.selectors(&table, Some(&one), "data", "policy", DATA)? {
                policy.add_data(selector, Some(self.origin(item)));
            }
        }
        Ok(())
    }
}
