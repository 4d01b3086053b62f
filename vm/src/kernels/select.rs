//! Which kernels of a suite are whole, and which of them are locked.

use std::collections::BTreeMap;

use super::deb822;
use super::lock::{Archive, FLAVOUR, LockedKernel, Package, PoolPath, series_of};
use super::version;
use crate::digest::Sha256;

/// The long-term series that are locked; of newer ones, every series from `NEWEST_FROM` on.
const LONG_TERM: [&str; 4] = ["5.10", "6.1", "6.12", "6.18"];
const NEWEST_FROM: &str = "7.0";

/// So many versions of a series are locked at most, in all and from one suite.
const PER_SERIES: usize = 4;
const PER_SUITE: usize = 2;

/// A kernel of which the archive does not have all packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// Its release.
    pub release: String,
    /// The package that is not there, in the right version.
    pub lacks: String,
}

/// A package as a suite lists it.
#[derive(Debug, Clone)]
struct Listed {
    package: Package,
    depends: String,
}

/// All kernels of a suite of our flavour and of a wanted series, whole or not.
pub fn kernels_of_suite(
    packages: &str,
    suite: &str,
    archive: Archive,
) -> (Vec<LockedKernel>, Vec<Incomplete>) {
    let listed = listed(packages);
    let find = |name: &str, version: &str| {
        let of_name = listed.get(name)?;
        of_name
            .iter()
            .find(|listed| listed.package.version == version)
    };
    let (mut whole, mut incomplete) = (BTreeMap::new(), Vec::new());
    for of_name in listed.values() {
        for image in of_name {
            let Some(form) = Form::of(image) else {
                continue;
            };
            let release = form.release().to_owned();
            let Some(series) = series_of(&release).filter(|series| is_wanted(series)) else {
                continue;
            };
            // The signed image sorts before the unsigned one, and is taken if both are there.
            if whole.contains_key(&release) {
                continue;
            }
            let mut parts = vec![image.package.clone()];
            let mut lacks = None;
            for name in form.further_packages() {
                match find(&name, &image.package.version) {
                    Some(listed) => parts.push(listed.package.clone()),
                    None => lacks = lacks.or(Some(name)),
                }
            }
            if let Some(lacks) = lacks {
                let found = Incomplete { release, lacks };
                if !incomplete.contains(&found) {
                    incomplete.push(found);
                }
                continue;
            }
            let kernel = LockedKernel {
                series,
                release: release.clone(),
                suite: suite.to_owned(),
                archive,
                packages: parts,
            };
            whole.insert(release, kernel);
        }
    }
    (whole.into_values().collect(), incomplete)
}

/// Chooses what is locked: from each suite its newest, then from each its second newest, up to a limit.
/// A kernel that several suites have is taken from the first of them that `is_there` confirms; what none has is passed over.
pub fn choose<E>(
    kernels: &[LockedKernel],
    is_there: &mut dyn FnMut(&LockedKernel) -> Result<bool, E>,
) -> Result<Vec<LockedKernel>, E> {
    let mut of_release: BTreeMap<&str, Vec<&LockedKernel>> = BTreeMap::new();
    let mut of_series: BTreeMap<&str, Vec<Vec<&LockedKernel>>> = BTreeMap::new();
    for kernel in kernels {
        of_release.entry(&kernel.release).or_default().push(kernel);
        let suites = of_series.entry(&kernel.series).or_default();
        match suites
            .iter_mut()
            .find(|suite| suite[0].suite == kernel.suite)
        {
            Some(suite) => suite.push(kernel),
            None => suites.push(vec![kernel]),
        }
    }
    let mut chosen = Vec::new();
    for mut suites in of_series.into_values() {
        for suite in &mut suites {
            // The newest at the end, from where it is taken.
            suite.sort_by(|a, b| version::compare(a.version(), b.version()));
        }
        let mut left = PER_SERIES;
        for _round in 0..PER_SUITE {
            suites.retain(|suite| !suite.is_empty());
            suites.sort_by(|a, b| version::compare(newest(b), newest(a)));
            for suite in &mut suites {
                while let Some(kernel) = suite.pop_if(|_| left > 0) {
                    // Taken out, so that no release has two turns.
                    let alternatives = of_release
                        .remove(kernel.release.as_str())
                        .unwrap_or_default();
                    if let Some(kernel) = first_there(&alternatives, is_there)? {
                        chosen.push(kernel.clone());
                        left -= 1;
                        break;
                    }
                }
            }
        }
    }
    Ok(chosen)
}

