//! Components that misbehave in a call: each ends as its own fault, the host context comes back, and the instance is
//! not entered again.

use crate::fixture::{Ended, call, input, once, once_within, running, running_within};
use crate::guest::Stage;
use crate::host::Host;
use fermata_core::limits::{Limits, MAX_REASON};
use fermata_core::ports::{Failure, Refused};
use fermata_core::{Fault, FaultCode};
use std::time::Duration;

/// Body of `process`, code, and what the message must say.
const FAULTS: &[(&str, &str, FaultCode, &str)] = &[
    ("a trap", "unreachable", FaultCode::Trap, "unreachable"),
    (
        "an access out of bounds",
        "(i32.load (i32.const -4))",
        FaultCode::Trap,
        "out of bounds",
    ),
    (
        "a division by zero",
        "(i32.div_u (i32.const 1) (local.get $headers_len))",
        FaultCode::Trap,
        "divide by zero",
    ),
    (
        "an endless recursion",
        "(call $deep (i32.const 0))",
        FaultCode::Trap,
        "call stack exhausted",
    ),
    (
        "an endless loop",
        "(loop $again (br $again)) unreachable",
        FaultCode::Fuel,
        "fuel",
    ),
    (
        "an endless loop of host calls",
        "(loop $again (drop (call $now)) (br $again)) unreachable",
        FaultCode::Fuel,
        "fuel",
    ),
    (
        "memory without end",
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
        FaultCode::Memory,
        "67108864 bytes of memory",
    ),
    (
        "two memories that are too much together",
        "(loop $again (br_if $again (i32.and
            (i32.ne (memory.grow (i32.const 64)) (i32.const -1))
            (i32.ne (memory.grow $second (i32.const 64)) (i32.const -1)))))
         (if (i32.gt_u (memory.size) (i32.const 600)) (then (loop $burn (br $burn))))
         unreachable",
        FaultCode::Memory,
        "of memory",
    ),
    (
        "a table without end",
        "(loop $again (br_if $again (i32.ne
            (table.grow $table (ref.null func) (i32.const 100000)) (i32.const -1)))) unreachable",
        FaultCode::Memory,
        "of memory",
    ),
    (
        "one enormous emission list",
        // A list that fills all of a grown memory with overlapping emissions of 4 MiB each.
        "(drop (memory.grow (i32.const 100)))
         (local.set $port (i32.const 131072))
         (loop $next
           (memory.copy (local.get $port) (i32.const 256) (i32.const 40))
           (local.set $port (i32.add (local.get $port) (i32.const 40)))
           (br_if $next (i32.lt_u (local.get $port) (i32.const 171072))))
         (call $ok (i32.const 131072) (i32.const 1000))",
        FaultCode::Size,
        "more data at once",
    ),
    (
        "an answer out of bounds",
        "(i32.const -8)",
        FaultCode::Contract,
        "cannot be read",
    ),
    (
        "a list out of bounds",
        "(call $ok (i32.const 256) (i32.const 100000000))",
        FaultCode::Contract,
        "cannot be read",
    ),
    (
        "an unknown discriminant",
        "(i32.store8 (i32.const 128) (i32.const 9)) (i32.const 128)",
        FaultCode::Contract,
        "cannot be read",
    ),
    (
        "a port that is not UTF-8",
        "(i32.store8 (i32.const 16) (i32.const 255)) (call $emit (i32.const 0) (i32.const 0))",
        FaultCode::Contract,
        "utf-8",
    ),
    (
        "a store whose name is not UTF-8",
        "(i32.store8 (i32.const 19) (i32.const 255))
         (call $delete (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3)) (i32.const 128)",
        FaultCode::Contract,
        "utf-8",
    ),
    (
        "an argument beyond all limits",
        "(drop (memory.grow (i32.const 200)))
         (call $put (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3) (i32.const 0) (i32.const 13000000))
         (i32.const 128)",
        FaultCode::Size,
        "more data at once",
    ),
];

fn stage(body: &str) -> Stage {
    Stage {
        process: body.into(),
        more: "(memory $second 1) (table $table 1 funcref)
            (func $deep (param i32) (result i32)
              (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))"
            .into(),
        ..Stage::default()
    }
}

