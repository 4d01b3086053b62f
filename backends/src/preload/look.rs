//! What preloading needs: a queue, and a list that can be written.

use std::{fs, path::Path};

use crate::look::{Finding, Roots};

/// Documentation/admin-guide/sysctl/net.rst.
pub(super) fn queue(roots: &Roots) -> Finding {
    const WHAT: &str = "unix sockets";
    let length = fs::read_to_string(roots.proc.join("sys/net/unix/max_dgram_qlen"));
    match length {
        Ok(length) => Finding::good(
            WHAT,
            format!(
                "{} reports may wait in a queue, and who finds it full waits too",
                length.trim()
            ),
        ),
        Err(error) => Finding::bad(
            WHAT,
            format!("net.unix.max_dgram_qlen cannot be read: {error}"),
            "a kernel with CONFIG_UNIX",
        ),
    }
}

/// ld.so(8).
pub(super) fn list(list: &Path) -> Finding {
    const WHAT: &str = "/etc/ld.so.preload";
    match fs::read(list) {
        Ok(content) if !content.is_empty() => {
            Finding::good(WHAT, "names objects already; they stay")
        }
        _ => Finding::good(WHAT, "names no object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn the_queue_has_a_length() {
        let fake = Fake::new();
        let told = || told(&[queue(&fake.roots())]);
        insta::assert_snapshot!(told(), @"bad: unix sockets: net.unix.max_dgram_qlen cannot be read: No such file or directory (os error 2) (a kernel with CONFIG_UNIX)");
        fake.write("proc/sys/net/unix/max_dgram_qlen", "10\n");
        insta::assert_snapshot!(told(), @"good: unix sockets: 10 reports may wait in a queue, and who finds it full waits too (-)");
    }
}
