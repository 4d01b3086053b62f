//! What a module needs.

use std::{fs, path::Path};

use crate::look::{Capability, Finding, Roots};

/// The same for all rows.
pub(super) fn look(roots: &Roots) -> Vec<Finding> {
    vec![
        Capability::SysModule.look(roots),
        modules(roots),
        signatures(roots),
        headers(roots, Path::new("/lib/modules")),
    ]
}

fn modules(roots: &Roots) -> Finding {
    const WHAT: &str = "modules";
    match fs::read_to_string(roots.proc.join("sys/kernel/modules_disabled")) {
        Ok(text) if text.trim() == "0" => Finding::good(WHAT, "the kernel loads modules"),
        Ok(text) => Finding::bad(
            WHAT,
            format!("kernel.modules_disabled is {}", text.trim()),
            "boot anew: it cannot be turned off again",
        ),
        Err(error) => Finding::bad(
            WHAT,
            format!("/proc/sys/kernel/modules_disabled cannot be read: {error}"),
            "boot a kernel with CONFIG_MODULES=y",
        ),
    }
}

/// Two things can ask for signatures: a parameter, and lockdown (`kernel_lockdown(7)`).
fn signatures(roots: &Roots) -> Finding {
    const WHAT: &str = "unsigned modules";
    let read = |name: &str| fs::read_to_string(roots.sys.join(name)).unwrap_or_default();
    let lockdown = read("kernel/security/lockdown");
    if read("module/module/parameters/sig_enforce").trim() == "Y" {
        return Finding::bad(
            WHAT,
            "module.sig_enforce is set",
            "boot without module.sig_enforce",
        );
    }
    if lockdown.contains("[integrity]") || lockdown.contains("[confidentiality]") {
        return Finding::bad(
            WHAT,
            format!("lockdown: {}", lockdown.trim()),
            "boot with lockdown=none, or without Secure Boot",
        );
    }
    Finding::good(WHAT, "neither sig_enforce nor lockdown is set")
}

fn headers(roots: &Roots, modules: &Path) -> Finding {
    const WHAT: &str = "headers of this kernel";
    let release = fs::read_to_string(roots.proc.join("sys/kernel/osrelease")).unwrap_or_default();
    let build = modules.join(release.trim()).join("build");
    if build.join("Makefile").exists() {
        Finding::good(WHAT, build.display().to_string())
    } else {
        Finding::bad(
            WHAT,
            format!("{} is not there", build.display()),
            "install the headers of the running kernel (Debian: linux-headers-$(uname -r))",
        )
    }
}

/// Whether there is a table; whether calls go through it is seen only by replacing an entry.
pub(super) fn table(roots: &Roots) -> Finding {
    const WHAT: &str = "table of system calls";
    let Ok(symbols) = fs::read(roots.proc.join("kallsyms")) else {
        return Finding::unknown(WHAT, "/proc/kallsyms cannot be read", "mount /proc");
    };
    let has = |name: &str| {
        let name = name.as_bytes();
        symbols.split(|&byte| byte == b'\n').any(|line| {
            line.strip_suffix(name)
                .is_some_and(|rest| rest.ends_with(b" "))
        })
    };
    if !has("sys_call_table") {
        return Finding::bad(
            WHAT,
            "the kernel has none",
            "watch by another backend: it works to Linux 6.8",
        );
    }
    // Since the commit that took the table out of use; before it there was no such function.
    if has("x64_sys_call") {
        return Finding::bad(
            WHAT,
            "calls are dispatched by x64_sys_call, not through the table",
            "watch by another backend: it works to Linux 6.8",
        );
    }
    Finding::good(WHAT, "sys_call_table, and no x64_sys_call")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn what_refuses_modules_is_told() {
        let fake = Fake::new();
        let told = || told(&[modules(&fake.roots()), signatures(&fake.roots())]);
        fake.write("proc/sys/kernel/modules_disabled", "0\n")
            .write(
                "sys/kernel/security/lockdown",
                "[none] integrity confidentiality\n",
            )
            .write("sys/module/module/parameters/sig_enforce", "N\n");
        assert_eq!(
            told(),
            "good: modules: the kernel loads modules (-)\n\
             good: unsigned modules: neither sig_enforce nor lockdown is set (-)"
        );
        fake.write("proc/sys/kernel/modules_disabled", "1\n").write(
            "sys/kernel/security/lockdown",
            "none [integrity] confidentiality\n",
        );
        assert_eq!(
            told(),
            "bad: modules: kernel.modules_disabled is 1 (boot anew: it cannot be turned off again)\n\
             bad: unsigned modules: lockdown: none [integrity] confidentiality (boot with lockdown=none, or without \
             Secure Boot)"
        );
        fake.write("sys/module/module/parameters/sig_enforce", "Y\n");
        assert!(told().contains("bad: unsigned modules: module.sig_enforce is set"));
    }

    #[test]
    fn headers_are_looked_for_by_the_running_release() {
        let fake = Fake::new();
        fake.write("proc/sys/kernel/osrelease", "1.2-x\n");
        let state = || headers(&fake.roots(), &fake.roots().sys).state;
        assert_eq!(state(), crate::look::State::Bad);
        fake.write("sys/1.2-x/build/Makefile", "");
        assert_eq!(state(), crate::look::State::Good);
    }

    #[test]
    fn a_switch_beside_the_table_says_that_the_table_is_not_used() {
        let fake = Fake::new();
        let state = || table(&fake.roots()).state;
        assert_eq!(state(), crate::look::State::Unknown);
        fake.write("proc/kallsyms", "0 T _stext\n0 d ia32_sys_call_table\n");
        assert_eq!(state(), crate::look::State::Bad);
        fake.write("proc/kallsyms", "0 D sys_call_table\n0 T _stext\n");
        assert_eq!(state(), crate::look::State::Good);
        fake.write("proc/kallsyms", "0 D sys_call_table\n0 T x64_sys_call\n");
        assert_eq!(state(), crate::look::State::Bad);
    }
}
