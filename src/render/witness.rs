//! A witness path, folded by scope and line, or every operation of it.

use crate::verdict::{Hop, Witness, WitnessStep};

use super::amount;
use super::fold::{self, Row, is_operation, short_operation};
use super::page::{Line, Page, style};
use super::terminal::SourceLines;
use super::text;

/// A path with more rows than this is shown with gaps, unless every operation is wanted.
const MANY_ROWS: usize = 12;
/// Of a long path at most so many rows are shown for the sake of the user's own lines.
const MOST_ROWS: usize = 16;
/// How many rows on either side of a gap stay.
const KEPT: usize = 3;

pub(super) struct PathView<'a> {
    pub(super) sources: &'a dyn SourceLines,
    pub(super) graphs: &'a [&'a str],
    pub(super) verbose: bool,
}

struct Columns {
    scope: usize,
    place: usize,
}

impl PathView<'_> {
    /// Writes the path.
    pub(super) fn write(&self, page: &mut Page, path: &[WitnessStep]) {
        let rows = fold::rows(path);
        let shown = if self.verbose { vec![true; rows.len()] } else { shown(&rows) };
        let columns = columns(page.width(), rows.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(row, _)| row));
        let mut last_place = None;
        let mut hinted = false;
        let mut position = 0;
        while position < rows.len() {
            let corner = match position {
                0 => "┌─ ",
                _ if position + 1 == rows.len() => "└─ ",
                _ => "├─ ",
            };
            if shown[position] {
                self.row(page, &rows[position], corner, &columns, &mut last_place);
                position += 1;
            } else {
                let length = shown[position..].iter().take_while(|shown| !**shown).count();
                gap(page, &rows[position..position + length], !std::mem::replace(&mut hinted, true));
                position += length;
                last_place = None;
            }
        }
    }

    fn row(&self, page: &mut Page, row: &Row<'_>, corner: &str, columns: &Columns, last_place: &mut Option<String>) {
        let first = row.first();
        if matches!(first.hop, Hop::Carried | Hop::Link | Hop::Environment) {
            self.crossing(page, first, corner);
            *last_place = None;
            return;
        }
        let gutter = if corner == "└─ " { "   " } else { "│  " };
        for note in row.notes() {
            let lead = Line::new().plain("  ").add(style::GUTTER, "│  ").add(style::HOP, "~ ");
            page.wrapped(lead, style::HOP, &note);
        }
        let line = Line::new().plain("  ").add(style::GUTTER, corner);
        if !is_operation(first) {
            let what = match first.hop {
                Hop::Sink => "a sink",
                Hop::Source => "an input that is a source",
                _ => "an input or output of the step",
            };
            page.line(line.add(style::BOLD, &first.op).plain("  ").add(style::DIM, what));
            return;
        }
        let scope = if row.scope.is_empty() { "-" } else { &row.scope };
        let place = row.place.unwrap_or("unknown place");
        let place_style = if row.place.is_some() { style::PLACE } else { style::DIM };
        let line = line.cell(style::BOLD, scope, columns.scope).cell(place_style, place, columns.place);
        let (operations, phase) = summary(row, page.width().saturating_sub(line.width()));
        page.line(line.plain(&operations).add(style::DIM, &phase));
        if let Some(place) = row.place
            && last_place.as_deref() != Some(place)
        {
            self.source_line(page, place, gutter);
            *last_place = Some(place.to_owned());
        }
        if self.verbose {
            self.steps(page, row, gutter);
        }
    }

    fn source_line(&self, page: &mut Page, place: &str, gutter: &str) {
        let lead = Line::new().plain("  ").add(style::GUTTER, gutter).plain("    ");
        self.source_after(page, place, lead);
    }

    /// Writes the user's line at a place, this far in.
    pub(super) fn source_below(&self, page: &mut Page, place: &str, indent: usize) {
        self.source_after(page, place, Line::new().pad_to(indent));
    }

    fn source_after(&self, page: &mut Page, place: &str, lead: Line) {
        let Some((file, line)) = place.rsplit_once(':') else { return };
        let Ok(line) = line.parse() else { return };
        if let Some(source) = self.sources.line(file, line).filter(|source| !source.trim().is_empty()) {
            let source = text::safe(source.trim()).into_owned();
            let room = page.width().saturating_sub(lead.width());
            page.line(lead.add(style::DIM, &text::elide_end(&source, room)));
        }
    }

    /// Every operation of a row.
    fn steps(&self, page: &mut Page, row: &Row<'_>, gutter: &str) {
        let names = row.steps.iter().map(|step| text::width(short_operation(&step.op))).max().unwrap_or(0);
        for step in &row.steps {
            let mut line = Line::new().plain("  ").add(style::GUTTER, gutter).plain("  ");
            line = line.cell(style::PLAIN, short_operation(&step.op), names.min(28)).plain(&step.r#type);
            if step.line > 0 {
                line = line.add(style::DIM, &format!("  line {}", step.line));
            }
            let own = row.place.unwrap_or("");
            if let Some(innermost) = step.innermost.as_deref().filter(|inner| !inner.starts_with(own) || own.is_empty())
            {
                let room = page.width().saturating_sub(line.width() + 6);
                line = line.add(style::DIM, &format!("  in {}", text::elide_middle(innermost, room)));
            }
            page.line(line);
        }
    }

    /// The strong break: from here on it is another step, another function, or after the world outside.
    fn crossing(&self, page: &mut Page, step: &WitnessStep, corner: &str) {
        let graph = self.graphs.get(step.graph).copied().filter(|_| self.graphs.len() > 1);
        let inside = graph.map(|name| format!(" of `{name}`")).unwrap_or_default();
        let what = match step.hop {
            Hop::Carried => format!("carried into the next step{inside}, as"),
            Hop::Link => format!("handed over{}, as", graph.map(|n| format!(" to `{n}`")).unwrap_or_default()),
            _ => format!("through the world outside{inside}, back in as"),
        };
        let last = corner == "└─ ";
        page.line(Line::new().plain("  ").add(style::GUTTER, "│"));
        let (start, fill) = if step.hop == Hop::Link {
            (if last { "└" } else { "├" }, "─")
        } else {
            (if last { "╘" } else { "╞" }, "═")
        };
        let mut line = Line::new().plain("  ").add(style::BREAK, start).add(style::BREAK, &fill.repeat(2)).plain(" ");
        line = line.add(style::BREAK, &what).plain(" ");
        let room = page.width().saturating_sub(line.width() + 4);
        line = line.add(style::BOLD, &text::elide_middle(&text::safe(&step.op), room)).plain(" ");
        let rest = page.width().min(100).saturating_sub(line.width());
        page.line(line.add(style::BREAK, &fill.repeat(rest)));
        if !last {
            page.line(Line::new().plain("  ").add(style::GUTTER, "│"));
        }
    }

    /// One line for each group of sinks; the first is the one whose path is shown. How much gets into each is said only
    /// where groups differ.
    pub(super) fn groups(&self, page: &mut Page, witnesses: &[Witness], sink: Option<&WitnessStep>) {
        const MANY_GROUPS: usize = 8;
        let many = if self.verbose { usize::MAX } else { MANY_GROUPS };
        let is_here = |witness: &Witness| sink.is_some_and(|sink| sink.op == witness.sink.to_string());
        let reason = witnesses.iter().find(|witness| is_here(witness)).map(|witness| &witness.channel_reason);
        let amounts: Vec<[String; 3]> = witnesses.iter().map(amount::columns).collect();
        let differ = amounts.windows(2).any(|pair| pair[0] != pair[1]);
        let rows: Vec<Vec<String>> = witnesses
            .iter()
            .zip(amounts)
            .take(many)
            .map(|(witness, amount)| {
                let counts = format!("{} of {} reached", witness.sinks_reached, witness.sinks);
                let start = [witness.group.to_string(), counts].into_iter();
                start.chain(amount.into_iter().filter(|_| differ)).collect()
            })
            .collect();
        let columns = rows.first().map_or(0, Vec::len);
        let width = |column: usize| rows.iter().map(|row| text::width(&text::safe(&row[column]))).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(|column| width(column).min(page.width() / 2)).collect();
        for (witness, row) in witnesses.iter().zip(&rows) {
            let mut line = Line::new().plain("     ");
            for (cell, width) in row.iter().zip(&widths) {
                line = line.cell(style::PLAIN, cell, *width);
            }
            let operations =
                || text::count(witness.path.iter().filter(|s| is_operation(s)).count(), "operation", "operations");
            let how = match (is_here(witness), witness.route.as_str(), differ) {
                (true, _, _) => "by the path above".to_owned(),
                (false, "step", _) => format!("in {}", operations()),
                (false, route, true) => route.to_owned(),
                (false, route, false) => format!("through {}", route_words(route)),
            };
            page.line(line.add(style::DIM, &how));
            if differ && !witness.channel_reason.is_empty() && reason != Some(&witness.channel_reason) {
                page.wrapped(Line::new().pad_to(7), style::DIM, &witness.channel_reason);
            }
        }
        if witnesses.len() > many {
            page.line(Line::new().add(style::DIM, &format!("     and {} more groups", witnesses.len() - many)));
        }
    }
}

