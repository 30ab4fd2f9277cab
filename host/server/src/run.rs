//! `fermata run`: one pipeline until Ctrl-C or SIGTERM.

use crate::cli::args::RunArgs;
use crate::cli::talk::Talk;
use crate::executor;
use crate::failure::{Exit, Failure};
use crate::ground::Ground;
use crate::host::artifacts::Files;
use crate::host::{Host, HostSpec, Patience, hold};
use crate::http;
use crate::setup::Setup;
use crate::signals::Interrupt;
use crate::source;
use fermata_core::codes;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(200);

/// `limit`: how long a log that is away at the start is waited for; `None`: until it comes.
pub fn run(talk: &Talk, args: &RunArgs, limit: Option<Duration>) -> Result<Exit, Failure> {
    let (manifest, text) = source::runnable(&source::open(args.manifest(), args.env.name())?)?;
    let mut setup = Setup::of(args, &manifest.name)?;
    if let (Ground::Kafka(kafka), Some(limit)) = (&mut setup.ground, limit) {
        kafka.give_up_at(Instant::now() + limit);
    }
    let listener = http::bind(setup.listen)?;
    let address = listener.local_addr().unwrap_or(setup.listen);
    let interrupt = Interrupt::listen()?;
    let artifacts = Files::open(&setup.data_dir, source::base(args.manifest()))?;
    let workers = setup.workers;
    let mut spec = HostSpec::new(
        Arc::new(manifest),
        text,
        setup.data_dir,
        Arc::new(executor::wasm()?),
        Arc::new(artifacts),
    );
    spec.workers = workers;
    spec.node = setup.node;
    spec.peer_secret = setup.peer_secret;
    spec.listener = Some(listener);
    spec.probe = hold::from_environment()?;
    spec.ground = setup.ground;
    let started = Host::start_patiently(
        spec,
        &Waiting {
            talk,
            interrupt: &interrupt,
            address,
            limit,
            since: Instant::now(),
            said: Mutex::default(),
        },
    );
    let host = match started {
        Ok(host) => host,
        // Whoever ends a process that waits is not told that it has failed.
        Err(_) if interrupt.seen() => return Ok(Exit::Ok),
        Err(failure) => return Err(failure),
    };
    talk.say(format!(
        "fermata {} · pipeline {} · {} · {} shards · {workers} workers",
        crate::VERSION,
        host.app.manifest.name,
        host.app.nature.place,
        host.app.manifest.partitions,
    ));
    if let Some(address) = host.address() {
        talk.say(format!(
            "API http://{address}/api/v1/pipelines   metrics http://{address}/metrics"
        ));
    }
    while !interrupt.wait(LOOK) {
        if host.failed().is_some() {
            return Err(give_up(host));
        }
    }
    talk.say("stopping after the current batch");
    host.stop()?;
    Ok(Exit::Ok)
}

/// Waits for the log until it comes, the limit passes, or a person has had enough.
struct Waiting<'a> {
    talk: &'a Talk,
    interrupt: &'a Interrupt,
    /// Of the API, which meanwhile says the same.
    address: SocketAddr,
    limit: Option<Duration>,
    since: Instant,
    /// The reason that was last told.
    said: Mutex<String>,
}

impl Patience for Waiting<'_> {
    fn wait(&self, why: &str, pause: Duration) -> bool {
        let left = self.limit.map(|limit| limit.saturating_sub(self.since.elapsed()));
        if left == Some(Duration::ZERO) {
            return false;
        }
        let mut said = self.said.lock();
        if said.is_empty() {
            self.talk.say(format!(
                "API http://{}/api/v1/pipelines   not ready yet: /readyz says why",
                self.address
            ));
        }
        if *said != why {
            self.talk.say(format!(
                "{} the log cannot be reached: {why}; trying again",
                codes::LOG_AWAY
            ));
            why.clone_into(&mut said);
        }
        !self.interrupt.wait(left.map_or(pause, |left| pause.min(left)))
    }
}

/// After a failure nothing is waited for: a thread may never come back from a disk that does not answer.
pub fn give_up(host: Host) -> Failure {
    let because = host
        .failed()
        .unwrap_or_else(|| "the process was told to stop".to_owned());
    let remedy = host.app.nature.remedy;
    std::mem::forget(host);
    Failure::coded(codes::LOG_FAILED, because).help(remedy)
}
