//! Asking other instances over HTTP, with the secret that they share.

use fermata_runtime::views::{PeerError, Peers, Question, Reply};
use std::time::Duration;
use ureq::Agent;

/// Where an instance takes questions of others.
pub const PATH: &str = "/internal/v1/views";
/// Header that carries the secret.
pub const SECRET: &str = "x-fermata-peer-secret";
/// An answer holds one part a shard.
const MAX_ANSWER: u64 = 256 << 20;

pub struct HttpPeers {
    agent: Agent,
    secret: String,
}

impl HttpPeers {
    pub fn new(secret: impl Into<String>) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).build();
        Self {
            agent: config.into(),
            secret: secret.into(),
        }
    }
}

impl Peers for HttpPeers {
    fn ask(&self, address: &str, question: &Question, within: Duration) -> Result<Reply, PeerError> {
        let url = format!("{}{PATH}", address.trim_end_matches('/'));
        let failed = |error: &dyn std::fmt::Display| PeerError(format!("{url}: {error}"));
        let body = serde_json::to_vec(question).map_err(|e| failed(&e))?;
        let request = self.agent.post(&url).config().timeout_global(Some(within)).build();
        let request = request
            .header("content-type", "application/json")
            .header(SECRET, &self.secret);
        let mut response = request.send(&body[..]).map_err(|e| failed(&e))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MAX_ANSWER);
        let bytes = body.read_to_vec().map_err(|e| failed(&e))?;
        if !status.is_success() {
            let said = String::from_utf8_lossy(&bytes);
            let said: String = said.chars().take(200).collect();
            return Err(failed(&format!("it answered {status}: {said}")));
        }
        serde_json::from_slice(&bytes).map_err(|e| failed(&e))
    }
}
