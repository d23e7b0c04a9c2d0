//! Floor 2: what we say to people, as data.
//!
//! **Invariants.** Nothing here computes a verdict or knows how one is shown. A verdict is never a bool. What a person
//! reads and what a machine reads are made from the same [`RunReport`]; its layout is versioned
//! ([`REPORT_VERSION`]) and described by `fixtures/schema/report.schema.json`.

use serde::{Deserialize, Serialize};

use crate::graph::{Digest, PytreePath};

/// The version of the JSON report.
pub const REPORT_VERSION: u32 = 1;

/// The answer to an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Verdict {
    /// No information from the source reaches a sink in this graph, under the assumptions that are listed.
    Holds,
    /// There is a path that the analysis cannot exclude.
    Violated,
    /// A selector matched nothing, so there was nothing to check.
    Vacuous,
    /// An opaque operation, an open question or a limit stands between.
    Undetermined,
}

impl Verdict {
    /// As it is written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Violated => "violated",
            Verdict::Vacuous => "vacuous",
            Verdict::Undetermined => "undetermined",
        }
    }
}

/// How far an invariant looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// One training step.
    Step,
    /// Any number of steps: what is carried from step to step is followed until nothing changes.
    Run,
}

impl Within {
    /// As it is written in policies and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Within::Step => "step",
            Within::Run => "run",
        }
    }
}

/// How a flow gets from the source to the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Inside one step.
    Step,
    /// Through a value that is carried from step to step.
    Carried,
    /// Through a declared environment edge, such as policy to batch.
    Environment,
}

impl Route {
    /// As it is written in policies and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Route::Step => "step",
            Route::Carried => "carried",
            Route::Environment => "environment",
        }
    }
}

/// How much of the source gets through, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Nothing.
    #[default]
    None,
    /// Only whether or when an update is applied.
    Timing,
    /// Only one common factor.
    Scale,
    /// Only which data, plan or checkpoint is used.
    Selection,
    /// Anything else.
    Content,
}

impl Channel {
    /// All channels, least first.
    pub const ALL: [Channel; 5] =
        [Channel::None, Channel::Timing, Channel::Scale, Channel::Selection, Channel::Content];

    /// As it is written in policies and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::None => "none",
            Channel::Timing => "timing",
            Channel::Scale => "scale",
            Channel::Selection => "selection",
            Channel::Content => "content",
        }
    }
}

/// A bound in bits for each step: McCamant and Ernst, "Quantitative information flow as network flow capacity", 2008.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bits {
    /// So many bits get through at most.
    pub at_most: u64,
    /// Whether it is the least cut of the graph, and not only the best that was found.
    pub exact: bool,
}

/// A value that information has to pass, one of those that together bound how much does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutValue {
    /// Full name of the operation that makes it, or the path of an input.
    pub op: String,
    /// `file:line` of the user's code.
    pub place: Option<String>,
    /// The scope path.
    pub scope: Option<String>,
    /// Its type.
    pub r#type: String,
    /// Line in the graph's text; 0: none.
    pub line: u32,
    /// How many bits its labelled elements have.
    pub bits: u64,
    /// What `verify` cuts.
    pub at: CutElement,
}

/// Labelled elements of one value at one place of the walk over the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutElement {
    /// Which graph of the system.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub graph: usize,
    /// The calls and iterations that lead to it, from the step inwards: operation by number, iteration of a loop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance: Vec<(u32, Option<u32>)>,
    /// The value, by its number in the graph.
    pub value: u32,
    /// The elements: a union of boxes, for each dimension the half-open intervals. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boxes: Vec<Vec<Vec<(u64, u64)>>>,
}

/// What an assumption excludes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assumption {
    /// No infinity or NaN is an operand at the named masked products, and +0 equals -0 there.
    Finite,
    /// Every element of the input of this path is 0 or 1.
    Binary(PytreePath),
}

/// How a step of a witness path follows from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// The path starts here: an operation in the source scope, or an input that is a source.
    Source,
    /// Through data: explicit flow.
    Data,
    /// Through a predicate, a trip count, an index, a mask, a sort order or a key: implicit flow.
    Implicit,
    /// Through an operation that this version does not look into.
    Opaque,
    /// Into a function, to its parameter.
    Enter,
    /// Out of a function, to the result of the call.
    Leave,
    /// From an output of one step to an input of the next.
    Carried,
    /// From an output of one function to an input of another of the same system.
    Link,
    /// From an output through the world outside to an input.
    Environment,
    /// The path ends here: an output of the step that is a sink.
    Sink,
}

