//! `ps`: runs the program `ps` again and again, and compares with what it printed before.
//!
//! This is what a shell script does that is to watch a machine where nothing can be installed. Each beat executes
//! `ps -eww -o …` of procps-ng, reads what it prints, and holds each line against the one that it had for that
//! process before:
//! - a process that was not there, or began at another time, is new; bit 1 of the column `F` says whether it has
//!   called no exec since its fork (`PF_FORKNOEXEC`, ps(1)), and then it is looked at again in the next run;
//! - one whose executed file (`exe`) or arguments (`args`) are others than before has called exec.
//!
//! Since: any kernel with `/proc`. Needs: procps-ng 4 (for the column `exe`; Debian 12 and later), root for `exe`
//! of others.
//!
//! What it cannot see: what begins and ends between two runs, which is all of most storms. An exec inside a
//! process that gives it the same file with the same arguments; one of a number that another process with the
//! same file and arguments had a second ago, as starts are printed in seconds and move by one between runs (`ps`
//! subtracts two clocks). The other way round, a process that writes over its arguments is taken for
//! one that called exec. `ps` joins arguments by blanks, prints bytes that are not ASCII as `?`, and cuts the
//! columns of the file (said in the sighting) and of the cgroup (then it is absent) at 140 bytes. A
//! zombie has its name only. There is no time of the exec and no word of losses.
//!
//! # Cost
//!
//! Each run starts a process that reads several files of every process and prints them as text. So a run costs far more
//! than a scan of `proc-poll`, and it is an exec itself, which others see. What is bought is that nothing has to be
//! installed. Default costs little because it is nearly blind: of programs that end at once hardly one is there when it
//! looks. Tuned runs much more often, and that alone makes it dear where a run falls into the storm. It buys programs
//! that live between two of its runs; of a storm in which one program after the other ends at once it still sees next
//! to nothing.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output, Stdio},
};

use execlab_model::sighting::{Argv, ContainerHint, Sighting};

use super::{
    beat::{Beat, Woken},
    poller::reporting,
    proc_poll::LOOKUP,
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Seam,
    Setting, Settings, Since, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, name_instead_of_path},
};

mod output;

use output::Line;

/// Where distributions have it.
const PROGRAMS: [&str; 2] = ["/usr/bin/ps", "/bin/ps"];
const DAY: u32 = 86_400;

/// See the module.
#[derive(Debug)]
pub struct Ps;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "interval-ms",
        help: "milliseconds from the begin of one run to the begin of the next",
        kind: Kind::Number(1, 60_000),
        default: "400",
        tuned: "50",
    },
    LOOKUP,
];

impl Backend for Ps {
    fn name(&self) -> &'static str {
        "ps"
    }

    fn about(&self) -> &'static str {
        "runs ps at an interval and compares with what it printed before"
    }

    fn program(&self) -> &'static str {
        "polling"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Polling,
            mechanism: "executes ps at an interval and compares what it prints with the run before",
            needs: &["procps-ng 4", "root, for exe of others"],
            since: Since {
                release: "2.6 (the column F tells a fork from an exec)",
                series: None,
            },
            loss_signals: &[],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn userland(&self) -> &'static [&'static str] {
        &["procps"]
    }

    fn offers(&self) -> Offers {
        super::OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let program = program().ok_or_else(|| {
            AttachError::Unsupported(format!(
                "there is no ps: looked for {}",
                PROGRAMS.join(", ")
            ))
        })?;
        let depth = Depth::from_word(settings.word("lookup"));
        let mut table = Table {
            depth,
            known: BTreeMap::new(),
        };
        let (own, output) = run(program, depth).map_err(AttachError::call(program))?;
        let refused = || {
            AttachError::Unsupported(format!(
                "{program} does not print what is asked for ({}): {}",
                output::format(depth),
                String::from_utf8_lossy(&output.stderr).trim()
            ))
        };
        if !output.status.success() {
            return Err(refused());
        }
        table.compare(&output.stdout, own, &mut |_| ());
        // This very process has to be in it.
        if !table.known.contains_key(&std::process::id()) {
            return Err(refused());
        }
        let evidence = vec![format!(
            "{program} listed {} processes, this one among them",
            table.known.len()
        )];
        Ok(Box::new(Runs {
            program,
            beat: Beat::new(settings.number("interval-ms") * 1000),
            table,
            evidence,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::of_ps(roots, program())
    }
}

fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|path| Path::new(path).exists())
}

