//! Signatures (`OpenPGP`) of the archive's indexes, checked against the keyrings of this host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pgp::composed::{
    CleartextSignedMessage, Deserializable as _, SignedPublicKey, SignedPublicSubKey,
};
use pgp::packet::SignatureType;
use pgp::types::KeyDetails as _;

/// Where hosts keep the archive's keys.
const KEYRING_DIRECTORY: &str = "/usr/share/keyrings";

/// A signature that proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// No keys to check it with.
    #[error(
        "no keyring of the Debian archive was found in {directory}; install the package debian-archive-keyring, or name one with `--keyring FILE`"
    )]
    NoKeyring {
        /// Where they were looked for.
        directory: PathBuf,
    },
    /// A keyring cannot be read.
    #[error("the keyring {path} cannot be read: {what}")]
    Keyring {
        /// The file in question.
        path: PathBuf,
        /// Why not.
        what: String,
    },
    /// Not a signed text.
    #[error("{what} is no signed text: {reason}")]
    NotSigned {
        /// What was to be checked.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Signed by nobody who is known here.
    #[error("{what} has no valid signature by a key of {}; do not trust this mirror, or name the right keyring with `--keyring FILE`", keyrings.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Untrusted {
        /// What was to be checked.
        what: String,
        /// Whose keys were tried.
        keyrings: Vec<PathBuf>,
    },
}

/// Keys that are trusted.
#[derive(Debug)]
pub struct Keyring {
    paths: Vec<PathBuf>,
    keys: Vec<SignedPublicKey>,
}

impl Keyring {
    /// Reads the keyrings named, or else those of the Debian archive on this host.
    pub fn open(named: &[PathBuf]) -> Result<Self, SignatureError> {
        let paths = if named.is_empty() {
            Self::of_host(Path::new(KEYRING_DIRECTORY))?
        } else {
            named.to_vec()
        };
        let mut keys = Vec::new();
        for path in &paths {
            let error = |what: String| SignatureError::Keyring {
                path: path.clone(),
                what,
            };
            let bytes = fs::read(path).map_err(|e| error(e.to_string()))?;
            keys.extend(read_keys(&bytes).map_err(error)?);
        }
        Ok(Self { paths, keys })
    }

    /// The archive's keyrings in a directory; keys that were withdrawn have a file of their own, which is left out.
    fn of_host(directory: &Path) -> Result<Vec<PathBuf>, SignatureError> {
        let is_archive_keyring = |path: &PathBuf| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| {
                    let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
                    stem.starts_with("debian-archive-")
                        && matches!(suffix, "gpg" | "pgp" | "asc")
                        && !stem.contains("removed")
                })
        };
        let mut paths: Vec<PathBuf> = match directory.read_dir() {
            Ok(entries) => entries
                .flatten()
                .map(|entry| entry.path())
                .filter(is_archive_keyring)
                .collect(),
            Err(_) => Vec::new(),
        };
        paths.sort();
        if paths.is_empty() {
            return Err(SignatureError::NoKeyring {
                directory: directory.to_owned(),
            });
        }
        Ok(paths)
    }

    /// The text that was signed, if one of the trusted keys signed it. Nothing outside of the signed part is returned.
    pub fn signed_text(
        &self,
        what: &str,
        message: &[u8],
        now: SystemTime,
    ) -> Result<String, SignatureError> {
        let not_signed = |reason: String| SignatureError::NotSigned {
            what: what.to_owned(),
            reason,
        };
        let message =
            std::str::from_utf8(message).map_err(|error| not_signed(error.to_string()))?;
        let (signed, _) = CleartextSignedMessage::from_string(message)
            .map_err(|error| not_signed(error.to_string()))?;
        let text = signed.signed_text();
        let now = seconds(now);
        let is_good = |key: &dyn Signer| {
            signed.signatures().iter().any(|signature| {
                signature.created().is_some_and(|created| {
                    let created = u64::from(created.as_secs());
                    // A day's grace for clocks that are behind.
                    created <= now + 86_400
                        && signature.signature_expiration_time().is_none_or(|lasts| {
                            lasts.as_secs() == 0 || created + u64::from(lasts.as_secs()) > now
                        })
                        && key.may_sign_at(created)
                }) && key.signed(signature, text.as_bytes())
            })
        };
        let good = self.keys.iter().filter(|key| !is_revoked(key)).any(|key| {
            is_good(key)
                || key.public_subkeys.iter().any(|subkey| {
                    subkey.verify_bindings(&key.primary_key).is_ok() && is_good(subkey)
                })
        });
        if !good {
            return Err(SignatureError::Untrusted {
                what: what.to_owned(),
                keyrings: self.paths.clone(),
            });
        }
        Ok(text.replace("\r\n", "\n"))
    }
}

