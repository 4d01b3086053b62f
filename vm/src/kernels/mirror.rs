//! Where packages come from: what the user says, else what the environment says, else the host's own apt configuration.

use std::path::Path;
use std::process::Command;

use super::deb822;
use super::lock::Archive;

/// The environment variable that names a mirror.
pub const MIRROR_VARIABLE: &str = "EXECLAB_MIRROR";

/// The roots of the archives' parts, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    debian: String,
    security: String,
}

/// No address of a package archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// What was given is no address.
    #[error(
        "`{given}` (from {from}) is no mirror: give the address of a Debian archive, such as `http://HOST/debian`"
    )]
    Invalid {
        /// What was given.
        given: String,
        /// Where it was given.
        from: &'static str,
    },
    /// Neither given nor found.
    #[error(
        "where Debian's packages can be had is not known: this host's apt configuration names no Debian archive; \
         give one with `--mirror URL` or in the environment variable {MIRROR_VARIABLE}"
    )]
    NotFound,
}

impl Mirror {
    /// Takes the first that is given: the option, the environment variable, the host's apt configuration.
    pub fn find(option: Option<&str>, variable: Option<&str>) -> Result<Self, MirrorError> {
        match (option, variable.filter(|value| !value.is_empty())) {
            (Some(url), _) => Self::from_url(url, "--mirror"),
            (None, Some(url)) => Self::from_url(url, MIRROR_VARIABLE),
            (None, None) => Self::from_roots(host_roots()).ok_or(MirrorError::NotFound),
        }
    }

    /// A mirror by the address of one of its archive roots, or of the directory that holds them.
    pub fn from_url(url: &str, from: &'static str) -> Result<Self, MirrorError> {
        let invalid = || MirrorError::Invalid {
            given: url.to_owned(),
            from,
        };
        let trimmed = url.trim().trim_end_matches('/');
        let host = ["http://", "https://"]
            .iter()
            .find_map(|scheme| trimmed.strip_prefix(scheme))
            .ok_or_else(invalid)?;
        if host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace) {
            return Err(invalid());
        }
        Ok(
            Self::from_roots([trimmed.to_owned()]).unwrap_or_else(|| Self {
                debian: format!("{trimmed}/debian"),
                security: format!("{trimmed}/debian-security"),
            }),
        )
    }

    /// The first root of each archive; one that is not there is taken to be the other's sibling.
    fn from_roots(roots: impl IntoIterator<Item = String>) -> Option<Self> {
        let (mut debian, mut security) = (None, None);
        for root in roots {
            let root = root.trim_end_matches('/');
            if !root.starts_with("http://") && !root.starts_with("https://") {
                continue;
            }
            match root.rsplit('/').next() {
                Some("debian") => debian.get_or_insert_with(|| root.to_owned()),
                Some("debian-security") => security.get_or_insert_with(|| root.to_owned()),
                _ => continue,
            };
        }
        let sibling = |root: &str, name: &str| {
            let (parent, _) = root.rsplit_once('/').expect("an address has slashes");
            format!("{parent}/{name}")
        };
        match (debian, security) {
            (Some(debian), Some(security)) => Some(Self { debian, security }),
            (Some(debian), None) => Some(Self {
                security: sibling(&debian, "debian-security"),
                debian,
            }),
            (None, Some(security)) => Some(Self {
                debian: sibling(&security, "debian"),
                security,
            }),
            (None, None) => None,
        }
    }

    /// The address of a path in an archive.
    pub fn url(&self, archive: Archive, path: &str) -> String {
        let root = match archive {
            Archive::Debian => &self.debian,
            Archive::DebianSecurity => &self.security,
        };
        // `+` and `~` are common in names of packages. Both may stand in a path as they are, but some caches take `+` for a space.
        format!("{root}/{}", path.replace('+', "%2B"))
    }
}