/// One step of a witness path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessStep {
    /// How it follows from the step before.
    pub hop: Hop,
    /// Full name of the operation, or the path of an input or output.
    pub op: String,
    /// `file:line` of the user's code.
    pub place: Option<String>,
    /// `file:line:column` of the innermost frame, which may be a library's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub innermost: Option<String>,
    /// The function of the user's code that the line is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The scope path, as the framework wrote it.
    pub scope: Option<String>,
    /// The type of the value.
    pub r#type: String,
    /// Line in the graph's text; 0: none.
    pub line: u32,
    /// Which graph of the system.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub graph: usize,
    /// The value, by its number in the graph: what `verify` follows.
    pub value: u32,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A path from the source to one group of sinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The subtree of outputs that the sink belongs to.
    pub group: PytreePath,
    /// The sink.
    pub sink: PytreePath,
    /// How many sinks of the group are reached.
    pub sinks_reached: usize,
    /// How many sinks the group has.
    pub sinks: usize,
    /// The worst kind of edge that the path takes.
    pub route: Route,
    /// How much gets through to the group, at worst.
    #[serde(default)]
    pub channel: Channel,
    /// Why it is this channel and no other, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub channel_reason: String,
    /// How many bits a step lets through to the group at most; none: no bound was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_step: Option<Bits>,
    /// The values that bound it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<CutValue>,
    /// The code of the rule that names the mechanism; the generic one if none does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// The path, source first.
    pub path: Vec<WitnessStep>,
}

/// Where to cut so that the invariant holds, and everything that is allowed and reached stays reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// What was found.
    pub outcome: RepairOutcome,
    /// What to do, one for each place; empty unless there is a repair.
    pub actions: Vec<RepairAction>,
    /// Whether no smaller repair exists; for `impossible`, whether that is proved.
    pub exact: bool,
    /// No repair has fewer actions than this.
    pub lower_bound: u64,
    /// Whether the invariant was seen to hold with the flows cut.
    pub verified: bool,
}

/// Whether there is a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// These cuts are one.
    Found,
    /// None: what must be cut is what must stay. One parameter set is both boxes.
    Impossible,
    /// None was found within the limits.
    NotFound,
}

/// One flow to be cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairAction {
    /// How.
    pub kind: RepairKind,
    /// What to do, in words, on the user's own line.
    pub advice: String,
    /// `file:line` of the user's code.
    pub place: Option<String>,
    /// The source line's function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Full name of the operation that makes the value that must no longer be passed on, or the path of an input.
    pub op: String,
    /// Line in the graph's text; 0: none.
    pub line: u32,
}

/// How a flow is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairKind {
    /// `jax.lax.stop_gradient` around a value: only where a cotangent is cut.
    StopGradient,
    /// Clip each group by its own norm.
    SplitClip,
    /// An optimizer for each group (`optax.multi_transform`).
    SplitOptimizer,
    /// A finite check or loss scale for each group.
    SplitCheck,
    /// Split the random key before the source uses it.
    SplitKey,
    /// `jnp.where` with a mask that the source does not make.
    MaskByWhere,
    /// Do not carry the value, or carry one for each group.
    SplitState,
    /// Do not use the value there.
    DoNotUse,
}

/// An operation that stands between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpaqueOperation {
    /// Full name; of a custom call with its target.
    pub op: String,
    /// `file:line` of the user's code.
    pub place: Option<String>,
    /// The scope path.
    pub scope: Option<String>,
    /// Line in the graph's text; 0: none.
    pub line: u32,
    /// Why it is opaque.
    pub why: String,
}

