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

/// A component with one function that is small to write down and long to compile.
fn bomb() -> Vec<u8> {
    // local 0 = (local 0 + local 1) * (local 0 ^ 7)
    const STEP: &[u8] = b"\x20\x00\x20\x01\x6a\x20\x00\x41\x07\x73\x6c\x21\x00";
    let body = [b"\x00", STEP.repeat(300_000).as_slice(), b"\x20\x00\x0b"].concat();
    let code = [&[1], leb(body.len()).as_slice(), &body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, b"\x01\x60\x02\x7f\x7f\x01\x7f"),
        section(3, b"\x01\x00"),
        section(10, &code),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [&[id], leb(bytes.len()).as_slice(), bytes].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// By its memory and by its processor time; with the same limits a sound one compiles.
fn what_takes_too_much_of_the_compiler_is_refused() {
    let bomb = bomb();
    let sound = wat::parse_str("(component (core module (func unreachable)))").expect("valid text");
    for (limit, says) in [
        ("FERMATA_COMPILE_MEMORY=192", "FERMATA_COMPILE_MEMORY"),
        ("FERMATA_COMPILE_SECONDS=1", "processor time"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let error = prepare_within(folder.path(), &sound, limit);
        assert!(matches!(error, PrepareError::Contract(_)), "{limit}: {error}");
        let error = prepare_within(folder.path(), &bomb, limit);
        assert!(
            matches!(&error, PrepareError::Compile(found) if found.contains(says)),
            "{limit}: {error}"
        );
    }
}

fn prepare_within(folder: &Path, component: &[u8], limit: &str) -> PrepareError {
    let own = std::env::current_exe().expect("this program");
    let executor = WasmExecutor::new(EngineOptions {
        compile: Compile::Child(CompileCommand {
            program: "env".into(),
            args: vec![limit.into(), own.into(), "__compile".into()],
        }),
        cache: Some(folder.into()),
    });
    let artifact = Artifact::new(component.to_vec());
    match executor
        .expect("an engine")
        .prepare(&artifact, "{}", &Limits::default())
    {
        Ok(_) => panic!("it is no stage"),
        Err(error) => error,
    }
}
