//! The same guests at the door of a running pipeline: each that is refused ends `deploy` with 4 and its code, and the
//! pipeline goes on.

use super::fixture::{Fixture, Verdict};
use fermata_tests::harness::{Cli, PATIENCE, Server, ServerSpec, fixture, until};
use std::path::{Path, PathBuf};

/// One stage, which the guests are to replace, and a sound one behind it.
pub fn manifest(dir: &Path, config: &str) -> PathBuf {
    let text = format!(
        r#"
manifest = 1
name = "hostile"
partitions = 2
topics.work = {{ head = true, key = "id" }}

[stage.hostile]
component = {:?}
in = {{ in = "work" }}
out = {{ out = "worked" }}
config = {{ {config} }}

[stage.behind]
component = {:?}
in = {{ in = "worked" }}
out = {{ out = "ended" }}
"#,
        fixture("hostile-1.0.0"),
        fixture("echo-1.0.0"),
    );
    let path = dir.join("pipeline.toml");
    std::fs::write(&path, text).expect("a temporary folder can be written");
    path
}

pub fn start(dir: &Path, config: &str) -> Server {
    let payments = ServerSpec::payments(&dir.join("data"));
    Server::start(&ServerSpec {
        manifest: manifest(dir, config),
        ..payments
    })
}

/// Sends records and waits until they have reached the end.
pub fn more(cli: &Cli, count: u64) {
    let before = ended(cli);
    let lines: Vec<String> = (0..count).map(|n| format!(r#"{{"id": "{before}-{n}"}}"#)).collect();
    cli.fed(&["produce", "work"], &lines.join("\n"));
    until("what was sent has ended", PATIENCE, || match ended(cli) {
        now if now >= before + count => Ok(()),
        now => Err(now),
    });
}

fn ended(cli: &Cli) -> u64 {
    cli.view(&["count"])["seen"].as_u64().expect("a count")
}

#[test]
fn each_guest_that_is_refused_is_told_why_and_the_pipeline_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = start(dir.path(), "");
    let cli = server.cli();
    more(&cli, 10);
    // Whom a configuration makes refuse is another matter: a deployment keeps the configuration.
    let refused = Fixture::all()
        .into_iter()
        .filter(|f| f.wat.is_some() && f.validator.is_none());
    let mut tried = 0;
    for fixture in refused {
        let Verdict::Refused(code) = fixture.expect.verdict() else {
            continue;
        };
        let path = dir.path().join(format!("{}.wasm", fixture.name));
        std::fs::write(&path, &fixture.artifact().bytes).expect("a file");
        let name = path.to_str().expect("a path of ASCII");
        let said = cli.fails(&["deploy", "hostile", name, "--wait", "--timeout", "120s"], 4);
        assert!(said.contains(code), "{}: {said}", fixture.name);
        tried += 1;
    }
    assert!(tried >= 10, "only {tried} guests are refused");
    more(&cli, 10);
    assert!(cli.json(&["status"])["stages"][0]["version"] == "1.0.0");
    cli.read_all_and_drain();
    cli.ok(&["verify", "--replay"]);
    server.stop();
}