/// A key that may have made a signature.
trait Signer {
    /// Whether it made this signature of this text.
    fn signed(&self, signature: &pgp::packet::Signature, text: &[u8]) -> bool;
    /// Whether it may sign, and had not expired then (seconds since 1970).
    fn may_sign_at(&self, time: u64) -> bool;
}

impl Signer for SignedPublicKey {
    fn signed(&self, signature: &pgp::packet::Signature, text: &[u8]) -> bool {
        signature.verify(&self.primary_key, text).is_ok()
    }

    fn may_sign_at(&self, time: u64) -> bool {
        let created = u64::from(self.primary_key.created_at().as_secs());
        // The newest word of the key on itself counts: what it may do, and how long it lasts.
        let own = self.details.users.iter().flat_map(|user| {
            user.signatures.iter().filter(|s| {
                s.verify_certification(&self.primary_key, pgp::types::Tag::UserId, &user.id)
                    .is_ok()
            })
        });
        newest(own.chain(&self.details.direct_signatures))
            .is_some_and(|word| word.key_flags().sign() && !has_expired(word, created, time))
    }
}

impl Signer for SignedPublicSubKey {
    fn signed(&self, signature: &pgp::packet::Signature, text: &[u8]) -> bool {
        signature.verify(&self.key, text).is_ok()
    }

    fn may_sign_at(&self, time: u64) -> bool {
        let created = u64::from(self.key.created_at().as_secs());
        let revoked = self
            .signatures
            .iter()
            .any(|s| s.typ() == Some(SignatureType::SubkeyRevocation));
        !revoked
            && newest(self.signatures.iter())
                .is_some_and(|word| word.key_flags().sign() && !has_expired(word, created, time))
    }
}

fn newest<'a>(
    signatures: impl Iterator<Item = &'a pgp::packet::Signature>,
) -> Option<&'a pgp::packet::Signature> {
    signatures.max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs))
}

fn has_expired(word: &pgp::packet::Signature, created: u64, time: u64) -> bool {
    word.key_expiration_time()
        .map(|lasts| u64::from(lasts.as_secs()))
        .is_some_and(|lasts| lasts != 0 && created + lasts <= time)
}

fn is_revoked(key: &SignedPublicKey) -> bool {
    key.details
        .revocation_signatures
        .iter()
        .any(|signature| signature.verify_key(&key.primary_key).is_ok())
}

fn read_keys(bytes: &[u8]) -> Result<Vec<SignedPublicKey>, String> {
    let keys: Result<Vec<SignedPublicKey>, pgp::errors::Error> = if bytes.starts_with(b"-----") {
        SignedPublicKey::from_armor_many(io::Cursor::new(bytes))
            .and_then(|(keys, _)| keys.collect())
    } else {
        SignedPublicKey::from_bytes_many(bytes).and_then(Iterator::collect)
    };
    match keys {
        Ok(keys) if keys.is_empty() => Err("it holds no key".to_owned()),
        Ok(keys) => Ok(keys),
        Err(error) => Err(error.to_string()),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "signature_tests.rs"]
pub(crate) mod tests;
