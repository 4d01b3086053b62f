//! tracefs, as far as more than one family reads it: where it is, what its files `format` say of events, and how the two
//! ends of a call are brought together.

pub mod format;
pub mod mount;
pub mod pending;

pub use mount::Tracefs;
