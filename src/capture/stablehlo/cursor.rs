//! A position in MLIR text, and the lexical rules: white space, comments, identifiers, strings, numbers, brackets.
//!
//! Source: MLIR language reference, section "Notation".

use std::borrow::Cow;
use std::ops::Range;

use crate::capture::CaptureError;

/// What went wrong and where; the text is added at the door.
#[derive(Debug)]
pub(super) struct ReadError {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl ReadError {
    pub fn into_capture_error(self, text: &str) -> CaptureError {
        CaptureError::at(text, self.span, self.message, self.help)
    }
}

pub(super) type Read<T> = Result<T, ReadError>;

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// What may continue a name, by byte: 1 a bare identifier (letters, digits, `_`, `$`, `.`), 2 a name of a value or an
/// alias (those and `-`). A table, since every byte of the text passes here.
const CONTINUES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let is_identifier = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'$' | b'.');
        table[byte] = if is_identifier { 3 } else { 0 };
        byte += 1;
    }
    table[b'-' as usize] = 2;
    table
};

#[inline]
fn continues_suffix(byte: u8) -> bool {
    CONTINUES[byte as usize] & 2 != 0
}

#[inline]
fn continues_identifier(byte: u8) -> bool {
    CONTINUES[byte as usize] & 1 != 0
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte, white space not skipped; 0 at the end.
    #[inline]
    pub fn byte(&self) -> u8 {
        self.bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Skips white space and `//` comments.
    #[inline]
    pub fn skip(&mut self) {
        let bytes = self.bytes();
        loop {
            while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(self.at) {
                self.at += 1;
            }
            if self.byte() == b'/' && bytes.get(self.at + 1) == Some(&b'/') {
                while self.at < bytes.len() && bytes[self.at] != b'\n' {
                    self.at += 1;
                }
            } else {
                return;
            }
        }
    }

    /// The next byte after white space; 0 at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        self.skip();
        self.byte()
    }

    pub fn is_at_end(&mut self) -> bool {
        self.skip();
        self.at >= self.text.len()
    }

    /// Takes a punctuation mark, if it comes next.
    #[inline]
    pub fn eat(&mut self, mark: &str) -> bool {
        self.skip();
        let found = self.bytes()[self.at..].starts_with(mark.as_bytes());
        if found {
            self.at += mark.len();
        }
        found
    }

    /// Takes a whole word, if it comes next.
    pub fn eat_word(&mut self, word: &str) -> bool {
        self.skip();
        let rest = &self.bytes()[self.at..];
        let found =
            rest.starts_with(word.as_bytes()) && !rest.get(word.len()).copied().is_some_and(continues_identifier);
        if found {
            self.at += word.len();
        }
        found
    }

    #[inline]
    pub fn expect(&mut self, mark: &str) -> Read<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    /// What comes next, in a few words, for a message.
    fn found(&mut self) -> String {
        self.skip();
        let rest = &self.text[floor_boundary(self.text, self.at)..];
        let Some(first) = rest.chars().next() else { return "the end of the file".into() };
        let end = rest
            .char_indices()
            .find(|(position, character)| {
                *position > 40 || !(character.is_alphanumeric() || "_$.#%@^!-".contains(*character))
            })
            .map_or(rest.len(), |(position, _)| position)
            .max(first.len_utf8());
        format!("`{}`", rest[..end].escape_debug())
    }

    pub fn expected(&mut self, what: &str) -> ReadError {
        let found = self.found();
        self.error(format!("expected {what}, found {found}"))
    }

    /// An error at the next token.
    pub fn error(&mut self, message: impl Into<String>) -> ReadError {
        self.skip();
        let end = (self.at..self.text.len()).find(|&at| !continues_suffix(self.bytes()[at])).unwrap_or(self.at);
        ReadError { span: self.at..end.max(self.at), message: message.into(), help: None }
    }

    /// An error at what lies between `start` and here.
    pub fn error_from(&self, start: usize, message: impl Into<String>) -> ReadError {
        ReadError { span: start..self.at.max(start), message: message.into(), help: None }
    }

    /// A bare identifier, if one comes next: letters, digits, `_`, `$`, `.`, not starting with a digit.
    #[inline]
    pub fn identifier(&mut self) -> Option<&'a str> {
        self.skip();
        let bytes = self.bytes();
        let first = self.byte();
        if !(first.is_ascii_alphabetic() || first == b'_') {
            return None;
        }
        let start = self.at;
        while bytes.get(self.at).copied().is_some_and(continues_identifier) {
            self.at += 1;
        }
        Some(&self.text[start..self.at])
    }

    /// The name of an operation: an identifier that may hold dashes (`stablehlo.cross-replica-sum`).
    #[inline]
    pub fn operation_name(&mut self) -> Option<&'a str> {
        let start = {
            self.skip();
            self.at
        };
        self.identifier()?;
        while self.byte() == b'-' && self.bytes().get(self.at + 1).is_some_and(u8::is_ascii_alphabetic) {
            self.at += 1;
            while continues_identifier(self.byte()) {
                self.at += 1;
            }
        }
        Some(&self.text[start..self.at])
    }

    /// What follows `%`, `#`, `!`, `^`: letters, digits, `_`, `$`, `.`, `-`.
    #[inline]
    pub fn suffix(&mut self) -> &'a str {
        let bytes = self.bytes();
        let start = self.at;
        while bytes.get(self.at).copied().is_some_and(continues_suffix) {
            // `-` ends a name before an arrow: `#a->`.
            if bytes[self.at] == b'-' && bytes.get(self.at + 1) == Some(&b'>') {
                break;
            }
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// A string in double quotes, as it is written, without the quotes.
    pub fn raw_string(&mut self) -> Read<&'a str> {
        self.skip();
        let start = self.at;
        if self.byte() != b'"' {
            return Err(self.expected("a string"));
        }
        let bytes = self.bytes();
        let mut at = self.at + 1;
        loop {
            match bytes.get(at) {
                None => {
                    return Err(ReadError {
                        span: start..start + 1,
                        message: "this string does not end".into(),
                        help: Some("is the file cut off?".into()),
                    });
                }
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(&self.text[start + 1..at]);
                }
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
    }

    /// A string with its escapes undone.
    pub fn string(&mut self) -> Read<Cow<'a, str>> {
        Ok(unescape(self.raw_string()?))
    }

    /// `@name` or `@"any name"`, without what may follow `::`.
    pub fn symbol(&mut self) -> Read<Cow<'a, str>> {
        self.expect("@")?;
        if self.byte() == b'"' {
            return self.string();
        }
        match self.suffix() {
            "" => Err(self.expected("a name after `@`")),
            name => Ok(Cow::Borrowed(name)),
        }
    }

    /// A signed decimal or hexadecimal integer that fits 64 bits.
    pub fn integer(&mut self) -> Read<i64> {
        self.skip();
        let start = self.at;
        let digits = self.number_text();
        let (negative, magnitude) = match digits.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, digits),
        };
        let parsed = match magnitude.strip_prefix("0x") {
            Some(hexadecimal) => i128::from_str_radix(hexadecimal, 16),
            None => magnitude.parse::<i128>(),
        };
        let value = parsed.ok().map(|value| if negative { -value } else { value });
        match value.and_then(|value| i64::try_from(value).ok()) {
            Some(value) => Ok(value),
            None => {
                self.at = start;
                Err(self.expected("an integer"))
            }
        }
    }

    /// The text of a number: sign, digits, point, exponent; or hexadecimal digits. Empty if none comes next.
    pub fn number_text(&mut self) -> &'a str {
        self.skip();
        let bytes = self.bytes();
        let start = self.at;
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' && bytes.get(self.at + 1) == Some(&b'x') {
            self.at += 2;
            while self.byte().is_ascii_hexdigit() {
                self.at += 1;
            }
            return &self.text[start..self.at];
        }
        let digits = self.at;
        while self.byte().is_ascii_digit() || self.byte() == b'.' {
            self.at += 1;
        }
        if self.at == digits {
            self.at = start;
            return "";
        }
        if matches!(self.byte(), b'e' | b'E') {
            let mut at = self.at + 1;
            if matches!(bytes.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                self.at = at;
            }
        }
        &self.text[start..self.at]
    }

    /// From an opening bracket to the one that closes it, brackets included. Strings are skipped; an arrow `->` does
    /// not close `<`.
    pub fn balanced(&mut self) -> Read<&'a str> {
        self.skip();
        let start = self.at;
        let bytes = self.bytes();
        let mut at = start;
        // Nearly all brackets hold no others: `<8x12xf32>`.
        if self.byte() == b'<' {
            let inside = bytes[start + 1..].iter().position(|byte| !byte.is_ascii_alphanumeric());
            if let Some(length) = inside
                && bytes[start + 1 + length] == b'>'
            {
                self.at = start + 2 + length;
                return Ok(&self.text[start..self.at]);
            }
        }
        // Brackets are counted, not matched by kind: MLIR attributes that this reader does not look into may hold
        // anything, and a wrong one is caught by what has to follow.
        let mut depth = 0usize;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                // `->`, `>=` and `<=` are no brackets.
                b'-' if bytes.get(at + 1) == Some(&b'>') => at += 1,
                b'<' | b'>' if bytes.get(at + 1) == Some(&b'=') => at += 1,
                b'<' | b'(' | b'[' | b'{' => depth += 1,
                b'>' | b')' | b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        self.at = at + 1;
                        return Ok(&self.text[start..self.at]);
                    }
                }
                b'"' => {
                    let mut inner = Cursor { text: self.text, at };
                    inner.raw_string()?;
                    at = inner.at - 1;
                }
                _ if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        if at == start {
            return Err(self.expected("an opening bracket"));
        }
        Err(ReadError {
            span: start..start + 1,
            message: "this bracket is not closed".into(),
            help: Some("is the file cut off?".into()),
        })
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Undoes `\\`, `\"`, `\n`, `\t` and `\XX`. What the bytes do not make text of becomes the replacement character;
/// control characters become spaces, so that no name of an input can write to a terminal.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte != b'\\' && byte >= b' ' && byte != 0x7f;
    if raw.bytes().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    let bytes = raw.as_bytes();
    let mut unescaped = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hexadecimal = |at: usize| bytes.get(at).and_then(|&byte| (byte as char).to_digit(16));
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(&escaped @ (b'\\' | b'"'))) => {
                unescaped.push(escaped);
                at += 2;
            }
            (b'\\', Some(_)) if hexadecimal(at + 1).is_some() && hexadecimal(at + 2).is_some() => {
                let (high, low) = (hexadecimal(at + 1).unwrap_or(0), hexadecimal(at + 2).unwrap_or(0));
                unescaped.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'\\', Some(b'n' | b't')) => {
                unescaped.push(b' ');
                at += 2;
            }
            (byte, _) => {
                unescaped.push(byte);
                at += 1;
            }
        }
    }
    let text = String::from_utf8_lossy(&unescaped);
    Cow::Owned(text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_lose_their_escapes() {
        assert_eq!(unescape(r"na\C3\AFve \22x\22 \\"), "naïve \"x\" \\");
        assert_eq!(unescape(r"a\0Ab\1B[31m"), "a b [31m");
        assert_eq!(unescape("plain/~"), "plain/~");
        assert_eq!(unescape("\\"), "\\");
    }

    #[test]
    fn brackets_are_balanced_around_strings_and_arrows() {
        let mut cursor = Cursor::new("<(d0) -> (d0), \">\"> rest");
        assert_eq!(cursor.balanced().unwrap(), "<(d0) -> (d0), \">\">");
        assert!(Cursor::new("<(").balanced().is_err());
        assert!(Cursor::new("x").balanced().is_err());
    }

    #[test]
    fn numbers_end_where_they_end() {
        for (text, number) in [("1.5e-3,", "1.5e-3"), ("-7 :", "-7"), ("0x7F800000>", "0x7F800000"), ("x", "")] {
            assert_eq!(Cursor::new(text).number_text(), number);
        }
        assert_eq!(Cursor::new("9223372036854775807").integer().unwrap(), i64::MAX);
        assert!(Cursor::new("9223372036854775808").integer().is_err());
    }
}
