//! librdkafka's errors in the words of the ports, each with what to do.

use crate::health::Health;
use fermata_core::{codes, ports::LogError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The broker refuses this identity, or what it asks for.
pub(crate) fn refusal(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            "check sasl.username, sasl.password, sasl.mechanism and security.protocol"
        }
        Code::SSL => "check security.protocol, ssl.ca.location and the certificates",
        Code::TopicAuthorizationFailed => {
            "it may not read, write, create or describe the topic: `fermata topics acls` prints what it needs"
        }
        Code::GroupAuthorizationFailed => "it may not read the group: `fermata topics acls` prints what it needs",
        Code::ClusterAuthorizationFailed => {
            "it may not write idempotently or create topics: `fermata topics acls` prints what it needs"
        }
        Code::TransactionalIdAuthorizationFailed => {
            "it may not use the transactional ids: `fermata topics acls` prints what it needs"
        }
        _ => return None,
    })
}

/// Another producer or member of the same name has taken over, or this one was declared dead.
pub(crate) fn fenced(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::FencedInstanceId
            | Code::InvalidProducerIdMapping
            | Code::UnknownProducerId
    )
}

pub(crate) fn unknown_topic(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::UnknownTopicId
    )
}

/// What `doing` failed with.
pub(crate) fn explain(doing: &str, error: &KafkaError, health: &Health) -> LogError {
    let code = match error {
        // The wrapper keeps the code of an answer to an administrator to itself.
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    };
    // A time-out tells nothing; what the connections met does.
    for found in [code, health.unwelcome()].into_iter().flatten() {
        if let Some(remedy) = refusal(found) {
            let rights = codes::LOG_KAFKA_RIGHTS;
            return LogError::Fatal(format!(
                "{rights}: Kafka refuses {doing}: {error}{}; {remedy}",
                health.last()
            ));
        }
    }
    match code {
        Some(code) if fenced(code) => LogError::Fenced(format!("{doing}: {error}")),
        Some(Code::UnsupportedFeature | Code::UnsupportedVersion) => LogError::Fatal(format!(
            "{}: the brokers cannot do {doing}: {error}; Fermata needs Apache Kafka 2.5 or later",
            codes::LOG_KAFKA_SETTINGS
        )),
        _ => LogError::Away(format!("{doing}: {error}{}", health.last())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_is_said_though_the_answer_is_a_time_out() {
        let health = Health::default();
        let late = KafkaError::MetadataFetch(Code::OperationTimedOut);
        assert!(matches!(explain("asking", &late, &health), LogError::Away(_)));
        health.note(Some(Code::Authentication), "SASL authentication error");
        let said = explain("asking", &late, &health);
        assert!(
            matches!(&said, LogError::Fatal(text) if text.contains("sasl.password") && text.contains("F05")),
            "{said}"
        );
        health.welcome.store(true, std::sync::atomic::Ordering::Relaxed);
        let said = explain("asking", &late, &health);
        assert!(matches!(&said, LogError::Away(text) if text.contains("SASL")), "{said}");
    }

    #[test]
    fn a_right_that_an_administrator_lacks_is_said_and_not_waited_for() {
        let refused = KafkaError::AdminOp(Code::TopicAuthorizationFailed);
        let said = explain("making the topic a", &refused, &Health::default());
        assert!(
            matches!(&said, LogError::Fatal(text) if text.contains(codes::LOG_KAFKA_RIGHTS) && text.contains("acls")),
            "{said}"
        );
    }
}
