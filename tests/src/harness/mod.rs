//! The real binary as a child process, driven as a person would: by its command line, its HTTP API and signals; and
//! readers of what it leaves, which share none of its own reckoning.

mod books;
mod cli;
mod http;
mod journals;
mod payments;
mod process;
mod reader;
mod wait;

pub use books::Books;
pub use cli::{Background, Cli};
pub use http::{Answer, PIPELINE, get, post};
pub use journals::{Journals, Side};
pub use payments::payment;
pub use process::{Server, ServerSpec, binary, fixture, free_port, sibling};
pub use reader::{Topics, json_value};
pub use wait::{PATIENCE, until};

/// A number that the environment may set, for the long runs.
pub fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => otherwise,
    }
}

/// `p50 1.2 ms, p99 3.4 ms, max 5.6 ms (of 160)` from microseconds.
pub fn quantiles(micros: &[u64]) -> String {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        return "nothing measured".to_owned();
    }
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize] as f64 / 1_000.0;
    format!(
        "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms (of {})",
        at(0.5),
        at(0.99),
        at(1.0),
        sorted.len()
    )
}