/// The answer to one invariant, with its evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvariantReport {
    /// Its name in the policy.
    pub name: String,
    /// How far it looks.
    pub within: Within,
    /// The selectors of the source.
    pub from: Vec<String>,
    /// The selectors of the sinks.
    pub to: Vec<String>,
    /// The answer.
    pub verdict: Verdict,
    /// What the answer rests on, one sentence each.
    pub assumptions: Vec<String>,
    /// How many operations and inputs are the source.
    pub sources: usize,
    /// How many sinks information reaches.
    pub sinks_reached: usize,
    /// How many sinks there are.
    pub sinks: usize,
    /// The shortest of all witness paths; empty unless violated.
    pub witness: Vec<WitnessStep>,
    /// One shortest path for each group of sinks.
    pub witnesses: Vec<Witness>,
    /// Paths through declared environment edges. They do not make the verdict unless the policy asks.
    pub environment: Vec<Witness>,
    /// The operations that the verdict hangs on.
    pub opaque: Vec<OpaqueOperation>,
    /// Why it is vacuous or undetermined, and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What a person should know although the verdict stands: empty proofs above all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How much of the source gets through, at worst.
    #[serde(default)]
    pub channel: Channel,
    /// How many bits a step lets through at most, to all groups together; none: no bound was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_step: Option<Bits>,
    /// Bounds that the policy set instead of denying every flow.
    #[serde(default, skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// Whether parts of tensors and conditions were told apart: not where a limit was hit, and not where labels on
    /// whole tensors were enough.
    #[serde(default)]
    pub refined: bool,
    /// Whether the violation needs an infinity or NaN at a masked product: with `assume = ["finite"]` it would hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_if_not_finite: bool,
    /// Where to cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// Whether paired runs showed the flow.
    pub confirmed: Confirmed,
    /// The waiver that accepts the violation, by its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// What `openloop verify` re-checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// How much a policy lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The worst channel that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_channel: Option<Channel>,
    /// So many bits for each step are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bits_per_step: Option<u64>,
}

impl Bounds {
    /// Whether there is none: every flow is denied.
    pub fn is_empty(&self) -> bool {
        *self == Bounds::default()
    }
}

/// What paired runs say of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// They differ at the sink.
    Yes,
    /// They do not, with power.
    No,
    /// None was run.
    Untested,
}

/// A flow that the policy requires, as a positive control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequireReport {
    /// Its name in the policy.
    pub name: String,
    /// The selectors of the source.
    pub from: Vec<String>,
    /// The selectors of the sinks.
    pub to: Vec<String>,
    /// Whether some flow arrives: `holds`, or `violated` if none does.
    pub verdict: Verdict,
    /// How many sinks information reaches.
    pub sinks_reached: usize,
    /// How many sinks there are.
    pub sinks: usize,
    /// Why it is vacuous or undetermined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What the probe reads, and what moves that: not covered by `Holds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubstrateReport {
    /// The selectors of the source.
    pub from: Vec<String>,
    /// The subtrees of inputs that the source reads.
    pub reads: Vec<SubstrateRead>,
}

/// A subtree of inputs that the source reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubstrateRead {
    /// Root of the subtree.
    pub input: PytreePath,
    /// How many of its leaves are read.
    pub leaves: usize,
    /// Whether the source reads what this step makes of it, and not only the value that came in.
    pub updated_value: bool,
    /// Whether the step returns another value for it: `false` is frozen.
    pub moves: bool,
    /// The scopes whose cotangents go into the update: the losses that move it.
    pub moved_by_scopes: Vec<String>,
    /// The subtrees of inputs that the update depends on.
    pub moved_by_inputs: Vec<PytreePath>,
}

/// Something about a waiver that its owner must hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverFinding {
    /// The invariant that it waives.
    pub invariant: String,
    /// `expired` or `unused`.
    pub problem: String,
    /// The whole sentence.
    pub message: String,
}

/// A graph that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphReport {
    /// Its name in the policy, or that of the module.
    pub name: String,
    /// The file it was read from.
    pub file: String,
    /// Its identity.
    pub digest: Digest,
    /// How many operations it has.
    pub operations: usize,
    /// How many functions it has.
    pub functions: usize,
    /// How many inputs the step has.
    pub inputs: usize,
    /// How many outputs the step has.
    pub outputs: usize,
    /// What is carried from step to step.
    pub carried: Vec<CarriedReport>,
}

/// A subtree that is carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedReport {
    /// Root of the subtree in the outputs.
    pub output: PytreePath,
    /// Root of the subtree in the inputs of the next step.
    pub input: PytreePath,
    /// How many leaves.
    pub leaves: usize,
    /// How many leaves of the output have no input, since the step does not use it.
    pub unused_inputs: usize,
    /// `declared`, `structure`, `name` or `type`.
    pub found_by: String,
}

/// A whole run: everything that is printed, in one value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// Version of the tool.
    pub tool: String,
    /// The first graph.
    pub graph: GraphReport,
    /// The other graphs of a system of several functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_graphs: Vec<GraphReport>,
    /// One entry for each invariant, in the order of the policy.
    pub invariants: Vec<InvariantReport>,
    /// Positive controls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<RequireReport>,
    /// Expired and unused waivers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<WaiverFinding>,
    /// What the probe reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substrate: Vec<SubstrateReport>,
    /// What no verdict of this report says.
    pub not_shown: Vec<String>,
}

