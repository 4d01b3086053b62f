//! How much one trial may add to a report.
//!
//! A guest or a monitor that prints megabytes, or a backend with thousands of loss reports, must not
//! make a report that nobody can open. What is cut is marked by `…`; `results.jsonl` keeps all of it.

use std::borrow::Cow;

use execlab_model::{
    Bytes,
    repeat::{Difference, Repeat},
    result::{Example, TrialResult},
};

use crate::doubts;

/// Characters of a reason or a note.
pub const LONGEST_TEXT: usize = 4_000;
/// Characters of a name, a setting, a version or an argument.
pub const LONGEST_NAME: usize = 200;
/// Bytes of a path or an argument in an example: as many as a path can have (`PATH_MAX`).
pub const LONGEST_BYTES: usize = 4_096;
/// Notes, examples and sources of loss: some are enough to see what went wrong.
pub const MOST_TEXTS: usize = 20;
/// Settings, boot options, arguments of QEMU.
pub const MOST_NAMES: usize = 100;

/// The same results, none too large; they are copied only where one is.
pub(crate) fn bounded(results: &[TrialResult]) -> Cow<'_, [TrialResult]> {
    if results.iter().any(|result| cut(&mut result.clone())) {
        let mut results = results.to_vec();
        for result in &mut results {
            cut(result);
        }
        Cow::Owned(results)
    } else {
        Cow::Borrowed(results)
    }
}

/// As [`bounded`], of trials that were run again.
pub(crate) fn bounded_repeats(repeats: &[Repeat]) -> Cow<'_, [Repeat]> {
    let cut = |repeat: &mut Repeat| {
        let mut was = name(&mut repeat.trial) | name(&mut repeat.digest);
        was |= repeat.reason.as_mut().is_some_and(text);
        was | repeat.difference.as_mut().is_some_and(difference)
    };
    if repeats.iter().any(|repeat| cut(&mut repeat.clone())) {
        let mut repeats = repeats.to_vec();
        for repeat in &mut repeats {
            cut(repeat);
        }
        Cow::Owned(repeats)
    } else {
        Cow::Borrowed(repeats)
    }
}

/// Cuts both values of a difference.
pub(crate) fn difference(difference: &mut Difference) -> bool {
    let Difference { path, one, other } = difference;
    text(path) | text(one) | text(other)
}

/// Cuts what is too long in a result, and says whether anything was. Every field is named, so that a new
/// one is not forgotten.
fn cut(result: &mut TrialResult) -> bool {
    let TrialResult {
        trial,
        digest,
        record_sha256,
        reason,
        kernel,
        boot,
        backend,
        workload,
        loss,
        cost,
        latency,
        examples,
        notes,
        provenance,
        host,
        schema: _,
        status: _,
        late: _,
        lab: _,
        cpus: _,
        seed: _,
        achieved_rate: _,
        worst_lateness_ns: _,
        truth: _,
        completeness: _,
        path: _,
        given: _,
        argv: _,
        pid: _,
        parent: _,
        credentials: _,
        container: _,
        out_of_order: _,
        memory: _,
        canary: _,
        witness: _,
    } = result;
    let mut was = name(trial) | name(digest) | record_sha256.as_mut().is_some_and(name);
    was |= reason.as_mut().is_some_and(text);
    was |= name(&mut kernel.name) | name(&mut kernel.release) | name(&mut kernel.sha256);
    was |= list(boot, MOST_NAMES) | each(boot, name);
    was |= name(&mut backend.name) | name(&mut backend.variant) | name(&mut workload.scenario);
    let long = |s: &String| s.chars().nth(LONGEST_NAME).is_some();
    if backend.settings.len() > MOST_NAMES
        || backend.settings.iter().any(|(k, v)| long(k) || long(v))
    {
        was = true;
        let settings = std::mem::take(&mut backend.settings)
            .into_iter()
            .take(MOST_NAMES);
        backend.settings = settings
            .map(|(mut key, mut value)| {
                name(&mut key);
                name(&mut value);
                (key, value)
            })
            .collect();
    }
    let more =
        |dropped: usize, what: &str| (dropped > 0).then(|| format!("… {dropped} more {what}"));
    let dropped = notes.len().saturating_sub(MOST_TEXTS);
    if dropped > 0 {
        // A guest that talks much does not talk a doubt away.
        notes.sort_by_key(|note| !doubts::is_doubt(note));
    }
    was |= list(notes, MOST_TEXTS) | each(notes, text);
    notes.extend(more(dropped, "notes"));
    if let Some(loss) = loss {
        let dropped = loss.reports.len().saturating_sub(MOST_TEXTS);
        notes.extend(more(dropped, "sources of loss reports"));
        was |= list(&mut loss.reports, MOST_TEXTS);
        was |= each(&mut loss.reports, |sum| name(&mut sum.source));
    }
    was |= cost.as_mut().is_some_and(|cost| name(&mut cost.unit));
    was |= latency
        .as_mut()
        .is_some_and(|latency| name(&mut latency.unit));
    was |= list(examples, MOST_TEXTS) | each(examples, example);
    was |= name(&mut provenance.execlab) | provenance.qemu.as_mut().is_some_and(name);
    was |=
        list(&mut provenance.command_line, MOST_NAMES) | each(&mut provenance.command_line, name);
    for hash in [
        &mut provenance.initramfs,
        &mut provenance.monitor,
        &mut provenance.toolchain,
    ] {
        was |= hash.as_mut().is_some_and(name);
    }
    // Of the host, reports show numbers and short words by their names.
    for value in host.values_mut() {
        if let serde_json::Value::String(value) = value {
            was |= name(value);
        }
    }
    was
}

fn example(example: &mut Example) -> bool {
    let mut was = name(&mut example.what);
    for bytes in [&mut example.expected, &mut example.reported] {
        if let Some(Bytes(bytes)) = bytes.as_mut().filter(|b| b.0.len() > LONGEST_BYTES) {
            bytes.truncate(LONGEST_BYTES);
            bytes.extend("…".bytes());
            was = true;
        }
    }
    was
}

fn list<T>(items: &mut Vec<T>, most: usize) -> bool {
    let too_many = items.len() > most;
    items.truncate(most);
    too_many
}

fn each<T>(items: &mut [T], cut: impl Fn(&mut T) -> bool) -> bool {
    items.iter_mut().fold(false, |was, item| cut(item) | was)
}

fn text(text: &mut String) -> bool {
    shorten(text, LONGEST_TEXT, "…")
}

/// What things are told apart by: two names that differ far behind stay two names.
pub(crate) fn name(text: &mut String) -> bool {
    if text.len() <= LONGEST_NAME {
        return false;
    }
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    shorten(text, LONGEST_NAME, &format!("…{hash:016x}"))
}

fn shorten(text: &mut String, most: usize, mark: &str) -> bool {
    let Some((at, _)) = text.char_indices().nth(most) else {
        return false;
    };
    text.truncate(at);
    text.push_str(mark);
    true
}
