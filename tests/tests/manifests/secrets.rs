//! A secret reaches the component that is configured with it, and nothing else.

use super::{edited, line};
use fermata_tests::harness::{Cli, PIPELINE, Server, ServerSpec};
use serde_json::Value;
use std::path::Path;

const REFERENCE: &str = "${env:FERMATA_TEST_REMEMBER}";
const VARIABLE: &str = "FERMATA_TEST_REMEMBER";
/// A length of time that nobody else would name.
const SECRET: &str = "691337s";

fn holds(folder: &Path, what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holds(&path, what));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(what.len()).any(|window| window == what.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// One payment of the generator's set-up is enough for every stage to have a journal.
fn some_load(server: &Server) {
    let cli = server.cli();
    cli.ok(&[
        "generate",
        "--rate",
        "0",
        "--count",
        "50",
        "--config",
        r#"{"accounts": 5}"#,
    ]);
    cli.read_all_and_drain();
    cli.ok(&["resume", "--wait"]);
}

#[test]
fn it_is_nowhere_but_in_the_component() {
    let (_folder, file) = edited(&[(
        "one-debit-in-flight = false, remember = \"8d\"",
        &format!("remember = \"{REFERENCE}\""),
    )]);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut spec = ServerSpec::payments(dir.path()).env(VARIABLE, SECRET);
    spec.manifest = file.clone().into();

    let server = Server::start(&spec);
    some_load(&server);
    for path in [
        "/manifest",
        "/manifest?format=toml",
        "/status",
        "/stages",
        "/deployments",
    ] {
        let answer = server.get(&format!("{PIPELINE}{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(!answer.text.contains(SECRET), "{path}: {}", answer.text);
    }
    let kept = server.get(&format!("{PIPELINE}/manifest"));
    let stages = kept.body["stages"].as_array().expect("a list");
    let account = stages
        .iter()
        .find(|s| s["name"] == "account")
        .expect("it is one of the four");
    assert_eq!(account["config"]["remember"], REFERENCE);
    assert!(!server.said(SECRET), "{}", server.stderr());
    server.stop();
    assert_eq!(
        holds(dir.path(), SECRET),
        Vec::<String>::new(),
        "files with the secret in them"
    );
    assert!(
        !holds(dir.path(), REFERENCE).is_empty(),
        "the reference is what is kept"
    );

    // Another value is no other version: the pipeline goes on, and its books agree.
    spec.env = vec![(VARIABLE.to_owned(), "691338s".to_owned())];
    let server = Server::start(&spec);
    some_load(&server);
    let books = server.cli().json(&["verify"]);
    assert_eq!(books["ok"], true, "{books}");
    let status = server.cli().json(&["status"]);
    assert!(!status.to_string().contains("691338"), "{status}");
    server.stop();
}

#[test]
fn a_missing_one_is_told_with_its_line() {
    let (_folder, file) = edited(&[("remember = \"8d\"", &format!("remember = \"{REFERENCE}\""))]);
    for verb in [&["validate", &file][..], &["run", "-f", &file]] {
        let said = Cli::nowhere().fails(verb, 4);
        let place = format!("pipeline.toml:{}:", line("one-debit-in-flight"));
        for words in ["F0104", VARIABLE, "is not set", &place] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

#[test]
fn a_component_that_refuses_it_does_not_tell_it() {
    let (_folder, file) = edited(&[("remember = \"8d\"", &format!("remember = \"{REFERENCE}\""))]);
    let mut command = Cli::nowhere().command(&["validate", &file, "-o", "json"]);
    let output = command.env(VARIABLE, "no-span-4711").output().expect("it starts");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["problems"][0]["code"], "F0204", "{told}");
    assert!(!told.to_string().contains("4711"), "{told}");
    assert_eq!(output.status.code(), Some(4));
}
