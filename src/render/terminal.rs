//! A report for a person at a terminal.
//!
//! What a reader must understand at once comes first: the verdict, where the reward is made, the hops to the update in
//! the user's own lines, the sink, and where to cut.

use anstyle::Style;

use crate::verdict::{Channel, Confirmed, Hop, InvariantReport, RunReport, Verdict, Within, Witness};

use super::fold;
use super::page::{Line, Page, style};
use super::witness::{PathView, route_words};
use super::{amount, code, repair, sections, text};

/// How a report is shown.
#[derive(Clone, Copy, Debug)]
pub struct TerminalOptions {
    /// With colours, as ANSI escapes.
    pub color: bool,
    /// Every operation of every path, and frames inside libraries.
    pub verbose: bool,
    /// How many columns there are. Nothing is wider, down to 40.
    pub width: usize,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        TerminalOptions { color: false, verbose: false, width: 100 }
    }
}

/// The user's source, if the caller found it.
pub trait SourceLines {
    /// A line of a file, counted from 1.
    fn line(&self, file: &str, line: u32) -> Option<String>;
}

/// No source was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSource;

impl SourceLines for NoSource {
    fn line(&self, _file: &str, _line: u32) -> Option<String> {
        None
    }
}

/// The whole report.
pub fn report(report: &RunReport, options: &TerminalOptions, sources: &dyn SourceLines) -> String {
    let mut page = Page::new(options.color, options.width);
    let graphs: Vec<&str> =
        std::iter::once(&report.graph).chain(&report.more_graphs).map(|graph| &*graph.name).collect();
    let view = PathView { sources, graphs: &graphs, verbose: options.verbose };
    let mut done = vec![false; report.invariants.len()];
    for position in 0..report.invariants.len() {
        if done[position] {
            continue;
        }
        let invariant = &report.invariants[position];
        let mut twins = vec![invariant];
        for (other, done) in report.invariants.iter().zip(&mut done).skip(position + 1) {
            if !*done && same_answer(invariant, other) && twins.iter().all(|twin| twin.within != other.within) {
                *done = true;
                twins.push(other);
            }
        }
        let shown = report.invariants[..position].iter().find(|other| same_path(invariant, other));
        page.blank();
        one(&mut page, &twins, shown, &view);
    }
    let many = if options.verbose { usize::MAX } else { 12 };
    sections::substrate(&mut page, report, many);
    sections::carried(&mut page, report, many);
    sections::requires(&mut page, report);
    sections::waivers(&mut page, report);
    sections::not_shown(&mut page, report);
    sections::summary(&mut page, report);
    page.finish()
}

/// Whether two entries are one invariant over one step and over a run, and get one answer with one piece of evidence.
/// What they rest on may differ; the block that they share says so.
fn same_answer(one: &InvariantReport, other: &InvariantReport) -> bool {
    one.from == other.from
        && one.to == other.to
        && one.within != other.within
        && one.verdict == other.verdict
        && one.sinks_reached == other.sinks_reached
        && one.waived == other.waived
        && one.confirmed == other.confirmed
        && one.witness == other.witness
        && one.opaque == other.opaque
        && one.reasons == other.reasons
        && one.bounds == other.bounds
        && (one.channel, one.bits_per_step) == (other.channel, other.bits_per_step)
        && (one.refined, one.only_if_not_finite) == (other.refined, other.only_if_not_finite)
        && one.repair == other.repair
        && witnesses_agree(one, other)
}

/// Whether the path of an entry has been shown by another: the same invariant, perhaps with fewer sinks reached.
fn same_path(one: &InvariantReport, other: &InvariantReport) -> bool {
    one.from == other.from
        && one.to == other.to
        && !one.witness.is_empty()
        && one.witness == other.witness
        && other.waived.is_none()
}

fn witnesses_agree(one: &InvariantReport, other: &InvariantReport) -> bool {
    let agree = |(one, other): (&Witness, &Witness)| {
        one.group == other.group
            && (one.sinks_reached, one.sinks) == (other.sinks_reached, other.sinks)
            && amount::columns(one) == amount::columns(other)
            && one.channel_reason == other.channel_reason
            && one.cut == other.cut
    };
    one.witnesses.len() == other.witnesses.len() && one.witnesses.iter().zip(&other.witnesses).all(agree)
}

