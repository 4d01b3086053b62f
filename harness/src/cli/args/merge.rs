//! Arguments of `execlab merge`.

use std::path::PathBuf;

use clap::Args;
use execlab_harness::documents::Format;

use super::report_formats;

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Run directories of all parts of one plan, as `execlab run --partition` made them
    #[arg(required = true, value_name = "DIR")]
    pub parts: Vec<PathBuf>,
    /// Run directory of the whole, new or empty
    #[arg(long, value_name = "DIR", env = "EXECLAB_OUT")]
    pub out: PathBuf,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "terminal", env = "EXECLAB_FORMAT", help = report_formats())]
    pub format: Format,
}
