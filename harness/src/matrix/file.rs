//! The matrix file: TOML, every key known, every message with its line.
//!
//! ```toml
//! kernels   = ["6.1", "6.12"]
//! backends  = ["netlink", "netlink+tuned", "netlink+huge"]
//! workloads = ["absolute", "relative"]
//! loads     = ["closed", "rate:500"]
//! execs     = 200
//! seeds     = "0..3"
//!
//! [variants.netlink.huge]
//! receive_buffer = "64MiB"
//! ```
//!
//! Unknown keys are looked for before serde sees the file: its own message has neither the nearest
//! key nor the next problem.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read as _},
    ops::Range,
    path::Path,
};

use serde::{Deserialize, Deserializer, de};
use toml::{Spanned, de::DeTable};

use super::{Given, MatrixError, NamedProgram, Origin, Problem, Selection, Variant};
use crate::nearest::nearest;

type List<T> = Option<Vec<Spanned<T>>>;
/// Backend, then name of the variant, then setting.
type Variants =
    BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Scalar>>>;

const KEYS: [&str; 15] = [
    "kernels",
    "backends",
    "workloads",
    "loads",
    "execs",
    "lifetimes",
    "spawns",
    "populations",
    "seeds",
    "lab",
    "cpus",
    "baselines",
    "limits",
    "variants",
    "programs",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kernels: List<String>,
    backends: List<String>,
    workloads: List<String>,
    loads: List<String>,
    execs: Option<Spanned<Scalar>>,
    lifetimes: List<Scalar>,
    spawns: List<String>,
    populations: List<Scalar>,
    seeds: Option<Spanned<Scalar>>,
    lab: Option<Spanned<String>>,
    cpus: Option<Spanned<Scalar>>,
    baselines: Option<Spanned<Scalar>>,
    limits: List<String>,
    #[serde(default)]
    variants: Variants,
    #[serde(default)]
    programs: BTreeMap<Spanned<String>, ProgramTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramTable {
    #[serde(default)]
    run: Vec<Spanned<String>>,
    #[serde(default)]
    files: Vec<Spanned<String>>,
    #[serde(default)]
    boot: Vec<Spanned<String>>,
    canary: Option<Spanned<String>>,
    #[serde(default)]
    launch: bool,
}

/// A string, number or truth value, as text: whoever owns the value checks it.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a whole number, `true` or `false`")
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar(v.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }

            fn visit_bool<E: de::Error>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        scalar.0
    }
}

/// A larger matrix file is another kind of file.
const LONGEST: u64 = 1 << 20;