fn first_there<'a, E>(
    kernels: &[&'a LockedKernel],
    is_there: &mut dyn FnMut(&LockedKernel) -> Result<bool, E>,
) -> Result<Option<&'a LockedKernel>, E> {
    for kernel in kernels {
        if is_there(kernel)? {
            return Ok(Some(kernel));
        }
    }
    Ok(None)
}

fn newest<'a>(suite: &[&'a LockedKernel]) -> &'a str {
    suite.last().map_or("", |kernel| kernel.version())
}

fn is_wanted(series: &str) -> bool {
    LONG_TERM.contains(&series) || version::compare(series, NEWEST_FROM).is_ge()
}

/// How a kernel is packaged, told by the package with its image.
#[derive(Debug, PartialEq, Eq)]
enum Form<'a> {
    /// All in one `linux-image-RELEASE`.
    One(&'a str),
    /// `linux-binary-RELEASE` with the image, `linux-modules-RELEASE`, and `linux-base-RELEASE` with the lists.
    Split(&'a str),
}

impl<'a> Form<'a> {
    fn of(listed: &'a Listed) -> Option<Self> {
        let name = &listed.package.name;
        if let Some(release) = name.strip_prefix("linux-binary-") {
            let release = release.strip_prefix("unsigned-").unwrap_or(release);
            return is_release(release).then_some(Self::Split(release));
        }
        let release = name.strip_prefix("linux-image-")?;
        let release = release.strip_suffix("-unsigned").unwrap_or(release);
        // One that needs others for what is in a kernel is a name for them, and holds nothing itself.
        let is_empty = ["linux-image-", "linux-binary-", "linux-modules-"]
            .iter()
            .any(|part| listed.depends.contains(part));
        (is_release(release) && !is_empty).then_some(Self::One(release))
    }

    fn release(&self) -> &'a str {
        match self {
            Self::One(release) | Self::Split(release) => release,
        }
    }

    fn further_packages(&self) -> Vec<String> {
        match self {
            Self::One(_) => Vec::new(),
            Self::Split(release) => {
                vec![
                    format!("linux-modules-{release}"),
                    format!("linux-base-{release}"),
                ]
            }
        }
    }
}

/// Whether this is a release of our flavour: it begins with a number.
fn is_release(text: &str) -> bool {
    text.ends_with(FLAVOUR) && text.starts_with(|c: char| c.is_ascii_digit())
}

/// The packages of our flavour in a suite's list, by name. What cannot be read is left out: nothing could be locked of it.
fn listed(packages: &str) -> BTreeMap<String, Vec<Listed>> {
    let mut by_name: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    // Most stanzas are of other packages: look before reading.
    for text in packages.split("\n\n").filter(|text| text.contains(FLAVOUR)) {
        for stanza in deb822::stanzas(text) {
            let ours = |name: &str| name.ends_with(FLAVOUR) || name.ends_with("-unsigned");
            let package = package(&stanza).filter(|package| ours(&package.name));
            if let Some(package) = package {
                let depends = stanza.get("Depends").unwrap_or_default().to_owned();
                let listed = Listed { package, depends };
                by_name
                    .entry(listed.package.name.clone())
                    .or_default()
                    .push(listed);
            }
        }
    }
    by_name
}

/// A package as its stanza in a list tells of it; `None` where something is missing or makes no sense.
pub(super) fn package(stanza: &deb822::Stanza<'_>) -> Option<Package> {
    let field = |name: &str| stanza.get(name).map(str::to_owned);
    Some(Package {
        name: field("Package")?,
        version: field("Version")?,
        path: PoolPath::try_from(field("Filename")?).ok()?,
        sha256: Sha256::try_from(field("SHA256")?).ok()?,
        size: field("Size")?.parse().ok()?,
    })
}

#[cfg(test)]
#[path = "select_tests.rs"]
pub(crate) mod tests;
