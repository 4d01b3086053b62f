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
    /// A share of the sightings that have a path has the string of the call beside it, or another string.
    Given(Permille, Given),
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
    /// A share of the sightings has cgroup and namespaces of the process's exec before this one.
    LateContainer(Permille),
    /// A share of the sightings has the in-namespace pid instead of the host's.
    NsPid(Permille, NsPid),
    /// A share of the sightings has the id of a thread in place of the process's, which nobody can join.
    ThreadId(Permille),
    /// A share of the sightings has a time in whole ticks of so many nanoseconds, and says so.
    Ticks(Permille, u64),
    /// A share of the sightings has a time at which the new image ran already, as a polling monitor's.
    Polled(Permille),
    /// So many sightings of the storm without an exec.
    Phantoms(usize, Sign),
    /// So many sightings of other processes.
    Foreign(usize),
    /// So many sightings of other processes that have a pid after an exec of the storm had it.
    Neighbours(usize),
    /// So many canaries that nobody took out.
    Canaries(usize),
    /// So many sightings of the storm's own processes from before it began.
    SetUp(usize),
    /// What the monitor says of its own losses; the last one counts.
    Loss(LossFault),
}

/// What stands beside a path as the string of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// That string.
    Right,
    /// All of it but its last byte.
    Cut,
    /// Another one.
    Other,
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
    /// Only the last component of the string of the call.
    GivenName,
    /// The string of the call.
    AsGiven,
    /// The string of the call in its own field, and no path.
    GivenOnly,
    /// The string of the call behind the working directory.
    BehindCwd,
    /// The same without its dots.
    Lexical,
    /// How the initial mount namespace reaches the file.
    Host,
    /// Another way in which it does.
    HostLayer,
    /// From the exec's own root directory.
    InRoot,
    /// The interpreter or handler; the script, where the file is the interpreter.
    Interpreter,
    /// Only the last component of that.
    InterpreterName,
    /// A name that the file had before.
    Stale,
    /// Another name that it had or has.
    StaleToo,
    /// The file that the process executed before.
    FileBefore,
    /// Resolved late: the file that the process executed next.
    FileAfter,
    /// Resolved too late: the file of the process that had the pid next.
    NextOwner,
    /// Another file.
    Wrong,
    /// An empty string.
    Empty,
    /// The kernel's suffix is on it.
    Deleted,
    /// The kernel's suffix is not on it.
    Undeleted,
    /// What looks like the kernel's suffix and is the end of the name is taken off.
    SuffixOff,
}

impl PathFault {
    /// Each of them once.
    pub const ALL: [Self; 24] = [
        Self::Cut,
        Self::CutFront,
        Self::Basename,
        Self::Comm,
        Self::GivenName,
        Self::AsGiven,
        Self::GivenOnly,
        Self::BehindCwd,
        Self::Lexical,
        Self::Host,
        Self::HostLayer,
        Self::InRoot,
        Self::Interpreter,
        Self::InterpreterName,
        Self::Stale,
        Self::StaleToo,
        Self::FileBefore,
        Self::FileAfter,
        Self::NextOwner,
        Self::Wrong,
        Self::Empty,
        Self::Deleted,
        Self::Undeleted,
        Self::SuffixOff,
    ];
}

/// What becomes of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgvFault {
    /// One string with spaces between them.
    Join,
    /// One string with a NUL after each, as `/proc/PID/cmdline` has them.
    JoinNul,
    /// A list of one joined string.
    One,
    /// The last argument is missing.
    Cut,
    /// The last byte is missing.
    CutEnd,
    /// All but the first byte of the first argument is missing, and with it the id.
    CutDeep,
    /// The first half of one string.
    CutJoined,
    /// A list without any.
    Nothing,
    /// The last argument is another one.
    Wrong,
    /// One argument more.
    Extra,
    /// The first two have changed places.
    Swap,
}

impl ArgvFault {
    /// Each of them once.
    pub const ALL: [Self; 11] = [
        Self::Join,
        Self::JoinNul,
        Self::One,
        Self::Cut,
        Self::CutEnd,
        Self::CutDeep,
        Self::CutJoined,
        Self::Nothing,
        Self::Wrong,
        Self::Extra,
        Self::Swap,
    ];
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
    /// All of those but one: by turns the cgroup's name, its number or one of the namespaces is left.
    AllButOne,
}

impl Field {
    /// Each of them once.
    pub const ALL: [Self; 8] = [
        Self::Pid,
        Self::Parent,
        Self::User,
        Self::Time,
        Self::Path,
        Self::Argv,
        Self::Container,
        Self::AllButOne,
    ];
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
    /// By all that an exec would have: it is of a call that failed, or that only checked.
    Attempt,
    /// It is in a container of the storm.
    Namespace,
    /// It is in a cgroup of the storm, which is told by its number.
    CgroupId,
    /// An exec of the storm that is still alive is its parent.
    Child,
}

impl Sign {
    /// Each of them once.
    pub const ALL: [Self; 9] = [
        Self::Parent,
        Self::Pid,
        Self::PastPid,
        Self::Cgroup,
        Self::Id,
        Self::Attempt,
        Self::Namespace,
        Self::CgroupId,
        Self::Child,
    ];
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
    /// So many records, at least 1.
    Records(u64),
    /// That it lost execs, and not how many.
    Uncounted,
    /// That of each unit none was lost.
    Zeroes,
    /// Exactly what was missed, and beside it that something was lost.
    ExactAndMore,
    /// Exactly what was missed, and so many execs more before the storm and after it.
    OutsideToo(u64),
    /// So many execs before the storm and after it, and nothing of it.
    OutsideOnly(u64),
}
