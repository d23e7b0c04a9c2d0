//! [`FlowPolicy`]: what must hold, read from TOML or from flags. Parsed once, valid from then on.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::graph::{PairingOverride, PytreePath};
use crate::verdict::{Assumption, Bounds, Route, Within};

use super::date::Date;
use super::error::{Origin, PolicyError};
use super::nearest::nearest_name;
use super::raw::{
    RawCarried, RawEnvironment, RawGraph, RawInvariant, RawLink, RawPolicy, RawRequirement, RawVersion, RawWaiver,
    Strings,
};
use super::selector::{Selector, Side};
use super::waiver::{Waiver, WaiverOutcome, apply_waivers};

mod bounds;
mod flags;

use bounds::NamedInput;
pub use bounds::{parse_assumption, parse_max_channel};

/// The version of the TOML layout.
pub const POLICY_VERSION: i64 = 1;

/// A flow that is denied, or bounded. An invariant that looks both at one step and at a whole run is two of these, of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Its name; unique in the policy but for the other [`Within`].
    pub name: String,
    /// Where labels enter: scopes and inputs, any of them.
    pub from: Vec<Selector>,
    /// What they must not reach: outputs, any of them.
    pub to: Vec<Selector>,
    /// How far it looks.
    pub within: Within,
    /// What it may take for granted.
    pub assume: Vec<Assumption>,
    /// What it lets through; nothing if there is no bound.
    pub bounds: Bounds,
    /// The routes that make it fail: `step` and `carried`, and `environment` if the policy asks.
    pub routes: Vec<Route>,
}

/// A flow that must exist: a positive control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its name; unique in the policy.
    pub name: String,
    /// Where labels enter.
    pub from: Vec<Selector>,
    /// What they must reach, at least one of them.
    pub to: Vec<Selector>,
    /// How far it looks; `run` if the policy does not say.
    pub within: Within,
}

/// An edge through the world outside: an output of the step has a part in making an input of a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentEdge {
    /// What the policy calls it.
    pub name: Option<String>,
    /// What the policy says of it.
    pub note: Option<String>,
    /// Outputs.
    pub output: Vec<Selector>,
    /// Inputs.
    pub input: Vec<Selector>,
    pub(super) origin: Origin,
}

/// A graph of a system of several jitted functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphFile {
    /// Its name in the policy.
    pub name: String,
    /// Its file, relative to that of the policy.
    pub file: String,
}

/// An output subtree of one graph that is an input subtree of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The outputs.
    pub from: Selector,
    /// The inputs.
    pub to: Selector,
    /// `step`: the other graph takes the value in the same step; `run`: in the next one.
    pub within: Within,
    pub(super) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Carried {
    graph: Option<String>,
    output: PytreePath,
    /// [`None`]: terminal.
    input: Option<PytreePath>,
}

/// What must hold of a training step, and what is known about the world around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowPolicy {
    invariants: Vec<Invariant>,
    requires: Vec<Requirement>,
    environment: Vec<EnvironmentEdge>,
    graphs: Vec<GraphFile>,
    links: Vec<Link>,
    carried: Vec<Carried>,
    waivers: Vec<Waiver>,
    data: Vec<Selector>,
    /// Inputs that assumptions and `data` name.
    inputs: Vec<NamedInput>,
}

impl FlowPolicy {
    /// Reads a policy from TOML.
    pub fn parse(text: &str) -> Result<FlowPolicy, PolicyError> {
        check_version(text)?;
        let raw: RawPolicy = toml::from_str(text).map_err(|error| syntax_error(text, &error))?;
        Reader { text, groups: BTreeMap::new(), graphs: Vec::new() }.read(raw)
    }

    /// What is denied, in the order of the file; `step` before `run` where one entry asks for both.
    pub fn invariants(&self) -> &[Invariant] {
        &self.invariants
    }

    /// What is required.
    pub fn requires(&self) -> &[Requirement] {
        &self.requires
    }

    /// The edges through the world outside.
    pub fn environment(&self) -> &[EnvironmentEdge] {
        &self.environment
    }

    /// The graphs of the system; empty if the policy speaks of whatever graph it is given.
    pub fn graphs(&self) -> &[GraphFile] {
        &self.graphs
    }

    /// The links between graphs.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The waivers.
    pub fn waivers(&self) -> &[Waiver] {
        &self.waivers
    }

