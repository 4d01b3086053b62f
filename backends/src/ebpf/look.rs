//! What the eBPF programs need.

use std::fs;

use super::{load, plan::Technique};
use crate::{
    AttachError,
    look::{Finding, Roots},
};

/// Loads the very programs that watch, and lets them go without attaching them: the verifier's word is
/// worth more than any list of versions.
pub(super) fn look(roots: &Roots, technique: Technique) -> Vec<Finding> {
    vec![
        types(roots),
        lockdown(roots),
        program(load::try_loading(technique)),
    ]
}

fn types(roots: &Roots) -> Finding {
    const WHAT: &str = "type information";
    let path = roots.sys.join("kernel/btf/vmlinux");
    match fs::metadata(path) {
        Ok(file) => Finding::good(
            WHAT,
            format!("/sys/kernel/btf/vmlinux, {} KiB", file.len() / 1024),
        ),
        Err(error) => Finding::bad(
            WHAT,
            format!("/sys/kernel/btf/vmlinux cannot be read: {error}"),
            "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, 5.4 or newer",
        ),
    }
}

/// The word in brackets is the one that holds (Documentation: `kernel_lockdown(7)`).
fn lockdown(roots: &Roots) -> Finding {
    const WHAT: &str = "lockdown";
    let path = roots.sys.join("kernel/security/lockdown");
    let Ok(text) = fs::read_to_string(path) else {
        return Finding::good(WHAT, "not there, or securityfs is not mounted");
    };
    if text.contains("[confidentiality]") {
        Finding::bad(
            WHAT,
            "confidentiality: programs may not read the kernel's memory",
            "boot with lockdown=integrity or less",
        )
    } else {
        Finding::good(WHAT, text.trim().to_owned())
    }
}

fn program(loaded: Result<String, AttachError>) -> Finding {
    const WHAT: &str = "the program";
    match loaded {
        Ok(evidence) => Finding::good(WHAT, evidence),
        Err(error) => Finding::bad(
            WHAT,
            error.to_string(),
            "run execlab as root (CAP_BPF and CAP_PERFMON), on a kernel that has what it needs",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn types_lockdown_and_program_are_told() {
        let fake = Fake::new();
        let roots = fake.roots();
        let refused = || AttachError::Unsupported("bpf(PROG_LOAD): not permitted".into());
        let look = |loaded| told(&[types(&roots), lockdown(&roots), program(loaded)]);
        insta::assert_snapshot!(look(Err(refused())), @r#"
        bad: type information: /sys/kernel/btf/vmlinux cannot be read: No such file or directory (os error 2) (boot a kernel with CONFIG_DEBUG_INFO_BTF=y, 5.4 or newer)
        good: lockdown: not there, or securityfs is not mounted (-)
        bad: the program: bpf(PROG_LOAD): not permitted (run execlab as root (CAP_BPF and CAP_PERFMON), on a kernel that has what it needs)
        "#);
        fake.write("sys/kernel/btf/vmlinux", &"x".repeat(4096));
        fake.write(
            "sys/kernel/security/lockdown",
            "none integrity [confidentiality]\n",
        );
        insta::assert_snapshot!(look(Err(refused())), @r#"
        good: type information: /sys/kernel/btf/vmlinux, 4 KiB (-)
        bad: lockdown: confidentiality: programs may not read the kernel's memory (boot with lockdown=integrity or less)
        bad: the program: bpf(PROG_LOAD): not permitted (run execlab as root (CAP_BPF and CAP_PERFMON), on a kernel that has what it needs)
        "#);
        fake.write(
            "sys/kernel/security/lockdown",
            "[none] integrity confidentiality\n",
        );
        insta::assert_snapshot!(look(Ok("loaded".into())), @r#"
        good: type information: /sys/kernel/btf/vmlinux, 4 KiB (-)
        good: lockdown: [none] integrity confidentiality (-)
        good: the program: loaded (-)
        "#);
    }
}
