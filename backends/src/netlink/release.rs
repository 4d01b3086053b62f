//! The release of Linux that runs, where nothing else tells what it does.

use std::{fs, path::Path};

/// From here on the connector has an event mask, and lowers its count of listeners when a socket is closed
/// (`cn_release`, `drivers/connector/connector.c`).
pub const OF_EVENT_MASK: (u32, u32) = (6, 6);

/// Its text, from the folder that is `/proc`.
pub fn read(proc: &Path) -> Option<String> {
    let text = fs::read_to_string(proc.join("sys/kernel/osrelease")).ok()?;
    Some(text.trim_end().to_owned())
}

/// Its first two numbers; `None` where it has none.
pub fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split('.').map_while(|word| {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        word[..digits].parse().ok()
    });
    numbers.next().zip(numbers.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_two_numbers() {
        for (release, expected) in [
            ("5.10.0-46-cloud-amd64", Some((5, 10))),
            ("6.1.0", Some((6, 1))),
            ("7.3-rc7", Some((7, 3))),
            ("7.3~rc7-cloud-amd64", Some((7, 3))),
            ("6", None),
            ("six.seven", None),
            ("", None),
        ] {
            assert_eq!(numbers(release), expected, "{release}");
        }
    }
}
