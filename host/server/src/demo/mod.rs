//! `fermata demo`: a pipeline of `examples/` in a fresh folder, under load.

mod example;
mod summary;

use crate::cli::args::DemoArgs;
use crate::cli::talk::{Talk, grouped};
use crate::executor;
use crate::failure::{Exit, Failure};
use crate::ground::Ground;
use crate::host::artifacts::Files;
use crate::host::{App, Host, HostSpec, flow, goals, hold};
use crate::http;
use crate::load::{BATCH, Load, Schedule, now};
use crate::run::give_up;
use crate::signals::Interrupt;
use crate::source;
use example::Example;
use fermata_core::codes;
use fermata_core::manifest::Source;
use fermata_core::names::Purpose;
use fermata_core::ports::Artifacts;
use fermata_store::Options;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use summary::Run;

const AUTHOR: &str = "demo";
/// Records a second until Ctrl-C.
const RATE: u64 = 1_000;
/// The demo's log never grows beyond this.
const LOG_BYTES: u64 = 1 << 30;
/// Set-up and the rest of the load are taken in well within.
const TAKE_IN: Duration = Duration::from_secs(600);
/// The goal line is drawn anew.
const REFRESH: Duration = Duration::from_secs(1);
/// Where stderr is no terminal, a line is printed so often.
const PLAIN_REFRESH: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(200);

pub fn run(talk: &Talk, args: DemoArgs) -> Result<Exit, Failure> {
    let example = Example::named(&args.example)?;
    let source = Source::new(&example.file(), example.manifest).in_environment(args.env.name());
    let (manifest, manifest_text) = source::runnable(&source)?;
    let manifest = Arc::new(manifest);
    let generator = manifest.generators.first().ok_or_else(|| {
        Failure::failed(
            codes::MANIFEST_REFERENCE,
            format!("{} has no generator", example.file()),
        )
    })?;
    let listener = http::bind(args.listen)?;
    let interrupt = Interrupt::listen()?;
    let folder = Folder::make(&args)?;
    let artifacts = Arc::new(Files::open(&folder.path, Path::new("."))?);
    let executor = Arc::new(executor::wasm()?);
    let artifact = artifacts.resolve(&generator.component)?;
    let mut spec = HostSpec::new(
        manifest.clone(),
        manifest_text,
        folder.path.clone(),
        executor.clone(),
        artifacts,
    );
    spec.workers = usize::from(args.workers);
    spec.listener = Some(listener);
    spec.probe = hold::from_environment()?;
    spec.ground = Ground::Embedded(Options {
        retention_bytes: Some(LOG_BYTES),
        kept: [Purpose::Control, Purpose::Status, Purpose::DeadLetters]
            .map(|p| p.topic(&manifest.name))
            .into(),
        ..Options::default()
    });
    let host = Host::start(spec)?;
    let load = Load::start(
        &*executor,
        &artifact,
        &manifest,
        generator,
        args.config.as_deref(),
        args.seed,
    )?;
    let done = Demo {
        talk,
        args: &args,
        app: &host.app,
        interrupt: &interrupt,
    }
    .run(load, &host, &folder);
    let exit = match done {
        Ok(exit) => exit,
        Err(_) if host.failed().is_some() => return Err(give_up(host)),
        Err(failure) => {
            host.stop()?;
            return Err(failure);
        }
    };
    host.stop()?;
    folder.end(talk);
    Ok(exit)
}

struct Demo<'a> {
    talk: &'a Talk,
    args: &'a DemoArgs,
    app: &'a App,
    interrupt: &'a Interrupt,
}

