//! `fermata run`: one pipeline until Ctrl-C or SIGTERM.

use crate::cli::args::RunArgs;
use crate::cli::talk::Talk;
use crate::executor;
use crate::failure::{Exit, Failure};
use crate::host::artifacts::Files;
use crate::host::{Host, HostSpec, hold, persist};
use crate::http;
use crate::signals::Interrupt;
use crate::source;
use fermata_core::codes;
use std::sync::Arc;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(200);

pub fn run(talk: &Talk, args: RunArgs) -> Result<Exit, Failure> {
    let (manifest, text) = source::runnable(&source::open(&args.file, args.env.name())?)?;
    let listener = http::bind(args.listen)?;
    let interrupt = Interrupt::listen()?;
    let artifacts = Files::open(&args.data_dir, source::base(&args.file))?;
    let mut spec = HostSpec::new(
        Arc::new(manifest),
        text,
        args.data_dir.clone(),
        Arc::new(executor::wasm()?),
        Arc::new(artifacts),
    );
    spec.workers = usize::from(args.workers);
    spec.listener = Some(listener);
    spec.probe = hold::from_environment()?;
    spec.store.persist_hook = persist::from_environment()?;
    let host = Host::start(spec)?;
    talk.say(format!(
        "fermata {} · pipeline {} · log in {} · {} shards · {} workers",
        crate::VERSION,
        host.app.manifest.name,
        args.data_dir.display(),
        host.app.manifest.partitions,
        args.workers,
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

/// After a failure nothing is waited for: a thread may never come back from a disk that does not answer.
pub fn give_up(host: Host) -> Failure {
    let because = host
        .failed()
        .unwrap_or_else(|| "the process was told to stop".to_owned());
    std::mem::forget(host);
    Failure::new(codes::LOG_FAILED, Exit::Failed, because)
        .help("what was acknowledged is on disk; start again with the same --data-dir")
}
