//! What the store tells: while it fetches, when it lists, and when it checks.

/// What happens while a kernel is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchEvent {
    /// It is in the cache already.
    Cached {
        /// Its release.
        release: String,
    },
    /// A file of it in the cache is not what was unpacked: it is not used, and fetched anew.
    Damaged {
        /// Its release.
        release: String,
        /// The file.
        file: String,
    },
    /// Its packages are to be downloaded.
    Started {
        /// Its release.
        release: String,
        /// The size of all its packages.
        bytes: u64,
    },
    /// Some more has come.
    Progress {
        /// Its release.
        release: String,
        /// How many bytes of all its packages are there.
        done: u64,
        /// The size of all its packages.
        bytes: u64,
    },
    /// Everything was downloaded and is being unpacked.
    Unpacking {
        /// Its release.
        release: String,
    },
    /// It is there, whole.
    Ready {
        /// Its release.
        release: String,
    },
}

/// A locked kernel that was passed over for the next one of its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its release.
    pub release: String,
    /// Why it could not be had.
    pub reason: String,
}

/// One locked kernel, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KernelRow {
    /// The shortest name that means it: its series if it is the first one there, else its release.
    pub name: String,
    /// Its series.
    pub series: String,
    /// Its release.
    pub release: String,
    /// The version of its packages.
    pub version: String,
    /// The suite that it was locked from.
    pub suite: String,
    /// Whether its files are there.
    pub cached: bool,
    /// How much has to be downloaded for it, in bytes.
    pub size: u64,
}

/// What a check of one kernel in the cache found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRow {
    /// Its release.
    pub release: String,
    /// What is the matter with its files.
    pub state: VerifyState,
}

/// The state of one kernel in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyState {
    /// Every file has the contents that were unpacked.
    Good {
        /// The number of files.
        files: usize,
    },
    /// It is not in the cache.
    NotCached,
    /// Some files have not. The kernel counts as not cached from now on, so that `fetch` renews it.
    Damaged(Vec<String>),
}
