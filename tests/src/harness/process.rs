//! Child processes that end with the test.

use super::until;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `fermata`, built beside this test by `cargo xtask test`; `FERMATA_BIN` names another.
pub fn binary() -> PathBuf {
    if let Ok(named) = std::env::var("FERMATA_BIN") {
        return named.into();
    }
    let own = std::env::current_exe().expect("a test knows its own path");
    let beside = own.parent().and_then(Path::parent).map(|target| target.join("fermata"));
    beside
        .filter(|path| path.is_file())
        .unwrap_or_else(|| panic!("no `fermata` beside {}: run `cargo xtask test`, which builds it", own.display()))
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
    pub data_dir: PathBuf,
    pub workers: u8,
    pub env: Vec<(String, String)>,
}

impl ServerSpec {
    /// The payment pipeline, on two workers.
    pub fn payments(data_dir: &Path) -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/payments/pipeline.toml");
        Self { manifest, data_dir: data_dir.to_owned(), workers: 2, env: Vec::new() }
    }
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// `fermata run` as a child; killed when dropped.
pub struct Server {
    child: Child,
    port: u16,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts and waits until it is ready.
    pub fn start(spec: &ServerSpec) -> Self {
        let mut server = Self::spawn(spec);
        server.ready();
        server
    }

    pub fn spawn(spec: &ServerSpec) -> Self {
        let port = free_port();
        let mut command = Command::new(binary());
        command
            .arg("run")
            .arg("-f")
            .arg(&spec.manifest)
            .arg("--data-dir")
            .arg(&spec.data_dir)
            .args(["--workers", &spec.workers.to_string()])
            .args(["--listen", &format!("127.0.0.1:{port}")])
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
        Self { child, port, stderr: lines }
    }

    pub fn ready(&mut self) {
        until("the server is ready", Duration::from_secs(60), || {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                panic!("the server ended with {status}:\n{}", self.stderr());
            }
            match ureq::get(&self.url("/readyz")).call() {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("{error}; stderr: {}", self.stderr())),
            }
        });
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
    pub fn cli(&self) -> Cli {
        Cli { server: self.url("") }
    }
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no panic holds it").join("\n")
    }

    /// Waits for a line on stderr.
    pub fn says(&self, text: &str, patience: Duration) {
        until(&format!("the server says {text:?}"), patience, || {
            let said = self.stderr();
            if said.contains(text) { Ok(()) } else { Err(said) }
        });
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, and waits for a clean end.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is on every machine");
        assert!(sent.success(), "no SIGTERM to {pid}");
        let status = until("the server ends on SIGTERM", Duration::from_secs(30), || {
            self.child.try_wait().expect("a child can be asked").ok_or_else(|| self.stderr())
        });
        assert!(status.success(), "the server ended with {status}:\n{}", self.stderr());
    }

    /// Waits until the process has ended by itself, and says how.
    pub fn ended(&mut self, patience: Duration) -> std::process::ExitStatus {
        until("the server ends by itself", patience, || {
            self.child.try_wait().expect("a child can be asked").ok_or_else(|| self.stderr())
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

/// `fermata <args>` against a server.
#[derive(Clone, Debug)]
pub struct Cli {
    pub server: String,
}

impl Cli {
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).env("FERMATA_SERVER", &self.server).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Standard output of a run that must end with 0.
    pub fn ok(&self, args: &[&str]) -> String {
        self.exits(args, 0)
    }

    /// Standard output of a run that must end with `code`.
    pub fn exits(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "fermata {args:?}\nstdout: {out}\nstderr: {err}");
        out.into_owned()
    }

    /// The JSON that a run with `-o json` prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("fermata {args:?} -o json printed no JSON ({e}): {out}"))
    }

    /// A load in the background; ends with the test at the latest.
    pub fn background(&self, args: &[&str]) -> Background {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Background(command.spawn().expect("the binary starts"))
    }
}

/// A child that runs beside the test.
pub struct Background(Child);

impl Background {
    pub fn running(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_none()
    }
    /// Waits for its end and says whether it was a success.
    pub fn finish(mut self) -> bool {
        self.0.wait().expect("a child can be waited for").success()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