pub(super) fn route_words(route: &str) -> &str {
    match route {
        "carried" => "a value that is carried into the next step",
        "environment" => "the world outside",
        _ => "this step",
    }
}

/// Which rows stay. Few: all. Else those that matter, both ends, and no gap of a single row.
fn shown(rows: &[Row<'_>]) -> Vec<bool> {
    let mut shown = vec![true; rows.len()];
    if rows.len() <= MANY_ROWS {
        return shown;
    }
    // The first gradient row says where the path gets into an update, and the row before a crossing what is carried:
    // they stay too.
    let mut last_phase = None;
    for (position, row) in rows.iter().enumerate() {
        let turns = row.phase != last_phase && row.phase.is_some();
        last_phase = row.phase.or(last_phase);
        // What is written before a crossing, and what reads it after.
        let crosses = rows.get(position + 1).is_some_and(|next| fold::stands_alone(next.first()));
        let arrives = position > 0 && fold::stands_alone(rows[position - 1].first());
        shown[position] =
            position < KEPT || position + KEPT >= rows.len() || row.matters() || turns || crosses || arrives;
    }
    // Where there is room, lines of the file in which the source stands: the user's own, rather than plumbing.
    let file = |row: &Row<'_>| row.place.and_then(|place| place.rsplit_once(':')).map(|(file, _)| file.to_owned());
    let own = file(&rows[0]);
    let mut room = MOST_ROWS.saturating_sub(shown.iter().filter(|shown| **shown).count());
    for (row, shown) in rows.iter().zip(&mut shown) {
        if room > 0 && !*shown && own.is_some() && file(row) == own {
            *shown = true;
            room -= 1;
        }
    }
    for position in 1..rows.len() - 1 {
        if shown[position - 1] && shown[position + 1] {
            shown[position] = true;
        }
    }
    shown
}

/// Rows that are not shown, in one line; the first time with how to see them.
fn gap(page: &mut Page, rows: &[Row<'_>], hint: bool) {
    let operations: usize = rows.iter().map(|row| row.operations().1).sum();
    let mut scopes: Vec<&str> = Vec::new();
    for row in rows {
        if !row.scope.is_empty() && !scopes.contains(&row.scope.as_str()) {
            scopes.push(&row.scope);
        }
    }
    let within = match scopes.as_slice() {
        [] => String::new(),
        scopes => format!(" in {}", text::list(scopes, 4)),
    };
    let mut places: Vec<&str> = rows.iter().filter_map(|row| row.place).collect();
    places.sort_unstable();
    places.dedup();
    let places = text::count(places.len(), "line", "lines");
    let hint = if hint { " (`--verbose` shows them)" } else { "" };
    let what = format!("{} on {places}{within}{hint}", text::count(operations, "operation", "operations"));
    let lead = Line::new().plain("  ").add(style::GUTTER, "┆").plain("  ").add(style::DIM, "… ");
    page.wrapped(lead, style::DIM, &what);
}

fn columns<'a, 'b: 'a>(width: usize, rows: impl Iterator<Item = &'a Row<'b>>) -> Columns {
    let room = width.saturating_sub(9);
    let mut columns = Columns { scope: 1, place: 1 };
    for row in rows.filter(|row| is_operation(row.first())) {
        columns.scope = columns.scope.max(text::width(&text::safe(&row.scope)));
        columns.place = columns.place.max(text::width(&text::safe(row.place.unwrap_or("unknown place"))));
    }
    columns.place = columns.place.min(room * 11 / 20);
    columns.scope = columns.scope.min(room / 4);
    columns
}

/// The operations of a row and its phase, in this much room.
fn summary(row: &Row<'_>, room: usize) -> (String, String) {
    let (names, number) = row.operations();
    let phase = row.phase.map_or(String::new(), |phase| format!("  {}", phase.as_str()));
    let names: Vec<_> = names.into_iter().map(text::safe).collect();
    for limit in (1..=names.len().min(4)).rev() {
        let more = if limit < names.len() { ", …" } else { "" };
        let times = if number > 1 { format!(" ({number})") } else { String::new() };
        let list = format!("{}{more}{times}", names[..limit].join(", "));
        if text::width(&list) + text::width(&phase) <= room {
            return (list, phase);
        }
    }
    (text::elide_end(&names[0], room).into_owned(), String::new())
}
