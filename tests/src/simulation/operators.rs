//! People with commands: sent once, twice, late, in another order, or lost on the way; and what is no command at all.

use super::plan::{Delivery, Expects, Order, Wish};
use super::shelf::Shelf;
use crate::simulated::Simulated;
use fermata_core::control::{Command, VERSION, Verb};
use fermata_core::manifest::Manifest;
use fermata_core::names::Purpose;
use fermata_core::ports::{Clock, Log};
use fermata_core::{NewRecord, Shard, Timestamp};
use fermata_runtime::control::append_command;
use std::sync::Arc;
use uuid::{Builder, Uuid};

pub struct Operators {
    seed: u64,
    log: Simulated,
    manifest: Arc<Manifest>,
    made: u64,
    /// Commands that are on the control topic, in the order of their first arrival.
    sent: Vec<Command>,
    held: Vec<Command>,
}

impl Operators {
    pub fn new(seed: u64, log: Simulated, manifest: Arc<Manifest>) -> Self {
        Self {
            seed,
            log,
            manifest,
            made: 0,
            sent: Vec::new(),
            held: Vec::new(),
        }
    }

    /// `epoch`: what the operators see.
    pub fn order(&mut self, order: &Order, epoch: u64, shelf: &Shelf) {
        let expect_epoch = match order.expects {
            Expects::Anything => None,
            Expects::Now => Some(epoch),
            Expects::Stale => Some(epoch.saturating_sub(1)),
        };
        let verb = self.verb(&order.wish, shelf);
        let command = self.command(verb, expect_epoch);
        match order.delivery {
            Delivery::Once => self.send(command),
            Delivery::Twice => {
                self.append(&command);
                self.send(command);
            }
            Delivery::Held => self.held.push(command),
            Delivery::Lost => {}
        }
    }

    fn verb(&self, wish: &Wish, shelf: &Shelf) -> Verb {
        let place = |index: &usize| self.manifest.stages[index % self.manifest.stages.len()].name.clone();
        match wish {
            Wish::Pause => Verb::Pause,
            Wish::Resume => Verb::Resume,
            Wish::Drain { timeout_ms } => Verb::Drain {
                timeout_ms: *timeout_ms,
            },
            Wish::Deploy {
                stage,
                candidate,
                probation_ms,
            } => {
                let stage = place(stage);
                let (component, digest) = shelf.find(&stage, *candidate);
                Verb::Deploy {
                    stage,
                    component,
                    digest,
                    probation_ms: Some(*probation_ms),
                }
            }
            Wish::Rollback { stage } => Verb::Rollback { stage: place(stage) },
        }
    }

    /// Asks for something now, and gets it onto the log.
    pub fn ask(&mut self, verb: Verb) {
        let command = self.command(verb, None);
        self.send(command);
    }

    fn command(&mut self, verb: Verb, expect_epoch: Option<u64>) -> Command {
        self.made += 1;
        Command {
            v: VERSION,
            id: id(self.seed, self.made),
            at: self.log.clock().now().0,
            author: format!("operator-{}", self.made % 3),
            reason: None,
            expect_epoch,
            verb,
        }
    }

    fn send(&mut self, command: Command) {
        self.append(&command);
        self.sent.push(command);
    }

    /// An operator tries until there is an answer.
    fn append(&self, command: &Command) {
        for _ in 0..100 {
            if append_command(&self.log, &self.manifest, command.clone()).is_ok() {
                return;
            }
        }
        panic!("the simulated log was away a hundred times in a row");
    }

    pub fn repeat(&self, nth: usize) {
        if !self.sent.is_empty() {
            self.append(&self.sent[nth % self.sent.len()]);
        }
    }

    pub fn arrive(&mut self) {
        while let Some(late) = self.held.pop() {
            self.send(late);
        }
    }

    pub fn garbage(&mut self, kind: u8) {
        self.made += 1;
        let id = id(self.seed, self.made);
        let text = match kind {
            0 => "{ not json".to_owned(),
            1 => format!(r#"{{"v":1,"id":"{id}","at":0,"author":"x","verb":"explode"}}"#),
            2 => format!(r#"{{"v":99,"id":"{id}","at":0,"author":"x","verb":"pause"}}"#),
            _ => String::new(),
        };
        let record = NewRecord {
            topic: Purpose::Control.topic(&self.manifest.name),
            shard: Shard(0),
            timestamp: Timestamp(0),
            key: None,
            value: Some(text.into()),
            headers: Vec::new(),
        };
        // One that does not arrive was not sent.
        let _ = self.log.append(vec![record]);
    }
}

/// The same for the same seed.
fn id(seed: u64, number: u64) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Builder::from_custom_bytes(bytes).into_uuid()
}
