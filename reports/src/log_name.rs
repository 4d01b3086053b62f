//! The name under which what belongs to a trial is kept in a run directory.

use sha2::{Digest as _, Sha256};

/// Longest file name that is used as it is; the limit of file systems is 255 with its extensions.
const LONGEST: usize = 200;

/// The id of a trial as one component of a path: no slash, and nothing that artifact stores refuse.
///
/// No two ids share a name: `@`, which stands for the slash, is escaped in ids themselves.
pub fn log_name(id: &str) -> String {
    let mut name = String::new();
    for c in id.chars() {
        match c {
            '/' => name.push('@'),
            ':' => name.push_str("%3A"),
            c => name.push(c),
        }
    }
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST - 20));
        name.push_str("@@");
        for byte in &Sha256::digest(id.as_bytes())[..8] {
            name += &format!("{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_names_are_readable_and_never_too_long() {
        assert_eq!(
            log_name("6.1/netlink+default/relative/rate:500/exact/3"),
            "6.1@netlink+default@relative@rate%3A500@exact@3"
        );
        let long = |end: &str| format!("path:{}{end}", "x".repeat(400));
        assert!(log_name(&long("a")).len() <= LONGEST);
        assert_ne!(log_name(&long("a")), log_name(&long("b")));
        assert!(log_name(&"é".repeat(300)).len() <= LONGEST);
    }
}
