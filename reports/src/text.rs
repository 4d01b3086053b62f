//! Text from guests and monitors, made harmless for each kind of document.

use std::borrow::Cow;

use execlab_model::{Bytes, bytes::is_hidden};
use serde::Serialize;

/// Text without anything that steers a terminal or hides what it says: control characters and
/// invisible format characters become `\n`, `\t` or `\xNN`.
///
/// Unlike the spelling of [`Bytes`] it leaves backslashes alone: this is prose, and nobody reads it
/// back.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // The backslash, which `Bytes` would double, is among them.
            ' '..='~' => out.push(c),
            c => out.push_str(&Bytes::from(c.encode_utf8(&mut [0; 4]) as &str).to_string()),
        }
    }
    out
}

/// The first `most` characters of a text, marked where something was cut off.
pub fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// Plain data as JSON that a terminal, or a reader that takes lines apart, cannot be fooled by.
///
/// `serde_json` escapes what JSON itself forbids and no more. The controls of C1, which steer terminals,
/// and the line separators U+2028 and U+2029 are allowed there; like everything else that nobody sees
/// they are written `\uNNNN` here, which any reader takes for the same text.
pub fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("plain data always encodes");
    // Outside of strings all of it is ASCII; and newlines are ours, since those in strings are escaped.
    escaped(&text, |c| (c.is_control() && c != '\n') || is_hidden(c))
}

/// The same on one line.
pub fn json_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain data always encodes");
    escaped(&text, |c| c.is_control() || is_hidden(c))
}

/// As [`json_line`], and for the inside of a `<script>`: nothing in it ends that element, or begins
/// anything else.
pub fn embedded(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain data always encodes");
    escaped(&text, |c| {
        matches!(c, '<' | '>' | '&') || c.is_control() || is_hidden(c)
    })
}

/// JSON with some of the characters in its strings written as numbers.
fn escaped(json: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out += &format!("\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Cleaned text with everything that means something in Markdown or HTML taken out of force; safe in
/// a table cell, in a list and in running text.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let clean = clean(text);
    for (at, c) in clean.char_indices() {
        match c {
            // Addresses that are written out would become links as well.
            ':' if is_address(&clean[..at], &clean[at..]) => out.push_str("&#58;"),
            '.' if ends_with(&clean[..at], "www") => out.push_str("&#46;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A backslash is not enough inside a table: the pipe is looked for before all else.
            '|' => out.push_str("&#124;"),
            // Left alone, these would become links, mentions of people or issues.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '!' | '$' | '^' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether a colon makes an address of what is around it.
fn is_address(before: &str, from: &str) -> bool {
    from.starts_with("://")
        || ["mailto", "xmpp"]
            .iter()
            .any(|scheme| ends_with(before, scheme))
}

fn ends_with(text: &str, end: &str) -> bool {
    let tail = text
        .len()
        .checked_sub(end.len())
        .and_then(|at| text.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// Breaks text at spaces into lines of at most `width` characters; longer words are cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut rest: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + rest.len() > width {
            lines.push(String::new());
            used = 0;
        }
        while rest.len() > width {
            let tail = rest.split_off(width);
            last(&mut lines).extend(&rest);
            lines.push(String::new());
            rest = tail;
        }
        if used > 0 {
            last(&mut lines).push(' ');
            used += 1;
        }
        last(&mut lines).extend(&rest);
        used += rest.len();
    }
    lines
}

fn last(lines: &mut [String]) -> &mut String {
    lines.last_mut().expect("there is always a line")
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// `1 cell`, `3 cells`.
pub fn plural(count: usize, word: &str) -> String {
    let number = crate::number::thousands(count as f64);
    if count == 1 {
        format!("{number} {word}")
    } else {
        format!("{number} {word}s")
    }
}

/// As one types it in a shell; quotes stand only where they must.
pub fn shell(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) {
            return word.clone();
        }
        // A NUL cannot be in an argument; whatever holds one was never typed.
        let word = word.replace('\0', "");
        shlex::try_quote(&word).map_or_else(|_| String::new(), Cow::into_owned)
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(
            clean("a\u{1b}[31m\nb\\c\u{202e}"),
            "a\\x1b[31m\\nb\\c\\xe2\\x80\\xae"
        );
    }

    #[test]
    fn markdown_has_no_force_left() {
        assert_eq!(
            markdown("a|b `c` <script> *d* [e](f) @g #1"),
            "a&#124;b \\`c\\` &lt;script&gt; \\*d\\* \\[e\\](f) &#64;g &#35;1"
        );
        assert_eq!(
            markdown("https://x.y WWW.x.y mailto:a a: b 6.1"),
            "https&#58;//x.y WWW&#46;x.y mailto&#58;a a: b 6.1"
        );
    }

    #[test]
    fn json_hides_nothing() {
        assert_eq!(
            json(&"a\u{9b}\u{2028}\u{202e}\u{e0041}\n"),
            r#""a\u009b\u2028\u202e\udb40\udc41\n""#
        );
    }

    #[test]
    fn lists_read_as_people_write_them() {
        let all = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(list(&all[..0]), "");
        assert_eq!(list(&all[..1]), "a");
        assert_eq!(list(&all[..2]), "a and b");
        assert_eq!(list(&all), "a, b and c");
    }

    proptest! {
        #[test]
        fn wrapped_lines_are_never_too_long_and_lose_nothing(text in "[a-z ]{0,80}", width in 8_usize..40) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|l| l.chars().count() <= width));
            let joined: String = lines.concat().split(' ').collect();
            prop_assert_eq!(joined, text.split(' ').collect::<String>());
        }

        #[test]
        fn clean_text_never_steers_a_terminal(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(|c| c.is_control() || is_hidden(c)));
        }

        #[test]
        fn json_is_the_same_value_without_anything_hidden(texts in prop::collection::vec(any::<String>(), 0..4)) {
            let written = json(&texts);
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), texts);
            prop_assert!(!written.chars().any(|c| (c.is_control() && c != '\n') || is_hidden(c)));
        }

        #[test]
        fn embedded_json_is_the_same_value_without_any_markup(texts in prop::collection::vec("(</?script>|<!--|-->|&lt;|.){0,6}", 0..4)) {
            let written = embedded(&texts);
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), texts);
            prop_assert!(!written.contains(['<', '>', '&', '\n']));
        }
    }
}
