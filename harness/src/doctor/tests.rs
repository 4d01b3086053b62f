//! Machines that are folders: one that has everything, one that has nothing.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use tempfile::TempDir;

use super::*;

/// A machine in a folder.
struct Machine(TempDir);

impl Machine {
    /// Nothing but folders.
    fn bare() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for folder in ["proc/self/ns", "dev", "tmp"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        machine
    }

    /// Root on a kernel that has everything, with QEMU.
    fn good() -> Self {
        let machine = Self::bare();
        for (name, text) in [
            ("proc/meminfo", "MemTotal: 9 kB\nMemAvailable: 8388608 kB\n"),
            (
                "proc/self/status",
                "Uid:\t1000\t0\t0\t0\nCapEff:\t000001ffffffffff\n",
            ),
            (
                "proc/self/mountinfo",
                "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("proc/sys/user/max_mnt_namespaces", "95000\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-good\n"),
            ("proc/filesystems", "nodev\tproc\nnodev\toverlay\n"),
        ] {
            machine.write(name, text);
        }
        symlink("pid:[4026531836]", machine.path("proc/self/ns/pid")).unwrap();
        symlink("user:[4026531837]", machine.path("proc/self/ns/user")).unwrap();
        machine.write_qemu("10.0.2 (Debian 1:10.0.2+ds-2)");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn write_qemu(&self, version: &str) {
        let text =
            format!("#!/bin/sh\n[ \"$1\" = -L ] || echo 'QEMU emulator version {version}'\n");
        self.write("qemu", &text);
        fs::set_permissions(self.path("qemu"), PermissionsExt::from_mode(0o755)).unwrap();
        // Another test's thread may be between its fork and its exec and hold the script open for writing.
        let busy = || {
            let tried = Command::new(self.path("qemu")).arg("-L").status();
            tried.is_err_and(|error| error.kind() == ErrorKind::ExecutableFileBusy)
        };
        while busy() {
            std::thread::yield_now();
        }
    }

    fn doctor(&self) -> Doctor {
        Doctor {
            roots: Roots {
                proc: self.path("proc"),
                sys: self.path("sys"),
                dev: self.path("dev"),
            },
            qemu: Some(self.path("qemu")),
            cache: Some(self.path("cache")),
            temporary: self.path("tmp"),
            sessions: self.path("run/execlab"),
            room: |folder| {
                // Whether it can be one is asked of the real folder, how full the disk is is not.
                let free = 9000 << 20;
                Room::of(folder).map(|room| Room { free, ..room })
            },
        }
    }

    /// A diagnosis for people, with what differs between real machines taken out.
    fn told(&self, labs: &[Lab]) -> String {
        let mut diagnosis = self.doctor().look(labs, None);
        // The running kernel answers them, and no folder.
        diagnosis.backends.clear();
        self.redacted(&text(&diagnosis, false))
    }

    /// The lock's kernels and how large they are change with the lock.
    fn redacted(&self, text: &str) -> String {
        let mut text = text.replace(self.0.path().to_str().unwrap(), "/machine");
        for (from, to) in [("not yet: ", " to fetch"), (" MiB free, ", " needed")] {
            let mut after = 0;
            while let Some(at) = text[after..].find(from) {
                after += at + from.len();
                let length = text[after..].find(to).unwrap();
                text.replace_range(after..after + length, "…");
            }
        }
        text
    }
}

#[test]
fn a_machine_that_has_everything() {
    let machine = Machine::good();
    let told = machine.told(&[Lab::Exact, Lab::Host]);
    insta::assert_snapshot!(told, @r#"
    lab exact: can be used
      good     QEMU           /machine/qemu, 10.0.2 (Debian 1:10.0.2+ds-2)
      note     firmware       no files of it where this QEMU looks; it may carry them inside
                              → if guests do not boot, install it: `apt-get install seabios` (Debian, Ubuntu), `dnf install seabios-bin` (Fedora), `pacman -S seabios` (Arch)
      good     memory         8192 MiB can be had, a usual guest takes 848 MiB at most: 9 at once
      good     guests' files  /machine/tmp: 9000 MiB free, … needed
      good     cache          /machine/cache: 9000 MiB free, … needed
      note     kernels        in the cache: none; not yet: … to fetch)
                              → they are fetched when they are needed, or by `execlab kernels fetch`
      good     warm images    none yet; a kernel's first trial makes one

    lab host: can be used
      good     root              execlab runs as root
      good     cgroup v2         mounted on /sys/fs/cgroup/unified
      good     CAP_SYS_ADMIN     this process has it
      good     mount namespaces  up to 95000 can be made
      good     overlayfs         the kernel has it
      good     PID namespace     the initial one
      good     user namespace    the initial one
      good     killed runs       nothing of them is left
    "#);
    let diagnosis = machine.doctor().look(&[Lab::Exact, Lab::Host], None);
    assert!(diagnosis.can_use(&[Lab::Exact, Lab::Host]));
    let watching = execlab_backends::BACKENDS.len() - 1;
    assert_eq!(diagnosis.backends.len(), watching);
    assert!(!machine.path("cache").exists(), "looking makes nothing");
}

#[test]
fn a_machine_that_has_nothing() {
    let machine = Machine::bare();
    machine.write("proc/meminfo", "MemAvailable: 819200 kB\n");
    machine.write(
        "proc/self/status",
        "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n",
    );
    machine.write("cache", "a file, and no folder");
    insta::assert_snapshot!(machine.told(&Lab::ALL), @r#"
    lab exact: cannot be used
      bad      QEMU           cannot start /machine/qemu: No such file or directory (os error 2)
                              → install it: `apt-get install qemu-system-x86` (Debian, Ubuntu), `dnf install qemu-system-x86-core` (Fedora), `pacman -S qemu-system-x86` (Arch); or name another in EXECLAB_QEMU
      bad      memory         800 MiB can be had, a usual guest takes 848 MiB at most
                              → stop what uses it, or give the machine more
      good     guests' files  /machine/tmp: 9000 MiB free, … needed
      bad      cache          /machine/cache: not a directory
                              → make room there, or name another folder with --cache
      note     kernels        in the cache: none; not yet: … to fetch)
                              → they are fetched when they are needed, or by `execlab kernels fetch`
      good     warm images    none yet; a kernel's first trial makes one

    lab kvm: cannot be used
      bad      KVM            there is no /machine/dev/kvm
                              → switch virtualisation on in the firmware (or in the host of this virtual machine), and load its module: `modprobe kvm_intel` or `modprobe kvm_amd`
      bad      QEMU           cannot start /machine/qemu: No such file or directory (os error 2)
                              → install it: `apt-get install qemu-system-x86` (Debian, Ubuntu), `dnf install qemu-system-x86-core` (Fedora), `pacman -S qemu-system-x86` (Arch); or name another in EXECLAB_QEMU
      bad      memory         800 MiB can be had, a usual guest takes 848 MiB at most
                              → stop what uses it, or give the machine more
      good     guests' files  /machine/tmp: 9000 MiB free, … needed
      bad      cache          /machine/cache: not a directory
                              → make room there, or name another folder with --cache
      note     kernels        in the cache: none; not yet: … to fetch)
                              → they are fetched when they are needed, or by `execlab kernels fetch`

    lab host: cannot be used
      bad      root              execlab runs as user 1000
                                 → run it as root: monitors attach to the kernel, and storms have cgroups of their own
      bad      cgroup v2         not mounted, or not from its root
                                 → mount it: `mount -t cgroup2 none /sys/fs/cgroup/unified`, or boot with cgroup v2
      bad      CAP_SYS_ADMIN     this process does not have it
                                 → run execlab as root
      unknown  mount namespaces  /proc/sys/user/max_mnt_namespaces cannot be read: No such file or directory (os error 2)
                                 → boot a kernel with CONFIG_NAMESPACES=y
      note     overlayfs         not in /proc/filesystems, and the scenario container needs it
                                 → load it: `modprobe overlay`, or leave that scenario out
      unknown  PID namespace     /proc/self/ns/pid cannot be read: No such file or directory (os error 2)
                                 → mount /proc
      unknown  user namespace    /proc/self/ns/user cannot be read: No such file or directory (os error 2)
                                 → mount /proc
      good     killed runs       nothing of them is left
    "#);
    let diagnosis = machine.doctor().look(&Lab::ALL, None);
    for lab in Lab::ALL {
        assert!(!diagnosis.can_use(&[lab]), "{lab}");
    }
}

#[test]
fn a_qemu_that_is_too_old_or_none_is_told_apart() {
    let machine = Machine::good();
    machine.write_qemu("6.2.0");
    let found = |machine: &Machine| machine.redacted(&guests::qemu(&machine.doctor())[0].evidence);
    insta::assert_snapshot!(found(&machine), @"/machine/qemu is QEMU 6.2.0; the exact lab needs 7.2 or newer");
    machine.write("qemu", "#!/bin/sh\necho busybox\n");
    insta::assert_snapshot!(found(&machine), @r#"/machine/qemu is no QEMU: `--version` printed "busybox\n""#);
}

/// What there is for a folder that is not there yet.
fn above(writable: bool, free: u64) -> Room {
    Room {
        at: "/above".into(),
        writable,
        free,
    }
}

#[test]
fn folders_that_cannot_be_written_or_are_full_are_in_the_way() {
    let machine = Machine::good();
    let told = |room: fn(&Path) -> io::Result<Room>| {
        let doctor = Doctor {
            room,
            ..machine.doctor()
        };
        let diagnosis = doctor.look(&[Lab::Exact], None);
        let findings = diagnosis.labs[0].findings.iter();
        let files = findings.filter(|f| f.what == "guests' files" || f.what == "cache");
        let lines = files.map(|f| format!("{}: {}\n", f.state.as_str(), f.evidence));
        let text: String = lines.collect();
        machine.redacted(&text)
    };
    insta::assert_snapshot!(told(|_| Ok(above(false, 1 << 40))), @r#"
    bad: /machine/tmp: /above cannot be written
    bad: /machine/cache: /above cannot be written
    "#);
    insta::assert_snapshot!(told(|_| Ok(above(true, 1 << 20))), @r#"
    bad: /machine/tmp: 1 MiB free, … needed
    bad: /machine/cache: 1 MiB free, … needed
    "#);
}

#[test]
fn only_a_canary_that_came_back_makes_kvm_usable() {
    let machine = Machine::good();
    // No folder can hold a device that answers as KVM does: the canary is all that is left.
    let flown = |came: Result<String, LabError>| {
        let finding = kvm::flown(came);
        (finding.state, finding.evidence)
    };
    assert_eq!(
        flown(Ok("host".into())),
        (
            execlab_backends::look::State::Good,
            "a guest with CPU model host booted and brought a whole record home".into()
        )
    );
    let refusal = LabError {
        what: "KVM cannot be used here: …".into(),
        remedy: "take the lab exact".into(),
        source: None,
    };
    assert_eq!(flown(Err(refusal)).0, execlab_backends::look::State::Bad);
    // Where something else is in the way already, nothing is booted.
    let never = || -> Result<String, LabError> { panic!("a guest was booted") };
    let diagnosis = machine.doctor().look(&[Lab::Kvm], Some(&never));
    assert!(!diagnosis.can_use(&[Lab::Kvm]));
}

#[test]
fn the_json_is_stable() {
    let machine = Machine::good();
    let mut diagnosis = machine.doctor().look(&[Lab::Host], None);
    diagnosis.labs[0].findings.truncate(2);
    diagnosis.labs[0]
        .findings
        .push(Finding::bad("a thing", "absent", "install it"));
    diagnosis.labs[0]
        .findings
        .push(Finding::unknown("another", "not tried", "try it"));
    diagnosis.labs[0]
        .findings
        .push(Finding::note("a third", "slow", "wait"));
    diagnosis.backends.truncate(1);
    diagnosis.backends[0].findings.clear();
    diagnosis.backends[0].usable = Usable::Unknown;
    diagnosis.execlab = "VERSION".into();
    let json = serde_json::to_string_pretty(&diagnosis).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "schema": 1,
      "execlab": "VERSION",
      "kernel": "6.1.0-good",
      "labs": [
        {
          "name": "host",
          "usable": "yes",
          "findings": [
            {
              "what": "root",
              "state": "good",
              "evidence": "execlab runs as root",
              "remedy": null
            },
            {
              "what": "cgroup v2",
              "state": "good",
              "evidence": "mounted on /sys/fs/cgroup/unified",
              "remedy": null
            },
            {
              "what": "a thing",
              "state": "bad",
              "evidence": "absent",
              "remedy": "install it"
            },
            {
              "what": "another",
              "state": "unknown",
              "evidence": "not tried",
              "remedy": "try it"
            },
            {
              "what": "a third",
              "state": "note",
              "evidence": "slow",
              "remedy": "wait"
            }
          ]
        }
      ],
      "backends": [
        {
          "name": "ps",
          "usable": "unknown",
          "findings": []
        }
      ]
    }
    "#);
    assert_eq!(serde_json::from_str::<Diagnosis>(&json).unwrap(), diagnosis);
}

#[test]
fn words_are_coloured_and_lines_of_evidence_stand_below_each_other() {
    let part = Part::new(
        "kvm",
        vec![
            Finding::good("KVM", "opens"),
            Finding::bad("canary", "refused\nCPU model host: hung", "take another"),
        ],
    );
    let diagnosis = Diagnosis {
        schema: SCHEMA,
        execlab: String::new(),
        kernel: String::new(),
        labs: vec![part],
        backends: Vec::new(),
    };
    insta::assert_snapshot!(text(&diagnosis, false), @r#"
    lab kvm: cannot be used
      good     KVM     opens
      bad      canary  refused
                       CPU model host: hung
                       → take another
    "#);
    assert!(text(&diagnosis, true).contains("\x1b[1;31mbad    \x1b[0m  canary"));
}