#[test]
fn each_kind_of_misbehaviour_is_a_fault_of_its_own() {
    for (name, body, code, says) in FAULTS {
        // The emission at 256, of 4 MiB, is what the enormous list is made of.
        let body = format!("(drop (call $emit (i32.const 0) (i32.const 4194304))) {body}");
        let limits = Limits {
            fuel: 50_000_000,
            ..Limits::default()
        };
        let mut instance = running_within(&stage(&body), &limits);
        let ended = call(&mut instance, b"value", Host::new());
        let fault = ended.fault();
        assert_eq!(fault.code, *code, "{name}: {fault}");
        assert!(fault.message.contains(says), "{name}: {fault}");
        assert!(fault.message.len() <= MAX_REASON, "{name}: {fault}");

        let again = call(&mut instance, b"value", Host::new());
        assert!(
            matches!(again.result, Err(Failure::Host(_))),
            "{name}: {:?}",
            again.result
        );
        assert_eq!(again.fuel, 0);
    }
}

#[test]
fn the_host_context_comes_back_with_what_was_done_before_a_fault() {
    let ended = once(&stage(
        "(call $delete (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3)) unreachable",
    ));
    assert_eq!(ended.code(), FaultCode::Trap);
    assert_eq!(ended.host.calls, ["delete store key"]);
}

#[test]
fn a_trap_tells_where_it_was_and_what_the_guest_said() {
    let ended = once(&Stage {
        process: "(call $log (i32.const 3) (i32.const 32) (i32.const 10)) (call $culprit)".into(),
        more: "(func $culprit (result i32) unreachable)".into(),
        ..Stage::default()
    });
    let message = &ended.fault().message;
    assert!(message.contains("the guest said: last words"), "{message}");
    assert!(message.contains("culprit"), "{message}");
}

#[test]
fn words_of_an_earlier_call_are_not_told() {
    let stage = Stage::process(
        r#"(if (i32.eqz (local.get $value_len)) (then unreachable))
        (call $log (i32.const 3) (i32.const 32) (i32.const 10))
        (call $emit (local.get $value) (local.get $value_len))"#,
    );
    let mut instance = running(&stage);
    assert_eq!(call(&mut instance, b"x", Host::new()).value(), b"x");
    let ended = call(&mut instance, b"", Host::new());
    assert!(!ended.fault().message.contains("last words"), "{}", ended.fault());
}

#[test]
fn wall_time_never_condemns() {
    let limits = Limits {
        fuel: u64::MAX / 4,
        wall: Duration::from_millis(20),
        ..Limits::default()
    };
    let mut instance = running_within(&stage("(loop $again (br $again)) unreachable"), &limits);
    let ended = call(&mut instance, b"value", Host::new());
    assert_eq!(ended.result, Err(Failure::Deadline));
    let again = call(&mut instance, b"value", Host::new());
    assert!(matches!(again.result, Err(Failure::Host(_))), "{:?}", again.result);
}

/// Stretched, a call that would have met its deadline runs until its fuel is gone.
#[test]
fn a_stretched_deadline_is_later() {
    let limits = Limits {
        fuel: 500_000_000,
        wall: Duration::from_millis(1),
        ..Limits::default()
    };
    let spin = stage("(loop $again (br $again)) unreachable");
    let mut instance = running_within(&spin, &limits);
    assert_eq!(call(&mut instance, b"", Host::new()).result, Err(Failure::Deadline));
    let mut instance = running_within(&spin, &limits);
    instance.stretch(600_000);
    assert_eq!(call(&mut instance, b"", Host::new()).code(), FaultCode::Fuel);
}

fn put() -> Stage {
    Stage::process(
        r#"(call $put (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3) (local.get $value) (local.get $value_len))
        (call $ok (i32.const 256) (i32.const 0))"#,
    )
}

