//! What a backend changes on a machine for longer than its own process lives.
//!
//! In a guest nobody cares: it ends with its trial. On a host a monitor may be killed before it has
//! put things back, and then whoever supervises it does so, with what was noted before it started.

/// How a machine is, as far as one backend changes it, and how it comes back to that.
pub trait Remains: Sync {
    /// How it is now, one fact a line. Equal texts mean that nothing has to be put back. `None` where the
    /// kernel refuses to say, by a refusal that a monitor would meet too: then it cannot change anything.
    /// Any other failure is an error, and nothing is to be started after it.
    fn note(&self) -> Result<Option<String>, String>;

    /// Puts back what differs from an earlier [`Self::note`] and looks as if this backend had changed
    /// it. Called when no monitor runs. What was done, for people; the error says what could not be.
    fn put_back(&self, noted: &str) -> Result<Vec<String>, String>;
}