/// Runs it to its end. Its own number, and what it printed.
fn run(program: &str, depth: Depth) -> std::io::Result<(u32, Output)> {
    let child = Command::new(program)
        .args(["-eww", "-o", &output::format(depth)])
        // Bytes are columns there, and days have English names.
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok((child.id(), child.wait_with_output()?))
}

/// What was printed of a process last.
#[derive(Debug)]
struct Known {
    began: u32,
    forked_only: bool,
    /// Executed file and arguments; `None` for a zombie and a thread of the kernel.
    image: Option<(Vec<u8>, Vec<u8>)>,
    /// It was in the last output.
    listed: bool,
}

#[derive(Debug)]
struct Table {
    depth: Depth,
    known: BTreeMap<u32, Known>,
}

impl Table {
    /// Holds an output against the one before. `own` is the number of `ps` itself.
    fn compare(&mut self, output: &[u8], own: u32, report: &mut dyn FnMut(Sighting)) {
        for line in output.split(|&b| b == b'\n') {
            let Some(line) = Line::parse(line, self.depth) else {
                continue;
            };
            if line.pid == own {
                continue;
            }
            let before = self
                .known
                .get_mut(&line.pid)
                .filter(|known| near(known.began, line.began));
            let Some(known) = before else {
                self.known.insert(line.pid, Known::from(&line));
                if !line.forked_only {
                    report(sighting(&line));
                }
                continue;
            };
            known.listed = true;
            if line.forked_only {
                continue;
            }
            // One that is ending has no file and no arguments any more; that is no other image.
            let other = known.forked_only || (line.exe.is_some() && !known.has_image_of(&line));
            if other {
                // Printed in the middle of its exec it has no arguments yet: then these are they.
                let completed = known.lacks_arguments_of(&line);
                *known = Known::from(&line);
                if !completed {
                    report(sighting(&line));
                }
            }
        }
        self.known
            .retain(|_, known| std::mem::take(&mut known.listed));
    }
}

impl From<&Line<'_>> for Known {
    fn from(line: &Line<'_>) -> Self {
        Self {
            began: line.began,
            forked_only: line.forked_only,
            image: line.exe.map(|exe| (exe.to_vec(), line.args.to_vec())),
            listed: true,
        }
    }
}

impl Known {
    fn has_image_of(&self, line: &Line<'_>) -> bool {
        self.image.as_ref().is_some_and(|(exe, args)| {
            Some(exe.as_slice()) == line.exe && args.as_slice() == line.args
        })
    }

    /// The same file, reported before it had arguments.
    fn lacks_arguments_of(&self, line: &Line<'_>) -> bool {
        !self.forked_only
            && self.image.as_ref().is_some_and(|(exe, args)| {
                Some(exe.as_slice()) == line.exe && args.starts_with(b"[")
            })
    }
}

/// The same start, but for the second by which `ps` moves it.
fn near(one: u32, other: u32) -> bool {
    let apart = one.abs_diff(other);
    apart <= 1 || apart == DAY - 1
}

fn sighting(line: &Line<'_>) -> Sighting {
    let mut sighting = Sighting {
        pid: Some(line.pid),
        ppid: Some(line.ppid),
        uid: Some(line.uid),
        received_ns: monotonic_ns(),
        path: line.exe.map(Into::into),
        truncated: line.exe_cut(),
        container: ContainerHint {
            cgroup: line.cgroup.map(Into::into),
            mnt_ns: line.mnt_ns,
            pid_ns: line.pid_ns,
            cgroup_id: None,
        },
        ..Sighting::default()
    };
    if line.exe.is_some() && line.bracketed().is_none() {
        sighting.argv = Some(Argv::Joined(line.args.into()));
    }
    name_instead_of_path(line.bracketed().unwrap_or_default(), &mut sighting);
    sighting
}

#[derive(Debug)]
struct Runs {
    program: &'static str,
    beat: Beat,
    table: Table,
    evidence: Vec<String>,
}

impl Runs {
    fn once(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        self.beat.begin();
        let ran = run(self.program, self.table.depth);
        let (own, output) = ran.map_err(MonitorError::call(self.program))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let error = std::io::Error::other(format!("{}: {}", output.status, said.trim()));
            return Err(MonitorError::call(self.program)(error));
        }
        reporting(seam, |report| {
            self.table.compare(&output.stdout, own, report);
        })?;
        self.beat.end();
        Ok(seam.flush()?)
    }
}

impl Monitor for Runs {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            self.once(seam)?;
            if self.beat.wait(stop, None)? == Woken::Stopped {
                break;
            }
        }
        // What came up since the last run.
        self.once(seam)
    }

    fn notes(&self) -> Vec<String> {
        vec![self.beat.note()]
    }
}

#[cfg(test)]
mod tests;
