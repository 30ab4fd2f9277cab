use super::TestContext;
use crate::{Context, Description, Due, Emission, Input, Level, NoConfig, Reader, Rejection, Stage, ViewScope};

/// Writes all that can be written, then refuses the value `no`; a timer named `bad` is refused too.
struct Writer;

impl Stage for Writer {
    const NAME: &'static str = "writer";
    const VERSION: &'static str = "1.0.0";
    type Config = NoConfig;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .view("v", ViewScope::OneShard, "{}", "{}")
            .gauge("level", "records", "help", &["of"])
            .timers()
    }

    fn init(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }

    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let value = input.value.unwrap_or_default();
        cx.put_raw("s", b"k", &value);
        cx.set_timer("t", 10, &value);
        cx.add("count", &["a"], 2);
        cx.set("level", &["a"], -1);
        cx.observe("time", &[], 0.5);
        cx.log(Level::Info, "written");
        if value == b"no" {
            Err(Rejection::new("no", "it says no"))
        } else {
            Ok(Vec::new())
        }
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        cx.put_raw("s", b"fired", timer.id.as_bytes());
        if timer.id == "bad" {
            Err(Rejection::new("bad", "timer"))
        } else {
            Ok(vec![Emission::new(timer.id)])
        }
    }
}

fn record(value: &str) -> Input {
    Input::new("in").with_key("key").with_value(value)
}

#[test]
fn what_a_record_wrote_can_be_read() {
    let mut cx = TestContext::new();
    cx.process(&Writer, record("yes")).expect("accepted");
    assert_eq!(cx.get_raw("s", b"k").as_deref(), Some(b"yes".as_slice()));
    assert_eq!(cx.entries("s").len(), 1);
    assert_eq!(cx.counter("count", &["a"]), 2);
    assert_eq!(cx.counter("count", &["b"]), 0);
    assert_eq!(cx.gauge("level", &["a"]), Some(-1));
    assert_eq!(cx.observations("time", &[]), [0.5]);
    let timer = Due {
        id: "t".to_owned(),
        key: Some(b"key".to_vec()),
        at: 10,
        payload: b"yes".to_vec(),
    };
    assert_eq!(cx.timers(), [timer]);
}

#[test]
fn a_rejection_undoes_all_but_the_log() {
    let mut cx = TestContext::new();
    cx.process(&Writer, record("yes")).expect("accepted");
    assert_eq!(cx.process(&Writer, record("no")).expect_err("refused").code, "no");
    assert_eq!(cx.get_raw("s", b"k").as_deref(), Some(b"yes".as_slice()));
    assert_eq!(cx.timers()[0].payload, b"yes");
    assert_eq!(cx.counter("count", &["a"]), 2);
    assert_eq!(cx.observations("time", &[]).len(), 1);
    assert_eq!(cx.logs().len(), 2);
}

#[test]
fn timers_fire_when_due_in_order_of_time_and_id() {
    let mut cx = TestContext::new();
    for (id, at) in [("later", 30), ("b", 10), ("bad", 20), ("a", 10), ("gone", 5)] {
        cx.set_timer(id, at, b"");
    }
    cx.cancel_timer("gone");
    cx.set_now(20);
    let fired = cx.fire_due(&Writer);
    let fired: Vec<String> = fired
        .into_iter()
        .map(|outcome| outcome.map_or_else(|rejection| rejection.code, |out| out[0].port.clone()))
        .collect();
    assert_eq!(fired, ["a", "b", "bad"]);
    // The refused timer's write was undone.
    assert_eq!(cx.get_raw("s", b"fired").as_deref(), Some(b"b".as_slice()));
    assert_eq!(cx.timers().len(), 1);
    assert!(cx.fire_due(&Writer).is_empty());
}

#[test]
fn a_timer_is_moved_by_setting_it_again() {
    let mut cx = TestContext::new();
    cx.set_timer("t", 10, b"old");
    cx.set_timer("t", 20, b"new");
    cx.set_now(10);
    assert!(cx.pop_due().is_empty());
    cx.set_now(20);
    assert_eq!(cx.pop_due()[0].payload, b"new");
}

#[test]
fn chance_is_fixed_by_identity() {
    let draws = |id: &str| {
        let mut cx = TestContext::new();
        cx.set_id(id);
        [cx.random(), cx.random()]
    };
    assert_eq!(draws("t/0/1"), draws("t/0/1"));
    assert_ne!(draws("t/0/1"), draws("t/0/2"));
    let [first, second] = draws("t/0/1");
    assert_ne!(first, second);
}

#[test]
fn identity_and_root_are_what_a_test_says() {
    let mut cx = TestContext::new();
    cx.process(&Writer, record("a")).expect("accepted");
    let first = cx.id();
    cx.process(&Writer, record("a")).expect("accepted");
    assert_ne!(cx.id(), first);
    cx.set_now(7);
    assert_eq!(cx.root(), (cx.id(), 7));
    cx.set_root("head/0/1", 3);
    assert_eq!(cx.root(), ("head/0/1".to_owned(), 3));
}

#[test]
fn a_scan_has_the_hosts_bound() {
    let mut cx = TestContext::new();
    for n in 0..1_001_u32 {
        cx.put_raw("s", &n.to_be_bytes(), b"");
    }
    assert_eq!(cx.scan_raw("s", b"", None, u32::MAX).len(), 1_000);
    assert_eq!(cx.entries("s").len(), 1_001);
}
