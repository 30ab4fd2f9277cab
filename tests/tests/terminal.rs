//! A second terminal against a pipeline under load: what a person types, sees and gets as exit code.

mod api;
mod errors;
mod parked;
mod records;
mod session;

use fermata_tests::harness::{Background, Cli, PATIENCE, Server, ServerSpec, until};
use tempfile::TempDir;

/// Few accounts, so that the set-up is short.
const SMALL: &str = r#"{"accounts": 40}"#;

fn payments() -> (TempDir, Server) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&ServerSpec::payments(dir.path()));
    (dir, server)
}

fn confirmed(cli: &Cli) -> u64 {
    cli.view(&["confirmed"])["count"].as_u64().expect("a count")
}

/// Payments flow: more than the set-up has been confirmed, and still more is.
fn load(cli: &Cli) -> Background {
    let mut load = cli.background(&["generate", "--rate", "500", "--seed", "7", "--config", SMALL]);
    flows(cli, 40, &mut load);
    load
}

/// Waits until `more` payments have been confirmed than now.
fn flows(cli: &Cli, more: u64, load: &mut Background) {
    let before = confirmed(cli);
    until("payments are confirmed", PATIENCE, || {
        assert!(load.running(), "the load has ended");
        let now = confirmed(cli);
        if now > before + more { Ok(()) } else { Err(now) }
    });
}
