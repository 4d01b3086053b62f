//! For tests: a child that has forked and calls exec when it is told to.

use std::{
    io::{self, PipeWriter, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command},
    thread::JoinHandle,
};

/// See the module.
pub struct Held {
    pub pid: u32,
    go: PipeWriter,
    /// `spawn` returns when the child calls exec.
    spawned: JoinHandle<Child>,
}

impl Held {
    /// Forks, and no more.
    pub fn fork(mut command: Command) -> Self {
        let (mut pid_here, mut pid_there) = io::pipe().unwrap();
        let (mut go_there, go) = io::pipe().unwrap();
        let hold = move || {
            pid_there.write_all(&std::process::id().to_ne_bytes())?;
            go_there.read_exact(&mut [0])
        };
        // SAFETY: reads and writes of pipes, and getpid, are async-signal-safe.
        unsafe { command.pre_exec(hold) };
        let spawned = std::thread::spawn(move || command.spawn().unwrap());
        let mut pid = [0; 4];
        pid_here.read_exact(&mut pid).unwrap();
        Self {
            pid: u32::from_ne_bytes(pid),
            go,
            spawned,
        }
    }

    /// Lets it call exec.
    pub fn go(&mut self) {
        self.go.write_all(&[1]).unwrap();
    }

    /// For what is to be done with a child. After [`Self::go`].
    pub fn child(self) -> Child {
        self.spawned.join().unwrap()
    }
}
