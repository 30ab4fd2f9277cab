//! The whole payment pipeline on several shards in memory: records are delivered in any order that the log allows,
//! clocks run apart, records are lost to dead letters and redriven, versions change between two records.
//!
//! Money and ends must come out right whatever happens ([`watch`], [`checks`]).

mod checks;
mod cluster;
mod descriptions;
mod generated;
mod interleavings;
mod memory;
mod play;
mod scenario;
mod state;
mod watch;
