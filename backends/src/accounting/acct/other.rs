//! Whether somebody else has the machine's one accounting already.
//!
//! There is no call to ask: `acct(2)` sets a file, or none, and says nothing of the one before; the kernel keeps
//! it in a pointer of the PID namespace that no file shows (`bacct`, kernel/acct.c). But whoever uses accounting
//! writes to a file that everybody knows, and a record of a child of ours that comes up there is an answer.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
};

use super::{
    super::ended_child,
    record::{self, SIZE},
};
use crate::AttachError;

/// Where distributions have it: GNU acct of Debian and Fedora, of Red Hat and SUSE, and what older manuals say.
const FILES: [&str; 4] = [
    "/var/log/account/pacct",
    "/var/account/pacct",
    "/var/log/pacct",
    "/var/adm/pacct",
];

/// The file that accounting goes to already, if it is one of the known.
pub fn known() -> Result<Option<&'static str>, AttachError> {
    let open = |path: &'static str| Some((path, File::open(path).ok()?));
    let files: Vec<_> = FILES.into_iter().filter_map(open).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let lengths: Vec<_> = files.iter().map(|(_, file)| length(file)).collect();
    let child = ended_child()?;
    for ((path, file), before) in files.into_iter().zip(lengths) {
        if has_record(&file, before.unwrap_or(0), child)
            .map_err(AttachError::call(format!("read of {path}")))?
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn length(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.size())
}

/// Whether a record of a process was appended since the file was so long.
fn has_record(file: &File, before: u64, pid: u32) -> io::Result<bool> {
    let mut new = vec![0; usize::try_from(length(file)?.saturating_sub(before)).unwrap_or(0)];
    file.read_exact_at(&mut new, before)?;
    let (records, _) = new.as_chunks::<SIZE>();
    Ok(records
        .iter()
        .any(|raw| record::parse(raw).is_ok_and(|ended| ended.pid == pid)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{
        super::super::{AFORK, Ended},
        *,
    };

    #[test]
    fn a_record_counts_only_where_it_was_appended() {
        let mut file = tempfile::tempfile().unwrap();
        let record = record::record(&Ended {
            flags: AFORK,
            pid: 7,
            ppid: 1,
            uid: 0,
            comm: "x".into(),
            file: None,
        });
        file.write_all(&record).unwrap();
        let before = length(&file).unwrap();
        assert!(!has_record(&file, before, 7).unwrap());
        file.write_all(&record).unwrap();
        assert!(has_record(&file, before, 7).unwrap());
        assert!(!has_record(&file, before, 8).unwrap());
    }
}
