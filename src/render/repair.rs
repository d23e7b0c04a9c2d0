//! What to do: the repair that was found, or where to look first.

use crate::verdict::{InvariantReport, Repair, RepairAction, RepairKind, RepairOutcome};

use super::page::{Line, Page, style};
use super::terminal::list;
use super::witness::PathView;
use super::{advice, fold, text};

const TITLE: &str = "  what to do";
/// So many actions are shown, unless everything is wanted.
const MANY_ACTIONS: usize = 8;

pub(super) fn what_to_do(page: &mut Page, invariant: &InvariantReport, view: &PathView<'_>) {
    let advice = advice::advice(invariant);
    match &invariant.repair {
        Some(repair) if repair.outcome == RepairOutcome::Impossible => {
            list(page, TITLE, style::BOLD, impossible(repair).iter());
        }
        Some(repair) if repair.outcome == RepairOutcome::Found && !repair.actions.is_empty() => {
            page.blank();
            page.wrapped(Line::new().add(style::BOLD, TITLE).plain("  "), style::DIM, &size(repair));
            actions(page, &repair.actions, view);
        }
        Some(repair) => {
            let least = text::count(repair.lower_bound as usize, "cut", "cuts");
            let none = format!("No repair was found within the limits; any has at least {least}.");
            let items: Vec<String> = std::iter::once(none).chain(advice).collect();
            list(page, TITLE, style::BOLD, items.iter());
        }
        None => list(page, TITLE, style::BOLD, advice.iter()),
    }
}

/// `1 cut, no smaller repair exists; verified: with it the invariant holds`.
fn size(repair: &Repair) -> String {
    let cuts = text::count(repair.actions.len(), "cut", "cuts");
    let least = match repair.exact {
        true => "no smaller repair exists".to_owned(),
        false => format!("the best found, at least {} needed", text::thousands(repair.lower_bound.into())),
    };
    let them = if repair.actions.len() == 1 { "it" } else { "them" };
    let verified = match repair.verified {
        true => format!("verified: with {them} the invariant holds"),
        false => format!("not verified: check again with {them}"),
    };
    format!("{cuts}, {least}; {verified}")
}

fn impossible(repair: &Repair) -> Vec<String> {
    let proof = match repair.exact {
        true => "What must be cut is what must stay reached, whatever is cut.",
        false => "What must be cut is what must stay reached in every way that was tried; this is not proved.",
    };
    vec![
        format!("No repair: one parameter set is both boxes. {proof}"),
        "Give beliefs and desires parameters of their own, or bound what gets through, with `max_channel` or \
         `max_bits_per_step`."
            .to_owned(),
    ]
}

fn actions(page: &mut Page, actions: &[RepairAction], view: &PathView<'_>) {
    let many = if view.verbose { usize::MAX } else { MANY_ACTIONS };
    let places: Vec<String> = actions.iter().take(many).map(place).collect();
    let width = places.iter().map(|place| text::width(&text::safe(place))).max().unwrap_or(0).min(page.width() / 2);
    let mut last_place = None;
    for (action, place) in actions.iter().zip(&places) {
        let line = Line::new().pad_to(4).add(style::DIM, "- ").cell(style::PLACE, place, width);
        let line = line.add(style::BOLD, kind(action.kind));
        page.line(match &action.function {
            Some(function) => line.add(style::DIM, &format!("  in {}", fold::short_function(function))),
            None => line,
        });
        if action.place.is_some() && last_place != action.place.as_ref() {
            view.source_below(page, place, 10);
        }
        last_place = action.place.as_ref();
        page.wrapped(Line::new().pad_to(6), style::PLAIN, &action.advice);
    }
    if actions.len() > places.len() {
        let more = actions.len() - places.len();
        page.line(Line::new().add(style::DIM, &format!("    and {more} more (`--verbose` shows them)")));
    }
}

fn place(action: &RepairAction) -> String {
    let op = fold::short_operation(&action.op);
    match (&action.place, action.line) {
        (Some(place), _) => place.clone(),
        (None, 0) => op.to_owned(),
        (None, line) => format!("{op}, line {line}"),
    }
}

fn kind(kind: RepairKind) -> &'static str {
    match kind {
        RepairKind::StopGradient => "stop the gradient",
        RepairKind::SplitClip => "split the clip",
        RepairKind::SplitOptimizer => "split the optimizer",
        RepairKind::SplitCheck => "split the check",
        RepairKind::SplitKey => "split the key",
        RepairKind::MaskByWhere => "mask by `jnp.where`",
        RepairKind::SplitState => "split the state",
        RepairKind::DoNotUse => "do not use it there",
    }
}
