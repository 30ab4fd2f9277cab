//! `limits.state`: a record that would leave a task with more state than it may have is a fault, to the byte, through
//! restarts, and in every replay.

use fermata_core::manifest::parse::parse;
use fermata_core::names::{Purpose, headers};
use fermata_core::ports::Log;
use fermata_core::{Offset, Shard};
use fermata_native::Registry;
use fermata_stage::{Context, Description, Due, Emission, Input, Rejection, Stage, StoreDecl};
use fermata_tests::native::Native;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

const LIMIT: usize = 1_000;
const MANIFEST: &str = r#"
manifest = 1
name = "hoard"
partitions = 1
topics."in" = { head = true }

[stage.keeper]
component = "builtin:keeper@1.0.0"
in = ["in"]
out = { out = "out" }
limits = { state = 1000 }
"#;

/// Does what a record says, word for word: `put KEY BYTES`, `del KEY`, `timer ID BYTES`, `cancel ID`, `no`.
struct Keeper;

impl Stage for Keeper {
    const NAME: &'static str = "keeper";
    const VERSION: &'static str = "1.0.0";
    type Config = serde_json::Value;
    type Message = String;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .store(StoreDecl::new("things", 1))
            .store(StoreDecl::new("others", 1))
            .timers()
    }
    fn init(_: Self::Config) -> Result<Self, String> {
        Ok(Self)
    }
    fn parse(input: Input) -> Result<String, Rejection> {
        Ok(String::from_utf8(input.value.unwrap_or_default()).expect("the tests write text"))
    }
    fn process(&self, cx: &mut dyn Context, deeds: String) -> Result<Vec<Emission>, Rejection> {
        let mut words = deeds.split_whitespace();
        let bytes = |word: Option<&str>| vec![b'x'; word.and_then(|w| w.parse().ok()).expect("a number")];
        while let Some(word) = words.next() {
            if word == "no" {
                return Err(Rejection::new("told-to", "as told"));
            }
            let name = words.next().expect("a name");
            let store = if name.starts_with('o') { "others" } else { "things" };
            match word {
                "put" => cx.put_raw(store, name.as_bytes(), &bytes(words.next())),
                "del" => cx.delete_raw(store, name.as_bytes()),
                "timer" => cx.set_timer(name, cx.now() + 1_000_000, &bytes(words.next())),
                "cancel" => cx.cancel_timer(name),
                other => panic!("no deed {other}"),
            }
        }
        Ok(Vec::new())
    }
    fn fired(&self, _: &mut dyn Context, _: Due) -> Result<Vec<Emission>, Rejection> {
        Ok(Vec::new())
    }
}

fn start() -> Native {
    let manifest = Arc::new(parse("hoard.toml", MANIFEST).expect("a valid manifest"));
    Native::start(manifest, Registry::empty().stage::<Keeper>())
}

fn send(native: &Native, deeds: &str) {
    native.send("in", "k", deeds);
}

/// What became a dead letter: the deeds, with the code.
fn dead(native: &Native) -> Vec<(String, String)> {
    let topic = Purpose::DeadLetters.topic(&native.manifest.name);
    let letters = native
        .log
        .read(&topic, Shard(0), Offset(0), 100_000)
        .expect("no faults");
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text");
    let read = letters.into_iter().map(|letter| {
        let code = letter.header(headers::CODE).unwrap_or_default().to_owned();
        (text(letter.value), code)
    });
    read.collect()
}

/// What the stage keeps, by a model that counts everything each time.
#[derive(Clone, Default)]
struct Model(BTreeMap<String, usize>);

impl Model {
    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value).sum()
    }

    /// The code that the record ends with, if it does not pass.
    fn does(&mut self, deeds: &str) -> Option<&'static str> {
        let mut after = self.clone();
        let mut words = deeds.split_whitespace();
        while let Some(word) = words.next() {
            if word == "no" {
                return Some("told-to");
            }
            let key = words.next().expect("a key").to_owned();
            match word {
                "put" => after
                    .0
                    .insert(key, words.next().and_then(|w| w.parse().ok()).expect("a number")),
                _ => after.0.remove(&key),
            };
        }
        if after.bytes() > LIMIT && after.bytes() > self.bytes() {
            return Some("fault-size");
        }
        *self = after;
        None
    }
}

