//! Components of the world `generator`.

use crate::fixture::ENGINE;
use crate::guest::component;
use fermata_core::ports::{Artifact, Executor, PrepareError};
use fermata_core::{FaultCode, Timestamp};

/// A generator; its fields are WebAssembly text.
pub struct Generator {
    /// Body of `init` (parameters `$at`, `$len`: configuration; `$seed`).
    init: &'static str,
    /// Body of `next` (parameters `$sequence`, `$due`).
    next: &'static str,
}

/// Emits, as one value on "out", the sum of seed, sequence and due time; trouble at sequence 13.
pub fn counting() -> Generator {
    Generator {
        // plan: outputs @ 8 (list of one string at 100), setup @ 16 (align 8).
        init: r#"(global.set $kept (local.get $seed))
          (i32.store (i32.const 100) (i32.const 16)) (i32.store (i32.const 104) (i32.const 3))
          (i32.store8 (i32.const 200) (i32.const 0))
          (i32.store (i32.const 208) (i32.const 100)) (i32.store (i32.const 212) (i32.const 1))
          (i64.store (i32.const 216) (i64.const 5))
          (i32.const 200)"#,
        next: r#"(if (i64.eq (local.get $sequence) (i64.const 13)) (then unreachable))
          (i64.store (i32.const 320) (i64.add (global.get $kept) (i64.add (local.get $sequence) (local.get $due))))
          (i32.store (i32.const 256) (i32.const 16)) (i32.store (i32.const 260) (i32.const 3))
          (i32.store (i32.const 276) (i32.const 1))
          (i32.store (i32.const 280) (i32.const 320)) (i32.store (i32.const 284) (i32.const 8))
          (i32.store (i32.const 128) (i32.const 256)) (i32.store (i32.const 132) (i32.const 1))
          (i32.const 128)"#,
    }
}

impl Generator {
    pub fn build(&self) -> Artifact {
        let Self { init, next } = self;
        let module = format!(
            r#"(module
  (memory (export "memory") 1)
  (global $kept (mut i64) (i64.const 0))
  (data (i32.const 16) "out")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "fermata:stage/generation@0.1.0#init")
    (param $at i32) (param $len i32) (param $seed i64) (result i32) {init})
  (func (export "fermata:stage/generation@0.1.0#next")
    (param $sequence i64) (param $due i64) (result i32) {next}))"#
        );
        component(None, "generator", &module)
    }
}

fn init_refusal(generator: &Generator) -> String {
    match ENGINE.generator(&generator.build(), "{}", 1) {
        Err(PrepareError::Init(found)) => found,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_generator_tells_its_plan_and_keeps_to_its_seed() {
    let artifact = counting().build();
    let start = |seed| {
        ENGINE
            .generator(&artifact, "{}", seed)
            .unwrap_or_else(|e| panic!("{e}"))
    };
    let mut generator = start(1000);
    assert_eq!(generator.plan().outputs, ["out"]);
    assert_eq!(generator.plan().setup, 5);
    let emissions = generator.next(20, Timestamp(3)).expect("an emission");
    assert_eq!(emissions.len(), 1);
    assert_eq!(emissions[0].port, "out");
    assert_eq!(emissions[0].value.as_deref(), Some(1023u64.to_le_bytes().as_slice()));
    assert_eq!(start(1000).next(20, Timestamp(3)).expect("again"), emissions);
    assert_ne!(start(1001).next(20, Timestamp(3)).expect("another seed"), emissions);
}

#[test]
fn a_generator_that_fails_is_a_fault() {
    let mut generator = ENGINE
        .generator(&counting().build(), "{}", 0)
        .unwrap_or_else(|e| panic!("{e}"));
    let fault = generator.next(13, Timestamp(0)).expect_err("trouble");
    assert_eq!(fault.code, FaultCode::Trap);
    generator.next(14, Timestamp(0)).expect_err("it is not entered again");
}

#[test]
fn a_generator_may_refuse_its_configuration() {
    let refusing = Generator {
        init: r#"(i32.store8 (i32.const 200) (i32.const 1))
          (i32.store (i32.const 208) (i32.const 16)) (i32.store (i32.const 212) (i32.const 3))
          (i32.const 200)"#,
        ..counting()
    };
    assert_eq!(init_refusal(&refusing), "out");
    let trapping = Generator {
        init: "unreachable",
        ..counting()
    };
    assert!(init_refusal(&trapping).contains("fault-trap"));
}

#[test]
fn a_stage_is_not_a_generator() {
    let stage = crate::guest::Stage::default().build();
    match ENGINE.generator(&stage, "{}", 1) {
        Err(PrepareError::Contract(found)) => {
            assert!(
                found.contains("does not export fermata:stage/generation@0.1.0"),
                "{found}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}
