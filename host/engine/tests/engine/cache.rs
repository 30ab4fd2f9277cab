//! The cache of machine code, seen from outside: an engine whose compiler is broken can still use what was compiled
//! before, and nothing else.

use crate::guest::Stage;
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, PrepareError};
use fermata_engine::{Compile, CompileCommand, EngineOptions, WasmExecutor};
use std::path::{Path, PathBuf};

fn engine(folder: &Path, compile: Compile) -> WasmExecutor {
    WasmExecutor::new(EngineOptions {
        compile,
        cache: Some(folder.join("cache")),
    })
    .expect("an engine")
}

/// A compiler that always fails.
fn broken() -> Compile {
    Compile::Child(CompileCommand {
        program: "false".into(),
        args: vec![],
    })
}

fn prepare(engine: &WasmExecutor, artifact: &Artifact) -> Result<(), PrepareError> {
    engine.prepare(artifact, "{}", &Limits::default()).map(drop)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("cache"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn compiled_once_loaded_ever_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let artifact = Stage::default().build();
    prepare(&engine(folder.path(), Compile::InProcess), &artifact).expect("compiled");
    prepare(&engine(folder.path(), broken()), &artifact).expect("loaded");
    let another = Stage::process("(call $ok (i32.const 256) (i32.const 0))").build();
    let error = prepare(&engine(folder.path(), broken()), &another).expect_err("not compiled");
    assert!(
        matches!(&error, PrepareError::Compile(found) if found.contains("exit status: 1")),
        "{error}"
    );
}

#[test]
fn machine_code_that_was_tampered_with_is_not_loaded_but_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let artifact = Stage::default().build();
    let compile = || prepare(&engine(folder.path(), Compile::InProcess), &artifact);
    compile().expect("compiled");
    let [code] = &files(folder.path(), "cwasm")[..] else {
        panic!("one artefact")
    };
    let [mark] = &files(folder.path(), "mac")[..] else {
        panic!("one mark")
    };
    let whole = std::fs::read(code).expect("readable");
    // One bit in the middle of what would be run.
    let mut tampered = whole.clone();
    tampered[whole.len() / 2] ^= 1;
    std::fs::write(code, &tampered).expect("writable");
    prepare(&engine(folder.path(), broken()), &artifact).expect_err("not loaded");
    compile().expect("compiled again");
    assert_eq!(std::fs::read(code).expect("readable"), whole);
    prepare(&engine(folder.path(), broken()), &artifact).expect("loaded");

    std::fs::remove_file(mark).expect("removable");
    prepare(&engine(folder.path(), broken()), &artifact).expect_err("without a mark");
    compile().expect("compiled again");
    // Whoever copies another installation's folder without its key has nothing.
    std::fs::remove_file(folder.path().join("cache/key")).expect("removable");
    prepare(&engine(folder.path(), broken()), &artifact).expect_err("another key");
}

#[test]
fn a_compiler_that_is_not_there_is_the_hosts_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = Compile::Child(CompileCommand {
        program: folder.path().join("no-such-program"),
        args: vec![],
    });
    let error = prepare(&engine(folder.path(), missing), &Stage::default().build());
    let error = error.expect_err("nothing compiles");
    assert!(
        matches!(&error, PrepareError::Host(found) if found.contains("no-such-program")),
        "{error}"
    );
}
