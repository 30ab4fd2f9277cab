//! Topics and offsets that change under a pipeline.

use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{Client, Scene, Tool, shared};

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
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("all.json");
    let partitions: Vec<_> = (0..4)
        .map(|p| format!("{{\"topic\": \"{topic}\", \"partition\": {p}, \"offset\": -1}}"))
        .collect();
    std::fs::write(
        &file,
        format!("{{\"partitions\": [{}], \"version\": 1}}", partitions.join(", ")),
    )
    .expect("a temporary folder can be written to");
    kafka.console(Tool::DeleteRecords, &["--offset-json-file", &file.to_string_lossy()]);
    let mut server = node.launch();
    let status = server.ended(PATIENCE);
    let said = server.stderr();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&topic) && said.contains("F05"),
        "the topic, a code and what to do: {said}"
    );
}