/// The archive roots that this host's apt uses: what it has fetched indexes from, then what its sources name.
fn host_roots() -> Vec<String> {
    let mut roots = Vec::new();
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)"])
        .output();
    if let Ok(output) = targets {
        roots.extend(
            String::from_utf8_lossy(&output.stdout)
                .lines()
                .map(str::to_owned),
        );
    }
    let directory = Path::new("/etc/apt");
    let mut files = vec![directory.join("sources.list")];
    if let Ok(entries) = directory.join("sources.list.d").read_dir() {
        let mut more: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        more.sort();
        files.extend(more);
    }
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => roots.extend(roots_of_list(&text)),
            Some("sources") => roots.extend(roots_of_sources(&text)),
            _ => {}
        }
    }
    roots
}

/// The addresses in a `sources.list`: the first word after `deb` and its options.
fn roots_of_list(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let rest = line.trim().strip_prefix("deb")?;
            let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
            let rest = match rest.strip_prefix('[') {
                Some(options) => options.split_once(']')?.1,
                None => rest,
            };
            rest.split_whitespace().next().map(str::to_owned)
        })
        .collect()
}

/// The addresses in a `*.sources` file.
fn roots_of_sources(text: &str) -> Vec<String> {
    deb822::stanzas(text)
        .filter(|stanza| stanza.get("Enabled").is_none_or(|value| value != "no"))
        .filter_map(|stanza| stanza.get("URIs").map(str::to_owned))
        .flat_map(|uris| {
            uris.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(debian: &str, security: &str) -> Mirror {
        Mirror {
            debian: debian.to_owned(),
            security: security.to_owned(),
        }
    }

    #[test]
    fn either_root_or_their_parent_will_do() {
        let wanted = mirror(
            "http://h.example/x/debian",
            "http://h.example/x/debian-security",
        );
        for url in [
            "http://h.example/x/debian",
            "http://h.example/x/debian/",
            "http://h.example/x/debian-security/",
            "http://h.example/x",
            " http://h.example/x/ ",
        ] {
            assert_eq!(
                Mirror::from_url(url, "--mirror"),
                Ok(wanted.clone()),
                "{url}"
            );
        }
        assert_eq!(
            wanted.url(Archive::DebianSecurity, "pool/a+b~c.deb"),
            "http://h.example/x/debian-security/pool/a%2Bb~c.deb"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_where_it_came_from() {
        for url in [
            "",
            "h.example",
            "ftp://h.example/debian",
            "http://",
            "http:///debian",
            "http://a b/",
        ] {
            let error = Mirror::find(Some(url), None).unwrap_err();
            assert!(error.to_string().contains("--mirror"), "{error}");
        }
        let error = Mirror::find(None, Some("nonsense")).unwrap_err();
        assert!(error.to_string().contains(MIRROR_VARIABLE), "{error}");
    }

    #[test]
    fn the_option_comes_before_the_variable() {
        let found = Mirror::find(
            Some("http://a.example/debian"),
            Some("http://b.example/debian"),
        )
        .unwrap();
        assert_eq!(
            found,
            mirror(
                "http://a.example/debian",
                "http://a.example/debian-security"
            )
        );
        let found = Mirror::find(None, Some("http://b.example/debian")).unwrap();
        assert_eq!(
            found,
            mirror(
                "http://b.example/debian",
                "http://b.example/debian-security"
            )
        );
    }

    #[test]
    fn apt_sources_of_both_kinds_are_read() {
        let list = "# deb http://no.example/debian x\n\
            deb-src http://src.example/debian x main\n\
            deb [arch=amd64 signed-by=/k] http://a.example/debian x main\n\
            deb cdrom:[Debian]/ x main\n  deb\thttp://s.example/debian-security y main\n";
        let roots = roots_of_list(list);
        assert_eq!(
            Mirror::from_roots(roots).unwrap(),
            mirror(
                "http://a.example/debian",
                "http://s.example/debian-security"
            )
        );
        let sources = "Types: deb\nURIs: http://off.example/debian\nEnabled: no\n\n\
            # where from\nTypes: deb\nURIs: http://o.example/other\n http://b.example/debian/\nSuites: x\n";
        let roots = roots_of_sources(sources);
        assert_eq!(
            Mirror::from_roots(roots).unwrap(),
            mirror(
                "http://b.example/debian",
                "http://b.example/debian-security"
            )
        );
        assert_eq!(Mirror::from_roots(["file:/srv/debian".to_owned()]), None);
    }
}
