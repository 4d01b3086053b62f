//! `prctl-name`: right after its start the image gives itself another name (`prctl(PR_SET_NAME)`, prctl(2)),
//! that of a program everybody knows. The file is what it is; who goes by `comm` is told a story.

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, acting};

/// What it calls itself.
const NAME: &str = "sshd";

/// See the module.
#[derive(Debug)]
pub struct PrctlName;

impl Scenario for PrctlName {
    fn name(&self) -> &'static str {
        "prctl-name"
    }

    fn about(&self) -> &'static str {
        "right after its start the image takes another program's name (`comm`)"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let site = acting::site(ground, ["name".into(), NAME.into()])?;
        Ok(Prepared::ways(acting::brief_and_lasting(&site)))
    }
}
