//! `view list`, `view get`.

use super::args::ViewVerb;
use super::client::{Client, segment};
use super::talk::{Talk, plain, table};
use crate::failure::{Exit, Failure};
use serde_json::Value;

pub fn run(talk: &Talk, mut client: Client, verb: ViewVerb) -> Result<Exit, Failure> {
    match verb {
        ViewVerb::List => {
            let path = client.path("/views")?;
            let found = client.get(&path)?;
            if talk.json() {
                talk.print_json(&found);
                return Ok(Exit::Ok);
            }
            let rows = found["views"].as_array().into_iter().flatten();
            let rows = rows.map(|v| vec![plain(&v["view"]), plain(&v["stage"]), plain(&v["scope"])]);
            talk.print(table(&["VIEW", "STAGE", "SCOPE"], &rows.collect::<Vec<_>>()));
        }
        ViewVerb::Get { view, key, params } => {
            let mut path = format!("/views/{}", segment(&view));
            if let Some(key) = &key {
                path.push('/');
                path.push_str(&segment(key));
            }
            for (i, param) in params.iter().enumerate() {
                let (name, value) = param
                    .split_once('=')
                    .ok_or_else(|| Failure::usage(format!("--param {param:?} is not name=value")))?;
                path.push(if i == 0 { '?' } else { '&' });
                path.push_str(&format!("{}={}", segment(name), segment(value)));
            }
            let path = client.path(&path)?;
            let answer = client.get(&path)?;
            print(talk, &answer);
            if answer["partial"] == true {
                talk.say("partial: a shard has no owner just now; its part may be behind");
            }
        }
    }
    Ok(Exit::Ok)
}

fn print(talk: &Talk, answer: &Value) {
    if talk.json() {
        talk.print_json(answer);
    } else {
        talk.print(format!("{:#}", answer["data"]));
    }
}
