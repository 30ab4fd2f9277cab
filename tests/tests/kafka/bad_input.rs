//! Topics, rights and brokers that are not as they should be: one clear error each, and readiness says the same.

use fermata_tests::harness::{PATIENCE, Server, get, until};
use fermata_tests::kafka::proxy::Reach;
use fermata_tests::kafka::{Client, Cluster, ClusterOptions, GUEST, Node, Scene, Tool, local, shared};

/// What `run` ends with when something cannot go on, and when what was asked for is refused.
const FAILED: i32 = 1;
const REFUSED: i32 = 4;

/// It ends by itself with this code, and with one error that has each of these words.
fn refuses(node: &Node, code: i32, words: &[&str]) -> String {
    let mut server = node.launch();
    let status = server.ended(PATIENCE);
    let said = server.stderr();
    assert_eq!(status.code(), Some(code), "{said}");
    let coded: Vec<&str> = said.lines().filter(|line| line.contains("F0")).collect();
    assert_eq!(coded.len(), 1, "one error: {said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    said
}

#[test]
fn another_partition_count_is_refused() {
    let kafka = shared();
    let scene = Scene::new("count", kafka.bootstrap());
    let topic = scene.topic("payment.incoming");
    kafka.console(Tool::Topics, &["--create", "--topic", &topic, "--partitions", "3"]);
    refuses(&scene.node("a"), REFUSED, &[&topic, "3", "4"]);
}

#[test]
fn a_missing_topic_is_refused_when_none_may_be_made() {
    let scene = Scene::new("never", shared().bootstrap());
    refuses(&scene.node("a").create("never"), FAILED, &[&scene.prefix()]);
    let client = Client::new(scene.bootstrap());
    assert_eq!(client.topics(&scene.prefix()), Vec::<String>::new(), "it made topics");
}

#[test]
fn a_source_that_is_compacted_is_refused() {
    let kafka = shared();
    let scene = Scene::new("compacted", kafka.bootstrap());
    let topic = scene.topic("payment.incoming");
    let compacted = [
        "--create",
        "--topic",
        &topic,
        "--partitions",
        "4",
        "--config",
        "cleanup.policy=compact",
    ];
    kafka.console(Tool::Topics, &compacted);
    refuses(&scene.node("a").create("auto"), FAILED, &[&topic, "cleanup.policy"]);
}

fn guest(scene: &Scene, password: &str) -> Node {
    let node = scene.node("a").at(&local().sasl());
    node.set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", GUEST.name)
        .set("sasl.password", password)
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let scene = Scene::new("password", local().bootstrap());
    let said = refuses(&guest(&scene, "not-the-password"), FAILED, &["uthentication"]);
    assert!(!said.contains("not-the-password"), "{said}");
}

#[test]
fn missing_rights_are_named() {
    let scene = Scene::new("rights", local().bootstrap());
    refuses(&guest(&scene, GUEST.password), FAILED, &["uthoriz", "acls"]);
}

/// Readiness says 503 and why.
fn unready(server: &Server, words: &[&str]) {
    let path = server.url("/readyz");
    until("readiness says that Kafka is away", PATIENCE, || {
        let answer = get(&path).map_err(|e| e.to_string())?;
        let told = words.iter().all(|word| answer.text.contains(word));
        if answer.status == 503 && told {
            Ok(())
        } else {
            Err(format!("{answer:?}; {}", server.stderr()))
        }
    });
}

#[test]
fn a_broker_that_is_away_at_the_start_is_waited_for() {
    let kafka = Cluster::start_with(&ClusterOptions::new(1).proxies(1));
    let proxy = kafka.proxy(0);
    proxy.set(Reach::Refused);
    let scene = Scene::new("away", kafka.bootstrap());
    let mut server = scene.node("a").at(proxy.bootstrap()).launch();
    server.says(proxy.bootstrap());
    proxy.set(Reach::Through);
    server.listens();
    let witness = scene.witness();
    let load = scene.load("away", 100);
    witness.more(100);
    // Gone while it runs: it says so, waits, and goes on.
    for reach in [Reach::Refused, Reach::Frozen] {
        proxy.set(reach);
        unready(&server, &[]);
        proxy.set(Reach::Through);
        witness.more(100);
        server.ready();
    }
    let figures = scene.settle(load, &witness, &server.cli());
    println!("a broker that was away at the start, and twice later: {figures}");
}
