//! Validators written by hand: what they see and say, and what each kind of misbehaviour ends as.

use crate::fixture::{ENGINE, refused};
use crate::guest::{self, component};
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, Failure, PrepareError};
use fermata_core::validation::{Allowance, Opinion, ValidatorInstance, ValidatorVersion};
use fermata_core::{FaultCode, Header, Input, Rejection, Timestamp, Verdict};
use fermata_engine::Inspected;
use std::sync::Arc;
use std::time::Duration;

/// The text of `validator.wat`; `body` leaves the address of the answer.
fn module(init: &str, body: &str) -> String {
    include_str!("validator.wat")
        .replace("INIT", init)
        .replace("VALIDATE", body)
        .replace("PAGES", "2")
        .replace("MORE", "")
}

const CALM: &str = "(call $answer (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
const READY: &str = "(i32.const 64)";

fn validator(body: &str) -> Artifact {
    component(None, "validator", &module(READY, body))
}

fn prepare(artifact: &Artifact, limits: &Limits) -> Result<Arc<dyn ValidatorVersion>, PrepareError> {
    ENGINE.validator(artifact, "{}", limits)
}

fn running(body: &str, limits: &Limits) -> Box<dyn ValidatorInstance> {
    let version = prepare(&validator(body), limits).unwrap_or_else(|e| panic!("{e}"));
    version.instantiate().expect("an instance")
}

fn input() -> Input {
    Input {
        port: "in".into(),
        key: Some("key".into()),
        value: Some("value".into()),
        headers: vec![Header::new("h", "v")],
        timestamp: Timestamp(7),
        verdicts: vec![Verdict {
            validator: "earlier".into(),
            code: None,
            reason: String::new(),
        }],
    }
}

fn misfit(artifact: &Artifact) -> String {
    match prepare(artifact, &Limits::default()) {
        Err(PrepareError::Contract(found)) => found,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn it_sees_the_record_and_the_memo_and_its_words_come_back() {
    let echo = "(call $answer (i32.const 0) (local.get $has_memo) (local.get $memo) (local.get $memo_len))";
    let mut running_echo = running(echo, &Limits::default());
    for memo in [None, Some(&b""[..]), Some(b"times")] {
        let said = running_echo.validate(&input(), memo).expect("an opinion");
        let memo = memo.map(|memo| memo.to_vec().into());
        assert_eq!(said, Opinion { refusal: None, memo });
    }
    for (part, seen) in [("key", "key"), ("value", "value")] {
        let body =
            format!("(call $answer (i32.const 1) (local.get $has_{part}) (local.get ${part}) (local.get ${part}_len))");
        let said = running(&body, &Limits::default()).validate(&input(), None);
        let refusal = Some(Rejection {
            code: "too-fast".into(),
            reason: "because".into(),
        });
        let memo = Some(seen.into());
        assert_eq!(said, Ok(Opinion { refusal, memo }));
    }
    let time = "(i64.store (i32.const 320) (local.get $timestamp))
        (call $answer (i32.const 0) (i32.const 1) (i32.const 320) (i32.const 8))";
    let said = running(time, &Limits::default())
        .validate(&input(), None)
        .expect("an opinion");
    assert_eq!(said.memo.as_deref(), Some(&7_i64.to_le_bytes()[..]));
    let header = "(call $answer (i32.const 0) (i32.const 1)
        (i32.load offset=12 (local.get $headers)) (i32.load offset=16 (local.get $headers)))";
    let said = running(header, &Limits::default())
        .validate(&input(), None)
        .expect("an opinion");
    assert_eq!(said.memo.as_deref(), Some(&b"v"[..]));
}

#[test]
fn each_kind_of_misbehaviour_is_a_fault_of_its_own() {
    for (name, body, code) in [
        ("a trap", "unreachable", FaultCode::Trap),
        (
            "an endless loop",
            "(loop $again (br $again)) unreachable",
            FaultCode::Fuel,
        ),
        (
            "memory without end",
            "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            FaultCode::Memory,
        ),
        ("an answer out of bounds", "(i32.const -8)", FaultCode::Contract),
        (
            "a code that is not UTF-8",
            "(i32.store8 (i32.const 16) (i32.const 255))
             (call $answer (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))",
            FaultCode::Contract,
        ),
        (
            "a memo of 13 MB",
            "(drop (memory.grow (i32.const 200)))
             (call $answer (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 13000000))",
            FaultCode::Size,
        ),
    ] {
        let mut guest = running(body, &Limits::default());
        match guest.validate(&input(), None) {
            Err(Failure::Fault(fault)) => assert_eq!(fault.code, code, "{name}: {fault}"),
            other => panic!("{name}: {other:?}"),
        }
        let again = guest.validate(&input(), None);
        assert!(
            matches!(again, Err(Failure::Host(_))),
            "{name}: a dead instance is not entered again: {again:?}"
        );
    }
}

#[test]
fn its_limits_are_its_own() {
    let allowance = Allowance {
        memory: 4 << 20,
        fuel: 10_000,
        wall: Duration::from_secs(60),
    };
    let spin = "(local $n i32)
        (loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const 5000))))";
    let body = format!("{spin} {CALM}");
    let within = |limits: &Limits| running(&body, limits).validate(&input(), None);
    assert!(within(&Limits::default()).is_ok());
    match within(&allowance.into()) {
        Err(Failure::Fault(fault)) => assert_eq!(fault.code, FaultCode::Fuel),
        other => panic!("{other:?}"),
    }
    // Wall time condemns nobody.
    let slow = Limits {
        fuel: u64::MAX >> 1,
        wall: Duration::from_millis(1),
        ..Limits::default()
    };
    let ended = running("(loop $again (br $again)) unreachable", &slow).validate(&input(), None);
    assert_eq!(ended, Err(Failure::Deadline));
}

