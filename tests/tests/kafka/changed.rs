//! Topics and offsets that change under a pipeline.

use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{Client, Cluster, Scene, Tool, shared};
use serde_json::json;

/// As retention does it in the end: every record goes, offsets go on.
fn empty(kafka: &Cluster, topics: &[String]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("all.json");
    let place = |topic: &String, p| json!({ "topic": topic, "partition": p, "offset": -1 });
    let all = topics.iter().flat_map(|topic| (0..4).map(move |p| place(topic, p)));
    let all: Vec<_> = all.collect();
    std::fs::write(&file, json!({ "partitions": all, "version": 1 }).to_string())
        .expect("a temporary folder can be written to");
    kafka.console(Tool::DeleteRecords, &["--offset-json-file", &file.to_string_lossy()]);
}

#[test]
fn a_topic_deleted_and_made_anew_stops_the_pipeline_with_one_clear_error() {
    let kafka = shared();
    let scene = Scene::new("anew", kafka.bootstrap());
    let node = scene.node("a");
    let mut server = node.start();
    let witness = scene.witness();
    let load = scene.load("anew", 200);
    witness.more(200);
    scene.settle(load, &witness, &server.cli());
    server.cli().ok(&["resume"]);
    let topic = scene.topic("payment.incoming");
    let client = Client::new(kafka.bootstrap());
    kafka.console(Tool::Topics, &["--delete", "--topic", &topic]);
    until("the topic is gone", PATIENCE, || match client.topics(&topic) {
        gone if gone.is_empty() => Ok(()),
        seen => Err(seen),
    });
    kafka.console(Tool::Topics, &["--create", "--topic", &topic, "--partitions", "4"]);
    let status = server.ended(PATIENCE);
    let said = server.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&topic) && said.contains("F05"),
        "the topic, a code and what to do: {said}"
    );
    // It is no better for being started again.
    let mut again = node.launch();
    let status = again.ended(PATIENCE);
    let said = again.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&topic) && said.contains("F05"),
        "the topic, a code and what to do: {said}"
    );
}

/// Its records lie where the old one's did: by offsets alone nobody would notice.
#[test]
fn a_topic_made_anew_with_as_many_records_is_not_taken_for_the_old_one() {
    let kafka = shared();
    let scene = Scene::new("other", kafka.bootstrap());
    let node = scene.node("a");
    let server = node.start();
    let witness = scene.witness();
    let load = scene.load("old", 200);
    witness.more(200);
    scene.settle(load, &witness, &server.cli());
    server.cli().ok(&["resume"]);
    server.stop();
    let topic = scene.topic("payment.incoming");
    let client = Client::new(kafka.bootstrap());
    kafka.console(Tool::Topics, &["--delete", "--topic", &topic]);
    until("the topic is gone", PATIENCE, || match client.topics(&topic) {
        gone if gone.is_empty() => Ok(()),
        seen => Err(seen),
    });
    kafka.console(Tool::Topics, &["--create", "--topic", &topic, "--partitions", "4"]);
    let load = scene.load("new", 400);
    load.more(600);
    load.stop();
    let before = witness.ended();
    let mut server = node.launch();
    let status = server.ended(PATIENCE);
    let said = server.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&topic) && said.contains("F0513"),
        "the topic, a code and what to do: {said}"
    );
    witness.catch_up();
    assert_eq!(witness.ended(), before, "nothing of it was processed");
}

#[test]
fn group_offsets_that_expired_are_taken_from_the_journal() {
    let kafka = shared();
    let scene = Scene::new("expired", kafka.bootstrap());
    let node = scene.node("a");
    let server = node.start();
    let witness = scene.witness();
    let load = scene.load("expired", 200);
    witness.more(300);
    server.kill();
    let client = Client::new(kafka.bootstrap());
    until("the group is empty", PATIENCE, || match client.group(&scene.group()) {
        Some((state, 0)) if state == "Empty" => Ok(()),
        seen => Err(seen),
    });
    kafka.console(Tool::ConsumerGroups, &["--delete", "--group", &scene.group()]);
    let server = node.start();
    witness.more(200);
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("group offsets deleted once: {figures}");
}

/// Records that retention took before they were read.
#[test]
fn a_source_that_starts_past_the_position_stops_the_pipeline_with_one_clear_error() {
    let kafka = shared();
    let scene = Scene::new("trimmed", kafka.bootstrap());
    let node = scene.node("a");
    let server = node.start();
    let witness = scene.witness();
    let load = scene.load("trimmed", 200);
    witness.more(100);
    server.kill();
    load.more(400);
    load.stop();
    let topic = scene.topic("payment.incoming");
    empty(kafka, std::slice::from_ref(&topic));
    let mut server = node.launch();
    let status = server.ended(PATIENCE);
    let said = server.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&topic) && said.contains("F05"),
        "the topic, a code and what to do: {said}"
    );
}

/// Retention took what had been read long before: the markers behind it are gone with it.
#[test]
fn records_that_aged_out_after_they_were_read_are_not_called_lost() {
    let kafka = shared();
    let scene = Scene::new("aged", kafka.bootstrap());
    let node = scene.node("a");
    let server = node.start();
    let witness = scene.witness();
    let load = scene.load("first", 200);
    witness.more(200);
    scene.settle(load, &witness, &server.cli());
    server.cli().ok(&["resume"]);
    let client = Client::new(kafka.bootstrap());
    // Behind the last record of a transaction lies its marker: the position comes to stand behind that too.
    let read = [
        "payment.incoming",
        "payment.accepted",
        "payment.inflight",
        "payment.complete",
    ];
    let read = read.map(|topic| scene.topic(topic));
    until("every position has reached the end of its topic", PATIENCE, || {
        let behind = read.iter().flat_map(|topic| client.behind(&scene.group(), topic));
        let behind: Vec<_> = behind.collect();
        if behind.is_empty() { Ok(()) } else { Err(behind) }
    });
    server.kill();
    empty(kafka, &read);
    let server = node.start();
    let load = scene.load("second", 200);
    witness.more(200);
    let figures = scene.settle(load, &witness, &server.cli());
    println!("{} topics emptied by retention: {figures}", read.len());
}
