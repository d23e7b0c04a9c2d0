//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::policy::{parse_assumption, parse_max_channel};
use crate::verdict::{Assumption, Channel};

/// Does your interpretability probe train the model it reads?
///
/// openloop reads a whole training step as text, proves that nothing from the probe reward reaches the update of the
/// belief parameters, or shows the shortest path in your own source lines.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_long_help = GETTING_STARTED)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const GETTING_STARTED: &str = "\
Getting started, with a step in JAX (nothing of ours installed there; abstract shapes will do):

    text = jax.jit(train_step).lower(params, opt_state, batch, probe).as_text(debug_info=True)
    open(\"step.mlir\", \"w\").write(text)

    openloop inspect step.mlir        what is in the step: inputs, outputs, scopes, carried values
    openloop init step.mlir           a first policy, commented
    openloop check step.mlir --source 'scope:probe_reward' --sink 'output:**.beliefs.**'

Exit codes: 0 all hold; 1 violated; 2 usage, configuration, input or I/O; 3 vacuous or undetermined.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check invariants: a proof, or the path
    Check(Box<CheckArguments>),
    /// Show what is in a step: inputs, outputs, groups, scopes, carried pairs, operations
    Inspect(InspectArguments),
    /// Write a commented first policy from what is seen in a step
    Init(InitArguments),
    /// Run a step on real or made-up inputs
    Run(RunArguments),
    /// Run a step in pairs that differ in the probe reward only, and compare the sinks bit by bit
    Test(Box<TestArguments>),
    /// Run a pair again that `test` found
    Replay(ReplayArguments),
    /// How fast selection finds a plan that evades the probe, by law and by simulation
    Budget(BudgetArguments),
    /// Re-check a certificate with code that did not make it
    Verify(VerifyArguments),
    /// Ask both halves, the check and paired runs, about the reference systems of scenarios S1 to S15
    Scenarios(ScenariosArguments),
    /// Explain a code such as OL100
    Explain(ExplainArguments),
    /// Print completions for a shell
    Completions(CompletionsArguments),
}

/// What a policy says itself.
const NOT_BESIDE_A_POLICY: [&str; 5] = ["source", "sink", "within", "assume", "carried"];

/// What a report looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For machines: versioned, with schemas in fixtures/schema
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// If standard output is a terminal and NO_COLOR is not set
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WithinArgument {
    /// One step
    Step,
    /// Any number of steps, over carried values
    Run,
}

#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// Format of what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write to a file instead of standard output, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Selectors
  scope:GLOB    operations in a named scope, forward, tangent and cotangent: scope:probe_reward
  input:GLOB    inputs of the step, by pytree path with dots: 'input:probe.**'
  output:GLOB   outputs of the step: 'output:**.beliefs.**' (* is one segment, ** any number)

Examples
  openloop check step.mlir --source scope:probe_reward --sink 'output:**.beliefs.**'
  openloop check step.mlir --policy openloop.toml --format json -o report.json
  openloop check --policy system.toml                    the policy names the files, [[graph]]
  openloop check step.mlir --source scope:probe_reward --sink 'output:**.beliefs.**' --max-bits 32
  cat step.mlir | openloop check - --source scope:probe_reward --sink 'output:**.beliefs.**' --within step

