//! What a way to watch may ask of those who deploy it, as they say no to it: `execlab decide --without ptrace,bpf`.
//!
//! The one list. Which backend has which property follows from its portrait, its boot options and its settings; a phrase
//! of a portrait is written here once more, and a test says so when nobody has it any longer.

use execlab_backends::{Family, Portrait, Reach};
use execlab_model::plan::BackendSpec;
use execlab_reports::decide::{self, Deployment};

use super::BackendInfo;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// As in `--without`.
    pub name: &'static str,
    /// In words, of a way to watch that has it.
    pub about: &'static str,
    has: Has,
}

/// By what it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// A family has it.
    Family(Family),
    /// Whatever needs something of which these are a part.
    Need(&'static [&'static str]),
    /// Whatever is of the family or needs one of these.
    FamilyOrNeed(Family, &'static [&'static str]),
    /// It is booted with an option, or needs one.
    BootOption(&'static str),
    /// It can watch its own descendants only.
    OwnTree,
    /// A setting with this value.
    Setting(&'static str, &'static str),
}

/// Every property, in the order of lists.
pub const PROPERTIES: &[Property] = &[
    Property {
        name: "root-module",
        about: "it loads a module of its own into the kernel",
        has: Has::Family(Family::KernelModule),
    },
    Property {
        name: "compiler",
        about: "it is built against the headers of each kernel, with a compiler",
        has: Has::Need(&["headers of this very kernel and a compiler"]),
    },
    Property {
        name: "bpf",
        about: "it loads eBPF programs into the kernel",
        has: Has::Family(Family::Ebpf),
    },
    Property {
        name: "btf",
        about: "the kernel must have type information (CONFIG_DEBUG_INFO_BTF)",
        has: Has::Need(&["CONFIG_DEBUG_INFO_BTF"]),
    },
    Property {
        name: "no-lockdown",
        about: "the kernel must not be locked down, or must take unsigned modules",
        has: Has::Need(&["no lockdown", "a kernel that takes unsigned modules"]),
    },
    Property {
        name: "security-module",
        about: "a security module must be active that is not active everywhere",
        has: Has::Need(&["among the active security modules"]),
    },
    Property {
        name: "ptrace",
        about: "it traces processes, and nobody else can",
        has: Has::Need(&["processes that nobody traces yet"]),
    },
    Property {
        name: "seccomp",
        about: "it puts a seccomp filter on what it watches",
        has: Has::Need(&[
            "no other seccomp listener",
            "CAP_SYS_ADMIN in the launched process",
            "CONFIG_SECCOMP_FILTER",
        ]),
    },
    Property {
        name: "blocks-exec",
        about: "each exec waits for the monitor to answer",
        has: Has::FamilyOrNeed(Family::Ptrace, &["CONFIG_FANOTIFY_ACCESS_PERMISSIONS"]),
    },
    Property {
        name: "audit-owner",
        about: "it must be the one audit daemon of the machine",
        has: Has::Need(&["no other audit daemon"]),
    },
    Property {
        name: "accounting-owner",
        about: "it must be the one that keeps process accounts",
        has: Has::Need(&["no other process accounting"]),
    },
    Property {
        name: "boot-option",
        about: "the kernel must be booted with an option for it",
        has: Has::BootOption("at boot"),
    },
    Property {
        name: "own-tree",
        about: "it must start what it watches, and sees nothing else",
        has: Has::OwnTree,
    },
    Property {
        name: "preload",
        about: "a library of its own is loaded into every program",
        has: Has::Family(Family::Libc),
    },
    Property {
        name: "real-time",
        about: "it runs with real-time priority",
        has: Has::Setting("scheduling", "fifo"),
    },
];

impl Property {
    /// The one of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PROPERTIES.iter().find(|property| property.name == name)
    }

    /// Whether a backend with these settings has it.
    fn is_of(&self, backend: &BackendInfo, spec: &BackendSpec) -> bool {
        let Portrait {
            family,
            needs,
            reach,
            ..
        } = backend.portrait;
        let needs_any = |parts: &[&str]| {
            let is = |need: &&str| parts.iter().any(|part| need.contains(part));
            needs.iter().any(is)
        };
        match self.has {
            Has::Family(one) => family == one,
            Has::Need(parts) => needs_any(parts),
            Has::FamilyOrNeed(one, parts) => family == one || needs_any(parts),
            Has::BootOption(part) => !backend.boot.is_empty() || needs_any(&[part]),
            Has::OwnTree => reach == Reach::Descendants,
            Has::Setting(name, value) => spec.settings.get(name).is_some_and(|set| set == value),
        }
    }
}

impl From<&Property> for decide::Property {
    fn from(property: &Property) -> Self {
        Self {
            name: property.name.to_owned(),
            about: property.about.to_owned(),
        }
    }
}

impl BackendInfo {
    /// What it asks of those who deploy it with these settings.
    pub fn deployment(&self, spec: &BackendSpec) -> Deployment {
        let properties = PROPERTIES.iter().filter(|p| p.is_of(self, spec));
        let needs = self.portrait.needs.iter();
        Deployment {
            properties: properties.map(|p| p.name.to_owned()).collect(),
            needs: needs.map(|&need| need.to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{BASELINE, DEFAULT_VARIANT, TUNED_VARIANT, backends},
        *,
    };

    #[test]
    fn every_phrase_is_of_some_portrait() {
        let all = backends();
        for property in PROPERTIES {
            let phrases: &[&str] = match property.has {
                Has::Need(parts) | Has::FamilyOrNeed(_, parts) => parts,
                _ => &[],
            };
            for phrase in phrases {
                let has = |b: &BackendInfo| b.portrait.needs.iter().any(|n| n.contains(phrase));
                assert!(all.iter().any(has), "{phrase} of {}", property.name);
            }
        }
    }

    #[test]
    fn every_property_is_of_some_backends_and_of_no_others() {
        let mut who: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for backend in backends().into_iter().filter(|b| b.name != BASELINE) {
            for variant in [DEFAULT_VARIANT, TUNED_VARIANT] {
                let spec = backend.spec(variant).expect("every backend has both");
                for property in PROPERTIES.iter().filter(|p| p.is_of(&backend, &spec)) {
                    let names = who.entry(property.name).or_default();
                    let name = match (variant, names.last() == Some(&backend.name)) {
                        (DEFAULT_VARIANT, _) => backend.name.clone(),
                        (_, true) => continue,
                        _ => format!("{}+{variant}", backend.name),
                    };
                    names.push(name);
                }
            }
        }
        let lines: Vec<String> = PROPERTIES
            .iter()
            .map(|property| format!("{}: {}", property.name, who[property.name].join(" ")))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
