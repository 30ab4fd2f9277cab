//! Child processes that end with the test.

use super::{Cli, PATIENCE, until};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `fermata`, built beside this test by `cargo xtask test`; `FERMATA_BIN` names another.
pub fn binary() -> PathBuf {
    if let Ok(named) = std::env::var("FERMATA_BIN") {
        return named.into();
    }
    let own = std::env::current_exe().expect("a test knows its own path");
    let beside = own.parent().and_then(Path::parent).map(|target| target.join("fermata"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no `fermata` beside {}: run `cargo xtask test`, which builds it",
            own.display()
        )
    })
}

/// Another program of the workspace, built beside `fermata`.
pub fn sibling(name: &str) -> PathBuf {
    let path = binary().with_file_name(name);
    assert!(
        path.is_file(),
        "no {}: run `cargo xtask test`, which leaves it there",
        path.display()
    );
    path
}

/// A component made for tests: `echo-1.0.0` of `tests/guests/echo`.
pub fn fixture(name: &str) -> PathBuf {
    let program = binary();
    let target = program
        .parent()
        .and_then(Path::parent)
        .expect("the binary lies in target/release");
    let path = target.join("guests/fixtures").join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "no {}: run `cargo xtask guests`, which builds it",
        path.display()
    );
    path
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    pub manifest: PathBuf,
    /// `fermata.toml`; without one the log is embedded.
    pub config: Option<PathBuf>,
    pub data_dir: PathBuf,
    pub workers: u8,
    pub env: Vec<(String, String)>,
    /// No file may grow beyond so many KiB.
    pub file_limit: Option<u64>,
}

impl ServerSpec {
    /// The payment pipeline, on two workers.
    pub fn payments(data_dir: &Path) -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/payments/pipeline.toml");
        Self {
            manifest,
            config: None,
            data_dir: data_dir.to_owned(),
            workers: 2,
            env: Vec::new(),
            file_limit: None,
        }
    }
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
    pub fn file_limit(mut self, kib: u64) -> Self {
        self.file_limit = Some(kib);
        self
    }

    /// The binary, by way of a shell that sets limits where there are any.
    fn program(&self) -> Command {
        let Some(kib) = self.file_limit else {
            return Command::new(binary());
        };
        let mut shell = Command::new("sh");
        // POSIX counts this limit in blocks of 512 bytes.
        let blocks = (kib * 2).to_string();
        shell
            .args(["-c", "ulimit -f \"$0\" && exec \"$@\"", &blocks])
            .arg(binary());
        shell
    }
}

/// `fermata run` as a child; killed when dropped.
pub struct Server {
    child: Child,
    base: String,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts and waits until it is ready.
    pub fn start(spec: &ServerSpec) -> Self {
        let mut server = Self::spawn(spec);
        server.ready();
        server
    }

    /// Starts and waits until its API listens, whatever the workers do.
    pub fn spawn(spec: &ServerSpec) -> Self {
        let mut server = Self::launch(spec);
        server.listens();
        server
    }

    /// Waits until its API listens.
    pub fn listens(&mut self) {
        self.base = until("the server says where its API is", PATIENCE, || {
            self.still_runs();
            self.address().ok_or_else(|| self.stderr())
        });
    }

    /// Starts, and waits for nothing: it may well end at once.
    pub fn launch(spec: &ServerSpec) -> Self {
        let mut command = spec.program();
        command
            .arg("run")
            .arg("-f")
            .arg(&spec.manifest)
            .arg("--data-dir")
            .arg(&spec.data_dir)
            .args(["--workers", &spec.workers.to_string()])
            .args(
                spec.config
                    .iter()
                    .flat_map(|file| [OsStr::new("--config"), file.as_os_str()]),
            )
            .args(["--listen", "127.0.0.1:0"])
            .env("NO_COLOR", "1")
            .envs(spec.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (kept, pipe) = (lines.clone(), child.stderr.take().expect("piped above"));
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                kept.lock().expect("no panic holds it").push(line);
            }
        });
        Self {
            child,
            base: String::new(),
            stderr: lines,
        }
    }

    /// `http://127.0.0.1:40123`, from the line that says so.
    fn address(&self) -> Option<String> {
        let lines = self.stderr.lock().expect("no panic holds it");
        let found = lines.iter().find_map(|line| line.strip_prefix("API "))?;
        Some(found.split("/api").next()?.to_owned())
    }

    fn still_runs(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child can be asked") {
            panic!("the server ended with {status}:\n{}", self.stderr());
        }
    }

    /// Waits until every shard is held.
    pub fn ready(&mut self) {
        let readiness = self.url("/readyz");
        until("every shard is held by a worker", PATIENCE, || {
            self.still_runs();
            ureq::get(&readiness)
                .call()
                .map(|_| ())
                .map_err(|e| format!("{e}; stderr: {}", self.stderr()))
        });
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
    pub fn cli(&self) -> Cli {
        Cli { server: self.url("") }
    }
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no panic holds it").join("\n")
    }

    /// Has it written this on stderr?
    pub fn said(&self, text: &str) -> bool {
        self.stderr().contains(text)
    }

    /// Waits for a line on stderr.
    pub fn says(&self, text: &str) {
        until(&format!("the server says {text:?}"), PATIENCE, || {
            if self.said(text) { Ok(()) } else { Err(self.stderr()) }
        });
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGSTOP: it holds what it held, and does nothing.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(
            sent.expect("kill is on every machine").success(),
            "no {signal} to {pid}"
        );
    }

    /// SIGTERM, and waits for a clean end.
    pub fn stop(mut self) {
        self.signal("-TERM");
        let status = until("the server ends on SIGTERM", PATIENCE, || {
            self.child
                .try_wait()
                .expect("a child can be asked")
                .ok_or_else(|| self.stderr())
        });
        assert!(status.success(), "the server ended with {status}:\n{}", self.stderr());
    }

    /// Waits until the process has ended by itself, and says how.
    pub fn ended(&mut self, patience: Duration) -> std::process::ExitStatus {
        until("the server ends by itself", patience, || {
            self.child
                .try_wait()
                .expect("a child can be asked")
                .ok_or_else(|| self.stderr())
        })
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