fn deeds(random: &mut ChaCha8Rng) -> String {
    let mut deeds = Vec::new();
    for _ in 0..random.random_range(1..4) {
        let store = ["t", "o"][random.random_range(0..2)];
        let key = format!("{store}{}", random.random_range(0..6));
        deeds.push(match random.random_range(0..10) {
            0..7 => format!("put {key} {}", random.random_range(0..250)),
            7..9 => format!("del {key}"),
            _ => "no".to_owned(),
        });
    }
    deeds.join(" ")
}

#[test]
fn the_limit_holds_to_the_byte_through_batches_and_restarts() {
    let mut faults = 0;
    for seed in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut native, mut model, mut expected) = (start(), Model::default(), Vec::new());
        for _ in 0..120 {
            let deeds = deeds(&mut random);
            send(&native, &deeds);
            expected.extend(model.does(&deeds).map(|code| (deeds, code.to_owned())));
            // Several records in a batch, and several batches in a worker's life.
            if random.random_ratio(1, 4) {
                native.settle();
            }
            if random.random_ratio(1, 12) {
                native = native.restart();
            }
        }
        native.settle();
        assert_eq!(dead(&native), expected, "seed {seed}");
        faults += expected.iter().filter(|(_, code)| code == "fault-size").count();
        for recut in [None, Some(seed)] {
            let report = native.verify(recut);
            assert!(report.ok, "seed {seed}, recut {recut:?}: {:#?}", report.problems);
        }
    }
    assert!(faults > 100, "a limit that is never met proves nothing: {faults}");
}

#[test]
fn what_is_overwritten_does_not_count_and_what_grows_no_further_passes() {
    let mut native = start();
    for n in 0..50 {
        send(&native, &format!("put t {}", 900 + n % 2));
        native.settle();
    }
    assert_eq!(dead(&native), []);
    // To the byte: `t` and 901 bytes, `o` and 97.
    for deeds in [
        "put o 98",
        "put o 97",
        "put o 98",
        "put o 96 put t 901",
        "del t put o 999",
    ] {
        send(&native, deeds);
    }
    native.settle();
    let fault = |deeds: &str| (deeds.to_owned(), "fault-size".to_owned());
    assert_eq!(dead(&native), [fault("put o 98"), fault("put o 98")]);
}

#[test]
fn a_task_over_its_limit_may_still_make_room() {
    let mut native = start();
    send(&native, "put t 500 put o 400");
    native.settle();
    let lower = MANIFEST.replace("state = 1000", "state = 300");
    native.manifest = Arc::new(parse("hoard.toml", &lower).expect("a valid manifest"));
    native = native.restart();
    for deeds in [
        "put t 501",
        "put t 500",
        "put t 450 put o2 49",
        "del t",
        "put o3 1",
        "del o",
        "put o3 200",
    ] {
        send(&native, deeds);
    }
    native.settle();
    let fault = |deeds: &str| (deeds.to_owned(), "fault-size".to_owned());
    assert_eq!(
        dead(&native),
        [fault("put t 501"), fault("put t 450 put o2 49"), fault("put o3 1")]
    );
}

#[test]
fn timers_count_until_they_are_cancelled() {
    let mut native = start();
    for n in 0..10 {
        send(&native, &format!("timer {n} 200"));
    }
    native.settle();
    let refused = dead(&native);
    assert!((5..10).contains(&refused.len()), "{refused:?}");
    assert!(refused.iter().all(|(_, code)| code == "fault-size"), "{refused:?}");
    native = native.restart();
    send(&native, "timer a 200");
    send(&native, "cancel 0");
    send(&native, "timer b 100");
    native.settle();
    let last = dead(&native).split_off(refused.len());
    assert_eq!(last, [("timer a 200".to_owned(), "fault-size".to_owned())]);
}
