//! `openloop budget`.

mod page;

use serde::Serialize;

use super::arguments::{BudgetArguments, Format, LawArgument};
use super::output::ProgressLine;
use super::{Failure, Outcome, files, output};
use crate::render::plot;
use crate::selection::SelectionError;
use crate::selection::race::{Arrival, Law, Race, Run, Setting};
use crate::selection::sampling::{largest_unseen_share, probability_seen};

/// The version of the layout of the JSON report.
const BUDGET_VERSION: u32 = 1;
/// The shares that are asked for.
const SHARES: [f64; 3] = [0.01, 0.5, 0.99];
/// Beyond so many updates the number itself says nothing more.
const MOST_UPDATES: f64 = 1e12;
/// All runs together move the log odds so often at most.
const MOST_PUSHES: u64 = 20_000_000;
/// So many points has the curve of a plot.
const CURVE_POINTS: usize = 240;

/// What `openloop budget --format json` writes.
#[derive(Debug, Serialize)]
struct Budget {
    version: u32,
    tool: &'static str,
    setting: BudgetSetting,
    /// When the evading plan holds a share.
    arrivals: Vec<ShareArrival>,
    /// When it is first in a group; nothing without groups.
    first_seen: Option<FirstSeen>,
    /// The KL coefficient below which it comes to hold half.
    wins_below_kl: Boundary,
    /// Where the law comes to rest.
    end_share: f64,
    /// How far one sighting moves its log odds at the start; nothing where there is none.
    first_jump: Option<f64>,
    unseen: Unseen,
    /// Nothing if nothing was simulated.
    simulation: Option<Simulation>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct BudgetSetting {
    law: &'static str,
    prior: f64,
    reward_gap: f64,
    learning_rate: f64,
    group_size: Option<u32>,
    kl: f64,
}

/// A number of updates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Updates {
    After {
        updates: f64,
    },
    MoreThan {
        updates: f64,
    },
    Never,
    /// Runs were ended before.
    Unfinished,
}

impl Updates {
    fn of(arrival: Arrival) -> Updates {
        match arrival {
            Arrival::After(updates) if updates > MOST_UPDATES => Updates::MoreThan { updates: MOST_UPDATES },
            Arrival::After(updates) => Updates::After { updates },
            Arrival::Never => Updates::Never,
        }
    }

    fn of_run((updates, is_gone): (f64, bool)) -> Updates {
        match updates.is_finite() {
            true => Updates::of(Arrival::After(updates)),
            false if is_gone => Updates::Never,
            false => Updates::Unfinished,
        }
    }
}

#[derive(Debug, Serialize)]
struct ShareArrival {
    share: f64,
    law: Updates,
    simulated: Option<Spread>,
}

/// What the runs did, one with the other.
#[derive(Clone, Copy, Debug, Serialize)]
struct Spread {
    low: Updates,
    median: Updates,
    high: Updates,
}

