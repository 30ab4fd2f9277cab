//! What the author of a stage types: build the crate in this folder, and look whether a server would run the component.

use fermata_tests::harness::{Cli, binary};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const STAGE: &str = include_str!("author/fee.rs");
const SDK: &str = "fermata-stage = { path = \"ROOT/stages/sdk\" }";
const LIBRARY: &str = "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]";

/// A crate of an author, outside the workspace.
struct Author(TempDir);

impl Author {
    fn new(name: &str, dependencies: &str, library: &str, source: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{}\n\n{library}\n",
            dependencies.replace("ROOT", ROOT)
        );
        std::fs::create_dir(dir.path().join("src")).expect("a folder");
        std::fs::write(dir.path().join("Cargo.toml"), manifest).expect("a file");
        std::fs::write(dir.path().join("src/lib.rs"), source).expect("a file");
        if !dependencies.is_empty() {
            // The same crates as the workspace's: nothing is asked of a registry.
            std::fs::copy(Path::new(ROOT).join("Cargo.lock"), dir.path().join("Cargo.lock"))
                .expect("the workspace has a lock");
        }
        Self(dir)
    }

    /// Where these tests build, kept from run to run.
    fn target() -> PathBuf {
        let program = binary();
        let target = program
            .parent()
            .and_then(Path::parent)
            .expect("the binary lies in target/release");
        target.join("guests-of-authors")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Cli::nowhere().command(&[&["build"], args].concat());
        command.current_dir(self.0.path());
        command
    }

    /// With what earlier runs have built.
    fn build(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.env("CARGO_TARGET_DIR", Self::target());
        command.output().expect("the binary starts")
    }

    /// What it says when it ends with `code`, which is not 0.
    fn refused(&self, code: i32) -> String {
        // In its own folder, so that it does not wait for another's build.
        let output = self.command(&[]).env_remove("CARGO_TARGET_DIR").output();
        let output = output.expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        said
    }
}

#[test]
fn a_crate_becomes_a_component_that_passes_every_check() {
    let author = Author::new("fee", SDK, LIBRARY, STAGE);
    let output = author.build(&["-o", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let built: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        (&built["schema"], &built["world"]),
        (&"fermata.build/1".into(), &"stage".into()),
        "{built}"
    );
    assert_eq!(
        built["stores"],
        serde_json::json!([{ "name": "fees", "schema": 1 }]),
        "{built}"
    );
    assert_eq!(built["capabilities"], serde_json::json!([]), "{built}");
    let path = built["path"].as_str().expect("a path");
    assert_eq!(Path::new(path), Author::target().join("fee.wasm"));
    let bytes = std::fs::read(path).expect("it was written");
    assert_eq!(built["bytes"], bytes.len());

    let line = String::from_utf8(author.build(&["-q"]).stdout).expect("text");
    let digest = built["digest"].as_str().expect("a digest");
    for part in [
        "✓ ",
        "fee.wasm",
        "KiB",
        &format!("sha256:{}", &digest[..12]),
        "world stage",
        "stores fees(v1)",
        "capabilities none",
    ] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }

    let cli = Cli::nowhere();
    let checked = cli.json(&["component", "check", path, "--config", r#"{"percent": 3}"#]);
    assert_eq!(
        (&checked["ok"], &checked["digest"]),
        (&Value::Bool(true), &built["digest"]),
        "{checked}"
    );
    let refused = cli.exits(&["component", "check", path, "--config", r#"{"percent": 300}"#], 4);
    assert!(
        refused.contains("F0204") && refused.contains("percent is 300"),
        "{refused}"
    );
}

#[test]
fn what_is_missing_is_named_in_one_line() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let folder = empty.path().to_str().expect("a path of text");
    let said = Cli::nowhere().fails(&["build", folder], 3);
    assert!(said.contains("F0208") && said.contains("no Cargo.toml"), "{said}");

    let said = Author::new("plain", "", "", "").refused(3);
    assert!(said.contains("F0208") && said.contains("crate-type"), "{said}");

    let said = Author::new("workspace", "", LIBRARY, "compile_error!(\"as told\");").refused(1);
    assert!(said.contains("as told") && said.contains("F0208"), "{said}");

    let said = Author::new("silent", "", LIBRARY, "pub fn nothing() {}").refused(4);
    assert!(
        said.contains("F0208") && said.contains("fermata_stage::export!"),
        "{said}"
    );

    let mut command = Cli::nowhere().command(&["build", folder]);
    let output = command
        .env("PATH", empty.path())
        .env("FERMATA_GUEST_TOOLCHAIN", "rustup")
        .output();
    let output = output.expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("F0209") && said.contains("rustup target add wasm32-unknown-unknown"),
        "{said}"
    );
}

#[test]
fn a_check_says_how_far_a_component_comes() {
    let cli = Cli::nowhere();
    for (component, world) in [
        ("builtin:account@1.1.0", "stage"),
        ("builtin:generator@1.0.0", "generator"),
    ] {
        let found = cli.json(&["component", "check", component]);
        assert_eq!(
            (&found["ok"], &found["world"]),
            (&Value::Bool(true), &world.into()),
            "{found}"
        );
    }
    let table = cli.ok(&["component", "check", "builtin:account@1.1.0"]);
    for check in [
        "format", "compile", "world", "imports", "exports", "describe", "init", "may run",
    ] {
        assert!(table.contains(check), "no {check} in {table}");
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = dir.path().join("stage.wasm");
    std::fs::write(&text, "fn main() {}").expect("the folder is writable");
    let text = text.to_str().expect("a path of text");
    let refused = cli.exits(&["component", "check", text], 4);
    assert!(
        refused.contains("F0202") && refused.contains("may not run"),
        "{refused}"
    );
    let unknown = r#"{"no-such-key": true}"#;
    let found = cli.exits(
        &[
            "component",
            "check",
            "builtin:account@1.0.0",
            "--config",
            unknown,
            "-o",
            "json",
        ],
        4,
    );
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let last = found["checks"]
        .as_array()
        .and_then(|checks| checks.last())
        .expect("checks");
    assert_eq!(
        (&last["check"], &last["code"]),
        (&"init".into(), &"F0207".into()),
        "{found}"
    );
    cli.fails(&["component", "check", "/there/is/no/such.wasm"], 3);
}
