//! A closed folder can be edited so that only who reads the records can tell.

use fermata_core::{
    Header, NewRecord, Offset, Record, Shard, Timestamp, TopicName,
    ports::{Log, LogError, TopicSpec},
};
use fermata_store::{
    Embedded, Options,
    surgery::{Folder, copy_folder},
};
use std::path::Path;

const SHARD: Shard = Shard(1);

fn topic() -> TopicName {
    TopicName::new("journal").unwrap()
}

fn fill(dir: &Path) {
    let log = Embedded::open(dir, Options::default()).unwrap();
    let spec = TopicSpec {
        name: topic(),
        partitions: 2,
    };
    log.ensure(&[spec]).unwrap();
    for n in 0..5 {
        let record = NewRecord {
            topic: topic(),
            shard: SHARD,
            timestamp: Timestamp(n),
            key: Some("k".into()),
            value: Some(format!("value {n}").into()),
            headers: vec![Header::new("h", "x")],
        };
        log.append(vec![record]).unwrap();
    }
}

fn read(dir: &Path) -> Vec<Record> {
    let log = Embedded::open(dir, Options::default()).unwrap();
    log.read(&topic(), SHARD, Offset(0), 100).unwrap()
}

#[test]
fn records_are_listed_deleted_changed_and_doubled() {
    let root = tempfile::tempdir().unwrap();
    let original = root.path().join("original");
    fill(&original);
    let before = read(&original);
    let copy = root.path().join("copy");
    copy_folder(&original, &copy).unwrap();

    let folder = Folder::open(&copy).unwrap();
    assert_eq!(folder.topics().len(), 1);
    assert_eq!(folder.list(&topic(), SHARD).unwrap(), before);
    assert!(folder.delete_record(&topic(), SHARD, Offset(1)).unwrap());
    assert!(!folder.delete_record(&topic(), SHARD, Offset(1)).unwrap());
    let mut changed = before[2].clone();
    changed.value = Some("Value 2".into());
    folder.put_record(&changed).unwrap();
    let mut doubled = before[4].clone();
    doubled.offset = Offset(5);
    folder.put_record(&doubled).unwrap();
    drop(folder);

    let expected = [&before[0], &changed, &before[3], &before[4], &doubled].map(Clone::clone);
    assert_eq!(read(&copy), expected);
    assert_eq!(read(&original), before);

    let log = Embedded::open(&copy, Options::default()).unwrap();
    assert_eq!(log.bounds(&topic(), SHARD).unwrap().end, Offset(6));
    assert_eq!(log.last(&topic(), SHARD).unwrap(), Some(doubled));
}

#[test]
fn an_opened_folder_is_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let _log = Embedded::open(dir.path(), Options::default()).unwrap();
    let refused = Folder::open(dir.path()).map(drop);
    assert!(
        matches!(&refused, Err(LogError::Fatal(t)) if t.contains("F0503")),
        "{refused:?}"
    );
    let missing = Folder::open(&dir.path().join("missing")).map(drop);
    assert!(matches!(missing, Err(LogError::Fatal(_))));
}
