//! Downloads a file whose hash is known: streamed to `*.part`, hashed on the way, resumed where it was cut off.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::part::Part;
use crate::digest::Sha256;

/// A download that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file is not there any more.
    #[error(
        "{url} has left the archive (status {status}); run `execlab kernels lock` to renew the lock"
    )]
    Gone {
        /// What was asked for.
        url: String,
        /// What the server said.
        status: u16,
    },
    /// The server answered with something else than the file.
    #[error(
        "{url} cannot be had: the server says status {status}; try again later, or name another mirror with `--mirror URL`"
    )]
    Refused {
        /// What was asked for.
        url: String,
        /// What the server said.
        status: u16,
    },
    /// No answer at all.
    #[error(
        "{url} cannot be reached: {reason}; check the network, or name another mirror with `--mirror URL`"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why there was no answer.
        reason: String,
    },
    /// The connection broke again and again; what came is kept.
    #[error(
        "{url} was cut off after {got} of {size} bytes: {reason}; run the same command again to go on from there"
    )]
    CutOff {
        /// What was asked for.
        url: String,
        /// How much is there.
        got: u64,
        /// How much there should be.
        size: u64,
        /// How it broke.
        reason: String,
    },
    /// Not the file that was locked.
    #[error(
        "{url} is not what the lock names: {what}; it was deleted. Run the same command again, or name another mirror with `--mirror URL`"
    )]
    Corrupt {
        /// What was asked for.
        url: String,
        /// How it differs.
        what: String,
    },
    /// The disk is full.
    #[error(
        "no space is left for {path}, which takes {size} bytes; make room, or set XDG_CACHE_HOME to a place that has it"
    )]
    NoSpace {
        /// What was being written.
        path: PathBuf,
        /// How large it becomes.
        size: u64,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// What was being written.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// What is wanted, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// Where it is.
    pub url: &'a str,
    /// What its hash must be.
    pub sha256: &'a Sha256,
    /// What its size must be.
    pub size: u64,
    /// Where it goes; it is there only when it is whole.
    pub to: &'a Path,
}

/// Downloads files.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: ureq::Agent,
    pause: Duration,
}

/// So many attempts in a row may bring nothing new.
const FRUITLESS_ATTEMPTS: u32 = 4;

/// How one attempt ended, when it may be worth another.
enum Attempt {
    Whole,
    /// It broke; nobody is to blame yet.
    Broke {
        reason: String,
        connected: bool,
    },
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new(Duration::from_millis(500))
    }
}

