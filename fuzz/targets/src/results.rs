//! Results as the harness reads them, from a guest's record or from a run directory, up to the documents
//! that are made of them.

use std::sync::LazyLock;

use execlab_harness::{
    documents::{Format, TerminalOptions, render},
    lab::{Outcome, Ran},
    plan::{Plan, TrialSpec},
    results::{BaselineLines, line, of_plan},
    store::parse,
};
use execlab_model::{
    Bytes,
    bytes::is_hidden,
    plan::BackendSpec,
    record::Record,
    repeat::Repeat,
    result::{Lab, PathClass, TrialResult},
    workload::{Load, Spawn, Workload},
};
use execlab_reports::{
    Summary, across,
    decide::{Question, decide},
    gate::{Policy, Run, gate, junit},
    text,
    trace::Trace,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Stands between two files in one input.
const NEXT_FILE: u8 = 0x1e;

/// One form, by the first byte. Gives whether its reader took the input.
pub fn run(input: &[u8]) -> bool {
    let Some((form, bytes)) = input.split_first() else {
        return false;
    };
    match form % 7 {
        0 => with_format(bytes, |bytes, format| {
            let (results, repeats) = files(bytes);
            let (results, repeats) = (lines::<TrialResult>(results), lines::<Repeat>(repeats));
            document(&results, &repeats, format);
            !results.is_empty() || !repeats.is_empty()
        }),
        1 | 2 => with_format(bytes, |bytes, format| {
            let (lines, changed) = planted(bytes);
            document(&lines, &[], format);
            changed
        }),
        3 => with_format(bytes, |bytes, format| {
            let result = scored(bytes);
            document(result.as_slice(), &[], format);
            result.is_some()
        }),
        4 => plan(bytes),
        5 => {
            let (first, second) = files(bytes);
            compared(&lines(first), &lines(second))
        }
        _ => spelling(bytes),
    }
}

fn with_format(bytes: &[u8], then: impl FnOnce(&[u8], Format) -> bool) -> bool {
    bytes.split_first().is_some_and(|(format, bytes)| {
        then(bytes, Format::ALL[usize::from(*format) % Format::ALL.len()])
    })
}

fn files(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == NEXT_FILE) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

/// The lines of a file: each is read as it was once it is written again, and what follows the last newline
/// changes nothing.
fn lines<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> Vec<T> {
    let Ok(found) = parse::<T>(bytes) else {
        return Vec::new();
    };
    let whole = usize::try_from(found.whole_bytes).expect("a length in memory");
    assert_eq!(found.cut_off, whole < bytes.len());
    let cut = parse::<T>(&bytes[..whole]).expect("nothing in it has changed");
    assert!(cut.items == found.items && !cut.cut_off);
    for item in &found.items {
        let written = serde_json::to_string(item).expect("plain data always encodes");
        assert!(!written.contains('\n'), "a line is one line");
        let again: T = serde_json::from_str(&written).expect("it was written just now");
        assert!(again == *item, "another value came back from {written}");
    }
    found.items
}

/// Lines of a real run, as trees.
static REAL: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let text = include_str!("../../seeds/results/lines");
    let (_, lines) = text.split_at(2);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of a real run"))
        .collect()
});

/// Lines of a real run in which the input has changed single values: each change is a line, a place, a kind
/// and a value, and ends at a byte of 255. What then is no result is left as it was. Gives whether any has
/// changed, too.
fn planted(bytes: &[u8]) -> (Vec<TrialResult>, bool) {
    let mut lines = REAL.clone();
    for change in bytes.split(|&byte| byte == 0xff).take(8) {
        let [which, low, high, kind, value @ ..] = change else {
            continue;
        };
        let at = usize::from(*which) % lines.len();
        let mut line = lines[at].clone();
        let place = usize::from(u16::from_le_bytes([*low, *high]));
        let mut leaves = Vec::new();
        collect(&mut line, &mut leaves);
        let place = place % leaves.len();
        *leaves.swap_remove(place) = new_value(*kind, value);
        if serde_json::from_value::<TrialResult>(line.clone()).is_ok() {
            lines[at] = line;
        }
    }
    let changed = lines != *REAL;
    let read = lines.into_iter().map(serde_json::from_value);
    let read = read.map(|line| line.expect("it was tried")).collect();
    (read, changed)
}

