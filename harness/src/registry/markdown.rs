//! The registry of backends as a page of the documentation.

use std::fmt::Write as _;

use execlab_reports::conformance::Held;

use super::{BASELINE, BackendInfo, backends, common_settings};

/// `docs/backends.md`.
pub fn markdown() -> String {
    let all = backends();
    let watching: Vec<&BackendInfo> = all.iter().filter(|b| b.name != BASELINE).collect();
    let mut text = format!(
        "# Backends\n\n\
         <!-- Written from the registry: `UPDATE_DOCS=1 cargo test -p execlab-harness --test scenarios`. -->\n\n\
         {} ways to watch execs, by family. What each cannot see, and why, stands in the description at the top of its \
         file below [`backends/src/`](../backends/src); what each saw is in [the conformance table](conformance.md), \
         and what it costs in [the costs](costs.md). `execlab watch --backend NAME` tries one on this very machine, and \
         `exec:./program` is [one of your own](your-monitor.md).\n",
        watching.len()
    );
    let mut family = None;
    for backend in &watching {
        let portrait = &backend.portrait;
        if family != Some(portrait.family) {
            family = Some(portrait.family);
            let _ = write!(
                text,
                "\n## {}\n\n| backend | how an exec reaches the reader | needs | earliest kernel | one artefact attaches on | knows of losses by | watches |\n|---|---|---|---|---|---|---|\n",
                portrait.family.about()
            );
        }
        let locked = portrait.since.series.map_or_else(String::new, |series| {
            format!("; of the locked ones {series}")
        });
        let found = execlab_backends::find(&backend.name);
        let until = found.and_then(execlab_backends::Backend::until);
        let until = until.map_or_else(String::new, |last| {
            format!("; the last locked one is {last}")
        });
        let built = found.is_some_and(|b| b.kernel_module().is_some());
        let each = if built {
            ", each with a module of its own"
        } else {
            ""
        };
        let portable = Held::committed().portability(&backend.name);
        let portable = portable.map_or_else(String::new, |(on, of)| {
            format!("{on} of {of} kernels{each}")
        });
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {}{locked}{until} | {portable} | {} | {} |",
            backend.name,
            cell(portrait.mechanism),
            list(portrait.needs, "nothing"),
            cell(portrait.since.release),
            list(portrait.loss_signals, "nothing"),
            portrait.reach.about()
        );
    }
    text += "\n## Settings\n\nEach has a variant `default`, what a careful user gets without thinking, and one called `tuned`, what an \
             expert would set for a storm.\n\n| backend | setting | default | tuned | what it does |\n|---|---|---|---|---|\n";
    for backend in &watching {
        let found = execlab_backends::find(&backend.name);
        for setting in found.map_or(&[][..], |b| b.settings()) {
            let _ = writeln!(
                text,
                "| `{}` | `{}` | {} | {} | {} |",
                backend.name,
                setting.name,
                setting.default,
                setting.tuned,
                cell(setting.help)
            );
        }
    }
    for setting in execlab_backends::COMMON_SETTINGS {
        let value = &common_settings()[setting.name];
        let _ = writeln!(
            text,
            "| each | `{}` | {value} | {value} | {} |",
            setting.name,
            cell(setting.help)
        );
    }
    text
}

fn list(items: &[&str], none: &str) -> String {
    if items.is_empty() {
        none.to_owned()
    } else {
        cell(&items.join("; "))
    }
}

/// What stands in a cell may not end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
