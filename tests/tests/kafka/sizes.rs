//! Records as large as their topic allows.

use fermata_tests::harness::{PATIENCE, until};
use fermata_tests::kafka::{Client, Scene, shared};

/// A text of so many bytes that is no payment.
fn text(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

/// The largest value that the broker takes in, found by asking it. Each one that it takes is a record of the topic.
fn largest(client: &Client, topic: &str) -> (usize, Vec<usize>) {
    let (mut fits, mut too_large, mut taken) = (0, 1_300_000, Vec::new());
    while too_large - fits > 1 {
        let middle = if fits == 0 {
            // What is smaller the stage still takes.
            1_080_000
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
        let found: Vec<_> = letters.iter().map(|l| l.value.as_ref().map_or(0, Vec::len)).collect();
        let missing: Vec<_> = taken.iter().filter(|size| !found.contains(size)).collect();
        if letters.len() >= taken.len() {
            Ok(letters)
        } else {
            Err(format!("{missing:?} are not among {found:?}; {}", server.stderr()))
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