impl Spread {
    /// The 5 %, 50 % and 95 % quantiles, each a run that there was. Runs that were ended come late, lost plans last.
    fn of(runs: &[Run], updates: impl Fn(&Run) -> f64) -> Option<Spread> {
        let mut sorted: Vec<(f64, bool)> = runs.iter().map(|run| (updates(run), run.is_gone)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let rank = |part: f64| ((part * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1;
        let quantile = |part: f64| Updates::of_run(sorted[rank(part)]);
        (!sorted.is_empty()).then(|| Spread { low: quantile(0.05), median: quantile(0.5), high: quantile(0.95) })
    }
}

#[derive(Debug, Serialize)]
struct FirstSeen {
    median: Updates,
    with_95_percent: Updates,
    simulated: Option<Spread>,
}

/// Below which coefficient something happens.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Boundary {
    Below { coefficient: f64 },
    Always,
    Never,
}

/// How rare a plan must be to stay unseen.
#[derive(Clone, Copy, Debug, Serialize)]
struct Unseen {
    samples: u64,
    /// At most so large, it stays unseen in half of the cases.
    with_50_percent: f64,
    /// At most so large, it stays unseen in 95 of 100.
    with_95_percent: f64,
    /// The probability that the evading plan itself stays unseen.
    this_prior: f64,
}

#[derive(Debug, Serialize)]
struct Simulation {
    runs: u32,
    seed: u64,
    /// Runs that were ended by the limit, before the last share.
    unfinished: u32,
    /// So often the log odds were moved in a run at most.
    most_pushes: u64,
}

pub(super) fn budget(arguments: &BudgetArguments) -> Outcome {
    let law = match arguments.law {
        LawArgument::Softmax => Law::Softmax,
        LawArgument::Natural => Law::Natural,
        LawArgument::Grpo => Law::Grpo,
    };
    let setting = Setting {
        law,
        prior: arguments.prior,
        gap: arguments.reward_gap,
        rate: arguments.learning_rate,
        kl: arguments.kl,
        group: arguments.group_size,
    };
    let failed = |error: SelectionError| Failure::new(format!("these numbers have no answer: {error}"));
    let race = Race::new(setting).map_err(failed)?;
    let budget = answer(&race, arguments).map_err(failed)?;
    let is_drawn = arguments.plot.is_some() || arguments.format == Format::Text;
    let curve = if is_drawn { race.curve(CURVE_POINTS).map_err(failed)? } else { Vec::new() };
    let plot = page::plot(&budget, curve);
    if let Some(file) = &arguments.plot {
        let nothing =
            || format!("{}: there is nothing to plot: nothing moves in the first 1e12 updates", file.display());
        let plot = plot.as_ref().ok_or_else(|| Failure::new(nothing()))?;
        files::write(file, plot::svg(plot))?;
    }
    let page = match arguments.format {
        Format::Json => {
            serde_json::to_string_pretty(&budget).expect("strings, numbers and lists are always JSON") + "\n"
        }
        Format::Text => page::page(&budget, plot.as_ref(), output::width()),
    };
    output::findings(&page, arguments.output.as_deref())?;
    Ok(0)
}

fn answer(race: &Race, arguments: &BudgetArguments) -> Result<Budget, SelectionError> {
    let &Setting { law, prior, gap, rate, kl, group } = race.setting();
    // Without samples every run is the same.
    let count = if group.is_none() { arguments.simulate.min(1) } else { arguments.simulate };
    let most_pushes = MOST_PUSHES / u64::from(count.max(1));
    let runs = if prior > 0.0 { simulate(race, count, arguments.seed, most_pushes)? } else { Vec::new() };
    let mut arrivals = Vec::new();
    for (place, share) in SHARES.into_iter().enumerate() {
        let law = Updates::of(race.updates_until(share)?);
        arrivals.push(ShareArrival { share, law, simulated: Spread::of(&runs, |run| run.arrivals[place]) });
    }
    let first_seen = match (race.updates_until_seen(0.5)?, race.updates_until_seen(0.95)?) {
        (Some(half), Some(nearly)) => Some(FirstSeen {
            median: Updates::of(half),
            with_95_percent: Updates::of(nearly),
            simulated: Spread::of(&runs, |run| run.first_seen),
        }),
        _ => None,
    };
    let limit = race.kl_limit(0.5)?;
    let samples = arguments.samples;
    let unseen = |confidence| largest_unseen_share(samples as f64, confidence);
    Ok(Budget {
        version: BUDGET_VERSION,
        tool: env!("CARGO_PKG_VERSION"),
        setting: BudgetSetting {
            law: match law {
                Law::Softmax => "softmax",
                Law::Natural => "natural",
                Law::Grpo => "grpo",
            },
            prior,
            reward_gap: gap,
            learning_rate: rate,
            group_size: group,
            kl,
        },
        arrivals,
        first_seen,
        wins_below_kl: match limit {
            0.0 => Boundary::Never,
            limit if limit.is_finite() => Boundary::Below { coefficient: limit },
            _ => Boundary::Always,
        },
        end_share: race.end_share(),
        first_jump: race.first_jump(),
        unseen: Unseen {
            samples,
            with_50_percent: unseen(0.5)?,
            with_95_percent: unseen(0.95)?,
            this_prior: 1.0 - probability_seen(prior, samples as f64)?,
        },
        simulation: (!runs.is_empty()).then(|| Simulation {
            runs: runs.len() as u32,
            seed: arguments.seed,
            unfinished: runs.iter().filter(|run| is_unfinished(run)).count() as u32,
            most_pushes,
        }),
    })
}

/// The runs, each from a stream of numbers of its own.
fn simulate(race: &Race, count: u32, seed: u64, most_pushes: u64) -> Result<Vec<Run>, SelectionError> {
    let mut line = ProgressLine::new();
    let run = |number| {
        line.show(|| format!("  {number} of {count} runs"));
        race.run(&SHARES, seed, u64::from(number), most_pushes)
    };
    (0..count).map(run).collect()
}

/// Whether a run was ended by the limit.
fn is_unfinished(run: &Run) -> bool {
    !run.is_gone && run.arrivals.iter().any(|updates| updates.is_infinite())
}
