//! The machines that guests run on, as QEMU's command line has them.

use std::{ffi::OsString, path::Path};

/// What every guest kernel is told: the console is the serial log, and a broken guest ends at once.
const KERNEL_OPTIONS: &str = "console=ttyS0 quiet panic=-1 oops=panic";

/// What the kernel is told where instructions are counted, and why: `mitigations=off nokaslr norandmaps
/// random.trust_cpu=off`: no dependence on CPU bugs of the model and on randomness;
/// `no_timer_check tsc=reliable`: timers are exact here and need no watchdog; `softlockup_panic=1`: a CPU
/// that never comes back ends the guest. Where time is real it may only have had to wait for the host.
///
/// Where time is real, the kernel chooses all of this itself, as it does elsewhere: mitigations cost what
/// they cost, the layout of memory differs from boot to boot and so from sample to sample, and which
/// clock can be trusted on several CPUs is for the kernel to find out (with KVM it takes `kvm-clock`).
const COUNTING_OPTIONS: &str = "mitigations=off nokaslr norandmaps no_timer_check random.trust_cpu=off tsc=reliable \
     softlockup_panic=1";

/// A machine without any device whose completion depends on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What executes it, and with that, where its time comes from.
    pub engine: Engine,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Size of the shared memory of the channel in MiB, a power of two.
    pub channel_mib: u32,
    /// Added to the kernel's command line.
    pub boot: Vec<String>,
}

/// What executes a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// TCG with one virtual CPU, one instruction a nanosecond, idle time skipped.
    Counting,
    /// Virtual CPUs that run side by side while real time passes.
    Real {
        /// Who executes them.
        accelerator: Accelerator,
        /// The CPU, by QEMU's name of it.
        model: String,
        /// How many.
        cpus: u32,
    },
}

/// Who executes virtual CPUs in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The host's CPUs. QEMU is not to fall back to anything else.
    Kvm,
    /// QEMU. Slow, but everywhere: it shows that a machine boots.
    ///
    /// One thread for all virtual CPUs, in turn. With a thread for each, QEMU before 8.1 may run what it
    /// translated before another CPU patched it, and a kernel that patches itself, as stock kernels do,
    /// dies of an `int3` oops (fixed by its commit deba78709a; seen: one of 14 guests with two CPUs,
    /// QEMU 7.2.22, Linux 7.3.4).
    Tcg,
}

impl Engine {
    fn arguments(&self, memory_mib: u32) -> Vec<String> {
        let (accelerator, model, cpus, clock): (&[&str], &str, u32, &[&str]) = match self {
            Self::Counting => (
                &[
                    "-accel",
                    "tcg,thread=single",
                    "-icount",
                    "shift=0,sleep=off,align=off",
                ],
                "qemu64",
                1,
                &["-rtc", "base=2020-01-01,clock=vm", "-seed", "1"],
            ),
            Self::Real {
                accelerator,
                model,
                cpus,
            } => {
                let accelerator: &[&str] = match accelerator {
                    Accelerator::Kvm => &["-accel", "kvm"],
                    Accelerator::Tcg => &["-accel", "tcg,thread=single"],
                };
                (accelerator, model, *cpus, &[])
            }
        };
        let (memory, cpus) = (memory_mib.to_string(), cpus.to_string());
        let machine = &["-M", "q35", "-cpu", model, "-smp", &cpus, "-m", &memory];
        let words = [accelerator, machine, clock].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// The options of its kernels.
    fn kernel_options(&self) -> Option<&'static str> {
        match self {
            Self::Counting => Some(COUNTING_OPTIONS),
            Self::Real { .. } => None,
        }
    }
}

/// What a QEMU is started for. Nothing in the guest can tell one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To boot and go on without a stop.
    Boot,
    /// To boot, and to stop when the guest's watchdog expires.
    BootAndStop,
    /// To wait for the state of a guest that was stopped, and to go on from there.
    Restore,
}

impl Purpose {
    fn arguments(self) -> Vec<OsString> {
        let on_watchdog = match self {
            Self::BootAndStop => "watchdog=pause",
            Self::Boot | Self::Restore => "watchdog=none",
        };
        let talk: &[&str] = match self {
            Self::Boot => &[],
            Self::BootAndStop => &["-qmp", "stdio"],
            Self::Restore => &["-qmp", "stdio", "-incoming", "defer"],
        };
        ["-action", on_watchdog]
            .iter()
            .chain(talk)
            .map(Into::into)
            .collect()
    }
}

/// The files of one guest on the host.
#[derive(Debug)]
pub struct Files<'a> {
    /// The ELF kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The shared memory.
    pub channel: &'a Path,
    /// Where progress marks go.
    pub marks: &'a Path,
    /// Where the serial port goes.
    pub serial: &'a Path,
}

