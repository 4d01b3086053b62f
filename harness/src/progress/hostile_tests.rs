//! Whatever a guest, a monitor or a name says, a line of progress stays one line that steers nothing.

use std::{sync::Arc, time::Duration};

use execlab_model::{
    bytes::is_hidden,
    repeat::{Difference, Repeat, Start, Verdict},
    result::{Lab, TrialResult},
    workload::{Load, Spawn, Workload},
};
use indicatif::{InMemoryTerm, ProgressDrawTarget};
use proptest::prelude::*;

use super::{Bars, Lines};
use crate::{
    events::{Event, Reporter, Tally},
    lab::{ImageNews, ImageState},
    plan::TrialSpec,
    results::blank,
};

fn line(text: &str) -> TrialResult {
    let spec = TrialSpec {
            program: None,
        id: text.to_owned(),
        kernel: text.to_owned(),
        backend: execlab_model::plan::BackendSpec::none(text),
        boot: Vec::new(),
        workload: Workload {
            scenario: text.to_owned(),
            load: Load::Closed,
            execs: 1,
            lifetime_ns: 0,
            spawn: Spawn::Vfork,
            population: 0,
        },
        lab: Lab::Exact,
        cpus: 1,
        seed: 0,
    };
    let mut line = blank(&spec, text);
    line.reason = Some(text.to_owned());
    line
}

fn events(text: &str) -> Vec<Event> {
    let tally = || Tally {
        total: 1,
        ..Tally::default()
    };
    let news = |what| {
        Event::Image(ImageNews {
            image: text.to_owned(),
            what,
        })
    };
    let difference = Difference {
        path: text.to_owned(),
        one: text.to_owned(),
        other: text.to_owned(),
    };
    vec![
        Event::RunStarted {
            directory: text.into(),
            jobs: 1,
            tally: tally(),
        },
        news(ImageState::Making),
        news(ImageState::Failed(text.to_owned())),
        news(ImageState::MadeAgain(Duration::from_secs(1))),
        Event::TrialStarted {
            trial: text.to_owned(),
        },
        Event::TrialRetried {
            trial: text.to_owned(),
            reason: text.to_owned(),
        },
        Event::TrialFinished {
            result: Arc::new(line(text)),
            tally: tally(),
        },
        Event::Repeated {
            repeat: Box::new(Repeat {
                schema: 1,
                trial: text.to_owned(),
                digest: text.to_owned(),
                start: Start::Cold,
                verdict: Verdict::Differs,
                difference: Some(difference),
                reason: Some(text.to_owned()),
                record_sha256: None,
                wall_ms: 1,
            }),
            done: 1,
            total: 1,
        },
        Event::TrialAbandoned {
            trial: text.to_owned(),
        },
        Event::RunFinished {
            directory: text.into(),
            tally: tally(),
            interrupted: false,
        },
    ]
}

fn printed(text: &str) -> String {
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out);
    for event in events(text) {
        lines.event(&event);
    }
    String::from_utf8(out).unwrap()
}

fn steers(text: &str) -> Option<char> {
    text.chars()
        .find(|&c| (c.is_control() && c != '\n') || is_hidden(c))
}

/// Each is put into every field of every event.
const TEXTS: [&str; 9] = [
    "\u{1b}[31;1mred\u{1b}[2J",
    "\u{1b}]0;title\u{7}\u{1b}]52;c;cm0=\u{7}",
    "\u{1b}]8;;http://evil.example\u{1b}\\click",
    "failed\rpassed",
    "a\nerror: forged\n\u{b}b\u{c}c",
    "\u{9b}31m\u{85}\u{9d}x",
    "\u{202e}gnp.exe\u{2066}\u{61c}",
    "a\u{200b}\u{feff}\u{e0041}\u{2028}b",
    "a\0b\u{8}\u{7f}",
];

#[test]
fn lines_of_progress_are_as_many_as_events_and_steer_nothing() {
    let wanted = printed("plain").lines().count();
    for text in TEXTS {
        let shown = printed(text);
        assert_eq!(steers(&shown), None, "{text:?}");
        assert_eq!(shown.lines().count(), wanted, "{text:?}: {shown}");
        assert!(
            shown.lines().all(|line| !line.starts_with("error")),
            "{shown}"
        );
    }
}

#[test]
fn a_mebibyte_makes_no_line_long() {
    let shown = printed(&"a".repeat(1 << 20));
    assert!(shown.lines().all(|line| line.chars().count() < 1000));
}

#[test]
fn bars_steer_nothing_either() {
    for text in TEXTS {
        let term = InMemoryTerm::new(50, 200);
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        let mut bars = Bars::on(target);
        let all = events(text);
        // The last one clears the bar and prints to stderr by itself.
        for event in &all[..all.len() - 1] {
            bars.event(event);
        }
        // What was written, before a terminal took it for anything: as Rust spells strings, in which
        // control characters and hidden ones are `\u{NN}` or short escapes.
        let written = term.moves_since_last_check();
        assert!(written.contains("Str("), "{written}");
        for escape in ["\\u{", "\\r", "\\0", "\\n", "\\t"] {
            let raw = written
                .match_indices(escape)
                .any(|(at, _)| !written[..at].ends_with('\\'));
            assert!(!raw, "{text:?}: {written}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_steers_progress(text in any::<String>()) {
        prop_assert_eq!(steers(&printed(&text)), None);
    }
}
