//! A timer that does not end in time pauses its task in the middle of a tick: it and those behind it fire later, and a
//! replay does the same.

use fermata_core::manifest::parse::parse;
use fermata_native::Registry;
use fermata_stage::{Context, Description, Due, Emission, Input, Rejection, Stage};
use fermata_tests::native::Native;
use fermata_tests::native::slow::{SLOW_TIMER, SlowTimers};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MANIFEST: &str = r#"
manifest = 1
name = "late"
partitions = 1
topics."in" = { head = true }

[stage.alarm]
component = "builtin:alarm@1.0.0"
in = ["in"]
out = { out = "out" }
"#;

/// Sets three timers for one moment; each emits its id.
struct Alarm;

impl Stage for Alarm {
    const NAME: &'static str = "alarm";
    const VERSION: &'static str = "1.0.0";
    type Config = serde_json::Value;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .timers()
    }
    fn init(_: Self::Config) -> Result<Self, String> {
        Ok(Self)
    }
    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }
    fn process(&self, cx: &mut dyn Context, _: Input) -> Result<Vec<Emission>, Rejection> {
        for id in ["before", SLOW_TIMER, "then"] {
            cx.set_timer(id, cx.now() + 1_000, b"");
        }
        Ok(Vec::new())
    }
    fn fired(&self, _: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        Ok(vec![Emission::new("out").with_key("k").with_value(timer.id)])
    }
}

fn fired(native: &Native) -> Vec<String> {
    let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text");
    native
        .read("out")
        .into_iter()
        .map(|record| text(record.value))
        .collect()
}

fn proven(native: &Native) {
    for recut in [None, Some(3)] {
        let report = native.verify(recut);
        assert!(report.ok, "recut {recut:?}: {:#?}", report.problems);
        assert!(report.figures.replayed > 0, "{:?}", report.figures);
    }
}

#[test]
fn what_is_behind_a_slow_timer_waits_and_a_replay_waits_too() {
    let slow = Arc::new(AtomicBool::new(true));
    let manifest = Arc::new(parse("late.toml", MANIFEST).expect("a valid manifest"));
    let around = {
        let slow = slow.clone();
        |executor| Arc::new(SlowTimers { executor, slow }) as _
    };
    let mut native = Native::with(manifest, Registry::empty().stage::<Alarm>(), around);
    native.send("in", "k", "set");
    native.settle();
    native.pass(Duration::from_secs(2));
    assert_eq!(
        fired(&native),
        ["before"],
        "the slow one stays set, and what is behind it"
    );
    slow.store(false, Ordering::SeqCst);
    proven(&native);
    // Whoever comes next finds both of them due.
    native = native.restart();
    native.pass(Duration::from_secs(2));
    assert_eq!(fired(&native), ["before", SLOW_TIMER, "then"]);
    proven(&native);
}
