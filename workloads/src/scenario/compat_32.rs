//! `compat-32`: programs of 32 bits, called by a program of 64, and calling others of both kinds in turn. The
//! exec of a 32-bit program ends as a 32-bit system call, whatever it began as, and one that such a
//! program makes has other numbers: whoever counts 64-bit calls alone misses it.

use std::path::Path;

use execlab_model::{
    Bytes,
    truth::{ID_ARGUMENT, LIFETIME_ARGUMENT, Site},
    workload::Workload,
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, emulation, install, programs,
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct Compat32;

impl Scenario for Compat32 {
    fn name(&self) -> &'static str {
        "compat-32"
    }

    fn about(&self) -> &'static str {
        "a 32-bit program from a 64-bit one, alone and with an exec of its own of either kind"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn least_execs(&self) -> u32 {
        3
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        emulation::is_there()?;
        let bin = ground.dir.join("bin");
        let (narrow, other, wide) = (bin.join("narrow"), bin.join("other"), bin.join("wide"));
        install(&ground.payload, &wide)?;
        for to in [&narrow, &other] {
            programs::install(ground, programs::COMPAT, to)?;
        }
        let place = Place::here(ground)?;
        let site = |label: &str, file: &Path| -> Result<Site, SetupError> {
            let site = place.site(bytes(file), "/", file)?;
            Ok(Site {
                label: label.into(),
                ..site
            })
        };
        let way = |site: Site| Way::of([]).exec(How::Execve, bytes(&narrow).0, site);
        // The first image's last act is to execute the second.
        let chain = |then: &Path, labels: [&str; 2]| -> Result<Way, SetupError> {
            let (mut first, mut second) = (site(labels[0], &narrow)?, site(labels[1], then)?);
            second.argv = vec![bytes(then), Bytes::from("{id+1}"), LIFETIME_ARGUMENT.into()];
            first.argv.extend(["exec".into(), bytes(then)]);
            first.argv.extend(second.argv.iter().cloned());
            second.argv[1] = ID_ARGUMENT.into();
            Ok(way(first).then(second))
        };
        Ok(Prepared::ways([
            way(site("32-from-64", &narrow)?),
            chain(&wide, ["32-before-64", "64-from-32"])?,
            chain(&other, ["32-before-32", "32-from-32"])?,
        ]))
    }
}
