//! Being process 1 of a guest.

pub mod channel;
pub mod fit;
pub mod life;
pub mod modules;
pub mod mounts;
pub mod ports;
pub mod real_time;
pub mod settle;
pub mod userland;
