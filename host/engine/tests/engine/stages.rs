//! What a well-behaved component gets.

use crate::fixture::{ENGINE, call, input, once, refused, running};
use crate::guest::{Description, Stage, component};
use crate::host::Host;
use fermata_core::limits::Limits;
use fermata_core::ports::{Executor, Failure, PrepareError, ViewError};
use fermata_core::{Digest, Due, Emission, FaultCode, Header, Rejection, Timestamp, Verdict, VersionId};

#[test]
fn a_kept_instance_answers_record_after_record() {
    let mut instance = running(&Stage::default());
    for round in 0..100 {
        let value = format!("value {round}").repeat(round);
        let ended = call(&mut instance, value.as_bytes(), Host::new());
        assert_eq!(ended.value(), value.as_bytes());
        assert!(ended.fuel > 0);
    }
}

#[test]
fn the_same_record_costs_the_same_fuel() {
    let mut instance = running(&Stage::default());
    let first = call(&mut instance, b"value", Host::new()).fuel;
    assert_eq!(call(&mut instance, b"value", Host::new()).fuel, first);
    assert_eq!(once(&Stage::default()).fuel, first);
}

/// Copies whatever it got into emissions, so that what went in can be compared with what came out.
#[test]
fn nothing_of_a_record_is_lost_on_the_way() {
    // headers (a list of 20-byte records that input and emission share) go out as they came.
    let stage = Stage::process(
        r#"(drop (call $emit (local.get $value) (local.get $value_len)))
        (i32.store (i32.const 264) (local.get $has_key))
        (i32.store (i32.const 268) (local.get $key))
        (i32.store (i32.const 272) (local.get $key_len))
        (i32.store (i32.const 276) (local.get $has_value))
        (i32.store (i32.const 288) (local.get $headers))
        (i32.store (i32.const 292) (local.get $headers_len))
        (i32.const 128)"#,
    );
    let mut instance = running(&stage);
    let headers = vec![
        Header::new("trace", vec![0, 255]),
        Header {
            key: "absent".into(),
            value: None,
        },
        Header::new("", ""),
    ];
    for (key, value) in [
        (Some("k"), Some("v")),
        (None, Some("v")),
        (Some(""), None),
        (None, None),
    ] {
        let mut record = input(b"");
        record.key = key.map(Into::into);
        record.value = value.map(Into::into);
        record.headers = headers.clone();
        let called = instance.process(record, Box::new(Host::new()));
        let expected = Emission {
            port: "out".into(),
            key: key.map(Into::into),
            value: value.map(Into::into),
            headers: headers.clone(),
        };
        assert_eq!(called.result, Ok(Ok(vec![expected])));
    }
}

#[test]
fn verdicts_and_the_timestamp_arrive() {
    // verdict: validator @0, code @8 (option), reason @20; 28 bytes. Emits the reason of the second.
    let stage = Stage::process(
        r#"(if (i64.ne (local.get $timestamp) (i64.const 7)) (then unreachable))
        (if (i32.ne (local.get $verdicts_len) (i32.const 2)) (then unreachable))
        (call $emit (i32.load offset=48 (local.get $verdicts)) (i32.load offset=52 (local.get $verdicts)))"#,
    );
    let verdict = |code: Option<&str>, reason: &str| Verdict {
        validator: "limits".into(),
        code: code.map(Into::into),
        reason: reason.into(),
    };
    let mut record = input(b"");
    record.verdicts = vec![verdict(None, ""), verdict(Some("too-much"), "over 1,000")];
    let called = running(&stage).process(record, Box::new(Host::new()));
    let emissions = called.result.expect("no failure").expect("no rejection");
    assert_eq!(emissions[0].value.as_deref(), Some(b"over 1,000".as_slice()));
}

#[test]
fn a_rejection_is_an_answer_like_any_other() {
    // result: error; code "key", reason "last words".
    let stage = Stage::process(
        r#"(i32.store8 (i32.const 128) (i32.const 1))
        (i32.store (i32.const 132) (i32.const 24)) (i32.store (i32.const 136) (i32.const 3))
        (i32.store (i32.const 140) (i32.const 32)) (i32.store (i32.const 144) (i32.const 10))
        (i32.const 128)"#,
    );
    let mut instance = running(&stage);
    for _ in 0..2 {
        let ended = call(&mut instance, b"", Host::new());
        let rejection = Rejection {
            code: "key".into(),
            reason: "last words".into(),
        };
        assert_eq!(ended.result, Ok(Err(rejection)));
    }
}

