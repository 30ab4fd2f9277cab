//! One record, one verdict: what a stage's fault may touch, on the simulated log with native stages.

use fermata_core::manifest::parse::parse;
use fermata_core::names::{Purpose, headers};
use fermata_core::ports::{Namespace, StateRead};
use fermata_core::{Record, Shard, StageName};
use fermata_native::Registry;
use fermata_stage::{Context, Description, Due, Emission, Input, Rejection, Stage, StoreDecl};
use fermata_tests::native::Native;
use std::sync::Arc;
use std::time::Duration;

const MANIFEST: &str = r#"
manifest = 1
name = "tally"
partitions = 1
topics."in" = { head = true }

[stage.tally]
component = "builtin:tally@1.0.0"
in = ["in"]
out = { out = "out" }

[stage.echo]
component = "builtin:echo@1.0.0"
in = ["out"]
out = { end = "end" }
"#;

/// Counts values, and fails on some after it has written.
struct Tally;

impl Stage for Tally {
    const NAME: &'static str = "tally";
    const VERSION: &'static str = "1.0.0";
    type Config = serde_json::Value;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .store(StoreDecl::new("counts", 1))
            .timers()
    }
    fn init(_: Self::Config) -> Result<Self, String> {
        Ok(Self)
    }
    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let value = input.value.clone().unwrap_or_default();
        let count = cx.get_raw("counts", b"n").map_or(0, |v| v[0]) + 1;
        cx.put_raw("counts", b"n", &[count]);
        match value.as_slice() {
            b"panic" => panic!("as told"),
            b"reject" => Err(Rejection::new("told-to", "as told")),
            b"later" => {
                cx.set_timer("t", cx.now() + 1_000, b"payload");
                Ok(Vec::new())
            }
            _ => Ok(vec![Emission {
                port: "out".into(),
                key: input.key,
                value: Some(vec![count]),
                headers: Vec::new(),
            }]),
        }
    }
    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        cx.put_raw("counts", b"fired", b"1");
        Err(Rejection::new("late", timer.id))
    }
}

struct Echo;

impl Stage for Echo {
    const NAME: &'static str = "echo";
    const VERSION: &'static str = "1.0.0";
    type Config = serde_json::Value;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("out", &[1])
            .output("end", &[1])
    }
    fn init(_: Self::Config) -> Result<Self, String> {
        Ok(Self)
    }
    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }
    fn process(&self, _: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        Ok(vec![Emission {
            port: "end".into(),
            key: input.key,
            value: input.value,
            headers: Vec::new(),
        }])
    }
}

struct Bench(Native);

impl Bench {
    fn new() -> Self {
        let manifest = Arc::new(parse("tally.toml", MANIFEST).expect("a valid manifest"));
        Self(Native::start(
            manifest,
            Registry::empty().stage::<Tally>().stage::<Echo>(),
        ))
    }

    fn send(&self, key: &str, value: &str) {
        self.0.send("in", key, value);
    }

    fn settle(&mut self) {
        self.0.settle();
    }

    fn read(&self, name: &str) -> Vec<Record> {
        self.0.read(name)
    }

    fn dead_letters(&self) -> Vec<Record> {
        self.read(Purpose::DeadLetters.topic(&self.0.manifest.name).as_str())
    }

    fn state(&self, key: &[u8]) -> Option<Vec<u8>> {
        let stage = StageName::new("tally").expect("a name");
        let namespace = Namespace {
            stage,
            store: "counts".into(),
            schema: 1,
        };
        self.0
            .log
            .get(&namespace, Shard(0), key)
            .expect("no faults")
            .map(|v| v.to_vec())
    }
}

#[test]
fn a_faulted_record_leaves_no_trace() {
    let mut bench = Bench::new();
    for value in ["one", "panic", "reject", "panic", "two"] {
        bench.send("k", value);
    }
    bench.settle();
    let counts: Vec<_> = bench
        .read("out")
        .iter()
        .map(|r| r.value.clone().unwrap_or_default().to_vec())
        .collect();
    assert_eq!(counts.first(), Some(&vec![1]));
    assert_eq!(
        bench.state(b"n"),
        counts.last().cloned(),
        "the last good record wrote what it emitted"
    );
    assert_eq!(
        bench.state(b"n"),
        Some(vec![2]),
        "neither fault nor rejection may leave a write behind"
    );
    let codes: Vec<_> = bench
        .dead_letters()
        .iter()
        .map(|r| r.header(headers::CODE).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(codes, ["fault-trap", "told-to", "fault-trap"]);
}

#[test]
fn a_dead_letter_carries_its_input_and_where_it_came_from() {
    let mut bench = Bench::new();
    bench.send("k", "one");
    bench.send("k", "reject");
    bench.settle();
    let letter = bench.dead_letters().pop().expect("one dead letter");
    assert_eq!(letter.value.as_deref(), Some(b"reject".as_slice()));
    assert_eq!(letter.key.as_deref(), Some(b"k".as_slice()));
    for (name, value) in [
        (headers::STAGE, "tally"),
        (headers::PORT, "in"),
        (headers::CODE, "told-to"),
        (headers::ID, "in/0/1"),
        (headers::ERRORS_TOPIC, "in"),
        (headers::ERRORS_PARTITION, "0"),
        (headers::ERRORS_OFFSET, "1"),
        (headers::ERRORS_EXCEPTION, "told-to"),
        (headers::ERRORS_MESSAGE, "as told"),
    ] {
        assert_eq!(letter.header(name), Some(value), "{name}");
    }
}

#[test]
fn a_fused_hop_is_marked_and_not_processed_again() {
    let mut bench = Bench::new();
    for value in ["one", "two", "three"] {
        bench.send("k", value);
        bench.settle();
    }
    let out = bench.read("out");
    assert!(
        out.iter().any(|r| r.header(headers::DONE) == Some("echo@1")),
        "nothing was fused: {out:?}"
    );
    let ends: Vec<_> = bench
        .read("end")
        .iter()
        .map(|r| r.value.clone().unwrap_or_default().to_vec())
        .collect();
    assert_eq!(ends, [[1], [2], [3]], "each once, in order");
    assert_eq!(
        bench.read("end")[2].header(headers::ID),
        Some("in/0/".to_owned() + &format!("{}#tally.0/echo.0", bench.read("in")[2].offset)).as_deref()
    );
}

#[test]
fn a_timer_fires_once_and_its_rejection_is_a_dead_letter() {
    let mut bench = Bench::new();
    bench.send("k", "later");
    bench.settle();
    assert!(bench.dead_letters().is_empty());
    bench.0.pass(Duration::from_secs(2));
    bench.0.pass(Duration::from_secs(5));
    let letters = bench.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].header(headers::TIMER), Some("t"));
    assert_eq!(letters[0].value.as_deref(), Some(b"payload".as_slice()));
    assert_eq!(letters[0].key.as_deref(), Some(b"k".as_slice()));
}
