//! Compiling in a child process: this program is both the test and, called with `__compile`, the compiler.

use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, Executor, PrepareError};
use fermata_engine::{Compile, CompileCommand, EngineOptions, WasmExecutor, compile_file};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, input, output] = &args[..]
        && verb == "__compile"
    {
        return match compile_file(Path::new(input), Path::new(output)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    a_component_is_compiled_by_the_child();
    what_the_child_says_is_told();
    what_takes_too_much_of_the_compiler_is_refused();
    println!("child: 3 tests passed");
    ExitCode::SUCCESS
}

fn engine(folder: &Path) -> WasmExecutor {
    WasmExecutor::new(EngineOptions {
        compile: Compile::Child(CompileCommand {
            program: std::env::current_exe().expect("this program"),
            args: vec!["__compile".into()],
        }),
        cache: Some(folder.into()),
    })
    .expect("an engine")
}

fn prepare(folder: &Path, text: &str) -> PrepareError {
    let artifact = Artifact::new(wat::parse_str(text).expect("valid text"));
    match engine(folder).prepare(&artifact, "{}", &Limits::default()) {
        Ok(_) => panic!("{text} is no stage"),
        Err(error) => error,
    }
}

/// That it is refused for its contract shows that it was compiled and loaded.
fn a_component_is_compiled_by_the_child() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = prepare(folder.path(), "(component (core module (func unreachable)))");
    assert!(
        matches!(&error, PrepareError::Contract(found) if found.contains("exports nothing")),
        "{error}"
    );
    let kept: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        kept.len(),
        3,
        "key, code, mark, and nothing left of the child: {kept:?}"
    );
}

fn what_the_child_says_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = prepare(folder.path(), "(component (core module (func (result i32))))");
    assert!(
        matches!(&error, PrepareError::Compile(found) if found.contains("type mismatch")),
        "{error}"
    );
}

/// A function that is small to write down and long to compile.
fn bomb() -> String {
    let step = "(local.set 0 (i32.mul (i32.add (local.get 0) (local.get 1)) (i32.xor (local.get 0) (i32.const 7))))";
    format!(
        "(component (core module (func (param i32 i32) {})))",
        step.repeat(100_000)
    )
}

/// By its memory and by its processor time; with the same limits a sound one compiles.
fn what_takes_too_much_of_the_compiler_is_refused() {
    let bomb = bomb();
    let sound = "(component (core module (func unreachable)))";
    for (limit, says) in [("FERMATA_COMPILE_MEMORY=192", "192 MiB"), ("FERMATA_COMPILE_SECONDS=1", "1 s of processor")] {
        let folder = tempfile::tempdir().expect("a folder");
        let error = prepare_within(folder.path(), sound, limit);
        assert!(matches!(error, PrepareError::Contract(_)), "{limit}: {error}");
        let error = prepare_within(folder.path(), &bomb, limit);
        assert!(
            matches!(&error, PrepareError::Compile(found) if found.contains(says)),
            "{limit}: {error}"
        );
    }
}

fn prepare_within(folder: &Path, text: &str, limit: &str) -> PrepareError {
    let own = std::env::current_exe().expect("this program");
    let executor = WasmExecutor::new(EngineOptions {
        compile: Compile::Child(CompileCommand {
            program: "env".into(),
            args: vec![limit.into(), own.into(), "__compile".into()],
        }),
        cache: Some(folder.into()),
    });
    let artifact = Artifact::new(wat::parse_str(text).expect("valid text"));
    match executor.expect("an engine").prepare(&artifact, "{}", &Limits::default()) {
        Ok(_) => panic!("it is no stage"),
        Err(error) => error,
    }
}
