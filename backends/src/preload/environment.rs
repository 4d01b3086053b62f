//! `preload`: the object is named in the environment (`LD_PRELOAD`) of the process that is launched, and of all that it starts
//! and does not clean. What the object does and cannot see stands in [the family's page](super).
//!
//! Since any kernel: it is the dynamic linker that does it (ld.so(8)). Needs a folder beside the rendezvous from which objects can be
//! loaded (not `noexec`). Loses more than its sibling `preload-file`: set-user-ID programs ignore the variable (a path with a
//! slash, "Secure-execution mode"), and `env -i`, sudo and container runtimes drop it. For that it changes nothing for anybody else.
//!
//! # Cost
//!
//! The cheaper of its family, and all of it is paid by the program itself before its `main`: the linker maps and relocates
//! the object, which reads links and `cgroup` in `/proc/self` and sends a datagram, and waits where the queue is full.
//! So each exec of a linked program is dear, as dear as a lookup by others, and always in time. A static program costs
//! next to nothing, as nobody reports it. Tuned costs a little more: it makes up to two reports of an exec
//! (`report=both`), and buys static programs that linked ones start by name; with the longer queue fewer wait.

use std::{env, path::PathBuf};

use super::place::{Place, object_at};
use crate::{
    AttachError, Backend, CanaryKind, Monitor, Offers, Portrait, Reach, Remains, Setting, Settings,
    launch::{RENDEZVOUS, rendezvous},
};

/// ld.so(8).
const VARIABLE: &str = "LD_PRELOAD";

/// See the module.
#[derive(Debug)]
pub struct Preload;

fn stem() -> Result<PathBuf, AttachError> {
    rendezvous().ok_or_else(|| {
        let nowhere = std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "it is not set, and says where the object is to lie",
        );
        AttachError::call(format!("reading {RENDEZVOUS} from the environment"))(nowhere)
    })
}

impl Backend for Preload {
    fn name(&self) -> &'static str {
        "preload"
    }

    fn about(&self) -> &'static str {
        "a library that LD_PRELOAD brings into each launched program reports it"
    }

    fn program(&self) -> &'static str {
        "preload"
    }

    fn portrait(&self) -> Portrait {
        super::portrait(
            "LD_PRELOAD brings a library into each dynamically linked program, which reports itself over a socket",
            &["dynamically linked programs that keep their environment"],
            Reach::Descendants,
        )
    }

    fn settings(&self) -> &'static [Setting] {
        super::SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "launched programs have LD_PRELOAD in their environment, and a library of ours in them",
            "net.unix.max_dgram_qlen, for a moment (tuned)",
        ]
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&super::remains::Queue)
    }

    fn canary(&self) -> CanaryKind {
        CanaryKind::Dynamic
    }

    fn userland(&self) -> &'static [&'static str] {
        &["libc"]
    }

    fn offers(&self) -> Offers {
        super::offers()
    }

    fn launch(&self, _: &Settings) -> Result<(), AttachError> {
        let object = object_at(&stem()?);
        // Whatever the system's loader does with a name that is not there, a launch without it is none.
        std::fs::metadata(&object)
            .map_err(AttachError::call(format!("stat {}", object.display())))?;
        let mut all = object.into_os_string();
        if let Some(others) = env::var_os(VARIABLE).filter(|others| !others.is_empty()) {
            all.push(":");
            all.push(others);
        }
        // SAFETY: this process has one thread, and is about to become another program.
        unsafe { env::set_var(VARIABLE, all) };
        Ok(())
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let place = Place::make(&stem()?, &super::wanted(settings))?;
        let more = vec![format!("{VARIABLE} is set for what is launched")];
        Ok(Box::new(super::open(settings, place, more)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        vec![super::look::queue(roots)]
    }
}
