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
    println!("child: 2 tests passed");
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