    /// What the policy says of the carried values of a graph. A policy without `[[graph]]` says it of any.
    pub fn carried(&self, graph: &str) -> PairingOverride {
        let mut carried = PairingOverride::default();
        let of_graph = |entry: &&Carried| entry.graph.as_deref().is_none_or(|name| name == graph);
        for entry in self.carried.iter().filter(of_graph) {
            match &entry.input {
                Some(input) => carried.pairs.push((entry.output.clone(), input.clone())),
                None => carried.terminal.push(entry.output.clone()),
            }
        }
        carried
    }

    /// What the waivers say on a day, given the names of the invariants that are violated.
    pub fn apply_waivers(&self, today: Date, violated: &[&str]) -> WaiverOutcome {
        apply_waivers(&self.waivers, today, violated)
    }
}

/// What every invariant denies; an environment route is denied only if the policy asks.
const DENIED: [Route; 2] = [Route::Step, Route::Carried];
const SOURCES: &[Side] = &[Side::Scope, Side::Input];
const SINKS: &[Side] = &[Side::Output];

fn check_side(selector: &Selector, what: &str, sides: &[Side]) -> Result<(), String> {
    if sides.contains(&selector.side()) {
        return Ok(());
    }
    let allowed: Vec<String> = sides.iter().map(|side| format!("`{}:`", side.as_str())).collect();
    Err(format!("found `{selector}`, expected {} for {what}", allowed.join(" or ")))
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn syntax_error(text: &str, error: &toml::de::Error) -> PolicyError {
    Origin::new(text, error.span().unwrap_or(0..0)).error(error.message().trim().replace('\n', "; "))
}

fn check_version(text: &str) -> Result<(), PolicyError> {
    let raw: RawVersion = toml::from_str(text).map_err(|error| syntax_error(text, &error))?;
    let Some(version) = raw.version else {
        let error = Origin::new(text, 0..0).error("the policy has no version");
        return Err(error.with_help(format!("its first line is `version = {POLICY_VERSION}`")));
    };
    match version.get_ref() {
        toml::Value::Integer(POLICY_VERSION) => Ok(()),
        _ => {
            let found = &text[version.span()];
            let message =
                format!("found version {found}, expected {POLICY_VERSION}, the only one that this openloop reads");
            Err(Origin::new(text, version.span()).error(message))
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    groups: BTreeMap<String, Vec<Selector>>,
    graphs: Vec<GraphFile>,
}

type Read<T> = Result<T, PolicyError>;

impl Reader<'_> {
    fn origin<T>(&self, spanned: &Spanned<T>) -> Origin {
        Origin::new(self.text, spanned.span())
    }

    fn error<T>(&self, spanned: &Spanned<T>, message: impl Into<String>) -> PolicyError {
        self.origin(spanned).error(message)
    }

    fn read(mut self, raw: RawPolicy) -> Read<FlowPolicy> {
        for graph in &raw.graph {
            let graph = self.graph(graph)?;
            self.graphs.push(graph);
        }
        for (name, items) in &raw.groups {
            let selectors = self.group(name, items)?;
            self.groups.insert(name.get_ref().clone(), selectors);
        }
        let mut policy = FlowPolicy::default();
        self.data(raw.data.as_ref(), &mut policy)?;
        for invariant in &raw.invariant {
            let name = self.unique_name(invariant, &invariant.get_ref().name, "invariant", |name| {
                policy.invariants.iter().any(|other| other.name == name)
            })?;
            let entries = self.invariant(invariant, name, &mut policy)?;
            policy.invariants.extend(entries);
        }
        for require in &raw.require {
            let name = self.unique_name(require, &require.get_ref().name, "require", |name| {
                policy.requires.iter().any(|other| other.name == name)
            })?;
            policy.requires.push(self.requirement(require, name)?);
        }
        if policy.invariants.is_empty() && policy.requires.is_empty() {
            let error = Origin::new(self.text, 0..0).error("the policy denies nothing: it has no [[invariant]]");
            return Err(error.with_help(
                "fill in what the probe is (a scope such as `scope:probe_reward`) and uncomment the invariant",
            ));
        }
        for edge in &raw.environment {
            policy.environment.push(self.environment(edge)?);
        }
        for link in &raw.link {
            policy.links.push(self.link(link)?);
        }
        for (output, input) in &raw.carried {
            policy.carried.push(self.carried(output, input)?);
        }
        for raw_waiver in &raw.waiver {
            let waiver = self.waiver(raw_waiver, &policy.invariants)?;
            if policy.waivers.iter().any(|other| other.invariant == waiver.invariant) {
                return Err(self.error(raw_waiver, format!("there are two waivers of `{}`", waiver.invariant)));
            }
            policy.waivers.push(waiver);
        }
        policy.graphs = self.graphs;
        Ok(policy)
    }

    fn graph(&self, raw: &Spanned<RawGraph>) -> Read<GraphFile> {
        let name = self.required(raw, &raw.get_ref().name, "graph", "name")?;
        let file = self.required(raw, &raw.get_ref().file, "graph", "file")?;
        let (text, path) = (name.get_ref(), file.get_ref());
        if text.contains(':') || Side::from_name(text).is_some() {
            return Err(self.error(name, format!("`{text}` cannot name a graph: it would read as part of a selector")));
        }
        if self.graphs.iter().any(|other| other.name == *text) {
            return Err(self.error(name, format!("there are two graphs named `{text}`")));
        }
        Ok(GraphFile { name: text.clone(), file: path.clone() })
    }

    fn group(&self, name: &Spanned<String>, items: &Strings) -> Read<Vec<Selector>> {
        let text = name.get_ref();
        if text.trim().is_empty() || text.contains(':') {
            return Err(self.error(name, format!("`{text}` cannot name a group: it is empty or reads as a selector")));
        }
        if items.items.is_empty() {
            return Err(self.error(name, format!("the group `{text}` is empty")));
        }
        items.items.iter().map(|item| self.selector(item)).collect()
    }

    fn selector(&self, item: &Spanned<String>) -> Read<Selector> {
        let selector = Selector::parse(item.get_ref()).map_err(|error| self.error(item, error.to_string()))?;
        if let Some(graph) = selector.graph()
            && !self.graphs.iter().any(|other| other.name == graph)
        {
            let error =
                self.error(item, format!("`{selector}` names the graph `{graph}`, but no [[graph]] has this name"));
            let names = self.graphs.iter().map(|graph| &*graph.name);
            return Err(suggest(error, nearest_name(graph, names)));
        }
        Ok(selector)
    }

    /// The selectors of a list of group names and selectors.
    fn selectors<T>(
        &self,
        table: &Spanned<T>,
        items: Option<&Strings>,
        key: &str,
        what: &str,
        sides: &[Side],
    ) -> Read<Vec<Selector>> {
        let Some(items) = items else {
            return Err(self.error(table, format!("this {what} has no `{key}`")));
        };
        if items.items.is_empty() {
            return Err(Origin::new(self.text, items.span.clone()).error(format!("`{key}` is empty")));
        }
        let mut selectors: Vec<Selector> = Vec::new();
        for item in &items.items {
            let text = item.get_ref();
            let named = match self.groups.get(text) {
                Some(group) => group.clone(),
                None if text.contains(':') => vec![self.selector(item)?],
                None => {
                    let error = self.error(item, format!("`{text}` is neither a group nor a selector"));
                    return Err(suggest(error, nearest_name(text, self.groups.keys().map(String::as_str))));
                }
            };
            for selector in named {
                let role = format!("`{key}` of {} {what}", article(what));
                check_side(&selector, &role, sides).map_err(|message| self.error(item, message))?;
                if !selectors.contains(&selector) {
                    selectors.push(selector);
                }
            }
        }
        Ok(selectors)
    }

    fn required<'t, T>(
        &self,
        table: &Spanned<T>,
        value: &'t Option<Spanned<String>>,
        what: &str,
        key: &str,
    ) -> Read<&'t Spanned<String>> {
        match value {
            None => Err(self.error(table, format!("this {what} has no `{key}`"))),
            Some(value) if value.get_ref().trim().is_empty() => Err(self.error(value, format!("`{key}` is empty"))),
            Some(value) => Ok(value),
        }
    }

    fn unique_name<T>(
        &self,
        table: &Spanned<T>,
        name: &Option<Spanned<String>>,
        what: &str,
        taken: impl Fn(&str) -> bool,
    ) -> Read<String> {
        let name = self.required(table, name, what, "name")?;
        if taken(name.get_ref()) {
            return Err(self.error(name, format!("two entries of [[{what}]] have the name `{}`", name.get_ref())));
        }
        Ok(name.get_ref().clone())
    }

    fn within(&self, item: &Spanned<String>) -> Read<Within> {
        match item.get_ref().as_str() {
            "step" => Ok(Within::Step),
            "run" => Ok(Within::Run),
            other => Err(self.error(item, format!("found within `{other}`, expected `step` or `run`"))),
        }
    }

    fn invariant(&self, raw: &Spanned<RawInvariant>, name: String, policy: &mut FlowPolicy) -> Read<Vec<Invariant>> {
        let RawInvariant { from, to, within, assume, routes, .. } = raw.get_ref();
        let from = self.selectors(raw, from.as_ref(), "from", "invariant", SOURCES)?;
        let to = self.selectors(raw, to.as_ref(), "to", "invariant", SINKS)?;
        let mut withins = match within {
            None => vec![Within::Step, Within::Run],
            Some(within) if within.items.is_empty() => {
                return Err(Origin::new(self.text, within.span.clone()).error("`within` is empty"));
            }
            Some(within) => within.items.iter().map(|item| self.within(item)).collect::<Read<Vec<_>>>()?,
        };
        withins.sort_unstable();
        withins.dedup();
        let mut assumptions = Vec::new();
        for (assumption, origin) in self.assumptions(assume.as_ref())? {
            policy.name_assumed(&assumption, Some(origin));
            assumptions.push(assumption);
        }
        let bounds = self.bounds(raw.get_ref())?;
        let environment = self.fails_on_environment(routes.as_ref(), &withins)?;
        let entry = |within| {
            let mut routes = DENIED.to_vec();
            if environment && within == Within::Run {
                routes.push(Route::Environment);
            }
            let (name, from, to, assume) = (name.clone(), from.clone(), to.clone(), assumptions.clone());
            Invariant { name, from, to, within, assume, bounds, routes }
        };
        Ok(withins.into_iter().map(entry).collect())
    }

    /// Step and carried routes are always denied, so `routes` can only add.
    fn fails_on_environment(&self, routes: Option<&Strings>, withins: &[Within]) -> Read<bool> {
        let Some(routes) = routes else { return Ok(false) };
        let named = |name: &str| routes.items.iter().find(|item| item.get_ref() == name);
        let known = ["step", "carried", "environment"];
        if let Some(unknown) = routes.items.iter().find(|item| !known.contains(&item.get_ref().as_str())) {
            let message = format!("found the route `{}`, expected `environment`", unknown.get_ref());
            return Err(self.error(unknown, message));
        }
        let whole = Origin::new(self.text, routes.span.clone());
        if named("step").is_some() != named("carried").is_some() {
            return Err(whole
                .error("step and carried routes are always denied, so one of them alone cannot be asked for")
                .with_help("`routes = [\"environment\"]` adds to them; `within = \"step\"` looks at one step only"));
        }
        if named("environment").is_some() && withins == [Within::Step] {
            return Err(whole.error("an environment route takes more than one step, but `within` is `step`"));
        }
        Ok(named("environment").is_some())
    }

    fn requirement(&self, raw: &Spanned<RawRequirement>, name: String) -> Read<Requirement> {
        let RawRequirement { from, to, within, name: _ } = raw.get_ref();
        let from = self.selectors(raw, from.as_ref(), "from", "require", SOURCES)?;
        let to = self.selectors(raw, to.as_ref(), "to", "require", SINKS)?;
        let within = within.as_ref().map_or(Ok(Within::Run), |within| self.within(within))?;
        Ok(Requirement { name, from, to, within })
    }

    fn environment(&self, raw: &Spanned<RawEnvironment>) -> Read<EnvironmentEdge> {
        let RawEnvironment { name, note, output, input } = raw.get_ref();
        Ok(EnvironmentEdge {
            name: name.clone(),
            note: note.clone(),
            output: self.selectors(raw, output.as_ref(), "output", "environment", &[Side::Output])?,
            input: self.selectors(raw, input.as_ref(), "input", "environment", &[Side::Input])?,
            origin: self.origin(raw),
        })
    }

    fn link(&self, raw: &Spanned<RawLink>) -> Read<Link> {
        let end = |value, key, side: Side| {
            let item = self.required(raw, value, "link", key)?;
            let selector = self.selector(item)?;
            let wanted = format!("`{key}` of a link");
            check_side(&selector, &wanted, &[side]).map_err(|message| self.error(item, message))?;
            if selector.graph().is_none() {
                let example = format!("`GRAPH:{selector}`");
                return Err(self.error(item, format!("found `{selector}`, expected a graph before it: {example}")));
            }
            if selector.fixed_prefix().is_none() {
                let message =
                    format!("found `{selector}`, expected a path without wildcards, or with `.**` at its end");
                return Err(self.error(item, message));
            }
            Ok(selector)
        };
        let from = end(&raw.get_ref().from, "from", Side::Output)?;
        let to = end(&raw.get_ref().to, "to", Side::Input)?;
        if from.graph() == to.graph() {
            let error = self.error(raw, "a link goes from one graph to another");
            return Err(error.with_help("what a graph carries to its own next step belongs in [carried]"));
        }
        let within = raw.get_ref().within.as_ref().map_or(Ok(Within::Step), |within| self.within(within))?;
        Ok(Link { from, to, within, origin: self.origin(raw) })
    }

    fn carried(&self, output: &Spanned<String>, input: &Spanned<RawCarried>) -> Read<Carried> {
        let split = |item: &str| match item.split_once(':') {
            Some((name, path)) if self.graphs.iter().any(|graph| graph.name == name) => {
                (Some(name.to_string()), PytreePath::parse(path))
            }
            _ => (None, PytreePath::parse(item)),
        };
        let (graph, output_path) = split(output.get_ref());
        if output_path.segments().is_empty() {
            return Err(self.error(output, "a carried output needs a path, for example `result.0`"));
        }
        if graph.is_none() && self.graphs.len() > 1 {
            let message = format!("`{}` does not say of which graph it is an output", output.get_ref());
            let help = format!("write `{}:{}`", self.graphs[0].name, output.get_ref());
            return Err(self.error(output, message).with_help(help));
        }
        let input_path = match input.get_ref() {
            RawCarried::Terminal => None,
            RawCarried::Input(text) => {
                let (input_graph, path) = split(text);
                if path.segments().is_empty() {
                    return Err(self.error(input, "a carried input needs a path, for example `params`"));
                }
                if input_graph.is_some() && input_graph != graph {
                    let error = self.error(input, "a carried value stays in its graph");
                    return Err(error.with_help("an output that another graph takes in belongs in a [[link]]"));
                }
                Some(path)
            }
        };
        for (spanned, path) in [(self.origin(output), Some(&output_path)), (self.origin(input), input_path.as_ref())] {
            if path.is_some_and(|path| path.segments().iter().any(|segment| segment.contains('*'))) {
                return Err(spanned.error("carried values are named by whole subtrees, without wildcards"));
            }
        }
        Ok(Carried { graph, output: output_path, input: input_path })
    }

    fn waiver(&self, raw: &Spanned<RawWaiver>, invariants: &[Invariant]) -> Read<Waiver> {
        let RawWaiver { invariant, reason, expires, owner } = raw.get_ref();
        let invariant = self.required(raw, invariant, "waiver", "invariant")?;
        if !invariants.iter().any(|known| known.name == *invariant.get_ref()) {
            let error = self.error(invariant, format!("no invariant has the name `{}`", invariant.get_ref()));
            let names = invariants.iter().map(|known| &*known.name);
            return Err(suggest(error, nearest_name(invariant.get_ref(), names)));
        }
        let reason = self.required(raw, reason, "waiver", "reason")?;
        let Some(expires) = expires else {
            let error = self.error(raw, "this waiver has no `expires`");
            return Err(error.with_help("every waiver ends: `expires = \"2027-01-31\"`"));
        };
        let written = match expires.get_ref() {
            toml::Value::String(text) => text.clone(),
            _ => self.text[expires.span()].to_string(),
        };
        let date: Date =
            written.parse().map_err(|error: super::date::NoSuchDate| self.error(expires, error.to_string()))?;
        let (invariant, reason) = (invariant.get_ref().clone(), reason.get_ref().trim().to_string());
        Ok(Waiver { invariant, reason, expires: date, owner: owner.clone() })
    }
}

fn suggest(error: PolicyError, name: Option<&str>) -> PolicyError {
    match name {
        Some(name) => error.with_help(format!("did you mean `{name}`?")),
        None => error,
    }
}

#[cfg(test)]
mod tests;
