//! One broker: a child process that cannot outlive the test.

use super::jars::kafka;
use crate::harness::{PATIENCE, until};
use parking_lot::Mutex;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const WATCHDOG: &str = include_str!("../../kafka/watchdog.sh");
const HEAP_MIB: u32 = 192;
const READY: &str = "Kafka Server started";
/// Without a quorum a broker would wait minutes for a controlled end.
const GRACE: Duration = Duration::from_secs(20);

pub struct Broker {
    /// With `server.properties` and the logs of every start.
    folder: PathBuf,
    serving: bool,
    running: Mutex<Option<Running>>,
    starts: Mutex<u32>,
}

struct Running {
    /// The shell that runs it and ends with it.
    watchdog: Child,
    /// As long as this is open the broker may live.
    _leash: ChildStdin,
    pid: String,
    log: PathBuf,
}

/// Why a broker did not become ready.
#[derive(Debug)]
pub enum NotReady {
    PortTaken,
    Other(String),
}

impl Broker {
    pub fn new(folder: &Path, serving: bool) -> Self {
        Self {
            folder: folder.to_path_buf(),
            serving,
            running: Mutex::new(None),
            starts: Mutex::new(0),
        }
    }

    /// Starts it; it is ready after [`Broker::ready`].
    pub fn spawn(&self) {
        let mut running = self.running.lock();
        assert!(
            running.is_none(),
            "the broker in {} runs already",
            self.folder.display()
        );
        let mut starts = self.starts.lock();
        *starts += 1;
        let log = self.folder.join(format!("log.{starts}"));
        let java = {
            let mut java = if self.serving {
                kafka().serving()
            } else {
                kafka().command(HEAP_MIB)
            };
            java.arg("kafka.Kafka").arg(self.folder.join("server.properties"));
            java
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&log)
            .arg(java.get_program())
            .args(java.get_args());
        command
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut watchdog = command.spawn().expect("sh is on every machine");
        let leash = watchdog.stdin.take().expect("piped above");
        let mut pid = String::new();
        let said = watchdog.stdout.take().expect("piped above");
        BufReader::new(said)
            .read_line(&mut pid)
            .expect("the watchdog says whom it watches");
        let pid = pid.trim().to_owned();
        *running = Some(Running {
            watchdog,
            _leash: leash,
            pid,
            log,
        });
    }

    /// Waits until it says that it has started.
    pub fn ready(&self) -> Result<(), NotReady> {
        until("a Kafka broker is ready", 2 * PATIENCE, || {
            let mut running = self.running.lock();
            let Some(running) = running.as_mut() else {
                return Ok(Err(NotReady::Other("it was killed meanwhile".to_owned())));
            };
            let log = fs::read_to_string(&running.log).unwrap_or_default();
            if log.contains(READY) {
                return Ok(Ok(()));
            }
            if running.ended() {
                let taken = log.contains("Address already in use");
                return Ok(Err(if taken {
                    NotReady::PortTaken
                } else {
                    NotReady::Other(tail(&log))
                }));
            }
            Err(tail(&log))
        })
    }

    /// SIGKILL, and waits until it is gone. Does nothing to one that does not run.
    pub fn kill(&self) {
        if let Some(running) = self.running.lock().take() {
            running.kill();
        }
    }

    /// SIGTERM, and waits until it is gone; SIGKILL once that takes too long.
    pub fn stop(&self) {
        let Some(mut running) = self.running.lock().take() else {
            return;
        };
        let deadline = Instant::now() + GRACE;
        running.signal("-TERM");
        while !running.ended() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        running.kill();
    }

    /// SIGSTOP: its connections stay open and nothing answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }
    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let mut running = self.running.lock();
        let running = running
            .as_mut()
            .unwrap_or_else(|| panic!("the broker in {} is down", self.folder.display()));
        assert!(!running.ended(), "the broker ended: {}", tail(&running.log()));
        running.signal(signal);
    }

    pub fn pid(&self) -> String {
        let running = self.running.lock();
        let running = running
            .as_ref()
            .unwrap_or_else(|| panic!("the broker in {} is down", self.folder.display()));
        running.pid.clone()
    }

    /// What it has logged since its last start.
    pub fn log(&self) -> String {
        self.running.lock().as_ref().map(Running::log).unwrap_or_default()
    }
}

impl Running {
    fn ended(&mut self) -> bool {
        self.watchdog.try_wait().expect("a child can be asked").is_some()
    }

    /// The watchdog ends with the broker, so as long as it runs the process id is the broker's.
    fn signal(&mut self, signal: &str) {
        if !self.ended() {
            // It may end by itself at this moment.
            let _ = Command::new("kill")
                .args([signal, &self.pid])
                .stderr(Stdio::null())
                .status();
        }
    }

    fn kill(mut self) {
        self.signal("-KILL");
        // The leash is still held, so this waits for the broker's end and not for the watchdog's work.
        self.watchdog.wait().expect("a child can be waited for");
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
