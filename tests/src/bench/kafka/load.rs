//! The load generator at work on one side.

use super::Outcome;
use super::side::{self, Prepared, Side};
use super::tools::{Broker, Tools};
use crate::kafka::unique;
use serde_json::Value;
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A backlog, then open loops.
    Suite,
    /// One open loop.
    Open,
}

/// Topics and a folder of its own; both go with it.
pub struct Load<'a> {
    tools: &'a Tools,
    broker: &'a Broker,
    side: Side,
    run: String,
    folder: TempDir,
    prepared: Prepared,
}

impl<'a> Load<'a> {
    pub fn new(tools: &'a Tools, broker: &'a Broker, side: Side) -> Outcome<Self> {
        let run = unique("bench");
        let folder = tempfile::Builder::new().prefix("fermata-bench-").tempdir()?;
        let prepared = side::prepare(side, tools, broker, &run, folder.path())?;
        Ok(Self {
            tools,
            broker,
            side,
            run,
            folder,
            prepared,
        })
    }

    /// What it printed, one value for each measurement. The system starts and ends within.
    pub fn run(&self, mode: Mode, flags: &[(&str, String)]) -> Outcome<Vec<Value>> {
        let log = self.folder.path().join("system.log");
        let mut payload = Command::new(&self.tools.payload);
        payload.arg(match mode {
            Mode::Suite => "suite",
            Mode::Open => "open",
        });
        payload.args([
            "--bootstrap",
            self.broker.bootstrap(),
            "--broker-pid",
            &self.broker.pid(),
        ]);
        payload.args(["--in", &self.prepared.incoming, "--out", &self.prepared.confirmed]);
        payload.args(["--label", self.side.name(), "--system-cmd", &self.prepared.command]);
        payload
            .args(["--restart-cmd", &self.prepared.restart, "--system-log"])
            .arg(&log);
        for (flag, value) in self.prepared.flags.iter().chain(flags) {
            payload.args([*flag, value]);
        }
        let output = payload.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let end: Vec<&str> = said.lines().rev().take(20).collect();
            let end: Vec<&str> = end.into_iter().rev().collect();
            let found = format!(
                "{}: the load generator ended with {}; the system said last:\n{}",
                self.side.name(),
                output.status,
                end.join("\n")
            );
            return Err(found.into());
        }
        let lines = String::from_utf8(output.stdout)?;
        let values = lines
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Value>, _>>()?;
        for value in &values {
            self.exactly_once(value)?;
        }
        Ok(values)
    }

    /// A figure of a run that lost or doubled something is worth nothing.
    fn exactly_once(&self, value: &Value) -> Outcome<()> {
        let zero = |name: &str| value[name].as_f64().is_none_or(|n| n == 0.0);
        if value["complete"] == "yes" && zero("missing") && zero("dups") {
            return Ok(());
        }
        Err(format!("{} did not end every payment once: {value}", self.side.name()).into())
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        let mut deleting = Command::new(&self.tools.payload);
        deleting.args(["topics", "--bootstrap", self.broker.bootstrap()]);
        deleting.args(["--delete-prefix", &format!("{}.", self.run)]);
        if let Err(error) = side::done(&mut deleting) {
            eprintln!("topics that begin with {}. stay: {error}", self.run);
        }
    }
}
