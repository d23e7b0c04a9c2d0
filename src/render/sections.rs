//! What a report says beside its verdicts: what the probe reads, what is carried, positive controls, waivers, counts.

use crate::verdict::{GraphReport, RunReport, SubstrateRead, Verdict};

use super::fold;
use super::page::{Line, Page, style};
use super::terminal::{verdict_style, verdict_word};
use super::{code, text};

fn title(page: &mut Page, title: &str, aside: &str) {
    page.blank();
    let lead = Line::new().add(style::BOLD, title);
    if aside.is_empty() {
        page.line(lead);
    } else {
        page.wrapped(lead.plain("  "), style::DIM, aside);
    }
}

/// What the probe reads, and who moves that.
pub(super) fn substrate(page: &mut Page, report: &RunReport, many: usize) {
    for part in &report.substrate {
        let head = format!("what {} reads", fold::selector_names(&part.from));
        title(page, &head, "drift of what it reads is not covered by `holds`");
        if part.reads.is_empty() {
            page.line(Line::new().add(style::DIM, "  no input of the step"));
        }
        let names: Vec<String> = part.reads.iter().map(|read| read.input.to_string()).collect();
        let width = names.iter().map(|name| text::width(&text::safe(name))).max().unwrap_or(0).min(page.width() / 3);
        for (read, name) in part.reads.iter().zip(&names).take(many) {
            let (word, how) = if read.moves { ("updated", style::OPEN) } else { ("frozen", style::GOOD) };
            let lead = Line::new().plain("  ").cell(style::PLAIN, name, width).cell(how, word, 7);
            page.wrapped(lead, style::PLAIN, &moves(read));
        }
        more(page, part.reads.len().saturating_sub(many));
    }
}

fn moves(read: &SubstrateRead) -> String {
    let mut says = vec![text::count(read.leaves, "leaf", "leaves")];
    if read.updated_value {
        says.push("read after the update".to_owned());
    }
    if read.moves {
        let inputs: Vec<String> = read.moved_by_inputs.iter().map(ToString::to_string).collect();
        match (read.moved_by_scopes.as_slice(), inputs.as_slice()) {
            ([], []) => says.push("moved by nothing that has a name".to_owned()),
            ([], inputs) => says.push(format!("moved by what comes in as {}", text::list(inputs, 5))),
            (scopes, []) => says.push(format!("moved by the gradient of {}", text::list(scopes, 5))),
            (scopes, inputs) => {
                says.push(format!("moved by the gradient of {}, from {}", text::list(scopes, 5), text::list(inputs, 5)))
            }
        }
    }
    says.join("; ")
}

/// What goes from step to step, in short.
pub(super) fn carried(page: &mut Page, report: &RunReport, many: usize) {
    let graphs: Vec<&GraphReport> = std::iter::once(&report.graph).chain(&report.more_graphs).collect();
    if graphs.iter().all(|graph| graph.carried.is_empty()) {
        return;
    }
    title(page, "carried from step to step", "");
    for graph in &graphs {
        for pair in graph.carried.iter().take(many) {
            let name = if graphs.len() > 1 { format!("{}: ", graph.name) } else { String::new() };
            let unused = match pair.unused_inputs {
                0 => String::new(),
                unused => format!(", {unused} not used by the step"),
            };
            let lead = Line::new().plain("  ").add(style::DIM, &name);
            let says = format!("{} becomes {}", pair.output, pair.input);
            let leaves = text::count(pair.leaves, "leaf", "leaves");
            let aside = format!("  {leaves}{unused}, by {}", pair.found_by);
            let room = page.width().saturating_sub(lead.width() + text::width(&aside)).max(20);
            page.line(lead.plain(&text::elide_middle(&text::safe(&says), room)).add(style::DIM, &aside));
        }
        more(page, graph.carried.len().saturating_sub(many));
    }
}

fn more(page: &mut Page, hidden: usize) {
    if hidden > 0 {
        page.line(Line::new().add(style::DIM, &format!("  and {} more", text::thousands(hidden as u128))));
    }
}

/// Positive controls.
pub(super) fn requires(page: &mut Page, report: &RunReport) {
    for require in &report.requires {
        page.blank();
        let (from, to) = (fold::selector_names(&require.from), fold::selector_names(&require.to));
        let says = match require.verdict {
            Verdict::Holds => format!(
                "required flow: {from} reaches {} of {} of {to}, as it must",
                require.sinks_reached,
                text::count(require.sinks, "sink", "sinks")
            ),
            Verdict::Violated => format!("required flow: nothing from {from} reaches {to}, and it must"),
            Verdict::Vacuous | Verdict::Undetermined => {
                format!("required flow: whether {from} reaches {to} could not be checked")
            }
        };
        let lead = verdict_word(require.verdict, code::of_require(require));
        page.wrapped(lead, style::PLAIN, &says);
        page.wrapped(Line::new().add(style::DIM, "  require    "), style::DIM, &require.name);
        for reason in &require.reasons {
            page.item(2, reason);
        }
    }
}

