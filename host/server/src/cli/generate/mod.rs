//! `generate`: load for a running server, from a generator component in this process or from a file.

mod args;
mod csv;
mod lines;
mod progress;
mod replay;
mod sender;
mod settings;
mod source;
mod tally;

pub use args::GenerateArgs;

use super::client::Client;
use super::talk::{Talk, grouped};
use crate::executor;
use crate::failure::{Exit, Failure};
use crate::load::{BATCH, Load, Schedule};
use crate::signals::Interrupt;
use fermata_core::codes;
use fermata_core::manifest::{Generator, Manifest, parse};
use progress::Progress;
use replay::Replay;
use sender::Sender;
use serde_json::{Value, json};
use source::{Component, Next, Source};
use std::time::{Duration, Instant};
use tally::Tally;

/// The set-up is given up when nothing of it has been taken in for so long.
const SETUP_WAIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

pub fn run(talk: &Talk, mut client: Client, args: GenerateArgs) -> Result<Exit, Failure> {
    let manifest = manifest(&mut client)?;
    let interrupt = Interrupt::listen()?;
    let mut run = Run {
        talk,
        args: &args,
        interrupt: &interrupt,
        sender: Sender::new(talk, client, args.strict),
    };
    if args.file.is_some() {
        let replay = Replay::open(&args, &manifest)?;
        let what = json!({ "file": replay.name(), "topic": replay.topic().as_str() });
        return run.load(Box::new(replay), what, 0);
    }
    let generator = chosen(&manifest, args.generator.as_deref())?;
    let artifact = super::component::found(&generator.component)?;
    let executor = executor::wasm()?;
    let config = settings::config(args.config.as_deref(), &args.set, &generator.config)?;
    let load = Load::start(&executor, &artifact, &manifest, generator, config.as_deref(), args.seed)?;
    let mut component = Component::new(load, args.from);
    let mut set_up = 0;
    if !args.no_setup {
        set_up = match run.set_up(&mut component)? {
            Some(records) => records,
            None => return Ok(Exit::Ok),
        };
    }
    let what = json!({ "generator": generator.name, "seed": args.seed });
    run.load(Box::new(component), what, set_up)
}

struct Run<'a> {
    talk: &'a Talk,
    args: &'a GenerateArgs,
    interrupt: &'a Interrupt,
    sender: Sender<'a>,
}

impl Run<'_> {
    /// Sends the set-up and waits until all of it has ended: load must not overtake it. `None`: interrupted.
    fn set_up(&mut self, component: &mut Component) -> Result<Option<u64>, Failure> {
        let mut tally = Tally::new();
        let setup = component.setup();
        let progress = Progress::new(self.talk, Some(setup), "set-up");
        for first in (0..setup).step_by(BATCH as usize) {
            let items = component.set_up(first..(first + BATCH).min(setup))?;
            self.sender.send(items, &mut tally)?;
            progress.show(&tally);
            if self.interrupt.seen() {
                return Ok(None);
            }
        }
        if !self.wait_taken_in()? {
            return Ok(None);
        }
        progress.end();
        self.talk.say(format!("set-up: {} records", grouped(tally.sent)));
        Ok(Some(tally.sent))
    }

    /// Until the count is reached, the source ends, Ctrl-C, or a failure; whichever it is, the summary is printed.
    fn load(&mut self, mut source: Box<dyn Source>, what: Value, set_up: u64) -> Result<Exit, Failure> {
        let mut tally = Tally::new();
        let progress = Progress::new(self.talk, self.args.count(), source.word());
        let outcome = self.drive(&mut *source, &mut tally, &progress);
        progress.end();
        tally.end(self.interrupt.seen());
        if self.talk.json() {
            self.talk.print_json(&tally.shape(&what, set_up));
        } else {
            self.talk.print(tally.text());
        }
        outcome.map(|()| Exit::Ok)
    }

    fn drive(&mut self, source: &mut dyn Source, tally: &mut Tally, progress: &Progress) -> Result<(), Failure> {
        let mut left = self.args.count().unwrap_or(u64::MAX);
        let mut schedule = Schedule::new(self.args.rate());
        self.sender.say_places_of(source.word());
        while left > 0 && !self.interrupt.seen() {
            let due = schedule.due(BATCH.min(left));
            let (asked, mut used) = (due.len() as u64, 0);
            let mut items = Vec::new();
            let mut ended = false;
            for due in due {
                match source.next(due, if items.is_empty() { LOOK } else { Duration::ZERO })? {
                    Next::Records(records) => {
                        items.extend(records);
                        used += 1;
                    }
                    Next::Bad { place, why } => {
                        used += 1;
                        tally.bad += 1;
                        if self.args.strict {
                            // The run ends here, behind all that came before.
                            self.sender.send(std::mem::take(&mut items), tally)?;
                        }
                        self.sender.complain(tally.bad, place, &why)?;
                    }
                    Next::NotYet => break,
                    Next::End => {
                        ended = true;
                        break;
                    }
                }
            }
            left -= used;
            if !items.is_empty() {
                self.sender.send(items, tally)?;
            }
            progress.show(tally);
            if ended {
                return Ok(());
            }
            if asked == 0 {
                self.interrupt.wait(schedule.wait().min(LOOK));
            } else if used < asked {
                schedule.wait_for_source(asked - used);
            }
        }
        Ok(())
    }

    /// `false`: interrupted.
    fn wait_taken_in(&mut self) -> Result<bool, Failure> {
        let path = self.sender.client.path("/status")?;
        let (mut last, mut since) = (Value::Null, Instant::now());
        loop {
            let status = self.sender.client.get(&path)?;
            let in_flight = &status["in_flight"];
            let open = match in_flight {
                Value::Null => 0,
                other => other.as_u64().unwrap_or(u64::MAX),
            };
            if status["lag"] == 0 && open == 0 {
                return Ok(true);
            }
            let now = json!([status["lag"], in_flight]);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() > SETUP_WAIT {
                return Err(Failure::new(
                    codes::CLI_TIMEOUT,
                    Exit::TimedOut,
                    format!("the set-up does not end: lag and in flight stand at {last}"),
                )
                .help("is the pipeline paused, or a stage? `fermata status` tells; --no-setup goes on without"));
            }
            if self.interrupt.wait(LOOK) {
                return Ok(false);
            }
        }
    }
}

fn manifest(client: &mut Client) -> Result<Manifest, Failure> {
    let path = client.path("/manifest?format=toml")?;
    Ok(parse::parse("pipeline.toml", &client.text(&path)?)?)
}

fn chosen<'a>(manifest: &'a Manifest, name: Option<&str>) -> Result<&'a Generator, Failure> {
    let all = &manifest.generators;
    let found = match name {
        Some(name) => all.iter().find(|g| g.name == name),
        None if all.len() == 1 => all.first(),
        None => None,
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|g| g.name.as_str()).collect();
        Failure::new(
            codes::HTTP_NOT_FOUND,
            Exit::NotFound,
            format!("name a generator; pipeline {} has: {}", manifest.name, names.join(", ")),
        )
    })
}
