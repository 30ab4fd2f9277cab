//! What tells a topic from another that has its name later: the identifier that the cluster gave it.
//!
//! rust-rdkafka has no such question, so librdkafka is asked itself.
#![allow(unsafe_code)]

use fermata_core::TopicName;
use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

/// Of topics made by brokers that gave none yet (before Apache Kafka 2.8).
const NONE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
/// librdkafka gives up by itself; whoever waits for it waits a little longer.
const GRACE: Duration = Duration::from_secs(1);

/// An object of librdkafka's, let go of with this.
struct Own<T> {
    object: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if !self.object.is_null() {
            // SAFETY: it was made by librdkafka, is owned by this alone, and `destroy` is the function for its kind.
            unsafe { (self.destroy)(self.object) }
        }
    }
}

/// Identifiers as `kafka-topics --describe` prints them. A topic that does not exist, or that may not be looked at, has
/// none.
pub(crate) fn ask<C: ClientContext>(
    client: &Client<C>,
    topics: &[TopicName],
    within: Duration,
) -> Result<BTreeMap<TopicName, String>, KafkaError> {
    if topics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<CString> = topics
        .iter()
        .map(|t| CString::new(t.as_str()))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
    let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: every pointer handed over is of this function's own and outlives the call that takes it; librdkafka copies
    // names and options, and its handle lives as long as `client` is borrowed. The answer is read before it is let go of.
    unsafe {
        let handle = client.native_ptr();
        let asked = Own {
            object: c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
            destroy: c::rd_kafka_TopicCollection_destroy,
        };
        let options = Own {
            object: c::rd_kafka_AdminOptions_new(handle, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS),
            destroy: c::rd_kafka_AdminOptions_destroy,
        };
        c::rd_kafka_AdminOptions_set_request_timeout(options.object, millis(within), ptr::null_mut(), 0);
        let queue = Own {
            object: c::rd_kafka_queue_new(handle),
            destroy: c::rd_kafka_queue_destroy,
        };
        c::rd_kafka_DescribeTopics(handle, asked.object, options.object, queue.object);
        let answer = Own {
            object: c::rd_kafka_queue_poll(queue.object, millis(within + GRACE)),
            destroy: c::rd_kafka_event_destroy,
        };
        if answer.object.is_null() {
            return Err(KafkaError::AdminOp(Code::OperationTimedOut));
        }
        let code = Code::from(c::rd_kafka_event_error(answer.object));
        if code != Code::NoError {
            return Err(KafkaError::AdminOp(code));
        }
        Ok(read(answer.object))
    }
}

/// SAFETY: `answer` is an event that holds the answer to a question about topics.
unsafe fn read(answer: *mut c::rd_kafka_event_t) -> BTreeMap<TopicName, String> {
    let mut found = BTreeMap::new();
    // SAFETY: what is read here belongs to the event, which the caller holds.
    unsafe {
        let result = c::rd_kafka_event_DescribeTopics_result(answer);
        if result.is_null() {
            return found;
        }
        let mut count = 0;
        let all = c::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        for number in 0..count {
            let topic = *all.add(number);
            let error = c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(topic));
            let id = c::rd_kafka_TopicDescription_topic_id(topic);
            if Code::from(error) != Code::NoError || id.is_null() {
                continue;
            }
            let name = CStr::from_ptr(c::rd_kafka_TopicDescription_name(topic)).to_string_lossy();
            let id = CStr::from_ptr(c::rd_kafka_Uuid_base64str(id)).to_string_lossy();
            if let (Ok(name), false) = (TopicName::new(name.as_ref()), id == NONE) {
                found.insert(name, id.into_owned());
            }
        }
    }
    found
}