/// Expired and unused waivers.
pub(super) fn waivers(page: &mut Page, report: &RunReport) {
    for waiver in &report.waivers {
        page.blank();
        let word = format!("waiver {}[{}]", waiver.problem, code::WAIVER);
        let lead = Line::new().add(style::BAD, &word).add(style::BOLD, ": ");
        page.wrapped(lead, style::PLAIN, &waiver.message);
        page.wrapped(Line::new().add(style::DIM, "  invariant  "), style::DIM, &waiver.invariant);
    }
}

/// What no verdict of the report says.
pub(super) fn not_shown(page: &mut Page, report: &RunReport) {
    if report.not_shown.is_empty() {
        return;
    }
    title(page, "what this does not show", "");
    for item in &report.not_shown {
        page.item(2, item);
    }
}

/// The last lines: what was checked, how many of each, and what the exit code means.
pub(super) fn summary(page: &mut Page, report: &RunReport) {
    page.blank();
    page.line(Line::new().add(style::GUTTER, &"─".repeat(page.width().min(100))));
    for graph in std::iter::once(&report.graph).chain(&report.more_graphs) {
        let size = format!(
            "{}, {}, {} in, {} out",
            text::count(graph.operations, "operation", "operations"),
            text::count(graph.functions, "function", "functions"),
            text::thousands(graph.inputs as u128),
            text::thousands(graph.outputs as u128)
        );
        let name = if graph.name.is_empty() { String::new() } else { format!("  {}", graph.name) };
        let rest = text::width(&text::safe(&name)) + text::width(&size) + 2;
        let room = page.width().saturating_sub(rest).max(page.width() / 3);
        let line = Line::new().add(style::PLACE, &text::elide_middle(&text::safe(&graph.file), room));
        page.line(line.plain(&name).add(style::DIM, &format!("  {size}")));
    }
    let waived = report.invariants.iter().filter(|invariant| invariant.waived.is_some()).count();
    let mut line = Line::new();
    let mut first = true;
    for verdict in [Verdict::Violated, Verdict::Undetermined, Verdict::Vacuous, Verdict::Holds] {
        let number = report.invariants.iter().filter(|one| one.verdict == verdict && one.waived.is_none()).count();
        if number > 0 {
            line = line.plain(if first { "" } else { ", " });
            line = line.add(verdict_style(verdict), &format!("{number} {}", verdict.as_str()));
            first = false;
        }
    }
    if waived > 0 {
        line = line.plain(if first { "" } else { ", " }).add(style::OPEN, &format!("{waived} waived"));
        first = false;
    }
    let lead = if first { line.plain("no invariant was checked") } else { line };
    page.wrapped(lead.plain(", "), style::PLAIN, exit_meaning(report));
    let codes = codes(report);
    if !codes.is_empty() {
        let pages: Vec<String> = codes.iter().map(|code| format!("`openloop explain {code}`")).collect();
        page.wrapped(Line::new().add(style::DIM, "more: "), style::DIM, &text::list(&pages, 4));
    }
}

fn exit_meaning(report: &RunReport) -> &'static str {
    let violated = Verdict::Violated;
    let by_invariant = report.invariants.iter().any(|one| one.verdict == violated && one.waived.is_none());
    let by_require = report.requires.iter().any(|one| one.verdict == violated);
    match report.exit_code() {
        0 => "exit 0: every invariant holds or is waived",
        1 if by_invariant => "exit 1: an invariant is violated and no waiver accepts it",
        1 if by_require => "exit 1: a required flow is missing",
        1 => "exit 1: a waiver is expired or unused",
        _ if report.invariants.iter().all(|one| matches!(one.verdict, Verdict::Holds | Verdict::Violated)) => {
            "exit 3: a required flow could not be decided, which is not a pass"
        }
        _ => "exit 3: something could not be decided, which is not a pass",
    }
}

/// The codes that the report shows, in the order in which they are first shown.
fn codes(report: &RunReport) -> Vec<&str> {
    let mut codes: Vec<&str> = Vec::new();
    let shown = report
        .invariants
        .iter()
        .flat_map(code::of_answer)
        .chain(report.requires.iter().filter_map(code::of_require))
        .chain(report.waivers.iter().map(|_| code::WAIVER));
    for code in shown {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}
