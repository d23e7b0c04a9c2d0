//! Text that is safe to show and fits where it is put.

use std::borrow::Cow;

/// Whether a character does something to a terminal, or to the order of the text, instead of standing in it.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, with every control, bidirectional and invisible character written out as an escape.
///
/// A tab becomes one space. Everything of an input that is shown goes through this.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\t' => shown.push(' '),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            _ if acts(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// How many columns of a terminal the character takes.
pub(super) fn char_width(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// How many columns of a terminal the text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The longest start of the text that fits.
pub(super) fn fitting(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (position, character) in text.char_indices() {
        used += char_width(character);
        if used > room {
            return &text[..position];
        }
    }
    text
}

fn fitting_end(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (position, character) in text.char_indices().rev() {
        used += char_width(character);
        if used > room {
            return &text[position + character.len_utf8()..];
        }
    }
    text
}

/// The text, without its end if it does not fit.
pub fn elide_end(text: &str, room: usize) -> Cow<'_, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    match room {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("{}…", fitting(text, room - 1).trim_end())),
    }
}

/// The text, without its middle if it does not fit: of a path, both ends say most.
pub fn elide_middle(text: &str, room: usize) -> Cow<'_, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    match room {
        0 => Cow::Borrowed(""),
        _ => {
            let head = (room - 1) / 3;
            Cow::Owned(format!("{}…{}", fitting(text, head), fitting_end(text, room - 1 - head)))
        }
    }
}

/// The words of the text in lines of at most `room` columns. A word that is longer is broken.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for mut word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut length = width(word);
        if used > 0 && used + 1 + length > room {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        while length > room {
            let piece = fitting(word, room);
            lines.push(piece.to_owned());
            word = &word[piece.len()..];
            length = width(word);
        }
        line.push_str(word);
        used += length;
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// `28549` as `28,549`.
pub fn thousands(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 leaf`, `2 leaves`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number as u128), if number == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`; at most `limit` of them are named.
pub fn list<S: AsRef<str>>(items: &[S], limit: usize) -> String {
    let shown: Vec<&str> = items.iter().take(limit).map(AsRef::as_ref).collect();
    let more = items.len() - shown.len();
    match (shown.split_last(), more) {
        (None, _) => String::new(),
        (Some(_), 1..) => format!("{} and {} more", shown.join(", "), thousands(more as u128)),
        (Some((last, [])), 0) => (*last).to_owned(),
        (Some((last, rest)), 0) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_survives() {
        let hostile = "a\u{1b}[31mred\u{7}\u{9b}2J\r\nb\tc\u{202e}d\u{200b}e\u{7f}";
        let shown = safe(hostile);
        assert!(!shown.chars().any(acts), "{shown:?}");
        assert_eq!(safe(&shown), shown, "what is safe stays as it is");
        assert_eq!(safe("été 漢字"), "été 漢字");
    }

    #[test]
    fn what_is_elided_fits() {
        for text in ["", "a", "train/very/long/path/step.py:121", "漢字漢字漢字漢字"] {
            for room in 0..40 {
                assert!(width(&elide_middle(text, room)) <= room, "{text} {room}");
                assert!(width(&elide_end(text, room)) <= room, "{text} {room}");
            }
        }
        assert_eq!(elide_middle("train/deep/step.py:121", 16), "train…tep.py:121");
    }

    #[test]
    fn wrapped_lines_fit_and_lose_nothing() {
        let text = "one two three abcdefghijklmnopqrstuvwxyz four";
        for room in 8..30 {
            let lines = wrap(text, room);
            assert!(lines.iter().all(|line| width(line) <= room), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
        assert_eq!(wrap("", 20), [""]);
    }

    #[test]
    fn numbers_and_lists_read_as_people_write_them() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_028_549), "1,028,549");
        assert_eq!(count(1, "leaf", "leaves"), "1 leaf");
        assert_eq!(list::<&str>(&[], 3), "");
        assert_eq!(list(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(&["a", "b", "c"], 1), "a and 2 more");
    }
}
