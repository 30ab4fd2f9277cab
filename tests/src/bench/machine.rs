//! What Linux says of this process and of the machine it shares.

use super::Outcome;
use std::fs::read_to_string;
use std::time::Instant;

/// Units of processor time a second in `/proc`: the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Processor time so far, and when it was read.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: Instant,
    /// Seconds of all threads of this process, in user and kernel mode.
    own: f64,
    /// Seconds of everything on the machine that was not idle.
    busy: f64,
}

/// Between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// Processors that others kept busy, on average.
    pub others: f64,
}

impl Moment {
    pub fn now() -> Outcome<Self> {
        let own = read_to_string("/proc/self/stat")?;
        let all = read_to_string("/proc/stat")?;
        Ok(Self {
            at: Instant::now(),
            own: own_ticks(&own).ok_or("/proc/self/stat has no processor times")? as f64 / TICKS,
            busy: busy_ticks(&all).ok_or("/proc/stat has no line of all processors")? as f64 / TICKS,
        })
    }

    pub fn until(&self, end: &Self) -> Used {
        let seconds = end.at.duration_since(self.at).as_secs_f64();
        let cpu_seconds = end.own - self.own;
        let others = (end.busy - self.busy - cpu_seconds).max(0.0) / seconds.max(f64::EPSILON);
        Used {
            seconds,
            cpu_seconds,
            others,
        }
    }
}

/// `utime` and `stime`: the 12th and 13th field behind the program's name, which may hold blanks.
fn own_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// user, nice, system, (idle, iowait,) irq, softirq: what a virtual machine's host took is not in them.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))?
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    let (working, interrupts) = (fields.get(..3)?, fields.get(5..7)?);
    Some(working.iter().chain(interrupts).sum())
}

/// Resident memory of this process in bytes: now, and the most there ever was.
pub fn resident() -> Outcome<(u64, u64)> {
    let status = read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        let kilobytes = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.ok_or_else(|| format!("/proc/self/status has no {name}"))
    };
    Ok((field("VmRSS:")? * 1024, field("VmHWM:")? * 1024))
}

pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
