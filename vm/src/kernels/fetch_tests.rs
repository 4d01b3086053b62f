use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::part::write_error;
use super::super::test_server::{Server, serve, status};
use super::*;

/// A body long enough to come in several pieces.
fn body() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

struct Fixture {
    directory: tempfile::TempDir,
    body: Vec<u8>,
    sha256: Sha256,
}

impl Fixture {
    fn new() -> Self {
        let body = body();
        Self {
            directory: tempfile::tempdir().unwrap(),
            sha256: Sha256::of(&body),
            body,
        }
    }

    fn to(&self) -> PathBuf {
        self.directory.path().join("it.deb")
    }

    fn part(&self) -> PathBuf {
        self.directory.path().join("it.deb.part")
    }

    fn fetch(&self, server: &Server) -> Result<(), FetchError> {
        let wanted = Download {
            url: &format!("{}/it", server.url),
            sha256: &self.sha256,
            size: self.body.len() as u64,
            to: &self.to(),
        };
        Fetcher::new(Duration::ZERO).fetch(&wanted, &mut |_| {})
    }

    fn is_whole(&self) -> bool {
        fs::read(self.to()).is_ok_and(|found| found == self.body) && !self.part().exists()
    }
}

#[test]
fn a_file_comes_whole_and_progress_is_told() {
    let it = Fixture::new();
    let served = it.body.clone();
    let server = Server::new(Box::new(move |_, start, stream| {
        serve(stream, &served, start, usize::MAX);
    }));
    let mut last = 0;
    let wanted = Download {
        url: &format!("{}/it", server.url),
        sha256: &it.sha256,
        size: it.body.len() as u64,
        to: &it.to(),
    };
    Fetcher::new(Duration::ZERO)
        .fetch(&wanted, &mut |got| {
            assert!(got > last);
            last = got;
        })
        .unwrap();
    assert_eq!(last, wanted.size);
    assert!(it.is_whole());
}

#[test]
fn what_is_cut_off_goes_on_where_it_was() {
    let it = Fixture::new();
    let served = it.body.clone();
    let server = Server::new(Box::new(move |_, start, stream| {
        serve(stream, &served, start, 500_000);
    }));
    it.fetch(&server).unwrap();
    assert!(it.is_whole());
    let starts: Vec<u64> = server
        .requests
        .lock()
        .unwrap()
        .iter()
        .map(|(_, start)| *start)
        .collect();
    assert_eq!(starts, [0, 500_000, 1_000_000]);
}

