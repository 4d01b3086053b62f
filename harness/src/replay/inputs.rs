//! Which inputs of a trial are others than they were, as far as its line names them.

use execlab_model::result::{KernelId, Provenance, TrialResult};
use execlab_reports::replay::Change;

/// What differs between the inputs that a line names and those of now; a changed digest has at least one cause, and
/// one that no line names is told as such.
pub fn changed(line: &TrialResult, kernel: &KernelId, now: &Provenance) -> Vec<Change> {
    let was = &line.provenance;
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let words = |words: &[String]| some(&words.join(" "));
    let command = |p: &Provenance| p.monitor_command.as_deref().and_then(words);
    let rows = [
        ("kernel", some(&line.kernel.sha256), some(&kernel.sha256)),
        ("QEMU", was.qemu.clone(), now.qemu.clone()),
        (
            "QEMU's command line",
            words(&was.command_line),
            words(&now.command_line),
        ),
        (
            "image (initramfs)",
            was.initramfs.clone(),
            now.initramfs.clone(),
        ),
        ("monitor", was.monitor.clone(), now.monitor.clone()),
        ("monitor's command", command(was), command(now)),
        ("toolchain", was.toolchain.clone(), now.toolchain.clone()),
        ("execlab", some(&was.execlab), some(&now.execlab)),
    ];
    let mut changes: Vec<Change> = rows
        .into_iter()
        .filter(|(_, was, is)| was != is)
        .map(|(input, was, is)| Change {
            input: input.to_owned(),
            was,
            is,
        })
        .collect();
    // The version of execlab is no input by itself.
    if changes.iter().all(|change| change.input == "execlab") {
        changes.push(Change {
            input: "something that travels with the plan (programs of the scenario, a kernel module, a setting)"
                .to_owned(),
            was: None,
            is: None,
        });
    }
    changes
}
