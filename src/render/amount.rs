//! How much of the source gets through: the channel, the route, the bits, and the values that bound it.

use crate::verdict::{Bits, Bounds, Channel, CutValue, InvariantReport, Route, Witness};

use super::page::{Line, Page, style};
use super::witness::PathView;
use super::{code, fold, text};

/// So many values of a cut are shown, unless everything is wanted.
const MANY_VALUES: usize = 6;

fn fact(page: &mut Page, label: &str, says: &str) {
    page.wrapped(Line::new().add(style::DIM, &format!("  {label:<11}")), style::PLAIN, says);
}

/// `32 bits`.
fn bits(number: u64) -> String {
    format!("{} {}", text::thousands(number.into()), if number == 1 { "bit" } else { "bits" })
}

/// `at most 32 bits per step`.
fn at_most(bound: Bits) -> String {
    format!("at most {} per step", bits(bound.at_most))
}

/// What passes, in few words: `scale, at most 32 bits per step`.
pub(super) fn in_short(channel: Channel, bound: Option<Bits>) -> String {
    std::iter::once(channel.as_str().to_owned()).chain(bound.map(at_most)).collect::<Vec<_>>().join(", ")
}

/// Whether a policy lets something through, and something gets through.
pub(super) fn is_within_bounds(invariant: &InvariantReport) -> bool {
    !invariant.bounds.is_empty() && invariant.sinks_reached > 0
}

/// A policy's bounds, as it writes them.
pub fn bounds_as_written(bounds: &Bounds) -> Vec<String> {
    let channel = bounds.max_channel.map(|channel| format!("max_channel = \"{}\"", channel.as_str()));
    let bits = bounds.max_bits_per_step.map(|bits| format!("max_bits_per_step = {bits}"));
    channel.into_iter().chain(bits).collect()
}

/// One row for each thing that is known of the amount.
pub(super) fn facts(page: &mut Page, invariant: &InvariantReport) {
    if !invariant.bounds.is_empty() {
        fact(page, "bounds", &bounds_as_written(&invariant.bounds).join(", "));
    }
    if invariant.channel == Channel::None {
        return;
    }
    let shown = code::shown_witness(invariant);
    // The path that is shown is the shortest, and another group may get more.
    let worst = shown
        .into_iter()
        .chain(&invariant.witnesses)
        .find(|witness| witness.channel == invariant.channel && !witness.channel_reason.is_empty());
    let elsewhere = match worst {
        Some(worst) if shown.is_some_and(|shown| shown.channel != invariant.channel) => {
            format!(" (into {})", worst.group)
        }
        _ => String::new(),
    };
    let reason = worst.map(|worst| format!(": {}", worst.channel_reason)).unwrap_or_default();
    fact(page, "channel", &format!("{}{elsewhere}{reason}", invariant.channel.as_str()));
    if let Some(shown) = shown {
        fact(page, "route", route(shown.route));
    }
    let bound = match invariant.bits_per_step {
        Some(bound) if bound.exact => format!("{}: exactly the least cut", at_most(bound)),
        Some(bound) => format!("{}: the best cut found, the least may be smaller", at_most(bound)),
        None => "no bound was found".to_owned(),
    };
    fact(page, "bits", &bound);
    if invariant.only_if_not_finite {
        let lead = Line::new().add(style::OPEN, "  only if    ");
        let says = "the masked value is inf or NaN: use `jnp.where`, or grant `assume = [\"finite\"]`";
        page.wrapped(lead, style::PLAIN, says);
    }
}

fn route(route: Route) -> &'static str {
    match route {
        Route::Step => "step: inside one step",
        Route::Carried => "carried: through a value that is carried into the next step",
        Route::Environment => "environment: through the world outside",
    }
}

/// The values that bound the flow, with the user's lines.
pub(super) fn narrowest(page: &mut Page, invariant: &InvariantReport, view: &PathView<'_>) {
    let mut cuts: Vec<(&[CutValue], Vec<String>)> = Vec::new();
    for witness in invariant.witnesses.iter().filter(|witness| !witness.cut.is_empty()) {
        let group = witness.group.to_string();
        match cuts.iter_mut().find(|(cut, _)| *cut == witness.cut) {
            Some((_, groups)) => groups.push(group),
            None => cuts.push((&witness.cut, vec![group])),
        }
    }
    if cuts.is_empty() {
        return;
    }
    page.blank();
    page.line(Line::new().plain("  ").add(style::BOLD, "where it is narrowest"));
    let differ = cuts.len() > 1;
    for (cut, groups) in &cuts {
        if differ {
            page.wrapped(Line::new().add(style::DIM, "     into "), style::DIM, &text::list(groups, 4));
        }
        values(page, cut, if differ { 7 } else { 5 }, view);
    }
}

fn values(page: &mut Page, cut: &[CutValue], indent: usize, view: &PathView<'_>) {
    let many = if view.verbose { usize::MAX } else { MANY_VALUES };
    let rows: Vec<[String; 4]> = cut.iter().take(many).map(row).collect();
    let width = |column: usize| rows.iter().map(|row| text::width(&text::safe(&row[column]))).max().unwrap_or(0);
    let most = page.width() / 3;
    let (bits_width, place_width, op_width) = (width(0), width(1).min(most), width(2).min(most));
    let mut last_place = None;
    for (value, [bits, place, op, r#type]) in cut.iter().zip(&rows) {
        let mut line = Line::new().pad_to(indent + bits_width - text::width(bits));
        line = line.add(style::BOLD, bits).plain("  ");
        let source_at = line.width();
        line = line.cell(style::PLACE, place, place_width).cell(style::PLAIN, op, op_width).add(style::DIM, r#type);
        if view.verbose && value.line > 0 {
            line = line.add(style::DIM, &format!("  line {}", value.line));
        }
        page.line(line);
        if value.place.is_some() && last_place != value.place {
            view.source_below(page, place, source_at + 4);
        }
        last_place.clone_from(&value.place);
    }
    if cut.len() > rows.len() {
        let more = &cut[rows.len()..];
        let sum = more.iter().fold(0u64, |sum, value| sum.saturating_add(value.bits));
        let says = format!("and {} more, {} in all", text::count(more.len(), "value", "values"), bits(sum));
        page.line(Line::new().pad_to(indent).add(style::DIM, &says));
    }
}

/// Bits, place, operation, type.
fn row(value: &CutValue) -> [String; 4] {
    let place = match (&value.place, &value.scope, value.line) {
        (Some(place), _, _) => place.clone(),
        (None, Some(scope), _) => scope.clone(),
        (None, None, 0) => "an input".to_owned(),
        (None, None, line) => format!("line {line}"),
    };
    [bits(value.bits), place, fold::short_operation(&value.op).to_owned(), value.r#type.clone()]
}

/// What is told apart in the list of groups, where they differ: channel, bits, code.
pub(super) fn columns(witness: &Witness) -> [String; 3] {
    let bound = witness.bits_per_step.map_or("no bound".to_owned(), |bound| format!("at most {}", bits(bound.at_most)));
    [witness.channel.as_str().to_owned(), bound, code::of_witness(witness).to_owned()]
}
