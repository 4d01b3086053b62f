//! Texts that would like to be more than text, and every place of a trial where one may stand.

use std::sync::LazyLock;

use execlab_model::{
    Bytes,
    repeat::{Difference, Repeat, Start, Verdict},
    result::TrialResult,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture;

/// One for each way in which a text was seen to become more. None is empty or only white, so that
/// documents have the same parts whichever is planted.
pub const TEXTS: &[(&str, &str)] = &[
    ("colour", "\u{1b}[31;1mred\u{1b}[0m"),
    ("clear the screen", "\u{1b}[2J\u{1b}[H"),
    ("title of the window", "\u{1b}]0;owned\u{7}"),
    (
        "hyperlink",
        "\u{1b}]8;;http://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    ),
    ("clipboard", "\u{1b}]52;c;cm0gLXJmIC8=\u{7}"),
    ("answer of the terminal", "\u{1b}[6n\u{1b}P$q\"p\u{1b}\\"),
    ("overwrites its line", "failed\rpassed"),
    ("bell and backspace", "a\u{7}b\u{8}\u{8}c\u{7f}"),
    ("C1 in UTF-8", "\u{9b}31m\u{9d}0;x\u{9c}\u{85}"),
    (
        "right to left",
        "abc\u{202e}txt.exe\u{202c}\u{2066}x\u{2069}\u{61c}",
    ),
    ("zero width", "a\u{200b}d\u{200d}m\u{2060}i\u{feff}n\u{ad}"),
    (
        "tags and fillers",
        "x\u{e0041}\u{e0042}\u{3164}\u{115f}\u{fe0f}",
    ),
    ("NUL", "a\0b"),
    (
        "no characters",
        "a\u{fffe}b\u{ffff}c\u{fdd0}\u{1ffff}\u{fff9}",
    ),
    ("line separators", "a\u{2028}b\u{2029}c\u{b}d\u{c}e"),
    ("newlines", "a\n\nb\r\nc\n# d\n- e\n1. f\n***\n> g\n    h"),
    ("script", "<script>alert(1)</script>"),
    ("image", "<img src=x onerror=alert(1)>"),
    (
        "end of a script",
        "</script></style></title></textarea><svg/onload=alert(1)>",
    ),
    ("attribute", "\" onmouseover=\"alert(1)\" x='"),
    (
        "comment and CDATA",
        "]]> <!-- <![CDATA[ --> <?xml ?> <!DOCTYPE x [<!ENTITY e 'x'>]> &e;",
    ),
    ("entities", "&amp;&lt;b&gt;&#x3c;&nbsp;&copy"),
    ("template", "{{ x }} {% x %} {# x #} ${x} %s %n"),
    ("markdown code", "``` `code` ~~~"),
    ("markdown table", "a | b |\n|---|---|\n| c | d |"),
    (
        "markdown link",
        "[a](javascript:alert(1)) ![b](http://evil.example/x.png) [c]: http://d <http://e>",
    ),
    (
        "markdown address",
        "https://evil.example www.evil.example a@evil.example mailto:a@evil.example",
    ),
    (
        "markdown signs",
        "*a* _b_ **c** ~~d~~ # e #1 @f :g: $h$ [^1] - [ ] \\ ^i^ ==j==",
    ),
    ("formula", "=HYPERLINK(\"http://evil.example\",\"x\")"),
    ("formula with a sign", "-2+3+cmd|' /C calc'!A0"),
    ("formula with at", "@SUM(1+1)*cmd|' /C calc'!A0"),
    ("formula after a tab", "\t=1+1"),
    ("formula after a return", "\r\n=1+1"),
    ("formula full-width", "＝1+1"),
    ("quotes and commas", "a,\"b\";'c'\t\"\"\""),
    ("path", "../../../etc/passwd"),
    ("colours of the plot", "\"#010101\" \"#030001\""),
    ("backslashes", "\\x1b[31m \\n \\\\ \\u001b"),
    ("letters of the world", "naïve 日本語 العربية 🦀 é"),
];

/// Texts in which what means something somewhere is likely.
pub fn any_text() -> impl Strategy<Value = String> {
    let texts: Vec<&str> = TEXTS.iter().map(|(_, text)| *text).collect();
    let piece = prop_oneof![
        prop::sample::select(texts).prop_map(str::to_owned),
        prop::collection::vec(any::<u8>(), 0..6)
            .prop_map(|b| String::from_utf8_lossy(&b).into_owned()),
        any::<char>().prop_map(String::from)
    ];
    let text = prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    text.prop_filter("a text of nothing is told otherwise", |t| {
        !t.trim().is_empty()
    })
}

/// Where text may stand in a value that reads as a `TrialResult`: pointers to free text, and to text in
/// the spelling of [`Bytes`]. What takes neither is a word of ours.
fn places(whole: &Value) -> (Vec<String>, Vec<String>) {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at.to_owned()),
            Value::Array(all) => {
                for (index, value) in all.iter().enumerate() {
                    walk(value, &format!("{at}/{index}"), found);
                }
            }
            Value::Object(all) => {
                for (key, value) in all {
                    walk(
                        value,
                        &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                        found,
                    );
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut all = Vec::new();
    walk(whole, "", &mut all);
    let reads = |at: &String, text: &str| {
        let mut value = whole.clone();
        *value.pointer_mut(at).unwrap() = json!(text);
        serde_json::from_value::<TrialResult>(value).is_ok()
    };
    // A lone backslash is no spelling of bytes.
    let (free, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|at| reads(at, "\\"));
    (free, rest.into_iter().filter(|at| reads(at, "x")).collect())
}

/// A trial, and where text may stand in it.
pub struct Soil {
    whole: Value,
    free: Vec<String>,
    bytes: Vec<String>,
}

impl Soil {
    pub fn of(trial: &TrialResult) -> Self {
        let mut trial = trial.clone();
        for place in [
            &mut trial.reason,
            &mut trial.record_sha256,
            &mut trial.provenance.qemu,
            &mut trial.provenance.monitor,
            &mut trial.provenance.toolchain,
        ] {
            place.get_or_insert_default();
        }
        trial.notes.push(String::new());
        trial.boot.push(String::new());
        // Keys are text as well: they are planted by themselves.
        trial.backend.settings.clear();
        let whole = serde_json::to_value(&trial).unwrap();
        let (free, bytes) = places(&whole);
        assert!(free.len() >= 15, "{free:?}");
        Self { whole, free, bytes }
    }

    /// The trial with this text in every place.
    pub fn planted(&self, text: &str) -> TrialResult {
        let mut whole = self.whole.clone();
        for at in &self.free {
            *whole.pointer_mut(at).unwrap() = json!(text);
        }
        for at in &self.bytes {
            *whole.pointer_mut(at).unwrap() = json!(Bytes::from(text));
        }
        let mut planted: TrialResult = serde_json::from_value(whole).unwrap();
        planted.backend.settings = [(text.to_owned(), text.to_owned())].into();
        for name in ["meter", "first_try", text] {
            planted.host.insert(name.to_owned(), json!(text));
        }
        planted
    }
}

/// Trials of every status and two labs, all of them full of this text, and repeats that are.
pub fn run(text: &str) -> (Vec<TrialResult>, Vec<Repeat>) {
    static FIELD: LazyLock<Vec<Soil>> = LazyLock::new(|| {
        let mut trials = fixture::everything();
        // Without seeds that say the same again.
        trials.retain(|t| t.seed != 3);
        let host = fixture::sampled::run(execlab_model::result::Lab::Host, 6, true);
        trials.extend(
            host.into_iter()
                .filter(|t| ["none", "ebpf"].contains(&t.backend.name.as_str())),
        );
        trials.iter().map(Soil::of).collect()
    });
    let trials = FIELD.iter().map(|soil| soil.planted(text)).collect();
    let repeat = Repeat {
        schema: 1,
        trial: text.into(),
        digest: text.into(),
        start: Start::Cold,
        verdict: Verdict::Differs,
        difference: Some(Difference {
            path: text.into(),
            one: text.into(),
            other: text.into(),
        }),
        reason: Some(text.into()),
        record_sha256: Some(text.into()),
        wall_ms: 1,
    };
    (trials, vec![repeat])
}
