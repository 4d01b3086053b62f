//! The `execlab` command.
fn main() {}
