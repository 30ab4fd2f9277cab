//! From the bytes of a component to machine code: file to file, in a child process, so that a component that makes
//! the compiler crash or grow takes nothing with it.

use crate::confine::{self, Ended};
use crate::native_code::OwnOutput;
use crate::settings;
use fermata_core::ports::PrepareError;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wasmtime::Engine;

/// Where compiling happens.
#[derive(Clone, Debug)]
pub enum Compile {
    /// Here; for tests.
    InProcess,
    Child(CompileCommand),
}

/// A program that is called as `program args... IN.wasm OUT.cwasm`, does [`compile_file`], and on failure writes the
/// reason to stderr and ends with a non-zero exit code.
#[derive(Clone, Debug)]
pub struct CompileCommand {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("cannot read {path}: {found}")]
    Read { path: PathBuf, found: io::Error },
    #[error("cannot write {path}: {found}")]
    Write { path: PathBuf, found: io::Error },
    #[error("cannot set up the compiler: {0}")]
    Settings(String),
    #[error("the compiler's limits cannot be set: {0}")]
    Limits(io::Error),
    #[error("{0}")]
    Invalid(String),
}

/// Compiles the component in `input` and writes its machine code to `output`. The body of the hidden subcommand
/// that [`CompileCommand`] names: from here on the process has the limits of a compiler.
pub fn compile_file(input: &Path, output: &Path) -> Result<(), CompileError> {
    confine::this_process().map_err(CompileError::Limits)?;
    let bytes = std::fs::read(input).map_err(|found| CompileError::Read {
        path: input.into(),
        found,
    })?;
    let engine = Engine::new(&settings::config()).map_err(|error| CompileError::Settings(format!("{error:#}")))?;
    let code = engine
        .precompile_component(&bytes)
        .map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
    std::fs::write(output, code).map_err(|found| CompileError::Write {
        path: output.into(),
        found,
    })
}

impl Compile {
    /// Machine code for `component`; `folder` takes the files of a child process, and is private to this user.
    pub fn run(&self, engine: &Engine, component: &[u8], folder: &Path) -> Result<OwnOutput, PrepareError> {
        let code = match self {
            Self::InProcess => engine
                .precompile_component(component)
                .map_err(|error| PrepareError::Compile(format!("{error:#}")))?,
            Self::Child(command) => command.run(component, folder)?,
        };
        Ok(OwnOutput::vouched_for(code))
    }
}

impl CompileCommand {
    fn run(&self, component: &[u8], folder: &Path) -> Result<Vec<u8>, PrepareError> {
        let host = |doing: &str, found: io::Error| {
            PrepareError::Host(format!("compiling a component: cannot {doing}: {found}"))
        };
        let files = tempfile::Builder::new()
            .prefix("compile-")
            .tempdir_in(folder)
            .map_err(|e| host(&format!("make a folder in {}", folder.display()), e))?;
        let (input, output) = (files.path().join("in.wasm"), files.path().join("out.cwasm"));
        std::fs::write(&input, component).map_err(|e| host("write the component", e))?;
        let child = Command::new(&self.program)
            .args(&self.args)
            .args([&input, &output])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| host(&format!("start {}", self.program.display()), e))?;
        let ended = confine::wait(child, confine::WALL).map_err(|e| host("wait for the compiler", e))?;
        if let Ended::Badly(why) = ended {
            return Err(PrepareError::Compile(why));
        }
        std::fs::read(&output).map_err(|e| host("read what the compiler wrote", e))
    }
}
