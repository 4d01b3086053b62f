//! What exact trials gave, kept by digest: an unchanged trial is not run again.
//!
//! Kept is what came out of the guest, not what was made of it: a trial from the cache is scored anew, against the
//! baselines of its own run and by the execlab that reads it. A digest covers all inputs of a trial (DESIGN §4), so
//! equal digests give equal records; that they do is what `--verify` goes on to look at, which never asks the cache.
//!
//! A digest has QEMU's version and its firmware, which is what makes two machines comparable. Who builds QEMU anew gets
//! the same version from another program, so a file is for one program alone, by its length and time (of its modules nothing is
//! known here).
//!
//! ```text
//! results/DIGEST.BUILD.gz      a line of JSON, then the record in its own encoding
//! ```

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use execlab_model::{
    record::{GuestStatus, Record},
    result::{KernelId, Provenance},
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    lab::{Outcome, Ran},
    plan::TrialSpec,
};

/// Version of the files; others are not read.
const SCHEMA: u32 = 1;
/// Of the disk it takes no more than this: what was not used for longest goes first.
const MOST_BYTES: u64 = 2 << 30;
/// A record of which more than this comes out of a file is none.
const MOST_RECORD: u64 = 1 << 30;
const END: &str = "gz";

/// The folder.
#[derive(Debug, Clone)]
pub struct ResultCache {
    dir: PathBuf,
    build: String,
}

/// What stands before a record.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    schema: u32,
    digest: String,
    /// When it was run.
    since: String,
    kernel: KernelId,
    provenance: Provenance,
    /// Where nothing was tried: the evidence, and no record follows.
    unsupported: Option<String>,
}

impl ResultCache {
    /// In this folder, which is made when it is needed; of this build of what runs guests.
    pub fn new(dir: PathBuf, build: String) -> Self {
        Self { dir, build }
    }

    /// Whether it has a trial of this digest.
    pub fn has(&self, digest: &str) -> bool {
        self.file(digest).is_some_and(|file| file.is_file())
    }

