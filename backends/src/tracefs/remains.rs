//! What a killed monitor leaves in tracefs: its instance, and events that it defined.

use std::fs;

use super::{
    dynamic::{self, GROUP},
    instance::PREFIX,
};
use crate::{
    AttachError,
    remains::Remains,
    tracing_fs::mount::{Tracefs, read},
};

/// See the module.
#[derive(Debug)]
pub struct OfTracefs;

impl Remains for OfTracefs {
    fn note(&self) -> Result<Option<String>, String> {
        match Tracefs::open() {
            Ok(tracefs) => Ok(Some(Left::of(&tracefs)?.text())),
            Err(AttachError::Unsupported(_)) => Ok(None),
            Err(AttachError::Call { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let tracefs = Tracefs::open().map_err(|error| error.to_string())?;
        let left = Left::of(&tracefs)?;
        let new = |line: &String| !noted.lines().any(|other| other == line);
        let (mut done, mut problems) = (Vec::new(), Vec::new());
        let mut note = |what: &str, result: std::io::Result<()>| match result {
            Ok(()) => done.push(format!("tracefs: took {what} away")),
            Err(error) => problems.push(format!("tracefs: {what}: {error}")),
        };
        // Instances first: an event cannot go while one of them has it enabled.
        for line in left.instances.iter().filter(|line| new(line)) {
            let name = line.rsplit(' ').next().unwrap_or_default();
            note(line, fs::remove_dir(tracefs.path("instances").join(name)));
        }
        for line in left.events.iter().filter(|line| new(line)) {
            let name = line.rsplit(' ').next().unwrap_or_default();
            note(line, dynamic::remove(&tracefs, name));
        }
        if problems.is_empty() {
            Ok(done)
        } else {
            Err(problems.join("; "))
        }
    }
}

/// What is there that has a name of ours, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    instances: Vec<String>,
    events: Vec<String>,
}

impl Left {
    fn of(tracefs: &Tracefs) -> Result<Self, String> {
        let said = |error: std::io::Error| format!("tracefs: {error}");
        let mut instances = Vec::new();
        for entry in fs::read_dir(tracefs.path("instances")).map_err(said)? {
            let name = entry.map_err(said)?.file_name();
            if let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) {
                instances.push(format!("instance {name}"));
            }
        }
        instances.sort();
        // A kernel without dynamic events has no such file.
        let events = read(&tracefs.path(dynamic::FILE)).unwrap_or_default();
        Ok(Self {
            instances,
            events: events_of_ours(&events),
        })
    }

    fn text(&self) -> String {
        [&self.instances[..], &self.events[..]].concat().join("\n")
    }
}

/// From lines such as `p:execlab/execlab_7_exec proc_exec_connector …`; of a return probe the number of calls
/// stands behind the first letter.
fn events_of_ours(dynamic_events: &str) -> Vec<String> {
    let names = dynamic_events.lines().filter_map(|line| {
        let (_, event) = line.split(' ').next()?.split_once(':')?;
        event.strip_prefix(GROUP)?.strip_prefix('/')
    });
    names.map(|name| format!("event {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_ours_are_known_by_their_group() {
        let listed = "p:execlab/execlab_7_exec proc_exec_connector a=+8(%di):u32
r100:execlab/execlab_7_ret bprm_execve
p:other/execlab_9 x
p:execlabs/y x
";
        assert_eq!(
            events_of_ours(listed),
            ["event execlab_7_exec", "event execlab_7_ret"]
        );
    }
}
