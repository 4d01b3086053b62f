//! What was changed on the machine, and putting it back.

use super::{
    control::{Control, Refused},
    rules::Rule,
    wire::Status,
};

/// Changes audit and remembers what it has to put back. Dropping it puts everything back.
#[derive(Debug)]
pub struct Changes {
    control: Control,
    before: Status,
    /// The fields of [`Status`] that were set, as a mask.
    set: u32,
    added: Vec<Rule>,
    owner: bool,
}

impl Changes {
    /// With the status from before anything is changed.
    pub fn new(control: Control, before: Status) -> Self {
        Self {
            control,
            before,
            set: 0,
            added: Vec::new(),
            owner: false,
        }
    }

    /// For requests that change nothing that has to be put back.
    pub fn control(&mut self) -> &mut Control {
        &mut self.control
    }

    /// This process has become the owner of the unicast connection.
    pub fn owned(&mut self) {
        self.owner = true;
    }

    /// Sets the fields in which `wanted` differs from what is there, of those that `mask` names.
    pub fn set(&mut self, wanted: Status, mask: u32) -> Result<(), Refused> {
        let mask = wanted.differs(self.before, mask);
        if mask == 0 {
            return Ok(());
        }
        // Before the request: if it fails half way, more is put back than was changed, never less.
        self.set |= mask;
        self.control.set(Status { mask, ..wanted })
    }

    /// Adds a rule; whether it was added. One that is there already stays another's.
    pub fn add(&mut self, rule: Rule, existing: &[Rule]) -> Result<bool, Refused> {
        if existing.iter().any(|other| other.same(&rule)) {
            return Ok(false);
        }
        match self.control.add(&rule) {
            Err(e) if e.errno() == Some(libc::EEXIST) => Ok(false),
            Err(e) => Err(e),
            Ok(()) => {
                self.added.push(rule.kept());
                Ok(true)
            }
        }
    }

    /// Puts everything back: rules first, so that nothing is recorded any more under limits that
    /// were not made for it. Says what could not be done and goes on. Does nothing the second time.
    pub fn put_back(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut note = |what: &str, result: Result<(), Refused>| {
            if let Err(error) = result {
                problems.push(format!("not put back: {what}: {error}"));
            }
        };
        for rule in std::mem::take(&mut self.added) {
            note("a rule", self.control.delete(&rule));
        }
        let mask = std::mem::take(&mut self.set);
        if mask != 0 {
            let before = Status {
                mask,
                ..self.before
            };
            note("the status", self.control.set(before));
        }
        if std::mem::take(&mut self.owner) {
            let nobody = Status {
                mask: Status::PID,
                pid: 0,
                ..Status::default()
            };
            note("the owner", self.control.set(nobody));
        }
        problems
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        for problem in self.put_back() {
            eprintln!("execlab-monitor: audit: {problem}");
        }
    }
}
