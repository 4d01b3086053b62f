//! Every document, from results that were made up: what it looks like, and what never gets into it.

#[path = "../fixture/mod.rs"]
mod fixture;

mod across;
mod conclusions;
mod conformance;
mod dashboards;
mod decide;
mod doubts;
mod find;
mod gate;
mod hostile;
mod html;
mod markdown_and_junit;
mod repeats;
mod replay;
mod sampled;
mod schemas;
mod summary;
mod terminal;
mod trace;
mod witness;
