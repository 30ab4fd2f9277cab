//! The command line against a server.

use super::{PATIENCE, binary, until};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

/// `fermata <args>` against a server.
#[derive(Clone, Debug)]
pub struct Cli {
    pub server: String,
}

impl Cli {
    /// Where no server is needed, or where none answers.
    pub fn nowhere() -> Self {
        Self {
            server: format!("http://127.0.0.1:{}", super::free_port()),
        }
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .env("FERMATA_SERVER", &self.server)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Standard output of a run that must end with 0.
    pub fn ok(&self, args: &[&str]) -> String {
        self.exits(args, 0)
    }

    /// Standard output of a run that must end with `code`.
    pub fn exits(&self, args: &[&str], code: i32) -> String {
        text(args, &self.run(args), code).0
    }

    /// Standard error of a run that must end with `code`, which is not 0.
    pub fn fails(&self, args: &[&str], code: i32) -> String {
        text(args, &self.run(args), code).1
    }

    /// Standard output of a run that reads `input` and must end with 0.
    pub fn fed(&self, args: &[&str], input: &str) -> String {
        self.feed(args, input, 0).0
    }

    /// Standard error of a run that reads `input` and must end with `code`.
    pub fn fed_fails(&self, args: &[&str], input: &str, code: i32) -> String {
        self.feed(args, input, code).1
    }

    fn feed(&self, args: &[&str], input: &str, code: i32) -> (String, String) {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut pipe = child.stdin.take().expect("piped above");
        // A child that has refused already reads nothing.
        let _ = pipe.write_all(input.as_bytes());
        drop(pipe);
        text(
            args,
            &child.wait_with_output().expect("a child can be waited for"),
            code,
        )
    }

    /// The JSON that a run with `-o json` prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("fermata {args:?} -o json printed no JSON ({e}): {out}"))
    }

    /// The `data` of a view's answer.
    pub fn view(&self, view: &[&str]) -> Value {
        self.json(&[&["view", "get"], view].concat())["data"].clone()
    }

    /// Waits until all that was sent is read, then drains. A drain alone leaves what is unread at the head where it
    /// is, and a slow machine may be far behind the load.
    pub fn read_all_and_drain(&self) {
        until("everything sent is read", 5 * PATIENCE, || {
            let lag = self.json(&["status"])["lag"].as_u64();
            if lag == Some(0) { Ok(()) } else { Err(lag) }
        });
        self.ok(&["drain", "--wait", "--timeout", "120s"]);
    }

    /// Something that runs beside the test; ends with the test at the latest.
    pub fn background(&self, args: &[&str]) -> Background {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Background(Some(command.spawn().expect("the binary starts")))
    }
}

fn text(args: &[&str], output: &Output, code: i32) -> (String, String) {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(
        output.status.code(),
        Some(code),
        "fermata {args:?}\nstdout: {out}\nstderr: {err}"
    );
    (out.into_owned(), err.into_owned())
}

/// A child that runs beside the test. It must not print more than a pipe holds.
pub struct Background(Option<Child>);

impl Background {
    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it is taken only when the whole is given away")
    }

    pub fn running(&mut self) -> bool {
        self.child().try_wait().expect("a child can be asked").is_none()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Output {
        let child = self.0.take().expect("it is taken only here");
        child.wait_with_output().expect("a child can be waited for")
    }

    /// Ctrl-C, then as [`Background::finish`].
    pub fn interrupt(mut self) -> Output {
        let pid = self.child().id().to_string();
        let sent = Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill is on every machine");
        assert!(sent.success(), "no SIGINT to {pid}");
        self.finish()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
