//! `--format csv`: one row for each trial, for spreadsheets and data frames.
//!
//! Columns are only ever added, at the end; `docs/csv.md` describes them. A text that would begin as a
//! formula gets an apostrophe in front (OWASP, CSV Injection): a spreadsheet shows it as text, and no word
//! of a guest is ever calculated.

use csv::{QuoteStyle, WriterBuilder};
use execlab_model::result::TrialResult;

use crate::{
    bound::bounded,
    cached::cached_since,
    machine::Facts,
    matrix::{Matrix, Role},
    metric::{METRICS, Reading},
    text::clean,
};

/// What a trial says in a column.
enum Field {
    Text(String),
    Number(f64),
    Whole(u64),
    /// Not measured or not offered: an empty field, never zero.
    Absent,
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<f64>> for Field {
    fn from(number: Option<f64>) -> Self {
        number
            .filter(|n| n.is_finite())
            .map_or(Self::Absent, Self::Number)
    }
}

impl From<Option<&String>> for Field {
    fn from(text: Option<&String>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(text.clone()))
    }
}

/// Name, what it is, and how it is read.
type Column = (&'static str, &'static str, fn(&TrialResult) -> Field);

/// The columns before those of the metrics.
const COLUMNS: &[Column] = &[
    ("trial", "unique name of the trial", |t| {
        t.trial.as_str().into()
    }),
    ("status", "what became of it", |t| t.status.as_str().into()),
    ("reason", "why, unless it is `completed`", |t| {
        t.reason.as_ref().into()
    }),
    (
        "role",
        "`backend`, `baseline`, `control` (the baseline once more, compared with it: A/A) or `witness` (the kernel itself counts the execs)",
        |t| {
            match Role::of(t) {
                Role::Baseline => "baseline",
                Role::Control => "control",
                Role::Witness => "witness",
                Role::Watcher => "backend",
            }
            .into()
        },
    ),
    ("lab", "where time came from", |t| t.lab.as_str().into()),
    ("cpus", "CPUs, virtual or not", |t| {
        Field::Whole(t.cpus.into())
    }),
    ("kernel", "as the user names it", |t| {
        t.kernel.name.as_str().into()
    }),
    ("release", "`uname -r`", |t| {
        t.kernel.release.as_str().into()
    }),
    ("kernel_sha256", "of the image that was booted", |t| {
        t.kernel.sha256.as_str().into()
    }),
    ("backend", "what watched", |t| {
        t.backend.name.as_str().into()
    }),
    ("variant", "its group of settings", |t| {
        t.backend.variant.as_str().into()
    }),
    (
        "settings",
        "every setting, `name=value` with `;` between",
        |t| {
            let each = t.backend.settings.iter().map(|(k, v)| format!("{k}={v}"));
            Field::Text(each.collect::<Vec<_>>().join(";"))
        },
    ),
    ("boot", "options added to the kernel's command line", |t| {
        Field::Text(t.boot.join(" "))
    }),
    ("scenario", "how execs were made", |t| {
        t.workload.scenario.as_str().into()
    }),
    ("load", "when they came", |t| {
        Field::Text(t.workload.load.to_string())
    }),
    ("asked_execs", "how many there were to be", |t| {
        Field::Whole(t.workload.execs.into())
    }),
    (
        "lifetime_ns",
        "how long each payload lived, in nanoseconds",
        |t| Field::Whole(t.workload.lifetime_ns),
    ),
    ("spawn", "how each child was made", |t| {
        Field::Text(t.workload.spawn.to_string())
    }),
    ("population", "processes that slept meanwhile", |t| {
        Field::Whole(t.workload.population.into())
    }),
    (
        "seed",
        "its seed; in labs that are not exact, which sample it is",
        |t| Field::Whole(t.seed),
    ),
    ("digest", "hash of all inputs", |t| t.digest.as_str().into()),
    ("record_sha256", "hash of what came back", |t| {
        t.record_sha256.as_ref().into()
    }),
    ("execlab", "version of execlab", |t| {
        t.provenance.execlab.as_str().into()
    }),
    ("qemu", "version of QEMU", |t| {
        t.provenance.qemu.as_ref().into()
    }),
    (
        "cost_unit",
        "what all costs of this row are counted in",
        |t| t.cost.as_ref().map(|c| &c.unit).into(),
    ),
    (
        "wall_ms",
        "how long the trial took on the host, in milliseconds",
        |t| Facts::of(t).wall_ms.into(),
    ),
    (
        "steal_ns",
        "CPU time that a hypervisor took from the host during the trial, in nanoseconds",
        |t| Facts::of(t).steal_ns.into(),
    ),
    (
        "others_busy_ns",
        "CPU time of processes that are no part of the trial during its storm, in nanoseconds",
        |t| Facts::of(t).others_busy_ns.into(),
    ),
    (
        "frequency_min_khz",
        "lowest frequency of a CPU that was seen",
        |t| Facts::of(t).frequency_khz.map(|range| range.0).into(),
    ),
    (
        "frequency_max_khz",
        "highest frequency of a CPU that was seen",
        |t| Facts::of(t).frequency_khz.map(|range| range.1).into(),
    ),
    ("load_average", "of the last minute", |t| {
        Facts::of(t).load_average.into()
    }),
    ("meter", "what costs were read from", |t| {
        Facts::of(t).meter.as_ref().into()
    }),
    ("notes", "anything worth telling, with ` | ` between", |t| {
        Field::Text(t.notes.join(" | "))
    }),
];

