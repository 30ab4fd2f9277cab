//! Topics, appends and reads outside sessions.

use super::{Fixture, kit::*};
use fermata_core::{
    Header, NewRecord, Offset, Shard, Timestamp,
    ports::{Bounds, LogError, TopicSpec},
};

pub fn ensure_makes_each_topic_once(fixture: &dyn Fixture) {
    let log = fixture.open();
    let b = make(&*log, "b", 3);
    let a = make(&*log, "a", 1);
    make(&*log, "b", 3);
    let spec = |name, partitions| TopicSpec { name, partitions };
    assert_eq!(log.topics().unwrap(), vec![spec(a, 1), spec(b, 3)]);
}

pub fn another_partition_count_is_refused(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 2);
    let wanted = [("new", 1), ("a", 3)].map(|(name, partitions)| TopicSpec {
        name: topic(name),
        partitions,
    });
    let refused = log.ensure(&wanted);
    assert!(
        matches!(&refused, Err(LogError::PartitionCount { topic, expected: 3, found: 2 }) if *topic == a),
        "{refused:?}"
    );
    assert_eq!(log.topics().unwrap().len(), 1, "nothing of a refused call is made");
}

pub fn what_does_not_exist_is_named(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let missing = topic("missing");
    let named = |found: LogError| matches!(found, LogError::UnknownTopic(t) if t == missing);
    assert!(named(log.bounds(&missing, Shard(0)).unwrap_err()));
    assert!(named(log.read(&missing, Shard(0), Offset(0), 1).unwrap_err()));
    assert!(named(log.last(&missing, Shard(0)).unwrap_err()));
    assert!(named(log.append(vec![record(&missing, 0, "x")]).unwrap_err()));
    let outside = log.bounds(&a, Shard(1));
    assert!(matches!(outside, Err(LogError::PartitionCount { .. })), "{outside:?}");
}

pub fn records_are_read_as_they_were_appended(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 2);
    let bare = NewRecord {
        topic: a.clone(),
        shard: Shard(1),
        timestamp: Timestamp(-7),
        key: None,
        value: None,
        headers: vec![],
    };
    let full = NewRecord {
        timestamp: Timestamp(1_767_225_600_000),
        key: Some("".into()),
        value: Some(vec![0_u8; 100_000].into()),
        headers: vec![
            Header::new("same", "1"),
            Header::new("same", vec![255_u8, 0]),
            Header {
                key: "none".into(),
                value: None,
            },
        ],
        ..bare.clone()
    };
    let written = log.append(vec![bare.clone(), full.clone()]).unwrap();
    let found = read(&*log, &a, 1, 2);
    assert_eq!(found[0], bare.at(written.offsets[0]));
    assert_eq!(found[1], full.at(written.offsets[1]));
    assert_eq!(found.len(), 2);
}

pub fn a_read_begins_anywhere_and_ends_at_its_limit(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    for n in 0..10 {
        log.append(vec![record(&a, 0, format!("{n}"))]).unwrap();
    }
    let all = read(&*log, &a, 0, 10);
    assert!(all.windows(2).all(|w| w[0].offset < w[1].offset), "offsets grow");
    assert_eq!(log.read(&a, Shard(0), all[4].offset, 3).unwrap(), all[4..7]);
    assert_eq!(log.read(&a, Shard(0), all[4].offset.next(), 1).unwrap(), all[5..6]);
    assert_eq!(log.read(&a, Shard(0), all[9].offset.next(), 5).unwrap(), vec![]);
    assert_eq!(log.read(&a, Shard(0), Offset(1_000), 5).unwrap(), vec![]);
    assert_eq!(log.read(&a, Shard(0), Offset(0), 0).unwrap(), vec![]);
}

pub fn bounds_enclose_what_can_be_read(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let empty = log.bounds(&a, Shard(0)).unwrap();
    let (start, end, high) = (Offset(0), Offset(0), Offset(0));
    assert_eq!(empty, Bounds { start, end, high });
    let written = log
        .append((0..3).map(|n| record(&a, 0, format!("{n}"))).collect())
        .unwrap();
    let found = read(&*log, &a, 0, 3);
    assert_eq!(found.iter().map(|r| r.offset).collect::<Vec<_>>(), written.offsets);
    let bounds = log.bounds(&a, Shard(0)).unwrap();
    assert!(
        bounds.start <= found[0].offset && found[2].offset < bounds.end,
        "{bounds:?}"
    );
}

pub fn an_append_is_all_or_nothing(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    log.append(vec![record(&a, 0, "1"), record(&topic("missing"), 0, "2")])
        .unwrap_err();
    log.append(vec![record(&a, 0, "3"), record(&a, 9, "4")]).unwrap_err();
    log.append(vec![record(&a, 0, "5")]).unwrap();
    assert_eq!(values(&read(&*log, &a, 0, 1)), ["5"]);
}

pub fn the_last_record_is_the_newest(fixture: &dyn Fixture) {
    let log = fixture.open();
    let a = make(&*log, "a", 2);
    assert_eq!(log.last(&a, Shard(0)).unwrap(), None);
    log.append(vec![record(&a, 0, "1"), record(&a, 0, "2"), record(&a, 1, "3")])
        .unwrap();
    let all = read(&*log, &a, 0, 2);
    assert_eq!(log.last(&a, Shard(0)).unwrap().as_ref(), all.last());
    drop(log);
    let log = fixture.open();
    // A log that had not made it durable may have lost it; one that has it must answer.
    assert_eq!(log.last(&a, Shard(0)).unwrap(), read_now(&*log, &a, 0).pop());
}

pub fn partitions_are_apart(fixture: &dyn Fixture) {
    let log = fixture.open();
    let (a, b) = (make(&*log, "a", 300), make(&*log, "a.b", 300));
    for (topic, shard) in [(&a, 0), (&a, 1), (&a, 255), (&a, 256), (&b, 0), (&b, 256)] {
        log.append(vec![record(topic, shard, format!("{topic}/{shard}"))])
            .unwrap();
    }
    for (topic, shard) in [(&a, 0), (&a, 1), (&a, 255), (&a, 256), (&b, 0), (&b, 256)] {
        assert_eq!(values(&read(&*log, topic, shard, 1)), [format!("{topic}/{shard}")]);
    }
    assert_eq!(read_now(&*log, &b, 1), vec![]);
}
