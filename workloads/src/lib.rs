//! What is watched: scenarios, loads, the payload and the truth log.
//!
//! A storm runs as its own process (`execlab-storm`) under the orders of the trial runner
//! ([`protocol`]): it [prepares](scenario) the ways in which execs are made, starts [children](spawn)
//! under a [load](storm), and joins what it noted itself with the [evidence] that each payload left
//! into the truth. To add a scenario: write its file in `scenario/`, add one line to
//! [`scenario::SCENARIOS`].

pub mod clock;
pub mod evidence;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod meter;
pub mod population;
pub mod protocol;
pub mod scenario;
pub mod spawn;
pub mod step;
pub mod storm;
pub mod witness;

pub use scenario::{SCENARIOS, Scenario};