/// What a reader of a coarse answer should know.
const COARSE: &str = "Parts of tensors were not told apart here: a step that routes by a mask, or ravels both groups into \
                      one vector, can be a false alarm.";

/// How far, in words.
fn reach(within: &[Within], holds: bool) -> String {
    let one = |within: &Within| match (within, holds) {
        (Within::Step, _) => "within one step",
        (Within::Run, true) => "over any number of steps",
        (Within::Run, false) => "over several steps",
    };
    match within {
        [only] => one(only).to_owned(),
        [_, _, ..] if holds => "within one step, and over any number of steps".to_owned(),
        [first, ..] => one(first).to_owned(),
        [] => String::new(),
    }
}

/// The colour of a verdict.
pub(super) fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Holds => style::GOOD,
        Verdict::Violated => style::BAD,
        Verdict::Vacuous | Verdict::Undetermined => style::OPEN,
    }
}

/// `violated[OL100]: `, `violated[OL110] shared-clip: `.
pub(super) fn verdict_word(verdict: Verdict, code: Option<&str>) -> Line {
    let name = code.and_then(code::mechanism).map(|name| format!(" {name}")).unwrap_or_default();
    let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
    let word = Line::new().add(verdict_style(verdict), &format!("{}{code}", verdict.as_str()));
    word.add(style::BOLD, &format!("{name}: "))
}

fn headline(page: &mut Page, twins: &[&InvariantReport]) {
    let invariant = twins[0];
    let within: Vec<Within> = twins.iter().map(|twin| twin.within).collect();
    let (from, to) = (fold::selector_names(&invariant.from), fold::selector_names(&invariant.to));
    let waived = invariant.waived.is_some();
    let (lead, sentence) = match invariant.verdict {
        Verdict::Holds if amount::is_within_bounds(invariant) => {
            let lead = Line::new().add(style::GOOD, Verdict::Holds.as_str()).add(style::BOLD, " within its bounds: ");
            let passes = amount::in_short(invariant.channel, invariant.bits_per_step);
            (lead, format!("{passes}, from {from} to {to} {}", reach(&within, true)))
        }
        Verdict::Holds => {
            (verdict_word(Verdict::Holds, None), format!("nothing from {from} reaches {to} {}", reach(&within, true)))
        }
        Verdict::Violated => {
            let lead = verdict_word(Verdict::Violated, code::of_invariant(invariant));
            let lead = if waived { Line::new().add(style::OPEN, "waived ").append(lead) } else { lead };
            let crosses = invariant.witness.iter().any(|step| matches!(step.hop, Hop::Carried | Hop::Environment));
            let reach = match within.as_slice() {
                [Within::Run] if !crosses => "over a run, already within one step".to_owned(),
                within => reach(within, false),
            };
            let beyond = if invariant.bounds.is_empty() { "" } else { ", beyond its bounds" };
            (lead, format!("information from {from} reaches {to} {reach}{beyond}"))
        }
        Verdict::Vacuous => (
            verdict_word(Verdict::Vacuous, code::of_invariant(invariant)),
            format!("there was nothing to check between {from} and {to}"),
        ),
        Verdict::Undetermined => (
            verdict_word(Verdict::Undetermined, code::of_invariant(invariant)),
            format!("whether {from} reaches {to} {} is not known", reach(&within, true)),
        ),
    };
    let mut lead = Some(lead);
    let indent = lead.as_ref().map_or(0, Line::width);
    let shown = text::safe(&sentence).into_owned();
    for part in text::wrap(&shown, page.width().saturating_sub(indent)) {
        let start = lead.take().unwrap_or_else(|| Line::new().pad_to(indent));
        page.line(start.add(style::BOLD, &part));
    }
    let selectors = format!("{} to {}", invariant.from.join(", "), invariant.to.join(", "));
    let mut names: Vec<&str> = Vec::new();
    for twin in twins {
        let says_no_more = twin.from.iter().chain(&twin.to).all(|selector| twin.name.contains(&**selector));
        if !says_no_more && !names.contains(&&*twin.name) {
            names.push(&twin.name);
        }
    }
    let name = match names.as_slice() {
        [] => selectors,
        names => format!("{} ({selectors})", names.join(", ")),
    };
    page.wrapped(Line::new().add(style::DIM, "  invariant  "), style::DIM, &name);
}

