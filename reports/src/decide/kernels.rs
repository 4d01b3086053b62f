//! Which kernels are meant: `5.10..`, `..6.12`, `5.10..6.18`, a name, or several of these divided by commas.

use std::{fmt, str::FromStr};

use execlab_model::result::KernelId;

/// One of the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kernels {
    /// From one release to another, both with all their patch levels; open where there is none.
    Range(Option<Version>, Option<Version>),
    /// By its name or release.
    Name(String),
}

/// The leading numbers of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

/// A text that names no kernels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no kernels: write a range as `5.10..`, `..6.12` or `5.10..6.18`, or a name of the results"
)]
pub struct BadKernels(String);

impl Kernels {
    /// Whether it means this kernel. One without a number in its name and release is in no range with an end.
    pub fn means(&self, kernel: &KernelId) -> bool {
        match self {
            Self::Name(name) => *name == kernel.name || *name == kernel.release,
            Self::Range(None, None) => true,
            Self::Range(from, to) => {
                let version =
                    Version::leading(&kernel.name).or_else(|| Version::leading(&kernel.release));
                version.is_some_and(|version| {
                    from.as_ref().is_none_or(|from| version.cut(from) >= *from)
                        && to.as_ref().is_none_or(|to| version.cut(to) <= *to)
                })
            }
        }
    }
}

impl Version {
    /// `6.1` of `6.1.0-44-cloud-amd64` is 6, 1, 0.
    fn leading(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let numbers = text[..end].split('.').filter(|part| !part.is_empty());
        let numbers: Option<Vec<u32>> = numbers.map(|part| part.parse().ok()).collect();
        numbers.filter(|numbers| !numbers.is_empty()).map(Self)
    }

    /// As precise as another one: 6.12.9 is within `..6.12`.
    fn cut(&self, other: &Self) -> Self {
        Self(self.0.iter().copied().take(other.0.len()).collect())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

impl FromStr for Version {
    type Err = BadKernels;

    fn from_str(text: &str) -> Result<Self, BadKernels> {
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        // `u32` would take a sign too.
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        parts
            .filter(|_| plain)
            .map(Self)
            .ok_or_else(|| BadKernels(text.to_owned()))
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: &Option<Version>| end.as_ref().map_or_else(String::new, Version::to_string);
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Range(from, to) => write!(f, "{}..{}", end(from), end(to)),
        }
    }
}

impl FromStr for Kernels {
    type Err = BadKernels;

    fn from_str(text: &str) -> Result<Self, BadKernels> {
        let text = text.trim();
        let bad = || BadKernels(text.to_owned());
        let Some((from, to)) = text.split_once("..") else {
            return if text.is_empty() {
                Err(bad())
            } else {
                Ok(Self::Name(text.to_owned()))
            };
        };
        let end = |end: &str| -> Result<Option<Version>, BadKernels> {
            match end {
                "" => Ok(None),
                end => end.parse().map(Some).map_err(|_| bad()),
            }
        };
        let (from, to) = (end(from)?, end(to)?);
        // Nothing lies in a range that runs backwards.
        if let (Some(from), Some(to)) = (&from, &to)
            && from.cut(to) > to.cut(from)
        {
            return Err(bad());
        }
        Ok(Self::Range(from, to))
    }
}
