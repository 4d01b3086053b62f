//! What holds for any bytes from a module's device. Called by `fuzz/` alone.

use execlab_model::sighting::Argv;

use super::record::{HEADER, Record, record};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn check(input: &[u8]) -> bool {
    match input.split_first() {
        Some((0..0x80, bytes)) => batch(bytes),
        Some((_, bytes)) => texts(bytes),
        None => false,
    }
}

/// Bytes as they come: records follow each other, nothing is read from behind one, and no more is told than stood in it.
fn batch(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut records = 0;
    while let Ok((record, behind)) = Record::split(rest) {
        let size = rest.len() - behind.len();
        assert!(size >= HEADER);
        let alone = Record::split(&rest[..size]).expect("it was whole");
        assert_eq!(alone, (record, &[][..]));
        assert!(Record::split(&rest[..size - 1]).is_err());
        let sighting = record.sighting(1);
        let path = sighting.path.map_or(0, |path| path.as_slice().len());
        let given = sighting.given.map_or(0, |given| given.as_slice().len());
        let argv = match sighting.argv {
            Some(Argv::List(list)) => list.iter().map(|a| a.as_slice().len()).sum(),
            _ => 0,
        };
        assert!(HEADER + path + given + argv <= size, "more than there was");
        records += 1;
        rest = behind;
    }
    records > 0
}

/// What a module writes is read as it was: any path, any string, any arguments.
fn texts(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(3, |&byte| byte == 0xff);
    let mut part = || parts.next().unwrap_or_default();
    let (path, given, argv) = (part(), part(), part());
    let written = record(path, given, argv, 0);
    let (read, rest) = Record::split(&written).expect("it was written as a module does");
    assert!(rest.is_empty());
    let sighting = read.sighting(1);
    assert_eq!(sighting.path, Some(path.into()));
    assert_eq!(sighting.given, (!given.is_empty()).then(|| given.into()));
    let words = argv.strip_suffix(b"\0").unwrap_or(argv);
    let list = words.split(|&byte| byte == 0).map(Into::into).collect();
    assert_eq!(
        sighting.argv,
        (!argv.is_empty()).then_some(Argv::List(list))
    );
    !path.is_empty()
}
