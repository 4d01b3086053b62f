//! A suite's signed index (`InRelease`): what it is, how long it holds, and the hash of its list of packages.

use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::deb822;
use crate::digest::Sha256;

/// The list of packages that is wanted.
const PACKAGES: &str = "main/binary-amd64/Packages.xz";

/// What a suite's signed index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// When it ends to be valid, if it says so.
    pub valid_until: Option<SystemTime>,
    /// Where the list of packages is, under the suite's directory.
    pub packages_path: String,
    /// The hash of the list of packages, as it is compressed.
    pub packages_sha256: Sha256,
    /// The size of the list of packages, as it is compressed.
    pub packages_size: u64,
}

/// A signed index that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// It is another suite's.
    #[error("it is the index of {found}")]
    OtherSuite {
        /// What it says it is.
        found: String,
    },
    /// Something is not there or cannot be read.
    #[error("its field {field} is not there or cannot be read")]
    Field {
        /// The field in question.
        field: &'static str,
    },
    /// The list of packages is not there.
    #[error("it does not list {PACKAGES} with its sha256")]
    NoPackages,
}

impl Release {
    /// Reads the signed text of the index of a suite.
    pub fn parse(text: &str, suite: &str) -> Result<Self, ReleaseError> {
        let stanza = deb822::stanzas(text).next().unwrap_or_default();
        let field = |field: &'static str| stanza.get(field).ok_or(ReleaseError::Field { field });
        // The codename of one is the suite name of another (`sid` is `unstable`), and either may be asked for.
        let names = [field("Suite")?, field("Codename")?];
        if !names.contains(&suite) {
            return Err(ReleaseError::OtherSuite {
                found: names.join("/"),
            });
        }
        let valid_until = match stanza.get("Valid-Until") {
            None => None,
            Some(text) => Some(parse_date(text).ok_or(ReleaseError::Field {
                field: "Valid-Until",
            })?),
        };
        let (sha256, size) = field("SHA256")?
            .lines()
            .find_map(|line| {
                let mut words = line.split_whitespace();
                let (sha256, size, path) = (words.next()?, words.next()?, words.next()?);
                (path == PACKAGES).then_some((sha256, size))
            })
            .ok_or(ReleaseError::NoPackages)?;
        let packages_sha256 =
            Sha256::try_from(sha256.to_owned()).map_err(|_| ReleaseError::NoPackages)?;
        let by_hash = stanza.get("Acquire-By-Hash") == Some("yes");
        Ok(Self {
            valid_until,
            packages_path: match PACKAGES.rsplit_once('/') {
                // The file of that name may be replaced between two requests; the one named by its hash stays.
                Some((directory, _)) if by_hash => {
                    format!("{directory}/by-hash/SHA256/{packages_sha256}")
                }
                _ => PACKAGES.to_owned(),
            },
            packages_sha256,
            packages_size: size.parse().map_err(|_| ReleaseError::NoPackages)?,
        })
    }

    /// How long it has been out of date.
    pub fn expired_since(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(self.valid_until?)
            .ok()
            .filter(|since| !since.is_zero())
    }
}

/// A date as it stands in the index: `Sat, 21 Nov 2026 00:53:02 UTC`.
fn parse_date(text: &str) -> Option<SystemTime> {
    let date = DateTime::strptime("%a, %d %b %Y %H:%M:%S UTC", text.trim()).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "\
Suite: oldstable-security
Codename: bookworm-security
Date: Sat, 21 Nov 2026 00:53:02 UTC
Valid-Until: Sat, 28 Nov 2026 00:53:02 UTC
Acquire-By-Hash: yes
MD5Sum:
 00 12 main/binary-amd64/Packages.xz
SHA256:
 0000000000000000000000000000000000000000000000000000000000000001       11 main/binary-amd64/Packages
 0000000000000000000000000000000000000000000000000000000000000002       12 main/binary-amd64/Packages.xz
";

    #[test]
    fn the_list_of_packages_is_found() {
        let release = Release::parse(TEXT, "bookworm-security").unwrap();
        assert!(release.packages_sha256.as_str().ends_with("02"));
        assert_eq!(release.packages_size, 12);
        let name = format!(
            "main/binary-amd64/by-hash/SHA256/{}",
            release.packages_sha256
        );
        assert_eq!(release.packages_path, name);
        let plain = Release::parse(
            &TEXT.replace("By-Hash: yes", "By-Hash: no"),
            "oldstable-security",
        )
        .unwrap();
        assert_eq!(plain.packages_path, PACKAGES);
    }

    #[test]
    fn an_index_ends_to_be_valid() {
        let release = Release::parse(TEXT, "bookworm-security").unwrap();
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_827_182);
        assert_eq!(release.valid_until, Some(end));
        assert_eq!(release.expired_since(end), None);
        let day = Duration::from_hours(24);
        assert_eq!(release.expired_since(end + day), Some(day));
        let forever = TEXT.replace("Valid-Until", "Other");
        let release = Release::parse(&forever, "bookworm-security").unwrap();
        assert_eq!(release.expired_since(end + day), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| {
            Release::parse(text, "bookworm-security")
                .unwrap_err()
                .to_string()
        };
        assert!(
            error(&TEXT.replace("bookworm", "trixie"))
                .contains("index of oldstable-security/trixie-security")
        );
        assert!(error(&TEXT.replace("Nov", "Nix")).contains("Valid-Until"));
        assert!(error(&TEXT.replace("SHA256:", "SHA512:")).contains("SHA256"));
        assert!(error(&TEXT.replace("Packages.xz", "Packages.gz")).contains("does not list"));
        assert!(error("").contains("Suite"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = Release::parse(&text, "x");
            let _ = Release::parse(&format!("Suite: x\nCodename: x\nValid-Until: {text}\nSHA256:\n {text}\n"), "x");
        }
    }
}