#[test]
fn every_import_reaches_the_host_context() {
    let stage = Stage::process(
        r#"(call $put (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3) (local.get $value) (local.get $value_len))
        (call $get (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3) (i32.const 400))
        (call $scan (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 1)
          (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 9) (i32.const 420))
        (call $delete (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3))
        (call $set_timer (i32.const 24) (i32.const 3) (i64.const 99) (local.get $value) (local.get $value_len))
        (call $cancel_timer (i32.const 24) (i32.const 3))
        ;; labels: one string
        (i32.store (i32.const 440) (i32.const 27)) (i32.store (i32.const 444) (i32.const 5))
        (call $add (i32.const 24) (i32.const 3) (i32.const 440) (i32.const 1) (i64.const 3))
        (call $log (i32.const 1) (i32.const 32) (i32.const 10))
        (call $id (i32.const 460))
        (call $root (i32.const 480))
        (if (i64.ne (i64.load (i32.const 488)) (i64.const 1700000000000)) (then unreachable))
        (if (i64.ne (call $now) (i64.const 42)) (then unreachable))
        (if (i64.ne (call $random) (i64.const 4)) (then unreachable))
        ;; what was found by get, by scan (its entry's value), and the id
        (if (i32.ne (i32.load8_u (i32.const 400)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 424)) (i32.const 0)) (then unreachable))
        (drop (call $emit (i32.load (i32.const 404)) (i32.load (i32.const 408))))
        (i32.store (i32.const 264) (i32.const 1))
        (i32.store (i32.const 268) (i32.load (i32.const 460)))
        (i32.store (i32.const 272) (i32.load (i32.const 464)))
        (i32.const 128)"#,
    );
    let ended = once(&stage);
    assert_eq!(ended.value(), b"value");
    let Ok(Ok(emissions)) = &ended.result else {
        unreachable!("value() has seen an emission")
    };
    assert_eq!(emissions[0].key.as_deref(), Some(b"orders/3/17".as_slice()));
    assert_eq!(
        ended.host.calls,
        [
            "put store key 5",
            "get store key",
            "scan store k Some(\"o\") 9",
            "delete store key",
            "set-timer key 99 value",
            "cancel-timer key",
            "add key [\"label\"] 3",
            "log Info last words",
        ]
    );
}

#[test]
fn a_scan_brings_its_entries() {
    // entry: key @0, value @8; emits the value of the second.
    let stage = Stage::process(
        r#"(call $scan (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 1)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 420))
        (if (i32.ne (i32.load (i32.const 424)) (i32.const 2)) (then unreachable))
        (call $emit
          (i32.load offset=24 (i32.load (i32.const 420)))
          (i32.load offset=28 (i32.load (i32.const 420))))"#,
    );
    let mut host = Host::new();
    for (key, value) in [("k1", "one"), ("k2", "two"), ("other", "three")] {
        host.store.insert(key.into(), value.into());
    }
    assert_eq!(call(&mut running(&stage), b"", host).value(), b"two");
}

