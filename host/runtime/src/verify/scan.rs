//! Reading one partition from offset to offset.

use fermata_core::ports::{Log, LogError};
use fermata_core::{Offset, Record, Shard, TopicName};

/// Records asked for at once.
const PAGE: usize = 1_000;

/// Calls `each` with every readable record in `[from, end)`. Retention may pass the reader: then reading goes on at
/// the oldest record kept, and the answer is where it began.
pub fn partition(
    log: &dyn Log,
    topic: &TopicName,
    shard: Shard,
    from: Offset,
    end: Offset,
    mut each: impl FnMut(&Record),
) -> Result<Offset, LogError> {
    let mut begun = from;
    let mut next = from;
    while next < end {
        let page = match log.read(topic, shard, next, PAGE) {
            Err(LogError::Trimmed { start, .. }) if start > next => {
                (next, begun) = (start, start);
                continue;
            }
            other => other?,
        };
        let Some(last) = page.last() else { break };
        next = last.offset.next();
        page.iter().take_while(|record| record.offset < end).for_each(&mut each);
    }
    Ok(begun)
}