/// One answer: of one entry, or of several that differ only in how far they look. `shown` has the same path and came
/// before.
fn one(page: &mut Page, twins: &[&InvariantReport], shown: Option<&InvariantReport>, view: &PathView<'_>) {
    let invariant = twins[0];
    headline(page, twins);
    if let Some(reason) = &invariant.waived {
        page.wrapped(Line::new().add(style::OPEN, "  waived     "), style::PLAIN, reason);
    }
    match invariant.verdict {
        Verdict::Violated => violated(page, twins, shown, view),
        Verdict::Holds => {
            let reached = match invariant.sinks_reached {
                0 => format!("none of {} is reached", text::count(invariant.sinks, "sink", "sinks")),
                _ => reached(invariant),
            };
            let sources = text::count(invariant.sources, "source operation or input", "source operations and inputs");
            let counts = format!("{reached} from {sources}");
            page.wrapped(Line::new().add(style::DIM, "  checked    "), style::DIM, &counts);
            amount::facts(page, invariant);
            amount::narrowest(page, invariant, view);
        }
        Verdict::Vacuous | Verdict::Undetermined => {
            amount::facts(page, invariant);
            if !invariant.reasons.is_empty() {
                page.blank();
            }
            for reason in &invariant.reasons {
                page.item(2, reason);
            }
            opaque(page, invariant, view.verbose);
        }
    }
    let environment_paths = union(twins, |twin| &twin.environment);
    environment(page, &environment_paths);
    // A violation stands whatever else is assumed.
    if invariant.verdict != Verdict::Violated || view.verbose {
        list(page, "  it rests on", style::BOLD, invariant.assumptions.iter());
        let more = union(twins, |twin| &twin.assumptions).split_off(invariant.assumptions.len());
        let title = match twins.get(1).map(|twin| twin.within) {
            Some(Within::Step) => "  within one step also on",
            _ => "  over several steps also on",
        };
        list(page, title, style::BOLD, more.into_iter());
    }
    let coarse = COARSE.to_owned();
    let is_measured = invariant.channel != Channel::None && invariant.waived.is_none();
    let is_coarse = invariant.verdict == Verdict::Violated && is_measured && !invariant.refined;
    let mut mind = union(twins, |twin| &twin.warnings);
    mind.extend(is_coarse.then_some(&coarse));
    list(page, "  mind", style::OPEN, mind.into_iter());
    // The path was shown before, and what to do about it with it, unless this looks further and needs more.
    let was_said = shown.is_some_and(|shown| invariant.repair.is_none() || invariant.repair == shown.repair);
    if !was_said && (invariant.waived.is_none() || view.verbose) {
        repair::what_to_do(page, invariant, view);
    }
}

