//! Waiting until everything produced was acknowledged.
//!
//! rust-rdkafka's own flush looks again in slices of 100 ms, which every transaction would pay. librdkafka's waits for
//! the very moment.
#![allow(unsafe_code)]

use rdkafka::bindings::rd_kafka_flush;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
use std::time::Duration;

/// Whether nothing is on its way any more. Reports of failures wait in the producer's queue and count: poll it.
pub(crate) fn flush<C: ProducerContext>(producer: &BaseProducer<C>, within: Duration) -> bool {
    let within = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer is the producer's own and lives as long as `producer` is borrowed; librdkafka's handles may
    // be used from any thread, and this function keeps nothing of them.
    let answer = unsafe { rd_kafka_flush(producer.client().native_ptr(), within) };
    answer == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
}
