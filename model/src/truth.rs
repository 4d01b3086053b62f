//! Truth: what really happened, exec by exec, with the evidence that each image left itself.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Bytes;

/// Argument in [`Site::argv`] in whose place each exec has its own id, see [`id_argument`]. `{id+1}` is the
/// id of the next exec of the same process, and so on up to `{id+9}`.
pub const ID_ARGUMENT: &[u8] = b"{id}";
/// Argument in [`Site::argv`] in whose place each exec has its lifetime in decimal nanoseconds.
pub const LIFETIME_ARGUMENT: &[u8] = b"{lifetime}";
/// Ids from here up are canaries and never part of the truth.
pub const FIRST_CANARY_ID: u32 = 0xffff_0000;

/// The argument that carries an exec's id: `x` and eight hexadecimal digits.
pub fn id_argument(id: u32) -> [u8; 9] {
    let mut out = *b"x00000000";
    for (place, digit) in out[1..].iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(id >> (4 * place) & 0xf) as usize];
    }
    out
}

/// The id in an argument that [`id_argument`] wrote, else `None`.
pub fn parse_id_argument(argument: &[u8]) -> Option<u32> {
    let digits = argument.strip_prefix(b"x").filter(|d| d.len() == 8)?;
    digits.iter().try_fold(0, |id, &d| {
        let value = match d {
            b'0'..=b'9' => d - b'0',
            b'a'..=b'f' => d - b'a' + 10,
            _ => return None,
        };
        Some(id << 4 | u32::from(value))
    })
}

/// How far behind an exec's own id the one is whose place an argument of [`Site::argv`] holds.
pub fn id_place(argument: &[u8]) -> Option<u32> {
    match argument {
        ID_ARGUMENT => Some(0),
        [b'{', b'i', b'd', b'+', digit @ b'1'..=b'9', b'}'] => Some(u32::from(digit - b'0')),
        _ => None,
    }
}

/// The inode numbers of the namespaces of a process (`/proc/PID/ns/*`); 0 where each exec of a site has one of
/// its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// Mount namespace.
    pub mnt: u32,
    /// PID namespace of the execs themselves.
    pub pid: u32,
    /// UTS namespace.
    pub uts: u32,
    /// IPC namespace.
    pub ipc: u32,
    /// Network namespace.
    pub net: u32,
    /// Cgroup namespace.
    pub cgroup: u32,
    /// User namespace.
    pub user: u32,
}

/// The one file, named from each place that a monitor may name it from (techniques.md §2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Frames {
    /// Canonical, from the root of the exec's own mount namespace.
    pub exact: Bytes,
    /// By what names the initial mount namespace reaches the same file, where the exec's namespace
    /// has its own root; else empty.
    pub host: Vec<Bytes>,
    /// From the exec's own root directory, where that differs from `exact`.
    pub in_root: Option<Bytes>,
    /// The interpreter or handler that runs instead, where the file is not its own image.
    pub interpreter: Option<Bytes>,
    /// Names that the file had before or has after.
    pub stale: Vec<Bytes>,
}

/// What all execs made in one way have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// Tells it from the other sites of a scenario that has several; else empty.
    #[serde(default)]
    pub label: String,
    /// The string passed to `execve`.
    pub given: Bytes,
    /// The working directory at the call, from the exec's own root; empty where each exec has one of its own.
    pub cwd: Bytes,
    /// The executed file in each frame.
    pub frames: Frames,
    /// Arguments, with [`ID_ARGUMENT`] and [`LIFETIME_ARGUMENT`] in their places.
    pub argv: Vec<Bytes>,
    /// Device of the executed file as `stat` gives it; 0 where each exec has a file of its own.
    pub dev: u64,
    /// Inode of the executed file; 0 where each exec has a file of its own.
    pub ino: u64,
    /// Path below the root of the cgroup v2 hierarchy, with a leading slash.
    pub cgroup: Bytes,
    /// Inode of that directory, which is the kernel's cgroup id.
    pub cgroup_id: u64,
    /// The execs' namespaces.
    pub namespaces: Namespaces,
    /// Whether the execs are in a container, so that attribution to it can be scored.
    pub in_container: bool,
}

/// How a payload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// With this status.
    Exited(u8),
    /// By this signal.
    Killed(u8),
    /// Nobody knows: it was never reaped.
    Unknown,
}

