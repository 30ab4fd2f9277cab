//! The sandbox is real: a component that the workspace has never seen is built while the test runs and deployed under
//! load; what is no component is refused, and the pipeline goes on.

use fermata_tests::harness::{Background, Cli, PATIENCE, Server, ServerSpec, sibling, until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// confirm 1.2.0, as its author's folder would be: a crate of its own, on top of the shipped stage.
const SOURCE: &str = include_str!("sandbox/confirm.rs");

fn manifest() -> String {
    format!(
        r#"
[package]
name = "confirm-of-tomorrow"
version = "1.2.0"
edition = "2024"

[workspace]

[dependencies]
fermata-stage = {{ path = "{ROOT}/stages/sdk" }}
fermata-confirm = {{ path = "{ROOT}/stages/confirm", features = ["library"] }}
serde_json = {{ version = "1", features = ["raw_value"] }}

[lib]
crate-type = ["cdylib"]
"#
    )
}

/// Writes the crate, and builds it as the workspace builds its own guests.
fn built(dir: &Path) -> PathBuf {
    let crate_ = dir.join("confirm-of-tomorrow");
    std::fs::create_dir_all(crate_.join("src")).expect("a folder");
    std::fs::write(crate_.join("Cargo.toml"), manifest()).expect("a file");
    std::fs::write(crate_.join("src/lib.rs"), SOURCE).expect("a file");
    // The same crates as the workspace's: nothing is asked of a registry.
    std::fs::copy(Path::new(ROOT).join("Cargo.lock"), crate_.join("Cargo.lock")).expect("the workspace has a lock");
    let out = dir.join("confirm-1.2.0.wasm");
    let output = Command::new(sibling("xtask"))
        .args(["guests", "--crate"])
        .arg(&crate_)
        .arg("--out")
        .arg(&out)
        .output();
    let output = output.expect("xtask starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

fn confirmed(cli: &Cli) -> u64 {
    cli.view(&["confirmed"])["count"].as_u64().expect("a count")
}

/// Load, once it flows.
fn load(cli: &Cli) -> Background {
    let load = cli.background(&[
        "generate",
        "--rate",
        "500",
        "--seed",
        "9",
        "--config",
        r#"{"accounts": 50}"#,
    ]);
    more(cli, 200);
    load
}

fn more(cli: &Cli, count: u64) {
    let before = confirmed(cli);
    until("payments are confirmed", PATIENCE, || match confirmed(cli) {
        now if now >= before + count => Ok(()),
        now => Err(now),
    });
}

fn version(cli: &Cli) -> Value {
    let status = cli.json(&["status"]);
    let found = status["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|s| s["stage"] == "confirm");
    found.unwrap_or_else(|| panic!("no confirm in {status}"))["version"].clone()
}

fn ends_well(server: Server, load: Background) {
    let cli = server.cli();
    let sent = load.interrupt();
    assert!(
        sent.status.success(),
        "the load failed: {}",
        String::from_utf8_lossy(&sent.stderr)
    );
    cli.read_all_and_drain();
    cli.ok(&["verify", "--replay"]);
    server.stop();
}

#[test]
fn a_component_from_outside_the_tree_is_deployed_under_load() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let component = built(dir.path());
    let component = component.to_str().expect("a path of ASCII");
    let server = Server::start(&ServerSpec::payments(&dir.path().join("data")));
    let cli = server.cli();
    let load = load(&cli);
    assert_eq!(version(&cli), "1.0.0");
    assert!(cli.view(&["confirmed"])["currencies"].is_null());
    let told = cli.json(&["component", "inspect", component]);
    assert!(told.to_string().contains("1.2.0"), "{told}");
    let done = cli.json(&[
        "deploy",
        "confirm",
        component,
        "--probation",
        "300ms",
        "--wait",
        "--timeout",
        "120s",
    ]);
    assert_eq!(done["deployment"]["state"], "Promoted", "{done}");
    assert_eq!(done["receipts"].as_array().map(Vec::len), Some(4), "{done}");
    assert_eq!(version(&cli), "1.2.0");
    assert_eq!(cli.view(&["confirmed"])["currencies"], 1, "the new component answers");
    more(&cli, 200);
    ends_well(server, load);
}

/// Files that are no stage, each with the code of its refusal.
fn no_stages(dir: &Path) -> Vec<(PathBuf, &'static str)> {
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    vec![
        (native_library(), "F0202"),
        (write("core.wasm", b"\0asm\x01\0\0\0"), "F0202"),
        (write("text.wasm", b"pub fn main() {}\n"), "F0202"),
        (write("empty.wasm", b""), "F0202"),
        // A component, but no stage: it exports nothing.
        (write("nothing.wasm", b"\0asm\x0d\0\x01\0"), "F0203"),
        // Begins as a component and is none.
        (write("broken.wasm", b"\0asm\x0d\0\x01\0\xff\xff\xff\xff"), "F02"),
    ]
}

/// Compilers need native libraries for derive macros: they lie beside this test.
fn native_library() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let beside = own
        .parent()
        .expect("it lies in a folder")
        .read_dir()
        .expect("the folder can be listed");
    let suffix = std::env::consts::DLL_SUFFIX;
    let found = beside
        .flatten()
        .map(|e| e.path())
        .find(|p| p.to_string_lossy().ends_with(suffix));
    found.unwrap_or_else(|| panic!("no *{suffix} beside {}", own.display()))
}

#[test]
fn what_is_no_stage_is_refused_and_the_pipeline_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&ServerSpec::payments(&dir.path().join("data")));
    let cli = server.cli();
    let mut load = load(&cli);
    for (file, code) in no_stages(dir.path()) {
        let name = file.to_str().expect("a path of ASCII");
        let said = cli.fails(&["deploy", "confirm", name, "--wait", "--timeout", "60s"], 4);
        println!("{name}: {}", said.trim());
        assert!(said.contains(code), "{name}: {said}");
        let said = cli.fails(&["component", "inspect", name], 4);
        assert!(said.contains(code), "{name}: {said}");
    }
    let said = cli.fails(
        &[
            "deploy",
            "confirm",
            "builtin:account@1.1.0",
            "--wait",
            "--timeout",
            "60s",
        ],
        4,
    );
    assert!(
        said.contains("F0207"),
        "another stage refuses this one's configuration: {said}"
    );
    assert_eq!(version(&cli), "1.0.0");
    assert!(load.running(), "the load has ended");
    more(&cli, 200);
    ends_well(server, load);
}
