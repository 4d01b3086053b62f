//! Canaries that are shell scripts: what is taken for a usable KVM, and what a refusal says.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use execlab_model::{
    frame::{self, RECORD_MAGIC},
    record::Record,
};
use execlab_vm::qemu::Accelerator;
use tempfile::TempDir;

use super::*;
use crate::lab::fake;

/// Longer than any machine needs for a shell script.
const PATIENT: Duration = Duration::from_mins(5);

/// A program in QEMU's place. `$model`, `$marks`, `$serial` and `$channel` are those of its command
/// line, `$here` is its own folder.
struct FakeQemu(TempDir);

impl FakeQemu {
    fn new(guest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\n\
             [ \"$1\" = -L ] && exit\n\
             [ \"$1\" = --version ] && echo 'QEMU emulator version 9.0.0 (fake)' && exit\n\
             here=$(dirname \"$0\")\n\
             for a; do case $a in\n\
               *id=marks,path=*) marks=${{a#*path=}};;\n\
               *id=serial,path=*) serial=${{a#*path=}};;\n\
               *mem-path=*) channel=${{a#*mem-path=}};;\n\
             esac; [ \"$before\" = -cpu ] && model=$a; before=$a; done\n{guest}\n"
        );
        let program = dir.path().join("qemu");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        Self(dir)
    }

    /// Puts the record of the canary with a CPU model where the script finds it.
    fn leave(self, model: &str, change: impl FnOnce(&mut Record)) -> Self {
        let mut record = fake::record::of(
            &trial("6.1", 2),
            GuestStatus::Completed,
            &fake::record::Misses::default(),
            0,
        );
        change(&mut record);
        let record = postcard::to_allocvec(&record).unwrap();
        let framed = frame::encode(RECORD_MAGIC, &nonce(&format!("canary {model}")), &record);
        fs::write(self.0.path().join(model), framed).unwrap();
        self
    }

    fn fly(&self, deadline: Duration) -> Result<String, LabError> {
        let path = |name: &str| self.0.path().join(name);
        let tries = Tries {
            qemu: Some(path("qemu")),
            device: None,
            accelerator: Accelerator::Kvm,
            models: ["host", "max", "qemu64"].map(str::to_owned).into(),
            deadline,
        };
        Canary {
            qemu: &Qemu::at(path("qemu")).unwrap(),
            kernel: "6.1",
            vmlinux: &path("vmlinux"),
            initramfs: &path("initramfs"),
            cpus: 2,
            tries: &tries,
        }
        .fly()
    }
}

const TELL: &str = "echo booted >$marks; cat \"$here/$model\" 1<>\"$channel\" >&1; exit 33";

#[test]
fn the_first_model_that_brings_a_whole_record_home_is_taken() {
    let dies = "[ $model = host ] && exit 1";
    let fake = FakeQemu::new(&format!("{dies}\n{TELL}")).leave("max", |_| {});
    assert_eq!(fake.fly(PATIENT).unwrap(), "max");
}

#[test]
fn records_of_others_records_cut_short_and_records_without_a_mark_prove_nothing() {
    let fake = FakeQemu::new(&format!(
        "[ $model = qemu64 ] && marks=/dev/null\ntouch \"$here/$model\"\n{TELL}"
    ))
    .leave("max", |record| {
        record.truth.execs.pop();
    })
    .leave("qemu64", |_| {});
    // The first model finds the record of another one, as of an earlier guest.
    fs::copy(fake.0.path().join("max"), fake.0.path().join("host")).unwrap();
    let refusal = fake.fly(PATIENT).unwrap_err();
    insta::assert_snapshot!(refusal, @r#"
    KVM cannot be used here: no canary guest (kernel 6.1, 2 CPUs) booted within 300s and brought a whole record home
    CPU model host: the guest ended after `booted` with a record that is not whole: the frame belongs to another trial; its console is empty
    CPU model max: its record holds 7 of 8 execs and says Completed
    CPU model qemu64: it left a record, but none of the marks by which clocks know that it lives
    "#);
}

#[test]
fn a_qemu_that_breaks_off_is_told_for_each_model_in_its_own_words() {
    let fake = FakeQemu::new(
        "[ $model = max ] && echo 'early console' >$serial\n\
         echo \"qemu: error: no $model here\" >&2; echo 'Aborted.' >&2; exit 1",
    );
    let refusal = fake.fly(PATIENT).unwrap_err();
    insta::assert_snapshot!(refusal, @r#"
    KVM cannot be used here: no canary guest (kernel 6.1, 2 CPUs) booted within 300s and brought a whole record home
    CPU model host: QEMU itself broke off (exit status: 1): qemu: error: no host here | Aborted.
    CPU model max: QEMU itself broke off (exit status: 1): qemu: error: no max here | Aborted.; the last line of its console: early console
    CPU model qemu64: QEMU itself broke off (exit status: 1): qemu: error: no qemu64 here | Aborted.
    "#);
    insta::assert_snapshot!(refusal.remedy, @"take `--lab exact`, which needs no KVM; the lab kvm needs a machine whose KVM boots guests: real hardware with virtualisation switched on and /dev/kvm open to you (`execlab doctor --lab kvm`), or a virtual machine whose host passes virtualisation on whole");
}

#[test]
fn a_guest_that_says_nothing_is_ended_by_the_deadline() {
    let fake = FakeQemu::new("exec sleep 1000");
    let refusal = fake.fly(Duration::from_millis(50)).unwrap_err();
    insta::assert_snapshot!(refusal, @r#"
    KVM cannot be used here: no canary guest (kernel 6.1, 2 CPUs) booted within 50ms and brought a whole record home
    CPU model host: the guest did not boot within 50ms after booting without a record; its console is empty
    CPU model max: the guest did not boot within 50ms after booting without a record; its console is empty
    CPU model qemu64: the guest did not boot within 50ms after booting without a record; its console is empty
    "#);
}