Exit codes: 0 all hold; 1 violated; 2 usage, configuration, input or I/O; 3 vacuous or undetermined.")]
pub(super) struct CheckArguments {
    /// StableHLO text or the JSON form of a graph; `-` is standard input. Not needed if the policy names its graphs
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub question: QuestionArguments,
    /// Let through what is no worse than this: timing, scale or selection
    #[arg(long, value_name = "CHANNEL", value_parser = parse_max_channel, requires = "source", conflicts_with = "policy")]
    pub max_channel: Option<Channel>,
    /// Let through so many bits for each step
    #[arg(long, value_name = "BITS", requires = "source", conflicts_with = "policy")]
    pub max_bits: Option<u64>,
    /// Inputs that hold data, replay or plans, from which to pick is the channel `selection`: a selector; may be repeated
    #[arg(long, value_name = "SELECTOR", requires = "source", conflicts_with = "policy")]
    pub data: Vec<String>,
    /// Run each violation in so many pairs too (at most 20 seconds each), to see whether it shows: the report says
    /// `confirmed`
    #[arg(long, value_name = "CASES", num_args = 0..=1, require_equals = true, default_missing_value = "100")]
    pub confirm: Option<u32>,
    /// Write the certificates to a file, for `openloop verify`
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// The day on which waivers are judged, YYYY-MM-DD; today without it
    #[arg(long, value_name = "DATE")]
    pub today: Option<String>,
    /// Show every operation of every path
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

/// What is asked: a policy, or a source and a sink.
#[derive(Debug, Args)]
pub(super) struct QuestionArguments {
    /// The policy; without it and without --source, openloop.toml in this folder
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_BESIDE_A_POLICY)]
    pub policy: Option<PathBuf>,
    /// Where information must not come from: a selector; may be repeated
    #[arg(long, value_name = "SELECTOR", requires = "sink")]
    pub source: Vec<String>,
    /// Where it must not arrive: a selector; may be repeated
    #[arg(long, value_name = "SELECTOR", requires = "source")]
    pub sink: Vec<String>,
    /// How far to look; without it both, each an entry of its own
    #[arg(long, value_enum, requires = "source")]
    pub within: Option<WithinArgument>,
    /// What may be assumed: `finite` (no inf or NaN at masked products), or `binary:PATH` (the input is 0 or 1); may be
    /// repeated
    #[arg(long, value_name = "ASSUMPTION", value_parser = parse_assumption, requires = "source")]
    pub assume: Vec<Assumption>,
    /// Say that an output of one step is an input of the next, where structure does not tell: result.0=params, or
    /// result.2=terminal for none; may be repeated
    #[arg(long, value_name = "OUTPUT=INPUT", requires = "source")]
    pub carried: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeArgument {
    /// Data and randomness are the same in both runs
    Replay,
    /// The environment answers each run by itself, over the environment edges of the policy
    Free,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Runs the very step that `check` reads, twice: all inputs equal, and in the second run every value that leaves the source \
is changed (shifted, scaled, replaced, made inf or NaN). If a bit of a sink differs, that is a leak, and it is made as \
small as it goes and written to a file. If none differs, that is no proof: `check` gives one. A pair in which the change \
reaches no output at all shows nothing, and is not counted as passed.

Inputs are made up from the seed: indices in range, second moments not negative; the optimizer's state is never fresh. \
What cannot be run, such as a callback into Python, gives made-up numbers that depend on its operands.

Examples
  openloop test step.mlir --source scope:probe_reward --sink 'output:**.beliefs.**'
  openloop test step.mlir --policy openloop.toml --cases 2000 --time-limit 60
  openloop test step.mlir --policy openloop.toml --mode free     over the environment edges of the policy too
  openloop replay openloop-counterexample.json step.mlir         the same two runs again

Exit codes: 0 no difference, and the changes did reach other outputs; 1 a sink differs; 2 usage, input or I/O, or an \
operation that cannot be run; 3 no power, or nothing matched.")]
pub(super) struct TestArguments {
    /// StableHLO text or the JSON form of a graph; `-` is standard input. Not needed if the policy names its graphs
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub question: QuestionArguments,
    /// How many pairs of runs for each entry
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub cases: u32,
    /// Stop after so many seconds, whatever is left to do
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub time_limit: Option<u64>,
    /// What inputs and changes are made from: the same seed, the same pairs
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// How many steps a run has at most, for entries over several steps
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub steps: u16,
    /// Whether the environment listens; without it only for entries whose routes say so
    #[arg(long, value_enum)]
    pub mode: Option<ModeArgument>,
    /// No infinities, no NaN, nothing so large that arithmetic may overflow
    #[arg(long)]
    pub finite_only: bool,
    /// Also give the exact derivative of every sink, by dual numbers, and where derivatives are lost
    #[arg(long)]
    pub sensitivity: bool,
    /// Where the smallest difference is written, in place of an earlier one; that of a second entry gets `-2` before the ending
    #[arg(long, value_name = "FILE", default_value = "openloop-counterexample.json")]
    pub save: PathBuf,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
The file says which graphs it is about; others are refused, since the same bits would mean something else in them.

Examples
  openloop replay openloop-counterexample.json step.mlir

Exit codes: 0 the sinks do not differ; 1 they do; 2 usage, input or I/O, or another graph.")]
pub(super) struct ReplayArguments {
    /// What `openloop test` wrote
    #[arg(value_name = "CASE")]
    pub case: PathBuf,
    /// The graphs that it speaks of, in the order of the policy
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples
  openloop inspect step.mlir
  openloop inspect step.mlir --tree                      every leaf that a selector can name
  openloop inspect step.mlir --graph -o step.json        a form that `check` reads too

Exit codes: 0 shown; 2 usage, input or I/O.")]
pub(super) struct InspectArguments {
    /// StableHLO text or the JSON form of a graph; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Every leaf, every operation name, every function
    #[arg(long)]
    pub tree: bool,
    /// Print the graph itself in its JSON form
    #[arg(long, conflicts_with_all = ["tree", "format"])]
    pub graph: bool,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples
  openloop init step.mlir                                prints it
  openloop init step.mlir -o openloop.toml               then: openloop check step.mlir

Exit codes: 0 written; 2 usage, input or I/O, or the file exists.")]
pub(super) struct InitArguments {
    /// StableHLO text or the JSON form of a graph; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write to a file instead of standard output; an existing file is left alone
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples
  openloop run step.mlir                                 made-up inputs, one line for each result
  openloop run step.mlir --inputs in.npz -o out.safetensors
  openloop run step.mlir --entry score --seed 7

Real inputs from JAX, by the names of the step's arguments:
  import jax, numpy as np
  leaves, _ = jax.tree_util.tree_flatten_with_path(dict(params=params, batch=batch))
  np.savez(\"in.npz\", **{jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves})

Names are pytree paths, as JAX prints them or with dots. Inputs that the step does not have are left alone; inputs that are
not given are made from the seed: indices in range, second moments not negative. Graphs with 64 bit floats run in 64 bits,
all others in 32. Lines `// -----` divide a file into modules, which are run one by one.

Exit codes: 0 it ran; 2 usage, input or I/O, an operation that cannot be run, or an expectation (`check.expect_eq`) that does
not hold.")]
pub(super) struct RunArguments {
    /// StableHLO text or the JSON form of a graph; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A function of the module; without it the step itself
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// Inputs by name: .safetensors or .npz
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// What inputs are made from that are not given
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Write every result to a file, .safetensors or .npz, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the inputs to a file too, those that were made among them
    #[arg(long, value_name = "FILE")]
    pub save_inputs: Option<PathBuf>,
}

/// How updates follow from rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LawArgument {
    /// Policy gradient on logits: REINFORCE, with the mean of the group as baseline
    Softmax,
    /// Natural policy gradient: exponential weights, the replicator
    Natural,
    /// Advantages over the standard deviation of the group
    Grpo,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
No step leaks, and still the probe may lose: a plan that evades it by chance earns more, and is repeated. This says how \
fast, for one evading plan beside an honest one, by exact laws, and by runs that sample groups. Reward gap and KL are for \
whole plans, not for tokens.

Laws: softmax moves a rare plan in proportion to its share, natural does not, grpo has no unit of reward: a plan that earns \
hardly more is pushed as hard. In a group in which all plans are alike nothing is pushed.

Examples
  openloop budget --prior 1e-6 --reward-gap 0.3 --learning-rate 1 --group-size 8
  openloop budget --prior 1e-4 --reward-gap 0.3 --learning-rate 0.1 --group-size 16 --law grpo --kl 0.04
  openloop budget --prior 1e-3 --reward-gap 1 --learning-rate 0.1 --law natural --format json
  openloop budget --prior 1e-4 --reward-gap 0.5 --learning-rate 0.5 --group-size 8 --plot budget.svg

Exit codes: 0 answered, and `never` is an answer; 2 usage or I/O.")]
pub(super) struct BudgetArguments {
    /// The share of samples that evade the probe before training, from 0 to 1; 0 means that there is no such plan
    #[arg(long, value_name = "SHARE", value_parser = share, allow_hyphen_values = true)]
    pub prior: f64,
    /// What an evading plan earns more than an honest one
    #[arg(long, value_name = "REWARD", value_parser = finite, allow_hyphen_values = true)]
    pub reward_gap: f64,
    /// The step size on the logits: rate times reward is a change of a logit in one update
    #[arg(long, value_name = "RATE", value_parser = positive, allow_hyphen_values = true)]
    pub learning_rate: f64,
    /// How updates follow from rewards
    #[arg(long, value_enum, default_value_t = LawArgument::Softmax)]
    pub law: LawArgument,
    /// The samples of one update, 2 to 4096, each compared with their mean; without it the gradient is exact
    #[arg(long, value_name = "NUMBER", required_if_eq("law", "grpo"), value_parser = clap::value_parser!(u32).range(2..=4096))]
    pub group_size: Option<u32>,
    /// The coefficient of the KL penalty towards the policy before training
    #[arg(long, value_name = "COEFFICIENT", default_value_t = 0.0, value_parser = not_negative, allow_hyphen_values = true)]
    pub kl: f64,
    /// Also say how rare a plan must be to stay unseen in so many samples
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub samples: u64,
    /// How many runs are simulated beside the law; 0 for none. Without --group-size one says it all
    #[arg(long, value_name = "RUNS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub simulate: u32,
    /// What the runs are drawn from: the same seed, the same runs
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Write a plot to a file, whole or not at all
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Format of what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write to a file instead of standard output, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A number that fits; otherwise what was expected.
fn number(text: &str, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&number| fits(number));
    number.ok_or_else(|| format!("expected {expected}"))
}

fn share(text: &str) -> Result<f64, String> {
    number(text, "a number from 0 to 1", |share| (0.0..=1.0).contains(&share))
}

fn finite(text: &str) -> Result<f64, String> {
    number(text, "a finite number", f64::is_finite)
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, "a finite number above 0", |number| number.is_finite() && number > 0.0)
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, "a finite number, 0 or more", |number| number.is_finite() && number >= 0.0)
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples
  openloop check step.mlir --policy openloop.toml --certificate proof.json
  openloop verify proof.json step.mlir
  openloop verify report.json step.mlir                  what `check --format json` wrote

Exit codes: 0 all accepted; 2 usage, input or I/O; 3 something is refused or was never certified.")]
pub(super) struct VerifyArguments {
    /// What `check --certificate` wrote, or a report of `check --format json`
    #[arg(value_name = "CERTIFICATE")]
    pub certificate: PathBuf,
    /// The graphs that it speaks of, in the order of the policy
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Each system is written once in Rust. The check reads the graph of its step, and paired runs run the same step.

Examples
  openloop scenarios
  openloop scenarios S5 S8 --format json
  openloop scenarios S5 --save systems      graphs and policies, for openloop check and openloop test

Exit codes: 0 all as expected; 1 something is not; 2 usage or I/O.")]
pub(super) struct ScenariosArguments {
    /// Only these, such as S5; all without it
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// How many pairs of runs for each system and mode
    #[arg(long, value_name = "PAIRS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub cases: u32,
    /// Write the graph of each system (JSON form) and its policy into this folder
    #[arg(long, value_name = "FOLDER")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples
  openloop explain                                       every code, one line each
  openloop explain OL100

Exit codes: 0 explained; 2 there is no such code.")]
pub(super) struct ExplainArguments {
    /// A code such as OL100; without it, all codes
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples
  openloop completions bash > ~/.local/share/bash-completion/completions/openloop
  openloop completions fish > ~/.config/fish/completions/openloop.fish

Exit codes: 0 printed; 2 usage or I/O.")]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