    /// What a trial of this digest gave. What cannot be read is as good as absent.
    pub fn get(&self, trial: &TrialSpec, digest: &str) -> Option<Ran> {
        let path = self.file(digest)?;
        let mut file = BufReader::new(GzDecoder::new(File::open(&path).ok()?));
        let mut line = Vec::new();
        let mut limited = file.by_ref().take(MOST_RECORD);
        limited.read_until(b'\n', &mut line).ok()?;
        let head: Head = serde_json::from_slice(&line).ok()?;
        if head.schema != SCHEMA || head.digest != digest {
            return None;
        }
        let outcome = if let Some(reason) = head.unsupported {
            Outcome::Unsupported { reason }
        } else {
            let mut bytes = Vec::new();
            file.take(MOST_RECORD).read_to_end(&mut bytes).ok()?;
            Outcome::Record(Box::new(Record::from_bytes(&bytes).ok()?))
        };
        // Only the order in which files go depends on it.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(Ran {
            outcome,
            provenance: head.provenance,
            kernel: KernelId {
                name: trial.kernel.clone(),
                ..head.kernel
            },
            wall: Duration::ZERO,
            sched: None,
            host: [("cached".to_owned(), json!({ "since": head.since }))].into(),
        })
    }

    /// Keeps what a trial gave, where it is whole; what broke is tried again the next time.
    pub fn put(&self, digest: &str, ran: &Ran) -> io::Result<()> {
        let (unsupported, record) = match &ran.outcome {
            Outcome::Record(record) if !matches!(record.status, GuestStatus::BackendFailed(_)) => {
                (None, Some(record))
            }
            Outcome::Unsupported { reason } => (Some(reason.clone()), None),
            Outcome::Record(_) | Outcome::Lost { .. } | Outcome::Infra { .. } => return Ok(()),
        };
        let Some(path) = self.file(digest) else {
            return Ok(());
        };
        let head = Head {
            schema: SCHEMA,
            digest: digest.to_owned(),
            since: jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
            kernel: ran.kernel.clone(),
            provenance: ran.provenance.clone(),
            unsupported,
        };
        fs::create_dir_all(&self.dir)?;
        let new = tempfile::NamedTempFile::new_in(&self.dir)?;
        let mut packed = GzEncoder::new(new, Compression::fast());
        serde_json::to_writer(&mut packed, &head)?;
        packed.write_all(b"\n")?;
        if let Some(record) = record {
            packed.write_all(&postcard::to_allocvec(record).expect("plain data always encodes"))?;
        }
        packed
            .finish()?
            .persist(path)
            .map_err(|error| error.error)?;
        Ok(())
    }

    /// Forgets what a trial gave: it did not repeat, so nobody knows what it gives.
    pub fn forget(&self, digest: &str) -> io::Result<()> {
        self.file(digest).map_or(Ok(()), |path| remove(&path))
    }

    /// Removes files, the longest unused first, until the others fit.
    pub fn prune(&self) -> io::Result<()> {
        self.prune_to(MOST_BYTES)
    }

    fn prune_to(&self, most: u64) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            // Another run may have removed it meanwhile.
            if let Ok(about) = entry.metadata() {
                files.push((about.modified()?, about.len(), entry.path()));
            }
        }
        files.sort();
        let mut all: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if all <= most {
                break;
            }
            all -= bytes;
            remove(&path)?;
        }
        Ok(())
    }

    /// `None` for what is no digest, which some laboratories of tests have.
    fn file(&self, digest: &str) -> Option<PathBuf> {
        let good = !digest.is_empty() && digest.bytes().all(|b| b.is_ascii_hexdigit());
        good.then(|| self.dir.join(format!("{digest}.{}.{END}", self.build)))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::repeat::Start;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        lab::{Laboratory as _, fake::FakeLab},
        plan::{Plan, tests::small},
    };

    const DIGEST: &str = "00ff";

    fn cache(dir: &Path) -> ResultCache {
        ResultCache::new(dir.to_owned(), "b1".to_owned())
    }

    fn ran(trial: &TrialSpec, rules: &str) -> Ran {
        let lab: FakeLab = rules.parse().unwrap();
        lab.run(trial, Start::Warm, DIGEST, Path::new("/dev/null"))
    }

    fn watched() -> TrialSpec {
        let plan = Plan::of(&small());
        plan.trials
            .into_iter()
            .find(|t| t.backend.watches())
            .unwrap()
    }

    #[test]
    fn what_a_guest_said_comes_back_to_the_last_byte() {
        let (dir, trial) = (TempDir::new().unwrap(), watched());
        let cache = cache(&dir.path().join("results"));
        assert!(cache.get(&trial, DIGEST).is_none());
        for rules in ["drop=3@", "unsupported@"] {
            let ran = ran(&trial, rules);
            cache.put(DIGEST, &ran).unwrap();
            let kept = cache.get(&trial, DIGEST).unwrap();
            match (&kept.outcome, &ran.outcome) {
                (Outcome::Record(kept), Outcome::Record(made)) => assert_eq!(kept, made),
                (kept, made) => panic!("{kept:?} came back for {made:?}"),
            }
            assert_eq!((kept.provenance, kept.kernel), (ran.provenance, ran.kernel));
            assert!(kept.host["cached"]["since"].is_string());
        }
    }

    #[test]
    fn what_broke_and_what_is_damaged_is_not_taken() {
        let (dir, trial) = (TempDir::new().unwrap(), watched());
        let cache = cache(dir.path());
        for rules in ["infra@", "lose@", "backend-failed@"] {
            cache.put(DIGEST, &ran(&trial, rules)).unwrap();
            assert!(!cache.has(DIGEST), "{rules}");
        }
        cache.put(DIGEST, &ran(&trial, "")).unwrap();
        let file = dir.path().join(format!("{DIGEST}.b1.gz"));
        let whole = fs::read(&file).unwrap();
        for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
            fs::write(&file, &whole[..cut]).unwrap();
            assert!(cache.get(&trial, DIGEST).is_none(), "{cut} bytes of it");
        }
        fs::write(dir.path().join("11.b1.gz"), whole).unwrap();
        assert!(cache.get(&trial, "11").is_none(), "it is of another digest");
        assert!(cache.get(&trial, "../11").is_none());
        let other = ResultCache::new(dir.path().to_owned(), "b2".to_owned());
        assert!(!other.has(DIGEST), "it is of another build");
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let (dir, trial) = (TempDir::new().unwrap(), watched());
        let cache = cache(dir.path());
        let ran = ran(&trial, "");
        for (age, digest) in [(30, "aa"), (20, "bb"), (10, "cc")] {
            cache.put(digest, &ran).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            let file = File::open(dir.path().join(format!("{digest}.b1.gz"))).unwrap();
            file.set_modified(then).unwrap();
        }
        cache.get(&trial, "aa").unwrap();
        let one = fs::metadata(dir.path().join("cc.b1.gz")).unwrap().len();
        cache.prune_to(2 * one + one / 2).unwrap();
        assert_eq!(
            ["aa", "bb", "cc"].map(|d| cache.has(d)),
            [true, false, true]
        );
    }
}