fn read_at_most(path: &Path, bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = fs::File::open(path)?
        .take(bytes + 1)
        .read_to_string(&mut text)?;
    if read as u64 > bytes {
        let what = format!("it is larger than {bytes} bytes, and no matrix file is");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(text)
}

/// Reads a matrix file; names and values in it are not checked yet.
pub fn read(path: &Path) -> Result<Selection, MatrixError> {
    let text = read_at_most(path, LONGEST).map_err(|source| MatrixError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text).map_err(MatrixError::Invalid)
}

fn parse(path: &Path, text: &str) -> Result<Selection, Vec<Problem>> {
    let place = |span: Range<usize>| Origin::File(path.to_owned(), line_of(text, span.start));
    let broken = |error: toml::de::Error| {
        vec![Problem {
            origin: place(error.span().unwrap_or(0..0)),
            what: error.message().to_owned(),
        }]
    };
    let table = DeTable::parse(text).map_err(broken)?;
    let mut unknown: Vec<Problem> = table
        .get_ref()
        .iter()
        .filter(|(key, _)| !KEYS.contains(&key.get_ref().as_ref()))
        .map(|(key, _)| Problem {
            origin: place(key.span()),
            what: unknown_key(key.get_ref()),
        })
        .collect();
    if !unknown.is_empty() {
        unknown.sort_by_key(Problem::line);
        return Err(unknown);
    }
    let file: File = toml::from_str(text).map_err(broken)?;

    let mut variants = Vec::new();
    for (backend, groups) in file.variants {
        for (name, settings) in groups {
            variants.push(Variant {
                backend: given(backend.clone(), &place),
                name: given(name, &place),
                settings: settings
                    .into_iter()
                    .map(|(key, value)| (given(key, &place), value.0))
                    .collect(),
            });
        }
    }
    Ok(Selection {
        kernels: all(file.kernels, &place),
        backends: all(file.backends, &place),
        workloads: all(file.workloads, &place),
        loads: all(file.loads, &place),
        execs: file.execs.map(|v| given(v, &place)),
        lifetimes: all(file.lifetimes, &place),
        spawns: all(file.spawns, &place),
        populations: all(file.populations, &place),
        seeds: file.seeds.map(|v| given(v, &place)),
        lab: file.lab.map(|v| given(v, &place)),
        cpus: file.cpus.map(|v| given(v, &place)),
        baselines: file.baselines.map(|v| given(v, &place)),
        limits: all(file.limits, &place),
        variants,
        programs: file
            .programs
            .into_iter()
            .map(|(name, table)| named_program(name, table, &place))
            .collect(),
    })
}

fn named_program(
    name: Spanned<String>,
    table: ProgramTable,
    place: &dyn Fn(Range<usize>) -> Origin,
) -> NamedProgram {
    let each = |list: Vec<_>| list.into_iter().map(|v| given(v, place)).collect();
    NamedProgram {
        name: given(name, place),
        run: each(table.run),
        files: each(table.files),
        boot: each(table.boot),
        canary: table.canary.map(|v| given(v, place)),
        launch: table.launch,
    }
}

fn given<T: Into<String>>(value: Spanned<T>, place: &dyn Fn(Range<usize>) -> Origin) -> Given {
    let origin = place(value.span());
    Given {
        text: value.into_inner().into(),
        origin,
    }
}

fn all<T: Into<String>>(
    list: List<T>,
    place: &dyn Fn(Range<usize>) -> Origin,
) -> Option<Vec<Given>> {
    Some(list?.into_iter().map(|v| given(v, place)).collect())
}

fn unknown_key(key: &str) -> String {
    let hint = nearest(key, KEYS).map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
    format!(
        "unknown key `{key}`{hint} (known keys: {})",
        KEYS.join(", ")
    )
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let problems = parse(Path::new("m.toml"), text).unwrap_err();
        MatrixError::Invalid(problems).to_string()
    }

    #[test]
    fn every_key_is_read_with_its_line() {
        let text = "kernels = ['6.1']\nbackends = ['netlink+huge']\nworkloads = ['relative']\n\
             loads = ['closed']\nexecs = 7\nlifetimes = [0, '1ms']\nspawns = ['fork']\n\
             populations = [200]\nseeds = '1..3'\nlab = 'exact'\ncpus = 1\n\
             baselines = true\n[variants.netlink.huge]\nreceive_buffer = 5\n";
        let selection = parse(Path::new("m.toml"), text).unwrap();
        let at = |line| Origin::File("m.toml".into(), line);
        assert_eq!(selection.kernels.unwrap()[0].origin, at(1));
        assert_eq!(selection.execs.unwrap().text, "7");
        assert_eq!(selection.lifetimes.unwrap()[1].text, "1ms");
        assert_eq!(selection.seeds.unwrap().origin, at(9));
        let variant = &selection.variants[0];
        assert_eq!(
            (variant.name.text.as_str(), &variant.name.origin),
            ("huge", &at(13))
        );
        assert_eq!(variant.settings[0].0.origin, at(14));
        assert_eq!(variant.settings[0].1, "5");
        // Each key of the list above was in the file, so none is known to one side only.
        assert!(KEYS.iter().all(|key| text.contains(key)));
    }

    #[test]
    fn all_unknown_keys_are_named_with_line_and_nearest_key() {
        insta::assert_snapshot!(problems("execs = 1\n\nkernel = ['6.1']\nseedz = 3\nfoo = 1\n"), @r#"
        m.toml:3: unknown key `kernel`; did you mean `kernels`? (known keys: kernels, backends, workloads, loads, execs, lifetimes, spawns, populations, seeds, lab, cpus, baselines, variants)
        m.toml:4: unknown key `seedz`; did you mean `seeds`? (known keys: kernels, backends, workloads, loads, execs, lifetimes, spawns, populations, seeds, lab, cpus, baselines, variants)
        m.toml:5: unknown key `foo` (known keys: kernels, backends, workloads, loads, execs, lifetimes, spawns, populations, seeds, lab, cpus, baselines, variants)
        "#);
    }

    #[test]
    fn what_is_no_toml_or_of_the_wrong_type_has_its_line() {
        insta::assert_snapshot!(problems("execs = 1\nseeds = \n"), @"m.toml:2: string values must be quoted, expected literal string");
        insta::assert_snapshot!(problems("execs = 1\nkernels = '6.1'\n"), @r#"m.toml:2: invalid type: string "6.1", expected a sequence"#);
        insta::assert_snapshot!(problems("\nseeds = 1.5\n"), @"m.toml:2: invalid type: floating point `1.5`, expected a string, a whole number, `true` or `false`");
        insta::assert_snapshot!(problems("execs = 1\nexecs = 2\n"), @"m.toml:2: duplicate key");
    }
}
