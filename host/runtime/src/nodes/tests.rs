use super::report::{Leads, NodeReport, NodeState, VERSION};
use super::*;
use crate::board::{Directive, Intake, TaskReport};
use crate::control::tests::log::TestClock;
use crate::tenure::Tenure;
use fermata_core::{Sequence, StageName};

fn report(node: &str, shards: &[(u32, u64, u64)]) -> NodeReport {
    let shards = shards.iter().map(|(shard, sequence, epoch)| {
        let report = ShardReport {
            sequence: Sequence(*sequence),
            epoch: *epoch,
            idle: true,
            ..ShardReport::default()
        };
        (Shard(*shard), report)
    });
    NodeReport {
        v: VERSION,
        node: node.to_owned(),
        incarnation: Uuid::now_v7(),
        address: Some(format!("http://{node}")),
        version: "0".into(),
        at: 0,
        state: NodeState::Ready,
        leads: None,
        epoch: 1,
        read_to: Offset(0),
        workers: [0].into(),
        shards: shards.collect(),
        restoring: Default::default(),
        standby: Default::default(),
        prepared: Default::default(),
        events: Vec::new(),
    }
}

fn nodes() -> (Nodes, Arc<Board>, Arc<TestClock>) {
    let nothing = Directive {
        epoch: 0,
        intake: Intake::Closed,
        draining: false,
        stages: BTreeMap::new(),
    };
    let board = Arc::new(Board::with(nothing, Tenure::shared()));
    let clock: Arc<TestClock> = Arc::default();
    let own = NodeSpec::named("here", None);
    (Nodes::new(own, board.clone(), clock.clone()), board, clock)
}

fn hear(nodes: &Nodes, report: &NodeReport) {
    let pipeline = PipelineName::new("p").expect("a name");
    nodes.hear(&report.record(&pipeline).at(Offset(0)));
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let mut written = report("there", &[(3, 7, 2)]);
    let task = TaskReport {
        positions: [("t".parse().expect("a topic"), Offset(9))].into(),
        paused: Some("why".into()),
        ..TaskReport::default()
    };
    let stage = StageName::new("s").expect("a name");
    written
        .shards
        .get_mut(&Shard(3))
        .expect("above")
        .tasks
        .insert(stage, task);
    written.leads = Some(Leads {
        term: 1,
        epoch: 2,
        quiescent: true,
        obstacles: Vec::new(),
    });
    let pipeline = PipelineName::new("p").expect("a name");
    let read = NodeReport::read(&written.record(&pipeline).at(Offset(0)));
    assert_eq!(read, Some(written));
}

#[test]
fn of_two_that_tell_of_a_shard_the_one_that_has_seen_more_holds() {
    let (nodes, board, _) = nodes();
    let own = report("here", &[(0, 5, 3), (1, 5, 3)]);
    own.shards
        .iter()
        .for_each(|(shard, report)| board.report(*shard, report.clone()));
    hear(&nodes, &report("there", &[(0, 6, 2), (1, 5, 2), (2, 1, 1)]));
    let sequences: Vec<_> = nodes
        .reports()
        .into_iter()
        .map(|(s, r)| (s.0, r.sequence.0, r.epoch))
        .collect();
    assert_eq!(
        sequences,
        [(0, 6, 2), (1, 5, 2), (2, 1, 1)],
        "of equals the one that knows fewer facts: it may not have stopped yet"
    );
    assert!(matches!(&nodes.owners()[&Shard(0)], Owner::There { node, .. } if node == "there"));
}

#[test]
fn silence_comes_before_the_end() {
    let (nodes, _, clock) = nodes();
    hear(&nodes, &report("there", &[(0, 1, 1)]));
    assert!(nodes.silent().is_empty());
    clock.advance(i64::try_from(SILENT.as_millis()).expect("small"));
    assert_eq!(nodes.silent(), ["there"]);
    assert_eq!(nodes.reports().len(), 1, "it is silent, not gone");
    clock.advance(i64::try_from((GONE - SILENT).as_millis()).expect("small"));
    assert!(nodes.silent().is_empty() && nodes.reports().is_empty() && nodes.live().is_empty());
    hear(&nodes, &report("there", &[(0, 1, 1)]));
    assert_eq!(nodes.live().len(), 1, "it is back");
    let pipeline = PipelineName::new("p").expect("a name");
    nodes.hear(&super::report::farewell(&pipeline, "there", 0).at(Offset(1)));
    assert!(nodes.known().is_empty(), "it said farewell");
}

#[test]
fn the_lease_ends_before_the_others_go_on_without_it() {
    assert!(EVERY < SILENT && SILENT < LEASE && LEASE < GONE);
}
