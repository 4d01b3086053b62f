//! Addresses in the running kernel (`/proc/kallsyms`), for what the kernel tells no module.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

use crate::AttachError;

/// The addresses of these symbols; `None` for one that is not there.
pub(super) fn running<const N: usize>(names: [&str; N]) -> Result<[Option<u64>; N], AttachError> {
    const PATH: &str = "/proc/kallsyms";
    let found = File::open(PATH)
        .and_then(|file| find(BufReader::with_capacity(1 << 16, file), names))
        .map_err(AttachError::call(format!("read {PATH}")))?;
    // To those who may not know, every address is 0.
    if found.contains(&Some(0)) {
        return Err(AttachError::Unsupported(format!(
            "{PATH} shows no addresses: that takes CAP_SYSLOG and kernel.kptr_restrict below 2"
        )));
    }
    Ok(found)
}

/// A line is `ADDRESS KIND NAME`, and for what is a module's own a tab and the module behind it. The kernel's own come
/// first, and the first of a name is taken.
fn find<const N: usize>(mut lines: impl BufRead, names: [&str; N]) -> io::Result<[Option<u64>; N]> {
    let mut found = [None; N];
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let name = text.rsplit(|&b| b == b' ').next().unwrap_or_default();
        if let Some(index) = names.iter().position(|wanted| wanted.as_bytes() == name) {
            let digits = text.split(|&b| b == b' ').next().unwrap_or_default();
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            let address = u64::from_str_radix(digits, 16).ok();
            found[index] = found[index].or(address);
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        line.clear();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn symbols_are_found_by_their_whole_name_and_the_first_counts() {
        let text = "ffffffff81000000 T _stext\n\
                    ffffffff81e00300 D sys_call_table\n\
                    ffffffffc0000000 d sys_call_table\t[other]\n\
                    ffffffffc0000008 d sys_call_table\n\
                    ffffffff81e01360 D ia32_sys_call_table";
        let names = ["sys_call_table", "ia32_sys_call_table", "call_table"];
        let found = find(text.as_bytes(), names).unwrap();
        assert_eq!(
            found,
            [
                Some(0xffff_ffff_81e0_0300),
                Some(0xffff_ffff_81e0_1360),
                None
            ]
        );
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = find(&text[..], ["a", "b"]);
        }
    }
}
