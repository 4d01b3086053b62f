//! Readers of the event stream for people: bars on a terminal, plain lines elsewhere. All of it is
//! for stderr; stdout belongs to what the command was asked for.

mod bars;
mod lines;

use std::{fmt::Write as _, time::Duration};

use execlab_model::{
    repeat::{Difference, Repeat, Verdict},
    result::TrialResult,
};
use execlab_reports::{
    cached_since,
    text::{clean, shorten},
};

pub use self::{bars::Bars, lines::Lines};
use crate::lab::{ImageNews, ImageState};

/// One line to who reads stderr. Where the terminal was closed, nobody does, and nothing breaks of it.
pub fn tell(line: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One line about a trial that ended, without its place in the run.
fn verdict(result: &TrialResult) -> String {
    let mut text = format!("{:<14} {}", result.status, name(&result.trial));
    if let (Some(truth), Some(seen)) = (result.truth, &result.completeness)
        && result.is_watched()
    {
        let _ = write!(text, "  seen {}/{}", seen.seen, truth.execs);
    }
    if let Some(percent) = result.cost.as_ref().and_then(|c| c.added_percent)
        && result.is_watched()
    {
        let _ = write!(text, "  cost {percent:+.1} %");
    }
    if let Some(reason) = &result.reason {
        let _ = write!(text, "  ({})", one_line(reason));
    }
    if cached_since(result).is_some() {
        text.push_str("  (from the cache)");
    }
    if result.host.contains_key("tries") {
        text.push_str("  (second try)");
    }
    text
}

/// One line about a trial that was run again.
fn again(repeat: &Repeat, done: usize, total: usize) -> String {
    let what = repeat.verdict.as_str();
    let mut text = format!(
        "run again {done}/{total}: {what} ({})  {}",
        repeat.start,
        name(&repeat.trial)
    );
    if let Some(Difference { path, one, other }) = &repeat.difference {
        let of_line = match repeat.verdict {
            Verdict::Same => "scored otherwise: ",
            Verdict::Differs | Verdict::Failed => "",
        };
        let values = format!("{of_line}{path} was {one} and then {other}");
        let _ = write!(text, "  ({})", one_line(&values));
    }
    if let Some(reason) = &repeat.reason {
        let _ = write!(text, "  ({})", one_line(reason));
    }
    text
}

/// One line about an image, or what is being done about it.
fn image(news: &ImageNews) -> String {
    let what = match &news.what {
        ImageState::Found => "found".to_owned(),
        ImageState::Making => "being made".to_owned(),
        ImageState::Made(time) => format!("made in {}", rough(*time)),
        ImageState::MadeAgain(time) => {
            format!("was damaged in the cache, made again in {}", rough(*time))
        }
        ImageState::Failed(reason) => format!("not made  ({})", one_line(reason)),
    };
    format!("image of {}: {what}", name(&news.image))
}

/// What something is called: by the user, who may have copied it from somewhere.
fn name(text: &str) -> String {
    const LONGEST: usize = 300;
    shorten(&clean(text), LONGEST)
}

/// Somebody's words as one short line that cannot steer a terminal.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 160;
    // Words of many lines read better with spaces between them than with `\n`.
    let words: Vec<&str> = text.split_whitespace().collect();
    shorten(&clean(&words.join(" ")), LONGEST)
}

/// A rough time for people: `45 s`, `3 min`, `2 h 05 min`.
pub fn rough(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..=89 => format!("{s} s"),
        s @ 90..=5399 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod hostile_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rough_and_words_of_guests_are_tame() {
        let times = [0, 89, 90, 5399, 7500].map(|s| rough(Duration::from_secs(s)));
        assert_eq!(times, ["0 s", "89 s", "2 min", "90 min", "2 h 05 min"]);
        assert_eq!(one_line("a\x1b[31mb\nc\n"), "a\\x1b[31mb c");
        assert!(one_line(&"ä".repeat(500)).chars().count() < 170);
    }
}