fn violated(page: &mut Page, twins: &[&InvariantReport], shown: Option<&InvariantReport>, view: &PathView<'_>) {
    let invariant = twins[0];
    let sources = text::count(invariant.sources, "source operation or input", "source operations and inputs");
    let mut facts = vec![format!("{} from {sources}", reached(invariant))];
    match invariant.confirmed {
        Confirmed::Yes => facts.push("confirmed by paired runs".to_owned()),
        Confirmed::No => facts.push("paired runs did not show it".to_owned()),
        Confirmed::Untested => {}
    }
    page.wrapped(Line::new().add(style::DIM, "  evidence   "), style::DIM, &facts.join("; "));
    amount::facts(page, invariant);
    for twin in &twins[1..] {
        let lead = Line::new().plain("  ").add(style::BAD, twin.within.as_str()).plain(": ").pad_to(13);
        page.wrapped(lead, style::PLAIN, "violated by the same path");
    }
    if let Some(shown) = shown {
        let says = format!("the one shown above for `{}`", shown.within.as_str());
        page.wrapped(Line::new().add(style::DIM, "  path       "), style::PLAIN, &says);
    }
    if invariant.waived.is_some() && !view.verbose {
        return;
    }
    if let Some(first) = invariant.witness.first().filter(|_| shown.is_none()) {
        page.blank();
        let made = if fold::is_operation(first) { "is made here" } else { "comes in here" };
        let source = match invariant.from.as_slice() {
            [_] => fold::selector_names(&invariant.from),
            _ => "the source".to_owned(),
        };
        page.line(Line::new().plain("  ").add(style::BOLD, &source).plain(" ").add(style::BOLD, made));
        view.write(page, &invariant.witness);
    }
    if !invariant.witnesses.is_empty() {
        page.blank();
        page.line(Line::new().plain("  ").add(style::BOLD, "sinks that are reached"));
        view.groups(page, &invariant.witnesses, invariant.witness.last());
    }
    if shown.is_none_or(|shown| !witnesses_agree(invariant, shown)) {
        amount::narrowest(page, invariant, view);
    }
}

/// `24 of 72 sinks reached`.
fn reached(invariant: &InvariantReport) -> String {
    let reached = text::thousands(invariant.sinks_reached as u128);
    format!("{reached} of {} reached", text::count(invariant.sinks, "sink", "sinks"))
}

/// What several entries say, each thing once.
fn union<'a, T: PartialEq>(
    twins: &[&'a InvariantReport],
    part: impl Fn(&'a InvariantReport) -> &'a Vec<T>,
) -> Vec<&'a T> {
    let mut all: Vec<&T> = part(twins[0]).iter().collect();
    for item in twins[1..].iter().flat_map(|twin| part(twin)) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}

pub(super) fn list<'a>(page: &mut Page, title: &str, style: Style, items: impl ExactSizeIterator<Item = &'a String>) {
    if items.len() == 0 {
        return;
    }
    page.blank();
    page.line(Line::new().add(style, title));
    for item in items {
        page.item(4, item);
    }
}

fn opaque(page: &mut Page, invariant: &InvariantReport, verbose: bool) {
    if invariant.opaque.is_empty() {
        return;
    }
    let many = if verbose { usize::MAX } else { 6 };
    page.blank();
    page.line(Line::new().plain("  ").add(style::BOLD, "what stands between"));
    for operation in invariant.opaque.iter().take(many) {
        let mut line = Line::new().plain("    ").add(style::OPEN, fold::short_operation(&operation.op));
        if let Some(place) = &operation.place {
            let room = page.width().saturating_sub(line.width() + 2);
            line = line.plain("  ").add(style::PLACE, &text::elide_middle(&text::safe(place), room.max(16)));
        }
        if let Some(scope) = &operation.scope {
            line = line.plain("  ").add(style::DIM, scope);
        }
        if operation.line > 0 && (operation.place.is_none() || verbose) {
            line = line.add(style::DIM, &format!("  line {}", operation.line));
        }
        page.line(line);
        page.wrapped(Line::new().plain("      "), style::PLAIN, &operation.why);
    }
    if invariant.opaque.len() > many {
        page.line(Line::new().add(style::DIM, &format!("    and {} more", invariant.opaque.len() - many)));
    }
}

fn environment(page: &mut Page, witnesses: &[&Witness]) {
    if witnesses.is_empty() {
        return;
    }
    page.blank();
    page.line(Line::new().plain("  ").add(style::BOLD, "listed, not denied: routes through the world outside"));
    for witness in witnesses {
        let edge = witness.path.iter().find(|step| step.hop == Hop::Environment);
        let through = edge.map(|step| format!(", back in as `{}`", step.op)).unwrap_or_default();
        let passes = amount::in_short(witness.channel, witness.bits_per_step);
        page.item(
            4,
            &format!(
                "{}: {} of {} reached through {}{through} ({passes})",
                witness.group,
                witness.sinks_reached,
                text::count(witness.sinks, "sink", "sinks"),
                route_words(witness.route.as_str())
            ),
        );
    }
}
