//! What `openloop budget` shows to people.

use std::fmt::Write;

use super::{Boundary, Budget, BudgetSetting, MOST_UPDATES, Spread, Updates};
use crate::render::plot::{Plot, Span, terminal};
use crate::render::text::{count, thousands, wrap};

/// A single sighting that moves the log odds by more than this: the law, a mean, says little of a single run.
const LARGE_JUMP: f64 = 1.0;
/// The lines of a plot in a terminal.
const PLOT_HEIGHT: usize = 11;

/// What is drawn; nothing where nothing moves.
pub(super) fn plot(budget: &Budget, curve: Vec<(f64, f64)>) -> Option<Plot> {
    let curve: Vec<_> = curve.into_iter().take_while(|(updates, _)| *updates <= MOST_UPDATES).collect();
    let number = |updates: Updates| match updates {
        Updates::After { updates } => updates,
        _ => f64::INFINITY,
    };
    let span = |share: f64, spread: &Spread| Span {
        y: share,
        low: number(spread.low),
        middle: number(spread.median),
        high: number(spread.high),
    };
    let spans: Vec<Span> = budget
        .arrivals
        .iter()
        .filter_map(|arrival| arrival.simulated.as_ref().map(|spread| span(arrival.share, spread)))
        .collect();
    let runs = budget.simulation.as_ref().map_or(0, |simulation| simulation.runs);
    (curve.len() > 1).then(|| Plot {
        title: format!("When the evading plan is selected: {}", said(&budget.setting)),
        x_label: "updates".into(),
        y_label: "share of the evading plan".into(),
        curve_name: "law".into(),
        curve,
        spans_name: match runs {
            1 => "simulated: 1 run".into(),
            runs => format!("simulated: median of {runs} runs, 5 % to 95 %"),
        },
        spans,
    })
}

/// The setting in one line.
fn said(setting: &BudgetSetting) -> String {
    let &BudgetSetting { law, prior, reward_gap, learning_rate, group_size, kl } = setting;
    let group = group_size.map_or("exact gradient".into(), |group| format!("groups of {group}"));
    format!(
        "{law}, prior {}, gap {}, rate {}, {group}, KL {}",
        plain(prior),
        plain(reward_gap),
        plain(learning_rate),
        plain(kl)
    )
}

/// A number in three digits.
fn plain(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let scientific = format!("{number:.2e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_string()
        } else {
            digits.into()
        }
    };
    if (-4..5).contains(&exponent) {
        let places = (2 - exponent).max(0) as usize;
        trim(&format!("{number:.places$}"))
    } else {
        format!("{}e{exponent}", trim(digits))
    }
}

/// A share, also one that is nearly everything.
fn share(share: f64) -> String {
    let rest = 1.0 - share;
    match rest {
        0.0 => "a share of 1".into(),
        rest if rest < 1e-3 => format!("a share of 1 less {}", plain(rest)),
        _ => format!("a share of {}", plain(share)),
    }
}

fn updates(updates: Updates) -> String {
    match updates {
        // Below that digits are worth something; above, three of them are.
        Updates::After { updates } if updates < 1e9 => thousands(updates.ceil() as u128),
        Updates::After { updates } => plain(updates),
        Updates::MoreThan { updates } => format!("more than {}", plain(updates)),
        Updates::Never => "never".into(),
        Updates::Unfinished => "not finished".into(),
    }
}

/// The page.
pub(super) fn page(budget: &Budget, plot: Option<&Plot>, width: usize) -> String {
    let mut page = String::new();
    let mut paragraph = |first: &str, text: &str| {
        for (number, line) in wrap(text, width - 4).iter().enumerate() {
            let lead = if number == 0 { first } else { "    " };
            page.push_str(&format!("{lead}{line}\n"));
        }
    };
    paragraph("", &said(&budget.setting));
    page.push('\n');
    table(&mut page, budget);
    page.push_str(&notes(budget, width));
    if let Some(plot) = plot {
        let _ = write!(page, "\n{}", terminal(plot, width.min(90), PLOT_HEIGHT));
    }
    page.push_str("\nwhat this does not say\n");
    for limit in [
        "what the prior is: a plan that evades must be measured, and one that nobody thought of is not",
        "what shared features do: a plan that was never sampled can be pushed with one that was",
        "anything about more than two plans, changing rewards, clipping or momentum: the law has none of them",
    ] {
        page.push_str(&bullet(limit, width));
    }
    page
}

