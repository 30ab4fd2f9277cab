//! `produce`, `consume`, `dlq`.

use super::args::{ConsumeArgs, DlqVerb, ProduceArgs};
use super::client::{Client, segment};
use super::talk::{Talk, grouped, plain, table};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

/// Records of one request.
const BATCH: usize = 1_000;
const PAGE: u64 = 1_000;
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
pub const ENVELOPE: &str = "application/vnd.fermata.records+json";

pub fn produce(talk: &Talk, mut client: Client, args: ProduceArgs) -> Result<Exit, Failure> {
    let path = client.path(&format!("/topics/{}/records", segment(&args.topic)))?;
    let lines: Box<dyn BufRead> = if args.file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(&args.file).map_err(|e| cannot_read(&args.file, &e))?;
        Box::new(BufReader::new(file))
    };
    let mut sent = 0;
    let mut batch: Vec<Value> = Vec::with_capacity(BATCH);
    for line in lines.lines() {
        let line = line.map_err(|e| cannot_read(&args.file, &e))?;
        if !line.trim().is_empty() {
            batch.push(if args.hex {
                json!({ "key": args.key, "value_hex": line.trim() })
            } else {
                json!({ "key": args.key, "value": line })
            });
        }
        if batch.len() == BATCH {
            sent += send(talk, &client, &path, &mut batch, sent)?;
        }
    }
    sent += send(talk, &client, &path, &mut batch, sent)?;
    talk.say(format!("{} taken in on {}", grouped(sent), args.topic));
    Ok(Exit::Ok)
}

pub fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    let exit = if error.kind() == std::io::ErrorKind::NotFound {
        Exit::NotFound
    } else {
        Exit::Failed
    };
    Failure::new(
        codes::RECORD_REFUSED,
        exit,
        format!("{} cannot be read: {error}", path.display()),
    )
}

fn send(talk: &Talk, client: &Client, path: &str, batch: &mut Vec<Value>, sent: u64) -> Result<u64, Failure> {
    if batch.is_empty() {
        return Ok(0);
    }
    let count = batch.len() as u64;
    let body = json!({ "records": std::mem::take(batch) }).to_string();
    let answer = client.post_bytes(path, ENVELOPE, body.as_bytes()).inspect_err(|_| {
        if sent > 0 {
            talk.say(format!("{} were taken in before this failure", grouped(sent)));
        }
    })?;
    for place in answer.body["records"].as_array().into_iter().flatten() {
        if talk.json() {
            talk.print_json(place);
        } else {
            talk.print(format!("{}/{}", place["partition"], place["offset"]));
        }
    }
    Ok(count)
}

pub fn consume(talk: &Talk, mut client: Client, args: ConsumeArgs) -> Result<Exit, Failure> {
    let topic = client.path(&format!("/topics/{}", segment(&args.topic)))?;
    let described = client.get(&topic)?;
    let partitions: Vec<u64> = match args.partition {
        Some(one) => vec![u64::from(one)],
        None => described["partitions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p| p["partition"].as_u64())
            .collect(),
    };
    let mut next: Vec<(u64, u64)> = partitions.into_iter().map(|p| (p, args.offset)).collect();
    let mut left = args.limit.unwrap_or(u64::MAX);
    loop {
        let mut found = 0;
        for (partition, offset) in &mut next {
            while left > 0 {
                let page = client.get(&format!(
                    "{topic}/records?partition={partition}&offset={offset}&limit={}",
                    PAGE.min(left)
                ))?;
                let records = page["records"].as_array().map(Vec::as_slice).unwrap_or_default();
                if records.is_empty() {
                    break;
                }
                records.iter().for_each(|r| print_record(talk, r));
                found += records.len();
                left -= records.len() as u64;
                *offset = page["next"][partition.to_string()].as_u64().unwrap_or(*offset);
            }
        }
        if left == 0 || !args.follow {
            return Ok(Exit::Ok);
        }
        if found == 0 {
            std::thread::sleep(FOLLOW_EVERY);
        }
    }
}

fn print_record(talk: &Talk, record: &Value) {
    if talk.json() {
        talk.print_json(record);
        return;
    }
    talk.print(format!(
        "{}/{}\t{}\t{}",
        record["partition"],
        record["offset"],
        part(record, "key"),
        part(record, "value")
    ));
}

/// A text, or the hex digits of what is none.
fn part(record: &Value, name: &str) -> String {
    match &record[format!("{name}_hex")] {
        Value::Null => plain(&record[name]),
        hex => format!("0x{}", plain(hex)),
    }
}

pub fn dlq(talk: &Talk, mut client: Client, verb: DlqVerb) -> Result<Exit, Failure> {
    match verb {
        DlqVerb::List { limit } => {
            let path = client.path(&format!("/dlq?limit={limit}"))?;
            let found = client.get(&path)?;
            if talk.json() {
                talk.print_json(&found);
                return Ok(Exit::Ok);
            }
            let rows = found["dead_letters"].as_array().into_iter().flatten().map(|l| {
                vec![
                    plain(&l["id"]),
                    plain(&l["at"]),
                    plain(&l["code"]),
                    plain(&l["stage"]),
                    plain(&l["digest"]),
                    part(&l["record"], "key"),
                    source(l),
                ]
            });
            let rows: Vec<_> = rows.collect();
            talk.print(table(&["ID", "AT", "CODE", "STAGE", "DIGEST", "KEY", "SOURCE"], &rows));
            let total = found["total"].as_u64().unwrap_or_default();
            if total > rows.len() as u64 {
                talk.say(format!("{} of {}; more with --limit", rows.len(), grouped(total)));
            }
        }
        DlqVerb::Show { letter } => {
            let (partition, offset) = letter
                .split_once('/')
                .and_then(|(p, o)| Some((p.parse::<u32>().ok()?, o.parse::<u64>().ok()?)))
                .ok_or_else(|| Failure::usage(format!("{letter:?} is not a dead letter: expected partition/offset")))?;
            let path = client.path(&format!("/dlq/{partition}/{offset}"))?;
            let found = client.get(&path)?;
            if talk.json() {
                talk.print_json(&found);
                return Ok(Exit::Ok);
            }
            for name in ["id", "at", "code", "stage", "digest", "port", "message", "identity"] {
                talk.print(format!("{name:<9} {}", plain(&found[name])));
            }
            talk.print(format!("source    {}", source(&found)));
            for header in found["record"]["headers"].as_array().into_iter().flatten() {
                talk.print(format!("  {}: {}", plain(&header["name"]), part(header, "value")));
            }
            talk.print(format!("key       {}", part(&found["record"], "key")));
            talk.print(format!("value     {}", part(&found["record"], "value")));
        }
    }
    Ok(Exit::Ok)
}

fn source(letter: &Value) -> String {
    let at = &letter["source"];
    format!(
        "{}/{}/{}",
        plain(&at["topic"]),
        plain(&at["partition"]),
        plain(&at["offset"])
    )
}
