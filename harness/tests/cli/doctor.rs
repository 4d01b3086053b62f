//! `execlab doctor`, and what a lab says that this machine cannot have.

use assert_cmd::Command;
use execlab_backends::look::Usable;
use execlab_harness::doctor::Diagnosis;
use execlab_model::{exit::ExitCode, result::Lab};

use crate::support::Bench;

const NO_QEMU: &str = "/nonexistent/qemu";

#[test]
fn a_lab_that_lacks_something_is_21_and_only_that_lab_is_looked_at() {
    let bench = Bench::new();
    bench.set("EXECLAB_QEMU", NO_QEMU);
    let said = bench.command(&["doctor", "--lab", "exact"]).code(21).stdout;
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("lab exact: cannot be used"));
    assert!(lines.next().unwrap().contains(NO_QEMU), "{said}");
    assert!(
        !said.contains("lab kvm") && !said.contains("backend"),
        "{said}"
    );
    bench.command(&["doctor"]).code(21);
    bench.command(&["doctor", "--lab", "exact,host"]).code(21);
    assert!(!bench.path("cache").exists(), "looking makes nothing");
}

#[test]
fn the_code_is_what_the_json_says() {
    let bench = Bench::new();
    for labs in [
        &[][..],
        &[Lab::Exact],
        &[Lab::Host],
        &[Lab::Exact, Lab::Host],
    ] {
        let mut arguments = vec!["doctor", "--format", "json"];
        for lab in labs {
            arguments.extend(["--lab", lab.as_str()]);
        }
        let said = bench.command(&arguments);
        let diagnosis: Diagnosis = serde_json::from_str(&said.stdout).unwrap();
        let needed = if labs.is_empty() { &[Lab::Exact] } else { labs };
        let usable = |lab: &Lab| {
            let part = diagnosis.labs.iter().find(|p| p.name == lab.as_str());
            part.unwrap().usable == Usable::Yes
        };
        let code = if needed.iter().all(usable) {
            ExitCode::Ok
        } else {
            ExitCode::HostLacks
        };
        let shown = if labs.is_empty() { 3 } else { labs.len() };
        assert_eq!(diagnosis.labs.len(), shown);
        said.code(code.code().into());
    }
}

#[test]
fn an_unknown_lab_is_22_and_the_known_ones_are_named() {
    let said = Bench::new().command(&["doctor", "--lab=cloud"]).code(22);
    assert!(
        said.stderr.contains("unknown lab `cloud`"),
        "{}",
        said.stderr
    );
}

/// With the real laboratory, which goes no further than its first look.
#[test]
fn the_lab_kvm_without_qemu_is_21_and_leaves_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("execlab").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EXECLAB_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["run", "--lab", "kvm", "--kernels", "6.1", "--out", "o"])
        .current_dir(dir.path())
        .env("EXECLAB_QEMU", NO_QEMU)
        .env("EXECLAB_CACHE", dir.path().join("cache"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(21));
    assert!(!dir.path().join("o").exists());
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @r#"
    error: cannot start /nonexistent/qemu: No such file or directory (os error 2); install it (Debian: apt-get install qemu-system-x86), or name another in EXECLAB_QEMU
    help: the lab kvm needs QEMU, and KVM
    "#);
}