impl Demo<'_> {
    fn run(&self, mut load: Load, host: &Host, folder: &Folder) -> Result<Exit, Failure> {
        let app = self.app;
        let rate = self
            .args
            .rate
            .unwrap_or(if self.args.payments.is_some() { 0 } else { RATE });
        self.head(folder);
        self.set_up(&mut load)?;
        let set_up = summary::first_figure(app)?;
        self.ready(set_up, rate, host.address());
        app.watch.restart(app);
        let before = summary::ended(app)?;
        let began = Instant::now();
        self.drive(&mut load, rate)?;
        flow::take_in_and_drain(app, AUTHOR, TAKE_IN)?;
        let run = Run {
            set_up,
            ended_before: before,
            took: began.elapsed(),
            args: self.args,
        };
        let shape = summary::shape(app, &run)?;
        if self.talk.json() {
            self.talk.print_json(&shape);
        } else {
            self.talk.print(summary::text(app, &shape));
        }
        let exit = if shape["verify"] == "ok" {
            Exit::Ok
        } else {
            Exit::Differences
        };
        if self.args.payments.is_some() && !self.args.exit && exit == Exit::Ok {
            flow::resume(app, AUTHOR)?;
            self.talk.say("the load has ended; the pipeline goes on until Ctrl-C");
            while !self.interrupt.wait(LOOK) {
                if let Some(because) = app.failed() {
                    return Err(Failure::failed(codes::LOG_FAILED, because));
                }
            }
        }
        Ok(exit)
    }

    fn head(&self, folder: &Folder) {
        let keep = if folder.temporary.is_some() {
            " (--keep to keep)"
        } else {
            ""
        };
        self.talk.say(format!(
            "fermata {} · pipeline {} · embedded log in {}{keep} · {} shards · {} workers",
            crate::VERSION,
            self.app.manifest.name,
            folder.path.display(),
            self.app.manifest.partitions,
            self.args.workers,
        ));
        let directive = self.app.board.directive();
        let stages = self.app.manifest.stages.iter().filter_map(|s| {
            let version = &directive.stages.get(&s.name)?.version;
            Some(format!("✓ {} {}", s.name, version.description().version))
        });
        self.talk.say(stages.collect::<Vec<_>>().join("  "));
    }

    fn set_up(&self, load: &mut Load) -> Result<(), Failure> {
        let setup = load.setup();
        for first in (0..setup).step_by(BATCH as usize) {
            let mut records = Vec::new();
            for sequence in first..(first + BATCH).min(setup) {
                records.extend(load.records(sequence, now())?);
            }
            if !records.is_empty() {
                self.app.log.append(records)?;
            }
        }
        flow::take_in_and_drain(self.app, AUTHOR, TAKE_IN)?;
        flow::resume(self.app, AUTHOR)
    }

    fn ready(&self, set_up: u64, rate: u64, address: Option<SocketAddr>) {
        let speed = match (rate, self.args.payments) {
            (0, Some(n)) => format!("backlog of {}", grouped(n)),
            (rate, _) => format!("{}/s", grouped(rate)),
        };
        let noun = &self.app.manifest.noun;
        self.talk
            .say(format!("✓ set-up: {} {noun}   generator {speed}", grouped(set_up)));
        let Some(address) = address else { return };
        self.talk.say(format!(
            "API http://{address}/api/v1/pipelines   metrics http://{address}/metrics"
        ));
        let program = std::env::current_exe().ok();
        if let Some(folder) = program.as_deref().and_then(Path::parent) {
            let server = if address.to_string() == crate::cli::args::DEFAULT_LISTEN {
                String::new()
            } else {
                format!(" FERMATA_SERVER=http://{address}")
            };
            self.talk.say("second terminal:");
            self.talk
                .say(format!("  export PATH=\"{}:$PATH\"{server}", folder.display()));
        }
        let swap = example::swap(&self.app.manifest)
            .map(|(stage, component)| format!("fermata deploy {stage} {component} --wait · "))
            .unwrap_or_default();
        self.talk.say(format!(
            "next    fermata status · {swap}Ctrl-C stops and prints a summary"
        ));
    }

    /// Until the number is reached, Ctrl-C, or the process fails.
    fn drive(&self, load: &mut Load, rate: u64) -> Result<(), Failure> {
        let first = load.setup();
        let end = self.args.payments.map_or(u64::MAX, |n| first.saturating_add(n));
        let mut sequence = first;
        let mut schedule = Schedule::new(rate);
        let mut line = GoalLine::new(self.talk);
        while sequence < end && !self.interrupt.seen() {
            let mut records = Vec::new();
            for due in schedule.due(BATCH.min(end - sequence)) {
                records.extend(load.records(sequence, due.at)?);
                sequence += 1;
            }
            if records.is_empty() {
                self.interrupt.wait(schedule.wait().min(LOOK));
            } else {
                self.app.log.append(records)?;
            }
            if let Some(because) = self.app.failed() {
                return Err(Failure::failed(codes::LOG_FAILED, because));
            }
            line.refresh(self.app);
        }
        line.end();
        Ok(())
    }
}

/// The goals, drawn anew every second on a terminal, printed seldom elsewhere.
struct GoalLine<'a> {
    talk: &'a Talk,
    bar: Option<ProgressBar>,
    last: Instant,
}

impl<'a> GoalLine<'a> {
    fn new(talk: &'a Talk) -> Self {
        let bar = (!talk.quiet() && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{msg}").expect("a constant template");
            ProgressBar::new_spinner().with_style(style)
        });
        Self {
            talk,
            bar,
            last: Instant::now(),
        }
    }

    fn refresh(&mut self, app: &App) {
        let every = if self.bar.is_some() { REFRESH } else { PLAIN_REFRESH };
        if self.last.elapsed() < every || self.talk.quiet() {
            return;
        }
        self.last = Instant::now();
        let verdicts = goals::verdicts(app)
            .into_iter()
            .map(|v| format!("{} {}", v.text, v.mark()));
        let text = format!("goals   {}", verdicts.collect::<Vec<_>>().join("   "));
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => self.talk.say(text),
        }
    }

    fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish();
        }
    }
}

/// Where the demo's log lies.
struct Folder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn make(args: &DemoArgs) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::failed(codes::LOG_FAILED, format!("cannot make a folder: {e}"));
        if let Some(path) = &args.data_dir {
            std::fs::create_dir_all(path).map_err(failed)?;
            return Ok(Self {
                path: path.clone(),
                temporary: None,
            });
        }
        let temporary = tempfile::Builder::new()
            .prefix("fermata-demo-")
            .tempdir()
            .map_err(failed)?;
        let path = temporary.path().to_owned();
        if args.keep {
            return Ok(Self {
                path: temporary.keep(),
                temporary: None,
            });
        }
        Ok(Self {
            path,
            temporary: Some(temporary),
        })
    }

    fn end(self, talk: &Talk) {
        if self.temporary.is_none() {
            talk.say(format!("kept: {}", self.path.display()));
        }
    }
}
