//! Why an answer did not come, in words that say what to do.

use super::ears::Heard;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    #[error("the Kafka setting {name} is not right: {found}")]
    Setting { name: String, found: String },
    /// Who we say we are, or how, is not accepted.
    #[error("Kafka refuses {doing}: {found}")]
    Refused { doing: String, found: String },
    #[error("no answer while {doing}: {found}")]
    Away { doing: String, found: String },
    #[error("{doing} failed: {found}")]
    Failed { doing: String, found: String },
}

impl InspectError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Setting { .. } => "correct it under [kafka]; its names are librdkafka's",
            Self::Refused { .. } => {
                "check security.protocol, sasl.mechanism, sasl.username, sasl.password and ssl.ca.location under [kafka]"
            }
            Self::Away { .. } => {
                "check kafka.\"bootstrap.servers\", that the brokers run, and that the addresses that they advertise can be \
                 reached from here"
            }
            Self::Failed { .. } => "the broker's log says more",
        }
    }
}

/// A client that cannot be made. The value of a setting is not repeated: it may be a secret.
pub fn client(error: &KafkaError) -> InspectError {
    match error {
        KafkaError::ClientConfig(_, found, name, _) => InspectError::Setting {
            name: name.clone(),
            found: found.clone(),
        },
        other => InspectError::Failed {
            doing: "making a client".into(),
            found: other.to_string(),
        },
    }
}

/// Does the code say that we are not who we should be?
pub fn refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism | Code::SSL
    )
}

pub fn explain(doing: &str, error: &KafkaError, heard: &Heard) -> InspectError {
    let doing = doing.to_owned();
    let found = heard.trouble().unwrap_or_else(|| error.to_string());
    let code = error.rdkafka_error_code();
    if heard.refused() || code.is_some_and(refusal) {
        return InspectError::Refused { doing, found };
    }
    match code {
        Some(code) if away(code) => InspectError::Away { doing, found },
        _ => InspectError::Failed {
            doing,
            found: error.to_string(),
        },
    }
}

/// Nobody answered.
pub fn away(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
    )
}
