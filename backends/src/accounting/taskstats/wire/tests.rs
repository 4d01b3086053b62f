use std::os::{fd::AsRawFd, unix::net::UnixDatagram};

use proptest::prelude::*;

use super::{
    written::{FAMILY, attribute, end, message},
    *,
};

fn example(flags: u8) -> Ended {
    Ended {
        flags,
        pid: 4242,
        ppid: 17,
        uid: 1000,
        comm: "t64".into(),
        file: Some((0x0000_0801, 77)),
    }
}

/// Whether a kernel with this filter on a socket lets the message through.
fn passes(raw: &[u8]) -> bool {
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    let mut lines = filter(FAMILY);
    let program = libc::sock_fprog {
        len: u16::try_from(lines.len()).unwrap(),
        filter: lines.as_mut_ptr(),
    };
    // SAFETY: the program and its lines live through the call, which copies them.
    let set = unsafe {
        libc::setsockopt(
            receiver.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            libc::socklen_t::try_from(size_of_val(&program)).unwrap(),
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    receiver.set_nonblocking(true).unwrap();
    // The sender is not told that a filter dropped it.
    sender.send(raw).unwrap();
    match receiver.recv(&mut [0; 2048]) {
        Ok(length) => length == raw.len(),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_filter_drops_what_called_no_exec_and_nothing_else() {
    for padded in [false, true] {
        for (flags, kept) in [
            (0, true),
            (AFORK, false),
            (AFORK | 0x10, false),
            (0x12, true),
        ] {
            let raw = end(&example(flags), 352, padded);
            assert_eq!(passes(&raw), kept, "{flags:#x}");
        }
    }
    // Answers, and what has another layout than is known.
    assert!(passes(&message(NLMSG_ERROR, &[0; 20])));
    assert!(passes(&message(CONTROLLER, &[1; 40])));
    assert!(passes(&message(FAMILY, &[0; 4])));
}

#[test]
fn an_end_reads_the_same_from_every_length_that_has_the_field() {
    for (length, file) in [
        (352, None),
        (368, None),
        (400, example(0).file),
        (712, example(0).file),
    ] {
        for padded in [false, true] {
            let raw = end(&example(0), length, padded);
            let expected = Ended { file, ..example(0) };
            assert_eq!(parse(&raw, Some(FAMILY)), Some(Message::Ended(expected)));
        }
    }
    assert_eq!(
        parse(&end(&example(0), 352, false), Some(FAMILY + 1)),
        Some(Message::Other)
    );
}

#[test]
fn answers_are_read_and_requests_are_laid_out_as_the_kernel_reads_them() {
    let refused = message(NLMSG_ERROR, &(-libc::EPERM).to_ne_bytes());
    assert_eq!(parse(&refused, None), Some(Message::Answer(-libc::EPERM)));
    let mut payload = vec![1, 2, 0, 0];
    payload.extend(attribute(FAMILY_NAME, b"TASKSTATS\0"));
    payload.extend(attribute(FAMILY_ID, &FAMILY.to_ne_bytes()));
    assert_eq!(
        parse(&message(CONTROLLER, &payload), None),
        Some(Message::Family(FAMILY))
    );
    let raw = Request::Listen {
        family: FAMILY,
        cpus: "0-3",
        on: true,
    }
    .to_bytes();
    assert_eq!(u32_at(&raw, 0), Some(28));
    assert_eq!(u16_at(&raw, 4), Some(FAMILY));
    assert_eq!(find(&raw[ATTRIBUTES_AT..], 3), Some(&b"0-3\0"[..]));
}

/// Counted along `include/uapi/linux/taskstats.h`.
#[test]
fn offsets_are_those_of_a_64_bit_kernel() {
    // version u16, exit code u32 at 4, flag, nice; eight u64 of delays from 16 on; then the name.
    assert_eq!(at::COMM, 16 + 8 * 8);
    // Scheduling class and padding fill eight bytes behind the name.
    assert_eq!(at::UID, at::COMM + COMM + 8);
    assert_eq!(at::PPID, at::UID + 12);
    // begin time to 144; 5 + 4 + 4 + 3 + 2 + 3 + 4 + 1 u64 to 352; compact, thread group, its time.
    assert_eq!(at::EXE_DEVICE, 144 + 26 * 8 + 2 * 8 + 8 + 8);
}

proptest! {
    #[test]
    fn ends_come_back(
        flags: u8, pid: u32, ppid: u32, uid: u32,
        comm in "[^\0]{0,3}", device in 1u64.., inode: u64, length in 400usize..800, padded: bool,
    ) {
        let ended = Ended { flags, pid, ppid, uid, comm: comm.as_str().into(), file: Some((device, inode)) };
        let raw = end(&ended, length, padded);
        prop_assert_eq!(parse(&raw, Some(FAMILY)), Some(Message::Ended(ended)));
    }

    #[test]
    fn garbage_neither_panics_nor_hangs(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&raw, Some(FAMILY));
    }

    #[test]
    fn a_damaged_message_never_panics(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut raw = end(&example(0), 400, true);
        let at = at.index(raw.len());
        raw[at] = byte;
        let _ = parse(&raw[..cut.index(raw.len())], Some(FAMILY));
    }
}
