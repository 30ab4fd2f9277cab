//! Several instances on one log: who decides, and what each must have said before.

use super::components::{JsonExecutor, Shelf, account, confirm};
use super::log::{MemoryLog, MemoryStore, TestClock};
use super::world::{MANIFEST, name};
use crate::board::{Board, ShardReport, TaskReport, WorkerEvent};
use crate::control::{Controller, ControllerSpec, Flow, Fold, Preparing, Progress, append_command, start};
use crate::nodes::{GONE, LEASE, NodeSpec, NodeState, SILENT};
use crate::parked::Wanted;
use crate::views::{PeerError, Peers, Question, Reply, Views};
use crate::worker::lineage::{Source, Subject, Work};
use crate::worker::overlay::Overlay;
use crate::worker::quarantine::{Parked, Quarantine, namespace};
use fermata_core::control::{Command, DeploymentState, Fact, Status, VERSION, Verb};
use fermata_core::journal::Receipt;
use fermata_core::manifest::{Manifest, parse};
use fermata_core::names::Purpose;
use fermata_core::ports::{Artifacts, Clock, NoProbe, StateStore};
use fermata_core::{Identity, Input, Offset, Sequence, Shard, StageName, Timestamp, VersionId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Every instance, by its address; those that are taken out do not answer.
#[derive(Default)]
struct Exchange(Mutex<BTreeMap<String, Arc<Views>>>);

impl Peers for Exchange {
    fn ask(&self, address: &str, question: &Question, _: Duration) -> Result<Reply, PeerError> {
        let views = self.0.lock().get(address).cloned();
        let views = views.ok_or_else(|| PeerError(format!("{address} does not answer")))?;
        Ok(views.parts(question))
    }
}

struct Company {
    exchange: Arc<Exchange>,
    manifest: Arc<Manifest>,
    log: Arc<MemoryLog>,
    clock: Arc<TestClock>,
    members: Vec<Member>,
    /// What each task runs, as its journal has it.
    tasks: BTreeMap<(Shard, StageName), (VersionId, u64)>,
    sequence: u64,
}

struct Member {
    board: Arc<Board>,
    controller: Controller,
    shelf: Arc<Shelf>,
    store: Arc<MemoryStore>,
    /// Held by its one worker.
    shards: Vec<Shard>,
}

impl Company {
    /// Of two shards the first instance holds 0 and leads, the second holds 1.
    fn of_two() -> Self {
        let manifest = Arc::new(parse::parse("pipeline.toml", MANIFEST).expect("valid"));
        let mut company = Self {
            exchange: Arc::default(),
            manifest,
            log: Arc::default(),
            clock: Arc::default(),
            members: Vec::new(),
            tasks: BTreeMap::new(),
            sequence: 0,
        };
        company.join("a");
        company.join("b");
        company.give(0, &[0]);
        company.give(1, &[1]);
        company.settle();
        assert!(company.members[0].controller.leads() && !company.members[1].controller.leads());
        company
    }

    fn join(&mut self, node: &str) {
        let shelf = Arc::new(Shelf::default());
        shelf.add("account@1.0.0", &account("1.0.0", |_| {}));
        shelf.add("account@1.1.0", &account("1.1.0", |_| {}));
        shelf.add("confirm@1.0.0", &confirm());
        let store: Arc<MemoryStore> = Arc::default();
        let (board, controller) = start(ControllerSpec {
            manifest: self.manifest.clone(),
            log: self.log.clone(),
            store: store.clone(),
            clock: self.clock.clone(),
            executor: Arc::new(JsonExecutor::default()),
            artifacts: shelf.clone(),
            probe: Arc::new(NoProbe),
            preparing: Preparing::InStep,
            node: NodeSpec::named(node, Some(format!("http://{node}"))),
            peers: self.exchange.clone(),
        })
        .expect("a start");
        let views = controller.views();
        self.exchange.0.lock().insert(format!("http://{node}"), views);
        self.members.push(Member {
            board,
            controller,
            shelf,
            store,
            shards: Vec::new(),
        });
    }

    /// The group gives shards to the worker of an instance, and takes all others from it.
    fn give(&mut self, member: usize, shards: &[u32]) {
        let member = &mut self.members[member];
        for shard in member.shards.drain(..) {
            member.board.tenure.lost(0, shard);
            member.board.forget(0, shard);
        }
        member.shards = shards.iter().map(|s| Shard(*s)).collect();
        member.board.tenure.gained(0, &member.shards);
    }

    fn step(&mut self, member: usize) {
        self.members[member].controller.step(Duration::ZERO).expect("a step");
    }

    /// Its worker does what the board says, where it may.
    fn work(&mut self, index: usize) {
        let member = &self.members[index];
        let directive = member.board.directive();
        member.board.tenure.obeys(0, directive.epoch);
        if directive.stages.len() < self.manifest.stages.len() {
            return;
        }
        for shard in member.shards.clone() {
            if !member.board.tenure.may_restore(shard) || !member.board.tenure.may_work(self.clock.elapsed()) {
                continue;
            }
            let mut report = ShardReport {
                epoch: directive.epoch,
                idle: true,
                ..ShardReport::default()
            };
            for (stage, wish) in &directive.stages {
                let new = (wish.version.id(), wish.deployment);
                let old = self.tasks.insert((shard, stage.clone()), new).unwrap_or(new);
                if old != new {
                    let receipt = Receipt {
                        deployment: wish.deployment,
                        stage: stage.to_string(),
                        shard: shard.0,
                        rollback: wish.rollback,
                        ..Receipt::default()
                    };
                    member.board.tell(WorkerEvent::Switched {
                        shard,
                        receipt,
                        old: old.0,
                        new: new.0,
                        pause_micros: 7,
                        synced_micros: 9,
                    });
                }
                let task = TaskReport {
                    version: Some(new.0),
                    deployment: new.1,
                    ..TaskReport::default()
                };
                report.tasks.insert(stage.clone(), task);
            }
            self.sequence += 1;
            report.sequence = Sequence(self.sequence);
            member.board.report(shard, report);
        }
    }

    /// Everybody goes on, and time does, until nothing changes any more.
    fn settle(&mut self) {
        for _ in 0..20 {
            for member in 0..self.members.len() {
                self.step(member);
                self.work(member);
            }
            self.clock.advance(60);
        }
    }

    fn send(&self, verb: Verb) -> Uuid {
        let id = Uuid::now_v7();
        let command = Command {
            v: VERSION,
            id,
            at: self.clock.now().0,
            author: "tester".into(),
            reason: None,
            expect_epoch: None,
            verb,
        };
        append_command(&*self.log, &self.manifest, command).expect("the fake takes commands");
        id
    }

    fn deploy(&self, probation_ms: u64) -> Uuid {
        let component = self.members[0].shelf.resolve("account@1.1.0").expect("on the shelf");
        self.send(Verb::Deploy {
            stage: name("account"),
            component: "account@1.1.0".into(),
            digest: component.digest,
            probation_ms: Some(probation_ms),
        })
    }

    fn facts(&self) -> Vec<Status> {
        let topic = Purpose::Status.topic(&self.manifest.name);
        let all = self.log.all(&topic, Shard(0));
        all.iter()
            .map(|r| serde_json::from_slice(r.value.as_deref().unwrap_or_default()).expect("facts"))
            .collect()
    }

    fn fold(&self) -> Fold {
        let mut fold = Fold::default();
        self.facts().into_iter().for_each(|fact| fold.apply(fact));
        fold
    }

    fn state(&self) -> DeploymentState {
        self.fold().deployments[&1].state()
    }

    fn advance(&self, time: Duration) {
        self.clock.advance(i64::try_from(time.as_millis()).expect("small"));
    }
}

#[test]
fn one_that_follows_records_nothing_and_obeys_all() {
    let mut company = Company::of_two();
    let before = company.facts().len();
    let pause = company.send(Verb::Pause);
    for _ in 0..5 {
        company.step(1);
        company.work(1);
    }
    assert_eq!(company.facts().len(), before, "it does not decide");
    company.step(0);
    company.step(1);
    assert_eq!(company.fold().outcomes[&pause].progress, Progress::Done);
    let (leads, follows) = (&company.members[0], &company.members[1]);
    assert_eq!(leads.board.directive().epoch, follows.board.directive().epoch);
    assert_eq!(follows.board.directive().intake, crate::board::Intake::Closed);
    assert_eq!(
        follows.controller.view().state().fold,
        company.fold(),
        "and knows what became of commands"
    );
}

#[test]
fn who_gains_shard_0_leads_and_who_loses_it_follows() {
    let mut company = Company::of_two();
    let term = company.fold().term;
    company.give(0, &[]);
    company.give(1, &[0, 1]);
    company.settle();
    assert!(!company.members[0].controller.leads() && company.members[1].controller.leads());
    assert_eq!(company.fold().term, term + 1);
    let pause = company.send(Verb::Pause);
    company.settle();
    assert_eq!(company.fold().outcomes[&pause].progress, Progress::Done);
    assert!(company.facts().iter().all(|f| f.term > 0));
}

#[test]
fn one_that_was_deposed_follows_and_does_not_fight_for_the_lead() {
    let mut company = Company::of_two();
    let term = company.fold().term;
    // The group has moved the shard, and the worker that held it has not heard so.
    company.give(1, &[0, 1]);
    company.settle();
    assert!(!company.members[0].controller.leads() && company.members[1].controller.leads());
    company.advance(Duration::from_secs(5));
    company.settle();
    assert_eq!(
        company.fold().term,
        term + 1,
        "nobody deposes one that says that it leads"
    );
    // It was the other way round: the one that led has nothing any more.
    company.give(1, &[]);
    company.settle();
    company.advance(Duration::from_secs(5));
    company.settle();
    assert!(company.members[0].controller.leads(), "somebody must");
}

#[test]
fn every_instance_prepares_before_any_switches() {
    let mut company = Company::of_two();
    company.deploy(1_000);
    for _ in 0..5 {
        company.step(0);
        company.work(0);
        company.clock.advance(60);
    }
    assert_eq!(
        company.state(),
        DeploymentState::Proposed,
        "the other has not said a word"
    );
    company.settle();
    assert!(company.state() >= DeploymentState::Probation, "{:?}", company.state());
}

#[test]
fn what_one_instance_refuses_is_refused() {
    let mut company = Company::of_two();
    let component = company.members[1].shelf.resolve("account@1.1.0").expect("on the shelf");
    company.members[1].shelf.lose(&component.digest);
    let command = company.deploy(1_000);
    company.settle();
    match &company.fold().outcomes[&command].progress {
        Progress::Refused { because, .. } => assert!(because.contains("node b cannot run it"), "{because}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_cannot_run_what_the_others_run_has_it_taken_back() {
    let mut company = Company::of_two();
    company.deploy(3_600_000);
    company.settle();
    assert_eq!(company.state(), DeploymentState::Probation);
    company.join("c");
    let component = company.members[2].shelf.resolve("account@1.1.0").expect("on the shelf");
    company.members[2].shelf.lose(&component.digest);
    company.give(2, &[1]);
    company.give(1, &[]);
    company.settle();
    assert_eq!(company.state(), DeploymentState::RolledBack);
    let version = company.tasks[&(Shard(1), name("account"))].0;
    assert_ne!(
        version.component, component.digest,
        "it went back, and the shard runs at its new owner"
    );
    assert!(company.members[2].board.reports().contains_key(&Shard(1)));
}

#[test]
fn a_shard_that_moves_in_the_middle_is_not_run_before_the_new_version_is_ready() {
    let mut company = Company::of_two();
    company.deploy(3_600_000);
    company.settle();
    company.join("c");
    company.give(2, &[1]);
    company.give(1, &[]);
    company.members[2].shelf.hold();
    company.work(2);
    assert!(
        company.members[2].board.reports().is_empty(),
        "nothing is ready, and nothing is granted"
    );
    company.members[2].shelf.release();
    company.settle();
    let live = company.fold().stages[&name("account")].version;
    assert_eq!(company.tasks[&(Shard(1), name("account"))].0, live);
    assert_eq!(
        company.state(),
        DeploymentState::Probation,
        "nothing was taken back for it"
    );
}

#[test]
fn nothing_is_promoted_while_an_instance_is_silent() {
    let mut company = Company::of_two();
    company.deploy(1_000);
    for _ in 0..8 {
        for member in 0..2 {
            company.step(member);
            company.work(member);
        }
        company.clock.advance(60);
    }
    assert_eq!(company.state(), DeploymentState::Probation);
    company.advance(SILENT);
    for _ in 0..5 {
        company.step(0);
        company.work(0);
        company.clock.advance(60);
    }
    assert_eq!(company.state(), DeploymentState::Probation, "the other may know better");
    let identity = Identity::from_header("payment.inflight/1/7");
    company.members[1].board.tell(WorkerEvent::Refuted {
        stage: name("account"),
        deployment: 1,
        shard: Shard(1),
        identity,
        fault: "fault-trap: overflow".into(),
    });
    company.settle();
    assert_eq!(company.state(), DeploymentState::RolledBack, "and did");
}

#[test]
fn one_that_is_gone_is_waited_for_until_another_has_its_shards() {
    let mut company = Company::of_two();
    company.deploy(1_000);
    company.settle();
    company.advance(GONE);
    for _ in 0..5 {
        company.step(0);
        company.work(0);
    }
    assert_eq!(company.state(), DeploymentState::Probation, "nobody tells of shard 1");
    assert!(
        !company.members[1].board.tenure.may_work(company.clock.elapsed()),
        "and nobody runs it"
    );
    company.give(0, &[0, 1]);
    for _ in 0..5 {
        company.step(0);
        company.work(0);
        company.clock.advance(60);
    }
    assert_eq!(company.state(), DeploymentState::Promoted);
}

#[test]
fn two_looks_at_one_word_are_one_look() {
    let mut company = Company::of_two();
    company.send(Verb::Pause);
    company.step(0);
    company.work(0);
    // The other obeys, and says so once.
    company.step(1);
    company.work(1);
    company.clock.advance(60);
    company.step(1);
    let flow = |company: &Company, member: usize| company.members[member].controller.view().state().flow;
    for _ in 0..10 {
        company.clock.advance(60);
        company.step(0);
        company.work(0);
    }
    let heard = company.members[0].controller.nodes().live();
    assert_eq!(heard[0].report.epoch, company.fold().epoch, "it was heard");
    assert_eq!(
        flow(&company, 0),
        Flow::Pausing,
        "a record could have slipped through between the two words"
    );
    company.step(1);
    company.clock.advance(60);
    company.step(0);
    assert_eq!(flow(&company, 0), Flow::Paused);
    company.clock.advance(60);
    company.step(0);
    company.step(1);
    assert_eq!(flow(&company, 1), Flow::Paused, "and tells the others");
}

#[test]
fn no_drain_ends_on_a_part_of_a_view() {
    let mut company = Company::of_two();
    let b = company.exchange.0.lock().remove("http://b").expect("it joined");
    company.send(Verb::Drain { timeout_ms: 600_000 });
    company.settle();
    let state = company.members[0].controller.view().state();
    assert_eq!(
        (state.flow, state.obstacles.len()),
        (Flow::Draining, 0),
        "nothing moves"
    );
    // Nobody can be asked for what shard 1 has in flight.
    assert!(company.fold().draining().is_some());
    company.exchange.0.lock().insert("http://b".into(), b);
    company.settle();
    assert!(
        company.fold().draining().is_none(),
        "it answers, and nothing is in flight"
    );
}

#[test]
fn an_instance_gives_its_shards_away_when_they_are_warm_or_it_is_late() {
    let mut company = Company::of_two();
    let nobody = company.send(Verb::Evacuate {
        node: "x".into(),
        timeout_ms: 5_000,
    });
    let evacuate = company.send(Verb::Evacuate {
        node: "b".into(),
        timeout_ms: 5_000,
    });
    company.settle();
    assert!(matches!(
        company.fold().outcomes[&nobody].progress,
        Progress::Refused { .. }
    ));
    let last = company.send(Verb::Evacuate {
        node: "a".into(),
        timeout_ms: 0,
    });
    company.settle();
    assert!(
        matches!(company.fold().outcomes[&last].progress, Progress::Refused { .. }),
        "somebody must stay"
    );
    assert!(
        !company.members[1].board.tenure.should_leave(0),
        "nobody follows its shards, and there is time"
    );
    company.advance(Duration::from_secs(4));
    company.settle();
    assert!(company.members[1].board.tenure.should_leave(0));
    assert_eq!(company.fold().outcomes[&evacuate].progress, Progress::Running);
    company.give(1, &[]);
    company.members[1].board.tenure.left(0);
    company.give(0, &[0, 1]);
    for _ in 0..3 {
        company.step(1);
        company.clock.advance(60);
        company.step(0);
        company.work(0);
    }
    assert_eq!(company.fold().outcomes[&evacuate].progress, Progress::Done);
    let said = company.members[1]
        .controller
        .nodes()
        .said()
        .expect("it goes on telling");
    assert_eq!(said.state, NodeState::Evacuating);
}

#[test]
fn a_word_that_others_cannot_read_yet_extends_no_lease() {
    let mut company = Company::of_two();
    company.log.refuse.store(true, std::sync::atomic::Ordering::SeqCst);
    company.advance(LEASE);
    company.step(1);
    assert!(!company.members[1].board.tenure.may_work(company.clock.elapsed()));
    company.step(1);
    company.step(1);
    assert!(company.members[1].board.tenure.may_work(company.clock.elapsed()));
}

#[test]
fn a_new_leader_goes_on_with_what_the_last_one_left() {
    let mut company = Company::of_two();
    company.deploy(1_000);
    for _ in 0..2 {
        company.step(0);
        company.step(1);
        company.clock.advance(60);
    }
    company.step(0);
    assert!(company.state() < DeploymentState::Probation, "{:?}", company.state());
    // The first dies without a word.
    company.members[0].board.tenure.left(0);
    company.give(1, &[0, 1]);
    for _ in 0..400 {
        company.step(1);
        company.work(1);
        company.clock.advance(60);
    }
    assert_eq!(company.state(), DeploymentState::Promoted);
    assert!(
        company
            .facts()
            .iter()
            .any(|f| f.term == 2 && matches!(f.fact, Fact::Deployment { .. }))
    );
}

/// Parks a record of `key` in the state of an instance.
fn park(member: &Member, shard: u32, key: &str) {
    let (stage, shard) = (name("account"), Shard(shard));
    let source = Source {
        topic: "payment.inflight".parse().expect("a name"),
        shard,
        offset: Some(Offset(7)),
        fused: false,
    };
    let input = Input {
        port: "inflight".into(),
        key: Some(key.to_owned().into()),
        value: None,
        headers: Vec::new(),
        timestamp: Timestamp(1),
        verdicts: Vec::new(),
    };
    let work = Work {
        subject: Subject::Record {
            input,
            original: Vec::new(),
        },
        identity: Identity::from_header("payment.inflight/0/7"),
        root: String::new(),
        root_time: 0,
        source: source.clone(),
        trace: None,
        refused: None,
        again: None,
    };
    let namespace = namespace(&stage);
    let state = member.store.snapshot().expect("a fake").1;
    let quarantine = Quarantine {
        namespace: &namespace,
        state: &*state,
        shard,
    };
    let mut overlay = Overlay::default();
    let parked = Parked::of(&work, &source, 1, Timestamp(5));
    quarantine.put(&mut overlay, key.as_bytes(), &parked).expect("a fake");
    let mut changes = Vec::new();
    overlay.drain(shard, &mut changes);
    for change in changes {
        let value = change.value.expect("nothing is deleted");
        member
            .store
            .put((*change.namespace).clone(), shard, &change.key, &value);
    }
}

#[test]
fn parked_records_are_those_of_all_instances() {
    let company = Company::of_two();
    let [a, b] = &company.members[..] else { panic!("two") };
    park(a, 0, "of-a");
    park(b, 1, "of-b");
    // What an instance does not hold is old there.
    park(a, 1, "gone");
    let list = |member: &Member, key: Option<&str>| {
        let wanted = Wanted {
            stage: None,
            key: key.map(|key| key.to_owned().into()),
            limit: 10,
        };
        let found = member.controller.views().parked(&wanted).expect("an answer");
        let keys = found.queues.iter().map(|(queue, records)| {
            assert_eq!((queue.records, records.len()), (1, 1));
            String::from_utf8_lossy(&queue.key).into_owned()
        });
        (keys.collect::<Vec<_>>(), found.partial, found.missing)
    };
    for member in [a, b] {
        let all = vec!["of-a".to_owned(), "of-b".to_owned()];
        assert_eq!(list(member, None), (all, false, vec![]));
        assert_eq!(list(member, Some("of-b")), (vec!["of-b".to_owned()], false, vec![]));
        assert_eq!(list(member, Some("gone")), (vec![], false, vec![]));
    }
    company.exchange.0.lock().remove("http://b");
    assert_eq!(list(a, None), (vec!["of-a".to_owned()], true, vec![Shard(1)]));
}

#[test]
fn a_topic_that_was_made_anew_stops_every_instance_now_and_at_a_later_start() {
    let mut company = Company::of_two();
    let topic = Purpose::Journal.topic(&company.manifest.name);
    let call = |company: &Company, name: &str| company.log.identities.lock().insert(topic.clone(), name.to_owned());
    call(&company, "the first");
    company.advance(Duration::from_secs(2));
    company.settle();
    call(&company, "another");
    company.advance(Duration::from_secs(2));
    company.join("c");
    for member in &mut company.members {
        let stopped = member
            .controller
            .step(Duration::ZERO)
            .expect_err("positions of another topic");
        let said = stopped.to_string();
        assert!(
            said.contains(topic.as_str()) && said.contains("the first") && said.contains("another"),
            "{said}"
        );
        assert_eq!(stopped.code(), fermata_core::codes::LOG_KAFKA_POSITION);
    }
    let board = &company.members[2].board;
    board.tenure.gained(0, &[Shard(1)]);
    assert!(!board.tenure.may_restore(Shard(1)), "nothing is restored on it");
    company.log.identities.lock().clear();
    company.settle();
    assert_eq!(
        company.fold().topics.len(),
        1,
        "what is missing at a moment is not forgotten"
    );
}
