//! Local state beside a log that keeps a changelog: what it restores, from where, and when it starts anew.

mod ages;
mod ground;
mod holders;
mod positions;
mod restores;
mod standby;