#[test]
fn what_an_earlier_run_left_is_used() {
    let it = Fixture::new();
    fs::write(it.part(), &it.body[..700_000]).unwrap();
    let served = it.body.clone();
    let server = Server::new(Box::new(move |_, start, stream| {
        serve(stream, &served, start, usize::MAX);
    }));
    it.fetch(&server).unwrap();
    assert!(it.is_whole());
    assert_eq!(server.requests.lock().unwrap()[0].1, 700_000);

    // A whole part needs no request at all.
    fs::rename(it.to(), it.part()).unwrap();
    it.fetch(&server).unwrap();
    assert!(it.is_whole());
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_server_without_ranges_sends_it_from_the_start() {
    let it = Fixture::new();
    fs::write(it.part(), b"something else").unwrap();
    let served = it.body.clone();
    let server = Server::new(Box::new(move |_, _, stream| {
        serve(stream, &served, 0, usize::MAX);
    }));
    it.fetch(&server).unwrap();
    assert!(it.is_whole());
}

#[test]
fn a_connection_that_always_breaks_keeps_what_came_and_says_so() {
    let it = Fixture::new();
    let served = it.body.clone();
    let server = Server::new(Box::new(move |_, start, stream| {
        serve(stream, &served, start, if start == 0 { 1000 } else { 0 });
    }));
    let error = it.fetch(&server).unwrap_err();
    assert!(
        matches!(error, FetchError::CutOff { got: 1000, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("to go on from there"), "{error}");
    assert_eq!(fs::read(it.part()).unwrap(), it.body[..1000]);
    assert!(!it.to().exists());
}

#[test]
fn a_wrong_body_is_deleted_and_named() {
    let it = Fixture::new();
    let mut served = it.body.clone();
    served[1234] ^= 1;
    let server = Server::new(Box::new(move |_, start, stream| {
        serve(stream, &served, start, usize::MAX);
    }));
    let error = it.fetch(&server).unwrap_err();
    assert!(matches!(error, FetchError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(it.sha256.as_str()), "{error}");
    assert!(!it.part().exists() && !it.to().exists());
}

#[test]
fn a_body_of_another_length_is_deleted_and_named() {
    for longer in [false, true] {
        let it = Fixture::new();
        let mut served = it.body.clone();
        if longer {
            served.push(0);
        } else {
            served.pop();
        }
        let server = Server::new(Box::new(move |_, start, stream| {
            serve(stream, &served, start, usize::MAX);
        }));
        let error = it.fetch(&server).unwrap_err();
        assert!(matches!(error, FetchError::Corrupt { .. }), "{error}");
        assert!(
            error.to_string().contains("bytes instead of 1200000"),
            "{error}"
        );
        assert!(!it.part().exists() && !it.to().exists());
    }
}

#[test]
fn a_body_longer_than_promised_without_a_length_is_refused() {
    let it = Fixture::new();
    let served = [it.body.as_slice(), b"more"].concat();
    let server = Server::new(Box::new(move |_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(&served);
    }));
    let error = it.fetch(&server).unwrap_err();
    assert!(
        error.to_string().contains("more than 1200000 bytes"),
        "{error}"
    );
    assert!(!it.part().exists());
}

#[test]
fn what_has_left_says_how_to_renew_the_lock() {
    for code in [404, 410] {
        let it = Fixture::new();
        let server = Server::new(Box::new(move |_, _, stream| status(stream, code)));
        let error = it.fetch(&server).unwrap_err();
        assert!(matches!(error, FetchError::Gone { .. }), "{error}");
        assert!(
            error.to_string().contains("execlab kernels lock"),
            "{error}"
        );
        assert_eq!(server.request_count(), 1);
    }
}

#[test]
fn a_passing_failure_is_tried_again_a_lasting_one_is_not() {
    let it = Fixture::new();
    let served = it.body.clone();
    let count = AtomicUsize::new(0);
    let server = Server::new(Box::new(move |_, start, stream| {
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => status(stream, 503),
            _ => serve(stream, &served, start, usize::MAX),
        }
    }));
    it.fetch(&server).unwrap();
    assert!(it.is_whole());

    let it = Fixture::new();
    let server = Server::new(Box::new(move |_, _, stream| status(stream, 403)));
    let error = it.fetch(&server).unwrap_err();
    assert!(
        matches!(error, FetchError::Refused { status: 403, .. }),
        "{error}"
    );
    assert_eq!(server.request_count(), 1);
}

#[test]
fn nobody_there_is_unreachable() {
    let it = Fixture::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/it", closed.local_addr().unwrap());
    drop(closed);
    let wanted = Download {
        url: &url,
        sha256: &it.sha256,
        size: 1,
        to: &it.to(),
    };
    let error = Fetcher::new(Duration::ZERO)
        .fetch(&wanted, &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("--mirror"), "{error}");
}

#[test]
fn a_full_disk_and_an_unwritable_place_are_named() {
    let full = write_error(
        Path::new("/x"),
        7,
        io::Error::from(io::ErrorKind::StorageFull),
    );
    assert!(matches!(full, FetchError::NoSpace { size: 7, .. }));
    assert!(full.to_string().contains("XDG_CACHE_HOME"), "{full}");

    let it = Fixture::new();
    let wanted = Download {
        url: "http://127.0.0.1:1/it",
        sha256: &it.sha256,
        size: 1,
        to: &it.directory.path().join("not/there"),
    };
    let error = Fetcher::default().fetch(&wanted, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("not/there"), "{error}");
}

#[test]
fn small_files_are_read_whole_up_to_a_limit() {
    let server = Server::of([("/a".to_owned(), vec![7; 100])].into());
    let fetcher = Fetcher::new(Duration::ZERO);
    assert_eq!(
        fetcher.get(&format!("{}/a", server.url), 100).unwrap(),
        [7; 100]
    );
    assert!(fetcher.get(&format!("{}/a", server.url), 99).is_err());
    assert!(matches!(
        fetcher.get(&format!("{}/b", server.url), 99),
        Err(FetchError::Gone { .. })
    ));
}