/// Every value that holds no other.
fn collect<'a>(value: &'a mut Value, into: &mut Vec<&'a mut Value>) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|value| collect(value, into)),
        Value::Object(all) => all.values_mut().for_each(|value| collect(value, into)),
        leaf => into.push(leaf),
    }
}

fn new_value(kind: u8, bytes: &[u8]) -> Value {
    let mut number = [0; 8];
    for (to, from) in number.iter_mut().zip(bytes) {
        *to = *from;
    }
    match kind % 8 {
        0 => Value::Null,
        1 => (kind > 127).into(),
        2 => u64::from_le_bytes(number).into(),
        3 => i64::from_le_bytes(number).into(),
        4 => f64::from_le_bytes(number).into(),
        5 => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        6 => Bytes::from(bytes).to_string().into(),
        _ => String::from_utf8_lossy(bytes).into(),
    }
}

/// A guest's record, scored: every exec of its truth is told of, and none that is not in it.
fn scored(bytes: &[u8]) -> Option<TrialResult> {
    let record = Record::from_bytes(bytes).ok()?;
    let truth = record.truth.execs.len() as u64;
    let watches = record.ready.is_some();
    let trial = TrialSpec {
        program: None,
        id: "6.1/netlink+default/relative/rate:5/exact/1".into(),
        kernel: "6.1".into(),
        backend: if watches {
            BackendSpec {
                name: "netlink".into(),
                ..BackendSpec::none("default")
            }
        } else {
            BackendSpec::none("default")
        },
        boot: Vec::new(),
        workload: Workload {
            scenario: "relative".into(),
            load: if bytes.len().is_multiple_of(2) {
                Load::Closed
            } else {
                Load::Rate(5)
            },
            execs: u32::try_from(truth).unwrap_or(u32::MAX),
            lifetime_ns: 0,
            spawn: Spawn::Vfork,
            population: 0,
        },
        lab: Lab::Exact,
        cpus: 1,
        seed: 1,
    };
    let ran = |record: &Record| {
        let mut ran = Ran::broke(&trial, String::new());
        ran.outcome = Outcome::Record(Box::new(record.clone()));
        ran
    };
    let best = [PathClass::Exact];
    let result = line(
        &trial,
        "digest",
        ran(&record),
        &best,
        &BaselineLines::default(),
    );
    let again = line(
        &trial,
        "digest",
        ran(&record),
        &best,
        &BaselineLines::default(),
    );
    assert!(result == again, "scored twice, and not the same");
    if let Some(of) = &result.completeness {
        assert_eq!(of.seen + of.missed + result.late, truth);
        let seen = of.seen + of.duplicates + of.phantoms + of.foreign;
        assert!(seen <= record.sightings.len() as u64);
    }
    Some(result)
}

/// A plan reads back, and each of its trials has a line.
fn plan(bytes: &[u8]) -> bool {
    let Ok(plan) = serde_json::from_slice::<Plan>(bytes) else {
        return false;
    };
    let json = serde_json::to_string(&plan).expect("plain data always encodes");
    let again: Plan = serde_json::from_str(&json).expect("it was written just now");
    assert_eq!(again, plan);
    assert_eq!(plan.difference(&again), None);
    assert_eq!(plan.baselines().len(), plan.trials.len());
    let lines = of_plan(&plan, &[]);
    assert_eq!(lines.len(), plan.trials.len());
    assert_eq!(of_plan(&plan, &lines).len(), lines.len());
    let format = Format::ALL[bytes.len() % Format::ALL.len()];
    document(&lines[..lines.len().min(20)], &[], format);
    true
}

