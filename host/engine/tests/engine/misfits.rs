//! What is not accepted at all, and what is said of it.

use crate::fixture::{ENGINE, prepare, refused};
use crate::guest::{Description, Stage, component};
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, PrepareError};

fn contract(artifact: &Artifact) -> String {
    match refused(artifact) {
        PrepareError::Contract(found) => found,
        other => panic!("{other}"),
    }
}

fn says(found: &str, expected: &str) {
    assert!(found.contains(expected), "{found:?} lacks {expected:?}");
}

#[test]
fn files_that_are_no_components() {
    let core = wat::parse_str("(module)").expect("a module");
    let program = std::fs::read(std::env::current_exe().expect("this test")).expect("readable");
    let text = b"(component)".to_vec();
    for (bytes, expected) in [
        (core, "core WebAssembly module"),
        (program, "never loaded"),
        (text, "WebAssembly as text"),
        (vec![], "empty"),
    ] {
        match refused(&Artifact::new(bytes)) {
            PrepareError::NotAComponent(found) => says(&found, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_component_cut_short_does_not_compile() {
    let whole = Stage::default().build();
    let half = Artifact::new(whole.bytes.slice(..whole.bytes.len() / 2));
    assert!(matches!(refused(&half), PrepareError::Compile(_)));
}

#[test]
fn imports_beyond_the_contract_are_named() {
    let wasi = "package fermata:test;
      world wasi { include fermata:stage/stage@0.1.0; import wasi:cli/environment@0.2.0; import wasi:cli/exit@0.2.0; }
      package wasi:cli@0.2.0 {
        interface environment { arguments: func() -> list<string>; }
        interface exit { leave: func(); }
      }";
    let other = "package fermata:test;
      world other { include fermata:stage/stage@0.1.0; import acme:db/query@1.0.0; }
      package acme:db@1.0.0 { interface query { run: func(); } }";
    let with = |wit, world, import: &str| {
        let mut stage = Stage {
            world: (world, Some(wit)),
            ..Stage::default()
        };
        // Imports stand before everything else of a module.
        stage.more = String::new();
        let module = stage.text().replacen("(module", &format!("(module {import}"), 1);
        component(Some(wit), world, &module)
    };
    let found = contract(&with(
        wasi,
        "wasi",
        r#"(import "wasi:cli/environment@0.2.0" "arguments" (func (param i32)))
           (import "wasi:cli/exit@0.2.0" "leave" (func))"#,
    ));
    says(&found, "wasi:cli/environment@0.2.0, wasi:cli/exit@0.2.0");
    says(&found, "wasm32-unknown-unknown");
    let found = contract(&with(other, "other", r#"(import "acme:db/query@1.0.0" "run" (func))"#));
    says(&found, "acme:db/query@1.0.0");
    says(&found, "may import context, store, timer, metrics and log");
}

#[test]
fn an_import_of_another_type_is_named() {
    let wit = "package fermata:test;
      world lying { import fermata:stage/context@0.1.0; }
      package fermata:stage@0.1.0 { interface context { now: func() -> string; } }";
    let module = r#"(module (import "fermata:stage/context@0.1.0" "now" (func (param i32)))
      (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))"#;
    let found = contract(&crate::guest::foreign(wit, "lying", module));
    says(&found, "fermata:stage/context@0.1.0");
}

#[test]
fn a_component_without_the_processor_is_told_what_it_exports() {
    let empty = "package fermata:test; world empty {}";
    let found = contract(&component(Some(empty), "empty", "(module)"));
    says(
        &found,
        "does not export fermata:stage/processor@0.1.0; it exports nothing",
    );

    let other = "package fermata:test; interface work { run: func(); } world other { export work; }";
    let module = r#"(module (func (export "fermata:test/work#run")))"#;
    let found = contract(&component(Some(other), "other", module));
    says(&found, "it exports fermata:test/work");
}

#[test]
fn a_generator_is_not_a_stage() {
    let found = contract(&crate::generators::counting().build());
    says(&found, "it exports fermata:stage/generation@0.1.0");
}

#[test]
fn a_processor_of_another_shape_is_refused() {
    let wit = "package fermata:test;
      world shape { export fermata:stage/processor@0.1.0; }
      package fermata:stage@0.1.0 { interface processor {
        describe: func() -> string; init: func(config: string) -> result<_, string>; process: func(input: string) -> string; } }";
    let module = r#"(module
      (memory (export "memory") 1)
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "fermata:stage/processor@0.1.0#describe") (result i32) (i32.const 0))
      (func (export "fermata:stage/processor@0.1.0#init") (param i32 i32) (result i32) (i32.const 0))
      (func (export "fermata:stage/processor@0.1.0#process") (param i32 i32) (result i32) (i32.const 0)))"#;
    let found = contract(&crate::guest::foreign(wit, "shape", module));
    says(&found, "describe");
}

#[test]
fn a_description_that_depends_on_time_or_chance_is_found_out() {
    for source in ["(i32.wrap_i64 (call $now))", "(i32.wrap_i64 (call $random))"] {
        // The last byte of the version: 0 or 1.
        let describe = format!(
            "(i32.store8 (i32.add (i32.load offset=8 (global.get $description)) (i32.const 4))
               (i32.add (i32.const 48) {source}))
             (global.get $description)"
        );
        let stage = Stage {
            describe,
            ..Stage::default()
        };
        says(&contract(&stage.build()), "describe answers differently");
    }
}

#[test]
fn a_description_that_does_not_come_is_told() {
    let cases = [
        ("unreachable", "describe does not answer: fault-trap"),
        (
            "(loop $again (br $again)) unreachable",
            "describe does not answer: fault-fuel",
        ),
        (
            "(call $delete (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3)) unreachable",
            "fault-contract: store.delete was called in describe",
        ),
    ];
    for (describe, expected) in cases {
        let stage = Stage {
            describe: describe.into(),
            ..Stage::default()
        };
        says(&contract(&stage.build()), expected);
    }
}

#[test]
fn descriptions_are_checked() {
    let base = Description::default;
    let cases = [
        (
            Description {
                name: "Probe",
                ..base()
            },
            "name of the component \"Probe\"",
        ),
        (
            Description {
                version: "1.0",
                ..base()
            },
            "version \"1.0\"",
        ),
        (
            Description {
                inputs: vec!["in", "in"],
                ..base()
            },
            "input port \"in\" twice",
        ),
        (
            Description {
                outputs: vec!["o ut"],
                ..base()
            },
            "output port \"o ut\"",
        ),
        (
            Description {
                stores: vec!["_timers"],
                ..base()
            },
            "store \"_timers\"",
        ),
        (
            Description {
                stores: vec!["a", "b", "a"],
                ..base()
            },
            "store \"a\" twice",
        ),
        (
            Description {
                metrics: vec!["Seen-it"],
                ..base()
            },
            "metric \"Seen-it\"",
        ),
        (
            Description {
                views: vec!["all"],
                ..base()
            },
            "declares views, but",
        ),
        (Description { timers: true, ..base() }, "declares timers, but"),
        (
            Description {
                config_schema: "{",
                ..base()
            },
            "config-schema is not JSON",
        ),
    ];
    for (description, expected) in cases {
        let stage = Stage {
            description: description.layout(),
            ..Stage::default()
        };
        says(&contract(&stage.build()), expected);
    }
    prepare(&Stage::default().build())
        .map(drop)
        .unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn an_init_that_fails_refuses_the_component() {
    let cases = [
        ("unreachable", "ended with fault-trap"),
        ("(loop $again (br $again)) unreachable", "ended with fault-fuel"),
        (
            "(call $get (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3) (i32.const 400)) (i32.const 64)",
            "store.get was called in init",
        ),
        (
            "(call $set_timer (i32.const 24) (i32.const 3) (i64.const 1) (i32.const 0) (i32.const 0)) (i32.const 64)",
            "timer.set was called in init",
        ),
    ];
    for (init, expected) in cases {
        let stage = Stage {
            init: init.into(),
            ..Stage::default()
        };
        match refused(&stage.build()) {
            PrepareError::Init(found) => says(&found, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_component_that_begins_with_too_much_memory_is_refused() {
    let stage = Stage {
        pages: 2_000,
        ..Stage::default()
    };
    says(&contract(&stage.build()), "fault-memory");
}

#[test]
fn a_configuration_that_is_not_json_is_refused() {
    let artifact = Stage::default().build();
    match ENGINE.prepare(&artifact, "{", &Limits::default()) {
        Err(PrepareError::Init(found)) => says(&found, "not JSON"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}