/// One exec. Times are `CLOCK_MONOTONIC` of the machine it ran on, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Exec {
    /// Its own id; no two execs of a trial share one.
    pub id: u32,
    /// Index into [`Truth::sites`].
    pub site: u32,
    /// Process id in the initial PID namespace, as the parent's `fork` returned it.
    pub pid: u32,
    /// Process id that the new image read itself, in its own PID namespace.
    pub ns_pid: u32,
    /// The parent's process id in the initial PID namespace.
    pub parent: u32,
    /// Real user id, in the initial user namespace.
    pub uid: u32,
    /// How long the payload was told to live, in nanoseconds.
    pub lifetime_ns: u64,
    /// The parent was about to make the child: the exec happened later than this.
    pub spawned_ns: u64,
    /// The new image ran its first instructions: the exec happened earlier than this.
    pub started_ns: u64,
    /// The process was reaped, or its next image started: no later sighting can mean this exec.
    pub ended_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
}

impl Exec {
    /// An argument of its site with what this exec has in its place.
    pub fn fill<'a>(&self, argument: &'a Bytes) -> Cow<'a, [u8]> {
        match (argument.as_slice(), id_place(argument.as_slice())) {
            (_, Some(place)) => Cow::Owned(id_argument(self.id.wrapping_add(place)).to_vec()),
            (LIFETIME_ARGUMENT, _) => Cow::Owned(self.lifetime_ns.to_string().into_bytes()),
            (literal, None) => Cow::Borrowed(literal),
        }
    }
}

/// What a storm sets out to make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    /// Execs.
    pub execs: u64,
    /// Calls that are not to become an exec: they are to fail in a certain way, or only to check.
    pub attempts: u64,
    /// Processes, whether or not they are to call exec.
    pub forks: u64,
    /// Those of them that the storm makes itself; programs that are not ours make others.
    pub children: u64,
}

/// What really happened in one trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Truth {
    /// The ways in which execs were made.
    pub sites: Vec<Site>,
    /// Every exec that left evidence, by id.
    pub execs: Vec<Exec>,
    /// Calls that did not become an exec (failed or check-only).
    pub attempts: u64,
    /// Processes made by the storm, whether or not they called exec.
    pub forks: u64,
    /// What the storm had set out to make: where that differs from what is above, it is not whole.
    pub planned: Planned,
    /// Pids of the storm's own processes that are not execs of the truth (spawner, container init,
    /// children that called no exec or none that was to succeed).
    pub storm_pids: Vec<u32>,
    /// When the first child was due.
    pub began_ns: u64,
    /// When the last child was reaped.
    pub finished_ns: u64,
    /// By how much the storm fell behind its schedule at worst, in nanoseconds (open loop only).
    pub worst_lateness_ns: u64,
}

impl Truth {
    /// The site of an exec.
    pub fn site(&self, exec: &Exec) -> &Site {
        &self.sites[exec.site as usize]
    }

    /// The arguments that this exec was given.
    pub fn argv(&self, exec: &Exec) -> Vec<Bytes> {
        let fill = |argument| Bytes(exec.fill(argument).into_owned());
        self.site(exec).argv.iter().map(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_hold_places_for_ids() {
        let site = Site {
            argv: [
                "worker",
                "{id}",
                "{lifetime}",
                "{id+1}",
                "{id+0}",
                "{id+10}",
            ]
            .map(Bytes::from)
            .to_vec(),
            ..Site::default()
        };
        let exec = Exec {
            id: 0xff,
            site: 0,
            pid: 1,
            ns_pid: 1,
            parent: 1,
            uid: 0,
            lifetime_ns: 7,
            spawned_ns: 0,
            started_ns: 1,
            ended_ns: 2,
            outcome: Outcome::Exited(0),
        };
        let truth = Truth {
            sites: vec![site],
            ..Truth::default()
        };
        let filled = ["worker", "x000000ff", "7", "x00000100", "{id+0}", "{id+10}"];
        assert_eq!(truth.argv(&exec), filled.map(Bytes::from));
    }

    #[test]
    fn ids_read_back_from_their_argument() {
        for id in [0, 1, 0xdead_beef, FIRST_CANARY_ID, u32::MAX] {
            assert_eq!(parse_id_argument(&id_argument(id)), Some(id));
        }
        for other in [
            &b"x0"[..],
            b"00000000x",
            b"x0000000G",
            b"x0000000A",
            b"xx0000000",
        ] {
            assert_eq!(parse_id_argument(other), None);
        }
    }
}
