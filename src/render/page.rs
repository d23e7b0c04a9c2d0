//! Lines in colour that fit the width of a terminal.
//!
//! **Invariant**: the only way to put text on a [`Page`] is a [`Line`], and a line makes all its text safe.

use anstyle::{AnsiColor, Style};

use super::text;

/// Colours by what they mean. Only the eight basic colours: a terminal's theme makes them readable on its ground.
pub(super) mod style {
    use super::*;

    pub(in crate::render) const PLAIN: Style = Style::new();
    pub(in crate::render) const BOLD: Style = Style::new().bold();
    pub(in crate::render) const DIM: Style = Style::new().dimmed();
    pub(in crate::render) const BAD: Style = AnsiColor::Red.on_default().bold();
    pub(in crate::render) const GOOD: Style = AnsiColor::Green.on_default().bold();
    pub(in crate::render) const OPEN: Style = AnsiColor::Yellow.on_default().bold();
    pub(in crate::render) const PLACE: Style = AnsiColor::Cyan.on_default();
    pub(in crate::render) const HOP: Style = AnsiColor::Magenta.on_default();
    pub(in crate::render) const BREAK: Style = AnsiColor::Magenta.on_default().bold();
    pub(in crate::render) const GUTTER: Style = AnsiColor::Blue.on_default();
}

/// One line, in pieces of one style each.
#[derive(Clone, Default)]
pub(super) struct Line {
    pieces: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Line::default()
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Adds text, made safe.
    pub(super) fn add(mut self, style: Style, text: &str) -> Self {
        let shown = text::safe(text);
        self.width += text::width(&shown);
        self.pieces.push((style, shown.into_owned()));
        self
    }

    /// Adds the pieces of another line.
    pub(super) fn append(mut self, other: Line) -> Self {
        self.width += other.width;
        self.pieces.extend(other.pieces);
        self
    }

    /// Adds unstyled text, made safe.
    pub(super) fn plain(self, text: &str) -> Self {
        self.add(style::PLAIN, text)
    }

    /// Adds spaces up to a column.
    pub(super) fn pad_to(mut self, column: usize) -> Self {
        if column > self.width {
            self.pieces.push((style::PLAIN, " ".repeat(column - self.width)));
            self.width = column;
        }
        self
    }

    /// Adds text in a column of this width: elided in the middle, or padded, and two spaces.
    pub(super) fn cell(self, style: Style, text: &str, width: usize) -> Self {
        let column = self.width + width;
        let shown = text::safe(text);
        self.add(style, &text::elide_middle(&shown, width)).pad_to(column + 2)
    }
}

/// The text that is being made.
pub(super) struct Page {
    out: String,
    color: bool,
    width: usize,
}

impl Page {
    pub(super) fn new(color: bool, width: usize) -> Self {
        Page { out: String::new(), color, width: width.clamp(40, 400) }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An empty line; two never follow each other.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Writes a line; what does not fit is cut off.
    pub(super) fn line(&mut self, line: Line) {
        let cut = line.width > self.width;
        let mut room = if cut { self.width - 1 } else { self.width };
        let mut written = String::new();
        for (style, text) in &line.pieces {
            let text = if cut { text::fitting(text, room) } else { text };
            room = room.saturating_sub(text::width(text));
            if self.color && *style != Style::new() && !text.trim().is_empty() {
                written.push_str(&format!("{style}{text}{style:#}"));
            } else {
                written.push_str(text);
            }
        }
        if cut {
            written.push('…');
        }
        self.out.push_str(written.trim_end());
        self.out.push('\n');
    }

    /// Writes text after a lead, wrapped; later lines are indented as far as the lead reaches.
    pub(super) fn wrapped(&mut self, lead: Line, style: Style, text: &str) {
        let indent = lead.width();
        let shown = text::safe(text);
        let mut lead = Some(lead);
        for part in text::wrap(&shown, self.width.saturating_sub(indent)) {
            let start = lead.take().unwrap_or_else(|| Line::new().pad_to(indent));
            self.line(start.add(style, &part));
        }
    }

    /// Writes an item of a list, wrapped.
    pub(super) fn item(&mut self, indent: usize, text: &str) {
        self.wrapped(Line::new().pad_to(indent).add(style::DIM, "- "), style::PLAIN, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_width_and_two_blanks_are_one() {
        let mut page = Page::new(false, 40);
        page.blank();
        page.line(Line::new().plain(&"x".repeat(60)));
        page.blank();
        page.blank();
        page.item(2, &"word ".repeat(20));
        let text = page.finish();
        assert!(text.lines().all(|line| text::width(line) <= 40), "{text}");
        assert!(!text.contains("\n\n\n") && text.lines().next().is_some_and(|line| line.ends_with('…')));
    }

    #[test]
    fn escapes_in_text_do_not_reach_the_page() {
        let mut page = Page::new(true, 80);
        page.line(Line::new().add(style::BAD, "a\u{1b}[0mb\nc"));
        let text = page.finish();
        assert_eq!(text.matches('\u{1b}').count(), text.matches("\u{1b}[").count());
        assert!(text.contains("a\\u{1b}[0mb\\nc"), "{text:?}");
    }
}