#[test]
fn a_version_is_its_component_and_its_configuration() {
    let artifact = Stage::default().build();
    let version = ENGINE
        .prepare(&artifact, r#"{"a":1}"#, &Limits::default())
        .unwrap_or_else(|e| panic!("{e}"));
    let id = VersionId {
        component: artifact.digest,
        config: Digest::of(br#"{"a":1}"#),
    };
    assert_eq!(version.id(), id);
    assert_eq!(version.description().name, "probe");
    assert_eq!(version.description().inputs[0].versions, [1]);
    assert_eq!(version.description().stores[0].schema, 1);
    assert_eq!(version.description().metrics[0].labels, ["kind"]);
    assert_eq!(ENGINE.name(), "wasmtime-48.0.8/1");
}

#[test]
fn init_gets_the_configuration() {
    // Refuses with the configuration as its reason.
    let stage = Stage {
        init: r#"(i32.store8 (i32.const 64) (i32.const 1))
            (i32.store (i32.const 68) (local.get $at)) (i32.store (i32.const 72) (local.get $len))
            (i32.const 64)"#
            .into(),
        ..Stage::default()
    };
    let PrepareError::Init(reason) = refused(&stage.build()) else {
        panic!("init refuses")
    };
    assert_eq!(reason, "{}");
}

const OPTIONAL: &str = "package fermata:test;
world optional {
  include fermata:stage/stage@0.1.0;
  export fermata:stage/timers@0.1.0;
  export fermata:stage/views@0.1.0;
}";

/// `fired` emits the payload, `query` answers with its params or not at all, `merge` with the second part.
fn optional() -> Stage {
    Stage {
        world: ("optional", Some(OPTIONAL)),
        description: Description {
            views: vec!["all"],
            timers: true,
            ..Description::default()
        }
        .layout(),
        more: r#"
  (func (export "fermata:stage/timers@0.1.0#fired")
    (param $id i32) (param $id_len i32) (param $has_key i32) (param $key i32) (param $key_len i32)
    (param $at i64) (param $payload i32) (param $payload_len i32) (result i32)
    (if (i64.ne (local.get $at) (i64.const 99)) (then unreachable))
    (drop (call $emit (local.get $payload) (local.get $payload_len)))
    (i32.store (i32.const 264) (local.get $has_key))
    (i32.store (i32.const 268) (local.get $key))
    (i32.store (i32.const 272) (local.get $key_len))
    (i32.const 128))
  (func (export "fermata:stage/views@0.1.0#query")
    (param $view i32) (param $view_len i32) (param $params i32) (param $params_len i32) (result i32)
    (i32.store (i32.const 500) (i32.const 0))
    (i32.store (i32.const 504) (local.get $params))
    (i32.store (i32.const 508) (local.get $params_len))
    (if (i32.eq (local.get $view_len) (i32.const 7)) (then
      (i32.store8 (i32.const 500) (i32.const 1)) (i32.store (i32.const 504) (i32.const 0))))
    (if (i32.eq (local.get $view_len) (i32.const 3)) (then
      (i32.store8 (i32.const 500) (i32.const 1)) (i32.store (i32.const 504) (i32.const 1))
      (i32.store (i32.const 508) (local.get $params)) (i32.store (i32.const 512) (local.get $params_len))))
    (i32.const 500))
  (func (export "fermata:stage/views@0.1.0#merge")
    (param i32 i32 i32 i32) (param $parts i32) (param $parts_len i32) (result i32)
    (i32.store (i32.const 500) (i32.const 0))
    (i32.store (i32.const 504) (i32.load offset=8 (local.get $parts)))
    (i32.store (i32.const 508) (i32.load offset=12 (local.get $parts)))
    (i32.const 500))"#
            .into(),
        ..Stage::default()
    }
}

#[test]
fn timers_fire() {
    let due = Due {
        id: "t".into(),
        key: Some("account-9".into()),
        at: Timestamp(99),
        payload: "late".into(),
    };
    let called = running(&optional()).fired(due, Box::new(Host::new()));
    let emissions = called.result.expect("no failure").expect("no rejection");
    assert_eq!(emissions[0].value.as_deref(), Some(b"late".as_slice()));
    assert_eq!(emissions[0].key.as_deref(), Some(b"account-9".as_slice()));
    assert!(called.fuel > 0);
}

#[test]
fn views_answer_or_say_why_not() {
    let mut instance = running(&optional());
    let mut query = |view: &str| {
        let called = instance.query(view, r#"{"p":1}"#, Box::new(Host::new()));
        Host::back(called.host);
        called.result.expect("no failure")
    };
    assert_eq!(query("view"), Ok(r#"{"p":1}"#.into()));
    assert_eq!(query("missing"), Err(ViewError::NotFound));
    assert_eq!(query("bad"), Err(ViewError::BadParams(r#"{"p":1}"#.into())));
    let parts = vec!["1".into(), "22".into(), "333".into()];
    let merged = instance.merge("view", "{}", parts, Box::new(Host::new()));
    assert_eq!(merged.result, Ok(Ok("22".into())));
}

#[test]
fn what_is_not_exported_cannot_be_called_and_harms_nothing() {
    let mut instance = running(&Stage::default());
    let due = Due {
        id: "t".into(),
        key: None,
        at: Timestamp(0),
        payload: "".into(),
    };
    let called = instance.fired(due, Box::new(Host::new()));
    Host::back(called.host);
    let Err(Failure::Fault(fault)) = called.result else {
        panic!("it has no timers")
    };
    assert_eq!(fault.code, FaultCode::Contract);
    let called = instance.query("v", "{}", Box::new(Host::new()));
    assert!(matches!(called.result, Err(Failure::Fault(_))));
    assert_eq!(call(&mut instance, b"on", Host::new()).value(), b"on");
}

#[test]
fn nan_has_one_form() {
    // A NaN with a payload of its own goes through an addition.
    let stage =
        Stage::process("(call $emit_number (i64.reinterpret_f64 (f64.add (f64.const nan:0x123) (f64.const 1))))");
    assert_eq!(once(&stage).number(), 0x7ff8_0000_0000_0000);
}

#[test]
fn relaxed_simd_and_threads_do_not_exist() {
    let relaxed = Stage {
        more: "(func (param v128 v128 v128) (result v128)
            (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))"
            .into(),
        ..Stage::default()
    };
    assert!(matches!(refused(&relaxed.build()), PrepareError::Compile(_)));
    let threads = Stage {
        more: "(memory $shared 1 1 shared)".into(),
        ..Stage::default()
    };
    assert!(matches!(refused(&threads.build()), PrepareError::Compile(_)));
}

#[test]
fn a_whole_world_with_migration_is_accepted() {
    // The SDK's world: every optional interface is there, none of it declared.
    let stage = optional();
    let full = Stage {
        world: ("stage-full", None),
        more: stage.more
            + r#"
  (func (export "fermata:stage/migration@0.1.0#migrate") (param i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
  (func (export "fermata:stage/migration@0.1.0#revert") (param i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)"#,
        ..Stage::default()
    };
    assert_eq!(once(&full).value(), b"value");
}

#[test]
fn a_component_without_imports_is_a_stage_too() {
    let module = r#"(module
      (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
      (func (export "fermata:stage/processor@0.1.0#describe") (result i32) (i32.const 0))
      (func (export "fermata:stage/processor@0.1.0#init") (param i32 i32) (result i32) (i32.const 0))
      (func (export "fermata:stage/processor@0.1.0#process")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32) (result i32) (i32.const 0)))"#;
    // It says nothing of itself: that is what it is refused for, and not for its imports.
    let PrepareError::Contract(found) = refused(&component(None, "stage", module)) else {
        panic!("refused for its description")
    };
    assert!(found.contains("name of the component \"\""), "{found}");
}
