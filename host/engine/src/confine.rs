//! What the compiler may use: it works on bytes that somebody else chose, and some are chosen to make it grow.

use crate::verdict::cut;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// MiB of address space, instead of [`MEMORY_MIB`].
pub const MEMORY_VARIABLE: &str = "FERMATA_COMPILE_MEMORY";
/// Seconds of processor time, instead of [`SECONDS`].
pub const SECONDS_VARIABLE: &str = "FERMATA_COMPILE_SECONDS";
/// Enough for a JavaScript engine as a component, many times over for a stage.
const MEMORY_MIB: u64 = 4 << 10;
const SECONDS: u64 = 300;
/// Machine code is some times larger than its component.
const OUTPUT_BYTES: u64 = 1 << 30;
/// Wall time, by which even a compiler that waits is ended.
pub const WALL: Duration = Duration::from_secs(900);

/// Bytes of a compiler's message that are read.
const MAX_MESSAGE: usize = 2 << 10;
const SIGXCPU: i32 = 24;

/// Limits of this process and of nothing that was before it.
pub fn this_process() -> io::Result<()> {
    use rlimit::Resource;
    let set = |resource: Resource, soft: u64, hard: u64| {
        let (_, most) = resource.get()?;
        resource.set(soft.min(most), hard.min(most))
    };
    let memory = memory_mib().saturating_mul(1 << 20);
    set(Resource::AS, memory, memory)?;
    // At the soft limit comes the signal that says so; at the hard one it would be any kill.
    set(Resource::CPU, seconds(), seconds().saturating_add(10))?;
    set(Resource::FSIZE, OUTPUT_BYTES, OUTPUT_BYTES)?;
    // What is left of one that fell over its limit helps nobody.
    set(Resource::CORE, 0, 0)
}

fn memory_mib() -> u64 {
    number(MEMORY_VARIABLE).unwrap_or(MEMORY_MIB)
}
fn seconds() -> u64 {
    number(SECONDS_VARIABLE).unwrap_or(SECONDS)
}
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok().filter(|n| *n > 0)
}

/// How a compiler ended.
pub enum Ended {
    Well,
    /// Why not, and what to do.
    Badly(String),
}

/// Waits for a child whose stderr is piped; ends it when it takes longer than `wall`.
pub fn wait(mut child: Child, wall: Duration) -> io::Result<Ended> {
    let pipe = child.stderr.take();
    let reader = std::thread::spawn(move || pipe.map_or(Ok(Vec::new()), beginning));
    let deadline = Instant::now() + wall;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let said = reader.join().unwrap_or_else(|_| Ok(Vec::new()))?;
    let said = String::from_utf8_lossy(&said);
    Ok(match status {
        Some(status) if status.success() => Ended::Well,
        Some(status) => Ended::Badly(why(status, cut(said.trim(), MAX_MESSAGE))),
        None => Ended::Badly(format!("it was not compiled within {wall:?}; make it smaller")),
    })
}

/// The first bytes; the rest is read and forgotten, so that its writer does not wait.
fn beginning(mut pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    pipe.by_ref().take(MAX_MESSAGE as u64).read_to_end(&mut kept)?;
    io::copy(&mut pipe, &mut io::sink())?;
    Ok(kept)
}

fn why(status: ExitStatus, said: &str) -> String {
    match status.signal() {
        None if said.is_empty() => format!("the compiler ended with {status}"),
        None => said.to_owned(),
        Some(SIGXCPU) => format!(
            "compiling it takes more than {} s of processor time; make it smaller, or allow more by {SECONDS_VARIABLE}",
            seconds()
        ),
        Some(_) => format!(
            "the compiler ended with {status}: probably it needs more than {} MiB of memory; make it smaller, or allow \
             more by {MEMORY_VARIABLE} (in MiB)",
            memory_mib()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn ended(script: &str, wall: Duration) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stderr(Stdio::piped());
        match wait(shell.spawn().unwrap(), wall).unwrap() {
            Ended::Well => "well".into(),
            Ended::Badly(why) => why,
        }
    }

    #[test]
    fn each_end_is_told() {
        assert_eq!(ended("exit 0", WALL), "well");
        assert_eq!(ended("echo wrong >&2; exit 1", WALL), "wrong");
        assert!(ended("exit 3", WALL).contains("exit status: 3"));
        assert!(ended("kill -XCPU $$", WALL).contains(SECONDS_VARIABLE));
        assert!(ended("kill -ABRT $$", WALL).contains(MEMORY_VARIABLE));
        // Its line ends at the limit, and is trimmed.
        let loud = ended("yes | head -c 1000000 >&2; exit 1", WALL);
        assert_eq!(loud.len(), MAX_MESSAGE - 1);
    }

    #[test]
    fn who_does_not_end_is_ended() {
        let found = ended("exec sleep 1000", Duration::from_millis(50));
        assert!(found.contains("not compiled within 50ms"), "{found}");
    }
}