#[test]
fn any_import_is_refused_by_its_name() {
    let with = |wit: &'static str, world: &'static str, import: &str| {
        // Imports stand before everything else of a module.
        let text = module(READY, CALM).replacen("(module", &format!("(module {import}"), 1);
        misfit(&component(Some(wit), world, &text))
    };
    let wasi = "package fermata:test;
      world wasi { include fermata:stage/validator@0.1.0; import wasi:cli/environment@0.2.0; }
      package wasi:cli@0.2.0 { interface environment { arguments: func() -> list<string>; } }";
    let asked = "(import \"wasi:cli/environment@0.2.0\" \"arguments\" (func (param i32)))";
    let found = with(wasi, "wasi", asked);
    assert!(
        found.contains("wasi:cli/environment@0.2.0") && found.contains("nothing of WASI"),
        "{found}"
    );

    let log = "package fermata:test;
      world logs { include fermata:stage/validator@0.1.0; import fermata:stage/log@0.1.0; }";
    let asked = "(import \"fermata:stage/log@0.1.0\" \"write\" (func (param i32 i32 i32)))";
    let found = with(log, "logs", asked);
    assert!(
        found.contains("fermata:stage/log@0.1.0") && found.contains("imports nothing at all"),
        "{found}"
    );
}

#[test]
fn a_stage_is_no_validator_nor_a_validator_a_stage() {
    let stage = guest::Stage::default().build();
    assert!(misfit(&stage).contains("fermata:stage/store@0.1.0"));
    let validator = validator(CALM);
    match refused(&validator) {
        PrepareError::Contract(found) => assert!(found.contains("validation@0.1.0"), "{found}"),
        other => panic!("{other}"),
    }
    let nothing = Artifact::new(wat::parse_str("(component)").expect("valid text"));
    assert!(misfit(&nothing).contains("does not export fermata:stage/validation@0.1.0"));

    let inspected = |artifact| ENGINE.inspect(artifact, &Limits::default());
    assert!(matches!(inspected(&validator), Ok(Inspected::Validator)));
    assert!(matches!(inspected(&stage), Ok(Inspected::Stage(_))));
}

#[test]
fn an_init_that_refuses_traps_or_loops_refuses_the_configuration() {
    let says_no = "(i32.store8 (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 24))
        (i32.store (i32.const 72) (i32.const 7)) (i32.const 64)";
    for (init, expected) in [
        (says_no, "because"),
        ("unreachable", "fault-trap"),
        ("(loop $again (br $again)) unreachable", "fault-fuel"),
    ] {
        let artifact = component(None, "validator", &module(init, CALM));
        match prepare(&artifact, &Limits::default()) {
            Err(PrepareError::Init(found)) => assert!(found.contains(expected), "{found}"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{init} was accepted"),
        }
    }
    let artifact = validator(CALM);
    assert!(matches!(
        ENGINE.validator(&artifact, "{", &Limits::default()),
        Err(PrepareError::Init(_))
    ));
}
