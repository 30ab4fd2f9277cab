//! A file as a source. It is read on a thread of its own, so that a slow pipe neither holds up the schedule nor Ctrl-C.

use super::args::{Format, GenerateArgs};
use super::source::{Item, Next, Source};
use super::{csv, lines};
use crate::cli::records::cannot_read;
use crate::failure::{Exit, Failure};
use crate::keys;
use crate::load::Due;
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use fermata_core::limits::MAX_VALUE;
use fermata_core::manifest::Manifest;
use fermata_core::partition::shard_of;
use fermata_core::{NewRecord, TopicName, codes};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Records read ahead.
const AHEAD: usize = 256;

/// One line of the file, or what ended the reading.
pub enum Line {
    Good { place: u64, value: Vec<u8> },
    Bad { place: u64, why: String },
    Failed(Failure),
}

/// Where a reader's lines go. `false`: nobody wants more.
pub struct Lines(Sender<Line>);

impl Lines {
    pub fn put(&self, line: Line) -> bool {
        self.0.send(line).is_ok()
    }

    #[cfg(test)]
    pub fn all(read: impl FnOnce(&Self)) -> Vec<Line> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        read(&Self(sender));
        receiver.into_iter().collect()
    }
}

pub struct Replay {
    name: String,
    topic: TopicName,
    /// The JSON field that is the key.
    key: Option<String>,
    partitions: u32,
    lines: Receiver<Line>,
    /// Good lines to be passed over.
    skip: u64,
}

impl Replay {
    pub fn open(args: &GenerateArgs, manifest: &Manifest) -> Result<Self, Failure> {
        let path = args.file.clone().unwrap_or_else(|| PathBuf::from("-"));
        let topic = topic(args.topic.as_deref(), manifest)?;
        let key = manifest.topics.get(&topic).and_then(|t| t.key.clone());
        let format = match args.format {
            Some(format) => format,
            None => format_of(&path)?,
        };
        let stdin = path == Path::new("-");
        let file = match stdin {
            true => None,
            false => Some(File::open(&path).map_err(|e| cannot_read(&path, &e))?),
        };
        let (sender, lines) = bounded(AHEAD);
        let (sender, name, key_column) = (Lines(sender), path.display().to_string(), key.clone());
        let read = move || {
            let input: Box<dyn BufRead> = match file {
                Some(file) => Box::new(BufReader::new(file)),
                None => Box::new(BufReader::new(io::stdin())),
            };
            let ended = match format {
                Format::Jsonl => lines::read(input, &sender),
                Format::Csv => csv::read(input, key_column.as_deref(), &sender),
            };
            if let Err(failure) = ended {
                sender.put(Line::Failed(failure.of(&path)));
            }
        };
        let thread = std::thread::Builder::new().name("fermata-replay".to_owned());
        thread
            .spawn(read)
            .map_err(|e| Failure::failed(codes::RECORD_REFUSED, format!("no thread to read {name} on: {e}")))?;
        Ok(Self {
            name,
            topic,
            key,
            partitions: manifest.partitions,
            lines,
            skip: args.from,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    fn item(&self, place: u64, value: Vec<u8>, due: Due) -> Next {
        let key = self
            .key
            .as_ref()
            .map(|field| keys::derived(field, Some(&value)))
            .transpose();
        let key = match key {
            Ok(key) => key,
            Err(why) => return Next::Bad { place, why },
        };
        if value.len() > MAX_VALUE {
            let why = format!("it makes a record of {} bytes, the limit is {MAX_VALUE}", value.len());
            return Next::Bad { place, why };
        }
        // As intake places it: by its key, or by its value where it has none.
        let shard = shard_of(key.as_deref().unwrap_or(&value), self.partitions);
        Next::Records(vec![Item {
            record: NewRecord {
                topic: self.topic.clone(),
                shard,
                timestamp: due.at,
                key,
                value: Some(Bytes::from(value)),
                headers: Vec::new(),
            },
            due: due.moment,
            place,
        }])
    }
}

impl Source for Replay {
    fn next(&mut self, due: Due, patience: Duration) -> Result<Next, Failure> {
        loop {
            match self.lines.recv_timeout(patience) {
                Ok(Line::Good { .. }) if self.skip > 0 => self.skip -= 1,
                Ok(Line::Good { place, value }) => return Ok(self.item(place, value, due)),
                Ok(Line::Bad { place, why }) => return Ok(Next::Bad { place, why }),
                Ok(Line::Failed(failure)) => return Err(failure),
                Err(RecvTimeoutError::Timeout) => return Ok(Next::NotYet),
                Err(RecvTimeoutError::Disconnected) => return Ok(Next::End),
            }
        }
    }

    fn word(&self) -> &'static str {
        "line"
    }
}

/// Why reading ended early.
pub enum Ended {
    Io(io::Error),
    /// The file as a whole cannot be used.
    Unusable {
        place: u64,
        why: String,
    },
}

impl Ended {
    fn of(self, path: &Path) -> Failure {
        match self {
            Self::Io(error) => cannot_read(path, &error),
            Self::Unusable { place, why } => Failure::new(
                codes::RECORD_REFUSED,
                Exit::Refused,
                format!("{} line {place}: {why}", path.display()),
            ),
        }
    }
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("jsonl" | "ndjson" | "json") => Ok(Format::Jsonl),
        None if path == Path::new("-") => Ok(Format::Jsonl),
        _ => Err(Failure::usage(format!(
            "{}: its name does not tell its format; say --format jsonl or --format csv",
            path.display()
        ))),
    }
}

/// The head that was named, or the only one there is.
fn topic(name: Option<&str>, manifest: &Manifest) -> Result<TopicName, Failure> {
    let heads: Vec<&TopicName> = manifest.heads().collect();
    let found = match (name, &heads[..]) {
        (Some(name), _) => heads.iter().find(|head| head.as_str() == name).copied(),
        (None, [one]) => Some(*one),
        (None, _) => None,
    };
    found.cloned().ok_or_else(|| {
        let known: Vec<&str> = heads.iter().map(|head| head.as_str()).collect();
        let known = known.join(", ");
        match name {
            Some(name) => Failure::new(
                codes::HTTP_NOT_FOUND,
                Exit::NotFound,
                format!(
                    "{name} is no head of pipeline {}; records are taken in on: {known}",
                    manifest.name
                ),
            ),
            None => Failure::usage(format!(
                "name a head with --topic; pipeline {} has: {known}",
                manifest.name
            )),
        }
    })
}