impl Machine {
    /// The arguments for QEMU.
    pub fn arguments(&self, purpose: Purpose, files: &Files<'_>) -> Vec<OsString> {
        let option = |start: String, path: &Path| {
            // A comma in a path would end the option; QEMU takes it doubled.
            let path = path.to_string_lossy().replace(',', ",,");
            OsString::from(format!("{start}{path}"))
        };
        let channel = self.channel();
        let with_path = |argument: String| {
            if argument == channel {
                option(format!("{argument},mem-path="), files.channel)
            } else {
                argument.into()
            }
        };
        let mut arguments: Vec<OsString> = self.fixed().into_iter().map(with_path).collect();
        arguments.extend([
            "-kernel".into(),
            files.kernel.into(),
            "-initrd".into(),
            // QEMU takes a list here, with commas between.
            option(String::new(), files.initramfs),
            "-chardev".into(),
            option("file,id=marks,path=".into(), files.marks),
            "-chardev".into(),
            option("file,id=serial,path=".into(), files.serial),
        ]);
        arguments.extend(purpose.arguments());
        arguments
    }

    /// The shared memory; where its file is comes after it.
    fn channel(&self) -> String {
        let size = self.channel_mib;
        format!("memory-backend-file,id=shm,share=on,size={size}M")
    }

    /// The arguments without any path: what decides a trial's figures beside the files' contents, and
    /// what two machines share that can be restored from one image.
    pub fn fixed(&self) -> Vec<String> {
        let channel = self.channel();
        let append: Vec<_> = [KERNEL_OPTIONS]
            .into_iter()
            .chain(self.engine.kernel_options())
            .chain(self.boot.iter().map(String::as_str))
            .collect();
        let append = append.join(" ");
        let mut arguments: Vec<String> = [
            "-no-user-config",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(self.engine.arguments(self.memory_mib));
        let devices = [
            &["-object", &channel][..],
            &["-device", "ivshmem-plain,memdev=shm,master=on"],
            &["-device", "isa-debug-exit,iobase=0xf4"],
            // A watchdog that the guest starts once: what stops it for a warm image.
            &["-device", "ib700"],
            &[
                "-device",
                "isa-debugcon,iobase=0xe9,chardev=marks",
                "-serial",
                "chardev:serial",
            ],
            &["-append", &append],
        ]
        .concat();
        arguments.extend(devices.into_iter().map(str::to_owned));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_part_holds_no_path_and_every_boot_option() {
        let machine = Machine {
            engine: Engine::Counting,
            memory_mib: 256,
            channel_mib: 16,
            boot: vec!["audit=1".into()],
        };
        let fixed = machine.fixed();
        assert!(fixed.iter().all(|argument| !argument.starts_with('/')));
        assert!(fixed.last().unwrap().ends_with(" audit=1"));
        let files = Files {
            kernel: Path::new("/k"),
            initramfs: Path::new("/i,1"),
            channel: Path::new("/c,2"),
            marks: Path::new("/m"),
            serial: Path::new("/s"),
        };
        let all = machine.arguments(Purpose::Boot, &files);
        assert!(all.contains(&"/i,,1".into()));
        assert!(!all.contains(&"-qmp".into()));
        assert!(
            all.iter()
                .any(|a| a.to_string_lossy().ends_with("size=16M,mem-path=/c,,2"))
        );
        let larger = Machine {
            channel_mib: 32,
            ..machine.clone()
        };
        assert_ne!(larger.fixed(), machine.fixed());
    }

    /// These bytes are inputs of every exact trial's digest and of every warm image: one that changes
    /// makes all results of earlier commits incomparable.
    #[test]
    fn the_command_line_where_instructions_are_counted_stays_as_it_is() {
        let machine = Machine {
            engine: Engine::Counting,
            memory_mib: 320,
            channel_mib: 16,
            boot: vec!["audit=1".into()],
        };
        assert_eq!(
            machine.fixed().join(" "),
            "-no-user-config -nodefaults -display none -no-reboot -accel tcg,thread=single \
             -icount shift=0,sleep=off,align=off -M q35 -cpu qemu64 -smp 1 -m 320 \
             -rtc base=2020-01-01,clock=vm -seed 1 \
             -object memory-backend-file,id=shm,share=on,size=16M \
             -device ivshmem-plain,memdev=shm,master=on -device isa-debug-exit,iobase=0xf4 \
             -device ib700 -device isa-debugcon,iobase=0xe9,chardev=marks -serial chardev:serial \
             -append console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr norandmaps \
             no_timer_check random.trust_cpu=off tsc=reliable softlockup_panic=1 \
             audit=1"
        );
    }

    #[test]
    fn where_time_is_real_nothing_counts_instructions_or_skips_time() {
        let machine = Machine {
            engine: Engine::Real {
                accelerator: Accelerator::Kvm,
                model: "host".into(),
                cpus: 2,
            },
            memory_mib: 320,
            channel_mib: 16,
            boot: Vec::new(),
        };
        assert_eq!(
            machine.fixed().join(" "),
            "-no-user-config -nodefaults -display none -no-reboot -accel kvm \
             -M q35 -cpu host -smp 2 -m 320 \
             -object memory-backend-file,id=shm,share=on,size=16M \
             -device ivshmem-plain,memdev=shm,master=on -device isa-debug-exit,iobase=0xf4 \
             -device ib700 -device isa-debugcon,iobase=0xe9,chardev=marks -serial chardev:serial \
             -append console=ttyS0 quiet panic=-1 oops=panic"
        );
    }
}
