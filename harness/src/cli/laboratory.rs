//! Which laboratory runs the trials.

use execlab_harness::lab::{LabError, Laboratory, fake::FakeLab};
use execlab_model::result::Lab;

use super::{args::RunArgs, errors::ExpectedError};

/// The laboratory for a run.
pub fn open(lab: Lab, args: &RunArgs) -> Result<Box<dyn Laboratory>, ExpectedError> {
    if let Some(rules) = &args.lab_fake {
        let fake: FakeLab = rules.parse()?;
        return Ok(Box::new(fake));
    }
    match lab {
        Lab::Exact => Err(ExpectedError::Lab(LabError {
            what: "this build has no exact lab".to_owned(),
            remedy: "take a build that has one".to_owned(),
            source: None,
        })),
    }
}
