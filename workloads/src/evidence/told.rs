//! Evidence that images send instead of writing it: through a socket, with which the kernel says who sends.
//!
//! An image in PID and user namespaces that a program made which is not ours knows only its numbers there. The
//! kernel notes who connects to a Unix socket and translates that for whoever asks (`SO_PEERCRED`, unix(7)); it
//! still does when that process is gone.

use std::{
    fs::{self, Permissions},
    io::{self, Read},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
};

use nix::sys::socket::{Backlog, getsockopt, listen, sockopt::PeerCredentials};

use super::{Evidence, SIZE, Testimony};

/// A socket at which nobody is heard before the storm is over: the kernel keeps whoever connects.
#[derive(Debug)]
pub struct Listener(UnixListener);

impl Listener {
    /// At this path, for everybody.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let socket = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
        // As many as the kernel allows (`net.core.somaxconn`, 4096 since Linux 5.4): more than that would wait.
        listen(&socket, Backlog::MAXALLOWABLE)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }
}

impl Testimony for Listener {
    /// Of all who have connected by now, in their order.
    fn evidence(&self) -> io::Result<Vec<Evidence>> {
        let mut heard = Vec::new();
        loop {
            match self.0.accept() {
                Ok((image, _)) => heard.push(hear(image)?),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
                Err(error) => return Err(error),
            }
        }
    }
}

fn hear(mut image: UnixStream) -> io::Result<Evidence> {
    let who = getsockopt(&image, PeerCredentials)?;
    let mut record = [0; SIZE];
    image.read_exact(&mut record)?;
    Ok(Evidence {
        host_pid: u32::try_from(who.pid()).map_err(io::Error::other)?,
        uid: who.uid(),
        ..Evidence::from_bytes(&record)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::evidence::tests::bytes;

    #[test]
    fn the_kernel_says_who_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = Listener::bind(&path).unwrap();
        for id in [5, 6] {
            let mut image = UnixStream::connect(&path).unwrap();
            image.write_all(&bytes(id)).unwrap();
        }
        let heard = listener.evidence().unwrap();
        let said: Vec<_> = heard.iter().map(|e| (e.id, e.pid, e.host_pid)).collect();
        assert_eq!(
            said,
            [(5, 7, std::process::id()), (6, 7, std::process::id())]
        );
        assert!(listener.evidence().unwrap().is_empty());
    }
}
