//! The local disk is a copy: wiped, put back from another day, or full, it costs time and nothing else.

use fermata_tests::harness::{PATIENCE, number};
use fermata_tests::kafka::{Scene, shared};
use std::fs;
use std::path::Path;

/// Of one run; `FERMATA_KAFKA_DISKS` asks for another number.
const ROUNDS: u64 = 1;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a temporary folder can be written to");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file can be looked at").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

#[test]
fn a_disk_that_was_wiped_is_filled_again_from_the_changelogs() {
    let scene = Scene::new("wiped", shared().bootstrap());
    let node = scene.node("a");
    let rounds = number("FERMATA_KAFKA_DISKS", ROUNDS);
    let mut server = node.start();
    let witness = scene.witness();
    let load = scene.load("wiped", 300);
    witness.more(500);
    witness.reset_gap();
    for _ in 0..rounds {
        server.kill();
        fs::remove_dir_all(node.data()).expect("the folder of a process that is gone can be removed");
        server = node.start();
        witness.more(200);
    }
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{rounds} disks wiped: {figures}");
}

#[test]
fn a_store_of_an_older_day_is_brought_up_to_date() {
    let scene = Scene::new("older", shared().bootstrap());
    let node = scene.node("a");
    let rounds = number("FERMATA_KAFKA_DISKS", ROUNDS);
    let mut server = node.start();
    let witness = scene.witness();
    let load = scene.load("older", 300);
    witness.more(300);
    witness.reset_gap();
    let kept = scene.data("kept");
    server.stop();
    copy(node.data(), &kept);
    server = node.start();
    for _ in 0..rounds {
        witness.more(300);
        server.kill();
        fs::remove_dir_all(node.data()).expect("the folder of a process that is gone can be removed");
        // Older by one round each time.
        copy(&kept, node.data());
        server = node.start();
    }
    witness.more(200);
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{rounds} times a store put back from an older day: {figures}");
}

/// Leaves room for the components and some seconds of payments, KiB.
const SOME: u64 = 6 * 1024;

#[test]
fn a_full_disk_ends_the_process_with_what_to_do_and_loses_nothing() {
    let scene = Scene::new("full", shared().bootstrap());
    // Makes the components, which are larger than what is allowed below.
    scene.node("a").start().stop();
    let mut server = scene.node("a").file_limit(SOME).spawn();
    let witness = scene.witness();
    let load = scene.load("full", 1_000);
    let status = server.ended(5 * PATIENCE);
    let said = server.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("F05") || said.contains("F06"),
        "a code and what to do: {said}"
    );
    let server = scene.node("a").start();
    witness.more(200);
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("1 disk full: {figures}");
}
