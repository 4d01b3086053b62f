//! Programs of somebody else as backends: `exec:./monitor`, or one that a matrix file names.

use std::{collections::BTreeMap, path::Path};

use execlab_model::plan::{BackendSpec, CanaryKind};

use super::{Given, NamedProgram, Origin, SelectedBackend, Variant, resolve::unknown};
use crate::{
    program::{PREFIX, Program},
    registry::DEFAULT_VARIANT,
};

/// A program that a matrix file names, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    name: String,
    program: Program,
    boot: Vec<String>,
}

/// Checks one; its paths are of the matrix file's folder.
pub(super) fn named_program(named: &NamedProgram) -> Result<Named, String> {
    let base = match &named.name.origin {
        Origin::File(file, _) => file.parent().unwrap_or(Path::new("")).to_owned(),
        Origin::Flag(_) | Origin::BuiltIn => Path::new("").to_owned(),
    };
    let (file, arguments) = named
        .run
        .split_first()
        .ok_or("`run` names no program: write `run = [\"./monitor\", \"--json\"]`")?;
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
        boot: named.boot.iter().map(|option| option.text.clone()).collect(),
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

/// The backend that a text behind [`PREFIX`] means: a named program, with a variant of its own where it has one, or
/// else a command.
pub(super) fn backend(
    given: &Given,
    variants: &[Variant],
    programs: &[Named],
) -> Result<SelectedBackend, String> {
    let text = given.text.as_str();
    let (name, variant) = text.split_once('+').unwrap_or((text, DEFAULT_VARIANT));
    if let Some(named) = programs.iter().find(|p| p.name == name) {
        let of_it = |v: &&Variant| v.backend.text == name;
        let mut settings = BTreeMap::new();
        if variant != DEFAULT_VARIANT {
            let mut own = variants.iter().filter(of_it);
            let found = own.find(|v| v.name.text == variant).ok_or_else(|| {
                let own = variants.iter().filter(of_it).map(|v| v.name.text.as_str());
                unknown(
                    &format!("variant of {name}"),
                    variant,
                    [DEFAULT_VARIANT].into_iter().chain(own),
                )
            })?;
            let values = found.settings.iter();
            settings.extend(values.map(|(key, value)| (key.text.clone(), value.clone())));
        }
        return Ok(selected(name, variant, settings, named.program.clone(), &named.boot));
    }
    let command = text.strip_prefix(PREFIX).unwrap_or(text);
    let program = Program::of_command(command).map_err(|error| {
        let names: Vec<_> = programs.iter().map(|p| p.name.as_str()).collect();
        if names.is_empty() {
            error.to_string()
        } else {
            format!("{error}; programs of the matrix file: {}", names.join(", "))
        }
    })?;
    Ok(selected(&program.name(), DEFAULT_VARIANT, BTreeMap::new(), program, &[]))
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
pub(super) fn clashes(backends: &[SelectedBackend]) -> Option<String> {
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
