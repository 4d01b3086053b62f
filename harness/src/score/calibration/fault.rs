//! The faults that can be planted.

/// So many of a thousand.
pub type Permille = u16;

/// One planted fault. Each is planted into what the faults before it left; one that cannot be planted
/// in a sighting (a path is cut that was not offered) passes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A share of the sightings is lost.
    Drop(Permille),
    /// All sightings of execs that started between two shares of the storm's time are lost.
    DropWindow(Permille, Permille),
    /// A share of the sightings comes twice, the second time so many nanoseconds later.
    Duplicate(Permille, u64),
    /// A share of the sightings is received so many nanoseconds later.
    Delay(Permille, u64),
    /// A share of the sightings is received after the drain.
    Late(Permille),
    /// Every block of so many sightings is held back to its end and delivered in any order.
    Reorder(usize),
    /// A share of the pairs of execs that were alive at the same time have each other's pid.
    SwapPids(Permille),
    /// A share of the sightings has another path.
    Path(Permille, PathFault),
    /// A share of the sightings has other arguments.
    Argv(Permille, ArgvFault),
    /// A share of the sightings does not offer a field.
    Omit(Permille, Field),
    /// A share of the sightings has another parent.
    WrongParent(Permille),
    /// A share of the sightings has another user.
    WrongUser(Permille),
    /// A share of the sightings is of another container (or cgroup).
    SwapContainer(Permille),
    /// A share of the sightings has the in-namespace pid instead of the host's.
    NsPid(Permille, NsPid),
    /// So many sightings of the storm without an exec.
    Phantoms(usize, Sign),
    /// So many sightings of other processes.
    Foreign(usize),
    /// So many sightings of the storm's own processes from before it began.
    SetUp(usize),
    /// What the monitor says of its own losses; the last one counts.
    Loss(LossFault),
}

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// Its second half is cut off.
    Cut,
    /// Its first half is cut off.
    CutFront,
    /// Only the last component.
    Basename,
    /// Only the first 15 bytes of the last component.
    Comm,
    /// The string of the call.
    AsGiven,
    /// The string of the call behind the working directory.
    BehindCwd,
    /// How the initial mount namespace reaches the file.
    Host,
    /// The interpreter.
    Interpreter,
    /// A name that the file had before.
    Stale,
    /// Another file.
    Wrong,
    /// The kernel's suffix is on it.
    Deleted,
}

/// What becomes of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgvFault {
    /// One string.
    Join,
    /// The last argument is missing.
    Cut,
    /// All but the first byte of the first argument is missing, and with it the id.
    CutDeep,
    /// The last argument is another one.
    Wrong,
}

/// A field that a sighting may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Process id; only where the argv id is there to go by.
    Pid,
    /// Parent.
    Parent,
    /// Real user.
    User,
    /// Source time; only where the argv id is there to go by.
    Time,
    /// Path.
    Path,
    /// Arguments; only where pid and time are there to go by.
    Argv,
    /// Cgroup and namespaces.
    Container,
}

/// Where the in-namespace pid stands; only where a container or an argv id is there to go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NsPid {
    /// Where the host's should be.
    InPlace,
    /// In its own field, without the host's.
    Apart,
}

/// By what an invented sighting is attributed to the storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The storm's process is its parent.
    Parent,
    /// It is the storm's process itself.
    Pid,
    /// It has the pid of an exec that is over.
    PastPid,
    /// It is in a cgroup of the storm.
    Cgroup,
    /// Its arguments have an id.
    Id,
}

/// What a monitor says of its losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossFault {
    /// Exactly what was missed, in two reports.
    Exact,
    /// So many execs fewer.
    TooLittle(u64),
    /// So many execs more, at least 1.
    TooMuch(u64),
    /// Nothing.
    Silent,
    /// That something was lost.
    Unnumbered,
    /// So many events, at least 1.
    Events(u64),
}