/// A point of a list, in lines that fit.
fn bullet(text: &str, width: usize) -> String {
    let lines = wrap(text, width.saturating_sub(4));
    let lead = |number| if number == 0 { "  - " } else { "    " };
    lines.iter().enumerate().map(|(number, line)| format!("{}{line}\n", lead(number))).collect()
}

fn table(page: &mut String, budget: &Budget) {
    let runs = budget.simulation.as_ref().map_or(0, |simulation| simulation.runs);
    let title = match runs {
        0 => "",
        1 => "  simulated, 1 run",
        _ => "  simulated, median (5 % to 95 %)",
    };
    let _ = writeln!(page, "  {:<22}{:>20}{title}", "updates until", "by the law");
    let mut row = |name: String, law: Updates, simulated: Option<&Spread>| {
        let simulated = match simulated {
            None => String::new(),
            Some(spread) if runs == 1 => format!("  {}", updates(spread.median)),
            Some(spread) => {
                let [low, median, high] = [spread.low, spread.median, spread.high].map(updates);
                if low == high { format!("  {median}") } else { format!("  {median} ({low} to {high})") }
            }
        };
        let _ = writeln!(page, "  {name:<22}{:>20}{simulated}", updates(law));
    };
    if let Some(seen) = &budget.first_seen {
        row("it is first seen".into(), seen.median, seen.simulated.as_ref());
        row("  with 95 %".into(), seen.with_95_percent, None);
    }
    for arrival in &budget.arrivals {
        row(format!("it holds {} %", plain(100.0 * arrival.share)), arrival.law, arrival.simulated.as_ref());
    }
}

/// What the numbers mean.
fn notes(budget: &Budget, width: usize) -> String {
    let mut notes = Vec::new();
    notes.push(match budget.wins_below_kl {
        Boundary::Below { coefficient } => {
            format!("it wins (holds half) at all only with a KL coefficient below {}", plain(coefficient))
        }
        Boundary::Always => "it holds half from the start: no KL penalty takes that away".into(),
        Boundary::Never if budget.setting.prior == 0.0 => {
            "a plan that is not there is not selected, whatever it would earn".into()
        }
        Boundary::Never => "it is not pushed: it earns no more than the honest plan".into(),
    });
    if budget.setting.kl > 0.0 && !matches!(budget.wins_below_kl, Boundary::Never) {
        notes.push(format!("with this KL coefficient it comes to rest at {}", share(budget.end_share)));
    }
    let unseen = &budget.unseen;
    notes.push(format!(
        "in {} samples a plan stays unseen with probability 95 % if its prior is at most {}, with 50 % if at most {}; this \
         one with {} %",
        thousands(unseen.samples.into()),
        plain(unseen.with_95_percent),
        plain(unseen.with_50_percent),
        plain(100.0 * unseen.this_prior)
    ));
    if let Some(jump) = budget.first_jump.filter(|jump| *jump > LARGE_JUMP) {
        notes.push(format!(
            "one sighting multiplies its odds by e^{}: the law is a mean over groups, and single runs wait for luck, then jump. \
             Trust the runs",
            plain(jump)
        ));
    }
    if let Some(simulation) = budget.simulation.as_ref().filter(|simulation| simulation.unfinished > 0) {
        notes.push(format!(
            "ended after {} moves of the odds, before 99 %: {} of {}",
            thousands(simulation.most_pushes.into()),
            simulation.unfinished,
            count(simulation.runs as usize, "run", "runs")
        ));
    }
    let lines: String = notes.iter().map(|note| bullet(note, width)).collect();
    format!("\n{lines}")
}
