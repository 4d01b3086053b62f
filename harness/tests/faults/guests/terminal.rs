//! A terminal with execlab in it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::openpty,
    unistd::{dup, setsid},
};

/// See the module.
pub struct Terminal {
    keyboard: File,
    closing: Arc<AtomicBool>,
    reader: JoinHandle<Vec<u8>>,
}

impl Terminal {
    /// Starts a command in the foreground of a new terminal.
    pub fn start(mut command: Command) -> (Self, Child) {
        let pty = openpty(None, None).expect("a terminal");
        let end = || Stdio::from(dup(&pty.slave).expect("a descriptor"));
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: both calls are async-signal-safe; descriptor 0 is the terminal by then.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                if libc::ioctl(0, libc::TIOCSCTTY, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        // A terminal is closed only when nobody has its other end any more.
        let flag = FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC);
        fcntl(&pty.master, flag).expect("a descriptor");
        let child = command.spawn().expect("it starts");
        let keyboard = File::from(pty.master);
        let closing = Arc::new(AtomicBool::new(false));
        let reader = read(keyboard.try_clone().expect("a descriptor"), &closing);
        let terminal = Self {
            keyboard,
            closing,
            reader,
        };
        (terminal, child)
    }

    /// Presses a key.
    pub fn press(&mut self, key: u8) {
        self.keyboard.write_all(&[key]).expect("somebody listens");
    }

    /// Waits for the end of what runs in it; how it ended and all that was shown.
    pub fn wait(self, child: &mut Child) -> (Option<i32>, String) {
        let status = child.wait().expect("it ends");
        let shown = self.reader.join().expect("a reader does not panic");
        let shown = String::from_utf8_lossy(&shown).into_owned();
        (status.code(), shown)
    }

    /// Closes it, as one closes a window.
    pub fn close(self) {
        self.closing.store(true, Ordering::Relaxed);
        self.reader.join().expect("a reader does not panic");
    }
}

fn read(mut screen: File, closing: &Arc<AtomicBool>) -> JoinHandle<Vec<u8>> {
    let closing = Arc::clone(closing);
    thread::spawn(move || {
        let mut shown = Vec::new();
        let mut piece = [0; 4096];
        while !closing.load(Ordering::Relaxed) {
            let mut waiting = [PollFd::new(screen.as_fd(), PollFlags::POLLIN)];
            if poll(&mut waiting, PollTimeout::from(20_u8)) == Ok(0) {
                continue;
            }
            match screen.read(&mut piece) {
                Ok(length @ 1..) => shown.extend_from_slice(&piece[..length]),
                // How the end of the other side shows here.
                Ok(_) | Err(_) => break,
            }
        }
        shown
    })
}
