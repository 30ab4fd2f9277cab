//! Every refusal says what was found and what to do, and ends with its own exit code.

use super::payments;
use fermata_tests::harness::{Cli, ServerSpec};

#[test]
fn words_that_are_not_understood_end_with_2() {
    let cli = Cli::nowhere();
    for args in [
        &["plan"][..],
        &["deploy", "account"],
        &["drain", "--wait", "--timeout", "soon"],
        &["status", "-o", "yaml"],
        &["receipts", "first"],
        &["dlq", "show", "first"],
        &["view", "get", "accounts", "--param", "limit"],
        &["run", "--workers", "none"],
        &["status", "--server", "ftp://nowhere"],
    ] {
        let said = cli.fails(args, 2);
        assert!(!said.trim().is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn what_is_not_there_ends_with_3() {
    let (_dir, server) = payments();
    let cli = server.cli();
    for args in [
        &["view", "get", "inflght"][..],
        &["view", "get", "account", "nobody"],
        &["deployments", "show", "99"],
        &["receipts", "99"],
        &["dlq", "show", "0/99"],
        &["dlq", "show", "99/0"],
        &["consume", "payment.incomng"],
        &["produce", "payment.incoming", "/there/is/no/such/file"],
        &["deploy", "acount", "builtin:account@1.1.0", "--wait"],
        &["deploy", "account", "builtin:account@9.9.9", "--wait"],
        &["deploy", "account", "/there/is/no/such.wasm", "--wait"],
        &["rollback", "acount"],
        &["status", "-p", "paymnts"],
        &["generate", "nobody", "--count", "1"],
        &["component", "inspect", "builtin:nothing@1.0.0"],
        &["verify", "--data-dir", "/there/is/no/such/folder"],
        &["run", "-f", "/there/is/no/such.toml"],
    ] {
        let said = cli.fails(args, 3);
        assert!(said.contains("F0"), "{args:?} names no code: {said}");
    }
    assert!(
        cli.fails(&["view", "get", "inflght"], 3).contains("inflight"),
        "the nearest name is a hint"
    );
}

#[test]
fn what_is_refused_ends_with_4_and_what_takes_too_long_with_6() {
    let (dir, server) = payments();
    let cli = server.cli();
    let said = cli.fails(&["rollback", "account"], 4);
    assert!(said.contains("F0403"), "nothing was deployed: {said}");
    let said = cli.fails(&["deploy", "account", "builtin:account@1.0.0", "--wait"], 4);
    assert!(said.contains("F0403"), "it is live already: {said}");
    let said = cli.fails(&["deploy", "account", "builtin:validate@1.1.0", "--wait"], 4);
    assert!(said.contains("F0"), "another stage's component has other ports: {said}");
    let said = cli.fed_fails(&["produce", "payment.accepted", "--key", "p"], "{}\n", 4);
    assert!(
        said.contains("F0302") && said.contains("validate"),
        "a stage's topic is the stage's: {said}"
    );
    let said = cli.fed_fails(&["produce", "payment.incoming"], "no JSON, no key\n", 4);
    assert!(said.contains("F0301"), "{said}");

    // Probation is longer than the patience, and than the rest of this test.
    let deploy = ["deploy", "account", "builtin:account@1.1.0", "--probation", "10m"];
    let said = cli.fails(&[&deploy[..], &["--wait", "--timeout", "1s"]].concat(), 6);
    assert!(said.contains("F0706") && said.contains("dep/"), "{said}");
    let said = cli.fails(&["deploy", "account", "builtin:account@1.0.0"], 4);
    assert!(said.contains("F0402"), "one deployment of a stage at a time: {said}");
    cli.ok(&["rollback", "account", "--wait"]);

    let folder = dir.path().to_str().expect("a path of text");
    let manifest = ServerSpec::payments(dir.path()).manifest;
    let manifest = manifest.to_str().expect("a path of text");
    let said = cli.fails(
        &["run", "-f", manifest, "--data-dir", folder, "--listen", "127.0.0.1:0"],
        4,
    );
    assert!(said.contains("F0503"), "the folder is in use: {said}");
    let broken = dir.path().join("broken.toml");
    std::fs::write(&broken, "manifest = 1\nnaem = \"payments\"\n").expect("the folder is writable");
    let said = cli.fails(&["run", "-f", broken.to_str().expect("a path of text")], 4);
    assert!(said.contains("F0101") && said.contains("naem"), "{said}");
}

#[test]
fn a_server_that_does_not_answer_ends_with_5() {
    let cli = Cli::nowhere();
    for args in [
        &["status"][..],
        &["pause"],
        &["verify"],
        &["deployments"],
        &["generate", "--count", "1"],
    ] {
        let said = cli.fails(args, 5);
        assert!(
            said.contains("F0705") && said.contains("FERMATA_SERVER"),
            "{args:?}: {said}"
        );
    }
}