/// Two runs: their order of costs, what the gate says of them, and what is to be decided on the first.
fn compared(first: &[TrialResult], second: &[TrialResult]) -> bool {
    judged(first, second);
    let found = across(first, second, &[]);
    match &found {
        Ok(found) => {
            for document in [found.terminal(100), found.markdown(), text::json(found)] {
                harmless(&document);
            }
        }
        Err(error) => harmless(&error.to_string()),
    }
    found.is_ok()
}

/// A gate and a decision may say what they like of such results, in documents that hold nothing that steers.
fn judged(first: &[TrialResult], second: &[TrialResult]) {
    let run = |results| Run {
        name: "a run",
        results,
        repeats: &[],
    };
    let gate = gate(run(first), run(second), &Policy::default());
    let question = Question {
        needs: vec!["completeness>=0.9".parse().expect("a need")],
        ..Question::default()
    };
    let mut documents = vec![gate.terminal(100), gate.markdown(), text::json(&gate)];
    match decide(first, &question) {
        Ok(decision) => documents.extend([decision.markdown(), text::json(&decision)]),
        Err(error) => documents.push(error.to_string()),
    }
    for document in documents {
        harmless(&document);
    }
    xml(&junit(&gate));
}

/// A document is the same each time, holds nothing that steers a terminal, and is what its readers take it
/// for.
fn document(results: &[TrialResult], repeats: &[Repeat], format: Format) {
    let screen = TerminalOptions {
        width: 100,
        color: false,
    };
    let made = render(results, repeats, format, &screen);
    harmless(&made.replace("\r\n", "\n"));
    match format {
        Format::Html => {
            // The page brings one script and one style sheet of its own.
            let of_nothing = render(&[], &[], format, &screen);
            for tag in [
                "<script", "</script", "<style", "<!--", "<iframe", "<base", "<form",
            ] {
                let count = |page: &str| page.matches(tag).count();
                assert_eq!(count(&made), count(&of_nothing), "{tag}");
            }
        }
        Format::Junit => xml(&made),
        Format::Csv => {
            let rows = csv::ReaderBuilder::new();
            let mut reader = rows.from_reader(made.as_bytes());
            let rows: Result<Vec<_>, _> = reader.records().collect();
            let count = rows.expect("rows of as many fields").len();
            assert_eq!(count, results.len());
        }
        Format::Json => {
            let summary = Summary::new(results, repeats);
            let read: Summary = serde_json::from_str(&made).expect("it is JSON");
            assert!(read == summary, "another summary came back");
        }
        Format::GithubSmaller | Format::GithubBigger | Format::Bencher => {
            serde_json::from_str::<Value>(&made).expect("it is JSON");
        }
        Format::Trace => {
            serde_json::from_str::<Trace>(&made).expect("it is a trace");
        }
        Format::Terminal | Format::Markdown => {}
    }
}

fn harmless(document: &str) {
    let bad = document
        .chars()
        .find(|&c| (c.is_control() && c != '\n') || is_hidden(c));
    assert_eq!(bad, None, "steers or hides");
}

fn xml(document: &str) {
    let mut reader = quick_xml::Reader::from_str(document);
    reader.config_mut().check_end_names = true;
    loop {
        match reader.read_event().expect("it is XML") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                assert!(tag.attributes().all(|attribute| attribute.is_ok()));
            }
            _ => {}
        }
    }
}

/// Bytes in their escaped spelling: any come back, and text that is read is a spelling of them.
fn spelling(bytes: &[u8]) -> bool {
    let bytes = Bytes::from(bytes);
    let spelled = bytes.to_string();
    assert!(!spelled.chars().any(char::is_control));
    assert_eq!(spelled.parse().as_ref(), Ok(&bytes));
    harmless(&text::clean(&String::from_utf8_lossy(bytes.as_slice())));
    if let Ok(text) = str::from_utf8(bytes.as_slice())
        && let Ok(read) = text.parse::<Bytes>()
    {
        assert_eq!(read.to_string().parse().as_ref(), Ok(&read));
    }
    true
}