impl RunReport {
    /// The exit code of a command that ends with this report: 0 all hold, 1 violated, 3 vacuous or undetermined.
    /// (2 is for runs that have no report.)
    pub fn exit_code(&self) -> u8 {
        let violated = self
            .invariants
            .iter()
            .any(|invariant| invariant.verdict == Verdict::Violated && invariant.waived.is_none())
            || self.requires.iter().any(|require| require.verdict == Verdict::Violated)
            || !self.waivers.is_empty();
        let open = |verdict| matches!(verdict, Verdict::Vacuous | Verdict::Undetermined);
        let undecided = self.invariants.iter().any(|invariant| open(invariant.verdict))
            || self.requires.iter().any(|require| open(require.verdict));
        match (violated, undecided) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }
}

/// The version of the certificate layout.
pub const CERTIFICATE_VERSION: u32 = 1;

/// Evidence for one verdict that code which did not make it can check: the selectors it answers, and either the
/// closed label assignment (`Holds`) or the witness paths (`Violated`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// [`CERTIFICATE_VERSION`].
    pub version: u32,
    /// The graphs, in the order in which [`WitnessStep::graph`] counts them.
    pub digests: Vec<Digest>,
    /// The names by which the selectors call the graphs; empty if there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How far it looks.
    pub within: Within,
    /// The selectors of the source.
    pub from: Vec<String>,
    /// The selectors of the sinks.
    pub to: Vec<String>,
    /// `(output, input)` pairs that a policy set, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<(PytreePath, PytreePath)>,
    /// Outputs that a policy declared terminal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminal: Vec<PytreePath>,
    /// Edges of the policy between outputs and inputs: links between graphs, and environment edges if they count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<CertificateEdge>,
    /// What the amounts of the paths rest on, as the policy grants it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assume: Vec<Assumption>,
    /// So many bits reach all sinks together in a step at most; none: nothing is claimed. For paths only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_step: Option<u64>,
    /// The values that bound it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<CutElement>,
    /// The verdict.
    pub verdict: Verdict,
    /// The evidence.
    pub evidence: Evidence,
}

/// An edge from an output of one graph to an input of another or the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateEdge {
    /// Graph and path of the output.
    pub from: (usize, PytreePath),
    /// Graph and path of the input.
    pub to: (usize, PytreePath),
    /// [`Hop::Link`]; [`Hop::Carried`] for a link to the next step; [`Hop::Environment`].
    pub hop: Hop,
}

/// What a certificate brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// For each graph, for each function, which origins may reach each value: a set that is closed under every
    /// operation, holds every source, and does not hold a sink.
    Labels(Vec<GraphLabels>),
    /// Paths from the source, one for each group of sinks that is reached.
    Paths(Vec<Witness>),
    /// Labels on whole tensors say too much: `verify` has to prove it with parts and conditions, on its own.
    Refined(RefinedEvidence),
}

/// What a refined proof rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefinedEvidence {
    /// What the policy grants.
    pub assume: Vec<Assumption>,
    /// With bounds instead of a denial: the values that everything has to pass. Empty: nothing passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<CutElement>,
    /// The bounds that this shows to be kept.
    #[serde(default, skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// With a bound on the channel: what it is for each sink that is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelClaim>,
    /// Selectors of inputs that the policy declares to be data: what is picked from them is selection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
}

/// How much arrives at one sink, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelClaim {
    /// Graph and path of the output.
    pub sink: (usize, PytreePath),
    /// The channel.
    pub channel: Channel,
    /// The tests, the factor or the indices that everything passes on its way.
    pub pivots: Vec<CutElement>,
}

/// The closed label assignment of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphLabels {
    /// For each function, in the order of the graph: for each value of the function (ascending by number, see
    /// [`FunctionLabels`]) its origins.
    pub functions: Vec<FunctionLabels>,
    /// Whether the hidden state of the world (callbacks, feeds, stateful random numbers) is labelled.
    pub world: bool,
}

/// The labels of the values of one function.
///
/// Origin 0 is the source, origin 1 the hidden state of the world, origin `2 + i` the `i`-th parameter of the
/// function. The entry has only origins 0 and 1; labels of its inputs are seeds. Values that may be reached only
/// through an opaque operation count as reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionLabels {
    /// How many origins there are.
    pub origins: usize,
    /// Rows of hexadecimal digits, one for each value of the function in ascending order, joined without a
    /// separator: `origins.div_ceil(4)` digits each, the most significant first.
    pub rows: String,
}
