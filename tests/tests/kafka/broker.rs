//! The brokers of the tests themselves: they come, go and leave nothing behind.

use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{Cluster, Tool, shared, unique};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_console_tools_see_what_the_broker_has() {
    let kafka = shared();
    let topic = unique("console");
    kafka.console(Tool::Topics, &["--create", "--topic", &topic, "--partitions", "3"]);
    let seen = kafka.console(Tool::Topics, &["--describe", "--topic", &topic]);
    assert!(seen.contains("PartitionCount: 3"), "{seen}");
}

#[test]
fn a_killed_broker_of_three_comes_back_with_what_it_had() {
    let kafka = Cluster::start(3);
    let topic = unique("three");
    kafka.console(Tool::Topics, &["--create", "--topic", &topic, "--partitions", "1"]);
    let describe = || kafka.console(Tool::Topics, &["--describe", "--topic", &topic]);
    let in_sync = |seen: &str| -> usize {
        let isr = seen.split("Isr: ").nth(1).expect("a partition has replicas in sync");
        isr.split_whitespace().next().map_or(0, |list| list.split(',').count())
    };
    until("all three are in sync", PATIENCE, || {
        Some(describe()).filter(|s| in_sync(s) == 3).ok_or(())
    });
    kafka.kill(2);
    until("two are in sync", PATIENCE, || {
        let seen = describe();
        if in_sync(&seen) == 2 { Ok(()) } else { Err(seen) }
    });
    kafka.restart(2);
    until("all three are in sync again", PATIENCE, || {
        let seen = describe();
        if in_sync(&seen) == 3 { Ok(()) } else { Err(seen) }
    });
}

/// Set, the test below is the process that is killed.
const VICTIM: &str = "FERMATA_TEST_KAFKA_VICTIM";

/// A test that is killed runs no destructor; broker and data must go all the same.
#[test]
fn a_broker_ends_with_its_test_however_that_ends() {
    if std::env::var_os(VICTIM).is_some() {
        let kafka = Cluster::start(1);
        println!("\nbroker {} in {}", kafka.pid(1), kafka.folder().display());
        loop {
            std::thread::park();
        }
    }
    let own = std::env::current_exe().expect("a test knows its own path");
    let name = std::thread::current()
        .name()
        .expect("a test's thread bears its name")
        .to_owned();
    let mut victim = Command::new(own)
        .args([&name, "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test starts itself");
    let lines = BufReader::new(victim.stdout.take().expect("piped above")).lines();
    let said = lines.map_while(Result::ok).find(|line| line.starts_with("broker "));
    let said = said.expect("the victim says where its broker is");
    let (pid, folder) = said["broker ".len()..].split_once(" in ").expect("as printed above");
    let alive = || Path::new("/proc").join(pid).exists();
    assert!(alive() && Path::new(folder).exists(), "{said}");
    victim.kill().expect("a child can be killed");
    victim.wait().expect("a child can be waited for");
    until("the broker and its data are gone", PATIENCE, || {
        if alive() || Path::new(folder).exists() {
            Err(said.clone())
        } else {
            Ok(())
        }
    });
}
