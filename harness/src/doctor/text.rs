//! The diagnosis for people.

use std::fmt::Write as _;

use execlab_backends::look::{Finding, State, Usable};
use execlab_reports::text::clean;

use super::{Diagnosis, Part};

/// As lines: what each lab and backend comes to, then what was looked at, each with what to do about it
/// where something has to be done.
pub fn text(diagnosis: &Diagnosis, color: bool) -> String {
    let mut out = String::new();
    for lab in &diagnosis.labs {
        part(&mut out, "lab", &lab.name, lab, color);
    }
    if !diagnosis.backends.is_empty() {
        let _ = writeln!(
            out,
            "Backends on the running kernel, {}. In guests, the canaries of each trial prove it for its own kernel.\n",
            diagnosis.kernel
        );
    }
    for alike in alike(&diagnosis.backends) {
        let names: Vec<&str> = alike.iter().map(|part| part.name.as_str()).collect();
        let kind = if names.len() == 1 {
            "backend"
        } else {
            "backends"
        };
        part(&mut out, kind, &names.join(", "), alike[0], color);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Backends of which the very same was found, in the order of the first of each: many share all that they need.
fn alike(backends: &[Part]) -> Vec<Vec<&Part>> {
    let mut groups: Vec<Vec<&Part>> = Vec::new();
    for backend in backends {
        let same = |group: &&mut Vec<&Part>| group[0].findings == backend.findings;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(backend),
            None => groups.push(vec![backend]),
        }
    }
    groups
}

fn part(out: &mut String, kind: &str, name: &str, part: &Part, color: bool) {
    let usable = match part.usable {
        Usable::Yes => "can be used",
        Usable::Unknown => "cannot be told without trying",
        Usable::No => "cannot be used",
    };
    let _ = writeln!(out, "{kind} {name}: {usable}");
    let whats = part.findings.iter().map(|f| f.what.chars().count());
    let width = whats.max().unwrap_or(0);
    for finding in &part.findings {
        line(out, finding, width, color);
    }
    out.push('\n');
}

fn line(out: &mut String, finding: &Finding, width: usize, color: bool) {
    /// As wide as the longest word for a [`State`].
    const STATE: usize = 7;
    let Finding {
        what,
        state,
        evidence,
        remedy,
    } = finding;
    let word = format!("{:<STATE$}", state.as_str());
    let word = if color {
        format!("\x1b[{}m{word}\x1b[0m", sgr(*state))
    } else {
        word
    };
    let indent = 2 + STATE + 2 + width + 2;
    // Paths may be in it, and words of QEMU.
    let evidence: Vec<String> = evidence.lines().map(clean).collect();
    let mut lines = evidence.iter();
    let first = lines.next().map_or("", String::as_str);
    let _ = writeln!(out, "  {word}  {what:<width$}  {first}");
    for more in lines {
        let _ = writeln!(out, "{:indent$}{more}", "");
    }
    if let Some(remedy) = remedy {
        let _ = writeln!(out, "{:indent$}→ {}", "", clean(remedy));
    }
}

fn sgr(state: State) -> &'static str {
    match state {
        State::Good => "32",
        State::Note => "36",
        State::Unknown => "1;33",
        State::Bad => "1;31",
    }
}
