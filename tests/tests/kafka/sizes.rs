//! Records as large as their topic allows.

use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{Client, Scene, shared};

/// A text of so many bytes that is no payment.
fn text(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

/// The largest value that the broker takes in, found by asking it. Each one that it takes is a record of the topic.
fn largest(client: &Client, topic: &str) -> (usize, Vec<usize>) {
    let (mut fits, mut too_large, mut taken) = (0, 1_100_000, Vec::new());
    while too_large - fits > 1 {
        let middle = if fits == 0 {
            1_048_000
        } else {
            usize::midpoint(fits, too_large)
        };
        match client.produce(topic, "large", &text(middle)) {
            Ok(()) => {
                fits = middle;
                taken.push(middle);
            }
            Err(refused) => {
                assert!(refused.contains("MessageSizeTooLarge"), "{refused}");
                too_large = middle;
            }
        }
    }
    (fits, taken)
}

#[test]
fn a_record_as_large_as_its_topic_allows_becomes_a_dead_letter_that_holds_all_of_it() {
    let scene = Scene::new("large", shared().bootstrap());
    let client = Client::new(scene.bootstrap());
    let server = scene.node("a").start();
    let witness = scene.witness();
    let (largest, taken) = largest(&client, &scene.topic("payment.incoming"));
    let letters = until("each of them is a dead letter", PATIENCE, || {
        let letters = client.read(&format!("{}.dlq", scene.name));
        if letters.len() >= taken.len() {
            Ok(letters)
        } else {
            Err((letters.len(), taken.len(), server.stderr()))
        }
    });
    let mut sizes: Vec<usize> = letters.iter().map(|l| l.value.as_ref().map_or(0, Vec::len)).collect();
    let mut expected = taken.clone();
    sizes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sizes, expected);
    // Payments go on.
    let load = scene.load("small", 100);
    witness.more(100);
    let figures = scene.settle(load, &witness, &server.cli());
    println!(
        "{} records of up to {largest} bytes became dead letters: {figures}",
        taken.len()
    );
}

#[test]
fn a_payment_whose_emission_is_too_large_becomes_a_dead_letter() {
    let scene = Scene::new("wide", shared().bootstrap());
    let client = Client::new(scene.bootstrap());
    let server = scene.node("a").start();
    let witness = scene.witness();
    let topic = scene.topic("payment.incoming");
    // It fits by itself; what its headers and its stage add does not.
    let mut payment = fermata_tests::harness::payment("wide", "acct-1");
    let bytes = 1_048_400 - payment.to_string().len();
    payment["reference"] = "r".repeat(bytes).into();
    client
        .produce(&topic, "wide", payment.to_string().as_bytes())
        .expect("the topic allows it");
    let letters = until("it is a dead letter", PATIENCE, || {
        let letters = client.read(&format!("{}.dlq", scene.name));
        if letters.is_empty() {
            Err(server.stderr())
        } else {
            Ok(letters)
        }
    });
    assert_eq!(letters[0].value.as_deref(), Some(payment.to_string().as_bytes()));
    let load = scene.load("small", 100);
    witness.more(100);
    let figures = scene.settle(load, &witness, &server.cli());
    assert_eq!(witness.fates().get("wide"), None, "it has no other end");
    println!("1 emission too large for its topic: {figures}");
}