#[test]
fn what_the_host_refuses_is_the_fault_that_it_names() {
    let fault = Fault::new(FaultCode::Size, "the value is too long");
    let mut instance = running(&put());
    let host = Host::refusing(Refused::Fault(fault.clone()));
    let ended = call(&mut instance, b"value", host);
    assert_eq!(ended.result, Err(Failure::Fault(fault)));
    assert_eq!(ended.host.calls, ["put store key 5"]);
    assert!(ended.host.store.is_empty());
}

#[test]
fn what_the_host_cannot_do_is_no_fault() {
    let mut instance = running(&put());
    let host = Host::refusing(Refused::Host("the disk is gone".into()));
    let ended = call(&mut instance, b"value", host);
    assert_eq!(ended.result, Err(Failure::Host("the disk is gone".into())));
}

#[test]
fn a_write_in_a_view_is_refused() {
    let stage = Stage {
        world: (
            "with-views",
            Some(
                "package fermata:test; world with-views { include fermata:stage/stage@0.1.0; export fermata:stage/views@0.1.0; }",
            ),
        ),
        more: r#"
  (func (export "fermata:stage/views@0.1.0#query") (param i32 i32 i32 i32) (result i32)
    (call $delete (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3)) (i32.const 500))
  (func (export "fermata:stage/views@0.1.0#merge") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 500))"#
            .into(),
        ..Stage::default()
    };
    let fault = Fault::new(FaultCode::Contract, "a view only reads");
    let host = Box::new(Host::refusing(Refused::Fault(fault.clone())));
    let called = running(&stage).query("v", "{}", host);
    assert_eq!(called.result, Err(Failure::Fault(fault)));
    assert_eq!(Host::back(called.host).calls, ["delete store key"]);
}

#[test]
fn memory_that_is_refused_and_done_without_is_no_fault() {
    let ended = once(&stage(
        "(drop (memory.grow (i32.const 60000))) (call $emit (local.get $value) (local.get $value_len))",
    ));
    assert_eq!(ended.value(), b"value");
}

#[test]
fn memory_stays_granted_from_record_to_record() {
    // Each record takes a quarter of the limit and keeps it.
    let mut instance = running(&stage(
        "(if (i32.eq (memory.grow (i32.const 256)) (i32.const -1)) (then unreachable))
         (call $emit (local.get $value) (local.get $value_len))",
    ));
    let codes: Vec<Option<FaultCode>> = (0..4)
        .map(|_| match call(&mut instance, b"value", Host::new()) {
            Ended { result: Ok(_), .. } => None,
            ended => Some(ended.code()),
        })
        .collect();
    assert_eq!(codes, [None, None, None, Some(FaultCode::Memory)]);
}

#[test]
fn many_small_emissions_are_bounded_by_the_limits_of_the_stage() {
    let flood = "(call $ok (i32.const 131072) (i32.const 300000))";
    let body = format!(
        "(drop (memory.grow (i32.const 300)))
         (drop (call $emit (i32.const 0) (i32.const 0)))
         (local.set $port (i32.const 131072))
         (loop $next
           (memory.copy (local.get $port) (i32.const 256) (i32.const 40))
           (local.set $port (i32.add (local.get $port) (i32.const 40)))
           (br_if $next (i32.lt_u (local.get $port) (i32.const 12131072))))
         {flood}"
    );
    let ended = once_within(
        &stage(&body),
        &Limits {
            fuel: 100_000_000,
            ..Limits::default()
        },
    );
    assert_eq!(ended.code(), FaultCode::Size, "{}", ended.fault());
    let ended = once_within(
        &stage(&body),
        &Limits {
            fuel: 100_000_000,
            outputs: 300_000,
            ..Limits::default()
        },
    );
    assert_eq!(ended.result.expect("fits").expect("fits").len(), 300_000);
}

#[test]
fn an_input_that_does_not_fit_into_the_guest_is_about_memory() {
    let limits = Limits {
        memory: 1 << 20,
        ..Limits::default()
    };
    let mut instance = running_within(&Stage::default(), &limits);
    let called = instance.process(input(&vec![0; 2 << 20]), Box::new(Host::new()));
    Host::back(called.host);
    let Err(Failure::Fault(fault)) = called.result else {
        panic!("it does not fit")
    };
    assert_eq!(fault.code, FaultCode::Memory, "{fault}");
}
