//! The API as any client meets it.

use super::Server;
use serde_json::Value;
use std::time::Duration;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

/// Base path of the payment pipeline.
pub const PIPELINE: &str = "/api/v1/pipelines/payments";

/// Whatever came back, problem or not.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub location: Option<String>,
    /// Null where the body is not JSON.
    pub body: Value,
    pub text: String,
}

fn agent() -> Agent {
    let patience = Some(Duration::from_secs(120));
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(patience)
        .build()
        .into()
}

fn read(answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, ureq::Error> {
    let mut response = answer?;
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
    };
    let (kind, location) = (header("content-type").unwrap_or_default(), header("location"));
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(1 << 30).read_to_string()?;
    Ok(Answer {
        status,
        kind,
        location,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    })
}

impl Server {
    pub fn get(&self, path: &str) -> Answer {
        let answer = read(agent().get(self.url(path)).call());
        answer.unwrap_or_else(|e| panic!("GET {path}: {e}; stderr: {}", self.stderr()))
    }

    /// An error where nothing answers, as after a kill.
    pub fn post(&self, path: &str, kind: &str, body: &str) -> Result<Answer, ureq::Error> {
        post(&self.url(path), kind, body)
    }

    /// A JSON body with more headers.
    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = agent().post(self.url(path)).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send(body)).unwrap_or_else(|e| panic!("POST {path}: {e}"))
    }

    pub fn delete(&self, path: &str) -> Answer {
        let answer = read(agent().delete(self.url(path)).call());
        answer.unwrap_or_else(|e| panic!("DELETE {path}: {e}"))
    }

    /// An answer to a request that names another host than the machine's own.
    pub fn get_as(&self, path: &str, host: &str) -> Answer {
        let uri: Uri = self.url(path).parse().expect("made here");
        read(agent().get(uri).header("host", host).call()).unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }
}

/// An error where nothing answers.
pub fn get(url: &str) -> Result<Answer, ureq::Error> {
    read(agent().get(url).call())
}

pub fn post(url: &str, kind: &str, body: &str) -> Result<Answer, ureq::Error> {
    read(agent().post(url).header("content-type", kind).send(body))
}
