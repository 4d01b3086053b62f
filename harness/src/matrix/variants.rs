//! Checks of the variants that a matrix file defines, whether or not the matrix uses them.

use execlab_model::plan::{CPU_QUOTA, MEMORY_LIMIT};

use super::{
    Given, Variant,
    limits::is_value,
    programs::Programs,
    resolve::{backend_info, unknown},
};
use crate::{
    program::PREFIX,
    registry::{BASELINE, DEFAULT_VARIANT, Registry, TUNED_VARIANT},
};

/// Tells `problem` of everything that is wrong with them.
pub(super) fn check(
    variants: &[Variant],
    registry: &Registry,
    programs: &Programs,
    mut problem: impl FnMut(&Given, String),
) {
    for variant in variants {
        if let Err(what) = variant_name(&variant.name.text) {
            problem(&variant.name, what);
        }
        let name = variant.backend.text.as_str();
        if name.starts_with(PREFIX) {
            if let Err(what) = programs.knows(name) {
                problem(&variant.backend, what);
            }
            limits_alone(variant, &mut problem);
            continue;
        }
        let info = match backend_info(registry, name) {
            Ok(info) => info,
            Err(what) => {
                problem(&variant.backend, what);
                continue;
            }
        };
        if info.name == BASELINE {
            problem(
                &variant.backend,
                format!("backend `{BASELINE}` has no settings"),
            );
            continue;
        }
        for (key, value) in &variant.settings {
            if !info.setting_names().any(|name| name == key.text) {
                let names = info.setting_names();
                let what = unknown(&format!("setting of {}", info.name), &key.text, names);
                problem(key, what);
            } else if let Err(what) = info.check_setting(&key.text, value) {
                problem(key, what);
            }
        }
    }
}

/// A program of somebody else takes no settings but the limits that are put on it from outside.
fn limits_alone(variant: &Variant, problem: &mut impl FnMut(&Given, String)) {
    let limits = [CPU_QUOTA, MEMORY_LIMIT];
    for (key, value) in &variant.settings {
        let name = &key.text;
        if !limits.contains(&name.as_str()) {
            let kind = format!("setting of {}", variant.backend.text);
            problem(key, unknown(&kind, name, limits));
        } else if !value.parse().is_ok_and(is_value) {
            problem(
                key,
                format!(
                    "setting `{name}` cannot be `{value}`; it takes a whole number from 1 to 100000"
                ),
            );
        }
    }
}

fn variant_name(name: &str) -> Result<(), String> {
    if [DEFAULT_VARIANT, TUNED_VARIANT].contains(&name) {
        return Err(format!(
            "`{name}` is the backend's own; give the variant another name"
        ));
    }
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if name.is_empty() || !name.bytes().all(good) {
        return Err(format!(
            "`{name}` cannot name a variant: small letters, digits, `-`, `_` and `.` only"
        ));
    }
    Ok(())
}