/// The columns behind those of the metrics.
const LATER: &[Column] = &[(
    "cached_since",
    "where the result came from the cache: when the trial was run, in UTC",
    |t| cached_since(t).map_or(Field::Absent, Field::from),
)];

/// Name and meaning of every column, in order: first what a trial is, then the metrics by their ids, then what came later.
pub fn csv_columns() -> Vec<(&'static str, &'static str)> {
    let told = |(name, help, _): &Column| (*name, *help);
    let metrics = METRICS.iter().map(|m| (m.id, m.help));
    let own = COLUMNS.iter().map(told).chain(metrics);
    own.chain(LATER.iter().map(told)).collect()
}

const MEMORY: &str = "writing to memory does not fail";

/// The document, with CRLF between rows as in RFC 4180; in the order of the matrix.
pub fn csv(results: &[TrialResult]) -> String {
    let results = bounded(results);
    let matrix = Matrix::new(&results);
    let mut out = WriterBuilder::new()
        .quote_style(QuoteStyle::NonNumeric)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    out.write_record(csv_columns().iter().map(|(name, _)| name))
        .expect(MEMORY);
    for trial in matrix.cells().flat_map(|cell| &cell.trials) {
        let own = COLUMNS.iter().map(|(_, _, read)| read(trial));
        let metrics = METRICS.iter().map(|metric| match metric.of(trial) {
            None => Field::Absent,
            Some(Reading::Number(number)) => Field::Number(number),
            Some(Reading::Word(word)) => word.into(),
        });
        let later = LATER.iter().map(|(_, _, read)| read(trial));
        let all = own.chain(metrics).chain(later);
        out.write_record(all.map(|field| print(&field)))
            .expect(MEMORY);
    }
    let bytes = out.into_inner().expect(MEMORY);
    String::from_utf8(bytes).expect("every field is text")
}

/// Numbers are whole here, to the last digit: programs read them.
fn print(field: &Field) -> String {
    match field {
        Field::Absent => String::new(),
        Field::Whole(number) => number.to_string(),
        Field::Number(number) => number.to_string(),
        Field::Text(text) => harmless(&clean(text)),
    }
}

/// Text that no spreadsheet takes for a formula. The full-width signs are taken for plain ones by some.
fn harmless(text: &str) -> String {
    const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let begins = text.trim_start().starts_with(SIGNS);
    if begins && !is_number(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Digits with at most one sign in front and one point among them.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.matches('.').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text_and_numbers_stay_numbers() {
        for (text, wanted) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("  =1", "'  =1"),
            ("＝1", "'＝1"),
            ("-42.25", "-42.25"),
            ("+7", "+7"),
            ("-", "'-"),
            ("-1.2.3", "'-1.2.3"),
            ("-1e5", "'-1e5"),
            ("plain", "plain"),
        ] {
            assert_eq!(harmless(text), wanted);
        }
        assert_eq!(print(&Field::Text("\t=1".into())), "\\t=1");
        assert_eq!(print(&Field::Text("\r=1".into())), "\\x0d=1");
    }

    #[test]
    fn columns_have_one_name_each() {
        let columns = csv_columns();
        for (at, (name, help)) in columns.iter().enumerate() {
            assert!(
                columns[..at].iter().all(|(other, _)| other != name),
                "{name}"
            );
            assert!(!help.is_empty());
        }
    }
}
