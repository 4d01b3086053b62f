//! Programs of somebody else as backends: `exec:./monitor`, or one that a matrix file names.

use std::{collections::BTreeMap, path::Path};

use execlab_model::plan::{BackendSpec, CanaryKind};

use super::{Given, NamedProgram, Origin, SelectedBackend, Variant, resolve::unknown};
use crate::{
    program::{PREFIX, Program},
    registry::DEFAULT_VARIANT,
};

/// The programs that a matrix file names.
#[derive(Debug, Default)]
pub(super) struct Programs {
    good: Vec<Named>,
    /// Names of those with which something is wrong.
    bad: Vec<String>,
}

/// One of them, checked.
#[derive(Debug)]
struct Named {
    name: String,
    program: Program,
    boot: Vec<String>,
}

impl Programs {
    /// Checks all of them; `problem` is told of what is wrong with one.
    pub(super) fn check(all: &[NamedProgram], mut problem: impl FnMut(&Given, String)) -> Self {
        let mut programs = Self::default();
        for named in all {
            match named_program(named) {
                Ok(named) => programs.good.push(named),
                Err(what) => {
                    problem(&named.name, what);
                    programs.bad.push(format!("{PREFIX}{}", named.name.text));
                }
            }
        }
        programs
    }

    /// Whether one is called so, behind [`PREFIX`], with or without fault; if not, the message.
    pub(super) fn knows(&self, name: &str) -> Result<(), String> {
        let good = self.good.iter().map(|named| named.name.as_str());
        let all: Vec<_> = good.chain(self.bad.iter().map(String::as_str)).collect();
        if all.contains(&name) {
            return Ok(());
        }
        let what = unknown("program", name, all);
        Err(format!("{what}; `[programs.NAME]` names one"))
    }

    /// The backend that a text behind [`PREFIX`] means: a named program, with a variant of its own where it has one,
    /// or else a command.
    pub(super) fn backend(
        &self,
        given: &Given,
        variants: &[Variant],
    ) -> Result<SelectedBackend, String> {
        let text = given.text.as_str();
        let (name, variant) = text.split_once('+').unwrap_or((text, DEFAULT_VARIANT));
        if self.bad.iter().any(|bad| bad == name) {
            return Err(format!("`{name}` is not usable as its table has it"));
        }
        if let Some(named) = self.good.iter().find(|p| p.name == name) {
            let settings = settings(name, variant, variants)?;
            let (program, boot) = (named.program.clone(), &named.boot);
            return Ok(selected(name, variant, settings, program, boot));
        }
        let command = text.strip_prefix(PREFIX).unwrap_or(text);
        let program = Program::of_command(command).map_err(|error| {
            let names: Vec<_> = self.good.iter().map(|p| p.name.as_str()).collect();
            if names.is_empty() {
                error.to_string()
            } else {
                format!("{error}; programs of the matrix file: {}", names.join(", "))
            }
        })?;
        let name = program.name();
        Ok(selected(
            &name,
            DEFAULT_VARIANT,
            BTreeMap::new(),
            program,
            &[],
        ))
    }
}

/// What a variant sets on a named program.
fn settings(
    name: &str,
    variant: &str,
    variants: &[Variant],
) -> Result<BTreeMap<String, String>, String> {
    if variant == DEFAULT_VARIANT {
        return Ok(BTreeMap::new());
    }
    let own = || variants.iter().filter(|v| v.backend.text == name);
    let found = own().find(|v| v.name.text == variant).ok_or_else(|| {
        let names = own().map(|v| v.name.text.as_str());
        let kind = format!("variant of {name}");
        unknown(&kind, variant, [DEFAULT_VARIANT].into_iter().chain(names))
    })?;
    let values = found.settings.iter();
    Ok(values
        .map(|(key, value)| (key.text.clone(), value.clone()))
        .collect())
}

/// Checks one; its paths are of the matrix file's folder.
fn named_program(named: &NamedProgram) -> Result<Named, String> {
    let base = match &named.name.origin {
        Origin::File(file, _) => file.parent().unwrap_or(Path::new("")).to_owned(),
        Origin::Flag(_) | Origin::BuiltIn => Path::new("").to_owned(),
    };
    let (file, arguments) = named
        .run
        .split_first()
        .ok_or("`run` names no program: write `run = [\"./monitor\", \"--json\"]`")?;
    if named.name.text.contains(['+', ',']) || named.name.text.is_empty() {
        let name = &named.name.text;
        return Err(format!(
            "`{name}` cannot name a program: `+` and `,` divide names"
        ));
    }
    let files: Vec<_> = named.files.iter().map(|f| base.join(&f.text)).collect();
    let arguments = arguments.iter().map(|a| a.text.clone()).collect();
    let program = Program::new(&base.join(&file.text), arguments, &files);
    let mut program = program.map_err(|error| error.to_string())?;
    if let Some(canary) = &named.canary {
        program.canary = canary_kind(&canary.text)?;
    }
    program.launch = named.launch;
    Ok(Named {
        name: format!("{PREFIX}{}", named.name.text),
        program,
        boot: named
            .boot
            .iter()
            .map(|option| option.text.clone())
            .collect(),
    })
}

fn canary_kind(text: &str) -> Result<CanaryKind, String> {
    const ALL: [(&str, CanaryKind); 3] = [
        ("payload", CanaryKind::Payload),
        ("dynamic", CanaryKind::Dynamic),
        ("fresh", CanaryKind::Fresh),
    ];
    let found = ALL.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, kind)| *kind)
        .ok_or_else(|| unknown("canary", text, ALL.map(|(name, _)| name)))
}

fn selected(
    name: &str,
    variant: &str,
    settings: BTreeMap<String, String>,
    program: Program,
    boot: &[String],
) -> SelectedBackend {
    SelectedBackend {
        spec: BackendSpec {
            name: name.to_owned(),
            variant: variant.to_owned(),
            settings,
        },
        boot: boot.to_vec(),
        program: Some(program),
    }
}

/// Two programs of one name would have trials of one id.
pub(super) fn clash(backends: &[SelectedBackend]) -> Option<String> {
    let mut seen: BTreeMap<(&str, &str), &SelectedBackend> = BTreeMap::new();
    for backend in backends {
        let key = (backend.spec.name.as_str(), backend.spec.variant.as_str());
        if seen.insert(key, backend).is_some() {
            let name = &backend.spec.name;
            return Some(format!(
                "two programs would be called `{name}`: give them names in a matrix file, as \
                 `[programs.NAME]` with `run = [\"./monitor\"]`"
            ));
        }
    }
    None
}
