//! What can be set on a backend: a table of names, kinds, default and tuned values.

use std::collections::BTreeMap;

use execlab_model::plan::{CPU_QUOTA, MEMORY_LIMIT};

/// One thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Name in matrix files and results: lower case, words joined by `-`.
    pub name: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value of the variant `default`: what a careful user gets without thinking.
    pub default: &'static str,
    /// The value of the variant `tuned`: what an expert would set for a storm.
    pub tuned: &'static str,
}

/// What can be set on every backend, because the seam does it and not the backend. Unlike a
/// backend's own settings these stand in no plan unless somebody sets them.
pub const COMMON_SETTINGS: &[Setting] = &[
    Setting {
        name: BURDEN,
        help: "wasted work: so many turns of an empty loop (two instructions each) for each sighting",
        kind: Kind::Number(0, 1 << 30),
        default: "0",
        tuned: "0",
    },
    Setting {
        name: CPU_QUOTA,
        help: "limit: so many percent of one CPU for the monitor's cgroup; 0 is no limit",
        kind: Kind::Number(0, 100_000),
        default: "0",
        tuned: "0",
    },
    Setting {
        name: MEMORY_LIMIT,
        help: "limit: so many MiB of memory for the monitor's cgroup; 0 is no limit",
        kind: Kind::Number(0, 1 << 20),
        default: "0",
        tuned: "0",
    },
];

/// See [`crate::Seam::burdened`].
pub(crate) const BURDEN: &str = "burden";

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number in these bounds, both included.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A setting that does not exist, or a value that it does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// No setting of this backend has that name.
    #[error("no setting is called `{name}`; there are: {valid}")]
    Name {
        /// As given.
        name: String,
        /// The valid names, joined.
        valid: String,
    },
    /// The value is not one that the setting takes.
    #[error("setting `{name}` cannot be `{value}`; it takes {takes}")]
    Value {
        /// The setting.
        name: &'static str,
        /// As given.
        value: String,
        /// What it takes.
        takes: String,
    },
}

impl Kind {
    /// Whether it takes a value.
    pub fn takes(self, value: &str) -> bool {
        match self {
            Self::Number(low, high) => value
                .parse::<u64>()
                .is_ok_and(|n| (low..=high).contains(&n)),
            Self::Word(words) => words.contains(&value),
        }
    }

    /// What it takes, for people.
    pub fn describe(self) -> String {
        match self {
            Self::Number(low, high) => format!("a whole number from {low} to {high}"),
            Self::Word(words) => format!("one of: {}", words.join(", ")),
        }
    }
}

/// A backend's settings, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Checks `values` against a backend's table and [`COMMON_SETTINGS`]; what is not given has its
    /// default.
    pub fn new(
        table: &'static [Setting],
        values: BTreeMap<String, String>,
    ) -> Result<Self, BadSetting> {
        let known = || table.iter().chain(COMMON_SETTINGS);
        let mut all: BTreeMap<_, _> = known().map(|s| (s.name, s.default.to_owned())).collect();
        for (name, value) in values {
            let Some(setting) = known().find(|s| s.name == name) else {
                let valid: Vec<_> = known().map(|s| s.name).collect();
                let valid = valid.join(", ");
                return Err(BadSetting::Name { name, valid });
            };
            if !setting.kind.takes(&value) {
                let takes = setting.kind.describe();
                return Err(BadSetting::Value {
                    name: setting.name,
                    value,
                    takes,
                });
            }
            all.insert(setting.name, value);
        }
        Ok(Self(all))
    }

    /// The value of a [`Kind::Word`].
    ///
    /// # Panics
    /// When the backend's own table has no such setting.
    pub fn word(&self, name: &str) -> &str {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no setting `{name}` in the backend's table"))
    }

    /// The value of a [`Kind::Number`].
    ///
    /// # Panics
    /// When the backend's own table has no such setting, or it is a word.
    pub fn number(&self, name: &str) -> u64 {
        self.word(name)
            .parse()
            .unwrap_or_else(|_| panic!("setting `{name}` is no number"))
    }

    /// See [`crate::Seam::burdened`].
    pub fn burden(&self) -> u32 {
        u32::try_from(self.number(BURDEN)).expect("the table of settings bounds it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Setting] = &[
        Setting {
            name: "size",
            help: "",
            kind: Kind::Number(1, 9),
            default: "3",
            tuned: "9",
        },
        Setting {
            name: "mode",
            help: "",
            kind: Kind::Word(&["a", "b"]),
            default: "a",
            tuned: "b",
        },
    ];

    fn given(name: &str, value: &str) -> Result<Settings, BadSetting> {
        Settings::new(TABLE, [(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let settings = given("mode", "b").unwrap();
        assert_eq!((settings.number("size"), settings.word("mode")), (3, "b"));
    }

    #[test]
    fn every_backend_takes_a_burden_and_has_none_unless_it_is_set() {
        assert_eq!(given("size", "1").unwrap().burden(), 0);
        assert_eq!(given("burden", "7").unwrap().burden(), 7);
        let alone = Settings::new(&[], [("burden".to_owned(), "9".to_owned())].into());
        assert_eq!(alone.unwrap().burden(), 9);
        assert!(given("burden", "-1").is_err());
    }

    #[test]
    fn bad_names_and_values_list_the_valid_ones() {
        let message = |r: Result<Settings, BadSetting>| r.unwrap_err().to_string();
        assert_eq!(
            message(given("sise", "1")),
            "no setting is called `sise`; there are: size, mode, burden, cpu-quota, memory-limit"
        );
        assert_eq!(
            message(given("size", "10")),
            "setting `size` cannot be `10`; it takes a whole number from 1 to 9"
        );
        assert_eq!(
            message(given("mode", "c")),
            "setting `mode` cannot be `c`; it takes one of: a, b"
        );
    }
}
