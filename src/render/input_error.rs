//! An error in an input file, with the line and a caret.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{code, text};

/// A longer line is shown through a window of about this many columns.
const WINDOW: usize = 110;
/// How much of that stands before the caret.
const BEFORE: usize = 40;

/// An error at a span of byte offsets of a file, as rustc shows it. Any span and any text will do.
pub fn input_error(
    title: &str,
    file: &str,
    text: &str,
    span: Range<usize>,
    label: &str,
    help: Option<&str>,
    color: bool,
) -> String {
    let start = floor_boundary(text, span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let line_end = line_start.max(line_end - usize::from(text[start..line_end].ends_with('\r')));
    let end = floor_boundary(text, span.end).clamp(start, line_end.max(start));
    let number = text[..line_start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count() + 1;
    let (shown, marked) = window(&text[line_start..line_end], start - line_start..end - line_start);
    let marked_start = marked.start;

    let title = text::safe(title);
    let file = text::safe(file);
    let label = text::safe(label);
    let help = help.map(text::safe);
    let mut group = Level::ERROR.primary_title(&*title).id(code::INPUT).element(
        Snippet::source(&*shown)
            .path(&*file)
            .line_start(number)
            .fold(false)
            .annotation(AnnotationKind::Primary.span(marked).label(&*label)),
    );
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(&**help));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut rendered = renderer.decor_style(DecorStyle::Ascii).term_width(160).render(&[group]);
    // The renderer counts columns in the line as it is shown; the user's editor counts them in the file.
    let shown_column = shown[..marked_start].chars().count() + 1;
    if shown_column != column
        && let Some(title_end) = rendered.find('\n')
    {
        let (from, to) = (format!("{file}:{number}:{shown_column}"), format!("{file}:{number}:{column}"));
        let rest = rendered.split_off(title_end).replacen(&from, &to, 1);
        rendered.push_str(&rest);
    }
    if !rendered.ends_with('\n') {
        rendered.push('\n');
    }
    rendered
}

fn floor_boundary(text: &str, position: usize) -> usize {
    let mut position = position.min(text.len());
    while !text.is_char_boundary(position) {
        position -= 1;
    }
    position
}

/// The line as it is shown (a window of it if it is long, tabs as spaces, everything safe), and the span in that.
fn window(line: &str, span: Range<usize>) -> (String, Range<usize>) {
    let mut shown = String::new();
    let before: Vec<char> = line[..span.start].chars().rev().take(WINDOW).collect();
    let rest = line[span.start..].chars().take(WINDOW + 1).map(text::char_width).sum::<usize>();
    let whole = line.len() <= 4 * WINDOW && text::width(line) <= WINDOW;
    let kept = if whole { before.len() } else { BEFORE.max(WINDOW.saturating_sub(rest)).min(before.len()) };
    if line[..span.start].chars().nth(kept).is_some() {
        shown.push('…');
    }
    for character in before[..kept].iter().rev() {
        push_safe(&mut shown, *character);
    }
    let start = shown.len();
    let mut end = None;
    let room = if whole { usize::MAX } else { WINDOW.saturating_sub(kept) };
    for (count, (offset, character)) in line[span.start..].char_indices().enumerate() {
        if span.start + offset >= span.end && end.is_none() {
            end = Some(shown.len());
        }
        if count >= room {
            end = end.or(Some(shown.len()));
            shown.push('…');
            break;
        }
        push_safe(&mut shown, character);
    }
    let end = end.unwrap_or(shown.len());
    (shown, start..end)
}

fn push_safe(shown: &mut String, character: char) {
    match character {
        '\t' => shown.push_str("    "),
        _ => shown.push_str(&text::safe(character.encode_utf8(&mut [0; 4]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_and_a_caret_are_shown() {
        let text = "version = 1\n\n[[invariant]]\nform = [\"scope:probe\"]\n";
        let start = text.find("form").expect("it is there");
        let shown = input_error(
            "unknown key `form`",
            "openloop.toml",
            text,
            start..start + 4,
            "no such key",
            Some("did you mean `from`?"),
            false,
        );
        assert!(shown.starts_with("error[OL001]: unknown key `form`"), "{shown}");
        assert!(shown.contains("openloop.toml:4:1"), "{shown}");
        assert!(shown.contains("^^^^ no such key"), "{shown}");
        assert!(shown.contains("help: did you mean `from`?"), "{shown}");
    }

    #[test]
    fn the_column_is_that_of_the_file() {
        for (text, column) in [("\t\tx", 3), ("漢字x", 3), (&*format!("{}x", "é".repeat(900)), 901), ("\u{1b}x", 2)]
        {
            let start = text.find('x').expect("it is there");
            let shown = input_error("t", "f", text, start..start + 1, "here", None, false);
            assert!(shown.contains(&format!("--> f:1:{column}\n")), "{shown}");
        }
    }

    #[test]
    fn any_span_of_any_text_is_shown() {
        let long = "x".repeat(500_000);
        let hostile = "é\u{1b}[31m\t\u{202e}\r\nüü\u{0}";
        for text in ["", "\n", "\r\n", "\t\tx", "漢字漢字", hostile, &long] {
            for start in [0, 1, 2, 3, 5, 9, text.len() / 2, text.len(), text.len() + 7] {
                for end in [0, start, start + 1, start + 4, usize::MAX] {
                    let shown = input_error("t\u{1b}[0m", "f\n.toml", text, start..end, "l\u{7}", Some("h"), false);
                    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
                    let widest = shown.lines().map(text::width).max().unwrap_or(0);
                    assert!(widest < 200, "{widest}: {shown}");
                }
            }
        }
    }
}