impl Fetcher {
    /// A fetcher that waits `pause` (and then longer) before it tries again.
    pub fn new(pause: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_mins(1)))
            .timeout_per_read(Some(Duration::from_mins(1)))
            .build()
            .new_agent();
        Self { agent, pause }
    }

    /// Downloads one file; `progress` is told how many of its bytes are there.
    pub fn fetch(
        &self,
        wanted: &Download<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), FetchError> {
        let mut part = Part::open(wanted)?;
        let (mut best, mut fruitless) = (part.got, 0);
        while part.got < wanted.size {
            let Attempt::Broke { reason, connected } = self.attempt(wanted, &mut part, progress)?
            else {
                break;
            };
            if part.got > best {
                (best, fruitless) = (part.got, 0);
                continue;
            }
            fruitless += 1;
            if fruitless == FRUITLESS_ATTEMPTS {
                let url = wanted.url.to_owned();
                return Err(if connected || part.got > 0 {
                    FetchError::CutOff {
                        url,
                        got: part.got,
                        size: wanted.size,
                        reason,
                    }
                } else {
                    // Nothing to go on from the next time.
                    part.delete();
                    FetchError::Unreachable { url, reason }
                });
            }
            std::thread::sleep(self.pause * fruitless);
        }
        part.finish(wanted)
    }

    /// The whole of a file of unknown size, at most `limit` bytes of it.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
        self.patiently(url, &|| {
            let mut response = self.agent.get(url).call()?;
            let status = response.status().as_u16();
            let body = response
                .body_mut()
                .with_config()
                .limit(limit + 1)
                .read_to_vec()?;
            Ok((status, body))
        })
    }

    /// Whether the server has this file.
    pub fn has(&self, url: &str) -> Result<bool, FetchError> {
        let head = || Ok((self.agent.head(url).call()?.status().as_u16(), ()));
        match self.patiently(url, &head) {
            Ok(()) => Ok(true),
            Err(FetchError::Gone { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks until there is an answer that is not a passing failure, or patience is at its end.
    fn patiently<T>(
        &self,
        url: &str,
        ask: &dyn Fn() -> Result<(u16, T), ureq::Error>,
    ) -> Result<T, FetchError> {
        let mut fruitless = 0;
        loop {
            fruitless += 1;
            let is_last = fruitless == FRUITLESS_ATTEMPTS;
            match ask() {
                Ok((200, answer)) => return Ok(answer),
                Ok((status, _)) if is_last || !is_passing(status) => {
                    return Err(refusal(url, status));
                }
                Err(error) if is_last => {
                    return Err(FetchError::Unreachable {
                        url: url.to_owned(),
                        reason: error.to_string(),
                    });
                }
                _ => std::thread::sleep(self.pause * fruitless),
            }
        }
    }

    /// Asks once for what is missing and takes what comes.
    fn attempt(
        &self,
        wanted: &Download<'_>,
        part: &mut Part,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Attempt, FetchError> {
        let corrupt = |part: &mut Part, what: String| {
            part.delete();
            FetchError::Corrupt {
                url: wanted.url.to_owned(),
                what,
            }
        };
        let mut request = self.agent.get(wanted.url);
        if part.got > 0 {
            request = request.header("Range", format!("bytes={}-", part.got));
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => {
                return Ok(Attempt::Broke {
                    reason: error.to_string(),
                    connected: false,
                });
            }
        };
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let offered = match response.status().as_u16() {
            206 => {
                let range = header("content-range").unwrap_or_default();
                let (start, total) = parse_content_range(&range);
                if start != Some(part.got) {
                    part.restart()?;
                    return Ok(Attempt::Broke {
                        reason: format!(
                            "the server sent another part than was asked for ({range})"
                        ),
                        connected: true,
                    });
                }
                total
            }
            200 => {
                part.restart()?;
                header("content-length").and_then(|length| length.parse().ok())
            }
            416 => {
                return Err(corrupt(
                    part,
                    "the server has less of it than we do".to_owned(),
                ));
            }
            status if is_passing(status) => {
                return Ok(Attempt::Broke {
                    reason: format!("the server says status {status}"),
                    connected: true,
                });
            }
            status => return Err(refusal(wanted.url, status)),
        };
        if let Some(offered) = offered.filter(|offered| *offered != wanted.size) {
            return Err(corrupt(
                part,
                format!("it has {offered} bytes instead of {}", wanted.size),
            ));
        }
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let reason = match body.read(&mut buffer) {
                Ok(0) if part.got == wanted.size => return Ok(Attempt::Whole),
                Ok(0) => "the connection was closed".to_owned(),
                Ok(n) => {
                    if part.got + n as u64 > wanted.size {
                        return Err(corrupt(
                            part,
                            format!("it has more than {} bytes", wanted.size),
                        ));
                    }
                    part.take(&buffer[..n])?;
                    progress(part.got);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error.to_string(),
            };
            return Ok(Attempt::Broke {
                reason,
                connected: true,
            });
        }
    }
}

fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

fn refusal(url: &str, status: u16) -> FetchError {
    let url = url.to_owned();
    match status {
        404 | 410 => FetchError::Gone { url, status },
        _ => FetchError::Refused { url, status },
    }
}

/// Start and total of `bytes START-END/TOTAL`.
fn parse_content_range(text: &str) -> (Option<u64>, Option<u64>) {
    let parse = || {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (start, _) = range.split_once('-')?;
        Some((start.parse().ok(), total.parse().ok()))
    };
    parse().unwrap_or((None, None))
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
