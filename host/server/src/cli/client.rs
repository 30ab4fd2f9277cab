//! The API from outside: every answer that is not a success becomes a [`Failure`] with its exit code.

use super::args::Global;
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use serde_json::Value;
use std::time::{Duration, Instant};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

/// Long enough for a `verify` of a large log.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at a fact that is waited for.
const POLL: Duration = Duration::from_millis(20);
/// Answers of a browse can hold many records of a MiB each.
const MAX_ANSWER: u64 = 1 << 30;

pub struct Client {
    agent: Agent,
    server: String,
    pipeline: Option<String>,
}

/// An answer's body, and where a created thing can be found.
pub struct Answer {
    pub body: Value,
    pub location: Option<String>,
}

impl Client {
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let server = global.server.trim_end_matches('/').to_owned();
        let uri: Option<Uri> = server.parse().ok();
        if !uri.is_some_and(|u| u.scheme_str() == Some("http") && u.host().is_some()) {
            return Err(Failure::usage(format!(
                "--server {server:?} is not a URL such as http://127.0.0.1:8640"
            )));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .build();
        Ok(Self {
            agent: config.into(),
            server,
            pipeline: global.pipeline.clone(),
        })
    }

    /// The pipeline named by `-p`, or the only one of the server.
    pub fn pipeline(&mut self) -> Result<String, Failure> {
        if let Some(name) = &self.pipeline {
            return Ok(name.clone());
        }
        let all = self.get("/api/v1/pipelines")?;
        let names: Vec<&str> = all["pipelines"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p| p["name"].as_str())
            .collect();
        match names[..] {
            [one] => {
                self.pipeline = Some(one.to_owned());
                Ok(one.to_owned())
            }
            _ => Err(Failure::usage(format!(
                "name a pipeline with -p; there are: {}",
                names.join(", ")
            ))),
        }
    }

    /// `/api/v1/pipelines/{p}` and what follows.
    pub fn path(&mut self, rest: &str) -> Result<String, Failure> {
        Ok(format!("/api/v1/pipelines/{}{rest}", segment(&self.pipeline()?)))
    }

    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.agent.get(format!("{}{path}", self.server)).call();
        Ok(self.answer(answer)?.body)
    }

    /// The body as it came.
    pub fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.agent.get(format!("{}{path}", self.server)).call();
        let mut response = answer.map_err(|e| self.unreachable(&e))?;
        let text = response.body_mut().read_to_string().map_err(|e| self.unreachable(&e))?;
        match response.status().as_u16() {
            200..300 => Ok(text),
            status => Err(refusal(
                status,
                &serde_json::from_str(&text).unwrap_or(Value::Null),
                &text,
            )),
        }
    }

    pub fn post(&self, path: &str, body: &Value, headers: &[(&str, String)]) -> Result<Answer, Failure> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.server))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send(body.to_string());
        self.answer(answer)
    }

    pub fn post_bytes(&self, path: &str, kind: &str, body: &[u8]) -> Result<Answer, Failure> {
        let request = self.agent.post(format!("{}{path}", self.server));
        let answer = request.header("content-type", kind).send(body);
        self.answer(answer)
    }

    /// Asks `path` until `done` says something or `timeout` passes (`None`: with the last answer).
    pub fn wait<T>(
        &self,
        path: &str,
        timeout: Duration,
        mut done: impl FnMut(&Value) -> Option<T>,
    ) -> Result<Result<T, Value>, Failure> {
        let deadline = Instant::now() + timeout;
        loop {
            let answer = self.get(path)?;
            if let Some(found) = done(&answer) {
                return Ok(Ok(found));
            }
            if Instant::now() >= deadline {
                return Ok(Err(answer));
            }
            std::thread::sleep(POLL);
        }
    }

    fn answer(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, Failure> {
        let mut response = answer.map_err(|e| self.unreachable(&e))?;
        let status = response.status().as_u16();
        let location = response.headers().get("location");
        let location = location.and_then(|l| l.to_str().ok()).map(str::to_owned);
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_string()
            .map_err(|e| self.unreachable(&e))?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if (200..300).contains(&status) {
            return Ok(Answer { body, location });
        }
        Err(refusal(status, &body, &text))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(
            codes::CLI_UNREACHABLE,
            Exit::Unreachable,
            format!("{} cannot be reached: {error}", self.server),
        )
        .help("is `fermata run` or `fermata demo` running? --server or FERMATA_SERVER name another address")
    }
}

fn refusal(status: u16, body: &Value, text: &str) -> Failure {
    let exit = match status {
        404 => Exit::NotFound,
        502..=504 => Exit::Unreachable,
        400..500 => Exit::Refused,
        _ => Exit::Failed,
    };
    let Some(detail) = body["detail"].as_str() else {
        return Failure::new(
            codes::CLI_UNREACHABLE,
            exit,
            format!(
                "the server answered {status}: {}",
                text.chars().take(200).collect::<String>()
            ),
        );
    };
    let code = body["code"].as_str().unwrap_or(codes::HTTP_BAD_REQUEST);
    let failure = Failure::new(code, exit, detail);
    match body["help"].as_str() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// A path segment, percent-encoded.
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
